/*
 * scope.h - a scope is a name space of ports: an environment, or one run inside it. Each is one shared file.
 *
 * Files in the runtime directory (space.h), owned by the user, mode 0600:
 *	env-XXXXXXXX   an environment; its id is a hash of its key, so that every process finds it without a directory
 *	run-XXXXXXXX   a run; its id is random. The compiled manifest (plan.h) follows the struct in the same file
 *
 * forward[] is a hint: forward[requested] = actual. It counts only while the host table's record of that actual port
 * says that it is held for this environment and this requested port, so a stale entry is harmless and none needs
 * erasing.
 *
 * A hint stands in near[], in the first page, which most runs never outgrow; one whose place is another's stands in
 * forward[].
 *
 * The files are sparse, and a load from a hole may raise SIGBUS when the file system is full. So the first page and the
 * bitmap are allocated when the file is made, forward[] is read only where `pages` says that it may be, and
 * space_reserve() comes before every first store into another page.
 */
#ifndef PORTSHIM_SCOPE_H
#define PORTSHIM_SCOPE_H

#include <stddef.h>

#include <portshim/lock.h>

#ifndef PS_ABI /* the tests build another version */
#define PS_ABI 7u
#endif
#define PS_PORTS 65536u
#define PS_BITMAP_WORDS (PS_PORTS / 64)

#define PS_SCOPE_MAGIC 0x70737363u /* "pssc" */
#define PS_ENV_BIT 0x80000000u     /* set in the ids of environments, clear in those of runs */
#define PS_CHAIN_MAX 8
#define PS_NAME_MAX 64
#define PS_PATH_MAX 1024
#define PS_CLUSTER_MAX 16
#define PS_EVENTS 16
#define PS_NEAR 256
#define PS_NAMED 4

#define PS_SCOPE_PRIVATE 1u /* --isolate: always moved, gone at the end */
#define PS_SCOPE_STRICT 2u  /* --strict: fail closed */
#define PS_SCOPE_RETIRED 4u /* the run is over: its remaining processes record nothing more */
#define PS_SCOPE_KEPT 8u    /* a keeper looks after the run: it prints the notices and cleans up */
#define PS_SCOPE_YIELDS 16u /* some service of the run gives its port up, and the run has a keeper that sees to it (want.h) */
#define PS_SCOPE_STATIC 32u /* the run's programs are under a filter whose notifications are answered: `pass` */
#define PS_SCOPE_BARRED 64u /* that filter goes with no_new_privs, which was not in force before: no program gains rights */
#define PS_SCOPE_TOLD 256u  /* << kind: without a keeper, a process has told of an event of this kind itself */

enum ps_event_kind {
	PS_EVENT_NONE,
	PS_EVENT_EXHAUSTED,  /* every candidate was taken: the program got the original errno */
	PS_EVENT_REFUSED,    /* a connect was refused: the port is held by another environment */
	PS_EVENT_UNRECORDED, /* the discovery file could not be written: `error` says why */
	PS_EVENT_UNMAPPED,   /* the registry could not be written: the port is as the program asked, `error` says why */
	PS_EVENT_LOCKED,     /* the registry's lock did not come free: the call went on without portshim */
	PS_EVENT_UNNAMED,    /* a service's own discovery file could not be written: `error` says why */
	PS_EVENT_UNASKED,    /* the kernel could not be asked who listens on the port, or (0) which one it is: `error` says why */
	PS_EVENT_UNMOVED,    /* somebody else listened first, and the socket could not be replaced: `error` says why */
	PS_EVENT_UNYIELDED,  /* aggressive: the port's holder keeps it. EADDRINUSE: it was not asked; else how that ended */
	/* These two are about a process. They are told of by a keeper only: without one there is no filter. */
	PS_EVENT_ESCAPED,      /* a process that cannot be read makes its calls as without portshim: `pid`; instead of a port,
	                          the place of its name in escaped[] */
	PS_EVENT_UNPRIVILEGED, /* a set-user-ID program is executed, and the filter's no_new_privs makes it an ordinary one: `pid`; instead of
	                          a port, its place in barred[] */
};

/* What a run's keeper has to tell the user. A ring: `sequence` counts from 1 and is stored last. */
struct ps_event {
	_Atomic uint32_t sequence;
	_Atomic uint16_t kind;
	_Atomic uint16_t port;
	_Atomic int32_t error;
	_Atomic int32_t pid;
};

struct ps_scope {
	uint32_t magic;
	uint32_t abi;
	uint32_t id;
	uint32_t env;                /* id of the environment that this scope belongs to (its own, for an environment) */
	_Atomic uint32_t flags;      /* PS_SCOPE_* */
	_Atomic uint32_t events;     /* number of events written so far */
	uint32_t chain[PS_CHAIN_MAX]; /* run: the scopes that clients look in after it, nearest first: its environment, then
	                                 the runs and environments that it was started in; 0 ends it */
	struct ps_lock lock;         /* run: first binds; environment: the discovery file */
	uint64_t root;               /* run: identity of the keeper, else of the program started */
	uint64_t created;            /* Unix seconds */
	uint64_t key;                /* environment: a second, longer hash of its key, to tell namesakes of one id apart */
	uint64_t pass;               /* run: marks the system calls that need no notification; 0: no filter. See below */
	_Atomic uint64_t drawn;      /* environment: what its discovery file shows, as one number (discovery.c) */
	uint32_t plan_size;          /* bytes of plan behind the struct, 0 for none */
	_Atomic uint32_t pages;      /* bit set: that page of forward[] is allocated, 2,048 ports in each */
	_Atomic uint32_t cluster[PS_CLUSTER_MAX]; /* pids that are told requested ports always: node's cluster compares */
	char name[PS_NAME_MAX];      /* environment's name as shown */
	char project[PS_NAME_MAX];
	char profile[PS_NAME_MAX];
	char directory[PS_PATH_MAX]; /* of the project */
	char discovery[PS_PATH_MAX]; /* discovery file, absolute */
	struct ps_event event[PS_EVENTS];
	_Atomic uint32_t near[PS_NEAR]; /* requested << 16 | actual: the first one that came to each place, and stays there */
	/* Run: names of programs that events were about (space_name); 0: nobody's place. */
	_Atomic uint64_t barred[PS_NAMED][2];  /* PS_EVENT_UNPRIVILEGED */
	_Atomic uint64_t escaped[PS_NAMED][2]; /* PS_EVENT_ESCAPED */
	_Atomic uint32_t undrawn;       /* environment: changes of its records << 16 | those that its discovery file shows */
	/* A run with PS_SCOPE_YIELDS and those who want a port of it (want.h). Written under its lock. */
	_Atomic uint32_t answers;       /* number of wishes answered << 16 | the port that the last one was about; a futex */
	_Atomic uint64_t wanted_by;     /* identity of the process that waits, written last; 0: none. A dead one's counts for none */
	_Atomic uint32_t wanted_for;    /* that process's run */
	_Atomic uint32_t yielded_for;   /* the run that `yielded` went to */
	_Atomic uint16_t wanted;        /* the actual port */
	_Atomic uint16_t yielded;       /* the last one that was given up, which this run never takes again; 0: none */
	uint8_t pad[4096 - 40 - 16 - 32 - 12 - 64 - 16 - 3 * PS_NAME_MAX - 2 * PS_PATH_MAX - 16 * PS_EVENTS - 8 - 4 * PS_NEAR - 32 * PS_NAMED - 28];
	_Atomic uint64_t actual[PS_BITMAP_WORDS]; /* environment: actual ports that may be recorded in it */
	_Atomic uint16_t forward[PS_PORTS]; /* the others */
	uint8_t nudge[4096];                /* never stored to: see space_poke */
};

/*
 * The pass. A run's programs may be under a seccomp filter that has a worker answer their calls about sockets. The
 * library has decided already, and marks its own calls: then the filter lets them through. The number is random, and
 * that is all that keeps an unmarked call from looking like a marked one; it guards nothing. It stands at this place of
 * a run's file, and a run inside of another has the outer one's, because the filter is the outer one's.
 *
 *	bind, listen, connect, getsockname, getpeername,     the sixth argument, which the kernel does not
 *	sendmsg, sendmmsg, recvmsg, recvmmsg                 look at, is the pass
 *	sendto, recvfrom, which have six arguments           the upper half of the fourth, of `flags`, of which the kernel
 *	                                                     takes an int, is the upper half of the pass
 *
 * sendto and recvfrom without an address are not notified, marked or not. The library does not mark what another
 * library makes of a call, and libc's calls inside of its own functions: these are notified, and answered with what was
 * decided (law 5). A thread that owns the run's lock (lock_owner) is such a one in the middle of a decision: its call
 * goes on as it is. The upper half of a pass is neither 0 nor all ones, so a program's own flags never look like one.
 * (x86_64 and aarch64; of a 32-bit system call nothing is free.)
 */
#define PS_PASS_OFFSET 96
_Static_assert(offsetof(struct ps_scope, pass) == PS_PASS_OFFSET, "in the first page");

/* What the upper half of `flags` is compared with, and the register as it has to be. */
static inline uint32_t pass_upper(uint64_t pass)
{
	return (uint32_t)(pass >> 32);
}

static inline uint64_t pass_flags(uint64_t pass, int flags)
{
	return (pass & ~UINT64_C(0xffffffff)) | (uint32_t)flags;
}

/* What is allocated of the file when it is made; a run has no use for the bitmap `actual`. */
#define PS_ENV_ALLOCATED offsetof(struct ps_scope, forward)
#define PS_RUN_ALLOCATED offsetof(struct ps_scope, actual)

static inline uint32_t scope_page(uint16_t requested)
{
	return UINT32_C(1) << (requested / 2048);
}

/* Where the scope's hint leads to, 0 if it has none. */
static inline uint16_t scope_hint(const struct ps_scope *scope, uint16_t requested)
{
	uint32_t word = atomic_load_explicit(&scope->near[requested % PS_NEAR], memory_order_relaxed);

	if (word >> 16 == requested)
		return (uint16_t)word;
	return atomic_load_explicit(&scope->pages, memory_order_acquire) & scope_page(requested)
		       ? atomic_load_explicit(&scope->forward[requested], memory_order_relaxed)
		       : 0;
}

#endif
