/*
 * manifest_raw.c - a manifest as it is written: what is wrong with single values.
 *
 * Theory of operation
 *
 * A walk over the tree, object by object, each with a table of its keys and a function that checks the value of one.
 * The result is a struct of pointers into the tree; what is wrong is reported and left out, so that one fault makes one
 * finding and the rest is still looked at. Everything said here can be said in a JSON Schema, and
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

#include <portshim/kernel.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manifest_template.h"
#include "output.h"

#define NAME_LENGTH (PS_NAME_MAX - 1)
#define SCHEME_LENGTH 15
#define FEW 16
#define QUOTE_MAX 80

#define DIGITS "0123456789"

#define NAME_RULE "expected 1 to 63 letters, digits, `_`, `.` or `-`, not beginning with `.` or `-`"
#define SERVICE_RULE NAME_RULE ", and not only digits"

typedef bool check_fn(struct ps_raw *raw, const cJSON *item);

struct field {
	const char *name;
	check_fn *check;
};

/* ---- reporting ---- */

/* "services.web.ports[1]": goes down from the root to the node with this number, which in document order is in the last
 * child that does not come after it. */
static void path_of(const struct ps_raw *raw, const cJSON *item, char *path, size_t size)
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
	path_of(raw, item, path, sizeof(path));
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

static bool wrong_type(struct ps_raw *raw, const cJSON *item, const char *expected, const char *hint)
{
	char text[QUOTE_MAX + 8];

	manifest_raw_report(raw, item, false, "wrong-type", hint, "expected %s, found %s", expected,
			    found(raw, item, text));
	return false;
}

static bool bad_value(struct ps_raw *raw, const cJSON *item, const char *code, const char *expected, const char *hint)
{
	char text[QUOTE_MAX + 8];

	manifest_raw_report(raw, item, false, code, hint, "%s is wrong here: expected %s", found(raw, item, text),
			    expected);
	return false;
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

/* Reports keys of an object (strings of an array) that stand in it more than once. True if there are none. */
static bool check_unique(struct ps_raw *raw, const cJSON *parent, bool keys)
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

/* ---- forms of text ---- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_';
}

static bool is_name(const char *text)
{
	size_t length = 0;

	while (is_word(text[length]) || text[length] == '.' || text[length] == '-')
		length++;
	return text[length] == '\0' && length >= 1 && length <= NAME_LENGTH && text[0] != '.' && text[0] != '-';
}

/* Only digits would be a port: on the command line, and as a key of the discovery file. */
static bool is_service_name(const char *text)
{
	return is_name(text) && text[strspn(text, DIGITS)] != '\0';
}

/* A range's name begins with a letter, so that "3000-" is a range gone wrong, not a name. */
static bool is_range_name(const char *text)
{
	return is_name(text) && !is_digit(text[0]);
}

static bool is_variable(const char *text)
{
	size_t length = 0;

	while (is_word(text[length]))
		length++;
	return text[length] == '\0' && length >= 1 && !is_digit(text[0]);
}

static bool is_clean(const char *text)
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

bool manifest_raw_span(const char *text, uint16_t *first, uint16_t *last)
{
	const char *at = span_port(text, first);

	if (!at || *at != '-')
		return false;
	at = span_port(at + 1, last);
	return at && *at == '\0';
}

/* ---- values ---- */

static bool check_string(struct ps_raw *raw, const cJSON *item, const char *expected)
{
	return cJSON_IsString(item) || wrong_type(raw, item, expected, NULL);
}

static bool check_clean(struct ps_raw *raw, const cJSON *item, const char *expected)
{
	if (!check_string(raw, item, expected))
		return false;
	return is_clean(item->valuestring) ||
	       bad_value(raw, item, "bad-value", "text, not empty and without control characters", NULL);
}

static bool check_bool(struct ps_raw *raw, const cJSON *item)
{
	return cJSON_IsBool(item) ||
	       wrong_type(raw, item, "true or false", cJSON_IsString(item) ? "write it without quotes" : NULL);
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
			 i == 0		  ? ""
			 : i + 1 == count ? " or "
					  : ", ",
			 words[i]);
	}
	if (!check_string(raw, item, expected))
		return false;
	near = error_suggest(item->valuestring, words, count);
	if (near)
		snprintf(hint, sizeof(hint), "did you mean \"%s\"?", near);
	return bad_value(raw, item, code, expected, near ? hint : NULL);
}

static bool check_report(struct ps_raw *raw, const cJSON *item)
{
	static const char *const words[] = { "actual", "requested" };

	return check_word(raw, item, words, 2, "bad-report");
}

static bool check_strategy(struct ps_raw *raw, const cJSON *item)
{
	static const char *const words[] = { "minimal", "conservative", "aggressive" };

	return check_word(raw, item, words, 3, "bad-strategy");
}

static bool check_protocol(struct ps_raw *raw, const cJSON *item)
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

		return wrong_type(raw, item, expected, digits ? "write it without quotes" : NULL);
	}
	if (item->valuedouble >= low && item->valuedouble <= high &&
	    item->valuedouble == (double)(long)item->valuedouble)
		return true;
	return bad_value(raw, item, code, expected, NULL);
}

static bool check_port(struct ps_raw *raw, const cJSON *item)
{
	return check_integer(raw, item, 1, 65535, "bad-port", "a port, a whole number from 1 to 65535");
}

static bool check_offset(struct ps_raw *raw, const cJSON *item)
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

static bool check_ports(struct ps_raw *raw, const cJSON *item)
{
	bool good = true;

	if (!cJSON_IsArray(item))
		return wrong_type(raw, item, "an array of ports",
				  cJSON_IsNumber(item) ? "a single port is called \"port\"" : NULL);
	if (!item->child)
		return bad_value(raw, item, "bad-port", "at least one port", NULL);
	for (const cJSON *port = item->child; port; port = port->next)
		good = check_port(raw, port) && good;
	return good && check_ports_unique(raw, item);
}

/* A range where it is used: itself or by its name. Whether the name is known is judged later. */
static bool check_range(struct ps_raw *raw, const cJSON *item)
{
	uint16_t first, last;

	if (!check_string(raw, item, "a range, like \"3000-3099\" or a name from \"ranges\""))
		return false;
	return manifest_raw_span(item->valuestring, &first, &last) || is_range_name(item->valuestring) ||
	       bad_value(raw, item, "bad-range",
			 "two ports from 1 to 65535, like \"3000-3099\", or a name from \"ranges\"", NULL);
}

static bool check_span(struct ps_raw *raw, const cJSON *item)
{
	uint16_t first, last;

	if (!check_string(raw, item, "a range, like \"3000-3099\""))
		return false;
	return manifest_raw_span(item->valuestring, &first, &last) ||
	       bad_value(raw, item, "bad-range", "two ports from 1 to 65535, like \"3000-3099\"", NULL);
}

static bool check_scheme(struct ps_raw *raw, const cJSON *item)
{
	const char *text;

	if (!check_string(raw, item, "the scheme of a URL, like \"https\""))
		return false;
	text = item->valuestring;
	if (strlen(text) <= SCHEME_LENGTH && text[0] >= 'a' && text[0] <= 'z' &&
	    strspn(text, "abcdefghijklmnopqrstuvwxyz" DIGITS "+.-") == strlen(text))
		return true;
	return bad_value(raw, item, "bad-scheme",
			 "the scheme of a URL, like \"https\": at most 15 small letters, digits, `+`, `.` and `-`",
			 strstr(text, "://") ? "leave out `://` and what follows" : NULL);
}

/* Whether there is one of this name is judged later. */
static bool check_service_name(struct ps_raw *raw, const cJSON *item)
{
	if (!check_string(raw, item, "the name of a service"))
		return false;
	return is_service_name(item->valuestring) || bad_value(raw, item, "bad-name", "the name of a service", NULL);
}

static bool check_conflicts(struct ps_raw *raw, const cJSON *item)
{
	bool good = true;

	if (!cJSON_IsArray(item))
		return wrong_type(raw, item, "an array of names of services",
				  cJSON_IsString(item) ? "write [\"NAME\"]" : NULL);
	for (const cJSON *name = item->child; name; name = name->next)
		good = check_service_name(raw, name) && good;
	return check_unique(raw, item, false) && good;
}

/* The last part of a path must be able to name a file. */
static bool check_discovery(struct ps_raw *raw, const cJSON *item)
{
	const char *name, *slash;

	if (!check_clean(raw, item, "the path of a file"))
		return false;
	slash = strrchr(item->valuestring, '/');
	name = slash ? slash + 1 : item->valuestring;
	if (*name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
		return true;
	return bad_value(raw, item, "bad-path", "the path of a file, not of a directory", NULL);
}

static bool check_variable(struct ps_raw *raw, const cJSON *item, bool key, const char *name)
{
	char text[QUOTE_MAX];

	output_clean(text, sizeof(text), name);
	if (!is_variable(name)) {
		manifest_raw_report(
			raw, item, key, "bad-env", NULL,
			"\"%s\" cannot be a variable: expected letters, digits and `_`, not beginning with a digit",
			text);
		return false;
	}
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

	if (!check_string(raw, item, "text, like \"http://{host}:{port}\""))
		return false;
	at = item->valuestring;
	if (*at && !is_clean(at))
		return bad_value(raw, item, "bad-template", "text without control characters", NULL);
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

static bool check_env(struct ps_raw *raw, const cJSON *item)
{
	bool good = true;

	if (!cJSON_IsArray(item) && !cJSON_IsObject(item))
		return wrong_type(raw, item,
				  "an array of variables, like [\"PORT\"], or an object of variables and templates",
				  cJSON_IsString(item) ? "write [\"NAME\"]" : NULL);
	for (const cJSON *v = item->child; v; v = v->next) {
		if (cJSON_IsObject(item)) {
			good = check_variable(raw, v, true, v->string) && good;
			good = check_template(raw, v) && good;
		} else {
			good = check_string(raw, v, "the name of a variable") &&
			       check_variable(raw, v, false, v->valuestring) && good;
		}
	}
	return check_unique(raw, item, cJSON_IsObject(item)) && good;
}

/* ---- objects ---- */

static void report_unknown(struct ps_raw *raw, const cJSON *item, const struct field *fields, unsigned count)
{
	const char *names[PS_KEY_COUNT + 4], *near;
	char hint[512] = "the keys here are ", text[QUOTE_MAX];

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

/* Checks an object's keys and values. values[i] is what fields[i] has, NULL if it is not there or wrong. */
static bool check_object(struct ps_raw *raw, const cJSON *object, const char *expected, const struct field *fields,
			 unsigned count, const cJSON **values)
{
	bool good;

	for (unsigned i = 0; i < count; i++)
		values[i] = NULL;
	if (!cJSON_IsObject(object))
		return wrong_type(raw, object, expected, NULL);
	good = check_unique(raw, object, true);
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

static bool check_glob(struct ps_raw *raw, const cJSON *item)
{
	return check_clean(raw, item, "text with the wildcards `*` and `?`");
}

static const struct field match_fields[] = {
	{ "command", check_glob },
	{ "args", check_glob },
	{ "directory", check_glob },
};

static bool check_match(struct ps_raw *raw, const cJSON *item)
{
	const cJSON *values[3];

	if (!check_object(raw, item, "an object with \"command\", \"args\" or \"directory\"", match_fields, 3, values))
		return false;
	return item->child ||
	       bad_value(raw, item, "bad-value", "at least one of \"command\", \"args\" and \"directory\"", NULL);
}

/* In the order of enum ps_key. */
static const struct field service_fields[PS_KEY_COUNT] = {
	{ "port", check_port },
	{ "ports", check_ports },
	{ "inherit", check_service_name },
	{ "range", check_range },
	{ "protocol", check_protocol },
	{ "scheme", check_scheme },
	{ "env", check_env },
	{ "match", check_match },
	{ "report", check_report },
	{ "strategy", check_strategy },
	{ "os", check_bool },
	{ "external", check_bool },
	{ "discovery", check_discovery },
	{ "conflicts", check_conflicts },
};

static const cJSON *said(const cJSON *object, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(object, key);
}

/* Keys that exclude one another, also where a value is wrong. */
static bool check_together(struct ps_raw *raw, const cJSON *object)
{
	static const enum ps_key never[] = { PS_KEY_PORT,     PS_KEY_PORTS,    PS_KEY_RANGE,	PS_KEY_PROTOCOL,
					     PS_KEY_MATCH,    PS_KEY_REPORT,   PS_KEY_STRATEGY, PS_KEY_OS,
					     PS_KEY_EXTERNAL, PS_KEY_DISCOVERY };
	const cJSON *item;
	bool good = true;

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
			"a service that inherits has \"scheme\", \"env\" and \"conflicts\"",
			"\"%s\" cannot stand beside \"inherit\", which takes it over from the other service",
			item->string);
		good = false;
	}
	return good;
}

static bool read_service(struct ps_raw *raw, const cJSON *item, struct ps_raw_service *service, bool whole)
{
	service->object = item;
	service->broken = !check_object(raw, item, "an object that describes a service", service_fields, PS_KEY_COUNT,
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
		return wrong_type(raw, item, "an object of services", NULL);
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
		if (!check_key(raw, child, is_service_name(child->string), SERVICE_RULE))
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
		return wrong_type(raw, item, "an object of ranges, like {\"frontend\": \"3000-3099\"}", NULL);
	raw->ranges = make(raw, count, sizeof(*raw->ranges));
	raw->range_names = sort_names(raw, item, true, &count);
	if (!raw->ranges || !check_neighbours(raw, item, true, raw->range_names, count))
		good = false;
	for (const cJSON *child = item->child; raw->ranges && child; child = child->next) {
		struct ps_raw_range *range = &raw->ranges[raw->range_count++];

		range->item = child;
		check_key(raw, child, is_range_name(child->string), NAME_RULE " and not with a digit");
		if (check_span(raw, child))
			manifest_raw_span(child->valuestring, &range->first, &range->last);
	}
	return good;
}

static bool check_any_object(struct ps_raw *raw, const cJSON *item)
{
	return cJSON_IsObject(item) || wrong_type(raw, item, "an object of services", NULL);
}

static const struct field profile_fields[] = {
	{ "offset", check_offset },
	{ "services", check_any_object },
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
	manifest_raw_report(
		raw, item, true, "unknown-service", near ? hint : "a profile changes services, it does not add any",
		"there is no service \"%s\" outside of the profile", output_clean(text, sizeof(text), item->string));
	free(names);
}

static void read_profile(struct ps_raw *raw, const cJSON *item, struct ps_raw_profile *profile)
{
	const cJSON *values[2];
	size_t count;

	profile->object = item;
	check_key(raw, item, is_name(item->string), NAME_RULE);
	check_object(raw, item, "an object with \"offset\" or \"services\"", profile_fields, 2, values);
	profile->offset = values[0];
	if (!values[1])
		return;
	count = count_children(values[1]);
	profile->overrides = make(raw, count, sizeof(*profile->overrides));
	check_unique(raw, values[1], true);
	for (const cJSON *child = values[1]->child; profile->overrides && child; child = child->next) {
		struct ps_raw_override *override = &profile->overrides[profile->override_count];
		long index = manifest_raw_service(raw, child->string, strlen(child->string));

		read_service(raw, child, &override->raw, false);
		if (!check_key(raw, child, is_service_name(child->string), SERVICE_RULE))
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
		return wrong_type(raw, item, "an object of profiles", NULL);
	check_unique(raw, item, true);
	raw->profiles = make(raw, count_children(item), sizeof(*raw->profiles));
	for (const cJSON *child = item->child; raw->profiles && child; child = child->next)
		read_profile(raw, child, &raw->profiles[raw->profile_count++]);
	return true;
}

static const struct field defaults_fields[] = {
	{ "strategy", check_strategy },
	{ "report", check_report },
	{ "range", check_range },
	{ "os", check_bool },
};

static bool read_defaults(struct ps_raw *raw, const cJSON *item)
{
	const cJSON *values[4];

	check_object(raw, item, "an object with \"strategy\", \"report\", \"range\" or \"os\"", defaults_fields, 4,
		     values);
	raw->strategy = values[0];
	raw->report = values[1];
	raw->range = values[2];
	raw->os = values[3];
	return true;
}

static bool read_version(struct ps_raw *raw, const cJSON *item)
{
	if (!cJSON_IsNumber(item))
		return wrong_type(raw, item, "the number 1", NULL);
	return item->valuedouble == 1 || bad_value(raw, item, "bad-version", "1",
						   item->valuedouble > 1 ? "this portshim knows version 1 only" : NULL);
}

static bool read_project(struct ps_raw *raw, const cJSON *item)
{
	if (!check_string(raw, item, "the name of the project"))
		return false;
	if (!is_name(item->valuestring))
		return bad_value(raw, item, "bad-name",
				 "a name of 1 to 63 letters, digits, `_`, `.` or `-`, not beginning with `.` or `-`",
				 NULL);
	raw->project = item;
	return true;
}

static bool read_schema(struct ps_raw *raw, const cJSON *item)
{
	return check_clean(raw, item, "the address of a JSON Schema");
}

/* Profiles are read when the services are known, wherever they stand. */
static bool read_later(struct ps_raw *raw, const cJSON *item)
{
	(void)raw;
	(void)item;
	return true;
}

static const struct field root_fields[] = {
	{ "version", read_version },   { "project", read_project },   { "ranges", read_ranges },
	{ "services", read_services }, { "defaults", read_defaults }, { "profiles", read_later },
	{ "$schema", read_schema },
};

#define ROOT_COUNT (sizeof(root_fields) / sizeof(root_fields[0]))

void manifest_raw_read(struct ps_raw *raw)
{
	const cJSON *values[ROOT_COUNT];

	if (!cJSON_IsObject(raw->root)) {
		wrong_type(raw, raw->root, "an object, like {\"version\": 1, \"services\": {}}", NULL);
		return;
	}
	/* A second "services" would be read into the memory of the first. */
	if (!check_unique(raw, raw->root, true))
		return;
	check_object(raw, raw->root, "", root_fields, ROOT_COUNT, values);
	if (values[5])
		read_profiles(raw, values[5]);
	if (!said(raw->root, "version"))
		manifest_raw_report(raw, raw->root, false, "missing-key", "write \"version\": 1 first",
				    "the key \"version\" is missing");
}

void manifest_raw_free(struct ps_raw *raw)
{
	for (size_t i = 0; i < raw->profile_count; i++)
		free(raw->profiles[i].overrides);
	free(raw->profiles);
	free(raw->services);
	free(raw->ranges);
	free(raw->service_names);
	free(raw->range_names);
	json_text_free(&raw->text);
}
