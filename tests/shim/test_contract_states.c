/*
 * The contract of the states of a socket: what connect(2), bind(2), listen(2) and the rest do with one that is already
 * bound, connected, listening, shut down or reset; and the errors of connect and sendto that need a situation.
 */
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>

#include "contract.h"

static const struct sockaddr none = { .sa_family = AF_UNSPEC };

static void reset_at_close(int fd)
{
	struct linger reset = { .l_onoff = 1 };

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
}

/* AF_UNSPEC: a socket that was bound keeps its port, and can connect again. */
static void disconnect_bound(void **state)
{
	int port = contract_port(), other = contract_port(), own = contract_port();
	int one = contract_listener("127.0.0.1", port), two = contract_listener("127.0.0.1", other), fd, accepted;
	struct sockaddr_in a = contract_in("127.0.0.1", port), b = contract_in("127.0.0.1", other);
	struct sockaddr_in from = contract_in("127.0.0.1", own), seen;
	socklen_t length = sizeof(seen);

	(void)state;
	fd = contract_socket(AF_INET, SOCK_STREAM);
	OK(bind(fd, &from, sizeof(from)));
	OK(connect(fd, &a, sizeof(a)));
	FAILS(EISCONN, connect(fd, &b, sizeof(b)));
	FAILS(EINVAL, bind(fd, &from, sizeof(from)));
	FAILS(EINVAL, listen(fd, 1));
	accepted = (int)OK(accept(one, &seen, &length));
	assert_int_equal(ntohs(seen.sin_port), own);
	close(accepted);
	OK(connect(fd, &none, sizeof(none)));
	FAILS(ENOTCONN, getpeername(fd, &seen, &length));
	contract_is_requested(fd, own);
	OK(connect(fd, &b, sizeof(b)));
	assert_int_equal(contract_peer(fd), other);
	accepted = (int)OK(accept4(two, &seen, &length, 0));
	assert_int_equal(ntohs(seen.sin_port), own);
	close(accepted);
	close(fd);
	close(one);
	close(two);
}

/* AF_UNSPEC on a listener: it does not listen any more, and may listen again on its port. */
static void disconnect_listener(void **state)
{
	int port = contract_port(), fd = contract_listener("127.0.0.1", port), client, shown = contract_name(fd);
	struct sockaddr_in a = contract_in("127.0.0.1", port);

	(void)state;
	OK(connect(fd, &none, sizeof(none)));
	FAILS(EINVAL, accept(fd, NULL, NULL));
	client = contract_socket(AF_INET, SOCK_STREAM);
	FAILS(ECONNREFUSED, connect(client, &a, sizeof(a)));
	close(client);
	OK(listen(fd, 4));
	assert_int_equal(contract_name(fd), shown);
	client = contract_client("127.0.0.1", port);
	close(client);
	/* shutdown(2) has the same effect */
	OK(shutdown(fd, SHUT_RD));
	FAILS(EINVAL, accept(fd, NULL, NULL));
	client = contract_socket(AF_INET, SOCK_STREAM);
	FAILS(ECONNREFUSED, connect(client, &a, sizeof(a)));
	close(client);
	OK(listen(fd, 4));
	client = contract_client("127.0.0.1", port);
	close(client);
	close(fd);
}

/* UDP: the port of a bound socket, and one that the kernel gave, through connect and AF_UNSPEC. */
static void disconnect_udp(void **state)
{
	int port = contract_port(), own = contract_port(), server = contract_udp("127.0.0.1", port);
	int fd = contract_udp("127.0.0.1", own), shown = contract_name(fd), unbound = contract_socket(AF_INET, SOCK_DGRAM);
	struct sockaddr_in a = contract_in("127.0.0.1", port), told;
	socklen_t length = sizeof(told);
	char text[8];

	(void)state;
	for (int round = 0; round < 2; round++) {
		OK(connect(fd, &a, sizeof(a)));
		assert_int_equal(contract_peer(fd), port);
		assert_int_equal(contract_name(fd), shown);
		assert_int_equal(OK(send(fd, "abc", 3, 0)), 3);
		assert_int_equal(OK(recvfrom(server, text, sizeof(text), 0, &told, &length)), 3);
		assert_int_equal(ntohs(told.sin_port), own);
		OK(connect(fd, &none, sizeof(none)));
		assert_int_equal(contract_name(fd), shown);
		FAILS(EDESTADDRREQ, send(fd, "x", 1, 0));
	}
	OK(connect(unbound, &a, sizeof(a)));
	assert_int_not_equal(contract_name(unbound), 0);
	OK(connect(unbound, &none, sizeof(none)));
	assert_int_equal(contract_name(unbound), 0);
	FAILS(EINVAL, connect(unbound, &none, 1));
	OK(connect(unbound, &none, 2));
	close(unbound);
	close(fd);
	close(server);
}

/* After the peer's reset, and after a refused connection, the socket can be used again (which POSIX does not promise). */
static void after_errors(void **state)
{
	int port = contract_port(), server = contract_listener("127.0.0.1", port), fd, accepted, error = 0;
	struct sockaddr_in a = contract_in("127.0.0.1", port), nobody = contract_in("127.0.0.1", contract_closed());
	socklen_t length = sizeof(error);
	char byte;

	(void)state;
	fd = contract_client("127.0.0.1", port);
	accepted = (int)OK(accept(server, NULL, NULL));
	reset_at_close(accepted);
	close(accepted);
	contract_wait(fd, POLLIN | POLLERR);
	FAILS(ECONNRESET, recvfrom(fd, &byte, 1, 0, (struct sockaddr *)NULL, NULL));
	assert_int_equal(OK(recvfrom(fd, &byte, 1, 0, (struct sockaddr *)NULL, NULL)), 0);
	FAILS(EPIPE, sendto(fd, "x", 1, MSG_NOSIGNAL, &a, sizeof(a)));
	FAILS(ENOTCONN, getpeername(fd, &(struct sockaddr_in){ 0 }, &(socklen_t){ 16 }));
	FAILS(EISCONN, connect(fd, &a, sizeof(a)));
	OK(connect(fd, &none, sizeof(none)));
	OK(connect(fd, &a, sizeof(a)));
	assert_int_equal(contract_peer(fd), port);
	close(fd);

	fd = contract_socket(AF_INET, SOCK_STREAM);
	FAILS(ECONNREFUSED, connect(fd, &nobody, sizeof(nobody)));
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length), 0);
	assert_int_equal(error, 0);
	OK(connect(fd, &a, sizeof(a)));
	assert_int_equal(contract_peer(fd), port);
	close(fd);

	/* a connection that its client gave up is accepted all the same, on Linux */
	while ((accepted = accept4(server, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		close(accepted);
		if (fcntl(server, F_GETFL) & O_NONBLOCK)
			continue;
		assert_int_equal(fcntl(server, F_SETFL, O_NONBLOCK), 0);
	}
	assert_int_equal(fcntl(server, F_SETFL, 0), 0);
	fd = contract_client("127.0.0.1", port);
	contract_wait(server, POLLIN);
	reset_at_close(fd);
	close(fd);
	accepted = (int)OK(accept(server, &a, &(socklen_t){ sizeof(a) }));
	FAILS(ECONNRESET, recv(accepted, &byte, 1, 0));
	close(accepted);
	close(server);
}

static void half_closed(void **state)
{
	int port = contract_port(), server = contract_listener("127.0.0.1", port), fd = contract_client("127.0.0.1", port);
	int accepted = (int)OK(accept(server, NULL, NULL));
	struct sockaddr_in a = contract_in("127.0.0.1", port);
	char byte;

	(void)state;
	OK(shutdown(fd, SHUT_WR));
	FAILS(EPIPE, sendto(fd, "x", 1, MSG_NOSIGNAL, &a, sizeof(a)));
	assert_int_equal(OK(recvfrom(accepted, &byte, 1, 0, (struct sockaddr *)NULL, NULL)), 0);
	assert_int_equal(contract_peer(fd), port);
	FAILS(EISCONN, connect(fd, &a, sizeof(a)));
	assert_int_equal(OK(sendto(accepted, "y", 1, 0, (struct sockaddr *)NULL, 0)), 1);
	assert_int_equal(OK(recvfrom(fd, &byte, 1, 0, (struct sockaddr *)NULL, NULL)), 1);
	close(accepted);
	close(fd);
	/* not connected at all */
	fd = contract_socket(AF_INET, SOCK_STREAM);
	FAILS(ENOTCONN, recvfrom(fd, &byte, 1, 0, &a, &(socklen_t){ sizeof(a) }));
	FAILS(ENOTCONN, recvmsg(fd, &(struct msghdr){ 0 }, 0));
	FAILS(ENOTCONN, recvmmsg(fd, &(struct mmsghdr){ { 0 }, 0 }, 1, 0, NULL));
	close(fd);
	close(server);
}

/* Two sockets with one source port cannot have one destination; with two, they can. */
static void same_source(void **state)
{
	int port = contract_port(), other = contract_port(), own = contract_port();
	int one = contract_listener("127.0.0.1", port), two = contract_listener("127.0.0.1", other), fds[3];
	struct sockaddr_in a = contract_in("127.0.0.1", port), b = contract_in("127.0.0.1", other);
	struct sockaddr_in from = contract_in("127.0.0.1", own), seen;
	socklen_t length = sizeof(seen);
	int accepted;

	(void)state;
	for (int i = 0; i < 3; i++) {
		fds[i] = contract_socket(AF_INET, SOCK_STREAM);
		reset_at_close(fds[i]);
		contract_option(fds[i], SOL_SOCKET, SO_REUSEADDR, 1);
		OK(bind(fds[i], &from, sizeof(from)));
	}
	OK(connect(fds[0], &a, sizeof(a)));
	FAILS(EADDRNOTAVAIL, connect(fds[1], &a, sizeof(a)));
	OK(connect(fds[1], &b, sizeof(b)));
	accepted = (int)OK(accept(one, &seen, &length));
	assert_int_equal(ntohs(seen.sin_port), own);
	close(accepted);
	accepted = (int)OK(accept(two, &seen, &length));
	assert_int_equal(ntohs(seen.sin_port), own);
	close(accepted);
	/* the third is a listener's port now */
	FAILS(EADDRNOTAVAIL, connect(fds[2], &a, sizeof(a)));
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	close(one);
	close(two);
}

static void unreachable(void **state)
{
	int port = contract_port(), fd = contract_socket(AF_INET, SOCK_DGRAM), six;
	struct sockaddr_in everybody = contract_in("255.255.255.255", port), lost = contract_in("0.0.0.1", port);
	struct sockaddr_in group = contract_in("224.0.0.251", port), documentation = contract_in("192.0.2.1", port);
	struct sockaddr_in6 a6 = contract_in6("2001:db8::1", port), link = contract_in6("fe80::1", port);

	(void)state;
	FAILS(EACCES, connect(fd, &everybody, sizeof(everybody)));
	FAILS(EACCES, sendto(fd, "x", 1, 0, &everybody, sizeof(everybody)));
	close(fd);
#define NOTE(what, call)                                                                          \
	do {                                                                                      \
		errno = CONTRACT_ERRNO;                                                           \
		contract_note("%s: %s", what, (call) < 0 ? strerrorname_np(errno) : "ok");        \
	} while (0)
	/* what this machine's routes say; to connect a datagram socket sends nothing */
	fd = contract_socket(AF_INET, SOCK_DGRAM);
	NOTE("network 0", connect(fd, &lost, sizeof(lost)));
	NOTE("a group", connect(fd, &group, sizeof(group)));
	NOTE("another network", connect(fd, &documentation, sizeof(documentation)));
	close(fd);
	fd = contract_socket(AF_INET, SOCK_STREAM);
	FAILS(ENETUNREACH, connect(fd, &everybody, sizeof(everybody)));
	FAILS(ENETUNREACH, connect(fd, &group, sizeof(group)));
	close(fd);
	six = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (six < 0)
		return;
	NOTE("another IPv6 network", connect(six, &a6, sizeof(a6)));
	FAILS(EINVAL, connect(six, &link, sizeof(link)));
	close(six);
	/* a socket that is bound to loopback reaches no other network */
	fd = contract_udp("127.0.0.1", port);
	NOTE("another network, from loopback", connect(fd, &documentation, sizeof(documentation)));
	close(fd);
}

/* Unix sockets: nothing of it is portshim's business. */
static void unix_errors(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	socklen_t length;
	int server = contract_socket(AF_UNIX, SOCK_STREAM), fd = contract_socket(AF_UNIX, SOCK_DGRAM), full, more;
	struct sockaddr_un file = { .sun_family = AF_UNIX, .sun_path = "/tmp/portshim-states.XXXXXX" };
	struct sockaddr_un path = { .sun_family = AF_UNIX, .sun_path = "/dev/null/socket" };

	(void)state;
	snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "portshim-states-%d", getpid());
	length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(a.sun_path + 1));
	OK(bind(server, &a, length));
	/* by an abstract name, a socket of another type is not found; by a path it is */
	FAILS(ECONNREFUSED, connect(fd, &a, length));
	FAILS(ECONNREFUSED, sendto(fd, "x", 1, 0, &a, length));
	more = contract_socket(AF_UNIX, SOCK_STREAM);
	full = mkstemp(file.sun_path);
	assert_true(full >= 0);
	close(full);
	unlink(file.sun_path);
	OK(bind(more, &file, sizeof(file)));
	FAILS(EPROTOTYPE, connect(fd, &file, sizeof(file)));
	FAILS(EPROTOTYPE, sendto(fd, "x", 1, 0, &file, sizeof(file)));
	unlink(file.sun_path);
	close(more);
	FAILS(ENOTCONN, sendto(fd, "x", 1, 0, (struct sockaddr *)NULL, 0));
	close(fd);
	fd = contract_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
	FAILS(ECONNREFUSED, connect(fd, &a, length));
	OK(listen(server, 0));
	OK(connect(fd, &a, length));
	/* that the queue is full is seen before that there is nothing to do */
	FAILS(EAGAIN, connect(fd, &a, length));
	FAILS(EISCONN, sendto(fd, "x", 1, 0, &a, length));
	full = contract_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
	FAILS(EAGAIN, connect(full, &a, length));
	more = contract_socket(AF_UNIX, SOCK_STREAM);
	FAILS(EADDRINUSE, bind(more, &a, length));
	FAILS(ENOTDIR, bind(more, &path, sizeof(path)));
	FAILS(ENOTDIR, connect(more, &path, sizeof(path)));
	memset(path.sun_path, 'x', sizeof(path.sun_path));
	path.sun_path[0] = '/';
	FAILS(ENOENT, connect(more, &path, sizeof(path)));
	FAILS(ENOTCONN, sendto(more, "x", 1, MSG_OOB | MSG_NOSIGNAL, &path, 0));
	close(more);
	close(full);
	close(fd);
	close(server);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest states_contract[] = {
		cmocka_unit_test(disconnect_bound), cmocka_unit_test(disconnect_listener),
		cmocka_unit_test(disconnect_udp),   cmocka_unit_test(after_errors),
		cmocka_unit_test(half_closed),	    cmocka_unit_test(same_source),
		cmocka_unit_test(unreachable),	    cmocka_unit_test(unix_errors),
	};

	(void)argc;
	return contract_main(states_contract);
}
