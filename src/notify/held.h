/*
 * held.h - calls that wait without an answer until their socket is ready, their time is over, or a signal is to be
 * delivered. Only the serving thread calls these.
 */
#ifndef PORTSHIM_NOTIFY_HELD_H
#define PORTSHIM_NOTIFY_HELD_H

#include "served.h"

enum held_why {
	HELD_READY,   /* what is waited for may have come; also the first attempt, before anything is held */
	HELD_LATE,    /* the deadline has passed */
	HELD_SIGNAL,  /* a signal is pending, which only this thread can take: -ERESTARTSYS means to the kernel what
	                 it always does */
	HELD_SUSPECT, /* a signal is pending for the process, or it is stopped or traced: the kernel knows more, if
	                 it goes on */
};

#define HELD_FOREVER INT64_MAX

struct ps_wait;

/* Tries the call again, or ends it. PS_ANSWER_LATER, not to HELD_LATE: it still waits. */
typedef enum ps_answer held_wake(struct ps_call *call, enum held_why why, struct ps_wait *wait);

struct ps_wait {
	uint32_t events;  /* EPOLLIN, EPOLLOUT: on call->fd */
	int64_t deadline; /* of held_now */
	held_wake *wake;
};

/* Nanoseconds of CLOCK_MONOTONIC, which all processes share. */
int64_t held_now(void);

/* The socket's time limit, SO_RCVTIMEO or SO_SNDTIMEO, in nanoseconds; HELD_FOREVER: none. */
int64_t held_limit(int fd, int option);

/* Holds a call that has just said PS_ANSWER_LATER to HELD_READY; it is copied. PS_ANSWER_LATER; or
 * PS_ANSWER_CONTINUE, where no more can be held or where /proc does not say what a thread's signals are. */
enum ps_answer held_keep(struct ps_call *call, const struct ps_wait *wait);

/* Holds a connect that is on its way (call->fd), as SO_SNDTIMEO says. */
enum ps_answer held_connect(struct ps_call *call, int64_t deadline);

/* Milliseconds until held_serve should be called although nothing has happened; -1: nothing is held. */
int held_time_left(const struct ps_notify *notify);

/* notify->events can be read, or time has passed. Before anything else is served: a program whose held call was cut
 * short by its death keeps its socket until then. */
void held_serve(struct ps_notify *notify);

/* Forgets what is held, without answers: nobody is there any more. */
void held_close(struct ps_notify *notify);

#endif
