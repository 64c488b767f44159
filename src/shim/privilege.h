/*
 * privilege.h - what exec and posix_spawn say when a program does not get the rights of its file.
 */
#ifndef PORTSHIM_SHIM_PRIVILEGE_H
#define PORTSHIM_SHIM_PRIVILEGE_H

#include "shim.h"

/* A program is about to be started. If its file is set-user-ID, set-group-ID or has capabilities, and the filter of
 * this process's run keeps it from having them, the run's keeper is told, once for each name. To be called in children
 * of vfork as well; errno stays. `path` as execveat(2) takes it: it may be bad. */
void privilege_look(int directory, const char *path, int flags);

/* The same for a name that execvp(3) searches for. */
void privilege_search(const char *file, char *const *environment);

#endif
