/*
 * candidates.c - the order in which ports are tried for a requested port.
 *
 * Theory of operation
 *
 * A generator without memory of its own: the caller's struct holds a stage and a position in it, and candidates_next()
 *goes on from there. The stages are those of law 4, each with the reason that is recorded when its port is taken:
 *
 *	REQUESTED -> PREFERRED -> STICKY -> RANGE -> DEFAULT -> OS -> DONE
 *
 * Where the rules are `fixed`, it ends behind PREFERRED, and the requested port is tried in a private environment too.
 *
 * The manifest's word is taken for the requested port and the service's own list; any other port must be nobody's: not
 * one that another service declares, not one that a well-known server or a browser has a claim on, and with the
 * conservative strategy not one that another project declares. A port that an earlier stage offered is not offered
 *again. Whether a port is free is not asked here: the caller finds out by binding it.
 *
 * The default range is walked from a point that depends on the environment and the requested port, once around. So
 *different environments seldom try the same ports, and the same one tries the same ports again.
 */
#include <portshim/candidates.h>

enum stage { REQUESTED, PREFERRED, STICKY, RANGE, DEFAULT, OS, DONE };

struct span {
	uint16_t first, last;
};

/* "Bad ports" of the Fetch standard (https://fetch.spec.whatwg.org/#port-blocking), ascending. */
static const uint16_t browser_blocked[] = {
	1,    7,    9,	  11,	13,   15,   17,	  19,	20,   21,   22,	  23,	25,   37,    42,   43,	 53,
	69,   77,   79,	  87,	95,   101,  102,  103,	104,  109,  110,  111,	113,  115,   117,  119,	 123,
	135,  137,  139,  143,	161,  179,  389,  427,	465,  512,  513,  514,	515,  526,   530,  531,	 532,
	540,  548,  554,  556,	563,  587,  601,  636,	989,  990,  993,  995,	1719, 1720,  1723, 2049, 3659,
	4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
};

/* Where servers sit that people run beside their projects, ascending. Ports that development servers have by default
 * (3000, 5173, 8080, ...) are left out on purpose: they are what a manifest's ranges are made of. */
static const struct span well_known[] = {
	{ 1433, 1434 },	  /* SQL Server */
	{ 1521, 1521 },	  /* Oracle */
	{ 1883, 1883 },	  /* MQTT */
	{ 2181, 2181 },	  /* ZooKeeper */
	{ 2375, 2376 },	  /* Docker */
	{ 2379, 2380 },	  /* etcd */
	{ 3306, 3306 },	  /* MySQL */
	{ 3389, 3389 },	  /* remote desktop */
	{ 5037, 5037 },	  /* adb */
	{ 5353, 5353 },	  /* multicast DNS */
	{ 5355, 5355 },	  /* LLMNR */
	{ 5432, 5432 },	  /* PostgreSQL */
	{ 5671, 5672 },	  /* AMQP */
	{ 5900, 5900 },	  /* VNC */
	{ 5984, 5984 },	  /* CouchDB */
	{ 6379, 6379 },	  /* Redis */
	{ 6443, 6443 },	  /* Kubernetes */
	{ 8086, 8086 },	  /* InfluxDB */
	{ 8883, 8883 },	  /* MQTT over TLS */
	{ 9042, 9042 },	  /* Cassandra */
	{ 9092, 9092 },	  /* Kafka */
	{ 9200, 9200 },	  /* Elasticsearch */
	{ 9222, 9222 },	  /* Chromium's DevTools */
	{ 9229, 9229 },	  /* node's inspector */
	{ 9300, 9300 },	  /* Elasticsearch */
	{ 10250, 10250 }, /* kubelet */
	{ 11211, 11211 }, /* memcached */
	{ 15672, 15672 }, /* RabbitMQ's console */
	{ 16379, 16379 }, /* Redis Cluster */
	{ 21027, 21027 }, /* Syncthing */
	{ 22000, 22000 }, /* Syncthing */
	{ 24007, 24008 }, /* Gluster */
	{ 24224, 24224 }, /* Fluentd */
	{ 24678, 24678 }, /* Vite's hot reload */
	{ 24800, 24800 }, /* Synergy, Barrier */
	{ 25565, 25565 }, /* Minecraft */
	{ 25672, 25672 }, /* RabbitMQ between nodes */
	{ 25826, 25826 }, /* collectd */
	{ 26257, 26257 }, /* CockroachDB */
	{ 26379, 26379 }, /* Redis Sentinel */
	{ 27015, 27015 }, /* Steam */
	{ 27017, 27019 }, /* MongoDB */
	{ 27036, 27036 }, /* Steam */
	{ 28015, 28015 }, /* RethinkDB */
	{ 28017, 28017 }, /* MongoDB */
	{ 29015, 29015 }, /* RethinkDB */
	{ 33060, 33060 }, /* MySQL X */
	{ 50051, 50051 }, /* gRPC's examples */
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

bool candidates_browser_blocked(uint16_t port)
{
	uint32_t low = 0, high = COUNT(browser_blocked);

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (browser_blocked[middle] < port)
			low = middle + 1;
		else
			high = middle;
	}
	return port == 0 || (low < COUNT(browser_blocked) && browser_blocked[low] == port);
}

bool candidates_reserved(uint16_t port)
{
	uint32_t low = 0, high = COUNT(well_known);

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (well_known[middle].last < port)
			low = middle + 1;
		else
			high = middle;
	}
	return (low < COUNT(well_known) && well_known[low].first <= port) || candidates_browser_blocked(port);
}

void candidates_start(struct ps_candidates *c, const struct ps_plan *plan, struct ps_rules rules, uint32_t env,
		      uint16_t requested, uint16_t sticky, bool skip_requested)
{
	c->plan = plan;
	c->rules = rules;
	c->seed = env;
	c->requested = requested;
	c->sticky = sticky;
	c->skip_requested = skip_requested && !rules.fixed; /* or nothing would be left */
	c->stage = REQUESTED;
	c->position = 0;
}

/* Another project's port, which the conservative strategy leaves alone. */
static bool left_alone(const struct ps_candidates *c, uint16_t port)
{
	return c->plan && c->rules.strategy == PS_CONSERVATIVE && bitmap_get(c->plan->foreign, port);
}

/* True if the service lists the port before its entry number `limit`. */
static bool listed(const uint16_t *ports, uint16_t port, uint32_t limit)
{
	for (uint32_t i = 0; i < limit; i++) {
		if (ports[i] == port)
			return true;
	}
	return false;
}

static bool in_range(const struct ps_candidates *c, uint16_t port)
{
	const struct ps_service *s = c->rules.service;

	return s && s->range_first != 0 && port >= s->range_first && port <= s->range_last;
}

/* True if a port from neither the program nor the service's list may be offered, and no earlier stage has done so. */
static bool offerable(const struct ps_candidates *c, uint16_t port)
{
	if (port == 0 || port == c->requested || candidates_reserved(port))
		return false;
	if (c->plan && bitmap_get(c->plan->avoid, port)) /* its own service's list is in it, too */
		return false;
	if (left_alone(c, port))
		return false;
	if (c->stage > STICKY && port == c->sticky)
		return false;
	return c->stage <= RANGE || !in_range(c, port);
}

/* Where the walk through `count` ports starts. The multiplications spread neighbouring ports and environments (the
 * constants are odd and have about half of their bits set; nothing else about them matters). */
static uint32_t spread(uint32_t seed, uint16_t requested, uint32_t count)
{
	uint64_t h = ((uint64_t)seed << 16 | requested) * UINT64_C(0x9d1c5f3b7a2e6d4b);

	h ^= h >> 32;
	h *= UINT64_C(0xc6a3b94d5e17f285);
	h ^= h >> 29;
	return (uint32_t)(h % count);
}

static bool next_preferred(struct ps_candidates *c, uint16_t *port)
{
	const struct ps_service *s = c->rules.service; /* never without a plan */

	while (s && c->position < s->port_count) {
		const uint16_t *ports = plan_ports(c->plan, s);
		uint32_t at = c->position++;
		uint16_t p = ports[at];

		if (p == c->requested || left_alone(c, p) || listed(ports, p, at))
			continue;
		*port = p;
		return true;
	}
	return false;
}

/* Walks `first`..`last` from the offset `start`, once around. */
static bool next_of_range(struct ps_candidates *c, uint16_t first, uint16_t last, uint32_t start, uint16_t *port)
{
	uint32_t count = (uint32_t)last - first + 1;

	while (c->position < count) {
		uint16_t p = (uint16_t)(first + (start + c->position++) % count);

		if (!offerable(c, p))
			continue;
		*port = p;
		return true;
	}
	return false;
}

/* The next port of the current stage, or false if the stage is over. */
static bool next_of_stage(struct ps_candidates *c, uint16_t *port)
{
	const struct ps_rules *r = &c->rules;

	switch (c->stage) {
	case REQUESTED:
		*port = c->requested;
		return c->position++ == 0 && !c->skip_requested && !left_alone(c, c->requested);
	case PREFERRED:
		return next_preferred(c, port);
	case STICKY:
		*port = c->sticky;
		return c->position++ == 0 && offerable(c, c->sticky);
	case RANGE:
		return r->service && r->service->range_first != 0 &&
		       next_of_range(c, r->service->range_first, r->service->range_last, 0, port);
	case DEFAULT:
		return next_of_range(c, r->default_first, r->default_last,
				     spread(c->seed, c->requested, (uint32_t)r->default_last - r->default_first + 1), port);
	default: /* OS */
		*port = 0;
		return c->position++ == 0 && r->os;
	}
}

bool candidates_next(struct ps_candidates *c, uint16_t *port, enum ps_reason *reason)
{
	static const uint8_t reasons[] = { PS_REASON_REQUESTED, PS_REASON_PREFERRED, PS_REASON_STICKY,
					   PS_REASON_RANGE,	PS_REASON_DEFAULT,   PS_REASON_OS };

	while (c->stage != DONE && (!c->rules.fixed || c->stage <= PREFERRED)) {
		if (next_of_stage(c, port)) {
			*reason = (enum ps_reason)reasons[c->stage];
			return true;
		}
		c->stage++;
		c->position = 0;
	}
	return false;
}
