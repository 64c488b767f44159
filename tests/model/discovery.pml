/*
 * discovery.pml - publication: an environment's discovery file names who listens, and nobody who does not.
 *
 * Two publishers of one environment, each in a run of its own (THREADS=1: two threads of one process that share a port),
 * listen, are recorded, write the file, close and listen again, or go on to listen. Meanwhile somebody looks, as a keeper or
 * a command does. Any of them may be killed at each step; the socket of one that is killed may live on in a child.
 *
 * Steps, by the functions that they stand for:
 *	publisher	listen, listen_inet, publish_record, registry_listen under the run's lock; publish_write
 *	lock_env	an abstract lock (lock.pml has the real one), which comes free when its owner is killed
 *	write		discovery_write, draw_environment, begin, finish, replace, drawing_done
 *	draw		put_services, put_entry
 *	looker		registry_sweep (sweep_port) of both runs, discovery_outdated (digest), tidy_redraw: tidy_files,
 *			has_record, discovery_remove (remove_file); has_record, discovery_write
 *
 * Shown: from when listen() returns until the socket is closed the file is whole and names the port, with what the record
 * said then or later (law 13). When all have ended, closed or been killed, one more look leaves a file that names
 * those who listen and nobody else, or none, and no temporary. All end: none that was killed blocks another.
 *
 * Abstracted: a picture is what it shows of each port (1 or 2: the record's version, as its owner and addresses change), the
 * digest is the picture, and each sweep looks at both runs. Services' own files are not in it, nor what the file
 * system refuses (tests/fault). Memory is sequentially consistent.
 *
 * With PATIENCE=1 a writer goes on without the lock of one that is slow; then the file is right after the next look
 * only. Known to fail (mutant 20): a writer without the lock that is killed between putting its picture in place and saying
 * so. What it leaves has a name of its own, which nobody takes away.
 *
 * Bounds: two ports; LIVES listens of each publisher, LOOKS looks of each looker, DEATHS deaths (of publisher 1 rather than
 * 2, which is the same). Once and for all, with LIVES=2 and all else as in the first check: 31 million states.
 *
 * check safety -DLIVES=1: 0 holds; 1 2 3 5 6 7 8 9 10 13 fail
 * check safety -DLIVES=2 -DPUBLISHERS=1 -DLOOKS=2: 0 holds; 4 14 fail
 * check safety -DLIVES=1 -DPUBLISHERS=1 -DLOOKERS=2: 0 holds; 17 fails
 * check safety -DLIVES=2 -DTHREADS=1 -DLOOKS=0 -DDEATHS=0: 0 holds; 12 18 fail
 * check safety -DLIVES=1 -DPATIENCE=1 -DLOOKS=0: 0 holds; 11 16 fail
 * check safety -DLIVES=1 -DPATIENCE=1 -DPUBLISHERS=1 -DLOOKERS=2: 15 20 fail
 * functions src/core/discovery.c: discovery_write draw_environment begin finish replace drawing_done put_services put_entry
 * functions src/core/discovery.c: digest discovery_outdated discovery_remove remove_file
 * functions src/core/registry.c: registry_listen registry_sweep sweep_port
 * functions src/core/publish.c: publish_record publish_write
 * functions src/core/call_listen.c: listen_inet
 * functions src/keeper/tidy.c: tidy_redraw tidy_files has_record look
 * functions src/cli/state.c: sweep_run redraw
 */
#ifndef LIVES
#define LIVES 2
#endif
#ifndef LOOKS
#define LOOKS 1
#endif
#ifndef DEATHS
#define DEATHS 1
#endif
#ifndef PUBLISHERS
#define PUBLISHERS 2
#endif
#ifndef LOOKERS
#define LOOKERS 1
#endif
#ifndef PATIENCE
#define PATIENCE 0
#endif
#ifndef THREADS
#define THREADS 0
#endif

byte mutant;
#define RECORD_LATE 1		/* the record follows the file */
#define LOCK_LATE 2		/* the table is looked at before the lock is there */
#define IN_PLACE 3		/* the file is written where it is */
#define NOT_LOCKED_LOOK 4	/* whether there is a record is asked before the lock is there */
#define NO_DRAWING 5		/* nothing says that the file is being replaced */
#define TEMPORARY_STAYS 6	/* the temporary of one that was killed is not taken away by the next writer */
#define DIGEST_LAST 7		/* the digest is of what the table says after it was drawn */
#define LOCK_STAYS 8		/* the lock of one that was killed stays locked */
#define DRAWING_LATE 9		/* that the file is being replaced is said after there is a temporary */
#define REMOVES_ONE 10		/* with the file, its temporary is not taken away */
#define SAYS_UNLOCKED 11	/* a writer without the lock says what the file shows */
#define UNCHANGED_RETURNS 12	/* who changes nothing in the record does not wait for its picture */
#define DIGEST_EARLY 13		/* what the file shows is said before it does */
#define SWEEP_UNLOCKED 14	/* the kernel is asked before the run's lock is there */
#define REMOVES_UNLOCKED 15	/* the file is taken away without the lock */
#define SAYS_BLIND 16		/* what the file shows is said without a look whether somebody wrote without the lock */
#define EMPTY_IS_NONE 17	/* a picture of nothing counts as no picture */
#define ALL_DRAWN 18		/* who has drawn takes it that nothing has changed since */
#define KILLED_UNLOCKED 20

#define LOOKER 3
#define LAST 4

/* Pictures: what is shown of port 1, and 3 times what is of port 2; EXISTS. Of a temporary also HALF. */
#define NONE (0)
#define HALF 99
#define EXISTS 16
#define DRAWING 15
#define UNSURE 14
#define SHOWN(picture, port) (port == 1 -> (picture % 16) % 3 : (picture % 16) / 3)
#define WEIGHT(port) (port == 1 -> 1 : 3)
byte path, temporary;
byte drawn;

/* The table: LISTENING, and what else a picture shows of the record. And the kernel: who listens (bits by publisher). */
bit listening[3];
byte version[3];
byte undrawn;	/* twice the changes, and 1 while the last is not drawn; without THREADS it changes nothing */
byte kernel[3];

byte run_lock[3], env_lock;
bit dead[5];
bit over[5];
byte deaths;
byte serves[3];		/* for the properties: the version that was recorded when listen() returned; 0: it does not serve */

#define PORTS (PUBLISHERS == 1 || THREADS -> 1 : 2)
#define PORT(publisher) (THREADS -> 1 : publisher)
#define BIT(publisher) (1 << (publisher - 1))
#define WHOLE(picture) (picture == NONE || picture >= EXISTS && picture != HALF)

#define FREE_FOR(lock) (lock == 0 || (dead[lock] && mutant != LOCK_STAYS))

inline lock_env()
{
	if
	:: atomic { FREE_FOR(env_lock) -> env_lock = me; locked = 1 }
	:: atomic { PATIENCE && me != LAST && env_lock && !dead[env_lock] -> locked = 0 }
	fi
}

inline unlock_env()
{
	atomic { if :: locked -> env_lock = 0; locked = 0 :: else fi }
}

/* pic: what the table says, and dig: the same, a moment before. */
inline draw()
{
	p = 1;
	do
	:: p <= PORTS ->
		atomic { there = listening[p]; dig = dig + (there -> version[p] * WEIGHT(p) : 0) }
		atomic { pic = pic + (there -> version[p] * WEIGHT(p) : 0); there = 0; p++ }
	:: else -> break
	od;
	atomic {
		pic = pic + EXISTS;
		p = 0;
		if
		:: mutant == DIGEST_LAST -> dig = (listening[1] -> version[1] : 0) + (listening[2] -> 3 * version[2] : 0)
		:: else
		fi
	}
}

/* discovery_write. The steps without the lock are the same, with a temporary of another name. */
inline write()
{
	if
	:: mutant == LOCK_LATE -> draw()
	:: else
	fi;
	lock_env();
	if
	:: locked ->
		/* draw_environment, begin */
		if
		:: mutant != DRAWING_LATE && mutant != NO_DRAWING -> drawn = DRAWING
		:: else
		fi;
		if
		:: temporary && mutant != TEMPORARY_STAYS -> temporary = NONE
		:: else
		fi;
		if
		:: !temporary ->
			temporary = HALF;
			if
			:: mutant == IN_PLACE -> path = HALF
			:: else
			fi;
			if
			:: mutant != LOCK_LATE -> draw()
			:: else
			fi;
			if
			:: mutant == DRAWING_LATE -> drawn = DRAWING
			:: mutant == DIGEST_EARLY -> drawn = dig
			:: else
			fi;
			/* finish, replace: exchange, or rename */
			atomic { if :: temporary -> temporary = pic :: else fi }
			atomic { there = (temporary != NONE); if :: there -> temporary = path; path = pic :: else fi }
			if
			:: temporary -> temporary = NONE
			:: else
			fi;
			atomic {
				if
				:: there && (dig || mutant == EMPTY_IS_NONE) &&
				   (drawn == DRAWING || mutant == SAYS_BLIND || mutant == NO_DRAWING || mutant == DIGEST_EARLY) -> drawn = dig
				:: else
				fi;
				there = 0
			}
		:: else
		fi
	:: else ->
		drawn = UNSURE;
		draw();
		atomic { path = pic; drawn = (mutant == SAYS_UNLOCKED || mutant == KILLED_UNLOCKED -> drawn : UNSURE) }
		if
		:: mutant == SAYS_UNLOCKED -> drawn = dig
		:: mutant == KILLED_UNLOCKED -> drawn = UNSURE
		:: else
		fi
	fi;
	atomic { dig = 0; pic = 0 };
	unlock_env()
}

proctype publisher(byte me)
{
	byte lives, p, pic, dig, mine, stamp;
	bit there, locked, changed;

	{
	do
	:: lives < LIVES ->
		/* listen_inet */
		atomic {
			FREE_FOR(run_lock[PORT(me)]) -> run_lock[PORT(me)] = me;
			kernel[PORT(me)] = kernel[PORT(me)] | BIT(me)
		}
		/* registry_listen: nothing changes if the record says LISTENING already, unless about another address or owner */
		atomic {
			changed = !listening[PORT(me)];
			if
			:: version[PORT(me)] < 2 -> version[PORT(me)]++; changed = 1
			:: version[PORT(me)] > 0
			fi;
			mine = version[PORT(me)];
			if
			:: changed -> there = 1
			:: else -> changed = (undrawn & 1 && mutant != UNCHANGED_RETURNS)
			fi
		}
		listening[PORT(me)] = (mutant != RECORD_LATE);
		atomic {
			undrawn = (there && THREADS -> (undrawn | 1) + 2 : undrawn);
			there = 0;
			run_lock[PORT(me)] = 0;
			stamp = (changed -> undrawn : 0)
		}
		if
		:: changed ->
			write();
			/* publish_write */
			atomic {
				if
				:: undrawn == stamp || mutant == ALL_DRAWN -> undrawn = undrawn & ~1
				:: else
				fi;
				stamp = 0
			}
		:: else
		fi;
		if
		:: mutant == RECORD_LATE -> listening[PORT(me)] = 1
		:: else
		fi;
		atomic { serves[me] = mine; mine = 0; changed = 0; lives++ }
		/* here it serves, and at the end may go on to do so */
		if
		:: atomic { serves[me] = 0; kernel[PORT(me)] = kernel[PORT(me)] & ~BIT(me) }
		:: atomic { lives == LIVES -> break }
		fi
	:: else -> break
	od
	} unless { dead[me] };
	atomic { over[me] = 1; lives = 0; p = 0; pic = 0; dig = 0; mine = 0; there = 0; locked = 0; changed = 0; stamp = 0 }
}

#define RECORDED(port) (listening[port] && kernel[port])
#define EXPECTED(port) (RECORDED(port) -> version[port] : 0)

/* has_record */
inline any_record()
{
	p = 1;
	there = 0;
	do
	:: p <= PORTS && !there -> atomic { there = listening[p]; p++ }
	:: else -> break
	od;
	p = 0
}

proctype looker(byte me)
{
	byte looks, p, pic, dig;
	bit there, locked, gone;

	{
	if
	:: me == LAST -> over[1] && over[2] && over[LOOKER]
	:: else
	fi;
	do
	:: looks < (me == LAST -> 1 : LOOKS) ->
		/* registry_sweep of each run */
		p = 1;
		do
		:: p <= PORTS ->
			atomic {
				FREE_FOR(run_lock[p]) || mutant == SWEEP_UNLOCKED -> gone = listening[p] && !kernel[p];
				if
				:: gone && mutant != SWEEP_UNLOCKED -> run_lock[p] = me
				:: else
				fi
			}
			atomic {
				if
				:: gone -> gone = 0; listening[p] = 0; run_lock[p] = (run_lock[p] == me -> 0 : run_lock[p])
				:: else
				fi;
				p++
			}
		:: else -> break
		od;
		/* discovery_outdated */
		p = 1;
		do
		:: p <= PORTS -> atomic { dig = dig + (listening[p] -> version[p] * WEIGHT(p) : 0); p++ }
		:: else -> break
		od;
		atomic { p = 0; gone = (drawn != dig); dig = 0 }
		if
		:: gone ->
			/* tidy_redraw: tidy_files */
			if
			:: mutant == NOT_LOCKED_LOOK -> any_record()
			:: else
			fi;
			lock_env();
			if
			:: mutant != NOT_LOCKED_LOOK -> any_record()
			:: else
			fi;
			if
			:: !there && (locked || mutant == REMOVES_UNLOCKED) ->
				/* discovery_remove, remove_file */
				drawn = DRAWING;
				path = NONE;
				if
				:: mutant != REMOVES_ONE -> temporary = NONE
				:: else
				fi;
				atomic { drawn = (drawn == DRAWING -> 0 : drawn) }
			:: else -> there = 0
			fi;
			unlock_env();
			any_record();
			if
			:: there -> there = 0; write()
			:: else
			fi
		:: else
		fi;
		atomic { looks++; gone = 0 }
	:: else -> break
	od
	} unless { dead[me] };
	atomic {
		over[me] = 1;
		looks = 0; p = 0; pic = 0; dig = 0; there = 0; locked = 0; gone = 0;
		if
		:: me == LAST ->
			assert(temporary == NONE);
			assert(path == (RECORDED(1) || RECORDED(2) -> EXISTS + EXPECTED(1) + 3 * EXPECTED(2) : NONE))
		:: else
		fi
	}
}

/* A process is killed. `child`: one of its children still has the socket, and its port. */
inline end_task(who, child)
{
	deaths++;
	dead[who] = 1;
	over[who] = 1;
	if
	:: who <= 2 ->
		serves[who] = 0;
		kernel[PORT(who)] = (child -> kernel[PORT(who)] : kernel[PORT(who)] & ~BIT(who))
	:: else
	fi
}

proctype fate()
{
	do
	:: atomic { deaths < DEATHS && !over[1] -> end_task(1, 0) }
	:: atomic { deaths < DEATHS && (DEATHS > 1 || PUBLISHERS < 2) && !over[2] -> end_task(2, 0) }
	:: atomic { deaths < DEATHS && !over[1] && kernel[PORT(1)] -> end_task(1, 1) }
	:: atomic { deaths < DEATHS && !over[LOOKER] -> end_task(LOOKER, 0) }
	od
}

#define NAMED(me) (PATIENCE || serves[me] == 0 || SHOWN(path, PORT(me)) >= serves[me])

/* Looks at every state. */
proctype watch()
{
	if
	:: atomic { !WHOLE(path) || !NAMED(1) || !NAMED(2) -> assert(WHOLE(path)); assert(NAMED(1)); assert(NAMED(2)) }
	:: atomic { timeout -> assert(over[LAST]) }
	fi
}

init {
	atomic {
		c_code { now.mutant = getenv("MUTANT") ? atoi(getenv("MUTANT")) : 0; };
		run publisher(1);
		if
		:: PUBLISHERS == 2 -> run publisher(2)
		:: PUBLISHERS == 1 && LOOKERS == 2 -> run looker(2)
		:: PUBLISHERS == 1 && LOOKERS == 1 -> over[2] = 1
		fi;
		run looker(LOOKER); run looker(LAST); run fate(); run watch()
	}
}
