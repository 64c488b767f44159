/*
 * Theory of operation
 *
 * The constructor finds the real functions and maps the space that PORTSHIM_RUN names. Another library's constructor
 * may call a hook before ours runs: then that call does the work. There is one initialiser; whoever comes while it
 * works, also the initialiser itself through dlsym and an interposed allocator, is passed through and never waits.
 *
 * Nothing is kept but the mappings and this file's variables, so fork needs no handler and closing every descriptor
 * does no harm. After init the variables are only read, with one exception: a process that was preloaded by hand,
 * without `portshim`, makes its run with the first call that needs it, because most processes never make such a call.
 *
 * When the registry cannot be used the library does nothing, one line says why, and children are told to keep quiet
 * (PORTSHIM=quiet; only `off` is for the second path as well, whose worker may have the registry all the same). With
 * --strict the process ends with exit code 125 instead.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include <portshim/call.h>
#include <portshim/process.h>

#include "shim.h"

#include "../core/sys.h"
#include "../core/text.h"

extern char **environ __attribute__((weak));

/*
 * NEW -> WORKING -> MAPPED -> READY   started by `portshim`: the first call verifies
 *                -> BARE -> WORKING -> READY   preloaded by hand
 *                -> READY   inert
 *                   READY -> JUDGING   not all sockets are ours: every call asks its own
 */
enum stage { STAGE_NEW, STAGE_WORKING, STAGE_BARE, STAGE_MAPPED, STAGE_READY, STAGE_JUDGING };

static _Atomic int stage;
struct ps_caller *_Atomic shim_active;
static struct ps_space space_memory;
static struct ps_direct direct;
static struct ps_caller this_process = {.space = &space_memory, .calls = &shim_calls, .direct = &direct};
static char run_path[PS_RUNTIME_MAX + 16];
static char library_path[PS_PATH_MAX];
static struct shim_inheritance inheritance;
static bool inherit;
static bool strict; /* verify() needs it */
static bool abroad; /* the first call came from another network namespace than the run's */
static _Atomic bool wanders; /* has sockets in several network namespaces */
static _Atomic bool mingles; /* has sockets of several protocols' numbers */

/* ---- the environment that the process was started with ---- */

struct settings {
	const char *run;     /* PORTSHIM_RUN */
	const char *preload; /* LD_PRELOAD */
	bool off;            /* PORTSHIM=off, or quiet: a parent has complained (preload.c) */
	bool strict;         /* PORTSHIM_STRICT */
	bool cluster;        /* NODE_UNIQUE_ID: a worker of node's cluster module */
};

static void read_settings(struct settings *s, char *const *environment)
{
	const char *value;

	memset(s, 0, sizeof(*s));
	for (; environment && *environment; environment++) {
		switch (**environment) {
		case 'P':
			if ((value = text_value(*environment, "PORTSHIM_RUN")))
				s->run = value;
			else if ((value = text_value(*environment, "PORTSHIM")))
				s->off = text_equal(value, "off") || text_equal(value, "quiet");
			else if ((value = text_value(*environment, "PORTSHIM_STRICT")))
				s->strict = *value && !text_equal(value, "0");
			break;
		case 'L':
			if ((value = text_value(*environment, "LD_PRELOAD")))
				s->preload = value;
			break;
		case 'N':
			if (text_value(*environment, "NODE_UNIQUE_ID"))
				s->cluster = true;
			break;
		default:
			break;
		}
	}
}

/* ---- who am I? ---- */

static bool names_us(const char *token, unsigned long length)
{
	static const char name[] = "portshim";

	for (unsigned long i = 0; i + sizeof(name) - 1 <= length; i++)
		if (memcmp(token + i, name, sizeof(name) - 1) == 0)
			return true;
	return false;
}

/* The entry of LD_PRELOAD that is this library: the only one, or the one with our name in it. */
static void find_library(const char *preload)
{
	const char *token = preload;
	unsigned long length;

	for (; token && *token; token += length) {
		while (*token == ':' || *token == ' ')
			token++;
		for (length = 0; token[length] && token[length] != ':' && token[length] != ' '; length++)
			;
		if (length && length < sizeof(library_path) && (names_us(token, length) || !library_path[0])) {
			memcpy(library_path, token, length);
			library_path[length] = '\0';
			if (names_us(token, length))
				return;
		}
	}
}

/* ---- starting ---- */

/* Workers of node's cluster module, and the primary that started them, are told requested ports always: the primary
 * sends what getsockname says to the worker, which compares it with the port that it asked for (node: lib/net.js). */
static void join_cluster(struct ps_scope *run)
{
	uint32_t members[2] = {(uint32_t)sys0(SYS_getpid), (uint32_t)sys0(SYS_getppid)};

	for (int m = 0; m < 2; m++) {
		int i;

		for (i = 0; i < PS_CLUSTER_MAX; i++) {
			uint32_t seen = atomic_load(&run->cluster[i]);

			if (seen == members[m])
				break;
			if ((!seen || sys2(SYS_kill, seen, 0) == -ESRCH) &&
			    atomic_compare_exchange_strong(&run->cluster[i], &seen, members[m]))
				break;
		}
	}
}

static bool open_space(const char *path, bool stop)
{
	int error = space_map(&space_memory, path);

	inherit = true;
	inheritance.object = library_path[0] ? library_path : NULL;
	if (error) {
		complain_start(path, error, stop);
		return false;
	}
	text_copy(run_path, sizeof(run_path), path);
	inheritance.run = run_path;
	return true;
}

static void start(char *const *environment)
{
	struct settings s;
	int next = STAGE_READY;

	real_resolve();
	read_settings(&s, environment);
	if (s.off) {
		/* wanted by the user */
	} else if (!s.run) {
		find_library(s.preload);
		next = library_path[0] ? STAGE_BARE : STAGE_READY;
	} else {
		find_library(s.preload);
		if (open_space(s.run, s.strict)) {
			strict = s.strict;
			if (s.cluster) /* now: the primary may be asked for a name before this worker makes a call */
				join_cluster(space_memory.run);
			next = STAGE_MAPPED;
		}
	}
	atomic_store_explicit(&stage, next, memory_order_release);
}

static void init(char *const *environment)
{
	int expected = STAGE_NEW;

	if (atomic_compare_exchange_strong(&stage, &expected, STAGE_WORKING))
		start(environment);
}

static struct ps_caller *judge(int fd)
{
	if (atomic_load(&mingles) && !call_protocol_but_raw(fd))
		return NULL;
	if (atomic_load(&wanders))
		return space_verify(&space_memory, fd) == 0 ? &this_process : NULL;
	return abroad ? NULL : &this_process;
}

static void judge_each(void)
{
	int ready = STAGE_READY;

	/* In this order: whoever finds no active space asks for the stage. */
	if ((abroad || shim_active) && atomic_compare_exchange_strong(&stage, &ready, STAGE_JUDGING))
		atomic_store(&shim_active, NULL);
}

void shim_wander(void)
{
	atomic_store(&wanders, true);
	judge_each();
}

void shim_mingle(void)
{
	atomic_store(&mingles, true);
	judge_each();
}

/* The first call that needs the space. Every thread that gets here finds the same answer, so none waits for another. */
static struct ps_caller *verify(int fd)
{
	struct ps_caller *caller = &this_process;
	int error = space_verify(caller->space, fd);

	if (error)
		caller = NULL;
	else
		real_mark(caller->space->run->pass);
	/* Another network namespace is another host, with ports of its own: nothing to complain of. */
	if (error == -EXDEV)
		abroad = true;
	else if (error) {
		inheritance.run = NULL;
		complain_start(run_path, error, strict);
	}
	atomic_store_explicit(&shim_active, caller, memory_order_release);
	atomic_store(&stage, STAGE_READY);
	if (atomic_load(&wanders) || atomic_load(&mingles)) {
		judge_each();
		return caller ? judge(fd) : NULL;
	}
	return caller;
}

static struct ps_caller *make_run(int fd)
{
	char path[PS_RUNTIME_MAX + 16];
	struct ps_caller *caller = NULL;
	bool opened = false;
	int error = bare_create_run(path, &environ ? environ : NULL);

	if (error == -EFBIG)
		sys_forget_xfsz();
	if (error)
		complain_start(path, error, false);
	else if ((opened = open_space(path, false)))
		caller = verify(fd);
	if (!error && !caller)
		sys3(SYS_unlinkat, AT_FDCWD, path, 0);
	if (!opened) /* else verify() has said which stage it is */
		atomic_store_explicit(&stage, STAGE_READY, memory_order_release);
	return caller;
}

/* Without `portshim run` or `exec`: the first call that needs a space makes a run of its own for this process and its
 * descendants, in the environment of the working directory. Signals are blocked meanwhile: a handler that calls a hook,
 * or that never comes back here, would find or leave the work half done. */
static struct ps_caller *start_bare(int fd)
{
	struct ps_caller *caller = NULL;
	const uint64_t all = ~UINT64_C(0);
	int expected = STAGE_BARE;
	uint64_t mask;

	sys4(SYS_rt_sigprocmask, 0 /* SIG_BLOCK */, &all, &mask, sizeof(mask));
	if (atomic_compare_exchange_strong(&stage, &expected, STAGE_WORKING))
		caller = make_run(fd);
	sys4(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, &mask, 0, sizeof(mask));
	return caller;
}

struct ps_caller *shim_enter_slowly(int fd)
{
	switch (atomic_load_explicit(&stage, memory_order_acquire)) {
	case STAGE_NEW:
		init(&environ ? environ : NULL);
		return shim_enter_slowly(fd);
	case STAGE_MAPPED:
		return verify(fd);
	case STAGE_BARE:
		return start_bare(fd);
	case STAGE_READY:
		return shim_active;
	case STAGE_JUDGING:
		return judge(fd);
	default:
		return NULL;
	}
}

struct ps_space *shim_mapped(void)
{
	const struct ps_space *space = &space_memory;
	int now = atomic_load_explicit(&stage, memory_order_acquire);

	if (now != STAGE_MAPPED && now != STAGE_READY && now != STAGE_JUDGING)
		return NULL;
	return inheritance.run && space->run && space->run->magic == PS_SCOPE_MAGIC && space->run->abi == PS_ABI
		       ? &space_memory : NULL;
}

const struct shim_inheritance *shim_inheritance(void)
{
	int now = atomic_load_explicit(&stage, memory_order_acquire);

	if (now == STAGE_NEW)
		init(&environ ? environ : NULL);
	return inherit ? &inheritance : NULL;
}

/* glibc passes these arguments to constructors of shared objects; musl does not, and has environ set by then. */
__attribute__((constructor)) static void constructor(int argc, char **argv, char **environment)
{
	(void)argc;
	(void)argv;
	init(&environ && environ ? environ : environment);
}
