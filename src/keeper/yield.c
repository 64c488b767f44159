/*
 * yield.c - giving a port up to a run that insists on it: the program is ended, and started again without the port.
 *
 * Theory of operation: a wish in the run's file (want.h) wakes the keeper. It is granted if the port is one of this
 * run's, of a service that yields, and not wanted from inside. Then, in the same loop as ever:
 *
 *	NO -> ENDING       the filter's worker, if there is one, is killed and we serve in its place (chain.c), so that
 *	                   what it had is ours. Every child of ours gets SIGTERM. We are the subreaper, so that what they
 *	                   leave behind becomes our child and gets its SIGTERM then; masters end their workers in their
 *	                   own way before that.
 *	ENDING -> KILLING  the time is over: SIGKILL, round after round, for the same reason down to the last grandchild.
 *	-> NO              nobody is left. The record of the port is ended, the wish answered, the program started again.
 *
 * Signals go to children of ours alone, which nobody else can reap: their pids are surely theirs, and no start time
 * need be compared. The other records of the run stay HELD, as when a program restarts by itself; the port that was
 * yielded is refused to this run from then on (want.c), so the program that starts need not wait for the newcomer.
 *
 * Whoever tells us to end meanwhile (Ctrl-C, SIGTERM) means the run, and there may be no program just then that could
 * hear it: then there is no new start.
 */
#include "keeper.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <portshim/process.h>
#include <portshim/registry.h>
#include <portshim/want.h>

#define GRACE_MS 5000 /* as `portshim free` */
#define KILL_MS 5000  /* a process that is stuck in the kernel does not die at once */

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* PORTSHIM_GRACE_MS is for the tests, which cannot wait that long. */
static int grace(void)
{
	const char *text = getenv("PORTSHIM_GRACE_MS");
	int ms = text ? atoi(text) : 0;

	return ms >= 10 && ms <= 60000 ? ms : GRACE_MS;
}

/* ---- ending ---- */

static bool was_told(struct ps_yield *y, pid_t pid)
{
	for (unsigned i = 0; i < y->count; i++)
		if (y->told[i] == pid)
			return true;
	y->told[y->next++ % PS_YIELD_TOLD] = pid;
	if (y->count < PS_YIELD_TOLD)
		y->count++;
	return false;
}

static void signal_child(struct ps_yield *y, pid_t pid)
{
	if (y->state == PS_YIELD_KILLING)
		kill(pid, SIGKILL);
	else if (!was_told(y, pid)) {
		kill(pid, SIGTERM);
		kill(pid, SIGCONT); /* one that is stopped hears SIGTERM when it goes on */
	}
}

static void signal_children(struct ps_keeper *keeper)
{
	DIR *proc = opendir("/proc");
	pid_t self = getpid();
	struct dirent *entry;

	/* Without /proc there is the program itself. */
	if (!proc && !keeper->ended)
		signal_child(&keeper->yield, keeper->child);
	while (proc && (entry = readdir(proc))) {
		pid_t pid = entry->d_name[0] > '0' && entry->d_name[0] <= '9' ? (pid_t)atoi(entry->d_name) : 0;

		if (pid && pid != keeper->canary && signals_parent(pid) == self)
			signal_child(&keeper->yield, pid);
	}
	if (proc)
		closedir(proc);
}

/* ---- granting ---- */

/* Whoever it was started for may be dead by now, and another who waited with him have taken his place. */
static void look_for_heir(struct ps_keeper *keeper)
{
	struct ps_wish *wish = &keeper->yield.wish, heir;

	if (!process_alive(wish->by) && want_read(keeper->space->run, &heir) && heir.port == wish->port &&
	    !signals_inside(process_pid(heir.by)))
		*wish = heir;
}

static bool may_yield(const struct ps_keeper *keeper, const struct ps_wish *wish)
{
	const struct ps_space *space = keeper->space;
	const struct ps_record *record = &space->host->record[wish->port];

	return !keeper->ended && registry_is_own_actual(space, wish->port) && record_is_whole(record) &&
	       plan_yields(space->plan, record->service) && !signals_inside(process_pid(wish->by));
}

static void begin(struct ps_keeper *keeper, const struct ps_wish *wish)
{
	struct ps_yield *y = &keeper->yield;

	*y = (struct ps_yield){ .state = PS_YIELD_ENDING, .wish = *wish, .deadline = now_ms() + grace() };
	notices_yield(keeper);
	chain_dissolve(keeper);
	signal_children(keeper);
}

/* True if the program is to be started again. */
static bool end(struct ps_keeper *keeper)
{
	struct ps_yield *y = &keeper->yield;
	struct ps_space *space = keeper->space;
	bool ours = WIFSIGNALED(keeper->status) &&
		    (WTERMSIG(keeper->status) == SIGTERM || WTERMSIG(keeper->status) == SIGKILL);

	signals_read(keeper);
	tidy_look(space);
	look_for_heir(keeper);
	want_yield(space->host, space->run, &y->wish);
	want_answer(space->run, &y->wish);
	y->state = PS_YIELD_NO;
	if (y->interrupted && ours)
		keeper->status = y->interrupted; /* what wait(2) says of a death by that signal */
	return !y->interrupted;
}

static void start_again(struct ps_keeper *keeper)
{
	int error;

	memset(keeper->told, 0, sizeof(keeper->told)); /* what is announced is where its servers are now */
	keeper->ended = false;
	error = start_again_program(keeper);
	if (!error)
		return;
	notices_failed(keeper, error);
	keeper->ended = true;
	keeper->status = (error == ENOENT ? 127 : 126) << 8;
}

/* ---- the loop's ---- */

void yield_heard(struct ps_keeper *keeper, int number)
{
	struct sigaction action;

	if (keeper->yield.state == PS_YIELD_NO ||
	    (number != SIGINT && number != SIGTERM && number != SIGHUP && number != SIGQUIT))
		return;
	/* What the program was started to ignore or not to hear ends neither of us. */
	if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_IGN && !sigismember(&keeper->mask, number))
		keeper->yield.interrupted = number;
}

int yield_time_left(const struct ps_keeper *keeper)
{
	int64_t left = keeper->yield.deadline - now_ms();

	if (keeper->yield.state == PS_YIELD_NO)
		return -1;
	return left > 0 ? (int)left : 0;
}

void yield_look(struct ps_keeper *keeper)
{
	struct ps_yield *y = &keeper->yield;
	struct ps_wish wish = {0};

	if (!keeper->lasting)
		return;
	if (y->state == PS_YIELD_NO) {
		if (!atomic_load(&keeper->space->run->wanted_by))
			return;
		if (want_read(keeper->space->run, &wish) && may_yield(keeper, &wish))
			begin(keeper, &wish);
		else
			want_answer(keeper->space->run, &wish);
		return;
	}
	if (keeper->alone || (keeper->ended && y->state == PS_YIELD_KILLING && now_ms() >= y->deadline)) {
		if (end(keeper))
			start_again(keeper);
		return;
	}
	if (now_ms() >= y->deadline) {
		y->state = PS_YIELD_KILLING;
		y->deadline = now_ms() + KILL_MS;
	}
	signal_children(keeper);
}

void yield_close(struct ps_keeper *keeper)
{
	if (keeper->lasting)
		want_answer(keeper->space->run, NULL);
}
