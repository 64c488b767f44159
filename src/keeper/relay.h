/*
 * relay.h - what the keeper and its worker tell each other: a page that both have, and that survives either.
 *
 * The start is told by whoever does each step, so that it is known however far it came. Afterwards only the worker
 * writes. It tells of a process's change before it takes the change from the kernel (worker.c): what it had not told
 * when it was killed, the keeper finds with wait(2), as the parent that it is by then.
 */
#ifndef PORTSHIM_KEEPER_RELAY_H
#define PORTSHIM_KEEPER_RELAY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A status of wait(2) for "continued", as glibc and the kernel have it. */
#define PS_CONTINUED 0xffff

struct ps_relay {
	pid_t program;          /* written by the kernel when the process is made; 0: it never was */
	_Atomic int unforked;   /* the errno of that */
	_Atomic int refused;    /* the errno with which the filter was refused: nothing was executed */
	_Atomic int failure;    /* the errno of execve */
	_Atomic int listener;   /* its number in the program's and the worker's table of descriptors */
	_Atomic uint64_t news;  /* what the program has done: how many times << 32 | the last one, as wait(2) says it */
	_Atomic uint32_t ended; /* processes of the run that have ended */
	_Atomic bool over;      /* no process of the run is left, and the worker ends */
	_Atomic bool looking;   /* the worker is about to tell: what it has told may not be all that has happened at once */
};

/* Memory for it and, behind it, `more` bytes, in which everything is zero. NULL with errno. */
struct ps_relay *relay_create(size_t more);
void *relay_more(struct ps_relay *relay);
void relay_free(struct ps_relay *relay, size_t more);

/* The program was stopped, continued, or has ended. */
void relay_tell(struct ps_relay *relay, int status);
/* True if there is something new since *seen. Only the last counts: one who was stopped and goes on is not stopped.
 * Unless `all`, which is for the end of the worker, nothing is heard before it has told everything: that the program
 * has ended comes with whether anybody is left. */
bool relay_hear(struct ps_relay *relay, bool all, uint32_t *seen, int *status);

#endif
