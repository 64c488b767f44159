/*
 * candidates.h - the order in which ports are tried for a requested port (law 4 of docs/architecture.md). Pure.
 */
#ifndef PORTSHIM_CANDIDATES_H
#define PORTSHIM_CANDIDATES_H

#include <portshim/host.h>
#include <portshim/plan.h>

struct ps_candidates {
	const struct ps_plan *plan; /* NULL without a manifest */
	struct ps_rules rules;
	uint32_t seed;              /* the environment's id: where its search of the default range starts */
	uint16_t requested;
	uint16_t sticky;            /* the actual port of last time, 0 for none */
	bool skip_requested;        /* a private environment never takes the requested port */
	uint8_t stage;
	uint32_t position;
};

void candidates_start(struct ps_candidates *c, const struct ps_plan *plan, struct ps_rules rules, uint32_t env,
		      uint16_t requested, uint16_t sticky, bool skip_requested);

/* The next port to try, and why. False when there is none left. Port 0 with PS_REASON_OS: let the kernel choose. */
bool candidates_next(struct ps_candidates *c, uint16_t *port, enum ps_reason *reason);

/* True for a port that is never handed out: well-known services above 1023 and the ports that browsers refuse. */
bool candidates_reserved(uint16_t port);

/* True for a port that browsers refuse to open (the Fetch standard's "bad port" list). */
bool candidates_browser_blocked(uint16_t port);

#endif
