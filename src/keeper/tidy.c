/*
 * tidy.c - the records and files of a run while it goes on, and at its end.
 *
 * Theory of operation: what a run has recorded is true for as long as its listeners live. Each time a process of the
 * run ends the kernel is asked about the run's listeners; the records of those that are gone are demoted, and the
 * discovery file is drawn again. As long as one is recorded, the file's timestamps are renewed at every heartbeat.
 *
 * At the end there are two cases. Usually no process of the run is left (we are the subreaper: without a child there is
 * no descendant), so everything of it goes: records, run file, a private environment, the services' own files, and the
 * discovery file when it would be empty. Else something went into the background: it keeps its records and
 * its run, as it would without a keeper, and the next look of any command clears away after it.
 */
#include "keeper.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <portshim/discovery.h>
#include <portshim/registry.h>

#include "../cli/owner.h"

/* True if the environment (or with `run`, one run of it) has a record in this state or a better one. */
static bool has_record(const struct ps_space *space, uint32_t run, enum ps_state least)
{
	FOR_EACH_SET(port, space->env->actual) {
		uint64_t head = host_head(space->host, port);

		if (head_env(head) == space->env->id && head_state(head) >= least &&
		    (!run || space->host->record[port].run == run))
			return true;
	}
	return false;
}

/* True if a service's own file names a port that is recorded as listening, in whatever environment: then it is somebody's. */
static bool is_current(const struct ps_space *space, const char *path)
{
	return access(path, F_OK) != 0 || head_state(host_head(space->host, discovery_named(path))) == PS_LISTENING;
}

static void write_services(struct ps_space *space, uint32_t run, bool locked)
{
	FOR_EACH_SET(port, space->env->actual) {
		uint64_t head = host_head(space->host, port);

		if (head_env(head) == space->env->id && head_state(head) == PS_LISTENING &&
		    (!run || space->host->record[port].run == run))
			discovery_write_service(space, (uint16_t)port, locked);
	}
}

/* Who publishes writes under the same lock, after its record says so: its files are never taken away. Without the lock (its
 * owner is stopped) nothing is: the next look will. A file that is taken away goes to the next server of the service, if there
 * is one. */
static void remove_outdated(struct ps_space *space)
{
	struct ps_lock_guard guard;
	bool removed = false;

	if (!lock_enter(&space->env->lock, &guard))
		return;
	for (uint32_t i = 0; space->plan && i < space->plan->service_count; i++) {
		uint32_t path = plan_service(space->plan, (uint16_t)i)->discovery;

		if (path && !is_current(space, plan_string(space->plan, path))) {
			discovery_remove_service(space, (uint16_t)i);
			removed = true;
		}
	}
	if (removed)
		write_services(space, 0, true);
	if (!has_record(space, 0, PS_LISTENING))
		discovery_remove(space->env);
	lock_leave(&space->env->lock, &guard);
}

void tidy_redraw(struct ps_space *space)
{
	remove_outdated(space);
	if (has_record(space, 0, PS_LISTENING))
		discovery_write(space, 0);
	space_poke(space->runtime, space->env->id);
}

/* Makes the run's records true again; true if the files do not show what the environment has. */
static bool look(struct ps_space *space, bool over)
{
	registry_sweep(space->host, space->run, space->env, over);
	owner_renew(space->host, space->run, space->env);
	return discovery_outdated(space->host, space->env);
}

void tidy_sweep(struct ps_keeper *keeper)
{
	struct ps_space *space = keeper->space;

	keeper->reaped = false;
	if (keeper->recorded && look(space, false))
		tidy_redraw(space);
}

void tidy_beat(struct ps_keeper *keeper)
{
	struct ps_space *space = keeper->space;
	struct ps_lock_guard guard;
	bool locked;

	if (!keeper->recorded)
		return;
	if (look(space, false))
		tidy_redraw(space);
	if (!has_record(space, space->run->id, PS_LISTENING))
		return;
	discovery_write(space, 0);
	locked = lock_enter(&space->env->lock, &guard);
	write_services(space, space->run->id, locked);
	if (locked)
		lock_leave(&space->env->lock, &guard);
}

void tidy_end(struct ps_keeper *keeper)
{
	struct ps_space *space = keeper->space;
	bool private = space->env->flags & PS_SCOPE_PRIVATE;
	bool changed = look(space, keeper->alone);
	bool over = keeper->alone && !has_record(space, space->run->id, PS_CLAIMED);

	if (!over)
		atomic_fetch_and(&space->run->flags, ~PS_SCOPE_KEPT);
	else
		atomic_fetch_or(&space->run->flags, PS_SCOPE_RETIRED);
	if (changed || keeper->ever)
		tidy_redraw(space);
	if (!over)
		return;
	space_unlink_scope(space->runtime, space->run->id);
	/* The run that made a private environment is the one that has it first in its chain; others live inside
	 * that run. */
	if (private && space->run->chain[0] == space->env->id) {
		discovery_remove(space->env);
		space_unlink_scope(space->runtime, space->env->id);
	}
}
