/*
 * go_type.c - Go: is a plain int or string certain to fit where a literal stands?
 *
 * Theory of operation: a literal takes the type of its surroundings (`var a Addr = ":8080"`, `f(":8080")`), what a
 * function returns does not. The types of other files are not known here. So a literal counts only where its
 * surroundings are known without them: arguments of functions and fields of structs of well-known packages that the
 * file imports under their own names, functions and structs that the file declares itself, results of a function
 * around it, composite literals of int and string, and variables that have no other type. A name that has a second
 * meaning in the file is not known.
 */
#include <string.h>

#include "idiom.h"

static bool same_name(const struct ps_code *code, uint32_t a, uint32_t b)
{
	const struct ps_token *x = code_token(code, a), *y = code_token(code, b);

	return x->kind == PS_TOKEN_NAME && y->kind == PS_TOKEN_NAME && x->until - x->from == y->until - y->from &&
	       memcmp(code->text + x->from, code->text + y->from, x->until - x->from) == 0;
}

static unsigned argument(const struct ps_code *code, uint32_t bracket, uint32_t token)
{
	unsigned n = 0;

	for (uint32_t i = bracket + 1; i < token; i++)
		n += code->parent[i] == bracket && code_is_one(code, i, ",");
	return n;
}

/* ---- packages ---- */

/* One of these paths is imported, under its own name. */
static bool imports(const struct ps_code *code, const char *paths)
{
	for (uint32_t i = 1; i < code->count; i++) {
		uint32_t parent = code->parent[i];

		if (!code_is_string(code, i, paths))
			continue;
		if (code_is_name(code, i - 1, "import"))
			return true;
		if (parent != CODE_NONE && code_is_name(code, parent - 1, "import") && code->tokens[i].line)
			return true;
	}
	return false;
}

/* `name` is the package's: everywhere in the file a `.` follows it. */
static bool is_package(const struct ps_code *code, uint32_t name, const char *word, const char *paths)
{
	if (!code_is_name(code, name, word) || code_is_one(code, name - 1, ".") || !code_is_one(code, name + 1, "."))
		return false;
	for (uint32_t i = 0; i < code->count; i++)
		if (same_name(code, i, name) && !code_is_one(code, i - 1, ".") && !code_is_one(code, i + 1, "."))
			return false;
	return imports(code, paths);
}

struct known {
	const char *name, *paths, *members;
};

static const struct known *find_known(const struct known *list, size_t count, const struct ps_code *code,
				      uint32_t member)
{
	for (size_t i = 0; i < count; i++)
		if (code_is_one(code, member - 1, ".") &&
		    (!list[i].members || code_is_name(code, member, list[i].members)) &&
		    is_package(code, member - 2, list[i].name, list[i].paths))
			return &list[i];
	return NULL;
}

#define FIND(list, code, member) find_known(list, sizeof(list) / sizeof((list)[0]), code, member)

/* Any of these takes anything; the first argument of those with an f is a format. */
static const struct known taking_all[] = {
	{ "fmt", "fmt", NULL },
	{ "log", "log", NULL },
	{ "slog", "log/slog", "Debug Info Warn Error String Any" },
};

/* All of their parameters that take a string are plain strings. */
static const struct known taking_string[] = {
	{ "http", "net/http", NULL },
	{ "httptest", "net/http/httptest", NULL },
	{ "net", "net", NULL },
	{ "url", "net/url", NULL },
	{ "strings", "strings", NULL },
	{ "errors", "errors", "New" },
	{ "os", "os", NULL },
	{ "exec", "os/exec", "Command CommandContext" },
	{ "flag", "flag github.com/spf13/pflag", NULL },
	{ "pflag", "github.com/spf13/pflag", NULL },
	{ "tls", "crypto/tls", "Dial Listen" },
	{ "grpc", "google.golang.org/grpc", "Dial DialContext NewClient" },
	{ "rpc", "net/rpc", "Dial DialHTTP" },
};

static const struct known taking_int[] = {
	{ "strconv", "strconv", "Itoa" },
	{ "flag", "flag github.com/spf13/pflag", "Int IntVar IntP" },
	{ "pflag", "github.com/spf13/pflag", "Int IntVar IntP" },
};

/* What these return has methods that take plain strings. */
static const struct {
	struct known made;
	const char *methods;
} makers[] = {
	{ { "gin", "github.com/gin-gonic/gin", "Default New" }, "Run RunTLS" },
	{ { "echo", "github.com/labstack/echo github.com/labstack/echo/v4", "New" }, "Start StartTLS" },
	{ { "fiber", "github.com/gofiber/fiber github.com/gofiber/fiber/v2 github.com/gofiber/fiber/v3", "New" },
	  "Listen" },
	{ { "flag", "flag github.com/spf13/pflag", "NewFlagSet" }, "String StringVar StringP Int IntVar IntP" },
};

/* An argument of a call; not a parameter, and not a part of `r, err := ...`. */
static bool is_passed(const struct ps_code *code, uint32_t i)
{
	uint32_t bracket = code->parent[i], callee;

	return code_is_one(code, i + 1, ",)") && bracket != CODE_NONE && code_call(code, bracket, &callee) &&
	       !code_is_name(code, callee, "func") && !code_is_name(code, callee - 1, "func") &&
	       (code->tokens[callee].line || !code_is_one(code, callee - 1, ")"));
}

/* r.Run of `r := gin.Default()`, where nothing else in the file is called r. */
static bool is_made(const struct ps_code *code, uint32_t method)
{
	uint32_t name = method - 2, made = CODE_NONE;

	if (!code_is_one(code, method - 1, ".") || code_is_one(code, method - 3, "."))
		return false;
	for (uint32_t i = 0; i < code->count; i++) {
		if (!same_name(code, i, name) || code_is_one(code, i - 1, "."))
			continue;
		if (code_is_op(code, i + 1, OP2(':', '=')) && made == CODE_NONE)
			made = i + 4; /* := gin . Default */
		else if (!code_is_one(code, i + 1, ".") && !is_passed(code, i))
			return false;
	}
	for (size_t i = 0; made != CODE_NONE && i < sizeof(makers) / sizeof(makers[0]); i++)
		if (code_is_name(code, method, makers[i].methods) && code_is_op(code, made + 1, OP1('(')) &&
		    find_known(&makers[i].made, 1, code, made))
			return true;
	return false;
}

/* ---- what the file declares ---- */

/* The names or types between two commas of a parameter list: the first token of the nth, and how many. */
static uint32_t parameter(const struct ps_code *code, uint32_t bracket, unsigned n, uint32_t *count)
{
	uint32_t from = bracket + 1, close = code->partner[bracket], i;

	for (i = bracket + 1; i < close; i++) {
		if (code->parent[i] != bracket || !code_is_one(code, i, ","))
			continue;
		if (n-- == 0)
			break;
		from = i + 1;
	}
	*count = i - from;
	return i < close || n == 0 ? from : CODE_NONE;
}

/* The nth of `(a, b string, c int)` or `(string, error)` is of this type. */
static bool is_nth(const struct ps_code *code, uint32_t bracket, unsigned n, const char *type)
{
	uint32_t count, at = parameter(code, bracket, n, &count), first = at;

	if (at == CODE_NONE)
		return false;
	for (; at != CODE_NONE && count == 1 && n < 64; at = parameter(code, bracket, ++n, &count))
		;
	if (at == CODE_NONE) /* types alone */
		return code_is_name(code, first, type) && first + 1 <= code->partner[bracket];
	return count == 2 && code_is_name(code, at + 1, type) && code_token(code, at)->kind == PS_TOKEN_NAME;
}

/* The function of the file that is called so, if nothing else is. */
static bool is_own(const struct ps_code *code, uint32_t callee, unsigned n, const char *type)
{
	uint32_t declared = CODE_NONE;

	if (code_is_one(code, callee - 1, "."))
		return false;
	for (uint32_t i = 1; i < code->count; i++) {
		if (!same_name(code, i, callee) || code_is_one(code, i - 1, "."))
			continue;
		if (!code_is_op(code, i + 1, OP1('(')))
			return false;
		if (code_is_name(code, i - 1, "func") && code->parent[i] == CODE_NONE)
			declared = i + 1;
	}
	return declared != CODE_NONE && is_nth(code, declared, n, type);
}

/* `type NAME struct { ... KEY int ... }` in this file, each time. */
static bool is_own_field(const struct ps_code *code, uint32_t name, uint32_t key, const char *type)
{
	bool found = false;

	for (uint32_t i = 0; i + 3 < code->count; i++) {
		uint32_t brace = i + 3;
		bool here = false;

		if (!code_is_name(code, i, "type") || !same_name(code, i + 1, name))
			continue;
		if (!code_is_name(code, i + 2, "struct") || !code_is_op(code, brace, OP1('{')))
			return false;
		for (uint32_t k = brace + 1; k < code->partner[brace]; k++)
			if (code->parent[k] == brace && code->tokens[k].line && same_name(code, k, key))
				here = code_is_name(code, k + 1, type) &&
				       (code_token(code, k + 2)->line ||
					code_token(code, k + 2)->kind == PS_TOKEN_STRING);
		if (!here)
			return false;
		found = true;
	}
	return found;
}

static const struct known string_fields[] = {
	{ "http", "net/http", "Server" },
	{ "url", "net/url", "URL" },
	{ "redis", "github.com/redis/go-redis/v9 github.com/go-redis/redis github.com/go-redis/redis/v8", "Options" },
};

static const struct known int_fields[] = {
	{ "net", "net", "TCPAddr UDPAddr" },
};

static const struct known maps_of_all[] = {
	{ "gin", "github.com/gin-gonic/gin", "H" },
	{ "fiber", "github.com/gofiber/fiber/v2 github.com/gofiber/fiber/v3", "Map" },
	{ "echo", "github.com/labstack/echo/v4", "Map" },
};

/* http.Server{Addr: ":8080"}, map[string]int{"web": 8080}, []string{":8080"}, Config{Port: 8080} */
static bool is_element(const struct ps_code *code, uint32_t first, const char *type, bool mixed)
{
	uint32_t brace = code->parent[first];
	bool string = type[0] == 's';

	if (brace == CODE_NONE || !code_is_op(code, brace, OP1('{')))
		return false;
	if (code_is_one(code, brace - 2, "]") && code_is_one(code, first - 1, "{,:") &&
	    (code_is_name(code, brace - 1, type) || (!mixed && code_is_name(code, brace - 1, "any"))))
		return true;
	if (!code_is_one(code, first - 1, ":"))
		return false;
	if (!mixed && code_is_one(code, brace - 1, "}") && code_is_name(code, brace - 3, "interface") &&
	    code_is_one(code, brace - 4, "]"))
		return true;
	if (!mixed && FIND(maps_of_all, code, brace - 1))
		return true;
	if (string ? FIND(string_fields, code, brace - 1) && code_is_name(code, first - 2, "Addr Host Scheme Path")
		   : FIND(int_fields, code, brace - 1) && code_is_name(code, first - 2, "Port"))
		return true;
	return code_token(code, brace - 1)->kind == PS_TOKEN_NAME && !code_is_one(code, brace - 2, ".]*") &&
	       is_own_field(code, brace - 1, first - 2, type);
}

/* `return ":8080"` in `func f() string {` */
static bool is_result(const struct ps_code *code, uint32_t first, const char *type)
{
	uint32_t at = first - 1, brace = code->parent[first], line;
	unsigned n = 0;

	for (; at != CODE_NONE && !code_is_name(code, at, "return"); at--) {
		if (code->parent[at] == brace && code->tokens[at].line)
			return false;
		n += code->parent[at] == brace && code_is_one(code, at, ",");
	}
	if (at == CODE_NONE)
		return false;
	for (; brace != CODE_NONE && code_is_op(code, brace, OP1('{')); brace = code->parent[brace]) {
		if (code_is_name(code, brace - 1, type) && code_is_one(code, brace - 2, ")"))
			return n == 0;
		if (code_is_one(code, brace - 1, ")") && code->partner[brace - 1] > 0 &&
		    code_is_one(code, code->partner[brace - 1] - 1, ")"))
			return is_nth(code, code->partner[brace - 1], n, type);
		line = code_line(code, brace);
		if (!code_is_name(code, line, "if for switch select") && !code_is_one(code, line, "}"))
			return false;
		for (; line < brace; line++)
			if (code_is_name(code, line, "func"))
				return false;
	}
	return false;
}

/* ---- places ---- */

/* a := 8080, var a = 8080, var a int = 8080: the variable is made here, and has no other type. */
static bool is_variable(const struct ps_code *code, uint32_t first, const char *type, bool mixed)
{
	uint32_t name = first - 2, bracket = code->parent[first];
	bool typed = false;

	if (code_is_op(code, first - 1, OP2(':', '=')))
		return !mixed && (code_token(code, name)->line || code_is_name(code, name - 1, "if for switch") ||
				  code_is_one(code, name - 1, "{;"));
	if (!code_is_op(code, first - 1, OP1('=')))
		return false;
	if (code_is_name(code, name, type) && code_token(code, name - 1)->kind == PS_TOKEN_NAME &&
	    !code_is_name(code, name - 1, "var")) {
		typed = true;
		name--;
	}
	if (mixed && !typed)
		return false;
	return code_is_name(code, name - 1, "var") ||
	       (code_token(code, name)->line && bracket != CODE_NONE && code_is_op(code, bracket, OP1('(')) &&
		code_is_name(code, bracket - 1, "var"));
}

static bool is_argument(const struct ps_code *code, uint32_t first, const char *type, bool mixed)
{
	uint32_t bracket = code->parent[first], callee;
	bool string = type[0] == 's';
	unsigned n;

	if (bracket == CODE_NONE || !code_is_one(code, first - 1, "(,"))
		return false;
	if (string && code_is_name(code, bracket - 1, "byte") && code_is_one(code, bracket - 2, "]"))
		return true;
	if (!code_call(code, bracket, &callee))
		return false;
	n = argument(code, bracket, first);
	if (FIND(taking_all, code, callee)) {
		bool format = code->text[code->tokens[callee].until - 1] == 'f';

		/* A format that is no constant, with nothing to format, does not pass `go vet`. */
		if (format && string && n == 0 && argument(code, bracket, code->partner[bracket]) == 0)
			return false;
		if (format && string && code_is_name(code, callee, "Fprintf") && n == 1 &&
		    argument(code, bracket, code->partner[bracket]) == 1)
			return false;
		return !mixed;
	}
	if (string && FIND(taking_string, code, callee))
		return true;
	if (is_made(code, callee) && code_is_name(code, callee, "Int IntVar IntP") != string)
		return true;
	if (!string && FIND(taking_int, code, callee))
		return true;
	return is_own(code, callee, n, type);
}

/* What stands before a `+` of token `at`: its first token; *mixed if it may be of another type of strings. */
static uint32_t operand(const struct ps_code *code, uint32_t at, bool *mixed)
{
	if (code_token(code, at)->kind == PS_TOKEN_STRING)
		return at;
	*mixed = *mixed || !code_is_one(code, at, ")") ||
		 !code_is_name(code, code->partner[at] - 1,
			       "Sprintf Sprint Sprintln Getenv Itoa JoinHostPort FormatInt envOr");
	while (at != CODE_NONE) {
		if (code_is_one(code, at, ")]")) {
			at = code->partner[at];
			if (code_token(code, at - 1)->kind != PS_TOKEN_NAME && !code_is_one(code, at - 1, ")]"))
				return at;
			at--;
		} else if (code_token(code, at)->kind != PS_TOKEN_NAME) {
			return CODE_NONE;
		} else if (code_is_one(code, at - 1, ".")) {
			at -= 2;
		} else {
			return at;
		}
	}
	return at;
}

/* The sum that a string is a part of: where it begins. */
static uint32_t sum(const struct ps_code *code, uint32_t token, bool *mixed)
{
	uint32_t first = token, last = token;

	while (first != CODE_NONE && first > 1 && code_is_one(code, first - 1, "+"))
		first = operand(code, first - 2, mixed);
	while (code_is_one(code, last + 1, "+")) {
		last += 2;
		if (code_token(code, last)->kind == PS_TOKEN_STRING)
			continue;
		if (code_is_name(code, last, "fmt os strconv net") && code_is_one(code, last + 1, "."))
			last += 2;
		if (!code_is_name(code, last, "Sprintf Sprint Sprintln Getenv Itoa JoinHostPort FormatInt envOr") ||
		    !code_is_op(code, last + 1, OP1('('))) {
			*mixed = true;
			break;
		}
		last = code->partner[last + 1];
	}
	return first;
}

bool fix_go_takes(const struct ps_code *code, uint32_t token)
{
	bool string = code->tokens[token].kind == PS_TOKEN_STRING, mixed = false;
	const char *type = string ? "string" : "int";
	uint32_t first = string ? sum(code, token, &mixed) : token;

	if (first == CODE_NONE || first == 0)
		return false;
	return is_variable(code, first, type, mixed) || is_element(code, first, type, mixed) ||
	       is_argument(code, first, type, mixed) || is_result(code, first, type);
}
