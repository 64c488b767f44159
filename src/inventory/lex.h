/*
 * lex.h - a file as tokens, by the description of its language.
 */
#ifndef PORTSHIM_INVENTORY_LEX_H
#define PORTSHIM_INVENTORY_LEX_H

#include "language.h"

enum ps_token_kind { PS_TOKEN_END, PS_TOKEN_NAME, PS_TOKEN_NUMBER, PS_TOKEN_STRING, PS_TOKEN_OPERATOR, PS_TOKEN_OTHER };

#define OP1(a) ((uint16_t)(unsigned char)(a))
#define OP2(a, b) ((uint16_t)((unsigned char)(a) << 8 | (unsigned char)(b)))

struct ps_token {
	uint32_t from, until;  /* with its quotes */
	uint32_t inner, outer; /* a string without them; else the same */
	uint16_t op;           /* OP1('(') or OP2('=', '>') */
	uint8_t kind;
	bool line;  /* first on its line */
	bool space; /* white space before it */
	bool many;  /* a string that is text of many lines */
};

struct ps_lexer {
	const struct ps_language_info *language;
	const uint8_t *class; /* of its bytes */
	const char *text;
	uint32_t at, end;
	bool tag, script;                 /* LANG_TAGS: inside of <...>, of <script> */
	bool value;                       /* a value can stand here: what looks like a division is a pattern */
	uint32_t heredoc, heredoc_length; /* the word that ends the text which begins on the next line */
	uint32_t line_from, line_until;   /* no line ends between them, and one does at the second */
	uint64_t vain, vain_max;          /* bytes that were searched for an end that is not there, and how many may be */
};

void lex_start(struct ps_lexer *lexer, const struct ps_language_info *language, const char *text, uint32_t from,
	       uint32_t end);
/* The next token; false at the end. Comments are passed over. Every call moves on. */
bool lex_next(struct ps_lexer *lexer, struct ps_token *token);

static inline bool lex_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool lex_is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool lex_is_name(char c)
{
	return lex_is_alpha(c) || lex_is_digit(c) || c == '_' || (unsigned char)c >= 0x80;
}

#endif
