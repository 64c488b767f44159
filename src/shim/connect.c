#include "caller.h"

#include "../core/call_connect.h"

static inline int connect_routed(int fd, const struct sockaddr *address, socklen_t length)
{
	struct ps_caller *caller = shim_enter(fd);
	uint16_t port = caller ? shim_port(address, length) : 0;

	if (!port || !route_matters(caller->space, port))
		return real.connect(fd, address, length);
	return real_result(call_connect_by(caller, &own_calls, fd, address, length, port));
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
