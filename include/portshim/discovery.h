/*
 * discovery.h - the discovery file: what is really assigned, as JSON, replaced atomically, mode 0600.
 *
 * Rendered from the host table into a small buffer that is flushed with write(2): no allocation, so that the shim can
 * write it before listen() returns. `.portshim/ports.json` has every recorded assignment of an environment; a
 * service's own file has exactly port, host, url, timestamp and process_id. Schema: manifest/ports.schema.json.
 */
#ifndef PORTSHIM_DISCOVERY_H
#define PORTSHIM_DISCOVERY_H

#include <portshim/registry.h>

/* Writes the environment's file, and with `port` not 0 also the own file of the service that listens there.
 * Takes the environment's lock. Returns 0, a negative errno, or a positive one if only the service's own file failed.
 * Async-signal-safe. */
int discovery_write(struct ps_space *space, uint16_t port);

/* True if the file does not show what the table says: whoever changed that was killed before it could draw, or was of
 * another environment and took a dead one's port over. */
bool discovery_outdated(const struct ps_host *host, const struct ps_scope *env);

/* Removes the environment's file, and what a killed writer left of the next one. */
void discovery_remove(struct ps_scope *env);

/* The port that a service's own file names, if the process that it names is recorded as listening there, in whatever
 * environment; else 0. */
uint16_t discovery_named(const struct ps_host *host, const char *path);

/* Writes only the own file of the service that listens on the port, if it has one and if no other living server of the
 * service has it. Not in private environments: the file is the project's. `locked`: the caller has the environment's
 * lock. */
int discovery_write_service(struct ps_space *space, uint16_t port, bool locked);

/* The path of the own file of the service that has the port, or "". */
const char *discovery_service_path(const struct ps_space *space, uint16_t port);

/* Removes what a killed writer left of a service's own file. The caller has the environment's lock. */
void discovery_remove_unfinished(struct ps_space *space, uint16_t service_index);

/* Removes a service's own file. */
void discovery_remove_service(struct ps_space *space, uint16_t service_index);

/* "http://localhost:3000" for a scheme ("" or NULL: by protocol; "-" for none); `text` holds 128 bytes. */
void discovery_url(char *text, const char *scheme, unsigned protocols, const uint8_t address[16], uint8_t at, uint16_t port);

/* The names used in JSON and on the terminal. */
const char *discovery_reason(enum ps_reason reason);
const char *discovery_state(enum ps_state state);

#endif
