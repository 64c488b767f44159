/*
 * connections.h - how many clients the servers of this machine have.
 */
#ifndef PORTSHIM_HEALTH_CONNECTIONS_H
#define PORTSHIM_HEALTH_CONNECTIONS_H

#include <stdbool.h>
#include <portshim/scope.h>

/* Counts the established TCP connections by the port that they have on this side: of a port that somebody listens on,
 * those are its clients. `count` holds PS_PORTS numbers. False if the kernel does not tell. */
bool connections_count(uint32_t *count);

#endif
