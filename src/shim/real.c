#include <fcntl.h>
#include <stddef.h>
#include <string.h>

#include "next.h"
#include "shim.h"

#include "../core/sys.h"

/* Weak and without a version, so that the library can be loaded into any process. Before 2.34 glibc had dlsym in libdl,
 * which may not be there, but what it calls was in libc even then. With neither the raw system calls stay. What next.c finds
 * by itself needs none of them. */
extern void *dlsym(void *, const char *) __attribute__((weak));
extern void *_dl_sym(void *, const char *, void *) __attribute__((weak));
#define NEXT ((void *)-1L) /* RTLD_NEXT */

int real_fail(int error)
{
	errno = error;
	return -1;
}

static long finish(long result)
{
	if (result < 0 && result > -4096) {
		errno = (int)-result;
		return -1;
	}
	return result;
}

static int raw_socket(int domain, int type, int protocol)
{
	return (int)finish(sys3(SYS_socket, domain, type, protocol));
}

static int raw_bind(int fd, const struct sockaddr *a, socklen_t n)
{
	return (int)finish(sys3(SYS_bind, fd, a, n));
}

static int raw_listen(int fd, int backlog)
{
	return (int)finish(sys2(SYS_listen, fd, backlog));
}

static int raw_connect(int fd, const struct sockaddr *a, socklen_t n)
{
	return (int)finish(sys3(SYS_connect, fd, a, n));
}

static int raw_accept(int fd, struct sockaddr *a, socklen_t *n)
{
	return (int)finish(sys4(SYS_accept4, fd, a, n, 0));
}

static int raw_accept4(int fd, struct sockaddr *a, socklen_t *n, int flags)
{
	return (int)finish(sys4(SYS_accept4, fd, a, n, flags));
}

static int raw_getsockname(int fd, struct sockaddr *a, socklen_t *n)
{
	return (int)finish(sys3(SYS_getsockname, fd, a, n));
}

static int raw_getpeername(int fd, struct sockaddr *a, socklen_t *n)
{
	return (int)finish(sys3(SYS_getpeername, fd, a, n));
}

static ssize_t raw_sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *a, socklen_t n)
{
	return finish(sys6(SYS_sendto, fd, data, size, flags, a, n));
}

static ssize_t raw_sendmsg(int fd, const struct msghdr *m, int flags)
{
	return finish(sys3(SYS_sendmsg, fd, m, flags));
}

static int raw_sendmmsg(int fd, struct mmsghdr *m, unsigned count, int flags)
{
	return (int)finish(sys4(SYS_sendmmsg, fd, m, count, flags));
}

static ssize_t raw_recvfrom(int fd, void *data, size_t size, int flags, struct sockaddr *a, socklen_t *n)
{
	return finish(sys6(SYS_recvfrom, fd, data, size, flags, a, n));
}

static ssize_t raw_recvfrom_chk(int fd, void *data, size_t size, size_t room, int flags, struct sockaddr *a, socklen_t *n)
{
	if (size > room)
		__builtin_trap(); /* what _FORTIFY_SOURCE promises */
	return raw_recvfrom(fd, data, size, flags, a, n);
}

static ssize_t raw_recvmsg(int fd, struct msghdr *m, int flags)
{
	return finish(sys3(SYS_recvmsg, fd, m, flags));
}

static int raw_recvmmsg(int fd, struct mmsghdr *m, unsigned count, int flags, struct timespec *timeout)
{
	return (int)finish(sys5(SYS_recvmmsg, fd, m, count, flags, timeout));
}

static long raw_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	return finish(sys_call(nr, a, b, c, d, e, f));
}

static int raw_bindresvport(int fd, struct sockaddr_in *a)
{
	(void)fd;
	(void)a;
	return real_fail(ENOSYS);
}

static int raw_unshare(int flags)
{
	return (int)finish(sys1(SYS_unshare, flags));
}

static int raw_setns(int fd, int type)
{
	return (int)finish(sys2(SYS_setns, fd, type));
}

/* To begin on another stack is libc's own work. */
static int raw_clone(int (*function)(void *), void *stack, int flags, void *argument, ...)
{
	(void)function;
	(void)stack;
	(void)flags;
	(void)argument;
	return real_fail(ENOSYS);
}

static int raw_execve(const char *path, char *const *argv, char *const *envp)
{
	return (int)finish(sys3(SYS_execve, path, argv, envp));
}

static int raw_execveat(int fd, const char *path, char *const *argv, char *const *envp, int flags)
{
	return (int)finish(sys5(SYS_execveat, fd, path, argv, envp, flags));
}

static int raw_fexecve(int fd, char *const *argv, char *const *envp)
{
	return raw_execveat(fd, "", argv, envp, AT_EMPTY_PATH);
}

/* A search of PATH and spawning are libc's own work. */
static int raw_execvpe(const char *file, char *const *argv, char *const *envp)
{
	(void)file;
	(void)argv;
	(void)envp;
	return real_fail(ENOSYS);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the prototype is libc's */
static int raw_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
			   const posix_spawnattr_t *attributes, char *const *argv, char *const *envp)
{
	(void)pid;
	(void)path;
	(void)actions;
	(void)attributes;
	(void)argv;
	(void)envp;
	return ENOSYS;
}

struct shim_real real = {
	.socket = raw_socket,
	.bind = raw_bind,
	.listen = raw_listen,
	.connect = raw_connect,
	.accept = raw_accept,
	.accept4 = raw_accept4,
	.getsockname = raw_getsockname,
	.getpeername = raw_getpeername,
	.sendto = raw_sendto,
	.sendmsg = raw_sendmsg,
	.sendmmsg = raw_sendmmsg,
	.recvfrom = raw_recvfrom,
	.recvfrom_chk = raw_recvfrom_chk,
	.recvmsg = raw_recvmsg,
	.recvmmsg = raw_recvmmsg,
	.syscall = raw_syscall,
	.unshare = raw_unshare,
	.setns = raw_setns,
	.clone = raw_clone,
	.bindresvport = raw_bindresvport,
	.execve = raw_execve,
	.execveat = raw_execveat,
	.fexecve = raw_fexecve,
	.execvpe = raw_execvpe,
	.posix_spawn = raw_posix_spawn,
	.posix_spawnp = raw_posix_spawn,
};

/* Laid out without pointers: each would be a relocation at the start of every process. */
static const struct {
	unsigned short at;
	char name[16];
} wanted[] = {
#define WANTED(member, name) {offsetof(struct shim_real, member), name}
	WANTED(socket, "socket"),
	WANTED(bind, "bind"),
	WANTED(listen, "listen"),
	WANTED(connect, "connect"),
	WANTED(accept, "accept"),
	WANTED(accept4, "accept4"),
	WANTED(getsockname, "getsockname"),
	WANTED(getpeername, "getpeername"),
	WANTED(sendto, "sendto"),
	WANTED(sendmsg, "sendmsg"),
	WANTED(sendmmsg, "sendmmsg"),
	WANTED(recvfrom, "recvfrom"),
	WANTED(recvfrom_chk, "__recvfrom_chk"),
	WANTED(recvmsg, "recvmsg"),
	WANTED(recvmmsg, "recvmmsg"),
	WANTED(syscall, "syscall"),
	WANTED(unshare, "unshare"),
	WANTED(setns, "setns"),
	WANTED(clone, "clone"),
	WANTED(bindresvport, "bindresvport"),
	WANTED(execve, "execve"),
	WANTED(execveat, "execveat"),
	WANTED(fexecve, "fexecve"),
	WANTED(execvpe, "execvpe"),
	WANTED(posix_spawn, "posix_spawn"),
	WANTED(posix_spawnp, "posix_spawnp"),
};

void real_resolve(void)
{
	struct next_tables tables;

	next_start(&tables);
	for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		void *found = next_symbol(&tables, wanted[i].name);

		if (!found && dlsym)
			found = dlsym(NEXT, wanted[i].name);
		else if (!found && _dl_sym)
			found = _dl_sym(NEXT, wanted[i].name, (void *)real_resolve);
		if (found)
			memcpy((uint8_t *)&real + wanted[i].at, &found, sizeof(found));
	}
}
