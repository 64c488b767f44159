/*
 * error.h - what went wrong, in three parts: what happened, why, and what to do.
 *
 * Functions that can fail fill an error that the caller owns, and leave it alone on success; it is printed once, at the
 * top.
 */
#ifndef PORTSHIM_CLI_ERROR_H
#define PORTSHIM_CLI_ERROR_H

#include <stdarg.h>

/* Exit codes of every command but run and exec; those two use the program's own, and PS_EXIT_FAILED and up. */
enum {
	PS_EXIT_YES = 0,
	PS_EXIT_NO = 1,     /* drift, conflict, nothing found */
	PS_EXIT_USAGE = 2,
	PS_EXIT_SYSTEM = 3,
	PS_EXIT_FAILED = 125,       /* run: portshim itself failed */
	PS_EXIT_CANNOT_EXEC = 126,
	PS_EXIT_NOT_FOUND = 127,
};

struct ps_error {
	int code;        /* exit code, 0 while nothing is wrong */
	char text[2048]; /* what happened and why; may have several lines */
	char hint[1024]; /* what to do, or "" */
};

/* Sets the text and the code; returns the code. */
int error_set(struct ps_error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Sets the hint; returns error->code. */
int error_hint(struct ps_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "portshim: TEXT" and "hint: HINT" on stderr; returns error->code. */
int error_print(const struct ps_error *error);

/* The candidate nearest to `word` if it is near enough to be a typing error, else NULL. */
const char *error_suggest(const char *word, const char *const *candidates, unsigned count);

#endif
