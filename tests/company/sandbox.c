/*
 * sandbox.c - a server that gives up what it does not need any more (seccomp): sandbox CASE PORT.
 *
 * What it still calls after that is what a bare program calls there; system calls that only the library makes are
 * refused, or end the program. Status 77: no seccomp here.
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "job.h"

#define MAX_CALLS 40

static int port;
static int listener, clients[2], unbound, datagrams[2];

static int install(const int *calls, int count, unsigned listed, unsigned other)
{
	struct sock_filter code[MAX_CALLS * 2 + 2];
	struct sock_fprog program = { .filter = code };
	int n = 0;

	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (int i = 0; i < count; i++) {
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i], 0, 1);
		code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, listed);
	}
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, other);
	program.len = (unsigned short)n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* One client has been served before, so that everything has been called once. */
static int prepare(void)
{
	int one = 1;

	listener = job_listen(port);
	clients[0] = socket(AF_INET, SOCK_STREAM, 0);
	clients[1] = socket(AF_INET, SOCK_STREAM, 0);
	unbound = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(unbound, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	datagrams[0] = job_bind(SOCK_DGRAM, port);
	datagrams[1] = socket(AF_INET, SOCK_DGRAM, 0);
	if (listener < 0 || datagrams[0] < 0 || job_connect(clients[0], port) != 0)
		return 1;
	return close(accept(listener, NULL, NULL));
}

static const char *serve(void)
{
	struct sockaddr_in a = { 0 }, to = job_address(port);
	socklen_t n = sizeof(a);
	const char *why = NULL;
	char word[8];
	int peer;

	JOB_STEP(job_connect(clients[1], port) == 0, "connect");
	peer = accept4(listener, (struct sockaddr *)&a, &n, 0);
	JOB_STEP(peer >= 0, "accept4");
	JOB_STEP(job_port(clients[1], job_peer) == port, "getpeername");
	JOB_STEP(job_port(listener, job_own) > 0, "getsockname");
	JOB_STEP(send(peer, "mine", 4, 0) == 4 && recv(clients[1], word, 8, 0) == 4, "data");
	JOB_STEP(sendto(datagrams[1], "ping", 4, 0, (struct sockaddr *)&to, sizeof(to)) == 4, "sendto");
	n = sizeof(a);
	JOB_STEP(recvfrom(datagrams[0], word, 8, 0, (struct sockaddr *)&a, &n) == 4, "recvfrom");
	JOB_STEP(sendto(datagrams[0], "pong", 4, 0, (struct sockaddr *)&a, n) == 4, "answer");
	n = sizeof(a);
	JOB_STEP(recvfrom(datagrams[1], word, 8, 0, (struct sockaddr *)&a, &n) == 4 && ntohs(a.sin_port) == port, "source");
out:
	return why;
}

/* A server that is up: whatever else it calls ends it. */
static int killed(void)
{
	static const int calls[] = {
		SYS_connect, SYS_accept, SYS_accept4, SYS_getpeername, SYS_getsockname, SYS_sendto, SYS_recvfrom,
		SYS_getsockopt, /* the job has TCP and UDP on one number: limits.md */
		SYS_write,   SYS_close,  SYS_exit_group,
	};
	const char *why;

	if (prepare() != 0)
		return 1;
	if (install(calls, sizeof(calls) / sizeof(calls[0]), SECCOMP_RET_ALLOW, SECCOMP_RET_KILL_PROCESS) != 0)
		return 77;
	why = serve();
	job_say(1, "serve", why ? why : "ok");
	return why != NULL;
}

/* No new sockets, files or memory; yet bind and listen are allowed, and made on a socket that was there before. */
static int refused(void)
{
	static const int calls[] = {
		SYS_socket, SYS_openat, SYS_mmap, SYS_madvise, SYS_mkdirat, SYS_renameat, SYS_renameat2, SYS_unlinkat,
		SYS_utimensat, SYS_setsockopt, SYS_futex, SYS_fallocate,
	};
	struct sockaddr_in a = job_address(port + 1);
	const char *why;
	int fd;

	if (prepare() != 0)
		return 1;
	if (install(calls, sizeof(calls) / sizeof(calls[0]), SECCOMP_RET_ERRNO | EPERM, SECCOMP_RET_ALLOW) != 0)
		return 77;
	why = serve();
	job_say(1, "serve", why ? why : "ok");
	fd = bind(unbound, (struct sockaddr *)&a, sizeof(a));
	job_say(1, "bind", fd == 0 ? "ok" : strerrorname_np(errno));
	job_say(1, "listen", listen(unbound, 8) == 0 ? "ok" : strerrorname_np(errno));
	close(clients[0]);
	return why != NULL;
}

/* All of that before the first call of all. */
static int refused_first(void)
{
	static const int calls[] = { SYS_openat, SYS_mmap, SYS_madvise, SYS_getsockopt, SYS_futex };
	const char *why;

	if (install(calls, sizeof(calls) / sizeof(calls[0]), SECCOMP_RET_ERRNO | EPERM, SECCOMP_RET_ALLOW) != 0)
		return 77;
	why = job_tcp(port);
	job_say(1, "job", why ? why : "ok");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	port = atoi(argv[2]);
	if (strcmp(argv[1], "killed") == 0)
		return killed();
	if (strcmp(argv[1], "refused") == 0)
		return refused();
	return strcmp(argv[1], "refused-first") == 0 ? refused_first() : 2;
}
