/*
 * world.c - see world.h.
 *
 * Theory of operation: a test that linked the shim would be its own subject, so all that is looked at is done by
 * programs (act.c, portshim); this process only looks. It links the core, so that it can read the host table itself
 * and need not believe `portshim status`. Programs are started with three pipes: one that they report to, one whose
 * end of file says go on, and one whose end of file ends them.
 */
#include "world.h"

#include <arpa/inet.h>
#include <cjson/cJSON.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <portshim/process.h>

#include "../check.h"

#define PATIENCE_MS 90000
#define TEXT 262144

extern char **environ;
static char directory_of_all[64], program[PS_PATH_MAX], library[PS_PATH_MAX], actor[PS_PATH_MAX];

/* ---- the machine ---- */

static bool loopback_up(void)
{
	struct ifreq r = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool good = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &r) == 0;

	r.ifr_flags |= IFF_UP;
	good = good && ioctl(fd, SIOCSIFFLAGS, &r) == 0;
	if (fd >= 0)
		close(fd);
	return good;
}

static void put_line(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, text, strlen(text)) < 0)
			errno = 0;
		close(fd);
	}
}

bool world_own_network(void)
{
	char line[64];
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (uid == 0 && unshare(CLONE_NEWNET) == 0)
		return loopback_up();
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
		return false;
	snprintf(line, sizeof(line), "%u %u 1", uid, uid);
	put_line("/proc/self/setgroups", "deny");
	put_line("/proc/self/uid_map", line);
	snprintf(line, sizeof(line), "%u %u 1", gid, gid);
	put_line("/proc/self/gid_map", line);
	return loopback_up();
}

uint64_t world_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void world_path(char *to, size_t size, const char *directory, const char *name)
{
	if (snprintf(to, size, "%s/%s", directory, name) >= (int)size) {
		fprintf(stderr, "a path is too long: %s/%s\n", directory, name);
		exit(3);
	}
}

bool world_start(void)
{
	const char *build = getenv("PORTSHIM_TEST_BUILD");

	if (!build) {
		printf("not ok: PORTSHIM_TEST_BUILD names no directory\n");
		return false;
	}
	world_path(program, sizeof(program), build, "portshim");
	world_path(library, sizeof(library), build, "libportshim.so");
	world_path(actor, sizeof(actor), build, "tests/race/act");
	signal(SIGPIPE, SIG_IGN);
	/* Nobody whom we start outlives us. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	strcpy(directory_of_all, "/dev/shm/portshim-race.XXXXXX");
	if (!mkdtemp(directory_of_all)) {
		strcpy(directory_of_all, "/tmp/portshim-race.XXXXXX");
		if (!mkdtemp(directory_of_all))
			return false;
	}
	return true;
}

/* Removes everything in it; directories have a depth of three at most. */
static void remove_tree(const char *path, int depth)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	char name[WORLD_PATH + 256];

	while (directory && depth < 5 && (entry = readdir(directory))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (unlink(name) != 0)
			remove_tree(name, depth + 1);
	}
	if (directory)
		closedir(directory);
	rmdir(path);
}

void world_end(void)
{
	remove_tree(directory_of_all, 0);
}

/* ---- worlds ---- */

bool world_new_run(struct world *w, int place)
{
	struct place *p = &w->place[place];
	struct ps_scope_spec spec = {.directory = p->directory, .name = "x", .project = "x", .chain = {p->env->id},
				     .root = process_self(), .plan = p->plan, .plan_size = p->plan ? p->plan->size : 0};

	space_close_scope(p->run);
	p->run = NULL;
	return space_create_run(w->runtime, &spec, p->run_path, &p->run) == 0;
}

bool world_empty(struct world *w, int places)
{
	static unsigned serial;
	char name[16];

	memset(w, 0, sizeof(*w));
	w->place = calloc((size_t)places, sizeof(*w->place));
	if (!w->place)
		return false;
	w->places = places;
	snprintf(name, sizeof(name), "%u", ++serial);
	world_path(w->base, sizeof(w->base), directory_of_all, name);
	if (mkdir(w->base, 0700))
		return false;
	world_path(w->runtime, sizeof(w->runtime), w->base, "run");
	if (mkdir(w->runtime, 0700))
		return false;
	for (int i = 0; i < w->places; i++) {
		snprintf(name, sizeof(name), "place%d", i);
		world_path(w->place[i].directory, sizeof(w->place[i].directory), w->base, name);
		world_path(w->place[i].discovery, sizeof(w->place[i].discovery), w->place[i].directory,
			   ".portshim/ports.json");
		if (mkdir(w->place[i].directory, 0700))
			return false;
	}
	return true;
}

bool world_map(struct world *w)
{
	if (space_open_host(w->runtime, &w->host))
		return false;
	for (int i = 0; i < w->places; i++) {
		struct place *p = &w->place[i];
		char key[WORLD_PATH + 8];
		struct ps_scope_spec spec = {.key = key, .name = strrchr(p->directory, '/') + 1, .project = "x",
					     .directory = p->directory, .discovery = p->discovery};

		snprintf(key, sizeof(key), "dir:%s", p->directory);
		if (space_open_env(w->runtime, &spec, &p->env) || !world_new_run(w, i))
			return false;
	}
	return true;
}

bool world_new(struct world *w, int places)
{
	return world_empty(w, places) && world_map(w);
}

void world_free(struct world *w)
{
	for (int i = 0; i < w->places; i++) {
		space_close_scope(w->place[i].run);
		space_close_scope(w->place[i].env);
	}
	if (w->host)
		munmap(w->host, sizeof(*w->host));
	remove_tree(w->base, 0);
	free(w->place);
	memset(w, 0, sizeof(*w));
}

/* ---- programs ---- */

static void enter(const struct world *w, int place, const char *directory)
{
	setenv("PORTSHIM_RUNTIME_DIR", w->runtime, 1);
	unsetenv("PORTSHIM_RUN");
	unsetenv("LD_PRELOAD");
	if (place >= 0) {
		setenv("PORTSHIM_RUN", w->place[place].run_path, 1);
		setenv("LD_PRELOAD", library, 1);
		directory = w->place[place].directory;
	}
	if (directory && chdir(directory))
		_exit(126);
}

/* In the child: the ends at the numbers that act knows. Our own are close-on-exec and above them. */
static void take_ends(int reports, int go, int end)
{
	if (dup2(reports, ACT_REPORT) < 0 || dup2(go, ACT_GO) < 0 || dup2(end, ACT_END) < 0)
		_exit(126);
}

int world_pipe(int ends[2])
{
	int low[2];

	if (pipe2(low, O_CLOEXEC))
		return -1;
	for (int i = 0; i < 2; i++) {
		ends[i] = fcntl(low[i], F_DUPFD_CLOEXEC, 20);
		close(low[i]);
	}
	return ends[0] < 0 || ends[1] < 0 ? -1 : 0;
}

pid_t world_exec(struct world *w, int place, char *const *argv, void (*before)(void), int reports, int go, int end)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	take_ends(reports, go, end);
	enter(w, place, place < 0 ? w->place[0].directory : NULL);
	if (before)
		before();
	execv(strcmp(argv[0], "act") == 0 ? actor : strcmp(argv[0], "portshim") == 0 ? program : argv[0], argv);
	_exit(127);
}

bool world_spawn(struct world *w, int place, char *const *argv, void (*before)(void), struct server *s)
{
	int reports[2], go[2], end[2];

	*s = (struct server){.place = place, .reports = -1, .go = -1, .end = -1};
	if (world_pipe(reports) || world_pipe(go) || world_pipe(end))
		return false;
	s->pid = world_exec(w, place, argv, before, reports[1], go[0], end[0]);
	close(reports[1]);
	close(go[0]);
	close(end[0]);
	s->reports = reports[0];
	s->go = go[1];
	s->end = end[1];
	return s->pid > 0;
}

bool world_report(struct server *s, struct act_report *r)
{
	struct pollfd p = {.fd = s->reports, .events = POLLIN};
	int ready;

	do
		ready = poll(&p, 1, PATIENCE_MS);
	while (ready < 0 && errno == EINTR);
	return ready == 1 && read(s->reports, r, sizeof(*r)) == sizeof(*r);
}

void world_forget(struct server *s)
{
	for (int *fd = (int[3]){s->reports, s->go, s->end}, i = 0; i < 3; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	s->reports = s->go = s->end = -1;
}

void world_stop(struct server *s, bool hard)
{
	if (hard && s->pid > 0)
		kill(s->pid, SIGKILL);
	world_forget(s);
	if (s->pid > 0)
		waitpid(s->pid, NULL, 0);
	s->pid = 0;
}

bool world_serve(struct world *w, int place, int number, const char *kind, int port, struct server *s)
{
	char first[32], second[32];
	bool udp = strstr(kind, "udp") != NULL;
	char *argv[] = {(char[]){"act"}, first, second, udp ? (char[]){"serve"} : (char[]){"listen"},
			udp ? NULL : (char[]){"serve"}, NULL};

	snprintf(first, sizeof(first), "number:%d", number);
	snprintf(second, sizeof(second), "%s:%d", kind, port);
	if (!world_spawn(w, place, argv, NULL, s))
		return false;
	s->protocols = udp ? PS_UDP : PS_TCP;
	if (!world_report(s, &s->at) || s->at.kind != ACT_READY)
		return false;
	s->actual = world_port_of(s->at.inode);
	return s->actual != 0;
}

int world_ask(struct world *w, int place, const char *kind, int port)
{
	char step[48];
	char *argv[] = {(char[]){"act"}, step, NULL};
	struct act_report r;
	struct server s;
	int result = -ETIME;

	snprintf(step, sizeof(step), "client:%s:%d", kind, port);
	if (world_spawn(w, place, argv, NULL, &s) && world_report(&s, &r))
		result = r.kind == ACT_CLIENT ? r.error ? -r.error : r.answer : -EPROTO;
	world_stop(&s, result == -ETIME);
	return result;
}

int world_command(struct world *w, const char *directory, char *const *argv, char *text, size_t size)
{
	int out[2], status = -1;
	size_t used = 0;
	ssize_t got;
	pid_t pid;

	if (world_pipe(out))
		return -1;
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		enter(w, -1, directory);
		dup2(out[1], 1);
		dup2(null, 0);
		dup2(null, 2);
		execv(program, argv);
		_exit(127);
	}
	close(out[1]);
	while (used + 1 < size && (got = read(out[0], text + used, size - 1 - used)) > 0)
		used += (size_t)got;
	text[used] = '\0';
	close(out[0]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* ---- what is true ---- */

struct wrong {
	char *text;
	size_t size, used;
};

static void wrong(struct wrong *x, const char *format, ...)
{
	va_list list;
	int n;

	va_start(list, format);
	n = vsnprintf(x->text + x->used, x->size - x->used, format, list);
	va_end(list);
	if (n > 0 && x->used + (size_t)n < x->size)
		x->used += (size_t)n;
}

struct search {
	uint32_t inode;
	uint16_t port;
};

static bool by_inode(const struct ps_listener *l, void *context)
{
	struct search *s = context;

	if (l->inode == s->inode)
		s->port = l->port;
	return !s->port;
}

uint16_t world_port_of(uint32_t inode)
{
	struct search s = {.inode = inode};

	kernel_listeners(0, PS_TCP | PS_UDP, by_inode, &s);
	return s.port;
}

struct ports {
	struct server *list;
	int count;
	uint16_t *found; /* by server */
};

static bool note_port(const struct ps_listener *l, void *context)
{
	struct ports *p = context;

	for (int i = 0; i < p->count; i++)
		if (p->list[i].at.inode == l->inode)
			p->found[i] = l->port;
	return true;
}

void world_ports(struct server *servers, int count)
{
	struct ports p = {servers, count, calloc((size_t)count + 1, sizeof(uint16_t))};

	kernel_listeners(0, PS_TCP | PS_UDP, note_port, &p);
	for (int i = 0; i < count; i++)
		servers[i].actual = p.found[i];
	free(p.found);
}

/* They still have the ports that they had. */
static void judge_kernel(struct wrong *x, const struct server *servers, int count)
{
	struct server *copy = calloc((size_t)count + 1, sizeof(*copy));

	memcpy(copy, servers, (size_t)count * sizeof(*copy));
	world_ports(copy, count);
	for (int i = 0; i < count; i++)
		if (copy[i].actual != servers[i].actual || !copy[i].actual)
			wrong(x, " %u of %d does not listen;", servers[i].actual, servers[i].at.pid);
	free(copy);
}

static const struct server *server_at(const struct server *servers, int count, uint16_t port, int place)
{
	for (int i = 0; i < count; i++)
		if (servers[i].actual == port && servers[i].place >= 0 && (place < 0 || servers[i].place == place))
			return &servers[i];
	return NULL;
}

static char *read_text(const char *path)
{
	static char text[TEXT];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return NULL;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

bool world_is_whole(const char *path)
{
	char *text = read_text(path);
	cJSON *json = text ? cJSON_ParseWithOpts(text, NULL, 1) : NULL;
	bool whole = !text || (cJSON_IsObject(json) && cJSON_IsObject(cJSON_GetObjectItem(json, "services")));

	cJSON_Delete(json);
	return whole;
}

static int number(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItem(object, name);

	return cJSON_IsNumber(item) ? item->valueint : -1;
}

/* One entry, of a discovery file or of status --json. */
static void judge_entry(struct wrong *x, const cJSON *entry, const struct server *servers, int count, int place,
			bool *seen)
{
	int port = number(entry, "port");
	const struct server *s = server_at(servers, count, (uint16_t)port, place);
	const cJSON *protocol = cJSON_GetObjectItem(entry, "protocol");
	const char *want;

	if (!s) {
		wrong(x, " lists %d, where nothing of it is;", port);
		return;
	}
	want = s->protocols == PS_UDP ? "udp" : s->protocols == PS_TCP ? "tcp" : "tcp+udp";
	seen[s - servers] = true;
	if (number(entry, "requested") != s->at.requested)
		wrong(x, " says that %d was %d, not %u;", port, number(entry, "requested"), s->at.requested);
	if (number(entry, "process_id") != s->at.pid)
		wrong(x, " says that %d is of %d, not %d;", port, number(entry, "process_id"), s->at.pid);
	if (!cJSON_IsString(protocol) || strcmp(protocol->valuestring, want) != 0)
		wrong(x, " says that %d is not %s;", port, want);
}

static void all_seen(struct wrong *x, const struct server *servers, int count, int place, const bool *seen)
{
	for (int i = 0; i < count; i++)
		if (servers[i].place >= 0 && (place < 0 || servers[i].place == place) && !seen[i])
			wrong(x, " does not have %u -> %u of %d;", servers[i].at.requested, servers[i].actual,
			      servers[i].at.pid);
}

static void judge_discovery(struct wrong *x, struct world *w, int place, const struct server *servers, int count)
{
	char *text = read_text(w->place[place].discovery);
	cJSON *json = text ? cJSON_ParseWithOpts(text, NULL, 1) : NULL, *services, *entry;
	bool *seen = calloc((size_t)count + 1, sizeof(*seen));

	wrong(x, " the file of %d", place);
	if (text && !json)
		wrong(x, " is broken;");
	services = cJSON_GetObjectItem(json, "services");
	cJSON_ArrayForEach(entry, services)
		judge_entry(x, entry, servers, count, place, seen);
	all_seen(x, servers, count, place, seen);
	cJSON_Delete(json);
	free(seen);
}

static void judge_status(struct wrong *x, struct world *w, const struct server *servers, int count)
{
	static char text[TEXT * 4];
	char *argv[] = {(char[]){"portshim"}, (char[]){"status"}, (char[]){"--all"}, (char[]){"--json"}, NULL};
	int code = world_command(w, w->base, argv, text, sizeof(text));
	cJSON *json = cJSON_Parse(text), *list = cJSON_GetObjectItem(json, "assignments"), *entry;
	bool *seen = calloc((size_t)count + 1, sizeof(*seen));

	wrong(x, " status");
	if (code != 0 && code != 1)
		wrong(x, " ended with %d;", code);
	if (!cJSON_IsArray(list))
		wrong(x, " lists nothing;");
	cJSON_ArrayForEach(entry, list) {
		const cJSON *state = cJSON_GetObjectItem(entry, "state");

		if (cJSON_IsString(state) && strcmp(state->valuestring, "listening") == 0)
			judge_entry(x, entry, servers, count, -1, seen);
		else if (cJSON_IsTrue(cJSON_GetObjectItem(entry, "alive")))
			wrong(x, " says that %d is held by the living %d;", number(entry, "port"),
			      number(entry, "process_id"));
	}
	all_seen(x, servers, count, -1, seen);
	cJSON_Delete(json);
	free(seen);
}

/* A port that its run does not find again is lost to it. */
static void judge_held(struct wrong *x, struct world *w, uint16_t port, uint64_t head)
{
	for (int i = 0; i < w->places; i++) {
		const struct ps_scope *run = w->place[i].run;

		if (run && run->id == w->host->record[port].run && scope_hint(run, head_requested(head)) != port)
			wrong(x, " has %u held for %u, and the run has not;", port, head_requested(head));
	}
}

static void judge_table(struct wrong *x, struct world *w, const struct server *servers, int count)
{
	bool *seen = calloc((size_t)count + 1, sizeof(*seen));

	wrong(x, " the table");
	FOR_EACH_SET(port, w->host->owned) {
		uint64_t head = host_head(w->host, (uint16_t)port);
		const struct ps_record *r = &w->host->record[port];
		const struct server *s = server_at(servers, count, (uint16_t)port, -1);

		if (head_state(head) == PS_CLAIMED)
			wrong(x, " has a claim of %u;", port);
		if (head_state(head) >= PS_HELD &&
		    (port != head_requested(head)) != shared_bit(w->host->moved, (uint16_t)port))
			wrong(x, " has the wrong bit for the moved %u -> %u;", head_requested(head), port);
		if (head_state(head) == PS_HELD)
			judge_held(x, w, (uint16_t)port, head);
		if (head_state(head) != PS_LISTENING)
			continue;
		if (!s) {
			wrong(x, " has a listener on %u;", port);
			continue;
		}
		seen[s - servers] = true;
		if (head_env(head) != w->place[s->place].env->id || head_requested(head) != s->at.requested)
			wrong(x, " has %u for another;", port);
		if (process_pid(r->owner) != s->at.pid || r->inode != s->at.inode)
			wrong(x, " has %u of pid %d inode %u, not of %d %u;", port, process_pid(r->owner), r->inode,
			      s->at.pid, s->at.inode);
	}
	all_seen(x, servers, count, -1, seen);
	free(seen);
}

bool world_is_true(struct world *w, const struct server *servers, int count, char *why, size_t size)
{
	struct wrong x = {why, size, 0};

	why[0] = '\0';
	judge_status(&x, w, servers, count);
	judge_table(&x, w, servers, count);
	for (int i = 0; i < w->places; i++)
		judge_discovery(&x, w, i, servers, count);
	judge_kernel(&x, servers, count);
	return strchr(why, ';') == NULL;
}

pid_t world_dead_pid(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	return pid;
}

void world_age(struct world *w)
{
	const struct timespec past[2] = {{.tv_sec = time(NULL) - 60}, {.tv_sec = time(NULL) - 60}};
	DIR *directory = opendir(w->runtime);
	struct dirent *entry;
	struct ps_scope *run;

	while (directory && (entry = readdir(directory))) {
		if (strncmp(entry->d_name, "run-", 4) == 0 &&
		    space_open_scope(w->runtime, (uint32_t)strtoul(entry->d_name + 4, NULL, 16), &run) == 0) {
			if (run->root == process_self())
				run->root = process_unstarted(world_dead_pid());
			run->created -= 60;
			space_close_scope(run);
		} else if (strncmp(entry->d_name, "tmp-", 4) == 0) {
			utimensat(dirfd(directory), entry->d_name, past, 0);
		}
	}
	if (directory)
		closedir(directory);
}

/* Names in a directory that begin so (or contain it). */
static void none_of(struct wrong *x, const char *path, const char *part)
{
	DIR *directory = opendir(path);
	struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (strstr(entry->d_name, part))
			wrong(x, " %s is left;", entry->d_name);
	if (directory)
		closedir(directory);
}

static void judge_lock(struct wrong *x, struct ps_lock *lock, const char *name)
{
	struct ps_lock_guard guard;
	struct rusage before, after;
	uint64_t start = world_now_ms();

	getrusage(RUSAGE_THREAD, &before);
	if (!lock_enter(lock, &guard)) {
		wrong(x, " the lock of %s is not to be had;", name);
		return;
	}
	lock_leave(lock, &guard);
	/* Not late by having slept is late by the machine. */
	getrusage(RUSAGE_THREAD, &after);
	if (world_now_ms() - start >= PS_LOCK_PATIENCE_MS && after.ru_nvcsw != before.ru_nvcsw)
		wrong(x, " the lock of %s came late;", name);
}

bool world_is_clean(struct world *w, char *why, size_t size)
{
	struct wrong x = {why, size, 0};
	char path[WORLD_PATH + 16];

	why[0] = '\0';
	judge_status(&x, w, NULL, 0);
	wrong(&x, " in the table");
	FOR_EACH_SET(port, w->host->owned)
		if (host_head(w->host, (uint16_t)port))
			wrong(&x, " %u is %u;", port, head_state(host_head(w->host, (uint16_t)port)));
	wrong(&x, " of files");
	none_of(&x, w->runtime, "tmp-");
	none_of(&x, w->runtime, "run-");
	for (int i = 0; i < w->places; i++) {
		world_path(path, sizeof(path), w->place[i].directory, ".portshim");
		none_of(&x, path, "tmp-");
		none_of(&x, path, ".json");
		judge_lock(&x, &w->place[i].env->lock, "an environment");
		judge_lock(&x, &w->place[i].run->lock, "a run");
	}
	return strchr(why, ';') == NULL;
}
