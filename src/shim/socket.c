#include "shim.h"

_Atomic bool socket_datagrams;

/* To ask a socket for its protocol costs as much as a twentieth of a bind, and a process that never made a datagram socket
 * has none (but for one that it inherited unbound, which nobody does). So it is noted here whether it did. */
EXPORT int socket(int domain, int type, int protocol)
{
	if ((domain == AF_INET || domain == AF_INET6) && (type & 0xf) == SOCK_DGRAM &&
	    !atomic_load_explicit(&socket_datagrams, memory_order_relaxed))
		atomic_store_explicit(&socket_datagrams, true, memory_order_relaxed);
	return real.socket(domain, type, protocol);
}
