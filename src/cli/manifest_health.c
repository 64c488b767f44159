/*
 * manifest_health.c - the key "health" of a service.
 *
 * Theory of operation: a text says it all ("tcp", "redis", or the path of a URL), an object has the same word as its
 * key and perhaps says more. Both become one struct; nothing else of portshim knows how it was written.
 */
#include "manifest_health.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manifest_value.h"

#define EXPECTED "\"tcp\", \"postgresql\", \"redis\" or the path of a URL, like \"/health\""

/* In the order of enum ps_health_kind. */
static const char *const kinds[] = { "none", "tcp", "http", "postgresql", "redis" };

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

const char *manifest_health_name(enum ps_health_kind kind)
{
	return (size_t)kind < KINDS ? kinds[kind] : kinds[0];
}

/* ---- values ---- */

/* What can stand in the first line of a request. */
static bool check_path(struct ps_raw *raw, const cJSON *item)
{
	const char *text;
	size_t length = 0;

	if (!manifest_value_string(raw, item, "the path of a URL, like \"/health\""))
		return false;
	text = item->valuestring;
	while (text[length] > ' ' && text[length] < 0x7f)
		length++;
	if (text[0] == '/' && !text[length] && length <= PS_HEALTH_PATH_MAX)
		return true;
	return manifest_value_bad(raw, item, "bad-value",
				  "the path of a URL, like \"/health?deep=1\": ASCII, without spaces",
				  text[0] != '/'                ? "begin it with `/`"
				  : length > PS_HEALTH_PATH_MAX ? "at most 1000 characters are possible"
								: "write other characters as %XX");
}

static bool check_true(struct ps_raw *raw, const cJSON *item)
{
	return cJSON_IsTrue(item) || manifest_value_wrong_type(raw, item, "true", NULL);
}

/* "250ms", "5s", "1m": at most five, three and two digits. */
static bool parse_span(const char *text, uint32_t *ms)
{
	static const struct {
		const char *unit;
		unsigned digits, ms;
	} units[] = { { "ms", 5, 1 }, { "s", 3, 1000 }, { "m", 2, 60000 } };
	size_t digits = strspn(text, "0123456789");

	for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (digits < 1 || digits > units[i].digits || text[0] == '0' ||
		    strcmp(text + digits, units[i].unit) != 0)
			continue;
		*ms = (uint32_t)strtoul(text, NULL, 10) * units[i].ms;
		return true;
	}
	return false;
}

static bool check_span(struct ps_raw *raw, const cJSON *item)
{
	uint32_t ms;

	if (!manifest_value_string(raw, item, "a time, like \"2s\" or \"500ms\""))
		return false;
	return parse_span(item->valuestring, &ms) ||
	       manifest_value_bad(raw, item, "bad-value", "a time, like \"2s\", \"500ms\" or \"1m\"", NULL);
}

/* Whether it ends before it begins is another matter. */
static bool parse_status(const cJSON *item, uint16_t *first, uint16_t *last)
{
	const char *text = item->valuestring;

	if (cJSON_IsNumber(item)) {
		*first = *last = (uint16_t)item->valuedouble;
		return item->valuedouble >= 100 && item->valuedouble <= 599 && item->valuedouble == *first;
	}
	if (!cJSON_IsString(item) || strlen(text) != 7 || strspn(text, "0123456789") != 3 || text[3] != '-' ||
	    strspn(text + 4, "0123456789") != 3)
		return false;
	*first = (uint16_t)strtoul(text, NULL, 10);
	*last = (uint16_t)strtoul(text + 4, NULL, 10);
	return text[0] >= '1' && text[0] <= '5' && text[4] >= '1' && text[4] <= '5';
}

static bool check_status(struct ps_raw *raw, const cJSON *item)
{
	uint16_t first, last;

	if (!cJSON_IsNumber(item) && !cJSON_IsString(item))
		return manifest_value_wrong_type(raw, item, "a status of HTTP, like 200 or \"200-399\"", NULL);
	if (!parse_status(item, &first, &last))
		return manifest_value_bad(raw, item, "bad-value",
					  "a status of HTTP from 100 to 599, like 200 or \"200-399\"", NULL);
	return manifest_value_in_order(raw, item, first, last);
}

static const struct ps_raw_field fields[] = {
	{ "tcp", check_true },      { "http", check_path },   { "postgresql", check_true }, { "redis", check_true },
	{ "status", check_status }, { "timeout", check_span }, { "interval", check_span },
};

#define FIELDS (sizeof(fields) / sizeof(fields[0]))

/* Exactly one kind; and a status only where there is one. */
static bool check_together(struct ps_raw *raw, const cJSON *item)
{
	const cJSON *first = NULL, *status = cJSON_GetObjectItemCaseSensitive(item, "status");

	for (unsigned i = 1; i < KINDS; i++) {
		const cJSON *said = cJSON_GetObjectItemCaseSensitive(item, kinds[i]);

		if (said && first) {
			manifest_raw_report(raw, said, true, "exclusive-keys", "keep one of them",
					    "\"%s\" cannot stand beside \"%s\"", kinds[i], first->string);
			return false;
		}
		first = said ? said : first;
	}
	if (!first) {
		manifest_raw_report(raw, item, false, "missing-key", "write \"http\": \"/PATH\", or \"tcp\": true",
				    "one of \"http\", \"tcp\", \"postgresql\" and \"redis\" is missing");
		return false;
	}
	if (!status || strcmp(first->string, "http") == 0)
		return true;
	manifest_raw_report(raw, status, true, "exclusive-keys", NULL,
			    "\"status\" cannot stand beside \"%s\": only HTTP has one", first->string);
	return false;
}

bool manifest_health_read(struct ps_raw *raw, const cJSON *item)
{
	const cJSON *values[FIELDS];
	bool good;

	if (cJSON_IsString(item)) {
		for (unsigned i = 1; i < KINDS; i++)
			if (strcmp(item->valuestring, kinds[i]) == 0 && i != PS_HEALTH_HTTP)
				return true;
		if (item->valuestring[0] == '/')
			return check_path(raw, item);
		return manifest_value_bad(raw, item, "bad-value", EXPECTED, NULL);
	}
	if (!cJSON_IsObject(item))
		return manifest_value_wrong_type(raw, item, EXPECTED ", or an object", NULL);
	good = manifest_raw_object(raw, item, "", fields, FIELDS, values);
	return check_together(raw, item) && good;
}

/* ---- from the tree to the manifest ---- */

static bool set_path(struct ps_manifest_health *health, const char *text)
{
	health->kind = PS_HEALTH_HTTP;
	health->path = strdup(text);
	return health->path;
}

bool manifest_health_build(struct ps_manifest_health *health, const cJSON *item)
{
	const cJSON *value;

	*health = (struct ps_manifest_health){ .first = PS_HEALTH_FIRST, .last = PS_HEALTH_LAST,
					       .timeout = PS_HEALTH_TIMEOUT, .interval = PS_HEALTH_INTERVAL };
	if (!item)
		return true;
	if (cJSON_IsString(item) && item->valuestring[0] == '/')
		return set_path(health, item->valuestring);
	for (unsigned i = 1; i < KINDS; i++)
		if (cJSON_IsString(item) ? strcmp(item->valuestring, kinds[i]) == 0
					 : cJSON_HasObjectItem(item, kinds[i]))
			health->kind = (uint8_t)i;
	if (cJSON_IsString(item))
		return true;
	if ((value = cJSON_GetObjectItemCaseSensitive(item, "timeout")))
		parse_span(value->valuestring, &health->timeout);
	if ((value = cJSON_GetObjectItemCaseSensitive(item, "interval")))
		parse_span(value->valuestring, &health->interval);
	if ((value = cJSON_GetObjectItemCaseSensitive(item, "status")))
		parse_status(value, &health->first, &health->last);
	value = cJSON_GetObjectItemCaseSensitive(item, "http");
	return !value || set_path(health, value->valuestring);
}
