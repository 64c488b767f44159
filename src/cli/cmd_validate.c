/*
 * cmd_validate.c - `portshim validate`: is the manifest right?
 *
 * Findings go to stdout, one a line and with a hint below, in the form that editors and CI read: FILE:LINE:COLUMN.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manifest.h"
#include "options.h"
#include "output.h"
#include "project.h"

struct validate {
	const char *profile;
	bool json, quiet, colour;
	cJSON *files, *findings; /* --json */
	int code;
};

/* The worst of the files decides: that it cannot be read, then that it is wrong. */
static void worse(struct validate *v, int code)
{
	if (code > v->code)
		v->code = code;
}

static void add_json(struct validate *v, const char *file, const struct ps_diagnostics *found, bool valid)
{
	cJSON *entry = cJSON_CreateObject();

	output_json_text(entry, "file", file);
	cJSON_AddBoolToObject(entry, "valid", valid);
	cJSON_AddItemToArray(v->files, entry);
	for (size_t i = 0; i < found->count; i++) {
		const struct ps_diagnostic *d = &found->list[i];

		entry = cJSON_CreateObject();
		output_json_text(entry, "file", file);
		cJSON_AddNumberToObject(entry, "line", d->line);
		cJSON_AddNumberToObject(entry, "column", d->column);
		cJSON_AddStringToObject(entry, "code", d->code);
		output_json_text(entry, "key", d->path);
		output_json_text(entry, "text", d->text);
		if (d->hint)
			output_json_text(entry, "hint", d->hint);
		cJSON_AddItemToArray(v->findings, entry);
	}
}

static void print_findings(const struct validate *v, const char *file, const struct ps_diagnostics *found)
{
	const char *red = output_escape(v->colour, PS_RED), *bold = output_escape(v->colour, PS_BOLD);
	const char *plain = output_escape(v->colour, PS_PLAIN);

	for (size_t i = 0; i < found->count; i++) {
		const struct ps_diagnostic *d = &found->list[i];

		printf("%s%s:%d:%d:%s %serror:%s %s%s%s\n", bold, file, d->line, d->column, plain, red, plain, d->path,
		       d->path[0] ? ": " : "", d->text);
		if (d->hint)
			printf("\thint: %s\n", d->hint);
	}
}

/* `path` is opened, `file` is shown. */
static void validate_file(struct validate *v, const char *path, const char *file)
{
	struct ps_diagnostics found = { 0 };
	struct ps_manifest *manifest = NULL;
	struct ps_error error = { 0 };
	int code = manifest_load(&manifest, path, v->profile, &found, &error);
	char shown[PS_PATH_MAX];

	output_clean(shown, sizeof(shown), file);
	if (found.count > 0)
		worse(v, PS_EXIT_NO);
	else if (code)
		worse(v, error_print(&error));
	if (v->json && (found.count > 0 || !code))
		add_json(v, file, &found, !code);
	else if (!v->json)
		print_findings(v, shown, &found);
	if (!code && !v->json && !v->quiet)
		printf("%s: valid, %zu service%s\n", shown, manifest->service_count,
		       manifest->service_count == 1 ? "" : "s");
	diagnostics_free(&found);
	manifest_free(manifest);
}

static int validate_found(struct validate *v, const char *named)
{
	char path[PS_PATH_MAX];
	struct ps_error error = { 0 };
	int code = project_manifest(path, named, &error);

	if (code)
		return error_print(&error);
	if (!path[0]) {
		error_set(&error, PS_EXIT_SYSTEM, "there is no ports.manifest.json here, nor in any directory above");
		error_hint(&error, "name one: `portshim validate FILE`");
		return error_print(&error);
	}
	validate_file(v, path, output_from_here(path));
	return v->code;
}

static int run(int argc, char **argv)
{
	struct validate v = { 0 };
	const char *manifest = NULL;
	const struct ps_option options[] = {
		{ .name = "profile", .argument = "PROFILE", .value = &v.profile },
		{ .name = "manifest", .argument = "FILE", .value = &manifest },
		{ .name = "json", .flag = &v.json },
		{ .name = "quiet", .letter = 'q', .flag = &v.quiet },
		{ .name = NULL },
	};
	cJSON *json = NULL;
	int code;

	if (!options_parse(&command_validate, options, 0, &argc, &argv, &code))
		return code;
	v.colour = output_colour(stdout);
	if (v.json) {
		json = output_json_start();
		v.files = cJSON_AddArrayToObject(json, "files");
		v.findings = cJSON_AddArrayToObject(json, "findings");
	}
	if (argc == 0 || manifest)
		worse(&v, validate_found(&v, manifest));
	for (int i = 0; i < argc; i++)
		validate_file(&v, argv[i], argv[i]);
	return v.json ? output_json_print(json, v.code) : v.code;
}

const struct ps_command command_validate = {
	.name = "validate",
	.summary = "Check the manifest",
	.help = "Examples:\n"
		"  portshim validate                          the manifest of this project\n"
		"  portshim validate config/ports.manifest.json --profile test\n"
		"  portshim validate --json | jq .findings\n"
		"\n"
		"Usage: portshim validate [--profile PROFILE] [--json] [--quiet] [FILE...]\n"
		"\n"
		"Checks manifests as a whole, with all their profiles, and prints every finding as\n"
		"FILE:LINE:COLUMN: error: KEY: TEXT, with a hint below. Without FILE: ports.manifest.json or\n"
		"config/ports.manifest.json in this directory or the nearest one above, or $PORTSHIM_MANIFEST.\n"
		"\n"
		"  --profile PROFILE  also see that this profile exists\n"
		"  --manifest FILE    the same as FILE\n"
	"  --json             print {\"version\":1,\"files\":[...],\"findings\":[...]}\n"
		"  -q, --quiet        say nothing about a manifest that is right\n"
	"  -h, --help         this text\n"
		"\n"
		"Exit status: 0 right, 1 wrong, 2 usage, 3 cannot be read.\n",
	.run = run,
};
