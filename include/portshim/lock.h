/*
 * lock.h - a lock in shared memory that dies with its holder.
 *
 * The word holds the owner's thread id (0: free), in the form of a priority-inheritance futex: the kernel hands the
 * lock on when an owner with waiters dies, and reports ESRCH for a dead owner without waiters (futex(2),
 * FUTEX_LOCK_PI). Not recursive: a second lock by the owner fails. Callers block signals around it, see lock_enter().
 */
#ifndef PORTSHIM_LOCK_H
#define PORTSHIM_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct ps_lock {
	_Atomic uint32_t word;
	uint32_t pad;
	_Atomic uint64_t since; /* the owner, and when it was there (process_started_by): tells a reused thread id */
};

/* What lock_enter hands to lock_leave. */
struct ps_lock_guard {
	uint64_t mask;
	uint32_t tid;
	uint64_t since; /* the caller's identity, as of now */
};

/* Takes the lock with all signals blocked. False, with nothing taken, if the caller owns it already or if its owner
 * stays stopped for longer than PS_LOCK_PATIENCE_MS: the caller then does without. It waits for any number of others that
 * come before it. */
#define PS_LOCK_PATIENCE_MS 2000
bool lock_enter(struct ps_lock *lock, struct ps_lock_guard *guard);
void lock_leave(struct ps_lock *lock, const struct ps_lock_guard *guard);

/* The thread that owns the lock, by its id in its own pid namespace; 0: nobody, or somebody else by now. */
static inline uint32_t lock_owner(const struct ps_lock *lock)
{
	return atomic_load_explicit(&lock->word, memory_order_relaxed) & 0x3fffffff; /* FUTEX_TID_MASK */
}

#endif
