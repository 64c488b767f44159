/*
 * threads.c - threads that are cancelled, end, fork and exec while others are inside the hooked calls, and threads with
 * little stack.
 *
 * threads CASE PORT. Cases use PORT to PORT + 3.
 */
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "job.h"

#define THREADS 3 /* each has a port of its own: PORT + 1 and so on */

static int port;
static char *number;

/* ---- cancellation ---- */

/* What the blocking calls are made on: a listener whose queue is empty, one whose queue is full, a UDP socket, a pair
 * with no room to write (not of TCP, whose buffers grow by themselves). */
static int listener, full, ends[2], datagrams;

static void open_all(void)
{
	struct sockaddr_in a = job_address(port);
	int fd;

	listener = job_listen(port);
	datagrams = job_bind(SOCK_DGRAM, port + 1);
	if (listener < 0 || datagrams < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
		_exit(90);
	while (send(ends[0], "", 1, MSG_DONTWAIT) > 0)
		;
	/* A listener with room for one: further connects wait. */
	full = job_bind(SOCK_STREAM, port + 2);
	if (full < 0 || listen(full, 0) != 0)
		_exit(91);
	a = job_address(port + 2);
	for (int i = 0; i < 3; i++) {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
			i = 0;
	}
}

static void block_accept(void)
{
	accept(listener, NULL, NULL);
}

static void block_accept_name(void)
{
	struct sockaddr_storage a;
	socklen_t n = sizeof(a);

	accept(listener, (struct sockaddr *)&a, &n);
}

static void block_accept4(void)
{
	struct sockaddr_storage a;
	socklen_t n = sizeof(a);

	accept4(listener, (struct sockaddr *)&a, &n, SOCK_CLOEXEC);
}

static void block_connect(void)
{
	job_connect(socket(AF_INET, SOCK_STREAM, 0), port + 2);
}

static void block_recvfrom(void)
{
	struct sockaddr_storage a;
	socklen_t n = sizeof(a);
	char byte;

	recvfrom(datagrams, &byte, 1, 0, (struct sockaddr *)&a, &n);
}

static struct sockaddr_storage room;
static char byte;
static struct iovec vector = { &byte, 1 };

static void block_recvmsg(void)
{
	struct msghdr m = { .msg_name = &room, .msg_namelen = sizeof(room), .msg_iov = &vector, .msg_iovlen = 1 };

	recvmsg(datagrams, &m, 0);
}

static void block_recvmmsg(void)
{
	struct mmsghdr m[2] = { { { &room, sizeof(room), &vector, 1, NULL, 0, 0 }, 0 } };

	recvmmsg(datagrams, m, 1, 0, NULL);
}

static void block_sendto(void)
{
	sendto(ends[0], &byte, 1, 0, NULL, 0);
}

static void block_sendmsg(void)
{
	struct msghdr m = { .msg_iov = &vector, .msg_iovlen = 1 };

	sendmsg(ends[0], &m, 0);
}

static void block_sendmmsg(void)
{
	struct mmsghdr m[2] = { { { NULL, 0, &vector, 1, NULL, 0, 0 }, 0 } };

	sendmmsg(ends[0], m, 1, 0);
}

static const struct {
	const char *name;
	void (*block)(void);
} blocking[] = {
	{ "accept", block_accept },     { "accept-name", block_accept_name }, { "accept4", block_accept4 },
	{ "connect", block_connect },   { "recvfrom", block_recvfrom },       { "recvmsg", block_recvmsg },
	{ "recvmmsg", block_recvmmsg }, { "sendto", block_sendto },           { "sendmsg", block_sendmsg },
	{ "sendmmsg", block_sendmmsg },
};
#define BLOCKING (sizeof(blocking) / sizeof(blocking[0]))

static pthread_barrier_t ready;
static _Atomic pid_t blocked_tid;
static int cancel_type;
static bool cleaned, unwound;

static void clean(void *unused)
{
	(void)unused;
	cleaned = true;
}

/* What C++ destructors are: they run only if the unwinder finds its way through every frame in between. */
static void unwind(int *unused)
{
	(void)unused;
	unwound = true;
}

static void *blocked(void *which)
{
	int guard __attribute__((cleanup(unwind))) = 0;

	(void)guard;
	pthread_setcanceltype(cancel_type, NULL);
	pthread_cleanup_push(clean, NULL);
	blocked_tid = gettid();
	pthread_barrier_wait(&ready);
	blocking[(uintptr_t)which].block();
	pthread_cleanup_pop(0);
	return which;
}

/* Until the kernel says that the thread sleeps in a call. */
static void await_sleep(pid_t tid)
{
	char path[64], text[512];

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	for (;;) {
		FILE *file = fopen(path, "r");
		const char *state = file && fgets(text, sizeof(text), file) ? strrchr(text, ')') : NULL;

		if (file)
			fclose(file);
		if (!state || state[2] == 'S')
			return;
		sched_yield();
	}
}

static void cancel_one(uintptr_t which, const char *how, bool before)
{
	pthread_t thread;
	void *result;

	cleaned = unwound = false;
	pthread_create(&thread, NULL, blocked, (void *)which);
	if (before)
		pthread_cancel(thread);
	pthread_barrier_wait(&ready);
	if (!before) {
		await_sleep(blocked_tid);
		pthread_cancel(thread);
	}
	pthread_join(thread, &result);
	printf("%s %s: %s, %s, %s\n", blocking[which].name, how, result == PTHREAD_CANCELED ? "cancelled" : "returned",
	       cleaned ? "cleaned" : "not cleaned", unwound ? "unwound" : "not unwound");
}

static int cancel(void)
{
	open_all();
	pthread_barrier_init(&ready, NULL, 2);
	for (uintptr_t i = 0; i < BLOCKING; i++) {
		cancel_type = PTHREAD_CANCEL_DEFERRED;
		cancel_one(i, "deferred", false);
		cancel_one(i, "before", true);
		cancel_type = PTHREAD_CANCEL_ASYNCHRONOUS;
		cancel_one(i, "asynchronous", false);
	}
	for (int fd = 3; fd < 256; fd++)
		close(fd);
	fflush(stdout);
	return job_told(1, "job", port);
}

/* With a cancellation pending, these must come back: they are no cancellation points. */
static void *no_points(void *unused)
{
	int fd = -1;

	pthread_cancel(pthread_self());
	fd = socket(AF_INET, SOCK_STREAM, 0);
	(void)!listen(fd, 16);
	unwound = true;
	job_port(fd, job_own);
	job_port(fd, job_peer);
	fd = job_listen(port);
	cleaned = fd >= 0 && job_bind(SOCK_DGRAM, port) >= 0;
	return unused;
}

static int no_cancel(void)
{
	pthread_t thread;
	void *result;

	pthread_create(&thread, NULL, no_points, NULL);
	pthread_join(thread, &result);
	printf("bind, listen, names: %s, %s\n", result ? "cancelled" : "returned", cleaned && unwound ? "done" : "not done");
	return 0;
}

/* Asynchronous cancellation at any instruction of bind and listen, again and again. What it leaves must work. */
static void *loop(void *at)
{
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	pthread_barrier_wait(&ready);
	for (;;) {
		int fd = job_listen((int)(intptr_t)at);

		if (fd >= 0)
			close(fd);
		fd = job_bind(SOCK_DGRAM, (int)(intptr_t)at);
		if (fd >= 0)
			close(fd);
	}
	return NULL;
}

static int cancel_storm(void)
{
	pthread_barrier_init(&ready, NULL, 2);
	for (int i = 0; i < 300; i++) {
		pthread_t thread;

		pthread_create(&thread, NULL, loop, (void *)(intptr_t)(port + i % 4));
		pthread_barrier_wait(&ready);
		for (volatile int spin = 0; spin < i * 500; spin++)
			;
		pthread_cancel(thread);
		pthread_join(thread, NULL);
		close_range(3, ~0u, 0);
	}
	for (int i = 0; i < 4; i++)
		if (job_told(1, "job", port + i))
			return 1;
	return 0;
}

/* ---- threads beside threads ---- */

static _Atomic bool enough;
static _Atomic int wrong;

static void *worker(void *at)
{
	do {
		if (job((int)(intptr_t)at))
			wrong++;
	} while (!enough);
	return NULL;
}

static void start_workers(pthread_t *threads)
{
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, worker, (void *)(intptr_t)(port + 1 + i));
}

/* Children of a process with busy threads bind, listen and connect themselves. */
static int forks(void)
{
	pthread_t threads[THREADS];
	int bad = 0, status;

	start_workers(threads);
	for (int i = 0; i < 100; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			alarm(100);
			_exit(job(port) ? 1 : 0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) < 0 || status)
			bad++;
	}
	enough = true;
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	/* The threads' own jobs may fail: a child inherits their listeners. */
	printf("children that failed: %d\n", bad);
	fflush(stdout);
	return job_told(1, "job", port);
}

/* Whatever the threads came to: the job on each port, the threads' too, once what was open is lost. */
static int all_jobs(void)
{
	close_range(3, ~0u, 0);
	for (int i = 1; i <= THREADS; i++)
		if (job(port + i))
			return job_told(1, "job", port + i);
	return job_told(1, "job", port);
}

/* The same program again while the threads are inside the calls: what they held must not stay held. */
static int execs(void)
{
	pthread_t threads[THREADS];
	const char *round = getenv("ROUND");
	int i = round ? atoi(round) : 20;
	char text[16];

	/* A listener that exec has left open may be in the way of this one. */
	if (job(port) || job(port + 1 + i % THREADS) || i == 0)
		return all_jobs();
	start_workers(threads);
	for (volatile int spin = 0; spin < i * 100000; spin++)
		;
	snprintf(text, sizeof(text), "%d", i - 1);
	setenv("ROUND", text, 1);
	execl("/proc/self/exe", "threads", "execs", number, (char *)NULL);
	return 97;
}

static void *last(void *unused)
{
	job_told(1, "last", port);
	enough = true;
	return unused;
}

static int exits(void)
{
	pthread_t threads[THREADS], other;

	start_workers(threads);
	pthread_create(&other, NULL, last, NULL);
	pthread_exit(NULL);
}

/* ---- little stack ---- */

static void *small(void *unused)
{
	job_told(1, "small", port);
	return unused;
}

static int small_stack(void)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, (size_t)PTHREAD_STACK_MIN);
	if (pthread_create(&thread, &attributes, small, NULL) != 0)
		return 1;
	pthread_join(thread, NULL);
	return job_told(1, "job", port);
}

/* How deep a call goes: the stack that it used, from what it changed. */
#define STACK (256 * 1024)
#define PAINT 0xa5

static int deep_fd;

static void deep_socket(void)
{
	deep_fd = socket(AF_INET, SOCK_STREAM, 0);
}

static void deep_bind(void)
{
	struct sockaddr_in a = job_address(port);

	if (bind(deep_fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		wrong++;
}

static void deep_listen(void)
{
	if (listen(deep_fd, 1) != 0)
		wrong++;
}

static void deep_names(void)
{
	job_port(deep_fd, job_own);
}

static void deep_connect(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (job_connect(fd, port) != 0)
		wrong++;
	close(fd);
}

static void deep_udp(void)
{
	int fd = job_bind(SOCK_DGRAM, port + 1);

	if (fd < 0)
		wrong++;
	close(fd);
}

static void deep_udp_again(void)
{
	deep_udp();
}

static void deep_taken(void)
{
	int fd = job_bind(SOCK_STREAM, port);

	if (fd >= 0)
		wrong++;
}

static void deep_foreign(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	job_connect(fd, port + 3);
	close(fd);
}

static void deep_again(void)
{
	int fd;

	close(deep_fd);
	fd = job_listen(port);
	if (fd < 0)
		wrong++;
	deep_fd = fd;
}

static void deep_exec(void)
{
	char *arguments[] = { (char *)"none", NULL }, *own[] = { NULL };

	execve("/nonexistent/program", arguments, own);
}

static void *deep(void *call)
{
	(*(void (**)(void))call)();
	return NULL;
}

static int deepest(void)
{
	static const struct {
		const char *name;
		void (*call)(void);
	} calls[] = {
		{ "socket", deep_socket },   { "bind", deep_bind },           { "listen", deep_listen },
		{ "names", deep_names },     { "connect", deep_connect },     { "bind-taken", deep_taken },
		{ "udp-bind", deep_udp },    { "udp-again", deep_udp_again }, { "foreign", deep_foreign },
		{ "listen-again", deep_again }, { "exec", deep_exec },
	};
	unsigned char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		pthread_attr_t attributes;
		pthread_t thread;
		size_t unused = 0;
		void (*call)(void) = calls[i].call;

		memset(stack, PAINT, STACK);
		pthread_attr_init(&attributes);
		pthread_attr_setstack(&attributes, stack, STACK);
		pthread_create(&thread, &attributes, deep, &call);
		pthread_join(thread, NULL);
		while (unused < STACK && stack[unused] == PAINT)
			unused++;
		printf("%s %zu\n", calls[i].name, STACK - unused);
	}
	return wrong;
}

static const struct {
	const char *name;
	int (*run)(void);
} cases[] = {
	{ "cancel", cancel },
	{ "no-cancel", no_cancel },
	{ "cancel-storm", cancel_storm },
	{ "forks", forks },
	{ "execs", execs },
	{ "exits", exits },
	{ "small-stack", small_stack },
	{ "deepest", deepest },
};

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	number = argv[2];
	port = atoi(number);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (strcmp(argv[1], cases[i].name) == 0)
			return cases[i].run();
	return 2;
}
