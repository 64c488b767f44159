/*
 * The contract of an address that a program gives: every call that takes one, with every kind of socket, address,
 * memory and length.
 *
 * Theory of operation. What is right is what Linux says to the bare program: a line of the transcript has the results
 * of one call for all lengths, and must be the same in every way that the test is run. What the results do not tell,
 * the test asks: a bind that succeeded has the requested port for its name; a connection or datagram arrived at our own
 * server; the caller's bytes are what they were.
 */
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/mman.h>

#include "contract.h"

#define ROOM 256
#define MPTCP 262 /* IPPROTO_MPTCP */

static int server_port, bind_port, packet;
static int listener, datagrams; /* on [::] or, without IPv6, on 0.0.0.0 */

/* ---- kinds of sockets ---- */

static const struct socket_kind {
	const char *name;
	int family, type, protocol;
	bool inet; /* all memories and lengths are tried */
} kinds[] = {
	{ "tcp4", AF_INET, SOCK_STREAM, 0, true },
	{ "udp4", AF_INET, SOCK_DGRAM, 0, true },
	{ "tcp6", AF_INET6, SOCK_STREAM, 0, true },
	{ "udp6", AF_INET6, SOCK_DGRAM, 0, true },
	{ "tcp4 nonblocking", AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0, false },
	{ "mptcp4", AF_INET, SOCK_STREAM, MPTCP, false },
	{ "udplite4", AF_INET, SOCK_DGRAM, 136, false },
	{ "ping4", AF_INET, SOCK_DGRAM, 1, false },
	{ "raw4", AF_INET, SOCK_RAW, 253, false },
	{ "raw6", AF_INET6, SOCK_RAW, 253, false },
	{ "unix stream", AF_UNIX, SOCK_STREAM, 0, false },
	{ "unix datagram", AF_UNIX, SOCK_DGRAM, 0, false },
	{ "unix seqpacket", AF_UNIX, SOCK_SEQPACKET, 0, false },
	{ "netlink", AF_NETLINK, SOCK_RAW, 0, false },
	{ "packet", AF_PACKET, SOCK_DGRAM, 0, false },
	{ "vsock", 40 /* AF_VSOCK */, SOCK_STREAM, 0, false },
};

/* ---- kinds of addresses ---- */

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
	struct sockaddr_ll ll;
	struct sockaddr_nl nl;
	unsigned char bytes[ROOM];
};

static const char *const addresses[] = { "in", "in6", "mapped", "any", "any6", "unspec", "unix", "netlink", "packet",
					 "family 0xffff" };
#define INET_ADDRESSES 6 /* the first ones: all kinds of memory are tried */
#define ADDRESSES (sizeof(addresses) / sizeof(addresses[0]))

static union address address_of(const char *name, int port)
{
	union address a = { .any.sa_family = AF_UNSPEC };

	if (!strcmp(name, "in"))
		a.in = contract_in("127.0.0.1", port);
	else if (!strcmp(name, "in6"))
		a.in6 = contract_in6("::1", port);
	else if (!strcmp(name, "mapped"))
		a.in6 = contract_in6("::ffff:127.0.0.1", port);
	else if (!strcmp(name, "any"))
		a.in = contract_in("0.0.0.0", port);
	else if (!strcmp(name, "any6"))
		a.in6 = contract_in6("::", port);
	else if (!strcmp(name, "unspec"))
		a.in.sin_port = htons((uint16_t)port);
	else if (!strcmp(name, "unix"))
		snprintf(a.un.sun_path, sizeof(a.un.sun_path), "/nonexistent/portshim");
	else if (!strcmp(name, "packet"))
		a.ll.sll_ifindex = 1;
	if (!strcmp(name, "unix"))
		a.un.sun_family = AF_UNIX;
	if (!strcmp(name, "netlink"))
		a.nl.nl_family = AF_NETLINK;
	if (!strcmp(name, "packet"))
		a.ll.sll_family = AF_PACKET;
	if (!strcmp(name, "family 0xffff"))
		a.any.sa_family = 0xffff;
	return a;
}

/* ---- kinds of memory ---- */

enum memory { PLAIN, UNALIGNED, HEAP, READ_ONLY, EDGE, NULL_POINTER, UNMAPPED, MEMORIES };
static const char *const memories[] = { "plain", "unaligned", "heap", "read-only", "edge", "NULL", "unmapped" };

static char *page; /* followed by one that is not mapped */
static size_t page_size;

static const void *place(enum memory memory, const union address *a, size_t length)
{
	static unsigned char plain[ROOM + 8];
	static unsigned char *heap;
	size_t fit = length < ROOM ? length : ROOM;

	if (!page) {
		page_size = (size_t)sysconf(_SC_PAGESIZE);
		page = mmap(NULL, 2 * page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_true(page != MAP_FAILED);
		assert_int_equal(mprotect(page + page_size, page_size, PROT_NONE), 0);
		heap = malloc(ROOM);
		assert_non_null(heap);
	}
	switch (memory) {
	case PLAIN:
		return memcpy(plain, a, ROOM);
	case UNALIGNED:
		return memcpy(plain + 1 + length % 7, a, ROOM - 8);
	case HEAP:
		return memcpy(heap, a, ROOM);
	case READ_ONLY:
		assert_int_equal(mprotect(page, page_size, PROT_READ | PROT_WRITE), 0);
		memcpy(page, a, ROOM);
		assert_int_equal(mprotect(page, page_size, PROT_READ), 0);
		return page;
	case EDGE:
		assert_int_equal(mprotect(page, page_size, PROT_READ | PROT_WRITE), 0);
		return memcpy(page + page_size - fit, a, fit);
	case UNMAPPED:
		return page + page_size;
	default:
		return NULL;
	}
}

/* ---- the calls ---- */

static long call_bind(int fd, const struct sockaddr *a, socklen_t length)
{
	return bind(fd, a, length);
}

static long call_connect(int fd, const struct sockaddr *a, socklen_t length)
{
	return connect(fd, a, length);
}

static long call_sendto(int fd, const struct sockaddr *a, socklen_t length)
{
	return sendto(fd, "x", 1, MSG_NOSIGNAL, a, length);
}

static long call_sendmsg(int fd, const struct sockaddr *a, socklen_t length)
{
	struct iovec data = { (char[]){ "x" }, 1 };
	struct msghdr m = { .msg_name = (void *)a, .msg_namelen = length, .msg_iov = &data, .msg_iovlen = 1 };
	struct msghdr before = m;
	long result = sendmsg(fd, &m, MSG_NOSIGNAL);

	assert_memory_equal(&m, &before, sizeof(m));
	return result;
}

static long call_sendmmsg(int fd, const struct sockaddr *a, socklen_t length)
{
	struct iovec data = { (char[]){ "x" }, 1 };
	struct mmsghdr m = { .msg_hdr = { .msg_name = (void *)a, .msg_namelen = length, .msg_iov = &data, .msg_iovlen = 1 },
			     .msg_len = 77 };
	struct mmsghdr before = m;
	long result = sendmmsg(fd, &m, 1, MSG_NOSIGNAL);

	assert_int_equal(m.msg_len, result == 1 ? 1 : 77);
	m.msg_len = 77;
	assert_memory_equal(&m, &before, sizeof(m));
	return result;
}

static const struct address_call {
	const char *name;
	long (*make)(int, const struct sockaddr *, socklen_t);
} calls[] = {
	{ "bind", call_bind },	 { "connect", call_connect },	{ "sendto", call_sendto },
	{ "sendmsg", call_sendmsg }, { "sendmmsg", call_sendmmsg },
};

/* ---- what a success must have done ---- */

static int drain_listener(int fd)
{
	int count = 0, accepted;

	while ((accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		close(accepted);
		count++;
	}
	return count;
}

static int drain_datagrams(int fd)
{
	char byte;
	int count = 0;

	while (recv(fd, &byte, 1, MSG_DONTWAIT) == 1)
		count++;
	return count;
}

/* The number of connections and datagrams that have come to our servers since it was asked last. */
static int arrived(void)
{
	return drain_listener(listener) + drain_datagrams(datagrams);
}

static const char *effect(const struct address_call *call, const struct socket_kind *kind, int fd,
			  const union address *a)
{
	/* Raw, ping and UDP-Lite sockets have port spaces of their own, or none. */
	bool ours = (kind->family == AF_INET || kind->family == AF_INET6) && (kind->protocol == 0 || kind->protocol == MPTCP);
	int got;

	if (call->make == call_bind) {
		if (ours)
			assert_int_equal(contract_name(fd), bind_port);
		return "bound";
	}
	if (call->make == call_connect && kind->family == AF_INET && a->any.sa_family == AF_INET && !kind->protocol)
		assert_int_equal(contract_peer(fd), server_port);
	got = arrived();
	return got == 1 ? "arrived" : got ? "arrived more than once" : "ok";
}

/* ---- all of them ---- */

static const socklen_t all_lengths[] = { 0,  1,	 2,  3,	 4,  6,	 7,  8,	  12,  14,  15,	 16,  17,	  20,	     23,	 24,
					 25, 27, 28, 29, 32, 64, 109, 110, 111, 127, 128, 129, 255, 0x7fffffff, 0x80000000,
					 0xffffffff };
static const socklen_t few_lengths[] = { 0, 2, 15, 16, 20, 24, 28, 110, 128, 129, 0xffffffff };

struct row {
	char text[4096];
	size_t used;
	const char *last;
	int times;
};

/* "EINVAL*16 bound*4": what the lengths gave, one after the other. */
static void row_add(struct row *r, const char *result)
{
	if (r->last && !strcmp(r->last, result)) {
		r->times++;
		return;
	}
	if (r->last && r->used < sizeof(r->text))
		r->used += (size_t)snprintf(r->text + r->used, sizeof(r->text) - r->used, " %s*%d", r->last, r->times);
	r->last = result;
	r->times = 1;
}

static void try_lengths(const struct address_call *call, const struct socket_kind *kind, const char *address,
			enum memory memory)
{
	union address a = address_of(address, call->make == call_bind ? bind_port : server_port);
	const socklen_t *lengths = kind->inet ? all_lengths : few_lengths;
	size_t count = kind->inet ? sizeof(all_lengths) / sizeof(all_lengths[0])
				  : sizeof(few_lengths) / sizeof(few_lengths[0]);
	struct row row = { .used = 0 };

	for (size_t i = 0; i < count; i++) {
		/* to close a packet socket takes the kernel 20 ms */
		int fd = kind->family == AF_PACKET ? dup(packet)
						   : socket(kind->family, kind->type | SOCK_CLOEXEC, kind->protocol);
		const void *at = place(memory, &a, lengths[i]);
		socklen_t size = lengths[i] < ROOM - 8 ? lengths[i] : ROOM - 8;
		long result;

		assert_true(fd >= 0);
		errno = CONTRACT_ERRNO;
		result = call->make(fd, at, lengths[i]);
		if (result < 0) {
			row_add(&row, strerrorname_np(errno));
		} else {
			assert_int_equal(errno, CONTRACT_ERRNO);
			row_add(&row, effect(call, kind, fd, &a));
		}
		if (memory < NULL_POINTER)
			assert_memory_equal(at, &a, size);
		close(fd);
	}
	row_add(&row, "");
	contract_note("%s %s %s %s:%s", call->name, kind->name, address, memories[memory], row.text);
}

static void try_kind(const struct socket_kind *kind)
{
	int fd = socket(kind->family, kind->type | SOCK_CLOEXEC, kind->protocol);

	contract_note("%s: %s", kind->name, fd < 0 ? strerrorname_np(errno) : "there");
	if (fd < 0)
		return;
	bind_port = contract_port();
	if (kind->family == AF_PACKET)
		packet = fd;
	else
		close(fd);
	for (size_t c = 0; c < sizeof(calls) / sizeof(calls[0]); c++)
		for (size_t a = 0; a < ADDRESSES; a++)
			for (enum memory m = 0; m < MEMORIES; m++)
				if ((kind->inet && a < INET_ADDRESSES) || m == PLAIN || m == UNMAPPED)
					try_lengths(&calls[c], kind, addresses[a], m);
	if (kind->family == AF_PACKET)
		close(packet);
}

static int open_all(void **state)
{
	bool six = contract_ipv6();

	(void)state;
	server_port = contract_port();
	listener = six ? contract_listener6("::", server_port, 0) : contract_listener("0.0.0.0", server_port);
	datagrams = six ? contract_udp6("::", server_port, 0) : contract_udp("0.0.0.0", server_port);
	assert_int_equal(fcntl(listener, F_SETFL, O_NONBLOCK), 0);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	close(listener);
	close(datagrams);
	return 0;
}

static void tcp4(void **state)
{
	(void)state;
	try_kind(&kinds[0]);
}

static void udp4(void **state)
{
	(void)state;
	try_kind(&kinds[1]);
}

static void tcp6(void **state)
{
	(void)state;
	try_kind(&kinds[2]);
}

static void udp6(void **state)
{
	(void)state;
	try_kind(&kinds[3]);
}

static void other_sockets(void **state)
{
	(void)state;
	for (size_t i = 4; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		try_kind(&kinds[i]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest addresses_contract[] = {
		cmocka_unit_test(tcp4), cmocka_unit_test(udp4),		 cmocka_unit_test(tcp6),
		cmocka_unit_test(udp6), cmocka_unit_test(other_sockets),
	};

	(void)argc;
	contract_start(argv[0]);
	return cmocka_run_group_tests_name("addresses", addresses_contract, open_all, close_all);
}
