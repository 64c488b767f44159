/*
 * cmd_free.c - `portshim free`: ends whoever holds a port.
 *
 * Theory of operation: a number is the port itself, whoever has it; a service is the port that it has now in the
 * environment. One port comes after the other: shown (free_find.c), judged (free_judge.c), and, if all its holders may
 * be ended, freed (free_end.c). If one of them may not, nobody is signalled, since the port would stay held.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <unistd.h>

#include "../free/free.h"
#include "command.h"
#include "duration.h"
#include "options.h"
#include "show.h"

#define DEFAULT_TIMEOUT "5s"

static const char help[] =
	"Examples:\n"
	"  portshim free 3000            end whoever holds 3000\n"
	"  portshim free --dry-run 3000  show who would be ended\n"
	"  portshim free web api         end the holders of the ports that these services have now\n"
	"\n"
	"Usage: portshim free [OPTION...] PORT|SERVICE...\n"
	"\n"
	"Shows who holds the port: process, user, directory, environment, and since when. Asks it to end\n"
	"(SIGTERM), makes it end (SIGKILL) when the time is over, and returns when the port can be bound.\n"
	"Processes of other users and of other projects are left alone.\n"
	"\n"
	"  -n, --dry-run         only show\n"
	"  -f, --force           also what is of another user or project\n"
	"      --timeout TIME    until SIGKILL, like 30s, 500ms; 0 at once; `forever` never; else " DEFAULT_TIMEOUT "\n"
	"      --protocol P      only who holds it by tcp, or by udp\n"
	"  -q, --quiet           print nothing but errors\n"
	"      --env NAME        the environment of that name instead of the project's\n"
	"      --profile PROFILE the project's environment of that profile\n"
	"      --manifest FILE   this manifest instead of the one found from here upward\n"
	"      --json            as JSON\n"
	"  -h, --help            this text\n"
	"\n"
	"Exit status: 0 the port is free (dry run: or would be), 1 it is held, 2 usage, 3 system.\n";

struct freeing {
	struct ps_target target;
	struct ps_state_now state;
	struct ps_free_order order;
	const char *timeout_text, *protocol;
	uint8_t protocols; /* that --protocol leaves */
	bool dry_run, quiet, json;
	cJSON *ports;
};

/* ---- what people see ---- */

static void print_holders(const struct ps_free_held *held)
{
	char phrase[PS_HOLDER_PHRASE];

	for (unsigned i = 0; i < held->count; i++) {
		const struct ps_free_process *p = &held->list[i];
		const char *environment = p->env ? p->env->name : "none: it does not run under portshim";

		holder_phrase(&p->about, phrase);
		printf("%u (%s) is %s%s\n", held->port, show_protocols(p->protocols), i ? "also " : "", phrase);
		show_process(&p->about, p->about.pid ? environment : NULL);
	}
}

/* "node, pid 812" */
static const char *who(char *text, size_t size, const struct ps_free_process *p)
{
	char command[64];

	if (!p->about.pid)
		snprintf(text, size, "a process that cannot be seen");
	else
		snprintf(text, size, "%s, pid %d", output_clean(command, sizeof(command), p->about.command),
			 p->about.pid);
	return text;
}

static const char *fate(const struct ps_free_process *p)
{
	return p->sent == SIGKILL ? "killed" : p->sent ? "ended" : "gone";
}

static void print_freed(const struct ps_free_held *held)
{
	char text[128];

	if (held->count == 0) {
		printf("%u is free: nobody holds it\n", held->port);
		return;
	}
	printf("%u is free:", held->port);
	for (unsigned i = 0; i < held->count; i++)
		printf("%s %s: %s", i ? ";" : "", who(text, sizeof(text), &held->list[i]), fate(&held->list[i]));
	putchar('\n');
}

static void say_refused(const struct freeing *f, const struct ps_free_held *held)
{
	char text[128];

	for (unsigned i = 0; i < held->count; i++) {
		const struct ps_free_process *p = &held->list[i];

		if (!p->holds || p->verdict == PS_FREE_ALLOWED || (p->verdict == PS_FREE_ASK && f->order.force))
			continue;
		fprintf(stderr, "portshim: %u is not freed: %s%s%s\n", held->port,
			p->about.pid ? who(text, sizeof(text), p) : "", p->about.pid ? ": " : "", p->reason);
		if (p->hint[0])
			fprintf(stderr, "hint: %s\n", p->hint);
		if (p->verdict == PS_FREE_ASK)
			fprintf(stderr, "hint: `portshim free --force %u` ends it all the same\n", held->port);
	}
}

static void say_bound(const struct ps_free_held *held)
{
	fprintf(stderr, "portshim: nobody listens on %u, but it cannot be bound: %s\n", held->port,
		held->count ? "its connections are still closing, which may take a minute"
			    : "a connection has it, or a socket that does not listen");
	fprintf(stderr, "hint: `ss -tanp sport = :%u` shows connections with their processes\n", held->port);
}

static void say_held(const struct ps_free_held *held, enum ps_free_result result)
{
	struct ps_holder parent = { 0 };
	char text[128];

	for (unsigned i = 0; i < held->count; i++) {
		const struct ps_free_process *p = &held->list[i];

		if (result == PS_FREE_HELD && p->holds)
			fprintf(stderr, "portshim: %u is still held by %s, which was killed and is not gone\n",
				held->port,
				who(text, sizeof(text), p));
	}
	if (result != PS_FREE_TAKEN)
		return;
	fprintf(stderr, "portshim: %u was freed, and was taken again by %s\n", held->port,
		who(text, sizeof(text), &held->list[held->count - 1]));
	if (held->list[held->count - 1].parent > 1 && holder_process(&parent, held->list[held->count - 1].parent))
		fprintf(stderr, "hint: it was started by %s, pid %d: end that first\n",
			output_clean(text, sizeof(text), parent.command), parent.pid);
}

/* ---- what programs see ---- */

static const char *outcome_name(const struct ps_free_held *held, enum ps_free_result result, bool refused, bool dry_run)
{
	static const char *const names[] = {
		[PS_FREE_DONE] = "freed", [PS_FREE_HELD] = "held", [PS_FREE_BOUND] = "bound",
		[PS_FREE_TAKEN] = "taken", [PS_FREE_REFUSED] = "refused",
	};

	if (refused)
		return "refused";
	if (result == PS_FREE_DONE && held->count == 0)
		return "free";
	return dry_run && result == PS_FREE_DONE ? "would-free" : names[result];
}

static void add_json(struct freeing *f, const struct ps_free_held *held, const char *service, const char *outcome)
{
	cJSON *port = cJSON_CreateObject(), *list;

	cJSON_AddNumberToObject(port, "port", held->port);
	output_json_text(port, "service", service);
	cJSON_AddStringToObject(port, "outcome", outcome);
	list = cJSON_AddArrayToObject(port, "holders");
	for (unsigned i = 0; i < held->count; i++) {
		const struct ps_free_process *p = &held->list[i];
		cJSON *one = cJSON_CreateObject();

		cJSON_AddStringToObject(one, "protocol", show_protocols(p->protocols));
		cJSON_AddNumberToObject(one, "process_id", p->about.pid);
		cJSON_AddNumberToObject(one, "parent_id", p->parent);
		output_json_text(one, "command", p->about.command);
		output_json_text(one, "command_line", p->about.line);
		output_json_text(one, "user", p->about.user);
		output_json_text(one, "directory", p->about.directory);
		output_json_text(one, "environment", p->env ? p->env->name : "");
		cJSON_AddNumberToObject(one, "started", (double)p->about.started);
		output_json_text(one, "reason", p->reason);
		cJSON_AddStringToObject(one, "signal", p->sent == SIGKILL ? "SIGKILL" : p->sent ? "SIGTERM" : "");
		cJSON_AddBoolToObject(one, "holds", p->holds);
		cJSON_AddItemToArray(list, one);
	}
	cJSON_AddItemToArray(f->ports, port);
}

/* ---- the work ---- */

static bool refused(const struct freeing *f, const struct ps_free_held *held)
{
	for (unsigned i = 0; i < held->count; i++)
		if (held->list[i].verdict == PS_FREE_NEVER || (held->list[i].verdict == PS_FREE_ASK && !f->order.force))
			return true;
	return false;
}

static int free_port(struct freeing *f, uint16_t port, uint8_t protocols, const char *service, struct ps_error *error)
{
	enum ps_free_result result = PS_FREE_DONE;
	struct ps_free_held held;
	int code = 0, failed = free_find(&held, port, protocols);
	bool no = false, talk = !f->quiet && !f->json;

	if (failed) {
		error_set(error, PS_EXIT_SYSTEM, "the kernel does not say who holds %u: %s", port, strerror(-failed));
		code = error_hint(error, "sock_diag and /proc/net are both closed to this process");
		goto out;
	}
	for (unsigned i = 0; i < held.count; i++)
		free_judge(&held.list[i], port, &f->target, &f->state);
	no = refused(f, &held);
	if (talk)
		print_holders(&held);
	if (held.count == 0 && protocols & PS_TCP && free_bound(port))
		result = PS_FREE_BOUND;
	else if (held.count && !no && !f->dry_run)
		code = free_end(&held, &f->order, &result, error);
	if (code)
		goto out;
	if (no || result == PS_FREE_REFUSED)
		say_refused(f, &held);
	else if (result == PS_FREE_BOUND)
		say_bound(&held);
	else if (result != PS_FREE_DONE)
		say_held(&held, result);
	else if (talk && f->dry_run && held.count)
		printf("%u would be freed\n", port);
	else if (talk)
		print_freed(&held);
	code = no || result != PS_FREE_DONE ? PS_EXIT_NO : PS_EXIT_YES;
out:
	if (f->json)
		add_json(f, &held, service, code && error->code ? "error" : outcome_name(&held, result, no,
											 f->dry_run));
	free_forget(&held);
	return code;
}

/* The port that an operand means. 0 or the error's code. */
static int port_of(const struct freeing *f, const char *text, uint16_t *port, uint8_t *protocols,
		   struct ps_wanted *wanted,
		   struct ps_error *error)
{
	int code = target_wanted(&f->target, &f->state, text, wanted, error);
	const struct ps_assignment *a;

	if (code)
		return code;
	*port = wanted->port;
	*protocols = PS_TCP | PS_UDP;
	if (wanted->by_number) {
		*protocols &= f->protocols;
		return 0;
	}
	a = target_find(&f->target, &f->state, wanted);
	if (a) {
		*port = a->actual;
		*protocols = a->protocols ? a->protocols : *protocols;
	} else if (wanted->index != PS_NO_SERVICE && plan_service(f->target.plan, wanted->index)->protocols) {
		*protocols = plan_service(f->target.plan, wanted->index)->protocols;
	}
	*protocols &= f->protocols;
	if (!*protocols)
		return error_set(error, PS_EXIT_USAGE, "service `%s` has no port by %s", text, f->protocol);
	if (*port)
		return 0;
	return error_set(error, PS_EXIT_USAGE, "no port of service `%s` is known", text);
}

static int free_all(struct freeing *f, int argc, char **argv)
{
	struct { uint16_t port; uint8_t protocols; struct ps_wanted wanted; } *what = calloc((size_t)argc,
											     sizeof(*what));
	struct ps_error error = { 0 };
	int worst = 0, code;

	if (!what) {
		error_set(&error, PS_EXIT_SYSTEM, "out of memory");
		return error_print(&error);
	}
	/* Nobody is ended for a command line that has a mistake further on. */
	for (int i = 0; i < argc && !error.code; i++)
		port_of(f, argv[i], &what[i].port, &what[i].protocols, &what[i].wanted, &error);
	if (error.code) {
		free(what);
		return error_print(&error);
	}
	for (int i = 0; i < argc; i++) {
		memset(&error, 0, sizeof(error));
		code = free_port(f, what[i].port, what[i].protocols, what[i].wanted.name, &error);
		if (error.code)
			error_print(&error);
		fflush(stdout);
		worst = code > worst ? code : worst;
	}
	free(what);
	return worst;
}

static int run(int argc, char **argv)
{
	struct freeing f = { .timeout_text = DEFAULT_TIMEOUT };
	struct ps_project_options project = { 0 };
	struct ps_error error = { 0 };
	const struct ps_option options[] = {
		{ .name = "dry-run", .letter = 'n', .flag = &f.dry_run },
		{ .name = "force", .letter = 'f', .flag = &f.order.force },
		{ .name = "timeout", .argument = "TIME", .value = &f.timeout_text },
		{ .name = "protocol", .argument = "PROTOCOL", .value = &f.protocol },
		{ .name = "quiet", .letter = 'q', .flag = &f.quiet },
		{ .name = "env", .argument = "NAME", .value = &project.env },
		{ .name = "profile", .argument = "PROFILE", .value = &project.profile },
		{ .name = "manifest", .argument = "FILE", .value = &project.manifest },
		{ .name = "json", .flag = &f.json },
		{ .name = NULL },
	};
	cJSON *json = NULL;
	int code;

	if (!options_parse(&command_free, options, 0, &argc, &argv, &code))
		return code;
	if (argc == 0)
		return command_usage(&command_free, "at least one port or service is wanted");
	if (!duration_parse(f.timeout_text, &f.order.timeout))
		return command_usage(&command_free, "`%s` is no time; say 30s, 500ms, 2m or forever", f.timeout_text);
	f.protocols = !f.protocol		     ? PS_TCP | PS_UDP
		      : strcmp(f.protocol, "tcp") == 0 ? PS_TCP
		      : strcmp(f.protocol, "udp") == 0 ? PS_UDP
						       : 0;
	if (!f.protocols)
		return command_usage(&command_free, "`%s` is no protocol; say tcp or udp", f.protocol);
	/* A listener that a shell let us inherit would make this very process a holder. */
	close_range(STDERR_FILENO + 1, ~0u, 0);
	code = target_open(&f.target, &project, &error);
	if (!code)
		code = state_read(&f.state, NULL, 0, &error);
	f.order.target = &f.target;
	f.order.state = &f.state;
	if (code) {
		error_print(&error);
		goto out;
	}
	if (f.json) {
		json = output_json_start();
		f.ports = cJSON_AddArrayToObject(json, "ports");
	}
	code = free_all(&f, argc, argv);
	if (json && code != PS_EXIT_USAGE)
		code = output_json_print(json, code);
	else
		cJSON_Delete(json);
out:
	target_close(&f.target);
	state_free(&f.state);
	return code;
}

const struct ps_command command_free = {
	.name = "free",
	.summary = "End whoever holds a port",
	.help = help,
	.run = run,
};
