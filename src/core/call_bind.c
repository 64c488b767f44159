#include "call_bind.h"

int call_bind(struct ps_caller *caller, int fd, const struct sockaddr *address, socklen_t length)
{
	return call_bind_by(caller, caller->calls, fd, address, length);
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
