/*
 * place_text.c - a number in a text of any kind, found by a POSIX extended regular expression.
 *
 * Theory of operation: the pattern is held against each line by itself, without its line end, so that `^` and `$` mean
 * what they mean to grep -E, and a long file costs no more than its lines; lines of more than 64 KiB are passed over.
 * Exactly one line may match, and once: a second match anywhere is a fault, since nobody can tell which one is meant.
 */
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "place_tree.h"

#define LINE_MAX_BYTES (64u << 10)
#define DIGITS_MAX 10
#define PATTERN_MAX 512
#define REPETITIONS_MAX 100000u

/* What would cost time or memory without a limit: repetitions within repetitions are written out when the pattern is
 * compiled, and back references, which are no part of such expressions, are tried in every way. */
static const char *too_costly(const char *pattern)
{
	unsigned long product = 1;

	if (strlen(pattern) > PATTERN_MAX)
		return "it is longer than 512 bytes";
	for (const char *p = pattern; *p; p++) {
		if (*p == '\\' && p[1] >= '1' && p[1] <= '9')
			return "back references are not possible";
		if (*p == '\\' && p[1]) {
			p++;
		} else if (*p == '{') {
			unsigned long first = strtoul(p + 1, NULL, 10), last;
			const char *comma = p + 1 + strspn(p + 1, "0123456789");

			last = *comma == ',' ? strtoul(comma + 1, NULL, 10) : first;
			product *= (first > last ? first : last) % REPETITIONS_MAX + 2;
		} else if (*p == '+') {
			product *= 2; /* x+ is compiled as xx* */
		}
		if (product > REPETITIONS_MAX)
			return "it has too many repetitions: `*` costs less than `+` and braces";
	}
	return NULL;
}

const char *place_text_check(const char *pattern, char *text)
{
	const char *result = too_costly(pattern);
	regex_t regex;
	int code = result ? 0 : regcomp(&regex, pattern, REG_EXTENDED);

	if (result)
		return result;
	if (code) {
		regerror(code, &regex, text, 128);
		return text;
	}
	if (regex.re_nsub < 1)
		result = "it has no group for the number, like ([0-9]+)";
	regfree(&regex);
	return result;
}

/* The first match in [start, end), which are the whole text for the C library. */
static bool match(const regex_t *regex, const char *text, size_t start, size_t end, int flags, regmatch_t *groups)
{
	groups[0] = (regmatch_t){ .rm_so = 0, .rm_eo = (regoff_t)(end - start) };
	if (regexec(regex, text + start, 2, groups, flags | REG_STARTEND) != 0)
		return false;
	for (unsigned i = 0; i < 2; i++) {
		if (groups[i].rm_so < 0)
			continue;
		groups[i].rm_so += (regoff_t)start;
		groups[i].rm_eo += (regoff_t)start;
	}
	return true;
}

static bool second(size_t offset, size_t first_line, struct ps_place_fault *fault)
{
	place_fault(fault, offset, "two-places", "the pattern fits here a second time; the first is in line %zu",
		    first_line);
	return place_fault_hint(fault, "make it longer, so that it fits one place only");
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The number in the first group. */
static bool number(const char *text, size_t size, const regmatch_t *groups, struct ps_spot *place,
		   struct ps_place_fault *fault)
{
	size_t offset = (size_t)groups[1].rm_so, length = (size_t)(groups[1].rm_eo - groups[1].rm_so);

	if (groups[1].rm_so < 0)
		return place_fault(fault, (size_t)groups[0].rm_so, "no-port",
				   "the pattern fits without its first group");
	if (length == 0)
		return place_fault(fault, offset, "no-port", "the pattern's first group is empty here");
	if (length > DIGITS_MAX || strspn(text + offset, "0123456789") < length)
		return place_fault(fault, offset, "no-port", "`%.*s`, the pattern's first group, is no port",
				   (int)(length > 60 ? 60 : length), text + offset);
	if ((offset > 0 && is_digit(text[offset - 1])) || (offset + length < size && is_digit(text[offset + length]))) {
		place_fault(fault, offset, "no-port", "`%.*s`, the pattern's first group, is only a part of the number",
			    (int)length, text + offset);
		return place_fault_hint(fault, "let it fit all digits: ([0-9]+)");
	}
	*place = (struct ps_spot){ offset, length };
	return true;
}

static bool search(const regex_t *regex, const char *text, size_t size, struct ps_spot *place,
		   struct ps_place_fault *fault)
{
	regmatch_t groups[2], again[2];
	size_t line = 0, found = 0;

	for (size_t start = 0, next; start < size; start = next) {
		const char *newline = memchr(text + start, '\n', size - start);
		size_t end = newline ? (size_t)(newline - text) : size;

		next = newline ? end + 1 : size;
		line++;
		if (end > start && text[end - 1] == '\r')
			end--;
		if (end - start > LINE_MAX_BYTES || !match(regex, text, start, end, 0, again))
			continue;
		if (found)
			return second((size_t)again[0].rm_so, found, fault);
		found = line;
		memcpy(groups, again, sizeof(groups));
		if (groups[0].rm_eo > groups[0].rm_so && (size_t)groups[0].rm_eo < end &&
		    match(regex, text, (size_t)groups[0].rm_eo, end, REG_NOTBOL, again) &&
		    again[0].rm_eo > again[0].rm_so)
			return second((size_t)again[0].rm_so, found, fault);
	}
	if (!found)
		return place_fault(fault, 0, "no-place", "no line fits the pattern");
	return number(text, size, groups, place, fault);
}

bool place_text_find(const char *text, size_t size, const char *pattern, struct ps_spot *place,
		     struct ps_place_fault *fault)
{
	regex_t regex;
	char why[128];
	int code = regcomp(&regex, pattern, REG_EXTENDED);
	bool good;

	if (code) {
		regerror(code, &regex, why, sizeof(why));
		return place_fault(fault, 0, "bad-place", "the pattern is wrong: %s", why);
	}
	good = search(&regex, text, size, place, fault);
	regfree(&regex);
	return good;
}
