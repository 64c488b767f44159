#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <fcntl.h>

#include <portshim/kernel.h>

#include "sys.h"

/* What the kernel fills at most (NLMSG_GOODSIZE): less than a page, or than 8 KiB where pages are larger. */
#ifdef __x86_64__
#define DATAGRAM 4096
#else
#define DATAGRAM 8192
#endif

#define STATE_ESTABLISHED 1 /* include/net/tcp_states.h; an unconnected UDP socket is in TCP_CLOSE */
#define STATE_CLOSE 7
#define STATE_LISTEN 10

/* `port` <= source port <= `port`, in the kernel's filter language (linux/inet_diag.h): a comparison is followed by a
 * second operation that carries the port in `no`; a jump to beyond the end refuses the socket. */
struct request {
	struct nlmsghdr header;
	struct inet_diag_req_v2 body;
	struct nlattr filter_header;
	struct inet_diag_bc_op filter[4];
};

struct listing {
	uint16_t port;
	uint8_t protocol;
	bool (*each)(const struct ps_listener *, void *);
	void *context;
	int count;
	bool stopped;
};

static void report(struct listing *l, const struct inet_diag_msg *m)
{
	struct ps_listener found = {
		.inode = m->idiag_inode,
		.uid = m->idiag_uid,
		.protocol = l->protocol,
		.family = m->idiag_family,
		.port = ntohs(m->id.idiag_sport),
	};

	if (found.port == 0 || (l->port && found.port != l->port))
		return;
	if (m->idiag_family == AF_INET6) {
		memcpy(found.address, m->id.idiag_src, 16);
	} else {
		found.address[10] = found.address[11] = 0xff;
		memcpy(found.address + 12, m->id.idiag_src, 4);
	}
	l->count++;
	if (!l->stopped)
		l->stopped = !l->each(&found, l->context);
}

/* One datagram of a dump. False when the dump is over. *error: what the kernel reported, negative. */
static bool datagram(struct listing *l, const char *data, long size, int *error)
{
	const struct nlmsghdr *h = (const struct nlmsghdr *)data;

	for (; NLMSG_OK(h, (unsigned long)size); h = NLMSG_NEXT(h, size)) {
		if (h->nlmsg_type == NLMSG_DONE)
			return false;
		if (h->nlmsg_type == NLMSG_ERROR) {
			*error = ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
			return false;
		}
		if (h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
			report(l, NLMSG_DATA(h));
	}
	return true;
}

static int dump(int fd, struct listing *l, uint8_t family)
{
	uint32_t length = l->port ? sizeof(struct request) : offsetof(struct request, filter_header);
	struct request request = {
		.header = {.nlmsg_len = length, .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.body = {.sdiag_family = family,
			 .sdiag_protocol = l->protocol == PS_TCP ? IPPROTO_TCP : IPPROTO_UDP,
			 .idiag_states = l->protocol == PS_TCP ? 1u << STATE_LISTEN
							       : 1u << STATE_CLOSE | 1u << STATE_ESTABLISHED,
			},
		.filter_header = {.nla_len = sizeof(request.filter_header) + sizeof(request.filter),
				  .nla_type = INET_DIAG_REQ_BYTECODE},
		.filter = {{INET_DIAG_BC_S_GE, 8, 20}, {0, 0, l->port}, {INET_DIAG_BC_S_LE, 8, 12}, {0, 0, l->port}},
	};
	char data[DATAGRAM] __attribute__((aligned(8)));
	long size = sys_again(sys6(SYS_sendto, fd, &request, length, 0, 0, 0));
	int error = 0;

	while (size >= 0) {
		size = sys_again(sys6(SYS_recvfrom, fd, data, sizeof(data), 0, 0, 0));
		if (size <= 0 || !datagram(l, data, size, &error))
			break;
	}
	return size < 0 ? (int)size : error;
}

int kernel_listeners(uint16_t port, unsigned protocols, bool (*each)(const struct ps_listener *, void *), void *context)
{
	static const uint8_t families[] = {AF_INET, AF_INET6};
	long fd = sys3(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	struct listing l = {.port = port, .each = each, .context = context};
	int error = 0;

	if (fd < 0)
		return (int)fd;
	for (l.protocol = PS_TCP; l.protocol <= PS_UDP && !error; l.protocol++)
		for (unsigned f = 0; f < 2 && !error && (protocols & l.protocol) && !l.stopped; f++)
			error = dump((int)fd, &l, families[f]);
	sys1(SYS_close, fd);
	return error < 0 ? error : l.count;
}

bool kernel_is_local(const struct ps_address *a, uint64_t pass)
{
	struct ps_address to = *a, from;
	socklen_t length = sizeof(from.u);
	uint8_t want[16], got[16];
	bool local = false;
	long fd = sys3(SYS_socket, a->u.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	/* A route to one's own address leaves from that very address. Connecting a datagram socket sends nothing. */
	address_set_port(&to, 9);
	memset(&from, 0, sizeof(from));
	if (sys_marked3(pass, SYS_connect, fd, &to.u, to.length) == 0 &&
	    sys_marked3(pass, SYS_getsockname, fd, &from.u, &length) == 0) {
		from.length = length;
		address_bytes(&to, want);
		address_bytes(&from, got);
		local = memcmp(want, got, sizeof(want)) == 0;
	}
	sys1(SYS_close, fd);
	return local;
}

/* rt_sigprocmask(2) copies the new mask in before it looks at `how`: EFAULT for memory that cannot be read, EINVAL for
 * all other, and nothing is changed. It reads 8 bytes. */
static bool word_readable(const void *p)
{
	return sys4(SYS_rt_sigprocmask, -1, p, 0, 8) != -EFAULT;
}

bool kernel_readable(const void *p, unsigned long size)
{
	uintptr_t first = (uintptr_t)p, last = first + size - 8;

	/* A null pointer means "no new mask" to the system call that asks; nothing is ever mapped in the first page. */
	if (first < 4096 || last < first)
		return false;
	return word_readable(p) && (first / 4096 == (last + 7) / 4096 || word_readable((const void *)last));
}

/* The old mask is copied out; without a new one nothing is changed. */
bool kernel_writable(void *p)
{
	return (uintptr_t)p >= 4096 && sys4(SYS_rt_sigprocmask, 0, 0, p, 8) != -EFAULT;
}

uint32_t kernel_socket_inode(int fd)
{
	struct stat st;

#ifdef SYS_fstat
	if (sys2(SYS_fstat, fd, &st) != 0 || !S_ISSOCK(st.st_mode))
		return 0;
#else
	if (sys4(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH) != 0 || !S_ISSOCK(st.st_mode))
		return 0;
#endif
	return (uint32_t)st.st_ino;
}

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* Linux 5.14 */
#endif

static uint64_t cookie_of(long fd, long *error)
{
	uint64_t cookie = 0;
	socklen_t length = sizeof(cookie);

	*error = sys5(SYS_getsockopt, fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length);
	return *error == 0 ? cookie : 0;
}

uint64_t kernel_netns(int fd)
{
	long own, error = 0;
	uint64_t cookie = fd >= 0 ? cookie_of(fd, &error) : 0;
	struct stat st;

	if (!cookie && (own = sys3(SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) >= 0) {
		cookie = cookie_of(own, &error);
		sys1(SYS_close, own);
	}
	/* The inode number can come again after the namespace is gone, and to read it costs twenty times as much. It
	 * must not stand in for a cookie that could not be had for want of memory or descriptors: the two would never
	 * agree. */
	if (!cookie && error == -ENOPROTOOPT && sys4(SYS_newfstatat, AT_FDCWD, "/proc/self/ns/net", &st, 0) == 0)
		cookie = st.st_ino;
	return cookie;
}
