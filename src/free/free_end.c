/*
 * free_end.c - ending those who hold a port.
 *
 * Theory of operation
 *
 * A signal goes through a pidfd, and only after pid and start time were found to be those that were judged. A pidfd
 * that was opened before they are read is of that very process: it can neither be a predecessor, which would be gone,
 * nor a successor, which would have started later. So no reused pid is ever hit.
 *
 * SIGTERM goes to those whose parent is none of the holders: masters end their workers in their own way, and start no
 * new ones for workers that we took from them. When these are gone (or have let go of the port), whoever is left gets
 * his SIGTERM: workers that were orphaned, children that inherited the socket without knowing. When the time is over,
 * those who still hold the port get SIGKILL. A server that has closed its listener and serves its last clients is left
 * alone: the port is what is wanted.
 *
 * The kernel says when a process ends (pidfd) and when a socket is destroyed (NETLINK_SOCK_DIAG's groups, which every
 * user may join); where it does not, sockets are looked at twenty times a second. After each event all is looked at
 * anew. A holder that was not there before is of the family if it has a socket of the family; then it is judged and
 * ended as well. One with a socket of its own has taken the port anew, and is reported, because whoever started it
 * would start the next one too.
 */
#include "free.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <portshim/process.h>

#define LOOK_MS 50	  /* without events */
#define CARE_MS 1000	  /* with events */
#define KILL_MS 5000	  /* a process that is stuck in the kernel does not die at once */
#define CLOSING_MS 1000 /* for connections whose other side closes, too */

struct ending {
	struct ps_free_held *held;
	const struct ps_free_order *order;
	struct ps_error *error;
	int events;	  /* netlink socket, or -1 */
	int64_t deadline; /* -1: none */
	bool killing;
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- events ---- */

static int open_events(void)
{
	struct sockaddr_nl address = {
		.nl_family = AF_NETLINK,
		.nl_groups = 1u << (SKNLGRP_INET_TCP_DESTROY - 1) | 1u << (SKNLGRP_INET6_TCP_DESTROY - 1) |
			     1u << (SKNLGRP_INET_UDP_DESTROY - 1) | 1u << (SKNLGRP_INET6_UDP_DESTROY - 1),
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Reads what is there. True if a socket of the port is gone, or if events were lost. */
static bool read_events(const struct ending *e)
{
	char data[8192] __attribute__((aligned(8)));
	bool ours = false;

	for (;;) {
		ssize_t size = recv(e->events, data, sizeof(data), 0);
		const struct nlmsghdr *h = (const struct nlmsghdr *)data;

		if (size < 0 && errno == ENOBUFS) {
			ours = true;
			continue;
		}
		if (size <= 0)
			return ours;
		for (unsigned left = (unsigned)size; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			const struct inet_diag_msg *m = NLMSG_DATA(h);

			if (h->nlmsg_len >= NLMSG_LENGTH(sizeof(*m)) && ntohs(m->id.idiag_sport) == e->held->port)
				ours = true;
		}
	}
}

/* Returns when there is something to look at. */
static int sleep_until_event(const struct ending *e)
{
	struct pollfd *polled = calloc(e->held->count + 1, sizeof(*polled));
	int64_t end = now_ms() + (e->events >= 0 ? CARE_MS : LOOK_MS);
	nfds_t count = 0;
	int result = 0;

	if (!polled)
		return -ENOMEM;
	if (e->deadline >= 0 && e->deadline < end)
		end = e->deadline;
	if (e->events >= 0)
		polled[count++] = (struct pollfd) { .fd = e->events, .events = POLLIN };
	for (unsigned i = 0; i < e->held->count; i++)
		if (e->held->list[i].holds && e->held->list[i].pidfd >= 0)
			polled[count++] = (struct pollfd) { .fd = e->held->list[i].pidfd, .events = POLLIN };
	for (int64_t left = end - now_ms(); left > 0; left = end - now_ms()) {
		result = poll(polled, count, (int)left);
		if (result < 0 && errno != EINTR)
			break;
		if (result > 0 && (e->events < 0 || !polled[0].revents || result > 1 || read_events(e)))
			break;
	}
	result = result < 0 && errno != EINTR ? -errno : 0;
	free(polled);
	return result;
}

/* ---- signals ---- */

/* Sends a signal to that very process. 0, also if it is gone; or the error's code. */
static int send_signal(struct ending *e, struct ps_free_process *p, int number)
{
	int32_t pid = p->about.pid;

	if (p->pidfd < 0) {
		p->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		if (p->pidfd < 0 && errno == ESRCH)
			return 0;
		if (p->pidfd < 0) {
			error_set(e->error, PS_EXIT_SYSTEM, "pid %d cannot be held on to: %s", pid, strerror(errno));
			return error_hint(e->error,
					  "without pidfd_open(2) a signal could hit another process; `kill %d` "
						    "is yours to do", pid);
		}
	}
	if (process_of(pid) != p->identity)
		return 0;
	if (syscall(SYS_pidfd_send_signal, p->pidfd, number, NULL, 0) == 0) {
		p->sent = number;
		/* One that is stopped hears SIGTERM when it goes on. */
		if (number == SIGTERM)
			(void)syscall(SYS_pidfd_send_signal, p->pidfd, SIGCONT, NULL, 0);
		return 0;
	}
	if (errno == ESRCH)
		return 0;
	error_set(e->error, errno == EPERM ? PS_EXIT_NO : PS_EXIT_SYSTEM,
		  "%u is not freed: pid %d of user %s takes no signal: %s",
		  e->held->port, pid, p->about.user, strerror(errno));
	return error_hint(e->error, "%s", errno == EPERM ? "root can end it: sudo portshim free --force PORT" : "");
}

static bool parent_holds(const struct ps_free_held *held, const struct ps_free_process *p)
{
	for (unsigned i = 0; i < held->count; i++)
		if (held->list[i].holds && held->list[i].about.pid && held->list[i].about.pid == p->parent)
			return true;
	return false;
}

static int send_signals(struct ending *e)
{
	bool waiting = false;
	int code = 0;

	if (!e->killing && e->deadline >= 0 && now_ms() >= e->deadline) {
		e->killing = true;
		e->deadline = now_ms() + KILL_MS;
	}
	for (unsigned i = 0; i < e->held->count; i++)
		waiting = waiting || (e->held->list[i].holds && e->held->list[i].sent == SIGTERM);
	for (unsigned i = 0; i < e->held->count && !code; i++) {
		struct ps_free_process *p = &e->held->list[i];

		if (!p->holds || !p->about.pid)
			continue;
		if (e->killing && p->sent != SIGKILL)
			code = send_signal(e, p, SIGKILL);
		else if (!e->killing && !waiting && !p->sent && !parent_holds(e->held, p))
			code = send_signal(e, p, SIGTERM);
	}
	return code;
}

/* ---- looking ---- */

static bool of_family(const struct ps_free_held *held, uint32_t inode)
{
	for (unsigned i = 0; i < held->inode_count; i++)
		if (held->inodes[i] == inode)
			return true;
	return false;
}

/* Takes over a process that was not there before. Returns its entry, or NULL without memory. */
static struct ps_free_process *take_over(struct ps_free_held *held, const struct ps_free_process *p)
{
	if (held->count == held->room) {
		struct ps_free_process *more = reallocarray(held->list, held->room + 16, sizeof(*more));

		if (!more)
			return NULL;
		held->list = more;
		held->room += 16;
	}
	held->list[held->count] = *p;
	return &held->list[held->count++];
}

/* Looks who holds the port now. *over: nobody, or *result says why it ends here. */
static int look(struct ending *e, bool *over, enum ps_free_result *result)
{
	struct ps_free_held *held = e->held, now;
	int failed = free_find(&now, held->port, held->protocols);

	for (unsigned i = 0; i < held->count; i++)
		held->list[i].holds = false;
	*result = PS_FREE_DONE;
	*over = !failed && now.count == 0;
	for (unsigned i = 0; i < now.count && !failed && !*over; i++) {
		struct ps_free_process *p = NULL;

		for (unsigned k = 0; k < held->count && !p; k++)
			if (held->list[k].identity == now.list[i].identity && held->list[k].uid == now.list[i].uid)
				p = &held->list[k];
		if (p) {
			p->holds = true;
			continue;
		}
		/* A socket without a process is one that just goes, as long as it is known. */
		if (!now.list[i].about.pid && of_family(held, now.list[i].about.socket.inode))
			continue;
		p = take_over(held, &now.list[i]);
		if (!p) {
			failed = -ENOMEM;
			break;
		}
		free_judge(p, held->port, e->order->target, e->order->state);
		if (!of_family(held, p->about.socket.inode)) {
			*result = PS_FREE_TAKEN;
			*over = true;
		} else if (p->verdict == PS_FREE_NEVER || (p->verdict == PS_FREE_ASK && !e->order->force)) {
			*result = PS_FREE_REFUSED;
			*over = true;
		}
	}
	free_forget(&now);
	return failed ? error_set(e->error, PS_EXIT_SYSTEM, "the kernel does not say who holds %u: %s", held->port,
				  strerror(-failed))
		      : 0;
}

/* Connections that are still closing bar a port whose server did not say SO_REUSEADDR. The kernel reports no end of
 * it. */
static enum ps_free_result wait_for_closing(const struct ps_free_held *held)
{
	struct timespec nap = { .tv_nsec = LOOK_MS * 1000000L };
	int64_t end = now_ms() + CLOSING_MS;

	if (!(held->protocols & PS_TCP))
		return PS_FREE_DONE;
	while (free_bound(held->port)) {
		if (now_ms() >= end)
			return PS_FREE_BOUND;
		nanosleep(&nap, NULL);
	}
	return PS_FREE_DONE;
}

int free_end(struct ps_free_held *held, const struct ps_free_order *order, enum ps_free_result *result,
	     struct ps_error *error)
{
	struct ending e = { .held = held, .order = order, .error = error, .events = open_events() };
	bool over = false;
	int code = 0, slept;

	e.deadline = order->timeout < 0 ? -1 : now_ms() + order->timeout;
	*result = PS_FREE_DONE;
	for (;;) {
		code = look(&e, &over, result);
		if (code || over)
			break;
		if (e.killing && now_ms() >= e.deadline) {
			*result = PS_FREE_HELD;
			break;
		}
		code = send_signals(&e);
		if (code)
			break;
		slept = sleep_until_event(&e);
		if (slept < 0) {
			code = error_set(error, PS_EXIT_SYSTEM, "cannot wait: %s", strerror(-slept));
			break;
		}
	}
	if (!code && over && *result == PS_FREE_DONE)
		*result = wait_for_closing(held);
	if (e.events >= 0)
		close(e.events);
	return code;
}
