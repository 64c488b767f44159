/*
 * place_yaml.c - a YAML stream as a tree of places.
 *
 * Theory of operation: libyaml parses; its events have marks, and the marks are turned into bytes of the text. A mark
 * counts characters from behind the byte order mark, not bytes, so a cursor walks along the text beside the events,
 * which come in order. The bytes of a scalar are found from its event's marks: properties (anchor, tag) come off in
 * front, quotes at both ends.
 *
 * A stack stands for the open collections; in a map keys and values alternate. What is under a key that is itself a
 * collection, or an alias, is kept apart from everything: no path leads there.
 */
#include <stdio.h>
#include <string.h>

#include "place_tree.h"
#include "yaml_delayed.h"

struct frame {
	uint32_t node;
	bool map;
	bool at_value; /* of a map: the key has been read */
	uint32_t key;
};

struct reader {
	struct ps_place_tree *tree;
	struct ps_place_fault *fault;
	struct frame frames[PS_PLACE_DEPTH];
	unsigned depth;
	size_t characters, bytes; /* the cursor */
};

/* The byte of a mark. */
static size_t byte_of(struct reader *r, size_t index)
{
	const unsigned char *text = (const unsigned char *)r->tree->text;
	size_t size = r->tree->size;

	while (r->characters > index) {
		do
			r->bytes--;
		while ((text[r->bytes] & 0xc0) == 0x80);
		r->characters--;
	}
	while (r->characters < index && r->bytes < size) {
		unsigned char c = text[r->bytes];

		r->bytes += c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
		r->characters++;
	}
	if (r->bytes > size)
		r->bytes = size;
	return r->bytes;
}

static size_t skip_blanks(const char *text, size_t at, size_t end)
{
	while (at < end) {
		if (text[at] == '#')
			at += strcspn(text + at, "\r\n");
		else if (strchr(" \t\r\n", text[at]))
			at++;
		else
			break;
	}
	return at;
}

/* Behind anchor and tag. */
static size_t skip_properties(const char *text, size_t at, size_t end)
{
	while (at < end && (text[at] == '&' || text[at] == '!')) {
		while (at < end && !strchr(" \t\r\n", text[at]))
			at++;
		at = skip_blanks(text, at, end);
	}
	return at < end ? at : end;
}

/* The bytes and the style of a scalar between its marks. */
static void scalar(struct reader *r, struct ps_node *node, const yaml_event_t *event, size_t start, size_t end)
{
	yaml_scalar_style_t style = event->data.scalar.style;
	const char *text = r->tree->text;

	start = skip_properties(text, start, end);
	node->style = PS_STYLE_PLAIN;
	if (style == YAML_SINGLE_QUOTED_SCALAR_STYLE || style == YAML_DOUBLE_QUOTED_SCALAR_STYLE) {
		node->style = style == YAML_SINGLE_QUOTED_SCALAR_STYLE ? PS_STYLE_SINGLE : PS_STYLE_BACKSLASH;
		if (end - start >= 2) {
			start++;
			end--;
		}
	} else if (style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE) {
		node->style = PS_STYLE_BLOCK;
	} else if (event->data.scalar.length == 0) {
		start = end;
	}
	node->start = (uint32_t)start;
	node->end = (uint32_t)end;
}

/* Adds a node where the stack stands. A key's own node goes nowhere; the key is kept in the frame. */
static uint32_t place_node(struct reader *r, enum ps_node_kind kind, size_t start, size_t end,
			   const yaml_event_t *event)
{
	struct frame *top = &r->frames[r->depth - 1];
	bool key = top->map && !top->at_value;
	uint32_t node = place_tree_add(r->tree, key ? PS_NO_NODE : top->node, kind, start, end);

	if (r->tree->memory)
		return 0;
	if (!top->map)
		return node;
	if (key) {
		top->key = PS_NO_NODE;
		if (event->type == YAML_SCALAR_EVENT)
			top->key = place_tree_string(r->tree, (const char *)event->data.scalar.value,
						     strlen((const char *)event->data.scalar.value));
	} else {
		r->tree->nodes[node].key = top->key;
	}
	top->at_value = key;
	return node;
}

static bool push(struct reader *r, uint32_t node, bool map)
{
	if (r->depth == PS_PLACE_DEPTH)
		return place_fault(r->fault, r->tree->nodes[node].start, "syntax", "nested deeper than %d levels",
				   PS_PLACE_DEPTH);
	r->frames[r->depth++] = (struct frame){ .node = node, .map = map, .key = PS_NO_NODE };
	return true;
}

static bool take(struct reader *r, const yaml_event_t *event)
{
	size_t start = byte_of(r, event->start_mark.index), end = byte_of(r, event->end_mark.index);
	const char *name;
	uint32_t node;

	switch (event->type) {
	case YAML_SCALAR_EVENT:
		node = place_node(r, PS_NODE_SCALAR, start, end, event);
		scalar(r, &r->tree->nodes[node], event, start, end);
		break;
	case YAML_ALIAS_EVENT:
		node = place_node(r, PS_NODE_ALIAS, start, end, event);
		name = (const char *)event->data.alias.anchor;
		r->tree->nodes[node].anchor = place_tree_string(r->tree, name, strlen(name));
		break;
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		node = place_node(r, event->type == YAML_MAPPING_START_EVENT ? PS_NODE_MAP : PS_NODE_LIST, start, end,
				  event);
		return push(r, node, event->type == YAML_MAPPING_START_EVENT);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		r->depth--;
		break;
	default:
		break;
	}
	return true;
}

static bool failed(struct reader *r, const yaml_parser_t *parser)
{
	size_t at = parser->error == YAML_READER_ERROR ? parser->problem_offset
						       : byte_of(r, parser->problem_mark.index);

	if (parser->error == YAML_MEMORY_ERROR)
		return place_fault(r->fault, 0, "memory", "out of memory");
	if (at > r->tree->size)
		at = r->tree->size;
	place_fault(r->fault, at, "syntax", "this is no YAML: %s%s%s",
		    parser->problem ? parser->problem : "it cannot be read", parser->context ? ", " : "",
		    parser->context ? parser->context : "");
	if (parser->error == YAML_READER_ERROR && at < r->tree->size &&
	    ((unsigned char)r->tree->text[at] < 0x20 || r->tree->text[at] == 0x7f))
		return place_fault_hint(r->fault, "the byte 0x%02x stands there: take it out", r->tree->text[at]);
	if (parser->error == YAML_READER_ERROR)
		return place_fault_hint(r->fault, "save the file as UTF-8");
	if (parser->problem && (strstr(parser->problem, "tab character") || r->tree->text[at] == '\t'))
		return place_fault_hint(r->fault, "indent with spaces: YAML knows no tabs there");
	return false;
}

bool place_yaml_read(struct ps_place_tree *tree, struct ps_place_fault *fault)
{
	struct reader r = { .tree = tree, .fault = fault };
	yaml_parser_t parser;
	yaml_event_t event;
	bool good = true, end = false;

	if (tree->size >= 3 && memcmp(tree->text, "\xef\xbb\xbf", 3) == 0)
		r.bytes = 3;
	if (tree->size >= 2 && (memcmp(tree->text, "\xff\xfe", 2) == 0 || memcmp(tree->text, "\xfe\xff", 2) == 0)) {
		place_fault(fault, 0, "syntax", "this is UTF-16, not UTF-8");
		return place_fault_hint(fault, "save the file as UTF-8");
	}
	if (!yaml_parser_initialize(&parser))
		return place_fault(fault, 0, "memory", "%s", yaml_delayed_error() ? yaml_delayed_error() : "out of memory");
	yaml_parser_set_input_string(&parser, (const unsigned char *)tree->text, tree->size);
	r.frames[r.depth++] = (struct frame){ .node = 0 };
	while (good && !end) {
		good = yaml_parser_parse(&parser, &event) != 0;
		if (!good) {
			failed(&r, &parser);
			break;
		}
		end = event.type == YAML_STREAM_END_EVENT;
		good = take(&r, &event);
		yaml_event_delete(&event);
		if (tree->memory)
			good = place_fault(fault, 0, "memory", "out of memory");
	}
	yaml_parser_delete(&parser);
	return good;
}
