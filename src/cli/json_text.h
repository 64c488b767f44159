/*
 * json_text.h - JSON as people write it: comments, strict grammar, and where everything stands.
 *
 * cJSON builds values but forgets positions, knows no comments, and forgives what the standard does not (leading zeros,
 * control characters in strings). So the text is judged here first, then cJSON builds the tree, and each of its nodes
 * is given the number of its position.
 */
#ifndef PORTSHIM_CLI_JSON_TEXT_H
#define PORTSHIM_CLI_JSON_TEXT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PS_JSON_DEPTH 64
#define PS_JSON_SIZE_MAX (64u << 20)

/* Offsets in the text of one value, in document order. */
struct ps_json_place {
	uint32_t key;	/* of the opening quote of its key; the same as value where there is none */
	uint32_t value; /* of its first byte */
};

struct ps_json_text {
	char *text; /* malloc'ed, with a NUL behind it; what is blanked becomes spaces, so that offsets stay true */
	size_t size;
	bool commas; /* the caller's: a comma may stand behind the last entry (JSONC) */
	struct ps_json_place *places;
	size_t count, room;
	struct ps_json_block *blocks; /* the memory of the tree */
};

struct ps_json_fault {
	size_t offset;
	const char *code; /* "syntax", "utf-8", "empty", "too-deep", "memory" */
	char text[192];
	char hint[128];
};

/* Judges the text and finds the places. False with the fault filled at the first thing that is wrong. `text->text` and
 * `text->size` are the caller's input; the rest is filled. */
bool json_text_check(struct ps_json_text *text, struct ps_json_fault *fault);

/* Builds the tree of a checked text, to be read only: json_text_free frees it, cJSON_Delete must not. The valueint of
 * every node is the number of its place (numbers are in valuedouble). NULL if memory ran out. */
cJSON *json_text_build(struct ps_json_text *text);

/* Line and column of an offset, both from 1; columns count bytes. */
void json_text_position(const struct ps_json_text *text, size_t offset, int *line, int *column);

/* Frees tree, places and text. */
void json_text_free(struct ps_json_text *text);

#endif
