/* The contract of bind(2). */
#include <fcntl.h>
#include <net/if.h>

#include "contract.h"

static void bad_addresses(void **state)
{
	struct sockaddr_in a = contract_in("127.0.0.1", contract_port());
	int fd = contract_socket(AF_INET, SOCK_STREAM);
	unsigned char big[256] = { 0 };

	(void)state;
	memcpy(big, &a, sizeof(a));
	FAILS(EFAULT, bind(fd, (struct sockaddr *)NULL, sizeof(a)));
	FAILS(EINVAL, bind(fd, (struct sockaddr *)NULL, 0));
	FAILS(EFAULT, bind(fd, (struct sockaddr *)8, sizeof(a)));
	FAILS(EFAULT, bind(fd, (struct sockaddr *)contract_unmapped(), sizeof(a)));
	FAILS(EFAULT, bind(fd, (struct sockaddr *)contract_edge(&a, 8), sizeof(a)));
	FAILS(EFAULT, bind(fd, (struct sockaddr *)contract_edge(&a, sizeof(a)), sizeof(struct sockaddr_in6)));
	FAILS(EINVAL, bind(fd, (struct sockaddr *)contract_edge(&a, 2), 2));
	FAILS(EINVAL, bind(fd, (struct sockaddr *)contract_edge(&a, 1), 1));
	FAILS(EINVAL, bind(fd, &a, 0));
	FAILS(EINVAL, bind(fd, &a, 4));
	FAILS(EINVAL, bind(fd, &a, 15));
	FAILS(EINVAL, bind(fd, (struct sockaddr *)big, sizeof(struct sockaddr_storage) + 1));
	FAILS(EINVAL, bind(fd, (struct sockaddr *)big, (socklen_t)-1));
	FAILS(EINVAL, bind(fd, (struct sockaddr *)NULL, (socklen_t)-1));
	OK(bind(fd, (struct sockaddr *)big, sizeof(struct sockaddr_storage)));
	contract_is_requested(fd, ntohs(a.sin_port));
	assert_memory_equal(big, &a, sizeof(a));
	close(fd);
}

static void memory_kinds(void **state)
{
	struct sockaddr_in a = contract_in("127.0.0.1", contract_port());
	struct sockaddr_in b = contract_in("127.0.0.1", contract_port());
	struct sockaddr_in c = contract_in("127.0.0.1", contract_port());
	unsigned char odd[64];
	int fd = contract_socket(AF_INET, SOCK_STREAM);

	(void)state;
	OK(bind(fd, (struct sockaddr *)contract_readonly(&a, sizeof(a)), sizeof(a)));
	contract_is_requested(fd, ntohs(a.sin_port));
	close(fd);
	fd = contract_socket(AF_INET, SOCK_STREAM);
	OK(bind(fd, (struct sockaddr *)contract_edge(&b, sizeof(b)), sizeof(b)));
	contract_is_requested(fd, ntohs(b.sin_port));
	close(fd);
	for (int i = 1; i < 4; i++) {
		fd = contract_socket(AF_INET, SOCK_STREAM);
		memset(odd, 0xa5, sizeof(odd));
		memcpy(odd + i, &c, sizeof(c));
		OK(bind(fd, (struct sockaddr *)(odd + i), sizeof(c)));
		contract_is_requested(fd, ntohs(c.sin_port));
		assert_memory_equal(odd + i, &c, sizeof(c));
		close(fd);
	}
}

static void wrong_descriptor(void **state)
{
	struct sockaddr_in a = contract_in("127.0.0.1", contract_port());
	int pipes[2], fd;

	(void)state;
	FAILS(EBADF, bind(-1, &a, sizeof(a)));
	FAILS(EBADF, bind(1 << 20, &a, sizeof(a)));
	FAILS(EBADF, bind(-1, (struct sockaddr *)NULL, sizeof(a)));
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	FAILS(ENOTSOCK, bind(pipes[0], &a, sizeof(a)));
	FAILS(ENOTSOCK, bind(pipes[0], (struct sockaddr *)NULL, sizeof(a)));
	fd = open("/dev/null", O_PATH | O_CLOEXEC);
	FAILS(EBADF, bind(fd, &a, sizeof(a)));
	close(fd);
	close(pipes[0]);
	close(pipes[1]);
	FAILS(EBADF, bind(pipes[0], &a, sizeof(a)));
}

static void wrong_family(void **state)
{
	struct sockaddr_in a = contract_in("127.0.0.1", contract_port());
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = a.sin_port, .sin6_addr = in6addr_loopback };
	struct sockaddr_in6 like4 = a6;
	struct sockaddr_in unspec = contract_in("0.0.0.0", contract_closed());
	int fd = contract_socket(AF_INET, SOCK_STREAM);

	(void)state;
	FAILS(EAFNOSUPPORT, bind(fd, &a6, sizeof(a6)));
	unspec.sin_family = AF_UNSPEC;
	OK(bind(fd, &unspec, sizeof(unspec)));
	contract_is_requested(fd, ntohs(unspec.sin_port));
	close(fd);
	if (!contract_ipv6())
		return;
	fd = contract_socket(AF_INET6, SOCK_STREAM);
	FAILS(EINVAL, bind(fd, &a, sizeof(a)));
	FAILS(EINVAL, bind(fd, &a6, 20));
	like4.sin6_family = AF_INET;
	FAILS(EAFNOSUPPORT, bind(fd, &like4, sizeof(like4)));
	/* RFC 2133's shorter form, without a scope id, is still good */
	OK(bind(fd, &a6, 24));
	contract_is_requested(fd, ntohs(a6.sin6_port));
	close(fd);
}

static void twice(void **state)
{
	struct sockaddr_in a = contract_in("127.0.0.1", contract_port()), b = contract_in("127.0.0.1", contract_port());
	int fd = contract_socket(AF_INET, SOCK_STREAM), other = contract_socket(AF_INET, SOCK_STREAM);

	(void)state;
	OK(bind(fd, &a, sizeof(a)));
	FAILS(EINVAL, bind(fd, &a, sizeof(a)));
	FAILS(EINVAL, bind(fd, &b, sizeof(b)));
	contract_is_requested(fd, ntohs(a.sin_port));
	FAILS(EADDRINUSE, bind(other, &a, sizeof(a)));
	close(fd);
	/* the same number again, as a program that probes, closes and binds */
	OK(bind(other, &a, sizeof(a)));
	contract_is_requested(other, ntohs(a.sin_port));
	OK(listen(other, 1));
	contract_is_recorded(other, ntohs(a.sin_port));
	close(other);
}

static void not_ours(void **state)
{
	struct sockaddr_in a = contract_in("192.0.2.1", contract_port());
	int fd = contract_socket(AF_INET, SOCK_STREAM);

	(void)state;
	FAILS(EADDRNOTAVAIL, bind(fd, &a, sizeof(a)));
	close(fd);
	fd = contract_socket(AF_INET, SOCK_DGRAM);
	FAILS(EADDRNOTAVAIL, bind(fd, &a, sizeof(a)));
	close(fd);
}

static void port_zero(void **state)
{
	struct sockaddr_in a = contract_in("127.0.0.1", 0);
	int fd = contract_socket(AF_INET, SOCK_STREAM), before, client;

	(void)state;
	OK(bind(fd, &a, sizeof(a)));
	before = contract_name(fd);
	assert_int_not_equal(before, 0);
	OK(listen(fd, 4));
	assert_int_equal(contract_name(fd), before);
	client = contract_client("127.0.0.1", before);
	assert_int_equal(contract_peer(client), before);
	close(client);
	close(fd);
}

static void reuse_address(void **state)
{
	struct sockaddr_in a = contract_in("127.0.0.1", contract_port());
	int one = contract_socket(AF_INET, SOCK_STREAM), two = contract_socket(AF_INET, SOCK_STREAM);
	int plain = contract_socket(AF_INET, SOCK_STREAM), late = contract_socket(AF_INET, SOCK_STREAM);

	(void)state;
	contract_option(one, SOL_SOCKET, SO_REUSEADDR, 1);
	contract_option(two, SOL_SOCKET, SO_REUSEADDR, 1);
	contract_option(late, SOL_SOCKET, SO_REUSEADDR, 1);
	OK(bind(one, &a, sizeof(a)));
	OK(bind(two, &a, sizeof(a)));
	FAILS(EADDRINUSE, bind(plain, &a, sizeof(a)));
	contract_is_requested(one, ntohs(a.sin_port));
	contract_is_requested(two, ntohs(a.sin_port));
	OK(listen(one, 4));
	FAILS(EADDRINUSE, bind(late, &a, sizeof(a)));
	close(one);
	close(two);
	close(plain);
	close(late);
}

static void reuse_port(void **state)
{
	struct sockaddr_in a = contract_in("127.0.0.1", contract_port());
	int fds[4];
	int shown = 0;

	(void)state;
	for (int i = 0; i < 3; i++) {
		fds[i] = contract_socket(AF_INET, SOCK_STREAM);
		contract_option(fds[i], SOL_SOCKET, SO_REUSEPORT, 1);
		OK(bind(fds[i], &a, sizeof(a)));
		OK(listen(fds[i], 4));
		if (!i)
			shown = contract_is_recorded(fds[i], ntohs(a.sin_port));
		assert_int_equal(contract_name(fds[i]), shown);
	}
	fds[3] = contract_socket(AF_INET, SOCK_STREAM);
	FAILS(EADDRINUSE, bind(fds[3], &a, sizeof(a)));
	contract_option(fds[3], SOL_SOCKET, SO_REUSEADDR, 1);
	FAILS(EADDRINUSE, bind(fds[3], &a, sizeof(a)));
	for (int i = 0; i < 4; i++)
		close(fds[i]);
}

static void addresses_of_loopback(void **state)
{
	struct sockaddr_in one = contract_in("127.0.0.1", contract_port());
	struct sockaddr_in two = contract_in("127.0.0.2", ntohs(one.sin_port));
	struct sockaddr_in any = contract_in("0.0.0.0", ntohs(one.sin_port));
	int a = contract_socket(AF_INET, SOCK_STREAM), b = contract_socket(AF_INET, SOCK_STREAM);
	int c = contract_socket(AF_INET, SOCK_STREAM);

	(void)state;
	OK(bind(a, &one, sizeof(one)));
	OK(bind(b, &two, sizeof(two)));
	FAILS(EADDRINUSE, bind(c, &any, sizeof(any)));
	OK(listen(a, 4));
	OK(listen(b, 4));
	close(a);
	close(b);
	OK(bind(c, &any, sizeof(any)));
	close(c);
}

static void both_families(void **state)
{
	int port = contract_port(), shared = contract_port(), mapped = contract_port();
	struct sockaddr_in a4 = contract_in("127.0.0.1", port), any4 = contract_in("0.0.0.0", shared);
	struct sockaddr_in6 a6 = contract_in6("::1", port), any6 = contract_in6("::", shared);
	struct sockaddr_in6 m6 = contract_in6("::ffff:127.0.0.1", mapped);
	struct sockaddr_in m4 = contract_in("127.0.0.1", mapped);
	int four, six;

	(void)state;
	if (!contract_ipv6())
		skip();
	four = contract_socket(AF_INET, SOCK_STREAM);
	six = contract_socket(AF_INET6, SOCK_STREAM);
	OK(bind(four, &a4, sizeof(a4)));
	OK(bind(six, &a6, sizeof(a6)));
	contract_is_requested(four, port);
	contract_is_requested(six, port);
	OK(listen(four, 4));
	OK(listen(six, 4));
	assert_int_equal(contract_is_recorded(four, port), contract_is_recorded(six, port));
	close(four);
	close(six);

	six = contract_socket(AF_INET6, SOCK_STREAM);
	four = contract_socket(AF_INET, SOCK_STREAM);
	contract_option(six, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	OK(bind(six, &any6, sizeof(any6)));
	FAILS(EADDRINUSE, bind(four, &any4, sizeof(any4)));
	close(six);
	six = contract_socket(AF_INET6, SOCK_STREAM);
	contract_option(six, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	OK(bind(six, &any6, sizeof(any6)));
	OK(bind(four, &any4, sizeof(any4)));
	close(six);
	close(four);

	six = contract_socket(AF_INET6, SOCK_STREAM);
	four = contract_socket(AF_INET, SOCK_STREAM);
	contract_option(six, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	OK(bind(six, &m6, sizeof(m6)));
	contract_is_requested(six, mapped);
	FAILS(EADDRINUSE, bind(four, &m4, sizeof(m4)));
	close(six);
	close(four);
	six = contract_socket(AF_INET6, SOCK_STREAM);
	contract_option(six, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	FAILS(EINVAL, bind(six, &m6, sizeof(m6)));
	close(six);
}

static void udp(void **state)
{
	int port = contract_port();
	struct sockaddr_in a = contract_in("127.0.0.1", port);
	int one = contract_socket(AF_INET, SOCK_DGRAM), two = contract_socket(AF_INET, SOCK_DGRAM);

	(void)state;
	OK(bind(one, &a, sizeof(a)));
	contract_is_recorded(one, port);
	FAILS(EADDRINUSE, bind(two, &a, sizeof(a)));
	FAILS(EINVAL, bind(one, &a, sizeof(a)));
	close(one);
	OK(bind(two, &a, sizeof(a)));
	contract_is_recorded(two, port);
	close(two);
	one = contract_socket(AF_INET, SOCK_DGRAM);
	two = contract_socket(AF_INET, SOCK_DGRAM);
	contract_option(one, SOL_SOCKET, SO_REUSEADDR, 1);
	contract_option(two, SOL_SOCKET, SO_REUSEADDR, 1);
	OK(bind(one, &a, sizeof(a)));
	OK(bind(two, &a, sizeof(a)));
	assert_int_equal(contract_name(one), contract_name(two));
	close(one);
	close(two);
}

static void udp_and_tcp(void **state)
{
	int port = contract_port();
	int udp = contract_udp("127.0.0.1", port), tcp = contract_listener("127.0.0.1", port);

	(void)state;
	contract_is_recorded(udp, port);
	contract_is_recorded(tcp, port);
	assert_int_equal(contract_kernel_port(udp), contract_kernel_port(tcp));
	close(udp);
	close(tcp);
	port = contract_port();
	tcp = contract_listener("127.0.0.1", port);
	udp = contract_udp("127.0.0.1", port);
	contract_is_recorded(udp, port);
	contract_is_recorded(tcp, port);
	assert_int_equal(contract_kernel_port(udp), contract_kernel_port(tcp));
	close(udp);
	close(tcp);
}

static void multicast(void **state)
{
	struct sockaddr_in a = contract_in("224.0.0.251", contract_closed());
	int fd = contract_socket(AF_INET, SOCK_DGRAM);

	(void)state;
	contract_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	OK(bind(fd, &a, sizeof(a)));
	contract_is_requested(fd, ntohs(a.sin_port));
	close(fd);
}

static void name_keeps_the_rest(void **state)
{
	struct sockaddr_in6 a = contract_in6("::1", contract_port()), told = { 0 };
	socklen_t length = sizeof(told);
	int fd;

	(void)state;
	if (!contract_ipv6())
		skip();
	fd = contract_socket(AF_INET6, SOCK_STREAM);
	a.sin6_flowinfo = htonl(0x12345);
	a.sin6_scope_id = if_nametoindex("lo");
	OK(bind(fd, &a, sizeof(a)));
	OK(getsockname(fd, &told, &length));
	assert_int_equal(length, sizeof(told));
	assert_memory_equal(&told.sin6_addr, &a.sin6_addr, 16);
	assert_int_equal(told.sin6_port, a.sin6_port);
	contract_note("flow %x scope %u", (unsigned)told.sin6_flowinfo, (unsigned)told.sin6_scope_id);
	close(fd);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest bind_contract[] = {
		cmocka_unit_test(bad_addresses),  cmocka_unit_test(memory_kinds),
		cmocka_unit_test(wrong_descriptor), cmocka_unit_test(wrong_family),
		cmocka_unit_test(twice),          cmocka_unit_test(not_ours),
		cmocka_unit_test(port_zero),      cmocka_unit_test(reuse_address),
		cmocka_unit_test(reuse_port),     cmocka_unit_test(addresses_of_loopback),
		cmocka_unit_test(both_families),  cmocka_unit_test(udp),
		cmocka_unit_test(udp_and_tcp),    cmocka_unit_test(multicast),
		cmocka_unit_test(name_keeps_the_rest),
	};

	(void)argc;
	return contract_main(bind_contract);
}
