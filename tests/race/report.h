/*
 * report.h - what act.c tells those who started it: records of one size, smaller than PIPE_BUF, so that those of many
 * processes in one pipe never mix.
 */
#ifndef TESTS_RACE_REPORT_H
#define TESTS_RACE_REPORT_H

#include <stdint.h>

/* The descriptors that act.c inherits. */
enum { ACT_REPORT = 10, ACT_GO = 11, ACT_END = 12 };

enum act_kind {
	ACT_AT = 1,     /* reached `barrier` */
	ACT_READY = 2,  /* serves */
	ACT_CLIENT = 3, /* `answer` is the number of the server that was reached */
	ACT_FAILED = 4, /* `step` of its arguments failed with `error` */
};

struct act_report {
	int32_t pid, number, kind, error, step;
	int32_t answer;
	uint32_t inode;     /* of the last socket */
	uint16_t requested; /* what it was bound to, as the program has it */
	uint16_t named;     /* what getsockname says */
};

#endif
