/*
 * call_inline.h - what most binds and connects need, inline: whoever knows its calls when it is compiled has them
 * without the indirection. call_bind and call_connect are these for any caller; the hooks of a program are these with its own
 * calls. The rest, which is rare, is in call_bind.c and call_connect.c.
 */
#ifndef PORTSHIM_CORE_CALL_INLINE_H
#define PORTSHIM_CORE_CALL_INLINE_H

#include <errno.h>

#include <portshim/call.h>
#include <portshim/registry.h>
#include <portshim/route.h>

#define CALL_INLINE static inline __attribute__((always_inline))

/* ---- bind ---- */

/* Both states that an assignment can be in, HELD and LISTENING, have one bit in common. */
CALL_INLINE bool is_still_own(const struct ps_space *space, uint16_t actual, uint16_t requested)
{
	uint64_t head = host_head_of_owned(space->host, actual) | head_make(0, 0, PS_LISTENING ^ PS_HELD);

	return head == head_make(space->run->env, requested, PS_LISTENING) &&
	       record_get(&space->host->record[actual], run) == space->run->id;
}

/* For all other sockets than TCP ones with an assignment of this run, and for those where call_bind_tcp was not the end. */
int call_bind_slowly(struct ps_caller *caller, int fd, unsigned protocol, struct ps_address *a, uint16_t actual);

/* The bind of a requested port that this run has an assignment for was not kept, or refused. */
int call_bind_over(struct ps_caller *caller, int fd, unsigned protocol, struct ps_address *a, uint16_t requested, int result);
