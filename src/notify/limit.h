/*
 * limit.h - a time limit for a system call of the serving thread that does not wait unless somebody interferes.
 */
#ifndef PORTSHIM_NOTIFY_LIMIT_H
#define PORTSHIM_NOTIFY_LIMIT_H

/* The calling thread is the one that serves. */
void limit_start(void);

/* Between these two, a system call that waits is interrupted (EINTR) after a while. Where no timer can be had they do
 * nothing. */
void limit_begin(void);
void limit_end(void);

#endif
