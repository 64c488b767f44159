/*
 * known.c - the projects of this user that portshim has met.
 *
 * Theory of operation
 *
 * Whatever finds a manifest by itself notes it, also `portshim run`, at every start: so noting costs a symlink(2) that
 * fails with EEXIST, and a utimensat(2) for the time, and nothing is read or flushed. The name of the link is a hash of
 * the path; of two paths with one hash (64 bits) the first is known.
 *
 * What is known is only a hint: it is looked at again whenever it is used. A link whose manifest is gone is removed
 * then; the project is noted anew when it is used again.
 */
#include "known.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <portshim/space.h>

#define PROJECTS "projects"

/* ---- the state directory ---- */

static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] == '/' ? value : NULL;
}

static int state_directory(char *path)
{
	static const struct {
		const char *variable, *below;
	} places[] = {
		{ "PORTSHIM_STATE_DIR", "" },
		{ "PORTSHIM_RUNTIME_DIR", "/state" },
		{ "XDG_STATE_HOME", "/portshim" },
		{ "HOME", "/.local/state/portshim" },
	};

	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		const char *value = variable(places[i].variable);
		int length = value ? snprintf(path, PS_PATH_MAX, "%s%s", value, places[i].below) : 0;

		if (value)
			return length < PS_PATH_MAX ? 0 : -ENAMETOOLONG;
	}
	return -ENOENT;
}

int known_path(const char *folder, const char *name, char *path)
{
	int error = state_directory(path);
	size_t length = error ? 0 : strlen(path);

	if (error)
		return error;
	if (length + strlen(folder) + strlen(name) + 3 > PS_PATH_MAX)
		return -ENAMETOOLONG;
	sprintf(path + length, "/%s/%s", folder, name);
	return 0;
}

/* Makes what is missing of the directory that the path lies in. 0 or a negative errno. */
static int make_parents(const char *path)
{
	char part[PS_PATH_MAX];

	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
		if (mkdir(part, 0700) != 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

int known_link(const char *target, const char *path)
{
	int error;

	if (symlink(target, path) == 0)
		return 0;
	if (errno != ENOENT)
		return -errno;
	error = make_parents(path);
	if (error)
		return error;
	return symlink(target, path) == 0 ? 0 : -errno;
}

/* ---- noting ---- */

/* FNV-1a. */
static uint64_t hash(const char *text)
{
	uint64_t result = UINT64_C(14695981039346656037);

	for (; *text; text++)
		result = (result ^ (uint8_t)*text) * UINT64_C(1099511628211);
	return result;
}

static int link_of(const char *manifest_path, char *path)
{
	char name[24];

	snprintf(name, sizeof(name), "%016llx", (unsigned long long)hash(manifest_path));
	return known_path(PROJECTS, name, path);
}

void known_note(const char *manifest_path)
{
	char path[PS_PATH_MAX];
	int before = errno;

	if (link_of(manifest_path, path) == 0 && known_link(manifest_path, path) == -EEXIST)
		utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW);
	errno = before;
}

int known_forget(const char *manifest_path)
{
	char path[PS_PATH_MAX];
	int error = link_of(manifest_path, path);

	if (error)
		return error;
	return unlink(path) == 0 ? 0 : -errno;
}

/* ---- reading ---- */

static int by_project(const void *a, const void *b)
{
	const struct ps_known *x = a, *y = b;
	int order = strcmp(x->project, y->project);

	return order ? order : strcmp(x->directory, y->directory);
}

static void name_project(struct ps_known *k)
{
	const char *base = strrchr(k->directory, '/');

	snprintf(k->project, sizeof(k->project), "%s",
		 k->manifest && k->manifest->project ? k->manifest->project
		 : base && base[1]		     ? base + 1
						     : "root");
}

/* Fills one from its link. False for one that is not to be listed. */
static bool read_one(struct ps_known *k, const char *link, int *error_number)
{
	char target[PS_PATH_MAX];
	ssize_t length = readlink(link, target, sizeof(target) - 1);
	struct ps_error error = { 0 };
	struct stat st;

	if (length <= 0 || lstat(link, &st) != 0)
		return false;
	target[length] = '\0';
	if (target[0] != '/')
		return false;
	if (access(target, F_OK) != 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			unlink(link);
		return false;
	}
	*k = (struct ps_known){ .path = strdup(target), .used = st.st_mtim };
	if (!k->path) {
		*error_number = ENOMEM;
		return false;
	}
	if (manifest_directory(target, k->directory) != 0)
		k->directory[0] = '\0';
	if (manifest_load(&k->manifest, target, NULL, NULL, &error) != 0)
		k->problem = strdup(error.text);
	else if (k->manifest->profile_count)
		k->views = calloc(k->manifest->profile_count, sizeof(struct ps_manifest *));
	name_project(k);
	return true;
}

void known_prune(void)
{
	char folder[PS_PATH_MAX], path[PS_PATH_MAX + NAME_MAX + 2];
	struct dirent *entry;
	DIR *directory;

	if (known_path(PROJECTS, "", folder) != 0 || !(directory = opendir(folder)))
		return;
	while ((entry = readdir(directory)) != NULL) {
		snprintf(path, sizeof(path), "%s%s", folder, entry->d_name);
		if (entry->d_type == DT_LNK && access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
			unlink(path);
	}
	closedir(directory);
}

static bool grow(struct ps_known_list *known)
{
	struct ps_known *bigger;

	if (known->count < known->room)
		return true;
	bigger = realloc(known->list, (known->room * 2 + 16) * sizeof(*bigger));
	if (!bigger)
		return false;
	known->list = bigger;
	known->room = known->room * 2 + 16;
	return true;
}

int known_read(struct ps_known_list *known, struct ps_error *error)
{
	char folder[PS_PATH_MAX], path[PS_PATH_MAX + NAME_MAX + 2];
	struct dirent *entry;
	int number = 0;
	DIR *directory;

	*known = (struct ps_known_list){ 0 };
	if (known_path(PROJECTS, "", folder) != 0 || !(directory = opendir(folder)))
		return 0; /* nothing is known */
	while (!number && (entry = readdir(directory)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s%s", folder, entry->d_name);
		if (!grow(known))
			number = ENOMEM;
		else if (read_one(&known->list[known->count], path, &number))
			known->count++;
	}
	closedir(directory);
	if (number)
		return error_set(error, PS_EXIT_SYSTEM, "cannot read the known projects: %s", strerror(number));
	if (known->count)
		qsort(known->list, known->count, sizeof(*known->list), by_project);
	return 0;
}

void known_free(struct ps_known_list *known)
{
	for (size_t i = 0; i < known->count; i++) {
		free(known->list[i].path);
		free(known->list[i].problem);
		for (size_t v = 0; known->list[i].views && v < known->list[i].manifest->profile_count; v++)
			manifest_free(known->list[i].views[v]);
		free(known->list[i].views);
		manifest_free(known->list[i].manifest);
	}
	free(known->list);
	*known = (struct ps_known_list){ 0 };
}

/* ---- looking up ---- */

/* The later one first; of two that were used at once, in the order of the list. */
static bool is_later(const struct ps_known *a, const struct ps_known *b)
{
	if (a->used.tv_sec != b->used.tv_sec)
		return a->used.tv_sec > b->used.tv_sec;
	if (a->used.tv_nsec != b->used.tv_nsec)
		return a->used.tv_nsec > b->used.tv_nsec;
	return a < b;
}

/* Of those with this name the one that has `nth` later ones. */
static const struct ps_known *nth_project(const struct ps_known_list *known, const char *name, size_t nth)
{
	for (size_t i = 0; i < known->count; i++) {
		size_t later = 0;

		if (strcmp(known->list[i].project, name) != 0)
			continue;
		for (size_t k = 0; k < known->count; k++)
			later += k != i && strcmp(known->list[k].project, name) == 0 &&
				 is_later(&known->list[k], &known->list[i]);
		if (later == nth)
			return &known->list[i];
	}
	return NULL;
}

const struct ps_known *known_project(const struct ps_known_list *known, const char *name)
{
	return nth_project(known, name, 0);
}

const struct ps_manifest *known_view(const struct ps_known *project, const char *profile)
{
	struct ps_manifest *manifest = project->manifest;
	struct ps_error ignored = { 0 };

	if (!manifest || !profile[0])
		return manifest;
	for (size_t i = 0; project->views && i < manifest->profile_count; i++) {
		if (strcmp(manifest->profiles[i], profile) != 0)
			continue;
		if (!project->views[i])
			manifest_load(&project->views[i], project->path, profile, NULL, &ignored);
		return project->views[i];
	}
	return NULL;
}

bool known_source(const struct ps_known_list *known, const char *text, const char *profile, size_t nth,
		  struct ps_known_source *source)
{
	size_t length = strcspn(text, "#/");
	const char *slash = strchr(text, '/');
	char name[PS_NAME_MAX];

	*source = (struct ps_known_source){ 0 };
	snprintf(name, sizeof(name), "%.*s", (int)length, text);
	source->project = nth_project(known, name, nth);
	if (!source->project)
		return false;
	if (text[length] == '#')
		snprintf(source->profile, sizeof(source->profile), "%.*s", (int)(slash - text - length) - 1,
			 text + length + 1);
	else if (known_view(source->project, profile))
		snprintf(source->profile, sizeof(source->profile), "%s", profile);
	source->manifest = known_view(source->project, source->profile);
	if (source->manifest)
		source->service = manifest_service(source->manifest, slash + 1);
	return true;
}

bool known_owns(const struct ps_manifest_service *service)
{
	return !service->external && !service->inherit && !service->from;
}

/* Tells why clients of a service cannot be led to it; `first` is the checkout used last, if there is one. */
static void tell(const struct ps_manifest_service *s, const struct ps_known_source *first)
{
	const struct ps_known *project = first->project;

	if (!project)
		fprintf(stderr,
			"portshim: %s: the project %.*s is not known; clients of %u go where that leads\n"
			"hint: use portshim there once, or: portshim map --dir DIR\n",
			s->name, (int)strcspn(s->from, "#/"), s->from, s->ports[0]);
	else if (!project->manifest)
		fprintf(stderr, "portshim: %s: the manifest of %s is wrong; see `portshim validate %s`\n", s->name,
			project->project, project->path);
	else if (!first->manifest)
		fprintf(stderr, "portshim: %s: %s has no profile %s; clients of %u go where that leads\n", s->name,
			project->project, first->profile, s->ports[0]);
	else
		fprintf(stderr, "portshim: %s: %s has no service %s; clients of %u go where that leads\n", s->name,
			project->project, strchr(s->from, '/') + 1, s->ports[0]);
}

/* False if memory ran out. */
static bool add_source(struct ps_manifest_service *s, const struct ps_known_source *found, const char *runtime)
{
	const char *directory = found->project->directory, *profile = found->profile;
	struct ps_manifest_source *sources, *one;
	char key[PS_PATH_MAX + PS_NAME_MAX + 8];

	sources = realloc(s->sources, (s->source_count + 1) * sizeof(*sources));
	if (!sources)
		return false;
	s->sources = sources;
	one = &sources[s->source_count];
	snprintf(key, sizeof(key), "dir:%s%s%s", directory, profile[0] ? "#" : "", profile);
	*one = (struct ps_manifest_source){ .env = space_env_id(runtime, key),
					    .port = manifest_root(found->manifest, found->service)->ports[0],
					    .directory = strdup(directory),
					    .profile = strdup(profile) };
	s->source_count++;
	return one->directory && one->profile;
}

void known_follow(struct ps_manifest *manifest, const char *profile, const char *runtime, bool quiet)
{
	struct ps_known_list known = { 0 };
	struct ps_error ignored = { 0 };
	bool read = false;

	for (size_t i = 0; i < manifest->service_count; i++) {
		struct ps_manifest_service *s = &manifest->services[i];
		struct ps_known_source source, first = { 0 };

		if (!s->from)
			continue;
		if (!read && known_read(&known, &ignored) != 0)
			break;
		read = true;
		for (size_t nth = 0; nth < KNOWN_SOURCES && known_source(&known, s->from, profile, nth, &source); nth++) {
			first = nth ? first : source;
			if (source.service && !add_source(s, &source, runtime))
				break;
		}
		if (!s->source_count && !quiet)
			tell(s, &first);
	}
	known_free(&known);
}

/* ---- scanning ---- */

static bool is_manifest(const FTSENT *entry)
{
	return (entry->fts_info == FTS_F || entry->fts_info == FTS_SL) &&
	       strcmp(entry->fts_name, "ports.manifest.json") == 0;
}

/* A manifest counts where a project would find it: at its top, or in its config/; others are examples or copies, but
 * nobody can tell. */
long known_scan(const char *directory)
{
	char top[PATH_MAX];
	char *const paths[] = { top, NULL };
	FTSENT *entry;
	long count = 0;
	FTS *tree;

	if (!realpath(directory, top))
		return -errno;
	tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	if (!tree)
		return -errno;
	while ((entry = fts_read(tree)) != NULL) {
		if (entry->fts_level == FTS_ROOTLEVEL && (entry->fts_info == FTS_DNR || entry->fts_info == FTS_F)) {
			count = entry->fts_info == FTS_F ? -ENOTDIR : -entry->fts_errno;
			break;
		}
		if (entry->fts_info == FTS_D && entry->fts_level > FTS_ROOTLEVEL &&
		    (entry->fts_name[0] == '.' || strcmp(entry->fts_name, "node_modules") == 0)) {
			fts_set(tree, entry, FTS_SKIP);
		} else if (is_manifest(entry)) {
			known_note(entry->fts_path);
			count++;
		}
	}
	fts_close(tree);
	return count;
}
