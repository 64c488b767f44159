/*
 * finding.c - a list of findings, and its form for people.
 */
#include "finding.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "../cli/output.h"

#define TEXT_MAX 1024

static char *copy(struct ps_findings *findings, const char *text)
{
	char *result = text ? strdup(text) : NULL;

	if (text && !result)
		findings->memory = true;
	return result;
}

static struct ps_finding *grow(struct ps_findings *findings)
{
	struct ps_finding *bigger;

	if (findings->count == findings->room) {
		findings->room = findings->room ? findings->room * 2 : 16;
		bigger = realloc(findings->list, findings->room * sizeof(*bigger));
		if (!bigger) {
			findings->memory = true;
			findings->room = findings->count;
			return NULL;
		}
		findings->list = bigger;
	}
	return &findings->list[findings->count++];
}

bool finding_room(struct ps_findings *findings, enum ps_severity severity)
{
	if (findings->count < PS_FINDINGS_MAX)
		return true;
	findings->left_off[severity]++;
	return false;
}

void finding_add(struct ps_findings *findings, const char *code, enum ps_severity severity,
		 const struct ps_place *place, const char *hint, const char *format, ...)
{
	struct ps_finding *f = finding_room(findings, severity) ? grow(findings) : NULL;
	char text[TEXT_MAX];
	va_list ap;

	if (!f)
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	*f = (struct ps_finding){
		.code = code,
		.severity = severity,
		.file = copy(findings, place->file),
		.line = place->line,
		.column = place->column,
		.key = copy(findings, place->key ? place->key : ""),
		.text = copy(findings, text),
		.hint = copy(findings, hint),
	};
	if (f->file && f->key && f->text)
		return;
	/* Only whole ones are kept. */
	free(f->file);
	free(f->key);
	free(f->text);
	free(f->hint);
	findings->count--;
}

bool finding_known(const struct ps_findings *findings, size_t end, const char *code, int line, int column)
{
	for (size_t i = 0; i < end && i < findings->count; i++) {
		const struct ps_finding *f = &findings->list[i];

		if (f->line == line && f->column == column && strcmp(f->code, code) == 0)
			return true;
	}
	return false;
}

size_t finding_count(const struct ps_findings *findings, enum ps_severity severity)
{
	size_t count = findings->left_off[severity];

	for (size_t i = 0; i < findings->count; i++)
		count += findings->list[i].severity == severity;
	return count;
}

static int by_place(const void *a, const void *b)
{
	const struct ps_finding *x = *(const struct ps_finding *const *)a, *y = *(const struct ps_finding *const *)b;
	int order = strcmp(x->file, y->file);

	if (!order)
		order = (x->line > y->line) - (x->line < y->line);
	if (!order)
		order = (x->column > y->column) - (x->column < y->column);
	return order ? order : (x > y) - (x < y);
}

void finding_sort(struct ps_findings *findings)
{
	const struct ps_finding **order = calloc(findings->count + 1, sizeof(const struct ps_finding *));
	struct ps_finding *sorted = calloc(findings->count + 1, sizeof(*sorted));

	if (!order || !sorted) {
		findings->memory = true;
		free(order);
		free(sorted);
		return;
	}
	for (size_t i = 0; i < findings->count; i++)
		order[i] = &findings->list[i];
	qsort(order, findings->count, sizeof(const struct ps_finding *), by_place);
	for (size_t i = 0; i < findings->count; i++)
		sorted[i] = *order[i];
	free(order);
	free(findings->list);
	findings->list = sorted;
	findings->room = findings->count + 1;
}

void finding_free(struct ps_findings *findings)
{
	for (size_t i = 0; i < findings->count; i++) {
		free(findings->list[i].file);
		free(findings->list[i].key);
		free(findings->list[i].text);
		free(findings->list[i].hint);
	}
	free(findings->list);
	*findings = (struct ps_findings){ 0 };
}

const char *finding_severity(enum ps_severity severity)
{
	return severity == PS_ERROR ? "error" : severity == PS_WARNING ? "warning" : "note";
}

/* ---- for people ---- */

static void print_place(const struct ps_finding *f, FILE *stream)
{
	char file[1024];

	fputs(output_clean(file, sizeof(file), f->file), stream);
	if (f->line)
		fprintf(stream, ":%d:%d", f->line, f->column);
	fputc(':', stream);
}

void finding_print_text(const struct ps_findings *findings, enum ps_severity least, FILE *stream, bool colour)
{
	static const enum ps_colour colours[] = { PS_DIM, PS_YELLOW, PS_RED };
	const char *plain = output_escape(colour, PS_PLAIN), *bold = output_escape(colour, PS_BOLD);

	for (size_t i = 0; i < findings->count; i++) {
		const struct ps_finding *f = &findings->list[i];

		if (f->severity < least)
			continue;
		fputs(bold, stream);
		print_place(f, stream);
		fprintf(stream, "%s %s%s:%s %s%s%s [%s]\n", plain, output_escape(colour, colours[f->severity]),
			finding_severity(f->severity), plain, f->key, f->key[0] ? ": " : "", f->text, f->code);
		if (f->hint)
			fprintf(stream, "\thint: %s\n", f->hint);
	}
	if (findings->count == PS_FINDINGS_MAX)
		fprintf(stream, "at most %d findings are listed\n", PS_FINDINGS_MAX);
}
