/*
 * notify.h - what the tests of seccomp's user notification share: a child under a filter whose listener we have.
 *
 * The child installs the filter, says which descriptor the listener is, and goes on once we have a duplicate of it,
 * without any descriptor of ours. It writes what it sees into memory that both share. Nothing of portshim is linked.
 *
 * Source of the facts: seccomp(2), seccomp_unotify(2), kernel/seccomp.c.
 */
#ifndef TESTS_PLATFORM_NOTIFY_H
#define TESTS_PLATFORM_NOTIFY_H

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../check.h"

/* Newer than the headers may be. */
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV /* Linux 5.19 */
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS /* Linux 6.6 */
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif
#ifndef PIDFD_THREAD /* Linux 6.9 */
#define PIDFD_THREAD O_EXCL
#endif

#define NOTIFY_FLAGS                                                                         \
	(SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV |         \
	 SECCOMP_FILTER_FLAG_SPEC_ALLOW)
#define NOTIFY_LIMIT 10000 /* milliseconds that anything may take */

struct notify_child {
	pid_t pid;
	int listener;
	int go; /* closed: the child goes on */
};

/* A filter that notifies of some system calls of this architecture, and allows all else. */
#define NOTIFY_MAX 8
struct notify_rules {
	struct sock_filter rule[4 + NOTIFY_MAX];
	struct sock_fprog program;
};

static inline void notify_rules(struct notify_rules *r, const int *calls, unsigned count)
{
	unsigned n = 0;

	r->rule[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (unsigned i = 0; i < count; i++)
		r->rule[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i],
							    (uint8_t)(count - i), 0);
	r->rule[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	r->rule[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
	r->program = (struct sock_fprog){ .len = (unsigned short)n, .filter = r->rule };
}

static inline int notify_install(const struct sock_fprog *program, unsigned long flags)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program);
}

/* Starts a child that does `work` under the filter. The child's end is _exit(0), unless it is something else. */
static inline struct notify_child notify_start(const struct sock_fprog *program, unsigned long flags,
					       void (*work)(void *), void *context)
{
	struct notify_child child = { .listener = -1 };
	int there[2], go[2], number = -1, pidfd;

	if (pipe(there) || pipe(go))
		check_fatal("pipe");
	child.pid = fork();
	if (child.pid < 0)
		check_fatal("fork");
	if (!child.pid) {
		char byte;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(go[1]);
		close(there[0]);
		alarm(60);
		number = notify_install(program, flags);
		if (write(there[1], &number, sizeof(number)) != sizeof(number) || number < 0 || read(go[0], &byte, 1))
			_exit(99);
		close_range(3, ~0u, 0); /* nothing of ours stays open in it */
		work(context);
		_exit(0);
	}
	close(go[0]);
	close(there[1]);
	child.go = go[1];
	if (read(there[0], &number, sizeof(number)) == sizeof(number) && number >= 0) {
		pidfd = (int)syscall(SYS_pidfd_open, child.pid, 0);
		child.listener = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
		close(pidfd);
	}
	close(there[0]);
	if (child.listener < 0) {
		check_skip("user notification", "not possible here (seccomp(2), pidfd_getfd(2))");
		exit(check_finish());
	}
	return child;
}

static inline void notify_go(struct notify_child *child)
{
	if (child->go >= 0)
		close(child->go);
	child->go = -1;
}

/* Receives one call. False if none comes. */
static inline bool notify_receive(int listener, struct seccomp_notif *call)
{
	struct pollfd p = { .fd = listener, .events = POLLIN };

	memset(call, 0, sizeof(*call));
	return poll(&p, 1, NOTIFY_LIMIT) == 1 && p.revents & POLLIN && !ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, call);
}

/* True once there is a call to receive, false once the child is over: its listener says that when it is waited for
 * (before Linux 6.11), its pidfd when it has ended. */
static inline bool notify_more(const struct notify_child *child)
{
	struct pollfd p[2] = { { .fd = child->listener, .events = POLLIN }, { .events = POLLIN } };

	p[1].fd = (int)syscall(SYS_pidfd_open, child->pid, 0);
	poll(p, 2, NOTIFY_LIMIT);
	close(p[1].fd);
	return p[0].revents & POLLIN;
}

static inline bool notify_answer(int listener, uint64_t id, int64_t value, int error, unsigned flags)
{
	struct seccomp_notif_resp answer = { .id = id, .val = value, .error = -error, .flags = flags };

	return !ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

static inline bool notify_continue(int listener, uint64_t id)
{
	return notify_answer(listener, id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}

/* What the listener says within so many milliseconds: POLLIN, POLLHUP, 0. */
static inline short notify_poll(int listener, int milliseconds)
{
	struct pollfd p = { .fd = listener, .events = POLLIN };

	return poll(&p, 1, milliseconds) == 1 ? p.revents : 0;
}

/* The exit status of a child that ends by itself; 1000 and more: a signal. */
static inline int notify_end(struct notify_child *child)
{
	int status = -1;

	notify_go(child);
	if (child->listener >= 0)
		close(child->listener);
	child->listener = -1;
	if (waitpid(child->pid, &status, 0) != child->pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static inline void *notify_shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		check_fatal("mmap");
	return p;
}

/* Waits until a task is in this state ("S" for a sleep that signals end, "D" for one that they do not), and, where
 * wanted, has a signal waiting. There is no event for either. */
static inline bool notify_state(pid_t pid, char wanted, bool pending)
{
	char path[64], line[256];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	for (int i = 0; i < NOTIFY_LIMIT * 2; i++) {
		unsigned long long shared = 0, own = 0;
		char now = 0;
		FILE *f = fopen(path, "re");

		while (f && fgets(line, sizeof(line), f))
			if (sscanf(line, "State: %c", &now) != 1 && sscanf(line, "SigPnd: %llx", &own) != 1)
				sscanf(line, "ShdPnd: %llx", &shared);
		if (f)
			fclose(f);
		if (now == wanted && (!pending || shared || own))
			return true;
		usleep(500);
	}
	return false;
}

static inline uint64_t notify_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A handler that counts, with or without SA_RESTART. */
static volatile sig_atomic_t notify_handled;

static inline void notify_count(int number)
{
	(void)number;
	notify_handled++;
}

static inline void notify_handle(int number, bool restart)
{
	struct sigaction action = { .sa_handler = notify_count, .sa_flags = restart ? SA_RESTART : 0 };

	sigaction(number, &action, NULL);
}

#endif
