/*
 * java.c - Java: Integer.parseInt(System.getenv().getOrDefault("PORT", "8080")).
 *
 * A number is a constant expression where an annotation or a `case` wants one, and what a `static final` field has may
 * stand there in any other file: such a field is changed only if it is private, and its file does not use it so. A
 * number also fits into a short, where an int does not.
 */
#include <string.h>

#include "idiom.h"

static enum ps_fix_reason file(struct ps_fixing *f)
{
	const struct ps_code *code = &f->code;

	for (uint32_t i = 1; i < code->count; i++)
		if (code_is_name(code, i, "System Integer") && code_is_name(code, i - 1, "class interface enum record"))
			return PS_FIX_TAKEN;
	return PS_FIX_DONE;
}

/* @Name(...), @a.b.Name(...) */
static bool is_annotation(const struct ps_code *code, uint32_t bracket)
{
	uint32_t at = bracket - 1;

	if (!code_is_op(code, bracket, OP1('(')) || code_token(code, at)->kind != PS_TOKEN_NAME)
		return false;
	while (code_is_one(code, at - 1, ".") && code_token(code, at - 2)->kind == PS_TOKEN_NAME)
		at -= 2;
	return code_is_one(code, at - 1, "@");
}

static bool in_annotation(const struct ps_code *code, uint32_t token)
{
	for (uint32_t p = code->parent[token]; p != CODE_NONE; p = code->parent[p])
		if (is_annotation(code, p))
			return true;
	return false;
}

/* static final String API = BASE + "/api": one constant of others. */
static bool makes_constant(const struct ps_code *code, uint32_t token)
{
	bool is_final = false, is_static = false;

	for (uint32_t i = code_statement(code, token); i < token && !code_is_op(code, i, OP1('=')); i++) {
		is_final = is_final || code_is_name(code, i, "final");
		is_static = is_static || code_is_name(code, i, "static");
	}
	return is_final && is_static && code_is_one(code, token - 1, "=+(") && code_is_one(code, token + 1, "+;)");
}

/* The file wants the name where only a constant can stand. */
static bool is_wanted_constant(const struct ps_code *code, uint32_t name)
{
	const struct ps_token *t = &code->tokens[name];

	for (uint32_t i = 0; i < code->count; i++) {
		const struct ps_token *other = &code->tokens[i];

		if (i != name && other->kind == PS_TOKEN_NAME && other->until - other->from == t->until - t->from &&
		    memcmp(code->text + other->from, code->text + t->from, t->until - t->from) == 0 &&
		    (code_is_name(code, code_statement(code, i), "case") || in_annotation(code, i) ||
		     makes_constant(code, i)))
			return true;
	}
	return false;
}

static bool is_in_interface(const struct ps_code *code, uint32_t token)
{
	uint32_t p = code->parent[token];

	if (p == CODE_NONE || !code_is_op(code, p, OP1('{')))
		return false;
	for (uint32_t i = code_statement(code, p); i < p; i++)
		if (code_is_name(code, i, "interface"))
			return true;
	return false;
}

/* A field or variable whose value this is the whole of: is it a constant that somebody may need? */
static bool is_constant(const struct ps_code *code, uint32_t token)
{
	uint32_t first, name = token - 2;
	bool is_static = false, is_private = false, is_final = false;

	/* "http://" + "localhost:3000" is one as well */
	while (code_is_one(code, name + 1, "+") && name > 1)
		name -= 2;
	if (!code_is_op(code, name + 1, OP1('=')) || code_token(code, name)->kind != PS_TOKEN_NAME)
		return false;
	first = code_statement(code, name);
	for (uint32_t i = first; i < name; i++) {
		is_static = is_static || code_is_name(code, i, "static");
		is_private = is_private || code_is_name(code, i, "private");
		is_final = is_final || code_is_name(code, i, "final");
	}
	if (is_in_interface(code, name))
		return true;
	return (is_static && is_final && !is_private) || (is_final && is_wanted_constant(code, name));
}

static bool introduces(const struct ps_code *code, uint32_t at)
{
	if (code_is_one(code, at, ","))
		return code->parent[at] != CODE_NONE && code_is_one(code, code->parent[at], "({");
	if (code_is_op(code, at, OP1('{'))) /* int[] ports = {3000} */
		return code_is_one(code, at - 1, "=]");
	return code_is_one(code, at, "(=") || code_is_op(code, at, OP2('-', '>')) || code_is_name(code, at, "return");
}

static enum ps_fix_reason place(const struct ps_fixing *f, uint32_t token, bool whole)
{
	const struct ps_code *code = &f->code;
	bool string = code->tokens[token].kind == PS_TOKEN_STRING, text = string && !whole, before, behind;

	if (in_annotation(code, token) || is_constant(code, token) ||
	    code_is_name(code, code_statement(code, token), "case"))
		return PS_FIX_CONSTANT;
	if (!string &&
	    (code_has_name(code, "short Short") || code_is_name(code, token - 3, "byte char Byte Character")))
		return PS_FIX_TYPE;
	before = introduces(code, token - 1) || (string && code_is_one(code, token - 1, "+"));
	behind = code_is_one(code, token + 1, "),;}") || (text && code_is_one(code, token + 1, "+"));
	return before && behind ? PS_FIX_DONE : PS_FIX_PLACE;
}

const struct ps_fix_idiom fix_java = {
	.number = "Integer.parseInt(System.getenv().getOrDefault(\"\1\", \"\2\"))",
	.string = "System.getenv().getOrDefault(\"\1\", \3)",
	.join = '+',
	.file = file,
	.place = place,
};
