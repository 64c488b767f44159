/*
 * test_inside.c - law 3: inside a run the kernel's verdict is the verdict; what is outside of it makes a bind move.
 * And law 7 as far as listen() has to do with it.
 */
#include <pthread.h>

#include "laws.h"

#include <portshim/call.h>

static void second_bind_in_the_run_is_refused_by_the_kernel(void **state)
{
	uint16_t n = free_numbers(1);
	struct ps_space *space = run_in("a", 0, NULL);

	(void)state;
	act_for(space);
	stranger(SOCK_STREAM, n);
	assert_int_not_equal(actual_of(server(SOCK_STREAM, n)), n);
	assert_int_equal(bound(SOCK_STREAM, n), -1);
	assert_int_equal(errno, EADDRINUSE);
}

/* So is a bind of the actual port by itself (law 5). */
static void actual_port_is_taken_as_it_is(void **state)
{
	uint16_t n = free_numbers(1), actual;
	struct ps_space *space = run_in("a", 0, NULL);
	int fd;

	(void)state;
	act_for(space);
	stranger(SOCK_STREAM, n);
	fd = bound(SOCK_STREAM, n);
	actual = actual_of(fd);
	assert_int_equal(bound(SOCK_STREAM, actual), -1);
	assert_int_equal(errno, EADDRINUSE);
	close(fd);
	assert_int_equal(actual_of(bound(SOCK_STREAM, actual)), actual);
}

static void sockets_that_share_join_in_the_run(void **state)
{
	uint16_t n = free_numbers(1);
	struct ps_space *space = run_in("a", 0, NULL);
	int one, two;

	(void)state;
	act_for(space);
	stranger(SOCK_STREAM, n);
	one = bound_with(SO_REUSEPORT, SOCK_STREAM, n);
	two = bound_with(SO_REUSEPORT, SOCK_STREAM, n);
	assert_true(one >= 0 && two >= 0);
	assert_int_equal(actual_of(one), actual_of(two));
	assert_int_equal(listen(one, 1), 0);
	assert_int_equal(listen(two, 1), 0);
	assert_int_equal(record_of(space, actual_of(one))->listeners, 2);
}

/* SO_REUSEADDR lets both bind; the second listen is the kernel's to refuse. */
static void second_listen_in_the_run_is_refused_by_the_kernel(void **state)
{
	uint16_t n = free_numbers(1);
	struct ps_space *space = run_in("a", 0, NULL);
	int one, two;

	(void)state;
	act_for(space);
	one = bound_with(SO_REUSEADDR, SOCK_STREAM, n);
	two = bound_with(SO_REUSEADDR, SOCK_STREAM, n);
	assert_true(one >= 0 && two >= 0);
	assert_int_equal(listen(one, 1), 0);
	assert_int_equal(listen(two, 1), -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_int_equal(actual_of(two), n);
}

static void moves_before(struct ps_space *holder, struct ps_space *newcomer, int option)
{
	uint16_t n = free_numbers(1);
	int fd;

	act_for(holder);
	assert_true(bound_with(option, SOCK_STREAM, n) >= 0);
	act_for(newcomer);
	fd = bound_with(option, SOCK_STREAM, n);
	assert_true(fd >= 0);
	assert_int_not_equal(actual_of(fd), n);
	assert_int_equal(record_of(newcomer, actual_of(fd))->cause, EADDRINUSE);
}

static void another_run_makes_it_move(void **state)
{
	struct ps_space *one = run_in("a", 0, NULL), *two = run_in("a", 0, NULL);

	(void)state;
	moves_before(one, two, 0);
	moves_before(one, two, SO_REUSEADDR);
	moves_before(one, two, SO_REUSEPORT);
}

static void another_environment_makes_it_move(void **state)
{
	struct ps_space *one = run_in("a", 0, NULL), *two = run_in("b", 0, NULL);

	(void)state;
	moves_before(one, two, 0);
	moves_before(one, two, SO_REUSEADDR);
	moves_before(one, two, SO_REUSEPORT);
}

static void an_unmanaged_holder_makes_it_move(void **state)
{
	(void)state;
	moves_before(NULL, run_in("a", 0, NULL), 0);
	moves_before(NULL, run_in("b", 0, NULL), SO_REUSEPORT);
}

/* As the kernel refuses a privileged port to others than root. */
static void a_missing_privilege_makes_it_move(void **state)
{
	struct ps_space *space = run_in("a", 0, NULL);
	uint16_t n = free_numbers(1);
	int fd;

	(void)state;
	act_for(space);
	refuse_bind(EACCES, n, n, 1);
	fd = bound(SOCK_STREAM, n);
	assert_true(fd >= 0);
	assert_int_equal(record_of(space, actual_of(fd))->cause, EACCES);
	assert_int_equal(head_requested(host_head(space->host, actual_of(fd))), n);
}

/* The run's number was free for a moment, and somebody outside was faster. */
static void a_port_that_was_lost_is_left(void **state)
{
	uint16_t n = free_numbers(1);
	struct ps_space *space = run_in("a", 0, NULL);
	int fd;

	(void)state;
	for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
		act_for(space);
		fd = server(type, n);
		assert_int_equal(actual_of(fd), n);
		close(fd);
		stranger(type, n);
		fd = server(type, n);
		assert_int_not_equal(actual_of(fd), n);
		assert_int_equal(state_of(space, n), PS_FREE);
		assert_int_equal(registry_own(space, n), actual_of(fd));
		n = free_numbers(1);
	}
}

/* One number is one number for both protocols (law 2): what a stranger has of it is an error, and nothing is
 * forgotten. */
static void a_port_that_was_lost_for_one_protocol_is_kept(void **state)
{
	uint16_t n = free_numbers(1);
	struct ps_space *space = run_in("a", 0, NULL);

	(void)state;
	act_for(space);
	server(SOCK_DGRAM, n);
	stranger(SOCK_STREAM, n);
	assert_int_equal(bound(SOCK_STREAM, n), -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_int_equal(state_of(space, n), PS_LISTENING);
	assert_int_equal(registry_own(space, n), n);

	n = free_numbers(1);
	assert_true(bound(SOCK_STREAM, n) >= 0); /* and does not listen: the kernel lists it nowhere */
	stranger(SOCK_DGRAM, n);
	assert_int_equal(bound(SOCK_DGRAM, n), -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_int_equal(registry_own(space, n), n);
}

static void both_protocols_have_one_number(void **state)
{
	uint16_t n = free_numbers(1);
	struct ps_space *space = run_in("a", 0, NULL);
	int tcp, udp;

	(void)state;
	act_for(space);
	stranger(SOCK_STREAM, n);
	stranger(SOCK_DGRAM, n);
	udp = server(SOCK_DGRAM, n);
	tcp = server(SOCK_STREAM, n);
	assert_int_equal(actual_of(tcp), actual_of(udp));
	assert_int_equal(record_of(space, actual_of(tcp))->protocols, PS_TCP | PS_UDP);
	assert_int_equal(bound(SOCK_DGRAM, n), -1);
	assert_int_equal(errno, EADDRINUSE);
}

static void what_another_run_has_left_is_taken_over(void **state)
{
	struct ps_space *one = run_in("a", 0, NULL), *two = run_in("b", 0, NULL);
	uint16_t n = free_numbers(1);

	(void)state;
	act_for(one);
	close(server(SOCK_STREAM, n));
	act_for(two);
	/* While the process lives, it may come back. */
	assert_int_not_equal(actual_of(bound(SOCK_STREAM, n)), n);
	registry_release(two, registry_own(two, n));
	one->host->record[n].owner = 0;
	assert_int_equal(actual_of(server(SOCK_STREAM, n)), n);
	assert_int_equal(record_of(two, n)->run, two->run->id);
	assert_int_equal(registry_own(one, n), 0);
}

/* A process that was killed between claim and bind has left this: nobody but its run may take it. */
static void a_claim_of_a_killed_process_is_used_again(void **state)
{
	struct ps_space *one = run_in("a", 0, NULL), *two = run_in("a", 0, NULL);
	uint16_t n = free_numbers(1);

	(void)state;
	assert_int_equal(registry_claim(one, n, n, process_self()), 1);
	act_for(two);
	assert_int_not_equal(actual_of(bound(SOCK_STREAM, n)), n);
	act_for(one);
	assert_int_equal(actual_of(bound(SOCK_STREAM, n)), n);
}

/* Services that share a number are told apart by the process; each has a port of its own. */
static void the_process_decides_which_service_it_is(void **state)
{
	uint16_t n = free_numbers(3);
	char manifest[256];
	struct ps_space *space;
	int one;

	(void)state;
	snprintf(manifest, sizeof(manifest),
		 "{\"old\":{\"ports\":[%u,%u],\"match\":{\"command\":\"test_*\"}},\"other\":{\"ports\":[%u],"
		 "\"match\":{\"command\":\"nothing\"}}}", n, n + 1u, n);
	space = run_in("a", 0, manifest);
	act_for(space);
	one = server(SOCK_STREAM, n);
	assert_string_equal(record_of(space, actual_of(one))->service, "old");
	/* The same service once more: found by its name, and the kernel judges. */
	assert_int_equal(bound(SOCK_STREAM, n), -1);
	assert_int_equal(errno, EADDRINUSE);
	close(one);
	assert_int_equal(actual_of(bound(SOCK_STREAM, n)), n);
}

static void an_external_service_is_bound_as_it_is(void **state)
{
	uint16_t n = free_numbers(1);
	char manifest[128];
	struct ps_space *space;

	(void)state;
	snprintf(manifest, sizeof(manifest), "{\"db\":{\"port\":%u,\"external\":true}}", n);
	space = run_in("a", 0, manifest);
	act_for(space);
	stranger(SOCK_STREAM, n);
	assert_int_equal(bound(SOCK_STREAM, n), -1);
	assert_int_equal(errno, EADDRINUSE);
}

static void a_run_that_is_over_changes_nothing(void **state)
{
	uint16_t n = free_numbers(1);
	struct ps_space *space = run_in("a", 0, NULL);
	int fd;

	(void)state;
	act_for(space);
	fd = bound(SOCK_STREAM, n);
	space->run->flags |= PS_SCOPE_RETIRED;
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(state_of(space, n), PS_HELD);
	stranger(SOCK_STREAM, n = free_numbers(1));
	assert_int_equal(bound(SOCK_STREAM, n), -1);
}

/* ---- law 7: a stranger has bound the number too, and listens first ---- */

static void listen_goes_elsewhere_if_a_stranger_was_first(void **state)
{
	uint16_t n = free_numbers(1);
	struct ps_space *space = run_in("a", 0, NULL);
	int ours, theirs, option = 1;

	(void)state;
	act_for(space);
	ours = bound_with(SO_REUSEADDR, SOCK_STREAM, n);
	assert_int_equal(setsockopt(ours, SOL_SOCKET, SO_KEEPALIVE, &option, sizeof(option)), 0);
	option = 100000;
	setsockopt(ours, SOL_SOCKET, SO_RCVBUF, &option, sizeof(option));
	setsockopt(ours, SOL_SOCKET, SO_SNDBUF, &option, sizeof(option));
	assert_int_equal(actual_of(ours), n);
	act_for(NULL);
	theirs = bound_with(SO_REUSEADDR, SOCK_STREAM, n);
	assert_true(theirs >= 0);
	assert_int_equal(listen(theirs, 1), 0);
	act_for(space);
	assert_int_equal(listen(ours, 1), 0);
	assert_int_not_equal(actual_of(ours), n);
	assert_int_equal(state_of(space, actual_of(ours)), PS_LISTENING);
	assert_int_equal(call_option(ours, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(registry_own(space, n), actual_of(ours));
}

/* ---- without the lock ---- */

struct holder {
	struct ps_lock *lock;
	pthread_barrier_t taken, done;
};

static void *hold(void *context)
{
	struct holder *h = context;
	struct ps_lock_guard guard;

	assert_true(lock_enter(h->lock, &guard));
	pthread_barrier_wait(&h->taken);
	pthread_barrier_wait(&h->done);
	lock_leave(h->lock, &guard);
	return NULL;
}

/* Its owner is stopped: after some time the calls go on as without portshim, and that is told. */
static void a_lock_that_does_not_come_free_is_done_without(void **state)
{
	uint16_t n = free_numbers(2), port;
	struct ps_space *space = run_in("a", PS_SCOPE_KEPT, NULL);
	struct holder h = {.lock = &space->run->lock};
	pthread_t thread;
	int fd, udp;

	(void)state;
	act_for(space);
	close(server(SOCK_DGRAM, n + 1));
	pthread_barrier_init(&h.taken, NULL, 2);
	pthread_barrier_init(&h.done, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, hold, &h), 0);
	pthread_barrier_wait(&h.taken);
	fd = bound(SOCK_STREAM, n);
	assert_int_equal(actual_of(fd), n);
	assert_int_equal(state_of(space, n), PS_FREE);
	assert_int_equal(last_event(space, &port), PS_EVENT_LOCKED);
	assert_int_equal(port, n);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(state_of(space, n), PS_FREE);
	udp = bound(SOCK_DGRAM, n + 1);
	assert_int_equal(actual_of(udp), n + 1);
	assert_int_equal(registry_sweep(space->host, space->run, space->env, true), 0);
	assert_int_equal(state_of(space, n + 1), PS_LISTENING);
	pthread_barrier_wait(&h.done);
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(second_bind_in_the_run_is_refused_by_the_kernel, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(actual_port_is_taken_as_it_is, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(sockets_that_share_join_in_the_run, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(second_listen_in_the_run_is_refused_by_the_kernel, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(another_run_makes_it_move, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(another_environment_makes_it_move, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(an_unmanaged_holder_makes_it_move, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_missing_privilege_makes_it_move, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_port_that_was_lost_is_left, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_port_that_was_lost_for_one_protocol_is_kept, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(both_protocols_have_one_number, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(what_another_run_has_left_is_taken_over, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_claim_of_a_killed_process_is_used_again, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(the_process_decides_which_service_it_is, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(an_external_service_is_bound_as_it_is, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_run_that_is_over_changes_nothing, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(listen_goes_elsewhere_if_a_stranger_was_first, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_lock_that_does_not_come_free_is_done_without, laws_setup, laws_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
