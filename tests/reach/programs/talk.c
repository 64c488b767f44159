/*
 * talk.c - an ordinary network program in C, for the tests of the suite reach:
 *
 *	talk serve PORT IDENTITY         answers on PORT, by TCP and by UDP, on IPv4 and (where there is any) IPv6
 *	talk line HOST PORT [COUNT]      what a TCP server says by itself, to COUNT threads at once
 *	talk udp HOST PORT [COUNT]       what a UDP server answers, by each kind of call, and from where
 *
 * Theory of operation. The same source becomes several programs: linked statically against musl and against glibc, and
 * with -DRAW one whose calls about sockets are the processor's own instruction, so that no library can see them, be it
 * preloaded or not. Clients print the different answers, and an error for what is not as on any host: a peer that says
 * another port than was asked for. The server uses recvfrom/sendto and recvmsg/sendmsg by turns.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#ifdef RAW
static long raw(long number, long a, long b, long c, long d, long e, long f)
{
	long result;

#if defined(__x86_64__)
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
#else
#error "no system call instruction is known for this processor"
#endif
	if (result < 0 && result > -4096) {
		errno = -result;
		return -1;
	}
	return result;
}
/* What is in the arguments that a call does not have is nobody's business: here something is. */
#define REST 0x5eed5eed5eed5eed
#define socket(a, b, c) (int)raw(SYS_socket, a, b, c, REST, REST, REST)
#define bind(a, b, c) (int)raw(SYS_bind, a, (long)(b), c, REST, REST, REST)
#define listen(a, b) (int)raw(SYS_listen, a, b, REST, REST, REST, REST)
#define connect(a, b, c) (int)raw(SYS_connect, a, (long)(b), c, REST, REST, REST)
#define getsockname(a, b, c) (int)raw(SYS_getsockname, a, (long)(b), (long)(c), REST, REST, REST)
#define getpeername(a, b, c) (int)raw(SYS_getpeername, a, (long)(b), (long)(c), REST, REST, REST)
#define sendto(a, b, c, d, e, f) raw(SYS_sendto, a, (long)(b), c, d, (long)(e), f)
#define recvfrom(a, b, c, d, e, f) raw(SYS_recvfrom, a, (long)(b), c, d, (long)(e), (long)(f))
#define sendmsg(a, b, c) raw(SYS_sendmsg, a, (long)(b), c, REST, REST, REST)
#define recvmsg(a, b, c) raw(SYS_recvmsg, a, (long)(b), c, REST, REST, REST)
#endif

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static socklen_t size_of(const union address *a)
{
	return a->any.sa_family == AF_INET ? sizeof(a->in) : sizeof(a->in6);
}

static unsigned port_of(const union address *a)
{
	return ntohs(a->any.sa_family == AF_INET ? a->in.sin_port : a->in6.sin6_port);
}

/* HOST may be "any4" or "any6". */
static bool make_address(union address *a, const char *host, int port)
{
	memset(a, 0, sizeof(*a));
	if (strcmp(host, "any6") == 0 || inet_pton(AF_INET6, host, &a->in6.sin6_addr) == 1) {
		a->in6.sin6_family = AF_INET6;
		a->in6.sin6_port = htons(port);
		return true;
	}
	a->in.sin_family = AF_INET;
	a->in.sin_port = htons(port);
	return strcmp(host, "any4") == 0 || inet_pton(AF_INET, host, &a->in.sin_addr) == 1;
}

/* ---- the server -------------------------------------------------------------------------------------------------- */

static int open_socket(const char *host, int type, int port)
{
	union address a;
	int on = 1, fd;

	make_address(&a, host, port);
	fd = socket(a.any.sa_family, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (a.any.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, &a.any, size_of(&a)) < 0 || (type == SOCK_STREAM && listen(fd, 64) < 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void answer_tcp(int fd, const char *identity)
{
	int c = accept(fd, NULL, NULL);

	if (c < 0)
		return;
	dprintf(c, "%s\n", identity);
	close(c);
}

static void answer_udp(int fd, const char *identity, bool by_message)
{
	union address from;
	socklen_t length = sizeof(from);
	char buffer[512];
	struct iovec in = { buffer, sizeof(buffer) }, out = { (char *)identity, strlen(identity) };
	struct msghdr m = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &in, .msg_iovlen = 1 };

	if (!by_message) {
		if (recvfrom(fd, buffer, sizeof(buffer), 0, &from.any, &length) >= 0)
			sendto(fd, identity, strlen(identity), 0, &from.any, length);
		return;
	}
	if (recvmsg(fd, &m, 0) < 0)
		return;
	m.msg_iov = &out;
	m.msg_control = NULL;
	m.msg_controllen = 0;
	sendmsg(fd, &m, 0);
}

static int serve(int port, const char *identity)
{
	struct pollfd p[4];
	union address own;
	socklen_t length = sizeof(own);
	bool by_message = false;

	for (int i = 0; i < 4; i++) {
		p[i].fd = open_socket(i & 2 ? "any6" : "any4", i & 1 ? SOCK_STREAM : SOCK_DGRAM, port);
		p[i].events = POLLIN;
		if (p[i].fd < 0 && !(i & 2)) {
			perror("talk");
			return 1;
		}
	}
	if (getsockname(p[1].fd, &own.any, &length) == 0)
		printf("listening on %u\n", port_of(&own));
	fflush(stdout);
	while (poll(p, 4, -1) >= 0) {
		for (int i = 0; i < 4; i++) {
			if (!(p[i].revents & POLLIN))
				continue;
			if (i & 1)
				answer_tcp(p[i].fd, identity);
			else
				answer_udp(p[i].fd, identity, by_message = !by_message);
		}
	}
	return 1;
}

/* ---- clients ----------------------------------------------------------------------------------------------------- */

struct question {
	union address to;
	bool udp;
	int kind; /* 0: sendto, 1: connected, 2: sendmsg */
	char answer[600];
};

/* What must be so on any host, and the time that an answer may take. */
static bool peer_is(int fd, const struct question *q)
{
	union address peer;
	socklen_t length = sizeof(peer);

	return getpeername(fd, &peer.any, &length) == 0 && port_of(&peer) == port_of(&q->to);
}

static const char *ask_line(int fd, struct question *q)
{
	size_t n = 0;
	ssize_t got;

	if (connect(fd, &q->to.any, size_of(&q->to)) < 0)
		return strerror(errno);
	if (!peer_is(fd, q))
		return "getpeername says another port";
	while (n < sizeof(q->answer) - 1 && (got = read(fd, q->answer + n, sizeof(q->answer) - 1 - n)) > 0)
		n += got;
	q->answer[n] = '\0';
	q->answer[strcspn(q->answer, "\n")] = '\0';
	return NULL;
}

static const char *ask_udp(int fd, struct question *q)
{
	union address from = q->to;
	socklen_t length = sizeof(from);
	char text[INET6_ADDRSTRLEN], buffer[256];
	struct iovec v = { (char *)"who", 3 };
	struct msghdr m = { .msg_name = &from, .msg_namelen = size_of(&q->to), .msg_iov = &v, .msg_iovlen = 1 };
	ssize_t n;

	if (q->kind == 1 && connect(fd, &q->to.any, size_of(&q->to)) < 0)
		return strerror(errno);
	if (q->kind == 1 && !peer_is(fd, q))
		return "getpeername says another port";
	if (q->kind == 2)
		n = sendmsg(fd, &m, 0);
	else
		n = sendto(fd, "who", 3, 0, q->kind == 1 ? NULL : &q->to.any, q->kind == 1 ? 0 : size_of(&q->to));
	if (n < 0)
		return strerror(errno);
	if (q->kind == 2) {
		v = (struct iovec){ buffer, sizeof(buffer) - 1 };
		m.msg_namelen = sizeof(from);
		n = recvmsg(fd, &m, 0);
	} else {
		n = recvfrom(fd, buffer, sizeof(buffer) - 1, 0, &from.any, &length);
	}
	if (n < 0)
		return strerror(errno);
	buffer[n] = '\0';
	inet_ntop(from.any.sa_family, from.any.sa_family == AF_INET ? (void *)&from.in.sin_addr : &from.in6.sin6_addr,
		  text, sizeof(text));
	snprintf(q->answer, sizeof(q->answer), "%s %s %u", buffer, text, port_of(&from));
	return NULL;
}

static void *ask(void *at)
{
	struct question *q = at;
	struct timeval limit = { 20, 0 };
	int fd = socket(q->to.any.sa_family, (q->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	const char *fault = fd < 0 ? strerror(errno) : NULL;

	if (!fault) {
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		fault = q->udp ? ask_udp(fd, q) : ask_line(fd, q);
		close(fd);
	}
	if (fault)
		snprintf(q->answer, sizeof(q->answer), "%s", fault);
	return NULL;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct question *)a)->answer, ((const struct question *)b)->answer);
}

int main(int argc, char **argv)
{
	int count = argc > 4 ? atoi(argv[4]) : 1;
	struct question *q;
	pthread_t *threads;

	if (argc == 4 && strcmp(argv[1], "serve") == 0)
		return serve(atoi(argv[2]), argv[3]);
	q = calloc(count, sizeof(*q));
	threads = calloc(count, sizeof(*threads));
	if (argc < 4 || !q || !threads)
		return 2;
	for (int i = 0; i < count; i++) {
		q[i].udp = strcmp(argv[1], "udp") == 0;
		q[i].kind = i % 3;
		if (!make_address(&q[i].to, argv[2], atoi(argv[3])))
			return 2;
		if (pthread_create(&threads[i], NULL, ask, &q[i]))
			return 3;
	}
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	qsort(q, count, sizeof(*q), compare);
	for (int i = 0; i < count; i++)
		if (i == 0 || strcmp(q[i].answer, q[i - 1].answer) != 0)
			puts(q[i].answer);
	return 0;
}
