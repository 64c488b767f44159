/*
 * cmd_help.c - `portshim help`: examples first, then the commands.
 */
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "options.h"
#include "output.h"

static const char help[] =
	"Examples:\n"
	"  portshim help       the commands\n"
	"  portshim help run   the same as `portshim run --help`\n"
	"\n"
	"Usage: portshim help [COMMAND]\n"
	"\n"
	"  -h, --help  this text\n"
	"\n"
	"Exit status: 0, 2 usage.\n";

static void print_all(void)
{
	bool colour = output_colour(stdout);
	const char *bold = output_escape(colour, PS_BOLD), *plain = output_escape(colour, PS_PLAIN);

	printf("portshim lets any number of copies of a program have the same hardcoded port at once.\n"
	       "\n"
	       "%sExamples%s\n"
	       "  portshim run -- npm run dev           run a program; if its port is taken, it gets another\n"
	       "  portshim run -- curl localhost:3000   a client reaches this project's own server on 3000\n"
	       "  portshim status                       what runs, and on which port it really is\n"
	       "  portshim why 3000                     who holds a port, and why something was moved\n"
	       "  portshim run --isolate -- npm test    a private port space, gone at the end\n"
	       "\n"
	       "%sCommands%s\n",
	       bold, plain, bold, plain);
	for (const struct ps_command *const *c = commands; *c; c++)
		printf("  %s%-10s%s %s\n", bold, (*c)->name, plain, (*c)->summary);
	printf("\n"
	       "`portshim help COMMAND` tells more; so do portshim(1), portshim-manifest(5),\n"
	       "portshim-findings(7) and libportshim(7).\n");
}

static int run(int argc, char **argv)
{
	const struct ps_option options[] = {
		{.name = NULL},
	};
	const struct ps_command *command;
	const char *near;
	int code;

	/* `portshim --help` arrives here with that word as its name. */
	if (!options_parse(&command_help, options, 0, &argc, &argv, &code))
		return code;
	if (argc > 1)
		return command_usage(&command_help, "one command at a time");
	if (argc == 0) {
		print_all();
		return PS_EXIT_YES;
	}
	command = command_find(argv[0]);
	if (command) {
		fputs(command->help, stdout);
		return PS_EXIT_YES;
	}
	near = command_suggest(argv[0]);
	if (near)
		return command_usage(&command_help, "there is no command `%s`; did you mean `%s`?", argv[0], near);
	return command_usage(&command_help, "there is no command `%s`", argv[0]);
}

const struct ps_command command_help = {
	.name = "help",
	.summary = "The commands, or one of them",
	.help = help,
	.run = run,
};
