/*
 * place_tree.h - the values of a file as a tree, each with the place of its bytes: what all formats but plain text
 * become.
 */
#ifndef PORTSHIM_PLACE_PLACE_TREE_H
#define PORTSHIM_PLACE_PLACE_TREE_H

#include <stdint.h>

#include "place_file.h"

#define PS_PLACE_DEPTH 200
#define PS_NO_NODE UINT32_MAX

enum ps_node_kind { PS_NODE_MAP, PS_NODE_LIST, PS_NODE_SCALAR, PS_NODE_ALIAS };

/* How the bytes of a scalar become its value. */
enum ps_node_style {
	PS_STYLE_PLAIN,     /* as they stand */
	PS_STYLE_SINGLE,    /* '' is a quote (YAML) */
	PS_STYLE_BACKSLASH, /* escapes begin with a backslash */
	PS_STYLE_BLOCK,     /* lines of text: nothing to find a port in */
};

struct ps_node {
	uint8_t kind, style;
	uint32_t start, end;  /* of a scalar: its bytes within the quotes; else where it begins */
	uint32_t key;         /* its key in a map: an offset in strings; PS_NO_NODE: none */
	uint32_t anchor;      /* of an alias: likewise */
	uint32_t child, last; /* first and last one */
	uint32_t next;
	uint32_t parent, position; /* position: which child of it */
	uint32_t same;             /* the next child with the same key; place_tree_index */
};

struct ps_place_tree {
	const char *text;
	size_t size;
	struct ps_node *nodes; /* the first is the list of documents */
	size_t count, room;
	char *strings; /* keys, each with a NUL behind */
	size_t string_size, string_room;
	uint32_t *index; /* of nodes by parent and key, or position in a list; of a power of two */
	size_t index_size;
	uint64_t seed;
	bool memory; /* ran out of it */
};

/* An empty tree with the list of documents as node 0. */
void place_tree_start(struct ps_place_tree *tree, const char *text, size_t size);
void place_tree_free(struct ps_place_tree *tree);

/* Adds a node behind the last child of another (PS_NO_NODE: to none). Its number; 0 if memory ran out. */
uint32_t place_tree_add(struct ps_place_tree *tree, uint32_t parent, enum ps_node_kind kind, size_t start, size_t end);

/* Keeps a string. Its offset, or PS_NO_NODE if memory ran out. */
uint32_t place_tree_string(struct ps_place_tree *tree, const char *text, size_t length);

/* The value of a scalar's bytes: `chars` with a NUL behind, and of each where in the text it stands; both malloc'ed. A
 * character that is not ASCII, or is written as an escape of several, is one '?' or several. NULL if memory ran out. */
char *place_tree_value(const struct ps_place_tree *tree, const struct ps_node *node, uint32_t **places);

/* To be called when the tree is complete. False if memory ran out. */
bool place_tree_index(struct ps_place_tree *tree);

/* Finds the node of a path. */
bool place_tree_find(const struct ps_place_tree *tree, enum ps_place_format format, const char *where,
		     struct ps_spot *place, struct ps_place_fault *fault);

/* ---- the formats: each fills a tree, or the fault and false ---- */

bool place_yaml_read(struct ps_place_tree *tree, struct ps_place_fault *fault);
bool place_json_read(struct ps_place_tree *tree, struct ps_place_fault *fault);
bool place_toml_read(struct ps_place_tree *tree, struct ps_place_fault *fault);
bool place_dotenv_read(struct ps_place_tree *tree, struct ps_place_fault *fault);

/* ---- the number in a value (place_value.c) ---- */

enum ps_place_side {
	PS_SIDE_ANY,       /* a number, a URL, HOST:PORT, or the published side of A:B */
	PS_SIDE_PUBLISHED, /* of A:B */
	PS_SIDE_TARGET,
};

/* Where the port is in a value. `entry`: an entry of compose's `ports`, where one number alone is the target. False
 * with text and hint of the fault filled, and its offset an index of the value. */
bool place_value_find(const char *value, enum ps_place_side side, bool entry, size_t *start, size_t *length,
		      struct ps_place_fault *fault);

/* Fills a fault; returns false. */
bool place_fault(struct ps_place_fault *fault, size_t offset, const char *code, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Sets a fault's hint; returns false. */
bool place_fault_hint(struct ps_place_fault *fault, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The pattern in a text (place_text.c). */
bool place_text_find(const char *text, size_t size, const char *pattern, struct ps_spot *place,
		     struct ps_place_fault *fault);
const char *place_text_check(const char *pattern, char *text);

#endif
