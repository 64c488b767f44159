#include <netinet/in.h>

#include <portshim/call.h>

#include "shim.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* To ask a socket for its protocol costs as much as a twentieth of a bind, and a process that never made any but TCP
 * sockets has no other (but for one that it inherited unbound, which nobody does). So it is noted here whether it did. */
static _Atomic bool others;

static bool is_other(int domain, int type, int protocol)
{
	if (domain != AF_INET && domain != AF_INET6)
		return false;
	return (type & 0xf) != SOCK_STREAM || (protocol != 0 && protocol != IPPROTO_TCP && protocol != IPPROTO_MPTCP);
}

EXPORT int socket(int domain, int type, int protocol)
{
	if (is_other(domain, type, protocol) && !atomic_load_explicit(&others, memory_order_relaxed))
		atomic_store_explicit(&others, true, memory_order_relaxed);
	return real.socket(domain, type, protocol);
}

unsigned socket_protocol(int fd)
{
	return atomic_load_explicit(&others, memory_order_relaxed) ? call_protocol(fd) : PS_TCP;
}
