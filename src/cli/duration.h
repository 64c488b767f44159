/*
 * duration.h - a span of time as people write it.
 */
#ifndef PORTSHIM_CLI_DURATION_H
#define PORTSHIM_CLI_DURATION_H

#include <stdbool.h>
#include <stdint.h>

/* "30s", "500ms", "2m", "1h", "1.5s", "10" (seconds); "forever" is -1. False if it is none of these. */
bool duration_parse(const char *text, int64_t *ms);

#endif
