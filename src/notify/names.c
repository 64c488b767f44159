/*
 * names.c - getsockname and getpeername.
 *
 * Where nothing is to be translated, the kernel answers, and with all errors: bad pointers, lengths that are short,
 * zero or negative. Else the answer is written as the kernel does it (net/socket.c, move_addr_to_user): as much of
 * the address as there is room for, then the length that it really has. The length is both asked and answered in one
 * place, so what was asked is kept in the journal before anything is written.
 */
#include <sys/socket.h>

#include "served.h"

#include "../core/sys.h"

/* The name as the program is to see it; false if it is what the kernel says anyway. */
static bool translate(struct ps_call *call, struct sockaddr_storage *name, socklen_t *filled, socklen_t room)
{
	bool own = call->kind == PS_CALL_GETSOCKNAME;
	uint16_t port;

	*filled = sizeof(*name);
	/* What the kernel says: the library, where this process has it too (packet.c), would have translated it. */
	if (sys3(own ? SYS_getsockname : SYS_getpeername, call->fd, name, filled) < 0)
		return false;
	port = route_moved(call->caller.space, name, room, *filled);
	if (!port || !call->caller.calls->protocol(&call->caller, call->fd))
		return false;
	if (own)
		route_own_moved(&call->caller, call->fd, name, port);
	else
		route_in_moved(&call->caller, name, room, *filled, port);
	return route_port((struct sockaddr *)name, *filled) != port;
}

enum ps_answer names_serve(struct ps_call *call)
{
	struct ps_saved_name *saved = &call->slot->saved.name;
	struct sockaddr_storage name;
	socklen_t filled;
	int32_t room;

	if (call->again) {
		room = saved->room;
		/* It may be the kernel that answers now. */
		target_write(call, call->args[2], &room, sizeof(room));
	} else if (target_read(call, call->args[2], &room, sizeof(room)) < 0) {
		return PS_ANSWER_CONTINUE;
	}
	if (room < (int)sizeof(struct ps_route_start) || !target_of(call) ||
	    target_socket(call, (int)call->args[0]) < 0 || !translate(call, &name, &filled, (socklen_t)room))
		return PS_ANSWER_CONTINUE;
	saved->room = room;
	serve_begin(call);
	if (target_write(call, call->args[1], &name, (socklen_t)room < filled ? (socklen_t)room : filled) < 0 ||
	    target_write(call, call->args[2], &filled, sizeof(filled)) < 0)
		return PS_ANSWER_CONTINUE;
	call->value = 0;
	return PS_ANSWER_VALUE;
}
