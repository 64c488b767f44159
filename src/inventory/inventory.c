/*
 * inventory.c - the ports in the code, the ports of the manifest and the listeners of the machine, side by side.
 *
 * Theory of operation: files are read one after the other into one buffer and scanned there, so that memory grows with
 * what is found only. A file that vanishes, cannot be read, is too large or is no text counts as skipped. The three
 * lists are then compared by number:
 *
 *	code and manifest: a number that no service has, in no profile, is undeclared. The inner side of a container's
 *	mapping and the port of another host are none of this machine's and are left alone.
 *	code and machine: a number that the code wants for itself, or that the manifest gives to a service of this
 *	project, is held by a process of elsewhere (held-elsewhere), unless portshim has moved the project's own
 *	server away from it. A number that code only asks for, and that no service has, may be held by anybody; so
 *	may the usual number of a database, unless the code listens there.
 *	machine and both: a process that runs in the project listens where neither knows of it (unknown-listener).
 */
#include "inventory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../cli/json_text.h"
#include "../cli/manifest.h"
#include "../cli/output.h"
#include "../cli/project.h"
#include "../init/init.h"

/* Nobody writes such a file by hand. */
#define FILE_LIMIT (2u << 20)

const char *inventory_standing(enum ps_standing standing)
{
	static const char *const names[] = { "declared", "undeclared", "container", "remote" };

	return names[standing];
}

static int no_memory(struct ps_error *error)
{
	return error_set(error, PS_EXIT_SYSTEM, "out of memory");
}

/* ---- the manifest ---- */

static int by_port(const void *a, const void *b)
{
	const struct ps_declared *x = a, *y = b;

	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	return strcmp(x->profile, y->profile); /* no profile is first */
}

static bool declare(struct ps_inventory *v, const struct ps_manifest_service *s, const char *profile)
{
	struct ps_declared *list;

	if (s->port_count == 0)
		return true;
	list = realloc(v->declared, (v->declared_count + s->port_count) * sizeof(*list));
	if (!list)
		return false;
	v->declared = list;
	for (size_t i = 0; i < s->port_count; i++) {
		struct ps_declared *d = &list[v->declared_count];

		*d = (struct ps_declared){ .service = strdup(s->name),
					   .profile = strdup(profile ? profile : ""),
					   .port = s->ports[i],
					   .external = s->external || s->from };
		v->declared_count++;
		if (!d->service || !d->profile)
			return false;
	}
	return true;
}

static bool declare_range(struct ps_inventory *v, const struct ps_manifest_service *s, const char *profile)
{
	struct ps_declared_range *list;

	if (!s->range_first)
		return true;
	list = realloc(v->ranges, (v->range_count + 1) * sizeof(*list));
	if (!list)
		return false;
	v->ranges = list;
	list += v->range_count++;
	*list = (struct ps_declared_range){ .service = strdup(s->name),
					    .profile = strdup(profile ? profile : ""),
					    .first = s->range_first,
					    .last = s->range_last };
	return list->service && list->profile;
}

static int declare_profile(struct ps_inventory *v, const char *profile, struct ps_error *error)
{
	struct ps_manifest *manifest = NULL;
	int code = manifest_load(&manifest, v->manifest, profile, NULL, error);

	for (size_t i = 0; !code && i < manifest->service_count; i++)
		if (!declare(v, &manifest->services[i], profile) ||
		    !declare_range(v, &manifest->services[i], profile))
			code = no_memory(error);
	manifest_free(manifest);
	return code;
}

/* The names of the profiles, from the manifest's text; it has been found good before. NULL if it cannot be read. */
static char *read_text(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text = NULL;
	struct stat st;
	ssize_t got;

	*size = 0;
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= PS_JSON_SIZE_MAX)
		text = malloc((size_t)st.st_size + 1);
	while (text && *size < (size_t)st.st_size && (got = read(fd, text + *size, (size_t)st.st_size - *size)) > 0)
		*size += (size_t)got;
	if (text)
		text[*size] = '\0';
	if (fd >= 0)
		close(fd);
	return text;
}

static int declare_profiles(struct ps_inventory *v, struct ps_error *error)
{
	struct ps_json_text text = { 0 };
	struct ps_json_fault fault;
	const cJSON *profile;
	int code = 0;
	cJSON *root;

	text.text = read_text(v->manifest, &text.size);
	if (!text.text)
		return 0;
	root = json_text_check(&text, &fault) ? json_text_build(&text) : NULL;
	cJSON_ArrayForEach(profile, cJSON_GetObjectItemCaseSensitive(root, "profiles")) if (!code && profile->string)
		code = declare_profile(v, profile->string, error);
	json_text_free(&text);
	return code;
}

static int read_manifest(struct ps_inventory *v, const char *option, struct ps_error *error)
{
	int code = project_manifest(v->manifest, option, error);

	snprintf(v->project, sizeof(v->project), "%s", v->directory);
	if (code || !v->manifest[0])
		return code;
	if (manifest_directory(v->manifest, v->project) != 0)
		snprintf(v->project, sizeof(v->project), "%s", v->directory);
	code = declare_profile(v, NULL, error);
	if (!code)
		code = declare_profiles(v, error);
	if (!code && v->declared_count)
		qsort(v->declared, v->declared_count, sizeof(*v->declared), by_port);
	return code;
}

const struct ps_declared *inventory_declared(const struct ps_inventory *v, uint16_t port)
{
	size_t low = 0, high = v->declared_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (v->declared[middle].port < port)
			low = middle + 1;
		else
			high = middle;
	}
	return low < v->declared_count && v->declared[low].port == port ? &v->declared[low] : NULL;
}

/* True if the service has the port in an entry before. */
static bool is_repeated(const struct ps_inventory *v, const struct ps_declared *d)
{
	for (const struct ps_declared *e = d; e > v->declared && e[-1].port == d->port; e--)
		if (strcmp(e[-1].service, d->service) == 0)
			return true;
	return false;
}

const struct ps_declared *inventory_declared_next(const struct ps_inventory *v, const struct ps_declared *d)
{
	const struct ps_declared *end = v->declared + v->declared_count;

	for (uint16_t port = d->port; ++d < end && d->port == port;)
		if (!is_repeated(v, d))
			return d;
	return NULL;
}

/* The narrowest range that has the port. */
static const struct ps_declared_range *find_range(const struct ps_inventory *v, uint16_t port)
{
	const struct ps_declared_range *found = NULL;

	for (size_t i = 0; i < v->range_count; i++) {
		const struct ps_declared_range *r = &v->ranges[i];

		if (port >= r->first && port <= r->last && (!found || r->last - r->first < found->last - found->first))
			found = r;
	}
	return found;
}

/* ---- the files ---- */

struct progress {
	bool on, shown;
	struct timespec started, last;
};

static double since(const struct timespec *from, const struct timespec *now)
{
	return (double)(now->tv_sec - from->tv_sec) + (double)(now->tv_nsec - from->tv_nsec) / 1e9;
}

static void tell(struct progress *p, size_t done, size_t all)
{
	struct timespec now;

	if (!p->on || done % 256 != 0)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (since(&p->started, &now) < 1 || since(&p->last, &now) < 0.1)
		return;
	p->last = now;
	p->shown = true;
	fprintf(stderr, "\rportshim: %zu of %zu files", done, all);
	fflush(stderr);
}

static void tell_end(const struct progress *p)
{
	if (p->shown)
		fprintf(stderr, "\r\033[K");
}

/* Reads a file into the buffer. Its size, or -1 for one that is not to be scanned. */
static ssize_t read_file(int directory, const char *path, char *buffer)
{
	int fd = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	ssize_t size = -1, got = 0;
	struct stat st;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= FILE_LIMIT) {
		size = 0;
		/* The size says how much to expect, not how much there is. */
		while (size <= FILE_LIMIT && (got = read(fd, buffer + size, FILE_LIMIT + 1 - (size_t)size)) > 0) {
			size += got;
			if (size == st.st_size && st.st_size > 0)
				break;
		}
		if (got < 0 || size > FILE_LIMIT)
			size = -1;
	}
	close(fd);
	return size;
}

static bool keep(struct ps_inventory *v, const char *file, const struct ps_scan *scan, size_t *room)
{
	for (size_t i = 0; i < scan->count; i++) {
		struct ps_found *f;

		if (v->found_count == *room) {
			size_t more = *room ? *room * 2 : 256;
			struct ps_found *list = realloc(v->found, more * sizeof(*list));

			if (!list)
				return false;
			v->found = list;
			*room = more;
		}
		f = &v->found[v->found_count++];
		*f = (struct ps_found){ .use = scan->list[i],
					.file = file,
					.declared = inventory_declared(v, scan->list[i].port) };
		f->standing = f->use.remote   ? PS_STANDING_REMOTE
			      : f->declared   ? PS_STANDING_DECLARED
			      : f->use.inside ? PS_STANDING_CONTAINER
					      : PS_STANDING_UNDECLARED;
		if (f->standing == PS_STANDING_UNDECLARED) {
			f->range = find_range(v, f->use.port);
			v->undeclared++;
		}
	}
	return true;
}

static int scan_files(struct ps_inventory *v, bool progress, struct ps_error *error)
{
	char *buffer = malloc(FILE_LIMIT + 16);
	struct progress told = { .on = progress };
	struct ps_scan scan = { 0 };
	size_t room = 0;
	int code = 0;

	if (!buffer)
		return no_memory(error);
	clock_gettime(CLOCK_MONOTONIC, &told.started);
	for (size_t i = 0; i < v->files.count && !code; i++) {
		const char *path = v->files.list[i];
		ssize_t size = read_file(AT_FDCWD, path, buffer);

		tell(&told, i, v->files.count);
		if (size < 0 || scan_unreadable(buffer, (size_t)size)) {
			v->skipped++;
			continue;
		}
		v->scanned++;
		v->bytes += (uint64_t)size;
		scan.count = 0;
		scan_text(&scan, scan_language(path, buffer, (size_t)size), buffer, (size_t)size);
		if (scan.failed || !keep(v, path, &scan, &room))
			code = no_memory(error);
	}
	tell_end(&told);
	scan_free(&scan);
	free(buffer);
	return code;
}

/* ---- the machine ---- */

const struct ps_listening *inventory_listener(const struct ps_inventory *v, uint16_t port)
{
	const struct ps_listening *first = NULL;

	for (size_t i = 0; i < v->listeners.count; i++) {
		const struct ps_listening *l = &v->listeners.list[i];

		if (l->holder.socket.port != port)
			continue;
		if (l->holder.pid)
			return l;
		if (!first)
			first = l;
	}
	return first;
}

const struct ps_assignment *inventory_assignment(const struct ps_inventory *v, uint16_t port)
{
	return state_actual(&v->state, port);
}

/* True if the directory is that of the project, or below it. */
static bool is_here(const struct ps_inventory *v, const char *directory)
{
	size_t length = strlen(v->project);

	return strncmp(directory, v->project, length) == 0 && (directory[length] == '/' || directory[length] == '\0');
}

static bool is_own(const struct ps_inventory *v, const struct ps_assignment *a)
{
	return a && a->env && is_here(v, a->env->directory);
}

const struct ps_assignment *inventory_own(const struct ps_inventory *v, uint16_t port)
{
	for (size_t i = 0; i < v->state.count; i++)
		if (v->state.list[i].requested == port && is_own(v, &v->state.list[i]))
			return &v->state.list[i];
	return NULL;
}

static struct ps_disagreement *disagree(struct ps_inventory *v, const char *code, uint16_t port)
{
	struct ps_disagreement *list = realloc(v->disagreements, (v->disagreement_count + 1) * sizeof(*list));

	if (!list)
		return NULL;
	v->disagreements = list;
	list[v->disagreement_count] = (struct ps_disagreement){ .code = code, .port = port };
	return &list[v->disagreement_count++];
}

/* A process that hands a container's port on, or cannot be seen, is nobody's in particular. */
static bool is_elsewhere(const struct ps_inventory *v, const struct ps_listening *l)
{
	return l->holder.pid && l->holder.directory[0] && !is_here(v, l->holder.directory) &&
	       !strstr(l->holder.command, "docker") && !strstr(l->holder.command, "rootlessport") &&
	       !is_own(v, inventory_assignment(v, l->holder.socket.port));
}

/* True if the number should be this project's own server's, or nobody's. */
static bool wants(const struct ps_found *f)
{
	const char *scheme;

	if (f->use.inside || f->use.remote)
		return false;
	if (f->declared)
		return !f->declared->external;
	if (f->use.use == PS_USE_CONFIG && init_known(f->use.port, &scheme) && scheme)
		return false; /* whoever reads it is a client of a database, most likely */
	return f->use.use != PS_USE_CONNECT && f->use.use != PS_USE_URL;
}

static bool is_told(const struct ps_inventory *v, uint16_t port)
{
	for (size_t i = 0; i < v->disagreement_count; i++)
		if (v->disagreements[i].port == port)
			return true;
	return false;
}

/* A number of the manifest that stands in no file. */
static bool compare_declared(struct ps_inventory *v, const struct ps_declared *declared)
{
	const struct ps_listening *l = inventory_listener(v, declared->port);
	char phrase[PS_HOLDER_PHRASE];
	struct ps_disagreement *d;

	if (!l || declared->external || declared->profile[0] || !is_elsewhere(v, l) ||
	    inventory_own(v, declared->port) || is_told(v, declared->port))
		return true;
	d = disagree(v, "held-elsewhere", declared->port);
	if (!d)
		return false;
	holder_phrase(&l->holder, phrase);
	snprintf(d->text, sizeof(d->text), "%u (%s) of this project's manifest is %s", declared->port, declared->service,
		 phrase);
	return true;
}

static bool compare_found(struct ps_inventory *v, const struct ps_found *f)
{
	const struct ps_listening *l = inventory_listener(v, f->use.port);
	struct ps_disagreement *d;
	char phrase[PS_HOLDER_PHRASE];

	if (!l || !wants(f) || !is_elsewhere(v, l) || inventory_own(v, f->use.port) || is_told(v, f->use.port))
		return true;
	d = disagree(v, "held-elsewhere", f->use.port);
	if (!d)
		return false;
	d->found = f;
	holder_phrase(&l->holder, phrase);
	snprintf(d->text, sizeof(d->text), "%u%s%s%s of this project is %s", f->use.port, f->declared ? " (" : "",
		 f->declared ? f->declared->service : "", f->declared ? ")" : "", phrase);
	return true;
}

static bool compare_listener(struct ps_inventory *v, const struct ps_listening *l)
{
	uint16_t port = l->holder.socket.port;
	struct ps_disagreement *d;
	char command[64], path[256];

	if (!l->holder.pid || !is_here(v, l->holder.directory) || inventory_declared(v, port) ||
	    inventory_assignment(v, port))
		return true;
	for (size_t i = 0; i < v->found_count; i++)
		if (v->found[i].use.port == port && !v->found[i].use.remote)
			return true;
	d = disagree(v, "unknown-listener", port);
	if (!d)
		return false;
	snprintf(d->text, sizeof(d->text),
		 "%s, pid %d, listens on %u in %s, which neither the code nor the manifest has",
		 output_clean(command, sizeof(command), l->holder.command), l->holder.pid, port,
		 output_path(path, sizeof(path), l->holder.directory));
	return true;
}

static int compare(struct ps_inventory *v, struct ps_error *error)
{
	for (size_t i = 0; i < v->found_count; i++)
		if (!compare_found(v, &v->found[i]))
			return no_memory(error);
	for (size_t i = 0; i < v->declared_count; i++)
		if (!compare_declared(v, &v->declared[i]))
			return no_memory(error);
	for (size_t i = 0; i < v->listeners.count; i++)
		if (!compare_listener(v, &v->listeners.list[i]))
			return no_memory(error);
	return 0;
}

/* ---- all of it ---- */

static int enter(struct ps_inventory *v, const struct ps_inventory_options *options, char *manifest,
		 struct ps_error *error)
{
	if (options->manifest && !realpath(options->manifest, manifest)) {
		error_set(error, PS_EXIT_SYSTEM, "cannot read the manifest %s: %s", options->manifest, strerror(errno));
		return error_hint(error, "--manifest names it");
	}
	if (options->directory && chdir(options->directory) != 0) {
		error_set(error, PS_EXIT_SYSTEM, "cannot go to the directory %s: %s", options->directory,
			  strerror(errno));
		return error_hint(error, "name a directory that you may read: `portshim inventory DIR`");
	}
	if (!getcwd(v->directory, sizeof(v->directory)))
		return error_set(error, PS_EXIT_SYSTEM, "cannot tell the working directory: %s", strerror(errno));
	return 0;
}

int inventory_gather(struct ps_inventory *v, const struct ps_inventory_options *options, struct ps_error *error)
{
	struct ps_error ignored = { 0 };
	char manifest[PATH_MAX];
	int code;

	memset(v, 0, sizeof(*v));
	code = enter(v, options, manifest, error);
	if (!code)
		code = read_manifest(v, options->manifest ? manifest : NULL, error);
	if (!code)
		code = walk_files(&v->files, ".", error);
	if (!code)
		code = scan_files(v, options->progress, error);
	if (!code)
		code = listeners_read(&v->listeners, error);
	/* Without a registry nothing was moved. */
	if (!code && state_read(&v->state, NULL, 0, &ignored) != 0)
		state_free(&v->state);
	return code ? code : compare(v, error);
}

void inventory_free(struct ps_inventory *v)
{
	for (size_t i = 0; i < v->declared_count; i++) {
		free(v->declared[i].service);
		free(v->declared[i].profile);
	}
	free(v->declared);
	for (size_t i = 0; i < v->range_count; i++) {
		free(v->ranges[i].service);
		free(v->ranges[i].profile);
	}
	free(v->ranges);
	free(v->found);
	free(v->disagreements);
	walk_free(&v->files);
	listeners_free(&v->listeners);
	state_free(&v->state);
}
