/*
 * calls.c - threads of one program that make all kinds of calls at once, the very first of it among them. It is started
 * under portshim with a library that has ThreadSanitizer in it; its own code has as well, and is in order.
 *
 * Argument: the first of four ports. Each thread binds, listens, asks for its names, connects to itself and accepts, on
 * a port that another thread uses too, and sends itself a datagram.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define THREADS 8
#define ROUNDS 30

static int port;
static pthread_barrier_t start;
static _Atomic unsigned met;

static struct sockaddr_in address(int number)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)number),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void talk(struct sockaddr *at)
{
	socklen_t length = sizeof(struct sockaddr_in);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), client = -1, accepted = -1;
	const int yes = 1;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(listener, at, length) == 0 && listen(listener, 4) == 0) {
		struct sockaddr_in name;

		getsockname(listener, (struct sockaddr *)&name, &length);
		client = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(client, at, sizeof(struct sockaddr_in)) == 0) {
			length = sizeof(name);
			getpeername(client, (struct sockaddr *)&name, &length);
			accepted = accept(listener, (struct sockaddr *)&name, &length);
			atomic_fetch_add(&met, accepted >= 0);
		}
	}
	close(accepted);
	close(client);
	close(listener);
}

static void send_one(struct sockaddr *at)
{
	socklen_t length = sizeof(struct sockaddr_in);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	char byte = 1;

	if (bind(fd, at, length) == 0 && sendto(fd, &byte, 1, 0, at, length) == 1) {
		struct sockaddr_in from;

		recvfrom(fd, &byte, 1, 0, (struct sockaddr *)&from, &length);
	}
	close(fd);
}

static void *work(void *of)
{
	struct sockaddr_in a = address(port + (int)((size_t)of % 4));

	pthread_barrier_wait(&start);
	for (int i = 0; i < ROUNDS; i++) {
		talk((struct sockaddr *)&a);
		send_one((struct sockaddr *)&a);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread[THREADS];

	port = argc > 1 ? atoi(argv[1]) : 0;
	pthread_barrier_init(&start, NULL, THREADS);
	for (size_t i = 0; i < THREADS; i++)
		if (pthread_create(&thread[i], NULL, work, (void *)i) != 0)
			return 2;
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	printf("calls: %u connections\n", met);
	return met == 0;
}
