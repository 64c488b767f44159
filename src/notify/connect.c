/*
 * connect.c - connect.
 *
 * Theory of operation: the server must not wait for a connection, and cannot wait as the program would: with the
 * program's own signals, their handlers, SA_RESTART. So the connection is only begun here, without blocking. If it is
 * on its way then and the program wants to wait for it, the call goes on in the kernel, which finds a socket that is
 * connecting already, does not look at the address any more, and waits as natively (net/ipv4/af_inet.c,
 * __inet_stream_connect). Not to block is a property of the open file (O_NONBLOCK), which the program shares: for
 * some microseconds its other threads could see the flag.
 *
 * Where the program has set a limit (SO_SNDTIMEO), a connect that is continued says EALREADY at its end, where one
 * that was begun by it would say EINPROGRESS: there the call is held instead (held.c).
 *
 * A socket that is connected, connecting, or listens has its answer from the kernel, and the address does not matter
 * (EISCONN, EALREADY). That is found out first, also because it tells afterwards what a server that is dead has done:
 * the state in the journal is TCP_CLOSE, and the socket says EISCONN or EALREADY; then the connection is the one that
 * was wanted.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <portshim/call.h>

#include "held.h"
#include "limit.h"
#include "served.h"

static bool read_address(struct ps_call *call, struct ps_address *a)
{
	int length = (int)call->args[2];

	if (length < (int)sizeof(struct sockaddr_in) || length > (int)sizeof(a->u))
		return false;
	a->length = (socklen_t)length;
	return target_read(call, call->args[1], &a->u, (size_t)length) == 0;
}

/* enum in netinet/tcp.h. What says nothing is a fresh socket. */
static uint8_t tcp_state(int fd)
{
	uint8_t state = TCP_CLOSE;
	socklen_t length = sizeof(state);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &state, &length) == 0 ? state : TCP_CLOSE;
}

static enum ps_answer connect_stream(struct ps_call *call, const struct ps_address *a)
{
	struct ps_saved_connect *saved = &call->slot->saved.connect;
	int flags;

	if (call->again) {
		flags = saved->file_flags;
	} else {
		int64_t limit;

		flags = fcntl(call->fd, F_GETFL);
		if (flags < 0 || tcp_state(call->fd) != TCP_CLOSE)
			return PS_ANSWER_CONTINUE;
		limit = flags & O_NONBLOCK ? HELD_FOREVER : held_limit(call->fd, SO_SNDTIMEO);
		saved->file_flags = flags;
		saved->deadline = limit == HELD_FOREVER ? HELD_FOREVER : held_now() + limit;
		serve_begin(call);
	}
	if (!(flags & O_NONBLOCK))
		fcntl(call->fd, F_SETFL, flags | O_NONBLOCK);
	limit_begin(); /* another thread of the program may set the flags, too */
	call->value = call_connect(&call->caller, call->fd, &a->u.any, a->length);
	limit_end();
	if (!(flags & O_NONBLOCK))
		fcntl(call->fd, F_SETFL, flags);
	if (call->again && call->value == -EISCONN)
		call->value = 0;
	if (call->again && call->value == -EALREADY)
		call->value = -EINPROGRESS;
	if (call->value != -EINPROGRESS || flags & O_NONBLOCK)
		return PS_ANSWER_VALUE;
	return saved->deadline == HELD_FOREVER ? PS_ANSWER_CONTINUE : held_connect(call, saved->deadline);
}

enum ps_answer connect_serve(struct ps_call *call)
{
	struct ps_address a;
	uint16_t port;

	if (!read_address(call, &a))
		return PS_ANSWER_CONTINUE;
	/* AF_UNSPEC ends a connection, and has no port. */
	port = route_port(&a.u.any, a.length);
	if (!port || !target_of(call) || !route_matters(call->caller.space, port) ||
	    target_socket(call, (int)call->args[0]) < 0)
		return PS_ANSWER_CONTINUE;
	switch (call->caller.calls->protocol(&call->caller, call->fd)) {
	case PS_TCP:
		return connect_stream(call, &a);
	case PS_UDP: /* which never waits, and may be connected as often as one likes */
		datagram_spoke(call);
		call->value = call_connect(&call->caller, call->fd, &a.u.any, a.length);
		return PS_ANSWER_VALUE;
	default:
		return PS_ANSWER_CONTINUE;
	}
}
