#include <netinet/in.h>

#include <portshim/call.h>

#include "shim.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

/* To ask a socket for its protocol costs as much as a twentieth of a bind, and a process that never made any but TCP
 * sockets has no other (but for one that it inherited unbound, which nobody does). So it is noted here whether it did,
 * and whether there were any that have no ports, or ports of their own: raw ones, UDP-Lite, SCTP, ping (ICMP). */
enum kind { KIND_TCP, KIND_UDP, KIND_STRANGER };
static _Atomic bool others;

static enum kind kind_of(int type, int protocol)
{
	switch (type & 0xf) {
	case SOCK_STREAM:
		return protocol == 0 || protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP ? KIND_TCP : KIND_STRANGER;
	case SOCK_DGRAM:
		return protocol == 0 || protocol == IPPROTO_UDP ? KIND_UDP : KIND_STRANGER;
	default:
		return KIND_STRANGER;
	}
}

EXPORT int socket(int domain, int type, int protocol)
{
	int fd = real.socket(domain, type, protocol);
	enum kind kind;

	if (fd < 0 || (domain != AF_INET && domain != AF_INET6))
		return fd;
	kind = kind_of(type, protocol);
	if (kind != KIND_TCP && !atomic_load_explicit(&others, memory_order_relaxed))
		atomic_store_explicit(&others, true, memory_order_relaxed);
	if (kind == KIND_STRANGER)
		shim_mingle();
	return fd;
}

unsigned socket_protocol(int fd)
{
	return atomic_load_explicit(&others, memory_order_relaxed) ? call_protocol(fd) : PS_TCP;
}
