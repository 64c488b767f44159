/*
 * caller.h - this process as one that the core decides for (<portshim/caller.h>): its descriptors are its own, and what
 * the kernel is asked, it is asked through the next definitions (real.c), which other libraries may interpose. What is
 * hot is inline.
 */
#ifndef PORTSHIM_SHIM_CALLER_H
#define PORTSHIM_SHIM_CALLER_H

#include "shim.h"

/* What a system call's wrapper answered, as the core wants it. */
static inline int verdict(int result, int saved)
{
	int error;

	if (result == 0)
		return 0;
	error = errno;
	errno = saved;
	return -error;
}

static inline int own_bind(struct ps_caller *caller, int fd, const struct sockaddr *address, socklen_t length)
{
	int saved = errno;

	(void)caller;
	return verdict(real.bind(fd, address, length), saved);
}

static inline int own_connect(struct ps_caller *caller, int fd, const struct sockaddr *address, socklen_t length)
{
	int saved = errno;

	(void)caller;
	return verdict(real.connect(fd, address, length), saved);
}

static inline unsigned own_protocol(const struct ps_caller *caller, int fd)
{
	(void)caller;
	return socket_protocol(fd);
}

int own_listen(struct ps_caller *caller, int fd, int backlog);
int own_replace(struct ps_caller *caller, int fd, int other);
int own_borrow(struct ps_caller *caller, int number);
void own_release(struct ps_caller *caller, int fd);
void own_event(struct ps_caller *caller, enum ps_event_kind kind, uint16_t port, int error);

/* For the hooks, where the compiler is to see what is in it; for all others it is shim_calls. */
#define OWN_CALLS                                                                                                      \
	{                                                                                                              \
		.bind = own_bind, .listen = own_listen, .connect = own_connect, .replace = own_replace,                \
		.protocol = own_protocol, .borrow = own_borrow, .release = own_release, .event = own_event             \
	}

static const struct ps_caller_calls own_calls __attribute__((unused)) = OWN_CALLS;

#endif
