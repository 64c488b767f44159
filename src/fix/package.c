/*
 * package.c - Go: what the other files of a package have.
 *
 * The functions that read the environment are the package's, so that one of its files has them: this one, another one
 * that has them from before, or one that gets them in this run.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fix.h"

#define FILE_LIMIT (2u << 20)

/* "main" of `package main`, and of the file's directory: DIRECTORY:NAME, malloc'ed. */
static char *package_key(const struct ps_fixing *f)
{
	const struct ps_token *name = code_token(&f->code, 1);
	const char *slash = strrchr(f->path, '/');
	char *key = NULL;

	return asprintf(&key, "%.*s:%.*s", slash ? (int)(slash - f->path) : 0, f->path, (int)(name->until - name->from),
			f->text + name->from) < 0
		       ? NULL
		       : key;
}

/* The bits of one file of the directory, if it is of the package. */
static unsigned look_into(int directory, const char *name, const char *package, char *buffer, bool *taken)
{
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	size_t length = strlen(package);
	unsigned found = 0;
	const char *line;
	struct stat st;
	ssize_t size;

	if (fd < 0)
		return 0;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size < FILE_LIMIT &&
	    (size = read(fd, buffer, FILE_LIMIT)) > 8) {
		line = strncmp(buffer, "package ", 8) == 0 ? buffer : memmem(buffer, (size_t)size, "\npackage ", 9);
		line = line && *line == '\n' ? line + 1 : line;
		if (line && (size_t)(buffer + size - line) > 8 + length && memcmp(line + 8, package, length) == 0 &&
		    !lex_is_name(line[8 + length]) && !fix_go_constrained(name, buffer, (size_t)size))
			found = fix_go_declared(buffer, (size_t)size, taken);
	}
	close(fd);
	return found;
}

static unsigned look_around(const char *directory, const char *package, bool *taken)
{
	DIR *list = opendir(directory);
	char *buffer = list ? malloc(FILE_LIMIT + 1) : NULL;
	unsigned found = 0;

	for (struct dirent *entry; buffer && (entry = readdir(list));) {
		size_t length = strlen(entry->d_name);

		if (length > 3 && strcmp(entry->d_name + length - 3, ".go") == 0)
			found |= look_into(dirfd(list), entry->d_name, package, buffer, taken);
	}
	free(buffer);
	if (list)
		closedir(list);
	return found;
}

bool fix_package_start(struct ps_fix *fix, struct ps_fixing *f)
{
	char directory[PATH_MAX * 2], *key = package_key(f);
	struct ps_fix_package *packages;
	bool taken = false;
	size_t i;

	if (!key)
		return false;
	for (i = 0; i < fix->package_count && strcmp(fix->packages[i].key, key) != 0; i++)
		;
	if (i == fix->package_count) {
		packages = reallocarray(fix->packages, i + 1, sizeof(*packages));
		if (!packages) {
			free(key);
			return false;
		}
		fix->packages = packages;
		snprintf(directory, sizeof(directory), "%s/%.*s", fix->edit.directory, (int)(strrchr(key, ':') - key),
			 key);
		packages[i] = (struct ps_fix_package){ .key = key,
						       .has = look_around(directory, strrchr(key, ':') + 1, &taken) };
		packages[i].taken = taken;
		fix->package_count++;
	} else {
		free(key);
	}
	f->package = i;
	f->helped |= fix->packages[i].has;
	f->unhelped = fix_go_constrained(f->path, f->text, f->size);
	if (fix->packages[i].taken)
		f->refused = PS_FIX_TAKEN;
	return true;
}

void fix_package_end(struct ps_fix *fix, const struct ps_fixing *f)
{
	if (!f->unhelped)
		fix->packages[f->package].has |= f->needs;
}
