/*
 * call_connect.h - the decision about a connect, inline like call_bind.h.
 *
 * Theory of operation: where a connection goes is decided by records (route.c), and made by the kernel a moment
 * later. In between the port may change hands: a run yields it, or a server of another environment is the first to
 * have it. That moment can be long, for a busy machine delivers to itself when it comes to it. So the records are
 * looked at again when the connection stands or is on its way: a server's say whose it is before it listens, so
 * whoever has reached another environment's sees that now. The connection is given up then, before a byte went over
 * it, and the new decision counts. Left is a socket that does not block, and whose packet is delivered after that look:
 * its state is SYN_SENT then, where loopback else makes it ESTABLISHED or CLOSE before connect says EINPROGRESS. Under
 * load, that was seen about ten times in two million connections, in bursts, once for 12 ms. To wait for the delivery
 * would stop event loops wherever a server's queue is full, which looks the same.
 */
#ifndef PORTSHIM_CORE_CALL_CONNECT_H
#define PORTSHIM_CORE_CALL_CONNECT_H

#include <errno.h>

#include <portshim/call.h>
#include <portshim/registry.h>
#include <portshim/route.h>

struct destination {
	enum ps_route route;
	uint64_t before; /* the head of the caller's port */
	struct ps_address moved;
};

static inline void connect_decide(struct ps_caller *caller, int fd, const struct sockaddr *address, socklen_t length,
				  uint16_t port, struct destination *to)
{
	to->before = host_head(caller->space->host, port);
	to->route = route_out(caller, fd, address, length, port, &to->moved);
}

static inline int connect_go(struct ps_caller *caller, const struct ps_caller_calls *calls, int fd,
			     const struct sockaddr *address, socklen_t length, const struct destination *to)
{
	switch (to->route) {
	case PS_ROUTE_MOVED:
		return calls->connect(caller, fd, &to->moved.u.any, to->moved.length);
	case PS_ROUTE_REFUSED:
		return -ECONNREFUSED;
	default:
		return calls->connect(caller, fd, address, length);
	}
}

static inline uint16_t connect_port(const struct destination *to, uint16_t port)
{
	return to->route == PS_ROUTE_MOVED ? address_port(&to->moved) : port;
}

/* True if the port is another environment's, and was not when we decided. */
static inline bool changed_hands(const struct ps_space *space, const struct destination *to, uint16_t port)
{
	uint64_t head = host_head(space->host, connect_port(to, port));

	return head_state(head) >= PS_HELD && head_env(head) != space->envs[0] &&
	       (to->route == PS_ROUTE_MOVED || head != to->before) && !registry_sees(space, head_env(head));
}

/* It has: decides anew. `result`: of the connect, which stays where nothing else is decided. */
int call_connect_again(struct ps_caller *caller, int fd, const struct sockaddr *address, socklen_t length,
		       const struct destination *was, int result);

/* `port`: what route_port said of the address, and it matters (route_matters). */
static inline __attribute__((always_inline)) int call_connect_by(struct ps_caller *caller, const struct ps_caller_calls *calls,
								 int fd, const struct sockaddr *address, socklen_t length,
								 uint16_t port)
{
	struct destination to;
	int result;

	connect_decide(caller, fd, address, length, port, &to);
	result = connect_go(caller, calls, fd, address, length, &to);
	if ((result == 0 || result == -EINPROGRESS) && changed_hands(caller->space, &to, port))
		return call_connect_again(caller, fd, address, length, &to, result);
	return result;
}

#endif
