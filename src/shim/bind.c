#include "shim.h"

/* A requested port that this run has an assignment for: the kernel's verdict on the actual port is the verdict (law 3),
 * except when the port was lost to somebody outside of the run. */
static bool bind_again(struct ps_space *space, int fd, struct ps_address *a, uint16_t actual, int *result)
{
	address_set_port(a, actual);
	*result = real.bind(fd, &a->u.any, a->length);
	if (*result == 0) {
		if (socket_datagrams && publish_protocol(fd) == PS_UDP && publish_record(space, fd, a, PS_UDP))
			publish_write(space, actual);
		return true;
	}
	return errno != EADDRINUSE || !registry_lost(space, actual);
}

static int bind_inet(struct ps_space *space, int fd, struct ps_address *a)
{
	uint16_t requested = address_port(a);
	uint16_t actual = registry_own(space, requested);
	int result;

	if (actual && !(space->plan && plan_needs_subject(space->plan, requested))) {
		if (bind_again(space, fd, a, actual, &result))
			return result;
		address_set_port(a, requested);
	} else if (!actual && registry_is_own_actual(space, requested)) {
		return real.bind(fd, &a->u.any, a->length);
	}
	return assign(space, fd, a);
}

EXPORT int bind(int fd, ADDRESS_IN address, socklen_t length)
{
	struct ps_space *space = shim_enter(fd);
	struct ps_address a;

	if (!space || !route_port(PLAIN(address), length) || !address_copy(&a, PLAIN(address), length) ||
	    address_locality(&a) == PS_MULTICAST)
		return real.bind(fd, PLAIN(address), length);
	return bind_inet(space, fd, &a);
}
