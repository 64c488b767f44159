/*
 * This process as one that the core decides for (caller.h): its descriptors are its own, and what the kernel is asked, it is
 * asked through the next definitions (real.c), which other libraries may interpose.
 */
#include <fcntl.h>

#include "shim.h"

#include "../core/sys.h"

/* What a system call's wrapper answered, as the core wants it. */
static int verdict(int result, int saved)
{
	int error;

	if (result == 0)
		return 0;
	error = errno;
	errno = saved;
	return -error;
}

static int own_bind(struct ps_caller *caller, int fd, const struct sockaddr *address, socklen_t length)
{
	int saved = errno;

	(void)caller;
	return verdict(real.bind(fd, address, length), saved);
}

static int own_listen(struct ps_caller *caller, int fd, int backlog)
{
	int saved = errno;

	(void)caller;
	return verdict(real.listen(fd, backlog), saved);
}

static int own_connect(struct ps_caller *caller, int fd, const struct sockaddr *address, socklen_t length)
{
	int saved = errno;

	(void)caller;
	return verdict(real.connect(fd, address, length), saved);
}

static int own_replace(struct ps_caller *caller, int fd, int other)
{
	long flags = sys2(SYS_fcntl, fd, F_GETFL);
	long fd_flags = sys2(SYS_fcntl, fd, F_GETFD), result;

	(void)caller;
	sys3(SYS_fcntl, other, F_SETFL, flags);
	result = sys_again(sys3(SYS_dup3, other, fd, fd_flags & FD_CLOEXEC ? O_CLOEXEC : 0));
	return result < 0 ? (int)result : 0;
}

static unsigned own_protocol(const struct ps_caller *caller, int fd)
{
	(void)caller;
	return socket_protocol(fd);
}

static int own_borrow(struct ps_caller *caller, int number)
{
	(void)caller;
	return number;
}

static void own_release(struct ps_caller *caller, int fd)
{
	(void)caller;
	(void)fd;
}

static void own_event(struct ps_caller *caller, enum ps_event_kind kind, uint16_t port, int error)
{
	shim_event(caller->space, kind, port, error);
}

const struct ps_caller_calls shim_calls = {
	.bind = own_bind,
	.listen = own_listen,
	.connect = own_connect,
	.replace = own_replace,
	.protocol = own_protocol,
	.borrow = own_borrow,
	.release = own_release,
	.event = own_event,
};
