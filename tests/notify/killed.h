/*
 * killed.h - plays whose server is killed at its system calls, and what their programs have in common.
 */
#ifndef TESTS_NOTIFY_KILLED_H
#define TESTS_NOTIFY_KILLED_H

#include "play.h"

#include "../backlog.h"
#include "../coverage/mark.h"

#include <sys/ptrace.h>
#include <sys/socket.h>

static uint16_t held; /* somebody else's */
static int holder;

static inline struct sockaddr_in at(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static inline int result_of(int result)
{
	return result < 0 ? -errno : result;
}

static inline int bind_to(int fd, uint16_t port)
{
	struct sockaddr_in a = at(port);

	return result_of(bind(fd, (struct sockaddr *)&a, sizeof(a)));
}

static inline int connect_to(int fd, uint16_t port)
{
	struct sockaddr_in a = at(port);

	return result_of(connect(fd, (struct sockaddr *)&a, sizeof(a)));
}

static inline uint16_t name_of(int fd, bool peer)
{
	struct sockaddr_in a = {0};
	socklen_t length = sizeof(a);
	int result = peer ? getpeername(fd, (struct sockaddr *)&a, &length)
			  : getsockname(fd, (struct sockaddr *)&a, &length);

	if (result < 0 || length != sizeof(a))
		play_say("name: %d %u\n", result_of(result), length);
	return ntohs(a.sin_port);
}

static inline const char *which(uint16_t port)
{
	return port == held ? "requested" : port ? "actual" : "none";
}

/* A connection may be there for its client before it is in the queue. */
static inline void wait_until_full(int listener)
{
	while (backlog_is_full(listener) == 0)
		poll(NULL, 0, 1);
}

/* ---- the server lives ---- */

static inline void perform(void (*part)(void), char said[PLAY_SAID])
{
	assert_int_equal(play_perform(part, said), 0);
}

/* ---- the server is killed ---- */

/* At its end, in the build for `make coverage`. */
static inline bool is_counting(pid_t pid)
{
	struct __ptrace_syscall_info info;

	return ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) > 0 && info.op == PTRACE_SYSCALL_INFO_ENTRY &&
	       info.entry.nr == SYS_getppid && info.entry.args[0] == COUNT_MARK;
}

/* Lets the server, with all of its threads, come to its n-th stop at a system call, entry or exit, and kills it there.
 * False if it ended before. */
static inline bool kill_at(pid_t server, unsigned n)
{
	bool counting = false;
	int status;
	pid_t pid = server;

	ptrace(PTRACE_SETOPTIONS, server, 0, PTRACE_O_TRACECLONE | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	ptrace(PTRACE_SYSCALL, server, 0, 0);
	for (;;) {
		pid = waitpid(-1, &status, __WALL);
		if (pid < 0)
			return false;
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			if (pid != server)
				continue;
			play_server = 0;
			return false;
		}
		if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
			counting |= is_counting(pid);
			if (!counting && n-- == 0)
				break;
		}
		ptrace(PTRACE_SYSCALL, pid, 0, 0);
	}
	kill(server, SIGKILL);
	while (waitpid(-1, &status, __WALL) != server || !WIFSIGNALED(status))
		; /* its threads, or the program */
	play_server = 0;
	return true;
}

/* At every `step`-th of them, from another one on each time: PLAY_STEP=1 for all. */
static inline void kill_at_any_system_call(void (*part)(void), const char *wanted, unsigned least, unsigned step)
{
	const char *text = getenv("PLAY_STEP");
	unsigned n;
	char said[PLAY_SAID];
	bool killed = true;

	if (text)
		step = (unsigned)atoi(text);
	for (n = (unsigned)getpid() % step; killed; n += step) {
		int listener;
		pid_t server = play_start(part, true, &listener);

		killed = kill_at(server, n);
		if (killed) {
			assert_int_equal(notify_start(play_notify, listener, &play_space), 0);
			if (write(play->go[1], "", 1) != 1) /* if the server had not come to it */
				play_die("write");
			play_reap();
			assert_true(play_serve());
			signal(SIGCHLD, SIG_DFL);
		}
		memcpy(said, play->said, sizeof(said));
		play_end(listener);
		play_end_run();
		if (killed)
			assert_int_equal(play_left, 0);
		if (strcmp(said, wanted) != 0)
			fail_msg("killed at %u, it was not\n%s but\n%s", n, wanted, said);
	}
	if (text)
		print_message("killed at %u system calls\n", n / step);
	assert_true(n > least);
}

static inline int killed_setup(void **state)
{
	if (play_setup(state) < 0)
		return -1;
	holder = play_holder(&held);
	return 0;
}

#endif
