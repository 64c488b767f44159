/*
 * probe.h - can programs that the library does not get into be reached here? notify_possible() is in notify.h.
 */
#ifndef PORTSHIM_NOTIFY_PROBE_H
#define PORTSHIM_NOTIFY_PROBE_H

#include <stdbool.h>
#include <stddef.h>

/* The reason in words for an errno with which the kernel refused to install the filter. */
void notify_refusal(int error, char *why, size_t size);

/* As notify_possible(), and if nothing speaks against it, installs the filter in a child that ends at once: some 300
 * microseconds, and the one way to find a listener that is there already. */
int notify_attempt(char *why, size_t size);

/* True if a filter can be had with no_new_privs only: without CAP_SYS_ADMIN (seccomp(2)). */
bool notify_unprivileged(void);

/* The part of notify_possible() that is about Yama, whose setting is read from `path`. */
int probe_yama(const char *path, char *why, size_t size);

#endif
