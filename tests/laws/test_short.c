/*
 * test_short.c - laws 11 and 12: on a machine that is short of something, or does not let us ask, the calls do what
 * they do without portshim, and that is told.
 */
#include "laws.h"

#include <arpa/inet.h>
#include <sys/mman.h>

#include "../core/child.h"

static struct ps_space *space, *other;
static uint16_t n;

static void start(uint32_t flags)
{
	space = run_in("a", flags, NULL);
	other = run_in("b", 0, NULL);
	n = free_numbers(2);
	act_for(space);
}

static int try_server(int type, uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 || (type == SOCK_STREAM && listen(fd, 4) != 0))
		return -errno;
	return fd;
}

static void told(enum ps_event_kind kind, uint16_t port)
{
	uint16_t about;

	CHILD_MUST(last_event(space, &about) == kind && about == port);
}

/* The table is on a file system that is full. */
static void full_table(void)
{
	int fd;

	child_fail(SYS_madvise, -1, 0, EFAULT);
	fd = try_server(SOCK_STREAM, n);
	CHILD_MUST(fd >= 0 && actual_of(fd) == n && state_of(space, n) == PS_FREE);
	told(PS_EVENT_UNMAPPED, n);
	CHILD_MUST(try_server(SOCK_STREAM, n) == -EADDRINUSE);
}

static void full_table_and_strict(void)
{
	child_fail(SYS_madvise, -1, 0, ENOMEM);
	CHILD_MUST(try_server(SOCK_STREAM, n) == -ENOMEM);
}

static void a_table_that_cannot_be_written(void **state)
{
	(void)state;
	start(PS_SCOPE_KEPT);
	IN_CHILD(full_table);
	start(0); /* nobody keeps it: the line is on stderr */
	IN_CHILD(full_table);
	start(PS_SCOPE_STRICT);
	IN_CHILD(full_table_and_strict);
}

static void no_discovery(void)
{
	child_fail(SYS_openat, -1, 0, EROFS);
	CHILD_MUST(try_server(SOCK_STREAM, n) >= 0 && state_of(space, n) == PS_LISTENING);
	told(PS_EVENT_UNRECORDED, n);
}

static void a_discovery_file_that_cannot_be_written(void **state)
{
	(void)state;
	start(0);
	IN_CHILD(no_discovery);
}

/* A sandbox without netlink: the records alone say what is whose. */
static void no_netlink(void)
{
	uint16_t reached;

	child_fail(SYS_socket, 0, AF_NETLINK, EAFNOSUPPORT);
	act_for(other);
	CHILD_MUST(try_server(SOCK_STREAM, n) >= 0);
	act_for(space);
	CHILD_MUST(reach(SOCK_STREAM, n, &reached) == ECONNREFUSED);
	CHILD_MUST(try_server(SOCK_STREAM, n) >= 0);
	CHILD_MUST(reach(SOCK_STREAM, n, &reached) == 0 && reached != n);
	CHILD_MUST(try_server(SOCK_STREAM, n) == -EADDRINUSE);
	CHILD_MUST(registry_sweep(space->host, space->run, space->env, false) == 0);
}

static void no_descriptors(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(n), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), four = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(n + 1)};

	child_fail(SYS_socket, -1, 0, EMFILE);
	CHILD_MUST(bind(four, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(four, 1) == 0);
	CHILD_MUST(actual_of(four) == n && state_of(space, n) == PS_LISTENING);
	CHILD_MUST(bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0 && listen(fd, 1) == 0);
}

/* The other family cannot be asked, and does not count then. */
static void no_six(void)
{
	int fd;

	child_fail(SYS_socket, 0, AF_INET6, EAFNOSUPPORT);
	fd = try_server(SOCK_STREAM, n);
	CHILD_MUST(fd >= 0 && actual_of(fd) == n);
	/* What another run has left is looked at with what there is. */
	close(fd);
	space->host->record[n].owner = 0;
	act_for(other);
	fd = try_server(SOCK_STREAM, n);
	CHILD_MUST(fd >= 0 && actual_of(fd) == n);
}

static void no_options(void)
{
	child_fail(SYS_getsockopt, -1, 0, EPERM);
	CHILD_MUST(try_server(SOCK_STREAM, n) >= 0);
}

static void no_names(void)
{
	child_fail(SYS_getsockname, -1, 0, EPERM);
	CHILD_MUST(try_server(SOCK_STREAM, n) >= 0);
	told(PS_EVENT_UNASKED, 0);
}

static void calls_that_are_not_there(void **state)
{
	(void)state;
	start(PS_SCOPE_KEPT);
	IN_CHILD(no_netlink);
	start(PS_SCOPE_KEPT);
	IN_CHILD(no_descriptors);
	start(PS_SCOPE_KEPT);
	IN_CHILD(no_six);
	start(PS_SCOPE_KEPT);
	IN_CHILD(no_options);
	start(PS_SCOPE_KEPT);
	IN_CHILD(no_names);
}

/* ---- law 7: a stranger has bound the number too, and listened first ---- */

static int bound_by_both(void)
{
	int ours = bound_with(SO_REUSEADDR, SOCK_STREAM, n), theirs;

	act_for(NULL);
	theirs = bound_with(SO_REUSEADDR, SOCK_STREAM, n);
	CHILD_MUST(ours >= 0 && theirs >= 0 && listen(theirs, 1) == 0);
	act_for(space);
	return ours;
}

static void not_asked(void)
{
	int ours = bound_by_both();

	child_fail(SYS_socket, 0, AF_NETLINK, EAFNOSUPPORT);
	CHILD_MUST(listen(ours, 1) == -1 && errno == EADDRINUSE);
	told(PS_EVENT_UNASKED, n);
}

static void not_replaced(void)
{
	int ours = bound_by_both();

	child_fail(SYS_socket, 0, AF_INET, EMFILE);
	CHILD_MUST(listen(ours, 1) == -1 && errno == EADDRINUSE);
	told(PS_EVENT_UNMOVED, n);
}

static void no_way_elsewhere(void)
{
	int ours = bound_by_both();

	child_fail(SYS_dup3, -1, 0, EPERM);
	CHILD_MUST(listen(ours, 1) == -1 && errno == EADDRINUSE);
	told(PS_EVENT_UNMOVED, n);
}

static void a_port_that_is_lost_and_cannot_be_left(void **state)
{
	(void)state;
	start(PS_SCOPE_KEPT);
	IN_CHILD(not_asked);
	start(0); /* nobody keeps it: the line is on stderr */
	IN_CHILD(not_asked);
	start(0);
	IN_CHILD(not_replaced);
	start(PS_SCOPE_KEPT);
	IN_CHILD(no_way_elsewhere);
}

/* With TCP Fast Open, sending is connecting. */
static void fast_open(void **state)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct iovec io = {(char *)"x", 1};
	struct msghdr m = {.msg_name = &a, .msg_namelen = sizeof(a), .msg_iov = &io, .msg_iovlen = 1};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	start(0);
	act_for(other);
	server(SOCK_STREAM, n);
	act_for(space);
	a.sin_port = htons(n);
	assert_int_equal(sendto(fd, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&a, sizeof(a)), -1);
	assert_int_equal(errno, ECONNREFUSED);
	assert_int_equal(sendmsg(fd, &m, MSG_FASTOPEN), -1);
	assert_int_equal(errno, ECONNREFUSED);
	assert_int_equal(sendmmsg(fd, &(struct mmsghdr){.msg_hdr = m}, 1, MSG_FASTOPEN), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(fd);
}

/* A remote address is never touched, whatever its port means here. */
static void remote_destinations_pass(void **state)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201)}; /* 192.0.2.1 */
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), actual;
	struct sockaddr_in6 any = {.sin6_family = AF_INET6}, peer;
	socklen_t length = sizeof(peer);

	(void)state;
	start(0);
	stranger(SOCK_DGRAM, n);
	any.sin6_port = htons(n);
	actual = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(actual, (struct sockaddr *)&any, sizeof(any)), 0);
	a.sin_port = htons(n);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0) { /* where there is a route */
		assert_int_equal(getpeername(fd, (struct sockaddr *)&peer, &length), 0);
		assert_int_equal(((struct sockaddr_in *)(void *)&peer)->sin_port, htons(n));
	}
	close(fd);
	close(actual);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_table_that_cannot_be_written, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_discovery_file_that_cannot_be_written, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(calls_that_are_not_there, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_port_that_is_lost_and_cannot_be_left, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(fast_open, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(remote_destinations_pass, laws_setup, laws_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
