/*
 * inject.h - the environment variables that the manifest gives to a program.
 */
#ifndef PORTSHIM_CLI_INJECT_H
#define PORTSHIM_CLI_INJECT_H

#include "manifest.h"

/* A variable, and the service whose template it is. */
struct ps_injected {
	const struct ps_manifest_service *service;
	const struct ps_manifest_env *env;
};

/* Which service a command line is: the one named, else the one whose match rules fit, else the only one; NULL for none.
 * `named` may be NULL. A name that is not in the manifest is an error: the error's code, else 0. */
int inject_choose(const struct ps_manifest *manifest, const char *named, char *const *argv,
		  const struct ps_manifest_service **service, struct ps_error *error);

/* Where the variable that gives the service `own` (or NULL) its port is set already, that number takes the place of its
 * first port; unless another service declares it. */
void inject_follow(struct ps_manifest *manifest, const struct ps_manifest_service *own);

/* The variables that count, malloc'ed, or NULL: those of the service `own` (or NULL), then those that are for
 * everybody, in the manifest's order; of several with one name the first, and none that is in `set`, an environment or
 * NULL. */
struct ps_injected *inject_variables(const struct ps_manifest *manifest, const struct ps_manifest_service *own,
				     char *const *set, size_t *count);

/* Sets the variables in this process's environment. A variable that is set already stays as it is. */
int inject_set(const struct ps_manifest *manifest, const struct ps_manifest_service *own, struct ps_error *error);

#endif
