/* The structures of 64 and 32 bits that calls point to, read from this process's own memory. */
#include <errno.h>
#include <linux/audit.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "notify/decode.h"

#define PAGE 4096

static uint8_t *page; /* below 4 GiB, between two that cannot be touched */

static uint64_t put(size_t at, const void *data, size_t size)
{
	memcpy(page + at, data, size);
	return (uintptr_t)page + at;
}

static int set_up(void **state)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	uint8_t *pages;

	(void)state;
#ifdef MAP_32BIT
	flags |= MAP_32BIT;
#endif
	pages = mmap(NULL, 3 * PAGE, PROT_NONE, flags, -1, 0);
	page = pages + PAGE;
	return pages == MAP_FAILED || mprotect(page, PAGE, PROT_READ | PROT_WRITE);
}

static int clear(void **state)
{
	(void)state;
	memset(page, 0xa5, PAGE);
	return 0;
}

#ifdef __x86_64__
static void check_socketcall(unsigned number, enum ps_call_kind kind, unsigned count)
{
	uint32_t args[6] = {3, 0xfffffff0, 5, 6, 7, 8};
	struct seccomp_data data = {.nr = 102, .arch = AUDIT_ARCH_I386, .args = {number}};
	enum ps_call_kind found;
	uint64_t out[6];
	bool compat;

	/* No more is read than the call has. */
	data.args[1] = put(PAGE - 4 * count, args, 4 * count);
	assert_int_equal(decode_call(&data, getpid(), &found, &compat, out), 0);
	assert_int_equal(found, kind);
	assert_true(compat);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(out[i], i < count ? args[i] : 0);
	data.args[1] += 4;
	assert_int_equal(decode_call(&data, getpid(), &found, &compat, out), -EFAULT);
}
#endif

static void test_socketcall(void **state)
{
	(void)state;
#ifdef __x86_64__
	check_socketcall(2, PS_CALL_BIND, 3);
	check_socketcall(3, PS_CALL_CONNECT, 3);
	check_socketcall(4, PS_CALL_LISTEN, 2);
	check_socketcall(6, PS_CALL_GETSOCKNAME, 3);
	check_socketcall(11, PS_CALL_SENDTO, 6);
	check_socketcall(12, PS_CALL_RECVFROM, 6);
	check_socketcall(16, PS_CALL_SENDMSG, 3);
	check_socketcall(17, PS_CALL_RECVMSG, 3);
	check_socketcall(19, PS_CALL_RECVMMSG, 5);
	check_socketcall(20, PS_CALL_SENDMMSG, 4);
#else
	skip();
#endif
}

/* A program of 64 bits makes a call of 32, with something in the upper halves of its registers. */
static void test_upper_halves(void **state)
{
	struct seccomp_data data = {.nr = 361, .arch = AUDIT_ARCH_I386, .args = {0x100000003, ~UINT64_C(7), 0x7fffffff00000010}};
	enum ps_call_kind kind;
	uint64_t args[6];
	bool compat;

	(void)state;
#ifdef __x86_64__
	assert_int_equal(decode_call(&data, getpid(), &kind, &compat, args), 0);
	assert_true(kind == PS_CALL_BIND && compat);
	assert_true(args[0] == 3 && args[1] == 0xfffffff8 && args[2] == 16);
#else
	(void)data, (void)kind, (void)args, (void)compat;
	skip();
#endif
}

static void test_other_socketcalls(void **state)
{
	struct seccomp_data data = {.nr = 102, .arch = AUDIT_ARCH_I386, .args = {1, 8}}; /* socket() */
	enum ps_call_kind kind;
	uint64_t args[6];
	bool compat;

	(void)state;
#ifdef __x86_64__
	assert_int_equal(decode_call(&data, getpid(), &kind, &compat, args), 0);
	assert_int_equal(kind, PS_CALL_NONE);
#else
	(void)data, (void)kind, (void)args, (void)compat;
	skip();
#endif
}

static void test_message(void **state)
{
	struct msghdr wide = {.msg_name = (void *)8, .msg_namelen = 28, .msg_iov = (void *)16, .msg_iovlen = 3,
			      .msg_control = (void *)24, .msg_controllen = 40};
	uint32_t narrow[7] = {8, 28, 16, 3, 24, 40, 0};
	struct ps_message m;

	(void)state;
	for (int compat = 0; compat < 2; compat++) {
		size_t size = compat ? sizeof(narrow) : sizeof(wide);
		uint64_t at = put(PAGE - size, compat ? (void *)narrow : &wide, size);

		assert_int_equal(decode_message(getpid(), compat, at, &m), 0);
		assert_true(m.at == at && m.name == 8 && m.name_length == 28 && m.parts == 16 && m.part_count == 3 &&
			    m.control == 24 && m.control_length == 40);
		assert_int_equal(decode_message(getpid(), compat, at + 1, &m), -EFAULT);
	}
	assert_int_equal(decode_stride(false), 64);
	assert_int_equal(decode_stride(true), 32);
	assert_int_equal(decode_length_at(false), 56);
	assert_int_equal(decode_length_at(true), 28);
}

static void test_parts(void **state)
{
	struct iovec wide[] = {{page, 10}, {page + 100, 0}, {page + 200, 60}, {page + 300, 5}};
	struct ps_message m = {.parts = put(1024, wide, sizeof(wide)), .part_count = 4};
	struct iovec parts[DECODE_PARTS];
	char data[80];
	unsigned count;
	size_t total;

	(void)state;
	memset(page, 1, 10);
	memset(page + 200, 2, 60);
	memset(page + 300, 3, 5);
	assert_int_equal(decode_parts(getpid(), false, &m, 65536, parts, &count, &total), 0);
	assert_true(count == 4 && total == 75);
	assert_int_equal(memory_gather(getpid(), parts, count, data, total), 0);
	assert_true(data[9] == 1 && data[10] == 2 && data[69] == 2 && data[70] == 3 && data[74] == 3);
	/* What is behind the most is left alone. */
	assert_int_equal(decode_parts(getpid(), false, &m, 40, parts, &count, &total), 0);
	assert_true(count == 3 && total == 75 && parts[2].iov_len == 30);
	memset(data, 7, sizeof(data));
	assert_int_equal(memory_scatter(getpid(), parts, count, data, 20), 0);
	assert_true(page[9] == 7 && page[200] == 7 && page[209] == 7 && page[210] == 2);
	m.part_count = DECODE_PARTS + 1;
	assert_int_equal(decode_parts(getpid(), false, &m, 40, parts, &count, &total), -EMSGSIZE);
	m.part_count = 0;
	m.parts = 0;
	assert_int_equal(decode_parts(getpid(), false, &m, 40, parts, &count, &total), 0);
	assert_true(count == 0 && total == 0);
}

static void test_bad_parts(void **state)
{
	struct iovec wide[] = {{page, 10}, {page, (size_t)-1}};
	uint32_t narrow[] = {8, 10, 8, 0x80000000};
	struct ps_message m = {.part_count = 2};
	struct iovec parts[DECODE_PARTS];
	unsigned count;
	size_t total;

	(void)state;
	m.parts = put(0, wide, sizeof(wide));
	assert_int_equal(decode_parts(getpid(), false, &m, 100, parts, &count, &total), -EINVAL);
	wide[1].iov_len = 0x7fffffff;
	put(0, wide, sizeof(wide));
	assert_int_equal(decode_parts(getpid(), false, &m, 100, parts, &count, &total), 0);
	assert_int_equal(total, 0x7ffff000);
	wide[1].iov_base = (void *)(UINT64_MAX - 4096);
	put(0, wide, sizeof(wide));
	assert_int_equal(decode_parts(getpid(), false, &m, 100, parts, &count, &total), -EFAULT);
	/* The lengths of all come first (lib/iov_iter.c, copy_iovec_from_user). */
	wide[0] = wide[1];
	wide[1].iov_len = (size_t)-1;
	put(0, wide, sizeof(wide));
	assert_int_equal(decode_parts(getpid(), false, &m, 100, parts, &count, &total), -EINVAL);
	m.parts = put(0, narrow, sizeof(narrow));
	assert_int_equal(decode_parts(getpid(), true, &m, 100, parts, &count, &total), -EINVAL);
	m.parts = (uintptr_t)page + PAGE - 8;
	assert_int_equal(decode_parts(getpid(), true, &m, 100, parts, &count, &total), -EFAULT);
}

/* A chain in the layout of 32 bits as CMSG_* would make it there. */
static size_t narrow_control(uint8_t *to, int32_t level, int32_t type, const void *data, size_t size)
{
	uint32_t head[3] = {(uint32_t)(12 + size), (uint32_t)level, (uint32_t)type};

	memset(to, 0, 12 + ((size + 3) & ~(size_t)3));
	memcpy(to, head, 12);
	memcpy(to + 12, data, size);
	return 12 + ((size + 3) & ~(size_t)3);
}

static void test_control(void **state)
{
	struct in_pktinfo info = {.ipi_ifindex = 3};
	uint8_t narrow[256], back[256] = {0}; /* nobody writes the padding, like the kernel */
	uint64_t room[64];
	struct msghdr m = {.msg_control = room};
	struct cmsghdr *c;
	int tos = 8;
	size_t n;
	bool cut;

	(void)state;
	n = narrow_control(narrow, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	n += narrow_control(narrow + n, IPPROTO_IP, IP_TOS, &tos, 1);
	n += narrow_control(narrow + n, IPPROTO_IP, IP_TTL, &tos, sizeof(tos));
	m.msg_controllen = (size_t)decode_control(narrow, n, (uint8_t *)room);
	c = CMSG_FIRSTHDR(&m);
	assert_true(c->cmsg_type == IP_PKTINFO && c->cmsg_len == CMSG_LEN(12) && memcmp(CMSG_DATA(c), &info, 12) == 0);
	c = CMSG_NXTHDR(&m, c);
	assert_true(c->cmsg_type == IP_TOS && c->cmsg_len == CMSG_LEN(1) && *CMSG_DATA(c) == 8);
	c = CMSG_NXTHDR(&m, c);
	assert_true(c->cmsg_type == IP_TTL && c->cmsg_len == CMSG_LEN(4));
	assert_null(CMSG_NXTHDR(&m, c));
	/* and back */
	assert_int_equal(encode_control((uint8_t *)room, m.msg_controllen, back, sizeof(back), &cut), n);
	assert_true(!cut && memcmp(back, narrow, n) == 0);
	for (size_t less = 0; less < n; less++) {
		size_t got = encode_control((uint8_t *)room, m.msg_controllen, back, less, &cut);

		/* What is cut may be the padding alone. */
		assert_true(got <= less);
		if (less < 24 + 16 + 16)
			assert_true(cut);
	}
	/* What the kernel refuses: a header that is cut, is too short, or ends behind the data. */
	assert_int_equal(decode_control(narrow, n - 5, (uint8_t *)room), -EINVAL);
	assert_int_equal(decode_control(narrow, 8, (uint8_t *)room), -EINVAL);
	narrow[0] = 11;
	assert_int_equal(decode_control(narrow, n, (uint8_t *)room), -EINVAL);
	narrow[3] = 0xff;
	assert_int_equal(decode_control(narrow, n, (uint8_t *)room), -EINVAL);
}

static void test_control_times(void **state)
{
	int64_t time[2] = {5, 6};
	uint64_t room[16];
	struct msghdr m = {.msg_control = room, .msg_controllen = CMSG_SPACE(sizeof(time))};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	uint32_t narrow[8];
	bool cut;

	(void)state;
	memset(room, 0, sizeof(room));
	*c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(time)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_TIMESTAMP};
	memcpy(CMSG_DATA(c), time, sizeof(time));
	assert_int_equal(
		encode_control((uint8_t *)room, m.msg_controllen, (uint8_t *)narrow, sizeof(narrow), &cut), 20);
	assert_true(!cut && narrow[0] == 20 && narrow[3] == 5 && narrow[4] == 6);
}

static void test_time(void **state)
{
	struct timespec wide = {3, 999999999}, t;
	int32_t narrow[2] = {4, 5}, bad[2] = {-1, 0};

	(void)state;
	assert_int_equal(decode_time(getpid(), false, false, put(0, &wide, sizeof(wide)), &t), 0);
	assert_true(t.tv_sec == 3 && t.tv_nsec == 999999999);
	assert_int_equal(decode_time(getpid(), true, true, put(0, narrow, sizeof(narrow)), &t), 0);
	assert_true(t.tv_sec == 4 && t.tv_nsec == 5);
	assert_int_equal(decode_time(getpid(), true, true, put(0, bad, sizeof(bad)), &t), -EINVAL);
	wide.tv_nsec = 1000000000;
	assert_int_equal(decode_time(getpid(), false, false, put(0, &wide, sizeof(wide)), &t), -EINVAL);
	assert_int_equal(encode_time(getpid(), true, (uintptr_t)page, &wide), 0);
	memcpy(narrow, page, sizeof(narrow));
	assert_true(narrow[0] == 3 && narrow[1] == 1000000000 && page[8] == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_socketcall, clear),
		cmocka_unit_test_setup(test_upper_halves, clear),
		cmocka_unit_test_setup(test_other_socketcalls, clear),
		cmocka_unit_test_setup(test_message, clear),
		cmocka_unit_test_setup(test_parts, clear),
		cmocka_unit_test_setup(test_bad_parts, clear),
		cmocka_unit_test_setup(test_control, clear),
		cmocka_unit_test_setup(test_control_times, clear),
		cmocka_unit_test_setup(test_time, clear),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
