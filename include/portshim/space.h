/*
 * space.h - a port space as one process sees it: the host table, its own run, and the scopes around it, all mapped.
 *
 * The runtime directory is the first usable of $PORTSHIM_RUNTIME_DIR, /dev/shm/portshim-UID, $XDG_RUNTIME_DIR/portshim
 * and /tmp/portshim-UID: /dev/shm comes before XDG_RUNTIME_DIR, because all of a user's logins must agree on one. It is
 * the user's own, mode 0700, and has a subdirectory net-COOKIE for each network namespace, because each is a host with
 * ports of its own (not so in $PORTSHIM_RUNTIME_DIR, which is used as it is). Nothing is opened through a symlink, and
 * no file of another owner or version is believed.
 */
#ifndef PORTSHIM_SPACE_H
#define PORTSHIM_SPACE_H

#include <portshim/host.h>
#include <portshim/plan.h>

#define PS_RUNTIME_MAX 256
#define PS_DISCOVERY_NAME "ports.json"
#define PS_RESERVED 64

struct ps_space {
	struct ps_host *host;
	struct ps_scope *run;
	struct ps_scope *scope[PS_CHAIN_MAX + 1]; /* the run, then its chain; `depth` of them */
	uint32_t plan_size[PS_CHAIN_MAX + 1];     /* of each of them when it was mapped: what the file says may change */
	uint32_t depth;
	uint32_t envs[PS_CHAIN_MAX + 1];          /* the different environments among them, own first; `env_count` of them */
	uint32_t env_count;
	struct ps_scope *env;                     /* the run's own environment */
	const struct ps_plan *plan;               /* NULL for none */
	char runtime[PS_RUNTIME_MAX];
	_Atomic uintptr_t reserved[PS_RESERVED]; /* pages that space_reserve found or made good, by page number */
};

/* What the creator of an environment or run says about it. Strings too long for their field fail with ENAMETOOLONG. */
struct ps_scope_spec {
	const char *key;       /* environment only: "dir:/home/u/shop", "name:test"; what makes it this one */
	const char *name;      /* shown */
	const char *project;
	const char *profile;
	const char *directory;
	const char *discovery; /* absolute path of the discovery file */
	uint32_t flags;
	uint32_t chain[PS_CHAIN_MAX]; /* run only: its environment is the first one in it */
	uint64_t root;         /* run only */
	uint64_t pass;         /* run only: space_pass(), or that of the run around it; 0: no filter */
	const void *plan;      /* run only; copied */
	uint32_t plan_size;
};

/* All of these return 0 or a negative errno, and leave the outputs untouched on failure. No function sets errno. */

/* Finds or makes the runtime directory. `directory` holds PS_RUNTIME_MAX bytes; after a failure it names the one that
 * was refused. -EINVAL: PORTSHIM_RUNTIME_DIR is no absolute path. The environment is passed in because a constructor
 * cannot rely on environ. */
int space_runtime(char *directory, char *const *environment);

/* Opens or makes the host table. -EPROTO: made by another version; -EPERM: not the user's own; -EINVAL: not a table;
 * -EXDEV: of another network namespace, whose ports are not ours. */
int space_open_host(const char *runtime, struct ps_host **host);

/* A hash that spreads similar texts over all bits. Pure. */
uint32_t space_hash(const char *text);

/* The id that the environment with this key has, or would get if it were made now: its hash, or the next free number
 * where another environment has that. */
uint32_t space_env_id(const char *runtime, const char *key);

/* Opens the environment with this key if it exists. *id is set in any case, as space_env_id gives it. -ENOENT: there is
 * none. */
int space_find_env(const char *runtime, const char *key, uint32_t *id, struct ps_scope **scope);

/* Opens the environment, making it if it is not there. */
int space_open_env(const char *runtime, const struct ps_scope_spec *spec, struct ps_scope **scope);

/* Makes a run; its file's path (for PORTSHIM_RUN) goes to `path`, which holds PS_RUNTIME_MAX + 16 bytes. */
int space_create_run(const char *runtime, const struct ps_scope_spec *spec, char *path, struct ps_scope **scope);

/* Maps an existing scope by id, read-write. The whole file is mapped: sizeof(struct ps_scope) + plan_size. */
int space_open_scope(const char *runtime, uint32_t id, struct ps_scope **scope);
void space_close_scope(struct ps_scope *scope);
int space_unlink_scope(const char *runtime, uint32_t id);

/* The path of a scope's file; `path` holds PS_RUNTIME_MAX + 16 bytes. */
void space_scope_path(const char *runtime, uint32_t id, char *path);

/* Splits the path of a scope's file into the runtime directory (PS_RUNTIME_MAX bytes) and the id. -EINVAL: it is no
 * such path. */
int space_split(const char *path, char *runtime, uint32_t *id);

/* Opens everything that a process of a run needs, from the path of its run file: space_map, then space_verify. */
int space_open(struct ps_space *space, const char *run_path);

/* The two halves, for a process that may never need the second. space_map gets hold of the files while that is surely
 * possible. space_verify looks into them (-EINVAL, -EPROTO) and at the network namespace (`fd` is a socket of it, or
 * -1): -EXDEV in another than the one whose ports these are. Two threads may verify at once. A space that was not
 * verified may only be closed. */
int space_map(struct ps_space *space, const char *run_path);
int space_verify(struct ps_space *space, int fd);
void space_close(struct ps_space *space);

/* Which file is it that cannot be used? Tries the host table, the scope and the scopes around it. *path, which holds
 * PS_RUNTIME_MAX + 16 bytes, gets the first that is refused, and the result says why; 0: none is, by now. */
int space_culprit(const char *runtime, uint32_t id, char *path);

/* Makes sure that the page at this address of a mapping can be stored to, so that a full file system is an error and
 * not a SIGBUS: madvise(2), MADV_POPULATE_WRITE, Linux 5.14; older kernels are trusted. 0 or a negative errno. */
int space_reserve(struct ps_space *space, const void *address);

/* Tells those who watch a scope's file (inotify, PS_POKED) that something changed. `scope` is mapped. Best effort. */
#define PS_POKED (IN_ATTRIB | IN_MODIFY) /* of <sys/inotify.h> */
void space_poke(const char *runtime, struct ps_scope *scope);

/* Adds an event for the run's keeper and pokes it: this process's, or another's. */
void space_event(struct ps_space *space, enum ps_event_kind kind, uint16_t port, int error);
void space_event_by(struct ps_space *space, int32_t pid, enum ps_event_kind kind, uint16_t port, int error);

/* For events that are told once for each program: true if its name was not among these, and there was a place left,
 * whose number is *place; it has the name now, cut to PS_NAMED_MAX - 1 bytes. */
#define PS_NAMED_MAX 16
bool space_name(_Atomic uint64_t names[PS_NAMED][2], const char *name, uint16_t *place);

/* A new pass (scope.h). */
uint64_t space_pass(void);

#endif
