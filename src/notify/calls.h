/*
 * calls.h - acting on another process's socket, for the core (caller.h).
 */
#ifndef PORTSHIM_NOTIFY_CALLS_H
#define PORTSHIM_NOTIFY_CALLS_H

#include <portshim/caller.h>

/* The caller in question is that of a struct ps_call. */
extern const struct ps_caller_calls calls_of_target;

/* Ports below this one may be privileged, and we could bind to them all the same; 0: we could not. */
uint32_t calls_privileged(void);

/* Before a message with control data is sent for the call: takes from this thread the capabilities that control data
 * may want and the caller has not. calls_raise gives back what was taken. */
struct ps_call;
uint32_t calls_lower(const struct ps_call *call);
void calls_raise(uint32_t taken);

#endif
