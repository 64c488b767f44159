/*
 * answer.c - the questions that servers are asked, and what their answers mean.
 *
 * Theory of operation: no sockets here. An answer is bytes of a stranger, in pieces; after each piece it is read anew
 * from the start, since what matters is short: the status line of HTTP (behind interim answers, if there are any), the
 * first message of PostgreSQL, the first line of Redis. Whatever does not fit into PS_PROBE_ANSWER is no such answer.
 * What a server says is shown with its control characters replaced.
 */
#include "probe.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../cli/output.h"

#define STARTUP_VERSION 0x00030000u
#define CANNOT_CONNECT_NOW "57P03"
#define USER "portshim"

const char *probe_status(enum ps_health status)
{
	static const char *const names[] = { "down", "starting", "unhealthy", "healthy" };

	return names[status];
}

void answer_set(struct ps_probe *probe, enum ps_health status, const char *format, ...)
{
	char text[PS_PROBE_DETAIL];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	output_clean(probe->detail, sizeof(probe->detail), text);
	probe->status = status;
}

/* ---- questions ---- */

/* The first message of a client: length, version, pairs of names and values, an empty name. */
static size_t startup(char *text)
{
	static const char pairs[] = "user\0" USER "\0database\0postgres\0application_name\0" USER "\0";
	uint32_t words[2] = { htonl((uint32_t)(sizeof(words) + sizeof(pairs))), htonl(STARTUP_VERSION) };

	memcpy(text, words, sizeof(words));
	memcpy(text + sizeof(words), pairs, sizeof(pairs));
	return sizeof(words) + sizeof(pairs);
}

size_t answer_question(const struct ps_probe *probe, char *text)
{
	switch (probe->kind) {
	case PS_HEALTH_HTTP:
		return (size_t)snprintf(text, PS_HEALTH_PATH_MAX + 512,
					"GET %s HTTP/1.1\r\nHost: localhost:%u\r\nUser-Agent: portshim/"
					PORTSHIM_VERSION "\r\nAccept: */*\r\nConnection: close\r\n\r\n",
					probe->check->path, probe->port);
	case PS_HEALTH_POSTGRESQL:
		return startup(text);
	case PS_HEALTH_REDIS:
		strcpy(text, "PING\r\n");
		return strlen(text);
	default:
		return 0;
	}
}

/* ---- answers ---- */

static bool stranger(struct ps_probe *probe, const char *what)
{
	answer_set(probe, PS_UNHEALTHY, "the answer is not %s", what);
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The status of "HTTP/1.1 200 OK"; 0: that is no status line; -1: there is too little of it. */
static int status_line(const char *bytes, size_t length)
{
	static const char shape[] = "HTTP/1.# ###";

	for (size_t i = 0; i < sizeof(shape) - 1; i++) {
		if (i == length)
			return -1;
		if (shape[i] == '#' ? !is_digit(bytes[i]) : shape[i] != bytes[i])
			return 0;
	}
	if (length == sizeof(shape) - 1)
		return -1;
	if (is_digit(bytes[12]))
		return 0;
	return (bytes[9] - '0') * 100 + (bytes[10] - '0') * 10 + (bytes[11] - '0');
}

/* What comes before the real answer (100, 103) ends with an empty line. NULL: it has not ended. */
static const char *behind_interim(const char *bytes, size_t length)
{
	const char *end = memmem(bytes, length, "\r\n\r\n", 4);

	return end ? end + 4 : NULL;
}

static bool read_http(struct ps_probe *probe, const char *bytes, size_t length, bool end)
{
	const char *at = bytes;
	int status = status_line(at, length);
	bool good;

	while (status >= 100 && status < 200 && status != 101) {
		at = behind_interim(at, length - (size_t)(at - bytes));
		status = at ? status_line(at, length - (size_t)(at - bytes)) : -1;
		if (!at)
			break;
	}
	if (status < 0 && !end && length < PS_PROBE_ANSWER)
		return false;
	if (status <= 0)
		return stranger(probe, "HTTP");
	good = status >= probe->check->first && status <= probe->check->last;
	answer_set(probe, good ? PS_HEALTHY : PS_UNHEALTHY, "HTTP %d", status);
	return true;
}

/* A field of an error: its letter, its text, a NUL; the last one is a NUL alone. */
static const char *error_field(const char *at, const char *end, char field)
{
	while (at < end && *at) {
		const char *stop = memchr(at, '\0', (size_t)(end - at));

		if (!stop)
			return NULL;
		if (*at == field)
			return at + 1;
		at = stop + 1;
	}
	return NULL;
}

static bool read_error(struct ps_probe *probe, const char *bytes, uint32_t size)
{
	const char *code = error_field(bytes + 5, bytes + 1 + size, 'C');
	const char *text = error_field(bytes + 5, bytes + 1 + size, 'M');

	if (!code)
		return stranger(probe, "PostgreSQL's");
	if (strcmp(code, CANNOT_CONNECT_NOW) == 0)
		answer_set(probe, PS_STARTING, "%s", text ? text : "not ready");
	else /* it refuses this client: who can say so is ready for others */
		answer_set(probe, PS_HEALTHY, "ready");
	return true;
}

/* A letter, then the length of all that follows, itself included. */
static bool read_postgresql(struct ps_probe *probe, const char *bytes, size_t length, bool end)
{
	uint32_t size = 0;

	if (length > 0 && bytes[0] != 'R' && bytes[0] != 'E')
		return stranger(probe, "PostgreSQL's");
	if (length >= 5) {
		memcpy(&size, bytes + 1, sizeof(size));
		size = ntohl(size);
		if (size < 8 || size >= PS_PROBE_ANSWER)
			return stranger(probe, "PostgreSQL's");
	}
	if (length < 5 || (bytes[0] == 'E' && length < size + 1))
		return end && stranger(probe, "PostgreSQL's");
	if (bytes[0] == 'E')
		return read_error(probe, bytes, size);
	answer_set(probe, PS_HEALTHY, "ready");
	return true;
}

static bool begins(const char *bytes, size_t length, const char *word)
{
	return length >= strlen(word) && memcmp(bytes, word, strlen(word)) == 0;
}

static bool read_redis(struct ps_probe *probe, const char *bytes, size_t length, bool end)
{
	const char *stop = memchr(bytes, '\n', length);
	bool later; /* it will be ready by itself */

	if (length > 0 && bytes[0] != '+' && bytes[0] != '-')
		return stranger(probe, "Redis's");
	if (!stop)
		return (end || length >= PS_PROBE_ANSWER) && stranger(probe, "Redis's");
	length = (size_t)(stop - bytes);
	length -= length > 0 && bytes[length - 1] == '\r';
	later = begins(bytes, length, "-LOADING") || begins(bytes, length, "-MASTERDOWN");
	if (begins(bytes, length, "+PONG"))
		answer_set(probe, PS_HEALTHY, "PONG");
	else if (begins(bytes, length, "-NOAUTH"))
		answer_set(probe, PS_HEALTHY, "asks for a password");
	else
		answer_set(probe, later ? PS_STARTING : PS_UNHEALTHY, "%.*s", (int)(length ? length - 1 : 0), bytes + 1);
	return true;
}

bool answer_read(struct ps_probe *probe, const char *bytes, size_t length, bool end)
{
	if (end && length == 0) {
		answer_set(probe, PS_UNHEALTHY, "the connection was closed without an answer");
		return true;
	}
	switch (probe->kind) {
	case PS_HEALTH_HTTP:
		return read_http(probe, bytes, length, end);
	case PS_HEALTH_POSTGRESQL:
		return read_postgresql(probe, bytes, length, end);
	case PS_HEALTH_REDIS:
		return read_redis(probe, bytes, length, end);
	default:
		answer_set(probe, PS_HEALTHY, "accepts connections");
		return true;
	}
}
