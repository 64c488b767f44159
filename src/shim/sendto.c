#include "shim.h"

EXPORT ssize_t sendto(int fd, const void *data, size_t size, int flags, ADDRESS_IN address, socklen_t length)
{
	struct ps_space *space = shim_enter(fd);
	uint16_t port = space ? route_port_or_unspec(PLAIN(address), length) : 0;
	struct ps_address a;

	if (!port || !route_matters(space, port))
		return real.sendto(fd, data, size, flags, PLAIN(address), length);
	/* With TCP Fast Open this is a connect. */
	switch (route_out(space, flags & MSG_FASTOPEN ? fd : -1, PLAIN(address), length, port, &a)) {
	case ROUTE_MOVED:
		return real.sendto(fd, data, size, flags, &a.u.any, a.length);
	case ROUTE_REFUSED:
		return real_fail(ECONNREFUSED);
	default:
		return real.sendto(fd, data, size, flags, PLAIN(address), length);
	}
}
