/*
 * test_probe.c - servers are asked, hundreds at once: good ones, slow ones, none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "health/connections.h"
#include "health/probe.h"

#define MANY 600

static char path[] = "/";
static const struct ps_manifest_health patient = { .path = path, .first = 200, .last = 399, .timeout = 30000 };
static const struct ps_manifest_health hasty = { .path = path, .first = 200, .last = 399, .timeout = 150 };

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static struct ps_address loopback(int family, uint16_t port)
{
	struct ps_address a = { .length = family == AF_INET ? sizeof(a.u.in) : sizeof(a.u.in6) };

	a.u.any.sa_family = (sa_family_t)family;
	if (family == AF_INET)
		a.u.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		a.u.in6.sin6_addr = in6addr_loopback;
	address_set_port(&a, port);
	return a;
}

/* A socket on a loopback port that was free; -1 where there is no such family. */
static int server(int family, uint16_t *port, bool listening)
{
	struct ps_address a = loopback(family, 0);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, &a.u.any, a.length) || (listening && listen(fd, 1024)) ||
	    getsockname(fd, &a.u.any, &a.length)) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	*port = address_port(&a);
	return fd;
}

static void test_accepts(void **state)
{
	uint16_t port;
	int fd = server(AF_INET, &port, true);
	struct ps_probe p = { .check = &patient, .kind = PS_HEALTH_TCP, .port = port, .address_count = 1 };

	(void)state;
	assert_true(fd >= 0);
	p.addresses[0] = loopback(AF_INET, port);
	probe_all(&p, 1, -1);
	assert_int_equal(p.status, PS_HEALTHY);
	assert_string_equal(p.detail, "accepts connections");
	close(fd);
	probe_all(&p, 1, -1);
	assert_int_equal(p.status, PS_DOWN);
	assert_string_equal(p.detail, "connection refused");
}

/* Only one of a record's addresses answers. */
static void test_families(void **state)
{
	uint16_t port;
	int fd = server(AF_INET6, &port, true);
	struct ps_probe p = { .check = &patient, .kind = PS_HEALTH_TCP, .port = port, .address_count = 2 };

	(void)state;
	if (fd < 0)
		skip(); /* no IPv6 here */
	p.addresses[0] = loopback(AF_INET, port);
	p.addresses[1] = loopback(AF_INET6, port);
	probe_all(&p, 1, -1);
	assert_int_equal(p.status, PS_HEALTHY);
	close(fd);
	probe_all(&p, 1, -1);
	assert_int_equal(p.status, PS_DOWN);
}

/* A port that is bound, so that nobody else gets it, and where nobody listens. */
static void test_refused(void **state)
{
	uint16_t port;
	int fd = server(AF_INET, &port, false);
	struct ps_probe p = { .check = &patient, .kind = PS_HEALTH_REDIS, .port = port, .address_count = 1 };

	(void)state;
	p.addresses[0] = loopback(AF_INET, port);
	probe_all(&p, 1, -1);
	assert_int_equal(p.status, PS_DOWN);
	close(fd);
}

/* The kernel completes the connection, and then nobody says a word. */
static void test_silent(void **state)
{
	uint16_t port;
	int fd = server(AF_INET, &port, true);
	struct ps_probe p = { .check = &hasty, .kind = PS_HEALTH_HTTP, .port = port, .address_count = 1 };
	int64_t start = now_ms();

	(void)state;
	p.addresses[0] = loopback(AF_INET, port);
	probe_all(&p, 1, -1);
	assert_int_equal(p.status, PS_UNHEALTHY);
	assert_string_equal(p.detail, "no answer within 150 ms");
	assert_true(now_ms() - start >= 149);
	p.check = &patient;
	start = now_ms();
	probe_all(&p, 1, 50); /* the caller has less time than the check */
	assert_int_equal(p.status, PS_UNHEALTHY);
	assert_true(now_ms() - start < 20000);
	close(fd);
}

/* More than have a socket at a time, with as few descriptors as that; all silent ones wait at the same time. */
static void test_many(void **state)
{
	struct ps_probe *list = calloc(MANY, sizeof(*list));
	struct rlimit before, few;
	uint16_t port;
	int fd = server(AF_INET, &port, true);
	int64_t start = now_ms();

	(void)state;
	assert_non_null(list);
	getrlimit(RLIMIT_NOFILE, &before);
	few = before;
	few.rlim_cur = 64;
	setrlimit(RLIMIT_NOFILE, &few);
	for (size_t i = 0; i < MANY; i++) {
		list[i] = (struct ps_probe){ .check = i % 20 ? &patient : &hasty,
					     .kind = i % 20 ? PS_HEALTH_TCP : PS_HEALTH_HTTP, .port = port,
					     .address_count = 1 };
		list[i].addresses[0] = loopback(AF_INET, port);
	}
	probe_all(list, MANY, -1);
	setrlimit(RLIMIT_NOFILE, &before);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(list[i].status, i % 20 ? PS_HEALTHY : PS_UNHEALTHY);
	assert_true(now_ms() - start < 20000);
	free(list);
	close(fd);
}

static void test_nothing(void **state)
{
	struct ps_probe p = { .check = &patient, .kind = PS_HEALTH_TCP };

	(void)state;
	probe_all(NULL, 0, -1);
	probe_all(&p, 1, -1);
	assert_int_equal(p.status, PS_DOWN);
	assert_string_equal(p.detail, "no address");
}

static void test_connections(void **state)
{
	static uint32_t count[PS_PORTS];
	int fds[3], fd;
	uint16_t port;

	(void)state;
	fd = server(AF_INET, &port, true);
	for (unsigned i = 0; i < 3; i++) {
		struct ps_address a = loopback(AF_INET, port);

		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(fds[i], &a.u.any, a.length), 0);
	}
	assert_true(connections_count(count));
	assert_int_equal(count[port], 3);
	for (unsigned i = 0; i < 3; i++)
		close(fds[i]);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepts), cmocka_unit_test(test_families), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_silent),  cmocka_unit_test(test_many),     cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
