/*
 * test_scan.c - the scanner's interface: places, languages, what is passed over; and .gitignore's patterns.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "inventory/ignore.h"
#include "inventory/scan.h"

static struct ps_scan scan;

static size_t find(enum ps_language language, const char *text)
{
	scan.count = 0;
	scan_text(&scan, language, text, strlen(text));
	assert_false(scan.failed);
	return scan.count;
}

/* Exactly one port, with this number and use. */
static void one(enum ps_language language, const char *text, unsigned port, enum ps_use use)
{
	if (find(language, text) != 1)
		fail_msg("%zu ports in: %s", scan.count, text);
	assert_int_equal(scan.list[0].port, port);
	if (scan.list[0].use != use)
		fail_msg("%s in: %s", scan_use_name(scan.list[0].use), text);
}

static void none(enum ps_language language, const char *text)
{
	if (find(language, text) != 0)
		fail_msg("%u in: %s", scan.list[0].port, text);
}

static void test_places(void **state)
{
	const char *text = "// 3999\r\nconst a = 1;\r\napp.listen(\"3000\");\r\n";
	const struct ps_port_use *u = (void *)0;

	(void)state;
	one(PS_LANG_JAVASCRIPT, text, 3000, PS_USE_LISTEN);
	u = &scan.list[0];
	assert_int_equal(u->line, 3);
	assert_int_equal(u->column, 13);
	assert_memory_equal(text + u->offset, "3000", u->length);
	assert_int_equal(u->expression_end - u->expression, 6);
	assert_memory_equal(text + u->expression, "\"3000\"", 6);
	assert_int_equal(u->certainty, PS_CERTAIN);
	assert_int_equal(u->language, PS_LANG_JAVASCRIPT);
	/* A second file is appended; its places are its own. */
	scan_text(&scan, PS_LANG_DOTENV, "\xef\xbb\xbfPORT=4000", 12);
	assert_int_equal(scan.count, 2);
	assert_int_equal(scan.list[1].line, 1);
	assert_int_equal(scan.list[1].column, 9);
	/* In a URL the literal is the whole string. */
	one(PS_LANG_PYTHON, "u = 'http://localhost:8000/x'", 8000, PS_USE_URL);
	assert_int_equal(scan.list[0].expression, 4);
	assert_int_equal(scan.list[0].expression_end, 29);
}

static void test_uses(void **state)
{
	(void)state;
	one(PS_LANG_JAVASCRIPT, "app.listen(process.env.PORT || 3000)", 3000, PS_USE_DEFAULT);
	one(PS_LANG_PYTHON, "socket.create_connection(('localhost', 6379))", 6379, PS_USE_CONNECT);
	one(PS_LANG_GO, "const port = 8080", 8080, PS_USE_CONFIG);
	one(PS_LANG_DOCKERFILE, "FROM x\nEXPOSE 8080/tcp", 8080, PS_USE_MAPPING);
	assert_true(scan.list[0].inside);
	assert_int_equal(find(PS_LANG_COMPOSE, "services:\n  a:\n    ports:\n    - '9000:80'\n"), 2);
	assert_false(scan.list[0].inside);
	assert_true(scan.list[1].inside);
	one(PS_LANG_SHELL, "curl https://api.example.com:8443/x", 8443, PS_USE_URL);
	assert_true(scan.list[0].remote);
	one(PS_LANG_SHELL, "curl http://127.0.0.1:8443/x", 8443, PS_USE_URL);
	assert_false(scan.list[0].remote);
	one(PS_LANG_C, "sprintf(t, \"http://localhost:%d/\", 3000);", 3000, PS_USE_URL);
	one(PS_LANG_JAVASCRIPT, "const at = 'localhost:' + 3000;", 3000, PS_USE_URL);
	one(PS_LANG_HTML, "<p>1</p>\n<script src=\"http://localhost:3000/x.js\"></script>", 3000, PS_USE_URL);
	one(PS_LANG_KOTLIN, "embeddedServer(Netty, 8080) { }", 8080, PS_USE_LISTEN);
}

static void test_no_ports(void **state)
{
	(void)state;
	none(PS_LANG_JAVASCRIPT, "setTimeout(f, 3000); const timeout = 3000, report = 8080;");
	none(PS_LANG_JAVASCRIPT, "/* listen(3000) */ // port = 3000\nconst r = /port: 3000/;");
	none(PS_LANG_PYTHON, "sock.listen(128)\nif port > 1024: pass\n");
	none(PS_LANG_PYTHON, "\"\"\"Listens on http://localhost:8000.\"\"\"\n");
	none(PS_LANG_C, "listen(fd, 1024); int x = port == 443;");
	none(PS_LANG_JAVASCRIPT, "app.listen(70000); app.listen(0); app.listen(0x1F90); app.listen(3000.5)");
	none(PS_LANG_YAML, "image: redis:6379\nuser: '1000:1000'\n");
	none(PS_LANG_JSON, "{\"port\": {\"type\": \"integer\", \"minimum\": 1024, \"maximum\": 65535}}");
	none(PS_LANG_SHELL, "chown -R 1000:1000 dir\ncurl http://[::ffff:127.0.0.1]/\n");
	none(PS_LANG_C, "sprintf(t, \"total:%d\", 3000); puts(\"sum:\" + 3000);");
	none(PS_LANG_PYTHON, "if port in (80, 443): pass\nn = IPv4Network(('192.0.2.0', 24))\n");
	none(PS_LANG_C, "#define PORT_TEGRA 20\n#define SO_REUSEPORT 36\n");
	none(PS_LANG_HTML, "<p>at http://localhost:3000 or 127.0.0.1:3000</p>");
	none(PS_LANG_NONE, "port = 3000");
	none(PS_LANG_JAVASCRIPT, "");
}

/* Whatever is not closed ends with the file, or with its line; what comes before it counts. */
static void test_broken(void **state)
{
	static const char *const texts[] = { "port = 3000\n\"",         "port = 3000\n/*",    "port = 3000\n'''",
					     "port = 3000\n((((((((((", "port = 3000\n}}}}}", "port = 3000\n<<END\nx",
					     "port = 3000\n`${",        "port = 3000\n\\" };
	char deep[4096];

	(void)state;
	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		for (int language = 1; language < PS_LANG_COUNT; language++)
			if (language != PS_LANG_COMPOSE && language != PS_LANG_HTML &&
			    find((enum ps_language)language, texts[i]) < 1)
				fail_msg("%s: %s", scan_language_name((enum ps_language)language), texts[i]);
	memset(deep, '(', sizeof(deep));
	snprintf(deep + sizeof(deep) - 16, 16, "listen(3000)");
	for (int language = 1; language < PS_LANG_COUNT; language++)
		find((enum ps_language)language, deep);
}

/* Seconds of a text of so many bytes that is one line, `unit`, again and again; the best of three. */
static double seconds(enum ps_language language, const char *head, const char *unit, size_t size)
{
	size_t length = strlen(unit), used = strlen(head);
	char *text = malloc(size + length + used);
	double best = 1e9;

	assert_non_null(text);
	memcpy(text, head, used);
	for (; used < size; used += length)
		memcpy(text + used, unit, length);
	for (int i = 0; i < 3; i++) {
		clock_t start = clock();
		double took;

		scan.count = 0;
		scan_text(&scan, language, text, used);
		took = (double)(clock() - start) / CLOCKS_PER_SEC;
		best = took < best ? took : best;
	}
	free(text);
	return best;
}

/* What is never closed is not searched for from each of its openings to the end of the file, and the end of a long line
 * not from each of its strings: eight times the text takes about eight times as long, not 64 times. */
static void test_unclosed(void **state)
{
	static const struct {
		enum ps_language language;
		const char *head, *unit;
	} texts[] = {
		{ PS_LANG_SHELL, "", "cat <<A\n" },          { PS_LANG_RUBY, "\"", "\\\"\\\"\\\"\n" },
		{ PS_LANG_RUST, "", "r#\"\n" },               { PS_LANG_JAVASCRIPT, "", "`${\n" },
		{ PS_LANG_JAVASCRIPT, "", "\"a\"," },         { PS_LANG_JAVASCRIPT, "", "=/a/;" },
		{ PS_LANG_SHELL, "", "${a} " },               { PS_LANG_PYTHON, "", "'\\'' " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		double few = seconds(texts[i].language, texts[i].head, texts[i].unit, 64 << 10);
		double many = seconds(texts[i].language, texts[i].head, texts[i].unit, 512 << 10);

		if (many > 24 * few + 0.1)
			fail_msg("%s: %.3f s for 64 KiB, %.3f s for 512 KiB", texts[i].unit, few, many);
	}
	/* Behind all that, ports are found as before. */
	one(PS_LANG_SHELL, "cat <<A\nPORT=3000 node x\n", 3000, PS_USE_CONFIG);
}

static void test_languages(void **state)
{
	static const struct {
		const char *path, *head;
		enum ps_language language;
	} cases[] = {
		{ "src/app.tsx", NULL, PS_LANG_JAVASCRIPT },
		{ "Dockerfile.dev", NULL, PS_LANG_DOCKERFILE },
		{ "compose.override.yml", NULL, PS_LANG_COMPOSE },
		{ "a/docker-compose.test.yaml", NULL, PS_LANG_COMPOSE },
		{ "config/dev.yaml", NULL, PS_LANG_YAML },
		{ ".env.local", NULL, PS_LANG_DOTENV },
		{ "env.go", NULL, PS_LANG_GO },
		{ "env.sample", NULL, PS_LANG_DOTENV },
		{ "etc/nginx/sites-enabled/shop", NULL, PS_LANG_NGINX },
		{ "Caddyfile", NULL, PS_LANG_CADDY },
		{ "bin/start", "#!/usr/bin/env -S python3 -u\n", PS_LANG_PYTHON },
		{ "bin/start", "#!/bin/sh\n", PS_LANG_SHELL },
		{ "bin/start", "#!/usr/bin/perl\n", PS_LANG_NONE },
		{ "README.md", NULL, PS_LANG_NONE },
		{ "logo.png", NULL, PS_LANG_NONE },
		{ "Procfile", NULL, PS_LANG_SHELL },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum ps_language got =
			scan_language(cases[i].path, cases[i].head, cases[i].head ? strlen(cases[i].head) : 0);

		if (got != cases[i].language)
			fail_msg("%s is %s", cases[i].path, scan_language_name(got));
	}
}

static void test_passed_over(void **state)
{
	char *line = malloc(10000);

	(void)state;
	assert_non_null(line);
	assert_true(scan_unwanted("a/package-lock.json") && scan_unwanted("yarn.lock") &&
		    scan_unwanted("jquery.min.js"));
	assert_true(scan_unwanted("ports.manifest.json") && !scan_unwanted("package.json") &&
		    !scan_unwanted("lock.js"));
	memset(line, 'x', 10000);
	assert_true(scan_unreadable(line, 10000));
	assert_false(scan_unreadable(line, 1000));
	assert_true(scan_unreadable("a\0b", 3));
	assert_false(scan_unreadable("\xff\xfe not UTF-8\n", 13));
	free(line);
}

static void test_ignore(void **state)
{
	static const struct {
		const char *pattern, *path;
		bool directory, match;
	} cases[] = {
		{ "*.log", "a/b/x.log", false, true },
		{ "*.log", "x.logs", false, false },
		{ "build/", "build", true, true },
		{ "build/", "build", false, false },
		{ "/dist", "dist", true, true },
		{ "/dist", "a/dist", true, false },
		{ "a/*/c", "a/b/c", false, true },
		{ "a/*/c", "a/b/d/c", false, false },
		{ "a/**/c", "a/c", false, true },
		{ "a/**/c", "a/b/d/c", false, true },
		{ "**/foo", "x/y/foo", false, true },
		{ "foo/**", "foo/a/b", false, true },
		{ "[a-c]?.js", "b1.js", false, true },
		{ "[!a-c].js", "b.js", false, false },
		{ "\\#x", "#x", false, true },
		{ "a*b*c*d*e", "aXbXcXdXf", false, false },
		{ "[", "[", false, true },
	};
	struct ps_ignore top, below;

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (ignore_pattern(cases[i].pattern, cases[i].path, cases[i].directory) != cases[i].match)
			fail_msg("%s and %s", cases[i].pattern, cases[i].path);
	assert_true(ignore_read(&top, NULL, strdup("# comment\n*.js  \r\n!keep.js\n/out\n"), 0));
	assert_true(ignore_read(&below, &top, strdup("!x.js\n"), 4));
	assert_true(ignore_matches(&top, "a.js", false) && !ignore_matches(&top, "keep.js", false));
	assert_true(ignore_matches(&top, "out", true) && !ignore_matches(&top, "sub/out", true));
	assert_true(!ignore_matches(&below, "sub/x.js", false) && ignore_matches(&below, "sub/y.js", false));
	ignore_free(&below);
	ignore_free(&top);
}

static int end(void **state)
{
	(void)state;
	scan_free(&scan);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places), cmocka_unit_test(test_uses),      cmocka_unit_test(test_no_ports),
		cmocka_unit_test(test_broken), cmocka_unit_test(test_languages), cmocka_unit_test(test_passed_over),
		cmocka_unit_test(test_ignore), cmocka_unit_test(test_unclosed),
	};

	return cmocka_run_group_tests(tests, NULL, end);
}
