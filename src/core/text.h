/*
 * text.h - building short strings in a buffer of the caller's, without stdio and without allocation.
 *
 * What does not fit is cut, and `cut` says so. The text is NUL-terminated by text_end().
 */
#ifndef PORTSHIM_CORE_TEXT_H
#define PORTSHIM_CORE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

struct ps_text {
	char *start, *at, *end; /* `end` leaves room for the NUL */
	bool cut;
};

static inline struct ps_text text_start(char *buffer, unsigned long size)
{
	return (struct ps_text){buffer, buffer, buffer + size - 1, false};
}

static inline void text_char(struct ps_text *t, char c)
{
	if (t->at < t->end)
		*t->at++ = c;
	else
		t->cut = true;
}

static inline void text_add(struct ps_text *t, const char *s)
{
	char *at = t->at; /* a byte stored might be one of t->at, as far as the compiler knows */

	while (*s && at < t->end)
		*at++ = *s++;
	t->at = at;
	t->cut |= *s != '\0';
}

static inline void text_number(struct ps_text *t, uint64_t n)
{
	char digits[20];
	unsigned count = 0;

	do {
		digits[count++] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	while (count)
		text_char(t, digits[--count]);
}

static inline void text_hex(struct ps_text *t, uint32_t n, unsigned digits)
{
	while (digits--)
		text_char(t, "0123456789abcdef"[n >> (digits * 4) & 15]);
}

static inline unsigned long text_end(struct ps_text *t)
{
	*t->at = '\0';
	return (unsigned long)(t->at - t->start);
}

static inline unsigned long text_length(const char *s)
{
	unsigned long n = 0;

	while (s[n])
		n++;
	return n;
}

/* Copies into a field of fixed size; false if it had to be cut. */
static inline bool text_copy(char *to, unsigned long size, const char *from)
{
	struct ps_text t = text_start(to, size);

	text_add(&t, from);
	text_end(&t);
	return !t.cut;
}

static inline bool text_equal(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

/* What a variable of an environment ("NAME=value") says if it has this name, else NULL. */
static inline const char *text_value(const char *variable, const char *name)
{
	while (*name && *variable == *name)
		variable++, name++;
	return *name == '\0' && *variable == '=' ? variable + 1 : 0;
}

#endif
