/* The filter as a program: interpreted over every architecture, number and argument that matters, and beside them. */
#include <errno.h>
#include <linux/audit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "notify/filter.h"
#include "notify/notify.h"

#define PASS UINT64_C(0x8badf00d0df0adba)
#define NUMBERS_TRIED 1024
#define UNKNOWN 0xdeadu /* what a decision that looked beyond architecture and number looked at first */

static struct sock_filter program[FILTER_MOST];
static unsigned length;

/* The part of classic BPF that seccomp allows and that filters of ours are made of. `blind`: the program may look at
 * number and architecture only, as the kernel's bitmap does at installation; UNKNOWN if it looks at more. */
static uint32_t run(const struct seccomp_data *data, bool blind)
{
	uint32_t a = 0;

	for (unsigned at = 0, steps = 0; at < length && steps < length; at++, steps++) {
		const struct sock_filter *i = &program[at];

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(i->k % 4 == 0 && i->k < sizeof(*data));
			if (blind && i->k >= offsetof(struct seccomp_data, instruction_pointer))
				return UNKNOWN;
			memcpy(&a, (const char *)data + i->k, sizeof(a));
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			at += a == i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			at += a & i->k ? i->jt : i->jf;
			break;
		case BPF_RET | BPF_K:
			return i->k;
		default:
			fail_msg("instruction %u has code %#x", at, i->code);
		}
	}
	fail_msg("no verdict");
	return 0;
}

static void build(uint64_t pass, unsigned flags)
{
	memset(program, 0xff, sizeof(program));
	length = filter_build(program, pass, flags);
	assert_in_range(length, 1, FILTER_MOST);
}

static uint32_t verdict(uint32_t arch, uint32_t nr, uint64_t a0, uint64_t a3, uint64_t a4, uint64_t a5)
{
	struct seccomp_data data = {.nr = (int)nr, .arch = arch, .args = {a0, 0, 0, a3, a4, a5}};

	return run(&data, false);
}

#ifdef __x86_64__
#define NATIVE AUDIT_ARCH_X86_64
#define COMPAT AUDIT_ARCH_I386
static const uint32_t sixth_compat[] = {361, 362, 363, 367, 368, 370, 372, 337, 345, 417};
#define COMPAT_SENDTO 369
#define COMPAT_RECVFROM 371
#else
#define NATIVE AUDIT_ARCH_AARCH64
#define COMPAT AUDIT_ARCH_ARM
static const uint32_t sixth_compat[] = {282, 283, 284, 286, 287, 296, 297, 365, 374, 417};
#define COMPAT_SENDTO 290
#define COMPAT_RECVFROM 292
#endif
static const uint32_t sixth_native[] = {SYS_bind, SYS_connect, SYS_listen, SYS_getsockname, SYS_getpeername,
					SYS_sendmsg, SYS_recvmsg, SYS_sendmmsg, SYS_recvmmsg};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool is_in(const uint32_t *set, unsigned count, uint32_t nr)
{
	for (unsigned i = 0; i < count; i++)
		if (set[i] == nr)
			return true;
	return false;
}

static void test_sixth_argument(void **state)
{
	(void)state;
	build(PASS, 0);
	for (unsigned i = 0; i < COUNT(sixth_native); i++) {
		uint32_t nr = sixth_native[i];

		assert_int_equal(verdict(NATIVE, nr, 3, 0, 0, PASS), SECCOMP_RET_ALLOW);
		assert_int_equal(verdict(NATIVE, nr, 3, PASS, PASS, 0), SECCOMP_RET_USER_NOTIF);
		for (unsigned bit = 0; bit < 64; bit++)
			assert_int_equal(verdict(NATIVE, nr, 3, 0, 0, PASS ^ UINT64_C(1) << bit),
					 SECCOMP_RET_USER_NOTIF);
	}
}

static void test_calls_with_an_address(void **state)
{
	static const uint32_t numbers[] = {SYS_sendto, SYS_recvfrom};
	const uint64_t flags = (PASS & ~UINT64_C(0xffffffff)) | 0x4040;

	(void)state;
	build(PASS, 0);
	for (unsigned i = 0; i < COUNT(numbers); i++) {
		assert_int_equal(verdict(NATIVE, numbers[i], 3, 0, 0, 16), SECCOMP_RET_ALLOW);
		assert_int_equal(verdict(NATIVE, numbers[i], 3, 0x4040, 0x1000, 16), SECCOMP_RET_USER_NOTIF);
		assert_int_equal(verdict(NATIVE, numbers[i], 3, 0x4040, UINT64_C(0x700000000000), 16),
				 SECCOMP_RET_USER_NOTIF);
		assert_int_equal(verdict(NATIVE, numbers[i], 3, flags, 0x1000, 16), SECCOMP_RET_ALLOW);
		assert_int_equal(verdict(NATIVE, numbers[i], 3, flags, UINT64_C(0x700000000000), 16),
				 SECCOMP_RET_ALLOW);
		for (unsigned bit = 32; bit < 64; bit++)
			assert_int_equal(verdict(NATIVE, numbers[i], 3, flags ^ UINT64_C(1) << bit, 0x1000, 16),
					 SECCOMP_RET_USER_NOTIF);
	}
}

static void test_without_a_pass(void **state)
{
	(void)state;
	build(0, 0);
	for (unsigned i = 0; i < COUNT(sixth_native); i++)
		assert_int_equal(verdict(NATIVE, sixth_native[i], 3, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(verdict(NATIVE, SYS_sendto, 3, 0, 0x1000, 16), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(verdict(NATIVE, SYS_sendto, 3, 0, 0, 0), SECCOMP_RET_ALLOW);
}

static void test_compat(void **state)
{
	(void)state;
	build(PASS, 0);
	for (unsigned i = 0; i < COUNT(sixth_compat); i++) {
		assert_int_equal(verdict(COMPAT, sixth_compat[i], 3, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
		assert_int_equal(verdict(COMPAT, sixth_compat[i], 3, 0, 0, PASS), SECCOMP_RET_USER_NOTIF);
	}
	assert_int_equal(verdict(COMPAT, COMPAT_SENDTO, 3, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(verdict(COMPAT, COMPAT_SENDTO, 3, 0, 0x1000, 16), SECCOMP_RET_USER_NOTIF);
	assert_int_equal(verdict(COMPAT, COMPAT_RECVFROM, 3, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(verdict(COMPAT, COMPAT_RECVFROM, 3, 0, 0x1000, 16), SECCOMP_RET_USER_NOTIF);
}

#ifdef __x86_64__
static void test_socketcall(void **state)
{
	static const uint32_t told[] = {2, 3, 4, 6, 7, 11, 12, 16, 17, 19, 20};

	(void)state;
	build(PASS, 0);
	for (uint32_t call = 0; call < 64; call++) {
		bool is_told = is_in(told, COUNT(told), call);

		assert_int_equal(verdict(COMPAT, 102, call, 0, 0, 0),
				 is_told ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW);
		assert_int_equal(filter_socketcall(call) != PS_CALL_NONE, is_told);
	}
	assert_int_equal(filter_socketcall(2), PS_CALL_BIND);
	assert_int_equal(filter_socketcall(3), PS_CALL_CONNECT);
	assert_int_equal(filter_socketcall(12), PS_CALL_RECVFROM);
	assert_int_equal(filter_socketcall(20), PS_CALL_SENDMMSG);
}

static void test_x32(void **state)
{
	static const uint32_t missing[] = {42, 44, 45, 46, 47, 49, 50, 51, 52, 299, 307, 425, 517, 518, 519, 537, 538};

	(void)state;
	build(PASS, 0);
	for (uint32_t nr = 0; nr < NUMBERS_TRIED; nr++)
		assert_int_equal(verdict(NATIVE, nr | PS_X32_BIT, 3, 0, 0x1000, PASS),
				 is_in(missing, COUNT(missing), nr) ? (SECCOMP_RET_ERRNO | ENOSYS) : SECCOMP_RET_ALLOW);
	assert_int_equal(verdict(NATIVE, UINT32_MAX, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
}
#endif

static void test_io_uring(void **state)
{
	(void)state;
	build(PASS, 0);
	assert_int_equal(verdict(NATIVE, 425, 0, 0, 0, 0), SECCOMP_RET_ERRNO | ENOSYS);
	assert_int_equal(verdict(NATIVE, 425, 0, PASS, PASS, PASS), SECCOMP_RET_ERRNO | ENOSYS);
	assert_int_equal(verdict(COMPAT, 425, 0, 0, 0, 0), SECCOMP_RET_ERRNO | ENOSYS);
	build(PASS, PS_FILTER_IO_URING);
	assert_int_equal(verdict(NATIVE, 425, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
	assert_int_equal(verdict(COMPAT, 425, 0, 0, 0, 0), SECCOMP_RET_ALLOW);
}

/* Everything else is allowed without a look at the arguments: only then the kernel does not run the filter for it. */
static void test_others_are_not_looked_at(void **state)
{
	static const uint32_t others[] = {AUDIT_ARCH_ARM, AUDIT_ARCH_RISCV64, AUDIT_ARCH_PPC64LE, 0, UINT32_MAX};
	unsigned looked_at[2] = {0};

	(void)state;
	build(PASS, 0);
	for (unsigned compat = 0; compat < 2; compat++) {
		for (uint32_t nr = 0; nr < NUMBERS_TRIED; nr++) {
			struct seccomp_data data = {.nr = (int)nr, .arch = compat ? COMPAT : NATIVE};
			uint32_t result = run(&data, true);
			bool is_compat;

			assert_true(filter_kind(&data, &is_compat) == PS_CALL_NONE || is_compat == compat);
			if (filter_kind(&data, &is_compat) != PS_CALL_NONE) {
				looked_at[compat]++;
				assert_true(result == UNKNOWN || (compat && result == SECCOMP_RET_USER_NOTIF));
			} else {
				assert_int_equal(result, nr == 425 ? (SECCOMP_RET_ERRNO | ENOSYS) : SECCOMP_RET_ALLOW);
			}
		}
	}
	assert_int_equal(looked_at[0], COUNT(sixth_native) + 2);
	assert_true(looked_at[1] >= COUNT(sixth_compat) + 2);
	for (unsigned i = 0; i < COUNT(others); i++)
		for (uint32_t nr = 0; nr < NUMBERS_TRIED && others[i] != COMPAT; nr++)
			assert_int_equal(verdict(others[i], nr, 0, 0, 0x1000, 0), SECCOMP_RET_ALLOW);
}

static void test_kinds(void **state)
{
	struct seccomp_data data = {.nr = SYS_bind, .arch = NATIVE};
	bool compat = true;

	(void)state;
	assert_int_equal(filter_kind(&data, &compat), PS_CALL_BIND);
	assert_false(compat);
	data.nr = SYS_recvmmsg;
	assert_int_equal(filter_kind(&data, &compat), PS_CALL_RECVMMSG);
	data = (struct seccomp_data){.nr = 417, .arch = COMPAT};
	assert_int_equal(filter_kind(&data, &compat), PS_CALL_RECVMMSG_TIME64);
	assert_true(compat);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sixth_argument),
		cmocka_unit_test(test_calls_with_an_address),
		cmocka_unit_test(test_without_a_pass),
		cmocka_unit_test(test_compat),
#ifdef __x86_64__
		cmocka_unit_test(test_socketcall),
		cmocka_unit_test(test_x32),
#endif
		cmocka_unit_test(test_io_uring),
		cmocka_unit_test(test_others_are_not_looked_at),
		cmocka_unit_test(test_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
