/*
 * truth.h - what is true while everybody keeps still, seen from outside: the kernel's list of sockets, who has them
 * open, and what the board says of them. soak.c holds the registry and the files against it.
 */
#ifndef TESTS_RACE_TRUTH_H
#define TESTS_RACE_TRUTH_H

#include "board.h"
#include "world.h"

/* A socket that listens, or is bound for UDP. */
struct fact {
	uint32_t inode;
	uint16_t port, requested;
	uint8_t protocol, family;
	int who;
	bool client; /* UDP, port 0: that is what clients do, and it is not recorded */
};

struct truth {
	struct world *world;
	struct board *board;
	struct fact *fact;
	int count, room;
	/* who has which socket open */
	struct open_socket {
		uint32_t inode;
		pid_t pid;
	} * open;
	int opened, open_room;
	char *why; /* what is wrong; empty: nothing */
	size_t size, used;
};

/* Reads what is there now, after a look of `portshim status --all`. */
void truth_read(struct truth *t);
void truth_free(struct truth *t);

/* Each adds what it finds wrong to `why` and returns whether that is nothing. */
bool truth_of_sockets(struct truth *t); /* every one is recorded as what it is */
bool truth_of_table(struct truth *t);   /* every record is of a living socket with a living owner */
bool truth_of_files(struct truth *t);   /* every discovery file shows the records, and nothing else */
bool truth_of_services(struct truth *t, int place, const char *service, const char *path);
bool truth_of_runs(
	struct truth *t); /* no run has met a lock that did not come free, or a file that could not be written */

#endif
