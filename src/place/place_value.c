/*
 * place_value.c - where in a value the port is.
 *
 * Theory of operation: a value is looked at as what people write where ports stand: the number itself, a URL,
 * HOST:PORT, or a mapping of one port to another, 127.0.0.1:9000:80/tcp. What could be read in two ways, or has the
 * number come from somewhere else (a variable), is refused in words rather than guessed. A variable's default,
 * ${WEB_PORT:-9000}, is a number that stands here and counts as such.
 *
 * Colons, slashes and dashes inside of ${...} and of [...] (an IPv6 address) separate nothing.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "place_tree.h"

#define DIGITS_MAX 10
#define PARTS_MAX 16

struct span {
	size_t start, end;
};

bool place_fault(struct ps_place_fault *fault, size_t offset, const char *code, const char *format, ...)
{
	va_list ap;

	fault->offset = offset;
	fault->code = code;
	fault->hint[0] = '\0';
	va_start(ap, format);
	vsnprintf(fault->text, sizeof(fault->text), format, ap);
	va_end(ap);
	return false;
}

bool place_fault_hint(struct ps_place_fault *fault, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(fault->hint, sizeof(fault->hint), format, ap);
	va_end(ap);
	return false;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* ---- a port by itself ---- */

enum port_kind { PORT_NUMBER, PORT_VARIABLE, PORT_RANGE, PORT_EMPTY, PORT_OTHER };

static size_t digits(const char *value, size_t start, size_t end)
{
	size_t at = start;

	while (at < end && is_digit(value[at]))
		at++;
	return at - start;
}

/* ${NAME:-9000} or ${NAME-9000}: the number's span in *span. */
static bool variable_default(const char *value, struct span *span)
{
	size_t at = span->start + 2;

	if (span->end - span->start < 5 || strncmp(value + span->start, "${", 2) != 0 || value[span->end - 1] != '}')
		return false;
	while (at < span->end && (isalnum((unsigned char)value[at]) || value[at] == '_'))
		at++;
	if (at == span->start + 2)
		return false;
	at += value[at] == ':';
	if (value[at] != '-' || digits(value, at + 1, span->end) != span->end - 1 - (at + 1) || at + 2 >= span->end)
		return false;
	*span = (struct span){ at + 1, span->end - 1 };
	return true;
}

/* What stands there; the span becomes that of the number. */
static enum port_kind port_kind(const char *value, struct span *span)
{
	size_t length = span->end - span->start, first;

	if (length == 0)
		return PORT_EMPTY;
	variable_default(value, span);
	length = span->end - span->start;
	if (digits(value, span->start, span->end) == length)
		return length <= DIGITS_MAX ? PORT_NUMBER : PORT_OTHER;
	if (memchr(value + span->start, '$', length))
		return PORT_VARIABLE;
	first = digits(value, span->start, span->end);
	if (first > 0 && span->start + first + 1 < span->end && value[span->start + first] == '-' &&
	    digits(value, span->start + first + 1, span->end) == length - first - 1)
		return PORT_RANGE;
	return PORT_OTHER;
}

static bool port_refused(struct ps_place_fault *fault, enum port_kind kind, const char *value, struct span span,
			 const char *where)
{
	int length = (int)(span.end - span.start > 60 ? 60 : span.end - span.start);

	switch (kind) {
	case PORT_VARIABLE:
		place_fault(fault, span.start, "variable", "`%.*s` %s is a variable: the number stands somewhere else",
			    length, value + span.start, where);
		return place_fault_hint(fault,
					"name the place where the variable is set, or write a default: ${NAME:-9000}");
	case PORT_RANGE:
		place_fault(fault, span.start, "port-range", "`%.*s` %s is a range of ports, not one", length,
			    value + span.start, where);
		return place_fault_hint(fault, "publish each port by an entry of its own");
	case PORT_EMPTY:
		return place_fault(fault, span.start, "no-port", "there is no port %s", where);
	default:
		return place_fault(fault, span.start, "no-port", "`%.*s` %s is no port", length, value + span.start,
				   where);
	}
}

static bool port_at(struct ps_place_fault *fault, const char *value, struct span span, const char *where, size_t *start,
		    size_t *length)
{
	enum port_kind kind = port_kind(value, &span);

	if (kind != PORT_NUMBER)
		return port_refused(fault, kind, value, span, where);
	*start = span.start;
	*length = span.end - span.start;
	return true;
}

/* ---- what separates ---- */

/* The next one of `stops` outside of braces and brackets, or the end. */
static size_t find_stop(const char *value, size_t at, size_t end, const char *stops)
{
	int braces = 0, brackets = 0;

	for (; at < end; at++) {
		char c = value[at];

		if (c == '$' && at + 1 < end && value[at + 1] == '{')
			braces++, at++;
		else if (c == '}' && braces > 0)
			braces--;
		else if (c == '[' && !braces)
			brackets++;
		else if (c == ']' && brackets > 0)
			brackets--;
		else if (!braces && !brackets && strchr(stops, c))
			return at;
	}
	return end;
}

static unsigned split(const char *value, struct span span, char at, struct span *parts)
{
	const char stops[2] = { at, '\0' };
	unsigned count = 0;

	for (size_t start = span.start;; count++) {
		size_t stop = find_stop(value, start, span.end, stops);

		if (count < PARTS_MAX)
			parts[count] = (struct span){ start, stop };
		if (stop == span.end)
			return count + 1;
		start = stop + 1;
	}
}

/* ---- URL and HOST:PORT ---- */

static bool several(struct ps_place_fault *fault, size_t offset, const char *what)
{
	place_fault(fault, offset, "several-ports", "there are several %s here, and no telling which port is meant",
		    what);
	return place_fault_hint(fault, "list the file with the format \"text\" and a pattern for this one");
}

/* The port behind a host, [USER[:PASSWORD]@]HOST[:PORT], in span. */
static bool find_authority(const char *value, struct span span, const char *scheme, size_t scheme_length, size_t *start,
			   size_t *length, struct ps_place_fault *fault)
{
	size_t at = span.start, colon;

	for (size_t i = span.start; i < span.end; i++) {
		if (value[i] == '@')
			at = i + 1;
	}
	if (find_stop(value, at, span.end, ",") < span.end)
		return several(fault, at, "hosts");
	colon = find_stop(value, at, span.end, ":");
	if (colon == span.end || colon + 1 == span.end) {
		place_fault(fault, at, "no-port", "this URL has no port, so that of `%.*s` is meant",
			    (int)(scheme_length > 40 ? 40 : scheme_length), scheme);
		return place_fault_hint(fault, "write the port behind the host");
	}
	if (find_stop(value, colon + 1, span.end, ":") < span.end) {
		place_fault(fault, at, "no-port", "this host has colons and is not in brackets");
		return place_fault_hint(fault, "an IPv6 address stands in brackets: http://[::1]:9000");
	}
	return port_at(fault, value, (struct span){ colon + 1, span.end }, "behind the host", start, length);
}

static bool find_url(const char *value, const char *mark, size_t *start, size_t *length, struct ps_place_fault *fault)
{
	size_t end = strlen(value), authority = (size_t)(mark - value) + 3, scheme = (size_t)(mark - value);

	if (strstr(mark + 3, "://"))
		return several(fault, (size_t)(mark - value), "URLs");
	while (scheme > 0 && (isalnum((unsigned char)value[scheme - 1]) || strchr("+.-", value[scheme - 1])))
		scheme--;
	end = find_stop(value, authority, end, "/?#;\"' \t\n<>");
	return find_authority(value, (struct span){ authority, end }, value + scheme, (size_t)(mark - value) - scheme,
			      start, length, fault);
}

/* ---- mappings ---- */

/* Without "/tcp" and the like. */
static size_t without_protocol(const char *value)
{
	static const char *const protocols[] = { "tcp", "udp", "sctp" };
	size_t end = strlen(value), slash = find_stop(value, 0, end, "/");

	for (unsigned i = 0; slash < end && i < 3; i++) {
		if (strcasecmp(value + slash + 1, protocols[i]) == 0)
			return slash;
	}
	return end;
}

static bool port_like(const char *value, struct span span)
{
	enum port_kind kind = port_kind(value, &span);

	return kind == PORT_NUMBER || kind == PORT_RANGE || kind == PORT_VARIABLE;
}

/* HOST:PORT, where HOST is a name or an address. */
static bool is_endpoint(const char *value, const struct span *parts, unsigned count)
{
	if (count != 2 || port_like(value, parts[0]))
		return false;
	for (size_t i = parts[0].start; i < parts[0].end; i++) {
		if (!isalnum((unsigned char)value[i]) && !strchr("._-[]:*%?", value[i]))
			return false;
	}
	return true;
}

/* A:B or ADDRESS:A:B. Three numbers are a time, and more a bare IPv6 address. */
static bool is_mapping(const char *value, const struct span *parts, unsigned count)
{
	if (count == 3 && !memchr(value + parts[0].start, '.', parts[0].end) && value[parts[0].start] != '[')
		return false;
	return count <= 3 && port_like(value, parts[count - 2]);
}

bool place_value_find(const char *value, enum ps_place_side side, bool entry, size_t *start, size_t *length,
		      struct ps_place_fault *fault)
{
	const char *mark = side == PS_SIDE_ANY && !entry ? strstr(value, "://") : NULL;
	struct span whole = { 0, strlen(value) }, parts[PARTS_MAX];
	unsigned count;

	if (mark)
		return find_url(value, mark, start, length, fault);
	if (side == PS_SIDE_ANY && !entry && find_stop(value, 0, whole.end, ":") == whole.end &&
	    port_like(value, whole))
		return port_at(fault, value, whole, "here", start, length);
	whole.end = without_protocol(value);
	count = split(value, whole, ':', parts);
	if (count > PARTS_MAX)
		return place_fault(fault, 0, "no-port", "this has too many colons to be a port");
	if (count == 1 && (side == PS_SIDE_TARGET || (side == PS_SIDE_ANY && !entry && whole.end < strlen(value))))
		return port_at(fault, value, whole, "here", start, length);
	if (count == 1 && port_like(value, whole)) {
		place_fault(fault, 0, "no-port",
			    "only the target stands here: the published port is chosen by the system");
		return place_fault_hint(fault, "write both, like \"9000:9000\", or name the side: .target");
	}
	if (count >= 2 && (side != PS_SIDE_ANY || entry || is_mapping(value, parts, count)) &&
	    port_like(value, parts[count - 1])) {
		if (side == PS_SIDE_TARGET)
			return port_at(fault, value, parts[count - 1], "on the target's side", start, length);
		return port_at(fault, value, parts[count - 2], "on the published side", start, length);
	}
	whole.end = find_stop(value, 0, strlen(value), "/");
	count = split(value, whole, ':', parts);
	if (side == PS_SIDE_ANY && !entry && is_endpoint(value, parts, count))
		return port_at(fault, value, parts[1], "behind the host", start, length);
	if (value[0] == '\0')
		return place_fault(fault, 0, "no-port", "there is no value here");
	place_fault(fault, 0, "no-port", "`%.60s` is no port, and has none where a URL, HOST:PORT or A:B would", value);
	return place_fault_hint(fault, "a file of the format \"text\" takes a pattern");
}
