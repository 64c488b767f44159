/*
 * test_discovery.c - the discovery file: what is in it for every kind of record, and what becomes of it where it
 * cannot be written. (tests/fuzz/fuzz_discovery.c draws any records and reads them back.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <portshim/discovery.h>
#include <portshim/process.h>

#include "child.h"

static char top[PS_RUNTIME_MAX], path[PS_RUNTIME_MAX + 64];
static struct ps_space space;

static int remove_one(const char *name, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(name);
}

static int setup(void **state)
{
	const char *parent = getenv("PORTSHIM_RUNTIME_DIR");
	struct ps_scope_spec of_env = {.key = "name:a", .name = "a \"b\"",
				       .project = "back\\slash\tand tab", .discovery = path};
	struct ps_scope_spec of_run = {.chain = {0}};
	struct ps_scope *env, *run;
	char run_path[PS_RUNTIME_MAX + 16];

	(void)state;
	snprintf(top, sizeof(top), "%s/discovery-XXXXXX", parent && *parent ? parent : "/dev/shm");
	assert_non_null(mkdtemp(top));
	snprintf(path, sizeof(path), "%s/.portshim/ports.json", top);
	assert_int_equal(space_open_env(top, &of_env, &env), 0);
	of_run.chain[0] = env->id;
	assert_int_equal(space_create_run(top, &of_run, run_path, &run), 0);
	space_close_scope(env);
	space_close_scope(run);
	assert_int_equal(space_open(&space, run_path), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	space_close(&space);
	return nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void record(uint16_t requested, uint16_t actual, const char *address, unsigned protocol)
{
	struct ps_address a = {.length = sizeof(struct sockaddr_in)};

	if (strchr(address, ':')) {
		a.u.any.sa_family = AF_INET6;
		inet_pton(AF_INET6, address, &a.u.in6.sin6_addr);
		a.length = sizeof(struct sockaddr_in6);
	} else {
		a.u.any.sa_family = AF_INET;
		inet_pton(AF_INET, address, &a.u.in.sin_addr);
	}
	address_set_port(&a, actual);
	assert_int_equal(registry_claim(&space, actual, requested, process_self()), 1);
	registry_hold(&space, &a);
	assert_true(registry_listen(&space, &a, actual, protocol, 0));
}

static const char *content(void)
{
	static char text[65536];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	close(fd);
	return text;
}

static void all_kinds_of_records(void **state)
{
	(void)state;
	record(3000, 23000, "0.0.0.0", PS_TCP);
	record(3001, 23001, "2001:db8::7", PS_TCP);
	record(3002, 23002, "192.0.2.7", PS_UDP);
	record(3003, 23003, "::1", PS_TCP | PS_UDP);
	assert_int_equal(discovery_write(&space, 0), 0);
	assert_non_null(strstr(content(), "\"environment\":\"a \\\"b\\\"\""));
	assert_non_null(strstr(content(), "\"project\":\"back\\\\slash\\u0009and tab\""));
	assert_non_null(strstr(content(), "\"url\":\"http://localhost:23000\""));
	assert_non_null(strstr(content(), "\"host\":\"2001:db8::7\",\"url\":\"http://[2001:db8::7]:23001\""));
	assert_non_null(strstr(content(), "\"url\":\"udp://192.0.2.7:23002\""));
	assert_non_null(strstr(content(), "\"protocol\":\"tcp+udp\",\"addresses\":[\"::1\"]"));
}

/* More than the buffer holds. */
static void many_records(void **state)
{
	char key[32];

	(void)state;
	for (uint16_t i = 0; i < 200; i++)
		record((uint16_t)(5000 + i), (uint16_t)(25000 + i), "127.0.0.1", PS_TCP);
	assert_int_equal(discovery_write(&space, 0), 0);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(key, sizeof(key), "\"%u\":{\"port\":%u,", 5000 + i, 25000 + i);
		assert_non_null(strstr(content(), key));
	}
}

static void the_folder_ignores_itself(void **state)
{
	char ignore[PS_RUNTIME_MAX + 64];

	(void)state;
	snprintf(ignore, sizeof(ignore), "%s/.portshim/.gitignore", top);
	assert_int_equal(discovery_write(&space, 0), 0);
	assert_int_equal(access(ignore, R_OK), 0);
	assert_int_equal(discovery_write(&space, 0), 0);
}

static void no_folder_no_file(void **state)
{
	(void)state;
	snprintf(space.env->discovery, sizeof(space.env->discovery), "%s/no/such/ports.json", top);
	assert_int_equal(discovery_write(&space, 0), -ENOENT);
	strcpy(space.env->discovery, "ports.json-without-a-directory/");
	assert_true(discovery_write(&space, 0) < 0);
	space.env->discovery[0] = '\0';
	assert_int_equal(discovery_write(&space, 0), 0);
}

static void full(void)
{
	child_fail(SYS_write, -1, 0, ENOSPC);
	if (discovery_write(&space, 0) != -ENOSPC)
		_exit(1); /* nothing can be printed */
	exit(0);
}

static void interrupted(void)
{
	child_fail(SYS_write, -1, 0, EIO);
	if (discovery_write(&space, 0) != -EIO)
		_exit(1);
}

static void limited(void)
{
	const struct rlimit none = {100, 100};
	bool wrote;

	setrlimit(RLIMIT_FSIZE, &none);
	wrote = discovery_write(&space, 0) == 0; /* SIGXFSZ would have ended us */
	_exit(wrote);
}

static void what_was_there_stays_if_it_cannot_be_replaced(void **state)
{
	char before[65536];

	(void)state;
	record(3000, 23000, "0.0.0.0", PS_TCP);
	assert_int_equal(discovery_write(&space, 0), 0);
	strcpy(before, content());
	IN_CHILD(full);
	IN_CHILD(interrupted);
	IN_CHILD(limited);
	assert_string_equal(content(), before);
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(discovery_reason(PS_REASON_DEFAULT), "default-range");
	assert_string_equal(discovery_reason((enum ps_reason)99), "unknown");
	assert_string_equal(discovery_state(PS_HELD), "held");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_kinds_of_records, setup, teardown),
		cmocka_unit_test_setup_teardown(many_records, setup, teardown),
		cmocka_unit_test_setup_teardown(the_folder_ignores_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(no_folder_no_file, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_there_stays_if_it_cannot_be_replaced, setup, teardown),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
