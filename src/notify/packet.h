/*
 * packet.h - the message in hand: one that the server has taken from a program's socket, or given to it, in a call
 * that is not answered yet. It lies in the journal, so that the next server finds it.
 */
#ifndef PORTSHIM_NOTIFY_PACKET_H
#define PORTSHIM_NOTIFY_PACKET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "decode.h"

/* No datagram is longer: a part beyond that is neither sent nor filled. */
#define PACKET_DATA 65536
#define PACKET_CONTROL 16384

#define PACKET_COMPAT 0x80000000u /* MSG_CMSG_COMPAT: a flag that a 64-bit program may not say (net/socket.c) */

struct ps_call;

struct ps_packet {
	_Atomic uint64_t id;    /* of the call */
	_Atomic uint32_t index; /* which of its messages: saved.datagram.done */
	_Atomic bool asked;     /* `room` was read */
	int32_t room;           /* of recvfrom and recvmsg, for the name: the program has it where the answer goes */
	struct mmsghdr message; /* as the kernel takes it and answers; packet.c about msg_len */
	struct sockaddr_storage name; /* of the sender, as the kernel says it */
	size_t part_size, control_room; /* that the program has, of what there is here */
	_Alignas(8) uint8_t control[DECODE_CONTROL_ROOM(PACKET_CONTROL)];
	_Alignas(8) uint8_t narrow[PACKET_CONTROL]; /* control data in the other layout */
	struct iovec parts[DECODE_PARTS];           /* of the program's memory */
	_Alignas(4096) uint8_t data[PACKET_DATA];
};

/* True if the call's message was sent or received, be it by a server before this one. */
bool packet_in_hand(const struct ps_call *call);

/* Sends message.msg_hdr, or receives into the packet, where the program has room for `total` bytes. What the system
 * call returns for one message, or a negative errno. Does not wait. */
long packet_send(struct ps_call *call, int flags);
long packet_receive(struct ps_call *call, size_t total, size_t control_room, int flags);

#endif
