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

/* True if a server is recorded that would write this file: those of a private environment write none. */
static bool is_served(const struct ps_space *space, const char *path)
{
	if (space->env->flags & PS_SCOPE_PRIVATE)
		return false;
	FOR_EACH_SET(port, space->env->actual) {
		uint64_t head = host_head(space->host, port);

		if (head_env(head) == space->env->id && head_state(head) == PS_LISTENING &&
		    strcmp(discovery_service_path(space, (uint16_t)port), path) == 0)
			return true;
	}
	return false;
}

/* True if the own file of a service names a server of somebody's, or if there is no file and needs none. */
static bool is_current(const struct ps_space *space, uint32_t service)
{
	const char *path = plan_string(space->plan, plan_service(space->plan, (uint16_t)service)->discovery);

	if (!*path)
		return true;
	return access(path, F_OK) == 0 ? discovery_named(space->host, path) != 0 : !is_served(space, path);
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

/* The services' own files: one that names nobody is taken away, and goes to the next server of the service, if there is
 * one. A writer may have been killed when it had drawn the environment's file and not yet the service's. Who publishes
 * writes under the same lock, after its record says so: its files are never taken away. */
static void tidy_services(struct ps_space *space)
{
	bool outdated = false;

	for (uint32_t i = 0; space->plan && i < space->plan->service_count; i++) {
		discovery_remove_unfinished(space, (uint16_t)i);
		if (is_current(space, i))
			continue;
		discovery_remove_service(space, (uint16_t)i);
		outdated = true;
	}
	if (outdated)
		write_services(space, 0, true);
}

static bool services_outdated(const struct ps_space *space)
{
	for (uint32_t i = 0; space->plan && i < space->plan->service_count; i++)
		if (!is_current(space, i))
			return true;
	return false;
}

/* Without the lock (its owner is stopped) nothing is removed: the next look will. */
static void tidy_files(struct ps_space *space)
{
	struct ps_lock_guard guard;

	if (!lock_enter(&space->env->lock, &guard))
		return;
	tidy_services(space);
	if (!has_record(space, 0, PS_LISTENING))
		discovery_remove(space->env);
	lock_leave(&space->env->lock, &guard);
}

void tidy_redraw(struct ps_space *space)
{
	tidy_files(space);
	if (has_record(space, 0, PS_LISTENING))
		discovery_write(space, 0);
	space_poke(space->runtime, space->env);
}

int tidy_draw(struct ps_space *space, uint16_t port)
{
	uint64_t head = host_head(space->host, port);

	/* Who is gone meanwhile is in nobody's file: that is the next look's. */
	if (head_state(head) != PS_LISTENING || head_env(head) != space->env->id)
		return 0;
	return discovery_write(space, port);
}

/* Makes the run's records true again; true if the environment's file does not show what it has. */
static bool look(struct ps_space *space, bool over)
{
	registry_sweep(space->host, space->run, space->env, over);
	owner_renew(space->host, space->run, space->env);
	return discovery_outdated(space->host, space->env);
}

void tidy_look(struct ps_space *space)
{
	if (look(space, false))
		tidy_redraw(space);
	else if (services_outdated(space)) /* nobody is poked: who cannot write them would wake himself for ever */
		tidy_files(space);
}

void tidy_sweep(struct ps_keeper *keeper)
{
	struct ps_space *space = keeper->space;

	keeper->reaped = false;
	if (keeper->recorded)
		tidy_look(space);
}

void tidy_beat(struct ps_keeper *keeper)
{
	struct ps_space *space = keeper->space;
	struct ps_lock_guard guard;
	bool locked;

	if (!keeper->recorded)
		return;
	tidy_look(space);
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
