/* cases_datagrams.c - UDP with and without addresses. */
#include "matrix.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

static int udp_server(int number)
{
	int fd = datagram4();

	must(!bind4(fd, "127.0.0.1", number), "bind");
	return fd;
}

static ssize_t send_to(int fd, const char *text, int number)
{
	struct sockaddr_in a = in4("127.0.0.1", number);

	return sendto(fd, text, strlen(text), 0, (struct sockaddr *)&a, sizeof(a));
}

static void receive(const char *what, int fd, int flags)
{
	struct sockaddr_storage a = { 0 };
	socklen_t length = sizeof(a);
	char text[16] = "";
	ssize_t size;

	errno = 0;
	size = recvfrom(fd, text, sizeof(text) - 1, flags, (struct sockaddr *)&a, &length);
	result(what, size);
	if (size >= 0)
		say("%s: '%s' from %s, %u", what, text, address_name(&a, length), (unsigned)length);
}

static void sendto_recvfrom(void)
{
	int p = port(), q = port(), server = udp_server(p), client = datagram4(), bound = udp_server(q);
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	char byte;

	own_name("server", server);
	R("sendto", send_to(client, "one", p));
	own_name("client", client);
	receive("server", server, MSG_PEEK);
	R("recvfrom", recvfrom(server, &byte, 1, MSG_TRUNC, (struct sockaddr *)&from, &length));
	R("reply", sendto(server, "two", 3, 0, (struct sockaddr *)&from, length));
	receive("client", client, 0);
	R("bound", send_to(bound, "three", p));
	receive("server", server, 0);
	R("back", send_to(server, "four", q));
	receive("bound", bound, 0);
	receive("nothing", server, MSG_DONTWAIT);
	R("to nobody", send_to(client, "x", closed()));
	R("then", send_to(client, "x", p));
	R("empty", send_to(client, "", p));
	receive("server", server, 0);
	receive("server", server, 0);
	R("wildcard", bind4(client = datagram4(), "0.0.0.0", q = port()));
	own_name("wildcard", client);
	R("to it", send_to(server, "five", q));
	receive("wildcard", client, 0);
	R("bind taken", bind4(datagram4(), "127.0.0.1", p));
	R("bind again", bind4(server, "127.0.0.1", p));
}

static void connected(void)
{
	int p = port(), q = port(), server = udp_server(p), other = udp_server(q), client = datagram4();
	struct sockaddr_in a = in4("127.0.0.1", 0);

	R("connect", connect4(client, "127.0.0.1", p));
	peer_name("client", client);
	R("send", send(client, "one", 3, 0));
	receive("server", server, 0);
	own_name("client", client);
	R("sendto elsewhere", send_to(client, "two", q));
	receive("other", other, 0);
	R("connect elsewhere", connect4(client, "127.0.0.1", q));
	peer_name("client", client);
	R("send", send(client, "three", 5, 0));
	receive("other", other, 0);
	a.sin_family = AF_UNSPEC;
	R("AF_UNSPEC", connect(client, (struct sockaddr *)&a, sizeof(a)));
	peer_name("client", client);
	R("send", send(client, "x", 1, 0));
	R("connect both", connect4(server, "127.0.0.1", q));
	R("connect both", connect4(other, "127.0.0.1", p));
	R("send", send(server, "four", 4, 0));
	receive("other", other, 0);
	R("refused: connect", connect4(client, "127.0.0.1", closed()));
	R("send", send(client, "x", 1, 0));
	R("recv", recv(client, &p, sizeof(p), MSG_DONTWAIT));
}

static void messages(void)
{
	int p = port(), server = udp_server(p), client = datagram4();
	struct sockaddr_storage name = { 0 };
	struct sockaddr_in to = in4("127.0.0.1", p);
	char text[2][8] = { "", "" };
	struct iovec data[2] = { { .iov_base = text[0], .iov_len = 4 }, { .iov_base = text[1], .iov_len = 4 } };
	struct msghdr m = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = data, .msg_iovlen = 2 };
	struct mmsghdr many[3] = { 0 };
	struct sockaddr_storage names[3];

	R("sendmsg", sendmsg(client, &m, 0));
	m.msg_name = &name;
	m.msg_namelen = sizeof(name);
	data[0].iov_len = data[1].iov_len = 3;
	R("recvmsg", recvmsg(server, &m, 0));
	say("%s, %u, flags %x", address_name(&name, m.msg_namelen), (unsigned)m.msg_namelen, (unsigned)m.msg_flags);
	R("reply", sendto(server, "abc", 3, 0, (struct sockaddr *)&name, m.msg_namelen));
	m.msg_namelen = 8;
	memset(&name, 0, sizeof(name));
	R("short name", recvmsg(client, &m, 0));
	say("%u, port %s", (unsigned)m.msg_namelen, port_name(ntohs(((struct sockaddr_in *)&name)->sin_port)));
	for (int i = 0; i < 3; i++)
		many[i].msg_hdr =
			(struct msghdr){ .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = data, .msg_iovlen = 1 };
	R("sendmmsg", sendmmsg(client, many, 3, 0));
	say("%u %u %u", many[0].msg_len, many[1].msg_len, many[2].msg_len);
	for (int i = 0; i < 3; i++)
		many[i].msg_hdr = (struct msghdr){
			.msg_name = &names[i], .msg_namelen = sizeof(names[i]), .msg_iov = data, .msg_iovlen = 1
		};
	R("recvmmsg", recvmmsg(server, many, 2, 0, NULL));
	R("sendmmsg back", sendmmsg(server, many, 2, 0));
	R("recvmmsg, more than there are", recvmmsg(server, many, 3, MSG_DONTWAIT, NULL));
	R("recvmmsg, none", recvmmsg(server, many, 3, MSG_DONTWAIT, NULL));
	for (int i = 0; i < 3; i++)
		many[i].msg_hdr.msg_namelen = sizeof(names[i]);
	R("recvmmsg, replies", recvmmsg(client, many, 3, MSG_DONTWAIT, NULL));
	say("%s", address_name(&names[1], many[1].msg_hdr.msg_namelen));
	m.msg_name = NULL;
	R("no name", sendmsg(client, &m, 0));
	m.msg_namelen = 200;
	m.msg_name = &name;
	memcpy(&name, &to, sizeof(to));
	R("long name", sendmsg(client, &m, 0));
	m.msg_namelen = 4;
	R("short name", sendmsg(client, &m, 0));
	m.msg_name = (void *)(uintptr_t)8;
	R("bad name", sendmsg(client, &m, 0));
	/* by number: a C library may look into it */
	R("bad message", syscall(SYS_sendmsg, client, (uintptr_t)8, 0));
	R("bad message", syscall(SYS_recvmsg, client, (uintptr_t)8, MSG_DONTWAIT));
}

static void bad(void)
{
	static const int given[] = { 0, 1, 2, 15, 17, 128, 129, -1 };
	int p = port(), server = udp_server(p), client = datagram4();
	struct sockaddr_in a = in4("127.0.0.1", p);
	struct sockaddr_storage big = { 0 };
	struct sockaddr_in6 six = in6("::1", p);
	socklen_t length;
	char byte;

	memcpy(&big, &a, sizeof(a));
	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
		char what[32];

		snprintf(what, sizeof(what), "length %d", given[i]);
		R(what, sendto(client, "x", 1, 0, (struct sockaddr *)&big, (socklen_t)given[i]));
	}
	R("bad address", sendto(client, "x", 1, 0, (struct sockaddr *)(uintptr_t)8, sizeof(a)));
	R("bad data", sendto(client, (void *)(uintptr_t)8, 1, 0, (struct sockaddr *)&a, sizeof(a)));
	R("inet6 address", sendto(client, "x", 1, 0, (struct sockaddr *)&six, sizeof(six)));
	R("NULL", sendto(client, "x", 1, 0, NULL, sizeof(a)));
	R("stream", sendto(stream4(), "x", 1, MSG_NOSIGNAL, (struct sockaddr *)&a, sizeof(a)));
	R("-1", sendto(-1, "x", 1, 0, (struct sockaddr *)&a, sizeof(a)));
	a.sin_family = AF_UNSPEC;
	R("AF_UNSPEC", sendto(client, "u", 1, 0, (struct sockaddr *)&a, sizeof(a)));
	a.sin_family = 77;
	R("family 77", sendto(client, "x", 1, 0, (struct sockaddr *)&a, sizeof(a)));
	a.sin_port = 0;
	a.sin_family = AF_INET;
	R("port 0", sendto(client, "x", 1, 0, (struct sockaddr *)&a, sizeof(a)));
	while (recv(server, &byte, 1, MSG_DONTWAIT) == 1)
		say("there: %c", byte);
	for (int i = 0; i < 8; i++) {
		memset(&big, 0x5a, sizeof(big));
		must(send_to(client, "y", p) == 1, "sendto");
		length = (socklen_t)given[i];
		R("recvfrom", recvfrom(server, &byte, 1, MSG_DONTWAIT, (struct sockaddr *)&big, &length));
		say("length %d: %u", given[i], (unsigned)length);
	}
	must(send_to(client, "y", p) == 1, "sendto");
	R("bad length", recvfrom(server, &byte, 1, MSG_DONTWAIT, (struct sockaddr *)&big, (socklen_t *)(uintptr_t)8));
	length = sizeof(big);
	must(send_to(client, "y", p) == 1, "sendto");
	R("bad room", recvfrom(server, &byte, 1, MSG_DONTWAIT, (struct sockaddr *)(uintptr_t)8, &length));
}

/* Waits of a process that has sent to a port of its own environment: those that are held (src/notify). */
static void waits(void)
{
	static const struct timeval limit = { .tv_usec = 100000 };
	int p = port(), server = udp_server(p), client = datagram4();
	const struct timespec pause = { .tv_nsec = 60000000 };
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	double start;
	char byte;
	pid_t pid;

	must(!setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), "SO_RCVTIMEO");
	R("sendto", send_to(client, "one", p));
	start = seconds();
	receive("times out", client, 0);
	say("%s", how_long(start, 0.08));
	must(!setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ 0 }, sizeof(limit)), "SO_RCVTIMEO");
	handler(false);
	alarm_in(50, 50000); /* one may come before the call */
	receive("interrupted", client, 0);
	alarm_in(0, 0);
	say("handled %d", *handled > 0);
	must(recvfrom(server, &byte, 1, 0, (struct sockaddr *)&from, &length) == 1, "recvfrom");
	pid = fork();
	if (!pid) {
		nanosleep(&pause, NULL);
		_exit(sendto(server, "two", 3, 0, (struct sockaddr *)&from, length) != 3);
	}
	receive("waits for it", client, 0);
	must(waitpid(pid, NULL, 0) == pid, "wait");
	handler(true);
	pid = fork();
	if (!pid) {
		until_handled(3);
		_exit(sendto(server, "three", 5, 0, (struct sockaddr *)&from, length) != 5);
	}
	alarm_in(20, 20000);
	receive("SA_RESTART", client, 0);
	alarm_in(0, 0);
	say("handled %d", *handled > 2);
	must(waitpid(pid, NULL, 0) == pid, "wait");
	must(fcntl(client, F_SETFL, O_NONBLOCK) == 0, "non-blocking");
	start = seconds();
	receive("non-blocking", client, 0);
	say("%s", how_long(start, 0));
}

/* A receive that would wait comes back when the socket is shut down: with what is there, then with nothing. */
static void shut(void)
{
	int p = port(), server = udp_server(p), client = datagram4();
	const struct timespec pause = { .tv_nsec = 60000000 };
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	struct mmsghdr many[2] = { { .msg_len = 7 }, { .msg_len = 7 } };
	struct msghdr m = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_flags = 7 };
	char byte;
	pid_t pid;

	R("sendto", send_to(client, "one", p));
	must(recvfrom(server, &byte, 1, 0, (struct sockaddr *)&from, &length) == 1, "recvfrom");
	pid = fork();
	if (!pid) {
		nanosleep(&pause, NULL);
		_exit(shutdown(client, SHUT_RD) == 0 || errno != ENOTCONN);
	}
	receive("woken", client, 0);
	must(waitpid(pid, NULL, 0) == pid, "wait");
	receive("shut", client, 0);
	receive("shut, does not wait", client, MSG_DONTWAIT);
	must(sendto(server, "two", 3, 0, (struct sockaddr *)&from, length) == 3, "sendto");
	receive("one is there", client, 0);
	R("recvmsg", syscall(SYS_recvmsg, client, &m, MSG_CMSG_CLOEXEC));
	say("flags %x, name %d", (unsigned)m.msg_flags, (int)m.msg_namelen);
	for (int i = 0; i < 2; i++) {
		many[i].msg_hdr.msg_name = &from;
		many[i].msg_hdr.msg_namelen = sizeof(from);
	}
	R("recvmmsg", syscall(SYS_recvmmsg, client, many, 2, 0, NULL));
	say("lengths %u %u", many[0].msg_len, many[1].msg_len);
}

/* What the kernel says first, of several things that are wrong. */
static void which_error(void)
{
	int p = port(), client = datagram4();
	struct sockaddr_in to = in4("127.0.0.1", p);
	struct mmsghdr none = { .msg_len = 0 };
	static char large[70000];

	udp_server(p);
	R("bad data", sendto(client, (void *)8, 3, 0, (struct sockaddr *)&to, sizeof(to)));
	own_name("bad data", client);
	client = datagram4();
	R("too long", sendto(client, large, sizeof(large), 0, (struct sockaddr *)&to, sizeof(to)));
	own_name("too long", client);
	R("sendto", send_to(client, "one", p));
	R("connect", connect4(client, "127.0.0.1", closed()));
	R("nobody", send(client, "", 1, 0));
	R("error and bad data", sendto(client, (void *)8, 3, 0, (struct sockaddr *)&to, sizeof(to)));
	R("nobody", send(client, "", 1, 0));
	R("error and no messages", syscall(SYS_recvmmsg, client, &none, 0, MSG_DONTWAIT, NULL));
	R("no messages", syscall(SYS_recvmmsg, client, &none, 0, MSG_DONTWAIT, NULL));
}

const struct matrix_case matrix_datagrams[] = {
	{ "udp", sendto_recvfrom }, { "udp-connected", connected }, { "udp-messages", messages },
	{ "udp-bad", bad },         { "udp-waits", waits },         { "udp-shut", shut },
	{ "udp-errors", which_error }, { NULL, NULL },
};
