/*
 * numbers.h - numbers that were handed out by `portshim next`, and are nobody else's from then on.
 */
#ifndef PORTSHIM_NUMBERS_H
#define PORTSHIM_NUMBERS_H

#include "known.h"

struct ps_number {
	uint16_t port;
	char directory[PS_PATH_MAX]; /* of the project that it was handed out to */
	char rule[PS_NAME_MAX];
	time_t since;
};

/* What a manifest, as it is without a profile, declares so and under each of its profiles. */
void numbers_declared(const char *path, const struct ps_manifest *manifest, uint64_t *taken);

/* Ports that no new service should get: those that known projects declare, or that were handed out. */
void numbers_taken(const struct ps_known_list *known, uint64_t *taken);

/* Hands the number out, unless it is already: -EEXIST. Of any number of processes one succeeds. */
int numbers_take(uint16_t port, const char *directory, const char *rule);
int numbers_release(uint16_t port);

/* What was handed out, by port. malloc'ed; NULL and 0 for nothing. */
struct ps_number *numbers_list(size_t *count);

#endif
