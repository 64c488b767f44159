#include "shim.h"

#include "../core/sys.h"

/* Weak and without a version, so that the library can be loaded into any process. Before 2.34 glibc had dlsym in libdl,
 * which may not be there, but what it calls was in libc even then. With neither the raw system calls stay. */
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

int real_raw_execveat(int fd, const char *path, char *const *argv, char *const *envp, int flags)
{
	return (int)finish(sys5(SYS_execveat, fd, path, argv, envp, flags));
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
};

static void resolve(void **slot, const char *name)
{
	void *found = dlsym ? dlsym(NEXT, name) : _dl_sym ? _dl_sym(NEXT, name, (void *)real_resolve) : NULL;

	if (found)
		*slot = found;
}

#define RESOLVE(name) resolve((void **)&real.name, #name)

void real_resolve(void)
{
	RESOLVE(socket);
	RESOLVE(bind);
	RESOLVE(listen);
	RESOLVE(connect);
	RESOLVE(accept);
	RESOLVE(accept4);
	RESOLVE(getsockname);
	RESOLVE(getpeername);
	RESOLVE(sendto);
	RESOLVE(sendmsg);
	RESOLVE(sendmmsg);
	RESOLVE(recvfrom);
	resolve((void **)&real.recvfrom_chk, "__recvfrom_chk");
	RESOLVE(recvmsg);
	RESOLVE(recvmmsg);
	RESOLVE(syscall);
}

bool real_resolve_late(void **slot, const char *name)
{
	if (!*slot)
		resolve(slot, name);
	return *slot != NULL;
}
