/*
 * registry.pml - two servers of different runs compete for the same actual ports: no name leads to another's server.
 *
 * Server 1 asks for port 1, server 2 for port ASKS2. An unmanaged program may listen on port 1, so that server 1 is
 * moved, even to the very port that server 2 asks for. Each server binds, listens and closes, LIVES times, as a program
 * that is restarted under one run does; all set SO_REUSEADDR (with -DREUSEPORT: SO_REUSEPORT), so that the kernel lets both
 * bind. Deaths are not in it.
 *
 * Steps, by the functions that they stand for:
 *	own		registry_own, registry_is_own_actual: the head word, then the record's run
 *	claim		registry_claim (may_take_over, unbound): the look, the swap, the record
 *	release		registry_release, erase
 *	hold		registry_hold
 *	first		assign, try_all, try_port, with rivals() where sockets share
 *	again		bind_again: the port of before, and a look whether it is the run's still
 *	unbind		assign_unbind: a new socket in the place of one that is bound
 *	record		registry_listen, registry_adopt, is_about
 *	listen		listen_inet, listen_elsewhere
 * and the kernel: bind() to a port where others are bound succeeds while none of them listens; listen() fails where
 * another listens; with SO_REUSEPORT both always succeed.
 *
 * Shown: what `strange` says never happens (law 9): a head word says HELD or LISTENING for an environment, so that its
 * clients are sent there, and a server of another environment listens there. While a server serves, its record
 * is whole and its own: environment, requested port, run, socket, and the hint (laws 1, 2, 13). listen() does not fail
 * because of the other one (law 7).
 *
 * Abstracted: one process in a run (lock.pml has the run's lock); three ports; the record's other fields; memory is
 * sequentially consistent. In the code heads change by seq_cst compare-and-swap or a release store and are read with
 * acquire; a hint is read relaxed, but what it leads to is an address that the head's load depends on; the look after a
 * bind and the swap before a probe are ordered by the kernel's own lock of that port, which bind() and probe both take.
 *
 * Bounds: 2 servers, 3 ports, LIVES. Out of bounds: port 0, which is recorded only once it listens; deaths; sweeps.
 *
 * check safety -DLIVES=3: 0 holds; 1 2 3 4 5 6 fails
 * check safety -DLIVES=3 -DREUSEPORT=1: 0 holds; 1 2 fail
 * check safety -DLIVES=2 -DASKS2=1: 0 holds; 1 2 fail
 * check safety -DLIVES=2 -DASKS2=1 -DENV2=1: 0 holds
 * functions src/core/registry.c: registry_own registry_claim registry_release registry_hold registry_adopt
 * functions src/core/registry.c: registry_listen registry_announce may_take_over keep_claim unbound unused erase
 * functions src/core/registry.c: is_about name_of hint_scope
 * functions src/core/assign.c: assign try_all try_port rivals assign_unbind assign_again assign_locked
 * functions src/core/call_bind.h: bind_again
 * functions src/core/call_listen.c: listen_inet listen_elsewhere
 */
#ifndef LIVES
#define LIVES 2
#endif
#ifndef ASKS2
#define ASKS2 2
#endif
#ifndef ENV2
#define ENV2 2
#endif
#ifndef REUSEPORT
#define REUSEPORT 0
#endif
#define PORTS 3

byte mutant;
#define UNCHECKED_AGAIN 1	/* a port of before is bound and not looked at again */
#define ONE_LOOK 2		/* whether a port is unbound is asked before the swap only */
#define TAKES_LISTENING 4	/* LISTENING -> CLAIMED in one step */
#define NAMELESS 5		/* a port that is ours no more is recorded under its own number */
#define TWO_READS 6		/* the name of a port that listens is read after the look whose it is */
#define LOOKS_AT_BIND 3		/* after the second look the claim is not looked at */

mtype = { FREE, CLAIMED, HELD, LISTENING };

/* The head word, all in one. */
mtype state[PORTS + 1] = FREE;
byte env[PORTS + 1], name[PORTS + 1], tag[PORTS + 1];
/* The record. */
byte run_of[PORTS + 1], inode[PORTS + 1];
/* Hints. */
byte hint[3], env_hint[3];
/* The kernel: who is bound, and who listens (bits by server; 4: unmanaged). */
byte bound[PORTS + 1], listens[PORTS + 1];

/* For the properties. */
byte serves[3];
bit looking;

#define BIT(s) (1 << ((s) - 1))
#define ENV(s) (s == 2 -> ENV2 : 1)
#define ASKS(s) (s == 2 -> ASKS2 : 1)
#define HEAD(p, st, e, n, t) state[p] = st; env[p] = e; name[p] = n; tag[p] = t
#define IS(p, st, e, n, t) (state[p] == st && env[p] == e && name[p] == n && tag[p] == t)
#define BOUND_BY_OTHERS(p) (bound[p] & ~BIT(me))
#define LISTENS_OTHER(p) (listens[p] & ~BIT(me))
#define IS_SERVER(p, s) (state[p] != FREE && state[p] != CLAIMED && env[p] == ENV(s))

#define strange_on(p) (IS_SERVER(p, 1) && ENV2 != 1 && (listens[p] & 2)) || \
	(IS_SERVER(p, 2) && ENV2 != 1 && (listens[p] & 1))
#define whole(s) (serves[s] == 0 || ((state[serves[s]] == LISTENING || (state[serves[s]] == HELD && looking)) && \
	env[serves[s]] == ENV(s) && name[serves[s]] == ASKS(s) && \
	run_of[serves[s]] == s && inode[serves[s]] == s && hint[s] == serves[s]))

/* own: *yes says whether port p is this run's for its requested port. */
inline own(p, yes)
{
	atomic {
		if
		:: p && (state[p] == HELD || state[p] == LISTENING) && env[p] == ENV(me) && name[p] == asks -> yes = 1
		:: else -> yes = 0
		fi
	}
	atomic { if :: yes && run_of[p] != me -> yes = 0 :: else fi }
}

/* Ends what the head says if it is ours. */
inline release(p)
{
	atomic { hs = state[p]; he = env[p]; hn = name[p]; ht = tag[p] }
	atomic {
		if
		:: (hs == CLAIMED && he == ENV(me) && ht == me) ||
		   ((hs == HELD || hs == LISTENING) && he == ENV(me) && run_of[p] == me) ->
			yes = 1
		:: else -> yes = 0
		fi
	}
	atomic { if :: yes && IS(p, hs, he, hn, ht) -> HEAD(p, FREE, 0, 0, 0) :: else fi; yes = 0 }
}

/* yes: the port is claimed. */
inline claim(p)
{
	took = 0;
	atomic { hs = state[p]; he = env[p]; hn = name[p]; ht = tag[p] }
	if
	:: hs == FREE || (hs == CLAIMED && he == ENV(me) && ht == me) -> yes = 1
	:: else ->
		/* take_over: nobody is bound */
		atomic { yes = (hs != CLAIMED && p == asks && !bound[p]); took = yes }
		if
		:: yes && hs == LISTENING && mutant != TAKES_LISTENING ->
			atomic { if :: IS(p, hs, he, hn, ht) -> state[p] = HELD; looking = 1 :: else -> yes = 0 fi; hs = HELD }
			atomic { if :: yes && bound[p] -> yes = 0; took = 0 :: else fi }
			atomic { if :: !took && IS(p, HELD, he, hn, ht) -> state[p] = LISTENING :: else fi; looking = 0 }
		:: else
		fi
	fi;
	atomic { if :: yes && IS(p, hs, he, hn, ht) -> HEAD(p, CLAIMED, ENV(me), asks, me) :: else -> yes = 0 fi }
	if
	:: yes && took && mutant != ONE_LOOK ->
		/* keep_claim: who binds from now on sees the claim */
		atomic { if :: bound[p] -> yes = 0 :: else fi }
		atomic { if :: !IS(p, CLAIMED, ENV(me), asks, me) && mutant != LOOKS_AT_BIND -> yes = 0 :: else fi }
		atomic { if :: !yes && IS(p, CLAIMED, ENV(me), asks, me) -> HEAD(p, hs, he, hn, ht) :: else fi }
	:: else
	fi;
	if
	:: yes -> atomic { run_of[p] = me; inode[p] = 0 }
	:: else
	fi
}

/* A first bind: the candidates in order. at: the port that it got, 0: none. */
inline first()
{
	p = asks;
	at = 0;
	do
	:: atomic { at || p > PORTS -> break }
	:: else ->
		claim(p);
		if
		:: yes ->
			atomic {
				if
				:: REUSEPORT && BOUND_BY_OTHERS(p) -> yes = 0 /* rivals */
				:: else
				fi
			}
			if
			:: yes -> atomic {
				if
				:: listens[p] && !REUSEPORT || (listens[p] & 4) -> yes = 0
				:: else -> bound[p] = bound[p] | BIT(me)
				fi
			   }
			:: else
			fi;
			if
			:: yes ->
				/* hold */
				atomic {
					if
					:: IS(p, CLAIMED, ENV(me), asks, me) ->
						HEAD(p, HELD, ENV(me), asks, 0);
						at = p
					:: else -> bound[p] = bound[p] & ~BIT(me) /* unbind */
					fi;
					yes = 0
				}
				if
				:: at -> set_hint(hint[me], HELD)
				:: else
				fi
			:: else -> release(p)
			fi
		:: else
		fi;
		atomic {
			if
			:: !at ->
				p = (p == PORTS && asks != 1 && !wrapped -> 1 : p + 1);
				if
				:: p == 1 -> wrapped = 1
				:: wrapped && p == asks -> p = PORTS + 1
				:: else
				fi
			:: else
			fi
		}
	od;
	atomic { wrapped = 0; yes = 0; took = 0; p = 0; hs = FREE; he = 0; hn = 0; ht = 0 }
}

/* hint_scope: unless another living assignment in as good a state has it. */
inline set_hint(h, st)
{
	own(h, yes);
	atomic { if :: !yes || h == at || st == LISTENING -> h = at :: else fi; yes = 0 }
}

proctype server(byte me)
{
	byte asks, lives, at, p;
	mtype hs = FREE;
	byte he, hn, ht;
	bit yes, took, wrapped;

	asks = ASKS(me);
	do
	:: lives == LIVES -> break
	:: else ->
		lives++;
		at = hint[me];
		own(at, yes);
		if
		:: yes ->
			/* again */
			atomic {
				if
				:: listens[at] && !REUSEPORT || (listens[at] & 4) -> yes = 0
				:: else -> bound[at] = bound[at] | BIT(me)
				fi
			}
			if
			:: yes && mutant != UNCHECKED_AGAIN ->
				own(at, yes);
				if
				:: !yes -> atomic { bound[at] = bound[at] & ~BIT(me) }	/* unbind */
				:: else
				fi
			:: !yes -> release(at)		/* it was lost */
			:: else
			fi;
		:: else
		fi;
		if
		:: !yes -> first()
		:: else
		fi
		atomic { if :: !at -> goto over :: else fi }

listen:		/* listen */
		own(at, yes);
		if
		:: yes -> inode[at] = me		/* registry_announce */
		:: else
		fi;
		atomic {
			if
			:: LISTENS_OTHER(at) && !REUSEPORT -> yes = 0
			:: else -> listens[at] = listens[at] | BIT(me); yes = 1
			fi
		}
		if
		:: !yes ->
			/* listen_elsewhere */
			own(at, yes);
			assert(yes);
			release(at);
			atomic { bound[at] = bound[at] & ~BIT(me) }
			first();
			atomic { if :: !at -> goto over :: else -> goto listen fi }
		:: else
		fi;
		/* record */
		own(at, yes);
		if
		:: !yes -> /* registry_adopt */
			atomic { hn = (hint[me] == at && mutant != NAMELESS -> ASKS(me) : at); HEAD(at, CLAIMED, ENV(me), hn, me) }
			run_of[at] = me
		:: else
		fi;
		atomic {
			inode[at] = me;
			if
			:: mutant == TWO_READS -> hn = name[at]
			:: yes && mutant != TWO_READS -> hn = asks
			:: else
			fi
		}
		atomic { HEAD(at, LISTENING, ENV(me), hn, 0) }
		atomic { hint[me] = at; env_hint[ENV(me)] = at; serves[me] = at; yes = 0; hn = 0 }
		/* here it serves */
		atomic { serves[me] = 0; listens[at] = listens[at] & ~BIT(me); bound[at] = bound[at] & ~BIT(me); at = 0 }
	od;
over:	atomic { listens[1] = listens[1] & ~BIT(me); bound[1] = bound[1] & ~BIT(me);
		listens[2] = listens[2] & ~BIT(me); bound[2] = bound[2] & ~BIT(me);
		listens[3] = listens[3] & ~BIT(me); bound[3] = bound[3] & ~BIT(me); at = 0 }
}

/* Looks at every state. */
proctype look()
{
	atomic {
		(strange_on(1)) || (strange_on(2)) || (strange_on(3)) || !(whole(1)) || !(whole(2)) ->
		assert(!((strange_on(1)) || (strange_on(2)) || (strange_on(3))));
		assert(whole(1));
		assert(whole(2))
	}
}

init {
	atomic {
		c_code { now.mutant = getenv("MUTANT") ? atoi(getenv("MUTANT")) : 0; };
		if
		:: listens[1] = 4; bound[1] = 4
		:: skip
		fi;
		run server(1); run server(2); run look()
	}
}
