#include "shim.h"

EXPORT ssize_t recvfrom(int fd, void *data, size_t size, int flags, ADDRESS_OUT address, socklen_t *length)
{
	struct ps_caller *caller = shim_enter(fd);
	socklen_t room = caller ? shim_room(PLAIN(address), length) : 0;
	ssize_t result;

	if (!room)
		return real.recvfrom(fd, data, size, flags, PLAIN(address), length);
	result = real.recvfrom(fd, data, size, flags, PLAIN(address), length);
	if (result >= 0)
		route_in(caller, PLAIN(address), room, shim_length(length));
	return result;
}

/* What _FORTIFY_SOURCE makes of recvfrom. */
EXPORT ssize_t __recvfrom_chk(int fd, void *data, size_t size, size_t data_room, int flags, ADDRESS_OUT address,
			      socklen_t *length);
EXPORT ssize_t __recvfrom_chk(int fd, void *data, size_t size, size_t data_room, int flags, ADDRESS_OUT address,
			      socklen_t *length)
{
	struct ps_caller *caller = shim_enter(fd);
	socklen_t room = caller ? shim_room(PLAIN(address), length) : 0;
	ssize_t result;

	if (!room)
		return real.recvfrom_chk(fd, data, size, data_room, flags, PLAIN(address), length);
	result = real.recvfrom_chk(fd, data, size, data_room, flags, PLAIN(address), length);
	if (result >= 0)
		route_in(caller, PLAIN(address), room, shim_length(length));
	return result;
}
