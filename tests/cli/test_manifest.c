/*
 * test_manifest.c - what the loader says about a manifest, what it makes of one, and the plan that comes out.
 *
 * Whether single values are accepted is the matter of schema_parity.py; here are places, keys, hints, and meaning.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <portshim/candidates.h>
#include <portshim/kernel.h>

#include "../../src/cli/manifest.h"
#include "folder.h"

static struct ps_manifest *load(const char *text, const char *profile)
{
	struct ps_manifest *manifest = NULL;
	struct ps_error error = { 0 };

	write_bytes(file, text, strlen(text));
	if (manifest_load(&manifest, file, profile, NULL, &error))
		fail_msg("%s: %s", text, error.text);
	return manifest;
}

/* The findings on a text that is wrong. */
static struct ps_diagnostics findings(const char *text, size_t size)
{
	struct ps_manifest *manifest = NULL;
	struct ps_diagnostics found = { 0 };
	struct ps_error error = { 0 };

	write_bytes(file, text, size);
	if (manifest_load(&manifest, file, NULL, &found, &error) == 0)
		fail_msg("accepted: %s", text);
	assert_null(manifest);
	assert_int_equal(error.code, PS_EXIT_SYSTEM);
	assert_true(strlen(error.text) > 0);
	return found;
}

struct expected {
	const char *text;
	int line, column;
	const char *code, *path;
	const char *said; /* a part of the text */
	const char *hint; /* a part of the hint, or NULL for none */
};

static void check_finding(const struct ps_diagnostic *d, const struct expected *e)
{
	if (d->line != e->line || d->column != e->column || strcmp(d->code, e->code) != 0 ||
	    strcmp(d->path, e->path) != 0)
		fail_msg("%s\ngave %d:%d %s %s: %s", e->text, d->line, d->column, d->code, d->path, d->text);
	if (!strstr(d->text, e->said))
		fail_msg("%s\nsaid \"%s\", not \"%s\"", e->text, d->text, e->said);
	if (!e->hint != !d->hint || (e->hint && !strstr(d->hint, e->hint)))
		fail_msg("%s\nhinted \"%s\", not \"%s\"", e->text, d->hint ? d->hint : "nothing",
			 e->hint ? e->hint : "nothing");
}

static void check_single(const struct expected *e, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct ps_diagnostics found = findings(e[i].text, strlen(e[i].text));

		if (found.count != 1)
			fail_msg("%s: %zu findings", e[i].text, found.count);
		check_finding(&found.list[0], &e[i]);
		diagnostics_free(&found);
	}
}

#define SERVICES(text) "{\"version\": 1,\n \"services\": {\n" text "}}"

static void test_syntax(void **state)
{
	static const struct expected all[] = {
		{ "", 1, 1, "empty", "", "nothing in the file", "version" },
		{ " \n// only a comment", 1, 1, "empty", "", "nothing in the file", "version" },
		{ "{\n\t\"version\": 1,\n}", 2, 14, "syntax", "", "nothing after this comma", "leave out" },
		{ "[1,]", 1, 3, "syntax", "", "nothing after this comma", "leave out" },
		{ "{\"version\": 1", 1, 14, "syntax", "", "expected `,` or `}`, found the end", NULL },
		{ "{\"version\": 1\n\"a\": 2}", 1, 14, "syntax", "", "expected `,` or `}`", "comma" },
		{ "{\"version\" 1}", 1, 11, "syntax", "", "expected `:`", NULL },
		{ "{version: 1}", 1, 2, "syntax", "", "expected a key", "double quotes" },
		{ "{'version': 1}", 1, 2, "syntax", "", "expected a key", "double quotes" },
		{ "{\"version\": 1,,}", 1, 15, "syntax", "", "expected a key", NULL },
		{ "{\"version\": }", 1, 13, "syntax", "", "expected a value, found `}`", NULL },
		{ "{\"version\": 'x'}", 1, 13, "syntax", "", "expected a value", "double quotes" },
		{ "{\"version\": one}", 1, 13, "syntax", "", "`one`", "double quotes" },
		{ "{\"version\": True}", 1, 13, "syntax", "", "`True`", "double quotes" },
		{ "{\"version\": NaN}", 1, 13, "syntax", "", "`NaN`", "double quotes" },
		{ "{\"version\": 01}", 1, 13, "syntax", "", "begin with 0", "zeros" },
		{ "{\"version\": +1}", 1, 13, "syntax", "", "found `+`", NULL },
		{ "{\"version\": -}", 1, 13, "syntax", "", "digit after `-`", NULL },
		{ "{\"version\": 1.}", 1, 13, "syntax", "", "digit after `.`", NULL },
		{ "{\"version\": .5}", 1, 13, "syntax", "", "found `.`", NULL },
		{ "{\"version\": 1e}", 1, 13, "syntax", "", "exponent", NULL },
		{ "{\"version\": \"1}\n", 1, 13, "syntax", "", "no end", "close it" },
		{ "{\"version\": \"\\x\"}", 1, 14, "syntax", "", "no escape", "backslash" },
		{ "{\"version\": \"\\u12\"}", 1, 14, "syntax", "", "four hexadecimal", NULL },
		{ "{\"version\": \"\\ud800\"}", 1, 14, "syntax", "", "surrogate", NULL },
		{ "{\"version\": \"\\udc00\\ud800\"}", 1, 14, "syntax", "", "surrogate", NULL },
		{ "{\"version\": \"\\u0000\"}", 1, 14, "syntax", "", "U+0000", NULL },
		{ "{\"version\": \"\t\"}", 1, 14, "syntax", "", "control character 0x09", NULL },
		{ "{\"version\": 1}}", 1, 15, "syntax", "", "end of the file, found `}`", NULL },
		{ "{\"version\": 1} /* x", 1, 16, "syntax", "", "comment has no end", NULL },
		{ "{\"version\": 1} /", 1, 16, "syntax", "", "found `/`", NULL },
		{ "# x\n{\"version\": 1}", 1, 1, "syntax", "", "found `#`", "//" },
		{ "{\"version\": 1\x01}", 1, 14, "syntax", "", "control character 0x01", NULL },
		{ "{\"a\": \"\xff\"}", 1, 8, "utf-8", "", "0xff", "UTF-8" },
		{ "\xff\xfe{", 1, 1, "utf-8", "", "0xff", "UTF-16" },
		{ "// \xc0\xaf\n{}", 1, 4, "utf-8", "", "0xc0", "UTF-8" },
		{ "{\"a\": \"\xed\xa0\x80\"}", 1, 8, "utf-8", "", "0xed", "UTF-8" },
		{ "{\"a\": \"\xf4\x90\x80\x80\"}", 1, 8, "utf-8", "", "0xf4", "UTF-8" },
		{ "{\"a\": \"\xe2\x82", 1, 8, "utf-8", "", "0xe2", "UTF-8" },
	};
	struct ps_diagnostics found;

	(void)state;
	check_single(all, sizeof(all) / sizeof(all[0]));
	found = findings("{\"version\": 1}\0", 15);
	assert_string_equal(found.list[0].code, "syntax");
	assert_int_equal(found.list[0].column, 15);
	diagnostics_free(&found);
}

static void test_comments(void **state)
{
	struct ps_manifest *m =
		load("\xef\xbb\xbf// one\n/* two \" \n */ {\"version\" /**/ : 1, // \"project\": \"x\"\n"
		     "\"project\": \"a.b\", \"$schema\": \"http://x/*y*/\" } /* { */ // end",
		     NULL);

	(void)state;
	assert_string_equal(m->project, "a.b");
	manifest_free(m);
}

static void test_deep(void **state)
{
	enum { DEPTH = 200000 };
	char *text = malloc(DEPTH * 6 + 1);
	struct ps_diagnostics found;

	(void)state;
	memset(text, '[', DEPTH);
	found = findings(text, DEPTH);
	assert_string_equal(found.list[0].code, "too-deep");
	diagnostics_free(&found);
	for (size_t i = 0; i < DEPTH; i++)
		memcpy(text + 6 * i, "{\"a\": ", 6);
	found = findings(text, DEPTH * 6);
	assert_string_equal(found.list[0].code, "too-deep");
	diagnostics_free(&found);
	free(text);
}

static void test_values(void **state)
{
	static const struct expected all[] = {
		{ "[]", 1, 1, "wrong-type", "", "expected an object", NULL },
		{ "{}", 1, 1, "missing-key", "", "\"version\" is missing", "\"version\": 1" },
		{ "{\"version\": 2}", 1, 13, "bad-version", "version", "expected 1", "version 1 only" },
		{ "{\"version\": 1,\n \"servces\": {}}", 2, 2, "unknown-key", "servces", "no key \"servces\"",
		  "\"services\"" },
		{ "{\"version\": 1, \"x\": {}}", 1, 16, "unknown-key", "x", "no key", "the keys here are version" },
		{ "{\"version\": 1, \"version\": 1}", 1, 16, "duplicate-key", "version", "line 1", "keep one" },
		{ "{\"version\": 1, \"vers\\u0069on\": 1}", 1, 16, "duplicate-key", "version", "second time", "keep" },
		{ SERVICES("\"a\": {\"prot\": 1, \"port\": 1}"), 3, 7, "unknown-key", "services.a.prot", "no key",
		  "\"port\"" },
		{ SERVICES("\"a\": {\"port\": 1},\n\"a\": {\"port\": 2}"), 4, 1, "duplicate-key", "services.a",
		  "line 3", "keep one" },
		{ SERVICES("\"a\": {}"), 3, 1, "missing-key", "services.a", "\"inherit\" is missing",
		  "\"port\": NUMBER" },
		{ SERVICES("\"a\": {\"port\": 70000}"), 3, 15, "bad-port", "services.a.port",
		  "70000 is wrong here: expected a port, a whole number from 1 to 65535", NULL },
		{ SERVICES("\"a\": {\"port\": \"80\"}"), 3, 15, "wrong-type", "services.a.port", "found \"80\"",
		  "without quotes" },
		{ SERVICES("\"a\": {\"port\": 80.5}"), 3, 15, "bad-port", "services.a.port", "80.5", NULL },
		{ SERVICES("\"a\": {\"ports\": [1,\n 0]}"), 4, 2, "bad-port", "services.a.ports[1]", "0 is wrong",
		  NULL },
		{ SERVICES("\"a\": {\"ports\": [1, 2, 1]}"), 3, 23, "duplicate-value", "services.a.ports[2]", "line 3",
		  "keep one" },
		{ SERVICES("\"a\": {\"ports\": 80}"), 3, 16, "wrong-type", "services.a.ports", "an array of ports",
		  "\"port\"" },
		{ SERVICES("\"a\": {\"port\": 1, \"ports\": [1]}"), 3, 18, "exclusive-keys", "services.a.ports",
		  "beside \"port\"", "several" },
		{ SERVICES("\"a\": {\"port\": 1}, \"b\": {\"inherit\": \"a\", \"port\": 2}"), 3, 41, "exclusive-keys",
		  "services.b.port", "beside \"inherit\"", "\"scheme\"" },
		{ SERVICES("\"a\": {\"port\": 1, \"range\": \"1-\"}"), 3, 27, "bad-range", "services.a.range",
		  "like \"3000-3099\"", NULL },
		{ SERVICES("\"a\": {\"port\": 1, \"protocol\": \"tpc\"}"), 3, 30, "bad-protocol", "services.a.protocol",
		  "expected \"tcp\", \"udp\" or \"both\"", "did you mean \"tcp\"" },
		{ SERVICES("\"a\": {\"port\": 1, \"strategy\": \"minimum\"}"), 3, 30, "bad-strategy",
		  "services.a.strategy", "\"minimal\", \"conservative\" or \"aggressive\"", "\"minimal\"" },
		{ SERVICES("\"a\": {\"port\": 1, \"env\": {\"A\": \"{prt}\"}}"), 3, 31, "bad-template",
		  "services.a.env.A", "`{prt}`", "\"{port}\"" },
		{ SERVICES("\"a\": {\"port\": 1, \"env\": {\"A\": \"{b.prt}\"}}"), 3, 31, "bad-template",
		  "services.a.env.A", "`{b.prt}`", "\"{b.port}\"" },
		{ SERVICES("\"a\": {\"port\": 1, \"env\": {\"A\": \"{\"}}"), 3, 31, "bad-template", "services.a.env.A",
		  "`{`", "twice" },
		{ SERVICES("\"a\": {\"port\": 1, \"env\": [\"A\", \"A B\"]}"), 3, 31, "bad-env", "services.a.env[1]",
		  "A B", NULL },
		{ SERVICES("\"a b\": {\"port\": 1}"), 3, 1, "bad-name", "services.a b", "letters, digits", NULL },
		{ SERVICES("\"\\u001b[2J\": {\"port\": 1}"), 3, 1, "bad-name", "services.?[2J", "?[2J", NULL },
		{ SERVICES("\"a\": {\"port\": 1, \"match\": {}}"), 3, 27, "bad-value", "services.a.match",
		  "at least one", NULL },
		{ SERVICES("\"a\": {\"port\": 1, \"scheme\": \"http://\"}"), 3, 28, "bad-scheme", "services.a.scheme",
		  "scheme", "`://`" },
	};

	(void)state;
	check_single(all, sizeof(all) / sizeof(all[0]));
}

static void test_meaning(void **state)
{
	static const struct expected all[] = {
		{ SERVICES("\"api\": {\"port\": 1},\n\"b\": {\"inherit\": \"apl\"}"), 4, 18, "unknown-service",
		  "services.b.inherit", "no service \"apl\"", "\"api\"" },
		{ SERVICES("\"a\": {\"inherit\": \"b\"}, \"b\": {\"inherit\": \"c\"}, \"c\": {\"inherit\": \"a\"}"), 3,
		  18, "inherit-cycle", "services.a.inherit", "a -> b -> c -> a", "\"port\"" },
		{ SERVICES("\"a\": {\"inherit\": \"a\"}"), 3, 18, "inherit-cycle", "services.a.inherit", "a -> a",
		  "\"port\"" },
		{ SERVICES("\"a\": {\"port\": 80},\n\"b\": {\"port\": 80}"), 4, 15, "same-port", "services.b.port",
		  "the port of \"a\" (line 3)", "match" },
		{ SERVICES("\"a\": {\"port\": 80, \"protocol\": \"tcp\"},\n\"b\": {\"ports\": [80], \"protocol\": "
			   "\"both\"}"),
		  4, 17, "same-port", "services.b.ports[0]", "80 is the port of", "match" },
		{ SERVICES("\"a\": {\"port\": 80, \"conflicts\": [\"b\"]}, \"b\": {\"inherit\": \"a\"}"), 3, 33,
		  "conflict", "services.a.conflicts[0]", "must not share a port with \"b\"", "another port" },
		{ SERVICES("\"a\": {\"port\": 80, \"conflicts\": [\"b\"]}, \"b\": {\"ports\": [80, 81], \"match\": "
			   "{\"args\": \"x\"}}"),
		  3, 33, "conflict", "services.a.conflicts[0]", "both have 80", "another port" },
		{ SERVICES("\"a\": {\"port\": 80, \"range\": \"90-80\"}"), 3, 28, "range-order", "services.a.range",
		  "ends at 80", "\"80-90\"" },
		{ "{\"version\": 1, \"ranges\": {\"front\": \"1-2\"}, \"defaults\": {\"range\": \"frnt\"}}", 1, 66,
		  "unknown-range", "defaults.range", "no range \"frnt\"", "\"front\"" },
		{ SERVICES("\"api\": {\"port\": 80, \"env\": {\"A\": \"{apj.url}\"}}"), 3, 34, "unknown-service",
		  "services.api.env.A", "no service \"apj\"", "\"api\"" },
		{ "{\"version\": 1, \"services\": {\"a\": {\"port\": 65000}},\n\"profiles\": {\"t\": {\"offset\": "
		  "1000}}}",
		  2, 30, "offset-range", "profiles.t.offset", "the port 65000 of \"a\" (line 1) becomes 66000",
		  "own port" },
		{ "{\"version\": 1, \"services\": {\"a\": {\"port\": 1}},\n\"profiles\": {\"t\": {\"services\": "
		  "{\"b\": {}}}}}",
		  2, 33, "unknown-service", "profiles.t.services.b", "no service \"b\"", "does not add" },
		{ "{\"version\": 1, \"services\": {\"a\": {\"port\": 1}, \"b\": {\"port\": 2}},\n"
		  "\"profiles\": {\"t\": {\"services\": {\"b\": {\"port\": 1}}}}}",
		  2, 47, "same-port", "profiles.t.services.b.port", "under the profile \"t\"", "match" },
	};

	(void)state;
	check_single(all, sizeof(all) / sizeof(all[0]));
}

static void test_many(void **state)
{
	static const char text[] =
		SERVICES("\"a\": {\"prot\": 1, \"os\": 1},\n\"b\": {\"port\": 1, \"inherit\": \"c\"}");
	struct ps_diagnostics found = findings(text, strlen(text));
	struct ps_manifest *manifest = NULL;
	struct ps_error error = { 0 };
	char *big = malloc(200000), *at;

	(void)state;
	/* all of them, in the order of the file */
	assert_int_equal(found.count, 5);
	assert_string_equal(found.list[0].code, "missing-key");
	assert_string_equal(found.list[1].code, "unknown-key");
	assert_string_equal(found.list[2].code, "wrong-type");
	assert_string_equal(found.list[3].code, "exclusive-keys");
	assert_string_equal(found.list[4].code, "unknown-service");
	diagnostics_free(&found);
	/* the error tells the first ones, with file, line and column */
	assert_int_equal(manifest_load(&manifest, file, NULL, NULL, &error), PS_EXIT_SYSTEM);
	assert_non_null(strstr(error.text, "ports.manifest.json:3:1: services.a: "));
	assert_non_null(strstr(error.text, "ports.manifest.json:4:7: services.b.port: "));
	/* not without end */
	at = stpcpy(big, "{\"version\": 1, \"services\": {");
	for (unsigned i = 0; i < 1000; i++)
		at += sprintf(at, "%s\"s%u\": {\"inherit\": \"t%u\", \"prot\": 1}", i ? ", " : "", i, i);
	strcpy(at, "}}");
	found = findings(big, strlen(big));
	assert_int_equal(found.count, 100);
	diagnostics_free(&found);
	free(big);
}

static const char shop[] =
	"{ \"version\": 1, \"project\": \"shop\",\n"
	"  \"ranges\": { \"frontend\": \"3000-3099\", \"backend\": \"4000-4099\" },\n"
	"  \"services\": {\n"
	"    \"web\": { \"port\": 3000, \"range\": \"frontend\", \"env\": [\"PORT\"], \"conflicts\": [\"api\"] },\n"
	"    \"api\": { \"ports\": [4010, 4012], \"range\": \"4020-4030\", \"env\": { \"API_PORT\": \"{port}\",\n"
	"       \"API_URL\": \"{url}\" }, \"match\": { \"command\": \"node*\", \"args\": \"*server.js*\", "
	"\"directory\": \"./back//end/\" },\n"
	"       \"report\": \"requested\", \"strategy\": \"conservative\", \"os\": false, \"discovery\": "
	"\".backend-port.json\" },\n"
	"    \"live\": { \"inherit\": \"ws\" },\n"
	"    \"ws\": { \"inherit\": \"api\", \"scheme\": \"ws\" },\n"
	"    \"dns\": { \"port\": 5353, \"protocol\": \"udp\", \"range\": \"backend\" },\n"
	"    \"db\": { \"port\": 5432, \"range\": \"backend\", \"external\": true }\n"
	"  },\n"
	"  \"profiles\": { \"test\": { \"offset\": 1000, \"services\": { \"api\": { \"port\": 7010 }, \"dns\": { "
	"\"range\": \"frontend\" } } },\n"
	"    \"in\": { \"offset\": 1, \"services\": { \"db\": { \"external\": false }, \"web\": { \"env\": { \"X\": "
	"\"{db.port}\" } } } },\n"
	"    \"heir\": { \"services\": { \"web\": { \"inherit\": \"dns\", \"conflicts\": [] }, \"ws\": { \"ports\": "
	"[9, 8] } } } },\n"
	"  \"defaults\": { \"strategy\": \"minimal\", \"range\": \"backend\" } }\n";

static void test_result(void **state)
{
	struct ps_manifest *m = load(shop, NULL);
	const struct ps_manifest_service *s;
	char path[128];

	(void)state;
	assert_string_equal(m->path, file);
	assert_string_equal(m->project, "shop");
	assert_int_equal(m->service_count, 6);
	assert_int_equal(m->default_first, 4000);
	assert_int_equal(m->default_last, 4099);
	assert_int_equal(m->strategy, PS_MINIMAL);
	assert_int_equal(m->report, PS_REPORT_ACTUAL);
	assert_true(m->os);
	assert_null(manifest_service(m, "we"));
	assert_null(manifest_service(m, "webb"));
	assert_null(manifest_service(m, ""));

	s = manifest_service(m, "web");
	assert_ptr_equal(s, &m->services[0]);
	assert_int_equal(s->port_count, 1);
	assert_int_equal(s->ports[0], 3000);
	assert_int_equal(s->range_first, 3000);
	assert_int_equal(s->range_last, 3099);
	assert_int_equal(s->env_count, 1);
	assert_true(s->env[0].own);
	assert_string_equal(s->env[0].name, "PORT");
	assert_string_equal(s->env[0].template, "{port}");
	assert_int_equal(s->conflict_count, 1);
	assert_int_equal(s->protocols, 0);
	assert_int_equal(s->inherits, -1);
	assert_true(s->os);

	s = manifest_service(m, "api");
	assert_int_equal(s->port_count, 2);
	assert_int_equal(s->ports[1], 4012);
	assert_int_equal(s->range_last, 4030);
	assert_string_equal(s->env[1].template, "{url}");
	assert_false(s->env[1].own);
	assert_string_equal(s->match_args, "*server.js*");
	snprintf(path, sizeof(path), "%s/back/end", folder);
	assert_string_equal(s->match_directory, path);
	snprintf(path, sizeof(path), "%s/.backend-port.json", folder);
	assert_string_equal(s->discovery, path);
	assert_int_equal(s->report, PS_REPORT_REQUESTED);
	assert_int_equal(s->strategy, PS_CONSERVATIVE);
	assert_false(s->os);

	s = manifest_service(m, "live");
	assert_string_equal(s->inherit, "ws");
	assert_ptr_equal(&m->services[s->inherits], manifest_service(m, "ws"));
	assert_ptr_equal(manifest_root(m, s), manifest_service(m, "api"));
	assert_int_equal(s->port_count, 0);
	assert_int_equal(s->report, PS_REPORT_REQUESTED);
	assert_int_equal(manifest_service(m, "dns")->protocols, PS_UDP);
	assert_true(manifest_service(m, "db")->external);
	manifest_free(m);
}

static void test_profiles(void **state)
{
	struct ps_manifest *m = load(shop, "test");
	const struct ps_manifest_service *s;
	struct ps_error error = { 0 };

	(void)state;
	s = manifest_service(m, "web");
	assert_int_equal(s->ports[0], 4000);
	assert_int_equal(s->range_first, 4000);
	assert_int_equal(s->range_last, 4099);
	s = manifest_service(m, "api");
	assert_int_equal(s->port_count, 1); /* "port" takes the place of "ports" */
	assert_int_equal(s->ports[0], 7010);
	assert_int_equal(s->range_first, 5020); /* the profile did not say it: the offset counts */
	assert_string_equal(s->match_command, "node*");
	s = manifest_service(m, "dns");
	assert_int_equal(s->ports[0], 6353);
	assert_int_equal(s->range_first, 3000); /* the profile said it: final */
	s = manifest_service(m, "db");
	assert_int_equal(s->ports[0], 5432);
	assert_int_equal(s->range_first, 4000);
	assert_int_equal(m->default_first, 4000);
	manifest_free(m);

	m = load(shop, "in");
	s = manifest_service(m, "db");
	assert_int_equal(s->ports[0], 5433); /* no longer external: the offset counts */
	assert_int_equal(s->range_first, 4001);
	s = manifest_service(m, "web");
	assert_int_equal(s->env_count, 1);
	assert_string_equal(s->env[0].name, "X");
	manifest_free(m);

	m = load(shop, "heir");
	s = manifest_service(m, "web");
	assert_int_equal(s->port_count, 0);
	assert_int_equal(s->range_first, 0);
	assert_int_equal(s->env_count, 1);
	assert_ptr_equal(manifest_root(m, s), manifest_service(m, "dns"));
	assert_int_equal(s->protocols, PS_UDP);
	s = manifest_service(m, "ws");
	assert_int_equal(s->port_count, 2);
	assert_int_equal(s->inherits, -1);
	manifest_free(m);

	m = NULL;
	assert_int_equal(manifest_load(&m, file, "tets", NULL, &error), PS_EXIT_USAGE);
	assert_null(m);
	assert_non_null(strstr(error.text, "no profile `tets`"));
	assert_non_null(strstr(error.hint, "`test`"));
	assert_int_equal(manifest_load(&m, file, "zzzzzz", NULL, &error), PS_EXIT_USAGE);
	assert_non_null(strstr(error.hint, "test, in, heir"));
}

static void check_expanded(const struct ps_manifest *m, const char *service, const char *template, const char *expected)
{
	struct ps_error error = { 0 };
	char *text = manifest_expand(m, manifest_service(m, service), template, &error);

	if (!expected) {
		assert_null(text);
		assert_int_not_equal(error.code, 0);
		return;
	}
	assert_int_equal(error.code, 0);
	assert_string_equal(text, expected);
	free(text);
}

static void test_templates(void **state)
{
	struct ps_manifest *m = load(shop, "test");

	(void)state;
	check_expanded(m, "web", "", "");
	check_expanded(m, "web", "{port}", "4000");
	check_expanded(m, "web", "http://{host}:{port}/x", "http://localhost:4000/x");
	check_expanded(m, "web", "{url}", "http://localhost:4000");
	check_expanded(m, "web", "{live.port} {ws.url} {api.url} {api.host}",
		       "7010 ws://localhost:7010 http://localhost:7010 localhost");
	check_expanded(m, "live", "{port} {url}", "7010 http://localhost:7010");
	check_expanded(m, "dns", "{url}", "udp://localhost:6353");
	check_expanded(m, "web", "{{\"a\": {port}}}", "{\"a\": 4000}");
	check_expanded(m, "web", "{nobody.port}", NULL);
	check_expanded(m, "web", "{", NULL);
	check_expanded(m, "web", "}", NULL);
	check_expanded(m, "web", "{web.prt}", NULL);
	manifest_free(m);
}

static void test_plan(void **state)
{
	struct ps_manifest *m = load(shop, NULL);
	uint64_t *foreign = calloc(PS_BITMAP_WORDS, sizeof(*foreign));
	struct ps_subject node = { "node", "node server.js", "/", 0 };
	const struct ps_service *s;
	struct ps_plan *plan;
	struct ps_rules rules;
	char directory[128];

	(void)state;
	bitmap_set(foreign, 4242);
	plan = manifest_compile(m, foreign);
	assert_true(plan_check(plan, plan->size));
	assert_int_equal(plan->service_count, 6);
	assert_int_equal(plan->flags, PS_PLAN_HEIRS | PS_PLAN_MATCH);
	assert_int_equal(plan->default_first, 4000);
	assert_true(bitmap_get(plan->foreign, 4242));
	assert_false(bitmap_get(plan->foreign, 4243));
	assert_true(bitmap_get(plan->avoid, 3000));
	assert_true(bitmap_get(plan->avoid, 4012));
	assert_true(bitmap_get(plan->avoid, 5432));
	assert_false(bitmap_get(plan->avoid, 3001));
	assert_true(plan_external(plan, 5432));
	assert_false(plan_external(plan, 3000));

	snprintf(directory, sizeof(directory), "%s/back/end", folder);
	node.directory = directory;
	assert_true(plan_needs_subject(plan, 4012));
	rules = plan_rules(plan, 4012, &node);
	s = rules.service;
	assert_int_equal(rules.service_index, 1);
	assert_string_equal(plan_string(plan, s->name), "api");
	assert_int_equal(rules.report, PS_REPORT_REQUESTED);
	assert_int_equal(rules.strategy, PS_CONSERVATIVE);
	assert_false(rules.os);
	assert_int_equal(s->range_first, 4020);
	assert_int_equal(plan_ports(plan, s)[0], 4010);
	assert_string_equal(plan_string(plan, s->match_directory), directory);
	s = plan_service(plan, 2); /* live -> ws -> api */
	assert_int_equal(s->inherits, 1);
	assert_string_equal(plan_string(plan, s->scheme), "");
	s = plan_service(plan, 3);
	assert_int_equal(s->inherits, 1);
	assert_string_equal(plan_string(plan, s->scheme), "ws");
	assert_int_equal(plan_service(plan, 4)->protocols, PS_UDP);
	free(plan);
	manifest_free(m);

	m = load("{\"version\": 1}", NULL);
	plan = manifest_compile(m, NULL);
	assert_true(plan_check(plan, plan->size));
	assert_int_equal(plan->size, sizeof(*plan));
	assert_int_equal(plan->default_first, 20000);
	assert_int_equal(plan->default_last, 29999);
	free(plan);
	manifest_free(m);
	free(foreign);
}

static const char pinned[] =
	"{ \"version\": 1, \"services\": {\n"
	"    \"web\": { \"port\": 3000, \"range\": \"3001-3009\" }, \"ws\": { \"inherit\": \"web\" },\n"
	"    \"api\": { \"port\": 4000, \"fallback\": true } },\n"
	"  \"profiles\": {\n"
	"    \"ci\": { \"when\": { \"PINNED\": \"true\" }, \"services\": { \"web\": { \"fallback\": false } } },\n"
	"    \"two\": { \"when\": { \"PINNED\": \"t*\", \"PINNED_TOO\": \"*\" }, \"offset\": 1 },\n"
	"    \"never\": { \"offset\": 2 } } }\n";

static void test_env_both(void **state)
{
	struct ps_manifest *m = load("{\"version\": 1, \"services\": {\"api\": {\"port\": 80, \"env\": "
				     "{\"PORT\": true, \"API_URL\": \"{url}\"}}}}", NULL);
	const struct ps_manifest_env *env = m->services[0].env;

	(void)state;
	assert_int_equal(m->services[0].env_count, 2);
	assert_true(env[0].own);
	assert_string_equal(env[0].name, "PORT");
	assert_string_equal(env[0].template, "{port}");
	assert_false(env[1].own);
	assert_string_equal(env[1].template, "{url}");
	manifest_free(m);
}

static void test_fallback(void **state)
{
	const char all[] = "{\"version\": 1, \"services\": {\"a\": {\"port\": 80, \"fallback\": true}, \"b\": {\"port\": 81}},"
			   " \"defaults\": {\"fallback\": false, \"yields\": true}}";
	struct ps_manifest *m = load(pinned, "ci");
	struct ps_plan *plan = manifest_compile(m, NULL);

	(void)state;
	assert_true(plan_check(plan, plan->size));
	assert_false(manifest_service(m, "web")->fallback);
	assert_false(manifest_service(m, "ws")->fallback);
	assert_true(manifest_service(m, "api")->fallback);
	assert_true(plan_rules(plan, 3000, NULL).fixed);
	assert_false(plan_rules(plan, 4000, NULL).fixed);
	assert_false(plan_rules(plan, 1234, NULL).fixed);
	free(plan);
	manifest_free(m);
	m = load(all, NULL);
	plan = manifest_compile(m, NULL);
	assert_false(plan_rules(plan, 80, NULL).fixed);
	assert_true(plan_rules(plan, 81, NULL).fixed);
	assert_true(plan_yields(plan, "a")); /* who may have no other port is not asked to give his away */
	assert_false(plan_yields(plan, "b") || plan_yields(plan, ""));
	assert_true(plan_rules(plan, 1234, NULL).fixed);
	free(plan);
	manifest_free(m);
}

/* The profile that the variables choose, "" for none. */
static void expect_chosen(const char *first, const char *second, const char *profile)
{
	struct ps_manifest *m;

	unsetenv("PINNED");
	unsetenv("PINNED_TOO");
	if (first)
		setenv("PINNED", first, 1);
	if (second)
		setenv("PINNED_TOO", second, 1);
	m = load(pinned, manifest_by_variables);
	assert_string_equal(m->profile ? m->profile : "", profile);
	manifest_free(m);
	m = load(pinned, NULL); /* who names none gets none */
	assert_null(m->profile);
	manifest_free(m);
	unsetenv("PINNED");
	unsetenv("PINNED_TOO");
}

static void test_when(void **state)
{
	(void)state;
	expect_chosen(NULL, NULL, "");
	expect_chosen("", "", "");
	expect_chosen("false", "x", "");
	expect_chosen("true", NULL, "ci");
	expect_chosen("true", "x", "ci"); /* the first one that fits */
	expect_chosen("tru", "x", "two");
	expect_chosen("tru", "", ""); /* an empty variable is none, even for `*` */
	expect_chosen("tru", NULL, "");
}

/* Services of other projects, when these are known: in the plan with where they are there, and nothing else changes. */
static void test_from(void **state)
{
	struct ps_manifest *m = load("{\"version\": 1, \"services\": {\"web\": {\"port\": 3000}, "
				     "\"login\": {\"port\": 4000, \"from\": \"auth/backend\"}, \"live\": {\"inherit\": \"login\"}}, "
				     "\"profiles\": {\"test\": {\"offset\": 10}}}", "test");
	struct ps_plan *plan = manifest_compile(m, NULL);
	struct ps_plan_from *from;

	(void)state;
	assert_true(plan_check(plan, plan->size));
	assert_int_equal(plan->from_count, 0);
	assert_false(plan->flags & PS_PLAN_FROM);
	free(plan);

	assert_string_equal(m->services[1].from, "auth/backend");
	m->services[1].sources = calloc(2, sizeof(*m->services[1].sources));
	assert_non_null(m->services[1].sources);
	m->services[1].source_count = 2;
	m->services[1].sources[0] = (struct ps_manifest_source){ .env = 0x80001234, .port = 4100 };
	m->services[1].sources[1] = (struct ps_manifest_source){ .env = 0x80005678, .port = 4101 };
	plan = manifest_compile(m, NULL);
	assert_true(plan_check(plan, plan->size));
	assert_int_equal(plan->from_count, 2);
	assert_true(plan->flags & PS_PLAN_FROM);
	from = (void *)((char *)plan + plan->from);
	assert_int_equal(from->port, 4000); /* no offset for another project's */
	assert_int_equal(from->requested, 4100);
	assert_int_equal(from->env, 0x80001234);
	assert_int_equal(from[1].requested, 4101);
	assert_int_equal(from[1].env, 0x80005678);
	assert_int_equal(plan_ports(plan, plan_service(plan, 1))[0], 4000);
	assert_int_equal(plan_ports(plan, plan_service(plan, 0))[0], 3010);
	assert_int_equal(plan_service(plan, 2)->inherits, 1);

	from->requested = 0;
	assert_false(plan_check(plan, plan->size));
	from->requested = 1;
	plan->from_count = UINT32_MAX;
	assert_false(plan_fits(plan, plan->size));
	plan->from_count = 1;
	plan->from = plan->size - 4;
	assert_false(plan_fits(plan, plan->size));
	plan->from = sizeof(*plan) + 2;
	assert_false(plan_fits(plan, plan->size));
	free(plan);
	manifest_free(m);
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* The same number of services must not cost more where each of them refers to others. Times are compared with each
 * other, with plenty of room: quadratic work would take hundreds of times as long. */
static void test_size(void **state)
{
	enum { COUNT = 10000 };
	char *text = malloc(COUNT * 200), *at;
	double plain, woven, start;
	struct ps_manifest *m;
	struct ps_plan *plan;

	(void)state;
	for (unsigned kind = 0; kind < 2; kind++) {
		at = stpcpy(text, "{\"version\": 1, \"services\": {\"root\": {\"port\": 65535}");
		for (unsigned i = 0; i < COUNT; i++) {
			at += sprintf(at, ",\n\"s%u\": {", i);
			if (kind == 1 && i % 2)
				at += sprintf(at, "\"inherit\": \"s%d\", \"conflicts\": [\"root\"]",
					      i == 1 ? 0 : (int)i - 2);
			else
				at += sprintf(at, "\"port\": %u", i + 1);
			if (kind == 1)
				at += sprintf(at, ", \"env\": {\"V%u\": \"{s%u.url}\"}", i, COUNT - 1 - i);
			at = stpcpy(at, "}");
		}
		strcpy(at, "}}");
		start = seconds();
		m = load(text, NULL);
		plan = manifest_compile(m, NULL);
		if (kind == 0)
			plain = seconds() - start;
		else
			woven = seconds() - start;
		assert_int_equal(m->service_count, COUNT + 1);
		assert_true(plan_check(plan, plan->size));
		assert_ptr_equal(manifest_service(m, "s9999"), &m->services[COUNT]);
		if (kind == 1)
			assert_ptr_equal(manifest_root(m, manifest_service(m, "s9999")), manifest_service(m, "s0"));
		free(plan);
		manifest_free(m);
	}
	if (woven > plain * 20 + 0.05)
		fail_msg("plain %.3f s, woven %.3f s", plain, woven);
	free(text);
}

static void test_big_file(void **state)
{
	size_t size = 10u << 20;
	char *text = malloc(size + 64);
	struct ps_manifest *m;

	(void)state;
	memset(text, ' ', size);
	memcpy(text, "/*", 2);
	memcpy(text + size - 2, "*/", 2);
	strcpy(text + size, "{\"version\": 1}");
	m = load(text, NULL);
	assert_int_equal(m->service_count, 0);
	manifest_free(m);
	free(text);
}

static void test_directory(void **state)
{
	char directory[PS_PATH_MAX], link[96];

	(void)state;
	assert_int_equal(manifest_directory(file, directory), 0);
	assert_string_equal(directory, folder);
	mkdir(config, 0700);
	write_bytes(config_file, "{\"version\": 1}", 14);
	assert_int_equal(manifest_directory(config_file, directory), 0);
	assert_string_equal(directory, folder);
	/* a symlink to a manifest elsewhere still means the directory that it lies in */
	snprintf(link, sizeof(link), "%s/link.json", folder);
	assert_int_equal(symlink(config_file, link), 0);
	assert_int_equal(manifest_directory(link, directory), 0);
	assert_string_equal(directory, folder);
	unlink(link);
	assert_true(manifest_directory("/nonexistent/x/ports.manifest.json", directory) < 0);
}

static void test_unreadable(void **state)
{
	struct ps_manifest *m = NULL;
	struct ps_diagnostics found = { 0 };
	struct ps_error error = { 0 };

	(void)state;
	assert_int_equal(manifest_load(&m, "/nonexistent/m.json", NULL, &found, &error), PS_EXIT_SYSTEM);
	assert_int_equal(found.count, 0);
	assert_non_null(strstr(error.text, "/nonexistent/m.json: No such file"));
	assert_int_equal(manifest_load(&m, folder, NULL, &found, &error), PS_EXIT_SYSTEM);
	assert_int_equal(found.count, 0);
	assert_non_null(strstr(error.text, "Is a directory"));
	assert_null(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syntax),	   cmocka_unit_test(test_comments),   cmocka_unit_test(test_deep),
		cmocka_unit_test(test_values),	   cmocka_unit_test(test_meaning),    cmocka_unit_test(test_many),
		cmocka_unit_test(test_result),	   cmocka_unit_test(test_profiles),   cmocka_unit_test(test_templates),
		cmocka_unit_test(test_plan),	   cmocka_unit_test(test_env_both),
		cmocka_unit_test(test_fallback),
		cmocka_unit_test(test_when),
		cmocka_unit_test(test_from),
		   cmocka_unit_test(test_size),	      cmocka_unit_test(test_big_file),
		cmocka_unit_test(test_directory),  cmocka_unit_test(test_unreadable),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
