/*
 * fuzz_space.c - any bytes in the shared files: the table, an environment, a run and the run around it. Either they
 * are refused, or everything that reads them ends well.
 *
 * The files are made as they are always made, then an input overwrites parts of them and may cut one short. It is a
 * sequence of patches: which file, which of its tables, where, how many bytes, and these bytes. The compiled manifest
 * behind a run is only damaged in its outline: what is inside is believed (plan.c), and fuzz_plan.c is about that.
 *
 * Paths in the files stay below the runtime directory, because files are written and removed there.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <portshim/discovery.h>
#include <portshim/process.h>

#include "../../src/cli/manifest.h"
#include "../../src/cli/nest.h"
#include "../../src/cli/state.h"
#include "../../src/core/sys.h"
#include "../../src/keeper/keeper.h"
#include "fuzz.h"

/* A lock with anything in it is waited for without time passing: each wait is over at once, and patience soon. Signals
 * stay open in it, or a bad access there would end the fuzzer without a word. */
#include <portshim/lock.h>

static long hurry(long number, long a, long b)
{
	if (number == SYS_nanosleep)
		return 0;
	if (number == SYS_clock_gettime && a == CLOCK_REALTIME) {
		memset((void *)b, 0, sizeof(struct timespec));
		return 0;
	}
	return sys6(number, a, b, 0, 0, 0, 0);
}
#undef PS_LOCK_PATIENCE_MS
#define PS_LOCK_PATIENCE_MS 8
#undef sys2
#define sys2(nr, a, b) hurry(nr, SYS_ARG(a), SYS_ARG(b))
#undef sys4
#define sys4(nr, a, b, c, d) ((void)(a), (void)(b), (void)(c), (void)(d))
#include "../../src/core/lock.c"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define RUN 0x00000017u
#define OUTER 0x00000018u

static const uint16_t numbers[] = {3000, 3001, 24000, 65535, 1};
static char runtime[] = "/dev/shm/portshim-fuzz-XXXXXX";
static struct ps_plan *plan;
static struct ps_space space;
static struct ps_scope *outer;
static bool blind;

/* ---- a kernel in which nobody listens but those whose inode is a record's ---- */

int kernel_listeners(uint16_t port, unsigned protocols, bool (*each)(const struct ps_listener *, void *), void *context)
{
	struct ps_listener l = {.inode = 7, .uid = (uint32_t)geteuid(), .protocol = PS_TCP, .port = port ? port : 3000};

	if (blind)
		return -1;
	if (!(protocols & PS_TCP))
		return 0;
	each(&l, context);
	return 1;
}

uint64_t kernel_netns(int fd)
{
	(void)fd;
	return 1;
}

/* ---- making and damaging ---- */

static void remove_all(void)
{
	DIR *directory = opendir(runtime);
	struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory)
		closedir(directory);
}

static void clear_away(void)
{
	remove_all();
	rmdir(runtime);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char text[] = "{\"version\":1,\"services\":{\"web\":{\"ports\":[3000,3001]},"
				   "\"live\":{\"inherit\":\"web\",\"scheme\":\"ws\"}}}";
	struct ps_error error = {0};
	struct ps_manifest *m;
	char path[64];
	int fd;

	(void)argc;
	(void)argv;
	MUST(mkdtemp(runtime) && setenv("PORTSHIM_RUNTIME_DIR", runtime, 1) == 0);
	snprintf(path, sizeof(path), "%s/manifest.json", runtime);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	MUST(fd >= 0 && write(fd, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1);
	close(fd);
	MUST(manifest_load(&m, path, NULL, NULL, &error) == 0);
	plan = manifest_compile(m, NULL);
	MUST(plan);
	manifest_free(m);
	atexit(clear_away);
	fuzz_hush();
	return 0;
}

static void rename_run(const char *path, uint32_t id)
{
	char good[PS_RUNTIME_MAX + 16];

	space_scope_path(runtime, id, good);
	MUST(rename(path, good) == 0);
}

static void make_files(void)
{
	char discovery[PS_PATH_MAX], path[PS_RUNTIME_MAX + 16];
	struct ps_scope_spec of_env = {.key = "name:a", .name = "a", .project = "p", .directory = "/", .discovery = discovery};
	struct ps_scope_spec of_run = {.name = "a", .plan = plan, .plan_size = plan->size, .root = process_self()};
	struct ps_scope *env, *run;

	remove_all();
	snprintf(discovery, sizeof(discovery), "%s/ports.json", runtime);
	MUST(space_open_env(runtime, &of_env, &env) == 0);
	of_run.chain[0] = env->id;
	MUST(space_create_run(runtime, &of_run, path, &outer) == 0);
	outer->id = OUTER;
	rename_run(path, OUTER);
	of_run.chain[0] = OUTER;
	of_run.chain[1] = env->id;
	MUST(space_create_run(runtime, &of_run, path, &run) == 0);
	run->id = RUN;
	rename_run(path, RUN);
	space_scope_path(runtime, RUN, path);
	MUST(space_open(&space, path) == 0 && space.plan && space.depth == 3);
	space_close_scope(env);
	space_close_scope(run);
}

static void *head_of(uint16_t number, size_t *size)
{
	*size = sizeof(space.host->record[0].head);
	shared_set(space.host->owned, number);
	shared_set(space.host->named, number);
	shared_set(space.env->actual, number);
	return &space.host->record[number].head;
}

static void *record_of(uint16_t number, size_t *size)
{
	*size = sizeof(space.host->record[0]);
	return &space.host->record[number];
}

static void *forward_of(struct ps_scope *scope, uint16_t number, size_t *size)
{
	if (number % 2) {
		*size = sizeof(scope->near[0]);
		return &scope->near[number % PS_NEAR];
	}
	*size = sizeof(scope->forward[0]);
	atomic_fetch_or(&scope->pages, scope_page(number));
	return &scope->forward[number];
}

/* Where a patch goes, and how many bytes are there. */
static void *place(uint8_t which, uint8_t number, size_t *size)
{
	struct ps_scope *const scopes[] = {space.env, space.run, outer};
	struct ps_scope *scope = scopes[which / 16 % COUNT(scopes)];
	uint16_t port = numbers[number % COUNT(numbers)];

	switch (which % 16) {
	case 0:
		*size = 16;
		return space.host;
	case 1:
		*size = sizeof(space.host->moved);
		return space.host->moved;
	case 2:
	case 3:
	case 4:
		return head_of(port, size);
	case 5:
	case 6:
		return record_of(port, size);
	case 7:
		return forward_of(scope, port, size);
	case 8:
		*size = sizeof(scope->actual);
		return scope->actual;
	case 9:
		*size = offsetof(struct ps_plan, avoid);
		return space.run + 1;
	case 10:
		*size = sizeof(scope->event);
		return scope->event;
	case 11:
		*size = sizeof(scope->lock);
		return &scope->lock;
	case 12:
		*size = sizeof(scope->name) + sizeof(scope->project) + sizeof(scope->profile);
		return scope->name;
	default:
		*size = offsetof(struct ps_scope, name);
		return scope;
	}
}

/* A head that is right but for what the input says of it. */
static void put_head(struct fuzz *f, uint16_t number)
{
	size_t size;
	uint64_t *head = head_of(number, &size);
	uint8_t how = (uint8_t)fuzz_take(f, 1);
	struct ps_record *r = record_of(number, &size);

	*head = head_make(space.env->id, how & 4 ? number : numbers[how >> 5 & 3], (enum ps_state)(how & 3));
	r->run = how & 8 ? OUTER : RUN;
	r->inode = how & 16 ? 7 : 8;
	r->owner = process_self();
	r->protocols = PS_TCP;
	r->at = PS_AT_ANY4;
}

static void damage(struct fuzz *f)
{
	while (f->at < f->end) {
		uint8_t which = (uint8_t)fuzz_take(f, 1), number = (uint8_t)fuzz_take(f, 1);
		size_t at, size, count;
		uint8_t *to;

		if (which >= 0xf0) {
			put_head(f, numbers[number % COUNT(numbers)]);
			continue;
		}
		to = place(which, number, &size);
		at = fuzz_take(f, size > 256 ? 2 : 1) % size;
		count = fuzz_take(f, 1);
		while (count-- && at < size && f->at < f->end)
			to[at++] = (uint8_t)fuzz_take(f, 1);
	}
}

/* Files are written where the environment says, and removed. */
static void keep_inside(struct ps_scope *scope)
{
	size_t n = strlen(runtime);

	memcpy(scope->discovery, runtime, n);
	scope->discovery[n++] = '/';
	scope->discovery[n] = 'f';
	for (; n < sizeof(scope->discovery); n++)
		if (scope->discovery[n] == '/')
			scope->discovery[n] = '_';
}

static void cut(uint8_t which, uint16_t length)
{
	static const char *const names[] = {"run-00000017", "run-00000018", "host"};
	char path[PS_RUNTIME_MAX + 16];

	if (which % 8 >= COUNT(names))
		return;
	snprintf(path, sizeof(path), "%s/%s", runtime, names[which % 8]);
	if (length % 256 == 0)
		MUST(truncate(path, length % 512 ? 0 : (off_t)length * 16) == 0);
}

/* ---- reading ---- */

static void look_up(struct ps_space *s)
{
	bool listening;

	for (unsigned i = 0; i < COUNT(numbers); i++) {
		uint16_t forward = registry_forward(s, numbers[i]);

		if (forward)
			MUST(registry_sees(s, head_env(host_head_of_owned(s->host, forward))));
		registry_own(s, numbers[i]);
		registry_is_actual(s, numbers[i]);
		registry_foreign(s, numbers[i], &listening);
		registry_lost(s, numbers[i], PS_TCP);
	}
}

#define FENCE 4096

/* Behind the table is nothing that can be read: what has no end there is seen. Returns the fence. */
static void *fence(struct ps_space *s)
{
	const size_t size = sizeof(*s->host);
	uint8_t *at = mmap(NULL, size + FENCE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	MUST((void *)at != MAP_FAILED && mremap(s->host, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, at) == at);
	s->host = (void *)at;
	return at + size;
}

static void use(struct ps_space *s)
{
	static struct ps_keeper keeper;

	look_up(s);
	keeper = (struct ps_keeper){.space = s, .verbose = true};
	notices_update(&keeper);
	discovery_write(s, numbers[0]);
	registry_sweep(s->host, s->run, s->env, false);
	look_up(s);
	tidy_redraw(s);
}

static void list_all(void)
{
	struct ps_state_now state;
	struct ps_error error = {0};
	struct ps_host *host;

	memset(&state, 0, sizeof(state));
	if (state_read(&state, NULL, 0, &error) == 0)
		for (size_t i = 0; i < state.count; i++) {
			MUST(state.list[i].state == PS_HELD || state.list[i].state == PS_LISTENING);
			MUST(strlen(state.list[i].service) < sizeof(state.list[i].service));
			MUST(strlen(state.list[i].scheme) < sizeof(state.list[i].scheme));
		}
	else
		MUST(error.code && *error.text);
	host = state.host;
	state_free(&state);
	/* A process maps it once, and this one would have as many tables as it had inputs. */
	if (host)
		MUST(munmap(host, sizeof(*host)) == 0);
}

static void open_run(uint32_t id)
{
	char path[PS_RUNTIME_MAX + 16];
	struct ps_space s;
	struct ps_scope *scope;
	void *end;

	space_scope_path(runtime, id, path);
	if (space_open(&s, path) == 0) {
		MUST(s.depth <= PS_CHAIN_MAX + 1 && s.env_count <= s.depth && s.env);
		end = fence(&s);
		use(&s);
		space_close(&s);
		MUST(munmap(end, FENCE) == 0);
	}
	setenv("PORTSHIM_RUN", path, 1);
	scope = nest_outer(runtime);
	if (scope)
		space_close_scope(scope);
	unsetenv("PORTSHIM_RUN");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = {data, data + size};
	uint8_t which = (uint8_t)fuzz_take(&f, 1);
	uint16_t length = (uint16_t)fuzz_take(&f, 2);

	blind = which & 8;
	make_files();
	damage(&f);
	/* A lock whose owner does not let go costs two seconds. */
	if ((which & 0x8f) != 0x8f)
		for (uint32_t i = 0; i < space.depth; i++)
			memset((void *)&space.scope[i]->lock, 0, sizeof(space.scope[i]->lock));
	keep_inside(space.env);
	keep_inside(space.run);
	keep_inside(outer);
	/* By hand: what they say of their own size may be wrong by now. */
	sys2(SYS_munmap, outer, sizeof(*outer) + plan->size);
	for (uint32_t i = 0; i < space.depth; i++)
		sys2(SYS_munmap, space.scope[i], sizeof(struct ps_scope) + (space.scope[i] == space.env ? 0 : plan->size));
	sys2(SYS_munmap, space.host, sizeof(*space.host));
	cut(which, length);
	open_run(RUN);
	open_run(OUTER);
	if ((which & 0x70) == 0x70) /* slow: it goes through all ports */
		list_all();
	return 0;
}
