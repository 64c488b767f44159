/*
 * edit_apply.c - a set of edits on disk: all of them, or none.
 *
 * Theory of operation, in three steps, with signals held back, and with the lock on the edit's directory:
 *
 * 1. Prepare. A journal says what will be done (edit_journal.c). Beside each file that changes a new one is written,
 *    with the owner, mode and attributes (ACLs, labels) of the old one, and synced. Whatever can go wrong (a read-only
 *    directory, a full disk, somebody else's file) goes wrong here as a rule, where nothing has happened yet.
 * 2. Commit. Each file is compared once more with what was read and then exchanged with the new
 *    one in one step (RENAME_EXCHANGE), so that the old one is still there, under the other name; it is compared again
 *    afterwards, because an editor may have been faster. On file systems that cannot exchange, a copy of the old one is
 *    put aside and the new one renamed over it. At the first failure everything is renamed back.
 * 3. Clean up. The directories are synced, the old files removed, and then the journal.
 *
 * Who reads a file meanwhile sees the old or the new one, never a part. A program that has the old file open and writes
 * into it after the last comparison writes into a file without a name; nobody can prevent that. A kill -9 or a power
 * failure in the middle leaves some files new and others old, each whole, until the next edit of the directory begins:
 * that one undoes it, or ends it (edit_recover.c).
 *
 * What a symlink leads to is replaced, the symlink stays. A file with several names (hard links) is refused: replacing
 * it would part them. A file outside of the edit's directory is not followed up after a kill.
 */
#include "edit_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

struct change {
	const struct ps_edit_file *file;
	char *text; /* the new contents */
	size_t size;
	char *path;    /* of the new file, to be */
	char *aside;   /* of the copy of the old one, where both cannot be exchanged */
	char *beside;  /* one of them: the new file, and after an exchange the old one; NULL: there is none */
	bool stuck;    /* it could not be put back: the journal stays for the next one to try */
	bool replaced; /* the file's name has the new contents; `beside` the old ones */
};

static int failed(struct ps_error *error, const struct ps_edit_file *file, const char *what)
{
	int number = errno;

	error_set(error, PS_EXIT_SYSTEM, "cannot change %s: %s%s%s", file->path, what, number ? ": " : "",
		  number ? strerror(number) : "");
	if (number == EACCES || number == EPERM || number == EROFS)
		error_hint(error, "nothing has been changed; the directory and its file must be yours to write");
	else
		error_hint(error, "nothing has been changed");
	return error->code;
}

/* ---- a file beside the file ---- */

static bool write_all(int fd, const char *text, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, text, size);

		if (n > 0) {
			text += n;
			size -= (size_t)n;
		} else if (n < 0 && errno != EINTR) {
			return false;
		}
	}
	return true;
}

/* ACLs and labels. What only the system may set is left to it. */
static bool copy_attributes(int from, int to)
{
	char names[4096], value[4096];
	ssize_t length = flistxattr(from, names, sizeof(names));

	for (const char *name = names; length > 0 && name < names + length; name += strlen(name) + 1) {
		ssize_t size = fgetxattr(from, name, value, sizeof(value));

		if (size >= 0 && fsetxattr(to, name, value, (size_t)size, 0) == 0)
			continue;
		if (strncmp(name, "user.", 5) == 0 || strncmp(name, "system.posix_acl", 16) == 0)
			return false;
	}
	return length >= 0 || errno == ENOTSUP;
}

/* Makes a file with this text and the owner, mode and attributes of the file open at `like`. False with the error
 * set. */
static bool write_beside(const struct ps_edit_file *file, int like, const char *path, const char *text, size_t size,
			 struct ps_error *error)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	const char *what = NULL;
	struct stat st, own;

	if (fd < 0)
		what = "cannot write a file beside it";
	else if (fstat(like, &st) != 0 || fstat(fd, &own) != 0)
		what = "cannot look at it";
	else if ((own.st_uid != st.st_uid || own.st_gid != st.st_gid) && fchown(fd, st.st_uid, st.st_gid) != 0)
		what = "a new file would not have its owner and group";
	else if (fchmod(fd, st.st_mode & 07777) != 0)
		what = "a new file would not have its mode";
	else if (!copy_attributes(like, fd))
		what = "a new file would not have its attributes";
	else if (!write_all(fd, text, size) || fsync(fd) != 0)
		what = "cannot write the new file";
	if (what)
		failed(error, file, what);
	if (fd >= 0 && close(fd) != 0 && !what) {
		what = "cannot write the new file";
		failed(error, file, what);
	}
	if (what && fd >= 0)
		unlink(path);
	return !what;
}

/* ---- is it still what was read? ---- */

static bool same_text(int fd, const struct ps_edit_file *file)
{
	char part[65536];
	size_t at = 0;

	for (;;) {
		ssize_t n = read(fd, part, sizeof(part));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 && at == file->size;
		if ((size_t)n > file->size - at || memcmp(part, file->text + at, (size_t)n) != 0)
			return false;
		at += (size_t)n;
	}
}

/* The file by a name it has, open for reading; -1 with the error set if it is another one, or not as it was read. */
static int open_same(const struct ps_edit_file *file, const char *path, struct ps_error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW);
	struct stat st;

	if (fd < 0) {
		failed(error, file, "it cannot be read any more");
		return -1;
	}
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_dev == file->device && st.st_ino == file->inode &&
	    same_text(fd, file))
		return fd;
	error_set(error, PS_EXIT_SYSTEM, "cannot change %s: somebody else has changed it meanwhile", file->path);
	error_hint(error, "nothing has been changed; try again");
	close(fd);
	return -1;
}

/* ---- the steps ---- */

static bool prepare(struct change *change, struct ps_error *error)
{
	const struct ps_edit_file *file = change->file;
	int fd = open_same(file, file->real, error);
	struct stat st;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && st.st_nlink > 1) {
		error_set(error, PS_EXIT_SYSTEM, "cannot change %s: it has %lu names (hard links)", file->path,
			  (unsigned long)st.st_nlink);
		error_hint(error, "nothing has been changed; a new file would be one of them only: make it a copy");
	} else if (write_beside(file, fd, change->path, change->text, change->size, error)) {
		change->beside = change->path;
	}
	close(fd);
	return change->beside != NULL;
}

/* Puts the old contents aside and renames the new file over the old one, where both cannot be exchanged. */
static bool replace(struct change *change, int fd, struct ps_error *error)
{
	const struct ps_edit_file *file = change->file;

	if (!write_beside(file, fd, change->aside, file->text, file->size, error))
		return false;
	if (rename(change->beside, file->real) != 0) {
		failed(error, file, "cannot replace it");
		unlink(change->aside);
		return false;
	}
	change->beside = change->aside;
	change->replaced = true;
	return true;
}

static bool commit(struct change *change, struct ps_error *error)
{
	const struct ps_edit_file *file = change->file;
	int fd = open_same(file, file->real, error);
	bool good = false;

	if (fd < 0)
		return false;
	if (renameat2(AT_FDCWD, change->beside, AT_FDCWD, file->real, RENAME_EXCHANGE) == 0) {
		change->replaced = true;
		close(fd);
		fd = open_same(file, change->beside, error);
		good = fd >= 0;
	} else if (errno == EINVAL || errno == ENOSYS) {
		good = replace(change, fd, error);
	} else {
		failed(error, file, "cannot replace it");
	}
	if (fd >= 0)
		close(fd);
	return good;
}

/* Renames the old file back. What is in the way is ours. */
static void undo(struct change *change, struct ps_error *error)
{
	size_t used = strlen(error->text);

	if (rename(change->beside, change->file->real) != 0) {
		snprintf(error->text + used, sizeof(error->text) - used,
			 "\ncannot put %s back: %s; its contents are in %s", change->file->path, strerror(errno),
			 change->beside);
		error_hint(error, "the next portshim sync or fix here tries again; or rename that file by hand");
		change->stuck = true;
	}
	change->beside = NULL;
	change->replaced = false;
}

static int commit_all(struct change *changes, size_t count, struct ps_error *error)
{
	size_t i = 0;

	while (i < count && commit(&changes[i], error))
		i++;
	if (i == count)
		return 0;
	for (size_t k = 0; k <= i; k++) {
		if (changes[k].replaced)
			undo(&changes[k], error);
	}
	return error->code;
}

/* What was replaced, or put back, is on the disk before what it was made from goes, and that before the journal. */
static void clean_up(const struct ps_edit *edit, const struct change *changes, size_t count)
{
	bool stuck = false;

	for (size_t i = 0; i < count; i++)
		edit_sync_directory(changes[i].file->real);
	for (size_t i = 0; i < count; i++) {
		stuck |= changes[i].stuck;
		if (changes[i].beside)
			unlink(changes[i].beside);
	}
	for (size_t i = 0; i < count; i++)
		edit_sync_directory(changes[i].file->real);
	if (!stuck)
		edit_journal_remove(edit);
}

/* The new contents, and what the journal is to say. The names come with its id. */
static bool plan(const struct ps_edit *edit, struct change *changes, struct edit_journal *journal)
{
	for (size_t i = 0; i < edit->count; i++) {
		struct ps_edit_file *file = edit->files[i];
		struct change *change = &changes[journal->count];

		if (file->splice_count == 0)
			continue;
		change->file = file;
		change->text = edit_result(file, &change->size);
		if (!change->text)
			return false;
		journal->entries[journal->count++] = (struct edit_entry){
			.real = file->real,
			.before = edit_sum(file->text, file->size),
			.after = edit_sum(change->text, change->size),
		};
	}
	return true;
}

static bool name_all(struct change *changes, const struct edit_journal *journal)
{
	for (size_t i = 0; i < journal->count; i++) {
		changes[i].path = edit_beside(journal, i, false);
		changes[i].aside = edit_beside(journal, i, true);
		if (!changes[i].path || !changes[i].aside)
			return false;
	}
	return true;
}

static int no_memory(struct ps_error *error)
{
	return error_set(error, PS_EXIT_SYSTEM, "out of memory");
}

/* With the journal written. */
static int change_all(const struct ps_edit *edit, struct change *changes, size_t count, struct ps_error *error)
{
	int code = 0;

	for (size_t i = 0; i < count && !code; i++)
		code = prepare(&changes[i], error) ? 0 : error->code;
	if (!code && edit_journal_commit(edit)) {
		failed(error, changes[0].file, "cannot write the journal");
		code = error->code;
	}
	if (!code)
		code = commit_all(changes, count, error);
	clean_up(edit, changes, count);
	return code;
}

int edit_apply(struct ps_edit *edit, struct ps_error *error)
{
	struct change *changes = calloc(edit->count + 1, sizeof(*changes));
	struct edit_journal journal = { .entries = calloc(edit->count + 1, sizeof(*journal.entries)) };
	sigset_t all, before;
	int code;

	if (!changes || !journal.entries) {
		code = no_memory(error);
		goto out;
	}
	code = edit_turn(edit, true, error);
	if (!code && !plan(edit, changes, &journal))
		code = no_memory(error);
	if (code || journal.count == 0)
		goto out;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	code = edit_journal_write(edit, &journal, error);
	if (!code && !name_all(changes, &journal)) {
		edit_journal_remove(edit);
		code = no_memory(error);
	}
	if (!code)
		code = change_all(edit, changes, journal.count, error);
	sigprocmask(SIG_SETMASK, &before, NULL);
out:
	for (size_t i = 0; changes && i < journal.count; i++) {
		free(changes[i].text);
		free(changes[i].path);
		free(changes[i].aside);
	}
	free(changes);
	free(journal.entries);
	return code;
}
