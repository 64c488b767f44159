/*
 * manifest_template.h - the templates of environment variables: "http://{host}:{port}/", "{api.url}", "{{literal}}".
 */
#ifndef PORTSHIM_CLI_MANIFEST_TEMPLATE_H
#define PORTSHIM_CLI_MANIFEST_TEMPLATE_H

#include <stddef.h>

enum ps_piece_kind {
	PS_PIECE_END,
	PS_PIECE_TEXT, /* `text` as it is */
	PS_PIECE_PORT,
	PS_PIECE_HOST,
	PS_PIECE_URL,
	PS_PIECE_BAD, /* `text` is what cannot be understood */
};

struct ps_piece {
	enum ps_piece_kind kind;
	const char *text;
	size_t length;
	const char
		*name; /* PORT, HOST, URL: of the service that is meant, with its length; NULL for the variable's own */
	size_t name_length;
};

/* The piece at *at, which moves behind it. After BAD the rest is not to be trusted. */
struct ps_piece manifest_template_next(const char **at);

#endif
