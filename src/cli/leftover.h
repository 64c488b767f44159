/*
 * leftover.h - the files of runs that nobody cleared away.
 */
#ifndef PORTSHIM_CLI_LEFTOVER_H
#define PORTSHIM_CLI_LEFTOVER_H

/* Removes the runs whose root process is dead, of which nothing listens, and whose PORTSHIM_RUN no process
 * carries, with their records. One look at the directory and at most one at /proc, however many they are. Returns
 * how many went. */
unsigned leftover_sweep(const char *runtime);

#endif
