/*
 * filter.c - the seccomp filter: which system calls are told to the listener.
 *
 * Theory of operation
 *
 * The program is built from one table of calls: for each, its number on each architecture and what is to be looked at
 * in its arguments. Everything else is allowed, by a decision that depends on architecture and number alone. That is
 * more than tidiness: since Linux 5.11 the kernel finds out at installation which numbers a filter always allows
 * (kernel/seccomp.c, seccomp_cache_prepare) and does not even run it for them.
 *
 * A preloaded program's own calls carry the run's pass, 64 random bits, in what the call does not use (scope.h says
 * where): two comparisons at most, and they go on. The pass is no secret from the program and keeps nobody in: the
 * filter is there to help.
 *
 * The 32-bit entry points are open to every 64-bit program (int 0x80), so they are told as well. x32, the third one of
 * x86, which hardly any kernel has, looks as if it were missing, where it would be one of these calls. io_uring makes
 * the same calls without making them, so it looks as if the kernel had none, and programs use something else (unless
 * they are run with --allow-io-uring).
 *
 * Sources: seccomp(2), seccomp_unotify(2), the kernel's include/uapi/asm-generic/unistd.h, arch/x86/entry/syscalls/
 * and arch/arm/tools/syscall.tbl, include/uapi/linux/net.h for socketcall.
 */
#include "filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <stddef.h>
#include <sys/prctl.h>

#include "../core/sys.h"
#include "notify.h"

/* Since Linux 5.19 and 4.17 (seccomp(2)); headers may be older. */
#define FLAG_NEW_LISTENER (1u << 3)
#define FLAG_SPEC_ALLOW (1u << 2)
#define FLAG_WAIT_KILLABLE (1u << 5)

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#define COMPAT AUDIT_ARCH_I386
#define HAS_X32 1
#define NUMBERS(x86_64, i386, arm64, arm) x86_64, i386
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#define COMPAT AUDIT_ARCH_ARM
#define HAS_X32 0
#define NUMBERS(x86_64, i386, arm64, arm) arm64, arm
#else
#error "portshim knows the system call numbers of x86_64 and aarch64 only"
#endif

/* What decides about a call beside its number. */
enum look {
	LOOK_SIXTH,   /* the pass is its unused sixth argument */
	LOOK_ADDRESS, /* only with an address, its fifth argument; half of the pass is in the unused half of another */
	LOOK_CALL,    /* socketcall: which call it is */
	LOOK_NEVER,   /* does not exist here */
};

#define ABSENT 0xffffu /* not a system call of that architecture */

static const struct call {
	uint8_t kind;
	uint8_t look;
	uint16_t native, compat;
} calls[] = {
	/* The order is that in which they are compared: what programs do most often comes first. */
	{PS_CALL_SENDTO, LOOK_ADDRESS, NUMBERS(44, 369, 206, 290)},
	{PS_CALL_RECVFROM, LOOK_ADDRESS, NUMBERS(45, 371, 207, 292)},
	{PS_CALL_SENDMSG, LOOK_SIXTH, NUMBERS(46, 370, 211, 296)},
	{PS_CALL_RECVMSG, LOOK_SIXTH, NUMBERS(47, 372, 212, 297)},
	{PS_CALL_CONNECT, LOOK_SIXTH, NUMBERS(42, 362, 203, 283)},
	{PS_CALL_GETSOCKNAME, LOOK_SIXTH, NUMBERS(51, 367, 204, 286)},
	{PS_CALL_GETPEERNAME, LOOK_SIXTH, NUMBERS(52, 368, 205, 287)},
	{PS_CALL_BIND, LOOK_SIXTH, NUMBERS(49, 361, 200, 282)},
	{PS_CALL_LISTEN, LOOK_SIXTH, NUMBERS(50, 363, 201, 284)},
	{PS_CALL_SENDMMSG, LOOK_SIXTH, NUMBERS(307, 345, 269, 374)},
	{PS_CALL_RECVMMSG, LOOK_SIXTH, NUMBERS(299, 337, 243, 365)},
	{PS_CALL_RECVMMSG_TIME64, LOOK_SIXTH, NUMBERS(ABSENT, 417, ABSENT, 417)},
	{PS_CALL_SOCKETCALL, LOOK_CALL, NUMBERS(ABSENT, 102, ABSENT, ABSENT)},
	{PS_CALL_NONE, LOOK_NEVER, NUMBERS(425, 425, 425, 425)}, /* io_uring_setup */
};

#define CALLS (sizeof(calls) / sizeof(calls[0]))

#if HAS_X32
/* arch/x86/entry/syscalls/syscall_64.tbl: those that take pointers to pointers have numbers of their own. */
static const uint16_t x32_numbers[] = {42, 44, 49, 50, 51, 52, 307, 299, 45, 46, 47, 517, 518, 519, 537, 538, 425};
#endif

/* The calls behind socketcall (linux/net.h). */
static const struct {
	uint8_t number, kind;
} subcalls[] = {
	{2, PS_CALL_BIND}, {3, PS_CALL_CONNECT}, {4, PS_CALL_LISTEN}, {6, PS_CALL_GETSOCKNAME},
	{7, PS_CALL_GETPEERNAME}, {11, PS_CALL_SENDTO}, {12, PS_CALL_RECVFROM}, {16, PS_CALL_SENDMSG},
	{17, PS_CALL_RECVMSG}, {19, PS_CALL_RECVMMSG}, {20, PS_CALL_SENDMMSG},
};

#define SUBCALLS (sizeof(subcalls) / sizeof(subcalls[0]))

/* ---- building: blocks that end with a verdict, and jumps to them, which are known only when all blocks are ---- */

enum block {
	NEXT, ALLOW, NOTIFY, NOSYS,                          /* verdicts */
	SIXTH, ADDRESS, HALF,                                /* of native calls */
	COMPAT_CALLS, COMPAT_ADDRESS, SUBCALL, X32_CALLS,
	BLOCKS
};

struct builder {
	struct sock_filter *program;
	unsigned count;
	unsigned start[BLOCKS];
	uint8_t yes[FILTER_MOST], no[FILTER_MOST]; /* enum block; NEXT: the following instruction */
};

static void add(struct builder *b, uint16_t code, uint32_t k, enum block yes, enum block no)
{
	b->program[b->count] = (struct sock_filter){code, 0, 0, k};
	b->yes[b->count] = (uint8_t)yes;
	b->no[b->count] = (uint8_t)no;
	b->count++;
}

static void load(struct builder *b, size_t offset)
{
	add(b, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, NEXT, NEXT);
}

static void compare(struct builder *b, uint32_t value, enum block equal, enum block different)
{
	add(b, BPF_JMP | BPF_JEQ | BPF_K, value, equal, different);
}

static void begin(struct builder *b, enum block block)
{
	b->start[block] = b->count;
}

static void verdict(struct builder *b, enum block block, uint32_t action)
{
	begin(b, block);
	add(b, BPF_RET | BPF_K, action, NEXT, NEXT);
}

/* Both machines are little-endian: the lower half comes first. */
#define LOWER(n) (offsetof(struct seccomp_data, args) + 8 * (n))
#define UPPER(n) (LOWER(n) + 4)

static void look_for_pass(struct builder *b, uint64_t pass)
{
	if (!pass) { /* nobody's calls carry it */
		add(b, BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF, NEXT, NEXT);
		return;
	}
	load(b, LOWER(5));
	compare(b, (uint32_t)pass, NEXT, NOTIFY);
	load(b, UPPER(5));
	compare(b, (uint32_t)(pass >> 32), ALLOW, NOTIFY);
}

/* Of calls without a free argument, half of the pass is in the unused half of `flags`. */
static void look_for_half(struct builder *b, uint64_t pass)
{
	load(b, UPPER(3));
	compare(b, (uint32_t)(pass >> 32), pass ? ALLOW : NOTIFY, NOTIFY);
}

static void look_for_calls(struct builder *b, bool compat, unsigned flags)
{
	static const uint8_t blocks[2][4] = {{SIXTH, ADDRESS, ALLOW, NOSYS}, {NOTIFY, COMPAT_ADDRESS, SUBCALL, NOSYS}};

	for (unsigned i = 0; i < CALLS; i++) {
		uint16_t number = compat ? calls[i].compat : calls[i].native;

		if (number != ABSENT && !(calls[i].look == LOOK_NEVER && flags & PS_FILTER_IO_URING))
			compare(b, number, blocks[compat][calls[i].look], NEXT);
	}
	add(b, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, NEXT, NEXT);
}

static void build_native(struct builder *b, uint64_t pass, unsigned flags)
{
	load(b, offsetof(struct seccomp_data, arch));
	compare(b, NATIVE, NEXT, COMPAT_CALLS);
	load(b, offsetof(struct seccomp_data, nr));
	if (HAS_X32)
		add(b, BPF_JMP | BPF_JSET | BPF_K, PS_X32_BIT, X32_CALLS, NEXT);
	look_for_calls(b, false, flags);
	begin(b, ADDRESS);
	load(b, LOWER(4));
	compare(b, 0, NEXT, HALF);
	load(b, UPPER(4));
	compare(b, 0, ALLOW, HALF);
	begin(b, HALF);
	look_for_half(b, pass);
	begin(b, SIXTH);
	look_for_pass(b, pass);
}

/* Nothing of portshim is preloaded into these programs: all their calls are told. */
static void build_compat(struct builder *b, unsigned flags)
{
	begin(b, COMPAT_CALLS); /* the architecture is loaded */
	compare(b, COMPAT, NEXT, ALLOW);
	load(b, offsetof(struct seccomp_data, nr));
	look_for_calls(b, true, flags);
	begin(b, COMPAT_ADDRESS);
	load(b, LOWER(4));
	compare(b, 0, ALLOW, NOTIFY);
	begin(b, SUBCALL);
	load(b, LOWER(0));
	for (unsigned i = 0; i < SUBCALLS; i++)
		compare(b, subcalls[i].number, NOTIFY, NEXT);
	add(b, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, NEXT, NEXT);
}

/* A tracer that takes a system call back makes its number -1, which is no x32 call in spite of its bits. */
static void build_x32(struct builder *b)
{
#if HAS_X32
	begin(b, X32_CALLS); /* the number is loaded */
	for (unsigned i = 0; i < sizeof(x32_numbers) / sizeof(x32_numbers[0]); i++)
		compare(b, PS_X32_BIT | x32_numbers[i], NOSYS, NEXT);
	add(b, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, NEXT, NEXT);
#else
	(void)b;
#endif
}

static void resolve_jumps(struct builder *b)
{
	for (unsigned i = 0; i < b->count; i++) {
		if (b->yes[i] != NEXT)
			b->program[i].jt = (uint8_t)(b->start[b->yes[i]] - i - 1);
		if (b->no[i] != NEXT)
			b->program[i].jf = (uint8_t)(b->start[b->no[i]] - i - 1);
	}
}

unsigned filter_build(struct sock_filter program[FILTER_MOST], uint64_t pass, unsigned flags)
{
	struct builder b = {.program = program};

	build_native(&b, pass, flags);
	build_compat(&b, flags);
	build_x32(&b);
	verdict(&b, ALLOW, SECCOMP_RET_ALLOW);
	verdict(&b, NOTIFY, SECCOMP_RET_USER_NOTIF);
	verdict(&b, NOSYS, SECCOMP_RET_ERRNO | ENOSYS);
	resolve_jumps(&b);
	return b.count;
}

int notify_filter(uint64_t pass, unsigned flags)
{
	const unsigned wanted = FLAG_NEW_LISTENER | FLAG_SPEC_ALLOW | FLAG_WAIT_KILLABLE;
	struct sock_filter program[FILTER_MOST];
	struct sock_fprog description = {.len = (unsigned short)filter_build(program, pass, flags), .filter = program};
	long listener = sys3(SYS_seccomp, SECCOMP_SET_MODE_FILTER, wanted, &description);
	long error;

	if (listener != -EACCES) /* seccomp(2): neither CAP_SYS_ADMIN nor no_new_privs */
		return (int)listener;
	error = sys5(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return (int)(error < 0 ? error : sys3(SYS_seccomp, SECCOMP_SET_MODE_FILTER, wanted, &description));
}

enum ps_call_kind filter_kind(const struct seccomp_data *data, bool *compat)
{
	*compat = data->arch != NATIVE;
	for (unsigned i = 0; i < CALLS; i++)
		if ((uint32_t)data->nr == (*compat ? calls[i].compat : calls[i].native))
			return calls[i].kind;
	return PS_CALL_NONE;
}

enum ps_call_kind filter_socketcall(uint32_t call)
{
	for (unsigned i = 0; i < SUBCALLS; i++)
		if (call == subcalls[i].number)
			return subcalls[i].kind;
	return PS_CALL_NONE;
}
