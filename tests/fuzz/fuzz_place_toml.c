/*
 * fuzz_place_toml.c - see place.h.
 */
#include "place.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return look(PS_PLACE_TOML, data, size);
}
