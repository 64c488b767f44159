/* output.h, options.h and error.h: what people type and see. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/error.h"
#include "cli/output.h"

static void test_age(void **state)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} cases[] = {{0, "0s"},       {12, "12s"},    {119, "119s"},
		     {120, "2m"},     {7199, "119m"}, {7200, "2h"},
		     {172799, "47h"}, {172800, "2d"}, {UINT64_MAX, "213503982334601d"}};
	char text[24];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(output_age(text, cases[i].seconds), cases[i].text);
}

static void test_since(void **state)
{
	uint64_t now = (uint64_t)time(NULL);
	char text[24];

	(void)state;
	assert_string_equal(output_since(text, now - 7200), "2h");
	assert_string_equal(output_since(text, now + 60), "0s");
}

static void test_path(void **state)
{
	char text[64], small[5];

	(void)state;
	setenv("HOME", "/home/ann", 1);
	assert_string_equal(output_path(text, sizeof(text), "/home/ann"), "~");
	assert_string_equal(output_path(text, sizeof(text), "/home/ann/shop"), "~/shop");
	assert_string_equal(output_path(text, sizeof(text), "/home/anna/shop"), "/home/anna/shop");
	assert_string_equal(output_path(text, sizeof(text), "/srv"), "/srv");
	assert_string_equal(output_path(small, sizeof(small), "/home/ann/shop"), "~/sh");
	setenv("HOME", "/home/ann/", 1);
	assert_string_equal(output_path(text, sizeof(text), "/home/ann/shop"), "~/shop");
	setenv("HOME", "/", 1);
	assert_string_equal(output_path(text, sizeof(text), "/srv"), "/srv");
	unsetenv("HOME");
	assert_string_equal(output_path(text, sizeof(text), "/srv"), "/srv");
}

static void test_clean(void **state)
{
	char text[32];

	(void)state;
	assert_string_equal(output_clean(text, sizeof(text), "a\033[31mb\n\177"), "a?[31mb??");
	assert_string_equal(output_clean(text, sizeof(text), "\xc3\xa9t\xc3\xa9"), "\xc3\xa9t\xc3\xa9");
	/* U+009B starts an escape sequence too. */
	assert_string_equal(output_clean(text, sizeof(text), "a\xc2\x9b" "b\xc2"), "a?b\xc2");
	assert_string_equal(output_clean(text, 3, "abc"), "ab");
}

static void test_colour(void **state)
{
	(void)state;
	assert_string_equal(output_escape(false, PS_RED), "");
	assert_string_not_equal(output_escape(true, PS_RED), "");
	setenv("TERM", "xterm", 1);
	unsetenv("NO_COLOR");
	{
		FILE *file = tmpfile();

		assert_non_null(file);
		assert_false(output_colour(file));
		fclose(file);
	}
}

static char *table_text(const char *const *heads, unsigned columns, const char *const *cells, size_t count)
{
	static char text[1024];
	FILE *file = tmpfile();
	struct ps_table table;
	size_t got;

	assert_non_null(file);
	output_table_start(&table, heads, columns);
	for (size_t i = 0; i < count; i++)
		output_table_cell(&table, PS_RED, "%s", cells[i]);
	assert_true(output_table_print(&table, file));
	rewind(file);
	got = fread(text, 1, sizeof(text) - 1, file);
	text[got] = '\0';
	fclose(file);
	return text;
}

static void test_table(void **state)
{
	static const char *const heads[] = {"NAME", "PORT", "X"};
	static const char *const cells[] = {"web", "3000 -> 23107", "a", "\xc3\xa9t\xc3\xa9", "1", "b\033"};

	(void)state;
	assert_string_equal(table_text(heads, 3, cells, 6), "NAME  PORT           X\n"
							    "web   3000 -> 23107  a\n"
							    "\xc3\xa9t\xc3\xa9   1              b?\n");
	assert_string_equal(table_text(heads, 3, cells, 0), "NAME  PORT  X\n");
}

/* No line ends in blanks. */
static void test_table_end(void **state)
{
	static const char *const heads[] = {"PORT", "NOW", ""};
	static const char *const cells[] = {"3000", "-", "conflict", "4000", "on 4001", "", "5000", "", ""};

	(void)state;
	assert_string_equal(table_text(heads, 3, cells, 9), "PORT  NOW\n"
							    "3000  -        conflict\n"
							    "4000  on 4001\n"
							    "5000\n");
}

static void test_json_text(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"plain", "plain"},
		{"\xc3\xa9", "\xc3\xa9"},
		{"a\xff"
		 "b",
		 "a\xef\xbf\xbd"
		 "b"},
		{"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},                                 /* overlong */
		{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},                 /* surrogate */
		{"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* beyond U+10FFFF */
		{"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"},                                 /* cut */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cJSON *json = output_json_start();

		assert_non_null(json);
		output_json_text(json, "t", cases[i].in);
		assert_string_equal(cJSON_GetObjectItem(json, "t")->valuestring, cases[i].out);
		assert_int_equal(cJSON_GetObjectItem(json, "version")->valueint, 1);
		cJSON_Delete(json);
	}
}

static void test_suggest(void **state)
{
	static const char *const names[] = {"run", "exec", "status", "port", "url", "env", "wait", "why", "doctor"};
	static const struct {
		const char *word, *near;
	} cases[] = {
		{"statsu", "status"},
		{"stat", "status"},
		{"Status", "status"},
		{"prot", "port"},
		{"doktor", "doctor"},
		{"npm", NULL},
		{"node", NULL},
		{"", NULL},
		{"evn", "env"},
		{"zzzzzz", NULL},
		{"wiat", "wait"},
		{"a-word-that-is-far-longer-than-any-name-that-anybody-would-ever-type-on-purpose", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *near = error_suggest(cases[i].word, names, sizeof(names) / sizeof(names[0]));

		if (cases[i].near) {
			assert_non_null(near);
			assert_string_equal(near, cases[i].near);
		} else {
			assert_null(near);
		}
	}
}

static void test_error(void **state)
{
	struct ps_error error = {0};
	char big[4096];

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	assert_int_equal(error_set(&error, PS_EXIT_NO, "%s", big), PS_EXIT_NO);
	assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
	assert_int_equal(error_hint(&error, "do %d", 1), PS_EXIT_NO);
	assert_string_equal(error.hint, "do 1");
	error_set(&error, PS_EXIT_SYSTEM, "again");
	assert_string_equal(error.hint, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_since),     cmocka_unit_test(test_path),  cmocka_unit_test(test_clean),
		cmocka_unit_test(test_colour),  cmocka_unit_test(test_table), cmocka_unit_test(test_table_end), cmocka_unit_test(test_json_text),
		cmocka_unit_test(test_suggest), cmocka_unit_test(test_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
