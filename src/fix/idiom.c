/*
 * idiom.c - a hardcoded port becomes one that is read from the environment: what the languages have in common.
 *
 * Theory of operation
 *
 * A port is rewritten only where everything about it is known: the file's brackets and quotes match (code.c), the
 * literal stands where any expression can stand (the language's `place`: a list of surroundings that are good, not of
 * those that are bad), and the file may read the environment (the language's `file`). All else is left alone, with a
 * reason. A language is a row: the expression that reads a number, the one that reads a string, and how a string takes
 * a value in:
 *
 *	3000                      Number(process.env.PORT || 3000)
 *	"3000"                    process.env.PORT || "3000"
 *	"http://localhost:3000"   `http://localhost:${process.env.PORT || 3000}`
 *
 * Invariants: what is not spliced stays byte for byte; a splice begins and ends within one literal, but for imports and
 * functions that a language needs for it; rewriting the result again finds nothing, because what stands behind the
 * reading of a variable is its default (fix_is_read) or lies inside of an interpolation.
 */
#include "idiom.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../inventory/words.h"

static const struct {
	const char *name, *text;
} reasons[PS_FIX_COUNT] = {
	[PS_FIX_DONE] = { "rewritten", "is read from the environment" },
	[PS_FIX_UNDECLARED] = { "undeclared", "no service of the manifest has this port" },
	[PS_FIX_LIKELY] = { "not-certain", "it is not certain that this is a port" },
	[PS_FIX_DEFAULT] = { "default", "a default already: something else is asked first" },
	[PS_FIX_ELSEWHERE] = { "elsewhere", "a port of another host, or inside of a container" },
	[PS_FIX_EXTERNAL] = { "external", "the service is external, and no variable has its port" },
	[PS_FIX_SEVERAL] = { "several-services", "several services have this port" },
	[PS_FIX_NOT_FIRST] = { "not-first", "not the first of the service's ports: variables have that one" },
	[PS_FIX_NO_NAME] = { "no-name", "the variable's name means another port already" },
	[PS_FIX_OTHER_SERVICE] = { "not-asked", "another service's port" },
	[PS_FIX_CONFIGURATION] = { "configuration", "configuration cannot read the environment: see portshim sync" },
	[PS_FIX_LANGUAGE] = { "language", "there is no way for this language yet" },
	[PS_FIX_TEST] = { "test", "a test, an example or a fixture (--tests rewrites them too)" },
	[PS_FIX_BROWSER] = { "browser", "runs in a browser, where there is no environment" },
	[PS_FIX_NOT_NODE] = { "not-node", "nothing shows that this runs in Node and not in a browser" },
	[PS_FIX_UNCLEAR] = { "unclear", "the file is not understood well enough to be changed" },
	[PS_FIX_TAKEN] = { "name-taken", "a name that is needed has another meaning in this file" },
	[PS_FIX_BUILD] = { "build",
			   "not every build has this file, and no other one of the package has envOr and envPort" },
	[PS_FIX_PLACE] = { "place", "it is not certain that an expression can stand here" },
	[PS_FIX_CONSTANT] = { "constant", "a constant expression, which cannot read the environment" },
	[PS_FIX_TYPE] = { "type", "its type is not certain" },
	[PS_FIX_SINGLE_QUOTED] = { "single-quoted", "in single quotes, where nothing is expanded" },
	[PS_FIX_STRING] = { "string", "in a kind of string that takes no expression in" },
	[PS_FIX_INTERPOLATION] = { "interpolation", "in an expression inside of a string" },
	[PS_FIX_SETS] = { "sets", "sets the environment for others" },
};

const char *fix_reason_name(enum ps_fix_reason reason)
{
	return reasons[reason].name;
}

const char *fix_reason_text(enum ps_fix_reason reason)
{
	return reasons[reason].text;
}

static const struct ps_fix_idiom *const idioms[PS_LANG_COUNT] = {
	[PS_LANG_JAVASCRIPT] = &fix_javascript,
	[PS_LANG_PYTHON] = &fix_python,
	[PS_LANG_RUBY] = &fix_ruby,
	[PS_LANG_PHP] = &fix_php,
	[PS_LANG_GO] = &fix_go,
	[PS_LANG_JAVA] = &fix_java,
	[PS_LANG_ELIXIR] = &fix_elixir,
};

static const char *extension(const char *path)
{
	const char *slash = strrchr(path, '/'), *dot = strrchr(slash ? slash : path, '.');

	return dot ? dot + 1 : "";
}

/* The scanner reads C# and Scala like Java, a Procfile and fish like a shell. */
bool fix_language(enum ps_language language, const char *path)
{
	const char *end = extension(path), *slash = strrchr(path, '/');

	if (language == PS_LANG_JAVA)
		return idioms[language] && strcmp(end, "java") == 0;
	if (language == PS_LANG_SHELL)
		return strcmp(end, "fish") != 0 && strncmp(slash ? slash + 1 : path, "Procfile", 8) != 0;
	return idioms[language] != NULL;
}

/* ---- splices ---- */

static void add_splice(struct ps_fixing *f, uint32_t offset, uint32_t length, char *text)
{
	struct ps_fix_splices *s = &f->splices;

	/* The quotes of a string with several ports in it come several times, soon after one another. */
	for (size_t i = s->count > 64 ? s->count - 64 : 0; text && i < s->count; i++)
		if (s->list[i].offset == offset && s->list[i].length == length && strcmp(s->list[i].text, text) == 0) {
			free(text);
			return;
		}
	if (text && s->count == s->room) {
		size_t room = s->room ? s->room * 2 : 16;
		struct ps_fix_splice *list = reallocarray(s->list, room, sizeof(*list));

		if (list) {
			s->list = list;
			s->room = room;
		}
	}
	if (!text || s->count == s->room) {
		s->failed = true;
		free(text);
		return;
	}
	s->list[s->count++] = (struct ps_fix_splice){ .offset = offset, .length = length, .text = text };
}

void fix_splice(struct ps_fixing *f, uint32_t offset, uint32_t length, const char *format, ...)
{
	va_list arguments;
	char *text = NULL;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	add_splice(f, offset, length, text);
}

/* ---- expressions ---- */

struct expression {
	const char *variable;
	const char *digits;  /* or what the string's default is, in quotes */
	const char *literal; /* in quotes */
	char quote;
};

/* The idiom with its parts put in; malloc'ed, or NULL. */
static char *express(const char *idiom, const struct expression *e)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (; *idiom; idiom++) {
		switch (*idiom) {
		case '\1':
			fputs(e->variable, out);
			break;
		case '\2':
			fputs(e->digits, out);
			break;
		case '\3':
			fputs(e->literal, out);
			break;
		case '\4':
			fputc(e->quote, out);
			break;
		default:
			fputc(*idiom, out);
			break;
		}
	}
	if (ferror(out) | fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

static void plain_digits(const struct ps_fixing *f, const struct ps_port_use *use, char digits[8])
{
	size_t n = 0;

	for (uint32_t i = 0; i < use->length && n < 7; i++)
		if (f->text[use->offset + i] != '_')
			digits[n++] = f->text[use->offset + i];
	digits[n] = '\0';
}

bool fix_is_read(const struct ps_fixing *f, uint32_t token)
{
	static const char readers[] = "getenv getEnv getOrDefault get_env fetch_env envOr envPort";
	static const char names[] = "env ENV environ getenv getEnv get_env envOr envPort";
	const struct ps_code *code = &f->code;
	uint32_t parent = code->parent[token], callee, at = token;

	if (parent != CODE_NONE && code_call(code, parent, &callee) && token - 1 != parent &&
	    (code_is_name(code, callee, readers) ||
	     (code_is_name(code, callee, "get fetch setdefault") && code_is_one(code, callee - 1, ".") &&
	      code_is_name(code, callee - 2, names))))
		return true;
	if (!code_is_op(code, token - 1, OP2('|', '|')) && !code_is_op(code, token - 1, OP2('?', '?')) &&
	    !code_is_op(code, token - 1, OP2('?', ':')) && !code_is_name(code, token - 1, "or"))
		return false;
	while (at-- > 0 && token - at < 64) {
		if (at == parent || (code->parent[at] == parent && code_is_one(code, at, ",;")))
			return false;
		if (code_is_name(code, at, names))
			return true;
	}
	return false;
}

/* `process.env.PORT = "3000"`, `os.environ["PORT"] = "3000"`, `env: { PORT: "3000" }` */
static bool sets(const struct ps_fixing *f, uint32_t token)
{
	const struct ps_code *code = &f->code;
	uint32_t at = token - 1, parent = code->parent[token];

	if (parent != CODE_NONE && code_is_op(code, parent, OP1('{')) && code_is_one(code, parent - 1, ":=(") &&
	    code_is_name(code, parent - 2, "env ENV environ putenv setenv"))
		return true;
	if (!code_is_op(code, at, OP1('=')))
		return false;
	for (at--; at != CODE_NONE && token - at < 8 && !code->tokens[at + 1].line; at--)
		if (code_is_name(code, at, "env ENV environ"))
			return true;
	return false;
}

/* ---- strings ---- */

struct piece {
	const struct ps_token *token;
	uint32_t number;      /* of the token */
	uint32_t from, until; /* what the variable stands for */
	bool whole;
	char quote; /* of the string */
};

static bool has_any(const struct ps_fixing *f, const struct ps_token *t, const char *characters)
{
	for (uint32_t i = t->inner; i < t->outer; i++)
		if (f->text[i] && strchr(characters, f->text[i]))
			return true;
	return false;
}

/* True if a place in a string lies inside of its ${...}, #{...} or {...}. */
static bool is_inside(const struct ps_fixing *f, const struct piece *p, char sign)
{
	unsigned depth = 0;

	for (uint32_t i = p->token->inner; i < p->from; i++) {
		char c = f->text[i];

		if (c == '\\')
			i++;
		else if (c == '{' && (depth || !sign || (i > p->token->inner && f->text[i - 1] == sign)))
			depth++;
		else if (c == '}' && depth)
			depth--;
	}
	return depth > 0;
}

/* The default of a string's piece, in quotes: what stood there. NULL if it cannot be quoted as it is. */
static char *quoted(const struct ps_fixing *f, const struct piece *p, char quote)
{
	char *text = NULL;

	for (uint32_t i = p->from; i < p->until; i++)
		if (strchr("\"'`\\{}$#", f->text[i]))
			return NULL;
	return asprintf(&text, "%c%.*s%c", quote, (int)(p->until - p->from), f->text + p->from, quote) < 0 ? NULL
													   : text;
}

/* What reads the piece, as an expression that is a string, or can stand in one. */
static char *piece_expression(const struct ps_fixing *f, const struct ps_fix_idiom *idiom, const struct piece *p,
			      const struct ps_fix_variable *v, char quote)
{
	char *literal = quoted(f, p, quote), *text;
	struct expression e = { .variable = v->name, .literal = literal, .quote = quote };

	if (!literal)
		return NULL;
	if (!v->url && (idiom->join == '`' || idiom->join == '.')) { /* a number will do there */
		literal[strlen(literal) - 1] = '\0';
		e.literal = literal + 1;
	}
	text = express(idiom->string, &e);
	free(literal);
	return text;
}

static bool is_tight(const struct ps_fixing *f, uint32_t token)
{
	return !code_is_one(&f->code, token - 1, "(,[=:") && !code_is_op(&f->code, token - 1, OP2('=', '>')) &&
	       !code_is_name(&f->code, token - 1, "return");
}

static enum ps_fix_reason join_template(struct ps_fixing *f, const struct ps_fix_idiom *idiom, const struct piece *p,
					const struct ps_fix_variable *v)
{
	const struct ps_token *t = p->token;
	char *expression;

	if (p->quote != '`' && has_any(f, t, "`$"))
		return PS_FIX_STRING;
	for (uint32_t i = t->inner; p->quote != '`' && i + 1 < t->outer; i++)
		if (f->text[i] == '\\' && lex_is_digit(f->text[i + 1]))
			return PS_FIX_STRING;
	if (is_inside(f, p, '$'))
		return PS_FIX_INTERPOLATION;
	expression = piece_expression(f, idiom, p, v, f->code.quote);
	if (!expression)
		return PS_FIX_STRING;
	if (p->quote != '`') {
		fix_splice(f, t->from, 1, "`");
		fix_splice(f, t->outer, 1, "`");
	}
	fix_splice(f, p->from, p->until - p->from, "${%s}", expression);
	free(expression);
	return PS_FIX_DONE;
}

static enum ps_fix_reason join_format(struct ps_fixing *f, const struct ps_fix_idiom *idiom, const struct piece *p,
				      const struct ps_fix_variable *v)
{
	const struct ps_token *t = p->token;
	bool format = (f->text[t->from] | 0x20) == 'f' && strchr("\"'", f->text[t->from + 1]);
	char *expression;

	if (!format && (f->old || f->text[t->from] != p->quote || has_any(f, t, "{}")))
		return PS_FIX_STRING;
	if (format && is_inside(f, p, 0))
		return PS_FIX_INTERPOLATION;
	expression = piece_expression(f, idiom, p, v, p->quote == '"' ? '\'' : '"');
	if (!expression)
		return PS_FIX_STRING;
	if (!format)
		fix_splice(f, t->from, 0, "f");
	fix_splice(f, p->from, p->until - p->from, "{%s}", expression);
	free(expression);
	return PS_FIX_DONE;
}

static enum ps_fix_reason join_hash(struct ps_fixing *f, const struct ps_fix_idiom *idiom, const struct piece *p,
				    const struct ps_fix_variable *v)
{
	const struct ps_token *t = p->token;
	char *expression;

	if (t->many || p->quote == '`' || t->inner != t->from + 1)
		return PS_FIX_STRING;
	if (p->quote == '\'' && (f->language != PS_LANG_RUBY || has_any(f, t, "\"\\#")))
		return PS_FIX_STRING;
	if (is_inside(f, p, '#'))
		return PS_FIX_INTERPOLATION;
	expression = piece_expression(f, idiom, p, v, '"');
	if (!expression)
		return PS_FIX_STRING;
	if (p->quote == '\'') {
		fix_splice(f, t->from, 1, "\"");
		fix_splice(f, t->outer, 1, "\"");
	}
	fix_splice(f, p->from, p->until - p->from, "#{%s}", expression);
	free(expression);
	return PS_FIX_DONE;
}

/* `join` with spaces around it, or without. */
static enum ps_fix_reason join_pieces(struct ps_fixing *f, const struct ps_fix_idiom *idiom, const struct piece *p,
				      const struct ps_fix_variable *v, const char *join)
{
	const struct ps_token *t = p->token;
	char *expression, quote[2] = { p->quote, 0 };
	bool bracket = idiom->join == '`';

	if (t->many || t->inner != t->from + 1)
		return PS_FIX_STRING;
	if (idiom->join == '.' && p->quote == '"' && is_inside(f, p, 0))
		return PS_FIX_INTERPOLATION;
	expression = piece_expression(f, idiom, p, v, idiom->join == '`' || idiom->join == '.' ? f->code.quote : '"');
	if (!expression)
		return PS_FIX_STRING;
	if (p->from == t->inner)
		fix_splice(f, t->from, p->until - t->from, "%s%s%s%s%s", bracket ? "(" : "", expression,
			   bracket ? ")" : "", join, quote);
	else if (p->until == t->outer)
		fix_splice(f, p->from, t->until - p->from, "%s%s%s%s%s", quote, join, bracket ? "(" : "", expression,
			   bracket ? ")" : "");
	else
		fix_splice(f, p->from, p->until - p->from, "%s%s%s%s%s%s%s", quote, join, bracket ? "(" : "",
			   expression, bracket ? ")" : "", join, quote);
	free(expression);
	return PS_FIX_DONE;
}

static enum ps_fix_reason whole_string(struct ps_fixing *f, const struct ps_fix_idiom *idiom, const struct piece *p,
				       const struct ps_fix_variable *v)
{
	const struct ps_token *t = p->token;
	bool bracket = idiom->loose && (is_tight(f, p->number) || !code_ends(&f->code, p->number));
	char *literal, *expression;
	struct expression e = { .variable = v->name, .quote = f->code.quote };

	if (t->many || t->inner != t->from + 1 || p->quote == '`' || has_any(f, t, "\\{}$#"))
		return PS_FIX_STRING;
	literal = strndup(f->text + t->from, t->until - t->from);
	e.literal = literal;
	expression = literal ? express(idiom->string, &e) : NULL;
	if (expression)
		fix_splice(f, t->from, t->until - t->from, "%s%s%s", bracket ? "(" : "", expression,
			   bracket ? ")" : "");
	else
		f->splices.failed = true;
	free(expression);
	free(literal);
	return PS_FIX_DONE;
}

static enum ps_fix_reason string_use(struct ps_fixing *f, const struct ps_fix_idiom *idiom, struct piece *p,
				     const struct ps_fix_variable *v)
{
	if (p->whole)
		return whole_string(f, idiom, p, v);
	switch (idiom->join) {
	case '`':
		return f->old && p->quote != '`' ? join_pieces(f, idiom, p, v, " + ") : join_template(f, idiom, p, v);
	case 'f':
		return join_format(f, idiom, p, v);
	case '#':
		return join_hash(f, idiom, p, v);
	case '.':
		return join_pieces(f, idiom, p, v, " . ");
	default:
		return join_pieces(f, idiom, p, v, f->language == PS_LANG_GO ? fix_go_plus(f, p->number) : " + ");
	}
}

/* ---- one port ---- */

/* `"db.example.com", 5432` and `host: "db.example.com", port: 5432`: the port of another host. */
static bool is_remote(const struct ps_fixing *f, uint32_t number)
{
	const struct ps_code *code = &f->code;
	uint32_t parent = code->parent[number], from = parent == CODE_NONE ? code_line(code, number) : parent + 1;
	uint32_t until = parent == CODE_NONE ? number : code->partner[parent];

	for (uint32_t i = number > 64 && from < number - 64 ? number - 64 : from; i < until && i < number + 64; i++) {
		const struct ps_token *t = &code->tokens[i], *key = code_token(code, i - 2);
		bool remote = false;

		if (t->kind != PS_TOKEN_STRING || code->parent[i] != parent ||
		    !words_host(f->text + t->inner, t->outer - t->inner, &remote) || !remote)
			continue;
		if (i + 2 == number && code_is_one(code, i + 1, ","))
			return true;
		if ((code_is_one(code, i - 1, ":=") || code_is_op(code, i - 1, OP2('=', '>'))) &&
		    (key->kind == PS_TOKEN_NAME || key->kind == PS_TOKEN_STRING) &&
		    words_have(f->text + key->inner, key->outer - key->inner, "host hostname address addr server"))
			return true;
	}
	return false;
}

static enum ps_fix_reason number_use(struct ps_fixing *f, const struct ps_fix_idiom *idiom, uint32_t number,
				     const struct ps_port_use *use, const struct ps_fix_variable *v)
{
	const struct ps_token *t = code_token(&f->code, number);
	enum ps_fix_reason reason;
	char digits[8], *text;
	struct expression e = { .variable = v->name, .digits = digits, .quote = f->code.quote };

	if (t->from != use->offset || t->until != use->offset + use->length)
		return PS_FIX_TYPE;
	reason = idiom->place(f, number, true);
	if (reason)
		return reason;
	plain_digits(f, use, digits);
	text = express(idiom->number, &e);
	if (text)
		fix_splice(f, use->offset, use->length, "%s", text);
	else
		f->splices.failed = true;
	free(text);
	return PS_FIX_DONE;
}

static enum ps_fix_reason code_use(struct ps_fixing *f, const struct ps_fix_idiom *idiom, const struct ps_port_use *use,
				   const struct ps_fix_variable *v)
{
	uint32_t number = code_at(&f->code, use->offset);
	const struct ps_token *t = code_token(&f->code, number);
	struct piece p = { .token = t, .number = number, .from = use->offset, .until = use->offset + use->length };
	enum ps_fix_reason reason;

	if (t->kind != PS_TOKEN_NUMBER && t->kind != PS_TOKEN_STRING)
		return PS_FIX_PLACE;
	if (fix_is_read(f, number))
		return PS_FIX_DEFAULT;
	if (sets(f, number))
		return PS_FIX_SETS;
	if (is_remote(f, number))
		return PS_FIX_ELSEWHERE;
	if (t->kind == PS_TOKEN_NUMBER)
		return number_use(f, idiom, number, use, v);
	if (v->url) {
		p.from = t->inner;
		p.until = t->inner + v->url;
		if (p.until > t->outer || p.until < use->offset + use->length)
			return PS_FIX_STRING;
	}
	p.whole = p.from == t->inner && p.until == t->outer;
	p.quote = f->text[t->until - 1];
	reason = t->outer == t->until || (t->many && f->language != PS_LANG_PYTHON) ? PS_FIX_STRING
										    : idiom->place(f, number, p.whole);
	return reason ? reason : string_use(f, idiom, &p, v);
}

uint32_t fix_assigned(const struct ps_fixing *f, const struct ps_port_use *use)
{
	const struct ps_code *code = &f->code;
	uint32_t at = f->language == PS_LANG_SHELL ? CODE_NONE : code_at(code, use->offset);

	if (at == CODE_NONE || at < 2)
		return CODE_NONE;
	at--;
	if (!code_is_one(code, at, "=:") && !code_is_op(code, at, OP2('=', '>')) &&
	    !code_is_op(code, at, OP2(':', '=')))
		return CODE_NONE;
	at--;
	if (code_is_op(code, at + 1, OP1('=')) && code_is_one(code, at - 1, ":")) /* port: int = 3000 */
		at -= 2;
	else if (f->language == PS_LANG_GO && code_token(code, at - 1)->kind == PS_TOKEN_NAME &&
		 !code_is_name(code, at - 1, "var const"))
		at--;
	return at < code->count && code->tokens[at].kind == PS_TOKEN_NAME ? at : CODE_NONE;
}

/* `server: { port: 5173 }` of a tool's configuration. */
static bool is_tools_server(const struct ps_fixing *f, const struct ps_port_use *use)
{
	const struct ps_code *code = &f->code;
	uint32_t at = code_at(code, use->offset), parent = at == CODE_NONE ? at : code->parent[at];

	return f->language == PS_LANG_JAVASCRIPT && strstr(f->path, ".config.") && parent != CODE_NONE &&
	       code_is_op(code, parent, OP1('{')) && code_is_one(code, parent - 1, ":=") &&
	       code_is_name(code, parent - 2, "server devServer preview webServer");
}

bool fix_listens(const struct ps_fixing *f, const struct ps_port_use *use)
{
	uint32_t name;

	if (use->use == PS_USE_LISTEN)
		return true;
	if (f->language == PS_LANG_SHELL || f->refused == PS_FIX_UNCLEAR)
		return false;
	if (is_tools_server(f, use))
		return true;
	name = fix_assigned(f, use);
	return name != CODE_NONE && code_is_listened(&f->code, name);
}

enum ps_fix_reason fix_use(struct ps_fixing *f, const struct ps_port_use *use, const struct ps_fix_variable *v)
{
	if (f->refused)
		return f->refused;
	if (use->use == PS_USE_DEFAULT)
		return PS_FIX_DEFAULT;
	if (use->inside || use->remote)
		return PS_FIX_ELSEWHERE;
	if (use->certainty != PS_CERTAIN)
		return PS_FIX_LIKELY;
	return f->language == PS_LANG_SHELL ? fix_shell_use(f, use, v) : code_use(f, idioms[f->language], use, v);
}

/* ---- a file ---- */

int fix_start(struct ps_fixing *f, enum ps_language language, const char *path, const char *text, size_t size,
	      const struct ps_port_use *uses, size_t use_count)
{
	int status;

	*f = (struct ps_fixing){ .path = path,
				 .text = text,
				 .size = (uint32_t)size,
				 .language = language,
				 .listened = SIZE_MAX,
				 .uses = uses,
				 .use_count = use_count };
	if (!fix_language(language, path)) {
		f->refused = PS_FIX_LANGUAGE;
		return 0;
	}
	if (language == PS_LANG_SHELL) {
		f->refused = fix_shell_file(f);
		return 0;
	}
	status = code_read(&f->code, language, text, size);
	if (status == -ENOMEM)
		return status;
	f->refused = status ? PS_FIX_UNCLEAR : idioms[language]->file(f);
	return 0;
}

void fix_finish(struct ps_fixing *f)
{
	if (!f->refused && f->splices.count && f->language != PS_LANG_SHELL && idioms[f->language]->finish)
		idioms[f->language]->finish(f);
}

static int by_offset(const void *a, const void *b)
{
	const struct ps_fix_splice *x = a, *y = b;

	return x->offset != y->offset ? (x->offset < y->offset ? -1 : 1)
				      : (x->length > y->length) - (x->length < y->length);
}

char *fix_result(struct ps_fixing *f, size_t *size)
{
	struct ps_fix_splices *s = &f->splices;
	char *text = NULL;
	size_t at = 0;
	FILE *out = open_memstream(&text, size);

	if (!out)
		return NULL;
	if (s->count)
		qsort(s->list, s->count, sizeof(*s->list), by_offset);
	for (size_t i = 0; i < s->count; i++) {
		if (s->list[i].offset < at) /* the same one again */
			continue;
		fwrite(f->text + at, 1, s->list[i].offset - at, out);
		fputs(s->list[i].text, out);
		at = s->list[i].offset + s->list[i].length;
	}
	fwrite(f->text + at, 1, f->size - at, out);
	if (ferror(out) | fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

void fix_end(struct ps_fixing *f)
{
	for (size_t i = 0; i < f->splices.count; i++)
		free(f->splices.list[i].text);
	free(f->splices.list);
	code_free(&f->code);
	f->splices = (struct ps_fix_splices){ 0 };
}
