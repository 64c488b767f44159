/* options.h: the command line, as every command reads it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/options.h"

#define WORDS 16

static int never(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

static const struct ps_command command = {.name = "test", .summary = "", .help = "", .run = never};

/* main.c, with the real table, is not linked into unit tests. */
const struct ps_command *const commands[] = {&command, NULL};

struct parsed {
	const char *env;
	struct ps_option_list allow;
	bool json, quiet;
	char copy[WORDS][64];
	char *argv[WORDS + 1];
	char **operands;
	int argc, code;
	bool ok;
};

/* Parses words up to NULL; stderr is out of the way meanwhile. */
static void parse(struct parsed *p, unsigned mode, const char *const *words)
{
	const struct ps_option options[] = {
		{.name = "env", .letter = 'e', .argument = "NAME", .value = &p->env},
		{.name = "allow", .argument = "ENV", .list = &p->allow},
		{.name = "json", .letter = 'j', .flag = &p->json},
		{.name = "quiet", .letter = 'q', .flag = &p->quiet},
		{.name = NULL},
	};
	int saved = dup(STDERR_FILENO);

	memset(p, 0, sizeof(*p));
	p->code = -1;
	strcpy(p->copy[0], "test");
	p->argv[0] = p->copy[0];
	for (p->argc = 1; words[p->argc - 1]; p->argc++) {
		strcpy(p->copy[p->argc], words[p->argc - 1]);
		p->argv[p->argc] = p->copy[p->argc];
	}
	p->operands = p->argv;
	assert_non_null(freopen("/dev/null", "w", stderr));
	p->ok = options_parse(&command, options, mode, &p->argc, &p->operands, &p->code);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
}

#define PARSE(p, mode, ...) parse(p, mode, (const char *const[]){__VA_ARGS__, NULL})

static void test_operands_anywhere(void **state)
{
	struct parsed p;

	(void)state;
	PARSE(&p, 0, "web", "--env", "one", "--json", "api", "--env=two");
	assert_true(p.ok);
	assert_string_equal(p.env, "two");
	assert_true(p.json);
	assert_false(p.quiet);
	assert_int_equal(p.argc, 2);
	assert_string_equal(p.operands[0], "web");
	assert_string_equal(p.operands[1], "api");
	assert_null(p.operands[2]);
}

static void test_end_of_options(void **state)
{
	struct parsed p;

	(void)state;
	PARSE(&p, 0, "a", "--", "--json", "--", "b");
	assert_true(p.ok);
	assert_false(p.json);
	assert_int_equal(p.argc, 4);
	assert_string_equal(p.operands[1], "--json");
	assert_string_equal(p.operands[2], "--");
	PARSE(&p, 0, "-");
	assert_true(p.ok);
	assert_int_equal(p.argc, 1);
	PARSE(&p, 0, "");
	assert_true(p.ok);
	assert_int_equal(p.argc, 1);
}

static void test_stop(void **state)
{
	struct parsed p;

	(void)state;
	PARSE(&p, PS_OPTIONS_STOP, "--quiet", "node", "--json", "--env", "x");
	assert_true(p.ok);
	assert_true(p.quiet);
	assert_false(p.json);
	assert_null(p.env);
	assert_int_equal(p.argc, 4);
	assert_string_equal(p.operands[0], "node");
	assert_string_equal(p.operands[3], "x");
	assert_null(p.operands[4]);
	PARSE(&p, PS_OPTIONS_STOP, "--env", "x", "--", "-weird", "--", "y");
	assert_true(p.ok);
	assert_int_equal(p.argc, 3);
	assert_string_equal(p.operands[0], "-weird");
	assert_string_equal(p.operands[1], "--");
}

static void test_letters(void **state)
{
	struct parsed p;

	(void)state;
	PARSE(&p, 0, "-jq", "-eone");
	assert_true(p.ok && p.json && p.quiet);
	assert_string_equal(p.env, "one");
	PARSE(&p, 0, "-je", "two");
	assert_true(p.ok && p.json);
	assert_string_equal(p.env, "two");
	PARSE(&p, 0, "-x");
	assert_false(p.ok);
	assert_int_equal(p.code, PS_EXIT_USAGE);
}

static void test_list(void **state)
{
	struct parsed p;

	(void)state;
	PARSE(&p, 0, "--allow", "a", "--allow=b");
	assert_true(p.ok);
	assert_int_equal(p.allow.count, 2);
	assert_string_equal(p.allow.value[1], "b");
}

static void test_wrong(void **state)
{
	struct parsed p;

	(void)state;
	PARSE(&p, 0, "--envv", "x");
	assert_false(p.ok);
	assert_int_equal(p.code, PS_EXIT_USAGE);
	PARSE(&p, 0, "--en", "x"); /* no abbreviations */
	assert_false(p.ok);
	PARSE(&p, 0, "--env");
	assert_false(p.ok);
	assert_int_equal(p.code, PS_EXIT_USAGE);
	PARSE(&p, 0, "--json=1");
	assert_false(p.ok);
	PARSE(&p, 0, "--env=");
	assert_true(p.ok);
	assert_string_equal(p.env, "");
	PARSE(&p, 0, "--help");
	assert_false(p.ok);
	assert_int_equal(p.code, PS_EXIT_YES);
	PARSE(&p, 0, "-h", "--nonsense");
	assert_false(p.ok);
	assert_int_equal(p.code, PS_EXIT_YES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_operands_anywhere),
		cmocka_unit_test(test_end_of_options),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_letters),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
