/*
 * signals.c - signal handlers that call the hooked calls, and some that never return to what they interrupted.
 *
 * signals CASE PORT. Cases use PORT to PORT + 7.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "job.h"

#define ROUNDS 150       /* signals that must have been handled before a storm is over */
#define INTERVAL 300000L /* ns from when one was handled to the next: a busy machine must leave the program some */

static int port;
static volatile sig_atomic_t handled, wrong;
static const char *volatile why;

/* ---- handlers ---- */

static timer_t timer;
static bool ticking;
static int sender_waits = -1; /* a pipe */

/* Each signal that was handled asks for the next one. */
static void again(void)
{
	struct itimerspec once = { .it_value = { 0, INTERVAL } };

	if (ticking)
		timer_settime(timer, 0, &once, NULL);
	if (sender_waits >= 0 && write(sender_waits, "", 1) != 1)
		wrong++;
}

/* All hooked calls that POSIX calls async-signal-safe, and the rest as well: on a port of its own. */
static void do_job(int signal)
{
	int saved = errno;
	const char *step = job(port + 1);

	(void)signal;
	if (step) {
		wrong++;
		why = step;
	}
	handled++;
	again();
	errno = saved;
}

/* What a client and a server that runs call, with addresses on this very stack. */
static int small_listener, small_udp;

static void do_little(int signal)
{
	struct sockaddr_in a = job_address(port + 2);
	socklen_t n = sizeof(a);
	int saved = errno, fd, peer;
	char byte = 'x';

	(void)signal;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&a, n) != 0 || getpeername(fd, (struct sockaddr *)&a, &n) != 0 ||
	    ntohs(a.sin_port) != port + 2)
		wrong++;
	peer = accept4(small_listener, (struct sockaddr *)&a, &n, SOCK_CLOEXEC);
	if (peer < 0 || getsockname(peer, (struct sockaddr *)&a, &n) != 0)
		wrong++;
	close(peer);
	close(fd);
	a = job_address(port + 3);
	n = sizeof(a);
	if (sendto(small_udp, &byte, 1, 0, (struct sockaddr *)&a, n) != 1 ||
	    recvfrom(small_udp, &byte, 1, 0, (struct sockaddr *)&a, &n) != 1 || ntohs(a.sin_port) != port + 3)
		wrong++;
	handled++;
	errno = saved;
}

static void install(int signal, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	sigaction(signal, &action, NULL);
}

static void tick(int signal, clockid_t clock)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = signal };

	if (timer_create(clock, &event, &timer) != 0)
		_exit(95);
	ticking = true;
	again();
}

static void tick_no_more(void)
{
	ticking = false;
	timer_delete(timer);
}

/* ---- storms ---- */

/* The main program does its job again and again, each call of which may be interrupted at any instruction. Nothing
 * may fail but for a blocking call that is interrupted, and those are restarted. */
static int storm_of(int signal, clockid_t clock, int least)
{
	int rounds = 0;

	install(signal, do_job, SA_RESTART);
	tick(signal, clock);
	while (handled < least || rounds < least) {
		const char *step = job(port);

		rounds++;
		if (step) {
			wrong++;
			why = step;
		}
	}
	tick_no_more();
	install(signal, SIG_IGN, 0);
	job_say(1, "wrong:", wrong ? why : "nothing");
	return job_told(1, "job", port);
}

static int storm_alarm(void)
{
	return storm_of(SIGALRM, CLOCK_MONOTONIC, ROUNDS);
}

static int storm_profile(void)
{
	return storm_of(SIGPROF, CLOCK_PROCESS_CPUTIME_ID, ROUNDS / 5); /* comes with the clock tick, not faster */
}

/* From another process: SIGUSR1, for as long as this one lives. */
static int storm_sent(void)
{
	pid_t sender, parent = getpid();
	int result, rounds = 0, handshake[2];
	char byte;

	if (pipe(handshake) != 0)
		return 95;
	sender_waits = handshake[1];
	install(SIGUSR1, do_job, SA_RESTART);
	sender = fork();
	if (sender == 0) {
		struct timespec pause = { 0, INTERVAL };

		close(handshake[1]);
		while (kill(parent, SIGUSR1) == 0 && read(handshake[0], &byte, 1) == 1)
			nanosleep(&pause, NULL);
		_exit(0);
	}
	while (handled < ROUNDS || rounds < ROUNDS) {
		const char *step = job(port);

		rounds++;
		if (step) {
			wrong++;
			why = step;
		}
	}
	kill(sender, SIGKILL);
	waitpid(sender, NULL, 0);
	install(SIGUSR1, SIG_IGN, 0);
	job_say(1, "wrong:", wrong ? why : "nothing");
	result = job_told(1, "job", port);
	return result;
}

/* A handler that does the same job on the same port as what it interrupts: its binds may fail, but nothing may hang. */
static void same_port(int signal)
{
	int saved = errno, fd;

	(void)signal;
	fd = job_listen(port);
	if (fd >= 0)
		close(fd);
	fd = job_bind(SOCK_DGRAM, port);
	if (fd >= 0)
		close(fd);
	handled++;
	again();
	errno = saved;
}

static int storm_same(void)
{
	install(SIGALRM, same_port, SA_RESTART);
	tick(SIGALRM, CLOCK_MONOTONIC);
	while (handled < ROUNDS) {
		int fd = job_listen(port);

		if (fd >= 0)
			close(fd);
		fd = job_bind(SOCK_DGRAM, port);
		if (fd >= 0)
			close(fd);
	}
	tick_no_more();
	install(SIGALRM, SIG_IGN, 0);
	return job_told(1, "job", port);
}

/* ---- out of a call, never to come back ---- */

static sigjmp_buf away;
static volatile sig_atomic_t inside;

static void jump(int signal)
{
	(void)signal;
	handled++;
	again();
	if (inside)
		siglongjmp(away, 1);
}

static int longjmps(void)
{
	volatile int round = 0;
	pid_t pid;
	int status = -1;

	install(SIGALRM, jump, 0);
	tick(SIGALRM, CLOCK_MONOTONIC);
	while (handled < 2 * ROUNDS) {
		round = round + 1;
		if (sigsetjmp(away, 1) == 0) {
			inside = 1;
			for (;;)
				job(port + round % 4);
		}
		inside = 0;
		close_range(3, ~0u, 0); /* what was open is lost */
	}
	tick_no_more();
	install(SIGALRM, SIG_IGN, 0);
	for (int i = 0; i < 4; i++)
		if (job_told(1, "job", port + i))
			return 1;
	/* and for others of the run */
	pid = fork();
	if (pid == 0) {
		alarm(100);
		_exit(job_told(1, "child", port));
	}
	waitpid(pid, &status, 0);
	return status;
}

/* Without `portshim run`, the first call makes the run; a handler that interrupts or leaves it must not spoil that. */
static int first_call(void)
{
	for (int i = 0; i < 30; i++) {
		int status = -1;
		pid_t pid = fork();

		if (pid == 0) {
			struct itimerspec once = { .it_value = { 0, 5000 + i * 20000L } };
			struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
			install(SIGALRM, jump, 0);
			timer_create(CLOCK_MONOTONIC, &event, &timer);
			if (sigsetjmp(away, 1) == 0) {
				inside = 1;
				timer_settime(timer, 0, &once, NULL);
				while (!handled)
					job(port);
			}
			inside = 0;
			close_range(3, ~0u, 0);
			_exit(job(port) ? 1 : 0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) < 0 || status) {
			job_say(1, "first call:", "spoiled");
			return 1;
		}
	}
	job_say(1, "first call:", "fine");
	return 0;
}

/* ---- little stack ---- */

/* An alternate stack of `size` bytes with a page behind it that may not be touched. */
static void alternate(size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (size + page - 1) / page * page;
	char *memory = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack_t stack = { .ss_sp = memory + page, .ss_size = room };

	/* The kernel puts the frame at the top: what is to be left free is at the bottom. */
	stack.ss_sp = memory + page + (room - size);
	stack.ss_size = size;
	mprotect(memory, page, PROT_NONE);
	if (room != size)
		memset(memory + page, 0x5a, room - size);
	sigaltstack(&stack, NULL);
}

static int small_stack(void)
{
	small_listener = job_listen(port + 2);
	small_udp = job_bind(SOCK_DGRAM, port + 3);
	alternate((size_t)sysconf(_SC_MINSIGSTKSZ) + 1024);
	install(SIGUSR1, do_little, SA_ONSTACK);
	for (int i = 0; i < 20; i++)
		raise(SIGUSR1);
	alternate((size_t)sysconf(_SC_MINSIGSTKSZ) + 8192);
	install(SIGUSR2, do_job, SA_ONSTACK);
	for (int i = 0; i < 20; i++)
		raise(SIGUSR2);
	printf("handled %d, wrong %d\n", handled, wrong);
	fflush(stdout);
	return job_told(1, "job", port);
}

static const struct {
	const char *name;
	int (*run)(void);
} cases[] = {
	{ "alarm", storm_alarm },
	{ "profile", storm_profile },
	{ "sent", storm_sent },
	{ "same", storm_same },
	{ "longjmps", longjmps },
	{ "first-call", first_call },
	{ "small-stack", small_stack },
};

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	port = atoi(argv[2]);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (strcmp(argv[1], cases[i].name) == 0)
			return cases[i].run();
	return 2;
}
