/*
 * laws.c - runs, environments and sockets for the tests of the laws.
 */
#include <dirent.h>
#include <fcntl.h>

#include "laws.h"

#include "../../src/cli/manifest.h"
#include "../../src/core/sys.h"

#define SPACES 16
#define FDS 64

static char runtime[PS_RUNTIME_MAX];
static struct ps_space spaces[SPACES];
static unsigned space_count;
static int fds[FDS];
static unsigned fd_count;
static int (*kernel_bind)(int, const struct sockaddr *, socklen_t);

static struct {
	int error;
	uint16_t first, last;
	unsigned left;
} refusal;

/* ---- a kernel that refuses ---- */

static int refusing_bind(int fd, const struct sockaddr *address, socklen_t length)
{
	uint16_t port = ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);

	if (refusal.left && port >= refusal.first && port <= refusal.last) {
		refusal.left--;
		errno = refusal.error;
		return -1;
	}
	return kernel_bind(fd, address, length);
}

void refuse_bind(int error, uint16_t first, uint16_t last, unsigned count)
{
	refusal.error = error;
	refusal.first = first;
	refusal.last = last;
	refusal.left = count;
}

/* ---- each test's ---- */

int laws_setup(void **state)
{
	const char *parent = getenv("PORTSHIM_RUNTIME_DIR");

	(void)state;
	snprintf(runtime, sizeof(runtime), "%s/laws-XXXXXX", parent && *parent ? parent : "/dev/shm");
	assert_non_null(mkdtemp(runtime));
	if (!kernel_bind)
		kernel_bind = real.bind;
	real.bind = refusing_bind;
	/* The hooks need not ask a socket for its protocol in a process that has only TCP ones. */
	fds[fd_count++] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return 0;
}

int laws_teardown(void **state)
{
	struct dirent *entry;
	DIR *directory;

	(void)state;
	act_for(NULL);
	refusal.left = 0;
	real.bind = kernel_bind;
	while (fd_count)
		close(fds[--fd_count]);
	while (space_count) {
		space_close(&spaces[--space_count]);
		free((void *)spaces[space_count].plan);
	}
	directory = opendir(runtime); /* now: some of the descriptors were closed before, and are others' by now */
	while (directory && (entry = readdir(directory)))
		unlinkat(dirfd(directory), entry->d_name, 0);
	if (directory)
		closedir(directory);
	return rmdir(runtime);
}

/* ---- runs ---- */

static struct ps_plan *compile(const char *services)
{
	struct ps_diagnostics found = {0};
	struct ps_error error = {0};
	struct ps_manifest *m = NULL;
	struct ps_plan *plan;
	char path[PS_RUNTIME_MAX + 32];
	FILE *file;

	snprintf(path, sizeof(path), "%s/ports.manifest.json", runtime);
	file = fopen(path, "w");
	assert_non_null(file);
	fprintf(file, "{\"version\":1,\"services\":%s}", services);
	assert_int_equal(fclose(file), 0);
	if (manifest_load(&m, path, NULL, &found, &error) != 0)
		fail_msg("%s: %s", services, found.count ? found.list[0].text : error.text);
	plan = manifest_compile(m, NULL);
	assert_non_null(plan);
	manifest_free(m);
	diagnostics_free(&found);
	return plan;
}

static struct ps_space *make(const char *environment, uint32_t flags, const char *manifest, uint32_t other)
{
	char key[PS_NAME_MAX + 8], discovery[PS_PATH_MAX], path[PS_RUNTIME_MAX + 16];
	struct ps_space *space = &spaces[space_count++];
	struct ps_plan *plan = manifest ? compile(manifest) : NULL;
	struct ps_scope_spec of_env = {.key = key, .name = environment, .discovery = discovery};
	struct ps_scope_spec of_run = {.flags = flags, .root = process_self(), .plan = plan};
	struct ps_scope *env, *run;

	assert_true(space_count <= SPACES);
	snprintf(key, sizeof(key), "name:%s", environment);
	snprintf(discovery, sizeof(discovery), "%s/%s.json", runtime, environment);
	assert_int_equal(space_open_env(runtime, &of_env, &env), 0);
	of_run.plan_size = plan ? plan->size : 0;
	of_run.chain[0] = env->id;
	of_run.chain[1] = other;
	assert_int_equal(space_create_run(runtime, &of_run, path, &run), 0);
	space_close_scope(env);
	space_close_scope(run);
	free(plan);
	assert_int_equal(space_open(space, path), 0);
	return space;
}

struct ps_space *run_in(const char *environment, uint32_t flags, const char *manifest)
{
	return make(environment, flags, manifest, 0);
}

struct ps_space *run_that_sees(const char *environment, uint32_t other)
{
	return make(environment, 0, NULL, other);
}

void act_for(struct ps_space *space)
{
	static struct ps_direct direct;
	static struct ps_caller caller = {.calls = &shim_calls, .direct = &direct};

	caller.space = space;
	shim_active = space ? &caller : NULL;
}

struct ps_space *acts_for(void)
{
	return shim_active ? shim_active->space : NULL;
}

/* ---- sockets ---- */

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int keep(int fd)
{
	assert_true(fd >= 0 && fd_count < FDS);
	fds[fd_count++] = fd;
	return fd;
}

static bool is_free(uint16_t port)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	bool is = true;

	for (int type = SOCK_STREAM; type <= SOCK_DGRAM && is; type++) {
		int fd = (int)sys3(SYS_socket, AF_INET6, type | SOCK_CLOEXEC, 0);

		is = fd < 0 || sys3(SYS_bind, fd, &any, sizeof(any)) == 0;
		close(fd);
	}
	return is;
}

uint16_t free_numbers(unsigned count)
{
	for (unsigned tries = 0; tries < 1000; tries++) {
		uint32_t first = 10000 + (uint32_t)(process_self() ^ sys_time() * 7919 ^ (uint32_t)rand()) % 9000;
		unsigned n = 0;

		while (n < count && is_free((uint16_t)(first + n)))
			n++;
		if (n == count)
			return (uint16_t)first;
	}
	fail_msg("no free numbers");
	return 0;
}

int bound_with(int option, int type, uint16_t port)
{
	struct sockaddr_in a = loopback(port);
	int fd = keep(socket(AF_INET, type | SOCK_CLOEXEC, 0)), one = 1;

	if (option)
		assert_int_equal(setsockopt(fd, SOL_SOCKET, option, &one, sizeof(one)), 0);
	return bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 ? fd : -1;
}

int bound(int type, uint16_t port)
{
	return bound_with(0, type, port);
}

int server(int type, uint16_t port)
{
	int fd = bound(type, port);

	assert_true(fd >= 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 16), 0);
	return fd;
}

int stranger(int type, uint16_t port)
{
	struct ps_space *before = acts_for();
	int fd;

	act_for(NULL);
	fd = server(type, port);
	act_for(before);
	return fd;
}

static uint16_t port_of(const struct sockaddr_in *a)
{
	return ntohs(a->sin_port);
}

int reach(int type, uint16_t port, uint16_t *reached)
{
	struct sockaddr_in a = loopback(port), peer = {0};
	socklen_t length = sizeof(peer);
	int fd = keep(socket(AF_INET, type | SOCK_CLOEXEC, 0));

	*reached = 0;
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0)
		return errno;
	assert_int_equal(sys3(SYS_getpeername, fd, &peer, &length), 0);
	*reached = port_of(&peer);
	return 0;
}

uint16_t actual_of(int fd)
{
	struct sockaddr_in a = {0};
	socklen_t length = sizeof(a);

	assert_int_equal(sys3(SYS_getsockname, fd, &a, &length), 0);
	return port_of(&a);
}

uint16_t shown_of(int fd)
{
	struct sockaddr_in a = {0};
	socklen_t length = sizeof(a);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &length), 0);
	return port_of(&a);
}

const struct ps_record *record_of(const struct ps_space *space, uint16_t actual)
{
	return &space->host->record[actual];
}

enum ps_state state_of(const struct ps_space *space, uint16_t actual)
{
	return head_state(host_head(space->host, actual));
}

enum ps_event_kind last_event(const struct ps_space *space, uint16_t *port)
{
	uint32_t n = space->run->events;
	const struct ps_event *event = &space->run->event[n % PS_EVENTS];

	if (!n)
		return PS_EVENT_NONE;
	*port = event->port;
	return (enum ps_event_kind)event->kind;
}
