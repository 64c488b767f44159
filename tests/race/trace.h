/*
 * trace.h - runs a program from one store to the shared mapping, or system call that others can see, to the next.
 */
#ifndef TESTS_RACE_TRACE_H
#define TESTS_RACE_TRACE_H

#include <stdbool.h>
#include <sys/types.h>

struct trace_point {
	unsigned event;      /* which one, from 1 */
	bool store;          /* to the shared mapping; else a system call */
	long call;           /* its number */
	unsigned long place; /* the instruction */
	unsigned long address; /* of the store, from the start of its mapping */
};

enum trace_end { TRACE_STOPPED, TRACE_EXITED, TRACE_BROKEN };

/* To be called in the child before its exec. */
void trace_me(void);

/* Runs the traced child `pid`, which is stopped at its exec, until just before its event number `event` or just
 * `after` it, and leaves it stopped there; events count from the first use of a file under `runtime`. TRACE_EXITED:
 * it ended before (*last is its last event then). TRACE_BROKEN: it was killed by a signal, or cannot be traced. */
enum trace_end trace_to(pid_t pid, const char *runtime, unsigned event, bool after, struct trace_point *last);

#endif
