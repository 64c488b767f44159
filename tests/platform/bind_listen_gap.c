/* With SO_REUSEADDR two sockets bind one port, and only the second listen() fails: the reason why a bind alone is no
 * assignment (law 7). A socket that was refused at listen can be neither bound again nor listened on elsewhere. */
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../check.h"

static int reusable(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)))
		check_fatal("socket");
	return fd;
}

int main(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(a);
	int first = reusable(), second = reusable(), third = reusable();

	CHECK(!bind(first, (struct sockaddr *)&a, sizeof(a)), "first bind");
	CHECK(!getsockname(first, (struct sockaddr *)&a, &length), "port");
	CHECK(!bind(second, (struct sockaddr *)&a, sizeof(a)), "second bind of the same port");
	CHECK(!listen(first, 5), "first listen");
	CHECK(listen(second, 5) == -1 && errno == EADDRINUSE, "second listen fails");
	CHECK(bind(second, (struct sockaddr *)&a, sizeof(a)) == -1 && errno == EINVAL,
	      "a bound socket cannot be bound again");
	CHECK(bind(third, (struct sockaddr *)&a, sizeof(a)) == -1 && errno == EADDRINUSE,
	      "bind to a listening port fails");
	CHECK(!close(first), "first listener closes");
	CHECK(!listen(second, 5), "then the second can listen");
	return check_finish();
}
