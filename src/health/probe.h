/*
 * probe.h - asks servers whether they do their work.
 */
#ifndef PORTSHIM_HEALTH_PROBE_H
#define PORTSHIM_HEALTH_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <portshim/address.h>

#include "../cli/manifest_health.h"

#define PS_PROBE_ADDRESSES 3
#define PS_PROBE_DETAIL 128
#define PS_PROBE_ANSWER 4096

/* How a service is. */
enum ps_health {
	PS_DOWN,      /* nobody listens, or it is not assigned */
	PS_STARTING,  /* it says itself that it is not ready */
	PS_UNHEALTHY, /* it listens, but the answer is wrong or does not come */
	PS_HEALTHY,
};

/* One question to one server. The first part is the caller's, the second is filled in. */
struct ps_probe {
	const struct ps_manifest_health *check;
	enum ps_health_kind kind; /* never PS_HEALTH_NONE */
	uint16_t port;
	unsigned address_count;
	struct ps_address addresses[PS_PROBE_ADDRESSES]; /* with the port; the first that accepts is asked */

	enum ps_health status;
	bool cut;                     /* not its check's time ran out, but the caller's */
	uint32_t latency;	      /* us, from the first packet to the verdict */
	char detail[PS_PROBE_DETAIL]; /* "HTTP 200", "connection refused": one line of plain characters */
};

/* "down", "starting", "unhealthy", "healthy". */
const char *probe_status(enum ps_health status);

/* Asks all at once, each for no longer than its check's timeout, and none for longer than `limit` ms (-1: no limit).
 * Returns when all have their verdict. The servers are asked where they are: nothing is redirected, not even inside a
 * run. */
void probe_all(struct ps_probe *list, size_t count, int64_t limit);

/* ---- what is said and answered (answer.c): pure functions ---- */

/* The question, in `text`, which holds PS_HEALTH_PATH_MAX + 512 bytes. Returns its length; 0: to be connected is
 * enough. */
size_t answer_question(const struct ps_probe *probe, char *text);

/* Reads an answer as far as it is there; `end`: no more will come. True if the verdict is in the probe. */
bool answer_read(struct ps_probe *probe, const char *bytes, size_t length, bool end);

/* Sets the verdict. */
void answer_set(struct ps_probe *probe, enum ps_health status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
