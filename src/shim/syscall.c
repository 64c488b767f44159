#include <linux/sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim.h"

#define IN(x) ((ADDRESS_IN){.__sockaddr__ = (const struct sockaddr *)(x)})
#define OUT(x) ((ADDRESS_OUT){.__sockaddr__ = (struct sockaddr *)(x)})

/* clone takes its flags as they are, clone3 at the beginning of a struct. */
static bool clones_network(long number, long a)
{
	if (number == SYS_clone3 && !readable((const void *)a, sizeof(uint64_t)))
		return false;
	return (number == SYS_clone ? (uint64_t)a : *(const uint64_t *)a) & CLONE_NEWNET;
}

/* Programs that make these calls by number go through the same hooks; every other number passes. All six arguments are
 * always read: the calling conventions leave them in registers or on the caller's stack whether they were given or not. */
EXPORT long syscall(long number, ...)
{
	long a, b, c, d, e, f, result;
	va_list list;

	va_start(list, number);
	a = va_arg(list, long);
	b = va_arg(list, long);
	c = va_arg(list, long);
	d = va_arg(list, long);
	e = va_arg(list, long);
	f = va_arg(list, long);
	va_end(list);
	switch (number) {
	case SYS_socket:
		return socket((int)a, (int)b, (int)c);
	case SYS_bind:
		return bind((int)a, IN(b), (socklen_t)c);
	case SYS_listen:
		return listen((int)a, (int)b);
	case SYS_connect:
		return connect((int)a, IN(b), (socklen_t)c);
	case SYS_accept:
		return accept((int)a, OUT(b), (socklen_t *)c);
	case SYS_accept4:
		return accept4((int)a, OUT(b), (socklen_t *)c, (int)d);
	case SYS_getsockname:
		return getsockname((int)a, OUT(b), (socklen_t *)c);
	case SYS_getpeername:
		return getpeername((int)a, OUT(b), (socklen_t *)c);
	case SYS_sendto:
		return sendto((int)a, (const void *)b, (size_t)c, (int)d, IN(e), (socklen_t)f);
	case SYS_sendmsg:
		return sendmsg((int)a, (const struct msghdr *)b, (int)c);
	case SYS_sendmmsg:
		return sendmmsg((int)a, (struct mmsghdr *)b, (unsigned)c, (int)d);
	case SYS_recvfrom:
		return recvfrom((int)a, (void *)b, (size_t)c, (int)d, OUT(e), (socklen_t *)f);
	case SYS_recvmsg:
		return recvmsg((int)a, (struct msghdr *)b, (int)c);
	case SYS_recvmmsg:
		return recvmmsg((int)a, (struct mmsghdr *)b, (unsigned)c, (int)d, (struct timespec *)e);
	case SYS_unshare:
		return unshare((int)a);
	case SYS_setns:
		return setns((int)a, (int)b);
	case SYS_clone:
	case SYS_clone3:
		result = real.syscall(number, a, b, c, d, e, f);
		if (result == 0 && clones_network(number, a))
			shim_wander();
		return result;
	default:
		return real.syscall(number, a, b, c, d, e, f);
	}
}
