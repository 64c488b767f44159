/*
 * self.c - a manifest against itself: numbers that are in each other's way, or in the kernel's or a browser's.
 */
#include "check.h"

#include <portshim/candidates.h>
#include <portshim/kernel.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- single ports ---- */

/* What a browser would open it with. */
static bool is_web(const struct ps_raw_service *s)
{
	static const char *const schemes[] = { "http", "https", "ws", "wss" };
	const cJSON *scheme = s->value[PS_KEY_SCHEME];

	if (!scheme)
		return manifest_judge_protocols(s->value[PS_KEY_PROTOCOL]) != PS_UDP;
	for (unsigned i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strcmp(scheme->valuestring, schemes[i]) == 0)
			return true;
	return false;
}

static bool is_ephemeral(const struct ps_check *check, long first, long last)
{
	return check->ephemeral_first && first <= check->ephemeral_last && last >= check->ephemeral_first;
}

static void check_port(struct ps_check *check, const struct ps_check_port *p)
{
	bool own = !manifest_judge_elsewhere(p->service);

	if (own && p->port < (long)check->unprivileged)
		check_report(check, p->item, "privileged-port", PS_WARNING,
			     "a number from 1024 on needs no privilege; without it this one is moved",
			     "%ld needs a privilege to be bound: only ports from %u on are anybody's%s", p->port,
			     check->unprivileged, check->under);
	if (is_web(p->service) && candidates_browser_blocked((uint16_t)p->port))
		check_report(check, p->item, "browser-port", PS_WARNING, "choose another number, or name its \"scheme\"",
			     "browsers refuse to open %ld%s", p->port, check->under);
	if (own && is_ephemeral(check, p->port, p->port))
		check_report(check, p->item, "ephemeral-port", PS_WARNING,
			     "choose a number outside of it; ip_local_reserved_ports of sysctl(8) can keep this one free",
			     "the kernel gives %ld to any outgoing connection: its own range is %u-%u%s", p->port,
			     check->ephemeral_first, check->ephemeral_last, check->under);
}

static void check_range(struct ps_check *check, const struct ps_raw_service *s)
{
	const cJSON *item = manifest_judge_port_item(s, NULL);
	long first, last, port;
	bool inside = false;

	if (!manifest_judge_range(check->raw, check->profile, s, &first, &last))
		return;
	if (is_ephemeral(check, first, last))
		check_report(check, s->value[PS_KEY_RANGE], "ephemeral-range", PS_WARNING, "choose a range outside of it",
			     "the range %ld-%ld lies in the kernel's own, %u-%u: outgoing connections take its ports%s",
			     first, last, check->ephemeral_first, check->ephemeral_last, check->under);
	/* A port right before its range is how "this one, else the next free" is written. */
	for (const cJSON *i = item; i && !inside; i = manifest_judge_port_item(s, i)) {
		port = manifest_judge_port(check->profile, s, i);
		inside = port >= first - 1 && port <= last;
	}
	if (item && !inside)
		check_report(check, item, "outside-range", PS_NOTE,
			     "a moved service goes to the range all the same; if it is to belong there, choose a port of it",
			     "%ld lies outside of the range %ld-%ld of \"%s\"%s",
			     manifest_judge_port(check->profile, s, item), first, last, s->object->string, check->under);
}

/* ---- ports of several services ---- */

static bool names(const cJSON *list, const char *name)
{
	for (const cJSON *item = list ? list->child : NULL; item; item = item->next)
		if (strcmp(item->valuestring, name) == 0)
			return true;
	return false;
}

/* That "conflicts" forbid it, in one of the two. The first ports are judged when the manifest is read. */
static bool forbidden(const struct ps_raw_service *a, const struct ps_raw_service *b)
{
	return names(a->value[PS_KEY_CONFLICTS], b->object->string) ||
	       names(b->value[PS_KEY_CONFLICTS], a->object->string);
}

/* Of two first ports on one number something tells the services apart, or the manifest would not be right. */
static void check_pair(struct ps_check *check, const struct ps_check_port *a, const struct ps_check_port *b)
{
	const struct ps_check_port *at = b->first ? a : b, *other = b->first ? b : a;

	if (a->service == b->service || (a->first && b->first) ||
	    !(check_protocols(a->service) & check_protocols(b->service)))
		return;
	if (forbidden(a->service, b->service))
		check_report(check, at->item, "unmet-conflict", PS_ERROR, "give one of them another port",
			     "\"%s\" and \"%s\" (line %d) must not share a port, but both may ask for %ld%s",
			     at->service->object->string, other->service->object->string,
			     check_line(check, other->item), at->port, check->under);
	else if (!a->service->value[PS_KEY_MATCH] && !b->service->value[PS_KEY_MATCH])
		check_report(check, at->item, "overlapping-ports", PS_WARNING,
			     "give one of them another number, or \"match\" rules that tell them apart",
			     "%ld is a port of \"%s\" (line %d) too%s", at->port, other->service->object->string,
			     check_line(check, other->item), check->under);
}

/* Each against the one before: enough to say that a number is not one service's alone. */
static void check_same(struct ps_check *check, const struct ps_check_port *ports, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		size_t k = i;

		/* A few of the same number, each with each, so that a "conflicts" among them is seen. */
		while (k > 0 && i - k < 16 && ports[k - 1].port == ports[i].port)
			check_pair(check, &ports[--k], &ports[i]);
	}
}

/* ---- ranges ---- */

struct span {
	long first, last;
	const cJSON *item;
};

static int by_first(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return (x->item->valueint > y->item->valueint) - (x->item->valueint < y->item->valueint);
}

/* ---- taking and yielding ---- */

static bool is_aggressive(const struct ps_check *check, const struct ps_raw_service *s)
{
	const cJSON *item = s->value[PS_KEY_STRATEGY] ? s->value[PS_KEY_STRATEGY] : check->raw->strategy;

	return item && strcmp(item->valuestring, "aggressive") == 0;
}

static bool says(const cJSON *own, const cJSON *defaults)
{
	return own ? cJSON_IsTrue(own) : cJSON_IsTrue(defaults);
}

/* What a service says itself is reported there, what the defaults say for it at its name. */
static void check_taking(struct ps_check *check, const struct ps_raw_service *s)
{
	const cJSON *strategy = s->value[PS_KEY_STRATEGY], *yields = s->value[PS_KEY_YIELDS];
	const cJSON *first = manifest_judge_port_item(s, NULL);
	bool takes = is_aggressive(check, s), gives = says(yields, check->raw->yields);
	const cJSON *fallback = s->value[PS_KEY_FALLBACK] ? s->value[PS_KEY_FALLBACK] : check->raw->fallback;
	bool others = first && manifest_judge_port_item(s, first);

	if (!first || s->value[PS_KEY_FROM])
		return;
	if (manifest_judge_elsewhere(s)) {
		if ((strategy && takes) || (yields && gives))
			check_report(check, strategy && takes ? strategy : yields, "no-effect", PS_WARNING,
				     "remove it, or \"external\"",
				     "portshim does not look after \"%s\", so it takes no port and yields none%s",
				     s->object->string, check->under);
		return;
	}
	if (gives && !others && fallback && cJSON_IsFalse(fallback))
		check_report(check, yields ? yields : s->object, "no-way-out", PS_WARNING,
			     "name more ports in \"ports\", or let it fall back",
			     "\"%s\" yields its only port: started again, it has none%s", s->object->string, check->under);
	if (takes && !gives && (others || s->value[PS_KEY_RANGE]))
		check_report(check, strategy ? strategy : s->object, "never-tried", PS_NOTE,
			     "with \"yields\": true it goes there when another takes its port",
			     "\"%s\" has the port that it asks for or none: its other ports are not tried%s",
			     s->object->string, check->under);
}

/* The ranges that have a name, and those that services write themselves. */
static size_t collect_spans(struct ps_check *check, struct span *spans)
{
	size_t count = 0;

	for (size_t i = 0; i < check->raw->range_count; i++) {
		const struct ps_raw_range *range = &check->raw->ranges[i];

		spans[count++] = (struct span){ range->first, range->last, range->item };
	}
	for (size_t i = 0; i < check->raw->service_count; i++) {
		const struct ps_raw_service *s = &check->services[i];
		const cJSON *item = s->value[PS_KEY_RANGE];

		if (item && manifest_raw_range(check->raw, item->valuestring) < 0 &&
		    manifest_judge_range(check->raw, NULL, s, &spans[count].first, &spans[count].last))
			spans[count++].item = item;
	}
	return count;
}

/* Against the one that reaches farthest so far. Two services may have one and the same range. */
static void check_spans(struct ps_check *check)
{
	size_t room = check->raw->range_count + check->raw->service_count + 1, count;
	struct span *spans = calloc(room, sizeof(*spans));
	const struct span *far;

	if (!spans) {
		check->findings->memory = true;
		return;
	}
	count = collect_spans(check, spans);
	qsort(spans, count, sizeof(*spans), by_first);
	far = spans;
	for (size_t i = 1; i < count; i++) {
		const struct span *s = &spans[i];

		if (s->first <= far->last && (s->first != far->first || s->last != far->last))
			check_report(check, s->item, "overlapping-ranges", PS_WARNING,
				     "set them apart, or let both services use one of them",
				     "%ld-%ld overlaps the range %ld-%ld (line %d)", s->first, s->last, far->first,
				     far->last, check_line(check, far->item));
		if (s->last > far->last)
			far = s;
	}
	free(spans);
}

static bool is_used(const struct ps_check *check, const char *name)
{
	const struct ps_raw *raw = check->raw;

	if (raw->range && strcmp(raw->range->valuestring, name) == 0)
		return true;
	for (size_t i = 0; i < raw->service_count; i++) {
		const cJSON *item = raw->services[i].value[PS_KEY_RANGE];

		if (item && strcmp(item->valuestring, name) == 0)
			return true;
	}
	for (size_t p = 0; p < raw->profile_count; p++)
		for (size_t i = 0; i < raw->profiles[p].override_count; i++) {
			const cJSON *item = raw->profiles[p].overrides[i].raw.value[PS_KEY_RANGE];

			if (item && strcmp(item->valuestring, name) == 0)
				return true;
		}
	for (size_t i = 0; i < raw->rule_count; i++) {
		const cJSON *range = raw->rules[i].range;

		for (const cJSON *item = cJSON_IsArray(range) ? range->child : range; item;
		     item = cJSON_IsArray(range) ? item->next : NULL)
			if (cJSON_IsString(item) && strcmp(item->valuestring, name) == 0)
				return true;
	}
	return false;
}

static void check_defaults(struct ps_check *check)
{
	const cJSON *item = check->raw->range;
	uint16_t first, last;

	if (item && manifest_raw_rule_span(check->raw, item, &first, &last) && is_ephemeral(check, first, last))
		check_report(check, item, "ephemeral-range", PS_WARNING, "choose a range outside of it",
			     "the range %u-%u lies in the kernel's own, %u-%u: outgoing connections take its ports", first,
			     last, check->ephemeral_first, check->ephemeral_last);
}

/* ---- profiles side by side ---- */

struct owner {
	const char *service; /* the first one that has the port under any profile so far */
	char under[PS_NAME_MAX + 32];
	size_t view;
};

/* All profiles can run at the same time: a number that is one service's here and another's there is moved then. */
static void check_profiles(struct ps_check *check, struct owner **owners, const struct ps_check_port *ports,
			   size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct ps_check_port *p = &ports[i];
		struct owner *owner = owners[p->port];

		if (!p->first || manifest_judge_elsewhere(p->service))
			continue;
		if (!owner) {
			owner = owners[p->port] = calloc(1, sizeof(*owner));
			if (!owner) {
				check->findings->memory = true;
				return;
			}
			owner->service = p->service->object->string;
			owner->view = check->view;
			strcpy(owner->under, check->under[0] ? check->under : " without a profile");
		} else if (owner->view != check->view && strcmp(owner->service, p->service->object->string) != 0) {
			const cJSON *at = p->item;

			if (check->profile && check->profile->offset &&
			    manifest_judge_port(NULL, p->service, p->item) != p->port)
				at = check->profile->offset; /* which makes the number */
			check_report(check, at, "profile-overlap", PS_WARNING,
				     "set the profiles farther apart, so that both can have their own numbers at once",
				     "\"%s\" has %ld%s, which is \"%s\"%s", p->service->object->string, p->port,
				     check->under, owner->service, owner->under);
		}
	}
}

static bool is_file(const struct ps_check *check, const char *name, struct stat *st)
{
	char path[PS_PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/%s", check->raw->directory, name);
	return stat(path, st) == 0 && S_ISREG(st->st_mode);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* A project has its manifest at its top or in config/. If there is one in both places, which of them counts depends on
 * the working directory. */
static void check_second(struct ps_check *check)
{
	static const char top[] = "ports.manifest.json", below[] = "config/ports.manifest.json";
	struct stat own, first, second;

	if (stat(check->raw->path, &own) != 0 || !is_file(check, top, &first) || !is_file(check, below, &second) ||
	    same_file(&first, &second) || (!same_file(&own, &first) && !same_file(&own, &second)))
		return;
	check_report(check, check->raw->root, "second-manifest", PS_WARNING, "keep one of them",
		     "%s is a manifest of this project too, and which one counts depends on the working directory",
		     same_file(&own, &first) ? below : top);
}

void check_self(struct ps_check *check)
{
	struct owner **owners = calloc(PS_PORTS, sizeof(struct owner *));

	if (!owners) {
		check->findings->memory = true;
		return;
	}
	while (check_view_next(check)) {
		size_t count = 0;
		struct ps_check_port *ports = check_ports(check, &count);

		if (!ports)
			continue;
		for (size_t i = 0; i < count; i++)
			check_port(check, &ports[i]);
		for (size_t i = 0; i < check->raw->service_count; i++)
			check_range(check, &check->services[i]);
		for (size_t i = 0; i < check->raw->service_count; i++)
			check_taking(check, &check->services[i]);
		check_same(check, ports, count);
		if (check->view == 1)
			check_spans(check);
		check_profiles(check, owners, ports, count);
		free(ports);
	}
	check_defaults(check);
	check_second(check);
	for (size_t i = 0; i < check->raw->range_count; i++) {
		const cJSON *item = check->raw->ranges[i].item;

		if (!is_used(check, item->string))
			check_report(check, item, "unused-range", PS_NOTE, "remove it, or name it in a service's \"range\"",
				     "nothing uses the range \"%s\"", item->string);
	}
	for (unsigned port = 0; port < PS_PORTS; port++)
		free(owners[port]);
	free(owners);
}
