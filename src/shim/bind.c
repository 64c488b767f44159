#include "caller.h"

#include "../core/call_bind.h"

EXPORT int bind(int fd, ADDRESS_IN address, socklen_t length)
{
	struct ps_caller *caller = shim_enter(fd);

	if (!caller || !shim_port_or_unspec(PLAIN(address), length))
		return real.bind(fd, PLAIN(address), length);
	return real_result(call_bind_by(caller, &own_calls, fd, PLAIN(address), length));
}
