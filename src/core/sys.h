/*
 * sys.h - raw system calls.
 *
 * Code that runs in foreign processes makes its own system calls without going through libc: libc's functions are
 * cancellation points, may be interposed by others (or by ourselves), and set errno. These return the result or -errno.
 */
#ifndef PORTSHIM_CORE_SYS_H
#define PORTSHIM_CORE_SYS_H

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>

static inline long sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
#else
#error "portshim knows the system call conventions of x86_64 and aarch64 only"
#endif
}

#define SYS_ARG(x) ((long)(x))
#define sys0(nr) sys_call(nr, 0, 0, 0, 0, 0, 0)
#define sys1(nr, a) sys_call(nr, SYS_ARG(a), 0, 0, 0, 0, 0)
#define sys2(nr, a, b) sys_call(nr, SYS_ARG(a), SYS_ARG(b), 0, 0, 0, 0)
#define sys3(nr, a, b, c) sys_call(nr, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c), 0, 0, 0)
#define sys4(nr, a, b, c, d) sys_call(nr, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c), SYS_ARG(d), 0, 0)
#define sys5(nr, a, b, c, d, e) sys_call(nr, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c), SYS_ARG(d), SYS_ARG(e), 0)
#define sys6(nr, a, b, c, d, e, f) sys_call(nr, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c), SYS_ARG(d), SYS_ARG(e), SYS_ARG(f))

/* A pass that stayed in its register would mark the next call of somebody who sets no sixth argument: a `syscall`
 * instruction for bind, right after a hook. */
static inline long sys_call_marked(long nr, long a, long b, long c, long d, long e, long pass)
{
	long result = sys_call(nr, a, b, c, d, e, pass);

#if defined(__x86_64__)
	__asm__ volatile("xorl %%r9d, %%r9d" : : : "r9", "cc");
#else
	__asm__ volatile("mov x5, xzr" : : : "x5");
#endif
	return result;
}

/* Calls about sockets that a filter is to let through (scope.h): `pass` is 0 where there is none. */
#define sys_marked2(pass, nr, a, b) sys_call_marked(nr, SYS_ARG(a), SYS_ARG(b), 0, 0, 0, SYS_ARG(pass))
#define sys_marked3(pass, nr, a, b, c) sys_call_marked(nr, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c), 0, 0, SYS_ARG(pass))
#define sys_marked5(pass, nr, a, b, c, d, e)                                                                           \
	sys_call_marked(nr, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c), SYS_ARG(d), SYS_ARG(e), SYS_ARG(pass))

/* Makes a call again for as long as signals interrupt it. A file system in user space or on a network lets that happen
 * to any call that names a file, and tmpfs to fallocate(2). */
#define sys_again(call)                                                                                                \
	({                                                                                                             \
		long again_result;                                                                                     \
                                                                                                                       \
		do                                                                                                     \
			again_result = (call);                                                                         \
		while (again_result == -EINTR);                                                                        \
		again_result;                                                                                          \
	})

/* A write beyond RLIMIT_FSIZE fails with EFBIG and sends SIGXFSZ as well (setrlimit(2)), which ends a program that
 * knows nothing of that write. This takes the signal back; it must have been blocked since before the write. */
static inline void sys_forget_xfsz(void)
{
	const uint64_t xfsz = UINT64_C(1) << (25 - 1);
	const struct timespec now = {0};

	sys4(SYS_rt_sigtimedwait, &xfsz, 0, &now, sizeof(xfsz));
}

/* Unix seconds. */
static inline uint64_t sys_time(void)
{
	struct timespec now = {0};

	sys2(SYS_clock_gettime, CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec;
}

#endif
