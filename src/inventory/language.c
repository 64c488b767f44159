/*
 * language.c - the languages, and which of them a file is in.
 */
#include "language.h"

#include <string.h>
#include <strings.h>

#define C_COMMENTS .comment = { "//" }, .open = "/*", .close = "*/"

const struct ps_language_info language_table[PS_LANG_COUNT] = {
	[PS_LANG_NONE] = { .name = "none", .quotes = "", .multiline = "" },
	[PS_LANG_JAVASCRIPT] = { .name = "javascript",
				 .flags = LANG_REGEX,
				 C_COMMENTS,
				 .quotes = "\"'`",
				 .multiline = "`",
				 .interpolate = "$",
				 .letters = "$" },
	[PS_LANG_PYTHON] = { .name = "python",
			     .flags = LANG_TRIPLE | LANG_BACKLOG,
			     .comment = { "#" },
			     .quotes = "\"'",
			     .multiline = "",
			     .interpolate = "{" },
	[PS_LANG_GO] = { .name = "go", .flags = LANG_CHARACTER, C_COMMENTS, .quotes = "\"`", .multiline = "`" },
	[PS_LANG_RUBY] = { .name = "ruby",
			   .flags = LANG_REGEX | LANG_HEREDOC | LANG_BACKLOG,
			   .comment = { "#" },
			   .open = "\n=begin",
			   .close = "\n=end",
			   .quotes = "\"'`",
			   .multiline = "\"'",
			   .interpolate = "#",
			   .letters = "@$" },
	[PS_LANG_PHP] = { .name = "php",
			  .flags = LANG_HEREDOC | LANG_BACKLOG,
			  .comment = { "//", "#" },
			  .open = "/*",
			  .close = "*/",
			  .quotes = "\"'",
			  .multiline = "\"'",
			  .letters = "$" },
	[PS_LANG_JAVA] = { .name = "java",
			   .flags = LANG_TRIPLE | LANG_CHARACTER,
			   C_COMMENTS,
			   .quotes = "\"",
			   .multiline = "" },
	[PS_LANG_KOTLIN] = { .name = "kotlin",
			     .flags = LANG_TRIPLE | LANG_CHARACTER | LANG_NEST_COMMENT,
			     C_COMMENTS,
			     .quotes = "\"",
			     .multiline = "",
			     .interpolate = "$" },
	[PS_LANG_PROPERTIES] = { .name = "properties",
				 .flags = LANG_WORDS | LANG_COMMENT_LINE | LANG_QUOTE_START,
				 .comment = { "#", "!" },
				 .quotes = "\"",
				 .multiline = "" },
	[PS_LANG_C] = { .name = "c",
			.flags = LANG_CHARACTER | LANG_BACKLOG,
			C_COMMENTS,
			.quotes = "\"",
			.multiline = "" },
	[PS_LANG_ELIXIR] = { .name = "elixir",
			     .flags = LANG_TRIPLE | LANG_BACKLOG,
			     .comment = { "#" },
			     .quotes = "\"'",
			     .multiline = "\"",
			     .interpolate = "#",
			     .letters = "@?!" },
	[PS_LANG_RUST] = { .name = "rust",
			   .flags = LANG_CHARACTER | LANG_RAW | LANG_NEST_COMMENT,
			   C_COMMENTS,
			   .quotes = "\"",
			   .multiline = "\"" },
	[PS_LANG_SHELL] = { .name = "shell",
			    .flags = LANG_WORDS | LANG_COMMENT_SPACE | LANG_HEREDOC | LANG_NAMED_HOSTS,
			    .comment = { "#" },
			    .quotes = "\"'`",
			    .multiline = "\"'" },
	[PS_LANG_DOCKERFILE] = { .name = "dockerfile",
				 .flags = LANG_WORDS | LANG_COMMENT_LINE,
				 .comment = { "#" },
				 .quotes = "\"'",
				 .multiline = "" },
	[PS_LANG_COMPOSE] = { .name = "compose",
			      .flags = LANG_WORDS | LANG_COMMENT_SPACE | LANG_INDENT | LANG_QUOTE_START,
			      .comment = { "#" },
			      .quotes = "\"'",
			      .multiline = "" },
	[PS_LANG_YAML] = { .name = "yaml",
			   .flags = LANG_WORDS | LANG_COMMENT_SPACE | LANG_INDENT | LANG_QUOTE_START,
			   .comment = { "#" },
			   .quotes = "\"'",
			   .multiline = "" },
	[PS_LANG_JSON] = { .name = "json", C_COMMENTS, .quotes = "\"'", .multiline = "" },
	[PS_LANG_DOTENV] = { .name = "dotenv",
			     .flags = LANG_WORDS | LANG_COMMENT_SPACE | LANG_QUOTE_START | LANG_NAMED_HOSTS,
			     .comment = { "#" },
			     .quotes = "\"'",
			     .multiline = "" },
	[PS_LANG_NGINX] = { .name = "nginx",
			    .flags = LANG_WORDS | LANG_COMMENT_SPACE | LANG_QUOTE_START | LANG_NAMED_HOSTS |
				     LANG_DIRECTIVE,
			    .comment = { "#" },
			    .quotes = "\"'",
			    .multiline = "" },
	[PS_LANG_CADDY] = { .name = "caddy",
			    .flags = LANG_WORDS | LANG_COMMENT_SPACE | LANG_QUOTE_START | LANG_NAMED_HOSTS |
				     LANG_DIRECTIVE,
			    .comment = { "#" },
			    .quotes = "\"`",
			    .multiline = "`" },
	[PS_LANG_TOML] = { .name = "toml",
			   .flags = LANG_TRIPLE,
			   .comment = { "#" },
			   .quotes = "\"'",
			   .multiline = "",
			   .letters = "-" },
	[PS_LANG_INI] = { .name = "ini",
			  .flags = LANG_WORDS | LANG_COMMENT_LINE | LANG_QUOTE_START,
			  .comment = { "#", ";" },
			  .quotes = "\"'",
			  .multiline = "" },
	[PS_LANG_MAKE] = { .name = "make",
			   .flags = LANG_WORDS | LANG_COMMENT_SPACE | LANG_NAMED_HOSTS,
			   .comment = { "#" },
			   .quotes = "\"'",
			   .multiline = "" },
	[PS_LANG_MARKUP] = { .name = "markup",
			     .flags = LANG_WORDS | LANG_QUOTE_START,
			     .open = "<!--",
			     .close = "-->",
			     .quotes = "\"",
			     .multiline = "" },
	[PS_LANG_HTML] = { .name = "html",
			   .flags = LANG_WORDS | LANG_QUOTE_START | LANG_TAGS,
			   .open = "<!--",
			   .close = "-->",
			   .quotes = "\"",
			   .multiline = "" },
	[PS_LANG_GROOVY] = { .name = "groovy",
			     .flags = LANG_TRIPLE,
			     C_COMMENTS,
			     .quotes = "\"'",
			     .multiline = "",
			     .interpolate = "$" },
};

const struct ps_language_info language_embedded = {
	.name = "text",
	.flags = LANG_WORDS | LANG_QUOTE_START | LANG_EMBEDDED,
	.quotes = "\"'",
	.multiline = "",
};

static uint8_t classes[PS_LANG_COUNT][256];

static void add_class(uint8_t *class, const char *bytes, uint8_t bit)
{
	for (; bytes && *bytes; bytes++)
		class[(unsigned char)*bytes] |= bit;
}

const uint8_t *language_classes(const struct ps_language_info *l)
{
	/* The text in strings has the place of no language. */
	uint8_t *class = classes[l >= language_table && l < language_table + PS_LANG_COUNT ? l - language_table : 0];

	if (class['a'])
		return class;
	for (unsigned c = 1; c < 256; c++) {
		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c >= 0x80)
			class[c] |= CLASS_NAME;
		if (c <= ' ')
			class[c] |= CLASS_STOP;
	}
	class[0] |= CLASS_STOP;
	add_class(class, l->letters, CLASS_NAME);
	add_class(class, l->quotes, CLASS_QUOTE | CLASS_STOP);
	for (unsigned i = 0; i < 3 && l->comment[i]; i++)
		class[(unsigned char)l->comment[i][0]] |= CLASS_COMMENT;
	if (l->open)
		class[(unsigned char)(l->open[0] == '\n' ? l->open[1] : l->open[0])] |= CLASS_COMMENT;
	add_class(class, ";{}()[],=|&<>:$\\\"'`", CLASS_STOP);
	add_class(class, ">=|?:&.+-*<\\", CLASS_SECOND);
	return class;
}

struct named {
	const char *name;
	enum ps_language language;
};

static const struct named extensions[] = {
	{ "js", PS_LANG_JAVASCRIPT },
	{ "jsx", PS_LANG_JAVASCRIPT },
	{ "mjs", PS_LANG_JAVASCRIPT },
	{ "cjs", PS_LANG_JAVASCRIPT },
	{ "ts", PS_LANG_JAVASCRIPT },
	{ "tsx", PS_LANG_JAVASCRIPT },
	{ "mts", PS_LANG_JAVASCRIPT },
	{ "cts", PS_LANG_JAVASCRIPT },
	{ "vue", PS_LANG_JAVASCRIPT },
	{ "svelte", PS_LANG_JAVASCRIPT },
	{ "astro", PS_LANG_JAVASCRIPT },
	{ "py", PS_LANG_PYTHON },
	{ "pyw", PS_LANG_PYTHON },
	{ "pyi", PS_LANG_PYTHON },
	{ "go", PS_LANG_GO },
	{ "rb", PS_LANG_RUBY },
	{ "ru", PS_LANG_RUBY },
	{ "rake", PS_LANG_RUBY },
	{ "gemspec", PS_LANG_RUBY },
	{ "php", PS_LANG_PHP },
	{ "phtml", PS_LANG_PHP },
	{ "java", PS_LANG_JAVA },
	{ "groovy", PS_LANG_GROOVY },
	{ "gradle", PS_LANG_GROOVY },
	{ "scala", PS_LANG_JAVA },
	{ "cs", PS_LANG_JAVA },
	{ "kt", PS_LANG_KOTLIN },
	{ "kts", PS_LANG_KOTLIN },
	{ "properties", PS_LANG_PROPERTIES },
	{ "c", PS_LANG_C },
	{ "h", PS_LANG_C },
	{ "cc", PS_LANG_C },
	{ "cpp", PS_LANG_C },
	{ "cxx", PS_LANG_C },
	{ "hh", PS_LANG_C },
	{ "hpp", PS_LANG_C },
	{ "ino", PS_LANG_C },
	{ "ex", PS_LANG_ELIXIR },
	{ "exs", PS_LANG_ELIXIR },
	{ "heex", PS_LANG_HTML },
	{ "rs", PS_LANG_RUST },
	{ "sh", PS_LANG_SHELL },
	{ "bash", PS_LANG_SHELL },
	{ "zsh", PS_LANG_SHELL },
	{ "ksh", PS_LANG_SHELL },
	{ "fish", PS_LANG_SHELL },
	{ "bats", PS_LANG_SHELL },
	{ "dockerfile", PS_LANG_DOCKERFILE },
	{ "yml", PS_LANG_YAML },
	{ "yaml", PS_LANG_YAML },
	{ "json", PS_LANG_JSON },
	{ "jsonc", PS_LANG_JSON },
	{ "json5", PS_LANG_JSON },
	{ "code-workspace", PS_LANG_JSON },
	{ "env", PS_LANG_DOTENV },
	{ "envrc", PS_LANG_SHELL },
	{ "conf", PS_LANG_NGINX },
	{ "nginx", PS_LANG_NGINX },
	{ "vhost", PS_LANG_NGINX },
	{ "caddyfile", PS_LANG_CADDY },
	{ "caddy", PS_LANG_CADDY },
	{ "toml", PS_LANG_TOML },
	{ "ini", PS_LANG_INI },
	{ "cfg", PS_LANG_INI },
	{ "cnf", PS_LANG_INI },
	{ "service", PS_LANG_INI },
	{ "socket", PS_LANG_INI },
	{ "mk", PS_LANG_MAKE },
	{ "xml", PS_LANG_MARKUP },
	{ "html", PS_LANG_HTML },
	{ "htm", PS_LANG_HTML },
	{ "config", PS_LANG_MARKUP },
};

static const struct named names[] = {
	{ "Caddyfile", PS_LANG_CADDY },  { "Makefile", PS_LANG_MAKE },  { "GNUmakefile", PS_LANG_MAKE },
	{ "makefile", PS_LANG_MAKE },    { "Rakefile", PS_LANG_RUBY },  { "Gemfile", PS_LANG_RUBY },
	{ "Vagrantfile", PS_LANG_RUBY }, { "Guardfile", PS_LANG_RUBY }, { ".envrc", PS_LANG_SHELL },
	{ ".bashrc", PS_LANG_SHELL },    { ".zshrc", PS_LANG_SHELL },   { ".profile", PS_LANG_SHELL },
	{ "justfile", PS_LANG_MAKE },    { "Justfile", PS_LANG_MAKE },  { ".flaskenv", PS_LANG_DOTENV },
};

static const struct named programs[] = {
	{ "bash", PS_LANG_SHELL },      { "dash", PS_LANG_SHELL },      { "zsh", PS_LANG_SHELL },
	{ "ksh", PS_LANG_SHELL },       { "sh", PS_LANG_SHELL },        { "python", PS_LANG_PYTHON },
	{ "node", PS_LANG_JAVASCRIPT }, { "deno", PS_LANG_JAVASCRIPT }, { "bun", PS_LANG_JAVASCRIPT },
	{ "ruby", PS_LANG_RUBY },       { "php", PS_LANG_PHP },         { "elixir", PS_LANG_ELIXIR },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool starts(const char *text, const char *with)
{
	return strncasecmp(text, with, strlen(with)) == 0;
}

static bool ends(const char *text, const char *with)
{
	size_t length = strlen(text), tail = strlen(with);

	return length >= tail && strcasecmp(text + length - tail, with) == 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Names of which only the beginning is fixed: Dockerfile.dev, Procfile.test, .env.local, compose.override.yml. */
static enum ps_language by_beginning(const char *name, const char *path)
{
	if (starts(name, "Dockerfile") || starts(name, "Containerfile"))
		return PS_LANG_DOCKERFILE;
	if (strcmp(name, "Procfile") == 0 || (strncmp(name, "Procfile.", 9) == 0 && name[9]))
		return PS_LANG_SHELL; /* in this case only: procfile.py is Python */
	if (starts(name, ".env") || strcmp(name, "env") == 0)
		return strcmp(name, ".envrc") == 0 ? PS_LANG_SHELL : PS_LANG_DOTENV;
	if ((ends(name, ".yml") || ends(name, ".yaml")) && (starts(name, "docker-compose") || starts(name, "compose")))
		return PS_LANG_COMPOSE;
	if (starts(name, "Caddyfile"))
		return PS_LANG_CADDY;
	if (!strchr(name, '.') &&
	    (strstr(path, "sites-available/") || strstr(path, "sites-enabled/") || strstr(path, "nginx/")))
		return PS_LANG_NGINX;
	return PS_LANG_NONE;
}

/* "#!/usr/bin/env -S python3 -u": the program whose name begins a word of the line, or ends its path. */
static enum ps_language by_first_line(const char *head, size_t size)
{
	size_t at = 2, from;

	if (size < 4 || head[0] != '#' || head[1] != '!')
		return PS_LANG_NONE;
	while (at < size && head[at] != '\n') {
		while (at < size && (head[at] == ' ' || head[at] == '/'))
			at++;
		from = at;
		while (at < size && head[at] != ' ' && head[at] != '/' && head[at] != '\n')
			at++;
		for (size_t i = 0; i < COUNT(programs); i++) {
			size_t length = strlen(programs[i].name);

			if (at - from >= length && (at == size || head[at] != '/') &&
			    memcmp(head + from, programs[i].name, length) == 0 &&
			    (at - from == length || (head[from + length] >= '0' && head[from + length] <= '9')))
				return programs[i].language;
		}
	}
	return PS_LANG_NONE;
}

enum ps_language scan_language(const char *path, const char *head, size_t size)
{
	const char *name = base_name(path), *dot = strrchr(name, '.');
	enum ps_language language = by_beginning(name, path);

	if (language)
		return language;
	for (size_t i = 0; i < COUNT(names); i++)
		if (strcmp(names[i].name, name) == 0)
			return names[i].language;
	for (size_t i = 0; dot && i < COUNT(extensions); i++)
		if (strcasecmp(extensions[i].name, dot + 1) == 0)
			return extensions[i].language;
	if (dot && (starts(name, "env.") || strstr(name, ".env."))) /* env.sample, web.env.example */
		return PS_LANG_DOTENV;
	return dot && dot != name ? PS_LANG_NONE : head ? by_first_line(head, size) : PS_LANG_NONE;
}

const char *scan_language_name(enum ps_language language)
{
	return language < PS_LANG_COUNT ? language_table[language].name : "none";
}

const char *scan_use_name(enum ps_use use)
{
	static const char *const uses[] = { "listen", "connect", "url", "mapping", "default", "config" };

	return use < PS_USE_COUNT ? uses[use] : "";
}

const char *scan_certainty_name(enum ps_certainty certainty)
{
	return certainty == PS_CERTAIN ? "certain" : "likely";
}

bool scan_unwanted(const char *path)
{
	static const char *const files[] = { "package-lock.json",   "npm-shrinkwrap.json",
					     "pnpm-lock.yaml",      "go.sum",
					     "ports.manifest.json", "composer.lock",
					     "bun.lockb",           ".terraform.lock.hcl" };
	static const char *const tails[] = { ".lock",      ".min.js",    ".min.mjs",  ".min.css",
					     ".map",       ".bundle.js", ".chunk.js", "-lock.json",
					     "-lock.yaml", ".pb.go",     "_pb2.py",   ".snap" };
	const char *name = base_name(path);

	for (size_t i = 0; i < COUNT(files); i++)
		if (strcmp(name, files[i]) == 0)
			return true;
	for (size_t i = 0; i < COUNT(tails); i++)
		if (ends(name, tails[i]))
			return true;
	return false;
}

bool scan_unreadable(const char *text, size_t size)
{
	size_t looked = size < 8192 ? size : 8192, at = 0;

	if (memchr(text, '\0', looked))
		return true;
	/* Nobody writes lines of 2,000 bytes; and files without a line end are looked at as a whole. */
	while (at < size) {
		const char *end = memchr(text + at, '\n', size - at);
		size_t length = end ? (size_t)(end - text) - at : size - at;

		if (length > 5000)
			return true;
		at += length + 1;
		if (at > 65536)
			break;
	}
	return false;
}
