/*
 * test_meanwhile.c - law 9 while ports change hands: what happens between a client's decision and the kernel's connect.
 * The hook's way into the kernel is replaced by one that lets something happen first.
 */
#include <poll.h>

#include "laws.h"

static int (*kernel_connect)(int, const struct sockaddr *, socklen_t);
static struct ps_space *a, *b;
static uint16_t n, elsewhere;
static unsigned calls;
static void (*happens)(void);

static int late_connect(int fd, const struct sockaddr *address, socklen_t length)
{
	struct ps_space *client = acts_for();

	if (calls++ == 0)
		happens();
	act_for(client);
	return kernel_connect(fd, address, length);
}

static int setup(void **state)
{
	int error = laws_setup(state);

	n = free_numbers(1);
	a = run_in("a", 0, NULL);
	b = run_in("b", 0, NULL);
	calls = 0;
	kernel_connect = real.connect;
	real.connect = late_connect;
	act_for(a);
	shared_set(a->host->named, n); /* somebody had it before */
	return error;
}

static int teardown(void **state)
{
	real.connect = kernel_connect;
	return laws_teardown(state);
}

static void another_serves(void)
{
	act_for(b);
	assert_int_equal(actual_of(server(SOCK_STREAM, n)), n);
}

static void another_serves_datagrams(void)
{
	act_for(b);
	assert_int_equal(actual_of(server(SOCK_DGRAM, n)), n);
}

static void both_serve(void)
{
	another_serves();
	act_for(a);
	elsewhere = actual_of(server(SOCK_STREAM, n));
	assert_int_not_equal(elsewhere, n);
}

static void ours_serves(void)
{
	act_for(a);
	assert_int_equal(actual_of(server(SOCK_STREAM, n)), n);
}

static int first;

/* The number that the client is on its way to is another's by then, and our server's next one is a third. */
static void ours_moves_again(void)
{
	uint16_t before = actual_of(first);

	act_for(a);
	dup2(STDERR_FILENO, first); /* closes it; the descriptor is the test's */
	registry_release(a, before);
	act_for(b);
	assert_int_equal(actual_of(server(SOCK_STREAM, before)), before);
	act_for(a);
	elsewhere = actual_of(server(SOCK_STREAM, n));
	assert_int_not_equal(elsewhere, before);
}

static void who_came_to_another_environments_server_is_refused(void **state)
{
	uint16_t reached, told;

	(void)state;
	happens = another_serves;
	assert_int_equal(reach(SOCK_STREAM, n, &reached), ECONNREFUSED);
	assert_int_equal(last_event(a, &told), PS_EVENT_REFUSED);
	assert_int_equal(told, n);
}

static void who_came_to_its_datagram_socket_too(void **state)
{
	uint16_t reached;

	(void)state;
	happens = another_serves_datagrams;
	assert_int_equal(reach(SOCK_DGRAM, n, &reached), ECONNREFUSED);
}

static void who_is_on_the_way_there_is_refused_by_an_event(void **state)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(n), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error = 0;
	struct pollfd ready = {.fd = fd, .events = POLLOUT};
	socklen_t length = sizeof(error);

	(void)state;
	happens = another_serves;
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), -1);
	assert_int_equal(errno, EINPROGRESS);
	assert_int_equal(poll(&ready, 1, 10000), 1);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length), 0);
	assert_int_equal(error, ECONNREFUSED);
	close(fd);
}

static void ones_own_server_is_reached_where_it_is_by_now(void **state)
{
	uint16_t reached;

	(void)state;
	happens = both_serve;
	errno = ESRCH;
	assert_int_equal(reach(SOCK_STREAM, n, &reached), 0);
	assert_int_equal(errno, ESRCH);
	assert_int_equal(reached, elsewhere);
}

static void ones_own_server_is_reached_at_its_next_number(void **state)
{
	uint16_t reached;

	(void)state;
	stranger(SOCK_STREAM, n);
	first = server(SOCK_STREAM, n);
	happens = ours_moves_again;
	assert_int_equal(reach(SOCK_STREAM, n, &reached), 0);
	assert_int_equal(reached, elsewhere);
}

static void ones_own_server_that_came_is_no_reason(void **state)
{
	uint16_t reached;

	(void)state;
	happens = ours_serves;
	assert_int_equal(reach(SOCK_STREAM, n, &reached), 0);
	assert_int_equal(reached, n);
	assert_int_equal(calls, 1);
}

/* What may be reached whosever it is stays reached. */
static void a_service_that_is_external_is_no_reason(void **state)
{
	char manifest[128];
	uint16_t reached;

	(void)state;
	snprintf(manifest, sizeof(manifest), "{\"db\":{\"port\":%u,\"external\":true}}", n);
	a = run_in("a", 0, manifest);
	act_for(a);
	happens = another_serves;
	assert_int_equal(reach(SOCK_STREAM, n, &reached), 0);
	assert_int_equal(reached, n);
	assert_int_equal(calls, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(who_came_to_another_environments_server_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(who_came_to_its_datagram_socket_too, setup, teardown),
		cmocka_unit_test_setup_teardown(who_is_on_the_way_there_is_refused_by_an_event, setup, teardown),
		cmocka_unit_test_setup_teardown(ones_own_server_is_reached_where_it_is_by_now, setup, teardown),
		cmocka_unit_test_setup_teardown(ones_own_server_is_reached_at_its_next_number, setup, teardown),
		cmocka_unit_test_setup_teardown(ones_own_server_that_came_is_no_reason, setup, teardown),
		cmocka_unit_test_setup_teardown(a_service_that_is_external_is_no_reason, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
