/*
 * cmd_url.c - `portshim url`: the URL of a service, where it really is.
 */
#include <stdio.h>

#include "command.h"
#include "lookup.h"
#include "show.h"

static const char help[] =
	"Examples:\n"
	"  portshim url web              http://localhost:23107\n"
	"  xdg-open \"$(portshim url web)\"\n"
	"\n"
	"Usage: portshim url [OPTION...] SERVICE|PORT\n"
	"\n"
	"Prints a URL with the port that the kernel holds for a service or a requested port. The scheme is the one\n"
	"that the manifest gives to the service; without one, http for TCP.\n"
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
	char url[PS_SHOW_URL];
	cJSON *object;

	if (!a)
		return lookup_missing(target, wanted);
	show_url(url, a, target_scheme(wanted, a));
	if (!json) {
		printf("%s\n", url);
		return PS_EXIT_YES;
	}
	object = show_json(a);
	if (object) {
		cJSON_AddNumberToObject(object, "version", 1);
		cJSON_ReplaceItemInObjectCaseSensitive(object, "url", cJSON_CreateString(url));
	}
	return output_json_print(object, PS_EXIT_YES);
}

static int run(int argc, char **argv)
{
	return lookup_run(&command_url, argc, argv, print);
}

const struct ps_command command_url = {
	.name = "url",
	.summary = "The URL of a service, where it really is",
	.help = help,
	.run = run,
};
