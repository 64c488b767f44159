#include <fcntl.h>

#include "caller.h"

#include "../core/sys.h"

int own_listen(struct ps_caller *caller, int fd, int backlog)
{
	int saved = errno;

	(void)caller;
	return verdict(real.listen(fd, backlog), saved);
}

int own_replace(struct ps_caller *caller, int fd, int other)
{
	long flags = sys2(SYS_fcntl, fd, F_GETFL);
	long fd_flags = sys2(SYS_fcntl, fd, F_GETFD), result;

	(void)caller;
	sys3(SYS_fcntl, other, F_SETFL, flags);
	result = sys_again(sys3(SYS_dup3, other, fd, fd_flags & FD_CLOEXEC ? O_CLOEXEC : 0));
	return result < 0 ? (int)result : 0;
}

int own_borrow(struct ps_caller *caller, int number)
{
	(void)caller;
	return number;
}

void own_release(struct ps_caller *caller, int fd)
{
	(void)caller;
	(void)fd;
}

void own_event(struct ps_caller *caller, enum ps_event_kind kind, uint16_t port, int error)
{
	shim_event(caller->space, kind, port, error);
}

const struct ps_caller_calls shim_calls = OWN_CALLS;
