#include "shim.h"

EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	struct ps_space *space = shim_enter(fd);
	socklen_t room;
	ssize_t result;

	if (!space || !readable(message, sizeof(*message)) || !message->msg_name)
		return real.recvmsg(fd, message, flags);
	room = message->msg_namelen;
	result = real.recvmsg(fd, message, flags);
	if (result >= 0)
		route_in(space, message->msg_name, room, message->msg_namelen);
	return result;
}
