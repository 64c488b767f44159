/*
 * manifest_raw.c - a manifest as it is written: its objects, and the keys in them.
 *
 * Theory of operation
 *
 * A walk over the tree, object by object, each with a table of its keys and the function that checks the value of one
 * (manifest_value.c). The result is a struct of pointers into the tree; what is wrong is reported and left out, so that
 * one fault makes one finding and the rest is still looked at. Everything said here can be said in a JSON Schema, and
 * manifest/ports.manifest.schema.json says it: tests/cli/schema_parity.py holds the two against each other, so change
 * both.
 *
 * A finding knows only its node. Where that stands, and the path of keys that leads to it, are worked out from the
 * node's number (json_text.h) when it is reported, which happens at most PS_DIAGNOSTICS_MAX times.
 *
 * Names are looked up in sorted arrays and duplicates found by sorting, so that 10,000 services take no noticeable
 * time, and nobody can choose names that make it slow.
 *
 * When memory runs out, `memory` is set and the functions return as if nothing were there; the caller checks it at the
 * end.
 */
#include "manifest_raw.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manifest_files.h"
#include "manifest_health.h"
#include "manifest_value.h"
#include "output.h"

#define FEW 16
#define QUOTE_MAX 80

#define NAME_RULE "expected 1 to 63 letters, digits, `_`, `.` or `-`, not beginning with `.` or `-`"
#define SERVICE_RULE NAME_RULE ", and not only digits"

/* ---- reporting ---- */

/* "services.web.ports[1]": goes down from the root to the node with this number, which in document order is in the last
 * child that does not come after it. */
void manifest_raw_path(const struct ps_raw *raw, const cJSON *item, char *path, size_t size)
{
	const cJSON *at = raw->root;
	char name[QUOTE_MAX];

	path[0] = '\0';
	while (at && at != item) {
		const cJSON *next = NULL;
		size_t used = strlen(path);
		long index = -1;

		for (const cJSON *child = at->child; child && child->valueint <= item->valueint; child = child->next) {
			next = child;
			index++;
		}
		if (!next)
			return;
		if (next->string)
			snprintf(path + used, size - used, "%s%s", used ? "." : "",
				 output_clean(name, sizeof(name), next->string));
		else
			snprintf(path + used, size - used, "[%ld]", index);
		at = next;
	}
}

static char *copy(struct ps_raw *raw, const char *text)
{
	char *result = text ? strdup(text) : NULL;

	if (text && !result)
		raw->memory = true;
	return result;
}

void manifest_raw_report(struct ps_raw *raw, const cJSON *item, bool at_key, const char *code, const char *hint,
			 const char *format, ...)
{
	const struct ps_json_place *place = &raw->text.places[item->valueint];
	struct ps_diagnostic *d;
	char path[512], text[512];
	va_list ap;

	if (raw->found.count >= PS_DIAGNOSTICS_MAX)
		return;
	if (!raw->found.list)
		raw->found.list = calloc(PS_DIAGNOSTICS_MAX, sizeof(*raw->found.list));
	if (!raw->found.list) {
		raw->memory = true;
		return;
	}
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	manifest_raw_path(raw, item, path, sizeof(path));
	d = &raw->found.list[raw->found.count++];
	json_text_position(&raw->text, at_key ? place->key : place->value, &d->line, &d->column);
	d->code = code;
	d->path = copy(raw, path);
	d->text = copy(raw, text);
	d->hint = copy(raw, hint);
}

int manifest_raw_line(const struct ps_raw *raw, const cJSON *item)
{
	int line, column;

	json_text_position(&raw->text, raw->text.places[item->valueint].key, &line, &column);
	return line;
}

/* ---- names, looked up and counted ---- */

static int by_name(const void *a, const void *b)
{
	const struct ps_raw_name *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : (x->index > y->index) - (x->index < y->index);
}

static const char *child_name(const cJSON *child, bool keys)
{
	return keys ? child->string : cJSON_IsString(child) ? child->valuestring : NULL;
}

static size_t count_children(const cJSON *parent)
{
	size_t count = 0;

	for (const cJSON *child = parent->child; child; child = child->next)
		count++;
	return count;
}

/* The keys of an object, or the strings of an array, sorted; the index is the position among the children. */
static struct ps_raw_name *sort_names(struct ps_raw *raw, const cJSON *parent, bool keys, size_t *count)
{
	struct ps_raw_name *names = calloc(count_children(parent) + 1, sizeof(*names));
	uint32_t index = 0;

	*count = 0;
	if (!names) {
		raw->memory = true;
		return NULL;
	}
	for (const cJSON *child = parent->child; child; child = child->next, index++) {
		const char *name = child_name(child, keys);

		if (name)
			names[(*count)++] = (struct ps_raw_name){ name, index };
	}
	qsort(names, *count, sizeof(*names), by_name);
	return names;
}

static const cJSON *child_at(const cJSON *parent, uint32_t index)
{
	const cJSON *child = parent->child;

	for (; child && index > 0; index--)
		child = child->next;
	return child;
}

static void report_twice(struct ps_raw *raw, const cJSON *item, const cJSON *first, bool keys)
{
	char text[QUOTE_MAX];

	manifest_raw_report(raw, item, keys, keys ? "duplicate-key" : "duplicate-value", "keep one of them",
			    "\"%s\" stands here a second time; the first is in line %d",
			    output_clean(text, sizeof(text), child_name(item, keys)), manifest_raw_line(raw, first));
}

/* Reports names that are the same, in the sorted names of a parent's children. True if there are none. */
static bool check_neighbours(struct ps_raw *raw, const cJSON *parent, bool keys, const struct ps_raw_name *names,
			     size_t count)
{
	bool good = true;

	for (size_t i = 1; names && i < count; i++) {
		if (strcmp(names[i].name, names[i - 1].name) != 0)
			continue;
		good = false;
		if (raw->found.count < PS_DIAGNOSTICS_MAX)
			report_twice(raw, child_at(parent, names[i].index), child_at(parent, names[i - 1].index), keys);
	}
	return good;
}

bool manifest_raw_unique(struct ps_raw *raw, const cJSON *parent, bool keys)
{
	struct ps_raw_name *names;
	size_t count = 0;
	bool good = true;

	for (const cJSON *a = parent->child; a && count <= FEW; a = a->next, count++) {
		for (const cJSON *b = parent->child; b != a; b = b->next) {
			const char *x = child_name(a, keys), *y = child_name(b, keys);

			if (x && y && strcmp(x, y) == 0) {
				good = false;
				break;
			}
		}
	}
	if (count <= FEW && good)
		return true;
	names = sort_names(raw, parent, keys, &count);
	good = check_neighbours(raw, parent, keys, names, count);
	free(names);
	return good;
}

static long find_name(const struct ps_raw_name *names, size_t count, const char *name, size_t length)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strncmp(names[middle].name, name, length);

		if (order == 0)
			order = names[middle].name[length] != '\0';
		if (order == 0)
			return (long)names[middle].index;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return -1;
}

long manifest_raw_service(const struct ps_raw *raw, const char *name, size_t length)
{
	return raw->service_names ? find_name(raw->service_names, raw->service_count, name, length) : -1;
}

long manifest_raw_range(const struct ps_raw *raw, const char *name)
{
	return raw->range_names ? find_name(raw->range_names, raw->range_count, name, strlen(name)) : -1;
}

/* ---- objects ---- */

static void report_unknown(struct ps_raw *raw, const cJSON *item, const struct ps_raw_field *fields, unsigned count)
{
	const char *names[PS_KEY_COUNT + 8], *near;
	char hint[512] = "the keys here are ", text[QUOTE_MAX];

	if (raw->found.count >= PS_DIAGNOSTICS_MAX) /* looking for what was meant is the dear part of it */
		return;
	for (unsigned i = 0; i < count; i++) {
		names[i] = fields[i].name;
		snprintf(hint + strlen(hint), sizeof(hint) - strlen(hint), "%s%s", i ? ", " : "", names[i]);
	}
	near = error_suggest(item->string, names, count);
	if (near)
		snprintf(hint, sizeof(hint), "did you mean \"%s\"?", near);
	manifest_raw_report(raw, item, true, "unknown-key", hint, "there is no key \"%s\" here",
			    output_clean(text, sizeof(text), item->string));
}

bool manifest_raw_object(struct ps_raw *raw, const cJSON *object, const char *expected,
			 const struct ps_raw_field *fields, unsigned count, const cJSON **values)
{
	bool good;

	for (unsigned i = 0; i < count; i++)
		values[i] = NULL;
	if (!cJSON_IsObject(object))
		return manifest_value_wrong_type(raw, object, expected, NULL);
	good = manifest_raw_unique(raw, object, true);
	for (const cJSON *item = object->child; item; item = item->next) {
		unsigned i = 0;

		while (i < count && strcmp(fields[i].name, item->string) != 0)
			i++;
		if (i == count) {
			report_unknown(raw, item, fields, count);
			good = false;
		} else if (!fields[i].check(raw, item)) {
			good = false;
		} else {
			values[i] = item;
		}
	}
	return good;
}

static const struct ps_raw_field match_fields[] = {
	{ "command", manifest_value_glob },
	{ "args", manifest_value_glob },
	{ "directory", manifest_value_glob },
};

static bool check_match(struct ps_raw *raw, const cJSON *item)
{
	const cJSON *values[3];

	if (!manifest_raw_object(raw, item, "an object with \"command\", \"args\" or \"directory\"", match_fields, 3, values))
		return false;
	return item->child || manifest_value_bad(raw, item, "bad-value",
						 "at least one of \"command\", \"args\" and \"directory\"", NULL);
}

/* In the order of enum ps_key. */
static const struct ps_raw_field service_fields[PS_KEY_COUNT] = {
	{ "port", manifest_value_port },
	{ "ports", manifest_value_ports },
	{ "inherit", manifest_value_service_name },
	{ "range", manifest_value_range },
	{ "protocol", manifest_value_protocol },
	{ "scheme", manifest_value_scheme },
	{ "env", manifest_value_env },
	{ "match", check_match },
	{ "report", manifest_value_report },
	{ "strategy", manifest_value_strategy },
	{ "os", manifest_value_bool },
	{ "external", manifest_value_bool },
	{ "discovery", manifest_value_discovery },
	{ "conflicts", manifest_value_conflicts },
	{ "from", manifest_value_from },
	{ "fallback", manifest_value_bool },
	{ "health", manifest_health_read },
	{ "yields", manifest_value_bool },
};

static const cJSON *said(const cJSON *object, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(object, key);
}

/* A service of another project has its rules there. */
static bool check_from(struct ps_raw *raw, const cJSON *object)
{
	static const enum ps_key never[] = { PS_KEY_PORTS,    PS_KEY_INHERIT,   PS_KEY_RANGE,    PS_KEY_MATCH,
					     PS_KEY_REPORT,   PS_KEY_OS,        PS_KEY_STRATEGY, PS_KEY_EXTERNAL,
					     PS_KEY_DISCOVERY, PS_KEY_FALLBACK, PS_KEY_YIELDS };
	bool good = true;

	for (unsigned i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		const cJSON *item = said(object, service_fields[never[i]].name);

		if (!item)
			continue;
		manifest_raw_report(raw, item, true, "exclusive-keys",
				    "a service of another project has \"port\", \"protocol\", \"scheme\", \"env\", \"health\" and \"conflicts\"",
				    "\"%s\" cannot stand beside \"from\": the other project says that", item->string);
		good = false;
	}
	return good;
}

/* Keys that exclude one another, also where a value is wrong. */
static bool check_together(struct ps_raw *raw, const cJSON *object)
{
	static const enum ps_key never[] = { PS_KEY_PORT,     PS_KEY_PORTS,    PS_KEY_RANGE,    PS_KEY_PROTOCOL,
					     PS_KEY_MATCH,    PS_KEY_REPORT,   PS_KEY_STRATEGY, PS_KEY_OS,
					     PS_KEY_EXTERNAL, PS_KEY_DISCOVERY, PS_KEY_FALLBACK, PS_KEY_YIELDS };
	const cJSON *item;
	bool good = true;

	if (said(object, "from"))
		good = check_from(raw, object);
	item = said(object, "ports");
	if (item && said(object, "port")) {
		manifest_raw_report(raw, item, true, "exclusive-keys",
				    "\"ports\" alone can name several, the first is the usual one",
				    "\"ports\" cannot stand beside \"port\"");
		good = false;
	}
	if (!said(object, "inherit"))
		return good;
	for (unsigned i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
		item = said(object, service_fields[never[i]].name);
		if (!item)
			continue;
		manifest_raw_report(
			raw, item, true, "exclusive-keys",
			"a service that inherits has \"scheme\", \"env\", \"health\" and \"conflicts\"",
			"\"%s\" cannot stand beside \"inherit\", which takes it over from the other service",
			item->string);
		good = false;
	}
	return good;
}

static bool read_service(struct ps_raw *raw, const cJSON *item, struct ps_raw_service *service, bool whole)
{
	service->object = item;
	service->broken = !manifest_raw_object(raw, item, "an object that describes a service", service_fields, PS_KEY_COUNT,
					service->value);
	if (!cJSON_IsObject(item))
		return false;
	if (!check_together(raw, item))
		service->broken = true;
	if (whole && !said(item, "port") && !said(item, "ports") && !said(item, "inherit")) {
		manifest_raw_report(raw, item, true, "missing-key", "write \"port\": NUMBER",
				    "one of \"port\", \"ports\" and \"inherit\" is missing");
		service->broken = true;
	}
	return !service->broken;
}

static bool check_key(struct ps_raw *raw, const cJSON *item, bool good, const char *expected)
{
	char text[QUOTE_MAX];

	if (!good)
		manifest_raw_report(raw, item, true, "bad-name", NULL, "\"%s\" cannot be a name: %s",
				    output_clean(text, sizeof(text), item->string), expected);
	return good;
}

static void *make(struct ps_raw *raw, size_t count, size_t size)
{
	void *p = calloc(count + 1, size);

	if (!p)
		raw->memory = true;
	return p;
}

static bool read_services(struct ps_raw *raw, const cJSON *item)
{
	size_t count = count_children(item);
	bool good = true;

	if (!cJSON_IsObject(item))
		return manifest_value_wrong_type(raw, item, "an object of services", NULL);
	if (count >= PS_NO_SERVICE) {
		manifest_raw_report(raw, item, true, "too-many", NULL,
				    "%zu services are more than the %u that are possible", count, PS_NO_SERVICE - 1);
		return false;
	}
	raw->services = make(raw, count, sizeof(*raw->services));
	raw->service_names = sort_names(raw, item, true, &count);
	if (!raw->services || !check_neighbours(raw, item, true, raw->service_names, count))
		good = false;
	for (const cJSON *child = item->child; raw->services && child; child = child->next) {
		struct ps_raw_service *service = &raw->services[raw->service_count++];

		good = read_service(raw, child, service, true) && good;
		if (!check_key(raw, child, manifest_value_is_service_name(child->string), SERVICE_RULE))
			service->broken = true;
	}
	for (size_t i = 1; raw->services && raw->service_names && i < count; i++) {
		if (strcmp(raw->service_names[i].name, raw->service_names[i - 1].name) == 0)
			raw->services[raw->service_names[i].index].broken = true;
	}
	return good;
}

static bool read_ranges(struct ps_raw *raw, const cJSON *item)
{
	size_t count = count_children(item);
	bool good = true;

	if (!cJSON_IsObject(item))
		return manifest_value_wrong_type(raw, item, "an object of ranges, like {\"frontend\": \"3000-3099\"}",
						 NULL);
	raw->ranges = make(raw, count, sizeof(*raw->ranges));
	raw->range_names = sort_names(raw, item, true, &count);
	if (!raw->ranges || !check_neighbours(raw, item, true, raw->range_names, count))
		good = false;
	for (const cJSON *child = item->child; raw->ranges && child; child = child->next) {
		struct ps_raw_range *range = &raw->ranges[raw->range_count++];

		range->item = child;
		check_key(raw, child, manifest_value_is_range_name(child->string), NAME_RULE " and not with a digit");
		if (manifest_value_span(raw, child))
			manifest_value_parse_span(child->valuestring, &range->first, &range->last);
	}
	return good;
}

static bool check_any_object(struct ps_raw *raw, const cJSON *item)
{
	return cJSON_IsObject(item) || manifest_value_wrong_type(raw, item, "an object of services", NULL);
}

static const struct ps_raw_field profile_fields[] = {
	{ "offset", manifest_value_offset },
	{ "services", check_any_object },
	{ "when", manifest_value_when },
};

static void report_unknown_service(struct ps_raw *raw, const cJSON *item)
{
	const char **names, *near = NULL;
	char text[QUOTE_MAX], hint[128];

	if (raw->found.count >= PS_DIAGNOSTICS_MAX)
		return; /* looking for something similar takes time */
	names = make(raw, raw->service_count, sizeof(*names));
	for (size_t i = 0; names && i < raw->service_count; i++)
		names[i] = raw->services[i].object->string;
	if (names)
		near = error_suggest(item->string, names, (unsigned)raw->service_count);
	if (near)
		snprintf(hint, sizeof(hint), "did you mean \"%s\"?", near);
	manifest_raw_report(raw, item, true, "unknown-service",
			    near ? hint : "a profile changes services, it does not add any",
			    "there is no service \"%s\" outside of the profile",
			    output_clean(text, sizeof(text), item->string));
	free(names);
}

static void read_profile(struct ps_raw *raw, const cJSON *item, struct ps_raw_profile *profile)
{
	const cJSON *values[3];
	size_t count;

	profile->object = item;
	check_key(raw, item, manifest_value_is_name(item->string), NAME_RULE);
	manifest_raw_object(raw, item, "an object with \"offset\", \"services\" or \"when\"", profile_fields, 3, values);
	profile->offset = values[0];
	profile->when = values[2];
	if (!values[1])
		return;
	count = count_children(values[1]);
	profile->overrides = make(raw, count, sizeof(*profile->overrides));
	manifest_raw_unique(raw, values[1], true);
	for (const cJSON *child = values[1]->child; profile->overrides && child; child = child->next) {
		struct ps_raw_override *override = &profile->overrides[profile->override_count];
		long index = manifest_raw_service(raw, child->string, strlen(child->string));

		read_service(raw, child, &override->raw, false);
		if (!check_key(raw, child, manifest_value_is_service_name(child->string), SERVICE_RULE))
			continue;
		if (index < 0) {
			report_unknown_service(raw, child);
			continue;
		}
		override->service = (uint32_t)index;
		profile->override_count++;
	}
}

static bool read_profiles(struct ps_raw *raw, const cJSON *item)
{
	if (!cJSON_IsObject(item))
		return manifest_value_wrong_type(raw, item, "an object of profiles", NULL);
	manifest_raw_unique(raw, item, true);
	raw->profiles = make(raw, count_children(item), sizeof(*raw->profiles));
	for (const cJSON *child = item->child; raw->profiles && child; child = child->next)
		read_profile(raw, child, &raw->profiles[raw->profile_count++]);
	return true;
}

/* ---- rules: which ports belong to whom, and how new ones are found ---- */

static const struct ps_raw_field rule_fields[] = {
	{ "range", manifest_value_spans },
	{ "services", manifest_value_names },
	{ "profiles", manifest_value_profiles },
};

static const struct ps_raw_field allocate_fields[] = {
	{ "base", manifest_value_port },
	{ "avoid", manifest_value_ports },
};

static bool require(struct ps_raw *raw, const cJSON *item, const char *key, const char *hint)
{
	if (!cJSON_IsObject(item) || said(item, key))
		return true;
	manifest_raw_report(raw, item, true, "missing-key", hint, "the key \"%s\" is missing", key);
	return false;
}

static void check_text_key(struct ps_raw *raw, const cJSON *item)
{
	check_key(raw, item, manifest_value_is_clean(item->string), "expected text without control characters");
}

static void read_rules(struct ps_raw *raw, const cJSON *item)
{
	const cJSON *values[3];

	if (!cJSON_IsObject(item)) {
		manifest_value_wrong_type(raw, item, "an object of rules, like {\"fronts\": {\"range\": \"3000-3099\", "
						     "\"services\": [\"web\"]}}", NULL);
		return;
	}
	manifest_raw_unique(raw, item, true);
	raw->rules = make(raw, count_children(item), sizeof(*raw->rules));
	for (const cJSON *child = item->child; raw->rules && child; child = child->next) {
		check_text_key(raw, child);
		manifest_raw_object(raw, child, "an object with \"range\", \"services\" and perhaps \"profiles\"", rule_fields, 3,
			     values);
		require(raw, child, "range", "write \"range\": \"FIRST-LAST\"");
		require(raw, child, "services", "write \"services\": [\"NAME\"]");
		raw->rules[raw->rule_count++] = (struct ps_raw_rule){ child, values[0], values[1], values[2] };
	}
}

static void read_allocate(struct ps_raw *raw, const cJSON *item)
{
	const cJSON *values[2];

	if (!cJSON_IsObject(item)) {
		manifest_value_wrong_type(raw, item, "an object of rules, like {\"backend\": {\"base\": 4000}}", NULL);
		return;
	}
	manifest_raw_unique(raw, item, true);
	raw->allocations = make(raw, count_children(item), sizeof(*raw->allocations));
	for (const cJSON *child = item->child; raw->allocations && child; child = child->next) {
		check_key(raw, child, manifest_value_is_service_name(child->string), SERVICE_RULE);
		manifest_raw_object(raw, child, "an object with \"base\" and perhaps \"avoid\"", allocate_fields, 2, values);
		require(raw, child, "base", "write \"base\": PORT, where counting begins");
		raw->allocations[raw->allocation_count++] = (struct ps_raw_allocate){ child, values[0], values[1] };
	}
}

bool manifest_raw_rule_span(const struct ps_raw *raw, const cJSON *item, uint16_t *first, uint16_t *last)
{
	long index;

	if (cJSON_IsNumber(item))
		*first = *last = (uint16_t)item->valuedouble;
	else if (!manifest_value_parse_span(item->valuestring, first, last)) {
		index = manifest_raw_range(raw, item->valuestring);
		if (index < 0)
			return false;
		*first = raw->ranges[index].first;
		*last = raw->ranges[index].last;
	}
	return *first && *first <= *last;
}

static const struct ps_raw_field defaults_fields[] = {
	{ "strategy", manifest_value_strategy },
	{ "report", manifest_value_report },
	{ "range", manifest_value_range },
	{ "os", manifest_value_bool },
	{ "fallback", manifest_value_bool },
	{ "yields", manifest_value_bool },
};

static bool read_defaults(struct ps_raw *raw, const cJSON *item)
{
	const cJSON *values[6];

	manifest_raw_object(raw, item,
			    "an object with \"strategy\", \"report\", \"range\", \"os\", \"fallback\" or \"yields\"",
			    defaults_fields, 6, values);
	raw->strategy = values[0];
	raw->report = values[1];
	raw->range = values[2];
	raw->os = values[3];
	raw->fallback = values[4];
	raw->yields = values[5];
	return true;
}

static bool read_version(struct ps_raw *raw, const cJSON *item)
{
	if (!cJSON_IsNumber(item))
		return manifest_value_wrong_type(raw, item, "the number 1", NULL);
	return item->valuedouble == 1 ||
	       manifest_value_bad(raw, item, "bad-version", "1",
				  item->valuedouble > 1 ? "this portshim knows version 1 only" : NULL);
}

static bool read_project(struct ps_raw *raw, const cJSON *item)
{
	if (!manifest_value_string(raw, item, "the name of the project"))
		return false;
	if (!manifest_value_is_name(item->valuestring))
		return manifest_value_bad(
			raw, item, "bad-name",
			"a name of 1 to 63 letters, digits, `_`, `.` or `-`, not beginning with `.` or `-`", NULL);
	raw->project = item;
	return true;
}

static bool read_schema(struct ps_raw *raw, const cJSON *item)
{
	return manifest_value_clean(raw, item, "the address of a JSON Schema");
}

/* Profiles are read when the services are known, wherever they stand. */
static bool read_later(struct ps_raw *raw, const cJSON *item)
{
	(void)raw;
	(void)item;
	return true;
}

static const struct ps_raw_field root_fields[] = {
	{ "version", read_version },   { "project", read_project },   { "ranges", read_ranges },
	{ "services", read_services }, { "defaults", read_defaults }, { "profiles", read_later },
	{ "$schema", read_schema },    { "rules", read_later },       { "allocate", read_later },
	{ "files", manifest_files_read },
};

#define ROOT_COUNT (sizeof(root_fields) / sizeof(root_fields[0]))

void manifest_raw_read(struct ps_raw *raw)
{
	const cJSON *values[ROOT_COUNT];

	if (!cJSON_IsObject(raw->root)) {
		manifest_value_wrong_type(raw, raw->root, "an object, like {\"version\": 1, \"services\": {}}", NULL);
		return;
	}
	/* A second "services" would be read into the memory of the first. */
	if (!manifest_raw_unique(raw, raw->root, true))
		return;
	manifest_raw_object(raw, raw->root, "", root_fields, ROOT_COUNT, values);
	if (values[5])
		read_profiles(raw, values[5]);
	if (values[7])
		read_rules(raw, values[7]);
	if (values[8])
		read_allocate(raw, values[8]);
	if (!said(raw->root, "version"))
		manifest_raw_report(raw, raw->root, false, "missing-key", "write \"version\": 1 first",
				    "the key \"version\" is missing");
}

void manifest_raw_free(struct ps_raw *raw)
{
	for (size_t i = 0; i < raw->profile_count; i++)
		free(raw->profiles[i].overrides);
	free(raw->profiles);
	free(raw->rules);
	free(raw->allocations);
	free(raw->services);
	free(raw->ranges);
	free(raw->service_names);
	free(raw->range_names);
	json_text_free(&raw->text);
}
