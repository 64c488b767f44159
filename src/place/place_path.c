/*
 * place_path.c - a path, part by part.
 */
#include "place_path.h"

#include <string.h>

#define INDEX_DIGITS 6

static struct ps_part bad(void)
{
	return (struct ps_part){ .kind = PS_PART_BAD };
}

/* ['KEY'], from the first quote on; *at behind the bracket. */
static struct ps_part quoted(const char **at)
{
	const char *start = *at + 1, *p = start;

	for (;; p++) {
		if (*p == '\0')
			return bad();
		if (*p == '\'' && p[1] == '\'')
			p++;
		else if (*p == '\'')
			break;
	}
	if (p == start || p[1] != ']')
		return bad();
	*at = p + 2;
	return (struct ps_part){ .kind = PS_PART_KEY, .name = start, .length = (size_t)(p - start), .quoted = true };
}

/* [N] or [KEY=VALUE], from behind the bracket on. */
static struct ps_part bracket(const char **at)
{
	const char *start = *at, *end = strchr(start, ']'), *equals;
	struct ps_part part = { .kind = PS_PART_INDEX };

	if (*start == '\'')
		return quoted(at);
	if (!end || end == start)
		return bad();
	*at = end + 1;
	if (strspn(start, "0123456789") == (size_t)(end - start)) {
		if (end - start > INDEX_DIGITS)
			return bad();
		for (const char *p = start; p < end; p++)
			part.index = part.index * 10 + (size_t)(*p - '0');
		return part;
	}
	equals = memchr(start, '=', (size_t)(end - start));
	if (!equals || equals == start || memchr(start, '[', (size_t)(end - start)))
		return bad();
	return (struct ps_part){ .kind = PS_PART_WHERE,
				 .name = start,
				 .length = (size_t)(equals - start),
				 .value = equals + 1,
				 .value_length = (size_t)(end - equals - 1) };
}

struct ps_part place_path_next(const char *path, const char **at)
{
	const char *p = *at;
	struct ps_part part;

	if (*p == '\0')
		return (struct ps_part){ .kind = p == path ? PS_PART_BAD : PS_PART_END };
	if (*p == '[') {
		p++;
		part = bracket(&p);
	} else {
		if (p != path && *p++ != '.')
			return bad();
		part = (struct ps_part){ .kind = PS_PART_KEY, .name = p, .length = strcspn(p, ".[]") };
		p += part.length;
		if (part.length == 0 || *p == ']')
			return bad();
	}
	if (part.kind != PS_PART_BAD)
		*at = p;
	return part;
}

bool place_path_name(const struct ps_part *part, char *name, size_t size, size_t *length)
{
	*length = 0;
	for (const char *p = part->name; p < part->name + part->length; p++) {
		if (*length + 1 >= size)
			return false;
		name[(*length)++] = *p;
		if (part->quoted && *p == '\'')
			p++;
	}
	name[*length] = '\0';
	return true;
}

bool place_path_is(const struct ps_part *part, const char *key)
{
	const char *p = part->name, *end = p + part->length;

	for (; p < end && *key; p++, key++) {
		if (*p != *key)
			return false;
		if (part->quoted && *p == '\'')
			p++;
	}
	return p >= end && *key == '\0';
}
