/*
 * The contract of source addresses: whoever asks a server at a port gets the answer from that port, as a resolver
 * checks it; and whoever has bound a port of its own is seen with that one.
 *
 * Servers are in a process of their own, like in life: what a process knows about the ports that it has used itself
 * does not help here. They answer each datagram by sending it back, through the same family of calls as the client
 * uses.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>

#include "contract.h"

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static socklen_t length_of(const union address *a)
{
	return a->any.sa_family == AF_INET6 ? sizeof(a->in6) : sizeof(a->in);
}

static union address address_at(const char *text, int port)
{
	union address a = { 0 };

	if (strchr(text, ':'))
		a.in6 = contract_in6(text, port);
	else
		a.in = contract_in(text, port);
	return a;
}

static int port_of(const union address *a)
{
	return ntohs(a->in.sin_port); /* at the same place in both */
}

/* Asserts that an address is this one, to the last byte. */
static void same_address(const union address *seen, socklen_t length, const union address *want)
{
	assert_int_equal(length, length_of(want));
	assert_int_equal(port_of(seen), port_of(want));
	assert_memory_equal(seen, want, length);
}

/* ---- three ways to send, three to receive ---- */

enum way { BY_ADDRESS, BY_MESSAGE, BY_MESSAGES, WAYS };

static ssize_t send_by(enum way way, int fd, const char *text, size_t size, const union address *to)
{
	struct iovec data = { (char *)text, size };
	struct mmsghdr m = { .msg_hdr = { .msg_name = (void *)to, .msg_namelen = to ? length_of(to) : 0,
					  .msg_iov = &data, .msg_iovlen = 1 } };

	if (way == BY_ADDRESS)
		return sendto(fd, text, size, 0, to ? &to->any : NULL, to ? length_of(to) : 0);
	if (way == BY_MESSAGE)
		return sendmsg(fd, &m.msg_hdr, 0);
	return sendmmsg(fd, &m, 1, 0) == 1 ? (ssize_t)m.msg_len : -1;
}

static ssize_t receive_by(enum way way, int fd, char *text, size_t size, union address *from, socklen_t *length)
{
	struct iovec data = { text, size };
	struct mmsghdr m = { .msg_hdr = { .msg_name = from, .msg_namelen = sizeof(*from), .msg_iov = &data,
					  .msg_iovlen = 1 } };
	ssize_t result;

	memset(from, 0xa5, sizeof(*from));
	*length = sizeof(*from);
	if (way == BY_ADDRESS)
		return recvfrom(fd, text, size, 0, &from->any, length);
	result = way == BY_MESSAGE ? recvmsg(fd, &m.msg_hdr, 0) : recvmmsg(fd, &m, 1, 0, NULL);
	*length = m.msg_hdr.msg_namelen;
	return way == BY_MESSAGES && result == 1 ? (ssize_t)m.msg_len : result;
}

/* ---- servers ---- */

#define SERVERS 4

struct server {
	pid_t pid;
	int stop; /* closed: end */
	int kernel_port;
};

/* Answers on every socket: a datagram goes back, by the way that its first byte says, with the server's number in
 * front. A connection is told the number and the peer's port as accept and getpeername say it. */
static void answer(const int *fds, int count, int stop)
{
	struct pollfd polled[SERVERS + 1];

	for (;;) {
		for (int i = 0; i < count; i++)
			polled[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
		polled[count] = (struct pollfd){ .fd = stop, .events = POLLIN };
		if (poll(polled, (nfds_t)count + 1, -1) < 0 || polled[count].revents)
			_exit(0);
		for (int i = 0; i < count; i++) {
			char text[64] = { (char)('0' + i) };
			union address from;
			socklen_t length = sizeof(from);
			ssize_t size;
			int type, fd;

			if (!polled[i].revents)
				continue;
			getsockopt(fds[i], SOL_SOCKET, SO_TYPE, &type, &(socklen_t){ sizeof(type) });
			if (type == SOCK_STREAM) {
				union address peer;
				socklen_t peer_length = sizeof(peer);

				fd = accept(fds[i], &from.any, &length);
				getpeername(fd, &peer.any, &peer_length);
				size = snprintf(text, sizeof(text), "%d %d %d %d", i, port_of(&from), port_of(&peer),
						(int)(length == peer_length && !memcmp(&from, &peer, length)));
				send(fd, text, (size_t)size, 0);
				close(fd);
				continue;
			}
			size = recvfrom(fds[i], text + 1, sizeof(text) - 1, 0, &from.any, &length);
			if (size > 0)
				send_by((enum way)(text[1] - '0'), fds[i], text, (size_t)size + 1, &from);
		}
	}
}

/* A process that serves these sockets, which it made itself. */
static struct server serve(int (*make)(int *fds, const void *what), const void *what)
{
	struct server s = { 0 };
	int stop[2], ready[2];

	assert_int_equal(pipe2(stop, O_CLOEXEC), 0);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	s.pid = fork();
	assert_true(s.pid >= 0);
	if (!s.pid) {
		int fds[SERVERS], count, port;

		alarm(60);
		close(stop[1]);
		count = make(fds, what);
		port = contract_kernel_port(fds[0]);
		if (write(ready[1], &port, sizeof(port)) != sizeof(port))
			_exit(1);
		answer(fds, count, stop[0]);
	}
	close(stop[0]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &s.kernel_port, sizeof(s.kernel_port)), (int)sizeof(s.kernel_port));
	close(ready[0]);
	s.stop = stop[1];
	return s;
}

static void end(const struct server *s)
{
	int status;

	close(s->stop);
	assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
	assert_int_equal(status, 0);
}

struct plan {
	int type, port, count;
	const char *addresses[SERVERS];
	int dual;
};

static int make_plan(int *fds, const void *what)
{
	const struct plan *p = what;

	for (int i = 0; i < p->count; i++) {
		union address a = address_at(p->addresses[i], p->port);

		fds[i] = contract_socket(a.any.sa_family, p->type);
		if (p->type == SOCK_STREAM)
			contract_option(fds[i], SOL_SOCKET, SO_REUSEADDR, 1);
		if (a.any.sa_family == AF_INET6)
			contract_option(fds[i], IPPROTO_IPV6, IPV6_V6ONLY, !p->dual);
		if (bind(fds[i], &a.any, length_of(&a)) || (p->type == SOCK_STREAM && listen(fds[i], 16)))
			_exit(1);
	}
	return p->count;
}

/* ---- UDP: does the answer come from where the question went to? ---- */

static int client_for(const union address *to, int own)
{
	union address from = address_at(to->any.sa_family == AF_INET6 ? "::" : "0.0.0.0", own);
	int fd = contract_socket(to->any.sa_family, SOCK_DGRAM);

	if (to->any.sa_family == AF_INET6)
		contract_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	if (own)
		OK(bind(fd, &from.any, length_of(&from)));
	return fd;
}

static void question(int fd, enum way way, int token, const union address *to, const union address *answers_from)
{
	char text[16] = { (char)('0' + way), '?' }, back[16];
	union address from;
	socklen_t length;

	assert_int_equal(OK(send_by(way, fd, text, 2, to)), 2);
	contract_wait(fd, POLLIN);
	assert_int_equal(OK(receive_by(way, fd, back, sizeof(back), &from, &length)), 3);
	if (token >= 0)
		assert_int_equal(back[0], '0' + token);
	same_address(&from, length, answers_from);
}

static void questions(const char *text, int port, int own, int token, const char *answers_from)
{
	union address to = address_at(text, port), source = address_at(answers_from, port);
	int fd;

	for (enum way way = 0; way < WAYS; way++) {
		fd = client_for(&to, own);
		question(fd, way, token, &to, &source);
		question(fd, way, token, &to, &source);
		close(fd);
		fd = client_for(&to, own);
		OK(connect(fd, &to.any, length_of(&to)));
		assert_int_equal(contract_peer(fd), port);
		question(fd, way, token, NULL, &source);
		question(fd, way, token, &to, &source);
		close(fd);
	}
}

static void resolver(void **state)
{
	struct plan p = { SOCK_DGRAM, contract_port(), 1, { "127.0.0.1" }, 0 };
	struct server s = serve(make_plan, &p);

	(void)state;
	questions("127.0.0.1", p.port, 0, 0, "127.0.0.1");
	questions("127.0.0.1", p.port, contract_port(), 0, "127.0.0.1");
	questions("0.0.0.0", p.port, 0, 0, "127.0.0.1");
	if (contract_ipv6())
		questions("::ffff:127.0.0.1", p.port, 0, 0, "::ffff:127.0.0.1");
	end(&s);
}

static void resolver6(void **state)
{
	struct plan only = { SOCK_DGRAM, contract_port(), 1, { "::1" }, 0 };
	struct plan dual = { SOCK_DGRAM, contract_port(), 1, { "::" }, 1 };
	struct server s;

	(void)state;
	if (!contract_ipv6())
		skip();
	s = serve(make_plan, &only);
	questions("::1", only.port, 0, 0, "::1");
	questions("::", only.port, contract_port(), 0, "::1");
	end(&s);
	s = serve(make_plan, &dual);
	questions("::1", dual.port, 0, 0, "::1");
	questions("127.0.0.1", dual.port, contract_port(), 0, "127.0.0.1");
	questions("::ffff:127.0.0.1", dual.port, contract_port(), 0, "::ffff:127.0.0.1");
	end(&s);
}

/* One port on several addresses: each answers for itself. A wildcard answers for all of them, from where Linux sends. */
static void several_addresses(void **state)
{
	struct plan p = { SOCK_DGRAM, contract_port(), 3, { "127.0.0.1", "127.0.0.2", "127.0.0.3" }, 0 };
	struct plan any = { SOCK_DGRAM, contract_port(), 1, { "0.0.0.0" }, 0 };
	struct server s = serve(make_plan, &p);
	union address to;
	int fd;

	(void)state;
	questions("127.0.0.1", p.port, 0, 0, "127.0.0.1");
	questions("127.0.0.2", p.port, 0, 1, "127.0.0.2");
	questions("127.0.0.3", p.port, contract_port(), 2, "127.0.0.3");
	end(&s);
	if (contract_ipv6()) {
		p = (struct plan){ SOCK_DGRAM, contract_port(), 4, { "127.0.0.1", "127.0.0.2", "::1", "127.0.0.4" }, 0 };
		s = serve(make_plan, &p);
		questions("127.0.0.2", p.port, 0, 1, "127.0.0.2");
		questions("::1", p.port, 0, 2, "::1");
		questions("::ffff:127.0.0.4", p.port, 0, 3, "::ffff:127.0.0.4");
		end(&s);
	}
	s = serve(make_plan, &any);
	questions("127.0.0.1", any.port, 0, 0, "127.0.0.1");
	/* the answer has another source than the question had for its destination: a connected client never sees it */
	to = address_at("127.0.0.9", any.port);
	fd = client_for(&to, 0);
	question(fd, BY_ADDRESS, 0, &to, &(union address){ .in = contract_in("127.0.0.1", any.port) });
	close(fd);
	end(&s);
}

/* A client that was told the actual port (law 5) sees that one; and the requested one, once it uses that again. */
static void by_actual_port(void **state)
{
	struct plan p = { SOCK_DGRAM, contract_port(), 1, { "127.0.0.1" }, 0 };
	struct server s = serve(make_plan, &p);
	union address actual = address_at("127.0.0.1", s.kernel_port), requested = address_at("127.0.0.1", p.port), a;
	socklen_t length = sizeof(a);
	int fd;

	(void)state;
	if (contract_moved())
		assert_int_not_equal(s.kernel_port, p.port);
	for (enum way way = 0; way < WAYS; way++) {
		fd = client_for(&requested, 0);
		question(fd, way, 0, &actual, &actual);
		question(fd, way, 0, &requested, &requested);
		question(fd, way, 0, &actual, &actual);
		OK(connect(fd, &actual.any, length_of(&actual)));
		OK(getpeername(fd, &a.any, &length));
		same_address(&a, length, &actual);
		question(fd, way, 0, NULL, &actual);
		close(fd);
		questions("127.0.0.1", p.port, 0, 0, "127.0.0.1");
	}
	end(&s);
}

/* ---- TCP ---- */

/* Connects (from `own`, if it is not 0) and asserts that the server with this number sees that port. */
static void reaches(const char *text, int port, int own, int token)
{
	union address to = address_at(text, port), from = address_at(strchr(text, ':') ? "::" : "0.0.0.0", own), peer;
	int fd = contract_socket(to.any.sa_family, SOCK_STREAM), name;
	socklen_t length = sizeof(peer);
	char got[64] = { 0 }, want[64];

	if (to.any.sa_family == AF_INET6)
		contract_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	contract_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (own)
		OK(bind(fd, &from.any, length_of(&from)));
	OK(connect(fd, &to.any, length_of(&to)));
	OK(getpeername(fd, &peer.any, &length));
	assert_int_equal(port_of(&peer), port);
	name = contract_name(fd);
	if (own)
		assert_int_equal(name, own);
	contract_wait(fd, POLLIN);
	assert_true(OK(recv(fd, got, sizeof(got) - 1, MSG_WAITALL)) > 0);
	snprintf(want, sizeof(want), "%d %d %d 1", token, name, name);
	assert_string_equal(got, want);
	close(fd);
}

static void tcp(void **state)
{
	struct plan p = { SOCK_STREAM, contract_port(), 3, { "127.0.0.1", "127.0.0.2", "127.0.0.3" }, 0 };
	struct plan any = { SOCK_STREAM, contract_port(), 1, { "0.0.0.0" }, 0 };
	struct server s = serve(make_plan, &p);

	(void)state;
	reaches("127.0.0.1", p.port, 0, 0);
	reaches("127.0.0.2", p.port, 0, 1);
	reaches("127.0.0.2", p.port, contract_port(), 1);
	reaches("127.0.0.3", p.port, 0, 2);
	reaches("0.0.0.0", p.port, 0, 0);
	reaches("127.0.0.1", s.kernel_port, 0, 0);
	reaches("127.0.0.1", p.port, contract_port(), 0);
	end(&s);
	s = serve(make_plan, &any);
	reaches("127.0.0.1", any.port, 0, 0);
	reaches("127.0.0.9", any.port, contract_port(), 0);
	reaches("127.0.0.9", s.kernel_port, 0, 0);
	end(&s);
}

static void tcp6(void **state)
{
	struct plan p = { SOCK_STREAM, contract_port(), 3, { "127.0.0.1", "::1", "127.0.0.2" }, 0 };
	struct plan dual = { SOCK_STREAM, contract_port(), 1, { "::" }, 1 };
	struct server s;

	(void)state;
	if (!contract_ipv6())
		skip();
	s = serve(make_plan, &p);
	reaches("127.0.0.1", p.port, 0, 0);
	reaches("::1", p.port, contract_port(), 1);
	reaches("::ffff:127.0.0.1", p.port, contract_port(), 0);
	reaches("::ffff:127.0.0.2", p.port, 0, 2);
	reaches("::1", s.kernel_port, 0, 1);
	end(&s);
	s = serve(make_plan, &dual);
	reaches("127.0.0.1", dual.port, contract_port(), 0);
	reaches("::1", dual.port, contract_port(), 0);
	reaches("::ffff:127.0.0.1", dual.port, contract_port(), 0);
	reaches("::", dual.port, 0, 0);
	end(&s);
}

/* A server that calls back at a port that its client named, from the port that it serves (as active FTP does). */
static void calls_back(void **state)
{
	int control = contract_port(), data = contract_port(), waits = contract_listener("127.0.0.1", data), fd, accepted;
	union address from = address_at("127.0.0.1", control), to = address_at("127.0.0.1", data), seen;
	socklen_t length = sizeof(seen);
	int server = contract_listener("127.0.0.1", control);

	(void)state;
	fd = contract_socket(AF_INET, SOCK_STREAM);
	contract_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	from.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
	OK(bind(fd, &from.any, length_of(&from)));
	OK(connect(fd, &to.any, length_of(&to)));
	assert_int_equal(contract_peer(fd), data);
	accepted = (int)OK(accept(waits, &seen.any, &length));
	same_address(&seen, length, &from);
	length = sizeof(seen);
	OK(getpeername(accepted, &seen.any, &length));
	same_address(&seen, length, &from);
	close(accepted);
	close(fd);
	close(server);
	close(waits);
}

/* A server that has gone: the error queue names the destination that was asked for. */
static void error_queue(void **state)
{
	int port = contract_port(), gone = contract_udp("127.0.0.1", port), fd = contract_socket(AF_INET, SOCK_DGRAM);
	union address to = address_at("127.0.0.1", port), seen = { 0 };
	char text[16], control[256];
	struct iovec data = { text, sizeof(text) };
	struct mmsghdr m = { .msg_hdr = { .msg_name = &seen, .msg_namelen = sizeof(seen), .msg_iov = &data,
					  .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) } };

	(void)state;
	close(gone);
	contract_option(fd, IPPROTO_IP, IP_RECVERR, 1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(OK(sendto(fd, "lost", 4, 0, &to.any, length_of(&to))), 4);
		contract_wait(fd, POLLERR);
		memset(&seen, 0, sizeof(seen));
		m.msg_hdr.msg_namelen = sizeof(seen);
		m.msg_hdr.msg_controllen = sizeof(control);
		if (i)
			assert_int_equal(OK(recvmmsg(fd, &m, 1, MSG_ERRQUEUE, NULL)), 1);
		else
			assert_int_equal(OK(recvmsg(fd, &m.msg_hdr, MSG_ERRQUEUE)), 4);
		same_address(&seen, m.msg_hdr.msg_namelen, &to);
	}
	OK(connect(fd, &to.any, length_of(&to)));
	assert_int_equal(OK(send(fd, "lost", 4, 0)), 4);
	contract_wait(fd, POLLERR);
	FAILS(ECONNREFUSED, recvfrom(fd, text, sizeof(text), 0, &seen.any, &(socklen_t){ sizeof(seen) }));
	close(fd);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest source_contract[] = {
		cmocka_unit_test(resolver),	  cmocka_unit_test(resolver6), cmocka_unit_test(several_addresses),
		cmocka_unit_test(by_actual_port), cmocka_unit_test(tcp),       cmocka_unit_test(tcp6),
		cmocka_unit_test(calls_back),	  cmocka_unit_test(error_queue),
	};

	(void)argc;
	return contract_main(source_contract);
}
