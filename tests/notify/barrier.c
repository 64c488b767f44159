/*
 * Binds a port, waits until all of its kind have bound theirs, listens (law 7), and is asked by a client of its own who
 * it is.
 *
 *	barrier PORT HOW-MANY FILE	FILE: a page of zeroes that they share
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct board {
	_Atomic int bound, done;
};

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static void meet(_Atomic int *here, int count)
{
	atomic_fetch_add(here, 1);
	while (atomic_load(here) < count)
		usleep(1000);
}

static int ask(const struct sockaddr_in *a, pid_t server)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	pid_t said = 0;

	if (connect(fd, (const struct sockaddr *)a, sizeof(*a)) != 0)
		return fail("connect");
	if (read(fd, &said, sizeof(said)) != sizeof(said))
		return fail("read");
	return said == server ? 0 : 2;
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1, count, fd, peer, status;
	struct board *board;
	pid_t self = getpid();

	if (argc != 4)
		return 64;
	a.sin_port = htons((uint16_t)atoi(argv[1]));
	count = atoi(argv[2]);
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED, open(argv[3], O_RDWR), 0);
	if (board == MAP_FAILED)
		return fail("mmap");
	fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		return fail("bind");
	meet(&board->bound, count);
	if (listen(fd, 5) != 0)
		return fail("listen");
	if (fork() == 0)
		_exit(ask(&a, self));
	peer = accept(fd, NULL, NULL);
	if (peer < 0 || write(peer, &self, sizeof(self)) != sizeof(self))
		return fail("accept");
	wait(&status);
	meet(&board->done, count); /* all of them are there at once */
	return status != 0;
}
