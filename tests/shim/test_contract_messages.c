/*
 * The contract of messages: flags, ancillary data, and vectors of messages that are sent or received in part; and
 * sockets of other protocols that share the calls.
 */
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/vm_sockets.h>
#include <net/ethernet.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/mman.h>
#include <time.h>

#include "contract.h"

#define MANY 1100 /* more than sendmmsg takes in one call (UIO_MAXIOV, 1024); recvmmsg takes any number */

static struct iovec parts[MANY];
static struct mmsghdr messages[MANY];
static struct sockaddr_in names[MANY + 1];
static char bytes[MANY][4];
static const struct mmsghdr constant = {
	.msg_hdr = { .msg_name = &names[0], .msg_namelen = sizeof(names[0]), .msg_iov = &parts[0], .msg_iovlen = 1 },
};

/* A vector of `count` messages: of `size` bytes each, to (or from) a name of its own. */
static void vector(int count, size_t size, const struct sockaddr_in *name)
{
	memset(messages, 0, sizeof(messages));
	for (int i = 0; i < count; i++) {
		names[i] = *name;
		parts[i] = (struct iovec){ bytes[i], size };
		messages[i].msg_hdr = (struct msghdr){ .msg_name = &names[i], .msg_namelen = sizeof(names[i]),
						       .msg_iov = &parts[i], .msg_iovlen = 1 };
	}
}

struct pair {
	int server, client, port, own;
	struct sockaddr_in to;
};

static struct pair pair_open(void)
{
	struct pair p = { .port = contract_port(), .own = contract_port() };

	p.server = contract_udp("127.0.0.1", p.port);
	p.client = contract_udp("127.0.0.1", p.own);
	p.to = contract_in("127.0.0.1", p.port);
	return p;
}

static void pair_close(const struct pair *p)
{
	close(p->server);
	close(p->client);
}

static void put(const struct pair *p, const char *text)
{
	assert_int_equal(sendto(p->client, text, strlen(text), 0, &p->to, sizeof(p->to)), (int)strlen(text));
	contract_wait(p->server, POLLIN);
}

/* The next datagram has one byte: this one. */
static char arrived(int fd)
{
	char text[8];

	contract_wait(fd, POLLIN);
	assert_int_equal(recv(fd, text, sizeof(text), MSG_DONTWAIT), 1);
	return text[0];
}

static void from_client(const struct pair *p, const struct sockaddr_in *a, socklen_t length)
{
	struct sockaddr_in want = contract_in("127.0.0.1", p->own);

	assert_int_equal(length, sizeof(want));
	assert_memory_equal(a, &want, sizeof(want));
}

static void peek_and_truncate(void **state)
{
	struct pair p = pair_open();
	static const int flags[] = { MSG_PEEK, MSG_TRUNC | MSG_PEEK, MSG_TRUNC | MSG_PEEK | MSG_DONTWAIT, MSG_TRUNC };
	const struct sockaddr_in none = { 0 };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		put(&p, "longer than two");
		vector(2, 2, &none);
		assert_int_equal(OK(recvmsg(p.server, &messages[0].msg_hdr, flags[i])), flags[i] & MSG_TRUNC ? 15 : 2);
		assert_int_equal(messages[0].msg_hdr.msg_flags, MSG_TRUNC);
		from_client(&p, &names[0], messages[0].msg_hdr.msg_namelen);
		if (!(flags[i] & MSG_PEEK))
			break;
		vector(2, 2, &none);
		assert_int_equal(OK(recvmmsg(p.server, messages, 1, flags[i], NULL)), 1);
		assert_int_equal(messages[0].msg_len, flags[i] & MSG_TRUNC ? 15 : 2);
		assert_int_equal(messages[0].msg_hdr.msg_flags, MSG_TRUNC);
		from_client(&p, &names[0], messages[0].msg_hdr.msg_namelen);
		/* the same datagram, twice: a peek does not go on */
		vector(2, 4, &none);
		assert_int_equal(OK(recvmmsg(p.server, messages, 2, MSG_PEEK, NULL)), 2);
		from_client(&p, &names[0], messages[0].msg_hdr.msg_namelen);
		from_client(&p, &names[1], messages[1].msg_hdr.msg_namelen);
		assert_int_equal(OK(recv(p.server, bytes, 1, 0)), 1);
	}
	pair_close(&p);
}

/* The kernel's types of ancillary data, and which message of the vector they came with. */
static void note_control(const char *what, struct msghdr *m)
{
	char text[256] = "";
	size_t used = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		used += (size_t)snprintf(text + used, sizeof(text) - used, " %d/%d/%zu", c->cmsg_level, c->cmsg_type,
					 (size_t)c->cmsg_len);
	contract_note("%s: flags %x, control %zu%s", what, (unsigned)m->msg_flags, (size_t)m->msg_controllen, text);
}

static void ancillary_received(void **state)
{
	struct pair p = pair_open();
	const struct sockaddr_in none = { 0 };
	static char control[3][256];
	static const int options[][2] = { { IPPROTO_IP, IP_PKTINFO }, { IPPROTO_IP, IP_RECVTTL },
					  { IPPROTO_IP, IP_RECVTOS }, { SOL_SOCKET, SO_TIMESTAMPNS },
					  { IPPROTO_IP, IP_RECVORIGDSTADDR } };
	struct sockaddr_in destination;

	(void)state;
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		contract_option(p.server, options[i][0], options[i][1], 1);
	for (int i = 0; i < 3; i++)
		put(&p, "abc");
	vector(3, 3, &none);
	for (int i = 0; i < 3; i++) {
		messages[i].msg_hdr.msg_control = control[i];
		messages[i].msg_hdr.msg_controllen = i == 1 ? 20 : sizeof(control[i]);
	}
	assert_int_equal(OK(recvmmsg(p.server, messages, 3, 0, NULL)), 3);
	for (int i = 0; i < 3; i++) {
		note_control("received", &messages[i].msg_hdr);
		from_client(&p, &names[i], messages[i].msg_hdr.msg_namelen);
	}
	/* Ancillary data is passed as it is: the original destination has the actual port (docs/limits.md). */
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&messages[0].msg_hdr); c; c = CMSG_NXTHDR(&messages[0].msg_hdr, c))
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_ORIGDSTADDR) {
			memcpy(&destination, CMSG_DATA(c), sizeof(destination));
			assert_int_equal(ntohs(destination.sin_port), contract_kernel_port(p.server));
		}
	pair_close(&p);
}

union control {
	char room[CMSG_SPACE(sizeof(struct in_pktinfo))];
	struct cmsghdr header;
};

static void control_set(union control *c, struct msghdr *m, int level, int type, const void *value, size_t size)
{
	memset(c, 0, sizeof(*c));
	c->header.cmsg_level = level;
	c->header.cmsg_type = type;
	c->header.cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(&c->header), value, size);
	m->msg_control = c;
	m->msg_controllen = CMSG_SPACE(size);
}

static void ancillary_sent(void **state)
{
	struct pair p = pair_open();
	struct in_pktinfo info = { .ipi_spec_dst.s_addr = htonl(INADDR_LOOPBACK + 4) };
	int any = contract_socket(AF_INET, SOCK_DGRAM), ttl = 9;
	union control c[2];
	uint16_t segment = 1;
	struct sockaddr_in seen, from = contract_in("0.0.0.0", contract_port());
	socklen_t length = sizeof(seen);

	(void)state;
	OK(bind(any, &from, sizeof(from)));
	vector(2, 3, &p.to);
	control_set(&c[0], &messages[0].msg_hdr, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	assert_int_equal(OK(sendmsg(any, &messages[0].msg_hdr, 0)), 3);
	assert_int_equal(OK(recvfrom(p.server, bytes, 4, 0, &seen, &length)), 3);
	assert_int_equal(seen.sin_addr.s_addr, info.ipi_spec_dst.s_addr);
	assert_int_equal(seen.sin_port, from.sin_port);
	control_set(&c[1], &messages[1].msg_hdr, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
	assert_int_equal(OK(sendmmsg(any, messages, 2, 0)), 2);
	assert_int_equal(OK(recv(p.server, bytes, 4, 0)), 3);
	assert_int_equal(OK(recv(p.server, bytes, 4, 0)), 3);
	/* something wrong in the second: the first is sent, and only that is reported */
	c[1].header.cmsg_len = 3;
	assert_int_equal(OK(sendmmsg(any, messages, 2, 0)), 1);
	FAILS(EINVAL, sendmsg(any, &messages[1].msg_hdr, 0));
	control_set(&c[1], &messages[1].msg_hdr, IPPROTO_IP, 9999, &ttl, sizeof(ttl));
	FAILS(EINVAL, sendmmsg(any, messages + 1, 1, 0));
	assert_int_equal(OK(recv(p.server, bytes, 4, 0)), 3);
	/* one call, three datagrams */
	control_set(&c[0], &messages[0].msg_hdr, SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment));
	assert_int_equal(OK(sendmsg(any, &messages[0].msg_hdr, 0)), 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(OK(recv(p.server, bytes, 4, 0)), 1);
	close(any);
	pair_close(&p);
}

/* One datagram from several calls. */
static void corked(void **state)
{
	struct pair p = pair_open();
	struct sockaddr_in seen;
	socklen_t length = sizeof(seen);
	char text[16];

	(void)state;
	assert_int_equal(OK(sendto(p.client, "one ", 4, MSG_MORE, &p.to, sizeof(p.to))), 4);
	assert_int_equal(OK(sendto(p.client, "two", 3, 0, &p.to, sizeof(p.to))), 3);
	contract_wait(p.server, POLLIN);
	assert_int_equal(OK(recvfrom(p.server, text, sizeof(text), 0, &seen, &length)), 7);
	from_client(&p, &seen, length);
	assert_memory_equal(text, "one two", 7);
	pair_close(&p);
}

/* A vector that cannot be written from some message on: that one is sent, but its length cannot be told, so it does not
 * count. The same with a constant of the program's. */
static void unwritable(const struct pair *p, int fd)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE), start = page - 3 * sizeof(messages[0]);
	char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), text[8];
	struct mmsghdr *there = (struct mmsghdr *)(void *)(pages + start);

	assert_true(pages != MAP_FAILED);
	vector(6, 1, &p->to);
	memcpy(there, messages, 6 * sizeof(messages[0]));
	assert_int_equal(mprotect(pages + page, page, PROT_READ), 0);
	for (int from = 0; from < 6; from++) {
		int count = from < 3 ? 3 - from : 0;

		if (count)
			assert_int_equal(OK(sendmmsg(fd, there + from, (unsigned)(6 - from), 0)), count);
		else
			FAILS(EFAULT, sendmmsg(fd, there + from, (unsigned)(6 - from), 0));
		for (int i = 0; i < count + 1; i++)
			arrived(p->server);
		FAILS(EAGAIN, recv(p->server, text, sizeof(text), MSG_DONTWAIT));
	}
	FAILS(EFAULT, sendmmsg(fd, (struct mmsghdr *)(uintptr_t)&constant, 1, 0));
	arrived(p->server);
	munmap(pages, 2 * page);
}

/* Vectors to two servers and, in between, to a port that has no meaning here: in order, and as many as the kernel
 * takes. */
static void many_sent(void **state)
{
	struct pair p = pair_open();
	int other = contract_port(), two = contract_udp("127.0.0.1", other), fd = contract_socket(AF_INET, SOCK_DGRAM), i;
	int closed = contract_closed();
	char text[8];

	(void)state;
	vector(60, 1, &p.to);
	for (i = 0; i < 60; i++) {
		names[i].sin_port = htons((uint16_t)(i % 3 == 0 ? p.port : i % 3 == 1 ? other : closed));
		bytes[i][0] = (char)i;
	}
	assert_int_equal(OK(sendmmsg(fd, messages, 60, 0)), 60);
	for (i = 0; i < 60; i++) {
		assert_int_equal(messages[i].msg_len, 1);
		assert_ptr_equal(messages[i].msg_hdr.msg_name, &names[i]);
		if (i % 3 == 2)
			continue;
		assert_int_equal(arrived(i % 3 ? two : p.server), i);
	}
	FAILS(EAGAIN, recv(two, text, sizeof(text), MSG_DONTWAIT));
	/* an impossible one in the middle, at different places */
	for (int bad = 0; bad < 4; bad++) {
		vector(4, 1, &p.to);
		parts[bad].iov_len = 70000;
		for (i = 0; i < 4; i++)
			messages[i].msg_len = 77;
		if (!bad)
			FAILS(EMSGSIZE, sendmmsg(fd, messages, 4, 0));
		else
			assert_int_equal(OK(sendmmsg(fd, messages, 4, 0)), bad);
		for (i = 0; i < 4; i++)
			assert_int_equal(messages[i].msg_len, i < bad ? 1 : 77);
		for (i = 0; i < bad; i++)
			arrived(p.server);
		FAILS(EAGAIN, recv(p.server, text, sizeof(text), MSG_DONTWAIT));
	}
	unwritable(&p, fd);
	vector(MANY, 1, &p.to);
	assert_int_equal(OK(sendmmsg(fd, messages, MANY, 0)), 1024);
	for (i = 0; i < MANY; i++)
		assert_int_equal(messages[i].msg_len, i < 1024 ? 1 : 0);
	close(fd);
	close(two);
	pair_close(&p);
}

/* A full buffer ends a vector early. (Not one of UDP on loopback, which is empty at once.) */
static void sent_in_part(void **state)
{
	struct sockaddr_in unused = { 0 };
	static char lump[1000];
	int pair[2], sent;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
	contract_option(pair[0], SOL_SOCKET, SO_SNDBUF, 1); /* the kernel's minimum */
	vector(64, 1, &unused);
	for (int i = 0; i < 64; i++) {
		parts[i] = (struct iovec){ lump, sizeof(lump) };
		messages[i].msg_hdr.msg_name = NULL;
	}
	sent = (int)OK(sendmmsg(pair[0], messages, 64, MSG_DONTWAIT));
	assert_in_range(sent, 1, 63);
	contract_note("%d of 64", sent);
	for (int i = 0; i < 64; i++)
		assert_int_equal(messages[i].msg_len, i < sent ? sizeof(lump) : 0);
	FAILS(EAGAIN, sendmmsg(pair[0], messages, 64, MSG_DONTWAIT));
	FAILS(EAGAIN, sendmsg(pair[0], &messages[0].msg_hdr, MSG_DONTWAIT));
	FAILS(EAGAIN, sendto(pair[0], lump, sizeof(lump), MSG_DONTWAIT, (struct sockaddr *)NULL, 0));
	assert_int_equal(OK(recvmmsg(pair[1], messages, 64, MSG_DONTWAIT, NULL)), sent);
	close(pair[0]);
	close(pair[1]);
}

static void many_received(void **state)
{
	struct pair p = pair_open();
	const struct sockaddr_in none = { 0 };
	struct timespec little = { .tv_nsec = 1 };
	int i, got, room = 8 << 20;

	(void)state;
	setsockopt(p.server, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	setsockopt(p.server, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)); /* with the privilege */
	getsockopt(p.server, SOL_SOCKET, SO_RCVBUF, &room, &(socklen_t){ sizeof(room) });
	vector(1024, 1, &p.to);
	/* as many as there is room for */
	for (i = 0; i < MANY; i += got) {
		got = sendmmsg(p.client, messages, (unsigned)(MANY - i), 0);
		assert_true(got > 0);
	}
	vector(MANY, 1, &none);
	got = (int)OK(recvmmsg(p.server, messages, MANY, MSG_DONTWAIT, NULL));
	if (room >= 4 << 20)
		assert_int_equal(got, MANY);
	for (i = 0; i < got; i++)
		from_client(&p, &names[i], messages[i].msg_hdr.msg_namelen);
	while (recv(p.server, bytes, 4, MSG_DONTWAIT) > 0)
		;
	/* waits for one, and takes what else is there; the time limit is looked at after each */
	put(&p, "a");
	put(&p, "b");
	vector(4, 1, &none);
	assert_int_equal(OK(recvmmsg(p.server, messages, 4, MSG_WAITFORONE, NULL)), 2);
	from_client(&p, &names[1], messages[1].msg_hdr.msg_namelen);
	put(&p, "a");
	vector(4, 1, &none);
	usleep(2000);
	assert_int_equal(OK(recvmmsg(p.server, messages, 4, 0, &little)), 1);
	from_client(&p, &names[0], messages[0].msg_hdr.msg_namelen);
	pair_close(&p);
}

static void urgent_and_whole(void **state)
{
	int port = contract_port(), server = contract_listener("127.0.0.1", port), fd = contract_client("127.0.0.1", port);
	int accepted = (int)OK(accept(server, NULL, NULL));
	struct sockaddr_in a;
	socklen_t length = sizeof(a);
	char text[8];

	(void)state;
	assert_int_equal(OK(sendto(fd, "!", 1, MSG_OOB, (struct sockaddr *)NULL, 0)), 1);
	contract_wait(accepted, POLLPRI);
	assert_int_equal(OK(recvfrom(accepted, text, 1, MSG_OOB, &a, &length)), 1);
	assert_int_equal(text[0], '!');
	FAILS(EINVAL, recvfrom(accepted, text, 1, MSG_OOB, &a, &length));
	assert_int_equal(OK(sendto(fd, "ab", 2, MSG_MORE, (struct sockaddr *)NULL, 0)), 2);
	assert_int_equal(OK(sendto(fd, "cd", 2, 0, (struct sockaddr *)NULL, 0)), 2);
	length = sizeof(a);
	assert_int_equal(OK(recvfrom(accepted, text, 4, MSG_WAITALL, &a, &length)), 4);
	assert_memory_equal(text, "abcd", 4);
	contract_note("length %u", length);
	close(accepted);
	close(fd);
	close(server);
}

/* ---- other protocols ---- */

/* What a packet socket sees has the family of packets where an address has its own; it stays as it is. */
static void packet(void **state)
{
	struct pair p = pair_open();
	struct sockaddr_ll lo = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = 1 }, seen;
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t length = sizeof(seen);
	char text[2048];

	(void)state;
	if (fd < 0) {
		print_message("skip: packet: packet sockets need a privilege\n");
		skip();
	}
	OK(bind(fd, (struct sockaddr *)&lo, sizeof(lo)));
	OK(getsockname(fd, (struct sockaddr *)&seen, &length));
	assert_int_equal(seen.sll_family, AF_PACKET);
	assert_int_equal(seen.sll_ifindex, 1);
	put(&p, "a frame");
	contract_wait(fd, POLLIN);
	memset(&seen, 0xa5, sizeof(seen));
	length = sizeof(seen);
	assert_true(OK(recvfrom(fd, text, sizeof(text), 0, (struct sockaddr *)&seen, &length)) > 20);
	assert_int_equal(seen.sll_family, AF_PACKET);
	assert_int_equal(seen.sll_protocol, htons(ETH_P_IP));
	contract_note("type %u, %u bytes", seen.sll_hatype, length);
	FAILS(EOPNOTSUPP, connect(fd, (struct sockaddr *)&lo, sizeof(lo)));
	FAILS(EOPNOTSUPP, listen(fd, 1));
	close(fd);
	pair_close(&p);
}

static void vsock(void **state)
{
	struct sockaddr_vm a = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = VMADDR_PORT_ANY }, told;
	int server = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;
	socklen_t length = sizeof(told);

	(void)state;
	if (server < 0) {
		print_message("skip: vsock: %s\n", strerror(errno));
		skip();
	}
	OK(bind(server, (struct sockaddr *)&a, sizeof(a)));
	FAILS(EINVAL, bind(server, (struct sockaddr *)&a, sizeof(a)));
	OK(getsockname(server, (struct sockaddr *)&told, &length));
	assert_int_equal(length, sizeof(told));
	assert_int_equal(told.svm_family, AF_VSOCK);
	assert_int_not_equal(told.svm_port, VMADDR_PORT_ANY);
	OK(listen(server, 4));
	fd = contract_socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK);
	told.svm_cid = VMADDR_CID_LOCAL;
	errno = CONTRACT_ERRNO;
	contract_note("connect: %s", connect(fd, (struct sockaddr *)&told, sizeof(told)) ? strerrorname_np(errno) : "ok");
	FAILS(ENOTCONN, getpeername(server, (struct sockaddr *)&told, &length));
	close(fd);
	close(server);
}

/* Multipath TCP is TCP to everybody but the kernel. */
static void mptcp(void **state)
{
	int port = contract_port(), own = contract_port(), fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 262), accepted;
	struct sockaddr_in a = contract_in("127.0.0.1", port), from = contract_in("127.0.0.1", own), seen;
	socklen_t length = sizeof(seen);
	int client;

	(void)state;
	if (fd < 0) {
		print_message("skip: mptcp: %s\n", strerror(errno));
		skip();
	}
	OK(bind(fd, &a, sizeof(a)));
	contract_is_requested(fd, port);
	OK(listen(fd, 4));
	contract_is_recorded(fd, port);
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 262);
	OK(bind(client, &from, sizeof(from)));
	OK(connect(client, &a, sizeof(a)));
	assert_int_equal(contract_peer(client), port);
	accepted = (int)OK(accept(fd, &seen, &length));
	assert_int_equal(ntohs(seen.sin_port), own);
	close(accepted);
	close(client);
	client = contract_client("127.0.0.1", port);
	close(client);
	close(fd);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest messages_contract[] = {
		cmocka_unit_test(peek_and_truncate), cmocka_unit_test(ancillary_received),
		cmocka_unit_test(ancillary_sent),    cmocka_unit_test(corked),
		cmocka_unit_test(many_sent),	     cmocka_unit_test(sent_in_part),
		cmocka_unit_test(many_received),     cmocka_unit_test(urgent_and_whole),
		cmocka_unit_test(packet),	     cmocka_unit_test(vsock),
		cmocka_unit_test(mptcp),
	};

	(void)argc;
	return contract_main(messages_contract);
}
