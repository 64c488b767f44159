#include <portshim/discovery.h>

#include "publish.h"

bool publish_record(struct ps_caller *caller, int fd, const struct ps_address *address, unsigned protocol)
{
	struct ps_space *space = caller->space;
	int result;

	if (atomic_load(&space->run->flags) & PS_SCOPE_RETIRED)
		return false;
	result = registry_listen(space, address, kernel_socket_inode(fd), protocol, caller->identity);
	if (result < 0)
		caller->calls->event(caller, PS_EVENT_UNMAPPED, address_port(address), -result);
	return result > 0;
}

void publish_write(struct ps_caller *caller, uint16_t port)
{
	struct ps_space *space = caller->space;
	uint32_t undrawn = atomic_load(&space->env->undrawn);
	int error = discovery_write(space, port);

	/* Unless there is more to draw since. */
	atomic_compare_exchange_strong(&space->env->undrawn, &undrawn, undrawn >> 16 << 16 | undrawn >> 16);
	if (error)
		caller->calls->event(caller, error < 0 ? PS_EVENT_UNRECORDED : PS_EVENT_UNNAMED, port,
				     error < 0 ? -error : error);
	space_poke(space->runtime, space->env);
	space_poke(space->runtime, space->run);
}
