/*
 * idiom.h - a hardcoded port becomes one that is read from the environment: the way of each language.
 *
 * Pure functions of a text: nothing is opened. What is to be replaced are splices on the text as it is; what must stay,
 * and why, is a reason.
 */
#ifndef PORTSHIM_FIX_IDIOM_H
#define PORTSHIM_FIX_IDIOM_H

#include "code.h"

/* Why a port is left as it is. */
enum ps_fix_reason {
	PS_FIX_DONE, /* it is not: it is rewritten */
	/* by what it is */
	PS_FIX_UNDECLARED,
	PS_FIX_LIKELY,
	PS_FIX_DEFAULT,
	PS_FIX_ELSEWHERE,
	PS_FIX_EXTERNAL,
	PS_FIX_SEVERAL,
	PS_FIX_NOT_FIRST,
	PS_FIX_NO_NAME,
	PS_FIX_OTHER_SERVICE,
	/* by the file */
	PS_FIX_CONFIGURATION,
	PS_FIX_LANGUAGE,
	PS_FIX_TEST,
	PS_FIX_BROWSER,
	PS_FIX_NOT_NODE,
	PS_FIX_UNCLEAR,
	PS_FIX_TAKEN,
	PS_FIX_BUILD,
	/* by the place in it */
	PS_FIX_PLACE,
	PS_FIX_CONSTANT,
	PS_FIX_TYPE,
	PS_FIX_SINGLE_QUOTED,
	PS_FIX_STRING,
	PS_FIX_INTERPOLATION,
	PS_FIX_SETS,
	PS_FIX_COUNT,
};

/* "undeclared", and "no service has this port". */
const char *fix_reason_name(enum ps_fix_reason reason);
const char *fix_reason_text(enum ps_fix_reason reason);

/* The variable that is to be read. */
struct ps_fix_variable {
	const char *name;
	uint32_t url; /* the first bytes of the string that it stands for, "http://localhost:3000"; 0: the number */
};

struct ps_fix_splice {
	uint32_t offset, length;
	char *text;
};

struct ps_fix_splices {
	struct ps_fix_splice *list; /* in no order; none overlaps another, but for equal ones */
	size_t count, room;
	bool failed; /* out of memory */
};

/* A file that is being rewritten. */
struct ps_fixing {
	struct ps_code code; /* not of a shell script */
	const char *path;
	const char *text;
	uint32_t size;
	enum ps_language language;
	const struct ps_port_use *uses; /* all of them, by offset */
	size_t use_count;
	enum ps_fix_reason refused; /* PS_FIX_DONE: the file may be rewritten */
	struct ps_fix_splices splices;
	unsigned needs;   /* what the splices need beyond their places: see each language */
	bool old;         /* JavaScript of before 2015, Python that has no f-strings for certain */
	unsigned helped;  /* Go: bits of `needs` that the package has already */
	size_t package;   /* package.c: its number */
	bool unhelped;    /* Go: this file cannot have them for the package */
	size_t listened;  /* variable.c: how many services listen in it, or SIZE_MAX: not counted yet */
	const char *only; /* one of those */
};

/* True if there is a way for files of this name in this language. */
bool fix_language(enum ps_language language, const char *path);

/* Tests, examples and fixtures have their numbers on purpose. */
bool fix_is_test(const char *path);
/* True for a format that `portshim sync` keeps, and that cannot read the environment. */
bool fix_is_configuration(enum ps_language language);

/* Looks at a file with its ports; fixing->refused says if nothing in it can be changed. 0 or -ENOMEM; fix_end in any
 * case. */
int fix_start(struct ps_fixing *fixing, enum ps_language language, const char *path, const char *text, size_t size,
	      const struct ps_port_use *uses, size_t use_count);

/* Rewrites one of them. */
enum ps_fix_reason fix_use(struct ps_fixing *fixing, const struct ps_port_use *use,
			   const struct ps_fix_variable *variable);

/* Adds what they need together: `import os`. */
void fix_finish(struct ps_fixing *fixing);
/* What the text becomes, malloc'ed with a NUL behind; NULL if memory ran out. */
char *fix_result(struct ps_fixing *fixing, size_t *size);
void fix_end(struct ps_fixing *fixing);

/* True if the port is of a server that the file itself starts: by its call, or by the name whose value it is. */
bool fix_listens(const struct ps_fixing *fixing, const struct ps_port_use *use);

/* The name whose value the port is, or CODE_NONE: `PORT` of `const PORT = 3000`. */
uint32_t fix_assigned(const struct ps_fixing *fixing, const struct ps_port_use *use);

/* ---- what the languages share (idiom.c) ---- */

/* Adds a splice; the text is made by a format. */
void fix_splice(struct ps_fixing *fixing, uint32_t offset, uint32_t length, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* A language: how a number and a string are read, how a string takes a value in, and where an expression can stand. */
struct ps_fix_idiom {
	/* \1 the variable, \2 the digits, \3 the string's default in quotes, \4 the quote of the file */
	const char *number, *string;
	bool loose; /* `string` needs brackets among other operators */
	char join;  /* '`' a template, 'f' an f-string, '#' #{...} in double quotes, '+' and '.' concatenate */
	enum ps_fix_reason (*file)(struct ps_fixing *fixing);
	/* Can an expression stand in the place of this token, a number or a string? `whole`: all of the string. */
	enum ps_fix_reason (*place)(const struct ps_fixing *fixing, uint32_t token, bool whole);
	void (*finish)(struct ps_fixing *fixing);
};

extern const struct ps_fix_idiom fix_javascript, fix_python, fix_ruby, fix_php, fix_go, fix_java, fix_elixir;

/* Go: what needs beyond its place (`needs`, `helped`), and " + " or "+", as gofmt would have it there. */
enum { FIX_GO_STRING = 1u << 0, FIX_GO_PORT = 1u << 1 };
const char *fix_go_plus(const struct ps_fixing *fixing, uint32_t token);
/* True if a plain int or string is certain to fit where the literal stands (go_type.c). */
bool fix_go_takes(const struct ps_code *code, uint32_t token);
/* Which of the two functions a file declares in the form that is needed; *taken: another thing of such a name. */
unsigned fix_go_declared(const char *text, size_t size, bool *taken);
/* True if not every build of the package has the file. */
bool fix_go_constrained(const char *path, const char *text, size_t size);

/* The shell has no tokens that would be of use (shell.c). */
enum ps_fix_reason fix_shell_file(struct ps_fixing *fixing);
enum ps_fix_reason fix_shell_use(struct ps_fixing *fixing, const struct ps_port_use *use,
				 const struct ps_fix_variable *variable);

/* True if the literal is a default of what is read from the environment. */
bool fix_is_read(const struct ps_fixing *fixing, uint32_t token);

#endif
