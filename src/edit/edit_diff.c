/*
 * edit_diff.c - a set of edits as a unified diff.
 *
 * Theory of operation: nothing is compared with anything as a whole, because it is known what changes. Each splice is
 * widened to the lines that it touches, neighbours that share a line become one region, and lines that are the same at
 * both ends of a region's old and new text are taken off again. Regions that are less than twice the context apart make
 * one hunk. A line is what ends with a newline, so that carriage returns, tabs and bytes that are no UTF-8 stand in the
 * diff as they stand in the file; GNU patch takes them so.
 *
 * Names are relative to the edit's directory, with a/ and b/ before them. A tab goes behind a name that has spaces, as
 * git and GNU diff do it, and names with quotes, backslashes or control characters are written as C strings.
 */
#include "edit.h"

#include <stdlib.h>
#include <string.h>

#define CONTEXT 3

struct region {
	size_t start, end;   /* of the old text, whole lines */
	char *text;          /* the new lines, malloc'ed */
	size_t from, length; /* what counts of it */
	size_t line;         /* how many lines of the old text come before */
	size_t old_lines, new_lines;
};

static size_t line_start(const char *text, size_t offset)
{
	const char *newline = offset ? memrchr(text, '\n', offset) : NULL;

	return newline ? (size_t)(newline - text) + 1 : 0;
}

/* Behind the newline, or the end of the text. */
static size_t line_end(const char *text, size_t size, size_t offset)
{
	const char *newline = offset < size ? memchr(text + offset, '\n', size - offset) : NULL;

	return newline ? (size_t)(newline - text) + 1 : size;
}

static size_t count_lines(const char *text, size_t length)
{
	size_t count = 0;

	for (size_t at = 0; at < length; count++)
		at = line_end(text, length, at);
	return count;
}

/* The new text of the lines that splices `first` to `last` - 1 touch. */
static bool fill(const struct ps_edit_file *file, struct region *r, size_t first, size_t last)
{
	size_t room = r->end - r->start, at = r->start;
	char *out;

	for (size_t i = first; i < last; i++)
		room += file->splices[i].text_length;
	r->text = out = malloc(room + 1);
	if (!out)
		return false;
	for (size_t i = first; i < last; i++) {
		const struct ps_splice *s = &file->splices[i];

		out = mempcpy(out, file->text + at, s->offset - at);
		out = mempcpy(out, s->text, s->text_length);
		at = s->offset + s->length;
	}
	out = mempcpy(out, file->text + at, r->end - at);
	r->length = (size_t)(out - r->text);
	return true;
}

/* Takes off the lines that are the same at the beginning and at the end. */
static void trim(const struct ps_edit_file *file, struct region *r)
{
	for (;;) {
		const char *old = file->text + r->start, *new = r->text + r->from;
		size_t length = line_end(old, r->end - r->start, 0);

		if (length == 0 || length != line_end(new, r->length, 0) || memcmp(old, new, length) != 0)
			break;
		r->start += length;
		r->from += length;
		r->length -= length;
	}
	while (r->end > r->start && r->length > 0) {
		const char *new = r->text + r->from;
		size_t old_at = line_start(file->text, r->end - 1), new_at = line_start(new, r->length - 1);
		size_t length = r->end - old_at;

		if (old_at < r->start || length != r->length - new_at ||
		    memcmp(file->text + old_at, new + new_at, length) != 0)
			break;
		r->end = old_at;
		r->length = new_at;
	}
}

/* NULL if memory ran out. */
static struct region *find_regions(const struct ps_edit_file *file, size_t *result)
{
	struct region *regions = calloc(file->splice_count + 1, sizeof(*regions));
	size_t count = 0, counted = 0, lines = 0;

	for (size_t i = 0, next; regions && i < file->splice_count; i = next) {
		struct region *r = &regions[count];
		const struct ps_splice *s = &file->splices[i];

		r->start = line_start(file->text, s->offset);
		r->end = line_end(file->text, file->size, s->offset + s->length);
		for (next = i + 1; next < file->splice_count && file->splices[next].offset < r->end; next++) {
			s = &file->splices[next];
			r->end = line_end(file->text, file->size, s->offset + s->length);
		}
		/* An insertion behind a last line without a newline is an edit of that line. */
		while (next < file->splice_count && r->end == file->size)
			next++;
		count++;
		if (!fill(file, r, i, next)) {
			while (count > 0)
				free(regions[--count].text);
			free(regions);
			return NULL;
		}
		trim(file, r);
		lines += count_lines(file->text + counted, r->start - counted);
		counted = r->start;
		r->line = lines;
		r->old_lines = count_lines(file->text + r->start, r->end - r->start);
		r->new_lines = count_lines(r->text + r->from, r->length);
	}
	*result = count;
	return regions;
}

static void print_lines(FILE *stream, char sign, const char *text, size_t length)
{
	for (size_t at = 0, end; at < length; at = end) {
		end = line_end(text, length, at);
		putc(sign, stream);
		fwrite(text + at, 1, end - at, stream);
		if (text[end - 1] != '\n')
			fputs("\n\\ No newline at end of file\n", stream);
	}
}

/* How many lines of context stand before an offset, and where the first begins. */
static size_t context_before(const struct ps_edit_file *file, size_t *start)
{
	size_t count = 0;

	for (; count<CONTEXT && * start> 0; count++)
		*start = line_start(file->text, *start - 1);
	return count;
}

static size_t context_after(const struct ps_edit_file *file, size_t *end)
{
	size_t count = 0;

	for (; count < CONTEXT && *end < file->size; count++)
		*end = line_end(file->text, file->size, *end);
	return count;
}

/* A range of lines in a hunk's head: an empty one is named by the line before it. */
static void print_range(FILE *stream, char sign, size_t before, size_t count)
{
	fprintf(stream, "%c%zu", sign, count ? before + 1 : before);
	if (count != 1)
		fprintf(stream, ",%zu", count);
}

static void print_hunk(FILE *stream, const struct ps_edit_file *file, const struct region *first,
		       const struct region *last, size_t new_line)
{
	size_t start = first->start, end = last->end, at;
	size_t before = context_before(file, &start), after = context_after(file, &end);
	size_t old_lines = last->line + last->old_lines - first->line + before + after, new_lines = old_lines;

	for (const struct region *r = first; r <= last; r++)
		new_lines = new_lines + r->new_lines - r->old_lines;
	fputs("@@ ", stream);
	print_range(stream, '-', first->line - before, old_lines);
	putc(' ', stream);
	print_range(stream, '+', new_line - before, new_lines);
	fputs(" @@\n", stream);
	at = start;
	for (const struct region *r = first; r <= last; r++) {
		print_lines(stream, ' ', file->text + at, r->start - at);
		print_lines(stream, '-', file->text + r->start, r->end - r->start);
		print_lines(stream, '+', r->text + r->from, r->length);
		at = r->end;
	}
	print_lines(stream, ' ', file->text + at, end - at);
}

static void print_name(FILE *stream, const char *sign, const char *side, const char *path)
{
	bool quote = false, space = strchr(path, ' ') != NULL;

	for (const char *p = path; *p; p++)
		quote = quote || (unsigned char)*p < 0x20 || *p == 0x7f || *p == '"' || *p == '\\';
	fprintf(stream, "%s %s%s/", sign, quote ? "\"" : "", side);
	for (const char *p = path; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			fprintf(stream, "\\%03o", (unsigned char)*p);
		else
			fprintf(stream, "%s%c", *p == '"' || *p == '\\' ? "\\" : "", *p);
	}
	fputs(quote ? "\"\n" : space ? "\t\n" : "\n", stream);
}

static bool print_file(FILE *stream, const struct ps_edit_file *file)
{
	size_t count = 0;
	struct region *regions = find_regions(file, &count);
	const char *path = file->path[0] == '/' ? file->path + 1 : file->path;
	size_t added = 0;

	if (!regions)
		return false;
	print_name(stream, "---", "a", path);
	print_name(stream, "+++", "b", path);
	for (size_t i = 0, next; i < count; i = next) {
		size_t before = added;

		for (next = i + 1; next < count; next++) {
			if (regions[next].line - (regions[next - 1].line + regions[next - 1].old_lines) > 2 * CONTEXT)
				break;
		}
		print_hunk(stream, file, &regions[i], &regions[next - 1], regions[i].line + before);
		for (size_t k = i; k < next; k++)
			added = added + regions[k].new_lines - regions[k].old_lines;
	}
	for (size_t i = 0; i < count; i++)
		free(regions[i].text);
	free(regions);
	return true;
}

bool edit_diff(const struct ps_edit *edit, FILE *stream)
{
	for (size_t i = 0; i < edit->count; i++) {
		if (edit->files[i]->splice_count > 0 && !print_file(stream, edit->files[i]))
			return false;
	}
	return true;
}
