/*
 * detected.c - servers of a project that run without portshim.
 *
 * Theory of operation: first the plan says which ports are of interest: those of services for which nothing is
 * assigned. The kernel's list of listeners, read once, says which of them somebody has who is in no record; mostly
 * nobody has, and that was all. Only then the processes behind those few ports are looked for, and one whose working
 * directory belongs to the project is taken in. Of a service with several ports the first that has such a process
 * counts.
 *
 * This is what is seen from outside, at one moment: nobody is redirected because of it. Clients that ask for that
 * number reach the server anyway (law 9: an unmanaged holder passes through). Processes of other users cannot be looked
 * into, and are nobody's then.
 */
#include "detected.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <portshim/address.h>
#include <portshim/process.h>

#include "holder.h"

#define PORTS_MAX 64 /* whose processes are looked for; each takes a walk through /proc */

struct search {
	const struct ps_target *target;
	struct ps_state_now *state;
	uint64_t interest[2][PS_BITMAP_WORDS]; /* ports that are looked for, by TCP and by UDP */
	bool *taken;			       /* by service: something is assigned, or was found */
	uint16_t ports[PORTS_MAX];
	unsigned count;
};

/* ---- whose process ---- */

static bool manifest_in(const char *directory, char *owner)
{
	static const char *const names[] = { "ports.manifest.json", "config/ports.manifest.json" };
	char path[PS_PATH_MAX + 32];
	struct stat st;

	for (unsigned i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", directory[1] ? directory : "", names[i]);
		if (stat(path, &st) == 0 && manifest_directory(path, owner) == 0)
			return true;
	}
	return false;
}

bool detected_belongs(const char *directory, const char *project)
{
	char at[PS_PATH_MAX], owner[PS_PATH_MAX];
	size_t length = strlen(project);

	if (!directory[0] || strlen(directory) >= sizeof(at))
		return false;
	if (length > 1 && (strncmp(directory, project, length) != 0 || (directory[length] && directory[length] != '/')))
		return false;
	strcpy(at, directory);
	while (strlen(at) > length) {
		char *slash = strrchr(at, '/');

		if (manifest_in(at, owner))
			return strcmp(owner, project) == 0;
		slash[slash == at] = '\0';
	}
	return true;
}

/* ---- which ports ---- */

static bool from_elsewhere(const struct ps_plan *plan, uint16_t port)
{
	const struct ps_plan_from *from = (const void *)((const char *)plan + plan->from);

	for (uint32_t i = 0; i < plan->from_count; i++)
		if (from[i].port == port)
			return true;
	return false;
}

/* A service that says nothing of protocols is looked for by TCP: sockets of clients are bound to UDP ports too. */
static unsigned protocols_of(const struct ps_service *s)
{
	return s->protocols ? s->protocols : PS_TCP;
}

static void note_assigned(struct search *s, const struct ps_assignment *a)
{
	const struct ps_plan *plan = s->target->plan;
	const struct ps_plan_port *first;
	uint32_t count = plan_find(plan, a->requested, &first);

	for (; count; count--, first++)
		if (!a->service[0] ||
		    strcmp(plan_string(plan, plan_service(plan, first->service)->name), a->service) == 0)
			s->taken[first->service] = true;
}

static void note_interest(struct search *s)
{
	const struct ps_plan *plan = s->target->plan;

	for (size_t i = 0; i < s->state->count; i++)
		if (target_sees(s->target, s->state->list[i].env_id))
			note_assigned(s, &s->state->list[i]);
	for (uint32_t i = 0; i < plan->service_count; i++) {
		const struct ps_service *service = plan_service(plan, (uint16_t)i);
		unsigned protocols = protocols_of(service);

		if (s->taken[i] || service->flags & PS_SERVICE_EXTERNAL)
			continue;
		for (uint16_t k = 0; k < service->port_count; k++) {
			uint16_t port = plan_ports(plan, service)[k];

			if (from_elsewhere(plan, port))
				continue;
			for (unsigned p = 0; p < 2; p++)
				if (protocols & (p ? PS_UDP : PS_TCP))
					bitmap_set(s->interest[p], port);
		}
	}
}

static bool note_listener(const struct ps_listener *listener, void *context)
{
	struct search *s = context;

	if (!bitmap_get(s->interest[listener->protocol == PS_UDP], listener->port) ||
	    head_state(host_head(s->state->host, listener->port)) != PS_FREE)
		return true;
	for (unsigned i = 0; i < s->count; i++)
		if (s->ports[i] == listener->port)
			return true;
	s->ports[s->count++] = listener->port;
	return s->count < PORTS_MAX;
}

/* ---- what has them ---- */

static unsigned address_flag(const struct ps_listener *l)
{
	static const uint8_t any6[16], lo6[16] = { [15] = 1 }, any4[16] = { [10] = 0xff, [11] = 0xff },
				       lo4[16] = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 };

	if (memcmp(l->address, any6, 16) == 0) /* "::" as a rule answers IPv4 as well */
		return l->family == AF_INET ? PS_AT_ANY4 : PS_AT_ANY6;
	if (memcmp(l->address, any4, 16) == 0)
		return PS_AT_ANY4;
	if (memcmp(l->address, lo4, 16) == 0)
		return PS_AT_LO4;
	return memcmp(l->address, lo6, 16) == 0 ? PS_AT_LO6 : PS_AT_OTHER;
}

/* The service that this process on this port is, or PS_NO_SERVICE. */
static uint16_t service_of(const struct search *s, const struct ps_holder *h, uint16_t port, unsigned protocol)
{
	const struct ps_subject subject = { .command = h->command, .args = h->line, .directory = h->directory,
					    .protocol = protocol };
	uint16_t index = plan_rules(s->target->plan, port, &subject).service_index;
	const struct ps_service *service;

	if (index == PS_NO_SERVICE || s->taken[index])
		return PS_NO_SERVICE;
	service = plan_service(s->target->plan, index);
	return service->flags & PS_SERVICE_EXTERNAL || !(protocols_of(service) & protocol) ? PS_NO_SERVICE : index;
}

/* An environment in which nothing was ever run has no file: what people see of it is made up. */
static const struct ps_scope *scope_of(struct search *s)
{
	const struct ps_scope *scope = state_scope(s->state, s->target->env);

	if (scope || s->state->made)
		return scope ? scope : s->state->made;
	s->state->made = calloc(1, sizeof(*s->state->made));
	if (!s->state->made)
		return NULL;
	s->state->made->id = s->state->made->env = s->target->env;
	snprintf(s->state->made->name, PS_NAME_MAX, "%s", s->target->name);
	snprintf(s->state->made->project, PS_NAME_MAX, "%s", s->target->project.project);
	snprintf(s->state->made->profile, PS_NAME_MAX, "%s", s->target->project.profile);
	snprintf(s->state->made->directory, PS_PATH_MAX, "%s", s->target->directory);
	return s->state->made;
}

static void take_socket(struct ps_assignment *a, const struct ps_listener *l)
{
	unsigned flag = address_flag(l);

	a->protocols |= l->protocol;
	if (flag == PS_AT_OTHER && !(a->at & PS_AT_OTHER))
		memcpy(a->address, l->address, sizeof(a->address));
	a->at |= (uint8_t)flag;
}

/* The processes that have one of the port's sockets: the first of the project's is the server, what else it has of
 * the port is its too. False if memory ran out. */
static bool take_port(struct search *s, uint16_t port)
{
	const struct ps_plan *plan = s->target->plan;
	struct ps_assignment found = { .env_id = s->target->env, .requested = port, .actual = port,
				       .state = PS_LISTENING, .reason = PS_REASON_DETECTED, .alive = true,
				       .first = true };
	unsigned socket_count, share_count;
	struct ps_listener *sockets;
	struct ps_share *shares;
	struct ps_holder best = { 0 };
	uint16_t index = PS_NO_SERVICE;

	if (holder_shares(port, PS_TCP | PS_UDP, &sockets, &socket_count, &shares, &share_count) < 0)
		return true;
	for (unsigned i = 0; i < share_count; i++) {
		const struct ps_listener *l = &sockets[shares[i].socket];
		struct ps_holder h = { 0 };
		uint16_t is;

		if (!holder_process(&h, shares[i].pid) || !detected_belongs(h.directory, s->target->directory))
			continue;
		is = service_of(s, &h, port, l->protocol);
		if (is == PS_NO_SERVICE || (index != PS_NO_SERVICE && is != index))
			continue;
		take_socket(&found, l);
		if (index == PS_NO_SERVICE || h.started < best.started ||
		    (h.started == best.started && h.pid < best.pid))
			best = h;
		index = is;
	}
	free(sockets);
	free(shares);
	if (index == PS_NO_SERVICE)
		return true;
	s->taken[index] = true;
	found.owner = process_of(best.pid);
	found.since = best.started;
	found.env = scope_of(s);
	snprintf(found.service, sizeof(found.service), "%s", plan_string(plan, plan_service(plan, index)->name));
	snprintf(found.scheme, sizeof(found.scheme), "%s", plan_string(plan, plan_service(plan, index)->scheme));
	return found.env && state_add(s->state, &found);
}

/* The order of a service's ports is that in which it would ask for them. */
static unsigned place_of(const struct search *s, uint16_t port)
{
	const struct ps_plan_port *first;
	unsigned best = UINT16_MAX;

	for (uint32_t n = plan_find(s->target->plan, port, &first); n; n--, first++) {
		const struct ps_service *service = plan_service(s->target->plan, first->service);

		for (uint16_t k = 0; k < service->port_count && k < best; k++)
			if (plan_ports(s->target->plan, service)[k] == port)
				best = k;
	}
	return best;
}

static void order_ports(struct search *s)
{
	for (unsigned i = 1; i < s->count; i++)
		for (unsigned k = i; k > 0 && place_of(s, s->ports[k]) < place_of(s, s->ports[k - 1]); k--) {
			uint16_t port = s->ports[k];

			s->ports[k] = s->ports[k - 1];
			s->ports[k - 1] = port;
		}
}

/* True for the environment that the project has by its directory, with whatever profile. */
static bool own_environment(const struct ps_target *t)
{
	const char *profile = t->in_run ? t->space.env->profile : t->project.profile;
	char key[PS_PATH_MAX + PS_NAME_MAX + 8];

	snprintf(key, sizeof(key), "dir:%s%s%s", t->directory, profile[0] ? "#" : "", profile);
	return space_env_id(t->runtime, key) == t->env;
}

int detected_add(const struct ps_target *target, struct ps_state_now *state, struct ps_error *error)
{
	struct search *s;
	bool good = true;

	if (!target->plan || !target->directory || !target->directory[0] || !own_environment(target))
		return 0;
	s = calloc(1, sizeof(*s));
	if (s)
		s->taken = calloc(target->plan->service_count + 1, sizeof(*s->taken));
	if (s && s->taken) {
		s->target = target;
		s->state = state;
		note_interest(s);
		kernel_listeners(0, PS_TCP | PS_UDP, note_listener, s);
		order_ports(s);
		for (unsigned i = 0; i < s->count && good; i++)
			good = take_port(s, s->ports[i]);
		free(s->taken);
	} else {
		good = false;
	}
	free(s);
	return good ? 0 : error_set(error, PS_EXIT_SYSTEM, "out of memory");
}
