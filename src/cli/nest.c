/*
 * nest.c - runs inside runs, and doors between environments.
 *
 * Theory of operation: the chain of a run lists the scopes that its clients look in after the run itself, nearest
 * first.
 *
 *	outermost                    own environment
 *	inside, same environment     outer run, then the outer run's chain (the environment is in it)
 *	inside, other environment    own environment, outer run, then the outer run's chain
 *	--isolate                    own environment, and nothing of what is around it
 *	--allow                      at the end of any of these
 *
 * A scope is named once, where it comes first. The chain has room for PS_CHAIN_MAX scopes, which is deeper than
 * anybody nests; what does not fit is the farthest, and is said.
 */
#include "nest.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ps_scope *nest_outer(const char *runtime)
{
	const char *path = getenv("PORTSHIM_RUN");
	struct ps_scope *run;
	size_t length = strlen(runtime);
	char *end;
	unsigned long id;

	if (!path || strncmp(path, runtime, length) != 0 || strncmp(path + length, "/run-", 5) != 0)
		return NULL;
	id = strtoul(path + length + 5, &end, 16);
	if (*end || end != path + length + 13 || id & PS_ENV_BIT || space_open_scope(runtime, (uint32_t)id, &run) != 0)
		return NULL;
	if (run->flags & PS_SCOPE_RETIRED) {
		space_close_scope(run);
		return NULL;
	}
	return run;
}

bool nest_stays(const char *runtime, const struct ps_scope *outer, const struct ps_launch_options *options,
		const struct ps_project *project)
{
	char key[PS_NAME_MAX + 8];
	struct ps_scope *env;
	bool stays;

	if (!outer || options->project.isolate || options->project.env ||
	    space_open_scope(runtime, outer->env, &env) != 0)
		return false;
	snprintf(key, sizeof(key), "name:%s", env->name);
	stays = env->flags & PS_SCOPE_PRIVATE ||
		(space_env_id(runtime, key) == env->id && strncmp(project->key, "name:", 5) != 0);
	space_close_scope(env);
	return stays;
}

/* False if there is no room. */
static bool add(uint32_t chain[PS_CHAIN_MAX], uint32_t id)
{
	int i;

	for (i = 0; i < PS_CHAIN_MAX && chain[i]; i++)
		if (chain[i] == id)
			return true;
	if (i == PS_CHAIN_MAX)
		return false;
	chain[i] = id;
	return true;
}

void nest_chain(uint32_t chain[PS_CHAIN_MAX], uint32_t env, const struct ps_scope *outer, bool isolated, bool quiet)
{
	bool fits = true;

	memset(chain, 0, PS_CHAIN_MAX * sizeof(*chain));
	if (!outer || isolated || outer->env != env)
		add(chain, env);
	if (!outer || isolated)
		return;
	add(chain, outer->id);
	for (int i = 0; i < PS_CHAIN_MAX && outer->chain[i]; i++)
		fits &= add(chain, outer->chain[i]);
	for (int i = 0; i < PS_CHAIN_MAX && chain[i] != env; i++)
		if (i == PS_CHAIN_MAX - 1)
			chain[i] = env; /* the nearest runs of this environment filled it all */
	if (!fits && !quiet)
		fprintf(stderr, "portshim: more than %d runs inside one another: the outermost are out of reach\n",
			PS_CHAIN_MAX);
}

void nest_environments(const char *runtime, bool (*each)(const struct ps_scope *env, void *context), void *context)
{
	DIR *directory = opendir(runtime);
	struct dirent *entry;
	bool more = true;

	while (more && directory && (entry = readdir(directory))) {
		struct ps_scope *env;
		unsigned long id;
		char *end;

		if (strncmp(entry->d_name, "env-", 4) != 0 || strlen(entry->d_name) != 12)
			continue;
		id = strtoul(entry->d_name + 4, &end, 16);
		if (*end || space_open_scope(runtime, (uint32_t)id, &env) != 0)
			continue;
		more = each(env, context);
		space_close_scope(env);
	}
	if (directory)
		closedir(directory);
}

#define NAMES_MAX 64

struct wanted {
	const char *name;
	char path[PATH_MAX]; /* of a directory that --allow names, or "" */
	uint32_t id;         /* found */
	unsigned count;
	char text[1024];     /* the ones found, for the error */
	char names[NAMES_MAX][PS_NAME_MAX];
	unsigned name_count;
};

static bool match(const struct ps_scope *env, void *context)
{
	struct wanted *w = context;
	char id[16];
	size_t used = strlen(w->text);

	if (w->name_count < NAMES_MAX)
		snprintf(w->names[w->name_count++], PS_NAME_MAX, "%s", env->name);
	snprintf(id, sizeof(id), "%08x", env->id);
	if (strcmp(w->name, id) == 0) {
		w->id = env->id;
		w->count = 1;
		return false;
	}
	if (strcmp(w->name, env->name) != 0 && (!w->path[0] || env->profile[0] || strcmp(w->path, env->directory) != 0))
		return true;
	w->id = env->id;
	w->count++;
	snprintf(w->text + used, sizeof(w->text) - used, "%s%s in %s", used ? ", " : "", id, env->directory);
	return true;
}

static int allow_one(uint32_t chain[PS_CHAIN_MAX], const char *runtime, const char *name, struct ps_error *error)
{
	const char *names[NAMES_MAX], *near;
	struct wanted *w = calloc(1, sizeof(*w));

	if (!w)
		return error_set(error, PS_EXIT_FAILED, "out of memory");
	w->name = name;
	if (strchr(name, '/') && !realpath(name, w->path))
		w->path[0] = '\0';
	nest_environments(runtime, match, w);
	if (w->count == 1) {
		if (!add(chain, w->id))
			error_set(error, PS_EXIT_FAILED, "--allow %s: more than %d environments", name, PS_CHAIN_MAX);
	} else if (w->count > 1) {
		error_set(error, PS_EXIT_FAILED, "--allow %s: several environments have this name: %s", name, w->text);
		error_hint(error, "name one of them by its number or its directory");
	} else {
		for (unsigned i = 0; i < w->name_count; i++)
			names[i] = w->names[i];
		near = error_suggest(name, names, w->name_count);
		error_set(error, PS_EXIT_FAILED, "--allow %s: there is no such environment", name);
		if (near)
			error_hint(error, "did you mean `%s`?", near);
		else
			error_hint(error, "`portshim status --all` lists them; one appears with its first run");
	}
	free(w);
	return error->code;
}

int nest_allow(uint32_t chain[PS_CHAIN_MAX], const char *runtime, const struct ps_option_list *allow,
	       struct ps_error *error)
{
	int code = 0;

	for (unsigned i = 0; !code && i < allow->count; i++)
		code = allow_one(chain, runtime, allow->value[i], error);
	return code;
}
