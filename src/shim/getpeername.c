#include "shim.h"

EXPORT int getpeername(int fd, ADDRESS_OUT address, socklen_t *length)
{
	struct ps_caller *caller = shim_enter(fd);
	socklen_t room = caller ? shim_room(PLAIN(address), length) : 0;
	int result;

	if (!room)
		return real.getpeername(fd, PLAIN(address), length);
	result = real.getpeername(fd, PLAIN(address), length);
	if (result == 0)
		route_in(caller, PLAIN(address), room, shim_length(length));
	return result;
}
