/*
 * test_bind.c - law 3, what else it says of one bind: who holds a number where the program did not look (the other
 * family, the other protocol, another address), and whose the sockets are that the kernel has chosen numbers for. Law 4
 * at its end.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>

#include <portshim/candidates.h>

#include "laws.h"

#include "../core/child.h"

#include "../../src/core/sys.h"

static struct ps_space *space, *other;
static uint16_t n;

static void start(const char *format)
{
	char manifest[256];

	other = run_in("b", 0, NULL);
	n = free_numbers(3);
	if (format)
		snprintf(manifest, sizeof(manifest), "{\"web\":{\"ports\":[%u,%u,%u]%s}}", n, n + 1u, n + 2u, format);
	space = run_in("a", PS_SCOPE_KEPT, format ? manifest : NULL);
	act_for(space);
}

static int try_at(const char *address, int type, int option, uint16_t port)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
	bool is_six = strchr(address, ':');
	int fd = socket(is_six ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, 0), one = 1;

	inet_pton(is_six ? AF_INET6 : AF_INET, address, is_six ? (void *)&six.sin6_addr : &four.sin_addr);
	if (option)
		setsockopt(fd, SOL_SOCKET, option, &one, sizeof(one));
	if (is_six ? bind(fd, (struct sockaddr *)&six, sizeof(six)) : bind(fd, (struct sockaddr *)&four, sizeof(four)))
		return -errno;
	return fd;
}

/* Unmanaged. */
static int taken_at(const char *address, int type, int option, uint16_t port)
{
	int fd;

	act_for(NULL);
	fd = try_at(address, type, option, port);
	act_for(space);
	assert_true(fd >= 0);
	return fd;
}

static uint16_t kernels_port(int fd)
{
	struct sockaddr_storage a;
	socklen_t length = sizeof(a);

	assert_int_equal(sys3(SYS_getsockname, fd, &a, &length), 0);
	return ntohs(((struct sockaddr_in *)(void *)&a)->sin_port);
}

/* A port that the kernel has chosen, held by another process until outsider_ends(). */
static pid_t outsider_pid;

static uint16_t outsider(int type)
{
	uint16_t port;
	int fd = taken_at("127.0.0.1", type, 0, 0);

	port = kernels_port(fd);
	outsider_pid = fork();
	if (outsider_pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	assert_true(outsider_pid > 0);
	close(fd);
	return port;
}

static void outsider_ends(void)
{
	assert_int_equal(kill(outsider_pid, SIGKILL), 0);
	assert_int_equal(waitpid(outsider_pid, NULL, 0), outsider_pid);
}

/* ---- where else somebody may be ---- */

static void the_other_protocol_of_the_other_family(void **state)
{
	int holder, fd;

	(void)state;
	start(",\"protocol\":\"both\"");
	holder = taken_at("::1", SOCK_DGRAM, 0, n);
	fd = bound(SOCK_STREAM, n);
	assert_int_equal(actual_of(fd), n + 1);
	close(holder);
}

static void another_address_of_a_candidate(void **state)
{
	int holders[2];

	(void)state;
	start("");
	holders[0] = taken_at("127.0.0.1", SOCK_STREAM, 0, n);
	holders[1] = taken_at("127.0.0.2", SOCK_STREAM, 0, n + 1);
	assert_int_equal(actual_of(bound(SOCK_STREAM, n)), n + 2);
	close(holders[0]);
	close(holders[1]);
}

static void without_ipv6(void)
{
	int fd;

	child_fail(SYS_socket, 0, AF_INET6, EAFNOSUPPORT);
	fd = bound(SOCK_STREAM, n);
	CHILD_MUST(fd >= 0 && actual_of(fd) == n + 2);
}

static void another_address_where_there_is_no_ipv6(void **state)
{
	int holders[2];

	(void)state;
	start("");
	holders[0] = taken_at("127.0.0.1", SOCK_STREAM, 0, n);
	holders[1] = taken_at("127.0.0.2", SOCK_STREAM, 0, n + 1);
	IN_CHILD(without_ipv6);
	close(holders[0]);
	close(holders[1]);
}

/* Sockets that share: the kernel would say yes to the candidate, too. */
static void a_group_at_a_candidate_is_not_joined(void **state)
{
	int holders[2], fd;

	(void)state;
	start("");
	holders[0] = taken_at("::", SOCK_STREAM, SO_REUSEPORT, n);
	holders[1] = taken_at("::", SOCK_STREAM, SO_REUSEPORT, n + 1);
	fd = try_at("::", SOCK_STREAM, SO_REUSEPORT, n);
	assert_true(fd >= 0);
	assert_int_equal(kernels_port(fd), n + 2);
	close(fd);
	close(holders[0]);
	close(holders[1]);
}

/* ---- an unmanaged program has joined the run's own group ---- */

static void a_group_with_a_stranger_in_it(bool stranger_first)
{
	int ours, theirs;

	start(NULL);
	ours = bound_with(SO_REUSEPORT, SOCK_STREAM, n);
	theirs = taken_at("127.0.0.1", SOCK_STREAM, SO_REUSEPORT, n);
	act_for(stranger_first ? NULL : space);
	assert_int_equal(listen(stranger_first ? theirs : ours, 1), 0);
	act_for(stranger_first ? space : NULL);
	assert_int_equal(listen(stranger_first ? ours : theirs, 1), 0);
	act_for(space);
	/* The run is in it still: the number is not lost. */
	assert_int_equal(bound(SOCK_STREAM, n), -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_int_equal(registry_own(space, n), n);
	close(theirs);
}

static void a_group_that_a_stranger_has_joined_is_still_ours(void **state)
{
	(void)state;
	a_group_with_a_stranger_in_it(true);
	a_group_with_a_stranger_in_it(false);
}

static void a_number_that_was_lost_for_both_protocols_is_left(void **state)
{
	int fd;

	(void)state;
	start(NULL);
	close(server(SOCK_DGRAM, n));
	stranger(SOCK_STREAM, n);
	stranger(SOCK_DGRAM, n);
	fd = server(SOCK_DGRAM, n);
	assert_int_not_equal(actual_of(fd), n);
	assert_int_equal(registry_own(space, n), actual_of(fd));
}

/* ---- what another run has left, and no socket to look whether it is free ---- */

static void dead_server(void)
{
	act_for(other);
	close(server(SOCK_STREAM, n));
	other->host->record[n].owner = 0;
	act_for(space);
}

static void no_sockets(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(n), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	child_fail(SYS_socket, -1, 0, EMFILE);
	CHILD_MUST(bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && actual_of(fd) != n);
	CHILD_MUST(state_of(other, n) == PS_LISTENING && head_env(host_head(other->host, n)) == other->env->id);
}

static void held_and_no_ipv6(void)
{
	int fd;

	stranger(SOCK_STREAM, n);
	child_fail(SYS_socket, 0, AF_INET6, EAFNOSUPPORT);
	fd = bound(SOCK_STREAM, n);
	CHILD_MUST(fd >= 0 && actual_of(fd) != n && head_env(host_head(other->host, n)) == other->env->id);
}

static void what_cannot_be_looked_at_is_not_taken_over(void **state)
{
	(void)state;
	start(NULL);
	dead_server();
	IN_CHILD(no_sockets);
	start(NULL);
	dead_server();
	IN_CHILD(held_and_no_ipv6);
}

/* ---- numbers that the kernel has chosen for this process's own sockets ---- */

/* As on an ordinary host: an IPv6 socket of the process is no reason to move its IPv4 one. */
static void a_chosen_number_of_the_other_family_is_bound(void **state)
{
	int six, fd;

	(void)state;
	start(NULL);
	six = try_at("::1", SOCK_STREAM, 0, 0);
	fd = bound(SOCK_STREAM, kernels_port(six));
	assert_true(fd >= 0);
	assert_int_equal(actual_of(fd), kernels_port(six));
	close(six);
}

static void a_chosen_number_of_its_own_is_in_use(void **state)
{
	int six;

	(void)state;
	start(NULL);
	six = try_at("::", SOCK_STREAM, 0, 0); /* on both families */
	assert_int_equal(bound(SOCK_STREAM, kernels_port(six)), -1);
	assert_int_equal(errno, EADDRINUSE);
	close(six);
}

static void a_chosen_number_of_another_process_makes_it_move(void **state)
{
	uint16_t port;
	int fd, udp;

	(void)state;
	start(NULL);
	port = outsider(SOCK_STREAM);
	udp = taken_at("127.0.0.1", SOCK_DGRAM, 0, port); /* this process's, and no reason */
	fd = bound(SOCK_STREAM, port);
	assert_true(fd >= 0);
	assert_int_not_equal(actual_of(fd), port);
	close(udp);
	outsider_ends();
}

static uint16_t hidden;

static void no_proc(void)
{
	int fd;

	child_fail(SYS_openat, 2, O_RDONLY | O_DIRECTORY | O_CLOEXEC, ENOENT);
	fd = bound(SOCK_STREAM, hidden);
	CHILD_MUST(fd >= 0 && actual_of(fd) != hidden);
}

/* Who cannot look at his descriptors is moved. */
static void without_proc(void **state)
{
	int mine;

	(void)state;
	start(NULL);
	mine = try_at("127.0.0.1", SOCK_STREAM, 0, 0);
	hidden = kernels_port(mine);
	assert_int_equal(bound(SOCK_STREAM, hidden), -1);
	IN_CHILD(no_proc);
	close(mine);
}

/* ---- a service's own assignment ---- */

/* The run has several numbers, and so have others in its environment: only the service's own one is bound again. */
static void its_own_assignment_is_found_among_others(void **state)
{
	static const char shared[] = "{\"web\":{\"ports\":[%u,%u],\"match\":{\"command\":\"test_*\"}},"
				     "\"old\":{\"port\":%u,\"match\":{\"command\":\"nothing\"}}}";
	char manifest[256];
	struct ps_space *neighbour;
	uint16_t more = free_numbers(1);

	(void)state;
	n = free_numbers(3);
	snprintf(manifest, sizeof(manifest), shared, n, n + 1u, n);
	neighbour = run_in("a", 0, manifest);
	space = run_in("a", 0, manifest);
	other = run_in("b", 0, NULL);
	act_for(neighbour);
	server(SOCK_STREAM, n);
	act_for(other);
	server(SOCK_STREAM, n + 2);
	shared_set(space->env->actual, n + 2); /* it was this environment's before */
	shared_set(space->env->actual, 3);     /* and this is nobody's any more */
	act_for(space);
	server(SOCK_STREAM, more);
	assert_int_equal(actual_of(server(SOCK_STREAM, n)), n + 1);
	assert_int_equal(bound(SOCK_STREAM, n), -1);
	assert_int_equal(errno, EADDRINUSE);
}

/* Of two services on one number each has its own assignment. */
static void each_service_has_its_own_assignment(void **state)
{
	char manifest[256], *before = getcwd(NULL, 0);

	(void)state;
	n = free_numbers(3);
	snprintf(manifest, sizeof(manifest), "{\"one\":{\"ports\":[%u,%u],\"match\":{\"directory\":\"/dev\"}},"
		 "\"two\":{\"ports\":[%u,%u],\"match\":{\"directory\":\"/proc\"}}}", n, n + 1u, n, n + 2u);
	space = run_in("a", 0, manifest);
	act_for(space);
	assert_int_equal(chdir("/dev"), 0);
	assert_int_equal(actual_of(server(SOCK_STREAM, n)), n);
	assert_int_equal(chdir("/proc"), 0);
	assert_int_equal(actual_of(server(SOCK_STREAM, n)), n + 2);
	assert_int_equal(bound(SOCK_STREAM, n), -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_int_equal(chdir(before), 0);
	free(before);
}

/* ---- the end of law 4 ---- */

static struct ps_plan *plan_of(struct ps_space *of)
{
	return (struct ps_plan *)(void *)(of->run + 1);
}

static void the_kernel_has_none_left(void **state)
{
	uint16_t port;

	(void)state;
	start(NULL);
	refuse_bind(EADDRINUSE, 0, 65535, 20000);
	assert_int_equal(bound(SOCK_STREAM, n), -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_int_equal(last_event(space, &port), PS_EVENT_EXHAUSTED);
	assert_int_equal(port, n);
}

/* An environment of its own, whose rules leave nothing at all. */
static void nothing_may_be_tried(void **state)
{
	char manifest[128];
	uint16_t port;

	(void)state;
	n = free_numbers(1);
	snprintf(manifest, sizeof(manifest), "{\"web\":{\"port\":%u,\"os\":false}}", n);
	space = run_in("a", PS_SCOPE_PRIVATE, manifest);
	plan_of(space)->default_first = plan_of(space)->default_last = 9; /* which browsers refuse */
	act_for(space);
	assert_int_equal(bound(SOCK_STREAM, n), -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_int_equal(last_event(space, &port), PS_EVENT_EXHAUSTED);
}

/* Linux takes an address without a family for IPv4 only if it is the wildcard. */
static void an_address_without_a_family_is_the_kernels(void **state)
{
	struct sockaddr_in a = {.sin_family = AF_UNSPEC, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	start(NULL);
	a.sin_port = htons(n);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), -1);
	assert_int_equal(errno, EAFNOSUPPORT);
	assert_int_equal(state_of(space, n), PS_FREE);
	close(fd);
}

/* ---- law 7, where the process decides which service it is, and where the run is over ---- */

static int stranger_listens_first(void)
{
	int ours = bound_with(SO_REUSEADDR, SOCK_STREAM, n), theirs;

	assert_true(ours >= 0);
	assert_int_equal(actual_of(ours), n);
	act_for(NULL);
	theirs = bound_with(SO_REUSEADDR, SOCK_STREAM, n);
	assert_true(theirs >= 0);
	assert_int_equal(listen(theirs, 1), 0);
	act_for(space);
	return ours;
}

static void a_service_goes_elsewhere(void **state)
{
	static const char shared[] = "{\"web\":{\"ports\":[%u,%u],\"match\":{\"command\":\"test_*\"}},"
				     "\"old\":{\"port\":%u,\"match\":{\"command\":\"nothing\"}}}";
	char manifest[256];
	int fd;

	(void)state;
	n = free_numbers(2);
	snprintf(manifest, sizeof(manifest), shared, n, n + 1u, n);
	space = run_in("a", 0, manifest);
	act_for(space);
	fd = stranger_listens_first();
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(actual_of(fd), n + 1);

	start("");
	fd = stranger_listens_first();
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(actual_of(fd), n + 1);
}

static void nothing_goes_elsewhere_when_the_run_is_over(void **state)
{
	int fd;

	(void)state;
	start(NULL);
	fd = stranger_listens_first();
	space->run->flags |= PS_SCOPE_RETIRED;
	assert_int_equal(listen(fd, 1), -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_int_equal(actual_of(fd), n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_other_protocol_of_the_other_family, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(another_address_of_a_candidate, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(another_address_where_there_is_no_ipv6, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_group_at_a_candidate_is_not_joined, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_group_that_a_stranger_has_joined_is_still_ours, laws_setup,
						laws_teardown),
		cmocka_unit_test_setup_teardown(a_number_that_was_lost_for_both_protocols_is_left, laws_setup,
						laws_teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_looked_at_is_not_taken_over, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_chosen_number_of_the_other_family_is_bound, laws_setup,
						laws_teardown),
		cmocka_unit_test_setup_teardown(a_chosen_number_of_its_own_is_in_use, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_chosen_number_of_another_process_makes_it_move, laws_setup,
						laws_teardown),
		cmocka_unit_test_setup_teardown(without_proc, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(its_own_assignment_is_found_among_others, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(each_service_has_its_own_assignment, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(the_kernel_has_none_left, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(nothing_may_be_tried, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(an_address_without_a_family_is_the_kernels, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_service_goes_elsewhere, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(nothing_goes_elsewhere_when_the_run_is_over, laws_setup, laws_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
