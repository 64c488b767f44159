/*
 * The contract of a descriptor: every hooked call on everything that a descriptor can be, but for the sockets that it
 * is meant for. What Linux says to the bare program is right (the transcript); nothing may be opened, closed or
 * changed.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "contract.h"

static struct sockaddr_in to;

static long call_bind(int fd)
{
	return bind(fd, &to, sizeof(to));
}

static long call_listen(int fd)
{
	return listen(fd, 1);
}

static long call_connect(int fd)
{
	return connect(fd, &to, sizeof(to));
}

static long call_accept(int fd)
{
	struct sockaddr_in a;
	socklen_t length = sizeof(a);

	return accept(fd, &a, &length);
}

static long call_accept4(int fd)
{
	return accept4(fd, NULL, NULL, SOCK_CLOEXEC);
}

static long call_getsockname(int fd)
{
	struct sockaddr_in a;
	socklen_t length = sizeof(a);

	return getsockname(fd, &a, &length);
}

static long call_getpeername(int fd)
{
	struct sockaddr_in a;
	socklen_t length = sizeof(a);

	return getpeername(fd, &a, &length);
}

static long call_sendto(int fd)
{
	return sendto(fd, "x", 1, MSG_NOSIGNAL, &to, sizeof(to));
}

static struct msghdr message(struct sockaddr_in *a)
{
	static char byte = 'x';
	static struct iovec data = { &byte, 1 };

	return (struct msghdr){ .msg_name = a, .msg_namelen = sizeof(*a), .msg_iov = &data, .msg_iovlen = 1 };
}

static long call_sendmsg(int fd)
{
	struct msghdr m = message(&to);

	return sendmsg(fd, &m, MSG_NOSIGNAL);
}

static long call_sendmmsg(int fd)
{
	struct mmsghdr m = { .msg_hdr = message(&to) };

	return sendmmsg(fd, &m, 1, MSG_NOSIGNAL);
}

static long call_recvfrom(int fd)
{
	struct sockaddr_in a;
	socklen_t length = sizeof(a);
	char byte;

	return recvfrom(fd, &byte, 1, MSG_DONTWAIT, &a, &length);
}

static long call_recvmsg(int fd)
{
	struct sockaddr_in a;
	struct msghdr m = message(&a);

	return recvmsg(fd, &m, MSG_DONTWAIT);
}

static long call_recvmmsg(int fd)
{
	struct sockaddr_in a;
	struct mmsghdr m = { .msg_hdr = message(&a) };

	return recvmmsg(fd, &m, 1, MSG_DONTWAIT, NULL);
}

static const struct {
	const char *name;
	long (*make)(int);
} calls[] = {
	{ "bind", call_bind },		   { "listen", call_listen },	    { "connect", call_connect },
	{ "accept", call_accept },	   { "accept4", call_accept4 },	    { "getsockname", call_getsockname },
	{ "getpeername", call_getpeername }, { "sendto", call_sendto },	    { "sendmsg", call_sendmsg },
	{ "sendmmsg", call_sendmmsg },	   { "recvfrom", call_recvfrom },   { "recvmsg", call_recvmsg },
	{ "recvmmsg", call_recvmmsg },
};
#define CALLS (sizeof(calls) / sizeof(calls[0]))

/* Every call on this descriptor, by a fresh duplicate each (an unusable number is passed as it is). */
static void try_calls(const char *kind, int fd)
{
	char text[512];
	size_t used = 0;

	for (size_t i = 0; i < CALLS; i++) {
		long result;

		errno = CONTRACT_ERRNO;
		result = calls[i].make(fd);
		if (result >= 0)
			assert_int_equal(errno, CONTRACT_ERRNO);
		used += (size_t)snprintf(text + used, sizeof(text) - used, " %s",
					 result < 0 ? strerrorname_np(errno) : "ok");
	}
	contract_note("%s:%s", kind, text);
}

static int open_count(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void no_descriptor(void **state)
{
	static const int numbers[] = { -1, -100, -2147483647 - 1, 255, 1023, 1024, 65536, 2147483647 };
	int before = open_count(), fd = contract_socket(AF_INET, SOCK_STREAM);

	(void)state;
	to = contract_in("127.0.0.1", contract_port());
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		try_calls("a number", numbers[i]);
	close(fd);
	try_calls("closed", fd);
	assert_int_equal(open_count(), before);
}

static void no_socket(void **state)
{
	int pipes[2], before = open_count(), fd;
	sigset_t none;

	(void)state;
	to = contract_in("127.0.0.1", contract_port());
	assert_int_equal(pipe2(pipes, O_CLOEXEC | O_NONBLOCK), 0);
	try_calls("pipe, reading end", pipes[0]);
	try_calls("pipe, writing end", pipes[1]);
	close(pipes[0]);
	close(pipes[1]);
#define TRY(what, made)                                                                           \
	do {                                                                                      \
		fd = made;                                                                        \
		contract_note("%s %s", what, fd < 0 ? strerrorname_np(errno) : "there");          \
		if (fd >= 0) {                                                                    \
			try_calls(what, fd);                                                      \
			close(fd);                                                                \
		}                                                                                 \
	} while (0)
	sigemptyset(&none);
	TRY("character device", open("/dev/null", O_RDWR | O_CLOEXEC));
	TRY("regular file", open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
	TRY("directory", open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	TRY("path", open("/", O_PATH | O_CLOEXEC));
	TRY("epoll", epoll_create1(EPOLL_CLOEXEC));
	TRY("eventfd", eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	TRY("signalfd", signalfd(-1, &none, SFD_CLOEXEC | SFD_NONBLOCK));
	TRY("timerfd", timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
	assert_int_equal(open_count(), before);
}

/* Sockets on which not every call makes sense. The port of the address is one of ours, and held by nobody of ours. */
static void wrong_sockets(void **state)
{
	static const struct {
		const char *name;
		int family, type;
	} kinds[] = {
		{ "tcp", AF_INET, SOCK_STREAM },	  { "udp", AF_INET, SOCK_DGRAM },
		{ "unix stream", AF_UNIX, SOCK_STREAM },  { "unix datagram", AF_UNIX, SOCK_DGRAM },
		{ "unix seqpacket", AF_UNIX, SOCK_SEQPACKET }, { "netlink", AF_NETLINK, SOCK_RAW },
	};
	int before = open_count();

	(void)state;
	to = contract_in("127.0.0.1", contract_closed());
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		for (size_t i = 0; i < CALLS; i++) {
			int fd = contract_socket(kinds[k].family, kinds[k].type | SOCK_NONBLOCK);
			long result;

			errno = CONTRACT_ERRNO;
			result = calls[i].make(fd);
			contract_note("%s on a new %s: %s", calls[i].name, kinds[k].name,
				      result < 0 ? strerrorname_np(errno) : "ok");
			if (result > 2) /* an ephemeral listener accepts nothing */
				fail_msg("%s gave descriptor %ld", calls[i].name, result);
			close(fd);
		}
	assert_int_equal(open_count(), before);
}

/* Where no descriptor is left: the hooks that need one for a moment work without it, or fail as the call itself would. */
static void no_room(void **state)
{
	int port = contract_port(), fd = contract_listener("127.0.0.1", port), client = contract_client("127.0.0.1", port);
	int late = contract_socket(AF_INET, SOCK_STREAM), next = contract_socket(AF_INET, SOCK_STREAM), first, accepted;
	struct sockaddr_in a = contract_in("127.0.0.1", port), other = contract_in("127.0.0.1", contract_port());
	socklen_t length = sizeof(a);
	struct rlimit before, none;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	first = dup(0);
	close(first);
	none = before;
	none.rlim_cur = (rlim_t)first;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	FAILS(EMFILE, socket(AF_INET, SOCK_STREAM, 0));
	contract_wait(fd, POLLIN);
	FAILS(EMFILE, accept(fd, &a, &length));
	FAILS(EMFILE, accept4(fd, NULL, NULL, SOCK_CLOEXEC));
	assert_int_equal(length, sizeof(a));
	OK(connect(late, &a, sizeof(a)));
	assert_int_equal(contract_peer(late), port);
	/* a first bind wants to look whether the other family is free: it must do without */
	OK(bind(next, &other, sizeof(other)));
	contract_is_requested(next, ntohs(other.sin_port));
	OK(listen(next, 1));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	/* the connection that could not be accepted is still there */
	accepted = (int)OK(accept(fd, &a, &length));
	assert_int_equal(ntohs(a.sin_port), contract_name(client));
	close(accepted);
	close(client);
	close(late);
	close(next);
	close(fd);
}

/* socket(2) */
static void sockets(void **state)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET, SOCK_RDM, SOCK_DCCP, 0, 7, 15 };
	static const int families[] = { AF_UNSPEC, AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_APPLETALK, 99, -1 };
	static const int protocols[] = { 0, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, 255, 256, 1000, -1 };
	int fd;

	(void)state;
	for (size_t f = 0; f < sizeof(families) / sizeof(families[0]); f++)
		for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++)
			for (size_t p = 0; p < sizeof(protocols) / sizeof(protocols[0]); p++) {
				errno = CONTRACT_ERRNO;
				fd = socket(families[f], types[t], protocols[p]);
				if (fd >= 0)
					assert_int_equal(errno, CONTRACT_ERRNO);
				contract_note("socket %d %d %d: %s", families[f], types[t], protocols[p],
					      fd < 0 ? strerrorname_np(errno) : "ok");
				if (fd >= 0)
					close(fd);
			}
	fd = (int)OK(socket(AF_INET, SOCK_STREAM, 0));
	assert_int_equal(fcntl(fd, F_GETFD), 0);
	assert_int_equal(fcntl(fd, F_GETFL), O_RDWR);
	close(fd);
	fd = (int)OK(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(fd, F_GETFL), O_RDWR | O_NONBLOCK);
	close(fd);
	FAILS(EINVAL, socket(AF_INET, SOCK_STREAM | 0x10000, 0));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest descriptors_contract[] = {
		cmocka_unit_test(no_descriptor), cmocka_unit_test(no_socket), cmocka_unit_test(wrong_sockets),
		cmocka_unit_test(no_room),	 cmocka_unit_test(sockets),
	};

	(void)argc;
	return contract_main(descriptors_contract);
}
