#include "shim.h"

EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
	struct ps_caller *caller = shim_enter(fd);
	socklen_t room;
	ssize_t result;

	if (!caller || !readable(message, sizeof(*message)) || !message->msg_name)
		return real.recvmsg(fd, message, flags);
	room = message->msg_namelen;
	result = real.recvmsg(fd, message, flags);
	if (result >= 0)
		route_in(caller, message->msg_name, room, message->msg_namelen);
	return result;
}
