#include "shim.h"

/* The kernel refused although we hold the port: somebody outside of the run has bound it too, and listened first. */
static int listen_elsewhere(struct ps_space *space, int fd, int backlog, struct ps_address *local)
{
	uint16_t port = address_port(local);

	if (registry_is_own_actual(space, port) && registry_lost(space, port, PS_TCP) && assign_again(space, fd, local) &&
	    assign_local(fd, local))
		return real.listen(fd, backlog);
	return real_fail(EADDRINUSE);
}

static int listen_inet(struct ps_space *space, int fd, int backlog, struct ps_address *local, bool *changed)
{
	int result;

	/* Between the kernel's listen and our record, a client of another environment must already be able to see whose
	 * listener this is. */
	registry_announce(space, address_port(local), kernel_socket_inode(fd));
	result = real.listen(fd, backlog);
	if (result < 0 && errno == EADDRINUSE)
		result = listen_elsewhere(space, fd, backlog, local);
	if (result == 0 && (address_port(local) || assign_local(fd, local)))
		*changed = publish_record(space, fd, local, PS_TCP);
	return result;
}

EXPORT int listen(int fd, int backlog)
{
	struct ps_space *space = shim_enter(fd);
	struct ps_address local;
	struct ps_lock_guard guard;
	bool changed = false;
	int saved = errno, result;

	if (!space || !assign_local(fd, &local) || publish_protocol(fd) != PS_TCP)
		return real.listen(fd, backlog);
	if (!lock_enter(&space->run->lock, &guard)) {
		space_event(space, PS_EVENT_LOCKED, address_port(&local), EDEADLK);
		return real.listen(fd, backlog);
	}
	result = listen_inet(space, fd, backlog, &local, &changed);
	lock_leave(&space->run->lock, &guard);
	if (changed)
		publish_write(space, address_port(&local));
	if (result == 0)
		errno = saved;
	return result;
}
