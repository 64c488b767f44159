/*
 * cmd_wait.c - `portshim wait`: returns when services listen.
 *
 * Theory of operation: whoever publishes an assignment touches the file of its environment, after the record is
 * written. So: watch the file, then look, then sleep until the watch reports something, and look again. An event
 * between look and sleep is not lost, because the watch was there before the look. The watch is set anew before every
 * look: a file that was removed meanwhile (which touches it too) is made again and watched. No clock is involved, but
 * for the timeout.
 *
 * With --healthy, a service that listens is asked as well (health/survey.h), once when it begins to listen and then
 * once per interval of its check, until the answer is good: an answer is nobody's event.
 *
 * Services that the manifest calls external are nobody's record, and the kernel tells nobody when a socket begins to
 * listen: those, and only those, are asked for ten times a second.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include <portshim/registry.h>

#include "../health/survey.h"
#include "command.h"
#include "detected.h"
#include "duration.h"
#include "holder.h"
#include "options.h"
#include "output.h"
#include "place.h"
#include "target.h"

#define EXTERNAL_MS 100
#define TALK_MS 1000
#define LAST_MS 100
#define DEFAULT_TIMEOUT "60s"

static const char help[] =
	"Examples:\n"
	"  portshim wait web                    until web listens\n"
	"  portshim wait web api --timeout 30s  until both do, or half a minute has passed\n"
	"  portshim wait --any 3000 3001        until one of them does\n"
	"  portshim wait --healthy web db       until both answer as they should\n"
	"\n"
	"Usage: portshim wait [OPTION...] SERVICE|PORT...\n"
	"\n"
	"Returns when all of the services listen in this environment. It need not exist yet.\n"
	"\n"
	"      --timeout TIME    like 30s, 500ms, 2m; 0 looks once; `forever`; otherwise " DEFAULT_TIMEOUT "\n"
	"      --any             one of them is enough\n"
	"      --healthy         until they are also healthy: see portshim health\n"
	"  -q, --quiet           say nothing\n"
	"      --env NAME        the environment of that name instead of the project's\n"
	"      --profile PROFILE the project's environment of that profile\n"
	"      --manifest FILE   this manifest instead of the one found from here upward\n"
	"  -h, --help            this text\n"
	"\n"
	"Exit status: 0 when they do, 1 if the time ran out before, 2 usage, 3 system.\n";

struct waiting {
	struct ps_target target;
	struct ps_host *host;
	struct ps_wanted *wanted;
	bool *there; /* which of them listen, and are healthy if that is wanted */
	struct ps_health_row *rows; /* how they are, if that is wanted */
	struct ps_probe *verdict;   /* the last one of each that our own end did not cut short */
	unsigned count;
	bool any, quiet, external, healthy;
	int64_t *due;      /* ms: when they may be asked again */
	int64_t ask_again; /* the first of those */
	bool talked;
	const char *timeout_text;
	int64_t timeout; /* ms; -1 for ever */
	int64_t start;
	int inotify;
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Makes the project's environment if nobody has run anything in it, so that there is a file to watch. */
static int make_env(const struct ps_target *t)
{
	char discovery[PS_PATH_MAX];
	struct ps_scope_spec spec = {
		.key = t->project.key,
		.name = t->project.name,
		.project = t->project.project,
		.profile = t->project.profile,
		.directory = t->project.directory,
		.discovery = discovery,
	};
	struct ps_scope *scope;
	int result;

	place_discovery(&t->project, t->runtime, t->env, discovery);
	result = space_open_env(t->runtime, &spec, &scope);
	if (result == 0)
		space_close_scope(scope);
	return result;
}

static int watch(struct waiting *w, uint32_t env)
{
	char path[PS_RUNTIME_MAX + 16];
	int result = 0;

	space_scope_path(w->target.runtime, env, path);
	for (unsigned tries = 0; tries < 10; tries++) {
		if (inotify_add_watch(w->inotify, path, PS_POKED | IN_DELETE_SELF) >= 0)
			return 0;
		if (errno != ENOENT)
			return -errno;
		if (w->target.in_run)
			return 0; /* an environment around this run that is over; or our own, with us */
		result = make_env(&w->target);
		if (result < 0)
			return result;
	}
	return result;
}

static int watch_all(struct waiting *w)
{
	int result = 0;

	if (!w->target.in_run)
		return watch(w, w->target.env);
	for (uint32_t i = 0; i < w->target.space.env_count && result == 0; i++)
		result = watch(w, w->target.space.envs[i]);
	return result;
}

static bool one_is_enough(const struct ps_listener *listener, void *context)
{
	(void)listener;
	(void)context;
	return false;
}

static bool listens(const struct waiting *w, const struct ps_wanted *wanted)
{
	if (wanted->external)
		return kernel_listeners(wanted->port, PS_TCP | PS_UDP, one_is_enough, NULL) > 0;
	FOR_EACH_SET(port, w->host->owned) {
		uint64_t head = host_head(w->host, port);
		struct ps_assignment a;

		if (head_state(head) != PS_LISTENING ||
		    (!target_sees(&w->target, head_env(head)) && !target_from(wanted, head_env(head))))
			continue;
		if (state_record(&a, w->host, port) && a.state == PS_LISTENING &&
		    (target_follows(wanted, &a) ||
		     (target_sees(&w->target, a.env_id) && target_matches(&w->target, wanted, &a))) &&
		    registry_listening(w->host, port))
			return true;
	}
	return false;
}

/* A question that our own end cut short tells nothing about a server that has answered before. */
static void conclude(struct waiting *w, unsigned i)
{
	const struct ps_probe *now = &w->rows[i].probe;
	struct ps_probe *verdict = &w->verdict[i];

	w->there[i] = w->there[i] || now->status == PS_HEALTHY;
	if (!now->cut || verdict->port != now->port || verdict->status == PS_DOWN)
		*verdict = *now;
}

/* Asks those that listen and were not healthy, or not there, when they were asked last. */
static int ask(struct waiting *w, struct ps_error *error)
{
	int64_t now = now_ms(), left = w->timeout > 0 ? w->start + w->timeout - now : -1;
	struct ps_state_now state = {0};
	int code = target_state(&w->target, &state, error);

	if (!code)
		code = detected_add(&w->target, &state, error);
	for (unsigned i = 0; i < w->count && !code; i++) {
		struct ps_health_row row;

		code = survey_wanted(&row, &w->target, &state, w->wanted[i].text, error);
		if (code || w->there[i] || (row.port == w->rows[i].port && now < w->due[i])) {
			w->rows[i].ask = false;
			continue;
		}
		w->rows[i] = row;
		/* One that is started without portshim is nobody's event either. */
		w->due[i] = now + (row.port ? row.check.interval : TALK_MS);
	}
	/* The last answer may come a little late, and so may we. */
	if (!code && !survey_ask(w->rows, w->count, w->timeout > 0 && left < LAST_MS ? LAST_MS : left))
		code = error_set(error, PS_EXIT_SYSTEM, "out of memory");
	w->ask_again = INT64_MAX;
	for (unsigned i = 0; i < w->count && !code; i++) {
		conclude(w, i);
		if (!w->there[i] && w->due[i] < w->ask_again)
			w->ask_again = w->due[i];
	}
	state_free(&state);
	return code;
}

static bool satisfied(struct waiting *w)
{
	unsigned there = 0;

	for (unsigned i = 0; i < w->count; i++) {
		if (!w->healthy)
			w->there[i] = listens(w, &w->wanted[i]);
		there += w->there[i];
	}
	return w->any ? there > 0 : there == w->count;
}

static void label(char *text, size_t size, const struct ps_wanted *wanted)
{
	if (wanted->by_number || !wanted->port)
		snprintf(text, size, "%s", wanted->text);
	else
		snprintf(text, size, "%s (%u)", wanted->text, wanted->port);
}

static void talk(struct waiting *w)
{
	w->talked = true;
	if (w->quiet || !isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "portshim: waiting for");
	for (unsigned i = 0; i < w->count; i++) {
		char text[128];

		label(text, sizeof(text), &w->wanted[i]);
		if (!w->there[i])
			fprintf(stderr, " %s", text);
	}
	fprintf(stderr, " in environment %s\n", w->target.name);
}

/* Why nothing came: most often the server was started without portshim, or in another directory. */
static void explain(const struct waiting *w, const struct ps_wanted *wanted, bool assigned)
{
	char phrase[PS_HOLDER_PHRASE];
	struct ps_holder holder;

	if (!wanted->port || wanted->external || assigned || !holder_find(wanted->port, PS_TCP | PS_UDP, &holder))
		return;
	holder_phrase(&holder, phrase);
	fprintf(stderr, "hint: %u is %s, but not for environment %s; see `portshim why %u`\n", wanted->port, phrase,
		w->target.name, wanted->port);
}

static int give_up(const struct waiting *w)
{
	for (unsigned i = 0; i < w->count && !w->quiet; i++) {
		char text[128];

		if (w->there[i])
			continue;
		label(text, sizeof(text), &w->wanted[i]);
		if (w->healthy)
			fprintf(stderr, "portshim: %s is not healthy in environment %s: %s, %s\n", text,
				w->target.name, probe_status(w->verdict[i].status), w->verdict[i].detail);
		else if (w->timeout == 0)
			fprintf(stderr, "portshim: %s does not listen in environment %s\n", text, w->target.name);
		else
			fprintf(stderr, "portshim: %s did not listen in environment %s within %s%s\n", text,
				w->target.name, w->timeout_text,
				strspn(w->timeout_text, "0123456789.") == strlen(w->timeout_text) ? "s" : "");
		explain(w, &w->wanted[i], w->healthy && w->rows[i].port);
	}
	return PS_EXIT_NO;
}

/* Milliseconds to sleep at most; -1 for ever. 0: the time has run out. */
static int64_t patience(struct waiting *w)
{
	int64_t passed = now_ms() - w->start, left = w->timeout < 0 ? -1 : w->timeout - passed;

	if (w->timeout >= 0 && left <= 0)
		return 0;
	if (!w->talked && passed >= TALK_MS)
		talk(w);
	if (!w->talked && (left < 0 || left > TALK_MS - passed))
		left = TALK_MS - passed;
	if (w->external && (left < 0 || left > EXTERNAL_MS))
		left = EXTERNAL_MS;
	if (w->healthy && w->ask_again < INT64_MAX) {
		int64_t until = w->ask_again - now_ms();

		until = until < 1 ? 1 : until;
		left = left < 0 || left > until ? until : left;
	}
	return left;
}

static int sleep_until_touched(struct waiting *w, int64_t ms)
{
	struct pollfd p = {.fd = w->inotify, .events = POLLIN};
	char events[4096] __attribute__((aligned(8)));
	int result;

	result = poll(&p, 1, ms > 1 << 30 ? 1 << 30 : (int)ms);
	if (result < 0 && errno != EINTR)
		return -errno;
	if (result > 0 && read(w->inotify, events, sizeof(events)) < 0 && errno != EAGAIN && errno != EINTR)
		return -errno;
	return 0;
}

static int wait_for_all(struct waiting *w, struct ps_error *error)
{
	int result;

	w->start = now_ms();
	w->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->inotify < 0) {
		error_set(error, PS_EXIT_SYSTEM, "cannot watch for changes: %s", strerror(errno));
		return error_hint(error, "fs.inotify.max_user_instances limits how many programs can watch at once");
	}
	for (;;) {
		int64_t ms;

		result = watch_all(w);
		if (result < 0)
			return error_set(error, PS_EXIT_SYSTEM, "cannot watch environment %s: %s", w->target.name,
					 strerror(-result));
		if (w->healthy && ask(w, error))
			return error->code;
		if (satisfied(w))
			return PS_EXIT_YES;
		ms = patience(w);
		if (ms == 0)
			return give_up(w);
		result = sleep_until_touched(w, ms);
		if (result < 0)
			return error_set(error, PS_EXIT_SYSTEM, "cannot wait: %s", strerror(-result));
	}
}

static int prepare(struct waiting *w, const struct ps_project_options *project, int argc, char **argv,
		   struct ps_error *error)
{
	struct ps_state_now state = {0};
	int code = target_open(&w->target, project, error);

	if (!code)
		code = target_state(&w->target, &state, error);
	w->host = state.host;
	w->wanted = calloc((size_t)argc, sizeof(*w->wanted));
	w->there = calloc((size_t)argc, sizeof(*w->there));
	w->rows = calloc(w->healthy ? (size_t)argc : 1, sizeof(*w->rows));
	w->verdict = calloc(w->healthy ? (size_t)argc : 1, sizeof(*w->verdict));
	w->due = calloc((size_t)argc, sizeof(*w->due));
	if (!code && (!w->wanted || !w->there || !w->rows || !w->verdict || !w->due))
		code = error_set(error, PS_EXIT_SYSTEM, "out of memory");
	for (int i = 0; i < argc && w->wanted && !code; i++) {
		code = target_wanted(&w->target, &state, argv[i], &w->wanted[i], error);
		/* Nor does the environment of another project tell us. */
		w->external = w->external || w->wanted[i].external || w->wanted[i].from_count;
	}
	w->count = (unsigned)argc;
	state_free(&state);
	return code;
}

static int run(int argc, char **argv)
{
	struct waiting w = {.inotify = -1, .timeout_text = DEFAULT_TIMEOUT};
	struct ps_project_options project = {0};
	struct ps_error error = {0};
	const struct ps_option options[] = {
		{.name = "timeout", .argument = "TIME", .value = &w.timeout_text},
		{.name = "any", .flag = &w.any},
		{.name = "healthy", .flag = &w.healthy},
		{.name = "quiet", .letter = 'q', .flag = &w.quiet},
		{.name = "env", .argument = "NAME", .value = &project.env},
		{.name = "profile", .argument = "PROFILE", .value = &project.profile},
		{.name = "manifest", .argument = "FILE", .value = &project.manifest},
		{.name = NULL},
	};
	int code;

	if (!options_parse(&command_wait, options, 0, &argc, &argv, &code))
		return code;
	if (argc == 0)
		return command_usage(&command_wait, "at least one service or port is wanted");
	if (!duration_parse(w.timeout_text, &w.timeout))
		return command_usage(&command_wait, "`%s` is no time; say 30s, 500ms, 2m or forever", w.timeout_text);
	code = prepare(&w, &project, argc, argv, &error);
	if (!code)
		code = wait_for_all(&w, &error);
	if (error.code)
		error_print(&error);
	if (w.inotify >= 0)
		close(w.inotify);
	free(w.wanted);
	free(w.there);
	free(w.rows);
	free(w.verdict);
	free(w.due);
	target_close(&w.target);
	return code;
}

const struct ps_command command_wait = {
	.name = "wait",
	.summary = "Wait until services listen",
	.help = help,
	.run = run,
};
