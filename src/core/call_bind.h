/*
 * call_bind.h - the decision about a bind, inline: whoever knows its calls when it is compiled has them without the
 * indirection. call_bind() is this for any caller; the hook of a program is this with its own calls.
 */
#ifndef PORTSHIM_CORE_CALL_BIND_H
#define PORTSHIM_CORE_CALL_BIND_H

#include <errno.h>

#include <portshim/call.h>
#include <portshim/registry.h>
#include <portshim/route.h>

#include "assign.h"
#include "publish.h"

/* Both states that an assignment can be in, HELD and LISTENING, have one bit in common. */
static inline bool is_still_own(const struct ps_space *space, uint16_t actual, uint16_t requested)
{
	uint64_t head = host_head_of_owned(space->host, actual) | head_make(0, 0, PS_LISTENING ^ PS_HELD);

	return head == head_make(space->run->env, requested, PS_LISTENING) &&
	       record_get(&space->host->record[actual], run) == space->run->id;
}

/* A requested port that this run has an assignment for: the kernel's verdict on the actual port is the verdict (law 3),
 * except when the port was lost to somebody outside of the run. A UDP socket is recorded here, as listen() does it for
 * TCP, and in one step with the bind: another process of the run must not find a socket that nobody knows. */
static inline bool bind_again(struct ps_caller *caller, const struct ps_caller_calls *calls, int fd, unsigned protocol,
			      struct ps_address *a, uint16_t actual, int *result)
{
	struct ps_space *space = caller->space;
	struct ps_lock_guard guard;
	bool locked = protocol == PS_UDP && lock_enter(&space->run->lock, &guard), changed = false, kept;
	uint16_t requested = address_port(a);

	address_set_port(a, actual);
	*result = calls->bind(caller, fd, &a->u.any, a->length);
	/* Another run may just be looking whether somebody has the port, with a socket that is gone by now. */
	if (*result == -EADDRINUSE)
		*result = calls->bind(caller, fd, &a->u.any, a->length);
	/* Whoever takes the port over looks after his claim whether it is bound, and we look after our bind whether it
	 * is claimed (tests/model/registry.pml): one of us sees the other. */
	kept = *result != 0 || is_still_own(space, actual, requested);
	if (locked) {
		changed = *result == 0 && kept && publish_record(caller, fd, a, PS_UDP);
		lock_leave(&space->run->lock, &guard);
	}
	if (changed)
		publish_write(caller, actual);
	if (!kept && assign_unbind(caller, fd))
		return false;
	return *result != -EADDRINUSE || registry_lost(space, actual, protocol) <= 0;
}

static inline int bind_inet(struct ps_caller *caller, const struct ps_caller_calls *calls, int fd,
			    struct ps_address *a)
{
	struct ps_space *space = caller->space;
	uint16_t requested = address_port(a);
	uint16_t actual = registry_own(space, requested);
	unsigned protocol = calls->protocol(caller, fd);
	int result;

	if (!protocol)
		return calls->bind(caller, fd, &a->u.any, a->length);
	if (actual && !plan_needs_subject(space->plan, requested)) {
		if (bind_again(caller, calls, fd, protocol, a, actual, &result))
			return result;
		address_set_port(a, requested);
	} else if (!actual && registry_is_own_actual(space, requested)) {
		return calls->bind(caller, fd, &a->u.any, a->length);
	}
	return assign(caller, fd, a, protocol);
}

/* For compatibility, Linux binds an IPv4 socket to an address without a family, if it is the wildcard
 * (net/ipv4/af_inet.c). */
static inline bool bind_copy_unspec(int fd, struct ps_address *a, const struct sockaddr *address, socklen_t length)
{
	return length >= sizeof(struct sockaddr_in) && route_copy_unspec(a, address, length) &&
	       address_locality(a) == PS_WILDCARD && call_option(fd, SOL_SOCKET, SO_DOMAIN) == AF_INET;
}

static inline __attribute__((always_inline)) int call_bind_by(struct ps_caller *caller,
							      const struct ps_caller_calls *calls, int fd,
							      const struct sockaddr *address, socklen_t length)
{
	struct ps_address a;

	/* Port 0 is untouched (law 6). */
	if ((!address_copy(&a, address, length) && !bind_copy_unspec(fd, &a, address, length)) || !address_port(&a) ||
	    address_locality(&a) == PS_MULTICAST)
		return calls->bind(caller, fd, address, length);
	return bind_inet(caller, calls, fd, &a);
}

#endif
