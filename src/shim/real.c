/*
 * Theory of operation
 *
 * A hook goes on with the next definition of its function: libc's, or another library's that was preloaded behind this
 * one. Until those are found the raw system calls stand in.
 *
 * Under a filter (scope.h: the pass) the raw system calls come back, for what is notified and where the next definition
 * is libc's own: they carry the pass, which libc's would not. The program notices nothing of that. What is a
 * cancellation point in libc is one here: while the call lasts, the thread can be cancelled at any instruction, as in
 * libc's own (nptl, SYSCALL_CANCEL). Another library's definition is called as before; its calls are notified, and
 * answered with what was decided already (law 5).
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include "next.h"
#include "shim.h"

#include "../core/sys.h"

/* Weak and without a version, so that the library can be loaded into any process. Before 2.34 glibc had dlsym in libdl,
 * which may not be there, but what it calls was in libc even then. With neither the raw system calls stay. What next.c
 * finds by itself needs none of them. */
extern __typeof__(dlsym) dlsym __attribute__((weak));
extern void *_dl_sym(void *, const char *, void *) __attribute__((weak));
#define NEXT ((void *)-1L) /* RTLD_NEXT */

extern unsigned long getauxval(unsigned long) __attribute__((weak));
extern __typeof__(dladdr) dladdr __attribute__((weak));
extern __typeof__(pthread_setcanceltype) pthread_setcanceltype __attribute__((weak));
extern char __libc_single_threaded __attribute__((weak)); /* glibc 2.32; declared in <sys/single_threaded.h> */

/* What the raw calls carry: 0 until real_mark(). Changes once, and any function that is called meanwhile may see
 * either. */
static _Atomic uint64_t marking;

static inline uint64_t pass(void)
{
	return atomic_load_explicit(&marking, memory_order_relaxed);
}

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

/* Where libc's functions are in the place of these, the raw ones only ever run before there are threads to be
 * cancelled. */
static inline int point_begin(void)
{
	int before = PTHREAD_CANCEL_ASYNCHRONOUS;

	if (pass() && pthread_setcanceltype && !(&__libc_single_threaded && __libc_single_threaded))
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &before); /* NOLINT(cert-pos47-c,concurrency-*): as libc does */
	return before;
}

static inline void point_end(int before)
{
	if (before != PTHREAD_CANCEL_ASYNCHRONOUS)
		pthread_setcanceltype(before, NULL);
}

/* A system call that is a cancellation point. */
#define AT_POINT(call)                                                                                                 \
	({                                                                                                             \
		int point_before = point_begin();                                                                      \
		long point_result = (call);                                                                            \
                                                                                                                       \
		point_end(point_before);                                                                               \
		finish(point_result);                                                                                  \
	})

static int raw_socket(int domain, int type, int protocol)
{
	return (int)finish(sys3(SYS_socket, domain, type, protocol));
}

static int raw_bind(int fd, const struct sockaddr *a, socklen_t n)
{
	return (int)finish(sys_marked3(pass(), SYS_bind, fd, a, n));
}

static int raw_listen(int fd, int backlog)
{
	return (int)finish(sys_marked2(pass(), SYS_listen, fd, backlog));
}

static int raw_connect(int fd, const struct sockaddr *a, socklen_t n)
{
	return (int)AT_POINT(sys_marked3(pass(), SYS_connect, fd, a, n));
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
	return (int)finish(sys_marked3(pass(), SYS_getsockname, fd, a, n));
}

static int raw_getpeername(int fd, struct sockaddr *a, socklen_t *n)
{
	return (int)finish(sys_marked3(pass(), SYS_getpeername, fd, a, n));
}

static ssize_t raw_sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *a, socklen_t n)
{
	return AT_POINT(sys6(SYS_sendto, fd, data, size, pass_flags(pass(), flags), a, n));
}

static ssize_t raw_sendmsg(int fd, const struct msghdr *m, int flags)
{
	return AT_POINT(sys_marked3(pass(), SYS_sendmsg, fd, m, flags));
}

static int raw_sendmmsg(int fd, struct mmsghdr *m, unsigned count, int flags)
{
	return (int)AT_POINT(sys_marked5(pass(), SYS_sendmmsg, fd, m, count, flags, 0));
}

static ssize_t raw_recvfrom(int fd, void *data, size_t size, int flags, struct sockaddr *a, socklen_t *n)
{
	return AT_POINT(sys6(SYS_recvfrom, fd, data, size, pass_flags(pass(), flags), a, n));
}

/* It ends the program in its own way. */
static ssize_t (*libc_recvfrom_chk)(int, void *, size_t, size_t, int, struct sockaddr *, socklen_t *);

static ssize_t raw_recvfrom_chk(int fd, void *data, size_t size, size_t room, int flags, struct sockaddr *a, socklen_t *n)
{
	if (size > room && libc_recvfrom_chk)
		return libc_recvfrom_chk(fd, data, size, room, flags, a, n);
	if (size > room)
		__builtin_trap(); /* what _FORTIFY_SOURCE promises */
	return raw_recvfrom(fd, data, size, flags, a, n);
}

static ssize_t raw_recvmsg(int fd, struct msghdr *m, int flags)
{
	return AT_POINT(sys_marked3(pass(), SYS_recvmsg, fd, m, flags));
}

static int raw_recvmmsg(int fd, struct mmsghdr *m, unsigned count, int flags, struct timespec *timeout)
{
	return (int)AT_POINT(sys_marked5(pass(), SYS_recvmmsg, fd, m, count, flags, timeout));
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

#define BIT_OF(at) (UINT64_C(1) << (at) / sizeof(void *))
#define BIT(member) BIT_OF(offsetof(struct shim_real, member))
_Static_assert(sizeof(real) / sizeof(void *) <= 64, "a bit for each");

/* These go to the kernel as they are in every libc. (A struct msghdr is another in musl, which clears the kernel's
 * padding.) */
#define PLAIN_CALLS                                                                                                    \
	(BIT(bind) | BIT(listen) | BIT(connect) | BIT(getsockname) | BIT(getpeername) | BIT(sendto) | BIT(recvfrom))

static uint64_t in_libc; /* BIT_OF what was found in libc itself; written at init only, as all that is looked up */

/* Where there is no loader's list (musl): the same object as a function that nobody interposes. */
static bool shares_object(const void *found)
{
	Dl_info its, libcs;

	return dladdr && getauxval && dladdr(found, &its) && dladdr((const void *)getauxval, &libcs) &&
	       its.dli_fbase == libcs.dli_fbase;
}

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
		if (!found)
			continue;
		memcpy((uint8_t *)&real + wanted[i].at, &found, sizeof(found));
		if (tables.libc_end ? next_in_libc(&tables, found)
				    : BIT_OF(wanted[i].at) & PLAIN_CALLS && shares_object(found))
			in_libc |= BIT_OF(wanted[i].at);
	}
	/* Now: real_mark runs in several threads at once. */
	if (in_libc & BIT(recvfrom_chk))
		libc_recvfrom_chk = real.recvfrom_chk;
}

/* A thread that calls at the same time sees the one or the other. */
static void mark(size_t at, void *raw)
{
	if (in_libc & BIT_OF(at))
		__atomic_store_n((void **)((uint8_t *)&real + at), raw, __ATOMIC_RELEASE);
}

#define MARK(member) mark(offsetof(struct shim_real, member), (void *)raw_##member)

void real_mark(uint64_t with)
{
	if (!with || pass() == with)
		return;
	atomic_store_explicit(&marking, with, memory_order_release);
	MARK(bind);
	MARK(listen);
	MARK(connect);
	MARK(getsockname);
	MARK(getpeername);
	MARK(sendto);
	MARK(sendmsg);
	MARK(sendmmsg);
	MARK(recvfrom);
	MARK(recvfrom_chk);
	MARK(recvmsg);
	MARK(recvmmsg);
}
