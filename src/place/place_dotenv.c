/*
 * place_dotenv.c - lines of NAME=VALUE as a tree of places.
 *
 * Theory of operation: the readers of such files (shells, docker, a dozen libraries) do not agree on much, so only what
 * they have in common is taken as a value: a line with a name, perhaps behind `export`, and behind the `=` a value in
 * double quotes (with backslashes), in single ones or backquotes (as it stands), or up to a blank and a `#` or the end
 * of the line. A quoted value may go on over lines. Names may have dots and dashes, as in Java's properties. Other
 * lines are passed over.
 */
#include <ctype.h>
#include <string.h>

#include "place_tree.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static size_t skip_blanks(const char *text, size_t at, size_t end)
{
	while (at < end && is_blank(text[at]))
		at++;
	return at;
}

static size_t name_end(const char *text, size_t at, size_t end)
{
	while (at < end && (isalnum((unsigned char)text[at]) || strchr("_.-[]", text[at])) && text[at])
		at++;
	return at;
}

/* The closing quote, or `size`. */
static size_t quote_end(const char *text, size_t at, size_t size, char quote)
{
	for (; at < size; at++) {
		if (text[at] == quote)
			return at;
		if (quote == '"' && text[at] == '\\')
			at++;
	}
	return size;
}

/* The end of a value without quotes. */
static size_t plain_end(const char *text, size_t start, size_t end)
{
	for (size_t at = start; at < end; at++) {
		if (text[at] == '#' && (at == start || is_blank(text[at - 1])))
			end = at;
	}
	while (end > start && is_blank(text[end - 1]))
		end--;
	return end;
}

/* Reads the line at `start`; returns where the next one begins. */
static size_t read_line(struct ps_place_tree *tree, uint32_t map, size_t start)
{
	const char *text = tree->text, *newline = memchr(text + start, '\n', tree->size - start);
	size_t end = newline ? (size_t)(newline - text) : tree->size, next = newline ? end + 1 : tree->size;
	size_t at = skip_blanks(text, start, end), name, stop;
	enum ps_node_style style = PS_STYLE_PLAIN;
	uint32_t node;

	if (end - at > 7 && strncmp(text + at, "export", 6) == 0 && is_blank(text[at + 6]))
		at = skip_blanks(text, at + 7, end);
	name = at;
	stop = name_end(text, at, end);
	at = skip_blanks(text, stop, end);
	if (stop == name || at == end || text[at] != '=')
		return next;
	at = skip_blanks(text, at + 1, end);
	if (at < end && text[at] && strchr("\"'`", text[at])) {
		size_t close = quote_end(text, at + 1, tree->size, text[at]);

		style = text[at] == '"' ? PS_STYLE_BACKSLASH : PS_STYLE_PLAIN;
		if (close == tree->size)
			return next; /* a quote without an end: no reader takes this line the same way */
		at++;
		newline = memchr(text + close, '\n', tree->size - close);
		next = newline ? (size_t)(newline - text) + 1 : tree->size;
		end = close;
	} else {
		end = plain_end(text, at, end);
	}
	node = place_tree_add(tree, map, PS_NODE_SCALAR, at, end);
	if (!tree->memory) {
		tree->nodes[node].style = (uint8_t)style;
		tree->nodes[node].key = place_tree_string(tree, text + name, stop - name);
	}
	return next;
}

bool place_dotenv_read(struct ps_place_tree *tree, struct ps_place_fault *fault)
{
	size_t at = tree->size >= 3 && memcmp(tree->text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	uint32_t map = place_tree_add(tree, 0, PS_NODE_MAP, at, at);

	while (at < tree->size && !tree->memory)
		at = read_line(tree, map, at);
	return !tree->memory || place_fault(fault, 0, "memory", "out of memory");
}
