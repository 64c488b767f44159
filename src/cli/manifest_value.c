/*
 * manifest_value.c - what is wrong with one value of a manifest.
 *
 * Theory of operation: a function for each kind of value. It says whether the value is right, and if not, reports what
 * was found, what was expected and what to do (manifest_raw_report). None knows where in the manifest the value stands,
 * or what else is in it: whether a service of that name exists is manifest_judge.c's business. A change here belongs
 * into manifest/ports.manifest.schema.json as well; tests/cli/schema_parity.py holds the two against each other.
 */
#include "manifest_value.h"

#include <portshim/host.h>
#include <portshim/kernel.h>

#include <stdio.h>
#include <string.h>

#include "manifest_template.h"
#include "output.h"

#define NAME_LENGTH (PS_NAME_MAX - 1)
#define QUOTE_MAX 80

#define DIGITS "0123456789"

/* ---- what was found ---- */

/* The value as a message shows it. `text` holds QUOTE_MAX + 8 bytes. */
static const char *found(const struct ps_raw *raw, const cJSON *item, char *text)
{
	char clean[QUOTE_MAX];

	if (cJSON_IsString(item)) {
		snprintf(text, QUOTE_MAX + 8, "\"%s%s", output_clean(clean, 60, item->valuestring),
			 strlen(item->valuestring) < 60 ? "\"" : "...\"");
		return text;
	}
	if (cJSON_IsNumber(item)) {
		const char *source = raw->text.text + raw->text.places[item->valueint].value;

		snprintf(text, QUOTE_MAX, "%.*s", (int)strspn(source, "0123456789+-.eE"), source);
		return text;
	}
	if (cJSON_IsObject(item))
		return "an object";
	if (cJSON_IsArray(item))
		return "an array";
	return cJSON_IsNull(item) ? "null" : cJSON_IsTrue(item) ? "true" : "false";
}

bool manifest_value_wrong_type(struct ps_raw *raw, const cJSON *item, const char *expected, const char *hint)
{
	char text[QUOTE_MAX + 8];

	manifest_raw_report(raw, item, false, "wrong-type", hint, "expected %s, found %s", expected,
			    found(raw, item, text));
	return false;
}

bool manifest_value_bad(struct ps_raw *raw, const cJSON *item, const char *code, const char *expected, const char *hint)
{
	char text[QUOTE_MAX + 8];

	manifest_raw_report(raw, item, false, code, hint, "%s is wrong here: expected %s", found(raw, item, text),
			    expected);
	return false;
}

/* ---- forms of text ---- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_';
}

bool manifest_value_is_name(const char *text)
{
	size_t length = 0;

	while (is_word(text[length]) || text[length] == '.' || text[length] == '-')
		length++;
	return text[length] == '\0' && length >= 1 && length <= NAME_LENGTH && text[0] != '.' && text[0] != '-';
}

/* Only digits would be a port: on the command line, and as a key of the discovery file. */
bool manifest_value_is_service_name(const char *text)
{
	return manifest_value_is_name(text) && text[strspn(text, DIGITS)] != '\0';
}

/* A range's name begins with a letter, so that "3000-" is a range gone wrong, not a name. */
bool manifest_value_is_range_name(const char *text)
{
	return manifest_value_is_name(text) && !is_digit(text[0]);
}

static bool is_variable(const char *text)
{
	size_t length = 0;

	while (is_word(text[length]))
		length++;
	return text[length] == '\0' && length >= 1 && !is_digit(text[0]);
}

bool manifest_value_is_clean(const char *text)
{
	if (*text == '\0')
		return false;
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	}
	return true;
}

/* A port as ranges have it: no sign, no leading zero. */
static const char *span_port(const char *text, uint16_t *port)
{
	size_t length = 0;
	unsigned value = 0;

	if (text[0] == '0')
		return NULL;
	for (; length <= 5 && is_digit(text[length]); length++)
		value = value * 10 + (unsigned)(text[length] - '0');
	if (length == 0 || value > 65535)
		return NULL;
	*port = (uint16_t)value;
	return text + length;
}

bool manifest_value_parse_span(const char *text, uint16_t *first, uint16_t *last)
{
	const char *at = span_port(text, first);

	if (!at || *at != '-')
		return false;
	at = span_port(at + 1, last);
	return at && *at == '\0';
}

/* ---- values ---- */

bool manifest_value_in_order(struct ps_raw *raw, const cJSON *item, uint16_t first, uint16_t last)
{
	char hint[64];

	if (first <= last)
		return true;
	snprintf(hint, sizeof(hint), "did you mean \"%u-%u\"?", last, first);
	manifest_raw_report(raw, item, false, "range-order", hint, "the range ends at %u, before it begins at %u", last,
			    first);
	return false;
}

bool manifest_value_string(struct ps_raw *raw, const cJSON *item, const char *expected)
{
	return cJSON_IsString(item) || manifest_value_wrong_type(raw, item, expected, NULL);
}

bool manifest_value_clean(struct ps_raw *raw, const cJSON *item, const char *expected)
{
	if (!manifest_value_string(raw, item, expected))
		return false;
	return manifest_value_is_clean(item->valuestring) ||
	       manifest_value_bad(raw, item, "bad-value", "text, not empty and without control characters", NULL);
}

bool manifest_value_bool(struct ps_raw *raw, const cJSON *item)
{
	return cJSON_IsBool(item) || manifest_value_wrong_type(raw, item, "true or false",
							       cJSON_IsString(item) ? "write it without quotes" : NULL);
}

/* One of a few words. */
static bool check_word(struct ps_raw *raw, const cJSON *item, const char *const *words, unsigned count,
		       const char *code)
{
	char expected[128] = "", hint[64];
	const char *near;

	for (unsigned i = 0; i < count; i++) {
		if (cJSON_IsString(item) && strcmp(words[i], item->valuestring) == 0)
			return true;
		snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected), "%s\"%s\"",
			 i == 0           ? ""
			 : i + 1 == count ? " or "
					  : ", ",
			 words[i]);
	}
	if (!manifest_value_string(raw, item, expected))
		return false;
	near = error_suggest(item->valuestring, words, count);
	if (near)
		snprintf(hint, sizeof(hint), "did you mean \"%s\"?", near);
	return manifest_value_bad(raw, item, code, expected, near ? hint : NULL);
}

bool manifest_value_report(struct ps_raw *raw, const cJSON *item)
{
	static const char *const words[] = { "actual", "requested" };

	return check_word(raw, item, words, 2, "bad-report");
}

bool manifest_value_strategy(struct ps_raw *raw, const cJSON *item)
{
	static const char *const words[] = { "minimal", "conservative", "aggressive" };

	return check_word(raw, item, words, 3, "bad-strategy");
}

bool manifest_value_protocol(struct ps_raw *raw, const cJSON *item)
{
	static const char *const words[] = { "tcp", "udp", "both" };

	return check_word(raw, item, words, 3, "bad-protocol");
}

static bool check_integer(struct ps_raw *raw, const cJSON *item, double low, double high, const char *code,
			  const char *expected)
{
	if (!cJSON_IsNumber(item)) {
		bool digits = cJSON_IsString(item) && item->valuestring[0] &&
			      item->valuestring[strspn(item->valuestring, DIGITS)] == '\0';

		return manifest_value_wrong_type(raw, item, expected, digits ? "write it without quotes" : NULL);
	}
	if (item->valuedouble >= low && item->valuedouble <= high &&
	    item->valuedouble == (double)(long)item->valuedouble)
		return true;
	return manifest_value_bad(raw, item, code, expected, NULL);
}

bool manifest_value_port(struct ps_raw *raw, const cJSON *item)
{
	return check_integer(raw, item, 1, 65535, "bad-port", "a port, a whole number from 1 to 65535");
}

bool manifest_value_offset(struct ps_raw *raw, const cJSON *item)
{
	return check_integer(raw, item, -65534, 65534, "bad-offset", "a whole number from -65534 to 65534");
}

/* Ports that stand in a list twice. A bit each, since lists may be long. */
static bool check_ports_unique(struct ps_raw *raw, const cJSON *list)
{
	uint64_t seen[PS_BITMAP_WORDS];
	const cJSON *first;
	bool good = true;

	if (!list->child->next)
		return true;
	memset(seen, 0, sizeof(seen));
	for (const cJSON *item = list->child; item; item = item->next) {
		uint16_t port = (uint16_t)item->valuedouble;

		if (!bitmap_get(seen, port)) {
			bitmap_set(seen, port);
			continue;
		}
		good = false;
		if (raw->found.count >= PS_DIAGNOSTICS_MAX)
			break;
		for (first = list->child; first != item && (uint16_t)first->valuedouble != port;)
			first = first->next;
		manifest_raw_report(raw, item, false, "duplicate-value", "keep one of them",
				    "%u stands here a second time; the first is in line %d", port,
				    manifest_raw_line(raw, first));
	}
	return good;
}

bool manifest_value_ports(struct ps_raw *raw, const cJSON *item)
{
	bool good = true;

	if (!cJSON_IsArray(item))
		return manifest_value_wrong_type(raw, item, "an array of ports",
						 cJSON_IsNumber(item) ? "a single port is called \"port\"" : NULL);
	if (!item->child)
		return manifest_value_bad(raw, item, "bad-port", "at least one port", NULL);
	for (const cJSON *port = item->child; port; port = port->next)
		good = manifest_value_port(raw, port) && good;
	return good && check_ports_unique(raw, item);
}

/* A range where it is used: itself or by its name. Whether the name is known is judged later. */
bool manifest_value_range(struct ps_raw *raw, const cJSON *item)
{
	uint16_t first, last;

	if (!manifest_value_string(raw, item, "a range, like \"3000-3099\" or a name from \"ranges\""))
		return false;
	return manifest_value_parse_span(item->valuestring, &first, &last) ||
	       manifest_value_is_range_name(item->valuestring) ||
	       manifest_value_bad(raw, item, "bad-range",
				  "two ports from 1 to 65535, like \"3000-3099\", or a name from \"ranges\"", NULL);
}

bool manifest_value_span(struct ps_raw *raw, const cJSON *item)
{
	uint16_t first, last;

	if (!manifest_value_string(raw, item, "a range, like \"3000-3099\""))
		return false;
	return manifest_value_parse_span(item->valuestring, &first, &last) ||
	       manifest_value_bad(raw, item, "bad-range", "two ports from 1 to 65535, like \"3000-3099\"", NULL);
}

/* One part of a rule's range. */
static bool check_rule_span(struct ps_raw *raw, const cJSON *item)
{
	if (cJSON_IsNumber(item))
		return manifest_value_port(raw, item);
	return manifest_value_range(raw, item);
}

/* A rule may hold for several ranges, and for single ports. */
bool manifest_value_spans(struct ps_raw *raw, const cJSON *item)
{
	bool good = true;

	if (!cJSON_IsArray(item))
		return check_rule_span(raw, item);
	if (!item->child)
		return manifest_value_bad(raw, item, "bad-range", "at least one range or port", NULL);
	for (const cJSON *part = item->child; part; part = part->next)
		good = check_rule_span(raw, part) && good;
	return good;
}

bool manifest_value_scheme(struct ps_raw *raw, const cJSON *item)
{
	const char *text;

	if (!manifest_value_string(raw, item, "the scheme of a URL, like \"https\""))
		return false;
	text = item->valuestring;
	if (strlen(text) < PS_SCHEME_MAX && text[0] >= 'a' && text[0] <= 'z' &&
	    strspn(text, "abcdefghijklmnopqrstuvwxyz" DIGITS "+.-") == strlen(text))
		return true;
	return manifest_value_bad(
		raw, item, "bad-scheme",
		"the scheme of a URL, like \"https\": at most 13 small letters, digits, `+`, `.` and `-`",
		strstr(text, "://") ? "leave out `://` and what follows" : NULL);
}

/* Whether there is one of this name is judged later. */
bool manifest_value_service_name(struct ps_raw *raw, const cJSON *item)
{
	if (!manifest_value_string(raw, item, "the name of a service"))
		return false;
	return manifest_value_is_service_name(item->valuestring) ||
	       manifest_value_bad(raw, item, "bad-name", "the name of a service", NULL);
}

bool manifest_value_conflicts(struct ps_raw *raw, const cJSON *item)
{
	bool good = true;

	if (!cJSON_IsArray(item))
		return manifest_value_wrong_type(raw, item, "an array of names of services",
						 cJSON_IsString(item) ? "write [\"NAME\"]" : NULL);
	for (const cJSON *name = item->child; name; name = name->next)
		good = manifest_value_service_name(raw, name) && good;
	return manifest_raw_unique(raw, item, false) && good;
}

/* At least one service. */
bool manifest_value_names(struct ps_raw *raw, const cJSON *item)
{
	if (cJSON_IsArray(item) && !item->child)
		return manifest_value_bad(raw, item, "bad-name", "at least one name of a service", NULL);
	return manifest_value_conflicts(raw, item);
}

/* Names of profiles; "" is the manifest without one. */
bool manifest_value_profiles(struct ps_raw *raw, const cJSON *item)
{
	bool good = true;

	if (!cJSON_IsArray(item))
		return manifest_value_wrong_type(raw, item, "an array of names of profiles",
						 cJSON_IsString(item) ? "write [\"NAME\"]" : NULL);
	if (!item->child)
		return manifest_value_bad(raw, item, "bad-name", "at least one name of a profile", NULL);
	for (const cJSON *name = item->child; name; name = name->next) {
		if (!manifest_value_string(raw, name, "the name of a profile"))
			good = false;
		else if (name->valuestring[0] && !manifest_value_is_name(name->valuestring))
			good = manifest_value_bad(raw, name, "bad-name",
						  "the name of a profile, or \"\" for the manifest without one", NULL);
	}
	return manifest_raw_unique(raw, item, false) && good;
}

/* "PROJECT/SERVICE". */
bool manifest_value_from(struct ps_raw *raw, const cJSON *item)
{
	const char *slash;
	char project[2 * PS_NAME_MAX], *profile;

	if (!manifest_value_string(raw, item, "a service of another project, like \"auth/backend\""))
		return false;
	slash = strchr(item->valuestring, '/');
	if (slash && slash - item->valuestring < (ptrdiff_t)sizeof(project)) {
		snprintf(project, sizeof(project), "%.*s", (int)(slash - item->valuestring), item->valuestring);
		profile = strchr(project, '#');
		if (profile)
			*profile++ = '\0';
		if (manifest_value_is_name(project) && manifest_value_is_service_name(slash + 1) &&
		    (!profile || !*profile || manifest_value_is_name(profile)))
			return true;
	}
	return manifest_value_bad(raw, item, "bad-name",
				  "PROJECT/SERVICE or PROJECT#PROFILE/SERVICE, like \"auth/backend\"", NULL);
}

/* The last part of a path must be able to name a file. */
bool manifest_value_discovery(struct ps_raw *raw, const cJSON *item)
{
	const char *name, *slash;

	if (!manifest_value_clean(raw, item, "the path of a file"))
		return false;
	slash = strrchr(item->valuestring, '/');
	name = slash ? slash + 1 : item->valuestring;
	if (*name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
		return true;
	return manifest_value_bad(raw, item, "bad-path", "the path of a file, not of a directory", NULL);
}

static bool check_variable_name(struct ps_raw *raw, const cJSON *item, bool key, const char *name)
{
	char text[QUOTE_MAX];

	if (!is_variable(name))
		manifest_raw_report(
			raw, item, key, "bad-env", NULL,
			"\"%s\" cannot be a variable: expected letters, digits and `_`, not beginning with a digit",
			output_clean(text, sizeof(text), name));
	return is_variable(name);
}

static bool check_variable(struct ps_raw *raw, const cJSON *item, bool key, const char *name)
{
	char text[QUOTE_MAX];

	output_clean(text, sizeof(text), name);
	if (!check_variable_name(raw, item, key, name))
		return false;
	if (strncmp(name, "LD_", 3) == 0 || strncmp(name, "PORTSHIM_", 9) == 0) {
		manifest_raw_report(raw, item, key, "bad-env", NULL,
				    "%s cannot be set: LD_ and PORTSHIM_ belong to the loader and to portshim", text);
		return false;
	}
	return true;
}

/* What somebody who wrote {api.prt} or {prt} may have meant. */
static const char *template_hint(const struct ps_piece *piece, char *text, size_t size)
{
	static const char *const fields[] = { "port", "host", "url" };
	char field[32];
	const char *near, *start, *dot;

	if (piece->length < 2 || piece->text[piece->length - 1] != '}')
		return "a brace itself is written twice: `{{`, `}}`";
	dot = memrchr(piece->text, '.', piece->length);
	start = dot ? dot + 1 : piece->text + 1;
	snprintf(field, sizeof(field), "%.*s", (int)(piece->text + piece->length - 1 - start), start);
	near = error_suggest(field, fields, 3);
	if (!near) {
		snprintf(text, size, "of another service: {NAME.port}, {NAME.url}; a brace itself is written twice");
		return text;
	}
	snprintf(text, size, "did you mean \"%.*s%s}\"?", (int)(start - piece->text), piece->text, near);
	return text;
}

static bool check_template(struct ps_raw *raw, const cJSON *item)
{
	const char *at;
	struct ps_piece piece;
	char hint[160], part[QUOTE_MAX], cut[QUOTE_MAX];

	if (cJSON_IsTrue(item))
		return true; /* as in the array form */
	if (!manifest_value_string(raw, item, "text, like \"http://{host}:{port}\", or true"))
		return false;
	at = item->valuestring;
	if (*at && !manifest_value_is_clean(at))
		return manifest_value_bad(raw, item, "bad-template", "text without control characters", NULL);
	do
		piece = manifest_template_next(&at);
	while (piece.kind != PS_PIECE_END && piece.kind != PS_PIECE_BAD);
	if (piece.kind == PS_PIECE_END)
		return true;
	snprintf(cut, sizeof(cut), "%.*s", (int)(piece.length > 60 ? 60 : piece.length), piece.text);
	manifest_raw_report(raw, item, false, "bad-template", template_hint(&piece, hint, sizeof(hint)),
			    "`%s` is wrong here: expected {port}, {host} or {url}",
			    output_clean(part, sizeof(part), cut));
	return false;
}

bool manifest_value_env(struct ps_raw *raw, const cJSON *item)
{
	bool good = true;

	if (!cJSON_IsArray(item) && !cJSON_IsObject(item))
		return manifest_value_wrong_type(
			raw, item, "an array of variables, like [\"PORT\"], or an object of variables and templates",
			cJSON_IsString(item) ? "write [\"NAME\"]" : NULL);
	for (const cJSON *v = item->child; v; v = v->next) {
		if (cJSON_IsObject(item)) {
			good = check_variable(raw, v, true, v->string) && good;
			good = check_template(raw, v) && good;
		} else {
			good = manifest_value_string(raw, v, "the name of a variable") &&
			       check_variable(raw, v, false, v->valuestring) && good;
		}
	}
	return manifest_raw_unique(raw, item, cJSON_IsObject(item)) && good;
}

bool manifest_value_when(struct ps_raw *raw, const cJSON *item)
{
	bool good = true;

	if (!cJSON_IsObject(item))
		return manifest_value_wrong_type(raw, item, "an object of variables, like {\"CI\": \"true\"}", NULL);
	if (!item->child)
		return manifest_value_bad(raw, item, "bad-value", "at least one variable", NULL);
	for (const cJSON *v = item->child; v; v = v->next) {
		good = check_variable_name(raw, v, true, v->string) && good;
		good = manifest_value_clean(raw, v, "what the variable must be, as text") && good;
	}
	return manifest_raw_unique(raw, item, true) && good;
}

bool manifest_value_glob(struct ps_raw *raw, const cJSON *item)
{
	return manifest_value_clean(raw, item, "text with the wildcards `*` and `?`");
}
