/*
 * words.h - what makes a number a port: the names of values, calls, options and hosts.
 */
#ifndef PORTSHIM_INVENTORY_WORDS_H
#define PORTSHIM_INVENTORY_WORDS_H

#include "scan.h"

enum ps_portness {
	PS_NO_PORT,
	PS_PORT,  /* the name of one port: port, PORT, httpPort, DB_PORT, "server.port", --port */
	PS_PORTS, /* of several */
};

/* What a name says of its value. */
enum ps_portness words_port(const char *name, size_t length);

/* True if "port" is not the last word: PORT_API, but also an enumerator like PORT_TEGRA. */
bool words_port_first(const char *name, size_t length);

/* True if the name has this word: words_have("redisHost", "host"). `words` are separated by spaces, in lower case. */
bool words_have(const char *name, size_t length, const char *words);

/* True if the text is one of these, separated by spaces. Case counts. */
bool words_are(const char *text, size_t length, const char *list);

/* True for a name in capitals, as variables of the environment have it. */
bool words_are_capitals(const char *name, size_t length);

enum ps_call_kind {
	CALL_NONE,
	CALL_LISTEN,        /* its argument (or the one after a host) is the port of a server */
	CALL_CONNECT,       /* ... of a client */
	CALL_CONVERT,       /* hands its first argument on: Number(...), htons(...) */
	CALL_DEFAULT,       /* gives back another value where there is none: getenv(NAME, VALUE), .unwrap_or(VALUE) */
	CALL_SCOPE_LISTEN,  /* its options belong to a server: WebSocketServer({port: ...}) */
	CALL_SCOPE_CONNECT, /* ... to a client */
};

struct ps_call {
	const char *name;
	enum ps_call_kind kind;
	int8_t argument;    /* the one that is the port, from 0; -1: only the one after a host */
	uint16_t least;     /* smaller numbers are something else */
	uint32_t languages; /* bits 1 << language; 0: all */
};

/* The call of this name in this language, or NULL. */
const struct ps_call *words_call(const char *name, size_t length, enum ps_language language);

/* True if the text can be a host: "", localhost, an address, a name with a dot that is no file's. *remote: it is
 * neither this machine nor a name of the local network. */
bool words_host(const char *text, size_t length, bool *remote);

/* True for names that networks of containers give to services: db, redis, api, ... */
bool words_service(const char *text, size_t length);

#endif
