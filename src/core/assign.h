/*
 * assign.h - which port a socket gets. For call_*.c.
 */
#ifndef PORTSHIM_CORE_ASSIGN_H
#define PORTSHIM_CORE_ASSIGN_H

#include <portshim/caller.h>

/* Binds to a candidate of law 4 and records it. `protocol`: the socket's, PS_TCP or PS_UDP. 0 or a negative errno. */
int assign(struct ps_caller *caller, int fd, const struct ps_address *wanted, unsigned protocol);

/* The same for a socket that somebody who is dead has bound for the caller: what he has not recorded is recorded. */
void assign_bound(struct ps_caller *caller, int fd, const struct ps_address *wanted, unsigned protocol);

/* A socket cannot be unbound: a new one of the same kind takes its place. For a port that another run took over
 * between the look at its record and the bind. */
bool assign_unbind(struct ps_caller *caller, int fd);

/* The part of law 7 that only listen can see: an unmanaged program listened first on the port that we had bound as
 * well. Puts a new socket of the same kind, bound elsewhere, in the place of the descriptor: 0, and *held is its
 * address. Else a negative errno; -EADDRINUSE where no other port can be had, of which the user has been told. */
int assign_again(struct ps_caller *caller, int fd, struct ps_address *held);

#endif
