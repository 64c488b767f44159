#include "call_bind.h"

int call_bind(struct ps_caller *caller, int fd, const struct sockaddr *address, socklen_t length)
{
	return call_bind_by(caller, caller->calls, fd, address, length);
}

/* The inet address that portshim has a say in. Port 0 is untouched (law 6). */
static bool copy_bindable(int fd, struct ps_address *a, const struct sockaddr *address, socklen_t length)
{
	return (address_copy(a, address, length) || bind_copy_unspec(fd, a, address, length)) && address_port(a) &&
	       address_locality(a) != PS_MULTICAST;
}

bool call_bind_at_once(struct ps_caller *caller, int fd, const struct sockaddr *address, socklen_t length, int *result)
{
	struct ps_space *space = caller->space;
	struct ps_address a;
	uint16_t requested, actual;

	if (!copy_bindable(fd, &a, address, length))
		return false;
	requested = address_port(&a);
	actual = registry_own(space, requested);
	if (!actual || plan_needs_subject(space->plan, requested) || caller->calls->protocol(caller, fd) != PS_TCP)
		return false;
	address_set_port(&a, actual);
	*result = caller->calls->bind(caller, fd, &a.u.any, a.length);
	if (*result != 0)
		return *result != -EADDRINUSE;
	return is_still_own(space, actual, requested) || !assign_unbind(caller, fd); /* as in bind_again */
}

int call_bind_bound(struct ps_caller *caller, int fd, const struct sockaddr *address, socklen_t length)
{
	unsigned protocol = caller->calls->protocol(caller, fd);
	struct ps_address a;

	if (protocol && copy_bindable(fd, &a, address, length))
		assign_bound(caller, fd, &a, protocol);
	return 0;
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
