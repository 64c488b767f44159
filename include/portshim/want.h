/*
 * want.h - wanting a port that another run has: what the strategy "aggressive" adds to the kernel's verdict.
 *
 * A run whose manifest says so, and that has a keeper, yields: the keeper ends the program, lets go of the port, and
 * starts the program again, which finds its number taken. The two sides meet in the file of the run that has the port
 * (scope.h):
 *
 *	who wants it      leaves its wish there, touches the file, and sleeps until `answers` has changed
 *	the other keeper  is woken by the touch; it yields or not, and answers
 *
 * An answer says only that it is time to look again: whether the port can be had, the kernel says.
 */
#ifndef PORTSHIM_WANT_H
#define PORTSHIM_WANT_H

#include <portshim/space.h>

#define PS_WANT_PATIENCE_MS 30000 /* a keeper that has not answered by then is stopped, or does not get rid of its program */

/* A wish as its keeper reads it. */
struct ps_wish {
	uint64_t by;   /* identity of the process that waits */
	uint32_t run;  /* its run */
	uint16_t port; /* the actual port */
};

/* Asks the run `id`, which has the actual port, to yield it, and waits for the answer, on behalf of the process `by`
 * (process.h), whose wish it is: the caller, or the one that it decides for. 1: it has; 0: it has not. -EPERM: it never
 * yields. -ESRCH: its keeper is gone, or `by`. -ETIMEDOUT: no answer. -EINTR: a signal's handler was called that does
 * not want system calls to go on (no SA_RESTART). Or why its file cannot be opened. Hold no lock: this can take
 * seconds. */
int want_port(struct ps_space *space, uint64_t by, uint32_t id, uint16_t port);

/* The run's file allows to hope: it yields, and its keeper lives. 0, -EPERM or -ESRCH, as above. */
int want_hope(const struct ps_scope *run);

/* The wish that a run's keeper has to answer. False: there is none, or whoever had it is gone. */
bool want_read(struct ps_scope *run, struct ps_wish *wish);

/* Answers that wish, for all that wait; NULL: whichever there is, since the run is over. */
void want_answer(struct ps_scope *run, const struct ps_wish *wish);

/* The run lets go of the port that the wish is about, and takes it no more. Its listener is gone. False: the port is
 * not its own any more, or nobody wants it. */
bool want_yield(struct ps_host *host, struct ps_scope *run, const struct ps_wish *wish);

#endif
