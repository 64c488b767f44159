/* A port is free on both families only if both say so: a holder on 127.0.0.1 leaves ::1 free, and "localhost" then
 * reaches two servers (law 2). A dual-stack wildcard socket excludes an IPv4 wildcard one. */
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../check.h"

static int listener4(uint32_t address, in_port_t *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = *port, .sin_addr.s_addr = htonl(address) };
	socklen_t length = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		check_fatal("socket");
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 1)) {
		close(fd);
		return -1;
	}
	getsockname(fd, (struct sockaddr *)&a, &length);
	*port = a.sin_port;
	return fd;
}

static int listener6(const struct in6_addr *address, int only, in_port_t *port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = *port, .sin6_addr = *address };
	socklen_t length = sizeof(a);
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	if (fd < 0)
		return -2;
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || listen(fd, 1)) {
		close(fd);
		return -1;
	}
	getsockname(fd, (struct sockaddr *)&a, &length);
	*port = a.sin6_port;
	return fd;
}

int main(void)
{
	in_port_t port = 0;
	int a, b;

	a = listener4(INADDR_LOOPBACK, &port);
	b = listener6(&in6addr_loopback, 1, &port);
	if (b == -2) {
		check_skip("families", "no IPv6 here");
		return check_finish();
	}
	CHECK(a >= 0 && b >= 0, "127.0.0.1 and ::1 are two listeners on one number");
	close(b);
	b = listener6(&in6addr_any, 0, &port);
	CHECK(b == -1, "a dual-stack wildcard meets 127.0.0.1's listener");
	b = listener6(&in6addr_any, 1, &port);
	CHECK(b >= 0, "an IPv6-only wildcard does not");
	close(a);
	close(b);
	port = 0;
	a = listener6(&in6addr_any, 0, &port);
	CHECK(a >= 0 && listener4(INADDR_ANY, &port) == -1, "0.0.0.0 meets a dual-stack wildcard");
	return check_finish();
}
