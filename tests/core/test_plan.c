/*
 * test_plan.c - the compiled manifest: what plan_check lets pass, and what the look-ups say.
 *
 * By hand: cc -std=gnu11 -D_GNU_SOURCE -Iinclude -o /tmp/t tests/core/test_plan.c src/core/plan.c -lcmocka && /tmp/t
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <portshim/kernel.h>
#include <portshim/plan.h>

#define SERVICES 5
#define PORTS 7

/* A plan made by hand, so that the test does not lean on the compiler in cli/manifest.c. */
struct block {
	struct ps_plan plan;
	struct ps_service service[SERVICES];
	uint16_t port[PORTS];
	uint16_t pad;
	struct ps_plan_port index[PORTS];
	char strings[132]; /* no padding behind it: the last byte of the plan is a NUL of the strings */
};

static uint32_t string(struct block *b, uint32_t *used, const char *text)
{
	uint32_t at = *used;

	strcpy(b->strings + at, text);
	*used += (uint32_t)strlen(text) + 1;
	return (uint32_t)offsetof(struct block, strings) + at;
}

/*
 * 0 web  3000 3001        1 api  4010, match command node*     2 old  4010, no match
 * 3 db   5432 external    4 ws   inherits web                  (old also lists 3001 and 4011)
 */
static struct block *make(void)
{
	static const uint16_t ports[PORTS] = { 3000, 3001, 4010, 4010, 3001, 4011, 5432 };
	static const struct ps_plan_port index[PORTS] = { { 3000, 0 }, { 3001, 0 }, { 3001, 2 }, { 4010, 1 },
							  { 4010, 2 }, { 4011, 2 }, { 5432, 3 } };
	static const char *const names[SERVICES] = { "web", "api", "old", "db", "ws" };
	static const uint16_t counts[SERVICES] = { 2, 1, 3, 1, 0 };
	struct block *b = calloc(1, sizeof(*b));
	uint32_t used = 0, next = 0;

	assert_non_null(b);
	b->plan = (struct ps_plan){
		.magic = PS_PLAN_MAGIC,
		.abi = PS_ABI,
		.size = sizeof(*b),
		.services = offsetof(struct block, service),
		.service_count = SERVICES,
		.ports = offsetof(struct block, port),
		.port_count = PORTS,
		.index = offsetof(struct block, index),
		.index_count = PORTS,
		.strings = offsetof(struct block, strings),
		.default_first = 21000,
		.default_last = 21999,
		.report = PS_REPORT_REQUESTED,
		.strategy = PS_CONSERVATIVE,
		.os = 0,
		.flags = PS_PLAN_HEIRS | PS_PLAN_MATCH,
	};
	for (unsigned i = 0; i < SERVICES; i++) {
		b->service[i] = (struct ps_service){
			.name = string(b, &used, names[i]),
			.ports = next,
			.port_count = counts[i],
			.inherits = PS_NO_SERVICE,
			.flags = PS_SERVICE_OS,
		};
		next += counts[i];
	}
	b->service[1].match_command = string(b, &used, "node*");
	b->service[0].range_first = 3000;
	b->service[0].range_last = 3099;
	b->service[3].flags = PS_SERVICE_EXTERNAL;
	b->service[4].inherits = 0;
	b->service[4].scheme = string(b, &used, "ws");
	memcpy(b->port, ports, sizeof(ports));
	memcpy(b->index, index, sizeof(index));
	return b;
}

static void test_check_accepts(void **state)
{
	struct block *b = make();
	struct ps_plan *empty = calloc(1, sizeof(*empty));

	(void)state;
	assert_true(plan_check(&b->plan, sizeof(*b)));
	empty->magic = PS_PLAN_MAGIC;
	empty->abi = PS_ABI;
	empty->size = sizeof(*empty);
	empty->strings = sizeof(*empty);
	empty->default_first = empty->default_last = 20000;
	assert_true(plan_check(empty, sizeof(*empty)));
	free(empty);
	free(b);
}

#define REFUSES(change)                                                                                                \
	do {                                                                                                           \
		struct block *b = make();                                                                              \
		change;                                                                                                \
		if (plan_check(&b->plan, sizeof(*b)))                                                                  \
			fail_msg("accepted with %s", #change);                                                         \
		free(b);                                                                                               \
	} while (0)

static void test_check_refuses(void **state)
{
	(void)state;
	REFUSES(b->plan.magic++);
	REFUSES(b->plan.abi++);
	REFUSES(b->plan.size--);
	REFUSES(b->plan.size++);
	REFUSES(b->plan.services = 0);
	REFUSES(b->plan.services = UINT32_MAX);
	REFUSES(b->plan.services += 2);
	REFUSES(b->plan.services = sizeof(*b) - 4);
	REFUSES(b->plan.service_count = UINT32_MAX);
	REFUSES(b->plan.service_count = 65535);
	REFUSES(b->plan.port_count = UINT32_MAX);
	REFUSES(b->plan.ports++);
	REFUSES(b->plan.ports = 8);
	REFUSES(b->plan.index = sizeof(*b));
	REFUSES(b->plan.index_count = 1u << 31);
	REFUSES(b->plan.strings = 4);
	REFUSES(b->plan.strings = sizeof(*b) + 1);
	REFUSES(b->strings[sizeof(b->strings) - 1] = 'x');
	REFUSES(b->plan.default_first = 0);
	REFUSES(b->plan.default_last = 20000);
	REFUSES(b->plan.report = 2);
	REFUSES(b->plan.strategy = 3);
	REFUSES(b->plan.os = 2);
	REFUSES(b->service[0].name = 0);
	REFUSES(b->service[0].name = 4);
	REFUSES(b->service[0].name = sizeof(*b));
	REFUSES(memset(b->strings, 'a', 120));
	REFUSES(b->service[0].scheme = UINT32_MAX);
	REFUSES(b->service[0].match_args = sizeof(*b) + 7);
	REFUSES(b->service[0].discovery = 12);
	REFUSES(b->service[0].ports = PORTS + 1);
	REFUSES(b->service[0].ports = UINT32_MAX);
	REFUSES(b->service[0].port_count = PORTS + 1);
	REFUSES(b->service[0].port_count = 0);
	REFUSES(b->service[0].range_first = 0);
	REFUSES(b->service[0].range_last = 2999);
	REFUSES(b->service[0].protocols = 4);
	REFUSES(b->service[0].flags = 16);
	REFUSES(b->service[0].report = 2);
	REFUSES(b->service[0].strategy = 3);
	REFUSES(b->service[4].inherits = SERVICES);
	REFUSES(b->service[4].inherits = 4);
	REFUSES(b->service[4].port_count = 1);
	REFUSES(b->port[3] = 0);
	REFUSES(b->index[0].port = 0);
	REFUSES(b->index[0].port = 3002);
	REFUSES(b->index[2].service = 0);
	REFUSES(b->index[2].service = SERVICES);
	REFUSES(b->index[6].service = 4);
	assert_false(plan_check(NULL, 100));
}

static void test_check_any_size(void **state)
{
	struct block *b = make();

	(void)state;
	/* A copy of exactly that size, so that a sanitizer sees every byte read behind it. */
	for (uint32_t size = 0; size < sizeof(*b); size += size < sizeof(struct ps_plan) - 16 ? 512 : 1) {
		struct ps_plan *cut = malloc(size ? size : 1);

		memcpy(cut, b, size);
		if (size >= sizeof(struct ps_plan))
			cut->size = size;
		if (plan_check(cut, size))
			assert_true(size >= offsetof(struct block, strings));
		free(cut);
	}
	free(b);
}

/* Deterministic noise in the parts behind the bitmaps and in the header: what passes must be readable. */
static void test_check_noise(void **state)
{
	uint32_t x = 1, passed = 0;

	(void)state;
	for (unsigned round = 0; round < 200000; round++) {
		static struct block *b;
		const struct ps_plan_port *first;
		struct ps_subject subject = { "node", "node server.js", "/", 0 };
		size_t at;

		if (round % 8 == 0) {
			free(b);
			b = make();
		}
		x = x * 1664525 + 1013904223;
		at = x >> 8;
		at = x & 128 ? at % offsetof(struct ps_plan, avoid)
			     : offsetof(struct block, service) + at % (sizeof(*b) - offsetof(struct block, service));
		((unsigned char *)b)[at] = (unsigned char)(x >> 20);
		if (!plan_check(&b->plan, sizeof(*b)))
			continue;
		passed++;
		for (unsigned port = 2998; port < 5500; port += port == 3005 ? 1000 : 1) {
			struct ps_rules r = plan_rules(&b->plan, (uint16_t)port, &subject);

			plan_find(&b->plan, (uint16_t)port, &first);
			plan_external(&b->plan, (uint16_t)port);
			if (r.service)
				assert_true(strlen(plan_string(&b->plan, r.service->name)) < 64);
			if (port == 4020)
				port = 5430;
		}
	}
	assert_true(passed > 100);
}

static void test_find(void **state)
{
	struct block *b = make();
	const struct ps_plan_port *first;

	(void)state;
	assert_int_equal(plan_find(&b->plan, 3000, &first), 1);
	assert_int_equal(first->service, 0);
	assert_int_equal(plan_find(&b->plan, 3001, &first), 2);
	assert_int_equal(first[0].service, 0);
	assert_int_equal(first[1].service, 2);
	assert_int_equal(plan_find(&b->plan, 5432, &first), 1);
	assert_int_equal(first->service, 3);
	assert_int_equal(plan_find(&b->plan, 1, &first), 0);
	assert_int_equal(plan_find(&b->plan, 3002, &first), 0);
	assert_int_equal(plan_find(&b->plan, 65535, &first), 0);
	assert_true(plan_needs_subject(&b->plan, 4010));
	assert_false(plan_needs_subject(&b->plan, 3001));
	assert_false(plan_needs_subject(&b->plan, 3000));
	assert_false(plan_needs_subject(&b->plan, 9999));
	assert_false(plan_needs_subject(NULL, 3000));
	assert_true(plan_external(&b->plan, 5432));
	assert_false(plan_external(&b->plan, 3000));
	assert_false(plan_external(NULL, 5432));
	free(b);
}

static void test_rules(void **state)
{
	struct block *b = make();
	struct ps_subject node = { "node18", "node18 a.js", "/srv", 0 },
			  python = { "python3", "python3 a.py", "/srv", 0 };
	struct ps_rules r;

	(void)state;
	r = plan_rules(NULL, 3000, NULL);
	assert_null(r.service);
	assert_int_equal(r.service_index, PS_NO_SERVICE);
	assert_int_equal(r.default_first, 20000);
	assert_int_equal(r.default_last, 29999);
	assert_true(r.os);

	r = plan_rules(&b->plan, 9999, NULL);
	assert_null(r.service);
	assert_int_equal(r.report, PS_REPORT_REQUESTED);
	assert_int_equal(r.strategy, PS_CONSERVATIVE);
	assert_int_equal(r.default_first, 21000);
	assert_false(r.os);

	r = plan_rules(&b->plan, 3000, NULL);
	assert_int_equal(r.service_index, 0);
	assert_int_equal(r.report, PS_REPORT_ACTUAL);
	assert_true(r.os);

	/* a match is preferred, whoever stands first; without one, the service that has none */
	assert_int_equal(plan_rules(&b->plan, 4010, &node).service_index, 1);
	assert_int_equal(plan_rules(&b->plan, 4010, &python).service_index, 2);
	assert_int_equal(plan_rules(&b->plan, 4010, NULL).service_index, 2);
	/* of two without, the one whose first port it is; else the first in the manifest */
	assert_int_equal(plan_rules(&b->plan, 3001, &node).service_index, 0);
	b->service[2].match_args = b->service[1].match_command;
	assert_int_equal(plan_rules(&b->plan, 3001, &node).service_index, 2);
	/* nobody fits: as if no service declared it */
	assert_null(plan_rules(&b->plan, 4010, &python).service);
	b->service[1].match_directory = b->service[4].scheme; /* "ws": another directory */
	b->service[2].match_args = 0;
	assert_int_equal(plan_rules(&b->plan, 4010, &node).service_index, 2);
	free(b);
}

static void test_yields(void **state)
{
	struct block *b = make();

	(void)state;
	assert_false(plan_yields_any(NULL) || plan_yields(NULL, "web") || plan_yields(NULL, ""));
	assert_false(plan_yields_any(&b->plan) || plan_yields(&b->plan, "web") || plan_yields(&b->plan, ""));
	b->service[2].flags |= PS_SERVICE_YIELDS;
	assert_true(plan_check(&b->plan, sizeof(*b)) && plan_yields_any(&b->plan) && plan_yields(&b->plan, "old"));
	assert_false(plan_yields(&b->plan, "web") || plan_yields(&b->plan, "") || plan_yields(&b->plan, "nobody"));
	b->service[2].flags = 0;
	b->plan.flags |= PS_PLAN_YIELDS;
	assert_true(plan_yields_any(&b->plan) && plan_yields(&b->plan, ""));
	assert_false(plan_yields(&b->plan, "old"));
	free(b);
}

static void test_glob(void **state)
{
	char *pattern, *text;

	(void)state;
	assert_true(plan_glob("", ""));
	assert_false(plan_glob("", "a"));
	assert_true(plan_glob("*", ""));
	assert_true(plan_glob("*", "a/b"));
	assert_true(plan_glob("node*", "node"));
	assert_true(plan_glob("node*", "nodejs"));
	assert_false(plan_glob("node", "nodejs"));
	assert_false(plan_glob("?", ""));
	assert_true(plan_glob("?", "/"));
	assert_true(plan_glob("*server.js*", "node ./server.js --port 3000"));
	assert_true(plan_glob("*a*b*c", "aXbXbXc"));
	assert_false(plan_glob("*a*b*c", "aXbXbXcX"));
	assert_true(plan_glob("a*?c", "abbc"));
	assert_false(plan_glob("a*?c", "ac"));
	assert_true(plan_glob("**", "x"));
	assert_false(plan_glob("[ab]", "a"));
	/* no recursion, no exponential time */
	pattern = calloc(1, 2001);
	text = calloc(1, 20001);
	for (unsigned i = 0; i < 1000; i++)
		memcpy(pattern + (size_t)2 * i, "*a", 2);
	memset(text, 'a', 20000);
	assert_true(plan_glob(pattern, text));
	text[19999] = 'b';
	assert_false(plan_glob(pattern, text));
	free(pattern);
	free(text);
}

/* ---- a big plan, with ranks ---- */

#define MANY 9000

struct big {
	struct ps_plan plan;
	struct ps_service service[3];
	struct ps_plan_port index[MANY];
	uint16_t port[2];
	uint32_t ranks[PS_BITMAP_WORDS];
	char strings[8];
};

/* Every 13th port or so, at times with two or three services, and both ends. */
static struct big *make_big(void)
{
	struct big *b = calloc(1, sizeof(*b));
	uint32_t n = 0, noise = 1;

	assert_non_null(b);
	for (uint32_t port = 1; port < PS_PORTS && n + 3 < MANY; port += port > 65000 ? 1 : 1 + (noise >> 16) % 25) {
		noise = noise * 1103515245 + 12345;
		for (unsigned i = 0; i < 1u + (port % 5 == 0) + (port % 35 == 0); i++) {
			b->index[n++] = (struct ps_plan_port){ (uint16_t)port, (uint16_t)i };
			bitmap_set(b->plan.avoid, (uint16_t)port);
		}
	}
	for (uint32_t word = 0, at = 0; word < PS_BITMAP_WORDS; word++) {
		while (at < n && b->index[at].port / 64u < word)
			at++;
		b->ranks[word] = at;
	}
	b->plan.magic = PS_PLAN_MAGIC;
	b->plan.abi = PS_ABI;
	b->plan.size = sizeof(*b);
	b->plan.services = offsetof(struct big, service);
	b->plan.service_count = 3;
	b->plan.ports = offsetof(struct big, port);
	b->plan.port_count = 1;
	b->plan.index = offsetof(struct big, index);
	b->plan.index_count = n;
	b->plan.flags = PS_PLAN_RANKS;
	b->plan.strings = offsetof(struct big, strings);
	b->plan.default_first = b->plan.default_last = 20000;
	b->port[0] = 1;
	strcpy(b->strings + 1, "web");
	for (int i = 0; i < 3; i++)
		b->service[i] = (struct ps_service){ .name = b->plan.strings + 1, .port_count = 1,
						     .inherits = PS_NO_SERVICE };
	return b;
}

static void test_ranks_find_what_a_bisection_finds(void **state)
{
	struct big *ranked = make_big(), *plain = make_big();

	(void)state;
	plain->plan.flags = 0;
	assert_true(ranked->plan.index_count > 4000 && ranked->index[ranked->plan.index_count - 1].port == 65535);
	assert_true(plan_check(&ranked->plan, sizeof(*ranked)) && plan_check(&plain->plan, sizeof(*plain)));
	for (uint32_t port = 0; port < PS_PORTS; port++) {
		const struct ps_plan_port *a = NULL, *b = NULL;
		uint32_t count = plan_find(&ranked->plan, (uint16_t)port, &a);

		assert_int_equal(count, plan_find(&plain->plan, (uint16_t)port, &b));
		assert_int_equal(count != 0, bitmap_get(ranked->plan.avoid, (uint16_t)port));
		assert_true(count ? a - ranked->index == b - plain->index : !a && !b);
	}
	free(ranked);
	free(plain);
}

#define REFUSES_BIG(change)                                                                                            \
	do {                                                                                                           \
		struct big *b = make_big();                                                                            \
		change;                                                                                                \
		if (plan_check(&b->plan, sizeof(*b)))                                                                  \
			fail_msg("accepted with %s", #change);                                                         \
		free(b);                                                                                               \
	} while (0)

static void test_check_refuses_wrong_ranks(void **state)
{
	(void)state;
	REFUSES_BIG(b->plan.strings += 2);
	REFUSES_BIG(b->plan.strings += 4);
	REFUSES_BIG(b->plan.strings = sizeof(b->plan));
	REFUSES_BIG(b->ranks[0] = 1);
	REFUSES_BIG(b->ranks[1]++);
	REFUSES_BIG(b->ranks[1]--);
	REFUSES_BIG(b->ranks[PS_BITMAP_WORDS - 1] = UINT32_MAX);
	REFUSES_BIG(b->plan.avoid[3] ^= 8);
	REFUSES_BIG(b->plan.avoid[PS_BITMAP_WORDS - 1] = 0);
	REFUSES_BIG(b->plan.index_count -= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check_accepts),  cmocka_unit_test(test_check_refuses),
		cmocka_unit_test(test_check_any_size), cmocka_unit_test(test_check_noise),
		cmocka_unit_test(test_find),	       cmocka_unit_test(test_rules),
		cmocka_unit_test(test_yields),
		cmocka_unit_test(test_glob),	       cmocka_unit_test(test_check_refuses_wrong_ranks),
		cmocka_unit_test(test_ranks_find_what_a_bisection_finds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
