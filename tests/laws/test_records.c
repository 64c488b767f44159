/*
 * test_records.c - what the laws lean on: a hint is believed only where the record confirms it, a record is about who
 * listens and nobody else, and what ended is cleared away, no more and no less.
 */
#include <arpa/inet.h>

#include "laws.h"

#include "meddle.h"

static struct ps_space *space, *other;
static uint16_t n;

static void start(void)
{
	space = run_in("a", PS_SCOPE_KEPT, NULL);
	other = run_in("b", 0, NULL);
	n = free_numbers(3);
	act_for(space);
}

static int at(const char *address, int type, uint16_t port)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
	bool is_six = strchr(address, ':');
	int family = is_six ? AF_INET6 : AF_INET, fd = socket(family, type | SOCK_CLOEXEC, 0);
	struct sockaddr *a = is_six ? (struct sockaddr *)&six : (struct sockaddr *)&four;

	assert_int_equal(inet_pton(family, address, is_six ? (void *)&six.sin6_addr : &four.sin_addr), 1);
	assert_int_equal(bind(fd, a, is_six ? sizeof(six) : sizeof(four)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static void head_set(uint16_t port, uint64_t head)
{
	atomic_store(&space->host->record[port].head, head);
}

/* ---- hints ---- */

static void a_hint_to_anothers_number_is_not_believed(void **state)
{
	(void)state;
	start();
	server(SOCK_STREAM, n);
	space->run->near[(n + 1) % PS_NEAR] = (uint32_t)(n + 1) << 16 | n;
	assert_int_equal(registry_forward(space, n + 1), 0);
	assert_int_equal(registry_forward(space, n), n);
}

static void environments_that_are_seen(void **state)
{
	struct ps_space *sees, *c = run_in("c", 0, NULL);

	(void)state;
	start();
	sees = run_that_sees("a", other->env->id);
	assert_true(registry_sees(sees, other->env->id));
	assert_true(registry_sees(sees, space->env->id));
	assert_false(registry_sees(sees, c->env->id));
	assert_false(registry_sees(space, other->env->id));
}

static void whose_a_port_is(void **state)
{
	bool listening;

	(void)state;
	start();
	server(SOCK_STREAM, n);
	assert_false(registry_foreign(space, n, &listening));
	assert_true(registry_foreign(other, n, &listening));
	assert_true(listening);
	assert_false(registry_foreign(run_that_sees("b", space->env->id), n, &listening));
	assert_false(registry_foreign(other, n + 1, &listening));
}

/* A number is one of 256 places in a scope's first page; the second one of a place has another page, and may find the
 * disk full. */
static void no_room_for_a_hint(void)
{
	uint16_t port, late = n + PS_NEAR;
	int fd;

	server(SOCK_STREAM, n);
	registry_claim(other, late ^ 1, late ^ 1, process_self()); /* so the record's page is there */
	child_fail(SYS_madvise, -1, 0, ENOSPC);
	fd = bound(SOCK_STREAM, late);
	CHILD_MUST(fd >= 0 && actual_of(fd) == late && state_of(space, late) == PS_FREE);
	CHILD_MUST(last_event(space, &port) == PS_EVENT_UNMAPPED && port == late);
}

static void no_room_for_the_environments_hint(void)
{
	uint16_t port, late = n + PS_NEAR;
	int fd;

	server(SOCK_STREAM, n);
	fd = bound(SOCK_STREAM, late);
	child_fail(SYS_madvise, -1, 0, ENOSPC);
	CHILD_MUST(listen(fd, 1) == 0 && state_of(space, late) == PS_LISTENING);
	CHILD_MUST(last_event(space, &port) == PS_EVENT_UNMAPPED && port == late);
	CHILD_MUST(registry_own(space, late) == late); /* the run's own clients find it */
}

static void no_room_for_a_number_that_the_kernel_chose(void)
{
	int fd = bound(SOCK_STREAM, 0);
	uint16_t port, actual = actual_of(fd);

	for (unsigned i = 0; i < PS_NEAR; i++)
		space->run->near[i] = (i ? i : PS_NEAR) << 16;
	registry_claim(other, actual ^ 1, actual ^ 1, process_self());
	child_fail(SYS_madvise, -1, 0, ENOSPC);
	CHILD_MUST(listen(fd, 1) == 0 && state_of(space, actual) == PS_LISTENING);
	CHILD_MUST(last_event(space, &port) == PS_EVENT_UNMAPPED && port == actual);
}

/* The default range is used up, the kernel chooses, and there is no room to say so. */
static void no_room_for_what_the_kernel_chose_instead(void)
{
	uint16_t port;
	int fd;

	for (uint32_t p = 1; p < 32000; p += 32) {
		CHILD_MUST(space_reserve(space, &space->host->record[p]) == 0);
		shared_set(space->host->owned, (uint16_t)p);
	}
	child_fail(SYS_madvise, -1, 0, ENOSPC);
	refuse_bind(EADDRINUSE, 1, 65535, 20000);
	fd = bound(SOCK_STREAM, n);
	CHILD_MUST(fd >= 0 && actual_of(fd) >= 32000 && state_of(space, actual_of(fd)) == PS_FREE);
	CHILD_MUST(last_event(space, &port) == PS_EVENT_UNMAPPED && port == actual_of(fd));
}

/* The default range is used up, and each number that the kernel may choose is another run's claim, which was given up
 * in the kernel: the claim is out of date. */
static void what_the_kernel_chose_is_anothers_by_the_record(void)
{
	int fd;

	for (uint32_t p = 30000; p <= UINT16_MAX; p++)
		registry_claim(other, (uint16_t)p, (uint16_t)p, process_self());
	refuse_bind(EADDRINUSE, 1, 65535, 20000);
	fd = bound(SOCK_STREAM, n);
	CHILD_MUST(fd >= 0 && actual_of(fd) >= 30000 && registry_own(space, n) == actual_of(fd));
}

/* Nor can it be asked what the kernel has chosen. */
static void no_name_for_what_the_kernel_chose(void)
{
	int fd;

	child_fail(SYS_getsockname, -1, 0, EPERM);
	refuse_bind(EADDRINUSE, 1, 65535, 20000);
	fd = bound(SOCK_STREAM, n);
	CHILD_MUST(fd >= 0 && registry_own(space, n) == 0);
}

static void no_room(void **state)
{
	static void (*const for_what[])(void) = {
		no_room_for_a_hint, no_room_for_the_environments_hint, no_room_for_a_number_that_the_kernel_chose,
		no_room_for_what_the_kernel_chose_instead, what_the_kernel_chose_is_anothers_by_the_record,
		no_name_for_what_the_kernel_chose,
	};

	(void)state;
	for (size_t i = 0; i < COUNT(for_what); i++) {
		start();
		IN_CHILD(for_what[i]);
	}
}

/* ---- whom a record is about ---- */

static void nobody_gives_up_what_is_anothers(void **state)
{
	uint64_t head;

	(void)state;
	start();
	act_for(other);
	server(SOCK_STREAM, n);
	head = host_head(other->host, n);
	registry_release(space, n);
	assert_true(host_head(space->host, n) == head);
	registry_release(space, n + 1);
	assert_int_equal(state_of(space, n + 1), PS_FREE);
}

/* Another run was about to take it over when its server began to listen: it is recorded under the name it had. */
static void who_listens_is_recorded_whatever_the_head_says(void **state)
{
	uint16_t actual;
	int fd;

	(void)state;
	start();
	stranger(SOCK_STREAM, n);
	fd = bound(SOCK_STREAM, n);
	actual = actual_of(fd);
	shared_clear(space->host->moved, actual);
	head_set(actual, head_claim(other->env->id, actual, other->run->id));
	assert_int_equal(listen(fd, 1), 0);
	assert_true(host_head(space->host, actual) == head_make(space->env->id, n, PS_LISTENING));
	assert_true(shared_bit(space->host->moved, actual));
	assert_int_equal(registry_own(space, n), actual);

	fd = bound(SOCK_STREAM, n + 1);
	head_set(n + 1, head_claim(other->env->id, n + 1, other->run->id));
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(registry_own(space, n + 1), n + 1);
	assert_false(shared_bit(space->host->moved, n + 1));
}

/* Listens on a socket that is somebody else's: from then on the port is ours, and not theirs. */
static void takes(int fd, uint16_t port, struct ps_space *theirs)
{
	act_for(space);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(registry_own(space, port), port);
	assert_int_equal(registry_own(theirs, port), 0);
}

/* A socket that another environment's process, or another run's, has bound and passed on is the listener's. */
static void who_listens_to_anothers_socket_has_it(void **state)
{
	struct ps_space *neighbour;

	(void)state;
	start();
	neighbour = run_in("a", 0, NULL);
	act_for(other);
	takes(bound(SOCK_STREAM, n), n, other);

	act_for(neighbour);
	takes(bound(SOCK_STREAM, n + 1), n + 1, neighbour);
}

/* Also where that one has listened already. */
static void who_listens_last_has_it(void **state)
{
	struct ps_space *neighbour;

	(void)state;
	start();
	neighbour = run_in("a", 0, NULL);
	act_for(neighbour);
	takes(server(SOCK_STREAM, n), n, neighbour);

	act_for(other);
	takes(server(SOCK_STREAM, n + 1), n + 1, other);
}

/* A number that the kernel has chosen may be that of another environment's server for the other protocol, which is
 * gone. */
static void a_chosen_number_of_a_dead_server(void **state)
{
	(void)state;
	start();
	act_for(other);
	close(server(SOCK_DGRAM, n));
	assert_int_equal(state_of(other, n), PS_LISTENING);
	act_for(NULL);
	takes(bound(SOCK_STREAM, n), n, other);
}

/* But one that a run around this one has bound stays that one's. */
static void an_outer_runs_socket_stays_its_own(void **state)
{
	struct ps_space *inner;
	int fd;

	(void)state;
	start();
	inner = run_that_sees("a", space->run->id);
	fd = bound(SOCK_STREAM, n);
	act_for(inner);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(state_of(space, n), PS_LISTENING);
	assert_int_equal(registry_own(space, n), n);
	assert_int_equal(registry_own(inner, n), 0);
	assert_int_equal(registry_forward(inner, n), n);
}

/* What was a moved port's number once is now asked for by itself. */
static void a_number_is_not_moved_for_ever(void **state)
{
	uint16_t actual;
	int fd;

	(void)state;
	start();
	stranger(SOCK_STREAM, n);
	fd = server(SOCK_STREAM, n);
	actual = actual_of(fd);
	close(fd);
	assert_int_equal(registry_sweep(space->host, space->run, space->env, true), 1);
	assert_true(shared_bit(space->host->moved, actual));
	fd = server(SOCK_STREAM, actual);
	assert_int_equal(actual_of(fd), actual);
	assert_false(shared_bit(space->host->moved, actual));
}

/* ---- addresses ---- */

static void addresses_are_told_apart(void **state)
{
	static const struct {
		const char *address;
		uint8_t at;
	} cases[] = {
		{"127.0.0.1", PS_AT_LO4}, {"::1", PS_AT_LO6}, {"0.0.0.0", PS_AT_ANY4}, {"::", PS_AT_ANY6},
		{"127.0.0.2", PS_AT_OTHER}, {"127.0.1.1", PS_AT_OTHER}, {"127.1.0.1", PS_AT_OTHER},
		{"::ffff:127.0.0.1", PS_AT_LO4}, {"::ffff:127.0.0.2", PS_AT_OTHER}, {"::ffff:0.0.0.0", PS_AT_ANY6},
	};

	(void)state;
	start();
	for (size_t i = 0; i < COUNT(cases); i++) {
		n = free_numbers(1);
		close(at(cases[i].address, SOCK_STREAM, n));
		if (record_of(space, n)->at != cases[i].at)
			fail_msg("%s: %u", cases[i].address, record_of(space, n)->at);
	}
}

/* ---- a look ---- */

static unsigned look(void)
{
	return registry_sweep(space->host, space->run, space->env, false);
}

static void what_listens_no_more_is_taken_out(void **state)
{
	const struct ps_record *r;
	int one, two;

	(void)state;
	start();
	r = record_of(space, n);
	one = at("127.0.0.1", SOCK_STREAM, n);
	two = at("::1", SOCK_STREAM, n);
	assert_int_equal(r->at, PS_AT_LO4 | PS_AT_LO6);
	assert_int_equal(look(), 0);
	assert_int_equal(r->at, PS_AT_LO4 | PS_AT_LO6);
	close(one);
	assert_int_equal(look(), 1);
	assert_int_equal(r->at, PS_AT_LO6);
	close(two);
	assert_int_equal(look(), 1);
	assert_int_equal(state_of(space, n), PS_HELD);

	n = free_numbers(1);
	r = record_of(space, n);
	one = at("127.0.0.1", SOCK_DGRAM, n);
	two = at("127.0.0.1", SOCK_STREAM, n);
	assert_int_equal(r->protocols, PS_TCP | PS_UDP);
	close(one);
	assert_int_equal(look(), 1);
	assert_int_equal(r->protocols, PS_TCP);
	close(two);
	assert_int_equal(look(), 1);

	n = free_numbers(1);
	r = record_of(space, n);
	one = at("127.0.0.3", SOCK_STREAM, n);
	two = at("127.0.0.2", SOCK_STREAM, n);
	assert_int_equal(r->at, PS_AT_OTHER | PS_AT_OTHERS);
	assert_int_equal(look(), 0);
	close(one);
	close(two);
}

/* Two others, of which the one is left that listened last. */
static void the_other_address_that_is_left(void **state)
{
	const struct ps_record *r;
	int one, two;

	(void)state;
	start();
	r = record_of(space, n);
	one = at("127.0.0.2", SOCK_STREAM, n);
	two = at("127.0.0.3", SOCK_STREAM, n);
	close(one);
	assert_int_equal(look(), 1);
	assert_int_equal(r->at, PS_AT_OTHER);
	assert_int_equal(r->address[15], 3);
	close(two);
}

static long another_user(const struct seccomp_data *call)
{
	(void)call;
	return 54321;
}

static void somebody_elses_sockets(void)
{
	child_meddle(SYS_geteuid, another_user);
	CHILD_MUST(look() == 0 && record_of(space, n)->at == (PS_AT_LO4 | PS_AT_LO6));
	CHILD_MUST(record_of(space, n)->protocols == PS_TCP);
}

static void no_netlink(void)
{
	child_fail(SYS_socket, 0, AF_NETLINK, EMFILE);
	CHILD_MUST(look() == 0 && record_of(space, n)->at == (PS_AT_LO4 | PS_AT_LO6));
}

/* What cannot be confirmed is left as it is. */
static void what_is_not_known_stays(void **state)
{
	int one, two;

	(void)state;
	start();
	one = at("127.0.0.1", SOCK_STREAM, n);
	two = at("::1", SOCK_STREAM, n);
	IN_CHILD(somebody_elses_sockets);
	IN_CHILD(no_netlink);
	space->host->record[n].at = PS_AT_ANY4 | PS_AT_ANY6;
	assert_int_equal(look(), 0);
	assert_int_equal(record_of(space, n)->at, PS_AT_ANY4 | PS_AT_ANY6);
	close(one);
	close(two);
}

static void claims_of_killed_processes_are_cleared_away(void **state)
{
	struct ps_space *neighbour;

	(void)state;
	start();
	neighbour = run_in("a", 0, NULL);
	assert_int_equal(registry_claim(space, n, n, process_self()), 1);
	/* A neighbour that was killed just after it had claimed what had been this run's: the claim is its own. */
	assert_int_equal(registry_claim(space, n + 1, n + 1, process_self()), 1);
	head_set(n + 1, head_claim(space->env->id, n + 1, neighbour->run->id));
	assert_int_equal(look(), 1);
	assert_int_equal(state_of(space, n), PS_FREE);
	assert_int_equal(state_of(space, n + 1), PS_CLAIMED);
	assert_int_equal(registry_sweep(space->host, neighbour->run, space->env, false), 1);
	assert_int_equal(state_of(space, n + 1), PS_FREE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_hint_to_anothers_number_is_not_believed, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(environments_that_are_seen, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(whose_a_port_is, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(no_room, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(nobody_gives_up_what_is_anothers, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(who_listens_is_recorded_whatever_the_head_says, laws_setup,
						laws_teardown),
		cmocka_unit_test_setup_teardown(who_listens_to_anothers_socket_has_it, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(who_listens_last_has_it, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_chosen_number_of_a_dead_server, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(an_outer_runs_socket_stays_its_own, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_number_is_not_moved_for_ever, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(addresses_are_told_apart, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(what_listens_no_more_is_taken_out, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(the_other_address_that_is_left, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(what_is_not_known_stays, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(claims_of_killed_processes_are_cleared_away, laws_setup, laws_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
