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
#include <unistd.h>

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

static char fuzz_directory_name[] = "/dev/shm/portshim-fuzz-XXXXXX";

static inline void fuzz_clean(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", fuzz_directory_name);
	if (system(command) != 0)
		dprintf(2, "%s is left\n", fuzz_directory_name);
}

/* A directory in memory, and the working directory from now on; it goes when the fuzzer ends. */
static inline const char *fuzz_directory(void)
{
	MUST(mkdtemp(fuzz_directory_name) && chdir(fuzz_directory_name) == 0);
	atexit(fuzz_clean);
	return fuzz_directory_name;
}

static inline void fuzz_put(const char *name, const void *data, size_t size)
{
	FILE *f = fopen(name, "w");

	MUST(f && fwrite(data, 1, size, f) == size && fclose(f) == 0);
}

#endif
