/*
 * fix.h - the hardcoded ports of a project's code, each with the variable that it is to be read from.
 *
 *	struct ps_fix fix = { 0 };
 *
 *	if (!fix_look(&fix, &options, &error))
 *		...	fix.places, and the splices in fix.edit
 *	fix_free(&fix);
 */
#ifndef PORTSHIM_FIX_FIX_H
#define PORTSHIM_FIX_FIX_H

#include "../cli/manifest.h"
#include "../edit/edit.h"
#include "idiom.h"

/* A port in a file. */
struct ps_fix_place {
	char *file; /* from the project's directory on */
	struct ps_port_use use;
	enum ps_fix_reason reason; /* PS_FIX_DONE: it is rewritten, or would be */
	const char *service;       /* or NULL */
	const char *variable;      /* of PS_FIX_DONE */
	bool given;                /* the manifest gives the variable to the program */
	bool own;                  /* to the service's own process only */
	bool listed;               /* the service's "env" is an array */
};

/* The manifest under one profile. */
struct ps_fix_view {
	struct ps_manifest *manifest;
	const char *profile; /* or NULL */
};

/* A package of Go. */
struct ps_fix_package {
	char *key;
	unsigned has; /* functions that read the environment */
	bool taken;   /* others of their names */
};

struct ps_fix {
	struct ps_edit edit;
	char manifest[PS_PATH_MAX]; /* "" without one */
	struct ps_fix_view *views;  /* without a profile first */
	size_t view_count;
	struct ps_fix_place *places; /* by file, then offset */
	size_t count, room;
	size_t files; /* that were looked at */
	char **names; /* of variables; what places point to */
	size_t name_count;
	struct ps_fix_package *packages;
	size_t package_count;
};

struct ps_fix_options {
	char **operands; /* directories and files, NULL behind the last; none: the whole project */
	const char *manifest;
	const char *const *services; /* only these */
	size_t service_count;
	bool tests, undeclared;
	bool applies; /* edit_turn */
};

/* Looks at the files. 0 or the error's code; fix_free in any case. */
int fix_look(struct ps_fix *fix, const struct ps_fix_options *options, struct ps_error *error);
void fix_free(struct ps_fix *fix);

/* ---- which variable (variable.c) ---- */

struct ps_fix_choice {
	struct ps_fix_variable variable; /* the name is the fix's */
	const char *service;             /* or NULL */
	bool given, own, listed;         /* as in a place */
};

/* The variable for a port of a file. A reason other than PS_FIX_DONE: there is none. */
enum ps_fix_reason fix_choose(struct ps_fix *fix, struct ps_fixing *fixing, const struct ps_port_use *use,
			      bool undeclared, struct ps_fix_choice *choice);

/* Keeps a name; the same one for the same text. NULL if memory ran out. */
const char *fix_name(struct ps_fix *fix, const char *name);

/* Go: before and after a file is rewritten (package.c). False if memory ran out. */
bool fix_package_start(struct ps_fix *fix, struct ps_fixing *fixing);
void fix_package_end(struct ps_fix *fix, const struct ps_fixing *fixing);

#endif
