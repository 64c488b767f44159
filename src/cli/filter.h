/*
 * filter.h - is a program started under the filter that reaches what the library cannot: static and Go programs, raw
 * system calls?
 */
#ifndef PORTSHIM_CLI_FILTER_H
#define PORTSHIM_CLI_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "../keeper/keeper.h"
#include "error.h"
#include "program.h"

struct ps_filter {
	enum ps_static mode; /* PS_STATIC_OFF: this run installs none */
	uint64_t pass;       /* what the library marks its system calls with; 0: no filter is in force */
	bool barred;         /* no program gains rights when it starts, because of the filter */
	bool inherited;      /* the run around this one has it already, and serves this one too */
	bool elsewhere;      /* ... but what is here: it is another network namespace's */
	bool told;           /* the run around this one has none, and has said why */
};

/* What --static says, or for NULL $PORTSHIM_STATIC. Returns 0 or the error's code. */
int filter_mode(const char *text, enum ps_static *mode, struct ps_error *error);

/* Decides it for a program. Where the mode is PS_STATIC_AUTO and it cannot be, one line on stderr says why, unless
 * `quiet`; with PS_STATIC_ON that is an error. Returns 0 or the error's code. */
int filter_choose(struct ps_filter *filter, enum ps_static mode, bool quiet, const struct ps_program *program,
		  struct ps_error *error);

/* What the run around this process has of it. False if there is none. */
bool filter_inherit(struct ps_filter *filter);

/* Why an inherited one that is `elsewhere` reaches nothing here. */
extern const char filter_elsewhere[];

/* True if a filter that is installed here keeps programs from gaining rights, which they could before. */
bool filter_bars(void);

/* The error for an errno with which the kernel refused the filter, with PS_STATIC_ON. */
int filter_error(int refused, struct ps_error *error);

#endif
