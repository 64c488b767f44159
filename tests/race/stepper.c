/*
 * stepper.c - kills a program at each of its stores to the registry and at each of its system calls that others can
 * see, and looks whether everything still works.
 *
 * stepper [SCENE...]        all scenes when none is named; STEP_EVENT=N looks at one event only; "list" names them
 *
 * Theory of operation: a scene is a small world (world.h) and a program in it. For each event k of the program
 * (trace.h) the world is made anew twice: the program is killed just before event k, and just after it. What it has
 * done by then is the same as after event k-1, so every state is met twice, and once each the first who comes is
 *
 *   - `portshim status`: the records must be true again after it;
 *   - the next program of the run, which must get the port at once.
 *
 * Where the dead one held a lock, a third time, with the next program already waiting for it. Then, in the same
 * registry: a server of the run on the same port, its client reaches it; one of another environment, its client
 * reaches that one; a client of a third environment reaches neither; kernel, host table, discovery files and
 * `portshim status` agree. At last all end, and the next look leaves nothing.
 */
#include "world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <portshim/candidates.h>
#include <portshim/process.h>

#include "trace.h"

#include "cli/manifest.h"

#include "../check.h"

#define STEPS 14
#define PLACES 3
#define SERVERS 8
#define EVENTS_MAX 2000
#define SHOWN 4 /* failures of a scene */
#define LATE 4  /* times that the next server must have come late, or the machine was slow */
#define SOME 5  /* a scene of which only some events count: every such one */

enum who { LOOK_FIRST, NEXT_FIRST, NEXT_WAITS };
enum number { VICTIM = 1, NEXT, OTHER, HOLDER, EARLIER };

struct trial {
	struct world world;
	struct server list[SERVERS]; /* those who live */
	int count;
	int port;
	bool other_is_there;
	bool late; /* the next server came, but may have waited for a lock until all patience was over */
	struct ps_plan *plan[2]; /* of the first places: their service has a file of its own */
};

struct scene {
	const char *name;
	const char *kind, *client;             /* of the server that comes next, and of all clients */
	const char *const steps[STEPS];        /* of the victim; '@' is the port */
	bool held;                             /* an unmanaged program has the port */
	bool empty;                            /* the victim makes the registry */
	bool unmanaged;                        /* the victim is no program of a run */
	bool some;                             /* much like another scene: not each event, but other ones each time */
	bool background;                       /* it may leave programs behind that end by themselves */
	bool (*prepare)(struct trial *t);
	bool (*afterwards)(struct trial *t);
	void (*before)(void);
};

/* ---- what is there before ---- */

static bool join(struct trial *t, int place, int number, const char *kind, int port)
{
	return t->count < SERVERS && world_serve(&t->world, place, number, kind, port, &t->list[t->count++]);
}

static void leave(struct trial *t, int which, bool hard)
{
	world_stop(&t->list[which], hard);
	t->list[which] = t->list[--t->count];
}

/* The run's own actual port is somebody else's by now. */
static bool prepare_lost(struct trial *t)
{
	uint16_t actual;

	if (!join(t, 0, EARLIER, "tcp4", t->port))
		return false;
	actual = t->list[t->count - 1].actual;
	leave(t, t->count - 1, false);
	return actual != t->port && join(t, -1, HOLDER, "tcp4", actual);
}

/* A process of the run died with the lock in its hand and a claim made. */
static bool prepare_remains(struct trial *t)
{
	struct world *w = &t->world;
	struct ps_scope *run = w->place[0].run, *env = w->place[0].env;
	uint32_t dead = (uint32_t)world_dead_pid();

	shared_set(w->host->owned, (uint16_t)t->port);
	shared_set(w->host->named, (uint16_t)t->port);
	shared_set(env->actual, (uint16_t)t->port);
	w->host->record[t->port].head = head_claim(env->id, (uint16_t)t->port, run->id);
	run->lock.word = dead;
	env->lock.word = dead;
	return true;
}

/* Another environment had the port, and its server is dead. */
static bool prepare_takeover(struct trial *t)
{
	if (!join(t, 1, EARLIER, "tcp6", t->port))
		return false;
	leave(t, t->count - 1, true);
	return true;
}

static bool prepare_refused(struct trial *t)
{
	t->other_is_there = true;
	return join(t, 1, OTHER, "tcp4", t->port);
}

/* Three dead servers: of a run that goes on, of one that is over, and of one whose file is gone. */
static bool prepare_sweep(struct trial *t)
{
	struct world *w = &t->world;

	for (int place = 0; place < PLACES; place++) {
		if (!join(t, place, EARLIER, "tcp4", t->port))
			return false;
		leave(t, t->count - 1, true);
	}
	w->place[1].run->root = process_unstarted(world_dead_pid());
	w->place[1].run->created -= 60;
	space_unlink_scope(w->runtime, w->place[2].run->id);
	return true;
}

#define OWN_FILE ".web.json"

/* Two projects with the same manifest. */
static bool prepare_service(struct trial *t)
{
	for (int place = 0; place < 2; place++) {
		struct place *p = &t->world.place[place];
		struct ps_manifest *manifest;
		struct ps_error error = {0};
		char path[WORLD_PATH + 32];
		FILE *file;

		world_path(path, sizeof(path), p->directory, "ports.manifest.json");
		file = fopen(path, "we");
		if (!file || fprintf(file, "{\"version\": 1, \"services\": {\"web\": {\"port\": %d, \"discovery\": \"%s\"}}}",
				     t->port, OWN_FILE) < 0 || fclose(file) || manifest_load(&manifest, path, NULL, NULL, &error))
			return false;
		p->plan = t->plan[place] = manifest_compile(manifest, NULL);
		manifest_free(manifest);
		if (!p->plan || !world_new_run(&t->world, place))
			return false;
	}
	return true;
}

/* As that one, and a server was killed whose own file names the port. Who comes next is of the other project. */
static bool prepare_stale_file(struct trial *t)
{
	if (!prepare_service(t) || !join(t, 1, EARLIER, "tcp4", t->port))
		return false;
	leave(t, t->count - 1, true);
	return true;
}

static int number_in(const char *path, const char *key)
{
	char text[512];
	int fd = open(path, O_RDONLY | O_CLOEXEC), n = 0;
	ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	const char *at;

	if (fd < 0)
		return -1;
	close(fd);
	text[size > 0 ? size : 0] = '\0';
	at = strstr(text, key);
	return at && sscanf(at + strlen(key), "%d", &n) == 1 ? n : 0;
}

/* Each service's own file names its server, or is not there. */
static bool own_files_are_true(const struct trial *t)
{
	for (int place = 0; place < 2 && t->plan[place]; place++) {
		char path[WORLD_PATH + 16];
		const struct server *server = NULL;

		for (int i = 0; i < t->count; i++)
			if (t->list[i].place == place)
				server = &t->list[i];
		world_path(path, sizeof(path), t->world.place[place].directory, OWN_FILE);
		if (number_in(path, "\"port\":") != (server ? server->actual : -1) ||
		    (server && number_in(path, "\"process_id\":") != server->pid))
			return false;
	}
	return true;
}

/* And nothing is beside it. */
static bool own_files_are_gone(const struct trial *t)
{
	for (int place = 0; place < 2 && t->plan[place]; place++) {
		DIR *directory = opendir(t->world.place[place].directory);
		struct dirent *entry;
		bool found = false;

		while (directory && (entry = readdir(directory)))
			found |= strncmp(entry->d_name, OWN_FILE, strlen(OWN_FILE)) == 0;
		if (directory)
			closedir(directory);
		if (found)
			return false;
	}
	return true;
}

static void trace_group(void)
{
	setpgid(0, 0);
	trace_me();
}

/* What the command lists is not ours to read. */
static void trace_quietly(void)
{
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	dup2(null, STDOUT_FILENO);
	trace_me();
}

static bool after_sweep(struct trial *t)
{
	return world_new_run(&t->world, 1) && world_new_run(&t->world, 2);
}

/* As somebody does by hand: the run is made by the first call. */
static void preload_only(void)
{
	const char *build = getenv("PORTSHIM_TEST_BUILD");
	char path[PS_PATH_MAX];

	world_path(path, sizeof(path), build, "libportshim.so");
	setenv("LD_PRELOAD", path, 1);
	trace_me();
}

static const struct scene scenes[] = {
	{ .name = "first bind", .kind = "tcp6", .client = "tcp4", .steps = { "act", "tcp6:@", "listen" } },
	{ .name = "moved", .kind = "tcp4", .client = "tcp4", .steps = { "act", "tcp4:@", "listen" }, .held = true },
	{ .name = "again",
	  .kind = "tcp4+a",
	  .client = "tcp4",
	  .held = true,
	  .steps = { "act", "tcp4+a:@", "listen", "close", "tcp4+a:@", "listen" } },
	{ .name = "port 0", .kind = "tcp4", .client = "tcp4", .steps = { "act", "tcp4:0", "listen" } },
	{ .name = "udp",
	  .kind = "udp4",
	  .client = "udp4",
	  .steps = { "act", "udp4:@", "close", "udp4:@" },
	  .held = true },
	{ .name = "udp and tcp",
	  .kind = "lo4",
	  .client = "lo4",
	  .steps = { "act", "udp4:@", "lo4:@", "listen", "lo6:@", "listen" } },
	{ .name = "preempted",
	  .kind = "tcp4+a",
	  .client = "tcp4",
	  .steps = { "act", "raw-tcp4+a:@", "tcp4+a:@", "raw-listen", "listen" } },
	{ .name = "lost",
	  .kind = "tcp4",
	  .client = "tcp4",
	  .steps = { "act", "tcp4:@", "listen" },
	  .held = true,
	  .prepare = prepare_lost },
	{ .name = "remains",
	  .kind = "tcp6",
	  .client = "tcp4",
	  .steps = { "act", "tcp6:@", "listen" },
	  .prepare = prepare_remains },
	{ .name = "takeover",
	  .kind = "tcp6",
	  .client = "tcp4",
	  .steps = { "act", "tcp6:@", "listen" },
	  .prepare = prepare_takeover },
	{ .name = "service",
	  .kind = "tcp4",
	  .client = "tcp4",
	  .steps = { "act", "tcp4:@", "listen" },
	  .prepare = prepare_service },
	{ .name = "stale file",
	  .kind = "tcp4",
	  .client = "tcp4",
	  .steps = { "act", "tcp4:@", "listen", "close", "tcp4:@", "listen" },
	  .prepare = prepare_stale_file },
	{ .name = "refused",
	  .kind = "tcp4",
	  .client = "tcp4",
	  .steps = { "act", "client:tcp4:@" },
	  .prepare = prepare_refused },
	{ .name = "sweep",
	  .kind = "tcp4",
	  .client = "tcp4",
	  .steps = { "portshim", "status", "--all" },
	  .held = true,
	  .unmanaged = true,
	  .prepare = prepare_sweep,
	  .afterwards = after_sweep,
	  .before = trace_quietly },
	{ .name = "exec",
	  .kind = "tcp4",
	  .client = "tcp4",
	  .steps = { "portshim", "exec", "--", "act", "number:1" },
	  .empty = true,
	  .unmanaged = true },
	{ .name = "preload",
	  .kind = "tcp4",
	  .client = "tcp4",
	  .steps = { "act", "tcp4:@", "listen" },
	  .empty = true,
	  .unmanaged = true,
	  .before = preload_only },
	{ .name = "run",
	  .kind = "tcp4",
	  .client = "tcp4",
	  .unmanaged = true,
	  .background = true,
	  .held = true,
	  .before = trace_group,
	  .steps = { "portshim", "run", "--static=auto", "--quiet", "--", "act", "child:0", "tcp4:@", "listen", "end",
		     "tcp4:@", "listen" } },
	{ .name = "run alone", /* the keeper is the program's parent */
	  .kind = "tcp4",
	  .client = "tcp4",
	  .unmanaged = true,
	  .background = true,
	  .some = true,
	  .held = true,
	  .before = trace_group,
	  .steps = { "portshim", "run", "--static=off", "--quiet", "--", "act", "child:0", "tcp4:@", "listen", "end",
		     "tcp4:@", "listen" } },
};

/* ---- one trial ---- */

static char said[8192];

static bool bad(const char *what)
{
	snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s; ", what);
	return false;
}

static bool is_true(struct trial *t, const char *when)
{
	char why[4096];

	if (!world_is_true(&t->world, t->list, t->count, why, sizeof(why))) {
		bad(when);
		return bad(why);
	}
	return own_files_are_true(t) || (bad(when), bad("a service's own file is wrong"));
}

static void expand(const struct scene *s, int port, char words[][PS_PATH_MAX], char **argv)
{
	int i;

	for (i = 0; s->steps[i]; i++) {
		size_t cut = strcspn(s->steps[i], "@");

		if (s->steps[i][cut])
			snprintf(words[i], sizeof(words[i]), "%.*s%d", (int)cut, s->steps[i], port);
		else if (i && strcmp(s->steps[i], "act") == 0)
			world_path(words[i], sizeof(words[i]), getenv("PORTSHIM_TEST_BUILD"), "tests/race/act");
		else
			snprintf(words[i], sizeof(words[i]), "%s", s->steps[i]);
		argv[i] = words[i];
	}
	argv[i] = NULL;
}

/* Waits until the program serves, or waits in the kernel for the lock that a stopped one has. */
static void let_wait(struct server *s)
{
	uint64_t end = world_now_ms() + PS_LOCK_PATIENCE_MS * 3 / 4;
	char path[64], text[8];

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)s->pid);
	while (world_now_ms() < end) {
		struct pollfd p = {.fd = s->reports, .events = POLLIN};
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

		if (fd >= 0)
			close(fd);
		if (poll(&p, 1, 1) == 1 || (n > 4 && memcmp(text, "202 ", 4) == 0))
			return;
	}
}

static bool locked(const struct trial *t)
{
	const struct place *p = &t->world.place[0];

	return p->run && (p->run->lock.word || p->env->lock.word);
}

static bool is_server(const struct trial *t, pid_t pid)
{
	for (int i = 0; i < t->count; i++)
		if (t->list[i].pid == pid)
			return true;
	return false;
}

/* A child that is none of the servers, or 0 (proc(5), /proc/PID/task/TID/children). */
static pid_t stranger(const struct trial *t)
{
	char text[4096], *at = text, *end;
	int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	long pid;

	if (n < 0)
		check_fatal("/proc/thread-self/children");
	close(fd);
	text[n] = '\0';
	for (; (pid = strtol(at, &end, 10)) > 0; at = end)
		if (!is_server(t, (pid_t)pid))
			return (pid_t)pid;
	return 0;
}

/* What was left behind ends by itself, and becomes our child when its parent is dead: the worker first, then what was
 * the worker's. Not by their process group: the worker leaves it, and who waits for a group is not told of that. */
static void wait_for_background(const struct trial *t)
{
	pid_t pid;

	while ((pid = stranger(t)))
		waitpid(pid, NULL, 0);
}

static bool start_next(struct trial *t, const struct scene *s)
{
	char first[32], second[32];
	bool udp = strncmp(s->kind, "udp", 3) == 0;
	char *argv[] = {(char[]){"act"}, first, second, udp ? (char[]){"serve"} : (char[]){"listen"},
			udp ? NULL : (char[]){"serve"}, NULL};
	struct server *next = &t->list[t->count++];

	snprintf(first, sizeof(first), "number:%d", NEXT);
	snprintf(second, sizeof(second), "%s:%d", s->kind, t->port);
	return world_spawn(&t->world, 0, argv, NULL, next);
}

static bool await_next(struct server *next, const struct scene *s)
{
	char text[64];

	next->protocols = strncmp(s->kind, "udp", 3) == 0 ? PS_UDP : PS_TCP;
	if (!world_report(next, &next->at))
		return bad("the next server does not come");
	if (next->at.kind != ACT_READY) {
		snprintf(text, sizeof(text), "the next server failed in step %d: %s", next->at.step,
			 strerror(next->at.error));
		return bad(text);
	}
	next->actual = world_port_of(next->at.inode);
	return true;
}

static bool no_lock_was_missed(struct trial *t)
{
	for (int place = 0; place < PLACES; place++) {
		const struct ps_scope *run = t->world.place[place].run;

		for (int i = 0; i < PS_EVENTS; i++)
			if (run->event[i].sequence && run->event[i].kind != PS_EVENT_REFUSED)
				return bad("an event says that something failed");
	}
	return true;
}

static void look(struct trial *t)
{
	char *argv[] = {(char[]){"portshim"}, (char[]){"status"}, (char[]){"--all"}, (char[]){"--json"}, NULL};
	char text[16];

	world_command(&t->world, t->world.base, argv, text, sizeof(text));
}

/* Everybody in the same registry. */
static bool life_goes_on(struct trial *t, const struct scene *s)
{
	int got, wanted = s->held ? HOLDER : -ECONNREFUSED;
	bool good = true;
	char text[64];

	/* Clients of a dead server's environment are refused until somebody looks. */
	if (s->afterwards)
		look(t);
	if (!t->other_is_there && !join(t, 1, OTHER, s->kind, t->port))
		good = bad("another environment cannot serve");
	for (int place = 0; place < PLACES; place++) {
		int number = place == 0 ? NEXT : place == 1 ? OTHER : wanted;

		got = world_ask(&t->world, place, s->client, t->port);
		if (got != number) {
			snprintf(text, sizeof(text), "the client in place %d reached %d", place, got);
			good = bad(text);
		}
	}
	return is_true(t, "with all servers") && no_lock_was_missed(t) && good;
}

static bool all_end(struct trial *t)
{
	char why[4096];

	while (t->count)
		leave(t, 0, false);
	world_age(&t->world);
	if (!world_is_clean(&t->world, why, sizeof(why))) {
		bad("at the end");
		return bad(why);
	}
	return own_files_are_gone(t) || bad("a service's own file is left");
}

/* What comes after the victim's death. */
static bool aftermath(struct trial *t, const struct scene *s, enum who who)
{
	uint64_t start = world_now_ms();
	bool good = true;
	int next;

	if (s->empty && !world_map(&t->world))
		return bad("the registry cannot be used");
	for (int place = 0; place < PLACES; place++)
		if (!world_is_whole(t->world.place[place].discovery))
			good = bad("a discovery file is not whole");
	if (who == LOOK_FIRST)
		good &= is_true(t, "at the first look");
	if (s->afterwards && !s->afterwards(t))
		return bad("cannot go on");
	if (who != NEXT_WAITS) {
		start = world_now_ms();
		if (!start_next(t, s))
			return bad("cannot start the next");
	}
	next = t->count - 1;
	good &= await_next(&t->list[next], s);
	/* The victim still had the port, and a second bind in a run meets the kernel's verdict. */
	if (who == NEXT_WAITS && !good && t->list[next].at.error == EADDRINUSE) {
		said[0] = '\0';
		leave(t, next, false);
		good = start_next(t, s) && await_next(&t->list[next], s);
	}
	if (!good)
		return false;
	if (world_now_ms() - start >= PS_LOCK_PATIENCE_MS)
		t->late = true;
	good &= life_goes_on(t, s);
	return all_end(t) && good;
}

/* Another one each time: connections leave TIME_WAIT behind. */
static int next_port(void)
{
	static int last = 3000;

	do
		last = last < 19000 ? last + 1 : 3000;
	while (candidates_reserved((uint16_t)last) || candidates_browser_blocked((uint16_t)last));
	return last;
}

static bool set_up(struct trial *t, const struct scene *s)
{
	t->port = next_port();
	t->count = 0;
	t->other_is_there = false;
	t->late = false;
	if (!(s->empty ? world_empty(&t->world, PLACES) : world_new(&t->world, PLACES)))
		return false;
	if (s->held && !join(t, -1, HOLDER, s->client, t->port))
		return false;
	return !s->prepare || s->prepare(t);
}

static void tear_down(struct trial *t)
{
	while (t->count)
		leave(t, 0, true);
	world_free(&t->world);
	for (int place = 0; place < 2; place++) {
		free(t->plan[place]);
		t->plan[place] = NULL;
	}
}

/* *end: whether there was such an event. */
static bool try_once(const struct scene *s, unsigned event, bool after, enum who who, struct trace_point *point,
		     enum trace_end *end, bool *lock, bool *late)
{
	static struct trial t;
	struct server victim;
	static char words[STEPS][PS_PATH_MAX];
	char *argv[STEPS + 1];
	bool good;

	said[0] = '\0';
	*end = TRACE_BROKEN;
	*late = false;
	if (!set_up(&t, s)) {
		tear_down(&t);
		return bad("the world cannot be set up");
	}
	expand(s, t.port, words, argv);
	if (!world_spawn(&t.world, s->unmanaged ? -1 : 0, argv, s->before ? s->before : trace_me, &victim))
		return bad("cannot start");
	*end = trace_to(victim.pid, t.world.runtime, event, after, point);
	*lock = *end == TRACE_STOPPED && locked(&t);
	if (*end == TRACE_STOPPED) {
		if (who == NEXT_WAITS && start_next(&t, s))
			let_wait(&t.list[t.count - 1]);
		kill(victim.pid, SIGKILL);
		waitpid(victim.pid, NULL, 0);
	}
	if (s->background)
		wait_for_background(&t);
	victim.pid = 0;
	world_stop(&victim, false);
	if (who == NEXT_WAITS && *end != TRACE_STOPPED)
		who = NEXT_FIRST; /* it was faster this time */
	good = *end != TRACE_BROKEN ? aftermath(&t, s, who) : bad("the program broke");
	*late = t.late;
	tear_down(&t);
	return good;
}

/* A server that waits where the victim died waits each time. One that a busy machine did not let run does not. */
static bool try_event(const struct scene *s, unsigned event, bool after, enum who who, struct trace_point *point,
		      enum trace_end *end, bool *lock)
{
	bool late;

	for (int i = 0; i < LATE; i++)
		if (!try_once(s, event, after, who, point, end, lock, &late))
			return false;
		else if (!late)
			return true;
	return bad("the next server came late");
}

/* ---- a scene ---- */

struct tally {
	unsigned stores, calls, kills, failed;
};

static void judge(struct tally *tally, const struct scene *s, bool good, const struct trace_point *p, bool after,
		  enum who who)
{
	static const char *const order[] = {"looked at", "used", "waited for"};

	tally->kills++;
	if (good) {
		check_passed++;
		return;
	}
	check_failed++;
	if (tally->failed++ >= SHOWN)
		return;
	printf("not ok: %s: killed %s event %u (%s %ld at %#lx, address %#lx), %s first: %s\n", s->name,
	       after ? "after" : "before", p->event, p->store ? "store" : "call", p->call, p->place, p->address,
	       order[who], said);
	fflush(stdout);
}

static uint64_t cpu_ms(void)
{
	struct rusage own, children;

	getrusage(RUSAGE_SELF, &own);
	getrusage(RUSAGE_CHILDREN, &children);
	return (uint64_t)(own.ru_utime.tv_sec + own.ru_stime.tv_sec + children.ru_utime.tv_sec +
			  children.ru_stime.tv_sec) *
		       1000 +
	       (uint64_t)(own.ru_utime.tv_usec + own.ru_stime.tv_usec + children.ru_utime.tv_usec +
			  children.ru_stime.tv_usec) /
		       1000;
}

static void play(const struct scene *s)
{
	const char *only = getenv("STEP_EVENT");
	unsigned step = s->some ? SOME : 1, event = only ? (unsigned)atoi(only) : 1 + (unsigned)getpid() % step;
	struct tally tally = {0};
	struct trace_point p;
	enum trace_end end = TRACE_STOPPED;
	uint64_t start = world_now_ms(), cpu = cpu_ms();
	bool lock, good;

	for (; event < EVENTS_MAX; event += step) {
		good = try_event(s, event, false, NEXT_FIRST, &p, &end, &lock);
		judge(&tally, s, good, &p, false, NEXT_FIRST);
		if (end != TRACE_STOPPED)
			break;
		good = try_event(s, event, true, LOOK_FIRST, &p, &end, &lock);
		judge(&tally, s, good, &p, true, LOOK_FIRST);
		tally.stores += p.store;
		tally.calls += !p.store;
		if (lock)
			judge(&tally, s, try_event(s, event, true, NEXT_WAITS, &p, &end, &lock), &p, true, NEXT_WAITS);
		if (only)
			break;
	}
	printf("%-12s %3u stores, %3u system calls, killed %3u times, %u failed, %llu ms, %llu ms of processor\n",
	       s->name, tally.stores, tally.calls, tally.kills, tally.failed,
	       (unsigned long long)(world_now_ms() - start), (unsigned long long)(cpu_ms() - cpu));
	fflush(stdout);
}

static bool chosen(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc == 1;
}

int main(int argc, char **argv)
{
#ifndef __x86_64__
	check_skip("stepper", "knows the registers of x86-64 only");
	return check_finish();
#endif
	if (argc == 2 && strcmp(argv[1], "list") == 0) {
		for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
			puts(scenes[i].name);
		return 0;
	}
	if (!world_own_network()) {
		check_skip("stepper", "this machine does not let us make a network namespace");
		return check_finish();
	}
	if (!world_start())
		check_fatal("no directory for worlds");
	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
		if (chosen(scenes[i].name, argc, argv))
			play(&scenes[i]);
	world_end();
	return check_finish();
}
