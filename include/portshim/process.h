/*
 * process.h - the identity of a process: a pid alone is reused, a pid with its start time is not.
 *
 * An identity is one 64-bit word, so that it can be stored and compared atomically: the pid in the low 22 bits (the
 * kernel's PID_MAX_LIMIT is 2^22) and the start time in clock ticks since boot (field 22 of /proc/PID/stat, proc(5))
 * above. 0 means "nobody". A start time of 0 means that /proc could not be read: such an identity is compared by pid
 * alone.
 */
#ifndef PORTSHIM_PROCESS_H
#define PORTSHIM_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#define PS_PID_BITS 22

static inline int32_t process_pid(uint64_t identity)
{
	return (int32_t)(identity & ((1u << PS_PID_BITS) - 1));
}

/* The identity of a process or thread whose start is not known (to read it costs ten times as much). */
static inline uint64_t process_unstarted(int32_t pid)
{
	return (uint64_t)pid & ((1u << PS_PID_BITS) - 1);
}

/* The same, with a time at which it had started, in clock ticks since boot: whoever has the pid and is younger is
 * another. */
#define PS_STARTED_BY (UINT64_C(1) << 63)

static inline uint64_t process_started_by(int32_t pid, uint64_t ticks)
{
	return PS_STARTED_BY | ticks << PS_PID_BITS | process_unstarted(pid);
}

static inline uint64_t process_start(uint64_t identity)
{
	return (identity & ~PS_STARTED_BY) >> PS_PID_BITS;
}

/* The caller's own identity. One system call; the first call in a process also reads /proc/self/stat.
 * Async-signal-safe, thread-safe, right after fork and in a vfork child. */
uint64_t process_self(void);

/* The identity of the process that has this pid now, or 0 if there is none. */
uint64_t process_of(int32_t pid);

/* True if the very process that the identity was taken of still runs (a zombie does not). */
bool process_alive(uint64_t identity);

#endif
