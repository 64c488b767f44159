/*
 * scan.c - which numbers of a file are ports.
 *
 * Theory of operation
 *
 * The tokens of a file pass by once. Of them the last 256 are remembered, and of the brackets that are open: who was
 * called, which argument this is, the name whose value is being said, and where the expression began. That is nearly
 * nothing, and it is not looked at until a number (or a string of digits) comes that could be a port. Then judge.c
 * looks back from it, through conversions like Number(...), to what introduces it:
 *
 *	port: 3000   PORT = 3000         the name of a value (words_port)
 *	listen(3000), connect(h, 3000)   a call that takes a port (words_call), or a host before it
 *	x.PORT || 3000                   an alternative to something that is named like a port
 *	getenv("PORT", "3000")           the same as an argument
 *	--port 3000, EXPOSE 3000         a word before it
 *
 * Strings and words are also looked into by themselves (text.c): they may be URLs, hosts with ports, or commands. A
 * string with several words is read again as a command; code inside of strings (`${...}`) as code.
 *
 * A number that is compared, multiplied or divided is no port, nor is one in a comment. Wrong guesses are possible both
 * ways; tests/inventory keeps count of them.
 */
#include <stdlib.h>
#include <string.h>

#include "judge.h"

unsigned scanner_port(const char *digits, size_t length)
{
	unsigned value = 0, count = 0;

	if (length < 2 || length > 7 || digits[0] == '0')
		return 0;
	for (size_t i = 0; i < length; i++) {
		if (digits[i] == '_')
			continue;
		if (!lex_is_digit(digits[i]) || ++count > 5)
			return 0;
		value = value * 10 + (unsigned)(digits[i] - '0');
	}
	return value >= SCAN_LEAST && value <= 65535 ? value : 0;
}

bool scanner_add(struct ps_scanner *s, const struct ps_text_place *p, uint32_t from, uint32_t until, enum ps_use use,
		 enum ps_certainty certainty, bool inside, bool remote)
{
	unsigned port = scanner_port(s->text + from, until - from);
	struct ps_scan *found = s->found;

	if (!port)
		return false;
	for (size_t i = found->count; i > 0 && i + 8 > found->count; i--)
		if (found->list[i - 1].offset == from)
			return true;
	if (found->count == found->room) {
		size_t room = found->room ? found->room * 2 : 16;
		struct ps_port_use *list = realloc(found->list, room * sizeof(*list));

		if (!list) {
			found->failed = true;
			return true;
		}
		found->list = list;
		found->room = room;
	}
	found->list[found->count++] = (struct ps_port_use){
		.offset = from,
		.length = until - from,
		.expression = p->literal,
		.expression_end = p->literal_end,
		.port = (uint16_t)port,
		.use = (uint8_t)use,
		.certainty = (uint8_t)certainty,
		.language = (uint8_t)s->language,
		.inside = inside,
		.remote = remote,
	};
	return true;
}

static struct frame *top(struct walk *w)
{
	return &w->frames[w->depth];
}

/* ---- strings and words ---- */

static void walk_text(struct ps_scanner *s, const struct ps_language_info *language, uint32_t from, uint32_t end,
		      unsigned nesting, enum ps_portness inherited, bool many);

static bool has_digits(const char *text, size_t length)
{
	for (size_t i = 1; i < length; i++)
		if (lex_is_digit(text[i]) && lex_is_digit(text[i - 1]))
			return true;
	return false;
}

/* The code in ${...} and the like: read as code. */
static void look_into_code(struct walk *w, const struct ps_token *t)
{
	const char *text = w->s->text;
	char sign = w->language->interpolate ? w->language->interpolate[0] : 0;

	if (!sign || w->nesting >= SCAN_NESTING || text[t->until - 1] == '\'')
		return;
	for (uint32_t at = t->inner; at + 1 < t->outer; at++) {
		uint32_t from, depth = 0;

		if (sign == '{' ? text[at] != '{' : text[at] != sign || text[at + 1] != '{')
			continue;
		from = sign == '{' ? at + 1 : at + 2;
		for (at = from; at < t->outer && (text[at] != '}' || depth); at++)
			depth += text[at] == '{' ? 1u : text[at] == '}' ? -1u : 0u;
		if (has_digits(text + from, at - from))
			walk_text(w->s, w->language, from, at, w->nesting + 1, PS_NO_PORT, false);
	}
}

static const char address_words[] =
	"addr address addrs addresses host hosts hostname url uri urls endpoint endpoints upstream upstreams "
	"broker brokers bootstrap listen listener bind proxy target backend server servers origin dial dsn";

/* ssh -L 5432:db:5432; and not chown -R 1000:1000 */
static bool is_tunnel(const struct walk *w, const struct ps_token *p)
{
	if (!judge_is_word(w, p, "-L -R"))
		return false;
	for (uint32_t i = w->line; i > 0 && i < w->next && i - w->line < 16; i++)
		if (judge_is_text(w, judge_token(w, i), "ssh autossh"))
			return true;
	return false;
}

static bool is_mapping_key(const struct walk *w, const struct ps_token *key, const struct ps_token *p)
{
	if (judge_portness(w, key) == PS_PORTS && (w->language->flags & LANG_INDENT || w->s->language == PS_LANG_JSON))
		return true;
	return judge_is_text(w, key, "--publish publish forwardPorts appPort") ||
	       judge_is_word(w, p, "-p --publish port-forward") || is_tunnel(w, p) ||
	       (p->kind == PS_TOKEN_STRING && words_are(judge_inner(w, p), judge_length(p), "-p --publish"));
}

/* Whose values are sentences for people. */
static const char prose_keys[] =
	"description Description documentation summary help comment title message detailed_help";

/* A Python or Elixir text of many lines that is nobody's value is documentation. */
static bool is_documentation(const struct walk *w, uint32_t number)
{
	const struct ps_token *t = judge_token(w, number), *p = judge_token(w, number - 1);

	if (w->s->language == PS_LANG_ELIXIR && judge_has_word(w, p, "doc moduledoc typedoc shortdoc"))
		return true;
	if (t->kind == PS_TOKEN_STRING && judge_is_text(w, &w->frames[w->depth].key, prose_keys) &&
	    memchr(judge_inner(w, t), ' ', judge_length(t)))
		return true;
	if (!t->many)
		return false;
	if (w->s->language == PS_LANG_PYTHON)
		return t->line && (p->kind == PS_TOKEN_END || judge_is_op(p, OP1(':')) || p->kind == PS_TOKEN_STRING ||
				   !judge_is_op(p, OP1('=')));
	return false;
}

/* The name whose value a string or word is, or an item of; nothing for one that begins a line. */
static const struct ps_token *key_of_text(const struct walk *w, const struct ps_token *t)
{
	const struct ps_token *key = judge_key(w, w->depth);

	if (t->line && !(w->language->flags & LANG_INDENT))
		key = &judge_nothing;
	else if (key->kind == PS_TOKEN_END && w->depth > 0)
		key = judge_key(w, w->depth - 1);
	return key;
}

/* What stands around a word or a string, for text.c. */
static void note_place(const struct walk *w, uint32_t number, const struct ps_token *key, struct ps_text_place *place)
{
	static const char options[] = "-b --bind --listen -S --host -H --address --addr";
	const struct ps_token *p = judge_token(w, number - 1), *q = judge_token(w, number - 2), *line = judge_line(w);
	bool embedded = w->language->flags & LANG_EMBEDDED, after = judge_is_op(p, OP1(',')), server;
	enum ps_use around = judge_use_around(w, w->depth);

	server = judge_has_word(w, key, "listen listener bind") ||
		 (w->s->language == PS_LANG_CADDY && judge_token(w, number)->line) ||
		 judge_is_word(w, p, "listen Listen -b --bind --listen -S");
	if (w->s->language == PS_LANG_CADDY)
		server = server || judge_is_word(w, line, "admin") || (w->depth == 0 && !embedded);
	place->key = judge_portness(w, key);
	place->use = around != PS_USE_COUNT     ? around
		     : judge_is_default(w, key) ? PS_USE_DEFAULT
		     : server                   ? PS_USE_LISTEN
						: PS_USE_CONNECT;
	place->guess = around == PS_USE_COUNT && place->use != PS_USE_DEFAULT;
	place->addresses = (around != PS_USE_COUNT && !embedded) || judge_has_word(w, key, address_words) ||
			   judge_is_word(w, p, options) ||
			   (after && q->kind == PS_TOKEN_STRING &&
			    (judge_has_word(w, q, address_words) || judge_is_text(w, q, options)));
	place->mapping = is_mapping_key(w, key, p) || (after && is_mapping_key(w, &judge_nothing, q)) ||
			 (judge_is_word(w, q, "port-forward") && p->kind == PS_TOKEN_NAME) ||
			 (w->s->language == PS_LANG_DOCKERFILE && !embedded && judge_is_word(w, line, "EXPOSE"));
	place->image = judge_has_word(w, key, "image tag from version digest base user") ||
		       judge_is_word(w, line, "FROM docker podman nerdctl");
	place->named_hosts = w->language->flags & LANG_NAMED_HOSTS;
	place->prose = embedded;
}

/* Go: Port int `env:"PORT" envDefault:"8080"`. */
static void look_into_tags(struct walk *w, uint32_t number)
{
	const struct ps_token *t = judge_token(w, number);
	const char *text = w->s->text, *found = memmem(text + t->inner, judge_length(t), "efault:\"", 8);
	struct ps_text_place place = { .literal = t->from, .literal_end = t->until };
	uint32_t from, until;

	if (!found || (judge_portness(w, judge_token(w, number - 2)) != PS_PORT &&
		       !memmem(text + t->inner, judge_length(t), "PORT\"", 5)))
		return;
	from = until = (uint32_t)(found - text) + 8;
	while (until < t->outer && lex_is_digit(text[until]))
		until++;
	if (until < t->outer && text[until] == '"')
		scanner_add(w->s, &place, from, until, PS_USE_DEFAULT, PS_CERTAIN, false, false);
}

static void look_into(struct walk *w, uint32_t number)
{
	const struct ps_token *t = judge_token(w, number), *key = key_of_text(w, t);
	const char *text = judge_inner(w, t);
	size_t length = judge_length(t);
	struct ps_text_place place = {
		.from = t->inner, .until = t->outer, .literal = t->from, .literal_end = t->until
	};

	if (length < 3 || !has_digits(text, length) || is_documentation(w, number))
		return;
	if (w->s->language == PS_LANG_GO && t->kind == PS_TOKEN_STRING && text[-1] == '`')
		look_into_tags(w, number);
	if (t->kind == PS_TOKEN_STRING && !(w->language->flags & LANG_WORDS))
		look_into_code(w, t);
	if (t->kind == PS_TOKEN_STRING && w->nesting < SCAN_NESTING &&
	    ((memchr(text, ',', length) && judge_portness(w, key) == PS_PORTS) || memchr(text, ' ', length) ||
	     memchr(text, '=', length) || t->many)) {
		walk_text(w->s, &language_embedded, t->inner, t->outer, w->nesting + 1,
			  judge_portness(w, key) == PS_PORTS ? PS_PORTS : PS_NO_PORT, t->many);
		return;
	}
	note_place(w, number, key, &place);
	if (length >= 8 && text[0] == '-' && (text[1] == 'p' || text[1] == 'L') && lex_is_digit(text[2])) {
		place.mapping = true; /* -p8080:80 */
		place.from += 2;
	}
	scanner_text(w->s, &place);
}

/* ---- the walk ---- */

/* `int port() {`, `object Ports {`, `@ports [`: what the bracket belongs to. */
static struct ps_token name_of_body(const struct walk *w, uint32_t number, char open)
{
	const struct ps_token *p = judge_token(w, number - 1);

	if (open == '[' && w->s->language == PS_LANG_ELIXIR && p->kind == PS_TOKEN_NAME && *judge_inner(w, p) == '@')
		return *p;
	if (open != '{')
		return judge_nothing;
	if (p->kind == PS_TOKEN_NAME &&
	    judge_is_word(w, judge_token(w, number - 2), "object class enum interface module namespace struct mod"))
		return *p;
	for (uint32_t i = w->called_at + 1; i < number; i++)
		if (i > w->called_at + 4 || judge_token(w, i)->line)
			return judge_nothing;
	return w->called;
}

static void open_frame(struct walk *w, uint32_t number, char open)
{
	struct frame *f;
	uint32_t name = number - 1;

	if (w->depth + 1 >= FRAMES) {
		w->lost++;
		return;
	}
	f = &w->frames[++w->depth];
	*f = (struct frame){ .open = open,
			     .token = number,
			     .segment = number + 1,
			     .key = judge_nothing,
			     .callee = judge_nothing,
			     .owner = judge_nothing,
			     .name = name_of_body(w, number, open) };
	if (open != '(' || judge_token(w, number)->line)
		return;
	/* foo!(, foo<T>(, foo::<T>( */
	if (judge_is_op(judge_token(w, name), OP1('!')))
		name--;
	if (judge_is_op(judge_token(w, name), OP1('>')))
		for (unsigned i = 0; i < 8 && !judge_is_op(judge_token(w, name), OP1('<')); i++)
			name--;
	if (judge_is_op(judge_token(w, name), OP1('<')))
		name -= judge_is_op(judge_token(w, name - 1), OP2(':', ':')) ? 2 : 1;
	if (judge_token(w, name)->kind != PS_TOKEN_NAME ||
	    judge_is_word(w, judge_token(w, name), "if while for switch return and or not in elif unless await yield"))
		return;
	f->callee = *judge_token(w, name);
	if (judge_is_op(judge_token(w, name - 1), OP1('.')) || judge_is_op(judge_token(w, name - 1), OP2(':', ':')) ||
	    judge_is_op(judge_token(w, name - 1), OP2('-', '>')))
		f->owner = *judge_token(w, name - 2);
}

static void close_frame(struct walk *w, char open)
{
	unsigned depth = w->depth;

	if (w->lost) {
		w->lost--;
		return;
	}
	/* What was not closed is closed with it; a bracket that nobody opened is passed over. */
	while (depth > 0 && w->frames[depth].open != open)
		depth--;
	if (depth == 0)
		return;
	w->called = open == '(' ? w->frames[depth].callee : judge_nothing;
	w->called_at = w->next - 1;
	w->depth = depth - 1;
}

/* The name before `=` or `:`; the ring has the operator as `number`. */
static void note_key(struct walk *w, uint32_t number, bool colon)
{
	const struct ps_token *t = judge_token(w, number - 1), *q;
	struct frame *f = top(w);

	if (colon && f->ternary) {
		f->ternary = false;
		return;
	}
	/* `port: int = 8000`: the type is no key. */
	if (!colon && f->colon && f->key.kind != PS_TOKEN_END && !(w->language->flags & LANG_WORDS))
		return;
	if (judge_is_op(t, OP1('?')) || judge_is_op(t, OP1('!')) ||
	    judge_is_word(w, t, "? : +")) /* also `PORT ?= 80` of make */
		t = judge_token(w, --number - 1);
	if (judge_is_op(t, OP1(']'))) /* x["port"] = 80; int ports[] = {80}; ports[2] = {80} */
		t = judge_token(w, judge_is_op(judge_token(w, number - 2), OP1('[')) ? number - 3
				   : judge_is_op(judge_token(w, number - 3), OP1('[')) &&
						   judge_token(w, number - 2)->kind == PS_TOKEN_NUMBER
					   ? number - 4
					   : number - 2);
	if (t->kind != PS_TOKEN_NAME && t->kind != PS_TOKEN_STRING) {
		if (!colon)
			f->key = judge_nothing;
		return;
	}
	q = judge_token(w, number - 2);
	f->key = *t;
	f->colon = colon;
	/* Go: `var port int = 8080` */
	if (!colon && w->s->language == PS_LANG_GO && q->kind == PS_TOKEN_NAME && !judge_is_word(w, q, "var const"))
		f->key = *q;
}

static void note_operator(struct walk *w, uint32_t number, const struct ps_token *t)
{
	struct frame *f = top(w);

	switch (t->op) {
	case OP1('('):
	case OP1('['):
	case OP1('{'):
		open_frame(w, number, (char)t->op);
		break;
	case OP1(')'):
		close_frame(w, '(');
		break;
	case OP1(']'):
		close_frame(w, '[');
		break;
	case OP1('}'):
		close_frame(w, '{');
		break;
	case OP1(','):
		f->argument++;
		f->key = judge_nothing;
		f->ternary = f->colon = false;
		if (f->open == '{' || f->open == '[')
			f->segment = number + 1;
		break;
	case OP1(';'):
		f->key = judge_nothing;
		f->ternary = f->colon = false;
		f->segment = number + 1;
		break;
	case OP1('?'):
		f->ternary = true;
		break;
	case OP2('?', ':'):
		if (w->s->language == PS_LANG_JAVASCRIPT)
			note_key(w, number, true);
		break;
	case OP1(':'):
		/* `public:` ends something. */
		if (w->s->language == PS_LANG_C &&
		    judge_is_word(w, judge_token(w, number - 1), "public private protected default slots signals")) {
			f->key = judge_nothing;
			f->colon = false;
			f->segment = number + 1;
			break;
		}
		note_key(w, number, true);
		break;
	case OP1('='):
	case OP2(':', '='):
	case OP2('=', '>'):
	case OP2('?', '='):
	case OP2('\\', '\\'):
		note_key(w, number, false);
		break;
	default:
		break;
	}
}

/* `- "8080:80"` belongs to the key above even if it is not indented more. */
static void note_indent(struct walk *w, const struct ps_token *t)
{
	uint32_t start = t->from, indent;
	bool item = w->s->text[t->from] == '-' && t->until == t->from + 1;

	while (start > 0 && w->s->text[start - 1] != '\n')
		start--;
	indent = t->from - start;
	while (w->heading_count > 0 && (w->headings[w->heading_count - 1].indent > indent ||
					(w->headings[w->heading_count - 1].indent == indent && !item)))
		w->heading_count--;
}

static void note_heading(struct walk *w, const struct ps_token *key)
{
	uint32_t start = key->from, indent;

	while (start > 0 && w->s->text[start - 1] != '\n')
		start--;
	indent = key->from - start;
	/* The second key of an item stands where the first one does, behind the dash. */
	while (w->heading_count > 0 && w->headings[w->heading_count - 1].indent >= indent)
		w->heading_count--;
	if (w->heading_count < sizeof(w->headings) / sizeof(w->headings[0]))
		w->headings[w->heading_count++] = (struct heading){ .indent = indent, .key = *key };
}

/* A line that begins a new expression. Not one that goes on: after an operator, or with one. */
static void note_line(struct walk *w, uint32_t number, const struct ps_token *t)
{
	const struct ps_token *p = judge_token(w, number - 1);
	struct frame *f = top(w);
	bool words = w->language->flags & LANG_WORDS;

	w->line = number;
	if (words && w->language->flags & LANG_INDENT && w->depth == 0)
		note_indent(w, t);
	if (!words) {
		if (f->open == '(' || f->open == '[')
			return;
		if (p->kind == PS_TOKEN_OPERATOR && p->op != OP1(')') && p->op != OP1(']') && p->op != OP1('}') &&
		    p->op != OP1(';'))
			return;
		if (t->kind == PS_TOKEN_OPERATOR && t->op != OP1('(') && t->op != OP1('[') && t->op != OP1('{') &&
		    t->op != OP1('}') && t->op != OP1('#') && t->op != OP1('@'))
			return;
	}
	f->key = judge_nothing;
	f->ternary = f->colon = false;
	f->segment = number;
}

static bool is_digits(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (!lex_is_digit(text[i]))
			return false;
	return length >= 2 && length <= 5;
}

static void add_token(struct walk *w, const struct ps_token *t, const struct verdict *v)
{
	struct ps_text_place place = { .literal = t->from, .literal_end = t->until };

	scanner_add(w->s, &place, t->inner, t->outer, v->use, v->certainty, v->inside, false);
}

/* Rust: `#[arg(long, default_value_t = 8080)] port: u16`: the name comes after the number. */
static void note_pending(struct walk *w, uint32_t number, const struct ps_token *t)
{
	const struct verdict v = { PS_USE_DEFAULT, PS_CERTAIN, false };

	if (w->pending.kind == PS_TOKEN_END)
		return;
	if (t->kind == PS_TOKEN_NAME && words_port(judge_inner(w, t), judge_length(t)) == PS_PORT) {
		add_token(w, &w->pending, &v);
		w->pending = judge_nothing;
	} else if (number - w->pending_at > 24 || judge_is_op(t, OP1(';')) || judge_is_op(t, OP1('}'))) {
		w->pending = judge_nothing;
	}
}

static void consider(struct walk *w, uint32_t number, const struct ps_token *next)
{
	const struct ps_token *t = judge_token(w, number);
	unsigned port = scanner_port(judge_inner(w, t), judge_length(t));
	struct verdict v;
	bool good;

	if (!port)
		return;
	good = w->language->flags & LANG_WORDS ? judge_words(w, number, port, &v)
					       : judge_code(w, number, port, next, &v);
	if (good) {
		add_token(w, t, &v);
	} else if (judge_is_default(w, &top(w)->key) &&
		   (w->s->language == PS_LANG_RUST || w->s->language == PS_LANG_JAVA)) {
		w->pending = *t;
		w->pending_at = number;
	}
}

/* `server { listen 80; listen 81; }` in one line. */
static bool begins_directive(const struct walk *w, uint32_t number)
{
	const struct ps_token *p = judge_token(w, number - 1), *t = judge_token(w, number);

	return w->nesting == 0 && t->kind == PS_TOKEN_NAME &&
	       (judge_is_op(p, OP1('{')) || judge_is_op(p, OP1(';')) || judge_is_op(p, OP1('}')));
}

/* For every name of every file: the first letter says no before words are compared. */
static bool begins_function(const struct walk *w, const struct ps_token *t)
{
	char first = w->s->text[t->from];

	return (first == 'd' || first == 'f') && t->until - t->from <= 8 &&
	       judge_is_word(w, t, "def defp fn func fun function");
}

/* `docker build . && npm start`: what stands first says what the words are for. */
static bool begins_command(const struct walk *w, uint32_t number)
{
	const struct ps_token *p = judge_token(w, number - 1);

	return !(w->language->flags & (LANG_DIRECTIVE | LANG_INDENT)) &&
	       (judge_is_op(p, OP2('&', '&')) || judge_is_op(p, OP2('|', '|')) || judge_is_op(p, OP1('|')));
}

static void note(struct walk *w, uint32_t number)
{
	const struct ps_token *t = judge_token(w, number);

	if (t->line || (w->s->language == PS_LANG_NGINX && begins_directive(w, number)))
		note_line(w, number, t);
	else if (w->language->flags & LANG_WORDS && w->depth == 0 && begins_command(w, number))
		w->line = number;
	if (t->space && t->kind == PS_TOKEN_NAME && begins_function(w, judge_token(w, number - 1)))
		w->function = *t;
	note_pending(w, number, t);
	if (t->kind == PS_TOKEN_OPERATOR) {
		note_operator(w, number, t);
		if (t->op == OP1(':') && w->language->flags & LANG_INDENT && w->depth == 0 &&
		    w->frames[0].key.kind != PS_TOKEN_END)
			note_heading(w, &w->frames[0].key);
	}
	/* `for port in (8000, 8001)`, and not `if port in (80, 443)` */
	if (t->kind == PS_TOKEN_NAME && t->until - t->from == 2 &&
	    judge_is_word(w, judge_token(w, number - 2), "for") && !(w->language->flags & LANG_WORDS) &&
	    judge_is_word(w, t, "in"))
		note_key(w, number, false);
}

static void walk_text(struct ps_scanner *s, const struct ps_language_info *language, uint32_t from, uint32_t end,
		      unsigned nesting, enum ps_portness inherited, bool many)
{
	struct walk *w = malloc(sizeof(*w));
	struct ps_lexer lexer;
	struct ps_token t;
	uint32_t waiting = 0; /* number of a token that waits for the one behind it */

	if (!w) {
		s->found->failed = true;
		return;
	}
	w->s = s;
	w->language = language;
	w->next = 1;
	w->depth = w->lost = w->heading_count = 0;
	w->frames[0] = (struct frame){ .segment = 1,
				       .key = judge_nothing,
				       .callee = judge_nothing,
				       .owner = judge_nothing,
				       .name = judge_nothing };
	w->called = w->function = judge_nothing;
	w->called_at = 0;
	w->lexer = &lexer;
	w->line = 1;
	w->pending = judge_nothing;
	w->pending_at = 0;
	w->nesting = nesting;
	w->inherited = inherited;
	w->many = many;
	lex_start(&lexer, language, s->text, from, end);
	while (lex_next(&lexer, &t)) {
		uint32_t number = w->next++;

		w->ring[number % RING] = t;
		if (waiting)
			consider(w, waiting, &t);
		waiting = 0;
		note(w, number);
		if (t.kind == PS_TOKEN_NUMBER ||
		    (t.kind == PS_TOKEN_STRING && is_digits(s->text + t.inner, t.outer - t.inner)))
			waiting = number;
		else if (t.kind == PS_TOKEN_STRING || (t.kind == PS_TOKEN_NAME && language->flags & LANG_WORDS))
			look_into(w, number);
	}
	if (waiting)
		consider(w, waiting, &judge_nothing);
	free(w);
}

/* ---- the interface ---- */

static int compare(const void *a, const void *b)
{
	const struct ps_port_use *x = a, *y = b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* Sorts what was found, drops what was found twice, and counts lines: one pass from one to the next. */
static void finish(struct ps_scan *scan, size_t first, const char *text)
{
	size_t kept = first;
	uint32_t at = 0, line = 1, start = 0;

	qsort(scan->list + first, scan->count - first, sizeof(*scan->list), compare);
	for (size_t i = first; i < scan->count; i++) {
		struct ps_port_use *use = &scan->list[i];
		const char *end;

		if (kept > first && scan->list[kept - 1].offset == use->offset)
			continue;
		while ((end = memchr(text + at, '\n', use->offset - at))) {
			at = start = (uint32_t)(end - text) + 1;
			line++;
		}
		at = use->offset;
		use->line = line;
		use->column = use->offset - start + 1;
		scan->list[kept++] = *use;
	}
	scan->count = kept;
}

void scan_text(struct ps_scan *scan, enum ps_language language, const char *text, size_t size)
{
	struct ps_scanner s = { .found = scan, .language = language, .text = text, .size = (uint32_t)size };
	size_t first = scan->count;

	if (language == PS_LANG_NONE || language >= PS_LANG_COUNT || size == 0 || size > UINT32_MAX - 16)
		return;
	walk_text(&s, &language_table[language], 0, s.size, 0, PS_NO_PORT, false);
	if (scan->count > first)
		finish(scan, first, text);
}

void scan_free(struct ps_scan *scan)
{
	free(scan->list);
	*scan = (struct ps_scan){ 0 };
}
