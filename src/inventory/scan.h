/*
 * scan.h - the ports that stand in a file: where, as what, and how sure that is.
 *
 * A scan is a pure function of the bytes and the language: nothing is opened, nothing is kept. Whoever edits a file by
 * it (`portshim fix`) has the place of the digits and of the literal around them.
 */
#ifndef PORTSHIM_INVENTORY_SCAN_H
#define PORTSHIM_INVENTORY_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ps_language {
	PS_LANG_NONE, /* not to be scanned */
	PS_LANG_JAVASCRIPT,
	PS_LANG_PYTHON,
	PS_LANG_GO,
	PS_LANG_RUBY,
	PS_LANG_PHP,
	PS_LANG_JAVA,
	PS_LANG_KOTLIN,
	PS_LANG_PROPERTIES,
	PS_LANG_C,
	PS_LANG_ELIXIR,
	PS_LANG_RUST,
	PS_LANG_SHELL,
	PS_LANG_DOCKERFILE,
	PS_LANG_COMPOSE,
	PS_LANG_YAML,
	PS_LANG_JSON,
	PS_LANG_DOTENV,
	PS_LANG_NGINX, /* and whatever else says "directive value;" or "directive value" */
	PS_LANG_CADDY,
	PS_LANG_TOML,
	PS_LANG_INI,
	PS_LANG_MAKE,
	PS_LANG_MARKUP,
	PS_LANG_GROOVY,
	PS_LANG_HTML,
	PS_LANG_COUNT,
};

enum ps_use {
	PS_USE_LISTEN,  /* a server opens it */
	PS_USE_CONNECT, /* a client asks for it */
	PS_USE_URL,     /* inside of a URL */
	PS_USE_MAPPING, /* one side of "8080:80", EXPOSE, a container's port */
	PS_USE_DEFAULT, /* what is taken where an environment variable says nothing */
	PS_USE_CONFIG,  /* a named value; nothing shows who reads it */
	PS_USE_COUNT,
};

enum ps_certainty {
	PS_LIKELY,  /* the surroundings suggest it */
	PS_CERTAIN, /* the syntax says so */
};

struct ps_port_use {
	uint32_t offset, length;             /* the digits */
	uint32_t expression, expression_end; /* the literal that they are part of, with its quotes; else the digits */
	uint32_t line, column;               /* of the digits, from 1; columns count bytes */
	uint16_t port;
	uint8_t use, certainty, language;
	bool inside; /* counted by another host: the container's side of a mapping */
	bool remote; /* at a host that is not this machine, by its name or address */
};

struct ps_scan {
	struct ps_port_use *list; /* by offset, each offset once */
	size_t count, room;
	bool failed; /* out of memory: the list is short */
};

/* The language of a file by its path; of one without a telling name by its first line (`head` may be NULL). */
enum ps_language scan_language(const char *path, const char *head, size_t size);

/* The name of a language as `--json` has it: "javascript", "python", ... */
const char *scan_language_name(enum ps_language language);

/* "listen", "connect", "url", "mapping", "default", "config"; "certain" or "likely". */
const char *scan_use_name(enum ps_use use);
const char *scan_certainty_name(enum ps_certainty certainty);

/* True for contents that nobody has written: binary, minified. */
bool scan_unreadable(const char *text, size_t size);

/* True for names of files that are not worth opening: lock files, minified code, documentation, pictures. */
bool scan_unwanted(const char *path);

/* Appends what is in the text (no NUL needed behind it; less than 4 GiB). One pass, memory only for what is found. */
void scan_text(struct ps_scan *scan, enum ps_language language, const char *text, size_t size);
void scan_free(struct ps_scan *scan);

#endif
