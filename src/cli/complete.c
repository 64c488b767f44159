/*
 * complete.c - words for the completion of shells.
 *
 * Theory of operation: a shell calls this on every press of a key, so no error is said: what cannot be read is not
 * offered.
 */
#include "complete.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "state.h"
#include "target.h"

static int print_services(void)
{
	struct ps_project_options none = {0};
	struct ps_error ignored = {0};
	struct ps_target target = {0};
	int code = PS_EXIT_NO;

	if (target_open(&target, &none, &ignored))
		goto out;
	for (uint32_t i = 0; target.plan && i < target.plan->service_count; i++)
		puts(plan_string(target.plan, plan_service(target.plan, (uint16_t)i)->name));
	code = PS_EXIT_YES;
out:
	target_close(&target);
	return code;
}

/* What `portshim next` takes. */
static int print_rules(void)
{
	const struct ps_project_options none = {0};
	struct ps_error ignored = {0};
	struct ps_project project;

	if (project_find(&project, &none, &ignored))
		return PS_EXIT_NO;
	for (size_t i = 0; project.manifest && i < project.manifest->allocation_count; i++)
		puts(project.manifest->allocations[i].name);
	project_free(&project);
	return PS_EXIT_YES;
}

static int print_profiles(void)
{
	const struct ps_project_options none = {.profile = ""};
	struct ps_error ignored = {0};
	struct ps_project project;

	if (project_find(&project, &none, &ignored))
		return PS_EXIT_NO;
	for (size_t i = 0; project.manifest && i < project.manifest->profile_count; i++)
		puts(project.manifest->profiles[i]);
	project_free(&project);
	return PS_EXIT_YES;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Environments that --env can name, and those that run: one by its directory has a shown name too. */
static int print_environments(void)
{
	struct ps_state_now state = {0};
	struct ps_error ignored = {0};
	const char **names = NULL;
	size_t count = 0;
	int code = PS_EXIT_NO;

	if (state_read(&state, NULL, 0, &ignored))
		goto out;
	names = calloc(state.scope_count + 1, sizeof(*names));
	if (!names)
		goto out;
	for (size_t i = 0; i < state.scope_count; i++) {
		char key[PS_NAME_MAX + 8];

		snprintf(key, sizeof(key), "name:%s", state.scopes[i]->name);
		if (state.scopes[i]->id == space_env_id(state.runtime, key))
			names[count++] = state.scopes[i]->name;
	}
	qsort(names, count, sizeof(*names), compare);
	for (size_t i = 0; i < count; i++)
		puts(names[i]);
	code = PS_EXIT_YES;
out:
	free(names);
	state_free(&state);
	return code;
}

static int print_commands(void)
{
	for (const struct ps_command *const *c = commands; *c; c++)
		puts((*c)->name);
	return PS_EXIT_YES;
}

/* The long options of a command are the words in its help that begin with two dashes, in the column of options. */
static int print_options(const char *name)
{
	const struct ps_command *command = name ? command_find(name) : NULL;

	if (!command)
		return PS_EXIT_NO;
	for (const char *line = command->help; line; line = strchr(line, '\n')) {
		const char *at = line[0] == '\n' ? ++line : line;
		size_t indent = strspn(at, " ");

		at += indent;
		if (indent >= 2 && at[0] == '-' && at[1] != '-' && at[1] && at[2] == ',')
			at += 4;
		else if (indent < 2)
			continue;
		if (strncmp(at, "--", 2) == 0 && at[2] != ' ')
			printf("%.*s\n", (int)strcspn(at, " \n="), at);
	}
	return PS_EXIT_YES;
}

int complete_print(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "services") == 0)
		return print_services();
	if (strcmp(what, "rules") == 0)
		return print_rules();
	if (strcmp(what, "profiles") == 0)
		return print_profiles();
	if (strcmp(what, "environments") == 0)
		return print_environments();
	if (strcmp(what, "commands") == 0)
		return print_commands();
	if (strcmp(what, "options") == 0)
		return print_options(argc > 2 ? argv[2] : NULL);
	return PS_EXIT_NO;
}
