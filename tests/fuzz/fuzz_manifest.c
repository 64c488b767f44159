/*
 * fuzz_manifest.c - any bytes as a manifest: either there is a finding with a place in the text, or a manifest whose
 * plan plan_check lets pass and whose templates expand.
 *
 * The manifests of tests/cli are its seeds. Every other length is read with a profile.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../src/check/check.h"
#include "../../src/cli/manifest.h"
#include "fuzz.h"

static char path[64];
static int fd;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fd = memfd_create("manifest", 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return 0;
}

static void check_good(const struct ps_manifest *m)
{
	struct ps_plan *plan = manifest_compile(m, NULL);

	MUST(plan && plan_check(plan, plan->size));
	MUST(plan->service_count == m->service_count);
	free(plan);
	for (size_t i = 0; i < m->service_count; i++) {
		const struct ps_manifest_service *s = &m->services[i];

		MUST(manifest_service(m, s->name) == s);
		MUST(manifest_root(m, s)->port_count > 0);
		for (size_t k = 0; k < s->env_count; k++) {
			struct ps_error error = { 0 };
			char *value;

			if (s->env[k].own)
				continue;
			value = manifest_expand(m, s, s->env[k].template, &error);
			MUST(value);
			free(value);
		}
	}
}

static void check_found(const struct ps_diagnostics *found)
{
	MUST(found->count > 0);
	for (size_t i = 0; i < found->count; i++)
		MUST(found->list[i].line >= 1 && found->list[i].column >= 1 && *found->list[i].code &&
		     *found->list[i].text);
}

/* What is right is checked further. */
static void look(struct ps_raw *raw, void *context)
{
	struct ps_findings findings = { 0 };
	struct ps_check check;

	(void)context;
	MUST(check_start(&check, raw, "x", &findings));
	check_self(&check);
	check_rules(&check);
	check_end(&check);
	for (size_t i = 0; i < findings.count; i++)
		MUST(findings.list[i].line >= 1 && findings.list[i].column >= 1 && findings.list[i].text[0]);
	finding_free(&findings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ps_diagnostics found = { 0 };
	struct ps_manifest *m = NULL;
	struct ps_error error = { 0 };
	int result;

	MUST(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
	result = manifest_examine(&m, path, size & 1 ? "test" : NULL, &found, look, NULL, &error);
	MUST((result == 0) == (m != NULL));
	if (m)
		check_good(m);
	else if (result == PS_EXIT_SYSTEM)
		check_found(&found);
	else
		MUST(result == PS_EXIT_USAGE && size & 1);
	manifest_free(m);
	diagnostics_free(&found);
	return 0;
}
