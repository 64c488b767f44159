/*
 * owner.h - who owns an assignment after the process that made it has gone.
 */
#ifndef PORTSHIM_CLI_OWNER_H
#define PORTSHIM_CLI_OWNER_H

#include <portshim/space.h>

/* A daemon binds, forks and exits: its socket lives on in the child. Gives each recorded assignment of the run whose
 * owner is dead to a living process that holds a socket there. True if any changed. */
bool owner_renew(struct ps_host *host, const struct ps_scope *run, const struct ps_scope *env);

/* The same for one port, which somebody listens on. */
bool owner_renew_port(struct ps_host *host, uint16_t port);

#endif
