#include "preload.h"

#include "../core/text.h"

static bool lists(const char *preload, const char *library)
{
	unsigned long n = text_length(library);

	for (; *preload; preload++) {
		unsigned long i = 0;

		while (i < n && preload[i] == library[i])
			i++;
		if (i == n && (preload[n] == '\0' || preload[n] == ':' || preload[n] == ' '))
			return true;
		while (*preload && *preload != ':' && *preload != ' ')
			preload++;
		if (!*preload)
			break;
	}
	return false;
}

/* ---- reading somebody's environment: a bad pointer in it is the kernel's to find (EFAULT) ---- */

#define PAGE 4096 /* the smallest there is: asking more often does no harm */

/* An aligned word is readable as a whole or not at all. */
static bool byte_readable(const char *p)
{
	return readable((const void *)((uintptr_t)p & ~(uintptr_t)7), 8);
}

static bool string_readable(const char *s)
{
	if (!byte_readable(s))
		return false;
	for (; *s; s++)
		if ((uintptr_t)(s + 1) % PAGE == 0 && !byte_readable(s + 1))
			return false;
	return true;
}

/* Entry i of an environment of which the ones before it were read. */
static bool entry_readable(char *const *environment, unsigned i)
{
	uintptr_t at = (uintptr_t)(environment + i) % PAGE;

	return (i > 0 && at >= sizeof(char *) && at <= PAGE - sizeof(char *)) || readable(environment + i, sizeof(char *));
}

#define NAME_MAX_LOOK 16 /* no name that is looked for is longer, with its "=" */

/* As far as the look at its name goes. */
static bool name_readable(const char *variable)
{
	return byte_readable(variable) &&
	       ((uintptr_t)variable % PAGE <= PAGE - NAME_MAX_LOOK || string_readable(variable));
}

/* A run that this process could not use stays the children's for the second path, which may have it. */
static bool replaced(const struct preload *p, const char *variable)
{
	return text_value(variable, "LD_PRELOAD") || (p->from->run && text_value(variable, "PORTSHIM_RUN"));
}

static void compose(struct preload *p, const char *preload)
{
	struct ps_text t = text_start(p->library, sizeof(p->library));

	text_add(&t, "LD_PRELOAD=");
	if (!preload || !lists(preload, p->from->object)) {
		text_add(&t, p->from->object);
		if (preload && *preload)
			text_char(&t, ':');
	}
	if (preload)
		text_add(&t, preload);
	text_end(&t);
	p->needed = !t.cut;
	t = text_start(p->run, sizeof(p->run));
	text_add(&t, p->from->run ? "PORTSHIM_RUN=" : "PORTSHIM=quiet");
	if (p->from->run)
		text_add(&t, p->from->run);
	text_end(&t);
}

void preload_look(struct preload *p, char *const *environment)
{
	const char *preload = NULL, *run = NULL, *value;
	bool off = false;

	p->from = shim_inheritance();
	p->needed = false;
	p->count = 0;
	if (!p->from || !p->from->object)
		return;
	for (; environment; p->count++) {
		const char *variable;

		if (p->count > PRELOAD_ENTRIES || !entry_readable(environment, p->count))
			return;
		variable = environment[p->count];
		if (!variable)
			break;
		if (!name_readable(variable))
			return;
		if (*variable == 'L' && (value = text_value(variable, "LD_PRELOAD")))
			preload = value;
		else if (*variable == 'P' && (value = text_value(variable, "PORTSHIM_RUN")))
			run = value;
		else if (*variable == 'P' && (value = text_value(variable, "PORTSHIM")))
			off = text_equal(value, "off") || text_equal(value, "quiet");
	}
	if (off || (preload && !string_readable(preload)) || (run && !string_readable(run)))
		return;
	/* A nested `portshim run` starts its target with a run of its own: that is not ours to replace. */
	if (run && p->from->run && preload && lists(preload, p->from->object))
		return;
	compose(p, preload);
	if (run && p->from->run) {
		struct ps_text t = text_start(p->run, sizeof(p->run));

		text_add(&t, "PORTSHIM_RUN=");
		text_add(&t, run);
		text_end(&t);
	}
}

void preload_fill(const struct preload *p, char *const *environment, char **to)
{
	for (unsigned i = 0; i < p->count; i++)
		if (!replaced(p, environment[i]))
			*to++ = environment[i];
	*to++ = (char *)p->library;
	*to++ = (char *)p->run;
	*to = NULL;
}
