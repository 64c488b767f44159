#include <string.h>

#include "shim.h"

/* msg_len and the padding behind it, which the kernel does not touch. */
#define LENGTH_SIZE (sizeof(struct mmsghdr) - offsetof(struct mmsghdr, msg_len))
_Static_assert(LENGTH_SIZE == 8, "writable() asks for eight bytes");

#define CALL_MAX 1024 /* UIO_MAXIOV: the kernel takes no more in one call */

/* `fd`: TCP's with MSG_FASTOPEN, for which this is a connect; else -1. Never PS_ROUTE_REFUSED. */
static enum ps_route route_message(struct ps_caller *caller, int fd, const struct msghdr *m, struct ps_address *a)
{
	uint16_t port = shim_port_or_unspec(m->msg_name, route_name_length(m));

	if (!port || !route_matters(caller->space, port))
		return PS_ROUTE_PASS;
	return route_out(caller, fd, m->msg_name, route_name_length(m), port, a);
}

/* How many messages from the first on go where they say. *a: where the next one goes. */
static unsigned passing(struct ps_caller *caller, int fd, const struct mmsghdr *messages, unsigned count,
			struct ps_address *a)
{
	unsigned n = 0;

	while (n < count && route_message(caller, fd, &messages[n].msg_hdr, a) == PS_ROUTE_PASS)
		n++;
	return n;
}

/* One message to another place than it says, with what sendmmsg(2) leaves in msg_len: where that cannot be written, the
 * message is sent, and does not count. */
static bool send_moved(int fd, struct mmsghdr *message, int flags, struct ps_address *a)
{
	struct mmsghdr copy;

	memcpy(&copy, message, sizeof(copy));
	copy.msg_hdr.msg_name = &a->u;
	copy.msg_hdr.msg_namelen = a->length;
	if (real.sendmmsg(fd, &copy, 1, flags) != 1)
		return false;
	if (!writable(&message->msg_len)) {
		errno = EFAULT;
		return false;
	}
	memcpy(&message->msg_len, &copy.msg_len, LENGTH_SIZE);
	return true;
}

static int send_all(struct ps_caller *caller, int fd, struct mmsghdr *messages, unsigned count, int flags)
{
	int connected = flags & MSG_FASTOPEN && caller->calls->protocol(caller, fd) == PS_TCP ? fd : -1;
	unsigned done = 0;
	int saved = errno;

	while (done < count) {
		struct ps_address a;
		unsigned n = passing(caller, connected, messages + done, count - done, &a);
		int sent = n ? real.sendmmsg(fd, messages + done, n, flags) : 0;

		if (sent < 0)
			break;
		done += (unsigned)sent;
		if ((unsigned)sent < n)
			break;
		if (done < count && !send_moved(fd, &messages[done], flags, &a))
			break;
		if (done < count)
			done++;
	}
	if (!done && count)
		return -1;
	/* What failed after the first message is not reported by this call (sendmmsg(2)). */
	errno = saved;
	return (int)done;
}

EXPORT int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
	struct ps_caller *caller = shim_enter(fd);
	unsigned known = 0;

	if (count > CALL_MAX)
		count = CALL_MAX;
	/* The kernel sends what lies before the first message that it cannot read, and reports only that. */
	while (caller && known < count && readable(&messages[known], sizeof(messages[known])))
		known++;
	if (!known)
		return real.sendmmsg(fd, messages, count, flags);
	return send_all(caller, fd, messages, known, flags);
}
