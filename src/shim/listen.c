#include <portshim/call.h>

#include "shim.h"

EXPORT int listen(int fd, int backlog)
{
	struct ps_caller *caller = shim_enter(fd);

	return caller ? real_result(call_listen(caller, fd, backlog)) : real.listen(fd, backlog);
}
