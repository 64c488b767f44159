/*
 * inject.h - the environment variables that the manifest gives to a program.
 */
#ifndef PORTSHIM_CLI_INJECT_H
#define PORTSHIM_CLI_INJECT_H

#include "manifest.h"


/* Which service a command line is: the one named, else the one whose match rules fit, else the only one; NULL for none.
 * `named` may be NULL. A name that is not in the manifest is an error: the error's code, else 0. */
int inject_choose(const struct ps_manifest *manifest, const char *named, char *const *argv,
		  const struct ps_manifest_service **service, struct ps_error *error);

/* Sets the variables in this process's environment. A variable that is set already stays as it is. */
int inject_set(const struct ps_manifest *manifest, const struct ps_manifest_service *own, struct ps_error *error);

#endif
