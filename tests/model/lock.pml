/*
 * lock.pml - the lock of src/core/lock.c: one holder at a time, and none that outlives its holder.
 *
 * Steps, by the functions that they stand for:
 *	lock_enter	the swap of the free word (label enter), again after each wait
 *	wait_slice	FUTEX_LOCK_PI (label slice), and what follows each of its results
 *	owner_dead, owner_replaced	what is believed about an owner before its word is taken
 *	take_over	the swap of that owner's id for one's own
 *	lock_leave	the note is taken back, then the word is freed, by the kernel if somebody waits
 * and the kernel's side of FUTEX_LOCK_PI and FUTEX_UNLOCK_PI, after futex(2) and tests/platform/pi_futex.c: who waits
 * is queued on the *task* that has the owner's id; a task that dies hands the lock to one that waits, which writes its
 * id into the word when it comes to run, whatever stands there; until then, and wherever the word does not name the task
 * that the queue waits for, a newcomer gets EINVAL.
 *
 * A user may be killed at every step. Its thread id may then be given to a thread that has nothing to do with the lock
 * and lives on. One user is born late: later than a lock may have been taken by one that is dead by now.
 *
 * Abstracted: a wait may time out at any moment, and patience (PS_LOCK_PATIENCE_MS) has no end, so a lock that does not
 * come free is a cycle. Time is the number of threads born so far, without the slack of a clock tick.
 * All accesses to word and since are sequentially consistent in the code, and so they are here.
 *
 * Out of bounds: an id that is given out again before the heir of its last owner has run, or to another user of the
 * same lock, or to a thread that dies itself in the moment in which the lock is taken over from its namesake. Known to
 * fail (mutant 20): an owner that is killed between the swap of the word and its note, or between taking the note back
 * and freeing the word, and whose id goes to a thread that lives on: nothing tells that thread from the owner.
 *
 * Bounds: three users, the first takes the lock ROUNDS times, the others once; DEATHS of them. For progress (weak
 * fairness), the two without the late one. More rounds without any id that is given out again.
 *
 * check safety -DROUNDS=1: 0 holds; 1 2 4 5 6 9 fail
 * check safety -DROUNDS=2 -DSTRANGERS=0: 0 holds; 3 fail
 * check ends -DLATE=0 -DROUNDS=2: 0 holds; 7 8 20 fail
 * functions src/core/lock.c: lock_enter wait_slice owner_dead owner_replaced take_over lock_leave present
 */
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef LATE
#define LATE 1
#endif
#ifndef STRANGERS
#define STRANGERS 1
#endif
#ifndef DEATHS
#define DEATHS 1
#endif

byte mutant;
#define NOTE_FOR_ANY 1		/* the note of a dead owner is held against whoever has the lock next */
#define TIMEOUT_DEAD 2		/* a wait that timed out takes over from an owner that is dead */
#define ESRCH_UNCHECKED 3	/* ESRCH is taken for the death of the owner that was seen before */
#define TIMEOUT_TAKES 4		/* a wait that timed out is enough */
#define BLIND 5			/* take over by a store instead of a swap */
#define LEAVE_BLIND 6		/* free the word by a store, whoever waits */
#define ESRCH_WAITS 7		/* a dead owner is waited for */
#define REPLACED_WAITS 8	/* an owner whose id is another's by now is waited for */
#define STALE_QUEUE 9		/* EINVAL from FUTEX_UNLOCK_PI is ignored */
#define DEATH_IN_GAP 20

/* The word, and what the kernel has for it. */
byte word;		/* thread id, 0: free */
bit waiters;		/* FUTEX_WAITERS */
bit died;		/* FUTEX_OWNER_DIED */
byte task;		/* whom the queue waits for; 0 with a queue or an heir: it died */
bit queue[4];
byte heir;		/* got the lock by a death and has not run since */
bit given[4];		/* got the lock from the one before */
#define QUEUED (queue[1] || queue[2] || queue[3])

/* The note: who took the lock, and when. One word of 64 bits. */
byte since_id, since;

byte births = 1;
bit runs[4];		/* the user lives */
bit alive[4];		/* its id is somebody's */
byte born[4];
byte deaths;
bit holds[4];		/* for the properties only: in the critical section */
bit over[4];		/* had the lock as often as it wanted, or died */
#define ALONE(me) ((me == 1 || !holds[1]) && (me == 2 || !holds[2]) && (me == 3 || !holds[3]))

inline choose(to)
{
	if
	:: queue[1] -> to = 1
	:: queue[2] -> to = 2
	:: queue[3] -> to = 3
	fi;
	queue[to] = 0
}

/* What the kernel does when a task ends. */
inline end_task(me)
{
	queue[me] = 0;
	if
	:: !QUEUED && !heir -> task = 0
	:: else
	fi;
	if
	:: heir == me -> word = me; waiters = 1; died = 1; heir = 0; task = (QUEUED -> me : 0)
	:: else
	fi;
	if
	:: task == me && QUEUED -> choose(heir); task = 0
	:: else
	fi;
	given[me] = 0;
	alive[me] = 0;
	runs[me] = 0;
	over[me] = 1;
	holds[me] = 0
}

#define GOT word = me; holds[me] = 1; assert(ALONE(me)); goto taken
#define TRY if :: !word && !waiters && !died -> GOT :: else fi

proctype user(byte me) provided (runs[me])
{
	byte seen, when, to, rounds;

	rounds = (me == 1 -> ROUNDS : 1);
again:	atomic { if :: rounds == 0 -> goto done :: else -> rounds-- fi; TRY }

slice:	seen = word;
	atomic {
		if
		:: word == me -> goto enter							/* EDEADLK */
		:: word != me && (QUEUED || heir) && (task != word || !word) -> goto enter	/* EINVAL */
		:: word != me && QUEUED && task == word && word -> queue[me] = 1; waiters = 1
		:: word != me && !QUEUED && !heir && !word -> waiters = 0; died = 0; GOT
		:: word != me && !QUEUED && !heir && word && !alive[word] -> goto esrch
		:: word != me && !QUEUED && !heir && word && alive[word] -> waiters = 1; task = word; queue[me] = 1
		fi
	}
	atomic {
		if
		:: heir == me -> heir = 0; waiters = 1; died = 1; task = (QUEUED -> me : 0); GOT
		:: given[me] -> given[me] = 0; GOT
		:: queue[me] ->									/* ETIMEDOUT */
			queue[me] = 0;
			if :: !QUEUED && !heir -> task = 0 :: else fi
		fi;
		if
		:: mutant == TIMEOUT_TAKES -> goto take
		:: mutant == REPLACED_WAITS -> goto enter
		:: else
		fi
	}
	/* owner_replaced */
	atomic {
		if
		:: mutant == TIMEOUT_DEAD && seen && !alive[seen] -> goto take
		:: else
		fi;
		if
		:: seen && alive[seen] -> when = born[seen]
		:: else -> goto enter
		fi
	}
	atomic {
		if
		:: (since_id == seen || mutant == NOTE_FOR_ANY) && since && when > since -> goto take
		:: else -> goto enter
		fi
	}
esrch:	/* owner_dead */
	atomic {
		if
		:: mutant == ESRCH_WAITS -> goto enter
		:: mutant == ESRCH_UNCHECKED || (seen && !alive[seen])
		:: else -> goto enter
		fi
	}
take:	/* take_over */
	atomic {
		if
		:: word == seen || mutant == BLIND -> died = 0; GOT
		:: else
		fi
	}
enter:	atomic { TRY; goto slice }

taken:	atomic { since_id = me; since = births; seen = 0; when = 0; to = 0 }
	atomic { since_id = 0; since = 0; holds[me] = 0 }
	/* lock_leave */
	atomic { if :: word == me && !waiters && !died -> word = 0; goto again :: else fi }
	if
	:: mutant == LEAVE_BLIND -> goto store
	:: else
	fi;
	atomic {
		if
		:: word == me && QUEUED && task == me ->
			choose(to); word = to; waiters = 1; died = 0; given[to] = 1; task = (QUEUED -> to : 0); goto again
		:: word == me && !QUEUED && !heir -> word = 0; waiters = 0; died = 0; goto again
		:: word == me && (heir || (QUEUED && task != me))				/* EINVAL */
		:: word != me -> goto again							/* EPERM */
		fi;
		if :: mutant == STALE_QUEUE -> goto again :: else fi
	}
store:	atomic { word = 0; waiters = 0; died = 0; goto again }
done:	atomic { assert(word != me); over[me] = 1 }
}

#define GAP(id) (word == id && since_id != id)

/* Birth of the third user, deaths, and what becomes of the ids. */
proctype fate()
{
	byte id;

	do
	:: atomic { LATE && !born[3] -> births++; born[3] = births; alive[3] = 1; runs[3] = 1 }
	:: atomic { deaths < DEATHS && runs[1] -> deaths++; end_task(1) }
	:: atomic { deaths < DEATHS && runs[2] -> deaths++; end_task(2) }
	:: atomic { deaths < DEATHS && runs[3] -> deaths++; end_task(3) }
	:: atomic {
		STRANGERS;
		select(id : 1 .. 3);
		born[id] && !alive[id] && !heir && (!GAP(id) || mutant == DEATH_IN_GAP);
		births++; born[id] = births; alive[id] = 1; id = 0
	   }
	od
}

init {
	atomic {
		c_code { now.mutant = getenv("MUTANT") ? atoi(getenv("MUTANT")) : 0; };
		born[1] = 1; alive[1] = 1; runs[1] = 1;
		born[2] = 1; alive[2] = 1; runs[2] = 1;
		run user(1); run user(2); run user(3); run fate()
	}
}

ltl ends { <> (over[1] && over[2]) }
