/*
 * known.h - the projects of this user that portshim has met, and the numbers that were handed out to them.
 *
 * The state directory is $PORTSHIM_STATE_DIR; else `state` in $PORTSHIM_RUNTIME_DIR, if that is set; else
 * $XDG_STATE_HOME/portshim; else ~/.local/state/portshim. In it:
 *	projects/HASH	a symbolic link to a manifest: its own time is when the project was used last
 *	numbers/PORT	a symbolic link to "DIRECTORY:RULE": who was given the number by `portshim next`
 * A symbolic link is made whole or not at all, by one system call and by one of any number of processes.
 */
#ifndef PORTSHIM_KNOWN_H
#define PORTSHIM_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "../cli/manifest.h"

/* The path of something in the state directory, whose parents are made. `path` holds PS_PATH_MAX bytes. Returns 0 or a
 * negative errno. */
int known_path(const char *folder, const char *name, char *path);

/* Makes a symbolic link at such a path. 0 or a negative errno. */
int known_link(const char *target, const char *path);

/* Notes that the project with this manifest (an absolute path) was used. Best effort: one or two system calls. */
void known_note(const char *manifest_path);

/* Forgets it. 0 or a negative errno; -ENOENT: it was not known. */
int known_forget(const char *manifest_path);

/* Forgets projects whose manifest is gone: for a look now and then, where directories come and go. */
void known_prune(void);

struct ps_known {
	char *path;		       /* of the manifest */
	char directory[PS_PATH_MAX];   /* of the project */
	char project[PS_NAME_MAX];     /* its name: the manifest's, else that of the directory */
	struct timespec used;	       /* last */
	struct ps_manifest *manifest;  /* without a profile; NULL: it cannot be read, or is wrong */
	struct ps_manifest **views;    /* with each of its profiles, once known_view was asked for it */
	char *problem;		       /* then: why */
};

struct ps_known_list {
	struct ps_known *list; /* by project, then directory */
	size_t count, room;
};

/* Reads all known projects with their manifests, without a profile. A manifest that is gone makes its project unknown;
 * another trouble with one is noted in it. Returns 0 or the error's code. known_free in any case. */
int known_read(struct ps_known_list *known, struct ps_error *error);
void known_free(struct ps_known_list *known);

/* Of the projects with this name (checkouts), the one that was used last; NULL for none. */
const struct ps_known *known_project(const struct ps_known_list *known, const char *name);

/* The manifest with a profile ("": without). NULL if it is wrong, or has no such profile. It is the list's. */
const struct ps_manifest *known_view(const struct ps_known *project, const char *profile);

/* What "from" leads to in one checkout. */
struct ps_known_source {
	const struct ps_known *project;
	char profile[PS_NAME_MAX];		   /* "": none */
	const struct ps_manifest *manifest;	   /* with it; NULL: wrong, or there is no such profile */
	const struct ps_manifest_service *service; /* NULL: it has none of this name */
};

/* What "PROJECT/SERVICE" (and the like: manifest.h) means to a project under `profile` ("": none), in the nth of that
 * project's checkouts: the one used last is 0. False if there is no such checkout. */
bool known_source(const struct ps_known_list *known, const char *text, const char *profile, size_t nth,
		  struct ps_known_source *source);

/* Finds where the services are that the manifest has "from" other projects, for manifest_compile: the environments of
 * all checkouts (at most KNOWN_SOURCES) and the ports that they are there. Tells of those that are not known, unless
 * `quiet`. Reads the known projects only if there is such a service. */
#define KNOWN_SOURCES 16
void known_follow(struct ps_manifest *manifest, const char *profile, const char *runtime, bool quiet);

/* Notes all manifests below a directory; those in hidden directories and in node_modules are left out. Returns how many
 * there are, or a negative errno for a directory that cannot be read. */
long known_scan(const char *directory);

/* True for a service whose port is this project's own: neither external, nor inherited, nor another project's. */
bool known_owns(const struct ps_manifest_service *service);

#endif
