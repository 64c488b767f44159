/*
 * fuzz_address.c - any bytes of any length as a socket address, and any 16 bytes as an address to show.
 */
#include <arpa/inet.h>

#include <portshim/address.h>

#include "fuzz.h"

/* The text says the same address to the C library, and as shortly as the C library would. */
static void check_text(const uint8_t bytes[16])
{
	char text[46], theirs[46];
	unsigned length = address_text(bytes, text);
	uint8_t back[16];

	MUST(length == strlen(text));
	if (memcmp(bytes, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0) {
		MUST(inet_pton(AF_INET, text, back) == 1 && memcmp(back, bytes + 12, 4) == 0);
		return;
	}
	MUST(inet_pton(AF_INET6, text, back) == 1 && memcmp(back, bytes, 16) == 0);
	inet_ntop(AF_INET6, bytes, theirs, sizeof(theirs));
	MUST(strchr(theirs, '.') || strcmp(text, theirs) == 0);
}

static void check_twin(const struct ps_address *a)
{
	struct ps_address twin, back;

	if (!address_twin(a, &twin))
		return;
	MUST(twin.u.any.sa_family != a->u.any.sa_family);
	MUST(address_port(&twin) == address_port(a) && address_locality(&twin) == address_locality(a));
	MUST(address_twin(&twin, &back) && back.u.any.sa_family == a->u.any.sa_family);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ps_address a;
	uint8_t bytes[16] = { 0 };
	uint8_t *exact = malloc(size ? size : 1); /* what reads behind it is found */

	MUST(exact);
	memcpy(exact, data, size);
	if (address_copy(&a, exact, (socklen_t)size)) {
		MUST(a.length == size && size <= sizeof(a.u) && memcmp(&a.u, data, size) == 0);
		MUST(a.u.any.sa_family == AF_INET || a.u.any.sa_family == AF_INET6);
		check_twin(&a);
		address_bytes(&a, bytes);
		check_text(bytes);
		address_set_port(&a, (uint16_t)(address_port(&a) + 1));
		check_twin(&a);
	}
	memcpy(bytes, data, size < 16 ? size : 16);
	check_text(bytes);
	free(exact);
	return 0;
}
