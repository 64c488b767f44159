/*
 * command.h - a command of the command line: its entry stands beside its code (cmd_NAME.c), the table in main.c.
 */
#ifndef PORTSHIM_CLI_COMMAND_H
#define PORTSHIM_CLI_COMMAND_H

#include "error.h"

struct ps_command {
	const char *name;
	const char *summary; /* one line, for `portshim help` */
	const char *help;    /* what --help prints: examples first, then usage, then options */
	/* argv[0] is the command's name. Returns the exit code; prints its own errors. */
	int (*run)(int argc, char **argv);
};

extern const struct ps_command command_run, command_exec, command_status, command_port, command_url, command_env,
	command_wait, command_why, command_doctor, command_validate, command_help, command_version;
extern const struct ps_command command_check, command_inventory, command_map, command_next, command_sync;
extern const struct ps_command command_fix, command_free, command_init, command_health;

/* All commands in the order in which help shows them; ends with NULL. */
extern const struct ps_command *const commands[];

/* The command with this name, or NULL. */
const struct ps_command *command_find(const char *name);

/* The command's name that is nearest to this word, or NULL if none is near. */
const char *command_suggest(const char *word);

/* Prints a usage error ("portshim NAME: ..." and where help is) and returns PS_EXIT_USAGE. */
int command_usage(const struct ps_command *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
