/*
 * fuzz_hooks.c - the hooks with any socket address: of any length and family, at the end of a page behind which
 * nothing can be read, or at the beginning of one before which nothing can.
 *
 * The hooks and all that they decide with are the real ones, on a space with moved ports, another environment's and a
 * service that is told apart by its process. What they call in the end (struct shim_real) is replaced: it must get
 * either what the caller gave, or a copy in which nothing but the port is another, and that one is right. What the
 * kernel fills in comes from the input, too; the caller must see it with at most the port changed, and nothing
 * written beside it.
 *
 * An input is a sequence of calls.
 */
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../src/core/sys.h"
#include "../../src/shim/shim.h"
#include "fuzz.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CALLS 16
#define BINDS 8 /* so many candidates are refused at most */
#define PAGE 4096
#define MESSAGES 3

/* requested -> actual, of whom: see LLVMFuzzerInitialize */
static const uint16_t numbers[] = {3000, 23000, 3001, 23001, 4000, 24000, 5000, 25000, 6000, 65535, 1, 0};

static struct ps_space space;
static struct ps_direct direct;
static struct ps_caller caller = {.calls = &shim_calls, .direct = &direct};
static struct ps_host *host;
static uint8_t *page; /* between two that cannot be touched */
static struct fuzz input;
static unsigned binds; /* of one call */
static int verdict; /* of the kernel: an errno, or 0 */

/* What the caller gave. */
static const void *given;
static socklen_t given_length;
static struct sockaddr_storage given_copy;
static bool given_readable;
static bool is_datagram;

/* ---- the kernel's side of the hooks ---- */

static bool is_inet(const void *address, socklen_t length)
{
	sa_family_t family;

	memcpy(&family, address, sizeof(family));
	return length >= sizeof(struct sockaddr_in) && (family == AF_INET || family == AF_INET6);
}

/* Sending and binding IPv4 sockets take an address without a family, too. */
static bool is_inet_or_none(const void *address, socklen_t length)
{
	sa_family_t family;

	memcpy(&family, address, sizeof(family));
	return is_inet(address, length) || (length >= sizeof(struct sockaddr_in) && family == AF_UNSPEC);
}

static uint16_t port_of(const void *address)
{
	uint16_t port;

	memcpy(&port, (const char *)address + 2, sizeof(port));
	return ntohs(port);
}

/* The destination of a call is the caller's own, or has another port, and only that. */
static void check_destination(const void *address, socklen_t length)
{
	char ours[sizeof(struct sockaddr_storage)];
	uint16_t port;

	if (address == given) {
		MUST(length == given_length);
		return;
	}
	MUST(given_readable && length == given_length && is_inet_or_none(&given_copy, given_length));
	memcpy(ours, address, length); /* all of it can be read */
	port = port_of(ours);
	/* Law 9: to where nobody is, so that the kernel refuses. */
	MUST(port == (is_datagram ? 1 : 0) || registry_is_actual(&space, port));
	memcpy(ours + 2, (const char *)&given_copy + 2, 2);
	MUST(memcmp(ours, &given_copy, length) == 0);
}

static int judge(void)
{
	if (!verdict)
		return 0;
	errno = verdict;
	return -1;
}

static int fake_connect(int fd, const struct sockaddr *a, socklen_t n)
{
	(void)fd;
	check_destination(a, n);
	return judge();
}

/* What a program binds is the requested port, or one that was claimed for it, or the kernel's choice. */
static int fake_bind(int fd, const struct sockaddr *a, socklen_t n)
{
	char ours[sizeof(struct sockaddr_storage)];

	(void)fd;
	if (a == given) {
		MUST(n == given_length);
		return judge();
	}
	MUST(given_readable && n == given_length && is_inet_or_none(&given_copy, given_length));
	memcpy(ours, a, n);
	if (given_copy.ss_family == AF_UNSPEC) /* bound as AF_INET, which is what the kernel makes of it */
		memcpy(ours, &given_copy, sizeof(given_copy.ss_family));
	if (port_of(ours) != port_of(&given_copy) && port_of(ours) != 0) {
		uint64_t head = host_head(host, port_of(ours));

		MUST(head_env(head) == space.env->id && head_requested(head) == port_of(&given_copy));
	}
	memcpy(ours + 2, (const char *)&given_copy + 2, 2);
	MUST(memcmp(ours, &given_copy, n) == 0);
	if (++binds == BINDS)
		verdict = 0;
	return judge();
}

static ssize_t fake_sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *a, socklen_t n)
{
	(void)fd;
	(void)data;
	(void)flags;
	if (a || n)
		check_destination(a, n);
	return verdict ? judge() : (ssize_t)size;
}

static ssize_t fake_sendmsg(int fd, const struct msghdr *m, int flags)
{
	(void)fd;
	(void)flags;
	if (m->msg_name == given) {
		MUST(m->msg_namelen == given_length);
	} else if (m->msg_name) {
		if (given_length > sizeof(struct sockaddr_storage)) /* cut by the kernel, and so by us */
			given_length = sizeof(struct sockaddr_storage);
		check_destination(m->msg_name, m->msg_namelen);
	}
	return verdict ? judge() : 1;
}

static int fake_sendmmsg(int fd, struct mmsghdr *m, unsigned count, int flags)
{
	unsigned n = verdict ? (unsigned)verdict % (count + 1) : count;

	for (unsigned i = 0; i < n; i++) {
		m[i].msg_len = 1;
		fake_sendmsg(fd, &m[i].msg_hdr, flags);
	}
	return n || !count ? (int)n : judge();
}

/* ---- what the kernel fills in ---- */

static struct sockaddr_storage filled;
static socklen_t filled_length;
static bool was_filled;

static void fill(void *address, socklen_t *length)
{
	if (address && *length) /* as much as there is room for */
		memcpy(address, &filled, *length < filled_length ? *length : filled_length);
	*length = filled_length;
	was_filled = true;
}

static int fake_name(int fd, struct sockaddr *a, socklen_t *n)
{
	(void)fd;
	if (verdict)
		return judge();
	fill(a, n);
	return 0;
}

static int fake_accept(int fd, struct sockaddr *a, socklen_t *n)
{
	if (verdict)
		return judge();
	if (a)
		fake_name(fd, a, n);
	return 5;
}

static int fake_accept4(int fd, struct sockaddr *a, socklen_t *n, int flags)
{
	(void)flags;
	return fake_accept(fd, a, n);
}

static ssize_t fake_recvfrom(int fd, void *data, size_t size, int flags, struct sockaddr *a, socklen_t *n)
{
	(void)data;
	(void)flags;
	if (verdict)
		return judge();
	if (a)
		fake_name(fd, a, n);
	return (ssize_t)size;
}

static ssize_t fake_recvfrom_chk(int fd, void *data, size_t size, size_t room, int flags, struct sockaddr *a,
				 socklen_t *n)
{
	(void)room;
	return fake_recvfrom(fd, data, size, flags, a, n);
}

static ssize_t fake_recvmsg(int fd, struct msghdr *m, int flags)
{
	(void)fd;
	(void)flags;
	if (verdict)
		return judge();
	if (m->msg_name)
		fill(m->msg_name, &m->msg_namelen);
	return 1;
}

static int fake_recvmmsg(int fd, struct mmsghdr *m, unsigned count, int flags, struct timespec *timeout)
{
	unsigned n = verdict ? (unsigned)verdict % (count + 1) : count;

	(void)timeout;
	verdict = 0;
	for (unsigned i = 0; i < n; i++)
		fake_recvmsg(fd, &m[i].msg_hdr, flags);
	return (int)n;
}

/* ---- the space ---- */

static char runtime[] = "/dev/shm/portshim-fuzz-XXXXXX";
static struct ps_scope *env, *stranger;
static struct ps_scope *run;

static void clear_away(void)
{
	char path[PS_RUNTIME_MAX + 16];

	space_unlink_scope(runtime, env->id);
	space_unlink_scope(runtime, stranger->id);
	space_unlink_scope(runtime, run->id);
	snprintf(path, sizeof(path), "%s/host", runtime);
	unlink(path);
	rmdir(runtime);
}

static void put(struct ps_scope *scope, uint32_t of, uint16_t requested, uint16_t actual, uint8_t protocols, uint8_t at)
{
	struct ps_record *r = &host->record[actual];

	memset(r, 0, sizeof(*r));
	r->run = of;
	r->protocols = protocols;
	r->at = at;
	r->report = actual & 1 ? PS_REPORT_REQUESTED : PS_REPORT_ACTUAL;
	r->address[15] = 9;
	host->record[actual].head = head_make(scope->id, requested, protocols ? PS_LISTENING : PS_HELD);
	shared_set(host->owned, actual);
	shared_set(host->named, actual);
	shared_set(host->named, requested);
	shared_set(scope->actual, actual);
	atomic_fetch_or(&scope->pages, scope_page(requested));
	scope->forward[requested] = actual;
	if (requested != actual)
		shared_set(host->moved, actual);
}

static void clear_ports(void)
{
	FOR_EACH_SET(port, host->owned)
		host->record[port].head = 0;
	memset((void *)host->owned, 0, sizeof(host->owned));
	memset((void *)host->named, 0, sizeof(host->named));
	memset((void *)host->moved, 0, sizeof(host->moved));
	memset((void *)env->actual, 0, sizeof(env->actual));
	memset((void *)env->near, 0, sizeof(env->near));
	memset((void *)run->near, 0, sizeof(run->near));
	atomic_store(&env->pages, 0);
	atomic_store(&run->pages, 0);
	put(env, run->id, 3000, 23000, PS_TCP, PS_AT_ANY4);
	put(env, run->id, 3001, 23001, PS_TCP | PS_UDP, PS_AT_LO6 | PS_AT_LO4);
	put(env, run->id, 4000, 24000, 0, PS_AT_OTHER);
	put(env, run->id, 6000, 6000, PS_UDP, PS_AT_OTHER | PS_AT_OTHERS);
	put(stranger, 77, 5000, 5000, PS_TCP, PS_AT_ANY6);
	put(stranger, 77, 5001, 25000, PS_TCP, PS_AT_LO4);
	run->forward[3001] = 23001;
	atomic_fetch_or(&run->pages, scope_page(3001));
	run->events = 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct ps_scope_spec of_env = {.key = "name:a"}, of_stranger = {.key = "name:b"}, of_run = {.chain = {0}};
	char path[PS_RUNTIME_MAX + 16];
	uint8_t *pages = mmap(NULL, 3 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)argc;
	(void)argv;
	MUST(pages != MAP_FAILED);
	page = pages + PAGE;
	MUST(mprotect(page, PAGE, PROT_READ | PROT_WRITE) == 0);
	MUST(mkdtemp(runtime) && space_open_env(runtime, &of_env, &env) == 0);
	MUST(space_open_env(runtime, &of_stranger, &stranger) == 0);
	of_run.chain[0] = env->id;
	MUST(space_create_run(runtime, &of_run, path, &run) == 0);
	MUST(space_open(&space, path) == 0);
	env = space.env;
	run = space.run;
	host = space.host;
	caller.space = &space;
	shim_active = &caller;
	real.bind = fake_bind;
	real.connect = fake_connect;
	real.sendto = fake_sendto;
	real.sendmsg = fake_sendmsg;
	real.sendmmsg = fake_sendmmsg;
	real.getsockname = fake_name;
	real.getpeername = fake_name;
	real.accept = fake_accept;
	real.accept4 = fake_accept4;
	real.recvfrom = fake_recvfrom;
	real.recvfrom_chk = fake_recvfrom_chk;
	real.recvmsg = fake_recvmsg;
	real.recvmmsg = fake_recvmmsg;
	atexit(clear_away);
	return 0;
}

/* ---- the calls ---- */

/* An address as programs have it, or any bytes. */
static socklen_t take_address(uint8_t bytes[sizeof(struct sockaddr_storage)])
{
	static const uint8_t four[][4] = {{127, 0, 0, 1}, {0}, {127, 1, 2, 3}, {10, 0, 0, 1}, {224, 0, 0, 1}, {0, 0, 0, 9}};
	uint8_t how = (uint8_t)fuzz_take(&input, 1);
	uint16_t port = htons(numbers[fuzz_take(&input, 1) % COUNT(numbers)]);
	socklen_t length = how & 1 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	sa_family_t family = how & 1 ? AF_INET6 : AF_INET;
	size_t at = how & 1 ? (how & 2 ? 20 : 8) : 4;

	memset(bytes, 0, sizeof(struct sockaddr_storage));
	memcpy(bytes, &family, 2);
	memcpy(bytes + 2, &port, 2);
	memcpy(bytes + at, four[(how >> 2 & 7) % COUNT(four)], 4);
	if ((how & 3) == 3)
		bytes[18] = bytes[19] = 0xff;
	if ((how & 3) == 1)
		memcpy(bytes + 8, how & 4 ? "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1" : "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	if (how & 32)
		length = (socklen_t)fuzz_take(&input, 1);
	if (how & 64)
		for (unsigned n = (unsigned)fuzz_take(&input, 1) % 8; n; n--) {
			unsigned where = (unsigned)fuzz_take(&input, 1) % sizeof(struct sockaddr_storage);

			bytes[where] = (uint8_t)fuzz_take(&input, 1);
		}
	return length;
}

/* Puts the address where exactly its length can be read, or less than that. */
static struct sockaddr *place(uint8_t where, const uint8_t bytes[sizeof(struct sockaddr_storage)], socklen_t length)
{
	socklen_t room = length < sizeof(struct sockaddr_storage) ? length : sizeof(struct sockaddr_storage);
	uint8_t *at = page + PAGE - room;

	given_readable = true;
	given_length = length;
	memcpy(&given_copy, bytes, sizeof(given_copy));
	if (where & 1)
		at = page;
	if ((where & 6) == 6 && length) {
		at += where >> 3 < room ? where >> 3 : room; /* the end lies behind the page */
		given_readable = at + room <= page + PAGE; /* what is longer is cut, or refused */
	}
	if ((where & 0xf6) == 0xf6)
		at = (uint8_t *)(uintptr_t)(where & 8 ? 8 : 0);
	if (at >= page)
		memcpy(at, bytes, at + room <= page + PAGE ? room : (size_t)(page + PAGE - at));
	else
		given_readable = false;
	given = at;
	return (struct sockaddr *)at;
}

static int sockets[6]; /* TCP and UDP of both families, another family, and none */

static void call_out(uint8_t what, uint8_t where)
{
	uint8_t bytes[sizeof(struct sockaddr_storage)];
	socklen_t length = take_address(bytes);
	struct sockaddr *a = place(where, bytes, length);
	int fd = sockets[fuzz_take(&input, 1) % COUNT(sockets)];
	int flags = what & 64 ? MSG_FASTOPEN : 0, result;
	struct msghdr m = {.msg_name = a, .msg_namelen = length};
	struct mmsghdr many[MESSAGES];

	is_datagram = !(flags & MSG_FASTOPEN) || fd < 0;
	errno = 1234;
	switch (what % 5) {
	case 0:
		is_datagram = fd < 0; /* whatever the address, it is EBADF */
		result = connect(fd, a, length);
		break;
	case 1:
		result = (int)sendto(fd, "x", 1, flags, a, length);
		break;
	case 2:
		result = (int)sendmsg(fd, &m, flags);
		break;
	case 3:
		for (int i = 0; i < MESSAGES; i++)
			many[i] = (struct mmsghdr){.msg_hdr = m};
		is_datagram = !(flags & MSG_FASTOPEN) || (fd != sockets[0] && fd != sockets[1]);
		result = sendmmsg(fd, many, MESSAGES, flags);
		break;
	default:
		result = bind(fd, a, length);
		break;
	}
	MUST(result >= 0 ? errno == 1234 : errno != 1234);
	if (given_readable && given >= (void *)page)
		MUST(memcmp(given, bytes, length < sizeof(bytes) ? length : sizeof(bytes)) == 0);
}

/* Nothing but the port differs from what the kernel filled in, and nothing outside. */
static void check_filled(const uint8_t *at, socklen_t room, uint8_t canary)
{
	uint8_t want[sizeof(struct sockaddr_storage)];
	socklen_t size = room < filled_length ? room : filled_length;

	if (!was_filled)
		size = 0;
	memcpy(want, &filled, sizeof(want));
	for (const uint8_t *p = page; p < page + PAGE; p++)
		MUST((p >= at && p < at + size) || *p == canary);
	if (size < 4 || memcmp(at, want, size) == 0)
		return;
	MUST(is_inet(want, sizeof(want)) && shared_bit(host->moved, port_of(want)));
	MUST(port_of(at) == head_requested(host_head(host, port_of(want))));
	memcpy(want + 2, at + 2, 2);
	MUST(memcmp(at, want, size) == 0);
}

static void call_in(uint8_t what, uint8_t where)
{
	socklen_t room = (socklen_t)fuzz_take(&input, 1) % (sizeof(struct sockaddr_storage) + 1), length = room;
	uint8_t *at = where & 1 ? page : page + PAGE - room;
	struct msghdr m = {.msg_name = at, .msg_namelen = room};
	struct mmsghdr many[1];
	char data[4];

	filled_length = take_address((uint8_t *)&filled);
	if (filled_length > sizeof(filled))
		filled_length = sizeof(filled);
	was_filled = false;
	memset(page, 0xa5, PAGE);
	switch (what % 7) {
	case 0:
		getsockname(3, (struct sockaddr *)at, &length);
		break;
	case 1:
		getpeername(3, (struct sockaddr *)at, &length);
		break;
	case 2:
		accept(3, (struct sockaddr *)at, &length);
		break;
	case 3:
		accept4(3, (struct sockaddr *)at, &length, 0);
		break;
	case 4:
		recvfrom(3, data, sizeof(data), 0, (struct sockaddr *)at, &length);
		break;
	case 5:
		recvmsg(3, &m, 0);
		break;
	default:
		many[0].msg_hdr = m;
		recvmmsg(3, many, 1, 0, NULL);
		break;
	}
	check_filled(at, room, 0xa5);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int kinds[][2] = {{AF_INET, SOCK_STREAM}, {AF_INET6, SOCK_STREAM}, {AF_INET, SOCK_DGRAM},
				       {AF_INET6, SOCK_DGRAM}, {AF_UNIX, SOCK_STREAM}};

	if (!sockets[0]) {
		for (unsigned i = 0; i < COUNT(kinds); i++)
			sockets[i] = (int)sys3(SYS_socket, kinds[i][0], kinds[i][1] | SOCK_CLOEXEC, 0);
		sockets[COUNT(kinds)] = -1;
		close(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)); /* tells the hooks that not all are TCP */
	}
	input = (struct fuzz){data, data + size};
	clear_ports();
	for (int i = 0; i < CALLS && input.at < input.end; i++) {
		static const int verdicts[] = {0, 0, 0, EADDRINUSE, EACCES, EINTR, EINVAL, EPIPE};
		uint8_t what = (uint8_t)fuzz_take(&input, 1), where = (uint8_t)fuzz_take(&input, 1);

		verdict = verdicts[what >> 3 & 7];
		binds = 0;
		if (what & 128)
			call_in(what & 7, where);
		else
			call_out(what, where);
	}
	return 0;
}
