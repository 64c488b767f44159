#include "shim.h"

EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	struct ps_caller *caller = shim_enter(fd);
	struct ps_address a;
	struct msghdr copy;
	uint16_t port = 0;

	if (caller && readable(message, sizeof(*message)))
		port = shim_port_or_unspec(message->msg_name, route_name_length(message));
	if (!port || !route_matters(caller->space, port))
		return real.sendmsg(fd, message, flags);
	switch (route_out(caller, flags & MSG_FASTOPEN ? fd : -1, message->msg_name, route_name_length(message), port, &a)) {
	case PS_ROUTE_MOVED:
		copy = *message;
		copy.msg_name = &a.u;
		copy.msg_namelen = a.length;
		return real.sendmsg(fd, &copy, flags);
	case PS_ROUTE_REFUSED:
		return real_fail(ECONNREFUSED);
	default:
		return real.sendmsg(fd, message, flags);
	}
}
