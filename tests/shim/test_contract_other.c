/* Sockets that are none of portshim's business: AF_UNIX, netlink, packets. The hooks see their calls, and must not
 * matter. */
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/ip_icmp.h>
#include <poll.h>

#include "contract.h"

static struct sockaddr_un local(const char *name, bool abstract, socklen_t *length)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(a.sun_path + abstract, sizeof(a.sun_path) - abstract, "%s", name);
	*length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + abstract + strlen(name) + !abstract);
	return a;
}

static void stream_at(const char *name, bool abstract, int type)
{
	socklen_t size, length;
	struct sockaddr_un a = local(name, abstract, &size), told;
	int server = contract_socket(AF_UNIX, type), client = contract_socket(AF_UNIX, type), accepted;

	FAILS(abstract ? ECONNREFUSED : ENOENT, connect(client, &a, size));
	OK(bind(server, &a, size));
	FAILS(abstract ? EINVAL : EADDRINUSE, bind(server, &a, size));
	OK(listen(server, 4));
	OK(connect(client, &a, size));
	length = sizeof(told);
	OK(getpeername(client, &told, &length));
	assert_int_equal(length, size);
	assert_memory_equal(&told, &a, size);
	length = sizeof(told);
	OK(getsockname(server, &told, &length));
	assert_int_equal(length, size);
	length = sizeof(told);
	accepted = (int)OK(accept4(server, (struct sockaddr *)&told, &length, SOCK_CLOEXEC));
	assert_int_equal(length, sizeof(sa_family_t));
	assert_int_equal(OK(send(client, "ab", 2, 0)), 2);
	length = sizeof(told);
	assert_int_equal(OK(recvfrom(accepted, &told, sizeof(told), 0, NULL, NULL)), 2);
	close(accepted);
	close(client);
	client = contract_socket(AF_UNIX, type);
	OK(bind(client, &(struct sockaddr){ .sa_family = AF_UNIX }, sizeof(sa_family_t)));
	contract_note("autobound");
	close(client);
	close(server);
	if (!abstract)
		unlink(name);
}

static void unix_streams(void **state)
{
	char path[] = "/tmp/portshim-contract.XXXXXX", name[64];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	snprintf(name, sizeof(name), "portshim-contract-%d", getpid());
	stream_at(path, false, SOCK_STREAM);
	stream_at(name, true, SOCK_STREAM);
	stream_at(path, false, SOCK_SEQPACKET);
	stream_at(name, true, SOCK_SEQPACKET);
}

/* Family and length of a short abstract name look like the start of an IPv4 address; its bytes must survive. */
static void unix_datagrams(void **state)
{
	socklen_t size, client_size, length;
	char name[64], text[16];
	struct sockaddr_un a, b, told;
	int server = contract_socket(AF_UNIX, SOCK_DGRAM), client = contract_socket(AF_UNIX, SOCK_DGRAM);
	struct iovec data = { text, sizeof(text) };
	struct msghdr m = { .msg_name = &told, .msg_namelen = sizeof(told), .msg_iov = &data, .msg_iovlen = 1 };
	struct mmsghdr many = { .msg_hdr = { .msg_iov = &data, .msg_iovlen = 1 } };

	(void)state;
	snprintf(name, sizeof(name), "p%d", getpid());
	a = local(name, true, &size);
	snprintf(name, sizeof(name), "q%d", getpid());
	b = local(name, true, &client_size);
	OK(bind(server, &a, size));
	OK(bind(client, &b, client_size));
	assert_int_equal(OK(sendto(client, "abc", 3, 0, &a, size)), 3);
	length = sizeof(told);
	assert_int_equal(OK(recvfrom(server, text, sizeof(text), 0, &told, &length)), 3);
	assert_int_equal(length, client_size);
	assert_memory_equal(&told, &b, client_size);
	many.msg_hdr.msg_name = &a;
	many.msg_hdr.msg_namelen = size;
	assert_int_equal(OK(sendmmsg(client, &many, 1, 0)), 1);
	assert_int_equal(OK(recvmsg(server, &m, 0)), (int)sizeof(text));
	assert_int_equal(m.msg_namelen, client_size);
	assert_memory_equal(&told, &b, client_size);
	close(server);
	close(client);
}

static void unix_errors(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "/nonexistent/socket" };
	int fd = contract_socket(AF_UNIX, SOCK_STREAM);

	(void)state;
	FAILS(ENOENT, connect(fd, &a, sizeof(a)));
	FAILS(ENOENT, bind(fd, &a, sizeof(a)));
	FAILS(EINVAL, connect(fd, (struct sockaddr *)&a, sizeof(a) + 1));
	FAILS(EFAULT, connect(fd, (struct sockaddr *)NULL, 4));
	FAILS(EINVAL, listen(fd, 1));
	FAILS(ENOTCONN, getpeername(fd, (struct sockaddr *)&a, &(socklen_t){ sizeof(a) }));
	close(fd);
}

/* A descriptor that is passed with SCM_RIGHTS is the socket that it was, name and all. */
static void passed_descriptor(void **state)
{
	int port = contract_port(), server = contract_listener("127.0.0.1", port), shown = contract_name(server),
	    pair[2], client, got;
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec data = { (char[]){ "f" }, 1 };
	struct msghdr m = {
		.msg_iov = &data, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)
	};

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.align), &server, sizeof(int));
	assert_int_equal(OK(sendmsg(pair[0], &m, 0)), 1);
	close(server);
	memset(&control, 0, sizeof(control));
	assert_int_equal(OK(recvmsg(pair[1], &m, MSG_CMSG_CLOEXEC)), 1);
	memcpy(&got, CMSG_DATA(&control.align), sizeof(int));
	assert_int_equal(contract_name(got), shown);
	client = contract_client("127.0.0.1", port);
	assert_int_equal(contract_peer(client), port);
	close(client);
	close(got);
	close(pair[0]);
	close(pair[1]);
}

static void netlink(void **state)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK }, told;
	struct {
		struct nlmsghdr header;
		struct rtgenmsg body;
	} ask = { .header = { .nlmsg_len = sizeof(ask),
			      .nlmsg_type = RTM_GETLINK,
			      .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP } };
	socklen_t length = sizeof(told);
	char buffer[8192];
	int fd = contract_socket(AF_NETLINK, SOCK_RAW);

	(void)state;
	OK(bind(fd, (struct sockaddr *)&a, sizeof(a)));
	OK(getsockname(fd, (struct sockaddr *)&told, &length));
	assert_int_equal(length, sizeof(told));
	assert_int_equal(OK(sendto(fd, &ask, sizeof(ask), 0, (struct sockaddr *)&a, sizeof(a))), sizeof(ask));
	length = sizeof(told);
	told.nl_pid = 77;
	assert_true(OK(recvfrom(fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&told, &length)) > 0);
	assert_int_equal(length, sizeof(told));
	assert_int_equal(told.nl_pid, 0);
	close(fd);
}

/* Raw sockets carry a protocol where others have a port. */
static void raw(void **state)
{
	struct sockaddr_in a = contract_in("127.0.0.1", contract_port()), from;
	struct icmphdr ask = { .type = ICMP_ECHO, .un.echo.id = htons(7) };
	socklen_t length = sizeof(from);
	char buffer[256];
	uint16_t sum = (uint16_t)~(htons(ICMP_ECHO << 8) + htons(7));
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);

	(void)state;
	if (fd < 0) {
		print_message("skip: raw: raw sockets need a privilege\n");
		skip();
	}
	ask.checksum = sum;
	OK(bind(fd, &a, sizeof(a)));
	contract_note("raw name %s", contract_name(fd) == 1 ? "is the protocol" : "is not");
	assert_int_equal(OK(sendto(fd, &ask, sizeof(ask), 0, &a, sizeof(a))), sizeof(ask));
	contract_wait(fd, POLLIN);
	assert_true(OK(recvfrom(fd, buffer, sizeof(buffer), 0, &from, &length)) > 0);
	assert_int_equal(from.sin_port, 0);
	OK(connect(fd, &a, sizeof(a)));
	length = sizeof(from);
	OK(getpeername(fd, &from, &length));
	assert_int_equal(from.sin_port, a.sin_port);
	close(fd);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest other_contract[] = {
		cmocka_unit_test(unix_streams), cmocka_unit_test(unix_datagrams),    cmocka_unit_test(unix_errors),
		cmocka_unit_test(passed_descriptor), cmocka_unit_test(netlink), cmocka_unit_test(raw),
	};

	(void)argc;
	return contract_main(other_contract);
}
