/*
 * threads.c - the registry under ThreadSanitizer: threads stand for processes, each with a struct ps_space of its own.
 *
 * Theory of operation
 *
 * TSan knows memory by its address, so what two processes would map twice is mapped once here, and the spaces of
 * all threads point to it. Two environments with two runs each, over a few ports; per run two threads that bind,
 * listen, publish and close as the hooks do, one that looks the way connect, getsockname and `status` do, and one
 * that is the keeper: it sweeps, and writes the discovery file. Sockets and locks are the kernel's own. It ends
 * after a number of rounds (argument 1).
 *
 * The kernel hands the lock on where TSan does not see it, so lock_enter and lock_leave are wrapped (-Wl,--wrap)
 * in what tells it. Where two were inside at once, that would not hide it: the second would come in before the
 * first has left.
 *
 * What is wrong in the end, beside TSan's own reports: a discovery file or an event that was not whole, a lock or a
 * port that is not free when all is over.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <portshim/candidates.h>
#include <portshim/discovery.h>
#include <portshim/process.h>

#include "core/text.h"

#define ENVS 2
#define RUNS 2 /* in each */
#define SERVERS 2 /* threads of a run that bind */
#define PORTS 4
#define REQUESTED 3 /* ports that servers ask for: the first ones of those */

void __tsan_acquire(void *address);
void __tsan_release(void *address);
bool __real_lock_enter(struct ps_lock *lock, struct ps_lock_guard *guard);
void __real_lock_leave(struct ps_lock *lock, const struct ps_lock_guard *guard);
bool __wrap_lock_enter(struct ps_lock *lock, struct ps_lock_guard *guard);
void __wrap_lock_leave(struct ps_lock *lock, const struct ps_lock_guard *guard);

/* With a service for the first port, that has a file of its own. */
struct block {
	struct ps_plan plan;
	struct ps_service service;
	uint16_t port[2];
	struct ps_plan_port index[1];
	char strings[512];
};

struct seat {
	struct ps_space space;
	unsigned seed;
	int number;
};

static char base[64], runtime[PS_RUNTIME_MAX], file[ENVS][160], own_file[160];
static struct ps_space opened[ENVS * RUNS];
static uint16_t port_of[PORTS];
static uint64_t dead; /* the identity of a process that is gone */
static unsigned rounds = 400;
static pthread_barrier_t start;
static _Atomic unsigned servers_left, faults, tally[6];
static const char *const counted[] = {"claims", "taken over", "listens", "adopted", "looks", "sweeps"};
enum { CLAIMS, TAKEN_OVER, LISTENS, ADOPTED, LOOKS, SWEEPS };

bool __wrap_lock_enter(struct ps_lock *lock, struct ps_lock_guard *guard)
{
	bool taken = __real_lock_enter(lock, guard);

	if (taken) {
		__tsan_acquire(lock);
		lock->pad++; /* no atomic: a race if two are inside */
	}
	return taken;
}

void __wrap_lock_leave(struct ps_lock *lock, const struct ps_lock_guard *guard)
{
	lock->pad++;
	__tsan_release(lock);
	__real_lock_leave(lock, guard);
}

static void fault(const char *what)
{
	atomic_fetch_add(&faults, 1);
	printf("FAILED: %s\n", what);
}

static void count(int what)
{
	atomic_fetch_add_explicit(&tally[what], 1, memory_order_relaxed);
}

static void need(bool good, const char *what)
{
	if (!good) {
		printf("FAILED: %s\n", what);
		exit(1);
	}
}

static unsigned draw(struct seat *s, unsigned below)
{
	return (unsigned)rand_r(&s->seed) % below;
}

/* ---- servers ---- */

static struct ps_address loopback(uint16_t port, bool six)
{
	struct ps_address a = {.length = six ? sizeof(a.u.in6) : sizeof(a.u.in)};

	if (six)
		a.u.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	else
		a.u.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	address_set_port(&a, port);
	return a;
}

/* As try_port in the shim, on the next of our ports rather than of the default range. */
static bool try_port(struct seat *s, int fd, struct ps_address *a, uint16_t port, uint16_t requested)
{
	struct ps_space *space = &s->space;
	uint64_t before = host_head(space->host, port);
	struct ps_record *r = &space->host->record[port];

	/* Some are of a process that is gone, so that others may take the port over. */
	if (registry_claim(space, port, requested, draw(s, 2) ? dead : process_self()) != 1)
		return false;
	count(before ? TAKEN_OVER : CLAIMS);
	address_set_port(a, port);
	if (draw(s, 16) == 0) /* killed: its run's next one finds the claim */
		return false;
	if (bind(fd, &a->u.any, a->length) != 0) {
		registry_release(space, port);
		return false;
	}
	record_set(r, reason, PS_REASON_DEFAULT);
	record_set(r, cause, port != requested ? EADDRINUSE : 0);
	record_set(r, report, (uint8_t)draw(s, 2));
	if (space->plan && requested == port_of[0])
		text_copy(r->service, sizeof(r->service), "web");
	return registry_hold(space, a);
}

static bool bind_any(struct seat *s, int fd, struct ps_address *a, uint16_t requested)
{
	struct ps_space *space = &s->space;
	uint16_t port = registry_own(space, requested), sticky = 0;
	struct ps_candidates c;
	enum ps_reason reason;

	/* as if it was lost to somebody outside */
	if (port && draw(s, 4) && registry_lost(space, port, PS_TCP) <= 0) {
		address_set_port(a, port);
		return bind(fd, &a->u.any, a->length) == 0 && registry_is_own_actual(space, port);
	}
	if (port)
		registry_release(space, port);
	sticky = scope_hint(space->env, requested);
	candidates_start(&c, space->plan, plan_rules(space->plan, requested, NULL), space->env->id, requested, sticky, false);
	while (candidates_next(&c, &port, &reason) && reason < PS_REASON_RANGE)
		if (try_port(s, fd, a, port, requested))
			return true;
	for (unsigned i = 0, from = draw(s, PORTS); i < PORTS; i++)
		if (try_port(s, fd, a, port_of[(from + i) % PORTS], requested))
			return true;
	return false;
}

/* As listen() in the shim. */
static bool listen_on(struct seat *s, int fd, const struct ps_address *a, bool *changed)
{
	uint16_t port = address_port(a);
	uint32_t inode = kernel_socket_inode(fd), before = registry_announce(&s->space, port, inode);

	if (listen(fd, 4) != 0) {
		registry_withdraw(&s->space, port, inode, before);
		return false;
	}
	*changed = registry_listen(&s->space, a, inode, PS_TCP, 0) > 0;
	count(LISTENS);
	return true;
}

static void serve(struct seat *s)
{
	uint16_t requested = port_of[draw(s, REQUESTED)];
	bool six = draw(s, 4) == 0, changed = false, listens = false;
	struct ps_address a = loopback(0, six);
	struct ps_lock_guard guard;
	socklen_t length = sizeof(a.u);
	int fd = socket(a.u.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	if (!lock_enter(&s->space.run->lock, &guard)) {
		close(fd);
		return;
	}
	if (draw(s, 16) == 0 && bind(fd, &a.u.any, a.length) == 0 && getsockname(fd, &a.u.any, &length) == 0) {
		listens = listen_on(s, fd, &a, &changed);
		count(ADOPTED);
	} else if (bind_any(s, fd, &a, requested)) {
		listens = draw(s, 8) != 0 && listen_on(s, fd, &a, &changed);
	}
	lock_leave(&s->space.run->lock, &guard);
	if (changed && discovery_write(&s->space, address_port(&a)) < 0)
		fault("discovery_write");
	if (listens && draw(s, 4) == 0)
		atomic_store(&s->space.host->record[address_port(&a)].owner, dead);
	if (draw(s, 8) == 0)
		space_event(&s->space, PS_EVENT_REFUSED, requested, ECONNREFUSED);
	close(fd);
}

static void *server(void *of)
{
	struct seat *s = of;

	pthread_barrier_wait(&start);
	for (unsigned i = 0; i < rounds; i++)
		serve(s);
	atomic_fetch_sub(&servers_left, 1);
	return NULL;
}

/* ---- readers ---- */

static void read_whole(const char *path)
{
	char text[8192];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size;

	if (fd < 0)
		return;
	size = read(fd, text, sizeof(text));
	close(fd);
	if (size < 2 || text[0] != '{' || memcmp(text + size - 2, "}\n", 2) != 0)
		fault("a discovery file is not whole");
}

/* What the shim reads of a record that a hint has led to (src/core/route.c). */
static unsigned look_at(const struct ps_record *r)
{
	return record_get(r, at) + record_get(r, protocols) + record_get(r, report) + record_get(r, run);
}

/* As look_at_events in the keeper. */
static void look_at_events(const struct ps_scope *run)
{
	uint32_t last = atomic_load(&run->events);
	const struct ps_event *slot = &run->event[last % PS_EVENTS];
	uint32_t sequence = atomic_load(&slot->sequence);
	bool good = slot->kind == PS_EVENT_REFUSED && slot->error == ECONNREFUSED && slot->pid == (int32_t)getpid();

	if (sequence && atomic_load(&slot->sequence) == sequence && !good)
		fault("half an event");
}

static void *reader(void *of)
{
	struct seat *s = of;
	struct ps_space *space = &s->space;
	volatile unsigned sum = 0;
	bool listening;

	pthread_barrier_wait(&start);
	while (atomic_load_explicit(&servers_left, memory_order_relaxed)) {
		uint16_t requested = port_of[draw(s, REQUESTED)], port = port_of[draw(s, PORTS)];
		uint16_t actual = registry_forward(space, requested);

		if (actual)
			sum += look_at(&space->host->record[actual]);
		sum += registry_own(space, requested);
		sum += registry_is_actual(space, port);
		sum += registry_is_own_actual(space, port);
		look_at_events(space->run);
		if (draw(s, 8) == 0) {
			sum += registry_foreign(space, port, &listening);
			sum += registry_listening(space->host, port);
			sum += (unsigned)registry_lost(space, port, PS_UDP);
			sum += discovery_named(space->host, own_file);
			if (discovery_outdated(space->host, space->env) && discovery_write(space, 0) < 0)
				fault("discovery_write");
			read_whole(space->env->discovery);
		}
		count(LOOKS);
	}
	return NULL;
}

/* ---- keepers ---- */

static void *keeper(void *of)
{
	struct seat *s = of;
	const struct ps_space *space = &s->space;

	pthread_barrier_wait(&start);
	while (atomic_load_explicit(&servers_left, memory_order_relaxed)) {
		registry_sweep(space->host, space->run, space->env, draw(s, 4) == 0);
		if (discovery_outdated(space->host, space->env) && discovery_write(&s->space, 0) < 0)
			fault("discovery_write");
		count(SWEEPS);
	}
	return NULL;
}

/* ---- the world ---- */

static void make_plan(struct block *b)
{
	char *at = b->strings;

	memset(b, 0, sizeof(*b));
	strcpy(at + 1, "web");
	strcpy(at + 8, own_file);
	b->plan = (struct ps_plan){
		.magic = PS_PLAN_MAGIC, .abi = PS_ABI, .size = sizeof(*b), .strategy = PS_MINIMAL,
		.services = offsetof(struct block, service), .service_count = 1,
		.ports = offsetof(struct block, port), .port_count = 2,
		.index = offsetof(struct block, index), .index_count = 1,
		.strings = offsetof(struct block, strings), .default_first = port_of[0], .default_last = port_of[0],
	};
	b->service = (struct ps_service){
		.name = offsetof(struct block, strings) + 1, .discovery = offsetof(struct block, strings) + 8,
		.port_count = 2, .inherits = PS_NO_SERVICE,
	};
	b->port[0] = port_of[0];
	b->port[1] = port_of[1];
	b->index[0] = (struct ps_plan_port){port_of[0], 0};
}

/* Ports that nobody has, drawn by the kernel. One that is taken meanwhile is a candidate that does not work out. */
static void choose_ports(void)
{
	int fd[PORTS];

	for (int i = 0; i < PORTS; i++) {
		struct ps_address a = loopback(0, false);
		socklen_t length = sizeof(a.u);

		fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		need(bind(fd[i], &a.u.any, a.length) == 0 && getsockname(fd[i], &a.u.any, &length) == 0, "a free port");
		port_of[i] = address_port(&a);
	}
	for (int i = 0; i < PORTS; i++)
		close(fd[i]);
}

static void make_dead(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	dead = process_of(pid);
	need(pid > 0 && waitpid(pid, NULL, 0) == pid, "fork");
	if (!dead) /* a zombie already */
		dead = process_unstarted(pid);
}

static void make_env(int e, const struct block *plan)
{
	char key[16], path[PS_RUNTIME_MAX + 16];
	struct ps_scope_spec of_env = {.key = key, .name = key + 5, .project = "p", .discovery = file[e]}, of_run = {0};
	struct ps_scope *scope;

	snprintf(key, sizeof(key), "name:%d", e);
	snprintf(file[e], sizeof(file[e]), "%s/ports-%d.json", base, e);
	need(space_open_env(runtime, &of_env, &scope) == 0, "space_open_env");
	of_run.chain[0] = scope->id;
	space_close_scope(scope);
	for (int r = 0; r < RUNS; r++) {
		struct ps_space *space = &opened[e * RUNS + r];

		of_run.plan = plan;
		of_run.plan_size = r == 0 ? sizeof(*plan) : 0;
		of_run.root = process_self();
		need(space_create_run(runtime, &of_run, path, &scope) == 0, "space_create_run");
		space_close_scope(scope);
		need(space_open(space, path) == 0, "space_open");
		need(!space->plan || plan_check(space->plan, sizeof(*plan)), "plan_check");
	}
}

/* A seat sees the run's own files at the addresses at which all others do. */
static void take_seat(struct seat *s, int run, int number)
{
	struct ps_space *first = &opened[run / RUNS * RUNS];

	s->space = opened[run];
	s->space.host = opened[0].host;
	s->space.env = first->env;
	for (uint32_t i = 0; i < s->space.depth; i++)
		if (s->space.scope[i] == opened[run].env)
			s->space.scope[i] = first->env;
	s->number = number;
	s->seed = (unsigned)number * 7919u + (unsigned)getpid();
}

static void check_end(struct seat *seats)
{
	struct ps_host *host = opened[0].host;
	struct ps_lock_guard guard;

	for (int run = 0; run < ENVS * RUNS; run++) {
		struct ps_space *space = &seats[run * (SERVERS + 2)].space;

		registry_sweep(host, space->run, space->env, true);
		for (int i = 0; i < PORTS; i++) {
			bool known = registry_own(space, port_of[i]) || registry_is_own_actual(space, port_of[i]);

			if (known)
				fault("a port is left");
		}
		if (!lock_enter(&space->run->lock, &guard))
			fault("a run's lock is not free");
		else
			lock_leave(&space->run->lock, &guard);
	}
	FOR_EACH_SET(port, host->owned)
		if (host_head(host, port))
			fault("a record is left");
}

static void remove_all(void)
{
	char command[sizeof(base) + 16];

	snprintf(command, sizeof(command), "rm -rf '%s'", base);
	if (system(command) != 0)
		fault("the directory is left");
}

int main(int argc, char **argv)
{
	static void *(*const part[SERVERS + 2])(void *) = {server, server, reader, keeper};
	static struct seat seats[ENVS * RUNS * (SERVERS + 2)];
	static struct block plan;
	enum { SEATS = sizeof(seats) / sizeof(seats[0]) };
	pthread_t thread[SEATS];
	char variable[128], *environment[] = {variable, NULL};

	if (argc > 1)
		rounds = (unsigned)atoi(argv[1]);
	snprintf(base, sizeof(base), "%s/portshim-tsan-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	need(mkdtemp(base) != NULL, "mkdtemp");
	snprintf(variable, sizeof(variable), "PORTSHIM_RUNTIME_DIR=%s/run", base);
	snprintf(own_file, sizeof(own_file), "%s/web.json", base);
	need(space_runtime(runtime, environment) == 0, "space_runtime");
	choose_ports();
	make_dead();
	make_plan(&plan);
	for (int e = 0; e < ENVS; e++)
		make_env(e, &plan);
	atomic_store(&servers_left, ENVS * RUNS * SERVERS);
	pthread_barrier_init(&start, NULL, SEATS);
	for (int i = 0; i < SEATS; i++) {
		take_seat(&seats[i], i / (SERVERS + 2), i);
		need(pthread_create(&thread[i], NULL, part[i % (SERVERS + 2)], &seats[i]) == 0, "pthread_create");
	}
	for (int i = 0; i < SEATS; i++)
		pthread_join(thread[i], NULL);
	check_end(seats);
	remove_all();
	for (unsigned i = 0; i < sizeof(counted) / sizeof(counted[0]); i++) {
		printf("%u %s%s", tally[i], counted[i], i + 1 < sizeof(counted) / sizeof(counted[0]) ? ", " : "\n");
		if (!tally[i])
			fault(counted[i]);
	}
	return faults != 0;
}
