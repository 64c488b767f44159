/* cases_names.c - getsockname, getpeername and accept; sockets that are none of portshim's. */
#include "matrix.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>

typedef int (*namer)(int, struct sockaddr *, socklen_t *);

/* Where what was written ended: of two fillings, one is seen beside it. */
static int last_byte(namer call, int fd, unsigned char room[160], socklen_t given)
{
	int end[2] = { 160, 160 };

	for (int i = 0; i < 2; i++) {
		unsigned char fill = i ? 0xa5 : 0x5a;
		socklen_t length = given;

		memset(room, fill, 160);
		call(fd, (struct sockaddr *)room, &length);
		while (end[i] && room[end[i] - 1] == fill)
			end[i]--;
	}
	return end[0] > end[1] ? end[0] : end[1];
}

static void one_length(const char *name, namer call, int fd, socklen_t given)
{
	unsigned char room[160];
	socklen_t length = given;
	char what[48];
	int end = last_byte(call, fd, room, given);

	snprintf(what, sizeof(what), "%s, length %d", name, (int)given);
	R(what, call(fd, (struct sockaddr *)room, &length));
	if (end >= 4) { /* the port's two bytes, not their value */
		struct sockaddr_in a;

		memcpy(&a, room, 4);
		say("%s: length %u, %d bytes, port %s", what, (unsigned)length, end, port_name(ntohs(a.sin_port)));
		return;
	}
	say("%s: length %u, %d bytes", what, (unsigned)length, end);
}

static void bad_pointers(const char *name, namer call, int fd)
{
	struct sockaddr_storage a;
	socklen_t length = sizeof(a);
	char what[48], *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

#define BAD(text, address, size)                                                                \
	(snprintf(what, sizeof(what), "%s, %s", name, text),                                  \
	 R(what, call(fd, (struct sockaddr *)(address), (socklen_t *)(size))))
	must(page != MAP_FAILED && !mprotect(page + 4096, 4096, PROT_NONE), "pages");
	BAD("NULL, NULL", NULL, NULL);
	BAD("NULL address", NULL, &length);
	BAD("NULL length", &a, NULL);
	BAD("bad address", (uintptr_t)8, &length);
	BAD("bad length", &a, (uintptr_t)8);
	length = 16;
	BAD("fits", page + 4096 - 16, &length);
	say("length %u", (unsigned)length);
	length = 16;
	BAD("does not fit", page + 4096 - 15, &length);
	say("length %u", (unsigned)length);
	length = 8;
	BAD("as much as fits", page + 4096 - 8, &length);
	say("length %u", (unsigned)length);
	memcpy(page, &length, sizeof(length));
	must(!mprotect(page, 4096, PROT_READ), "read-only");
	length = 16;
	BAD("read-only address", page, &length);
	BAD("read-only length", &a, page);
#undef BAD
}

static void lengths(const char *name, namer call, int fd)
{
	static const int given[] = { 0, 1, 2, 4, 7, 8, 15, 16, 17, 28, 128, 0x7fffffff, -1, INT32_MIN };

	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++)
		one_length(name, call, fd, (socklen_t)given[i]);
	bad_pointers(name, call, fd);
}

static void names_connected(void)
{
	int p = port(), fd = server4(p, 4), client = stream4(), accepted;

	must(!connect4(client, "127.0.0.1", p), "connect");
	accepted = accept(fd, NULL, NULL);
	lengths("listener", getsockname, fd);
	lengths("accepted", getsockname, accepted);
	lengths("peer", getpeername, client);
	lengths("client", getsockname, client);
	close(accepted);
	must(ready(client, 1, PATIENCE), "readable");
	peer_name("half closed", client);
	must(!shutdown(client, SHUT_RDWR), "shutdown");
	peer_name("closed", client);
}

static void names_unconnected(void)
{
	struct sockaddr_in6 a = in6("::1", port());
	int fd = stream4(), six = socket(AF_INET6, SOCK_STREAM, 0);

	own_name("new", fd);
	peer_name("new", fd);
	must(!bind4(fd, "127.0.0.1", port()), "bind");
	peer_name("bound", fd);
	must(!listen(fd, 1), "listen");
	peer_name("listens", fd);
	must(!bind(six, (struct sockaddr *)&a, sizeof(a)), "bind");
	lengths("six", getsockname, six);
	R("-1", getsockname(-1, NULL, NULL));
	R("/dev/null", getsockname(open("/dev/null", O_RDONLY), NULL, NULL));
	R("-1", getpeername(-1, NULL, NULL));
	R("/dev/null", getpeername(open("/dev/null", O_RDONLY), NULL, NULL));
}

/* accept is not notified: a client's own port, where that was moved, is known by getpeername only (docs/limits.md). */
static void names_accepted(void)
{
	static const int given[] = { 16, 0, 2, 8, 128, -1 };
	int p = port(), fd = server4(p, 16), client;

	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
		struct sockaddr_storage a = { 0 };
		socklen_t length = (socklen_t)given[i];

		must(!connect4(client = stream4(), "127.0.0.1", p), "connect");
		R("accept", accept(fd, (struct sockaddr *)&a, &length) < 0 ? -1 : 0);
		say("length %u", (unsigned)length);
		if (given[i] >= 16)
			say("%s", address_name(&a, length));
	}
	must(!bind4(client = stream4(), "127.0.0.1", port()), "bind");
	must(!connect4(client, "127.0.0.1", p), "connect");
	peer_name("moved client", accept(fd, NULL, NULL));
}

/* ---- AF_UNIX and netlink: none of portshim's ---- */

static void unix_round(const char *what, const struct sockaddr_un *a, socklen_t length)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0),
	    other = socket(AF_UNIX, SOCK_STREAM, 0);

	R(what, bind(fd, (const struct sockaddr *)a, length));
	R("listen", listen(fd, 4));
	R("other", bind(other, (const struct sockaddr *)a, length));
	R("connect", connect(client, (const struct sockaddr *)a, length));
	own_name("listener", fd);
	own_name("client", client);
	peer_name("client", client);
	other = accept(fd, NULL, NULL);
	peer_name("accepted", other);
}

static void unix_names(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char directory[] = "/tmp/portshim-matrix.XXXXXX";
	int length = snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "portshim-matrix-%08d", getpid()), fd;

	unix_round("abstract", &a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1) + (socklen_t)length);
	must(mkdtemp(directory) && !chdir(directory), "directory");
	strcpy(a.sun_path, "here");
	unix_round("relative", &a, sizeof(a));
	must(!mkdir("deeper", 0700) && !chdir("deeper"), "directory");
	R("elsewhere", connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&a, sizeof(a)));
	strcpy(a.sun_path, "../here");
	R("from there", connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&a, sizeof(a)));
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	strcpy(a.sun_path, "datagrams");
	R("datagrams", bind(fd, (struct sockaddr *)&a, sizeof(a)));
	R("sendto", sendto(fd, "x", 1, 0, (struct sockaddr *)&a, sizeof(a)));
	strcpy(a.sun_path, "nobody");
	R("sendto nobody", sendto(fd, "x", 1, 0, (struct sockaddr *)&a, sizeof(a)));
	must(!unlink("datagrams") && !chdir("..") && !rmdir("deeper") && !unlink("here") && !chdir("/") &&
		     !rmdir(directory),
	     "clean-up");
}

/* A listener that another process gets, and asks. */
static void unix_passing(void)
{
	int pair[2], p = port(), fd = server4(p, 4), got = -1;
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char byte = 'x';
	struct iovec data = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr m = {
		.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	must(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	R("sendmsg", sendmsg(pair[0], &m, 0));
	close(fd);
	memset(&control, 0, sizeof(control));
	m.msg_controllen = sizeof(control);
	R("recvmsg", recvmsg(pair[1], &m, 0));
	say("control %u", (unsigned)m.msg_controllen);
	c = CMSG_FIRSTHDR(&m);
	if (c)
		memcpy(&got, CMSG_DATA(c), sizeof(got));
	own_name("passed", got);
	R("client", connect4(fd = stream4(), "127.0.0.1", p));
	peer_name("client", fd);
	own_name("pair", pair[0]);
	peer_name("pair", pair[0]);
}

static void netlink(void)
{
	struct {
		struct nlmsghdr header;
		struct rtgenmsg body;
	} ask = { .header = { .nlmsg_len = sizeof(ask),
			      .nlmsg_type = RTM_GETLINK,
			      .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP } };
	struct sockaddr_nl a = { .nl_family = AF_NETLINK }, from;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	static char answer[32768];
	struct iovec data = { .iov_base = &ask, .iov_len = sizeof(ask) };
	struct msghdr m = { .msg_name = &a, .msg_namelen = sizeof(a), .msg_iov = &data, .msg_iovlen = 1 };
	socklen_t length = sizeof(from);

	R("bind", bind(fd, (struct sockaddr *)&a, sizeof(a)));
	R("getsockname", getsockname(fd, (struct sockaddr *)&from, &length));
	say("length %u, family %d", (unsigned)length, from.nl_family);
	R("connect", connect(fd, (struct sockaddr *)&a, sizeof(a)));
	R("sendmsg", sendmsg(fd, &m, 0));
	R("recvfrom", recvfrom(fd, answer, sizeof(answer), 0, (struct sockaddr *)&from, &length) > 0);
	say("length %u, family %d, from %u", (unsigned)length, from.nl_family, from.nl_pid);
	R("sendto", sendto(fd, &ask, sizeof(ask), 0, (struct sockaddr *)&a, sizeof(a)));
}

const struct matrix_case matrix_names[] = {
	{ "names-connected", names_connected },
	{ "names-unconnected", names_unconnected },
	{ "names-accepted", names_accepted },
	{ "unix", unix_names },
	{ "unix-passing", unix_passing },
	{ "netlink", netlink },
	{ NULL, NULL },
};
