/* The contract of syscall(2) for the hooked calls, and of bindresvport(3). */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "contract.h"

/* In libc, though its header is no longer installed everywhere. */
extern int bindresvport(int fd, struct sockaddr_in *address);

static void tcp(void **state)
{
	int port = contract_port(), server = contract_socket(AF_INET, SOCK_STREAM),
	    client = contract_socket(AF_INET, SOCK_STREAM);
	struct sockaddr_in a = contract_in("127.0.0.1", port), told;
	socklen_t length = sizeof(told);
	int one = 1, accepted;

	(void)state;
	OK(syscall(SYS_setsockopt, server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	FAILS(EBADF, syscall(SYS_bind, -1, &a, sizeof(a)));
	FAILS(EFAULT, syscall(SYS_bind, server, NULL, sizeof(a)));
	OK(syscall(SYS_bind, server, &a, sizeof(a)));
	OK(syscall(SYS_getsockname, server, &told, &length));
	assert_int_equal(ntohs(told.sin_port), port);
	OK(syscall(SYS_listen, server, 4));
	contract_is_recorded(server, port);
	FAILS(EFAULT, syscall(SYS_connect, client, NULL, sizeof(a)));
	OK(syscall(SYS_connect, client, &a, sizeof(a)));
	OK(syscall(SYS_getpeername, client, &told, &length));
	assert_int_equal(ntohs(told.sin_port), port);
#ifdef SYS_accept
	accepted = (int)OK(syscall(SYS_accept, server, &told, &length));
	assert_int_equal(ntohs(told.sin_port), contract_name(client));
	close(accepted);
	close(client);
	client = contract_client("127.0.0.1", port);
#endif
	accepted = (int)OK(syscall(SYS_accept4, server, &told, &length, SOCK_CLOEXEC));
	assert_int_equal(fcntl(accepted, F_GETFD), FD_CLOEXEC);
	assert_int_equal(ntohs(told.sin_port), contract_name(client));
	/* node closes its descriptors in this way */
	OK(syscall(SYS_close, accepted));
	FAILS(EBADF, syscall(SYS_close, accepted));
	close(client);
	close(server);
}

static void udp(void **state)
{
	int port = contract_port(), own = contract_port(), server = contract_udp("127.0.0.1", port),
	    client = contract_udp("127.0.0.1", own);
	struct sockaddr_in a = contract_in("127.0.0.1", port), from;
	socklen_t length = sizeof(from);
	char text[16];
	struct iovec data = { text, 3 };
	struct mmsghdr m = { .msg_hdr = {
				     .msg_name = &a, .msg_namelen = sizeof(a), .msg_iov = &data, .msg_iovlen = 1 } };

	(void)state;
	assert_int_equal(OK(syscall(SYS_sendto, client, "abc", 3, 0, &a, sizeof(a))), 3);
	assert_int_equal(OK(syscall(SYS_recvfrom, server, text, sizeof(text), 0, &from, &length)), 3);
	assert_int_equal(ntohs(from.sin_port), own);
	assert_int_equal(OK(syscall(SYS_sendmsg, client, &m.msg_hdr, 0)), 3);
	m.msg_hdr.msg_name = &from;
	from.sin_port = 0;
	assert_int_equal(OK(syscall(SYS_recvmsg, server, &m.msg_hdr, 0)), 3);
	assert_int_equal(ntohs(from.sin_port), own);
	m.msg_hdr.msg_name = &a;
	assert_int_equal(OK(syscall(SYS_sendmmsg, client, &m, 1, 0)), 1);
	m.msg_hdr.msg_name = &from;
	from.sin_port = 0;
	assert_int_equal(OK(syscall(SYS_recvmmsg, server, &m, 1, 0, NULL)), 1);
	assert_int_equal(ntohs(from.sin_port), own);
	close(client);
	close(server);
}

/* Everything else passes through, with all six arguments and any result. */
static void others(void **state)
{
	long page = sysconf(_SC_PAGESIZE);
	void *p;

	(void)state;
	assert_int_equal(OK(syscall(SYS_getpid)), getpid());
	FAILS(ENOSYS, syscall(100000));
	FAILS(ENOSYS, syscall(-2));
	p = (void *)OK(syscall(SYS_mmap, NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L));
	memset(p, 1, (size_t)page);
	OK(syscall(SYS_munmap, p, page));
	FAILS(EBADF, syscall(SYS_mmap, NULL, page, PROT_READ, MAP_PRIVATE, -1, 0L));
}

static void reserved_port(void **state)
{
	struct sockaddr_in a = contract_in("0.0.0.0", 0);
	int fd = contract_socket(AF_INET, SOCK_STREAM), port;

	(void)state;
	if (bindresvport(fd, &a) && errno == EACCES) {
		print_message("skip: reserved_port: ports below 1024 need a privilege\n");
		skip();
	}
	close(fd);
	fd = contract_socket(AF_INET, SOCK_STREAM);
	a = contract_in("0.0.0.0", 0);
	OK(bindresvport(fd, &a));
	port = contract_name(fd);
	assert_in_range(port, 512, 1023);
	assert_int_equal(ntohs(a.sin_port), port);
	close(fd);
	fd = contract_socket(AF_INET, SOCK_STREAM);
	assert_int_equal(bindresvport(fd, NULL), 0);
	assert_in_range(contract_name(fd), 512, 1023);
	close(fd);
	FAILS(EBADF, bindresvport(-1, &a));
	a.sin_family = AF_INET6;
	FAILS(EAFNOSUPPORT, bindresvport(-1, &a));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest raw_contract[] = {
		cmocka_unit_test(tcp),
		cmocka_unit_test(udp),
		cmocka_unit_test(others),
		cmocka_unit_test(reserved_port),
	};

	(void)argc;
	return contract_main(raw_contract);
}
