/*
 * keeper.h - the process that `portshim run` becomes once it has started its program.
 *
 * Nothing depends on it for correctness: the shim records and publishes by itself. The keeper tells, refreshes and
 * tidies.
 */
#ifndef PORTSHIM_KEEPER_H
#define PORTSHIM_KEEPER_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <termios.h>

#include <portshim/want.h>

#include "relay.h"

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

#define PS_STATIC_DEFAULT PS_STATIC_AUTO

/* Is the program started under the filter of src/notify? */
struct ps_keeper_filter {
	enum ps_static mode; /* AUTO: without it, and said so, where the kernel refuses it; ON: not at all then */
	unsigned flags;      /* of notify_filter() */
	bool told;           /* the run around this one has said why there is none */
	int refused;         /* the errno of that refusal; with ON keeper_run() returns it */
};

/* The worker that answers the filter's notifications, and what it and the keeper share. */
struct ps_chain {
	pid_t worker;            /* our child and the program's parent; 0: we are the program's parent */
	bool serving;            /* it was killed, and we answer */
	struct ps_relay *relay;  /* NULL: there is no filter of ours */
	struct ps_notify *notify;
	int listener, program, poked; /* the filter's, a pidfd, an eventfd that the worker writes; -1: none */
	uint32_t news, ended;         /* of the relay, the numbers seen */
};

struct ps_keeper {
	struct ps_space *space; /* NULL: the program runs without portshim, there is only a process to look after */
	bool quiet, verbose;
	struct ps_keeper_filter filter;
	struct ps_chain chain;
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
	struct rlimit files;           /* and of RLIMIT_NOFILE, which a server raises */
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
/* In the process that is to become the program. Returns the errno of execve. */
int start_become(const struct ps_keeper *keeper, bool again);
/* Closes every descriptor from 3 on but for these. -1 stands for none. */
void start_close(const int *held, unsigned count);
/* Descriptors 0 and 1 become /dev/null, and with `all` so does 2. */
void start_silence(bool all);

/* worker.c. Neither returns; both run in a fork of the keeper. */
/* Starts the program, tells by `channel` and the relay how that went, and serves until nobody is left. */
void worker_run(struct ps_keeper *keeper, int channel, bool again) __attribute__((noreturn));
/* Serves in the place of a server that ends some time: `ended`, a pidfd of it, says when. */
void worker_succeed(struct ps_keeper *keeper, int ended) __attribute__((noreturn));

/* chain.c */
#define PS_CHAIN_FDS 3
void chain_init(struct ps_keeper *keeper);
/* Starts the program under the filter, below a worker. 0, or an errno: that of execve, or filter.refused; nothing is
 * left then. */
int chain_start(struct ps_keeper *keeper, bool again);
/* True with a status as of wait(2) if the worker has told that the program was stopped or continued, or has ended. */
bool chain_hear(struct ps_keeper *keeper, int *status);
bool chain_over(const struct ps_keeper *keeper); /* the worker, which there is, has nobody left */
bool chain_hung_up(const struct ps_chain *chain); /* nobody is left under the filter, or there is none */
void chain_lost(struct ps_keeper *keeper);       /* the worker is dead: we are where it was */
void chain_dissolve(struct ps_keeper *keeper);   /* ends the worker, if there is one: the program becomes our child */
/* Sends the program a signal; `info` for one with a value, else NULL. */
void chain_signal(const struct ps_keeper *keeper, int number, siginfo_t *info);
void chain_poll(const struct ps_keeper *keeper, struct pollfd fds[PS_CHAIN_FDS]);
void chain_serve(struct ps_keeper *keeper, const struct pollfd fds[PS_CHAIN_FDS]);
int chain_time_left(const struct ps_keeper *keeper); /* for poll(2) */
void chain_end(struct ps_keeper *keeper);            /* the program is over, and we will be */

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
 * is read, because that uses the canary's note up. `sender`: 0 for the kernel. */
bool canary_heard(struct ps_keeper *keeper, int number, pid_t sender);

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
/* Writes the files that show the server on this port, if it still listens. Like discovery_write(). */
int tidy_draw(struct ps_space *space, uint16_t port);

#endif
