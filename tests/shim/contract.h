/*
 * contract.h - what the contract tests share.
 *
 * A contract test states what Linux does, in calls that portshim hooks, and must see the same in every way that it is
 * run (run_contract.sh): bare; with an inert preload; and active, where every port of contract_port() is held by an
 * outsider, so that portshim moves it. Each step adds a line to a transcript ($CONTRACT_LOG) that has nothing in it
 * which may differ, no port and no pid; the transcripts of all ways are compared.
 *
 * No test passes by being inert. Before the first one, contract_start() sees to it that the library is loaded where it
 * should be and that a port is moved exactly where it should be. contract_name() and contract_peer() ask the kernel,
 * too, past every hook, whether a port that the hook calls by its requested number is really another one. And whatever
 * meets the outsider instead of a server of its own is an error at the end (with_ports --guard).
 */
#ifndef TESTS_SHIM_CONTRACT_H
#define TESTS_SHIM_CONTRACT_H

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* An errno that no call sets: success must leave it alone. */
#define CONTRACT_ERRNO 4242

/* The call succeeds and does not touch errno. Gives its result. */
#define OK(call)                                                                                  \
	({                                                                                        \
		long result_;                                                                     \
		errno = CONTRACT_ERRNO;                                                           \
		result_ = (long)(call);                                                           \
		contract_result(result_, errno, 0, #call, __func__, __FILE__, __LINE__);          \
		result_;                                                                          \
	})

/* The call returns -1 with this errno. */
#define FAILS(error, call)                                                                        \
	do {                                                                                      \
		long result_;                                                                     \
		errno = CONTRACT_ERRNO;                                                           \
		result_ = (long)(call);                                                           \
		contract_result(result_, errno, error, #call, __func__, __FILE__, __LINE__);      \
	} while (0)

/* The hooked calls, made in the way that $CONTRACT_BY says (contract_calls.c). Tests use libc's names. */
struct contract_calls {
	int (*socket)(int, int, int);
	int (*bind)(int, __CONST_SOCKADDR_ARG, socklen_t);
	int (*listen)(int, int);
	int (*connect)(int, __CONST_SOCKADDR_ARG, socklen_t);
	int (*accept)(int, __SOCKADDR_ARG, socklen_t *);
	int (*accept4)(int, __SOCKADDR_ARG, socklen_t *, int);
	int (*getsockname)(int, __SOCKADDR_ARG, socklen_t *);
	int (*getpeername)(int, __SOCKADDR_ARG, socklen_t *);
	ssize_t (*sendto)(int, const void *, size_t, int, __CONST_SOCKADDR_ARG, socklen_t);
	ssize_t (*recvfrom)(int, void *, size_t, int, __SOCKADDR_ARG, socklen_t *);
	ssize_t (*sendmsg)(int, const struct msghdr *, int);
	ssize_t (*recvmsg)(int, struct msghdr *, int);
	int (*sendmmsg)(int, struct mmsghdr *, unsigned, int);
	int (*recvmmsg)(int, struct mmsghdr *, unsigned, int, struct timespec *);
};
extern struct contract_calls contract_calls;
void contract_calls_choose(const char *by);

#ifndef CONTRACT_CALLS_BY_NAME
#define socket contract_calls.socket
#define bind contract_calls.bind
#define listen contract_calls.listen
#define connect contract_calls.connect
#define accept contract_calls.accept
#define accept4 contract_calls.accept4
#define getsockname contract_calls.getsockname
#define getpeername contract_calls.getpeername
#define sendto contract_calls.sendto
#define recvfrom contract_calls.recvfrom
#define sendmsg contract_calls.sendmsg
#define recvmsg contract_calls.recvmsg
#define sendmmsg contract_calls.sendmmsg
#define recvmmsg contract_calls.recvmmsg
#endif

/* Adds a line to the transcript. */
void contract_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void contract_result(long result, int error, int wanted, const char *call, const char *function, const char *file,
		     int line);

/* A port that the test may ask for, another one each time. Held by an outsider where contract_moved() is true. */
int contract_port(void);
/* A port that nobody holds, another one each time. */
int contract_closed(void);
/* True if the ports of contract_port() are held by others, so that only portshim lets us bind them. */
bool contract_moved(void);
/* True if sockets that listen are reported with their actual port ("report": "actual"). */
bool contract_reports_actual(void);
/* True if IPv6 works here. */
bool contract_ipv6(void);

struct sockaddr_in contract_in(const char *text, int port);
struct sockaddr_in6 contract_in6(const char *text, int port);

/* The port that getsockname (getpeername) tells, in host byte order. Asserts that it is not the kernel's, where it is
 * one of contract_port() and those are moved. */
int contract_name(int fd);
int contract_peer(int fd);
/* The port that the kernel has for a socket, past every hook. */
int contract_kernel_port(int fd);

/* Asserts that getsockname tells the requested port: before listen, always. */
void contract_is_requested(int fd, int port);
/* Asserts that getsockname tells what law 10 wants of a socket that is recorded (TCP: listens; UDP: requested). Returns
 * it. */
int contract_is_recorded(int fd, int port);

/* A TCP server on 127.0.0.1 (text4) that listens, with SO_REUSEADDR; a UDP socket that is bound. */
int contract_listener(const char *text4, int port);
int contract_listener6(const char *text6, int port, int v6only);
int contract_udp(const char *text4, int port);
int contract_udp6(const char *text6, int port, int v6only);
/* A TCP client that is connected to `port` at `text4`. */
int contract_client(const char *text4, int port);
int contract_socket(int family, int type);
void contract_option(int fd, int level, int option, int value);

/* `size` bytes right before an unmapped page; the copy of `from` ends there. */
void *contract_edge(const void *from, size_t size);
/* A copy in memory that cannot be written. */
void *contract_readonly(const void *from, size_t size);
/* Memory that cannot be read: the first bytes of an unmapped page. */
void *contract_unmapped(void);

/* Waits until the descriptor is ready for these poll events; fails the test after a minute. */
void contract_wait(int fd, short events);

/* Runs the tests of a program; sets an alarm, so that no test hangs. */
#define contract_main(tests) (contract_start(argv[0]), cmocka_run_group_tests_name(#tests, tests, NULL, NULL))
void contract_start(const char *program);

#endif
