/*
 * cmd_check.c - `portshim check`: will what the manifest says work?
 *
 * What `validate` refuses is a finding here too, and then the only ones: the parts of src/check need a manifest that is
 * right. Findings go to stdout in the form that was asked for; the exit status says whether one of them is an error.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../check/check.h"
#include "../known/known.h"
#include "manifest.h"
#include "options.h"
#include "output.h"
#include "project.h"

static void check_manifest(struct ps_check *check)
{
	check_self(check);
	check_rules(check);
}

enum format { TEXT, JSON, SARIF, GITHUB };

struct check {
	const char *format_name;
	bool json, strict, quiet;
	struct ps_option_list only;
	unsigned parts; /* bit per entry of `parts` */
	enum format format;
	struct ps_findings findings;
	size_t files;
	int code; /* PS_EXIT_SYSTEM for what cannot be read */
};

static const struct {
	const char *name;
	void (*check)(struct ps_check *check);
} parts[] = {
	{ "manifest", check_manifest },
	{ "files", check_files },
	{ "projects", check_projects },
	{ "running", check_running },
};

#define PART_COUNT (sizeof(parts) / sizeof(parts[0]))

struct one {
	struct check *check;
	const char *file; /* shown */
};

static void look(struct ps_raw *raw, void *context)
{
	struct one *one = context;
	struct ps_check check;

	if (check_start(&check, raw, one->file, &one->check->findings))
		for (unsigned i = 0; i < PART_COUNT; i++)
			if (one->check->parts & 1u << i)
				parts[i].check(&check);
	check_end(&check);
}

static void add_diagnostics(struct check *c, const char *file, const struct ps_diagnostics *found)
{
	for (size_t i = 0; i < found->count; i++) {
		const struct ps_diagnostic *d = &found->list[i];
		struct ps_place place = { .file = file, .line = d->line, .column = d->column, .key = d->path };

		finding_add(&c->findings, d->code, PS_ERROR, &place, d->hint, "%s", d->text);
	}
}

/* `path` is opened, `file` is shown. */
static void check_file(struct check *c, const char *path, const char *file)
{
	struct ps_diagnostics found = { 0 };
	struct ps_error error = { 0 };
	struct one one = { c, file };
	int code = manifest_examine(NULL, path, NULL, &found, look, &one, &error);

	if (code && !found.count)
		c->code = error_print(&error);
	else
		c->files++;
	add_diagnostics(c, file, &found);
	diagnostics_free(&found);
}

static void check_found(struct check *c, const char *named)
{
	char path[PS_PATH_MAX];
	struct ps_error error = { 0 };

	if (project_manifest(path, named, &error)) {
		c->code = error_print(&error);
	} else if (!path[0]) {
		error_set(&error, PS_EXIT_SYSTEM, "there is no ports.manifest.json here, nor in any directory above");
		error_hint(&error, "name one: `portshim check FILE`");
		c->code = error_print(&error);
	} else {
		known_note(path);
		check_file(c, path, output_from_here(path));
	}
}

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

static void print_text(const struct check *c)
{
	size_t errors = finding_count(&c->findings, PS_ERROR), warnings = finding_count(&c->findings, PS_WARNING),
	       notes = finding_count(&c->findings, PS_NOTE);

	finding_print_text(&c->findings, c->quiet ? PS_ERROR : PS_NOTE, stdout, output_colour(stdout));
	if (!c->quiet && c->files)
		printf("%zu error%s, %zu warning%s, %zu note%s\n", errors, plural(errors), warnings, plural(warnings),
		       notes, plural(notes));
}

static cJSON *as_json(const struct check *c)
{
	cJSON *json = output_json_start();

	cJSON_AddNumberToObject(json, "errors", (double)finding_count(&c->findings, PS_ERROR));
	cJSON_AddNumberToObject(json, "warnings", (double)finding_count(&c->findings, PS_WARNING));
	cJSON_AddNumberToObject(json, "notes", (double)finding_count(&c->findings, PS_NOTE));
	cJSON_AddItemToObject(json, "findings", finding_json(&c->findings));
	return json;
}

static int finish(struct check *c)
{
	int code = c->code;

	finding_sort(&c->findings);
	if (!code && (finding_count(&c->findings, PS_ERROR) ||
		      (c->strict && finding_count(&c->findings, PS_WARNING))))
		code = PS_EXIT_NO;
	if (c->findings.memory) {
		fputs("portshim: out of memory\n", stderr);
		code = PS_EXIT_SYSTEM;
	}
	if (c->format == JSON)
		code = output_json_print(as_json(c), code);
	else if (c->format == SARIF)
		code = output_json_print(finding_sarif(&c->findings), code);
	else if (c->format == GITHUB)
		finding_print_github(&c->findings, stdout);
	else
		print_text(c);
	finding_free(&c->findings);
	return code;
}

/* False if there is no such format; that has been said. */
static bool choose_format(struct check *c)
{
	static const char *const names[] = { "text", "json", "sarif", "github" };
	const char *near;

	c->format = c->json ? JSON : TEXT;
	if (!c->format_name)
		return true;
	for (unsigned i = 0; i < 4; i++) {
		if (strcmp(names[i], c->format_name) != 0)
			continue;
		c->format = (enum format)i;
		return true;
	}
	near = error_suggest(c->format_name, names, 4);
	if (near)
		command_usage(&command_check, "--format %s: did you mean %s?", c->format_name, near);
	else
		command_usage(&command_check, "--format %s: it is text, json, sarif or github", c->format_name);
	return false;
}

static bool choose_parts(struct check *c)
{
	for (unsigned i = 0; i < c->only.count; i++) {
		unsigned part = 0;

		while (part < PART_COUNT && strcmp(parts[part].name, c->only.value[i]) != 0)
			part++;
		if (part == PART_COUNT) {
			command_usage(&command_check, "--only %s: it is manifest, files, projects or running",
				      c->only.value[i]);
			return false;
		}
		c->parts |= 1u << part;
	}
	if (!c->only.count)
		c->parts = (1u << PART_COUNT) - 1;
	return true;
}

static int run(int argc, char **argv)
{
	struct check c = { 0 };
	const char *manifest = NULL;
	const struct ps_option options[] = {
		{ .name = "format", .argument = "FORMAT", .value = &c.format_name },
		{ .name = "only", .argument = "PART", .list = &c.only },
		{ .name = "json", .flag = &c.json },
		{ .name = "strict", .flag = &c.strict },
		{ .name = "manifest", .argument = "FILE", .value = &manifest },
		{ .name = "quiet", .letter = 'q', .flag = &c.quiet },
		{ .name = NULL },
	};
	int code;

	if (!options_parse(&command_check, options, 0, &argc, &argv, &code))
		return code;
	if (!choose_format(&c) || !choose_parts(&c))
		return PS_EXIT_USAGE;
	if (argc == 0 || manifest)
		check_found(&c, manifest);
	for (int i = 0; i < argc; i++)
		check_file(&c, argv[i], argv[i]);
	return finish(&c);
}

const struct ps_command command_check = {
	.name = "check",
	.summary = "Find what the manifest gets wrong, before anything runs",
	.help = "Examples:\n"
		"  portshim check                       the manifest of this project\n"
		"  portshim check --strict              in CI: warnings count as well\n"
		"  portshim check --format=github       as annotations of a pull request\n"
		"  portshim check --format=sarif >portshim.sarif\n"
		"  portshim check --only=manifest       whatever else there is on this machine\n"
		"\n"
		"Usage: portshim check [--only PART]... [--format FORMAT] [--json] [--strict] [--quiet] [FILE...]\n"
		"\n"
		"Finds what a manifest gets wrong, under each of its profiles: all that `portshim validate`\n"
		"refuses; ports and ranges in each other's way; services outside of their rules, and rules that\n"
		"contradict one another; ports that need a privilege, that browsers refuse, or that the kernel\n"
		"gives to outgoing connections (the part \"manifest\"); numbers in the project's files that\n"
		"differ (\"files\", as `portshim sync --check`); ports that other known projects have (\"projects\");\n"
		"and who holds the ports now (\"running\"). portshim-findings(7) explains each code with an example.\n"
		"\n"
		"  --only PART      manifest, files, projects or running; may be given several times\n"
		"  --format FORMAT  text (the default), json, sarif (2.1.0) or github (annotations)\n"
		"  --json           the same as --format=json\n"
		"  --strict         warnings count as errors\n"
		"  --manifest FILE  the same as FILE\n"
		"  -q, --quiet      print errors alone\n"
	"  -h, --help       this text\n"
		"\n"
		"Exit status: 0 no errors, 1 errors, 2 usage, 3 cannot be read.\n",
	.run = run,
};
