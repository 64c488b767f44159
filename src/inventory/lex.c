/*
 * lex.c - one tokenizer for all languages.
 *
 * Theory of operation: a language is a row of language_table: its comments, quotes, and habits. There are two families.
 * In code, tokens are names, numbers, strings and operators. In words (shells, YAML, configuration files) a token is
 * what stands between white space and a few signs, since `http://localhost:3000/x` is one thing there.
 *
 * It never fails. Text that does not keep to the language (a template, a syntax error, another dialect) gives odd
 * tokens, and a quote that is not closed on its line is a sign like any other where the language wants it closed there:
 * the damage ends with the line. Every call consumes at least one byte; nothing is read beyond the end.
 *
 * What is never closed is searched for up to the end, in vain. A file that is full of such openings would be searched
 * again from each: when that has cost many times the file's length, ends are looked for nearby only.
 */
#include "lex.h"

#include <string.h>

#define VAIN_FACTOR 32 /* times the length of the text */
#define NEAR 256

void lex_start(struct ps_lexer *l, const struct ps_language_info *language, const char *text, uint32_t from,
	       uint32_t end)
{
	*l = (struct ps_lexer){ .language = language,
				.class = language_classes(language),
				.text = text,
				.at = from,
				.end = end,
				.line_from = UINT32_MAX,
				.value = true,
				.vain_max = (uint64_t)(end - from) * VAIN_FACTOR };
	if (end - from >= 3 && memcmp(text + from, "\xef\xbb\xbf", 3) == 0)
		l->at += 3;
}

static bool is(const struct ps_lexer *l, char c, unsigned bits)
{
	return l->class[(unsigned char)c] & bits;
}

static bool has(const char *set, char c)
{
	return set && c && strchr(set, c);
}

static bool at_text(const struct ps_lexer *l, uint32_t at, const char *what)
{
	size_t length = strlen(what);

	return l->end - at >= length && memcmp(l->text + at, what, length) == 0;
}

/* Every string asks for it, and a line may have a great many of them. */
static uint32_t line_end(struct ps_lexer *l, uint32_t at)
{
	const char *end;

	if (at >= l->line_from && at <= l->line_until)
		return l->line_until;
	end = memchr(l->text + at, '\n', l->end - at);
	l->line_from = at;
	l->line_until = end ? (uint32_t)(end - l->text) : l->end;
	return l->line_until;
}

/* How far an end is looked for that is `end` at the farthest. */
static uint32_t reach(const struct ps_lexer *l, uint32_t end)
{
	return l->vain > l->vain_max && end - l->at > NEAR ? l->at + NEAR : end;
}

static bool in_vain(struct ps_lexer *l, uint32_t end)
{
	l->vain += end - l->at;
	return false;
}

/* ---- comments ---- */

static bool is_block(const struct ps_lexer *l)
{
	const char *open = l->language->open;

	if (!open || l->text[l->at] != (open[0] == '\n' ? open[1] : open[0]))
		return false;
	if (open[0] == '\n') /* Ruby's =begin: only at the beginning of a line */
		return (l->at == 0 || l->text[l->at - 1] == '\n') && at_text(l, l->at, open + 1);
	return at_text(l, l->at, open);
}

static void skip_block(struct ps_lexer *l)
{
	const char *open = l->language->open, *close = l->language->close;
	unsigned depth = 1;

	l->at += (uint32_t)strlen(open[0] == '\n' ? open + 1 : open);
	while (l->at < l->end && depth) {
		if (at_text(l, l->at, close)) {
			depth--;
			l->at += (uint32_t)strlen(close);
		} else if ((l->language->flags & LANG_NEST_COMMENT) && at_text(l, l->at, open)) {
			depth++;
			l->at += (uint32_t)strlen(open);
		} else {
			l->at++;
		}
	}
}

static bool is_comment(const struct ps_lexer *l, bool line, bool space)
{
	unsigned flags = l->language->flags;

	if ((flags & LANG_COMMENT_LINE && !line) || (flags & LANG_COMMENT_SPACE && !line && !space))
		return false;
	for (unsigned i = 0; i < 3 && l->language->comment[i]; i++)
		if (l->text[l->at] == l->language->comment[i][0] && at_text(l, l->at, l->language->comment[i]))
			return true;
	return false;
}

/* ---- strings ---- */

/* From the brace of an interpolation to behind the one that closes it, or to `end`. Quotes in it are strings of their
 * own, which may have braces. */
static uint32_t skip_braces(const struct ps_lexer *l, uint32_t at, uint32_t end)
{
	unsigned depth = 0;
	char quote = 0;

	for (; at < end; at++) {
		char c = l->text[at];

		if (c == '\\') {
			at++;
		} else if (quote) {
			if (c == quote)
				quote = 0;
		} else if (c == '"' || c == '\'' || c == '`') {
			quote = c;
		} else if (c == '{') {
			depth++;
		} else if (c == '}' && --depth == 0) {
			return at + 1;
		}
	}
	return end;
}

/* The closing quote of a string whose contents begin at `at`, or `end` if there is none. */
static uint32_t closing(const struct ps_lexer *l, uint32_t at, uint32_t end, char quote, bool raw)
{
	const char *interpolate = l->language->interpolate;

	while (at < end) {
		char c = l->text[at];

		if (c == quote)
			return at;
		if (is(l, c, CLASS_NAME) && c != '$' && c != '@') {
			at++;
			continue;
		}
		if (c == '\\' && !raw)
			at++;
		else if (interpolate && interpolate[0] == c && c != '{' && quote != '\'' && at + 1 < end &&
			 l->text[at + 1] == '{') {
			at = skip_braces(l, at + 1, end);
			continue;
		}
		at++;
	}
	return end;
}

static bool take_string(struct ps_lexer *l, struct ps_token *t, uint32_t inner, uint32_t close, uint32_t until)
{
	t->kind = PS_TOKEN_STRING;
	t->inner = inner;
	t->outer = close < l->end ? close : l->end;
	l->at = t->until = until < l->end ? until : l->end;
	return true;
}

static bool lex_triple(struct ps_lexer *l, struct ps_token *t)
{
	char three[4] = { l->text[l->at], l->text[l->at], l->text[l->at], 0 };
	uint32_t at = l->at + 3;

	if (!(l->language->flags & LANG_TRIPLE) || !at_text(l, l->at, three))
		return false;
	t->many = true;
	while (at < l->end && !at_text(l, at, three))
		at += l->text[at] == '\\' ? 2 : 1;
	return take_string(l, t, l->at + 3, at, at + 3);
}

static bool is_single_raw(const struct ps_lexer *l, char quote)
{
	const char *name = l->language->name;

	return (quote == '\'' && (l->language->flags & LANG_WORDS)) || (quote == '`' && strcmp(name, "go") == 0);
}

static bool lex_string(struct ps_lexer *l, struct ps_token *t)
{
	char quote = l->text[l->at];
	uint32_t end, at;

	if (lex_triple(l, t))
		return true;
	end = reach(l, has(l->language->multiline, quote) ? l->end : line_end(l, l->at));
	at = closing(l, l->at + 1, end, quote, is_single_raw(l, quote));
	if (at >= end)
		return in_vain(l, end);
	return take_string(l, t, l->at + 1, at, at + 1);
}

/* Rust: r"..", r#".."#, b"..". */
static bool lex_raw(struct ps_lexer *l, struct ps_token *t)
{
	uint32_t at = l->at + 1, end = reach(l, l->end), hashes = 0, inner;

	if (!(l->language->flags & LANG_RAW) || l->text[l->at] != 'r')
		return false;
	while (at < end && l->text[at] == '#')
		at++, hashes++;
	if (at >= end || l->text[at] != '"')
		return false;
	inner = ++at;
	for (; at < end; at++) {
		uint32_t n = 0;

		if (l->text[at] != '"')
			continue;
		while (n < hashes && at + 1 + n < l->end && l->text[at + 1 + n] == '#')
			n++;
		if (n == hashes)
			return take_string(l, t, inner, at, at + 1 + hashes);
	}
	return in_vain(l, end);
}

/* 'x' and '\n' where the language has characters. An apostrophe without its partner is a sign (lifetimes of Rust). */
static bool lex_character(struct ps_lexer *l, struct ps_token *t)
{
	uint32_t limit = l->end - l->at > 12 ? l->at + 12 : l->end, at = l->at + 1;

	if (at < limit && l->text[at] == '\\')
		at++;
	for (at++; at < limit && l->text[at] != '\n'; at++) {
		if (l->text[at] != '\'')
			continue;
		t->kind = PS_TOKEN_OTHER;
		l->at = t->until = at + 1;
		return true;
	}
	return false;
}

static bool lex_regex(struct ps_lexer *l, struct ps_token *t)
{
	uint32_t end = reach(l, line_end(l, l->at));
	bool set = false;

	for (uint32_t at = l->at + 1; at < end; at++) {
		char c = l->text[at];

		if (c == '\\') {
			at++;
		} else if (c == '[') {
			set = true;
		} else if (c == ']') {
			set = false;
		} else if (c == '/' && !set) {
			t->kind = PS_TOKEN_OTHER;
			l->at = t->until = at + 1;
			return true;
		}
	}
	return in_vain(l, end);
}

/* ---- here documents ---- */

/* After "<<": remembers the word; the text begins on the next line. */
static void note_heredoc(struct ps_lexer *l)
{
	uint32_t at = l->at, from;

	while (at < l->end && has("<-~", l->text[at]))
		at++;
	if (at < l->end && has("\"'`", l->text[at]))
		at++;
	from = at;
	while (at < l->end && lex_is_name(l->text[at]))
		at++;
	/* In Ruby `a << b` appends; words that end a text are written in capitals. */
	if (at == from || at - from > 60 || !lex_is_alpha(l->text[from]) || l->text[from] >= 'a')
		return;
	l->heredoc = from;
	l->heredoc_length = at - from;
	if (at < l->end && has("\"'`", l->text[at]))
		at++;
	l->at = at;
}

/* At the beginning of a line: the lines up to the word as one string. */
static bool lex_heredoc(struct ps_lexer *l, struct ps_token *t)
{
	uint32_t at = l->at, end = reach(l, l->end), length = l->heredoc_length, word;

	l->heredoc_length = 0;
	while (at < end) {
		word = at;
		while (word < l->end && (l->text[word] == '\t' || l->text[word] == ' '))
			word++;
		if (l->end - word >= length && memcmp(l->text + word, l->text + l->heredoc, length) == 0 &&
		    (word + length == l->end || !lex_is_name(l->text[word + length]))) {
			t->many = true;
			return take_string(l, t, l->at, at, word + length);
		}
		at = line_end(l, at) + 1;
	}
	return in_vain(l, end);
}

/* ---- tokens ---- */

static void take(struct ps_lexer *l, struct ps_token *t, uint8_t kind, uint32_t until)
{
	t->kind = kind;
	t->until = until;
	t->inner = t->from;
	t->outer = until;
	l->at = until;
}

/* Decimal digits, with _ between them and a type behind them, are a number; all else that begins with one is not. */
static void lex_number(struct ps_lexer *l, struct ps_token *t)
{
	uint32_t at = l->at;
	bool plain = true;

	while (at < l->end &&
	       (lex_is_digit(l->text[at]) || (l->text[at] == '_' && at + 1 < l->end && lex_is_digit(l->text[at + 1]))))
		at++;
	t->inner = l->at;
	t->outer = at;
	if (at + 1 < l->end && l->text[at] == '.' && lex_is_digit(l->text[at + 1]))
		plain = false;
	if (at < l->end && (at_text(l, at, "u16") || at_text(l, at, "_u16") || at_text(l, at, "usize")))
		at += at_text(l, at, "_u16") ? 4 : at_text(l, at, "u16") ? 3 : 5;
	else if (at < l->end && has("uUlL", l->text[at]) && (at + 1 == l->end || !lex_is_name(l->text[at + 1])))
		at++;
	else if (at < l->end && lex_is_name(l->text[at]))
		plain = false;
	while (at < l->end && (lex_is_name(l->text[at]) || (!plain && l->text[at] == '.')))
		at++;
	l->at = t->until = at;
	t->kind = plain ? PS_TOKEN_NUMBER : PS_TOKEN_OTHER;
}

static void lex_operator(struct ps_lexer *l, struct ps_token *t)
{
	static const char pairs[] = "=>:=||???:==!=<=>=->::..&&+=-=*=/=%=|=&=^=<-|>\\\\++--**<<>>?.?=";
	char a = l->text[l->at], b = l->at + 1 < l->end ? l->text[l->at + 1] : 0;
	char c = l->at + 2 < l->end ? l->text[l->at + 2] : 0;

	take(l, t, PS_TOKEN_OPERATOR, l->at + 1);
	t->op = OP1(a);
	for (const char *p = is(l, b, CLASS_SECOND) ? pairs : ""; *p; p += 2) {
		if (p[0] != a || p[1] != b)
			continue;
		t->op = OP2(a, b);
		take(l, t, PS_TOKEN_OPERATOR, l->at + 1);
		break;
	}
	/* ===, !==, **=: as the shorter one; ||= and ??= assign. */
	if (t->op > 0xff && c == '=' && (b == '=' || a == '|' || a == '?' || a == '*' || a == '&') && a != '<' &&
	    a != '>') {
		if (a == '|' || a == '?')
			t->op = OP1('=');
		t->until = t->outer = ++l->at;
	}
	if (t->op == OP2('<', '<') && (l->language->flags & LANG_HEREDOC))
		note_heredoc(l);
}

static void lex_code(struct ps_lexer *l, struct ps_token *t)
{
	char c = l->text[l->at];
	uint32_t at = l->at;

	if (lex_is_digit(c)) {
		lex_number(l, t);
	} else if (is(l, c, CLASS_NAME)) {
		if (lex_raw(l, t))
			return;
		while (at < l->end && is(l, l->text[at], CLASS_NAME))
			at++;
		/* A prefix of a string: f"..", b'..'. */
		if (at - l->at <= 2 && at < l->end && is(l, l->text[at], CLASS_QUOTE) && l->text[at] != '`') {
			l->at = at;
			if (lex_string(l, t))
				return;
			l->at = t->from;
		}
		take(l, t, PS_TOKEN_NAME, at);
	} else if (is(l, c, CLASS_QUOTE)) {
		if (!lex_string(l, t))
			lex_operator(l, t);
	} else if (c == '\'' && (l->language->flags & LANG_CHARACTER)) {
		if (!lex_character(l, t))
			lex_operator(l, t);
	} else if (c == '/' && l->value && (l->language->flags & LANG_REGEX)) {
		if (!lex_regex(l, t))
			lex_operator(l, t);
	} else {
		lex_operator(l, t);
	}
}

/* "[::1]:80" and "[::]:80" are words although they begin with a bracket. */
static uint32_t ipv6_end(const struct ps_lexer *l, uint32_t at)
{
	uint32_t from = at++;

	while (at < l->end && at - from < 42 && (lex_is_digit(l->text[at]) || has("abcdefABCDEF:.%", l->text[at])))
		at++;
	return at + 1 < l->end && l->text[at] == ']' && l->text[at + 1] == ':' && at - from > 2 ? at + 1 : 0;
}

static bool ends_word(const struct ps_lexer *l, uint32_t at)
{
	char c = l->text[at];

	if (c == '\\' && l->language->flags & LANG_EMBEDDED)
		return true;
	if (c == ':')
		return at + 1 >= l->end || has(" \t\r\n", l->text[at + 1]);
	if (has("\"'`", c))
		return has(l->language->quotes, c) && !(l->language->flags & LANG_QUOTE_START);
	return (unsigned char)c <= ' ' || has(";{}()[],=|&<>", c);
}

/* "mongodb://a:27017,b:27018/shop": the comma of a URL with several hosts is no end. */
static bool is_next_host(const struct ps_lexer *l, uint32_t from, uint32_t comma)
{
	uint32_t at = comma + 1;

	if (!memmem(l->text + from, comma - from, "://", 3))
		return false;
	while (at < l->end && (lex_is_name(l->text[at]) || l->text[at] == '.' || l->text[at] == '-'))
		at++;
	return at > comma + 1 && at + 1 < l->end && l->text[at] == ':' && lex_is_digit(l->text[at + 1]);
}

static void lex_word(struct ps_lexer *l, struct ps_token *t)
{
	uint32_t at = l->at, digits;

	while (at < l->end) {
		char c = l->text[at];

		if (!is(l, c, CLASS_STOP)) {
			at++;
			continue;
		}
		if (at + 1 < l->end && ((c == '$' && l->text[at + 1] == '{') || (c == '{' && l->text[at + 1] == '$'))) {
			at = skip_braces(l, at + (c == '$'), line_end(l, at));
			continue;
		}
		if (c == '[' && ipv6_end(l, at))
			at = ipv6_end(l, at);
		else if (ends_word(l, at) && !(c == ',' && is_next_host(l, l->at, at)))
			break;
		else if (c == '\\' && at + 1 < l->end && l->text[at + 1] != '\n')
			at += 2;
		else
			at++;
	}
	take(l, t, PS_TOKEN_NAME, at < l->end ? at : l->end);
	digits = t->from;
	while (digits < t->until && lex_is_digit(l->text[digits]))
		digits++;
	if (digits > t->from && (digits == t->until || (t->until - digits == 4 &&
							(at_text(l, digits, "/tcp") || at_text(l, digits, "/udp"))))) {
		t->kind = PS_TOKEN_NUMBER;
		t->outer = digits;
	}
}

static void lex_words(struct ps_lexer *l, struct ps_token *t)
{
	char c = l->text[l->at];

	if (is(l, c, CLASS_QUOTE) && lex_string(l, t))
		return;
	if (c == '<' && (l->language->flags & LANG_HEREDOC) && at_text(l, l->at, "<<")) {
		take(l, t, PS_TOKEN_OPERATOR, l->at + 2);
		t->op = OP2('<', '<');
		note_heredoc(l);
		return;
	}
	if ((c == '{' && l->at + 1 < l->end && l->text[l->at + 1] == '$') || (c == '[' && ipv6_end(l, l->at)) ||
	    (!ends_word(l, l->at) && !has("\"'`", c))) {
		lex_word(l, t);
		if (t->until > t->from)
			return;
	}
	lex_operator(l, t);
}

/* LANG_TAGS: at the sign that begins or ends a tag, notes it; outside of tags and scripts, moves to the next one. */
static bool skip_prose(struct ps_lexer *l)
{
	char c = l->text[l->at];
	const char *next;

	if (c == '<') {
		l->tag = true;
		l->script = at_text(l, l->at, "<script") || (l->script && !at_text(l, l->at, "</script"));
	}
	if (l->tag || l->script) {
		l->tag = l->tag && c != '>';
		return false;
	}
	next = memchr(l->text + l->at, '<', l->end - l->at);
	l->at = next ? (uint32_t)(next - l->text) : l->end;
	return true;
}

/* Where no token begins: white space, the end of a line, comments. Moves on; false at a token. */
static bool skip_space(struct ps_lexer *l, bool *line, bool *space)
{
	char c = l->text[l->at], next = l->at + 1 < l->end ? l->text[l->at + 1] : 0;
	bool embedded = l->language->flags & LANG_EMBEDDED;

	if ((unsigned char)c <= ' ') {
		l->at++;
		*line = *line || c == '\n';
	} else if (c == '\\' && embedded && has("nrt", next)) { /* the two signs, in a string */
		l->at += 2;
		*line = *line || next == 'n';
	} else if (c == '\\' && (next == '\n' || next == '\r')) { /* the line goes on */
		l->at += next == '\r' && l->at + 2 < l->end ? 3 : 2;
	} else if (is(l, c, CLASS_COMMENT) && is_block(l)) {
		skip_block(l);
	} else if (is(l, c, CLASS_COMMENT) && is_comment(l, *line, *space)) {
		l->at = line_end(l, l->at);
		return true;
	} else {
		return false;
	}
	*space = true;
	return true;
}

bool lex_next(struct ps_lexer *l, struct ps_token *t)
{
	bool line = l->at == 0, space = line;

	while (l->at < l->end) {
		char c = l->text[l->at];

		if (c == ' ' || c == '\t') {
			space = true;
			l->at++;
			continue;
		}
		if ((l->language->flags & LANG_TAGS && skip_prose(l)) || skip_space(l, &line, &space)) {
			*t = (struct ps_token){ .from = l->at, .line = true };
			if (c == '\n' && l->heredoc_length && lex_heredoc(l, t))
				return true;
			continue;
		}
		*t = (struct ps_token){ .from = l->at, .line = line, .space = space };
		if (l->language->flags & LANG_WORDS)
			lex_words(l, t);
		else
			lex_code(l, t);
		l->value = t->kind == PS_TOKEN_OPERATOR && t->op != OP1(')') && t->op != OP1(']') && t->op != OP1('}');
		return true;
	}
	t->kind = PS_TOKEN_END;
	return false;
}
