#include "shim.h"

#define AT_ONCE 1024 /* what one look at the names remembers; unlike sendmmsg, this call has no bound */

/* How much of a name's buffer matters: an IPv6 address fits. */
static uint8_t name_room(const struct msghdr *m)
{
	if (!m->msg_name)
		return 0;
	return m->msg_namelen < 255 ? (uint8_t)m->msg_namelen : 255;
}

static int receive(struct ps_caller *caller, int fd, struct mmsghdr *messages, unsigned count, int flags,
		   struct timespec *timeout)
{
	uint8_t room[AT_ONCE];
	unsigned i, known;
	int result;

	/* The kernel stops at the first message that it cannot read, as we do. */
	for (known = 0; known < count && readable(&messages[known], sizeof(messages[known])); known++)
		room[known] = name_room(&messages[known].msg_hdr);
	result = real.recvmmsg(fd, messages, count, flags, timeout);
	if (result < (int)known)
		known = result > 0 ? (unsigned)result : 0;
	for (i = 0; i < known; i++)
		if (room[i])
			route_in(caller, messages[i].msg_hdr.msg_name, room[i], messages[i].msg_hdr.msg_namelen);
	return result;
}

EXPORT int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
	struct ps_caller *caller = shim_enter(fd);
	unsigned done = 0;
	int saved = errno, result;

	if (!caller)
		return real.recvmmsg(fd, messages, count, flags, timeout);
	do {
		unsigned part = count - done < AT_ONCE ? count - done : AT_ONCE;

		result = receive(caller, fd, messages + done, part, flags, timeout);
		if (result > 0)
			done += (unsigned)result;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
	} while (result == AT_ONCE && done < count);
	if (!done)
		return result;
	/* What failed after the first message is not reported by this call (recvmmsg(2)). */
	errno = saved;
	return (int)done;
}
