/*
 * Theory of operation
 *
 * Free -> owned is one compare-and-swap of the caller's thread id into the word; owned -> free is one back. Only when
 * these fail is the kernel asked, with the PI futex operations, because those alone know what a thread id means:
 *
 *   - the owner died while others waited: the kernel gives the lock to a waiter, with FUTEX_OWNER_DIED in the word;
 *   - the owner died before anybody waited: FUTEX_LOCK_PI finds no such thread and says ESRCH; the next comer swaps the
 *     dead id for its own;
 *   - the dead owner's id belongs to a new thread by now: the kernel would wait for that one. The wait is therefore cut
 *     into slices, and after each a time at which the owner existed is compared with the thread's start.
 *
 * The critical sections change records in an order that is good at every instruction (host.h), so a lock taken over from
 * a dead owner needs no repair. Signals are blocked inside: a handler that calls bind() must not find its own thread's lock.
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

/* Takes the word from an owner that is gone. */
static bool take_over(struct ps_lock *lock, uint32_t seen, uint32_t tid)
{
	uint32_t word = atomic_load(&lock->word);

	/* Another waiter may have been faster: then the owner is not the one that was found gone. */
	return !((word ^ seen) & FUTEX_TID_MASK) &&
	       atomic_compare_exchange_strong(&lock->word, &word, tid | (word & FUTEX_WAITERS));
}

/* A time at which the calling thread exists, in the ticks of 1/100 s that proc(5) has starts in. A main thread has its id for
 * as long as its process lives, so the time of its first lock does for all of them; another thread's id may be that of an
 * earlier one. */
static uint64_t present(uint32_t tid)
{
	static _Atomic uint64_t first; /* of the main thread: its id in the low bits, as in an identity */
	uint64_t known = atomic_load_explicit(&first, memory_order_relaxed);
	struct timespec now = {0};
	uint64_t ticks;

	if ((uint32_t)process_pid(known) == tid)
		return process_start(known);
	sys2(SYS_clock_gettime, CLOCK_BOOTTIME, &now);
	ticks = (uint64_t)now.tv_sec * 100 + (uint64_t)now.tv_nsec / 10000000;
	if ((uint32_t)sys0(SYS_getpid) == tid)
		atomic_store_explicit(&first, ticks << PS_PID_BITS | tid, memory_order_relaxed);
	return ticks;
}

static bool owner_gone(const struct ps_lock *lock, uint32_t word)
{
	uint64_t since = atomic_load(&lock->since);
	uint64_t owner = process_of((int32_t)(word & FUTEX_TID_MASK));

	return !owner || (since && process_start(owner) > since + 1);
}

/* Waits at most a slice. True when the lock is the caller's. */
static bool wait_slice(struct ps_lock *lock, uint32_t tid)
{
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
	if (result == -ESRCH)
		return take_over(lock, word, tid);
	/* EPERM: the dead owner's id is a kernel thread's by now. */
	if ((result == -ETIMEDOUT || result == -EPERM) && owner_gone(lock, word))
		return take_over(lock, word, tid);
	return false;
}

bool lock_enter(struct ps_lock *lock, struct ps_lock_guard *guard)
{
	uint32_t tid = (uint32_t)sys0(SYS_gettid);
	uint32_t word = 0;
	bool taken;
	int slice;

	signals_block(guard);
	taken = atomic_compare_exchange_strong(&lock->word, &word, tid);
	for (slice = 0; !taken && slice < PS_LOCK_PATIENCE_MS / SLICE_MS && (word & FUTEX_TID_MASK) != tid; slice++) {
		taken = wait_slice(lock, tid);
		if (!taken) {
			word = 0;
			taken = atomic_compare_exchange_strong(&lock->word, &word, tid);
		}
	}
	/* Our own id in the word is a second call by the owner, or was left by a dead thread whose id we have now. */
	if (!taken && (word & FUTEX_TID_MASK) == tid)
		taken = owner_gone(lock, word);
	guard->tid = tid;
	if (taken)
		atomic_store(&lock->since, present(tid));
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
