/*
 * libmeddler.c - another interposer of the same calls, as people write them: it counts, passes on to
 * dlsym(RTLD_NEXT), and looks at what came of it with calls that are hooked themselves. At the end it tells what it
 * saw, on the descriptor that MEDDLER_FD names.
 */
#include <dlfcn.h>
#include <stdio.h>

#include "job.h"

static int binds, connects, odd;

int bind(int fd, __CONST_SOCKADDR_ARG address, socklen_t length)
{
	static int (*next)(int, __CONST_SOCKADDR_ARG, socklen_t);
	struct sockaddr_in name = { 0 };
	socklen_t size = sizeof(name);
	int result;

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "bind");
	binds++;
	result = next(fd, address, length);
	if (result == 0 && (getsockname(fd, (struct sockaddr *)&name, &size) != 0 || name.sin_family != AF_INET))
		odd++;
	return result;
}

int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t length)
{
	static int (*next)(int, __CONST_SOCKADDR_ARG, socklen_t);
	struct sockaddr_in name = { 0 };
	socklen_t size = sizeof(name);
	int result;

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "connect");
	connects++;
	result = next(fd, address, length);
	if (result == 0 && (getpeername(fd, (struct sockaddr *)&name, &size) != 0 || name.sin_family != AF_INET))
		odd++;
	return result;
}

__attribute__((destructor)) static void tell(void)
{
	const char *fd = getenv("MEDDLER_FD");

	if (fd && binds + connects)
		dprintf(atoi(fd), "meddler %s %s %d\n", binds ? "binds" : "-", connects ? "connects" : "-", odd);
}
