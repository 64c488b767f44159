/*
 * place_file.h - where a port stands in a file: a path of keys or a pattern, and the bytes of the number it leads to.
 *
 *	struct ps_place_file *file = place_file_read(PS_PLACE_YAML, text, size, &fault);
 *
 *	if (file && place_file_find(file, "services.web.ports[0].published", &place, &fault))
 *		...	(text + place.offset has place.length digits)
 *	place_file_free(file);
 *
 * A path is keys with dots between them, [N] for the entry N of a list (from 0), [KEY=VALUE] for the one entry of a
 * list that has this, and ['KEY'] for keys with dots or brackets. At a value like "127.0.0.1:9000:80" a last key
 * `published` or `target` says which side is meant; without, it is the published one. In a file of the format "text"
 * the place is a POSIX extended regular expression, whose first group is the number.
 */
#ifndef PORTSHIM_PLACE_PLACE_FILE_H
#define PORTSHIM_PLACE_PLACE_FILE_H

#include <stdbool.h>
#include <stddef.h>

enum ps_place_format {
	PS_PLACE_YAML,
	PS_PLACE_JSON, /* with comments and commas behind the last entry (JSONC) */
	PS_PLACE_TOML,
	PS_PLACE_DOTENV,  /* KEY=VALUE lines; the whole path is one key */
	PS_PLACE_COMPOSE, /* YAML; an entry of `ports` publishes a port, in the short or the long form */
	PS_PLACE_TEXT,
	PS_PLACE_FORMAT_COUNT,
};

extern const char *const place_file_formats[PS_PLACE_FORMAT_COUNT];

/* The digits of a port. */
struct ps_spot {
	size_t offset, length;
};

struct ps_place_fault {
	size_t offset; /* in the text */
	/* "syntax", "no-place", "two-places", "alias", "no-scalar", "no-port", "port-range", "variable",
	 * "several-ports", "bad-place", "memory" */
	const char *code;
	char text[320];
	char hint[256]; /* or "" */
};

struct ps_place_file;

/* The format that the name of a file tells; false if it tells none. */
bool place_file_format(const char *name, enum ps_place_format *format);

/* What is wrong with a path or pattern by itself, or NULL. `text` holds 128 bytes for it. */
const char *place_file_check(enum ps_place_format format, const char *where, char *text);

/* Takes a text apart, which must stay until place_file_free. NULL with the fault filled if it is not of the format. */
struct ps_place_file *place_file_read(enum ps_place_format format, const char *text, size_t size,
				      struct ps_place_fault *fault);

/* The number at a place, or false with the fault filled: it is not there, stands twice, is no number. */
bool place_file_find(const struct ps_place_file *file, const char *where, struct ps_spot *place,
		     struct ps_place_fault *fault);

void place_file_free(struct ps_place_file *file);

#endif
