/*
 * judge.h - the walk over the tokens of a file, and the judgement on a number in it.
 */
#ifndef PORTSHIM_INVENTORY_JUDGE_H
#define PORTSHIM_INVENTORY_JUDGE_H

#include "scanner.h"

#define RING 256u
#define FRAMES 64u

struct frame {
	char open;    /* '(', '[', '{', or 0 for the file */
	bool ternary; /* a `?` waits for its `:` */
	bool colon;   /* the key was said by a colon */
	uint16_t argument;
	uint32_t token;         /* number of the bracket's token */
	uint32_t segment;       /* number of the token with which the expression began */
	struct ps_token key;    /* kind PS_TOKEN_END: none */
	struct ps_token callee; /* of a call: the name; else PS_TOKEN_END */
	struct ps_token owner;  /* of `owner.callee`, else PS_TOKEN_END */
	struct ps_token name;   /* what the bracket is the body of: a function, an object; else PS_TOKEN_END */
};

/* What a YAML key is the heading of. */
struct heading {
	uint32_t indent;
	struct ps_token key;
};

struct walk {
	struct ps_scanner *s;
	const struct ps_language_info *language;
	struct ps_token ring[RING];
	uint32_t next; /* number of the token that comes next; 1 is the first */
	struct frame frames[FRAMES];
	unsigned depth; /* of the innermost frame; deeper ones are not remembered */
	unsigned lost;  /* brackets beyond FRAMES */
	struct heading headings[16];
	unsigned heading_count;
	uint32_t line;                /* number of the first token of the line */
	struct ps_token called;       /* whose round bracket was closed last */
	uint32_t called_at;           /* by this token */
	struct ps_token function;     /* that began last, where the language says so by a word */
	const struct ps_lexer *lexer; /* stands behind the token that comes next */
	struct ps_token pending;      /* a default whose name comes after it */
	uint32_t pending_at;
	unsigned nesting;
	enum ps_portness inherited; /* of a string that holds several */
	bool many;                  /* in a string of many lines, which may be a file */
};

struct verdict {
	enum ps_use use;
	enum ps_certainty certainty;
	bool inside;
};

extern const struct ps_token judge_nothing;

/* A token by its number, or judge_nothing if it is too long ago. */
const struct ps_token *judge_token(const struct walk *w, uint32_t number);
/* The first one of the line. */
const struct ps_token *judge_line(const struct walk *w);

static inline const char *judge_inner(const struct walk *w, const struct ps_token *t)
{
	return w->s->text + t->inner;
}

static inline size_t judge_length(const struct ps_token *t)
{
	return t->outer - t->inner;
}

static inline bool judge_is_op(const struct ps_token *t, uint16_t op)
{
	return t->kind == PS_TOKEN_OPERATOR && t->op == op;
}

/* True if a name (or, judge_is_text, a string) is one of the list. */
bool judge_is_word(const struct walk *w, const struct ps_token *t, const char *list);
bool judge_is_text(const struct walk *w, const struct ps_token *t, const char *list);
/* True if a name or string has a word of the list in it. */
bool judge_has_word(const struct walk *w, const struct ps_token *t, const char *list);
/* What a name, or a string that names something, says of its value. */
enum ps_portness judge_portness(const struct walk *w, const struct ps_token *t);
/* The name whose value is being said in a frame; of a YAML line without one, that of the heading above. */
const struct ps_token *judge_key(const struct walk *w, unsigned depth);
/* Server or client, by the calls around; PS_USE_COUNT if none tells. */
enum ps_use judge_use_around(const struct walk *w, unsigned depth);
/* True for `default:` and the like. */
bool judge_is_default(const struct walk *w, const struct ps_token *key);

/* What judge.c and judge_words.c share: the verdict, and `key = NUMBER`, a list, `name NUMBER` of code. `before` is the
 * number of the token before it. */
bool judge_set(struct verdict *v, enum ps_use use, enum ps_certainty certainty);
bool judge_set_inside(struct verdict *v, bool inside);
bool judge_in_value(const struct walk *w, unsigned depth, uint32_t before, unsigned port, struct verdict *v);
bool judge_in_list(const struct walk *w, unsigned depth, uint32_t before, unsigned port, struct verdict *v);
bool judge_after(const struct walk *w, uint32_t before, unsigned port, struct verdict *v);

/* True if a name of a port stands in the expression before the number. *capitals: it is one of the environment. */
bool judge_names_port(const struct walk *w, uint32_t from, uint32_t until, bool *capitals);
/* The number of the token before a cast that ends at `before`; else `before`. */
uint32_t judge_before_cast(const struct walk *w, uint32_t before);
bool judge_in_line(const struct walk *w, uint32_t number, unsigned port, struct verdict *v);

/* True if the number (its token, its value, the token behind it) is a port. */
bool judge_code(const struct walk *w, uint32_t number, unsigned port, const struct ps_token *next, struct verdict *v);
bool judge_words(const struct walk *w, uint32_t number, unsigned port, struct verdict *v);

#endif
