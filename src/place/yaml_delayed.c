/*
 * Theory of operation
 *
 * `portshim run` and `exec` start each time that somebody starts a program, and a library that is linked costs them a
 * twentieth of that, read or not. So the functions of libyaml that are used stand here under their own names, and each
 * calls the one in the library, which the first of them loads. Without the library the parser does not start, and
 * yaml_delayed_error says why.
 *
 * libyaml-0.so.2 is its name since 2009; the functions here have been in it as long.
 */
#include "yaml_delayed.h"

#include <dlfcn.h>
#include <stddef.h>

static const char *error;

/* The function with this name, in *at, which is kept. */
static void *find(void **at, const char *name)
{
	static void *library;

	if (!library)
		library = dlopen("libyaml-0.so.2", RTLD_NOW | RTLD_LOCAL);
	if (library && !*at)
		*at = dlsym(library, name);
	if (!*at)
		error = dlerror();
	return *at;
}

#define FIND(function) \
	static __typeof__(function) *real; \
	find((void **)&real, #function)

const char *yaml_delayed_error(void)
{
	return error;
}

int yaml_parser_initialize(yaml_parser_t *parser)
{
	FIND(yaml_parser_initialize);

	return real ? real(parser) : 0;
}

void yaml_parser_set_input_string(yaml_parser_t *parser, const unsigned char *input, size_t size)
{
	FIND(yaml_parser_set_input_string);

	if (real)
		real(parser, input, size);
}

int yaml_parser_parse(yaml_parser_t *parser, yaml_event_t *event)
{
	FIND(yaml_parser_parse);

	return real ? real(parser, event) : 0;
}

int yaml_parser_load(yaml_parser_t *parser, yaml_document_t *document)
{
	FIND(yaml_parser_load);

	return real ? real(parser, document) : 0;
}

void yaml_parser_delete(yaml_parser_t *parser)
{
	FIND(yaml_parser_delete);

	if (real)
		real(parser);
}

void yaml_event_delete(yaml_event_t *event)
{
	FIND(yaml_event_delete);

	if (real)
		real(event);
}

void yaml_document_delete(yaml_document_t *document)
{
	FIND(yaml_document_delete);

	if (real)
		real(document);
}

yaml_node_t *yaml_document_get_node(yaml_document_t *document, int index)
{
	FIND(yaml_document_get_node);

	return real ? real(document, index) : NULL;
}

yaml_node_t *yaml_document_get_root_node(yaml_document_t *document)
{
	FIND(yaml_document_get_root_node);

	return real ? real(document) : NULL;
}
