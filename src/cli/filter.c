/*
 * filter.c - whether a run's program is started under the filter of src/notify.
 *
 * Theory of operation: the library reaches what the dynamic loader starts, the filter everything else. It is on unless
 * something speaks against it:
 *
 *	the user               --static=off, or $PORTSHIM_STATIC, which runs inside a run inherit
 *	a run around this one  has it already: a process can have one such filter only. Its worker serves this run's
 *	                       processes too; the library needs the same pass for its own calls. Sockets of another
 *	                       network namespace it lets alone: its own look at ports (core/kernel.h) is at other ports
 *	the program itself     gains rights when it starts (sudo, ping). An ordinary user's filter goes with no_new_privs
 *	                       (prctl(2)), under which it would gain none, and sudo does nothing at all then
 *	the system             notify_possible() says why
 *
 * The last one is said once, by the outermost run: a person who finds that a Go server was not moved must be able to
 * see why. Who knows it sets PORTSHIM_STATIC=off.
 */
#include "filter.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>

#include "../notify/notify.h"
#include "../notify/probe.h"

#define WHY_MAX 256

const char filter_elsewhere[] =
	"the filter of the run around this one is another network namespace's, and there can be only one";

int filter_mode(const char *text, enum ps_static *mode, struct ps_error *error)
{
	static const char *const names[] = {
		[PS_STATIC_OFF] = "off", [PS_STATIC_AUTO] = "auto", [PS_STATIC_ON] = "on"};
	const char *from = "--static ", *near;

	if (!text) {
		text = getenv("PORTSHIM_STATIC");
		from = "PORTSHIM_STATIC=";
	}
	*mode = PS_STATIC_DEFAULT;
	if (!text || !*text)
		return 0;
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) == 0) {
			*mode = (enum ps_static)i;
			return 0;
		}
	}
	near = error_suggest(text, names, sizeof(names) / sizeof(names[0]));
	error_set(error, PS_EXIT_FAILED, "%s%s: there is no such mode", from, text);
	if (near)
		return error_hint(error, "did you mean `%s`?", near);
	return error_hint(error, "it is auto, on or off");
}

static bool is_elsewhere(const char *runtime)
{
	struct ps_host *host;

	return space_open_host(runtime, &host) == -EXDEV;
}

/* What the run that this process is in has. Its worker serves everything below it, also when the run itself is over,
 * and whatever its runtime directory is. */
bool filter_inherit(struct ps_filter *filter)
{
	const char *path = getenv("PORTSHIM_RUN");
	char runtime[PS_RUNTIME_MAX];
	struct ps_scope *run;
	uint32_t id;

	/* The variable may have come here without the filter, copied from a terminal into another one. */
	if (!path || space_split(path, runtime, &id) != 0 || space_open_scope(runtime, id, &run) != 0)
		return false;
	filter->told = !run->pass;
	filter->inherited = run->pass && run->flags & PS_SCOPE_STATIC &&
			    prctl(PR_GET_SECCOMP, 0L, 0L, 0L, 0L) == SECCOMP_MODE_FILTER;
	filter->pass = run->pass;
	filter->barred = filter->inherited && run->flags & PS_SCOPE_BARRED;
	filter->elsewhere = filter->inherited && is_elsewhere(runtime);
	if (!filter->inherited)
		filter->pass = 0;
	space_close_scope(run);
	return filter->inherited;
}

static bool has_no_new_privs(void)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0L, 0L, 0L, 0L) == 1;
}

bool filter_bars(void)
{
	return notify_unprivileged() && !has_no_new_privs();
}

/* True if an ordinary user's filter takes from the program what it is for. */
static bool is_spoilt(const struct ps_program *program)
{
	return (program->setid || program->capabilities) && filter_bars();
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int refuse(const char *why, struct ps_error *error)
{
	error_set(error, PS_EXIT_FAILED, "--static=on cannot be had: %s", why);
	return error_hint(error, "with --static=auto, what loads the library is reached all the same");
}

static void tell(const char *why)
{
	fprintf(stderr, "portshim: static and Go programs are not reached: %s (--static=off: as it is)\n", why);
}

int filter_error(int refused, struct ps_error *error)
{
	char why[WHY_MAX];

	notify_refusal(refused, why, sizeof(why));
	return refuse(why, error);
}

int filter_choose(struct ps_filter *filter, enum ps_static mode, bool quiet, const struct ps_program *program,
		  struct ps_error *error)
{
	char why[WHY_MAX];

	filter->mode = PS_STATIC_OFF;
	if (filter_inherit(filter)) {
		if (filter->elsewhere && mode == PS_STATIC_ON)
			return refuse(filter_elsewhere, error);
		if (filter->elsewhere && mode == PS_STATIC_AUTO && !quiet)
			tell(filter_elsewhere);
		return 0;
	}
	if (mode == PS_STATIC_OFF || (mode == PS_STATIC_AUTO && is_spoilt(program)))
		return 0;
	if (notify_possible(why, sizeof(why)) != 0) {
		if (mode == PS_STATIC_ON)
			return refuse(why, error);
		if (!quiet && !filter->told)
			tell(why);
		return 0;
	}
	filter->pass = space_pass();
	filter->barred = filter_bars();
	filter->mode = mode;
	if (!quiet && is_spoilt(program))
		fprintf(stderr, "portshim: %s does not get the rights of its file: a filter is in force; --static=off "
			"gives them back\n", base_name(program->path));
	return 0;
}
