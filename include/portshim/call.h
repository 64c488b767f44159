/*
 * call.h - the whole decision about a bind, a listen or a connect, and the calls to the kernel that it leads to.
 *
 * Addresses are the decider's own copies or memory that was found readable: nothing here looks at a foreign pointer.
 * They need not be inet addresses: what portshim has nothing to do with gets the kernel's verdict on the original.
 *
 * All return what the system call returns: 0 or a negative errno. errno is not touched. A first bind and a listen take
 * the run's lock with all signals blocked, write the discovery file, and may wait: for the lock, a file system, or
 * another run that yields a port (want.h). call_connect waits only where calls->connect does.
 */
#ifndef PORTSHIM_CALL_H
#define PORTSHIM_CALL_H

#include <portshim/caller.h>

int call_bind(struct ps_caller *caller, int fd, const struct sockaddr *address, socklen_t length);
/* The part of call_bind that never waits: a TCP port that the run has already. True if that is all there is to it,
 * and *result is what call_bind would have returned; false: the socket is not bound, and call_bind has to see to it. */
bool call_bind_at_once(struct ps_caller *caller, int fd, const struct sockaddr *address, socklen_t length, int *result);

/* For a socket that was not bound when somebody, who is dead now, was about to do call_bind for the caller, and is
 * bound: does what may be left of it. */
int call_bind_bound(struct ps_caller *caller, int fd, const struct sockaddr *address, socklen_t length);

int call_listen(struct ps_caller *caller, int fd, int backlog);
int call_connect(struct ps_caller *caller, int fd, const struct sockaddr *address, socklen_t length);

/* The socket was bound by other means than bind(): what it got is recorded, if that is not up to listen(). */
void call_bound(struct ps_caller *caller, int fd);

/* PS_TCP, PS_UDP, or 0: what calls->protocol says, asked of the kernel. The family is not asked for. */
unsigned call_protocol(int fd);

/* The same, but 0 for a raw socket, which may be TCP's or UDP's and has no ports. */
unsigned call_protocol_but_raw(int fd);

/* An option that is a number; -1 if it cannot be had. */
int call_option(int fd, int level, int name);

/* The local address of a socket, with the actual port, from the kernel: 0, or a negative errno. -EAFNOSUPPORT: it
 * has no inet address. */
int call_local(const struct ps_caller *caller, int fd, struct ps_address *local);

#endif
