/*
 * datagrams.h - what the parts of datagrams.c share: its server, sockets and addresses, and how it says what came of a
 * call.
 */
#ifndef DATAGRAMS_H
#define DATAGRAMS_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BAD bad
#define DELAY 200 /* ms, of the server's slow answers */
#define PATIENCE 20000 /* ms, for what comes */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The C library may look into a message before the kernel does; i386's makes a socketcall of it. */
#ifdef __LP64__
#define RECVMSG(...) syscall(SYS_recvmsg, __VA_ARGS__)
#define SENDMSG(...) syscall(SYS_sendmsg, __VA_ARGS__)
#else
#define RECVMSG recvmsg
#define SENDMSG sendmsg
#endif

static void *volatile bad = (void *)8;
static uint16_t port, unused;
static int fd; /* the client's socket */
static int64_t asked; /* when something was sent last, or a limit begun */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static long result(long n)
{
	return n < 0 ? -errno : n;
}

static const char *which(uint16_t number)
{
	return number == port ? "requested" : number == unused ? "unused" : number ? "other" : "none";
}

/* ---- addresses ---- */

static struct sockaddr_in four(uint16_t number)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(number), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static struct sockaddr_in6 six(uint16_t number, const char *text)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(number)};

	inet_pton(AF_INET6, text, &a.sin6_addr);
	return a;
}

static const char *show(const struct sockaddr_storage *name)
{
	static char text[128];
	char address[64] = "";
	const struct sockaddr_in *in = (const void *)name;
	const struct sockaddr_in6 *in6 = (const void *)name;

	if (name->ss_family == AF_INET)
		inet_ntop(AF_INET, &in->sin_addr, address, sizeof(address));
	else if (name->ss_family == AF_INET6)
		inet_ntop(AF_INET6, &in6->sin6_addr, address, sizeof(address));
	else
		return "no name";
	snprintf(text, sizeof(text), "%s %s", address, which(ntohs(in->sin_port)));
	return text;
}

static long send_to(const void *data, size_t size, int flags)
{
	struct sockaddr_in a = four(port);

	asked = now_ms();
	return result(sendto(fd, data, size, flags, (struct sockaddr *)&a, sizeof(a)));
}

/* That a slow answer was waited for; and that another one came late, which a loaded machine may be the reason of:
 * datagrams.py asks again. */
static const char *when(const char *data, long n)
{
	bool later = now_ms() - asked >= DELAY - 10;

	if (n <= 0 || data[0] != 's')
		return n >= 0 && later ? ", late" : "";
	return later ? ", after a while" : ", too early";
}

static void say_received(const char *what, int flags, size_t room)
{
	struct sockaddr_storage name = {0};
	socklen_t length = sizeof(name);
	char data[256] = "";
	long n = result(recvfrom(fd, data, room, flags, (struct sockaddr *)&name, &length));

	data[n > 0 ? (size_t)n < room ? n : (long)room : 0] = '\0';
	printf("%s: %ld '%s' from %s, %d%s\n", what, n, data, show(&name), (int)length,
	       when(data, n));
}

static char state_of(pid_t pid)
{
	char path[64], state = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	if (f)
		fclose(f);
	return state;
}

/* ---- the server: what a message begins with says what becomes of it ---- */

static int go_on[2]; /* a pipe: for each byte, one answer that is kept back */

static void serve(int server)
{
	static char data[65536];

	for (;;) {
		struct sockaddr_storage name;
		socklen_t length = sizeof(name);
		ssize_t n = recvfrom(server, data, sizeof(data), 0, (struct sockaddr *)&name, &length);
		int times = n > 0 && data[0] == '3' ? 3 : 1;

		if (n < 0 || (n > 0 && data[0] == 'q'))
			_exit(0);
		if (n > 0 && data[0] == 'n') /* no answer */
			continue;
		if (n > 0 && data[0] == 's')
			poll(NULL, 0, DELAY);
		if (n > 0 && data[0] == 'k' && read(go_on[0], data + 1, 1) != 1)
			_exit(0);
		if (n > 0 && data[0] == 'w' && read(0, data + 1, 1) != 1) /* when the test says so */
			_exit(0);
		while (times--)
			sendto(server, data, (size_t)n, 0, (struct sockaddr *)&name, length);
	}
}

static pid_t start_server(void)
{
	int server = socket(AF_INET6, SOCK_DGRAM, 0), off = 0;
	struct sockaddr_in6 a = six(port, "::");
	pid_t pid;

	setsockopt(server, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	printf("bind: %ld\n", result(bind(server, (struct sockaddr *)&a, sizeof(a))));
	fflush(stdout);
	if (pipe(go_on) < 0)
		_exit(3);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, (long)SIGKILL, 0L, 0L, 0L);
		serve(server);
	}
	close(server);
	return pid;
}

#endif
