/* The contract of recvfrom(2), recvmsg(2) and recvmmsg(2). */
#include <fcntl.h>
#include <linux/errqueue.h>
#include <poll.h>
#include <time.h>

#include "contract.h"

/* A server and a client, both bound to ports that they asked for. */
struct pair {
	int server, client;
	int server_port, client_port;
	struct sockaddr_in to_server;
};

static struct pair pair_open(void)
{
	struct pair p = { .server_port = contract_port(), .client_port = contract_port() };

	p.server = contract_udp("127.0.0.1", p.server_port);
	p.client = contract_udp("127.0.0.1", p.client_port);
	p.to_server = contract_in("127.0.0.1", p.server_port);
	return p;
}

static void pair_close(const struct pair *p)
{
	close(p->server);
	close(p->client);
}

static void put(const struct pair *p, const char *text)
{
	assert_int_equal(sendto(p->client, text, strlen(text), 0, &p->to_server, sizeof(p->to_server)),
			 (int)strlen(text));
	contract_wait(p->server, POLLIN);
}

static void source(void **state)
{
	struct pair p = pair_open();
	unsigned char bytes[64];
	struct sockaddr_in *a = (struct sockaddr_in *)bytes;
	socklen_t length;
	char text[16];

	(void)state;
	put(&p, "hello");
	length = sizeof(bytes);
	memset(bytes, 0xa5, sizeof(bytes));
	assert_int_equal(OK(recvfrom(p.server, text, sizeof(text), 0, (struct sockaddr *)bytes, &length)), 5);
	assert_int_equal(length, sizeof(*a));
	assert_int_equal(ntohs(a->sin_port), p.client_port);
	assert_int_equal(bytes[sizeof(*a)], 0xa5);
	/* the answer to what recvfrom told reaches the client, and comes from the port that it knows */
	assert_int_equal(OK(sendto(p.server, "re", 2, 0, a, sizeof(*a))), 2);
	length = sizeof(bytes);
	assert_int_equal(OK(recvfrom(p.client, text, sizeof(text), 0, (struct sockaddr *)bytes, &length)), 2);
	assert_int_equal(ntohs(a->sin_port), p.server_port);
	for (socklen_t room = 0; room < 18; room++) {
		put(&p, "x");
		length = room;
		memset(bytes, 0xa5, sizeof(bytes));
		assert_int_equal(OK(recvfrom(p.server, text, sizeof(text), 0, (struct sockaddr *)bytes, &length)), 1);
		assert_int_equal(length, sizeof(*a));
		assert_int_equal(bytes[room < sizeof(*a) ? room : sizeof(*a)], 0xa5);
		if (room >= 4)
			assert_int_equal(bytes[2] << 8 | bytes[3], p.client_port);
	}
	pair_close(&p);
}

static void recvfrom_errors(void **state)
{
	struct pair p = pair_open();
	struct sockaddr_in a;
	socklen_t length = sizeof(a), negative = (socklen_t)-1;
	char text[16];
	int pipes[2];

	(void)state;
	FAILS(EBADF, recvfrom(-1, text, sizeof(text), 0, &a, &length));
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	FAILS(ENOTSOCK, recvfrom(pipes[0], text, sizeof(text), 0, &a, &length));
	close(pipes[0]);
	close(pipes[1]);
	FAILS(EAGAIN, recvfrom(p.server, text, sizeof(text), MSG_DONTWAIT, &a, &length));
	assert_int_equal(length, sizeof(a));
	put(&p, "a");
	FAILS(EFAULT, recvfrom(p.server, text, sizeof(text), MSG_DONTWAIT, &a, NULL));
	put(&p, "a");
	FAILS(EFAULT,
	      recvfrom(p.server, text, sizeof(text), MSG_DONTWAIT, (struct sockaddr *)contract_unmapped(), &length));
	put(&p, "a");
	FAILS(EINVAL, recvfrom(p.server, text, sizeof(text), MSG_DONTWAIT, &a, &negative));
	put(&p, "a");
	FAILS(EFAULT, recvfrom(p.server, contract_unmapped(), 16, MSG_DONTWAIT, &a, &length));
	put(&p, "a");
	/* without an address the length is not looked at */
	assert_int_equal(OK(recvfrom(p.server, text, sizeof(text), 0, (struct sockaddr *)NULL, contract_unmapped())),
			 1);
	put(&p, "a");
	assert_int_equal(OK(recvfrom(p.server, text, sizeof(text), 0, (struct sockaddr *)NULL, NULL)), 1);
	pair_close(&p);
}

static void flags(void **state)
{
	struct pair p = pair_open();
	struct sockaddr_in a;
	socklen_t length = sizeof(a);
	char text[4];

	(void)state;
	put(&p, "longer than four");
	assert_int_equal(OK(recvfrom(p.server, text, 4, MSG_PEEK, &a, &length)), 4);
	assert_int_equal(ntohs(a.sin_port), p.client_port);
	a.sin_port = 0;
	length = sizeof(a);
	assert_int_equal(OK(recvfrom(p.server, text, 4, MSG_PEEK | MSG_TRUNC, &a, &length)), 16);
	assert_int_equal(ntohs(a.sin_port), p.client_port);
	a.sin_port = 0;
	length = sizeof(a);
	assert_int_equal(OK(recvfrom(p.server, NULL, 0, MSG_TRUNC, &a, &length)), 16);
	assert_int_equal(ntohs(a.sin_port), p.client_port);
	assert_int_equal(OK(sendto(p.client, NULL, 0, 0, &p.to_server, sizeof(p.to_server))), 0);
	length = sizeof(a);
	assert_int_equal(OK(recvfrom(p.server, text, 4, 0, &a, &length)), 0);
	assert_int_equal(ntohs(a.sin_port), p.client_port);
	pair_close(&p);
}

static void tcp_has_no_source(void **state)
{
	int port = contract_port(), server = contract_listener("127.0.0.1", port),
	    fd = contract_client("127.0.0.1", port);
	int accepted = (int)OK(accept(server, NULL, NULL));
	unsigned char bytes[64];
	socklen_t length = sizeof(bytes);
	struct iovec data = { bytes + 32, 8 };
	struct msghdr m = { .msg_name = bytes, .msg_namelen = 16, .msg_iov = &data, .msg_iovlen = 1 };

	(void)state;
	memset(bytes, 0xa5, sizeof(bytes));
	assert_int_equal(send(fd, "ab", 2, 0), 2);
	assert_int_equal(OK(recvfrom(accepted, bytes + 32, 8, 0, (struct sockaddr *)bytes, &length)), 2);
	contract_note("length %u", length);
	assert_int_equal(bytes[2], 0xa5);
	assert_int_equal(bytes[3], 0xa5);
	assert_int_equal(send(fd, "ab", 2, 0), 2);
	assert_int_equal(OK(recvmsg(accepted, &m, 0)), 2);
	assert_int_equal(m.msg_namelen, 0);
	assert_int_equal(bytes[2], 0xa5);
	close(fd);
	length = sizeof(bytes);
	assert_int_equal(OK(recvfrom(accepted, bytes + 32, 8, 0, (struct sockaddr *)bytes, &length)), 0);
	contract_note("length %u", length);
	close(accepted);
	close(server);
}

static void recvmsg_works(void **state)
{
	struct pair p = pair_open();
	unsigned char name[64];
	struct sockaddr_in *a = (struct sockaddr_in *)name;
	char text[16], rest[16];
	struct iovec data[2] = { { text, 2 }, { rest, sizeof(rest) } };
	struct msghdr m = { .msg_name = name, .msg_namelen = sizeof(name), .msg_iov = data, .msg_iovlen = 2 };

	(void)state;
	memset(name, 0xa5, sizeof(name));
	put(&p, "hello");
	assert_int_equal(OK(recvmsg(p.server, &m, 0)), 5);
	assert_int_equal(m.msg_namelen, sizeof(*a));
	assert_int_equal(ntohs(a->sin_port), p.client_port);
	assert_int_equal(name[sizeof(*a)], 0xa5);
	assert_memory_equal(text, "he", 2);
	assert_memory_equal(rest, "llo", 3);
	assert_int_equal(m.msg_flags, 0);
	for (socklen_t room = 0; room < 18; room++) {
		memset(name, 0xa5, sizeof(name));
		m.msg_namelen = room;
		put(&p, "x");
		assert_int_equal(OK(recvmsg(p.server, &m, 0)), 1);
		assert_int_equal(m.msg_namelen, sizeof(*a));
		assert_int_equal(name[room < sizeof(*a) ? room : sizeof(*a)], 0xa5);
		if (room >= 4)
			assert_int_equal(name[2] << 8 | name[3], p.client_port);
	}
	m.msg_name = NULL;
	m.msg_namelen = 16;
	m.msg_iovlen = 1;
	put(&p, "long");
	assert_int_equal(OK(recvmsg(p.server, &m, 0)), 2);
	assert_int_equal(m.msg_flags, MSG_TRUNC);
	contract_note("name %u", m.msg_namelen);
	pair_close(&p);
}

static void recvmsg_errors(void **state)
{
	struct pair p = pair_open();
	struct sockaddr_in a;
	char text[16];
	struct iovec data = { text, sizeof(text) };
	struct msghdr m = { .msg_name = &a, .msg_namelen = sizeof(a), .msg_iov = &data, .msg_iovlen = 1 }, before;

	(void)state;
	FAILS(EBADF, recvmsg(-1, &m, 0));
	FAILS(EFAULT, recvmsg(p.server, NULL, MSG_DONTWAIT));
	FAILS(EFAULT, recvmsg(p.server, contract_unmapped(), MSG_DONTWAIT));
	before = m;
	FAILS(EAGAIN, recvmsg(p.server, &m, MSG_DONTWAIT));
	assert_memory_equal(&m, &before, sizeof(m));
	m.msg_name = contract_unmapped();
	put(&p, "a");
	FAILS(EFAULT, recvmsg(p.server, &m, MSG_DONTWAIT));
	m = before;
	m.msg_namelen = (socklen_t)-1;
	put(&p, "a");
	FAILS(EINVAL, recvmsg(p.server, &m, MSG_DONTWAIT));
	contract_note("left over: %zd", recv(p.server, text, sizeof(text), MSG_DONTWAIT));
	m = before;
	m.msg_iov = contract_unmapped();
	FAILS(EFAULT, recvmsg(p.server, &m, MSG_DONTWAIT));
	m = before;
	m.msg_iovlen = 5000;
	FAILS(EMSGSIZE, recvmsg(p.server, &m, MSG_DONTWAIT));
	m = before;
	put(&p, "a");
	FAILS(EFAULT, recvmsg(p.server, contract_readonly(&m, sizeof(m)), MSG_DONTWAIT));
	pair_close(&p);
}

static void ancillary(void **state)
{
	struct pair p = pair_open();
	struct sockaddr_in a;
	char text[16];
	struct iovec data = { text, sizeof(text) };
	union {
		char bytes[256];
		struct cmsghdr align;
	} control;
	struct msghdr m = { .msg_name = &a, .msg_namelen = sizeof(a), .msg_iov = &data, .msg_iovlen = 1,
			    .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes) };
	struct in_pktinfo info = { 0 };

	(void)state;
	contract_option(p.server, IPPROTO_IP, IP_PKTINFO, 1);
	put(&p, "info");
	assert_int_equal(OK(recvmsg(p.server, &m, 0)), 4);
	assert_int_equal(ntohs(a.sin_port), p.client_port);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
			memcpy(&info, CMSG_DATA(c), sizeof(info));
	assert_int_equal(info.ipi_addr.s_addr, htonl(INADDR_LOOPBACK));
	/* too little room for it */
	m.msg_controllen = 8;
	m.msg_namelen = sizeof(a);
	put(&p, "info");
	assert_int_equal(OK(recvmsg(p.server, &m, 0)), 4);
	assert_int_equal(m.msg_flags & MSG_CTRUNC, MSG_CTRUNC);
	assert_int_equal(m.msg_namelen, sizeof(a));
	m.msg_control = contract_unmapped();
	m.msg_controllen = 64;
	put(&p, "info");
	contract_note("control in no memory: %zd", recvmsg(p.server, &m, 0));
	/* the port that the datagram was sent to, where it is asked for: what the program bound */
	contract_option(p.server, IPPROTO_IP, IP_PKTINFO, 0);
	contract_option(p.server, IPPROTO_IP, IP_RECVORIGDSTADDR, 1);
	m.msg_control = control.bytes;
	m.msg_controllen = sizeof(control.bytes);
	m.msg_namelen = sizeof(a);
	put(&p, "info");
	assert_int_equal(OK(recvmsg(p.server, &m, 0)), 4);
	assert_non_null(CMSG_FIRSTHDR(&m));
	assert_int_equal(CMSG_FIRSTHDR(&m)->cmsg_type, IP_ORIGDSTADDR);
	pair_close(&p);
}

/* The error queue names the destination of the datagram that failed. */
static void error_queue(void **state)
{
	int port = contract_closed(), fd = contract_socket(AF_INET, SOCK_DGRAM);
	struct sockaddr_in to = contract_in("127.0.0.1", port), a = { 0 };
	char text[16], control[256];
	struct iovec data = { text, sizeof(text) };
	struct msghdr m = { .msg_name = &a, .msg_namelen = sizeof(a), .msg_iov = &data, .msg_iovlen = 1,
			    .msg_control = control, .msg_controllen = sizeof(control) };

	(void)state;
	contract_option(fd, IPPROTO_IP, IP_RECVERR, 1);
	assert_int_equal(OK(sendto(fd, "lost", 4, 0, &to, sizeof(to))), 4);
	contract_wait(fd, POLLERR);
	assert_int_equal(OK(recvmsg(fd, &m, MSG_ERRQUEUE)), 4);
	assert_int_equal(m.msg_flags & MSG_ERRQUEUE, MSG_ERRQUEUE);
	assert_int_equal(ntohs(a.sin_port), port);
	close(fd);
}

static void recvmmsg_works(void **state)
{
	struct pair p = pair_open();
	struct sockaddr_in names[40];
	struct iovec data[40];
	struct mmsghdr m[40];
	char text[40][16] = { { 0 } };
	struct timespec none = { 0 }, bad = { .tv_nsec = -1 }, second = { .tv_sec = 1 };

	(void)state;
	memset(m, 0, sizeof(m));
	for (int i = 0; i < 40; i++) {
		data[i] = (struct iovec){ text[i], sizeof(text[i]) };
		m[i].msg_hdr = (struct msghdr){
			.msg_name = &names[i], .msg_namelen = sizeof(names[i]), .msg_iov = &data[i], .msg_iovlen = 1
		};
	}
	for (int i = 0; i < 3; i++)
		put(&p, "abc" + i);
	memset(names, 0, sizeof(names));
	assert_int_equal(OK(recvmmsg(p.server, m, 40, MSG_DONTWAIT, NULL)), 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(m[i].msg_len, 3 - i);
		assert_int_equal(m[i].msg_hdr.msg_namelen, sizeof(names[i]));
		assert_int_equal(ntohs(names[i].sin_port), p.client_port);
	}
	assert_int_equal(names[3].sin_port, 0);
	for (int i = 0; i < 40; i++)
		put(&p, "x");
	assert_int_equal(OK(recvmmsg(p.server, m, 40, MSG_WAITFORONE, &second)), 40);
	for (int i = 0; i < 40; i++)
		assert_int_equal(ntohs(names[i].sin_port), p.client_port);
	/* one without a name among them */
	put(&p, "x");
	put(&p, "x");
	m[0].msg_hdr.msg_name = NULL;
	m[0].msg_hdr.msg_namelen = 0;
	names[1].sin_port = 0;
	assert_int_equal(OK(recvmmsg(p.server, m, 2, 0, NULL)), 2);
	assert_int_equal(ntohs(names[1].sin_port), p.client_port);
	m[0].msg_hdr.msg_name = &names[0];
	m[0].msg_hdr.msg_namelen = sizeof(names[0]);

	FAILS(EAGAIN, recvmmsg(p.server, m, 2, MSG_DONTWAIT, NULL));
	FAILS(EAGAIN, recvmmsg(p.server, m, 2, MSG_DONTWAIT, &none));
	FAILS(EINVAL, recvmmsg(p.server, m, 2, 0, &bad));
	FAILS(EBADF, recvmmsg(-1, m, 2, 0, NULL));
	FAILS(EFAULT, recvmmsg(p.server, NULL, 2, MSG_DONTWAIT, NULL));
	FAILS(EFAULT, recvmmsg(p.server, contract_unmapped(), 2, MSG_DONTWAIT, NULL));
	FAILS(EFAULT, recvmmsg(p.server, m, 2, MSG_DONTWAIT, contract_unmapped()));
	assert_int_equal(OK(recvmmsg(p.server, m, 0, MSG_DONTWAIT, NULL)), 0);
	/* an error behind the first message does not hide it */
	put(&p, "x");
	put(&p, "x");
	m[1].msg_hdr.msg_name = contract_unmapped();
	assert_int_equal(OK(recvmmsg(p.server, m, 2, MSG_DONTWAIT, NULL)), 1);
	assert_int_equal(ntohs(names[0].sin_port), p.client_port);
	m[1].msg_hdr.msg_name = &names[1];
	FAILS(EFAULT, recvmmsg(p.server, m, 1, MSG_DONTWAIT, NULL)); /* what is reported late */
	/* a vector that reaches into nothing: what lies before it is filled in */
	put(&p, "x");
	put(&p, "x");
	memset(names, 0, sizeof(names));
	assert_int_equal(OK(recvmmsg(p.server, contract_edge(m, 2 * sizeof(m[0])), 5, MSG_DONTWAIT, NULL)), 2);
	assert_int_equal(ntohs(names[0].sin_port), p.client_port);
	assert_int_equal(ntohs(names[1].sin_port), p.client_port);
	pair_close(&p);
}

static void connected(void **state)
{
	struct pair p = pair_open();
	struct sockaddr_in a;
	socklen_t length = sizeof(a);
	int stranger = contract_socket(AF_INET, SOCK_DGRAM);
	char text[16];

	(void)state;
	OK(connect(p.client, &p.to_server, sizeof(p.to_server)));
	put(&p, "hi");
	assert_int_equal(OK(recvfrom(p.server, text, sizeof(text), 0, &a, &length)), 2);
	assert_int_equal(OK(sendto(p.server, "ho", 2, 0, &a, length)), 2);
	a.sin_port = 0;
	length = sizeof(a);
	assert_int_equal(OK(recvfrom(p.client, text, sizeof(text), 0, &a, &length)), 2);
	assert_int_equal(ntohs(a.sin_port), p.server_port);
	/* others are filtered by the kernel */
	a = contract_in("127.0.0.1", p.client_port);
	assert_int_equal(sendto(stranger, "boo", 3, 0, &a, sizeof(a)), 3);
	FAILS(EAGAIN, recvfrom(p.client, text, sizeof(text), MSG_DONTWAIT, &a, &length));
	close(stranger);
	pair_close(&p);
}

static void other_families(void **state)
{
	int port = contract_port(), own = contract_port(), server, client;
	struct sockaddr_in6 to = contract_in6("::1", port), a;
	struct sockaddr_in to4 = contract_in("127.0.0.1", port);
	socklen_t length = sizeof(a);
	char text[16];

	(void)state;
	if (!contract_ipv6())
		skip();
	server = contract_udp6("::", port, 0);
	client = contract_udp6("::1", own, 1);
	assert_int_equal(OK(sendto(client, "six", 3, 0, &to, sizeof(to))), 3);
	assert_int_equal(OK(recvfrom(server, text, sizeof(text), 0, &a, &length)), 3);
	assert_int_equal(ntohs(a.sin6_port), own);
	assert_int_equal(length, sizeof(a));
	close(client);
	client = contract_udp("127.0.0.1", own);
	assert_int_equal(OK(sendto(client, "four", 4, 0, &to4, sizeof(to4))), 4);
	assert_int_equal(OK(recvfrom(server, text, sizeof(text), 0, &a, &length)), 4);
	assert_true(IN6_IS_ADDR_V4MAPPED(&a.sin6_addr));
	assert_int_equal(ntohs(a.sin6_port), own);
	assert_int_equal(OK(sendto(server, "re", 2, 0, &a, length)), 2);
	length = sizeof(to4);
	assert_int_equal(OK(recvfrom(client, text, sizeof(text), 0, &to4, &length)), 2);
	assert_int_equal(ntohs(to4.sin_port), port);
	close(client);
	close(server);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest recv_contract[] = {
		cmocka_unit_test(source),        cmocka_unit_test(recvfrom_errors), cmocka_unit_test(flags),
		cmocka_unit_test(tcp_has_no_source), cmocka_unit_test(recvmsg_works), cmocka_unit_test(recvmsg_errors),
		cmocka_unit_test(ancillary),     cmocka_unit_test(error_queue),     cmocka_unit_test(recvmmsg_works),
		cmocka_unit_test(connected),     cmocka_unit_test(other_families),
	};

	(void)argc;
	return contract_main(recv_contract);
}
