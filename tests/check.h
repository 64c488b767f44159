/*
 * check.h - counting checks, for small test programs that do not need cmocka.
 *
 * The program ends with `return check_finish();`, which prints the line that tests/run.sh adds up.
 */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned check_passed, check_failed, check_skipped;

/* Counts one check; says which one failed, where, and errno as it was. */
#define CHECK(condition, name) check_one(!!(condition), name, #condition, __FILE__, __LINE__)

static inline int check_one(int good, const char *name, const char *condition, const char *file, int line)
{
	int error = errno;

	if (good) {
		check_passed++;
		return 1;
	}
	check_failed++;
	printf("not ok: %s: %s:%d: %s (errno %d: %s)\n", name, file, line, condition, error, strerror(error));
	fflush(stdout);
	return 0;
}

static inline void check_skip(const char *name, const char *why)
{
	check_skipped++;
	printf("skip: %s: %s\n", name, why);
}

static inline int check_finish(void)
{
	printf("%u passed, %u failed, %u skipped\n", check_passed, check_failed, check_skipped);
	return check_failed != 0;
}

/* For what must work before anything can be tested. */
static inline void check_fatal(const char *what)
{
	printf("not ok: %s: %s\n%u passed, %u failed, %u skipped\n", what, strerror(errno), check_passed,
	       check_failed + 1, check_skipped);
	exit(1);
}

#endif
