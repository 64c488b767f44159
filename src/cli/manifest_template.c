/*
 * manifest_template.c - the templates of environment variables.
 *
 * The grammar, the same as in the JSON Schema: text without braces, doubled braces for literal ones, and in single
 * braces one of port, host and url, alone or after a service's name and a dot. Names may have dots too: the last one
 * counts.
 */
#include "manifest_template.h"

#include <stdbool.h>
#include <string.h>

static enum ps_piece_kind field_kind(const char *text, size_t length)
{
	if (length == 4 && memcmp(text, "port", 4) == 0)
		return PS_PIECE_PORT;
	if (length == 4 && memcmp(text, "host", 4) == 0)
		return PS_PIECE_HOST;
	if (length == 3 && memcmp(text, "url", 3) == 0)
		return PS_PIECE_URL;
	return PS_PIECE_BAD;
}

static bool is_name(const char *text, size_t length)
{
	static const char characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	return length > 0 && text[0] != '.' && text[0] != '-' && strspn(text, characters) >= length;
}

static struct ps_piece braces(const char **at)
{
	const char *start = *at, *end = start + 1 + strcspn(start + 1, "{}"), *dot, *field = start + 1;
	struct ps_piece piece = { .kind = PS_PIECE_BAD, .text = start, .length = (size_t)(end - start) };

	if (*end != '}')
		return piece;
	piece.length++;
	dot = memrchr(start, '.', (size_t)(end - start));
	if (dot) {
		field = dot + 1;
		piece.name = start + 1;
		piece.name_length = (size_t)(dot - piece.name);
		if (!is_name(piece.name, piece.name_length))
			return piece;
	}
	piece.kind = field_kind(field, (size_t)(end - field));
	*at = end + 1;
	return piece;
}

struct ps_piece manifest_template_next(const char **at)
{
	const char *start = *at;
	struct ps_piece piece = { .kind = PS_PIECE_TEXT, .text = start };

	if (*start == '\0') {
		piece.kind = PS_PIECE_END;
		return piece;
	}
	if (*start != '{' && *start != '}') {
		piece.length = strcspn(start, "{}");
		*at += piece.length;
		return piece;
	}
	if (start[1] == start[0]) {
		piece.length = 1;
		*at += 2;
		return piece;
	}
	if (*start == '{')
		return braces(at);
	piece.kind = PS_PIECE_BAD;
	piece.length = 1;
	return piece;
}
