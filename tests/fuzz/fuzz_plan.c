/*
 * fuzz_plan.c - any bytes as a compiled manifest: what plan_check lets pass can be read by all the other functions.
 *
 * The input is a plan without its two bitmaps, and with its own size in place of whatever it says; magic and version
 * are right. Else hardly any input would come past the outline.
 */
#include <portshim/host.h>
#include <portshim/kernel.h>
#include <portshim/plan.h>

#include "fuzz.h"

#define HEAD offsetof(struct ps_plan, avoid)

static void ask(const struct ps_plan *plan, uint16_t port)
{
	static const struct ps_subject subjects[] = {
		{ "node", "node server.js --port 3000", "/home/u/shop", PS_TCP },
		{ "", "", "", PS_UDP },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "a b aab ab", "/", 0 },
	};
	const struct ps_plan_port *first;
	uint32_t count = plan_find(plan, port, &first);

	for (uint32_t i = 0; i < count; i++)
		MUST(first[i].port == port);
	plan_needs_subject(plan, port);
	plan_external(plan, port);
	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
		struct ps_rules r = plan_rules(plan, port, &subjects[i]);

		MUST(r.default_first && r.default_first <= r.default_last);
		MUST((r.service != NULL) == (r.service_index != PS_NO_SERVICE));
		if (!r.service)
			continue;
		MUST(r.service == plan_service(plan, r.service_index));
		MUST(strlen(plan_string(plan, r.service->name)) < PS_SERVICE_MAX);
		MUST(strlen(plan_string(plan, r.service->scheme)) < 16);
		MUST(strlen(plan_string(plan, r.service->discovery)) < PS_PATH_MAX);
		for (uint16_t k = 0; k < r.service->port_count; k++)
			MUST(plan_ports(plan, r.service)[k] != 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t tail = size > HEAD ? size - HEAD : 0, all = sizeof(struct ps_plan) + tail;
	struct ps_plan *plan = calloc(1, all); /* exactly: what reads behind it is found */

	MUST(plan);
	memcpy(plan, data, size < HEAD ? size : HEAD);
	if (tail)
		memcpy(plan + 1, data + HEAD, tail);
	plan->magic = PS_PLAN_MAGIC;
	plan->abi = PS_ABI;
	plan->size = (uint32_t)all;
	if (plan_check(plan, all)) {
		const struct ps_plan_port *index = (const void *)((const char *)plan + plan->index);

		MUST(plan_fits(plan, all));
		for (uint32_t i = 0; i < plan->index_count; i++) {
			ask(plan, index[i].port);
			ask(plan, (uint16_t)(index[i].port + 1));
		}
		ask(plan, 1);
		ask(plan, 65535);
	}
	MUST(!plan_check(plan, all - 1));
	free(plan);
	return 0;
}
