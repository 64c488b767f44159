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
	"portshim reaches programs through the dynamic loader, and those that are statically linked, make their\n"
	"own system calls as Go does, or are for 32 bits by a filter for system calls, where the system lets it.\n"
	"This says beforehand which of the two it is for a program, and what stands in the way: a program that\n"
	"gains rights when it starts, say. A script is judged by its interpreter. Without a program, it says\n"
	"whether the system has what portshim needs.\n"
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

/* No loader, or a program that goes past the library: reached by its system calls, or not at all. */
static void judge_calls(struct ps_findings *f, const struct ps_second *second, const char *name, const char *what,
			const char *hint)
{
	if (!second->there) {
		advise(doctor_add(f, name, PS_UNFIT, "%s", what), hint);
		doctor_add(f, "second-path", PS_NOTE, "it is not reached by its system calls either: %s", second->why);
		return;
	}
	doctor_add(f, name, PS_FIT, "%s", what);
	advise(doctor_add(f, "second-path", PS_FIT, "`portshim run` reaches it by its system calls"),
	       second->inherited ? "" : "`portshim exec`, and `run --static=off`, do not");
}

/* It gains rights when it starts. What `run` does then is in filter.c: it starts such a program as it is. */
static void judge_privileged(struct ps_findings *f, const struct ps_program *p, const struct ps_second *second)
{
	const char *name = p->setid ? "setuid" : "capabilities";
	const char *what = p->setid ? "runs with the rights of another user or group: the loader drops preloads"
				    : "gains capabilities when it starts: the loader drops preloads";

	if (!second->there || second->bars) {
		advise(doctor_add(f, name, PS_UNFIT, "%s", what),
		       p->setid ? "start it from a process that has those rights already, or use a copy without the bit"
				: "under portshim a privileged port needs none: use a copy without them (setcap -r)");
		if (second->bars)
			advise(doctor_add(f, "no-new-privs", PS_NOTE,
					  "started by another program inside a run, it has none of these rights"),
			       "where it needs them: portshim run --static=off");
	} else {
		judge_calls(f, second, name, what, "");
	}
}

static void judge_unreached(struct ps_findings *f, const struct ps_program *p, const struct ps_second *second)
{
	if (p->setid || p->capabilities)
		judge_privileged(f, p, second);
	else if (p->kind == PS_PROGRAM_STATIC && p->go)
		judge_calls(f, second, "go", "a static Go program: no loader runs, and it makes its own system calls", by_hand);
	else if (p->kind == PS_PROGRAM_STATIC)
		judge_calls(f, second, "static", "statically linked: no loader runs, so nothing can be preloaded",
			    "use a dynamically linked build of it, or give it another port by its own options");
	else if (p->kind == PS_PROGRAM_FOREIGN && p->compat) {
		char what[sizeof(p->problem) + 64];

		snprintf(what, sizeof(what), "%s, so its loader refuses the library", p->problem);
		judge_calls(f, second, "architecture", what, "use a build of it for this machine");
	} else if (p->kind == PS_PROGRAM_FOREIGN)
		advise(doctor_add(f, "architecture", PS_UNFIT, "%s, so its loader refuses the library", p->problem),
		       "use a build of it for this machine");
	else
		judge_calls(f, second, "go",
			    "a Go program: dynamically linked, but it makes its system calls past the library", by_hand);
}

/* What holds for programs that are reached, too. */
static void judge_more(struct ps_findings *f, const struct ps_program *p, const struct ps_second *second)
{
	if (p->barred)
		advise(doctor_add(f, "no-new-privs", PS_NOTE, "it does not get the rights of its file here"),
		       second->inherited && second->bars
			       ? "the run around this has a filter; started with --static=off it would"
			       : "");
	if (!p->io_uring)
		return;
	if (second->there)
		advise(doctor_add(f, "io-uring", PS_NOTE, "uses io_uring: `portshim run` tells it that there is none"),
		       "if it cannot do without: --allow-io-uring; what it binds and connects through that is not reached");
	else
		doctor_add(f, "io-uring", PS_NOTE, "uses io_uring: what it binds and connects through that is not reached");
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
	struct ps_second second;
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
	doctor_second(&second);
	if (p->kind == PS_PROGRAM_UNREADABLE)
		doctor_add(f, "unreadable", PS_NOTE, "it can be executed, not read: it is reached if it loads the "
			   "library, and its process is not dumpable, so that it is not reached otherwise");
	else if (!program_preloads(p) || p->go)
		judge_unreached(f, p, &second);
	else
		judge_loader(f, p);
	judge_more(f, p, &second);
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
