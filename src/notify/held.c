/*
 * held.c - see held.h.
 *
 * Theory of operation
 *
 * A blocking recvfrom by a program that expects a requested port as its source cannot be left to the kernel: what the
 * kernel fills in when the datagram comes, nobody could correct. So the call stays unanswered (the thread sleeps in
 * the kernel, as it would natively), and the server waits for what the thread waits for: the socket, of which it has
 * a duplicate, by epoll; the deadline of SO_RCVTIMEO or SO_SNDTIMEO; and the thread's death, by a pidfd of the
 * thread (of its process, before Linux 6.9), so that a killed program's socket is closed when its parent can know of
 * it.
 *
 * There is no event for the fourth thing that ends a native wait, a signal. While a received notification waits, the
 * kernel lets only deadly signals through (SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV; without it, half-done calls would
 * be repeated). signalfd(2) sees the signals of the process that polls it, a pidfd only exit, inotify nothing of
 * /proc; perf's and the connector's events are not for ordinary users, and ptrace is visible and exclusive. A
 * notification can be put back to where signals interrupt it, by a receive whose copy fails half-way, but then all
 * that come after it wait behind it. So what is held is looked at every ten milliseconds, and every fifty when
 * nothing was begun or ended for a second or two: /proc/TID/status has the signals that are pending and those that
 * are blocked. That costs 0.2 to 0.9 % of a processor for one held call, nearly all of it for waking up. No more than
 * LOOKS_AT_ONCE are made at a time, in turns: it never becomes more than 5 %, and where more than that many calls are
 * held, signals reach them later.
 *
 * What is found, the kernel deals with, as it does natively. A signal that is pending for the thread alone, or for a
 * process of one thread, is surely the one that this thread will take when it leaves the kernel: the handler then
 * answers -ERESTARTSYS (or -EINTR, where the socket has a time limit: sock_intr_errno in include/net/sock.h), and the
 * kernel makes EINTR or a new call of it, as the signal's action says. One that any thread of the process may take is
 * not: where none has taken it at the second look, the call is continued, and the kernel itself looks for signals
 * before it waits. The same is done when the process is being stopped (then one thread has taken the signal, and the
 * others are stopped without any), or gets a tracer.
 *
 * Edge-triggered events, because an error queue that the program does not read makes a socket ready for ever, while a
 * receiving call waits all the same. The first attempt's -EAGAIN came before the socket was added, but adding looks
 * as well.
 *
 * A held thread cannot be frozen (kernel/freezer.c; the machine's suspend, cgroup.freeze): woken for that, it sleeps on
 * in the way that only a kill ends, until it is answered, and who would answer is to be frozen as well.
 *
 * Limits: as many calls as most_of() says, because each needs two descriptors and a slot of the journal; the next ones
 * are continued, and see actual ports. Stops are seen by the state of another thread, of the first ones of a process:
 * where all of those are held or in the kernel's own sleep, they come when one of them goes on. A server that takes
 * over finds each held call in the journal and tries it again from the beginning: nothing is kept here but what can be
 * made again.
 */
#include "held.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define HELD_MOST (PS_SLOTS / 4 * 3) /* the other slots are for calls that do not wait */
#define LOOK_SOON INT64_C(10000000)
#define LOOK_LATE INT64_C(50000000)
#define CALM 32 /* the pause between looks is this part of the time since something changed */
#define LOOKS_AT_ONCE 16
#define EVENTS_AT_ONCE 256
#define THREADS_ASKED 16

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL /* Linux 6.9 */
#endif

struct hold {
	struct ps_call call;
	struct ps_wait wait;
	unsigned at;     /* in holds->list */
	int pidfd;       /* of the thread, or of its process; -1: none can be had */
	int32_t process; /* its process */
	int32_t tracer;
	bool suspected;  /* at the last look, a signal was pending that another thread may take */
};

struct ps_holds {
	struct hold **list;
	unsigned count, room, most;
	unsigned next;    /* whose turn it is to be looked at */
	int64_t look;     /* when the next look is due */
	int64_t changed;  /* when a call was held or ended last */
	int64_t deadline; /* no hold's is earlier */
};

int64_t held_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* ---- what /proc says of a thread ---- */

struct status {
	char state;
	int32_t process, tracer, threads;
	uint64_t pending, shared; /* unblocked ones */
};

static bool read_status(int32_t tid, struct status *status)
{
	char text[PS_STATUS_ROOM];
	const char *state;
	uint64_t blocked;

	if (target_status(tid, text, sizeof(text)) <= 0)
		return false;
	state = strstr(text, "\nState:\t");
	if (!state || !strstr(text, "\nSigBlk:"))
		return false;
	blocked = target_field(text, "\nSigBlk:\t", 16);
	*status = (struct status){
		.state = state[8],
		.process = (int32_t)target_field(text, "\nTgid:\t", 10),
		.tracer = (int32_t)target_field(text, "\nTracerPid:\t", 10),
		.threads = (int32_t)target_field(text, "\nThreads:\t", 10),
		.pending = target_field(text, "\nSigPnd:\t", 16) & ~blocked,
		.shared = target_field(text, "\nShdPnd:\t", 16) & ~blocked,
	};
	return true;
}

/* 0 if the thread's state says nothing about its process: it may be held as well, or has ended. */
static char state_of(int32_t tid)
{
	struct status status;

	return read_status(tid, &status) && !strchr("DXZ", status.state) ? status.state : 0;
}

/* That of the first thread that says something. */
static char state_of_others(const struct hold *hold)
{
	struct dirent *entry;
	char path[32], state = 0;
	DIR *threads;

	snprintf(path, sizeof(path), "/proc/%d/task", hold->process);
	threads = opendir(path);
	for (unsigned n = 0; threads && n < THREADS_ASKED && !state && (entry = readdir(threads)); n++)
		if (entry->d_name[0] != '.' && atoi(entry->d_name) != hold->call.tid)
			state = state_of(atoi(entry->d_name));
	if (threads)
		closedir(threads);
	return state;
}

/* True if the process is stopped as a whole, but for threads that we hold. */
static bool is_stopped(const struct hold *hold, const struct status *status)
{
	char state = hold->call.tid == hold->process ? 0 : state_of(hold->process);

	return status->threads > 1 && (state ? state : state_of_others(hold)) == 'T';
}

/* HELD_READY: nothing that would have ended a native wait. */
static enum held_why look(struct hold *hold, const struct status *status)
{
	bool traced;

	if (status->pending || (status->shared && status->threads == 1))
		return HELD_SIGNAL;
	if (status->shared && hold->suspected)
		return HELD_SUSPECT;
	hold->suspected = status->shared != 0;
	traced = status->tracer && status->tracer != hold->tracer;
	hold->tracer = status->tracer;
	return traced || is_stopped(hold, status) ? HELD_SUSPECT : HELD_READY;
}

/* ---- holds ---- */

static bool add_event(struct ps_notify *notify, int fd, uint32_t events, struct hold *hold)
{
	struct epoll_event event = {.events = events | EPOLLET, .data.ptr = hold};

	/* What cannot be waited for would be ready at once: never the case for sockets and pidfds. */
	return epoll_ctl(notify->events, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* Others need descriptors, too. */
static unsigned most_of(const struct ps_notify *notify)
{
	return notify->files / 8 < HELD_MOST ? notify->files / 8 : HELD_MOST;
}

static struct ps_holds *make_holds(struct ps_notify *notify)
{
	if (!notify->holds && (notify->holds = calloc(1, sizeof(*notify->holds))))
		notify->holds->most = most_of(notify);
	if (notify->holds && notify->holds->count == notify->holds->room) {
		struct ps_holds *holds = notify->holds;
		unsigned room = holds->room ? 2 * holds->room : 16;
		struct hold **list = realloc(holds->list, room * sizeof(struct hold *));

		if (!list)
			return NULL;
		holds->list = list;
		holds->room = room;
	}
	return notify->holds;
}

/* Something is going on: signals may be, too. */
static void change(struct ps_holds *holds)
{
	holds->changed = held_now();
	if (holds->count == 0 || holds->look > holds->changed + LOOK_SOON)
		holds->look = holds->changed + LOOK_SOON;
}

static void plan_look(struct ps_holds *holds)
{
	int64_t now = held_now(), pause = (now - holds->changed) / CALM;

	holds->look = now + (pause < LOOK_SOON ? LOOK_SOON : pause < LOOK_LATE ? pause : LOOK_LATE);
}

/* Kernels before 6.9 have only the process's, and a thread is nearly always killed with its process. A look finds the
 * one that is not: another thread executes a program. */
static int open_pidfd(const struct hold *hold)
{
	int fd = (int)syscall(SYS_pidfd_open, hold->call.tid, PIDFD_THREAD);

	return fd < 0 && errno == EINVAL ? (int)syscall(SYS_pidfd_open, hold->process, 0) : fd;
}

enum ps_answer held_keep(struct ps_call *call, const struct ps_wait *wait)
{
	struct ps_holds *holds = make_holds(call->notify);
	struct status status;
	struct hold *hold;

	if (!holds || holds->count >= holds->most || !read_status(call->tid, &status))
		return PS_ANSWER_CONTINUE;
	hold = malloc(sizeof(*hold));
	if (!hold)
		return PS_ANSWER_CONTINUE;
	*hold = (struct hold){.call = *call, .wait = *wait, .at = holds->count, .process = status.process,
			      .tracer = status.tracer};
	/* Limits (epoll(7)): nobody would tell of what it waits for. */
	if (!add_event(call->notify, call->fd, wait->events, hold)) {
		free(hold);
		return PS_ANSWER_CONTINUE;
	}
	hold->pidfd = open_pidfd(hold);
	if (hold->pidfd >= 0 && !add_event(call->notify, hold->pidfd, EPOLLIN, hold)) {
		close(hold->pidfd);
		hold->pidfd = -1;
	}
	/* Or the thread has just been killed: then nothing tells of it later. */
	if (!target_waits(call)) {
		epoll_ctl(call->notify->events, EPOLL_CTL_DEL, call->fd, NULL);
		if (hold->pidfd >= 0)
			close(hold->pidfd);
		free(hold);
		return PS_ANSWER_CONTINUE;
	}
	change(holds);
	if (holds->count == 0 || wait->deadline < holds->deadline)
		holds->deadline = wait->deadline;
	holds->list[holds->count++] = hold;
	return PS_ANSWER_LATER;
}

/* Where the connection is made or has failed, the kernel says so, and a signal it sees by itself. */
static enum ps_answer wake_connect(struct ps_call *call, enum held_why why, struct ps_wait *wait)
{
	struct pollfd fd = {call->fd, POLLOUT, 0};

	(void)wait;
	/* A socket that was shut down before says POLLHUP all the while (net/ipv4/tcp.c, tcp_poll). */
	if (why == HELD_READY)
		return poll(&fd, 1, 0) == 1 && fd.revents & (POLLOUT | POLLERR) ? PS_ANSWER_CONTINUE : PS_ANSWER_LATER;
	call->value = why == HELD_LATE ? -EINPROGRESS : -EINTR;
	return why == HELD_SUSPECT ? PS_ANSWER_CONTINUE : PS_ANSWER_VALUE;
}

int64_t held_limit(int fd, int option)
{
	struct timeval limit = {0};
	socklen_t length = sizeof(limit);

	/* And whoever waits for decades. */
	if (getsockopt(fd, SOL_SOCKET, option, &limit, &length) < 0 || (limit.tv_sec == 0 && limit.tv_usec == 0) ||
	    limit.tv_sec > INT32_MAX)
		return HELD_FOREVER;
	return limit.tv_sec * INT64_C(1000000000) + limit.tv_usec * INT64_C(1000);
}

enum ps_answer held_connect(struct ps_call *call, int64_t deadline)
{
	struct ps_wait wait = {.events = EPOLLOUT, .deadline = deadline, .wake = wake_connect};

	return held_keep(call, &wait);
}

static void end(struct hold *hold, enum ps_answer answer)
{
	struct ps_holds *holds = hold->call.notify->holds;

	/* The program has the same open file: closing our descriptor would not take it out. */
	epoll_ctl(hold->call.notify->events, EPOLL_CTL_DEL, hold->call.fd, NULL);
	if (hold->pidfd >= 0)
		close(hold->pidfd);
	change(holds);
	holds->list[hold->at] = holds->list[--holds->count];
	holds->list[hold->at]->at = hold->at;
	serve_finish(&hold->call, answer);
	free(hold);
}

/* False: the hold is over. */
static bool wake(struct hold *hold, enum held_why why)
{
	struct ps_holds *holds = hold->call.notify->holds;
	enum ps_answer answer = hold->wait.wake(&hold->call, why, &hold->wait);

	if (answer != PS_ANSWER_LATER) {
		end(hold, answer);
		return false;
	}
	if (hold->wait.deadline < holds->deadline)
		holds->deadline = hold->wait.deadline;
	return true;
}

/* ---- time ---- */

/* False: the hold is over. */
static bool look_at(struct hold *hold)
{
	struct status status;
	enum held_why why;

	if (!target_waits(&hold->call)) {
		end(hold, PS_ANSWER_CONTINUE); /* to nobody */
		return false;
	}
	why = read_status(hold->call.tid, &status) ? look(hold, &status) : HELD_SUSPECT;
	return why == HELD_READY || wake(hold, why);
}

static void look_at_some(struct ps_holds *holds)
{
	for (unsigned n = holds->count < LOOKS_AT_ONCE ? holds->count : LOOKS_AT_ONCE; n && holds->count; n--) {
		if (holds->next >= holds->count)
			holds->next = 0;
		if (look_at(holds->list[holds->next])) /* NOLINT(clang-analyzer-unix.Malloc): end() has put another there */
			holds->next++; /* else another one stands there now */
	}
}

static void look_for_late_ones(struct ps_holds *holds, int64_t now)
{
	unsigned i = 0;

	holds->deadline = HELD_FOREVER;
	while (i < holds->count) {
		struct hold *hold = holds->list[i];

		if (hold->wait.deadline <= now && !wake(hold, HELD_LATE)) /* NOLINT(clang-analyzer-unix.Malloc): likewise */
			continue;
		if (hold->wait.deadline < holds->deadline)
			holds->deadline = hold->wait.deadline;
		i++;
	}
}

int held_time_left(const struct ps_notify *notify)
{
	const struct ps_holds *holds = notify->holds;
	int64_t next, now;

	if (!holds || holds->count == 0)
		return -1;
	next = holds->look < holds->deadline ? holds->look : holds->deadline;
	now = held_now();
	return next <= now ? 0 : (int)((next - now + 999999) / 1000000);
}

static void serve_events(struct ps_notify *notify)
{
	struct epoll_event event;

	/* One at a time: what is served may end any other hold. */
	for (unsigned n = 0; n < EVENTS_AT_ONCE && epoll_wait(notify->events, &event, 1, 0) == 1; n++) {
		struct hold *hold = event.data.ptr;

		if (hold && !target_waits(&hold->call))
			end(hold, PS_ANSWER_CONTINUE);
		else if (hold)
			wake(hold, HELD_READY);
		else
			break; /* `freed`, which is not ours and is ready until it is read */
	}
}

void held_serve(struct ps_notify *notify)
{
	struct ps_holds *holds = notify->holds;
	int64_t now;

	if (!holds || holds->count == 0)
		return;
	serve_events(notify);
	now = held_now();
	if (now >= holds->deadline)
		look_for_late_ones(holds, now);
	if (now >= holds->look) {
		look_at_some(holds);
		plan_look(holds);
	}
}

void held_close(struct ps_notify *notify)
{
	if (!notify->holds)
		return;
	while (notify->holds->count)
		end(notify->holds->list[0], PS_ANSWER_CONTINUE); /* NOLINT(clang-analyzer-unix.Malloc): likewise */
	free(notify->holds->list);
	free(notify->holds);
	notify->holds = NULL;
}
