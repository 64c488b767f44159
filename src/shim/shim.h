/*
 * shim.h - what the hooks share. One file for each libc function; `ls src/shim` answers "where is connect?".
 *
 * A hook has three layers: the exported function of libc's name; a decision of the core's (route.h, call.h); and the
 * real call through `real`. Hooks are async-signal-safe, take no lock that a reader could wait for, allocate nothing
 * and leave errno alone on success.
 */
#ifndef PORTSHIM_SHIM_H
#define PORTSHIM_SHIM_H

#include <errno.h>
#include <netinet/in.h>
#include <spawn.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <time.h>

#include <portshim/registry.h>
#include <portshim/route.h>

#define EXPORT __attribute__((visibility("default")))

/* With _GNU_SOURCE, glibc declares the address arguments as transparent unions of pointers. Hooks are written with
 * these types, so that their definitions agree with the declarations. */
#define ADDRESS_IN __CONST_SOCKADDR_ARG
#define ADDRESS_OUT __SOCKADDR_ARG
#define PLAIN(address) ((address).__sockaddr__)

/* The functions behind the hooks. They start as raw system calls, for callers that come before init, and become the
 * next definitions in the process (libc's, or another interposer's). */
struct shim_real {
	int (*socket)(int, int, int);
	int (*bind)(int, const struct sockaddr *, socklen_t);
	int (*listen)(int, int);
	int (*connect)(int, const struct sockaddr *, socklen_t);
	int (*accept)(int, struct sockaddr *, socklen_t *);
	int (*accept4)(int, struct sockaddr *, socklen_t *, int);
	int (*getsockname)(int, struct sockaddr *, socklen_t *);
	int (*getpeername)(int, struct sockaddr *, socklen_t *);
	ssize_t (*sendto)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
	ssize_t (*sendmsg)(int, const struct msghdr *, int);
	int (*sendmmsg)(int, struct mmsghdr *, unsigned, int);
	ssize_t (*recvfrom)(int, void *, size_t, int, struct sockaddr *, socklen_t *);
	ssize_t (*recvfrom_chk)(int, void *, size_t, size_t, int, struct sockaddr *, socklen_t *);
	ssize_t (*recvmsg)(int, struct msghdr *, int);
	int (*recvmmsg)(int, struct mmsghdr *, unsigned, int, struct timespec *);
	long (*syscall)(long, long, long, long, long, long, long);

	int (*unshare)(int);
	int (*setns)(int, int);
	int (*clone)(int (*)(void *), void *, int, void *, ...);

	/* These are called in children of vfork and fork, where nothing may be looked up; they have no raw form. */
	int (*execve)(const char *, char *const *, char *const *);
	int (*execveat)(int, const char *, char *const *, char *const *, int);
	int (*fexecve)(int, char *const *, char *const *);
	int (*execvpe)(const char *, char *const *, char *const *);
	int (*posix_spawn)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
			   char *const *, char *const *);
	int (*bindresvport)(int, struct sockaddr_in *);
	int (*posix_spawnp)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
			    char *const *, char *const *);
};

extern struct shim_real real;

/* Looks up the real functions. Once, at init: dlsym takes the loader's lock and may allocate, and hooks are called in
 * signal handlers and in children of fork. */
void real_resolve(void);

/* From now on the functions that are notified under the run's filter are raw system calls with this pass (scope.h),
 * where they would have been libc's own. 0: nothing changes. */
void real_mark(uint64_t pass);

/* Sets errno and returns -1: a refusal that the kernel did not make itself. */
int real_fail(int error);

/* What the core answered, 0 or a negative errno, as libc answers it. */
static inline int real_result(int result)
{
	return __builtin_expect(result == 0, 1) ? 0 : real_fail(-result);
}

/* ---- init.c ---- */

/* Set once, when the space is verified. */
extern struct ps_caller *_Atomic shim_active;
struct ps_caller *shim_enter_slowly(int fd);

/* This process as one for which is decided (caller.h), or NULL: inert. The first caller initialises; others in the
 * meantime get NULL. `fd` is the socket of the call, or -1. */
static inline struct ps_caller *shim_enter(int fd)
{
	struct ps_caller *caller = atomic_load_explicit(&shim_active, memory_order_acquire);

	return __builtin_expect(caller != NULL, 1) ? caller : shim_enter_slowly(fd);
}

/* ---- caller.c ---- */

/* What the core calls back for this process; `fd` is the program's own descriptor. */
extern const struct ps_caller_calls shim_calls;

/* The space as the constructor mapped it, maybe not verified by now: good for its run's flags and events. NULL: none. */
struct ps_space *shim_mapped(void);

/* The process has, or is about to have, threads or children in another network namespace, which is another host. From
 * now on each call is judged by the namespace of its socket. */
void shim_wander(void);

/* The process has made a socket that is neither TCP's nor UDP's, and may use the same numbers for something else. From
 * now on each call is judged by its socket's protocol. */
void shim_mingle(void);

/* What exec must pass on, so that it survives a cleared environment. NULL: nothing. */
struct shim_inheritance {
	const char *object; /* our own path, as LD_PRELOAD names it */
	const char *run;    /* path of the run's file; NULL when portshim gave up: then its children's are told so */
};
const struct shim_inheritance *shim_inheritance(void);

/* ---- complain.c ---- */

/* Says that the registry cannot be used, for this negative errno. `path` is a run's file, or the runtime directory.
 * `stop`: does not return. */
void complain_start(const char *path, int error, bool stop);

/* Says that a new environment has its discovery file in the runtime directory. */
void complain_elsewhere(const char *directory, const char *discovery);

/* space_event(), and where nobody else would tell of it, one line on stderr. */
void shim_event(struct ps_space *space, enum ps_event_kind kind, uint16_t port, int error);

/* ---- readable.c ---- */

bool readable_elsewhere(const void *p, unsigned long size);
bool writable_elsewhere(void *p);

/* Nearly all addresses lie in our callers' frames, which are above ours and mapped. */
#define STACK_WINDOW 65536

/* True if the memory can be read; `size` is at least 8. */
static inline bool readable(const void *p, unsigned long size)
{
	return (uintptr_t)p - (uintptr_t)__builtin_frame_address(0) < STACK_WINDOW || readable_elsewhere(p, size);
}

/* True if the eight bytes, which were found readable, can be written. They may have anything in them afterwards. */
static inline bool writable(void *p)
{
	return (uintptr_t)p - (uintptr_t)__builtin_frame_address(0) < STACK_WINDOW || writable_elsewhere(p);
}

/* ---- bare.c ---- */

/* Makes a run in the environment of the working directory, for a process that was preloaded without `portshim`.
 * `path` holds PS_RUNTIME_MAX + 16 bytes; it names what was refused where that fails. 0 or a negative errno. */
int bare_create_run(char *path, char *const *environment);

/* ---- addresses of the program's: route.h, with a look whether they can be read ---- */

static inline uint16_t shim_port(const struct sockaddr *address, socklen_t length)
{
	return address && length >= sizeof(struct sockaddr_in) && readable(address, length) ? route_port(address, length) : 0;
}

static inline uint16_t shim_port_or_unspec(const struct sockaddr *address, socklen_t length)
{
	return address && length >= sizeof(struct sockaddr_in) && readable(address, length)
		       ? route_port_or_unspec(address, length)
		       : 0;
}

/* A caller's length, which need not be aligned. */
static inline socklen_t shim_length(const socklen_t *length)
{
	socklen_t n;

	__builtin_memcpy(&n, length, sizeof(n));
	return n;
}

/* The room that a caller's address buffer has, read before the call; 0 if there is no buffer or if the pointers are
 * bad: the kernel says so then. An aligned word is readable as a whole or not at all; a length that is not aligned may
 * lie in two. */
static inline socklen_t shim_room(const void *address, const socklen_t *length)
{
	uintptr_t first = (uintptr_t)length & ~(uintptr_t)7;
	uintptr_t last = ((uintptr_t)length + sizeof(*length) - 1) & ~(uintptr_t)7;

	if (!address || !length || !readable((const void *)first, 8) ||
	    __builtin_expect(last != first && !readable((const void *)last, 8), 0))
		return 0;
	return shim_length(length);
}

/* ---- socket.c ---- */

/* What call_protocol() says, and in a process that never made any but TCP sockets without asking. For sockets of the
 * inet families for which shim_enter() gave a caller. */
unsigned socket_protocol(int fd);

#endif
