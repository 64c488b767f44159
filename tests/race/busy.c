/*
 * busy.c - a program that binds, listens, asks, closes, forks and execs at random until it has done enough. soak.c
 * starts many of them. It links nothing of portshim.
 *
 * busy BOARD WHO SEED STEPS DEPTH    WHO: the number of its environment, 0 for an unmanaged program
 *
 * Theory of operation: whatever it does, it can be killed while it does it. So what a socket is, is written on the
 * board (board.h) before it is bound, under its inode, which those who inherit it need not know. Servers answer
 * with the number of their environment; a client that gets another one's has met a stranger. When the phase is odd
 * it does nothing but answer clients, so that what is there can be looked at.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "board.h"

#define SOCKETS 6
#define PEERS 12
#define INHERITED 64
#define NESTED 2

struct kind {
	int family, type;
	bool loopback, only6, reuse_address, reuse_port;
};

struct mine {
	int fd, port;
	bool stream, listens;
};

static struct board *board;
static struct mine list[SOCKETS];
static int count, peers[PEERS], peer_count, who, steps, depth;
static uint64_t chance;
static char **words;

static bool one_in(unsigned n)
{
	return draw(&chance) % n == 0;
}

static void odd(int call, int error, int port)
{
	uint32_t n = atomic_fetch_add(&board->odds, 1);

	if (n < BOARD_TOLD) {
		board->odd[n].who = who;
		board->odd[n].call = call;
		board->odd[n].error = error;
		board->odd[n].pid = getpid();
		board->odd[n].port = port;
	}
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* ---- servers ---- */

/* Before it is bound; and when it is there, because a socket may have been replaced under its descriptor. */
static bool note(int fd, int port, bool there)
{
	struct stat st;
	struct board_socket *s;

	if (fstat(fd, &st))
		return false;
	s = board_socket(board, (uint32_t)st.st_ino, true);
	if (!s) {
		odd(ODD_FULL, 0, port);
		return false;
	}
	s->who = who;
	s->port = port;
	if (there && !atomic_load(&s->since))
		atomic_store(&s->since, now());
	return true;
}

static void forget(int which)
{
	close(list[which].fd);
	list[which] = list[--count];
}

static void do_listen(struct mine *m)
{
	struct sockaddr_in6 a = { 0 };
	socklen_t length = sizeof(a);

	if (listen(m->fd, 16)) {
		/* Another socket of the run listens there, as on a real host. */
		if (errno != EADDRINUSE)
			odd(ODD_LISTEN, errno, m->port);
		return;
	}
	m->listens = true;
	note(m->fd, m->port, true);
	atomic_fetch_add(&board->listens, 1);
	if (who != UNMANAGED && getsockname(m->fd, (struct sockaddr *)&a, &length) == 0)
		atomic_store(&board->hot[draw(&chance) % BOARD_HOT], ntohs(a.sin6_port));
}

static struct kind draw_kind(void)
{
	struct kind k = { .family = one_in(2) ? AF_INET6 : AF_INET, .type = one_in(4) ? SOCK_DGRAM : SOCK_STREAM };

	k.loopback = one_in(4);
	k.only6 = one_in(4);
	/* An unmanaged program that shares its number shares it with those whom portshim looks after: docs/limits.md */
	k.reuse_address = k.type == SOCK_STREAM ? !one_in(3) : who != UNMANAGED && one_in(4);
	k.reuse_port = who != UNMANAGED && one_in(4);
	return k;
}

static socklen_t fill(struct sockaddr_in6 *a, int family, bool loopback, int port)
{
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	*a = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	if (loopback) {
		a->sin6_addr = in6addr_loopback;
		four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	}
	if (family == AF_INET6)
		return sizeof(*a);
	memcpy(a, &four, sizeof(four));
	return sizeof(four);
}

static int draw_port(void)
{
	uint32_t hot = atomic_load(&board->hot[draw(&chance) % BOARD_HOT]);

	if (who == UNMANAGED && hot && !one_in(3))
		return (int)hot;
	return who != UNMANAGED && one_in(12) ? 0 : BOARD_PORT + (int)(draw(&chance) % BOARD_PORTS);
}

static void do_bind(int port)
{
	struct kind k = draw_kind();
	struct sockaddr_in6 a;
	socklen_t length = fill(&a, k.family, k.loopback, port);
	int yes = 1, only6 = k.only6, fd;

	if (count == SOCKETS)
		return;
	fd = socket(k.family, k.type | (one_in(2) ? SOCK_CLOEXEC : 0), 0);
	if (fd < 0) {
		odd(ODD_SOCKET, errno, port);
		return;
	}
	if (k.family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only6, sizeof(only6));
	if (k.reuse_address)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (k.reuse_port)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof(yes));
	if (!note(fd, port, false) || bind(fd, (struct sockaddr *)&a, length)) {
		if (errno != EADDRINUSE)
			odd(ODD_BIND, errno, port);
		close(fd);
		return;
	}
	atomic_fetch_add(&board->binds, 1);
	if (k.type == SOCK_DGRAM)
		note(fd, port, true);
	list[count++] = (struct mine){ fd, port, k.type == SOCK_STREAM, k.type != SOCK_STREAM };
	if (k.type == SOCK_STREAM && !one_in(6))
		do_listen(&list[count - 1]);
}

/* Closed and bound once more, as a server does that restarts itself. */
static void do_again(void)
{
	int which = count ? (int)(draw(&chance) % (unsigned)count) : -1, port;

	if (which < 0)
		return;
	port = list[which].port;
	forget(which);
	do_bind(port);
}

static void answer(const struct mine *m)
{
	struct sockaddr_in6 from;
	socklen_t length = sizeof(from);
	struct board_answer said = { .who = who };
	struct stat st;
	int peer;

	if (fstat(m->fd, &st) == 0)
		said.inode = (uint32_t)st.st_ino;
	if (!m->stream) {
		/* What it was asked with comes back: the asker may be dead, and another one have its port. */
		if (recvfrom(m->fd, &said.word, sizeof(said.word), MSG_DONTWAIT, (struct sockaddr *)&from, &length) >=
		    0)
			sendto(m->fd, &said, sizeof(said), MSG_DONTWAIT, (struct sockaddr *)&from, length);
		return;
	}
	peer = accept4(m->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (peer < 0)
		return;
	if (write(peer, &said, sizeof(said)) < 0)
		errno = 0;
	/* The client closes first, in a way that leaves no TIME_WAIT; some clients are dead. */
	if (peer_count == PEERS)
		close(peers[--peer_count]);
	peers[peer_count++] = peer;
}

static void serve(int milliseconds)
{
	struct pollfd fds[SOCKETS + PEERS];
	int n = 0, asked = count, talking = peer_count;

	for (int i = 0; i < asked; i++)
		fds[n++] = (struct pollfd){ .fd = list[i].listens ? list[i].fd : -1, .events = POLLIN };
	for (int i = 0; i < talking; i++)
		fds[n++] = (struct pollfd){ .fd = peers[i], .events = POLLIN };
	if (poll(fds, (nfds_t)n, milliseconds) <= 0)
		return;
	for (int i = talking - 1; i >= 0; i--) {
		if (!fds[asked + i].revents)
			continue;
		close(peers[i]);
		peers[i] = peers[--peer_count];
	}
	for (int i = 0; i < asked; i++)
		if (fds[i].revents & POLLIN)
			answer(&list[i]);
}

/* Others have the sockets as well: they may take the client first, and may have begun to listen. */
static void share(void)
{
	socklen_t size = sizeof(int);

	for (int i = 0; i < count; i++) {
		int listens = list[i].listens;

		fcntl(list[i].fd, F_SETFL, O_NONBLOCK);
		if (list[i].stream)
			getsockopt(list[i].fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size);
		list[i].listens = listens;
	}
}

/* ---- clients ---- */

static void meet(const struct board_answer *said, uint64_t asked, int port, int way)
{
	const struct board_socket *s = board_socket(board, said->inode, false);
	uint64_t since = s ? atomic_load(&s->since) : 0;
	uint32_t n;

	atomic_fetch_add(&board->answers, 1);
	if (said->who == who || said->who == UNMANAGED || who == UNMANAGED)
		return;
	if (since == 0 || since > asked) {
		atomic_fetch_add(&board->coincidences, 1);
		return;
	}
	n = atomic_fetch_add(&board->strangers, 1);
	if (n < BOARD_TOLD) {
		board->stranger[n].who = who;
		board->stranger[n].met = said->who;
		board->stranger[n].pid = getpid();
		board->stranger[n].port = port;
		board->stranger[n].way = way;
		board->stranger[n].age = (int32_t)((asked - since) / 1000);
	}
}

static bool say(int fd, int word, const struct sockaddr_in6 *a, socklen_t length)
{
	return sendto(fd, &word, sizeof(word), 0, (const struct sockaddr *)a, length) == sizeof(word);
}

static void do_ask(void)
{
	static const struct timeval patience = { .tv_usec = 200000 };
	const struct linger at_once = { 1, 0 };
	int family = one_in(2) ? AF_INET6 : AF_INET, type = one_in(4) ? SOCK_DGRAM : SOCK_STREAM;
	int port = BOARD_PORT + (int)(draw(&chance) % BOARD_PORTS), fd = socket(family, type | SOCK_CLOEXEC, 0);
	int word = (int)draw(&chance);
	struct board_answer said;
	uint64_t asked;
	bool connected = type == SOCK_STREAM || one_in(2);
	struct sockaddr_in6 a;
	socklen_t length = fill(&a, family, !one_in(4), port);

	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	atomic_fetch_add(&board->connects, 1);
	asked = now();
	if (connected && connect(fd, (struct sockaddr *)&a, length))
		goto out;
	if (type == SOCK_STREAM) {
		if (read(fd, &said, sizeof(said)) == sizeof(said))
			meet(&said, asked, port, type);
	} else if (connected ? say(fd, word, NULL, 0) : say(fd, word, &a, length)) {
		if (read(fd, &said, sizeof(said)) == sizeof(said) && said.word == word)
			meet(&said, asked, port, type + 16 * connected);
	}
out:
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
}

/* ---- processes ---- */

static void do_fork(void)
{
	pid_t pid = fork();

	if (pid < 0) {
		odd(ODD_FORK, errno, 0);
		return;
	}
	atomic_fetch_add(&board->forks, 1);
	if (pid == 0) {
		chance = seeded(chance + (uint64_t)getpid());
		steps /= 2;
		return;
	}
	while (count && one_in(2)) /* as a master does */
		forget(count - 1);
}

/* Itself, or another run inside of this one. */
static void do_exec(bool nested)
{
	char seed[24], left[16], deep[8];
	char *plain[] = { words[0], words[1], words[2], seed, left, deep, NULL };
	char *run[] = { getenv("SOAK_PORTSHIM"),
			(char[]){ "run" },
			(char[]){ "--" },
			words[0],
			words[1],
			words[2],
			seed,
			left,
			deep,
			NULL };

	snprintf(seed, sizeof(seed), "%u", draw(&chance));
	snprintf(left, sizeof(left), "%d", steps / 2);
	snprintf(deep, sizeof(deep), "%d", depth + nested);
	atomic_fetch_add(&board->execs, 1);
	/* In a child: who owns records here shall not end as a keeper does, when its program has ended. */
	if (nested && fork() != 0)
		return;
	while (nested && count) /* a keeper would have them open as well, and answers nobody */
		forget(count - 1);
	if (nested)
		execv(run[0], run);
	else
		execv(plain[0], plain);
	odd(ODD_EXEC, errno, 0);
	_exit(1);
}

/* What an earlier program left open is served as well. */
static void adopt(void)
{
	for (int fd = 3; fd < INHERITED; fd++) {
		int type, listens = 0;
		socklen_t size = sizeof(int);
		struct sockaddr_in6 peer;
		socklen_t length = sizeof(peer);

		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) ||
		    getpeername(fd, (struct sockaddr *)&peer, &length) == 0)
			continue;
		getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size);
		if (count == SOCKETS || (type == SOCK_STREAM && !listens)) /* that one's port is not known here */
			close(fd);
		else
			list[count++] = (struct mine){ fd, BOARD_PORT, type == SOCK_STREAM, true };
	}
}

static void keep_still(uint32_t phase)
{
	while (atomic_load(&board->phase) == phase && !atomic_load(&board->end)) {
		atomic_store(&board->settled[getpid()], phase);
		share();
		serve(10);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
}

static void step(void)
{
	unsigned what = draw(&chance) % 100;

	share();
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	if (what < 22)
		do_bind(draw_port());
	else if (what < 30 && count)
		forget((int)(draw(&chance) % (unsigned)count));
	else if (what < 38)
		do_again();
	else if (what < 60)
		do_ask();
	else if (what < 64)
		do_fork();
	else if (what < 67)
		do_exec(false);
	else if (what < 68 && who != UNMANAGED && who < PRIVATE_FROM && depth < NESTED)
		do_exec(true);
	else if (what < 72 && count && !list[count - 1].listens)
		do_listen(&list[count - 1]);
	else
		serve((int)(draw(&chance) % 8));
}

int main(int argc, char **argv)
{
	int fd = argc == 6 ? open(argv[1], O_RDWR | O_CLOEXEC) : -1;

	board = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (board == MAP_FAILED)
		return 2;
	close(fd);
	alarm(7200);
	signal(SIGPIPE, SIG_IGN);
	words = argv;
	who = atoi(argv[2]);
	chance = seeded((uint64_t)strtoul(argv[3], NULL, 10) + ((uint64_t)who << 40));
	steps = atoi(argv[4]);
	depth = atoi(argv[5]);
	adopt();
	for (; steps > 0 && !atomic_load(&board->end); steps--) {
		uint32_t phase = atomic_load(&board->phase);

		if (phase & 1)
			keep_still(phase);
		step();
	}
	return 0;
}
