/*
 * cmd_doctor.c - `portshim doctor`: will a program be reached, and is the system fit.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "doctor.h"
#include "options.h"
#include "output.h"
#include "program.h"

static const char help[] =
	"Examples:\n"
	"  portshim doctor           is the system fit?\n"
	"  portshim doctor node      will node be reached?\n"
	"  portshim doctor ./server  a program of your own, or a script\n"
	"\n"
	"Usage: portshim doctor [--json] [PROGRAM...]\n"
	"\n"
	"portshim reaches programs through the dynamic loader. This says beforehand whether it gets into a\n"
	"program: not if it is statically linked, makes its own system calls as Go does, gains rights when it\n"
	"starts, or is for another architecture. A script is judged by its interpreter. Without a program, it\n"
	"says whether the system has what portshim needs.\n"
	"\n"
	"      --json  as JSON\n"
	"  -h, --help  this text\n"
	"\n"
	"Exit status: 0 if it is fit, 1 if it is not, 2 usage, 3 system.\n";

struct ps_finding *doctor_add(struct ps_findings *f, const char *name, enum ps_verdict verdict, const char *format,
			      ...)
{
	struct ps_finding *found = &f->list[f->count < PS_FINDINGS_MAX - 1 ? f->count++ : f->count];
	va_list ap;

	found->name = name;
	found->verdict = verdict;
	found->hint[0] = '\0';
	va_start(ap, format);
	vsnprintf(found->text, sizeof(found->text), format, ap);
	va_end(ap);
	return found;
}

static void advise(struct ps_finding *found, const char *hint)
{
	snprintf(found->hint, sizeof(found->hint), "%s", hint);
}

static const char by_hand[] =
	"give it another port by its own options; clients under portshim reach it there like any server of the machine";

static void judge_unreached(struct ps_findings *f, const struct ps_program *p)
{
	if (p->kind == PS_PROGRAM_STATIC && p->go)
		advise(doctor_add(f, "go", PS_UNFIT,
				  "a static Go program: no loader runs, and it makes its own system calls"),
		       by_hand);
	else if (p->kind == PS_PROGRAM_STATIC)
		advise(doctor_add(f, "static", PS_UNFIT,
				  "statically linked: no loader runs, so nothing can be preloaded"),
		       "use a dynamically linked build of it, or give it another port by its own options");
	else if (p->kind == PS_PROGRAM_FOREIGN)
		advise(doctor_add(f, "architecture", PS_UNFIT, "%s, so its loader refuses the library", p->problem),
		       "use a build of it for this machine");
	else if (p->setid)
		advise(doctor_add(f, "setuid", PS_UNFIT,
				  "runs with the rights of another user or group: the loader drops preloads"),
		       "start it from a process that has those rights already, or use a copy without the bit");
	else if (p->capabilities)
		advise(doctor_add(f, "capabilities", PS_UNFIT,
				  "gains capabilities when it starts: the loader drops preloads"),
		       "under portshim a privileged port needs none: use a copy without them (setcap -r)");
	else if (p->go)
		advise(doctor_add(f, "go", PS_UNFIT,
				  "a Go program: dynamically linked, but it makes its system calls past the library"),
		       by_hand);
}

static void judge_loader(struct ps_findings *f, const struct ps_program *p)
{
	if (p->kind == PS_PROGRAM_GLIBC)
		doctor_add(f, "dynamic", PS_FIT, "dynamically linked (%s): it will be reached", p->loader);
	else if (p->kind == PS_PROGRAM_MUSL)
		doctor_add(f, "musl", PS_FIT, "dynamically linked with musl (%s): it will be reached", p->loader);
	else
		doctor_add(f, "loader", PS_NOTE,
			   "its loader, %s, is none that is known; it will be reached if that knows LD_PRELOAD",
			   p->loader);
	if (p->shell)
		doctor_add(f, "children", PS_NOTE,
			   "it starts other programs, each of which is reached or not by itself");
}

static void judge(struct ps_findings *f, const struct ps_program *p)
{
	char path[256];

	for (unsigned i = 0; i < p->script_count; i++)
		doctor_add(f, "script", PS_FIT, "%s is a script; what runs is %s", p->script[i],
			   i + 1 < p->script_count ? p->script[i + 1] : p->path);
	output_path(path, sizeof(path), p->path);
	if (p->kind == PS_PROGRAM_NOT_FOUND) {
		doctor_add(f, "not-found", PS_UNFIT, "%s was not found: %s", path, p->problem);
		return;
	}
	if (p->kind == PS_PROGRAM_NOT_EXECUTABLE) {
		doctor_add(f, "not-executable", PS_UNFIT, "%s cannot be executed: %s%s%s", path, p->problem,
			   p->loader[0] ? ": " : "", p->loader);
		return;
	}
	doctor_add(f, "file", PS_FIT, "%s", path);
	if (!program_preloads(p) || p->go)
		judge_unreached(f, p);
	else
		judge_loader(f, p);
}

static const char *verdict_name(enum ps_verdict verdict)
{
	static const char *const names[] = {[PS_FIT] = "ok", [PS_NOTE] = "note", [PS_UNFIT] = "unfit"};

	return names[verdict];
}

static bool fit(const struct ps_findings *f)
{
	for (unsigned i = 0; i < f->count; i++)
		if (f->list[i].verdict == PS_UNFIT)
			return false;
	return true;
}

static void print_text(const char *program, const struct ps_findings *f)
{
	static const enum ps_colour colours[] = {[PS_FIT] = PS_GREEN, [PS_NOTE] = PS_YELLOW, [PS_UNFIT] = PS_RED};
	bool colour = output_colour(stdout);
	char clean[512];

	if (program)
		printf("%s%s%s\n", output_escape(colour, PS_BOLD), output_clean(clean, sizeof(clean), program),
		       output_escape(colour, PS_PLAIN));
	for (unsigned i = 0; i < f->count; i++) {
		const struct ps_finding *found = &f->list[i];

		printf("%s%-5s%s  %-17s  %s\n", output_escape(colour, colours[found->verdict]),
		       verdict_name(found->verdict), output_escape(colour, PS_PLAIN), found->name,
		       output_clean(clean, sizeof(clean), found->text));
		if (found->hint[0])
			printf("       %-17s  hint: %s\n", "", found->hint);
	}
}

static cJSON *json_findings(const char *program, const struct ps_findings *f)
{
	cJSON *json = cJSON_CreateObject(), *list;

	if (!json)
		return NULL;
	if (program)
		output_json_text(json, "program", program);
	cJSON_AddBoolToObject(json, "fit", fit(f));
	list = cJSON_AddArrayToObject(json, "findings");
	for (unsigned i = 0; list && i < f->count; i++) {
		cJSON *one = cJSON_CreateObject();

		cJSON_AddStringToObject(one, "name", f->list[i].name);
		cJSON_AddStringToObject(one, "verdict", verdict_name(f->list[i].verdict));
		output_json_text(one, "text", f->list[i].text);
		output_json_text(one, "hint", f->list[i].hint);
		cJSON_AddItemToArray(list, one);
	}
	return json;
}

/* One program, or the system for NULL. Prints it, or adds it to the list. True if it is fit. */
static bool examine(const char *name, struct ps_findings *f, cJSON *list)
{
	struct ps_program program;

	memset(f, 0, sizeof(*f));
	if (name) {
		program_read(&program, name);
		judge(f, &program);
	} else {
		doctor_system(f);
	}
	if (list)
		cJSON_AddItemToArray(list, json_findings(name, f));
	else
		print_text(name, f);
	return fit(f);
}

static int run(int argc, char **argv)
{
	bool json = false, all_fit = true;
	const struct ps_option options[] = {
		{.name = "json", .flag = &json},
		{.name = NULL},
	};
	struct ps_findings *findings;
	cJSON *object = NULL, *list = NULL;
	int code;

	if (!options_parse(&command_doctor, options, 0, &argc, &argv, &code))
		return code;
	findings = malloc(sizeof(*findings));
	if (json) {
		object = output_json_start();
		list = object ? cJSON_AddArrayToObject(object, "checked") : NULL;
	}
	if (!findings || (json && !list)) {
		fprintf(stderr, "portshim: out of memory\n");
		code = PS_EXIT_SYSTEM;
		goto out;
	}
	if (argc == 0)
		all_fit = examine(NULL, findings, list);
	for (int i = 0; i < argc; i++)
		all_fit = examine(argv[i], findings, list) && all_fit;
	code = all_fit ? PS_EXIT_YES : PS_EXIT_NO;
	if (json) {
		code = output_json_print(object, code);
		object = NULL;
	}
out:
	cJSON_Delete(object);
	free(findings);
	return code;
}

const struct ps_command command_doctor = {
	.name = "doctor",
	.summary = "Will a program be reached, and is the system fit",
	.help = help,
	.run = run,
};
