/*
 * fuzz_fix.c - any bytes as a file of any language: what becomes of it differs by the splices only, none of which
 * overlaps another, and after a few times nothing is left to be changed. (After one, where a file is understood; the
 * command leaves a file alone that does not settle at once.)
 *
 * The first byte chooses the language and whether a string's beginning is a variable, the rest is the file, in memory
 * of exactly that size.
 */
#include "../../src/fix/idiom.h"
#include "fuzz.h"

static const char *const paths[] = { "a.js", "a.ts", "a.py", "a.rb", "a.php", "a.go", "A.java", "a.exs", "a.ex", "a.sh",
				     "a.config.js" };

/* Rewrites all of a text; what it becomes, or NULL for nothing. */
static char *rewrite(const char *path, const char *text, size_t size, bool url, size_t *made)
{
	enum ps_language language = scan_language(path, text, size);
	struct ps_scan scan = { 0 };
	struct ps_fixing f;
	char *result = NULL;
	size_t at = 0;
	long grown = 0;

	scan_text(&scan, language, text, size);
	MUST(!scan.failed && fix_start(&f, language, path, text, size, scan.list, scan.count) == 0);
	for (size_t i = 0; i < scan.count; i++) {
		const struct ps_token *t = language == PS_LANG_SHELL
						   ? NULL
						   : code_token(&f.code, code_at(&f.code, scan.list[i].offset));
		struct ps_fix_variable v = { .name = "WEB_PORT" };

		(void)fix_listens(&f, &scan.list[i]);
		if (url && t && t->kind == PS_TOKEN_STRING && (i == 0 || scan.list[i - 1].offset < t->from) &&
		    (i + 1 == scan.count || scan.list[i + 1].offset >= t->until))
			v.url = scan.list[i].offset + scan.list[i].length - t->inner;
		MUST(fix_use(&f, &scan.list[i], &v) < PS_FIX_COUNT);
	}
	fix_finish(&f);
	MUST(!f.splices.failed);
	if (f.splices.count && !f.refused) {
		result = fix_result(&f, made);
		MUST(result);
		for (size_t i = 0; i < f.splices.count; i++) { /* sorted now */
			const struct ps_fix_splice *s = &f.splices.list[i];

			MUST(s->offset >= at && s->offset + (size_t)s->length <= size);
			at = s->offset + s->length;
			grown += (long)strlen(s->text) - (long)s->length;
		}
		MUST((long)*made == (long)size + grown);
	}
	fix_end(&f);
	scan_free(&scan);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path;
	char *text;
	size_t made = 0;

	if (size < 2)
		return 0;
	path = paths[(data[0] & 0x7f) % (sizeof(paths) / sizeof(paths[0]))];
	text = malloc(size - 1);
	MUST(text);
	memcpy(text, data + 1, --size);
	for (unsigned times = 0; text; times++) {
		char *next = rewrite(path, text, size, data[0] & 0x80, &made);

		MUST(times < 8);
		free(text);
		text = next;
		size = made;
	}
	return 0;
}
