/*
 * code.c - the tokens of a source file, with their brackets.
 *
 * Theory of operation: the inventory's tokenizer never fails, because a wrong guess there is one line too many in a
 * list. Here it would be a broken program. So a file is understood only if every bracket has its partner and every
 * quote its other one, and if nothing is in it of which the tokenizer is known not to be sure: then nothing in the file
 * is rewritten. What is left as a risk is a misunderstanding that is balanced; the callers therefore look for known
 * surroundings of a literal, not for the absence of bad ones.
 */
#include "code.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../inventory/words.h"

#define DEPTH_MAX 512

static bool grow(struct ps_code *code)
{
	size_t room = code->room ? code->room * 2 : 256;
	struct ps_token *tokens;
	uint32_t *partner, *parent;

	if (code->count + 1 < code->room)
		return true;
	tokens = reallocarray(code->tokens, room, sizeof(*tokens));
	if (tokens)
		code->tokens = tokens;
	partner = reallocarray(code->partner, room, sizeof(*partner));
	if (partner)
		code->partner = partner;
	parent = reallocarray(code->parent, room, sizeof(*parent));
	if (parent)
		code->parent = parent;
	if (!tokens || !partner || !parent)
		return false;
	code->room = room;
	return true;
}

/* A quote that the tokenizer took for a sign has no partner. Its own rules for `'x'` and lifetimes aside. */
static bool is_lone_quote(const struct ps_code *code, const struct ps_token *t)
{
	char c = code->text[t->from];

	return t->kind == PS_TOKEN_OPERATOR && (c == '"' || c == '\'' || c == '`');
}

/* After these names a pattern can stand where after others a division does. */
static const char before_value[] =
	"return typeof case in of delete void throw new else do instanceof yield await and or "
	"not if unless while when puts";

/* `) /x/`: a division or a pattern; with quotes behind it, it matters which. */
static bool is_doubtful(const struct ps_code *code, const struct ps_token *t)
{
	const char *text = code->text + t->until, *end = memchr(text, '\n', code->size - t->until);
	size_t length = end ? (size_t)(end - text) : code->size - t->until;
	const struct ps_token *last = code_token(code, (uint32_t)code->count - 1);

	if (t->kind != PS_TOKEN_OPERATOR || t->op != OP1('/') ||
	    (code->language != PS_LANG_JAVASCRIPT && code->language != PS_LANG_RUBY))
		return false;
	/* Where no division can stand, a pattern begins that goes on in the next line. */
	if (code->language == PS_LANG_RUBY && code->count > 0 && last->kind == PS_TOKEN_OPERATOR &&
	    !code_is_one(code, (uint32_t)code->count - 1, ")]}"))
		return true;
	return memchr(text, '/', length) &&
	       (memchr(text, '"', length) || memchr(text, '\'', length) || memchr(text, '`', length));
}

/* `<<word` in small letters begins a text that the tokenizer takes for code. */
static bool is_unseen_text(const struct ps_code *code, const struct ps_token *t)
{
	uint32_t at = t->until;

	if (t->kind != PS_TOKEN_OPERATOR || t->op != OP2('<', '<') ||
	    (code->language != PS_LANG_RUBY && code->language != PS_LANG_PHP))
		return false;
	if (t->until - t->from != 2)
		return false;
	while (at < code->size && strchr("<-~", code->text[at]) && code->text[at])
		at++;
	if (at == t->until && (at == code->size || (code->text[at] != '"' && code->text[at] != '\'')))
		return false;
	if (at < code->size && (code->text[at] == '"' || code->text[at] == '\'' || code->text[at] == '`'))
		at++;
	return at < code->size && ((code->text[at] >= 'a' && code->text[at] <= 'z') || code->text[at] == '_');
}

static char closing_of(char open)
{
	return open == '(' ? ')' : open == '[' ? ']' : '}';
}

/* Keeps the brackets. False if one does not match. */
static bool note_bracket(struct ps_code *code, uint32_t number, uint32_t *stack, unsigned *depth)
{
	const struct ps_token *t = &code->tokens[number];
	char c = t->kind == PS_TOKEN_OPERATOR && t->op <= 0xff ? (char)t->op : 0;

	code->partner[number] = CODE_NONE;
	code->parent[number] = *depth ? stack[*depth - 1] : CODE_NONE;
	if (c == '(' || c == '[' || c == '{') {
		if (*depth == DEPTH_MAX)
			return false;
		stack[(*depth)++] = number;
	} else if (c == ')' || c == ']' || c == '}') {
		uint32_t open;

		if (!*depth)
			return false;
		open = stack[--*depth];
		if (closing_of((char)code->tokens[open].op) != c)
			return false;
		code->partner[number] = open;
		code->partner[open] = number;
		code->parent[number] = code->parent[open];
	}
	return true;
}

static void count_quotes(struct ps_code *code)
{
	size_t single = 0, twice = 0;

	for (size_t i = 0; i < code->count; i++) {
		char c = code->text[code->tokens[i].until - 1];

		if (code->tokens[i].kind != PS_TOKEN_STRING || code->tokens[i].many)
			continue;
		single += c == '\'';
		twice += c == '"';
	}
	code->quote = single > twice ? '\'' : '"';
}

int code_read(struct ps_code *code, enum ps_language language, const char *text, size_t size)
{
	const struct ps_language_info *info = &language_table[language];
	uint32_t stack[DEPTH_MAX];
	struct ps_lexer lexer;
	struct ps_token t;
	unsigned depth = 0;

	*code = (struct ps_code){ .language = language, .text = text, .size = (uint32_t)size, .quote = '"' };
	lex_start(&lexer, info, text, 0, code->size);
	while (lex_next(&lexer, &t)) {
		if (!grow(code))
			return -ENOMEM;
		if (is_lone_quote(code, &t) || is_doubtful(code, &t) || is_unseen_text(code, &t))
			return -1;
		code->tokens[code->count] = t;
		if (!note_bracket(code, (uint32_t)code->count, stack, &depth))
			return -1;
		if (t.kind == PS_TOKEN_NAME && words_are(text + t.from, t.until - t.from, before_value))
			lexer.value = true;
		code->count++;
	}
	if (!grow(code))
		return -ENOMEM;
	code->tokens[code->count] = (struct ps_token){ .kind = PS_TOKEN_END, .from = code->size, .line = true };
	code->partner[code->count] = code->parent[code->count] = CODE_NONE;
	count_quotes(code);
	return depth ? -1 : 0;
}

void code_free(struct ps_code *code)
{
	free(code->tokens);
	free(code->partner);
	free(code->parent);
	*code = (struct ps_code){ 0 };
}

uint32_t code_at(const struct ps_code *code, uint32_t offset)
{
	size_t low = 0, high = code->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (code->tokens[middle].until <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low < code->count && code->tokens[low].from <= offset ? (uint32_t)low : CODE_NONE;
}

const struct ps_token *code_token(const struct ps_code *code, uint32_t number)
{
	static const struct ps_token nothing = { .kind = PS_TOKEN_END, .line = true };

	return number < code->count ? &code->tokens[number] : &nothing;
}

bool code_is_op(const struct ps_code *code, uint32_t number, uint16_t op)
{
	const struct ps_token *t = code_token(code, number);

	return t->kind == PS_TOKEN_OPERATOR && t->op == op;
}

bool code_is_one(const struct ps_code *code, uint32_t number, const char *characters)
{
	const struct ps_token *t = code_token(code, number);

	return t->kind == PS_TOKEN_OPERATOR && t->op && t->op <= 0xff && strchr(characters, t->op);
}

bool code_is_name(const struct ps_code *code, uint32_t number, const char *list)
{
	const struct ps_token *t = code_token(code, number);

	return t->kind == PS_TOKEN_NAME && words_are(code->text + t->from, t->until - t->from, list);
}

bool code_is_string(const struct ps_code *code, uint32_t number, const char *list)
{
	const struct ps_token *t = code_token(code, number);

	return t->kind == PS_TOKEN_STRING && words_are(code->text + t->inner, t->outer - t->inner, list);
}

bool code_has_name(const struct ps_code *code, const char *list)
{
	for (uint32_t i = 0; i < code->count; i++)
		if (code_is_name(code, i, list))
			return true;
	return false;
}

uint32_t code_line(const struct ps_code *code, uint32_t number)
{
	while (number > 0 && !code->tokens[number].line)
		number--;
	return number;
}

uint32_t code_statement(const struct ps_code *code, uint32_t number)
{
	while (number > 0) {
		uint32_t before = number - 1;
		const struct ps_token *t = &code->tokens[number];

		if (code_is_one(code, before, ";{"))
			break;
		if (code_is_one(code, before, "}") && t->line)
			break;
		if (code_is_one(code, before, ")]}")) {
			if (t->line && code->parent[number] == CODE_NONE && t->kind == PS_TOKEN_NAME)
				break;
			number = code->partner[before];
			continue;
		}
		if (t->line && t->kind != PS_TOKEN_OPERATOR &&
		    (code->parent[number] == CODE_NONE || code_is_one(code, code->parent[number], "{")) &&
		    code->tokens[before].kind != PS_TOKEN_OPERATOR)
			break;
		number = before;
	}
	return number;
}

bool code_ends(const struct ps_code *code, uint32_t number)
{
	const struct ps_token *next = code_token(code, number + 1);
	uint32_t parent = code->parent[number];

	if (number + 1 >= code->count)
		return true;
	if (code_is_one(code, number + 1, ")]},;"))
		return true;
	if (!next->line ||
	    (parent != CODE_NONE && (!code_is_one(code, parent, "{") || code->language == PS_LANG_PYTHON)))
		return false;
	return next->kind != PS_TOKEN_OPERATOR || code_is_one(code, number + 1, "{@");
}

bool code_call(const struct ps_code *code, uint32_t bracket, uint32_t *callee)
{
	if (!code_is_op(code, bracket, OP1('(')) || bracket == 0 || code->tokens[bracket].line)
		return false;
	*callee = bracket - 1;
	return code_token(code, bracket - 1)->kind == PS_TOKEN_NAME &&
	       !code_is_name(code, bracket - 1,
			     "if while for switch return and or not in elif unless await yield case");
}

static bool listens(const struct ps_code *code, uint32_t bracket)
{
	const struct ps_call *call;
	uint32_t callee;

	if (!code_call(code, bracket, &callee))
		return false;
	if (code_is_name(code, callee, "new") && callee > 1)
		callee -= 2;
	call = words_call(code->text + code->tokens[callee].from,
			  code->tokens[callee].until - code->tokens[callee].from, code->language);
	return call && (call->kind == CALL_LISTEN || call->kind == CALL_SCOPE_LISTEN);
}

bool code_is_listened(const struct ps_code *code, uint32_t number)
{
	const struct ps_token *name = &code->tokens[number];
	size_t length = name->until - name->from;

	if (name->kind != PS_TOKEN_NAME)
		return false;
	for (uint32_t i = 0; i < code->count; i++) {
		const struct ps_token *t = &code->tokens[i];
		uint32_t bracket = i;

		if (i == number || t->kind != PS_TOKEN_NAME || t->until - t->from != length ||
		    memcmp(code->text + t->from, code->text + name->from, length) != 0)
			continue;
		if (code_is_one(code, i - 1, ".") && !code_is_name(code, i - 2, "this self"))
			continue; /* another one's attribute */
		for (unsigned depth = 0; depth < 3 && (bracket = code->parent[bracket]) != CODE_NONE; depth++)
			if (listens(code, bracket))
				return true;
	}
	return false;
}
