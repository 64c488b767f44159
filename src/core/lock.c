/*
 * Theory of operation
 *
 * Free -> owned is one compare-and-swap of the caller's thread id into the word; owned -> free is one back. Only when
 * these fail is the kernel asked, with the PI futex operations, because those alone know what a thread id means:
 *
 *   - the owner died while others waited: the kernel gives the lock to a waiter, which writes its own id into the word when
 *     it runs, whatever stands there. Nobody else may take it meanwhile: who only timed out asks again (EINVAL until then);
 *   - the owner died before anybody waited: FUTEX_LOCK_PI finds no such thread and says ESRCH. That may be about another
 *     owner than the one that was seen, so it is looked at; then the next comer swaps the dead id for its own;
 *   - the dead owner's id belongs to a new thread by now: the kernel would wait for that one. The wait is therefore cut
 *     into slices, and after each a time at which the owner existed is compared with the thread's start. That note says
 *     whose it is: a dead owner's stays until the next one has written its own.
 *
 * Patience is with one owner, not with the queue: where hundreds start at once on a busy machine, the last one's turn
 * may come after many seconds, in which the lock goes from hand to hand. Each change of owner begins it anew.
 *
 * tests/model/lock.pml goes through all orders of these steps. What it shows to be left: an owner that is killed
 * between taking the word and its note, and whose id then goes to a thread that lives on, is taken for that thread.
 *
 * The critical sections change records in an order that is good at every instruction (host.h), so a lock taken over
 * from a dead owner needs no repair. Signals are blocked inside: a handler that calls bind() must not find its own
 * thread's lock.
 */
#include <errno.h>
#include <linux/futex.h>
#include <time.h>

#include <portshim/process.h>
#include <portshim/lock.h>

#include "sys.h"

#define SLICE_MS 100

static long futex(struct ps_lock *lock, int operation, const struct timespec *until)
{
	return sys6(SYS_futex, &lock->word, operation, 0, until, 0, 0);
}

static void signals_block(struct ps_lock_guard *guard)
{
	uint64_t all = ~UINT64_C(0);

	sys4(SYS_rt_sigprocmask, 0 /* SIG_BLOCK */, &all, &guard->mask, sizeof(all));
}

static void signals_restore(const struct ps_lock_guard *guard)
{
	sys4(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, &guard->mask, 0, sizeof(guard->mask));
}

/* The calling thread's id, and above it a time at which it exists, in the ticks of 1/100 s that proc(5) has starts in.
 * A main thread has its id for as long as its process lives, so the time of its first lock does for all of them;
 * another thread's id may be that of an earlier one. */
static uint64_t present(uint32_t tid)
{
	static _Atomic uint64_t first; /* of the main thread */
	uint64_t known = atomic_load_explicit(&first, memory_order_relaxed);
	struct timespec now = {0};

	if ((uint32_t)process_pid(known) == tid)
		return known;
	sys2(SYS_clock_gettime, CLOCK_BOOTTIME, &now);
	known = process_started_by((int32_t)tid, (uint64_t)now.tv_sec * 100 + (uint64_t)now.tv_nsec / 10000000);
	if ((uint32_t)sys0(SYS_getpid) == tid)
		atomic_store_explicit(&first, known, memory_order_relaxed);
	return known;
}

static int32_t owner_of(uint32_t word)
{
	return (int32_t)(word & FUTEX_TID_MASK);
}

static bool owner_dead(uint32_t word)
{
	return !process_of(owner_of(word));
}

/* A thread of the owner's id lives that is not the owner. */
static bool owner_replaced(const struct ps_lock *lock, uint32_t word)
{
	uint64_t owner = process_of(owner_of(word));
	uint64_t since = atomic_load(&lock->since);

	return owner && process_pid(since) == owner_of(word) && process_start(owner) > process_start(since) + 1;
}

/* Takes the word from the owner that was seen, unless it is another's by now. */
static bool take_over(struct ps_lock *lock, uint32_t seen, uint32_t tid)
{
	uint32_t word = atomic_load(&lock->word);

	return owner_of(word) == owner_of(seen) &&
	       atomic_compare_exchange_strong(&lock->word, &word, tid | (word & FUTEX_WAITERS));
}

/* Waits at most a slice, and adds to *waited how long that was. True when the lock is the caller's. */
static bool wait_slice(struct ps_lock *lock, uint32_t tid, int *waited)
{
	static const struct timespec moment = {.tv_nsec = 1000000};
	struct timespec until;
	uint32_t word = atomic_load(&lock->word);
	long result;

	sys2(SYS_clock_gettime, CLOCK_REALTIME, &until);
	until.tv_nsec += SLICE_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	result = futex(lock, FUTEX_LOCK_PI, &until);
	if (result == 0)
		return true;
	*waited += result == -ETIMEDOUT ? SLICE_MS : 1;
	if (result == -ESRCH && owner_dead(word))
		return take_over(lock, word, tid);
	/* EPERM: the dead owner's id is a kernel thread's by now. */
	if ((result == -ETIMEDOUT || result == -EPERM) && owner_replaced(lock, word))
		return take_over(lock, word, tid);
	/* EINVAL: the heir of a dead owner has not run yet. */
	if (result != -ETIMEDOUT)
		sys2(SYS_nanosleep, &moment, 0);
	return false;
}

bool lock_enter(struct ps_lock *lock, struct ps_lock_guard *guard)
{
	uint32_t tid = (uint32_t)sys0(SYS_gettid);
	uint32_t word = 0;
	int32_t owner;
	int waited = 0;
	bool taken;

	signals_block(guard);
	taken = atomic_compare_exchange_strong(&lock->word, &word, tid);
	owner = owner_of(word);
	while (!taken && waited < PS_LOCK_PATIENCE_MS && (word & FUTEX_TID_MASK) != tid) {
		taken = wait_slice(lock, tid, &waited);
		if (!taken) {
			word = 0;
			taken = atomic_compare_exchange_strong(&lock->word, &word, tid);
		}
		if (owner_of(word) != owner) {
			owner = owner_of(word);
			waited = 0;
		}
	}
	/* Our own id in the word is a second call by the owner, who has left its note, or is that of a dead thread. */
	if (!taken && (word & FUTEX_TID_MASK) == tid)
		taken = (uint32_t)process_pid(atomic_load(&lock->since)) != tid || owner_replaced(lock, word);
	guard->tid = tid;
	guard->since = present(tid);
	if (taken)
		atomic_store(&lock->since, guard->since);
	else
		signals_restore(guard);
	return taken;
}

void lock_leave(struct ps_lock *lock, const struct ps_lock_guard *guard)
{
	uint32_t tid = guard->tid;

	atomic_store(&lock->since, 0);
	/* EINVAL: those who wait still wait for a thread that we took the lock over from. They look again in a moment. */
	if (!atomic_compare_exchange_strong(&lock->word, &tid, 0) && futex(lock, FUTEX_UNLOCK_PI, 0) == -EINVAL)
		atomic_store(&lock->word, 0);
	signals_restore(guard);
}
