/*
 * blame.h - why a file or directory cannot be used, in words, and what to do about it.
 *
 * For messages only: it looks again at what was refused. Raw system calls, nothing kept, errno untouched.
 */
#ifndef PORTSHIM_BLAME_H
#define PORTSHIM_BLAME_H

#define PS_BLAME_ROOM 256

/* Both texts are without a full stop, and end up in one line ("cannot use PATH: WHY; TO DO") or in two. `todo` is ""
 * where nothing helps that could be said. */
struct ps_blame {
	char why[PS_BLAME_ROOM];
	char todo[PS_BLAME_ROOM];
};

/* A file of the registry that was refused with this negative errno. */
void blame_file(struct ps_blame *blame, const char *path, int error);

/* The runtime directory, as space_runtime refused it. */
void blame_runtime(struct ps_blame *blame, const char *path, int error);

/* The name of a (negative) errno as a person would say it. `room` is for those that have none here. */
const char *blame_errno(int error, char room[24]);

#endif
