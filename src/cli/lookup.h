/*
 * lookup.h - the commands that look one service or port up and print one thing about it: port, url.
 */
#ifndef PORTSHIM_CLI_LOOKUP_H
#define PORTSHIM_CLI_LOOKUP_H

#include "command.h"
#include "target.h"

/* Prints what was found (NULL: it is not assigned) and returns the exit code. */
typedef int lookup_print(const struct ps_target *target, const struct ps_wanted *wanted,
			 const struct ps_assignment *found, bool json);

int lookup_run(const struct ps_command *command, int argc, char **argv, lookup_print *print);

/* Says that it is not assigned, and where it is instead. Returns PS_EXIT_NO. */
int lookup_missing(const struct ps_target *target, const struct ps_wanted *wanted);

#endif
