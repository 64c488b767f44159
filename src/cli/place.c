/*
 * place.c - where the discovery file lies, and the directory that ignores itself.
 *
 * Theory of operation: the project's own `.portshim` if it is (or becomes) a directory of this user's, else the
 * runtime directory. A project may come from strangers, so no component below it is followed through a symlink: each
 * is made and opened relative to the one above with O_NOFOLLOW, and one that belongs to somebody else counts as not
 * writable. `.portshim/.gitignore` says `*`, so that git sees nothing of the directory.
 *
 * An environment keeps the place for good, so only what lasts sends it elsewhere. Where it is memory, descriptors or
 * room that are wanting just now, the project stays the place: the first server that listens tries again, and says what
 * it finds.
 */
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Opens a directory of this user's below `at`, made if missing; -1 if there can be none. */
static int enter(int at, const char *name)
{
	struct stat st;
	int fd, error;

	if (mkdirat(at, name, 0777) != 0 && errno != EEXIST)
		return -1;
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) != 0 || (st.st_uid == geteuid() && faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) != 0))
		error = errno;
	else if (st.st_uid != geteuid())
		error = EPERM;
	else
		return fd;
	close(fd);
	errno = error;
	return -1;
}

/* True for an errno that will still be the answer tomorrow. */
static bool is_lasting(int error)
{
	return error == EACCES || error == EPERM || error == EROFS || error == ENOTDIR || error == ELOOP || error == ENAMETOOLONG ||
	       error == ENOENT;
}

static void ignore_itself(int directory)
{
	int fd = openat(directory, ".gitignore", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd < 0)
		return;
	if (write(fd, "*\n", 2) != 2)
		unlinkat(directory, ".gitignore", 0);
	close(fd);
}

/* Makes DIRECTORY/a/b/c for the relative path "a/b/c/file". False, with errno, if that fails. */
static bool make_below(const char *directory, const char *relative)
{
	char copy[PS_PATH_MAX], *word, *slash;
	int fd, next, error;

	if (strlen(relative) >= sizeof(copy)) {
		errno = ENAMETOOLONG;
		return false;
	}
	strcpy(copy, relative);
	fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (word = copy; fd >= 0 && (slash = strchr(word, '/')); word = slash + 1) {
		*slash = '\0';
		next = enter(fd, word);
		error = errno;
		if (next >= 0 && word == copy)
			ignore_itself(next);
		close(fd);
		errno = error;
		fd = next;
	}
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* A name as one component of a path: what a path cannot have is replaced, and a hash keeps different names apart. */
static void component(const char *name, char *text, size_t size)
{
	size_t n = 0;
	bool changed = name[0] == '.' || name[0] == '\0';

	for (const char *c = name; *c && n + 10 < size; c++) {
		bool good = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
			    strchr("._+@=,-", *c) || (unsigned char)*c >= 0x80;

		text[n] = good && !(n == 0 && *c == '.') ? *c : '_';
		changed |= !good;
		n++;
	}
	text[n] = '\0';
	if (changed)
		snprintf(text + n, size - n, "-%08x", space_hash(name));
}

void place_discovery(const struct ps_project *project, const char *runtime, uint32_t env, char *path)
{
	char relative[PS_NAME_MAX + 64], name[PS_NAME_MAX + 16];
	const char *inner = NULL;

	if (strncmp(project->key, "isolated:", 9) == 0)
		goto elsewhere;
	if (strncmp(project->key, "name:", 5) == 0)
		inner = project->key + 5;
	else if (project->profile[0])
		inner = project->profile;
	if (inner) {
		component(inner, name, sizeof(name));
		snprintf(relative, sizeof(relative), PS_PLACE_DIRECTORY "/env/%s/" PS_DISCOVERY_NAME, name);
	} else {
		snprintf(relative, sizeof(relative), PS_PLACE_DIRECTORY "/" PS_DISCOVERY_NAME);
	}
	if ((size_t)snprintf(path, PS_PATH_MAX, "%s/%s", strcmp(project->directory, "/") == 0 ? "" : project->directory,
			     relative) < PS_PATH_MAX &&
	    (make_below(project->directory, relative) || !is_lasting(errno)))
		return;
elsewhere:
	snprintf(path, PS_PATH_MAX, "%s/env-%08x.json", runtime, env);
}

void place_renew(const char *directory, const char *path)
{
	size_t length = strcmp(directory, "/") == 0 ? 0 : strlen(directory);

	if (strncmp(path, directory, length) == 0 && path[length] == '/' &&
	    strncmp(path + length + 1, PS_PLACE_DIRECTORY "/", sizeof(PS_PLACE_DIRECTORY)) == 0)
		make_below(directory, path + length + 1);
}
