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
 * except when the port was lost to somebody outside of the run. A UDP socket is recorded here, as listen() does it for TCP,
 * and in one step with the bind: another process of the run must not find a socket that nobody knows. */
static bool bind_again(struct ps_caller *caller, int fd, unsigned protocol, struct ps_address *a, uint16_t actual, int *result)
{
	struct ps_space *space = caller->space;
	struct ps_lock_guard guard;
	bool locked = protocol == PS_UDP && lock_enter(&space->run->lock, &guard), changed = false, kept;
	uint16_t requested = address_port(a);

	address_set_port(a, actual);
	*result = caller->calls->bind(caller, fd, &a->u.any, a->length);
	/* Another run may just be looking whether somebody has the port, with a socket that is gone by now. */
	if (*result == -EADDRINUSE)
		*result = caller->calls->bind(caller, fd, &a->u.any, a->length);
	/* Whoever takes the port over looks after his claim whether it is bound, and we look after our bind whether it is
	 * claimed (tests/model/registry.pml): one of us sees the other. */
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

static int bind_inet(struct ps_caller *caller, int fd, struct ps_address *a)
{
	struct ps_space *space = caller->space;
	uint16_t requested = address_port(a);
	uint16_t actual = registry_own(space, requested);
	unsigned protocol = caller->calls->protocol(caller, fd);
	int result;

	if (!protocol)
		return caller->calls->bind(caller, fd, &a->u.any, a->length);
	if (actual && !plan_needs_subject(space->plan, requested)) {
		if (bind_again(caller, fd, protocol, a, actual, &result))
			return result;
		address_set_port(a, requested);
	} else if (!actual && registry_is_own_actual(space, requested)) {
		return caller->calls->bind(caller, fd, &a->u.any, a->length);
	}
	return assign(caller, fd, a, protocol);
}

/* For compatibility, Linux binds an IPv4 socket to an address without a family, if it is the wildcard (net/ipv4/af_inet.c). */
static bool copy_unspec(int fd, struct ps_address *a, const struct sockaddr *address, socklen_t length)
{
	return length >= sizeof(struct sockaddr_in) && route_copy_unspec(a, address, length) &&
	       address_locality(a) == PS_WILDCARD && call_option(fd, SOL_SOCKET, SO_DOMAIN) == AF_INET;
}

int call_bind(struct ps_caller *caller, int fd, const struct sockaddr *address, socklen_t length)
{
	struct ps_address a;

	/* Port 0 is untouched (law 6). */
	if ((!address_copy(&a, address, length) && !copy_unspec(fd, &a, address, length)) || !address_port(&a) ||
	    address_locality(&a) == PS_MULTICAST)
		return caller->calls->bind(caller, fd, address, length);
	return bind_inet(caller, fd, &a);
}

void call_bound(struct ps_caller *caller, int fd)
{
	struct ps_space *space = caller->space;
	struct ps_lock_guard guard;
	struct ps_address local;
	bool changed;

	if (call_protocol(fd) != PS_UDP || call_local(caller, fd, &local) != 0 || !lock_enter(&space->run->lock, &guard))
		return;
	changed = publish_record(caller, fd, &local, PS_UDP);
	lock_leave(&space->run->lock, &guard);
	if (changed)
		publish_write(caller, address_port(&local));
}
