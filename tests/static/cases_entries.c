/*
 * cases_entries.c - the other ways into the kernel: int $0x80 from a 64-bit program, by the calls' own numbers and by
 * socketcall(2), and the x32 bit. The filter sees them (tests/platform/notify_filter.c), and they must do what the
 * ordinary ones do: or a program could pass portshim by.
 */
#include "matrix.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#if defined(__x86_64__) && !defined(__ILP32__)
#include <setjmp.h>

#define X32 0x40000000

enum {
	SOCKETCALL = 102,
	BIND = 361,
	CONNECT = 362,
	LISTEN = 363,
	GETSOCKNAME = 367,
	SENDTO = 369,
	SENDMSG = 370,
	GETPEERNAME = 368,
	RECVFROM = 371,
	RECVMSG = 372
};

/* What the calls point to must lie where 32 bits reach. */
static struct low {
	struct sockaddr_in a, name;
	struct sockaddr_in6 six;
	uint32_t length, words[6];
	struct {
		uint32_t base, size;
	} data;
	struct {
		uint32_t name, name_length, data, count, control, control_length, flags;
	} message;
	char text[16];
} * low;

static uint32_t at(const void *pointer)
{
	return (uint32_t)(uintptr_t)pointer;
}

static long enter(long number, long a, long b, long c, long d, long e, long f)
{
	long result;

	/* The sixth argument is ebp's; the compiler may keep something below the stack pointer. */
	__asm__ volatile("lea -128(%%rsp), %%rsp\n\tpush %%rbp\n\tmov %[f], %%rbp\n\tint $0x80\n\t"
			 "pop %%rbp\n\tlea 128(%%rsp), %%rsp"
			 : "=a"(result)
			 : "0"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e), [f] "r"(f)
			 : "memory", "r8", "r9", "r10", "r11", "cc");
	if ((int)result < 0 && (int)result > -4096) {
		errno = -(int)result;
		return -1;
	}
	return (int)result;
}

static long by_socketcall(long kind, uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e, uint32_t f)
{
	const uint32_t words[] = { a, b, c, d, e, f };

	memcpy(low->words, words, sizeof(words));
	return enter(SOCKETCALL, kind, (long)at(low->words), 0, 0, 0, 0);
}

static sigjmp_buf back;

static void no_entry(int number)
{
	siglongjmp(back, number);
}

static bool make_low(void)
{
	low = mmap(NULL, sizeof(*low), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	must(low != MAP_FAILED, "MAP_32BIT");
	signal(SIGSEGV, no_entry);
	if (sigsetjmp(back, 1) || enter(20, 0, 0, 0, 0, 0, 0) != getpid()) {
		say("no i386 calls here");
		return false;
	}
	return true;
}

static void name(const char *what, long value)
{
	R(what, value);
	if (value == 0)
		say("%s: %s, %u", what, address_name(&low->name, low->length), low->length);
}

#define FORGET (memset(&low->name, 0, sizeof(low->name)), low->length = sizeof(low->name))

static void by_number(void)
{
	int p, fd = stream4(), client = stream4();

	if (!make_low())
		return;
	low->a = in4("127.0.0.1", p = port());
	R("bind", enter(BIND, fd, at(&low->a), sizeof(low->a), 0, 0, 0));
	R("again", enter(BIND, fd, at(&low->a), sizeof(low->a), 0, 0, 0));
	R("bad pointer", enter(BIND, stream4(), 8, sizeof(low->a), 0, 0, 0));
	own_name("bound", fd);
	R("listen", enter(LISTEN, fd, 4, 0, 0, 0, 0));
	R("connect", enter(CONNECT, client, at(&low->a), sizeof(low->a), 0, 0, 0));
	FORGET;
	name("getsockname", enter(GETSOCKNAME, fd, at(&low->name), at(&low->length), 0, 0, 0));
	FORGET;
	name("getpeername", enter(GETPEERNAME, client, at(&low->name), at(&low->length), 0, 0, 0));
	peer_name("client", client);
	R("getpeername, bad", enter(GETPEERNAME, client, 8, at(&low->length), 0, 0, 0));
	R("refused",
	  (low->a = in4("127.0.0.1", closed()), enter(CONNECT, stream4(), at(&low->a), sizeof(low->a), 0, 0, 0)));
}

static void by_one_number(void)
{
	int p, fd = stream4(), client = stream4();

	if (!make_low())
		return;
	low->a = in4("127.0.0.1", p = port());
	R("bind", by_socketcall(2, (uint32_t)fd, at(&low->a), sizeof(low->a), 0, 0, 0));
	R("listen", by_socketcall(4, (uint32_t)fd, 4, 0, 0, 0, 0));
	R("connect", by_socketcall(3, (uint32_t)client, at(&low->a), sizeof(low->a), 0, 0, 0));
	FORGET;
	name("getsockname", by_socketcall(6, (uint32_t)fd, at(&low->name), at(&low->length), 0, 0, 0));
	FORGET;
	name("getpeername", by_socketcall(7, (uint32_t)client, at(&low->name), at(&low->length), 0, 0, 0));
	R("socket", by_socketcall(1, AF_INET, SOCK_STREAM, 0, 0, 0, 0) >= 0 ? 0 : -1);
	R("no such", by_socketcall(99, 0, 0, 0, 0, 0, 0));
	R("bad arguments", enter(SOCKETCALL, 2, 8, 0, 0, 0, 0));
	own_name("bound", fd);
}

static void datagrams(void)
{
	int p, fd = datagram4(), client = datagram4();

	if (!make_low())
		return;
	low->a = in4("127.0.0.1", p = port());
	R("bind", enter(BIND, fd, at(&low->a), sizeof(low->a), 0, 0, 0));
	R("sendto", enter(SENDTO, client, at("x"), 0, 0, at(&low->a), sizeof(low->a)));
	FORGET;
	R("recvfrom", enter(RECVFROM, fd, at(low->text), 4, 0, at(&low->name), at(&low->length)));
	strcpy(low->text, "abc");
	R("reply", enter(SENDTO, fd, at(low->text), 3, 0, at(&low->name), sizeof(low->name)));
	FORGET;
	name("from", enter(RECVFROM, client, at(low->text), 16, 0, at(&low->name), at(&low->length)) == 3 ? 0 : -1);
	low->data.base = at(low->text);
	low->data.size = 2;
	low->message.name = at(&low->a);
	low->message.name_length = sizeof(low->a);
	low->message.data = at(&low->data);
	low->message.count = 1;
	R("sendmsg", enter(SENDMSG, client, at(&low->message), 0, 0, 0, 0));
	low->message.name = at(&low->name);
	R("recvmsg", enter(RECVMSG, fd, at(&low->message), 0, 0, 0, 0));
	R("reply", by_socketcall(11, (uint32_t)fd, at(low->text), 2, 0, at(&low->name), sizeof(low->name)));
	memset(&low->name, 0, sizeof(low->name));
	R("recvmsg by socketcall", by_socketcall(17, (uint32_t)client, at(&low->message), 0, 0, 0, 0));
	say("%s, %u", address_name(&low->name, low->message.name_length), low->message.name_length);
}

/* Where the kernel has x32, natively these are ordinary calls. */
static void x32(void)
{
	struct sockaddr_in a = in4("127.0.0.1", port());
	int fd = stream4();
	long value = syscall(X32 | SYS_bind, fd, &a, sizeof(a));

	say("bind: %d", value == 0 || errno == ENOSYS);
	say("connect: %d", syscall(X32 | SYS_connect, fd, &a, sizeof(a)) == -1);
}

/* What a call left in the register of the sixth argument is still there when this one is made, which has three. */
static void leftover(void)
{
	struct sockaddr_in a = in4("127.0.0.1", port()), name;
	socklen_t length = sizeof(name);
	int fd = stream4();
	long value;

	getsockname(fd, (struct sockaddr *)&name, &length);
	__asm__ volatile("syscall" : "=a"(value) : "0"(SYS_bind), "D"(fd), "S"(&a), "d"(sizeof(a))
			 : "rcx", "r11", "memory");
	say("bind: %ld", value);
	own_name("name", fd);
}

const struct matrix_case matrix_entries[] = {
	{ "leftover", leftover },
	{ "i386", by_number }, { "i386-socketcall", by_one_number }, { "i386-datagrams", datagrams }, { "x32", x32 },
	{ NULL, NULL },
};
#else
const struct matrix_case matrix_entries[] = { { NULL, NULL } };
#endif
