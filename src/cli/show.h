/*
 * show.h - an assignment as people and programs get to see it; shared by the commands that show one.
 */
#ifndef PORTSHIM_CLI_SHOW_H
#define PORTSHIM_CLI_SHOW_H

#include "holder.h"
#include "output.h"
#include "state.h"

#define PS_SHOW_URL 128

/* The object that `status --json` and others have for an assignment; NULL if memory ran out. */
cJSON *show_json(const struct ps_assignment *assignment);

/* "3000 -> 23107", or "3000" if it did not move. `text` holds 32 bytes. Returns text. */
char *show_ports(char *text, const struct ps_assignment *assignment);

/* Its URL, with another scheme than the recorded one if `scheme` is neither NULL nor "". `text` holds PS_SHOW_URL
 * bytes. */
char *show_url(char *text, const struct ps_assignment *assignment, const char *scheme);

/* "tcp", "udp", "tcp+udp" or "". */
const char *show_protocols(unsigned protocols);

/* What sent it away from the requested port, like "3000 was taken"; "" if nothing did. `text` holds 64 bytes. */
char *show_cause(char *text, const struct ps_assignment *assignment);

/* How the port was found, in words: "the next free one of the default range". */
const char *show_reason(enum ps_reason reason);

/* Seconds since it was assigned. */
uint64_t show_age(const struct ps_assignment *assignment);

/* A line below what it is about: "  user         ada"; none if the text is empty. */
void show_field(const char *name, const char *text);

/* Such lines about a process, as far as they are known: command, user, directory, environment (may be NULL), age. */
void show_process(const struct ps_holder *process, const char *environment);

#endif
