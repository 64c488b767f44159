/*
 * contract_calls.c - the hooked calls of a contract test, made in one of three ways ($CONTRACT_BY):
 *
 *	name     the functions of libc
 *	number   syscall(2) with the number of the call
 *	alias    what else libc has for them: __connect, __recvfrom_chk (which _FORTIFY_SOURCE makes of recvfrom), and
 *	         accept4 for accept
 *
 * The conditions and the results are the same, so one test serves all, and the transcripts are compared.
 */
#define CONTRACT_CALLS_BY_NAME /* contract.h must leave libc's names alone here */
#include "contract.h"

#include <sys/syscall.h>

int __connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t length);
ssize_t __recvfrom_chk(int fd, void *data, size_t size, size_t room, int flags, __SOCKADDR_ARG address,
		       socklen_t *length);

static int number_socket(int family, int type, int protocol)
{
	return (int)syscall(SYS_socket, family, type, protocol);
}

static int number_bind(int fd, __CONST_SOCKADDR_ARG a, socklen_t length)
{
	return (int)syscall(SYS_bind, fd, a.__sockaddr__, length);
}

static int number_listen(int fd, int backlog)
{
	return (int)syscall(SYS_listen, fd, backlog);
}

static int number_connect(int fd, __CONST_SOCKADDR_ARG a, socklen_t length)
{
	return (int)syscall(SYS_connect, fd, a.__sockaddr__, length);
}

static int number_accept(int fd, __SOCKADDR_ARG a, socklen_t *length)
{
#ifdef SYS_accept
	return (int)syscall(SYS_accept, fd, a.__sockaddr__, length);
#else
	return (int)syscall(SYS_accept4, fd, a.__sockaddr__, length, 0);
#endif
}

static int number_accept4(int fd, __SOCKADDR_ARG a, socklen_t *length, int flags)
{
	return (int)syscall(SYS_accept4, fd, a.__sockaddr__, length, flags);
}

static int number_getsockname(int fd, __SOCKADDR_ARG a, socklen_t *length)
{
	return (int)syscall(SYS_getsockname, fd, a.__sockaddr__, length);
}

static int number_getpeername(int fd, __SOCKADDR_ARG a, socklen_t *length)
{
	return (int)syscall(SYS_getpeername, fd, a.__sockaddr__, length);
}

static ssize_t number_sendto(int fd, const void *data, size_t size, int flags, __CONST_SOCKADDR_ARG a, socklen_t length)
{
	return syscall(SYS_sendto, fd, data, size, flags, a.__sockaddr__, length);
}

static ssize_t number_recvfrom(int fd, void *data, size_t size, int flags, __SOCKADDR_ARG a, socklen_t *length)
{
	return syscall(SYS_recvfrom, fd, data, size, flags, a.__sockaddr__, length);
}

static ssize_t number_sendmsg(int fd, const struct msghdr *m, int flags)
{
	return syscall(SYS_sendmsg, fd, m, flags);
}

static ssize_t number_recvmsg(int fd, struct msghdr *m, int flags)
{
	return syscall(SYS_recvmsg, fd, m, flags);
}

static int number_sendmmsg(int fd, struct mmsghdr *m, unsigned count, int flags)
{
	return (int)syscall(SYS_sendmmsg, fd, m, count, flags);
}

static int number_recvmmsg(int fd, struct mmsghdr *m, unsigned count, int flags, struct timespec *timeout)
{
	return (int)syscall(SYS_recvmmsg, fd, m, count, flags, timeout);
}

static int alias_accept(int fd, __SOCKADDR_ARG a, socklen_t *length)
{
	return accept4(fd, a, length, 0);
}

static ssize_t alias_recvfrom(int fd, void *data, size_t size, int flags, __SOCKADDR_ARG a, socklen_t *length)
{
	return __recvfrom_chk(fd, data, size, (size_t)-1, flags, a, length);
}

struct contract_calls contract_calls = {
	.socket = socket,
	.bind = bind,
	.listen = listen,
	.connect = connect,
	.accept = accept,
	.accept4 = accept4,
	.getsockname = getsockname,
	.getpeername = getpeername,
	.sendto = sendto,
	.recvfrom = recvfrom,
	.sendmsg = sendmsg,
	.recvmsg = recvmsg,
	.sendmmsg = sendmmsg,
	.recvmmsg = recvmmsg,
};

static const struct contract_calls by_number = {
	.socket = number_socket,
	.bind = number_bind,
	.listen = number_listen,
	.connect = number_connect,
	.accept = number_accept,
	.accept4 = number_accept4,
	.getsockname = number_getsockname,
	.getpeername = number_getpeername,
	.sendto = number_sendto,
	.recvfrom = number_recvfrom,
	.sendmsg = number_sendmsg,
	.recvmsg = number_recvmsg,
	.sendmmsg = number_sendmmsg,
	.recvmmsg = number_recvmmsg,
};

void contract_calls_choose(const char *by)
{
	if (!strcmp(by, "number")) {
		contract_calls = by_number;
	} else if (!strcmp(by, "alias")) {
		contract_calls.connect = __connect;
		contract_calls.accept = alias_accept;
		contract_calls.recvfrom = alias_recvfrom;
	} else if (strcmp(by, "name") != 0) {
		fprintf(stderr, "CONTRACT_BY is name, number or alias\n");
		exit(2);
	}
}
