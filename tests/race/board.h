/*
 * board.h - what soak.c and its many copies of busy.c share: a file that all of them map.
 *
 * A process that is killed can report nothing, so what it is about to do stands here before it does it.
 */
#ifndef TESTS_RACE_BOARD_H
#define TESTS_RACE_BOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOARD_PIDS 4194304 /* the kernel's own limit */
#define BOARD_SOCKETS 131072
#define BOARD_TOLD 16
#define BOARD_HOT 16

/* Who somebody is: its environment's number. */
enum { UNMANAGED = 0, PRIVATE_FROM = 1000 };

/* The ports that everybody wants. */
#define BOARD_PORT 3000
#define BOARD_PORTS 4

enum odd_call { ODD_BIND = 1, ODD_LISTEN, ODD_SOCKET, ODD_FORK, ODD_EXEC, ODD_FULL };

struct board {
	_Atomic uint32_t phase; /* odd: keep still */
	_Atomic uint32_t end;

	/* A client that met another environment's server, which was there before it asked. */
	_Atomic uint32_t strangers;
	/* One that asked at the same moment as that server bound or listened: nobody can say who came first. */
	_Atomic uint32_t coincidences;
	struct {
		int32_t who, met, pid, port, way, age;
	} stranger[BOARD_TOLD];
	/* A call that failed as none may. */
	_Atomic uint32_t odds;
	struct {
		int32_t who, call, error, pid, port;
	} odd[BOARD_TOLD];

	/* What was done. */
	_Atomic uint64_t binds, listens, connects, answers, forks, execs;
	_Atomic uint32_t hot[BOARD_HOT]; /* actual ports, for unmanaged programs to take */
	/* By inode: whose a socket is, and what it asked for. */
	struct board_socket {
		_Atomic uint32_t inode;
		int32_t who;
		int32_t port;
		_Atomic uint64_t since; /* nanoseconds: its bind (UDP) or listen had returned by then; 0: not yet */
	} socket[BOARD_SOCKETS];
	_Atomic uint32_t settled[BOARD_PIDS]; /* by pid: the phase in which it keeps still */
};

struct board_answer {
	int32_t who;
	int32_t word; /* of a datagram: what was asked with */
	uint32_t inode;
};

/* xorshift64*: the same numbers for the same seed. */
static inline uint32_t draw(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (uint32_t)(*state * UINT64_C(2685821657736338717) >> 32);
}

static inline uint64_t seeded(uint64_t seed)
{
	uint64_t state = seed * UINT64_C(0x9e3779b97f4a7c15) + UINT64_C(0x1234567890abcdef);

	for (int i = 0; i < 8; i++)
		draw(&state);
	return state;
}

/* The entry of an inode; with `make`, a new one where there is none. NULL: none, or the board is full. */
static inline struct board_socket *board_socket(struct board *b, uint32_t inode, bool make)
{
	for (uint32_t i = 0; i < 256; i++) {
		struct board_socket *s = &b->socket[(inode * UINT32_C(2654435761) + i) % BOARD_SOCKETS];
		uint32_t is = atomic_load(&s->inode);

		if (is == inode)
			return s;
		if (is == 0 && !make)
			return NULL;
		if (is == 0 && atomic_compare_exchange_strong(&s->inode, &is, inode))
			return s;
	}
	return NULL;
}

#endif
