/*
 * manifest_raw.h - a manifest as it is written: the checked JSON, taken apart, before anything is derived from it.
 *
 * Shared by the steps of reading: manifest_raw.c takes the objects apart and has each value checked by itself
 * (manifest_value.c), which is what the JSON Schema can say too; manifest_judge.c judges what they mean together;
 * manifest.c makes the result.
 */
#ifndef PORTSHIM_CLI_MANIFEST_RAW_H
#define PORTSHIM_CLI_MANIFEST_RAW_H

#include "json_text.h"
#include "manifest.h"

enum ps_key {
	PS_KEY_PORT,
	PS_KEY_PORTS,
	PS_KEY_INHERIT,
	PS_KEY_RANGE,
	PS_KEY_PROTOCOL,
	PS_KEY_SCHEME,
	PS_KEY_ENV,
	PS_KEY_MATCH,
	PS_KEY_REPORT,
	PS_KEY_STRATEGY,
	PS_KEY_OS,
	PS_KEY_EXTERNAL,
	PS_KEY_DISCOVERY,
	PS_KEY_CONFLICTS,
	PS_KEY_FROM,
	PS_KEY_FALLBACK,
	PS_KEY_HEALTH,
	PS_KEY_YIELDS,
	PS_KEY_COUNT,
};

/* A service, or what a profile says about one: the values of its keys. */
struct ps_raw_service {
	const cJSON *object;		  /* its key is the name */
	const cJSON *value[PS_KEY_COUNT]; /* NULL: not said, or wrong and reported */
	uint32_t overridden;		  /* bit per key: said by the profile */
	bool broken;			  /* something about it has been reported: draw no conclusions */
};

struct ps_raw_override {
	uint32_t service;
	struct ps_raw_service raw;
};

struct ps_raw_profile {
	const cJSON *object; /* its key is the name */
	const cJSON *offset, *when; /* or NULL */
	struct ps_raw_override *overrides;
	size_t override_count;
};

struct ps_raw_range {
	const cJSON *item; /* its key is the name */
	uint16_t first, last;
};

/* Which ports belong to which services: judged by `check`, not when a manifest is loaded. */
struct ps_raw_rule {
	const cJSON *item; /* its key is the name */
	const cJSON *range, *services, *profiles; /* or NULL; NULL as well where it is wrong */
};

/* How `next` counts. */
struct ps_raw_allocate {
	const cJSON *item; /* its key is the name */
	const cJSON *base, *avoid;
};

/* Sorted by name, for bisection. */
struct ps_raw_name {
	const char *name;
	uint32_t index;
};

struct ps_raw {
	const char *path;
	struct ps_json_text text;
	cJSON *root;
	const cJSON *project, *strategy, *report, *range, *os, *fallback, *yields; /* but the first from "defaults"; or NULL */
	struct ps_raw_service *services;
	size_t service_count;
	struct ps_raw_range *ranges;
	size_t range_count;
	struct ps_raw_profile *profiles;
	size_t profile_count;
	struct ps_raw_rule *rules;
	size_t rule_count;
	struct ps_raw_allocate *allocations;
	size_t allocation_count;
	const cJSON *files; /* right by themselves (manifest_files.c), or NULL */
	struct ps_raw_name *service_names, *range_names;
	char directory[PS_PATH_MAX]; /* of the project */
	char file[PS_PATH_MAX];	     /* the manifest, absolute */
	struct ps_diagnostics found;
	bool memory; /* ran out of it: what was found does not count */
};

#define PS_DIAGNOSTICS_MAX 100

/* Takes the tree apart; reports what is wrong with single values. */
void manifest_raw_read(struct ps_raw *raw);

/* The first profile whose "when" fits the environment variables, or NULL. */
const struct ps_raw_profile *manifest_raw_by_variables(const struct ps_raw *raw);

/* Reports what single values cannot show: unknown names, rings, shared ports, ports that leave the range, in the
 * manifest as it is and under each of its profiles. */
void manifest_judge(struct ps_raw *raw);

void manifest_raw_free(struct ps_raw *raw);

/* Adds a finding at a value, or at its key. `hint` may be NULL. */
void manifest_raw_report(struct ps_raw *raw, const cJSON *item, bool at_key, const char *code, const char *hint,
			 const char *format, ...) __attribute__((format(printf, 6, 7)));

/* The service (range) with this name, or -1. */
long manifest_raw_service(const struct ps_raw *raw, const char *name, size_t length);
long manifest_raw_range(const struct ps_raw *raw, const char *name);

/* Reports keys of an object (strings of an array) that stand in it more than once. True if there are none. */
bool manifest_raw_unique(struct ps_raw *raw, const cJSON *parent, bool keys);

/* "services.web.ports[1]": the path of keys to a value. */
void manifest_raw_path(const struct ps_raw *raw, const cJSON *item, char *path, size_t size);

/* The ports of one element of a rule's "range": a port, two of them, or the name of a range. False for a name that
 * nothing has, or for the wrong order. */
bool manifest_raw_rule_span(const struct ps_raw *raw, const cJSON *item, uint16_t *first, uint16_t *last);

/* Checks an object's keys and their values. values[i] is what fields[i] has, NULL if it is not there or wrong. */
struct ps_raw_field {
	const char *name;
	bool (*check)(struct ps_raw *raw, const cJSON *item);
};

bool manifest_raw_object(struct ps_raw *raw, const cJSON *object, const char *expected,
			 const struct ps_raw_field *fields, unsigned count, const cJSON **values);

/* The line of a value, for messages that point to a second place. */
int manifest_raw_line(const struct ps_raw *raw, const cJSON *item);

/* ---- the services under one profile (manifest_judge.c) ---- */

/* Fills `view` (service_count entries) with the services as they are under a profile, or without one (NULL). */
void manifest_judge_view(const struct ps_raw *raw, const struct ps_raw_profile *profile, struct ps_raw_service *view);

/* The items of a service's ports, in order: the one after `item` (NULL: the first), or NULL. */
const cJSON *manifest_judge_port_item(const struct ps_raw_service *s, const cJSON *item);

/* A port and the range of a service of a view, with the profile's offset; false for no range. They may lie outside of
 * 1-65535 until manifest_judge has passed them. */
long manifest_judge_port(const struct ps_raw_profile *profile, const struct ps_raw_service *s, const cJSON *item);
bool manifest_judge_range(const struct ps_raw *raw, const struct ps_raw_profile *profile,
			  const struct ps_raw_service *s, long *first, long *last);

/* True for a service that portshim does not look after here: external, or another project's. */
bool manifest_judge_elsewhere(const struct ps_raw_service *s);

/* The protocols of a "protocol" value; 0 for NULL. */
unsigned manifest_judge_protocols(const cJSON *value);

/* The absolute form of a path in the manifest, without "." and doubled slashes, malloc'ed. */
char *manifest_judge_path(const struct ps_raw *raw, const char *path);

#endif
