/*
 * host.h - the host table: one record for each port that portshim holds for anybody, shared by all environments of a
 * user.
 *
 * The file `host` in the runtime directory, mapped by every process under portshim. It is keyed by *actual* port, so an
 * actual port belongs to one environment at most, by construction. Every fact about an assignment stands here and only
 * here; the forward tables of the scopes (scope.h) are hints that are believed only when the record confirms them.
 *
 * The head word of a port is the only thing that readers trust. It changes by compare-and-swap:
 *
 *	0 -> CLAIMED      a bind is about to be tried by the process that claimed it
 *	CLAIMED -> HELD   the kernel's bind succeeded (and stays so when the socket is closed: sticky within its run)
 *	CLAIMED -> 0      the bind failed
 *	HELD -> LISTENING it listens (UDP: at once): from here on it is recorded and other environments are refused
 *	LISTENING -> HELD its listener is gone, its run is not
 *	HELD -> 0, LISTENING -> 0   its run is over, or another run took a port over whose process is gone
 *
 * Record fields are written by the process that moved the head to CLAIMED, before the head says HELD or LISTENING;
 * until then they are somebody else's, so a claim carries a part of its run's id in the head itself. A process that is
 * killed between two stores leaves a head that its run recognises: claims are made under the run's lock.
 */
#ifndef PORTSHIM_HOST_H
#define PORTSHIM_HOST_H

#include <stddef.h>

#include <portshim/scope.h>

enum ps_state { PS_FREE, PS_CLAIMED, PS_HELD, PS_LISTENING };

/* Why an assignment got its port: the steps of the order of candidates. */
enum ps_reason {
	PS_REASON_REQUESTED, /* the port that was asked for */
	PS_REASON_PREFERRED, /* another of the service's own ports */
	PS_REASON_STICKY,    /* the one it had last time */
	PS_REASON_RANGE,     /* the next free one of the service's range */
	PS_REASON_DEFAULT,   /* the default range */
	PS_REASON_OS,        /* chosen by the kernel, because the rules allow it */
	PS_REASON_EPHEMERAL, /* port 0 was requested, and the kernel chose */
	PS_REASON_YIELDED,   /* the port that was asked for, which another run gave up for it */
	/* In no record, only shown: */
	PS_REASON_INHERITED, /* it is that of the service which this one inherits from */
	PS_REASON_DETECTED,  /* a server of the project that runs without portshim */
};

/* Addresses that an assignment was bound to; the others are kept as one example in ps_record.address. */
#define PS_AT_ANY4 1u
#define PS_AT_ANY6 2u
#define PS_AT_LO4 4u
#define PS_AT_LO6 8u
#define PS_AT_OTHER 16u
#define PS_AT_OTHERS 32u /* more than one other */

#define PS_SERVICE_MAX 64
#define PS_SCHEME_MAX 14

struct ps_record {
	_Atomic uint64_t head;      /* whose, for which requested port, in which state: head_make, head_claim */
	_Atomic uint64_t owner;     /* identity (process.h) of the process that listened last; until then, of the one that bound */
	_Atomic uint32_t run;       /* scope id of the run that it belongs to */
	_Atomic uint32_t inode;     /* the socket that listened last, or is about to, as sock_diag knows it */
	_Atomic uint32_t since;     /* Unix seconds, until the year 2106 */
	_Atomic uint8_t listeners;  /* how many different sockets have listened; 2: more than one */
	_Atomic uint8_t reason;     /* enum ps_reason */
	_Atomic uint8_t cause;      /* errno that made it move (EADDRINUSE, EACCES), 0 if it did not move */
	_Atomic uint8_t protocols;  /* PS_TCP | PS_UDP: recorded, that is listening (UDP: bound) */
	_Atomic uint8_t report;     /* enum ps_report: what getsockname tells */
	_Atomic uint8_t at;         /* PS_AT_* */
	uint8_t address[16];    /* PS_AT_OTHER: as address_bytes gives it */
	char scheme[PS_SCHEME_MAX]; /* of URLs; "" means: by protocol */
	char service[PS_SERVICE_MAX]; /* the manifest's name, or "" */
};

/* Fields that others may read at any time: each by itself is whole, and the head says what they are worth. The
 * texts and the address are only read by what draws and shows them, and may be half one and half the other while
 * the port changes hands: they end with a NUL at any time, and who has drawn or shown them looks at the head
 * again. */
#define record_get(record, field) atomic_load_explicit(&(record)->field, memory_order_relaxed)
#define record_set(record, field, value) atomic_store_explicit(&(record)->field, value, memory_order_relaxed)

/* The texts of a record end in it, unless the table is damaged. */
static inline bool record_is_whole(const struct ps_record *record)
{
	return !record->scheme[sizeof(record->scheme) - 1] && !record->service[sizeof(record->service) - 1];
}

struct ps_host {
	uint32_t magic;
	uint32_t abi;
	uint64_t netns; /* kernel_netns() of the network namespace that the ports are those of */
	char maker[24]; /* the version of portshim that made it; found there in every format */
	uint8_t pad[4096 - 40]; /* tables start on page boundaries: see space_reserve */
	_Atomic uint64_t moved[PS_BITMAP_WORDS]; /* bit set: an actual port that differs from what some client calls it, or
	                                            did before it became free */
	_Atomic uint64_t owned[PS_BITMAP_WORDS]; /* bit set: the record is or was in use; else it may not be looked at (scope.h) */
	_Atomic uint64_t named[PS_BITMAP_WORDS]; /* bit set: owned, or requested in some scope: it may mean something */
	struct ps_record record[PS_PORTS];
};

#define PS_HOST_MAGIC 0x70736873u /* "pshs" */

/* The bitmaps and the header are allocated when the file is made; the rest is reserved as it is needed. */
#define PS_HOST_ALLOCATED offsetof(struct ps_host, record)

static inline bool shared_bit(const _Atomic uint64_t *map, uint16_t bit)
{
	return atomic_load_explicit(&map[bit / 64], memory_order_relaxed) >> (bit % 64) & 1;
}

static inline void shared_set(_Atomic uint64_t *map, uint16_t bit)
{
	atomic_fetch_or(&map[bit / 64], UINT64_C(1) << (bit % 64));
}

static inline void shared_clear(_Atomic uint64_t *map, uint16_t bit)
{
	atomic_fetch_and(&map[bit / 64], ~(UINT64_C(1) << (bit % 64)));
}

/* The first bit that is set from `from` on, or PS_PORTS. Bits that come and go meanwhile may be seen or not. */
static inline uint32_t shared_next(const _Atomic uint64_t *map, uint32_t from)
{
	while (from < PS_PORTS) {
		uint64_t bits = atomic_load_explicit(&map[from / 64], memory_order_relaxed) >> (from % 64);

		if (bits)
			return from + (uint32_t)__builtin_ctzll(bits);
		from = (from / 64 + 1) * 64;
	}
	return PS_PORTS;
}

#define FOR_EACH_SET(port, map) for (uint32_t port = shared_next(map, 0); port < PS_PORTS; port = shared_next(map, port + 1))

/* The head of a port; 0 where nobody ever had it. */
static inline uint64_t host_head(const struct ps_host *host, uint16_t port)
{
	return shared_bit(host->owned, port) ? atomic_load_explicit(&host->record[port].head, memory_order_acquire) : 0;
}

/* The head of a port that a hint or a bit in `moved` leads to: that it was owned is known then. */
static inline uint64_t host_head_of_owned(const struct ps_host *host, uint16_t port)
{
	return atomic_load_explicit(&host->record[port].head, memory_order_acquire);
}

static inline uint64_t head_make(uint32_t env, uint16_t requested, enum ps_state state)
{
	return (uint64_t)env << 32 | (uint64_t)state << 16 | requested;
}

/* A claim by a run: 14 bits of its id lie between state and environment. */
static inline uint64_t head_claim(uint32_t env, uint16_t requested, uint32_t run)
{
	return head_make(env, requested, PS_CLAIMED) | (uint64_t)(run & 0x3fff) << 18;
}

static inline bool head_is_claim_of(uint64_t head, uint32_t env, uint32_t run)
{
	return (head & ~UINT64_C(0xffff)) == (head_claim(env, 0, run) & ~UINT64_C(0xffff));
}

static inline uint32_t head_env(uint64_t head)
{
	return (uint32_t)(head >> 32);
}

static inline uint16_t head_requested(uint64_t head)
{
	return (uint16_t)head;
}

static inline enum ps_state head_state(uint64_t head)
{
	return (enum ps_state)(head >> 16 & 3);
}

#endif
