/*
 * elsewhere.c - whoever asks about the project and has started its servers under a profile is told so.
 *
 * Theory of operation: the environments of one project have the same directory. Each is named by the option that
 * chooses it; private ones, which nobody can choose, are left out.
 */
#include "elsewhere.h"

#include <stdio.h>
#include <string.h>

#define SHOWN 4

/* "--profile test"; "" if no option leads there. */
static void option_for(const struct ps_target *target, const struct ps_scope *env, char *text, size_t size)
{
	char key[PS_PATH_MAX + PS_NAME_MAX + 8];

	text[0] = '\0';
	snprintf(key, sizeof(key), "name:%s", env->name);
	if (space_env_id(target->runtime, key) == env->id) {
		snprintf(text, size, "--env %s", env->name);
		return;
	}
	snprintf(key, sizeof(key), "dir:%s%s%s", env->directory, env->profile[0] ? "#" : "", env->profile);
	if (space_env_id(target->runtime, key) == env->id)
		snprintf(text, size, "--profile%s%s", env->profile[0] ? " " : "=", env->profile);
}

static bool is_elsewhere(const struct ps_target *target, const struct ps_wanted *wanted, const struct ps_assignment *a)
{
	return a->env && a->env_id != target->env && !(a->env->flags & PS_SCOPE_PRIVATE) &&
	       strcmp(a->env->directory, target->directory) == 0 && (!wanted || target_matches(target, wanted, a));
}

void elsewhere_hint(const struct ps_target *target, const struct ps_wanted *wanted)
{
	struct ps_state_now state = {0};
	struct ps_error ignored = {0};
	const char *start = wanted ? "hint: this project has it with " : "hint: this project has something with ";
	const struct ps_scope *last = NULL;
	char option[PS_NAME_MAX + 16];
	unsigned count = 0;

	if (target->in_run || state_read(&state, NULL, 0, &ignored))
		goto out;
	/* Sorted by environment. */
	for (size_t i = 0; i < state.count; i++) {
		const struct ps_assignment *a = &state.list[i];

		if (a->env == last || !is_elsewhere(target, wanted, a))
			continue;
		last = a->env;
		option_for(target, a->env, option, sizeof(option));
		if (option[0] && count++ < SHOWN)
			fprintf(stderr, "%s%s", count == 1 ? start : ", ", option);
	}
	if (count)
		fprintf(stderr, "%s; `portshim status --all` lists everything\n", count > SHOWN ? ", ..." : "");
out:
	state_free(&state);
}
