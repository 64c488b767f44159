/*
 * mark.h - how a process says that it writes its counts: getppid(COUNT_MARK, 1), and (COUNT_MARK, 0) when that is done.
 * Whoever makes system calls fail (tests/fault/inject.c) leaves them alone then, or the counts of all processes would
 * be lost.
 */
#ifndef TESTS_COVERAGE_MARK_H
#define TESTS_COVERAGE_MARK_H

#define COUNT_MARK 0x6d61726bu

#endif
