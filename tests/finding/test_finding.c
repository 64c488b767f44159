/*
 * test_finding.c - lists of findings: what is kept, counted and put in order, and what the printers
 * do with hostile text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "finding/finding.h"

static const struct ps_place here = { .file = "b.json", .line = 2, .column = 3, .key = "services.web" };

static void test_order(void **state)
{
	struct ps_findings f = { 0 };
	struct ps_place other = { .file = "a.json", .line = 9, .column = 1 };

	(void)state;
	finding_add(&f, "drift", PS_ERROR, &here, NULL, "second at %d", 2);
	other.file = "b.json";
	other.line = 1;
	finding_add(&f, "syntax", PS_NOTE, &other, NULL, "first line");
	other.file = "a.json";
	finding_add(&f, "syntax", PS_WARNING, &other, "do", "another file");
	finding_add(&f, "conflict", PS_ERROR, &here, NULL, "third");
	finding_sort(&f);
	assert_int_equal(f.count, 4);
	assert_string_equal(f.list[0].file, "a.json");
	assert_string_equal(f.list[1].text, "first line");
	assert_string_equal(f.list[2].text, "second at 2"); /* in the order in which they came */
	assert_string_equal(f.list[3].text, "third");
	assert_int_equal(finding_count(&f, PS_ERROR), 2);
	assert_true(finding_known(&f, 4, "conflict", 2, 3));
	assert_false(finding_known(&f, 3, "conflict", 2, 3));
	assert_false(finding_known(&f, 4, "conflict", 2, 4));
	finding_free(&f);
	assert_int_equal(f.count, 0);
}

/* What is not kept counts: an error behind a thousand notes is an error. */
static void test_many(void **state)
{
	struct ps_findings f = { 0 };

	(void)state;
	for (int i = 0; i < PS_FINDINGS_MAX; i++)
		finding_add(&f, "unused-range", PS_NOTE, &here, NULL, "%d", i);
	assert_false(finding_room(&f, PS_ERROR));
	finding_add(&f, "drift", PS_ERROR, &here, NULL, "one too many");
	assert_int_equal(f.count, PS_FINDINGS_MAX);
	assert_int_equal(finding_count(&f, PS_NOTE), PS_FINDINGS_MAX);
	assert_int_equal(finding_count(&f, PS_ERROR), 2);
	finding_sort(&f);
	assert_string_equal(f.list[PS_FINDINGS_MAX - 1].text, "999");
	finding_free(&f);
}

static char *printed(const struct ps_findings *f, bool github)
{
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);

	assert_non_null(stream);
	if (github)
		finding_print_github(f, stream);
	else
		finding_print_text(f, PS_NOTE, stream, false);
	fclose(stream);
	return text;
}

static void test_printers(void **state)
{
	struct ps_findings f = { 0 };
	struct ps_place place = { .file = "a\n::x,b%:c" };
	const cJSON *result, *region;
	cJSON *json;
	char *text;

	(void)state;
	finding_add(&f, "drift", PS_WARNING, &place, "50%\r\nmore", "x\n::error::y");
	text = printed(&f, true);
	assert_string_equal(text, "::warning file=a%0A%3A%3Ax%2Cb%25%3Ac,title=drift::x%0A::error::y"
				  "%0Ahint: 50%25%0D%0Amore\n");
	free(text);
	text = printed(&f, false);
	assert_non_null(strstr(text, "a?::x,b%:c: warning: "));
	assert_non_null(strstr(text, " [drift]\n\thint: 50%"));
	free(text);

	json = finding_sarif(&f);
	result = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "runs"), 0);
	result = cJSON_GetArrayItem(cJSON_GetObjectItem(result, "results"), 0);
	assert_string_equal(cJSON_GetObjectItem(result, "level")->valuestring, "warning");
	result = cJSON_GetObjectItem(cJSON_GetArrayItem(cJSON_GetObjectItem(result, "locations"), 0), "physicalLocation");
	region = cJSON_GetObjectItem(result, "region");
	assert_null(region); /* about the whole file */
	assert_string_equal(cJSON_GetObjectItem(cJSON_GetObjectItem(result, "artifactLocation"), "uri")->valuestring,
			    "a%0A%3A%3Ax%2Cb%25%3Ac");
	cJSON_Delete(json);
	finding_free(&f);
}

/* A code that is printed is described, once. */
static void test_codes(void **state)
{
	(void)state;
	for (const struct ps_finding_code *a = finding_codes; a->code; a++) {
		assert_true(a->summary[0] >= 'A' && a->summary[0] <= 'Z');
		for (const struct ps_finding_code *b = finding_codes; b != a; b++)
			assert_string_not_equal(a->code, b->code);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_printers),
		cmocka_unit_test(test_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
