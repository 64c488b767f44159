/*
 * loop.c - the keeper's event loop.
 *
 * Theory of operation
 *
 * One thread, one poll(2): a signalfd for everything that is sent to us and for the ends of processes, and an
 * inotify watch on the run's file, which the shim touches (space_poke) when it has published or has something to
 * tell. The program's end comes by SIGCHLD if we are its parent: we hold its pid until we reap it, so a pidfd
 * would add nothing. Where the program is under a filter its parent is a worker, which tells us by an eventfd, and
 * what we have to do if that is killed comes through the same loop (chain.c). The heartbeat is the timeout of the
 * poll, and runs only while something is recorded: an idle keeper sleeps for good.
 *
 * The keeper may be the one who serves the program's calls, so it never gives up its loop while the program lives.
 * Without a signalfd (RLIMIT_NOFILE) the end of a process still interrupts the wait; what else is sent to us is lost.
 *
 * Whatever the keeper was told before the watch was there is found by the first look, which comes after it.
 *
 * If the keeper is killed, the program goes on: nothing of it is tied to us, its signals and its terminal work, and
 * its records are cleared away by the next look of any command. Without inotify (its limits are per user) the keeper
 * looks at every heartbeat and at the end.
 */
#include "keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HEARTBEAT_MS 10000 /* three times faster than the 30 s after which readers call a file stale */
#define PAUSE_MS 10        /* before waiting is tried again that has failed: poll(2), ENOMEM */
#define GRACE_MS 100       /* for processes that are just about to end when the program does */

/* PORTSHIM_HEARTBEAT_MS is for the tests, which cannot wait that long. */
static int heartbeat(void)
{
	const char *text = getenv("PORTSHIM_HEARTBEAT_MS");
	int ms = text ? atoi(text) : 0;

	return ms >= 10 && ms <= 60000 ? ms : HEARTBEAT_MS;
}

/* Counts also while the machine sleeps: after that, files are old. */
static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void open_watch(struct ps_keeper *keeper)
{
	char path[PS_RUNTIME_MAX + 16];

	keeper->changes = -1;
	if (!keeper->space)
		return;
	space_scope_path(keeper->space->runtime, keeper->space->run->id, path);
	keeper->changes = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (keeper->changes >= 0)
		inotify_add_watch(keeper->changes, path, PS_POKED);
}

static void drain(int fd)
{
	char buffer[4096];

	while (read(fd, buffer, sizeof(buffer)) > 0)
		;
}

/* The time until the next heartbeat for poll(2): -1 while there is nothing to refresh. */
static int beat_time_left(const struct ps_keeper *keeper, int64_t next)
{
	int64_t left;

	if (!keeper->space || (!keeper->recorded && keeper->changes >= 0))
		return -1;
	left = next - now_ms();
	return left > 0 ? (int)left : 0;
}

/* Of two for poll(2), of which -1 is for ever. */
static int sooner(int a, int b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

static int time_left(const struct ps_keeper *keeper, int64_t next)
{
	return sooner(sooner(beat_time_left(keeper, next), yield_time_left(keeper)), chain_time_left(keeper));
}

static void interrupt(int number)
{
	(void)number;
}

static void open_signals(struct ps_keeper *keeper)
{
	const struct sigaction action = { .sa_handler = interrupt };
	sigset_t all;

	sigfillset(&all);
	keeper->signals = signalfd(-1, &all, SFD_NONBLOCK | SFD_CLOEXEC);
	if (keeper->signals < 0)
		sigaction(SIGCHLD, &action, NULL);
}

/* poll(2), which SIGCHLD interrupts if there is no signalfd that tells of it. */
static int wait_for(const struct ps_keeper *keeper, struct pollfd *fds, unsigned count, int ms)
{
	const struct timespec time = { ms / 1000, ms % 1000 * 1000000L };
	sigset_t blocked;

	sigfillset(&blocked);
	sigdelset(&blocked, SIGCHLD);
	return ppoll(fds, count, ms < 0 ? NULL : &time, keeper->signals < 0 ? &blocked : NULL);
}

/* Waits for a while for whatever there is, and sees to it. */
static void wait_for_events(struct ps_keeper *keeper, int ms)
{
	const struct timespec pause = { 0, PAUSE_MS * 1000000L };
	struct pollfd fds[2 + PS_CHAIN_FDS] = { { keeper->signals, POLLIN, 0 }, { keeper->changes, POLLIN, 0 } };

	chain_poll(keeper, fds + 2);
	if (wait_for(keeper, fds, 2 + PS_CHAIN_FDS, ms) < 0) {
		if (errno != EINTR)
			nanosleep(&pause, NULL);
		return;
	}
	chain_serve(keeper, fds + 2);
	if (fds[0].revents)
		signals_read(keeper);
	if (fds[1].revents) {
		drain(keeper->changes);
		notices_update(keeper);
	}
}

static void beat(struct ps_keeper *keeper, int64_t *next, int interval)
{
	int64_t now;

	if (!keeper->space)
		return;
	now = now_ms();
	if (now < *next)
		return;
	notices_update(keeper); /* in case that there is no inotify */
	tidy_beat(keeper);
	*next = now + interval;
}

static void look_after(struct ps_keeper *keeper)
{
	int interval = heartbeat();
	int64_t next = now_ms() + interval;

	if (keeper->space)
		notices_update(keeper);
	for (;;) {
		signals_reap(keeper);
		yield_look(keeper);
		if (keeper->ended && keeper->yield.state == PS_YIELD_NO)
			break;
		if (keeper->reaped && keeper->space) {
			notices_update(keeper); /* what was there is told before its record goes */
			tidy_sweep(keeper);
		}
		wait_for_events(keeper, time_left(keeper, next));
		beat(keeper, &next, interval);
	}
}

/* A script that kills its server and ends leaves it dying behind: a moment later there is nothing left to be kept. Only
 * waited for where something would be left on record. */
static void wait_for_dying(struct ps_keeper *keeper)
{
	int64_t end = now_ms() + GRACE_MS;

	while (!keeper->alone && (keeper->recorded || keeper->space->env->flags & PS_SCOPE_PRIVATE)) {
		int64_t left = end - now_ms();

		if (left <= 0)
			break;
		wait_for_events(keeper, sooner((int)left, chain_time_left(keeper)));
		signals_reap(keeper);
	}
}

int keeper_run(struct ps_keeper *keeper, char *const *argv)
{
	int error;

	chain_init(keeper);
	error = start_program(keeper, argv);
	if (error)
		return error;
	open_signals(keeper);
	open_watch(keeper);
	if (keeper->signals >= 0)
		canary_start(keeper);
	look_after(keeper);
	canary_end(keeper);
	signals_reap(keeper); /* is anybody left, now that the program is gone? */
	if (keeper->space) {
		notices_update(keeper);
		wait_for_dying(keeper);
		tidy_end(keeper);
		yield_close(keeper);
	}
	chain_end(keeper);
	return 0;
}

int keeper_status(int status)
{
	const struct sigaction normal = { .sa_handler = SIG_DFL };
	const struct rlimit none = { 0, 0 };
	sigset_t one;
	int number;

	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	number = WTERMSIG(status);
	/* The core that counts is the program's. */
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
	sigemptyset(&one);
	sigaddset(&one, number);
	sigaction(number, &normal, NULL);
	kill(getpid(), number);
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	return 128 + number; /* process 1 of a container does not die by its own signals */
}
