/*
 * address.h - reading and rewriting the socket addresses that programs pass. Pure: no system call, no state.
 */
#ifndef PORTSHIM_ADDRESS_H
#define PORTSHIM_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* What an address is to this machine, without asking the kernel. */
enum ps_locality {
	PS_REMOTE_OR_OWN, /* a unicast address: the machine's own or another's, only the kernel knows */
	PS_LOOPBACK,      /* 127.0.0.0/8, ::1, ::ffff:127.0.0.0/104 */
	PS_WILDCARD,      /* 0.0.0.0, ::, ::ffff:0.0.0.0 */
	PS_MULTICAST,     /* 224.0.0.0/4, ff00::/8, broadcast */
};

/* A private copy of a program's address, so that what was decided on is what the kernel gets. */
struct ps_address {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		unsigned char bytes[sizeof(struct sockaddr_storage)];
	} u;
	socklen_t length;
};

/* Copies an AF_INET or AF_INET6 address. False if it is none, if the length is too short for its family or longer than
 * sockaddr_storage: the kernel then gives the verdict on the original. The memory must be readable. */
bool address_copy(struct ps_address *to, const void *from, socklen_t length);

/* Port in host byte order. */
uint16_t address_port(const struct ps_address *a);
void address_set_port(struct ps_address *a, uint16_t port);

enum ps_locality address_locality(const struct ps_address *a);

/* The 16 bytes of the address in IPv6 form (IPv4 as ::ffff:a.b.c.d), network byte order. */
void address_bytes(const struct ps_address *a, uint8_t out[16]);

/* The same kind of address in the other family (wildcard for wildcard, 127.0.0.1 for ::1 and back) with the same port.
 * False if there is none: an address that belongs to one family on purpose. */
bool address_twin(const struct ps_address *a, struct ps_address *twin);

/* Text form ("127.0.0.1", "::1") of 16 bytes as address_bytes gives them; IPv4-mapped prints as IPv4.
 * `text` holds at least 46 bytes. Returns the length. */
unsigned address_text(const uint8_t bytes[16], char *text);

#endif
