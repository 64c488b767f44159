#include "owner.h"

#include <portshim/process.h>

#include "holder.h"

#define HOLDERS 32

/* The kernel has just confirmed a listener of the run on the port, and one port has one owner; so any process with a socket
 * there will do. A server of several addresses has several sockets, and a process is listed with one of them. */
bool owner_renew_port(struct ps_host *host, uint16_t port)
{
	struct ps_record *record = &host->record[port];
	struct ps_holder list[HOLDERS];
	int count = holder_list(port, record->protocols, list, HOLDERS);

	for (int i = 0; i < count; i++) {
		uint64_t owner = process_of(list[i].pid);

		if (owner) {
			atomic_store(&record->owner, owner);
			return true;
		}
	}
	return false;
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
