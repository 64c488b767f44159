/*
 * place_json.c - a JSON text as a tree of places.
 *
 * Theory of operation: json_text.c judges the text (strict, but with comments and commas behind the last entry, as
 * editors' and compilers' files have them) and blanks the comments in a copy; what is left is known to be right, and is
 * walked once, with a stack for the open brackets. Offsets in the copy are offsets in the text.
 */
#include <stdlib.h>
#include <string.h>

#include "../cli/json_text.h"
#include "place_tree.h"

struct walk {
	struct ps_place_tree *tree;
	const char *text;
	size_t at;
	uint32_t open[PS_JSON_DEPTH + 1];
	unsigned depth;
	uint32_t key; /* of the value to come */
};

static size_t string_end(const char *text, size_t at)
{
	for (at++; text[at] != '"'; at++)
		at += text[at] == '\\';
	return at;
}

/* The key with its escapes resolved, as far as they are single characters: others become '?', and do not match. */
static void read_key(struct walk *w, size_t end)
{
	struct ps_node node = { .style = PS_STYLE_BACKSLASH, .start = (uint32_t)w->at + 1, .end = (uint32_t)end };
	uint32_t *places;
	char *key;

	if (!memchr(w->text + w->at, '\\', end - w->at)) {
		w->key = place_tree_string(w->tree, w->text + w->at + 1, end - w->at - 1);
		return;
	}
	key = place_tree_value(w->tree, &node, &places);
	if (!key) {
		w->tree->memory = true;
		return;
	}
	w->key = place_tree_string(w->tree, key, strlen(key));
	free(key);
	free(places);
}

static uint32_t add(struct walk *w, enum ps_node_kind kind, size_t start, size_t end)
{
	uint32_t node = place_tree_add(w->tree, w->open[w->depth], kind, start, end);

	if (!w->tree->memory)
		w->tree->nodes[node].key = w->key;
	w->key = PS_NO_NODE;
	return node;
}

static void step(struct walk *w)
{
	char c = w->text[w->at];
	size_t end, behind;
	uint32_t node;

	if (c == '{' || c == '[') {
		node = add(w, c == '{' ? PS_NODE_MAP : PS_NODE_LIST, w->at, w->at);
		w->open[++w->depth] = node;
		w->at++;
	} else if (c == '}' || c == ']') {
		w->depth--;
		w->at++;
	} else if (c == '"') {
		end = string_end(w->text, w->at);
		behind = end + 1 + strspn(w->text + end + 1, " \t\r\n");
		if (w->text[behind] == ':') {
			read_key(w, end);
			w->at = behind + 1;
			return;
		}
		node = add(w, PS_NODE_SCALAR, w->at + 1, end);
		if (!w->tree->memory)
			w->tree->nodes[node].style = PS_STYLE_BACKSLASH;
		w->at = end + 1;
	} else if (strchr(" \t\r\n,:", c)) {
		w->at++;
	} else {
		end = w->at + strcspn(w->text + w->at, " \t\r\n,]}");
		add(w, PS_NODE_SCALAR, w->at, end);
		w->at = end;
	}
}

bool place_json_read(struct ps_place_tree *tree, struct ps_place_fault *fault)
{
	struct ps_json_text text = { .size = tree->size, .commas = true };
	struct ps_json_fault wrong;
	struct walk w = { .tree = tree, .key = PS_NO_NODE };
	bool good;

	text.text = malloc(tree->size + 1);
	if (!text.text)
		return place_fault(fault, 0, "memory", "out of memory");
	memcpy(text.text, tree->text, tree->size);
	text.text[tree->size] = '\0';
	good = json_text_check(&text, &wrong);
	if (!good) {
		place_fault(fault, wrong.offset, strcmp(wrong.code, "memory") == 0 ? "memory" : "syntax",
			    "this is no JSON: %s", wrong.text);
		if (strcmp(wrong.code, "empty") != 0)
			place_fault_hint(fault, "%s", wrong.hint);
	}
	w.text = text.text;
	while (good && !tree->memory && w.at < text.size)
		step(&w);
	json_text_free(&text);
	return good && tree->memory ? place_fault(fault, 0, "memory", "out of memory") : good;
}
