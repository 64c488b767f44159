/*
 * manifest_value.h - what is wrong with one value of a manifest, by itself.
 *
 * The functions that check a value return true if it is right; else they have reported what is wrong with it.
 */
#ifndef PORTSHIM_CLI_MANIFEST_VALUE_H
#define PORTSHIM_CLI_MANIFEST_VALUE_H

#include "manifest_raw.h"

/* Report that a value is not of the type, or not of the kind, that was expected, and return false. `hint` may be
 * NULL. */
bool manifest_value_wrong_type(struct ps_raw *raw, const cJSON *item, const char *expected, const char *hint);
bool manifest_value_bad(struct ps_raw *raw, const cJSON *item, const char *code, const char *expected,
			const char *hint);

/* Names of projects and profiles; of services; of ranges. These report nothing. */
bool manifest_value_is_name(const char *text);
bool manifest_value_is_service_name(const char *text);
bool manifest_value_is_range_name(const char *text);
/* Not empty, and without control characters. */
bool manifest_value_is_clean(const char *text);

/* Reads "3000-3099". False if it is not of this form; the ends may be the wrong way round. */
bool manifest_value_parse_span(const char *text, uint16_t *first, uint16_t *last);

/* The two ends that were read from a value. */
bool manifest_value_in_order(struct ps_raw *raw, const cJSON *item, uint16_t first, uint16_t last);

/* Text; text that is not empty and has no control characters. */
bool manifest_value_string(struct ps_raw *raw, const cJSON *item, const char *expected);
bool manifest_value_clean(struct ps_raw *raw, const cJSON *item, const char *expected);

/* What stands behind a key. A span is two ports; a range is a span or the name of one. */
bool manifest_value_bool(struct ps_raw *raw, const cJSON *item);
bool manifest_value_conflicts(struct ps_raw *raw, const cJSON *item);
bool manifest_value_discovery(struct ps_raw *raw, const cJSON *item);
bool manifest_value_env(struct ps_raw *raw, const cJSON *item);
bool manifest_value_from(struct ps_raw *raw, const cJSON *item);
bool manifest_value_glob(struct ps_raw *raw, const cJSON *item);
bool manifest_value_names(struct ps_raw *raw, const cJSON *item);
bool manifest_value_offset(struct ps_raw *raw, const cJSON *item);
bool manifest_value_port(struct ps_raw *raw, const cJSON *item);
bool manifest_value_ports(struct ps_raw *raw, const cJSON *item);
bool manifest_value_profiles(struct ps_raw *raw, const cJSON *item);
bool manifest_value_protocol(struct ps_raw *raw, const cJSON *item);
bool manifest_value_range(struct ps_raw *raw, const cJSON *item);
bool manifest_value_report(struct ps_raw *raw, const cJSON *item);
bool manifest_value_scheme(struct ps_raw *raw, const cJSON *item);
bool manifest_value_service_name(struct ps_raw *raw, const cJSON *item);
bool manifest_value_span(struct ps_raw *raw, const cJSON *item);
bool manifest_value_spans(struct ps_raw *raw, const cJSON *item);
bool manifest_value_strategy(struct ps_raw *raw, const cJSON *item);
bool manifest_value_when(struct ps_raw *raw, const cJSON *item);

#endif
