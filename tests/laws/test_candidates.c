/*
 * test_candidates.c - law 4: which port a bind gets when others have those before it, and what it gets in the end.
 */
#include "laws.h"

#include <portshim/candidates.h>

static const struct ps_record *got(struct ps_space *space, int fd, enum ps_reason reason, uint16_t actual)
{
	assert_true(fd >= 0);
	if (actual)
		assert_int_equal(actual_of(fd), actual);
	assert_int_equal(record_of(space, actual_of(fd))->reason, reason);
	return record_of(space, actual_of(fd));
}

static char *text(char *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

static char *text(char *to, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(to, 512, format, list);
	va_end(list);
	return to;
}

static void requested_port_if_it_is_free(void **state)
{
	uint16_t n = free_numbers(1);
	struct ps_space *space = run_in("a", 0, NULL);
	const struct ps_record *r;

	(void)state;
	act_for(space);
	r = got(space, bound(SOCK_STREAM, n), PS_REASON_REQUESTED, n);
	assert_int_equal(r->cause, 0);
	assert_int_equal(r->run, space->run->id);
	assert_string_equal(r->service, "");
}

/* Each step of the order is reached when all before it are taken by strangers. */
static void each_step_in_its_order(void **state)
{
	uint16_t n = free_numbers(6);
	char manifest[512];
	struct ps_space *space = run_in("a", 0, text(manifest, "{\"web\":{\"ports\":[%u,%u,%u],\"range\":\"%u-%u\"}}", n,
						     n + 1, n + 2, n + 4, n + 5));
	const struct ps_record *r;
	int fd;

	(void)state;
	act_for(space);
	space->env->forward[n] = n + 3; /* as the last run has left it */
	atomic_fetch_or(&space->env->pages, scope_page(n));

	stranger(SOCK_STREAM, n);
	fd = bound(SOCK_STREAM, n);
	r = got(space, fd, PS_REASON_PREFERRED, n + 1);
	assert_int_equal(r->cause, EADDRINUSE);
	assert_string_equal(r->service, "web");
	registry_release(space, n + 1); /* another run of it would be at the same point */

	fd = bound(SOCK_STREAM, n);
	got(space, fd, PS_REASON_PREFERRED, n + 2);
	registry_release(space, n + 2);

	fd = bound(SOCK_STREAM, n);
	got(space, fd, PS_REASON_STICKY, n + 3);
	registry_release(space, n + 3);

	fd = bound(SOCK_STREAM, n);
	got(space, fd, PS_REASON_RANGE, n + 4);
	registry_release(space, n + 4);

	fd = bound(SOCK_STREAM, n);
	got(space, fd, PS_REASON_RANGE, n + 5);
	registry_release(space, n + 5);

	fd = bound(SOCK_STREAM, n);
	got(space, fd, PS_REASON_DEFAULT, 0);
	assert_in_range(actual_of(fd), 20000, 29999);
}

/* Nothing of the range may be handed out but one: a service declares the first, the second is well-known, browsers
 * refuse the third and the fourth. */
static void never_what_is_declared_or_reserved_or_refused(void **state)
{
	uint16_t n = free_numbers(1);
	char manifest[512];
	struct ps_space *space = run_in("a", 0, text(manifest, "{\"web\":{\"port\":%u,\"range\":\"5999-6001\"},"
						     "\"api\":{\"port\":5999}}", n));
	int fd;

	(void)state;
	assert_true(candidates_browser_blocked(6000) && !candidates_reserved(6001));
	act_for(space);
	stranger(SOCK_STREAM, n);
	fd = bound(SOCK_STREAM, n);
	assert_true(fd >= 0);
	assert_int_not_equal(actual_of(fd), 5999);
	assert_int_not_equal(actual_of(fd), 6000);
}

static void conservative_leaves_other_projects_ports_alone(void **state)
{
	uint16_t n = free_numbers(4);
	char manifest[512];
	struct ps_space *space = run_in("a", 0, text(manifest, "{\"web\":{\"ports\":[%u,%u],\"range\":\"%u-%u\","
						     "\"strategy\":\"conservative\"}}", n, n + 1, n + 2, n + 3));
	uint64_t *foreign = ((struct ps_plan *)(void *)(space->run + 1))->foreign;

	(void)state;
	bitmap_set(foreign, n);
	bitmap_set(foreign, n + 1);
	bitmap_set(foreign, n + 2);
	act_for(space);
	got(space, bound(SOCK_STREAM, n), PS_REASON_RANGE, n + 3);
}

static void private_environment_never_takes_the_requested(void **state)
{
	uint16_t n = free_numbers(1);
	struct ps_space *space = run_in("a", PS_SCOPE_PRIVATE, NULL);

	(void)state;
	act_for(space);
	got(space, bound(SOCK_STREAM, n), PS_REASON_DEFAULT, 0);
}

/* The kernel chooses where the rules allow it, when the default range is used up. */
static void kernel_chooses_if_it_may(void **state)
{
	uint16_t n = free_numbers(1);
	struct ps_space *space = run_in("a", 0, NULL);
	int fd;

	(void)state;
	act_for(space);
	refuse_bind(EADDRINUSE, 1, 65535, 20000);
	fd = bound(SOCK_STREAM, n);
	got(space, fd, PS_REASON_OS, 0);
	assert_int_equal(head_requested(host_head(space->host, actual_of(fd))), n);
	assert_int_equal(shown_of(fd), n);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(shown_of(fd), actual_of(fd));
}

static int all_taken(struct ps_space *space, uint16_t n, int first_error)
{
	refuse_bind(first_error, n, n, 1);
	act_for(space);
	for (uint32_t port = 1; port < PS_PORTS; port++) { /* another environment's, all of them */
		if (port == n)
			continue;
		assert_int_equal(space_reserve(space, &space->host->record[port].head), 0);
		space->host->record[port].head = head_make(PS_ENV_BIT | 5, (uint16_t)port, PS_CLAIMED);
		shared_set(space->host->owned, (uint16_t)port);
	}
	errno = 0;
	assert_int_equal(bound(SOCK_STREAM, n), -1);
	return errno;
}

static void original_errno_and_a_word_about_it_if_not(void **state)
{
	uint16_t n = free_numbers(1), told;
	char manifest[512];
	struct ps_space *space = run_in("a", 0, text(manifest, "{\"web\":{\"port\":%u,\"os\":false}}", n));

	(void)state;
	assert_int_equal(all_taken(space, n, EADDRINUSE), EADDRINUSE);
	assert_int_equal(last_event(space, &told), PS_EVENT_EXHAUSTED);
	assert_int_equal(told, n);
	assert_int_equal(state_of(space, n), PS_FREE);
}

static void original_errno_is_that_of_the_requested_port(void **state)
{
	uint16_t n = free_numbers(1);
	char manifest[512];
	struct ps_space *space = run_in("a", 0, text(manifest, "{\"web\":{\"port\":%u,\"os\":false}}", n));

	(void)state;
	assert_int_equal(all_taken(space, n, EACCES), EACCES);
}

/* What is wrong with the call and not with the port is the program's own affair. */
static void any_other_errno_ends_the_search(void **state)
{
	uint16_t n = free_numbers(1), told;
	struct ps_space *space = run_in("a", 0, NULL);

	(void)state;
	act_for(space);
	refuse_bind(EADDRNOTAVAIL, n, n, 1);
	assert_int_equal(bound(SOCK_STREAM, n), -1);
	assert_int_equal(errno, EADDRNOTAVAIL);
	assert_int_equal(state_of(space, n), PS_FREE);
	assert_int_equal(last_event(space, &told), PS_EVENT_NONE);
}

/* Law 2: a candidate must be free on the other family, too, and for both protocols where the service has both. */
static void candidates_are_free_for_all_that_is_needed(void **state)
{
	uint16_t n = free_numbers(3);
	char manifest[512];
	struct ps_space *space = run_in("a", 0, text(manifest, "{\"dns\":{\"ports\":[%u,%u,%u],"
						     "\"protocol\":\"both\"}}", n, n + 1, n + 2));
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(n + 1), .sin6_addr = in6addr_loopback};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	stranger(SOCK_DGRAM, n);
	act_for(NULL);
	assert_int_equal(bind(fd, (struct sockaddr *)&six, sizeof(six)), 0);
	act_for(space);
	got(space, bound(SOCK_STREAM, n), PS_REASON_PREFERRED, n + 2);
	close(fd);
}

static void a_shared_port_is_not_joined(void **state)
{
	uint16_t n = free_numbers(2);
	char manifest[512];
	struct ps_space *space = run_in("a", 0, text(manifest, "{\"web\":{\"ports\":[%u,%u]}}", n, n + 1));

	(void)state;
	act_for(NULL);
	assert_true(bound_with(SO_REUSEPORT, SOCK_STREAM, n) >= 0);
	act_for(space);
	got(space, bound_with(SO_REUSEPORT, SOCK_STREAM, n), PS_REASON_PREFERRED, n + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(requested_port_if_it_is_free, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(each_step_in_its_order, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(never_what_is_declared_or_reserved_or_refused, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(conservative_leaves_other_projects_ports_alone, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(private_environment_never_takes_the_requested, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(kernel_chooses_if_it_may, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(original_errno_and_a_word_about_it_if_not, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(original_errno_is_that_of_the_requested_port, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(any_other_errno_ends_the_search, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(candidates_are_free_for_all_that_is_needed, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_shared_port_is_not_joined, laws_setup, laws_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
