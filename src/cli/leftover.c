/*
 * leftover.c - the files of runs that nobody cleared away.
 *
 * Theory of operation: a run under `portshim run` is cleared away by its keeper. One under `portshim exec`, or whose
 * keeper was killed, leaves its file, which is a few pages of memory; a script that calls exec a thousand times would
 * leave a thousand. So now and then a launch looks over all of them.
 *
 * A run is over when its root process is dead and no process carries its PORTSHIM_RUN: what went into the background
 * and has not bound yet still needs the file. A process that moved to another PORTSHIM_RUN or none (setenv, then
 * fork) has it mapped and goes on. Records that listen keep their run, whoever serves them. Very young runs are left
 * alone: a process that is just being started carries nothing yet.
 */
#include "leftover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <portshim/discovery.h>
#include <portshim/process.h>
#include <portshim/registry.h>

#include "../keeper/keeper.h"
#include "owner.h"

#define RUNS_MAX 1024 /* in one sweep; the others wait for the next */
#define YOUNG_SECONDS 5
#define ENVIRON_MAX (256 * 1024)

struct leftover {
	uint32_t id;
	bool carried;
};

struct leftovers {
	struct leftover list[RUNS_MAX];
	unsigned count;
	char block[ENVIRON_MAX + 1];
};

static uint32_t parse_id(const char *text, char end)
{
	char *rest;
	unsigned long id = strtoul(text, &rest, 16);

	return rest == text + 8 && *rest == end && !(id & PS_ENV_BIT) ? (uint32_t)id : 0;
}

/* True if the run's root is dead, as far as the first bytes of its file say. */
static bool is_rootless(int directory, const char *name)
{
	struct {
		char bytes[offsetof(struct ps_scope, plan_size)];
	} start;
	uint64_t root, created;
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t size;

	if (fd < 0)
		return false;
	size = pread(fd, &start, sizeof(start), 0);
	close(fd);
	if (size != (ssize_t)sizeof(start))
		return false;
	memcpy(&root, start.bytes + offsetof(struct ps_scope, root), sizeof(root));
	memcpy(&created, start.bytes + offsetof(struct ps_scope, created), sizeof(created));
	return created + YOUNG_SECONDS < (uint64_t)time(NULL) && !process_alive(root);
}

static int compare(const void *a, const void *b)
{
	uint32_t x = ((const struct leftover *)a)->id, y = ((const struct leftover *)b)->id;

	return x < y ? -1 : x > y;
}

/* A file that was being made when its maker was killed (space.c names it by thread), or that has its real name already. */
static void remove_unfinished(int directory, const char *name)
{
	struct stat st;

	if (strlen(name) == 20 && process_of((int32_t)strtoul(name + 12, NULL, 16)) == 0 &&
	    fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (st.st_nlink > 1 || st.st_mtime + YOUNG_SECONDS < time(NULL)))
		unlinkat(directory, name, 0);
}

static void collect(struct leftovers *l, const char *runtime)
{
	DIR *directory = opendir(runtime);
	struct dirent *entry;

	while (directory && l->count < RUNS_MAX && (entry = readdir(directory))) {
		uint32_t id = strncmp(entry->d_name, "run-", 4) == 0 ? parse_id(entry->d_name + 4, '\0') : 0;

		if (id && is_rootless(dirfd(directory), entry->d_name))
			l->list[l->count++] = (struct leftover){ .id = id };
		else if (strncmp(entry->d_name, "tmp-", 4) == 0)
			remove_unfinished(dirfd(directory), entry->d_name);
	}
	if (directory)
		closedir(directory);
	qsort(l->list, l->count, sizeof(*l->list), compare);
}

static void mark(struct leftovers *l, const char *value)
{
	const char *slash = strrchr(value, '/');
	struct leftover key = { 0 }, *found;

	if (!slash || strncmp(slash, "/run-", 5) != 0)
		return;
	key.id = parse_id(slash + 5, '\0');
	found = bsearch(&key, l->list, l->count, sizeof(*l->list), compare);
	if (found)
		found->carried = true;
}

static void mark_block(struct leftovers *l, size_t size)
{
	l->block[size] = '\0';
	for (char *at = l->block, *end = at + size; at < end; at += strlen(at) + 1)
		if (strncmp(at, "PORTSHIM_RUN=", 13) == 0)
			mark(l, at + 13);
}

/* False if nobody can tell. The environment of other users' processes cannot be read; they do not use this
 * directory. */
static bool mark_carried(struct leftovers *l)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	if (!proc)
		return false;
	while ((entry = readdir(proc))) {
		char path[64];
		size_t size = 0;
		ssize_t got;
		int fd;

		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "%.20s/environ", entry->d_name);
		fd = openat(dirfd(proc), path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		while (size < ENVIRON_MAX && (got = read(fd, l->block + size, ENVIRON_MAX - size)) > 0)
			size += (size_t)got;
		close(fd);
		mark_block(l, size);
	}
	closedir(proc);
	return true;
}

static bool has_records(const struct ps_space *space)
{
	FOR_EACH_SET(port, space->env->actual) {
		uint64_t head = host_head(space->host, port);

		if (head_env(head) == space->env->id && head_state(head) != PS_FREE &&
		    space->host->record[port].run == space->run->id)
			return true;
	}
	return false;
}

static bool remove_run(const char *runtime, uint32_t id)
{
	char path[PS_RUNTIME_MAX + 16];
	struct ps_space space;
	bool removed = false;
	int error;

	space_scope_path(runtime, id, path);
	error = space_open(&space, path);
	if (error == -ENOENT) /* the environment is gone: nobody can use the run any more */
		return space_unlink_scope(runtime, id) == 0;
	if (error)
		return false;
	registry_sweep(space.host, space.run, space.env, true);
	owner_renew(space.host, space.run, space.env);
	if (discovery_outdated(space.host, space.env))
		tidy_redraw(&space);
	if (!has_records(&space))
		removed = space_unlink_scope(runtime, id) == 0;
	space_close(&space);
	return removed;
}

unsigned leftover_sweep(const char *runtime)
{
	struct leftovers *l = malloc(sizeof(*l));
	unsigned removed = 0;

	if (!l)
		return 0;
	l->count = 0;
	collect(l, runtime);
	if (l->count && mark_carried(l))
		for (unsigned i = 0; i < l->count; i++)
			removed += !l->list[i].carried && remove_run(runtime, l->list[i].id);
	free(l);
	return removed;
}
