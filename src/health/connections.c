/*
 * connections.c - how many clients the servers of this machine have: one dump of the kernel's established sockets
 * (sock_diag(7)), or /proc/net/tcp where a sandbox has no netlink. A connection counts once it is established, whether
 * the server has accepted it yet or not.
 */
#include "connections.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ESTABLISHED 1

struct request {
	struct nlmsghdr header;
	struct inet_diag_req_v2 body;
};

/* One datagram of the dump. 1: there are more; 0: it was the last; -1: an error. */
static int read_datagram(const char *data, long size, uint32_t *count)
{
	const struct nlmsghdr *h = (const struct nlmsghdr *)data;

	for (; NLMSG_OK(h, (unsigned long)size); h = NLMSG_NEXT(h, size)) {
		const struct inet_diag_msg *m = NLMSG_DATA(h);

		if (h->nlmsg_type == NLMSG_DONE)
			return 0;
		if (h->nlmsg_type == NLMSG_ERROR)
			return -1;
		if (h->nlmsg_len >= NLMSG_LENGTH(sizeof(*m)))
			count[ntohs(m->id.idiag_sport)]++;
	}
	return 1;
}

static bool dump(int fd, uint8_t family, uint32_t *count)
{
	struct request request = {
		.header = { .nlmsg_len = sizeof(request), .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.body = { .sdiag_family = family, .sdiag_protocol = IPPROTO_TCP, .idiag_states = 1u << ESTABLISHED },
	};
	char data[32768] __attribute__((aligned(8)));
	int more = 1;

	if (send(fd, &request, sizeof(request), 0) < 0)
		return false;
	while (more > 0) {
		ssize_t size = recv(fd, data, sizeof(data), 0);

		if (size <= 0)
			return false;
		more = read_datagram(data, size, count);
	}
	return more == 0;
}

static bool read_file(const char *path, uint32_t *count)
{
	FILE *file = fopen(path, "re");
	unsigned port, state;
	char line[512];

	if (!file)
		return false;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, " %*u: %*32[0-9A-Fa-f]:%4x %*[0-9A-Fa-f]:%*x %x", &port, &state) == 2 &&
		    state == ESTABLISHED)
			count[port]++;
	fclose(file);
	return true;
}

bool connections_count(uint32_t *count)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	bool good = false;

	memset(count, 0, PS_PORTS * sizeof(*count));
	if (fd >= 0) {
		good = dump(fd, AF_INET, count) && dump(fd, AF_INET6, count);
		close(fd);
	}
	if (good)
		return true;
	memset(count, 0, PS_PORTS * sizeof(*count));
	good = read_file("/proc/net/tcp", count);
	return read_file("/proc/net/tcp6", count) || good;
}
