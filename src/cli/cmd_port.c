/*
 * cmd_port.c - `portshim port`: the actual port of a service, as one number.
 */
#include <stdio.h>

#include "command.h"
#include "lookup.h"
#include "show.h"

static const char help[] =
	"Examples:\n"
	"  portshim port web                       23107\n"
	"  curl localhost:$(portshim port 3000)/   by the port that the program asked for\n"
	"\n"
	"Usage: portshim port [OPTION...] SERVICE|PORT\n"
	"\n"
	"Prints the port that the kernel holds for a service or a requested port.\n"
	"\n"
	"      --env NAME        the environment of that name instead of the project's\n"
	"      --profile PROFILE the project's environment of that profile\n"
	"      --manifest FILE   this manifest instead of the one found from here upward\n"
	"      --json            as JSON, with all that is known of the assignment\n"
	"  -h, --help            this text\n"
	"\n"
	"Exit status: 0 if it is assigned, 1 if it is not, 2 usage, 3 system.\n";

static int print(const struct ps_target *target, const struct ps_wanted *wanted, const struct ps_assignment *a,
		 bool json)
{
	cJSON *object;

	if (!a)
		return lookup_missing(target, wanted);
	if (!json) {
		printf("%u\n", a->actual);
		return PS_EXIT_YES;
	}
	object = show_json(a);
	if (object)
		cJSON_AddNumberToObject(object, "version", 1);
	return output_json_print(object, PS_EXIT_YES);
}

static int run(int argc, char **argv)
{
	return lookup_run(&command_port, argc, argv, print);
}

const struct ps_command command_port = {
	.name = "port",
	.summary = "The actual port of a service",
	.help = help,
	.run = run,
};
