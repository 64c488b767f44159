/*
 * survey.h - how the services of an environment are: what to ask whom, asked all at once.
 */
#ifndef PORTSHIM_HEALTH_SURVEY_H
#define PORTSHIM_HEALTH_SURVEY_H

#include "../cli/output.h"
#include "../cli/target.h"
#include "probe.h"

struct ps_health_row {
	char name[PS_SERVICE_MAX];              /* the service, or a requested port */
	const struct ps_assignment *assignment; /* NULL: external, or it does not run; the state's */
	char scheme[PS_SCHEME_MAX];             /* of its URL; "" for the usual one */
	struct ps_manifest_health check;        /* its path is the manifest's */
	struct ps_probe probe;                  /* also says how a service is that is not asked */
	bool ask;
	bool unmanaged;       /* nothing is assigned: whoever has its number is asked */
	uint16_t port;        /* where it really is; 0: nowhere */
	int32_t process_id;   /* 0: not known */
	uint32_t connections; /* established now, without ours */
	uint64_t started;     /* of its process, Unix seconds; 0: not known */
	uint64_t time;        /* when it was asked, Unix seconds */
};

/* Prepares a row for an operand (the check is that of the service which it names), or for one assignment. 0 or the
 * error's code. */
int survey_wanted(struct ps_health_row *row, const struct ps_target *target, const struct ps_state_now *state,
		  const char *text, struct ps_error *error);
void survey_assignment(struct ps_health_row *row, const struct ps_target *target,
		       const struct ps_assignment *assignment);

/* Asks all that are to be asked; none for longer than `limit` ms (-1: as long as its check says). False if memory ran
 * out. */
bool survey_ask(struct ps_health_row *rows, size_t count, int64_t limit);

/* Adds "status", "check", "detail", "latency_ms", "connections", "uptime", "timestamp" to an object. */
void survey_json(cJSON *object, const struct ps_health_row *row);

/* "1.2 ms", or "-" if it was not asked; `text` holds 32 bytes. Returns text. */
char *survey_latency(char *text, const struct ps_health_row *row);

/* The colour of a status. */
enum ps_colour survey_colour(enum ps_health status);

#endif
