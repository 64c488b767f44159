/*
 * cmd_health.c - `portshim health`: whether services do their work.
 *
 * Theory of operation: without operands, everything that the manifest says how to ask has to be healthy, and whatever
 * else runs is asked whether it accepts connections. A service that does not run and has no "health" is not missed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../health/survey.h"
#include "command.h"
#include "detected.h"
#include "duration.h"
#include "options.h"
#include "show.h"

static const char help[] =
	"Examples:\n"
	"  portshim health                all services of this project\n"
	"  portshim health web database   two of them\n"
	"  portshim health --json | jq .services.web.status\n"
	"\n"
	"Usage: portshim health [OPTION...] [SERVICE|PORT...]\n"
	"\n"
	"Asks each service at its actual port, as the manifest says under \"health\": by HTTP, as pg_isready does, by\n"
	"PING for Redis, or whether it accepts connections. Without operands: every service that has \"health\", and\n"
	"whatever else runs.\n"
	"\n"
	"      --timeout TIME    for all answers; otherwise each service's own, 2s\n"
	"  -q, --quiet           only the exit status\n"
	"      --env NAME        the environment of that name instead of the project's\n"
	"      --profile PROFILE the project's environment of that profile\n"
	"      --manifest FILE   this manifest instead of the one found from here upward\n"
	"      --json            as JSON, with connections and uptime\n"
	"  -h, --help            this text\n"
	"\n"
	"Exit status: 0 if all are healthy, 1 if one is not or there is none, 2 usage, 3 system.\n";

struct request {
	struct ps_project_options project;
	struct ps_target target;
	struct ps_state_now state;
	struct ps_health_row *rows;
	size_t count;
	bool json, quiet;
};

static bool has_row(const struct request *r, const struct ps_assignment *a)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->rows[i].assignment && r->rows[i].assignment->actual == a->actual)
			return true;
	return false;
}

static int choose_named(struct request *r, int argc, char **argv, struct ps_error *error)
{
	int code = 0;

	r->rows = calloc((size_t)argc, sizeof(*r->rows));
	if (!r->rows)
		return error_set(error, PS_EXIT_SYSTEM, "out of memory");
	for (int i = 0; i < argc && !code; i++)
		code = survey_wanted(&r->rows[r->count++], &r->target, &r->state, argv[i], error);
	return code;
}

static int choose_all(struct request *r, struct ps_error *error)
{
	const struct ps_manifest *m = r->target.project.manifest;
	int code = 0;

	r->rows = calloc((m ? m->service_count : 0) + r->state.count + 1, sizeof(*r->rows));
	if (!r->rows)
		return error_set(error, PS_EXIT_SYSTEM, "out of memory");
	for (size_t i = 0; m && i < m->service_count && !code; i++)
		if (m->services[i].health.kind != PS_HEALTH_NONE)
			code = survey_wanted(&r->rows[r->count++], &r->target, &r->state, m->services[i].name, error);
	for (size_t i = 0; i < r->state.count && !code; i++) {
		const struct ps_assignment *a = &r->state.list[i];

		if (a->env_id == r->target.env && !has_row(r, a))
			survey_assignment(&r->rows[r->count++], &r->target, a);
	}
	return code;
}

static bool all_healthy(const struct request *r)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->rows[i].probe.status != PS_HEALTHY)
			return false;
	return r->count > 0;
}

static void add_service(cJSON *services, const struct ps_health_row *row)
{
	char key[PS_SERVICE_MAX + 16], url[PS_SHOW_URL];
	cJSON *one = cJSON_CreateObject();

	snprintf(key, sizeof(key), "%s", row->name);
	if (cJSON_HasObjectItem(services, key)) /* another run's: as the discovery file has it */
		snprintf(key, sizeof(key), "%s@%08x", row->name, row->assignment ? row->assignment->run_id : 0);
	survey_json(one, row);
	if (row->port)
		cJSON_AddNumberToObject(one, "port", row->port);
	else
		cJSON_AddNullToObject(one, "port");
	if (row->assignment)
		cJSON_AddStringToObject(one, "url", show_url(url, row->assignment, row->scheme));
	if (row->process_id)
		cJSON_AddNumberToObject(one, "process_id", row->process_id);
	cJSON_AddItemToObject(services, key, one);
}

static int print_json(const struct request *r, int code)
{
	cJSON *json = output_json_start(), *services;

	output_json_text(json, "environment", r->target.name);
	output_json_text(json, "profile", r->target.project.profile);
	cJSON_AddBoolToObject(json, "healthy", code == PS_EXIT_YES);
	services = cJSON_AddObjectToObject(json, "services");
	for (size_t i = 0; i < r->count; i++)
		add_service(services, &r->rows[i]);
	return output_json_print(json, code);
}

static int print_table(const struct request *r, int code)
{
	static const char *const heads[] = { "SERVICE", "PORT", "CHECK", "STATUS", "LATENCY", "DETAIL" };
	struct ps_table table;

	if (r->count == 0) {
		fprintf(stderr, "portshim: nothing runs in environment %s, and no service has a health check\n",
			r->target.name);
		return code;
	}
	output_table_start(&table, heads, 6);
	for (size_t i = 0; i < r->count; i++) {
		const struct ps_health_row *row = &r->rows[i];
		char text[32], port[8] = "-";

		if (row->port)
			snprintf(port, sizeof(port), "%u", row->port);
		output_table_cell(&table, PS_BOLD, "%s", row->name);
		output_table_cell(&table, PS_PLAIN, "%s", port);
		output_table_cell(&table, PS_PLAIN, "%s", manifest_health_name(row->probe.kind));
		output_table_cell(&table, survey_colour(row->probe.status), "%s", probe_status(row->probe.status));
		output_table_cell(&table, PS_PLAIN, "%s", survey_latency(text, row));
		output_table_cell(&table, PS_PLAIN, "%s", row->probe.detail);
	}
	if (output_table_print(&table, stdout))
		return code;
	fprintf(stderr, "portshim: out of memory\n");
	return PS_EXIT_SYSTEM;
}

static int run(int argc, char **argv)
{
	struct request r = { .count = 0 };
	struct ps_error error = { 0 };
	const char *timeout = NULL;
	int64_t limit = -1;
	const struct ps_option options[] = {
		{ .name = "timeout", .argument = "TIME", .value = &timeout },
		{ .name = "quiet", .letter = 'q', .flag = &r.quiet },
		{ .name = "env", .argument = "NAME", .value = &r.project.env },
		{ .name = "profile", .argument = "PROFILE", .value = &r.project.profile },
		{ .name = "manifest", .argument = "FILE", .value = &r.project.manifest },
		{ .name = "json", .flag = &r.json },
		{ .name = NULL },
	};
	int code;

	if (!options_parse(&command_health, options, 0, &argc, &argv, &code))
		return code;
	if (timeout && !duration_parse(timeout, &limit))
		return command_usage(&command_health, "`%s` is no time; say 5s, 500ms or 1m", timeout);
	code = target_open(&r.target, &r.project, &error);
	if (!code)
		code = target_state(&r.target, &r.state, &error);
	if (!code)
		code = detected_add(&r.target, &r.state, &error);
	if (!code)
		code = argc ? choose_named(&r, argc, argv, &error) : choose_all(&r, &error);
	if (!code && !survey_ask(r.rows, r.count, limit))
		code = error_set(&error, PS_EXIT_SYSTEM, "out of memory");
	if (code) {
		error_print(&error);
		goto out;
	}
	code = all_healthy(&r) ? PS_EXIT_YES : PS_EXIT_NO;
	if (!r.quiet)
		code = r.json ? print_json(&r, code) : print_table(&r, code);
out:
	free(r.rows);
	target_close(&r.target);
	state_free(&r.state);
	return code;
}

const struct ps_command command_health = {
	.name = "health",
	.summary = "Whether services do their work",
	.help = help,
	.run = run,
};
