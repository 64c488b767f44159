/*
 * program.h - what kind of program a file is, and whether a preloaded library gets into it.
 */
#ifndef PORTSHIM_CLI_PROGRAM_H
#define PORTSHIM_CLI_PROGRAM_H

#include <portshim/scope.h>

enum ps_program_kind {
	PS_PROGRAM_NOT_FOUND,
	PS_PROGRAM_NOT_EXECUTABLE, /* a directory, no permission, no format that the kernel knows, loader missing */
	PS_PROGRAM_GLIBC,          /* dynamic, with the loader of glibc */
	PS_PROGRAM_MUSL,           /* dynamic, with the loader of musl */
	PS_PROGRAM_OTHER_LOADER,   /* dynamic, with a loader that is neither */
	PS_PROGRAM_STATIC,
	PS_PROGRAM_UNREADABLE, /* can be executed, but not be read */
	PS_PROGRAM_FOREIGN, /* for another architecture or word size than portshim's */
};

#define PS_PROGRAM_SCRIPTS 5 /* how many levels of `#!` the kernel follows */

struct ps_program {
	enum ps_program_kind kind;
	char path[PS_PATH_MAX];                       /* of the file that really runs: the interpreter of a script */
	char script[PS_PROGRAM_SCRIPTS][PS_PATH_MAX]; /* the scripts on the way to it, outermost first */
	unsigned script_count;
	char loader[PS_PATH_MAX]; /* PT_INTERP, or "" */
	char problem[256];        /* why it is not found, not executable or foreign */
	bool shell;               /* what runs is a shell or env: the programs that it starts matter more */
	bool go;                  /* built by the Go toolchain */
	bool setid;               /* runs with another user's or group's rights */
	bool capabilities;        /* has file capabilities */
	bool barred;              /* has such a file, but no_new_privs is in force, so that it gets neither */
	bool compat;              /* foreign, but this kernel runs it: 32 bits of the same family */
	bool io_uring;            /* names liburing as a library that it needs */
};

/* Looks at a program as execvp(3) would find it. */
void program_read(struct ps_program *program, const char *name);

/* True if the dynamic loader will load what LD_PRELOAD names. (Go makes its system calls past it all the same.) */
bool program_preloads(const struct ps_program *program);

#endif
