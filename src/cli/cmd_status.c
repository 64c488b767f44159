/*
 * cmd_status.c - `portshim status`: what is assigned, in this environment or in all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <portshim/discovery.h>
#include <portshim/process.h>

#include "../health/survey.h"
#include "command.h"
#include "holder.h"
#include "options.h"
#include "show.h"
#include "target.h"

static const char help[] =
	"Examples:\n"
	"  portshim status                 what this project has running, and where\n"
	"  portshim status --all           the same for all environments of yours\n"
	"  portshim status --health        and whether it does its work\n"
	"  portshim status --json web api  two services, for a program to read\n"
	"\n"
	"Usage: portshim status [OPTION...] [SERVICE|PORT...]\n"
	"\n"
	"Shows service, requested -> actual port, process, command, age, reason and state.\n"
	"\n"
	"      --all             all environments\n"
	"      --health          ask each as portshim health does; with clients connected now, and uptime\n"
	"      --env NAME        the environment of that name instead of the project's\n"
	"      --profile PROFILE the project's environment of that profile\n"
	"      --manifest FILE   this manifest instead of the one found from here upward\n"
	"      --json            as JSON\n"
	"  -h, --help            this text\n"
	"\n"
	"Exit status: 0 if something is listed, 1 if nothing is, 2 usage, 3 system.\n";

struct selection {
	struct ps_project_options project;
	struct ps_target target;
	struct ps_state_now state;
	struct ps_wanted *wanted;
	unsigned wanted_count;
	struct ps_health_row *health; /* one for each in state.list, if that is wanted */
	bool all, json, with_health;
};

static bool selected(const struct selection *s, const struct ps_assignment *a)
{
	if (!s->all && a->env_id != s->target.env)
		return false;
	for (unsigned i = 0; i < s->wanted_count; i++)
		if (target_matches(&s->target, &s->wanted[i], a))
			return true;
	return s->wanted_count == 0;
}

/* How each one is that is selected. */
static int ask(struct selection *s, struct ps_error *error)
{
	struct ps_health_row *rows = calloc(s->state.count + 1, sizeof(*rows));
	size_t used = 0;

	s->health = calloc(s->state.count + 1, sizeof(*s->health));
	for (size_t i = 0; rows && i < s->state.count; i++)
		if (selected(s, &s->state.list[i]))
			survey_assignment(&rows[used++], &s->target, &s->state.list[i]);
	if (!rows || !s->health || !survey_ask(rows, used, -1)) {
		free(rows);
		return error_set(error, PS_EXIT_SYSTEM, "out of memory");
	}
	for (size_t i = used; i-- > 0;)
		s->health[rows[i].assignment - s->state.list] = rows[i];
	free(rows);
	return 0;
}

static cJSON *one_json(const struct selection *s, size_t index)
{
	cJSON *json = show_json(&s->state.list[index]);

	if (json && s->health)
		survey_json(cJSON_AddObjectToObject(json, "health"), &s->health[index]);
	return json;
}

static int print_json(const struct selection *s)
{
	cJSON *json = output_json_start(), *list = json ? cJSON_AddArrayToObject(json, "assignments") : NULL;
	int code = PS_EXIT_NO;

	for (size_t i = 0; list && i < s->state.count; i++) {
		if (!selected(s, &s->state.list[i]))
			continue;
		cJSON_AddItemToArray(list, one_json(s, i));
		code = PS_EXIT_YES;
	}
	return output_json_print(json, code);
}

static void print_health(struct ps_table *table, const struct ps_health_row *row)
{
	char text[24] = "-";

	if (row->started && row->started <= row->time)
		output_age(text, row->time - row->started);
	output_table_cell(table, survey_colour(row->probe.status), "%s", probe_status(row->probe.status));
	output_table_cell(table, PS_PLAIN, "%u", row->connections);
	output_table_cell(table, PS_PLAIN, "%s", text);
}

static void print_row(const struct selection *s, struct ps_table *table, size_t index)
{
	const struct ps_assignment *a = &s->state.list[index];
	struct ps_holder owner = {0};
	char text[256], command[64];
	bool listening = a->state == PS_LISTENING;

	if (a->alive)
		holder_process(&owner, process_pid(a->owner));
	output_table_cell(table, PS_BOLD, "%s", a->service[0] ? a->service : "-");
	output_table_cell(table, a->requested != a->actual ? PS_YELLOW : PS_PLAIN, "%s", show_ports(text, a));
	output_table_cell(table, PS_PLAIN, "%s", a->protocols ? show_protocols(a->protocols) : "-");
	if (a->alive)
		output_table_cell(table, PS_PLAIN, "%d", process_pid(a->owner));
	else
		output_table_cell(table, PS_DIM, "-");
	output_table_cell(table, PS_PLAIN, "%s",
			  owner.command[0] ? output_clean(command, sizeof(command), owner.command) : "-");
	output_table_cell(table, PS_PLAIN, "%s", output_age(text, show_age(a)));
	output_table_cell(table, PS_PLAIN, "%s", discovery_reason(a->reason));
	output_table_cell(table, listening ? PS_GREEN : PS_DIM, "%s", discovery_state(a->state));
	if (s->health)
		print_health(table, &s->health[index]);
	if (!s->all)
		return;
	output_table_cell(table, PS_PLAIN, "%s", a->env ? a->env->name : "-");
	output_table_cell(table, PS_DIM, "%s", output_path(text, sizeof(text), a->env ? a->env->directory : ""));
}

static int print_table(const struct selection *s)
{
	static const char *const usual[] = {"SERVICE", "PORT",   "PROTOCOL", "PID",         "COMMAND",
					    "AGE",     "REASON", "STATE",    "ENVIRONMENT", "DIRECTORY"};
	static const char *const more[] = {"SERVICE", "PORT",   "PROTOCOL", "PID",         "COMMAND",
					   "AGE",     "REASON", "STATE",    "HEALTH",      "CLIENTS",
					   "UPTIME",  "ENVIRONMENT", "DIRECTORY"};
	struct ps_table table;
	size_t rows = 0;

	output_table_start(&table, s->health ? more : usual, (s->all ? 10 : 8) + (s->health ? 3 : 0));
	for (size_t i = 0; i < s->state.count; i++) {
		if (!selected(s, &s->state.list[i]))
			continue;
		print_row(s, &table, i);
		rows++;
	}
	if (!rows) {
		if (s->all)
			fprintf(stderr, "portshim: nothing is assigned in any environment\n");
		else
			fprintf(stderr, "portshim: nothing %sis assigned in environment %s\n",
				s->wanted_count ? "of that " : "", s->target.name);
		return PS_EXIT_NO;
	}
	if (!output_table_print(&table, stdout)) {
		fprintf(stderr, "portshim: out of memory\n");
		return PS_EXIT_SYSTEM;
	}
	return PS_EXIT_YES;
}

static int understand(struct selection *s, int argc, char **argv, struct ps_error *error)
{
	int code = 0;

	s->wanted = calloc((size_t)argc + 1, sizeof(*s->wanted));
	if (!s->wanted)
		return error_set(error, PS_EXIT_SYSTEM, "out of memory");
	for (int i = 0; i < argc && !code; i++)
		code = target_wanted(&s->target, &s->state, argv[i], &s->wanted[i], error);
	s->wanted_count = (unsigned)argc;
	return code;
}

static int run(int argc, char **argv)
{
	struct selection s = {0};
	struct ps_error error = {0};
	const struct ps_option options[] = {
		{.name = "all", .letter = 'a', .flag = &s.all},
		{.name = "health", .flag = &s.with_health},
		{.name = "env", .argument = "NAME", .value = &s.project.env},
		{.name = "profile", .argument = "PROFILE", .value = &s.project.profile},
		{.name = "manifest", .argument = "FILE", .value = &s.project.manifest},
		{.name = "json", .flag = &s.json},
		{.name = NULL},
	};
	int code;

	if (!options_parse(&command_status, options, 0, &argc, &argv, &code))
		return code;
	/* What others have running is no matter of this project's manifest: a broken one must not hide it. */
	code = 0;
	if (!s.all || argc > 0)
		code = target_open(&s.target, &s.project, &error);
	if (!code)
		code = s.all ? state_read(&s.state, NULL, 0, &error) : target_state(&s.target, &s.state, &error);
	if (!code)
		code = understand(&s, argc, argv, &error);
	if (!code && s.with_health)
		code = ask(&s, &error);
	if (code)
		error_print(&error);
	else
		code = s.json ? print_json(&s) : print_table(&s);
	free(s.wanted);
	free(s.health);
	target_close(&s.target);
	state_free(&s.state);
	return code;
}

const struct ps_command command_status = {
	.name = "status",
	.summary = "What is assigned, in this environment or in all",
	.help = help,
	.run = run,
};
