/*
 * read_compose.c - the ports that compose files publish on this machine.
 *
 * Theory of operation: the host's side counts; a container's port that gets any port of the host is none. Of a variable
 * the default is taken, of a range each of its ports, up to a limit. libyaml's documents share the nodes of aliases, so
 * that a few lines cannot grow into millions; merged maps ("<<") are followed when a key is looked for, so deep and so
 * often: what is behind that is left out.
 */
#include "init.h"

#include "../place/yaml_delayed.h"

#include <stdlib.h>
#include <string.h>

#define RANGE_MAX 20
#define MERGES_MAX 8	   /* deep */
#define LOOKUPS_MAX 1000 /* for one key: a map can be merged from many, and from itself */

struct compose {
	struct ps_init *init;
	const char *file;
	yaml_document_t document;
	unsigned lookups; /* for the key that is looked for */
};

static yaml_node_t *get(struct compose *c, yaml_node_t *map, const char *key, unsigned depth)
{
	yaml_node_t *merged = NULL;

	c->lookups = depth ? c->lookups + 1 : 0;
	if (!map || map->type != YAML_MAPPING_NODE || depth > MERGES_MAX || c->lookups > LOOKUPS_MAX)
		return NULL;
	for (yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top; pair++) {
		yaml_node_t *k = yaml_document_get_node(&c->document, pair->key);

		if (!k || k->type != YAML_SCALAR_NODE)
			continue;
		if (strcmp((char *)k->data.scalar.value, key) == 0)
			return yaml_document_get_node(&c->document, pair->value);
		if (strcmp((char *)k->data.scalar.value, "<<") == 0)
			merged = yaml_document_get_node(&c->document, pair->value);
	}
	if (merged && merged->type == YAML_SEQUENCE_NODE) {
		yaml_node_t *found = NULL;
		yaml_node_item_t *item = merged->data.sequence.items.start;

		for (; !found && item < merged->data.sequence.items.top; item++)
			found = get(c, yaml_document_get_node(&c->document, *item), key, depth + 1);
		return found;
	}
	return get(c, merged, key, depth + 1);
}

static const char *text_of(yaml_node_t *node)
{
	return node && node->type == YAML_SCALAR_NODE ? (char *)node->data.scalar.value : NULL;
}

/* "8080", "8080-8085", "${WEB:-8080}": one or two ports. */
static bool read_ports(const char *text, long *first, long *last)
{
	char *end;

	if (strncmp(text, "${", 2) == 0) {
		text = strstr(text, ":-");
		if (!text)
			return false;
		text += 2;
	}
	if (*text < '0' || *text > '9')
		return false;
	*first = *last = strtol(text, &end, 10);
	if (*end == '-')
		*last = strtol(end + 1, &end, 10);
	return (*end == '\0' || *end == '}') && *first >= 1 && *first <= *last && *last <= 65535;
}

static void publish(struct compose *c, const char *service, const char *published, bool udp, const yaml_node_t *at)
{
	struct ps_init_found found = { .name = service, .rank = PS_INIT_COMPOSE, .udp = udp, .container = true,
				      .file = c->file };
	long first, last;
	char what[160];

	if (!read_ports(published, &first, &last))
		return;
	snprintf(what, sizeof(what), "published by %.100s", service);
	found.what = what;
	found.line = (int)at->start_mark.line + 1;
	found.column = (int)at->start_mark.column + 1;
	for (found.port = first; found.port <= last && found.port < first + RANGE_MAX; found.port++)
		init_add(c->init, &found);
}

/* "[ADDRESS:]HOST:CONTAINER[/PROTOCOL]". The colons of ${NAME:-3000} and of [::1] are no separators. */
static void read_short(struct compose *c, const char *service, yaml_node_t *node)
{
	char text[256], *part[3] = { text }, *slash;
	unsigned parts = 1, nested = 0;

	snprintf(text, sizeof(text), "%s", text_of(node));
	for (char *at = text; *at; at++) {
		if (*at == '{' || *at == '[')
			nested++;
		else if (nested && (*at == '}' || *at == ']'))
			nested--;
		if (*at != ':' || nested)
			continue;
		if (parts == 3)
			return;
		*at = '\0';
		part[parts++] = at + 1;
	}
	if (parts < 2)
		return;
	slash = strchr(part[parts - 1], '/');
	publish(c, service, part[parts - 2], slash && strcmp(slash, "/udp") == 0, node);
}

static void read_service(struct compose *c, const char *name, yaml_node_t *service)
{
	yaml_node_t *ports = get(c, service, "ports", 0);

	if (!ports || ports->type != YAML_SEQUENCE_NODE)
		return;
	for (yaml_node_item_t *item = ports->data.sequence.items.start; item < ports->data.sequence.items.top; item++) {
		yaml_node_t *port = yaml_document_get_node(&c->document, *item);
		yaml_node_t *published = get(c, port, "published", 0);
		const char *protocol = text_of(get(c, port, "protocol", 0));

		if (text_of(port))
			read_short(c, name, port);
		else if (text_of(published))
			publish(c, name, text_of(published), protocol && strcmp(protocol, "udp") == 0, published);
	}
}

static void read_services(struct compose *c)
{
	yaml_node_t *services = get(c, yaml_document_get_root_node(&c->document), "services", 0);

	if (!services || services->type != YAML_MAPPING_NODE)
		return;
	for (yaml_node_pair_t *p = services->data.mapping.pairs.start; p < services->data.mapping.pairs.top; p++) {
		const char *name = text_of(yaml_document_get_node(&c->document, p->key));

		if (name)
			read_service(c, name, yaml_document_get_node(&c->document, p->value));
	}
}

static void read_file(struct ps_init *init, const char *file)
{
	struct compose c = { .init = init, .file = file };
	yaml_parser_t parser;
	size_t size;
	char *text = init_file(init, file, &size);

	if (!text)
		return;
	if (!yaml_parser_initialize(&parser)) {
		init->failed = true;
		free(text);
		return;
	}
	yaml_parser_set_input_string(&parser, (unsigned char *)text, size);
	if (yaml_parser_load(&parser, &c.document)) {
		read_services(&c);
		yaml_document_delete(&c.document);
	} else {
		init_left_out(init, file, (int)parser.problem_mark.line + 1,
			      parser.problem ? parser.problem : "it is no YAML");
	}
	yaml_parser_delete(&parser);
	free(text);
}

void init_compose(struct ps_init *init)
{
	static const char *const files[] = { "compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml",
					     "docker-compose.override.yml", "compose.override.yaml",
					     "docker-compose.dev.yml", "docker-compose.dev.yaml" };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		read_file(init, files[i]);
}
