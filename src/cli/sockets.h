/*
 * sockets.h - the sockets that listen on this machine, and the process of each.
 */
#ifndef PORTSHIM_CLI_SOCKETS_H
#define PORTSHIM_CLI_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <portshim/kernel.h>

struct ps_socket {
	struct ps_listener socket;
	int32_t pid;    /* 0: the process cannot be seen: another user's, or in another container */
	uint64_t start; /* when that process started, in ticks since boot */
	size_t index;   /* in the list */
};

struct ps_sockets {
	struct ps_socket *list; /* in the kernel's order */
	size_t count, room;
	bool failed; /* out of memory */
};

/* The sockets on a port (0: on any) that listen (TCP) or are bound (UDP); without their processes. 0 or a negative
 * errno; sockets_free in either case. */
int sockets_read(struct ps_sockets *sockets, uint16_t port, unsigned protocols);

/* Called for each process that has a socket open, once for each of its descriptors. */
typedef void sockets_share(size_t index, int32_t pid, void *context);

/* Fills pid and start: of the processes that have a socket, the one that started first, or of two the one with the
 * smaller number. `each` may be NULL. */
void sockets_search(struct ps_sockets *sockets, sockets_share *each, void *context);

void sockets_free(struct ps_sockets *sockets);

#endif
