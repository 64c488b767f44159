/*
 * with_ports.c - runs a program with a block of port numbers that no other test uses.
 *
 * with_ports [--hold | --guard] COUNT CLOSED [--] PROGRAM ARGS...
 *
 * Theory of operation. The ports of 10240-19999 are divided into blocks of 64; a block belongs to the process that has
 * bound the abstract AF_UNIX name of it, so tests that run at the same time in one network namespace, also those of
 * another checkout or user, never share one, and a killed test leaves nothing behind. A block that somebody else uses
 * is passed over: every port is tried first. The range lies below the default range of portshim and below the kernel's
 * ephemeral range. Which block is tried first is chance, or PORTS_BLOCK, for who wants the same numbers each time.
 *
 * Connections that are over keep their ports for a minute (TIME_WAIT). In the machine's own network namespace, where
 * one program comes after the other, all blocks may have some: then we wait until one is free of them. The kernel
 * tells nobody when that is, so it is asked again and again.
 *
 * The program finds PORTS_FIRST and PORTS_COUNT, the ports that it may ask for, and PORTS_CLOSED, the first of CLOSED
 * ports that nobody holds. With --hold this process, an outsider to whatever the program is run under, holds the COUNT
 * ports for TCP and UDP, on both families, for as long as the program runs; PORTS_HELD=1 says so. Its listeners never
 * accept. --guard is --hold, and an error at the end if anything reached these listeners or UDP sockets: then a
 * program that connected or sent to its own server met us instead, because a hook did not fire.
 *
 * Exit status: the program's; 128+n for a signal; 98 if the program ended well but had reached the guard; 99 if no
 * block is free.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FIRST 10240
#define LAST 19999
#define SIZE 64
#define BLOCKS ((LAST - FIRST + 1) / SIZE)
#define ROUNDS 300 /* of a quarter of a second: longer than TIME_WAIT */

/* A socket that occupies a port on both families. With `reuse`, connections in TIME_WAIT do not count as occupants. */
static int occupy(int type, int port, bool reuse)
{
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0);
	bool six = fd >= 0;
	int zero = 0, one = 1;

	if (six)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	else
		fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (reuse && type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if ((six ? bind(fd, (struct sockaddr *)&a6, sizeof(a6)) : bind(fd, (struct sockaddr *)&a4, sizeof(a4))) ||
	    (type == SOCK_STREAM && listen(fd, 64))) {
		close(fd);
		return -1;
	}
	return fd;
}

static int fds[SIZE][2]; /* TCP and UDP */

/* Tries all ports of a block; keeps the first `held` of them. */
static bool take(int first, int held)
{
	int i;
	bool good = true;

	memset(fds, -1, sizeof(fds));
	for (i = 0; i < SIZE && good; i++) {
		fds[i][0] = occupy(SOCK_STREAM, first + i, i < held);
		fds[i][1] = occupy(SOCK_DGRAM, first + i, false);
		good = fds[i][0] >= 0 && fds[i][1] >= 0;
	}
	for (i = good ? held : 0; i < SIZE; i++) {
		if (fds[i][0] >= 0)
			close(fds[i][0]);
		if (fds[i][1] >= 0)
			close(fds[i][1]);
	}
	return good;
}

/* The number of held ports at which a connection or a datagram arrived. */
static int reached(int first, int held)
{
	static const char *const names[] = { "TCP", "UDP" };
	int i, type, count = 0;

	for (i = 0; i < held; i++)
		for (type = 0; type < 2; type++) {
			struct pollfd p = { .fd = fds[i][type], .events = POLLIN };

			if (poll(&p, 1, 0) == 0)
				continue;
			fprintf(stderr, "with_ports: the program reached the outsider on %s port %d (number %d)\n", names[type],
				first + i, i);
			count++;
		}
	return count;
}

/* A socket with the name of the block, which is ours until it is closed; or -1. */
static int own(int block)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int length = snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "portshim-test-ports-%d", block);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length)) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* The first port of a block of our own, or 0. It is ours as long as this process lives. */
static int reserve_now(int held)
{
	const char *text = getenv("PORTS_BLOCK");
	int start = text ? atoi(text) : getpid() * 7;

	for (int i = 0; i < BLOCKS; i++) {
		int block = (start + i) % BLOCKS, fd = own(block);

		if (fd >= 0 && take(FIRST + block * SIZE, held))
			return FIRST + block * SIZE;
		if (fd >= 0)
			close(fd);
	}
	return 0;
}

static int reserve(int held)
{
	const struct timespec quarter = { .tv_nsec = 250000000 };
	int first = reserve_now(held);

	for (int i = 0; !first && i < ROUNDS; i++) {
		nanosleep(&quarter, NULL);
		first = reserve_now(held);
	}
	return first;
}

static void put(const char *name, int value)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", value);
	setenv(name, text, 1);
}

int main(int argc, char **argv)
{
	bool guard = argc > 1 && !strcmp(argv[1], "--guard"), hold = guard || (argc > 1 && !strcmp(argv[1], "--hold"));
	int count, closed, first, status;
	pid_t pid;

	argv += 1 + hold;
	argc -= 1 + hold;
	count = argc > 0 ? atoi(argv[0]) : 0;
	closed = argc > 1 ? atoi(argv[1]) : 0;
	argv += 2;
	argc -= 2;
	if (argc > 0 && !strcmp(argv[0], "--")) {
		argv++;
		argc--;
	}
	if (argc < 1 || count < 0 || closed < 0 || count + closed > SIZE) {
		fprintf(stderr, "usage: with_ports [--hold | --guard] COUNT CLOSED [--] PROGRAM ARGS... (COUNT + CLOSED <= %d)\n",
			SIZE);
		return 2;
	}
	first = reserve(hold ? count : 0);
	if (!first) {
		fprintf(stderr, "with_ports: no block of ports is free\n");
		return 99;
	}
	put("PORTS_FIRST", first);
	put("PORTS_COUNT", count);
	put("PORTS_CLOSED", first + count);
	put("PORTS_HELD", hold);
	pid = fork();
	if (pid < 0)
		return 99;
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execvp(argv[0], argv);
		perror(argv[0]);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (reached(first, guard ? count : 0) && status == 0)
		return 98;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
