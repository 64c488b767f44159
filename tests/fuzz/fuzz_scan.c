/*
 * fuzz_scan.c - any bytes as a file of any language: what the scanner finds are ports, and it says rightly where.
 *
 * The first byte chooses the language, the rest is the file, in memory of exactly that size.
 */
#include "../../src/inventory/scan.h"
#include "fuzz.h"

static void check_place(const char *text, const struct ps_port_use *use)
{
	uint32_t line = 1, start = 0;

	for (uint32_t i = 0; i < use->offset; i++)
		if (text[i] == '\n') {
			line++;
			start = i + 1;
		}
	MUST(use->line == line && use->column == use->offset - start + 1);
}

static void check_use(const char *text, size_t size, const struct ps_port_use *use)
{
	unsigned value = 0;

	MUST(use->length >= 2 && use->offset + (size_t)use->length <= size);
	MUST(use->expression <= use->offset && use->offset + use->length <= use->expression_end &&
	     use->expression_end <= size);
	for (uint32_t i = 0; i < use->length; i++) {
		char c = text[use->offset + i];

		MUST(c == '_' || (c >= '0' && c <= '9'));
		value = c == '_' ? value : value * 10 + (unsigned)(c - '0');
	}
	MUST(value == use->port && value > 0 && value <= 65535);
	MUST(use->use < PS_USE_COUNT && use->certainty <= PS_CERTAIN && use->language < PS_LANG_COUNT);
	check_place(text, use);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ps_scan scan = { 0 };
	enum ps_language language;
	char *text;

	if (size < 2)
		return 0;
	language = (enum ps_language)(1 + data[0] % (PS_LANG_COUNT - 1));
	text = malloc(size - 1);
	MUST(text);
	memcpy(text, data + 1, size - 1);
	scan_text(&scan, language, text, size - 1);
	MUST(!scan.failed);
	for (size_t i = 0; i < scan.count; i++) {
		MUST(i == 0 || scan.list[i - 1].offset < scan.list[i].offset);
		MUST(scan.list[i].language == language);
		check_use(text, size - 1, &scan.list[i]);
	}
	(void)scan_unreadable(text, size - 1);
	(void)scan_language("program", text, size - 1);
	scan_free(&scan);
	free(text);
	return 0;
}
