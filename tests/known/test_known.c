/*
 * test_known.c - the known projects and handed out numbers as files: noted, read, pruned, and damaged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "known/numbers.h"

static char top[64];

static void put(const char *directory, const char *text, char *path)
{
	FILE *f;

	snprintf(path, 256, "%s/%s", top, directory);
	mkdir(path, 0700);
	strcat(path, "/ports.manifest.json");
	f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int start(void **state)
{
	(void)state;
	strcpy(top, "/tmp/portshim-known-XXXXXX");
	return mkdtemp(top) && setenv("PORTSHIM_STATE_DIR", top, 1) == 0 ? 0 : -1;
}

static int end(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", top);
	return system(command);
}

static void test_projects(void **state)
{
	struct ps_known_list known;
	struct ps_error error = { 0 };
	struct ps_known_source source, other;
	char auth[256], again[256], broken[256];

	(void)state;
	assert_int_equal(known_read(&known, &error), 0);
	assert_int_equal(known.count, 0);
	put("a", "{\"version\": 1, \"project\": \"auth\", \"services\": {\"backend\": {\"port\": 4000}}}", auth);
	put("b", "{\"version\": 1, \"project\": \"auth\", \"services\": {\"backend\": {\"port\": 4001}}}", again);
	put("c", "{", broken);
	errno = 7;
	known_note(auth);
	known_note(broken);
	known_note(again);
	known_note(auth);
	assert_int_equal(errno, 7);

	assert_int_equal(known_read(&known, &error), 0);
	assert_int_equal(known.count, 3);
	assert_string_equal(known.list[0].project, "auth");
	assert_string_equal(known.list[2].project, "c");
	assert_null(known.list[2].manifest);
	assert_non_null(known.list[2].problem);
	/* The one that was used last, here by its number. */
	assert_true(known_source(&known, "auth/backend", "", 0, &source));
	assert_ptr_equal(source.project, known_project(&known, "auth"));
	assert_int_equal(source.service->ports[0], strcmp(source.project->path, auth) == 0 ? 4000 : 4001);
	assert_true(known_source(&known, "auth/backend", "", 1, &other));
	assert_true(other.project && other.project != source.project);
	assert_false(known_source(&known, "auth/backend", "", 2, &other));
	assert_true(known_source(&known, "auth/front", "", 0, &source));
	assert_null(source.service);
	assert_false(known_source(&known, "aut/backend", "", 0, &source));
	assert_true(known_source(&known, "c/x", "", 0, &source));
	assert_null(source.manifest);
	known_free(&known);

	unlink(again);
	known_prune();
	assert_int_equal(known_forget(again), -ENOENT);
	assert_int_equal(known_forget(auth), 0);
	assert_int_equal(known_forget(broken), 0);
	assert_int_equal(known_read(&known, &error), 0);
	assert_int_equal(known.count, 0);
	known_free(&known);
}

/* "from" and profiles: the same one where the other project has it, else none; or the one that is named. */
static void test_profiles(void **state)
{
	static const struct {
		const char *text, *follower, *profile;
		unsigned port; /* 0: no such service, or no such profile */
	} cases[] = {
		{ "login/backend", "", "", 4000 },	      { "login/backend", "test", "test", 4100 },
		{ "login/backend", "stage", "", 4000 },	      { "login#test/backend", "", "test", 4100 },
		{ "login#/backend", "test", "", 4000 },	      { "login#stage/backend", "test", "stage", 0 },
		{ "login/ws", "test", "test", 4100 },	      { "login/none", "test", "test", 0 },
	};
	struct ps_known_list known;
	struct ps_error error = { 0 };
	struct ps_known_source source;
	char path[PS_PATH_MAX];

	(void)state;
	put("login", "{\"version\": 1, \"services\": {\"backend\": {\"port\": 4000}, \"ws\": {\"inherit\": \"backend\"}},"
		     "\"profiles\": {\"live\": {}, \"test\": {\"offset\": 100}}}", path);
	known_note(path);
	assert_int_equal(known_read(&known, &error), 0);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(known_source(&known, cases[i].text, cases[i].follower, 0, &source));
		assert_string_equal(source.profile, cases[i].profile);
		if (cases[i].port)
			assert_int_equal(manifest_root(source.manifest, source.service)->ports[0], cases[i].port);
		else
			assert_null(source.service);
	}
	assert_ptr_equal(known_view(source.project, "test"), source.manifest);
	known_free(&known);
	assert_int_equal(known_forget(path), 0);
}

static void test_numbers(void **state)
{
	static const char *const strange[] = { "0", "65536", "80x", "x", "000080", "81" };
	struct ps_number *list;
	char path[256], other[128];
	size_t count = 1;

	(void)state;
	list = numbers_list(&count);
	assert_int_equal(count, 0);
	free(list);
	assert_int_equal(numbers_take(4003, "/home/u/a:b", "backend"), 0);
	assert_int_equal(numbers_take(4003, "/home/u/c", "backend"), -EEXIST);
	assert_int_equal(numbers_take(80, "/home/u/c", "front"), 0);
	/* What is no number, or has another form, is none. */
	for (unsigned i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
		snprintf(path, sizeof(path), "%s/numbers/%s", top, strange[i]);
		assert_int_equal(symlink("no-colon", path), 0);
	}
	list = numbers_list(&count);
	assert_int_equal(count, 2);
	assert_int_equal(list[0].port, 80);
	assert_string_equal(list[1].directory, "/home/u/a:b");
	assert_string_equal(list[1].rule, "backend");
	free(list);
	assert_int_equal(numbers_release(4003), 0);
	assert_int_equal(numbers_release(4003), -ENOENT);

	/* Nowhere to write. */
	snprintf(other, sizeof(other), "%s/file", top);
	fclose(fopen(other, "we"));
	setenv("PORTSHIM_STATE_DIR", other, 1);
	assert_true(numbers_take(4003, "/home/u/c", "backend") < 0);
	known_note("/home/u/c/ports.manifest.json");
	known_prune();
	setenv("PORTSHIM_STATE_DIR", top, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_projects, start, end),
		cmocka_unit_test_setup_teardown(test_profiles, start, end),
		cmocka_unit_test_setup_teardown(test_numbers, start, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
