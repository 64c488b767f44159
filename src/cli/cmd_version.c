/*
 * cmd_version.c - `portshim version`.
 */
#include <stdio.h>

#include <portshim/scope.h>

#include "command.h"
#include "options.h"
#include "output.h"

static const char help[] =
	"Examples:\n"
	"  portshim version\n"
	"  portshim version --json\n"
	"\n"
	"Usage: portshim version [--json]\n"
	"\n"
	"Prints the version. In JSON, \"abi\" is the number of the shared-memory formats: programs of different\n"
	"ABI numbers do not share a runtime directory.\n"
	"\n"
	"      --json  as JSON\n"
	"  -h, --help  this text\n"
	"\n"
	"Exit status: 0, 2 usage.\n";

static int run(int argc, char **argv)
{
	bool json = false;
	const struct ps_option options[] = {
		{.name = "json", .flag = &json},
		{.name = NULL},
	};
	cJSON *object;
	int code;

	if (!options_parse(&command_version, options, 0, &argc, &argv, &code))
		return code;
	if (argc > 0)
		return command_usage(&command_version, "no operand is wanted, but there is `%s`", argv[0]);
	if (!json) {
		printf("portshim %s\n", PORTSHIM_VERSION);
		return PS_EXIT_YES;
	}
	object = output_json_start();
	if (object) {
		cJSON_AddStringToObject(object, "portshim", PORTSHIM_VERSION);
		cJSON_AddNumberToObject(object, "abi", PS_ABI);
		cJSON_AddNumberToObject(object, "manifest", 1);
	}
	return output_json_print(object, PS_EXIT_YES);
}

const struct ps_command command_version = {
	.name = "version",
	.summary = "The version",
	.help = help,
	.run = run,
};
