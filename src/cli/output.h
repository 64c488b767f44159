/*
 * output.h - what people see: tables, colour, ages, paths; and what programs see: JSON.
 */
#ifndef PORTSHIM_CLI_OUTPUT_H
#define PORTSHIM_CLI_OUTPUT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum ps_colour { PS_PLAIN, PS_BOLD, PS_DIM, PS_RED, PS_GREEN, PS_YELLOW };

/* True if the stream is a terminal that shows colour and the user has not said no (NO_COLOR, TERM=dumb). */
bool output_colour(FILE *stream);

/* The escape sequence for a colour, or "" where `on` is false; PS_PLAIN ends the others. */
const char *output_escape(bool on, enum ps_colour colour);

/* "12s", "3m", "2h", "5d"; `text` holds 24 bytes. Returns text. */
char *output_age(char *text, uint64_t seconds);
/* How long ago that was, of seconds as time(2) has them. What is not over yet is 0s: a start is known to a hundredth,
 * and rounded up. */
char *output_since(char *text, uint64_t then);

/* The path with the home directory as `~`; control characters become `?`. Cut at `size`. Returns text. */
char *output_path(char *text, size_t size, const char *path);

/* The path as seen from the working directory, where that is shorter. */
const char *output_from_here(const char *path);

/* Copies text of strangers (names of processes, paths) for a terminal: control characters become `?`. Returns `to`.
 */
char *output_clean(char *to, size_t size, const char *from);

/* A table: as many heads as columns, then cells row by row; printed with two spaces between aligned columns. */
struct ps_table {
	const char *const *heads;
	unsigned columns;
	struct ps_cell *cells;
	size_t count, room;
	bool failed; /* out of memory: told by output_table_print */
};

void output_table_start(struct ps_table *table, const char *const *heads, unsigned columns);
void output_table_cell(struct ps_table *table, enum ps_colour colour, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Prints and frees it. False if memory ran out. */
bool output_table_print(struct ps_table *table, FILE *stream);

/* An object with "version": 1, as all JSON output is; or NULL. */
cJSON *output_json_start(void);
/* Adds a string; bytes that are not UTF-8 become U+FFFD, because JSON knows nothing else. */
void output_json_text(cJSON *object, const char *name, const char *text);
/* Prints and frees it. Returns the exit code `code`, or PS_EXIT_SYSTEM if memory ran out (said on stderr). */
int output_json_print(cJSON *json, int code);

#endif
