/*
 * test_aggressive.c - the strategy aggressive: the port that was asked for or none, from whom it is asked for, and what
 * a run that has yielded may do afterwards. A thread stands for the keeper of the run that has the port.
 */
#include "laws.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <portshim/want.h>

static uint16_t n;
static char manifest[512];

static const char *web(const char *more)
{
	snprintf(manifest, sizeof(manifest), "{\"web\":{\"ports\":[%u,%u],\"os\":false,%s}}", n, n + 1u, more);
	return manifest;
}

static int setup(void **state)
{
	n = free_numbers(3);
	return laws_setup(state);
}

static struct ps_space *aggressor(const char *environment, uint32_t flags)
{
	return run_in(environment, flags, web("\"strategy\":\"aggressive\""));
}

/* A run that has n, and whose keeper lives. */
static struct ps_space *holder(int *fd)
{
	struct ps_space *space = run_in("a", PS_SCOPE_KEPT | PS_SCOPE_YIELDS, web("\"yields\":true"));

	space->run->root = process_self();
	act_for(space);
	*fd = server(SOCK_STREAM, n);
	assert_int_equal(actual_of(*fd), n);
	return space;
}

struct keeper {
	pthread_t thread;
	struct ps_space *space;
	int fd; /* the program's listener, or -1: nothing is yielded */
	bool interrupts;
};

static pthread_t waiting;

static void *keep(void *argument)
{
	struct keeper *k = argument;
	const struct timespec moment = {.tv_nsec = 1000000};
	struct ps_wish wish;

	while (!want_read(k->space->run, &wish))
		nanosleep(&moment, NULL);
	while (k->interrupts && want_read(k->space->run, &wish)) {
		pthread_kill(waiting, SIGUSR1);
		nanosleep(&moment, NULL);
	}
	if (k->interrupts)
		return NULL;
	if (k->fd >= 0) {
		real.listen(k->fd, 0);
		shutdown(k->fd, SHUT_RDWR); /* no listener any more; the descriptor is the test's */
		dup2(STDERR_FILENO, k->fd);
		want_yield(k->space->host, k->space->run, &wish);
	}
	want_answer(k->space->run, &wish);
	return NULL;
}

static void start(struct keeper *k)
{
	waiting = pthread_self();
	assert_int_equal(pthread_create(&k->thread, NULL, keep, k), 0);
}

static void refused(struct ps_space *space, int error)
{
	uint16_t port;

	assert_int_equal(bound(SOCK_STREAM, n), -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_int_equal(last_event(space, &port), PS_EVENT_UNYIELDED);
	assert_int_equal(port, n);
	assert_int_equal(space->run->event[space->run->events % PS_EVENTS].error, error);
}

static void the_port_or_none(void **state)
{
	struct ps_space *space = aggressor("b", 0);

	(void)state;
	stranger(SOCK_STREAM, n);
	act_for(space);
	refused(space, EADDRINUSE);
	assert_int_equal(registry_own(space, n), 0);
}

static void a_free_one_is_had(void **state)
{
	struct ps_space *space = aggressor("b", 0);
	int fd;

	(void)state;
	act_for(space);
	fd = bound(SOCK_STREAM, n);
	assert_int_equal(actual_of(fd), n);
	assert_int_equal(record_of(space, n)->reason, PS_REASON_REQUESTED);
}

/* Nobody holds it, so there is nobody to insist against. */
static void without_the_privilege_it_moves(void **state)
{
	struct ps_space *space = aggressor("b", 0);

	(void)state;
	refuse_bind(EACCES, n, n, 1);
	act_for(space);
	assert_int_equal(actual_of(bound(SOCK_STREAM, n)), n + 1);
}

/* And it insists on none of the others. */
static void without_the_privilege_it_moves_past_who_holds_another(void **state)
{
	struct ps_space *space = aggressor("b", 0);

	(void)state;
	refuse_bind(EACCES, n, n, 1);
	stranger(SOCK_STREAM, n + 1);
	act_for(space);
	assert_true(actual_of(bound(SOCK_STREAM, n)) >= 20000);
}

static void a_private_environment_moves(void **state)
{
	struct ps_space *space = aggressor("b", PS_SCOPE_PRIVATE);

	(void)state;
	act_for(space);
	assert_int_equal(actual_of(bound(SOCK_STREAM, n)), n + 1);
}

static void who_yields_is_asked(void **state)
{
	struct ps_space *b = aggressor("b", 0);
	struct keeper k = {0};
	int fd;

	(void)state;
	k.space = holder(&k.fd);
	start(&k);
	act_for(b);
	fd = server(SOCK_STREAM, n);
	pthread_join(k.thread, NULL);
	assert_int_equal(actual_of(fd), n);
	assert_int_equal(record_of(b, n)->reason, PS_REASON_YIELDED);
	assert_int_equal(record_of(b, n)->cause, 0);
	assert_int_equal(record_of(b, n)->run, b->run->id);
}

static void who_answers_and_keeps_it_has_it(void **state)
{
	struct ps_space *b = aggressor("b", 0);
	struct keeper k = {0};
	int fd;

	(void)state;
	k.space = holder(&fd);
	k.fd = -1;
	start(&k);
	act_for(b);
	refused(b, ECANCELED);
	pthread_join(k.thread, NULL);
	assert_int_equal(state_of(b, n), PS_LISTENING);
}

static void who_does_not_yield_is_not_waited_for(void **state)
{
	struct ps_space *b = aggressor("b", 0);
	struct ps_space *a;
	int fd;

	(void)state;
	a = holder(&fd);
	atomic_store(&a->run->flags, PS_SCOPE_KEPT);
	act_for(b);
	refused(b, EPERM);
	atomic_store(&a->run->flags, PS_SCOPE_KEPT | PS_SCOPE_YIELDS);
	a->run->root = 0;
	refused(b, ESRCH);
}

static void a_port_that_is_being_bound_is_not_asked_for(void **state)
{
	struct ps_space *b = aggressor("b", 0), *a;
	int fd;

	(void)state;
	a = holder(&fd);
	atomic_store(&a->host->record[n].head, head_claim(a->env->id, n, a->run->id));
	act_for(b);
	refused(b, EADDRINUSE);
}

/* Law 3: within the run nobody is asked. */
static void ones_own_run_is_an_ordinary_host(void **state)
{
	struct ps_space *b = aggressor("b", 0);
	uint16_t port;

	(void)state;
	act_for(b);
	server(SOCK_STREAM, n);
	assert_int_equal(bound(SOCK_STREAM, n), -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_int_equal(last_event(b, &port), PS_EVENT_NONE);
}

/* Two services of one number in one run: the second moves, as with any strategy. */
static void ones_own_other_service_is_no_holder(void **state)
{
	char here[PS_PATH_MAX];
	struct ps_space *b;
	uint16_t port;

	(void)state;
	snprintf(manifest, sizeof(manifest),
		 "{\"x\":{\"port\":%u,\"range\":\"%u-%u\",\"strategy\":\"aggressive\",\"match\":{\"directory\":\"/\"}},"
		 "\"y\":{\"port\":%u,\"range\":\"%u-%u\",\"strategy\":\"aggressive\",\"match\":{\"directory\":\"/dev\"}}}",
		 n, n + 1u, n + 2u, n, n + 1u, n + 2u);
	b = run_in("b", 0, manifest);
	assert_non_null(getcwd(here, sizeof(here)));
	act_for(b);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(actual_of(server(SOCK_STREAM, n)), n);
	assert_int_equal(chdir("/dev"), 0);
	assert_int_equal(actual_of(bound(SOCK_STREAM, n)), n + 1);
	assert_int_equal(chdir(here), 0);
	assert_int_equal(last_event(b, &port), PS_EVENT_NONE);
}

static void handler(int number)
{
	(void)number;
}

static void a_signal_can_end_the_wait(void **state)
{
	struct sigaction action = {.sa_handler = handler};
	struct ps_space *b = aggressor("b", 0);
	struct keeper k = {.interrupts = true};
	uint16_t port;
	int fd;

	(void)state;
	if (syscall(449, NULL, 0, 0, NULL, 0) < 0 && errno == ENOSYS)
		skip();
	sigaction(SIGUSR1, &action, NULL);
	k.space = holder(&fd);
	start(&k);
	act_for(b);
	assert_int_equal(bound(SOCK_STREAM, n), -1);
	assert_int_equal(errno, EINTR);
	pthread_join(k.thread, NULL);
	assert_int_equal(last_event(b, &port), PS_EVENT_NONE);
	assert_int_equal(state_of(b, n), PS_LISTENING);
}

/* The two laws that keep runs from taking a port from one another without end. */
static void who_has_yielded_takes_no_more(void **state)
{
	struct ps_space *a = aggressor("a", 0), *b = run_in("b", 0, web("\"strategy\":\"minimal\""));
	int fd;

	(void)state;
	atomic_store(&a->run->yielded, n);
	act_for(a);
	fd = bound(SOCK_STREAM, n); /* which is free */
	assert_int_equal(actual_of(fd), n + 1);
	assert_int_equal(record_of(a, n + 1)->cause, EADDRINUSE);
	registry_release(a, n + 1);
	close(fd);
	atomic_store(&a->run->yielded, n + 2);
	act_for(b);
	server(SOCK_STREAM, n);
	act_for(a);
	assert_int_equal(actual_of(bound(SOCK_STREAM, n)), n + 1);
}

static void what_was_yielded_is_no_candidate_either(void **state)
{
	struct ps_space *a = run_in("a", 0, web("\"strategy\":\"minimal\""));
	uint16_t port;

	(void)state;
	atomic_store(&a->run->yielded, n + 1);
	stranger(SOCK_STREAM, n);
	act_for(a);
	assert_int_not_equal(actual_of(bound(SOCK_STREAM, n)), n + 1);
	assert_int_equal(last_event(a, &port), PS_EVENT_NONE);
}

/* Law 7: somebody unmanaged listens first. listen() waits for nobody. */
static void lost_before_it_listened(void **state)
{
	struct ps_space *b = aggressor("b", 0);
	uint16_t port;
	int fd;

	(void)state;
	act_for(b);
	fd = bound_with(SO_REUSEADDR, SOCK_STREAM, n);
	act_for(NULL);
	assert_int_equal(real.listen(bound_with(SO_REUSEADDR, SOCK_STREAM, n), 1), 0);
	act_for(b);
	assert_int_equal(listen(fd, 1), -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_int_equal(last_event(b, &port), PS_EVENT_UNYIELDED);
	assert_int_equal(port, n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_port_or_none, setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_free_one_is_had, setup, laws_teardown),
		cmocka_unit_test_setup_teardown(without_the_privilege_it_moves, setup, laws_teardown),
		cmocka_unit_test_setup_teardown(without_the_privilege_it_moves_past_who_holds_another, setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_private_environment_moves, setup, laws_teardown),
		cmocka_unit_test_setup_teardown(who_yields_is_asked, setup, laws_teardown),
		cmocka_unit_test_setup_teardown(who_answers_and_keeps_it_has_it, setup, laws_teardown),
		cmocka_unit_test_setup_teardown(who_does_not_yield_is_not_waited_for, setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_port_that_is_being_bound_is_not_asked_for, setup, laws_teardown),
		cmocka_unit_test_setup_teardown(ones_own_run_is_an_ordinary_host, setup, laws_teardown),
		cmocka_unit_test_setup_teardown(ones_own_other_service_is_no_holder, setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_signal_can_end_the_wait, setup, laws_teardown),
		cmocka_unit_test_setup_teardown(who_has_yielded_takes_no_more, setup, laws_teardown),
		cmocka_unit_test_setup_teardown(what_was_yielded_is_no_candidate_either, setup, laws_teardown),
		cmocka_unit_test_setup_teardown(lost_before_it_listened, setup, laws_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
