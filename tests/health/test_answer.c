/*
 * test_answer.c - what answers of servers mean, whole, in pieces, and wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "health/probe.h"

static char path[] = "/health?deep=1";
static const struct ps_manifest_health usual = { .path = path, .first = 200, .last = 399, .timeout = 1000 };

/* The verdict on an answer, which is the same in whatever pieces it comes; -1: it is still open. */
static int verdict(enum ps_health_kind kind, const char *bytes, size_t length, bool end, const char *detail)
{
	struct ps_probe p = { .check = &usual, .kind = kind };
	int status = answer_read(&p, bytes, length, end) ? (int)p.status : -1;

	for (size_t i = 0; i < length; i++) {
		struct ps_probe q = { .check = &usual, .kind = kind };

		if (answer_read(&q, bytes, i, false))
			assert_int_equal(q.status, status); /* it may be known early, but not be another then */
	}
	if (status >= 0 && detail)
		assert_string_equal(p.detail, detail);
	return status;
}

#define IS(kind, text, end, status, detail)                                                                            \
	assert_int_equal(verdict(PS_HEALTH_##kind, text, sizeof(text) - 1, end, detail), status)

static void test_http(void **state)
{
	char big[PS_PROBE_ANSWER];

	(void)state;
	IS(HTTP, "HTTP/1.1 200 OK\r\n", false, PS_HEALTHY, "HTTP 200");
	IS(HTTP, "HTTP/1.0 204\r\n", false, PS_HEALTHY, "HTTP 204");
	IS(HTTP, "HTTP/1.1 399 Any", false, PS_HEALTHY, "HTTP 399");
	IS(HTTP, "HTTP/1.1 400 Bad Request\r\n", false, PS_UNHEALTHY, "HTTP 400");
	IS(HTTP, "HTTP/1.1 503 Busy\r\n", false, PS_UNHEALTHY, "HTTP 503");
	IS(HTTP, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", false, PS_HEALTHY, "HTTP 200");
	IS(HTTP, "HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\nHTTP/1.1 103 Early\r\n\r\nHTTP/1.1 500 No\r\n", false, PS_UNHEALTHY,
	   "HTTP 500");
	IS(HTTP, "HTTP/1.1 103 Early\r\nLink: </a>\r\n", false, -1, NULL);
	IS(HTTP, "HTTP/1.1 103 Early\r\nLink: </a>\r\n", true, PS_UNHEALTHY, "the answer is not HTTP");
	IS(HTTP, "HTTP/1.1 101 Switching\r\n", false, PS_UNHEALTHY, "HTTP 101");
	IS(HTTP, "HTTP/1.1 20", false, -1, NULL);
	IS(HTTP, "HTTP/1.1 20", true, PS_UNHEALTHY, "the answer is not HTTP");
	IS(HTTP, "HTTP/1.1 2000 OK\r\n", false, PS_UNHEALTHY, "the answer is not HTTP");
	IS(HTTP, "HTTP/2.0 200 OK\r\n", false, PS_UNHEALTHY, "the answer is not HTTP");
	IS(HTTP, "\x15\x03\x03\0\2\2\x28", false, PS_UNHEALTHY, "the answer is not HTTP"); /* TLS */
	IS(HTTP, "", true, PS_UNHEALTHY, "the connection was closed without an answer");
	memset(big, 'x', sizeof(big));
	memcpy(big, "HTTP/1.1 103 E\r\n", 16);
	assert_int_equal(verdict(PS_HEALTH_HTTP, big, sizeof(big), true, NULL), PS_UNHEALTHY);
}

#define PG_ERROR(size, code, message) "E\0\0\0" size "SFATAL\0C" code "\0M" message "\0\0"

static void test_postgresql(void **state)
{
	(void)state;
	IS(POSTGRESQL, "R\0\0\0\x08\0\0\0\0", false, PS_HEALTHY, "ready");
	IS(POSTGRESQL, "R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0", false, PS_HEALTHY, "ready");
	IS(POSTGRESQL, PG_ERROR("\x17", "28000", "no\n"), false, PS_HEALTHY, "ready");
	IS(POSTGRESQL, PG_ERROR("\x1c", "57P03", "starting"), false, PS_STARTING, "starting");
	IS(POSTGRESQL, PG_ERROR("\x17", "57P03", "a\x1b" "b"), false, PS_STARTING, "a?b");
	IS(POSTGRESQL, "E\0\0\0\x1c" "SFATAL\0C57P03", false, -1, NULL);
	IS(POSTGRESQL, "E\0\0\0\x1c" "SFATAL\0C57P03", true, PS_UNHEALTHY, "the answer is not PostgreSQL's");
	IS(POSTGRESQL, "E\0\0\0\x0b" "SFATAL\0", false, PS_UNHEALTHY, "the answer is not PostgreSQL's");
	IS(POSTGRESQL, "E\0\0\0\x0b" "SFATALX", false, PS_UNHEALTHY, "the answer is not PostgreSQL's");
	IS(POSTGRESQL, "E\xff\xff\xff\xff", false, PS_UNHEALTHY, "the answer is not PostgreSQL's");
	IS(POSTGRESQL, "R\0\0\0\0", false, PS_UNHEALTHY, "the answer is not PostgreSQL's");
	IS(POSTGRESQL, "HTTP/1.1 400 Bad Request\r\n", false, PS_UNHEALTHY, "the answer is not PostgreSQL's");
}

static void test_redis(void **state)
{
	(void)state;
	IS(REDIS, "+PONG\r\n", false, PS_HEALTHY, "PONG");
	IS(REDIS, "+PONG\n", false, PS_HEALTHY, "PONG");
	IS(REDIS, "-NOAUTH Authentication required.\r\n", false, PS_HEALTHY, "asks for a password");
	IS(REDIS, "-LOADING Redis is loading the dataset in memory\r\n", false, PS_STARTING,
	   "LOADING Redis is loading the dataset in memory");
	IS(REDIS, "-MASTERDOWN Link with MASTER is down\r\n", false, PS_STARTING, "MASTERDOWN Link with MASTER is down");
	IS(REDIS, "-ERR max number of clients reached\r\n", false, PS_UNHEALTHY, "ERR max number of clients reached");
	IS(REDIS, "+PON", false, -1, NULL);
	IS(REDIS, "+PON", true, PS_UNHEALTHY, "the answer is not Redis's");
	IS(REDIS, "+\r\n", false, PS_UNHEALTHY, "");
	IS(REDIS, "-\n", false, PS_UNHEALTHY, "");
	IS(REDIS, "HTTP/1.1 400 Bad Request\r\n", false, PS_UNHEALTHY, "the answer is not Redis's");
}

static void test_questions(void **state)
{
	char text[PS_HEALTH_PATH_MAX + 512];
	struct ps_probe p = { .check = &usual, .kind = PS_HEALTH_HTTP, .port = 23107 };
	size_t length;

	(void)state;
	length = answer_question(&p, text);
	assert_int_equal(length, strlen(text));
	assert_non_null(strstr(text, "GET /health?deep=1 HTTP/1.1\r\nHost: localhost:23107\r\n"));
	assert_string_equal(text + length - 4, "\r\n\r\n");
	p.kind = PS_HEALTH_POSTGRESQL;
	length = answer_question(&p, text);
	assert_memory_equal(text, ((const uint8_t[]){ 0, 0, 0, (uint8_t)length, 0, 3, 0, 0 }), 8);
	assert_memory_equal(text + length - 2, "\0", 2);
	p.kind = PS_HEALTH_REDIS;
	assert_int_equal(answer_question(&p, text), 6);
	p.kind = PS_HEALTH_TCP;
	assert_int_equal(answer_question(&p, text), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http),
		cmocka_unit_test(test_postgresql),
		cmocka_unit_test(test_redis),
		cmocka_unit_test(test_questions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
