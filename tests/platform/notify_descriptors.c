/* What src/notify does with another process's descriptors and files:
 *
 * - pidfd_open with PIDFD_THREAD (Linux 6.9) names the very thread that called, whose descriptors need not be its
 *   process's (unshare(CLONE_FILES)); a duplicate by pidfd_getfd is the same socket, with the same flags;
 * - SECCOMP_IOCTL_NOTIF_ADDFD with SETFD puts an open file in a descriptor's place, as dup2 would, while the call
 * waits;
 * - a /proc/PID/environ that was opened before an execve reads as empty after it, so a cached one tells that the
 * program
 *   changed: mm_access() was made on the old memory, which is gone (fs/proc/base.c, environ_read). */
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "notify.h"

struct seen {
	ino_t inode;
	int flags, number;
	bool same;
};

static struct seen *seen;
static struct notify_rules rules;

static void *apart(void *unused)
{
	int low = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct stat status;

	/* The same number is another file in the rest of the process. */
	if (unshare(CLONE_FILES))
		_exit(3);
	close(low);
	seen->number = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	seen->same = seen->number == low;
	fstat(seen->number, &status);
	seen->inode = status.st_ino;
	syscall(SYS_getsockname, seen->number, NULL, NULL);
	return unused;
}

static void thread_apart(void *unused)
{
	pthread_t thread;

	(void)unused;
	if (pthread_create(&thread, NULL, apart, NULL) || pthread_join(thread, NULL))
		_exit(2);
}

static ino_t duplicate(int pidfd, int number, int *flags)
{
	int fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	struct stat status = { 0 };

	if (fd < 0 || fstat(fd, &status))
		return 0;
	*flags = fcntl(fd, F_GETFL);
	close(fd);
	return S_ISSOCK(status.st_mode) ? status.st_ino : 0;
}

static void check_thread(void)
{
	struct notify_child child = notify_start(&rules.program, NOTIFY_FLAGS, thread_apart, NULL);
	struct seccomp_notif call;
	int pidfd, flags = 0;

	notify_go(&child);
	CHECK(notify_receive(child.listener, &call), "received");
	CHECK(call.pid != (uint32_t)child.pid, "the notification names the thread");
	CHECK(syscall(SYS_pidfd_open, call.pid, 0) == -1 && (errno == EINVAL || errno == ENOENT),
	      "which is no process: pidfd_open needs PIDFD_THREAD");
	pidfd = (int)syscall(SYS_pidfd_open, call.pid, PIDFD_THREAD);
	if (pidfd < 0) {
		check_skip("PIDFD_THREAD", "Linux 6.9");
	} else {
		CHECK(seen->same && duplicate(pidfd, seen->number, &flags) == seen->inode,
		      "the thread's own descriptor");
		CHECK(flags & O_NONBLOCK, "with its flags");
		close(pidfd);
		pidfd = (int)syscall(SYS_pidfd_open, child.pid, 0);
		CHECK(duplicate(pidfd, seen->number, &flags) != seen->inode, "the process's is another");
		close(pidfd);
	}
	notify_answer(child.listener, call.id, 0, 0, 0);
	CHECK(notify_end(&child) == 0, "the child ended");
}

static void replaced(void *unused)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), type = 0;
	socklen_t length = sizeof(type);
	struct stat status;

	(void)unused;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	syscall(SYS_getsockname, fd, NULL, NULL);
	fstat(fd, &status);
	seen->inode = status.st_ino;
	seen->flags = fcntl(fd, F_GETFD);
	seen->same = !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) && type == SOCK_DGRAM;
}

static void check_replace(void)
{
	struct notify_child child = notify_start(&rules.program, NOTIFY_FLAGS, replaced, NULL);
	int other = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct seccomp_notif_addfd add = { .flags = SECCOMP_ADDFD_FLAG_SETFD,
					   .srcfd = (uint32_t)other,
					   .newfd_flags = O_CLOEXEC };
	struct seccomp_notif call;
	struct stat status;

	fstat(other, &status);
	notify_go(&child);
	CHECK(notify_receive(child.listener, &call), "received");
	add.id = call.id;
	add.newfd = (uint32_t)call.data.args[0];
	CHECK(ioctl(child.listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) == (int)add.newfd, "put in its place");
	CHECK(!ioctl(child.listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call.id), "the call waits still");
	CHECK(notify_answer(child.listener, call.id, 0, 0, 0), "answered");
	add.id = call.id;
	CHECK(ioctl(child.listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) == -1 && (errno == ENOENT || errno == EINPROGRESS),
	      "not after the answer");
	CHECK(notify_end(&child) == 0, "the child ended");
	CHECK(seen->inode == status.st_ino && seen->same, "the program has the other file under its number");
	CHECK(seen->flags == FD_CLOEXEC, "with the flag that was asked for");
	close(other);
}

static int environ_of(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* A process that executes this program twice, and waits each time (wait_here). */
static void check_environ(char *program)
{
	static char word[] = "wait", name[] = "PORTSHIM_RUN=before";
	char *argv[] = { program, word, NULL }, *before[] = { name, NULL };
	int there[2], go[2], fd, again;
	char text[64] = "", byte;
	pid_t pid;

	if (pipe(there) || pipe(go))
		check_fatal("pipe");
	pid = fork();
	if (!pid) {
		dup2(there[1], 3);
		dup2(go[0], 4);
		close_range(5, ~0u, 0);
		execve("/proc/self/exe", argv, before);
		_exit(1);
	}
	close(there[1]);
	CHECK(read(there[0], &byte, 1) == 1, "executed");
	fd = environ_of(pid);
	CHECK(fd >= 0 && pread(fd, text, sizeof(text), 0) == 20 && !strcmp(text, "PORTSHIM_RUN=before"),
	      "its environment");
	CHECK(pread(fd, text, sizeof(text), 0) == 20, "and once more by the same descriptor");
	if (write(go[1], "x", 1) != 1)
		check_fatal("write");
	CHECK(read(there[0], &byte, 1) == 1, "executed again");
	CHECK(pread(fd, text, sizeof(text), 0) == 0, "by the descriptor of before: nothing");
	again = environ_of(pid);
	CHECK(pread(again, text, sizeof(text), 0) == 19 && !strcmp(text, "PORTSHIM_RUN=after"),
	      "by a new one: the new one");
	close(again);
	close(go[1]);
	CHECK(waitpid(pid, NULL, 0) == pid && pread(fd, text, sizeof(text), 0) == 0, "of a dead process: nothing");
	close(fd);
	close(there[0]);
	close(go[0]);
}

/* The program that check_environ executes. */
static int wait_here(char *program)
{
	static char word[] = "wait", name[] = "PORTSHIM_RUN=after";
	char *argv[] = { program, word, NULL }, *after[] = { name, NULL };
	char byte;

	if (write(3, "x", 1) != 1 || read(4, &byte, 1) != 1)
		return 0;
	execve("/proc/self/exe", argv, after);
	return 1;
}

int main(int argc, char **argv)
{
	const int call = SYS_getsockname;

	if (argc > 1)
		return wait_here(argv[0]);
	seen = notify_shared(sizeof(*seen));
	notify_rules(&rules, &call, 1);
	check_thread();
	check_replace();
	check_environ(argv[0]);
	return check_finish();
}
