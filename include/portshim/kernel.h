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
 * protocols in the mask. Calls `each` until it returns false. Returns the number reported, or a negative errno if the kernel cannot
 * be asked (a sandbox without netlink). */
int kernel_listeners(uint16_t port, unsigned protocols, bool (*each)(const struct ps_listener *, void *), void *context);

/* True if the address belongs to this machine, so that a packet to it never leaves it. No packet is sent. */
bool kernel_is_local(const struct ps_address *a);

/* True if memory can be read, so that the hooks can look at a pointer where the kernel would answer EFAULT. `size` is
 * at least 8 and at most a page: the first and the last bytes are tried. */
bool kernel_readable(const void *p, unsigned long size);

/* The inode number of a socket as sock_diag reports it, or 0. */
uint32_t kernel_socket_inode(int fd);

/* The inode of the caller's network namespace, or 0 without /proc. */
uint64_t kernel_netns(void);

#endif
