/*
 * fuzz_json.c - any bytes as JSON: there is a fault at a place inside, or a tree whose every node knows where it
 * stands.
 *
 * What is accepted must be what cJSON itself reads when the comments are gone, and printed, it must be accepted again
 * and give the same tree. Names and texts with a U+0000 are the only ones that are refused beyond the standard.
 */
#include "../../src/cli/json_text.h"
#include "fuzz.h"

static char *copy_of(const void *data, size_t size)
{
	char *copy = malloc(size + 1);

	MUST(copy);
	memcpy(copy, data, size);
	copy[size] = '\0';
	return copy;
}

/* Every value begins where its place says, with the character of its kind. */
static void check_places(const struct ps_json_text *text, const cJSON *node)
{
	const struct ps_json_place *place;
	int line, column;
	char c;

	for (; node; node = node->next) {
		MUST(node->valueint >= 0 && (size_t)node->valueint < text->count);
		place = &text->places[node->valueint];
		MUST(place->value < text->size && place->key <= place->value);
		c = text->text[place->value];
		MUST(cJSON_IsObject(node) ? c == '{' : cJSON_IsArray(node) ? c == '[' : cJSON_IsString(node) ? c == '"' : 1);
		MUST(cJSON_IsNumber(node) ? c == '-' || (c >= '0' && c <= '9') : 1);
		MUST(!node->string || text->text[place->key] == '"');
		json_text_position(text, place->value, &line, &column);
		MUST(line >= 1 && column >= 1);
		check_places(text, node->child);
	}
}

static void check_again(const cJSON *root)
{
	char *printed = cJSON_PrintUnformatted(root);
	struct ps_json_text text = {.text = printed, .size = printed ? strlen(printed) : 0};
	struct ps_json_fault fault;
	cJSON *again;

	MUST(printed);
	MUST(json_text_check(&text, &fault));
	again = json_text_build(&text);
	MUST(again && cJSON_Compare(root, again, true));
	json_text_free(&text);
}

/* What cJSON does not print, or compare, as it was: numbers beyond a double, and one name twice. */
static bool is_odd(const cJSON *node)
{
	for (; node; node = node->next) {
		if (cJSON_IsNumber(node) && node->valuedouble - node->valuedouble != 0)
			return true;
		for (const cJSON *other = node->next; other; other = other->next)
			if (node->string && other->string && strcmp(node->string, other->string) == 0)
				return true;
		if (is_odd(node->child))
			return true;
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ps_json_text text = {.text = copy_of(data, size), .size = size};
	struct ps_json_fault fault = {.code = ""};
	cJSON *root;

	if (json_text_check(&text, &fault)) {
		MUST(text.size == size && text.count > 0);
		root = json_text_build(&text);
		MUST(root && root->valueint == 0);
		check_places(&text, root);
		if (!is_odd(root))
			check_again(root);
	} else {
		int line, column;

		MUST(fault.offset <= size && *fault.code && *fault.text);
		json_text_position(&text, fault.offset, &line, &column);
		MUST(line >= 1 && column >= 1);
	}
	json_text_free(&text);
	return 0;
}
