/*
 * edit_recover.c - the end of a change that was killed in the middle.
 *
 * Theory of operation. While it prepared, it had only written files beside: those go, and that is all. While it
 * committed, each file has its old contents (`before`), its new ones (`after`), or others, because somebody has edited
 * it since; and so has the file beside it. If every file has been replaced, and only the removal of the old ones is
 * missing, that is done. Otherwise those that are new are exchanged with what lies beside them: the old contents, or
 * what an editor wrote just before the exchange. A file that somebody has edited since stays as it is in any case.
 *
 * All of this may be killed again, and begins anew then: the journal goes last.
 */
#include "edit_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum contents { NOTHING, BEFORE, AFTER, OTHER };

struct found {
	char *beside, *aside; /* paths */
	bool below; /* of the directory: else nothing is done to it */
	enum contents now, in_beside, in_aside;
};

static bool is(const struct edit_sum *a, const struct edit_sum *b)
{
	return a->size == b->size && a->hash == b->hash;
}

/* What a file has. One that cannot be read, or is too big to be one of ours, has something else. */
static enum contents look(const struct edit_entry *entry, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
	enum contents result = OTHER;
	struct edit_sum sum;
	char *text = NULL;
	struct stat st;
	size_t size = 0;
	ssize_t n = 1;

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? NOTHING : OTHER;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ||
	    ((uint64_t)st.st_size != entry->before.size && (uint64_t)st.st_size != entry->after.size))
		goto out;
	text = malloc((size_t)st.st_size + 1);
	while (text && size < (size_t)st.st_size && n > 0) {
		n = read(fd, text + size, (size_t)st.st_size - size);
		size += n > 0 ? (size_t)n : 0;
	}
	if (!text || n < 0)
		goto out;
	sum = edit_sum(text, size);
	if (is(&sum, &entry->before))
		result = BEFORE;
	else if (is(&sum, &entry->after))
		result = AFTER;
out:
	free(text);
	close(fd);
	return result;
}

/* It lies below the edit's directory, and no link or ".." on the way leads elsewhere. */
static bool is_below(const struct ps_edit *edit, const struct edit_entry *entry)
{
	size_t length = edit->directory[1] ? strlen(edit->directory) : 0;
	char path[PATH_MAX], *directory, *real;
	bool same;

	if (strncmp(entry->real, edit->directory, length) != 0 || entry->real[length] != '/')
		return false;
	snprintf(path, sizeof(path), "%s", entry->real);
	directory = dirname(path);
	real = realpath(directory, NULL);
	same = real && strcmp(real, directory) == 0;
	free(real);
	return same;
}

static void say(struct ps_edit *edit, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct ps_edit *edit, const char *format, ...)
{
	char *text = NULL, *all = NULL;
	va_list list;

	va_start(list, format);
	if (vasprintf(&text, format, list) < 0)
		text = NULL;
	va_end(list);
	if (!text || asprintf(&all, "%s%s%s", edit->recovered ? edit->recovered : "", edit->recovered ? "\n" : "",
			      text) < 0)
		all = NULL;
	free(text);
	if (all) {
		free(edit->recovered);
		edit->recovered = all;
	}
}

/* Is only the end missing? So it is if no file has its old contents, and if one could not get them back: then the old
 * ones were being removed. */
static bool is_complete(const struct found *found, size_t count)
{
	bool complete = true;

	for (size_t i = 0; i < count; i++) {
		const struct found *f = &found[i];

		if (f->now == AFTER && f->in_beside != BEFORE && f->in_beside != OTHER && f->in_aside != BEFORE)
			return true;
		complete = complete && f->now != BEFORE && !(f->now == AFTER && f->in_beside == OTHER);
	}
	return complete;
}

/* The old contents again. 0, -EBUSY if somebody was faster, or -errno. */
static int put_back(const struct edit_entry *entry, struct found *f)
{
	const char *from = f->in_beside == BEFORE || f->in_beside == OTHER ? f->beside : f->aside;

	if (renameat2(AT_FDCWD, from, AT_FDCWD, entry->real, RENAME_EXCHANGE) == 0) {
		if (look(entry, from) == AFTER)
			return unlink(from) == 0 ? 0 : -errno;
		renameat2(AT_FDCWD, from, AT_FDCWD, entry->real, RENAME_EXCHANGE);
		return -EBUSY;
	}
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	return rename(from, entry->real) == 0 ? 0 : -errno;
}

/* What is ours goes; what may be somebody's stays, and is told of. A copy put aside is always ours. */
static void remove_beside(struct ps_edit *edit, const struct edit_journal *journal, size_t i, const struct found *f)
{
	unlink(f->aside);
	if (journal->commits && look(&journal->entries[i], f->beside) == OTHER)
		say(edit, "%s has what somebody wrote meanwhile; nothing else of it is left", f->beside);
	else
		unlink(f->beside);
	edit_sync_directory(f->beside);
}

static int look_at_all(const struct ps_edit *edit, const struct edit_journal *journal, struct found *found,
		       struct ps_error *error)
{
	for (size_t i = 0; i < journal->count; i++) {
		const struct edit_entry *entry = &journal->entries[i];
		struct found *f = &found[i];

		f->beside = edit_beside(journal, i, false);
		f->aside = edit_beside(journal, i, true);
		if (!f->beside || !f->aside)
			return error_set(error, PS_EXIT_SYSTEM, "out of memory");
		f->below = is_below(edit, entry);
		f->now = f->below ? look(entry, entry->real) : OTHER;
		f->in_beside = f->below ? look(entry, f->beside) : NOTHING;
		f->in_aside = f->below ? look(entry, f->aside) : NOTHING;
	}
	return 0;
}

static int put_all_back(struct ps_edit *edit, const struct edit_journal *journal, struct found *found,
			struct ps_error *error)
{
	for (size_t i = 0; i < journal->count; i++) {
		int code = found[i].now == AFTER ? put_back(&journal->entries[i], &found[i]) : 0;

		if (code == -EBUSY) {
			found[i].now = OTHER;
		} else if (code) {
			error_set(error, PS_EXIT_SYSTEM, "a change that was interrupted cannot be undone: %s: %s",
				  journal->entries[i].real, strerror(-code));
			return error_hint(error, "%s/" EDIT_JOURNAL " says what is to be done; try again when "
					  "it can be", edit->directory);
		}
		edit_sync_directory(journal->entries[i].real);
	}
	return 0;
}

static void tell(struct ps_edit *edit, const struct edit_journal *journal, const struct found *found, bool complete)
{
	if (journal->commits)
		say(edit, complete ? "a change that was interrupted at its very end is complete now"
				   : "a change that was interrupted has been undone: all files are as before it");
	for (size_t i = 0; i < journal->count && journal->commits; i++) {
		if (!found[i].below)
			say(edit, "%s is left as it is: it lies elsewhere", journal->entries[i].real);
		else if (found[i].now == OTHER || found[i].now == NOTHING)
			say(edit, "%s has been changed since, and stays as it is", journal->entries[i].real);
	}
}

int edit_recover(struct ps_edit *edit, struct ps_error *error)
{
	struct edit_journal journal;
	struct found *found = NULL;
	int code = edit_journal_read(edit, &journal, error);
	bool complete;

	if (code <= 0) {
		code = -code;
		goto out;
	}
	found = calloc(journal.count + 1, sizeof(*found));
	if (!found) {
		code = error_set(error, PS_EXIT_SYSTEM, "out of memory");
		goto out;
	}
	code = look_at_all(edit, &journal, found, error);
	if (code)
		goto out;
	complete = !journal.commits || is_complete(found, journal.count);
	code = complete ? 0 : put_all_back(edit, &journal, found, error);
	if (code)
		goto out;
	for (size_t i = 0; i < journal.count; i++) {
		if (found[i].below)
			remove_beside(edit, &journal, i, &found[i]);
	}
	tell(edit, &journal, found, complete);
	edit_journal_remove(edit);
out:
	for (size_t i = 0; found && i < journal.count; i++) {
		free(found[i].beside);
		free(found[i].aside);
	}
	free(found);
	edit_journal_free(&journal);
	return code;
}
