#include "shim.h"

EXPORT ssize_t sendto(int fd, const void *data, size_t size, int flags, ADDRESS_IN address, socklen_t length)
{
	struct ps_caller *caller = shim_enter(fd);
	uint16_t port = caller ? shim_port_or_unspec(PLAIN(address), length) : 0;
	struct ps_address a;

	if (!port || !route_matters(caller->space, port))
		return real.sendto(fd, data, size, flags, PLAIN(address), length);
	/* With TCP Fast Open this is a connect. */
	switch (route_out(caller, flags & MSG_FASTOPEN ? fd : -1, PLAIN(address), length, port, &a)) {
	case PS_ROUTE_MOVED:
		return real.sendto(fd, data, size, flags, &a.u.any, a.length);
	case PS_ROUTE_REFUSED:
		return real_fail(ECONNREFUSED);
	default:
		return real.sendto(fd, data, size, flags, PLAIN(address), length);
	}
}
