/*
 * kind.c - files that are left alone by their kind: tests, and configuration.
 */
#include <string.h>

#include "../inventory/words.h"
#include "idiom.h"

static bool ends_with(const char *text, size_t length, const char *tail)
{
	size_t n = strlen(tail);

	return length >= n && memcmp(text + length - n, tail, n) == 0;
}

bool fix_is_test(const char *path)
{
	static const char folders[] =
		"test tests __tests__ spec specs fixture fixtures __fixtures__ testdata e2e mock mocks "
		"__mocks__ example examples cypress playwright";
	static const char *const tails[] = { "_test.go", "_test.py",  "_test.exs",  "_test.rb",
					     "_spec.rb", "Test.java", "Tests.java", "IT.java",
					     "Test.php", ".bats",     "_test.sh",   "conftest.py" };
	const char *name = path;
	size_t length;

	for (const char *slash; (slash = strchr(name, '/')); name = slash + 1)
		if (words_are(name, (size_t)(slash - name), folders))
			return true;
	length = strlen(name);
	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++)
		if (ends_with(name, length, tails[i]))
			return true;
	return strstr(name, ".test.") || strstr(name, ".spec.") || strstr(name, ".stories.") ||
	       strncmp(name, "test_", 5) == 0;
}

bool fix_is_configuration(enum ps_language language)
{
	switch (language) {
	case PS_LANG_PROPERTIES:
	case PS_LANG_DOCKERFILE:
	case PS_LANG_COMPOSE:
	case PS_LANG_YAML:
	case PS_LANG_JSON:
	case PS_LANG_DOTENV:
	case PS_LANG_NGINX:
	case PS_LANG_CADDY:
	case PS_LANG_TOML:
	case PS_LANG_INI:
	case PS_LANG_MARKUP:
	case PS_LANG_HTML:
		return true;
	default:
		return false;
	}
}
