/*
 * hooks.c - proves for every exported function that it is ours, and that it fires.
 *
 * hooks SYMBOL...    (the symbols of exports.map; run by test_active_hooks.sh, with PORTS_* held by an outsider)
 *
 * Each function is called by its name, through dlsym, so that aliases (__connect, __recvfrom_chk) are called
 * themselves. The proof is something that only portshim can have done: a port that an outsider holds was bound, a
 * client reached a server at a port where it is not, a port was told that is not the kernel's, a cleared environment
 * has a preload again. A symbol without a test is a failure.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../check.h"
#include "core/sys.h"

extern char **environ;

typedef int bind_function(int, const struct sockaddr *, socklen_t);
typedef int listen_function(int, int);
typedef int accept_function(int, struct sockaddr *, socklen_t *);
typedef int accept4_function(int, struct sockaddr *, socklen_t *, int);
typedef ssize_t sendto_function(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
typedef ssize_t recvfrom_function(int, void *, size_t, int, struct sockaddr *, socklen_t *);
typedef ssize_t recvfrom_chk_function(int, void *, size_t, size_t, int, struct sockaddr *, socklen_t *);
typedef ssize_t sendmsg_function(int, const struct msghdr *, int);
typedef ssize_t recvmsg_function(int, struct msghdr *, int);
typedef int sendmmsg_function(int, struct mmsghdr *, unsigned, int);
typedef int recvmmsg_function(int, struct mmsghdr *, unsigned, int, struct timespec *);
typedef int socket_function(int, int, int);
typedef int bindresvport_function(int, struct sockaddr_in *);
typedef long syscall_function(long, ...);
typedef int execl_function(const char *, const char *, ...);
typedef int execv_function(const char *, char *const *);
typedef int execve_function(const char *, char *const *, char *const *);
typedef int execveat_function(int, const char *, char *const *, char *const *, int);
typedef int fexecve_function(int, char *const *, char *const *);
typedef int spawn_function(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
			   char *const *, char *const *);

static void *function; /* the one under test */
static const char *symbol;
static int ports_used;

static int take_port(void)
{
	const char *first = getenv("PORTS_FIRST"), *count = getenv("PORTS_COUNT");

	if (!first || !count || ports_used >= atoi(count)) {
		errno = ENOSPC;
		check_fatal("ports");
	}
	return atoi(first) + ports_used++;
}

static struct sockaddr_in at(int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* The port that the kernel says, past every hook. */
static int kernel_port(int fd)
{
	struct sockaddr_in a = { 0 };
	socklen_t length = sizeof(a);

	sys3(SYS_getsockname, fd, &a, &length);
	return ntohs(a.sin_port);
}

static int bound(int type, int port)
{
	struct sockaddr_in a = at(port);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	CHECK(!bind(fd, &a, sizeof(a)), symbol);
	CHECK(kernel_port(fd) != port, symbol);
	return fd;
}

static int server(int port)
{
	int fd = bound(SOCK_STREAM, port);

	CHECK(!listen(fd, 8), symbol);
	return fd;
}

static int client(int port)
{
	struct sockaddr_in a = at(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(!connect(fd, &a, sizeof(a)), symbol);
	return fd;
}

/* True if the descriptor becomes readable: the server's side sees what the client did. */
static int readable(int fd)
{
	return poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 60000) == 1;
}

static void test_bind(void)
{
	struct sockaddr_in a = at(take_port());
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(!((bind_function *)function)(fd, (struct sockaddr *)&a, sizeof(a)), symbol);
	CHECK(kernel_port(fd) != ntohs(a.sin_port), symbol);
	close(fd);
}

/* A UDP socket on the number of a TCP listener: recorded, so that datagrams find it, only if the hook saw it being
 * made. */
static void test_socket(void)
{
	int port = take_port(), listener = server(port);
	struct sockaddr_in a = at(port);
	int fd = ((socket_function *)function)(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int from = (int)sys3(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	CHECK(!bind(fd, (struct sockaddr *)&a, sizeof(a)) && kernel_port(fd) == kernel_port(listener), symbol);
	CHECK(sendto(from, "x", 1, 0, (struct sockaddr *)&a, sizeof(a)) == 1 && readable(fd), symbol);
	close(from);
	close(fd);
	close(listener);
}

static void test_listen(void)
{
	int port = take_port(), fd = bound(SOCK_STREAM, port);
	struct sockaddr_in a;
	socklen_t length = sizeof(a);

	CHECK(!((listen_function *)function)(fd, 8), symbol);
	/* only the hook makes the change from requested to actual (law 10) */
	CHECK(!getsockname(fd, &a, &length) && ntohs(a.sin_port) == kernel_port(fd), symbol);
	close(fd);
}

static void test_connect(void)
{
	int port = take_port(), listener = server(port), fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = at(port);

	CHECK(!((bind_function *)function)(fd, (struct sockaddr *)&a, sizeof(a)), symbol);
	CHECK(readable(listener), symbol);
	close(fd);
	close(listener);
}

/* A client that bound a moved port connects: its port is to be seen as it asked for it. */
static void accept_any(int flags)
{
	int port = take_port(), own = take_port(), listener = server(port), from = bound(SOCK_STREAM, own), fd;
	struct sockaddr_in a = at(port), peer = { 0 };
	socklen_t length = sizeof(peer);

	CHECK(!connect(from, &a, sizeof(a)) && readable(listener), symbol);
	fd = flags < 0 ? ((accept_function *)function)(listener, (struct sockaddr *)&peer, &length)
		       : ((accept4_function *)function)(listener, (struct sockaddr *)&peer, &length, flags);
	CHECK(fd >= 0 && ntohs(peer.sin_port) == own, symbol);
	close(fd);
	close(from);
	close(listener);
}

static void test_accept(void)
{
	accept_any(-1);
}

static void test_accept4(void)
{
	accept_any(SOCK_CLOEXEC);
}

static void test_getsockname(void)
{
	int port = take_port(), fd = bound(SOCK_STREAM, port);
	struct sockaddr_in a;
	socklen_t length = sizeof(a);

	CHECK(!((accept_function *)function)(fd, (struct sockaddr *)&a, &length) && ntohs(a.sin_port) == port, symbol);
	close(fd);
}

static void test_getpeername(void)
{
	int port = take_port(), listener = server(port), fd = client(port);
	struct sockaddr_in a;
	socklen_t length = sizeof(a);

	CHECK(!((accept_function *)function)(fd, (struct sockaddr *)&a, &length) && ntohs(a.sin_port) == port, symbol);
	close(fd);
	close(listener);
}

static void test_send(void)
{
	int port = take_port(), to = bound(SOCK_DGRAM, port), fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = at(port);
	struct iovec data = { (char[]){ "x" }, 1 };
	struct mmsghdr m = { .msg_hdr = {
				     .msg_name = &a, .msg_namelen = sizeof(a), .msg_iov = &data, .msg_iovlen = 1 } };

	if (strcmp(symbol, "sendto") == 0)
		CHECK(((sendto_function *)function)(fd, "x", 1, 0, (struct sockaddr *)&a, sizeof(a)) == 1, symbol);
	else if (strcmp(symbol, "sendmsg") == 0)
		CHECK(((sendmsg_function *)function)(fd, &m.msg_hdr, 0) == 1, symbol);
	else
		CHECK(((sendmmsg_function *)function)(fd, &m, 1, 0) == 1, symbol);
	CHECK(readable(to), symbol);
	close(fd);
	close(to);
}

static void test_receive(void)
{
	int port = take_port(), own = take_port(), to = bound(SOCK_DGRAM, port), from = bound(SOCK_DGRAM, own);
	struct sockaddr_in a = at(port), source = { 0 };
	socklen_t length = sizeof(source);
	char byte[4];
	struct iovec data = { byte, sizeof(byte) };
	struct mmsghdr m = {
		.msg_hdr = { .msg_name = &source, .msg_namelen = sizeof(source), .msg_iov = &data, .msg_iovlen = 1 }
	};

	CHECK(sendto(from, "x", 1, 0, &a, sizeof(a)) == 1 && readable(to), symbol);
	if (strcmp(symbol, "recvfrom") == 0)
		CHECK(((recvfrom_function *)function)(to, byte, 4, 0, (struct sockaddr *)&source, &length) == 1,
		      symbol);
	else if (strcmp(symbol, "__recvfrom_chk") == 0)
		CHECK(((recvfrom_chk_function *)function)(to, byte, 4, 4, 0, (struct sockaddr *)&source, &length) == 1,
		      symbol);
	else if (strcmp(symbol, "recvmsg") == 0)
		CHECK(((recvmsg_function *)function)(to, &m.msg_hdr, 0) == 1, symbol);
	else
		CHECK(((recvmmsg_function *)function)(to, &m, 1, 0, NULL) == 1, symbol);
	CHECK(ntohs(source.sin_port) == own, symbol);
	close(from);
	close(to);
}

/* libc's bindresvport calls bind inside libc: without a hook of its own, its UDP port would not be recorded. */
static void test_bindresvport(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), result = ((bindresvport_function *)function)(fd, NULL),
	    file;
	const char *path = getenv("DISCOVERY");
	char text[65536], wanted[32];
	ssize_t size;

	if (result && errno == EACCES) {
		check_skip(symbol, "ports below 1024 need a privilege");
		return;
	}
	CHECK(!result, symbol);
	file = open(path ? path : "", O_RDONLY | O_CLOEXEC);
	size = read(file, text, sizeof(text) - 1);
	text[size > 0 ? size : 0] = '\0';
	snprintf(wanted, sizeof(wanted), "%d", kernel_port(fd));
	CHECK(strstr(text, wanted) != NULL, symbol);
	close(file);
	close(fd);
}

static void test_syscall(void)
{
	struct sockaddr_in a = at(take_port());
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(!((syscall_function *)function)(SYS_bind, fd, &a, sizeof(a)), symbol);
	CHECK(kernel_port(fd) != ntohs(a.sin_port), symbol);
	close(fd);
}

/* ---- new programs: the child says by its exit status whether it has the preload ---- */

#define PRELOADED 42
#define SELF "/proc/self/exe"

static char *child_argv[] = { (char[]){ "hooks" }, (char[]){ "--child" }, NULL };
static char *empty[] = { NULL };

static int child(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "libportshim") && getenv("PORTSHIM_RUN") ? PRELOADED : 1;
}

static void check_child(pid_t pid)
{
	int status = -1;

	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == PRELOADED,
	      symbol);
}

static void call_exec(void)
{
	int fd = open(SELF, O_RDONLY | O_CLOEXEC);

	/* those that take no environment get theirs from `environ` */
	environ = empty;
	if (strcmp(symbol, "execl") == 0 || strcmp(symbol, "execlp") == 0)
		((execl_function *)function)(SELF, "hooks", "--child", (char *)NULL);
	else if (strcmp(symbol, "execle") == 0)
		((execl_function *)function)(SELF, "hooks", "--child", (char *)NULL, empty);
	else if (strcmp(symbol, "execv") == 0 || strcmp(symbol, "execvp") == 0)
		((execv_function *)function)(SELF, child_argv);
	else if (strcmp(symbol, "execve") == 0 || strcmp(symbol, "execvpe") == 0)
		((execve_function *)function)(SELF, child_argv, empty);
	else if (strcmp(symbol, "execveat") == 0)
		((execveat_function *)function)(AT_FDCWD, SELF, child_argv, empty, 0);
	else if (strcmp(symbol, "fexecve") == 0)
		((fexecve_function *)function)(fd, child_argv, empty);
	_exit(127);
}

static void test_exec(void)
{
	pid_t pid = fork();

	if (pid == 0)
		call_exec();
	check_child(pid);
}

static void test_spawn(void)
{
	pid_t pid = -1;

	CHECK(((spawn_function *)function)(&pid, SELF, NULL, NULL, child_argv, empty) == 0, symbol);
	check_child(pid);
}

typedef const char *options_function(void);

static void test_asan_options(void)
{
	CHECK(strcmp(((options_function *)function)(), "verify_asan_link_order=0") == 0, symbol);
}

typedef int namespace_function(int, int);
typedef int clone_function(int (*)(void *), void *, int, void *);

static int cloned(void *unused)
{
	(void)unused;
	_exit(PRELOADED);
}

/* That they know of network namespaces is shown in tests/company. */
static void test_namespace(void)
{
	static char stack[65536] __attribute__((aligned(16)));

	if (strcmp(symbol, "clone") == 0)
		check_child(((clone_function *)function)(cloned, stack + sizeof(stack), SIGCHLD, NULL));
	else if (strcmp(symbol, "unshare") == 0)
		CHECK(((namespace_function *)function)(0, 0) == 0, symbol);
	else
		CHECK(((namespace_function *)function)(-1, 0) == -1 && errno == EBADF, symbol);
}

static const struct {
	const char *symbol;
	void (*test)(void);
} tests[] = {
	{ "__asan_default_options", test_asan_options },
	{ "__connect", test_connect },
	{ "__recvfrom_chk", test_receive },
	{ "accept", test_accept },
	{ "accept4", test_accept4 },
	{ "bind", test_bind },
	{ "bindresvport", test_bindresvport },
	{ "clone", test_namespace },
	{ "connect", test_connect },
	{ "execl", test_exec },
	{ "execle", test_exec },
	{ "execlp", test_exec },
	{ "execv", test_exec },
	{ "execve", test_exec },
	{ "execveat", test_exec },
	{ "execvp", test_exec },
	{ "execvpe", test_exec },
	{ "fexecve", test_exec },
	{ "getpeername", test_getpeername },
	{ "getsockname", test_getsockname },
	{ "listen", test_listen },
	{ "posix_spawn", test_spawn },
	{ "posix_spawnp", test_spawn },
	{ "recvfrom", test_receive },
	{ "recvmmsg", test_receive },
	{ "recvmsg", test_receive },
	{ "sendmmsg", test_send },
	{ "sendmsg", test_send },
	{ "sendto", test_send },
	{ "setns", test_namespace },
	{ "socket", test_socket },
	{ "syscall", test_syscall },
	{ "unshare", test_namespace },
};

static void test_symbol(void)
{
	Dl_info info = { 0 };
	unsigned i;

	function = dlsym(RTLD_DEFAULT, symbol);
	if (!CHECK(function && dladdr(function, &info) && strstr(info.dli_fname, "libportshim"), symbol))
		return;
	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		if (strcmp(tests[i].symbol, symbol) == 0)
			break;
	if (CHECK(i < sizeof(tests) / sizeof(tests[0]), symbol))
		tests[i].test();
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--child") == 0)
		return child();
	alarm(120);
	for (int i = 1; i < argc; i++) {
		symbol = argv[i];
		test_symbol();
	}
	return check_finish();
}
