/*
 * Theory of operation: the life of a client's call
 *
 * connect() and the sending calls name a destination. If it is local, the scopes around the process are asked for its
 * port (registry_forward: one or two loads), and the call goes on with a copy of the address that has the actual port.
 * What comes back, a peer's name or a datagram's source, is translated the other way, so that the caller sees the port
 * that it used.
 *
 * Both directions are keyed by port, not by descriptor, so there is nothing to keep for close, dup, fork and exec. What
 * a port alone cannot tell is which of its two names the process used last: a client that was told the actual port must
 * see the actual port in replies. A short list remembers that; it is looked at only for ports that were moved.
 */
#include <string.h>

#include <portshim/process.h>
#include <portshim/registry.h>
#include <portshim/route.h>

#include "sys.h"

#define PORT_NOBODY 1 /* tcpmux, RFC 1078: never had a use for UDP */
#define PORT_REFUSED 0 /* no TCP socket can listen there */

static _Atomic uint16_t *find_direct(struct ps_direct *direct, uint16_t port)
{
	if (!atomic_load_explicit(&direct->next, memory_order_relaxed))
		return NULL;
	for (unsigned i = 0; i < PS_DIRECT_MAX; i++)
		if (atomic_load_explicit(&direct->port[i], memory_order_relaxed) == port)
			return &direct->port[i];
	return NULL;
}

static void add_direct(struct ps_direct *direct, uint16_t port)
{
	if (!find_direct(direct, port))
		direct->port[atomic_fetch_add_explicit(&direct->next, 1, memory_order_relaxed) % PS_DIRECT_MAX] = port;
}

static void remove_direct(struct ps_direct *direct, uint16_t port)
{
	_Atomic uint16_t *at = find_direct(direct, port);

	if (at)
		*at = 0;
}

static bool is_local(const struct ps_space *space, const struct ps_address *a, enum ps_locality locality)
{
	return locality == PS_LOOPBACK || locality == PS_WILDCARD ||
	       (locality == PS_REMOTE_OR_OWN && kernel_is_local(a, space->run->pass));
}

/* 127.0.0.1, ::1 and the wildcards are "localhost", and one assignment has them all (law 2). A server on another
 * address of this machine is another listener, unless it is one that the assignment is bound to. */
static bool serves_address(const struct ps_record *record, const struct ps_address *a, enum ps_locality locality)
{
	uint8_t at = record_get(record, at), bytes[16];

	if (at == 0 || at & (PS_AT_ANY4 | PS_AT_ANY6 | PS_AT_OTHERS) || locality == PS_WILDCARD)
		return true;
	if (a->u.any.sa_family == AF_INET && a->u.in.sin_addr.s_addr == htonl(INADDR_LOOPBACK))
		return true;
	address_bytes(a, bytes);
	if (locality == PS_LOOPBACK &&
	    (bytes[12] != 127 || (bytes[13] == 0 && bytes[14] == 0 && bytes[15] == 1)))
		return true;
	return at & PS_AT_OTHER && memcmp(record->address, bytes, sizeof(bytes)) == 0;
}

/* True if the assignment serves the call's protocol. One that is held and not recorded yet may come to serve any. */
static bool serves_protocol(const struct ps_caller *caller, const struct ps_record *record, int fd)
{
	unsigned protocols = record_get(record, protocols);

	if (protocols == 0 || protocols == (PS_TCP | PS_UDP))
		return true;
	return protocols & (fd < 0 ? PS_UDP : caller->calls->protocol(caller, fd));
}

static bool serves(const struct ps_caller *caller, uint16_t port, int fd, const struct ps_address *a, enum ps_locality locality)
{
	const struct ps_record *record = &caller->space->host->record[port];

	return serves_address(record, a, locality) && serves_protocol(caller, record, fd);
}

bool route_copy_unspec(struct ps_address *a, const struct sockaddr *address, socklen_t length)
{
	if (length > sizeof(a->u))
		return false;
	memcpy(&a->u, address, length);
	if (a->u.any.sa_family != AF_UNSPEC)
		return false;
	a->u.any.sa_family = AF_INET;
	a->length = length;
	return true;
}

static enum ps_route moved(struct ps_address *a, uint16_t port, bool unspec)
{
	address_set_port(a, port);
	if (unspec) /* an IPv6 socket makes something else of it */
		a->u.any.sa_family = AF_UNSPEC;
	return PS_ROUTE_MOVED;
}

enum ps_route route_out(struct ps_caller *caller, int fd, const struct sockaddr *address, socklen_t length, uint16_t port,
			struct ps_address *a)
{
	struct ps_space *space = caller->space;
	uint16_t actual = registry_forward(space, port);
	enum ps_locality locality;
	bool listening, unspec = false;

	if (actual == port || (!address_copy(a, address, length) && !(unspec = route_copy_unspec(a, address, length))))
		return PS_ROUTE_PASS;
	locality = address_locality(a);
	if (!actual && space->plan && space->plan->flags & PS_PLAN_FROM) {
		actual = registry_from(space, port);
		if (actual == port)
			return PS_ROUTE_PASS;
	}
	if (actual && serves(caller, actual, fd, a, locality)) {
		if (!is_local(space, a, locality))
			return PS_ROUTE_PASS;
		remove_direct(caller->direct, actual);
		return moved(a, actual, unspec);
	}
	if (registry_is_actual(space, port) || registry_from_name(space, host_head(space->host, port))) {
		if (shared_bit(space->host->moved, port))
			add_direct(caller->direct, port);
		return PS_ROUTE_PASS;
	}
	/* Who has the number for TCP alone has nothing to do with what a datagram finds there. */
	if (host_head(space->host, port) == 0 || !serves_protocol(caller, &space->host->record[port], fd) ||
	    !is_local(space, a, locality) || plan_external(space->plan, port) ||
	    !registry_foreign(space, port, &listening))
		return PS_ROUTE_PASS;
	if (listening)
		caller->calls->event(caller, PS_EVENT_REFUSED, port, ECONNREFUSED);
	/* The kernel refuses: at once, or later and by an event, if the socket does not block; and judges all else. */
	if (fd >= 0 && caller->calls->protocol(caller, fd) == PS_TCP)
		return moved(a, PORT_REFUSED, unspec);
	/* Where a server was and its process has ended, the kernel says that there is none, and the error names the
	 * port. */
	if (!listening && !process_alive(atomic_load(&space->host->record[port].owner)))
		return PS_ROUTE_PASS;
	if (fd >= 0)
		return PS_ROUTE_REFUSED;
	/* A datagram to a port without a listener is sent, and lost: so the kernel judges all else of the call. */
	return moved(a, PORT_NOBODY, unspec);
}

/* A buffer may be too short for the address. Then that the port is a moved one is all there is to go by. */
static __attribute__((noinline)) bool is_local_any(const struct ps_space *space, const void *address, socklen_t size, socklen_t filled)
{
	struct ps_address a = {.length = filled};
	socklen_t needed;

	memcpy(&a.u, address, size < sizeof(a.u) ? size : sizeof(a.u));
	needed = a.u.any.sa_family == AF_INET ? offsetof(struct sockaddr_in, sin_zero)
					      : offsetof(struct sockaddr_in6, sin6_scope_id);
	return size < needed || is_local(space, &a, address_locality(&a));
}

static inline bool is_local_buffer(const struct ps_space *space, const void *address, socklen_t room, socklen_t filled)
{
	socklen_t size = filled < room ? filled : room;
	struct sockaddr_in four;

	if (size < sizeof(four))
		return is_local_any(space, address, size, filled);
	__builtin_memcpy(&four, address, sizeof(four));
	return (four.sin_family == AF_INET && ntohl(four.sin_addr.s_addr) >> 24 == 127) ||
	       is_local_any(space, address, size, filled);
}

/* route_moved has seen that the port is in the buffer. */
static void put_port(void *address, uint16_t port)
{
	in_port_t network_order = htons(port);

	__builtin_memcpy((char *)address + offsetof(struct ps_route_start, port), &network_order, sizeof(network_order));
}

/* Nearly always it is the own environment. */
static bool is_seen(const struct ps_space *space, uint64_t head)
{
	return head && (head_env(head) == space->envs[0] || registry_sees(space, head_env(head)));
}

void route_in_moved(struct ps_caller *caller, void *address, socklen_t room, socklen_t filled, uint16_t port)
{
	const struct ps_space *space = caller->space;
	uint64_t head = host_head_of_owned(space->host, port);
	uint16_t name = is_seen(space, head) ? head_requested(head) : registry_from_name(space, head);

	if (name && !find_direct(caller->direct, port) && is_local_buffer(space, address, room, filled))
		put_port(address, name);
}

/* Node's cluster passes the primary's getsockname to its workers, which compare it with what they asked for. */
static bool is_cluster(const struct ps_caller *caller)
{
	uint32_t pid = (uint32_t)process_pid(caller->identity);

	for (int i = 0; i < PS_CLUSTER_MAX; i++) {
		uint32_t member = atomic_load_explicit(&caller->space->run->cluster[i], memory_order_relaxed);

		if (!member)
			break;
		if (!pid)
			pid = (uint32_t)sys0(SYS_getpid);
		if (member == pid)
			return true;
	}
	return false;
}

/* Only a listener is told the actual port. A UDP socket never listens, and the sources of datagrams say the requested
 * one. */
static bool is_told_actual(const struct ps_caller *caller, int fd, uint16_t port, uint64_t head)
{
	const struct ps_record *record = &caller->space->host->record[port];
	unsigned protocols = record_get(record, protocols);

	return head_state(head) == PS_LISTENING && record_get(record, report) == PS_REPORT_ACTUAL && protocols & PS_TCP &&
	       (protocols == PS_TCP || caller->calls->protocol(caller, fd) == PS_TCP) && !is_cluster(caller);
}

void route_own_moved(struct ps_caller *caller, int fd, void *address, uint16_t port)
{
	uint64_t head = host_head_of_owned(caller->space->host, port);

	if (is_seen(caller->space, head) && !is_told_actual(caller, fd, port, head))
		put_port(address, head_requested(head));
}
