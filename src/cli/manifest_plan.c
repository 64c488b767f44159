/*
 * manifest_plan.c - from the manifest to the plan (portshim/plan.h).
 *
 * Theory of operation: the sections are counted first, and then one block is filled. A service that inherits has its
 * root's rules there, and points to the root itself, so that the shim never follows a chain.
 */
#include "manifest.h"

#include <stdlib.h>
#include <string.h>

struct compiler {
	char *block;
	uint32_t strings; /* the next free byte */
};

static size_t string_size(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

static uint32_t put_string(struct compiler *c, const char *text)
{
	uint32_t at = c->strings;
	size_t size = string_size(text);

	if (!text)
		return 0;
	memcpy(c->block + at, text, size);
	c->strings += (uint32_t)size;
	return at;
}

static const char *scheme_of(const struct ps_manifest *manifest, const struct ps_manifest_service *s)
{
	return s->scheme ? s->scheme : manifest_root(manifest, s)->scheme;
}

/* The sizes of the sections. False if the whole would be too big for its offsets. */
static bool measure(const struct ps_manifest *manifest, struct ps_plan *plan)
{
	uint64_t strings = 0, ports = 0, size;

	for (size_t i = 0; i < manifest->service_count; i++) {
		const struct ps_manifest_service *s = &manifest->services[i];

		ports += s->port_count;
		plan->from_count += (uint32_t)s->source_count;
		strings += string_size(s->name) + string_size(scheme_of(manifest, s)) + string_size(s->match_command) +
			   string_size(s->match_args) + string_size(s->match_directory) + string_size(s->discovery);
	}
	size = sizeof(*plan) + manifest->service_count * sizeof(struct ps_service) +
	       ports * sizeof(struct ps_plan_port) + plan->from_count * sizeof(struct ps_plan_from);
	plan->services = sizeof(*plan);
	plan->service_count = (uint32_t)manifest->service_count;
	plan->from = (uint32_t)(plan->services + manifest->service_count * sizeof(struct ps_service));
	plan->index = (uint32_t)(plan->from + plan->from_count * sizeof(struct ps_plan_from));
	plan->flags |= plan->from_count ? PS_PLAN_FROM : 0;
	plan->index_count = plan->port_count = (uint32_t)ports;
	plan->ports = (uint32_t)size;
	size += ports * sizeof(uint16_t);
	if (ports > PS_PLAN_SMALL) {
		size = (size + sizeof(uint32_t) - 1) & ~(uint64_t)(sizeof(uint32_t) - 1);
		plan->flags |= PS_PLAN_RANKS;
		size += PS_BITMAP_WORDS * sizeof(uint32_t);
	}
	plan->strings = (uint32_t)size;
	size += strings;
	plan->size = (uint32_t)size;
	return size <= UINT32_MAX;
}

static int by_port(const void *a, const void *b)
{
	const struct ps_plan_port *x = a, *y = b;

	return x->port != y->port ? (x->port > y->port) - (x->port < y->port)
				  : (x->service > y->service) - (x->service < y->service);
}

static void compile_service(struct compiler *c, const struct ps_manifest *manifest, const struct ps_manifest_service *s,
			    struct ps_service *to)
{
	to->name = put_string(c, s->name);
	to->scheme = put_string(c, scheme_of(manifest, s));
	to->match_command = put_string(c, s->match_command);
	to->match_args = put_string(c, s->match_args);
	to->match_directory = put_string(c, s->match_directory);
	to->discovery = put_string(c, s->discovery);
	to->port_count = (uint16_t)s->port_count;
	to->range_first = s->range_first;
	to->range_last = s->range_last;
	to->inherits = PS_NO_SERVICE;
	if (s->inherits >= 0)
		to->inherits = (uint16_t)(manifest_root(manifest, s) - manifest->services);
	to->protocols = s->protocols;
	to->flags = (uint8_t)((s->external ? PS_SERVICE_EXTERNAL : 0) | (s->os ? PS_SERVICE_OS : 0) |
			      (s->fallback ? 0 : PS_SERVICE_FIXED) | (s->yields && s->fallback ? PS_SERVICE_YIELDS : 0));
	to->report = s->report;
	to->strategy = s->strategy;
}

static void put_ranks(struct ps_plan *plan, const struct ps_plan_port *index)
{
	uint32_t *ranks = (uint32_t *)(void *)((char *)plan + plan->strings) - PS_BITMAP_WORDS, at = 0;

	for (uint32_t word = 0; word < PS_BITMAP_WORDS; word++) {
		while (at < plan->index_count && index[at].port / 64 < word)
			at++;
		ranks[word] = at;
	}
}

struct ps_plan *manifest_compile(const struct ps_manifest *manifest, const uint64_t *foreign)
{
	struct ps_plan header = { .magic = PS_PLAN_MAGIC, .abi = PS_ABI }, *plan;
	struct ps_service *services;
	struct ps_plan_port *index;
	struct ps_plan_from *from;
	struct compiler c;
	uint16_t *ports;
	uint32_t used = 0;

	if (!measure(manifest, &header))
		return NULL;
	plan = calloc(1, header.size);
	if (!plan)
		return NULL;
	*plan = header;
	plan->default_first = manifest->default_first;
	plan->default_last = manifest->default_last;
	plan->report = manifest->report;
	plan->strategy = manifest->strategy;
	plan->os = manifest->os;
	plan->flags |= manifest->fallback ? 0 : PS_PLAN_FIXED;
	plan->flags |= manifest->yields && manifest->fallback ? PS_PLAN_YIELDS : 0;
	if (foreign)
		memcpy(plan->foreign, foreign, sizeof(plan->foreign));

	c = (struct compiler){ .block = (char *)plan, .strings = plan->strings };
	services = (void *)(c.block + plan->services);
	from = (void *)(c.block + plan->from);
	index = (void *)(c.block + plan->index);
	ports = (void *)(c.block + plan->ports);
	for (size_t i = 0; i < manifest->service_count; i++) {
		const struct ps_manifest_service *s = &manifest->services[i];

		compile_service(&c, manifest, s, &services[i]);
		if (s->inherits >= 0)
			plan->flags |= PS_PLAN_HEIRS;
		if (s->match_command || s->match_args || s->match_directory)
			plan->flags |= PS_PLAN_MATCH;
		for (size_t k = 0; k < s->source_count; k++)
			*from++ = (struct ps_plan_from){ s->ports[0], s->sources[k].port, s->sources[k].env };
		services[i].ports = used;
		for (size_t k = 0; k < s->port_count; k++, used++) {
			ports[used] = s->ports[k];
			index[used] = (struct ps_plan_port){ s->ports[k], (uint16_t)i };
			bitmap_set(plan->avoid, s->ports[k]);
		}
	}
	qsort(index, plan->index_count, sizeof(*index), by_port);
	if (plan->flags & PS_PLAN_RANKS)
		put_ranks(plan, index);
	return plan;
}
