#include "owner.h"

#include <portshim/process.h>

#include "holder.h"

#define HOLDERS 32
#define TRIES 4

/* The kernel has just confirmed a listener of the run on the port, and one port has one owner; so any process with a
 * socket there will do. A server of several addresses has several sockets, and a process is listed with one of them. */
static uint64_t living_holder(const struct ps_host *host, uint16_t port)
{
	struct ps_holder list[HOLDERS];
	int count = holder_list(port, host->record[port].protocols, list, HOLDERS);
	uint64_t owner = 0;

	for (int i = 0; i < count && !owner; i++) {
		owner = process_of(list[i].pid);
		if (!process_alive(owner))
			owner = 0;
	}
	return owner;
}

/* A keeper and a command may do so at once, and whom the one has found may be dead when the other looks. */
bool owner_renew_port(struct ps_host *host, uint16_t port)
{
	struct ps_record *record = &host->record[port];
	uint64_t owner = atomic_load(&record->owner);
	bool changed = false;

	for (int tries = 0; tries < TRIES && !process_alive(owner); tries++) {
		uint64_t next = living_holder(host, port);

		if (!next)
			break;
		changed |= atomic_compare_exchange_strong(&record->owner, &owner, next);
		owner = atomic_load(&record->owner);
	}
	return changed;
}

bool owner_renew(struct ps_host *host, const struct ps_scope *run, const struct ps_scope *env)
{
	bool changed = false;

	FOR_EACH_SET(port, env->actual) {
		uint64_t head = host_head(host, port);

		if (head_env(head) == env->id && head_state(head) == PS_LISTENING &&
		    host->record[port].run == run->id && !process_alive(atomic_load(&host->record[port].owner)))
			changed |= owner_renew_port(host, (uint16_t)port);
	}
	return changed;
}
