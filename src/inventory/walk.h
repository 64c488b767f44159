/*
 * walk.h - the files of a directory that somebody has written.
 */
#ifndef PORTSHIM_INVENTORY_WALK_H
#define PORTSHIM_INVENTORY_WALK_H

#include <stddef.h>

#include "../cli/error.h"

struct ps_files {
	char **list; /* paths from the directory on, sorted */
	size_t count, room;
	char *text; /* what the paths lie in, if they came from git */
};

/* Lists the files below a directory: those that git knows or would add, if it is a work tree and git is there; else all
 * that no .gitignore excludes. Never those in folders of packages (node_modules, vendor, ...). 0 or the error's code.
 */
int walk_files(struct ps_files *files, const char *directory, struct ps_error *error);
void walk_free(struct ps_files *files);

#endif
