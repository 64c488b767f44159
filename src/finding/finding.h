/*
 * finding.h - what a check finds: a code, how bad it is, where it stands, what is wrong, and what to do.
 *
 * A list of findings is filled by whoever checks, and printed once: as text for people and editors, as JSON, as SARIF
 * 2.1.0 for code scanners, or as annotations of a GitHub workflow. Codes are short, stable and constant; each is
 * described in finding_codes and in portshim-findings(7).
 */
#ifndef PORTSHIM_FINDING_H
#define PORTSHIM_FINDING_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum ps_severity { PS_NOTE, PS_WARNING, PS_ERROR };

/* Where something stands. `file` is as people see it, from the working directory; line and column count from 1, columns
 * in bytes; 0: not known, then it is about the whole file. `key` is the place in a manifest, like "services.web.port",
 * or "" or NULL. */
struct ps_place {
	const char *file;
	int line, column;
	const char *key;
};

struct ps_finding {
	const char *code; /* constant */
	enum ps_severity severity;
	char *file;
	int line, column;
	char *key;  /* or "" */
	char *text;
	char *hint; /* what to do, or NULL */
};

struct ps_findings {
	struct ps_finding *list;
	size_t count, room;
	size_t left_off[PS_ERROR + 1]; /* not kept, because there are PS_FINDINGS_MAX already; they count all the same */
	bool memory;     /* ran out of it */
};

#define PS_FINDINGS_MAX 1000

/* What a code means, for the tools that show it; ends with a NULL code. */
struct ps_finding_code {
	const char *code;
	const char *summary;
};

extern const struct ps_finding_code finding_codes[];

/* Adds one; the texts are copied. `hint` may be NULL. */
void finding_add(struct ps_findings *findings, const char *code, enum ps_severity severity,
		 const struct ps_place *place, const char *hint, const char *format, ...)
	__attribute__((format(printf, 6, 7)));

/* True if one of the first `end` findings has this code and place: to say a thing once. */
bool finding_known(const struct ps_findings *findings, size_t end, const char *code, int line, int column);

/* Room for another? Else it is counted, and the caller need not make its text. */
bool finding_room(struct ps_findings *findings, enum ps_severity severity);

/* How many are this bad. */
size_t finding_count(const struct ps_findings *findings, enum ps_severity severity);

/* By file, line, column; those of one place stay in their order. */
void finding_sort(struct ps_findings *findings);
void finding_free(struct ps_findings *findings);

const char *finding_severity(enum ps_severity severity);

/* ---- the printers ---- */

/* "FILE:LINE:COLUMN: error: KEY: TEXT [CODE]", and "\thint: HINT" below. Those below `least` are left out. */
void finding_print_text(const struct ps_findings *findings, enum ps_severity least, FILE *stream, bool colour);

/* An array of objects with file, line, column, severity, code, key, text and hint. */
cJSON *finding_json(const struct ps_findings *findings);

/* A whole SARIF log of one run. NULL if memory ran out. */
cJSON *finding_sarif(const struct ps_findings *findings);

/* "::error file=...,line=...,col=...,title=CODE::TEXT", one a line. */
void finding_print_github(const struct ps_findings *findings, FILE *stream);

#endif
