/*
 * world.h - a small world for the tests of races and faults: a network namespace of its own where that is possible, a
 * registry, some environments with a run each, servers and clients in them, and the question whether every record is
 * true.
 */
#ifndef TESTS_RACE_WORLD_H
#define TESTS_RACE_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <portshim/registry.h>

#include "report.h"

#define WORLD_PATH 320

/* An environment and a run in it. */
struct place {
	char directory[WORLD_PATH], discovery[PS_PATH_MAX], run_path[PS_RUNTIME_MAX + 16];
	struct ps_scope *env, *run;
	const struct ps_plan *plan; /* of its runs from now on, or NULL */
};

struct world {
	char base[WORLD_PATH], runtime[PS_RUNTIME_MAX];
	struct ps_host *host;
	struct place *place;
	int places;
};

/* A program of ours that listens, or is about to. */
struct server {
	pid_t pid;
	int place;          /* -1: unmanaged */
	int reports, go, end; /* our ends of its pipes; -1 when it has those of others */
	unsigned protocols;
	struct act_report at;
	uint16_t actual;
};

/* Enters a network namespace of its own with the loopback interface up, where that is possible. */
bool world_own_network(void);

/* Finds the programs and makes the directory of all worlds. False, with a check failed, if that cannot be. */
bool world_start(void);
void world_end(void);

bool world_new(struct world *w, int places);
/* Only the directories: the registry is made by the program that is looked at. */
bool world_empty(struct world *w, int places);
/* Maps what world_empty left to others. */
bool world_map(struct world *w);
void world_free(struct world *w);

/* Makes the run of a place anew; its processes from now on are of that one. */
bool world_new_run(struct world *w, int place);

/* Starts a program (act when argv[0] is "act") with its pipes, in a place or unmanaged (-1). `before`, if not NULL,
 * is called in the child before the exec. */
bool world_spawn(struct world *w, int place, char *const *argv, void (*before)(void), struct server *s);
/* The same with ends that are shared: it reports to `reports`, and waits for the others' end of file. Returns its
 * pid. */
pid_t world_exec(struct world *w, int place, char *const *argv, void (*before)(void), int reports, int go, int end);
/* A pipe whose ends are close-on-exec and above those that act inherits. */
int world_pipe(int ends[2]);
/* The next report. False if none comes in time: it ended or hangs. */
bool world_report(struct server *s, struct act_report *r);
/* Starts `act number:N KIND:PORT listen serve` (no listen for UDP) and waits until it serves. */
bool world_serve(struct world *w, int place, int number, const char *kind, int port, struct server *s);
/* What a client of the place reaches: the server's number, or a negative errno. */
int world_ask(struct world *w, int place, const char *kind, int port);
/* Ends it and waits for it; with `hard`, by SIGKILL. */
void world_stop(struct server *s, bool hard);
void world_forget(struct server *s);

/* Runs a portshim command; its output goes to `text`. Exit status, or -1. */
int world_command(struct world *w, const char *directory, char *const *argv, char *text, size_t size);

/* The actual port of the socket with this inode, as the kernel lists it, or 0. */
uint16_t world_port_of(uint32_t inode);
/* The same for all of these servers, in one look. */
void world_ports(struct server *servers, int count);

/* After a look of `portshim status --all`: the kernel, the host table, the discovery files and the look itself say
 * that the servers are there and nothing else. Writes what is wrong to `why` (empty: nothing). */
bool world_is_true(struct world *w, const struct server *servers, int count, char *why, size_t size);

/* As if some time had gone by, and the root processes of all runs were dead. */
void world_age(struct world *w);

/* After the last look: no record, no claim, no run, no discovery file, nothing temporary; and every
 * lock is free at once. */
bool world_is_clean(struct world *w, char *why, size_t size);

/* True if a discovery file is not there or whole. */
bool world_is_whole(const char *path);

/* A process id that nobody has. */
pid_t world_dead_pid(void);
void world_path(char *to, size_t size, const char *directory, const char *name);
uint64_t world_now_ms(void);

#endif
