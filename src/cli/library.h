/*
 * library.h - where libportshim.so is, and how LD_PRELOAD names it.
 */
#ifndef PORTSHIM_CLI_LIBRARY_H
#define PORTSHIM_CLI_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

#define PS_LIBRARY_FILE "libportshim.so"

/* The library's path: $PORTSHIM_LIBRARY, else beside this program, else in ../lib. Returns 0 or a negative errno. */
int library_find(char *path, size_t size);

/* The same library under a name that LD_PRELOAD can express: `path` itself, or a link in the runtime directory where it
 * has a space, a colon or a dollar sign (ld.so(8)). `name` holds `size` bytes. Returns 0 or a negative errno. */
int library_name(const char *path, const char *runtime, char *name, size_t size);

/* A new value for LD_PRELOAD: what is set (may be NULL) stays, sanitizer runtimes stay first, ours comes next and only
 * once. malloc'ed, or NULL. */
char *library_preload(const char *set, const char *name);

#endif
