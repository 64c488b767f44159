#include <errno.h>

#include <portshim/call.h>
#include <portshim/registry.h>

#include "assign.h"
#include "publish.h"

/* The kernel refused although we hold the port: somebody outside of the run has bound it too, and listened first. */
static int listen_elsewhere(struct ps_caller *caller, int fd, int backlog, struct ps_address *local)
{
	struct ps_space *space = caller->space;
	uint16_t port = address_port(local);
	bool own = caller->left || registry_is_own_actual(space, port);
	int lost = own ? registry_lost(space, port, PS_TCP) : 0, error;

	if (lost < 0)
		caller->calls->event(caller, PS_EVENT_UNASKED, port, -lost);
	if (lost <= 0)
		return -EADDRINUSE;
	error = assign_again(caller, fd, local);
	if (!error)
		return caller->calls->listen(caller, fd, backlog);
	if (error != -EADDRINUSE) /* that no port is left has been told */
		caller->calls->event(caller, PS_EVENT_UNMOVED, port, -error);
	return -EADDRINUSE;
}

/* A port that is none of ours may be what a connect that has failed left behind; listen has another then. False if the
 * kernel does not say which. */
static bool listens_at(struct ps_caller *caller, int fd, struct ps_address *local)
{
	struct ps_address now;
	int error;

	if (registry_is_own_actual(caller->space, address_port(local)))
		return true;
	error = call_local(caller, fd, &now);
	if (!error)
		*local = now;
	else if (!address_port(local))
		caller->calls->event(caller, PS_EVENT_UNASKED, 0, -error);
	return address_port(local) != 0;
}

static int listen_inet(struct ps_caller *caller, int fd, int backlog, struct ps_address *local, bool *changed)
{
	struct ps_space *space = caller->space;
	uint16_t port = address_port(local);
	uint32_t inode = kernel_socket_inode(fd), before;
	int result;

	/* Between the kernel's listen and our record, a client of another environment must already be able to see whose
	 * listener this is. */
	before = registry_announce(space, port, inode);
	result = caller->calls->listen(caller, fd, backlog);
	if (result < 0 && before != inode)
		registry_withdraw(space, port, inode, before);
	if (result == -EADDRINUSE)
		result = listen_elsewhere(caller, fd, backlog, local);
	if (result == 0 && listens_at(caller, fd, local))
		*changed = publish_record(caller, fd, local, PS_TCP);
	return result;
}

/* No socket of ours, or one of which a sandbox does not let us ask the address: `error`. */
static int listen_unnamed(struct ps_caller *caller, int fd, int backlog, int error)
{
	int result = caller->calls->listen(caller, fd, backlog);

	if (error != -EAFNOSUPPORT && (result == 0 || result == -EADDRINUSE))
		caller->calls->event(caller, PS_EVENT_UNASKED, 0, -error);
	return result;
}

int call_listen(struct ps_caller *caller, int fd, int backlog)
{
	struct ps_space *space = caller->space;
	struct ps_address local;
	struct ps_lock_guard guard;
	bool changed = false;
	int result = call_local(caller, fd, &local);

	if (result != 0)
		return listen_unnamed(caller, fd, backlog, result);
	if (call_protocol(fd) != PS_TCP)
		return caller->calls->listen(caller, fd, backlog);
	if (!lock_enter(&space->run->lock, &guard)) {
		caller->calls->event(caller, PS_EVENT_LOCKED, address_port(&local), EDEADLK);
		return caller->calls->listen(caller, fd, backlog);
	}
	result = listen_inet(caller, fd, backlog, &local, &changed);
	lock_leave(&space->run->lock, &guard);
	if (changed)
		publish_write(caller, address_port(&local));
	return result;
}
