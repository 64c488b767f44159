/*
 * route.h - where does a client's call really go, and what does the caller get to see?
 *
 * Ports are translated, descriptors are not looked at: nothing is kept for close, dup, fork and exec (core/route.c).
 * What most calls need is inline: one load says that a port means nothing to anybody.
 *
 * Addresses are the decider's own copies or memory that was found readable (and, to be filled in, writable).
 */
#ifndef PORTSHIM_ROUTE_H
#define PORTSHIM_ROUTE_H

#include <portshim/caller.h>

enum ps_route {
	PS_ROUTE_PASS,    /* as the program said */
	PS_ROUTE_MOVED,   /* to the address that was filled in */
	PS_ROUTE_REFUSED, /* -ECONNREFUSED */
};

/* Moved ports that a process addressed by themselves last, so that it sees them so in replies. Zeroes are an empty one.
 * A program that uses more of them than fit is told the requested port for the oldest. Threads share it without a lock. */
#define PS_DIRECT_MAX 32

struct ps_direct {
	_Atomic uint16_t port[PS_DIRECT_MAX];
	_Atomic unsigned next; /* how many were ever put in */
};

/* Family and port, which lie at the same place in both families' addresses. */
struct ps_route_start {
	sa_family_t family;
	in_port_t port; /* network byte order */
};

static inline uint16_t route_port_of(const struct sockaddr *address, socklen_t length, bool unspec)
{
	struct ps_route_start start;

	if (length < sizeof(struct sockaddr_in))
		return 0;
	__builtin_memcpy(&start, address, sizeof(start));
	if (start.family == AF_INET || start.family == AF_INET6 || (unspec && start.family == AF_UNSPEC))
		return ntohs(start.port);
	return 0;
}

/* The port of a destination, or 0 if the call is none of ours: the kernel judges the original. */
static inline uint16_t route_port(const struct sockaddr *address, socklen_t length)
{
	return route_port_of(address, length, false);
}

/* The same for bind and the sending calls, where an IPv4 socket takes AF_UNSPEC for AF_INET: programs that forget to
 * set the family work. (To connect, it means something else.) */
static inline uint16_t route_port_or_unspec(const struct sockaddr *address, socklen_t length)
{
	return route_port_of(address, length, true);
}

/* Copies an AF_UNSPEC address as one of AF_INET. False if it is too long; route_port_or_unspec has seen that it is not
 * too short. */
bool route_copy_unspec(struct ps_address *a, const struct sockaddr *address, socklen_t length);

/* True if anybody gave the port a meaning; else a client's call passes with this one load. */
static inline bool route_matters(const struct ps_space *space, uint16_t port)
{
	return port && shared_bit(space->host->named, port);
}

/* Where a client's destination leads; on PS_ROUTE_MOVED *a has it with the actual port. `port` is what route_port said
 * of the address, and it matters. `fd` is the socket of a connect (of a sending call with MSG_FASTOPEN, too); -1: a
 * datagram is sent. */
enum ps_route route_out(struct ps_caller *caller, int fd, const struct sockaddr *address, socklen_t length, uint16_t port,
			struct ps_address *a);

/* The length of a message's name as the kernel takes it: what is too long is cut, unlike in sendto (net/socket.c,
 * copy_msghdr_from_user). */
static inline socklen_t route_name_length(const struct msghdr *m)
{
	const socklen_t most = sizeof(struct sockaddr_storage);

	return m->msg_namelen > most && (int)m->msg_namelen > 0 ? most : m->msg_namelen;
}

/* The port in an address that the kernel filled in, if it is one that was moved; else 0. Nearly always it is not.
 * `room` is the size of the buffer, `filled` the length that the kernel reported, which may be more. */
static inline uint16_t route_moved(const struct ps_space *space, const void *address, socklen_t room, socklen_t filled)
{
	struct ps_route_start start;
	uint16_t port;

	if (room < sizeof(start) || filled < sizeof(start))
		return 0;
	__builtin_memcpy(&start, address, sizeof(start));
	if (start.family != AF_INET && start.family != AF_INET6)
		return 0;
	port = ntohs(start.port);
	return __builtin_expect(shared_bit(space->host->moved, port), 0) ? port : 0;
}

void route_in_moved(struct ps_caller *caller, void *address, socklen_t room, socklen_t filled, uint16_t port);
void route_own_moved(struct ps_caller *caller, int fd, void *address, uint16_t port);

/* Puts the port that the caller knows into a peer's address that the kernel filled in. */
static inline void route_in(struct ps_caller *caller, void *address, socklen_t room, socklen_t filled)
{
	uint16_t port = route_moved(caller->space, address, room, filled);

	if (port)
		route_in_moved(caller, address, room, filled, port);
}

/* The same for the socket's own address (law 10). */
static inline void route_own(struct ps_caller *caller, int fd, void *address, socklen_t room, socklen_t filled)
{
	uint16_t port = route_moved(caller->space, address, room, filled);

	if (port)
		route_own_moved(caller, fd, address, port);
}

#endif
