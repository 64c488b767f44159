/*
 * test_clients.c - law 9 and law 8 at their edges: which destinations are local and which are not, what a record
 * serves, and what a client is told of a peer when portshim cannot know, or need not say.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>

#include "laws.h"

#include "../core/child.h"

#include "../../src/core/sys.h"

static struct ps_space *space, *other;
static uint16_t n;

static void start(void)
{
	space = run_in("a", PS_SCOPE_KEPT, NULL);
	other = run_in("b", 0, NULL);
	n = free_numbers(2);
	act_for(space);
}

static struct ps_address address(const char *text, uint16_t port)
{
	bool six = strchr(text, ':');
	struct ps_address a = {.length = six ? sizeof(a.u.in6) : sizeof(a.u.in)};
	void *bytes = six ? (void *)&a.u.in6.sin6_addr : &a.u.in.sin_addr;

	a.u.any.sa_family = six ? AF_INET6 : AF_INET;
	assert_int_equal(inet_pton(a.u.any.sa_family, text, bytes), 1);
	address_set_port(&a, port);
	return a;
}

static int try_connect(const char *text, int type, uint16_t port)
{
	struct ps_address a = address(text, port);
	int fd = socket(a.u.any.sa_family, type | SOCK_CLOEXEC, 0), error = 0;

	if (connect(fd, &a.u.any, a.length) != 0)
		error = errno;
	close(fd);
	return error;
}

static int listening_at(const char *text, uint16_t port)
{
	struct ps_address a = address(text, port);
	int fd = socket(a.u.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, &a.u.any, a.length), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

/* Where the decision leads, without asking the kernel for more than it needs. */
static enum ps_route route(const char *text, uint16_t port, uint16_t *to)
{
	struct ps_address a = address(text, port), out = a;
	int fd = socket(a.u.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	enum ps_route result = route_out(shim_active, fd, &a.u.any, a.length, port, &out);

	*to = result == PS_ROUTE_MOVED ? address_port(&out) : port;
	close(fd);
	return result;
}

/* ---- claims ---- */

/* What another environment has only claimed is nobody's yet: whoever is there is met. */
static void a_claim_is_no_server(void **state)
{
	uint16_t reached, port;

	(void)state;
	start();
	assert_int_equal(registry_claim(other, n, n, process_self()), 1);
	assert_int_equal(reach(SOCK_STREAM, n, &reached), ECONNREFUSED);
	assert_int_equal(last_event(space, &port), PS_EVENT_NONE);
	stranger(SOCK_STREAM, n);
	assert_int_equal(reach(SOCK_STREAM, n, &reached), 0);
	assert_int_equal(reached, n);
}

/* ---- addresses ---- */

/* 192.0.2.1 is nobody's (RFC 5737), and 2001:db8::1 (RFC 3849). */
static void a_remote_address_is_never_touched(void **state)
{
	uint16_t port, to;
	int any;

	(void)state;
	start();
	act_for(other);
	server(SOCK_STREAM, n);
	act_for(space);
	assert_int_equal(route("192.0.2.1", n, &to), PS_ROUTE_PASS);
	assert_int_equal(route("2001:db8::1", n, &to), PS_ROUTE_PASS);
	assert_int_equal(last_event(space, &port), PS_EVENT_NONE);
	assert_int_equal(route("127.0.0.1", n, &to), PS_ROUTE_MOVED);
	assert_int_equal(to, 0);
	assert_int_equal(route("224.0.0.1", n, &to), PS_ROUTE_PASS);
	assert_int_equal(route("ff02::1", n, &to), PS_ROUTE_PASS);
	assert_int_equal(route("255.255.255.255", n, &to), PS_ROUTE_PASS);
	/* moved, and on all addresses */
	any = listening_at("::", n);
	assert_int_equal(route("192.0.2.1", n, &to), PS_ROUTE_PASS);
	assert_int_equal(route("127.0.0.1", n, &to), PS_ROUTE_MOVED);
	assert_int_equal(to, actual_of(any));
	close(any);
}

static void own_address(void)
{
	struct ifreq lo = {.ifr_name = "lo"}, alias = {.ifr_name = "lo:1"};
	struct sockaddr_in *a = (void *)&alias.ifr_addr;
	uint16_t to, port;
	int fd, any;

	if (sys1(SYS_unshare, CLONE_NEWUSER | CLONE_NEWNET) != 0)
		exit(CHILD_SKIPPED);
	fd = (int)sys3(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	a->sin_family = AF_INET;
	a->sin_addr.s_addr = htonl(0xc0000202);
	lo.ifr_flags = IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &lo) != 0 || ioctl(fd, SIOCSIFADDR, &alias) != 0)
		exit(CHILD_SKIPPED);
	act_for(other);
	close(listening_at("0.0.0.0", n));
	any = listening_at("0.0.0.0", n);
	act_for(space);
	CHILD_MUST(route("192.0.2.2", n, &to) == PS_ROUTE_MOVED && to == 0);
	CHILD_MUST(last_event(space, &port) == PS_EVENT_REFUSED && port == n);
	CHILD_MUST(route("192.0.2.3", n, &to) == PS_ROUTE_PASS);
	close(any);
	any = listening_at("0.0.0.0", n);
	CHILD_MUST(actual_of(any) != n);
	CHILD_MUST(route("192.0.2.2", n, &to) == PS_ROUTE_MOVED && to == actual_of(any));
	CHILD_MUST(try_connect("192.0.2.2", SOCK_STREAM, n) == 0);
	exit(0);
}

static void the_machines_own_address_is_local(void **state)
{
	(void)state;
	start();
	IN_CHILD(own_address);
}

/* Law 2: "localhost" is one, by each of its names; and 127.x.y.z are other listeners. */
static void localhost_is_one(void **state)
{
	uint16_t to;
	int one;

	(void)state;
	start();
	stranger(SOCK_STREAM, n);
	one = server(SOCK_STREAM, n);
	assert_int_not_equal(actual_of(one), n);
	assert_int_equal(route("::1", n, &to), PS_ROUTE_MOVED);
	assert_int_equal(to, actual_of(one));
	assert_int_equal(try_connect("::1", SOCK_STREAM, n), ECONNREFUSED); /* it has only IPv4, as the kernel says */
	assert_int_equal(route("::ffff:127.0.0.1", n, &to), PS_ROUTE_MOVED);
	assert_int_equal(route("0.0.0.0", n, &to), PS_ROUTE_MOVED);
	assert_int_equal(route("127.0.0.2", n, &to), PS_ROUTE_PASS);
	assert_int_equal(route("127.0.1.1", n, &to), PS_ROUTE_PASS);
	assert_int_equal(route("127.1.0.1", n, &to), PS_ROUTE_PASS);
	assert_int_equal(route("::ffff:127.0.0.2", n, &to), PS_ROUTE_PASS);
}

static void of_two_other_addresses_each_is_its_own(void **state)
{
	uint16_t to;
	int holder, ours;

	(void)state;
	start();
	act_for(NULL);
	holder = listening_at("127.0.0.8", n);
	act_for(space);
	ours = listening_at("127.0.0.8", n);
	assert_int_not_equal(actual_of(ours), n);
	assert_int_equal(route("127.0.0.8", n, &to), PS_ROUTE_MOVED);
	assert_int_equal(to, actual_of(ours));
	assert_int_equal(route("127.0.0.9", n, &to), PS_ROUTE_PASS);
	close(holder);
	close(ours);
}

/* ---- another server of the own environment, which was not moved ---- */

static void a_port_of_the_environment_that_was_not_moved(void **state)
{
	struct ps_space *neighbour;
	uint16_t to, reached;

	(void)state;
	start();
	neighbour = run_in("a", 0, NULL);
	act_for(neighbour);
	assert_int_equal(actual_of(server(SOCK_DGRAM, n)), n);
	act_for(space);
	assert_int_not_equal(actual_of(server(SOCK_STREAM, n)), n); /* TCP alone is here */
	assert_int_equal(reach(SOCK_DGRAM, n, &reached), 0);
	assert_int_equal(reached, n);
	assert_int_equal(route("127.0.0.1", n, &to), PS_ROUTE_MOVED);
}

/* ---- datagrams to a server that has closed its socket, and lives ---- */

static void a_server_that_lives_may_come_back(void **state)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	uint16_t reached, port;
	int at, from, strange;

	(void)state;
	start();
	act_for(other);
	at = server(SOCK_DGRAM, n);
	assert_int_equal(actual_of(at), n);
	close(at);
	act_for(space);
	assert_int_equal(reach(SOCK_DGRAM, n, &reached), ECONNREFUSED);
	assert_int_equal(last_event(space, &port), PS_EVENT_NONE);
	/* Sent, and lost: it is not put into the queue of whoever binds the number next. */
	to.sin_port = htons(n);
	from = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(sendto(from, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	/* Unless a stranger has it, who is met. */
	strange = stranger(SOCK_DGRAM, n);
	assert_int_equal(sendto(from, "y", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	assert_int_equal(recv(strange, &(char){0}, 1, MSG_DONTWAIT), 1);
	assert_int_equal(recv(strange, &(char){0}, 1, MSG_DONTWAIT), -1);
	close(from);
}

/* ---- what is told of a peer ---- */

static uint16_t told_of(const char *text, uint16_t port)
{
	struct ps_address a = address(text, port);

	route_in(shim_active, &a.u, sizeof(a.u), a.length);
	return address_port(&a);
}

static void peers_are_named_as_they_were_asked_for(void **state)
{
	uint16_t actual, foreign;
	struct ps_space *sees;

	(void)state;
	start();
	stranger(SOCK_STREAM, n);
	actual = actual_of(server(SOCK_STREAM, n));
	act_for(other);
	foreign = actual_of(server(SOCK_STREAM, n));
	assert_int_not_equal(foreign, n);
	act_for(space);
	assert_int_equal(told_of("127.0.0.1", actual), n);
	assert_int_equal(told_of("::1", actual), n);
	assert_int_equal(told_of("::ffff:127.0.0.1", actual), n);
	/* A remote host's port of that number is its own, and so is an environment's that is not seen. */
	assert_int_equal(told_of("192.0.2.1", actual), actual);
	assert_int_equal(told_of("2001:db8::1", actual), actual);
	assert_int_equal(told_of("127.0.0.1", foreign), foreign);
	sees = run_that_sees("a", other->env->id);
	act_for(sees);
	assert_int_equal(told_of("127.0.0.1", foreign), n);
	/* What was moved once, and is nobody's now. */
	act_for(space);
	registry_release(space, actual);
	assert_int_equal(state_of(space, actual), PS_FREE);
	assert_int_equal(told_of("127.0.0.1", actual), actual);
}

/* The list of node's clusters is full, and none of them is this process. */
static void a_full_list_of_clusters(void **state)
{
	int fd;

	(void)state;
	start();
	stranger(SOCK_STREAM, n);
	fd = server(SOCK_STREAM, n);
	for (int i = 0; i < PS_CLUSTER_MAX; i++)
		space->run->cluster[i] = 1;
	assert_int_equal(shown_of(fd), actual_of(fd));
	space->run->cluster[PS_CLUSTER_MAX - 1] = (uint32_t)getpid();
	assert_int_equal(shown_of(fd), n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_claim_is_no_server, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_remote_address_is_never_touched, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(the_machines_own_address_is_local, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(localhost_is_one, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(of_two_other_addresses_each_is_its_own, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_port_of_the_environment_that_was_not_moved, laws_setup,
						laws_teardown),
		cmocka_unit_test_setup_teardown(a_server_that_lives_may_come_back, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(peers_are_named_as_they_were_asked_for, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_full_list_of_clusters, laws_setup, laws_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
