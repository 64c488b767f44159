/* The contract of connect(2). */
#include <fcntl.h>
#include <poll.h>

#include "contract.h"

static void bad_addresses(void **state)
{
	struct sockaddr_in a = contract_in("127.0.0.1", contract_port());
	int server = contract_listener("127.0.0.1", ntohs(a.sin_port)), fd = contract_socket(AF_INET, SOCK_STREAM);
	unsigned char big[256] = { 0 };

	(void)state;
	memcpy(big, &a, sizeof(a));
	FAILS(EFAULT, connect(fd, (struct sockaddr *)NULL, sizeof(a)));
	FAILS(EINVAL, connect(fd, (struct sockaddr *)NULL, 0));
	FAILS(EFAULT, connect(fd, (struct sockaddr *)8, sizeof(a)));
	FAILS(EFAULT, connect(fd, (struct sockaddr *)contract_unmapped(), sizeof(a)));
	FAILS(EFAULT, connect(fd, (struct sockaddr *)contract_edge(&a, 8), sizeof(a)));
	FAILS(EFAULT, connect(fd, (struct sockaddr *)contract_edge(&a, sizeof(a)), sizeof(struct sockaddr_storage)));
	FAILS(EINVAL, connect(fd, (struct sockaddr *)contract_edge(&a, 1), 1));
	FAILS(EINVAL, connect(fd, (struct sockaddr *)contract_edge(&a, 2), 2));
	FAILS(EINVAL, connect(fd, &a, 15));
	FAILS(EINVAL, connect(fd, (struct sockaddr *)big, sizeof(struct sockaddr_storage) + 1));
	FAILS(EINVAL, connect(fd, (struct sockaddr *)big, (socklen_t)-1));
	OK(connect(fd, (struct sockaddr *)big, sizeof(struct sockaddr_storage)));
	assert_int_equal(contract_peer(fd), ntohs(a.sin_port));
	assert_memory_equal(big, &a, sizeof(a));
	close(fd);
	close(server);
}

static void memory_kinds(void **state)
{
	struct sockaddr_in a = contract_in("127.0.0.1", contract_port());
	int server = contract_listener("127.0.0.1", ntohs(a.sin_port)), fd;
	unsigned char odd[64];

	(void)state;
	fd = contract_socket(AF_INET, SOCK_STREAM);
	OK(connect(fd, (struct sockaddr *)contract_readonly(&a, sizeof(a)), sizeof(a)));
	assert_int_equal(contract_peer(fd), ntohs(a.sin_port));
	close(fd);
	fd = contract_socket(AF_INET, SOCK_STREAM);
	OK(connect(fd, (struct sockaddr *)contract_edge(&a, sizeof(a)), sizeof(a)));
	close(fd);
	for (int i = 1; i < 4; i++) {
		memset(odd, 0xa5, sizeof(odd));
		memcpy(odd + i, &a, sizeof(a));
		fd = contract_socket(AF_INET, SOCK_STREAM);
		OK(connect(fd, (struct sockaddr *)(odd + i), sizeof(a)));
		assert_memory_equal(odd + i, &a, sizeof(a));
		close(fd);
	}
	close(server);
}

static void wrong_descriptor(void **state)
{
	struct sockaddr_in a = contract_in("127.0.0.1", contract_port());
	int pipes[2];

	(void)state;
	FAILS(EBADF, connect(-1, &a, sizeof(a)));
	FAILS(EBADF, connect(-1, (struct sockaddr *)NULL, sizeof(a)));
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	FAILS(ENOTSOCK, connect(pipes[0], &a, sizeof(a)));
	close(pipes[0]);
	close(pipes[1]);
}

static void wrong_family(void **state)
{
	struct sockaddr_in a = contract_in("127.0.0.1", contract_port());
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = a.sin_port, .sin6_addr = in6addr_loopback };
	int server = contract_listener("127.0.0.1", ntohs(a.sin_port)), fd = contract_socket(AF_INET, SOCK_STREAM);

	(void)state;
	FAILS(EAFNOSUPPORT, connect(fd, &a6, sizeof(a6)));
	a.sin_family = AF_UNIX;
	FAILS(EAFNOSUPPORT, connect(fd, (struct sockaddr *)&a, sizeof(a)));
	a.sin_family = 0xffff;
	FAILS(EAFNOSUPPORT, connect(fd, (struct sockaddr *)&a, sizeof(a)));
	close(fd);
	close(server);
}

static void by_requested_port(void **state)
{
	int port = contract_port(), shown, server = contract_listener("0.0.0.0", port), fd;

	(void)state;
	shown = contract_is_recorded(server, port);
	fd = contract_client("127.0.0.1", port);
	assert_int_equal(contract_peer(fd), port);
	close(fd);
	/* an address of the wildcard kind, and another one of loopback */
	fd = contract_client("0.0.0.0", port);
	assert_int_equal(contract_peer(fd), port);
	close(fd);
	fd = contract_client("127.0.0.3", port);
	assert_int_equal(contract_peer(fd), port);
	close(fd);
	/* law 5: by the port that getsockname told, too */
	fd = contract_client("127.0.0.1", shown);
	close(fd);
	close(server);
}

static void refused(void **state)
{
	struct sockaddr_in a = contract_in("127.0.0.1", contract_closed());
	int fd = contract_socket(AF_INET, SOCK_STREAM), error = 0;
	socklen_t length = sizeof(error);

	(void)state;
	FAILS(ECONNREFUSED, connect(fd, &a, sizeof(a)));
	FAILS(ECONNREFUSED, connect(fd, &a, sizeof(a)));
	close(fd);
	fd = contract_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
	FAILS(EINPROGRESS, connect(fd, &a, sizeof(a)));
	contract_wait(fd, POLLOUT);
	OK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length));
	assert_int_equal(error, ECONNREFUSED);
	close(fd);
}

/* A port of this run that is bound but does not listen: what its kernel says, not what the outsider would. */
static void bound_but_silent(void **state)
{
	struct sockaddr_in a = contract_in("127.0.0.1", contract_port());
	int server = contract_socket(AF_INET, SOCK_STREAM), fd = contract_socket(AF_INET, SOCK_STREAM);

	(void)state;
	OK(bind(server, &a, sizeof(a)));
	FAILS(ECONNREFUSED, connect(fd, &a, sizeof(a)));
	OK(listen(server, 4));
	close(fd);
	fd = contract_socket(AF_INET, SOCK_STREAM);
	OK(connect(fd, &a, sizeof(a)));
	close(fd);
	close(server);
}

static void again(void **state)
{
	struct sockaddr_in a = contract_in("127.0.0.1", contract_port()), none = { .sin_family = AF_UNSPEC };
	int server = contract_listener("127.0.0.1", ntohs(a.sin_port)), fd = contract_socket(AF_INET, SOCK_STREAM);

	(void)state;
	OK(connect(fd, &a, sizeof(a)));
	FAILS(EISCONN, connect(fd, &a, sizeof(a)));
	OK(connect(fd, &none, sizeof(none)));
	FAILS(ENOTCONN, getpeername(fd, (struct sockaddr *)&none, &(socklen_t){ sizeof(none) }));
	OK(connect(fd, &a, sizeof(a)));
	assert_int_equal(contract_peer(fd), ntohs(a.sin_port));
	FAILS(EISCONN, connect(server, &a, sizeof(a)));
	close(fd);
	close(server);
}

static void nonblocking(void **state)
{
	struct sockaddr_in a = contract_in("127.0.0.1", contract_port());
	int server = contract_listener("127.0.0.1", ntohs(a.sin_port));
	int fd = contract_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK), error = -1;
	socklen_t length = sizeof(error);

	(void)state;
	FAILS(EINPROGRESS, connect(fd, &a, sizeof(a)));
	contract_wait(fd, POLLOUT);
	OK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length));
	assert_int_equal(error, 0);
	assert_int_equal(contract_peer(fd), ntohs(a.sin_port));
	OK(connect(fd, &a, sizeof(a)));
	FAILS(EISCONN, connect(fd, &a, sizeof(a)));
	close(fd);
	close(server);
}

static void connected_udp(void **state)
{
	int port = contract_port(), other = contract_port();
	struct sockaddr_in a = contract_in("127.0.0.1", port), b = contract_in("127.0.0.1", other);
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int one = contract_udp("127.0.0.1", port), two = contract_udp("127.0.0.1", other);
	int fd = contract_socket(AF_INET, SOCK_DGRAM);
	char text[8];

	(void)state;
	OK(connect(fd, &a, sizeof(a)));
	assert_int_equal(contract_peer(fd), port);
	assert_int_equal(OK(send(fd, "a", 1, 0)), 1);
	assert_int_equal(OK(recv(one, text, sizeof(text), 0)), 1);
	OK(connect(fd, &b, sizeof(b)));
	assert_int_equal(contract_peer(fd), other);
	assert_int_equal(OK(write(fd, "bb", 2)), 2);
	assert_int_equal(OK(recv(two, text, sizeof(text), 0)), 2);
	OK(connect(fd, &none, sizeof(none)));
	FAILS(ENOTCONN, getpeername(fd, (struct sockaddr *)&a, &(socklen_t){ sizeof(a) }));
	FAILS(EDESTADDRREQ, send(fd, "c", 1, 0));
	FAILS(EINVAL, connect(fd, &none, 1));
	close(one);
	close(two);
	close(fd);
}

static void other_families(void **state)
{
	int port = contract_port(), only = contract_port();
	struct sockaddr_in6 six = contract_in6("::1", port), mapped = contract_in6("::ffff:127.0.0.1", port);
	struct sockaddr_in6 any = contract_in6("::", port);
	struct sockaddr_in6 *addresses[] = { &six, &mapped, &any };
	int server, fd;

	(void)state;
	if (!contract_ipv6())
		skip();
	server = contract_listener6("::", port, 0);
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		fd = contract_socket(AF_INET6, SOCK_STREAM);
		OK(connect(fd, addresses[i], sizeof(six)));
		assert_int_equal(contract_peer(fd), port);
		close(fd);
	}
	fd = contract_client("127.0.0.1", port);
	assert_int_equal(contract_peer(fd), port);
	close(fd);
	close(server);

	server = contract_listener6("::1", only, 1);
	fd = contract_socket(AF_INET6, SOCK_STREAM);
	six.sin6_port = htons((uint16_t)only);
	OK(connect(fd, &six, sizeof(six)));
	close(fd);
	fd = contract_socket(AF_INET6, SOCK_STREAM);
	FAILS(EINVAL, connect(fd, &six, 20));
	OK(connect(fd, &six, 24));
	close(fd);
	close(server);
}

/* TCP's simultaneous open with oneself: a socket that connects to the port that it is bound to. */
static void with_itself(void **state)
{
	struct sockaddr_in a = contract_in("127.0.0.1", contract_port());
	int fd = contract_socket(AF_INET, SOCK_STREAM);
	char text[8];

	(void)state;
	OK(bind(fd, &a, sizeof(a)));
	OK(connect(fd, &a, sizeof(a)));
	assert_int_equal(contract_peer(fd), ntohs(a.sin_port));
	assert_int_equal(contract_name(fd), ntohs(a.sin_port));
	assert_int_equal(OK(send(fd, "self", 4, 0)), 4);
	assert_int_equal(OK(recv(fd, text, sizeof(text), 0)), 4);
	close(fd);
}

static void ephemeral_source_is_untouched(void **state)
{
	int port = contract_port(), server = contract_listener("127.0.0.1", port),
	    fd = contract_client("127.0.0.1", port);
	int accepted = (int)OK(accept(server, NULL, NULL));

	(void)state;
	assert_int_equal(contract_name(fd), contract_peer(accepted));
	contract_note("accepted socket is %s",
		      contract_name(accepted) == contract_name(server) ? "named as its listener" : "not");
	close(accepted);
	close(fd);
	close(server);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest connect_contract[] = {
		cmocka_unit_test(bad_addresses),     cmocka_unit_test(memory_kinds),
		cmocka_unit_test(wrong_descriptor),  cmocka_unit_test(wrong_family),
		cmocka_unit_test(by_requested_port), cmocka_unit_test(refused),
		cmocka_unit_test(bound_but_silent),  cmocka_unit_test(again),
		cmocka_unit_test(nonblocking),       cmocka_unit_test(connected_udp),
		cmocka_unit_test(other_families),    cmocka_unit_test(with_itself),
		cmocka_unit_test(ephemeral_source_is_untouched),
	};

	(void)argc;
	return contract_main(connect_contract);
}
