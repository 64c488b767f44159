/*
 * decode.c - see decode.h.
 *
 * Theory of operation
 *
 * Each structure is known by where its fields are, for either size of a pointer, and is read whole with one call. The
 * kernel has the same two forms (net/compat.c), and what it does with the values afterwards (__copy_msghdr in
 * net/socket.c, import_iovec in lib/iov_iter.c) is followed here as far as it decides whether a call fails: a message
 * with too many parts is EMSGSIZE, a part that is longer than half of the memory is EINVAL, one outside of any
 * process's memory EFAULT.
 *
 * Control data is a chain of headers with a length each. The kernel walks it with the length that is left, and so do
 * we: nothing is believed of a header that does not end within the data. Ours are one word longer than those of 32
 * bits, and padded to eight bytes instead of four; the data behind a header is the same in both, but for the old
 * forms of times.
 */
#include "decode.h"

#include <errno.h>
#include <string.h>

#include "../core/sys.h"

#define TRANSFER_MOST ((size_t)0x7ffff000) /* MAX_RW_COUNT: INT_MAX & PAGE_MASK */
#define MEMORY_END (UINT64_C(1) << 56)     /* no process has memory behind that (5-level page tables) */

/* ---- memory ---- */

/* True if all of `wanted` was transferred; else *error says why not. */
static bool whole(long done, size_t wanted, int *error)
{
	if (done >= 0 && (size_t)done == wanted)
		return true;
	*error = done < 0 ? (int)done : -EFAULT;
	return false;
}

int memory_read(int32_t tid, uint64_t from, void *to, size_t size)
{
	/* cppcheck-suppress ctuuninitvar ; it is what this fills in */
	struct iovec here = {to, size}, there = {(void *)(uintptr_t)from, size};
	int error = 0;

	if (size)
		whole(sys6(SYS_process_vm_readv, tid, &here, 1, &there, 1, 0), size, &error);
	return error;
}

int memory_write(int32_t tid, uint64_t to, const void *from, size_t size)
{
	struct iovec here = {(void *)(uintptr_t)from, size}, there = {(void *)(uintptr_t)to, size};
	int error = 0;

	if (size)
		whole(sys6(SYS_process_vm_writev, tid, &here, 1, &there, 1, 0), size, &error);
	return error;
}

/* As many bytes as the parts have, but not more than `size`. */
static size_t room_in(const struct iovec *parts, unsigned count, size_t size)
{
	size_t room = 0;

	for (unsigned i = 0; i < count && room < size; i++)
		room += parts[i].iov_len;
	return room < size ? room : size;
}

int memory_gather(int32_t tid, const struct iovec *parts, unsigned count, void *to, size_t size)
{
	struct iovec here = {to, room_in(parts, count, size)};
	int error = 0;

	if (here.iov_len)
		whole(sys6(SYS_process_vm_readv, tid, &here, 1, parts, count, 0), here.iov_len, &error);
	return error;
}

int memory_scatter(int32_t tid, const struct iovec *parts, unsigned count, const void *from, size_t size)
{
	struct iovec here = {(void *)(uintptr_t)from, room_in(parts, count, size)};
	int error = 0;

	if (here.iov_len)
		whole(sys6(SYS_process_vm_writev, tid, &here, 1, parts, count, 0), here.iov_len, &error);
	return error;
}

/* ---- calls ---- */

/* How many arguments each has, of those that socketcall takes them from (net/socket.c, nargs). */
static unsigned argument_count(enum ps_call_kind kind)
{
	switch (kind) {
	case PS_CALL_LISTEN:
		return 2;
	case PS_CALL_SENDTO:
	case PS_CALL_RECVFROM:
		return 6;
	case PS_CALL_SENDMMSG:
		return 4;
	case PS_CALL_RECVMMSG:
		return 5;
	default:
		return 3;
	}
}

int decode_call(const struct seccomp_data *data, int32_t tid, enum ps_call_kind *kind, bool *compat, uint64_t args[6])
{
	uint32_t narrow[6] = {0};
	unsigned count;
	int error;

	*kind = filter_kind(data, compat);
	/* A program of 64 bits can make a call of 32 (int 0x80), and what is above them is not the call's. */
	for (unsigned i = 0; i < 6; i++)
		args[i] = *compat ? (uint32_t)data->args[i] : data->args[i];
	if (*kind != PS_CALL_SOCKETCALL)
		return 0;
	*kind = filter_socketcall((uint32_t)data->args[0]);
	if (*kind == PS_CALL_NONE)
		return 0;
	count = argument_count(*kind);
	error = memory_read(tid, args[1], narrow, count * sizeof(narrow[0]));
	for (unsigned i = 0; !error && i < 6; i++)
		args[i] = i < count ? narrow[i] : 0;
	return error;
}

/* ---- messages ---- */

struct narrow_message {
	uint32_t name;
	int32_t name_length;
	uint32_t parts, part_count, control, control_length, flags;
};

struct narrow_part {
	uint32_t at, size;
};

_Static_assert(sizeof(struct narrow_message) == 28, "struct compat_msghdr");

int decode_message(int32_t tid, bool compat, uint64_t at, struct ps_message *message)
{
	struct narrow_message narrow;
	struct msghdr wide;
	int error;

	if (compat) {
		error = memory_read(tid, at, &narrow, sizeof(narrow));
		if (!error)
			*message = (struct ps_message){at, narrow.name, narrow.name_length, narrow.parts,
						       narrow.part_count, narrow.control, narrow.control_length};
	} else {
		error = memory_read(tid, at, &wide, sizeof(wide));
		if (!error)
			*message = (struct ps_message){at, (uintptr_t)wide.msg_name, (int32_t)wide.msg_namelen,
						       (uintptr_t)wide.msg_iov, wide.msg_iovlen,
						       (uintptr_t)wide.msg_control, wide.msg_controllen};
	}
	return error;
}

uint64_t decode_stride(bool compat)
{
	return compat ? sizeof(struct narrow_message) + sizeof(uint32_t) : sizeof(struct mmsghdr);
}

uint64_t decode_length_at(bool compat)
{
	return compat ? sizeof(struct narrow_message) : offsetof(struct mmsghdr, msg_len);
}

int decode_buffer(uint64_t at, uint64_t size, size_t most, struct iovec *part, size_t *total)
{
	*total = size < TRANSFER_MOST ? size : TRANSFER_MOST;
	if (at > MEMORY_END || *total > MEMORY_END - at)
		return -EFAULT;
	*part = (struct iovec){(void *)(uintptr_t)at, *total < most ? *total : most};
	return 0;
}

static int read_parts(int32_t tid, bool compat, const struct ps_message *message, struct iovec *parts)
{
	struct narrow_part narrow[DECODE_PARTS];
	int error;

	if (!compat)
		return memory_read(tid, message->parts, parts, message->part_count * sizeof(*parts));
	error = memory_read(tid, message->parts, narrow, message->part_count * sizeof(*narrow));
	for (unsigned i = 0; !error && i < message->part_count; i++)
		parts[i] = (struct iovec){(void *)(uintptr_t)narrow[i].at,
					  (size_t)(int64_t)(int32_t)narrow[i].size};
	return error;
}

int decode_parts(int32_t tid, bool compat, const struct ps_message *message, size_t most, struct iovec *parts,
		 unsigned *count, size_t *total)
{
	size_t all = 0;
	int error;

	*count = 0;
	*total = 0;
	if (message->part_count > DECODE_PARTS)
		return -EMSGSIZE;
	error = read_parts(tid, compat, message, parts);
	if (error)
		return error;
	for (unsigned i = 0; i < message->part_count; i++)
		if ((ssize_t)parts[i].iov_len < 0) /* NOLINT(clang-analyzer-core.Undefined*): read_parts has put it there */
			return -EINVAL;
	for (unsigned i = 0; i < message->part_count; i++) {
		size_t size = parts[i].iov_len;

		if ((uintptr_t)parts[i].iov_base > MEMORY_END || size > MEMORY_END - (uintptr_t)parts[i].iov_base)
			return -EFAULT;
		if (size > TRANSFER_MOST - all)
			size = TRANSFER_MOST - all;
		parts[i].iov_len = all >= most ? 0 : size < most - all ? size : most - all;
		if (parts[i].iov_len)
			*count = i + 1;
		all += size;
	}
	*total = all;
	return 0;
}

/* ---- control data ---- */

struct narrow_control {
	uint32_t length;
	int32_t level, type;
};

#define NARROW_HEAD sizeof(struct narrow_control)
#define NARROW_ALIGN(n) (((n) + 3) & ~(size_t)3)

_Static_assert(NARROW_HEAD == 12, "struct compat_cmsghdr");

ssize_t decode_control(const uint8_t *from, size_t size, uint8_t *to)
{
	size_t done = 0, filled = 0;

	while (done < size) {
		struct narrow_control narrow;
		struct cmsghdr wide;
		size_t data;

		if (size - done < NARROW_HEAD)
			return -EINVAL;
		memcpy(&narrow, from + done, sizeof(narrow));
		if (narrow.length < NARROW_HEAD || narrow.length > size - done)
			return -EINVAL;
		data = narrow.length - NARROW_HEAD;
		wide = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(data), .cmsg_level = narrow.level, .cmsg_type = narrow.type};
		memset(to + filled, 0, CMSG_SPACE(data));
		memcpy(to + filled, &wide, sizeof(wide));
		memcpy(to + filled + CMSG_LEN(0), from + done + NARROW_HEAD, data);
		filled += CMSG_SPACE(data);
		done += NARROW_ALIGN(narrow.length);
	}
	return (ssize_t)filled;
}

/* Times of two words become times of two half words: put_cmsg_compat in net/compat.c. The data's length. */
static size_t narrow_data(const struct cmsghdr *head, const uint8_t *data, size_t size, uint8_t *to)
{
	size_t words = 0;

	if (head->cmsg_level == SOL_SOCKET && (head->cmsg_type == SCM_TIMESTAMP || head->cmsg_type == SCM_TIMESTAMPNS))
		words = 2;
	else if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_TIMESTAMPING)
		words = 6;
	if (!words || size != words * sizeof(int64_t))
		return 0;
	for (size_t i = 0; i < words; i++) {
		int64_t wide;
		int32_t narrow;

		memcpy(&wide, data + i * sizeof(wide), sizeof(wide));
		narrow = (int32_t)wide;
		memcpy(to + i * sizeof(narrow), &narrow, sizeof(narrow));
	}
	return words * sizeof(int32_t);
}

size_t encode_control(const uint8_t *from, size_t size, uint8_t *to, size_t room, bool *cut)
{
	size_t done = 0, filled = 0;

	*cut = false;
	while (size - done >= sizeof(struct cmsghdr)) {
		struct narrow_control narrow;
		struct cmsghdr wide;
		uint8_t time[6 * sizeof(int32_t)];
		const uint8_t *data = from + done + CMSG_LEN(0);
		size_t length, changed, taken;

		memcpy(&wide, from + done, sizeof(wide));
		if (wide.cmsg_len < CMSG_LEN(0) || wide.cmsg_len > size - done)
			break;
		length = wide.cmsg_len - CMSG_LEN(0);
		changed = narrow_data(&wide, data, length, time);
		if (changed) {
			data = time;
			length = changed;
		}
		/* The kernel writes a header only where it has room for all of it, and then as much as there is of
		 * the data. */
		if (room - filled < NARROW_HEAD) {
			*cut = true;
			break;
		}
		if (length > room - filled - NARROW_HEAD) {
			*cut = true;
			length = room - filled - NARROW_HEAD;
		}
		narrow = (struct narrow_control){(uint32_t)(NARROW_HEAD + length), wide.cmsg_level, wide.cmsg_type};
		memcpy(to + filled, &narrow, sizeof(narrow));
		memcpy(to + filled + NARROW_HEAD, data, length);
		taken = NARROW_HEAD + length;
		length = NARROW_ALIGN(taken);
		if (length > room - filled)
			length = room - filled;
		memset(to + filled + taken, 0, length - taken);
		filled += length;
		length = CMSG_ALIGN(wide.cmsg_len);
		if (length > size - done)
			break;
		done += length;
	}
	return filled;
}

/* ---- time ---- */

struct narrow_time {
	int32_t seconds, nanoseconds;
};

int decode_time(int32_t tid, bool compat, bool narrow, uint64_t at, struct timespec *time)
{
	struct narrow_time half;
	int error;

	if (narrow) {
		error = memory_read(tid, at, &half, sizeof(half));
		if (!error)
			*time = (struct timespec){half.seconds, half.nanoseconds};
	} else {
		error = memory_read(tid, at, time, sizeof(*time));
		/* The upper half is padding there (kernel/time/time.c, get_timespec64). */
		if (!error && compat)
			time->tv_nsec = (long)((unsigned long)time->tv_nsec & 0xffffffff);
	}
	if (!error && (time->tv_sec < 0 || time->tv_nsec < 0 || time->tv_nsec >= 1000000000))
		error = -EINVAL;
	return error;
}

int encode_time(int32_t tid, bool narrow, uint64_t at, const struct timespec *time)
{
	struct narrow_time half = {(int32_t)time->tv_sec, (int32_t)time->tv_nsec};

	return narrow ? memory_write(tid, at, &half, sizeof(half)) : memory_write(tid, at, time, sizeof(*time));
}
