/*
 * inventory.h - the ports in the code, the ports of the manifest and the listeners of the machine, side by side.
 */
#ifndef PORTSHIM_INVENTORY_INVENTORY_H
#define PORTSHIM_INVENTORY_INVENTORY_H

#include <limits.h>

#include "../cli/error.h"
#include "../cli/state.h"
#include "listeners.h"
#include "scan.h"
#include "walk.h"

/* A port that the manifest gives to a service, in one of its profiles or in none. */
struct ps_declared {
	char *service;
	char *profile; /* "" for none */
	uint16_t port;
	bool external; /* or another project's: its process may be anybody's */
};

/* Where a service goes when its port is taken. */
struct ps_declared_range {
	char *service, *profile;
	uint16_t first, last;
};

enum ps_standing {
	PS_STANDING_DECLARED,
	PS_STANDING_UNDECLARED,
	PS_STANDING_CONTAINER, /* a number inside a container: no port of this machine */
	PS_STANDING_REMOTE,    /* a port of another host */
};

/* A port in a file. */
struct ps_found {
	struct ps_port_use use;
	const char *file;                   /* from the directory on */
	const struct ps_declared *declared; /* or NULL */
	const struct ps_declared_range *range; /* of an undeclared one, in whose range it lies, or NULL */
	enum ps_standing standing;
};

/* Where the code, the manifest and the machine do not say the same. */
struct ps_disagreement {
	const char *code; /* "held-elsewhere", "unknown-listener" */
	uint16_t port;
	const struct ps_found *found; /* or NULL */
	char text[768];
};

struct ps_inventory {
	char directory[PATH_MAX];     /* absolute */
	char project[PATH_MAX];       /* the manifest's, else the directory */
	char manifest[PS_PATH_MAX];   /* "" for none */
	struct ps_declared *declared; /* by port */
	size_t declared_count;
	struct ps_declared_range *ranges;
	size_t range_count;
	struct ps_files files;
	struct ps_found *found; /* by file, then offset */
	size_t found_count, undeclared;
	size_t scanned, skipped; /* files */
	uint64_t bytes;
	struct ps_listeners listeners;
	struct ps_state_now state; /* empty if it cannot be read */
	struct ps_disagreement *disagreements;
	size_t disagreement_count;
};

struct ps_inventory_options {
	const char *directory; /* NULL: the working directory */
	const char *manifest;  /* NULL: the one above the directory */
	bool progress;         /* say on stderr how far it is, if it takes more than a second */
};

/* Gathers all of it. Changes to the directory. 0 or the error's code; inventory_free in any case. */
int inventory_gather(struct ps_inventory *inventory, const struct ps_inventory_options *options,
		     struct ps_error *error);
void inventory_free(struct ps_inventory *inventory);

/* What is declared for a port, or NULL. Others may follow it with the same port: inventory_declared_next, NULL after
 * the last; of each service, the first profile only, and no profile before all. */
const struct ps_declared *inventory_declared(const struct ps_inventory *inventory, uint16_t port);
const struct ps_declared *inventory_declared_next(const struct ps_inventory *inventory,
						  const struct ps_declared *declared);
/* Who listens on a port: of several, the first with a process that can be seen. Or NULL. */
const struct ps_listening *inventory_listener(const struct ps_inventory *inventory, uint16_t port);
/* Where portshim has put the project's own server that asked for a port, or NULL. */
const struct ps_assignment *inventory_own(const struct ps_inventory *inventory, uint16_t port);
/* The assignment whose actual port this is, or NULL. */
const struct ps_assignment *inventory_assignment(const struct ps_inventory *inventory, uint16_t port);

/* "declared", "undeclared", "container", "remote". */
const char *inventory_standing(enum ps_standing standing);

#endif
