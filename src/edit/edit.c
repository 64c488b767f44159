/*
 * edit.c - files as they were read, and what is to be replaced in them.
 *
 * Theory of operation: a file is read once, as a whole, and stays as it is; what changes are splices beside it, kept in
 * order and apart from one another. So the offsets that somebody found in the text stay true whatever else is to
 * change, and all bytes that no splice names survive. A file is known by device and inode, so that two names of one
 * file, by a symlink say, do not become two edits of it.
 */
#include "edit_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int no_memory(struct ps_error *error)
{
	return error_set(error, PS_EXIT_SYSTEM, "out of memory");
}

int edit_start(struct ps_edit *edit, const char *directory, struct ps_error *error)
{
	*edit = (struct ps_edit){ .directory = realpath(directory, NULL) };
	if (edit->directory)
		return 0;
	return error_set(error, PS_EXIT_SYSTEM, "cannot use the directory %s: %s", directory, strerror(errno));
}

/* ---- whose turn it is ---- */

/* Locked, as far as the file system knows locks. The lock ends with the process. */
static int take_turn(struct ps_edit *edit, struct ps_error *error)
{
	if (edit->turn)
		return 0;
	edit->lock = open(edit->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (edit->lock < 0)
		return error_set(error, PS_EXIT_SYSTEM, "cannot use the directory %s: %s", edit->directory,
				 strerror(errno));
	edit->turn = true;
	while (flock(edit->lock, LOCK_EX) != 0 && errno == EINTR)
		;
	return 0;
}

static void end_turn(struct ps_edit *edit)
{
	if (edit->turn)
		close(edit->lock);
	edit->turn = false;
}

static bool has_journal(const struct ps_edit *edit)
{
	char path[PATH_MAX];
	struct stat st;

	return snprintf(path, sizeof(path), "%s/" EDIT_JOURNAL, edit->directory) < (int)sizeof(path) &&
	       lstat(path, &st) == 0;
}

int edit_turn(struct ps_edit *edit, bool applies, struct ps_error *error)
{
	struct ps_error local = { 0 };
	int code;

	if (!applies && !has_journal(edit))
		return 0;
	code = take_turn(edit, error);
	if (code)
		return code;
	code = edit_recover(edit, applies ? error : &local);
	if (applies)
		return code;
	end_turn(edit);
	if (code && !edit->recovered && asprintf(&edit->recovered, "%s\nhint: %s", local.text, local.hint) < 0)
		edit->recovered = NULL;
	return 0;
}

/* ---- reading ---- */

static int refuse(struct ps_error *error, const char *path, const char *why, const char *hint)
{
	error_set(error, PS_EXIT_SYSTEM, "cannot read %s: %s", path, why);
	return error_hint(error, "%s", hint);
}

static const char *kind(mode_t mode)
{
	if (S_ISDIR(mode))
		return "it is a directory";
	if (S_ISFIFO(mode))
		return "it is a pipe";
	return S_ISSOCK(mode) ? "it is a socket" : "it is a device";
}

/* Reads `size` bytes or what there is; a file that grows meanwhile is found out when it is applied. */
static ssize_t read_all(int fd, char *text, size_t size)
{
	size_t used = 0;

	while (used < size) {
		ssize_t n = read(fd, text + used, size - used);

		if (n == 0)
			break;
		if (n > 0)
			used += (size_t)n;
		else if (errno != EINTR)
			return -1;
	}
	return (ssize_t)used;
}

static int read_file(struct ps_edit_file *file, int fd, const char *path, struct ps_error *error)
{
	struct stat st;
	ssize_t size;

	if (fstat(fd, &st) != 0)
		return refuse(error, path, strerror(errno), "");
	if (!S_ISREG(st.st_mode))
		return refuse(error, path, kind(st.st_mode), "");
	if (st.st_size > PS_EDIT_SIZE_MAX) {
		error_set(error, PS_EXIT_SYSTEM, "cannot read %s: it has %lld bytes, at most %u are possible", path,
			  (long long)st.st_size, PS_EDIT_SIZE_MAX);
		return error_hint(error, "is it a source or a configuration?");
	}
	file->device = st.st_dev;
	file->inode = st.st_ino;
	file->text = malloc((size_t)st.st_size + 1);
	if (!file->text)
		return no_memory(error);
	size = read_all(fd, file->text, (size_t)st.st_size);
	if (size < 0)
		return refuse(error, path, strerror(errno), "");
	file->size = (size_t)size;
	file->text[size] = '\0';
	return 0;
}

static void file_free(struct ps_edit_file *file)
{
	if (!file)
		return;
	for (size_t i = 0; i < file->splice_count; i++)
		free(file->splices[i].text);
	free(file->splices);
	free(file->lines);
	free(file->path);
	free(file->real);
	free(file->text);
	free(file);
}

static struct ps_edit_file *known(const struct ps_edit *edit, dev_t device, ino_t inode)
{
	for (size_t i = 0; i < edit->count; i++) {
		if (edit->files[i]->inode == inode && edit->files[i]->device == device)
			return edit->files[i];
	}
	return NULL;
}

/* As it is shown: without the edit's directory. */
static char *shown_path(const struct ps_edit *edit, const char *real)
{
	size_t length = strlen(edit->directory);

	if (length == 1)
		length = 0;
	if (strncmp(real, edit->directory, length) == 0 && real[length] == '/')
		return strdup(real + length + 1);
	return strdup(real);
}

static bool add(struct ps_edit *edit, struct ps_edit_file *file)
{
	if (edit->count == edit->room) {
		size_t room = edit->room ? edit->room * 2 : 16;
		struct ps_edit_file **files = reallocarray(edit->files, room, sizeof(struct ps_edit_file *));

		if (!files)
			return false;
		edit->files = files;
		edit->room = room;
	}
	edit->files[edit->count++] = file;
	return true;
}

int edit_open(struct ps_edit *edit, const char *path, struct ps_edit_file **result, struct ps_error *error)
{
	struct ps_edit_file *file = NULL, *before;
	char full[PATH_MAX];
	int length, fd = -1, code = 0;
	struct stat st;

	length = snprintf(full, sizeof(full), "%s%s%s", path[0] == '/' ? "" : edit->directory,
			  path[0] == '/' ? "" : "/", path);
	if (length < 0 || (size_t)length >= sizeof(full))
		return refuse(error, path, strerror(ENAMETOOLONG), "");
	/* A device is not even opened, because that may do something; nor is a pipe, whose writer may wait for it. What
	 * becomes one just now does not keep us waiting. */
	if (stat(full, &st) == 0 && !S_ISREG(st.st_mode))
		return refuse(error, path, kind(st.st_mode), "");
	fd = open(full, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return refuse(error, path, strerror(errno), errno == ENOENT ? "is the path right?" : "");
	before = fstat(fd, &st) == 0 ? known(edit, st.st_dev, st.st_ino) : NULL;
	if (before) {
		*result = before;
		goto out;
	}
	file = calloc(1, sizeof(*file));
	if (!file) {
		code = no_memory(error);
		goto out;
	}
	code = read_file(file, fd, path, error);
	if (code)
		goto out;
	file->real = realpath(full, NULL);
	if (!file->real) {
		code = refuse(error, path, strerror(errno), "");
		goto out;
	}
	file->path = shown_path(edit, file->real);
	if (!file->path || !add(edit, file)) {
		code = no_memory(error);
		goto out;
	}
	*result = file;
	file = NULL;
out:
	file_free(file);
	close(fd);
	return code;
}

void edit_free(struct ps_edit *edit)
{
	for (size_t i = 0; i < edit->count; i++)
		file_free(edit->files[i]);
	free(edit->files);
	free(edit->directory);
	free(edit->recovered);
	end_turn(edit);
	*edit = (struct ps_edit){ 0 };
}

/* ---- splices ---- */

static bool same(const struct ps_splice *s, size_t offset, size_t length, const char *text, size_t text_length)
{
	return s->offset == offset && s->length == length && s->text_length == text_length &&
	       memcmp(s->text, text, text_length) == 0;
}

int edit_splice(struct ps_edit_file *file, size_t offset, size_t length, const char *text, size_t text_length)
{
	struct ps_splice *before, *after;
	char *copy;
	size_t at;

	if (offset > file->size || length > file->size - offset)
		return -EINVAL;
	if (length == text_length && memcmp(file->text + offset, text, length) == 0)
		return 0;
	/* Where it belongs: usually at the end. An insertion comes before what is replaced at the same offset. */
	at = file->splice_count;
	while (at > 0 && (file->splices[at - 1].offset > offset ||
			  (file->splices[at - 1].offset == offset && file->splices[at - 1].length >= length)))
		at--;
	before = at > 0 ? &file->splices[at - 1] : NULL;
	after = at < file->splice_count ? &file->splices[at] : NULL;
	if (after && same(after, offset, length, text, text_length))
		return 0;
	if (before && before->offset + before->length > offset)
		return -EEXIST;
	if (after && (offset + length > after->offset || (offset == after->offset && length == after->length)))
		return -EEXIST;
	if (file->splice_count == file->splice_room) {
		size_t room = file->splice_room ? file->splice_room * 2 : 16;
		struct ps_splice *splices = reallocarray(file->splices, room, sizeof(*splices));

		if (!splices)
			return -ENOMEM;
		file->splices = splices;
		file->splice_room = room;
	}
	copy = malloc(text_length + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, text_length);
	copy[text_length] = '\0';
	memmove(&file->splices[at + 1], &file->splices[at], (file->splice_count - at) * sizeof(*file->splices));
	file->splices[at] = (struct ps_splice){ offset, length, copy, text_length };
	file->splice_count++;
	return 0;
}

char *edit_result(const struct ps_edit_file *file, size_t *size)
{
	size_t total = file->size, at = 0;
	char *result, *out;

	for (size_t i = 0; i < file->splice_count; i++)
		total = total - file->splices[i].length + file->splices[i].text_length;
	result = out = malloc(total + 1);
	if (!result)
		return NULL;
	for (size_t i = 0; i < file->splice_count; i++) {
		const struct ps_splice *s = &file->splices[i];

		out = mempcpy(out, file->text + at, s->offset - at);
		out = mempcpy(out, s->text, s->text_length);
		at = s->offset + s->length;
	}
	out = mempcpy(out, file->text + at, file->size - at);
	*out = '\0';
	*size = total;
	return result;
}

/* False if memory ran out. */
static bool find_lines(struct ps_edit_file *file)
{
	size_t room = 64, count = 1, *lines = calloc(room, sizeof(*lines)); /* the first one begins at 0 */
	const char *newline;

	if (!lines)
		return false;
	for (size_t at = 0; at < file->size; at++) {
		newline = memchr(file->text + at, '\n', file->size - at);
		if (!newline)
			break;
		at = (size_t)(newline - file->text);
		if (count == room) {
			size_t *more = reallocarray(lines, room *= 2, sizeof(*more));

			if (!more) {
				free(lines);
				return false;
			}
			lines = more;
		}
		lines[count++] = at + 1;
	}
	file->lines = lines;
	file->line_count = count;
	return true;
}

void edit_position(struct ps_edit_file *file, size_t offset, int *line, int *column)
{
	size_t low = 0, high;

	*line = *column = 1;
	if (!file->lines && !find_lines(file))
		return;
	for (high = file->line_count; high - low > 1;) {
		size_t middle = low + (high - low) / 2;

		if (file->lines[middle] <= offset)
			low = middle;
		else
			high = middle;
	}
	*line = (int)low + 1;
	*column = (int)((offset < file->size ? offset : file->size) - file->lines[low]) + 1;
}

size_t edit_changes(const struct ps_edit *edit)
{
	size_t count = 0;

	for (size_t i = 0; i < edit->count; i++)
		count += edit->files[i]->splice_count > 0;
	return count;
}
