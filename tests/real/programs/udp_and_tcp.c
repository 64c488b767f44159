/*
 * udp_and_tcp PORT IDENTITY - answers its identity on PORT, by UDP and by TCP, on IPv4 and (where there is any) IPv6.
 */
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int open_socket(int family, int type, int port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_ANY_INIT };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_ANY) };
	int fd = socket(family, type, 0);
	int on = 1;

	if (fd < 0)
		return -1;
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (family == AF_INET6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
		if (bind(fd, (struct sockaddr *)&six, sizeof(six)) < 0)
			return -1;
	} else if (bind(fd, (struct sockaddr *)&four, sizeof(four)) < 0) {
		return -1;
	}
	if (type == SOCK_STREAM && listen(fd, 64) < 0)
		return -1;
	return fd;
}

static void answer_tcp(int fd, const char *identity)
{
	int c = accept(fd, NULL, NULL);

	if (c < 0)
		return;
	dprintf(c, "%s\n", identity);
	close(c);
}

static void answer_udp(int fd, const char *identity)
{
	struct sockaddr_storage from;
	socklen_t length = sizeof(from);
	char buffer[512];

	if (recvfrom(fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &length) >= 0)
		sendto(fd, identity, strlen(identity), 0, (struct sockaddr *)&from, length);
}

int main(int argc, char **argv)
{
	struct pollfd p[4];
	int port;

	if (argc != 3)
		return 2;
	port = atoi(argv[1]);
	for (int i = 0; i < 4; i++) {
		p[i].fd = open_socket(i & 2 ? AF_INET6 : AF_INET, i & 1 ? SOCK_STREAM : SOCK_DGRAM, port);
		p[i].events = POLLIN;
		if (p[i].fd < 0 && !(i & 2)) {
			perror("udp_and_tcp");
			return 1;
		}
	}
	while (poll(p, 4, -1) >= 0) {
		for (int i = 0; i < 4; i++) {
			if (!(p[i].revents & POLLIN))
				continue;
			if (i & 1)
				answer_tcp(p[i].fd, argv[2]);
			else
				answer_udp(p[i].fd, argv[2]);
		}
	}
	return 1;
}
