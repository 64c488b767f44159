/*
 * json_text.c - JSON as people write it: comments, strict grammar, and where everything stands.
 *
 * Theory of operation
 *
 * Two passes over the bytes. The first checks that all of it is UTF-8. The second is the grammar of RFC 8259, as a loop
 * with an explicit stack of open brackets (deep input cannot overflow ours): it overwrites comments with spaces, writes
 * down where each value and its key begin, in document order, and stops at the first fault, because after a missing
 * quote every further message would be noise. Newlines inside comments stay, so that a position is found later by
 * counting.
 *
 * The tree that cJSON then builds has its nodes in the same order, so numbering it in document order ties both
 * together: the number is kept in valueint, which is unused by objects, arrays and strings and a mere copy in numbers.
 *
 * Limits: nesting of PS_JSON_DEPTH, and numbers of NUMBER_MAX characters (cJSON's own buffer is little longer). U+0000
 * is refused, because it would end a C string early.
 */
#include "json_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX 60

struct scan {
	struct ps_json_text *text;
	struct ps_json_fault *fault;
	size_t at;
	size_t after; /* where the last token ended: a forgotten comma is missed there */
	char open[PS_JSON_DEPTH];
	unsigned depth;
};

static bool fault_at(struct scan *s, size_t offset, const char *code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static bool fault_at(struct scan *s, size_t offset, const char *code, const char *format, ...)
{
	va_list ap;

	s->fault->offset = offset;
	s->fault->code = code;
	s->fault->hint[0] = '\0';
	va_start(ap, format);
	vsnprintf(s->fault->text, sizeof(s->fault->text), format, ap);
	va_end(ap);
	return false;
}

static bool hint(struct scan *s, const char *text)
{
	snprintf(s->fault->hint, sizeof(s->fault->hint), "%s", text);
	return false;
}

/* ---- UTF-8 ---- */

/* The length of the well-formed sequence at `p` (RFC 3629: shortest form, no surrogates, up to U+10FFFF), or 0. */
static size_t utf8_length(const unsigned char *p, size_t room)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t length;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		length = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		length = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		length = 4;
	else
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (room < length || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	return length;
}

static bool check_utf8(struct scan *s)
{
	const unsigned char *p = (const unsigned char *)s->text->text;
	size_t size = s->text->size;

	for (size_t i = 0; i < size;) {
		uint64_t eight;
		size_t length;

		while (size - i >= sizeof(eight)) {
			memcpy(&eight, p + i, sizeof(eight));
			if (eight & 0x8080808080808080u)
				break;
			i += sizeof(eight);
		}
		if (i == size)
			break;
		length = p[i] < 0x80 ? 1 : utf8_length(p + i, size - i);
		if (length == 0) {
			fault_at(s, i, "utf-8", "byte 0x%02x is not UTF-8", p[i]);
			if (i == 0 && (p[0] == 0xff || p[0] == 0xfe))
				return hint(s, "this looks like UTF-16: save the file as UTF-8");
			return hint(s, "save the file as UTF-8");
		}
		i += length;
	}
	return true;
}

/* ---- tokens ---- */

static int peek(const struct scan *s)
{
	return s->at < s->text->size ? (unsigned char)s->text->text[s->at] : -1;
}

static bool blank_comment(struct scan *s)
{
	char *t = s->text->text;
	size_t start = s->at, size = s->text->size;
	bool line = t[start + 1] == '/';

	for (s->at += 2; s->at < size; s->at++) {
		if (line ? t[s->at] == '\n' : (t[s->at] == '*' && s->at + 1 < size && t[s->at + 1] == '/'))
			break;
	}
	if (!line && s->at >= size)
		return fault_at(s, start, "syntax", "this comment has no end: expected `*/`");
	if (!line)
		s->at += 2;
	for (size_t i = start; i < s->at; i++) {
		if (t[i] != '\n')
			t[i] = ' ';
	}
	return true;
}

/* Skips white space and comments. */
static bool skip(struct scan *s)
{
	const char *t = s->text->text;

	/* The text has a NUL behind it. */
	for (;;) {
		size_t at = s->at;
		char c = t[at];

		while (c == ' ' || c == '\t' || c == '\n' || c == '\r')
			c = t[++at];
		s->at = at;
		if (c == '/' && s->at + 1 < s->text->size && (t[s->at + 1] == '/' || t[s->at + 1] == '*')) {
			if (!blank_comment(s))
				return false;
		} else {
			break;
		}
	}
	return true;
}

/* What stands at the cursor, for messages. */
static const char *found(const struct scan *s, char *text, size_t size)
{
	const char *p = s->text->text + s->at;
	size_t length, room = s->text->size - s->at;

	if (room == 0)
		return "the end of the file";
	length = utf8_length((const unsigned char *)p, room);
	if ((unsigned char)*p < 0x20 || *p == 0x7f)
		snprintf(text, size, "control character 0x%02x", (unsigned char)*p);
	else
		snprintf(text, size, "`%.*s`", (int)length, p);
	return text;
}

static int hex4(const char *p)
{
	static const char hex[] = "0123456789abcdef0123456789ABCDEF";
	int value = 0;

	for (int i = 0; i < 4; i++) {
		const char *digit = p[i] ? strchr(hex, p[i]) : NULL;

		if (!digit)
			return -1;
		value = value * 16 + (int)((digit - hex) % 16);
	}
	return value;
}

/* An escape; the cursor stands on the backslash. */
static bool scan_escape(struct scan *s)
{
	const char *t = s->text->text;
	size_t start = s->at, room = s->text->size - s->at;
	int unit;

	if (room >= 2 && t[start + 1] != '\0' && strchr("\"\\/bfnrt", t[start + 1])) {
		s->at += 2;
		return true;
	}
	if (room < 2 || t[start + 1] != 'u') {
		fault_at(s, start, "syntax", "this is no escape of JSON");
		return hint(s, "a backslash itself is written `\\\\`");
	}
	unit = room >= 6 ? hex4(t + start + 2) : -1;
	if (unit < 0)
		return fault_at(s, start, "syntax", "expected four hexadecimal digits after `\\u`");
	if (unit == 0)
		return fault_at(s, start, "syntax", "the character U+0000 cannot be used");
	s->at += 6;
	if (unit < 0xd800 || unit > 0xdfff)
		return true;
	unit = unit < 0xdc00 && room >= 12 && t[start + 6] == '\\' && t[start + 7] == 'u' ? hex4(t + start + 8) : -1;
	if (unit < 0xdc00 || unit > 0xdfff)
		return fault_at(s, start, "syntax", "half of a surrogate pair is no character");
	s->at += 6;
	return true;
}

static bool scan_string(struct scan *s)
{
	size_t start = s->at++;

	for (;;) {
		const unsigned char *t = (const unsigned char *)s->text->text;
		int c;

		while (t[s->at] >= 0x20 && t[s->at] != '"' && t[s->at] != '\\')
			s->at++;
		c = peek(s);
		if (c == '"') {
			s->at++;
			return true;
		}
		if (c < 0 || c == '\n') {
			fault_at(s, start, "syntax", "this string has no end");
			return hint(s, "close it with `\"` on the same line");
		}
		if (c < 0x20)
			return fault_at(s, s->at, "syntax",
					"control character 0x%02x in a string: write it as an escape", (unsigned)c);
		if (!scan_escape(s))
			return false;
	}
}

static size_t digits(struct scan *s)
{
	size_t start = s->at;

	while (peek(s) >= '0' && peek(s) <= '9')
		s->at++;
	return s->at - start;
}

static bool scan_number(struct scan *s)
{
	size_t start = s->at, whole;
	bool zero;

	if (peek(s) == '-')
		s->at++;
	zero = peek(s) == '0';
	whole = digits(s);
	if (whole == 0)
		return fault_at(s, start, "syntax", "expected a digit after `-`");
	if (zero && whole > 1) {
		fault_at(s, start, "syntax", "a number cannot begin with 0");
		return hint(s, "leave the zeros out");
	}
	if (peek(s) == '.') {
		s->at++;
		if (digits(s) == 0)
			return fault_at(s, start, "syntax", "expected a digit after `.`");
	}
	if (peek(s) == 'e' || peek(s) == 'E') {
		s->at++;
		if (peek(s) == '+' || peek(s) == '-')
			s->at++;
		if (digits(s) == 0)
			return fault_at(s, start, "syntax", "expected a digit in the exponent");
	}
	if (s->at - start > NUMBER_MAX)
		return fault_at(s, start, "syntax", "this number is too long");
	return true;
}

static bool scan_word(struct scan *s)
{
	static const char *const words[] = { "true", "false", "null" };
	const char *p = s->text->text + s->at;
	size_t room = s->text->size - s->at, length = 0;

	while (length < room && ((p[length] >= 'a' && p[length] <= 'z') || (p[length] >= 'A' && p[length] <= 'Z') ||
				 p[length] == '_' || (p[length] >= '0' && p[length] <= '9')))
		length++;
	for (unsigned i = 0; i < 3; i++) {
		if (strlen(words[i]) == length && memcmp(words[i], p, length) == 0) {
			s->at += length;
			return true;
		}
	}
	fault_at(s, s->at, "syntax", "expected a value, found `%.*s`", (int)(length > 40 ? 40 : length), p);
	return hint(s, "text stands in double quotes; the only words without are true, false and null");
}

/* ---- grammar ---- */

static bool add_place(struct scan *s, size_t key)
{
	struct ps_json_text *t = s->text;

	if (t->count == t->room) {
		size_t room = t->room ? t->room * 2 : 256;
		struct ps_json_place *places = reallocarray(t->places, room, sizeof(*places));

		if (!places)
			return fault_at(s, s->at, "memory", "out of memory");
		t->places = places;
		t->room = room;
	}
	t->places[t->count].key = (uint32_t)key;
	t->places[t->count].value = (uint32_t)s->at;
	t->count++;
	return true;
}

static bool scan_key(struct scan *s, size_t *key)
{
	char text[32];

	*key = s->at;
	if (peek(s) != '"') {
		int c = peek(s);

		fault_at(s, s->at, "syntax", "expected a key in double quotes, found %s", found(s, text, sizeof(text)));
		if (c == '\'' || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
			hint(s, "keys stand in double quotes");
		return false;
	}
	if (!scan_string(s))
		return false;
	s->after = s->at;
	if (!skip(s))
		return false;
	if (peek(s) != ':') {
		fault_at(s, s->after, "syntax", "expected `:` after the key, found %s", found(s, text, sizeof(text)));
		return false;
	}
	s->at++;
	return skip(s);
}

/* A value begins at the cursor. Opens brackets; everything else is read whole. *opened says which. */
static bool scan_value(struct scan *s, size_t key, bool *opened)
{
	int c = peek(s);
	char text[32];

	*opened = false;
	if (!add_place(s, key))
		return false;
	if (c == '{' || c == '[') {
		if (s->depth == PS_JSON_DEPTH)
			return fault_at(s, s->at, "too-deep", "nested deeper than %d levels", PS_JSON_DEPTH);
		s->open[s->depth++] = (char)c;
		s->at++;
		*opened = true;
		return true;
	}
	if (c == '"')
		return scan_string(s);
	if (c == '-' || (c >= '0' && c <= '9'))
		return scan_number(s);
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
		return scan_word(s);
	fault_at(s, s->at, "syntax", "expected a value, found %s", found(s, text, sizeof(text)));
	if (c == '\'')
		return hint(s, "strings stand in double quotes");
	if (c == '#')
		return hint(s, "comments begin with `//`");
	return false;
}

/* A value has ended: closes as many brackets as end here. *done when the outermost value is complete. */
static bool scan_after(struct scan *s, bool *done)
{
	char text[32];

	for (;;) {
		char close;

		s->after = s->at;
		*done = s->depth == 0;
		if (*done)
			return true;
		if (!skip(s))
			return false;
		close = s->open[s->depth - 1] == '{' ? '}' : ']';
		if (peek(s) == close) {
			s->depth--;
			s->at++;
			continue;
		}
		if (peek(s) == ',') {
			size_t comma = s->at++;

			if (!skip(s))
				return false;
			if (peek(s) == close && s->text->commas) {
				s->text->text[comma] = ' '; /* the tree is built without it */
				continue;
			}
			if (peek(s) == close) {
				fault_at(s, comma, "syntax", "there is nothing after this comma");
				return hint(s, "leave out the comma behind the last entry");
			}
			return true;
		}
		fault_at(s, s->after, "syntax", "expected `,` or `%c`, found %s", close, found(s, text, sizeof(text)));
		return peek(s) == '"' ? hint(s, "is a comma missing?") : false;
	}
}

static bool scan_document(struct scan *s)
{
	bool done = false, opened;
	char text[32];

	if (!skip(s))
		return false;
	if (peek(s) < 0) {
		fault_at(s, 0, "empty", "there is nothing in the file");
		return hint(s, "the smallest manifest is {\"version\": 1}");
	}
	while (!done) {
		size_t key = s->at;

		if (s->depth > 0 && s->open[s->depth - 1] == '{' && !scan_key(s, &key))
			return false;
		if (s->depth == 0 || s->open[s->depth - 1] != '{')
			key = s->at;
		if (!scan_value(s, key, &opened))
			return false;
		if (opened) {
			if (!skip(s))
				return false;
			if (peek(s) != (s->open[s->depth - 1] == '{' ? '}' : ']'))
				continue;
			s->depth--;
			s->at++;
		}
		if (!scan_after(s, &done))
			return false;
	}
	if (!skip(s))
		return false;
	if (peek(s) >= 0)
		return fault_at(s, s->at, "syntax", "expected the end of the file, found %s",
				found(s, text, sizeof(text)));
	return true;
}

bool json_text_check(struct ps_json_text *text, struct ps_json_fault *fault)
{
	struct scan s = { .text = text, .fault = fault };

	text->places = NULL;
	text->count = text->room = 0;
	if (text->size > PS_JSON_SIZE_MAX)
		return fault_at(&s, 0, "too-big", "the file is bigger than %u MiB", PS_JSON_SIZE_MAX >> 20);
	if (!check_utf8(&s))
		return false;
	if (text->size >= 3 && memcmp(text->text, "\xef\xbb\xbf", 3) == 0)
		memset(text->text, ' ', 3);
	return scan_document(&s);
}

/* ---- the tree ---- */

/* Numbers the nodes in document order. Recursive: json_text_check has limited the depth. */
static void number(cJSON *node, int *next)
{
	node->valueint = (*next)++;
	for (cJSON *child = node->child; child; child = child->next)
		number(child, next);
}

/* The tree is made at once and goes at once: its nodes and strings are cut from blocks. To allocate and free each of
 * them took a third of the time of reading. */
#if defined(__SANITIZE_ADDRESS__)
#define BLOCK 0 /* each by itself, so that the sanitizer sees where it ends */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BLOCK 0
#endif
#endif
#ifndef BLOCK
#define BLOCK (64u << 10)
#endif
#define ALIGN 16

struct ps_json_block {
	struct ps_json_block *next;
	size_t room, used;
	_Alignas(ALIGN) char bytes[];
};

static struct ps_json_block *blocks; /* while cJSON builds; its allocator has no place for a context */

static void *take(size_t size)
{
	size_t room = size > BLOCK ? size : BLOCK;
	void *result;

	size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (!blocks || size > blocks->room - blocks->used) {
		struct ps_json_block *more = malloc(sizeof(*more) + room);

		if (!more)
			return NULL;
		*more = (struct ps_json_block){ .next = blocks, .room = room };
		blocks = more;
	}
	result = blocks->bytes + blocks->used;
	blocks->used += size < blocks->room - blocks->used ? size : blocks->room - blocks->used;
	return result;
}

static void leave(void *p)
{
	(void)p;
}

cJSON *json_text_build(struct ps_json_text *text)
{
	cJSON_Hooks hooks = { .malloc_fn = take, .free_fn = leave };
	cJSON *root;
	int next = 0;

	cJSON_InitHooks(&hooks);
	blocks = text->blocks;
	root = cJSON_ParseWithLengthOpts(text->text, text->size, NULL, false);
	text->blocks = blocks;
	blocks = NULL;
	cJSON_InitHooks(NULL);
	if (root)
		number(root, &next);
	return root;
}

void json_text_position(const struct ps_json_text *text, size_t offset, int *line, int *column)
{
	const char *start = text->text, *end = start + (offset < text->size ? offset : text->size), *newline;

	*line = 1;
	while (start < end && (newline = memchr(start, '\n', (size_t)(end - start))) != NULL) {
		start = newline + 1;
		++*line;
	}
	*column = (int)(end - start) + 1;
}

void json_text_free(struct ps_json_text *text)
{
	for (struct ps_json_block *block = text->blocks, *next; block; block = next) {
		next = block->next;
		free(block);
	}
	free(text->text);
	free(text->places);
	*text = (struct ps_json_text){ 0 };
}
