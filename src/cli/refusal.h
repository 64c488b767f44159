/*
 * refusal.h - what the registry's files and directories were refused for, as an error with its hint (portshim/blame.h).
 */
#ifndef PORTSHIM_CLI_REFUSAL_H
#define PORTSHIM_CLI_REFUSAL_H

#include <stdint.h>

#include "error.h"

/* The runtime directory, as space_runtime left its name and result. Returns the code. */
int refusal_runtime(struct ps_error *error, int code, const char *path, int result);

/* A file that opening the scope `id` (0: the host table alone) met: whichever is to blame. Returns the code. */
int refusal_registry(struct ps_error *error, int code, const char *runtime, uint32_t id, int result);

/* A scope that a listing has to leave out: one line on stderr. */
void refusal_say(const char *runtime, uint32_t id, int result);

#endif
