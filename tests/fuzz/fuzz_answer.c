/*
 * fuzz_answer.c - what servers answer to a health check: any bytes, in any pieces.
 *
 * The first byte chooses the check, the second the length of the pieces. Once there is a verdict on a part, more bytes
 * do not change it into another, and the end of the answer always brings one.
 */
#include "../../src/health/probe.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char path[] = "/";
	const struct ps_manifest_health check = { .path = path, .first = 200, .last = 399 };
	struct ps_probe p = { .check = &check }, whole = { .check = &check };
	size_t piece, length = 0;
	bool done = false;
	char *bytes;

	if (size < 2)
		return 0;
	p.kind = whole.kind = PS_HEALTH_HTTP + data[0] % 3;
	piece = 1 + data[1];
	data += 2;
	size -= 2;
	size = size > PS_PROBE_ANSWER ? PS_PROBE_ANSWER : size;
	while (!done && length < size) {
		length = length + piece > size ? size : length + piece;
		bytes = malloc(length); /* of that very size, for the sanitizer */
		MUST(bytes);
		memcpy(bytes, data, length);
		done = answer_read(&p, bytes, length, length == PS_PROBE_ANSWER);
		free(bytes);
	}
	bytes = malloc(size + 1);
	MUST(bytes);
	memcpy(bytes, data, size);
	MUST(answer_read(&whole, bytes, size, true));
	free(bytes);
	if (done)
		MUST(p.status == whole.status);
	for (const char *s = whole.detail; *s; s++)
		MUST((unsigned char)*s >= ' ' && *s != 0x7f);
	return 0;
}
