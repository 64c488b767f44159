/*
 * sync.c - the files that a manifest names, held against the ports of its services.
 *
 * Theory of operation: for the manifest without a profile and under each of its profiles, every entry of "files" that
 * concerns it is opened (once, however many entries name it), taken apart (once per format), and each of its places
 * looked for. What is found becomes a place with the number that is there and the one that belongs there, and where
 * both differ a splice. What cannot be found becomes a finding, and looking goes on: one run tells everything.
 *
 * A place that two entries, or two profiles, give different numbers is an error too: otherwise the files would never be
 * in sync. So is a file outside of the project's directory, to which a symlink may lead: a manifest that came with
 * somebody's repository must not reach anything else.
 *
 * At the end every place is looked for again in what the files would become, and must lead to its port: so running it a
 * second time changes nothing.
 */
#include "sync.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "../cli/manifest_files.h"
#include "../cli/output.h"

/* What a file is when taken apart; each format by itself, since entries may disagree. */
struct parsed {
	struct ps_edit_file *file;
	struct ps_place_file *formats[PS_PLACE_FORMAT_COUNT];
	bool failed[PS_PLACE_FORMAT_COUNT];
};

struct look {
	struct ps_sync *sync;
	const struct ps_manifest *manifest; /* under the present profile */
	const char *profile;                /* NULL: without one */
	char shown_manifest[PS_PATH_MAX];
	struct parsed *parsed;
	size_t parsed_count;
	bool memory;
};

/* ---- saying where ---- */

const char *sync_shown(const struct ps_sync *sync, const char *file, char *path)
{
	char full[PATH_MAX * 2];

	if (file[0] == '/')
		return output_clean(path, PS_PATH_MAX, output_from_here(file));
	snprintf(full, sizeof(full), "%s/%s", sync->edit.directory[1] ? sync->edit.directory : "", file);
	return output_clean(path, PS_PATH_MAX, output_from_here(full));
}

/* A finding in the manifest, at an entry or a place of it. */
static void report(struct look *l, int line, int column, const char *key, const char *code, const char *hint,
		   const char *text)
{
	struct ps_place place = { .file = l->shown_manifest, .line = line, .column = column, .key = key };

	for (size_t i = 0; i < l->sync->findings.count; i++) {
		const struct ps_finding *f = &l->sync->findings.list[i];

		if (f->line == line && f->column == column && strcmp(f->code, code) == 0 && strcmp(f->text, text) == 0)
			return;
	}
	finding_add(&l->sync->findings, code, PS_ERROR, &place, hint && *hint ? hint : NULL, "%s", text);
}

/* A fault in a file. */
static void report_fault(struct look *l, struct ps_edit_file *file, const struct ps_place_fault *fault,
			 const char *where)
{
	bool syntax = strcmp(fault->code, "syntax") == 0;
	char path[PS_PATH_MAX], text[sizeof(fault->text)], hint[sizeof(fault->hint)], key[128] = "";
	struct ps_place place = { .file = sync_shown(l->sync, file->path, path), .key = key };

	if (strcmp(fault->code, "memory") == 0) {
		l->memory = true;
		return;
	}
	if (where)
		output_clean(key, sizeof(key), where);
	edit_position(file, fault->offset, &place.line, &place.column);
	output_clean(text, sizeof(text), fault->text);
	output_clean(hint, sizeof(hint), fault->hint);
	finding_add(&l->sync->findings, syntax ? "file-syntax" : fault->code, PS_ERROR, &place, hint[0] ? hint : NULL,
		    "%s", text);
}

/* ---- files ---- */

static struct parsed *parsed_of(struct look *l, struct ps_edit_file *file)
{
	struct parsed *more;

	for (size_t i = 0; i < l->parsed_count; i++) {
		if (l->parsed[i].file == file)
			return &l->parsed[i];
	}
	more = reallocarray(l->parsed, l->parsed_count + 1, sizeof(*more));
	if (!more) {
		l->memory = true;
		return NULL;
	}
	l->parsed = more;
	more[l->parsed_count] = (struct parsed){ .file = file };
	return &more[l->parsed_count++];
}

/* The file taken apart, or NULL if it cannot be; that has been said. */
static const struct ps_place_file *parse(struct look *l, struct ps_edit_file *file, enum ps_place_format format)
{
	struct parsed *p = parsed_of(l, file);
	struct ps_place_fault fault = { 0 };

	if (!p || p->failed[format])
		return NULL;
	if (!p->formats[format])
		p->formats[format] = place_file_read(format, file->text, file->size, &fault);
	if (!p->formats[format]) {
		p->failed[format] = true;
		report_fault(l, file, &fault, NULL);
	}
	return p->formats[format];
}

static struct ps_edit_file *open_file(struct look *l, const struct ps_manifest_file *entry, const char *path)
{
	struct ps_edit_file *file = NULL;
	struct ps_error error = { 0 };
	char text[sizeof(error.text)];

	if (edit_open(&l->sync->edit, path, &file, &error)) {
		output_clean(text, sizeof(text), error.text);
		report(l, entry->line, entry->column, "files", "no-file", error.hint, text);
		return NULL;
	}
	if (file->path[0] == '/') {
		snprintf(text, sizeof(text), "%.200s leads out of the project, to %.300s", path, file->path);
		report(l, entry->line, entry->column, "files", "outside-file",
		       "a manifest changes files of its own project only", text);
		return NULL;
	}
	return file;
}

/* ---- places ---- */

/* At most ten digits. */
static unsigned long number_at(const struct ps_edit_file *file, const struct ps_spot *spot)
{
	unsigned long value = 0;

	for (size_t i = 0; i < spot->length; i++)
		value = value * 10 + (unsigned long)(file->text[spot->offset + i] - '0');
	return value;
}

static bool add_place(struct look *l, const struct ps_manifest_place *wanted, struct ps_edit_file *file,
		      enum ps_place_format format, const struct ps_spot *spot, unsigned port)
{
	struct ps_sync *sync = l->sync;
	struct ps_sync_place *p;

	if (sync->count == sync->room) {
		size_t room = sync->room ? sync->room * 2 : 64;

		p = reallocarray(sync->places, room, sizeof(*p));
		if (!p)
			return false;
		sync->places = p;
		sync->room = room;
	}
	p = &sync->places[sync->count++];
	*p = (struct ps_sync_place){ .file = file, .format = format, .spot = *spot, .port = port };
	p->found = number_at(file, spot);
	p->where = strdup(wanted->where);
	p->service = strdup(l->manifest->services[wanted->service].name);
	p->profile = strdup(l->profile ? l->profile : "");
	edit_position(file, spot->offset, &p->line, &p->column);
	return p->where && p->service && p->profile;
}

static void look_at_place(struct look *l, const struct ps_manifest_place *place, struct ps_edit_file *file,
			  enum ps_place_format format, const struct ps_place_file *parsed)
{
	const struct ps_manifest_service *root = manifest_root(l->manifest, &l->manifest->services[place->service]);
	struct ps_place_fault fault = { 0 };
	struct ps_spot spot;

	if (root->port_count == 0)
		return;
	if (!place_file_find(parsed, place->where, &spot, &fault))
		report_fault(l, file, &fault, place->where);
	else if (!add_place(l, place, file, format, &spot, root->ports[0]))
		l->memory = true;
}

static void look_at_entry(struct look *l, const struct ps_manifest_file *entry)
{
	enum ps_place_format format = (enum ps_place_format)entry->format;
	char *path = manifest_files_path(entry, l->profile);
	const struct ps_place_file *parsed;
	struct ps_edit_file *file;

	if (!path) {
		l->memory = l->memory || errno == ENOMEM;
		return;
	}
	l->sync->files++;
	file = open_file(l, entry, path);
	parsed = file ? parse(l, file, format) : NULL;
	for (size_t i = 0; parsed && i < entry->place_count; i++)
		look_at_place(l, &entry->places[i], file, format, parsed);
	free(path);
}

/* ---- all of them ---- */

static int by_place(const void *a, const void *b)
{
	const struct ps_sync_place *x = a, *y = b;
	int order = strcmp(x->file->path, y->file->path);

	if (!order)
		order = (x->spot.offset > y->spot.offset) - (x->spot.offset < y->spot.offset);
	return order ? order : strcmp(x->profile, y->profile);
}

static void report_two(struct look *l, const struct ps_sync_place *a, const struct ps_sync_place *b)
{
	char path[PS_PATH_MAX], key[128];
	struct ps_place place = { .file = sync_shown(l->sync, a->file->path, path),
				  .line = a->line,
				  .column = a->column,
				  .key = output_clean(key, sizeof(key), a->where) };

	finding_add(&l->sync->findings, "two-ports", PS_ERROR, &place, "remove one of both from \"files\"",
		    "the manifest has two ports for this place: %u (%s%s%s) and %u (%s%s%s)", a->port, a->service,
		    a->profile[0] ? ", profile " : "", a->profile, b->port, b->service,
		    b->profile[0] ? ", profile " : "", b->profile);
}

/* Splices what differs. Places that are the same one must agree. */
static void splice(struct look *l)
{
	struct ps_sync *sync = l->sync;
	char text[16];

	if (sync->count)
		qsort(sync->places, sync->count, sizeof(*sync->places), by_place);
	for (size_t i = 0; i < sync->count; i++) {
		struct ps_sync_place *p = &sync->places[i], *before = i ? p - 1 : NULL;
		int length = snprintf(text, sizeof(text), "%u", p->port), code = 0;

		if (before && before->file == p->file && before->spot.offset == p->spot.offset) {
			if (before->port != p->port)
				report_two(l, p, before);
			continue;
		}
		if (p->found != p->port)
			code = edit_splice(p->file, p->spot.offset, p->spot.length, text, (size_t)length);
		l->memory = l->memory || code == -ENOMEM;
	}
}

/* True if the place leads to its port in the changed text. */
static bool found_again(struct ps_place_file *const *formats, const struct ps_sync_place *p, const char *text)
{
	const struct ps_place_file *file = formats[p->format];
	struct ps_place_fault fault = { 0 };
	struct ps_spot spot;
	char wanted[16];
	int length = snprintf(wanted, sizeof(wanted), "%u", p->port);

	if (!file || !place_file_find(file, p->where, &spot, &fault))
		return false;
	/* A number with zeros in front may stand there as it was. */
	return p->found == p->port ||
	       (spot.length == (size_t)length && memcmp(text + spot.offset, wanted, spot.length) == 0);
}

static void report_unstable(struct ps_sync *sync, const struct ps_sync_place *p)
{
	char path[PS_PATH_MAX], key[128];
	struct ps_place place = { .file = sync_shown(sync, p->file->path, path),
				  .line = p->line,
				  .column = p->column,
				  .key = output_clean(key, sizeof(key), p->where) };

	finding_add(&sync->findings, "unstable-place", PS_ERROR, &place, "let the pattern fit any number: ([0-9]+)",
		    "with %u here the place would not be found again", p->port);
}

/* The places of one file, from `first` on, in the text that it would have. A pattern may fit the old number only; and
 * whatever else there is that nobody thought of must not get to the disk. */
static void prove(struct look *l, size_t first)
{
	struct ps_sync *sync = l->sync;
	const struct ps_edit_file *file = sync->places[first].file;
	struct ps_place_file *formats[PS_PLACE_FORMAT_COUNT] = { 0 };
	struct ps_place_fault fault = { 0 };
	size_t size;
	char *text = edit_result(file, &size);

	l->memory = l->memory || !text;
	for (size_t i = first; text && i < sync->count && sync->places[i].file == file; i++) {
		const struct ps_sync_place *p = &sync->places[i];

		if (!formats[p->format])
			formats[p->format] = place_file_read(p->format, text, size, &fault);
		if (!found_again(formats, p, text))
			report_unstable(sync, p);
	}
	for (unsigned i = 0; i < PS_PLACE_FORMAT_COUNT; i++)
		place_file_free(formats[i]);
	free(text);
}

static void prove_all(struct look *l)
{
	const struct ps_sync *sync = l->sync;

	if (finding_count(&sync->findings, PS_ERROR))
		return;
	for (size_t i = 0; i < sync->count; i++) {
		if (sync->places[i].file->splice_count && (i == 0 || sync->places[i].file != sync->places[i - 1].file))
			prove(l, i);
	}
}

static int look_under(struct look *l, const char *path, const char *profile, struct ps_error *error)
{
	struct ps_manifest *manifest = NULL;
	int code = manifest_load(&manifest, path, profile, NULL, error);

	if (code)
		return code;
	l->manifest = manifest;
	l->profile = profile;
	for (size_t i = 0; i < manifest->file_count && !l->memory; i++)
		look_at_entry(l, &manifest->files[i]);
	l->manifest = NULL;
	manifest_free(manifest);
	return 0;
}

int sync_look(struct ps_sync *sync, const char *path, const char *profile, bool applies, struct ps_error *error)
{
	struct look l = { .sync = sync };
	struct ps_manifest *manifest = NULL;
	char directory[PS_PATH_MAX];
	int code = manifest_load(&manifest, path, profile && *profile ? profile : NULL, NULL, error), number;

	*sync = (struct ps_sync){ 0 };
	if (code)
		return code;
	number = manifest_directory(path, directory);
	if (number)
		code = error_set(error, PS_EXIT_SYSTEM, "cannot tell where %s lies: %s", path, strerror(-number));
	else
		code = edit_start(&sync->edit, directory, error);
	if (!code)
		code = edit_turn(&sync->edit, applies, error);
	output_clean(l.shown_manifest, PS_PATH_MAX, output_from_here(path));
	if (!code && (!profile || !*profile))
		code = look_under(&l, path, NULL, error);
	for (size_t i = 0; !code && manifest->file_count && i < manifest->profile_count && !l.memory; i++) {
		if (!profile || strcmp(profile, manifest->profiles[i]) == 0)
			code = look_under(&l, path, manifest->profiles[i], error);
	}
	if (!code) {
		splice(&l);
		prove_all(&l);
	}
	if (!code && (l.memory || sync->findings.memory))
		code = error_set(error, PS_EXIT_SYSTEM, "out of memory");
	for (size_t i = 0; i < l.parsed_count; i++) {
		for (unsigned k = 0; k < PS_PLACE_FORMAT_COUNT; k++)
			place_file_free(l.parsed[i].formats[k]);
	}
	free(l.parsed);
	manifest_free(manifest);
	return code;
}

void sync_drift(const struct ps_sync *sync, struct ps_findings *findings)
{
	for (size_t i = 0; i < sync->count; i++) {
		const struct ps_sync_place *p = &sync->places[i];
		char path[PS_PATH_MAX], key[128], hint[64];
		struct ps_place place = { .file = sync_shown(sync, p->file->path, path),
					  .line = p->line,
					  .column = p->column,
					  .key = output_clean(key, sizeof(key), p->where) };

		if (p->found == p->port)
			continue;
		snprintf(hint, sizeof(hint), "`portshim sync --apply` writes %u", p->port);
		finding_add(findings, "drift", PS_ERROR, &place, hint, "%.*s stands here, but the port of %s is %u%s%s",
			    (int)(p->spot.length > 10 ? 10 : p->spot.length), p->file->text + p->spot.offset,
			    p->service, p->port, p->profile[0] ? " under the profile " : "", p->profile);
	}
}

size_t sync_count(const struct ps_sync *sync)
{
	size_t count = 0;

	for (size_t i = 0; i < sync->edit.count; i++)
		count += sync->edit.files[i]->splice_count;
	return count;
}

void sync_free(struct ps_sync *sync)
{
	for (size_t i = 0; i < sync->count; i++) {
		free(sync->places[i].where);
		free(sync->places[i].service);
		free(sync->places[i].profile);
	}
	free(sync->places);
	finding_free(&sync->findings);
	edit_free(&sync->edit);
	*sync = (struct ps_sync){ 0 };
}
