/*
 * test_candidates.c - law 4: which ports are tried, in which order.
 *
 * By hand: cc -std=gnu11 -D_GNU_SOURCE -Iinclude -o /tmp/t tests/core/test_candidates.c src/core/candidates.c
 * src/core/plan.c -lcmocka && /tmp/t
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <portshim/candidates.h>

struct block {
	struct ps_plan plan;
	struct ps_service service;
	uint16_t port[4];
};

static struct block *make(void)
{
	struct block *b = calloc(1, sizeof(*b));

	b->plan.services = offsetof(struct block, service);
	b->plan.service_count = 1;
	b->plan.ports = offsetof(struct block, port);
	b->plan.port_count = 4;
	b->plan.default_first = 20000;
	b->plan.default_last = 29999;
	b->service.port_count = 4;
	b->service.inherits = PS_NO_SERVICE;
	b->service.range_first = 4009;
	b->service.range_last = 4014;
	memcpy(b->port, (uint16_t[]){ 4010, 4012, 4010, 6000 }, sizeof(b->port));
	for (unsigned i = 0; i < 4; i++)
		bitmap_set(b->plan.avoid, b->port[i]);
	return b;
}

static struct ps_rules rules(const struct block *b)
{
	return (struct ps_rules){ .service = &b->service,
				  .default_first = 20000,
				  .default_last = 29999,
				  .strategy = PS_MINIMAL,
				  .os = true };
}

static void expect(struct ps_candidates *c, uint16_t port, enum ps_reason reason)
{
	uint16_t p = 1;
	enum ps_reason r = PS_REASON_EPHEMERAL;

	assert_true(candidates_next(c, &p, &r));
	assert_int_equal(p, port);
	assert_int_equal(r, reason);
}

static void test_order(void **state)
{
	struct block *b = make();
	struct ps_candidates c;
	uint16_t port;
	enum ps_reason reason;

	(void)state;
	candidates_start(&c, &b->plan, rules(b), 7, 4010, 23456, false);
	expect(&c, 4010, PS_REASON_REQUESTED);
	expect(&c, 4012, PS_REASON_PREFERRED);
	expect(&c, 6000, PS_REASON_PREFERRED); /* the manifest's own word counts, browsers or not */
	expect(&c, 23456, PS_REASON_STICKY);
	expect(&c, 4009, PS_REASON_RANGE);
	expect(&c, 4011, PS_REASON_RANGE);
	expect(&c, 4013, PS_REASON_RANGE);
	expect(&c, 4014, PS_REASON_RANGE);
	assert_true(candidates_next(&c, &port, &reason));
	assert_int_equal(reason, PS_REASON_DEFAULT);
	free(b);
}

/* Everything that is offered, and how often. */
static unsigned walk(struct ps_candidates *c, unsigned *seen)
{
	uint16_t port;
	enum ps_reason reason, before = PS_REASON_REQUESTED;
	unsigned count = 0;

	memset(seen, 0, 65536 * sizeof(*seen));
	while (candidates_next(c, &port, &reason)) {
		assert_true(reason >= before);
		before = reason;
		seen[port]++;
		assert_true(++count < 70000);
	}
	assert_false(candidates_next(c, &port, &reason));
	return count;
}

static void test_each_once(void **state)
{
	struct block *b = make();
	unsigned *seen = calloc(65536, sizeof(*seen));
	struct ps_candidates c;

	(void)state;
	b->service.range_first = 19990;
	b->service.range_last = 20010;
	bitmap_set(b->plan.avoid, 20500);
	candidates_start(&c, &b->plan, rules(b), 99, 25000, 20005, false);
	walk(&c, seen);
	for (unsigned port = 0; port < 65536; port++) {
		bool own = port == 4010 || port == 4012 || port == 6000;
		bool want = own || port == 0 ||
			    (port >= 19990 && port <= 29999 && port != 20500 && !candidates_reserved((uint16_t)port));

		if (seen[port] != (want ? 1u : 0u))
			fail_msg("port %u was offered %u times", port, seen[port]);
	}
	free(seen);
	free(b);
}

static void test_skip_requested(void **state)
{
	struct block *b = make();
	unsigned *seen = calloc(65536, sizeof(*seen));
	struct ps_candidates c;

	(void)state;
	candidates_start(&c, &b->plan, rules(b), 1, 25000, 25000, true);
	walk(&c, seen);
	assert_int_equal(seen[25000], 0);
	candidates_start(&c, &b->plan, rules(b), 1, 4010, 0, true);
	walk(&c, seen);
	assert_int_equal(seen[4010], 0);
	assert_int_equal(seen[4012], 1);
	free(seen);
	free(b);
}

static void test_conservative(void **state)
{
	struct block *b = make();
	unsigned *seen = calloc(65536, sizeof(*seen));
	struct ps_rules r = rules(b);
	struct ps_candidates c;
	static const uint16_t foreign[] = { 4010, 4012, 4013, 22222 };

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		bitmap_set(b->plan.foreign, foreign[i]);
	r.strategy = PS_CONSERVATIVE;
	candidates_start(&c, &b->plan, r, 1, 4010, 22222, false);
	walk(&c, seen);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(seen[foreign[i]], 0);
	assert_int_equal(seen[6000], 1);
	assert_int_equal(seen[4014], 1);
	/* the other strategies do not look at it */
	r.strategy = PS_MINIMAL;
	candidates_start(&c, &b->plan, r, 1, 4010, 22222, false);
	walk(&c, seen);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(seen[foreign[i]], 1);
	free(seen);
	free(b);
}

static void test_without_plan(void **state)
{
	unsigned *seen = calloc(65536, sizeof(*seen));
	struct ps_candidates c;
	struct ps_rules r = plan_rules(NULL, 3000, NULL);

	(void)state;
	candidates_start(&c, NULL, r, 5, 3000, 0, false);
	expect(&c, 3000, PS_REASON_REQUESTED);
	assert_true(walk(&c, seen) > 9900);
	assert_int_equal(seen[24678], 0);
	assert_int_equal(seen[25672], 0);
	assert_int_equal(seen[26379], 0);
	assert_int_equal(seen[27017], 0);
	assert_int_equal(seen[0], 1);
	r.os = false;
	candidates_start(&c, NULL, r, 5, 3000, 0, false);
	walk(&c, seen);
	assert_int_equal(seen[0], 0);
	free(seen);
}

/* The requested and the service's own ports, and no others; also in a private environment. */
static void test_fixed(void **state)
{
	struct block *b = make();
	struct ps_rules r = rules(b);
	struct ps_candidates c;
	enum ps_reason reason;
	uint16_t port;

	(void)state;
	r.fixed = true;
	for (int private = 0; private < 2; private++) {
		candidates_start(&c, &b->plan, r, 7, 4010, 23456, private);
		expect(&c, 4010, PS_REASON_REQUESTED);
		expect(&c, 4012, PS_REASON_PREFERRED);
		expect(&c, 6000, PS_REASON_PREFERRED);
		assert_false(candidates_next(&c, &port, &reason));
		assert_false(candidates_next(&c, &port, &reason));
	}
	free(b);
	r = plan_rules(NULL, 3000, NULL);
	assert_false(r.fixed);
	r.fixed = true;
	candidates_start(&c, NULL, r, 5, 3000, 0, false);
	expect(&c, 3000, PS_REASON_REQUESTED);
	assert_false(candidates_next(&c, &port, &reason));
}

static void test_edges(void **state)
{
	unsigned *seen = calloc(65536, sizeof(*seen));
	struct block *b = make();
	struct ps_candidates c;
	struct ps_rules r = rules(b);

	(void)state;
	r.default_first = 65530;
	r.default_last = 65535;
	b->service.range_first = b->service.range_last = 65535;
	candidates_start(&c, &b->plan, r, 5, 4010, 0, false);
	assert_int_equal(walk(&c, seen), 3 + 1 + 5 + 1);
	assert_int_equal(seen[65535], 1);
	r.default_first = 1;
	candidates_start(&c, &b->plan, r, 5, 4010, 0, false);
	assert_true(walk(&c, seen) > 65000);
	free(seen);
	free(b);
}

/* Environments start apart: of 1000 that ask for one port, hardly two begin at the same place. */
static void test_spread(void **state)
{
	unsigned *seen = calloc(65536, sizeof(*seen)), different = 0, repeated = 0;

	(void)state;
	for (uint32_t env = 1; env <= 1000; env++) {
		struct ps_candidates c;
		uint16_t port, again;
		enum ps_reason reason;

		for (unsigned i = 0; i < 2; i++) {
			again = i ? port : 0;
			candidates_start(&c, NULL, plan_rules(NULL, 3000, NULL), env, 3000, 0, true);
			assert_true(candidates_next(&c, &port, &reason));
		}
		repeated += again == port;
		different += seen[port]++ == 0;
	}
	assert_int_equal(repeated, 1000);
	assert_true(different > 900);
	free(seen);
}

static void test_reserved(void **state)
{
	(void)state;
	assert_true(candidates_browser_blocked(0));
	assert_true(candidates_browser_blocked(1));
	assert_true(candidates_browser_blocked(6667));
	assert_true(candidates_browser_blocked(10080));
	assert_false(candidates_browser_blocked(10081));
	assert_false(candidates_browser_blocked(80));
	assert_false(candidates_browser_blocked(3000));
	assert_false(candidates_browser_blocked(65535));
	assert_true(candidates_reserved(6667));
	assert_true(candidates_reserved(27018));
	assert_false(candidates_reserved(27020));
	assert_false(candidates_reserved(5173));
	assert_false(candidates_reserved(65535));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),	       cmocka_unit_test(test_each_once),
		cmocka_unit_test(test_skip_requested), cmocka_unit_test(test_conservative),
		cmocka_unit_test(test_without_plan),   cmocka_unit_test(test_edges),
		cmocka_unit_test(test_spread),	       cmocka_unit_test(test_reserved),
		cmocka_unit_test(test_fixed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
