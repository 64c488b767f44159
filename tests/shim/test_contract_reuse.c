/*
 * The contract of sharing a port: SO_REUSEADDR and SO_REUSEPORT in all combinations over two processes, and IPV6_V6ONLY
 * with every pair of local addresses of both families. Law 3: inside a run, what the kernel says on the actual port is
 * what the program gets. (Between runs: test_active_reuse.py.)
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>

#include "contract.h"

enum { REUSE_ADDRESS = 1, REUSE_PORT = 2, V6ONLY = 4, DUAL = 8 };
enum stage { BIND, LISTEN, UDP };
static const char *const stages[] = { "bound", "listening", "udp" };

/* What one process is asked to do: make a socket, and close it when it is told. */
struct request {
	char address[48];
	int port, options;
	enum stage stage;
};

struct answer {
	int bind_error, listen_error; /* -1: not tried */
	int name;
};

static int open_socket(const struct request *r, struct answer *answer)
{
	bool six = strchr(r->address, ':');
	struct sockaddr_in a = six ? contract_in("0.0.0.0", 0) : contract_in(r->address, r->port);
	struct sockaddr_in6 a6 = six ? contract_in6(r->address, r->port) : contract_in6("::", 0);
	int fd = contract_socket(six ? AF_INET6 : AF_INET, r->stage == UDP ? SOCK_DGRAM : SOCK_STREAM);
	int result;

	*answer = (struct answer){ -1, -1, 0 };
	if (r->options & REUSE_ADDRESS)
		contract_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (r->options & REUSE_PORT)
		contract_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (six)
		contract_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !(r->options & DUAL));
	errno = CONTRACT_ERRNO;
	result = six ? bind(fd, &a6, sizeof(a6)) : bind(fd, &a, sizeof(a));
	if (!result)
		assert_int_equal(errno, CONTRACT_ERRNO);
	answer->bind_error = result ? errno : 0;
	if (!result && r->stage == LISTEN) {
		errno = CONTRACT_ERRNO;
		result = listen(fd, 8);
		if (!result)
			assert_int_equal(errno, CONTRACT_ERRNO);
		answer->listen_error = result ? errno : 0;
	}
	if (!result)
		answer->name = contract_kernel_port(fd);
	return fd;
}

/* ---- the other process: does one request after the other, and holds each until the next one comes ---- */

static int to_other;
static pid_t other;

static void other_process(int channel)
{
	struct request r;
	struct answer a;
	int fd = -1;

	while (read(channel, &r, sizeof(r)) == sizeof(r)) {
		if (fd >= 0)
			close(fd);
		fd = -1;
		a = (struct answer){ -1, -1, 0 };
		if (r.port)
			fd = open_socket(&r, &a);
		if (write(channel, &a, sizeof(a)) != sizeof(a))
			break;
	}
	_exit(0);
}

static int other_start(void **state)
{
	int pair[2];

	(void)state;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -1;
	other = fork();
	if (!other) {
		close(pair[0]);
		other_process(pair[1]);
	}
	close(pair[1]);
	to_other = pair[0];
	return other < 0;
}

static int other_stop(void **state)
{
	(void)state;
	close(to_other);
	return waitpid(other, NULL, 0) != other;
}

static struct answer ask(struct request r)
{
	struct answer a;

	assert_int_equal(write(to_other, &r, sizeof(r)), (int)sizeof(r));
	assert_int_equal(read(to_other, &a, sizeof(a)), (int)sizeof(a));
	return a;
}

static const char *error_name(int error)
{
	return error < 0 ? "-" : error ? strerrorname_np(error) : "ok";
}

/* Both processes on one port: the transcript has what the second one was told. They must have one actual port. */
static void both(const struct request *mine, const struct request *theirs)
{
	struct answer a, b;
	int fd = open_socket(mine, &a);

	b = ask(*theirs);
	contract_note("%s %s %x, then %s %s %x: %s %s, %s %s", mine->address, stages[mine->stage], (unsigned)mine->options,
		      theirs->address, stages[theirs->stage], (unsigned)theirs->options, error_name(a.bind_error),
		      error_name(a.listen_error), error_name(b.bind_error), error_name(b.listen_error));
	if (a.name && b.name)
		assert_int_equal(a.name, b.name);
	if (contract_moved())
		assert_true(a.name && a.name != mine->port);
	ask((struct request){ .port = 0 });
	close(fd);
}

static void combinations(enum stage first, enum stage second)
{
	static const char *const pairs[][2] = { { "127.0.0.1", "127.0.0.1" }, { "0.0.0.0", "0.0.0.0" },
						{ "0.0.0.0", "127.0.0.1" },   { "127.0.0.1", "0.0.0.0" },
						{ "127.0.0.1", "127.0.0.2" } };
	int port = contract_port();

	for (size_t p = 0; p < sizeof(pairs) / sizeof(pairs[0]); p++)
		for (int i = 0; i < 16; i++) {
			struct request mine = { .port = port, .options = i & 3, .stage = first };
			struct request theirs = { .port = port, .options = i >> 2, .stage = second };

			snprintf(mine.address, sizeof(mine.address), "%s", pairs[p][0]);
			snprintf(theirs.address, sizeof(theirs.address), "%s", pairs[p][1]);
			both(&mine, &theirs);
		}
}

static void bound_bound(void **state)
{
	(void)state;
	combinations(BIND, BIND);
}

static void bound_listening(void **state)
{
	(void)state;
	combinations(BIND, LISTEN);
}

static void listening_bound(void **state)
{
	(void)state;
	combinations(LISTEN, BIND);
}

static void listening_listening(void **state)
{
	(void)state;
	combinations(LISTEN, LISTEN);
}

static void udp_udp(void **state)
{
	(void)state;
	combinations(UDP, UDP);
}

static void tcp_and_udp(void **state)
{
	(void)state;
	combinations(LISTEN, UDP);
	combinations(UDP, LISTEN);
}

/* A connection of the first process is left, and its listener gone: the second wants the port (TIME_WAIT, or worse). */
static void after_connections(void **state)
{
	static const char *const ends[] = { "alive", "TIME_WAIT" };

	(void)state;
	for (int closed = 0; closed < 2; closed++)
		for (int options = 0; options < 4; options++) {
			struct request theirs = { .address = "127.0.0.1", .options = options, .stage = LISTEN };
			int fd, client, accepted;
			struct answer a;
			char byte;

			theirs.port = contract_port();
			fd = contract_listener("127.0.0.1", theirs.port); /* with SO_REUSEADDR */
			client = contract_client("127.0.0.1", theirs.port);
			accepted = (int)OK(accept(fd, NULL, NULL));
			close(fd);
			if (closed) {
				/* the server's end closes first: its port is what waits */
				close(accepted);
				assert_int_equal(read(client, &byte, 1), 0);
				close(client);
			}
			a = ask(theirs);
			contract_note("%s, then options %d: %s %s", ends[closed], options, error_name(a.bind_error),
				      error_name(a.listen_error));
			ask((struct request){ .port = 0 });
			if (!closed) {
				close(accepted);
				close(client);
			}
		}
}

/* IPV6_V6ONLY and mapped addresses: who is in whose way. */
static void families(enum stage stage)
{
	static const struct {
		const char *address;
		int options;
	} all[] = {
		{ "0.0.0.0", 0 }, { "127.0.0.1", 0 }, { "127.0.0.2", 0 },	{ "::", V6ONLY },
		{ "::", DUAL },	  { "::1", V6ONLY },  { "::1", DUAL },		{ "::ffff:0.0.0.0", DUAL },
		{ "::ffff:127.0.0.1", DUAL },
	};
	int port = contract_port();

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		for (size_t j = 0; j < sizeof(all) / sizeof(all[0]); j++)
			for (int share = 0; share < 2; share++) {
				struct request mine = { .port = port, .stage = stage,
							.options = all[i].options | (share ? REUSE_PORT : 0) };
				struct request theirs = { .port = port, .stage = stage,
							  .options = all[j].options | (share ? REUSE_PORT : 0) };

				snprintf(mine.address, sizeof(mine.address), "%s", all[i].address);
				snprintf(theirs.address, sizeof(theirs.address), "%s", all[j].address);
				both(&mine, &theirs);
			}
}

static void families_bound(void **state)
{
	(void)state;
	if (!contract_ipv6())
		skip();
	families(BIND);
}

static void families_listening(void **state)
{
	(void)state;
	if (!contract_ipv6())
		skip();
	families(LISTEN);
}

static void families_udp(void **state)
{
	(void)state;
	if (!contract_ipv6())
		skip();
	families(UDP);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest reuse_contract[] = {
		cmocka_unit_test(bound_bound),	   cmocka_unit_test(bound_listening),
		cmocka_unit_test(listening_bound), cmocka_unit_test(listening_listening),
		cmocka_unit_test(udp_udp),	   cmocka_unit_test(tcp_and_udp),
		cmocka_unit_test(after_connections), cmocka_unit_test(families_bound),
		cmocka_unit_test(families_listening), cmocka_unit_test(families_udp),
	};

	(void)argc;
	contract_start(argv[0]);
	return cmocka_run_group_tests_name("reuse", reuse_contract, other_start, other_stop);
}
