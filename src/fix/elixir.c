/*
 * elixir.c - Elixir: String.to_integer(System.get_env("PORT") || "4000").
 *
 * Much of a module runs when it is compiled: attributes, `use`, `plug`, structs. So in a module only what stands in a
 * function is changed, told by the indentation that the formatter gives; and of the configuration, what is read when
 * the program starts: config/runtime.exs, and dev.exs and test.exs, which mix reads at each start. The other files of
 * config/ become part of a release. Patterns look like values.
 */
#include <string.h>

#include "idiom.h"

static bool ends_with(const char *text, const char *tail)
{
	size_t length = strlen(text), n = strlen(tail);

	return length >= n && strcmp(text + length - n, tail) == 0;
}

/* config/NAME.exs, evaluated when a release is built. */
static bool is_built_in(const char *path)
{
	static const char *const read_at_start[] = { "/runtime.exs", "/dev.exs", "/test.exs" };
	const char *slash = strrchr(path, '/');

	if (!slash || slash - path < 6 || strncmp(slash - 6, "config", 6) != 0 || !ends_with(path, ".exs"))
		return false;
	for (size_t i = 0; i < sizeof(read_at_start) / sizeof(read_at_start[0]); i++)
		if (strcmp(slash, read_at_start[i]) == 0)
			return false;
	return slash - path == 6 || slash[-7] == '/';
}

static enum ps_fix_reason file(struct ps_fixing *f)
{
	const struct ps_code *code = &f->code;

	if (is_built_in(f->path))
		return PS_FIX_CONSTANT;
	for (uint32_t i = 0; i < code->count; i++)
		if (code_is_name(code, i, "System String") && code_is_one(code, i - 1, ".") &&
		    code_is_name(code, code_line(code, i), "alias defmodule"))
			return PS_FIX_TAKEN;
	return PS_FIX_DONE;
}

static uint32_t indent(const struct ps_code *code, uint32_t token)
{
	uint32_t from = code->tokens[token].from, start = from;

	while (start > 0 && code->text[start - 1] != '\n')
		start--;
	return from - start;
}

/* The first token of the whole statement; brackets hold no statements here. */
static uint32_t statement(const struct ps_code *code, uint32_t token)
{
	while (code->parent[token] != CODE_NONE)
		token = code->parent[token];
	return code_statement(code, token);
}

/* In the body of a module, outside of its functions. */
static bool is_compiled(const struct ps_code *code, uint32_t token)
{
	uint32_t i = code_line(code, statement(code, token)), margin = indent(code, i);

	if (code_is_name(code, i, "def defp"))
		return false;
	while (i-- > 0) {
		if (!code->tokens[i].line || indent(code, i) >= margin)
			continue;
		margin = indent(code, i);
		if (code_is_name(code, i, "def defp test setup setup_all"))
			return false;
		if (code_is_name(code, i, "defmodule defmacro defmacrop quote"))
			return true;
	}
	return false;
}

static bool is_pattern_sign(const struct ps_code *code, uint32_t at)
{
	return code_is_op(code, at, OP1('=')) || code_is_op(code, at, OP2('-', '>')) ||
	       code_is_op(code, at, OP2('<', '-')) || code_is_name(code, at, "when");
}

/* Their first argument is a pattern. */
static const char pattern_macros[] = "match? assert_receive assert_received refute_receive refute_received destructure";

static bool is_pattern(const struct ps_code *code, uint32_t token)
{
	bool fallback = code_is_op(code, token - 1, OP2('\\', '\\'));

	for (uint32_t i = token + 1; i < code->count && !code->tokens[i].line; i++)
		if (is_pattern_sign(code, i))
			return true;
	for (uint32_t p = code->parent[token]; p != CODE_NONE; p = code->parent[p]) {
		uint32_t callee;

		if (is_pattern_sign(code, code->partner[p] + 1))
			return true;
		if (!fallback && code_call(code, p, &callee) &&
		    code_is_name(code, callee - 1, "def defp defmacro defmacrop defguard defguardp"))
			return true;
		if (code_is_name(code, p - 1, pattern_macros))
			return true;
	}
	return false;
}

/* ~s(...), ~w[...] */
static bool is_sigil(const struct ps_code *code, uint32_t token)
{
	for (uint32_t p = code->parent[token]; p != CODE_NONE; p = code->parent[p])
		if (!code->tokens[p].space && code_is_one(code, p - 2, "~"))
			return true;
	return code_is_one(code, token - 2, "~");
}

static bool introduces(const struct ps_code *code, uint32_t at, uint32_t token)
{
	if (code_is_op(code, at, OP1(':')))
		return code_token(code, at - 1)->kind != PS_TOKEN_OPERATOR && !code->tokens[at].space &&
		       code->tokens[token].space;
	if (code_is_op(code, at, OP1('[')))
		return code->tokens[at].space || code->tokens[at].line || code_is_one(code, at - 1, "([{,");
	if (code_is_op(code, at, OP1('{')) || code_is_one(code, at, ","))
		return true;
	return code_is_one(code, at, "(=") || code_is_op(code, at, OP2('=', '>')) ||
	       code_is_op(code, at, OP2('\\', '\\'));
}

static enum ps_fix_reason place(const struct ps_fixing *f, uint32_t token, bool whole)
{
	const struct ps_code *code = &f->code;
	bool text = code->tokens[token].kind == PS_TOKEN_STRING && !whole, before, behind;
	uint32_t first = statement(code, token);

	/* '...' is a list of characters, which a variable is not */
	if (is_sigil(code, token) ||
	    (code->tokens[token].kind == PS_TOKEN_STRING && f->text[code->tokens[token].from] == '\''))
		return PS_FIX_STRING;
	if (f->text[code->tokens[first].from] == '@' || is_compiled(code, token))
		return PS_FIX_CONSTANT;
	if (is_pattern(code, token))
		return PS_FIX_PLACE;
	before = introduces(code, token - 1, token) ||
		 (text && code_is_op(code, token - 1, OP1('>')) && code_is_op(code, token - 2, OP1('<')));
	behind = code_ends(code, token) ||
		 (text && !code_token(code, token + 1)->line && code_is_op(code, token + 1, OP1('<')) &&
		  code_is_op(code, token + 2, OP1('>')) && !code->tokens[token + 2].space);
	return before && behind ? PS_FIX_DONE : PS_FIX_PLACE;
}

const struct ps_fix_idiom fix_elixir = {
	.number = "String.to_integer(System.get_env(\"\1\") || \"\2\")",
	.string = "System.get_env(\"\1\") || \3",
	.loose = true,
	.join = '#',
	.file = file,
	.place = place,
};
