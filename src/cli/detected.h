/*
 * detected.h - servers of a project that run without portshim, on ports that its services declare.
 */
#ifndef PORTSHIM_CLI_DETECTED_H
#define PORTSHIM_CLI_DETECTED_H

#include "target.h"

/* Adds to the state what runs on a port that a service of the target's project declares, while portshim has nothing
 * assigned for that service in the target's environment, and belongs to the project: as assignments whose reason is
 * PS_REASON_DETECTED. Only in the project's own environments, those of its profiles included: what runs without
 * portshim is in none that has a name, or is private. Pointers into state->list become invalid. 0 or the error's code. */
int detected_add(const struct ps_target *target, struct ps_state_now *state, struct ps_error *error);

/* True if a process that works in `directory` belongs to the project in `project`: it is that directory, or one inside
 * which no other manifest is nearer to. Both are absolute, without symlinks. */
bool detected_belongs(const char *directory, const char *project);

#endif
