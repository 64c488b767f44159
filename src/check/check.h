/*
 * check.h - what a manifest that is right may still get wrong: with itself, with its rules, with other projects, and
 * with what runs now. Fills findings (finding.h); the codes are in portshim-findings(7).
 */
#ifndef PORTSHIM_CHECK_H
#define PORTSHIM_CHECK_H

#include "../cli/manifest_raw.h"
#include "../finding/finding.h"

struct ps_check {
	struct ps_raw *raw; /* a manifest that is right */
	const char *file;   /* its path as people see it */
	struct ps_findings *findings;
	size_t *lines; /* the offset of each line; check_start makes it */
	size_t line_count;
	uint16_t ephemeral_first, ephemeral_last; /* the kernel's own range; 0, 0: not known */
	unsigned unprivileged;			  /* the first port that anybody may bind */

	/* The services under one profile after the other (check_view_next). */
	const struct ps_raw_profile *profile; /* NULL: none */
	struct ps_raw_service *services;
	size_t view;
	size_t said;		      /* findings of earlier views: they are not said again */
	char under[PS_NAME_MAX + 32]; /* " under the profile "x"", for messages */
};

/* False if memory ran out; check_end in any case. */
bool check_start(struct ps_check *check, struct ps_raw *raw, const char *file, struct ps_findings *findings);
void check_end(struct ps_check *check);

/* Goes to the next view: first the manifest without a profile, then each profile. False after the last one, with all
 * set for another turn. */
bool check_view_next(struct ps_check *check);

/* The line of a value, for messages that point to a second place. */
int check_line(const struct ps_check *check, const cJSON *item);

/* Goes to what a program would run under here and now: the profile that the environment variables choose, or none. */
void check_view_now(struct ps_check *check);

/* Reports a finding at a value; not if an earlier view has the same one at the same place. */
void check_report(struct ps_check *check, const cJSON *item, const char *code, enum ps_severity severity,
		  const char *hint, const char *format, ...) __attribute__((format(printf, 6, 7)));

/* The service whose port this one has in the present view. */
const struct ps_raw_service *check_root(const struct ps_check *check, const struct ps_raw_service *service);

/* The protocols of a service: both where it does not say. */
unsigned check_protocols(const struct ps_raw_service *service);

/* One port of one service in a view. */
struct ps_check_port {
	long port;
	const struct ps_raw_service *service;
	const cJSON *item;
	bool first;
};

/* All ports of the present view, sorted by port, then in the order of the file. malloc'ed, NULL if memory ran out. */
struct ps_check_port *check_ports(struct ps_check *check, size_t *count);

/* ---- the parts ---- */

void check_self(struct ps_check *check);  /* ports, ranges, and the kernel's own numbers */
void check_rules(struct ps_check *check); /* the key "rules" */
void check_files(struct ps_check *check);    /* the key "files" */
void check_projects(struct ps_check *check); /* what other projects declare */
void check_running(struct ps_check *check);  /* who holds the ports now */

#endif
