#include <sched.h>

#include "shim.h"

/* The child begins elsewhere, so it is told before, and this process is more careful than it had to be from now on. The
 * last three arguments are read whether they were given or not, as in syscall(). */
EXPORT int clone(int (*function)(void *), void *stack, int flags, void *argument, ...)
{
	void *parent, *tls, *child;
	va_list list;

	va_start(list, argument);
	parent = va_arg(list, void *);
	tls = va_arg(list, void *);
	child = va_arg(list, void *);
	va_end(list);
	shim_inheritance(); /* another library's constructor may come before ours, and there is no raw form of this */
	if (flags & CLONE_NEWNET)
		shim_wander();
	return real.clone(function, stack, flags, argument, parent, tls, child);
}
