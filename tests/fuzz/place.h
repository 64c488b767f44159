/*
 * place.h - any bytes as a file of one format, with any path: the body of fuzz_place_*.c.
 *
 * The first line of the input is the path. What is found are digits of the text; with other digits in their place the
 * text is still of the format, and the same path leads to them. So does the path of a fault lead into the text.
 */
#ifndef TESTS_FUZZ_PLACE_H
#define TESTS_FUZZ_PLACE_H

#include "../../src/place/place_file.h"
#include "fuzz.h"

/* Replaces the number and looks again. */
static void look_again(enum ps_place_format format, const char *where, const char *text, size_t size,
		       const struct ps_spot *spot, const char *number)
{
	size_t length = strlen(number), rest = size - spot->offset - spot->length;
	char *changed = malloc(spot->offset + length + rest + 1);
	struct ps_place_fault fault = { 0 };
	struct ps_place_file *file;
	struct ps_spot again;

	MUST(changed);
	memcpy(changed, text, spot->offset);
	memcpy(changed + spot->offset, number, length);
	memcpy(changed + spot->offset + length, text + spot->offset + spot->length, rest + 1);
	file = place_file_read(format, changed, spot->offset + length + rest, &fault);
	MUST(file);
	MUST(place_file_find(file, where, &again, &fault));
	MUST(again.offset == spot->offset && again.length == length);
	place_file_free(file);
	free(changed);
}

static int look(enum ps_place_format format, const uint8_t *data, size_t size)
{
	const uint8_t *newline = size ? memchr(data, '\n', size) : NULL;
	char where[256], why[128], *text;
	struct ps_place_fault fault = { 0 };
	struct ps_place_file *file;
	struct ps_spot spot;
	size_t length;

	if (!newline || newline - data >= (ptrdiff_t)sizeof(where) || memchr(data, 0, (size_t)(newline - data)))
		return 0;
	memcpy(where, data, (size_t)(newline - data));
	where[newline - data] = '\0';
	if (place_file_check(format, where, why))
		return 0;
	length = size - (size_t)(newline - data) - 1;
	text = malloc(length + 1);
	MUST(text);
	memcpy(text, newline + 1, length);
	text[length] = '\0';
	file = place_file_read(format, text, length, &fault);
	if (file && place_file_find(file, where, &spot, &fault)) {
		MUST(spot.length > 0 && spot.offset < length && spot.length <= length - spot.offset);
		MUST(strspn(text + spot.offset, "0123456789") >= spot.length);
		if (format != PS_PLACE_TEXT) { /* a pattern may want numbers of one kind: src/sync looks for that */
			look_again(format, where, text, length, &spot, "65535");
			look_again(format, where, text, length, &spot, "7");
		}
	} else {
		MUST(fault.code && fault.offset <= length && fault.text[0]);
	}
	place_file_free(file);
	free(text);
	return 0;
}

#endif
