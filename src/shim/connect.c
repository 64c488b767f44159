/*
 * Theory of operation: where a connection goes is decided by records (route.c), and made by the kernel a moment
 * later. In between the port may change hands: a run yields it, or a server of another environment is the first to
 * have it. That moment can be long, for a busy machine delivers to itself when it comes to it. So the records are
 * looked at again when the connection stands or is on its way: a server's say whose it is before it listens, so
 * whoever has reached another environment's sees that now. The connection is given up then, before a byte went over
 * it, and the new decision counts. Left is a socket that does not block, and whose packet is delivered after that look.
 */
#include "shim.h"

struct destination {
	enum ps_route route;
	uint64_t before; /* the head of the caller's port */
	struct ps_address moved;
};

static inline void decide(struct ps_caller *caller, int fd, const struct sockaddr *address, socklen_t length,
			  uint16_t port, struct destination *to)
{
	to->before = host_head(caller->space->host, port);
	to->route = route_out(caller, fd, address, length, port, &to->moved);
}

static inline int go(int fd, const struct sockaddr *address, socklen_t length, const struct destination *to)
{
	switch (to->route) {
	case PS_ROUTE_MOVED:
		return real.connect(fd, &to->moved.u.any, to->moved.length);
	case PS_ROUTE_REFUSED:
		return real_fail(ECONNREFUSED);
	default:
		return real.connect(fd, address, length);
	}
}

static inline uint16_t port_of(const struct destination *to, uint16_t port)
{
	return to->route == PS_ROUTE_MOVED ? address_port(&to->moved) : port;
}

/* True if the port is another environment's, and was not when we decided. */
static inline bool changed_hands(const struct ps_space *space, const struct destination *to, uint16_t port)
{
	uint64_t head = host_head(space->host, port_of(to, port));

	return head_state(head) >= PS_HELD && head_env(head) != space->envs[0] &&
	       (to->route == PS_ROUTE_MOVED || head != to->before) && !registry_sees(space, head_env(head));
}

static __attribute__((noinline)) int go_again(struct ps_caller *caller, int fd, const struct sockaddr *address,
					      socklen_t length, uint16_t port, const struct destination *was,
					      int result)
{
	static const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
	struct destination now;
	int saved;

	decide(caller, fd, address, length, port, &now);
	if (now.route == was->route && port_of(&now, port) == port_of(was, port))
		return result;
	saved = errno;
	real.connect(fd, &nobody, sizeof(nobody));
	errno = saved;
	return go(fd, address, length, &now);
}

static int connect_routed(int fd, const struct sockaddr *address, socklen_t length)
{
	struct ps_caller *caller = shim_enter(fd);
	uint16_t port = caller ? shim_port(address, length) : 0;
	struct destination to;
	int result;

	if (!port || !route_matters(caller->space, port))
		return real.connect(fd, address, length);
	decide(caller, fd, address, length, port, &to);
	result = go(fd, address, length, &to);
	if ((result == 0 || errno == EINPROGRESS) && changed_hands(caller->space, &to, port))
		return go_again(caller, fd, address, length, port, &to, result);
	return result;
}

EXPORT int connect(int fd, ADDRESS_IN address, socklen_t length)
{
	return connect_routed(fd, PLAIN(address), length);
}

/* glibc exports this alias (nm -D libc.so.6). */
EXPORT int __connect(int fd, ADDRESS_IN address, socklen_t length);
EXPORT int __connect(int fd, ADDRESS_IN address, socklen_t length)
{
	return connect_routed(fd, PLAIN(address), length);
}
