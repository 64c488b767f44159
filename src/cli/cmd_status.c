/*
 * cmd_status.c - `portshim status`: what is assigned, in this environment or in all.
 *
 * Theory of operation: the list is what is recorded; what is added for people to see is marked by its reason: servers
 * of the project that run without portshim (detected.h), and services that inherit. Those are other names for a port
 * that is in the list already, so they are rows of the table, but no "assignments" of the JSON. Its "services" are what
 * a client here reaches by each name; of several runs that have the same service it is one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <portshim/discovery.h>
#include <portshim/process.h>

#include "../health/survey.h"
#include "command.h"
#include "detected.h"
#include "elsewhere.h"
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
	"Shows service, requested -> actual port, process, command, age, reason and state; servers of the project\n"
	"that run without portshim on a declared port, too: their reason is \"detected\".\n"
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

/* A service that inherits is wanted by its own name; target_wanted() knows the other one's. */
static bool wants_heir(const struct ps_wanted *w)
{
	return w->text && !w->by_number && strcmp(w->text, w->name) != 0;
}

static bool selected(const struct selection *s, const struct ps_assignment *a)
{
	if (!s->all && a->env_id != s->target.env)
		return false;
	for (unsigned i = 0; i < s->wanted_count; i++) {
		const struct ps_wanted *w = &s->wanted[i];

		if (wants_heir(w) ? strcmp(w->text, a->service) == 0 : target_matches(&s->target, w, a))
			return true;
	}
	return s->wanted_count == 0;
}

/* The service that has the port which this one has in the end; the service itself if it inherits from nobody. */
static const struct ps_service *root_of(const struct ps_plan *plan, const struct ps_service *service)
{
	for (uint32_t i = 0; i < plan->service_count && service->inherits != PS_NO_SERVICE; i++)
		service = plan_service(plan, service->inherits);
	return service;
}

/* A row for each service that inherits and each assignment of the service from which it does. */
static bool add_heirs(struct selection *s)
{
	const struct ps_plan *plan = s->target.plan;
	size_t count = s->state.count;
	struct ps_assignment *list;
	bool good = true;

	if (!plan || !(plan->flags & PS_PLAN_HEIRS) || !count)
		return true;
	list = calloc(count, sizeof(*list));
	if (!list)
		return false;
	memcpy(list, s->state.list, count * sizeof(*list));
	for (uint32_t i = 0; i < plan->service_count && good; i++) {
		const struct ps_service *heir = plan_service(plan, (uint16_t)i), *root = root_of(plan, heir);

		for (size_t k = 0; k < count && heir != root && good; k++) {
			struct ps_assignment a = list[k];

			if (a.env_id != s->target.env || strcmp(a.service, plan_string(plan, root->name)) != 0)
				continue;
			a.reason = PS_REASON_INHERITED;
			snprintf(a.service, sizeof(a.service), "%s", plan_string(plan, heir->name));
			if (heir->scheme)
				snprintf(a.scheme, sizeof(a.scheme), "%s", plan_string(plan, heir->scheme));
			good = state_add(&s->state, &a);
		}
	}
	free(list);
	return good;
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

/* Which of the assignments of one name a client here reaches. */
static size_t chosen(const struct selection *s, size_t index)
{
	const struct ps_assignment *a = &s->state.list[index], *best;
	struct ps_error ignored = {0};
	struct ps_wanted wanted;
	char number[8];

	snprintf(number, sizeof(number), "%u", a->requested);
	if (target_wanted(&s->target, &s->state, a->service[0] ? a->service : number, &wanted, &ignored))
		return index;
	best = target_find(&s->target, &s->state, &wanted);
	for (size_t i = 0; best && i < s->state.count; i++)
		if (s->state.list[i].actual == best->actual && strcmp(s->state.list[i].service, a->service) == 0)
			return i;
	return index;
}

/* As in the discovery file, by name, or by number where there is no name. */
static void add_service(const struct selection *s, cJSON *services, size_t index)
{
	const struct ps_assignment *a = &s->state.list[index];
	char key[PS_SERVICE_MAX], url[PS_SHOW_URL];
	cJSON *one;

	snprintf(key, sizeof(key), "%s", a->service);
	if (!a->service[0])
		snprintf(key, sizeof(key), "%u", a->requested);
	if (cJSON_GetObjectItemCaseSensitive(services, key))
		return;
	index = chosen(s, index);
	a = &s->state.list[index];
	one = cJSON_AddObjectToObject(services, key);
	cJSON_AddNumberToObject(one, "port", a->actual);
	cJSON_AddNumberToObject(one, "requested", a->requested);
	cJSON_AddStringToObject(one, "url", show_url(url, a, NULL));
	cJSON_AddStringToObject(one, "reason", discovery_reason(a->reason));
	cJSON_AddStringToObject(one, "state", discovery_state(a->state));
	cJSON_AddNumberToObject(one, "process_id", process_pid(a->owner));
	cJSON_AddNumberToObject(one, "timestamp", (double)a->since);
	if (s->health)
		survey_json(cJSON_AddObjectToObject(one, "health"), &s->health[index]);
}

static void add_environment(const struct selection *s, cJSON *json)
{
	cJSON *services;

	output_json_text(json, "environment", s->target.name);
	output_json_text(json, "project", s->target.project.project);
	output_json_text(json, "profile", s->target.project.profile);
	output_json_text(json, "directory", s->target.directory);
	services = cJSON_AddObjectToObject(json, "services");
	for (size_t i = 0; services && i < s->state.count; i++)
		if (selected(s, &s->state.list[i]))
			add_service(s, services, i);
}

static int print_json(const struct selection *s)
{
	cJSON *json = output_json_start(), *list = NULL;
	int code = PS_EXIT_NO;

	if (!s->all)
		add_environment(s, json);
	list = json ? cJSON_AddArrayToObject(json, "assignments") : NULL;

	for (size_t i = 0; list && i < s->state.count; i++) {
		if (!selected(s, &s->state.list[i]))
			continue;
		code = PS_EXIT_YES;
		if (s->state.list[i].reason == PS_REASON_INHERITED)
			continue; /* another name for one that is in the list */
		cJSON_AddItemToArray(list, one_json(s, i));
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
		if (s->all) {
			fprintf(stderr, "portshim: nothing is assigned in any environment\n");
			return PS_EXIT_NO;
		}
		fprintf(stderr, "portshim: nothing %sis assigned in environment %s\n", s->wanted_count ? "of that " : "",
			s->target.name);
		if (s->wanted_count <= 1)
			elsewhere_hint(&s->target, s->wanted_count ? s->wanted : NULL);
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
	if (!code && !s.all)
		code = detected_add(&s.target, &s.state, &error);
	if (!code && !add_heirs(&s))
		code = error_set(&error, PS_EXIT_SYSTEM, "out of memory");
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
