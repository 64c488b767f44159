/*
 * ignore.h - .gitignore, as gitignore(5) has it.
 */
#ifndef PORTSHIM_INVENTORY_IGNORE_H
#define PORTSHIM_INVENTORY_IGNORE_H

#include <stdbool.h>
#include <stddef.h>

/* The patterns of one .gitignore and of those above it. */
struct ps_ignore {
	const struct ps_ignore *above; /* or NULL */
	char *text;
	char **patterns; /* into text */
	size_t count;
	size_t base; /* length of the path of its directory, with the slash; 0 at the top */
};

/* Takes the contents of a .gitignore (malloc'ed, ended by NUL; may be NULL) over. False if memory ran out. */
bool ignore_read(struct ps_ignore *ignore, const struct ps_ignore *above, char *text, size_t base);

/* True if the path (from the top on) is excluded. The last pattern that matches decides, the nearest file first. */
bool ignore_matches(const struct ps_ignore *ignore, const char *path, bool directory);

/* One pattern against a path, both from the .gitignore's directory on. Public for its test. */
bool ignore_pattern(const char *pattern, const char *path, bool directory);

void ignore_free(struct ps_ignore *ignore);

#endif
