/*
 * cmd_fix.c - `portshim fix`: hardcoded ports are read from the environment, with the old number as default.
 *
 * As with `sync`, the dry run's diff is what goes to stdout, the findings of --check are, and all else is talk. Files
 * are changed all or none (src/edit). What is left alone is said, with the reason.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../finding/finding.h"
#include "../fix/fix.h"
#include "options.h"
#include "output.h"
#include "project.h"

struct fixing {
	const char *manifest;
	struct ps_option_list services;
	bool check, dry_run, apply, json, quiet, verbose, tests, undeclared;
	struct ps_fix found;
};

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

/* A file of the project as seen from the working directory; `path` holds PS_PATH_MAX bytes. */
static const char *shown(const struct fixing *x, const char *file, char *path)
{
	char full[PATH_MAX * 2];

	snprintf(full, sizeof(full), "%s/%s", x->found.edit.directory[1] ? x->found.edit.directory : "", file);
	return output_clean(path, PS_PATH_MAX, output_from_here(full));
}

static size_t count(const struct fixing *x, enum ps_fix_reason reason)
{
	size_t n = 0;

	for (size_t i = 0; i < x->found.count; i++)
		n += x->found.places[i].reason == reason;
	return n;
}

/* ---- for programs ---- */

static cJSON *json_place(const struct fixing *x, const struct ps_fix_place *p)
{
	cJSON *json = cJSON_CreateObject();
	char path[PS_PATH_MAX];

	output_json_text(json, "file", shown(x, p->file, path));
	cJSON_AddNumberToObject(json, "line", p->use.line);
	cJSON_AddNumberToObject(json, "column", p->use.column);
	cJSON_AddNumberToObject(json, "port", p->use.port);
	cJSON_AddStringToObject(json, "use", scan_use_name(p->use.use));
	cJSON_AddStringToObject(json, "language", scan_language_name(p->use.language));
	if (p->service)
		output_json_text(json, "service", p->service);
	cJSON_AddStringToObject(json, "result", fix_reason_name(p->reason));
	if (p->reason) {
		cJSON_AddStringToObject(json, "text", fix_reason_text(p->reason));
	} else {
		output_json_text(json, "variable", p->variable);
		cJSON_AddBoolToObject(json, "given", p->given);
	}
	return json;
}

static int print_json(const struct fixing *x, int code, bool applied)
{
	cJSON *json = output_json_start(), *list = cJSON_AddArrayToObject(json, "changed");

	for (size_t i = 0; list && i < x->found.edit.count; i++) {
		char path[PS_PATH_MAX];

		if (x->found.edit.files[i]->splice_count)
			cJSON_AddItemToArray(list, cJSON_CreateString(shown(x, x->found.edit.files[i]->path, path)));
	}
	cJSON_AddBoolToObject(json, "applied", applied);
	list = cJSON_AddArrayToObject(json, "places");
	for (size_t i = 0; list && i < x->found.count; i++)
		cJSON_AddItemToArray(list, json_place(x, &x->found.places[i]));
	return output_json_print(json, code);
}

/* ---- for people ---- */

/* --check: what would be rewritten. */
static void print_findings(const struct fixing *x)
{
	struct ps_findings findings = { 0 };

	for (size_t i = 0; i < x->found.count; i++) {
		const struct ps_fix_place *p = &x->found.places[i];
		char path[PS_PATH_MAX];
		struct ps_place place = { .file = shown(x, p->file, path),
					  .line = (int)p->use.line,
					  .column = (int)p->use.column };

		if (p->reason)
			continue;
		finding_add(&findings, "hardcoded-port", PS_ERROR, &place, "`portshim fix --apply` writes it",
			    "%u stands here%s%s, and could be read from %s", p->use.port,
			    p->service ? ", the port of " : "", p->service ? p->service : "", p->variable);
	}
	finding_print_text(&findings, PS_NOTE, stdout, output_colour(stdout));
	finding_free(&findings);
}

/* Ports of services that stay as they are are worth a line each; the others only with --verbose. */
static bool is_told(const struct fixing *x, const struct ps_fix_place *p)
{
	if (p->reason == PS_FIX_DONE)
		return false;
	if (x->verbose)
		return true;
	switch (p->reason) {
	case PS_FIX_UNDECLARED:
	case PS_FIX_DEFAULT:
	case PS_FIX_ELSEWHERE:
	case PS_FIX_EXTERNAL:
	case PS_FIX_OTHER_SERVICE:
	case PS_FIX_CONFIGURATION:
	case PS_FIX_TEST:
		return false;
	default:
		return p->service != NULL;
	}
}

static void tell_left(const struct fixing *x)
{
	const char *separator = "";
	size_t left = x->found.count - count(x, PS_FIX_DONE);

	for (size_t i = 0; i < x->found.count; i++) {
		const struct ps_fix_place *p = &x->found.places[i];
		char path[PS_PATH_MAX];

		if (is_told(x, p))
			fprintf(stderr, "%s:%u:%u: note: %u%s%s%s stays: %s [%s]\n", shown(x, p->file, path),
				p->use.line, p->use.column, p->use.port, p->service ? " (" : "",
				p->service ? p->service : "", p->service ? ")" : "", fix_reason_text(p->reason),
				fix_reason_name(p->reason));
	}
	if (!left)
		return;
	fprintf(stderr, "portshim: %zu port%s left alone: ", left, plural(left));
	for (int reason = PS_FIX_DONE + 1; reason < PS_FIX_COUNT; reason++) {
		size_t n = count(x, (enum ps_fix_reason)reason);

		if (n)
			fprintf(stderr, "%s%zu %s", separator, n, fix_reason_name((enum ps_fix_reason)reason));
		separator = n ? ", " : separator;
	}
	fputs(x->verbose ? "\n" : " (--verbose shows where)\n", stderr);
}

/* A variable that nobody sets has its default only: once for each, what to write into the manifest. */
static void tell_missing(const struct fixing *x)
{
	for (size_t i = 0; i < x->found.count; i++) {
		const struct ps_fix_place *p = &x->found.places[i];
		bool told = false;

		if (p->reason || p->given || !p->service)
			continue;
		for (size_t k = 0; k < i; k++)
			told = told || (!x->found.places[k].reason && x->found.places[k].variable == p->variable);
		if (told)
			continue;
		if (p->own)
			fprintf(stderr, "hint: the manifest does not set %s yet: \"env\": [\"%s\"] in %s\n",
				p->variable, p->variable, p->service);
		else
			fprintf(stderr,
				"hint: the manifest does not set %s yet: \"env\": { %s\"%s\": \"{port}\" } in %s\n",
				p->variable, p->listed ? "..., " : "", p->variable, p->service);
	}
}

static void summary(const struct fixing *x, bool applied)
{
	size_t ports = count(x, PS_FIX_DONE), files = edit_changes(&x->found.edit);

	if (x->quiet)
		return;
	tell_left(x);
	if (!ports)
		fprintf(stderr, "portshim: %zu file%s: no hardcoded port that is to be read from the environment\n",
			x->found.files, plural(x->found.files));
	else
		fprintf(stderr, "portshim: %zu port%s in %zu file%s %s read from the environment%s\n", ports,
			plural(ports), files, plural(files), applied ? ports == 1 ? "is" : "are" : "could be",
			applied ? " now" : "");
	tell_missing(x);
	if (ports && !applied && !x->check)
		fputs("hint: `portshim fix --apply` writes them\n", stderr);
}

/* ---- what is done ---- */

static int finish(struct fixing *x)
{
	struct ps_error error = { 0 };
	size_t ports = count(x, PS_FIX_DONE);
	bool applied = false;
	int code = 0;

	if (x->apply) {
		code = edit_apply(&x->found.edit, &error);
		if (code)
			return error_print(&error);
		applied = ports > 0;
	}
	if (x->check && ports)
		code = PS_EXIT_NO;
	if (x->json)
		return print_json(x, code, applied);
	if (x->check)
		print_findings(x);
	else if (!x->apply && !edit_diff(&x->found.edit, stdout)) {
		fputs("portshim: out of memory\n", stderr);
		code = PS_EXIT_SYSTEM;
	}
	fflush(stdout);
	summary(x, applied);
	return code;
}

static int run(int argc, char **argv)
{
	struct fixing x = { 0 };
	const struct ps_option options[] = {
		{ .name = "check", .flag = &x.check },
		{ .name = "dry-run", .letter = 'n', .flag = &x.dry_run },
		{ .name = "apply", .flag = &x.apply },
		{ .name = "service", .argument = "NAME", .list = &x.services },
		{ .name = "tests", .flag = &x.tests },
		{ .name = "undeclared", .flag = &x.undeclared },
		{ .name = "manifest", .argument = "FILE", .value = &x.manifest },
		{ .name = "json", .flag = &x.json },
		{ .name = "quiet", .letter = 'q', .flag = &x.quiet },
		{ .name = "verbose", .letter = 'v', .flag = &x.verbose },
		{ .name = NULL },
	};
	struct ps_error error = { 0 };
	struct ps_fix_options asked;
	int code;

	if (!options_parse(&command_fix, options, 0, &argc, &argv, &code))
		return code;
	if (x.check + x.dry_run + x.apply > 1)
		return command_usage(&command_fix, "one of --check, --dry-run and --apply, not several");
	asked = (struct ps_fix_options){ .operands = argv,
					 .manifest = x.manifest,
					 .services = x.services.value,
					 .service_count = x.services.count,
					 .tests = x.tests,
					 .undeclared = x.undeclared,
					 .applies = x.apply };
	code = fix_look(&x.found, &asked, &error);
	if (x.found.edit.recovered)
		fprintf(stderr, "portshim: %s\n", x.found.edit.recovered);
	code = code ? error_print(&error) : finish(&x);
	fix_free(&x.found);
	return code;
}

const struct ps_command command_fix = {
	.name = "fix",
	.summary = "Have the code read its ports from the environment",
	.help = "Examples:\n"
		"  portshim fix                         what would change, as a diff\n"
		"  portshim fix --apply                 change it, in all files or in none\n"
		"  portshim fix --service api src       only the ports of api, only below src\n"
		"  portshim fix --check                 in CI: exit 1 if a port could be read and is not\n"
		"\n"
		"Usage: portshim fix [--check | --dry-run | --apply] [OPTION...] [DIR|FILE...]\n"
		"\n"
		"Replaces a hardcoded port of one of the manifest's services by the variable that the manifest gives\n"
		"it (\"env\" in portshim-manifest(5)), with the old number as default: Number(process.env.PORT || "
		"3000).\n"
		"In JavaScript, TypeScript, Python, Ruby, PHP, Go, Java, Elixir and shell scripts. Only where it is\n"
		"certain that the result is right; what is left alone is named, with the reason. The diff is relative\n"
		"to the project's directory.\n"
		"\n"
		"      --check          print each as FILE:LINE:COLUMN; exit 1 if there is one\n"
		"  -n, --dry-run        print a unified diff (the default)\n"
		"      --apply          change the files: all or none\n"
		"      --service NAME   only the ports of this service; may be given several times\n"
		"      --tests          also tests, examples and fixtures; a FILE that is named is never one\n"
		"      --undeclared     also ports that no service has, as PORT_3000\n"
		"      --manifest FILE  the manifest, instead of the nearest one above\n"
		"      --json           print {\"version\":1,\"changed\":[...],\"applied\":...,\"places\":[...]}\n"
		"  -q, --quiet          print no summary\n"
		"  -v, --verbose        name everything that is left alone\n"
	"  -h, --help           this text\n"
		"\n"
		"Exit status: 0 done, or nothing to do; 1 something to do (--check); 2 usage; 3 a file cannot be read\n"
		"or written.\n",
	.run = run,
};
