/*
 * launch.h - what `run` and `exec` share: from the command line to a run that a program can be started in.
 */
#ifndef PORTSHIM_CLI_LAUNCH_H
#define PORTSHIM_CLI_LAUNCH_H

#include <portshim/space.h>

#include "filter.h"
#include "options.h"
#include "project.h"

struct ps_launch_options {
	struct ps_project_options project;
	const char *service;         /* --service: whose environment variables are set, or NULL */
	const char *strategy;        /* --strategy, or NULL for the manifest's */
	struct ps_option_list allow; /* --allow: names of environments whose servers may be reached */
	bool strict, quiet, verbose;
	bool keeper;                 /* set before launch_parse: there will be one, so that there can be a filter */
	const char *static_mode;     /* --static, or NULL */
	bool io_uring;               /* --allow-io-uring */
};

struct ps_launch {
	struct ps_project project;
	struct ps_plan *plan;                /* malloc'ed, NULL for none */
	char runtime[PS_RUNTIME_MAX];
	char library[PS_PATH_MAX];           /* as LD_PRELOAD can name it */
	char run_path[PS_RUNTIME_MAX + 16];  /* what PORTSHIM_RUN says */
	uint32_t env;                        /* the environment's id */
	struct ps_space space;               /* everything of the run, mapped */
	struct ps_filter filter;
	bool active;                         /* false: portshim cannot do its work, the program runs as without it */
};

/* Takes the options of run or exec out of the command line. False if the command ends here with *code. */
bool launch_parse(const struct ps_command *command, struct ps_launch_options *options, int *argc, char ***argv,
		  int *code);

/* Makes the run and sets the environment variables that the program needs in this process. `flags` are PS_SCOPE_* of
 * the run. Where portshim cannot do its work: with --strict an error, else one line on stderr and `active` stays false.
 * Returns 0 or the error's code. */
int launch_prepare(struct ps_launch *launch, const struct ps_launch_options *options, uint32_t flags, char *const *argv,
		   struct ps_error *error);

/* Undoes the run of a program that could not be started, or that is over and has left nothing. */
void launch_cancel(struct ps_launch *launch);
void launch_free(struct ps_launch *launch);

/* Why `program` could not be executed, with the exit code that shells use: 127 not found, 126 otherwise. */
int launch_exec_error(const char *program, int number, struct ps_error *error);

/* Descriptors 0 to 2 that are closed get /dev/null, marked close-on-exec: nothing that portshim opens can then become a
 * stdin or stderr, and the program still finds them closed. */
void launch_guard_standard(void);

#endif
