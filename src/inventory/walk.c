/*
 * walk.c - the files of a directory that somebody has written.
 *
 * Theory of operation: git is asked, because nobody knows its rules better: `git ls-files -co --exclude-standard -z`.
 * Where there is no git or no work tree, or git refuses (a directory of another user), the walk is our own and keeps to
 * the .gitignore files. Programs that a repository's configuration could make git start are switched off: looking at
 * somebody's code must not run it. Symbolic links are not followed, neither to files nor to directories.
 */
#include "walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ignore.h"
#include "scan.h"

#define PATH_LIMIT 4096
#define DEPTH_LIMIT 128

static const char *const packages[] = {
	"node_modules", "bower_components", "vendor",     ".git",    ".hg",    ".svn", ".venv", "venv", "__pycache__",
	".tox",         ".portshim",        ".terraform", ".gradle", "_build", "deps"
};
/* Of those, the ones that are somebody's own where git keeps them. */
#define OWN_IN_GIT 2

static bool is_package(const char *name, size_t length, bool git)
{
	for (size_t i = 0; i < sizeof(packages) / sizeof(packages[0]) - (git ? OWN_IN_GIT : 0); i++)
		if (strlen(packages[i]) == length && memcmp(packages[i], name, length) == 0)
			return true;
	return false;
}

static bool is_in_package(const char *path)
{
	for (const char *slash; (slash = strchr(path, '/')); path = slash + 1)
		if (is_package(path, (size_t)(slash - path), true))
			return true;
	return false;
}

static bool add(struct ps_files *files, char *path)
{
	if (files->count == files->room) {
		size_t room = files->room ? files->room * 2 : 1024;
		char **list = realloc(files->list, room * sizeof(*list));

		if (!list)
			return false;
		files->list = list;
		files->room = room;
	}
	files->list[files->count++] = path;
	return true;
}

static bool is_wanted(const char *path)
{
	return !scan_unwanted(path) && (scan_language(path, NULL, 0) != PS_LANG_NONE ||
					!strchr(strrchr(path, '/') ? strrchr(path, '/') : path, '.'));
}

/* ---- git ---- */

/* Everything that the descriptor gives, ended by NUL. NULL with errno. */
static char *read_all(int fd, size_t *size)
{
	size_t room = 1 << 16;
	char *text = malloc(room), *more;
	ssize_t got = 1;

	*size = 0;
	if (!text)
		return NULL;
	while (got != 0) {
		if (room - *size < 2) {
			more = realloc(text, room *= 2);
			if (!more)
				break;
			text = more;
		}
		got = read(fd, text + *size, room - *size - 1);
		if (got < 0 && errno != EINTR)
			break;
		*size += got > 0 ? (size_t)got : 0;
	}
	if (got != 0) {
		free(text);
		return NULL;
	}
	text[*size] = '\0';
	return text;
}

/* Starts git with its list on a pipe. The pid, or 0. */
static pid_t start_git(const char *directory, int *from)
{
	const char *const arguments[] = { "git",
					  "-C",
					  directory,
					  "-c",
					  "core.fsmonitor=false",
					  "-c",
					  "core.untrackedCache=false",
					  "ls-files",
					  "-co",
					  "--exclude-standard",
					  "-z",
					  NULL };
	posix_spawn_file_actions_t actions;
	int pipes[2], result = -1;
	pid_t pid = 0;

	if (pipe2(pipes, O_CLOEXEC) != 0)
		return 0;
	if (posix_spawn_file_actions_init(&actions) == 0) {
		if (posix_spawn_file_actions_adddup2(&actions, pipes[1], STDOUT_FILENO) == 0 &&
		    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0) == 0 &&
		    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0) == 0)
			result = posix_spawnp(&pid, "git", &actions, NULL, (char *const *)arguments, environ);
		posix_spawn_file_actions_destroy(&actions);
	}
	close(pipes[1]);
	if (result != 0) {
		close(pipes[0]);
		return 0;
	}
	*from = pipes[0];
	return pid;
}

/* False if git cannot say. */
static bool ask_git(struct ps_files *files, const char *directory)
{
	int from, status = -1;
	pid_t pid = start_git(directory, &from);
	size_t size = 0;
	char *text;

	if (!pid)
		return false;
	text = read_all(from, &size);
	close(from);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	/* An empty list may mean that the directory as a whole is ignored: whoever names it wants to see it. */
	if (!text || status != 0 || size == 0) {
		free(text);
		return false;
	}
	files->text = text;
	for (char *path = text; path < text + size; path += strlen(path) + 1)
		if (!is_in_package(path) && is_wanted(path) && !add(files, path))
			return false;
	return true;
}

/* ---- our own ---- */

static char *read_ignore(int directory)
{
	int fd = openat(directory, ".gitignore", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	char *text = NULL;
	size_t size;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size < (1 << 20))
		text = read_all(fd, &size);
	close(fd);
	return text;
}

static bool is_directory(int directory, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	return fstatat(directory, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static bool walk_directory(struct ps_files *files, int fd, char *path, size_t length, const struct ps_ignore *above,
			   unsigned depth);

static bool walk_entry(struct ps_files *files, int directory, const struct dirent *entry, char *path, size_t length,
		       const struct ps_ignore *ignore, unsigned depth)
{
	bool folder = is_directory(directory, entry);
	size_t name = strlen(entry->d_name);
	char *copy;
	int fd;

	if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 || length + name + 2 > PATH_LIMIT)
		return true;
	memcpy(path + length, entry->d_name, name + 1);
	if (ignore_matches(ignore, path, folder))
		return true;
	if (!folder) {
		if (!is_wanted(path))
			return true;
		copy = strdup(path);
		if (copy && add(files, copy))
			return true;
		free(copy);
		return false;
	}
	if (is_package(entry->d_name, name, false) || depth >= DEPTH_LIMIT)
		return true;
	fd = openat(directory, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno != EMFILE && errno != ENFILE; /* gone, or not ours to read */
	path[length + name] = '/';
	path[length + name + 1] = '\0';
	return walk_directory(files, fd, path, length + name + 1, ignore, depth + 1);
}

/* Takes the descriptor over. */
static bool walk_directory(struct ps_files *files, int fd, char *path, size_t length, const struct ps_ignore *above,
			   unsigned depth)
{
	struct ps_ignore ignore = { 0 };
	struct dirent *entry;
	DIR *directory = fdopendir(fd);
	bool good;

	if (!directory) {
		close(fd);
		return false;
	}
	good = ignore_read(&ignore, above, read_ignore(fd), length);
	while (good && (entry = readdir(directory)))
		good = walk_entry(files, fd, entry, path, length, &ignore, depth);
	ignore_free(&ignore);
	closedir(directory);
	return good;
}

/* ---- both ---- */

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int walk_files(struct ps_files *files, const char *directory, struct ps_error *error)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char path[PATH_LIMIT] = "";

	*files = (struct ps_files){ 0 };
	if (fd < 0) {
		error_set(error, PS_EXIT_SYSTEM, "cannot read the directory %s: %s", directory, strerror(errno));
		return error_hint(error, "name a directory that you may read: `portshim inventory DIR`");
	}
	if (ask_git(files, directory)) {
		close(fd);
	} else {
		walk_free(files);
		if (!walk_directory(files, fd, path, 0, NULL, 0)) {
			error_set(error, PS_EXIT_SYSTEM, "cannot read all of %s: %s", directory, strerror(errno));
			return error->code;
		}
	}
	if (files->count)
		qsort(files->list, files->count, sizeof(*files->list), compare);
	return 0;
}

void walk_free(struct ps_files *files)
{
	for (size_t i = 0; !files->text && i < files->count; i++)
		free(files->list[i]);
	free(files->list);
	free(files->text);
	*files = (struct ps_files){ 0 };
}
