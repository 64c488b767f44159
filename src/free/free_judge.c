/*
 * free_judge.c - whether a process may be ended for its port.
 *
 * Theory of operation: a process is this project's if it is in a run of the project's environments, or if its working
 * directory is in the project and in none that lies deeper. Its run is what its environment variables said when it
 * started, else what the host table has about the port. A directory that cannot be told, or that is another
 * container's, is nobody's: then --force has to say that it is meant.
 */
#include "free.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <portshim/process.h>

#include "../cli/output.h"

#define VARIABLES_MAX (1u << 20)
#define ANCESTORS_MAX 1000

/* ---- what it must never be ---- */

static int32_t parent_of(int32_t pid)
{
	char path[32], line[256];
	int32_t parent = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "PPid: %d", &parent) == 1)
			break;
	if (file)
		fclose(file);
	return parent;
}

static bool is_ancestor(int32_t pid)
{
	int32_t at = getppid();

	for (unsigned i = 0; at > 0 && i < ANCESTORS_MAX; i++) {
		if (at == pid)
			return true;
		at = parent_of(at);
	}
	return false;
}

/* ---- the run that it is in ---- */

/* PORTSHIM_RUN of a process, or "". */
static void run_of(int32_t pid, char *value, size_t size)
{
	static const char name[] = "PORTSHIM_RUN=";
	char path[32], *text = malloc(VARIABLES_MAX + 1);
	size_t length;
	FILE *file;

	value[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	file = text ? fopen(path, "re") : NULL;
	if (!file) {
		free(text);
		return;
	}
	length = fread(text, 1, VARIABLES_MAX, file);
	text[length] = '\0';
	for (size_t at = 0; at < length; at += strlen(text + at) + 1)
		if (strncmp(text + at, name, strlen(name)) == 0)
			snprintf(value, size, "%s", text + at + strlen(name));
	fclose(file);
	free(text);
}

static const struct ps_scope *environment_of(const struct ps_free_process *p, uint16_t port,
					     const struct ps_state_now *state)
{
	const struct ps_assignment *a = state_actual(state, port);
	char run[PS_PATH_MAX], *slash;
	const struct ps_scope *scope;

	run_of(p->about.pid, run, sizeof(run));
	slash = strrchr(run, '/');
	if (slash && strncmp(slash, "/run-", 5) == 0) {
		*slash = '\0';
		scope = strcmp(run, state->runtime) == 0
				? state_scope(state, (uint32_t)strtoul(slash + 5, NULL, 16))
				: NULL;
		if (scope)
			return state_scope(state, scope->env);
	}
	return a && a->alive && process_pid(a->owner) == p->about.pid ? a->env : NULL;
}

/* ---- the project that it is in ---- */

static bool elsewhere(int32_t pid)
{
	static const char *const spaces[] = { "mnt", "pid" };
	char path[48], its[64], own[64];

	for (unsigned i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
		ssize_t length;

		snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, spaces[i]);
		length = readlink(path, its, sizeof(its) - 1);
		its[length > 0 ? length : 0] = '\0';
		snprintf(path, sizeof(path), "/proc/self/ns/%s", spaces[i]);
		length = readlink(path, own, sizeof(own) - 1);
		own[length > 0 ? length : 0] = '\0';
		if (its[0] && own[0] && strcmp(its, own) != 0)
			return true;
	}
	return false;
}

static bool has(const char *directory, const char *name)
{
	char path[PS_PATH_MAX + 64];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return access(path, F_OK) == 0;
}

/* True if the directory is the project's, or below it without another project in between. */
static bool in_project(const struct ps_target *t, const char *directory)
{
	size_t length = strlen(t->directory);
	bool marked = t->manifest[0] || has(t->directory, ".git");
	const char *home = getenv("HOME");
	char at[PS_PATH_MAX];

	if (strcmp(directory, t->directory) == 0)
		return true;
	/* Somebody who stands in the home directory does not stand in a project that all others are part of. */
	if (!marked && (length <= 1 || (home && strcmp(home, t->directory) == 0)))
		return false;
	if (strncmp(directory, t->directory, length) != 0 || directory[length] != '/')
		return false;
	snprintf(at, sizeof(at), "%s", directory);
	while (strlen(at) > length) {
		if (has(at, "ports.manifest.json") || has(at, "config/ports.manifest.json") ||
		    (!t->manifest[0] && has(at, ".git")))
			return false;
		*strrchr(at, '/') = '\0';
	}
	return true;
}

/* Programs that publish a container's ports: their end leaves a container that nobody reaches. */
static bool publishes(const char *command)
{
	static const char *const names[] = { "docker-proxy", "rootlessport", "rootlesskit", "conmon", "pasta",
					    "slirp4netns" };

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(command, names[i]) == 0)
			return true;
	return false;
}

__attribute__((format(printf, 4, 5))) static void refuse(struct ps_free_process *p, enum ps_free_verdict verdict,
							  const char *hint, const char *format, ...)
{
	va_list arguments;

	p->verdict = verdict;
	snprintf(p->hint, sizeof(p->hint), "%s", hint);
	va_start(arguments, format);
	vsnprintf(p->reason, sizeof(p->reason), format, arguments);
	va_end(arguments);
}

static void judge_unseen(struct ps_free_process *p)
{
	char user[64];

	if (p->uid != getuid() && geteuid() != 0)
		refuse(p, PS_FREE_NEVER, "root can see it: sudo portshim free PORT",
		       "a process of user %s, which cannot be seen from here",
		       output_clean(user, sizeof(user), p->about.user));
	else
		refuse(p, PS_FREE_NEVER,
		       "end it where it was started: `docker ps` and `podman ps` list containers with their ports",
		       "its process cannot be seen from here: it is in a container or another namespace, or the "
		       "kernel's own");
}

static void judge_project(struct ps_free_process *p, const struct ps_target *t)
{
	char directory[PS_PATH_MAX], clean[PS_NAME_MAX];

	if (p->env) {
		if (!target_sees(t, p->env->id) && strcmp(p->env->directory, t->directory) != 0)
			refuse(p, PS_FREE_ASK, "", "it is of another project: environment %s, %.120s",
			       output_clean(clean, sizeof(clean), p->env->name),
			       output_path(directory, sizeof(directory), p->env->directory));
	} else if (publishes(p->about.command)) {
		refuse(p, PS_FREE_ASK, "end the container: `docker ps` and `podman ps` list them with their ports",
		       "it publishes a port of a container");
	} else if (elsewhere(p->about.pid)) {
		refuse(p, PS_FREE_ASK, "", "it is in a container or another namespace");
	} else if (p->about.directory[0] != '/' || access(p->about.directory, F_OK) != 0) {
		refuse(p, PS_FREE_ASK, "", "its directory cannot be told, so it may be another project's");
	} else if (!in_project(t, p->about.directory)) {
		refuse(p, PS_FREE_ASK, "", "it is of another project: %.200s",
		       output_path(directory, sizeof(directory), p->about.directory));
	}
}

void free_judge(struct ps_free_process *p, uint16_t port, const struct ps_target *t, const struct ps_state_now *state)
{
	char user[64];

	p->verdict = PS_FREE_ALLOWED;
	p->reason[0] = p->hint[0] = '\0';
	if (!p->about.pid) {
		judge_unseen(p);
		return;
	}
	p->env = environment_of(p, port, state);
	if (p->about.pid == getpid() || is_ancestor(p->about.pid)) {
		refuse(p, PS_FREE_NEVER, "ask from another terminal", "this command was started by it");
		if (p->about.pid != 1)
			return;
	}
	if (p->about.pid == 1)
		refuse(p, PS_FREE_NEVER, "`systemctl list-sockets` shows the unit that listens; stop that",
		       "it is pid 1");
	else if (p->uid != getuid())
		refuse(p, PS_FREE_ASK, "", "it is a process of user %s",
		       output_clean(user, sizeof(user), p->about.user));
	else
		judge_project(p, t);
}
