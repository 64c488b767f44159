#include <netinet/in.h>
#include <string.h>

#include <portshim/call.h>

#include "sys.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

int call_option(int fd, int level, int name)
{
	int value = -1;
	socklen_t length = sizeof(value);

	return sys5(SYS_getsockopt, fd, level, name, &value, &length) == 0 ? value : -1;
}

unsigned call_protocol(int fd)
{
	int protocol = call_option(fd, SOL_SOCKET, SO_PROTOCOL);

	/* Where a sandbox does not let it be asked, the type says nearly as much. */
	if (protocol < 0)
		protocol = call_option(fd, SOL_SOCKET, SO_TYPE) == SOCK_DGRAM ? IPPROTO_UDP : IPPROTO_TCP;
	if (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP)
		return PS_TCP;
	return protocol == IPPROTO_UDP ? PS_UDP : 0;
}

unsigned call_protocol_but_raw(int fd)
{
	return call_option(fd, SOL_SOCKET, SO_TYPE) == SOCK_RAW ? 0 : call_protocol(fd);
}

int call_local(const struct ps_caller *caller, int fd, struct ps_address *local)
{
	socklen_t length = sizeof(local->u);
	long error;

	memset(&local->u, 0, sizeof(struct sockaddr_in6));
	local->length = 0;
	error = sys_marked3(caller->space->run->pass, SYS_getsockname, fd, &local->u, &length);
	if (error)
		return (int)error;
	local->length = length;
	return local->u.any.sa_family == AF_INET || local->u.any.sa_family == AF_INET6 ? 0 : -EAFNOSUPPORT;
}
