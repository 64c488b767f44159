/*
 * decode.h - the arguments of another process's call, and the structures that they point to, in one form for 64 and
 * 32 bits.
 *
 * What is read is a stranger's memory: any bytes, which its other threads may change in the meantime. So each
 * structure is read once, and what is not as the kernel wants it is an error here as it is there.
 */
#ifndef PORTSHIM_NOTIFY_DECODE_H
#define PORTSHIM_NOTIFY_DECODE_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include "filter.h"

#define DECODE_PARTS 1024 /* UIO_MAXIOV: the kernel takes no more parts of a message, and no more messages to be sent */

/* A call as it was meant: socketcall(2) is the call behind it, with its arguments. *compat: structures have their
 * layout of 32 bits. 0, or what the memory that holds socketcall's arguments is worth (memory_read). */
int decode_call(const struct seccomp_data *data, int32_t tid, enum ps_call_kind *kind, bool *compat, uint64_t args[6]);

/* ---- the memory of a thread's process: 0 or -EFAULT; -ESRCH, -EPERM: it is gone, or cannot be looked into ---- */

int memory_read(int32_t tid, uint64_t from, void *to, size_t size);
int memory_write(int32_t tid, uint64_t to, const void *from, size_t size);

/* ---- messages ---- */

/* struct msghdr as the kernel sees it. */
struct ps_message {
	uint64_t at;   /* where it is */
	uint64_t name; /* 0: none */
	int32_t name_length; /* as the caller said: may be too much, or negative */
	uint64_t parts, part_count;
	uint64_t control, control_length;
};

/* 0, or why it cannot be read. What is in it is not judged. */
int decode_message(int32_t tid, bool compat, uint64_t at, struct ps_message *message);

/* How far apart the elements of sendmmsg's and recvmmsg's arrays are, and where in one its length is. */
uint64_t decode_stride(bool compat);
uint64_t decode_length_at(bool compat);

/* The parts of a message's data, in the other process's memory, without those behind `most` bytes. `parts` holds
 * DECODE_PARTS. *count is how many there are then, *total the bytes that the caller has in all (at most what one
 * call transfers, and possibly more than `most`). 0, -EMSGSIZE, -EINVAL, -EFAULT as the kernel would say it, or what
 * memory_read says. */
int decode_parts(int32_t tid, bool compat, const struct ps_message *message, size_t most, struct iovec *parts,
		 unsigned *count, size_t *total);

/* The same for the one buffer that sendto and recvfrom have. */
int decode_buffer(uint64_t at, uint64_t size, size_t most, struct iovec *part, size_t *total);

/* Copies between the parts and one buffer; `size` bytes, or as many as there are parts for. */
int memory_gather(int32_t tid, const struct iovec *parts, unsigned count, void *to, size_t size);
int memory_scatter(int32_t tid, const struct iovec *parts, unsigned count, const void *from, size_t size);

/* ---- control data (cmsg(3)) ---- */

/* What control data of 32 bits may grow to. */
#define DECODE_CONTROL_ROOM(size) (2 * (size) + sizeof(struct cmsghdr))

/* Control data of a message that is sent, from its layout of 32 bits into ours. `to` holds DECODE_CONTROL_ROOM(size)
 * and is aligned for a struct cmsghdr. The length; a negative errno where the kernel would refuse it. */
ssize_t decode_control(const uint8_t *from, size_t size, uint8_t *to);

/* Control data that was received, into the layout of 32 bits, as much of it as there is room for: the length. *cut:
 * not all. */
size_t encode_control(const uint8_t *from, size_t size, uint8_t *to, size_t room, bool *cut);

/* ---- time ---- */

/* recvmmsg's timeout. `narrow`: of 32 bits; `compat` alone: of 64 in a program of 32. -EINVAL: it is none. */
int decode_time(int32_t tid, bool compat, bool narrow, uint64_t at, struct timespec *time);
int encode_time(int32_t tid, bool narrow, uint64_t at, const struct timespec *time);

#endif
