/*
 * files.c - a manifest against the files that it names: numbers that differ, and places that cannot be used.
 *
 * What `portshim sync --check` finds. The manifest is read again, because its files are looked at under every profile.
 */
#include "check.h"

#include <stdio.h>

#include "../cli/error.h"
#include "../sync/sync.h"

void check_files(struct ps_check *check)
{
	struct ps_sync sync = { 0 };
	struct ps_error error = { 0 };

	if (sync_look(&sync, check->raw->path, NULL, false, &error)) {
		error_print(&error);
		check->findings->memory = true;
	} else {
		if (sync.edit.recovered)
			fprintf(stderr, "portshim: %s\n", sync.edit.recovered);
		sync_drift(&sync, &sync.findings);
	}
	for (size_t i = 0; i < sync.findings.count; i++) {
		const struct ps_finding *f = &sync.findings.list[i];
		struct ps_place place = { .file = f->file, .line = f->line, .column = f->column, .key = f->key };

		finding_add(check->findings, f->code, f->severity, &place, f->hint, "%s", f->text);
	}
	for (unsigned severity = PS_NOTE; severity <= PS_ERROR; severity++)
		check->findings->left_off[severity] += sync.findings.left_off[severity];
	sync_free(&sync);
}
