/*
 * manifest.h - ports.manifest.json: reading it, judging it, and compiling it into the plan (portshim/plan.h).
 */
#ifndef PORTSHIM_CLI_MANIFEST_H
#define PORTSHIM_CLI_MANIFEST_H

#include <stddef.h>

#include <portshim/plan.h>

#include "error.h"

/* How to find out that a service does its work (manifest_health.h). */
enum ps_health_kind { PS_HEALTH_NONE, PS_HEALTH_TCP, PS_HEALTH_HTTP, PS_HEALTH_POSTGRESQL, PS_HEALTH_REDIS };

struct ps_manifest_health {
	uint8_t kind;		    /* PS_HEALTH_NONE: the manifest says nothing */
	char *path;		    /* HTTP: of the URL */
	uint16_t first, last;	    /* HTTP: the good statuses */
	uint32_t timeout, interval; /* ms */
};

/* One environment variable of a service: a template with {port}, {host}, {url}, {NAME.port}, {NAME.url}. */
struct ps_manifest_env {
	char *name;
	char *template;
	bool own; /* from the array form: means the service's own process only */
};

/* Where another project's service is looked for: in a checkout's environment, by the port that it asks for there. */
struct ps_manifest_source {
	uint32_t env;
	uint16_t port;
	char *directory, *profile; /* of the checkout; "" for none */
};

struct ps_manifest_service {
	char *name;
	uint16_t *ports; /* as the profile has it; a service that inherits has none of its own */
	size_t port_count;
	uint16_t range_first, range_last; /* 0, 0: none */
	char *inherit;			  /* or NULL */
	char *from; /* PROJECT/SERVICE, PROJECT#PROFILE/SERVICE or PROJECT#/SERVICE (without a profile): a service of
		       another known project, or NULL */
	struct ps_manifest_source *sources; /* of `from`, the best first; none until known_follow has found them */
	size_t source_count;
	int inherits;			  /* index of that service, or -1 */
	int root;     /* index of the service whose port it has in the end: itself, if it does not inherit */
	char *scheme; /* or NULL */
	char *match_command, *match_args, *match_directory; /* or NULL; the directory is absolute */
	char *discovery;				    /* absolute path, or NULL */
	struct ps_manifest_env *env;
	size_t env_count;
	char **conflicts;
	size_t conflict_count;
	struct ps_manifest_health health;
	uint8_t protocols; /* 0 when the manifest says nothing */
	bool external;
	uint8_t report, strategy; /* with the defaults applied */
	bool os, fallback, yields;
};

/* A place in a file (place/place_file.h), and whose port stands there. */
struct ps_manifest_place {
	char *where;
	size_t service; /* its index */
};

struct ps_manifest_file {
	char *path; /* relative to the project; may have {profile}: see manifest_files_path */
	int line, column; /* in the manifest */
	unsigned format; /* enum ps_place_format */
	struct ps_manifest_place *places;
	size_t place_count;
	char **profiles; /* none: see manifest_files.c */
	size_t profile_count;
};

/* How `next` finds a new number: counting up from `base`. */
struct ps_manifest_allocate {
	char *name;
	uint16_t base;
	uint16_t *avoid;
	size_t avoid_count;
};

struct ps_manifest {
	char *path;
	char *project; /* or NULL */
	struct ps_manifest_service *services;
	size_t service_count;
	struct ps_manifest_allocate *allocations;
	size_t allocation_count;
	uint8_t report, strategy;
	bool os, fallback, yields;
	uint16_t default_first, default_last;
	uint32_t *by_name; /* the indices of the services, sorted by name */
	struct ps_manifest_file *files;
	size_t file_count;
	char *profile;	 /* the one that is applied, or NULL */
	char **profiles; /* the names of all profiles */
	size_t profile_count;
};

/* One thing that is wrong with a manifest. */
struct ps_diagnostic {
	int line, column; /* from 1; columns count bytes */
	const char *code; /* short and stable, like "unknown-key", "bad-port", "syntax" */
	char *path;	  /* the key, like "services.web.port" */
	char *text;	  /* what is wrong and what was expected */
	char *hint;	  /* what to do ("did you mean ..."), or NULL */
};

struct ps_diagnostics {
	struct ps_diagnostic *list;
	size_t count;
};

/* As a profile: the first one whose "when" fits the environment variables, or none. */
extern const char manifest_by_variables[];

/* Reads and checks a manifest with a profile applied (NULL: none). On failure returns the error's code, with all
 * findings (at most 100) in `diagnostics` if that is not NULL, and the first ones told in `error`. The code is
 * PS_EXIT_SYSTEM for a manifest that cannot be read or is wrong (then there are findings), PS_EXIT_USAGE for a profile
 * that is not in it. Always judged as a whole, with all profiles. */
int manifest_load(struct ps_manifest **manifest, const char *path, const char *profile,
		  struct ps_diagnostics *diagnostics, struct ps_error *error);
void manifest_free(struct ps_manifest *manifest);

/* The same; a manifest that is right is shown to `look` as it is written (manifest_raw.h), before its text is given
 * back. `manifest` may be NULL. */
struct ps_raw;
typedef void manifest_look(struct ps_raw *raw, void *context);
int manifest_examine(struct ps_manifest **manifest, const char *path, const char *profile,
		     struct ps_diagnostics *diagnostics, manifest_look *look, void *context, struct ps_error *error);

/* The project's directory, absolute and without symlinks, in `directory` (PS_PATH_MAX bytes): where the manifest lies,
 * or the parent, if that is called config. A symlink that is the manifest itself is not followed: checkouts may share
 * one. Returns 0 or a negative errno. */
int manifest_directory(const char *path, char *directory);
void diagnostics_free(struct ps_diagnostics *diagnostics);

/* The service with this name, or NULL. The service itself for one that inherits; see manifest_root. */
const struct ps_manifest_service *manifest_service(const struct ps_manifest *manifest, const char *name);
/* The service whose port this one has: itself, or the end of its chain of "inherit". */
const struct ps_manifest_service *manifest_root(const struct ps_manifest *manifest,
						const struct ps_manifest_service *service);

/* Compiles the plan. `foreign`: bitmap of ports that other projects declare, or NULL. The result is malloc'ed; the
 * caller frees. */
struct ps_plan *manifest_compile(const struct ps_manifest *manifest, const uint64_t *foreign);

/* Expands an environment template with the requested ports. malloc'ed, or NULL with the error set. */
char *manifest_expand(const struct ps_manifest *manifest, const struct ps_manifest_service *service,
		      const char *template, struct ps_error *error);

#endif
