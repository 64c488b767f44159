/*
 * count.c - linked into the library, the command line and the unit tests for `make coverage`, and into nothing else:
 * gcov writes a process's counts when it calls exit(). Many of those that we count end by _exit(), or become another
 * program.
 *
 * In a child of vfork, the counts are its parent's as well. They are written, and begin anew for both.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "mark.h"

#include "../../src/core/sys.h"

void __gcov_dump(void);
void __gcov_reset(void);
void count_write(void);

#define FILES 4096

static struct rlimit size_before, files_before;
static long mask_before;

/* A process that may not write a whole file must not write half of one: nobody could add to it any more. It may have no
 * descriptor left to write with. And the files are for every user, because some tests are run as another one. */
static bool begin(void)
{
	const struct rlimit any_size = {RLIM_INFINITY, RLIM_INFINITY};
	struct rlimit more = {FILES, FILES};

	sys2(SYS_getppid, COUNT_MARK, 1);
	if (sys4(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, &size_before) != 0 ||
	    (size_before.rlim_cur != RLIM_INFINITY && sys4(SYS_prlimit64, 0, RLIMIT_FSIZE, &any_size, 0) != 0))
		return false;
	if (sys4(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, &files_before) == 0 && files_before.rlim_cur < FILES) {
		if (more.rlim_max < files_before.rlim_max)
			more.rlim_max = files_before.rlim_max;
		sys4(SYS_prlimit64, 0, RLIMIT_NOFILE, &more, 0);
	}
	mask_before = sys1(SYS_umask, 0);
	return true;
}

void count_write(void)
{
	if (begin()) {
		__gcov_dump();
		__gcov_reset();
		sys1(SYS_umask, mask_before);
		sys4(SYS_prlimit64, 0, RLIMIT_FSIZE, &size_before, 0);
		sys4(SYS_prlimit64, 0, RLIMIT_NOFILE, &files_before, 0);
	}
	sys2(SYS_getppid, COUNT_MARK, 0);
}

/* Before gcov's own, which has the last of the reserved priorities. */
__attribute__((destructor(101))) static void begin_the_last(void)
{
	if (!begin())
		__gcov_reset();
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

void __real__exit(int status) __attribute__((noreturn));
void __wrap__exit(int status) __attribute__((noreturn));

void __wrap__exit(int status)
{
	count_write();
	__real__exit(status);
}
#endif
