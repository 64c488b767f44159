/*
 * numbers.c - numbers that were handed out by `portshim next`.
 *
 * Theory of operation: each is a symbolic link whose name is the port. It is the making of the link that hands the
 * number out, and the kernel lets one process make it: so two who ask at once get two numbers, without a lock. A number
 * is taken until it is given back, whatever becomes of the project: to find out that it is not wanted any more is for
 * people.
 */
#include "numbers.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NUMBERS "numbers"

static int path_of(uint16_t port, char *path)
{
	char name[8];

	snprintf(name, sizeof(name), "%u", port);
	return known_path(NUMBERS, name, path);
}

int numbers_take(uint16_t port, const char *directory, const char *rule)
{
	char path[PS_PATH_MAX], target[PS_PATH_MAX + PS_NAME_MAX + 2];
	int error = path_of(port, path);

	snprintf(target, sizeof(target), "%s:%s", directory, rule);
	return error ? error : known_link(target, path);
}

int numbers_release(uint16_t port)
{
	char path[PS_PATH_MAX];
	int error = path_of(port, path);

	if (error)
		return error;
	return unlink(path) == 0 ? 0 : -errno;
}

/* ---- reading ---- */

static bool read_one(const char *folder, const char *name, struct ps_number *number)
{
	char path[PS_PATH_MAX + NAME_MAX + 2], target[PS_PATH_MAX + PS_NAME_MAX + 2], *end, *colon;
	unsigned long port = strtoul(name, &end, 10);
	struct stat st;
	ssize_t length;

	if (*end || end == name || port < 1 || port > 65535 || strlen(name) > 5)
		return false;
	snprintf(path, sizeof(path), "%s%s", folder, name);
	length = readlink(path, target, sizeof(target) - 1);
	if (length <= 0 || lstat(path, &st) != 0)
		return false;
	target[length] = '\0';
	colon = strrchr(target, ':');
	if (!colon)
		return false;
	*colon = '\0';
	*number = (struct ps_number){ .port = (uint16_t)port, .since = st.st_mtime };
	snprintf(number->directory, sizeof(number->directory), "%.*s", PS_PATH_MAX - 1, target);
	snprintf(number->rule, sizeof(number->rule), "%.*s", PS_NAME_MAX - 1, colon + 1);
	return true;
}

static int by_port(const void *a, const void *b)
{
	const struct ps_number *x = a, *y = b;

	return (x->port > y->port) - (x->port < y->port);
}

struct ps_number *numbers_list(size_t *count)
{
	struct ps_number *list = NULL, *bigger;
	char folder[PS_PATH_MAX];
	struct dirent *entry;
	DIR *directory;
	size_t room = 0;

	*count = 0;
	if (known_path(NUMBERS, "", folder) != 0 || !(directory = opendir(folder)))
		return NULL;
	while ((entry = readdir(directory)) != NULL) {
		if (*count == room) {
			bigger = realloc(list, (room * 2 + 16) * sizeof(*list));
			if (!bigger)
				break;
			list = bigger;
			room = room * 2 + 16;
		}
		if (read_one(folder, entry->d_name, &list[*count]))
			++*count;
	}
	closedir(directory);
	if (*count)
		qsort(list, *count, sizeof(*list), by_port);
	return list;
}

static void take_ports(const struct ps_manifest *manifest, uint64_t *taken)
{
	for (size_t i = 0; i < manifest->service_count; i++)
		for (size_t k = 0; k < manifest->services[i].port_count; k++)
			bitmap_set(taken, manifest->services[i].ports[k]);
}

void numbers_declared(const char *path, const struct ps_manifest *manifest, uint64_t *taken)
{
	take_ports(manifest, taken);
	for (size_t i = 0; i < manifest->profile_count; i++) {
		struct ps_manifest *under = NULL;
		struct ps_error ignored = { 0 };

		if (manifest_load(&under, path, manifest->profiles[i], NULL, &ignored) == 0)
			take_ports(under, taken);
		manifest_free(under);
	}
}

void numbers_taken(const struct ps_known_list *known, uint64_t *taken)
{
	size_t count;
	struct ps_number *handed_out = numbers_list(&count);

	for (size_t i = 0; i < known->count; i++)
		if (known->list[i].manifest)
			numbers_declared(known->list[i].path, known->list[i].manifest, taken);
	for (size_t i = 0; i < count; i++)
		bitmap_set(taken, handed_out[i].port);
	free(handed_out);
}
