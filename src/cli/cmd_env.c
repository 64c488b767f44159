/*
 * cmd_env.c - `portshim env`: the manifest's environment variables, with the ports as they really are.
 *
 * Theory of operation: `run` sets these variables with requested ports, because the shim moves server and client
 * alike. Whoever is not under portshim (a browser's launcher, a test on the host) needs the actual ones. So the
 * loaded manifest is changed to what is the case - each service's first port becomes its actual one where it is
 * assigned - and the templates are expanded as always.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "detected.h"
#include "inject.h"
#include "options.h"
#include "output.h"
#include "target.h"

static const char help[] =
	"Examples:\n"
	"  eval \"$(portshim env)\"           in sh, bash, zsh\n"
	"  portshim env --format fish | source\n"
	"  portshim env --format dotenv > .env.local\n"
	"\n"
	"Usage: portshim env [OPTION...]\n"
	"\n"
	"Prints the variables that the manifest's services have under \"env\", with the actual port of each\n"
	"service that is assigned, and the requested one of the others. Variables of the array form, like\n"
	"[\"PORT\"], belong to one service: they are printed if there is only one, or for the one that\n"
	"--service names.\n"
	"\n"
	"      --format FORMAT   sh (the default), fish, json or dotenv\n"
	"      --json            the same as --format json\n"
	"      --service NAME    with the variables that are this service's own\n"
	"      --env NAME        the environment of that name instead of the project's\n"
	"      --profile PROFILE the project's environment of that profile\n"
	"      --manifest FILE   this manifest instead of the one found from here upward\n"
	"  -h, --help            this text\n"
	"\n"
	"Exit status: 0, 1 if there is no such variable, 2 usage, 3 system.\n";

enum format { SH, FISH, JSON, DOTENV };

struct printer {
	enum format format;
	const struct ps_manifest *manifest;
	cJSON *variables;
	struct ps_error error;
};

/* What is assigned, in a form that most services can be held against quickly: names, and ports without a name. */
struct assigned {
	const char **names; /* sorted */
	size_t count;
	uint64_t ports[PS_BITMAP_WORDS];
};

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool collect(struct assigned *assigned, const struct ps_state_now *state)
{
	*assigned = (struct assigned){.names = calloc(state->count + 1, sizeof(*assigned->names))};
	for (size_t i = 0; assigned->names && i < state->count; i++) {
		const struct ps_assignment *a = &state->list[i];

		if (a->service[0])
			assigned->names[assigned->count++] = a->service;
		else
			bitmap_set(assigned->ports, a->requested);
	}
	if (assigned->count)
		qsort(assigned->names, assigned->count, sizeof(*assigned->names), compare_text);
	return assigned->names;
}

/* False if the service, which is from no other project, has no assignment for sure (target_matches). */
static bool may_be_assigned(const struct assigned *assigned, const struct ps_target *target, const struct ps_wanted *w)
{
	const char *name = w->name;

	if (assigned->count && bsearch(&name, assigned->names, assigned->count, sizeof(name), compare_text))
		return true;
	if (target->plan && w->index != PS_NO_SERVICE) {
		const struct ps_service *s = plan_service(target->plan, w->index);

		for (uint16_t i = 0; i < s->port_count; i++)
			if (bitmap_get(assigned->ports, plan_ports(target->plan, s)[i]))
				return true;
	}
	return false;
}

/* Each service's first port becomes its actual one. False if memory ran out. */
static bool set_actual(const struct ps_target *target, const struct ps_state_now *state)
{
	const struct ps_manifest *manifest = target->project.manifest;
	struct ps_error ignored = {0};
	struct assigned assigned;

	if (!collect(&assigned, state))
		return false;
	for (size_t i = 0; i < manifest->service_count; i++) {
		struct ps_manifest_service *s = &manifest->services[i];
		const struct ps_assignment *a;
		struct ps_wanted wanted;

		if (s->port_count == 0 || s->external)
			continue;
		if (target_wanted(target, state, s->name, &wanted, &ignored) ||
		    (!wanted.from_count && !may_be_assigned(&assigned, target, &wanted)))
			continue;
		a = target_find(target, state, &wanted);
		if (a)
			s->ports[0] = a->actual;
	}
	free(assigned.names);
	return true;
}

/* Everything inside single quotes is itself, in sh; the quote has to leave them. */
static void print_sh(const char *name, const char *value)
{
	printf("export %s='", name);
	for (; *value; value++) {
		if (*value == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*value);
	}
	puts("'");
}

/* In fish the backslash escapes itself and the quote inside single quotes. */
static void print_fish(const char *name, const char *value)
{
	printf("set -gx %s '", name);
	for (; *value; value++) {
		if (*value == '\'' || *value == '\\')
			putchar('\\');
		putchar(*value);
	}
	puts("'");
}

static void print_dotenv(const char *name, const char *value)
{
	printf("%s=\"", name);
	for (; *value; value++) {
		if (*value == '\n') {
			fputs("\\n", stdout);
			continue;
		}
		if (strchr("\"\\$`", *value))
			putchar('\\');
		putchar(*value);
	}
	puts("\"");
}

static bool print_one(struct printer *p, const struct ps_injected *variable)
{
	const char *name = variable->env->name;
	char *value = manifest_expand(p->manifest, variable->service, variable->env->template, &p->error);

	if (!value)
		return false;
	switch (p->format) {
	case SH:
		print_sh(name, value);
		break;
	case FISH:
		print_fish(name, value);
		break;
	case DOTENV:
		print_dotenv(name, value);
		break;
	case JSON:
		output_json_text(p->variables, name, value);
		break;
	}
	free(value);
	return true;
}

/* The exit code. What is set here already does not matter: the user may want to renew it. */
static int print_all(struct printer *p, const struct ps_manifest_service *own)
{
	struct ps_injected *variables;
	size_t count;

	variables = inject_variables(p->manifest, own, NULL, &count);
	if (!variables)
		return error_set(&p->error, PS_EXIT_SYSTEM, "out of memory");
	for (size_t i = 0; i < count && print_one(p, &variables[i]); i++)
		;
	free(variables);
	return p->error.code ? p->error.code : count ? PS_EXIT_YES : PS_EXIT_NO;
}

static int print(const struct ps_target *target, const struct ps_manifest_service *own, enum format format)
{
	struct printer p = {.format = format, .manifest = target->project.manifest};
	cJSON *json = NULL;
	int code;

	if (format == JSON) {
		json = output_json_start();
		if (json) {
			output_json_text(json, "environment", target->name);
			p.variables = cJSON_AddObjectToObject(json, "variables");
		}
	}
	if (format == JSON && !p.variables) {
		code = error_set(&p.error, PS_EXIT_SYSTEM, "out of memory");
		goto out;
	}
	code = print_all(&p, own);
	if (format == JSON && code <= PS_EXIT_NO) {
		code = output_json_print(json, code);
		json = NULL;
	}
	if (code == PS_EXIT_NO)
		fprintf(stderr, "portshim: no service of %s has a variable under \"env\"\n", target->manifest);
out:
	if (code > PS_EXIT_NO && p.error.text[0])
		error_print(&p.error);
	cJSON_Delete(json);
	return code;
}

/* -1: there is no such format. */
static int parse_format(const char *text, bool json)
{
	static const char *const formats[] = {[SH] = "sh", [FISH] = "fish", [JSON] = "json", [DOTENV] = "dotenv"};
	const char *near;

	if (!text)
		return json ? JSON : SH;
	for (int i = SH; i <= DOTENV; i++)
		if (strcmp(formats[i], text) == 0)
			return i;
	near = error_suggest(text, formats, 4);
	if (near)
		command_usage(&command_env, "there is no format `%s`; did you mean `%s`?", text, near);
	else
		command_usage(&command_env, "there is no format `%s`; there are sh, fish, json and dotenv", text);
	return -1;
}

static int prepare(struct ps_target *target, struct ps_state_now *state, const char *named,
		   const struct ps_manifest_service **own, struct ps_error *error)
{
	char empty[] = "";
	char *const nothing[] = {empty, NULL};
	struct ps_wanted wanted;
	int code;

	if (!target->project.manifest) {
		error_set(error, PS_EXIT_NO, "there is no manifest here, so no service has variables");
		error_hint(error, "services are declared in ports.manifest.json; see portshim-manifest(5)");
		return PS_EXIT_NO;
	}
	if (named) {
		code = target_wanted(target, state, named, &wanted, error);
		if (code)
			return code;
		if (wanted.by_number)
			named = wanted.name;
	}
	code = inject_choose(target->project.manifest, named, nothing, own, error);
	if (code)
		return error->code = PS_EXIT_USAGE;
	return set_actual(target, state) ? 0 : error_set(error, PS_EXIT_SYSTEM, "out of memory");
}

static int run(int argc, char **argv)
{
	struct ps_project_options project = {0};
	const struct ps_manifest_service *own = NULL;
	struct ps_target target = {0};
	struct ps_state_now state = {0};
	struct ps_error error = {0};
	const char *format_name = NULL, *service = NULL;
	bool json = false;
	const struct ps_option options[] = {
		{.name = "format", .argument = "FORMAT", .value = &format_name},
		{.name = "json", .flag = &json},
		{.name = "service", .argument = "NAME", .value = &service},
		{.name = "env", .argument = "NAME", .value = &project.env},
		{.name = "profile", .argument = "PROFILE", .value = &project.profile},
		{.name = "manifest", .argument = "FILE", .value = &project.manifest},
		{.name = NULL},
	};
	int code, format;

	if (!options_parse(&command_env, options, 0, &argc, &argv, &code))
		return code;
	if (argc > 0)
		return command_usage(&command_env, "no operand is wanted, but there is `%s`", argv[0]);
	format = parse_format(format_name, json);
	if (format < 0)
		return PS_EXIT_USAGE;
	code = target_open(&target, &project, &error);
	if (!code)
		code = target_state(&target, &state, &error);
	if (!code)
		code = detected_add(&target, &state, &error);
	if (!code)
		code = prepare(&target, &state, service, &own, &error);
	if (code)
		error_print(&error);
	else
		code = print(&target, own, (enum format)format);
	target_close(&target);
	state_free(&state);
	return code;
}

const struct ps_command command_env = {
	.name = "env",
	.summary = "The manifest's variables with the actual ports, for a shell",
	.help = help,
	.run = run,
};
