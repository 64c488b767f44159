/*
 * javascript.c - JavaScript and TypeScript: Number(process.env.PORT || 3000).
 *
 * `||` and not `??`: an empty variable is none (Number("") would be port 0, any port), and parsers of before 2020 know
 * it. There is no process.env in a browser, so something must show that the file runs in Node (or Bun), and nothing
 * that it runs in a browser; a component with JSX in it is left alone. TypeScript has numbers and strings where types
 * stand: a property counts only in braces that are certainly an object.
 */
#include <string.h>

#include "../inventory/words.h"
#include "idiom.h"

static bool ends_with(const char *text, const char *tail)
{
	size_t length = strlen(text), n = strlen(tail);

	return length >= n && strcmp(text + length - n, tail) == 0;
}

/* `</p>`, `<Page />`: text may stand between. */
static bool has_tags(const struct ps_code *code)
{
	for (uint32_t i = 1; i < code->count; i++) {
		if (code->tokens[i].space)
			continue;
		if ((code_is_op(code, i - 1, OP1('<')) && code_is_op(code, i, OP1('/'))) ||
		    (code_is_op(code, i - 1, OP1('/')) && code_is_op(code, i, OP1('>'))))
			return true;
	}
	return false;
}

static const char browser_names[] =
	"window document localStorage sessionStorage navigator customElements XMLHttpRequest HTMLElement ReactDOM "
	"ipcRenderer importScripts jQuery angular";
static const char browser_modules[] = "react react-dom react-dom/client react-native expo react-redux socket.io-client "
				      "@tanstack/react-query vue svelte solid-js preact preact/hooks "
				      "@angular/core @angular/common/http next/link "
				      "next/navigation next/router lit jquery htmx.org alpinejs react-router-dom";
static const char node_names[] = "require module process __dirname __filename Buffer Bun";
static const char node_modules[] =
	"http https net tls http2 fs path os dgram child_process cluster crypto worker_threads "
	"express "
	"fastify koa hapi @hapi/hapi restify polka connect ws socket.io @nestjs/core @nestjs/common hono "
	"@hono/node-server "
	"dotenv dotenv/config pg mysql mysql2 mysql2/promise redis ioredis mongoose mongodb nodemailer kafkajs amqplib "
	"socket.io-redis bullmq vite vitest/config webpack next @playwright/test http-proxy http-proxy-middleware "
	"get-port wait-on execa typeorm knex sequelize apollo-server @apollo/server @grpc/grpc-js grpc-tools";

/* `import type { Server } from "node:http"` is gone when it runs. */
static bool is_import(const struct ps_code *code, uint32_t module)
{
	uint32_t at = module - 1;

	if (code_is_one(code, at, "("))
		return code_is_name(code, at - 1, "require import");
	if (code_is_name(code, at, "import"))
		return true;
	if (!code_is_name(code, at, "from"))
		return false;
	for (unsigned n = 0; at != CODE_NONE && n < 400; n++, at--)
		if (code_is_name(code, at, "import export"))
			return !code_is_name(code, at + 1, "type") || code_is_name(code, at + 2, "from");
	return false;
}

/* process.env.NODE_ENV and its like: bundlers put in what they stand for. 1: that; 2: only a browser's code has it. */
static int is_bundled(const struct ps_code *code, uint32_t process)
{
	static const char *const prefixes[] = { "REACT_APP_", "NEXT_PUBLIC_", "VITE_",
						"VUE_APP_",   "EXPO_PUBLIC_", "GATSBY_" };
	const struct ps_token *name = code_token(code, process + 4);

	if (!code_is_name(code, process, "process") || !code_is_name(code, process + 2, "env") ||
	    name->kind != PS_TOKEN_NAME)
		return 0;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (name->until - name->from > strlen(prefixes[i]) &&
		    memcmp(code->text + name->from, prefixes[i], strlen(prefixes[i])) == 0)
			return 2;
	return code_is_name(code, process + 4, "NODE_ENV PUBLIC_URL BASE_URL");
}

/* AMD: define([...], function ...); UMD: typeof define, typeof module. */
static bool is_loaded(const struct ps_code *code, uint32_t i)
{
	if (code_is_name(code, i, "typeof"))
		return code_is_name(code, i + 1, "define module exports");
	return code_is_name(code, i, "define require requirejs") && !code_is_one(code, i - 1, ".") &&
	       code_is_op(code, i + 1, OP1('(')) &&
	       (code_is_op(code, i + 2, OP1('[')) ||
		(code_is_name(code, i, "define") && code_is_name(code, i + 2, "function")));
}

static bool is_browser(const struct ps_fixing *f)
{
	static const char *const tails[] = { ".vue", ".svelte", ".astro", ".jsx", ".tsx" };
	const struct ps_code *code = &f->code;

	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++)
		if (ends_with(f->path, tails[i]))
			return true;
	for (uint32_t i = 0; i < code->count; i++) {
		const struct ps_token *t = &code->tokens[i];

		if (t->kind == PS_TOKEN_STRING && t->outer - t->inner == 10 && t->line &&
		    memcmp(f->text + t->inner, "use client", 10) == 0)
			return true;
		if (code_is_string(code, i, browser_modules) && is_import(code, i))
			return true;
		if (is_bundled(code, i) == 2 || is_loaded(code, i))
			return true;
		if (code_is_name(code, i, browser_names) && !code_is_op(code, i + 1, OP1(':')) &&
		    !code_is_one(code, i - 1, "."))
			return true;
		if (code_is_name(code, i, "env") && code_is_name(code, i - 2, "meta") &&
		    code_is_name(code, i - 4, "import"))
			return true;
	}
	return has_tags(code);
}

/* vite.config.js; not api.config.js, which may be anything. */
static bool is_tools(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *end = strstr(name, ".config.");

	return end && words_are(name, (size_t)(end - name),
				"vite vitest webpack rollup rspack next nuxt playwright cypress jest svelte astro vue "
				"ecosystem karma wdio drizzle remix rsbuild electron.vite");
}

static bool is_node(const struct ps_fixing *f)
{
	const struct ps_code *code = &f->code;

	if (ends_with(f->path, ".cjs") || ends_with(f->path, ".cts") || is_tools(f->path) ||
	    (f->size > 2 && f->text[0] == '#' && f->text[1] == '!'))
		return true;
	for (size_t i = 0; i < f->use_count; i++)
		if (f->uses[i].use == PS_USE_LISTEN && f->uses[i].certainty == PS_CERTAIN)
			return true;
	for (uint32_t i = 0; i < code->count; i++) {
		const struct ps_token *t = &code->tokens[i];

		if (code_is_name(code, i, node_names) && !code_is_one(code, i - 1, ".") &&
		    !code_is_op(code, i + 1, OP1(':')) && !is_bundled(code, i))
			return true;
		if (t->kind != PS_TOKEN_STRING || !is_import(code, i))
			continue;
		if (t->outer - t->inner > 5 && memcmp(f->text + t->inner, "node:", 5) == 0)
			return true;
		if (code_is_string(code, i, node_modules))
			return true;
		if (t->outer - t->inner > 8 && memcmp(f->text + t->inner, "@nestjs/", 8) == 0)
			return true;
	}
	return false;
}

/* Nothing of 2015 or later in it. */
static bool is_old(const struct ps_fixing *f)
{
	const struct ps_code *code = &f->code;

	if (!ends_with(f->path, ".js") && !ends_with(f->path, ".cjs"))
		return false;
	for (uint32_t i = 0; i < code->count; i++) {
		const struct ps_token *t = &code->tokens[i];

		if (code_is_name(code, i, "const let class import export async await of") ||
		    code_is_op(code, i, OP2('=', '>')) || (t->kind == PS_TOKEN_STRING && f->text[t->from] == '`'))
			return false;
	}
	return code_has_name(code, "var require");
}

/* `process` becomes something else than Node's, or may: a parameter, a part of a pattern, an import. */
static bool is_bound(const struct ps_code *code, uint32_t i)
{
	if (code_is_one(code, i - 1, "."))
		return false;
	if (code_is_name(code, i - 1, "const let var function class as") || code_is_op(code, i + 1, OP1('=')) ||
	    code_is_op(code, i + 1, OP2('=', '>')))
		return true;
	if (code_is_name(code, i - 1, "import"))
		return !code_is_string(code, i + 2, "process node:process");
	if (!code_is_one(code, i + 1, ",)}]:"))
		return false;
	for (uint32_t p = code->parent[i]; p != CODE_NONE; p = code->parent[p]) {
		uint32_t behind = code->partner[p] + 1;

		if (code_is_name(code, p - 1, "const let var import") || code_is_op(code, behind, OP1('=')))
			return true;
		if (code_is_op(code, p, OP1('(')))
			return code_is_op(code, behind, OP2('=', '>')) ||
			       (code_is_op(code, behind, OP1('{')) &&
				!code_is_name(code, p - 1, "if while for switch with"));
	}
	return false;
}

static enum ps_fix_reason file(struct ps_fixing *f)
{
	const struct ps_code *code = &f->code;

	if (ends_with(f->path, ".d.ts") || ends_with(f->path, ".d.mts") || ends_with(f->path, ".d.cts"))
		return PS_FIX_TYPE;
	if (is_browser(f))
		return PS_FIX_BROWSER;
	if (!is_node(f) || code_has_name(code, "Deno"))
		return PS_FIX_NOT_NODE;
	/* A process of one's own is another one's environment. */
	for (uint32_t i = 1; i < code->count; i++)
		if (code_is_name(code, i, "process Number") && is_bound(code, i))
			return PS_FIX_TAKEN;
	f->old = is_old(f);
	return PS_FIX_DONE;
}

/* `type Port = 3000`, `interface`, `enum`: from the `=` or the brace back. */
static bool declares_type(const struct ps_code *code, uint32_t at)
{
	uint32_t parent = code->parent[at];

	if (parent != CODE_NONE && code_is_name(code, parent - 2, "enum"))
		return true;
	for (uint32_t i = code_statement(code, at); i < at; i++)
		if (code_is_name(code, i, "type interface enum declare") &&
		    code_token(code, i + 1)->kind == PS_TOKEN_NAME)
			return true;
	return false;
}

/* Braces that hold the properties of an object, and of no type, class or pattern. */
static bool is_object(const struct ps_code *code, uint32_t brace)
{
	uint32_t parent, close = code->partner[brace];

	/* A pattern, or a type. */
	if (code_is_one(code, close + 1, "=|&[<>") || code_is_op(code, brace - 1, OP1('<')))
		return false;
	if (code_is_name(code, brace - 1, "return default"))
		return true;
	if (code_is_op(code, brace - 1, OP1('=')))
		return !declares_type(code, brace - 1);
	parent = code->parent[brace];
	if (code_is_op(code, brace - 1, OP1(':')) || code_is_op(code, brace - 1, OP1(',')))
		return parent != CODE_NONE &&
		       ((code_is_op(code, parent, OP1('{')) && is_object(code, parent)) ||
			(code_is_op(code, brace - 1, OP1(',')) && code_is_one(code, parent, "([")));
	return code_is_one(code, brace - 1, "([?") || code_is_op(code, brace - 1, OP2('|', '|')) ||
	       code_is_op(code, brace - 1, OP2('?', '?'));
}

/* What stands behind `name:`. */
static bool is_property(const struct ps_code *code, uint32_t colon)
{
	uint32_t parent = code->parent[colon], key = colon - 1;
	const struct ps_token *t = code_token(code, key);

	if (parent == CODE_NONE || !code_is_op(code, parent, OP1('{')) || !is_object(code, parent))
		return false;
	if (code_is_op(code, key, OP1(']')))
		key = code->partner[key];
	else if (t->kind != PS_TOKEN_NAME && t->kind != PS_TOKEN_STRING && t->kind != PS_TOKEN_NUMBER)
		return false;
	return key - 1 == parent || code_is_op(code, key - 1, OP1(','));
}

/* A bracket whose contents are values: of a call, an array, a group. Not `a[3000]`. */
static bool holds_values(const struct ps_code *code, uint32_t bracket)
{
	const struct ps_token *before = code_token(code, bracket - 1);

	if (bracket == CODE_NONE || code_is_one(code, code->partner[bracket] + 1, "{|&"))
		return false; /* if (...) {, f(a = 3000) { is its own case */
	if (code_is_op(code, code->partner[bracket] + 1, OP2('=', '>')))
		return false;
	if (code_is_op(code, bracket, OP1('(')))
		return !code_is_name(code, bracket - 1, "if while for switch catch function");
	if (!code_is_op(code, bracket, OP1('[')))
		return false;
	if (before->kind == PS_TOKEN_NAME && !code->tokens[bracket].line)
		return code_is_name(code, bracket - 1, "return of in default");
	if (code_is_op(code, bracket - 1, OP1(':')))
		return is_property(code, bracket - 1);
	return code_is_one(code, bracket - 1, "([,=?") || code_is_op(code, bracket - 1, OP2('|', '|')) ||
	       code_is_op(code, bracket - 1, OP2('?', '?')) || code_is_op(code, bracket - 1, OP2('=', '>'));
}

/* Before a value. */
static bool introduces(const struct ps_code *code, uint32_t at)
{
	if (code_is_op(code, at, OP1('=')))
		return !declares_type(code, at) && !code_is_one(code, at - 1, "?");
	if (code_is_op(code, at, OP1(':')))
		return is_property(code, at);
	if (code_is_one(code, at, "([,")) {
		uint32_t bracket = code_is_op(code, at, OP1(',')) ? code->parent[at] : at;

		return holds_values(code, bracket);
	}
	return code_is_op(code, at, OP2('=', '>')) || code_is_op(code, at, OP2('|', '|')) ||
	       code_is_op(code, at, OP2('?', '?')) || code_is_name(code, at, "return await");
}

/* `port: 3000 | 4000 = 3000`: the type of what is assigned has values in it. */
static bool is_literal_type(const struct ps_code *code, uint32_t sign)
{
	uint32_t parent = code_token(code, sign)->kind == PS_TOKEN_END ? CODE_NONE : code->parent[sign];
	bool literal = false;
	int angles = 0;

	if (!code_is_op(code, sign, OP1('=')))
		return false;
	for (uint32_t i = sign - 1; i != CODE_NONE && i != parent && sign - i < 256; i--) {
		const struct ps_token *t = code_token(code, i);

		if (code->parent[i] == parent && code_is_op(code, i, OP1(':')))
			return literal;
		angles += code_is_op(code, i, OP1('>')) + 2 * code_is_op(code, i, OP2('>', '>'));
		angles -= code_is_op(code, i, OP1('<'));
		/* Behind another parameter's default, or another variable's value: not of this type. */
		if (code->parent[i] == parent && angles <= 0 && code_is_one(code, i, ",=;"))
			return false;
		if (t->line && t->kind != PS_TOKEN_OPERATOR)
			return false;
		literal = literal || code->tokens[i].kind == PS_TOKEN_STRING || code->tokens[i].kind == PS_TOKEN_NUMBER;
	}
	return false;
}

/* The value, or what it is a part of, has a type that only this value has. */
static bool is_typed(const struct ps_fixing *f, uint32_t token)
{
	const struct ps_code *code = &f->code;

	if (!ends_with(f->path, "ts"))
		return false;
	if (is_literal_type(code, token - 1))
		return true;
	for (uint32_t p = code->parent[token]; p != CODE_NONE && code_is_one(code, p, "{["); p = code->parent[p])
		if (is_literal_type(code, p - 1) || (code_is_name(code, code->partner[p] + 1, "as") &&
						     code_is_name(code, code->partner[p] + 2, "const")))
			return true;
	return false;
}

/* page.evaluate(() => ...): the browser of a test runs it. */
static bool is_sent(const struct ps_code *code, uint32_t token)
{
	static const char sent[] = "evaluate evaluateHandle evaluateOnNewDocument addInitScript $eval $$eval";
	uint32_t callee;

	for (uint32_t p = code->parent[token]; p != CODE_NONE; p = code->parent[p])
		if (code_call(code, p, &callee) && code_is_one(code, callee - 1, ".") &&
		    code_is_name(code, callee, sent))
			return true;
	return false;
}

static enum ps_fix_reason place(const struct ps_fixing *f, uint32_t token, bool whole)
{
	const struct ps_code *code = &f->code;
	bool text = code->tokens[token].kind == PS_TOKEN_STRING && !whole, before, behind;

	if (code_is_name(code, token - 1, "as satisfies") || code_is_name(code, token + 1, "as"))
		return PS_FIX_TYPE;
	if (code_is_op(code, token - 1, OP1(':')) && !is_property(code, token - 1))
		return PS_FIX_TYPE;
	if (code_is_op(code, token - 1, OP1('=')) && declares_type(code, token - 1))
		return PS_FIX_TYPE;
	if (is_typed(f, token))
		return PS_FIX_TYPE;
	if (is_sent(code, token))
		return PS_FIX_BROWSER;
	before = introduces(code, token - 1) || (text && code_is_op(code, token - 1, OP1('+')));
	behind = code_ends(code, token) || (text && code_is_op(code, token + 1, OP1('+')));
	return before && behind ? PS_FIX_DONE : PS_FIX_PLACE;
}

const struct ps_fix_idiom fix_javascript = {
	.number = "Number(process.env.\1 || \2)",
	.string = "process.env.\1 || \3",
	.loose = true,
	.join = '`',
	.file = file,
	.place = place,
};
