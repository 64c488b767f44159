/*
 * cmd_why.c - `portshim why`: who holds a port, and what became of those who asked for it.
 *
 * Theory of operation: two questions are one to whoever asks. The number may be an actual port: then its holders are
 * what the kernel says, with the assignment if it is one of portshim's. And it may be a requested port: then the
 * assignments of this environment that asked for it tell where they went and why. Often it is both.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <portshim/discovery.h>
#include <portshim/process.h>

#include "command.h"
#include "holder.h"
#include "options.h"
#include "show.h"
#include "target.h"

#define HOLDERS_MAX 32

static const char help[] =
	"Examples:\n"
	"  portshim why 3000   who holds 3000, and where those went who asked for it\n"
	"  portshim why web    the same for the port of a service\n"
	"\n"
	"Usage: portshim why [OPTION...] PORT|SERVICE\n"
	"\n"
	"Tells the process that holds the port (pid, command, user, directory), for which environment, and\n"
	"what it had asked for; also of processes that do not run under portshim. If the port was asked for in\n"
	"this environment and is somewhere else, tells where and why.\n"
	"\n"
	"      --env NAME        the environment of that name instead of the project's\n"
	"      --profile PROFILE the project's environment of that profile\n"
	"      --manifest FILE   this manifest instead of the one found from here upward\n"
	"      --json            as JSON\n"
	"  -h, --help            this text\n"
	"\n"
	"Exit status: 0 if there is something to tell, 1 if nobody holds the port or asked for it, 2 usage,\n"
	"3 system.\n";

struct inquiry {
	struct ps_target target;
	struct ps_state_now state;
	struct ps_wanted wanted;
	struct ps_holder *holders;
	unsigned holder_count;
	const struct ps_assignment *assigned; /* the port is this one's actual port */
	const struct ps_assignment *found;    /* what a client here reaches by the operand */
	uint16_t asked;                       /* the port that it asks for */
};

/* An assignment that asked for the port and is somewhere else, in an environment that is seen from here. */
static bool went_elsewhere(const struct inquiry *q, const struct ps_assignment *a)
{
	return a->actual != q->wanted.port && target_sees(&q->target, a->env_id) &&
	       target_matches(&q->target, &q->wanted, a);
}

static unsigned asked_elsewhere(const struct inquiry *q)
{
	unsigned n = 0;

	for (size_t i = 0; i < q->state.count; i++)
		n += q->state.list[i].requested == q->wanted.port && q->state.list[i].actual != q->wanted.port &&
		     !target_sees(&q->target, q->state.list[i].env_id);
	return n;
}

/* The service of this project's manifest whose sources these are; NULL inside a run, which has no manifest at hand. */
static const struct ps_manifest_service *follower(const struct inquiry *q)
{
	const struct ps_manifest *m = q->target.project.manifest;

	for (size_t i = 0; m && q->wanted.from_count && i < m->service_count; i++)
		if (m->services[i].from && m->services[i].ports[0] == q->asked)
			return &m->services[i];
	return NULL;
}

/* Where the other project has it, in one of its checkouts: the one that clients are led to is q->found. */
static const struct ps_assignment *source_now(const struct inquiry *q, const struct ps_manifest_source *source)
{
	const struct ps_assignment *found = NULL;

	if (q->found && q->found->env_id == source->env && q->found->requested == source->port)
		return q->found;
	for (size_t i = 0; i < q->state.count; i++) {
		const struct ps_assignment *a = &q->state.list[i];

		if (a->env_id == source->env && a->requested == source->port &&
		    (!found || a->state == PS_LISTENING))
			found = a;
	}
	return found;
}

static cJSON *sources_json(const struct inquiry *q)
{
	const struct ps_manifest_service *s = follower(q);
	cJSON *list = cJSON_CreateArray();

	for (size_t i = 0; s && i < s->source_count; i++) {
		const struct ps_assignment *a = source_now(q, &s->sources[i]);
		cJSON *one = cJSON_CreateObject();

		output_json_text(one, "directory", s->sources[i].directory);
		output_json_text(one, "profile", s->sources[i].profile);
		cJSON_AddNumberToObject(one, "port", s->sources[i].port);
		if (a)
			cJSON_AddNumberToObject(one, "actual", a->actual);
		cJSON_AddBoolToObject(one, "listening", a && a->state == PS_LISTENING);
		cJSON_AddBoolToObject(one, "followed", a && a == q->found);
		cJSON_AddItemToArray(list, one);
	}
	return list;
}

static int print_json(const struct inquiry *q)
{
	cJSON *json = output_json_start(), *list;
	bool told = q->holder_count > 0 || q->assigned;

	if (!json)
		return output_json_print(json, 0);
	cJSON_AddNumberToObject(json, "port", q->wanted.port);
	list = cJSON_AddArrayToObject(json, "holders");
	for (unsigned i = 0; list && i < q->holder_count; i++) {
		const struct ps_holder *h = &q->holders[i];
		cJSON *one = cJSON_CreateObject();

		cJSON_AddStringToObject(one, "protocol", show_protocols(h->socket.protocol));
		cJSON_AddNumberToObject(one, "process_id", h->pid);
		output_json_text(one, "command", h->command);
		output_json_text(one, "command_line", h->line);
		output_json_text(one, "user", h->user);
		output_json_text(one, "directory", h->directory);
		cJSON_AddNumberToObject(one, "started", (double)h->started);
		cJSON_AddItemToArray(list, one);
	}
	if (q->assigned)
		cJSON_AddItemToObject(json, "assignment", show_json(q->assigned));
	else
		cJSON_AddNullToObject(json, "assignment");
	list = cJSON_AddArrayToObject(json, "elsewhere");
	for (size_t i = 0; list && i < q->state.count; i++) {
		if (!went_elsewhere(q, &q->state.list[i]))
			continue;
		cJSON_AddItemToArray(list, show_json(&q->state.list[i]));
		told = true;
	}
	cJSON_AddItemToObject(json, "sources", sources_json(q));
	return output_json_print(json, told ? PS_EXIT_YES : PS_EXIT_NO);
}

static void print_process(const struct ps_holder *h)
{
	show_process(h, NULL);
	if (!h->pid && h->socket.uid != getuid())
		show_field("note", "other users' processes can be seen by root only: sudo portshim why PORT");
}

/* "environment shop-b", that a run is in; "another run" if it is over. */
static const char *name_run(const struct inquiry *q, uint32_t id, char *text, size_t size)
{
	const struct ps_scope *run = state_scope(&q->state, id), *env = run ? state_scope(&q->state, run->env) : NULL;

	snprintf(text, size, "%s%s", env ? "environment " : "another run", env ? env->name : "");
	return text;
}

/* The run that gave the port up for this assignment's, 0 if that is over. */
static uint32_t find_yielder(const struct inquiry *q, const struct ps_assignment *a)
{
	for (size_t i = 0; i < q->state.scope_count; i++) {
		const struct ps_scope *run = q->state.scopes[i];

		if (run->yielded == a->actual && run->yielded_for == a->run_id)
			return run->id;
	}
	return 0;
}

/* "asked for 3000, which was taken; got a free one of the default range" */
static void print_story(const struct inquiry *q, const struct ps_assignment *a)
{
	char text[256], cause[128], age[24], name[96];

	show_cause(cause, a);
	if (a->run && a->requested != a->actual && a->run->yielded == a->requested)
		snprintf(cause, sizeof(cause), "yielded it to %s",
			 name_run(q, a->run->yielded_for, name, sizeof(name)));
	if (a->reason == PS_REASON_YIELDED)
		snprintf(text, sizeof(text), "%u, and got it: %s yielded it", a->requested,
			 name_run(q, find_yielder(q, a), name, sizeof(name)));
	else if (a->requested == a->actual)
		snprintf(text, sizeof(text), "%u, and got it", a->requested);
	else if (a->requested == 0)
		snprintf(text, sizeof(text), "any port");
	else
		snprintf(text, sizeof(text), "%u%s%s; got %u, %s", a->requested, cause[0] ? ", but " : "", cause,
			 a->actual, show_reason(a->reason));
	show_field("asked for", text);
	snprintf(text, sizeof(text), "%s, for %s",
		 a->state == PS_LISTENING ? "listening" : "held, does not listen now", output_age(age, show_age(a)));
	show_field("state", text);
}

static void print_environment(const struct ps_assignment *a)
{
	char path[256], text[512];

	if (!a->env) {
		show_field("environment", "one whose file is gone");
		return;
	}
	snprintf(text, sizeof(text), "%s, %s", a->env->name, output_path(path, sizeof(path), a->env->directory));
	show_field("environment", text);
	show_field("service", a->service);
}

/* True if the process is one that the assignment is about: one of several workers may have recorded it. */
static bool is_assigned(const struct inquiry *q, const struct ps_holder *h)
{
	return q->assigned && (h->socket.protocol & q->assigned->protocols || !q->assigned->protocols);
}

static void print_holder(const struct inquiry *q, const struct ps_holder *h)
{
	char phrase[PS_HOLDER_PHRASE];

	holder_phrase(h, phrase);
	printf("%u (%s) is %s\n", q->wanted.port, show_protocols(h->socket.protocol), phrase);
	print_process(h);
	if (is_assigned(q, h)) {
		print_environment(q->assigned);
		print_story(q, q->assigned);
	} else if (h->socket.uid != getuid()) {
		show_field("environment", "none of yours");
	} else {
		show_field("environment", "none: it does not run under portshim");
	}
}

/* Held without a listener: bound only, or its program restarts. */
static void print_held(const struct inquiry *q)
{
	const struct ps_assignment *a = q->assigned;
	struct ps_holder owner = {0};

	printf("%u is kept by portshim\n", q->wanted.port);
	print_environment(a);
	print_story(q, a);
	if (a->alive && holder_process(&owner, process_pid(a->owner)))
		print_process(&owner);
}

static void print_elsewhere(const struct inquiry *q, const struct ps_assignment *a)
{
	struct ps_holder owner = {0};
	char phrase[PS_HOLDER_PHRASE];

	printf("%s%sin environment %s is on %u\n", a->service, a->service[0] ? " " : "what asked for it ",
	       a->env ? a->env->name : "-", a->actual);
	if (a->alive && holder_process(&owner, process_pid(a->owner))) {
		holder_phrase(&owner, phrase);
		show_field("process", phrase + strlen("held by "));
	}
	print_story(q, a);
	if (!q->holder_count && a->cause == EADDRINUSE)
		show_field("note",
			   "whoever had it is gone; a restart keeps the port that it has now, as clients know it");
}

static void print_sources(const struct inquiry *q)
{
	const struct ps_manifest_service *s = follower(q);
	char path[PS_PATH_MAX], text[2 * PS_PATH_MAX], where[64];

	if (!s)
		return;
	printf("\n%s is from %s\n", s->name, s->from);
	for (size_t i = 0; i < s->source_count; i++) {
		const struct ps_manifest_source *one = &s->sources[i];
		const struct ps_assignment *a = source_now(q, one);

		if (a)
			snprintf(where, sizeof(where), "%s on %u", a->state == PS_LISTENING ? "listens" : "held", a->actual);
		else
			snprintf(where, sizeof(where), "does not run");
		snprintf(text, sizeof(text), "%s%s%s, where it is %u: %s", output_path(path, sizeof(path), one->directory),
			 one->profile[0] ? ", profile " : "", one->profile, one->port, where);
		show_field(a && a == q->found ? "followed" : "not followed", text);
	}
}

static void print_nothing(const struct inquiry *q)
{
	int first = 0;
	FILE *file;

	fprintf(stderr, "portshim: nobody listens on %u, and nothing in environment %s asked for it\n",
		q->wanted.port, q->target.name);
	file = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re");
	if (file && fscanf(file, "%d", &first) == 1 && q->wanted.port < first)
		fprintf(stderr,
			"hint: ports below %d need a privilege; under portshim an ordinary user gets another\n",
			first);
	if (file)
		fclose(file);
}

static int print_text(const struct inquiry *q)
{
	unsigned told = 0, others = asked_elsewhere(q);

	for (unsigned i = 0; i < q->holder_count; i++) {
		if (told++)
			putchar('\n');
		print_holder(q, &q->holders[i]);
	}
	if (q->assigned && !q->holder_count) {
		print_held(q);
		told++;
	}
	for (size_t i = 0; i < q->state.count; i++) {
		if (!went_elsewhere(q, &q->state.list[i]))
			continue;
		if (told++)
			putchar('\n');
		print_elsewhere(q, &q->state.list[i]);
	}
	if (!told)
		print_nothing(q);
	print_sources(q);
	if (others)
		fprintf(stderr, "hint: %u other environment%s asked for %u too: see `portshim status --all %u`\n",
			others, others == 1 ? "" : "s", q->wanted.port, q->wanted.port);
	return told ? PS_EXIT_YES : PS_EXIT_NO;
}

static int ask(struct inquiry *q, const char *operand, const struct ps_project_options *project,
	       struct ps_error *error)
{
	const struct ps_assignment *a;
	int code = target_open(&q->target, project, error), count;

	if (!code)
		code = state_read(&q->state, NULL, 0, error);
	if (!code)
		code = target_wanted(&q->target, &q->state, operand, &q->wanted, error);
	if (code)
		return code;
	a = target_find(&q->target, &q->state, &q->wanted);
	q->found = a;
	q->asked = q->wanted.port;
	/* Another project's number is nothing that anybody here has heard of: where it is now. */
	if (a && target_follows(&q->wanted, a))
		q->wanted.port = a->actual;
	else if (!q->wanted.by_number && a)
		q->wanted.port = a->requested ? a->requested : a->actual;
	q->assigned = state_actual(&q->state, q->wanted.port);
	q->holders = calloc(HOLDERS_MAX, sizeof(*q->holders));
	if (!q->holders)
		return error_set(error, PS_EXIT_SYSTEM, "out of memory");
	count = holder_list(q->wanted.port, PS_TCP | PS_UDP, q->holders, HOLDERS_MAX);
	if (count < 0) {
		error_set(error, PS_EXIT_SYSTEM, "the kernel does not say who listens: %s", strerror(-count));
		return error_hint(error, "sock_diag and /proc/net are both closed to this process");
	}
	q->holder_count = (unsigned)count;
	return 0;
}

static int run(int argc, char **argv)
{
	struct ps_project_options project = {0};
	struct ps_error error = {0};
	struct inquiry q = {0};
	bool json = false;
	const struct ps_option options[] = {
		{.name = "env", .argument = "NAME", .value = &project.env},
		{.name = "profile", .argument = "PROFILE", .value = &project.profile},
		{.name = "manifest", .argument = "FILE", .value = &project.manifest},
		{.name = "json", .flag = &json},
		{.name = NULL},
	};
	int code;

	if (!options_parse(&command_why, options, 0, &argc, &argv, &code))
		return code;
	if (argc != 1)
		return command_usage(&command_why, "one port or service is wanted");
	code = ask(&q, argv[0], &project, &error);
	if (code)
		error_print(&error);
	else
		code = json ? print_json(&q) : print_text(&q);
	free(q.holders);
	target_close(&q.target);
	state_free(&q.state);
	return code;
}

const struct ps_command command_why = {
	.name = "why",
	.summary = "Who holds a port, and why something was moved",
	.help = help,
	.run = run,
};
