/*
 * error.c - errors in three parts, and suggestions for typing errors.
 *
 * Theory of operation: a function that fails fills the caller's struct ps_error and returns its code; nobody prints
 * below the command. The text is cut at the size of the field rather than allocated, so that running out of memory
 * can be reported too. Suggestions use the distance of Damerau and Levenshtein (insert, delete, replace, swap of
 * neighbours) and are made only when the distance is small for the length of the word: a wrong guess is worse than
 * none.
 */
#include "error.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define WORD_MAX 64

int error_set(struct ps_error *error, int code, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(error->text, sizeof(error->text), format, ap);
	va_end(ap);
	error->code = code;
	error->hint[0] = '\0';
	return code;
}

int error_hint(struct ps_error *error, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(error->hint, sizeof(error->hint), format, ap);
	va_end(ap);
	return error->code;
}

int error_print(const struct ps_error *error)
{
	fflush(stdout);
	fprintf(stderr, "portshim: %s\n", error->text);
	if (error->hint[0])
		fprintf(stderr, "hint: %s\n", error->hint);
	return error->code;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Three rows of the table are enough: a swap looks back two. */
static unsigned distance(const char *a, const char *b)
{
	unsigned rows[3][WORD_MAX + 1], *before = rows[0], *above = rows[1], *row = rows[2], *spare;
	unsigned la = (unsigned)strlen(a), lb = (unsigned)strlen(b), i, j;

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (j = 0; j <= lb; j++)
		above[j] = j;
	for (i = 1; i <= la; i++) {
		row[0] = i;
		for (j = 1; j <= lb; j++) {
			bool same = lower(a[i - 1]) == lower(b[j - 1]);

			row[j] = least(least(above[j] + 1, row[j - 1] + 1), above[j - 1] + !same);
			if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
			    lower(a[i - 2]) == lower(b[j - 1]))
				row[j] = least(row[j], before[j - 2] + 1);
		}
		spare = before;
		before = above;
		above = row;
		row = spare;
	}
	return above[lb];
}

const char *error_suggest(const char *word, const char *const *candidates, unsigned count)
{
	const char *best = NULL;
	unsigned least_seen = WORD_MAX, i;
	size_t length = strlen(word);

	if (length == 0 || length > WORD_MAX)
		return NULL;
	for (i = 0; i < count; i++) {
		const char *candidate = candidates[i];
		unsigned d;

		/* An unfinished word of three letters or more is as good a sign as a small distance. */
		if (length >= 3 && strncasecmp(word, candidate, length) == 0)
			d = 1;
		else
			d = distance(word, candidate);
		if (d < least_seen) {
			least_seen = d;
			best = candidate;
		}
	}
	if (!best || least_seen > (length <= 2 ? 1 : length <= 5 ? 2 : 3) || least_seen >= length)
		return NULL;
	return best;
}
