/*
 * The exec family. libc's own functions call each other inside libc, past our hooks, so each is written out.
 *
 * A process between vfork and exec shares its parent's memory: everything here lives on the stack.
 */
#include <fcntl.h>
#include <unistd.h>

#include "preload.h"
#include "privilege.h"

extern char **environ __attribute__((weak));

static char *const *current(void)
{
	return &environ ? environ : NULL;
}

static int exec_path(const char *path, char *const *argv, char *const *envp)
{
	PRELOAD_FIX(envp);
	privilege_look(AT_FDCWD, path, 0);
	return real.execve(path, argv, envp);
}

static int exec_search(const char *file, char *const *argv, char *const *envp)
{
	PRELOAD_FIX(envp);
	privilege_search(file, current());
	return real.execvpe(file, argv, envp);
}

EXPORT int execve(const char *path, char *const argv[], char *const envp[])
{
	return exec_path(path, argv, envp);
}

EXPORT int execv(const char *path, char *const argv[])
{
	return exec_path(path, argv, current());
}

EXPORT int execvp(const char *file, char *const argv[])
{
	return exec_search(file, argv, current());
}

EXPORT int execvpe(const char *file, char *const argv[], char *const envp[])
{
	return exec_search(file, argv, envp);
}

EXPORT int fexecve(int fd, char *const argv[], char *const envp[])
{
	if (!envp) /* to this function alone that is an error (fexecve(3)) */
		return real.fexecve(fd, argv, envp);
	PRELOAD_FIX(envp);
	privilege_look(fd, "", AT_EMPTY_PATH);
	return real.fexecve(fd, argv, envp);
}

EXPORT int execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags)
{
	PRELOAD_FIX(envp);
	privilege_look(fd, path, flags);
	return real.execveat(fd, path, argv, envp, flags);
}

/* The number of arguments of execl and its relatives, with the final NULL. */
static unsigned count_arguments(const char *first, va_list list)
{
	unsigned n = 1;

	while (first) {
		first = va_arg(list, const char *);
		n++;
	}
	return n;
}

#define COLLECT(argv, first, list)                                                                                     \
	va_list list;                                                                                                  \
	va_start(list, first);                                                                                         \
	unsigned count = count_arguments(first, list);                                                                 \
	va_end(list);                                                                                                  \
	char *argv[count];                                                                                             \
	va_start(list, first);                                                                                         \
	argv[0] = (char *)first;                                                                                       \
	for (unsigned i = 1; i < count; i++)                                                                           \
		argv[i] = va_arg(list, char *)

EXPORT int execl(const char *path, const char *first, ...)
{
	COLLECT(argv, first, list);
	va_end(list);
	return exec_path(path, argv, current());
}

EXPORT int execlp(const char *file, const char *first, ...)
{
	COLLECT(argv, first, list);
	va_end(list);
	return exec_search(file, argv, current());
}

EXPORT int execle(const char *path, const char *first, ...)
{
	COLLECT(argv, first, list);
	char *const *envp = va_arg(list, char *const *);

	va_end(list);
	return exec_path(path, argv, envp);
}
