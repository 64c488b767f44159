/*
 * bench.c - one workload of the benchmark, in a process that waits for orders.
 *
 * bench WORKLOAD PORT [ARGS...]
 *
 * Theory of operation. A preload is there for a whole process or not at all, so two variants cannot alternate inside
 * one. This process sets its workload up, prints "ready", and then, for each number N that it reads, does N
 * iterations and prints the nanoseconds that they took. run.py keeps one such process for each variant (native,
 * native again, portshim, its peers), all pinned to the same CPU ($BENCH_CPU), and lets them take turns: what
 * disturbs the machine disturbs both of a pair.
 *
 * Only the calls that a workload is about are timed. What has to be done between them (making sockets, taking
 * connections off the queue) is done in groups of GROUP, outside the timed part. Connections are closed with a reset,
 * so that none stays behind in TIME_WAIT.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GROUP 32
#define THREADS 4
#define MESSAGE 65536

extern char **environ;

static int port;
static char **extra;
static int listener = -1, one = -1, two = -1;
static struct sockaddr_in address;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what)
{
	printf("error: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* For calls that must not fail. */
static int must(int result, const char *what)
{
	if (result < 0)
		die(what);
	return result;
}

static void set(int fd, int level, int option, int value)
{
	must(setsockopt(fd, level, option, &value, sizeof(value)), "setsockopt");
}

static void reset_on_close(int fd)
{
	const struct linger l = { .l_onoff = 1, .l_linger = 0 };

	must(setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l)), "SO_LINGER");
}

static struct sockaddr_in loopback(int number)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)number),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static int stream(void)
{
	return must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
}

static int listen_on(int number)
{
	struct sockaddr_in a = loopback(number);
	int fd = stream();

	set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	must(bind(fd, (struct sockaddr *)&a, sizeof(a)), "bind");
	must(listen(fd, 1024), "listen");
	return fd;
}

static void setup_listener(void)
{
	address = loopback(port);
	listener = listen_on(port);
}

static void setup_connection(void)
{
	setup_listener();
	one = stream();
	must(connect(one, (struct sockaddr *)&address, sizeof(address)), "connect");
	two = must(accept(listener, NULL, NULL), "accept");
	set(one, IPPROTO_TCP, 1 /* TCP_NODELAY */, 1);
	set(two, IPPROTO_TCP, 1, 1);
	reset_on_close(one);
}

/* ---- untouched calls ---- */

static uint64_t batch_read_write(unsigned n)
{
	uint64_t start = now();
	char byte = 0;

	while (n--)
		if (write(one, &byte, 1) != 1 || read(two, &byte, 1) != 1 || write(two, &byte, 1) != 1 ||
		    read(one, &byte, 1) != 1)
			die("read and write");
	return now() - start;
}

static uint64_t batch_send_recv(unsigned n)
{
	uint64_t start = now();
	char byte = 0;

	while (n--)
		if (send(one, &byte, 1, 0) != 1 || recv(two, &byte, 1, 0) != 1 || send(two, &byte, 1, 0) != 1 ||
		    recv(one, &byte, 1, 0) != 1)
			die("send and recv");
	return now() - start;
}

static uint64_t batch_stream(unsigned n)
{
	static char message[MESSAGE];
	uint64_t start = now();

	while (n--) {
		size_t sent = 0, got = 0;
		ssize_t part;

		while (got < MESSAGE) {
			if (sent < MESSAGE) {
				part = send(one, message + sent, MESSAGE - sent, MSG_DONTWAIT);
				if (part > 0)
					sent += (size_t)part;
			}
			part = recv(two, message, MESSAGE, MSG_DONTWAIT);
			if (part > 0)
				got += (size_t)part;
		}
	}
	return now() - start;
}

static void setup_udp(void)
{
	socklen_t length = sizeof(address);

	address = loopback(port);
	one = must(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
	two = must(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
	must(bind(one, (struct sockaddr *)&address, sizeof(address)), "bind");
	(void)length;
}

static void setup_connected_udp(void)
{
	struct sockaddr_in a;
	socklen_t length = sizeof(a);

	setup_udp();
	must(connect(two, (struct sockaddr *)&address, sizeof(address)), "connect");
	must(getsockname(two, (struct sockaddr *)&a, &length), "getsockname");
	must(connect(one, (struct sockaddr *)&a, sizeof(a)), "connect");
}

static uint64_t batch_open(unsigned n)
{
	uint64_t start = now();

	while (n--) {
		int a = open("/dev/null", O_RDONLY | O_CLOEXEC), b = dup(a);

		close(b);
		close(a);
	}
	return now() - start;
}

static struct sockaddr_un local_address;
static socklen_t local_length;

static void setup_unix(void)
{
	local_address.sun_family = AF_UNIX;
	local_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
				   (size_t)snprintf(local_address.sun_path + 1, 64, "portshim-bench-%d", getpid()));
	listener = must(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
	must(bind(listener, (struct sockaddr *)&local_address, local_length), "bind");
	must(listen(listener, 1024), "listen");
}

static uint64_t batch_unix_connect(unsigned n)
{
	uint64_t spent = 0;

	while (n) {
		unsigned group = n < GROUP ? n : GROUP, i;
		int fds[GROUP];
		uint64_t start;

		for (i = 0; i < group; i++)
			fds[i] = must(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
		start = now();
		for (i = 0; i < group; i++)
			if (connect(fds[i], (struct sockaddr *)&local_address, local_length))
				die("connect");
		spent += now() - start;
		for (i = 0; i < group; i++) {
			close(fds[i]);
			close(must(accept(listener, NULL, NULL), "accept"));
		}
		n -= group;
	}
	return spent;
}

/* ---- connections ---- */

static uint64_t batch_accept(unsigned n)
{
	uint64_t spent = 0;

	while (n) {
		unsigned group = n < GROUP ? n : GROUP, i;
		int fds[GROUP];
		uint64_t start;

		for (i = 0; i < group; i++) {
			fds[i] = stream();
			reset_on_close(fds[i]);
			must(connect(fds[i], (struct sockaddr *)&address, sizeof(address)), "connect");
		}
		start = now();
		for (i = 0; i < group; i++) {
			struct sockaddr_in peer;
			socklen_t length = sizeof(peer);
			int fd = accept(listener, (struct sockaddr *)&peer, &length);

			if (fd < 0)
				die("accept");
			close(fd);
		}
		spent += now() - start;
		for (i = 0; i < group; i++)
			close(fds[i]);
		n -= group;
	}
	return spent;
}

static uint64_t connect_some(unsigned n, int server, const struct sockaddr_in *to)
{
	uint64_t spent = 0;

	while (n) {
		unsigned group = n < GROUP ? n : GROUP, i;
		int fds[GROUP];
		uint64_t start;

		for (i = 0; i < group; i++) {
			fds[i] = stream();
			reset_on_close(fds[i]);
		}
		start = now();
		for (i = 0; i < group; i++) {
			if (connect(fds[i], (const struct sockaddr *)to, sizeof(*to)))
				die("connect");
			close(fds[i]);
		}
		spent += now() - start;
		for (i = 0; i < group; i++)
			close(must(accept(server, NULL, NULL), "accept"));
		n -= group;
	}
	return spent;
}

static uint64_t batch_connect(unsigned n)
{
	return connect_some(n, listener, &address);
}

struct worker {
	pthread_t thread;
	unsigned n;
	int server;
	struct sockaddr_in to;
};

static struct worker workers[THREADS];

static void setup_threads(void)
{
	for (int i = 0; i < THREADS; i++) {
		workers[i].to = loopback(port + i);
		workers[i].server = listen_on(port + i);
	}
}

static void *connect_thread(void *context)
{
	struct worker *w = context;

	connect_some(w->n, w->server, &w->to);
	return NULL;
}

/* The whole time, with what stands between the connects: threads cannot stop the clock for each other. */
static uint64_t batch_threads(unsigned n)
{
	uint64_t start = now();

	for (int i = 0; i < THREADS; i++) {
		workers[i].n = n / THREADS + 1;
		if (pthread_create(&workers[i].thread, NULL, connect_thread, &workers[i]))
			die("pthread_create");
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	return now() - start;
}

/* ---- UDP with addresses ---- */

static uint64_t batch_udp(unsigned n)
{
	uint64_t start = now();
	char byte = 0;

	while (n--) {
		struct sockaddr_in from;
		socklen_t length = sizeof(from);

		if (sendto(two, &byte, 1, 0, (struct sockaddr *)&address, sizeof(address)) != 1 ||
		    recvfrom(one, &byte, 1, 0, (struct sockaddr *)&from, &length) != 1 ||
		    sendto(one, &byte, 1, 0, (struct sockaddr *)&from, length) != 1 ||
		    recvfrom(two, &byte, 1, 0, (struct sockaddr *)&from, &length) != 1)
			die("sendto and recvfrom");
	}
	return now() - start;
}

/* ---- names ---- */

static uint64_t batch_getsockname(unsigned n)
{
	uint64_t start = now();

	while (n--) {
		struct sockaddr_in a;
		socklen_t length = sizeof(a);

		if (getsockname(listener, (struct sockaddr *)&a, &length))
			die("getsockname");
	}
	return now() - start;
}

static uint64_t batch_getpeername(unsigned n)
{
	uint64_t start = now();

	while (n--) {
		struct sockaddr_in a;
		socklen_t length = sizeof(a);

		if (getpeername(one, (struct sockaddr *)&a, &length))
			die("getpeername");
	}
	return now() - start;
}

/* ---- bind ---- */

static void setup_address(void)
{
	address = loopback(port);
}

static uint64_t batch_bind(unsigned n)
{
	uint64_t start = now();

	while (n--) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
			die("bind");
		close(fd);
	}
	return now() - start;
}

/* Another port each time; a port that somebody has is no error here: native, it fails fast. */
static uint64_t batch_bind_new(unsigned n)
{
	uint64_t start = now();

	while (n--) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		address.sin_port = htons((uint16_t)port++);
		if (bind(fd, (struct sockaddr *)&address, sizeof(address)) && errno != EADDRINUSE)
			die("bind");
		close(fd);
	}
	return now() - start;
}

static uint64_t batch_listen(unsigned n)
{
	uint64_t start = now();

	while (n--) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
			die("bind");
		if (listen(fd, 16))
			die("listen");
		close(fd);
	}
	return now() - start;
}

/* Another port each time, so that each is a new entry of the discovery file, written before listen returns. */
static uint64_t batch_listen_new(unsigned n)
{
	uint64_t spent = 0;

	while (n--) {
		uint64_t start = now();
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		address.sin_port = htons((uint16_t)port++);
		if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 16)) {
			/* somebody has this one: it does not count */
			if (errno != EADDRINUSE)
				die("bind and listen");
			close(fd);
			n++;
			continue;
		}
		close(fd);
		spent += now() - start;
	}
	return spent;
}

/* As many other listeners as the first extra argument says, on ports from the second on. */
static void setup_crowd(void)
{
	int count = atoi(extra[0]), first = atoi(extra[1]), made = 0;

	setup_address();
	for (int p = first; made < count && p < 65536; p++) {
		struct sockaddr_in a = loopback(p);
		int fd = stream();

		if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 1))
			close(fd);
		else
			made++;
	}
	if (made < count) {
		errno = EADDRINUSE;
		die("listeners");
	}
}

/* ---- a call that portshim has nothing to do with ---- */

static uint64_t batch_getppid(unsigned n)
{
	uint64_t start = now();

	while (n--)
		syscall(SYS_getppid);
	return now() - start;
}

/* ---- processes ---- */

static uint64_t batch_spawn(unsigned n)
{
	uint64_t start = now();

	while (n--) {
		pid_t pid;
		int status, error = posix_spawnp(&pid, extra[0], NULL, NULL, extra, environ);

		if (error) {
			errno = error;
			die(extra[0]);
		}
		if (waitpid(pid, &status, 0) != pid || status) {
			errno = ECHILD;
			die(extra[0]);
		}
	}
	return now() - start;
}

static void setup_nothing(void)
{
}

/* ---- memory: prints resident KiB after one bind, listen and connect, and ends ---- */

static void setup_memory(void)
{
	FILE *f;
	char line[256];
	long rss = -1;

	setup_connection();
	f = fopen("/proc/self/smaps_rollup", "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Rss: %ld kB", &rss) == 1)
			break;
	if (f)
		fclose(f);
	printf("%ld\n", rss);
	exit(rss < 0);
}

static const struct workload {
	const char *name;
	void (*setup)(void);
	uint64_t (*batch)(unsigned);
} workloads[] = {
	{ "read-write", setup_connection, batch_read_write },
	{ "send-recv", setup_connection, batch_send_recv },
	{ "stream", setup_connection, batch_stream },
	{ "udp-connected", setup_connected_udp, batch_send_recv },
	{ "open", setup_nothing, batch_open },
	{ "unix-connect", setup_unix, batch_unix_connect },
	{ "accept", setup_listener, batch_accept },
	{ "connect", setup_listener, batch_connect },
	{ "threads", setup_threads, batch_threads },
	{ "udp", setup_udp, batch_udp },
	{ "getsockname", setup_listener, batch_getsockname },
	{ "getpeername", setup_connection, batch_getpeername },
	{ "bind", setup_address, batch_bind },
	{ "bind-new", setup_address, batch_bind_new },
	{ "listen", setup_address, batch_listen },
	{ "listen-new", setup_address, batch_listen_new },
	{ "listen-crowd", setup_crowd, batch_listen_new },
	{ "getppid", setup_nothing, batch_getppid },
	{ "spawn", setup_nothing, batch_spawn },
	{ "memory", setup_memory, NULL },
};

static void pin(void)
{
	const char *cpu = getenv("BENCH_CPU");
	cpu_set_t set;

	if (!cpu || !*cpu)
		return;
	CPU_ZERO(&set);
	CPU_SET((unsigned)atoi(cpu), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

int main(int argc, char **argv)
{
	const struct workload *w = workloads;
	const struct workload *end = workloads + sizeof(workloads) / sizeof(workloads[0]);
	char line[32];

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 3) {
		fprintf(stderr, "usage: bench WORKLOAD PORT [ARGS...]\n");
		return 2;
	}
	while (w < end && strcmp(w->name, argv[1]) != 0)
		w++;
	if (w == end) {
		fprintf(stderr, "bench: no workload '%s'\n", argv[1]);
		return 2;
	}
	port = atoi(argv[2]);
	extra = argv + 3;
	pin();
	w->setup();
	printf("ready\n");
	while (fgets(line, sizeof(line), stdin))
		printf("%llu\n", (unsigned long long)w->batch((unsigned)strtoul(line, NULL, 10)));
	return 0;
}
