/*
 * datagram.c - the calls that send to an address, and those that ask where something came from.
 *
 * Theory of operation
 *
 * Nearly all of these calls have nothing to do with moved ports, so the ways out come in the order of what they cost:
 * no name, or one that is no inet address, is seen in the arguments or with one read of the program's memory; a port
 * that means nothing, with one load; that the process never spoke to a moved port, with one bit. All of these go on
 * in the kernel, untouched. Only then the socket is looked at: TCP has no use for names in these calls (but for
 * MSG_FASTOPEN, below), and raw sockets none for ports.
 *
 * Sending. The decision is route_out, as in the preloaded library. If the destination is another one, the message is
 * copied and sent from here, on the program's own socket: name exchanged, data, control data and flags as they are.
 * The kernel's verdict on that is the program's. The program may change its buffers meanwhile, as it may natively;
 * what was decided on is a copy. sendmmsg goes message by message as soon as one of its messages is to go elsewhere,
 * and ends as the kernel does: an error after the first message is not told.
 *
 * With MSG_FASTOPEN, a name is where TCP connects to. For a moved port this answers what a kernel does where fast
 * open is off, EOPNOTSUPP: programs then connect.
 *
 * Receiving. A datagram's source is to have the port that the program knows, so a process that has sent to a moved
 * port (datagram_spoke; also by a connected socket) has its messages received here, and put into its memory as the
 * kernel does it: data, then the name with its length, then flags and the length of the control data. Where memory
 * turns out to be bad, the datagram is gone, as natively. A server that was never told of a moved port is not slowed
 * down: its clients are who they are.
 *
 * Blocking. Nothing waits here: all is done with MSG_DONTWAIT, and what would have waited is held (held.c) and comes
 * back as datagram_wake. What it has done until then is in the journal (slot->saved.datagram): the messages done, and
 * the deadline; and so is the message that it is about to do (packet.c). A server that takes over comes to it by the
 * same way, finds that it is in hand already, and tells the program. Which way a message goes is decided once: what is
 * sent was decided.
 *
 * Not as native: what fails after a message of recvmmsg's is not kept for the next call, because nobody can set a
 * socket's error.
 *
 * Sources: net/socket.c (____sys_sendmsg, ____sys_recvmsg, move_addr_to_user, do_recvmmsg), net/ipv4/udp.c,
 * net/compat.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include <portshim/process.h>

#include "calls.h"
#include "decode.h"
#include "held.h"
#include "served.h"

#define SENT_MOST 65535

static struct ps_packet *packet(const struct ps_call *call)
{
	return &call->notify->journal->packet;
}

/* The kernel refuses it to programs of 64 bits. */
static bool is_forbidden(const struct ps_call *call, int flags)
{
	return (unsigned)flags & PACKET_COMPAT && !call->compat;
}

static enum ps_answer value(struct ps_call *call, long n)
{
	call->value = n;
	return PS_ANSWER_VALUE;
}

/* ---- who spoke to a moved port ---- */

/* In the journal, because the next server must know. Two processes may share a bit: then one is served slower. */
static _Atomic uint64_t *word_of(struct ps_notify *notify, int32_t pid)
{
	return &notify->journal->speakers[(unsigned)pid % PS_SPEAKERS / 64];
}

static bool is_speaker(struct ps_notify *notify, int32_t pid)
{
	return atomic_load_explicit(word_of(notify, pid), memory_order_relaxed) >> (unsigned)pid % 64 & 1;
}

static void add_speaker(struct ps_notify *notify, int32_t pid)
{
	if (!is_speaker(notify, pid))
		atomic_fetch_or(word_of(notify, pid), UINT64_C(1) << (unsigned)pid % 64);
}

void datagram_spoke(struct ps_call *call)
{
	add_speaker(call->notify, process_pid(call->caller.identity));
}

void datagram_inherit(struct ps_notify *notify, int32_t pid)
{
	char status[2048];
	int32_t parent = 0;

	if (target_status(pid, status, sizeof(status)) > 0)
		parent = (int32_t)target_field(status, "\nPPid:\t", 10);
	if (parent > 0 && is_speaker(notify, parent))
		add_speaker(notify, pid);
}

static bool has_spoken(struct ps_call *call)
{
	return is_speaker(call->notify, process_pid(call->caller.identity));
}

/* ---- the socket ---- */

/* The duplicate of a socket that was decided to be worth it; it is there already when a held call is tried again. */
static bool get_socket(struct ps_call *call)
{
	return call->fd >= 0 || target_socket(call, (int)call->args[0]) == 0;
}

static unsigned protocol(struct ps_call *call)
{
	return call->caller.calls->protocol(&call->caller, call->fd);
}

/* What comes of -EAGAIN: the program gets it, or it would have waited for `event`. */
static enum ps_answer blocked(struct ps_call *call, int flags, uint32_t event, struct ps_wait *wait)
{
	struct ps_saved_datagram *saved = &call->slot->saved.datagram;
	int64_t most;

	if (flags & MSG_DONTWAIT || fcntl(call->fd, F_GETFL) & O_NONBLOCK)
		return value(call, -EAGAIN);
	if (!saved->deadline) {
		most = held_limit(call->fd, event == EPOLLOUT ? SO_SNDTIMEO : SO_RCVTIMEO);
		saved->limited = most != HELD_FOREVER;
		saved->deadline = saved->limited ? held_now() + most : HELD_FOREVER;
	}
	wait->events = event;
	wait->deadline = saved->deadline;
	return PS_ANSWER_LATER;
}

static bool is_begun(const struct ps_call *call)
{
	return atomic_load(serve_stage(call->notify, call->slot)) == PS_STAGE_BEGUN;
}

/* Before the first effect: what a second attempt must know starts from nothing, unless this is one. `end`: of
 * recvmmsg's time. */
static void begin_until(struct ps_call *call, int64_t end)
{
	if (is_begun(call))
		return;
	memset(&call->slot->saved, 0, sizeof(call->slot->saved));
	call->slot->saved.datagram.end = end;
	serve_begin(call);
}

static void begin(struct ps_call *call)
{
	begin_until(call, 0);
}

/* One more message is done. All that is said of it is said before: the number makes it so. */
static void count_message(struct ps_call *call)
{
	struct ps_saved_datagram *saved = &call->slot->saved.datagram;
	int64_t left = saved->end - held_now();

	saved->left = left > 0 ? left : 0;
	saved->deadline = 0;
	atomic_fetch_add(&saved->done, 1);
}

/* ---- sending ---- */

/* A message to be sent, and where it goes. */
struct out {
	struct ps_message message;
	int32_t name_length; /* as the kernel takes it */
	struct sockaddr_storage name;
	uint16_t port;       /* 0: none of ours */
	struct ps_address moved;
	enum ps_route route;
};

/* Reads a destination. Where it cannot be read, it is none of ours: the kernel says what it is. */
static void read_name(struct ps_call *call, struct out *out, uint64_t at, int32_t length)
{
	out->port = 0;
	out->route = PS_ROUTE_PASS;
	out->name_length = length;
	if (!at || length < (int32_t)sizeof(struct sockaddr_in) || length > (int32_t)sizeof(out->name) ||
	    memory_read(call->tid, at, &out->name, (size_t)length) != 0)
		return;
	out->port = route_port_or_unspec((struct sockaddr *)&out->name, (socklen_t)length);
}

/* net/socket.c, __copy_msghdr: a name that is too long is cut. */
static int32_t name_length(const struct ps_message *m)
{
	return m->name_length > (int32_t)sizeof(struct sockaddr_storage) ? (int32_t)sizeof(struct sockaddr_storage)
									 : m->name_length;
}

static bool matters(const struct ps_call *call, const struct out *out)
{
	return route_matters(call->caller.space, out->port);
}

static void route(struct ps_call *call, struct out *out, int fd)
{
	if (matters(call, out))
		out->route = route_out(&call->caller, fd, (struct sockaddr *)&out->name, (socklen_t)out->name_length,
				       out->port, &out->moved);
}

static int read_control(struct ps_call *call, const struct ps_message *m, struct msghdr *header)
{
	struct ps_packet *p = packet(call);
	ssize_t length = (ssize_t)m->control_length;
	int error;

	if (!m->control_length)
		return 0;
	/* The kernel's own bound is a setting (net.core.optmem_max). */
	if (m->control_length > PACKET_CONTROL)
		return -ENOBUFS;
	error = memory_read(call->tid, m->control, call->compat ? p->narrow : p->control, m->control_length);
	if (!error && call->compat)
		length = decode_control(p->narrow, m->control_length, p->control);
	if (error || length < 0)
		return error ? error : (int)length;
	header->msg_control = p->control;
	header->msg_controllen = (size_t)length;
	return 0;
}

/* Sends parts of the program's memory: the bytes sent, or a negative errno. */
static long send_parts(struct ps_call *call, const struct out *out, const struct iovec *parts, unsigned count,
		       size_t total, int flags)
{
	struct ps_packet *p = packet(call);
	struct iovec data = {p->data, total};
	struct msghdr header = {.msg_iov = &data, .msg_iovlen = 1};
	uint32_t taken = 0;
	int error;
	long n;

	if (out->name_length > 0) {
		bool moved = out->route == PS_ROUTE_MOVED;

		header.msg_name = moved ? (void *)&out->moved.u : (void *)&out->name;
		header.msg_namelen = moved ? out->moved.length : (socklen_t)out->name_length;
	}
	/* What is too long or cannot be read is not sent, but it is the kernel that says so: other errors come first. */
	if (total > SENT_MOST || memory_gather(call->tid, parts, count, p->data, total) != 0)
		data.iov_base = NULL;
	error = out->message.at ? read_control(call, &out->message, &header) : 0;
	if (error)
		return error;
	if (header.msg_controllen)
		taken = calls_lower(call);
	n = -ESRCH;
	if (target_waits(call)) { /* else this may have been somebody else's memory */
		if (out->route == PS_ROUTE_MOVED)
			datagram_spoke(call);
		p->message.msg_hdr = header;
		n = packet_send(call, flags);
	}
	calls_raise(taken);
	return n;
}

static long send_message(struct ps_call *call, const struct out *out, int flags)
{
	struct ps_packet *p = packet(call);
	unsigned count;
	size_t total;
	int error;

	error = decode_parts(call->tid, call->compat, &out->message, PACKET_DATA, p->parts, &count, &total);
	return error ? error : send_parts(call, out, p->parts, count, total, flags);
}

/* The way of a call with one destination, as far as its data does not matter. PS_ANSWER_LATER: it is to be sent from
 * here. */
static enum ps_answer judge(struct ps_call *call, struct out *out, int flags)
{
	unsigned kind;

	if (!matters(call, out) || !get_socket(call))
		return PS_ANSWER_CONTINUE;
	kind = protocol(call);
	if (kind != PS_UDP && !(kind == PS_TCP && flags & MSG_FASTOPEN))
		return PS_ANSWER_CONTINUE;
	route(call, out, kind == PS_TCP ? call->fd : -1);
	if (out->route == PS_ROUTE_PASS)
		return PS_ANSWER_CONTINUE;
	if (kind == PS_TCP)
		return value(call, -EOPNOTSUPP);
	return out->route == PS_ROUTE_REFUSED ? value(call, -ECONNREFUSED) : PS_ANSWER_LATER;
}

static enum ps_answer send_one(struct ps_call *call, struct out *out, int flags, struct ps_wait *wait)
{
	enum ps_answer answer = judge(call, out, flags);
	struct iovec part;
	size_t total;
	long n;

	if (answer != PS_ANSWER_LATER)
		return answer;
	begin(call);
	if (out->message.at) {
		n = send_message(call, out, flags);
	} else {
		n = decode_buffer(call->args[1], call->args[2], PACKET_DATA, &part, &total);
		if (!n)
			n = send_parts(call, out, &part, 1, total, flags);
	}
	return n == -EAGAIN ? blocked(call, flags, EPOLLOUT, wait) : value(call, n);
}

static enum ps_answer try_sendto(struct ps_call *call, struct ps_wait *wait)
{
	struct out out = {.message = {0}};

	read_name(call, &out, call->args[4], (int32_t)call->args[5]);
	return send_one(call, &out, (int)call->args[3], wait);
}

static enum ps_answer try_sendmsg(struct ps_call *call, struct ps_wait *wait)
{
	struct out out;

	if (is_forbidden(call, (int)call->args[2]) ||
	    decode_message(call->tid, call->compat, call->args[1], &out.message) != 0)
		return PS_ANSWER_CONTINUE;
	read_name(call, &out, out.message.name, name_length(&out.message));
	return send_one(call, &out, (int)call->args[2], wait);
}

/* ---- sendmmsg ---- */

static bool read_out(struct ps_call *call, uint64_t at, struct out *out)
{
	if (decode_message(call->tid, call->compat, at, &out->message) != 0)
		return false;
	if (!out->message.name)
		out->message.name_length = 0;
	read_name(call, out, out->message.name, name_length(&out->message));
	return true;
}

/* True if any message from the first one on names a port that means something. */
static bool any_matters(struct ps_call *call, unsigned count)
{
	struct out out;

	for (unsigned i = 0; i < count; i++) {
		if (!read_out(call, call->args[1] + i * decode_stride(call->compat), &out))
			return false;
		if (matters(call, &out))
			return true;
	}
	return false;
}

/* How often the kernel would have put a length there. */
static int write_length(struct ps_call *call, uint64_t at, long n)
{
	uint32_t length = (uint32_t)n;

	return memory_write(call->tid, at + decode_length_at(call->compat), &length, sizeof(length));
}

/* Sends one message of several: what there was of it, or a negative errno. */
static long send_one_of(struct ps_call *call, uint64_t at, int flags)
{
	struct out out;

	if (!read_out(call, at, &out))
		return -EFAULT;
	if (out.name_length < 0)
		return -EINVAL;
	route(call, &out, -1);
	if (out.route == PS_ROUTE_REFUSED)
		return -ECONNREFUSED;
	/* A name that is none of ours is the kernel's to judge, as a whole. */
	if (out.name_length > 0 && !out.port &&
	    memory_read(call->tid, out.message.name, &out.name, (size_t)out.name_length) != 0)
		return -EFAULT;
	return send_message(call, &out, flags);
}

/* 0, or a negative errno: it did not count. */
static long send_next(struct ps_call *call, uint64_t at, int flags)
{
	long n = packet_in_hand(call) ? packet(call)->message.msg_len : send_one_of(call, at, flags);

	return n < 0 ? n : write_length(call, at, n);
}

/* PS_ANSWER_LATER: messages are to be sent from here. */
static enum ps_answer begin_sendmmsg(struct ps_call *call, unsigned count)
{
	int flags = (int)call->args[3];
	struct out first;

	if (is_begun(call)) {
		get_socket(call); /* without one, EBADF ends it */
		return PS_ANSWER_LATER;
	}
	if (is_forbidden(call, flags) || !any_matters(call, count) || !get_socket(call))
		return PS_ANSWER_CONTINUE;
	/* With MSG_FASTOPEN the first message is a connect, and those that follow go over the connection. */
	if (protocol(call) != PS_UDP)
		return read_out(call, call->args[1], &first) ? judge(call, &first, flags) : PS_ANSWER_CONTINUE;
	begin(call);
	return PS_ANSWER_LATER;
}

static enum ps_answer try_sendmmsg(struct ps_call *call, struct ps_wait *wait)
{
	unsigned count = (uint32_t)call->args[2] < DECODE_PARTS ? (uint32_t)call->args[2] : DECODE_PARTS;
	struct ps_saved_datagram *saved = &call->slot->saved.datagram;
	int flags = (int)call->args[3];
	enum ps_answer answer = begin_sendmmsg(call, count);
	long error = 0;

	if (answer != PS_ANSWER_LATER)
		return answer;
	while (saved->done < count) {
		error = send_next(call, call->args[1] + saved->done * decode_stride(call->compat), flags);
		if (error)
			break;
		count_message(call);
	}
	if (error == -EAGAIN) {
		answer = blocked(call, flags, EPOLLOUT, wait);
		if (answer == PS_ANSWER_LATER)
			return answer;
	}
	return value(call, saved->done ? (long)saved->done : error);
}

/* ---- receiving ---- */

/* Puts the name where the program has room for it, which is asked after the message was received, and at the place
 * where the answer goes (move_addr_to_user). */
static int write_name(struct ps_call *call, uint64_t at, uint64_t length_at)
{
	struct ps_packet *p = packet(call);
	int32_t filled = (int32_t)p->message.msg_hdr.msg_namelen, room;
	struct sockaddr_storage name = p->name;

	if (!p->asked && memory_read(call->tid, length_at, &p->room, sizeof(p->room)) != 0)
		return -EFAULT;
	p->asked = true;
	room = p->room < filled ? p->room : filled;
	if (room < 0)
		return -EINVAL;
	if (memory_write(call->tid, length_at, &filled, sizeof(filled)) != 0)
		return -EFAULT;
	route_in(&call->caller, &name, sizeof(name), (socklen_t)filled);
	return memory_write(call->tid, at, &name, (size_t)room) != 0 ? -EFAULT : 0;
}

/* Where in a msghdr the kernel writes: length of the name, flags, length of the control data. */
static uint64_t field_at(const struct ps_call *call, uint64_t message, size_t wide, size_t narrow)
{
	return message + (call->compat ? narrow : wide);
}

/* Control data, whose length is 0 where it cannot be written (put_cmsg); then flags and that length. */
static int write_rest(struct ps_call *call, const struct ps_message *m)
{
	struct ps_packet *p = packet(call);
	const struct msghdr *header = &p->message.msg_hdr;
	uint64_t length = header->msg_controllen;
	uint32_t flags = (uint32_t)header->msg_flags & ~PACKET_COMPAT;
	const uint8_t *control = p->control;
	bool cut;

	if (call->compat && p->control_room) {
		length = encode_control(control, length, p->narrow, p->control_room, &cut);
		control = p->narrow;
		flags = (flags & ~(uint32_t)MSG_CTRUNC) | (cut ? MSG_CTRUNC : 0);
	}
	if (length && memory_write(call->tid, m->control, control, length) != 0)
		length = 0;
	if (memory_write(call->tid, field_at(call, m->at, offsetof(struct msghdr, msg_flags), 24), &flags,
			 sizeof(flags)) != 0)
		return -EFAULT;
	return memory_write(call->tid, field_at(call, m->at, offsetof(struct msghdr, msg_controllen), 20), &length,
			    call->compat ? 4 : 8) != 0 ? -EFAULT : 0;
}

/* A socket that is shut down for receiving does not wait: without a message it receives nothing, from nobody
 * (net/core/datagram.c, __skb_wait_for_more_packets). Threads are woken in this way. */
static bool is_shut(const struct ps_call *call, int flags)
{
	struct pollfd fd = {.fd = call->fd, .events = POLLRDHUP};

	return !(flags & (MSG_DONTWAIT | MSG_ERRQUEUE)) && !(fcntl(call->fd, F_GETFL) & O_NONBLOCK) &&
	       poll(&fd, 1, 0) == 1 && fd.revents & POLLRDHUP;
}

static long receive_nothing(struct ps_call *call, int flags)
{
	struct msghdr *header = &packet(call)->message.msg_hdr;

	header->msg_namelen = 0;
	header->msg_controllen = 0;
	header->msg_flags = flags & MSG_CMSG_CLOEXEC; /* net/socket.c, ____sys_recvmsg */
	return 0;
}

/* Receives into the packet, unless that was done: the kernel's verdict. The program has room for `total` bytes. */
static long receive(struct ps_call *call, size_t total, size_t control_room, int flags)
{
	long n = packet_in_hand(call) ? packet(call)->message.msg_len
				      : packet_receive(call, total, control_room, flags);

	return n == -EAGAIN && is_shut(call, flags) ? receive_nothing(call, flags) : n;
}

/* As much of the data as there is and has room. */
static int write_data(struct ps_call *call, const struct iovec *parts, unsigned count, long n)
{
	const struct ps_packet *p = packet(call);
	size_t size = (size_t)n < p->part_size ? (size_t)n : p->part_size;

	return memory_scatter(call->tid, parts, count, p->data, size) != 0 ? -EFAULT : 0;
}

/* One message into a program's msghdr: what recvmsg returns. */
static long receive_message(struct ps_call *call, uint64_t at, int flags)
{
	struct ps_packet *p = packet(call);
	struct ps_message m;
	unsigned count;
	size_t total;
	long n;
	int error;

	if (decode_message(call->tid, call->compat, at, &m) != 0)
		return -EFAULT;
	if (m.name && m.name_length < 0)
		return -EINVAL;
	error = decode_parts(call->tid, call->compat, &m, PACKET_DATA, p->parts, &count, &total);
	if (error)
		return error;
	n = receive(call, total, m.control ? m.control_length : 0, flags);
	if (n < 0)
		return n;
	error = write_data(call, p->parts, count, n);
	if (!error && m.name)
		error = write_name(call, m.name, field_at(call, at, offsetof(struct msghdr, msg_namelen), 4));
	if (!error)
		error = write_rest(call, &m);
	return error ? error : n;
}

/* True if what the program receives is to be translated: then the socket is there. Or it was received. */
static bool is_ours(struct ps_call *call)
{
	return (has_spoken(call) && get_socket(call) && protocol(call) == PS_UDP) || packet_in_hand(call);
}

static int waiting_flags(int flags)
{
	return flags & MSG_ERRQUEUE ? flags | MSG_DONTWAIT : flags;
}

static enum ps_answer try_recvfrom(struct ps_call *call, struct ps_wait *wait)
{
	int flags = (int)call->args[3], error;
	struct iovec part;
	size_t total;
	long n;

	/* Without a name it is none of ours: the filter tells of it where it comes by socketcall. */
	if (!call->args[4] || !is_ours(call) ||
	    decode_buffer(call->args[1], call->args[2], PACKET_DATA, &part, &total) != 0)
		return PS_ANSWER_CONTINUE;
	begin(call);
	n = receive(call, total, 0, flags);
	if (n == -EAGAIN)
		return blocked(call, waiting_flags(flags), EPOLLIN, wait);
	if (n < 0)
		return value(call, n);
	error = write_data(call, &part, 1, n);
	if (!error)
		error = write_name(call, call->args[4], call->args[5]);
	return value(call, error ? error : n);
}

static enum ps_answer try_recvmsg(struct ps_call *call, struct ps_wait *wait)
{
	int flags = (int)call->args[2];
	struct ps_message m;
	long n;

	/* What is wrong about it is the kernel's to say; what has no name is none of ours. */
	if (is_forbidden(call, flags) || decode_message(call->tid, call->compat, call->args[1], &m) != 0 || !m.name ||
	    !is_ours(call))
		return PS_ANSWER_CONTINUE;
	begin(call);
	n = receive_message(call, call->args[1], flags);
	return n == -EAGAIN ? blocked(call, waiting_flags(flags), EPOLLIN, wait) : value(call, n);
}

/* ---- recvmmsg ---- */

static bool is_narrow(const struct ps_call *call)
{
	return call->compat && call->kind != PS_CALL_RECVMMSG_TIME64;
}

/* recvmmsg's time is over. The kernel looks at it after a message only. */
static bool is_over(const struct ps_call *call)
{
	const struct ps_saved_datagram *saved = &call->slot->saved.datagram;

	return call->args[4] && saved->done && !saved->left;
}

static enum ps_answer finish_recvmmsg(struct ps_call *call, long error)
{
	const struct ps_saved_datagram *saved = &call->slot->saved.datagram;
	struct timespec left = {saved->left / 1000000000, saved->left % 1000000000};

	if (!saved->done)
		return value(call, error);
	if (call->args[4] && encode_time(call->tid, is_narrow(call), call->args[4], &left) != 0)
		return value(call, -EFAULT);
	return value(call, (long)saved->done);
}

/* PS_ANSWER_LATER: messages are to be received. */
static enum ps_answer begin_recvmmsg(struct ps_call *call)
{
	struct timespec time = {0};
	struct ps_message m;
	int64_t end = 0;

	if (is_begun(call))
		return is_ours(call) || call->slot->saved.datagram.done ? PS_ANSWER_LATER : PS_ANSWER_CONTINUE;
	/* Without any message, it tells the socket's error. */
	if (!(uint32_t)call->args[2] || is_forbidden(call, (int)call->args[3]) || !has_spoken(call) ||
	    decode_message(call->tid, call->compat, call->args[1], &m) != 0)
		return PS_ANSWER_CONTINUE;
	if (call->args[4] && decode_time(call->tid, call->compat, is_narrow(call), call->args[4], &time) != 0)
		return PS_ANSWER_CONTINUE;
	if (!is_ours(call))
		return PS_ANSWER_CONTINUE;
	/* A time that is beyond all others (kernel/time/time.c, timespec64_add_safe). */
	if (call->args[4])
		end = time.tv_sec >= INT32_MAX ? HELD_FOREVER
					       : held_now() + time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
	begin_until(call, end);
	return PS_ANSWER_LATER;
}

static enum ps_answer try_recvmmsg(struct ps_call *call, struct ps_wait *wait)
{
	struct ps_saved_datagram *saved = &call->slot->saved.datagram;
	int flags = (int)call->args[3];
	enum ps_answer answer = begin_recvmmsg(call);
	long n = 0;

	if (answer != PS_ANSWER_LATER)
		return answer;
	while (saved->done < (uint32_t)call->args[2] && !is_over(call)) {
		uint64_t at = call->args[1] + saved->done * decode_stride(call->compat);
		int now = flags & MSG_WAITFORONE && saved->done ? flags | MSG_DONTWAIT : flags;

		n = receive_message(call, at, now);
		if (n == -EAGAIN) {
			answer = blocked(call, waiting_flags(now), EPOLLIN, wait);
			if (answer == PS_ANSWER_LATER)
				return answer;
		}
		if (n >= 0)
			n = write_length(call, at, n);
		if (n < 0)
			break;
		count_message(call);
	}
	return finish_recvmmsg(call, n);
}

/* ---- all of them ---- */

static enum ps_answer attempt(struct ps_call *call, struct ps_wait *wait)
{
	switch (call->kind) {
	case PS_CALL_SENDTO:
		return try_sendto(call, wait);
	case PS_CALL_SENDMSG:
		return try_sendmsg(call, wait);
	case PS_CALL_SENDMMSG:
		return try_sendmmsg(call, wait);
	case PS_CALL_RECVFROM:
		return try_recvfrom(call, wait);
	case PS_CALL_RECVMSG:
		return try_recvmsg(call, wait);
	case PS_CALL_RECVMMSG:
	case PS_CALL_RECVMMSG_TIME64:
		return try_recvmmsg(call, wait);
	default:
		return PS_ANSWER_CONTINUE;
	}
}

static bool is_sending(const struct ps_call *call)
{
	return call->kind == PS_CALL_SENDTO || call->kind == PS_CALL_SENDMSG || call->kind == PS_CALL_SENDMMSG;
}

/* A wait that ends without what was waited for. Where messages were done already, they are what the call returns. */
static enum ps_answer give_up(struct ps_call *call, enum held_why why)
{
	const struct ps_saved_datagram *saved = &call->slot->saved.datagram;
	int error = -EAGAIN;

	/* sock_intr_errno: a call with a time limit does not start again. */
	if (why == HELD_SIGNAL)
		error = saved->limited ? -EINTR : -512; /* ERESTARTSYS, which no program ever sees */
	/* Continued, a message would go where it must not; and that a socket cannot send is never for long. */
	if (why == HELD_SUSPECT && !saved->done)
		return is_sending(call) ? PS_ANSWER_LATER : PS_ANSWER_CONTINUE;
	if (call->kind == PS_CALL_RECVMMSG || call->kind == PS_CALL_RECVMMSG_TIME64)
		return finish_recvmmsg(call, error);
	return value(call, saved->done ? (long)saved->done : error);
}

static enum ps_answer datagram_wake(struct ps_call *call, enum held_why why, struct ps_wait *wait)
{
	return why == HELD_READY ? attempt(call, wait) : give_up(call, why);
}

/* Most messages of connected sockets: one read tells. */
static bool has_no_name(const struct ps_call *call)
{
	struct ps_message m;

	return (call->kind == PS_CALL_SENDMSG || call->kind == PS_CALL_RECVMSG) &&
	       decode_message(call->tid, call->compat, call->args[1], &m) == 0 && !m.name;
}

enum ps_answer datagram_serve(struct ps_call *call)
{
	struct ps_wait wait = {.wake = datagram_wake};
	enum ps_answer answer;

	/* By a server that is dead: all that is left is to say so. */
	if (call->again && is_sending(call) && call->kind != PS_CALL_SENDMMSG && packet_in_hand(call))
		return value(call, packet(call)->message.msg_len);
	if (has_no_name(call) || !target_of(call))
		return PS_ANSWER_CONTINUE;
	answer = attempt(call, &wait);
	if (answer != PS_ANSWER_LATER)
		return answer;
	answer = held_keep(call, &wait);
	/* It cannot be held. What was done is done, and what is sent must not go where it says. */
	if (answer == PS_ANSWER_CONTINUE && call->slot->saved.datagram.done)
		return give_up(call, HELD_LATE);
	return answer == PS_ANSWER_CONTINUE && is_sending(call) ? value(call, -ENOBUFS) : answer;
}
