/*
 * bind.c - bind and listen.
 *
 * A first bind and a listen take the run's lock and write files, so they go to a thread. A bind of a port that the
 * run has already is the kernel's affair alone, and is made at once.
 *
 * After the death of a server: listen is done again from the beginning, since a socket that listens may be told to
 * once more; where the first server was about to leave the port to an outsider who listens there, and had let go of its
 * record, the journal has the number that the socket is for. A bind may have come as far as the kernel's: a socket that
 * has another port than before shows it, and what the registry does not have of it yet is put there (call_bind_bound).
 * A port in its name does not make a socket bound: the one of a connect that has failed still stands there
 * (net/ipv4/inet_hashtables.c, __inet_put_port), and bind gives it another.
 */
#include <errno.h>
#include <string.h>

#include <portshim/call.h>
#include <portshim/registry.h>

#include "served.h"

/* The program's own address: read once, so that what is decided on is what the kernel gets. False: the kernel
 * judges. */
static bool read_address(struct ps_call *call, struct ps_saved_bind *saved)
{
	int length = (int)call->args[2];

	if (length < (int)sizeof(struct sockaddr_in) || length > (int)sizeof(saved->address))
		return false;
	saved->length = (uint32_t)length;
	return call->again || target_read(call, call->args[1], saved->address, saved->length) == 0;
}

static uint16_t local_port(const struct ps_call *call)
{
	struct ps_address local;

	return call_local(&call->caller, call->fd, &local) == 0 ? address_port(&local) : 0;
}

static enum ps_answer bind_now(struct ps_call *call)
{
	const struct ps_saved_bind *saved = &call->slot->saved.bind;
	const struct sockaddr *address = (const struct sockaddr *)saved->address;
	uint16_t port = call->again ? local_port(call) : 0;

	if (port && port != saved->before)
		call->value = call_bind_bound(&call->caller, call->fd, address, saved->length);
	else
		call->value = call_bind(&call->caller, call->fd, address, saved->length);
	return PS_ANSWER_VALUE;
}

enum ps_answer bind_serve(struct ps_call *call)
{
	struct ps_saved_bind *saved = &call->slot->saved.bind;
	const struct sockaddr *address = (const struct sockaddr *)saved->address;
	int result;

	if (!read_address(call, saved) || !route_port_or_unspec(address, saved->length) || !target_of(call) ||
	    target_socket(call, (int)call->args[0]) < 0)
		return PS_ANSWER_CONTINUE;
	if (!call->again)
		saved->before = local_port(call);
	serve_begin(call);
	if (!call->again && call_bind_at_once(&call->caller, call->fd, address, saved->length, &result)) {
		call->value = result;
		return PS_ANSWER_VALUE;
	}
	return serve_by_thread(call, bind_now);
}

static enum ps_answer listen_now(struct ps_call *call)
{
	call->value = call_listen(&call->caller, call->fd, (int)call->args[1]);
	return PS_ANSWER_VALUE;
}

/* The number that a port of the run stands for. */
static uint16_t requested_of(const struct ps_space *space, uint16_t port)
{
	return registry_is_own_actual(space, port) ? head_requested(host_head(space->host, port)) : 0;
}

enum ps_answer listen_serve(struct ps_call *call)
{
	struct ps_saved_listen *saved = &call->slot->saved.listen;
	struct ps_address local;

	if (!target_of(call) || target_socket(call, (int)call->args[0]) < 0 ||
	    call_local(&call->caller, call->fd, &local) == -EAFNOSUPPORT || call_protocol(call->fd) != PS_TCP)
		return PS_ANSWER_CONTINUE;
	if (call->again)
		call->caller.left = saved->requested;
	else
		saved->requested = requested_of(call->caller.space, address_port(&local));
	serve_begin(call);
	return serve_by_thread(call, listen_now);
}
