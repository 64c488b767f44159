#include "shim.h"

EXPORT int getsockname(int fd, ADDRESS_OUT address, socklen_t *length)
{
	struct ps_space *space = shim_enter(fd);
	socklen_t room = space ? route_room(PLAIN(address), length) : 0;
	int result;

	if (!room)
		return real.getsockname(fd, PLAIN(address), length);
	result = real.getsockname(fd, PLAIN(address), length);
	if (result == 0)
		route_own(space, fd, PLAIN(address), room, route_length(length));
	return result;
}
