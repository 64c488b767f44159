/*
 * caller.h - on whose behalf the core decides.
 *
 * What decides about a call (call.h, route.h) is one piece of code with two users: the library in a program decides for
 * the very process that it is in, on the program's own descriptor; the worker of a run (src/notify) decides for another
 * process, on duplicates of its descriptors. The difference is in here, and nowhere else.
 *
 * One thread at a time changes a struct ps_caller; any number may decide with it. What it points to outlives every
 * call.
 */
#ifndef PORTSHIM_CALLER_H
#define PORTSHIM_CALLER_H

#include <sys/socket.h>

#include <portshim/kernel.h>
#include <portshim/space.h>

struct ps_caller_calls;
struct ps_direct; /* route.h */

struct ps_caller {
	struct ps_space *space;
	const struct ps_caller_calls *calls;
	uint64_t identity;        /* process.h, of the process whose call it is; 0: this process */
	struct ps_direct *direct; /* moved ports that the process addressed by themselves (route.h); shared by its threads */
	uint16_t left; /* a second attempt at a listen: the number that the socket was for at the first. Else 0 */
};

/* What the core cannot do for itself. Descriptors are those of the *deciding* process. 0 or a negative errno; errno is
 * not touched. Async-signal-safe where the decider's calls have to be. */
struct ps_caller_calls {
	/* The kernel's own calls on the socket. What they answer is the kernel's verdict, which is final. */
	int (*bind)(struct ps_caller *caller, int fd, const struct sockaddr *address, socklen_t length);
	int (*listen)(struct ps_caller *caller, int fd, int backlog);
	/* -EINPROGRESS: the connection is on its way, also where the caller's socket blocks and the decider does not
	 * wait. */
	int (*connect)(struct ps_caller *caller, int fd, const struct sockaddr *address, socklen_t length);

	/* The socket `other` takes the place of the caller's descriptor behind `fd`, and of `fd`, with the flags of
	 * both (FD_CLOEXEC, O_NONBLOCK and the like). `other` itself stays open: the core closes it. */
	int (*replace)(struct ps_caller *caller, int fd, int other);

	/* PS_TCP, PS_UDP, or 0 for a socket that portshim has nothing to do with. Of an inet family is known.
	 * call_protocol() (call.h) asks the kernel; whoever knows without asking says so here. */
	unsigned (*protocol)(const struct ps_caller *caller, int fd);

	/* The decider's descriptor for the caller's descriptor `number`, or -1; `release` gives it back. */
	int (*borrow)(struct ps_caller *caller, int number);
	void (*release)(struct ps_caller *caller, int fd);

	/* Something to be told (scope.h): space_event_by(), and whatever else is to be done about it. */
	void (*event)(struct ps_caller *caller, enum ps_event_kind kind, uint16_t port, int error);
};

#endif
