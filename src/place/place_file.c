/*
 * place_file.c - formats by name, and the way from a file's text to a place in it.
 */
#include "place_file.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "place_path.h"
#include "place_tree.h"

#define PARTS_MAX 64

struct ps_place_file {
	enum ps_place_format format;
	struct ps_place_tree tree; /* all formats but text */
	const char *text;
	size_t size;
};

const char *const place_file_formats[PS_PLACE_FORMAT_COUNT] = {
	[PS_PLACE_YAML] = "yaml",     [PS_PLACE_JSON] = "json",       [PS_PLACE_TOML] = "toml",
	[PS_PLACE_DOTENV] = "dotenv", [PS_PLACE_COMPOSE] = "compose", [PS_PLACE_TEXT] = "text",
};

bool place_file_format(const char *name, enum ps_place_format *format)
{
	/* The first one that fits. */
	static const struct {
		const char *pattern;
		enum ps_place_format format;
	} names[] = {
		{ "docker-compose*.y*ml", PS_PLACE_COMPOSE },
		{ "compose*.y*ml", PS_PLACE_COMPOSE },
		{ "*.yaml", PS_PLACE_YAML },
		{ "*.yml", PS_PLACE_YAML },
		{ "*.json", PS_PLACE_JSON },
		{ "*.jsonc", PS_PLACE_JSON },
		{ "*.code-workspace", PS_PLACE_JSON },
		{ "*.toml", PS_PLACE_TOML },
		{ ".env*", PS_PLACE_DOTENV },
		{ "*.env", PS_PLACE_DOTENV },
		{ "*.properties", PS_PLACE_DOTENV },
	};
	const char *slash = strrchr(name, '/');

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (fnmatch(names[i].pattern, slash ? slash + 1 : name, 0) != 0)
			continue;
		*format = names[i].format;
		return true;
	}
	return false;
}

const char *place_file_check(enum ps_place_format format, const char *where, char *text)
{
	const char *at = where;
	unsigned parts = 0;
	struct ps_part part;

	if (format == PS_PLACE_TEXT)
		return place_text_check(where, text);
	if (format == PS_PLACE_DOTENV)
		return *where ? NULL : "it is empty";
	while ((part = place_path_next(where, &at)).kind != PS_PART_END) {
		if (part.kind == PS_PART_BAD) {
			snprintf(text, 128, "expected KEY.KEY, [N], [KEY=VALUE] or ['KEY'] at `%.40s`", at);
			return *at ? text : "it is empty";
		}
		if (++parts > PARTS_MAX) {
			snprintf(text, 128, "more than %d parts", PARTS_MAX);
			return text;
		}
	}
	return NULL;
}

struct ps_place_file *place_file_read(enum ps_place_format format, const char *text, size_t size,
				      struct ps_place_fault *fault)
{
	struct ps_place_file *file = calloc(1, sizeof(*file));
	bool good = true;

	if (!file) {
		place_fault(fault, 0, "memory", "out of memory");
		return NULL;
	}
	*file = (struct ps_place_file){ .format = format, .text = text, .size = size };
	if (format == PS_PLACE_TEXT)
		return file;
	place_tree_start(&file->tree, text, size);
	if (file->tree.memory)
		good = place_fault(fault, 0, "memory", "out of memory");
	else if (format == PS_PLACE_JSON)
		good = place_json_read(&file->tree, fault);
	else if (format == PS_PLACE_TOML)
		good = place_toml_read(&file->tree, fault);
	else if (format == PS_PLACE_DOTENV)
		good = place_dotenv_read(&file->tree, fault);
	else
		good = place_yaml_read(&file->tree, fault);
	if (good && !place_tree_index(&file->tree))
		good = place_fault(fault, 0, "memory", "out of memory");
	if (good)
		return file;
	place_file_free(file);
	return NULL;
}

bool place_file_find(const struct ps_place_file *file, const char *where, struct ps_spot *place,
		     struct ps_place_fault *fault)
{
	if (file->format == PS_PLACE_TEXT)
		return place_text_find(file->text, file->size, where, place, fault);
	return place_tree_find(&file->tree, file->format, where, place, fault);
}

void place_file_free(struct ps_place_file *file)
{
	if (!file)
		return;
	place_tree_free(&file->tree);
	free(file);
}
