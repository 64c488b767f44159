/*
 * test_idiom.c - what becomes of a port, language by language: small texts, before and after.
 *
 * In a row, the variable of every port is WEB_PORT; if the row has a `url`, it is WEB_URL for strings that begin with
 * it. A row without `after` says why nothing is changed. Each result is rewritten a second time: nothing may change.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/fix/idiom.h"

struct row {
	const char *path, *before, *after;
	enum ps_fix_reason reason; /* of the last port */
	const char *url;
};

/* The text with all that is certain rewritten; *reason is that of the last port. */
static char *rewrite(const struct row *row, const char *text, enum ps_fix_reason *reason)
{
	enum ps_language language = scan_language(row->path, text, strlen(text));
	struct ps_scan scan = { 0 };
	struct ps_fixing f;
	char *result;
	size_t size;

	*reason = PS_FIX_COUNT;
	scan_text(&scan, language, text, strlen(text));
	assert_int_equal(fix_start(&f, language, row->path, text, strlen(text), scan.list, scan.count), 0);
	for (size_t i = 0; i < scan.count; i++) {
		struct ps_fix_variable v = { .name = "WEB_PORT" };
		const struct ps_token *t = language == PS_LANG_SHELL
						   ? NULL
						   : code_token(&f.code, code_at(&f.code, scan.list[i].offset));

		if (row->url && t && t->kind == PS_TOKEN_STRING &&
		    strncmp(text + t->inner, row->url, strlen(row->url)) == 0)
			v = (struct ps_fix_variable){ .name = "WEB_URL", .url = (uint32_t)strlen(row->url) };
		*reason = fix_use(&f, &scan.list[i], &v);
	}
	fix_finish(&f);
	if (f.refused)
		*reason = f.refused;
	assert_false(f.splices.failed);
	if (f.refused)
		while (f.splices.count)
			free(f.splices.list[--f.splices.count].text);
	result = fix_result(&f, &size);
	assert_non_null(result);
	fix_end(&f);
	scan_free(&scan);
	return result;
}

static void check(const struct row *rows, size_t count)
{
	int failed = 0;

	for (size_t i = 0; i < count; i++) {
		const struct row *row = &rows[i];
		const char *wanted = row->after ? row->after : row->before;
		enum ps_fix_reason reason, second;
		char *result = rewrite(row, row->before, &reason), *again = rewrite(row, result, &second);

		if (strcmp(result, wanted) != 0 || reason != row->reason) {
			print_error("%s:\n%s\nbecomes (%s)\n%s\nand not (%s)\n%s\n", row->path, row->before,
				    reason < PS_FIX_COUNT ? fix_reason_name(reason) : "no port", result,
				    row->reason < PS_FIX_COUNT ? fix_reason_name(row->reason) : "no port", wanted);
			failed++;
		}
		if (strcmp(again, result) != 0) {
			print_error("%s: a second time:\n%s\nbecomes\n%s\n", row->path, result, again);
			failed++;
		}
		free(result);
		free(again);
	}
	assert_int_equal(failed, 0);
}

#define CHECK(rows) check(rows, sizeof(rows) / sizeof((rows)[0]))

/* ---- JavaScript and TypeScript ---- */

#define J(text) "const http = require('http');\n" text
#define T(text) "import http from 'node:http';\n" text

static void javascript(void **state)
{
	static const struct row rows[] = {
		{ "a.js", J("s.listen(3000);\n"), J("s.listen(Number(process.env.WEB_PORT || 3000));\n"), 0, 0 },
		{ "a.js", J("s.listen(3_000)"), J("s.listen(Number(process.env.WEB_PORT || 3000))"), 0, 0 },
		{ "a.js", J("const port = 3000\nf()\n"), J("const port = Number(process.env.WEB_PORT || 3000)\nf()\n"), 0, 0 },
		{ "a.js", J("const o = { port: 3000, a: 1 };\n"),
		  J("const o = { port: Number(process.env.WEB_PORT || 3000), a: 1 };\n"), 0, 0 },
		{ "a.js", J("app.set('port', 3000);\n"), NULL, PS_FIX_LIKELY, 0 },
		{ "a.js", J("const o = { port: '3000' };\n"), J("const o = { port: process.env.WEB_PORT || '3000' };\n"), 0, 0 },
		{ "a.js", J("get('http://localhost:3000/x');\n"),
		  J("get(`http://localhost:${process.env.WEB_PORT || 3000}/x`);\n"), 0, 0 },
		{ "a.js", J("get('http://localhost:3000/x');\n"), J("get(`${process.env.WEB_URL || 'http://localhost:3000'}/x`);\n"), 0,
		  "http://localhost:3000" },
		{ "a.js", J("const u = \"http://localhost:3000\";\n"),
		  J("const u = process.env.WEB_URL || \"http://localhost:3000\";\n"), 0, "http://localhost:3000" },
		{ "a.js", J("const u = 'http://localhost:3000' + x;\n"),
		  J("const u = `http://localhost:${process.env.WEB_PORT || 3000}` + x;\n"), 0, 0 },
		{ "a.js", J("const u = 'http://localhost:3000' + x;\n"), NULL, PS_FIX_PLACE, "http://localhost:3000" },
		{ "a.js", J("const u = `http://localhost:3000/${x}`;\n"),
		  J("const u = `http://localhost:${process.env.WEB_PORT || 3000}/${x}`;\n"), 0, 0 },
		{ "a.js", J("const u = `${a ? 'http://localhost:3000' : b}`;\n"), NULL, PS_FIX_INTERPOLATION, 0 },
		{ "a.js", J("const u = tag`http://localhost:3000/${x}`;\n"), NULL, PS_FIX_PLACE, 0 },
		{ "a.js", J("const u = ['http://a.local:3000', 'http://localhost:3000?`'];\n"),
		  J("const u = [`http://a.local:${process.env.WEB_PORT || 3000}`, 'http://localhost:3000?`'];\n"), PS_FIX_STRING, 0 },
		{ "a.js", J("const o = { 'http://localhost:3000': 1 };\n"), NULL, PS_FIX_PLACE, 0 },
		{ "a.js", J("const port = process.env.PORT || 3000;\n"), NULL, PS_FIX_DEFAULT, 0 },
		{ "a.js", J("const u = process.env.U ?? 'http://localhost:3000';\n"), NULL, PS_FIX_DEFAULT, 0 },
		{ "a.js", J("process.env.PORT = '3000';\n"), NULL, PS_FIX_SETS, 0 },
		{ "a.js", J("fetch('http://localhost:3000', x);\n"),
		  J("fetch(process.env.WEB_URL || 'http://localhost:3000', x);\n"), 0, "http://localhost:3000" },
		{ "a.js", J("spawn('x', { env: { PORT: '3000' } });\n"), NULL, PS_FIX_SETS, 0 },
		{ "a.js", J("const port = 3000 + i;\n"), NULL, PS_FIX_PLACE, 0 },
		{ "a.js", J("const port = 3000\n  + i;\n"), NULL, PS_FIX_PLACE, 0 },
		{ "a.js", J("s.listen(3000;\n"), NULL, PS_FIX_UNCLEAR, 0 },
		{ "a.js", J("const r = /[`]/; s.listen(3000);\n"),
		  J("const r = /[`]/; s.listen(Number(process.env.WEB_PORT || 3000));\n"), 0, 0 },
		{ "a.js", J("return /['\"]/.test(x); s.listen(3000);\n"),
		  J("return /['\"]/.test(x); s.listen(Number(process.env.WEB_PORT || 3000));\n"), 0, 0 },
		{ "a.js", J("if (x) /'`/.test(x); s.listen(3000);\n"), NULL, PS_FIX_UNCLEAR, 0 },
		{ "a.js", "fetch('http://localhost:3000/x');\n", NULL, PS_FIX_NOT_NODE, 0 },
		{ "a.js", J("document.title = 'http://localhost:3000/x';\n"), NULL, PS_FIX_BROWSER, 0 },
		{ "a.js", "import React from 'react';\nfetch('http://localhost:3000/x');\n", NULL, PS_FIX_BROWSER, 0 },
		{ "a.ts", "import type { Server } from 'node:http';\nconst port = 3000;\n", NULL, PS_FIX_NOT_NODE, 0 },
		{ "a.tsx", T("const port = 3000;\n"), NULL, PS_FIX_BROWSER, 0 },
		{ "a.js", J("const x = <p>a</p>;\nconst port = 3000;\n"), NULL, PS_FIX_BROWSER, 0 },
		{ "a.js", "const u = import.meta.env.X;\nfetch('http://localhost:3000/x');\n", NULL, PS_FIX_BROWSER, 0 },
		{ "a.js", "s.listen(3000);\n", "s.listen(Number(process.env.WEB_PORT || 3000));\n", 0, 0 },
		{ "vite.config.ts", "export default defineConfig({ server: { port: 3000 } });\n",
		  "export default defineConfig({ server: { port: Number(process.env.WEB_PORT || 3000) } });\n", 0, 0 },
		{ "a.ts", T("interface O { port: 3000 }\n"), NULL, PS_FIX_TYPE, 0 },
		{ "a.ts", T("type O = { port: 3000 };\n"), NULL, PS_FIX_TYPE, 0 },
		{ "a.ts", T("type Port = 3000;\n"), NULL, PS_FIX_TYPE, 0 },
		{ "a.ts", T("type A = string\nconst port = 3000\n"), T("type A = string\nconst port = Number(process.env.WEB_PORT || 3000)\n"), 0, 0 },
		{ "a.ts", T("enum Ports { WEB_PORT = 3000 }\n"), NULL, PS_FIX_TYPE, 0 },
		{ "a.ts", T("function f(o: { port: 3000 }) {}\n"), NULL, PS_FIX_TYPE, 0 },
		{ "a.ts", T("const port = 3000 as const;\n"), NULL, PS_FIX_TYPE, 0 },
		{ "a.ts", T("const port: number = 3000;\n"), T("const port: number = Number(process.env.WEB_PORT || 3000);\n"), 0, 0 },
		{ "a.ts", T("class A { port: 3000 }\n"), NULL, PS_FIX_TYPE, 0 },
		{ "a.ts", T("class A {\n  private readonly port = 3000;\n}\n"),
		  T("class A {\n  private readonly port = Number(process.env.WEB_PORT || 3000);\n}\n"), 0, 0 },
		{ "a.ts", T("import x from 'http://localhost:3000/x.js';\n"), NULL, PS_FIX_PLACE, 0 },
		{ "a.d.ts", "export const port = 3000;\n", NULL, PS_FIX_TYPE, 0 },
		{ "a.js", "var http = require('http');\nvar u = 'http://localhost:3000/x';\nvar v = 'http://localhost:3000';\r\n",
		  "var http = require('http');\nvar u = 'http://localhost:' + (process.env.WEB_PORT || 3000) + '/x';\n"
		  "var v = 'http://localhost:' + (process.env.WEB_PORT || 3000);\r\n",
		  0, 0 },
		{ "a.js", J("const process = {};\nconst port = 3000;\n"), NULL, PS_FIX_TAKEN, 0 },
		{ "a.mjs", "Deno.serve({ port: 3000 });\n", NULL, PS_FIX_NOT_NODE, 0 },
		{ "a.js", J("const { port = 3000 } = o;\n"), J("const { port = Number(process.env.WEB_PORT || 3000) } = o;\n"), 0, 0 },
		{ "a.js", J("const { port: 3000 } = o;\n"), NULL, PS_FIX_TYPE, 0 },
		{ "a.js", J("const o = { host: 'db.example.com', port: 3000 };\n"), NULL, PS_FIX_ELSEWHERE, 0 },
		{ "a.js", J("const ports = [3000, 3001];\n"),
		  J("const ports = [Number(process.env.WEB_PORT || 3000), Number(process.env.WEB_PORT || 3001)];\n"), 0, 0 },
		/* a browser's, by other signs */
		{ "a.js", J("typeof define === 'function';\nfetch('http://localhost:3000/x');\n"),
		  NULL, PS_FIX_BROWSER, 0 },
		{ "a.js", "define(['require'], function (require) {\n  fetch('http://localhost:3000/x');\n});\n", NULL,
		  PS_FIX_BROWSER, 0 },
		{ "a.js", "const io = require('socket.io-client');\nfetch('http://localhost:3000/x');\n", NULL,
		  PS_FIX_BROWSER, 0 },
		{ "a.js", "if (process.env.NODE_ENV) fetch('http://localhost:3000/x');\n", NULL, PS_FIX_NOT_NODE, 0 },
		{ "a.js", "let u = process.env.REACT_APP_U;\nfetch('http://localhost:3000/x');\n", NULL,
		  PS_FIX_BROWSER, 0 },
		{ "a.js", "import E from 'events';\nfetch('http://localhost:3000/x');\n", NULL, PS_FIX_NOT_NODE, 0 },
		{ "api.config.js", "export default { url: 'http://localhost:3000/x' };\n", NULL, PS_FIX_NOT_NODE, 0 },
		{ "a.js", J("page.evaluate(() => fetch('http://localhost:3000/x'));\n"), NULL, PS_FIX_BROWSER, 0 },
		/* another process */
		{ "a.js", J("function f(process) { s.listen(3000); }\n"), NULL, PS_FIX_TAKEN, 0 },
		{ "a.js", J("const f = (a, { process }) => s.listen(3000);\n"), NULL, PS_FIX_TAKEN, 0 },
		{ "a.js", J("x.map(process => s.listen(3000));\n"), NULL, PS_FIX_TAKEN, 0 },
		{ "a.js", J("const { process } = x;\ns.listen(3000);\n"), NULL, PS_FIX_TAKEN, 0 },
		{ "a.mjs", "import { process } from './x.mjs';\ns.listen(3000);\n", NULL, PS_FIX_TAKEN, 0 },
		{ "a.mjs", "import process from './x.mjs';\ns.listen(3000);\n", NULL, PS_FIX_TAKEN, 0 },
		{ "a.mjs", "import process from 'node:process';\nf(process);\ns.listen(3000);\n",
		  "import process from 'node:process';\nf(process);\n"
		  "s.listen(Number(process.env.WEB_PORT || 3000));\n",
		  0, 0 },
		{ "a.js", J("if (a && process) { s.listen(3000); }\n"),
		  J("if (a && process) { s.listen(Number(process.env.WEB_PORT || 3000)); }\n"), 0, 0 },
		/* types that only this value has */
		{ "a.ts", T("const port: 3000 | 3001 = 3000;\n"), NULL, PS_FIX_TYPE, 0 },
		{ "a.ts", T("const u: 'http://localhost:3000' = 'http://localhost:3000';\n"), NULL, PS_FIX_TYPE, 0 },
		{ "a.ts", T("const ports: Record<string, 3000> = { port: 3000 };\n"), NULL, PS_FIX_TYPE, 0 },
		{ "a.ts", T("const o = { port: 3000 } as const;\n"), NULL, PS_FIX_TYPE, 0 },
		{ "a.ts", T("const o = { port: 3000 } as Options;\n"),
		  T("const o = { port: Number(process.env.WEB_PORT || 3000) } as Options;\n"), 0, 0 },
		/* behind another parameter's default */
		{ "a.ts", T("class A {\n  m(a: string, host = 'x', port = 3000) {}\n}\n"),
		  T("class A {\n  m(a: string, host = 'x', port = Number(process.env.WEB_PORT || 3000)) {}\n}\n"), 0, 0 },
		{ "a.ts", T("function f(a: string = 'x', port = 3000) {}\n"),
		  T("function f(a: string = 'x', port = Number(process.env.WEB_PORT || 3000)) {}\n"), 0, 0 },
		{ "a.ts", T("function f(a = 'x', port: 3000 | 3001 = 3000) {}\n"), NULL, PS_FIX_TYPE, 0 },
		{ "a.ts", T("const port:\n  | 3001\n  | 3000 = 3000;\n"), NULL, PS_FIX_TYPE, 0 },
	};

	(void)state;
	CHECK(rows);
}

/* ---- Python ---- */

static void python(void **state)
{
	static const struct row rows[] = {
		{ "a.py", "PORT = 3000\n", "import os\n\nPORT = int(os.environ.get(\"WEB_PORT\", \"3000\"))\n", 0, 0 },
		{ "a.py", "import os\nx = 'a'\nPORT = 3000\n",
		  "import os\nx = 'a'\nPORT = int(os.environ.get('WEB_PORT', '3000'))\n", 0, 0 },
		{ "a.py", "import sys, os\nPORT = 3000\n", "import sys, os\nPORT = int(os.environ.get(\"WEB_PORT\", \"3000\"))\n", 0, 0 },
		{ "a.py", "import os.path\nPORT = 3000\n", "import os.path\nPORT = int(os.environ.get(\"WEB_PORT\", \"3000\"))\n", 0, 0 },
		{ "a.py", "import os as o\nPORT = 3000\n",
		  "import os\nimport os as o\nPORT = int(os.environ.get(\"WEB_PORT\", \"3000\"))\n", 0, 0 },
		{ "a.py", "#!/usr/bin/python3\n# -*- coding: utf-8 -*-\n\"\"\"Doc.\n\nport = 3000\n\"\"\"\nfrom __future__ import (\n    annotations,\n)\n\nimport re\nport = 3000\n",
		  "#!/usr/bin/python3\n# -*- coding: utf-8 -*-\n\"\"\"Doc.\n\nport = 3000\n\"\"\"\nfrom __future__ import (\n    annotations,\n)\n\nimport os\nimport re\nport = int(os.environ.get(\"WEB_PORT\", \"3000\"))\n",
		  0, 0 },
		{ "a.py", "import re\r\nport = 3000\r\n",
		  "import os\r\nimport re\r\nport = int(os.environ.get(\"WEB_PORT\", \"3000\"))\r\n", 0, 0 },
		{ "a.py", "import json\nimport re\n\nimport flask\nport = 3000\n",
		  "import json\nimport os\nimport re\n\nimport flask\nport = int(os.environ.get(\"WEB_PORT\", \"3000\"))\n", 0, 0 },
		{ "a.py", "import json\nfrom a import b\nport = 3000\n",
		  "import json\nimport os\nfrom a import b\nport = int(os.environ.get(\"WEB_PORT\", \"3000\"))\n", 0, 0 },
		{ "a.py", "import json # x\n\nport = 3000\n",
		  "import json # x\nimport os\n\nport = int(os.environ.get(\"WEB_PORT\", \"3000\"))\n", 0, 0 },
		{ "a.py", "PORT = 3000\nimport os\n",
		  "import os\n\nPORT = int(os.environ.get(\"WEB_PORT\", \"3000\"))\nimport os\n", 0, 0 },
		{ "a.py", "import os\napp.run(host='0.0.0.0', port=3000)\n",
		  "import os\napp.run(host='0.0.0.0', port=int(os.environ.get('WEB_PORT', '3000')))\n", 0, 0 },
		{ "a.py", "import os\nd = {\"host\": \"localhost\", \"port\": 3000}\n",
		  "import os\nd = {\"host\": \"localhost\", \"port\": int(os.environ.get(\"WEB_PORT\", \"3000\"))}\n", 0, 0 },
		{ "a.py", "import os\nu = \"http://localhost:3000/x\"\n",
		  "import os\nu = f\"http://localhost:{os.environ.get('WEB_PORT', '3000')}/x\"\n", 0, 0 },
		{ "a.py", "import os\nu = 'http://localhost:3000'\n",
		  "import os\nu = os.environ.get('WEB_URL', 'http://localhost:3000')\n", 0, "http://localhost:3000" },
		{ "a.py", "import os\nu = f\"http://localhost:3000/{x}\"\n",
		  "import os\nu = f\"http://localhost:{os.environ.get('WEB_PORT', '3000')}/{x}\"\n", 0, 0 },
		{ "a.py", "import os\nu = \"http://localhost:3000/{}\".format(x)\n", NULL, PS_FIX_PLACE, 0 },
		{ "a.py", "import os\nu = [\"http://localhost:3000/{}\"]\n", NULL, PS_FIX_STRING, 0 },
		{ "a.py", "import os\nu = \"http://localhost:3000/%s\" % x\n",
		  "import os\nu = f\"http://localhost:{os.environ.get('WEB_PORT', '3000')}/%s\" % x\n", 0, 0 },
		{ "a.py", "import os\nu = (\"http://localhost:3000\"\n     \"/x\")\n",
		  "import os\nu = (f\"http://localhost:{os.environ.get('WEB_PORT', '3000')}\"\n     \"/x\")\n", 0, 0 },
		{ "a.py", "import os\nu = b\"http://localhost:3000\"\n", NULL, PS_FIX_STRING, 0 },
		{ "a.py", "import os\nu = r\"http://localhost:3000\"\n", NULL, PS_FIX_STRING, 0 },
		{ "a.py", "import os\ndef f(port=3000, os=None):\n    pass\n", NULL, PS_FIX_TAKEN, 0 },
		{ "a.py", "from x import os\nport = 3000\n", NULL, PS_FIX_TAKEN, 0 },
		{ "a.py", "def f():\n    port = 3000\n    import os\n", NULL, PS_FIX_TAKEN, 0 },
		{ "a.py", "import os\nport = int(os.environ.get('PORT', 3000))\n", NULL, PS_FIX_DEFAULT, 0 },
		{ "a.py", "import os\nport = os.getenv('PORT') or 3000\n", NULL, PS_FIX_DEFAULT, 0 },
		{ "a.py", "import os\nos.environ['PORT'] = '3000'\n", NULL, PS_FIX_SETS, 0 },
		{ "a.py", "match x:\n    case {\"port\": 3000}:\n        pass\n", NULL, PS_FIX_PLACE, 0 },
		{ "a.py", "print \"x\"\nport = 3000\n", NULL, PS_FIX_UNCLEAR, 0 },
		{ "a.py", "s = socket.create_connection((\"db.example.com\", 3000))\n", NULL, PS_FIX_ELSEWHERE, 0 },
		{ "a.py", "port: int = 3000\n", "import os\n\nport: int = int(os.environ.get(\"WEB_PORT\", \"3000\"))\n", 0, 0 },
		{ "a.py", "port = 3000 if x else 3001\n",
		  "import os\n\nport = 3000 if x else int(os.environ.get(\"WEB_PORT\", \"3001\"))\n", 0, 0 },
		{ "a.pyi", "port: int = 3000\n", NULL, PS_FIX_TYPE, 0 },
		{ "a.py", "import os.path as p\ns.bind(('', 3000))\n",
		  "import os\nimport os.path as p\ns.bind(('', int(os.environ.get('WEB_PORT', '3000'))))\n", 0, 0 },
		{ "a.py", "import os.path\ns.bind(('', 3000))\n",
		  "import os.path\ns.bind(('', int(os.environ.get('WEB_PORT', '3000'))))\n", 0, 0 },
		/* types that only this value has */
		{ "a.py", "port: Literal[3000] = 3000\n", NULL, PS_FIX_TYPE, 0 },
		{ "a.py", "def f(port: typing.Literal[3000, 3001] = 3000):\n    pass\n", NULL, PS_FIX_TYPE, 0 },
		{ "a.py", "port: Annotated[int, Field(port=3000)]\n", NULL, PS_FIX_TYPE, 0 },
		{ "a.py", "port: dict[str, Literal[3000]] = {\"port\": 3000}\n", NULL, PS_FIX_TYPE, 0 },
		{ "a.py", "P = Literal[1]\nport: P = 3000\n", NULL, PS_FIX_TYPE, 0 },
		{ "a.py", "P = Literal[1]\nport: int = 3000\n",
		  "import os\n\nP = Literal[1]\nport: int = int(os.environ.get(\"WEB_PORT\", \"3000\"))\n", 0, 0 },
		{ "a.py", "s = (Literal\n[\"http://localhost:3000\"])\n", NULL, PS_FIX_TYPE, 0 },
		/* another os, another int */
		{ "a.py", "a = os = x\nport = 3000\n", NULL, PS_FIX_TAKEN, 0 },
		{ "a.py", "(os, b) = x\nport = 3000\n", NULL, PS_FIX_TAKEN, 0 },
		{ "a.py", "a, os = x\nport = 3000\n", NULL, PS_FIX_TAKEN, 0 },
		{ "a.py", "for os in x:\n    port = 3000\n", NULL, PS_FIX_TAKEN, 0 },
		{ "a.py", "for a, (b, os) in x:\n    port = 3000\n", NULL, PS_FIX_TAKEN, 0 },
		{ "a.py", "a = [1 for os in x]\nport = 3000\n", NULL, PS_FIX_TAKEN, 0 },
		{ "a.py", "with x as os:\n    port = 3000\n", NULL, PS_FIX_TAKEN, 0 },
		{ "a.py", "with x as (a, os):\n    port = 3000\n", NULL, PS_FIX_TAKEN, 0 },
		{ "a.py", "f = lambda a, os: 1\nport = 3000\n", NULL, PS_FIX_TAKEN, 0 },
		{ "a.py", "match x:\n    case [os]:\n        port = 3000\n", NULL, PS_FIX_TAKEN, 0 },
		{ "a.py", "from a import b, os\nport = 3000\n", NULL, PS_FIX_TAKEN, 0 },
		{ "a.py", "int = x\nport = 3000\n", NULL, PS_FIX_TAKEN, 0 },
		{ "a.py", "if x: int = y\nport = 3000\n", NULL, PS_FIX_TAKEN, 0 },
		{ "a.py", "import os\ndef f(a: int = 1, b=int, *c: int):\n    d = [int(i) for i in x]; e = {int: os}\n    port = 3000\n",
		  "import os\ndef f(a: int = 1, b=int, *c: int):\n    d = [int(i) for i in x]; e = {int: os}\n"
		  "    port = int(os.environ.get(\"WEB_PORT\", \"3000\"))\n", 0, 0 },
		{ "a.py", "import os\nf(int, os)[int] = g(os=1, int=2)\nport = 3000\n",
		  "import os\nf(int, os)[int] = g(os=1, int=2)\nport = int(os.environ.get(\"WEB_PORT\", \"3000\"))\n", 0, 0 },
		/* Python 2 too */
		{ "a.py", "from __future__ import print_function\nimport os\nu = \"http://localhost:3000/x\"\n", NULL,
		  PS_FIX_STRING, 0 },
		{ "a.py", "#!/usr/bin/env python2\nimport os\nu = \"http://localhost:3000/x\"\n", NULL, PS_FIX_STRING, 0 },
		{ "a.py", "import os, six\nu = \"http://localhost:3000/x\"\n", NULL, PS_FIX_STRING, 0 },
		{ "a.py", "from __future__ import print_function\nimport os\nport = 3000\n",
		  "from __future__ import print_function\nimport os\nport = int(os.environ.get(\"WEB_PORT\", \"3000\"))\n", 0, 0 },
		{ "a.py", "from __future__ import annotations\nimport os\nu = \"http://localhost:3000/x\"\n",
		  "from __future__ import annotations\nimport os\n"
		  "u = f\"http://localhost:{os.environ.get('WEB_PORT', '3000')}/x\"\n", 0, 0 },
		{ "a.py", "print x\nport = 3000\n", NULL, PS_FIX_UNCLEAR, 0 },
		{ "a.py", "try:\n    f()\nexcept (A, B), e:\n    port = 3000\n", NULL, PS_FIX_UNCLEAR, 0 },
		/* the comment of a function stays with it */
		{ "a.py", "# Runs\n# it.\ndef f(port=3000):\n    pass\n",
		  "import os\n\n# Runs\n# it.\ndef f(port=int(os.environ.get(\"WEB_PORT\", \"3000\"))):\n    pass\n", 0, 0 },
		{ "a.py", "#!/usr/bin/python3\n# coding: utf-8\n# Runs it.\ndef f(port=3000):\n    pass\n",
		  "#!/usr/bin/python3\n# coding: utf-8\nimport os\n\n# Runs it.\n"
		  "def f(port=int(os.environ.get(\"WEB_PORT\", \"3000\"))):\n    pass\n", 0, 0 },
		{ "a.py", "\"\"\"Doc.\n# no comment\n\"\"\"\n# Runs it.\ndef f(port=3000):\n    pass\n",
		  "\"\"\"Doc.\n# no comment\n\"\"\"\nimport os\n\n# Runs it.\n"
		  "def f(port=int(os.environ.get(\"WEB_PORT\", \"3000\"))):\n    pass\n", 0, 0 },
		{ "a.py", "import json\n# Runs it.\ndef f(port=3000):\n    pass\n",
		  "import json\nimport os\n# Runs it.\n"
		  "def f(port=int(os.environ.get(\"WEB_PORT\", \"3000\"))):\n    pass\n", 0, 0 },
	};

	(void)state;
	CHECK(rows);
}

/* ---- shell ---- */

static void shell(void **state)
{
	static const struct row rows[] = {
		{ "a.sh", "PORT=3000\n", "PORT=${WEB_PORT:-3000}\n", 0, 0 },
		{ "a.sh", "export PORT=\"3000\"\n", "export PORT=\"${WEB_PORT:-3000}\"\n", 0, 0 },
		{ "a.sh", "PORT='3000'\n", NULL, PS_FIX_SINGLE_QUOTED, 0 },
		{ "a.sh", "curl $'http://localhost:3000'\n", NULL, PS_FIX_SINGLE_QUOTED, 0 },
		{ "a.sh", "PORT=${PORT:-3000}\n", NULL, PS_FIX_DEFAULT, 0 },
		{ "a.sh", "serve --port 3000 &\n", "serve --port \"${WEB_PORT:-3000}\" &\n", 0, 0 },
		{ "a.sh", "serve --port=3000\n", "serve --port=\"${WEB_PORT:-3000}\"\n", 0, 0 },
		{ "a.sh", "curl http://localhost:3000/x?a=1\n", "curl http://localhost:\"${WEB_PORT:-3000}\"/x?a=1\n", 0, 0 },
		{ "a.sh", "curl http://localhost:3000/x;\n", "curl \"http://localhost:${WEB_PORT:-3000}/x\";\n", 0, 0 },
		{ "a.sh", "curl \"http://localhost:3000/x\"\n", "curl \"http://localhost:${WEB_PORT:-3000}/x\"\n", 0, 0 },
		{ "a.sh", "curl 'http://localhost:3000/x'\n", NULL, PS_FIX_SINGLE_QUOTED, 0 },
		{ "a.sh", "curl http://$HOST:3000/x\n", "curl http://$HOST:\"${WEB_PORT:-3000}\"/x\n", 0, 0 },
		{ "a.sh", "curl \"http://localhost:3000/x?since=2023\"\n",
		  "curl \"http://localhost:${WEB_PORT:-3000}/x?since=2023\"\n", 0, 0 },
		{ "a.sh", "x=$(curl http://localhost:3000)\n", "x=$(curl \"http://localhost:${WEB_PORT:-3000}\")\n", 0, 0 },
		{ "a.sh", "x=\"$(curl \"http://localhost:3000\")\"\n", "x=\"$(curl \"http://localhost:${WEB_PORT:-3000}\")\"\n", 0, 0 },
		{ "a.sh", "x=`curl http://localhost:3000`\n", NULL, PS_FIX_INTERPOLATION, 0 },
		{ "a.sh", "cat <<'END'\nhttp://localhost:3000\nEND\n", NULL, PS_FIX_STRING, 0 },
		{ "a.sh", "cat <<end\nPORT='\nend\nPORT=3000\n", "cat <<end\nPORT='\nend\nPORT=${WEB_PORT:-3000}\n", 0, 0 },
		{ "a.sh", "echo it\\'s # don't\nPORT=3000\n", "echo it\\'s # don't\nPORT=${WEB_PORT:-3000}\n", 0, 0 },
		{ "a.sh", "echo $# ${#x} ${x#'}'}\nPORT=3000\n", "echo $# ${#x} ${x#'}'}\nPORT=${WEB_PORT:-3000}\n", 0, 0 },
		{ "a.sh", "echo \"\nPORT=3000\n", NULL, PS_FIX_UNCLEAR, 0 },
		{ "a.sh", "x=$(case $y in a) echo;; esac)\nPORT=3000\n", NULL, PS_FIX_UNCLEAR, 0 },
		{ "a.sh", "case $x in a) y=1;; esac\nPORT=3000\r\n", "case $x in a) y=1;; esac\nPORT=${WEB_PORT:-3000}\r\n", 0, 0 },
		{ "a.fish", "set PORT 3000\nserve --port 3000\n", NULL, PS_FIX_LANGUAGE, 0 },
		/* patterns */
		{ "a.sh", "if [[ $x =~ http://127.0.0.1:3000 ]]; then y; fi\n", NULL, PS_FIX_PLACE, 0 },
		{ "a.sh", "[[ $x =~ [[:alpha:]]+://127.0.0.1:3000 ]]\n", NULL, PS_FIX_PLACE, 0 },
		{ "a.sh", "[[ $x =~ a ]] && curl http://localhost:3000\n",
		  "[[ $x =~ a ]] && curl \"http://localhost:${WEB_PORT:-3000}\"\n", 0, 0 },
		/* elsewhere */
		{ "a.sh", "ssh host \"curl http://localhost:3000\"\n", NULL, PS_FIX_ELSEWHERE, 0 },
		{ "a.sh", "ssh host 2>&1 \\\n  curl http://localhost:3000\n", NULL, PS_FIX_ELSEWHERE, 0 },
		{ "a.sh", "if ! /usr/bin/ssh -p 22 host \"x; curl http://localhost:3000\"; then y; fi\n", NULL, PS_FIX_ELSEWHERE, 0 },
		{ "a.sh", "$SSH \"curl http://localhost:3000\"\n", NULL, PS_FIX_ELSEWHERE, 0 },
		{ "a.sh", "x=$(ssh host \"curl http://localhost:3000\")\n", NULL, PS_FIX_ELSEWHERE, 0 },
		{ "a.sh", "ssh host \"echo $(curl http://localhost:3000)\"\n",
		  "ssh host \"echo $(curl \"http://localhost:${WEB_PORT:-3000}\")\"\n", 0, 0 },
		{ "a.sh", "ssh host x; curl http://localhost:3000\n", "ssh host x; curl \"http://localhost:${WEB_PORT:-3000}\"\n", 0, 0 },
		{ "a.sh", "ssh host x\ncurl http://localhost:3000\n", "ssh host x\ncurl \"http://localhost:${WEB_PORT:-3000}\"\n", 0, 0 },
		{ "a.sh", "docker exec web curl http://localhost:3000\n", NULL, PS_FIX_ELSEWHERE, 0 },
		{ "a.sh", "docker compose exec -T web sh -c \"curl http://localhost:3000\"\n", NULL, PS_FIX_ELSEWHERE, 0 },
		{ "a.sh", "kubectl exec web -- curl http://localhost:3000\n", NULL, PS_FIX_ELSEWHERE, 0 },
		{ "a.sh", "docker run -p 3000:80 image curl http://localhost:3000\n",
		  "docker run -p \"${WEB_PORT:-3000}:80\" image curl http://localhost:3000\n", PS_FIX_ELSEWHERE, 0 },
		{ "a.sh", "su - web -c \"curl http://localhost:3000\"\n", NULL, PS_FIX_PLACE, 0 },
		{ "a.sh", "sudo -u web sh -c \"curl http://localhost:3000\"\n", NULL, PS_FIX_PLACE, 0 },
		{ "a.sh", "sudo curl http://localhost:3000\n", "sudo curl \"http://localhost:${WEB_PORT:-3000}\"\n", 0, 0 },
		/* a Procfile by its name only */
		{ "Procfile.dev", "web: serve --port 3000\n", NULL, PS_FIX_LANGUAGE, 0 },
		{ "procfile.py", "PORT = 3000\n", "import os\n\nPORT = int(os.environ.get(\"WEB_PORT\", \"3000\"))\n", 0, 0 },
	};

	(void)state;
	CHECK(rows);
}

/* ---- Ruby ---- */

static void ruby(void **state)
{
	static const struct row rows[] = {
		{ "a.rb", "PORT = 3000\n", "PORT = Integer(ENV.fetch(\"WEB_PORT\", \"3000\"))\n", 0, 0 },
		{ "a.rb", "require 'x'\nset :port, 3000\n", "require 'x'\nset :port, Integer(ENV.fetch('WEB_PORT', '3000'))\n", 0, 0 },
		{ "a.rb", "port 3000\n", "port Integer(ENV.fetch(\"WEB_PORT\", \"3000\"))\n", 0, 0 },
		{ "a.rb", "s = TCPServer.new('localhost', 3000)\n",
		  "s = TCPServer.new('localhost', Integer(ENV.fetch('WEB_PORT', '3000')))\n", 0, 0 },
		{ "a.rb", "run(port: 3000, host: x)\n", "run(port: Integer(ENV.fetch(\"WEB_PORT\", \"3000\")), host: x)\n", 0, 0 },
		{ "a.rb", "o = { :port => 3000 } if x\n", "o = { :port => Integer(ENV.fetch(\"WEB_PORT\", \"3000\")) } if x\n", 0, 0 },
		{ "a.rb", "u = 'http://localhost:3000/x'\n", "u = \"http://localhost:#{ENV.fetch(\"WEB_PORT\", \"3000\")}/x\"\n", 0, 0 },
		{ "a.rb", "u = \"http://localhost:3000/#{x}\"\n",
		  "u = \"http://localhost:#{ENV.fetch(\"WEB_PORT\", \"3000\")}/#{x}\"\n", 0, 0 },
		{ "a.rb", "u = 'http://localhost:3000'\n", "u = ENV.fetch('WEB_URL', 'http://localhost:3000')\n", 0,
		  "http://localhost:3000" },
		{ "a.rb", "list << 'http://localhost:3000'\n",
		  "list << \"http://localhost:#{ENV.fetch(\"WEB_PORT\", \"3000\")}\"\n", 0, 0 },
		{ "a.rb", "u = 'http://localhost:3000/#x'\n", NULL, PS_FIX_STRING, 0 },
		{ "a.rb", "u = <<~TEXT\n  http://localhost:3000\nTEXT\n", NULL, PS_FIX_STRING, 0 },
		{ "a.rb", "u = <<~text\n  it's\ntext\nport = 3000\n", NULL, PS_FIX_UNCLEAR, 0 },
		{ "a.rb", "port = ENV.fetch('PORT', 3000)\n", NULL, PS_FIX_DEFAULT, 0 },
		{ "a.rb", "port = ENV['PORT'] || 3000\n", NULL, PS_FIX_DEFAULT, 0 },
		{ "a.rb", "ports = %w[3000 3001]\n", NULL, PS_FIX_STRING, 0 },
		{ "a.rb", "ports = { web: 3000 }\n", NULL, PS_FIX_LIKELY, 0 },
		{ "a.rb", "port = 3000\n__END__\nit's\n", NULL, PS_FIX_UNCLEAR, 0 },
		{ "a.rb", "case port\nwhen 3000 then x\nend\nport = 3000 + i\n", NULL, PS_FIX_PLACE, 0 },
		{ "a.rb", "def run(port = 3000)\nend\n", "def run(port = Integer(ENV.fetch(\"WEB_PORT\", \"3000\")))\nend\n", 0, 0 },
		{ "a.rb", "case x\nin { port: 3000 } then 1\nend\n", NULL, PS_FIX_PLACE, 0 },
		{ "a.rb", "case x\nin { a: { port: 3000 } }\n  1\nend\n", NULL, PS_FIX_PLACE, 0 },
		{ "a.rb", "y if x in { port: 3000 }\n", NULL, PS_FIX_PLACE, 0 },
		{ "a.rb", "R = / \\d\n  (a|b) /x\nport = 3000\n", NULL, PS_FIX_UNCLEAR, 0 },
		{ "a.rb", "T = <<'__end__'\nport = 3000\n__end__\nport = 3000\n", NULL, PS_FIX_UNCLEAR, 0 },
	};

	(void)state;
	CHECK(rows);
}

/* ---- PHP ---- */

#define P(text) "<?php\n" text

static void php(void **state)
{
	static const struct row rows[] = {
		{ "a.php", P("$port = 3000;\n"), P("$port = (int) (getenv(\"WEB_PORT\") ?: 3000);\n"), 0, 0 },
		{ "a.php", P("$c = ['host' => 'x', 'port' => 3000];\n"),
		  P("$c = ['host' => 'x', 'port' => (int) (getenv('WEB_PORT') ?: 3000)];\n"), 0, 0 },
		{ "a.php", P("define('PORT', 3000);\n"), NULL, PS_FIX_DEFAULT, 0 },
		{ "a.php", P("const PORT = 3000;\n"), NULL, PS_FIX_CONSTANT, 0 },
		{ "a.php", P("class A {\n  private int $port = 3000;\n}\n"), NULL, PS_FIX_CONSTANT, 0 },
		{ "a.php", P("class A {\n  private $c = ['port' => 3000];\n}\n"), NULL, PS_FIX_CONSTANT, 0 },
		{ "a.php", P("function f($port = 3000) {}\n"), NULL, PS_FIX_CONSTANT, 0 },
		{ "a.php", P("$f = fn ($port = 3000) => $port;\n"), NULL, PS_FIX_CONSTANT, 0 },
		{ "a.php", P("function f() { static $port = 3000; }\n"), NULL, PS_FIX_CONSTANT, 0 },
		{ "a.php", P("class A {\n  public function f() { $port = 3000; }\n}\n"),
		  P("class A {\n  public function f() { $port = (int) (getenv(\"WEB_PORT\") ?: 3000); }\n}\n"), 0, 0 },
		{ "a.php", P("$u = 'http://localhost:3000/x';\n"),
		  P("$u = 'http://localhost:' . (getenv('WEB_PORT') ?: 3000) . '/x';\n"), 0, 0 },
		{ "a.php", P("$u = \"http://$host:3000/{$x}\";\n"),
		  P("$u = \"http://$host:\" . (getenv(\"WEB_PORT\") ?: 3000) . \"/{$x}\";\n"), 0, 0 },
		{ "a.php", P("f('http://localhost:3000');\n"), P("f((getenv('WEB_URL') ?: 'http://localhost:3000'));\n"), 0,
		  "http://localhost:3000" },
		{ "a.php", P("$u = 'http://localhost:3000' . $x;\n"),
		  P("$u = 'http://localhost:' . (getenv('WEB_PORT') ?: 3000) . $x;\n"), 0, 0 },
		{ "a.php", P("$u = <<<TEXT\nhttp://localhost:3000\nTEXT;\n"), NULL, PS_FIX_STRING, 0 },
		{ "a.php", P("$port = getenv('PORT') ?: 3000;\n"), NULL, PS_FIX_DEFAULT, 0 },
		{ "a.php", "<p>it's</p>\n<?php $port = 3000;\n", NULL, PS_FIX_UNCLEAR, 0 },
		{ "a.php", P("$port = 3000;\n?>\n<p>x</p>\n"), NULL, PS_FIX_UNCLEAR, 0 },
		{ "a.php", P("$port = 3000;\n?>\n"), P("$port = (int) (getenv(\"WEB_PORT\") ?: 3000);\n?>\n"), 0, 0 },
		{ "a.php", P("$port = 3000 + $i;\n"), NULL, PS_FIX_PLACE, 0 },
	};

	(void)state;
	CHECK(rows);
}

/* ---- Java ---- */

#define V "Integer.parseInt(System.getenv().getOrDefault(\"WEB_PORT\", \"3000\"))"
#define A(text) "class A {\n\t" text "\n}\n"

static void java(void **state)
{
	static const struct row rows[] = {
		{ "A.java", A("int port = 3000;"), A("int port = " V ";"), 0, 0 },
		{ "A.java", A("private static final int PORT = 3000;"), A("private static final int PORT = " V ";"), 0, 0 },
		{ "A.java", A("public static final int PORT = 3000;"), NULL, PS_FIX_CONSTANT, 0 },
		{ "A.java", A("private static final int PORT = 3000;\n\t@X(port = PORT) int a;"), NULL, PS_FIX_CONSTANT, 0 },
		{ "A.java", A("private static final int PORT = 3000;\n\tvoid f() { switch (a) { case PORT: g(); } }"), NULL,
		  PS_FIX_CONSTANT, 0 },
		{ "A.java", "interface A {\n\tint PORT = 3000;\n}\n", NULL, PS_FIX_CONSTANT, 0 },
		{ "A.java", "@Server(port = 3000)\nclass A {}\n", NULL, PS_FIX_CONSTANT, 0 },
		{ "A.java", A("short port = 3000;"), NULL, PS_FIX_TYPE, 0 },
		{ "A.java", A("void f() { s = new ServerSocket(3000); }"), A("void f() { s = new ServerSocket(" V "); }"), 0, 0 },
		{ "A.java", A("void f() { s = new InetSocketAddress(\"localhost\", 3000); }"),
		  A("void f() { s = new InetSocketAddress(\"localhost\", " V "); }"), 0, 0 },
		{ "A.java", A("String u = \"http://localhost:3000/x\";"),
		  A("String u = \"http://localhost:\" + System.getenv().getOrDefault(\"WEB_PORT\", \"3000\") + \"/x\";"), 0, 0 },
		{ "A.java", A("String u = \"http://localhost:3000\";"),
		  A("String u = System.getenv().getOrDefault(\"WEB_URL\", \"http://localhost:3000\");"), 0,
		  "http://localhost:3000" },
		{ "A.java", A("boolean b = \"http://localhost:3000\".equals(u);"), NULL, PS_FIX_PLACE, 0 },
		{ "A.java", A("String u = \"\"\"\n\thttp://localhost:3000\n\t\"\"\";"), NULL, PS_FIX_STRING, 0 },
		{ "A.java", A("String p = System.getenv().getOrDefault(\"PORT\", \"3000\");"), NULL, PS_FIX_DEFAULT, 0 },
		{ "A.java", A("int[] ports = {3000, 3001};"),
		  A("int[] ports = {" V ", Integer.parseInt(System.getenv().getOrDefault(\"WEB_PORT\", \"3001\"))};"), 0, 0 },
		{ "A.cs", A("int port = 3000;"), NULL, PS_FIX_LANGUAGE, 0 },
		{ "A.java", A("private static final String B = \"http://localhost:3000\";\n"
				"\tstatic final String C = B + \"/x\";"),
		  NULL, PS_FIX_CONSTANT, 0 },
	};

	(void)state;
	CHECK(rows);
}

/* ---- Elixir ---- */

#define X "String.to_integer(System.get_env(\"WEB_PORT\") || \"3000\")"
#define M(text) "defmodule A do\n" text "end\n"

static void elixir(void **state)
{
	static const struct row rows[] = {
		{ "config/runtime.exs", "config :a, A.Endpoint,\n  http: [ip: {127, 0, 0, 1}, port: 3000],\n  debug: true\n",
		  "config :a, A.Endpoint,\n  http: [ip: {127, 0, 0, 1}, port: " X "],\n  debug: true\n", 0, 0 },
		{ "config/dev.exs", "config :a, port: 3000\n", "config :a, port: " X "\n", 0, 0 },
		{ "config/staging.exs", "config :a, port: 3000\n", NULL, PS_FIX_CONSTANT, 0 },
		{ "apps/a/config/dev.secret.exs", "config :a, port: 3000\n", NULL, PS_FIX_CONSTANT, 0 },
		{ "myconfig/dev.exs", "config :a, port: 3000\n", "config :a, port: " X "\n", 0, 0 },
		{ "config/prod.exs", "config :a, port: 3000\n", NULL, PS_FIX_CONSTANT, 0 },
		{ "a.ex", M("  @port 3000\n  @o %{\n    port: 3000\n  }\n"), NULL, PS_FIX_CONSTANT, 0 },
		{ "a.ex", M("  use Server, port: 3000\n"), NULL, PS_FIX_CONSTANT, 0 },
		{ "a.ex", M("  def run do\n    start(port: 3000)\n  end\n"), M("  def run do\n    start(port: " X ")\n  end\n"), 0, 0 },
		{ "a.ex", M("  def run(port \\\\ 3000), do: port\n"), M("  def run(port \\\\ " X "), do: port\n"), 0, 0 },
		{ "a.ex", M("  def run(%{port: 3000}), do: 1\n"), NULL, PS_FIX_PLACE, 0 },
		{ "a.ex", M("  def run(o) do\n    %{port: 3000} = o\n  end\n"), NULL, PS_FIX_PLACE, 0 },
		{ "a.ex", M("  def run(o) do\n    case o do\n      %{port: 3000} -> 1\n    end\n  end\n"), NULL, PS_FIX_PLACE, 0 },
		{ "a.ex", M("  def run do\n    \"http://localhost:3000/\" <> x\n  end\n"), NULL, PS_FIX_PLACE, 0 },
		{ "a.ex", M("  def run do\n    u = \"http://localhost:3000/\" <> x\n  end\n"),
		  M("  def run do\n    u = \"http://localhost:#{System.get_env(\"WEB_PORT\") || \"3000\"}/\" <> x\n  end\n"), 0, 0 },
		{ "a.ex", M("  def run do\n    get(\"http://localhost:3000\")\n  end\n"),
		  M("  def run do\n    get(System.get_env(\"WEB_URL\") || \"http://localhost:3000\")\n  end\n"), 0,
		  "http://localhost:3000" },
		{ "a.ex", M("  def run do\n    get('http://localhost:3000')\n  end\n"), NULL, PS_FIX_STRING, 0 },
		{ "a.ex", M("  def run do\n    x = ~s(http://localhost:3000)\n  end\n"), NULL, PS_FIX_COUNT, 0 },
		{ "a.exs", "port = String.to_integer(System.get_env(\"PORT\") || \"3000\")\n", NULL, PS_FIX_DEFAULT, 0 },
		{ "a.ex", "def f(x) do\n  match?(%{port: 3000}, x)\nend\n", NULL, PS_FIX_PLACE, 0 },
		{ "a_test.exs", "test \"x\" do\n  assert_receive {:up, %{port: 3000}}\n"
				"  assert_receive(%{port: 3000})\nend\n",
		  NULL, PS_FIX_PLACE, 0 },
		{ "a.exs", "x = 'http://localhost:3000'\n", NULL, PS_FIX_STRING, 0 },
	};

	(void)state;
	CHECK(rows);
}

/* ---- Go ---- */

#define G(imports, text) "package main\n\nimport (\n" imports ")\n\nfunc main() {\n\t" text "\n}\n"
/* A file with nothing but a function, with what it imports; what becomes of it has `os` behind that. */
#define O(import, text) "package a\n\nimport \"os\"\nimport \"" import "\"\n\nfunc f() {\n\t" text "\n}\n"
#define E "envOr(\"WEB_PORT\", \"3000\")"
#define STRING_FUNCTION                                                                                              \
	"\n// envOr returns an environment variable, or the fallback where it is not set.\n"                          \
	"func envOr(name, fallback string) string {\n\tif value := os.Getenv(name); value != \"\" {\n\t\treturn value\n\t}\n" \
	"\treturn fallback\n}\n"
#define PORT_FUNCTION                                                                                                 \
	"\n// envPort returns the number in an environment variable, or the fallback where there is none.\n"          \
	"func envPort(name string, fallback int) int {\n\tif port, err := strconv.Atoi(os.Getenv(name)); err == nil {\n" \
	"\t\treturn port\n\t}\n\treturn fallback\n}\n"

static void go(void **state)
{
	static const struct row rows[] = {
		{ "a.go", G("\t\"net/http\"\n", "http.ListenAndServe(\":3000\", nil)"),
		  G("\t\"net/http\"\n\t\"os\"\n", "http.ListenAndServe(\":\"+envOr(\"WEB_PORT\", \"3000\"), nil)") STRING_FUNCTION, 0, 0 },
		{ "a.go", G("\t\"fmt\"\n\t\"os\"\n\n\t\"example.com/x\"\n", "port := 3000"),
		  G("\t\"fmt\"\n\t\"os\"\n\t\"strconv\"\n\n\t\"example.com/x\"\n", "port := envPort(\"WEB_PORT\", 3000)") PORT_FUNCTION, 0, 0 },
		{ "a.go", "package a\n\nvar port = 3000\nvar url = \"http://localhost:3000\"\n",
		  "package a\n\nimport (\n\t\"os\"\n\t\"strconv\"\n)\n\nvar port = envPort(\"WEB_PORT\", 3000)\n"
		  "var url = \"http://localhost:\" + envOr(\"WEB_PORT\", \"3000\")\n" STRING_FUNCTION PORT_FUNCTION, 0, 0 },
		{ "a.go", "package a\n\nimport \"fmt\"\n\nvar addr = \":3000\"\n",
		  "package a\n\nimport \"fmt\"\nimport \"os\"\n\nvar addr = \":\" + envOr(\"WEB_PORT\", \"3000\")\n" STRING_FUNCTION, 0, 0 },
		{ "a.go", "package a\n\nimport \"os\"\n\nvar (\n\taddr = \":3000\"\n\tname = \"x\"\n)\n",
		  "package a\n\nimport \"os\"\n\nvar (\n\taddr = \":\" + envOr(\"WEB_PORT\", \"3000\")\n\tname = \"x\"\n)\n" STRING_FUNCTION,
		  0, 0 },
		{ "a.go", "package a\n\nconst port = 3000\n", NULL, PS_FIX_CONSTANT, 0 },
		{ "a.go", "package a\n\nconst (\n\ta = 1\n\taddr = \":3000\"\n)\n", NULL, PS_FIX_CONSTANT, 0 },
		{ "a.go", "package a\n\nvar port uint16 = 3000\n", NULL, PS_FIX_TYPE, 0 },
		{ "a.go", "package a\n\nfunc f() {\n\tc.Port = 3000\n}\n", NULL, PS_FIX_TYPE, 0 },
		{ "a.go", "package a\n\nvar c = x.Config{Port: 3000}\n", NULL, PS_FIX_TYPE, 0 },
		{ "a.go", "package a\n\nvar url = `http://localhost:3000`\n", NULL, PS_FIX_STRING, 0 },
		{ "a.go", "package a\n\nimport \"example.com/os\"\n\nvar addr = \":3000\"\nvar os = 1\n", NULL, PS_FIX_TAKEN, 0 },
		{ "a_linux.go", "package a\n\nvar addr = \":3000\"\n",
		  "package a\n\nimport \"os\"\n\nvar addr = \":\" + envOr(\"WEB_PORT\", \"3000\")\n" STRING_FUNCTION, 0, 0 },
		{ "a.go",
		  "package a\n\nimport \"os\"\n\ntype Config struct {\n\tHost string\n\tPort int `json:\"port\"`\n}\n\nvar c = Config{\"x\", 1}\n"
		  "var d = Config{Host: \"localhost\", Port: 3000}\n",
		  "package a\n\nimport \"os\"\nimport \"strconv\"\n\ntype Config struct {\n\tHost string\n\tPort int `json:\"port\"`\n}\n\n"
		  "var c = Config{\"x\", 1}\nvar d = Config{Host: \"localhost\", Port: envPort(\"WEB_PORT\", 3000)}\n" PORT_FUNCTION,
		  0, 0 },
		{ "a.go", "package a\n\nvar s = []Address{\":3000\"}\n", NULL, PS_FIX_TYPE, 0 },
		/* a named type of strings may be wanted */
		{ "a.go", O("fmt", "g(\":3000\")") "\nfunc g(a Addr) {}\n", NULL, PS_FIX_TYPE, 0 },
		{ "a.go", O("fmt", "g(\":3000\")"), NULL, PS_FIX_TYPE, 0 },
		{ "a.go", O("fmt", "g(1, \":3000\")") "\nfunc g(n int, a string) {}\n",
		  O("fmt", "g(1, \":\"+" E ")") "\nfunc g(n int, a string) {}\n" STRING_FUNCTION, 0, 0 },
		{ "a.go", O("fmt", "g(\":3000\", \"\")") "\nfunc g(a, b string) {}\n",
		  O("fmt", "g(\":\"+" E ", \"\")") "\nfunc g(a, b string) {}\n" STRING_FUNCTION, 0, 0 },
		{ "a.go", O("fmt", "g := h\n\tg(\":3000\")") "\nfunc g(a string) {}\n", NULL, PS_FIX_TYPE, 0 },
		{ "a.go", O("fmt", "a = \":3000\""), NULL, PS_FIX_TYPE, 0 },
		{ "a.go", O("fmt", "a := \":3000\""),
		  O("fmt", "a := \":\" + " E "") STRING_FUNCTION, 0, 0 },
		{ "a.go", O("fmt", "a, err := \":3000\", g()"), NULL, PS_FIX_TYPE, 0 },
		{ "a.go", O("fmt", "a := b + \":3000\""), NULL, PS_FIX_TYPE, 0 },
		{ "a.go", O("fmt", "a := fmt.Sprint(b) + \":3000\""),
		  O("fmt", "a := fmt.Sprint(b) + \":\" + " E "") STRING_FUNCTION, 0, 0 },
		{ "a.go", O("fmt", "var a Addr = \":3000\""), NULL, PS_FIX_TYPE, 0 },
		{ "a.go", O("fmt", "var a string = b + \":3000\""),
		  O("fmt", "var a string = b + \":\" + " E "") STRING_FUNCTION, 0, 0 },
		{ "a.go", O("fmt", "x := C{Addr: \":3000\"}") "\ntype C struct {\n\tAddr Addr\n}\n", NULL, PS_FIX_TYPE, 0 },
		{ "a.go", O("fmt", "x := C{Addr: \":3000\"}") "\ntype C struct {\n\tAddr string\n}\n",
		  O("fmt", "x := C{Addr: \":\" + " E "}") "\ntype C struct {\n\tAddr string\n}\n" STRING_FUNCTION, 0, 0 },
		{ "a.go", O("fmt", "x := struct{ Addr A }{Addr: \":3000\"}"), NULL, PS_FIX_TYPE, 0 },
		{ "a.go", O("fmt", "x := []A{\":3000\"}"), NULL, PS_FIX_TYPE, 0 },
		{ "a.go", O("fmt", "x := map[string]string{\"a\": \":3000\"}"),
		  O("fmt", "x := map[string]string{\"a\": \":\" + " E "}") STRING_FUNCTION, 0, 0 },
		{ "a.go", O("net/http", "s := &http.Server{Addr: \":3000\"}"),
		  O("net/http", "s := &http.Server{Addr: \":\" + " E "}") STRING_FUNCTION, 0, 0 },
		{ "a.go", O("example.com/http", "s := &http.Server{Addr: \":3000\"}"), NULL, PS_FIX_TYPE, 0 },
		{ "a.go", O("net/http", "http := g()\n\thttp.Get(\"http://localhost:3000/x\")"), NULL, PS_FIX_TYPE, 0 },
		{ "a.go", O("net/http", "http.Get(\"http://localhost:3000\" + x)"),
		  O("net/http", "http.Get(\"http://localhost:\" + " E " + x)") STRING_FUNCTION, 0, 0 },
		{ "a.go", O("net", "net.Listen(\"tcp\", \":3000\")"),
		  O("net", "net.Listen(\"tcp\", \":\"+" E ")") STRING_FUNCTION, 0, 0 },
		{ "a.go", O("google.golang.org/grpc", "grpc.NewClient(\"localhost:3000\")"),
		  O("google.golang.org/grpc", "grpc.NewClient(\"localhost:\" + " E ")") STRING_FUNCTION, 0, 0 },
		{ "a.go", O("fmt", "fmt.Println(\"http://localhost:3000/\" + x)"), NULL, PS_FIX_TYPE, 0 },
		{ "a.go", O("fmt", "fmt.Printf(\"http://localhost:3000/\\n\")"), NULL, PS_FIX_TYPE, 0 },
		{ "a.go", O("fmt", "fmt.Printf(\"http://localhost:3000/%s\\n\", x)"),
		  O("fmt", "fmt.Printf(\"http://localhost:\"+" E "+\"/%s\\n\", x)") STRING_FUNCTION, 0, 0 },
		{ "a.go", O("github.com/gin-gonic/gin", "r := gin.Default()\n\tg(r)\n\tr.Run(\":3000\")"),
		  O("github.com/gin-gonic/gin", "r := gin.Default()\n\tg(r)\n\tr.Run(\":\" + " E ")") STRING_FUNCTION, 0, 0 },
		{ "a.go", O("github.com/gin-gonic/gin", "r := gin.Default()\n\tr, err := g()\n\tr.Run(\":3000\")"), NULL, PS_FIX_TYPE, 0 },
		{ "a.go", O("example.com/gin", "r := gin.Default()\n\tr.Run(\":3000\")"), NULL, PS_FIX_TYPE, 0 },
		{ "a.go", O("fmt", "return \":3000\""), NULL, PS_FIX_TYPE, 0 },
		{ "a.go", "package a\n\nfunc f() Addr {\n\treturn \":3000\"\n}\n", NULL, PS_FIX_TYPE, 0 },
		{ "a.go", "package a\n\nimport \"os\"\n\nfunc f() (string, error) {\n\tif x {\n\t\treturn \":3000\", nil\n\t}\n}\n",
		  "package a\n\nimport \"os\"\n\nfunc f() (string, error) {\n\tif x {\n\t\treturn \":\" + " E ", nil\n\t}\n}\n" STRING_FUNCTION, 0, 0 },
		{ "a.go", "package a\n\nimport \"os\"\n\nfunc f() string {\n\treturn \":3000\"\n}\n",
		  "package a\n\nimport \"os\"\n\nfunc f() string {\n\treturn \":\" + " E "\n}\n" STRING_FUNCTION, 0, 0 },
	};

	(void)state;
	CHECK(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(javascript),
		cmocka_unit_test(python),
		cmocka_unit_test(shell),
		cmocka_unit_test(ruby),
		cmocka_unit_test(php),
		cmocka_unit_test(java),
		cmocka_unit_test(elixir),
		cmocka_unit_test(go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
