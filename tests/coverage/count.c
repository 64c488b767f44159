/*
 * count.c - linked into the library and the command line for `make coverage`, and into nothing else: gcov writes a
 * process's counts when it calls exit(). Many of those that we count end by _exit(), or become another program.
 *
 * In a child of vfork, the counts are its parent's as well. They are written, and begin anew for both.
 */
#include <stdlib.h>
#include <unistd.h>

#include "mark.h"

#include "../../src/core/sys.h"

void __gcov_dump(void);
void __gcov_reset(void);
void count_write(void);

void count_write(void)
{
	sys2(SYS_getppid, COUNT_MARK, 1);
	__gcov_dump();
	__gcov_reset();
	sys2(SYS_getppid, COUNT_MARK, 0);
}

/* Before gcov's own, which has the last of the reserved priorities. */
__attribute__((destructor(101))) static void mark_the_end(void)
{
	sys2(SYS_getppid, COUNT_MARK, 1);
}

#ifdef COUNT_SHIM
#include "../../src/shim/shim.h"

static struct shim_real next;

static int counted_execve(const char *path, char *const *argv, char *const *envp)
{
	count_write();
	return next.execve(path, argv, envp);
}

static int counted_execveat(int fd, const char *path, char *const *argv, char *const *envp, int flags)
{
	count_write();
	return next.execveat(fd, path, argv, envp, flags);
}

static int counted_fexecve(int fd, char *const *argv, char *const *envp)
{
	count_write();
	return next.fexecve(fd, argv, envp);
}

static int counted_execvpe(const char *file, char *const *argv, char *const *envp)
{
	count_write();
	return next.execvpe(file, argv, envp);
}

/* Before the program ends, or is ended by a signal that nobody waits for. */
EXPORT void _exit(int status)
{
	count_write();
	for (;;)
		sys_call(SYS_exit_group, status, 0, 0, 0, 0, 0);
}

EXPORT void _Exit(int status)
{
	_exit(status);
}

/* The last constructor of the library: this object is the last one that is linked. */
__attribute__((constructor)) static void take_over(void)
{
	next = real;
	real.execve = counted_execve;
	real.execveat = counted_execveat;
	real.fexecve = counted_fexecve;
	real.execvpe = counted_execvpe;
}
#else
int __real_execvp(const char *file, char *const *argv);
int __wrap_execvp(const char *file, char *const *argv);

int __wrap_execvp(const char *file, char *const *argv)
{
	count_write();
	return __real_execvp(file, argv);
}
#endif
