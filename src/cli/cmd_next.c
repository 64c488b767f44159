/*
 * cmd_next.c - `portshim next RULE`: the next free number for a new service, by the project's rules.
 *
 * Theory of operation: counting goes up from the rule's base, past what the rule avoids, what any known project
 * declares under any of its profiles, what was handed out, what is nobody's to hand out (well-known ports, and those
 * that browsers refuse), and what a process holds now. Then the number is taken in the state directory (numbers.c),
 * which only one process can do; who was second goes on counting. The manifest is for its people to write.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <portshim/candidates.h>
#include <portshim/kernel.h>

#include "../known/numbers.h"
#include "command.h"
#include "options.h"
#include "output.h"
#include "project.h"

struct next {
	struct ps_project project;
	struct ps_known_list known;
	const struct ps_manifest_allocate *rule;
	const char *whose; /* the project that the rule is from, if it is not the own one */
	uint64_t taken[PS_BITMAP_WORDS];
	bool dry_run, json, quiet;
};

/* ---- the rule ---- */

static const struct ps_manifest_allocate *rule_of(const struct ps_manifest *manifest, const char *name)
{
	for (size_t i = 0; manifest && i < manifest->allocation_count; i++)
		if (strcmp(manifest->allocations[i].name, name) == 0)
			return &manifest->allocations[i];
	return NULL;
}

static bool same_rule(const struct ps_manifest_allocate *a, const struct ps_manifest_allocate *b)
{
	return a->base == b->base && a->avoid_count == b->avoid_count &&
	       (a->avoid_count == 0 || memcmp(a->avoid, b->avoid, a->avoid_count * sizeof(*a->avoid)) == 0);
}

static int no_rule(const struct next *n, const char *name, struct ps_error *error)
{
	const struct ps_manifest *m = n->project.manifest;
	const char **names = calloc((m ? m->allocation_count : 0) + 1, sizeof(const char *)), *near = NULL;
	char list[512] = "", clean[80];

	for (size_t i = 0; names && m && i < m->allocation_count; i++) {
		size_t used = strlen(list);

		names[i] = m->allocations[i].name;
		snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "", names[i]);
	}
	if (names && m)
		near = error_suggest(name, names, (unsigned)m->allocation_count);
	error_set(error, PS_EXIT_USAGE, "no rule \"%s\" is in \"allocate\" of this manifest, or of a known project's",
		  output_clean(clean, sizeof(clean), name));
	if (near)
		error_hint(error, "did you mean `%s`?", near);
	else if (list[0])
		error_hint(error, "there are %s", list);
	else
		error_hint(error, "write \"allocate\": { \"%s\": { \"base\": 4000 } } into the manifest", clean);
	free(names);
	return error->code;
}

/* The own project's; else that of the known projects, if those that have one agree: so a new project can ask. */
static int find_rule(struct next *n, const char *name, struct ps_error *error)
{
	n->rule = rule_of(n->project.manifest, name);
	for (size_t i = 0; !n->rule && i < n->known.count; i++) {
		const struct ps_manifest_allocate *rule = rule_of(n->known.list[i].manifest, name);

		if (!rule)
			continue;
		for (size_t k = i + 1; k < n->known.count; k++) {
			const struct ps_manifest_allocate *other = rule_of(n->known.list[k].manifest, name);

			if (!other || same_rule(rule, other))
				continue;
			error_set(error, PS_EXIT_USAGE, "%s and %s have different rules \"%s\", and this project has none",
				  n->known.list[i].project, n->known.list[k].project, name);
			return error_hint(error, "write the right one into \"allocate\" of this project's manifest");
		}
		n->rule = rule;
		n->whose = n->known.list[i].project;
	}
	return n->rule ? 0 : no_rule(n, name, error);
}

/* ---- the number ---- */

static bool note_held(const struct ps_listener *listener, void *context)
{
	bitmap_set(context, listener->port);
	return true;
}

/* What the own manifest declares, also where the project could not be noted as known. */
static void note_own(struct next *n)
{
	struct ps_manifest *manifest = NULL;
	struct ps_error ignored = { 0 };

	if (n->project.manifest_path[0] &&
	    manifest_load(&manifest, n->project.manifest_path, NULL, NULL, &ignored) == 0)
		numbers_declared(n->project.manifest_path, manifest, n->taken);
	manifest_free(manifest);
}

/* 0 with the number, or the error's code. */
static int find_number(struct next *n, uint16_t *port, struct ps_error *error)
{
	numbers_taken(&n->known, n->taken);
	note_own(n);
	for (size_t i = 0; i < n->rule->avoid_count; i++)
		bitmap_set(n->taken, n->rule->avoid[i]);
	if (kernel_listeners(0, PS_TCP | PS_UDP, note_held, n->taken) < 0 && !n->quiet)
		fputs("portshim: the kernel cannot be asked what is held now; only what is declared is avoided\n",
		      stderr);
	for (unsigned p = n->rule->base; p < PS_PORTS; p++) {
		int result;

		if (bitmap_get(n->taken, (uint16_t)p) || candidates_reserved((uint16_t)p))
			continue;
		*port = (uint16_t)p;
		result = n->dry_run ? 0 : numbers_take(*port, n->project.directory, n->rule->name);
		if (result == 0)
			return 0;
		if (result == -EEXIST)
			continue;
		error_set(error, PS_EXIT_SYSTEM, "%u is free, but cannot be recorded: %s", p, strerror(-result));
		return error_hint(error, "PORTSHIM_STATE_DIR names a directory that can be written");
	}
	return error_set(error, PS_EXIT_NO, "from %u on, no number is free", n->rule->base);
}

static int hand_out(struct next *n, const char *name, struct ps_error *error)
{
	const struct ps_project_options none = { 0 };
	uint16_t port = 0;
	cJSON *json;

	if (project_find(&n->project, &none, error) || known_read(&n->known, error) || find_rule(n, name, error) ||
	    find_number(n, &port, error))
		return error->code;
	if (n->json) {
		json = output_json_start();
		output_json_text(json, "rule", n->rule->name);
		cJSON_AddNumberToObject(json, "port", port);
		cJSON_AddBoolToObject(json, "recorded", !n->dry_run);
		return output_json_print(json, PS_EXIT_YES);
	}
	printf("%u\n", port);
	if (!n->quiet && n->whose)
		fprintf(stderr, "portshim: by the rule of %s\n", n->whose);
	if (!n->quiet && !n->dry_run)
		fprintf(stderr, "portshim: %u is yours; write it into the manifest, or give it back: `portshim next "
				"--release %u`\n", port, port);
	return PS_EXIT_YES;
}

/* ---- what was handed out ---- */

static int list(bool as_json)
{
	static const char *const heads[] = { "PORT", "RULE", "PROJECT", "AGE" };
	size_t count;
	struct ps_number *numbers = numbers_list(&count);
	cJSON *json = as_json ? output_json_start() : NULL, *array = cJSON_AddArrayToObject(json, "numbers");
	int code = count ? PS_EXIT_YES : PS_EXIT_NO;
	time_t now = time(NULL);
	struct ps_table table;

	output_table_start(&table, heads, 4);
	for (size_t i = 0; i < count; i++) {
		const struct ps_number *number = &numbers[i];
		char path[PS_PATH_MAX], age[24];
		cJSON *entry;

		if (!as_json) {
			output_table_cell(&table, PS_BOLD, "%u", number->port);
			output_table_cell(&table, PS_PLAIN, "%s", number->rule);
			output_table_cell(&table, PS_PLAIN, "%s", output_path(path, sizeof(path), number->directory));
			output_table_cell(&table, PS_DIM, "%s",
					  output_age(age, now > number->since ? (uint64_t)(now - number->since) : 0));
			continue;
		}
		entry = cJSON_CreateObject();
		cJSON_AddNumberToObject(entry, "port", number->port);
		output_json_text(entry, "rule", number->rule);
		output_json_text(entry, "directory", number->directory);
		cJSON_AddNumberToObject(entry, "since", (double)number->since);
		cJSON_AddItemToArray(array, entry);
	}
	if (as_json)
		code = output_json_print(json, code);
	else if (count)
		output_table_print(&table, stdout);
	else
		fputs("portshim: no number was handed out\n", stderr);
	free(numbers);
	return code;
}

static int release(const char *text)
{
	struct ps_error error = { 0 };
	char *end;
	unsigned long port = strtoul(text, &end, 10);
	int result;

	if (*end || end == text || text[0] < '0' || text[0] > '9' || port < 1 || port > 65535)
		return command_usage(&command_next, "--release %s: this is no port", text);
	result = numbers_release((uint16_t)port);
	if (!result)
		return PS_EXIT_YES;
	error_set(&error, result == -ENOENT ? PS_EXIT_NO : PS_EXIT_SYSTEM,
		  result == -ENOENT ? "%lu was not handed out" : "%lu cannot be given back: %s", port,
		  strerror(-result));
	if (result == -ENOENT)
		error_hint(&error, "`portshim next --list` has those that were");
	return error_print(&error);
}

static int run(int argc, char **argv)
{
	struct next *n = calloc(1, sizeof(*n));
	struct ps_error error = { 0 };
	const char *given_back = NULL;
	bool all = false;
	int code = PS_EXIT_SYSTEM;
	const struct ps_option options[] = {
		{ .name = "list", .flag = &all },
		{ .name = "release", .argument = "PORT", .value = &given_back },
		{ .name = "dry-run", .flag = n ? &n->dry_run : NULL },
		{ .name = "json", .flag = n ? &n->json : NULL },
		{ .name = "quiet", .letter = 'q', .flag = n ? &n->quiet : NULL },
		{ .name = NULL },
	};

	if (!n) {
		error_set(&error, PS_EXIT_SYSTEM, "out of memory");
		return error_print(&error);
	}
	if (!options_parse(&command_next, options, 0, &argc, &argv, &code))
		goto out;
	if (argc > 1 || (argc == 1) == (all || given_back) || (all && given_back)) {
		code = command_usage(&command_next, argc ? "one rule at a time" : "which rule? those in \"allocate\" of the "
									     "manifest can be named");
		goto out;
	}
	if (all) {
		code = list(n->json);
	} else if (given_back) {
		code = release(given_back);
	} else {
		code = hand_out(n, argv[0], &error);
		if (error.code)
			error_print(&error);
	}
out:
	known_free(&n->known);
	project_free(&n->project);
	free(n);
	return code;
}

const struct ps_command command_next = {
	.name = "next",
	.summary = "The next free number for a new service",
	.help = "Examples:\n"
		"  portshim next backend            a number by the rule \"backend\" in \"allocate\" of the manifest\n"
		"  portshim next --dry-run backend  which one it would be\n"
		"  portshim next --list             what was handed out, to whom\n"
		"  portshim next --release 4003     give one back\n"
		"\n"
		"Usage: portshim next [--dry-run] [--json] [--quiet] RULE\n"
		"       portshim next --list [--json] | --release PORT\n"
		"\n"
		"Counts up from the rule's base, past its \"avoid\", the ports that any known project declares under\n"
		"any profile, those that were handed out, and those that a process holds; prints the number and\n"
		"records it, so that nobody gets it twice. A project without the rule uses that of the known\n"
		"projects, if they agree.\n"
		"\n"
		"      --dry-run       record nothing\n"
		"      --list          list the numbers that were handed out\n"
		"      --release PORT  give a number back\n"
		"      --json          as JSON\n"
		"  -q, --quiet         print the number alone\n"
		"  -h, --help          this text\n"
		"\n"
		"Exit status: 0 a number, 1 none, 2 usage or no such rule, 3 system.\n",
	.run = run,
};
