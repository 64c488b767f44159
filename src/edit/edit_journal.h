/*
 * edit_journal.h - what edit_apply is about to do, on disk, so that the next one can end or undo it. For src/edit.
 */
#ifndef PORTSHIM_EDIT_EDIT_JOURNAL_H
#define PORTSHIM_EDIT_EDIT_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edit.h"

#define EDIT_JOURNAL ".portshim-edit" /* in the edit's directory */

/* Contents, to be told from others. */
struct edit_sum {
	uint64_t hash, size;
};

struct edit_entry {
	char *real; /* absolute: below the edit's directory, or it is not followed up after a kill */
	struct edit_sum before, after;
};

struct edit_journal {
	char id[8];
	bool commits; /* all new files are there, whole */
	struct edit_entry *entries;
	size_t count;
};

struct edit_sum edit_sum(const void *text, size_t size);

/* The path of the file that is written beside an entry's, or (`old`) of the copy that is put aside; malloc'ed, NULL
 * if memory ran out. */
char *edit_beside(const struct edit_journal *journal, size_t entry, bool old);

/* Draws the id and writes the journal to the disk, before any file is written. 0 or the error's code. */
int edit_journal_write(const struct ps_edit *edit, struct edit_journal *journal, struct ps_error *error);

/* From here on files are replaced. 0 or -errno. */
int edit_journal_commit(const struct ps_edit *edit);

/* Nothing is left that it tells of. */
void edit_journal_remove(const struct ps_edit *edit);

/* The journal in the edit's directory: 1, or 0 if there is none (any more: one that is not whole tells of nothing), or
 * the error's code, negative: it is somebody else's, or no journal. edit_journal_free in any case. */
int edit_journal_read(const struct ps_edit *edit, struct edit_journal *journal, struct ps_error *error);

void edit_journal_free(struct edit_journal *journal);

/* Undoes what a journal in the edit's directory tells of, or ends it where only the end is missing (edit_recover.c).
 * The directory must be locked. What was done is said in edit->recovered. 0 or the error's code. */
int edit_recover(struct ps_edit *edit, struct ps_error *error);

/* The directory's entries survive a power failure. Best effort: the contents are safe either way. */
void edit_sync_directory(const char *real);

#endif
