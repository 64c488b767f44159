/*
 * ruby.c - Ruby: Integer(ENV.fetch("PORT", "3000")).
 *
 * An argument may stand behind its method without brackets (`listen 3000`, `set :port, 3000`). What stands in %w[...]
 * and its like is no code, though the tokenizer sees words there; nor is what stands behind __END__.
 */
#include "idiom.h"

static enum ps_fix_reason file(struct ps_fixing *f)
{
	const struct ps_code *code = &f->code;

	for (uint32_t i = 0; i + 1 < code->count; i++) {
		if (code_is_name(code, i, "__END__") && code->tokens[i].line)
			return PS_FIX_UNCLEAR;
		if (code_is_name(code, i, "ENV") &&
		    (code_is_op(code, i + 1, OP1('=')) || code_is_name(code, i - 1, "module class")))
			return PS_FIX_TAKEN;
	}
	return PS_FIX_DONE;
}

/* %w[...], %(...), ~s(...): text, by the sign before the bracket. */
static bool is_text(const struct ps_code *code, uint32_t token)
{
	for (uint32_t p = code->parent[token]; p != CODE_NONE; p = code->parent[p]) {
		uint32_t sign = p - 1;

		if (code->tokens[p].space)
			continue;
		if (code_token(code, sign)->kind == PS_TOKEN_NAME && !code->tokens[sign].space)
			sign--;
		if (code_is_one(code, sign, "%"))
			return true;
	}
	return false;
}

/* `listen 3000`: a method's name, and a space. */
static bool is_command(const struct ps_code *code, uint32_t name, uint32_t token)
{
	static const char keywords[] = "and or not if unless while until when case in then do end self true false nil "
				       "super yield begin rescue ensure else "
				       "elsif def class module alias undef redo retry break next for defined";
	const struct ps_token *t = code_token(code, name);

	return t->kind == PS_TOKEN_NAME && code->tokens[token].space && !code_is_name(code, name, keywords) &&
	       code->text[t->from] >= 'a' && code->text[t->from] <= 'z';
}

static bool introduces(const struct ps_code *code, uint32_t at, uint32_t token)
{
	const struct ps_token *before;

	if (code_is_name(code, at, "return") || is_command(code, at, token))
		return true;
	if (code_is_op(code, at, OP1(':'))) /* port: 3000; not :port and not a ? b : 3000 */
		return code_token(code, at - 1)->kind == PS_TOKEN_NAME && !code->tokens[at].space &&
		       code->tokens[token].space;
	if (code_is_op(code, at, OP1('['))) {
		before = code_token(code, at - 1);
		return code->tokens[at].space || code->tokens[at].line ||
		       (before->kind == PS_TOKEN_OPERATOR && !code_is_one(code, at - 1, ")]}"));
	}
	if (code_is_one(code, at, ","))
		return code->parent[at] == CODE_NONE || !code_is_op(code, code->parent[at], OP1('[')) ||
		       introduces(code, code->parent[at], code->parent[at] + 1);
	return code_is_one(code, at, "(=") || code_is_op(code, at, OP2('=', '>')) ||
	       code_is_op(code, at, OP2('|', '|'));
}

/* `in { port: 3000 }`, `when [3000, x]`: a pattern, in which no call can stand. */
static bool is_pattern(const struct ps_code *code, uint32_t token)
{
	for (uint32_t p = code->parent[token]; p != CODE_NONE; p = code->parent[p])
		if (code_is_name(code, p - 1, "in") || code_is_name(code, code_line(code, p), "in when"))
			return true;
	return code_is_name(code, code_statement(code, token), "when in");
}

static enum ps_fix_reason place(const struct ps_fixing *f, uint32_t token, bool whole)
{
	const struct ps_code *code = &f->code;
	bool text = code->tokens[token].kind == PS_TOKEN_STRING && !whole, before, behind;

	if (is_text(code, token))
		return PS_FIX_STRING;
	if (is_pattern(code, token) ||
	    code_is_name(code, code_statement(code, token), "rescue require require_relative load"))
		return PS_FIX_PLACE;
	before = introduces(code, token - 1, token) || code_is_op(code, token - 1, OP2('<', '<')) ||
		 (text && code_is_one(code, token - 1, "+"));
	behind = code_ends(code, token) || (text && code_is_one(code, token + 1, "+")) ||
		 (!code_token(code, token + 1)->line && code_is_name(code, token + 1, "if unless"));
	return before && behind ? PS_FIX_DONE : PS_FIX_PLACE;
}

const struct ps_fix_idiom fix_ruby = {
	.number = "Integer(ENV.fetch(\4\1\4, \4\2\4))",
	.string = "ENV.fetch(\4\1\4, \3)",
	.join = '#',
	.file = file,
	.place = place,
};
