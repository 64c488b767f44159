/*
 * output.c - tables, colour, ages, paths, JSON.
 *
 * Theory of operation: stdout is data and may be a file, a pipe or a terminal; colour is decided per stream and never
 * changes the text. Names of processes and directories are other people's text: before they reach a terminal their
 * control characters go, since an escape sequence in the name of a directory must not move anybody's cursor; before
 * they reach JSON their bytes are made valid UTF-8. Widths are counted in code points: enough for file names, wrong
 * for wide characters.
 */
#include "output.h"

#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "error.h"

#define COLUMNS_MAX 16

struct ps_cell {
	char *text;
	enum ps_colour colour;
};

bool output_colour(FILE *stream)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (no && no[0])
		return false;
	if (!term || !term[0] || strcmp(term, "dumb") == 0)
		return false;
	return isatty(fileno(stream)) == 1;
}

const char *output_escape(bool on, enum ps_colour colour)
{
	static const char *const escapes[] = {
		[PS_PLAIN] = "\033[0m", [PS_BOLD] = "\033[1m",   [PS_DIM] = "\033[2m",
		[PS_RED] = "\033[31m",  [PS_GREEN] = "\033[32m", [PS_YELLOW] = "\033[33m",
	};

	return on ? escapes[colour] : "";
}

char *output_age(char *text, uint64_t seconds)
{
	static const struct {
		uint64_t seconds;
		char unit;
	} units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
	unsigned i = 0;

	/* Two of a unit before the smaller one is dropped: "90s" tells more than "1m". */
	while (i < 3 && seconds < 2 * units[i].seconds)
		i++;
	snprintf(text, 24, "%llu%c", (unsigned long long)(seconds / units[i].seconds), units[i].unit);
	return text;
}

char *output_since(char *text, uint64_t then)
{
	uint64_t now = (uint64_t)time(NULL);

	return output_age(text, now > then ? now - then : 0);
}

char *output_clean(char *to, size_t size, const char *from)
{
	size_t used = 0;

	for (; *from && used + 1 < size; from++) {
		unsigned char c = (unsigned char)*from, next = (unsigned char)from[1];
		/* C1 controls (U+0080..U+009F) are C2 80..C2 9F in UTF-8 and act on a terminal as well. */
		bool c1 = c == 0xc2 && next >= 0x80 && next < 0xa0;

		to[used++] = c < 0x20 || c == 0x7f || c1 ? '?' : (char)c;
		from += c1;
	}
	if (size > 0)
		to[used] = '\0';
	return to;
}

char *output_path(char *text, size_t size, const char *path)
{
	const char *home = getenv("HOME");
	size_t length = home ? strlen(home) : 0;

	while (length > 0 && home[length - 1] == '/')
		length--;
	if (length > 0 && size > 1 && strncmp(path, home, length) == 0 && (path[length] == '/' || !path[length])) {
		text[0] = '~';
		output_clean(text + 1, size - 1, path + length);
		return text;
	}
	return output_clean(text, size, path);
}

const char *output_from_here(const char *path)
{
	char here[PATH_MAX];
	size_t length;

	if (!getcwd(here, sizeof(here)))
		return path;
	length = strlen(here);
	return strncmp(path, here, length) == 0 && path[length] == '/' ? path + length + 1 : path;
}

void output_table_start(struct ps_table *table, const char *const *heads, unsigned columns)
{
	memset(table, 0, sizeof(*table));
	table->heads = heads;
	table->columns = columns < COLUMNS_MAX ? columns : COLUMNS_MAX;
}

void output_table_cell(struct ps_table *table, enum ps_colour colour, const char *format, ...)
{
	struct ps_cell *cell;
	char *raw = NULL;
	va_list ap;
	int length;

	if (table->count == table->room) {
		size_t room = table->room ? table->room * 2 : 64;
		struct ps_cell *cells = realloc(table->cells, room * sizeof(*cells));

		if (!cells) {
			table->failed = true;
			return;
		}
		table->cells = cells;
		table->room = room;
	}
	va_start(ap, format);
	length = vasprintf(&raw, format, ap);
	va_end(ap);
	if (length < 0) {
		table->failed = true;
		return;
	}
	output_clean(raw, (size_t)length + 1, raw);
	cell = &table->cells[table->count++];
	cell->text = raw;
	cell->colour = colour;
}

static unsigned width(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void print_cell(FILE *stream, bool colour, enum ps_colour which, const char *text, unsigned padding)
{
	bool paint = colour && which != PS_PLAIN;

	fprintf(stream, "%s%s%s%*s", output_escape(paint, which), text, output_escape(paint, PS_PLAIN), (int)padding,
		"");
}

static unsigned next_column(const struct ps_table *table, unsigned column)
{
	return column + 1 < table->columns ? column + 1 : 0;
}

/* One row; empty cells at its end, and the blanks before them, are left out. */
static void print_row(FILE *stream, bool colour, const struct ps_cell *cells, const unsigned *widths, unsigned columns)
{
	while (columns && !cells[columns - 1].text[0])
		columns--;
	for (unsigned column = 0; column < columns; column++)
		print_cell(stream, colour, cells[column].colour, cells[column].text,
			   column + 1 < columns ? widths[column] - width(cells[column].text) + 2 : 0);
	fputc('\n', stream);
}

bool output_table_print(struct ps_table *table, FILE *stream)
{
	bool colour = output_colour(stream), ok = !table->failed;
	unsigned widths[COLUMNS_MAX] = {0}, column;
	struct ps_cell heads[COLUMNS_MAX];
	size_t i;

	for (column = 0; column < table->columns; column++) {
		heads[column] = (struct ps_cell){.text = (char *)table->heads[column], .colour = PS_DIM};
		widths[column] = width(table->heads[column]);
	}
	for (i = 0, column = 0; i < table->count; i++, column = next_column(table, column)) {
		unsigned w = width(table->cells[i].text);

		if (w > widths[column])
			widths[column] = w;
	}
	if (ok)
		print_row(stream, colour, heads, widths, table->columns);
	for (i = 0; ok && i + table->columns <= table->count; i += table->columns)
		print_row(stream, colour, &table->cells[i], widths, table->columns);
	for (i = 0; i < table->count; i++)
		free(table->cells[i].text);
	free(table->cells);
	memset(table, 0, sizeof(*table));
	return ok;
}

cJSON *output_json_start(void)
{
	cJSON *json = cJSON_CreateObject();

	if (json)
		cJSON_AddNumberToObject(json, "version", 1);
	return json;
}

/* The length of the UTF-8 sequence at `s` (RFC 3629: no overlong forms, no surrogates), or 0 if it is none. */
static unsigned utf8_length(const unsigned char *s)
{
	unsigned n = s[0] < 0x80                   ? 1
		     : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
		     : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
		     : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
						   : 0;

	for (unsigned i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0))
		return 0;
	if ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90))
		return 0;
	return n;
}

void output_json_text(cJSON *object, const char *name, const char *text)
{
	const unsigned char *from = (const unsigned char *)text;
	char *valid = malloc(strlen(text) * 3 + 1), *to = valid;

	if (!valid)
		return;
	while (*from) {
		unsigned n = utf8_length(from);

		memcpy(to, n ? (const char *)from : "\xef\xbf\xbd", n ? n : 3);
		to += n ? n : 3;
		from += n ? n : 1;
	}
	*to = '\0';
	cJSON_AddStringToObject(object, name, valid);
	free(valid);
}

int output_json_print(cJSON *json, int code)
{
	char *text = json ? cJSON_Print(json) : NULL;

	cJSON_Delete(json);
	if (!text) {
		fprintf(stderr, "portshim: out of memory\n");
		return PS_EXIT_SYSTEM;
	}
	puts(text);
	cJSON_free(text);
	return code;
}
