#include <string.h>

#include <portshim/address.h>

#include "text.h"

/* The kernel accepts IPv6 addresses without the scope id of RFC 2553 (SIN6_LEN_RFC2133 in its net/ipv6.h). */
#define IN6_LENGTH_MIN 24

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

bool address_copy(struct ps_address *to, const void *from, socklen_t length)
{
	sa_family_t family;

	if (length < sizeof(struct sockaddr_in) || length > sizeof(to->u))
		return false;
	memcpy(&family, from, sizeof(family));
	if (family != AF_INET && (family != AF_INET6 || length < IN6_LENGTH_MIN))
		return false;
	/* The usual lengths are copied without a call. */
	if (length == sizeof(struct sockaddr_in))
		memcpy(&to->u, from, sizeof(struct sockaddr_in));
	else if (length == sizeof(struct sockaddr_in6))
		memcpy(&to->u, from, sizeof(struct sockaddr_in6));
	else
		memcpy(&to->u, from, length);
	to->length = length;
	return true;
}

/* sin_port and sin6_port lie at the same offset. */
uint16_t address_port(const struct ps_address *a)
{
	return ntohs(a->u.in.sin_port);
}

void address_set_port(struct ps_address *a, uint16_t port)
{
	a->u.in.sin_port = htons(port);
}

static enum ps_locality locality4(uint32_t network_order)
{
	uint32_t a = ntohl(network_order);

	if (a >> 24 == 127)
		return PS_LOOPBACK;
	if (a == INADDR_ANY)
		return PS_WILDCARD;
	if (a >> 28 == 14 || a == INADDR_BROADCAST)
		return PS_MULTICAST;
	return PS_REMOTE_OR_OWN;
}

enum ps_locality address_locality(const struct ps_address *a)
{
	const struct in6_addr *six = &a->u.in6.sin6_addr;
	uint32_t four;

	if (a->u.any.sa_family == AF_INET)
		return locality4(a->u.in.sin_addr.s_addr);
	if (IN6_IS_ADDR_LOOPBACK(six))
		return PS_LOOPBACK;
	if (IN6_IS_ADDR_UNSPECIFIED(six))
		return PS_WILDCARD;
	if (IN6_IS_ADDR_MULTICAST(six))
		return PS_MULTICAST;
	if (memcmp(six, mapped_prefix, sizeof(mapped_prefix)) != 0)
		return PS_REMOTE_OR_OWN;
	memcpy(&four, &six->s6_addr[12], sizeof(four));
	return locality4(four);
}

void address_bytes(const struct ps_address *a, uint8_t out[16])
{
	if (a->u.any.sa_family == AF_INET6) {
		memcpy(out, &a->u.in6.sin6_addr, 16);
		return;
	}
	memcpy(out, mapped_prefix, sizeof(mapped_prefix));
	memcpy(out + 12, &a->u.in.sin_addr, 4);
}

bool address_twin(const struct ps_address *a, struct ps_address *twin)
{
	enum ps_locality locality = address_locality(a);

	if (locality != PS_WILDCARD && locality != PS_LOOPBACK)
		return false;
	memset(twin, 0, sizeof(*twin));
	if (a->u.any.sa_family == AF_INET) {
		if (locality == PS_LOOPBACK && a->u.in.sin_addr.s_addr != htonl(INADDR_LOOPBACK))
			return false;
		twin->u.in6.sin6_family = AF_INET6;
		if (locality == PS_LOOPBACK)
			twin->u.in6.sin6_addr.s6_addr[15] = 1;
		twin->length = sizeof(struct sockaddr_in6);
	} else {
		/* A mapped address is an IPv4 one in disguise: its twin is IPv6, but a program that maps by hand is
		 * rare and its own socket guards one side; it goes without. */
		if (memcmp(&a->u.in6.sin6_addr, mapped_prefix, sizeof(mapped_prefix)) == 0)
			return false;
		twin->u.in.sin_family = AF_INET;
		twin->u.in.sin_addr.s_addr = htonl(locality == PS_LOOPBACK ? INADDR_LOOPBACK : INADDR_ANY);
		twin->length = sizeof(struct sockaddr_in);
	}
	address_set_port(twin, address_port(a));
	return true;
}

static void text4(struct ps_text *t, const uint8_t *b)
{
	for (int i = 0; i < 4; i++) {
		if (i)
			text_char(t, '.');
		text_number(t, b[i]);
	}
}

static void text_group(struct ps_text *t, unsigned group)
{
	unsigned digits = group > 0xfff ? 4 : group > 0xff ? 3 : group > 0xf ? 2 : 1;

	text_hex(t, group, digits);
}

/* RFC 5952: the longest run of two or more zero groups, the first of equals, becomes "::". */
unsigned address_text(const uint8_t b[16], char *text)
{
	struct ps_text t = text_start(text, 46);
	int best = -1, best_length = 1;

	if (memcmp(b, mapped_prefix, sizeof(mapped_prefix)) == 0) {
		text4(&t, b + 12);
		return (unsigned)text_end(&t);
	}
	for (int i = 0; i < 8; i++) {
		int n = 0;

		while (i + n < 8 && !b[2 * (i + n)] && !b[2 * (i + n) + 1])
			n++;
		if (n > best_length) {
			best = i;
			best_length = n;
		}
		i += n;
	}
	for (int i = 0; i < 8; i++) {
		if (i == best) {
			text_add(&t, "::");
			i += best_length - 1;
			continue;
		}
		if (i && !(best >= 0 && i == best + best_length))
			text_char(&t, ':');
		text_group(&t, (unsigned)b[2 * i] << 8 | b[2 * i + 1]);
	}
	return (unsigned)text_end(&t);
}
