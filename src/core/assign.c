/*
 * Theory of operation: the life of a first bind
 *
 * The ports of law 4 are tried one after the other, and each by a real bind on the program's own socket, so the kernel
 * arbitrates and nothing lies between choosing and holding. Before that bind, the port is claimed in the host table:
 * SO_REUSEADDR and SO_REUSEPORT let the kernel say yes to two sockets that only later turn out to be rivals (law 7),
 * and the claim is what tells runs apart.
 *
 * A socket cannot be unbound. What must be known about a candidate beyond the kernel's verdict on this very socket,
 * that the other family is free as well (law 2) and that nobody's SO_REUSEPORT group would be joined, is therefore
 * asked before, with a second socket that lives for a moment.
 */
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include <portshim/call.h>
#include <portshim/candidates.h>
#include <portshim/process.h>
#include <portshim/registry.h>
#include <portshim/want.h>

#include "assign.h"
#include "publish.h"
#include "sys.h"
#include "text.h"

#define SUBJECT_ROOM 2048
#define PROC_ROOM 32
#define FIRST_CHOSEN 32768 /* where Linux begins to choose ports, unless told otherwise (ip(7), ip_local_port_range) */

struct attempt {
	struct ps_caller *caller;
	struct ps_space *space; /* the caller's */
	int fd;
	struct ps_address address;
	struct ps_rules rules;
	uint16_t requested;
	unsigned protocol;
	uint64_t owner;
	bool reuse_port;
	bool dual_stack; /* the kernel's verdict on this socket covers both families */
	bool patient;    /* may wait until another run has yielded the port */
	bool yielded;    /* one has */
	bool lost;       /* an outsider listens there, and the caller has a socket that is bound to it: not `chosen_here` */
	uint32_t holder; /* the run to ask for it, 0: none */
	int refusal;     /* why it is not to be had: an errno */
	int error;       /* of the first candidate, an errno: what the program gets when all are taken */
};

enum outcome { TAKEN, HELD, UNRECORDED, STOP };

static void set_option(long fd, int level, int name, int value)
{
	sys5(SYS_setsockopt, fd, level, name, &value, sizeof(value));
}

/* ---- looking at a candidate ---- */

/* Old connections in TIME_WAIT, which only TCP has, are in the way of sockets without SO_REUSEADDR. If the program's
 * has none, those that follow for other addresses will not have it either; but for that alone, nothing moves that has
 * not moved yet. */
static bool time_wait_counts(const struct attempt *t, const struct ps_address *a)
{
	return address_port(a) != t->requested && call_option(t->fd, SOL_SOCKET, SO_REUSEADDR) == 0;
}

/* True if somebody holds the address; `dual`: an IPv6 wildcard means IPv4 as well. Where TIME_WAIT does not count, a
 * bind that fails is tried again with SO_REUSEADDR. For UDP that option would hide sockets that share. */
static bool held(const struct attempt *t, const struct ps_address *a, unsigned protocol, bool dual)
{
	int family = a->u.any.sa_family;
	int type = protocol == PS_TCP ? SOCK_STREAM : SOCK_DGRAM;
	uint64_t pass = t->space->run->pass;
	long fd = sys3(SYS_socket, family, type | SOCK_CLOEXEC, 0);
	struct ps_address four;
	long result;

	if (fd == -EAFNOSUPPORT && dual) {
		(void)address_twin(a, &four); /* a wildcard has one */
		return held(t, &four, protocol, false);
	}
	if (fd < 0)
		return false;
	if (family == AF_INET6 && address_locality(a) == PS_WILDCARD)
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !dual);
	result = sys_marked3(pass, SYS_bind, fd, &a->u, a->length);
	if (result == -EADDRINUSE && protocol == PS_TCP && !time_wait_counts(t, a)) {
		set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
		result = sys_marked3(pass, SYS_bind, fd, &a->u, a->length);
	}
	sys1(SYS_close, fd);
	return result == -EADDRINUSE;
}

/* A number that a service needs for both protocols is no good if one is taken. UDP without a declaration is checked for
 * TCP as well: such servers (DNS, for one) often bind both, and a UDP bind is no hot path. */
static bool needs_both(const struct attempt *t)
{
	return t->protocol == PS_UDP || (t->rules.service && t->rules.service->protocols == (PS_TCP | PS_UDP));
}

/* The port that the program asked for is good if it is free where "localhost" leads. */
static bool rivals_at_requested(const struct attempt *t, unsigned other)
{
	struct ps_address twin;
	bool has_twin = !t->dual_stack && address_twin(&t->address, &twin);

	if (has_twin && held(t, &twin, t->protocol, false))
		return true;
	if (t->reuse_port && held(t, &t->address, t->protocol, t->dual_stack))
		return true;
	return needs_both(t) && (held(t, &t->address, other, t->dual_stack) || (has_twin && held(t, &twin, other, false)));
}

/* Any other port is good only if nobody has it on any address: the run's later binds, of 127.0.0.2 or a wildcard, must
 * find it free as they would on a host of their own (law 2). */
static bool rivals_anywhere(const struct attempt *t, unsigned other)
{
	struct ps_address any = {.u.in6.sin6_family = AF_INET6, .length = sizeof(struct sockaddr_in6)};
	bool covered = t->dual_stack && !t->reuse_port;

	address_set_port(&any, address_port(&t->address));
	return (!covered && held(t, &any, t->protocol, true)) || (needs_both(t) && held(t, &any, other, true));
}

static bool rivals(const struct attempt *t)
{
	unsigned other = t->protocol ^ (PS_TCP | PS_UDP);

	return address_port(&t->address) == t->requested ? rivals_at_requested(t, other) : rivals_anywhere(t, other);
}

static int kernel_bind(const struct attempt *t)
{
	return t->caller->calls->bind(t->caller, t->fd, &t->address.u.any, t->address.length);
}

/* A file of the caller's in /proc; `path` holds PROC_ROOM bytes. */
static const char *proc_path(const struct attempt *t, const char *name, char *path)
{
	struct ps_text p = text_start(path, PROC_ROOM);

	text_add(&p, "/proc/");
	if (t->caller->identity)
		text_number(&p, (uint64_t)process_pid(t->caller->identity));
	else
		text_add(&p, "self");
	text_add(&p, name);
	text_end(&p);
	return path;
}

/* The descriptor that an entry of /proc/PID/fd names; -1 for "." and "..". */
static int number(const char *name)
{
	int n = 0;

	if (*name == '.')
		return -1;
	for (; *name; name++)
		n = n * 10 + *name - '0';
	return n;
}

static bool has_port(const struct attempt *t, int number)
{
	struct ps_caller *caller = t->caller;
	int fd = number >= 0 ? caller->calls->borrow(caller, number) : -1;
	struct ps_address local;
	bool has;

	if (fd < 0)
		return false;
	has = call_local(caller, fd, &local) == 0 && address_port(&local) == t->requested &&
	      caller->calls->protocol(caller, fd) == t->protocol;
	caller->calls->release(caller, fd);
	return has;
}

/* A port that the kernel chose (port 0, connect) is in no record until its socket listens. If a socket of this very
 * process, its own or inherited, is what holds the requested port, then the collision is not with anybody outside (law
 * 3). */
static bool chosen_here(const struct attempt *t)
{
	_Alignas(struct dirent64) char entries[1024];
	char path[PROC_ROOM];
	bool found = false;
	long fd, n;

	if (t->requested < FIRST_CHOSEN || t->lost)
		return false;
	fd = sys4(SYS_openat, AT_FDCWD, proc_path(t, "/fd", path), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	while (fd >= 0 && !found && (n = sys3(SYS_getdents64, fd, entries, sizeof(entries))) > 0) {
		const struct dirent64 *entry;

		for (long at = 0; at < n && !found; at += entry->d_reclen) {
			entry = (const void *)(entries + at);
			found = has_port(t, number(entry->d_name));
		}
	}
	if (fd >= 0)
		sys1(SYS_close, fd);
	return found;
}

/* ---- a second socket for a descriptor ---- */

static void copy_options(int from, long to)
{
	static const struct {
		short level, name;
	} options[] = {
		{SOL_SOCKET, SO_REUSEADDR}, {SOL_SOCKET, SO_REUSEPORT}, {SOL_SOCKET, SO_KEEPALIVE},
		{SOL_SOCKET, SO_OOBINLINE}, {SOL_SOCKET, SO_PRIORITY}, {SOL_SOCKET, SO_TIMESTAMP},
		{IPPROTO_IPV6, IPV6_V6ONLY}, {IPPROTO_IP, IP_TOS}, {IPPROTO_IP, IP_TTL}, {IPPROTO_IP, IP_FREEBIND},
		{IPPROTO_TCP, TCP_NODELAY}, {IPPROTO_TCP, TCP_DEFER_ACCEPT}, {IPPROTO_TCP, TCP_KEEPIDLE},
		{IPPROTO_TCP, TCP_KEEPINTVL}, {IPPROTO_TCP, TCP_KEEPCNT}, {IPPROTO_TCP, TCP_MAXSEG},
		{IPPROTO_TCP, TCP_FASTOPEN}, {IPPROTO_TCP, TCP_USER_TIMEOUT},
	};

	for (unsigned i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		int value = call_option(from, options[i].level, options[i].name);

		if (value >= 0 && value != call_option((int)to, options[i].level, options[i].name))
			set_option(to, options[i].level, options[i].name, value);
	}
	/* The kernel reports twice what was set (socket(7)). */
	if (call_option(from, SOL_SOCKET, SO_RCVBUF) != call_option((int)to, SOL_SOCKET, SO_RCVBUF))
		set_option(to, SOL_SOCKET, SO_RCVBUF, call_option(from, SOL_SOCKET, SO_RCVBUF) / 2);
	if (call_option(from, SOL_SOCKET, SO_SNDBUF) != call_option((int)to, SOL_SOCKET, SO_SNDBUF))
		set_option(to, SOL_SOCKET, SO_SNDBUF, call_option(from, SOL_SOCKET, SO_SNDBUF) / 2);
}

/* A new socket of the same kind, or a negative errno. */
static long second_socket(int fd)
{
	long other = sys3(SYS_socket, call_option(fd, SOL_SOCKET, SO_DOMAIN),
			  call_option(fd, SOL_SOCKET, SO_TYPE) | SOCK_CLOEXEC, call_option(fd, SOL_SOCKET, SO_PROTOCOL));

	if (other >= 0)
		copy_options(fd, other);
	return other;
}

bool assign_unbind(struct ps_caller *caller, int fd)
{
	long other = second_socket(fd);
	bool done = other >= 0 && caller->calls->replace(caller, fd, (int)other) == 0;

	if (other >= 0)
		sys1(SYS_close, other);
	return done;
}

/* ---- trying it ---- */

static void tell(const struct attempt *t, enum ps_event_kind kind, uint16_t port, int error)
{
	t->caller->calls->event(t->caller, kind, port, error);
}

static void fill(struct attempt *t, uint16_t port, enum ps_reason reason)
{
	struct ps_record *r = &t->space->host->record[port];

	record_set(r, reason, (uint8_t)reason);
	record_set(r, cause, (uint8_t)(port == t->requested ? 0 : t->error));
	record_set(r, report, t->rules.report);
	if (t->rules.service) {
		text_copy(r->service, sizeof(r->service), plan_string(t->space->plan, t->rules.service->name));
		text_copy(r->scheme, sizeof(r->scheme), plan_string(t->space->plan, t->rules.service->scheme));
	}
}

/* The kernel has chosen: the socket is bound, so the record has to follow. */
static enum outcome hold_chosen(struct attempt *t, enum ps_reason reason)
{
	struct ps_address local;
	uint16_t port;

	if (call_local(t->caller, t->fd, &local) != 0)
		return UNRECORDED;
	port = address_port(&local);
	/* A record of a port that the kernel calls free is out of date. */
	if (registry_claim(t->space, port, t->requested, t->owner) != 1) {
		int error = registry_adopt(t->space, port, t->requested, t->caller->identity);

		if (error) {
			tell(t, PS_EVENT_UNMAPPED, port, -error);
			return UNRECORDED;
		}
	}
	address_set_port(&t->address, port);
	fill(t, port, reason);
	return registry_hold(t->space, &t->address) ? HELD : UNRECORDED;
}

/* What the run has yielded is another's, also before that one has it. */
static int claim(const struct attempt *t, uint16_t port)
{
	return port == atomic_load(&t->space->run->yielded) ? 0
							     : registry_claim(t->space, port, t->requested, t->owner);
}

static enum outcome try_port(struct attempt *t, uint16_t port, enum ps_reason reason)
{
	int claimed = port ? claim(t, port) : 1;
	bool inside = false;
	int error;

	if (claimed < 0) {
		tell(t, PS_EVENT_UNMAPPED, t->requested, -claimed);
		t->error = -claimed;
		if (atomic_load(&t->space->run->flags) & PS_SCOPE_STRICT)
			return STOP;
		address_set_port(&t->address, t->requested);
		t->error = -kernel_bind(t);
		return t->error ? STOP : UNRECORDED;
	}
	address_set_port(&t->address, port);
	if (!claimed || (port && rivals(t) && !(inside = port == t->requested && chosen_here(t)))) {
		if (claimed)
			registry_release(t->space, port);
		if (!t->error)
			t->error = EADDRINUSE;
		return TAKEN;
	}
	error = -kernel_bind(t);
	if (!error) {
		if (!port)
			return hold_chosen(t, reason);
		fill(t, port, reason);
		if (registry_hold(t->space, &t->address))
			return HELD;
		if (!t->error)
			t->error = EADDRINUSE;
		return assign_unbind(t->caller, t->fd) ? TAKEN : UNRECORDED;
	}
	if (port)
		registry_release(t->space, port);
	if ((error != EADDRINUSE && error != EACCES) || inside ||
	    (error == EADDRINUSE && port == t->requested && chosen_here(t))) {
		t->error = error;
		return STOP;
	}
	if (!t->error)
		t->error = error;
	return TAKEN;
}

/* A run that has yielded a port insists on none any more: so no two take one from each other without end. Nor does one
 * service against another of its own run. */
static bool insists(const struct attempt *t, uint16_t port)
{
	return t->rules.strategy == PS_AGGRESSIVE && port == t->requested && t->error == EADDRINUSE &&
	       !atomic_load(&t->space->run->yielded) && !registry_is_own_actual(t->space, port);
}

/* The run that has the port, if that is one that can be asked for it; 0 otherwise. */
static uint32_t find_holder(const struct attempt *t)
{
	uint64_t head = host_head(t->space->host, t->requested);
	uint32_t run = head_state(head) >= PS_HELD ? record_get(&t->space->host->record[t->requested], run) : 0;

	return t->patient ? run : 0;
}

/* Aggressive: the port that was asked for, or none. */
static enum outcome insist(struct attempt *t)
{
	t->holder = find_holder(t);
	if (!t->holder)
		tell(t, PS_EVENT_UNYIELDED, t->requested, t->refusal);
	return TAKEN;
}

static enum outcome try_all(struct attempt *t)
{
	struct ps_space *space = t->space;
	struct ps_candidates c;
	enum outcome outcome = TAKEN;
	enum ps_reason reason;
	uint16_t port;

	candidates_start(&c, space->plan, t->rules, space->env->id, t->requested, scope_hint(space->env, t->requested),
			 atomic_load(&space->run->flags) & PS_SCOPE_PRIVATE);
	while (outcome == TAKEN && candidates_next(&c, &port, &reason)) {
		outcome = try_port(t, port, t->yielded ? PS_REASON_YIELDED : reason);
		if (outcome == TAKEN && insists(t, port))
			return insist(t);
	}
	if (outcome == TAKEN)
		tell(t, PS_EVENT_EXHAUSTED, t->requested, t->error);
	return outcome;
}

/* ---- which service is it? ---- */

static unsigned long read_file(const char *path, char *text, unsigned long size)
{
	long fd = sys4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	long n = 0;

	if (fd >= 0) {
		n = sys3(SYS_read, fd, text, size - 1);
		sys1(SYS_close, fd);
	}
	if (n < 0)
		n = 0;
	text[n] = '\0';
	return (unsigned long)n;
}

static const char *base_name(const char *path)
{
	const char *base = path;

	for (; *path; path++)
		if (*path == '/')
			base = path + 1;
	return base;
}

/* The caller's working directory, or "". It takes PS_PATH_MAX bytes. */
static void read_directory(const struct attempt *t, char *directory)
{
	char path[PROC_ROOM];
	long n;

	if (!t->caller->identity) { /* also where there is no /proc */
		n = sys2(SYS_getcwd, directory, PS_PATH_MAX);
		directory[n > 0 ? n - 1 : 0] = '\0';
		return;
	}
	n = sys4(SYS_readlinkat, AT_FDCWD, proc_path(t, "/cwd", path), directory, PS_PATH_MAX - 1);
	directory[n > 0 ? n : 0] = '\0';
}

/* Not inlined: three kilobytes of stack are not to stay while ports are tried. */
static __attribute__((noinline)) struct ps_rules rules_for_process(const struct attempt *t)
{
	char args[SUBJECT_ROOM], directory[PS_PATH_MAX], command[256], path[PROC_ROOM];
	unsigned long n = read_file(proc_path(t, "/cmdline", path), args, sizeof(args));
	struct ps_subject subject = {.command = command, .args = args, .directory = directory, .protocol = t->protocol};

	text_copy(command, sizeof(command), base_name(args));
	for (unsigned long i = 0; i + 1 < n; i++)
		if (!args[i])
			args[i] = ' ';
	read_directory(t, directory);
	return plan_rules(t->space->plan, t->requested, &subject);
}

/* This run's assignment of the same service, where several services share the requested port. */
static uint16_t own_of_service(const struct attempt *t)
{
	const struct ps_host *host = t->space->host;
	const char *name = t->rules.service ? plan_string(t->space->plan, t->rules.service->name) : "";

	FOR_EACH_SET(port, t->space->env->actual) {
		uint64_t head = host_head(host, port);

		if (head_state(head) >= PS_HELD && head_env(head) == t->space->env->id &&
		    head_requested(head) == t->requested && record_get(&host->record[port], run) == t->space->run->id &&
		    text_equal(host->record[port].service, name))
			return port;
	}
	return 0;
}

/* ---- a port that is to be yielded ---- */

/* Without the run's lock: this waits. True: try again. */
static bool ask_holder(struct attempt *t, int *result)
{
	int answer = want_port(t->space, t->owner, t->holder, t->requested);

	if (answer == -EINTR) {
		*result = -EINTR;
		return false;
	}
	t->holder = 0;
	t->patient = false;
	t->error = 0;
	t->yielded = answer > 0;
	t->refusal = answer < 0 ? -answer : ECANCELED;
	return true;
}

/* ---- entry points ---- */

static int bind_as_asked(struct attempt *t)
{
	address_set_port(&t->address, t->requested);
	return kernel_bind(t);
}

/* Under the run's lock: somebody else in this run may have been faster. */
static int assign_locked(struct attempt *t, bool by_process, bool *publish)
{
	uint16_t actual = by_process ? own_of_service(t) : registry_own(t->space, t->requested);
	enum outcome outcome;

	if (actual && registry_lost(t->space, actual, t->protocol) <= 0) {
		address_set_port(&t->address, actual);
		t->error = -kernel_bind(t);
		outcome = t->error ? STOP : HELD;
		if (outcome == HELD)
			t->error = EADDRINUSE;
		/* As in bind_again: another run took the port over in between. */
		if (outcome == HELD && !registry_is_own_actual(t->space, actual) && assign_unbind(t->caller, t->fd))
			outcome = try_all(t);
	} else {
		if (actual)
			registry_release(t->space, actual);
		outcome = try_all(t);
	}
	if (outcome == HELD && t->protocol == PS_UDP)
		*publish = publish_record(t->caller, t->fd, &t->address, PS_UDP);
	if (outcome == HELD || outcome == UNRECORDED)
		return 0;
	return -(t->error ? t->error : EADDRINUSE);
}

static bool prepare(struct attempt *t, bool by_process)
{
	struct ps_space *space = t->space;
	struct ps_subject anybody = {.command = "", .args = "", .directory = ""};

	t->requested = address_port(&t->address);
	anybody.protocol = t->protocol;
	if (atomic_load(&space->run->flags) & PS_SCOPE_RETIRED)
		return false;
	t->rules = by_process ? rules_for_process(t)
			      : plan_rules(space->plan, t->requested, &anybody);
	if (t->rules.service && t->rules.service->flags & PS_SERVICE_EXTERNAL)
		return false;
	t->reuse_port = call_option(t->fd, SOL_SOCKET, SO_REUSEPORT) == 1;
	t->dual_stack = t->address.u.any.sa_family == AF_INET6 && address_locality(&t->address) == PS_WILDCARD &&
			call_option(t->fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0;
	return true;
}

int assign(struct ps_caller *caller, int fd, const struct ps_address *wanted, unsigned protocol)
{
	struct ps_space *space = caller->space;
	struct attempt t = {.caller = caller, .space = space, .fd = fd, .address = *wanted, .protocol = protocol, .patient = true,
			    .refusal = EADDRINUSE};
	bool by_process = plan_needs_subject(space->plan, address_port(wanted));
	struct ps_lock_guard guard;
	bool publish = false;
	int result;

	if (!prepare(&t, by_process)) {
		t.requested = address_port(wanted);
		return bind_as_asked(&t);
	}
	do {
		if (!lock_enter(&space->run->lock, &guard)) {
			tell(&t, PS_EVENT_LOCKED, t.requested, EDEADLK);
			return bind_as_asked(&t);
		}
		t.owner = caller->identity ? caller->identity : guard.since;
		result = assign_locked(&t, by_process, &publish);
		lock_leave(&space->run->lock, &guard);
	} while (t.holder && ask_holder(&t, &result));
	if (publish)
		publish_write(caller, address_port(&t.address));
	return result;
}

/* ---- a socket that is bound, and nobody knows whether that was recorded ---- */

static enum outcome hold_bound(struct attempt *t)
{
	struct ps_address local;
	uint16_t port;

	if (call_local(t->caller, t->fd, &local) != 0)
		return UNRECORDED;
	port = address_port(&local);
	address_set_port(&t->address, port);
	if (registry_is_own_actual(t->space, port))
		return HELD;
	return hold_chosen(t, port == t->requested ? PS_REASON_REQUESTED : PS_REASON_DEFAULT);
}

void assign_bound(struct ps_caller *caller, int fd, const struct ps_address *wanted, unsigned protocol)
{
	struct ps_space *space = caller->space;
	struct attempt t = {.caller = caller, .space = space, .fd = fd, .address = *wanted, .protocol = protocol,
			    .error = EADDRINUSE};
	bool by_process = plan_needs_subject(space->plan, address_port(wanted)), publish;
	struct ps_lock_guard guard;

	if (!prepare(&t, by_process) || !lock_enter(&space->run->lock, &guard))
		return;
	t.owner = caller->identity ? caller->identity : guard.since;
	publish = hold_bound(&t) == HELD && protocol == PS_UDP && publish_record(caller, fd, &t.address, PS_UDP);
	lock_leave(&space->run->lock, &guard);
	if (publish)
		publish_write(caller, address_port(&t.address));
}

/* ---- a port that was lost before the socket listened ---- */

/* The record of one that has died on this way is there: so the port is to be had again. */
static enum outcome hold_left(struct attempt *t)
{
	uint16_t actual = t->caller->left ? registry_own(t->space, t->requested) : 0;

	if (actual) {
		address_set_port(&t->address, actual);
		if (kernel_bind(t) == 0)
			return HELD;
		registry_release(t->space, actual);
	}
	return try_all(t);
}

int assign_again(struct ps_caller *caller, int fd, struct ps_address *local)
{
	struct ps_space *space = caller->space;
	struct attempt t = {.caller = caller, .space = space, .address = *local, .protocol = PS_TCP, .lost = true, .error = EADDRINUSE,
			    .refusal = EADDRINUSE};
	uint16_t lost = address_port(local);
	long other = second_socket(fd);
	int error = -EADDRINUSE;

	if (other < 0)
		return (int)other;
	t.fd = (int)other;
	t.owner = caller->identity ? caller->identity : process_self();
	if (registry_is_own_actual(space, lost)) {
		address_set_port(&t.address, head_requested(host_head(space->host, lost)));
		registry_release(space, lost);
	} else {
		address_set_port(&t.address, caller->left);
	}
	if (prepare(&t, plan_needs_subject(space->plan, address_port(&t.address))) && hold_left(&t) == HELD) {
		error = caller->calls->replace(caller, fd, (int)other);
		if (!error)
			*local = t.address;
		else
			registry_release(space, address_port(&t.address));
	}
	sys1(SYS_close, other);
	return error;
}
