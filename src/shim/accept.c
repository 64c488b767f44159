#include "shim.h"

EXPORT int accept(int fd, ADDRESS_OUT address, socklen_t *length)
{
	struct ps_space *space = shim_enter();
	socklen_t room;
	int result;

	if (!space || !PLAIN(address) || !route_room(PLAIN(address), length, &room))
		return real.accept(fd, PLAIN(address), length);
	result = real.accept(fd, PLAIN(address), length);
	if (result >= 0 && room)
		route_in(space, PLAIN(address), room, *length);
	return result;
}
