/* connect() on a UDP socket sends nothing and makes the kernel choose the source address: for an address of the
 * machine itself the source is that very address. kernel_is_local() tells local from remote in this way. */
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../check.h"

static int is_source_of_itself(const struct sockaddr *to, socklen_t size)
{
	struct sockaddr_storage from = { 0 };
	socklen_t length = sizeof(from);
	int fd = socket(to->sa_family, SOCK_DGRAM, 0);
	int same = -1;

	if (fd < 0)
		check_fatal("socket");
	if (!connect(fd, to, size) && !getsockname(fd, (struct sockaddr *)&from, &length)) {
		if (to->sa_family == AF_INET)
			same = ((struct sockaddr_in *)&from)->sin_addr.s_addr ==
			       ((const struct sockaddr_in *)to)->sin_addr.s_addr;
		else
			same = !memcmp(&((struct sockaddr_in6 *)&from)->sin6_addr,
				       &((const struct sockaddr_in6 *)to)->sin6_addr, 16);
	}
	close(fd);
	return same;
}

int main(void)
{
	struct sockaddr_in remote = { .sin_family = AF_INET, .sin_port = htons(9) };
	struct ifaddrs *list, *i;

	if (getifaddrs(&list))
		check_fatal("getifaddrs");
	for (i = list; i; i = i->ifa_next) {
		char text[INET6_ADDRSTRLEN] = "";

		if (!i->ifa_addr)
			continue;
		if (i->ifa_addr->sa_family == AF_INET) {
			struct sockaddr_in *in = (struct sockaddr_in *)i->ifa_addr;

			in->sin_port = htons(9);
			inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
			CHECK(is_source_of_itself(i->ifa_addr, sizeof(*in)) == 1, text);
		} else if (i->ifa_addr->sa_family == AF_INET6) {
			struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)i->ifa_addr;

			in6->sin6_port = htons(9);
			inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
			CHECK(is_source_of_itself(i->ifa_addr, sizeof(*in6)) == 1, text);
		}
	}
	freeifaddrs(list);
	inet_pton(AF_INET, "192.0.2.1", &remote.sin_addr); /* TEST-NET-1: nobody's */
	CHECK(is_source_of_itself((struct sockaddr *)&remote, sizeof(remote)) != 1,
	      "a remote address is not its own source");
	return check_finish();
}
