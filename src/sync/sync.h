/*
 * sync.h - the files that a manifest names, held against the ports of its services.
 *
 *	struct ps_sync sync = { 0 };
 *
 *	if (!sync_look(&sync, "/shop/ports.manifest.json", NULL, false, &error))
 *		...	sync.places, sync.findings, and the splices in sync.edit
 *	sync_free(&sync);
 */
#ifndef PORTSHIM_SYNC_H
#define PORTSHIM_SYNC_H

#include "../cli/manifest.h"
#include "../edit/edit.h"
#include "../finding/finding.h"
#include "../place/place_file.h"

/* A number in a file, and the one that belongs there. */
struct ps_sync_place {
	struct ps_edit_file *file;
	enum ps_place_format format;
	struct ps_spot spot;
	char *where, *service, *profile; /* the profile may be "" */
	unsigned long found;             /* what stands there, a port or not */
	unsigned port;
	int line, column; /* in the file */
};

struct ps_sync {
	struct ps_edit edit; /* with a splice for each number that differs */
	struct ps_sync_place *places;
	size_t count, room;
	struct ps_findings findings; /* what stands in the way: with errors, nothing should be applied */
	size_t files;                /* how many files the manifest names, under the profiles that were looked at */
};

/* Looks at all files of a manifest under all of its profiles, or under one ("" is no profile; NULL: all). Returns 0,
 * findings or not, or the error's code: the manifest cannot be read, there is no such profile, out of memory. One that
 * will be applied `applies` (edit_turn). sync_free in any case. */
int sync_look(struct ps_sync *sync, const char *manifest, const char *profile, bool applies, struct ps_error *error);

/* Adds a finding for each number that differs. */
void sync_drift(const struct ps_sync *sync, struct ps_findings *findings);

/* How many numbers differ. */
size_t sync_count(const struct ps_sync *sync);

/* The path of one of the edit's files as seen from the working directory; `path` holds PS_PATH_MAX bytes. */
const char *sync_shown(const struct ps_sync *sync, const char *file, char *path);

void sync_free(struct ps_sync *sync);

#endif
