/*
 * edit_apply.c - a set of edits on disk: all of them, or none.
 *
 * Theory of operation, in three steps, with signals held back:
 *
 * 1. Prepare. Beside each file that changes a new one is written, with the owner, mode and attributes (ACLs, labels) of
 *    the old one, and synced. Whatever can go wrong (a read-only directory, a full disk, somebody else's file) goes
 *    wrong here as a rule, where nothing has happened yet.
 * 2. Commit. Each file is compared once more with what was read and then exchanged with the new
 *    one in one step (RENAME_EXCHANGE), so that the old one is still there, under the other name; it is compared again
 *    afterwards, because an editor may have been faster. On file systems that cannot exchange, a copy of the old one is
 *    put aside and the new one renamed over it. At the first failure everything is renamed back.
 * 3. Clean up. The directories are synced, and the old files removed.
 *
 * Who reads a file meanwhile sees the old or the new one, never a part. A program that has the old file open and writes
 * into it after the last comparison writes into a file without a name; nobody can prevent that. A kill -9 or a power
 * failure in the middle of step 2 can leave some files new and others old, each whole, with files called
 * .NAME.portshim-XXXXXX beside them.
 *
 * What a symlink leads to is replaced, the symlink stays. A file with several names (hard links) is refused: replacing
 * it would part them.
 */
#include "edit.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

struct change {
	const struct ps_edit_file *file;
	char *beside;  /* path of the new file, and after an exchange of the old one; NULL: there is none */
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

/* A file with this text and the owner, mode and attributes of the file open at `like`. Its path, malloc'ed, or NULL
 * with the error set. */
static char *write_beside(const struct ps_edit_file *file, int like, const char *text, size_t size,
			  struct ps_error *error)
{
	const char *name = strrchr(file->real, '/') + 1, *what = NULL;
	char *path = malloc(strlen(file->real) + 32);
	struct stat st, own;
	int fd = -1;

	if (!path) {
		error_set(error, PS_EXIT_SYSTEM, "out of memory");
		return NULL;
	}
	/* A long name is cut, so that the new one is none too long. */
	sprintf(path, "%.*s.%.200s.portshim-XXXXXX", (int)(name - file->real), file->real, name);
	fd = mkostemp(path, O_CLOEXEC);
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
	if (what) {
		failed(error, file, what);
		if (fd >= 0)
			unlink(path);
	}
	if (fd >= 0 && close(fd) != 0 && !what) {
		what = "cannot write the new file";
		failed(error, file, what);
		unlink(path);
	}
	if (what) {
		free(path);
		return NULL;
	}
	return path;
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
	size_t size;
	char *text;

	if (fd < 0)
		return false;
	text = edit_result(file, &size);
	if (!text) {
		error_set(error, PS_EXIT_SYSTEM, "out of memory");
	} else if (fstat(fd, &st) == 0 && st.st_nlink > 1) {
		error_set(error, PS_EXIT_SYSTEM, "cannot change %s: it has %lu names (hard links)", file->path,
			  (unsigned long)st.st_nlink);
		error_hint(error, "nothing has been changed; a new file would be one of them only: make it a copy");
	} else {
		change->beside = write_beside(file, fd, text, size, error);
	}
	free(text);
	close(fd);
	return change->beside != NULL;
}

/* Puts the old contents aside and renames the new file over the old one, where both cannot be exchanged. */
static bool replace(struct change *change, int fd, struct ps_error *error)
{
	char *aside = write_beside(change->file, fd, change->file->text, change->file->size, error);

	if (!aside)
		return false;
	if (rename(change->beside, change->file->real) != 0) {
		failed(error, change->file, "cannot replace it");
		unlink(aside);
		free(aside);
		return false;
	}
	free(change->beside);
	change->beside = aside;
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

	if (rename(change->beside, change->file->real) == 0) {
		free(change->beside);
		change->beside = NULL;
	} else {
		snprintf(error->text + used, sizeof(error->text) - used,
			 "\ncannot put %s back: %s; its contents are in %s", change->file->path, strerror(errno),
			 change->beside);
		error_hint(error, "rename that file by hand");
		free(change->beside);
		change->beside = NULL;
	}
	change->replaced = false;
}

/* The directory's entry survives a power failure. Best effort: the contents are safe either way. */
static void sync_directory(const char *real)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s", real);
	fd = open(dirname(path), O_RDONLY | O_CLOEXEC | O_DIRECTORY);
	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

static int commit_all(struct change *changes, size_t count, struct ps_error *error)
{
	size_t i = 0;

	while (i < count && commit(&changes[i], error))
		i++;
	if (i < count) {
		for (size_t k = 0; k <= i; k++) {
			if (changes[k].replaced)
				undo(&changes[k], error);
		}
	}
	for (size_t k = 0; k < count; k++) {
		if (changes[k].beside)
			unlink(changes[k].beside);
		sync_directory(changes[k].file->real);
	}
	return i < count ? error->code : 0;
}

int edit_apply(const struct ps_edit *edit, struct ps_error *error)
{
	struct change *changes = calloc(edit->count + 1, sizeof(*changes));
	sigset_t all, before;
	size_t count = 0;
	bool good = true;
	int code = 0;

	if (!changes)
		return error_set(error, PS_EXIT_SYSTEM, "out of memory");
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	for (size_t i = 0; i < edit->count && good; i++) {
		if (edit->files[i]->splice_count == 0)
			continue;
		changes[count].file = edit->files[i];
		good = prepare(&changes[count++], error);
	}
	if (good) {
		code = commit_all(changes, count, error);
	} else {
		code = error->code;
		for (size_t i = 0; i < count; i++) {
			if (changes[i].beside)
				unlink(changes[i].beside);
		}
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	for (size_t i = 0; i < count; i++)
		free(changes[i].beside);
	free(changes);
	return code;
}
