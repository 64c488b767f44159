/*
 * Theory of operation
 *
 * Everything that is shared lies in one directory of the user's, as files that are mapped whole and shared: the host
 * table, one file for an environment, one for a run. Files are made complete under a temporary name and then linked to
 * their real one, so that nobody ever sees half of one; who comes second finds EEXIST and uses the first's.
 *
 * A mapping outlives chroot, setuid, close-all-descriptors and the removal of the file, so no descriptor is kept.
 * Files are sparse: an environment with a few ports costs a few pages of memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <portshim/kernel.h>
#include <portshim/process.h>
#include <portshim/space.h>

#include "sys.h"
#include "text.h"

#define ENV_PROBES 16 /* more environments with one 31-bit hash than anybody will have */
#define NAME_ROOM 32 /* for "/env-XXXXXXXX" and the temporary names */

_Static_assert(offsetof(struct ps_scope, actual) == 4096 && offsetof(struct ps_scope, forward) % 4096 == 0, "on pages of their own");
/* Where pages have 16 KiB or more, space_poke's hole must be refused: it would take what lies beside it. */
_Static_assert(offsetof(struct ps_scope, nudge) % 4096 == 0 && offsetof(struct ps_scope, nudge) % 16384 != 0, "space_poke");
_Static_assert(offsetof(struct ps_host, record) % 4096 == 0, "as in registry.c");
_Static_assert(sizeof(struct ps_record) == 128, "records do not straddle pages");

static uid_t me(void)
{
	return (uid_t)sys0(SYS_geteuid);
}

static long open_at(const char *path, int flags, unsigned mode)
{
	return sys_again(sys4(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC | O_NOFOLLOW, mode));
}

static void join(char *path, unsigned long size, const char *directory, const char *name)
{
	struct ps_text t = text_start(path, size);

	text_add(&t, directory);
	text_char(&t, '/');
	text_add(&t, name);
	text_end(&t);
}

/* ---- the runtime directory ---- */

static const char *variable(char *const *environment, const char *name)
{
	const char *value = NULL;

	for (; environment && *environment && !value; environment++)
		value = text_value(*environment, name);
	return value;
}

/* Makes the directory if it is missing, and accepts it only as the caller's own and closed to others. */
static int usable(const char *path)
{
	struct stat st;
	long result = sys_again(sys3(SYS_mkdirat, AT_FDCWD, path, 0700));

	if (result < 0 && result != -EEXIST)
		return (int)result;
	result = sys_again(sys4(SYS_newfstatat, AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW));
	if (result < 0)
		return (int)result;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if (st.st_uid != me())
		return -EPERM;
	if (st.st_mode & 077)
		return -EACCES;
	return 0;
}

static void user_directory(char *path, const char *prefix)
{
	struct ps_text t = text_start(path, PS_RUNTIME_MAX);

	text_add(&t, prefix);
	text_add(&t, "/portshim-");
	text_number(&t, (uint64_t)sys0(SYS_geteuid));
	text_end(&t);
}

/* A network namespace is a host of its own, with a table of its own. */
static int enter_netns(char *path)
{
	struct ps_text t = text_start(path, PS_RUNTIME_MAX);
	uint64_t netns = kernel_netns(-1);

	if (!netns)
		return -ENOBUFS;
	t.at += text_length(path);
	text_add(&t, "/net-");
	text_number(&t, netns);
	text_end(&t);
	return t.cut ? -ENAMETOOLONG : usable(path);
}

int space_runtime(char *directory, char *const *environment)
{
	const char *chosen = variable(environment, "PORTSHIM_RUNTIME_DIR");
	const char *xdg = variable(environment, "XDG_RUNTIME_DIR");
	char path[PS_RUNTIME_MAX];
	int error, first;

	if (chosen && *chosen) {
		error = text_copy(path, sizeof(path), chosen) ? 0 : -ENAMETOOLONG;
		if (!error)
			error = *chosen == '/' ? usable(path) : -EINVAL;
		goto out;
	}
	user_directory(path, "/dev/shm");
	first = error = usable(path);
	if (error && xdg && *xdg == '/' && text_length(xdg) < PS_RUNTIME_MAX - NAME_ROOM) {
		join(path, sizeof(path), xdg, "portshim");
		error = usable(path);
	}
	if (error) {
		user_directory(path, "/tmp");
		error = usable(path);
	}
	if (error) {
		error = first;
		user_directory(path, "/dev/shm");
	} else {
		error = enter_netns(path);
	}
out:
	text_copy(directory, PS_RUNTIME_MAX, path);
	return error;
}

void space_scope_path(const char *runtime, uint32_t id, char *path)
{
	struct ps_text t = text_start(path, PS_RUNTIME_MAX + 16);

	text_add(&t, runtime);
	text_add(&t, id & PS_ENV_BIT ? "/env-" : "/run-");
	text_hex(&t, id, 8);
	text_end(&t);
}

/* ---- mapping and making files ---- */

/* Another version's files may be shorter. What all versions have in common is that they begin with magic and format. */
static bool is_anothers(long fd)
{
	uint32_t start[2] = {0};

	return sys_again(sys4(SYS_pread64, fd, start, sizeof(start), 0)) == sizeof(start) &&
	       (start[0] == PS_HOST_MAGIC || start[0] == PS_SCOPE_MAGIC) && start[1] != PS_ABI;
}

/* Maps a file of this user's of at least `minimum` bytes. *size: how many it has. */
static int map_file(const char *path, uid_t user, uint64_t minimum, void **memory, uint64_t *size)
{
	struct stat st;
	long fd = open_at(path, O_RDWR | O_NONBLOCK, 0); /* nor for a lease on it (fcntl(2)) does anybody wait here */
	long result;

	if (fd < 0)
		return (int)fd;
	result = sys_again(sys4(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH));
	if (result == 0 && !S_ISREG(st.st_mode))
		result = -EINVAL;
	if (result == 0 && (st.st_uid != user || st.st_mode & 077))
		result = -EPERM;
	if (result == 0 && (uint64_t)st.st_size < minimum)
		result = is_anothers(fd) ? -EPROTO : -EINVAL;
	if (result == 0) {
		result = sys6(SYS_mmap, 0, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (result > 0 || result < -4095) {
			*memory = (void *)result;
			*size = (uint64_t)st.st_size;
			result = 0;
		}
	}
	sys1(SYS_close, fd);
	return (int)result;
}

static void unmap(void *memory, uint64_t size)
{
	sys2(SYS_munmap, memory, size);
}

static uint32_t random_id(void)
{
	uint32_t id = 0;

	if (sys3(SYS_getrandom, &id, sizeof(id), GRND_NONBLOCK) != sizeof(id))
		id = (uint32_t)process_self() * 2654435761u ^ (uint32_t)(uintptr_t)&id ^ (uint32_t)sys_time();
	return id;
}

uint64_t space_pass(void)
{
	uint64_t pass;

	do
		pass = (uint64_t)random_id() << 32 | random_id();
	while (!pass_upper(pass) || pass_upper(pass) == UINT32_MAX);
	return pass;
}

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* -EINVAL: the kernel is older than Linux 5.14. */
static long populate(void *memory, uint64_t size)
{
	long result = sys_again(sys3(SYS_madvise, memory, size, MADV_POPULATE_WRITE));

	return result == -EFAULT ? -ENOSPC : result; /* EFAULT: it would have been a SIGBUS */
}

/* Pages that were stored to are mapped several at a time by those who read them later (Linux: fault-around); pages that
 * fallocate(2) has provided are not. */
static long allocate(long fd, void *memory, uint64_t offset, uint64_t size)
{
	long result = populate((uint8_t *)memory + offset, size);

	return result == -EINVAL ? sys_again(sys4(SYS_fallocate, fd, 0, offset, size)) : result;
}

static long map_new(long fd, uint64_t size, uint64_t allocated, uint64_t tail, void **memory)
{
	long result = sys6(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (result < 0 && result >= -4095)
		return result;
	*memory = (void *)result;
	result = allocate(fd, *memory, 0, allocated);
	if (result == 0 && tail)
		result = allocate(fd, *memory, size - tail, tail);
	if (result)
		unmap(*memory, size);
	return result;
}

/* A file of `size` bytes under a temporary name, mapped; its first `allocated` bytes and its last `tail` are allocated. */
static int make_temporary(const char *runtime, char *name, uint64_t size, uint64_t allocated, uint64_t tail, void **memory)
{
	struct ps_text t = text_start(name, PS_RUNTIME_MAX + NAME_ROOM);
	long fd, result;

	text_add(&t, runtime);
	text_add(&t, "/tmp-");
	text_hex(&t, random_id(), 8);
	text_hex(&t, (uint32_t)sys0(SYS_gettid), 8);
	text_end(&t);
	fd = open_at(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		return (int)fd;
	result = sys_again(sys2(SYS_ftruncate, fd, size));
	if (result == 0)
		result = map_new(fd, size, allocated, tail, memory);
	sys1(SYS_close, fd);
	if (result)
		sys_again(sys3(SYS_unlinkat, AT_FDCWD, name, 0));
	return (int)result;
}

/* Gives a finished file its name. -EEXIST: another process was first; the memory is unmapped then. */
static int give_name(const char *temporary, const char *path, void *memory, uint64_t size)
{
	long result = sys_again(sys5(SYS_linkat, AT_FDCWD, temporary, AT_FDCWD, path, 0));

	sys_again(sys3(SYS_unlinkat, AT_FDCWD, temporary, 0));
	if (result)
		unmap(memory, size);
	return (int)result;
}

/* ---- the host table ---- */

static int make_host(const char *runtime, const char *path, struct ps_host **host)
{
	char temporary[PS_RUNTIME_MAX + NAME_ROOM];
	struct ps_host *h;
	void *memory;
	uint64_t netns = kernel_netns(-1);
	int error = netns ? make_temporary(runtime, temporary, sizeof(*h), PS_HOST_ALLOCATED, 0, &memory) : -ENOBUFS;

	if (error)
		return error;
	h = memory;
	h->magic = PS_HOST_MAGIC;
	h->abi = PS_ABI;
	h->netns = netns;
	text_copy(h->maker, sizeof(h->maker), PORTSHIM_VERSION);
	error = give_name(temporary, path, h, sizeof(*h));
	if (!error)
		*host = h;
	return error;
}

static int map_host(const char *runtime, uid_t user, struct ps_host **host)
{
	char path[PS_RUNTIME_MAX + NAME_ROOM];
	uint64_t size;
	void *memory;
	int error;

	join(path, sizeof(path), runtime, "host");
	error = map_file(path, user, sizeof(struct ps_host), &memory, &size);
	if (!error)
		*host = memory;
	return error;
}

static int check_host(const struct ps_host *host, int fd)
{
	uint64_t netns;

	if (host->magic != PS_HOST_MAGIC)
		return -EINVAL;
	if (host->abi != PS_ABI)
		return -EPROTO;
	netns = kernel_netns(fd);
	return netns && host->netns && netns != host->netns ? -EXDEV : 0;
}

int space_open_host(const char *runtime, struct ps_host **host)
{
	char path[PS_RUNTIME_MAX + NAME_ROOM];
	struct ps_host *h;
	int error = map_host(runtime, me(), &h);

	if (error == -ENOENT) {
		join(path, sizeof(path), runtime, "host");
		error = make_host(runtime, path, &h);
		if (error == -EEXIST)
			error = map_host(runtime, me(), &h);
	}
	if (error)
		return error;
	error = check_host(h, -1);
	if (error)
		unmap(h, sizeof(*h));
	else
		*host = h;
	return error;
}

/* ---- scopes ---- */

uint32_t space_hash(const char *text)
{
	uint32_t hash = 2166136261u; /* FNV-1a, then mixed so that similar names differ in all bits */

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 16777619u;
	hash ^= hash >> 16;
	hash *= 0x7feb352du;
	hash ^= hash >> 15;
	return hash;
}

/* FNV-1a, 64 bits. Never 0. */
static uint64_t key_hash(const char *key)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (; *key; key++)
		hash = (hash ^ (unsigned char)*key) * UINT64_C(1099511628211);
	return hash ? hash : 1;
}

int space_find_env(const char *runtime, const char *key, uint32_t *id, struct ps_scope **scope)
{
	uint32_t first = space_hash(key);
	uint64_t wanted = key_hash(key);
	int error = -ENOENT;

	for (uint32_t i = 0; i < ENV_PROBES; i++) {
		struct ps_scope *found;

		*id = (first + i) | PS_ENV_BIT;
		error = space_open_scope(runtime, *id, &found);
		if (error)
			break;
		if (found->key == wanted) {
			*scope = found;
			return 0;
		}
		space_close_scope(found);
		error = -EADDRNOTAVAIL;
	}
	return error;
}

uint32_t space_env_id(const char *runtime, const char *key)
{
	struct ps_scope *scope;
	uint32_t id;

	if (space_find_env(runtime, key, &id, &scope) == 0)
		space_close_scope(scope);
	return id;
}

static int check_scope(const struct ps_scope *s, uint32_t id, uint64_t size)
{
	if (s->magic != PS_SCOPE_MAGIC)
		return -EINVAL;
	if (s->abi != PS_ABI)
		return -EPROTO;
	if (s->id != id || size - sizeof(*s) < s->plan_size)
		return -EINVAL;
	/* Strings are copied to where their fields' sizes fit. */
	return s->name[sizeof(s->name) - 1] || s->project[sizeof(s->project) - 1] || s->profile[sizeof(s->profile) - 1] ||
			       s->directory[sizeof(s->directory) - 1] || s->discovery[sizeof(s->discovery) - 1]
		       ? -EINVAL
		       : 0;
}

static int map_scope(const char *runtime, uid_t user, uint32_t id, struct ps_scope **scope, uint64_t *size)
{
	char path[PS_RUNTIME_MAX + 16];
	void *memory;
	int error;

	space_scope_path(runtime, id, path);
	error = map_file(path, user, sizeof(struct ps_scope), &memory, size);
	if (!error)
		*scope = memory;
	return error;
}

int space_open_scope(const char *runtime, uint32_t id, struct ps_scope **scope)
{
	struct ps_scope *s;
	uint64_t size;
	int error = map_scope(runtime, me(), id, &s, &size);

	if (error)
		return error;
	error = check_scope(s, id, size);
	if (error)
		unmap(s, size);
	else
		*scope = s;
	return error;
}

void space_close_scope(struct ps_scope *scope)
{
	/* An environment may not have been looked into. It has no plan, whatever it says. */
	bool is_run = scope && scope->magic == PS_SCOPE_MAGIC && scope->abi == PS_ABI && !(scope->id & PS_ENV_BIT);

	if (scope)
		unmap(scope, sizeof(*scope) + (is_run ? scope->plan_size : 0));
}

int space_unlink_scope(const char *runtime, uint32_t id)
{
	char path[PS_RUNTIME_MAX + 16];

	space_scope_path(runtime, id, path);
	return (int)sys_again(sys3(SYS_unlinkat, AT_FDCWD, path, 0));
}

static int describe(struct ps_scope *s, const struct ps_scope_spec *spec, uint32_t id, uint32_t env)
{
	bool fits;

	s->magic = PS_SCOPE_MAGIC;
	s->abi = PS_ABI;
	s->id = id;
	s->env = env;
	s->flags = spec->flags;
	s->root = spec->root;
	s->pass = spec->pass;
	s->key = spec->key ? key_hash(spec->key) : 0;
	s->created = sys_time();
	s->plan_size = spec->plan_size;
	memcpy(s->chain, spec->chain, sizeof(s->chain));
	if (spec->plan_size)
		memcpy(s + 1, spec->plan, spec->plan_size);
	fits = text_copy(s->name, sizeof(s->name), spec->name ? spec->name : "") &&
	       text_copy(s->project, sizeof(s->project), spec->project ? spec->project : "") &&
	       text_copy(s->profile, sizeof(s->profile), spec->profile ? spec->profile : "") &&
	       text_copy(s->directory, sizeof(s->directory), spec->directory ? spec->directory : "") &&
	       text_copy(s->discovery, sizeof(s->discovery), spec->discovery ? spec->discovery : "");
	return fits ? 0 : -ENAMETOOLONG;
}

static int make_scope(const char *runtime, const struct ps_scope_spec *spec, uint32_t id, uint32_t env,
		      struct ps_scope **scope)
{
	uint64_t size = sizeof(struct ps_scope) + spec->plan_size;
	char temporary[PS_RUNTIME_MAX + NAME_ROOM];
	char path[PS_RUNTIME_MAX + 16];
	void *memory;
	uint64_t allocated = id & PS_ENV_BIT ? PS_ENV_ALLOCATED : PS_RUN_ALLOCATED;
	int error = make_temporary(runtime, temporary, size, allocated, spec->plan_size, &memory);

	if (error)
		return error;
	error = describe(memory, spec, id, env);
	if (error) {
		unmap(memory, size);
		sys_again(sys3(SYS_unlinkat, AT_FDCWD, temporary, 0));
		return error;
	}
	space_scope_path(runtime, id, path);
	error = give_name(temporary, path, memory, size);
	if (!error)
		*scope = memory;
	return error;
}

int space_open_env(const char *runtime, const struct ps_scope_spec *spec, struct ps_scope **scope)
{
	struct ps_host *host;
	uint32_t id;
	int error = space_find_env(runtime, spec->key, &id, scope);

	if (error != -ENOENT)
		return error;
	/* Not in another version's registry: there its own files would be missed. */
	error = space_open_host(runtime, &host);
	if (error)
		return error;
	unmap(host, sizeof(*host));
	error = make_scope(runtime, spec, id, id, scope);
	return error == -EEXIST ? space_find_env(runtime, spec->key, &id, scope) : error;
}

/* A run inside a run of the same environment has the outer run before its environment. */
static uint32_t own_env(const uint32_t *chain)
{
	for (int i = 0; i < PS_CHAIN_MAX && chain[i]; i++)
		if (chain[i] & PS_ENV_BIT)
			return chain[i];
	return 0;
}

/* The processes of a run only ever map the table. */
static int provide_host(const char *runtime)
{
	char path[PS_RUNTIME_MAX + NAME_ROOM];
	struct ps_host *host;
	int error;

	join(path, sizeof(path), runtime, "host");
	if (sys_again(sys3(SYS_faccessat, AT_FDCWD, path, 0)) == 0)
		return 0;
	error = space_open_host(runtime, &host);
	if (!error)
		unmap(host, sizeof(*host));
	return error;
}

int space_create_run(const char *runtime, const struct ps_scope_spec *spec, char *path, struct ps_scope **scope)
{
	int error = provide_host(runtime);

	if (error)
		return error;
	error = -EEXIST;
	for (int tries = 0; error == -EEXIST && tries < 100; tries++) {
		uint32_t id = random_id() & ~PS_ENV_BIT;

		if (id == 0)
			continue;
		error = make_scope(runtime, spec, id, own_env(spec->chain), scope);
		if (!error)
			space_scope_path(runtime, id, path);
	}
	return error;
}

/* ---- the space of a process ---- */

static bool hex_id(const char *text, uint32_t *id)
{
	*id = 0;
	for (int i = 0; i < 8; i++) {
		unsigned digit;

		if (text[i] >= '0' && text[i] <= '9')
			digit = (unsigned)(text[i] - '0');
		else if (text[i] >= 'a' && text[i] <= 'f')
			digit = (unsigned)(text[i] - 'a' + 10);
		else
			return false;
		*id = *id << 4 | digit;
	}
	return text[8] == '\0';
}

int space_split(const char *path, char *runtime, uint32_t *id)
{
	unsigned long length = text_length(path);
	const unsigned long tail = sizeof("/run-12345678") - 1;

	if (length < tail + 1 || length - tail >= PS_RUNTIME_MAX || path[0] != '/')
		return -EINVAL;
	if (!hex_id(path + length - 8, id) ||
	    strncmp(path + length - tail, *id & PS_ENV_BIT ? "/env-" : "/run-", 5) != 0)
		return -EINVAL;
	memcpy(runtime, path, length - tail);
	runtime[length - tail] = '\0';
	return 0;
}

static void add_scope(struct ps_space *space, struct ps_scope *scope, uint32_t id, uint32_t env)
{
	uint32_t i;

	/* An environment has no plan, and is not looked into yet. */
	space->plan_size[space->depth] = id & PS_ENV_BIT ? 0 : scope->plan_size;
	space->scope[space->depth++] = scope;
	for (i = 0; i < space->env_count && space->envs[i] != env; i++)
		;
	if (i == space->env_count)
		space->envs[space->env_count++] = env;
	if (id == space->run->env)
		space->env = scope;
}

/* The id of an environment says all about it, so its pages stay untouched until space_verify: each first touch is a
 * page fault in every process that starts. */
static int map_chain(struct ps_space *s, uid_t user)
{
	for (int i = 0; i < PS_CHAIN_MAX && s->run->chain[i]; i++) {
		uint32_t id = s->run->chain[i];
		struct ps_scope *scope;
		uint64_t size;
		int error = id & PS_ENV_BIT ? map_scope(s->runtime, user, id, &scope, &size)
					    : space_open_scope(s->runtime, id, &scope);

		/* An outer run may be over by now: then it has nothing that a client could reach. */
		if (error == 0)
			add_scope(s, scope, id, id & PS_ENV_BIT ? id : scope->env);
		else if (error != -ENOENT)
			return error;
	}
	return s->env ? 0 : -ENOENT;
}

int space_map(struct ps_space *space, const char *run_path)
{
	struct ps_space s = {0};
	uid_t user = me();
	uint32_t id;
	int error = space_split(run_path, s.runtime, &id);

	if (!error)
		error = id & PS_ENV_BIT ? -EINVAL : space_open_scope(s.runtime, id, &s.run);
	if (!error)
		error = map_host(s.runtime, user, &s.host);
	if (!error) {
		add_scope(&s, s.run, id, s.run->env);
		error = map_chain(&s, user);
	}
	if (error)
		space_close(&s);
	else
		*space = s;
	return error;
}

/* A run was looked at when it was mapped. An environment must be one that the run names: its file may say anything. */
static int check_chained(const struct ps_scope *run, const struct ps_scope *scope)
{
	uint32_t id = scope->id;
	int i = 0;

	while (i < PS_CHAIN_MAX && run->chain[i] != id)
		i++;
	if (i == PS_CHAIN_MAX || !id)
		return check_scope(scope, ~id, sizeof(*scope)); /* why not */
	return id & PS_ENV_BIT ? check_scope(scope, id, sizeof(*scope)) : 0;
}

int space_verify(struct ps_space *space, int fd)
{
	const struct ps_plan *plan = (const struct ps_plan *)(space->run + 1);
	int error = check_host(space->host, fd);

	for (uint32_t i = 1; i < space->depth && !error; i++)
		error = check_chained(space->run, space->scope[i]);
	if (!error && space->run->plan_size) {
		if (plan_fits(plan, space->run->plan_size))
			space->plan = plan;
		else
			error = -EINVAL;
	}
	return error;
}

int space_open(struct ps_space *space, const char *run_path)
{
	struct ps_space s;
	int error = space_map(&s, run_path);

	if (error)
		return error;
	error = space_verify(&s, -1);
	if (error)
		space_close(&s);
	else
		*space = s;
	return error;
}

void space_close(struct ps_space *space)
{
	if (!space->depth)
		space_close_scope(space->run);
	while (space->depth) {
		space->depth--;
		unmap(space->scope[space->depth], sizeof(struct ps_scope) + space->plan_size[space->depth]);
	}
	if (space->host)
		unmap(space->host, sizeof(*space->host));
	memset(space, 0, sizeof(*space));
}

int space_culprit(const char *runtime, uint32_t id, char *path)
{
	struct ps_host *host;
	struct ps_scope *scope, *other;
	int error = map_host(runtime, me(), &host);

	if (!error) {
		error = check_host(host, -1);
		unmap(host, sizeof(*host));
	}
	if (error) {
		join(path, PS_RUNTIME_MAX + 16, runtime, "host");
		return error;
	}
	error = space_open_scope(runtime, id, &scope);
	for (int i = 0; !error && i < PS_CHAIN_MAX && scope->chain[i]; i++) {
		int its = space_open_scope(runtime, scope->chain[i], &other);

		if (its == 0) {
			space_close_scope(other);
		} else if (its != -ENOENT || scope->chain[i] == scope->env) {
			id = scope->chain[i];
			space_close_scope(scope);
			scope = NULL;
			error = its;
			break;
		}
	}
	if (!error)
		space_close_scope(scope);
	space_scope_path(runtime, id, path);
	return error;
}

int space_reserve(struct ps_space *space, const void *address)
{
	uintptr_t page = (uintptr_t)address / 4096;
	_Atomic uintptr_t *known = &space->reserved[page % PS_RESERVED];
	long result = -EINVAL;

	if (atomic_load_explicit(known, memory_order_relaxed) == page)
		return 0;
	/* Where the kernel has larger pages, 16 or 64 KiB, it takes the beginning of one only. */
	for (uintptr_t size = 4096; result == -EINVAL && size <= 65536; size *= 4)
		result = populate((void *)((uintptr_t)address & ~(size - 1)), 4096);
	if (result && result != -EINVAL)
		return (int)result;
	atomic_store_explicit(known, page, memory_order_relaxed);
	return 0;
}

void space_poke(const char *runtime, struct ps_scope *scope)
{
	char path[PS_RUNTIME_MAX + 16];

	space_scope_path(runtime, scope->id, path);
	/* A server that has become another user, or has another root directory, does not get at the file, but has it mapped: to
	 * make a hole where a hole is changes nothing, and counts as a change (madvise(2): MADV_REMOVE is a fallocate(2); Linux
	 * mm/madvise.c, fs/open.c). Pages larger than 4 KiB do not begin there: the kernel refuses. */
	if (sys_again(sys4(SYS_utimensat, AT_FDCWD, path, 0, 0)) < 0)
		sys3(SYS_madvise, scope->nudge, sizeof(scope->nudge), MADV_REMOVE);
}
