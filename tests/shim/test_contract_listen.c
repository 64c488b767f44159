/* The contract of listen(2), accept(2) and accept4(2). */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>

#include "contract.h"

static void listen_errors(void **state)
{
	struct sockaddr_in a = contract_in("127.0.0.1", contract_port());
	int pipes[2], udp = contract_udp("127.0.0.1", ntohs(a.sin_port)), fd, server;

	(void)state;
	FAILS(EBADF, listen(-1, 1));
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	FAILS(ENOTSOCK, listen(pipes[0], 1));
	FAILS(EOPNOTSUPP, listen(udp, 1));
	close(pipes[0]);
	close(pipes[1]);
	close(udp);
	server = contract_listener("127.0.0.1", contract_port());
	fd = contract_client("127.0.0.1", contract_name(server));
	FAILS(EINVAL, listen(fd, 1));
	close(fd);
	close(server);
}

static void listen_without_bind(void **state)
{
	int fd = contract_socket(AF_INET, SOCK_STREAM), client;

	(void)state;
	OK(listen(fd, 4));
	assert_int_not_equal(contract_name(fd), 0);
	client = contract_client("127.0.0.1", contract_name(fd));
	assert_int_equal(contract_peer(client), contract_name(fd));
	close(client);
	close(fd);
}

static void listen_again(void **state)
{
	int port = contract_port(), shown;
	int fd = contract_listener("127.0.0.1", port), client;

	(void)state;
	shown = contract_is_recorded(fd, port);
	OK(listen(fd, 1));
	OK(listen(fd, 0));
	OK(listen(fd, -1));
	assert_int_equal(contract_name(fd), shown);
	client = contract_client("127.0.0.1", port);
	close(client);
	close(fd);
}

/* Law 3: in one run the kernel's verdict stands, also where it comes only at listen. */
static void second_listen(void **state)
{
	struct sockaddr_in a = contract_in("127.0.0.1", contract_port());
	int one = contract_socket(AF_INET, SOCK_STREAM), two = contract_socket(AF_INET, SOCK_STREAM);

	(void)state;
	contract_option(one, SOL_SOCKET, SO_REUSEADDR, 1);
	contract_option(two, SOL_SOCKET, SO_REUSEADDR, 1);
	OK(bind(one, &a, sizeof(a)));
	OK(bind(two, &a, sizeof(a)));
	OK(listen(one, 4));
	FAILS(EADDRINUSE, listen(two, 4));
	/* not asked: the name of `two` here. The mapping is by port, and the port has a listener
	 * (docs/architecture.md) */
	close(one);
	OK(listen(two, 4));
	contract_is_recorded(two, ntohs(a.sin_port));
	close(two);
}

static void restart(void **state)
{
	int port = contract_port(), shown, fd, client, accepted;

	(void)state;
	fd = contract_listener("127.0.0.1", port);
	shown = contract_is_recorded(fd, port);
	client = contract_client("127.0.0.1", port);
	accepted = (int)OK(accept(fd, NULL, NULL));
	close(fd);
	/* a connection is still up; SO_REUSEADDR lets the next listener have the port all the same */
	fd = contract_listener("127.0.0.1", port);
	assert_int_equal(contract_is_recorded(fd, port), shown);
	close(client);
	close(accepted);
	close(fd);
}

static void accept_errors(void **state)
{
	struct sockaddr_in a;
	socklen_t length = sizeof(a);
	int pipes[2], fd = contract_socket(AF_INET, SOCK_STREAM), udp = contract_socket(AF_INET, SOCK_DGRAM);

	(void)state;
	FAILS(EBADF, accept(-1, &a, &length));
	FAILS(EBADF, accept4(-1, &a, &length, SOCK_CLOEXEC));
	FAILS(EINVAL, accept(fd, &a, &length));
	FAILS(EOPNOTSUPP, accept(udp, &a, &length));
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	FAILS(ENOTSOCK, accept(pipes[0], &a, &length));
	FAILS(ENOTSOCK, accept4(pipes[0], NULL, NULL, 0));
	close(pipes[0]);
	close(pipes[1]);
	close(fd);
	close(udp);
	fd = contract_listener("127.0.0.1", contract_port());
	FAILS(EINVAL, accept4(fd, &a, &length, 0x40000));
	contract_option(fd, SOL_SOCKET, SO_RCVBUF, 4096);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	FAILS(EAGAIN, accept(fd, &a, &length));
	FAILS(EAGAIN, accept4(fd, NULL, NULL, 0));
	assert_int_equal(length, sizeof(a));
	close(fd);
}

static void accept_flags(void **state)
{
	int port = contract_port();
	int fd = contract_listener("127.0.0.1", port), client = contract_client("127.0.0.1", port), accepted;

	(void)state;
	accepted = (int)OK(accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
	assert_int_equal(fcntl(accepted, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	assert_int_equal(fcntl(accepted, F_GETFD), FD_CLOEXEC);
	close(accepted);
	close(client);
	client = contract_client("127.0.0.1", port);
	accepted = (int)OK(accept(fd, NULL, NULL));
	assert_int_equal(fcntl(accepted, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(fcntl(accepted, F_GETFD), 0);
	close(accepted);
	close(client);
	close(fd);
}

static void accept_addresses(void **state)
{
	int port = contract_port(), fd = contract_listener("127.0.0.1", port), client, accepted, mine;
	unsigned char bytes[64];
	struct sockaddr_in *a = (struct sockaddr_in *)bytes;
	socklen_t length;

	(void)state;
	client = contract_client("127.0.0.1", port);
	mine = contract_name(client);
	memset(bytes, 0xa5, sizeof(bytes));
	length = sizeof(bytes);
	accepted = (int)OK(accept(fd, (struct sockaddr *)bytes, &length));
	assert_int_equal(length, sizeof(*a));
	assert_int_equal(ntohs(a->sin_port), mine);
	assert_int_equal(a->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	assert_int_equal(bytes[sizeof(*a)], 0xa5);
	assert_int_equal(contract_peer(accepted), mine);
	close(accepted);
	close(client);

	/* too little room: what fits, and the length that it would have been */
	for (socklen_t room = 0; room < 8; room++) {
		client = contract_client("127.0.0.1", port);
		mine = contract_name(client);
		memset(bytes, 0xa5, sizeof(bytes));
		length = room;
		accepted = (int)OK(accept4(fd, (struct sockaddr *)bytes, &length, SOCK_CLOEXEC));
		assert_int_equal(length, sizeof(*a));
		assert_int_equal(bytes[room], 0xa5);
		if (room >= 3)
			assert_int_equal(bytes[2], mine >> 8);
		if (room >= 4)
			assert_int_equal(bytes[3], mine & 0xff);
		close(accepted);
		close(client);
	}

	client = contract_client("127.0.0.1", port);
	FAILS(EFAULT, accept(fd, (struct sockaddr *)bytes, NULL));
	close(client);
	client = contract_client("127.0.0.1", port);
	length = (socklen_t)-1;
	FAILS(EINVAL, accept(fd, (struct sockaddr *)bytes, &length));
	close(client);
	client = contract_client("127.0.0.1", port);
	length = sizeof(*a);
	FAILS(EFAULT, accept(fd, (struct sockaddr *)contract_unmapped(), &length));
	close(client);
	client = contract_client("127.0.0.1", port);
	FAILS(EFAULT, accept(fd, (struct sockaddr *)bytes, (socklen_t *)contract_unmapped()));
	close(client);
	client = contract_client("127.0.0.1", port);
	/* a length without an address is not looked at */
	accepted = (int)OK(accept(fd, (struct sockaddr *)NULL, (socklen_t *)contract_unmapped()));
	close(accepted);
	close(client);
	close(fd);
}

/* Law 10: a client that bound a port of its own is seen with that port, moved or not. */
static void accept_bound_peer(void **state)
{
	int port = contract_port(), own = contract_port(), fd = contract_listener("127.0.0.1", port), accepted;
	struct sockaddr_in from = contract_in("127.0.0.1", own), to = contract_in("127.0.0.1", port), seen;
	socklen_t length = sizeof(seen);
	int client = contract_socket(AF_INET, SOCK_STREAM);

	(void)state;
	OK(bind(client, &from, sizeof(from)));
	OK(connect(client, &to, sizeof(to)));
	contract_is_requested(client, own);
	accepted = (int)OK(accept(fd, &seen, &length));
	assert_int_equal(ntohs(seen.sin_port), own);
	assert_int_equal(contract_peer(accepted), own);
	close(accepted);
	close(client);
	close(fd);
}

static void accept_other_families(void **state)
{
	int port = contract_port(), fd, client, accepted;
	struct sockaddr_in6 seen, to = contract_in6("::1", port);
	socklen_t length = sizeof(seen);

	(void)state;
	if (!contract_ipv6())
		skip();
	fd = contract_listener6("::", port, 0);
	client = contract_client("127.0.0.1", port);
	accepted = (int)OK(accept(fd, &seen, &length));
	assert_int_equal(length, sizeof(seen));
	assert_true(IN6_IS_ADDR_V4MAPPED(&seen.sin6_addr));
	assert_int_equal(ntohs(seen.sin6_port), contract_name(client));
	close(accepted);
	close(client);
	client = contract_socket(AF_INET6, SOCK_STREAM);
	OK(connect(client, &to, sizeof(to)));
	accepted = (int)OK(accept4(fd, &seen, &length, 0));
	assert_true(IN6_IS_ADDR_LOOPBACK(&seen.sin6_addr));
	assert_int_equal(ntohs(seen.sin6_port), contract_name(client));
	close(accepted);
	close(client);
	close(fd);
}

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted++;
}

struct interrupter {
	pthread_t target;
	_Atomic bool stop;
};

/* Signals until it is told that one arrived: a single one could come before accept() waits. */
static void *interrupt(void *context)
{
	struct interrupter *i = context;

	while (!i->stop) {
		pthread_kill(i->target, SIGUSR1);
		usleep(1000);
	}
	return NULL;
}

static void accept_interrupted(void **state)
{
	struct sigaction action = { .sa_handler = on_signal };
	int fd = contract_listener("127.0.0.1", contract_port());
	struct interrupter i = { .target = pthread_self() };
	struct sockaddr_in a;
	socklen_t length = sizeof(a);
	pthread_t thread;

	(void)state;
	sigaction(SIGUSR1, &action, NULL);
	assert_int_equal(pthread_create(&thread, NULL, interrupt, &i), 0);
	FAILS(EINTR, accept(fd, &a, &length));
	FAILS(EINTR, accept4(fd, NULL, NULL, 0));
	i.stop = true;
	pthread_join(thread, NULL);
	assert_true(interrupted);
	close(fd);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest listen_contract[] = {
		cmocka_unit_test(listen_errors),     cmocka_unit_test(listen_without_bind),
		cmocka_unit_test(listen_again),      cmocka_unit_test(second_listen),
		cmocka_unit_test(restart),           cmocka_unit_test(accept_errors),
		cmocka_unit_test(accept_flags),      cmocka_unit_test(accept_addresses),
		cmocka_unit_test(accept_bound_peer), cmocka_unit_test(accept_other_families),
		cmocka_unit_test(accept_interrupted),
	};

	(void)argc;
	return contract_main(listen_contract);
}
