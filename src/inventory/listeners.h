/*
 * listeners.h - every socket of the machine that listens, with its process.
 */
#ifndef PORTSHIM_INVENTORY_LISTENERS_H
#define PORTSHIM_INVENTORY_LISTENERS_H

#include "../cli/error.h"
#include "../cli/holder.h"

struct ps_listening {
	struct ps_holder holder; /* of a port on several addresses: one of them */
	unsigned protocols;      /* PS_TCP, PS_UDP or both */
	bool wildcard;           /* on all addresses */
};

struct ps_listeners {
	struct ps_listening *list; /* by port, then pid; one for each process and port */
	size_t count;
};

/* TCP sockets that listen, and UDP sockets that are bound below the kernel's own range. 0 or the error's code. */
int listeners_read(struct ps_listeners *listeners, struct ps_error *error);
void listeners_free(struct ps_listeners *listeners);

#endif
