/*
 * test_readers.c - each of the readers of `portshim init` on files as people write them, and on damaged ones: ports,
 * names, and where they stand.
 *
 * What is expected is a line for each service: "PORT NAME FILE:LINE:COLUMN[,...]", with "!" behind the name of an
 * external one, "/udp" behind its port, and "$VARIABLE" at the end where it has one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "init/init.h"

static char folder[] = "/tmp/portshim-init-XXXXXX";

static void put(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

static void describe(const struct ps_init *init, FILE *f)
{
	for (size_t i = 0; i < init->count; i++) {
		const struct ps_init_service *s = &init->services[i];

		fprintf(f, "%u%s %s%s", s->port, s->udp ? "/udp" : "", s->name, s->local ? "" : "!");
		for (size_t k = 0; k < s->place_count; k++)
			fprintf(f, "%s%s:%d:%d", k ? "," : " ", s->places[k].file, s->places[k].line,
				s->places[k].column);
		fprintf(f, "%s%s\n", s->variable[0] ? " $" : "", s->variable);
	}
}

/* What a reader makes of one file. `left_out`: it says that the file, or part of it, cannot be read. */
static void reads(void (*reader)(struct ps_init *), const char *file, const char *text, const char *wanted,
		  size_t left_out)
{
	struct ps_init init = { .directory = folder, .quiet = true };
	char *found = NULL;
	size_t size;
	FILE *f = open_memstream(&found, &size);

	assert_non_null(f);
	put(file, text);
	reader(&init);
	init_finish(&init);
	describe(&init, f);
	fclose(f);
	assert_false(init.failed);
	if (strcmp(found, wanted) != 0 || init.left_out != left_out)
		fail_msg("%s: %s\nis\n%sand not\n%s(%zu left out, not %zu)", file, text, found, wanted, init.left_out,
			 left_out);
	free(found);
	init_free(&init);
	unlink(file);
}

static void test_packages(void **state)
{
	(void)state;
	reads(init_packages, "package.json", "{\n  \"scripts\": {\n    \"dev\": \"next dev\"\n  }\n}\n",
	      "3000 web package.json:3:12 $PORT\n", 0);
	reads(init_packages, "package.json", "{\"scripts\":{\"dev\":\"vite --port 4000\",\"build\":\"vite build -p 9\"}}",
	      "4000 web package.json:1:19\n", 0);
	reads(init_packages, "package.json", "{\"scripts\":{\"start\":\"node x\"},\n\"dependencies\":{\"vite\":\"5\"}}",
	      "5173 web package.json:2:24\n", 0);
	reads(init_packages, "apps/front/package.json", "{\"scripts\":{\"dev\":\"vite\",\"start:api\":\"nest start\"}}",
	      "3000 front-3000 apps/front/package.json:1:38 $PORT\n5173 front apps/front/package.json:1:19\n", 0);
	reads(init_packages, "package.json", "{\"scripts\":[],\"dependencies\":7}", "", 0);
	reads(init_packages, "package.json", "[1]", "", 0);
	reads(init_packages, "package.json", "{\"scripts\":{\"dev\":1}", "", 1);
	reads(init_packages, "package.json", "", "", 1);
	reads(init_packages, "package.json", "{\"scripts\":{\"dev\":\"x --port 0 & y --port 65536 & z --port=-1\"}}", "",
	      0);
	reads(init_packages, "package.json", "{\"scripts\":{\"dev\":\"A\\\\B_PORT=3000 x\"}}",
	      "3000 web package.json:1:19\n", 0);
}

static void test_editors(void **state)
{
	(void)state;
	reads(init_editors, ".devcontainer.json",
	      "{ // ours\n  \"forwardPorts\": [3600, \"db:5432\",],\n  \"portsAttributes\": { \"3600\": { \"label\": \"The Shop\", "
	      "\"protocol\": \"https\" } } }",
	      "3600 the-shop .devcontainer.json:2:20\n5432 db! .devcontainer.json:2:26\n", 0);
	reads(init_editors, ".devcontainer.json", "{\"forwardPorts\":[0,65536,-1,1.5e9,\"x\",\"a:b\",\":\",null,{}]}", "", 0);
	reads(init_editors, ".devcontainer.json", "{\"forwardPorts\":{\"a\":3000},\"portsAttributes\":[]}",
	      "3000 web .devcontainer.json:1:22\n", 0);
	reads(init_editors, ".devcontainer.json", "{\"forwardPorts\":[", "", 1);
	reads(init_editors, ".vscode/launch.json",
	      "{\"configurations\":[{\"name\":\"S\",\"port\":9229,\"env\":{\"PORT\":\"4001\",\"X\":\"1\"}},\n"
	      "{\"url\":\"http://localhost:4002/x\"},{\"url\":\"http://example.org:4003\"},7]}",
	      "4001 s .vscode/launch.json:1:58\n4002 port-4002 .vscode/launch.json:2:8\n", 0);
}

static void test_compose(void **state)
{
	(void)state;
	reads(init_compose, "compose.yaml",
	      "services:\n  web:\n    ports:\n      - \"8080:80\"\n      - target: 53\n        published: 5300\n"
	      "        protocol: udp\n",
	      "5300/udp web-5300! compose.yaml:6:20\n8080 web! compose.yaml:4:9\n", 0);
	reads(init_compose, "compose.yml", "services: {a: {ports: ['[::1]:81:1', '127.0.0.1:82-83:2-3/tcp']}}",
	      "81 a! compose.yml:1:24\n82 a-82! compose.yml:1:38\n83 a-83! compose.yml:1:38\n", 0);
	reads(init_compose, "compose.yml", "services: {a: {ports: ['${P:-90}:1', '${P}:1', '$P:1', '1', 2, '3:4:5:6']}}",
	      "90 a! compose.yml:1:24\n", 0);
	reads(init_compose, "compose.yml", "x: &x {ports: ['70:1']}\nservices: {a: {<<: [{}, *x]}, b: {<<: *x}}",
	      "70 a! compose.yml:1:16,compose.yml:1:16\n", 0);
	/* Merged from itself, a hundred times: it ends, and the others are found. */
	reads(init_compose, "compose.yml",
	      "services:\n  x: &x {<<: [*x,*x,*x,*x,*x,*x,*x,*x,*x,*x,*x,*x,*x,*x,*x,*x,*x,*x,*x,*x,*x,*x,*x,*x,*x,*x,*x]}\n"
	      "  web: {ports: ['8080:80']}\n",
	      "8080 web! compose.yml:3:17\n", 0);
	reads(init_compose, "compose.yml", "services: [\n", "", 1);
	reads(init_compose, "compose.yml", "services:\n  - 1\n", "", 0);
	reads(init_compose, "compose.yml", "services: {a: {ports: {b: 1}}, c: 1, ? [d] : {ports: ['1:1']}}", "", 0);
	reads(init_compose, "compose.yml", "", "", 0);
}

static void test_procfile(void **state)
{
	(void)state;
	reads(init_procfile, "Procfile", "# ours\nweb: rails server -p 3400\nworker: sidekiq\nlive: node x $PORT\n",
	      "3400 web Procfile:2:1 $PORT\n5200 live Procfile:4:1 $PORT\n", 0);
	reads(init_procfile, "Procfile.dev", "web: server --port 8123", "8123 web Procfile.dev:1:1\n", 0);
	reads(init_procfile, "Procfile", ":\nweb\n web: x -p 1\n\xff: x -p 1\n", "", 0);
}

static void test_dotenv(void **state)
{
	(void)state;
	reads(init_dotenv, ".env", "PORT=3500 # x\nexport API_PORT='3501'\r\nREPORT=9\n",
	      "3500 web .env:1:1 $PORT\n3501 api .env:2:8 $API_PORT\n", 0);
	reads(init_dotenv, ".env", "DATABASE_URL=postgres://me:secret@localhost:5434/shop\nFAR_URL=http://example.org:1/\n",
	      "5434 database! .env:1:1\n", 0);
	reads(init_dotenv, ".env", "A_PORT=\nB_PORT=x\nC_PORT=70000\nD_PORT=-1\nE_PORT=1x\n=3\nF_PORT\n", "", 0);
	reads(init_dotenv, ".env.local", "LD_PORT=1\nPORTSHIM_PORT=2\n1_PORT=3\n", "", 0);
	reads(init_dotenv, ".env", "A_URL=http://localhost:99999/\nB_URL=x://localhost:\nC_URL=://localhost:1\n", "", 0);
}

static void test_urls(void **state)
{
	static const struct {
		const char *url;
		unsigned port;
		const char *scheme;
	} rows[] = {
		{ "http://localhost:80", 80, "http" },	      { "ws://127.0.0.1:81/x?y", 81, "ws" },
		{ "a+b.c-d://[::1]:82#", 82, "a+b.c-d" },     { "http://u:p@localhost:83/", 83, "http" },
		{ "http://u@v:p@localhost:84", 84, "http" },  { "http://localhost", 0, "" },
		{ "http://localhost:", 0, "" },		      { "http://localhost:-1", 0, "" },
		{ "http://localhost:65536", 0, "" },	      { "http://localhost.example:80", 0, "" },
		{ "://localhost:80", 0, "" },		      { "HTTP://localhost:80", 0, "" },
		{ "abcdefghijklmn://localhost:80", 0, "" },   { "http://localhost:99999999999999999999", 0, "" },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char scheme[14] = "";

		assert_int_equal(init_url(rows[i].url, scheme), rows[i].port);
		if (rows[i].port)
			assert_string_equal(scheme, rows[i].scheme);
	}
}

static int begin(void **state)
{
	(void)state;
	if (!mkdtemp(folder) || chdir(folder))
		return -1;
	return mkdir("apps", 0755) || mkdir("apps/front", 0755) || mkdir(".vscode", 0755) ? -1 : 0;
}

static int end(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "cd / && rm -rf %s", folder);
	return system(command) ? -1 : 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packages), cmocka_unit_test(test_editors), cmocka_unit_test(test_compose),
		cmocka_unit_test(test_procfile), cmocka_unit_test(test_dotenv),	 cmocka_unit_test(test_urls),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
