/*
 * hammer.c - a server and clients of it that never stop, and count: hammer PORT OTHER [lasting]
 *
 * Processes of one program: a TCP server on PORT that answers each connection with a word of its own; clients that
 * connect to it, read that word and ask both ends' names; others that bind OTHER and the two after it, listen, reach
 * themselves and close, again and again; a UDP server on PORT and a client that wants the reply from PORT. A call
 * that fails, another's word, another name: a line that begins with "wrong", and the end. With `lasting`, ENOSYS is
 * counted and not wrong: that is what the kernel says when nobody is left who could answer a notified call
 * (tests/platform/notify_holders.c).
 *
 * It says "ready"; then, for each byte that it reads, how often each thing was done. At the end of its input it ends.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLIENTS 3
#define KINDS 3

static struct shared {
	_Atomic unsigned done[KINDS], missing;
	_Atomic bool over;
	char word[32];
} * shared;
static int port, other;
static bool lasting;

static void wrong(const char *what)
{
	int error = errno;

	if (shared->over) /* somebody else's end may come first */
		_exit(1);
	if (lasting && error == ENOSYS) {
		shared->missing++;
		usleep(1000);
		return;
	}
	dprintf(1, "wrong: %s: %s\n", what, strerror(error));
	shared->over = true;
	_exit(1);
}

static struct sockaddr_in at(int number)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons((uint16_t)number),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* A client's socket. It is closed by a reset, so that none stays behind in TIME_WAIT. */
static int make(int type)
{
	int fd = socket(AF_INET, type, 0);

	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 }, sizeof(struct linger));
	return fd;
}

static int bound(int type, int number)
{
	struct sockaddr_in a = at(number);
	int fd = socket(AF_INET, type, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	errno = 0;
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)))
		wrong("bind");
	else if (type == SOCK_STREAM && listen(fd, 256))
		wrong("listen");
	return fd;
}

/* Connects, and asks who is there by name. */
static bool reach(int fd, int number)
{
	struct sockaddr_in a = at(number);
	socklen_t length = sizeof(a);

	errno = 0;
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)))
		return wrong("connect"), false;
	if (getpeername(fd, (struct sockaddr *)&a, &length))
		return wrong("getpeername"), false;
	if (ntohs(a.sin_port) != number)
		return errno = 0, wrong("the peer's port"), false;
	return true;
}

static void serve(int fd)
{
	for (;;) {
		int one = accept(fd, NULL, NULL);

		if (one < 0)
			_exit(0);
		if (write(one, shared->word, sizeof(shared->word)) < 0)
			errno = 0;
		close(one);
	}
}

static void connects(void)
{
	char word[sizeof(shared->word)];
	int fd = make(SOCK_STREAM);

	if (reach(fd, port)) {
		errno = 0;
		if (recv(fd, word, sizeof(word), MSG_WAITALL) != sizeof(word) || strcmp(word, shared->word) != 0)
			wrong("the server's word");
		shared->done[0]++;
	}
	close(fd);
}

static void binds(void)
{
	int fd = bound(SOCK_STREAM, other), client = make(SOCK_STREAM), one;
	struct sockaddr_in a = { 0 };
	socklen_t length = sizeof(a);

	if (getsockname(fd, (struct sockaddr *)&a, &length))
		wrong("getsockname");
	else if (!lasting && ntohs(a.sin_port) != other)
		errno = 0, wrong("the own port");
	if (reach(client, other)) {
		one = accept(fd, NULL, NULL);
		if (one < 0)
			wrong("accept");
		close(client); /* first: the reset comes before the end of `one` */
		close(one);
		shared->done[1]++;
	} else {
		close(client);
	}
	close(fd);
}

static void echo(int fd)
{
	struct sockaddr_in a;
	char word[sizeof(shared->word)];

	for (;;) {
		socklen_t length = sizeof(a);
		ssize_t size = recvfrom(fd, word, sizeof(word), 0, (struct sockaddr *)&a, &length);

		errno = size < 0 ? errno : 0;
		if (size != sizeof(word))
			wrong("recvfrom");
		else if (sendto(fd, shared->word, sizeof(word), 0, (struct sockaddr *)&a, length) != size)
			wrong("sendto, reply");
	}
}

static void sends(void)
{
	struct sockaddr_in a = at(port);
	socklen_t length = sizeof(a);
	char word[sizeof(shared->word)];
	int fd = make(SOCK_DGRAM);
	ssize_t size;

	errno = 0;
	if (sendto(fd, shared->word, sizeof(word), 0, (struct sockaddr *)&a, length) != sizeof(word))
		wrong("sendto");
	/* Without a limit: nothing is lost on this way, also when the worker is killed with a datagram in hand. */
	size = recvfrom(fd, word, sizeof(word), 0, (struct sockaddr *)&a, &length);
	if (size != sizeof(word)) {
		if (!shared->over)
			wrong("recvfrom, reply");
	} else {
		errno = 0;
		if (strcmp(word, shared->word) != 0)
			wrong("the word of the UDP server");
		if (ntohs(a.sin_port) != port)
			wrong("the reply's port");
		shared->done[2]++;
	}
	close(fd);
}

static void start(void (*work)(void), void (*server)(int), int fd)
{
	pid_t self = getpid(), pid = fork();

	if (pid < 0)
		wrong("fork");
	if (pid)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != self)
		_exit(0);
	if (server)
		server(fd);
	while (!shared->over)
		work();
	_exit(0);
}

int main(int argc, char **argv)
{
	struct rlimit files;
	char byte;

	if (argc < 3)
		return 2;
	/* The limit that a test gives portshim is not for us. */
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	port = atoi(argv[1]);
	other = atoi(argv[2]);
	lasting = argc > 3;
	signal(SIGPIPE, SIG_IGN);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	snprintf(shared->word, sizeof(shared->word), "server %d", getpid());
	start(NULL, serve, bound(SOCK_STREAM, port));
	start(NULL, echo, bound(SOCK_DGRAM, port));
	for (int i = 0; i < CLIENTS; i++)
		start(connects, NULL, -1);
	for (int i = 0; i < CLIENTS; i++) {
		start(binds, NULL, -1);
		other++;
	}
	start(sends, NULL, -1);
	dprintf(1, "ready %d\n", getpid());
	while (read(0, &byte, 1) == 1 && !shared->over)
		dprintf(1, "%u %u %u, ENOSYS %u\n", shared->done[0], shared->done[1], shared->done[2], shared->missing);
	dprintf(1, "end %u %u %u, ENOSYS %u\n", shared->done[0], shared->done[1], shared->done[2], shared->missing);
	return atomic_exchange(&shared->over, true);
}
