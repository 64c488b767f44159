#include <portshim/call.h>

#include "shim.h"

/* libc picks a privileged port and binds it without coming back through bind(). The program asked for no number, so
 * there is nothing to move; a UDP socket is recorded here, a TCP one when it listens. */
EXPORT int bindresvport(int fd, struct sockaddr_in *address);
EXPORT int bindresvport(int fd, struct sockaddr_in *address)
{
	struct ps_caller *caller = shim_enter(fd);
	int result = real.bindresvport(fd, address);

	if (result == 0 && caller)
		call_bound(caller, fd);
	return result;
}
