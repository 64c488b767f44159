/*
 * test_lock.c - the lock in shared memory: whose it is when owners die, are stopped, or have had their ids reused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <portshim/lock.h>
#include <portshim/process.h>

/* The lock is part of this test, so that a test can say what comes of its waits; and a crowd on a slow machine waits for
 * longer than a program should. */
#include "core/sys.h"

static int patience = PS_LOCK_PATIENCE_MS;
static long (*wait_ends)(void);

static long asked(long number, long a, long b, long c, long d, long e, long f)
{
	return number == SYS_futex && wait_ends ? wait_ends() : sys6(number, a, b, c, d, e, f);
}
#undef PS_LOCK_PATIENCE_MS
#define PS_LOCK_PATIENCE_MS patience
#undef sys6
#define sys6(nr, a, b, c, d, e, f) asked(nr, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c), SYS_ARG(d), SYS_ARG(e), SYS_ARG(f))
#include "../../src/core/lock.c"

struct shared {
	struct ps_lock lock;
	_Atomic uint32_t inside; /* who is between lock_enter and lock_leave */
	_Atomic uint32_t overlaps, refused, entries, waiting;
	_Atomic uint32_t stop;
};

static struct shared *make(void)
{
	struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(s, MAP_FAILED);
	return s;
}

static void end(pid_t pid, int signal)
{
	kill(pid, signal);
	waitpid(pid, NULL, 0);
}

/* A process that does nothing; it dies with us. */
static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	return pid;
}

static uint64_t note(pid_t pid, uint64_t ticks)
{
	return ticks << PS_PID_BITS | (uint64_t)pid;
}

static bool enter(struct shared *s)
{
	struct ps_lock_guard guard;

	if (!lock_enter(&s->lock, &guard))
		return false;
	assert_int_equal(s->lock.word & FUTEX_TID_MASK, getpid());
	lock_leave(&s->lock, &guard);
	assert_int_equal(s->lock.word, 0);
	return true;
}

static void free_lock(void **state)
{
	struct shared *s = make();

	(void)state;
	assert_true(enter(s));
	assert_true(enter(s));
}

static void second_call_by_the_owner(void **state)
{
	struct shared *s = make();
	struct ps_lock_guard outer, inner;

	(void)state;
	assert_true(lock_enter(&s->lock, &outer));
	assert_false(lock_enter(&s->lock, &inner));
	lock_leave(&s->lock, &outer);
	assert_int_equal(s->lock.word, 0);
}

static void owner_that_is_dead(void **state)
{
	struct shared *s = make();
	pid_t pid = sleeper();

	(void)state;
	end(pid, SIGKILL);
	s->lock.word = (uint32_t)pid;
	assert_true(enter(s));
	s->lock.word = (uint32_t)pid;
	s->lock.since = note(pid, 1);
	assert_true(enter(s));
	s->lock.word = (uint32_t)pid | FUTEX_WAITERS | FUTEX_OWNER_DIED;
	assert_true(enter(s));
}

/* The owner's id is another's by now, who lives. */
static void owner_that_is_another_by_now(void **state)
{
	struct shared *s = make();
	pid_t pid = sleeper();

	(void)state;
	s->lock.word = (uint32_t)pid;
	s->lock.since = note(pid, 1);
	assert_true(enter(s));
	end(pid, SIGKILL);
}

/* Our own id stands there, from one who had it before us: with its note, and without. */
static void owner_with_our_id(void **state)
{
	struct shared *s = make();

	(void)state;
	s->lock.word = (uint32_t)getpid();
	s->lock.since = note(getpid(), 1);
	assert_true(enter(s));
	s->lock.word = (uint32_t)getpid();
	s->lock.since = 0;
	assert_true(enter(s));
}

/* An owner that lives and took the lock from a dead one, and has not come to write its own note. */
static void note_of_a_dead_owner(void **state)
{
	struct shared *s = make();
	pid_t pid = sleeper(), dead = sleeper();

	(void)state;
	end(dead, SIGKILL);
	s->lock.word = (uint32_t)pid;
	s->lock.since = note(dead, 1);
	assert_false(enter(s));
	assert_int_equal(s->lock.word & FUTEX_TID_MASK, pid);
	end(pid, SIGKILL);
	assert_true(enter(s));
}

/* ---- how long one waits: no wait here takes any time ---- */

static struct shared *scene;
static pid_t owners[2];
static unsigned waits, stays; /* so many waits end before the lock has another owner; 0: it stays */

static long another_has_it(void)
{
	waits++;
	if (waits == 10u * PS_LOCK_PATIENCE_MS / SLICE_MS) {
		scene->lock.word = (uint32_t)getpid();
		return 0;
	}
	if (stays && waits % stays == 0)
		scene->lock.word = (uint32_t)owners[waits / stays % 2] | FUTEX_WAITERS;
	return -ETIMEDOUT;
}

static bool wait_for(unsigned each)
{
	struct ps_lock_guard guard;
	bool taken;

	scene->lock.word = (uint32_t)owners[0] | FUTEX_WAITERS;
	waits = 0;
	stays = each;
	wait_ends = another_has_it;
	taken = lock_enter(&scene->lock, &guard);
	wait_ends = NULL;
	if (taken)
		lock_leave(&scene->lock, &guard);
	return taken;
}

/* Patience is with an owner that stays, however long the queue is. */
static void a_queue_that_moves(void **state)
{
	const unsigned all = PS_LOCK_PATIENCE_MS / SLICE_MS;

	(void)state;
	scene = make();
	owners[0] = sleeper();
	owners[1] = sleeper();
	assert_true(wait_for(1));
	assert_int_equal(waits, 10 * all);
	assert_true(wait_for(all - 1));
	assert_int_equal(waits, 10 * all);
	assert_false(wait_for(0));
	assert_int_equal(waits, all);
	assert_false(wait_for(all + 1));
	assert_int_equal(waits, all);
	end(owners[0], SIGKILL);
	end(owners[1], SIGKILL);
}

/* ---- many, and owners that are killed while the others' waits end ---- */

#define CROWD 24
#define ROUNDS 12

static void visit(struct shared *s)
{
	struct ps_lock_guard guard;
	uint32_t me = (uint32_t)getpid(), other = 0;

	s->waiting++;
	if (!lock_enter(&s->lock, &guard)) {
		s->refused++;
		return;
	}
	if (!atomic_compare_exchange_strong(&s->inside, &other, me))
		s->overlaps++;
	usleep(200);
	if (atomic_exchange(&s->inside, 0) != me)
		s->overlaps++;
	s->entries++;
	lock_leave(&s->lock, &guard);
}

/* An owner is stopped inside until all the others wait in slices, and killed at any moment of a slice. */
static void owners_that_are_killed_inside(void **state)
{
	struct shared *s = make();

	(void)state;
	patience = 60000;
	for (int round = 0; round < ROUNDS && !s->refused; round++) {
		pid_t crowd[CROWD], owner = fork();
		struct ps_lock_guard guard;

		s->waiting = 0;
		if (owner == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			lock_enter(&s->lock, &guard);
			for (;;)
				usleep(1000000);
		}
		while ((s->lock.word & FUTEX_TID_MASK) != (uint32_t)owner)
			usleep(100);
		for (int i = 0; i < CROWD; i++) {
			crowd[i] = fork();
			if (crowd[i] == 0) {
				prctl(PR_SET_PDEATHSIG, SIGKILL);
				visit(s);
				_exit(0);
			}
			usleep(100000 / CROWD); /* so that their slices end one after the other */
		}
		while (s->waiting < CROWD)
			usleep(100);
		usleep((useconds_t)(round * 100000 / ROUNDS));
		end(owner, SIGKILL);
		for (int i = 0; i < CROWD; i++)
			waitpid(crowd[i], NULL, 0);
		assert_int_equal(s->lock.word & FUTEX_TID_MASK, 0);
	}
	assert_int_equal(s->overlaps, 0);
	assert_int_equal(s->refused, 0);
	assert_int_equal(s->entries, CROWD * ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(free_lock),
		cmocka_unit_test(second_call_by_the_owner),
		cmocka_unit_test(owner_that_is_dead),
		cmocka_unit_test(owner_that_is_another_by_now),
		cmocka_unit_test(owner_with_our_id),
		cmocka_unit_test(note_of_a_dead_owner),
		cmocka_unit_test(a_queue_that_moves),
		cmocka_unit_test(owners_that_are_killed_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
