/*
 * filter.h - which system calls are notified, by architecture and number.
 */
#ifndef PORTSHIM_NOTIFY_FILTER_H
#define PORTSHIM_NOTIFY_FILTER_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>

/* The kernel's own numbers of other architectures are not in our headers. */
#define PS_X32_BIT 0x40000000u

enum ps_call_kind {
	PS_CALL_NONE,
	PS_CALL_CONNECT,
	PS_CALL_SENDTO,
	PS_CALL_RECVFROM,
	PS_CALL_SENDMSG,
	PS_CALL_RECVMSG,
	PS_CALL_GETSOCKNAME,
	PS_CALL_GETPEERNAME,
	PS_CALL_BIND,
	PS_CALL_LISTEN,
	PS_CALL_SENDMMSG,
	PS_CALL_RECVMMSG,
	PS_CALL_RECVMMSG_TIME64, /* 32 bits: with a timespec of 64 */
	PS_CALL_SOCKETCALL,      /* i386: its first argument says which call it is, the second has the arguments */
	PS_CALL_KINDS
};

#define FILTER_MOST 128

/* Builds the program for this machine; the number of instructions. Pure. */
unsigned filter_build(struct sock_filter program[FILTER_MOST], uint64_t pass, unsigned flags);

/* Which call it is that was notified. *compat: its arguments, and structures that they point to, are of 32 bits. */
enum ps_call_kind filter_kind(const struct seccomp_data *data, bool *compat);

/* The call that is behind this number of socketcall(2), PS_CALL_NONE if it is not one of ours. */
enum ps_call_kind filter_socketcall(uint32_t call);

#endif
