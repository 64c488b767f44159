/*
 * free.h - a port's holders: who they are, whether they may be ended, and ending them.
 */
#ifndef PORTSHIM_FREE_H
#define PORTSHIM_FREE_H

#include "../cli/holder.h"
#include "../cli/target.h"

#define PS_FREE_REASON 256

enum ps_free_verdict {
	PS_FREE_ALLOWED, /* the user's, and this project's */
	PS_FREE_ASK,	 /* another user's or another project's: --force ends it */
	PS_FREE_NEVER,	 /* cannot be seen, pid 1, this command or what it was started by */
};

/* A process that has a socket of the port open, also by inheritance. */
struct ps_free_process {
	struct ps_holder about; /* pid 0: cannot be seen; then `socket` and `user` alone */
	uint64_t identity;
	int32_t parent;
	uint32_t uid; /* its real user */
	uint8_t protocols;
	const struct ps_scope *env;  /* of the run that it is in, or NULL */
	enum ps_free_verdict verdict;
	char reason[PS_FREE_REASON]; /* why it is not simply allowed: "it is of another project: ~/shop" */
	char hint[PS_FREE_REASON];   /* what to do instead, or "" */
	bool holds;		     /* when it was last looked for */
	int pidfd;		     /* or -1 */
	int sent;		     /* the last signal, 0 for none */
};

struct ps_free_held {
	uint16_t port;
	uint8_t protocols;	     /* that are asked for */
	struct ps_free_process *list; /* the first to start comes first */
	unsigned count, room;
	uint32_t *inodes; /* of all sockets that were ever seen */
	unsigned inode_count, inode_room;
};

/* Who holds the port now. 0 or a negative errno. free_forget in any case. */
int free_find(struct ps_free_held *held, uint16_t port, uint8_t protocols);
void free_forget(struct ps_free_held *held);

/* True if it has the port bound, although nothing listens: then nobody can say who it is. */
bool free_bound(uint16_t port);

/* Sets env, verdict, reason and hint of one process. */
void free_judge(struct ps_free_process *process, uint16_t port, const struct ps_target *target,
		const struct ps_state_now *state);

enum ps_free_result {
	PS_FREE_DONE,
	PS_FREE_HELD,	 /* killed, and still there */
	PS_FREE_BOUND,	 /* nothing listens, but closing connections or a bound socket bar it */
	PS_FREE_TAKEN,	 /* by another listener, which was not there before: the last of the list */
	PS_FREE_REFUSED, /* a process that came to it meanwhile may not be ended */
};

struct ps_free_order {
	const struct ps_target *target;
	const struct ps_state_now *state;
	int64_t timeout; /* milliseconds until SIGKILL; -1: never */
	bool force;
};

/* Ends all that hold the port, and waits until it is free. The list is as of the end afterwards. 0 or the error's
 * code. */
int free_end(struct ps_free_held *held, const struct ps_free_order *order, enum ps_free_result *result,
	     struct ps_error *error);

#endif
