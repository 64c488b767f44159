/*
 * plan.c - reading the compiled manifest.
 *
 * Theory of operation
 *
 * The command line compiles a manifest once (cli/manifest.c) and puts the bytes behind the run's scope; every process
 * of the run maps them and reads them here. Nothing is parsed, allocated or written, so that all of this may run inside
 * a hook, in a signal handler, or in a vfork child.
 *
 * plan_check() is the border, crossed once, by the command line that puts a plan into a run; a process of the run looks
 * at the outline only (plan_fits), because it can believe a file of its own user and a start must not cost more with
 * more services. plan_check() looks at every offset, index and enumeration once, and whatever it lets pass can be read
 * by the other functions without further care. It takes time linear in the size of the block, also for hostile bytes:
 * the strings that are copied into fixed fields later (names, schemes, paths) are measured up to the field's size, the
 * others end at the last byte of the block at the latest, because that is NUL.
 *
 * A port is looked up in the index, which is sorted by port and then by service. Where the index is small, by
 * bisection. Else a bit of `avoid` says whether the port is in it at all, and the ranks where: behind the entries of
 * all words before the bit's, and those of the bits before it. Where several services have one port it is a little
 * further, and a bisection of what is left of the word's entries finds it.
 */
#include <portshim/kernel.h>
#include <portshim/host.h>
#include <portshim/plan.h>

#include "text.h"

#define DEFAULT_FIRST 20000
#define DEFAULT_LAST 29999

/* True if `count` elements of `element` bytes lie inside the block at an aligned offset behind the header. */
static bool section_fits(uint64_t size, uint32_t offset, uint32_t count, uint32_t element, uint32_t align)
{
	if (count == 0)
		return true;
	return offset >= sizeof(struct ps_plan) && offset % align == 0 && offset <= size &&
	       (uint64_t)count * element <= size - offset;
}

/* True if a string offset is 0, or inside the strings. `room` limits the length with the NUL; 0: no limit. */
static bool string_fits(const struct ps_plan *plan, uint32_t offset, uint32_t room)
{
	const char *s;

	if (offset == 0)
		return true;
	if (offset < plan->strings || offset >= plan->size)
		return false;
	if (room == 0)
		return true;
	s = (const char *)plan + offset;
	for (uint32_t i = 0; i < room; i++) {
		if (s[i] == '\0')
			return true; /* found before the block's end, whose last byte is NUL */
	}
	return false;
}

static bool range_valid(uint16_t first, uint16_t last)
{
	return first != 0 && first <= last;
}

static bool service_valid(const struct ps_plan *plan, const struct ps_service *services, const struct ps_service *s)
{
	if (s->name == 0 || !string_fits(plan, s->name, PS_SERVICE_MAX) || !string_fits(plan, s->scheme, PS_SCHEME_MAX) ||
	    !string_fits(plan, s->match_command, 0) || !string_fits(plan, s->match_args, 0) ||
	    !string_fits(plan, s->match_directory, 0) || !string_fits(plan, s->discovery, PS_PATH_MAX))
		return false;
	if (s->ports > plan->port_count || s->port_count > plan->port_count - s->ports)
		return false;
	if ((s->range_first != 0 || s->range_last != 0) && !range_valid(s->range_first, s->range_last))
		return false;
	if (s->protocols & ~(PS_TCP | PS_UDP) || s->report > PS_REPORT_REQUESTED || s->strategy > PS_AGGRESSIVE ||
	    s->flags & ~(PS_SERVICE_EXTERNAL | PS_SERVICE_OS | PS_SERVICE_FIXED | PS_SERVICE_YIELDS))
		return false;
	if (s->inherits == PS_NO_SERVICE)
		return s->port_count > 0;
	/* One step leads to the service that has the port, so that nobody ever follows a chain, or a ring. */
	return s->port_count == 0 && s->inherits < plan->service_count &&
	       services[s->inherits].inherits == PS_NO_SERVICE;
}

static bool index_sorted(const struct ps_plan_port *index, uint32_t at)
{
	if (at == 0)
		return true;
	if (index[at].port != index[at - 1].port)
		return index[at].port > index[at - 1].port;
	return index[at].service > index[at - 1].service;
}

static const uint32_t *ranks_of(const struct ps_plan *plan)
{
	return (const uint32_t *)(const void *)((const char *)plan + plan->strings) - PS_BITMAP_WORDS;
}

static bool ranks_fit(const struct ps_plan *plan)
{
	return plan->strings % _Alignof(uint32_t) == 0 &&
	       plan->strings >= sizeof(*plan) + PS_BITMAP_WORDS * sizeof(uint32_t);
}

static bool ranks_right(const struct ps_plan *plan, const struct ps_plan_port *index)
{
	const uint32_t *ranks = ranks_of(plan);
	uint32_t at = 0;

	if (!(plan->flags & PS_PLAN_RANKS))
		return true;
	for (uint32_t word = 0; word < PS_BITMAP_WORDS; word++) {
		uint64_t bits = 0;

		if (ranks[word] != at)
			return false;
		for (; at < plan->index_count && index[at].port / 64 == word; at++)
			bits |= UINT64_C(1) << index[at].port % 64;
		if (bits != plan->avoid[word])
			return false;
	}
	return true;
}

bool plan_fits(const struct ps_plan *plan, uint64_t size)
{
	if (!plan || size < sizeof(*plan) || (uintptr_t)plan % _Alignof(struct ps_plan) != 0)
		return false;
	if (plan->magic != PS_PLAN_MAGIC || plan->abi != PS_ABI || plan->size != size)
		return false;
	if (plan->service_count > PS_NO_SERVICE || plan->report > PS_REPORT_REQUESTED ||
	    plan->strategy > PS_AGGRESSIVE || plan->os > 1 || !range_valid(plan->default_first, plan->default_last))
		return false;
	if (!section_fits(size, plan->services, plan->service_count, sizeof(struct ps_service),
			  _Alignof(struct ps_service)) ||
	    !section_fits(size, plan->ports, plan->port_count, sizeof(uint16_t), sizeof(uint16_t)) ||
	    !section_fits(size, plan->index, plan->index_count, sizeof(struct ps_plan_port),
			  _Alignof(struct ps_plan_port)) ||
	    !section_fits(size, plan->from, plan->from_count, sizeof(struct ps_plan_from),
			  _Alignof(struct ps_plan_from)) ||
	    (plan->flags & PS_PLAN_RANKS && !ranks_fit(plan)))
		return false;
	return plan->strings >= sizeof(*plan) && plan->strings <= size &&
	       (plan->strings == size || ((const char *)plan)[size - 1] == '\0');
}

bool plan_check(const struct ps_plan *plan, uint64_t size)
{
	const struct ps_service *services;
	const struct ps_plan_port *index;
	const uint16_t *ports;

	if (!plan_fits(plan, size))
		return false;
	services = (const void *)((const char *)plan + plan->services);
	ports = (const void *)((const char *)plan + plan->ports);
	index = (const void *)((const char *)plan + plan->index);
	for (uint32_t i = 0; i < plan->service_count; i++) {
		if (!service_valid(plan, services, &services[i]))
			return false;
	}
	for (uint32_t i = 0; i < plan->port_count; i++) {
		if (ports[i] == 0)
			return false;
	}
	for (uint32_t i = 0; i < plan->index_count; i++) {
		if (index[i].port == 0 || index[i].service >= plan->service_count ||
		    services[index[i].service].inherits != PS_NO_SERVICE || !index_sorted(index, i))
			return false;
	}
	for (uint32_t i = 0; i < plan->from_count; i++) {
		const struct ps_plan_from *from = (const void *)((const char *)plan + plan->from);

		if (from[i].port == 0 || from[i].requested == 0)
			return false;
	}
	return ranks_right(plan, index);
}

const struct ps_service *plan_service(const struct ps_plan *plan, uint16_t index)
{
	return (const struct ps_service *)(const void *)((const char *)plan + plan->services) + index;
}

const char *plan_string(const struct ps_plan *plan, uint32_t offset)
{
	return offset == 0 ? "" : (const char *)plan + offset;
}

const uint16_t *plan_ports(const struct ps_plan *plan, const struct ps_service *service)
{
	return (const uint16_t *)(const void *)((const char *)plan + plan->ports) + service->ports;
}

static uint32_t bits_set(uint64_t bits)
{
	bits -= bits >> 1 & UINT64_C(0x5555555555555555);
	bits = (bits & UINT64_C(0x3333333333333333)) + (bits >> 2 & UINT64_C(0x3333333333333333));
	bits = (bits + (bits >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	return (uint32_t)((bits * UINT64_C(0x0101010101010101)) >> 56);
}

/* The part of the index that the port must be in, if it is in it. It nearly always is the first entry. */
static void narrow(const struct ps_plan *plan, uint16_t port, uint32_t *low, uint32_t *high)
{
	const uint32_t *ranks = ranks_of(plan);
	const struct ps_plan_port *index = (const void *)((const char *)plan + plan->index);
	unsigned at = port / 64;
	uint64_t word = plan->avoid[at], bit = UINT64_C(1) << port % 64;

	*low = ranks[at] + bits_set(word & (bit - 1));
	if (!(word & bit))
		*high = *low;
	else if (index[*low].port == port)
		*high = *low + 1;
	else if (at + 1 < PS_BITMAP_WORDS)
		*high = ranks[at + 1];
}

uint32_t plan_find(const struct ps_plan *plan, uint16_t port, const struct ps_plan_port **first)
{
	const struct ps_plan_port *index = (const void *)((const char *)plan + plan->index);
	uint32_t low = 0, high = plan->index_count, found = 0;

	if (plan->flags & PS_PLAN_RANKS)
		narrow(plan, port, &low, &high);
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (index[middle].port < port)
			low = middle + 1;
		else
			high = middle;
	}
	while (low + found < plan->index_count && index[low + found].port == port)
		found++;
	*first = found ? &index[low] : (const struct ps_plan_port *)0;
	return found;
}

static bool service_has_match(const struct ps_service *s)
{
	return s->match_command || s->match_args || s->match_directory;
}

static bool service_fits(const struct ps_plan *plan, const struct ps_service *s, const struct ps_subject *subject)
{
	if (subject && subject->protocol && s->protocols && !(s->protocols & subject->protocol))
		return false;
	if (!service_has_match(s))
		return true;
	if (!subject)
		return false;
	return (!s->match_command || plan_glob(plan_string(plan, s->match_command), subject->command)) &&
	       (!s->match_args || plan_glob(plan_string(plan, s->match_args), subject->args)) &&
	       (!s->match_directory || plan_glob(plan_string(plan, s->match_directory), subject->directory));
}

bool plan_has_match(const struct ps_plan *plan, uint16_t port)
{
	const struct ps_plan_port *first;
	uint32_t count = plan_find(plan, port, &first);

	for (uint32_t i = 0; i < count; i++) {
		if (service_has_match(plan_service(plan, first[i].service)))
			return true;
	}
	return false;
}

/* How much a service that fits is preferred: one that says how to tell it apart, then one that has the port as its
 * first. */
static unsigned service_rank(const struct ps_plan *plan, const struct ps_service *s, uint16_t port)
{
	return (service_has_match(s) ? 2u : 0u) + (plan_ports(plan, s)[0] == port ? 1u : 0u);
}

struct ps_rules plan_rules(const struct ps_plan *plan, uint16_t port, const struct ps_subject *subject)
{
	struct ps_rules rules = {
		.service_index = PS_NO_SERVICE,
		.default_first = DEFAULT_FIRST,
		.default_last = DEFAULT_LAST,
		.report = PS_REPORT_ACTUAL,
		.strategy = PS_MINIMAL,
		.os = true,
	};
	const struct ps_plan_port *first;
	unsigned best = 0;
	uint32_t count;

	if (!plan)
		return rules;
	rules.default_first = plan->default_first;
	rules.default_last = plan->default_last;
	rules.report = plan->report;
	rules.strategy = plan->strategy;
	rules.os = plan->os != 0;
	rules.fixed = (plan->flags & PS_PLAN_FIXED) != 0;

	count = plan_find(plan, port, &first);
	for (uint32_t i = 0; i < count; i++) {
		const struct ps_service *s = plan_service(plan, first[i].service);
		unsigned rank;

		if (!service_fits(plan, s, subject))
			continue;
		rank = service_rank(plan, s, port) + 1;
		if (rank <= best)
			continue; /* of equals, the first in the manifest */
		best = rank;
		rules.service = s;
		rules.service_index = first[i].service;
		rules.report = s->report;
		rules.strategy = s->strategy;
		rules.os = (s->flags & PS_SERVICE_OS) != 0;
		rules.fixed = (s->flags & PS_SERVICE_FIXED) != 0;
	}
	return rules;
}

bool plan_yields_any(const struct ps_plan *plan)
{
	bool any = plan && plan->flags & PS_PLAN_YIELDS;

	for (uint32_t i = 0; plan && i < plan->service_count; i++)
		any |= plan_service(plan, (uint16_t)i)->flags & PS_SERVICE_YIELDS;
	return any;
}

bool plan_yields(const struct ps_plan *plan, const char *service)
{
	if (!plan || !*service)
		return plan && plan->flags & PS_PLAN_YIELDS;
	for (uint32_t i = 0; i < plan->service_count; i++) {
		const struct ps_service *s = plan_service(plan, (uint16_t)i);

		if (text_equal(plan_string(plan, s->name), service))
			return s->flags & PS_SERVICE_YIELDS;
	}
	return false;
}

bool plan_external(const struct ps_plan *plan, uint16_t port)
{
	const struct ps_plan_port *first;
	uint32_t count;

	if (!plan)
		return false;
	count = plan_find(plan, port, &first);
	for (uint32_t i = 0; i < count; i++) {
		if (plan_service(plan, first[i].service)->flags & PS_SERVICE_EXTERNAL)
			return true;
	}
	return false;
}

/* On a mismatch only the last `*` takes one byte more: earlier ones never need to, since a longer match of them can do
 * no more than the later one does. So the time is at most pattern times text, and in practice linear. */
bool plan_glob(const char *pattern, const char *text)
{
	const char *star = (const char *)0, *resume = text;

	while (*text) {
		if (*pattern == '*') {
			star = pattern++;
			resume = text;
		} else if (*pattern == '?' || *pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star + 1;
			text = ++resume;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}
