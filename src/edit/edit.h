/*
 * edit.h - a set of files with splices on their contents as they were read: shown as a diff, applied all or nothing.
 *
 *	struct ps_edit edit = { 0 };
 *	struct ps_edit_file *file;
 *
 *	if (edit_start(&edit, directory, &error) || edit_turn(&edit, true, &error) ||
 *	    edit_open(&edit, "config/app.yaml", &file, &error))
 *		...
 *	edit_splice(file, offset, 4, "9000", 4);	(bytes of file->text; everything else survives as it is)
 *	edit_diff(&edit, stdout);
 *	edit_apply(&edit, &error);
 *	edit_free(&edit);
 */
#ifndef PORTSHIM_EDIT_EDIT_H
#define PORTSHIM_EDIT_EDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include "../cli/error.h"

#define PS_EDIT_SIZE_MAX (16u << 20) /* of a file: sources and configurations are smaller */

/* `length` bytes at `offset` of the file as it was read become these. */
struct ps_splice {
	size_t offset, length;
	char *text;
	size_t text_length;
};

struct ps_edit_file {
	char *path; /* of what a symlink leads to; relative to the edit's directory, or absolute if it lies outside */
	char *real; /* absolute, without symlinks: what is replaced */
	char *text; /* as it was read, any bytes, with a NUL behind */
	size_t size;
	dev_t device;
	ino_t inode;
	struct ps_splice *splices; /* by offset; none: the file stays as it is */
	size_t splice_count, splice_room;
	size_t *lines; /* where each begins; edit_position makes it */
	size_t line_count;
};

struct ps_edit {
	char *directory;             /* absolute, without symlinks */
	bool turn;                   /* it is this edit's, among those of the directory */
	int lock;                    /* the directory, open and locked, if it is */
	char *recovered;             /* what edit_turn did about one that was killed, in lines, or NULL */
	struct ps_edit_file **files; /* in the order in which they were opened */
	size_t count, room;
};

/* Sets up an edit below a directory. Returns 0 or the error's code. */
int edit_start(struct ps_edit *edit, const char *directory, struct ps_error *error);

/* Undoes, or ends, what an edit_apply that was killed has left of a change in this directory; to be called before a
 * file is read. An edit that `applies` waits for its turn and keeps it until edit_free: of two at once each would find
 * the other's half done. A file system that knows no locks has no turns. Returns 0 or the error's code; an edit that
 * does not apply may go on anyway, and has it in `recovered`. */
int edit_turn(struct ps_edit *edit, bool applies, struct ps_error *error);

/* Reads a file, once: opened again, also by another name, it is the same struct. A path that is not absolute begins at
 * the edit's directory. What is no regular file is refused, and what is bigger than PS_EDIT_SIZE_MAX. Returns 0 or the
 * error's code; the file belongs to the edit and stays where it is until edit_free. */
int edit_open(struct ps_edit *edit, const char *path, struct ps_edit_file **file, struct ps_error *error);

/* Has bytes replaced; `length` 0 inserts, before what is replaced at the same place. The text is copied. A splice that
 * changes nothing, or that is there already, is none. Returns 0, -EEXIST if it overlaps another one, -EINVAL if it
 * leaves the file, -ENOMEM. */
int edit_splice(struct ps_edit_file *file, size_t offset, size_t length, const char *text, size_t text_length);

/* The contents with all splices done, malloc'ed, with a NUL behind; NULL if memory ran out. */
char *edit_result(const struct ps_edit_file *file, size_t *size);

/* Line and column of an offset, both from 1; columns count bytes. */
void edit_position(struct ps_edit_file *file, size_t offset, int *line, int *column);

/* How many files have splices. */
size_t edit_changes(const struct ps_edit *edit);

/* Prints a unified diff of all files that change, as `patch -p1` takes it in the edit's directory (edit_diff.c). False
 * if memory ran out. */
bool edit_diff(const struct ps_edit *edit, FILE *stream);

/* Replaces all files that change, or none (edit_apply.c): none if one of them is no longer what was read, or cannot be
 * replaced with its owner, mode and attributes. A kill -9 at any instruction leaves what the next edit_turn in the
 * directory undoes or ends. Returns 0 or the error's code. */
int edit_apply(struct ps_edit *edit, struct ps_error *error);

void edit_free(struct ps_edit *edit);

#endif
