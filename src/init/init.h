/*
 * init.h - what a project's files say about its ports, for a first manifest.
 */
#ifndef PORTSHIM_INIT_H
#define PORTSHIM_INIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PS_INIT_NAME 64
#define PS_INIT_SERVICES_MAX 1000

/* How good a source is at naming: the best one that has a port names its service. */
enum ps_init_rank { PS_INIT_NUMBER, PS_INIT_URL, PS_INIT_LAUNCH, PS_INIT_VARIABLE, PS_INIT_SCRIPT, PS_INIT_LABEL,
		   PS_INIT_COMPOSE };

struct ps_init_place {
	char *file; /* below the directory */
	int line, column;
	char *what; /* "script dev: the default of vite" */
};

struct ps_init_service {
	uint16_t port;
	char name[PS_INIT_NAME];
	char scheme[14]; /* or "" */
	enum ps_init_rank rank;
	bool udp, tcp;
	bool local;	    /* something that is no container has it: portshim can look after it */
	char variable[PS_INIT_NAME]; /* that the service reads its port from, or "" */
	struct ps_init_place *places;
	size_t place_count;
};

struct ps_init {
	const char *directory;
	char project[PS_INIT_NAME]; /* the top package's name, or "" */
	struct ps_init_service *services;
	size_t count;
	size_t left_out; /* files that could not be read, and have been told of */
	bool quiet, failed;
};

/* What one source says. Only port, file and what must be there. */
struct ps_init_found {
	long port;
	const char *name, *scheme, *variable;
	enum ps_init_rank rank;
	bool udp, container;
	const char *file, *what;
	int line, column;
};

void init_add(struct ps_init *init, const struct ps_init_found *found);
/* Reads all that is known about; init_free in any case. */
void init_read(struct ps_init *init);
/* Last names, and order. */
void init_finish(struct ps_init *init);
void init_free(struct ps_init *init);
/* The manifest; malloc'ed, or NULL. */
char *init_manifest(const struct ps_init *init);

/* A whole file below the directory, malloc'ed with a NUL behind it. NULL if there is none, or none that can be read;
 * that is said. */
char *init_file(struct ps_init *init, const char *file, size_t *size);
void init_left_out(struct ps_init *init, const char *file, int line, const char *why);
/* Line and column of an offset. */
void init_position(const char *text, size_t offset, int *line, int *column);
/* `text` as a service's name: small letters, digits, '-', '_', '.'; "" if nothing is left of it. */
void init_name(char *name, const char *text);

/* A command of a script or Procfile: adds the port that it asks for, else the default of the program that it runs.
 * `found` has file, line, column, what (of the script) and perhaps a name. True if there was one. */
bool init_command(struct ps_init *init, const char *command, const struct ps_init_found *found);
/* The default port of what a package depends on; 0 for none. */
uint16_t init_dependency(const char *package);
/* A service that is known by its port: its name, and its scheme; NULL for none. */
const char *init_known(uint16_t port, const char **scheme);

/* The port of a URL of this machine, with the scheme; 0 for none. `scheme` holds 14 bytes. */
uint16_t init_url(const char *text, char *scheme);

/* The readers, one family of files each. */
void init_packages(struct ps_init *init);
void init_editors(struct ps_init *init);
void init_compose(struct ps_init *init);
void init_procfile(struct ps_init *init);
void init_dotenv(struct ps_init *init);

#endif
