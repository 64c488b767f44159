/*
 * laws.h - what the tests of the laws share: runs and environments, all in one process.
 *
 * The hooks are linked into these tests, so `bind` is the hook, and the kernel is the kernel. Which run the process
 * is in is one pointer (shim_active): a test acts for one run, then for another, and looks at the records of both.
 * That takes each branch of a law by itself, where whole programs (tests/shim, tests/real) only get to it together
 * with others.
 */
#ifndef TESTS_LAWS_H
#define TESTS_LAWS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <portshim/process.h>

#include "../../src/shim/shim.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- runs ---- */

/* A run in the environment of this name. `manifest` is the text of its "services" and what may follow, or NULL.
 * Kept until the end of the test. */
struct ps_space *run_in(const char *environment, uint32_t flags, const char *manifest);

/* The same, whose clients see `other` as well (0: nothing), an environment's id: what --allow does. */
struct ps_space *run_that_sees(const char *environment, uint32_t other);

/* From now on the hooks act for this run; NULL: as if there were no portshim. */
void act_for(struct ps_space *space);
struct ps_space *acts_for(void);

/* Each test's: a runtime directory of its own, and all closed after it. */
int laws_setup(void **state);
int laws_teardown(void **state);

/* ---- sockets ---- */

/* A number so that this one and the `count` - 1 after it are free, outside of what portshim hands out by itself. */
uint16_t free_numbers(unsigned count);

/* Binds to 127.0.0.1 by the hook. `type` may have SOCK_ flags. The descriptor, or -1 with errno. */
int bound(int type, uint16_t port);

/* The same with SO_REUSEADDR or SO_REUSEPORT set. */
int bound_with(int option, int type, uint16_t port);

/* Binds, listens (TCP). The descriptor; fails the test if it cannot be had. */
int server(int type, uint16_t port);

/* An unmanaged program's socket, made without the hooks. */
int stranger(int type, uint16_t port);

/* Connects by the hook to 127.0.0.1. 0 or the errno; *reached: the port that it really leads to, as the kernel has
 * it. */
int reach(int type, uint16_t port, uint16_t *reached);

/* The port that the kernel says, and the one that the hook says. */
uint16_t actual_of(int fd);
uint16_t shown_of(int fd);

/* The record of an actual port. */
const struct ps_record *record_of(const struct ps_space *space, uint16_t actual);
enum ps_state state_of(const struct ps_space *space, uint16_t actual);

/* The kind of the last event of the run, and its port; PS_EVENT_NONE for none. */
enum ps_event_kind last_event(const struct ps_space *space, uint16_t *port);

/* The kernel's bind, as the hooks call it, fails with `error` for the first `count` calls on any port from `first` to
 * `last`. Ended by laws_teardown. */
void refuse_bind(int error, uint16_t first, uint16_t last, unsigned count);

#endif
