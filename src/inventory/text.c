/*
 * text.c - ports that the text itself shows: URLs, host:port, "8080:80", ${PORT:-3000}, /dev/tcp/host/5432.
 */
#include "scanner.h"

#include <string.h>

static bool is_end(const char *text, uint32_t at, uint32_t until)
{
	return at >= until || !(lex_is_name(text[at]) || text[at] == '.' || text[at] == '%');
}

/* Where the digits at `at` end. */
static uint32_t digits_end(const char *text, uint32_t at, uint32_t until)
{
	while (at < until && lex_is_digit(text[at]))
		at++;
	return at;
}

/* ---- ${PORT:-3000}, ${PORT:3000}, {$PORT:3000} ---- */

/* At the brace. What is behind the sign is looked at by the caller, like any text: a default may be a URL. */
static void default_value(struct ps_scanner *s, const struct ps_text_place *p, uint32_t brace)
{
	const char *text = s->text;
	uint32_t name = brace + 1, at, digits, end;
	bool port;

	if (name < p->until && text[name] == '$')
		name++;
	for (at = name; at < p->until && (lex_is_name(text[at]) || text[at] == '.' || text[at] == '-'); at++)
		if (text[at] == '-' && at + 1 < p->until && lex_is_digit(text[at + 1]))
			break;
	digits = at;
	while (digits < p->until && strchr(":-=?+", text[digits]) && digits - at < 2)
		digits++;
	if (digits == at || digits >= p->until || at == name)
		return;
	end = digits_end(text, digits, p->until);
	if (end == digits || end >= p->until || text[end] != '}')
		return;
	port = words_port(text + name, at - name) != PS_NO_PORT || p->key != PS_NO_PORT;
	/* "${WEB:-8080}:80" among mappings. */
	if (port || p->mapping)
		scanner_add(s, p, digits, end, PS_USE_DEFAULT, PS_CERTAIN, false, false);
}

/* ---- URLs ---- */

static bool ends_authority(char c)
{
	return (unsigned char)c <= ' ' || strchr("/?#\"'`<>\\|^", c) != NULL;
}

/* One host of the authority, behind its user: the digits behind the last colon. */
static void url_host(struct ps_scanner *s, const struct ps_text_place *p, uint32_t from, uint32_t until)
{
	const char *text = s->text;
	uint32_t colon = until, host = from;
	unsigned depth = 0;
	bool remote = false;

	for (uint32_t at = from; at < until; at++) {
		if (text[at] == '{' || text[at] == '[')
			depth++;
		else if ((text[at] == '}' || text[at] == ']') && depth)
			depth--;
		else if (text[at] == '@')
			host = at + 1;
		else if (text[at] == ':' && !depth && at + 1 < until && lex_is_digit(text[at + 1]))
			colon = at;
	}
	if (colon >= until || colon < host)
		return;
	/* An IPv6 address without its brackets has no port. */
	if (text[host] != '[' && memchr(text + host, ':', colon - host) && !memchr(text + host, '{', colon - host))
		return;
	until = digits_end(text, colon + 1, until);
	words_host(text + host, colon - host, &remote);
	scanner_add(s, p, colon + 1, until, PS_USE_URL, PS_CERTAIN, false, remote);
}

/* Behind "://". Returns where the authority ends. */
static uint32_t url(struct ps_scanner *s, const struct ps_text_place *p, uint32_t at)
{
	uint32_t from = at, depth = 0;

	for (; at < p->until; at++) {
		char c = s->text[at];

		if (c == '{')
			depth++;
		else if (c == '}' && depth > 0)
			depth--;
		else if (depth == 0 && (ends_authority(c) || c == '}' || c == ')' || c == ';' || c == ']'))
			if (c != ']' || at + 1 >= p->until || s->text[at + 1] != ':')
				break;
		if (depth == 0 && c == ',') {
			url_host(s, p, from, at);
			from = at + 1;
		}
		if (depth > 0 && (unsigned char)c <= ' ' && p->prose)
			break;
	}
	url_host(s, p, from, at);
	return at;
}

/* ---- host:port ---- */

static bool is_host_char(char c)
{
	return lex_is_alpha(c) || lex_is_digit(c) || c == '.' || c == '-' || c == '_' || c == '*';
}

/* A template that stands for a host: ${HOST}, #{host}, {host}, $(HOST), <host>. */
static bool is_template(const char *text, uint32_t from, uint32_t colon)
{
	uint32_t at = colon - 1;
	char open = text[at] == '}' ? '{' : text[at] == ')' ? '(' : '<';

	while (at > from && text[at] != open)
		at--;
	return text[at] == open &&
	       words_have(text + at, colon - at, "host hostname addr address ip domain server bind base name listen");
}

static bool is_variable(const char *text, uint32_t host, uint32_t colon, uint32_t from)
{
	return host > from && text[host - 1] == '$' &&
	       words_have(text + host, colon - host, "host hostname addr address ip server bind");
}

/* `name:3000`, where nothing else says that the name is a host. */
static bool is_named(const struct ps_text_place *p, const char *host, size_t length, unsigned port)
{
	if (p->image || length < 2 || !lex_is_alpha(host[0]) || !lex_is_name(host[length - 1]))
		return false;
	if (words_are(host, length,
		      "sha256 sha1 md5 line id tel sms urn uid gid pid node python ubuntu debian alpine size scale "
		      "width height timeout retry retries code status error version pass password issue fd file key "
		      "user"))
		return false;
	if (p->prose && words_are(host, length, "tcp tcp4 tcp6"))
		return port >= 80;
	if (p->addresses)
		return port >= 80;
	if (p->prose)
		return port >= 1000 && words_service(host, length);
	return port >= 1000 && (p->named_hosts || words_service(host, length));
}

/* A file and a line, not a host and its port. */
static bool is_file(const char *host, size_t length)
{
	size_t dot = length;

	while (dot > 0 && host[dot - 1] != '.')
		dot--;
	return dot > 0 && words_are(host + dot, length - dot,
				    "c h cc cpp hpp py js ts jsx tsx mjs go rb php java kt rs ex exs sh css html "
				    "md json yml yaml txt log sql vue xml toml");
}

struct host {
	bool good, sure, remote;
};

/* A colon without a name before it: "[::1]:80", "${HOST}:80", ":80". */
static bool is_after_sign(const struct ps_scanner *s, const struct ps_text_place *p, uint32_t colon, uint32_t end,
			  unsigned port)
{
	const char *text = s->text;
	char before = colon > p->from ? text[colon - 1] : ' ';

	if (before == ']')
		return true;
	if (before == '}' || before == ')' || before == '>')
		return is_template(text, p->from, colon);
	/* ":8080" alone, or behind a space or the sign of an option. */
	if ((before != ' ' && before != '/' && before != '=') ||
	    (end < p->until && text[end] != '/' && (text[end] != ' ' || !p->prose)))
		return false;
	return p->addresses || (!p->prose && (port >= 1000 || port == 80 || port == 443));
}

/* A name before the colon. */
static void judge_host(const struct ps_scanner *s, const struct ps_text_place *p, uint32_t host, uint32_t colon,
		       uint32_t end, unsigned port, struct host *h)
{
	const char *text = s->text + host;
	size_t length = colon - host;

	if (is_variable(s->text, host, colon, p->from) ||
	    words_are(text, length, "-i -ti -it -iTCP -tiTCP -nPi -iUDP")) {
		h->good = true;
	} else if (host > p->from && text[-1] == '%' && length == 1 && text[0] == 's') {
		h->good = port >= 80;
	} else if (words_host(text, length, &h->remote)) {
		h->good = !p->image || (end < p->until && s->text[end] == '/');
	} else {
		h->good = is_named(p, text, length, port);
		h->sure = p->addresses;
	}
}

/* ":80", "*:80", "0.0.0.0:80", "[::]:80": nobody connects to these. */
static bool is_any_host(const char *from, const char *host, const char *colon)
{
	size_t length = (size_t)(colon - host);

	if (length > 0)
		return words_are(host, length, "* 0.0.0.0");
	return colon == from || (colon - from >= 4 && memcmp(colon - 4, "[::]", 4) == 0);
}

/* Of "zk:2888", before the colon of a second port, only "zk" is the host. */
static uint32_t name_end(const char *text, uint32_t host, uint32_t colon)
{
	const char *first = lex_is_alpha(text[host]) ? memchr(text + host, ':', colon - host) : NULL;

	return first ? (uint32_t)(first - text) : colon;
}

/* At a colon that digits follow. Returns where to go on. */
static uint32_t host_port(struct ps_scanner *s, const struct ps_text_place *p, uint32_t colon)
{
	const char *text = s->text;
	uint32_t end = digits_end(text, colon + 1, p->until), host = colon;
	unsigned port = scanner_port(text + colon + 1, end - colon - 1);
	struct host h = { .sure = true };
	enum ps_use use = p->use;

	if (!port || !is_end(text, end, p->until))
		return end;
	/* host:2888:3888 has two, 1:2:3 is something else */
	if (end < p->until && text[end] == ':') {
		uint32_t second = digits_end(text, end + 1, p->until);

		if (port < 1000 || scanner_port(text + end + 1, second - end - 1) < 1000 ||
		    !is_end(text, second, p->until) || (second < p->until && text[second] == ':'))
			return end;
	}
	while (host > p->from && is_host_char(text[host - 1]))
		host--;
	if (host + 3 < colon && host > p->from && text[host - 1] == ':' &&
	    digits_end(text, host, colon) == colon) /* the second of the two */
		for (host--; host > p->from && is_host_char(text[host - 1]);)
			host--;
	if (host == colon)
		h.good = is_after_sign(s, p, colon, end, port);
	else if (words_port(text + host, colon - host) == PS_PORT) /* {port:3000}, server.port:3000 */
		scanner_add(s, p, colon + 1, end, PS_USE_CONFIG, PS_CERTAIN, false, false);
	else if (!is_file(text + host, colon - host))
		judge_host(s, p, host, name_end(text, host, colon), end, port, &h);
	if (p->guess && is_any_host(text + p->from, text + host, text + colon))
		use = PS_USE_LISTEN;
	if (h.good)
		scanner_add(s, p, colon + 1, end, use, h.sure ? PS_CERTAIN : PS_LIKELY, false, h.remote);
	return end;
}

/* ---- mappings ---- */

/* One side: "8080", "8000-8010", "8080/tcp", "${PORT:-8080}". Records what is in digits. */
static void mapping_side(struct ps_scanner *s, const struct ps_text_place *p, uint32_t from, uint32_t until,
			 bool inside)
{
	uint32_t end = digits_end(s->text, from, until);

	if (end > from)
		scanner_add(s, p, from, end, PS_USE_MAPPING, PS_CERTAIN, inside, false);
	if (end > from && end < until && s->text[end] == '-')
		scanner_add(s, p, end + 1, digits_end(s->text, end + 1, until), PS_USE_MAPPING, PS_CERTAIN, inside,
			    false);
}

static bool is_protocol(const char *text, size_t length)
{
	return words_are(text, length, "tcp udp sctp TCP UDP");
}

/* [ADDRESS:]HOST:CONTAINER[/PROTOCOL]. False if it is something else. */
static bool mapping(struct ps_scanner *s, const struct ps_text_place *p)
{
	const char *text = s->text;
	uint32_t end = p->until, last = p->until, before = p->from, at;
	unsigned depth = 0;

	for (at = p->from; at < p->until; at++) {
		char c = text[at];

		if (c == '{') {
			depth++;
		} else if (c == '}' && depth) {
			depth--;
		} else if (depth == 0 && c == '/') {
			end = at;
			break;
		} else if (depth == 0 && c == ':') {
			before = last == p->until ? p->from : last + 1;
			last = at;
		} else if (depth == 0 && (unsigned char)c <= ' ') {
			return false;
		}
	}
	if (last == p->until) { /* one number: chosen by Docker outside */
		if (!lex_is_digit(text[p->from]) ||
		    (end < p->until && !is_protocol(text + end + 1, p->until - end - 1)))
			return false;
		mapping_side(s, p, p->from, end, true);
		return true;
	}
	if (!lex_is_digit(text[last + 1 < p->until ? last + 1 : last]) &&
	    text[last + 1 < p->until ? last + 1 : last] != '$')
		return false;
	mapping_side(s, p, last + 1, end, true);
	if (lex_is_digit(text[before]))
		mapping_side(s, p, before, last, false);
	else if (lex_is_digit(text[p->from])) /* ssh -L 5433:HOST:5432 */
		mapping_side(s, p, p->from, digits_end(text, p->from, before), false);
	return true;
}

/* /dev/tcp/HOST/PORT of bash. */
static void device(struct ps_scanner *s, const struct ps_text_place *p)
{
	const char *at = memmem(s->text + p->from, p->until - p->from, "/dev/tcp/", 9);
	uint32_t slash, end;

	if (!at)
		return;
	slash = (uint32_t)(at - s->text) + 9;
	while (slash < p->until && s->text[slash] != '/')
		slash++;
	end = slash < p->until ? digits_end(s->text, slash + 1, p->until) : slash;
	if (end > slash + 1)
		scanner_add(s, p, slash + 1, end, PS_USE_CONNECT, PS_CERTAIN, false, false);
}

void scanner_text(struct ps_scanner *s, const struct ps_text_place *p)
{
	const char *text = s->text;
	uint32_t at = p->from;

	if (p->mapping) {
		for (uint32_t i = p->from; i + 1 < p->until; i++)
			if (text[i] == '$' && text[i + 1] == '{')
				default_value(s, p, i + 1);
		if (mapping(s, p))
			return;
	}
	while (at < p->until) {
		if (text[at] == ':' && p->until - at > 3 && text[at + 1] == '/' && text[at + 2] == '/') {
			uint32_t end = url(s, p, at + 3);

			/* Templates in the host may have defaults. */
			for (at += 3; at < end; at++)
				if (text[at] == '{')
					default_value(s, p, at);
		} else if (text[at] == ':' && at + 1 < p->until && lex_is_digit(text[at + 1])) {
			at = host_port(s, p, at);
		} else if (text[at] == '{') {
			default_value(s, p, at++);
		} else {
			at++;
		}
	}
	if (p->until - p->from > 10 && text[p->from] == '/')
		device(s, p);
}
