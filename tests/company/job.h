/*
 * job.h - the job that every program of these tests does: serve a port for UDP and TCP and be its own client.
 *
 * When another holds the number, the job can only be done where both ends move, so "job ok" says that this process has
 * its port to itself. Nothing here allocates or prints, and all of it may be called in a signal handler.
 */
#ifndef COMPANY_JOB_H
#define COMPANY_JOB_H

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static inline struct sockaddr_in job_address(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

static inline int job_port(int fd, int (*name)(int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_in a = { 0 };
	socklen_t length = sizeof(a);

	return name(fd, (struct sockaddr *)&a, &length) == 0 ? ntohs(a.sin_port) : -errno;
}

static inline int job_own(int fd, struct sockaddr *a, socklen_t *n)
{
	return getsockname(fd, a, n);
}

static inline int job_peer(int fd, struct sockaddr *a, socklen_t *n)
{
	return getpeername(fd, a, n);
}

static inline int job_connect(int fd, int port)
{
	struct sockaddr_in a = job_address(port);

	return connect(fd, (struct sockaddr *)&a, sizeof(a));
}

/* A bound socket, or -1. */
static inline int job_bind(int type, int port)
{
	struct sockaddr_in a = job_address(port);
	int fd = socket(AF_INET, type, 0), one = 1;

	if (fd < 0)
		return -1;
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* A listener, or -1. */
static inline int job_listen(int port)
{
	int fd = job_bind(SOCK_STREAM, port);

	if (fd >= 0 && listen(fd, 16) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

#define JOB_STEP(condition, what)                                                                                      \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			why = what;                                                                                    \
			goto out;                                                                                      \
		}                                                                                                      \
	} while (0)

/* NULL, or the step that went wrong; errno is that step's. */
static inline const char *job_udp(int port)
{
	struct sockaddr_in a = job_address(port), from;
	socklen_t length = sizeof(from);
	const char *why = NULL;
	char word[8] = "";
	int server = job_bind(SOCK_DGRAM, port), client = socket(AF_INET, SOCK_DGRAM, 0), error;

	JOB_STEP(server >= 0 && client >= 0, "udp bind");
	JOB_STEP(sendto(client, "ping", 4, 0, (struct sockaddr *)&a, sizeof(a)) == 4, "udp sendto");
	JOB_STEP(recvfrom(server, word, sizeof(word), 0, (struct sockaddr *)&from, &length) == 4, "udp recvfrom");
	JOB_STEP(memcmp(word, "ping", 4) == 0, "udp word");
	JOB_STEP(sendto(server, "pong", 4, 0, (struct sockaddr *)&from, length) == 4, "udp answer");
	length = sizeof(from);
	JOB_STEP(recvfrom(client, word, sizeof(word), 0, (struct sockaddr *)&from, &length) == 4, "udp answered");
	JOB_STEP(memcmp(word, "pong", 4) == 0 && ntohs(from.sin_port) == port, "udp source");
out:
	error = errno;
	if (server >= 0)
		close(server);
	if (client >= 0)
		close(client);
	errno = error;
	return why;
}

static inline const char *job_tcp(int port)
{
	const char *why = NULL;
	char word[8] = "";
	int server = job_bind(SOCK_STREAM, port), client = -1, peer = -1, error;

	JOB_STEP(server >= 0, "tcp bind");
	JOB_STEP(listen(server, 16) == 0, "tcp listen");
	client = socket(AF_INET, SOCK_STREAM, 0);
	JOB_STEP(client >= 0 && job_connect(client, port) == 0, "tcp connect");
	JOB_STEP(job_port(client, job_peer) == port, "tcp peer");
	peer = accept(server, NULL, NULL);
	JOB_STEP(peer >= 0, "tcp accept");
	JOB_STEP(job_port(peer, job_peer) == job_port(client, job_own), "tcp accepted peer");
	JOB_STEP(send(peer, "mine", 4, 0) == 4 && recv(client, word, sizeof(word), 0) == 4, "tcp data");
	JOB_STEP(memcmp(word, "mine", 4) == 0, "tcp word");
out:
	error = errno;
	if (peer >= 0)
		close(peer);
	if (client >= 0)
		close(client);
	if (server >= 0)
		close(server);
	errno = error;
	return why;
}

/* UDP first: its number is then free for both. */
static inline const char *job(int port)
{
	const char *why = job_udp(port);

	return why ? why : job_tcp(port);
}

/* Writes a line, without stdio. */
static inline void job_say(int fd, const char *a, const char *b)
{
	char text[256];
	size_t n = strlen(a), m = strlen(b);

	if (n + m + 2 > sizeof(text))
		return;
	memcpy(text, a, n);
	text[n++] = ' ';
	memcpy(text + n, b, m);
	text[n + m] = '\n';
	if (write(fd, text, n + m + 1) < 0)
		_exit(99);
}

/* Does the job and tells it; 0 if it was done. */
static inline int job_told(int fd, const char *name, int port)
{
	const char *why = job(port);
	int error = errno;

	job_say(fd, name, why ? why : "ok");
	if (why)
		job_say(fd, name, strerrorname_np(error) ? strerrorname_np(error) : "?");
	return why != NULL;
}

#endif
