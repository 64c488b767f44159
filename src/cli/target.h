/*
 * target.h - what a command is about: the environment, and the services or ports that its operands name.
 */
#ifndef PORTSHIM_CLI_TARGET_H
#define PORTSHIM_CLI_TARGET_H

#include "project.h"
#include "state.h"

struct ps_target {
	char runtime[PS_RUNTIME_MAX];
	struct ps_project project; /* inside a run it may be missing: project.key is "" then */
	bool in_run;              /* the command runs inside a run, and its options do not name another environment */
	struct ps_space space;    /* that run, mapped */
	struct ps_plan *compiled; /* malloc'ed, of the project's manifest; NULL inside a run or without a manifest */
	const struct ps_plan *plan; /* the run's plan or `compiled`; NULL for none */
	uint16_t *by_name;          /* malloc'ed: the indices of the plan's services, sorted by name */
	uint32_t env;               /* id of the environment */
	const char *name;           /* of the environment, shown */
	const char *directory;      /* of its project */
	const char *manifest;       /* path of the manifest, or "" */
};

/* A service or port as an operand names it. */
struct ps_wanted {
	const char *text;          /* the operand */
	char name[PS_SERVICE_MAX]; /* the service that has the port, "" if none is declared */
	char scheme[PS_SCHEME_MAX];           /* of its URL, "" for the usual one */
	bool by_number;
	bool external;
	const struct ps_plan_from *from; /* in the plan, among others: another project's service, the best checkout first */
	uint32_t from_count;             /* 0: it is none, or its project is not known */
	uint16_t port;  /* the number given, else the service's first port; 0 if no manifest tells */
	uint16_t index; /* in the plan, of the service that has the port, or PS_NO_SERVICE */
};

/* Finds the environment: the options' own; else that of the run in which the command runs ($PORTSHIM_RUN); else the
 * project's. Returns 0 or the error's code. target_close in any case. */
int target_open(struct ps_target *target, const struct ps_project_options *options, struct ps_error *error);
void target_close(struct ps_target *target);

/* Understands an operand. `state` may be NULL; with it, services of earlier manifests are known too. 0 or the error's
 * code. */
int target_wanted(const struct ps_target *target, const struct ps_state_now *state, const char *text,
		  struct ps_wanted *wanted, struct ps_error *error);

/* True if the assignment is what the operand names, whatever its environment. */
bool target_matches(const struct ps_target *target, const struct ps_wanted *wanted,
		    const struct ps_assignment *assignment);

/* True if the assignment is the other project's service that the operand names. */
bool target_follows(const struct ps_wanted *wanted, const struct ps_assignment *assignment);

/* True if that service is looked for in this environment. */
bool target_from(const struct ps_wanted *wanted, uint32_t env);

/* True if a client here sees the assignment's environment. */
bool target_sees(const struct ps_target *target, uint32_t env);

/* Reads what is assigned in the environments that a client here sees, and those that its services are from. 0 or the
 * error's code. */
int target_state(const struct ps_target *target, struct ps_state_now *state, struct ps_error *error);

/* The assignment that a client here reaches, or NULL: own run, environment, those around it, then the
 * project that the service is from. */
const struct ps_assignment *target_find(const struct ps_target *target, const struct ps_state_now *state,
					const struct ps_wanted *wanted);

/* The scheme of the service's URL, or "": as the operand's service has it, else as it was recorded. */
const char *target_scheme(const struct ps_wanted *wanted, const struct ps_assignment *assignment);

#endif
