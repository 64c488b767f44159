/*
 * cmd_sync.c - `portshim sync`: the ports in the project's files are those of the manifest.
 *
 * The dry run's diff is what goes to stdout there, the findings of --check here, and everything else is talk. Files are
 * changed only if nothing stands in the way, all or none (src/edit).
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../sync/sync.h"
#include "options.h"
#include "output.h"
#include "project.h"

struct sync {
	const char *manifest, *profile;
	bool check, dry_run, apply, json, quiet;
	struct ps_sync found;
};

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

/* ---- what is said ---- */

static cJSON *places_json(const struct ps_sync *found)
{
	cJSON *list = cJSON_CreateArray();

	for (size_t i = 0; list && i < found->count; i++) {
		const struct ps_sync_place *p = &found->places[i];
		cJSON *entry = cJSON_CreateObject();
		char path[PS_PATH_MAX];

		output_json_text(entry, "file", sync_shown(found, p->file->path, path));
		cJSON_AddNumberToObject(entry, "line", p->line);
		cJSON_AddNumberToObject(entry, "column", p->column);
		output_json_text(entry, "place", p->where);
		output_json_text(entry, "service", p->service);
		output_json_text(entry, "profile", p->profile);
		cJSON_AddNumberToObject(entry, "found", (double)p->found);
		cJSON_AddNumberToObject(entry, "port", p->port);
		cJSON_AddBoolToObject(entry, "drift", p->found != p->port);
		cJSON_AddItemToArray(list, entry);
	}
	return list;
}

static int print_json(const struct sync *s, int code, bool applied)
{
	cJSON *json = output_json_start(), *files = cJSON_AddArrayToObject(json, "changed");

	for (size_t i = 0; files && i < s->found.edit.count; i++) {
		const struct ps_edit_file *file = s->found.edit.files[i];
		cJSON *entry;
		char path[PS_PATH_MAX];

		if (!file->splice_count)
			continue;
		entry = cJSON_CreateObject();
		output_json_text(entry, "file", sync_shown(&s->found, file->path, path));
		cJSON_AddNumberToObject(entry, "ports", (double)file->splice_count);
		cJSON_AddItemToArray(files, entry);
	}
	cJSON_AddBoolToObject(json, "applied", applied);
	cJSON_AddItemToObject(json, "places", places_json(&s->found));
	cJSON_AddItemToObject(json, "findings", finding_json(&s->found.findings));
	return output_json_print(json, code);
}

/* What is so, or would be, in one line on stderr. */
static void summary(const struct sync *s, size_t errors, bool applied)
{
	size_t ports = sync_count(&s->found), files = edit_changes(&s->found.edit);

	if (s->quiet)
		return;
	if (errors)
		fprintf(stderr, "portshim: %zu place%s cannot be used; nothing is applied before that is settled\n",
			errors, plural(errors));
	else if (!s->found.files)
		fprintf(stderr, "portshim: the manifest names no files\nhint: see \"files\" in portshim-manifest(5)\n");
	else if (!ports)
		fprintf(stderr, "portshim: %zu port%s in %zu file%s: all as in the manifest\n", s->found.count,
			plural(s->found.count), s->found.edit.count, plural(s->found.edit.count));
	else if (applied)
		fprintf(stderr, "portshim: changed %zu port%s in %zu file%s\n", ports, plural(ports), files,
			plural(files));
	else
		fprintf(stderr, "portshim: %zu port%s in %zu file%s %s from the manifest\n%s", ports, plural(ports), files,
			plural(files), ports == 1 ? "differs" : "differ",
			s->check ? "" : "hint: `portshim sync --apply` writes them\n");
}

/* ---- what is done ---- */

static int finish(struct sync *s)
{
	size_t errors = finding_count(&s->found.findings, PS_ERROR);
	struct ps_error error = { 0 };
	int code = errors ? PS_EXIT_NO : PS_EXIT_YES;
	bool applied = false;

	if (s->apply && !errors) {
		code = edit_apply(&s->found.edit, &error);
		if (code)
			return error_print(&error);
		applied = edit_changes(&s->found.edit) > 0;
	}
	if (s->check)
		sync_drift(&s->found, &s->found.findings);
	if (s->check && sync_count(&s->found))
		code = PS_EXIT_NO;
	finding_sort(&s->found.findings);
	if (s->json)
		return print_json(s, code, applied);
	finding_print_text(&s->found.findings, PS_NOTE, s->check ? stdout : stderr,
			   output_colour(s->check ? stdout : stderr));
	if (!s->check && !s->apply && !edit_diff(&s->found.edit, stdout)) {
		fputs("portshim: out of memory\n", stderr);
		code = PS_EXIT_SYSTEM;
	}
	fflush(stdout);
	summary(s, errors, applied);
	return code;
}

static int look(struct sync *s, struct ps_error *error)
{
	char path[PS_PATH_MAX];
	int code = project_manifest(path, s->manifest, error);

	if (code)
		return code;
	if (!path[0]) {
		error_set(error, PS_EXIT_SYSTEM, "there is no ports.manifest.json here, nor in any directory above");
		return error_hint(error, "name one with --manifest; portshim-manifest(5) says what goes into it");
	}
	code = sync_look(&s->found, path, s->profile, s->apply, error);
	if (s->found.edit.recovered)
		fprintf(stderr, "portshim: %s\n", s->found.edit.recovered);
	return code;
}

static int run(int argc, char **argv)
{
	struct sync s = { 0 };
	const struct ps_option options[] = {
		{ .name = "check", .flag = &s.check },
		{ .name = "dry-run", .letter = 'n', .flag = &s.dry_run },
		{ .name = "apply", .flag = &s.apply },
		{ .name = "profile", .argument = "PROFILE", .value = &s.profile },
		{ .name = "manifest", .argument = "FILE", .value = &s.manifest },
		{ .name = "json", .flag = &s.json },
		{ .name = "quiet", .letter = 'q', .flag = &s.quiet },
		{ .name = NULL },
	};
	struct ps_error error = { 0 };
	int code;

	if (!options_parse(&command_sync, options, 0, &argc, &argv, &code))
		return code;
	if (argc > 0)
		return command_usage(&command_sync, "`%s`: it takes no operands", argv[0]);
	if (s.check + s.dry_run + s.apply > 1)
		return command_usage(&command_sync, "one of --check, --dry-run and --apply, not several");
	code = look(&s, &error);
	code = code ? error_print(&error) : finish(&s);
	sync_free(&s.found);
	return code;
}

const struct ps_command command_sync = {
	.name = "sync",
	.summary = "Keep the ports in the project's files as the manifest has them",
	.help = "Examples:\n"
		"  portshim sync                        what would change, as a diff\n"
		"  portshim sync --apply                change it, in all files or in none\n"
		"  portshim sync --check                in CI: exit 1 if a number differs\n"
		"  portshim sync --profile test | patch -p1 --dry-run\n"
		"\n"
		"Usage: portshim sync [--check | --dry-run | --apply] [--profile PROFILE] [--manifest FILE]\n"
		"                     [--json] [--quiet]\n"
		"\n"
		"Holds the files that the manifest names (\"files\" in portshim-manifest(5)) against the ports of\n"
		"its services, under every profile. Only the digits of a port are replaced; all else stays as it\n"
		"is, byte for byte. The diff is relative to the project's directory.\n"
		"\n"
		"  --check            print each difference as FILE:LINE:COLUMN; exit 1 if there is one\n"
		"  -n, --dry-run      print a unified diff (the default)\n"
		"  --apply            change the files: all, or none if anything stands in the way; what a\n"
		"                     kill interrupts is undone or ended by the next sync of any kind\n"
		"  --profile PROFILE  the files of this profile only; \"\" for those without a profile\n"
		"  --manifest FILE    the manifest, instead of the nearest one above\n"
		"  --json             print {\"version\":1,\"changed\":[...],\"applied\":...,\"places\":[...],\n"
		"                     \"findings\":[...]}\n"
		"  -q, --quiet        print no summary\n"
	"  -h, --help         this text\n"
		"\n"
		"Exit status: 0 done, or nothing differs; 1 a difference (--check), or a place that cannot be\n"
		"used; 2 usage; 3 a file cannot be read or written.\n",
	.run = run,
};
