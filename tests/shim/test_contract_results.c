/*
 * The contract of an address that the kernel fills in: every call that gives one, with every room for it, every kind of
 * memory, and every kind of pointer to its length.
 *
 * Theory of operation. As in test_contract_addresses.c, the bare program says what is right: a line of the transcript
 * has the results and reported lengths of one call for all rooms. What a success left in the buffer is checked here:
 * the address that must be there, as far as it fits, with the port that the caller knows, and not a byte behind it.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>

#include "contract.h"

#define GUARD 0xa5
#define ROOM 192

/* One case: a call on a socket, and the address that it must tell. */
struct subject {
	const char *name;
	int fd;
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} want;
	socklen_t length;
	void (*prepare)(const struct subject *); /* makes that there is something to accept or receive */
	void (*drain)(const struct subject *);   /* nothing of it may be left */
	int server_port, client;		 /* of the clients that do it */
};

struct result {
	long value;
	unsigned flags; /* of the message */
};

typedef struct result result_call(int fd, void *address, socklen_t *length);

static char byte[8];

static struct result call_getsockname(int fd, void *a, socklen_t *length)
{
	return (struct result){ getsockname(fd, (struct sockaddr *)a, length), 0 };
}

static struct result call_getpeername(int fd, void *a, socklen_t *length)
{
	return (struct result){ getpeername(fd, (struct sockaddr *)a, length), 0 };
}

static struct result accepted(int fd)
{
	if (fd >= 0)
		close(fd);
	return (struct result){ fd < 0 ? -1 : 0, 0 };
}

static struct result call_accept(int fd, void *a, socklen_t *length)
{
	return accepted(accept(fd, (struct sockaddr *)a, length));
}

static struct result call_accept4(int fd, void *a, socklen_t *length)
{
	return accepted(accept4(fd, (struct sockaddr *)a, length, SOCK_NONBLOCK));
}

static struct result call_recvfrom(int fd, void *a, socklen_t *length)
{
	return (struct result){ recvfrom(fd, byte, sizeof(byte), MSG_DONTWAIT, (struct sockaddr *)a, length), 0 };
}

static struct result call_peek(int fd, void *a, socklen_t *length)
{
	return (struct result){ recvfrom(fd, byte, 1, MSG_DONTWAIT | MSG_PEEK | MSG_TRUNC, (struct sockaddr *)a, length),
				0 };
}

/* With messages the length is part of the header; only its value is tried. */
static struct result call_recvmsg(int fd, void *a, socklen_t *length)
{
	struct iovec data = { byte, 2 };
	struct msghdr m = { .msg_name = a, .msg_namelen = *length, .msg_iov = &data, .msg_iovlen = 1 };
	ssize_t result = recvmsg(fd, &m, MSG_DONTWAIT);

	*length = m.msg_namelen;
	assert_ptr_equal(m.msg_name, a);
	assert_ptr_equal(m.msg_iov, &data);
	return (struct result){ result, (unsigned)m.msg_flags };
}

static struct result call_recvmmsg(int fd, void *a, socklen_t *length)
{
	struct iovec data = { byte, sizeof(byte) };
	struct mmsghdr m = { .msg_hdr = { .msg_name = a, .msg_namelen = *length, .msg_iov = &data, .msg_iovlen = 1 },
			     .msg_len = 77 };
	int result = recvmmsg(fd, &m, 1, MSG_DONTWAIT, NULL);

	*length = m.msg_hdr.msg_namelen;
	assert_int_equal(m.msg_len, result == 1 ? 3 : 77);
	return (struct result){ result, (unsigned)m.msg_hdr.msg_flags };
}

/* ---- memory ---- */

enum memory { PLAIN, ODD1, ODD2, ODD3, EDGE, READ_ONLY, NULL_POINTER, UNMAPPED, MEMORIES };
static const char *const memories[] = { "plain", "odd by 1", "odd by 2",  "odd by 3",
					"edge",	 "read-only", "NULL", "unmapped" };

static char *page; /* followed by one that is not mapped */
static size_t page_size;

static unsigned char *room_at(enum memory memory, socklen_t room)
{
	static unsigned char plain[ROOM + 8] __attribute__((aligned(8)));
	static unsigned char fixed[4096] __attribute__((aligned(4096)));

	switch (memory) {
	case PLAIN:
	case ODD1:
	case ODD2:
	case ODD3:
		memset(plain, GUARD, sizeof(plain));
		return plain + memory;
	case EDGE:
		memset(page, GUARD, page_size);
		return (unsigned char *)page + page_size - room;
	case READ_ONLY:
		assert_int_equal(mprotect(fixed, sizeof(fixed), PROT_READ), 0);
		return fixed;
	case UNMAPPED:
		return (unsigned char *)page + page_size;
	default:
		return NULL;
	}
}

/* What a success left in the buffer. */
static void check_buffer(const struct subject *s, enum memory memory, const unsigned char *at, socklen_t room)
{
	const unsigned char *want = (const unsigned char *)&s->want;
	socklen_t filled = room < s->length ? room : s->length;
	size_t end = memory == EDGE ? room : ROOM;

	for (socklen_t i = 0; i < filled; i++) {
		/* three bytes hold half a port, which names none: see docs/limits.md */
		if (filled == 3 && i == 2 && contract_moved())
			continue;
		if (at[i] != want[i])
			fail_msg("%s, room %u: byte %u is %02x, not %02x", s->name, room, i, at[i], want[i]);
	}
	for (size_t i = filled; i < end; i++)
		assert_int_equal(at[i], GUARD);
}

/* ---- all rooms ---- */

static void try_rooms(const struct subject *s, const char *name, result_call *call, enum memory memory)
{
	static const socklen_t more[] = { 28, 29, 32, 64, 127, 128, 129, 190 };
	char text[2048];
	size_t used = 0;
	bool moves = s->prepare != NULL;

	for (int i = 0; i < 33; i++) {
		socklen_t room = i < 25 ? (socklen_t)i : more[i - 25], length = room;
		unsigned char *at = room_at(memory, room);
		struct result result;

		if (moves)
			s->prepare(s);
		errno = CONTRACT_ERRNO;
		result = call(s->fd, at, &length);
		if (result.value < 0) {
			/* the kernel reports the length before it fails to copy the address */
			used += (size_t)snprintf(text + used, sizeof(text) - used, " %s/%u", strerrorname_np(errno),
						 length);
		} else {
			assert_int_equal(errno, CONTRACT_ERRNO);
			used += (size_t)snprintf(text + used, sizeof(text) - used, " %ld/%x/%u", result.value,
						 result.flags, length);
			if (memory < READ_ONLY)
				check_buffer(s, memory, at, room);
		}
		if (moves)
			s->drain(s);
	}
	contract_note("%s %s %s:%s", name, s->name, memories[memory], text);
}

/* The length's own memory; a call that fails for it must have done nothing else. */
static void try_lengths(const struct subject *s, const char *name, result_call *call)
{
	static unsigned char bytes[64] __attribute__((aligned(8)));
	static const socklen_t huge[] = { 0x7fffffff, 0x80000000, 0xffffffff };
	unsigned char buffer[ROOM];

	for (unsigned odd = 0; odd < 8; odd++) {
		socklen_t length = ROOM;

		memset(bytes, GUARD, sizeof(bytes));
		memcpy(bytes + odd, &length, sizeof(length));
		memset(buffer, GUARD, sizeof(buffer));
		if (s->prepare)
			s->prepare(s);
		errno = CONTRACT_ERRNO;
		assert_true(call(s->fd, buffer, (socklen_t *)(void *)(bytes + odd)).value >= 0);
		assert_int_equal(errno, CONTRACT_ERRNO);
		memcpy(&length, bytes + odd, sizeof(length));
		assert_int_equal(length, s->length);
		assert_int_equal(bytes[odd + 4], GUARD);
		check_buffer(s, PLAIN, buffer, ROOM);
		if (s->drain)
			s->drain(s);
	}
	for (size_t part = 0; part <= 4; part++) {
		socklen_t length = ROOM;
		void *at = memcpy(page + page_size - part, &length, part);
		struct result result;

		if (s->prepare)
			s->prepare(s);
		errno = CONTRACT_ERRNO;
		result = call(s->fd, buffer, at);
		contract_note("%s %s length of %zu bytes: %s", name, s->name, part,
			      result.value < 0 ? strerrorname_np(errno) : "ok");
		if (s->drain)
			s->drain(s);
	}
	for (size_t i = 0; i < sizeof(huge) / sizeof(huge[0]); i++) {
		socklen_t length = huge[i];
		struct result result;

		if (s->prepare)
			s->prepare(s);
		errno = CONTRACT_ERRNO;
		result = call(s->fd, buffer, &length);
		contract_note("%s %s length %x: %s", name, s->name, huge[i],
			      result.value < 0 ? strerrorname_np(errno) : "ok");
		if (s->drain)
			s->drain(s);
	}
}

static void try_all(const struct subject *s, const char *name, result_call *call, bool pointer)
{
	if (!page) {
		page_size = (size_t)sysconf(_SC_PAGESIZE);
		page = mmap(NULL, 2 * page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_true(page != MAP_FAILED);
		assert_int_equal(mprotect(page + page_size, page_size, PROT_NONE), 0);
	}
	for (enum memory memory = 0; memory < MEMORIES; memory++)
		try_rooms(s, name, call, memory);
	if (pointer)
		try_lengths(s, name, call);
}

/* ---- names ---- */

static struct subject subject4(const char *name, int fd, int port)
{
	struct subject s = { .name = name, .fd = fd, .length = sizeof(s.want.in) };

	s.want.in = contract_in("127.0.0.1", port);
	return s;
}

static struct subject subject6(const char *name, int fd, const char *address, int port)
{
	struct subject s = { .name = name, .fd = fd, .length = sizeof(s.want.in6) };

	s.want.in6 = contract_in6(address, port);
	return s;
}

static void own_names(void **state)
{
	int port = contract_port(), fd = contract_socket(AF_INET, SOCK_STREAM);
	struct sockaddr_in a = contract_in("127.0.0.1", port);
	struct subject s;

	(void)state;
	OK(bind(fd, &a, sizeof(a)));
	s = subject4("bound", fd, port);
	try_all(&s, "getsockname", call_getsockname, true);
	OK(listen(fd, 4));
	s = subject4("listening", fd, contract_is_recorded(fd, port));
	try_all(&s, "getsockname", call_getsockname, true);
	close(fd);
	port = contract_port();
	fd = contract_udp("127.0.0.1", port);
	s = subject4("udp", fd, contract_is_recorded(fd, port));
	try_all(&s, "getsockname", call_getsockname, true);
	close(fd);
}

static void own_names6(void **state)
{
	int port = contract_port(), fd;
	struct sockaddr_in6 a = contract_in6("::1", port), mapped = contract_in6("::ffff:127.0.0.1", port);
	struct subject s;

	(void)state;
	if (!contract_ipv6())
		skip();
	fd = contract_socket(AF_INET6, SOCK_STREAM);
	OK(bind(fd, &a, sizeof(a)));
	s = subject6("bound to ::1", fd, "::1", port);
	try_all(&s, "getsockname", call_getsockname, true);
	close(fd);
	fd = contract_socket(AF_INET6, SOCK_STREAM);
	OK(bind(fd, &mapped, sizeof(mapped)));
	s = subject6("bound to a mapped address", fd, "::ffff:127.0.0.1", port);
	try_all(&s, "getsockname", call_getsockname, true);
	close(fd);
}

static void peer_names(void **state)
{
	int port = contract_port(), server = contract_listener("127.0.0.1", port), fd = contract_client("127.0.0.1", port);
	int udp = contract_udp("127.0.0.1", port), other = contract_socket(AF_INET, SOCK_DGRAM);
	struct sockaddr_in a = contract_in("127.0.0.1", port);
	struct subject s = subject4("tcp", fd, port);

	(void)state;
	try_all(&s, "getpeername", call_getpeername, true);
	OK(connect(other, &a, sizeof(a)));
	s = subject4("udp", other, port);
	try_all(&s, "getpeername", call_getpeername, true);
	close(fd);
	close(other);
	close(server);
	close(udp);
}

static void peer_names6(void **state)
{
	int port = contract_port(), server, fd;
	struct sockaddr_in6 a = contract_in6("::1", port), mapped = contract_in6("::ffff:127.0.0.1", port);
	struct subject s;

	(void)state;
	if (!contract_ipv6())
		skip();
	server = contract_listener6("::", port, 0);
	fd = contract_socket(AF_INET6, SOCK_STREAM);
	OK(connect(fd, &a, sizeof(a)));
	s = subject6("::1", fd, "::1", port);
	try_all(&s, "getpeername", call_getpeername, true);
	close(fd);
	fd = contract_socket(AF_INET6, SOCK_STREAM);
	OK(connect(fd, &mapped, sizeof(mapped)));
	s = subject6("mapped", fd, "::ffff:127.0.0.1", port);
	try_all(&s, "getpeername", call_getpeername, true);
	close(fd);
	close(server);
}

/* ---- accept: the peer is a client that bound a port of its own, moved like the server's ---- */

static int waiting;

static void client_comes(const struct subject *s)
{
	struct sockaddr_in from = contract_in("127.0.0.1", s->client), to = contract_in("127.0.0.1", s->server_port);
	struct linger reset = { .l_onoff = 1 };

	waiting = contract_socket(AF_INET, SOCK_STREAM);
	contract_option(waiting, SOL_SOCKET, SO_REUSEADDR, 1);
	/* no TIME_WAIT, so that the next client can have the same port */
	assert_int_equal(setsockopt(waiting, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	assert_int_equal(bind(waiting, &from, sizeof(from)), 0);
	assert_int_equal(connect(waiting, &to, sizeof(to)), 0);
	contract_wait(s->fd, POLLIN);
}

static void client_goes(const struct subject *s)
{
	int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);

	close(waiting);
	if (fd >= 0)
		close(fd);
}

static void accepts(void **state)
{
	int port = contract_port(), own = contract_port(), fd = contract_listener("127.0.0.1", port);
	struct subject s = subject4("tcp", fd, own);

	(void)state;
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	s.prepare = client_comes;
	s.drain = client_goes;
	s.server_port = port;
	s.client = own;
	try_all(&s, "accept", call_accept, true);
	try_all(&s, "accept4", call_accept4, true);
	close(fd);
}

static void accepts6(void **state)
{
	int port = contract_port(), own = contract_port(), fd;
	struct subject s;

	(void)state;
	if (!contract_ipv6())
		skip();
	fd = contract_listener6("::", port, 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	s = subject6("tcp, mapped", fd, "::ffff:127.0.0.1", own);
	s.prepare = client_comes;
	s.drain = client_goes;
	s.server_port = port;
	s.client = own;
	try_all(&s, "accept", call_accept, true);
	close(fd);
}

/* ---- datagrams: from a socket with a port of its own, moved like the receiver's ---- */

static void datagram_comes(const struct subject *s)
{
	struct sockaddr_in to = contract_in("127.0.0.1", s->server_port);

	assert_int_equal(sendto(s->client, "abc", 3, 0, &to, sizeof(to)), 3);
	contract_wait(s->fd, POLLIN);
}

static void datagram_goes(const struct subject *s)
{
	while (recv(s->fd, byte, sizeof(byte), MSG_DONTWAIT) >= 0 || errno != EAGAIN)
		;
}

static void receives_at(struct subject s, int port, int own)
{
	s.prepare = datagram_comes;
	s.drain = datagram_goes;
	s.server_port = port;
	s.client = contract_udp("127.0.0.1", own);
	try_all(&s, "recvfrom", call_recvfrom, true);
	try_all(&s, "recvfrom, MSG_PEEK and MSG_TRUNC", call_peek, true);
	try_all(&s, "recvmsg", call_recvmsg, false);
	try_all(&s, "recvmmsg", call_recvmmsg, false);
	close(s.client);
}

static void receives(void **state)
{
	int port = contract_port(), own = contract_port(), fd = contract_udp("127.0.0.1", port);

	(void)state;
	receives_at(subject4("udp", fd, own), port, own);
	close(fd);
}

static void receives6(void **state)
{
	int port = contract_port(), own = contract_port(), fd;

	(void)state;
	if (!contract_ipv6())
		skip();
	fd = contract_udp6("::", port, 0);
	receives_at(subject6("udp, mapped", fd, "::ffff:127.0.0.1", own), port, own);
	close(fd);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest results_contract[] = {
		cmocka_unit_test(own_names),  cmocka_unit_test(own_names6), cmocka_unit_test(peer_names),
		cmocka_unit_test(peer_names6), cmocka_unit_test(accepts),    cmocka_unit_test(accepts6),
		cmocka_unit_test(receives),   cmocka_unit_test(receives6),
	};

	(void)argc;
	return contract_main(results_contract);
}
