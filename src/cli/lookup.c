/*
 * lookup.c - from the command line of `port` or `url` to the one assignment that it is about.
 */
#include "lookup.h"

#include <stdio.h>

#include "detected.h"
#include "elsewhere.h"
#include "options.h"

int lookup_missing(const struct ps_target *target, const struct ps_wanted *wanted)
{
	fprintf(stderr, "portshim: %s is not assigned in environment %s\n", wanted->text, target->name);
	if (wanted->external)
		fprintf(stderr, "hint: the manifest calls it external: it is where it always is, on %u\n", wanted->port);
	else
		elsewhere_hint(target, wanted);
	return PS_EXIT_NO;
}

int lookup_run(const struct ps_command *command, int argc, char **argv, lookup_print *print)
{
	struct ps_project_options project = {0};
	struct ps_target target = {0};
	struct ps_state_now state = {0};
	struct ps_error error = {0};
	const struct ps_assignment *found = NULL;
	struct ps_wanted wanted;
	bool json = false;
	const struct ps_option options[] = {
		{.name = "env", .argument = "NAME", .value = &project.env},
		{.name = "profile", .argument = "PROFILE", .value = &project.profile},
		{.name = "manifest", .argument = "FILE", .value = &project.manifest},
		{.name = "json", .flag = &json},
		{.name = NULL},
	};
	int code;

	if (!options_parse(command, options, 0, &argc, &argv, &code))
		return code;
	if (argc != 1)
		return command_usage(command, "one service or port is wanted");
	code = target_open(&target, &project, &error);
	if (!code)
		code = target_state(&target, &state, &error);
	if (!code)
		code = target_wanted(&target, &state, argv[0], &wanted, &error);
	if (!code)
		found = target_find(&target, &state, &wanted);
	if (!code && !found) {
		code = detected_add(&target, &state, &error);
		found = target_find(&target, &state, &wanted);
	}
	if (code)
		error_print(&error);
	else
		code = print(&target, &wanted, found, json);
	target_close(&target);
	state_free(&state);
	return code;
}
