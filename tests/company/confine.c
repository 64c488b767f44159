/*
 * confine.c - programs that go somewhere else: other namespaces, another root.
 *
 * confine CASE PORT [OTHER]. OTHER is a port that another environment has, or a directory to chroot to.
 *
 * What a case prints is the same bare, on any machine where it may do what it does; status 77 says that it may not.
 */
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "job.h"

#define MAY_NOT 77

static int port, other;
static char *number;
static const char *directory;

static int refused(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	return MAY_NOT;
}

static int ended(pid_t pid)
{
	int status = -1;

	while (pid > 0 && waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

/* An ordinary user needs a user namespace to be allowed the rest. */
static int extra(void)
{
	return geteuid() == 0 ? 0 : CLONE_NEWUSER;
}

/* A new network namespace has a loopback device that is down. */
static int loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), result;

	request.ifr_flags = IFF_UP | IFF_RUNNING;
	result = ioctl(fd, SIOCSIFFLAGS, &request);
	close(fd);
	return result;
}

/* Another host: every number is free, and what getsockname says is what was asked for. */
static int job_there(void)
{
	int numbers[2] = { port, other }, bad = 0, fd;

	if (loopback_up() != 0)
		return refused("lo");
	for (int i = 0; i < 2 && numbers[i]; i++) {
		bad |= job_told(1, "there", numbers[i]);
		fd = job_listen(numbers[i]);
		job_say(1, "there its name is", job_port(fd, job_own) == numbers[i] ? "its number" : "another");
		close(fd);
		fd = socket(AF_INET, SOCK_STREAM, 0);
		job_say(1, "there nobody is", job_connect(fd, numbers[i]) == 0 ? "there" : strerrorname_np(errno));
		close(fd);
	}
	return bad;
}

/* There and back again. A socket that was made at home stays one of home's. */
static int network(void)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), bad, at_home;

	if (job_told(1, "before", port))
		return 1;
	at_home = socket(AF_INET, SOCK_STREAM, 0);
	if (unshare(CLONE_NEWNET | extra()) != 0)
		return refused("unshare");
	bad = job_there();
	if (bad == MAY_NOT || extra())
		return bad; /* an ordinary user may not go back */
	job_say(1, "a socket of home's", job_connect(at_home, port) == 0 ? "connected" : strerrorname_np(errno));
	if (setns(home, CLONE_NEWNET) != 0)
		return refused("setns");
	bad |= job_told(1, "after", port);
	bad |= syscall(SYS_unshare, CLONE_NEWNET) != 0 || loopback_up() != 0 || job_told(1, "there again", port);
	bad |= setns(home, 0) != 0;
	return bad | job_told(1, "home again", port);
}

/* The first call of all is made there. */
static int network_first(void)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), bad;

	if (unshare(CLONE_NEWNET | extra()) != 0)
		return refused("unshare");
	bad = job_there();
	if (bad || extra())
		return bad;
	return setns(home, CLONE_NEWNET) != 0 || job_told(1, "after", port);
}

static int in_clone(void *unused)
{
	(void)unused;
	return job_there();
}

static int network_clone(void)
{
	const size_t size = 256 * 1024;
	char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int bad = job_told(1, "before", port);
	pid_t pid = clone(in_clone, stack + size, CLONE_NEWNET | extra() | SIGCHLD, NULL);

	if (pid < 0)
		return refused("clone");
	bad |= ended(pid);
	if (bad == MAY_NOT)
		return bad;
	bad |= job_told(1, "after", port);
	pid = (pid_t)syscall(SYS_clone, CLONE_NEWNET | extra() | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0)
		_exit(job_there());
	return bad | ended(pid) | job_told(1, "after", port);
}

static void *go(void *result)
{
	if (unshare(CLONE_NEWNET) == 0)
		*(int *)result = loopback_up() != 0 || job(port) ? 1 : 0;
	return NULL;
}

/* One thread leaves, and the others stay at home. */
static int network_thread(void)
{
	pthread_t thread;
	int there = MAY_NOT, bad = job_told(1, "before", port);

	if (pthread_create(&thread, NULL, go, &there) != 0)
		return 1;
	for (int i = 0; i < 50; i++)
		if (job(port + 1))
			bad = 1;
	pthread_join(thread, NULL);
	if (there == MAY_NOT)
		return refused("unshare");
	job_say(1, "there", there ? "failed" : "ok");
	return bad | job_told(1, "after", port);
}

static int network_exec(void)
{
	if (unshare(CLONE_NEWNET | extra()) != 0 || loopback_up() != 0)
		return refused("unshare");
	execl("/proc/self/exe", "confine", "job", number, (char *)NULL);
	return 97;
}

static int user(void)
{
	pid_t pid;

	if (unshare(CLONE_NEWUSER) != 0)
		return refused("unshare");
	pid = fork();
	if (pid == 0) {
		execl("/proc/self/exe", "confine", "job", number, (char *)NULL);
		_exit(97);
	}
	return ended(pid) | job_told(1, "here", port);
}

/* The runtime directory is hidden. */
static int mounts(void)
{
	if (unshare(CLONE_NEWNS | extra()) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("none", "/dev/shm", "tmpfs", 0, NULL) != 0)
		return refused("mount");
	return job_told(1, "here", port);
}

static int mounts_exec(void)
{
	int bad = mounts();

	if (bad == MAY_NOT)
		return bad;
	execl("/proc/self/exe", "confine", "job", number, (char *)NULL);
	return 97;
}

static int root(void)
{
	if ((extra() && unshare(CLONE_NEWUSER) != 0) || chroot(directory) != 0 || chdir("/") != 0)
		return refused("chroot");
	return job_told(1, "here", port) | job_told(1, "here", port);
}

static int processes(void)
{
	int bad = job_told(1, "before", port);
	pid_t pid;

	if (unshare(CLONE_NEWPID | extra()) != 0)
		return refused("unshare");
	pid = fork();
	if (pid == 0) {
		if (getpid() != 1 || job_told(1, "there", port))
			_exit(1);
		execl("/proc/self/exe", "confine", "job", number, (char *)NULL);
		_exit(97);
	}
	return bad | ended(pid) | job_told(1, "after", port);
}

static int do_job(void)
{
	return job_told(1, "job", port);
}

static const struct {
	const char *name;
	int (*run)(void);
} cases[] = {
	{ "network", network },
	{ "network-first", network_first },
	{ "network-clone", network_clone },
	{ "network-thread", network_thread },
	{ "network-exec", network_exec },
	{ "user", user },
	{ "mounts", mounts },
	{ "mounts-exec", mounts_exec },
	{ "root", root },
	{ "processes", processes },
	{ "job", do_job },
};

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	number = argv[2];
	port = atoi(number);
	directory = argc > 3 ? argv[3] : "/";
	other = atoi(directory);
	alarm(300);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (strcmp(argv[1], cases[i].name) == 0)
			return cases[i].run();
	return 2;
}
