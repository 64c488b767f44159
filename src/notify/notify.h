/*
 * notify.h - the second path: system calls of programs that the preload does not reach, answered by another process.
 *
 * The program runs under a seccomp filter (filter.c) that stops the calls which name addresses and tells a listener of
 * them (seccomp_unotify(2)). Whoever holds the listener serves them (serve.c): it acts on the program's own socket,
 * of which it gets a duplicate, and decides by the same code as the preloaded library.
 *
 * All of these return 0 or a negative errno unless they say something else.
 */
#ifndef PORTSHIM_NOTIFY_H
#define PORTSHIM_NOTIFY_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#include <portshim/space.h>

#define PS_FILTER_IO_URING 1u /* io_uring_setup is allowed */

/* Puts the calling thread, and all that it will start, under the filter, for good. Calls that carry `pass` go through
 * (0: none does). The listener, which is closed by exec, or a negative errno: -EBUSY if another filter with a listener
 * is there. Without CAP_SYS_ADMIN this sets no_new_privs. Raw system calls only, no memory of others is written: for a
 * child of vfork. After it, the caller must not make a call that is notified before somebody serves. */
int notify_filter(uint64_t pass, unsigned flags);

#define PS_NOTIFY_FILES 128u /* what the hard RLIMIT_NOFILE must leave a server, which raises the soft one */

/* 0 if a program can be put under the filter here and served by this process; else a negative errno with the reason in
 * words, without a full stop, in why[]. */
int notify_possible(char *why, size_t size);

/* What a server has of it. The journal lies in memory that all possible servers share, that starts on a page, and that
 * is zero at first; the rest is the process's own. Made before the fork that separates them. NULL: no memory. */
struct ps_notify;
size_t notify_size(void);
struct ps_notify *notify_create(void *shared);

/* Begins to serve, in the process that does so from now on. `listener` and `own`, the space of the run that the filter
 * was installed for, are the caller's and must stay. Finishes the calls that a server before this one, which is dead,
 * had begun. Raises the process's soft RLIMIT_NOFILE to the hard one. */
int notify_start(struct ps_notify *notify, int listener, struct ps_space *own);

/* What the server waits for with poll(2): fills in fds[], which it passes to notify_serve with what poll said. The
 * first one is the listener: POLLHUP there means that nobody is left under the filter. */
#define PS_NOTIFY_FDS 2
void notify_poll(const struct ps_notify *notify, struct pollfd fds[PS_NOTIFY_FDS]);

/* Milliseconds until notify_serve should be called although nothing is ready: for poll(2), -1 for never. */
int notify_time_left(const struct ps_notify *notify);

/* Serves what there is to be served, and returns soon. Never blocks. */
void notify_serve(struct ps_notify *notify, const struct pollfd fds[PS_NOTIFY_FDS]);

/* Waits for the threads that serve calls, and lets go of everything but the listener, the space and the shared memory.
 * Only when nobody is left under the filter. */
void notify_close(struct ps_notify *notify);

#endif
