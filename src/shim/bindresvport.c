#include "shim.h"

/* libc picks a privileged port and binds it without coming back through bind(). The program asked for no number, so there is
 * nothing to move; a UDP socket is recorded here, a TCP one when it listens. */
EXPORT int bindresvport(int fd, struct sockaddr_in *address);
EXPORT int bindresvport(int fd, struct sockaddr_in *address)
{
	struct ps_caller *caller = shim_enter(fd);
	struct ps_space *space = caller ? caller->space : NULL;
	int result = real.bindresvport(fd, address);
	struct ps_lock_guard guard;
	struct ps_address local;
	bool changed;

	if (result != 0 || !space || publish_protocol(fd) != PS_UDP || !assign_local(fd, &local) ||
	    !lock_enter(&space->run->lock, &guard))
		return result;
	changed = publish_record(space, fd, &local, PS_UDP);
	lock_leave(&space->run->lock, &guard);
	if (changed)
		publish_write(space, address_port(&local));
	return result;
}
