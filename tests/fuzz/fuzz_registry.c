/*
 * fuzz_registry.c - any order of the steps that runs take on the registry, some of them killed between two steps,
 * beside strangers; after each step all that the registry says must be true.
 *
 * The registry is the real one, in real mappings. The kernel is a model (struct sock): one that has only few ports, so
 * that everybody is in everybody's way, and that can be looked into. So src/core/registry.c is compiled here, with the
 * system calls that ask for sockets replaced, and the functions of kernel.h are those below.
 *
 * An input is a sequence of steps of four bytes: what, who, which port, and how.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/core/sys.h"
#include "fuzz.h"

static long model_call(long number, long a, long b, long c);
static long model_kill(long number);
#undef sys2
#define sys2(nr, a, b) ((void)(a), (void)(b), model_kill(nr))
#undef sys3
#define sys3(nr, a, b, c) model_call(nr, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c))
#undef sys1
#define sys1(nr, a) model_call(nr, SYS_ARG(a), 0, 0)
#include "../../src/core/registry.c"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define STEPS 64
#define SOCKS 24
#define RUNS 5
#define ENVS 3
#define IDS (STEPS + RUNS + 1)

static const uint16_t numbers[] = {3000, 3001, 24000, 24001, 65535, 1};

struct sock {
	uint16_t port; /* 0: unused */
	uint16_t requested;
	uint32_t run; /* id; 0: a stranger */
	uint32_t inode, uid;
	uint8_t protocol;
	uint8_t locality;
	bool reuse, share;
	bool listens; /* TCP: as the kernel sees it */
	bool recorded;
	bool left; /* its run has given the number up, and does not know any more what the socket was for */
};

static struct sock socks[SOCKS];
static uint32_t next_inode, next_run;
static uint8_t env_of[IDS]; /* index, by a run's id */
static bool two_of_a_name[IDS]; /* by a run's id: a socket that was left behind listens, and has the run's hint */
static bool blind;          /* the kernel cannot be asked */
static bool was_blind;      /* and what was decided then may be wrong until it can be again */
static bool alive;          /* the process of each record is taken for living */
static bool only_four;      /* a kernel without IPv6 */
static uint16_t asked_type;
static bool tell; /* FUZZ_TELL: print the steps of an input */

/* ---- the kernel ---- */

static bool busy(uint16_t port, unsigned protocol)
{
	for (unsigned i = 0; i < SOCKS; i++)
		if (socks[i].port == port && socks[i].protocol == protocol)
			return true;
	return false;
}

static long model_call(long number, long a, long b, long c)
{
	const struct sockaddr_in *address = (const void *)b;

	switch (number) {
	case SYS_socket:
		if (a == AF_INET6 && only_four)
			return -EAFNOSUPPORT;
		asked_type = (uint16_t)(b & 0xf);
		return 1000;
	case SYS_bind:
		MUST(a == 1000 && c >= (long)sizeof(*address));
		return busy(ntohs(address->sin_port), asked_type == SOCK_STREAM ? PS_TCP : PS_UDP) ? -EADDRINUSE : 0;
	case SYS_close:
		return 0;
	default:
		abort();
	}
}

static long model_kill(long number)
{
	MUST(number == SYS_kill);
	return alive ? 0 : -ESRCH;
}

static void do_meanwhile(void);

int kernel_listeners(uint16_t port, unsigned protocols, bool (*each)(const struct ps_listener *, void *), void *context)
{
	int count = 0;

	if (blind)
		return -EACCES;
	for (unsigned i = 0; i < SOCKS; i++) {
		const struct sock *s = &socks[i];
		struct ps_listener l = {.inode = s->inode, .uid = s->uid, .protocol = s->protocol, .port = s->port};

		if (!s->port || (port && s->port != port) || !(protocols & s->protocol) ||
		    (s->protocol == PS_TCP && !s->listens))
			continue;
		count++;
		if (!each(&l, context))
			break;
	}
	do_meanwhile();
	return count;
}

uint64_t kernel_netns(int fd)
{
	(void)fd;
	return 1;
}

static bool kernel_refuses(const struct sock *new)
{
	for (unsigned i = 0; i < SOCKS; i++) {
		const struct sock *s = &socks[i];

		if (s == new || s->port != new->port || s->protocol != new->protocol || (s->share && new->share))
			continue;
		if (!s->reuse || !new->reuse || s->listens || new->protocol == PS_UDP)
			return true;
	}
	return false;
}

static bool kernel_refuses_to_listen(const struct sock *new)
{
	for (unsigned i = 0; i < SOCKS; i++)
		if (&socks[i] != new && socks[i].port == new->port && socks[i].protocol == PS_TCP && socks[i].listens &&
		    !(socks[i].share && new->share))
			return true;
	return false;
}

static struct sock *new_sock(uint32_t run, uint8_t how)
{
	for (unsigned i = 0; i < SOCKS; i++)
		if (!socks[i].port) {
			socks[i] = (struct sock){
				.run = run,
				.inode = ++next_inode,
				.uid = (uint32_t)geteuid() + (run ? 0 : how >> 7),
				.protocol = how & 1 ? PS_UDP : PS_TCP,
				.reuse = how & 2,
				.share = how & 4,
				.locality = how >> 3 & 7,
			};
			return &socks[i];
		}
	return NULL;
}

static bool kernel_binds(struct sock *s, uint16_t port)
{
	s->port = port;
	if (kernel_refuses(s))
		s->port = 0;
	return s->port;
}

/* ---- the runs ---- */

static char runtime[] = "/dev/shm/portshim-fuzz-XXXXXX";
static struct ps_host *host;
static struct ps_scope *env[ENVS];
static struct ps_space space[RUNS];

static void clear_away(void)
{
	char path[PS_RUNTIME_MAX + 16];

	for (int i = 0; i < ENVS; i++)
		space_unlink_scope(runtime, env[i]->id);
	for (int i = 0; i < RUNS; i++) {
		space_scope_path(runtime, (uint32_t)space[i].run->root, path);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/host", runtime);
	unlink(path);
	rmdir(runtime);
}

/* Two runs in the first environment, two in the second, of which one is inside the other; the third environment's is
 * inside that. */
static void make_run(unsigned at, int in, unsigned outer)
{
	struct ps_scope_spec spec = {.chain = {0}};
	char path[PS_RUNTIME_MAX + 16];
	struct ps_space *s = &space[at];
	unsigned n = 0;

	if (at == 4)
		spec.chain[n++] = env[in]->id;
	if (outer) {
		spec.chain[n++] = space[outer].run->id;
		memcpy(spec.chain + n, space[outer].run->chain, (PS_CHAIN_MAX - n) * sizeof(*spec.chain));
	} else if (at != 4) {
		spec.chain[n] = env[in]->id;
	}
	MUST(space_create_run(runtime, &spec, path, &s->run) == 0);
	space_close_scope(s->run);
	MUST(space_open(s, path) == 0);
	MUST(s->env->id == env[in]->id);
	s->run->root = s->run->id; /* the file's name stays while the id changes */
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char *const keys[ENVS] = {"name:a", "name:b", "name:c"};

	(void)argc;
	(void)argv;
	tell = getenv("FUZZ_TELL") != NULL;
	MUST(mkdtemp(runtime) && space_open_host(runtime, &host) == 0);
	for (int i = 0; i < ENVS; i++) {
		struct ps_scope_spec spec = {.key = keys[i], .name = keys[i] + 5};

		MUST(space_open_env(runtime, &spec, &env[i]) == 0);
	}
	make_run(0, 0, 0);
	make_run(1, 0, 0);
	make_run(2, 1, 0);
	make_run(3, 1, 2);
	make_run(4, 2, 3);
	atexit(clear_away);
	return 0;
}

static unsigned env_index(uint32_t id)
{
	unsigned i = 0;

	while (i < ENVS && env[i]->id != id)
		i++;
	return i;
}

/* A run that begins: in the place of one that is over, with nothing of it. */
static void begin(unsigned at)
{
	uint32_t id = next_run++;

	MUST(id < IDS);
	two_of_a_name[id] = false;
	env_of[id] = (uint8_t)env_index(space[at].env->id);
	for (unsigned i = 0; i < COUNT(numbers); i++) {
		space[at].run->forward[numbers[i]] = 0;
		space[at].run->near[numbers[i] % PS_NEAR] = 0;
	}
	space[at].run->id = id;
}

static void start(void)
{
	memset(socks, 0, sizeof(socks));
	next_inode = 0;
	next_run = 1;
	blind = was_blind = only_four = alive = false;
	for (unsigned i = 0; i < COUNT(numbers); i++) {
		memset(&host->record[numbers[i]], 0xee, sizeof(host->record[0]));
		host->record[numbers[i]].head = 0;
		shared_clear(host->moved, numbers[i]);
		shared_clear(host->owned, numbers[i]);
		shared_clear(host->named, numbers[i]);
		for (int e = 0; e < ENVS; e++) {
			env[e]->forward[numbers[i]] = 0;
			env[e]->near[numbers[i] % PS_NEAR] = 0;
			shared_clear(env[e]->actual, numbers[i]);
		}
	}
	for (unsigned i = 0; i < RUNS; i++)
		begin(i);
}

/* ---- what the hooks do, in their order. `die`: after so many steps the process is killed. ---- */

static struct ps_address address_of(const struct sock *s)
{
	static const char *const texts[8] = {"0.0.0.0", "127.0.0.1", "127.0.0.2", "10.0.0.1", "::", "::1", "::ffff:127.0.0.1",
					     "fe80::1"};
	struct ps_address a = {.length = sizeof(struct sockaddr_in6)};

	/* Parsed by hand: inet_pton is slow for this. */
	a.u.any.sa_family = s->locality < 4 ? AF_INET : AF_INET6;
	if (s->locality < 4) {
		static const uint8_t four[4][4] = {{0}, {127, 0, 0, 1}, {127, 0, 0, 2}, {10, 0, 0, 1}};

		memcpy(&a.u.in.sin_addr, four[s->locality], 4);
		a.length = sizeof(struct sockaddr_in);
	} else {
		static const uint8_t six[4][16] = {{0}, {[15] = 1}, {[10] = 255, 255, 127, 0, 0, 1}, {254, 128, [15] = 1}};

		memcpy(&a.u.in6.sin6_addr, six[s->locality - 4], 16);
	}
	MUST(texts[s->locality]);
	address_set_port(&a, s->port);
	return a;
}

static void publish(struct ps_space *s, struct sock *sock)
{
	struct ps_address a = address_of(sock);
	uint64_t head = host_head(host, sock->port);

	/* Where a socket that was left behind listens, those of others that are bound to the number and do not listen
	 * yet lost it without knowing; and of two that have it, each for a protocol, and see each other, the last has
	 * the record. */
	for (unsigned i = 0; i < SOCKS && sock->left; i++)
		socks[i].left |= socks[i].port == sock->port && socks[i].run && socks[i].run != sock->run &&
				 (!socks[i].recorded || registry_sees(s, head_env(head)));
	two_of_a_name[s->run->id] |= sock->left;
	registry_listen(s, &a, sock->inode, sock->protocol, 0);
	sock->recorded = true;
}

/* held() and rivals() of the shim. */
static bool held(const struct sock *new, uint16_t port, unsigned protocol)
{
	bool with_reuse = protocol == PS_TCP && (port == new->requested || new->reuse);

	for (unsigned i = 0; i < SOCKS; i++)
		if (socks[i].port == port && socks[i].protocol == protocol &&
		    !(with_reuse && socks[i].reuse && !socks[i].listens))
			return true;
	return false;
}

static bool rivals(const struct sock *new, uint16_t port)
{
	if ((port != new->requested || new->share) && held(new, port, new->protocol))
		return true;
	return new->protocol == PS_UDP && held(new, port, PS_TCP);
}

/* The number is a stranger's, as far as the kernel can say. Sockets that are bound and do not listen are listed
 * nowhere: those of the run stay behind on a number that anybody may have now. The run's name leads to another. */
static void give_up(struct ps_space *s, uint16_t port)
{
	registry_release(s, port);
	for (unsigned i = 0; i < SOCKS; i++)
		if (socks[i].port == port && socks[i].run == s->run->id)
			socks[i].left = true;
}

static bool try_candidate(struct ps_space *s, struct sock *sock, uint16_t port, unsigned *die)
{
	struct ps_address a;
	int claimed = registry_claim(s, port, sock->requested, process_self());

	MUST(claimed >= 0);
	if (claimed) {
		MUST(head_is_claim_of(host_head(host, port), s->env->id, s->run->id));
		MUST(host->record[port].run == s->run->id);
	}
	if (!claimed)
		return false;
	if (*die && !--*die)
		return true;
	if (rivals(sock, port) || !kernel_binds(sock, port)) {
		registry_release(s, port);
		MUST(host_head(host, port) == 0);
		return false;
	}
	if (*die && !--*die) {
		sock->port = 0;
		return true;
	}
	a = address_of(sock);
	registry_hold(s, &a);
	return true;
}

/* assign_locked() of the shim. */
static void assign_port(struct ps_space *s, struct sock *sock, unsigned from, unsigned die)
{
	uint16_t actual = registry_own(s, sock->requested);

	if (actual && registry_lost(s, actual, sock->protocol) <= 0) {
		kernel_binds(sock, actual);
		return;
	}
	if (actual)
		give_up(s, actual);
	if (try_candidate(s, sock, sock->requested, &die))
		return;
	for (unsigned i = 0; i < COUNT(numbers); i++) {
		uint16_t port = numbers[(from + i) % COUNT(numbers)];

		if (port != sock->requested && try_candidate(s, sock, port, &die))
			return;
	}
}

static void bind_step(unsigned who, uint16_t requested, uint8_t how, uint8_t more)
{
	struct ps_space *s = &space[who];
	uint16_t actual = registry_own(s, requested);
	struct sock *sock = new_sock(s->run->id, how);
	unsigned die = more & 7 ? 0 : 1 + (more >> 3 & 3);

	if (!sock)
		return;
	sock->requested = requested;
	if (actual) {
		if (!kernel_binds(sock, actual) && registry_lost(s, actual, sock->protocol) > 0)
			assign_port(s, sock, more >> 5, die);
	} else if (registry_is_own_actual(s, requested)) {
		sock->requested = head_requested(host_head(host, requested));
		kernel_binds(sock, requested);
	} else {
		assign_port(s, sock, more >> 5, die);
	}
	if (die && sock->protocol == PS_UDP)
		sock->port = 0; /* bound and recorded is one step, under the lock, but for being killed */
	if (sock->port && sock->protocol == PS_UDP)
		publish(s, sock);
}

static struct sock *pick(uint8_t n)
{
	for (unsigned i = 0; i < SOCKS; i++)
		if (socks[(n + i) % SOCKS].port)
			return &socks[(n + i) % SOCKS];
	return NULL;
}

static void listen_step(uint8_t which, uint8_t how)
{
	struct sock *sock = pick(which);
	struct ps_space *s = NULL;
	uint32_t before = 0;

	if (!sock || sock->protocol != PS_TCP || sock->recorded)
		return;
	for (unsigned i = 0; i < RUNS; i++)
		if (space[i].run->id == sock->run)
			s = &space[i];
	if (s)
		before = registry_announce(s, sock->port, sock->inode);
	if ((how & 7) == 1)
		return;
	if (kernel_refuses_to_listen(sock)) {
		if (s)
			registry_withdraw(s, sock->port, sock->inode, before);
		/* assign_again() of the shim */
		if (s && registry_is_own_actual(s, sock->port) && registry_lost(s, sock->port, PS_TCP) > 0)
			give_up(s, sock->port);
		sock->port = 0;
		return;
	}
	sock->listens = true;
	if (s && (how & 7) != 2)
		publish(s, sock);
}

/* What another run does between the kernel's answer and what a look makes of it: binds the same number, and listens. */
static struct {
	bool wanted;
	unsigned who;
	uint16_t number;
	uint8_t how;
} meanwhile;

static void do_meanwhile(void)
{
	uint32_t inode = next_inode + 1;

	if (!meanwhile.wanted)
		return;
	meanwhile.wanted = false;
	bind_step(meanwhile.who, meanwhile.number, meanwhile.how, 1);
	for (unsigned i = 0; i < SOCKS; i++)
		if (socks[i].port && socks[i].inode == inode)
			listen_step((uint8_t)i, 0);
}

static void stranger_step(uint16_t port, uint8_t how)
{
	struct sock *sock = new_sock(0, how);

	if (sock && kernel_binds(sock, port) && sock->protocol == PS_TCP)
		sock->listens = !kernel_refuses_to_listen(sock);
}

/* After a look, the living listeners of the run are found by everybody who sees them. */
static void sweep_step(unsigned who, uint16_t number, uint8_t how)
{
	unsigned other = how >> 3 & 7;

	meanwhile.wanted = other < RUNS && other != who;
	meanwhile.who = other;
	meanwhile.number = number;
	meanwhile.how = how & 7;
	registry_sweep(host, space[who].run, space[who].env, false);
	meanwhile.wanted = false;
	for (unsigned i = 0; i < SOCKS && !was_blind; i++) {
		if (!socks[i].port || !socks[i].recorded || socks[i].left || socks[i].run != space[who].run->id)
			continue;
		for (unsigned r = 0; r < RUNS; r++)
			if (registry_sees(&space[r], space[who].env->id))
				MUST(registry_forward(&space[r], socks[i].requested));
	}
}

/* A run is over: its processes are gone, or some went into the background. Its keeper looks once more, or was
 * killed. */
static void end_step(unsigned who, uint16_t number, uint8_t how)
{
	unsigned other = how >> 3 & 7;

	for (unsigned i = 0; i < SOCKS && !(how & 1); i++)
		if (socks[i].run == space[who].run->id)
			socks[i].port = 0;
	meanwhile.wanted = how & 4 && other < RUNS && other != who;
	meanwhile.who = other;
	meanwhile.number = number;
	meanwhile.how = how >> 6;
	if (how & 2)
		registry_sweep(host, space[who].run, space[who].env, !(how & 1));
	meanwhile.wanted = false;
	begin(who);
}

/* Somebody finds the record of a run whose file is gone. */
static void leftover_step(uint16_t port)
{
	static struct ps_scope lost;
	uint64_t head = host_head(host, port);

	if (head_state(head) < PS_HELD)
		return;
	lost.id = host->record[port].run;
	for (unsigned i = 0; i < RUNS; i++)
		if (space[i].run->id == lost.id)
			return;
	registry_sweep(host, &lost, env[env_index(head_env(head))], true);
}

/* ---- what must be true ---- */

static void check_head(uint16_t port)
{
	uint64_t head = host_head(host, port);
	const struct ps_record *r = &host->record[port];
	unsigned e;

	if (head_state(head) < PS_HELD)
		return;
	e = env_index(head_env(head));
	MUST(e < ENVS && r->run && r->run < next_run && env_of[r->run] == e);
	MUST(shared_bit(host->owned, port) && shared_bit(host->named, port) && shared_bit(env[e]->actual, port));
	MUST(shared_bit(host->named, head_requested(head)));
	MUST(shared_bit(host->moved, port) == (head_requested(head) != port));
	MUST((head_state(head) == PS_LISTENING) <= (r->protocols != 0));
}

/* The environment's hint leads to a port that was taken over: that is seen at the next look only. */
static bool is_hint_broken(const struct ps_scope *e, uint16_t requested)
{
	uint64_t head = host_head(host, scope_hint(e, requested));

	return head_env(head) != e->id || head_state(head) < PS_HELD || head_requested(head) != requested;
}

/* Law 13: who listens and said so is recorded, under its own name, whatever others did; and its clients find it. */
static void check_sock(const struct sock *s)
{
	uint64_t head = host_head(host, s->port);

	if (s->left)
		return;
	MUST(head_state(head) == PS_LISTENING && host->record[s->port].run == s->run);
	MUST(head_requested(head) == s->requested && host->record[s->port].protocols & s->protocol);
	MUST(registry_listening(host, s->port));
	for (unsigned i = 0; i < RUNS; i++) {
		bool listening, sees = registry_sees(&space[i], head_env(head));
		uint16_t forward = registry_forward(&space[i], s->requested);

		MUST(registry_foreign(&space[i], s->port, &listening) == !sees);
		MUST(registry_is_actual(&space[i], s->port) == sees);
		MUST(registry_is_own_actual(&space[i], s->port) == (space[i].run->id == s->run));
		if (!blind && !sees)
			MUST(listening);
		if (sees)
			MUST(forward || is_hint_broken(env[env_index(head_env(head))], s->requested));
		if (space[i].run->id == s->run)
			MUST(registry_own(&space[i], s->requested) || two_of_a_name[s->run]);
	}
}

/* A stranger alone on a port that nobody under portshim has: every client passes. */
static void check_stranger(const struct sock *s)
{
	bool listening;

	for (unsigned i = 0; i < SOCKS; i++)
		if (&socks[i] != s && socks[i].port == s->port)
			return;
	for (unsigned i = 0; i < RUNS; i++)
		if (head_state(host_head(host, s->port)) < PS_HELD)
			MUST(!registry_foreign(&space[i], s->port, &listening));
}

static void check_lookups(const struct ps_space *s, uint16_t requested)
{
	uint16_t own = registry_own(s, requested), forward = registry_forward(s, requested);

	if (own) {
		MUST(forward == own && registry_is_own_actual(s, own));
		MUST(head_requested(host_head(host, own)) == requested);
	}
	if (forward) {
		MUST(registry_is_actual(s, forward));
		MUST(head_requested(host_head(host, forward)) == requested);
	}
}

static void check(void)
{
	for (unsigned i = 0; i < COUNT(numbers); i++) {
		check_head(numbers[i]);
		for (unsigned r = 0; r < RUNS; r++)
			check_lookups(&space[r], numbers[i]);
	}
	for (unsigned i = 0; i < SOCKS; i++) {
		if (socks[i].port && socks[i].recorded && !was_blind)
			check_sock(&socks[i]);
		if (socks[i].port && !socks[i].run)
			check_stranger(&socks[i]);
	}
}

static void print_state(const uint8_t *d)
{
	static const char *const names[11] = {"bind", "bind", "bind", "listen", "listen", "close", "stranger", "sweep",
					      "end", "leftover", "kernel"};

	printf("%s %u %u %02x\n", names[d[0] % 11], d[1], d[2] % (unsigned)COUNT(numbers), d[3]);
	for (unsigned i = 0; i < COUNT(numbers); i++)
		if (host_head(host, numbers[i]))
			printf("	%5u: env %u requested %u state %u run %u inode %u listeners %u\n", numbers[i],
			       env_index(head_env(host_head(host, numbers[i]))),
			       head_requested(host_head(host, numbers[i])),
			       (unsigned)head_state(host_head(host, numbers[i])),
			       host->record[numbers[i]].run, host->record[numbers[i]].inode,
			       host->record[numbers[i]].listeners);
	for (unsigned i = 0; i < SOCKS; i++)
		if (socks[i].port)
			printf("	socket %u: port %u, of run %u, %s%s%s%s%s\n", socks[i].inode, socks[i].port,
			       socks[i].run, socks[i].protocol == PS_TCP ? "tcp" : "udp",
			       socks[i].listens ? " listens" : "", socks[i].recorded ? " recorded" : "",
			       socks[i].share ? " shares" : "", socks[i].left ? " left" : "");
	fflush(stdout);
}

static void step(uint8_t what, uint8_t who, uint8_t port, uint8_t how)
{
	uint16_t number = numbers[port % COUNT(numbers)];

	switch (what % 11) {
	case 0:
	case 1:
	case 2:
		bind_step(who % RUNS, number, how, port);
		break;
	case 3:
	case 4:
		listen_step(who, how);
		break;
	case 5:
		if (pick(who))
			pick(who)->port = 0;
		break;
	case 6:
		stranger_step(number, how);
		break;
	case 7:
		sweep_step(who % RUNS, number, how);
		break;
	case 8:
		end_step(who % RUNS, number, how);
		break;
	case 9:
		leftover_step(number);
		break;
	default:
		only_four = how & 1;
		blind = how & 2;
		was_blind |= blind;
		alive = how & 4;
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	start();
	for (unsigned i = 0; i < STEPS && size >= 4; i++, data += 4, size -= 4) {
		step(data[0], data[1], data[2], data[3]);
		if (tell)
			print_state(data);
		check();
	}
	return 0;
}
