/*
 * notices.c - what the keeper says on stderr.
 *
 * Theory of operation: a port that moved is announced once, when it first listens there, with who holds the wanted
 * one: that is the moment in which a person wonders. Events that the shim left in the run's ring (scope.h) are told
 * once for each port, or once for each kind. Each notice is one line and one write(2), so that it is not mixed with
 * the program's output.
 *
 * stderr may be a pipe that nobody reads or a terminal that is held by Ctrl-S, and the keeper must never wait for it:
 * it has signals to pass on. What cannot be written at once is tried again at the next look.
 */
#include "keeper.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <portshim/candidates.h>
#include <portshim/discovery.h>
#include <portshim/process.h>
#include <portshim/registry.h>

#include "../cli/holder.h"
#include "../cli/output.h"
#include "../notify/probe.h"

#define LINE_ROOM 2048
#define NAMED_MAX 3 /* of the candidates that are taken as well */
#define ENV_ROOM (PS_NAME_MAX + 320)

static bool say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* False if it has to wait. A stderr that is gone for good swallows everything. */
static bool say(const char *format, ...)
{
	struct pollfd fd = { STDERR_FILENO, POLLOUT, 0 };
	char line[LINE_ROOM];
	va_list ap;
	int length;

	if (poll(&fd, 1, 0) == 0)
		return false;
	va_start(ap, format);
	length = vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	if (length >= (int)sizeof(line)) {
		length = sizeof(line) - 1;
		line[length - 1] = '\n';
	}
	return write(STDERR_FILENO, line, (size_t)length) >= 0 || errno != EAGAIN;
}

/* ---- who holds a port ---- */

/* "environment shop-b", or with the directory where the name alone would not tell it from our own. */
static void describe_env(const struct ps_space *space, uint32_t id, char *name, char *text)
{
	char path[256];
	struct ps_scope *env;

	name[0] = '\0';
	if (id == space->env->id) {
		snprintf(text, ENV_ROOM, "another run of this environment");
		return;
	}
	if (space_open_scope(space->runtime, id, &env) != 0) {
		snprintf(text, ENV_ROOM, "another environment");
		return;
	}
	output_clean(name, PS_NAME_MAX, env->name);
	if (strcmp(env->name, space->env->name) == 0) {
		snprintf(text, ENV_ROOM, "environment %s, %s", name, output_path(path, sizeof(path), env->directory));
		snprintf(name, PS_NAME_MAX, "%08x", id);
	} else {
		snprintf(text, ENV_ROOM, "environment %s", name);
	}
	space_close_scope(env);
}

/* The owner of a record of ours, without a search through /proc. False if it does not live any more. */
static bool find_ours(const struct ps_space *space, uint16_t port, struct ps_holder *holder, uint32_t *env)
{
	uint64_t head = host_head(space->host, port), owner;

	if (head_state(head) < PS_HELD)
		return false;
	owner = space->host->record[port].owner;
	if (!process_alive(owner) || !holder_process(holder, process_pid(owner)))
		return false;
	*env = head_env(head);
	return true;
}

/* "3000 is held by node, pid 812, ~/shop" */
static void describe_holder(const struct ps_space *space, uint16_t port, char *text, size_t size)
{
	char phrase[PS_HOLDER_PHRASE], where[ENV_ROOM], name[PS_NAME_MAX];
	struct ps_holder holder;
	uint32_t env;

	memset(&holder, 0, sizeof(holder));
	if (find_ours(space, port, &holder, &env)) {
		describe_env(space, env, name, where);
		snprintf(text, size, "%u is held by %s, pid %d, in %s", port, holder.command, (int)holder.pid, where);
	} else if (holder_find(port, PS_TCP | PS_UDP, &holder)) {
		holder_phrase(&holder, phrase);
		snprintf(text, size, "%u is %s", port, phrase);
	} else {
		snprintf(text, size, "%u was taken a moment ago", port);
	}
}

static void describe_cause(const struct ps_space *space, uint16_t requested, uint8_t cause, char *text, size_t size)
{
	if (cause == EACCES || cause == EPERM)
		snprintf(text, size, " (%u needs a privilege that this user does not have)", requested);
	else if (space->env->flags & PS_SCOPE_PRIVATE)
		snprintf(text, size, " (private environment)");
	else if (cause == 0 && space->plan && bitmap_get(space->plan->foreign, requested))
		snprintf(text, size, " (another project declares %u)", requested);
	else if (cause == 0)
		text[0] = '\0';
	else {
		char holder[LINE_ROOM / 2];

		describe_holder(space, requested, holder, sizeof(holder));
		snprintf(text, size, " (%s)", holder);
	}
}

/* ---- ports ---- */

static bool announce(const struct ps_keeper *keeper, uint16_t actual, uint16_t requested)
{
	const struct ps_record *record = &keeper->space->host->record[actual];
	char service[PS_SERVICE_MAX], cause[LINE_ROOM / 2 + 8];
	const char *space;

	if ((actual == requested && !keeper->verbose) || !record_is_whole(record))
		return true;
	output_clean(service, sizeof(service), record->service);
	space = service[0] ? " " : "";
	if (actual == requested)
		return say("portshim: %s%s%u%s\n", service, space, actual, record->reason == PS_REASON_EPHEMERAL ?
			   " (chosen by the kernel)" : "");
	describe_cause(keeper->space, requested, record->cause, cause, sizeof(cause));
	return say("portshim: %s%s%u -> %u%s\n", service, space, requested, actual, cause);
}

static void look_at_ports(struct ps_keeper *keeper)
{
	const struct ps_space *space = keeper->space;

	keeper->recorded = 0;
	FOR_EACH_SET(port, space->env->actual) {
		uint64_t head = host_head(space->host, port);

		if (head_env(head) != space->env->id || head_state(head) != PS_LISTENING ||
		    space->host->record[port].run != space->run->id)
			continue;
		keeper->recorded++;
		keeper->ever = true;
		if (!keeper->quiet && !bitmap_get(keeper->told, port) &&
		    announce(keeper, port, head_requested(head)))
			bitmap_set(keeper->told, port);
	}
}

/* ---- events ---- */

static void tell_refused(struct ps_keeper *keeper, uint16_t port)
{
	const struct ps_space *space = keeper->space;
	char where[ENV_ROOM], name[PS_NAME_MAX], who[96] = "", how[PS_NAME_MAX + 32] = "";
	struct ps_holder holder;
	uint32_t env;

	if (bitmap_get(keeper->refused, port))
		return;
	bitmap_set(keeper->refused, port);
	memset(&holder, 0, sizeof(holder));
	if (find_ours(space, port, &holder, &env)) {
		snprintf(who, sizeof(who), " (%s, pid %d)", holder.command, (int)holder.pid);
	} else {
		env = head_env(host_head(space->host, port));
		if (!env) {
			say("portshim: connect to %u refused: it belonged to another environment\n", port);
			return;
		}
	}
	describe_env(space, env, name, where);
	if (name[0])
		snprintf(how, sizeof(how), "; --allow %s opens the door", name);
	say("portshim: connect to %u refused: it belongs to %s%s%s\n", port, where, who, how);
}

/* The rules that the program had; of several services that match rules tell apart, those of the first one. */
static struct ps_rules rules_of(const struct ps_plan *plan, uint16_t port)
{
	const struct ps_subject anybody = { .command = "", .args = "", .directory = "" };
	struct ps_rules rules = plan_rules(plan, port, &anybody);
	const struct ps_plan_port *first;

	if (!rules.service && plan && plan_find(plan, port, &first) > 0) {
		rules.service = plan_service(plan, first->service);
		rules.fixed = rules.service->flags & PS_SERVICE_FIXED;
		rules.os = rules.service->flags & PS_SERVICE_OS;
		rules.strategy = rules.service->strategy;
	}
	return rules;
}

/* "; 4000 by node, pid 812, ~/shop; 4001 by ...; 97 more are taken, too" */
static void describe_others(const struct ps_space *space, const struct ps_rules *rules, uint16_t port, char *text,
			    size_t size)
{
	struct ps_candidates c;
	enum ps_reason reason;
	unsigned others = 0;
	uint16_t other;

	text[0] = '\0';
	candidates_start(&c, space->plan, *rules, space->env->id, port, 0, true);
	while (candidates_next(&c, &other, &reason)) {
		char holder[LINE_ROOM / 4];
		size_t used = strlen(text);

		if (other == port || other == 0 || ++others > NAMED_MAX)
			continue;
		describe_holder(space, other, holder, sizeof(holder));
		snprintf(text + used, size - used, "; %s", holder);
	}
	if (others > NAMED_MAX)
		snprintf(text + strlen(text), size - strlen(text), "; %u more are taken, too", others - NAMED_MAX);
	else if (rules->fixed && !others)
		snprintf(text, size, "; \"fallback\" is false, so no other is tried");
}

static void tell_exhausted(struct ps_keeper *keeper, uint16_t port, int error)
{
	const struct ps_space *space = keeper->space;
	struct ps_rules rules = rules_of(space->plan, port);
	char holder[LINE_ROOM / 4], others[NAMED_MAX * LINE_ROOM / 4 + 64], service[PS_SERVICE_MAX] = "";

	if (rules.service)
		output_clean(service, sizeof(service), plan_string(space->plan, rules.service->name));
	describe_holder(space, port, holder, sizeof(holder));
	describe_others(space, &rules, port, others, sizeof(others));
	say("portshim: no port is left for %s%s%u: %s%s; the program got: %s\n"
	    "hint: `portshim why %u` says more, `portshim free %u` ends who holds it, with --force also others\n",
	    service, service[0] ? " " : "", port, holder, others, strerror(error < 0 ? -error : error), port, port);
}

/* Why a run of ours that has the port keeps it. */
static void describe_refusal(const struct ps_space *space, uint16_t port, int error, char *text, size_t size)
{
	const struct ps_record *record = &space->host->record[port];
	struct ps_scope *run;
	const struct ps_plan *plan;
	const char *why;

	if (space_open_scope(space->runtime, record->run, &run) != 0) {
		snprintf(text, size, "its run is over");
		return;
	}
	plan = run->plan_size ? (const struct ps_plan *)(run + 1) : NULL;
	if (!(run->flags & PS_SCOPE_KEPT))
		why = "it has no keeper that could start it again";
	else if (!plan_check(plan, run->plan_size) || !record_is_whole(record) || !plan_yields(plan, record->service))
		why = "its manifest does not say \"yields\": true";
	else if (error == ETIMEDOUT)
		why = "its keeper did not answer";
	else if (error == ESRCH || want_hope(run) == -ESRCH)
		why = "its keeper is gone";
	else
		why = "it did not yield";
	snprintf(text, size, "%s", why);
	space_close_scope(run);
}

/* "environment shop-b, ~/shop-b" */
static void describe_place(const struct ps_space *space, uint32_t id, char *text)
{
	char path[256], name[PS_NAME_MAX];
	struct ps_scope *env;

	if (id == space->env->id || space_open_scope(space->runtime, id, &env) != 0) {
		describe_env(space, id, name, text);
		return;
	}
	output_clean(name, sizeof(name), env->name);
	snprintf(text, ENV_ROOM, "environment %s, %s", name, output_path(path, sizeof(path), env->directory));
	space_close_scope(env);
}

static void tell_unyielded(const struct ps_space *space, uint16_t port, int error)
{
	char holder[LINE_ROOM - 128], where[ENV_ROOM], why[96];
	struct ps_holder process;
	uint32_t env;

	memset(&process, 0, sizeof(process));
	if (find_ours(space, port, &process, &env)) {
		describe_place(space, env, where);
		describe_refusal(space, port, error, why, sizeof(why));
		snprintf(holder, sizeof(holder), "%u is held by %s, pid %d, in %s: %s", port, process.command,
			 (int)process.pid, where, why);
	} else {
		describe_holder(space, port, holder, sizeof(holder));
	}
	say("portshim: %s; the program got: %s\n"
	    "hint: `portshim why %u` says more, `portshim free %u` ends who holds it, with --force also others\n",
	    holder, strerror(EADDRINUSE), port, port);
}

void notices_yield(struct ps_keeper *keeper)
{
	const struct ps_space *space = keeper->space;
	const struct ps_wish *wish = &keeper->yield.wish;
	const struct ps_record *record = &space->host->record[wish->port];
	char service[PS_SERVICE_MAX], where[ENV_ROOM];
	struct ps_holder process;
	struct ps_scope *run;

	if (keeper->quiet)
		return;
	memset(&process, 0, sizeof(process));
	if (!holder_process(&process, process_pid(wish->by)))
		snprintf(process.command, sizeof(process.command), "a program");
	snprintf(where, sizeof(where), "another run");
	if (space_open_scope(space->runtime, wish->run, &run) == 0) {
		describe_place(space, run->env, where);
		space_close_scope(run);
	}
	output_clean(service, sizeof(service), record->service);
	say("portshim: %s%s%u is yielded to %s, pid %d, in %s; %s is started again\n", service, service[0] ? " " : "",
	    (unsigned)wish->port, process.command, process_pid(wish->by), where, keeper->argv[0]);
}

void notices_unfiltered(struct ps_keeper *keeper)
{
	char why[256];

	if (keeper->quiet || keeper->filter.told)
		return;
	notify_refusal(keeper->filter.refused, why, sizeof(why));
	say("portshim: static and Go programs are not reached: %s (--static=off: as it is)\n", why);
}

void notices_failed(struct ps_keeper *keeper, int error)
{
	say("portshim: cannot start %s again: %s\n", keeper->argv[0], strerror(error));
}

static void tell_unasked(unsigned port, int error)
{
	if (port)
		say("portshim: %u is not mapped: the kernel does not say who listens there: %s\n", port, strerror(error));
	else
		say("portshim: a server is not recorded: the kernel does not say its port: %s\n", strerror(error));
}

#define NAME_ROOM (4 * PS_NAMED_MAX)

/* A name that came with an event, for a terminal. */
static const char *event_name(const _Atomic uint64_t names[PS_NAMED][2], const struct ps_event *event, char shown[NAME_ROOM])
{
	uint64_t words[2];
	char name[sizeof(words)];

	for (int i = 0; i < 2; i++)
		words[i] = names[event->port % PS_NAMED][i];
	memcpy(name, words, sizeof(name));
	name[sizeof(name) - 1] = '\0';
	return output_clean(shown, NAME_ROOM, name);
}

static void tell_escaped(const struct ps_space *space, const struct ps_event *event)
{
	char name[NAME_ROOM];

	say("portshim: %s (pid %d) cannot be reached: it is not dumpable, so nobody may read it; its ports are as it asks\n",
	    event_name(space->run->escaped, event, name), (int)event->pid);
}

static void tell_unprivileged(const struct ps_space *space, const struct ps_event *event)
{
	char name[NAME_ROOM];

	say("portshim: %s does not get the rights of its file: the filter that reaches static programs forbids it; "
	    "--static=off gives them back\n", event_name(space->run->barred, event, name));
}

static bool is_first(struct ps_keeper *keeper, unsigned kind)
{
	bool first = !(keeper->kinds & 1u << kind);

	keeper->kinds |= 1u << kind;
	return first;
}

static void tell(struct ps_keeper *keeper, const struct ps_event *event)
{
	int error = event->error < 0 ? -event->error : event->error;
	char path[256];

	switch ((enum ps_event_kind)event->kind) {
	case PS_EVENT_REFUSED:
		tell_refused(keeper, event->port);
		break;
	case PS_EVENT_EXHAUSTED:
		tell_exhausted(keeper, event->port, error);
		break;
	case PS_EVENT_UNYIELDED:
		tell_unyielded(keeper->space, event->port, error);
		break;
	case PS_EVENT_UNRECORDED:
		if (is_first(keeper, event->kind))
			say("portshim: the discovery file %s cannot be written: %s\n",
			    output_path(path, sizeof(path), keeper->space->env->discovery), strerror(error));
		break;
	case PS_EVENT_UNNAMED:
		if (is_first(keeper, event->kind))
			say("portshim: the discovery file %s cannot be written: %s\n",
			    output_path(path, sizeof(path), discovery_service_path(keeper->space, event->port)),
			    error == ENOENT ? "its directory is missing; make it" : strerror(error));
		break;
	case PS_EVENT_UNMAPPED:
		if (is_first(keeper, event->kind))
			say("portshim: %u is not mapped: the registry cannot be written: %s\n", (unsigned)event->port,
			    strerror(error));
		break;
	case PS_EVENT_UNASKED:
		if (is_first(keeper, event->kind))
			tell_unasked(event->port, error);
		break;
	case PS_EVENT_UNMOVED:
		if (is_first(keeper, event->kind))
			say("portshim: %u is not mapped: another program listened there first, and the socket cannot be replaced: %s\n",
			    (unsigned)event->port, strerror(error));
		break;
	case PS_EVENT_LOCKED:
		if (is_first(keeper, event->kind))
			say("portshim: the registry stayed locked (by a stopped process?); pid %d went on without it\n",
			    (int)event->pid);
		break;
	case PS_EVENT_ESCAPED:
		tell_escaped(keeper->space, event);
		break;
	case PS_EVENT_UNPRIVILEGED:
		tell_unprivileged(keeper->space, event);
		break;
	default:
		break;
	}
}

/* What a server could not write, because it has another user, root directory or limit, we often can. Else `error` says
 * why not even we. */
static bool is_mended(struct ps_keeper *keeper, struct ps_event *event)
{
	if (event->kind != PS_EVENT_UNRECORDED && event->kind != PS_EVENT_UNNAMED)
		return false;
	event->error = tidy_draw(keeper->space, event->port);
	event->kind = event->error < 0 ? PS_EVENT_UNRECORDED : PS_EVENT_UNNAMED;
	return event->error == 0;
}

static void look_at_events(struct ps_keeper *keeper)
{
	struct ps_scope *run = keeper->space->run;
	uint32_t last = atomic_load(&run->events), first = keeper->events + 1;

	if (last - keeper->events > PS_EVENTS)
		first = last - PS_EVENTS + 1; /* the older ones are overwritten */
	for (uint32_t sequence = first; sequence != last + 1; sequence++) {
		const struct ps_event *slot = &run->event[sequence % PS_EVENTS];
		struct ps_event event = { .kind = PS_EVENT_NONE };

		if (atomic_load(&slot->sequence) == sequence) {
			event.kind = slot->kind;
			event.port = slot->port;
			event.error = slot->error;
			event.pid = slot->pid;
		}
		if (atomic_load(&slot->sequence) == sequence && !is_mended(keeper, &event) && !keeper->quiet)
			tell(keeper, &event);
	}
	keeper->events = last;
}

void notices_update(struct ps_keeper *keeper)
{
	look_at_ports(keeper);
	look_at_events(keeper);
}
