/*
 * place_toml.c - a TOML text as a tree of places.
 *
 * Theory of operation: a reader by recursive descent that keeps where values stand and drops what they are. It is as
 * strict as it must be to know that: strings, brackets and keys have to be right; whether a date is one, or a table may
 * be opened here, is left to who uses the file.
 *
 * A table that is opened in several pieces ([a.b], [a.c]) becomes several nodes of one name, which is all the same to
 * whoever follows a path (place_tree.c). Arrays of tables must be one list, since their entries are counted: the lists
 * that are open at present are remembered by their path. A new entry of [[a]] forgets those below it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "place_tree.h"

#define KEYS_MAX 64
#define PATH_MAX_BYTES 1024
#define LISTS_MAX 256

struct list {
	char *path;
	uint32_t node;
};

struct reader {
	struct ps_place_tree *tree;
	struct ps_place_fault *fault;
	const char *text;
	size_t size, at;
	unsigned depth;
	uint32_t root, table; /* the table that is open */
	uint32_t keys[KEYS_MAX];
	unsigned key_count;
	struct list lists[LISTS_MAX];
	unsigned list_count;
};

static bool wrong(struct reader *r, const char *what)
{
	char text[64] = "the end of the file";
	unsigned char c = r->at < r->size ? (unsigned char)r->text[r->at] : 0;

	if (r->at < r->size && c == '\n')
		snprintf(text, sizeof(text), "the end of the line");
	else if (r->at < r->size)
		snprintf(text, sizeof(text), c >= 0x20 && c < 0x7f ? "`%c`" : "the byte 0x%02x", c);
	return place_fault(r->fault, r->at, "syntax", "this is no TOML: %s, found %s", what, text);
}

static int peek(const struct reader *r)
{
	return r->at < r->size ? (unsigned char)r->text[r->at] : -1;
}

static void skip_blanks(struct reader *r)
{
	while (peek(r) == ' ' || peek(r) == '\t' || peek(r) == '\r')
		r->at++;
	if (peek(r) == '#') {
		while (r->at < r->size && r->text[r->at] != '\n')
			r->at++;
	}
}

static void skip_lines(struct reader *r)
{
	skip_blanks(r);
	while (peek(r) == '\n') {
		r->at++;
		skip_blanks(r);
	}
}

static bool starts(const struct reader *r, const char *word)
{
	size_t length = strlen(word);

	return r->size - r->at >= length && memcmp(r->text + r->at, word, length) == 0;
}

/* ---- strings ---- */

/* A string begins here; its bytes within the quotes go to *start and *end. */
static bool read_string(struct reader *r, size_t *start, size_t *end, enum ps_node_style *style)
{
	char quote = r->text[r->at], three[4] = { quote, quote, quote, '\0' };
	bool lines = starts(r, three);
	size_t open = r->at;

	*style = lines ? PS_STYLE_BLOCK : quote == '"' ? PS_STYLE_BACKSLASH : PS_STYLE_PLAIN;
	r->at += lines ? 3 : 1;
	*start = r->at;
	for (; r->at < r->size; r->at++) {
		char c = r->text[r->at];

		if (!lines && c == '\n')
			break;
		if (c == '\\' && quote == '"') {
			r->at++;
		} else if (lines ? starts(r, three) : c == quote) {
			*end = r->at;
			r->at += lines ? 3 : 1;
			/* two more quotes may be the last characters of the string itself */
			for (int i = 0; lines && i < 2 && peek(r) == quote; i++)
				r->at++;
			return true;
		}
	}
	return place_fault(r->fault, open, "syntax", "this is no TOML: this string has no end");
}

/* ---- keys ---- */

static bool is_bare(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static bool read_key(struct reader *r)
{
	struct ps_node node = { 0 };
	enum ps_node_style style = PS_STYLE_PLAIN;
	size_t start = r->at, end;
	uint32_t *places;
	char *key;

	if (r->key_count == KEYS_MAX)
		return place_fault(r->fault, r->at, "syntax", "more than %d keys in one path", KEYS_MAX);
	if (peek(r) == '"' || peek(r) == '\'') {
		if (!read_string(r, &start, &end, &style))
			return false;
	} else {
		while (is_bare(peek(r)))
			r->at++;
		end = r->at;
		if (end == start)
			return wrong(r, "expected a key");
	}
	node = (struct ps_node){ .style = (uint8_t)style, .start = (uint32_t)start, .end = (uint32_t)end };
	key = place_tree_value(r->tree, &node, &places);
	if (!key) {
		r->tree->memory = true;
		return false;
	}
	r->keys[r->key_count++] = place_tree_string(r->tree, key, strlen(key));
	free(key);
	free(places);
	return !r->tree->memory;
}

static bool read_keys(struct reader *r)
{
	r->key_count = 0;
	for (;;) {
		skip_blanks(r);
		if (!read_key(r))
			return false;
		skip_blanks(r);
		if (peek(r) != '.')
			return true;
		r->at++;
	}
}

static uint32_t add(struct reader *r, uint32_t parent, uint32_t key, enum ps_node_kind kind, size_t start, size_t end)
{
	uint32_t node = place_tree_add(r->tree, parent, kind, start, end);

	if (!r->tree->memory)
		r->tree->nodes[node].key = key;
	return node;
}

/* ---- values ---- */

static bool read_value(struct reader *r, uint32_t parent, uint32_t key);

/* KEY.KEY = VALUE below a table. */
static bool read_pair(struct reader *r, uint32_t table)
{
	size_t start = r->at;

	if (!read_keys(r))
		return false;
	if (peek(r) != '=')
		return wrong(r, "expected `=` behind the key");
	r->at++;
	for (unsigned i = 0; i + 1 < r->key_count; i++)
		table = add(r, table, r->keys[i], PS_NODE_MAP, start, start);
	skip_blanks(r);
	return read_value(r, table, r->keys[r->key_count - 1]);
}

/* Entries up to a closing bracket, with commas between them; the last may have one too. */
static bool read_entries(struct reader *r, uint32_t node, char close)
{
	if (r->depth == PS_PLACE_DEPTH)
		return place_fault(r->fault, r->at, "syntax", "nested deeper than %d levels", PS_PLACE_DEPTH);
	r->depth++;
	r->at++;
	for (;;) {
		skip_lines(r);
		if (peek(r) == close)
			break;
		if (!(close == ']' ? read_value(r, node, PS_NO_NODE) : read_pair(r, node)))
			return false;
		skip_lines(r);
		if (peek(r) == ',')
			r->at++;
		else if (peek(r) != close)
			return wrong(r, close == ']' ? "expected `,` or `]`" : "expected `,` or `}`");
	}
	r->at++;
	r->depth--;
	return true;
}

/* Recursive as deep as brackets are nested, which read_entries limits. */
static bool read_value(struct reader *r, uint32_t parent, uint32_t key)
{
	enum ps_node_style style;
	size_t start = r->at, end = start;
	uint32_t node;
	int c = peek(r);

	if (r->tree->memory)
		return false;
	if (c == '[' || c == '{') {
		node = add(r, parent, key, c == '[' ? PS_NODE_LIST : PS_NODE_MAP, start, start);
		return read_entries(r, node, c == '[' ? ']' : '}');
	}
	if (c == '"' || c == '\'') {
		if (!read_string(r, &start, &end, &style))
			return false;
		node = add(r, parent, key, PS_NODE_SCALAR, start, end);
		if (!r->tree->memory)
			r->tree->nodes[node].style = (uint8_t)style;
		return true;
	}
	while (r->at < r->size && !strchr(",]}#\r\n", r->text[r->at]))
		r->at++;
	for (end = r->at; end > start && (r->text[end - 1] == ' ' || r->text[end - 1] == '\t'); end--)
		;
	if (end == start)
		return wrong(r, "expected a value");
	add(r, parent, key, PS_NODE_SCALAR, start, end);
	return true;
}

/* ---- tables ---- */

/* The path of the first `count` keys, with a byte between them that no text has. */
static bool join(const struct reader *r, unsigned count, char *path)
{
	size_t used = 0;

	for (unsigned i = 0; i < count; i++) {
		const char *key = r->tree->strings + r->keys[i];
		size_t length = strlen(key);

		if (used + length + 2 > PATH_MAX_BYTES)
			return false;
		memcpy(path + used, key, length);
		used += length;
		path[used++] = '\x1f';
	}
	path[used] = '\0';
	return true;
}

static struct list *find_list(struct reader *r, const char *path)
{
	for (unsigned i = 0; i < r->list_count; i++) {
		if (strcmp(r->lists[i].path, path) == 0)
			return &r->lists[i];
	}
	return NULL;
}

/* Forgets the lists below this one. */
static void forget(struct reader *r, const char *path)
{
	size_t length = strlen(path);
	unsigned kept = 0;

	for (unsigned i = 0; i < r->list_count; i++) {
		bool below = strncmp(r->lists[i].path, path, length) == 0 && r->lists[i].path[length];

		if (below)
			free(r->lists[i].path);
		else
			r->lists[kept++] = r->lists[i];
	}
	r->list_count = kept;
}

/* The list of an array of tables, made at its first entry. PS_NO_NODE with the fault filled. */
static uint32_t open_list(struct reader *r, const char *path, uint32_t parent, uint32_t key, size_t start)
{
	struct list *list = find_list(r, path);

	if (list) {
		forget(r, path);
		return find_list(r, path)->node;
	}
	if (r->list_count == LISTS_MAX) {
		place_fault(r->fault, start, "syntax", "more than %d arrays of tables", LISTS_MAX);
		return PS_NO_NODE;
	}
	list = &r->lists[r->list_count];
	list->path = strdup(path);
	list->node = add(r, parent, key, PS_NODE_LIST, start, start);
	if (!list->path)
		r->tree->memory = true;
	else
		r->list_count++;
	return list->node;
}

/* [KEYS] or [[KEYS]]. */
static bool read_header(struct reader *r)
{
	size_t start = r->at;
	char path[PATH_MAX_BYTES];
	bool array = starts(r, "[[");
	unsigned first = 0, last;
	uint32_t table = r->root;

	r->at += array ? 2 : 1;
	if (!read_keys(r))
		return false;
	if (!starts(r, array ? "]]" : "]"))
		return wrong(r, array ? "expected `]]`" : "expected `]`");
	r->at += array ? 2 : 1;
	if (!join(r, r->key_count, path))
		return place_fault(r->fault, start, "syntax", "this path has more than %d bytes", PATH_MAX_BYTES);
	last = r->key_count - (array ? 1 : 0);
	/* Below the newest entry of the longest array of tables that is on the way. */
	for (unsigned count = last; count > 0 && first == 0; count--) {
		char prefix[PATH_MAX_BYTES];
		const struct list *list;

		join(r, count, prefix);
		list = find_list(r, prefix);
		if (list && r->tree->nodes[list->node].last != PS_NO_NODE) {
			table = r->tree->nodes[list->node].last;
			first = count;
		}
	}
	for (unsigned i = first; i < last; i++)
		table = add(r, table, r->keys[i], PS_NODE_MAP, start, start);
	if (array) {
		uint32_t list = open_list(r, path, table, r->keys[last], start);

		if (list == PS_NO_NODE)
			return false;
		table = add(r, list, PS_NO_NODE, PS_NODE_MAP, start, start);
	}
	r->table = table;
	return !r->tree->memory;
}

bool place_toml_read(struct ps_place_tree *tree, struct ps_place_fault *fault)
{
	struct reader r = { .tree = tree, .fault = fault, .text = tree->text, .size = tree->size };
	bool good = true;

	if (tree->size >= 3 && memcmp(tree->text, "\xef\xbb\xbf", 3) == 0)
		r.at = 3;
	r.root = r.table = place_tree_add(tree, 0, PS_NODE_MAP, r.at, r.at);
	for (skip_lines(&r); good && !tree->memory && r.at < r.size; skip_lines(&r)) {
		good = peek(&r) == '[' ? read_header(&r) : read_pair(&r, r.table);
		if (!good)
			break;
		skip_blanks(&r);
		if (r.at < r.size && peek(&r) != '\n')
			good = wrong(&r, "expected the end of the line");
	}
	for (unsigned i = 0; i < r.list_count; i++)
		free(r.lists[i].path);
	return tree->memory ? place_fault(fault, 0, "memory", "out of memory") : good;
}
