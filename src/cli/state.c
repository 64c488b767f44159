/*
 * state.c - reading the registry as an inventory, and the clearing away that comes before ("the next look").
 *
 * Theory of operation: nothing depends on a daemon, so whoever looks first clears away: listeners that are gone, then
 * runs that are over (leftover.c tells which), then records that belong to no run. Environments' files stay, because
 * they hold what is sticky; a private one goes with its last run. Who asks for one environment only looks at the runs
 * of that one: a run's file says in its first bytes which it is.
 *
 * Heads are read as portshim/host.h wants it: only where the bitmap says so, and the record is copied between two
 * reads of the head; a record whose head changed meanwhile is read again.
 *
 * Limits: from another network namespace the kernel's list of listeners is not the one that the table speaks of, so
 * nothing is cleared away there. Processes of another pid namespace look dead; their listeners still keep their runs.
 */
#include "state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <portshim/discovery.h>
#include <portshim/process.h>
#include <portshim/registry.h>

#include "../keeper/keeper.h"
#include "leftover.h"
#include "owner.h"
#include "refusal.h"

/* The environments to read; none means all. */
struct choice {
	const uint32_t *envs;
	unsigned count;
};

struct ids {
	uint32_t *list;
	size_t count, room;
};

static bool ids_add(struct ids *ids, uint32_t id)
{
	if (ids->count == ids->room) {
		size_t room = ids->room ? ids->room * 2 : 64;
		uint32_t *list = realloc(ids->list, room * sizeof(*list));

		if (!list)
			return false;
		ids->list = list;
		ids->room = room;
	}
	ids->list[ids->count++] = id;
	return true;
}

static int ids_compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* The id in a file name "run-XXXXXXXX" or "env-XXXXXXXX", else 0. */
static uint32_t file_id(const char *name, const char *prefix)
{
	char *end;
	unsigned long id;

	if (strncmp(name, prefix, 4) != 0 || strlen(name) != 12)
		return 0;
	id = strtoul(name + 4, &end, 16);
	return *end ? 0 : (uint32_t)id;
}

static bool chosen(const struct choice *choice, uint32_t env)
{
	for (unsigned i = 0; i < choice->count; i++)
		if (choice->envs[i] == env)
			return true;
	return choice->count == 0;
}

/* The same for the environment that a run's file names, without mapping the file. */
static bool chosen_run(const struct choice *choice, int directory, const char *name)
{
	uint32_t env = 0;
	int fd;

	if (choice->count == 0)
		return true;
	fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return false;
	if (pread(fd, &env, sizeof(env), offsetof(struct ps_scope, env)) != (ssize_t)sizeof(env))
		env = 0;
	close(fd);
	return env && chosen(choice, env);
}

/* Ids of the chosen runs (prefix "run-") or environments ("env-") that have a file. False if the directory cannot be
 * read.
 */
static bool ids_read(struct ids *ids, const char *runtime, const char *prefix, const struct choice *choice)
{
	DIR *directory = opendir(runtime);
	struct dirent *entry;
	bool ok = true;

	if (!directory)
		return false;
	while (ok && (entry = readdir(directory))) {
		uint32_t id = file_id(entry->d_name, prefix);

		if (id &&
		    (id & PS_ENV_BIT ? chosen(choice, id) : chosen_run(choice, dirfd(directory), entry->d_name)))
			ok = ids_add(ids, id);
	}
	closedir(directory);
	if (ids->count)
		qsort(ids->list, ids->count, sizeof(*ids->list), ids_compare);
	return ok;
}

/* Demotes what listens no more, in a run that may go on. */
static void sweep_run(const char *runtime, uint32_t id)
{
	char path[PS_RUNTIME_MAX + 16];
	struct ps_space space;

	space_scope_path(runtime, id, path);
	if (space_open(&space, path) < 0)
		return;
	tidy_look(&space);
	space_close(&space);
}

static bool ids_have(const struct ids *ids, uint32_t id)
{
	return ids->count && bsearch(&id, ids->list, ids->count, sizeof(*ids->list), ids_compare);
}

/* True for a claim of a run that has a file: its own sweep sees to it. A claim has a part of the run's id only. */
static bool is_claim_of_any(const struct ids *runs, uint64_t head)
{
	for (size_t i = 0; i < runs->count; i++)
		if (head_is_claim_of(head, head_env(head), runs->list[i]))
			return true;
	return false;
}

static bool is_dead_claim(const struct ps_host *host, const struct ids *runs, uint16_t port, uint64_t head)
{
	return head_state(head) == PS_CLAIMED && !is_claim_of_any(runs, head) &&
	       !process_alive(atomic_load(&host->record[port].owner));
}

static bool is_orphan(const struct ps_host *host, const struct ids *runs, uint16_t port, uint64_t head,
		      struct ps_assignment *a)
{
	return head_state(head) == PS_CLAIMED ? is_dead_claim(host, runs, port, head)
					      : state_record(a, host, port) && !ids_have(runs, a->run_id);
}

/* The list may be older than the run: what is a new one's is no orphan. A run's file is there before its first claim,
 * so a list that is made after the head was read has it. */
static bool is_orphan_now(const char *runtime, const struct ps_host *host, uint16_t port, uint64_t head,
			  struct ps_assignment *a)
{
	const struct choice all = {0};
	struct ids now = {0};
	bool orphan = ids_read(&now, runtime, "run-", &all) && is_orphan(host, &now, port, head, a);

	free(now.list);
	return orphan;
}

/* What the run's own sweep would do, if it had a file. */
static void sweep_orphan(struct ps_host *host, uint16_t port, uint64_t head, const struct ps_assignment *a)
{
	if (registry_listening(host, port)) {
		if (!a->alive && head_state(head) == PS_LISTENING)
			owner_renew_port(host, port);
		return;
	}
	if (a->alive && head_state(head) == PS_HELD)
		return;
	if (a->alive)
		record_set(&host->record[port], protocols, 0);
	registry_end(host, a->run_id, port, head,
		     a->alive ? head_make(head_env(head), head_requested(head), PS_HELD) : 0);
}

/* Records of runs whose file is gone, left by a crash between freeing the one and removing the other, or by a process
 * that went on when its run was cleared away. */
static void sweep_orphans(const char *runtime, struct ps_host *host, const struct ids *runs)
{
	FOR_EACH_SET(port, host->owned) {
		uint64_t head = host_head(host, (uint16_t)port);
		struct ps_assignment a;

		if (!head || !is_orphan(host, runs, (uint16_t)port, head, &a) ||
		    !is_orphan_now(runtime, host, (uint16_t)port, head, &a))
			continue;
		if (head_state(head) == PS_CLAIMED)
			atomic_compare_exchange_strong(&host->record[port].head, &head, 0);
		else
			sweep_orphan(host, (uint16_t)port, head, &a);
	}
}

/* The discovery files of environments that may have no run left that would see to them. */
static void redraw(const char *runtime, struct ps_host *host, const struct choice *choice)
{
	struct ids envs = {0};

	ids_read(&envs, runtime, "env-", choice);
	for (size_t i = 0; i < envs.count; i++) {
		struct ps_space space = {.host = host};

		if (space_open_scope(runtime, envs.list[i], &space.env) < 0)
			continue;
		snprintf(space.runtime, sizeof(space.runtime), "%s", runtime);
		if (discovery_outdated(host, space.env))
			tidy_redraw(&space);
		space_close_scope(space.env);
	}
	free(envs.list);
}

/* A private environment is gone when its last run is. */
static void sweep_private(const char *runtime, const struct ids *runs)
{
	const struct choice all = {0};
	struct ids envs = {0};
	size_t i, j;

	ids_read(&envs, runtime, "env-", &all);
	for (i = 0; i < envs.count; i++) {
		struct ps_scope *env, *run;
		bool used;

		if (space_open_scope(runtime, envs.list[i], &env) < 0)
			continue;
		used = !(env->flags & PS_SCOPE_PRIVATE);
		for (j = 0; !used && j < runs->count; j++) {
			if (space_open_scope(runtime, runs->list[j], &run) < 0)
				continue;
			used = run->env == env->id;
			space_close_scope(run);
		}
		/* One that was just made has no run yet, for a moment. */
		if (!used && env->created + 10 < (uint64_t)time(NULL)) {
			discovery_remove(env);
			space_unlink_scope(runtime, env->id);
		}
		space_close_scope(env);
	}
	free(envs.list);
}

static void sweep(const char *runtime, struct ps_host *host, const struct choice *choice)
{
	struct ids runs = {0}, left = {0};

	if (host->netns != kernel_netns(-1))
		goto out;
	if (!ids_read(&runs, runtime, "run-", choice))
		goto out;
	for (size_t i = 0; i < runs.count; i++)
		sweep_run(runtime, runs.list[i]);
	/* What is left in other environments is for those who look at them. */
	if (!choice->count) {
		leftover_sweep(runtime);
		if (!ids_read(&left, runtime, "run-", choice))
			goto out;
		sweep_orphans(runtime, host, &left);
		sweep_private(runtime, &left);
	}
	redraw(runtime, host, choice);
out:
	free(runs.list);
	free(left.list);
}

bool state_record(struct ps_assignment *a, const struct ps_host *host, uint16_t actual)
{
	for (unsigned tries = 0; tries < 100; tries++) {
		uint64_t head = host_head(host, actual);
		struct ps_record r;

		if (head_state(head) != PS_HELD && head_state(head) != PS_LISTENING)
			return false;
		memcpy(&r, &host->record[actual], sizeof(r));
		atomic_thread_fence(memory_order_acquire);
		if (host_head(host, actual) != head)
			continue;
		*a = (struct ps_assignment){
			.env_id = head_env(head),
			.run_id = r.run,
			.requested = head_requested(head),
			.actual = actual,
			.state = head_state(head),
			.reason = r.reason,
			.cause = r.cause,
			.protocols = r.protocols,
			.at = r.at,
			.owner = r.owner,
			.alive = process_alive(r.owner),
			.since = r.since,
		};
		memcpy(a->address, r.address, sizeof(a->address));
		snprintf(a->scheme, sizeof(a->scheme), "%.*s", (int)sizeof(r.scheme), r.scheme);
		snprintf(a->service, sizeof(a->service), "%.*s", (int)sizeof(r.service), r.service);
		return true;
	}
	return false;
}

static int scope_compare(const void *a, const void *b)
{
	const struct ps_scope *x = *(struct ps_scope *const *)a, *y = *(struct ps_scope *const *)b;

	return x->id < y->id ? -1 : x->id > y->id;
}

struct ps_scope *state_scope(const struct ps_state_now *state, uint32_t id)
{
	size_t low = 0, high = state->scope_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (state->scopes[middle]->id == id)
			return state->scopes[middle];
		if (state->scopes[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct ps_assignment *state_actual(const struct ps_state_now *state, uint16_t actual)
{
	for (size_t i = 0; i < state->count; i++)
		if (state->list[i].actual == actual)
			return &state->list[i];
	return NULL;
}

static bool read_scopes(struct ps_state_now *state, const struct choice *choice)
{
	struct ids ids = {0};
	bool ok = ids_read(&ids, state->runtime, "run-", choice) && ids_read(&ids, state->runtime, "env-", choice);

	if (ok && ids.count > 0)
		ok = (state->scopes = calloc(ids.count, sizeof(struct ps_scope *)));
	for (size_t i = 0; ok && i < ids.count; i++) {
		int error = space_open_scope(state->runtime, ids.list[i], &state->scopes[state->scope_count]);

		if (error == 0)
			state->scope_count++;
		else if (error != -ENOENT) /* not one that was removed meanwhile */
			refusal_say(state->runtime, ids.list[i], error);
	}
	if (state->scopes)
		qsort(state->scopes, state->scope_count, sizeof(struct ps_scope *), scope_compare);
	free(ids.list);
	return ok;
}

static int assignment_compare(const void *a, const void *b)
{
	const struct ps_assignment *x = a, *y = b;
	int names = strcmp(x->env ? x->env->name : "", y->env ? y->env->name : "");

	if (names)
		return names;
	if (x->env_id != y->env_id)
		return x->env_id < y->env_id ? -1 : 1;
	if (x->requested != y->requested)
		return x->requested < y->requested ? -1 : 1;
	if (x->first != y->first)
		return x->first ? -1 : 1;
	if (x->since != y->since)
		return x->since < y->since ? -1 : 1;
	return x->actual < y->actual ? -1 : x->actual > y->actual;
}

/* Kept for a run of which nothing is left, and which is only too young to be cleared away. */
static bool is_over(const struct ps_assignment *a)
{
	return a->state == PS_HELD && !a->alive && (!a->run || !process_alive(a->run->root));
}

static bool make_room(struct ps_state_now *state)
{
	size_t room = state->room ? state->room * 2 : 64;
	struct ps_assignment *list;

	if (state->count < state->room)
		return true;
	list = realloc(state->list, room * sizeof(*list));
	if (!list)
		return false;
	state->list = list;
	state->room = room;
	return true;
}

bool state_add(struct ps_state_now *state, const struct ps_assignment *a)
{
	size_t at = state->count;

	if (!make_room(state))
		return false;
	while (at > 0 && assignment_compare(a, &state->list[at - 1]) < 0) {
		state->list[at] = state->list[at - 1];
		at--;
	}
	state->list[at] = *a;
	state->count++;
	return true;
}

static bool read_assignments(struct ps_state_now *state, const struct choice *choice)
{
	FOR_EACH_SET(port, state->host->owned) {
		struct ps_assignment a;

		if (!chosen(choice, head_env(host_head(state->host, (uint16_t)port))) ||
		    !state_record(&a, state->host, (uint16_t)port))
			continue;
		a.env = state_scope(state, a.env_id);
		a.run = state_scope(state, a.run_id);
		if (is_over(&a))
			continue;
		if (a.env)
			a.first = scope_hint(a.env, a.requested) == a.actual;
		if (!make_room(state))
			return false;
		state->list[state->count++] = a;
	}
	if (state->count)
		qsort(state->list, state->count, sizeof(*state->list), assignment_compare);
	return true;
}

int state_read(struct ps_state_now *state, const uint32_t *envs, unsigned count, struct ps_error *error)
{
	const struct choice choice = {envs, count};
	int result;

	memset(state, 0, sizeof(*state));
	result = space_runtime(state->runtime, environ);
	if (result < 0)
		return refusal_runtime(error, PS_EXIT_SYSTEM, state->runtime, result);
	result = space_open_host(state->runtime, &state->host);
	if (result < 0)
		return refusal_registry(error, PS_EXIT_SYSTEM, state->runtime, 0, result);
	sweep(state->runtime, state->host, &choice);
	if (!read_scopes(state, &choice) || !read_assignments(state, &choice))
		return error_set(error, PS_EXIT_SYSTEM, "%s cannot be read: %s", state->runtime, strerror(errno));
	return 0;
}

void state_free(struct ps_state_now *state)
{
	for (size_t i = 0; i < state->scope_count; i++)
		space_close_scope(state->scopes[i]);
	free(state->scopes);
	free(state->list);
	free(state->made);
	/* The host table stays mapped: it is one per process, and the process is about to end. */
	memset(state, 0, sizeof(*state));
}
