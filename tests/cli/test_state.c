/* state.h and target.h: a runtime directory made by hand, read and cleared away. */
#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <portshim/kernel.h>
#include <portshim/process.h>
#include <portshim/registry.h>

#include "cli/state.h"

static char runtime[PS_RUNTIME_MAX];

static int setup(void **state)
{
	(void)state;
	snprintf(runtime, sizeof(runtime), "%s/portshim-state.XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	return !mkdtemp(runtime) || setenv("PORTSHIM_RUNTIME_DIR", runtime, 1) != 0;
}

static int teardown(void **state)
{
	DIR *directory = opendir(runtime);
	struct dirent *entry;
	char path[PS_RUNTIME_MAX + 300];

	(void)state;
	while (directory && (entry = readdir(directory))) {
		snprintf(path, sizeof(path), "%s/%s", runtime, entry->d_name);
		unlink(path);
	}
	if (directory)
		closedir(directory);
	return rmdir(runtime);
}

/* A listening socket on a port of the kernel's choice. */
static int listen_somewhere(uint16_t *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

/* The identity of a process that is over. */
static uint64_t dead(void)
{
	pid_t child = fork();
	uint64_t identity;

	if (child == 0)
		_exit(0);
	identity = process_of(child);
	assert_int_equal(waitpid(child, NULL, 0), child);
	return identity ? identity : (uint64_t)child | UINT64_C(1) << PS_PID_BITS;
}

/* A run in the environment with this key; everything mapped in *space. */
static uint32_t make_run(struct ps_space *space, const char *key, uint64_t root, uint32_t flags)
{
	char discovery[PS_RUNTIME_MAX + 32], path[PS_RUNTIME_MAX + 16];
	struct ps_scope_spec env = {.key = key,
				    .name = "shop",
				    .project = "shop",
				    .profile = "",
				    .directory = "/srv/shop",
				    .discovery = discovery,
				    .flags = flags};
	struct ps_scope_spec run = env;
	struct ps_scope *scope;

	snprintf(discovery, sizeof(discovery), "%s/ports-%08x.json", runtime, space_env_id(runtime, key));
	assert_int_equal(space_open_env(runtime, &env, &scope), 0);
	run.chain[0] = scope->id;
	run.root = root;
	space_close_scope(scope);
	assert_int_equal(space_create_run(runtime, &run, path, &scope), 0);
	space_close_scope(scope);
	assert_int_equal(space_open(space, path), 0);
	space->run->created -= 60; /* young runs are left alone */
	return space->run->id;
}

/* As the shim does it: claim, describe, hold, listen. */
static void assign(struct ps_space *space, uint16_t requested, int fd, uint16_t actual, const char *service)
{
	struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_port = htons(actual)};
	struct ps_lock_guard guard;
	struct ps_record *record;
	struct ps_address address;

	loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(address_copy(&address, &loopback, sizeof(loopback)));
	assert_true(lock_enter(&space->run->lock, &guard));
	assert_int_equal(registry_claim(space, actual, requested, process_self()), 1);
	record = &space->host->record[actual];
	record->since = (uint64_t)time(NULL);
	record->reason = PS_REASON_DEFAULT;
	record->cause = EADDRINUSE;
	snprintf(record->service, sizeof(record->service), "%s", service);
	registry_hold(space, &address);
	if (fd >= 0)
		registry_listen(space, &address, kernel_socket_inode(fd), PS_TCP, 0);
	lock_leave(&space->run->lock, &guard);
}

static bool run_file_exists(uint32_t id)
{
	char path[PS_RUNTIME_MAX + 16];

	space_scope_path(runtime, id, path);
	return access(path, F_OK) == 0;
}

static const struct ps_assignment *find(const struct ps_state_now *now, uint16_t actual)
{
	return state_actual(now, actual);
}

static void test_empty(void **state)
{
	struct ps_state_now now;
	struct ps_error error = {0};

	(void)state;
	assert_int_equal(state_read(&now, NULL, 0, &error), 0);
	assert_int_equal(now.count, 0);
	state_free(&now);
}

static void test_living(void **state)
{
	struct ps_state_now now;
	struct ps_error error = {0};
	struct ps_space space;
	uint16_t port;
	int fd = listen_somewhere(&port);
	uint32_t id = make_run(&space, "dir:/srv/shop", process_self(), 0);
	const struct ps_assignment *a;

	(void)state;
	assign(&space, 3000, fd, port, "web");
	assert_int_equal(state_read(&now, NULL, 0, &error), 0);
	assert_int_equal(now.count, 1);
	a = find(&now, port);
	assert_non_null(a);
	assert_int_equal(a->requested, 3000);
	assert_int_equal(a->state, PS_LISTENING);
	assert_int_equal(a->run_id, id);
	assert_string_equal(a->service, "web");
	assert_string_equal(a->env->name, "shop");
	assert_true(a->alive);
	assert_true(a->first);
	assert_int_equal(process_pid(a->owner), getpid());
	state_free(&now);

	/* The listener goes, the run stays: held. */
	close(fd);
	assert_int_equal(state_read(&now, NULL, 0, &error), 0);
	a = find(&now, port);
	assert_non_null(a);
	assert_int_equal(a->state, PS_HELD);
	assert_true(run_file_exists(id));
	state_free(&now);
	registry_sweep(space.host, space.run, space.env, true);
	space_unlink_scope(runtime, id);
	space_close(&space);
}

static void test_dead_run(void **state)
{
	struct ps_state_now now;
	struct ps_error error = {0};
	struct ps_space space;
	uint16_t port;
	int fd = listen_somewhere(&port);
	uint32_t id = make_run(&space, "dir:/srv/shop", dead(), 0), env = space.env->id;

	(void)state;
	assign(&space, 3000, fd, port, "web");
	/* The root is dead, but a listener of the run is there: a daemon. */
	assert_int_equal(state_read(&now, NULL, 0, &error), 0);
	assert_non_null(find(&now, port));
	state_free(&now);
	assert_true(run_file_exists(id));
	/* Nobody listens any more, and the owner is dead as well. */
	atomic_store(&space.host->record[port].owner, dead());
	space_close(&space);
	close(fd);
	assert_int_equal(state_read(&now, NULL, 0, &error), 0);
	assert_null(find(&now, port));
	assert_int_equal(host_head(now.host, port), 0);
	assert_null(state_scope(&now, id));
	assert_non_null(state_scope(&now, env));
	state_free(&now);
	assert_false(run_file_exists(id));
}

/* A server in the background that has not bound anything yet carries PORTSHIM_RUN. */
static void test_carried(void **state)
{
	char path[PS_RUNTIME_MAX + 16], byte;
	struct ps_state_now now;
	struct ps_error error = {0};
	struct ps_space space;
	uint32_t id = make_run(&space, "dir:/srv/shop", dead(), 0);
	int in[2], out[2];
	pid_t child;

	(void)state;
	space_close(&space);
	assert_int_equal(pipe(in), 0);
	assert_int_equal(pipe(out), 0);
	child = fork();
	if (child == 0) {
		space_scope_path(runtime, id, path);
		setenv("PORTSHIM_RUN", path, 1);
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		closefrom(3);
		execl("/bin/sh", "sh", "-c", "echo; read x", (char *)NULL);
		_exit(1);
	}
	close(in[0]);
	close(out[1]);
	assert_int_equal(read(out[0], &byte, 1), 1);
	assert_int_equal(state_read(&now, NULL, 0, &error), 0);
	state_free(&now);
	assert_true(run_file_exists(id));
	close(in[1]);
	close(out[0]);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(state_read(&now, NULL, 0, &error), 0);
	state_free(&now);
	assert_false(run_file_exists(id));
}

/* The run's file is gone: its record goes to whoever has the socket, and away with the last one. */
static void test_orphan(void **state)
{
	struct ps_state_now now;
	struct ps_error error = {0};
	struct ps_space space;
	uint16_t port;
	int fd = listen_somewhere(&port);
	uint32_t id = make_run(&space, "dir:/srv/shop", dead(), 0);

	(void)state;
	assign(&space, 3000, fd, port, "web");
	space_unlink_scope(runtime, id);
	atomic_store(&space.host->record[port].owner, dead());
	assert_int_equal(state_read(&now, NULL, 0, &error), 0);
	assert_non_null(find(&now, port));
	assert_null(find(&now, port)->run);
	assert_int_equal(process_pid(find(&now, port)->owner), getpid());
	state_free(&now);
	close(fd);
	assert_int_equal(state_read(&now, NULL, 0, &error), 0);
	state_free(&now);
	assert_int_equal(head_state(host_head(space.host, port)), PS_HELD);
	atomic_store(&space.host->record[port].owner, dead());
	assert_int_equal(state_read(&now, NULL, 0, &error), 0);
	assert_null(find(&now, port));
	state_free(&now);
	space_close(&space);
}

/* ---- a run that is made when a directory has just been read ---- */

static struct newcomer {
	unsigned closes; /* how many directories are read before; 0: it was made */
	struct ps_space space;
	uint16_t claimed, held;
	uint64_t claim, hold;
} newcomer;

/* A claim that does not have its record yet, which is a dead process's; and a port that a process bound for its child. */
static void come(void)
{
	struct ps_space *space = &newcomer.space;
	struct ps_lock_guard guard;
	uint64_t gone = dead();
	int first, second;

	make_run(space, "dir:/srv/new", process_self(), 0);
	do { /* the kernel may choose what an earlier one has: that is no newcomer's */
		first = listen_somewhere(&newcomer.claimed);
		second = listen_somewhere(&newcomer.held);
		close(first);
		close(second);
	} while (host_head(space->host, newcomer.claimed) || host_head(space->host, newcomer.held));
	assign(space, 3000, -1, newcomer.held, "");
	assert_true(lock_enter(&space->run->lock, &guard));
	assert_int_equal(registry_claim(space, newcomer.claimed, 3001, gone), 1);
	lock_leave(&space->run->lock, &guard);
	atomic_store(&space->host->record[newcomer.held].owner, gone);
	newcomer.claim = host_head(space->host, newcomer.claimed);
	newcomer.hold = host_head(space->host, newcomer.held);
}

int closedir(DIR *directory)
{
	int (*next)(DIR *) = (int (*)(DIR *))(uintptr_t)dlsym(RTLD_NEXT, "closedir");
	int result = next(directory);

	if (newcomer.closes && --newcomer.closes == 0)
		come();
	return result;
}

static void test_newcomer(void **state)
{
	struct ps_state_now now;
	struct ps_error error = {0};
	unsigned closes = 0;

	(void)state;
	do {
		newcomer.closes = ++closes;
		assert_int_equal(state_read(&now, NULL, 0, &error), 0);
		state_free(&now);
		if (newcomer.closes)
			break;
		assert_true(host_head(newcomer.space.host, newcomer.claimed) == newcomer.claim);
		assert_true(host_head(newcomer.space.host, newcomer.held) == newcomer.hold);
		space_close(&newcomer.space);
	} while (closes < 100);
	newcomer.closes = 0;
	assert_in_range(closes, 3, 99);
}

static void test_private(void **state)
{
	struct ps_state_now now;
	struct ps_error error = {0};
	struct ps_space space;
	uint32_t env;

	(void)state;
	make_run(&space, "isolated:1234", dead(), PS_SCOPE_PRIVATE);
	env = space.env->id;
	space.env->created -= 60;
	space_close(&space);
	assert_int_equal(state_read(&now, NULL, 0, &error), 0);
	assert_null(state_scope(&now, env));
	state_free(&now);
	assert_false(run_file_exists(env));
}

/* Of one environment alone: others are neither read nor swept. */
static void test_choice(void **state)
{
	struct ps_state_now now;
	struct ps_error error = {0};
	struct ps_space one, other;
	uint16_t port, other_port;
	int fd = listen_somewhere(&port), other_fd = listen_somewhere(&other_port);
	uint32_t env;

	(void)state;
	make_run(&one, "dir:/srv/one", process_self(), 0);
	make_run(&other, "dir:/srv/other", process_self(), 0);
	assign(&one, 3000, fd, port, "web");
	assign(&other, 3000, other_fd, other_port, "web");
	env = one.env->id;
	assert_int_equal(state_read(&now, &env, 1, &error), 0);
	assert_int_equal(now.count, 1);
	assert_non_null(find(&now, port));
	assert_non_null(find(&now, port)->run);
	assert_int_equal(now.scope_count, 2);
	state_free(&now);
	close(fd);
	close(other_fd);
	assert_int_equal(state_read(&now, &env, 1, &error), 0);
	assert_int_equal(head_state(host_head(now.host, port)), PS_HELD);
	assert_int_equal(head_state(host_head(now.host, other_port)), PS_LISTENING);
	state_free(&now);
	space_close(&one);
	space_close(&other);
}

static void write_file(const char *name, const char *text)
{
	char path[PS_RUNTIME_MAX + 32];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", runtime, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* Files that are none of ours, or broken, are not believed and do no harm. */
static void test_strange_files(void **state)
{
	struct ps_state_now now;
	struct ps_error error = {0};
	char path[PS_RUNTIME_MAX + 32];

	(void)state;
	write_file("run-zzzzzzzz", "");
	write_file("run-00000001", "short");
	write_file("env-80000001", "");
	write_file("run-1", "");
	write_file("notes.txt", "hello");
	snprintf(path, sizeof(path), "%s/run-00000002", runtime);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(state_read(&now, NULL, 0, &error), 0);
	assert_int_equal(now.count, 0);
	state_free(&now);
}

static void test_unusable(void **state)
{
	struct ps_state_now now;
	struct ps_error error = {0};

	(void)state;
	assert_int_equal(chmod(runtime, 0755), 0);
	assert_int_equal(state_read(&now, NULL, 0, &error), PS_EXIT_SYSTEM);
	assert_true(error.text[0] && error.hint[0]);
	state_free(&now);
	assert_int_equal(chmod(runtime, 0700), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_living, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dead_run, setup, teardown),
		cmocka_unit_test_setup_teardown(test_carried, setup, teardown),
		cmocka_unit_test_setup_teardown(test_orphan, setup, teardown),
		cmocka_unit_test_setup_teardown(test_newcomer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_private, setup, teardown),
		cmocka_unit_test_setup_teardown(test_choice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_strange_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unusable, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
