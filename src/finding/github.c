/*
 * github.c - findings as annotations: commands in the log of a GitHub workflow, one a line.
 *
 * A line of the log that begins with `::` is a command. So percent signs and line ends are encoded in all parts, and
 * in properties also what would end one.
 */
#include "finding.h"

#include <string.h>

static void put(FILE *stream, const char *text, const char *special)
{
	for (; *text; text++) {
		if (strchr(special, *text))
			fprintf(stream, "%%%02X", (unsigned)(unsigned char)*text);
		else
			fputc(*text, stream);
	}
}

void finding_print_github(const struct ps_findings *findings, FILE *stream)
{
	static const char value[] = "%\r\n", property[] = "%\r\n:,";

	for (size_t i = 0; i < findings->count; i++) {
		const struct ps_finding *f = &findings->list[i];

		fprintf(stream, "::%s file=", f->severity == PS_NOTE ? "notice" : finding_severity(f->severity));
		put(stream, f->file, property);
		if (f->line)
			fprintf(stream, ",line=%d,col=%d", f->line, f->column);
		fprintf(stream, ",title=%s::", f->code);
		put(stream, f->key, value);
		fputs(f->key[0] ? ": " : "", stream);
		put(stream, f->text, value);
		if (f->hint) {
			fputs("%0Ahint: ", stream);
			put(stream, f->hint, value);
		}
		fputc('\n', stream);
	}
}
