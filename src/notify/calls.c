/*
 * Theory of operation: a duplicate of a descriptor is the same socket, so what is done to it here is done to the
 * program's socket. Not the same is who does it. The kernel looks at the one who makes the call for two things: a
 * privileged port, for which bind wants CAP_NET_BIND_SERVICE (net/ipv4/af_inet.c, __inet_bind), and some control data
 * of a message, such as SO_MARK (net/core/sock.c, __sock_cmsg_send), IPv6's extension headers (net/ipv6/datagram.c) and
 * IPv4's security options (net/ipv4/ip_options.c): CAP_NET_ADMIN, CAP_NET_RAW. A server that has such a capability must
 * not lend it to a program that has none. The first it looks after itself, because a port that may not be had is another
 * candidate's turn; the second the kernel judges, by a thread that has no more than the program while it sends.
 */
#include "calls.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <portshim/call.h>
#include <portshim/process.h>

#include "../core/sys.h"
#include "../core/text.h"
#include "served.h"

#define FIRST_UNPRIVILEGED 1024 /* ip(7), ip_unprivileged_port_start, unless set otherwise */

static struct ps_call *call_of(const struct ps_caller *caller)
{
	return (struct ps_call *)((uintptr_t)caller - offsetof(struct ps_call, caller));
}

/* ---- rights; privileged ports ---- */

static long read_number(const char *path, long otherwise)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	long n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	return n > 0 ? strtol(text, NULL, 10) : otherwise;
}

static uint32_t first_unprivileged(void)
{
	return (uint32_t)read_number("/proc/sys/net/ipv4/ip_unprivileged_port_start", FIRST_UNPRIVILEGED);
}

/* A thread has capabilities of its own; the C library knows nothing of them. */
static bool get_own(struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

	return sys2(SYS_capget, &header, data) == 0;
}

static void set_own(const struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

	sys2(SYS_capset, &header, data);
}

uint32_t calls_privileged(void)
{
	struct __user_cap_data_struct data[2] = {0};
	uint32_t first;

	if (!get_own(data) || !(data[0].effective >> CAP_NET_BIND_SERVICE & 1))
		return 0;
	first = first_unprivileged();
	return first > FIRST_UNPRIVILEGED ? first : FIRST_UNPRIVILEGED;
}

/* Capabilities count in the user namespace that they were got in. A program in another than ours has none in that of
 * our network. */
static bool is_in_our_user_namespace(int32_t tid)
{
	char path[64];
	struct ps_text t = text_start(path, sizeof(path));
	struct stat theirs, ours;

	text_add(&t, "/proc/");
	text_number(&t, (uint64_t)tid);
	text_add(&t, "/ns/user");
	text_end(&t);
	return stat(path, &theirs) == 0 && stat("/proc/self/ns/user", &ours) == 0 && theirs.st_ino == ours.st_ino;
}

/* The caller's capabilities that count here, a bit for each. */
static uint64_t rights_of(const struct ps_call *call)
{
	char status[PS_STATUS_ROOM];

	return target_status(call->tid, status, sizeof(status)) > 0 && is_in_our_user_namespace(call->tid)
		       ? target_field(status, "\nCapEff:\t", 16)
		       : 0;
}

static bool may_bind_privileged(const struct ps_call *call)
{
	return rights_of(call) >> CAP_NET_BIND_SERVICE & 1;
}

static int target_bind(struct ps_caller *caller, int fd, const struct sockaddr *address, socklen_t length)
{
	const struct ps_call *call = call_of(caller);
	uint16_t port = route_port_or_unspec(address, length);

	if (port && port < call->notify->privileged && port < first_unprivileged() && !may_bind_privileged(call))
		return -EACCES;
	return (int)sys3(SYS_bind, fd, address, length);
}

static int target_listen(struct ps_caller *caller, int fd, int backlog)
{
	(void)caller;
	return (int)sys2(SYS_listen, fd, backlog);
}

static int target_connect(struct ps_caller *caller, int fd, const struct sockaddr *address, socklen_t length)
{
	int result = (int)sys3(SYS_connect, fd, address, length);

	(void)caller;
	return result == -EINTR ? -EINPROGRESS : result; /* limit.h */
}

/* ---- control data ---- */

uint32_t calls_lower(const struct ps_call *call)
{
	struct __user_cap_data_struct data[2] = {0};
	uint32_t taken;

	if (!get_own(data))
		return 0;
	taken = data[0].effective & (1u << CAP_NET_ADMIN | 1u << CAP_NET_RAW);
	if (taken)
		taken &= ~(uint32_t)rights_of(call);
	if (taken) {
		data[0].effective &= ~taken;
		set_own(data);
	}
	return taken;
}

void calls_raise(uint32_t taken)
{
	struct __user_cap_data_struct data[2] = {0};

	if (taken && get_own(data)) {
		data[0].effective |= taken;
		set_own(data);
	}
}

/* ---- another socket in the place of the program's ---- */

static bool closes_on_exec(const struct ps_call *call)
{
	char path[64], text[256];
	struct ps_text t = text_start(path, sizeof(path));
	const char *flags;
	long n;
	int fd;

	text_add(&t, "/proc/");
	text_number(&t, (uint64_t)call->tid);
	text_add(&t, "/fdinfo/");
	text_number(&t, (uint64_t)call->number);
	text_end(&t);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	flags = strstr(text, "flags:\t");
	return flags && strtoul(flags + 7, NULL, 8) & O_CLOEXEC;
}

static int target_replace(struct ps_caller *caller, int fd, int other)
{
	struct ps_call *call = call_of(caller);
	struct seccomp_notif_addfd add = {
		.id = call->id, .flags = SECCOMP_ADDFD_FLAG_SETFD, .srcfd = (uint32_t)other,
		.newfd = (uint32_t)call->number, .newfd_flags = closes_on_exec(call) ? O_CLOEXEC : 0,
	};
	struct stat status;
	long result;
	int error;

	/* Who shares a port (SO_REUSEPORT) must belong to one user: the program's, also if it is not ours. */
	if (fstat(fd, &status) == 0 && status.st_uid != geteuid() && fchown(other, status.st_uid, status.st_gid) < 0)
		return -errno;
	sys3(SYS_fcntl, other, F_SETFL, sys2(SYS_fcntl, fd, F_GETFL));
	error = serve_ask(call->notify, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
	if (error < 0)
		return error;
	result = sys_again(sys3(SYS_dup3, other, fd, O_CLOEXEC));
	return result < 0 ? (int)result : 0;
}

/* ---- looking ---- */

static unsigned target_protocol(const struct ps_caller *caller, int fd)
{
	(void)caller;
	return call_protocol_but_raw(fd);
}

/* Any thread may have the call, so the pidfd that the serving thread keeps is not for it. */
static int target_borrow(struct ps_caller *caller, int number)
{
	const struct ps_call *call = call_of(caller);
	long process = sys2(SYS_pidfd_open, process_pid(caller->identity), 0), fd;

	if (process < 0)
		return -1;
	fd = target_waits(call) ? sys3(SYS_pidfd_getfd, process, number, 0) : -1;
	sys1(SYS_close, process);
	return fd < 0 ? -1 : (int)fd;
}

static void target_give_back(struct ps_caller *caller, int fd)
{
	(void)caller;
	sys1(SYS_close, fd);
}

static void target_event(struct ps_caller *caller, enum ps_event_kind kind, uint16_t port, int error)
{
	space_event_by(caller->space, process_pid(caller->identity), kind, port, error);
}

const struct ps_caller_calls calls_of_target = {
	.bind = target_bind, .listen = target_listen, .connect = target_connect, .replace = target_replace,
	.protocol = target_protocol, .borrow = target_borrow, .release = target_give_back, .event = target_event,
};
