/*
 * rules.c - the manifest's "rules": which services belong into which ports, and whether the rules can all be kept.
 *
 * Three ways to be wrong: a service lies outside of its own rule (rule-outside) or inside of one that keeps its ports
 * for others (rule-taken); two rules claim the same numbers (rule-overlap); two rules name one service and leave it no
 * number (rule-contradiction). What the rules say together does not depend on the ports, so it is judged once; where
 * the services lie is judged under each profile that the rule holds for.
 */
#include "check.h"

#include <portshim/plan.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cJSON *first_part(const struct ps_raw_rule *rule)
{
	return rule->range && cJSON_IsArray(rule->range) ? rule->range->child : rule->range;
}

static const cJSON *next_part(const struct ps_raw_rule *rule, const cJSON *part)
{
	return cJSON_IsArray(rule->range) ? part->next : NULL;
}

/* The ports of a rule, in a bitmap. */
static void fill(const struct ps_raw *raw, const struct ps_raw_rule *rule, uint64_t *map)
{
	memset(map, 0, PS_BITMAP_WORDS * sizeof(*map));
	for (const cJSON *part = first_part(rule); part; part = next_part(rule, part)) {
		uint16_t first, last;

		if (!manifest_raw_rule_span(raw, part, &first, &last))
			continue;
		for (unsigned port = first; port <= last; port++)
			bitmap_set(map, (uint16_t)port);
	}
}

/* "5000-6999, 8080, 9001-65535" */
static const char *describe(const struct ps_raw *raw, const struct ps_raw_rule *rule, char *text, size_t size)
{
	text[0] = '\0';
	for (const cJSON *part = first_part(rule); part; part = next_part(rule, part)) {
		size_t used = strlen(text);
		uint16_t first, last;

		if (used + 16 > size)
			break;
		if (!manifest_raw_rule_span(raw, part, &first, &last))
			continue;
		if (first == last)
			snprintf(text + used, size - used, "%s%u", used ? ", " : "", first);
		else
			snprintf(text + used, size - used, "%s%u-%u", used ? ", " : "", first, last);
	}
	return text;
}

static bool names(const cJSON *list, const char *name)
{
	for (const cJSON *item = list ? list->child : NULL; item; item = item->next)
		if (strcmp(item->valuestring, name) == 0)
			return true;
	return false;
}

static bool holds(const struct ps_raw_rule *rule, const char *profile)
{
	return !rule->profiles || names(rule->profiles, profile);
}

/* ---- the rules among themselves ---- */

struct claim {
	long first, last;
	const cJSON *item;
	const struct ps_raw_rule *rule;
};

static int by_first(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return (x->item->valueint > y->item->valueint) - (x->item->valueint < y->item->valueint);
}

/* The one that stands later in the file is told. */
static void report_overlap(struct ps_check *check, const struct claim *a, const struct claim *b)
{
	const struct claim *later = a->item->valueint > b->item->valueint ? a : b, *other = later == a ? b : a;
	long first = a->first > b->first ? a->first : b->first, last = a->last < b->last ? a->last : b->last;
	char ports[32];

	if (first == last)
		snprintf(ports, sizeof(ports), "%ld", first);
	else
		snprintf(ports, sizeof(ports), "%ld-%ld", first, last);
	check_report(check, later->item, "rule-overlap", PS_ERROR,
		     "take the numbers out of one of the rules; a \"range\" may have several parts",
		     "the rules \"%s\" and \"%s\" (line %d) contradict one another: both claim %s",
		     later->rule->item->string, other->rule->item->string, check_line(check, other->item),
		     ports);
}

static void check_overlaps(struct ps_check *check)
{
	const struct ps_raw *raw = check->raw;
	struct claim *claims;
	size_t count = 0, room = 1;

	for (size_t i = 0; i < raw->rule_count; i++)
		for (const cJSON *part = first_part(&raw->rules[i]); part; part = next_part(&raw->rules[i], part))
			room++;
	claims = calloc(room, sizeof(*claims));
	if (!claims) {
		check->findings->memory = true;
		return;
	}
	for (size_t i = 0; i < raw->rule_count; i++)
		for (const cJSON *part = first_part(&raw->rules[i]); part; part = next_part(&raw->rules[i], part)) {
			uint16_t first, last;

			if (manifest_raw_rule_span(raw, part, &first, &last))
				claims[count++] = (struct claim){ first, last, part, &raw->rules[i] };
		}
	qsort(claims, count, sizeof(*claims), by_first);
	for (size_t i = 0; i < count && check->findings->count < PS_FINDINGS_MAX; i++)
		for (size_t k = i + 1; k < count && claims[k].first <= claims[i].last &&
				       check->findings->count < PS_FINDINGS_MAX; k++)
			if (claims[k].rule != claims[i].rule)
				report_overlap(check, &claims[i], &claims[k]);
	free(claims);
}

/* ---- the rules and the services, in one view ---- */

static bool disjoint(const struct ps_raw *raw, const struct ps_raw_rule *a, const struct ps_raw_rule *b)
{
	uint64_t x[PS_BITMAP_WORDS], y[PS_BITMAP_WORDS], both = 0;

	fill(raw, a, x);
	fill(raw, b, y);
	for (unsigned i = 0; i < PS_BITMAP_WORDS; i++)
		both |= x[i] & y[i];
	return !both;
}

/* A service that two rules name must have a number that both allow. `named` has for each service the rule before this
 * one that names it. */
static void check_contradiction(struct ps_check *check, const struct ps_raw_rule *rule,
				const struct ps_raw_rule **named)
{
	const struct ps_raw_rule *before = NULL;
	bool apart = false;

	for (const cJSON *item = rule->services->child; item; item = item->next) {
		long index = manifest_raw_service(check->raw, item->valuestring, strlen(item->valuestring));
		const struct ps_raw_rule *other = named[index];

		named[index] = rule;
		if (other && other != before)
			apart = disjoint(check->raw, rule, other);
		before = other ? other : before;
		if (other && apart)
			check_report(check, item, "rule-contradiction", PS_ERROR, "let one rule name it",
				     "no port of \"%s\" can keep the rules \"%s\" and \"%s\" (line %d) at once%s",
				     item->valuestring, rule->item->string, other->item->string,
				     check_line(check, other->item), check->under);
	}
}

/* After check_contradiction, `named` tells whom the rule names. Another project's service has its own rules. */
static void check_services(struct ps_check *check, const struct ps_raw_rule *rule, const struct ps_raw_rule **named,
			   const struct ps_check_port *ports, size_t count)
{
	uint64_t allowed[PS_BITMAP_WORDS];
	char ranges[256];

	fill(check->raw, rule, allowed);
	describe(check->raw, rule, ranges, sizeof(ranges));
	for (size_t i = 0; i < count; i++) {
		const struct ps_check_port *p = &ports[i];
		const char *name = p->service->object->string;
		bool mine = named[p->service - check->services] == rule,
		     inside = bitmap_get(allowed, (uint16_t)p->port);

		if (mine && !inside)
			check_report(check, p->item, "rule-outside", PS_ERROR,
				     "choose a port of the rule, or change the rule",
				     "\"%s\" has %ld, but the rule \"%s\" (line %d) wants it in %s%s", name, p->port,
				     rule->item->string, check_line(check, rule->item), ranges,
				     check->under);
		else if (!mine && inside && !p->service->value[PS_KEY_FROM])
			check_report(check, p->item, "rule-taken", PS_ERROR,
				     "choose another port, name the service in the rule, or take the port out of it",
				     "\"%s\" has %ld, which the rule \"%s\" (line %d) keeps for others: %s%s", name,
				     p->port, rule->item->string, check_line(check, rule->item), ranges,
				     check->under);
	}
}

void check_rules(struct ps_check *check)
{
	const struct ps_raw *raw = check->raw;
	const struct ps_raw_rule **named = calloc(raw->service_count + 1, sizeof(const struct ps_raw_rule *));

	if (!named) {
		check->findings->memory = true;
		return;
	}
	check_overlaps(check);
	while (check_view_next(check)) {
		const char *profile = check->profile ? check->profile->object->string : "";
		size_t count = 0;
		struct ps_check_port *ports = check_ports(check, &count);

		memset(named, 0, raw->service_count * sizeof(const struct ps_raw_rule *));
		for (size_t i = 0; ports && i < raw->rule_count; i++) {
			if (!holds(&raw->rules[i], profile))
				continue;
			check_contradiction(check, &raw->rules[i], named);
			check_services(check, &raw->rules[i], named, ports, count);
		}
		free(ports);
	}
	free(named);
}
