#include "shim.h"

static int connect_routed(int fd, const struct sockaddr *address, socklen_t length)
{
	struct ps_space *space = shim_enter(fd);
	uint16_t port = space ? route_port(address, length) : 0;
	struct ps_address a;

	if (!port || !route_matters(space, port))
		return real.connect(fd, address, length);
	switch (route_out(space, fd, address, length, port, &a)) {
	case ROUTE_MOVED:
		return real.connect(fd, &a.u.any, a.length);
	case ROUTE_REFUSED:
		return real_fail(ECONNREFUSED);
	default:
		return real.connect(fd, address, length);
	}
}

EXPORT int connect(int fd, ADDRESS_IN address, socklen_t length)
{
	return connect_routed(fd, PLAIN(address), length);
}

/* glibc exports this alias (nm -D libc.so.6). */
EXPORT int __connect(int fd, ADDRESS_IN address, socklen_t length);
EXPORT int __connect(int fd, ADDRESS_IN address, socklen_t length)
{
	return connect_routed(fd, PLAIN(address), length);
}
