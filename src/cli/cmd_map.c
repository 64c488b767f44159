/*
 * cmd_map.c - `portshim map`: the ports of all projects, and where two projects want the same one.
 *
 * Theory of operation: every service of every known project (known.h) is a row, and one more for each profile under
 * which it has another port. A conflict is a port that services of two projects call their own, under whichever
 * profiles, by a common protocol; two checkouts of one project (the same name) are no conflict, and neither is a
 * service that is external or another project's: such a row is a reference. What is true now stands beside it: where
 * portshim put the service, in whichever checkout, else who holds the number; a server of the project itself is
 * "detected".
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <portshim/candidates.h>
#include <portshim/discovery.h>

#include "../known/known.h"
#include "command.h"
#include "detected.h"
#include "holder.h"
#include "options.h"
#include "output.h"
#include "project.h"
#include "show.h"
#include "state.h"

struct row {
	const struct ps_known *project;
	const char *profile; /* "": none */
	const struct ps_manifest_service *service;
	uint16_t port;
	bool conflict;
};

struct map {
	struct ps_known_list known;
	struct ps_state_now state;
	bool has_state;
	struct row *rows; /* by port, then project */
	size_t count;
	size_t conflicts;		 /* ports that are in conflict */
	uint64_t held[PS_BITMAP_WORDS]; /* somebody has it, says the kernel */
};

static int by_port(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->port != y->port)
		return (x->port > y->port) - (x->port < y->port);
	if (x->project != y->project)
		return (x->project > y->project) - (x->project < y->project);
	if (strcmp(x->profile, y->profile) != 0)
		return strcmp(x->profile, y->profile);
	return (x->service > y->service) - (x->service < y->service);
}

/* ---- rows ---- */

/* True if the service has the port, and is as much its own, in a checkout under a profile. */
static bool says(const struct ps_known *k, const char *profile, const struct row *row)
{
	const struct ps_manifest *manifest = known_view(k, profile);
	const struct ps_manifest_service *s = manifest ? manifest_service(manifest, row->service->name) : NULL;

	return s && s->port_count && s->ports[0] == row->port && s->external == row->service->external;
}

/* Two checkouts of one project say the same; a profile says the same as the manifest without one. */
static bool is_repeated(const struct map *map, const struct row *row)
{
	const struct ps_known *k = row->project;

	if (row->profile[0] && says(k, "", row))
		return true;
	for (; k > map->known.list && strcmp(k[-1].project, row->project->project) == 0; k--)
		if (says(k - 1, row->profile, row))
			return true;
	return false;
}

static bool add_view(struct map *map, const struct ps_known *k, const char *profile)
{
	const struct ps_manifest *manifest = known_view(k, profile);
	struct row *rows;

	if (!manifest || !manifest->service_count)
		return true;
	rows = realloc(map->rows, (map->count + manifest->service_count) * sizeof(*rows));
	if (!rows)
		return false;
	map->rows = rows;
	for (size_t s = 0; s < manifest->service_count; s++) {
		const struct ps_manifest_service *service = &manifest->services[s];
		struct row row = { k, profile, service, service->port_count ? service->ports[0] : 0, false };

		if (row.port && !is_repeated(map, &row))
			map->rows[map->count++] = row;
	}
	return true;
}

static bool collect(struct map *map)
{
	for (size_t i = 0; i < map->known.count; i++) {
		const struct ps_known *k = &map->known.list[i];

		if (!add_view(map, k, ""))
			return false;
		for (size_t p = 0; k->manifest && p < k->manifest->profile_count; p++)
			if (!add_view(map, k, k->manifest->profiles[p]))
				return false;
	}
	if (map->count)
		qsort(map->rows, map->count, sizeof(*map->rows), by_port);
	return true;
}

static unsigned protocols(const struct ps_manifest_service *service)
{
	return service->protocols ? service->protocols : PS_TCP | PS_UDP;
}

static bool collide(const struct row *a, const struct row *b)
{
	return known_owns(a->service) && known_owns(b->service) && protocols(a->service) & protocols(b->service) &&
	       strcmp(a->project->project, b->project->project) != 0;
}

static void find_conflicts(struct map *map)
{
	for (size_t i = 0, next; i < map->count; i = next) {
		bool any = false;

		for (next = i + 1; next < map->count && map->rows[next].port == map->rows[i].port;)
			next++;
		for (size_t a = i; a < next; a++)
			for (size_t b = i; b < next && !map->rows[a].conflict; b++)
				any |= map->rows[a].conflict = collide(&map->rows[a], &map->rows[b]);
		map->conflicts += any;
	}
}

/* ---- now ---- */

static bool note_held(const struct ps_listener *listener, void *context)
{
	bitmap_set(context, listener->port);
	return true;
}

/* Of two for one row: the one that listens, then the earlier one. */
static const struct ps_assignment *better(const struct ps_assignment *a, const struct ps_assignment *b)
{
	return !a || (b && b->state == PS_LISTENING && a->state != PS_LISTENING) ? b : a;
}

static const struct ps_assignment *in_environment(const struct map *map, uint16_t port, const char *directory,
						  const char *profile)
{
	const struct ps_assignment *found = NULL;

	for (size_t i = 0; map->has_state && i < map->state.count; i++) {
		const struct ps_assignment *a = &map->state.list[i];

		if (a->env && a->requested == port && a->first && strcmp(a->env->profile, profile) == 0 &&
		    strcmp(a->env->directory, directory) == 0)
			found = better(found, a);
	}
	return found;
}

/* Another project's service is where a checkout of that project has it, as known_follow would find it. */
static const struct ps_assignment *followed(const struct map *map, const struct row *row)
{
	const struct ps_assignment *found = NULL;
	struct ps_known_source source;

	for (size_t nth = 0; nth < KNOWN_SOURCES &&
			     known_source(&map->known, row->service->from, row->profile, nth, &source); nth++)
		if (source.service)
			found = better(found, in_environment(map, manifest_root(source.manifest, source.service)->ports[0],
							     source.project->directory, source.profile));
	return found;
}

/* In any checkout that says the same, under the row's profile or one that is in no row. */
static const struct ps_assignment *assigned(const struct map *map, const struct row *row)
{
	const struct ps_assignment *found = NULL;

	if (row->service->from)
		return followed(map, row);
	for (size_t i = 0; i < map->known.count; i++) {
		const struct ps_known *k = &map->known.list[i];

		if (!k->manifest || strcmp(k->project, row->project->project) != 0 || !says(k, row->profile, row))
			continue;
		found = better(found, in_environment(map, row->port, k->directory, row->profile));
		for (size_t p = 0; !row->profile[0] && p < k->manifest->profile_count; p++)
			if (says(k, k->manifest->profiles[p], row))
				found = better(found, in_environment(map, row->port, k->directory,
								     k->manifest->profiles[p]));
	}
	return found;
}

/* Where the row's service runs without portshim, on one of its ports; 0: nowhere. */
static uint16_t detected(const struct map *map, const struct row *row, struct ps_holder *holder)
{
	for (size_t i = 0; known_owns(row->service) && i < row->service->port_count; i++) {
		uint16_t port = row->service->ports[i];

		if (bitmap_get(map->held, port) &&
		    (!map->has_state || head_state(host_head(map->state.host, port)) == PS_FREE) &&
		    holder_find(port, protocols(row->service), holder) && holder->pid &&
		    detected_belongs(holder->directory, row->project->directory))
			return port;
	}
	return 0;
}

/* "on 23107", "detected on 3001: node, pid 812", "held by node, pid 812, ~/shop", or "". `text` holds PS_HOLDER_PHRASE
 * bytes. */
static const char *describe_now(const struct map *map, const struct row *row, char *text)
{
	const struct ps_assignment *a = assigned(map, row);
	struct ps_holder holder;
	char command[64];
	uint16_t port;

	text[0] = '\0';
	if (a && (row->service->from || strcmp(a->env->profile, row->profile) != 0))
		snprintf(text, PS_HOLDER_PHRASE, "on %u, %.64s", a->actual, a->env->name);
	else if (a)
		snprintf(text, PS_HOLDER_PHRASE, "on %u", a->actual);
	else if ((port = detected(map, row, &holder)))
		snprintf(text, PS_HOLDER_PHRASE, "detected on %u: %s, pid %d", port,
			 output_clean(command, sizeof(command), holder.command[0] ? holder.command : "a process"),
			 holder.pid);
	else if (bitmap_get(map->held, row->port) && holder_find(row->port, protocols(row->service), &holder))
		holder_phrase(&holder, text);
	return text;
}

/* ---- output ---- */

static void print_table(const struct map *map)
{
	static const char *const heads[] = { "PORT", "PROJECT", "SERVICE", "KIND", "NOW", "" };
	struct ps_table table;

	output_table_start(&table, heads, 6);
	for (size_t i = 0; i < map->count; i++) {
		const struct row *row = &map->rows[i];
		const struct ps_manifest_service *s = row->service;
		char now[PS_HOLDER_PHRASE];

		describe_now(map, row, now);
		output_table_cell(&table, row->conflict ? PS_RED : PS_BOLD, "%u", row->port);
		output_table_cell(&table, PS_PLAIN, "%s%s%s", row->project->project, row->profile[0] ? ":" : "",
				  row->profile);
		output_table_cell(&table, PS_PLAIN, "%s", s->name);
		output_table_cell(&table, PS_DIM, "%s%s", s->external ? "external" : s->from ? "from " : "own",
				  s->from ? s->from : "");
		output_table_cell(&table, PS_PLAIN, "%s", now[0] ? now : "-");
		output_table_cell(&table, PS_RED, "%s", row->conflict ? "conflict" : "");
	}
	if (map->count)
		output_table_print(&table, stdout);
}

/* What is wrong, with where to go. */
static void print_talk(const struct map *map)
{
	char path[PS_PATH_MAX];

	for (size_t i = 0; i < map->known.count; i++) {
		const struct ps_known *k = &map->known.list[i];

		if (!k->manifest)
			fprintf(stderr, "portshim: %s is left out: its manifest is wrong; see `portshim validate %s`\n",
				k->project, output_path(path, sizeof(path), k->path));
	}
	for (size_t i = 0; i < map->count; i++) {
		const struct row *row = &map->rows[i];

		if (row->conflict)
			fprintf(stderr, "portshim: %u is %s's %s%s%s, in %s\n", row->port, row->project->project,
				row->service->name, row->profile[0] ? " under the profile " : "", row->profile,
				output_path(path, sizeof(path), row->project->directory));
	}
	if (map->conflicts)
		fprintf(stderr, "hint: give all but one of them another number: `portshim next` finds a free one\n");
}

static cJSON *row_json(const struct map *map, const struct row *row)
{
	const struct ps_assignment *a = assigned(map, row);
	struct ps_holder holder;
	uint16_t port;
	cJSON *entry = cJSON_CreateObject();

	cJSON_AddNumberToObject(entry, "port", row->port);
	output_json_text(entry, "project", row->project->project);
	output_json_text(entry, "directory", row->project->directory);
	output_json_text(entry, "profile", row->profile);
	output_json_text(entry, "service", row->service->name);
	cJSON_AddBoolToObject(entry, "external", row->service->external);
	if (row->service->from)
		output_json_text(entry, "from", row->service->from);
	if (a) {
		cJSON_AddNumberToObject(entry, "actual", a->actual);
		output_json_text(entry, "environment", a->env->name);
	} else if ((port = detected(map, row, &holder))) {
		cJSON_AddNumberToObject(entry, "actual", port);
		cJSON_AddStringToObject(entry, "reason", discovery_reason(PS_REASON_DETECTED));
		cJSON_AddNumberToObject(entry, "process_id", holder.pid);
		output_json_text(entry, "command", holder.command);
	}
	cJSON_AddBoolToObject(entry, "held", bitmap_get(map->held, row->port));
	cJSON_AddBoolToObject(entry, "conflict", row->conflict);
	return entry;
}

static cJSON *as_json(const struct map *map)
{
	cJSON *json = output_json_start(), *projects = cJSON_AddArrayToObject(json, "projects");
	cJSON *ports = cJSON_AddArrayToObject(json, "ports"), *conflicts = cJSON_AddArrayToObject(json, "conflicts");

	for (size_t i = 0; i < map->known.count; i++) {
		const struct ps_known *k = &map->known.list[i];
		cJSON *entry = cJSON_CreateObject();

		output_json_text(entry, "name", k->project);
		output_json_text(entry, "directory", k->directory);
		output_json_text(entry, "manifest", k->path);
		cJSON_AddNumberToObject(entry, "used", (double)k->used.tv_sec);
		if (k->problem)
			output_json_text(entry, "error", k->problem);
		cJSON_AddItemToArray(projects, entry);
	}
	for (size_t i = 0; i < map->count; i++) {
		const struct row *row = &map->rows[i];

		cJSON_AddItemToArray(ports, row_json(map, row));
		if (row->conflict && (i == 0 || !map->rows[i - 1].conflict || map->rows[i - 1].port != row->port))
			cJSON_AddItemToArray(conflicts, cJSON_CreateNumber(row->port));
	}
	return json;
}

/* ---- the command ---- */

static int scan(const char *directory)
{
	long found = known_scan(directory);
	struct ps_error error = { 0 };

	if (found > 0)
		return 0;
	if (found == 0) {
		fprintf(stderr, "portshim: there is no ports.manifest.json below %s\n", directory);
		return 0;
	}
	error_set(&error, PS_EXIT_SYSTEM, "cannot read the directory %s: %s", directory, strerror((int)-found));
	return error_print(&error);
}

static int forget(const char *name)
{
	struct ps_known_list known;
	struct ps_error error = { 0 };
	unsigned count = 0;

	if (known_read(&known, &error))
		return error_print(&error);
	for (size_t i = 0; i < known.count; i++)
		if (strcmp(known.list[i].project, name) == 0 || strcmp(known.list[i].directory, name) == 0)
			count += known_forget(known.list[i].path) == 0;
	known_free(&known);
	if (count)
		return 0;
	error_set(&error, PS_EXIT_NO, "no known project has the name or the directory %s", name);
	error_hint(&error, "`portshim map --json` lists them");
	return error_print(&error);
}

static int show(bool as_program)
{
	struct map *map = calloc(1, sizeof(*map));
	struct ps_error error = { 0 }, ignored = { 0 };
	int code;

	if (!map) {
		error_set(&error, PS_EXIT_SYSTEM, "out of memory");
		return error_print(&error);
	}
	code = known_read(&map->known, &error);
	if (!code && !collect(map))
		code = error_set(&error, PS_EXIT_SYSTEM, "out of memory");
	if (code) {
		error_print(&error);
		goto out;
	}
	find_conflicts(map);
	/* Without a runtime directory nothing runs; the map is there all the same. */
	map->has_state = state_read(&map->state, NULL, 0, &ignored) == 0;
	kernel_listeners(0, PS_TCP | PS_UDP, note_held, map->held);
	code = map->conflicts ? PS_EXIT_NO : PS_EXIT_YES;
	if (as_program) {
		code = output_json_print(as_json(map), code);
	} else {
		if (!map->known.count) {
			fputs("portshim: no project is known yet\nhint: one is once a command of portshim was used in "
			      "it; `portshim map --dir DIR` looks for manifests\n", stderr);
			code = PS_EXIT_NO;
		}
		print_table(map);
		print_talk(map);
	}
out:
	state_free(&map->state);
	known_free(&map->known);
	free(map->rows);
	free(map);
	return code;
}

static int run(int argc, char **argv)
{
	struct ps_option_list directories = { .count = 0 }, forgotten = { .count = 0 };
	bool json = false;
	const struct ps_option options[] = {
		{ .name = "dir", .argument = "DIR", .list = &directories },
		{ .name = "forget", .argument = "PROJECT", .list = &forgotten },
		{ .name = "json", .flag = &json },
		{ .name = NULL },
	};
	char path[PS_PATH_MAX];
	struct ps_error ignored = { 0 };
	int code = 0;

	if (!options_parse(&command_map, options, 0, &argc, &argv, &code))
		return code;
	if (argc > 0)
		return command_usage(&command_map, "there is nothing to name; --dir DIR looks for manifests");
	if (project_manifest(path, NULL, &ignored) == 0 && path[0])
		known_note(path);
	for (unsigned i = 0; !code && i < directories.count; i++)
		code = scan(directories.value[i]);
	for (unsigned i = 0; !code && i < forgotten.count; i++)
		code = forget(forgotten.value[i]);
	return code ? code : show(json);
}

const struct ps_command command_map = {
	.name = "map",
	.summary = "The ports of all projects, and where they are in each other's way",
	.help = "Examples:\n"
		"  portshim map                 all projects in which portshim was used\n"
		"  portshim map --dir ~/src     and all that have a manifest there\n"
		"  portshim map --json | jq .conflicts\n"
		"\n"
		"Usage: portshim map [--dir DIR]... [--forget PROJECT]... [--json]\n"
		"\n"
		"One table of all known projects' services by port: whose they are, where they are now or who\n"
		"holds the number, and which ports two projects want for themselves. PROJECT:PROFILE is what a\n"
		"profile has otherwise. A project is known once a command of portshim was used in it. Two\n"
		"checkouts of one project count as one.\n"
		"\n"
		"      --dir DIR         look for manifests below DIR first; what is found stays known\n"
		"      --forget PROJECT  forget a project, by name or directory\n"
		"      --json            as JSON\n"
		"  -h, --help            this text\n"
		"\n"
		"Exit status: 0 no conflicts, 1 conflicts, or no project is known, 2 usage, 3 system.\n",
	.run = run,
};
