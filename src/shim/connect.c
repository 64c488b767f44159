#include "shim.h"

static int connect_routed(int fd, const struct sockaddr *address, socklen_t length)
{
	struct ps_space *space = shim_enter();
	struct ps_address a;

	if (!space || !route_read(&a, address, length))
		return real.connect(fd, address, length);
	switch (route_out(space, fd, &a)) {
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
