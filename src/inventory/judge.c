/*
 * judge.c - is this number a port: what introduces it, and in which call, list or line it stands.
 *
 * The theory of operation is in scan.c. Everything here looks back from one token, and changes nothing.
 */
#include "judge.h"

#include <stdio.h>
#include <string.h>

const struct ps_token judge_nothing = { .kind = PS_TOKEN_END };

const struct ps_token *judge_token(const struct walk *w, uint32_t number)
{
	return number == 0 || number >= w->next || w->next - number > RING ? &judge_nothing : &w->ring[number % RING];
}

const struct ps_token *judge_line(const struct walk *w)
{
	return judge_token(w, w->line);
}

static bool is_opening(const struct ps_token *t)
{
	return t->kind == PS_TOKEN_OPERATOR && (t->op == OP1('(') || t->op == OP1('[') || t->op == OP1('{'));
}

bool judge_is_word(const struct walk *w, const struct ps_token *t, const char *list)
{
	return t->kind == PS_TOKEN_NAME && words_are(w->s->text + t->from, t->until - t->from, list);
}

/* The same, also for what is in quotes. */
bool judge_is_text(const struct walk *w, const struct ps_token *t, const char *list)
{
	return t->kind == PS_TOKEN_STRING ? words_are(judge_inner(w, t), judge_length(t), list)
					  : judge_is_word(w, t, list);
}

bool judge_has_word(const struct walk *w, const struct ps_token *t, const char *list)
{
	return (t->kind == PS_TOKEN_NAME || t->kind == PS_TOKEN_STRING) &&
	       words_have(judge_inner(w, t), judge_length(t), list);
}

/* Strings that name something have no spaces, but "-p, --port <number>" has. */
enum ps_portness judge_portness(const struct walk *w, const struct ps_token *t)
{
	const char *text = judge_inner(w, t), *dashes;
	size_t length = judge_length(t);

	if (t->kind == PS_TOKEN_NAME) /* `http://localhost:$PORT/x?since=2020`: the query of a URL is no name */
		return w->language->flags & LANG_WORDS && memchr(text, '?', length) ? PS_NO_PORT
										      : words_port(text, length);
	if (t->kind != PS_TOKEN_STRING || length > 80)
		return PS_NO_PORT;
	if (memchr(text, ' ', length)) {
		if (text[0] != '-' || !(dashes = memmem(text, length, "--", 2)))
			return PS_NO_PORT;
		length -= (size_t)(dashes - text);
		text = dashes;
		for (size_t i = 0; i < length; i++)
			if (text[i] == ' ' || text[i] == '=')
				length = i;
	}
	if (memchr(text, ':', length) || memchr(text, '/', length))
		return PS_NO_PORT;
	return words_port(text, length);
}

/* The key of the frame, else that of the heading above (YAML). */
const struct ps_token *judge_key(const struct walk *w, unsigned depth)
{
	const struct frame *f = &w->frames[depth];

	if (f->key.kind != PS_TOKEN_END || !(w->language->flags & LANG_INDENT) || w->heading_count == 0 || depth > 0)
		return &f->key;
	return &w->headings[w->heading_count - 1].key;
}

/* The name above the key: `ports` of `ports: {web: 3000}`. */
static const struct ps_token *parent_key(const struct walk *w, unsigned depth)
{
	unsigned own;

	if (depth > 0)
		return judge_key(w, depth - 1);
	if (!(w->language->flags & LANG_INDENT) || w->heading_count == 0)
		return &judge_nothing;
	own = w->headings[w->heading_count - 1].key.from == w->frames[0].key.from &&
	      w->frames[0].key.kind != PS_TOKEN_END;
	return w->heading_count > own ? &w->headings[w->heading_count - 1 - own].key : &judge_nothing;
}

static const struct ps_call *call_of(const struct walk *w, unsigned depth)
{
	const struct frame *f = &w->frames[depth];
	const struct ps_call *call;

	if (f->callee.kind != PS_TOKEN_NAME)
		return NULL;
	/* TCPServer.new(2000), SocketAddr::new(ip, 80): the class says it. */
	if (judge_is_word(w, &f->callee, "new New from create open start_link") && f->owner.kind == PS_TOKEN_NAME) {
		call = words_call(judge_inner(w, &f->owner), judge_length(&f->owner), w->s->language);
		if (call)
			return call;
	}
	return words_call(judge_inner(w, &f->callee), judge_length(&f->callee), w->s->language);
}

/* Server or client, by the calls around; PS_USE_COUNT if none tells. */
enum ps_use judge_use_around(const struct walk *w, unsigned depth)
{
	for (unsigned i = 0; i < 4; i++, depth--) {
		const struct ps_call *call = call_of(w, depth);

		if (call && (call->kind == CALL_LISTEN || call->kind == CALL_SCOPE_LISTEN))
			return PS_USE_LISTEN;
		if (call && (call->kind == CALL_CONNECT || call->kind == CALL_SCOPE_CONNECT))
			return PS_USE_CONNECT;
		if (depth == 0)
			break;
	}
	return PS_USE_COUNT;
}

/* By the calls around, else by what they are called like, else by the name of the value. */
static enum ps_use use_of(const struct walk *w, unsigned depth, const struct ps_token *name)
{
	enum ps_use use = judge_use_around(w, depth);

	if (use != PS_USE_COUNT)
		return use;
	for (unsigned i = 0; i < 2; i++, depth--) {
		const struct ps_token *callee = &w->frames[depth].callee;

		if (judge_has_word(w, callee, "connect client dial get post"))
			return PS_USE_CONNECT;
		if (judge_has_word(w, callee, "listen bind serve server"))
			return PS_USE_LISTEN;
		if (depth == 0)
			break;
	}
	return judge_has_word(w, name, "listen bind") ? PS_USE_LISTEN : PS_USE_CONFIG;
}

static bool is_host_number(const struct walk *w, uint32_t number)
{
	/* `[127, 0, 0, 1]`, `{0, 0, 0, 0}`: three commas and a bracket on each side. */
	if (!judge_is_op(judge_token(w, number), OP1(']')) && !judge_is_op(judge_token(w, number), OP1('}')) &&
	    !judge_is_op(judge_token(w, number), OP1(')')))
		return false;
	for (uint32_t i = 1; i <= 7; i++)
		if (i % 2 ? judge_token(w, number - i)->kind != PS_TOKEN_NUMBER
			  : !judge_is_op(judge_token(w, number - i), OP1(',')))
			return false;
	return true;
}

/* True if the token before the comma is a host. *empty: one that says nothing by itself. */
static bool is_host(const struct walk *w, uint32_t number, bool *remote, bool *empty)
{
	const struct ps_token *t = judge_token(w, number);

	*remote = *empty = false;
	if (t->kind == PS_TOKEN_STRING) {
		*empty = judge_length(t) == 0;
		return words_host(judge_inner(w, t), judge_length(t), remote);
	}
	if (judge_is_word(w, t, "None nil null NULL undefined")) {
		*empty = true;
		return true;
	}
	/* Ipv4Addr::LOCALHOST.into(), tcp::v4() */
	if (judge_is_op(t, OP1(')')) && judge_is_word(w, judge_token(w, number - 2), "LOCALHOST UNSPECIFIED v4 v6"))
		return true;
	if (t->kind == PS_TOKEN_NAME)
		return words_have(judge_inner(w, t), judge_length(t),
				  "host hostname addr address ip localhost unspecified loopback iface");
	return is_host_number(w, number);
}

/* True if a name of a port stands among the arguments before: a string, or a constant. A variable of that name has a
 * port of its own. */
static bool names_port_argument(const struct walk *w, uint32_t from, uint32_t until, bool *capitals)
{
	bool other = false; /* another option stands between */

	for (uint32_t i = until; i-- > from && until - i < 40;) {
		const struct ps_token *t = judge_token(w, i);

		if (t->kind == PS_TOKEN_END)
			break;
		*capitals = words_are_capitals(judge_inner(w, t), judge_length(t));
		if (t->kind == PS_TOKEN_STRING && judge_length(t) > 1 && judge_inner(w, t)[0] == '-' && other)
			continue; /* ["--port", "80", "--timeout", "5000"] */
		other = other || (t->kind == PS_TOKEN_STRING && judge_length(t) > 1 && judge_inner(w, t)[0] == '-');
		if ((t->kind == PS_TOKEN_STRING || *capitals) && judge_portness(w, t) != PS_NO_PORT)
			return true;
	}
	return false;
}

/* True if a name of a port stands in the expression before the number. *capitals: it is one of the environment. */
bool judge_names_port(const struct walk *w, uint32_t from, uint32_t until, bool *capitals)
{
	*capitals = false;
	for (uint32_t i = until; i-- > from && until - i < 40;) {
		const struct ps_token *t = judge_token(w, i);

		if (t->kind == PS_TOKEN_END)
			break;
		if (judge_portness(w, t) == PS_NO_PORT)
			continue;
		*capitals = words_are_capitals(judge_inner(w, t), judge_length(t));
		return true;
	}
	return false;
}

/* The same in the expression before the call of a frame: expect(x.port).toBe( */
static bool names_port_before(const struct walk *w, const struct frame *f)
{
	const struct frame *outer = f - 1;
	bool capitals;

	return (judge_is_op(judge_token(w, f->token - 2), OP1('.')) ||
		judge_is_word(w, judge_token(w, f->token - 2), "to")) &&
	       f->token - outer->segment < 24 && judge_names_port(w, outer->segment, f->token - 1, &capitals);
}

/* ---- judging a number of code ---- */

/* What may stand before a value. */
static bool introduces(const struct walk *w, const struct ps_token *t)
{
	static const uint16_t operators[] = { OP1('='),      OP1(':'),      OP2('=', '>'), OP2(':', '='),
					      OP2('|', '|'), OP2('?', '?'), OP2('?', ':'), OP2('?', '='),
					      OP1('?'),      OP2('<', '-'), OP2('-', '>'), OP2('\\', '\\') };

	if (t->kind == PS_TOKEN_NAME)
		return judge_is_word(w, t, "else or then do in default");
	for (unsigned i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
		if (judge_is_op(t, operators[i]))
			return true;
	return false;
}

/* The first token of `a.b::c`, of which `number` is the last. */
static uint32_t chain_start(const struct walk *w, uint32_t number)
{
	while (judge_token(w, number - 1)->kind == PS_TOKEN_OPERATOR &&
	       (judge_is_op(judge_token(w, number - 1), OP1('.')) ||
		judge_is_op(judge_token(w, number - 1), OP2(':', ':')) ||
		judge_is_op(judge_token(w, number - 1), OP2('-', '>')) ||
		judge_is_op(judge_token(w, number - 1), OP2('?', '.'))) &&
	       judge_token(w, number - 2)->kind == PS_TOKEN_NAME)
		number -= 2;
	if (judge_is_word(w, judge_token(w, number - 1), "new await return"))
		number--;
	return number;
}

bool judge_set(struct verdict *v, enum ps_use use, enum ps_certainty certainty)
{
	v->use = use;
	v->certainty = certainty;
	v->inside = false;
	return true;
}

bool judge_set_inside(struct verdict *v, bool inside)
{
	judge_set(v, PS_USE_MAPPING, PS_CERTAIN);
	v->inside = inside;
	return true;
}

/* A Python or C listen() takes a backlog, and that is what its numbers look like. */
static bool is_backlog(const struct walk *w, const struct frame *f, unsigned port)
{
	return (w->language->flags & LANG_BACKLOG) && judge_is_word(w, &f->callee, "listen") &&
	       (port < 1024 || (port & (port - 1)) == 0) && !judge_is_op(judge_token(w, f->token - 2), OP1(':'));
}

bool judge_is_default(const struct walk *w, const struct ps_token *key)
{
	return judge_has_word(w, key, "default defaults fallback") && judge_portness(w, key) == PS_NO_PORT;
}

/* Numbers that enumerators have, whose names are in capitals; those of well-known servers are rather ports. */
static bool is_enumerator(const struct walk *w, const struct ps_token *name, unsigned port)
{
	return port < 80 || (port < 200 && port != 80 && port != 110 && port != 143 &&
			     words_are_capitals(judge_inner(w, name), judge_length(name)));
}

/* PORT_MAX = 65535, MIN_PORT = 1024 */
static bool is_limit(const struct walk *w, const struct ps_token *name, unsigned port)
{
	return port == 65535 || (port == 1024 && judge_has_word(w, name, "min minimum lowest first"));
}

static bool is_alternative(const struct walk *w, const struct ps_token *p)
{
	return judge_is_op(p, OP2('|', '|')) || judge_is_op(p, OP2('?', '?')) || judge_is_op(p, OP2('?', ':')) ||
	       judge_is_word(w, p, "or");
}

/* The value of a name that says so itself. PORT_TEGRA = 120 is rather an enumerator. */
static bool in_port_value(const struct walk *w, unsigned depth, const struct ps_token *key, const struct ps_token *p,
			  unsigned port, struct verdict *v)
{
	enum ps_portness is = judge_portness(w, key);

	if (is == PS_NO_PORT || is_limit(w, key, port) ||
	    (is == PS_PORTS && port < 1000 && !judge_is_op(p, OP1(':'))) ||
	    (is_enumerator(w, key, port) && words_port_first(judge_inner(w, key), judge_length(key))))
		return false;
	return judge_set(v, judge_is_op(p, OP2('|', '|')) ? PS_USE_DEFAULT : use_of(w, depth, key), PS_CERTAIN);
}

/* `default:` of something that is named like a port: above it, or before it in the call. */
static bool in_default(const struct walk *w, unsigned depth, uint32_t before, struct verdict *v)
{
	const struct frame *f = &w->frames[depth], *outer = f->open == '{' && depth > 0 ? f - 1 : f;
	bool capitals;

	if (!judge_is_default(w, judge_key(w, depth)))
		return false;
	/* Ruby: t.integer :port, default: 9000 */
	if (w->s->language == PS_LANG_RUBY && judge_names_port(w, f->segment, before, &capitals))
		return judge_set(v, PS_USE_DEFAULT, PS_CERTAIN);
	if (depth == 0)
		return false;
	return (judge_portness(w, parent_key(w, depth)) == PS_PORT ||
		(outer->open == '(' && judge_names_port(w, outer->token, before, &capitals))) &&
	       judge_set(v, PS_USE_DEFAULT, PS_CERTAIN);
}

/* The value of a name that has a port in its neighbourhood only. */
static bool in_other_value(const struct walk *w, unsigned depth, uint32_t before, unsigned port, struct verdict *v)
{
	const struct ps_token *key = judge_key(w, depth), *p = judge_token(w, before), *parent = parent_key(w, depth);
	bool several = judge_portness(w, parent) == PS_PORTS, capitals;
	uint32_t comma = judge_is_op(judge_token(w, before - 2), OP1(',')) ? 1 : 0;

	if (key->kind == PS_TOKEN_END)
		return false;
	if (judge_is_word(w, key, "published"))
		return judge_set_inside(v, false);
	/* transport=dt_socket,server=y,address=5005 */
	if (judge_is_word(w, key, "address") && judge_is_op(p, OP1('=')) && port >= 1000)
		for (uint32_t i = before - 1; i > 0 && before - i < 16; i--)
			if (judge_is_word(w, judge_token(w, i), "dt_socket"))
				return judge_set(v, PS_USE_LISTEN, PS_CERTAIN);
	if (judge_is_word(w, key, "listen expose ListenStream ListenDatagram"))
		return judge_set(v, PS_USE_LISTEN, PS_CERTAIN);
	if (judge_is_word(w, key, "--inspect --inspect-brk --serve --listen") && port >= 1000)
		return judge_set(v, PS_USE_LISTEN, PS_CERTAIN);
	if (judge_is_text(w, key, "target guest host") &&
	    (several || judge_names_port(w, w->frames[depth].segment, before, &capitals)))
		return judge_set_inside(v, !judge_is_text(w, key, "host"));
	if (in_default(w, depth, before, v))
		return true;
	/* ports: {web: 3000}, port_by_name: {web: 3000}; not the attributes of one. */
	several = several || (judge_portness(w, parent) == PS_PORT && judge_has_word(w, parent, "by map per"));
	if (judge_is_text(w, key, "value Value") && judge_portness(w, judge_token(w, before - 2 - comma)) == PS_PORT &&
	    judge_is_text(w, judge_token(w, before - 4 - comma), "name Name key"))
		return judge_set(v, PS_USE_CONFIG, PS_CERTAIN);
	if (judge_is_op(p, OP1('=')))
		several = judge_portness(w, &w->frames[depth].name) == PS_PORTS;
	return several && (judge_is_op(p, OP1(':')) || judge_is_op(p, OP2('=', '>')) || judge_is_op(p, OP1('='))) &&
	       port >= 80 &&
	       !judge_has_word(w, key, "timeout count size id max min limit interval protocol mode name") &&
	       judge_set(v, PS_USE_CONFIG, PS_LIKELY);
}

/* `key <introducer> NUMBER` in this frame. */
bool judge_in_value(const struct walk *w, unsigned depth, uint32_t before, unsigned port, struct verdict *v)
{
	const struct frame *f = &w->frames[depth];
	const struct ps_token *key = judge_key(w, depth), *p = judge_token(w, before);
	bool named = judge_portness(w, key) != PS_NO_PORT, capitals;

	if (is_alternative(w, p)) {
		if (judge_names_port(w, f->segment, before, &capitals))
			return judge_set(v, PS_USE_DEFAULT, PS_CERTAIN);
		if (!named)
			return false;
	}
	if (!introduces(w, p) && !(f->open == '{' && judge_is_op(p, OP1('{'))))
		return false;
	return in_port_value(w, depth, key, p, port, v) || in_other_value(w, depth, before, port, v);
}

/* A host before the comma, and a port that servers have; an address and 24 is a network. */
static bool after_host(const struct walk *w, unsigned depth, uint32_t before, unsigned port, bool string,
		       struct verdict *v)
{
	const struct frame *f = &w->frames[depth];
	enum ps_use around = judge_use_around(w, depth);
	bool remote, empty, known = around != PS_USE_COUNT;

	if (!is_host(w, before - 1, &remote, &empty) || (judge_has_word(w, &f->callee, "timeout ping sleep") &&
							 !judge_has_word(w, &f->callee, "connect dial open")))
		return false;
	/* listen(PORT, HOST, BACKLOG) */
	if (f->argument > 1 && judge_is_op(judge_token(w, before - 2), OP1(',')) &&
	    judge_token(w, before - 3)->kind == PS_TOKEN_NUMBER && judge_is_op(judge_token(w, before - 4), OP1('(')))
		return false;
	if (!known && (empty || (string && port < 1000)))
		return false;
	if (!known && port < 1000 && port != 80 && port != 443 &&
	    !judge_has_word(w, &f->callee, "connect dial server client"))
		return false;
	/* An address and a time: a variable of that name is a host only to what is called like a client or a server. */
	if (!known && judge_token(w, before - 1)->kind == PS_TOKEN_NAME &&
	    judge_has_word(w, judge_token(w, before - 1), "address addr ip") &&
	    !judge_has_word(w, &f->callee,
			    "connect dial open listen bind serve server start socket client peer send port url"))
		return false;
	if (!known)
		around = judge_has_word(w, &f->callee, "bind listen serve server start run") ? PS_USE_LISTEN
											     : PS_USE_CONNECT;
	return judge_set(v, around, PS_CERTAIN);
}

/* waitForPort(3000), isPortFree(3000) */
static bool is_about_ports(const struct walk *w, const struct ps_token *callee)
{
	return judge_has_word(w, callee, "port") &&
	       judge_has_word(w, callee, "wait free available open use kill listening until for");
}

/* assertEquals(8080, server.port()), assert_eq!(url.port(), 80), expect(server.port).toBe(80): next to it, by name. */
static bool in_assertion(const struct walk *w, unsigned depth, uint32_t before, const struct ps_token *next,
			 struct verdict *v)
{
	const struct frame *f = &w->frames[depth];
	bool capitals, found;

	if (!judge_has_word(w, &f->callee, "assert equal equals expect should be eq") || depth == 0)
		return false;
	found = f->argument > 0 ? judge_names_port(w, f->token, before, &capitals) : names_port_before(w, f);
	if (!found && f->argument == 0 && judge_is_op(next, OP1(','))) {
		struct ps_lexer ahead = *w->lexer;
		struct ps_token t;

		for (unsigned i = 0; i < 8 && !found && lex_next(&ahead, &t) && !judge_is_op(&t, OP1(',')); i++)
			found = t.kind == PS_TOKEN_NAME && judge_portness(w, &t) == PS_PORT;
	}
	return found && judge_set(v, PS_USE_CONFIG, PS_LIKELY);
}

/* new Redis(6379, "localhost") */
static bool before_host(const struct walk *w, unsigned depth, uint32_t before, unsigned port,
			const struct ps_token *next, struct verdict *v)
{
	const struct frame *f = &w->frames[depth];
	enum ps_use around = judge_use_around(w, depth);
	struct ps_lexer ahead = *w->lexer;
	struct ps_token t;
	bool remote;

	if (!is_opening(judge_token(w, before)) || port < 1000 || !judge_is_op(next, OP1(',')) ||
	    !lex_next(&ahead, &t) || t.kind != PS_TOKEN_STRING || judge_length(&t) == 0 ||
	    !words_host(judge_inner(w, &t), judge_length(&t), &remote))
		return false;
	if (around == PS_USE_COUNT)
		around = judge_has_word(w, &f->callee, "bind listen serve server start run") ? PS_USE_LISTEN
											     : PS_USE_CONNECT;
	return judge_set(v, around, PS_LIKELY);
}

/* new WireMockServer(8098), start_http_server(8000) */
static bool of_server(const struct walk *w, unsigned depth, unsigned port, const struct ps_token *next,
		      struct verdict *v)
{
	const struct ps_token *callee = &w->frames[depth].callee;

	return (port >= 1000 || port == 80 || port == 443) && judge_has_word(w, callee, "server") &&
	       (judge_is_op(next, OP1(')')) || judge_is_op(next, OP1(','))) &&
	       !judge_has_word(w, callee,
			       "timeout wait delay size limit count id error version close stop get find max") &&
	       judge_set(v, PS_USE_LISTEN, PS_LIKELY);
}

/* Argument of a call. `before` is the number of the token before it: `(` or `,`. */
static bool in_call(const struct walk *w, unsigned depth, uint32_t before, unsigned port, bool string,
		    const struct ps_token *next, struct verdict *v)
{
	const struct frame *f = &w->frames[depth];
	const struct ps_call *call = call_of(w, depth);
	bool first = is_opening(judge_token(w, before)), fallback = call && call->kind == CALL_DEFAULT, capitals;
	enum ps_portness is;

	if (!first && after_host(w, depth, before, port, string, v))
		return true;
	if (f->callee.kind != PS_TOKEN_NAME)
		return false;
	if (call && call->argument == f->argument && port >= call->least &&
	    (call->kind == CALL_LISTEN || call->kind == CALL_CONNECT) && !is_backlog(w, f, port))
		return judge_set(v, call->kind == CALL_LISTEN ? PS_USE_LISTEN : PS_USE_CONNECT,
				 call->least < 1000 ? PS_CERTAIN : PS_LIKELY);
	/* A name of a port as an earlier argument: getenv("PORT", 3000), flag.Int("port", 3000, ...). */
	if (f->argument > 0 && f->argument < 4 && names_port_argument(w, f->token, before, &capitals) &&
	    !(capitals && port < 200 && port != 80 && port != 110 && port != 143) &&
	    !judge_has_word(w, &f->callee, "equal assert expect log printf timeout"))
		return judge_set(v, capitals || fallback ? PS_USE_DEFAULT : PS_USE_CONFIG,
				 fallback ? PS_CERTAIN : PS_LIKELY);
	if (in_assertion(w, depth, before, next, v) || before_host(w, depth, before, port, next, v) ||
	    (first && of_server(w, depth, port, next, v)))
		return true;
	is = judge_portness(w, &f->callee);
	if (is != PS_PORTS && !(is == PS_PORT && first) && !(first && is_about_ports(w, &f->callee)))
		return false;
	return port >= 80 && !judge_has_word(w, &f->callee, "is parse validate format") &&
	       judge_set(v, use_of(w, depth - (depth > 0), &f->callee), PS_LIKELY);
}

/* What makes a list of its arguments. */
static const char list_makers[] =
	"listOf mutableListOf setOf arrayOf intArrayOf arrayListOf asList List Set of vec array Array tuple";

/* Everything that a number can be in a bracket of several values: ports = [3000, 3001]. */
bool judge_in_list(const struct walk *w, unsigned depth, uint32_t before, unsigned port, struct verdict *v)
{
	const struct frame *f = &w->frames[depth];

	bool capitals;

	if (f->open != '[' && f->open != '{' &&
	    !(f->open == '(' && (f->callee.kind == PS_TOKEN_END || judge_is_word(w, &f->callee, list_makers))))
		return false;
	if (depth == 0 || port < 80)
		return false;
	if (f->open == '{' && !is_opening(judge_token(w, before)) && !judge_is_op(judge_token(w, before), OP1(',')))
		return false;
	if (judge_portness(w, judge_key(w, depth - 1)) != PS_NO_PORT ||
	    (f->open == '[' && judge_portness(w, &f->name) != PS_NO_PORT))
		return judge_set(v, PS_USE_CONFIG, PS_CERTAIN);
	/* parametrize("port", [7000, 7001]) */
	return f->open == '[' && f[-1].open == '(' && f[-1].argument == 1 &&
	       judge_token(w, f->token - 2)->kind == PS_TOKEN_STRING &&
	       names_port_argument(w, f[-1].token, f->token, &capitals) && judge_set(v, PS_USE_CONFIG, PS_LIKELY);
}

/* True if the text, which a colon follows, ends with a host: "http://x", "localhost", "%s", or nothing at all. */
static bool ends_with_host(const char *text, size_t length)
{
	size_t from = length;
	bool remote;

	if (length == 0 || memmem(text, length, "://", 3) || (length >= 2 && memcmp(text + length - 2, "%s", 2) == 0))
		return true;
	while (from > 0 && (lex_is_name(text[from - 1]) || text[from - 1] == '.' || text[from - 1] == '-'))
		from--;
	return from < length && words_host(text + from, length - from, &remote);
}

/* sprintf("localhost:%d", 3000), "localhost:" + 3000 */
static bool after_text(const struct walk *w, const struct ps_token *p, const struct ps_token *q)
{
	const char *text = judge_inner(w, q), *colon;
	size_t length = judge_length(q);

	if (q->kind != PS_TOKEN_STRING || length == 0)
		return false;
	if (judge_is_op(p, OP1('+')) || judge_is_op(p, OP1('.')))
		return text[length - 1] == ':' && ends_with_host(text, length - 1);
	if (!judge_is_op(p, OP1(',')))
		return false;
	colon = memmem(text, length, w->s->language == PS_LANG_RUST ? ":{}" : ":%d", 3);
	if (!colon)
		colon = memmem(text, length, ":%u", 3);
	return colon && ends_with_host(text, (size_t)(colon - text));
}

/* `TCPSocket.new 'localhost', 7777` and `TCPServer.new 2000`: calls without brackets. */
static bool in_open_call(const struct walk *w, uint32_t before, unsigned port, struct verdict *v)
{
	const struct ps_call *call;
	uint32_t name = before;
	bool remote;

	if (w->s->language != PS_LANG_RUBY)
		return false;
	if (judge_is_op(judge_token(w, before), OP1(','))) {
		if (judge_token(w, before - 1)->kind != PS_TOKEN_STRING ||
		    !words_host(judge_inner(w, judge_token(w, before - 1)), judge_length(judge_token(w, before - 1)),
				&remote))
			return false;
		name = before - 2;
	}
	if (judge_is_word(w, judge_token(w, name), "new open start") && judge_is_op(judge_token(w, name - 1), OP1('.')))
		name -= 2;
	if (judge_token(w, name)->kind != PS_TOKEN_NAME)
		return false;
	call = words_call(judge_inner(w, judge_token(w, name)), judge_length(judge_token(w, name)), w->s->language);
	if (!call || port < 80 || (call->kind != CALL_LISTEN && call->kind != CALL_CONNECT) ||
	    (name == before && (call->argument != 0 || judge_token(w, before)->line)) ||
	    judge_is_word(w, judge_token(w, name), "listen"))
		return false;
	return judge_set(v, call->kind == CALL_LISTEN ? PS_USE_LISTEN : PS_USE_CONNECT, PS_CERTAIN);
}

/* `set :port, 4567`, `port 3000`, `@port 4000`, `#define PORT 8080`. */
bool judge_after(const struct walk *w, uint32_t before, unsigned port, struct verdict *v)
{
	const struct ps_token *p = judge_token(w, before), *q = judge_token(w, before - 1);

	if (judge_is_op(p, OP1(',')) && judge_portness(w, q) == PS_PORT && q->kind == PS_TOKEN_NAME &&
	    judge_is_op(judge_token(w, before - 2), OP1(':'))) {
		const struct ps_call *call = call_of(w, w->depth);

		return judge_set(v, call && call->kind == CALL_DEFAULT ? PS_USE_DEFAULT : PS_USE_LISTEN, PS_CERTAIN);
	}
	/* systemProperty 'server.port', '8080' */
	if (judge_is_op(p, OP1(',')) && q->kind == PS_TOKEN_STRING && judge_portness(w, q) == PS_PORT &&
	    judge_token(w, before - 2)->kind == PS_TOKEN_NAME)
		return judge_set(v, PS_USE_CONFIG, PS_CERTAIN);
	if (judge_is_op(p, OP1(',')) && q->kind == PS_TOKEN_STRING && judge_length(q) > 1 &&
	    judge_inner(w, q)[0] == '-' &&
	    (judge_portness(w, q) == PS_PORT || words_are(judge_inner(w, q), judge_length(q), "-p -P")))
		return judge_set(v, PS_USE_CONFIG, PS_CERTAIN);
	if (p->kind == PS_TOKEN_NAME && judge_portness(w, p) == PS_PORT && !is_limit(w, p, port) &&
	    !(is_enumerator(w, p, port) && words_port_first(judge_inner(w, p), judge_length(p))) &&
	    (judge_is_word(w, q, "define") || w->s->language == PS_LANG_RUBY ||
	     (w->s->language == PS_LANG_ELIXIR && judge_inner(w, p)[0] == '@')))
		return judge_set(v, PS_USE_CONFIG, PS_CERTAIN);
	return in_open_call(w, before, port, v) || (after_text(w, p, q) && judge_set(v, PS_USE_URL, PS_LIKELY));
}

static bool is_arithmetic(const struct ps_token *t)
{
	static const uint16_t operators[] = { OP1('*'),      OP1('/'),      OP1('%'),      OP1('<'),      OP1('>'),
					      OP2('=', '='), OP2('!', '='), OP2('<', '='), OP2('>', '='), OP2('<', '<'),
					      OP2('>', '>'), OP2('*', '*'), OP2('+', '='), OP2('-', '='), OP2('*', '='),
					      OP2('/', '='), OP1('&'),      OP1('^'),      OP1('-') };

	for (unsigned i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
		if (judge_is_op(t, operators[i]))
			return true;
	return false;
}

static bool compares(const struct walk *w, uint32_t from, uint32_t until)
{
	for (uint32_t i = until; i-- > from && until - i < 40;) {
		const struct ps_token *t = judge_token(w, i);

		if (judge_is_op(t, OP2('=', '=')) || judge_is_op(t, OP2('!', '=')) || judge_is_op(t, OP1('<')) ||
		    judge_is_op(t, OP1('>')) || judge_is_op(t, OP2('<', '=')) || judge_is_op(t, OP2('>', '=')))
			return true;
	}
	return false;
}

/* The value that is taken where a call gives none: .unwrap_or(80), .unwrap_or_else(|_| 80), fetch("PORT") { 80 }. */
static bool in_fallback(const struct walk *w, unsigned depth, uint32_t before, const struct ps_token *next,
			struct verdict *v)
{
	const struct frame *f = &w->frames[depth];
	const struct ps_token *p = judge_token(w, before);
	const struct ps_call *call = call_of(w, depth);
	bool call_has = call && call->kind == CALL_DEFAULT && (is_opening(p) || judge_is_op(p, OP1('|')));
	bool block = f->open == '{' && judge_is_op(p, OP1('{')) && judge_is_op(next, OP1('}')), capitals;

	if (!((f->open == '(' && call_has) || block) || !judge_names_port(w, f[-1].segment, before, &capitals))
		return false;
	/* `status = if port == 80 { 200 }`: what depends on a port is none. */
	return !(block && f[-1].key.kind != PS_TOKEN_END && judge_portness(w, &f[-1].key) == PS_NO_PORT &&
		 compares(w, f[-1].segment, before)) &&
	       judge_set(v, PS_USE_DEFAULT, PS_CERTAIN);
}

/* A pair of a name and its value. */
static bool names_it(const struct walk *w, const struct frame *f, uint32_t before)
{
	const struct ps_token *q = judge_token(w, before - 1);

	return f->argument == 1 && before == f->token + 2 && q->kind == PS_TOKEN_STRING &&
	       judge_portness(w, q) == PS_PORT;
}

/* The string before has the same number behind a colon. */
static bool repeats(const struct walk *w, uint32_t before, unsigned port)
{
	const struct ps_token *q = judge_token(w, before - 1);
	size_t length = judge_length(q);
	char digits[8];
	int n = snprintf(digits, sizeof(digits), ":%u", port);

	return q->kind == PS_TOKEN_STRING && n > 0 && length > (size_t)n &&
	       memcmp(judge_inner(w, q) + length - (size_t)n, digits, (size_t)n) == 0;
}

/* One bracket: where the number stands in it. */
static bool in_bracket(const struct walk *w, unsigned depth, uint32_t before, unsigned port, bool string,
		       const struct ps_token *next, struct verdict *v)
{
	const struct frame *f = &w->frames[depth];
	const struct ps_token *p = judge_token(w, before);

	if (!is_opening(p) && !judge_is_op(p, OP1(',')) && f->open != '{' && !judge_is_op(p, OP1('|')))
		return false;
	/* {tcp::v4(), 5555}, ["localhost", 9092] */
	if (f->open != '(' && f->argument == 1 && judge_is_op(p, OP1(',')) && port >= 1000 &&
	    after_host(w, depth, before, port, string, v))
		return true;
	/* ("port", 8618), {"localhost:8081", 8081} */
	if (f->argument > 0 && f->callee.kind == PS_TOKEN_END && judge_is_op(p, OP1(',')) &&
	    (names_it(w, f, before) || repeats(w, before, port)))
		return judge_set(v, PS_USE_CONFIG, PS_LIKELY);
	return (f->open == '(' && in_call(w, depth, before, port, string, next, v)) ||
	       in_fallback(w, depth, before, next, v) || judge_in_list(w, depth, before, port, v);
}

/* True if the bracket hands the number on as it is: Number(...), (...). */
static bool is_transparent(const struct walk *w, unsigned depth)
{
	const struct frame *f = &w->frames[depth];
	const struct ps_call *call = call_of(w, depth);

	if (f->open != '(' || (f->callee.kind == PS_TOKEN_NAME && (!call || call->kind != CALL_CONVERT)))
		return false;
	return f->argument == 0 || (f->argument == 1 && call && strcmp(call->name, "range") == 0);
}

bool judge_code(const struct walk *w, uint32_t number, unsigned port, const struct ps_token *next, struct verdict *v)
{
	bool string = judge_token(w, number)->kind == PS_TOKEN_STRING;
	uint32_t before = number - 1;
	unsigned depth = w->depth;

	if (!next->line && ((is_arithmetic(next) && !judge_is_op(next, OP1('-')) && !judge_is_op(next, OP1('<'))) ||
			    judge_is_op(next, OP1('('))))
		return false;
	if (judge_in_line(w, number, port, v))
		return true;
	before = judge_before_cast(w, before);
	for (unsigned turns = 0; turns < 4; turns++) {
		if (is_arithmetic(judge_token(w, before)))
			return false;
		if (judge_after(w, before, port, v) || judge_in_value(w, depth, before, port, v))
			return true;
		if (depth == 0)
			return false;
		if (in_bracket(w, depth, before, port, string, next, v))
			return true;
		if (!is_transparent(w, depth))
			return false;
		before = w->frames[depth].token;
		if (w->frames[depth].callee.kind == PS_TOKEN_NAME)
			before = chain_start(w, before - 1);
		before--;
		depth--;
		string = false;
	}
	return false;
}
