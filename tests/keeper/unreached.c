/*
 * unreached.c - a program that the library does not get into, because it is linked statically: each of its calls is
 * answered by somebody else. Every call must go as the kernel would have it; what does not is counted.
 *
 *	unreached hammer N   N processes call until stdin ends
 *	unreached daemon     the same, one process, from the background: a session of its own, its parent gone. The
 *	                     program itself ends with 5
 *	unreached storm N    when stdin has ended N processes, every second one an orphan, call once each and end
 *	unreached once       calls once, and says how that went
 *	unreached connect PORT...
 *	                     connects to these ports, and says what came of it
 *	unreached peer PORT  serves PORT, by TCP and UDP, and says of each whether its client sees that number
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* 0, or the errno of what went wrong. */
static int call(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}}, to = address;
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), error = 0;

	to.sin_port = htons(9);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 ||
	    getpeername(fd, (struct sockaddr *)&address, &length) != 0)
		error = errno;
	else if (address.sin_port != to.sin_port)
		error = EBADMSG;
	close(fd);
	return error;
}

static int named(int type, int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}}, from = {0};
	struct sockaddr *at = (struct sockaddr *)&address;
	socklen_t length = sizeof(address);
	int server = socket(AF_INET, type, 0), client = socket(AF_INET, type, 0);
	char byte;

	address.sin_port = htons((uint16_t)port);
	if (type == SOCK_STREAM)
		return bind(server, at, length) == 0 && listen(server, 1) == 0 && connect(client, at, length) == 0 &&
		       getpeername(client, (struct sockaddr *)&from, &length) == 0 && from.sin_port == address.sin_port;
	return bind(server, at, length) == 0 && sendto(client, "x", 1, 0, at, length) == 1 &&
	       recvfrom(server, &byte, 1, 0, (struct sockaddr *)&from, &length) == 1 &&
	       sendto(server, "y", 1, 0, (struct sockaddr *)&from, length) == 1 &&
	       recvfrom(client, &byte, 1, 0, (struct sockaddr *)&from, &length) == 1 &&
	       from.sin_port == address.sin_port;
}

static int over(void)
{
	struct pollfd fd = {0, POLLIN, 0};

	return poll(&fd, 1, 0) != 0;
}

static int hammer(void)
{
	long calls = 0, bad = 0;
	int error = 0, last;

	do {
		int result;

		last = over(); /* so that one call comes after that */
		result = call();
		calls++;
		bad += result != 0;
		error = result ? result : error;
		if (calls == 1)
			dprintf(1, "ready\n");
	} while (!last || calls == 1);
	dprintf(1, "%ld bad of %s%s%s\n", bad, calls > 1 ? "many" : "one", error ? ": " : "",
		error ? strerror(error) : "");
	return bad != 0;
}

static int go_into_background(void)
{
	int ends[2];
	char byte;

	if (pipe(ends) != 0)
		return 1;
	if (fork() != 0) {
		close(ends[1]);
		return read(ends[0], &byte, 1) == 0 ? 5 : 1; /* the daemon is there */
	}
	setsid();
	if (fork() != 0)
		_exit(0);
	dprintf(1, "%d\n", (int)getpid());
	close(ends[0]);
	close(ends[1]);
	return hammer();
}

static int wait_for_all(void)
{
	int status, bad = 0;

	while (wait(&status) > 0)
		bad += status != 0;
	return bad;
}

static int storm(int count)
{
	char byte;

	while (read(0, &byte, 1) > 0)
		;
	for (int i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid < 0) {
			wait_for_all();
			i--;
		} else if (pid == 0) {
			if (i % 2 && fork() != 0)
				_exit(0);
			_exit(call() != 0 && write(1, "bad\n", 4) == 4);
		}
	}
	printf("%d bad\n", wait_for_all());
	return 0;
}

static int connect_to_all(char **ports)
{
	for (; *ports; ports++) {
		struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((in_port_t)atoi(*ports)),
					.sin_addr = {htonl(INADDR_LOOPBACK)}};
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		printf("%s\n", connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 ? "connected" : strerror(errno));
		close(fd);
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int count = argc > 2 ? atoi(argv[2]) : 1;

	if (strcmp(what, "hammer") == 0) {
		for (int i = 0; i < count; i++)
			if (fork() == 0)
				return hammer();
		return wait_for_all() != 0;
	}
	if (strcmp(what, "daemon") == 0)
		return go_into_background();
	if (strcmp(what, "storm") == 0)
		return storm(count);
	if (strcmp(what, "peer") == 0) {
		dprintf(1, "%d %d\n", named(SOCK_STREAM, count), named(SOCK_DGRAM, count));
		return 0;
	}
	if (strcmp(what, "connect") == 0)
		return connect_to_all(argv + 2);
	dprintf(1, "%s\n", call() == 0 ? "good" : "bad");
	return 0;
}
