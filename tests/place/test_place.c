/*
 * test_place.c - where a port stands: in every format, as a number, in a URL, on one side; and what is refused, in
 * words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/place/place_file.h"

struct test {
	const char *text;  /* the bytes that are to be found stand between < and >, which are taken out */
	const char *where; /* NULL: the file itself is refused */
	const char *code;  /* of the fault at the place marked so, or NULL */
	const char *words; /* in the fault's text or hint */
};

/* Takes the marks out. */
static char *without_marks(const char *marked, size_t *start, size_t *length)
{
	char *text = strdup(marked), *open, *close;

	assert_non_null(text);
	*start = *length = SIZE_MAX;
	open = strchr(text, '<');
	close = strrchr(text, '>');
	if (!open || !close || open > close)
		return text;
	*start = (size_t)(open - text);
	*length = (size_t)(close - open) - 1;
	memmove(close, close + 1, strlen(close));
	memmove(open, open + 1, strlen(open));
	return text;
}

static void run_one(enum ps_place_format format, const struct test *t)
{
	size_t start, length;
	char *text = without_marks(t->text, &start, &length);
	struct ps_place_fault fault = { 0 };
	struct ps_spot place = { 0 };
	struct ps_place_file *file = place_file_read(format, text, strlen(text), &fault);
	bool found = file && place_file_find(file, t->where, &place, &fault);

	if (found != !t->code)
		fail_msg("%s: %s: %s", t->text, t->where, found ? "was found" : fault.text);
	if (found && (place.offset != start || place.length != length))
		fail_msg("%s: %s: found %zu bytes at %zu", t->text, t->where, place.length, place.offset);
	if (!found && (strcmp(fault.code, t->code) != 0 || (start != SIZE_MAX && fault.offset != start)))
		fail_msg("%s: %s: fault %s at %zu: %s", t->text, t->where, fault.code, fault.offset, fault.text);
	if (!found && t->words && !strstr(fault.text, t->words) && !strstr(fault.hint, t->words))
		fail_msg("%s: %s: fault [%s] [%s]", t->text, t->where, fault.text, fault.hint);
	place_file_free(file);
	free(text);
}

#define RUN(format, tests)                                                                                             \
	do {                                                                                                           \
		for (size_t i_ = 0; i_ < sizeof(tests) / sizeof((tests)[0]); i_++)                                     \
			run_one(format, &(tests)[i_]);                                                                 \
	} while (0)

/* The marks are < and >, so these come without. */
static void test_values(void **state)
{
	static const struct test tests[] = {
		{ "P=<9000>", "P", NULL, NULL },
		{ "P=<0>", "P", NULL, NULL },
		{ "P=\"<70000>\"", "P", NULL, NULL },
		{ "P=${PORT:-<9000>}", "P", NULL, NULL },
		{ "P=${PORT-<9000>}", "P", NULL, NULL },
		{ "P=http://courier:<9765>", "P", NULL, NULL },
		{ "P=http://courier:<9765>/a:1?b=c:2#d:3", "P", NULL, NULL },
		{ "P=http://user:pass@courier:<9765>/", "P", NULL, NULL },
		{ "P=http://user:80@[::1]:<9765>/", "P", NULL, NULL },
		{ "P=http://[fe80::1%25eth0]:<9765>", "P", NULL, NULL },
		{ "P=http://1.2.3.4:${X:-<9765>}/", "P", NULL, NULL },
		{ "P=http://${HOST:-localhost}:<9765>/", "P", NULL, NULL },
		{ "P=jdbc:postgresql://db:<5432>/app", "P", NULL, NULL },
		{ "P=jdbc:sqlserver://db:<1433>;databaseName=app", "P", NULL, NULL },
		{ "P=--api=http://courier:<9765>", "P", NULL, NULL },
		{ "P=localhost:<9000>", "P", NULL, NULL },
		{ "P=:<9000>", "P", NULL, NULL },
		{ "P=0.0.0.0:<9000>", "P", NULL, NULL },
		{ "P=[::]:<9000>", "P", NULL, NULL },
		{ "P=localhost:<9000>/v1", "P", NULL, NULL },
		{ "P=<9000>/tcp", "P", NULL, NULL },
		{ "P=<9000>:80", "P", NULL, NULL },
		{ "P=<9000>:80", "P.published", NULL, NULL },
		{ "P=9000:<80>", "P.target", NULL, NULL },
		{ "P=127.0.0.1:<9000>:80/tcp", "P", NULL, NULL },
		{ "P=127.0.0.1:9000:<80>/tcp", "P.target", NULL, NULL },
		{ "P=${A:-<9000>}:${B:-80}", "P", NULL, NULL },
		{ "P=http://<courier/", "P", "no-port", "no port" },
		{ "P=https://<>courier", "P", "no-port", "that of `https`" },
		{ "P=http://<>courier:/", "P", "no-port", NULL },
		{ "P=http://<>[::1]/", "P", "no-port", "no port" },
		{ "P=http://<>::1:9000/", "P", "no-port", "brackets" },
		{ "P=http://courier:<>x1/", "P", "no-port", "`x1`" },
		{ "P=http://courier:<>${PORT}/", "P", "variable", "${PORT}" },
		{ "P=http://<>a:1,b:2/", "P", "several-ports", "hosts" },
		{ "P=http<>://a:1,http://b:2", "P", "several-ports", "URLs" },
		{ "P=<>$PORT", "P", "variable", "default" },
		{ "P=<>${PORT:-}", "P", "variable", NULL },
		{ "P=<>9000-9010", "P", "port-range", "range" },
		{ "P=<>9000-9010:80-90", "P", "port-range", "range" },
		{ "P=<>", "P", "no-port", "no value" },
		{ "P=<>auto", "P", "no-port", "auto" },
		{ "P=<>0x2328", "P", "no-port", NULL },
		{ "P=<>9_000", "P", "no-port", NULL },
		{ "P=<>9000.5", "P", "no-port", NULL },
		{ "P=<>-1", "P", "no-port", NULL },
		{ "P=<>12:30:45", "P", "no-port", NULL },
		{ "P=<>::1:8080", "P", "no-port", NULL },
		{ "P=<>99999999999", "P", "no-port", NULL },
		{ "P=<>a:b:c:d:e:f:g:h:i:j:k:l:m:n:o:p:q", "P", "no-port", "colons" },
	};

	(void)state;
	RUN(PS_PLACE_DOTENV, tests);
}

static void test_yaml(void **state)
{
	static const struct test tests[] = {
		{ "server:\n  port: <9000> # c\n  host: x\n", "server.port", NULL, NULL },
		{ "server: {host: x, port: <9000>}", "server.port", NULL, NULL },
		{ "server:\r\n  port: <9000>\r\n", "server.port", NULL, NULL },
		{ "\xef\xbb\xbfport: <9000>", "port", NULL, NULL },
		{ "# \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\n\xc3\xa4: 1\np: '<9000>'\n", "p", NULL, NULL },
		{ "url: \"http://courier:<9765>/\"\n", "url", NULL, NULL },
		{ "url: \"a\\tb http:\\/\\/courier:<9765>/\"\n", "url", NULL, NULL },
		{ "url: 'it''s http://courier:<9765>/'\n", "url", NULL, NULL },
		{ "p: &web <9000>\nq: *web\n", "p", NULL, NULL },
		{ "p: !!int <9000>\n", "p", NULL, NULL },
		{ "p: &web !!str # why\n  '<9000>'\n", "p", NULL, NULL },
		{ "a: &x\n  port: <9000>\nb: *x\n", "a.port", NULL, NULL },
		{ "l:\n- a\n- <9000>\n", "l[1]", NULL, NULL },
		{ "- port: <9000>\n", "[0].port", NULL, NULL },
		{ "env:\n- name: A\n  value: 1\n- {name: PORT, value: \"<9000>\"}\n", "env[name=PORT].value", NULL,
		  NULL },
		{ "a.b: {'c[0]': <9000>, \"it's\": 1}\n", "['a.b']['c[0]']", NULL, NULL },
		{ "it's: <9000>\n", "['it''s']", NULL, NULL },
		{ "kind: A\n---\nkind: B\nport: <9000>\n...\n", "port", NULL, NULL },
		{ "? [a, b]\n: {port: 1}\nport: <9000>\n", "port", NULL, NULL },
		{ "m: <9000>:80\n", "m.published", NULL, NULL },
		{ "m: \"9000:<80>\"\n", "m.target", NULL, NULL },
		{ "<>server:\n  prot: 9000\n", "port", "no-place", NULL },
		{ "server:\n  <>prot: 9000\n", "server.port", "no-place", "did you mean `prot`" },
		{ "server:\n  <>prot: 9000\n", "server.port", "no-place", "ends at `server`" },
		{ "server: <>9000\n", "server.port", "no-place", "a value" },
		{ "l:\n<>- 1\n", "l[1]", "no-place", "1 entries" },
		{ "l:\n<>- 1\n", "l.port", "no-place", "a list" },
		{ "d: &d {port: 1}\ns:\n  <><<: *d\n", "s.port", "no-place", "merged" },
		{ "port: 1\nport: <>2\n", "port", "two-places", "line 1" },
		{ "port: 1\n---\nport: <>2\n", "port", "two-places", "line 1" },
		{ "a: {port: 1}\na: {port: <>2}\n", "a.port", "two-places", "line 1" },
		{ "p: &web 9000\nq: <>*web\n", "q", "alias", "&web" },
		{ "p: &web {port: 9000}\nq: <>*web\n", "q.port", "alias", "&web" },
		{ "port: <>{a: 1}\n", "port", "no-scalar", "a map" },
		{ "port: <>[9000]\n", "port", "no-scalar", "[0]" },
		{ "run: <>|\n  serve 9000\n", "run", "no-scalar", "block" },
		{ "p: \"<>\\x39000\"\n", "p", "no-port", NULL },
		{ "port:<>\n", "port", "no-port", "no value" },
		{ "", "port", "no-place", "empty" },
		{ "# nothing\n", "port", "no-place", "empty" },
		{ "a: 1\n<>\tb: 2\n", NULL, "syntax", "tabs" },
		{ "a: [1\nb<>: 2\n", NULL, "syntax", "YAML" },
		{ "a: <>\xff\n", NULL, "syntax", "UTF-8" },
		{ "a: <>\x01\n", NULL, "syntax", "byte 0x01" },
		{ "\xff\xfe"
		  "a",
		  NULL, "syntax", "UTF-16" },
		{ "a: *nobody\nport: <9000>\n", "port", NULL, NULL },
	};

	(void)state;
	RUN(PS_PLACE_YAML, tests);
}

static void test_compose(void **state)
{
	static const struct test tests[] = {
		{ "services:\n  web:\n    ports:\n      - \"<9000>:9000\"\n", "services.web.ports[0]", NULL, NULL },
		{ "services:\n  web:\n    ports:\n      - \"9000:<9000>\"\n", "services.web.ports[0].target", NULL,
		  NULL },
		{ "services: {web: {ports: [\"127.0.0.1:<9000>:9000/tcp\"]}}", "services.web.ports[0].published", NULL,
		  NULL },
		{ "services: {web: {ports: [\"127.0.0.1:9000:<9000>/tcp\"]}}", "services.web.ports[0].target", NULL,
		  NULL },
		{ "services: {web: {ports: [\"[::1]:<9000>:9000\"]}}", "services.web.ports[0]", NULL, NULL },
		{ "services: {web: {ports: [\"::1:<9000>:9000\"]}}", "services.web.ports[0]", NULL, NULL },
		{ "services: {web: {ports: [<9000>:9000]}}", "services.web.ports[0]", NULL, NULL },
		{ "services: {web: {ports: [\"<9000>\"]}}", "services.web.ports[0].target", NULL, NULL },
		{ "services: {web: {ports: [\"${WEB_PORT:-<9000>}:80\"]}}", "services.web.ports[0]", NULL, NULL },
		{ "services:\n  web:\n    ports:\n      - target: 80\n        published: \"<9000>\"\n",
		  "services.web.ports[0]", NULL, NULL },
		{ "services:\n  web:\n    ports:\n      - target: <80>\n        published: 9000\n",
		  "services.web.ports[0].target", NULL, NULL },
		{ "services:\n  web:\n    ports:\n      - {target: 80, published: <9000>}\n",
		  "services.web.ports[target=80].published", NULL, NULL },
		{ "services: {web: {environment: [\"PORT=1\"], expose: [\"<9000>\"]}}", "services.web.expose[0]", NULL,
		  NULL },
		{ "services: {web: {ports: [\"<>3000-3005:3000-3005\"]}}", "services.web.ports[0]", "port-range",
		  "range" },
		{ "services: {web: {ports: [\"<>3000-3005\"]}}", "services.web.ports[0].target", "port-range",
		  "range" },
		{ "services: {web: {ports: [{published: <>3000-3005, target: 80}]}}", "services.web.ports[0]",
		  "port-range", "entry of its own" },
		{ "services: {web: {ports: [\"<>9000\"]}}", "services.web.ports[0]", "no-port", "only the target" },
		{ "services: {web: {ports: [<>9000/udp]}}", "services.web.ports[0]", "no-port", "only the target" },
		{ "services: {web: {ports: [\"127.0.0.1:<>:80\"]}}", "services.web.ports[0]", "no-port",
		  "published side" },
		{ "services: {web: {ports: [\"<>127.0.0.1:80\"]}}", "services.web.ports[0]", "no-port", "127.0.0.1" },
		{ "services: {web: {ports: [<>{target: 80}]}}", "services.web.ports[0]", "no-place", NULL },
		{ "services: {web: {ports: <>[\"1:1\", \"2:2\"]}}", "services.web.ports", "no-scalar", "list" },
	};

	(void)state;
	RUN(PS_PLACE_COMPOSE, tests);
}

static void test_json(void **state)
{
	static const struct test tests[] = {
		{ "{\"a\": {\"port\": <9000>}}", "a.port", NULL, NULL },
		{ "{\n\t// port\n\t\"port\": /* here */ <9000>, // c\n}\n", "port", NULL, NULL },
		{ "[{\"name\": \"Web\", \"url\": \"http:\\/\\/localhost:<3000>\\/\"},]", "[name=Web].url", NULL, NULL },
		{ "{\"port\": \"<9000>\", \"b\": [1, 2]}", "port", NULL, NULL },
		{ "\xef\xbb\xbf{\"port\":<9000>}", "port", NULL, NULL },
		{ "{\"\\u0041\": 1, \"a\\\"b\": <9000>}", "a\"b", NULL, NULL },
		{ "{\"port\": <>9e3}", "port", "no-port", NULL },
		{ "{\"port\": <>null}", "port", "no-port", NULL },
		{ "{\"port\": 1, \"port\": <>2}", "port", "two-places", NULL },
		{ "<>{\"a\": 1}", "port", "no-place", NULL },
		{ "{\"a\": 1<>", NULL, "syntax", "JSON" },
		{ "{\"a\": <>01}", NULL, "syntax", NULL },
		{ "{'a': 1}", NULL, "syntax", "quotes" },
		{ "", NULL, "syntax", "nothing" },
		{ "{\"a\": \"<>\xff\"}", NULL, "syntax", "UTF-8" },
	};

	(void)state;
	RUN(PS_PLACE_JSON, tests);
}

static void test_toml(void **state)
{
	static const struct test tests[] = {
		{ "port = <9000> # c\n", "port", NULL, NULL },
		{ "[server]\r\nport = <9000>\r\n", "server.port", NULL, NULL },
		{ "[a.b]\nx = 1\n[a.c]\nport = <9000>\n[a]\ny = 2", "a.c.port", NULL, NULL },
		{ "a.b.port = <9000>\na.b.c = 1\n", "a.b.port", NULL, NULL },
		{ "[[s]]\nname = 'a'\nport = 1\n[[s]]\nname = \"b\"\n[s.net]\nport = <2>\n", "s[name=b].net.port", NULL,
		  NULL },
		{ "[[s]]\n[[s.t]]\np = 1\n[[s]]\n[[s.t]]\np = 2\n[[s.t]]\np = <3>\n", "s[1].t[1].p", NULL, NULL },
		{ "a = { port = <9000>, l = [ 1,\n 2, # two\n ] }\n", "a.port", NULL, NULL },
		{ "l = [ [1, 2], [ <3> ] ]\n", "l[1][0]", NULL, NULL },
		{ "\"a.b\" = 'http://x:<80>/'\n", "['a.b']", NULL, NULL },
		{ "s = \"\"\"\nport = 1\n\"\"\"\"\"\nport = <2>\n", "port", NULL, NULL },
		{ "s = '''it's ''x'''\nd = 1979-05-27 07:32:00 # c\nport=<2>", "port", NULL, NULL },
		{ "port = <>9_000\n", "port", "no-port", NULL },
		{ "[a]\nport = 1\n[a]\nport = <>2\n", "a.port", "two-places", NULL },
		{ "[a]\n[a]\n", "a", "no-scalar", "a map" },
		{ "s = \"\"\"<>9000\"\"\"\n", "s", "no-scalar", "block" },
		{ "port <>9000\n", NULL, "syntax", "`=`" },
		{ "a = <>\"x\nb = 1\n", NULL, "syntax", "no end" },
		{ "a = [1\n<>", NULL, "syntax", NULL },
		{ "[a<>\n", NULL, "syntax", "`]`" },
		{ "[a<>\x01", NULL, "syntax", "byte 0x01" },
		{ "a = <>1 \"b\"\n", "a", "no-port", NULL },
	};

	(void)state;
	RUN(PS_PLACE_TOML, tests);
}

static void test_dotenv(void **state)
{
	static const struct test tests[] = {
		{ "# c\nexport A=1\n  PORT = <9000> # c\n", "PORT", NULL, NULL },
		{ "A='\nPORT=1\n'\nPORT=\"<9000>\"\r\n", "PORT", NULL, NULL },
		{ "server.port=<9000>", "server.port", NULL, NULL },
		{ "A.target=<9000>", "A.target", NULL, NULL },
		{ "export PORT=`<9000>`", "PORT", NULL, NULL },
		{ "A=x\\\n\xff\nPORT=<9000>", "PORT", NULL, NULL },
		{ "PORT=<9000>\r\n", "PORT", NULL, NULL },
		{ "PORT=1\nPORT=<>2", "PORT", "two-places", NULL },
		{ "<>PROT=1\n#PORT=2\nPORT", "PORT", "no-place", "PROT" },
		{ "<>", "PORT", "no-place", NULL },
	};

	(void)state;
	RUN(PS_PLACE_DOTENV, tests);
}

static void test_text(void **state)
{
	static const struct test tests[] = {
		{ "a\n  listen <8080>;\nb\n", "^ *listen ([0-9]+);$", NULL, NULL },
		{ "listen <8080>;\r\n", "listen ([0-9]+);$", NULL, NULL },
		{ "server a:<1>; # \xff\n", "a:([0-9]+)", NULL, NULL },
		{ "listen 1;\n<>listen 2;\n", "listen ([0-9]+)", "two-places", "line 1" },
		{ "a:1 <>a:2\n", "a:([0-9]+)", "two-places", "line 1" },
		{ "a:<1> b\n", "^a:([0-9]+)", NULL, NULL },
		{ "listen <>x;\n", "listen (.*);", "no-port", NULL },
		{ "listen <>x;\n", "listen ([a-z]+);", "no-port", "`x`" },
		{ "<>", "listen ([0-9]+)", "no-place", NULL },
		{ "<>listen\n", "listen( [0-9]+)?", "no-port", "group" },
		{ "listen <>;\n", "listen ([0-9]*);", "no-port", "empty" },
		{ "listen 3<>000;\n", "listen 3([0-9]+);", "no-port", "a part" },
		{ "listen <>3000;\n", "listen ([0-9])", "no-port", "a part" },
	};

	(void)state;
	RUN(PS_PLACE_TEXT, tests);
}

static void test_check(void **state)
{
	static const char *const good[] = { "a", "a.b", "a[0]", "[0]", "a['x.y'].b", "a[b=c]", "a[b=]", "a-b.c_d" };
	static const char *const bad[] = { "",   ".",    "a.",    ".a",   "a..b",  "a[",    "a[]",
					   "a]", "a[x]", "a['']", "a['b", "a[0]b", "a[=c]", "a[9999999]" };
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (place_file_check(PS_PLACE_YAML, good[i], text))
			fail_msg("%s is refused", good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (!place_file_check(PS_PLACE_YAML, bad[i], text))
			fail_msg("%s is not refused", bad[i]);
	}
	assert_null(place_file_check(PS_PLACE_TEXT, "a([0-9]+)", text));
	assert_non_null(place_file_check(PS_PLACE_TEXT, "a[0-9]+", text));
	assert_non_null(place_file_check(PS_PLACE_TEXT, "a([0-9+", text));
	assert_null(place_file_check(PS_PLACE_TEXT, "a([0-9]{1,5}) \\{9999", text));
	assert_non_null(place_file_check(PS_PLACE_TEXT, "(((a{200}){200}){200}[0-9])", text));
	assert_non_null(place_file_check(PS_PLACE_TEXT, "(((a{,200}){1,200}){200,}[0-9])", text));
	assert_non_null(place_file_check(PS_PLACE_TEXT, "(a)+++++++++++++++++++++++++++++", text));
	assert_non_null(place_file_check(PS_PLACE_TEXT, "(a){99999999999999999999999}", text));
	assert_non_null(place_file_check(PS_PLACE_TEXT, "(a)([0-9]+)\\1", text));
	assert_null(place_file_check(PS_PLACE_DOTENV, "a..b", text));
}

static void test_format(void **state)
{
	static const struct {
		const char *name;
		int format;
	} tests[] = {
		{ "a/docker-compose.yml", PS_PLACE_COMPOSE },
		{ "docker-compose.{profile}.yaml", PS_PLACE_COMPOSE },
		{ "compose.override.yaml", PS_PLACE_COMPOSE },
		{ "config/{profile}.yaml", PS_PLACE_YAML },
		{ "a.yml", PS_PLACE_YAML },
		{ ".vscode/launch.json", PS_PLACE_JSON },
		{ "Cargo.toml", PS_PLACE_TOML },
		{ ".env", PS_PLACE_DOTENV },
		{ ".env.{profile}", PS_PLACE_DOTENV },
		{ "prod.env", PS_PLACE_DOTENV },
		{ "application.properties", PS_PLACE_DOTENV },
		{ "nginx.conf", -1 },
		{ ".env/x", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		enum ps_place_format format;
		bool known = place_file_format(tests[i].name, &format);

		if (known != (tests[i].format >= 0) || (known && (int)format != tests[i].format))
			fail_msg("%s", tests[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values), cmocka_unit_test(test_yaml),  cmocka_unit_test(test_compose),
		cmocka_unit_test(test_json),   cmocka_unit_test(test_toml),  cmocka_unit_test(test_dotenv),
		cmocka_unit_test(test_text),   cmocka_unit_test(test_check), cmocka_unit_test(test_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
