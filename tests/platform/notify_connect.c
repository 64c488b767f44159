/* A connect that is begun on a duplicate of the socket, with O_NONBLOCK for that moment, and then CONTINUEd, goes on
 * as if the program had begun it: the kernel finds a socket that is connecting already, and waits with the program's
 * own signals, restarts and time limits. So src/notify never waits for a connect: its result, RST, the handler without
 * SA_RESTART and the one with, and poll of a non-blocking socket are the kernel's.
 *
 * One thing differs: SO_SNDTIMEO. A connect that begins and times out is EINPROGRESS; one that finds the socket
 * connecting and times out is EALREADY. That call src/notify holds itself. (__inet_stream_connect in
 * net/ipv4/af_inet.c: the `err = -EALREADY` of SS_CONNECTING, the `err = -EINPROGRESS` at its end.)
 *
 * A listener with a full queue does not answer: that is a connect that waits for as long as one likes. */
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "../backlog.h"
#include "notify.h"

struct case_of {
	bool nonblocking;
	int limit;   /* SO_SNDTIMEO in milliseconds */
	int handler; /* 0: none, 1: without SA_RESTART, 2: with */
	struct sockaddr_in to;
};

struct seen {
	_Atomic int begun;
	int result, error, so_error, peer;
	int second, second_error;
	bool nonblocking_after;
};

static struct seen *seen;
static struct notify_rules rules;

static void one_connect(void *context)
{
	const struct case_of *c = context;
	const struct timeval limit = { .tv_sec = c->limit / 1000, .tv_usec = c->limit % 1000 * 1000 };
	int fd = socket(AF_INET, SOCK_STREAM | (c->nonblocking ? SOCK_NONBLOCK : 0), 0);
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	struct sockaddr_in peer;
	socklen_t length = sizeof(seen->so_error);

	if (c->limit)
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (c->handler)
		notify_handle(SIGUSR1, c->handler == 2);
	seen->begun = 1;
	errno = 0;
	seen->result = connect(fd, (const struct sockaddr *)&c->to, sizeof(c->to));
	seen->error = seen->result ? errno : 0;
	seen->nonblocking_after = fcntl(fd, F_GETFL) & O_NONBLOCK;
	if (seen->error == EINPROGRESS && c->nonblocking)
		poll(&p, 1, NOTIFY_LIMIT);
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &seen->so_error, &length);
	length = sizeof(peer);
	seen->peer = getpeername(fd, (struct sockaddr *)&peer, &length) ? errno : 0;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	seen->second = connect(fd, (const struct sockaddr *)&c->to, sizeof(c->to));
	seen->second_error = seen->second ? errno : 0;
}

/* What the server of notifications does with a connect. */
static bool begin(struct notify_child *child, const struct case_of *c)
{
	struct seccomp_notif call;
	int pidfd, fd, flags, result, error;
	bool good;

	if (!notify_receive(child->listener, &call))
		return false;
	pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0);
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, (int)call.data.args[0], 0);
	close(pidfd);
	flags = fcntl(fd, F_GETFL);
	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	result = connect(fd, (const struct sockaddr *)&c->to, sizeof(c->to));
	error = result ? errno : 0;
	fcntl(fd, F_SETFL, flags);
	close(fd);
	if (error == EINPROGRESS && !(flags & O_NONBLOCK))
		good = notify_continue(child->listener, call.id);
	else
		good = notify_answer(child->listener, call.id, result, error, 0);
	return good;
}

/* The rest, the program's second connect, goes on as it is. */
static void pass_on(const struct notify_child *child)
{
	struct seccomp_notif call;

	while (notify_more(child) && notify_receive(child->listener, &call))
		notify_continue(child->listener, call.id);
}

/* Runs a case; `then` happens once the program waits in its connect. */
static struct seen run(struct case_of c, bool on_duplicate, void (*then)(pid_t, void *), void *context)
{
	struct notify_child child;

	memset(seen, 0, sizeof(*seen));
	child = notify_start(&rules.program, NOTIFY_FLAGS, one_connect, &c);
	notify_go(&child);
	if (on_duplicate) {
		CHECK(begin(&child, &c), "begun on the duplicate");
	} else {
		struct seccomp_notif call;

		CHECK(notify_receive(child.listener, &call) && notify_continue(child.listener, call.id), "native");
	}
	if (then) {
		char path[64], text[64] = "";
		FILE *f;

		/* It waits natively, when it waits in the call itself: the number and arguments of the call it is in.
		 * */
		snprintf(path, sizeof(path), "/proc/%d/syscall", child.pid);
		for (int i = 0; i < NOTIFY_LIMIT; i++) {
			f = fopen(path, "re");
			if (f && !fgets(text, sizeof(text), f))
				text[0] = 0;
			if (f)
				fclose(f);
			if (atoi(text) == SYS_connect && notify_state(child.pid, 'S', false))
				break;
			usleep(500);
		}
		usleep(2000);
		then(child.pid, context);
	}
	pass_on(&child);
	CHECK(notify_end(&child) == 0, "the child ended");
	return *seen;
}

static void check_alike(const char *name, struct case_of c, void (*then)(pid_t, void *), void *context)
{
	struct seen native = run(c, false, then, context), begun = run(c, true, then, context);
	char text[256];

	snprintf(text, sizeof(text),
		 "%s: %d %s, SO_ERROR %s, peer %s, then %s; native %d %s, SO_ERROR %s, peer %s, then %s", name,
		 begun.result, strerrorname_np(begun.error), strerrorname_np(begun.so_error),
		 strerrorname_np(begun.peer), strerrorname_np(begun.second_error), native.result,
		 strerrorname_np(native.error), strerrorname_np(native.so_error), strerrorname_np(native.peer),
		 strerrorname_np(native.second_error));
	CHECK(!memcmp(&begun, &native, sizeof(native)), text);
}

/* ---- listeners ---- */

static int listener_on(struct sockaddr_in *a, int backlog)
{
	socklen_t length = sizeof(*a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*a = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	if (bind(fd, (struct sockaddr *)a, sizeof(*a)) || getsockname(fd, (struct sockaddr *)a, &length) ||
	    (backlog >= 0 && listen(fd, backlog)))
		check_fatal("listener");
	return fd;
}

struct full {
	struct sockaddr_in at;
	int listener, filler[4], count;
};

/* Its queue is full: whoever connects now gets no answer. */
static void fill(struct full *f)
{
	bool full = false;

	f->listener = listener_on(&f->at, 0);
	for (f->count = 0; f->count < 4 && !full; f->count++) {
		struct pollfd p = { .events = POLLOUT };

		f->filler[f->count] = p.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		connect(p.fd, (struct sockaddr *)&f->at, sizeof(f->at));
		/* It is connected, or the queue is full: of others, or of this one, which does not know it yet. */
		while (!full && poll(&p, 1, 1) != 1)
			full = backlog_is_full(f->listener) > 0;
	}
	if (!full)
		check_fatal("a queue that does not become full");
}

static void release(struct full *f)
{
	close(f->listener);
	while (f->count--)
		close(f->filler[f->count]);
}

/* ---- what happens while the program waits ---- */

static void interrupt(pid_t pid, void *unused)
{
	(void)unused;
	kill(pid, SIGUSR1);
}

/* The handler ran, the call goes on; then it is refused. */
static void interrupt_and_close(pid_t pid, void *context)
{
	struct full *f = context;

	kill(pid, SIGUSR1);
	close(f->listener);
	f->listener = -1;
}

static void accept_all(pid_t pid, void *context)
{
	struct full *f = context;
	int fd;

	(void)pid;
	while (f->count) /* the last of them waits for a place, too */
		close(f->filler[--f->count]);
	fcntl(f->listener, F_SETFL, O_NONBLOCK);
	while ((fd = accept(f->listener, NULL, NULL)) >= 0)
		close(fd);
}

static void check_waiting(const char *name, struct case_of c, void (*then)(pid_t, void *))
{
	struct seen native = { 0 }, begun = { 0 };
	struct full f;
	char text[160];

	for (int i = 0; i < 2; i++) {
		fill(&f);
		c.to = f.at;
		*(i ? &begun : &native) = run(c, i, then, &f);
		release(&f);
	}
	snprintf(text, sizeof(text), "%s: %d %s, peer %s, then %s; native %d %s, peer %s, then %s", name, begun.result,
		 strerrorname_np(begun.error), strerrorname_np(begun.peer), strerrorname_np(begun.second_error),
		 native.result, strerrorname_np(native.error), strerrorname_np(native.peer),
		 strerrorname_np(native.second_error));
	CHECK(!memcmp(&begun, &native, sizeof(native)), text);
}

int main(void)
{
	const int call = SYS_connect;
	struct case_of c = { 0 };
	int listener, closed;
	struct full f;

	seen = notify_shared(sizeof(*seen));
	notify_rules(&rules, &call, 1);

	listener = listener_on(&c.to, 64);
	check_alike("accepted", c, NULL, NULL);
	CHECK(seen->result == 0 && seen->second_error == EISCONN, "it is connected");
	c.nonblocking = true;
	check_alike("accepted, non-blocking", c, NULL, NULL);
	CHECK(seen->error == EINPROGRESS && seen->peer == 0 && seen->nonblocking_after, "EINPROGRESS, then connected");
	close(listener);

	closed = listener_on(&c.to, -1);
	check_alike("refused, non-blocking", c, NULL, NULL);
	c.nonblocking = false;
	check_alike("refused", c, NULL, NULL);
	CHECK(seen->error == ECONNREFUSED, "ECONNREFUSED");
	close(closed);

	check_waiting("accepted late", c, accept_all);
	CHECK(seen->result == 0 && seen->peer == 0, "connected in the end");
	c.handler = 1;
	check_waiting("interrupted by a handler without SA_RESTART", c, interrupt);
	CHECK(seen->error == EINTR && seen->second_error == EALREADY, "EINTR, and the connect goes on: EALREADY");
	c.handler = 2;
	check_waiting("interrupted by a handler with SA_RESTART, then refused", c, interrupt_and_close);
	CHECK(seen->result == -1 && seen->error != EINTR, "no EINTR with SA_RESTART");

	c = (struct case_of){ .limit = 50 };
	for (int i = 0; i < 2; i++) {
		fill(&f);
		c.to = f.at;
		run(c, i, NULL, NULL);
		CHECK(seen->error == (i ? EALREADY : EINPROGRESS),
		      i ? "SO_SNDTIMEO after CONTINUE: EALREADY" : "SO_SNDTIMEO: EINPROGRESS");
		release(&f);
	}
	return check_finish();
}
