/*
 * act.c - a program made of steps, for the tests of races and faults. It links nothing of portshim.
 *
 * act STEP...   in order; the first one that fails is reported and ends it with 1
 *	number:N        who it is: reported, and sent to clients
 *	KIND:PORT       a socket, bound. KIND is tcp4, tcp6 (both families), only6, lo4, lo6, udp4, udp6, with +a
 *	                SO_REUSEADDR, +p SO_REUSEPORT
 *	raw-KIND:PORT   the same past the C library, so that portshim does not see it: an unmanaged program
 *	listen, close   the last socket
 *	raw-listen      the first one
 *	barrier         reports and waits until everybody may go on
 *	child:N, end    the next steps up to `end` in a child that is waited for (N 0) or left alone (N 1)
 *	serve           reports, then answers clients on all sockets until it is told to end
 *	again           reports and goes on
 *	client:KIND:PORT  asks a server for its number and reports it (or the errno)
 *	forever         waits to be killed
 *	noise:SEED      binds, and mostly listens on, ports of the default range, each for a moment, until told to end
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report.h"

#define SOCKETS 16
#define CLIENT_TRIES 300 /* a datagram may be lost */

struct kind {
	int family, type;
	bool loopback, only6, reuse_address, reuse_port, raw;
};

static int sockets[SOCKETS];
static int count, number, step;
static uint16_t last_port;

/* Not through the C library, where portshim would see it. */
static long raw(long call, long a, long b, long c)
{
#ifdef __x86_64__
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(call), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return result;
#else
	(void)call, (void)a, (void)b, (void)c;
	return -ENOSYS;
#endif
}

static void tell(int kind, int error, int answer)
{
	struct act_report r = {.pid = getpid(), .number = number, .kind = kind, .error = error, .step = step,
			       .answer = answer, .requested = last_port};
	struct sockaddr_in6 a = {0};
	socklen_t length = sizeof(a);
	struct stat st;

	if (count && fstat(sockets[count - 1], &st) == 0)
		r.inode = (uint32_t)st.st_ino;
	if (count && getsockname(sockets[count - 1], (struct sockaddr *)&a, &length) == 0)
		r.named = ntohs(a.sin6_port);
	if (write(ACT_REPORT, &r, sizeof(r)) != sizeof(r))
		_exit(3);
}

static void failed(void)
{
	tell(ACT_FAILED, errno, 0);
	_exit(1);
}

/* Returns when the other end is closed. */
static void wait_for(int fd)
{
	char byte;

	while (read(fd, &byte, 1) < 0 && errno == EINTR)
		;
}

static struct kind parse_kind(const char *word)
{
	struct kind k = {AF_INET, SOCK_STREAM, false, false, false, false, false};

	if (strncmp(word, "raw-", 4) == 0) {
		k.raw = true;
		word += 4;
	}
	if (strncmp(word, "udp", 3) == 0)
		k.type = SOCK_DGRAM;
	k.loopback = strncmp(word, "lo", 2) == 0;
	k.only6 = strncmp(word, "only6", 5) == 0;
	word += strcspn(word, "46");
	if (*word == '6')
		k.family = AF_INET6;
	for (word++; *word == '+'; word += 2) {
		k.reuse_address |= word[1] == 'a';
		k.reuse_port |= word[1] == 'p';
	}
	return k;
}

static socklen_t fill(struct sockaddr_in6 *a, const struct kind *k, int port, bool client)
{
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	memset(a, 0, sizeof(*a));
	a->sin6_family = AF_INET6;
	a->sin6_port = htons((uint16_t)port);
	if (k->loopback || client) {
		a->sin6_addr = in6addr_loopback;
		four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	}
	if (k->family == AF_INET6)
		return sizeof(*a);
	memcpy(a, &four, sizeof(four));
	return sizeof(four);
}

static void do_bind(const char *word, int port)
{
	struct kind k = parse_kind(word);
	struct sockaddr_in6 a;
	socklen_t length = fill(&a, &k, port, false);
	int fd = socket(k.family, k.type | SOCK_CLOEXEC, 0), yes = 1, no = 0;

	if (fd < 0 || count == SOCKETS)
		failed();
	sockets[count++] = fd;
	last_port = (uint16_t)port;
	if (k.family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, k.only6 ? &yes : &no, sizeof(no));
	if (k.reuse_address)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (k.reuse_port)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof(yes));
	if (k.raw) {
		errno = (int)-raw(SYS_bind, fd, (long)&a, length);
		if (errno)
			failed();
	} else if (bind(fd, (struct sockaddr *)&a, length)) {
		failed();
	}
}

/* ---- serving and asking ---- */

static void answer(int fd)
{
	struct sockaddr_in6 from;
	socklen_t length = sizeof(from);
	int type = 0, peer;
	socklen_t size = sizeof(type);
	char byte;

	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
	if (type == SOCK_DGRAM) {
		if (recvfrom(fd, &byte, 1, MSG_DONTWAIT, (struct sockaddr *)&from, &length) == 1)
			sendto(fd, &number, sizeof(number), 0, (struct sockaddr *)&from, length);
		return;
	}
	peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	if (peer >= 0) {
		if (write(peer, &number, sizeof(number)) < 0)
			errno = 0;
		close(peer);
	}
}

static void serve(void)
{
	struct pollfd fds[SOCKETS + 1];

	tell(ACT_READY, 0, 0);
	for (;;) {
		for (int i = 0; i < count; i++)
			fds[i] = (struct pollfd){.fd = sockets[i], .events = POLLIN};
		fds[count] = (struct pollfd){.fd = ACT_END, .events = POLLIN};
		if (poll(fds, (nfds_t)count + 1, -1) < 0 && errno != EINTR)
			failed();
		if (fds[count].revents)
			_exit(0);
		for (int i = 0; i < count; i++)
			if (fds[i].revents)
				answer(sockets[i]);
	}
}

static int ask(const struct kind *k, int port, int *got)
{
	struct sockaddr_in6 a;
	socklen_t length = fill(&a, k, port, true);
	int fd = socket(k->family, k->type | SOCK_CLOEXEC, 0), error = 0,
	    tries = k->type == SOCK_DGRAM ? CLIENT_TRIES : 1;
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (fd < 0 || connect(fd, (struct sockaddr *)&a, length))
		error = errno;
	for (; !error && tries; tries--) {
		if (k->type == SOCK_DGRAM && send(fd, "?", 1, 0) != 1)
			error = errno;
		else if (poll(&p, 1, k->type == SOCK_DGRAM ? 200 : 60000) == 1)
			break;
		else if (tries == 1)
			error = ETIMEDOUT;
	}
	if (!error && read(fd, got, sizeof(*got)) != sizeof(*got))
		error = errno ? errno : EPIPE;
	if (fd >= 0)
		close(fd);
	return error;
}

static void do_client(char *word)
{
	struct kind k = parse_kind(word);
	char *colon = strchr(word, ':');
	int got = -1, error;

	last_port = (uint16_t)atoi(colon ? colon + 1 : "0");
	errno = 0;
	error = ask(&k, last_port, &got);
	tell(ACT_CLIENT, error, got);
}

/* What unmanaged programs do to those that portshim looks after. UDP never with SO_REUSEADDR: the kernel would let it
 * share. */
static void noise(unsigned seed)
{
	static const char *const kinds[] = {"tcp4", "tcp4+a", "tcp6", "tcp6+a", "only6+a", "udp4", "udp6"};
	struct pollfd end = {.fd = ACT_END, .events = POLLIN};

	do {
		struct kind k = parse_kind(kinds[(unsigned)rand_r(&seed) % 7]);
		struct sockaddr_in6 a;
		socklen_t length = fill(&a, &k, 20000 + rand_r(&seed) % 10000, false);
		int fd = socket(k.family, k.type | SOCK_CLOEXEC, 0), yes = 1, no = 0;

		if (k.family == AF_INET6)
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, k.only6 ? &yes : &no, sizeof(no));
		if (k.reuse_address)
			setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
		if (bind(fd, (struct sockaddr *)&a, length) == 0 && k.type == SOCK_STREAM) {
			poll(&end, 1, rand_r(&seed) % 3);
			listen(fd, 1);
		}
		poll(&end, 1, 1);
		close(fd);
	} while (!end.revents);
	_exit(0);
}

/* ---- steps ---- */

/* Runs the steps in a child; the parent goes on behind `end`. */
static bool branch(int way, char **steps)
{
	pid_t pid = fork();

	if (pid < 0)
		failed();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		return true;
	}
	while (steps[step] && strcmp(steps[step], "end") != 0)
		step++;
	if (way == 0)
		waitpid(pid, NULL, 0);
	return false;
}

static void listen_on(int which, bool past)
{
	if (count == 0)
		failed();
	if (past)
		errno = (int)-raw(SYS_listen, sockets[which], 16, 0);
	else
		errno = listen(sockets[which], 16) ? errno : 0;
	if (errno)
		failed();
}

static void act(char *word, char **steps)
{
	char *colon = strchr(word, ':');
	int value = colon ? atoi(colon + 1) : 0;

	if (strncmp(word, "number:", 7) == 0)
		number = value;
	else if (strcmp(word, "listen") == 0)
		listen_on(count - 1, false);
	else if (strcmp(word, "raw-listen") == 0)
		listen_on(0, true);
	else if (strcmp(word, "close") == 0 && count)
		close(sockets[--count]);
	else if (strcmp(word, "barrier") == 0) {
		tell(ACT_AT, 0, 0);
		wait_for(ACT_GO);
	} else if (strcmp(word, "serve") == 0)
		serve();
	else if (strcmp(word, "again") == 0)
		tell(ACT_READY, 0, 0);
	else if (strcmp(word, "forever") == 0)
		for (;;)
			pause();
	else if (strncmp(word, "noise:", 6) == 0)
		noise((unsigned)value);
	else if (strncmp(word, "client:", 7) == 0)
		do_client(colon + 1);
	else if (strncmp(word, "child:", 6) == 0)
		branch(value, steps);
	else if (strcmp(word, "end") == 0)
		_exit(0);
	else if (colon)
		do_bind(word, value);
	else
		_exit(2);
}

int main(int argc, char **argv)
{
	(void)argc;
	alarm(300);
	for (step = 1; argv[step]; step++)
		act(argv[step], argv);
	return 0;
}
