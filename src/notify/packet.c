/*
 * packet.c - see packet.h.
 *
 * Theory of operation
 *
 * A datagram that the server has taken from the socket's queue is nowhere but in its hands, and one that it has sent
 * is out. A server that is killed then must not lose the one, and its heir must not send the other again. So the
 * kernel itself has to write down that it happened, in the same system call: recvmmsg and sendmmsg, for one message,
 * put the number of its bytes into msg_len when they are through with it (net/socket.c, do_recvmmsg, __sys_sendmmsg),
 * and here that is in the journal, as is all that recvmmsg fills in before that. A thread that is killed finishes its
 * system call first, unless it waits there (these calls never do, MSG_DONTWAIT) or comes to memory that is not there:
 * a page fault of one that is about to die may fail (arch/x86/mm/fault.c, fault_signal_pending). So every page is
 * touched before.
 *
 *	msg_len NONE       the message is in the program's socket or memory, as before
 *	msg_len N          it was received into the packet, or sent from it: what is left is to tell the program
 *
 * That is about the message `index` of the call `id`, which the kernel never gives to another call, and holds until
 * the call is answered, or its number of messages done is another one. So there is nothing to be cleared, and no
 * moment between two stores that would matter: whoever begins with a message says NONE first, and then whose it is.
 *
 * One packet is enough for all, because one thread serves these calls, from a message's taking to its telling without
 * a stop: a call that waits has no message in hand. A server that takes over finishes the packet's call first
 * (serve.c, recover), and then has it for its own.
 *
 * The calls are raw ones, because this process may have the library as well (a run of --static=off around this one, or
 * LD_PRELOAD by hand): its hooks would take the socket for one of their own process, and copy the vector.
 *
 * Errors are not written down: one that the kernel keeps for a socket (SO_ERROR) and tells once is lost with a server
 * that was told.
 */
#include "packet.h"

#include <string.h>

#include "served.h"

#include "../core/sys.h"

#define NONE UINT32_MAX
#define PAGE 4096

static _Atomic uint32_t *length_of(struct ps_packet *packet)
{
	return (_Atomic uint32_t *)&packet->message.msg_len;
}

bool packet_in_hand(const struct ps_call *call)
{
	struct ps_packet *packet = &call->notify->journal->packet;

	return atomic_load(&packet->id) == call->id && atomic_load(&packet->index) == call->slot->saved.datagram.done &&
	       atomic_load(length_of(packet)) != NONE;
}

static void begin(struct ps_call *call, struct ps_packet *packet)
{
	atomic_store(length_of(packet), NONE);
	atomic_store(&packet->asked, false);
	atomic_store(&packet->index, call->slot->saved.datagram.done);
	atomic_store(&packet->id, call->id);
}

static int flags_here(int flags)
{
	unsigned of_call = MSG_WAITFORONE | PACKET_COMPAT; /* recvmmsg's own; only meant for the kernel */

	return (int)(((unsigned)flags & ~of_call) | MSG_DONTWAIT | MSG_NOSIGNAL);
}

long packet_send(struct ps_call *call, int flags)
{
	struct ps_packet *packet = &call->notify->journal->packet;
	long sent;

	begin(call, packet);
	sent = sys4(SYS_sendmmsg, call->fd, &packet->message, 1, flags_here(flags));
	return sent < 0 ? sent : packet->message.msg_len;
}

static void touch(volatile uint8_t *at, size_t size)
{
	for (size_t i = 0; i < size; i += PAGE)
		at[i] = 0;
	if (size)
		at[size - 1] = 0;
}

long packet_receive(struct ps_call *call, size_t total, size_t control_room, int flags)
{
	struct ps_packet *packet = &call->notify->journal->packet;
	struct msghdr *header = &packet->message.msg_hdr;
	struct iovec part = {.iov_base = packet->data};
	long received;

	packet->part_size = total < PACKET_DATA ? total : PACKET_DATA;
	part.iov_len = packet->part_size;
	*header = (struct msghdr){.msg_name = &packet->name, .msg_namelen = sizeof(packet->name),
				  .msg_iov = &part, .msg_iovlen = 1};
	packet->control_room = control_room < PACKET_CONTROL ? control_room : PACKET_CONTROL;
	if (control_room) {
		header->msg_control = packet->control;
		header->msg_controllen = call->compat ? sizeof(packet->control) : packet->control_room;
	}
	touch(packet->data, part.iov_len);
	/* Touched as well, and what the kernel leaves out between two headers has nothing of another program's. */
	memset(packet->control, 0, header->msg_controllen);
	begin(call, packet);
	received = sys5(SYS_recvmmsg, call->fd, &packet->message, 1, flags_here(flags), NULL);
	return received < 0 ? received : packet->message.msg_len;
}
