/*
 * target.c - from the command line and the place where it is given to an environment, a service, an assignment.
 *
 * Theory of operation: names are looked up in the plan, inside a run as outside, because a run may have been started
 * with another manifest than the one found here. Which of several assignments of one port is meant follows what a
 * client would reach (law 8): the own run's, then the environment's first, then those of the environments around it.
 */
#include "target.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../known/known.h"
#include "refusal.h"

/* Inside a run. False if its file is gone or of another version: then the command works as outside. */
static bool open_run(struct ps_target *t, const struct ps_project_options *o)
{
	const char *path = getenv("PORTSHIM_RUN");

	if (!path || !path[0] || o->env || o->profile || o->manifest)
		return false;
	return space_open(&t->space, path) == 0;
}

static int compile(struct ps_target *t, struct ps_error *error)
{
	if (!t->project.manifest)
		return 0;
	known_follow(t->project.manifest, t->project.profile, t->runtime, true);
	t->compiled = manifest_compile(t->project.manifest, NULL);
	if (!t->compiled)
		return error_set(error, PS_EXIT_SYSTEM, "out of memory");
	t->plan = t->compiled;
	return 0;
}

static int compare_names(const void *a, const void *b, void *context)
{
	const struct ps_plan *plan = context;

	return strcmp(plan_string(plan, plan_service(plan, *(const uint16_t *)a)->name),
		      plan_string(plan, plan_service(plan, *(const uint16_t *)b)->name));
}

/* Commands may look up each of 10,000 services. */
static int sort_names(struct ps_target *t, struct ps_error *error)
{
	uint32_t count = t->plan ? t->plan->service_count : 0;

	t->by_name = calloc(count + 1, sizeof(*t->by_name));
	if (!t->by_name)
		return error_set(error, PS_EXIT_SYSTEM, "out of memory");
	for (uint32_t i = 0; i < count; i++)
		t->by_name[i] = (uint16_t)i;
	qsort_r(t->by_name, count, sizeof(*t->by_name), compare_names, (void *)(uintptr_t)t->plan);
	return 0;
}

/* The index of a service in the plan, or PS_NO_SERVICE. */
static uint16_t find_name(const struct ps_target *t, const char *name)
{
	uint32_t low = 0, high = t->plan ? t->plan->service_count : 0;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = strcmp(plan_string(t->plan, plan_service(t->plan, t->by_name[middle])->name), name);

		if (order == 0)
			return t->by_name[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return PS_NO_SERVICE;
}

int target_open(struct ps_target *t, const struct ps_project_options *o, struct ps_error *error)
{
	struct ps_error ignored = {0};
	int result;

	memset(t, 0, sizeof(*t));
	result = space_runtime(t->runtime, environ);
	if (result < 0)
		return refusal_runtime(error, PS_EXIT_SYSTEM, t->runtime, result);
	t->in_run = open_run(t, o);
	if (t->in_run) {
		/* The manifest found here is a help only: a broken one does not matter to those who are inside. */
		if (project_find(&t->project, o, &ignored))
			memset(&t->project, 0, sizeof(t->project));
		memcpy(t->runtime, t->space.runtime, sizeof(t->runtime));
		t->plan = t->space.plan;
		t->env = t->space.env->id;
		t->name = t->space.env->name;
		t->directory = t->space.env->directory;
	} else {
		result = project_find(&t->project, o, error);
		if (!result)
			result = compile(t, error);
		if (result)
			return result;
		t->env = space_env_id(t->runtime, t->project.key);
		t->name = t->project.name;
		t->directory = t->project.directory;
	}
	t->manifest = t->project.manifest ? t->project.manifest->path : "";
	return sort_names(t, error);
}

void target_close(struct ps_target *t)
{
	if (t->in_run)
		space_close(&t->space);
	project_free(&t->project);
	free(t->compiled);
	free(t->by_name);
	memset(t, 0, sizeof(*t));
}

/* The service whose port this one has: the end of its chain of "inherit". The plan was checked: the chain may still
 * be circular in a file made by hand, so it is followed only as often as there are services. */
static uint16_t root_of(const struct ps_plan *plan, uint16_t index)
{
	for (uint32_t i = 0; i < plan->service_count; i++) {
		const struct ps_service *s = plan_service(plan, index);

		if (s->inherits == PS_NO_SERVICE)
			break;
		index = s->inherits;
	}
	return index;
}

static const struct ps_plan_from *from_entries(const struct ps_plan *plan)
{
	return (const void *)((const char *)plan + plan->from);
}

static void describe(const struct ps_plan *plan, uint16_t index, struct ps_wanted *w)
{
	uint16_t root = root_of(plan, index);
	const struct ps_service *s = plan_service(plan, root);

	w->index = root;
	w->external = s->flags & PS_SERVICE_EXTERNAL;
	snprintf(w->name, sizeof(w->name), "%s", plan_string(plan, s->name));
	snprintf(w->scheme, sizeof(w->scheme), "%s", plan_string(plan, plan_service(plan, index)->scheme));
	if (!w->port && s->port_count)
		w->port = plan_ports(plan, s)[0];
	for (uint32_t i = 0; i < plan->from_count; i++) {
		if (from_entries(plan)[i].port != w->port)
			continue;
		w->from = w->from ? w->from : &from_entries(plan)[i];
		w->from_count = (uint32_t)(&from_entries(plan)[i] - w->from) + 1;
	}
}

/* 1: a number that is a port; 0: no number; -1: a number that is none. */
static int parse_port(const char *text, uint16_t *port)
{
	unsigned long n;

	if (!text[0] || text[strspn(text, "0123456789")])
		return 0;
	n = strlen(text) > 5 ? 0 : strtoul(text, NULL, 10);
	if (n < 1 || n > 65535)
		return -1;
	*port = (uint16_t)n;
	return 1;
}

static int no_service(const struct ps_target *t, const char *text, struct ps_error *error)
{
	uint32_t count = t->plan ? t->plan->service_count : 0;
	const char **names = calloc(count + 1, sizeof(*names)), *near = NULL;

	for (uint32_t i = 0; names && i < count; i++)
		names[i] = plan_string(t->plan, plan_service(t->plan, (uint16_t)i)->name);
	if (names)
		near = error_suggest(text, names, count);
	if (t->plan)
		error_set(error, PS_EXIT_USAGE, "there is no service `%s`%s%s", text, t->manifest[0] ? " in " : "",
			  t->manifest);
	else
		error_set(error, PS_EXIT_USAGE, "there is no service `%s`, and no manifest that could declare one",
			  text);
	if (near)
		error_hint(error, "did you mean `%s`?", near);
	else
		error_hint(error, "a requested port, like 3000, names a service as well");
	free(names);
	return error->code;
}

/* A service that is running although no manifest declares it (any more). */
static bool recorded(const struct ps_target *t, const struct ps_state_now *state, const char *text)
{
	for (size_t i = 0; state && i < state->count; i++)
		if (target_sees(t, state->list[i].env_id) && strcmp(state->list[i].service, text) == 0)
			return true;
	return false;
}

int target_wanted(const struct ps_target *t, const struct ps_state_now *state, const char *text, struct ps_wanted *w,
		  struct ps_error *error)
{
	const struct ps_plan_port *first;
	uint16_t index;
	int number;

	memset(w, 0, sizeof(*w));
	w->text = text;
	w->index = PS_NO_SERVICE;
	/* A manifest may call a service "3000", but then it had better be on 3000. */
	number = parse_port(text, &w->port);
	if (number < 0)
		return error_set(error, PS_EXIT_USAGE, "`%s` is not a port: they go from 1 to 65535", text);
	if (number) {
		w->by_number = true;
		if (t->plan && plan_find(t->plan, w->port, &first))
			describe(t->plan, first->service, w);
		return 0;
	}
	index = find_name(t, text);
	if (index != PS_NO_SERVICE) {
		describe(t->plan, index, w);
		return 0;
	}
	if (!recorded(t, state, text))
		return no_service(t, text, error);
	snprintf(w->name, sizeof(w->name), "%s", text);
	return 0;
}

static bool declares(const struct ps_plan *plan, uint16_t index, uint16_t port)
{
	const struct ps_service *s = plan_service(plan, index);

	for (uint16_t i = 0; i < s->port_count; i++)
		if (plan_ports(plan, s)[i] == port)
			return true;
	return false;
}

/* A TCP server is not the UDP service of the same number. */
static bool serves(const struct ps_plan *plan, uint16_t index, uint8_t protocols)
{
	uint8_t wanted = plan_service(plan, index)->protocols;

	return !wanted || !protocols || wanted & protocols;
}

bool target_matches(const struct ps_target *t, const struct ps_wanted *w, const struct ps_assignment *a)
{
	if (w->by_number)
		return a->requested == w->port;
	if (a->service[0])
		return strcmp(a->service, w->name) == 0;
	/* Started without the manifest, or before the service was declared. */
	return t->plan && w->index != PS_NO_SERVICE && declares(t->plan, w->index, a->requested) &&
	       serves(t->plan, w->index, a->protocols);
}

/* Which of the sources the assignment is; from_count for none. */
static uint32_t source(const struct ps_wanted *w, const struct ps_assignment *a)
{
	uint32_t i = 0;

	while (i < w->from_count && (w->from[i].port != w->port || w->from[i].env != a->env_id ||
				     w->from[i].requested != a->requested))
		i++;
	return i;
}

bool target_follows(const struct ps_wanted *w, const struct ps_assignment *a)
{
	return source(w, a) < w->from_count;
}

bool target_from(const struct ps_wanted *w, uint32_t env)
{
	for (uint32_t i = 0; i < w->from_count; i++)
		if (w->from[i].port == w->port && w->from[i].env == env)
			return true;
	return false;
}

bool target_sees(const struct ps_target *t, uint32_t env)
{
	if (!t->in_run)
		return env == t->env;
	for (uint32_t i = 0; i < t->space.env_count; i++)
		if (t->space.envs[i] == env)
			return true;
	return false;
}

int target_state(const struct ps_target *t, struct ps_state_now *state, struct ps_error *error)
{
	const uint32_t *seen = t->in_run ? t->space.envs : &t->env;
	uint32_t count = t->in_run ? t->space.env_count : 1, more = t->plan ? t->plan->from_count : 0, *envs;
	int code;

	if (!more)
		return state_read(state, seen, count, error);
	envs = calloc(count + more, sizeof(*envs));
	if (!envs)
		return error_set(error, PS_EXIT_SYSTEM, "out of memory");
	memcpy(envs, seen, count * sizeof(*envs));
	for (uint32_t i = 0; i < more; i++)
		envs[count + i] = from_entries(t->plan)[i].env;
	code = state_read(state, envs, count + more, error);
	free(envs);
	return code;
}

/* How near an assignment is to a client here; less is nearer. */
static uint64_t rank(const struct ps_target *t, const struct ps_wanted *w, const struct ps_assignment *a)
{
	unsigned outside = 0;

	if (t->in_run && a->run_id == t->space.run->id)
		return a->state == PS_LISTENING ? 0 : 1;
	if (!target_sees(t, a->env_id)) /* another project's: the farthest; a listener, then the best checkout */
		return (UINT64_C(1) << 48) + (a->state == PS_LISTENING ? 0 : UINT64_C(1) << 40) +
		       (uint64_t)source(w, a) * 2 + !a->first;
	while (t->in_run && outside < t->space.env_count && t->space.envs[outside] != a->env_id)
		outside++;
	return 2 + outside * 3 + (a->first ? 0 : a->state == PS_LISTENING ? 1 : 2);
}

const struct ps_assignment *target_find(const struct ps_target *t, const struct ps_state_now *state,
					const struct ps_wanted *w)
{
	const struct ps_assignment *best = NULL;

	for (size_t i = 0; i < state->count; i++) {
		const struct ps_assignment *a = &state->list[i];

		if (!target_follows(w, a) && (!target_sees(t, a->env_id) || !target_matches(t, w, a)))
			continue;
		if (!best || rank(t, w, a) < rank(t, w, best))
			best = a;
	}
	return best;
}

const char *target_scheme(const struct ps_wanted *w, const struct ps_assignment *a)
{
	if (w->scheme[0])
		return w->scheme;
	return a ? a->scheme : "";
}
