/*
 * library.c - finding libportshim.so and naming it in LD_PRELOAD.
 *
 * Theory of operation: the build leaves program and library side by side, `make install` puts them into bin/ and
 * lib/; in both cases the way goes from the program's own file (/proc/self/exe, so that symlinks to it do not
 * matter), and a tree that is moved keeps working. LD_PRELOAD separates by spaces and colons and expands `$`, and
 * knows no quoting: such a path gets a symlink in the runtime directory, which is the user's own. Its name has a hash
 * of the path, so that different copies of portshim do not fight for it.
 */
#include "library.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int try(char *path, size_t size, const char *directory, const char *rest)
{
	char joined[PATH_MAX + 64];

	snprintf(joined, sizeof(joined), "%s%s", directory, rest);
	if (strlen(joined) >= size)
		return -ENAMETOOLONG;
	if (access(joined, R_OK) != 0)
		return -errno;
	strcpy(path, joined);
	return 0;
}

/* What is named by hand may be anything, and the loader would complain of it in every process. */
static int try_chosen(char *path, size_t size, const char *chosen)
{
	int error = try(path, size, chosen, ""), fd;
	struct stat st;
	char magic[4] = "";

	if (error)
		return error;
	if (stat(chosen, &st) == 0 && S_ISREG(st.st_mode) && (fd = open(chosen, O_RDONLY | O_CLOEXEC)) >= 0) {
		if (read(fd, magic, sizeof(magic)) != (ssize_t)sizeof(magic))
			magic[0] = '\0';
		close(fd);
	}
	return memcmp(magic, "\177ELF", sizeof(magic)) == 0 ? 0 : -ENOEXEC;
}

int library_find(char *path, size_t size)
{
	const char *chosen = getenv("PORTSHIM_LIBRARY");
	char own[PATH_MAX];
	ssize_t length;
	char *slash;
	int error;

	if (chosen && *chosen)
		return *chosen == '/' ? try_chosen(path, size, chosen) : -EINVAL;
	length = readlink("/proc/self/exe", own, sizeof(own) - 1);
	if (length < 0)
		return -errno;
	own[length] = '\0';
	slash = strrchr(own, '/');
	if (!slash)
		return -ENOENT;
	*slash = '\0';
	error = try(path, size, own, "/" PS_LIBRARY_FILE);
	if (error != -ENOENT)
		return error;
	slash = strrchr(own, '/');
	if (!slash)
		return -ENOENT;
	*slash = '\0';
	return try(path, size, own, "/lib/" PS_LIBRARY_FILE);
}

static uint64_t hash(const char *text)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * UINT64_C(1099511628211);
	return h;
}

static bool links_to(const char *name, const char *path)
{
	char target[PATH_MAX];
	ssize_t length = readlink(name, target, sizeof(target));

	return length >= 0 && (size_t)length == strlen(path) && memcmp(target, path, (size_t)length) == 0;
}

int library_name(const char *path, const char *runtime, char *name, size_t size)
{
	char temporary[PATH_MAX];

	if (!strpbrk(path, " :$\t\n")) {
		if (strlen(path) >= size)
			return -ENAMETOOLONG;
		strcpy(name, path);
		return 0;
	}
	if (strpbrk(runtime, " :$\t\n"))
		return -EINVAL;
	if ((size_t)snprintf(name, size, "%s/lib-%016llx.so", runtime, (unsigned long long)hash(path)) >= size)
		return -ENAMETOOLONG;
	if (links_to(name, path))
		return 0;
	snprintf(temporary, sizeof(temporary), "%s.%d", name, (int)getpid());
	if (symlink(path, temporary) != 0)
		return -errno;
	if (rename(temporary, name) != 0) {
		int error = -errno;

		unlink(temporary);
		return error;
	}
	return 0;
}

/* The sanitizers refuse to work when anything is loaded before them. */
static bool is_sanitizer(const char *base)
{
	static const char *const runtimes[] = { "libasan.", "libtsan.",   "libubsan.",
						"liblsan.", "libhwasan.", "libclang_rt." };

	for (size_t i = 0; i < sizeof(runtimes) / sizeof(runtimes[0]); i++)
		if (strncmp(base, runtimes[i], strlen(runtimes[i])) == 0)
			return true;
	return false;
}

/* Another copy of our library, which would hook every call a second time. */
static bool is_ours(const char *word, const char *name)
{
	const char *base = base_name(word);
	size_t length = strlen(base);

	if (strcmp(word, name) == 0 || strcmp(base, PS_LIBRARY_FILE) == 0)
		return true;
	return length == sizeof("lib-0123456789abcdef.so") - 1 && strncmp(base, "lib-", 4) == 0 &&
	       strspn(base + 4, "0123456789abcdef") == 16;
}

static void append(char *list, const char *word)
{
	if (*list)
		strcat(list, ":");
	strcat(list, word);
}

char *library_preload(const char *set, const char *name)
{
	size_t room = (set ? strlen(set) : 0) + strlen(name) + 3;
	char *words = strdup(set ? set : ""), *first = calloc(1, room), *rest = calloc(1, room);
	char *word, *state;

	if (!words || !first || !rest) {
		free(first);
		first = NULL;
		goto out;
	}
	for (word = strtok_r(words, " :", &state); word; word = strtok_r(NULL, " :", &state)) {
		if (is_sanitizer(base_name(word)))
			append(first, word);
		else if (!is_ours(word, name))
			append(rest, word);
	}
	append(first, name);
	if (*rest)
		append(first, rest);
out:
	free(words);
	free(rest);
	return first;
}
