/*
 * limit.c - see limit.h.
 *
 * Theory of operation: the flag that keeps connect from waiting belongs to the open file (O_NONBLOCK), which the
 * program shares, and whose other threads may take it back in the moment between our setting it and the kernel's look.
 * Then one connect would keep all programs of the run waiting, for minutes. A timer's signal ends such a wait.
 *
 * To set a timer costs a microsecond or two, so it is not stopped afterwards, and set again only when it may be over
 * too soon. Its signal is unblocked between begin and end alone: what comes later is read with all other signals, by
 * whoever does that, or stays pending. One that comes before the wait has begun is followed by another.
 */
#include "limit.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "held.h"

#define LIMIT_NS 20000000

static int timer = -1;
static int64_t enough_until;

static void set(long ns)
{
	const struct itimerspec time = {{0, 0}, {0, ns}};

	syscall(SYS_timer_settime, timer, 0, &time, NULL);
}

static void interrupt(int number)
{
	int saved = errno;

	(void)number;
	set(LIMIT_NS);
	errno = saved;
}

static void mask(int how)
{
	sigset_t one;

	sigemptyset(&one);
	sigaddset(&one, SIGRTMAX);
	sigprocmask(how, &one, NULL);
}

void limit_start(void)
{
	const struct sigaction action = {.sa_handler = interrupt};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMAX};

	event._sigev_un._tid = (pid_t)syscall(SYS_gettid); /* glibc before 2.38 has no name for it */
	enough_until = 0;
	mask(SIG_BLOCK);
	if (sigaction(SIGRTMAX, &action, NULL) < 0 || syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer) < 0)
		timer = -1;
}

void limit_begin(void)
{
	int64_t now = held_now();

	if (timer < 0)
		return;
	if (now > enough_until) {
		set(2 * LIMIT_NS);
		enough_until = now + LIMIT_NS;
	}
	mask(SIG_UNBLOCK);
}

void limit_end(void)
{
	if (timer >= 0)
		mask(SIG_BLOCK);
}
