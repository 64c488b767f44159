/*
 * command.c - finding a command, and saying that it was used wrongly.
 */
#include "command.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct ps_command *command_find(const char *name)
{
	const struct ps_command *const *c;

	for (c = commands; *c; c++)
		if (strcmp((*c)->name, name) == 0)
			return *c;
	return NULL;
}

const char *command_suggest(const char *word)
{
	const char *names[32];
	unsigned count = 0;

	while (count < sizeof(names) / sizeof(names[0]) && commands[count]) {
		names[count] = commands[count]->name;
		count++;
	}
	return error_suggest(word, names, count);
}

int command_usage(const struct ps_command *command, const char *format, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "portshim %s: ", command->name);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fprintf(stderr, "\nhint: see `portshim %s --help`\n", command->name);
	return PS_EXIT_USAGE;
}
