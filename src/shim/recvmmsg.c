#include "shim.h"

#define CALL_MAX 1024 /* UIO_MAXIOV: the kernel takes no more in one call */

/* How much of a name's buffer matters: an IPv6 address fits. */
static uint8_t name_room(const struct msghdr *m)
{
	if (!m->msg_name)
		return 0;
	return m->msg_namelen < 255 ? (uint8_t)m->msg_namelen : 255;
}

EXPORT int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
	struct ps_space *space = shim_enter(fd);
	uint8_t room[CALL_MAX];
	unsigned i, known;
	int result;

	if (!space)
		return real.recvmmsg(fd, messages, count, flags, timeout);
	if (count > CALL_MAX)
		count = CALL_MAX;
	/* The kernel stops at the first message that it cannot read, as we do. */
	for (known = 0; known < count && readable(&messages[known], sizeof(messages[known])); known++)
		room[known] = name_room(&messages[known].msg_hdr);
	result = real.recvmmsg(fd, messages, count, flags, timeout);
	for (i = 0; i < known && (int)i < result; i++)
		if (room[i])
			route_in(space, messages[i].msg_hdr.msg_name, room[i], messages[i].msg_hdr.msg_namelen);
	return result;
}
