/*
 * test_raw.c - the hooks' calls before the library is initialised, or where libc's functions cannot be found: raw
 * system calls with libc's return values and errnos.
 */
#include "laws.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static struct shim_real raw;

/* Before the library's constructor. */
__attribute__((constructor(101))) static void keep(void)
{
	raw = real;
}

static struct sockaddr_in any_port(void)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void stream_calls(void **state)
{
	struct sockaddr_in a = any_port(), name, peer;
	socklen_t length = sizeof(name);
	char data[4];
	struct iovec io = {data, sizeof(data)};
	struct msghdr m = {.msg_iov = &io, .msg_iovlen = 1};
	int fd = raw.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), client, one, two;

	(void)state;
	assert_true(raw.bind == real.bind || fd >= 0);
	assert_int_equal(raw.bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(raw.listen(fd, 4), 0);
	assert_int_equal(raw.getsockname(fd, (struct sockaddr *)&name, &length), 0);
	for (int i = 0; i < 2; i++) {
		client = raw.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(raw.connect(client, (struct sockaddr *)&name, sizeof(name)), 0);
		length = sizeof(peer);
		one = i ? raw.accept4(fd, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC)
			: raw.accept(fd, (struct sockaddr *)&peer, &length);
		assert_true(one >= 0);
		length = sizeof(peer);
		assert_int_equal(raw.getpeername(client, (struct sockaddr *)&peer, &length), 0);
		assert_int_equal(peer.sin_port, name.sin_port);
		assert_int_equal(raw.sendto(client, "abcd", 4, 0, NULL, 0), 4);
		assert_int_equal(raw.recvfrom(one, data, 2, 0, NULL, NULL), 2);
		assert_int_equal(raw.recvfrom_chk(one, data, 2, sizeof(data), 0, NULL, NULL), 2);
		assert_int_equal(raw.sendmsg(one, &m, 0), 4);
		assert_int_equal(raw.recvmsg(client, &m, 0), 4);
		close(one);
		close(client);
	}
	close(fd);
	two = raw.socket(-1, 0, 0);
	assert_int_equal(two, -1);
	assert_int_equal(errno, EAFNOSUPPORT);
	assert_int_equal(raw.listen(-1, 1), -1);
	assert_int_equal(errno, EBADF);
}

static void datagram_calls(void **state)
{
	struct sockaddr_in a = any_port();
	socklen_t length = sizeof(a);
	char data[2][4];
	struct iovec io[2] = {{data[0], 4}, {data[1], 4}};
	struct mmsghdr two[2] = {{.msg_hdr = {.msg_iov = &io[0], .msg_iovlen = 1}},
				 {.msg_hdr = {.msg_iov = &io[1], .msg_iovlen = 1}}};
	int at = raw.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_int_equal(raw.bind(at, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(raw.getsockname(at, (struct sockaddr *)&a, &length), 0);
	assert_int_equal(raw.connect(at, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(raw.sendmmsg(at, two, 2, 0), 2);
	assert_int_equal(raw.recvmmsg(at, two, 2, 0, NULL), 2);
	assert_int_equal(raw.syscall(SYS_getpid, 0, 0, 0, 0, 0, 0), getpid());
	close(at);
}

static int status_of(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void exec_calls(void **state)
{
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)"exit 7", NULL}, *envp[] = {NULL};

	(void)state;
	for (int how = 0; how < 3; how++) {
		pid_t pid = fork();

		if (pid == 0) {
			int fd = open("/bin/sh", O_RDONLY | O_CLOEXEC);

			if (how == 0)
				raw.execve("/bin/sh", argv, envp);
			else if (how == 1)
				raw.execveat(AT_FDCWD, "/bin/sh", argv, envp, 0);
			else
				raw.fexecve(fd, argv, envp);
			_exit(1);
		}
		assert_int_equal(WEXITSTATUS(status_of(pid)), 7);
	}
	assert_int_equal(raw.execve("/nowhere", argv, envp), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(raw.execveat(-1, "", argv, envp, 0), -1);
	assert_int_equal(raw.fexecve(-1, argv, envp), -1);
}

/* What is libc's own work cannot be done without it. */
static void what_has_no_raw_form(void **state)
{
	pid_t pid;

	(void)state;
	assert_int_equal(raw.execvpe("sh", NULL, NULL), -1);
	assert_int_equal(errno, ENOSYS);
	assert_int_equal(raw.posix_spawn(&pid, "/bin/sh", NULL, NULL, NULL, NULL), ENOSYS);
	assert_int_equal(raw.posix_spawnp(&pid, "sh", NULL, NULL, NULL, NULL), ENOSYS);
	assert_int_equal(raw.bindresvport(-1, NULL), -1);
	assert_int_equal(errno, ENOSYS);
	assert_int_equal(raw.clone(NULL, NULL, 0, NULL), -1);
	assert_int_equal(errno, ENOSYS);
}

static void namespace_calls(void **state)
{
	(void)state;
	assert_int_equal(raw.unshare(0), 0);
	assert_int_equal(raw.setns(-1, 0), -1);
	assert_int_equal(errno, EBADF);
}

/* What _FORTIFY_SOURCE is for. */
static void overflow(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		char data[2];

		signal(SIGILL, SIG_DFL); /* cmocka has a handler */
		signal(SIGTRAP, SIG_DFL);
		raw.recvfrom_chk(-1, data, 4, sizeof(data), 0, NULL, NULL);
		_exit(0);
	}
	status = status_of(pid);
	assert_true(WIFSIGNALED(status));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stream_calls),
		cmocka_unit_test(datagram_calls),
		cmocka_unit_test(exec_calls),
		cmocka_unit_test(what_has_no_raw_form),
		cmocka_unit_test(namespace_calls),
		cmocka_unit_test(overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
