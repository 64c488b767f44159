/*
 * json.c - findings for programs: plain JSON, and SARIF 2.1.0 (OASIS), which code scanners read.
 *
 * SARIF wants a path relative to the top of the repository as a URI: the path as it is shown, which is relative to the
 * working directory, with what a URI cannot hold percent-encoded. Who checks from another directory than the top gets
 * paths from there. A column is a number of bytes, as everywhere in portshim; SARIF counts UTF-16 units, which is the
 * same for lines in ASCII.
 */
#include "finding.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../cli/output.h"

cJSON *finding_json(const struct ps_findings *findings)
{
	cJSON *list = cJSON_CreateArray();

	for (size_t i = 0; i < findings->count; i++) {
		const struct ps_finding *f = &findings->list[i];
		cJSON *entry = cJSON_CreateObject();

		output_json_text(entry, "file", f->file);
		if (f->line) {
			cJSON_AddNumberToObject(entry, "line", f->line);
			cJSON_AddNumberToObject(entry, "column", f->column);
		}
		cJSON_AddStringToObject(entry, "severity", finding_severity(f->severity));
		cJSON_AddStringToObject(entry, "code", f->code);
		output_json_text(entry, "key", f->key);
		output_json_text(entry, "text", f->text);
		if (f->hint)
			output_json_text(entry, "hint", f->hint);
		cJSON_AddItemToArray(list, entry);
	}
	return list;
}

/* The path as a URI reference; malloc'ed. */
static char *uri(const char *path)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
	char *result = malloc(strlen(path) * 3 + 8), *out = result;

	if (!result)
		return NULL;
	if (path[0] == '/')
		out = stpcpy(out, "file://");
	for (; *path; path++) {
		if (strchr(plain, *path))
			*out++ = *path;
		else
			out += sprintf(out, "%%%02X", (unsigned)(uint8_t)*path);
	}
	*out = '\0';
	return result;
}

static void add_message(cJSON *to, const char *name, const char *text, const char *hint)
{
	cJSON *message = cJSON_AddObjectToObject(to, name);
	char *both = malloc(strlen(text) + (hint ? strlen(hint) : 0) + 16);

	if (both) {
		char *end = stpcpy(both, text);

		if (hint)
			stpcpy(stpcpy(end, "\nhint: "), hint);
		output_json_text(message, "text", both);
	}
	free(both);
}

static cJSON *location(const struct ps_finding *f)
{
	cJSON *entry = cJSON_CreateObject(), *physical = cJSON_AddObjectToObject(entry, "physicalLocation");
	cJSON *file = cJSON_AddObjectToObject(physical, "artifactLocation"), *region;
	char *address = uri(f->file);

	if (address)
		cJSON_AddStringToObject(file, "uri", address);
	free(address);
	if (f->line) {
		region = cJSON_AddObjectToObject(physical, "region");
		cJSON_AddNumberToObject(region, "startLine", f->line);
		cJSON_AddNumberToObject(region, "startColumn", f->column);
	}
	return entry;
}

static int rule_index(const char *code)
{
	for (int i = 0; finding_codes[i].code; i++)
		if (strcmp(finding_codes[i].code, code) == 0)
			return i;
	return -1;
}

static void add_result(cJSON *results, const struct ps_finding *f)
{
	cJSON *result = cJSON_CreateObject(), *locations;
	int rule = rule_index(f->code);

	cJSON_AddStringToObject(result, "ruleId", f->code);
	if (rule >= 0)
		cJSON_AddNumberToObject(result, "ruleIndex", rule);
	cJSON_AddStringToObject(result, "level", finding_severity(f->severity));
	add_message(result, "message", f->text, f->hint);
	locations = cJSON_AddArrayToObject(result, "locations");
	cJSON_AddItemToArray(locations, location(f));
	cJSON_AddItemToArray(results, result);
}

cJSON *finding_sarif(const struct ps_findings *findings)
{
	cJSON *log = cJSON_CreateObject(), *runs, *run, *driver, *rules, *results;

	cJSON_AddStringToObject(log, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
	cJSON_AddStringToObject(log, "version", "2.1.0");
	runs = cJSON_AddArrayToObject(log, "runs");
	run = cJSON_CreateObject();
	cJSON_AddItemToArray(runs, run);
	driver = cJSON_AddObjectToObject(cJSON_AddObjectToObject(run, "tool"), "driver");
	cJSON_AddStringToObject(driver, "name", "portshim");
	cJSON_AddStringToObject(driver, "version", PORTSHIM_VERSION);
	rules = cJSON_AddArrayToObject(driver, "rules");
	for (const struct ps_finding_code *code = finding_codes; code->code; code++) {
		cJSON *rule = cJSON_CreateObject();

		cJSON_AddStringToObject(rule, "id", code->code);
		add_message(rule, "shortDescription", code->summary, NULL);
		cJSON_AddItemToArray(rules, rule);
	}
	results = cJSON_AddArrayToObject(run, "results");
	for (size_t i = 0; results && i < findings->count; i++)
		add_result(results, &findings->list[i]);
	return log;
}
