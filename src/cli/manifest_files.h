/*
 * manifest_files.h - the key "files" of a manifest: which files have ports in them, and where.
 */
#ifndef PORTSHIM_CLI_MANIFEST_FILES_H
#define PORTSHIM_CLI_MANIFEST_FILES_H

#include "manifest_raw.h"

/* Checks the values of "files"; false if something is wrong and has been reported. */
bool manifest_files_read(struct ps_raw *raw, const cJSON *item);

/* Reports what single values cannot show: services and profiles that do not exist, places that no file of the format
 * can have. */
void manifest_files_judge(struct ps_raw *raw);

/* Fills the manifest's files and names of profiles from what has been judged. False if memory ran out. */
bool manifest_files_build(const struct ps_raw *raw, struct ps_manifest *manifest);
void manifest_files_free(struct ps_manifest *manifest);

/* The path under a profile (NULL: without one), malloc'ed; NULL with errno 0 if the file is not one of that profile,
 * with ENOMEM if memory ran out. */
char *manifest_files_path(const struct ps_manifest_file *file, const char *profile);

#endif
