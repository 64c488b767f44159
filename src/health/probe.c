/*
 * probe.c - asks servers whether they do their work.
 *
 * Theory of operation: one loop around poll(2), no threads, nothing that blocks. Each probe goes through the steps
 * connect (address by address) - say - read - verdict, with a deadline of its own from its first packet on; at most
 * ACTIVE_MAX of them have a socket at a time, the others wait for their turn. What an answer means is known by answer.c
 * alone. Calls on sockets are raw: inside a run the hooks would take the port for one that a program asks for, and what
 * is to be asked here is the very server that has it.
 *
 * A connection to a free port of the ephemeral range can meet itself (the kernel gives it that port as its own); that
 * is nobody listening.
 */
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../core/sys.h"

#define ACTIVE_MAX 256

enum step { CONNECT, SAY, READ };

struct active {
	struct ps_probe *probe;
	enum step step;
	int fd;
	unsigned address;
	int64_t start, deadline; /* us */
	char question[PS_HEALTH_PATH_MAX + 512];
	size_t said, question_length;
	char answer[PS_PROBE_ANSWER];
	size_t length;
};

struct round {
	struct active *active;
	struct pollfd *polled;
	size_t count, room;
	int64_t end; /* us; -1: none */
};

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static bool meets_itself(int fd)
{
	struct ps_address here = { .length = sizeof(here.u) }, there = { .length = sizeof(there.u) };
	uint8_t a[16], b[16];

	if (sys3(SYS_getsockname, fd, &here.u, &here.length) || sys3(SYS_getpeername, fd, &there.u, &there.length))
		return false;
	address_bytes(&here, a);
	address_bytes(&there, b);
	return address_port(&here) == address_port(&there) && memcmp(a, b, sizeof(a)) == 0;
}

static void hang_up(struct active *a)
{
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
}

/* Another of its addresses may have accepted, so "refused" outlives what happens at an address that is not there. */
static void note_failure(struct active *a, int error)
{
	if (error == ECONNREFUSED)
		answer_set(a->probe, PS_DOWN, "connection refused");
	else if (a->address == 0 || a->probe->status != PS_DOWN)
		answer_set(a->probe, PS_UNHEALTHY, "%s", strerror(error));
}

/* True if a verdict was reached: the connection stands, and that is all that is wanted. */
static bool connected(struct active *a)
{
	a->step = SAY;
	a->question_length = answer_question(a->probe, a->question);
	return !a->question_length && answer_read(a->probe, a->answer, 0, false);
}

/* Goes through the addresses, beginning with the present one, until one answers or has to be waited for. True if there
 * is a verdict. */
static bool reach(struct active *a)
{
	for (; a->address < a->probe->address_count; a->address++) {
		const struct ps_address *to = &a->probe->addresses[a->address];
		long result;

		a->fd = (int)sys3(SYS_socket, to->u.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (a->fd < 0) {
			note_failure(a, -a->fd);
			continue;
		}
		result = sys3(SYS_connect, a->fd, &to->u, to->length);
		if (result == -EINPROGRESS || result == -EINTR)
			return false;
		if (result == 0 && !meets_itself(a->fd))
			return connected(a);
		note_failure(a, result ? (int)-result : ECONNREFUSED);
		hang_up(a);
	}
	return true;
}

/* The socket that was connecting is ready, one way or the other. */
static bool find_out(struct active *a)
{
	socklen_t length = sizeof(int);
	int error = 0;

	sys5(SYS_getsockopt, a->fd, SOL_SOCKET, SO_ERROR, &error, &length);
	if (!error && meets_itself(a->fd))
		error = ECONNREFUSED;
	if (!error)
		return connected(a);
	note_failure(a, error);
	hang_up(a);
	a->address++;
	return reach(a);
}

static bool broken(struct active *a, long error)
{
	answer_set(a->probe, PS_UNHEALTHY, "the connection broke: %s", strerror((int)-error));
	return true;
}

static bool say(struct active *a)
{
	long n = sys6(SYS_sendto, a->fd, a->question + a->said, a->question_length - a->said, MSG_NOSIGNAL, 0, 0);

	if (n == -EAGAIN || n == -EINTR)
		return false;
	if (n < 0)
		return broken(a, n);
	a->said += (size_t)n;
	if (a->said == a->question_length)
		a->step = READ;
	return false;
}

static bool listen_to(struct active *a)
{
	long n = sys6(SYS_recvfrom, a->fd, a->answer + a->length, sizeof(a->answer) - a->length, 0, 0, 0);

	if (n == -EAGAIN || n == -EINTR)
		return false;
	if (n < 0)
		return broken(a, n);
	a->length += (size_t)n;
	return answer_read(a->probe, a->answer, a->length, n == 0 || a->length == sizeof(a->answer));
}

static bool go_on(struct active *a)
{
	switch (a->step) {
	case CONNECT:
		return find_out(a);
	case SAY:
		return say(a);
	default:
		return listen_to(a);
	}
}

/* "2s", "500ms": as the manifest has it. */
static void give_up(struct active *a, int64_t now)
{
	int64_t ms = (now - a->start) / 1000;

	a->probe->cut = ms < a->probe->check->timeout;
	if (!a->probe->cut)
		ms = a->probe->check->timeout;
	answer_set(a->probe, PS_UNHEALTHY, ms % 1000 ? "no %s within %lld ms" : "no %s within %lld s",
		   a->step == CONNECT ? "connection" : "answer", (long long)(ms % 1000 ? ms : ms / 1000));
}

static void finish(struct round *r, size_t index, int64_t now)
{
	struct active *a = &r->active[index];

	a->probe->latency = (uint32_t)(now - a->start);
	hang_up(a);
	if (index != --r->count)
		*a = r->active[r->count];
}

/* False if there are no descriptors left, and others that will give theirs back. */
static bool begin(struct round *r, struct ps_probe *probe)
{
	struct active *a = &r->active[r->count];
	int64_t now = now_us();

	memset(a, 0, offsetof(struct active, question));
	a->said = a->length = 0;
	a->probe = probe;
	a->fd = -1;
	a->start = now;
	a->deadline = now + (int64_t)probe->check->timeout * 1000;
	if (r->end >= 0 && a->deadline > r->end)
		a->deadline = r->end;
	answer_set(probe, PS_DOWN, "no address");
	probe->cut = false;
	r->count++;
	if (!reach(a))
		return true;
	if (a->fd < 0 && r->count > 1 && strcmp(probe->detail, strerror(EMFILE)) == 0) {
		r->count--;
		return false;
	}
	finish(r, r->count - 1, now_us());
	return true;
}

static int patience(const struct round *r, int64_t now)
{
	int64_t first = r->active[0].deadline;

	for (size_t i = 1; i < r->count; i++)
		if (r->active[i].deadline < first)
			first = r->active[i].deadline;
	first = (first - now + 999) / 1000;
	return first < 0 ? 0 : first > 1 << 30 ? 1 << 30 : (int)first;
}

static void turn(struct round *r)
{
	int64_t now = now_us();

	for (size_t i = 0; i < r->count; i++)
		r->polled[i] = (struct pollfd){ .fd = r->active[i].fd,
						.events = r->active[i].step == READ ? POLLIN : POLLOUT };
	if (poll(r->polled, r->count, patience(r, now)) < 0)
		memset(r->polled, 0, r->count * sizeof(*r->polled));
	now = now_us();
	/* From the last to the first: finish() puts the last one into the gap. */
	for (size_t i = r->count; i-- > 0;) {
		struct active *a = &r->active[i];

		if (r->polled[i].revents && go_on(a)) {
			finish(r, i, now_us());
		} else if (now >= a->deadline) {
			give_up(a, now);
			finish(r, i, now);
		}
	}
}

void probe_all(struct ps_probe *list, size_t count, int64_t limit)
{
	struct round r = { .room = count < ACTIVE_MAX ? count : ACTIVE_MAX,
			   .end = limit < 0 ? -1 : now_us() + limit * 1000 };
	size_t next = 0;

	r.active = calloc(r.room + 1, sizeof(*r.active));
	r.polled = calloc(r.room + 1, sizeof(*r.polled));
	if (!r.active || !r.polled) {
		for (; next < count; next++)
			answer_set(&list[next], PS_UNHEALTHY, "out of memory");
		goto out;
	}
	while (next < count || r.count > 0) {
		while (next < count && r.count < r.room && begin(&r, &list[next]))
			next++;
		if (r.count > 0)
			turn(&r);
	}
out:
	free(r.active);
	free(r.polled);
}
