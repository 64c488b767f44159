/*
 * cmd_init.c - `portshim init`: a first manifest from what is there.
 *
 * Theory of operation: the manifest is written into a file without a name, read as any manifest, and only when it is
 * right does it get its name, in one step that fails if the name is taken. So a manifest that is there is never lost,
 * not even one that somebody writes at the same moment, and a kill leaves nothing behind. On file systems that know no
 * files without names, and with --force, which has to rename, it has one beside its place for a while.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../init/init.h"
#include "command.h"
#include "manifest.h"
#include "options.h"
#include "output.h"

#define NAME "ports.manifest.json"

static const char help[] =
	"Examples:\n"
	"  portshim init            write ports.manifest.json from what this directory has\n"
	"  portshim init --dry-run  print it\n"
	"  portshim init --json     which ports were found, and where\n"
	"\n"
	"Usage: portshim init [OPTION...] [DIRECTORY]\n"
	"\n"
	"Reads package.json (also those of workspaces), compose files, Procfile, .env files, devcontainer.json and\n"
	".vscode/launch.json, and writes a manifest with a comment above each service that says where its port\n"
	"was found. A manifest that is there already stays as it is.\n"
	"\n"
	"  -n, --dry-run  print the manifest, write nothing\n"
	"  -f, --force    replace the manifest that is there\n"
	"  -q, --quiet    print nothing but errors\n"
	"      --json     print as JSON what was found; writes nothing\n"
	"  -h, --help     this text\n"
	"\n"
	"Exit status: 0 if it is written, 1 if nothing was found or there is one already, 2 usage, 3 system.\n";

struct options {
	bool dry_run, force, quiet, json;
};

static int print_json(const struct ps_init *init)
{
	cJSON *json = output_json_start(), *list = cJSON_AddArrayToObject(json, "services");

	output_json_text(json, "directory", init->directory);
	output_json_text(json, "project", init->project);
	for (size_t i = 0; i < init->count; i++) {
		const struct ps_init_service *s = &init->services[i];
		cJSON *one = cJSON_CreateObject(), *places = cJSON_AddArrayToObject(one, "found");

		output_json_text(one, "name", s->name);
		cJSON_AddNumberToObject(one, "port", s->port);
		cJSON_AddStringToObject(one, "protocol", s->udp ? s->tcp ? "tcp+udp" : "udp" : "tcp");
		output_json_text(one, "scheme", s->scheme);
		cJSON_AddBoolToObject(one, "external", !s->local);
		for (size_t k = 0; k < s->place_count; k++) {
			cJSON *place = cJSON_CreateObject();

			output_json_text(place, "file", s->places[k].file);
			cJSON_AddNumberToObject(place, "line", s->places[k].line);
			cJSON_AddNumberToObject(place, "column", s->places[k].column);
			output_json_text(place, "what", s->places[k].what);
			cJSON_AddItemToArray(places, place);
		}
		cJSON_AddItemToArray(list, one);
	}
	return output_json_print(json, init->count ? PS_EXIT_YES : PS_EXIT_NO);
}

static int there_already(const char *path, struct ps_error *error)
{
	error_set(error, PS_EXIT_NO, "there is a manifest already: %s", path);
	return error_hint(error, "`portshim init --dry-run` prints what would be written; --force replaces it");
}

/* A new file in the directory, and what it can be called while it has no name of its own. `nameless`: it has none. */
static int open_beside(const char *directory, char *beside, size_t size, bool *nameless)
{
	int fd = *nameless ? open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) : -1;

	if (fd >= 0) {
		snprintf(beside, size, "/proc/self/fd/%d", fd);
		if (access(beside, R_OK) == 0)
			return fd;
		close(fd);
	}
	*nameless = false;
	snprintf(beside, size, "%s/." NAME ".XXXXXX", directory);
	return mkostemp(beside, O_CLOEXEC);
}

/* Gives the finished file its name. 0 or a negative errno. */
static int give_name(const char *beside, bool nameless, const char *path, bool force)
{
	if (nameless)
		return linkat(AT_FDCWD, beside, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0 ? 0 : -errno;
	if (force)
		return rename(beside, path) == 0 ? 0 : -errno;
	if (renameat2(AT_FDCWD, beside, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	if (link(beside, path) != 0)
		return -errno;
	unlink(beside);
	return 0;
}

static int write_all(int fd, const char *text)
{
	size_t size = strlen(text), done = 0;

	while (done < size) {
		ssize_t n = write(fd, text + done, size - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return fsync(fd) == 0 ? 0 : -errno;
}

static int write_manifest(const char *directory, const char *path, const char *text, bool force, struct ps_error *error)
{
	char beside[PATH_MAX + 64];
	struct ps_manifest *manifest = NULL;
	mode_t mask = umask(0);
	bool nameless = !force;
	int fd, result;

	umask(mask);
	fd = open_beside(directory, beside, sizeof(beside), &nameless);
	if (fd < 0) {
		error_set(error, PS_EXIT_SYSTEM, "cannot write into %s: %s", directory, strerror(errno));
		return error_hint(error, "`portshim init --dry-run` prints the manifest");
	}
	result = write_all(fd, text);
	if (result == 0 && fchmod(fd, 0666 & ~mask) != 0)
		result = -errno;
	if (result == 0 && manifest_load(&manifest, beside, NULL, NULL, error) == 0)
		result = give_name(beside, nameless, path, force);
	manifest_free(manifest);
	if ((result || error->code) && !nameless)
		unlink(beside);
	close(fd);
	if (error->code || result == 0)
		return error->code;
	if (result == -EEXIST)
		return there_already(path, error);
	return error_set(error, PS_EXIT_SYSTEM, "cannot write %s: %s", path, strerror(-result));
}

/* A path at which there is something, also a symlink that leads nowhere; or NULL. */
static const char *taken(const char *directory, char *path, size_t size)
{
	static const char *const names[] = { NAME, "config/" NAME };
	struct stat st;

	for (unsigned i = 0; i < 2; i++) {
		snprintf(path, size, "%s/%s", directory, names[i]);
		if (lstat(path, &st) == 0)
			return path;
	}
	snprintf(path, size, "%s/" NAME, directory);
	return NULL;
}

static bool ends(const char *text, const char *with)
{
	size_t length = strlen(text), its = strlen(with);

	return length >= its && strcmp(text + length - its, with) == 0;
}

/* Two packages with one port cannot be told apart by it: one service is what the manifest can have of them. */
static void say_shared(const struct ps_init *init)
{
	char one[256], other[256];

	for (size_t i = 0; i < init->count; i++) {
		const struct ps_init_service *s = &init->services[i];

		for (size_t k = 1; k < s->place_count; k++) {
			if (!ends(s->places[0].file, "package.json") || !ends(s->places[k].file, "package.json") ||
			    strcmp(s->places[0].file, s->places[k].file) == 0)
				continue;
			fprintf(stderr, "portshim: %s and %s both ask for %u, which is one service now\n",
				output_clean(one, sizeof(one), s->places[0].file),
				output_clean(other, sizeof(other), s->places[k].file), s->port);
			fputs("hint: give one of them a number of its own\n", stderr);
			break;
		}
	}
}

static int make(struct ps_init *init, const struct options *o, struct ps_error *error)
{
	char path[PATH_MAX + 64];
	bool there = taken(init->directory, path, sizeof(path)) != NULL;
	char *text;
	int code = 0;

	if (there && !o->force && !o->dry_run && !o->json)
		return there_already(path, error);
	init_read(init);
	init_finish(init);
	if (init->failed)
		return error_set(error, PS_EXIT_SYSTEM, "out of memory");
	if (!o->quiet)
		say_shared(init);
	if (o->json)
		return print_json(init);
	if (init->count == 0) {
		error_set(error, PS_EXIT_NO, "no port was found in %s", init->directory);
		return error_hint(error,
				  "portshim works without a manifest too; see portshim-manifest(5) for one by hand");
	}
	text = init_manifest(init);
	if (!text)
		return error_set(error, PS_EXIT_SYSTEM, "out of memory");
	if (o->dry_run)
		fputs(text, stdout);
	else
		code = write_manifest(init->directory, path, text, o->force, error);
	if (!code && !o->dry_run && !o->quiet)
		printf("%s: %zu service%s\n", path, init->count, init->count == 1 ? "" : "s");
	free(text);
	return code;
}

static int run(int argc, char **argv)
{
	struct options o = { 0 };
	struct ps_init init = { 0 };
	struct ps_error error = { 0 };
	char directory[PATH_MAX];
	const struct ps_option options[] = {
		{ .name = "dry-run", .letter = 'n', .flag = &o.dry_run },
		{ .name = "force", .letter = 'f', .flag = &o.force },
		{ .name = "quiet", .letter = 'q', .flag = &o.quiet },
		{ .name = "json", .flag = &o.json },
		{ .name = NULL },
	};
	int code;

	if (!options_parse(&command_init, options, 0, &argc, &argv, &code))
		return code;
	if (argc > 1)
		return command_usage(&command_init, "one directory at a time");
	if (!realpath(argc ? argv[0] : ".", directory)) {
		error_set(&error, PS_EXIT_SYSTEM, "cannot go to %s: %s", argc ? argv[0] : "the working directory",
			  strerror(errno));
		error_hint(&error, "name a directory that is there: `portshim init DIR`");
		return error_print(&error);
	}
	init.directory = directory;
	code = make(&init, &o, &error);
	if (error.code)
		error_print(&error);
	init_free(&init);
	return code;
}

const struct ps_command command_init = {
	.name = "init",
	.summary = "Write a first manifest from what is there",
	.help = help,
	.run = run,
};
