/* The contract of sendto(2), sendmsg(2) and sendmmsg(2). */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include "contract.h"

static struct msghdr message(void *name, socklen_t length, struct iovec *data, char *bytes, size_t size)
{
	*data = (struct iovec){ .iov_base = bytes, .iov_len = size };
	return (struct msghdr){ .msg_name = name, .msg_namelen = length, .msg_iov = data, .msg_iovlen = 1 };
}

/* Asserts that one datagram of this size is there, and from whom. */
static void arrived(int fd, ssize_t size, int from)
{
	struct sockaddr_in a;
	socklen_t length = sizeof(a);
	char text[64];

	contract_wait(fd, POLLIN);
	assert_int_equal(OK(recvfrom(fd, text, sizeof(text), MSG_DONTWAIT, &a, &length)), size);
	if (from)
		assert_int_equal(ntohs(a.sin_port), from);
}

static void sendto_works(void **state)
{
	int port = contract_port(), own = contract_port();
	struct sockaddr_in a = contract_in("127.0.0.1", port);
	int server = contract_udp("127.0.0.1", port), fd = contract_socket(AF_INET, SOCK_DGRAM);
	int named = contract_udp("127.0.0.1", own);
	unsigned char bytes[160] = { 0 };

	(void)state;
	assert_int_equal(OK(sendto(fd, "abc", 3, 0, &a, sizeof(a))), 3);
	arrived(server, 3, contract_name(fd));
	assert_int_equal(OK(sendto(fd, NULL, 0, 0, &a, sizeof(a))), 0);
	arrived(server, 0, 0);
	assert_int_equal(OK(sendto(fd, "abcd", 4, 0, (struct sockaddr *)contract_readonly(&a, sizeof(a)), sizeof(a))),
			 4);
	arrived(server, 4, 0);
	memcpy(bytes + 1, &a, sizeof(a));
	assert_int_equal(OK(sendto(fd, "abcde", 5, 0, (struct sockaddr *)(bytes + 1), sizeof(a))), 5);
	arrived(server, 5, 0);
	memcpy(bytes, &a, sizeof(a));
	assert_int_equal(OK(sendto(fd, "abcdef", 6, MSG_CONFIRM, (struct sockaddr *)bytes, 128)), 6);
	arrived(server, 6, 0);
	/* a sender that is bound itself is seen with the port that it asked for (law 10) */
	assert_int_equal(OK(sendto(named, "n", 1, 0, &a, sizeof(a))), 1);
	arrived(server, 1, own);
	close(named);
	close(fd);
	close(server);
}

static void sendto_errors(void **state)
{
	int port = contract_port(), server = contract_udp("127.0.0.1", port), fd = contract_socket(AF_INET, SOCK_DGRAM);
	struct sockaddr_in a = contract_in("127.0.0.1", port), zero = contract_in("127.0.0.1", 0);
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = a.sin_port, .sin6_addr = in6addr_loopback };
	unsigned char big[256] = { 0 };
	int pipes[2];

	(void)state;
	memcpy(big, &a, sizeof(a));
	FAILS(EBADF, sendto(-1, "a", 1, 0, &a, sizeof(a)));
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	FAILS(ENOTSOCK, sendto(pipes[1], "a", 1, 0, &a, sizeof(a)));
	close(pipes[0]);
	close(pipes[1]);
	FAILS(EDESTADDRREQ, sendto(fd, "a", 1, 0, (struct sockaddr *)NULL, 0));
	FAILS(EDESTADDRREQ, sendto(fd, "a", 1, 0, (struct sockaddr *)NULL, sizeof(a)));
	FAILS(EINVAL, sendto(fd, "a", 1, 0, &a, 0));
	FAILS(EINVAL, sendto(fd, "a", 1, 0, &a, 4));
	FAILS(EINVAL, sendto(fd, "a", 1, 0, (struct sockaddr *)big, 129));
	FAILS(EINVAL, sendto(fd, "a", 1, 0, (struct sockaddr *)big, (socklen_t)-1));
	FAILS(EINVAL, sendto(fd, "a", 1, 0, &zero, sizeof(zero)));
	FAILS(EAFNOSUPPORT, sendto(fd, "a", 1, 0, &a6, sizeof(a6)));
	FAILS(EFAULT, sendto(fd, "a", 1, 0, (struct sockaddr *)contract_unmapped(), sizeof(a)));
	FAILS(EFAULT, sendto(fd, "a", 1, 0, (struct sockaddr *)contract_edge(&a, 8), sizeof(a)));
	FAILS(EFAULT, sendto(fd, contract_unmapped(), 1, 0, &a, sizeof(a)));
	FAILS(EMSGSIZE, sendto(fd, "a", 70000, 0, &a, sizeof(a)));
	FAILS(EOPNOTSUPP, sendto(fd, "a", 1, MSG_OOB, &a, sizeof(a)));
	assert_int_equal(OK(sendto(fd, "a", 1, 0, &a, sizeof(a))), 1);
	arrived(server, 1, 0);
	close(fd);
	close(server);
}

/* UDP to a port that nobody has: the error comes with the next call, if the socket is connected. */
static void refused(void **state)
{
	struct sockaddr_in a = contract_in("127.0.0.1", contract_closed());
	int fd = contract_socket(AF_INET, SOCK_DGRAM), unconnected = contract_socket(AF_INET, SOCK_DGRAM);
	char byte;

	(void)state;
	/* from a socket of its own: the answer may come late, and a socket that is connected by then gets it */
	assert_int_equal(OK(sendto(unconnected, "a", 1, 0, &a, sizeof(a))), 1);
	OK(connect(fd, &a, sizeof(a)));
	assert_int_equal(OK(send(fd, "a", 1, 0)), 1);
	contract_wait(fd, POLLIN | POLLERR);
	FAILS(ECONNREFUSED, recv(fd, &byte, 1, 0));
	close(unconnected);
	close(fd);
}

static void connected(void **state)
{
	int port = contract_port(), other = contract_port();
	struct sockaddr_in a = contract_in("127.0.0.1", port), b = contract_in("127.0.0.1", other);
	int one = contract_udp("127.0.0.1", port), two = contract_udp("127.0.0.1", other);
	int fd = contract_socket(AF_INET, SOCK_DGRAM);

	(void)state;
	OK(connect(fd, &a, sizeof(a)));
	assert_int_equal(OK(sendto(fd, "a", 1, 0, (struct sockaddr *)NULL, 0)), 1);
	arrived(one, 1, contract_name(fd));
	assert_int_equal(OK(sendto(fd, "bb", 2, 0, &b, sizeof(b))), 2);
	arrived(two, 2, contract_name(fd));
	assert_int_equal(OK(sendto(fd, "ccc", 3, 0, &a, sizeof(a))), 3);
	arrived(one, 3, 0);
	close(one);
	close(two);
	close(fd);
}

static void tcp_ignores_the_address(void **state)
{
	int port = contract_port(), server = contract_listener("127.0.0.1", port),
	    fd = contract_client("127.0.0.1", port);
	struct sockaddr_in a = contract_in("127.0.0.1", contract_closed());
	int accepted = (int)OK(accept(server, NULL, NULL)), unconnected = contract_socket(AF_INET, SOCK_STREAM);
	char text[8];

	(void)state;
	assert_int_equal(OK(sendto(fd, "ab", 2, 0, &a, sizeof(a))), 2);
	assert_int_equal(OK(recv(accepted, text, sizeof(text), 0)), 2);
	FAILS(EPIPE, sendto(unconnected, "a", 1, MSG_NOSIGNAL, &a, sizeof(a)));
	close(unconnected);
	close(accepted);
	close(fd);
	close(server);
}

/* TCP Fast Open: sendto() is connect() and send() in one. */
static void fast_open(void **state)
{
	int port = contract_port(), server = contract_listener("127.0.0.1", port),
	    fd = contract_socket(AF_INET, SOCK_STREAM);
	struct sockaddr_in a = contract_in("127.0.0.1", port);
	struct iovec data;
	struct msghdr m = message(&a, sizeof(a), &data, (char[]){ "fast" }, 4);
	struct mmsghdr both[2] = { 0 };
	char text[8];
	int accepted;
	ssize_t sent;

	(void)state;
	sent = sendto(fd, "fast", 4, MSG_FASTOPEN, &a, sizeof(a));
	if (sent < 0 && errno == EOPNOTSUPP) {
		print_message("skip: fast_open: net.ipv4.tcp_fastopen is off\n");
		skip();
	}
	assert_int_equal(sent, 4);
	assert_int_equal(contract_peer(fd), port);
	accepted = (int)OK(accept(server, NULL, NULL));
	assert_int_equal(OK(recv(accepted, text, sizeof(text), 0)), 4);
	close(accepted);
	close(fd);
	fd = contract_socket(AF_INET, SOCK_STREAM);
	assert_int_equal(OK(sendmsg(fd, &m, MSG_FASTOPEN)), 4);
	accepted = (int)OK(accept(server, NULL, NULL));
	assert_int_equal(OK(recv(accepted, text, sizeof(text), 0)), 4);
	close(accepted);
	close(fd);
	/* The first message connects, and there is nothing to connect for the second. */
	fd = contract_socket(AF_INET, SOCK_STREAM);
	both[0].msg_hdr = both[1].msg_hdr = m;
	assert_int_equal(OK(sendmmsg(fd, both, 2, MSG_FASTOPEN)), 1);
	assert_int_equal(both[0].msg_len, 4);
	assert_int_equal(contract_peer(fd), port);
	FAILS(EISCONN, sendmmsg(fd, both, 1, MSG_FASTOPEN));
	accepted = (int)OK(accept(server, NULL, NULL));
	assert_int_equal(OK(recv(accepted, text, sizeof(text), 0)), 4);
	close(accepted);
	close(fd);
	close(server);
}

static void sendmsg_works(void **state)
{
	int port = contract_port(), server = contract_udp("127.0.0.1", port), fd = contract_socket(AF_INET, SOCK_DGRAM);
	struct sockaddr_in a = contract_in("127.0.0.1", port), copy = a;
	struct iovec data, parts[2] = { { (char[]){ "ab" }, 2 }, { (char[]){ "cde" }, 3 } };
	struct msghdr m = message(&a, sizeof(a), &data, (char[]){ "abc" }, 3), before;
	union {
		char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
		struct cmsghdr align;
	} control = { 0 };
	struct in_pktinfo info = { .ipi_spec_dst.s_addr = htonl(INADDR_LOOPBACK) };

	(void)state;
	before = m;
	assert_int_equal(OK(sendmsg(fd, &m, 0)), 3);
	arrived(server, 3, contract_name(fd));
	/* neither the header nor the address is written to */
	assert_memory_equal(&m, &before, sizeof(m));
	assert_memory_equal(&a, &copy, sizeof(a));
	m.msg_name = contract_readonly(&a, sizeof(a));
	assert_int_equal(OK(sendmsg(fd, (struct msghdr *)contract_readonly(&m, sizeof(m)), 0)), 3);
	arrived(server, 3, 0);
	m.msg_name = &a;
	m.msg_iov = parts;
	m.msg_iovlen = 2;
	assert_int_equal(OK(sendmsg(fd, &m, 0)), 5);
	arrived(server, 5, 0);
	m.msg_iov = NULL;
	m.msg_iovlen = 0;
	assert_int_equal(OK(sendmsg(fd, &m, 0)), 0);
	arrived(server, 0, 0);
	m.msg_iov = parts;
	m.msg_iovlen = 1;
	m.msg_control = control.bytes;
	m.msg_controllen = sizeof(control.bytes);
	control.align.cmsg_level = IPPROTO_IP;
	control.align.cmsg_type = IP_PKTINFO;
	control.align.cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(&control.align), &info, sizeof(info));
	assert_int_equal(OK(sendmsg(fd, &m, 0)), 2);
	arrived(server, 2, contract_name(fd));
	close(fd);
	close(server);
}

static void sendmsg_errors(void **state)
{
	int port = contract_port(), server = contract_udp("127.0.0.1", port), fd = contract_socket(AF_INET, SOCK_DGRAM);
	struct sockaddr_in a = contract_in("127.0.0.1", port);
	struct iovec data;
	struct msghdr m = message(&a, sizeof(a), &data, (char[]){ "abc" }, 3);
	unsigned char big[256] = { 0 };

	(void)state;
	memcpy(big, &a, sizeof(a));
	FAILS(EBADF, sendmsg(-1, &m, 0));
	FAILS(EFAULT, sendmsg(fd, NULL, 0));
	FAILS(EFAULT, sendmsg(fd, contract_unmapped(), 0));
	FAILS(EFAULT, sendmsg(fd, contract_edge(&m, sizeof(m) / 2), 0));
	m.msg_name = contract_unmapped();
	FAILS(EFAULT, sendmsg(fd, &m, 0));
	m.msg_name = contract_edge(&a, 8);
	FAILS(EFAULT, sendmsg(fd, &m, 0));
	m.msg_name = &a;
	m.msg_namelen = 4;
	FAILS(EINVAL, sendmsg(fd, &m, 0));
	m.msg_namelen = (socklen_t)-1;
	FAILS(EINVAL, sendmsg(fd, &m, 0));
	m.msg_namelen = 0;
	FAILS(EDESTADDRREQ, sendmsg(fd, &m, 0));
	m.msg_name = NULL;
	m.msg_namelen = sizeof(a);
	FAILS(EDESTADDRREQ, sendmsg(fd, &m, 0));
	/* too long a name is cut, not refused: unlike sendto */
	m.msg_name = big;
	m.msg_namelen = 200;
	assert_int_equal(OK(sendmsg(fd, &m, 0)), 3);
	arrived(server, 3, 0);
	m.msg_name = &a;
	m.msg_namelen = sizeof(a);
	m.msg_iov = contract_unmapped();
	FAILS(EFAULT, sendmsg(fd, &m, 0));
	m.msg_iov = &data;
	m.msg_iovlen = 5000;
	FAILS(EMSGSIZE, sendmsg(fd, &m, 0));
	m.msg_iovlen = 1;
	m.msg_control = contract_unmapped();
	m.msg_controllen = 64;
	FAILS(EFAULT, sendmsg(fd, &m, 0));
	close(fd);
	close(server);
}

static void sendmmsg_works(void **state)
{
	int port = contract_port(), other = contract_port(), fd = contract_socket(AF_INET, SOCK_DGRAM);
	int one = contract_udp("127.0.0.1", port), two = contract_udp("127.0.0.1", other);
	struct sockaddr_in a = contract_in("127.0.0.1", port), b = contract_in("127.0.0.1", other);
	struct iovec data[40];
	struct mmsghdr m[40];
	char bytes[64] = "many";

	(void)state;
	memset(m, 0, sizeof(m));
	for (int i = 0; i < 40; i++)
		m[i].msg_hdr = message(i % 2 ? &b : &a, sizeof(a), &data[i], bytes, (size_t)i + 1);
	assert_int_equal(OK(sendmmsg(fd, m, 4, 0)), 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(m[i].msg_len, i + 1);
	assert_ptr_equal(m[0].msg_hdr.msg_name, &a);
	assert_ptr_equal(m[1].msg_hdr.msg_name, &b);
	assert_int_equal(ntohs(a.sin_port), port);
	arrived(one, 1, contract_name(fd));
	arrived(one, 3, contract_name(fd));
	arrived(two, 2, 0);
	arrived(two, 4, 0);
	/* more than any small batch */
	assert_int_equal(OK(sendmmsg(fd, m, 40, 0)), 40);
	for (int i = 0; i < 40; i++) {
		assert_int_equal(m[i].msg_len, i + 1);
		arrived(i % 2 ? two : one, i + 1, 0);
	}
	assert_int_equal(OK(sendmmsg(fd, m, 0, 0)), 0);
	assert_int_equal(OK(sendmmsg(fd, NULL, 0, 0)), 0);
	FAILS(EBADF, sendmmsg(-1, m, 1, 0));
	FAILS(EBADF, sendmmsg(-1, m, 0, 0));
	FAILS(EFAULT, sendmmsg(fd, NULL, 1, 0));
	FAILS(EFAULT, sendmmsg(fd, contract_unmapped(), 2, 0));
	/* the result says how far it came; the error is lost, as on Linux */
	m[2].msg_hdr.msg_namelen = 3;
	m[0].msg_len = m[2].msg_len = 77;
	assert_int_equal(OK(sendmmsg(fd, m, 4, 0)), 2);
	assert_int_equal(m[0].msg_len, 1);
	assert_int_equal(m[2].msg_len, 77);
	m[0].msg_hdr.msg_name = contract_unmapped();
	FAILS(EFAULT, sendmmsg(fd, m, 4, 0));
	/* a vector that reaches into nothing: what lies before it is sent */
	m[0].msg_hdr.msg_name = &a;
	assert_int_equal(OK(sendmmsg(fd, contract_edge(m, 2 * sizeof(m[0])), 5, 0)), 2);
	close(one);
	close(two);
	close(fd);
}

static void other_families(void **state)
{
	int port = contract_port(), server, fd;
	struct sockaddr_in6 six = contract_in6("::1", port), mapped = contract_in6("::ffff:127.0.0.1", port);
	struct iovec data;
	struct msghdr m;

	(void)state;
	if (!contract_ipv6())
		skip();
	server = contract_udp6("::", port, 0);
	fd = contract_socket(AF_INET6, SOCK_DGRAM);
	assert_int_equal(OK(sendto(fd, "a", 1, 0, &six, sizeof(six))), 1);
	arrived(server, 1, contract_name(fd));
	assert_int_equal(OK(sendto(fd, "aa", 2, 0, &mapped, sizeof(mapped))), 2);
	arrived(server, 2, contract_name(fd));
	m = message(&six, sizeof(six), &data, (char[]){ "abc" }, 3);
	assert_int_equal(OK(sendmsg(fd, &m, 0)), 3);
	arrived(server, 3, contract_name(fd));
	close(fd);
	close(server);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest send_contract[] = {
		cmocka_unit_test(sendto_works),   cmocka_unit_test(sendto_errors),
		cmocka_unit_test(refused),        cmocka_unit_test(connected),
		cmocka_unit_test(tcp_ignores_the_address), cmocka_unit_test(fast_open),
		cmocka_unit_test(sendmsg_works),  cmocka_unit_test(sendmsg_errors),
		cmocka_unit_test(sendmmsg_works), cmocka_unit_test(other_families),
	};

	(void)argc;
	return contract_main(send_contract);
}
