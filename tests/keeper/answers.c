/*
 * answers.c - a server and a client that the test builds statically, so that no preload reaches them.
 *
 *	answers serve PORT WORD   prints "PID PORT", or "errno N"; answers every client with the word
 *	answers ask PORT          prints what it is answered, or "refused"
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int fail(void)
{
	printf("errno %d\n", errno);
	return 3;
}

static int serve(int fd, const struct sockaddr_in *at, const char *word)
{
	const int on = 1;
	struct sockaddr_in own;
	socklen_t length = sizeof(own);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)at, sizeof(*at)) < 0 || listen(fd, 16) < 0 ||
	    getsockname(fd, (struct sockaddr *)&own, &length) < 0)
		return fail();
	printf("%d %d\n", (int)getpid(), ntohs(own.sin_port));
	fflush(stdout);
	for (;;) {
		int peer = accept(fd, NULL, NULL);

		if (peer < 0)
			return fail();
		send(peer, word, strlen(word), MSG_NOSIGNAL);
		close(peer);
	}
}

static int ask(int fd, const struct sockaddr_in *to)
{
	char text[64] = "";

	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0) {
		if (errno != ECONNREFUSED)
			return fail();
		puts("refused");
	} else if (read(fd, text, sizeof(text) - 1) >= 0) {
		puts(text);
	}
	return 0;
}

int main(int count, char **word)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (count < 3)
		return 2;
	address.sin_port = htons((uint16_t)atoi(word[2]));
	return count > 3 ? serve(fd, &address, word[3]) : ask(fd, &address);
}
