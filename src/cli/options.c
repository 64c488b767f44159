/*
 * options.c - one small parser for every command.
 *
 * Theory of operation: getopt_long(3) would accept abbreviations, which makes every new option a break of old
 * scripts, and its messages neither suggest nor name the command. This one knows `--name VALUE`, `--name=VALUE`,
 * `--flag`, letters (also several in one word), `-h`, `--help` and `--`. Operands may stand between options, unless
 * the rest of the line belongs to another program. argv is reordered in place; nothing is copied.
 */
#include "options.h"

#include <stdio.h>
#include <string.h>

#define OPTIONS_MAX 32

struct parser {
	const struct ps_command *command;
	const struct ps_option *options;
	char **argv;
	int argc;
	int at; /* the word being looked at */
	int code;
};

static bool fail(struct parser *p, int code)
{
	p->code = code;
	return false;
}

static bool help(struct parser *p)
{
	fputs(p->command->help, stdout);
	return fail(p, PS_EXIT_YES);
}

static bool unknown(struct parser *p, const char *word, size_t length)
{
	const char *names[OPTIONS_MAX], *near;
	char name[64];
	unsigned count = 0;

	names[count++] = "help";
	for (const struct ps_option *o = p->options; o->name && count < OPTIONS_MAX; o++)
		names[count++] = o->name;
	snprintf(name, sizeof(name), "%.*s", (int)length, word);
	near = error_suggest(name, names, count);
	if (near)
		return fail(p, command_usage(p->command, "there is no option --%s; did you mean --%s?", name, near));
	return fail(p, command_usage(p->command, "there is no option --%s", name));
}

static bool store(struct parser *p, const struct ps_option *o, const char *value)
{
	if (o->value) {
		*o->value = value;
		return true;
	}
	if (o->list->count == PS_OPTION_LIST_MAX)
		return fail(p, command_usage(p->command, "--%s is given more than %d times", o->name,
					     PS_OPTION_LIST_MAX));
	o->list->value[o->list->count++] = value;
	return true;
}

/* The value that follows in the next word. */
static bool store_next(struct parser *p, const struct ps_option *o)
{
	if (p->at + 1 >= p->argc)
		return fail(p,
			    command_usage(p->command, "--%s needs a value: --%s %s", o->name, o->name, o->argument));
	return store(p, o, p->argv[++p->at]);
}

static bool parse_long(struct parser *p, const char *word)
{
	const char *equals = strchr(word, '=');
	size_t length = equals ? (size_t)(equals - word) : strlen(word);
	const struct ps_option *o;

	for (o = p->options; o->name; o++)
		if (strlen(o->name) == length && memcmp(o->name, word, length) == 0)
			break;
	if (!o->name) {
		if (length == 4 && memcmp(word, "help", 4) == 0)
			return equals ? fail(p, command_usage(p->command, "--help takes no value")) : help(p);
		return unknown(p, word, length);
	}
	if (o->flag) {
		if (equals)
			return fail(p, command_usage(p->command, "--%s takes no value", o->name));
		*o->flag = true;
		return true;
	}
	return equals ? store(p, o, equals + 1) : store_next(p, o);
}

static bool parse_letters(struct parser *p, const char *letters)
{
	for (; *letters; letters++) {
		const struct ps_option *o;

		for (o = p->options; o->name; o++)
			if (o->letter == *letters)
				break;
		if (!o->name) {
			if (*letters == 'h')
				return help(p);
			return fail(p, command_usage(p->command, "there is no option -%c", *letters));
		}
		if (!o->flag)
			return letters[1] ? store(p, o, letters + 1) : store_next(p, o);
		*o->flag = true;
	}
	return true;
}

bool options_parse(const struct ps_command *command, const struct ps_option *options, unsigned mode, int *argc,
		   char ***argv, int *code)
{
	struct parser p = {.command = command, .options = options, .argv = *argv, .argc = *argc};
	int operands = 1;

	for (p.at = 1; p.at < p.argc; p.at++) {
		char *word = p.argv[p.at];

		if (strcmp(word, "--") == 0) {
			p.at++;
			break;
		}
		if (word[0] == '-' && word[1] == '-') {
			if (!parse_long(&p, word + 2))
				goto end;
		} else if (word[0] == '-' && word[1]) {
			if (!parse_letters(&p, word + 1))
				goto end;
		} else if (mode & PS_OPTIONS_STOP) {
			break;
		} else {
			p.argv[operands++] = word;
		}
	}
	while (p.at < p.argc)
		p.argv[operands++] = p.argv[p.at++];
	p.argv[operands] = NULL;
	*argv = p.argv + 1;
	*argc = operands - 1;
	return true;
end:
	*code = p.code;
	return false;
}
