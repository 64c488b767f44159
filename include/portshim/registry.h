/*
 * registry.h - assignments: looking them up, making them, ending them. The laws of the port space in terms of host.h.
 *
 * Look-ups take no lock, make no system call (but for those that say so) and are async-signal-safe. What changes an
 * assignment is called with the run's lock held. No function sets errno.
 */
#ifndef PORTSHIM_REGISTRY_H
#define PORTSHIM_REGISTRY_H

#include <portshim/kernel.h>
#include <portshim/space.h>

/* Law 8: the actual port that a client of this space reaches when it asks for `requested`, or 0 if no scope has it. */
uint16_t registry_forward(const struct ps_space *space, uint16_t requested);

/* Where another project's service is that the plan calls `port`, or 0. Only for a plan with PS_PLAN_FROM. */
uint16_t registry_from(const struct ps_space *space, uint16_t port);

/* What the plan calls an assignment of another project, by its head; 0 if it is none of those. */
uint16_t registry_from_name(const struct ps_space *space, uint64_t head);

/* The actual port of this very run for `requested`, or 0. */
uint16_t registry_own(const struct ps_space *space, uint16_t requested);

/* True if the environment is one of those that the space's clients see. */
bool registry_sees(const struct ps_space *space, uint32_t env);

/* Law 5: true if the port is an actual port of an environment that the space sees. */
bool registry_is_actual(const struct ps_space *space, uint16_t port);

/* True if the port is an actual port of this very run. */
bool registry_is_own_actual(const struct ps_space *space, uint16_t port);

/* 1 if an actual port of this run is held by a listener that is not the run's, for the protocol (PS_TCP or PS_UDP): the
 * run's own closed, or never listened, and somebody outside was faster; else 0. Asks the kernel; a negative errno if it
 * cannot be asked. */
int registry_lost(const struct ps_space *space, uint16_t port, unsigned protocol);

/* Law 9: true if the port belongs to an environment that the space does not see, and nobody else listens there.
 * *listening: its server does so now. Asks the kernel, but only when such a record exists. */
bool registry_foreign(const struct ps_space *space, uint16_t port, bool *listening);

/* True if the kernel still has the record's listener (any of the user's, where several share the port). Asks the
 * kernel; true if it cannot be asked. */
bool registry_listening(const struct ps_host *host, uint16_t port);

/* Claims a port for a bind that is about to be tried by `owner`, with `requested` as its name. 1: claimed; 0: another
 * run has it; negative errno: the registry cannot be written. A port of another run is taken over only as the requested
 * port itself, and only when the process that had it is gone and the kernel says that nothing holds it. */
int registry_claim(struct ps_space *space, uint16_t port, uint16_t requested, uint64_t owner);

/* The claim's bind failed, or a port of this run turned out to be somebody else's. */
void registry_release(struct ps_space *space, uint16_t port);

/* The claim's bind to this address (with the actual port) succeeded, and the rest of the record is filled in: HELD.
 * Sets the run's forward hint, where no living assignment of the same requested port has it; that of its environment
 * follows when it listens. False: the claim is somebody else's by now, for whom the kernel has decided
 * (registry_adopt). */
bool registry_hold(struct ps_space *space, const struct ps_address *address);

/* A port that the kernel gave us without a claim: port 0, or an old record's whose owner is gone. The kernel has
 * decided, so whatever the record said before is wrong. Claims it as `requested` for `owner`, 0: this process. 0, or a
 * negative errno: the registry cannot be written. */
int registry_adopt(struct ps_space *space, uint16_t port, uint16_t requested, uint64_t owner);

/* The socket with this inode is about to listen on a port that is HELD by this run. Returns what registry_withdraw
 * wants, if the kernel then refuses: another socket may listen whose process was killed before it could say so. */
uint32_t registry_announce(struct ps_space *space, uint16_t port, uint32_t inode);
void registry_withdraw(struct ps_space *space, uint16_t port, uint32_t inode, uint32_t before);

/* The socket listens (UDP: is bound) on this address, with the actual port. A port that no bind of ours claimed (port
 * 0) is recorded under its own number. `owner`: whose it is from now on, 0: this process's. 1 if the record changed, or
 * has and the discovery file may not show it yet: then it must be written; 0 if not, or if an environment that is not
 * seen has a living server on the number, for the other protocol; a negative errno if the registry cannot be written:
 * then clients may not find it. */
int registry_listen(struct ps_space *space, const struct ps_address *address, uint32_t inode, unsigned protocol,
		    uint64_t owner);

/* The head of a port that a run had, which is dead, says `next` from now on, if it says `head`. True if it does; false
 * if it says something else, or the port is another run's by now. */
bool registry_end(struct ps_host *host, uint32_t run, uint16_t port, uint64_t head, uint64_t next);

/* Looks at every assignment of a run. Where the listener is gone it is demoted to HELD (the run goes on) or freed (the
 * run is over). Takes the run's lock. Returns the number of assignments that changed. */
unsigned registry_sweep(struct ps_host *host, struct ps_scope *run, struct ps_scope *env, bool over);

#endif
