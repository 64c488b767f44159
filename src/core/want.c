/*
 * Theory of operation
 *
 * There is room for one wish in a run's file. Who finds a living one there waits for its answer as well: `answers`
 * counts them, and says which port the last one was about. If it is his own, that is the answer, and the first to bind
 * has the port; if not, the next wish is his own. A wish whose process is dead counts for nothing: its place is taken,
 * by those who wait as well, and what its keeper says to it is about no port. Wishes are written, read and answered
 * under the lock of the run that they are about, which nobody holds while he waits.
 *
 * The sleep is a futex on `answers`. It is cut into slices: after each it is seen whether the keeper lives, because a
 * killed one answers nobody. futex_waitv(2) is the one wait that has both a time limit and the kernel's ordinary
 * treatment of signals: with SA_RESTART it goes on after the handler, without it returns EINTR. bind(2) knows no EINTR
 * otherwise, but who asks for system calls to be interrupted wants to get out of those that wait. Where the kernel
 * does not have it (before Linux 5.16), the wait goes on after any handler.
 *
 * What keeps two runs from taking a port from each other for ever: who has yielded takes no more (insists in
 * assign.c), and does not take the yielded port even when it is free (try_port). So the newcomer needs no reservation:
 * the program that is started again cannot be faster than it.
 */
#include <errno.h>
#include <linux/futex.h>
#include <time.h>

#include <portshim/process.h>
#include <portshim/registry.h>
#include <portshim/want.h>

#include "sys.h"

#define SLICE_MS 1000

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

/* As <linux/futex.h> has it since 5.16. */
struct waiter {
	uint64_t value;
	uint64_t address;
	uint32_t flags;
	uint32_t reserved;
};

#define WAITER_32 2u /* a word of 32 bits, which other processes map too */

static int64_t now_ms(void)
{
	struct timespec now = {0};

	sys2(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Sleeps until the word is another or the time has come. 0 or -EINTR. */
static int sleep_while(_Atomic uint32_t *word, uint32_t value, int64_t until)
{
	struct waiter waiter = {.value = value, .address = (uintptr_t)word, .flags = WAITER_32};
	struct timespec at = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
	long result = sys5(SYS_futex_waitv, &waiter, 1, 0, &at, CLOCK_MONOTONIC);

	if (result == -EINTR)
		return -EINTR;
	/* All bits: the wait that has a time limit of the same kind. */
	if (result == -ENOSYS || result == -EPERM)
		sys6(SYS_futex, word, FUTEX_WAIT_BITSET, value, &at, 0, FUTEX_BITSET_MATCH_ANY);
	return 0;
}

int want_hope(const struct ps_scope *run)
{
	const uint32_t both = PS_SCOPE_KEPT | PS_SCOPE_YIELDS, flags = atomic_load(&run->flags);

	if (flags & PS_SCOPE_RETIRED)
		return -ESRCH;
	if ((flags & both) != both)
		return -EPERM;
	return process_alive(run->root) ? 0 : -ESRCH;
}

static bool has(const struct ps_host *host, const struct ps_scope *run, uint16_t port)
{
	uint64_t head = host_head(host, port);

	return head_state(head) >= PS_HELD && head_env(head) == run->env && record_get(&host->record[port], run) == run->id;
}

/* Leaves the wish, unless somebody's is there. 0, or a negative errno. */
static int leave_wish(struct ps_space *space, struct ps_scope *run, uint64_t by, uint16_t port, uint32_t *answers)
{
	struct ps_lock_guard guard;
	int error = process_alive(by) ? want_hope(run) : -ESRCH;

	if (error)
		return error;
	if (!lock_enter(&run->lock, &guard))
		return -ETIMEDOUT;
	*answers = atomic_load(&run->answers);
	if (!process_alive(atomic_load(&run->wanted_by))) {
		atomic_store(&run->wanted_by, 0);
		atomic_store(&run->wanted_for, space->run->id);
		atomic_store(&run->wanted, port);
		atomic_store(&run->wanted_by, by);
	}
	lock_leave(&run->lock, &guard);
	return 0;
}

/* Nobody waits any more: the program need not be ended for us, unless that has begun. */
static void take_back(struct ps_scope *run, uint64_t by, uint16_t port)
{
	if (atomic_load(&run->wanted) == port)
		atomic_compare_exchange_strong(&run->wanted_by, &by, 0);
}

/* 0: there is an answer, or the wish's process is dead. */
static int await(struct ps_scope *run, uint32_t answers, int64_t end)
{
	while (atomic_load(&run->answers) == answers) {
		int64_t now = now_ms(), slice = now + SLICE_MS;
		int error = now >= end ? -ETIMEDOUT : want_hope(run);

		if (!error)
			error = sleep_while(&run->answers, answers, slice < end ? slice : end);
		if (error)
			return error;
		if (!process_alive(atomic_load(&run->wanted_by)))
			return 0;
	}
	return 0;
}

static bool answered(const struct ps_scope *run, uint32_t before, uint16_t port)
{
	uint32_t now = atomic_load(&run->answers);

	return now != before && (uint16_t)now == port;
}

int want_port(struct ps_space *space, uint64_t by, uint32_t id, uint16_t port)
{
	int64_t end = now_ms() + PS_WANT_PATIENCE_MS;
	struct ps_scope *run;
	bool done = false;
	uint32_t answers;
	int error = space_open_scope(space->runtime, id, &run);

	if (error)
		return error;
	while (!error && !done && has(space->host, run, port)) {
		error = leave_wish(space, run, by, port, &answers);
		if (error)
			break;
		space_poke(space->runtime, run);
		error = await(run, answers, end);
		if (error)
			take_back(run, by, port);
		done = answered(run, answers, port);
	}
	if (!error)
		error = atomic_load(&run->yielded) == port;
	space_close_scope(run);
	return error;
}

bool want_read(struct ps_scope *run, struct ps_wish *wish)
{
	struct ps_lock_guard guard;

	if (!atomic_load(&run->wanted_by) || !lock_enter(&run->lock, &guard))
		return false;
	*wish = (struct ps_wish){atomic_load(&run->wanted_by), atomic_load(&run->wanted_for), atomic_load(&run->wanted)};
	lock_leave(&run->lock, &guard);
	return process_alive(wish->by);
}

void want_answer(struct ps_scope *run, const struct ps_wish *wish)
{
	uint64_t by = wish ? wish->by : atomic_load(&run->wanted_by);
	uint16_t port = wish && process_alive(by) ? wish->port : 0;
	struct ps_lock_guard guard;
	bool locked = lock_enter(&run->lock, &guard);

	/* Who has taken the place of a dead one is still to be answered. */
	atomic_compare_exchange_strong(&run->wanted_by, &by, 0);
	atomic_store(&run->answers, ((atomic_load(&run->answers) >> 16) + 1) << 16 | port);
	if (locked)
		lock_leave(&run->lock, &guard);
	sys3(SYS_futex, &run->answers, FUTEX_WAKE, 0x7fffffff);
}

bool want_yield(struct ps_host *host, struct ps_scope *run, const struct ps_wish *wish)
{
	struct ps_lock_guard guard;
	bool yielded = false;

	if (!process_alive(wish->by) || !lock_enter(&run->lock, &guard))
		return false;
	if (has(host, run, wish->port)) {
		atomic_store(&run->yielded_for, wish->run);
		atomic_store(&run->yielded, wish->port);
		yielded = registry_end(host, run->id, wish->port, host_head(host, wish->port), 0);
	}
	lock_leave(&run->lock, &guard);
	return yielded;
}
