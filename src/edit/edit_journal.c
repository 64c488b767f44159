/*
 * edit_journal.c - what edit_apply is about to do, on disk.
 *
 * Theory of operation: before anything else is written, .portshim-edit in the edit's directory says which files will
 * change, from which contents to which, and by an id how the files beside them are called. It is text:
 *
 *	portshim-edit 1 ID p
 *	SIZE HASH SIZE HASH LENGTH PATH		(before, after; the path from the directory on)
 *	end
 *
 * and is synced as a whole before the first file is made, so that one without its last line tells of nothing. The one
 * byte `p` (preparing) becomes `c` (committing) in place, synced as well, when all new files are there: from then on
 * the files beside may hold what somebody else has written, and are judged by their contents. It is removed at the very
 * end. Whoever has the lock on the directory is the only one who writes it.
 *
 * It may lie in a directory that came from elsewhere. So it counts only if it is the user's own, writable for nobody
 * else, and only for what it says of files below the directory, by paths without links and "..": the worst that a
 * forged one brings about is that files of the same project, with names that only we give, are removed or renamed.
 */
#include "edit_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD "portshim-edit 1 "
#define STATE (sizeof(HEAD) - 1 + 6 + 1) /* where `p` or `c` stands */
#define JOURNAL_SIZE_MAX (64u << 20)

struct edit_sum edit_sum(const void *text, size_t size)
{
	struct edit_sum sum = { UINT64_C(14695981039346656037), size };

	for (const unsigned char *c = text, *end = c + size; c < end; c++)
		sum.hash = (sum.hash ^ *c) * UINT64_C(1099511628211);
	return sum;
}

char *edit_beside(const struct edit_journal *journal, size_t entry, bool old)
{
	const char *real = journal->entries[entry].real, *name = strrchr(real, '/') + 1;
	char *path = NULL;

	/* A long name is cut, so that the new one is none too long; the number keeps two of those apart. */
	if (asprintf(&path, "%.*s.%.200s.portshim-%s-%zu%s", (int)(name - real), real, name, journal->id, entry,
		     old ? ".old" : "") < 0)
		return NULL;
	return path;
}

void edit_sync_directory(const char *real)
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

/* ---- writing ---- */

static int cannot(const struct ps_edit *edit, struct ps_error *error, int number)
{
	error_set(error, PS_EXIT_SYSTEM, "cannot write %s/" EDIT_JOURNAL ": %s", edit->directory, strerror(number));
	return error_hint(error, "nothing has been changed; without this file a crash could leave half of a change");
}

static void draw_id(char id[8])
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345";
	unsigned char bytes[6] = { 0 };

	if (getrandom(bytes, sizeof(bytes), GRND_NONBLOCK) < 0)
		memcpy(bytes, &(pid_t){ getpid() }, sizeof(pid_t));
	for (size_t i = 0; i < sizeof(bytes); i++)
		id[i] = letters[bytes[i] % 32];
	id[6] = '\0';
}

/* What the journal calls a file: from the directory on. One outside of it has no such name, and counts for nothing when
 * the journal is read. */
static const char *journal_name(const struct ps_edit *edit, const char *real)
{
	size_t length = strlen(edit->directory);

	if (length > 1 && strncmp(real, edit->directory, length) == 0 && real[length] == '/')
		return real + length + 1;
	return length == 1 ? real + 1 : real;
}

static bool print(const struct ps_edit *edit, const struct edit_journal *journal, FILE *f)
{
	fprintf(f, HEAD "%s p\n", journal->id);
	for (size_t i = 0; i < journal->count; i++) {
		const struct edit_entry *e = &journal->entries[i];
		const char *name = journal_name(edit, e->real);

		fprintf(f, "%" PRIu64 " %016" PRIx64 " %" PRIu64 " %016" PRIx64 " %zu %s\n", e->before.size,
			e->before.hash, e->after.size, e->after.hash, strlen(name), name);
	}
	fputs("end\n", f);
	return fflush(f) == 0 && !ferror(f);
}

int edit_journal_write(const struct ps_edit *edit, struct edit_journal *journal, struct ps_error *error)
{
	int fd = openat(edit->lock, EDIT_JOURNAL, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
	int number = errno;
	bool good;

	draw_id(journal->id);
	if (!f) {
		if (fd >= 0) {
			close(fd);
			edit_journal_remove(edit);
		}
		return cannot(edit, error, number);
	}
	good = print(edit, journal, f) && fsync(fd) == 0;
	number = errno;
	fclose(f);
	if (!good) {
		edit_journal_remove(edit);
		return cannot(edit, error, number);
	}
	fsync(edit->lock);
	return 0;
}

int edit_journal_commit(const struct ps_edit *edit)
{
	int fd = openat(edit->lock, EDIT_JOURNAL, O_WRONLY | O_NOFOLLOW | O_CLOEXEC), code = 0;

	if (fd < 0)
		return -errno;
	if (pwrite(fd, "c", 1, STATE) != 1 || fdatasync(fd) != 0)
		code = -errno;
	close(fd);
	return code;
}

void edit_journal_remove(const struct ps_edit *edit)
{
	unlinkat(edit->lock, EDIT_JOURNAL, 0);
	fsync(edit->lock);
}

/* ---- reading ---- */

static int damaged(const struct ps_edit *edit, struct ps_error *error, const char *why)
{
	error_set(error, PS_EXIT_SYSTEM, "cannot use %s/" EDIT_JOURNAL ", which a change that did not end has left: %s",
		  edit->directory, why);
	error_hint(error, "look at the files called .NAME.portshim-ID beside yours, then remove it");
	return -PS_EXIT_SYSTEM;
}

/* All of it, malloc'ed, ended by NUL; NULL with `why`. */
static char *read_journal(int fd, size_t *size, const char **why)
{
	struct stat st;
	char *text = NULL;
	ssize_t n = 0;

	*size = 0;
	*why = NULL;
	if (fstat(fd, &st) != 0)
		*why = strerror(errno);
	else if (!S_ISREG(st.st_mode) || st.st_size > JOURNAL_SIZE_MAX)
		*why = "it is no such file";
	else if (st.st_uid != geteuid())
		*why = "it is another user's";
	else if (st.st_mode & 022)
		*why = "others may write it";
	else
		text = malloc((size_t)st.st_size + 1);
	if (!*why && !text)
		*why = "out of memory";
	if (*why)
		return NULL;
	while (*size < (size_t)st.st_size && (n = read(fd, text + *size, (size_t)st.st_size - *size)) > 0)
		*size += (size_t)n;
	text[*size] = '\0';
	return text;
}

/* One line; where the next one begins, or NULL. */
static char *parse_entry(const struct ps_edit *edit, struct edit_entry *entry, char *at, const char *end)
{
	const char *directory = "";
	size_t length;
	int used = 0;

	if (sscanf(at, "%" SCNu64 " %" SCNx64 " %" SCNu64 " %" SCNx64 " %zu%n", &entry->before.size,
		   &entry->before.hash, &entry->after.size, &entry->after.hash, &length, &used) != 5)
		return NULL;
	at += used;
	if (*at++ != ' ' || length >= PATH_MAX || (size_t)(end - at) <= length || at[length] != '\n')
		return NULL;
	at[length] = '\0';
	if (at[0] != '/' && edit->directory[1]) /* with a slash: outside of the directory */
		directory = edit->directory;
	if (strlen(at) != length || asprintf(&entry->real, "%s%s%s", directory, at[0] == '/' ? "" : "/", at) < 0) {
		entry->real = NULL;
		return NULL;
	}
	return at + length + 1;
}

static bool parse(const struct ps_edit *edit, struct edit_journal *journal, char *text, size_t size)
{
	char *at = text + STATE + 2, *end = text + size - 4; /* "end\n" */
	size_t lines = 0;

	if ((text[STATE] != 'p' && text[STATE] != 'c') || text[STATE + 1] != '\n' || text[STATE - 1] != ' ' ||
	    strspn(text + STATE - 7, "abcdefghijklmnopqrstuvwxyz012345") != 6)
		return false;
	memcpy(journal->id, text + STATE - 7, 6);
	journal->commits = text[STATE] == 'c';
	for (const char *c = at; c < end; c++)
		lines += *c == '\n';
	journal->entries = calloc(lines + 1, sizeof(*journal->entries));
	if (!journal->entries)
		return false;
	while (at && at < end && journal->count < lines) {
		at = parse_entry(edit, &journal->entries[journal->count], at, end);
		journal->count += at != NULL;
	}
	return at == end;
}

int edit_journal_read(const struct ps_edit *edit, struct edit_journal *journal, struct ps_error *error)
{
	int fd = openat(edit->lock, EDIT_JOURNAL, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), code = 1;
	const char *why = NULL;
	char *text = NULL;
	size_t size = 0;

	*journal = (struct edit_journal){ 0 };
	if (fd < 0)
		return errno == ENOENT ? 0 : damaged(edit, error, strerror(errno));
	text = read_journal(fd, &size, &why);
	close(fd);
	if (!text)
		return damaged(edit, error, why);
	if (strncmp(text, HEAD, size < strlen(HEAD) ? size : strlen(HEAD)) != 0) {
		code = damaged(edit, error, "it is no such file");
	} else if (size < STATE + 6 || memcmp(text + size - 5, "\nend\n", 5) != 0) {
		edit_journal_remove(edit); /* nothing was begun before it was whole */
		code = 0;
	} else if (!parse(edit, journal, text, size)) {
		code = damaged(edit, error, "it is damaged");
	}
	free(text);
	return code;
}

void edit_journal_free(struct edit_journal *journal)
{
	for (size_t i = 0; i < journal->count; i++)
		free(journal->entries[i].real);
	free(journal->entries);
	*journal = (struct edit_journal){ 0 };
}
