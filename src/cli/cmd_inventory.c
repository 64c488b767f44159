/*
 * cmd_inventory.c - `portshim inventory`: the ports in the code, beside those of the manifest and of the machine.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../inventory/inventory.h"
#include "command.h"
#include "options.h"
#include "output.h"
#include "show.h"

static const char help[] =
	"Examples:\n"
	"  portshim inventory                   every port in this directory's code, and who listens\n"
	"  portshim inventory --undeclared src  only what the manifest does not know\n"
	"  portshim inventory --json | jq -r '.uses[] | \"\\(.file):\\(.line) \\(.port)\"'\n"
	"\n"
	"Usage: portshim inventory [OPTION...] [DIR]\n"
	"\n"
	"Finds the ports that stand in code and configuration files, with file, line and column, the kind of use\n"
	"(listen, connect, url, mapping, default, config) and the service of the manifest that has the number. Beside\n"
	"them, every listener of the machine with its process, and where the two disagree. Files that git ignores,\n"
	"lock files, minified code, binaries and documentation are not looked at.\n"
	"\n"
	"      --undeclared     only ports that no service of the manifest has\n"
	"      --manifest FILE  this manifest instead of the one found from DIR upward\n"
	"      --json           as JSON\n"
	"  -q, --quiet          no summary and no progress\n"
	"  -h, --help           this text\n"
	"\n"
	"Exit status: 0 if every port is declared and nothing disagrees, 1 if not, 2 usage, 3 system.\n";

struct view {
	struct ps_inventory inventory;
	const char *prefix; /* of paths, as the operand has it */
	bool undeclared, json, quiet;
};

static bool is_shown(const struct view *w, const struct ps_found *f)
{
	return !w->undeclared || f->standing == PS_STANDING_UNDECLARED;
}

/* The path as it is seen from where the command was given. */
static const char *path_of(const struct view *w, const char *file, char *text, size_t size)
{
	size_t length = w->prefix ? strlen(w->prefix) : 0;

	while (length > 1 && w->prefix[length - 1] == '/')
		length--;
	if (length == 0 || (length == 1 && w->prefix[0] == '.'))
		snprintf(text, size, "%s", file);
	else
		snprintf(text, size, "%.*s/%s", (int)length, w->prefix, file);
	return text;
}

/* ---- for programs ---- */

/* "web", or "web:test" for what it has under a profile only. */
static const char *service_of(const struct ps_declared *d, char *text, size_t size)
{
	snprintf(text, size, "%s%s%s", d->service, d->profile[0] ? ":" : "", d->profile);
	return text;
}

static cJSON *json_use(const struct view *w, const struct ps_found *f)
{
	const struct ps_assignment *own = inventory_own(&w->inventory, f->use.port);
	cJSON *json = cJSON_CreateObject(), *also = cJSON_CreateArray();
	char path[PATH_MAX + PS_PATH_MAX], name[2 * PS_NAME_MAX + 2];

	if (!json || !also) {
		cJSON_Delete(json);
		cJSON_Delete(also);
		return NULL;
	}
	output_json_text(json, "file", path_of(w, f->file, path, sizeof(path)));
	cJSON_AddNumberToObject(json, "line", f->use.line);
	cJSON_AddNumberToObject(json, "column", f->use.column);
	cJSON_AddNumberToObject(json, "offset", f->use.offset);
	cJSON_AddNumberToObject(json, "length", f->use.length);
	cJSON_AddNumberToObject(json, "port", f->use.port);
	cJSON_AddStringToObject(json, "use", scan_use_name(f->use.use));
	cJSON_AddStringToObject(json, "certainty", scan_certainty_name(f->use.certainty));
	cJSON_AddStringToObject(json, "language", scan_language_name(f->use.language));
	cJSON_AddStringToObject(json, "standing", inventory_standing(f->standing));
	if (f->declared) {
		output_json_text(json, "service", f->declared->service);
		output_json_text(json, "profile", f->declared->profile);
		for (const struct ps_declared *d = f->declared; (d = inventory_declared_next(&w->inventory, d));)
			cJSON_AddItemToArray(also, cJSON_CreateString(service_of(d, name, sizeof(name))));
	}
	if (cJSON_GetArraySize(also))
		cJSON_AddItemToObject(json, "also", also);
	else
		cJSON_Delete(also);
	if (f->range)
		output_json_text(json, "in_range_of", f->range->service);
	if (own && !f->use.remote && !f->use.inside)
		cJSON_AddNumberToObject(json, "actual", own->actual);
	return json;
}

static size_t count_uses(const struct view *w, uint16_t port)
{
	size_t n = 0;

	for (size_t i = 0; i < w->inventory.found_count; i++)
		n += w->inventory.found[i].use.port == port && !w->inventory.found[i].use.remote;
	return n;
}

static cJSON *json_listener(const struct view *w, const struct ps_listening *l)
{
	const struct ps_declared *declared = inventory_declared(&w->inventory, l->holder.socket.port);
	const struct ps_assignment *a = inventory_assignment(&w->inventory, l->holder.socket.port);
	cJSON *json = cJSON_CreateObject();

	if (!json)
		return NULL;
	cJSON_AddNumberToObject(json, "port", l->holder.socket.port);
	cJSON_AddStringToObject(json, "protocol", show_protocols(l->protocols));
	cJSON_AddBoolToObject(json, "all_addresses", l->wildcard);
	cJSON_AddNumberToObject(json, "process_id", l->holder.pid);
	output_json_text(json, "command", l->holder.command);
	output_json_text(json, "user", l->holder.user);
	output_json_text(json, "directory", l->holder.directory);
	cJSON_AddNumberToObject(json, "uses",
				(double)count_uses(w, a && a->requested ? a->requested : l->holder.socket.port));
	if (declared)
		output_json_text(json, "service", declared->service);
	if (a) {
		cJSON_AddNumberToObject(json, "requested", a->requested);
		output_json_text(json, "environment", a->env ? a->env->name : "");
	}
	return json;
}

static cJSON *json_disagreement(const struct view *w, const struct ps_disagreement *d)
{
	cJSON *json = cJSON_CreateObject();
	char path[PATH_MAX + PS_PATH_MAX];

	if (!json)
		return NULL;
	cJSON_AddStringToObject(json, "code", d->code);
	cJSON_AddNumberToObject(json, "port", d->port);
	output_json_text(json, "text", d->text);
	if (d->found) {
		output_json_text(json, "file", path_of(w, d->found->file, path, sizeof(path)));
		cJSON_AddNumberToObject(json, "line", d->found->use.line);
		cJSON_AddNumberToObject(json, "column", d->found->use.column);
	}
	return json;
}

static int print_json(const struct view *w, int code)
{
	const struct ps_inventory *v = &w->inventory;
	cJSON *json = output_json_start(), *list;

	if (!json)
		return output_json_print(json, code);
	output_json_text(json, "directory", v->directory);
	output_json_text(json, "manifest", v->manifest);
	list = cJSON_AddArrayToObject(json, "uses");
	for (size_t i = 0; list && i < v->found_count; i++)
		if (is_shown(w, &v->found[i]))
			cJSON_AddItemToArray(list, json_use(w, &v->found[i]));
	list = cJSON_AddArrayToObject(json, "listeners");
	for (size_t i = 0; list && i < v->listeners.count; i++)
		cJSON_AddItemToArray(list, json_listener(w, &v->listeners.list[i]));
	list = cJSON_AddArrayToObject(json, "disagreements");
	for (size_t i = 0; list && i < v->disagreement_count; i++)
		cJSON_AddItemToArray(list, json_disagreement(w, &v->disagreements[i]));
	list = cJSON_AddObjectToObject(json, "summary");
	cJSON_AddNumberToObject(list, "files", (double)v->scanned);
	cJSON_AddNumberToObject(list, "skipped", (double)v->skipped);
	cJSON_AddNumberToObject(list, "uses", (double)v->found_count);
	cJSON_AddNumberToObject(list, "undeclared", (double)v->undeclared);
	cJSON_AddNumberToObject(list, "disagreements", (double)v->disagreement_count);
	return output_json_print(json, code);
}

/* ---- for people ---- */

/* All that have the number. */
static const char *services_of(const struct view *w, const struct ps_declared *d, char *text, size_t size)
{
	char name[2 * PS_NAME_MAX + 2];
	size_t length;

	text[0] = '\0';
	for (; d; d = inventory_declared_next(&w->inventory, d)) {
		length = strlen(text);
		snprintf(text + length, size - length, "%s%s", length ? ", " : "", service_of(d, name, sizeof(name)));
	}
	return text;
}

static void row_use(const struct view *w, struct ps_table *table, const struct ps_found *f)
{
	const struct ps_assignment *own = inventory_own(&w->inventory, f->use.port);
	const struct ps_listening *l = f->use.remote || f->use.inside ? NULL
				       : inventory_listener(&w->inventory, own ? own->actual : f->use.port);
	char path[PATH_MAX + PS_PATH_MAX], name[512];

	output_table_cell(table, PS_PLAIN, "%s:%u:%u", path_of(w, f->file, path, sizeof(path)), f->use.line,
			  f->use.column);
	output_table_cell(table, PS_BOLD, "%u", f->use.port);
	output_table_cell(table, f->use.certainty == PS_CERTAIN ? PS_PLAIN : PS_DIM, "%s%s", scan_use_name(f->use.use),
			  f->use.certainty == PS_CERTAIN ? "" : "?");
	if (f->declared && f->standing == PS_STANDING_DECLARED)
		output_table_cell(table, PS_GREEN, "%s", services_of(w, f->declared, name, sizeof(name)));
	else
		output_table_cell(table, f->standing == PS_STANDING_UNDECLARED ? PS_YELLOW : PS_DIM, "%s%s%s%s",
				  inventory_standing(f->standing), f->range ? " (" : "",
				  f->range ? f->range->service : "", f->range ? "'s range)" : "");
	if (l && own && own->actual != f->use.port)
		output_table_cell(table, PS_PLAIN, "on %u, %s", own->actual, own->env->name);
	else if (l && l->holder.pid)
		output_table_cell(table, PS_PLAIN, "%s, pid %d", l->holder.command, l->holder.pid);
	else
		output_table_cell(table, PS_DIM, "%s", l ? l->holder.user : "-");
}

static bool print_uses(const struct view *w)
{
	static const char *const heads[] = { "PLACE", "PORT", "USE", "SERVICE", "LISTENER" };
	struct ps_table table;
	bool any = false;

	output_table_start(&table, heads, 5);
	for (size_t i = 0; i < w->inventory.found_count; i++)
		if (is_shown(w, &w->inventory.found[i])) {
			row_use(w, &table, &w->inventory.found[i]);
			any = true;
		}
	return !any || output_table_print(&table, stdout);
}

static void row_listener(const struct view *w, struct ps_table *table, const struct ps_listening *l)
{
	uint16_t port = l->holder.socket.port;
	const struct ps_assignment *a = inventory_assignment(&w->inventory, port);
	const struct ps_declared *declared = inventory_declared(&w->inventory, a && a->requested ? a->requested : port);
	size_t uses = count_uses(w, a && a->requested ? a->requested : port);
	char text[256];

	if (a && a->requested != port)
		output_table_cell(table, PS_BOLD, "%s", show_ports(text, a));
	else
		output_table_cell(table, PS_BOLD, "%u", port);
	output_table_cell(table, PS_PLAIN, "%s", show_protocols(l->protocols));
	if (l->holder.pid)
		output_table_cell(table, PS_PLAIN, "%d", l->holder.pid);
	else
		output_table_cell(table, PS_DIM, "-");
	output_table_cell(table, PS_PLAIN, "%s", l->holder.command[0] ? l->holder.command : "-");
	output_table_cell(table, PS_PLAIN, "%s", l->holder.user);
	output_table_cell(table, uses ? PS_PLAIN : PS_DIM, "%zu", uses);
	output_table_cell(table, declared ? PS_GREEN : PS_DIM, "%s", declared ? declared->service : "-");
	output_table_cell(table, PS_DIM, "%s", output_path(text, sizeof(text), l->holder.directory));
}

static bool print_listeners(const struct view *w)
{
	static const char *const heads[] = { "LISTENER", "PROTOCOL", "PID",     "COMMAND",
					     "USER",     "IN CODE",  "SERVICE", "DIRECTORY" };
	struct ps_table table;

	if (w->inventory.listeners.count == 0)
		return true;
	output_table_start(&table, heads, 8);
	for (size_t i = 0; i < w->inventory.listeners.count; i++)
		row_listener(w, &table, &w->inventory.listeners.list[i]);
	return output_table_print(&table, stdout);
}

static int print_tables(const struct view *w, int code)
{
	const struct ps_inventory *v = &w->inventory;
	const char *yellow = output_escape(output_colour(stdout), PS_YELLOW),
		   *plain = output_escape(output_colour(stdout), PS_PLAIN);
	char path[PATH_MAX + PS_PATH_MAX], clean[1024];

	if (!print_uses(w))
		goto memory;
	if (!w->undeclared && v->found_count && v->listeners.count)
		putchar('\n');
	if (!w->undeclared && !print_listeners(w))
		goto memory;
	if (!w->undeclared && v->disagreement_count)
		putchar('\n');
	for (size_t i = 0; !w->undeclared && i < v->disagreement_count; i++) {
		const struct ps_disagreement *d = &v->disagreements[i];

		if (d->found) {
			path_of(w, d->found->file, path, sizeof(path));
			printf("%s:%u:%u: ", output_clean(clean, sizeof(clean), path), d->found->use.line,
			       d->found->use.column);
		}
		printf("%sdisagreement:%s %s [%s]\n", yellow, plain, output_clean(clean, sizeof(clean), d->text),
		       d->code);
	}
	if (!w->quiet)
		fprintf(stderr, "portshim: %zu port%s in %zu file%s, %zu undeclared%s, %zu disagreement%s\n",
			v->found_count, v->found_count == 1 ? "" : "s", v->scanned, v->scanned == 1 ? "" : "s",
			v->undeclared, v->manifest[0] ? "" : " (there is no manifest)", v->disagreement_count,
			v->disagreement_count == 1 ? "" : "s");
	return code;
memory:
	fprintf(stderr, "portshim: out of memory\n");
	return PS_EXIT_SYSTEM;
}

static int run(int argc, char **argv)
{
	struct ps_inventory_options wanted = { 0 };
	struct ps_error error = { 0 };
	struct view *w = calloc(1, sizeof(*w));
	int code;

	if (!w) {
		fprintf(stderr, "portshim: out of memory\n");
		return PS_EXIT_SYSTEM;
	}
	const struct ps_option options[] = {
		{ .name = "undeclared", .flag = &w->undeclared },
		{ .name = "manifest", .argument = "FILE", .value = &wanted.manifest },
		{ .name = "json", .flag = &w->json },
		{ .name = "quiet", .letter = 'q', .flag = &w->quiet },
		{ .name = NULL },
	};
	if (!options_parse(&command_inventory, options, 0, &argc, &argv, &code))
		goto out;
	if (argc > 1) {
		code = command_usage(&command_inventory, "one directory at a time, not `%s` too", argv[1]);
		goto out;
	}
	w->prefix = wanted.directory = argc == 1 ? argv[0] : NULL;
	wanted.progress = !w->quiet && isatty(STDERR_FILENO) == 1;
	code = inventory_gather(&w->inventory, &wanted, &error);
	if (code) {
		error_print(&error);
	} else {
		code = w->inventory.undeclared || w->inventory.disagreement_count ? PS_EXIT_NO : PS_EXIT_YES;
		code = w->json ? print_json(w, code) : print_tables(w, code);
	}
	inventory_free(&w->inventory);
out:
	free(w);
	return code;
}

const struct ps_command command_inventory = {
	.name = "inventory",
	.summary = "The ports in the code, and who listens",
	.help = help,
	.run = run,
};
