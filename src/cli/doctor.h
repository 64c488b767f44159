/*
 * doctor.h - what `portshim doctor` found, and the part of it that is about the system.
 */
#ifndef PORTSHIM_CLI_DOCTOR_H
#define PORTSHIM_CLI_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

enum ps_verdict { PS_FIT, PS_NOTE, PS_UNFIT };

struct ps_finding {
	const char *name; /* short and stable, like "runtime-directory" */
	enum ps_verdict verdict;
	char text[512];
	char hint[256]; /* what to do, or "" */
};

#define PS_FINDINGS_MAX 24

struct ps_findings {
	struct ps_finding list[PS_FINDINGS_MAX];
	unsigned count;
};

/* Adds a finding and returns it, for its hint. */
struct ps_finding *doctor_add(struct ps_findings *findings, const char *name, enum ps_verdict verdict,
			      const char *format, ...) __attribute__((format(printf, 4, 5)));

/* What reaches the programs that the library does not get into (src/notify), from here. */
struct ps_second {
	bool there;      /* it does */
	bool inherited;  /* because the run around this process has it */
	bool bars;       /* programs inside get no rights from their files */
	char why[256];   /* it does not: why not, else "" */
};

/* Tries it. */
void doctor_second(struct ps_second *second);

/* Looks at the system. */
void doctor_system(struct ps_findings *findings);

/* `portshim __preloaded`: PS_EXIT_YES if the library is in this very process. */
int doctor_preloaded(void);

#endif
