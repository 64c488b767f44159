/*
 * sweep.pml - sweeps of a run whose server dies, while another run of the same environment takes its port over.
 *
 * Run 1 has a port that is recorded as LISTENING; its server dies at any moment. Two sweeps look at that run, in the order
 * that its lock gives them, each for a run that goes on or for one that is over. Run 2 asks for the same number, and takes
 * the port over as soon as it may; with THIRD=1 another run does too.
 *
 * Steps, by the functions that they stand for:
 *	newcomer	registry_claim: may_take_over, keep_claim, start_record; try_port, registry_hold, listen_inet,
 *			registry_listen (is_about), registry_adopt
 *	sweep		registry_sweep, sweep_port; registry_end
 *
 * Shown: a server that serves is recorded as its own run's, HELD or LISTENING at each moment, so that its clients find it
 * (law 8), and LISTENING when no sweep goes on (law 13).
 *
 * The head word is the same for all runs of an environment: what tells them apart stands in the record, which is written
 * before the head says HELD. So a compare-and-swap of the head alone may change another run's.
 *
 * Known to fail: two sweeps at once of a run whose file is gone, for which there is no lock (LOCKS=0); a third run
 * that takes HELD for the dead run's while a sweep gives it back to the second (THIRD=1). For both, three processes must meet
 * within a few instructions; the server is recorded again when it listens again.
 *
 * Abstracted: has_process is that the owner is dead; one port, one requested number, one environment (between two environments
 * the heads differ). Memory is sequentially consistent. Out of bounds: a sweep that is killed between changing a head and
 * looking at the record; the record's other fields; hints; sockets that share.
 *
 * check safety: 0 holds; 1 2 fail
 * check safety -DLOCKS=0: 0 fails
 * check safety -DTHIRD=1: 0 fails
 * functions src/core/registry.c: registry_claim may_take_over keep_claim start_record registry_hold registry_listen
 * functions src/core/registry.c: registry_adopt registry_sweep sweep_port registry_end is_about
 * functions src/core/assign.c: try_port
 */
#ifndef LOCKS
#define LOCKS 1
#endif

#ifndef THIRD
#define THIRD 0
#endif

byte mutant;
#define ONE_LOOK 1		/* the head is changed and not looked at again (as the code once did) */
#define STRAIGHT 2		/* LISTENING -> free in one step, and looked at after it */

mtype = { FREE, CLAIMED, HELD, LISTENING };

mtype state = LISTENING;
byte tag;			/* of a claim: whose */
byte run_of = 1;		/* the record */
byte bound = 1, listens = 1;	/* the kernel: bits by run */
bit lives[4] = 1;
byte lock;
byte serves;			/* the run that serves */
byte sweeps;			/* that go on */
bit over[4];

#define BIT(run) (1 << (run - 1))

/* Run 1's server. */
proctype old()
{
	atomic { listens = listens & ~1; bound = bound & ~1; lives[1] = 0 }
}

/* A first bind of this number, and listen(). */
proctype newcomer(byte me)
{
	mtype seen;
	byte its;

	/* registry_claim, may_take_over */
	atomic { seen = state; its = tag }
	if
	:: seen == FREE -> skip
	:: seen == CLAIMED -> goto moved
	:: seen == HELD || seen == LISTENING ->
		atomic { if :: lives[run_of] || bound -> goto moved :: else fi }
		if
		:: seen == LISTENING ->
			atomic { if :: state == LISTENING -> state = HELD :: else -> goto moved fi; seen = HELD }
			if
			:: atomic { bound -> if :: state == HELD -> state = LISTENING :: else fi; goto moved }
			:: !bound
			fi
		:: else
		fi
	fi;
	atomic { if :: state == seen && (seen != CLAIMED) -> state = CLAIMED; tag = me :: else -> goto moved fi }
	if
	:: seen != FREE ->
		/* keep_claim */
		atomic {
			if
			:: bound || state != CLAIMED || tag != me ->
				if :: state == CLAIMED && tag == me -> state = seen; tag = 0 :: else fi;
				goto moved
			:: else
			fi
		}
	:: else
	fi;
	run_of = me;
	/* try_port, registry_release, registry_hold */
	atomic {
		if
		:: bound -> if :: state == CLAIMED && tag == me -> state = FREE; tag = 0 :: else fi; goto moved
		:: else -> bound = bound | BIT(me)
		fi
	}
	atomic {
		if
		:: state == CLAIMED && tag == me -> state = HELD; tag = 0
		:: else -> bound = bound & ~BIT(me); goto moved
		fi
	}
	/* listen_inet, registry_listen */
	listens = listens | BIT(me);
	atomic { seen = state }
	if
	:: (seen == FREE || seen == CLAIMED) || run_of != me -> atomic { state = CLAIMED; tag = me } run_of = me
	:: else
	fi;
	atomic { state = LISTENING; tag = 0; serves = me }
	/* here it serves, or ends */
	if
	:: atomic { serves = 0; listens = listens & ~BIT(me); bound = bound & ~BIT(me); lives[me] = 0; over[me] = 1 }
	:: atomic { over[me] = 1 }
	fi;
	goto done;
moved:	atomic { lives[me] = 0; over[me] = 1 }
done:	skip
}

/* registry_end: from -> to, if it is run 1's still. */
inline registry_end(from, to)
{
	atomic { changed = (state == from); if :: changed -> state = to :: else fi }
	if
	:: changed && mutant != ONE_LOOK -> atomic {
		if
		:: run_of != 1 -> changed = 0; if :: state == to -> state = from :: else fi
		:: else
		fi
	   }
	:: else
	fi
}

/* sweep_port */
proctype sweep(byte id)
{
	mtype seen;
	bit goes_on, changed;

	if :: goes_on = 1 :: goes_on = 0 fi;
	atomic { !LOCKS || !lock -> lock = id; sweeps++ }
	seen = state;
	atomic { if :: (seen == HELD || seen == LISTENING) && run_of == 1 -> skip :: else -> goto out fi }
	atomic { if :: seen == LISTENING && listens & 1 -> goto out :: else fi }
	atomic { if :: !goes_on && lives[1] -> goto out :: else fi }
	if
	:: seen == LISTENING && !(mutant == STRAIGHT && !goes_on) ->
		registry_end(LISTENING, HELD);
		atomic { if :: changed -> seen = HELD :: else -> goto out fi }
	:: else
	fi;
	if
	:: !goes_on && seen == HELD -> registry_end(HELD, FREE)
	:: !goes_on && seen == LISTENING -> registry_end(LISTENING, FREE)
	:: goes_on
	fi;
out:	atomic { lock = 0; sweeps-- }
}

#define LOST (serves && (state == FREE || state == CLAIMED || run_of != serves))
#define DEMOTED (serves && !sweeps && over[2] && over[3] && state != LISTENING)

proctype watch()
{
	atomic { LOST || DEMOTED -> assert(!LOST); assert(!DEMOTED) }
}

init {
	atomic {
		c_code { now.mutant = getenv("MUTANT") ? atoi(getenv("MUTANT")) : 0; };
		lives[1] = 1; lives[2] = 1; lives[3] = 1;
		run old(); run newcomer(2);
		if :: THIRD -> run newcomer(3) :: else -> over[3] = 1; lives[3] = 0 fi;
		 run sweep(1); run sweep(2); run watch()
	}
}
