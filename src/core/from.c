/*
 * Theory of operation: services of other projects
 *
 * A manifest can say that a service is another project's ("from"). The launcher looks up that project's environment,
 * and the plan of the run carries, for each such service, the port that this project's programs ask for, and the
 * environment and requested port that it is there (struct ps_plan_from): one for each checkout of the other project,
 * the one that was used last first. The first of them whose server listens is meant. No more of the other environment
 * is opened: its scope is not in the chain, so nothing else of it is seen (law 9), and it need not exist when the run
 * starts.
 *
 * Where the service is now stands in the host table, as all assignments do. It is found by looking at the port itself,
 * then at those that were moved: a bitmap of a thousand words, in about a microsecond, and only for calls to these
 * ports.
 */
#include <portshim/registry.h>

static const struct ps_plan_from *entries(const struct ps_plan *plan)
{
	return (const void *)((const char *)plan + plan->from);
}

/* How good a candidate is: 0 for none; a listener is better, and the one that was there first. */
static uint64_t worth(const struct ps_space *space, const struct ps_plan_from *from, uint16_t port)
{
	uint64_t head = host_head(space->host, port);

	if (head_state(head) < PS_HELD || head_env(head) != from->env || head_requested(head) != from->requested)
		return 0;
	return (head_state(head) == PS_LISTENING ? UINT64_C(1) << 33 : UINT64_C(1) << 32) |
	       (uint32_t)~record_get(&space->host->record[port], since);
}

static uint16_t find(const struct ps_space *space, const struct ps_plan_from *from)
{
	uint64_t best = worth(space, from, from->requested);
	uint16_t found = best ? from->requested : 0;

	FOR_EACH_SET(port, space->host->moved) {
		uint64_t this = port == from->requested ? 0 : worth(space, from, (uint16_t)port);

		if (this > best) {
			best = this;
			found = (uint16_t)port;
		}
	}
	return found;
}

/* What comes back is translated only for ports with this bit. One that was not moved may have another number here. */
static uint16_t call_it(const struct ps_space *space, uint16_t actual, uint16_t port)
{
	if (actual && actual != port && !shared_bit(space->host->moved, actual))
		shared_set(space->host->moved, actual);
	return actual;
}

uint16_t registry_from(const struct ps_space *space, uint16_t port)
{
	const struct ps_plan *plan = space->plan;
	uint16_t held = 0;

	for (uint32_t i = 0; i < plan->from_count; i++) {
		const struct ps_plan_from *from = &entries(plan)[i];
		uint16_t found = from->port == port ? find(space, from) : 0;

		if (found && head_state(host_head(space->host, found)) == PS_LISTENING)
			return call_it(space, found, port);
		if (!held)
			held = found;
	}
	return call_it(space, held, port);
}

uint16_t registry_from_name(const struct ps_space *space, uint64_t head)
{
	const struct ps_plan *plan = space->plan;

	if (!plan || !(plan->flags & PS_PLAN_FROM) || head_state(head) < PS_HELD)
		return 0;
	for (uint32_t i = 0; i < plan->from_count; i++) {
		const struct ps_plan_from *from = &entries(plan)[i];

		if (from->env == head_env(head) && from->requested == head_requested(head))
			return from->port;
	}
	return 0;
}
