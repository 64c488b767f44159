/*
 * Theory of operation
 *
 * The file is a picture of the host table, drawn anew each time something changes and put in place by renameat2(2), so
 * that a reader sees one whole picture or another. Two writers would race to it with pictures of different age, so the
 * environment's lock is held from the first look at the table to the rename. A writer that does not get the lock (its
 * owner is stopped) draws all the same: a record too early is better than none.
 *
 * A writer may be killed anywhere. What it has drawn so far has a name that the next writer of the environment uses as
 * well, and so takes away; and the environment remembers what its file shows as a hash of the records (`drawn`), so
 * that the next look sees that the file is out of date without reading it. While the file is being replaced that is
 * DRAWING, and after a writer without the lock UNSURE: another's picture may have been put in place before or after,
 * and be the older one. tests/model/discovery.pml goes through all orders of these steps.
 *
 * Nothing is allocated: the text goes through a buffer on the stack, one at a time, so that a thread with the smallest
 * stack that there is can listen (tests/company).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h> /* RENAME_EXCHANGE */
#include <string.h>
#include <sys/stat.h>

#include <portshim/discovery.h>
#include <portshim/process.h>

#include "sys.h"
#include "text.h"

#define BUFFER 4096
#define PATH_ROOM (PS_PATH_MAX + 32)

/* More than the longest entry: a key of 73 bytes that are all escaped (6 each), an URL of 128, five addresses of 48,
 * and the fixed parts. What is put between two calls of room() is never longer. */
#define ROOM 1280

struct output {
	long fd;
	int error;
	char *at;
	char buffer[BUFFER];
};

/* ---- output ---- */

static void flush(struct output *o)
{
	const char *from = o->buffer;

	while (from < o->at && !o->error) {
		long n = sys3(SYS_write, o->fd, from, o->at - from);

		if (n > 0)
			from += n;
		else if (n != -EINTR)
			o->error = n ? (int)n : -EIO;
	}
	o->at = o->buffer;
}

static void room(struct output *o)
{
	if (o->at > o->buffer + BUFFER - ROOM)
		flush(o);
}

/* A thousand entries are drawn while listen() waits, so fixed parts are copied by code that the compiler lays out. */
#define put(o, literal) (__builtin_memcpy((o)->at, literal, sizeof(literal) - 1), (o)->at += sizeof(literal) - 1)

/* A string that is known to need no escapes: our own words, addresses, numbers. */
static void put_plain(struct output *o, const char *s)
{
	char *at = o->at; /* a byte stored might be one of o->at, as far as the compiler knows */

	while (*s)
		*at++ = *s++;
	o->at = at;
}

static void put_number(struct output *o, uint64_t n)
{
	char digits[21];
	unsigned first = sizeof(digits) - 1;

	digits[first] = '\0';
	do {
		digits[--first] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	put_plain(o, digits + first);
}

/* The inside of a JSON string (RFC 8259, section 7). Bytes above 127 are passed on: names come from a manifest that was
 * checked to be UTF-8, or from directories, whose bytes are the user's own. */
static void put_escaped(struct output *o, const char *s)
{
	for (; *s; s++) {
		if (*s == '"' || *s == '\\') {
			*o->at++ = '\\';
			*o->at++ = *s;
		} else if ((unsigned char)*s < 0x20) {
			put(o, "\\u00");
			*o->at++ = "01"[*s >> 4];
			*o->at++ = "0123456789abcdef"[*s & 15];
		} else {
			*o->at++ = *s;
		}
	}
}

/* ---- names ---- */

const char *discovery_reason(enum ps_reason reason)
{
	static const char names[][16] = {"requested", "preferred", "sticky", "range", "default-range", "os",
					"ephemeral", "yielded", "inherited", "detected"};

	return (unsigned)reason < sizeof(names) / sizeof(names[0]) ? names[reason] : "unknown";
}

const char *discovery_state(enum ps_state state)
{
	static const char names[][16] = {"free", "claimed", "held", "listening"};

	return names[state & 3];
}

static const char *protocol_name(unsigned protocols)
{
	return protocols == PS_UDP ? "udp" : protocols == (PS_TCP | PS_UDP) ? "tcp+udp" : "tcp";
}

/* The host that a client on this machine would use: a name for what localhost reaches, else the address itself. */
static void host_text(struct ps_text *t, const uint8_t address[16], uint8_t at, bool in_url)
{
	char text[48];

	if (!(at & PS_AT_OTHER) || at & (PS_AT_ANY4 | PS_AT_ANY6 | PS_AT_LO4 | PS_AT_LO6)) {
		text_add(t, "localhost");
		return;
	}
	address_text(address, text);
	if (in_url && strchr(text, ':')) {
		text_char(t, '[');
		text_add(t, text);
		text_char(t, ']');
	} else {
		text_add(t, text);
	}
}

void discovery_url(char *text, const char *scheme, unsigned protocols, const uint8_t address[16], uint8_t at, uint16_t port)
{
	struct ps_text t = text_start(text, 128);

	if (!scheme || !*scheme)
		scheme = protocols == PS_UDP ? "udp" : "http";
	text_add(&t, scheme);
	text_add(&t, "://");
	host_text(&t, address, at, true);
	text_char(&t, ':');
	text_number(&t, port);
	text_end(&t);
}

/* ---- what a file shows, as a number ---- */

#define DRAWING 1
#define UNSURE 2

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 32;
}

static uint64_t mix_record(uint64_t hash, uint64_t head, uint16_t port, const struct ps_record *r)
{
	hash = mix(mix(hash, head), record_get(r, owner));
	hash = mix(hash, (uint64_t)record_get(r, run) << 32 | (uint64_t)port << 16 | (uint64_t)record_get(r, protocols) << 8 |
			     record_get(r, at));
	return hash <= UNSURE ? ~hash : hash;
}

/* ---- entries ---- */

static void put_address(struct output *o, bool *first, const char *text)
{
	if (*first)
		put(o, "\"");
	else
		put(o, ",\"");
	*first = false;
	put_plain(o, text);
	put(o, "\"");
}

static void put_addresses(struct output *o, const struct ps_record *r)
{
	uint8_t at = record_get(r, at);
	bool first = true;
	char text[48];

	if (at & PS_AT_ANY4)
		put_address(o, &first, "0.0.0.0");
	if (at & PS_AT_ANY6)
		put_address(o, &first, "::");
	if (at & PS_AT_LO4)
		put_address(o, &first, "127.0.0.1");
	if (at & PS_AT_LO6)
		put_address(o, &first, "::1");
	if (at & PS_AT_OTHER) {
		address_text(r->address, text);
		put_address(o, &first, text);
	}
}

/* The five keys that both kinds of file have, in this order. */
static void put_location(struct output *o, const struct ps_record *r, uint16_t port, const char *scheme, uint64_t time)
{
	uint8_t at = record_get(r, at);
	char text[128];
	struct ps_text t = text_start(text, sizeof(text));

	put(o, "\"port\":");
	put_number(o, port);
	host_text(&t, r->address, at, false);
	text_end(&t);
	put(o, ",\"host\":\"");
	put_plain(o, text);
	discovery_url(text, scheme, record_get(r, protocols), r->address, at, port);
	put(o, "\",\"url\":\"");
	put_plain(o, text);
	put(o, "\",\"timestamp\":");
	put_number(o, time);
	put(o, ",\"process_id\":");
	put_number(o, (uint64_t)process_pid(record_get(r, owner)));
}

struct drawing {
	struct output out;
	const struct ps_host *host;
	const struct ps_scope *env;
	const struct ps_plan *plan;
	uint64_t time;
	uint64_t digest; /* of what was drawn so far */
	bool first;
};

static void put_entry(struct drawing *d, const char *key, const char *scheme, uint16_t port, uint64_t head, bool inherited)
{
	const struct ps_record *r = &d->host->record[port];
	struct output *o = &d->out;

	room(o);
	if (!d->first)
		put(o, ",");
	d->first = false;
	put(o, "\n    \"");
	put_escaped(o, key);
	put(o, "\":{");
	put_location(o, r, port, scheme, d->time);
	put(o, ",\"requested\":");
	put_number(o, head_requested(head));
	put(o, ",\"protocol\":\"");
	put_plain(o, protocol_name(record_get(r, protocols)));
	put(o, "\",\"addresses\":[");
	put_addresses(o, r);
	put(o, "],\"reason\":\"");
	put_plain(o, discovery_reason(inherited ? PS_REASON_INHERITED : (enum ps_reason)record_get(r, reason)));
	put(o, "\",\"state\":\"");
	put_plain(o, discovery_state(head_state(head)));
	put(o, "\"}");
}

/* The service of this name that declares the port, in the plan of the run that draws. */
static const struct ps_service *declared(const struct ps_plan *plan, uint16_t requested, const char *name)
{
	const struct ps_plan_port *entry;
	uint32_t count = plan && *name ? plan_find(plan, requested, &entry) : 0;

	for (; count; count--, entry++) {
		const struct ps_service *s = plan_service(plan, entry->service);

		if (text_equal(plan_string(plan, s->name), name))
			return s;
	}
	return NULL;
}

/* The actual port that clients of the environment are sent to, if it is drawn and the service's; else 0. */
static uint16_t chosen_for(const struct drawing *d, uint16_t requested, const char *service)
{
	uint16_t port = scope_hint(d->env, requested);
	uint64_t head = port ? host_head(d->host, port) : 0;
	bool drawn = head_state(head) == PS_LISTENING && head_env(head) == d->env->id && head_requested(head) == requested;

	return drawn && text_equal(d->host->record[port].service, service) ? port : 0;
}

/* The same for the lowest of the service's ports that has one. */
static uint16_t chosen_of(const struct drawing *d, const struct ps_service *s)
{
	const uint16_t *ports = plan_ports(d->plan, s);
	uint16_t found = 0, lowest = 0, port;

	for (uint16_t i = 0; i < s->port_count; i++) {
		if (found && ports[i] > lowest)
			continue;
		port = chosen_for(d, ports[i], plan_string(d->plan, s->name));
		if (port) {
			found = port;
			lowest = ports[i];
		}
	}
	return found;
}

/* Where forward[] leads to none of them, or the plan does not have the service's port: all records are looked through. */
static uint16_t search_holder(const struct drawing *d, uint16_t port, uint64_t head)
{
	const char *service = d->host->record[port].service;
	uint16_t holder = port, requested = head_requested(head), better;
	const struct ps_service *s;

	FOR_EACH_SET(other, d->env->actual) {
		uint64_t its = host_head(d->host, other);

		if (head_state(its) != PS_LISTENING || head_env(its) != d->env->id ||
		    (!*service && head_requested(its) != requested) || !record_is_whole(&d->host->record[other]) ||
		    !text_equal(d->host->record[other].service, service))
			continue;
		s = declared(d->plan, head_requested(its), service);
		better = s ? chosen_of(d, s) : 0;
		if (better)
			return better;
		if (head_requested(its) < requested ||
		    (head_requested(its) == requested && (scope_hint(d->env, requested) == other ||
							  (scope_hint(d->env, requested) != holder && other < holder)))) {
			holder = (uint16_t)other;
			requested = head_requested(its);
		}
	}
	return holder;
}

/* Several runs of one environment may serve the same requested port, and a service several of its ports. One of them
 * has the plain key: the one that clients of the environment are sent to, by the lowest requested port. Returns its
 * actual port, the same for all of them. */
static uint16_t key_holder(const struct drawing *d, uint16_t port, uint64_t head)
{
	const char *service = d->host->record[port].service;
	uint16_t requested = head_requested(head), holder = 0;
	const struct ps_service *s = declared(d->plan, requested, service);

	if (s)
		holder = chosen_of(d, s);
	else if (!*service)
		holder = chosen_for(d, requested, service);
	return holder ? holder : search_holder(d, port, head);
}

/* The name of the service, else the requested port; what tells the record from the one that has the plain key is added. */
static void key_of(const struct drawing *d, uint16_t port, uint64_t head, const char *name, uint16_t holder, char *key,
		   unsigned long size)
{
	uint32_t run = record_get(&d->host->record[port], run);
	struct ps_text t = text_start(key, size);

	if (*name)
		text_add(&t, name);
	else
		text_number(&t, head_requested(head));
	if (head_requested(head) != head_requested(host_head(d->host, holder))) {
		text_char(&t, ':');
		text_number(&t, head_requested(head));
	}
	if (run != record_get(&d->host->record[holder], run)) {
		text_char(&t, '@');
		text_hex(&t, run, 8);
	}
	text_end(&t);
}

/* Services that share the port of the recorded one appear beside it under their own names. */
static void put_heirs(struct drawing *d, uint16_t port, uint64_t head, uint16_t holder)
{
	const struct ps_service *first, *root;
	char key[PS_SERVICE_MAX + 24];

	if (!d->plan || !(d->plan->flags & PS_PLAN_HEIRS))
		return;
	root = declared(d->plan, head_requested(head), d->host->record[port].service);
	if (!root)
		return;
	first = plan_service(d->plan, 0);
	for (uint32_t i = 0; i < d->plan->service_count; i++) {
		const struct ps_service *s = first + i;

		if (s->inherits != root - first)
			continue;
		key_of(d, port, head, plan_string(d->plan, s->name), holder, key, sizeof(key));
		put_entry(d, key, plan_string(d->plan, s->scheme), port, head, true);
	}
}

static void put_services(struct drawing *d)
{
	FOR_EACH_SET(port, d->env->actual) {
		uint64_t head = host_head(d->host, port);
		char key[PS_SERVICE_MAX + 24];
		uint16_t holder;

		if (head_state(head) != PS_LISTENING || head_env(head) != d->env->id)
			continue;
		/* before it is drawn: what changes meanwhile is drawn once more at the next look */
		d->digest = mix_record(d->digest, head, (uint16_t)port, &d->host->record[port]);
		if (!record_is_whole(&d->host->record[port]))
			continue;
		holder = key_holder(d, (uint16_t)port, head);
		key_of(d, port, head, d->host->record[port].service, holder, key, sizeof(key));
		put_entry(d, key, d->host->record[port].scheme, port, head, false);
		put_heirs(d, port, head, holder);
	}
}

static void draw(struct drawing *d)
{
	struct output *o = &d->out;

	put(o, "{\n  \"version\":1,\n  \"project\":\"");
	put_escaped(o, d->env->project);
	put(o, "\",\n  \"environment\":\"");
	put_escaped(o, d->env->name);
	put(o, "\",\n  \"profile\":\"");
	put_escaped(o, d->env->profile);
	put(o, "\",\n  \"updated\":");
	put_number(o, d->time);
	put(o, ",\n  \"services\":{");
	put_services(d);
	room(o);
	put(o, "\n  }\n}\n");
}

/* ---- is the file up to date? ---- */

/* All that a picture of the environment would show of its records. 0: it has none, and no file. */
static uint64_t digest(const struct ps_host *host, const struct ps_scope *env)
{
	uint64_t hash = 0;

	FOR_EACH_SET(port, env->actual) {
		uint64_t head = host_head(host, port);

		if (head_state(head) == PS_LISTENING && head_env(head) == env->id)
			hash = mix_record(hash, head, (uint16_t)port, &host->record[port]);
	}
	return hash;
}

bool discovery_outdated(const struct ps_host *host, const struct ps_scope *env)
{
	return env->discovery[0] && atomic_load(&env->drawn) != digest(host, env);
}

/* ---- files ---- */

/* Who writes has the environment's lock, so the environment's id makes the name its own. Without the lock, the
 * thread's. */
static void temporary_name(char *name, const char *path, uint32_t writer)
{
	struct ps_text t = text_start(name, PATH_ROOM);

	text_add(&t, path);
	text_add(&t, ".tmp-");
	text_hex(&t, writer, 8);
	text_end(&t);
}

static uint32_t writer_name(const struct ps_space *space, bool locked)
{
	return locked ? space->env->id : (uint32_t)sys0(SYS_gettid);
}

static void remove_file(const char *path, uint32_t env)
{
	char temporary[PATH_ROOM];

	temporary_name(temporary, path, env);
	sys3(SYS_unlinkat, AT_FDCWD, path, 0);
	sys3(SYS_unlinkat, AT_FDCWD, temporary, 0);
}

/* What the file shows from now on, unless somebody without the lock came in between. A picture that shows nothing is
 * none: the next look takes the file away. */
static void drawing_done(struct ps_scope *env, uint64_t digest)
{
	uint64_t before = DRAWING;

	atomic_compare_exchange_strong(&env->drawn, &before, digest);
}

void discovery_remove(struct ps_scope *env)
{
	atomic_store(&env->drawn, DRAWING);
	remove_file(env->discovery, env->id);
	drawing_done(env, 0);
}

static int make_parent(const char *path)
{
	static const char own[] = "/.portshim";
	char directory[PATH_ROOM];
	unsigned long slash = text_length(path);
	long fd;
	int error;

	while (slash && path[slash] != '/')
		slash--;
	if (!slash || slash >= sizeof(directory) - sizeof("/.gitignore"))
		return -ENOENT;
	memcpy(directory, path, slash);
	directory[slash] = '\0';
	error = (int)sys_again(sys3(SYS_mkdirat, AT_FDCWD, directory, 0777));
	if (error || slash < sizeof(own) - 1 || memcmp(directory + slash - (sizeof(own) - 1), own, sizeof(own) - 1) != 0)
		return error;
	/* Somebody cleaned the project under a run that goes on; the folder has to ignore itself again. */
	memcpy(directory + slash, "/.gitignore", sizeof("/.gitignore"));
	fd = sys_again(sys4(SYS_openat, AT_FDCWD, directory, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
	if (fd >= 0) {
		sys_again(sys3(SYS_write, fd, "*\n", 2));
		sys1(SYS_close, fd);
	}
	return 0;
}

static int begin(struct output *o, const char *path, uint32_t writer, char *temporary)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
	int error;

	o->at = o->buffer;
	o->error = 0;
	temporary_name(temporary, path, writer);
	o->fd = sys_again(sys4(SYS_openat, AT_FDCWD, temporary, flags, 0600));
	if (o->fd == -ENOENT) {
		error = make_parent(path);
		o->fd = error && error != -EEXIST ? error : sys_again(sys4(SYS_openat, AT_FDCWD, temporary, flags, 0600));
	}
	if (o->fd == -EEXIST) {
		/* Left by a writer that was killed. */
		sys_again(sys3(SYS_unlinkat, AT_FDCWD, temporary, 0));
		o->fd = sys_again(sys4(SYS_openat, AT_FDCWD, temporary, flags, 0600));
	}
	return o->fd < 0 ? (int)o->fd : 0;
}

static int exchange(const char *away, const char *in)
{
	return (int)sys_again(sys5(SYS_renameat2, AT_FDCWD, away, AT_FDCWD, in, RENAME_EXCHANGE));
}

/* A rename over an existing file makes ext4 allocate blocks and write them out at once (its auto_da_alloc), which costs
 * from 50 to 3,000 us. An exchange does not, and this file is not worth a write to the disk: nothing in it survives a
 * reboot. In this order of arguments, those who watch the directory see the old file go and then the new one come. */
static int replace(const char *path, const char *temporary)
{
	int error = exchange(path, temporary);

	/* There is no old file, or the file system cannot exchange. */
	if (error)
		return (int)sys_again(sys4(SYS_renameat, AT_FDCWD, temporary, AT_FDCWD, path));
	error = (int)sys_again(sys3(SYS_unlinkat, AT_FDCWD, temporary, 0));
	if (error) /* somebody's directory of that name: not ours to remove */
		exchange(path, temporary);
	return error;
}

static int finish(struct output *o, const char *path, const char *temporary)
{
	flush(o);
	sys1(SYS_close, o->fd);
	if (!o->error)
		o->error = replace(path, temporary);
	if (o->error)
		sys_again(sys3(SYS_unlinkat, AT_FDCWD, temporary, 0));
	return o->error;
}

/* The record's service in this run's plan. */
static const struct ps_service *service_of(const struct ps_space *space, uint16_t port)
{
	return declared(space->plan, head_requested(host_head(space->host, port)), space->host->record[port].service);
}

static uint32_t number_of(const char *text, const char *key)
{
	unsigned long length = text_length(key);
	uint32_t n = 0;

	while (*text && strncmp(text, key, length) != 0)
		text++;
	if (*text)
		for (text += length; *text >= '0' && *text <= '9' && n < 100000000; text++)
			n = n * 10 + (uint32_t)(*text - '0');
	return n;
}

/* What somebody else has put there, or can change, is not believed. */
static bool is_ours(long fd)
{
	struct stat st;

	return sys4(SYS_newfstatat, fd, "", &st, AT_EMPTY_PATH) == 0 && S_ISREG(st.st_mode) &&
	       (st.st_uid == 0 || st.st_uid == (uid_t)sys0(SYS_geteuid));
}

uint16_t discovery_named(const struct ps_host *host, const char *path)
{
	char text[512];
	long fd = sys4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
	long size = 0;
	uint32_t port;

	if (fd >= 0) {
		if (is_ours(fd))
			size = sys3(SYS_read, fd, text, sizeof(text) - 1);
		sys1(SYS_close, fd);
	}
	text[size > 0 ? size : 0] = '\0';
	port = number_of(text, "\"port\":");
	if (port == 0 || port >= PS_PORTS || head_state(host_head(host, (uint16_t)port)) != PS_LISTENING)
		return 0;
	/* The port of a server that was killed may be a stranger's by now. */
	if ((uint32_t)process_pid(record_get(&host->record[port], owner)) != number_of(text, "\"process_id\":"))
		return 0;
	return (uint16_t)port;
}

/* The file names another living server of the service: a second run's, or another environment's of the same project. It
 * came first, and keeps the file. */
static __attribute__((noinline)) bool is_anothers(const struct ps_space *space, const char *path, uint16_t port)
{
	const struct ps_host *host = space->host;
	uint16_t named = discovery_named(host, path);

	return named && named != port && text_equal(host->record[named].service, host->record[port].service) &&
	       registry_listening(host, named);
}

const char *discovery_service_path(const struct ps_space *space, uint16_t port)
{
	const struct ps_service *service = service_of(space, port);

	return service ? plan_string(space->plan, service->discovery) : "";
}

static __attribute__((noinline)) int draw_service(const struct ps_record *r, const char *path, uint16_t port, uint32_t writer)
{
	char temporary[PATH_ROOM];
	struct output o;
	int error = begin(&o, path, writer, temporary);

	if (error)
		return error;
	put(&o, "{");
	put_location(&o, r, port, r->scheme, sys_time());
	put(&o, "}\n");
	return finish(&o, path, temporary);
}

static int write_service(struct ps_space *space, uint16_t port, uint32_t writer)
{
	const char *path = discovery_service_path(space, port);

	if (!*path || atomic_load(&space->env->flags) & PS_SCOPE_PRIVATE || is_anothers(space, path, port))
		return 0;
	return draw_service(&space->host->record[port], path, port, writer);
}

int discovery_write_service(struct ps_space *space, uint16_t port, bool locked)
{
	int error = write_service(space, port, writer_name(space, locked));

	if (error == -EFBIG)
		sys_forget_xfsz();
	return error;
}

/* *digest: what the file shows now. */
static __attribute__((noinline)) int draw_environment(struct ps_space *space, bool locked, uint64_t *digest)
{
	struct drawing d = {.host = space->host, .env = space->env, .plan = space->plan, .time = sys_time(), .first = true};
	char temporary[PATH_ROOM];
	int error;

	/* Before there is a temporary: if we are killed, the next look takes it away. */
	atomic_store(&space->env->drawn, locked ? DRAWING : UNSURE);
	error = begin(&d.out, space->env->discovery, writer_name(space, locked), temporary);
	if (error)
		return error;
	draw(&d);
	*digest = d.digest ? d.digest : DRAWING;
	return finish(&d.out, space->env->discovery, temporary);
}

int discovery_write(struct ps_space *space, uint16_t port)
{
	struct ps_lock_guard guard;
	uint64_t digest;
	bool locked;
	int error, service_error = 0;

	if (!space->env->discovery[0])
		return 0;
	locked = lock_enter(&space->env->lock, &guard);
	error = draw_environment(space, locked, &digest);
	if (port)
		service_error = write_service(space, port, writer_name(space, locked));
	if (!locked)
		atomic_store(&space->env->drawn, UNSURE);
	else if (!error)
		drawing_done(space->env, digest);
	if (error == -EFBIG || service_error == -EFBIG)
		sys_forget_xfsz();
	if (locked)
		lock_leave(&space->env->lock, &guard);
	return error ? error : -service_error;
}

void discovery_remove_unfinished(struct ps_space *space, uint16_t service_index)
{
	char temporary[PATH_ROOM];
	uint32_t path = plan_service(space->plan, service_index)->discovery;

	if (!path)
		return;
	temporary_name(temporary, plan_string(space->plan, path), space->env->id);
	sys3(SYS_unlinkat, AT_FDCWD, temporary, 0);
}

void discovery_remove_service(struct ps_space *space, uint16_t service_index)
{
	const struct ps_service *s = space->plan ? plan_service(space->plan, service_index) : NULL;
	const char *path = s ? plan_string(space->plan, s->discovery) : "";

	if (*path)
		remove_file(path, space->env->id);
}
