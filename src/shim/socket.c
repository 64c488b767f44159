#include <netinet/in.h>

#include <portshim/call.h>

#include "shim.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* To ask a socket for its protocol costs as much as a twentieth of a bind, and a process that never made any but TCP
 * sockets has no other (but for one that it inherited unbound, which nobody does). So it is noted here whether it did,
 * and whether there were raw ones among them, which may be TCP's or UDP's and have no ports. */
enum { ONLY_TCP, OTHERS, RAW = OTHERS | 2 };
static _Atomic unsigned char made;

static unsigned char kind_of(int domain, int type, int protocol)
{
	if (domain != AF_INET && domain != AF_INET6)
		return ONLY_TCP;
	if ((type & 0xf) == SOCK_RAW)
		return RAW;
	return (type & 0xf) != SOCK_STREAM || (protocol != 0 && protocol != IPPROTO_TCP && protocol != IPPROTO_MPTCP)
		       ? OTHERS
		       : ONLY_TCP;
}

EXPORT int socket(int domain, int type, int protocol)
{
	unsigned char kind = kind_of(domain, type, protocol);

	if (kind & ~atomic_load_explicit(&made, memory_order_relaxed))
		atomic_fetch_or_explicit(&made, kind, memory_order_relaxed);
	return real.socket(domain, type, protocol);
}

unsigned socket_protocol(int fd)
{
	unsigned char kind = atomic_load_explicit(&made, memory_order_relaxed);

	if (kind == ONLY_TCP)
		return PS_TCP;
	return kind == RAW && call_option(fd, SOL_SOCKET, SO_TYPE) == SOCK_RAW ? 0 : call_protocol(fd);
}
