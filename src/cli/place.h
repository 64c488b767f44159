/*
 * place.h - where the discovery file of an environment lies.
 */
#ifndef PORTSHIM_CLI_PLACE_H
#define PORTSHIM_CLI_PLACE_H

#include "project.h"

#define PS_PLACE_DIRECTORY ".portshim"

/* The absolute path of the discovery file of a project's environment, in `path` (PS_PATH_MAX bytes), with the
 * directories made: in the project if it can be written, else in the runtime directory. */
void place_discovery(const struct ps_project *project, const char *runtime, uint32_t env, char *path);

/* Makes the directories of a path that place_discovery gave at an earlier time. Best effort. */
void place_renew(const char *directory, const char *path);

#endif
