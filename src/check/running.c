/*
 * running.c - a manifest against what runs at this moment: who holds the declared ports.
 *
 * The kernel is asked once which ports are held at all; processes are looked for only where one is. What portshim runs
 * for this project, in whichever environment, holds its own ports by right.
 */
#include "check.h"

#include <portshim/candidates.h>
#include <portshim/plan.h>
#include <portshim/kernel.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cli/holder.h"
#include "../cli/state.h"

struct running {
	uint64_t held[2][PS_BITMAP_WORDS]; /* TCP, UDP */
	uint64_t declared[PS_BITMAP_WORDS];
	struct ps_state_now state;
	bool has_state;
};

static bool note_held(const struct ps_listener *listener, void *context)
{
	struct running *r = context;

	bitmap_set(r->held[listener->protocol == PS_UDP], listener->port);
	return true;
}

static bool is_held(const struct running *r, uint16_t port, unsigned protocols)
{
	return (protocols & PS_TCP && bitmap_get(r->held[0], port)) ||
	       (protocols & PS_UDP && bitmap_get(r->held[1], port));
}

static bool is_own(const struct running *r, const struct ps_check *check, uint16_t port)
{
	const struct ps_assignment *a = r->has_state ? state_actual(&r->state, port) : NULL;

	return a && a->env && strcmp(a->env->directory, check->raw->directory) == 0;
}

static bool is_fixed(const struct ps_raw *raw, const struct ps_raw_service *service)
{
	const cJSON *said = service->value[PS_KEY_FALLBACK];

	return cJSON_IsFalse(said ? said : raw->fallback);
}

/* What `portshim run` would do now. The first number of the range that would be tried with success; it may be gone when
 * it is. */
static void make_hint(const struct ps_check *check, const struct running *r, const struct ps_check_port *p, char *hint,
		      size_t size)
{
	const char *and = "; `portshim why PORT` says more about who is there";
	long first, last, port;

	if (is_fixed(check->raw, p->service)) {
		snprintf(hint, size, "\"fallback\" is false, so the service cannot start; "
			 "`portshim free PORT` ends who is there, with --force also others");
		return;
	}
	if (!manifest_judge_range(check->raw, check->profile, p->service, &first, &last)) {
		snprintf(hint, size, "`portshim run` moves the service%s", and);
		return;
	}
	for (port = first; port <= last; port++)
		if (!is_held(r, (uint16_t)port, PS_TCP | PS_UDP) && !bitmap_get(r->declared, (uint16_t)port) &&
		    !candidates_reserved((uint16_t)port))
			break;
	if (port <= last)
		snprintf(hint, size, "`portshim run` moves the service, to %ld as things are%s", port, and);
	else
		snprintf(hint, size, "nothing of its range %ld-%ld is free either%s", first, last, and);
}

static void check_port(struct ps_check *check, const struct running *r, const struct ps_check_port *p)
{
	uint16_t port = (uint16_t)p->port;
	unsigned protocols = check_protocols(p->service);
	char phrase[PS_HOLDER_PHRASE], hint[256];
	struct ps_holder holder;

	if (p->service->value[PS_KEY_FROM])
		return;
	if (manifest_judge_elsewhere(p->service)) {
		if (!is_held(r, port, protocols))
			check_report(check, p->item, "external-down", PS_NOTE, "start it, if this project needs it now",
				     "\"%s\" is external, and nobody has %u at this moment", p->service->object->string,
				     port);
		return;
	}
	if (!is_held(r, port, protocols) || is_own(r, check, port) || !holder_find(port, protocols, &holder))
		return;
	holder_phrase(&holder, phrase);
	make_hint(check, r, p, hint, sizeof(hint));
	check_report(check, p->item, "port-held", is_fixed(check->raw, p->service) ? PS_ERROR : PS_WARNING, hint,
		     "%u is %s", port, phrase);
}

void check_running(struct ps_check *check)
{
	struct running *r = calloc(1, sizeof(*r));
	struct ps_error ignored = { 0 };
	struct ps_check_port *ports;
	size_t count = 0;

	if (!r) {
		check->findings->memory = true;
		return;
	}
	/* Where the kernel cannot be asked, nothing is said about what it knows. */
	if (kernel_listeners(0, PS_TCP | PS_UDP, note_held, r) < 0)
		goto out;
	r->has_state = state_read(&r->state, NULL, 0, &ignored) == 0;
	check_view_now(check);
	ports = check_ports(check, &count);
	for (size_t i = 0; ports && i < count; i++)
		bitmap_set(r->declared, (uint16_t)ports[i].port);
	for (size_t i = 0; ports && i < count; i++)
		if (ports[i].first)
			check_port(check, r, &ports[i]);
	free(ports);
	state_free(&r->state);
out:
	free(r);
}
