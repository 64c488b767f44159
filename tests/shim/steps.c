/*
 * steps.c - a program that does what its arguments say, one call after the other: the servers and clients of the
 * active tests.
 *
 * steps STEP...
 *
 * Each step prints one line with its result ("bind ok", "connect ECONNREFUSED"); nothing stops at a failure, so that
 * a test sees everything. Sockets are numbered in the order of their making; the last one is the current one.
 *
 *	tcp4 tcp6 udp4 udp6        a new socket                       use N            makes socket N the current one
 *	lite4 rawtcp4 rawudp4      UDP-Lite's, and raw ones
 *	reuseaddr reuseport v6only dual        options                as FD            adopts an inherited descriptor
 *	bind ADDRESS PORT    listen    connect ADDRESS PORT    accept    close    dup
 *	name     the port of getsockname          kernel   the port that the kernel says, past every hook
 *	peer     the port of getpeername          recorded PORT   is it in the discovery file $DISCOVERY, now, 0600?
 *	send TEXT    read    sendto ADDRESS PORT TEXT    recvfrom (prints the text and the source's port)
 *	say TEXT     wait (for a line on stdin, or its end)    serve TOKEN (answers at every listener; ends
 *	with stdin)    answer TOKEN (the same for UDP)
 *	sync N       meets N-1 others at the barrier in $BARRIER (a file of 8 bytes)
 *	fork (the child does the rest; waits for it)    closeall (every descriptor above 2)
 *	pass (sends the current socket to a child by SCM_RIGHTS; the child closes all else and does the rest with it)
 *	exec | vfork | spawn | cleared-exec | cleared-spawn    the rest in a new program; "cleared": with an empty
 *	environment; the current socket is inherited, and the new program's "as" finds it by its number, printed here
 *	preloaded    is libportshim.so in LD_PRELOAD?
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/sys.h"

#define MAX 64
#define READ_MS 30000 /* what never comes is told before the tests lose patience (LIMIT in lib/harness.py) */

extern char **environ;

static int fds[MAX], count, current = -1;
static char **next; /* the steps that are still to do */

static void tell(const char *step, int result)
{
	printf("%s %s\n", step, result < 0 ? strerrorname_np(errno) : "ok");
}

static char *argument(void)
{
	if (!*next) {
		fprintf(stderr, "steps: an argument is missing\n");
		exit(2);
	}
	return *next++;
}

static void add(int fd)
{
	if (count == MAX) {
		fprintf(stderr, "steps: too many sockets\n");
		exit(2);
	}
	fds[count++] = fd;
	current = fd;
}

static void option(int level, int name, int value, const char *step)
{
	tell(step, setsockopt(current, level, name, &value, sizeof(value)));
}

/* Reads ADDRESS PORT; AF_INET6 if the address has a colon. */
static socklen_t address(struct sockaddr_storage *a)
{
	const char *text = argument();
	uint16_t port = htons((uint16_t)atoi(argument()));

	memset(a, 0, sizeof(*a));
	if (strchr(text, ':')) {
		struct sockaddr_in6 *six = (struct sockaddr_in6 *)a;

		six->sin6_family = AF_INET6;
		six->sin6_port = port;
		inet_pton(AF_INET6, text, &six->sin6_addr);
		return sizeof(*six);
	}
	((struct sockaddr_in *)a)->sin_family = AF_INET;
	((struct sockaddr_in *)a)->sin_port = port;
	inet_pton(AF_INET, text, &((struct sockaddr_in *)a)->sin_addr);
	return sizeof(struct sockaddr_in);
}

static int port_of(const struct sockaddr_storage *a)
{
	return ntohs(((const struct sockaddr_in *)a)->sin_port);
}

static void print_name(const char *step, int (*ask)(int, struct sockaddr *, socklen_t *))
{
	struct sockaddr_storage a = { 0 };
	socklen_t length = sizeof(a);

	if (ask(current, (struct sockaddr *)&a, &length))
		tell(step, -1);
	else
		printf("%s %d\n", step, port_of(&a));
}

static int ask_sock(int fd, struct sockaddr *a, socklen_t *length)
{
	return getsockname(fd, a, length);
}

static int ask_peer(int fd, struct sockaddr *a, socklen_t *length)
{
	return getpeername(fd, a, length);
}

/* What the kernel says, by an instruction that nobody can interpose. */
static int ask_kernel(int fd, struct sockaddr *a, socklen_t *length)
{
	long result = sys3(SYS_getsockname, fd, a, length);

	errno = (int)-result;
	return result < 0 ? -1 : 0;
}

/* Law 13: looked at by the very process that just came back from listen(). */
static void recorded(void)
{
	char text[65536], wanted[32];
	const char *path = getenv("DISCOVERY");
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	ssize_t size = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	struct stat status;

	snprintf(wanted, sizeof(wanted), "\"port\":%s,", argument());
	if (size < 0 || fstat(fd, &status)) {
		printf("recorded no file\n");
	} else {
		text[size] = '\0';
		/* a writer may leave blanks after the colon */
		for (char *from = text, *to = text;; from++)
			if (*from != ' ' && !(*to++ = *from))
				break;
		printf("recorded %s %o\n", strstr(text, wanted) ? "yes" : "no", (unsigned)status.st_mode & 0777);
	}
	if (fd >= 0)
		close(fd);
}

static void read_text(void)
{
	char text[256];
	ssize_t size;

	if (poll(&(struct pollfd){ .fd = current, .events = POLLIN }, 1, READ_MS) != 1) {
		printf("read nothing\n");
		return;
	}
	size = recv(current, text, sizeof(text) - 1, 0);
	if (size < 0) {
		tell("read", -1);
		return;
	}
	text[size] = '\0';
	printf("read %s\n", text);
}

static void receive(void)
{
	struct sockaddr_storage a = { 0 };
	socklen_t length = sizeof(a);
	char text[256];
	ssize_t size;

	if (poll(&(struct pollfd){ .fd = current, .events = POLLIN }, 1, READ_MS) != 1) {
		printf("recvfrom nothing\n");
		return;
	}
	size = recvfrom(current, text, sizeof(text) - 1, 0, (struct sockaddr *)&a, &length);
	if (size < 0) {
		tell("recvfrom", -1);
		return;
	}
	text[size] = '\0';
	printf("recvfrom %s %d\n", text, port_of(&a));
}

/* Answers with the token until stdin ends: connections at every listener, datagrams at every UDP socket. */
static void serve(const char *token, int datagrams)
{
	struct pollfd p[MAX + 1];

	for (int i = 0; i < count; i++)
		p[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
	p[count] = (struct pollfd){ .fd = 0, .events = POLLIN };
	printf("serve ok\n");
	while (poll(p, (nfds_t)count + 1, -1) > 0 && !p[count].revents) {
		for (int i = 0; i < count; i++) {
			struct sockaddr_storage a;
			socklen_t length = sizeof(a);
			char text[64];
			int fd;

			if (!p[i].revents)
				continue;
			if (datagrams) {
				if (recvfrom(fds[i], text, sizeof(text), 0, (struct sockaddr *)&a, &length) >= 0)
					sendto(fds[i], token, strlen(token), 0, (struct sockaddr *)&a, length);
				continue;
			}
			fd = accept(fds[i], NULL, NULL);
			if (fd < 0)
				continue;
			send(fd, token, strlen(token), MSG_NOSIGNAL);
			close(fd);
		}
	}
}

/* The barrier: a counter in a shared file; the last one to come wakes the others. */
static void meet(int others)
{
	const char *path = getenv("BARRIER");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	_Atomic int *counter = mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	const struct timespec limit = { .tv_sec = 120 };
	int here;

	if (counter == MAP_FAILED) {
		tell("sync", -1);
		return;
	}
	close(fd);
	here = atomic_fetch_add(counter, 1) + 1;
	if (here == others)
		syscall(SYS_futex, counter, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	while (here < others && (!syscall(SYS_futex, counter, FUTEX_WAIT, here, &limit, NULL, 0) || errno != ETIMEDOUT))
		here = atomic_load(counter);
	printf("sync %s\n", here >= others ? "ok" : "alone");
}

static void wait_line(void)
{
	char line[64];

	while (read(0, line, sizeof(line)) < 0 && errno == EINTR)
		;
}

static void close_all(void)
{
	/* of the kernel, not of libc: what Node and shells do */
	if (syscall(SYS_close_range, 3, ~0U, 0) && errno == ENOSYS)
		for (int fd = 3; fd < 1024; fd++)
			close(fd);
	count = 0;
	current = -1;
	printf("closeall ok\n");
}

static void wait_child(pid_t pid)
{
	int status;

	waitpid(pid, &status, 0);
	exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static void close_sockets(void)
{
	for (int i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	count = 0;
}

static void pass(void)
{
	int pair[2], fd = current;
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec data = { (char[]){ "f" }, 1 };
	struct msghdr m = {
		.msg_iov = &data, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)
	};
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
		tell("pass", -1);
		return;
	}
	pid = fork();
	if (pid) {
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
		tell("pass", (int)sendmsg(pair[0], &m, 0));
		fflush(stdout);
		close_sockets();
		wait_child(pid);
	}
	close_sockets();
	tell("passed", (int)recvmsg(pair[1], &m, MSG_CMSG_CLOEXEC));
	memcpy(&fd, CMSG_DATA(&control.align), sizeof(fd));
	close(pair[0]);
	close(pair[1]);
	add(fd);
}

static void rest_in_new_program(const char *how)
{
	char *none[] = { NULL }, *argv[128] = { (char[]){ "steps" } };
	char **envp = strncmp(how, "cleared-", 8) == 0 ? none : environ;
	int n = 1, error;
	pid_t pid;

	while (*next && n < 127)
		argv[n++] = *next++;
	if (current >= 0)
		fcntl(current, F_SETFD, 0);
	printf("%s %d\n", how, current);
	fflush(stdout);
	if (strstr(how, "exec")) {
		execve("/proc/self/exe", argv, envp);
		tell(how, -1);
		exit(1);
	}
	if (strcmp(how, "vfork") == 0) {
		pid = vfork();
		if (pid == 0) {
			execve("/proc/self/exe", argv, envp);
			_exit(127);
		}
		wait_child(pid);
	}
	error = posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, envp);
	if (error) {
		errno = error;
		tell(how, -1);
		exit(1);
	}
	wait_child(pid);
}

static void make(int family, int type, int protocol, const char *step)
{
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		tell(step, -1);
	else
		add(fd);
}

static void close_current(void)
{
	tell("close", close(current));
	for (int i = 0; i < count; i++)
		if (fds[i] == current)
			fds[i] = -1;
}

static void accept_one(void)
{
	int fd = poll(&(struct pollfd){ .fd = current, .events = POLLIN }, 1, 20000) == 1 ? accept(current, NULL, NULL)
											  : -1;

	tell("accept", fd);
	if (fd >= 0)
		add(fd);
}

static void step(const char *s)
{
	struct sockaddr_storage a;
	socklen_t length;
	const char *preload;
	pid_t pid;

	if (strcmp(s, "tcp4") == 0)
		make(AF_INET, SOCK_STREAM, 0, s);
	else if (strcmp(s, "tcp6") == 0)
		make(AF_INET6, SOCK_STREAM, 0, s);
	else if (strcmp(s, "udp4") == 0)
		make(AF_INET, SOCK_DGRAM, 0, s);
	else if (strcmp(s, "udp6") == 0)
		make(AF_INET6, SOCK_DGRAM, 0, s);
	else if (strcmp(s, "lite4") == 0)
		make(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE, s);
	else if (strcmp(s, "rawtcp4") == 0)
		make(AF_INET, SOCK_RAW, IPPROTO_TCP, s);
	else if (strcmp(s, "rawudp4") == 0)
		make(AF_INET, SOCK_RAW, IPPROTO_UDP, s);
	else if (strcmp(s, "use") == 0)
		current = fds[atoi(argument())];
	else if (strcmp(s, "as") == 0)
		add(atoi(argument()));
	else if (strcmp(s, "reuseaddr") == 0)
		option(SOL_SOCKET, SO_REUSEADDR, 1, s);
	else if (strcmp(s, "reuseport") == 0)
		option(SOL_SOCKET, SO_REUSEPORT, 1, s);
	else if (strcmp(s, "v6only") == 0)
		option(IPPROTO_IPV6, IPV6_V6ONLY, 1, s);
	else if (strcmp(s, "dual") == 0)
		option(IPPROTO_IPV6, IPV6_V6ONLY, 0, s);
	else if (strcmp(s, "bind") == 0) {
		length = address(&a);
		tell(s, bind(current, (struct sockaddr *)&a, length));
	} else if (strcmp(s, "listen") == 0)
		tell(s, listen(current, 64));
	else if (strcmp(s, "connect") == 0) {
		length = address(&a);
		tell(s, connect(current, (struct sockaddr *)&a, length));
	} else if (strcmp(s, "accept") == 0)
		accept_one();
	else if (strcmp(s, "close") == 0)
		close_current();
	else if (strcmp(s, "dup") == 0)
		add(fcntl(current, F_DUPFD_CLOEXEC, 0));
	else if (strcmp(s, "name") == 0)
		print_name(s, ask_sock);
	else if (strcmp(s, "peer") == 0)
		print_name(s, ask_peer);
	else if (strcmp(s, "kernel") == 0)
		print_name(s, ask_kernel);
	else if (strcmp(s, "recorded") == 0)
		recorded();
	else if (strcmp(s, "send") == 0) {
		const char *text = argument();

		tell(s, (int)send(current, text, strlen(text), MSG_NOSIGNAL));
	} else if (strcmp(s, "read") == 0)
		read_text();
	else if (strcmp(s, "sendto") == 0) {
		const char *text;

		length = address(&a);
		text = argument();
		tell(s, (int)sendto(current, text, strlen(text), 0, (struct sockaddr *)&a, length));
	} else if (strcmp(s, "recvfrom") == 0)
		receive();
	else if (strcmp(s, "say") == 0)
		printf("%s\n", argument());
	else if (strcmp(s, "wait") == 0)
		wait_line();
	else if (strcmp(s, "serve") == 0)
		serve(argument(), 0);
	else if (strcmp(s, "answer") == 0)
		serve(argument(), 1);
	else if (strcmp(s, "sync") == 0)
		meet(atoi(argument()));
	else if (strcmp(s, "fork") == 0) {
		fflush(stdout);
		pid = fork();
		if (pid)
			wait_child(pid);
		printf("fork ok\n");
	} else if (strcmp(s, "closeall") == 0)
		close_all();
	else if (strcmp(s, "pass") == 0)
		pass();
	else if (strcmp(s, "preloaded") == 0) {
		preload = getenv("LD_PRELOAD");
		printf("preloaded %s\n", preload && strstr(preload, "libportshim") ? "yes" : "no");
	} else if (strstr(s, "exec") || strstr(s, "spawn") || strcmp(s, "vfork") == 0)
		rest_in_new_program(s);
	else {
		fprintf(stderr, "steps: no step '%s'\n", s);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	(void)argc;
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	next = argv + 1;
	while (*next)
		step(*next++);
	return 0;
}
