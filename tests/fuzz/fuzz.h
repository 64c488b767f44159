/*
 * fuzz.h - what the fuzzers share. Each has a LLVMFuzzerTestOneInput, and a folder of its name in tests/fuzz/corpus.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What must hold for every input. */
#define MUST(condition)                                                                                                \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			dprintf(2, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                     \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input from its beginning to its end; zeros after that. */
struct fuzz {
	const uint8_t *at, *end;
};

static inline uint64_t fuzz_take(struct fuzz *f, unsigned bytes)
{
	uint64_t n = 0;

	while (bytes--)
		n = n << 8 | (f->at < f->end ? *f->at++ : 0);
	return n;
}

/* A string that ends with a 0 of the input, or where it or the room ends. */
static inline void fuzz_string(struct fuzz *f, char *to, size_t room)
{
	size_t n = 0;

	while (n + 1 < room && f->at < f->end && *f->at)
		to[n++] = (char)*f->at++;
	if (f->at < f->end && !*f->at)
		f->at++;
	to[n] = '\0';
}

/* What the code under test prints is lost; what the fuzzer and the sanitizers have to say is not (they keep the stream
 * and the descriptor that they have). */
static inline void fuzz_hush(void)
{
	FILE *nowhere = fopen("/dev/null", "w");

	MUST(nowhere);
	stdout = stderr = nowhere;
}

#endif
