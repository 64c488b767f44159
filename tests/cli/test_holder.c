/* holder.h: from a port to the process that holds it. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/holder.h"

/* A socket on a port of the kernel's choice. */
static int open_socket(int family, int type, uint16_t *port)
{
	struct sockaddr_in6 six = {
		.sin6_family = AF_INET6, .sin6_port = htons(*port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(*port)};
	socklen_t length = family == AF_INET ? sizeof(four) : sizeof(six);
	struct sockaddr *address = family == AF_INET ? (void *)&four : (void *)&six;
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, address, length) != 0 || (type == SOCK_STREAM && listen(fd, 5) != 0)) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	assert_int_equal(getsockname(fd, address, &length), 0);
	*port = ntohs(family == AF_INET ? four.sin_port : six.sin6_port);
	return fd;
}

static void test_self(void **state)
{
	struct ps_holder h;
	uint16_t port = 0;
	int fd = open_socket(AF_INET, SOCK_STREAM, &port);
	char cwd[PS_PATH_MAX];

	(void)state;
	assert_true(fd >= 0);
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	assert_true(holder_find(port, PS_TCP, &h));
	assert_int_equal(h.pid, getpid());
	assert_string_equal(h.command, "test_holder");
	assert_string_equal(h.directory, cwd);
	assert_int_equal(h.socket.port, port);
	assert_int_equal(h.socket.protocol, PS_TCP);
	assert_true(h.user[0]);
	assert_true(h.started > 0 && h.started <= (uint64_t)time(NULL) + 1);
	assert_true(h.started + 600 > (uint64_t)time(NULL));
	assert_false(holder_find(port, PS_UDP, &h));
	close(fd);
	assert_false(holder_find(port, PS_TCP, &h));
}

static void test_both_families_once(void **state)
{
	struct ps_holder list[8];
	uint16_t port = 0;
	int four = open_socket(AF_INET, SOCK_STREAM, &port), six, udp;

	(void)state;
	six = open_socket(AF_INET6, SOCK_STREAM, &port);
	udp = open_socket(AF_INET, SOCK_DGRAM, &port);
	assert_true(four >= 0);
	assert_int_equal(holder_list(port, PS_TCP, list, 8), 1);
	if (udp >= 0)
		assert_int_equal(holder_list(port, PS_TCP | PS_UDP, list, 8), 2);
	close(four);
	if (six >= 0)
		close(six);
	if (udp >= 0)
		close(udp);
}

/* Of several processes with one socket, the one that started first is named. */
static void test_inherited(void **state)
{
	struct ps_holder h;
	uint16_t port = 0;
	int fd = open_socket(AF_INET, SOCK_STREAM, &port), pipes[2], status;
	pid_t child;
	char byte;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(pipe(pipes), 0);
	child = fork();
	if (child == 0) {
		close(pipes[1]);
		_exit(read(pipes[0], &byte, 1) != 0);
	}
	close(pipes[0]);
	assert_true(holder_find(port, PS_TCP, &h));
	assert_int_equal(h.pid, getpid());
	close(fd);
	assert_true(holder_find(port, PS_TCP, &h));
	assert_int_equal(h.pid, child);
	close(pipes[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
}

static void test_phrase(void **state)
{
	struct ps_holder h = {.pid = 812, .command = "no\033de", .directory = "/home/ann/shop", .user = "ann"};
	char text[PS_HOLDER_PHRASE];

	(void)state;
	setenv("HOME", "/home/ann", 1);
	holder_phrase(&h, text);
	assert_string_equal(text, "held by no?de, pid 812, ~/shop");
	h.directory[0] = '\0';
	holder_phrase(&h, text);
	assert_string_equal(text, "held by no?de, pid 812");
	h.pid = 0;
	h.socket.uid = getuid() + 1;
	holder_phrase(&h, text);
	assert_string_equal(text, "held by a process of user ann");
	h.socket.uid = getuid();
	holder_phrase(&h, text);
	assert_string_equal(text, "held by a process that cannot be seen from here");
	memset(h.directory, 'd', sizeof(h.directory) - 1);
	memset(h.command, 'c', sizeof(h.command) - 1);
	h.pid = 4194303;
	holder_phrase(&h, text);
	assert_true(strlen(text) < PS_HOLDER_PHRASE);
}

/* Programs that rewrite their title or have spaces in their path. */
static void check_name(const char *argv0, const char *wanted)
{
	int in[2], out[2], status;
	struct ps_holder h = {0};
	pid_t child;
	char byte;

	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	child = fork();
	if (child == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		closefrom(3);
		execl("/bin/sh", argv0, "-c", "echo; read x", (char *)NULL);
		_exit(1);
	}
	close(in[0]);
	close(out[1]);
	assert_int_equal(read(out[0], &byte, 1), 1);
	assert_true(holder_process(&h, child));
	assert_string_equal(h.command, wanted);
	close(in[1]);
	close(out[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_false(holder_process(&h, child));
}

static void test_names(void **state)
{
	(void)state;
	check_name("nginx: master process /usr/sbin/nginx", "nginx");
	check_name("/usr/lib/postgresql/15/bin/postgres", "postgres");
	check_name("-bash", "bash");
	check_name("redis-server *:6379", "redis-server");
}

/* A process that has the socket only because it answers the program's calls is not named: whoever ended it would free
 * nothing. */
static void test_ours(void **state)
{
	static const char *const names[] = {"portshim", "portshim-worker", "portshim-other"};
	struct ps_listener *sockets;
	struct ps_share *shares;
	unsigned socket_count, share_count;
	struct ps_holder h;
	char byte = 0;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		uint16_t port = 0;
		int fd = open_socket(AF_INET, SOCK_STREAM, &port), ready[2], end[2];
		pid_t child;

		assert_int_equal(pipe(ready) + pipe(end), 0);
		child = fork();
		assert_true(child >= 0);
		if (child == 0) {
			close(end[1]);
			prctl(PR_SET_NAME, names[i], 0L, 0L, 0L);
			if (write(ready[1], &byte, 1) == 1)
				read(end[0], &byte, 1);
			_exit(0);
		}
		assert_int_equal(read(ready[0], &byte, 1), 1);
		assert_int_equal(holder_shares(port, PS_TCP, &sockets, &socket_count, &shares, &share_count), 0);
		assert_int_equal(socket_count, 1);
		assert_int_equal(share_count, i < 2 ? 1 : 2);
		free(sockets);
		free(shares);
		close(fd);
		assert_true(holder_find(port, PS_TCP, &h));
		assert_int_equal(h.pid, i < 2 ? 0 : child);
		for (int p = 0; p < 2; p++) {
			close(ready[p]);
			close(end[p]);
		}
		assert_int_equal(waitpid(child, NULL, 0), child);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_self),      cmocka_unit_test(test_both_families_once),
		cmocka_unit_test(test_inherited), cmocka_unit_test(test_phrase),
		cmocka_unit_test(test_names),     cmocka_unit_test(test_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
