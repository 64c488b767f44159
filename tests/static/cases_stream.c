/* cases_stream.c - bind, listen and connect of TCP. */
#include "matrix.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

static void bind_zero(void)
{
	int fd = stream4(), client = stream4();
	struct sockaddr_in a;
	socklen_t length = sizeof(a);

	own_name("before", fd);
	R("bind", bind4(fd, "127.0.0.1", 0));
	own_name("after", fd);
	R("listen", listen(fd, 4));
	own_name("listens", fd);
	must(!getsockname(fd, (struct sockaddr *)&a, &length), "name");
	R("connect", connect(client, (struct sockaddr *)&a, length));
	peer_name("client", client);
	own_name("accepted", accept(fd, NULL, NULL));
}

static void bind_taken(void)
{
	int p = port(), fd = stream4(), other = stream4();

	R("bind", bind4(fd, "127.0.0.1", p));
	own_name("bound", fd);
	R("other", bind4(other, "127.0.0.1", p));
	R("other, any", bind4(other, "0.0.0.0", p));
	R("listen", listen(fd, 4));
	R("other again", bind4(other, "127.0.0.1", p));
	own_name("other", other);
	close(fd);
	R("other after close", bind4(other, "0.0.0.0", p));
	own_name("other", other);
	R("other listens", listen(other, 4));
}

static void bind_reuse(void)
{
	int p = port(), a = stream4(), b = stream4(), c = stream4();

	option(a, SOL_SOCKET, SO_REUSEADDR, 1);
	option(b, SOL_SOCKET, SO_REUSEADDR, 1);
	R("first", bind4(a, "127.0.0.1", p));
	R("second", bind4(b, "127.0.0.1", p));
	R("without", bind4(c, "127.0.0.1", p));
	R("first listens", listen(a, 4));
	R("second listens", listen(b, 4));
	R("second bind", bind4(b, "127.0.0.1", p));
	close(a);
	R("second listens then", listen(b, 4));
}

static void bind_reuseport(void)
{
	int p = port(), fds[3];

	for (int i = 0; i < 3; i++) {
		fds[i] = stream4();
		if (i < 2)
			option(fds[i], SOL_SOCKET, SO_REUSEPORT, 1);
		R("bind", bind4(fds[i], "127.0.0.1", p));
		R("listen", i < 2 ? listen(fds[i], 4) : 0);
		own_name("bound", fds[i]);
	}
	for (int i = 0; i < 4; i++) {
		int client = stream4();

		R("connect", connect4(client, "127.0.0.1", p));
		peer_name("client", client);
	}
}

static void bind_twice(void)
{
	int p = port(), q = port(), fd = stream4();

	R("bind", bind4(fd, "127.0.0.1", p));
	R("again", bind4(fd, "127.0.0.1", p));
	R("another", bind4(fd, "127.0.0.1", q));
	R("zero", bind4(fd, "127.0.0.1", 0));
	own_name("bound", fd);
	R("listen", listen(fd, 1));
	R("listens, bind", bind4(fd, "127.0.0.1", q));
}

static void bind_bad(void)
{
	static const int lengths[] = { 0, 1, 2, 8, 15, 17, 28, 128, 129, 4096, -1 };
	struct sockaddr_storage big = { 0 };
	struct sockaddr_in a = in4("127.0.0.1", port());
	int null = open("/dev/null", O_RDWR), path = open("/", O_PATH), pipes[2];

	R("NULL", bind(stream4(), NULL, sizeof(a)));
	R("NULL, 0", bind(stream4(), NULL, 0));
	R("bad pointer", bind(stream4(), (struct sockaddr *)(uintptr_t)8, sizeof(a)));
	R("bad pointer, long", bind(stream4(), (struct sockaddr *)(uintptr_t)8, 4096));
	R("last page", bind(stream4(), (struct sockaddr *)(uintptr_t)-8, sizeof(a)));
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		char what[32];
		int fd = stream4();

		memcpy(&big, &a, sizeof(a));
		snprintf(what, sizeof(what), "length %d", lengths[i]);
		R(what, bind(fd, (struct sockaddr *)&big, (socklen_t)lengths[i]));
		own_name(what, fd);
		close(fd);
	}
	must(!pipe(pipes), "pipe");
	R("-1", bind4(-1, "127.0.0.1", 1));
	R("not open", bind4(999, "127.0.0.1", 1));
	R("/dev/null", bind4(null, "127.0.0.1", 1));
	R("pipe", bind4(pipes[0], "127.0.0.1", 1));
	R("O_PATH", bind4(path, "127.0.0.1", 1));
}

static void bind_family(void)
{
	struct sockaddr_in6 six = in6("::1", port());
	struct sockaddr_in a = in4("0.0.0.0", port());
	int fd = stream4();

	R("inet6 address", bind(fd, (struct sockaddr *)&six, sizeof(six)));
	a.sin_family = AF_UNSPEC;
	R("AF_UNSPEC, any", bind(fd, (struct sockaddr *)&a, sizeof(a)));
	own_name("AF_UNSPEC, any", fd);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	R("AF_UNSPEC, loopback", bind(stream4(), (struct sockaddr *)&a, sizeof(a)));
	a.sin_family = 77;
	R("family 77", bind(stream4(), (struct sockaddr *)&a, sizeof(a)));
	R("nobody's address", bind4(stream4(), "192.0.2.77", port()));
	R("multicast", bind4(stream4(), "224.0.0.9", closed()));
	R("broadcast", bind4(stream4(), "255.255.255.255", closed()));
	a = in4("127.0.0.1", port());
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	R("inet address", bind(fd, (struct sockaddr *)&a, sizeof(a)));
	own_name("inet address", fd);
}

static void bind_six(void)
{
	struct sockaddr_in6 mapped = in6("::ffff:127.0.0.1", port()), any = in6("::", port()), one;
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), other, client = stream4();

	R("mapped", bind(fd, (struct sockaddr *)&mapped, sizeof(mapped)));
	own_name("mapped", fd);
	R("listen", listen(fd, 4));
	R("connect", connect4(client, "127.0.0.1", ntohs(mapped.sin6_port)));
	peer_name("client", client);
	other = accept(fd, NULL, NULL);
	own_name("accepted", other);
	peer_name("accepted", other);

	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	R("any, v6only", bind(fd, (struct sockaddr *)&any, sizeof(any)));
	R("listen", listen(fd, 4));
	client = stream4();
	R("v4 client", connect4(client, "127.0.0.1", ntohs(any.sin6_port)));
	other = stream4();
	R("v4 beside it", bind4(other, "0.0.0.0", ntohs(any.sin6_port)));
	R("v4 listens", listen(other, 4));
	R("v4 client", connect4(stream4(), "127.0.0.1", ntohs(any.sin6_port)));
	one = in6("::1", ntohs(any.sin6_port));
	client = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	R("v6 client", connect(client, (struct sockaddr *)&one, sizeof(one)));
	peer_name("v6 client", client);

	any = in6("::", port());
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	R("dual", bind(fd, (struct sockaddr *)&any, sizeof(any)));
	R("dual listens", listen(fd, 4));
	own_name("dual", fd);
	R("v4 beside dual", bind4(stream4(), "0.0.0.0", ntohs(any.sin6_port)));
	client = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	mapped = in6("::ffff:127.0.0.1", ntohs(any.sin6_port));
	R("mapped client", connect(client, (struct sockaddr *)&mapped, sizeof(mapped)));
	peer_name("mapped client", client);
}

static void listen_all(void)
{
	int p = port(), fd = stream4(), client = stream4(), other;

	R("-1", listen(-1, 1));
	R("/dev/null", listen(open("/dev/null", O_RDONLY), 1));
	R("UDP", listen(datagram4(), 1));
	R("without bind", listen(fd, 1));
	own_name("without bind", fd);
	fd = stream4();
	R("bind", bind4(fd, "127.0.0.1", p));
	R("listen", listen(fd, 0));
	R("again", listen(fd, 5));
	R("-1", listen(fd, -1));
	R("much", listen(fd, 1 << 30));
	own_name("listens", fd);
	R("client", connect4(client, "127.0.0.1", p));
	R("connected listens", listen(client, 1));
	other = accept(fd, NULL, NULL);
	R("accepted listens", listen(other, 1));
	R("listener connects", connect4(fd, "127.0.0.1", p));
	R("shutdown", shutdown(fd, SHUT_RDWR));
	R("client", connect4(stream4(), "127.0.0.1", p));
	R("listens again", listen(fd, 4));
	R("client", connect4(stream4(), "127.0.0.1", p));
}

static void connect_simple(void)
{
	static const char *const to[] = { "127.0.0.1", "0.0.0.0", "127.0.0.1" };
	int p = port(), fd = server4(p, 16), client;

	for (int i = 0; i < 3; i++) {
		struct sockaddr_in peer;
		socklen_t length = sizeof(peer);

		client = stream4();
		if (i == 2)
			R("bind before", bind4(client, "127.0.0.1", 0));
		R("connect", connect4(client, to[i], p));
		peer_name("client", client);
		own_name("client", client);
		must(accept(fd, (struct sockaddr *)&peer, &length) >= 0, "accept");
		say("accepted: %s", address_name(&peer, length));
		R("again", connect4(client, to[i], p));
		R("elsewhere", connect4(client, "127.0.0.1", closed()));
		R("bind after", bind4(client, "127.0.0.1", 0));
	}
	client = stream4();
	option(client, SOL_SOCKET, SO_REUSEADDR, 1);
	R("from a port", bind4(client, "127.0.0.1", port()));
	R("connect", connect4(client, "127.0.0.1", p));
	own_name("client", client);
	client = accept(fd, NULL, NULL);
	peer_name("accepted", client);
}

static void connect_refused(void)
{
	int p = closed(), fd = stream4(), error = 0;
	socklen_t length = sizeof(error);

	R("refused", connect4(fd, "127.0.0.1", p));
	R("again", connect4(fd, "127.0.0.1", p));
	peer_name("refused", fd);
	own_name("refused", fd);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	R("non-blocking", connect4(fd, "127.0.0.1", p));
	say("ready %d", ready(fd, POLLOUT, PATIENCE));
	R("SO_ERROR", getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length));
	R("is", error ? (errno = error, -1) : 0);
	R("again", connect4(fd, "127.0.0.1", p));
	R("bound, not listening", bind4(stream4(), "127.0.0.1", p = port()));
	R("refused", connect4(stream4(), "127.0.0.1", p));
	R("port 0", connect4(stream4(), "127.0.0.1", 0));
}

/* What the name still says after it is no port that the socket has. */
static void after_refused(void)
{
	int p = port(), fd = stream4(), client;
	struct sockaddr_in a;
	socklen_t length = sizeof(a);

	R("refused", connect4(fd, "127.0.0.1", closed()));
	own_name("left behind", fd);
	R("bind", bind4(fd, "127.0.0.1", p));
	own_name("bound", fd);
	R("listen", listen(fd, 1));
	own_name("listens", fd);
	R("connect", connect4(stream4(), "127.0.0.1", p));
	R("accept", accept(fd, NULL, NULL) < 0 ? -1 : 0);

	fd = stream4();
	client = stream4();
	R("refused", connect4(fd, "127.0.0.1", closed()));
	R("listen", listen(fd, 1));
	must(!getsockname(fd, (struct sockaddr *)&a, &length), "getsockname");
	R("connect", connect4(client, "127.0.0.1", ntohs(a.sin_port)));
	peer_name("client", client);
}

static void connect_nonblocking(void)
{
	int p = port(), fd = server4(p, 16), client, poller = epoll_create1(EPOLL_CLOEXEC), error = -1;
	struct epoll_event event = { .events = EPOLLOUT };
	socklen_t length = sizeof(error);

	client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	must(!epoll_ctl(poller, EPOLL_CTL_ADD, client, &event), "epoll_ctl");
	R("connect", connect4(client, "127.0.0.1", p));
	say("flags %d", fcntl(client, F_GETFL) & O_NONBLOCK ? 1 : 0);
	R("epoll", epoll_wait(poller, &event, 1, PATIENCE));
	say("out %d, hup or error %d", !!(event.events & EPOLLOUT), !!(event.events & (EPOLLHUP | EPOLLERR)));
	R("SO_ERROR", getsockopt(client, SOL_SOCKET, SO_ERROR, &error, &length));
	say("is %d", error);
	R("connect again", connect4(client, "127.0.0.1", p));
	R("and again", connect4(client, "127.0.0.1", p));
	peer_name("client", client);
	close(fd);

	fd = full_server(p = port());
	client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	R("full", connect4(client, "127.0.0.1", p));
	R("full, again", connect4(client, "127.0.0.1", p));
	say("ready %d", ready(client, POLLOUT, 20));
	peer_name("full", client);
	must(fcntl(client, F_SETFL, 0) == 0, "blocking");
	close(fd);
	R("blocking now, refused", connect4(client, "127.0.0.1", p));
}

static void connect_limit(void)
{
	static const struct timeval limit = { .tv_usec = 100000 }, patience = { .tv_sec = PATIENCE / 1000 };
	int p = port(), fd = full_server(p), client = stream4();
	double start = seconds();

	must(!setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)), "SO_SNDTIMEO");
	R("times out", connect4(client, "127.0.0.1", p));
	say("%s", how_long(start, 0.08));
	peer_name("client", client);
	start = seconds();
	R("again", connect4(client, "127.0.0.1", p));
	say("%s", how_long(start, 0.08));
	close(fd);
	client = stream4();
	fd = server4(p = port(), 4);
	must(!setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)), "SO_SNDTIMEO");
	R("in time", connect4(client, "127.0.0.1", p));
	client = stream4();
	must(!setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)), "SO_SNDTIMEO");
	R("refused", connect4(client, "127.0.0.1", closed()));
	client = stream4();
	fd = full_server(p = port());
	must(!setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)), "SO_SNDTIMEO");
	handler(false);
	alarm_in(50, 50000);
	R("interrupted", connect4(client, "127.0.0.1", p));
	alarm_in(0, 0);
	handler(true);
	alarm_in(50, 50000);
	start = seconds();
	R("interrupted, SA_RESTART", connect4(client, "127.0.0.1", p));
	alarm_in(0, 0);
	say("handled %d, %s", *handled > 0, how_long(start, 0.04));
	client = stream4();
	must(!setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)), "SO_SNDTIMEO");
	R("shutdown", shutdown(client, SHUT_RDWR));
	start = seconds();
	R("shut down, times out", connect4(client, "127.0.0.1", p));
	say("%s", how_long(start, 0.08));
	close(fd);
}

static void connect_interrupted(void)
{
	int p = port(), fd = full_server(p), client = stream4();
	double start = seconds();
	pid_t pid;

	/* Again and again: one may come before the call. */
	handler(false);
	alarm_in(50, 50000);
	R("interrupted", connect4(client, "127.0.0.1", p));
	alarm_in(0, 0);
	say("handled %d, %s", *handled > 0, how_long(start, 0.04));
	alarm_in(50, 50000);
	R("again", connect4(client, "127.0.0.1", p));
	alarm_in(0, 0);
	say("handled %d", *handled > 1);
	must(fcntl(client, F_SETFL, O_NONBLOCK) == 0, "non-blocking");
	R("non-blocking then", connect4(client, "127.0.0.1", p));
	must(fcntl(client, F_SETFL, 0) == 0, "blocking");
	/* Refused once its next SYN, after a second or three, meets nobody. */
	handler(true);
	pid = fork();
	if (!pid) {
		until_handled(3);
		_exit(0);
	}
	close(fd);
	client = stream4();
	alarm_in(50, 50000);
	R("SA_RESTART, refused in the end", connect4(client, "127.0.0.1", p));
	alarm_in(0, 0);
	say("handled %d", *handled > 2);
	must(waitpid(pid, NULL, 0) == pid, "wait");
}

static void connect_unspec(void)
{
	struct sockaddr_in a = in4("127.0.0.1", 0);
	int p = port(), q = port(), fd = server4(p, 4), other = server4(q, 4), client = stream4();

	a.sin_family = AF_UNSPEC;
	R("connect", connect4(client, "127.0.0.1", p));
	R("AF_UNSPEC", connect(client, (struct sockaddr *)&a, sizeof(a)));
	peer_name("client", client);
	R("elsewhere", connect4(client, "127.0.0.1", q));
	peer_name("client", client);
	R("AF_UNSPEC, short", connect(client, (struct sockaddr *)&a, sizeof(a.sin_family)));
	R("AF_UNSPEC, 1 byte", connect(client, (struct sockaddr *)&a, 1));
	R("listens then", listen(client, 1));
	client = stream4();
	R("unconnected", connect(client, (struct sockaddr *)&a, sizeof(a)));
	R("a listener", connect(other, (struct sockaddr *)&a, sizeof(a)));
	R("to it", connect4(stream4(), "127.0.0.1", q));
	close(fd);
}

static void connect_bad(void)
{
	static const int lengths[] = { 0, 1, 2, 15, 17, 128, 129, -1 };
	int p = port(), fd = server4(p, 16);
	struct sockaddr_in a = in4("127.0.0.1", p);
	struct sockaddr_in6 six = in6("::1", p);
	struct sockaddr_storage big = { 0 };

	memcpy(&big, &a, sizeof(a));
	R("NULL", connect(stream4(), NULL, sizeof(a)));
	R("bad pointer", connect(stream4(), (struct sockaddr *)(uintptr_t)8, sizeof(a)));
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		char what[32];
		int client = stream4();

		snprintf(what, sizeof(what), "length %d", lengths[i]);
		R(what, connect(client, (struct sockaddr *)&big, (socklen_t)lengths[i]));
		peer_name(what, client);
	}
	R("inet6 address", connect(stream4(), (struct sockaddr *)&six, sizeof(six)));
	R("inet address", connect4(socket(AF_INET6, SOCK_STREAM, 0), "127.0.0.1", p));
	a.sin_family = 77;
	R("family 77", connect(stream4(), (struct sockaddr *)&a, sizeof(a)));
	R("multicast", connect4(stream4(), "224.0.0.9", p));
	R("broadcast", connect4(stream4(), "255.255.255.255", p));
	R("-1", connect4(-1, "127.0.0.1", p));
	R("/dev/null", connect4(open("/dev/null", O_RDONLY), "127.0.0.1", p));
	close(fd);
}

static void connect_itself(void)
{
	int p = port(), fd = stream4();

	/* A socket that connects to its own port is connected to itself (simultaneous open). */
	R("bind", bind4(fd, "127.0.0.1", p));
	R("connect", connect4(fd, "127.0.0.1", p));
	own_name("itself", fd);
	peer_name("itself", fd);
}

const struct matrix_case matrix_stream[] = {
	{ "bind-zero", bind_zero },
	{ "bind-taken", bind_taken },
	{ "bind-reuse", bind_reuse },
	{ "bind-reuseport", bind_reuseport },
	{ "bind-twice", bind_twice },
	{ "bind-bad", bind_bad },
	{ "bind-family", bind_family },
	{ "bind-six", bind_six },
	{ "listen", listen_all },
	{ "connect", connect_simple },
	{ "connect-refused", connect_refused },
	{ "after-refused", after_refused },
	{ "connect-nonblocking", connect_nonblocking },
	{ "connect-limit", connect_limit },
	{ "connect-interrupted", connect_interrupted },
	{ "connect-unspec", connect_unspec },
	{ "connect-bad", connect_bad },
	{ "connect-itself", connect_itself },
	{ NULL, NULL },
};
