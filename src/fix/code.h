/*
 * code.h - the tokens of a source file, with their brackets: what a rewriting looks around in.
 */
#ifndef PORTSHIM_FIX_CODE_H
#define PORTSHIM_FIX_CODE_H

#include "../inventory/lex.h"

struct ps_code {
	enum ps_language language;
	const char *text;
	uint32_t size;
	struct ps_token *tokens; /* `count` of them, and one PS_TOKEN_END behind */
	uint32_t *partner;       /* of a bracket: the token that closes or opens it */
	uint32_t *parent;        /* the opening bracket around a token, or CODE_NONE */
	size_t count, room;
	char quote; /* what most of its strings have: ' or " */
};

#define CODE_NONE UINT32_MAX

/* Takes a file apart. 0; -1 if its quotes or brackets do not match, so that nothing about it is certain; -ENOMEM.
 * code_free in any case. */
int code_read(struct ps_code *code, enum ps_language language, const char *text, size_t size);
void code_free(struct ps_code *code);

/* The token that has this byte, or CODE_NONE. */
uint32_t code_at(const struct ps_code *code, uint32_t offset);

/* A token by its number; the one behind the last, and what is out of range, is of kind PS_TOKEN_END. */
const struct ps_token *code_token(const struct ps_code *code, uint32_t number);

bool code_is_op(const struct ps_code *code, uint32_t number, uint16_t op);
/* One of these characters as an operator. */
bool code_is_one(const struct ps_code *code, uint32_t number, const char *characters);
/* A name of this list, words separated by spaces. */
bool code_is_name(const struct ps_code *code, uint32_t number, const char *list);
/* A string whose contents are one of the list. */
bool code_is_string(const struct ps_code *code, uint32_t number, const char *list);

/* True if some token is a name of the list. */
bool code_has_name(const struct ps_code *code, const char *list);

/* The first token of the line that token `number` stands on. */
uint32_t code_line(const struct ps_code *code, uint32_t number);
/* The first token of the statement: after a `;`, a brace that is open, or a line that ends outside of brackets. */
uint32_t code_statement(const struct ps_code *code, uint32_t number);

/* True if the literal ends its expression: a closing bracket, comma or semicolon behind it, or a new line that does not
 * go on with it. */
bool code_ends(const struct ps_code *code, uint32_t number);

/* True for `name(` or `name.x(`: the bracket opens a call; *callee is its last name. */
bool code_call(const struct ps_code *code, uint32_t bracket, uint32_t *callee);

/* True if the same name as token `number` stands somewhere among the arguments of a call that listens. */
bool code_is_listened(const struct ps_code *code, uint32_t number);

#endif
