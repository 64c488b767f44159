/*
 * place_tree.c - the tree of a file's values, and the way down a path.
 *
 * Theory of operation: the formats' readers (place_yaml.c and so on) add nodes in document order; a node has the place
 * of its bytes and no value. A value is made of the bytes when it is looked at, character by character with the place
 * of each, so that the digits that are found in a value are found in the text. If an escape stands among the digits,
 * they are not replaced.
 *
 * Children are found by an index, so that thousands of places in a file of thousands of values take no noticeable time.
 *
 * A path is followed through every node that fits, and must end at one: a key that stands twice (most readers take the
 * last one silently), documents of a YAML stream that both have the path, and TOML's tables, which may be opened
 * several times, need no rules of their own. When it ends nowhere, the fault is told where the way down was longest.
 */
#include "place_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "../cli/error.h"
#include "place_path.h"

#define KEYS_SHOWN 64
#define KEY_MAX 1024 /* of a path: longer keys are not found */

/* ---- building ---- */

void place_tree_start(struct ps_place_tree *tree, const char *text, size_t size)
{
	*tree = (struct ps_place_tree){ .text = text, .size = size };
	place_tree_add(tree, PS_NO_NODE, PS_NODE_LIST, 0, 0);
}

void place_tree_free(struct ps_place_tree *tree)
{
	free(tree->nodes);
	free(tree->strings);
	free(tree->index);
	*tree = (struct ps_place_tree){ 0 };
}

uint32_t place_tree_add(struct ps_place_tree *tree, uint32_t parent, enum ps_node_kind kind, size_t start, size_t end)
{
	uint32_t number = (uint32_t)tree->count;
	struct ps_node *nodes;

	if (tree->count == tree->room) {
		size_t room = tree->room ? tree->room * 2 : 64;

		nodes = reallocarray(tree->nodes, room, sizeof(*nodes));
		if (!nodes) {
			tree->memory = true;
			return 0;
		}
		tree->nodes = nodes;
		tree->room = room;
	}
	nodes = tree->nodes;
	tree->count++;
	nodes[number] = (struct ps_node){ .kind = (uint8_t)kind,
					  .start = (uint32_t)start,
					  .end = (uint32_t)end,
					  .key = PS_NO_NODE,
					  .anchor = PS_NO_NODE,
					  .child = PS_NO_NODE,
					  .last = PS_NO_NODE,
					  .next = PS_NO_NODE,
					  .parent = parent,
					  .same = PS_NO_NODE };
	if (parent == PS_NO_NODE)
		return number;
	if (nodes[parent].last != PS_NO_NODE)
		nodes[number].position = nodes[nodes[parent].last].position + 1;
	if (nodes[parent].last == PS_NO_NODE)
		nodes[parent].child = number;
	else
		nodes[nodes[parent].last].next = number;
	nodes[parent].last = number;
	return number;
}

uint32_t place_tree_string(struct ps_place_tree *tree, const char *text, size_t length)
{
	size_t at = tree->string_size;

	if (tree->string_room - at <= length) {
		size_t room = (at + length + 64) * 2;
		char *strings = realloc(tree->strings, room);

		if (!strings || room >= PS_NO_NODE) {
			tree->strings = strings ? strings : tree->strings;
			tree->memory = true;
			return PS_NO_NODE;
		}
		tree->strings = strings;
		tree->string_room = room;
	}
	memcpy(tree->strings + at, text, length);
	tree->strings[at + length] = '\0';
	tree->string_size = at + length + 1;
	return (uint32_t)at;
}

/* ---- values ---- */

static char escaped(char c)
{
	switch (c) {
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case 'r':
		return '\r';
	default:
		return strchr("\"\\/' ", c) ? c : '?';
	}
}

/* Hexadecimal digits after \x, \u and \U. */
static size_t escape_digits(char c)
{
	return c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
}

char *place_tree_value(const struct ps_place_tree *tree, const struct ps_node *node, uint32_t **places)
{
	size_t size = node->end - node->start, used = 0;
	char *chars = malloc(size + 1);
	uint32_t *at = calloc(size + 1, sizeof(*at));

	if (!chars || !at) {
		free(chars);
		free(at);
		return NULL;
	}
	for (size_t i = node->start; i < node->end; i++) {
		char c = tree->text[i];

		at[used] = (uint32_t)i;
		if (node->style == PS_STYLE_SINGLE && c == '\'' && i + 1 < node->end && tree->text[i + 1] == '\'') {
			i++;
		} else if (node->style == PS_STYLE_BACKSLASH && c == '\\' && i + 1 < node->end) {
			c = escaped(tree->text[++i]);
			i += escape_digits(tree->text[i]);
		}
		chars[used++] = c ? c : '?';
	}
	chars[used] = '\0';
	at[used] = node->end;
	*places = at;
	return chars;
}

/* ---- the index ---- */

/* With a seed, so that nobody can write a file whose keys all meet in one place. */
static uint64_t mix(uint64_t hash, const void *data, size_t length)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < length; i++) {
		hash = (hash ^ p[i]) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 32;
	}
	return hash;
}

/* The slot of the children of a parent with this key (NULL: in this position of a list). */
static uint32_t *slot(const struct ps_place_tree *tree, uint32_t parent, const char *key, size_t length, uint32_t position)
{
	uint64_t hash = mix(mix(tree->seed, &parent, sizeof(parent)), key ? (const void *)key : &position,
			    key ? length : sizeof(position));
	size_t at = hash & (tree->index_size - 1);

	for (;; at = (at + 1) & (tree->index_size - 1)) {
		const struct ps_node *node;

		if (tree->index[at] == PS_NO_NODE)
			return &tree->index[at];
		node = &tree->nodes[tree->index[at]];
		if (node->parent != parent || (node->key == PS_NO_NODE) != !key)
			continue;
		if (key ? strncmp(tree->strings + node->key, key, length) == 0 && !tree->strings[node->key + length]
			: node->position == position)
			return &tree->index[at];
	}
}

/* Backwards, so that children of one key come in their order. */
bool place_tree_index(struct ps_place_tree *tree)
{
	size_t size = 16;

	while (size < tree->count * 2)
		size *= 2;
	tree->index = malloc(size * sizeof(*tree->index));
	if (!tree->index)
		return false;
	memset(tree->index, 0xff, size * sizeof(*tree->index));
	tree->index_size = size;
	if (getrandom(&tree->seed, sizeof(tree->seed), GRND_NONBLOCK) != sizeof(tree->seed))
		tree->seed = (uint64_t)(uintptr_t)tree->index;
	for (uint32_t i = (uint32_t)tree->count; i-- > 1;) {
		struct ps_node *node = &tree->nodes[i];
		const char *key = node->key == PS_NO_NODE ? NULL : tree->strings + node->key;
		uint32_t *head;

		if (node->parent == PS_NO_NODE)
			continue;
		head = slot(tree, node->parent, key, key ? strlen(key) : 0, node->position);
		node->same = *head;
		*head = i;
	}
	return true;
}

/* ---- the way down ---- */

struct way {
	const struct ps_place_tree *tree;
	const char *path;
	enum ps_place_format format;
	uint32_t found[2]; /* the first two nodes */
	bool entry;        /* the first one is an entry of compose's ports */
	enum ps_place_side side;
	unsigned count;
	/* the longest way that ended early */
	const char *lost; /* the part of the path that is not there; NULL: nothing was lost yet */
	uint32_t lost_in;
	bool memory;
};

static const char *key_of(const struct ps_place_tree *tree, const struct ps_node *node)
{
	return node->key == PS_NO_NODE ? NULL : tree->strings + node->key;
}

static void lose(struct way *w, const char *at, uint32_t node)
{
	if (!w->lost || at > w->lost) {
		w->lost = at;
		w->lost_in = node;
	}
}

static void arrive(struct way *w, uint32_t node, bool entry, enum ps_place_side side)
{
	if (w->count < 2)
		w->found[w->count] = node;
	if (w->count++ == 0) {
		w->entry = entry;
		w->side = side;
	}
}

/* True if the value's bytes are the value: most are, and are compared as they stand. */
static bool is_literal(const struct ps_place_tree *tree, const struct ps_node *node)
{
	const char *text = tree->text + node->start;
	size_t length = node->end - node->start;

	return node->style == PS_STYLE_PLAIN ||
	       (node->style == PS_STYLE_BACKSLASH && !memchr(text, '\\', length)) ||
	       (node->style == PS_STYLE_SINGLE && !memchr(text, '\'', length));
}

/* True if a map has this key with this scalar. */
static bool has_value(struct way *w, uint32_t map, const struct ps_part *part)
{
	const struct ps_node *nodes = w->tree->nodes;
	bool has = false;

	if (nodes[map].kind != PS_NODE_MAP)
		return false;
	for (uint32_t i = nodes[map].child; i != PS_NO_NODE && !has; i = nodes[i].next) {
		const char *key = key_of(w->tree, &nodes[i]);
		uint32_t *places;
		size_t length;
		char *value;

		if (nodes[i].kind != PS_NODE_SCALAR || !key || !place_path_is(part, key))
			continue;
		length = nodes[i].end - nodes[i].start;
		if (length < part->value_length)
			continue; /* an escape is longer than what it stands for */
		if (is_literal(w->tree, &nodes[i])) {
			has = length == part->value_length &&
			      memcmp(w->tree->text + nodes[i].start, part->value, length) == 0;
			continue;
		}
		value = place_tree_value(w->tree, &nodes[i], &places);
		if (!value) {
			w->memory = true;
			return false;
		}
		has = strlen(value) == part->value_length && strncmp(value, part->value, part->value_length) == 0;
		free(value);
		free(places);
	}
	return has;
}

/* The side that a last key names at a scalar. */
static bool side_of(const struct ps_part *part, const char *path, const char *at, enum ps_place_side *side)
{
	if (part->kind != PS_PART_KEY || place_path_next(path, &at).kind != PS_PART_END)
		return false;
	if (place_path_is(part, "published"))
		*side = PS_SIDE_PUBLISHED;
	else if (place_path_is(part, "target"))
		*side = PS_SIDE_TARGET;
	else
		return false;
	return true;
}

static void descend(struct way *w, uint32_t node, const char *at, bool ports);

static bool descend_children(struct way *w, uint32_t node, const struct ps_part *part, const char *at, bool ports)
{
	const struct ps_node *nodes = w->tree->nodes, *here = &nodes[node];
	char name[KEY_MAX];
	size_t length = 0;
	uint32_t child = PS_NO_NODE;
	bool any = false;

	if (part->kind == PS_PART_WHERE) {
		for (child = here->kind == PS_NODE_LIST ? here->child : PS_NO_NODE; child != PS_NO_NODE;
		     child = nodes[child].next) {
			if (!has_value(w, child, part))
				continue;
			any = true;
			descend(w, child, at, ports);
		}
		return any;
	}
	if (part->kind == PS_PART_KEY && here->kind == PS_NODE_MAP && place_path_name(part, name, sizeof(name), &length))
		child = *slot(w->tree, node, name, length, 0);
	else if (part->kind == PS_PART_INDEX && here->kind == PS_NODE_LIST)
		child = *slot(w->tree, node, NULL, 0, (uint32_t)part->index);
	for (; child != PS_NO_NODE; child = nodes[child].same) {
		any = true;
		descend(w, child, at, part->kind == PS_PART_KEY ? place_path_is(part, "ports") : ports);
	}
	return any;
}

/* Recursive by the parts of the path, of which the manifest's size limits the number; see place_file_check. */
static void descend(struct way *w, uint32_t node, const char *at, bool ports)
{
	const struct ps_node *here = &w->tree->nodes[node];
	const char *before = at;
	struct ps_part part = place_path_next(w->path, &at),
		       published = { .kind = PS_PART_KEY, .name = "published", .length = 9 };
	bool entry = ports && w->format == PS_PLACE_COMPOSE;
	enum ps_place_side side = PS_SIDE_ANY;

	if (part.kind == PS_PART_END && here->kind == PS_NODE_MAP && entry) {
		if (!descend_children(w, node, &published, at, false))
			lose(w, before, node);
	} else if (part.kind == PS_PART_END) {
		arrive(w, node, entry && here->kind == PS_NODE_SCALAR, PS_SIDE_ANY);
	} else if (here->kind == PS_NODE_ALIAS) {
		arrive(w, node, false, PS_SIDE_ANY);
	} else if (here->kind == PS_NODE_SCALAR && side_of(&part, w->path, at, &side)) {
		arrive(w, node, entry, side);
	} else if (!descend_children(w, node, &part, at, ports)) {
		lose(w, before, node);
	}
}

/* Lines of NAME=VALUE: the path is one name, with a side behind it where there is no such name. */
static void find_name(struct way *w, uint32_t map)
{
	static const char *const sides[] = { "", ".published", ".target" };
	const enum ps_place_side side[] = { PS_SIDE_ANY, PS_SIDE_PUBLISHED, PS_SIDE_TARGET };
	size_t length = strlen(w->path);

	for (unsigned turn = 0; turn < 3 && w->count == 0; turn++) {
		size_t end = strlen(sides[turn]);

		if (length <= end || strcmp(w->path + length - end, sides[turn]) != 0)
			continue;
		for (uint32_t i = *slot(w->tree, map, w->path, length - end, 0); i != PS_NO_NODE; i = w->tree->nodes[i].same)
			arrive(w, i, false, side[turn]);
	}
	if (w->count == 0)
		lose(w, w->path, map);
}

/* ---- what was found ---- */

static unsigned line_of(const struct ps_place_tree *tree, size_t offset)
{
	unsigned line = 1;

	for (size_t i = 0; i < offset && i < tree->size; i++)
		line += tree->text[i] == '\n';
	return line;
}

static const char *name_of(enum ps_node_kind kind)
{
	return kind == PS_NODE_MAP ? "a map" : kind == PS_NODE_LIST ? "a list" : "a value";
}

static bool lost(const struct way *w, struct ps_place_fault *fault)
{
	const struct ps_node *nodes = w->tree->nodes, *here = &nodes[w->lost_in];
	const char *keys[KEYS_SHOWN], *near, *at = w->lost;
	struct ps_part part = place_path_next(w->path, &at);
	unsigned count = 0, children = 0;
	bool merged = false;
	char name[80];

	if (w->format == PS_PLACE_DOTENV)
		snprintf(name, sizeof(name), "%.60s", w->path);
	else if (part.kind == PS_PART_END)
		snprintf(name, sizeof(name), "published");
	else
		snprintf(name, sizeof(name), "%.*s", (int)(part.length > 60 ? 60 : part.length), part.name);
	for (uint32_t i = here->child; i != PS_NO_NODE; i = nodes[i].next, children++) {
		const char *key = key_of(w->tree, &nodes[i]);

		if (key && count < KEYS_SHOWN)
			keys[count++] = key;
		merged = merged || (key && strcmp(key, "<<") == 0);
	}
	place_fault(fault, here->start, "no-place", "there is no `%s`: the way ends at `%.*s`", w->path,
		    (int)(w->lost - w->path), w->path);
	if (w->lost == w->path)
		snprintf(fault->text, sizeof(fault->text), "there is no `%.200s` in this file", w->path);
	if (part.kind == PS_PART_INDEX && here->kind == PS_NODE_LIST)
		return place_fault_hint(fault, "this list has %u entries; the first one is [0]", children);
	if (part.kind != PS_PART_INDEX && here->kind == PS_NODE_MAP) {
		if (merged)
			return place_fault_hint(fault,
						"it may come from what is merged here by `<<`: name its place there");
		near = error_suggest(name, keys, count);
		return near ? place_fault_hint(fault, "did you mean `%s`?", near) : false;
	}
	if (part.kind == PS_PART_KEY && here->kind == PS_NODE_LIST)
		return place_fault_hint(fault, "this is a list: its entries are [0], [1], or [KEY=VALUE]");
	if (here->kind != PS_NODE_LIST || w->lost_in != 0)
		return place_fault_hint(fault, "this is %s", name_of(here->kind));
	return false;
}

static bool found_number(const struct way *w, struct ps_spot *place, struct ps_place_fault *fault)
{
	const struct ps_node *node = &w->tree->nodes[w->found[0]];
	uint32_t *places;
	char *value = place_tree_value(w->tree, node, &places);
	size_t start, length;
	bool good;

	if (!value)
		return place_fault(fault, 0, "memory", "out of memory");
	good = place_value_find(value, w->side, w->entry, &start, &length, fault);
	if (!good) {
		size_t end = strlen(value);

		fault->offset = places[fault->offset < end ? fault->offset : end];
	} else if (places[start + length - 1] - places[start] != length - 1 ||
		   memcmp(w->tree->text + places[start], value + start, length) != 0) {
		good = place_fault(fault, places[start], "no-port", "this number is written with escapes");
	} else {
		*place = (struct ps_spot){ places[start], length };
	}
	free(value);
	free(places);
	return good;
}

static bool found_alias(const struct way *w, const struct ps_node *node, struct ps_place_fault *fault)
{
	place_fault(fault, node->start, "alias", "`%s` leads to an alias: its number stands at an anchor", w->path);
	return place_fault_hint(fault, "name the place of the anchor `&%.60s`",
				node->anchor == PS_NO_NODE ? "" : w->tree->strings + node->anchor);
}

bool place_tree_find(const struct ps_place_tree *tree, enum ps_place_format format, const char *where,
		     struct ps_spot *place, struct ps_place_fault *fault)
{
	struct way w = { .tree = tree, .path = where, .format = format };
	const struct ps_node *nodes = tree->nodes, *node;

	for (uint32_t i = nodes[0].child; i != PS_NO_NODE; i = nodes[i].next) {
		if (format == PS_PLACE_DOTENV)
			find_name(&w, i);
		else
			descend(&w, i, where, false);
	}
	if (w.memory)
		return place_fault(fault, 0, "memory", "out of memory");
	if (w.count == 0 && !w.lost)
		return place_fault(fault, 0, "no-place", "there is no `%s`: the file is empty", where);
	if (w.count == 0)
		return lost(&w, fault);
	node = &nodes[w.found[0]];
	/* TOML opens one table several times; then it is no value, rather than two. */
	if (w.count > 1 && (node->kind != PS_NODE_MAP || nodes[w.found[1]].kind != PS_NODE_MAP)) {
		place_fault(fault, nodes[w.found[1]].start, "two-places",
			    "`%s` stands here a second time; the first is in line %u", where,
			    line_of(tree, node->start));
		return place_fault_hint(fault, "keep one of them: readers do not agree which one counts");
	}
	if (node->kind == PS_NODE_ALIAS)
		return found_alias(&w, node, fault);
	if (node->kind != PS_NODE_SCALAR) {
		place_fault(fault, node->start, "no-scalar", "`%s` is %s, not a value", where,
			    name_of((enum ps_node_kind)node->kind));
		return place_fault_hint(fault, "%s", node->kind == PS_NODE_LIST ? "its entries are [0], [1] ..." : "");
	}
	if (node->style == PS_STYLE_BLOCK) {
		place_fault(fault, node->start, "no-scalar", "`%s` is a block of lines, not one value", where);
		return place_fault_hint(fault, "a file of the format \"text\" takes a pattern");
	}
	return found_number(&w, place, fault);
}
