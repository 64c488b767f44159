#include "call_connect.h"

int call_connect_again(struct ps_caller *caller, int fd, const struct sockaddr *address, socklen_t length,
		       const struct destination *was, int result)
{
	static const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
	uint16_t port = route_port(address, length);
	struct destination now;

	connect_decide(caller, fd, address, length, port, &now);
	if (now.route == was->route && connect_port(&now, port) == connect_port(was, port))
		return result;
	caller->calls->connect(caller, fd, &nobody, sizeof(nobody));
	return connect_go(caller, caller->calls, fd, address, length, &now);
}

int call_connect(struct ps_caller *caller, int fd, const struct sockaddr *address, socklen_t length)
{
	uint16_t port = route_port(address, length);

	return route_matters(caller->space, port) ? call_connect_by(caller, caller->calls, fd, address, length, port)
						  : caller->calls->connect(caller, fd, address, length);
}
