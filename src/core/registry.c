/*
 * Theory of operation
 *
 * The host table (host.h) says who has which actual port; everything else is derived from it or a hint that it must
 * confirm. Three parties meet here:
 *
 *   - readers (connect, getsockname, ...) take one or two loads and never wait;
 *   - runs compete for actual ports by compare-and-swap on the head word, without any lock between them, so that a
 *     thousand environments do not queue;
 *   - inside a run, first binds are made one at a time under the run's lock, so that one requested port gets one actual
 *     port. Whoever holds that lock knows that a claim of this run is the remains of a process that was killed.
 *
 * Bits in `owned`, `moved`, `actual` and `pages` are set before the word that they lead to, and stay, so a killed
 * process leaves at worst a bit that leads to nothing. Heads change by compare-and-swap from what was seen, also when
 * an assignment ends.
 */
#include <errno.h>
#include <string.h>

#include <portshim/process.h>
#include <portshim/registry.h>

#include "sys.h"

/* ---- looking up ---- */

bool registry_sees(const struct ps_space *space, uint32_t env)
{
	uint32_t i = 0;

	do {
		if (space->envs[i] == env)
			return true;
	} while (++i < space->env_count);
	return false;
}

/* The actual port that a scope's hint leads to, if the host table confirms it. */
static uint16_t confirmed(const struct ps_host *host, const struct ps_scope *scope, uint16_t requested, uint64_t *head)
{
	uint16_t actual;

	actual = scope_hint(scope, requested);
	if (!actual)
		return 0;
	*head = host_head_of_owned(host, actual);
	if (head_state(*head) < PS_HELD || head_env(*head) != scope->env || head_requested(*head) != requested)
		return 0;
	/* A run's hint is to its own assignment: another run of the environment may have taken the port over since. */
	return scope->id & PS_ENV_BIT || record_get(&host->record[actual], run) == scope->id ? actual : 0;
}

uint16_t registry_forward(const struct ps_space *space, uint16_t requested)
{
	uint64_t head;

	for (uint32_t i = 0; i < space->depth; i++) {
		uint16_t actual = confirmed(space->host, space->scope[i], requested, &head);

		if (actual)
			return actual;
	}
	return 0;
}

uint16_t registry_own(const struct ps_space *space, uint16_t requested)
{
	uint64_t head;

	return confirmed(space->host, space->run, requested, &head);
}

bool registry_is_actual(const struct ps_space *space, uint16_t port)
{
	uint64_t head = host_head(space->host, port);

	return head_state(head) >= PS_HELD && registry_sees(space, head_env(head));
}

/* What the kernel lists on a port, held against a record. */
struct listeners {
	const struct ps_record *record;
	uint32_t uid;
	bool ours;  /* the record's socket is among them (or any of the user's, where several share the port) */
	bool other; /* one that is not */
};

static bool sort_listener(const struct ps_listener *l, void *context)
{
	struct listeners *found = context;

	/* Read at this moment: a listener that starts while the kernel lists has announced itself by now. */
	if (l->inode == atomic_load(&found->record->inode) || (record_get(found->record, listeners) > 1 && l->uid == found->uid))
		found->ours = true;
	else
		found->other = true;
	return !found->ours;
}

#define LIST_TRIES 16

/* 0, or a negative errno if the kernel cannot be asked. `protocols` 0: as recorded, else any. A server that restarts
 * while the kernel lists may be listed with its old socket when the record has its new one; then the kernel is asked
 * again, and if that never ends, it is the server's doing: no stranger's. */
static int list(const struct ps_host *host, uint16_t port, unsigned protocols, struct listeners *found)
{
	const struct ps_record *record = &host->record[port];
	uint32_t before;
	int error, tries = 0;

	if (!protocols)
		protocols = record_get(record, protocols);
	if (!protocols)
		protocols = PS_TCP | PS_UDP;
	do {
		*found = (struct listeners){.record = record, .uid = (uint32_t)sys0(SYS_geteuid)};
		before = atomic_load(&record->inode);
		error = kernel_listeners(port, protocols, sort_listener, found);
		if (error < 0)
			return error;
		if (!found->other || found->ours || before == atomic_load(&record->inode))
			return 0;
	} while (++tries < LIST_TRIES);
	found->ours = true;
	return 0;
}

bool registry_listening(const struct ps_host *host, uint16_t port)
{
	struct listeners found;

	return list(host, port, 0, &found) != 0 || found.ours;
}

/* Between two listens of the other environment's server nobody listens: to pass then would be to meet whoever is next. */
bool registry_foreign(const struct ps_space *space, uint16_t port, bool *listening)
{
	uint64_t head = host_head(space->host, port);
	struct listeners found;

	*listening = false;
	if (head_state(head) < PS_HELD || registry_sees(space, head_env(head)))
		return false;
	if (list(space->host, port, 0, &found) != 0)
		return true;
	*listening = found.ours;
	return found.ours || !found.other;
}

bool registry_is_own_actual(const struct ps_space *space, uint16_t port)
{
	uint64_t head = host_head(space->host, port);

	return head_state(head) >= PS_HELD && head_env(head) == space->env->id &&
	       record_get(&space->host->record[port], run) == space->run->id;
}

/* True if nothing at all is bound to the port. SO_REUSEADDR stays off, so that a socket that is bound and does not
 * listen yet counts as well. */
static bool unbound(uint16_t port, int type, uint64_t pass)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
	long fd = sys3(SYS_socket, AF_INET6, type | SOCK_CLOEXEC, 0);
	bool is_free;

	/* A dual-stack wildcard conflicts with every address of both families. */
	if (fd >= 0) {
		is_free = sys_marked3(pass, SYS_bind, fd, &six, sizeof(six)) == 0;
	} else {
		fd = sys3(SYS_socket, AF_INET, type | SOCK_CLOEXEC, 0);
		is_free = fd >= 0 && sys_marked3(pass, SYS_bind, fd, &four, sizeof(four)) == 0;
	}
	if (fd >= 0)
		sys1(SYS_close, fd);
	return is_free;
}

int registry_lost(const struct ps_space *space, uint16_t port, unsigned protocol)
{
	struct listeners found;
	int error = list(space->host, port, protocol, &found);

	if (error || !found.other || found.ours)
		return error;
	/* Lost for one protocol only? The number stays the run's, for the sake of its socket of the other (law 2). A
	 * TCP socket that is bound and does not listen yet is listed nowhere. */
	error = list(space->host, port, protocol ^ (PS_TCP | PS_UDP), &found);
	if (error || found.ours)
		return error;
	return protocol == PS_TCP || found.other || unbound(port, SOCK_STREAM, space->run->pass);
}

/* ---- claiming and holding ---- */

static bool unused(const struct ps_space *space, uint16_t port)
{
	uint64_t pass = space->run->pass;

	return unbound(port, SOCK_STREAM, pass) && unbound(port, SOCK_DGRAM, pass);
}

/* While the process that had a number lives, it may close and bind again, and then meets neither a new owner nor the
 * socket of unbound() (law 2). A pid that is somebody else's by now keeps the number until the next look. */
static bool has_process(const struct ps_host *host, uint16_t port)
{
	int32_t pid = process_pid(atomic_load(&host->record[port].owner));

	return pid > 0 && sys2(SYS_kill, pid, 0) != -ESRCH;
}

/* Another run's port that nothing holds any more may be taken. *head is what it says then: a record that says LISTENING
 * becomes HELD before, and is looked at again. Its server may just be starting anew, and its clients find it in both
 * states; they would not find it while the port is claimed. */
static bool may_take_over(struct ps_space *space, uint16_t port, uint16_t requested, uint64_t *head)
{
	struct ps_host *host = space->host;
	uint64_t before = *head, held = head_make(head_env(before), head_requested(before), PS_HELD);

	if (head_state(before) == PS_CLAIMED || port != requested || has_process(host, port) || !unused(space, port))
		return false;
	if (head_state(before) == PS_HELD)
		return true;
	if (!atomic_compare_exchange_strong(&host->record[port].head, head, held))
		return false;
	*head = held;
	if (unused(space, port))
		return true;
	atomic_compare_exchange_strong(&host->record[port].head, &held, before);
	return false;
}

/* The run that had the port until the claim may have bound it between the look and the claim; whoever binds it after
 * the claim sees that (bind_again in call_bind.h). It is given back then, and the record was not touched. */
static bool keep_claim(struct ps_space *space, uint16_t port, uint64_t claim, uint64_t before)
{
	struct ps_host *host = space->host;

	if (unused(space, port) && atomic_load(&host->record[port].head) == claim)
		return true;
	atomic_compare_exchange_strong(&host->record[port].head, &claim, before);
	return false;
}

/* True if one of the 32 ports whose records share a page was ever owned: then the page is there. A bit is set after the
 * page was reserved. */
static bool page_owned(const struct ps_host *host, uint16_t port)
{
	return (uint32_t)(atomic_load_explicit(&host->owned[port / 64], memory_order_relaxed) >> (port & 32)) != 0;
}

static int reserve_record(struct ps_space *space, uint16_t port)
{
	return page_owned(space->host, port) ? 0 : space_reserve(space, &space->host->record[port]);
}

/* A hint has its place in the first page, or one in a page of forward[] if another came to that before. */
static int reserve_hint(struct ps_space *space, struct ps_scope *scope, uint16_t requested)
{
	_Atomic uint32_t *near = &scope->near[requested % PS_NEAR];
	uint32_t word = atomic_load(near);
	int error;

	if (!word && atomic_compare_exchange_strong(near, &word, (uint32_t)requested << 16))
		return 0;
	if (word >> 16 == requested || atomic_load(&scope->pages) & scope_page(requested))
		return 0;
	error = space_reserve(space, &scope->forward[requested]);
	if (!error)
		atomic_fetch_or(&scope->pages, scope_page(requested));
	return error;
}

/* These two by names of their own, for tests/tsan/suppressions. */
static void clear_texts(struct ps_record *r)
{
	memset(r->address, 0, sizeof(*r) - offsetof(struct ps_record, address));
}

static void keep_address(struct ps_record *r, const uint8_t bytes[16])
{
	memcpy(r->address, bytes, sizeof(r->address));
}

static void start_record(struct ps_record *r, uint32_t run, uint64_t owner, enum ps_reason reason)
{
	record_set(r, owner, owner);
	record_set(r, since, 0);
	record_set(r, run, run);
	record_set(r, inode, 0);
	record_set(r, listeners, 0);
	record_set(r, reason, (uint8_t)reason);
	record_set(r, cause, 0);
	record_set(r, protocols, 0);
	record_set(r, report, 0);
	record_set(r, at, 0);
	clear_texts(r);
}

int registry_claim(struct ps_space *space, uint16_t port, uint16_t requested, uint64_t owner)
{
	struct ps_host *host = space->host;
	struct ps_record *record = &host->record[port];
	uint64_t head = host_head(host, port);
	uint64_t claim = head_claim(space->env->id, requested, space->run->id);
	/* A claim of this run can only be that of a process that was killed: its lock is ours. */
	bool anothers = head && !head_is_claim_of(head, space->env->id, space->run->id);
	int error;

	if (anothers && !may_take_over(space, port, requested, &head))
		return 0;
	/* The run's hint as well: a server that its own clients do not find is worse than one that was not moved. */
	error = reserve_record(space, port);
	if (!error)
		error = reserve_hint(space, space->run, requested);
	if (error)
		return error;
	shared_set(host->owned, port);
	shared_set(host->named, port);
	shared_set(space->env->actual, port);
	if (!atomic_compare_exchange_strong(&host->record[port].head, &head, claim) ||
	    (anothers && !keep_claim(space, port, claim, head)))
		return 0;
	start_record(record, space->run->id, owner, PS_REASON_REQUESTED);
	return 1;
}

/* Ends what a head says, unless it says something else by now: another run may have taken the port over. The bits stay,
 * in `moved` as well: they are hints, and whoever takes the port next may just have set his. */
static bool erase(struct ps_host *host, uint16_t port, uint64_t head)
{
	return atomic_compare_exchange_strong(&host->record[port].head, &head, 0);
}

void registry_release(struct ps_space *space, uint16_t port)
{
	uint64_t head = host_head(space->host, port);

	if (head_is_claim_of(head, space->env->id, space->run->id) || registry_is_own_actual(space, port))
		erase(space->host, port, head);
}

static void set_hint(struct ps_host *host, struct ps_scope *scope, uint16_t requested, uint16_t actual)
{
	_Atomic uint32_t *near = &scope->near[requested % PS_NEAR];

	if (!shared_bit(host->named, requested))
		shared_set(host->named, requested);
	if (atomic_load(near) >> 16 == requested)
		atomic_store(near, (uint32_t)requested << 16 | actual);
	else
		atomic_store(&scope->forward[requested], actual);
}

/* Gives a scope the hint, unless another assignment has it that is in the same state or a better one. 0 or a negative
 * errno. */
static int hint_scope(struct ps_space *space, struct ps_scope *scope, uint16_t actual, uint64_t head)
{
	uint16_t requested = head_requested(head);
	uint64_t old;
	int error;

	if (confirmed(space->host, scope, requested, &old) && head_state(old) >= head_state(head))
		return 0;
	error = reserve_hint(space, scope, requested);
	if (!error)
		set_hint(space->host, scope, requested, actual);
	return error;
}

static void add_at(struct ps_record *record, unsigned at)
{
	record_set(record, at, (uint8_t)(record_get(record, at) | at));
}

static void add_address(struct ps_record *record, const struct ps_address *address)
{
	bool six = address->u.any.sa_family == AF_INET6;
	unsigned other = PS_AT_OTHER;
	uint8_t bytes[16];

	address_bytes(address, bytes);
	switch (address_locality(address)) {
	case PS_WILDCARD:
		add_at(record, six ? PS_AT_ANY6 : PS_AT_ANY4);
		return;
	case PS_LOOPBACK:
		if (six && bytes[15] == 1 && bytes[10] == 0) {
			add_at(record, PS_AT_LO6);
			return;
		}
		/* not ::1, so it is in 127/8 */
		if (bytes[13] == 0 && bytes[14] == 0 && bytes[15] == 1) {
			add_at(record, PS_AT_LO4);
			return;
		}
		break;
	default:
		break;
	}
	if (record_get(record, at) & PS_AT_OTHER && memcmp(record->address, bytes, sizeof(bytes)) != 0)
		other |= PS_AT_OTHERS;
	add_at(record, other);
	keep_address(record, bytes);
}

bool registry_hold(struct ps_space *space, const struct ps_address *address)
{
	uint16_t port = address_port(address);
	uint64_t head = host_head(space->host, port);
	uint16_t requested = head_requested(head);
	uint64_t held = head_make(space->env->id, requested, PS_HELD);

	if (!head_is_claim_of(head, space->env->id, space->run->id))
		return false;
	add_address(&space->host->record[port], address);
	if (port != requested)
		shared_set(space->host->moved, port);
	else if (shared_bit(space->host->moved, port))
		shared_clear(space->host->moved, port);
	/* The hint first: it is believed once the head confirms it, and a port that is held without one would be lost
	 * to the run. */
	hint_scope(space, space->run, port, held);
	return atomic_compare_exchange_strong(&space->host->record[port].head, &head, held);
}

/* Adds a socket to what is recorded. True if that was not known. */
static bool note_socket(struct ps_record *record, const struct ps_address *address, unsigned protocol)
{
	uint8_t at = record_get(record, at), protocols = record_get(record, protocols), now = protocols;

	/* the first one: what the record says is about sockets that are gone */
	if (!record_get(record, listeners)) {
		record_set(record, at, 0);
		now = 0;
	}
	add_address(record, address);
	now |= (uint8_t)protocol;
	record_set(record, protocols, now);
	return record_get(record, at) != at || now != protocols;
}

/* ---- listening ---- */

int registry_adopt(struct ps_space *space, uint16_t port, uint16_t requested, uint64_t owner)
{
	struct ps_record *record = &space->host->record[port];
	int error = reserve_record(space, port);

	if (error)
		return error;
	shared_set(space->host->owned, port);
	shared_set(space->host->named, port);
	shared_set(space->env->actual, port);
	shared_clear(space->host->moved, port);
	atomic_store(&space->host->record[port].head, head_claim(space->env->id, requested, space->run->id));
	start_record(record, space->run->id, owner ? owner : process_self(), PS_REASON_EPHEMERAL);
	return 0;
}

uint32_t registry_announce(struct ps_space *space, uint16_t port, uint32_t inode)
{
	struct ps_record *record = &space->host->record[port];

	/* Not while another socket of the run listens there: that one is what the record is about. */
	if (registry_is_own_actual(space, port) &&
	    (head_state(host_head(space->host, port)) == PS_HELD || !registry_listening(space->host, port))) {
		record_set(record, listeners, 0);
		return atomic_exchange(&record->inode, inode);
	}
	return inode;
}

void registry_withdraw(struct ps_space *space, uint16_t port, uint32_t inode, uint32_t before)
{
	atomic_compare_exchange_strong(&space->host->record[port].inode, &inode, before);
}

/* True if the record is about a socket of ours: this run's, or one that a process of an outer run bound and passed on. */
static bool is_about(const struct ps_space *space, uint16_t port, uint64_t head)
{
	const struct ps_record *record = &space->host->record[port];

	/* A claim that a process of this run made and did not live to use says nothing. */
	if (head_state(head) < PS_HELD || !registry_sees(space, head_env(head)))
		return false;
	for (uint32_t i = 0; i < space->depth; i++)
		if (record_get(record, run) == space->scope[i]->id)
			return true;
	return false;
}

/* What the run called a port that its record does not name any more: another run was about to take it over. */
static uint16_t name_of(const struct ps_scope *run, uint16_t port)
{
	for (uint32_t requested = 1; requested < PS_PORTS; requested++)
		if (scope_hint(run, (uint16_t)requested) == port)
			return (uint16_t)requested;
	return port;
}

static bool all_drawn(uint32_t undrawn)
{
	return undrawn >> 16 == (undrawn & 0xffff);
}

/* The kernel lets two have one number, each for a protocol, and a record has one run. An environment that we do not see
 * keeps it for its living server: ours is on a number that the kernel chose, or that its run has given up, and is found
 * by that (law 9 is about the protocol that is recorded). */
static bool is_anothers(const struct ps_space *space, uint16_t port, uint64_t head, unsigned protocol)
{
	return head_state(head) == PS_LISTENING && !registry_sees(space, head_env(head)) &&
	       !(record_get(&space->host->record[port], protocols) & protocol) && registry_listening(space->host, port);
}

int registry_listen(struct ps_space *space, const struct ps_address *address, uint32_t inode, unsigned protocol,
		    uint64_t owner)
{
	uint16_t port = address_port(address);
	struct ps_record *record = &space->host->record[port];
	uint64_t self = owner ? owner : process_self();
	uint64_t head = host_head(space->host, port);
	uint8_t listeners;
	bool changed;
	int error = 0;

	/* One look at the head: at the next it may be a claim of somebody who has not seen yet that we are there. */
	if (!is_about(space, port, head)) {
		uint16_t requested = name_of(space->run, port);

		if (is_anothers(space, port, head, protocol))
			return 0;
		error = registry_adopt(space, port, requested, owner);
		head = head_make(space->env->id, requested, PS_CLAIMED);
		if (port != requested)
			shared_set(space->host->moved, port);
	}
	if (error)
		return error;
	changed = note_socket(record, address, protocol);
	changed |= head_state(head) != PS_LISTENING || record_get(record, owner) != self;
	listeners = record_get(record, listeners);
	if (!listeners || record_get(record, inode) != inode)
		record_set(record, listeners, head_state(head) == PS_LISTENING && listeners ? 2 : 1);
	atomic_store(&record->inode, inode);
	/* Another thread may be about to draw what it has changed: this listener is not to return before. */
	if (!changed)
		return all_drawn(atomic_load(&space->env->undrawn)) ? 0 : 1;
	atomic_store(&record->owner, self);
	record_set(record, since, (uint32_t)sys_time());
	head = head_make(head_env(head), head_requested(head), PS_LISTENING);
	if (record_get(record, run) == space->run->id)
		error = hint_scope(space, space->run, port, head);
	atomic_store_explicit(&space->host->record[port].head, head, memory_order_release);
	if (!error)
		error = hint_scope(space, space->env, port, head);
	/* Last: another run that draws takes what was counted before for shown. */
	atomic_fetch_add(&space->env->undrawn, UINT32_C(1) << 16);
	return error ? error : 1;
}

/* ---- ending ---- */

/* An assignment may be gone: clients of the environment go to another living one of the same requested port, if there
 * is. */
static void rehint(struct ps_host *host, struct ps_scope *env, uint16_t requested, uint16_t gone)
{
	uint64_t head;

	if (!scope_hint(env, requested) ||
	    (confirmed(host, env, requested, &head) && head_state(head) == PS_LISTENING))
		return;
	FOR_EACH_SET(port, env->actual) {
		head = host_head(host, port);
		if (port != gone && head == head_make(env->id, requested, PS_LISTENING)) {
			set_hint(host, env, requested, port);
			return;
		}
	}
}

struct census {
	uint32_t uid;
	struct ps_record found;
};

static bool count_socket(const struct ps_listener *l, void *context)
{
	struct census *c = context;
	struct ps_address a = {.length = sizeof(a.u.in6)};

	if (l->uid != c->uid)
		return true;
	a.u.in6.sin6_family = AF_INET6;
	memcpy(&a.u.in6.sin6_addr, l->address, sizeof(l->address));
	if (l->family == AF_INET) {
		a.u.in = (struct sockaddr_in){.sin_family = AF_INET};
		memcpy(&a.u.in.sin_addr, l->address + 12, 4);
	}
	add_address(&c->found, &a);
	record_set(&c->found, protocols, record_get(&c->found, protocols) | l->protocol);
	return true;
}

/* Takes out of the record of a port that listens what does so no more: one of its protocols, or addresses. */
static bool trim(struct ps_host *host, uint16_t port)
{
	struct ps_record *r = &host->record[port];
	struct census c = {.uid = (uint32_t)sys0(SYS_geteuid)};
	uint8_t at = record_get(r, at), protocols = record_get(r, protocols);
	uint8_t its_at, its_protocols;

	if (!(at & (at - 1)) && !(protocols & (protocols - 1)))
		return false;
	if (kernel_listeners(port, protocols, count_socket, &c) <= 0)
		return false;
	its_protocols = protocols & record_get(&c.found, protocols);
	its_at = at & record_get(&c.found, at);
	if (its_protocols)
		record_set(r, protocols, its_protocols);
	if (its_at & PS_AT_OTHER && !(its_at & PS_AT_OTHERS)) /* the one that is left */
		keep_address(r, c.found.address);
	if (its_at)
		record_set(r, at, its_at);
	return (its_at && its_at != at) || (its_protocols && its_protocols != protocols);
}

/* Another run of the environment that took the port over since the head was read has the same one; but its record said
 * whose it is before that did. It is given back then (tests/model/sweep.pml). */
bool registry_end(struct ps_host *host, uint32_t run, uint16_t port, uint64_t head, uint64_t next)
{
	if (!atomic_compare_exchange_strong(&host->record[port].head, &head, next))
		return false;
	if (record_get(&host->record[port], run) == run)
		return true;
	atomic_compare_exchange_strong(&host->record[port].head, &next, head);
	return false;
}

static bool sweep_port(struct ps_host *host, const struct ps_scope *run, struct ps_scope *env, uint16_t port, bool over)
{
	uint64_t head = host_head(host, port);
	bool listening = head_state(head) == PS_LISTENING;
	bool changed = false;

	if (head_is_claim_of(head, env->id, run->id))
		return erase(host, port, head);
	if (head_env(head) != env->id || record_get(&host->record[port], run) != run->id || head_state(head) < PS_HELD)
		return false;
	if (listening && registry_listening(host, port)) {
		rehint(host, env, head_requested(head), 0); /* the hint's port may have been taken over */
		return trim(host, port);
	}
	/* By way of HELD: if it is another's, its clients find it in both. */
	if (listening) {
		uint64_t held = head_make(env->id, head_requested(head), PS_HELD);

		changed = registry_end(host, run->id, port, head, held);
		if (!changed)
			return false;
		record_set(&host->record[port], protocols, 0);
		head = held;
	}
	if (over)
		changed |= registry_end(host, run->id, port, head, 0);
	if (changed)
		rehint(host, env, head_requested(head), port);
	return changed;
}

unsigned registry_sweep(struct ps_host *host, struct ps_scope *run, struct ps_scope *env, bool over)
{
	struct ps_lock_guard guard;
	unsigned changed = 0;

	if (!lock_enter(&run->lock, &guard))
		return 0;
	FOR_EACH_SET(port, env->actual)
		changed += sweep_port(host, run, env, (uint16_t)port, over);
	lock_leave(&run->lock, &guard);
	return changed;
}
