/*
 * keeper.h - the process that `portshim run` becomes once it has started its program.
 *
 * Nothing depends on it for correctness: the shim records and publishes by itself. The keeper tells, refreshes and
 * tidies.
 */
#ifndef PORTSHIM_KEEPER_H
#define PORTSHIM_KEEPER_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>
#include <termios.h>

#include <portshim/want.h>

#define PS_YIELD_TOLD 64

enum ps_yielding { PS_YIELD_NO, PS_YIELD_ENDING, PS_YIELD_KILLING };

struct ps_yield {
	enum ps_yielding state;
	struct ps_wish wish;
	int64_t deadline;
	int interrupted;           /* the signal that told the run to end meanwhile, 0 for none */
	pid_t told[PS_YIELD_TOLD]; /* children that have got their SIGTERM: the last of them */
	unsigned count, next;
};

enum ps_static { PS_STATIC_OFF, PS_STATIC_AUTO, PS_STATIC_ON };

#define PS_STATIC_DEFAULT PS_STATIC_OFF /* AUTO once keeper_run() starts the filter's worker */

/* Is the program started under the filter of src/notify? */
struct ps_keeper_filter {
	enum ps_static mode; /* AUTO: without it, and said so, where the kernel refuses it; ON: not at all then */
	unsigned flags;      /* of notify_filter() */
	int refused;         /* the errno of that refusal; with ON keeper_run() returns it */
};

struct ps_keeper {
	struct ps_space *space; /* NULL: the program runs without portshim, there is only a process to look after */
	bool quiet, verbose;
	struct ps_keeper_filter filter;
	pid_t child;
	int status;             /* as wait(2) gives it, valid once `ended` */
	bool ended;             /* the program itself is over */
	bool stopped;           /* it is stopped */
	bool alone;             /* no process of the run is left */
	bool reaped;            /* some process of the run has ended since the last look */
	unsigned recorded;      /* assignments of the run that listen */
	bool ever;              /* there has been one */
	int signals, changes;   /* signalfd, inotify */
	pid_t canary;           /* 0: none */
	bool nested;            /* started inside another run */
	bool unforked;          /* there could be no process for the program */
	sigset_t mask;          /* as portshim was started with */
	struct sigaction child_action; /* the same of SIGCHLD */
	uint64_t told[PS_BITMAP_WORDS];    /* actual ports that were announced */
	uint64_t refused[PS_BITMAP_WORDS]; /* ports of refused connects that were told */
	uint32_t events;                   /* of the run's ring, the number seen */
	unsigned kinds;                    /* bit set: this kind of event, which is told once only, was told */
	bool lasting;                      /* some service yields: the program may have to be started again */
	char *const *argv;                 /* only then these */
	int kept[3];                       /* what the program has as descriptors 0 to 2; -1: nothing */
	struct termios terminal;           /* as it was at the start, if one of them is one */
	int tty;                           /* that one, or -1 */
	bool foreground;                   /* our process group had it */
	struct ps_yield yield;
};

/* Runs a program and looks after it until it ends. Returns 0 with its wait status in keeper->status, or the errno
 * of the attempt to execute it; nothing is left then. The caller fills in space, quiet, verbose and filter. */
int keeper_run(struct ps_keeper *keeper, char *const *argv);

/* Ends this process as the program ended: the exit code to return, or death by the same signal. */
int keeper_status(int status);

/* start.c: starts the program with the signal mask, dispositions and descriptors that portshim was started with.
 * 0, or the errno of execve. Afterwards all signals are blocked, and the keeper has let go of the program's files. */
int start_program(struct ps_keeper *keeper, char *const *argv);
/* The same program once more, with the same arguments, mask, descriptors 0 to 2 and terminal. 0 or an errno. */
int start_again_program(struct ps_keeper *keeper);

/* signals.c */
void signals_read(struct ps_keeper *keeper);
/* Collects ended and stopped processes, and stops with the program if the terminal's user stopped it. */
void signals_reap(struct ps_keeper *keeper);
/* The parent of a process, 0 if it cannot be had. */
pid_t signals_parent(pid_t pid);
/* True if the process is ours or descends from us. */
bool signals_inside(pid_t pid);

/* canary.c */
void canary_start(struct ps_keeper *keeper);
void canary_end(struct ps_keeper *keeper);
/* True if a signal that we got was sent to everybody, so that the program has got it too. Asked for each signal that
 * is read, because that uses the canary's note up. `patient`: the answer is worth some milliseconds. */
bool canary_heard(struct ps_keeper *keeper, int number);

/* notices.c: tells on stderr what is new: moved ports, and the run's events. Counts what is recorded. */
void notices_update(struct ps_keeper *keeper);
void notices_unfiltered(struct ps_keeper *keeper);        /* PS_STATIC_AUTO: the kernel refuses the filter, and why */
void notices_yield(struct ps_keeper *keeper);             /* the program will be started again, and for whom */
void notices_failed(struct ps_keeper *keeper, int error); /* it could not be */

/* yield.c */
void yield_look(struct ps_keeper *keeper);               /* does what is to be done now; may start the program again */
int yield_time_left(const struct ps_keeper *keeper);     /* for poll(2): -1 when there is nothing to wait for */
void yield_heard(struct ps_keeper *keeper, int number);  /* a signal that is meant for the program, or that it got as well */
void yield_close(struct ps_keeper *keeper);              /* the run is over: nobody need wait for it */

/* tidy.c */
void tidy_sweep(struct ps_keeper *keeper); /* something ended: the records of its listeners go */
void tidy_beat(struct ps_keeper *keeper);  /* keeps the discovery files of the living fresh */
void tidy_end(struct ps_keeper *keeper);   /* the program is over */
/* Makes the records of a run that may go on true again, and the files that show them. */
void tidy_look(struct ps_space *space);
/* Something of an environment has ended: removes the services' own files of those that listen no more, and draws the
 * environment's file anew, or removes it if nothing listens. */
void tidy_redraw(struct ps_space *space);

#endif
