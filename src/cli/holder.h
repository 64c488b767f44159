/*
 * holder.h - who holds a port: the kernel's sockets, and the processes behind them. Also of those that portshim knows
 * nothing of.
 */
#ifndef PORTSHIM_CLI_HOLDER_H
#define PORTSHIM_CLI_HOLDER_H

#include <stddef.h>

#include <portshim/kernel.h>
#include <portshim/scope.h>

#define PS_HOLDER_PHRASE 256

/* One socket that listens (TCP) or is bound (UDP), with the process that opened it first. */
struct ps_holder {
	struct ps_listener socket;
	int32_t pid;                 /* 0: the process cannot be seen: another user's, or in another container */
	char user[64];               /* name of the socket's owner, or its number */
	char command[64];            /* short, like "node"; "" if it cannot be seen */
	char line[512];              /* the command line, cut */
	char directory[PS_PATH_MAX]; /* working directory, or "" */
	uint64_t started;            /* Unix seconds, 0 if unknown */
};

/* Everybody who holds the port, at most `room`; sockets of one process and protocol count once. Returns the number,
 * or a negative errno. */
int holder_list(uint16_t port, unsigned protocols, struct ps_holder *list, unsigned room);

/* One process that has one of the port's sockets open. */
struct ps_share {
	unsigned socket; /* its index */
	int32_t pid;
};

/* All sockets of a port, and all processes that have them open, those that inherited them too. *sockets and *shares are
 * malloc'ed, the caller frees. Returns 0 or a negative errno. */
int holder_shares(uint16_t port, unsigned protocols, struct ps_listener **sockets, unsigned *socket_count,
		  struct ps_share **shares, unsigned *share_count);

/* The holder to name when only one can be: one whose process is known, else any. False if nobody holds the port. */
bool holder_find(uint16_t port, unsigned protocols, struct ps_holder *first);

/* Fills pid, command, line, directory, started from /proc; what cannot be read stays empty. False if there is no such
 * process. */
bool holder_process(struct ps_holder *holder, int32_t pid);

/* Fills user from the socket. */
void holder_user(struct ps_holder *holder);

/* "held by node, pid 812, ~/shop": one line without control characters; `text` holds PS_HOLDER_PHRASE bytes. */
void holder_phrase(const struct ps_holder *holder, char *text);

#endif
