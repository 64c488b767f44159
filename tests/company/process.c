/*
 * process.c - programs that begin others in every way that there is, or lose what they were given.
 *
 * process CASE PORT [FILE]: a case ends in the job (job.h), done here or by what it began, and tells it on stdout.
 */
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "job.h"

extern char **environ;

static const char *self, *number;
static char exe[4096];
static int port;
static char *arguments[4];
static char *own[] = { (char *)"OWN=1", NULL };

static int ended(pid_t pid)
{
	int status = -1;

	while (pid > 0 && waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

static int do_job(void)
{
	return job_told(1, "job", port);
}

static int close_everything(void)
{
	int result = close_range(3, ~0u, 0);

	result |= do_job();
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	result |= do_job();
	syscall(SYS_close_range, 3, ~0u, 0);
	return result | do_job();
}

/* ---- spawning ---- */

static int spawn_actions(void)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	char text[64];
	ssize_t n;
	pid_t pid;
	int pipes[2], error;

	if (pipe(pipes) != 0)
		return 1;
	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, pipes[1], 1);
	posix_spawn_file_actions_addclose(&actions, pipes[0]);
	posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	posix_spawn_file_actions_addchdir_np(&actions, "/");
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
	posix_spawnattr_setsigmask(&attributes, &none);
	error = posix_spawn(&pid, self, &actions, &attributes, arguments, own);
	close(pipes[1]);
	if (error)
		return 1;
	while ((n = read(pipes[0], text, sizeof(text))) > 0)
		if (write(1, text, (size_t)n) < 0)
			return 1;
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return ended(pid);
}

static int spawn_own(void)
{
	pid_t pid;

	return posix_spawn(&pid, self, NULL, NULL, arguments, own) ? 1 : ended(pid);
}

static int spawn_search(void)
{
	pid_t pid;
	char *slash = strrchr(exe, '/');

	*slash = '\0';
	setenv("PATH", exe, 1);
	*slash = '/';
	arguments[0] = slash + 1;
	return posix_spawnp(&pid, slash + 1, NULL, NULL, arguments, own) ? 1 : ended(pid);
}

static int spawn_missing(void)
{
	pid_t pid;
	int error = posix_spawn(&pid, "/nonexistent/program", NULL, NULL, arguments, own);

	job_say(1, "spawn", strerrorname_np(error));
	error = posix_spawnp(&pid, "no-such-program-anywhere", NULL, NULL, arguments, environ);
	job_say(1, "spawnp", strerrorname_np(error));
	return do_job();
}

static int vfork_exec(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		execve(self, arguments, own);
		_exit(97);
	}
	return ended(pid);
}

static int vfork_failing(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		execve("/nonexistent/program", arguments, own);
		_exit(errno == ENOENT ? 3 : 4);
	}
	return ended(pid) == 3 ? do_job() : 1;
}

/* ---- clone ---- */

static int clone_exec(void *unused)
{
	(void)unused;
	execve(self, arguments, own);
	_exit(97);
}

static int clone_job(void *unused)
{
	(void)unused;
	return do_job();
}

static int clone_with(int flags, int (*function)(void *))
{
	const size_t size = 256 * 1024;
	char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return stack == MAP_FAILED ? 1 : ended(clone(function, stack + size, flags, NULL));
}

static int clone_vfork_exec(void)
{
	return clone_with(CLONE_VM | CLONE_VFORK | SIGCHLD, clone_exec);
}

static int clone_shared(void)
{
	return clone_with(CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, clone_job) | do_job();
}

static int clone_quiet(void)
{
	return clone_with(0, clone_job); /* without a signal at its end */
}

static int clone_raw(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0)
		_exit(do_job());
	return ended(pid) | do_job();
}

static int clone_three(void)
{
	struct clone_args a = { .exit_signal = SIGCHLD };
	pid_t pid = (pid_t)syscall(SYS_clone3, &a, sizeof(a));

	if (pid < 0 && errno == ENOSYS)
		pid = fork(); /* a container may forbid it */
	if (pid == 0)
		_exit(do_job());
	return ended(pid) | do_job();
}

/* ---- exec ---- */

static int by_fexecve(void)
{
	fexecve(open(self, O_RDONLY | O_CLOEXEC), arguments, own);
	return 97;
}

static int by_execveat(void)
{
	execveat(open("/", O_PATH | O_CLOEXEC), self + 1, arguments, own, 0);
	return 97;
}

static int by_syscall(void)
{
	syscall(SYS_execve, self, arguments, environ);
	return 97;
}

static int by_execle(void)
{
	execle(self, "process", "job", number, (char *)NULL, own);
	return 97;
}

static int by_execlp(void)
{
	execlp(self, "process", "job", number, (char *)NULL);
	return 97;
}

static int by_execvpe(void)
{
	execvpe(self, arguments, own);
	return 97;
}

static int by_system(void)
{
	char line[4200];
	int status;

	snprintf(line, sizeof(line), "'%s' job %s; exit 5", self, number);
	status = system(line);
	return WIFEXITED(status) && WEXITSTATUS(status) == 5 ? 0 : 1;
}

static int by_popen(void)
{
	char line[4200];
	FILE *stream;
	int c;

	snprintf(line, sizeof(line), "'%s' job %s", self, number);
	stream = popen(line, "r");
	if (!stream)
		return 1;
	while ((c = getc(stream)) != EOF)
		putchar(c);
	fflush(stdout);
	return pclose(stream);
}

/* libc's own shells get what environ is: nothing puts the preload back. */
static int by_system_cleared(void)
{
	clearenv();
	return by_system();
}

/* ---- leaving ---- */

/* A daemon of the old school: two forks, a session of its own, nothing kept. It serves one client. */
static int daemonize(const char *file)
{
	int fd, server, peer, up = open(file, O_WRONLY | O_CLOEXEC);

	if (fork() != 0)
		_exit(0);
	setsid();
	if (fork() != 0)
		_exit(0);
	alarm(300);
	if (chdir("/") != 0)
		return 1;
	for (fd = 0; fd < 64; fd++)
		if (fd != up)
			close(fd);
	open("/dev/null", O_RDWR);
	if (dup(0) != 1 || dup(0) != 2 || job_told(up, "job", port))
		return 1;
	server = job_listen(port);
	job_say(up, "up", server < 0 ? "no" : "yes");
	close(up);
	peer = accept(server, NULL, NULL);
	return send(peer, "daemon", 6, 0) == 6 ? 0 : 1;
}

static int ask(void)
{
	char word[64] = "";
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (job_connect(fd, port) != 0)
		job_say(1, "connect", strerrorname_np(errno));
	else if (recv(fd, word, sizeof(word) - 1, 0) >= 0)
		job_say(1, "got", word);
	return 0;
}

/* Serves until it is ended, or for five minutes. */
static int serve(void)
{
	int server = job_listen(port), peer;

	alarm(300);
	job_say(1, "serve", server < 0 ? "no" : "yes");
	while ((peer = accept(server, NULL, NULL)) >= 0)
		close(peer);
	return 0;
}

/* Tells in a file, for a program whose streams are closed. Its own sockets then have the numbers 0, 1 and 2. */
static int in_file(const char *file)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600), told = fcntl(fd, F_DUPFD_CLOEXEC, 10);

	close(fd);
	return job_told(told, "job", port) | job_told(told, "job", port);
}

static const struct {
	const char *name;
	int (*run)(void);
} cases[] = {
	{ "job", do_job },
	{ "close-everything", close_everything },
	{ "spawn-actions", spawn_actions },
	{ "spawn-own", spawn_own },
	{ "spawn-search", spawn_search },
	{ "spawn-missing", spawn_missing },
	{ "vfork-exec", vfork_exec },
	{ "vfork-failing", vfork_failing },
	{ "clone-vfork-exec", clone_vfork_exec },
	{ "clone-shared", clone_shared },
	{ "clone-quiet", clone_quiet },
	{ "clone-raw", clone_raw },
	{ "clone-three", clone_three },
	{ "fexecve", by_fexecve },
	{ "execveat", by_execveat },
	{ "syscall-execve", by_syscall },
	{ "execle", by_execle },
	{ "execlp", by_execlp },
	{ "execvpe", by_execvpe },
	{ "system", by_system },
	{ "popen", by_popen },
	{ "system-cleared", by_system_cleared },
	{ "ask", ask },
	{ "serve", serve },
};

int main(int argc, char **argv)
{
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (argc < 3)
		return 2;
	self = n > 0 ? exe : argv[0];
	number = argv[2];
	port = atoi(number);
	arguments[0] = exe;
	arguments[1] = (char *)"job";
	arguments[2] = argv[2];
	if (argc > 3 && strcmp(argv[1], "daemon") == 0)
		return daemonize(argv[3]);
	if (argc > 3 && strcmp(argv[1], "in-file") == 0)
		return in_file(argv[3]);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (strcmp(argv[1], cases[i].name) == 0)
			return cases[i].run();
	return 2;
}
