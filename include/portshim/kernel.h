/*
 * kernel.h - what only the kernel knows: who listens on a port, and which addresses are this machine's.
 *
 * Every function works in a foreign process: raw system calls, nothing kept, errno untouched, async-signal-safe.
 */
#ifndef PORTSHIM_KERNEL_H
#define PORTSHIM_KERNEL_H

#include <portshim/address.h>

#define PS_TCP 1u
#define PS_UDP 2u

struct ps_listener {
	uint32_t inode;
	uint32_t uid;
	uint8_t protocol;    /* PS_TCP or PS_UDP */
	uint8_t family;      /* AF_INET or AF_INET6 */
	uint8_t address[16]; /* as address_bytes gives it */
	uint16_t port;
};

/* Lists the sockets that listen (TCP) or are bound (UDP) on `port` (0: on any port) through sock_diag(7), for the
 * protocols in the mask. Calls `each` until it returns false. Returns the number reported, or a negative errno if the
 * kernel cannot be asked (a sandbox without netlink). */
int kernel_listeners(uint16_t port, unsigned protocols, bool (*each)(const struct ps_listener *, void *), void *context);

/* True if the address belongs to this machine, so that a packet to it never leaves it. No packet is sent. `pass`: what
 * marks the calls that ask (scope.h), or 0. */
bool kernel_is_local(const struct ps_address *a, uint64_t pass);

/* True if memory can be read, where to look would crash. `size` is at least 8 and at most a page: the first and the
 * last bytes are tried. One or two system calls. */
bool kernel_readable(const void *p, unsigned long size);

/* True if the eight bytes can be written. They have anything in them then: the caller puts there what belongs there. */
bool kernel_writable(void *p);

/* The inode number of a socket as sock_diag reports it, or 0. */
uint32_t kernel_socket_inode(int fd);

/* A number for the caller's network namespace: its cookie (SO_NETNS_COOKIE), on kernels before 5.14 its inode; 0 if
 * it cannot be had. `fd` is any socket of the caller's that was made there, or -1. */
uint64_t kernel_netns(int fd);

#endif
