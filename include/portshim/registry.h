/*
 * registry.h - assignments: looking them up, making them, ending them. The laws of the port space in terms of host.h.
 *
 * Look-ups take no lock, make no system call and are async-signal-safe. What changes an assignment says what it needs.
 */
#ifndef PORTSHIM_REGISTRY_H
#define PORTSHIM_REGISTRY_H

#include <portshim/space.h>

/* Law 8: the actual port that a client of this space reaches when it asks for `requested`, or 0 if no scope has it. */
uint16_t registry_forward(const struct ps_space *space, uint16_t requested);

/* The port to show for an actual port, as the requested port if it belongs to one of the space's environments; else `actual`. */
uint16_t registry_reverse(const struct ps_space *space, uint16_t actual);

/* The actual port of this very run for `requested`, or 0. */
uint16_t registry_own(const struct ps_space *space, uint16_t requested);

/* True if an environment is one of those that the space's clients see. */
bool registry_sees(const struct ps_space *space, uint32_t env);

/* Law 9: true if the port is held by a living listener of an environment that the space does not see. May make system
 * calls, but only when such a record exists. */
bool registry_foreign(const struct ps_space *space, uint16_t port);

/* Claims a port for a bind that is about to be tried. False: another run has it. Caller holds the run's lock. */
bool registry_claim(struct ps_space *space, uint16_t port, uint16_t requested);

/* The claim's bind failed. */
void registry_release(struct ps_space *space, uint16_t port);

/* The claim's bind succeeded: details are set in the record by the caller before. Sets the forward hints (the first of
 * several assignments of one requested port keeps them). */
void registry_hold(struct ps_space *space, uint16_t port);

/* The socket listens (UDP: is bound). True if the record changed, so that the discovery file must be written. */
bool registry_listen(struct ps_space *space, uint16_t port, uint32_t inode, unsigned protocol);

/* True if the kernel still has the record's listener (any listener of a group that shares the port). Asks the kernel;
 * true if it cannot be asked. */
bool registry_listening(const struct ps_host *host, uint16_t port);

/* Looks at every assignment of a run and demotes (run goes on) or frees (run is over) those whose listener is gone.
 * Takes the run's lock. Returns the number that changed. */
unsigned registry_sweep(struct ps_host *host, struct ps_scope *run, struct ps_scope *env, bool over);

#endif
