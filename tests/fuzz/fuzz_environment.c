/*
 * fuzz_environment.c - any environment variables: as those that a process with the library is started with, and as
 * those that it starts another program with.
 *
 * init.c and complain.c are compiled here, so that their state can be put back, and so that an end of the process
 * and the line on stderr can be looked at. The rest of the shim is linked. An input is two environments, each a
 * sequence of variables: a byte that chooses the name, then the value up to a 0. There is a run whose path a value
 * may be.
 */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <unistd.h>

#include "../../src/core/sys.h"
#include "fuzz.h"

static long model_write(long number, long fd, const char *text, long size);
static long model_call(long number, long a);
#undef sys3
#define sys3(nr, a, b, c) model_write(nr, SYS_ARG(a), (const char *)SYS_ARG(b), SYS_ARG(c))
#undef sys1
#define sys1(nr, a) model_call(nr, SYS_ARG(a))
#include "../../src/shim/complain.c"
#include "../../src/shim/init.c"
#include "../../src/shim/preload.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define VARIABLES 12
#define VALUE_MAX 600

static char top[] = "/dev/shm/portshim-fuzz-XXXXXX";
static char good_run[PS_RUNTIME_MAX + 16];
static jmp_buf ended;
static unsigned lines;

/* ---- what must be true of what the library says ---- */

static long model_write(long number, long fd, const char *text, long size)
{
	if (number != SYS_write)
		return sys_call(number, fd, (long)text, size, 0, 0, 0);
	MUST(fd == 2);
	MUST(size > 10 && size < 4096 && memcmp(text, "portshim: ", 10) == 0);
	MUST(text[size - 1] == '\n' && !text[size]);
	lines++;
	return size;
}

static long model_call(long number, long a)
{
	MUST(number == SYS_exit_group && a == EXIT_STRICT);
	longjmp(ended, 1);
}

/* ---- the place ---- */

static void clear_away(void)
{
	DIR *directory = opendir(top);
	struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory)
		closedir(directory);
}

static void clear_all(void)
{
	clear_away();
	rmdir(top);
}

static void make_good_run(void)
{
	struct ps_scope_spec of_env = {.key = "name:a", .name = "a"}, of_run = {.chain = {0}};
	struct ps_scope *env, *run;

	MUST(space_open_env(top, &of_env, &env) == 0);
	of_run.chain[0] = env->id;
	MUST(space_create_run(top, &of_run, good_run, &run) == 0);
	space_close_scope(env);
	space_close_scope(run);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	MUST(mkdtemp(top) && chdir(top) == 0);
	make_good_run();
	atexit(clear_all);
	return 0;
}

/* ---- the environments ---- */

struct block {
	char *list[VARIABLES + 2];
	char text[VARIABLES + 1][VALUE_MAX + 64];
	unsigned count;
};

static void take_block(struct fuzz *f, struct block *b)
{
	static const char *const names[] = {"PORTSHIM_RUN=", "PORTSHIM_RUN=", "LD_PRELOAD=", "PORTSHIM=", "PORTSHIM_STRICT=",
					    "NODE_UNIQUE_ID=", "PATH=", "", "PORTSHIM_RUNTIME_DIR", "LD_PRELOAD"};
	static const char *const values[] = {NULL, "/usr/lib/libportshim.so", "/opt/a:/usr/lib/libportshim.so",
					     "off", "1", "0",
					     "", "/nowhere/run-00000001", "/run-00000001", "quiet"};
	unsigned n = (unsigned)fuzz_take(f, 1) % VARIABLES;

	snprintf(b->text[0], sizeof(b->text[0]), "PORTSHIM_RUNTIME_DIR=%s", top);
	b->list[0] = b->text[0];
	for (b->count = 1; b->count <= n && f->at < f->end; b->count++) {
		uint8_t which = (uint8_t)fuzz_take(f, 1);
		char *to = b->text[b->count];
		size_t used = (size_t)sprintf(to, "%s", names[which % COUNT(names)]);
		unsigned value = which / 16;

		if (value == 0)
			strcpy(to + used, good_run);
		else if (value < COUNT(values))
			strcpy(to + used, values[value]);
		else
			fuzz_string(f, to + used, VALUE_MAX);
		b->list[b->count] = to;
	}
	b->list[b->count] = NULL;
}

/* ---- what must be true of what a child gets ---- */

static const char *value_of(char *const *list, const char *name, unsigned *count)
{
	const char *found = NULL;

	for (*count = 0; *list; list++) {
		const char *value = text_value(*list, name);

		if (value) {
			found = value;
			++*count;
		}
	}
	return found;
}

static void check_fixed(const struct preload *p, const struct block *b, char *const *now)
{
	unsigned count, at = 0;
	const char *value = value_of(now, "LD_PRELOAD", &count);

	MUST(count == 1 && value && strstr(value, p->from->object));
	value = value_of(now, "PORTSHIM_RUN", &count);
	if (p->from->run) {
		MUST(count == 1);
	} else { /* what it says of a run stays: the second path may know it */
		value = value_of(now, "PORTSHIM", &count);
		MUST(value && text_equal(value, "quiet"));
	}
	for (unsigned i = 0; i < b->count; i++) {
		if (text_value(b->list[i], "LD_PRELOAD") || (p->from->run && text_value(b->list[i], "PORTSHIM_RUN")))
			continue;
		MUST(now[at++] == b->list[i]);
	}
	MUST(now[at] && now[at + 1] && !now[at + 2]);
}

static void start_child(const struct block *b)
{
	struct preload p;
	char *copy[VARIABLES + 4];

	preload_look(&p, b->list);
	if (!p.needed)
		return;
	MUST(p.count == b->count);
	preload_fill(&p, b->list, copy);
	check_fixed(&p, b, copy);
	/* A child of that environment passes it on as it is. */
	preload_look(&p, copy);
	MUST(!p.needed || !p.from->run);
}

static void forget(void)
{
	space_close(&space_memory);
	memset(&space_memory, 0, sizeof(space_memory));
	memset(&inheritance, 0, sizeof(inheritance));
	run_path[0] = library_path[0] = '\0';
	inherit = strict = abroad = false;
	atomic_store(&wanders, false);
	atomic_store(&mingles, false);
	atomic_store(&stage, STAGE_NEW);
	atomic_store(&shim_active, NULL);
	lines = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct block own, childs;
	static unsigned calls;
	struct fuzz f = {data, data + size};
	char **before = environ;

	if (++calls % 256 == 0) { /* runs that were made for processes without one */
		clear_away();
		make_good_run();
	}
	take_block(&f, &own);
	take_block(&f, &childs);
	forget();
	environ = own.list;
	if (setjmp(ended) == 0) {
		struct ps_caller *caller;
		struct ps_space *space;

		init(own.list);
		caller = shim_enter(-1);
		MUST(shim_enter(-1) == caller);
		space = caller ? caller->space : NULL;
		MUST(!caller || (space->host && space->run && space->env));
		start_child(&childs);
		start_child(&own);
	}
	MUST(lines <= 1);
	environ = before;
	return 0;
}
