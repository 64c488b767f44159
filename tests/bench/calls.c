/*
 * calls.c - does each hooked call a few times, for counts.py to count the instructions.
 *
 * calls FREE MOVED SERVER       all cases; ports from FREE on are free, those from MOVED on are moved under portshim,
 *                               and SERVER is one that `calls crowd` serves
 * calls some FREE MOVED SERVER  only those that an environment's or a manifest's size could make dearer
 * calls crowd COUNT PORT        listens on PORT and on COUNT other ports, says "ready" and stays until its input ends
 *
 * Theory of operation. Every case is a function that does nothing but the calls, and is called by counted(): callgrind
 * sets its counters to zero where that begins and writes them down where it ends. What the calls need is made by the
 * case's `prepare` before. Nothing here depends on time, addresses or chance. Each case is done several times; the
 * reader takes the smallest count, in case a port turned out to be in use. The output has a line for each case: how
 * many calls it makes, how often it was done, its name.
 *
 * Where a call is to go nowhere it goes to a closed port: that it fails costs the same with and without portshim.
 * Nothing leaves the machine: connecting a UDP socket sends nothing.
 */
#include <errno.h>
#include <netinet/in.h>
#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLS 8
#define NEW 2 /* calls of a case that needs a new port for each */

/* Offsets of free ports, and of moved ones. */
enum { LISTENER, KNOWN, CLOSED, DATAGRAM, KNOWN_DATAGRAM, AGAIN, NEW_BIND, NEW_LISTEN = NEW_BIND + 2 * NEW };
enum { MOVED_LISTENER, MOVED_KNOWN, MOVED_DATAGRAM, MOVED_NEW };

extern char **environ;

static int free_ports, moved_ports, server_port;
static int listener, moved_listener, client, moved_client, datagram, moved_datagram, sender, connected, connected_peer;
static int fds[CALLS];
static struct sockaddr_in target;
static struct sockaddr_in *heap, *mapped;

static void die(const char *what)
{
	printf("error: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int must(int result, const char *what)
{
	if (result < 0)
		die(what);
	return result;
}

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static int make(int type)
{
	return must(socket(AF_INET, type | SOCK_CLOEXEC, 0), "socket");
}

static int bound(int type, int port)
{
	struct sockaddr_in a = loopback(port);
	int fd = make(type);

	must(bind(fd, (struct sockaddr *)&a, sizeof(a)), "bind");
	return fd;
}

static int listening(int port)
{
	int fd = bound(SOCK_STREAM, port);

	must(listen(fd, 256), "listen");
	return fd;
}

/* Closed with a reset, so that nothing stays behind in TIME_WAIT. */
static int connected_to(int port)
{
	const struct linger reset = { .l_onoff = 1 };
	struct sockaddr_in a = loopback(port);
	int fd = make(SOCK_STREAM);

	must(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), "SO_LINGER");
	must(connect(fd, (struct sockaddr *)&a, sizeof(a)), "connect");
	return fd;
}

static void close_all(void)
{
	for (int i = 0; i < CALLS; i++) {
		if (fds[i] > 0)
			close(fds[i]);
		fds[i] = 0;
	}
}

static void make_sockets(int type, int port)
{
	const struct linger reset = { .l_onoff = 1 };

	for (int i = 0; i < CALLS; i++) {
		fds[i] = make(type);
		must(setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), "SO_LINGER");
	}
	target = loopback(port);
}

/* No inlining and no clones with other names: callgrind knows it by its name. */
static __attribute__((noipa)) void counted(void (*run)(void))
{
	run();
}

/* ---- connect ---- */

static void case_first(void)
{
	struct sockaddr_in to = target;

	connect(fds[0], (struct sockaddr *)&to, sizeof(to));
}

static void case_connect(void)
{
	struct sockaddr_in to = target;

	for (int i = 0; i < CALLS; i++)
		connect(fds[i], (struct sockaddr *)&to, sizeof(to));
}

static void case_connect_heap(void)
{
	for (int i = 0; i < CALLS; i++)
		connect(fds[i], (struct sockaddr *)heap, sizeof(*heap));
}

static void case_connect_mapped(void)
{
	for (int i = 0; i < CALLS; i++)
		connect(fds[i], (struct sockaddr *)mapped, sizeof(*mapped));
}

static void case_connect_unix(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = "\0portshim counts nobody" };

	for (int i = 0; i < CALLS; i++)
		connect(fds[i], (struct sockaddr *)&to, sizeof(to));
}

static void to_closed(int round)
{
	(void)round;
	make_sockets(SOCK_STREAM, free_ports + CLOSED);
	*heap = *mapped = target;
}

static void drain(int fd)
{
	for (int i = 0; i < CALLS; i++)
		close(must(accept(fd, NULL, NULL), "accept"));
}

static void to_own(int round)
{
	if (round)
		drain(listener);
	make_sockets(SOCK_STREAM, free_ports + LISTENER);
}

static void to_moved(int round)
{
	if (round)
		drain(moved_listener);
	make_sockets(SOCK_STREAM, moved_ports + MOVED_LISTENER);
}

static void to_moved_again(int round)
{
	(void)round;
	to_moved(1);
}

static void to_environment(int round)
{
	(void)round;
	make_sockets(SOCK_STREAM, server_port);
}

/* A number that means something here, on a machine that is not this one (TEST-NET-1). */
static void to_remote(int round)
{
	(void)round;
	make_sockets(SOCK_DGRAM, moved_ports + MOVED_LISTENER);
	target.sin_addr.s_addr = htonl(0xc0000201);
}

static void to_nobody(int round)
{
	(void)round;
	for (int i = 0; i < CALLS; i++)
		fds[i] = must(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
}

/* ---- accept and names ---- */

static void case_accept(void)
{
	for (int i = 0; i < CALLS; i++) {
		struct sockaddr_in peer;
		socklen_t length = sizeof(peer);

		fds[i] = accept(listener, (struct sockaddr *)&peer, &length);
	}
}

static void clients(int round)
{
	static int waiting[CALLS];

	for (int i = 0; i < CALLS; i++) {
		if (round)
			close(waiting[i]);
		waiting[i] = connected_to(free_ports + LISTENER);
	}
}

/* What is left of to_own is taken first, or accept would meet it. */
static void first_clients(int round)
{
	if (!round)
		drain(listener);
	clients(round);
}

static void case_getsockname(void)
{
	for (int i = 0; i < CALLS; i++) {
		struct sockaddr_in a;
		socklen_t length = sizeof(a);

		getsockname(listener, (struct sockaddr *)&a, &length);
	}
}

static void case_getsockname_moved(void)
{
	for (int i = 0; i < CALLS; i++) {
		struct sockaddr_in a;
		socklen_t length = sizeof(a);

		getsockname(moved_listener, (struct sockaddr *)&a, &length);
	}
}

static void case_getpeername(void)
{
	for (int i = 0; i < CALLS; i++) {
		struct sockaddr_in a;
		socklen_t length = sizeof(a);

		getpeername(client, (struct sockaddr *)&a, &length);
	}
}

static void case_getpeername_moved(void)
{
	for (int i = 0; i < CALLS; i++) {
		struct sockaddr_in a;
		socklen_t length = sizeof(a);

		getpeername(moved_client, (struct sockaddr *)&a, &length);
	}
}

/* ---- bind and listen ---- */

static void case_bind(void)
{
	struct sockaddr_in a = target;

	for (int i = 0; i < CALLS; i++) {
		if (bind(fds[i], (struct sockaddr *)&a, sizeof(a)))
			die("bind");
		close(fds[i]);
	}
}

static void case_bind_new(void)
{
	struct sockaddr_in a = target;

	for (int i = 0; i < NEW; i++) {
		a.sin_port = htons((uint16_t)(ntohs(target.sin_port) + i));
		if (bind(fds[i], (struct sockaddr *)&a, sizeof(a)))
			die("bind");
	}
}

static void case_listen(void)
{
	for (int i = 0; i < NEW; i++)
		if (listen(fds[i], 16))
			die("listen");
}

static void case_listen_again(void)
{
	if (listen(fds[0], 16))
		die("listen");
}

static void to_bind(int type, int port, int round)
{
	if (!round)
		close(bound(type, port));
	memset(fds, 0, sizeof(fds)); /* case_bind has closed them */
	make_sockets(type, port);
}

static void known(int round)
{
	to_bind(SOCK_STREAM, free_ports + KNOWN, round);
}

static void moved_known(int round)
{
	to_bind(SOCK_STREAM, moved_ports + MOVED_KNOWN, round);
}

static void known_datagram(int round)
{
	to_bind(SOCK_DGRAM, free_ports + KNOWN_DATAGRAM, round);
}

static void zero(int round)
{
	to_bind(SOCK_STREAM, 0, round);
}

static void new_bind(int round)
{
	make_sockets(SOCK_STREAM, free_ports + NEW_BIND + round * NEW);
}

static void moved_new_bind(int round)
{
	make_sockets(SOCK_STREAM, moved_ports + MOVED_NEW + round * NEW);
}

static void new_listen(int round)
{
	for (int i = 0; i < NEW; i++)
		fds[i] = bound(SOCK_STREAM, free_ports + NEW_LISTEN + round * NEW + i);
}

static void again(int round)
{
	if (!round)
		close(listening(free_ports + AGAIN));
	fds[0] = bound(SOCK_STREAM, free_ports + AGAIN);
}

/* ---- datagrams ---- */

static char byte;
static struct sockaddr_in names[CALLS];
static struct iovec vector = { .iov_base = &byte, .iov_len = 1 };

static void case_sendto(void)
{
	struct sockaddr_in to = target;

	for (int i = 0; i < CALLS; i++)
		sendto(sender, &byte, 1, 0, (struct sockaddr *)&to, sizeof(to));
}

static void case_sendto_connected(void)
{
	for (int i = 0; i < CALLS; i++)
		sendto(connected, &byte, 1, 0, NULL, 0);
}

static void case_sendmsg(void)
{
	struct sockaddr_in to = target;
	struct msghdr m = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &vector, .msg_iovlen = 1 };

	for (int i = 0; i < CALLS; i++)
		sendmsg(sender, &m, 0);
}

static void messages(struct mmsghdr *m)
{
	memset(m, 0, CALLS * sizeof(*m));
	for (int i = 0; i < CALLS; i++) {
		names[i] = target;
		m[i].msg_hdr = (struct msghdr){ .msg_name = &names[i], .msg_namelen = sizeof(names[i]),
						.msg_iov = &vector, .msg_iovlen = 1 };
	}
}

static void case_sendmmsg(void)
{
	struct mmsghdr m[CALLS];

	messages(m);
	sendmmsg(sender, m, CALLS, 0);
}

static void receive_from(int fd)
{
	for (int i = 0; i < CALLS; i++) {
		struct sockaddr_in from;
		socklen_t length = sizeof(from);

		if (recvfrom(fd, &byte, 1, 0, (struct sockaddr *)&from, &length) != 1)
			die("recvfrom");
	}
}

static void case_recvfrom(void)
{
	receive_from(datagram);
}

static void case_recvfrom_moved(void)
{
	receive_from(sender);
}

static void case_recvfrom_connected(void)
{
	for (int i = 0; i < CALLS; i++)
		if (recvfrom(connected_peer, &byte, 1, 0, NULL, NULL) != 1)
			die("recvfrom");
}

static void case_recvmsg(void)
{
	for (int i = 0; i < CALLS; i++) {
		struct sockaddr_in from;
		struct msghdr m = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &vector,
				    .msg_iovlen = 1 };

		if (recvmsg(datagram, &m, 0) != 1)
			die("recvmsg");
	}
}

static void case_recvmmsg(void)
{
	struct mmsghdr m[CALLS];

	messages(m);
	if (recvmmsg(datagram, m, CALLS, 0, NULL) != CALLS)
		die("recvmmsg");
}

static void send_to_closed(int round)
{
	(void)round;
	target = loopback(free_ports + CLOSED);
}

static void empty(int fd)
{
	while (recv(fd, &byte, 1, MSG_DONTWAIT) > 0)
		;
}

static void send_to_moved(int round)
{
	(void)round;
	empty(moved_datagram);
	target = loopback(moved_ports + MOVED_DATAGRAM);
}

static void feed(int from, int to, int port)
{
	struct sockaddr_in a = loopback(port);

	empty(to);
	for (int i = 0; i < CALLS; i++)
		must((int)sendto(from, &byte, 1, 0, (struct sockaddr *)&a, sizeof(a)), "sendto");
}

static void feed_datagram(int round)
{
	(void)round;
	feed(sender, datagram, free_ports + DATAGRAM);
}

/* Answers from the moved port. */
static void feed_sender(int round)
{
	struct sockaddr_in a;
	socklen_t length = sizeof(a);

	(void)round;
	must(getsockname(sender, (struct sockaddr *)&a, &length), "getsockname");
	feed(moved_datagram, sender, ntohs(a.sin_port));
}

static void feed_connected(int round)
{
	(void)round;
	empty(connected_peer);
	for (int i = 0; i < CALLS; i++)
		must((int)send(connected, &byte, 1, 0), "send");
}

static void nothing(int round)
{
	(void)round;
}

/* ---- programs ---- */

static void wait_all(int round)
{
	(void)round;
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static void case_spawn(void)
{
	char *arguments[] = { (char *)"true", NULL };
	pid_t pid;

	if (posix_spawnp(&pid, "true", NULL, NULL, arguments, environ))
		die("posix_spawnp");
}

/* ---- */

static void set_up(void)
{
	listener = listening(free_ports + LISTENER);
	moved_listener = listening(moved_ports + MOVED_LISTENER);
	client = connected_to(free_ports + LISTENER);
	must(accept(listener, NULL, NULL), "accept");
	moved_client = connected_to(moved_ports + MOVED_LISTENER);
	must(accept(moved_listener, NULL, NULL), "accept");
}

static void set_up_datagrams(void)
{
	struct sockaddr_in a;

	datagram = bound(SOCK_DGRAM, free_ports + DATAGRAM);
	moved_datagram = bound(SOCK_DGRAM, moved_ports + MOVED_DATAGRAM);
	sender = bound(SOCK_DGRAM, 0);
	connected = make(SOCK_DGRAM);
	connected_peer = bound(SOCK_DGRAM, 0);
	must(getsockname(connected_peer, (struct sockaddr *)&a, &(socklen_t){ sizeof(a) }), "getsockname");
	must(connect(connected, (struct sockaddr *)&a, sizeof(a)), "connect");
}

static const struct kind {
	const char *name;
	void (*run)(void);
	void (*prepare)(int round);
	unsigned calls, rounds;
	bool some; /* also one of `calls some` */
} tcp_kinds[] = {
	{ "connect", case_connect, to_closed, CALLS, 3, true },
	{ "connect, address in the heap", case_connect_heap, to_closed, CALLS, 3, false },
	{ "connect, address in mapped memory", case_connect_mapped, to_closed, CALLS, 3, false },
	{ "connect, own port, not moved", case_connect, to_own, CALLS, 3, false },
	{ "connect, redirected", case_connect, to_moved, CALLS, 3, true },
	{ "connect, redirected, another run's", case_connect, to_environment, CALLS, 3, true },
	{ "connect, AF_UNIX", case_connect_unix, to_nobody, CALLS, 3, false },
	{ "accept", case_accept, first_clients, CALLS, 3, false },
	{ "getsockname", case_getsockname, nothing, CALLS, 3, false },
	{ "getsockname, moved", case_getsockname_moved, nothing, CALLS, 3, false },
	{ "getpeername", case_getpeername, nothing, CALLS, 3, false },
	{ "getpeername, redirected", case_getpeername_moved, nothing, CALLS, 3, false },
	{ "bind, port 0", case_bind, zero, CALLS, 3, false },
	{ "bind, known", case_bind, known, CALLS, 3, true },
	{ "bind, known, moved", case_bind, moved_known, CALLS, 3, true },
	{ "bind, new", case_bind_new, new_bind, NEW, 2, true },
	{ "bind, new, moved", case_bind_new, moved_new_bind, NEW, 2, true },
	{ "listen, new", case_listen, new_listen, NEW, 2, true },
	{ "listen, again", case_listen_again, again, 1, 2, false },
	{ "posix_spawn", case_spawn, wait_all, 1, 3, false },
	{ 0 }
}, udp_kinds[] = {
	{ "connect, redirected, UDP used before", case_connect, to_moved_again, CALLS, 3, false },
	{ "connect, another machine", case_connect, to_remote, CALLS, 3, false },
	{ "bind, known, UDP used before", case_bind, known, CALLS, 3, false },
	{ "bind, known, UDP", case_bind, known_datagram, CALLS, 3, false },
	{ "sendto, connected", case_sendto_connected, feed_connected, CALLS, 3, false },
	{ "sendto", case_sendto, send_to_closed, CALLS, 3, true },
	{ "sendto, redirected", case_sendto, send_to_moved, CALLS, 3, true },
	{ "sendmsg", case_sendmsg, send_to_closed, CALLS, 3, false },
	{ "sendmsg, redirected", case_sendmsg, send_to_moved, CALLS, 3, false },
	{ "sendmmsg, a message", case_sendmmsg, send_to_closed, CALLS, 3, false },
	{ "sendmmsg, a message, redirected", case_sendmmsg, send_to_moved, CALLS, 3, false },
	{ "recvfrom, connected", case_recvfrom_connected, feed_connected, CALLS, 3, false },
	{ "recvfrom", case_recvfrom, feed_datagram, CALLS, 3, false },
	{ "recvfrom, moved", case_recvfrom_moved, feed_sender, CALLS, 3, true },
	{ "recvmsg", case_recvmsg, feed_datagram, CALLS, 3, false },
	{ "recvmmsg, a message", case_recvmmsg, feed_datagram, CALLS, 3, false },
	{ 0 }
};

static void run_all(const struct kind *k, bool some)
{
	for (; k->name; k++) {
		if (some && !k->some)
			continue;
		for (unsigned round = 0; round < k->rounds; round++) {
			k->prepare((int)round);
			counted(k->run);
			if (k->run != case_bind)
				close_all();
		}
		printf("%u %u %s\n", k->calls, k->rounds, k->name);
	}
}

static int crowd(int count, int port)
{
	char line[8];

	listening(port);
	while (count--)
		listening(0);
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		;
	return 0;
}

int main(int argc, char **argv)
{
	bool some = argc > 1 && strcmp(argv[1], "some") == 0;

	if (argc == 4 && strcmp(argv[1], "crowd") == 0)
		return crowd(atoi(argv[2]), atoi(argv[3]));
	if (argc != 4 + some) {
		fprintf(stderr, "usage: calls [some] FREE MOVED SERVER | calls crowd COUNT PORT\n");
		return 2;
	}
	argv += some;
	free_ports = atoi(argv[1]);
	moved_ports = atoi(argv[2]);
	server_port = atoi(argv[3]);
	heap = malloc(sizeof(*heap));
	mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!heap || mapped == MAP_FAILED)
		die("memory");
	to_closed(0);
	counted(case_first);
	printf("1 1 the first call\n");
	close_all();
	set_up();
	run_all(tcp_kinds, some);
	set_up_datagrams();
	run_all(udp_kinds, some);
	wait_all(0);
	return 0;
}
