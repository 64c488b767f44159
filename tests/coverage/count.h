/*
 * count.h - what the build for `make coverage` includes before everything else: a process that ends by exit_group(2)
 * without passing through libc's exit() writes its counts first.
 */
#ifndef TESTS_COVERAGE_COUNT_H
#define TESTS_COVERAGE_COUNT_H

#include "../../src/core/sys.h"

/* count.c; not there in the programs of tests/race, which do not count. */
void count_write(void) __attribute__((weak));

#undef sys1
#define sys1(nr, a)                                                                                                    \
	((nr) == SYS_exit_group && count_write ? count_write() : (void)0, sys_call(nr, SYS_ARG(a), 0, 0, 0, 0, 0))

#endif
