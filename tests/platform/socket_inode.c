/* sock_diag(7) reports a listener under the inode number that fstat gives for its descriptor: that is how a record of
 * the host table is compared with the kernel's own list. Works without privilege, for any process's socket. */
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../check.h"

/* Looks for a socket with this inode among the listeners on `port`. */
static int listed(int protocol, unsigned states, in_port_t port, ino_t inode)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 request;
	} ask = {
		.header = { .nlmsg_len = sizeof(ask),
			    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.request = { .sdiag_family = AF_INET,
			     .sdiag_protocol = (unsigned char)protocol,
			     .idiag_states = states,
			     .id.idiag_sport = port },
	};
	_Alignas(struct nlmsghdr) char buffer[16384];
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	int found = 0, done = 0;

	if (fd < 0 || send(fd, &ask, sizeof(ask), 0) < 0)
		check_fatal("sock_diag");
	while (!done) {
		ssize_t size = recv(fd, buffer, sizeof(buffer), 0);

		if (size <= 0)
			break;
		for (struct nlmsghdr *h = (struct nlmsghdr *)buffer; NLMSG_OK(h, size); h = NLMSG_NEXT(h, size)) {
			const struct inet_diag_msg *m = NLMSG_DATA(h);

			if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR)
				done = 1;
			else if (m->id.idiag_sport == port && m->idiag_inode == inode)
				found = 1;
		}
	}
	close(fd);
	return found;
}

static void check_kind(int type, int protocol, unsigned states, const char *name)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(a);
	int fd = socket(AF_INET, type, 0);
	struct stat status;

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) || getsockname(fd, (struct sockaddr *)&a, &length) ||
	    (type == SOCK_STREAM && listen(fd, 1)) || fstat(fd, &status))
		check_fatal(name);
	CHECK(listed(protocol, states, a.sin_port, status.st_ino), name);
	CHECK(!listed(protocol, states, a.sin_port, status.st_ino + 1), "another inode is not listed");
	close(fd);
	CHECK(!listed(protocol, states, a.sin_port, status.st_ino), "a closed socket is not listed");
}

int main(void)
{
	check_kind(SOCK_STREAM, IPPROTO_TCP, 1u << TCP_LISTEN, "TCP listener listed by its inode");
	check_kind(SOCK_DGRAM, IPPROTO_UDP, 1u << TCP_CLOSE, "bound UDP socket listed by its inode");
	return check_finish();
}
