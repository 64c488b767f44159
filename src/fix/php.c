/*
 * php.c - PHP: (int) (getenv('PORT') ?: 3000).
 *
 * Constants, properties, parameters' defaults and static variables want constant expressions, which a call is not. A
 * file is PHP from its first line to its last, or it is left alone: what stands outside of <?php ... ?> is text.
 */
#include <string.h>

#include "idiom.h"

static enum ps_fix_reason file(struct ps_fixing *f)
{
	const char *start = f->text, *end = f->text + f->size, *at, *line;

	if (f->size > 2 && start[0] == '#' && start[1] == '!') {
		line = memchr(start, '\n', f->size);
		start = line ? line + 1 : start;
	}
	if (end - start < 6 || strncasecmp(start, "<?php", 5) != 0)
		return PS_FIX_UNCLEAR;
	for (at = start; (at = memmem(at, (size_t)(end - at), "?>", 2)); at += 2) {
		uint32_t token = code_at(&f->code, (uint32_t)(at - f->text));
		const char *rest = at + 2;

		if (code_token(&f->code, token)->kind == PS_TOKEN_STRING)
			continue;
		while (rest < end && strchr(" \t\r\n", *rest) && *rest)
			rest++;
		if (rest < end)
			return PS_FIX_UNCLEAR;
	}
	return PS_FIX_DONE;
}

/* The literal is part of what must be constant. */
static bool is_constant(const struct ps_code *code, uint32_t token)
{
	uint32_t p;

	for (p = code->parent[token]; p != CODE_NONE; token = p, p = code->parent[p]) {
		if (code_is_op(code, p, OP1('{')))
			break;
		if (!code_is_op(code, p, OP1('(')) || code_is_name(code, p - 1, "array"))
			continue;
		return code_is_name(code, p - 1, "function fn") || code_is_name(code, p - 2, "function fn") ||
		       (code_is_one(code, p - 2, "&") && code_is_name(code, p - 3, "function"));
	}
	return code_is_name(code, code_statement(code, token),
			    "const public private protected var static readonly final abstract case");
}

static bool introduces(const struct ps_code *code, uint32_t at)
{
	if (code_is_op(code, at, OP1('['))) /* not $a[3000] */
		return code_token(code, at - 1)->kind == PS_TOKEN_OPERATOR && !code_is_one(code, at - 1, ")]}");
	if (code_is_op(code, at, OP1(':'))) /* port: 3000, an argument */
		return code_token(code, at - 1)->kind == PS_TOKEN_NAME && code_is_one(code, at - 2, "(,");
	if (code_is_one(code, at, ","))
		return code->parent[at] != CODE_NONE &&
		       (code_is_op(code, code->parent[at], OP1('(')) || introduces(code, code->parent[at]));
	return code_is_one(code, at, "(=") || code_is_op(code, at, OP2('=', '>')) ||
	       code_is_op(code, at, OP2('?', '?')) || code_is_name(code, at, "return echo");
}

static enum ps_fix_reason place(const struct ps_fixing *f, uint32_t token, bool whole)
{
	const struct ps_code *code = &f->code;
	bool text = code->tokens[token].kind == PS_TOKEN_STRING, before, behind;

	(void)whole;
	if (is_constant(code, token))
		return PS_FIX_CONSTANT;
	before = introduces(code, token - 1) || (text && code_is_one(code, token - 1, "."));
	behind = code_is_one(code, token + 1, ")],;") || (text && code_is_one(code, token + 1, "."));
	return before && behind ? PS_FIX_DONE : PS_FIX_PLACE;
}

const struct ps_fix_idiom fix_php = {
	.number = "(int) (getenv(\4\1\4) ?: \2)",
	.string = "(getenv(\4\1\4) ?: \3)",
	.join = '.',
	.file = file,
	.place = place,
};
