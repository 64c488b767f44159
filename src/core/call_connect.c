/*
 * Theory of operation: where a connection goes is decided by records (route.c), and made by the kernel a moment
 * later. In between the port may change hands: a run yields it, or a server of another environment is the first to
 * have it. That moment can be long, for a busy machine delivers to itself when it comes to it. So the records are
 * looked at again when the connection stands or is on its way: a server's say whose it is before it listens, so
 * whoever has reached another environment's sees that now. The connection is given up then, before a byte went over
 * it, and the new decision counts. Left is a socket that does not block, and whose packet is delivered after that look.
 */
#include <errno.h>

#include <portshim/call.h>
#include <portshim/registry.h>
#include <portshim/route.h>

/* What the program said. */
struct request {
	int fd;
	socklen_t length;
	const struct sockaddr *address;
	uint16_t port;
};

struct destination {
	enum ps_route route;
	uint64_t before; /* the head of the caller's port */
	struct ps_address moved;
};

static inline void decide(struct ps_caller *caller, const struct request *r, struct destination *to)
{
	to->before = host_head(caller->space->host, r->port);
	to->route = route_out(caller, r->fd, r->address, r->length, r->port, &to->moved);
}

static inline int go(struct ps_caller *caller, const struct request *r, const struct destination *to)
{
	switch (to->route) {
	case PS_ROUTE_MOVED:
		return caller->calls->connect(caller, r->fd, &to->moved.u.any, to->moved.length);
	case PS_ROUTE_REFUSED:
		return -ECONNREFUSED;
	default:
		return caller->calls->connect(caller, r->fd, r->address, r->length);
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

static __attribute__((noinline)) int go_again(struct ps_caller *caller, const struct request *r,
					      const struct destination *was, int result)
{
	static const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
	struct destination now;

	decide(caller, r, &now);
	if (now.route == was->route && port_of(&now, r->port) == port_of(was, r->port))
		return result;
	caller->calls->connect(caller, r->fd, &nobody, sizeof(nobody));
	return go(caller, r, &now);
}

int call_connect(struct ps_caller *caller, int fd, const struct sockaddr *address, socklen_t length)
{
	struct request r = {.fd = fd, .length = length, .address = address, .port = route_port(address, length)};
	struct destination to;
	int result;

	if (!route_matters(caller->space, r.port))
		return caller->calls->connect(caller, fd, address, length);
	decide(caller, &r, &to);
	result = go(caller, &r, &to);
	if ((result == 0 || result == -EINPROGRESS) && changed_hands(caller->space, &to, r.port))
		return go_again(caller, &r, &to, result);
	return result;
}
