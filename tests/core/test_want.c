/*
 * test_want.c - a run that has a port, and those who want it: who is asked, who waits for how long, and what is left of
 * a wish.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <portshim/process.h>
#include <portshim/registry.h>
#include <portshim/want.h>

#include "child.h"

#define PORT 3000

static char runtime[PS_RUNTIME_MAX], path[PS_RUNTIME_MAX + 16];
static struct ps_space has, wants; /* the run that has the port, and one that wants it */

static void open_run(struct ps_space *space, const char *env_name, uint32_t flags)
{
	struct ps_scope_spec of_env = { .key = env_name, .name = env_name };
	struct ps_scope_spec of_run = { .flags = flags, .root = process_self() };
	struct ps_scope *env, *run;

	assert_int_equal(space_open_env(runtime, &of_env, &env), 0);
	of_run.chain[0] = env->id;
	assert_int_equal(space_create_run(runtime, &of_run, path, &run), 0);
	assert_int_equal(space_open(space, path), 0);
	space_close_scope(env);
	space_close_scope(run);
}

static int setup(void **state)
{
	const char *parent = getenv("PORTSHIM_RUNTIME_DIR");

	(void)state;
	snprintf(runtime, sizeof(runtime), "%s/want-XXXXXX", parent && *parent ? parent : "/dev/shm");
	assert_non_null(mkdtemp(runtime));
	open_run(&has, "name:a", PS_SCOPE_KEPT | PS_SCOPE_YIELDS);
	open_run(&wants, "name:b", 0);
	assert_int_equal(registry_adopt(&has, PORT, PORT, 0), 0);
	atomic_store(&has.host->record[PORT].head, head_make(has.env->id, PORT, PS_HELD));
	return 0;
}

static int teardown(void **state)
{
	DIR *directory = opendir(runtime);
	struct dirent *entry;

	(void)state;
	space_close(&has);
	space_close(&wants);
	while (directory && (entry = readdir(directory)))
		unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory)
		closedir(directory);
	return rmdir(runtime);
}

static uint64_t of_dead(void)
{
	int status;
	pid_t pid = fork();
	uint64_t identity;

	if (pid == 0) {
		pause();
		_exit(0);
	}
	identity = process_of(pid);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return identity;
}

/* ---- who is asked ---- */

static void only_a_living_keeper_that_yields_is_asked(void **state)
{
	uint64_t root = has.run->root;

	(void)state;
	assert_int_equal(want_hope(has.run), 0);
	atomic_store(&has.run->flags, PS_SCOPE_KEPT);
	assert_int_equal(want_port(&wants, process_self(), has.run->id, PORT), -EPERM);
	atomic_store(&has.run->flags, PS_SCOPE_YIELDS);
	assert_int_equal(want_port(&wants, process_self(), has.run->id, PORT), -EPERM);
	atomic_store(&has.run->flags, PS_SCOPE_YIELDS | PS_SCOPE_KEPT | PS_SCOPE_RETIRED);
	assert_int_equal(want_port(&wants, process_self(), has.run->id, PORT), -ESRCH);
	atomic_store(&has.run->flags, PS_SCOPE_YIELDS | PS_SCOPE_KEPT);
	has.run->root = of_dead();
	assert_int_equal(want_port(&wants, process_self(), has.run->id, PORT), -ESRCH);
	has.run->root = root;
	assert_int_equal(want_port(&wants, process_self(), has.run->id ^ 1, PORT), -ENOENT);
	assert_int_equal(want_port(&wants, of_dead(), has.run->id, PORT), -ESRCH);
	assert_int_equal(has.run->wanted_by, 0);
}

static void a_port_that_the_run_does_not_have_is_not_waited_for(void **state)
{
	(void)state;
	assert_int_equal(want_port(&wants, process_self(), has.run->id, PORT + 1), 0);
	atomic_store(&has.host->record[PORT].head, head_make(wants.env->id, PORT, PS_HELD));
	assert_int_equal(want_port(&wants, process_self(), has.run->id, PORT), 0);
	atomic_store(&has.host->record[PORT].head, head_make(has.env->id, PORT, PS_HELD));
	record_set(&has.host->record[PORT], run, wants.run->id);
	assert_int_equal(want_port(&wants, process_self(), has.run->id, PORT), 0);
}

/* ---- waiting ---- */

struct keeper {
	pthread_t thread;
	bool yields;
	unsigned wishes; /* to be answered */
	uint16_t ports[4];
	struct ps_wish last;
};

static void *keep(void *argument)
{
	struct keeper *k = argument;
	const struct timespec moment = { .tv_nsec = 1000000 };
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	for (unsigned i = 0; i < k->wishes; i++) {
		while (!want_read(has.run, &k->last))
			nanosleep(&moment, NULL);
		k->ports[i] = k->last.port;
		if (k->yields)
			want_yield(has.host, has.run, &k->last);
		want_answer(has.run, &k->last);
	}
	return NULL;
}

/* Answers nobody but this process. */
static void *keep_for_us(void *argument)
{
	const struct timespec moment = { .tv_nsec = 1000000 };

	while (has.run->wanted_by != process_self())
		nanosleep(&moment, NULL);
	return keep(argument);
}

static void start(struct keeper *k)
{
	assert_int_equal(pthread_create(&k->thread, NULL, keep, k), 0);
}

static void finish(struct keeper *k)
{
	pthread_join(k->thread, NULL);
}

static void who_waits_has_the_answer(void **state)
{
	struct keeper k = { .yields = true, .wishes = 1 };

	(void)state;
	start(&k);
	assert_int_equal(want_port(&wants, process_self(), has.run->id, PORT), 1);
	finish(&k);
	assert_int_equal(k.last.port, PORT);
	assert_int_equal(k.last.run, wants.run->id);
	assert_true(k.last.by == process_self());
	assert_int_equal(host_head(has.host, PORT), 0);
	assert_int_equal(has.run->yielded, PORT);
	assert_int_equal(has.run->yielded_for, wants.run->id);
	assert_int_equal(has.run->wanted_by, 0);
}

static void a_refusal_is_an_answer(void **state)
{
	struct keeper k = { .yields = false, .wishes = 1 };

	(void)state;
	start(&k);
	assert_int_equal(want_port(&wants, process_self(), has.run->id, PORT), 0);
	finish(&k);
	assert_int_equal(head_state(host_head(has.host, PORT)), PS_HELD);
	assert_int_equal(has.run->yielded, 0);
}

/* There is room for one wish: who finds another waits for its answer and asks then. */
static void another_wish_comes_first(void **state)
{
	struct keeper k = { .yields = true, .wishes = 2 };
	pid_t other = fork();

	(void)state;
	if (other == 0) {
		pause();
		_exit(0);
	}
	has.run->wanted = PORT + 5;
	has.run->wanted_by = process_of(other);
	start(&k);
	assert_int_equal(want_port(&wants, process_self(), has.run->id, PORT), 1);
	finish(&k);
	assert_int_equal(k.ports[0], PORT + 5);
	assert_int_equal(k.ports[1], PORT);
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
}

static void the_same_wish_needs_no_second(void **state)
{
	struct keeper k = { .yields = true, .wishes = 1 };
	pid_t other = fork();

	(void)state;
	if (other == 0) {
		pause();
		_exit(0);
	}
	has.run->wanted = PORT;
	has.run->wanted_by = process_of(other);
	start(&k);
	assert_int_equal(want_port(&wants, process_self(), has.run->id, PORT), 1);
	finish(&k);
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
}

static void a_dead_ones_wish_counts_for_none(void **state)
{
	struct keeper k = { .yields = true, .wishes = 1 };
	struct ps_wish wish = { .by = of_dead(), .port = PORT };

	(void)state;
	has.run->wanted = PORT + 5;
	has.run->wanted_by = wish.by;
	assert_false(want_read(has.run, &wish));
	wish.port = PORT;
	assert_false(want_yield(has.host, has.run, &wish));
	assert_int_equal(has.run->yielded, 0);
	start(&k);
	assert_int_equal(want_port(&wants, process_self(), has.run->id, PORT), 1);
	finish(&k);
}

/* Its keeper has read it, and has not answered yet, when another takes its place. */
static void *answer_dead_first(void *argument)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	struct keeper *k = argument;

	while (has.run->wanted_by != process_self())
		nanosleep(&moment, NULL);
	want_answer(has.run, &k->last);
	for (int i = 0; i < 20 && has.run->wanted_by == process_self(); i++)
		nanosleep(&moment, NULL);
	k->last.by = 0;
	return keep(k);
}

static void what_a_dead_one_is_told_is_no_answer_to_who_took_its_place(void **state)
{
	struct keeper k = { .yields = true, .wishes = 1, .last = { .by = of_dead(), .port = PORT } };

	(void)state;
	has.run->wanted = PORT;
	has.run->wanted_by = k.last.by;
	assert_int_equal(pthread_create(&k.thread, NULL, answer_dead_first, &k), 0);
	assert_int_equal(want_port(&wants, process_self(), has.run->id, PORT), 1);
	finish(&k);
	assert_true(k.last.by == process_self());
}

/* Who only waited with another does not wait for an answer to a dead one. */
static void who_waited_with_one_that_dies_takes_its_place(void **state)
{
	struct keeper k = { .yields = true, .wishes = 1 };
	const struct timespec moment = { .tv_nsec = 50000000 };
	pid_t other = fork();

	(void)state;
	if (other == 0) {
		nanosleep(&moment, NULL); /* the test has come to wait by then, or never meets it: both do */
		_exit(0);
	}
	has.run->wanted = PORT + 5;
	has.run->wanted_by = process_of(other);
	assert_int_equal(pthread_create(&k.thread, NULL, keep_for_us, &k), 0);
	assert_int_equal(want_port(&wants, process_self(), has.run->id, PORT), 1);
	finish(&k);
	assert_int_equal(k.ports[0], PORT);
	waitpid(other, NULL, 0);
}

static void a_port_that_is_another_runs_by_now_is_not_yielded(void **state)
{
	struct ps_wish wish = { .by = process_self(), .port = PORT };

	(void)state;
	record_set(&has.host->record[PORT], run, wants.run->id);
	assert_false(want_yield(has.host, has.run, &wish));
	assert_int_not_equal(host_head(has.host, PORT), 0);
}

/* ---- signals ---- */

static _Atomic unsigned *signals; /* how many came, for children too */

static void count(int number)
{
	(void)number;
	(*signals)++;
}

static void catch(int flags)
{
	struct sigaction action = { .sa_handler = count, .sa_flags = flags };

	signals = mmap(NULL, sizeof(*signals), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHILD_MUST(signals != MAP_FAILED);
	sigaction(SIGALRM, &action, NULL);
}

static void alarm_soon(void)
{
	struct itimerspec in = { .it_value = { .tv_nsec = 20000000 }, .it_interval = { .tv_nsec = 20000000 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	timer_t timer;

	CHILD_MUST(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &in, NULL) == 0);
}

static bool is_known(long number)
{
	return syscall(number, NULL, 0, 0, NULL, 0) < 0 && errno != ENOSYS;
}

static void interrupted(void)
{
	if (!is_known(449)) /* futex_waitv */
		exit(CHILD_SKIPPED);
	catch(0);
	alarm_soon();
	CHILD_MUST(want_port(&wants, process_self(), has.run->id, PORT) == -EINTR);
	CHILD_MUST(has.run->wanted_by == 0);
}

static void a_handler_without_restart_ends_the_wait(void **state)
{
	(void)state;
	IN_CHILD(interrupted);
}

static void restarted(void)
{
	struct timespec moment = { .tv_nsec = 1000000 };
	pid_t parent = getpid(), pid;

	catch(SA_RESTART);
	alarm_soon();
	pid = fork();
	if (pid == 0) { /* timers are not inherited: these signals are the parent's, most of them while it waits */
		unsigned before;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (has.run->wanted_by != process_of(parent))
			nanosleep(&moment, NULL);
		for (before = *signals; *signals < before + 5;)
			nanosleep(&moment, NULL);
		CHILD_MUST(has.run->wanted_by == process_of(parent));
		want_answer(has.run, &(struct ps_wish){ .by = process_of(parent), .port = PORT });
		_exit(0);
	}
	CHILD_MUST(want_port(&wants, process_self(), has.run->id, PORT) == 0);
	waitpid(pid, NULL, 0);
}

static void a_handler_with_restart_does_not(void **state)
{
	(void)state;
	IN_CHILD(restarted);
}

static void on_an_old_kernel(void)
{
	child_fail(449, -1, 0, ENOSYS);
	restarted();
	catch(0);
}

static void without_futex_waitv_it_goes_on_after_any_handler(void **state)
{
	(void)state;
	IN_CHILD(on_an_old_kernel);
}

static void keeper_dies(void)
{
	struct timespec moment = { .tv_nsec = 50000000 };
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (!has.run->wanted_by)
			nanosleep(&moment, NULL);
		_exit(0);
	}
	has.run->root = process_of(pid);
	/* A zombie is no keeper. */
	CHILD_MUST(want_port(&wants, process_self(), has.run->id, PORT) == -ESRCH);
	CHILD_MUST(has.run->wanted_by == 0);
}

static void a_keeper_that_dies_ends_the_wait(void **state)
{
	(void)state;
	IN_CHILD(keeper_dies);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(only_a_living_keeper_that_yields_is_asked, setup, teardown),
		cmocka_unit_test_setup_teardown(a_port_that_the_run_does_not_have_is_not_waited_for, setup, teardown),
		cmocka_unit_test_setup_teardown(who_waits_has_the_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(a_refusal_is_an_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(another_wish_comes_first, setup, teardown),
		cmocka_unit_test_setup_teardown(the_same_wish_needs_no_second, setup, teardown),
		cmocka_unit_test_setup_teardown(a_dead_ones_wish_counts_for_none, setup, teardown),
		cmocka_unit_test_setup_teardown(what_a_dead_one_is_told_is_no_answer_to_who_took_its_place, setup, teardown),
		cmocka_unit_test_setup_teardown(who_waited_with_one_that_dies_takes_its_place, setup, teardown),
		cmocka_unit_test_setup_teardown(a_port_that_is_another_runs_by_now_is_not_yielded, setup, teardown),
		cmocka_unit_test_setup_teardown(a_handler_without_restart_ends_the_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(a_handler_with_restart_does_not, setup, teardown),
		cmocka_unit_test_setup_teardown(without_futex_waitv_it_goes_on_after_any_handler, setup, teardown),
		cmocka_unit_test_setup_teardown(a_keeper_that_dies_ends_the_wait, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
