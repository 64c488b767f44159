#include "shim.h"

#include "../core/sys.h"

/* The kernel refused although we hold the port: somebody outside of the run has bound it too, and listened first. */
static int listen_elsewhere(struct ps_space *space, int fd, int backlog, struct ps_address *local)
{
	uint16_t port = address_port(local);
	int lost = registry_is_own_actual(space, port) ? registry_lost(space, port, PS_TCP) : 0, error;

	if (lost < 0)
		shim_event(space, PS_EVENT_UNASKED, port, -lost);
	if (lost <= 0)
		return real_fail(EADDRINUSE);
	error = assign_again(space, fd, local);
	if (!error)
		return real.listen(fd, backlog);
	if (error != EADDRINUSE) /* that no port is left has been told */
		shim_event(space, PS_EVENT_UNMOVED, port, error);
	return real_fail(EADDRINUSE);
}

static int listen_inet(struct ps_space *space, int fd, int backlog, struct ps_address *local, bool *changed)
{
	uint16_t port = address_port(local);
	uint32_t inode = kernel_socket_inode(fd), before;
	int result;

	/* Between the kernel's listen and our record, a client of another environment must already be able to see whose
	 * listener this is. */
	before = registry_announce(space, port, inode);
	result = real.listen(fd, backlog);
	if (result < 0 && before != inode)
		registry_withdraw(space, port, inode, before);
	if (result < 0 && errno == EADDRINUSE)
		result = listen_elsewhere(space, fd, backlog, local);
	if (result == 0 && (port || assign_local(fd, local)))
		*changed = publish_record(space, fd, local, PS_TCP);
	return result;
}

/* No socket of ours, or one of which a sandbox does not let us ask the address. */
static int listen_unnamed(struct ps_space *space, int fd, int backlog, struct ps_address *local)
{
	int saved = errno, result = real.listen(fd, backlog), error = result == 0 ? saved : errno;
	socklen_t length = sizeof(local->u);

	if (!local->length && (result == 0 || error == EADDRINUSE)) {
		shim_event(space, PS_EVENT_UNASKED, 0, (int)-sys3(SYS_getsockname, fd, &local->u, &length));
		errno = error;
	}
	return result;
}

EXPORT int listen(int fd, int backlog)
{
	struct ps_caller *caller = shim_enter(fd);
	struct ps_space *space = caller ? caller->space : NULL;
	struct ps_address local;
	struct ps_lock_guard guard;
	bool changed = false;
	int saved = errno, result;

	if (!space)
		return real.listen(fd, backlog);
	if (!assign_local(fd, &local))
		return listen_unnamed(space, fd, backlog, &local);
	if (publish_protocol(fd) != PS_TCP)
		return real.listen(fd, backlog);
	if (!lock_enter(&space->run->lock, &guard)) {
		shim_event(space, PS_EVENT_LOCKED, address_port(&local), EDEADLK);
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
