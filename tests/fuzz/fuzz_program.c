/*
 * fuzz_program.c - any bytes as a program: scripts and ELF files that are cut, twisted and point outside of
 * themselves.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "../../src/cli/program.h"
#include "fuzz.h"

static char path[64];
static int fd;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fd = memfd_create("program", 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ps_program p;

	MUST(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
	program_read(&p, path);
	MUST(p.script_count <= PS_PROGRAM_SCRIPTS);
	MUST(strlen(p.path) < sizeof(p.path) && strlen(p.loader) < sizeof(p.loader));
	MUST(strlen(p.problem) < sizeof(p.problem));
	MUST(p.kind != PS_PROGRAM_NOT_EXECUTABLE || *p.problem);
	program_preloads(&p);
	return 0;
}
