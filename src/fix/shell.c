/*
 * shell.c - shell scripts: ${PORT:-3000}.
 *
 * Theory of operation: what a character means depends on the quotes around it, and nothing else is needed. So a script
 * is read once, from the beginning, with a stack of what is open: "...", $(...), ${...}, `...`, (...). Single quotes,
 * comments and here documents are passed over as wholes. A digit whose surroundings are the script itself, a command
 * substitution or double quotes can be replaced; inside of ${...}, `...`, single quotes and here documents nothing is.
 * A script whose brackets do not match, or which has `case` inside of $(...), is not understood.
 *
 * Outside of quotes the expansion gets its own, or the word as a whole does: "${PORT:-3000}" is one word in any case,
 * also when the variable is empty or has a space. On the right side of an assignment it is one word anyway.
 */
#include <string.h>

#include "../inventory/words.h"
#include "idiom.h"

enum open { SCRIPT, DOUBLE, COMMAND, GROUP, PARAMETER, ARITHMETIC, BACKQUOTE };

#define DEPTH 128

struct shell {
	const char *text;
	uint32_t size, at;
	uint8_t stack[DEPTH]; /* enum open */
	unsigned depth;
	uint32_t words[DEPTH];    /* where the word begins, outside of quotes, at each depth */
	bool assigns[DEPTH];      /* that word is NAME=... */
	uint32_t commands[DEPTH]; /* where the command begins */
	struct {
		uint32_t from, length;
		bool tabs;
	} documents[8];
	unsigned document_count;
	bool bad;
};

/* What a place is in. */
struct spot {
	enum ps_fix_reason reason; /* PS_FIX_DONE: it can be replaced */
	bool quoted, assigns;
	uint32_t word, command; /* where they begin */
};

static enum open top(const struct shell *s)
{
	return (enum open)s->stack[s->depth];
}

static char at(const struct shell *s, uint32_t offset)
{
	return offset < s->size ? s->text[offset] : '\0';
}

static void push(struct shell *s, enum open open, uint32_t length)
{
	s->at += length;
	if (s->depth + 1 >= DEPTH) {
		s->bad = true;
		return;
	}
	s->stack[++s->depth] = (uint8_t)open;
	s->commands[s->depth] = open == COMMAND || open == GROUP ? s->at : s->commands[s->depth - 1];
	s->words[s->depth] = s->at;
	s->assigns[s->depth] = false;
}

static void pop(struct shell *s, uint32_t length)
{
	s->depth--;
	s->at += length;
}

static bool is_script(enum open open)
{
	return open == SCRIPT || open == COMMAND || open == GROUP;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool ends_word(char c)
{
	return is_space(c) || c == '\0' || strchr(";&|()<>", c);
}

/* To behind the closing quote. */
static void skip_single(struct shell *s, bool escapes)
{
	for (s->at++; s->at < s->size && s->text[s->at] != '\''; s->at++)
		if (escapes && s->text[s->at] == '\\')
			s->at++;
	if (s->at >= s->size)
		s->bad = true;
	s->at++;
}

/* After `<<`: the word that ends it. */
static void note_document(struct shell *s)
{
	unsigned n = s->document_count;
	uint32_t from;

	s->at += 2;
	if (n == sizeof(s->documents) / sizeof(s->documents[0])) {
		s->bad = true;
		return;
	}
	s->documents[n].tabs = at(s, s->at) == '-';
	s->at += s->documents[n].tabs;
	while (at(s, s->at) == ' ' || at(s, s->at) == '\t')
		s->at++;
	if (at(s, s->at) == '\\' || at(s, s->at) == '"' || at(s, s->at) == '\'')
		s->at++;
	from = s->at;
	while (lex_is_name(at(s, s->at)) || at(s, s->at) == '-' || at(s, s->at) == '.')
		s->at++;
	s->documents[n].from = from;
	s->documents[n].length = s->at - from;
	s->document_count++;
	if (at(s, s->at) == '"' || at(s, s->at) == '\'')
		s->at++;
	else if (s->at == from || !ends_word(at(s, s->at)))
		s->bad = true;
}

/* At the beginning of the line behind one with `<<`. */
static void skip_documents(struct shell *s)
{
	for (unsigned i = 0; i < s->document_count; i++) {
		bool found = false;

		while (s->at < s->size && !found) {
			const char *end = memchr(s->text + s->at, '\n', s->size - s->at);
			uint32_t until = end ? (uint32_t)(end - s->text) : s->size, from = s->at, length;

			while (s->documents[i].tabs && from < until && s->text[from] == '\t')
				from++;
			length = until - from;
			if (length && s->text[until - 1] == '\r')
				length--;
			found = length == s->documents[i].length &&
				memcmp(s->text + from, s->text + s->documents[i].from, length) == 0;
			s->at = until < s->size ? until + 1 : until;
		}
		if (!found)
			s->bad = true;
	}
	s->document_count = 0;
}

/* At `$`. */
static void dollar(struct shell *s)
{
	char next = at(s, s->at + 1);

	if (next == '(' && at(s, s->at + 2) == '(')
		push(s, ARITHMETIC, 3);
	else if (next == '(')
		push(s, COMMAND, 2);
	else if (next == '{')
		push(s, PARAMETER, 2);
	else if (next == '\'' && top(s) != DOUBLE) {
		s->at++;
		skip_single(s, true);
	} else
		s->at += next == '$' || next == '#' ? 2 : 1;
}

static bool is_name(const struct shell *s, uint32_t from, uint32_t until)
{
	if (from == until || lex_is_digit(s->text[from]))
		return false;
	while (from < until && lex_is_name(s->text[from]))
		from++;
	return from == until;
}

/* A sign that ends a command: not the & of >&2 and &>. */
static bool ends_command(const struct shell *s, char c)
{
	if (c == '&')
		return at(s, s->at + 1) != '>' && (s->at == 0 || !strchr("<>", s->text[s->at - 1]));
	return c == '\n' || c == ';' || c == '|' || c == '(' || c == ')';
}

/* A character that means something in the script, a command or a group. */
static void step_script(struct shell *s, char c)
{
	if (ends_word(c)) {
		bool group = c == '(' || (c == ')' && top(s) != SCRIPT), ends = !group && ends_command(s, c);

		if (c == '<' && at(s, s->at + 1) == '<' && at(s, s->at + 2) != '<') {
			note_document(s);
		} else if (c == '<' && at(s, s->at + 1) == '<') {
			s->at += 3;
		} else if (c == '(' && at(s, s->at + 1) == '(') {
			push(s, ARITHMETIC, 2);
		} else if (c == '(') {
			push(s, GROUP, 1);
		} else if (c == ')' && top(s) != SCRIPT) {
			pop(s, 1);
		} else {
			s->at++;
			if (c == '\n' && s->document_count)
				skip_documents(s);
		}
		s->words[s->depth] = s->at;
		s->assigns[s->depth] = false;
		if (ends)
			s->commands[s->depth] = s->at;
		return;
	}
	if (c == '#' && s->at == s->words[s->depth]) {
		const char *end = memchr(s->text + s->at, '\n', s->size - s->at);

		s->at = end ? (uint32_t)(end - s->text) : s->size;
		return;
	}
	/* A pattern of `case` closes what it has not opened. */
	if (c == 'c' && s->at == s->words[s->depth] && s->depth && s->size - s->at > 5 &&
	    memcmp(s->text + s->at, "case ", 5) == 0)
		s->bad = true;
	if (c == '=' && is_name(s, s->words[s->depth], s->at))
		s->assigns[s->depth] = true;
	s->at++;
}

static void step_other(struct shell *s, char c)
{
	enum open open = top(s);

	if ((open == DOUBLE && c == '"') || (open == BACKQUOTE && c == '`') || (open == PARAMETER && c == '}'))
		pop(s, 1);
	else if (open == ARITHMETIC && c == ')' && at(s, s->at + 1) == ')')
		pop(s, 2);
	else if (open == ARITHMETIC && c == '(')
		push(s, GROUP, 1);
	else if (open == PARAMETER && c == '\'') {
		/* Inside of double quotes it depends on the operator whether this is a quote. */
		if (s->stack[s->depth - 1] == DOUBLE)
			s->bad = true;
		else
			skip_single(s, false);
	} else if (open == PARAMETER && c == '"')
		push(s, DOUBLE, 1);
	else
		s->at++;
}

static void step(struct shell *s)
{
	char c = s->text[s->at];
	enum open open = top(s);

	if (c == '\\') {
		s->at += 2;
	} else if (c == '$') {
		dollar(s);
	} else if (c == '`' && open != BACKQUOTE) {
		push(s, BACKQUOTE, 1);
	} else if (is_script(open) && c == '"') {
		push(s, DOUBLE, 1);
	} else if (is_script(open) && c == '\'') {
		skip_single(s, false);
	} else if (is_script(open)) {
		step_script(s, c);
	} else {
		step_other(s, c);
	}
}

/* What the stack says about the digits that begin here. */
static struct spot look(const struct shell *s)
{
	struct spot spot = { .word = s->words[s->depth],
			     .command = s->commands[s->depth],
			     .assigns = s->assigns[s->depth],
			     .quoted = top(s) == DOUBLE };

	if (!is_script(top(s)) && top(s) != DOUBLE)
		spot.reason = PS_FIX_INTERPOLATION;
	for (unsigned i = 0; i <= s->depth; i++)
		if (s->stack[i] == PARAMETER || s->stack[i] == BACKQUOTE || s->stack[i] == ARITHMETIC)
			spot.reason = PS_FIX_INTERPOLATION;
	return spot;
}

/* Reads the script up to a place; or to its end, for UINT32_MAX. */
static struct spot read_to(const struct ps_fixing *f, uint32_t offset, bool *bad)
{
	struct shell s = { .text = f->text, .size = f->size };
	struct spot spot = { .reason = PS_FIX_PLACE };

	while (s.at < s.size && !s.bad) {
		uint32_t before = s.at;

		if (s.at == offset) {
			spot = look(&s);
			break;
		}
		step(&s);
		if (before < offset && s.at > offset) { /* passed over as a whole */
			char c = s.text[before];

			spot.reason = c == '\'' || c == '$' ? PS_FIX_SINGLE_QUOTED : PS_FIX_STRING;
			break;
		}
	}
	*bad = s.bad || (offset == UINT32_MAX && s.depth);
	return spot;
}

enum ps_fix_reason fix_shell_file(struct ps_fixing *f)
{
	bool bad;

	read_to(f, UINT32_MAX, &bad);
	return bad ? PS_FIX_UNCLEAR : PS_FIX_DONE;
}

static bool is_plain(char c)
{
	return lex_is_name(c) || (c && strchr(":/.-@%+,", c));
}

/* The next word of a command, with quotes taken for spaces: from *at on, before `until`. False: there is none. */
static bool next_word(const struct ps_fixing *f, uint32_t *at, uint32_t until, const char **word, size_t *length)
{
	uint32_t from = *at;

	while (from < until && (ends_word(f->text[from]) || strchr("\"'`\\", f->text[from])))
		from++;
	*at = from;
	while (*at < until && !ends_word(f->text[*at]) && !strchr("\"'`\\", f->text[*at]))
		++*at;
	*word = f->text + from;
	*length = *at - from;
	return *length > 0;
}

/* -c, -lc */
static bool is_script_option(const char *word, size_t length)
{
	return length > 1 && length < 6 && word[0] == '-' && word[1] != '-' && word[length - 1] == 'c';
}

/* ssh host "curl localhost:3000" is about another host, docker exec about a container, su -c about other variables. */
static enum ps_fix_reason by_command(const struct ps_fixing *f, uint32_t command, uint32_t offset)
{
	static const char remote[] = "ssh autossh sshpass rsh slogin mosh scp rsync vagrant chroot nsenter adb";
	static const char containers[] = "docker podman nerdctl docker-compose podman-compose kubectl oc lxc incus ip "
					 "crictl ctr multipass flatpak heroku fly flyctl";
	bool container = false, user = false, inside = false, published = false;
	const char *word;
	size_t length;

	while (next_word(f, &command, offset, &word, &length)) {
		const char *slash = memrchr(word, '/', length), *name = slash ? slash + 1 : word;
		size_t n = length - (size_t)(name - word);

		if (words_are(name, n, remote) ||
		    (*word == '$' && (memmem(word, length, "ssh", 3) || memmem(word, length, "SSH", 3))))
			return PS_FIX_ELSEWHERE;
		inside = inside || (container && words_are(word, length, "exec run ssh shell"));
		published = (published && command >= offset) || words_are(word, length, "-p --publish") ||
			    (length > 2 && memcmp(word, "-p", 2) == 0) ||
			    (length > 10 && memcmp(word, "--publish=", 10) == 0);
		container = container || words_are(name, n, containers);
		if (user && is_script_option(word, length))
			return PS_FIX_PLACE;
		user = user || words_are(name, n, "su sudo runuser doas");
	}
	return inside && !published ? PS_FIX_ELSEWHERE : PS_FIX_DONE;
}

/* [[ x =~ http://127.0.0.1:3000 ]]: what is in quotes is no pattern. */
static bool is_pattern(const struct ps_fixing *f, uint32_t offset)
{
	uint32_t at = offset;
	bool pattern = false;

	while (at > 0 && (f->text[at - 1] != '\n' || (at > 1 && f->text[at - 2] == '\\')))
		at--;
	for (; at + 3 < offset; at++) {
		if (!is_space(f->text[at]))
			continue;
		if (f->text[at + 1] == '=' && f->text[at + 2] == '~')
			pattern = true;
		else if (f->text[at + 1] == ']' && f->text[at + 2] == ']' && ends_word(f->text[at + 3]))
			pattern = false;
	}
	return pattern;
}

enum ps_fix_reason fix_shell_use(struct ps_fixing *f, const struct ps_port_use *use, const struct ps_fix_variable *v)
{
	uint32_t from = use->offset, until = from + use->length, word_end = until;
	bool bad, plain = true;
	struct spot spot = read_to(f, from, &bad);
	const char *digits = f->text + from;
	int length = (int)use->length;

	if (bad)
		return PS_FIX_UNCLEAR;
	if (spot.reason)
		return spot.reason;
	spot.reason = by_command(f, spot.command, from);
	if (!spot.reason && is_pattern(f, from))
		spot.reason = PS_FIX_PLACE;
	if (spot.reason)
		return spot.reason;
	if (v->url) { /* only the number can be told apart in a word */
		return PS_FIX_NO_NAME;
	}
	if (spot.quoted || spot.assigns) {
		fix_splice(f, from, use->length, "${%s:-%.*s}", v->name, length, digits);
		return PS_FIX_DONE;
	}
	while (word_end < f->size && !ends_word(f->text[word_end]))
		plain = is_plain(f->text[word_end++]) && plain;
	for (uint32_t i = spot.word; i < from; i++)
		plain = is_plain(f->text[i]) && plain;
	/* A pattern of `case`, the beginning of a range, a word that braces make several of. */
	if ((word_end < f->size && f->text[word_end] == ')' && spot.word == from) ||
	    f->text[from - (from > 0)] == '{' || (until < f->size && strchr(".{}", f->text[until])))
		return PS_FIX_PLACE;
	if (plain && !memchr(f->text + spot.word, '$', word_end - spot.word)) {
		fix_splice(f, spot.word, 0, "\"");
		fix_splice(f, from, use->length, "${%s:-%.*s}", v->name, length, digits);
		fix_splice(f, word_end, 0, "\"");
	} else {
		fix_splice(f, from, use->length, "\"${%s:-%.*s}\"", v->name, length, digits);
	}
	return PS_FIX_DONE;
}
