#include "shim.h"

EXPORT int accept4(int fd, ADDRESS_OUT address, socklen_t *length, int flags)
{
	struct ps_caller *caller = shim_enter(fd);
	socklen_t room = caller ? shim_room(PLAIN(address), length) : 0;
	int result;

	if (!room)
		return real.accept4(fd, PLAIN(address), length, flags);
	result = real.accept4(fd, PLAIN(address), length, flags);
	if (result >= 0)
		route_in(caller, PLAIN(address), room, shim_length(length));
	return result;
}
