/*
 * ignore.c - .gitignore, as gitignore(5) has it.
 *
 * Theory of operation: `*` and `?` stop at a slash, `**` between slashes does not. Matching backtracks to the last star
 * only, and to the last `**`, so that a pattern of stars costs the product of two lengths and no more.
 */
#include "ignore.h"

#include <stdlib.h>
#include <string.h>

/* A set "[a-z]" or "[!a-z]" at `*p`; moves behind it. A bracket that is never closed is a bracket. */
static bool in_set(const char **p, char c)
{
	const char *at = *p + 1;
	bool no = *at == '!' || *at == '^', found = false;

	at += no;
	for (const char *first = at; *at && (*at != ']' || at == first); at++) {
		if (*at == '\\' && at[1])
			at++;
		if (at[1] == '-' && at[2] && at[2] != ']') {
			found = found || (c >= at[0] && c <= at[2]);
			at += 2;
		} else {
			found = found || c == *at;
		}
	}
	if (*at != ']') {
		(*p)++;
		return c == '[';
	}
	*p = at + 1;
	return found != no && c != '/';
}

/* One sign of the pattern against one byte; moves behind the sign. */
static bool one(const char **p, char c)
{
	if (**p == '[')
		return in_set(p, c);
	if (**p == '?') {
		(*p)++;
		return c != '/';
	}
	if (**p == '\\' && (*p)[1])
		(*p)++;
	return *(*p)++ == c;
}

/* Where matching goes on when it fails: behind the last star, and behind the last pair of them. */
struct retry {
	const char *pattern, *text;
};

/* Passes over stars at the pattern and notes them. True if the pattern ends with a pair, which matches all the rest. */
static bool pass_stars(const char **p, const char *s, struct retry *star, struct retry *deep)
{
	while (**p == '*') {
		if ((*p)[1] != '*') {
			*star = (struct retry){ ++*p, s };
			continue;
		}
		while (**p == '*')
			(*p)++;
		if (**p == '/') /* also none at all: the pair between two slashes stands for one slash too */
			(*p)++;
		*deep = (struct retry){ *p, s };
		star->pattern = NULL;
		if (!**p)
			return true;
	}
	return false;
}

/* The next try: a star takes one byte more, a pair one folder more. False if there is none. */
static bool try_again(const char **p, const char **s, struct retry *star, struct retry *deep)
{
	if (star->pattern && *star->text && *star->text != '/') {
		*p = star->pattern;
		*s = ++star->text;
		return true;
	}
	star->pattern = NULL;
	if (!deep->pattern)
		return false;
	deep->text = strchr(deep->text, '/');
	if (!deep->text)
		return false;
	*p = deep->pattern;
	*s = ++deep->text;
	return true;
}

static bool glob(const char *p, const char *s)
{
	struct retry star = { 0 }, deep = { 0 };

	for (;;) {
		const char *next;

		if (pass_stars(&p, s, &star, &deep))
			return true;
		if (!*s && !*p)
			return true;
		next = p;
		if (*s && *p && one(&next, *s)) {
			p = next;
			s++;
		} else if (!try_again(&p, &s, &star, &deep)) {
			return false;
		}
	}
}

bool ignore_pattern(const char *pattern, const char *path, bool directory)
{
	size_t length = strlen(pattern);
	char text[1024];
	const char *slash;

	if (length == 0 || length >= sizeof(text))
		return false;
	memcpy(text, pattern, length + 1);
	if (text[length - 1] == '/') {
		if (!directory)
			return false;
		text[--length] = '\0';
	}
	slash = strchr(text, '/');
	if (!slash) { /* at any depth */
		const char *base = strrchr(path, '/');

		return glob(text, base ? base + 1 : path);
	}
	return glob(text + (text[0] == '/'), path);
}

bool ignore_read(struct ps_ignore *ignore, const struct ps_ignore *above, char *text, size_t base)
{
	size_t lines = 1;
	char *next;

	*ignore = (struct ps_ignore){ .above = above, .text = text, .base = base };
	if (!text)
		return true;
	for (const char *at = text; *at; at++)
		lines += *at == '\n';
	ignore->patterns = calloc(lines, sizeof(*ignore->patterns));
	if (!ignore->patterns)
		return false;
	for (char *line = text; line; line = next) {
		size_t length;

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		length = strlen(line);
		while (length > 0 && (line[length - 1] == '\r' ||
				      (line[length - 1] == ' ' && (length < 2 || line[length - 2] != '\\'))))
			line[--length] = '\0';
		if (length > 0 && line[0] != '#')
			ignore->patterns[ignore->count++] = line;
	}
	return true;
}

bool ignore_matches(const struct ps_ignore *ignore, const char *path, bool directory)
{
	for (; ignore; ignore = ignore->above)
		for (size_t i = ignore->count; i-- > 0;) {
			const char *pattern = ignore->patterns[i];
			bool no = pattern[0] == '!';

			if (ignore_pattern(pattern + no, path + ignore->base, directory))
				return !no;
		}
	return false;
}

void ignore_free(struct ps_ignore *ignore)
{
	free(ignore->patterns);
	free(ignore->text);
	*ignore = (struct ps_ignore){ 0 };
}
