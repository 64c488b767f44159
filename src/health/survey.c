/*
 * survey.c - how the services of an environment are.
 *
 * Theory of operation: a row says which service, by which check, and at which addresses: those that the record has, for
 * a wildcard the loopback address of its family; for a service that the manifest calls external, its number on both
 * loopback addresses. Where nothing is assigned, a client reaches whoever has the number, if that is nobody's in
 * portshim (law 9): a container, say. So does a check that the manifest asks for, and says so. Then everything is asked
 * at once (probe.c). Connections are counted first, so that ours are not among them. The record may be out of date by
 * then: the answer is what counts.
 */
#include "survey.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <portshim/process.h>

#include "../cli/holder.h"
#include "connections.h"

/* ---- where ---- */

/* Bytes as address_bytes gives them. */
static void add_address(struct ps_probe *probe, const uint8_t bytes[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct ps_address *a = &probe->addresses[probe->address_count];

	if (probe->address_count == PS_PROBE_ADDRESSES)
		return;
	probe->address_count++;
	memset(a, 0, sizeof(*a));
	if (memcmp(bytes, mapped, sizeof(mapped)) == 0) {
		a->u.in.sin_family = AF_INET;
		memcpy(&a->u.in.sin_addr, bytes + 12, 4);
		a->length = sizeof(a->u.in);
	} else {
		a->u.in6.sin6_family = AF_INET6;
		memcpy(&a->u.in6.sin6_addr, bytes, 16);
		a->length = sizeof(a->u.in6);
	}
	address_set_port(a, probe->port);
}

static void add_loopback(struct ps_probe *probe, unsigned at)
{
	static const uint8_t lo4[16] = { [10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1 }, lo6[16] = { [15] = 1 };

	if (at & (PS_AT_ANY4 | PS_AT_LO4))
		add_address(probe, lo4);
	if (at & (PS_AT_ANY6 | PS_AT_LO6))
		add_address(probe, lo6);
}

/* ---- which check ---- */

static void set_check(struct ps_health_row *row, const struct ps_manifest *manifest, const char *name)
{
	const struct ps_manifest_service *s = manifest ? manifest_service(manifest, name) : NULL;

	row->check = (struct ps_manifest_health){ .timeout = PS_HEALTH_TIMEOUT, .interval = PS_HEALTH_INTERVAL };
	if (s && s->health.kind == PS_HEALTH_NONE)
		s = manifest_root(manifest, s);
	if (s && s->health.kind != PS_HEALTH_NONE)
		row->check = s->health;
	row->probe.kind = row->check.kind ? row->check.kind : PS_HEALTH_TCP;
}

/* ---- rows ---- */

static void aim(struct ps_health_row *row, const struct ps_assignment *a)
{
	struct ps_holder process = { 0 };

	row->assignment = a;
	row->port = row->probe.port = a->actual;
	if (a->alive) {
		row->process_id = process_pid(a->owner);
		if (holder_process(&process, row->process_id))
			row->started = process.started;
	}
	if (a->state != PS_LISTENING) {
		answer_set(&row->probe, PS_DOWN, "its port is held, nothing listens");
		return;
	}
	if (a->protocols == PS_UDP) {
		answer_set(&row->probe, PS_HEALTHY, "bound, by UDP");
		return;
	}
	add_loopback(&row->probe, a->at);
	if (a->at & PS_AT_OTHER)
		add_address(&row->probe, a->address);
	row->ask = row->probe.address_count > 0;
}

/* True if clients of the service reach an unmanaged server by its number, should there be one. */
static bool passes_through(const struct ps_target *target, const struct ps_state_now *state, const char *name,
			   uint16_t port)
{
	const struct ps_manifest *m = target->project.manifest;
	const struct ps_manifest_service *s = m ? manifest_service(m, name) : NULL;

	return s && !manifest_root(m, s)->from && port && head_state(host_head(state->host, port)) == PS_FREE;
}

int survey_wanted(struct ps_health_row *row, const struct ps_target *target, const struct ps_state_now *state,
		  const char *text, struct ps_error *error)
{
	const struct ps_assignment *found;
	struct ps_wanted wanted;
	int code = target_wanted(target, state, text, &wanted, error);

	if (code)
		return code;
	memset(row, 0, sizeof(*row));
	snprintf(row->name, sizeof(row->name), "%s", wanted.by_number && wanted.name[0] ? wanted.name : text);
	found = target_find(target, state, &wanted);
	set_check(row, target->project.manifest, row->name);
	snprintf(row->scheme, sizeof(row->scheme), "%s", wanted.scheme);
	if (found) {
		aim(row, found);
	} else if (wanted.external) {
		row->port = row->probe.port = wanted.port;
		add_loopback(&row->probe, PS_AT_LO4 | PS_AT_LO6);
		row->ask = true;
	} else if (row->check.kind != PS_HEALTH_NONE && passes_through(target, state, row->name, wanted.port)) {
		row->port = row->probe.port = wanted.port;
		add_loopback(&row->probe, PS_AT_LO4 | PS_AT_LO6);
		row->ask = row->unmanaged = true;
	} else {
		answer_set(&row->probe, PS_DOWN, "not running");
	}
	return 0;
}

void survey_assignment(struct ps_health_row *row, const struct ps_target *target, const struct ps_assignment *a)
{
	memset(row, 0, sizeof(*row));
	if (a->service[0])
		snprintf(row->name, sizeof(row->name), "%s", a->service);
	else
		snprintf(row->name, sizeof(row->name), "%u", a->requested);
	snprintf(row->scheme, sizeof(row->scheme), "%s", a->scheme);
	set_check(row, target->project.manifest, row->name);
	aim(row, a);
}

/* ---- asking ---- */

/* Nobody is there, or somebody of whom portshim knows nothing. */
static void conclude_unmanaged(struct ps_health_row *row)
{
	char said[PS_PROBE_DETAIL];

	if (row->probe.status == PS_DOWN) {
		row->ask = false;
		row->port = 0;
		answer_set(&row->probe, PS_DOWN, "not running");
		return;
	}
	memcpy(said, row->probe.detail, sizeof(said));
	answer_set(&row->probe, row->probe.status, "%.90s, not under portshim", said);
}

bool survey_ask(struct ps_health_row *rows, size_t count, int64_t limit)
{
	struct ps_probe *probes = calloc(count + 1, sizeof(*probes));
	uint32_t *connections = calloc(PS_PORTS, sizeof(*connections));
	size_t used = 0;

	if (!probes || !connections) {
		free(probes);
		free(connections);
		return false;
	}
	connections_count(connections);
	for (size_t i = 0; i < count; i++) {
		rows[i].connections = connections[rows[i].port];
		rows[i].time = (uint64_t)time(NULL);
		rows[i].probe.check = &rows[i].check;
		if (rows[i].ask)
			probes[used++] = rows[i].probe;
	}
	probe_all(probes, used, limit);
	used = 0;
	for (size_t i = 0; i < count; i++)
		if (rows[i].ask) {
			rows[i].probe = probes[used++];
			if (rows[i].unmanaged)
				conclude_unmanaged(&rows[i]);
		}
	free(probes);
	free(connections);
	return true;
}

/* ---- showing ---- */

void survey_json(cJSON *object, const struct ps_health_row *row)
{
	cJSON_AddStringToObject(object, "status", probe_status(row->probe.status));
	cJSON_AddStringToObject(object, "check", manifest_health_name(row->probe.kind));
	output_json_text(object, "detail", row->probe.detail);
	if (row->ask)
		cJSON_AddNumberToObject(object, "latency_ms", row->probe.latency / 1000.0);
	else
		cJSON_AddNullToObject(object, "latency_ms");
	cJSON_AddNumberToObject(object, "connections", row->connections);
	if (row->started && row->started <= row->time)
		cJSON_AddNumberToObject(object, "uptime", (double)(row->time - row->started));
	else
		cJSON_AddNullToObject(object, "uptime");
	cJSON_AddNumberToObject(object, "timestamp", (double)row->time);
}

char *survey_latency(char *text, const struct ps_health_row *row)
{
	if (row->ask)
		snprintf(text, 32, "%.1f ms", row->probe.latency / 1000.0);
	else
		snprintf(text, 32, "-");
	return text;
}

enum ps_colour survey_colour(enum ps_health status)
{
	return status == PS_HEALTHY ? PS_GREEN : status == PS_STARTING ? PS_YELLOW : PS_RED;
}
