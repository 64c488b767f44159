/*
 * state.h - what is assigned now: the host table and the scopes of the runtime directory, read into a list.
 */
#ifndef PORTSHIM_CLI_STATE_H
#define PORTSHIM_CLI_STATE_H

#include <portshim/host.h>
#include <portshim/space.h>

#include "error.h"

/* A copy of one record, with the scopes that it belongs to (mapped as long as the state is). */
struct ps_assignment {
	uint32_t env_id, run_id;
	const struct ps_scope *env; /* NULL: its file is gone */
	const struct ps_scope *run; /* NULL: its file is gone */
	uint16_t requested, actual;
	enum ps_state state; /* PS_HELD or PS_LISTENING */
	enum ps_reason reason;
	uint8_t cause; /* errno that made it move, or 0 */
	uint8_t protocols, at, address[16];
	uint64_t owner; /* identity (portshim/process.h) */
	bool alive;     /* the owner runs */
	bool first;     /* the environment's clients reach this one when they ask for the requested port */
	uint64_t since; /* Unix seconds */
	char scheme[PS_SCHEME_MAX];
	char service[PS_SERVICE_MAX];
};

struct ps_state_now {
	char runtime[PS_RUNTIME_MAX];
	struct ps_host *host;
	struct ps_scope **scopes; /* every environment and run, sorted by id */
	size_t scope_count;
	struct ps_assignment *list; /* sorted by environment's name, requested port, first, age */
	size_t count, room;
	struct ps_scope *made; /* of an environment that has no file, for assignments that were added */
};

/* Clears away what is over, then reads. With `envs` (`count` ids of environments), of these alone: a thousand others
 * cost nothing then. Returns 0 or the error's code. state_free in any case. */
int state_read(struct ps_state_now *state, const uint32_t *envs, unsigned count, struct ps_error *error);
void state_free(struct ps_state_now *state);

/* Adds an assignment to the list, in its place: pointers into the list become invalid. False if memory ran out. */
bool state_add(struct ps_state_now *state, const struct ps_assignment *assignment);

/* The scope with this id, or NULL. */
struct ps_scope *state_scope(const struct ps_state_now *state, uint32_t id);

/* The assignment of an actual port, or NULL. */
const struct ps_assignment *state_actual(const struct ps_state_now *state, uint16_t actual);

/* Reads one assignment as it is this moment; false if the port is not assigned. The scopes stay NULL. */
bool state_record(struct ps_assignment *assignment, const struct ps_host *host, uint16_t actual);

#endif
