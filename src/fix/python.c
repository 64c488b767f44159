/*
 * python.c - Python: int(os.environ.get("PORT", "3000")), and `import os` where it is missing.
 *
 * Strings become f-strings. A file that is written for Python 2, or in which `os` is somebody else's name, is left
 * alone. The import goes before the first statement that is no documentation and no `from __future__`.
 */
#include <string.h>

#include "idiom.h"

/* `print "x"`, `except E, e:` */
static bool is_two(const struct ps_code *code)
{
	for (uint32_t i = 0; i + 1 < code->count; i++) {
		if (code_is_name(code, i, "print exec") && code->tokens[i].line && !code->tokens[i + 1].line &&
		    (code->tokens[i + 1].kind == PS_TOKEN_STRING || code->tokens[i + 1].kind == PS_TOKEN_NAME ||
		     code_is_op(code, i + 1, OP2('>', '>'))))
			return true;
		if (code_is_name(code, i, "except raise") && code_is_op(code, i + 2, OP1(',')))
			return true;
		if (code_is_name(code, i, "except") && code_is_op(code, i + 1, OP1('(')) &&
		    code_is_one(code, code->partner[i + 1] + 1, ","))
			return true;
	}
	return false;
}

/* The first token of the line on which the statement begins. */
static uint32_t statement(const struct ps_code *code, uint32_t token)
{
	while (code->parent[token] != CODE_NONE)
		token = code->parent[token];
	return code_line(code, token);
}

/* `[` behind a value: x[1], Literal[3000] */
static bool is_subscript(const struct ps_code *code, uint32_t bracket)
{
	static const char keywords[] = "return in or and not else yield await print if is lambda";
	const struct ps_token *before = code_token(code, bracket - 1);

	if (!code_is_op(code, bracket, OP1('[')) || (code->tokens[bracket].line && code->parent[bracket] == CODE_NONE))
		return false;
	return before->kind == PS_TOKEN_STRING || code_is_one(code, bracket - 1, ")]}") ||
	       (before->kind == PS_TOKEN_NAME && !code_is_name(code, bracket - 1, keywords));
}

/* A target can begin here: not the type of `port: int = 3000`. */
static bool begins_target(const struct ps_code *code, uint32_t at)
{
	static const char compound[] = "if elif else for while try except finally with def class async match case";

	if (code->tokens[at].line || code_is_one(code, at - 1, ",=*;"))
		return true;
	return code_is_one(code, at - 1, ":") && code_is_name(code, code_line(code, at), compound);
}

/* `a = os = x`, `(os, b) = x`, `a, os = x`: a target of an assignment. */
static bool is_target(const struct ps_code *code, uint32_t i)
{
	uint32_t at = i;

	if (code_is_one(code, i + 1, ".([") || code_is_one(code, i - 1, "."))
		return false;
	for (uint32_t p = code->parent[i]; p != CODE_NONE; at = p, p = code->parent[p])
		if (!code_is_one(code, p, "([") || is_subscript(code, p) ||
		    (code_is_op(code, p, OP1('(')) && !code->tokens[p].line &&
		     (code_token(code, p - 1)->kind == PS_TOKEN_NAME || code_is_one(code, p - 1, ")]"))))
			return false;
	if (!begins_target(code, at))
		return false;
	if (at != i)
		at = code->partner[at];
	for (at++; at < code->count && !code_token(code, at)->line && !code_is_one(code, at, ";:"); at++) {
		if (code_is_op(code, at, OP1('=')))
			return true;
		if (code_is_one(code, at, "([{"))
			at = code->partner[at];
	}
	return at < code->count && !code->tokens[at].line && code_is_one(code, at, ":") && at == i + 1 &&
	       (code->tokens[i].line || code_is_one(code, i - 1, ";")) && code->parent[i] == CODE_NONE;
}

/* `for a, os in x`, `with x as (a, os)`, `lambda os: 1`, `case [os]:` */
static bool is_named_by_keyword(const struct ps_code *code, uint32_t i)
{
	bool names = true;

	if (code_is_one(code, i - 1, "=.:") || code_is_one(code, i + 1, ".("))
		return false;
	for (uint32_t at = i - 1; at != CODE_NONE && i - at < 64; at--) {
		const struct ps_token *t = code_token(code, at);

		if (code_is_name(code, at, "for as"))
			return names;
		if (code_is_name(code, at, "lambda") || (code_is_name(code, at, "case") && t->line))
			return true;
		if (code_is_name(code, at, "in import def class return if") ||
		    (t->line && code->parent[at] == CODE_NONE))
			return false;
		if (t->kind == PS_TOKEN_OPERATOR ? !code_is_one(code, at, "([,*") : t->kind != PS_TOKEN_NAME)
			names = false;
		if (code_is_one(code, at, ")]};") || (code_is_one(code, at, ":") && code->parent[at] == CODE_NONE))
			return false;
	}
	return false;
}

/* `from a import b, os` */
static bool is_imported(const struct ps_code *code, uint32_t i)
{
	uint32_t at = statement(code, i);

	if (!code_is_name(code, at, "from"))
		return false;
	while (at < i && !code_is_name(code, at, "import"))
		at++;
	return at < i;
}

/* `os` becomes something else than the module, or may; or `int` than the type. */
static bool is_bound(const struct ps_code *code, uint32_t i)
{
	uint32_t parent = code->parent[i];

	if (code_is_one(code, i - 1, "."))
		return false;
	if (code_is_name(code, i - 1, "as def class for global nonlocal del lambda") ||
	    code_is_op(code, i + 1, OP2(':', '=')) || is_imported(code, i))
		return true;
	if (code_is_name(code, i - 1, "import")) /* from x import os; not at the margin: for a part of the file only */
		return code_line(code, i) != i - 1 ||
		       (code->tokens[i - 1].from > 0 && code->text[code->tokens[i - 1].from - 1] != '\n');
	if (parent != CODE_NONE && code_is_op(code, parent, OP1('(')) &&
	    (code_is_name(code, parent - 2, "def") || code_is_one(code, parent - 1, "]")) &&
	    (code_is_one(code, i - 1, "(,*") || code_is_op(code, i - 1, OP2('*', '*'))))
		return true;
	return is_target(code, i) || is_named_by_keyword(code, i);
}

/* Python 3.6 or later for certain. */
static bool is_new(const struct ps_code *code)
{
	for (uint32_t i = 0; i < code->count; i++) {
		const struct ps_token *t = &code->tokens[i];
		char c = code->text[t->from];

		if (t->kind == PS_TOKEN_STRING && (c == 'f' || c == 'F'))
			return true;
		if ((code_is_name(code, i, "async") && code_is_name(code, i + 1, "def with for")) ||
		    code_is_op(code, i, OP2('-', '>')) || code_is_op(code, i, OP2(':', '=')) ||
		    (code_is_name(code, i, "annotations") && code_is_name(code, statement(code, i), "from") &&
		     code_is_name(code, statement(code, i) + 1, "__future__")))
			return true;
	}
	return false;
}

/* Something shows that Python 2 runs the file too. */
static bool is_for_two(const struct ps_code *code)
{
	static const char names[] = "six urllib2 unicode basestring xrange raw_input version_info PY2 PY3 cStringIO "
				    "httplib __metaclass__ iteritems itervalues has_key";
	const char *end = memchr(code->text, '\n', code->size);
	size_t length = end ? (size_t)(end - code->text) : code->size;

	if (length > 2 && code->text[0] == '#' && memmem(code->text, length, "python2", 7))
		return true;
	for (uint32_t i = 0; i < code->count; i++)
		if (code_is_name(code, i, names) ||
		    (code_is_name(code, i, "__future__") && code_is_name(code, i - 1, "from")))
			return true;
	return false;
}

static enum ps_fix_reason file(struct ps_fixing *f)
{
	const struct ps_code *code = &f->code;
	size_t length = strlen(f->path);

	if (length > 4 && strcmp(f->path + length - 4, ".pyi") == 0)
		return PS_FIX_TYPE;
	if (is_two(code))
		return PS_FIX_UNCLEAR;
	for (uint32_t i = 0; i < code->count; i++)
		if (code_is_name(code, i, "os int") && is_bound(code, i))
			return PS_FIX_TAKEN;
	f->old = !is_new(code) && is_for_two(code);
	return PS_FIX_DONE;
}

/* `{` of a dictionary, `[` of a list, `(` of a call, a tuple or a group: not of a subscript, and not of a pattern. */
static bool holds_values(const struct ps_code *code, uint32_t bracket)
{
	if (is_subscript(code, bracket))
		return false;
	if (code_is_name(code, statement(code, bracket), "case match") || code_is_name(code, bracket - 1, "class"))
		return false;
	/* What is assigned to is no value. */
	return !code_is_op(code, code->partner[bracket] + 1, OP1('='));
}

static bool introduces(const struct ps_code *code, uint32_t at)
{
	uint32_t parent = at == CODE_NONE ? CODE_NONE : code->parent[at];

	if (code_is_op(code, at, OP1('=')))
		return true;
	if (code_is_op(code, at, OP1(':')))
		return parent != CODE_NONE && code_is_op(code, parent, OP1('{')) && holds_values(code, parent);
	if (code_is_one(code, at, "([{"))
		return holds_values(code, at);
	if (code_is_op(code, at, OP1(',')))
		return parent != CODE_NONE && holds_values(code, parent);
	return code_is_name(code, at, "return or else yield");
}

/* `port: Literal[3000] = `, before the sign: the type may have this value only. */
static bool is_literal_type(const struct ps_code *code, uint32_t sign)
{
	uint32_t parent = sign < code->count ? code->parent[sign] : CODE_NONE;
	bool literal = false;

	if (!code_is_op(code, sign, OP1('=')))
		return false;
	for (uint32_t i = sign - 1; i != CODE_NONE && i != parent; i--) {
		const struct ps_token *t = code_token(code, i);

		if (code->parent[i] == parent && code_is_op(code, i, OP1(':')))
			return literal;
		if (code->parent[i] == parent && (code_is_one(code, i, ",=;") || (parent == CODE_NONE && t->line)))
			return false;
		literal = literal || t->kind == PS_TOKEN_STRING || t->kind == PS_TOKEN_NUMBER ||
			  code_is_name(code, i, "Literal Annotated") ||
			  (t->kind == PS_TOKEN_NAME && code_has_name(code, "Literal") &&
			   !code_is_name(code, i,
					 "int str list dict tuple set List Dict Tuple Set Optional Union None "
					 "Final ClassVar bool float Any typing"));
	}
	return false;
}

/* In a subscript, `Annotated[int, Field(default=3000)]`, or of a type that has values. */
static bool is_typed(const struct ps_code *code, uint32_t token)
{
	if (is_literal_type(code, token - 1))
		return true;
	for (uint32_t p = code->parent[token]; p != CODE_NONE; p = code->parent[p])
		if (is_subscript(code, p) || is_literal_type(code, p - 1) || code_is_name(code, p - 1, "cast"))
			return true;
	return false;
}

static enum ps_fix_reason place(const struct ps_fixing *f, uint32_t token, bool whole)
{
	const struct ps_code *code = &f->code;
	const struct ps_token *t = &code->tokens[token];
	bool text = t->kind == PS_TOKEN_STRING && !whole, before, behind;
	uint32_t first = token, last = token;

	if (code_is_name(code, statement(code, token), "case match import from"))
		return PS_FIX_PLACE;
	if (is_typed(code, token))
		return PS_FIX_TYPE;
	/* Strings beside one another are one. */
	while (text && code_token(code, first - 1)->kind == PS_TOKEN_STRING)
		first--;
	while (text && code_token(code, last + 1)->kind == PS_TOKEN_STRING &&
	       (!code->tokens[last + 1].line || code->parent[last] != CODE_NONE))
		last++;
	if (text && code->parent[first] == CODE_NONE && code->tokens[first].line)
		return PS_FIX_STRING; /* documentation */
	before = introduces(code, first - 1) || (text && code_is_one(code, first - 1, "+"));
	behind = code_ends(code, last) ||
		 (text && (code_is_one(code, last + 1, "+%") || (code_is_op(code, last + 1, OP1('.')) &&
								 code_is_name(code, last + 2, "rstrip strip encode"))));
	return before && behind ? PS_FIX_DONE : PS_FIX_PLACE;
}

/* ---- import os ---- */

/* True for a statement at the left margin. */
static bool is_top(const struct ps_fixing *f, uint32_t i)
{
	const struct ps_token *t = &f->code.tokens[i];

	return t->line && f->code.parent[i] == CODE_NONE && !code_is_one(&f->code, i, ")]}") &&
	       (t->from == 0 || f->text[t->from - 1] == '\n');
}

static uint32_t first_splice(const struct ps_fixing *f)
{
	uint32_t first = UINT32_MAX;

	for (size_t i = 0; i < f->splices.count; i++)
		if (f->splices.list[i].offset < first)
			first = f->splices.list[i].offset;
	return first;
}

/* `import os.path as path` binds no `os`. */
static bool is_renamed(const struct ps_code *code, uint32_t name)
{
	while (code_is_one(code, name + 1, ".") && code_token(code, name + 2)->kind == PS_TOKEN_NAME)
		name += 2;
	return code_is_name(code, name + 1, "as");
}

/* `import os`, `import sys, os`, `import os.path` at the left margin, before the offset. */
static bool has_import(const struct ps_fixing *f, uint32_t before)
{
	const struct ps_code *code = &f->code;

	for (uint32_t i = 0; i < code->count && code->tokens[i].from < before; i++) {
		if (!is_top(f, i) || !code_is_name(code, i, "import"))
			continue;
		for (uint32_t k = i + 1; k < code->count && !code->tokens[k].line && !code_is_one(code, k, ";"); k++)
			if (code_is_name(code, k, "os") &&
			    code_is_one(code, k - 1, ",") + code_is_name(code, k - 1, "import") &&
			    !code_is_name(code, k + 1, "as") && !is_renamed(code, k))
				return true;
	}
	return false;
}

/* The first statement behind documentation and `from __future__`, or the end. */
static uint32_t first_statement(const struct ps_fixing *f)
{
	const struct ps_code *code = &f->code;
	uint32_t i = 0;

	while (i < code->count) {
		bool documentation = i == 0 && code->tokens[i].kind == PS_TOKEN_STRING;

		if (!documentation && !(code_is_name(code, i, "from") && code_is_name(code, i + 1, "__future__")))
			break;
		for (i++; i < code->count && !is_top(f, i);)
			i++;
	}
	return i;
}

static uint32_t next_statement(const struct ps_fixing *f, uint32_t i)
{
	for (i++; i < f->code.count && !is_top(f, i);)
		i++;
	return i;
}

/* `import json`: a module that is sorted before os. */
static bool is_before_os(const struct ps_fixing *f, uint32_t i)
{
	const struct ps_token *name = code_token(&f->code, i + 1);
	size_t length = name->until - name->from;
	int order;

	if (i >= f->code.count || !code_is_name(&f->code, i, "import") || name->kind != PS_TOKEN_NAME)
		return false;
	order = memcmp(f->text + name->from, "os", length < 2 ? length : 2);
	return order < 0 || (order == 0 && length < 2);
}

/* The beginning of the comments right above a statement, but for the first lines that mean something there. */
static uint32_t above(const struct ps_fixing *f, uint32_t offset, uint32_t least)
{
	while (offset > least) {
		uint32_t from = offset - 1;
		size_t length;

		while (from > least && f->text[from - 1] != '\n')
			from--;
		length = offset - from;
		if (f->text[from] != '#' || (from > 0 && f->text[from - 1] != '\n') ||
		    (from == 0 && length > 1 && f->text[1] == '!') || memmem(f->text + from, length, "coding", 6))
			break;
		offset = from;
	}
	return offset;
}

static void finish(struct ps_fixing *f)
{
	const struct ps_code *code = &f->code;
	const char *end = memchr(f->text, '\n', f->size);
	const char *line = end && end > f->text && end[-1] == '\r' ? "\r\n" : "\n";
	uint32_t i = first_statement(f), offset, next;
	bool import;

	if (has_import(f, first_splice(f)) || i >= code->count)
		return;
	offset = code->tokens[i].from;
	import = code_is_name(code, i, "import from");
	if (!is_top(f, i)) { /* a mark at the beginning, or a statement behind a `;` */
		f->refused = PS_FIX_UNCLEAR;
		return;
	}
	if (!import)
		offset = above(f, offset, i ? code->tokens[i - 1].until : 0);
	for (; is_before_os(f, i); i = next) {
		next = next_statement(f, i);
		end = memchr(f->text + code->tokens[next - 1].until, '\n', f->size - code->tokens[next - 1].until);
		if (!end)
			break;
		offset = (uint32_t)(end + 1 - f->text);
		if (next >= code->count || code->tokens[next].from != offset)
			break; /* an empty line, or a comment: another group */
	}
	fix_splice(f, offset, 0, "import os%s%s", line, import ? "" : line);
}

const struct ps_fix_idiom fix_python = {
	.number = "int(os.environ.get(\4\1\4, \4\2\4))",
	.string = "os.environ.get(\4\1\4, \3)",
	.join = 'f',
	.file = file,
	.place = place,
	.finish = finish,
};
