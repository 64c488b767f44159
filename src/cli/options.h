/*
 * options.h - the options of a command: long ones with values and flags, some with a letter.
 *
 *	static const char *env;
 *	static bool json;
 *	const struct ps_option options[] = {
 *		{ .name = "env", .argument = "NAME", .value = &env },
 *		{ .name = "json", .flag = &json },
 *		{ .name = NULL },
 *	};
 *
 *	if (!options_parse(&command_status, options, 0, &argc, &argv, &code))
 *		return code;
 */
#ifndef PORTSHIM_CLI_OPTIONS_H
#define PORTSHIM_CLI_OPTIONS_H

#include <stdbool.h>

#include "command.h"

#define PS_OPTION_LIST_MAX 64

/* The values of an option that may be given several times. */
struct ps_option_list {
	const char *value[PS_OPTION_LIST_MAX];
	unsigned count;
};

/* Exactly one of value, list and flag is set; argument (what help calls the value) goes with value and list. */
struct ps_option {
	const char *name; /* without the dashes; NULL ends the table */
	char letter;      /* the short form, or 0 */
	const char *argument;
	const char **value; /* the last one given wins */
	struct ps_option_list *list;
	bool *flag; /* becomes true */
};

#define PS_OPTIONS_STOP                                                                                              \
	1u /* the first word that is no option ends the options: the rest is somebody else's command line */

/* Takes the options out of the command line: afterwards *argv and *argc are the operands alone, ended by NULL (`--`
 * ends the options and is dropped). False if the command is to end here with *code: --help and -h were printed, or
 * something was wrong and has been said. The strings stay those of argv. */
bool options_parse(const struct ps_command *command, const struct ps_option *options, unsigned mode, int *argc,
		   char ***argv, int *code);

#endif
