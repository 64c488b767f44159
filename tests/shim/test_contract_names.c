/* The contract of getsockname(2) and getpeername(2). */
#include <fcntl.h>

#include "contract.h"

typedef int name_function(int, struct sockaddr *, socklen_t *);

/* Through pointers, so that one test serves both: the prototypes differ only in glibc's transparent unions. */
static int sock(int fd, struct sockaddr *a, socklen_t *length)
{
	return getsockname(fd, a, length);
}

static int peer(int fd, struct sockaddr *a, socklen_t *length)
{
	return getpeername(fd, a, length);
}

static void errors_of(name_function *name, int fd)
{
	struct sockaddr_in a;
	socklen_t length = sizeof(a), negative = (socklen_t)-1;
	int pipes[2];

	FAILS(EBADF, name(-1, (struct sockaddr *)&a, &length));
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	FAILS(ENOTSOCK, name(pipes[0], (struct sockaddr *)&a, &length));
	close(pipes[0]);
	close(pipes[1]);
	FAILS(EFAULT, name(fd, (struct sockaddr *)&a, NULL));
	FAILS(EFAULT, name(fd, NULL, NULL));
	FAILS(EFAULT, name(fd, NULL, &length));
	FAILS(EFAULT, name(fd, (struct sockaddr *)contract_unmapped(), &length));
	FAILS(EFAULT, name(fd, (struct sockaddr *)&a, (socklen_t *)contract_unmapped()));
	/* a length of which only a part is there */
	for (size_t part = 1; part < sizeof(length); part++)
		FAILS(EFAULT, name(fd, (struct sockaddr *)&a, (socklen_t *)contract_edge(&length, part)));
	FAILS(EFAULT, name(fd, (struct sockaddr *)contract_readonly(&a, sizeof(a)), &length));
	FAILS(EINVAL, name(fd, (struct sockaddr *)&a, &negative));
}

static void room_of(name_function *name, int fd, int port)
{
	unsigned char bytes[64];
	struct sockaddr_in *a = (struct sockaddr_in *)bytes;
	socklen_t length;

	for (socklen_t room = 0; room <= 20; room++) {
		memset(bytes, 0xa5, sizeof(bytes));
		length = room;
		OK(name(fd, (struct sockaddr *)bytes, &length));
		assert_int_equal(length, sizeof(*a));
		assert_int_equal(bytes[room < sizeof(*a) ? room : sizeof(*a)], 0xa5);
		/* three bytes hold half a port, which names none: see docs/limits.md */
		if (room >= 4) {
			assert_int_equal(bytes[2], port >> 8);
			assert_int_equal(bytes[3], port & 0xff);
		}
		if (room >= 8)
			assert_int_equal(a->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	}
	/* with no room at all the pointer does not matter */
	length = 0;
	OK(name(fd, NULL, &length));
	assert_int_equal(length, sizeof(*a));
	/* the last bytes before memory ends */
	memset(bytes, 0, sizeof(bytes));
	a = contract_edge(bytes, sizeof(*a));
	length = sizeof(*a);
	OK(name(fd, (struct sockaddr *)a, &length));
	assert_int_equal(ntohs(a->sin_port), port);
	a = (struct sockaddr_in *)(void *)((char *)contract_edge(bytes, 3));
	length = 3;
	OK(name(fd, (struct sockaddr *)a, &length));
	/* unaligned */
	length = sizeof(*a);
	OK(name(fd, (struct sockaddr *)(bytes + 1), &length));
	assert_int_equal(bytes[3] << 8 | bytes[4], port);
}

static void own_name(void **state)
{
	int port = contract_port(), fd = contract_socket(AF_INET, SOCK_STREAM), udp;
	struct sockaddr_in a = contract_in("127.0.0.1", port);

	(void)state;
	assert_int_equal(contract_name(fd), 0);
	OK(bind(fd, &a, sizeof(a)));
	errors_of(sock, fd);
	room_of(sock, fd, port);
	OK(listen(fd, 4));
	errors_of(sock, fd);
	room_of(sock, fd, contract_is_recorded(fd, port));
	close(fd);
	port = contract_port();
	udp = contract_udp("127.0.0.1", port);
	room_of(sock, udp, contract_is_recorded(udp, port));
	close(udp);
}

static void peer_name(void **state)
{
	int port = contract_port(), server = contract_listener("127.0.0.1", port), fd, accepted, udp;
	struct sockaddr_in a = contract_in("127.0.0.1", port);

	(void)state;
	fd = contract_socket(AF_INET, SOCK_STREAM);
	FAILS(ENOTCONN, getpeername(fd, &a, &(socklen_t){ sizeof(a) }));
	FAILS(ENOTCONN, getpeername(server, &a, &(socklen_t){ sizeof(a) }));
	OK(connect(fd, &a, sizeof(a)));
	errors_of(peer, fd);
	room_of(peer, fd, port);
	accepted = (int)OK(accept(server, NULL, NULL));
	room_of(peer, accepted, contract_name(fd));
	close(accepted);
	close(fd);
	close(server);
	udp = contract_udp("127.0.0.1", port);
	fd = contract_socket(AF_INET, SOCK_DGRAM);
	OK(connect(fd, &a, sizeof(a)));
	room_of(peer, fd, port);
	close(fd);
	close(udp);
}

/* A server's end of a connection has the name of its listener; after a reset the peer is gone. */
static void accepted_name(void **state)
{
	int port = contract_port(), server = contract_listener("127.0.0.1", port),
	    fd = contract_client("127.0.0.1", port);
	int accepted = (int)OK(accept(server, NULL, NULL));
	struct linger reset = { .l_onoff = 1 };
	struct sockaddr_in a;
	char byte;

	(void)state;
	assert_int_equal(contract_name(accepted), contract_name(server));
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	close(fd);
	FAILS(ECONNRESET, recv(accepted, &byte, 1, 0));
	FAILS(ENOTCONN, getpeername(accepted, &a, &(socklen_t){ sizeof(a) }));
	close(accepted);
	close(server);
}

static void ipv6_names(void **state)
{
	int port = contract_port(), server, fd;
	struct sockaddr_in6 a = contract_in6("::1", port), told;
	socklen_t length = sizeof(told);

	(void)state;
	if (!contract_ipv6())
		skip();
	server = contract_listener6("::", port, 0);
	fd = contract_socket(AF_INET6, SOCK_STREAM);
	OK(connect(fd, &a, sizeof(a)));
	OK(getpeername(fd, &told, &length));
	assert_int_equal(length, sizeof(told));
	assert_int_equal(ntohs(told.sin6_port), port);
	assert_memory_equal(&told.sin6_addr, &in6addr_loopback, 16);
	length = 24;
	OK(getpeername(fd, &told, &length));
	assert_int_equal(length, sizeof(told));
	close(fd);
	close(server);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest names_contract[] = {
		cmocka_unit_test(own_name),
		cmocka_unit_test(peer_name),
		cmocka_unit_test(accepted_name),
		cmocka_unit_test(ipv6_names),
	};

	(void)argc;
	return contract_main(names_contract);
}
