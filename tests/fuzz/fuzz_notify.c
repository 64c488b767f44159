/*
 * fuzz_notify.c - calls and messages in a stranger's memory: any bytes in a page between two that cannot be read, with
 * pointers into all three, in the layouts of 64 and of 32 bits.
 *
 * What is decoded must be what the bytes say and nothing else, no more is read or written than there is, and control
 * data that goes from one layout into the other and back is the same again.
 */
#include <errno.h>
#include <linux/audit.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../src/notify/decode.h"
#include "fuzz.h"

#define PAGE 4096
#define MOST 600 /* of a message's data: small, so that it is met */
#define CONTROL 512

static uint8_t *page;
static struct fuzz input;
static int32_t self;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	uint8_t *pages;

	(void)argc;
	(void)argv;
#ifdef MAP_32BIT
	flags |= MAP_32BIT;
#endif
	pages = mmap(NULL, 3 * PAGE, PROT_NONE, flags, -1, 0);
	MUST(pages != MAP_FAILED);
	page = pages + PAGE;
	MUST(mprotect(page, PAGE, PROT_READ | PROT_WRITE) == 0);
	self = getpid();
	return 0;
}

/* Mostly inside the page, some across its ends, and few anywhere. */
static uint64_t take_pointer(void)
{
	uint64_t n = fuzz_take(&input, 2);

	if (n < 0xf000)
		return (uintptr_t)page + n % PAGE;
	if (n < 0xff00)
		return (uintptr_t)page - PAGE + n % (3 * PAGE);
	/* No memory of ours is there: else what is read would not depend on the input alone. */
	return n & 1 ? n & 0xff : UINT64_C(0xffff800000000000) | (n & 0xff);
}

/* How many bytes can be read from there. */
static uint64_t readable(uint64_t at)
{
	return at >= (uintptr_t)page && at < (uintptr_t)page + PAGE ? (uintptr_t)page + PAGE - at : 0;
}

static void check_call(void)
{
	struct seccomp_data data = {.nr = 102, .arch = AUDIT_ARCH_I386};
	enum ps_call_kind kind;
	uint64_t args[6];
	uint32_t word;
	bool compat;
	int error;

	data.args[0] = fuzz_take(&input, 1) % 24;
	data.args[1] = take_pointer();
	error = decode_call(&data, self, &kind, &compat, args);
	MUST(error == 0 || error == -EFAULT);
	if (error || kind == PS_CALL_NONE || kind == PS_CALL_SOCKETCALL)
		return;
	MUST(compat && readable(data.args[1]) >= 8);
	for (unsigned i = 0; i < 6; i++) {
		if (readable(data.args[1]) < 4 * (i + 1))
			word = 0;
		else
			memcpy(&word, (uint8_t *)(uintptr_t)data.args[1] + 4 * i, 4);
		MUST(args[i] == word || (args[i] == 0 && i >= 2));
	}
}

/* Puts a message of one layout into the page, with as many parts as the input wants. */
static uint64_t put_message(bool compat)
{
	unsigned count = (unsigned)fuzz_take(&input, 1) % 12;
	uint64_t at = take_pointer(), parts = take_pointer(), part, size;

	for (unsigned i = 0; i < count; i++) {
		uint64_t where = parts + i * (compat ? 8 : 16);

		part = take_pointer();
		size = fuzz_take(&input, 1) < 0xf8 ? fuzz_take(&input, 2) % 400 : fuzz_take(&input, compat ? 4 : 8);
		if (readable(where) < 16)
			continue;
		memcpy((uint8_t *)(uintptr_t)where, &part, compat ? 4 : 8);
		memcpy((uint8_t *)(uintptr_t)where + (compat ? 4 : 8), &size, compat ? 4 : 8);
	}
	if (fuzz_take(&input, 1) == 0xff)
		count = (unsigned)fuzz_take(&input, 4);
	if (readable(at) < 56)
		return at;
	if (compat) {
		uint32_t narrow[7] = {(uint32_t)take_pointer(), (uint32_t)fuzz_take(&input, 1), (uint32_t)parts, count,
				      (uint32_t)take_pointer(), (uint32_t)fuzz_take(&input, 2), 0};

		memcpy((uint8_t *)(uintptr_t)at, narrow, sizeof(narrow));
	} else {
		struct msghdr wide = {.msg_namelen = (socklen_t)fuzz_take(&input, 1), .msg_iovlen = count,
				      .msg_controllen = fuzz_take(&input, 2)};

		wide.msg_iov = (struct iovec *)(uintptr_t)parts;
		memcpy((uint8_t *)(uintptr_t)at, &wide, sizeof(wide));
	}
	return at;
}

static void check_data(const struct iovec *parts, unsigned count, size_t total)
{
	uint8_t data[MOST + 1], now[PAGE];
	size_t done = 0, size = total < MOST ? total : MOST, bytes = 0;
	int error;

	for (unsigned i = 0; i < count; i++) {
		bytes += parts[i].iov_len;
		/* Bytes that happen to be an address of the fuzzer's own. */
		if (parts[i].iov_len && (uintptr_t)parts[i].iov_base - (uintptr_t)(page - PAGE) >= 3 * PAGE)
			return;
	}
	MUST(bytes == size);
	data[size] = 0x5a;
	error = memory_gather(self, parts, count, data, size);
	MUST(data[size] == 0x5a && (error == 0 || error == -EFAULT));
	if (error)
		return;
	for (unsigned i = 0; i < count; i++) {
		MUST(readable((uintptr_t)parts[i].iov_base) >= parts[i].iov_len || parts[i].iov_len == 0);
		MUST(parts[i].iov_len == 0 || memcmp(data + done, parts[i].iov_base, parts[i].iov_len) == 0);
		done += parts[i].iov_len;
	}
	/* Writing back what was read changes nothing. */
	memcpy(now, page, PAGE);
	MUST(memory_scatter(self, parts, count, data, size) == 0 && memcmp(now, page, PAGE) == 0);
}

static void check_message(bool compat)
{
	uint64_t at = put_message(compat);
	struct iovec *parts = malloc(DECODE_PARTS * sizeof(*parts));
	struct ps_message m;
	unsigned count;
	size_t total;
	int error = decode_message(self, compat, at, &m);

	MUST(parts && (error == 0 || error == -EFAULT));
	MUST((error == 0) == (readable(at) >= decode_length_at(compat)));
	if (!error) {
		error = decode_parts(self, compat, &m, MOST, parts, &count, &total);
		MUST(error == 0 || error == -EFAULT || error == -EINVAL || error == -EMSGSIZE);
		MUST((error == -EMSGSIZE) == (m.part_count > DECODE_PARTS));
		if (!error) {
			MUST(count <= m.part_count && total <= 0x7ffff000);
			check_data(parts, count, total);
		}
	}
	free(parts);
}

/* ---- control data ---- */

static void check_sent_control(const uint8_t *narrow, size_t size)
{
	uint8_t *to = malloc(DECODE_CONTROL_ROOM(size)), *back = malloc(size + 4);
	struct msghdr m = {.msg_control = to};
	ssize_t length = decode_control(narrow, size, to);
	size_t at = 0;
	bool cut;

	MUST(to && back && (length == -EINVAL || (length >= 0 && (size_t)length <= DECODE_CONTROL_ROOM(size))));
	if (length > 0) {
		m.msg_controllen = (size_t)length;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
			uint32_t head[3];

			memcpy(head, narrow + at, sizeof(head));
			MUST(head[0] - 12 == c->cmsg_len - CMSG_LEN(0) && (int)head[1] == c->cmsg_level &&
			     (int)head[2] == c->cmsg_type);
			MUST(memcmp(narrow + at + 12, CMSG_DATA(c), head[0] - 12) == 0);
			at += (head[0] + 3) & ~3u;
			if (c->cmsg_level == SOL_SOCKET) /* times become shorter */
				goto out;
		}
		MUST(at >= size);
		at = encode_control(to, (size_t)length, back, size + 4, &cut);
		MUST(!cut && at == ((size + 3) & ~(size_t)3));
	}
out:
	free(to);
	free(back);
}

static void check_received_control(const uint8_t *wide, size_t size)
{
	size_t room = (size_t)fuzz_take(&input, 1), length;
	uint8_t *to = malloc(room ? room : 1);
	bool cut;

	MUST(to);
	length = encode_control(wide, size, to, room, &cut);
	MUST(length <= room);
	free(to);
}

static void check_control(void)
{
	size_t size = (size_t)fuzz_take(&input, 2) % CONTROL, at = 0;
	bool compat = fuzz_take(&input, 1) & 1;
	uint8_t *data = malloc(size ? size : 1);

	MUST(data);
	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(fuzz_take(&input, 1));
	/* Lengths that lead on, unless the input wants others. */
	while (at + 16 <= size && fuzz_take(&input, 1) < 0xf0) {
		uint64_t n = (compat ? 12 : 16) + fuzz_take(&input, 1) % 24;

		memcpy(data + at, &n, compat ? 4 : 8);
		at += compat ? (n + 3) & ~UINT64_C(3) : (n + 7) & ~UINT64_C(7);
	}
	if (compat)
		check_sent_control(data, size);
	else
		check_received_control(data, size);
	free(data);
}

static void check_time(void)
{
	bool narrow = fuzz_take(&input, 1) & 1, compat = narrow || fuzz_take(&input, 1) & 1;
	uint64_t at = take_pointer();
	struct timespec time;
	uint8_t before[16];
	int error = decode_time(self, compat, narrow, at, &time);

	MUST(error == 0 || error == -EFAULT || error == -EINVAL);
	MUST((error == -EFAULT) == (readable(at) < (narrow ? 8 : 16)));
	if (error)
		return;
	MUST(time.tv_sec >= 0 && time.tv_nsec >= 0 && time.tv_nsec < 1000000000);
	memcpy(before, (uint8_t *)(uintptr_t)at, narrow ? 8 : 16);
	MUST(encode_time(self, narrow, at, &time) == 0);
	MUST(memcmp(before, (uint8_t *)(uintptr_t)at, narrow ? 8 : 12) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	input = (struct fuzz){data, data + size};
	memset(page, 0, PAGE);
	for (int i = 0; i < 16 && input.at < input.end; i++) {
		switch (fuzz_take(&input, 1) % 5) {
		case 0:
			check_call();
			break;
		case 1:
			check_message(false);
			break;
		case 2:
			check_message(true);
			break;
		case 3:
			check_control();
			break;
		default:
			check_time();
			break;
		}
	}
	return 0;
}
