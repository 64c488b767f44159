/*
 * elsewhere.h - when nothing is found in an environment: whether the project has it in another one.
 */
#ifndef PORTSHIM_CLI_ELSEWHERE_H
#define PORTSHIM_CLI_ELSEWHERE_H

#include "target.h"

/* Prints a hint that names the project's other environments which have what is wanted, or anything if that is NULL, in
 * the words of the command line; nothing if there are none. For the way that leads to "no" only: it reads everything. */
void elsewhere_hint(const struct ps_target *target, const struct ps_wanted *wanted);

#endif
