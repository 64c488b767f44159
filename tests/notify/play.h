/*
 * play.h - a play of three processes: a program under the filter, its server, and the test, which is an ancestor of
 * both and takes over when the server is killed. The program is a function of the test that makes its system calls as
 * they are.
 */
#ifndef TESTS_NOTIFY_PLAY_H
#define TESTS_NOTIFY_PLAY_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <portshim/process.h>
#include <portshim/registry.h>

#include "notify/served.h"

#define PLAY_SAID 4096
#define PLAY_PATIENCE_MS 20000
#define PLAY_LIMIT 200 /* seconds that one play may take; then its processes end by themselves */

/* Shared by all of them. */
struct play {
	char said[PLAY_SAID]; /* what the program found */
	int program_listener; /* the number that each has for it */
	int server_listener;
	pid_t program;
	int begin[2], go[2]; /* pipes: the filter is there; somebody serves */
};

static char play_runtime[PS_RUNTIME_MAX], play_path[PS_RUNTIME_MAX + 16];
static struct ps_space play_space;
static struct play *play;
static struct ps_notify *play_notify;
static void *play_journal;
static pid_t play_server;
static rlim_t play_files; /* how many descriptors the server may have, if that is limited */
static void (*play_shortage)(void); /* makes some of the server's system calls fail */
static unsigned play_left; /* slots that were in use at the end of the last play, if the test took over */
static int play_spare = -1; /* descriptors that the server may have beside those that it has at first */

static inline void play_die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	_exit(3);
}

static inline void play_make_run(struct ps_space *space, const char *name, char *path)
{
	struct ps_scope_spec of_env = {.key = name, .name = name};
	struct ps_scope_spec of_run = {.root = process_self(), .flags = PS_SCOPE_KEPT, .pass = space_pass()};
	struct ps_scope *env, *run;

	if (space_open_env(play_runtime, &of_env, &env) != 0)
		play_die("space_open_env");
	of_run.chain[0] = env->id;
	if (space_create_run(play_runtime, &of_run, path, &run) != 0 || space_open(space, path) != 0)
		play_die("space_open");
	space_close_scope(env);
	space_close_scope(run);
}

static inline int play_setup(void **state)
{
	const char *parent = getenv("PORTSHIM_RUNTIME_DIR");

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L);
	snprintf(play_runtime, sizeof(play_runtime), "%s/notify-XXXXXX", parent && *parent ? parent : "/dev/shm");
	if (!mkdtemp(play_runtime))
		return -1;
	play_make_run(&play_space, "name:play", play_path);
	return 0;
}

static inline int play_teardown(void **state)
{
	DIR *directory = opendir(play_runtime);
	struct dirent *entry;

	(void)state;
	space_close(&play_space);
	while (directory && (entry = readdir(directory)))
		unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory)
		closedir(directory);
	return rmdir(play_runtime);
}

/* A number that somebody else has: so it moves. */
static inline int play_holder(uint16_t *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, length) != 0 || listen(fd, 5) != 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &length) != 0)
		play_die("holder");
	*port = ntohs(a.sin_port);
	return fd;
}

/* For the program: adds to what was found. */
static inline __attribute__((format(printf, 1, 2))) void play_say(const char *format, ...)
{
	size_t length = strlen(play->said);
	va_list list;

	va_start(list, format);
	vsnprintf(play->said + length, PLAY_SAID - length, format, list);
	va_end(list);
	if (getenv("PLAY_SHOW"))
		dprintf(STDERR_FILENO, "%s", play->said + length);
}

static inline void play_be_program(void (*part)(void))
{
	char c;
	int listener;

	alarm(PLAY_LIMIT);
	listener = notify_filter(play_space.run->pass, 0);

	if (listener < 0) {
		play_say("notify_filter: %d\n", listener);
		_exit(4);
	}
	play->program_listener = listener;
	if (write(play->begin[1], "", 1) != 1 || read(play->go[0], &c, 1) != 1)
		_exit(5);
	close(listener);
	part();
	_exit(0);
}

static inline int play_fetch(pid_t pid, int number)
{
	int process = (int)syscall(SYS_pidfd_open, pid, 0);
	int fd = (int)syscall(SYS_pidfd_getfd, process, number, 0);

	if (process < 0 || fd < 0)
		play_die("pidfd_getfd");
	close(process);
	return fd;
}

/* Before Linux 6.11 the listener hangs up only when whoever was under the filter has been waited for: the kernel does
 * it. */
static inline void play_reap(void)
{
	signal(SIGCHLD, SIG_IGN);
	waitpid(play->program, NULL, WNOHANG);
}

/* Serves until nobody is left. False if that takes too long. */
static inline bool play_serve(void)
{
	struct pollfd fds[PS_NOTIFY_FDS];

	for (;;) {
		int left = notify_time_left(play_notify);

		notify_poll(play_notify, fds);
		if (poll(fds, PS_NOTIFY_FDS, left < 0 ? PLAY_PATIENCE_MS : left) == 0 && left < 0)
			return false;
		if (fds[0].revents & POLLHUP)
			return true;
		notify_serve(play_notify, fds);
	}
}

static inline void play_limit_files(void)
{
	int next = dup(STDERR_FILENO);
	struct rlimit limit = {(rlim_t)(next + play_spare), (rlim_t)(next + play_spare)};

	close(next);
	if (next < 0 || setrlimit(RLIMIT_NOFILE, &limit) < 0)
		_exit(10);
}

static inline void play_be_server(void (*part)(void), bool traced)
{
	pid_t program;
	char c;
	int listener;

	alarm(PLAY_LIMIT);
	program = fork();
	if (program == 0)
		play_be_program(part);
	play->program = program;
	if (read(play->begin[0], &c, 1) != 1)
		_exit(6);
	play_reap();
	listener = play_fetch(play->program, play->program_listener);
	play->server_listener = listener;
	if (play_files && setrlimit(RLIMIT_NOFILE, &(struct rlimit){play_files, play_files}) < 0)
		_exit(11);
	if (play_shortage)
		play_shortage();
	if (traced)
		syscall(SYS_ptrace, 0 /* PTRACE_TRACEME */, 0, 0, 0);
	raise(SIGSTOP);
	if (notify_start(play_notify, listener, &play_space) != 0 || write(play->go[1], "", 1) != 1)
		_exit(7);
	if (play_spare >= 0)
		play_limit_files();
	_exit(play_serve() ? 0 : 8);
}

/* Of what is a child of ours still: so nobody else has its number. */
static inline void play_kill(pid_t pid)
{
	if (pid > 0 && waitpid(pid, NULL, WNOHANG) == 0)
		kill(pid, SIGKILL);
}

/* The program becomes a child of ours when the server has gone. */
static inline void play_kill_all(void)
{
	play_kill(play_server);
	if (play_server > 0)
		waitpid(play_server, NULL, 0);
	play_kill(play->program);
	play_server = 0;
}

static inline void play_give_up(int number)
{
	static const char text[] = "the play does not come to its end\n";

	(void)number;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(3);
	play_kill_all();
	_exit(3);
}

/* Starts both; the server is stopped before it serves. *listener is the test's own copy. */
static inline pid_t play_start(void (*part)(void), bool traced, int *listener)
{
	pid_t server;
	int status;

	play_journal = mmap(NULL, notify_size(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	play = mmap(NULL, sizeof(*play), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (play_journal == MAP_FAILED || play == MAP_FAILED || pipe(play->begin) < 0 || pipe(play->go) < 0)
		play_die("play_start");
	play_notify = notify_create(play_journal);
	signal(SIGALRM, play_give_up);
	alarm(PLAY_LIMIT);
	server = fork();
	if (server == 0)
		play_be_server(part, traced);
	if (waitpid(server, &status, WUNTRACED) != server || !WIFSTOPPED(status))
		play_die("the server");
	play_server = server;
	*listener = play_fetch(server, play->server_listener);
	return server;
}

/* A thread that is on its way out may have a lock of the sanitizer's allocator, and a child that is forked then waits
 * for it for ever. */
static inline void play_be_alone(void)
{
	struct stat tasks;

	while (stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink > 3)
		sched_yield();
}

static inline unsigned play_slots(void)
{
	struct ps_journal *journal = play_journal;
	unsigned count = 0;

	for (unsigned i = 0; i < PS_SLOTS; i++)
		count += journal->stage[i] != PS_STAGE_FREE;
	return count;
}

/* The slot of the thread's call, when the server has begun that. Which one it is, is chance: what has served a call
 * with a thread of its own frees that one's slot when it comes to it. NULL: not yet. */
static inline const struct ps_slot *play_begun(pid_t tid)
{
	const struct ps_journal *journal = play_journal;

	for (unsigned i = 0; i < PS_SLOTS; i++)
		if (journal->stage[i] == PS_STAGE_BEGUN && (pid_t)journal->slot[i].u.notif.pid == tid)
			return &journal->slot[i];
	return NULL;
}

static inline void play_end(int listener)
{
	play_kill_all();
	notify_close(play_notify);
	play_left = play_slots();
	play_be_alone();
	close(listener);
	for (int i = 0; i < 2; i++) {
		close(play->begin[i]);
		close(play->go[i]);
	}
	munmap(play, sizeof(*play));
	munmap(play_journal, notify_size());
	while (waitpid(-1, NULL, 0) > 0)
		;
	alarm(0);
}

/* What is recorded of a run is not there for the next one. */
static inline void play_end_run(void)
{
	space_close(&play_space);
	play_make_run(&play_space, "name:play", play_path);
}

/* All of it with a server that lives: what it ended with, and what the program said. */
static inline int play_perform(void (*part)(void), char said[PLAY_SAID])
{
	int listener, status = -1;
	pid_t server = play_start(part, false, &listener);

	kill(server, SIGCONT);
	waitpid(server, &status, 0);
	play_server = 0;
	memcpy(said, play->said, PLAY_SAID);
	play_end(listener);
	play_end_run();
	return status;
}

#endif
