/*
 * fix.c - the hardcoded ports of a project's code.
 *
 * Theory of operation: files are listed as the inventory lists them, read one after the other into one buffer and
 * scanned. Only a file in which something may be changed is opened for the edit (src/edit), which keeps its bytes, and
 * scanned again there: what is spliced is what was read. Nothing is written here.
 */
#include "fix.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../cli/project.h"
#include "../inventory/walk.h"

#define FILE_LIMIT (2u << 20) /* nobody writes more by hand */

static int no_memory(struct ps_error *error)
{
	return error_set(error, PS_EXIT_SYSTEM, "out of memory");
}

/* ---- the manifest ---- */

static int add_view(struct ps_fix *fix, const char *profile, struct ps_error *error)
{
	struct ps_fix_view *views = reallocarray(fix->views, fix->view_count + 1, sizeof(*views));

	if (!views)
		return no_memory(error);
	fix->views = views;
	views[fix->view_count] = (struct ps_fix_view){ .profile = profile };
	return manifest_load(&views[fix->view_count++].manifest, fix->manifest, profile, NULL, error);
}

static int read_manifest(struct ps_fix *fix, struct ps_error *error)
{
	int code = fix->manifest[0] ? add_view(fix, NULL, error) : 0;

	for (size_t i = 0; !code && fix->view_count && i < fix->views[0].manifest->profile_count; i++)
		code = add_view(fix, fix->views[0].manifest->profiles[i], error);
	return code;
}

static int check_services(const struct ps_fix *fix, const struct ps_fix_options *options, struct ps_error *error)
{
	for (size_t i = 0; i < options->service_count; i++) {
		if (fix->view_count && manifest_service(fix->views[0].manifest, options->services[i]))
			continue;
		error_set(error, PS_EXIT_USAGE, "the manifest has no service `%s`", options->services[i]);
		return error_hint(error, "`portshim validate` lists what it has");
	}
	return 0;
}

/* ---- one file ---- */

struct look {
	struct ps_fix *fix;
	const struct ps_fix_options *options;
	char *buffer;
	struct ps_scan scan;
	struct ps_error *error;
};

static bool add_place(struct ps_fix *fix, const char *file, const struct ps_port_use *use, enum ps_fix_reason reason,
		      const struct ps_fix_choice *choice)
{
	struct ps_fix_place *p;

	if (fix->count == fix->room) {
		size_t room = fix->room ? fix->room * 2 : 64;
		struct ps_fix_place *places = reallocarray(fix->places, room, sizeof(*places));

		if (!places)
			return false;
		fix->places = places;
		fix->room = room;
	}
	p = &fix->places[fix->count];
	*p = (struct ps_fix_place){ .file = strdup(file),
				    .use = *use,
				    .reason = reason,
				    .service = choice->service,
				    .variable = choice->variable.name,
				    .given = choice->given,
				    .own = choice->own,
				    .listed = choice->listed };
	fix->count += p->file != NULL;
	return p->file != NULL;
}

static bool is_asked(const struct look *l, const char *service)
{
	for (size_t i = 0; i < l->options->service_count; i++)
		if (service && strcmp(l->options->services[i], service) == 0)
			return true;
	return l->options->service_count == 0;
}

/* A reason that the file's kind gives, before its contents do. */
static enum ps_fix_reason by_file(const struct look *l, const char *path, enum ps_language language, bool named)
{
	if (fix_is_configuration(language))
		return PS_FIX_CONFIGURATION;
	if (!fix_language(language, path))
		return PS_FIX_LANGUAGE;
	return fix_is_test(path) && !named && !l->options->tests ? PS_FIX_TEST : PS_FIX_DONE;
}

/* Decides about one port, and splices if it is to be rewritten. PS_FIX_COUNT if memory ran out. */
static enum ps_fix_reason decide(struct look *l, struct ps_fixing *f, const struct ps_port_use *use,
				 enum ps_fix_reason reason, struct ps_fix_choice *choice)
{
	enum ps_fix_reason chosen = fix_choose(l->fix, f, use, l->options->undeclared, choice);

	if (chosen == PS_FIX_COUNT)
		return chosen;
	if (use->inside || use->remote)
		return PS_FIX_ELSEWHERE;
	if (chosen)
		return chosen;
	if (!is_asked(l, choice->service))
		return PS_FIX_OTHER_SERVICE;
	return reason ? reason : fix_use(f, use, &choice->variable);
}

static bool note(struct look *l, struct ps_fixing *f, const struct ps_port_use *use, enum ps_fix_reason reason)
{
	struct ps_fix_choice choice;

	reason = decide(l, f, use, reason, &choice);
	return reason != PS_FIX_COUNT && add_place(l->fix, f->path, use, reason, &choice);
}

/* Reads the result as if it were a file: it must be understood, and nothing in it may be left to do. What does not
 * settle so was not understood the first time. */
static bool settles(struct look *l, struct ps_fixing *f)
{
	struct ps_fix_choice choice;
	struct ps_scan scan = { 0 };
	struct ps_fixing again = { 0 };
	size_t size;
	char *text = fix_result(f, &size);
	bool good = text != NULL;

	if (good) {
		scan_text(&scan, f->language, text, size);
		good = !scan.failed &&
		       fix_start(&again, f->language, f->path, text, size, scan.list, scan.count) == 0 &&
		       !again.refused;
		again.helped |= f->helped;
		again.unhelped = f->unhelped;
	}
	for (size_t i = 0; good && i < scan.count; i++)
		good = decide(l, &again, &scan.list[i], PS_FIX_DONE, &choice) != PS_FIX_DONE;
	fix_end(&again);
	scan_free(&scan);
	free(text);
	return good;
}

/* Hands the splices on to the edit. */
static int take_splices(struct look *l, const struct ps_fixing *f, struct ps_edit_file *file)
{
	for (size_t i = 0; i < f->splices.count; i++) {
		const struct ps_fix_splice *s = &f->splices.list[i];
		int status = edit_splice(file, s->offset, s->length, s->text, strlen(s->text));

		if (status == -ENOMEM)
			return no_memory(l->error);
		if (status)
			return error_set(l->error, PS_EXIT_SYSTEM,
					 "%s: two changes at one place: this is a fault of portshim", f->path);
	}
	return 0;
}

static int fix_text(struct look *l, const char *path, struct ps_edit_file *file, enum ps_language language)
{
	size_t first = l->fix->count;
	struct ps_fixing f;
	int code = 0;

	l->scan.count = 0;
	scan_text(&l->scan, language, file->text, file->size);
	if (l->scan.failed ||
	    fix_start(&f, language, path, file->text, file->size, l->scan.list, l->scan.count) == -ENOMEM)
		return no_memory(l->error);
	if (language == PS_LANG_GO && !f.refused && !fix_package_start(l->fix, &f))
		code = no_memory(l->error);
	for (size_t i = 0; i < l->scan.count && !code; i++)
		if (!note(l, &f, &l->scan.list[i], PS_FIX_DONE))
			code = no_memory(l->error);
	if (!code)
		fix_finish(&f);
	if (!code && f.splices.failed)
		code = no_memory(l->error);
	if (!code && !f.refused && f.splices.count && !settles(l, &f))
		f.refused = PS_FIX_UNCLEAR;
	for (size_t i = first; i < l->fix->count && f.refused; i++)
		if (l->fix->places[i].reason == PS_FIX_DONE)
			l->fix->places[i].reason = f.refused;
	if (!code && !f.refused)
		code = take_splices(l, &f, file);
	if (language == PS_LANG_GO && !code && !f.refused)
		fix_package_end(l->fix, &f);
	fix_end(&f);
	return code;
}

/* Reads a file into the buffer. Its size, or -1 for one that is not to be scanned. */
static ssize_t read_file(const char *directory, const char *path, char *buffer)
{
	char full[PATH_MAX * 2];
	ssize_t size = -1, got = 0;
	struct stat st;
	int fd;

	snprintf(full, sizeof(full), "%s/%s", directory, path);
	fd = open(full, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= FILE_LIMIT) {
		size = 0;
		while (size <= FILE_LIMIT && (got = read(fd, buffer + size, FILE_LIMIT + 1 - (size_t)size)) > 0)
			size += got;
		if (got < 0 || size > FILE_LIMIT)
			size = -1;
	}
	close(fd);
	return size;
}

static bool may_change(const struct look *l)
{
	for (size_t i = 0; i < l->scan.count; i++)
		if (l->scan.list[i].use != PS_USE_DEFAULT && !l->scan.list[i].inside && !l->scan.list[i].remote)
			return true;
	return false;
}

static int look_at(struct look *l, const char *path, bool named)
{
	ssize_t size = read_file(l->fix->edit.directory, path, l->buffer);
	struct ps_fixing none = { .path = path, .text = l->buffer, .refused = PS_FIX_UNCLEAR, .listened = 0 };
	struct ps_edit_file *file;
	enum ps_fix_reason reason;
	enum ps_language language;
	int code = 0;

	if (size < 0 || scan_unreadable(l->buffer, (size_t)size)) {
		if (!named)
			return 0;
		error_set(l->error, PS_EXIT_SYSTEM, "%s cannot be looked at: it is no text, or larger than 2 MiB",
			  path);
		return error_hint(l->error,
				  "leave it out; minified code and bundles are made from what is to be fixed");
	}
	l->fix->files++;
	language = scan_language(path, l->buffer, (size_t)size);
	l->scan.count = 0;
	scan_text(&l->scan, language, l->buffer, (size_t)size);
	if (l->scan.failed)
		return no_memory(l->error);
	reason = by_file(l, path, language, named);
	if (!reason && may_change(l)) {
		code = edit_open(&l->fix->edit, path, &file, l->error);
		return code ? code : fix_text(l, path, file, language);
	}
	if (!reason)
		reason = PS_FIX_DEFAULT;
	none.size = (uint32_t)size;
	none.language = PS_LANG_SHELL; /* no tokens */
	for (size_t i = 0; i < l->scan.count && !code; i++)
		if (!note(l, &none, &l->scan.list[i], reason))
			code = no_memory(l->error);
	return code;
}

/* ---- all of them ---- */

/* Everything below a directory of the project; "" is the project's. */
static int look_below(struct look *l, const char *below)
{
	char full[PATH_MAX * 2], path[PATH_MAX * 2];
	struct ps_files files = { 0 };
	int code;

	snprintf(full, sizeof(full), "%s%s%s", l->fix->edit.directory, *below ? "/" : "", below);
	code = walk_files(&files, full, l->error);
	for (size_t i = 0; i < files.count && !code; i++) {
		snprintf(path, sizeof(path), "%s%s%s", below, *below ? "/" : "", files.list[i]);
		code = look_at(l, path, false);
	}
	walk_free(&files);
	return code;
}

static int look_operand(struct look *l, const char *operand)
{
	size_t top = strlen(l->fix->edit.directory);
	char full[PATH_MAX];
	struct stat st;

	if (!realpath(operand, full) || stat(full, &st) != 0) {
		error_set(l->error, PS_EXIT_SYSTEM, "cannot read %s: %s", operand, strerror(errno));
		return error_hint(l->error, "name files and directories of the project: `portshim fix [DIR|FILE...]`");
	}
	if (top == 1) /* the root directory */
		top = 0;
	if (strncmp(full, l->fix->edit.directory, top) != 0 || (full[top] != '/' && full[top] != '\0')) {
		error_set(l->error, PS_EXIT_USAGE, "%s lies outside of the project %s", operand,
			  l->fix->edit.directory);
		return error_hint(l->error, "--manifest names another project's manifest");
	}
	if (S_ISDIR(st.st_mode))
		return look_below(l, full[top] ? full + top + 1 : "");
	if (!S_ISREG(st.st_mode)) {
		error_set(l->error, PS_EXIT_SYSTEM, "%s is no regular file", operand);
		return error_hint(l->error, "name files and directories of the project: `portshim fix [DIR|FILE...]`");
	}
	return look_at(l, full + top + 1, true);
}

/* The directory that the manifest is looked for from: that of the first operand, or the working directory. */
static int find_manifest(struct ps_fix *fix, const struct ps_fix_options *options, struct ps_error *error)
{
	const char *first = options->operands ? options->operands[0] : NULL;
	char here[PATH_MAX], from[PATH_MAX];
	struct stat st;
	int code;

	if (options->manifest || !first || !realpath(first, from) || !getcwd(here, sizeof(here)))
		return project_manifest(fix->manifest, options->manifest, error);
	if (stat(from, &st) == 0 && !S_ISDIR(st.st_mode))
		*strrchr(from, '/') = '\0';
	if (chdir(from[0] ? from : "/") != 0)
		return error_set(error, PS_EXIT_SYSTEM, "cannot go to the directory %s: %s", from, strerror(errno));
	code = project_manifest(fix->manifest, NULL, error);
	if (chdir(here) != 0 && !code)
		code = error_set(error, PS_EXIT_SYSTEM, "cannot go back to the directory %s: %s", here,
				 strerror(errno));
	return code;
}

static int start(struct ps_fix *fix, const struct ps_fix_options *options, struct ps_error *error)
{
	char directory[PS_PATH_MAX] = ".";
	int code = find_manifest(fix, options, error);

	if (code)
		return code;
	if (!fix->manifest[0] && !options->undeclared) {
		error_set(error, PS_EXIT_SYSTEM, "there is no ports.manifest.json here, nor in any directory above");
		return error_hint(error, "`portshim init` writes a first one; --undeclared goes without");
	}
	if (fix->manifest[0] && manifest_directory(fix->manifest, directory) != 0)
		return error_set(error, PS_EXIT_SYSTEM, "cannot tell the directory of %s", fix->manifest);
	code = read_manifest(fix, error);
	if (!code)
		code = check_services(fix, options, error);
	if (!code)
		code = edit_start(&fix->edit, directory, error);
	return code ? code : edit_turn(&fix->edit, options->applies, error);
}

static int by_place(const void *a, const void *b)
{
	const struct ps_fix_place *x = a, *y = b;
	int order = strcmp(x->file, y->file);

	return order ? order : (x->use.offset > y->use.offset) - (x->use.offset < y->use.offset);
}

/* A file that was named twice, or lies below what was, counts once. */
static void drop_doubles(struct ps_fix *fix)
{
	size_t kept = 0;

	if (fix->count)
		qsort(fix->places, fix->count, sizeof(*fix->places), by_place);
	for (size_t i = 0; i < fix->count; i++) {
		if (kept && by_place(&fix->places[kept - 1], &fix->places[i]) == 0)
			free(fix->places[i].file);
		else
			fix->places[kept++] = fix->places[i];
	}
	fix->count = kept;
}

int fix_look(struct ps_fix *fix, const struct ps_fix_options *options, struct ps_error *error)
{
	struct look l = { .fix = fix, .options = options, .error = error };
	int code;

	*fix = (struct ps_fix){ 0 };
	code = start(fix, options, error);
	if (code)
		return code;
	l.buffer = malloc(FILE_LIMIT + 16);
	if (!l.buffer)
		return no_memory(error);
	if (!options->operands || !options->operands[0])
		code = look_below(&l, "");
	for (size_t i = 0; !code && options->operands && options->operands[i]; i++)
		code = look_operand(&l, options->operands[i]);
	drop_doubles(fix);
	scan_free(&l.scan);
	free(l.buffer);
	return code;
}

void fix_free(struct ps_fix *fix)
{
	for (size_t i = 0; i < fix->view_count; i++)
		manifest_free(fix->views[i].manifest);
	for (size_t i = 0; i < fix->count; i++)
		free(fix->places[i].file);
	for (size_t i = 0; i < fix->name_count; i++)
		free(fix->names[i]);
	for (size_t i = 0; i < fix->package_count; i++)
		free(fix->packages[i].key);
	free(fix->packages);
	free(fix->views);
	free(fix->places);
	free(fix->names);
	edit_free(&fix->edit);
}
