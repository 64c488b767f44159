/*
 * Law 13 where more than one thread or process is about to write an environment's discovery file, or one was killed
 * while it did: what tests/model/discovery.pml found, against the real files.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "laws.h"

#include "../../src/core/publish.h"

#include <portshim/discovery.h>

#include "../../src/keeper/keeper.h"

/* ---- the file ---- */

static bool is_named(const struct ps_space *space, uint16_t port)
{
	char text[32768], key[32];
	FILE *file = fopen(space->env->discovery, "r");
	size_t size = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

	if (file)
		fclose(file);
	text[size] = '\0';
	snprintf(key, sizeof(key), "\"port\":%u,", port);
	return strstr(text, key) != NULL;
}

/* How many files of the directory have this in their names. */
static unsigned files(const struct ps_space *space, const char *part)
{
	DIR *directory = opendir(space->runtime);
	struct dirent *entry;
	unsigned count = 0;

	assert_non_null(directory);
	while ((entry = readdir(directory)))
		count += strstr(entry->d_name, part) != NULL;
	closedir(directory);
	return count;
}

/* ---- somebody has the lock ---- */

struct holder {
	struct ps_lock *lock;
	pthread_t thread;
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

static void hold_lock(struct holder *h, struct ps_lock *lock)
{
	h->lock = lock;
	pthread_barrier_init(&h->taken, NULL, 2);
	pthread_barrier_init(&h->done, NULL, 2);
	assert_int_equal(pthread_create(&h->thread, NULL, hold, h), 0);
	pthread_barrier_wait(&h->taken);
}

static void let_go(struct holder *h)
{
	pthread_barrier_wait(&h->done);
	pthread_join(h->thread, NULL);
}

/* ---- a thread that listens ---- */

struct listener {
	const struct ps_space *space;
	pthread_t thread;
	int fd, result;
	bool named; /* when listen() had returned */
	_Atomic int tid, returned;
	pthread_barrier_t ready;
	int clock; /* where it is seen that it asks for the time; -1: the kernel does not let us see it */
};

static void *do_listen(void *context)
{
	struct listener *l = context;

	l->tid = gettid();
	l->result = listen(l->fd, 1);
	l->named = is_named(l->space, actual_of(l->fd));
	l->returned = 1;
	return NULL;
}

/* True if the thread waits in futex(2). */
static bool waits(int tid)
{
	char path[64], text[64];
	int fd;
	ssize_t size;

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	size = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[size > 0 ? size : 0] = '\0';
	return atoi(text) == SYS_futex;
}

/* Starts it, and comes back when it is over or waits for a lock. */
static void start(struct listener *l, const struct ps_space *space, int fd)
{
	*l = (struct listener){.space = space, .fd = fd};
	assert_int_equal(pthread_create(&l->thread, NULL, do_listen, l), 0);
	while (!l->returned && !(l->tid && waits(l->tid)))
		sched_yield();
}

static void two_threads_share_a_port(void **state)
{
	uint16_t n = free_numbers(1);
	struct ps_space *space = run_in("a", 0, NULL);
	struct holder h;
	struct listener one, two;

	(void)state;
	act_for(space);
	hold_lock(&h, &space->env->lock);
	start(&one, space, bound_with(SO_REUSEPORT, SOCK_STREAM, n));
	assert_false(one.returned);
	start(&two, space, bound_with(SO_REUSEPORT, SOCK_STREAM, n));
	let_go(&h);
	pthread_join(one.thread, NULL);
	pthread_join(two.thread, NULL);
	assert_int_equal(one.result, 0);
	assert_int_equal(two.result, 0);
	assert_true(one.named);
	/* its record says nothing new, but the file did not say it yet */
	assert_true(two.named);
}

/* ---- a thread that stops at each look at the clock: at that of the record's time, then at that of the picture's ---- */

static void *listen_step_by_step(void *context)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0 /* seccomp_data.nr */),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_gettime, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CLOCK_REALTIME, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {.len = COUNT(code), .filter = code};
	struct listener *l = context;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	l->clock = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter);
	pthread_barrier_wait(&l->ready);
	return l->clock < 0 ? NULL : do_listen(l);
}

static uint64_t stopped(const struct listener *l)
{
	struct seccomp_notif call = {0};

	assert_int_equal(ioctl(l->clock, SECCOMP_IOCTL_NOTIF_RECV, &call), 0);
	return call.id;
}

static void go_on(const struct listener *l, uint64_t id)
{
	struct seccomp_notif_resp answer = {.id = id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};

	assert_int_equal(ioctl(l->clock, SECCOMP_IOCTL_NOTIF_SEND, &answer), 0);
}

/* What another run draws before the record says LISTENING does not show it, whenever the change was counted. */
static void anothers_picture_of_before_does_not_count(void **state)
{
	uint16_t n = free_numbers(1);
	struct ps_space *space = run_in("a", 0, NULL), *other = run_in("a", 0, NULL);
	struct listener one = {.space = space}, two;
	uint64_t id;

	(void)state;
	act_for(space);
	one.fd = bound_with(SO_REUSEPORT, SOCK_STREAM, n);
	pthread_barrier_init(&one.ready, NULL, 2);
	assert_int_equal(pthread_create(&one.thread, NULL, listen_step_by_step, &one), 0);
	pthread_barrier_wait(&one.ready);
	if (one.clock < 0) {
		pthread_join(one.thread, NULL);
		skip();
	}
	id = stopped(&one);
	publish_write(&(struct ps_caller){.space = other, .calls = &shim_calls}, 0);
	assert_false(is_named(space, actual_of(one.fd)));
	go_on(&one, id);
	id = stopped(&one); /* it has the environment's lock */
	assert_int_equal(state_of(space, actual_of(one.fd)), PS_LISTENING);
	start(&two, space, bound_with(SO_REUSEPORT, SOCK_STREAM, n));
	go_on(&one, id);
	close(one.clock); /* it stops no more */
	pthread_join(one.thread, NULL);
	pthread_join(two.thread, NULL);
	assert_int_equal(one.result, 0);
	assert_int_equal(two.result, 0);
	assert_true(one.named);
	assert_true(two.named);
}

/* The lock's owner may have drawn before we were recorded, and put its picture in place after ours. */
static void who_wrote_without_the_lock_leaves_it_to_the_next_look(void **state)
{
	uint16_t n = free_numbers(1);
	struct ps_space *space = run_in("a", 0, NULL);
	struct holder h;
	int fd;

	(void)state;
	act_for(space);
	hold_lock(&h, &space->env->lock);
	fd = server(SOCK_STREAM, n);
	assert_true(is_named(space, actual_of(fd)));
	assert_true(discovery_outdated(space->host, space->env));
	let_go(&h);
	tidy_redraw(space);
	assert_true(is_named(space, actual_of(fd)));
	assert_false(discovery_outdated(space->host, space->env));
}

/* A server that was recorded after the look may just be writing the file under the lock. */
static void nothing_is_removed_without_the_lock(void **state)
{
	uint16_t n = free_numbers(1);
	struct ps_space *space = run_in("a", 0, NULL);
	struct holder h;
	int fd;

	(void)state;
	act_for(space);
	fd = server(SOCK_STREAM, n);
	assert_int_equal(shutdown(fd, SHUT_RDWR), 0);
	hold_lock(&h, &space->env->lock);
	assert_int_equal(registry_sweep(space->host, space->run, space->env, false), 1);
	tidy_redraw(space);
	assert_int_equal(files(space, "a.json"), 1);
	let_go(&h);
	assert_true(discovery_outdated(space->host, space->env));
	tidy_redraw(space);
	assert_int_equal(files(space, "a.json"), 0);
	assert_false(discovery_outdated(space->host, space->env));
}

/* ---- what is left ---- */

/* Another look may have found that the last server is gone, after it was seen that there is one. */
static void a_picture_of_nothing_is_taken_away(void **state)
{
	struct ps_space *space = run_in("a", 0, NULL);

	(void)state;
	assert_int_equal(discovery_write(space, 0), 0);
	assert_int_equal(files(space, "a.json"), 1);
	assert_true(discovery_outdated(space->host, space->env));
	tidy_redraw(space);
	assert_int_equal(files(space, "a.json"), 0);
	assert_false(discovery_outdated(space->host, space->env));
}

/* From now on, write(2) is the end of this process. */
static void die_at_write(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0 /* seccomp_data.nr */),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {.len = COUNT(code), .filter = code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
		_exit(1);
}

#define MANY 24 /* more than fit into what is written at once, so that it is still drawing when it writes */

static void a_killed_writers_temporary_is_taken_away(void **state)
{
	uint16_t n = free_numbers(MANY + 1);
	struct ps_space *space = run_in("a", 0, NULL);
	int status;
	pid_t pid;

	(void)state;
	act_for(space);
	for (uint16_t i = 0; i < MANY; i++)
		server(SOCK_STREAM, n + i);
	assert_false(discovery_outdated(space->host, space->env));
	pid = fork();
	if (pid == 0) {
		int fd = bound(SOCK_STREAM, n + MANY);

		die_at_write();
		listen(fd, 1);
		_exit(2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	assert_int_equal(files(space, "a.json.tmp-"), 1);
	assert_int_equal(registry_sweep(space->host, space->run, space->env, false), 1);
	/* the table is as it was before, and so is the file */
	assert_true(discovery_outdated(space->host, space->env));
	tidy_redraw(space);
	assert_int_equal(files(space, "a.json.tmp-"), 0);
	assert_true(is_named(space, n));
	assert_false(is_named(space, n + MANY));
	assert_false(discovery_outdated(space->host, space->env));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(two_threads_share_a_port, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(anothers_picture_of_before_does_not_count, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(who_wrote_without_the_lock_leaves_it_to_the_next_look, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(nothing_is_removed_without_the_lock, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_picture_of_nothing_is_taken_away, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(a_killed_writers_temporary_is_taken_away, laws_setup, laws_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
