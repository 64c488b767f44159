/*
 * manifest_health.h - the key "health" of a service: how to find out that it does its work.
 */
#ifndef PORTSHIM_CLI_MANIFEST_HEALTH_H
#define PORTSHIM_CLI_MANIFEST_HEALTH_H

#include "manifest_raw.h"

/* What applies where nothing is said. */
#define PS_HEALTH_TIMEOUT 2000u
#define PS_HEALTH_INTERVAL 500u
#define PS_HEALTH_FIRST 200u
#define PS_HEALTH_LAST 399u
#define PS_HEALTH_PATH_MAX 1000

/* True if the value is right by itself; else what is wrong has been reported. */
bool manifest_health_read(struct ps_raw *raw, const cJSON *item);

/* From a value that is right (or NULL). False if memory ran out. */
bool manifest_health_build(struct ps_manifest_health *health, const cJSON *item);

/* "http", "tcp", "postgresql", "redis"; "none". */
const char *manifest_health_name(enum ps_health_kind kind);

#endif
