#include <netinet/in.h>

#include "shim.h"

#include "../core/sys.h"
#include <portshim/discovery.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

unsigned publish_protocol(int fd)
{
	int protocol = socket_option(fd, SOL_SOCKET, SO_PROTOCOL);

	/* Where a sandbox does not let it be asked, the type says nearly as much. */
	if (protocol < 0)
		protocol = socket_option(fd, SOL_SOCKET, SO_TYPE) == SOCK_DGRAM ? IPPROTO_UDP : IPPROTO_TCP;
	if (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP)
		return PS_TCP;
	return protocol == IPPROTO_UDP ? PS_UDP : 0;
}

bool publish_record(struct ps_space *space, int fd, const struct ps_address *address, unsigned protocol)
{
	int result;

	if (atomic_load(&space->run->flags) & PS_SCOPE_RETIRED)
		return false;
	result = registry_listen(space, address, kernel_socket_inode(fd), protocol);
	if (result < 0)
		shim_event(space, PS_EVENT_UNMAPPED, address_port(address), -result);
	return result > 0;
}

void publish_write(struct ps_space *space, uint16_t port)
{
	uint32_t undrawn = atomic_load(&space->env->undrawn);
	int error = discovery_write(space, port);

	/* Unless there is more to draw since. */
	atomic_compare_exchange_strong(&space->env->undrawn, &undrawn, undrawn >> 16 << 16 | undrawn >> 16);
	if (error)
		shim_event(space, error < 0 ? PS_EVENT_UNRECORDED : PS_EVENT_UNNAMED, port, error < 0 ? -error : error);
	space_poke(space->runtime, space->env->id);
	space_poke(space->runtime, space->run->id);
}
