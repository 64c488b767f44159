/*
 * go.c - Go: envPort("PORT", 8080), ":" + envOr("PORT", "8080").
 *
 * The standard library reads no variable with a default in one expression (cmp.Or does, since Go 1.22), so the package
 * gets a function for it: at the end of the first of its files that needs it, with the imports there. A number without
 * a type fits where the function's int does not, and so does a string: they are changed only where a plain int or
 * string is wanted for certain (go_type.c). Constants stay.
 */
#include <stdio.h>
#include <string.h>

#include "idiom.h"

static const char string_function[] =
	"\n// envOr returns an environment variable, or the fallback where it is not set.\n"
	"func envOr(name, fallback string) string {\n"
	"\tif value := os.Getenv(name); value != \"\" {\n"
	"\t\treturn value\n"
	"\t}\n"
	"\treturn fallback\n"
	"}\n";

static const char port_function[] =
	"\n// envPort returns the number in an environment variable, or the fallback where there is none.\n"
	"func envPort(name string, fallback int) int {\n"
	"\tif port, err := strconv.Atoi(os.Getenv(name)); err == nil {\n"
	"\t\treturn port\n"
	"\t}\n"
	"\treturn fallback\n"
	"}\n";

unsigned fix_go_declared(const char *text, size_t size, bool *taken)
{
	static const struct {
		const char *start, *whole;
		unsigned bit;
	} functions[] = {
		{ "\nfunc envOr(", "\nfunc envOr(name, fallback string) string {", FIX_GO_STRING },
		{ "\nfunc envPort(", "\nfunc envPort(name string, fallback int) int {", FIX_GO_PORT },
	};
	unsigned found = 0;

	for (unsigned i = 0; i < 2; i++) {
		const char *at = memmem(text, size, functions[i].start, strlen(functions[i].start));
		size_t length = strlen(functions[i].whole);

		if (!at)
			continue;
		if (size - (size_t)(at - text) >= length && memcmp(at, functions[i].whole, length) == 0)
			found |= functions[i].bit;
		else
			*taken = true;
	}
	return found;
}

bool fix_go_constrained(const char *path, const char *text, size_t size)
{
	static const char *const systems[] = { "_linux", "_windows", "_darwin", "_freebsd", "_openbsd", "_netbsd",
					       "_unix",  "_amd64",   "_arm64",  "_386",     "_arm",     "_wasm",
					       "_js",    "_android", "_ios",    "_test" };
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	for (size_t i = 0; i < sizeof(systems) / sizeof(systems[0]); i++)
		if (strstr(name, systems[i]))
			return true;
	return memmem(text, size, "//go:build", 10) || memmem(text, size, "// +build", 9);
}

static enum ps_fix_reason file(struct ps_fixing *f)
{
	const struct ps_code *code = &f->code;
	bool taken = false;

	if (!code_is_name(code, 0, "package") || memchr(f->text, '\r', f->size))
		return PS_FIX_UNCLEAR; /* gofmt has no such line ends */
	f->helped = fix_go_declared(f->text, f->size, &taken);
	for (uint32_t i = 0; i < code->count && !taken; i++) {
		/* Another package of that name, or another name for it; a variable of the functions' names. */
		taken = (code->tokens[i].kind == PS_TOKEN_STRING && code_token(code, i - 1)->kind == PS_TOKEN_NAME &&
			 code_is_string(code, i, "os strconv") && !code_is_name(code, i - 1, "import")) ||
			(code_is_name(code, i, "envOr envPort") && !code_is_op(code, i + 1, OP1('('))) ||
			(code_is_name(code, i, "os strconv") && code_is_name(code, i - 1, "func var const type"));
	}
	return taken ? PS_FIX_TAKEN : PS_FIX_DONE;
}

/* ---- places ---- */

static bool in_group(const struct ps_code *code, uint32_t token, const char *keyword)
{
	for (uint32_t p = code->parent[token]; p != CODE_NONE; p = code->parent[p])
		if (code_is_op(code, p, OP1('(')) && code_is_name(code, p - 1, keyword))
			return true;
	return code_is_name(code, code_statement(code, token), keyword);
}

static bool introduces(const struct ps_code *code, uint32_t at)
{
	uint32_t parent = at == CODE_NONE ? CODE_NONE : code->parent[at];

	if (code_is_one(code, at, ":"))
		return parent != CODE_NONE && code_is_op(code, parent, OP1('{')) &&
		       !code_is_name(code, code_line(code, at), "case default");
	if (code_is_one(code, at, ","))
		return parent == CODE_NONE || code_is_one(code, parent, "({");
	return code_is_one(code, at, "({=") || code_is_op(code, at, OP2(':', '=')) || code_is_name(code, at, "return");
}

/* A line of `var (...)` ends without a sign. */
static bool ends_in_group(const struct ps_code *code, uint32_t token)
{
	uint32_t parent = code->parent[token];

	return parent != CODE_NONE && code_is_op(code, parent, OP1('(')) && code_is_name(code, parent - 1, "var") &&
	       code_token(code, token + 1)->line && code_token(code, token + 1)->kind == PS_TOKEN_NAME;
}

static enum ps_fix_reason place(const struct ps_fixing *f, uint32_t token, bool whole)
{
	const struct ps_code *code = &f->code;
	bool string = code->tokens[token].kind == PS_TOKEN_STRING, text = string && !whole, before, behind;

	if (f->unhelped && (f->helped & (string ? FIX_GO_STRING : FIX_GO_PORT)) == 0)
		return PS_FIX_BUILD;
	if (in_group(code, token, "const"))
		return PS_FIX_CONSTANT;
	if (in_group(code, token, "import case type"))
		return PS_FIX_PLACE;
	if (string && f->text[code->tokens[token].from] != '"')
		return PS_FIX_STRING;
	if (!fix_go_takes(code, token))
		return PS_FIX_TYPE;
	before = introduces(code, token - 1) || (text && code_is_one(code, token - 1, "+"));
	behind = code_ends(code, token) || ends_in_group(code, token) || (text && code_is_one(code, token + 1, "+"));
	return before && behind ? PS_FIX_DONE : PS_FIX_PLACE;
}

/* Among several arguments gofmt writes a + b without spaces. */
const char *fix_go_plus(const struct ps_fixing *f, uint32_t token)
{
	const struct ps_code *code = &f->code;

	if (code_is_one(code, token + 1, "+"))
		return code->tokens[token + 1].space ? " + " : "+";
	if (code_is_one(code, token - 1, "+"))
		return code->tokens[token].space ? " + " : "+";
	for (uint32_t p = code->parent[token]; p != CODE_NONE; p = code->parent[p]) {
		if (!code_is_op(code, p, OP1('(')))
			break;
		for (uint32_t i = p + 1; i < code->partner[p]; i++)
			if (code->parent[i] == p && code_is_one(code, i, ",") && i + 1 < code->partner[p])
				return "+";
	}
	return " + ";
}

/* ---- imports ---- */

static bool has_import(const struct ps_code *code, const char *path)
{
	for (uint32_t i = 0; i < code->count; i++)
		if (code_is_string(code, i, path) && in_group(code, i, "import"))
			return true;
	return false;
}

/* Behind the end of the line that has the offset. */
static uint32_t line_end(const struct ps_fixing *f, uint32_t offset)
{
	const char *end = memchr(f->text + offset, '\n', f->size - offset);

	return end ? (uint32_t)(end + 1 - f->text) : f->size;
}

static uint32_t line_start(const struct ps_fixing *f, uint32_t offset)
{
	while (offset > 0 && f->text[offset - 1] != '\n')
		offset--;
	return offset;
}

/* The place of a path among those of the first block of `import (...)`. */
static uint32_t sorted_place(const struct ps_fixing *f, uint32_t bracket, const char *path)
{
	const struct ps_code *code = &f->code;
	uint32_t start = line_end(f, code->tokens[bracket].from), end = start;

	for (uint32_t i = bracket + 1; i < code->partner[bracket]; i++) {
		const struct ps_token *t = &code->tokens[i];
		size_t length = t->outer - t->inner;
		int order;

		if (t->kind != PS_TOKEN_STRING)
			continue;
		if (end != start && line_start(f, t->from) != end)
			break; /* an empty line, or a comment: another block */
		order = memcmp(f->text + t->inner, path, length < strlen(path) ? length : strlen(path));
		if (order > 0)
			return line_start(f, t->from);
		end = line_end(f, t->until);
	}
	return end;
}

static void import_one(struct ps_fixing *f, uint32_t keyword, const char *path)
{
	const struct ps_code *code = &f->code;

	if (keyword == CODE_NONE)
		fix_splice(f, line_end(f, code->tokens[1].from), 0, "\nimport \"%s\"\n", path);
	else if (code_is_op(code, keyword + 1, OP1('(')))
		fix_splice(f, sorted_place(f, keyword + 1, path), 0, "\t\"%s\"\n", path);
	else
		fix_splice(f, line_end(f, code->tokens[keyword].from), 0, "import \"%s\"\n", path);
}

/* Two at one place become one splice. */
static void import_all(struct ps_fixing *f, unsigned missing)
{
	const struct ps_code *code = &f->code;
	bool os = !has_import(code, "os"), convert = (missing & FIX_GO_PORT) && !has_import(code, "strconv");
	uint32_t keyword = CODE_NONE, first, second;

	for (uint32_t i = 0; i < code->count && keyword == CODE_NONE; i++)
		if (code_is_name(code, i, "import") && code->tokens[i].line && code->parent[i] == CODE_NONE &&
		    !code_is_string(code, i + 1, "C"))
			keyword = i;
	if (!os || !convert) {
		if (os)
			import_one(f, keyword, "os");
		if (convert)
			import_one(f, keyword, "strconv");
		return;
	}
	if (keyword == CODE_NONE) {
		fix_splice(f, line_end(f, code->tokens[1].from), 0, "\nimport (\n\t\"os\"\n\t\"strconv\"\n)\n");
		return;
	}
	if (!code_is_op(code, keyword + 1, OP1('('))) {
		fix_splice(f, line_end(f, code->tokens[keyword].from), 0, "import \"os\"\nimport \"strconv\"\n");
		return;
	}
	first = sorted_place(f, keyword + 1, "os");
	second = sorted_place(f, keyword + 1, "strconv");
	if (first == second) {
		fix_splice(f, first, 0, "\t\"os\"\n\t\"strconv\"\n");
	} else {
		fix_splice(f, first, 0, "\t\"os\"\n");
		fix_splice(f, second, 0, "\t\"strconv\"\n");
	}
}

static void finish(struct ps_fixing *f)
{
	unsigned missing = 0;

	for (size_t i = 0; i < f->splices.count; i++) {
		if (strstr(f->splices.list[i].text, "envOr("))
			missing |= FIX_GO_STRING;
		if (strstr(f->splices.list[i].text, "envPort("))
			missing |= FIX_GO_PORT;
	}
	missing &= ~f->helped;
	if (!missing)
		return;
	import_all(f, missing);
	fix_splice(f, f->size, 0, "%s%s%s", f->size && f->text[f->size - 1] == '\n' ? "" : "\n",
		   missing & FIX_GO_STRING ? string_function : "", missing & FIX_GO_PORT ? port_function : "");
	f->needs = missing;
}

const struct ps_fix_idiom fix_go = {
	.number = "envPort(\"\1\", \2)",
	.string = "envOr(\"\1\", \3)",
	.join = '+',
	.file = file,
	.place = place,
	.finish = finish,
};
