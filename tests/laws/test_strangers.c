/*
 * test_strangers.c - law 9: a client never meets another environment's server by accident; law 8: whom it meets
 * instead; law 10: under which port.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <sys/uio.h>

#include <poll.h>
#include <sys/wait.h>

#include "laws.h"

/* "A server in b holds n; who is met by a client in a?" */
static uint16_t held_by(struct ps_space *space, int type)
{
	uint16_t n = free_numbers(1);

	act_for(space);
	assert_int_equal(actual_of(server(type, n)), n);
	return n;
}

/* The same where n is a stranger's: the number that the server is moved to. */
static uint16_t held_elsewhere(struct ps_space *space, int type, uint16_t n)
{
	uint16_t m;

	act_for(space);
	m = actual_of(server(type, n));
	assert_int_not_equal(m, n);
	return m;
}

static void another_environments_server_is_refused(void **state)
{
	struct ps_space *a = run_in("a", 0, NULL), *b = run_in("b", 0, NULL);
	uint16_t n = held_by(b, SOCK_STREAM), reached, told;

	(void)state;
	act_for(a);
	assert_int_equal(reach(SOCK_STREAM, n, &reached), ECONNREFUSED);
	assert_int_equal(last_event(a, &told), PS_EVENT_REFUSED);
	assert_int_equal(told, n);
}

static void its_own_clients_reach_it(void **state)
{
	struct ps_space *b = run_in("b", 0, NULL), *also = run_in("b", 0, NULL);
	uint16_t n = held_by(b, SOCK_STREAM), reached;

	(void)state;
	assert_int_equal(reach(SOCK_STREAM, n, &reached), 0);
	act_for(also);
	assert_int_equal(reach(SOCK_STREAM, n, &reached), 0);
	assert_int_equal(reached, n);
}

/* Law 8: own run, environment, what is around it. */
static void nearest_scope_is_met(void **state)
{
	struct ps_space *one = run_in("a", 0, NULL), *two = run_in("a", 0, NULL), *third = run_in("a", 0, NULL);
	uint16_t n = held_by(one, SOCK_STREAM), m, reached;

	(void)state;
	act_for(two);
	m = actual_of(server(SOCK_STREAM, n));
	assert_int_not_equal(m, n);
	assert_int_equal(reach(SOCK_STREAM, n, &reached), 0);
	assert_int_equal(reached, m);
	act_for(third);
	assert_int_equal(reach(SOCK_STREAM, n, &reached), 0);
	assert_int_equal(reached, n);
	/* By its actual port, from anywhere in the environment (law 5). */
	assert_int_equal(reach(SOCK_STREAM, m, &reached), 0);
	assert_int_equal(reached, m);
}

static void an_unmanaged_holder_is_met(void **state)
{
	struct ps_space *a = run_in("a", 0, NULL);
	uint16_t n = free_numbers(1), reached;

	(void)state;
	act_for(a);
	stranger(SOCK_STREAM, n);
	assert_int_equal(reach(SOCK_STREAM, n, &reached), 0);
	assert_int_equal(reached, n);
}

static void a_service_that_is_external_is_met_whosever_it_is(void **state)
{
	struct ps_space *a, *b = run_in("b", 0, NULL);
	uint16_t n = held_by(b, SOCK_STREAM), reached;
	char manifest[128];

	(void)state;
	snprintf(manifest, sizeof(manifest), "{\"db\":{\"port\":%u,\"external\":true}}", n);
	a = run_in("a", 0, manifest);
	act_for(a);
	assert_int_equal(reach(SOCK_STREAM, n, &reached), 0);
	assert_int_equal(reached, n);
}

static void an_environment_that_is_allowed_is_met(void **state)
{
	struct ps_space *b = run_in("b", 0, NULL), *a = run_that_sees("a", b->env->id);
	uint16_t n = free_numbers(1), m, reached;

	(void)state;
	stranger(SOCK_STREAM, n);
	act_for(b);
	m = actual_of(server(SOCK_STREAM, n));
	act_for(a);
	assert_int_equal(reach(SOCK_STREAM, n, &reached), 0);
	assert_int_equal(reached, m);
}

/* The record's server is gone, and a stranger listens: nobody is protected from it. */
static void a_stranger_after_a_dead_server_is_met(void **state)
{
	struct ps_space *a = run_in("a", 0, NULL), *b = run_in("b", 0, NULL);
	uint16_t n = free_numbers(1), reached, told;

	(void)state;
	act_for(b);
	close(server(SOCK_STREAM, n));
	assert_int_equal(state_of(b, n), PS_LISTENING);
	act_for(a);
	/* Nobody is there yet: refused, as the kernel would, and not worth a word. */
	assert_int_equal(reach(SOCK_STREAM, n, &reached), ECONNREFUSED);
	assert_int_equal(last_event(a, &told), PS_EVENT_NONE);
	stranger(SOCK_STREAM, n);
	assert_int_equal(reach(SOCK_STREAM, n, &reached), 0);
	/* And after a look nothing is left of it. */
	assert_int_equal(registry_sweep(b->host, b->run, b->env, true), 1);
	assert_int_equal(state_of(b, n), PS_FREE);
}

static void a_port_that_is_only_held_is_refused_too(void **state)
{
	struct ps_space *a = run_in("a", 0, NULL), *b = run_in("b", 0, NULL);
	uint16_t n = free_numbers(1), reached;

	(void)state;
	act_for(b);
	assert_true(bound(SOCK_STREAM, n) >= 0);
	act_for(a);
	assert_int_equal(reach(SOCK_STREAM, n, &reached), ECONNREFUSED);
}

static void what_this_environment_serves_goes_before(void **state)
{
	struct ps_space *a = run_in("a", 0, NULL), *b = run_in("b", 0, NULL);
	uint16_t n = held_by(b, SOCK_STREAM), m, reached;

	(void)state;
	act_for(a);
	m = actual_of(server(SOCK_STREAM, n));
	assert_int_equal(reach(SOCK_STREAM, n, &reached), 0);
	assert_int_equal(reached, m);
	assert_int_not_equal(m, n);
}

/* ---- UDP ---- */

static void a_connected_datagram_socket_is_refused(void **state)
{
	struct ps_space *a = run_in("a", 0, NULL), *b = run_in("b", 0, NULL);
	uint16_t n = held_by(b, SOCK_DGRAM), reached;

	(void)state;
	act_for(a);
	assert_int_equal(reach(SOCK_DGRAM, n, &reached), ECONNREFUSED);
	act_for(b);
	assert_int_equal(reach(SOCK_DGRAM, n, &reached), 0);
}

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* As the kernel refuses: one that does not block is told later, and one that is connected already is told that. */
static void a_refusal_is_the_kernels(void **state)
{
	struct ps_space *a = run_in("a", 0, NULL), *b = run_in("b", 0, NULL);
	struct sockaddr_in address = loopback(held_by(b, SOCK_STREAM));
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), error = 0;
	struct pollfd wait = {.fd = fd, .events = POLLOUT};

	(void)state;
	act_for(a);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), -1);
	assert_int_equal(errno, EINPROGRESS);
	assert_int_equal(poll(&wait, 1, 10000), 1);
	assert_true(wait.revents & POLLERR);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof(error)}), 0);
	assert_int_equal(error, ECONNREFUSED);
	close(fd);
	fd = server(SOCK_STREAM, free_numbers(1));
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), -1);
	assert_int_equal(errno, EISCONN);
}

/* Sends by every call that can, and says how many arrive. Where they are to arrive, they are waited for: it is nearly
 * always in sendto() that they do. */
static unsigned arrivals(int from, uint16_t to, int at, uint16_t source_shown, unsigned wanted)
{
	struct sockaddr_in a = loopback(to), source;
	char data[1] = {'x'};
	struct iovec io = {data, 1};
	struct msghdr m = {.msg_name = &a, .msg_namelen = sizeof(a), .msg_iov = &io, .msg_iovlen = 1};
	struct mmsghdr two[2] = {{.msg_hdr = m}, {.msg_hdr = m}};
	struct pollfd there = {.fd = at, .events = POLLIN};
	socklen_t length = sizeof(source);
	unsigned n = 0;

	assert_int_equal(sendto(from, data, 1, 0, (struct sockaddr *)&a, sizeof(a)), 1);
	assert_int_equal(sendmsg(from, &m, 0), 1);
	assert_int_equal(sendmmsg(from, two, 2, 0), 2);
	assert_int_equal(two[1].msg_len, 1);
	while ((n >= wanted || poll(&there, 1, 10000) == 1) &&
	       recvfrom(at, data, 1, MSG_DONTWAIT, (struct sockaddr *)&source, &length) == 1) {
		n++;
		if (source_shown)
			assert_int_equal(ntohs(source.sin_port), source_shown);
	}
	return n;
}

#define all_arrive(from, to, at, source_shown) assert_int_equal(arrivals(from, to, at, source_shown, 4), 4)
#define none_arrives(from, to, at, source_shown) assert_int_equal(arrivals(from, to, at, source_shown, 0), 0)

static void datagrams_to_another_environments_server_are_lost(void **state)
{
	struct ps_space *a = run_in("a", 0, NULL), *b = run_in("b", 0, NULL);
	uint16_t n = free_numbers(1);
	int at, from;

	(void)state;
	act_for(b);
	at = server(SOCK_DGRAM, n);
	act_for(a);
	from = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	none_arrives(from, n, at, 0);
	act_for(b);
	all_arrive(from, n, at, 0);
	close(from);
}

/* A port that the kernel gives to a client's datagram socket may be the number of some environment's TCP server: what
 * is sent there is for the client. */
static void a_tcp_server_of_another_environment_is_no_reason_to_lose_datagrams(void **state)
{
	struct ps_space *a = run_in("a", 0, NULL), *b = run_in("b", 0, NULL);
	uint16_t n = held_by(b, SOCK_STREAM), reached;
	int at = stranger(SOCK_DGRAM, n), from;

	(void)state;
	act_for(a);
	from = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	all_arrive(from, n, at, 0);
	assert_int_equal(reach(SOCK_DGRAM, n, &reached), 0);
	assert_int_equal(reached, n);
	assert_int_equal(reach(SOCK_STREAM, n, &reached), ECONNREFUSED);
	close(from);
}

/* What the kernel gives to port 0 may be the number of another environment's datagram server: both are what they were. */
static void a_number_that_the_kernel_chose_takes_no_other_environments_record(void **state)
{
	struct ps_space *a = run_in("a", 0, NULL), *b = run_in("b", 0, NULL);
	uint16_t n = free_numbers(1), m, reached;
	struct sockaddr_in chosen;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	stranger(SOCK_DGRAM, n);
	m = held_elsewhere(b, SOCK_DGRAM, n);
	/* As port 0 would, without waiting for the kernel to hit upon that number. */
	act_for(NULL);
	chosen = loopback(m);
	assert_int_equal(bind(fd, (struct sockaddr *)&chosen, sizeof(chosen)), 0);
	act_for(a);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(reach(SOCK_STREAM, m, &reached), 0);
	assert_int_equal(reached, m);
	assert_int_equal(shown_of(fd), m);
	assert_int_equal(reach(SOCK_DGRAM, m, &reached), ECONNREFUSED);
	act_for(b);
	assert_int_equal(record_of(b, m)->run, b->run->id);
	assert_int_equal(reach(SOCK_DGRAM, n, &reached), 0);
	assert_int_equal(reached, m);
	close(fd);
}

/* The error of a datagram that nobody takes names the port that it was sent to, also where a server has been that died;
 * and connecting to it is no error yet. */
static void a_dead_server_is_no_reason_to_send_datagrams_elsewhere(void **state)
{
	struct ps_space *a = run_in("a", 0, NULL), *b = run_in("b", 0, NULL);
	uint16_t n = free_numbers(1), reached;
	struct sockaddr_in to = loopback(n), seen = {0};
	struct msghdr m = {.msg_name = &seen, .msg_namelen = sizeof(seen)};
	int fd, status, one = 1;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		act_for(b);
		_exit(actual_of(server(SOCK_DGRAM, n)) != n);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(state_of(b, n), PS_LISTENING);
	act_for(a);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_RECVERR, &one, sizeof(one)), 0);
	assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	assert_int_equal(poll(&(struct pollfd){.fd = fd}, 1, 10000), 1);
	assert_true(recvmsg(fd, &m, MSG_ERRQUEUE) >= 0);
	assert_int_equal(ntohs(seen.sin_port), n);
	close(fd);
	assert_int_equal(reach(SOCK_DGRAM, n, &reached), 0);
	assert_int_equal(reached, n);
}

/* Both ends are moved: the server sees its client's requested port, and the other way round. */
static void datagrams_follow_and_say_where_they_come_from(void **state)
{
	struct ps_space *a = run_in("a", 0, NULL);
	uint16_t n = free_numbers(2);
	int one, two;

	(void)state;
	act_for(a);
	stranger(SOCK_DGRAM, n);
	stranger(SOCK_DGRAM, n + 1);
	one = server(SOCK_DGRAM, n);
	two = server(SOCK_DGRAM, n + 1);
	assert_int_not_equal(actual_of(one), n);
	all_arrive(two, n, one, n + 1);
	all_arrive(one, n + 1, two, n);
	/* Who used the actual port sees the actual port (law 5). */
	all_arrive(two, actual_of(one), one, 0);
	all_arrive(one, n + 1, two, actual_of(one));
}

/* ---- a record serves its protocol and its addresses, no others ---- */

static void a_tcp_server_is_no_reason_to_redirect_datagrams(void **state)
{
	struct ps_space *a = run_in("a", 0, NULL);
	uint16_t n = free_numbers(1), reached;
	int at, from;

	(void)state;
	act_for(a);
	stranger(SOCK_STREAM, n);
	at = stranger(SOCK_DGRAM, n);
	assert_int_not_equal(actual_of(server(SOCK_STREAM, n)), n);
	from = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	all_arrive(from, n, at, 0);
	assert_int_equal(reach(SOCK_DGRAM, n, &reached), 0);
	assert_int_equal(reached, n);
	close(from);
}

static int reach_at(const char *address, uint16_t port, uint16_t *reached)
{
	struct sockaddr_in to = loopback(port), peer;
	socklen_t length = sizeof(peer);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), error = 0;

	*reached = 0;
	inet_pton(AF_INET, address, &to.sin_addr);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
		error = errno;
	else if (getpeername(fd, (struct sockaddr *)&peer, &length) == 0)
		*reached = ntohs(peer.sin_port);
	close(fd);
	return error;
}

static void other_loopback_addresses_are_other_listeners(void **state)
{
	struct ps_space *a = run_in("a", 0, NULL);
	struct sockaddr_in other;
	uint16_t n = free_numbers(1), reached;
	int at;

	(void)state;
	act_for(a);
	stranger(SOCK_STREAM, n);
	server(SOCK_STREAM, n); /* moved, and on 127.0.0.1 only */
	assert_int_equal(reach_at("127.0.0.1", n, &reached), 0);
	assert_int_equal(reached, n); /* as the caller knows it */
	assert_int_equal(reach_at("127.0.0.9", n, &reached), ECONNREFUSED);
	/* One that the run binds there is met there. */
	other = loopback(n);
	inet_pton(AF_INET, "127.0.0.9", &other.sin_addr);
	at = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(at, (struct sockaddr *)&other, sizeof(other)), 0);
	assert_int_equal(listen(at, 1), 0);
	assert_int_equal(reach_at("127.0.0.9", n, &reached), 0);
	close(at);
}

/* ---- law 10 ---- */

static void a_bound_socket_has_its_requested_name_until_it_listens(void **state)
{
	struct ps_space *a = run_in("a", 0, NULL);
	uint16_t n = free_numbers(1);
	int fd;

	(void)state;
	act_for(a);
	stranger(SOCK_STREAM, n);
	fd = bound(SOCK_STREAM, n);
	assert_int_equal(shown_of(fd), n);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(shown_of(fd), actual_of(fd));
	assert_int_not_equal(shown_of(fd), n);
	/* Workers of node's cluster compare. */
	a->run->cluster[0] = 1;
	assert_int_equal(shown_of(fd), actual_of(fd));
	a->run->cluster[1] = (uint32_t)getpid();
	assert_int_equal(shown_of(fd), n);
}

static void report_says_what_a_listener_is_called(void **state)
{
	struct ps_space *a;
	uint16_t n = free_numbers(1);
	char manifest[128];

	(void)state;
	snprintf(manifest, sizeof(manifest), "{\"web\":{\"port\":%u,\"report\":\"requested\"}}", n);
	a = run_in("a", 0, manifest);
	act_for(a);
	stranger(SOCK_STREAM, n);
	assert_int_equal(shown_of(server(SOCK_STREAM, n)), n);
}

/* The name of a socket of an environment that is not seen stays as it is. */
static void names_of_others_are_left_alone(void **state)
{
	struct ps_space *a = run_in("a", 0, NULL), *b = run_in("b", 0, NULL);
	uint16_t n = free_numbers(1);
	int fd;

	(void)state;
	act_for(b);
	stranger(SOCK_STREAM, n);
	fd = bound(SOCK_STREAM, n);
	act_for(a);
	assert_int_equal(shown_of(fd), actual_of(fd));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(another_environments_server_is_refused, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(its_own_clients_reach_it, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(nearest_scope_is_met, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(an_unmanaged_holder_is_met, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_service_that_is_external_is_met_whosever_it_is, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(an_environment_that_is_allowed_is_met, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_stranger_after_a_dead_server_is_met, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_port_that_is_only_held_is_refused_too, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(what_this_environment_serves_goes_before, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_refusal_is_the_kernels, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_connected_datagram_socket_is_refused, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(datagrams_to_another_environments_server_are_lost, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_tcp_server_of_another_environment_is_no_reason_to_lose_datagrams, laws_setup,
						laws_teardown),
		cmocka_unit_test_setup_teardown(a_number_that_the_kernel_chose_takes_no_other_environments_record, laws_setup,
						laws_teardown),
		cmocka_unit_test_setup_teardown(a_dead_server_is_no_reason_to_send_datagrams_elsewhere, laws_setup,
						laws_teardown),
		cmocka_unit_test_setup_teardown(datagrams_follow_and_say_where_they_come_from, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_tcp_server_is_no_reason_to_redirect_datagrams, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(other_loopback_addresses_are_other_listeners, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_bound_socket_has_its_requested_name_until_it_listens, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(report_says_what_a_listener_is_called, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(names_of_others_are_left_alone, laws_setup, laws_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
