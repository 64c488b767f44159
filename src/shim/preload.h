/*
 * preload.h - what exec and posix_spawn share: putting the preload back into an environment that lost it.
 */
#ifndef PORTSHIM_SHIM_PRELOAD_H
#define PORTSHIM_SHIM_PRELOAD_H

#include "shim.h"

#define PRELOAD_TEXT 4096   /* longest LD_PRELOAD that we extend */
#define PRELOAD_ENTRIES 8192 /* largest environment that we copy: 64 KiB of pointers on the stack */

/* How an environment must change. Plain data on the caller's stack: in a vfork child nothing else may be written. */
struct preload {
	const struct shim_inheritance *from;
	unsigned count;    /* entries of the old environment */
	bool needed;       /* false: pass the environment as it is */
	char library[PRELOAD_TEXT];
	char run[PS_RUNTIME_MAX + 32];
};

/* Looks at an environment (NULL is an empty one). One that cannot be read passes as it is. */
void preload_look(struct preload *p, char *const *environment);

/* Fills `to`, which has room for p->count + 3 entries. */
void preload_fill(const struct preload *p, char *const *environment, char **to);

/* Makes `environment` good for a child: declares the copy on the stack of the calling function. */
#define PRELOAD_FIX(environment)                                                                                       \
	struct preload preload;                                                                                        \
	preload_look(&preload, environment);                                                                           \
	char *preload_copy[preload.needed ? preload.count + 3 : 1];                                                    \
	if (preload.needed) {                                                                                          \
		preload_fill(&preload, environment, preload_copy);                                                     \
		environment = preload_copy;                                                                            \
	}

#endif
