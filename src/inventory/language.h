/*
 * language.h - what the tokenizer has to know of a language: a row of a table, not a scanner of its own.
 */
#ifndef PORTSHIM_INVENTORY_LANGUAGE_H
#define PORTSHIM_INVENTORY_LANGUAGE_H

#include "scan.h"

enum {
	LANG_WORDS = 1u << 0,         /* words between white space are the tokens, as in a shell */
	LANG_TRIPLE = 1u << 1,        /* """ opens a string of many lines, of any quote of the language */
	LANG_HEREDOC = 1u << 2,       /* <<WORD */
	LANG_CHARACTER = 1u << 3,     /* 'x' is a character, and an apostrophe may be something else */
	LANG_REGEX = 1u << 4,         /* /.../ where a value can stand */
	LANG_COMMENT_SPACE = 1u << 5, /* a comment sign counts only after white space */
	LANG_COMMENT_LINE = 1u << 6,  /* only at the beginning of a line */
	LANG_INDENT = 1u << 7,        /* what belongs to a key is indented (YAML) */
	LANG_BACKLOG = 1u << 8,       /* listen(N) takes a backlog */
	LANG_QUOTE_START = 1u << 9,   /* a quote is one only at the start of a word */
	LANG_NAMED_HOSTS = 1u << 10,  /* name:3000 is a host and its port */
	LANG_RAW = 1u << 11,          /* r"..", r#".."# */
	LANG_EMBEDDED = 1u << 12,     /* the text of a string: prose, or a command */
	LANG_NEST_COMMENT = 1u << 13,
	LANG_TAGS = 1u << 15,      /* what stands outside of tags is prose, but for scripts */
	LANG_DIRECTIVE = 1u << 14, /* "port 6379": the first word of a line names the value */
};

struct ps_language_info {
	const char *name;
	unsigned flags;
	const char *comment[3];   /* to the end of the line */
	const char *open, *close; /* a comment of many lines, or NULL */
	const char *quotes;
	const char *multiline;   /* those of the quotes that may go over lines */
	const char *interpolate; /* "$", "#" for ${...}, #{...}; "{" for {...}; or NULL */
	const char *letters;     /* what names have beyond letters, digits and _ */
};

/* What a byte can begin or be, in a language: bits. */
enum {
	CLASS_NAME = 1u << 0, /* part of a name */
	CLASS_QUOTE = 1u << 1,
	CLASS_COMMENT = 1u << 2, /* may begin a comment */
	CLASS_STOP = 1u << 3,    /* may end a word, or be more than a letter of it */
	CLASS_SECOND = 1u << 4,  /* may be the second sign of an operator */
};

/* The classes of all 256 bytes. */
const uint8_t *language_classes(const struct ps_language_info *language);

extern const struct ps_language_info language_table[PS_LANG_COUNT];
/* The text of a string, read as if it were a command. */
extern const struct ps_language_info language_embedded;

#endif
