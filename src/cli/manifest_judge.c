/*
 * manifest_judge.c - what the values of a manifest mean together.
 *
 * Theory of operation
 *
 * References (names of services and ranges) are judged where they are written: in the services and in every profile.
 * Everything that depends on which ports come out is judged on a *view*: the services as they are without a profile,
 * then as they are under each profile, whether it is asked for or not: a manifest is right or wrong as a whole. A view
 * is an array of pointers into the tree, so that a finding still knows where the value was written. Profiles are viewed
 * only if the manifest without them is right, because its faults would come up again in each.
 *
 * A service about which something has been reported is "broken" and takes no part: no findings that follow from others.
 * All of it is linear or sorts, see manifest_raw.c.
 */
#include "manifest_raw.h"

#include <portshim/kernel.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manifest_files.h"
#include "manifest_template.h"
#include "manifest_value.h"
#include "output.h"

#define BIT(key) (1u << (key))
#define PORT_KEYS (BIT(PS_KEY_PORT) | BIT(PS_KEY_PORTS) | BIT(PS_KEY_INHERIT))
/* What a service that inherits has of its own; "inherit" in a profile drops the rest. */
#define NOT_FROM_KEYS                                                                                       \
	(BIT(PS_KEY_PORTS) | BIT(PS_KEY_INHERIT) | BIT(PS_KEY_RANGE) | BIT(PS_KEY_MATCH) | BIT(PS_KEY_REPORT) |       \
	 BIT(PS_KEY_OS) | BIT(PS_KEY_STRATEGY) | BIT(PS_KEY_EXTERNAL) | BIT(PS_KEY_DISCOVERY) | BIT(PS_KEY_FALLBACK) | \
	 BIT(PS_KEY_YIELDS))
#define HEIR_KEYS (BIT(PS_KEY_INHERIT) | BIT(PS_KEY_SCHEME) | BIT(PS_KEY_ENV) | BIT(PS_KEY_CONFLICTS) | \
		   BIT(PS_KEY_HEALTH))

#define NOBODY SIZE_MAX

struct view {
	struct ps_raw *raw;
	const struct ps_raw_profile *profile; /* NULL: none */
	struct ps_raw_service *services;
	size_t *root;		      /* of each service: who has its port; NOBODY if that cannot be told */
	char under[PS_NAME_MAX + 32]; /* " with the profile x", for messages */
};

/* ---- views ---- */

static void override(struct ps_raw_service *s, const struct ps_raw_service *by)
{
	uint32_t said = 0, drop = 0;

	for (unsigned key = 0; key < PS_KEY_COUNT; key++)
		said |= by->value[key] ? BIT(key) : 0;
	if (said & PORT_KEYS)
		drop = PORT_KEYS;
	/* A profile may take a service over from another project, or give it to one. */
	if (said & BIT(PS_KEY_FROM))
		drop |= NOT_FROM_KEYS;
	else if (said & NOT_FROM_KEYS)
		drop |= BIT(PS_KEY_FROM);
	if (said & BIT(PS_KEY_INHERIT))
		drop = ~HEIR_KEYS;
	for (unsigned key = 0; key < PS_KEY_COUNT; key++) {
		if (said & BIT(key))
			s->value[key] = by->value[key];
		else if (drop & BIT(key))
			s->value[key] = NULL;
	}
	s->overridden = said;
	s->broken = s->broken || by->broken;
}

void manifest_judge_view(const struct ps_raw *raw, const struct ps_raw_profile *profile, struct ps_raw_service *view)
{
	if (raw->service_count)
		memcpy(view, raw->services, raw->service_count * sizeof(*view));
	for (size_t i = 0; profile && i < profile->override_count; i++)
		override(&view[profile->overrides[i].service], &profile->overrides[i].raw);
}

bool manifest_judge_elsewhere(const struct ps_raw_service *s)
{
	return cJSON_IsTrue(s->value[PS_KEY_EXTERNAL]) || s->value[PS_KEY_FROM];
}

/* What the profile adds to the value of a key: nothing to its own values, nor to a service that is somebody else's. */
static long offset(const struct ps_raw_profile *profile, const struct ps_raw_service *s, enum ps_key key)
{
	if (!profile || !profile->offset || s->overridden & BIT(key) || manifest_judge_elsewhere(s))
		return 0;
	return (long)profile->offset->valuedouble;
}

const cJSON *manifest_judge_port_item(const struct ps_raw_service *s, const cJSON *item)
{
	if (s->value[PS_KEY_PORT])
		return item ? NULL : s->value[PS_KEY_PORT];
	if (!s->value[PS_KEY_PORTS])
		return NULL;
	return item ? item->next : s->value[PS_KEY_PORTS]->child;
}

long manifest_judge_port(const struct ps_raw_profile *profile, const struct ps_raw_service *s, const cJSON *item)
{
	return (long)item->valuedouble + offset(profile, s, s->value[PS_KEY_PORT] ? PS_KEY_PORT : PS_KEY_PORTS);
}

/* The port that a service is known by: its first. */
static const cJSON *first_item(const struct ps_raw_service *s)
{
	return manifest_judge_port_item(s, NULL);
}

static long first_port(const struct ps_raw_profile *profile, const struct ps_raw_service *s)
{
	return manifest_judge_port(profile, s, first_item(s));
}

bool manifest_judge_range(const struct ps_raw *raw, const struct ps_raw_profile *profile,
			  const struct ps_raw_service *s, long *first, long *last)
{
	const cJSON *item = s->value[PS_KEY_RANGE];
	long add = offset(profile, s, PS_KEY_RANGE), index;
	uint16_t low, high;

	if (!item)
		return false;
	if (!manifest_value_parse_span(item->valuestring, &low, &high)) {
		index = manifest_raw_range(raw, item->valuestring);
		if (index < 0)
			return false;
		low = raw->ranges[index].first;
		high = raw->ranges[index].last;
	}
	if (low == 0)
		return false; /* a named range that is wrong itself */
	*first = low + add;
	*last = high + add;
	return true;
}

unsigned manifest_judge_protocols(const cJSON *value)
{
	if (!value)
		return 0;
	if (strcmp(value->valuestring, "tcp") == 0)
		return PS_TCP;
	return strcmp(value->valuestring, "udp") == 0 ? PS_UDP : PS_TCP | PS_UDP;
}

char *manifest_judge_path(const struct ps_raw *raw, const char *path)
{
	char *result = malloc(strlen(raw->directory) + strlen(path) + 2), *out = result;

	if (!result)
		return NULL;
	if (path[0] != '/' && raw->directory[1] != '\0')
		out = stpcpy(out, raw->directory);
	while (*path) {
		size_t length = strcspn(path, "/");

		if (length > 0 && !(length == 1 && path[0] == '.')) {
			*out++ = '/';
			out = mempcpy(out, path, length);
		}
		path += length;
		path += strspn(path, "/");
	}
	if (out == result)
		*out++ = '/';
	*out = '\0';
	return result;
}

/* ---- references ---- */

/* Reports a name that nothing has; `keys` are what the names come from. */
static void report_unknown(struct ps_raw *raw, const cJSON *item, const char *code, const char *what, const char *name,
			   const struct ps_raw_name *names, size_t count)
{
	const char **list, *near = NULL;
	char hint[128], text[80];

	if (raw->found.count >= PS_DIAGNOSTICS_MAX)
		return; /* looking for something similar takes time */
	list = calloc(count + 1, sizeof(*list));
	for (size_t i = 0; list && i < count; i++)
		list[i] = names[i].name;
	if (list)
		near = error_suggest(name, list, (unsigned)count);
	if (near)
		snprintf(hint, sizeof(hint), "did you mean \"%s\"?", near);
	manifest_raw_report(raw, item, false, code, near ? hint : NULL, "there is no %s \"%s\"", what,
			    output_clean(text, sizeof(text), name));
	free(list);
}

static bool judge_service_name(struct ps_raw *raw, const cJSON *item, const char *name)
{
	if (manifest_raw_service(raw, name, strlen(name)) >= 0)
		return true;
	report_unknown(raw, item, "unknown-service", "service", name, raw->service_names, raw->service_count);
	return false;
}

static bool judge_range_name(struct ps_raw *raw, const cJSON *item)
{
	uint16_t first, last;

	if (manifest_value_parse_span(item->valuestring, &first, &last))
		return manifest_value_in_order(raw, item, first, last);
	if (manifest_raw_range(raw, item->valuestring) >= 0)
		return true;
	report_unknown(raw, item, "unknown-range", "range", item->valuestring, raw->range_names, raw->range_count);
	return false;
}

static bool judge_template(struct ps_raw *raw, const cJSON *item)
{
	const char *at = item->valuestring;
	struct ps_piece piece;
	bool good = true;

	while ((piece = manifest_template_next(&at)).kind != PS_PIECE_END) {
		char name[PS_NAME_MAX + 16];

		if (!piece.name || manifest_raw_service(raw, piece.name, piece.name_length) >= 0)
			continue;
		snprintf(name, sizeof(name), "%.*s",
			 (int)(piece.name_length > PS_NAME_MAX ? PS_NAME_MAX : piece.name_length), piece.name);
		report_unknown(raw, item, "unknown-service", "service", name, raw->service_names, raw->service_count);
		good = false;
	}
	return good;
}

static bool judge_discovery(struct ps_raw *raw, const cJSON *item)
{
	char *path = manifest_judge_path(raw, item->valuestring);
	bool good = false;

	if (!path)
		raw->memory = true;
	else if (strlen(path) >= PS_PATH_MAX)
		manifest_raw_report(raw, item, false, "bad-file", NULL,
				    "this path has %zu bytes, at most %d are possible", strlen(path), PS_PATH_MAX - 1);
	else if (strcmp(path, raw->file) == 0)
		manifest_raw_report(raw, item, false, "bad-file", "name another file, like \".web-port.json\"",
				    "this is the manifest itself, which would be written over");
	else
		good = true;
	free(path);
	return good;
}

/* The names in a service, or in what a profile says about one. */
static void judge_references(struct ps_raw *raw, struct ps_raw_service *s, const char *own)
{
	const cJSON *item = s->value[PS_KEY_INHERIT];
	bool good = true;

	if (item)
		good = judge_service_name(raw, item, item->valuestring);
	item = s->value[PS_KEY_RANGE];
	if (item)
		good = judge_range_name(raw, item) && good;
	item = s->value[PS_KEY_DISCOVERY];
	if (item)
		good = judge_discovery(raw, item) && good;
	item = s->value[PS_KEY_ENV];
	for (const cJSON *v = cJSON_IsObject(item) ? item->child : NULL; v; v = v->next)
		good = (cJSON_IsTrue(v) || judge_template(raw, v)) && good;
	item = s->value[PS_KEY_CONFLICTS];
	for (const cJSON *v = item ? item->child : NULL; v; v = v->next) {
		good = judge_service_name(raw, v, v->valuestring) && good;
		if (strcmp(v->valuestring, own) == 0) {
			manifest_raw_report(raw, v, false, "conflict", NULL,
					    "a service cannot be in conflict with itself");
			good = false;
		}
	}
	if (!good)
		s->broken = true;
}

/* ---- views as a whole ---- */

static long heir_of(const struct view *v, size_t index)
{
	const cJSON *item = v->services[index].value[PS_KEY_INHERIT];

	return item ? manifest_raw_service(v->raw, item->valuestring, strlen(item->valuestring)) : -1;
}

static void report_ring(const struct view *v, size_t start)
{
	char text[256], name[PS_NAME_MAX + 8];
	size_t at = start;

	snprintf(text, sizeof(text), "%s", output_clean(name, sizeof(name), v->services[start].object->string));
	do {
		size_t used = strlen(text);

		at = (size_t)heir_of(v, at);
		snprintf(text + used, sizeof(text) - used, " -> %s",
			 output_clean(name, sizeof(name), v->services[at].object->string));
	} while (at != start && strlen(text) + 1 < sizeof(text));
	manifest_raw_report(v->raw, v->services[start].value[PS_KEY_INHERIT], false, "inherit-cycle",
			    "give one of them a \"port\"", "nobody in this ring has a port%s: %s", v->under, text);
}

/* Finds the root of every service. Each chain is walked until it meets a service whose root is known, so each step is
 * taken once or twice. `mark` tells the services of the present walk, which is how a ring is noticed. */
static bool find_roots(struct view *v)
{
	size_t count = v->raw->service_count, *mark = calloc(count + 1, sizeof(*mark));
	bool good = true;

	if (!mark) {
		v->raw->memory = true;
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		size_t at = i, root;

		while (!mark[at] && !v->services[at].broken && heir_of(v, at) >= 0) {
			mark[at] = i + 1;
			at = (size_t)heir_of(v, at);
		}
		if (mark[at] == i + 1) {
			report_ring(v, at);
			good = false;
			root = NOBODY;
		} else {
			root = mark[at] ? v->root[at] : v->services[at].broken ? NOBODY : at;
		}
		for (at = i; mark[at] == i + 1; at = (size_t)heir_of(v, at)) {
			v->root[at] = root;
			mark[at] = count + 1;
		}
		if (!mark[at]) {
			v->root[at] = root;
			mark[at] = count + 1;
		}
	}
	free(mark);
	return good;
}

static bool judge_offset(const struct view *v, const struct ps_raw_service *s)
{
	struct ps_raw *raw = v->raw;
	long low, high;

	for (const cJSON *item = first_item(s); item; item = manifest_judge_port_item(s, item)) {
		long port = manifest_judge_port(v->profile, s, item);

		if (port >= 1 && port <= 65535)
			continue;
		manifest_raw_report(raw, v->profile->offset, false, "offset-range",
				    "give the service its own port in the profile",
				    "the port %ld of \"%s\" (line %d) becomes %ld, which is no port",
				    (long)item->valuedouble, s->object->string, manifest_raw_line(raw, item), port);
		return false;
	}
	if (!manifest_judge_range(raw, v->profile, s, &low, &high) || (low >= 1 && high <= 65535))
		return true;
	manifest_raw_report(raw, v->profile->offset, false, "offset-range",
			    "give the service its own range in the profile",
			    "the range of \"%s\" (line %d) becomes %ld-%ld, which are no ports", s->object->string,
			    manifest_raw_line(raw, s->value[PS_KEY_RANGE]), low, high);
	return false;
}

struct claim {
	long port;
	size_t service;
};

static int by_port(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;

	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	return (x->service > y->service) - (x->service < y->service);
}

static void report_same_port(const struct view *v, size_t index, size_t other, long port)
{
	const struct ps_raw_service *s = &v->services[index], *o = &v->services[other];

	manifest_raw_report(v->raw, first_item(s), false, "same-port",
			    "another port, another \"protocol\", \"inherit\", or \"match\" rules tell them apart",
			    "%ld is the port of \"%s\" (line %d) too%s", port, o->object->string,
			    manifest_raw_line(v->raw, first_item(o)), v->under);
}

/* Of the services that request one port by one protocol, one may be without match rules: it gets what the others do
 * not. */
static bool judge_claims(const struct view *v, const struct claim *claims, size_t count)
{
	size_t plain[2] = { NOBODY, NOBODY };
	bool good = true;

	for (size_t i = 0; i < count; i++) {
		const struct ps_raw_service *s = &v->services[claims[i].service];
		unsigned protocols = manifest_judge_protocols(s->value[PS_KEY_PROTOCOL]);
		size_t other = NOBODY;

		if (s->value[PS_KEY_MATCH])
			continue;
		for (unsigned p = 0; p < 2; p++) {
			if (protocols && !(protocols & (p ? PS_UDP : PS_TCP)))
				continue;
			if (plain[p] != NOBODY)
				other = plain[p];
			else
				plain[p] = claims[i].service;
		}
		if (other == NOBODY)
			continue;
		report_same_port(v, claims[i].service, other, claims[i].port);
		good = false;
	}
	return good;
}

static bool judge_ports(struct view *v)
{
	size_t count = v->raw->service_count, used = 0;
	struct claim *claims = calloc(count + 1, sizeof(*claims));
	bool good = true;

	if (!claims) {
		v->raw->memory = true;
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (!v->services[i].broken && first_item(&v->services[i]))
			claims[used++] = (struct claim){ first_port(v->profile, &v->services[i]), i };
	}
	qsort(claims, used, sizeof(*claims), by_port);
	for (size_t i = 0, next; i < used; i = next) {
		for (next = i + 1; next < used && claims[next].port == claims[i].port;)
			next++;
		good = judge_claims(v, claims + i, next - i) && good;
	}
	free(claims);
	return good;
}

static bool judge_conflicts(const struct view *v, size_t index)
{
	const cJSON *list = v->services[index].value[PS_KEY_CONFLICTS];
	size_t mine = v->root[index];
	bool good = true;

	if (mine == NOBODY || v->services[index].broken)
		return true;
	for (const cJSON *item = list ? list->child : NULL; item; item = item->next) {
		long other = manifest_raw_service(v->raw, item->valuestring, strlen(item->valuestring));
		size_t theirs = other < 0 ? NOBODY : v->root[other];
		long port;

		if (theirs == NOBODY)
			continue;
		port = first_port(v->profile, &v->services[mine]);
		if (port != first_port(v->profile, &v->services[theirs]))
			continue;
		manifest_raw_report(v->raw, item, false, "conflict", "give one of them another port",
				    "\"%s\" must not share a port with \"%s\", but both have %ld%s",
				    v->services[index].object->string, item->valuestring, port, v->under);
		good = false;
	}
	return good;
}

struct file {
	char *path;
	size_t service;
};

static int by_path(const void *a, const void *b)
{
	const struct file *x = a, *y = b;
	int order = strcmp(x->path, y->path);

	return order ? order : (x->service > y->service) - (x->service < y->service);
}

/* Two services that write one discovery file would wipe out each other's entry. */
static bool judge_files(struct view *v)
{
	size_t count = v->raw->service_count, used = 0;
	struct file *files = calloc(count + 1, sizeof(*files));
	bool good = true;

	for (size_t i = 0; files && i < count; i++) {
		const cJSON *item = v->services[i].broken ? NULL : v->services[i].value[PS_KEY_DISCOVERY];

		if (!item)
			continue;
		files[used] = (struct file){ manifest_judge_path(v->raw, item->valuestring), i };
		if (files[used].path)
			used++;
		else
			v->raw->memory = true;
	}
	if (!files)
		v->raw->memory = true;
	else
		qsort(files, used, sizeof(*files), by_path);
	for (size_t i = 1; i < used; i++) {
		const struct ps_raw_service *s = &v->services[files[i].service],
					    *o = &v->services[files[i - 1].service];

		if (strcmp(files[i].path, files[i - 1].path) != 0)
			continue;
		good = false;
		manifest_raw_report(v->raw, s->value[PS_KEY_DISCOVERY], false, "same-file", "name another file",
				    "\"%s\" (line %d) writes this file too%s", o->object->string,
				    manifest_raw_line(v->raw, o->value[PS_KEY_DISCOVERY]), v->under);
	}
	for (size_t i = 0; i < used; i++)
		free(files[i].path);
	free(files);
	return good;
}

/* True if the view is right, as far as can be told. */
static bool judge_view(struct view *v)
{
	bool good = find_roots(v);

	if (v->raw->memory)
		return false;
	for (size_t i = 0; i < v->raw->service_count; i++) {
		struct ps_raw_service *s = &v->services[i];

		if (!v->profile || !v->profile->offset || s->broken || judge_offset(v, s))
			continue;
		s->broken = true;
		good = false;
	}
	good = judge_ports(v) && good;
	good = judge_files(v) && good;
	for (size_t i = 0; i < v->raw->service_count; i++)
		good = judge_conflicts(v, i) && good;
	return good;
}

static void judge_views(struct ps_raw *raw)
{
	struct view v = { .raw = raw };

	v.services = calloc(raw->service_count + 1, sizeof(*v.services));
	v.root = calloc(raw->service_count + 1, sizeof(*v.root));
	if (!v.services || !v.root) {
		raw->memory = true;
		goto out;
	}
	manifest_judge_view(raw, NULL, v.services);
	if (!judge_view(&v))
		goto out;
	for (size_t i = 0; i < raw->profile_count && raw->found.count < PS_DIAGNOSTICS_MAX; i++) {
		v.profile = &raw->profiles[i];
		snprintf(v.under, sizeof(v.under), " under the profile \"%.63s\"", v.profile->object->string);
		manifest_judge_view(raw, v.profile, v.services);
		judge_view(&v);
	}
out:
	free(v.services);
	free(v.root);
}

static void judge_profile_name(struct ps_raw *raw, const cJSON *item)
{
	struct ps_raw_name *names;

	if (!item->valuestring[0])
		return;
	for (size_t i = 0; i < raw->profile_count; i++)
		if (strcmp(raw->profiles[i].object->string, item->valuestring) == 0)
			return;
	names = calloc(raw->profile_count + 1, sizeof(*names));
	for (size_t i = 0; names && i < raw->profile_count; i++)
		names[i].name = raw->profiles[i].object->string;
	report_unknown(raw, item, "unknown-profile", "profile", item->valuestring, names, names ? raw->profile_count : 0);
	free(names);
}

static void judge_rule(struct ps_raw *raw, const struct ps_raw_rule *rule)
{
	const cJSON *item = cJSON_IsArray(rule->range) ? rule->range->child : rule->range;

	for (; item; item = cJSON_IsArray(rule->range) ? item->next : NULL)
		if (cJSON_IsString(item))
			judge_range_name(raw, item);
	for (item = rule->services ? rule->services->child : NULL; item; item = item->next)
		judge_service_name(raw, item, item->valuestring);
	for (item = rule->profiles ? rule->profiles->child : NULL; item; item = item->next)
		judge_profile_name(raw, item);
}

void manifest_judge(struct ps_raw *raw)
{
	for (size_t i = 0; i < raw->range_count; i++) {
		struct ps_raw_range *range = &raw->ranges[i];

		if (range->first && !manifest_value_in_order(raw, range->item, range->first, range->last))
			range->first = 0;
	}
	if (raw->range)
		judge_range_name(raw, raw->range);
	for (size_t i = 0; i < raw->rule_count; i++)
		judge_rule(raw, &raw->rules[i]);
	for (size_t i = 0; i < raw->service_count; i++)
		judge_references(raw, &raw->services[i], raw->services[i].object->string);
	for (size_t i = 0; i < raw->profile_count; i++) {
		struct ps_raw_profile *profile = &raw->profiles[i];

		for (size_t k = 0; k < profile->override_count; k++)
			judge_references(raw, &profile->overrides[k].raw,
					 raw->services[profile->overrides[k].service].object->string);
	}
	manifest_files_judge(raw);
	if (!raw->memory)
		judge_views(raw);
}
