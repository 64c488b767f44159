/*
 * test_init.c - what `portshim init` makes of what its readers find: one service for each port, its name, its manifest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "init/init.h"

static struct ps_init init;

static int end(void **state)
{
	(void)state;
	init_free(&init);
	memset(&init, 0, sizeof(init));
	return 0;
}

/* By its port. */
static const struct ps_init_service *service(unsigned port)
{
	for (size_t i = 0; i < init.count; i++)
		if (init.services[i].port == port)
			return &init.services[i];
	return NULL;
}

static void add(long port, const char *name, enum ps_init_rank rank)
{
	struct ps_init_found found = { .port = port, .name = name, .rank = rank, .file = "f", .what = "w", .line = 1,
				       .column = 1 };

	init_add(&init, &found);
}

static void test_names(void **state)
{
	static const struct {
		const char *text, *name;
	} rows[] = {
		{ "web", "web" }, { "DB", "db" }, { "The Shop!", "the-shop" }, { "@acme/x", "acme-x" }, { "", "" },
		{ "!!!", "" },
	};
	char name[PS_INIT_NAME], long_text[300];

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		init_name(name, rows[i].text);
		assert_string_equal(name, rows[i].name);
	}
	memset(long_text, 'a', sizeof(long_text));
	long_text[sizeof(long_text) - 1] = '\0';
	init_name(name, long_text);
	assert_in_range(strlen(name), 1, PS_INIT_NAME - 1);
}

/* The best source names it, whichever comes first; each is kept as a place. */
static void test_ranks(void **state)
{
	(void)state;
	add(3000, "number", PS_INIT_NUMBER);
	add(3000, "composed", PS_INIT_COMPOSE);
	add(3000, "variable", PS_INIT_VARIABLE);
	add(0, "none", PS_INIT_COMPOSE);
	add(-1, "none", PS_INIT_COMPOSE);
	add(65536, "none", PS_INIT_COMPOSE);
	assert_int_equal(init.count, 1);
	assert_string_equal(init.services[0].name, "composed");
	assert_int_equal(init.services[0].place_count, 3);
	add(65535, NULL, PS_INIT_NUMBER);
	assert_int_equal(init.count, 2);
}

/* A container's alone is external; so is what a database's scheme tells of. */
static void test_external(void **state)
{
	struct ps_init_found found = { .port = 8080, .file = "f", .what = "w", .container = true };

	(void)state;
	init_add(&init, &found);
	found.port = 8081;
	init_add(&init, &found);
	found.container = false;
	init_add(&init, &found);
	add(5432, "db", PS_INIT_VARIABLE);
	init_finish(&init);
	assert_false(service(8080)->local);
	assert_true(service(8081)->local);
	assert_false(service(5432)->local);
	assert_string_equal(service(5432)->scheme, "postgresql");
}

/* No two services have one name, also where one is called as the other would be. */
static void test_unique(void **state)
{
	char long_name[PS_INIT_NAME];

	(void)state;
	memset(long_name, 'x', sizeof(long_name));
	long_name[sizeof(long_name) - 1] = '\0';
	add(6, "web-3001", PS_INIT_SCRIPT);
	add(5, "web", PS_INIT_SCRIPT);
	add(3001, "web", PS_INIT_SCRIPT);
	add(3002, "web", PS_INIT_SCRIPT);
	add(7, long_name, PS_INIT_SCRIPT);
	add(8, long_name, PS_INIT_SCRIPT);
	add(4711, NULL, PS_INIT_NUMBER);
	init_finish(&init);
	for (size_t i = 0; i < init.count; i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(init.services[i].name, init.services[k].name);
	assert_string_equal(service(5)->name, "web");
	assert_string_equal(service(6)->name, "web-3001");
	assert_string_equal(service(3001)->name, "web-3001-2");
	assert_string_equal(service(3002)->name, "web-3002");
	assert_string_equal(service(4711)->name, "port-4711");
	for (size_t i = 1; i < init.count; i++)
		assert_true(init.services[i - 1].port < init.services[i].port);
}

/* A variable that a manifest may not set is none. */
static void test_variables(void **state)
{
	static const char *const bad[] = { "A\\B_PORT", "\"_PORT", "1_PORT", "LD_PORT", "PORTSHIM_PORT", "\303\244_PORT",
					   "A-B_PORT" };
	struct ps_init_found found = { .file = "f", .what = "w" };

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		found.port = (long)i + 1;
		found.variable = bad[i];
		init_add(&init, &found);
		assert_string_equal(init.services[i].variable, "");
	}
	found.variable = "API_PORT";
	init_add(&init, &found);
	found.variable = "OTHER_PORT";
	init_add(&init, &found);
	assert_string_equal(init.services[init.count - 1].variable, "API_PORT");
}

static void test_manifest(void **state)
{
	struct ps_init_found found = { .port = 53, .name = "dns", .file = "a\nb\"", .what = "*/ \303\244", .udp = true,
				       .line = 7 };
	char *text;

	(void)state;
	init_add(&init, &found);
	found = (struct ps_init_found){ .port = 3000, .variable = "PORT", .file = "f", .what = "w" };
	init_add(&init, &found);
	found = (struct ps_init_found){ .port = 4000, .variable = "API_PORT", .scheme = "ws", .file = "f", .what = "w" };
	init_add(&init, &found);
	init_finish(&init);
	strcpy(init.project, "shop");
	text = init_manifest(&init);
	assert_non_null(text);
	assert_non_null(strstr(text, "\"project\": \"shop\""));
	assert_non_null(strstr(text, "\n    // a?b\":7: */ ??\n    \"dns\": { \"port\": 53, \"protocol\": \"udp\" },"));
	assert_non_null(strstr(text, "\"web\": { \"port\": 3000, \"env\": [\"PORT\"] },"));
	assert_non_null(strstr(text, "{ \"port\": 4000, \"scheme\": \"ws\", \"env\": { \"API_PORT\": \"{port}\" } }\n"));
	free(text);
}

/* Ten thousand ports are a thousand services; a hundred places of one are fifty. */
static void test_limits(void **state)
{
	(void)state;
	for (long port = 1; port <= 10000; port++)
		add(port, "x", PS_INIT_NUMBER);
	for (int i = 0; i < 100; i++)
		add(1, "x", PS_INIT_NUMBER);
	init_finish(&init);
	assert_int_equal(init.count, PS_INIT_SERVICES_MAX);
	assert_int_equal(init.services[0].place_count, 50);
	assert_false(init.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_names, end),	  cmocka_unit_test_teardown(test_ranks, end),
		cmocka_unit_test_teardown(test_external, end),	  cmocka_unit_test_teardown(test_unique, end),
		cmocka_unit_test_teardown(test_variables, end),	  cmocka_unit_test_teardown(test_manifest, end),
		cmocka_unit_test_teardown(test_limits, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
