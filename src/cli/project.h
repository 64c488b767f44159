/*
 * project.h - which project, manifest, profile and environment a command is about.
 */
#ifndef PORTSHIM_CLI_PROJECT_H
#define PORTSHIM_CLI_PROJECT_H

#include <portshim/space.h>

#include "error.h"
#include "manifest.h"

/* What the command line says; NULL where it says nothing. */
struct ps_project_options {
	const char *manifest; /* --manifest, else $PORTSHIM_MANIFEST */
	const char *profile;  /* --profile ("": none), else $PORTSHIM_PROFILE, else the one whose "when" fits */
	const char *env;      /* --env, else $PORTSHIM_ENV */
	bool isolate;	      /* --isolate: a private environment with a name of its own */
};

struct ps_project {
	char directory[PS_PATH_MAX];	 /* where the manifest lies (its parent, if that is config/), else the git work
					    tree, else     the working directory; absolute, without symlinks */
	char manifest_path[PS_PATH_MAX]; /* "" without a manifest */
	struct ps_manifest *manifest;	 /* NULL without one */
	char key[PS_PATH_MAX + PS_NAME_MAX + 8]; /* of the environment: "dir:DIRECTORY", "dir:DIRECTORY#PROFILE",
						    "name:NAME", "isolated:HEX" */
	char name[PS_NAME_MAX]; /* of the environment, shown: --env's, or PROJECT, or PROJECT:PROFILE, or PROJECT+HEX */
	char project[PS_NAME_MAX]; /* the manifest's "project", else the base name of the directory */
	char profile[PS_NAME_MAX]; /* "" for none */
};

/* The absolute path of the manifest: `option` (--manifest, or NULL), else $PORTSHIM_MANIFEST, else ports.manifest.json
 * or config/ports.manifest.json in the working directory or the nearest one above it; "" without any. `path` holds
 * PS_PATH_MAX bytes. Returns 0 or the error's code. */
int project_manifest(char *path, const char *option, struct ps_error *error);

/* Finds all of it from the working directory. Returns 0 or the error's code. */
int project_find(struct ps_project *project, const struct ps_project_options *options, struct ps_error *error);
void project_free(struct ps_project *project);

#endif
