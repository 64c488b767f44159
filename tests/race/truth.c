/* truth.c - see truth.h. */
#include "truth.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <portshim/discovery.h>
#include <portshim/process.h>

#define TEXT 262144

static bool wrong(struct truth *t, const char *format, ...)
{
	va_list list;
	int n;

	va_start(list, format);
	n = vsnprintf(t->why + t->used, t->size - t->used, format, list);
	va_end(list);
	if (n > 0 && t->used + (size_t)n < t->size)
		t->used += (size_t)n;
	return false;
}

/* ---- reading ---- */

static void *grown(void *list, int count, int *room, size_t size)
{
	if (count < *room)
		return list;
	*room = *room ? *room * 2 : 256;
	list = realloc(list, (size_t)*room * size);
	if (!list)
		abort();
	return list;
}

static bool note_listener(const struct ps_listener *l, void *context)
{
	struct truth *t = context;
	const struct board_socket *s = board_socket(t->board, l->inode, false);
	struct fact *f;

	t->fact = grown(t->fact, t->count, &t->room, sizeof(*t->fact));
	f = &t->fact[t->count++];
	*f = (struct fact){
		.inode = l->inode, .port = l->port, .protocol = l->protocol, .family = l->family, .who = -1
	};
	if (s) {
		f->who = s->who;
		f->requested = (uint16_t)(s->port ? s->port : l->port);
		f->client = !s->port && l->protocol == PS_UDP;
	}
	return true;
}

static void note_open(struct truth *t, pid_t pid, const char *name)
{
	char path[64], link[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd/%.20s", (int)pid, name);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 9 || memcmp(link, "socket:[", 8) != 0)
		return;
	link[n] = '\0';
	t->open = grown(t->open, t->opened, &t->open_room, sizeof(*t->open));
	t->open[t->opened++] = (struct open_socket){ (uint32_t)strtoul(link + 8, NULL, 10), pid };
}

static void note_descriptors(struct truth *t, pid_t pid)
{
	char path[64];
	DIR *directory;
	struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	directory = opendir(path);
	while (directory && (entry = readdir(directory)))
		if (isdigit((unsigned char)entry->d_name[0]))
			note_open(t, pid, entry->d_name);
	if (directory)
		closedir(directory);
}

void truth_read(struct truth *t)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	t->count = t->opened = 0;
	kernel_listeners(0, PS_TCP | PS_UDP, note_listener, t);
	while (proc && (entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]))
			note_descriptors(t, atoi(entry->d_name));
	if (proc)
		closedir(proc);
}

void truth_free(struct truth *t)
{
	free(t->fact);
	free(t->open);
	t->fact = NULL;
	t->open = NULL;
	t->room = t->open_room = 0;
}

/* ---- sockets and records ---- */

static bool is_env_of(const struct truth *t, int who, uint32_t id)
{
	const struct world *w = t->world;

	if (who < PRIVATE_FROM)
		return who > 0 && who <= w->places && w->place[who - 1].env->id == id;
	for (int i = 0; i < w->places; i++)
		if (w->place[i].env->id == id)
			return false;
	return true;
}

static pid_t holder(const struct truth *t, uint32_t inode)
{
	for (int i = 0; i < t->opened; i++)
		if (t->open[i].inode == inode)
			return t->open[i].pid;
	return 0;
}

static bool judge_socket(struct truth *t, const struct fact *f)
{
	uint64_t head = host_head(t->world->host, f->port);
	const struct ps_record *r = &t->world->host->record[f->port];

	if (head_state(head) != PS_LISTENING)
		return wrong(t, " %u (%u of %d, %s, inode %u) is open in %d, its record says %u (inode %u);", f->port,
			     f->requested, f->who, f->protocol == PS_UDP ? "udp" : "tcp", f->inode,
			     (int)holder(t, f->inode), head_state(head), r->inode);
	if (!is_env_of(t, f->who, head_env(head)))
		return wrong(t, " %u of %d is recorded as another environment's;", f->port, f->who);
	if (head_requested(head) != f->requested)
		return wrong(t, " %u asked for %u, recorded as %u;", f->port, f->requested, head_requested(head));
	if (!(r->protocols & f->protocol))
		return wrong(t, " %u lacks the protocol %u;", f->port, f->protocol);
	if (r->listeners < 2 && r->inode != f->inode)
		return wrong(t, " %u has inode %u, recorded as %u;", f->port, f->inode, r->inode);
	return true;
}

bool truth_of_sockets(struct truth *t)
{
	size_t before = t->used;

	for (int i = 0; i < t->count; i++) {
		if (t->fact[i].who < 0)
			wrong(t, " nobody says whose inode %u on %u is;", t->fact[i].inode, t->fact[i].port);
		else if (t->fact[i].who != UNMANAGED && !t->fact[i].client)
			judge_socket(t, &t->fact[i]);
	}
	return t->used == before;
}

static void judge_record(struct truth *t, uint16_t port, uint64_t head)
{
	const struct ps_record *r = &t->world->host->record[port];
	uint8_t own = 0, others = 0;

	for (int i = 0; i < t->count; i++) {
		const struct fact *f = &t->fact[i];

		if (f->port != port)
			continue;
		if (f->who > UNMANAGED && !f->client && is_env_of(t, f->who, head_env(head)))
			own |= f->protocol;
		else
			others |= f->protocol;
	}
	/* Several sockets are told from an unmanaged one only by their user: see docs/limits.md. */
	if (!own && !(others && r->listeners > 1))
		wrong(t, " %u -> %u of pid %d is recorded (%u, inode %u), and nobody (%u) listens;",
		      head_requested(head), port, process_pid(r->owner), r->listeners, r->inode, others);
	else if ((own & ~r->protocols) || (r->protocols & ~(own | others)))
		wrong(t, " %u has protocols %u, recorded are %u;", port, own, r->protocols);
	else if (own && !process_alive(r->owner)) /* it may have closed the socket that others have of it */
		wrong(t, " %u is recorded as of pid %d, which is dead;", port, process_pid(r->owner));
	if ((port != head_requested(head)) != shared_bit(t->world->host->moved, port))
		wrong(t, " %u has the wrong bit in `moved`;", port);
}

/* Clients that ask for the port are sent to one that listens. */
static void judge_hint(struct truth *t, uint64_t head)
{
	const struct ps_host *host = t->world->host;

	for (int i = 0; i < t->world->places; i++) {
		const struct ps_scope *env = t->world->place[i].env;
		uint16_t hint;

		if (env->id != head_env(head))
			continue;
		hint = scope_hint(env, head_requested(head));
		if (host_head(host, hint) != head)
			wrong(t, " place %d sends its clients for %u to %u;", i, head_requested(head), hint);
	}
}

bool truth_of_table(struct truth *t)
{
	size_t before = t->used;

	FOR_EACH_SET(port, t->world->host->owned)
	{
		uint64_t head = host_head(t->world->host, (uint16_t)port);

		if (head_state(head) == PS_CLAIMED)
			wrong(t, " a claim of %u is left;", port);
		if (head_state(head) != PS_LISTENING)
			continue;
		judge_record(t, (uint16_t)port, head);
		judge_hint(t, head);
	}
	return t->used == before;
}

/* ---- files ---- */

static cJSON *read_json(const char *path, bool *there)
{
	static char text[TEXT];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	*there = fd >= 0;
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0 ? cJSON_ParseWithOpts(text, NULL, 1) : NULL;
}

static int number(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItem(object, name);

	return cJSON_IsNumber(item) ? item->valueint : -1;
}

static void judge_entry(struct truth *t, const struct ps_scope *env, const cJSON *entry)
{
	int port = number(entry, "port");
	uint64_t head = port > 0 && port < (int)PS_PORTS ? host_head(t->world->host, (uint16_t)port) : 0;
	const cJSON *protocol = cJSON_GetObjectItem(entry, "protocol");
	const struct ps_record *r = &t->world->host->record[port > 0 ? port : 0];
	const char *want = r->protocols == PS_UDP ? "udp" : r->protocols == PS_TCP ? "tcp" : "tcp+udp";

	if (head_state(head) != PS_LISTENING || head_env(head) != env->id)
		wrong(t, " %s has %d, which is not recorded;", env->name, port);
	else if (number(entry, "requested") != head_requested(head) ||
		 number(entry, "process_id") != process_pid(r->owner) || !cJSON_IsString(protocol) ||
		 strcmp(protocol->valuestring, want) != 0)
		wrong(t, " %s says %d -> %d %s of %d, the record %u %s of %d;", env->name, number(entry, "requested"),
		      port, cJSON_IsString(protocol) ? protocol->valuestring : "?", number(entry, "process_id"),
		      head_requested(head), want, process_pid(r->owner));
}

static void judge_file(struct truth *t, const struct ps_scope *env)
{
	bool there, listed[PS_PORTS] = { false };
	cJSON *json = read_json(env->discovery, &there), *services = cJSON_GetObjectItem(json, "services"), *entry;

	if (there && !cJSON_IsObject(services))
		wrong(t, " the discovery file of %s is broken;", env->name);
	if (there && cJSON_IsObject(services) && !services->child)
		wrong(t, " the discovery file of %s is empty;", env->name);
	cJSON_ArrayForEach(entry, services)
	{
		judge_entry(t, env, entry);
		listed[number(entry, "port") & 0xffff] = true;
	}
	FOR_EACH_SET(port, t->world->host->owned)
	{
		uint64_t head = host_head(t->world->host, (uint16_t)port);

		if (head_state(head) == PS_LISTENING && head_env(head) == env->id && !listed[port])
			wrong(t, " the discovery file of %s lacks %u -> %u;", env->name, head_requested(head), port);
	}
	cJSON_Delete(json);
}

/* Calls `each` for every scope whose file's name begins so. */
static void each_scope(struct truth *t, const char *prefix, void (*each)(struct truth *, const struct ps_scope *))
{
	DIR *directory = opendir(t->world->runtime);
	struct dirent *entry;
	struct ps_scope *scope;

	while (directory && (entry = readdir(directory))) {
		if (strncmp(entry->d_name, prefix, 4) != 0 || strlen(entry->d_name) != 12 ||
		    space_open_scope(t->world->runtime, (uint32_t)strtoul(entry->d_name + 4, NULL, 16), &scope))
			continue;
		each(t, scope);
		space_close_scope(scope);
	}
	if (directory)
		closedir(directory);
}

bool truth_of_files(struct truth *t)
{
	size_t before = t->used;

	each_scope(t, "env-", judge_file);
	return t->used == before;
}

/* A service's own file is there when the service is, and names one of its servers. */
bool truth_of_services(struct truth *t, int place, const char *service, const char *path)
{
	const struct ps_host *host = t->world->host;
	uint32_t env = t->world->place[place].env->id;
	bool there, served = false, named = false;
	cJSON *json = read_json(path, &there);
	size_t before = t->used;

	FOR_EACH_SET(port, host->owned)
	{
		uint64_t head = host_head(host, (uint16_t)port);

		if (head_state(head) != PS_LISTENING || head_env(head) != env ||
		    strcmp(host->record[port].service, service) != 0)
			continue;
		served = true;
		named |= number(json, "port") == (int)port &&
			 number(json, "process_id") == process_pid(host->record[port].owner);
	}
	if (served && !there)
		wrong(t, " the file of %s in place %d is not there;", service, place);
	else if (there && !served)
		wrong(t, " the file of %s in place %d names %d, and it does not run;", service, place,
		      number(json, "port"));
	else if (there && !named)
		wrong(t, " the file of %s in place %d names %d of %d, which is not it;", service, place,
		      number(json, "port"), number(json, "process_id"));
	cJSON_Delete(json);
	return t->used == before;
}

static void judge_run(struct truth *t, const struct ps_scope *run)
{
	for (int i = 0; i < PS_EVENTS; i++) {
		uint16_t kind = run->event[i].kind;

		if (run->event[i].sequence && kind != PS_EVENT_REFUSED)
			wrong(t, " run %08x has event %u of port %u, error %d;", run->id, kind, run->event[i].port,
			      run->event[i].error);
	}
}

bool truth_of_runs(struct truth *t)
{
	size_t before = t->used;

	each_scope(t, "run-", judge_run);
	return t->used == before;
}
