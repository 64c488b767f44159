/*
 * plan.h - the manifest, compiled: what a target process needs of it, in a form that is read without parsing.
 *
 * One block of bytes, position-independent: the struct, then the sections at the offsets that it names. Strings are
 * NUL-terminated at offsets from the start of the plan; offset 0 is "no string". All numbers are in host byte order:
 * a plan never leaves the machine and the boot that it was made for.
 */
#ifndef PORTSHIM_PLAN_H
#define PORTSHIM_PLAN_H

#include <portshim/scope.h>

#define PS_PLAN_MAGIC 0x7073706cu /* "pspl" */

enum ps_strategy { PS_MINIMAL, PS_CONSERVATIVE, PS_AGGRESSIVE };
enum ps_report { PS_REPORT_ACTUAL, PS_REPORT_REQUESTED };

#define PS_SERVICE_EXTERNAL 1u /* not managed: never moved, never denied */
#define PS_SERVICE_OS 2u       /* the kernel may choose when all else is taken */
#define PS_SERVICE_FIXED 4u    /* its own ports or an error: nothing else is tried */
#define PS_SERVICE_YIELDS 8u   /* gives its port up to a run that insists on it */

#define PS_NO_SERVICE 0xffffu

#define PS_PLAN_HEIRS 1u /* some service inherits */
#define PS_PLAN_MATCH 2u /* some service has match rules */
#define PS_PLAN_RANKS 4u /* before the strings: uint32_t[PS_BITMAP_WORDS], how many entries of the index lie before each
                            word of `avoid`, which has the index's ports and no others */

#define PS_PLAN_FROM 8u  /* some service is another project's, and that project is known */
#define PS_PLAN_FIXED 16u /* PS_SERVICE_FIXED for ports that no service declares */
#define PS_PLAN_YIELDS 32u /* ports that no service declares are given up to a run that insists on them */

#define PS_PLAN_SMALL 64 /* entries of the index that need no ranks */

struct ps_service {
	uint32_t name;
	uint32_t scheme;          /* 0: by protocol */
	uint32_t match_command;   /* globs (`*`, `?`), 0: any */
	uint32_t match_args;
	uint32_t match_directory;
	uint32_t discovery;       /* absolute path of the service's own discovery file, 0: none */
	uint32_t ports;           /* index into the preferred ports */
	uint16_t port_count;      /* 0 for a service that inherits */
	uint16_t range_first;     /* 0: no range of its own */
	uint16_t range_last;      /* inclusive */
	uint16_t inherits;        /* index of the service whose port this one shares, or PS_NO_SERVICE */
	uint8_t protocols;        /* PS_TCP | PS_UDP as declared; 0: any */
	uint8_t flags;            /* PS_SERVICE_* */
	uint8_t report;           /* enum ps_report */
	uint8_t strategy;         /* enum ps_strategy */
};

/* Which services ask for a port; sorted by port, then by service. Only a service's first port counts as requested...
 * and every other preferred one too, because programs may be configured with any of them. */
struct ps_plan_port {
	uint16_t port;
	uint16_t service;
};

/* A service of another project: clients that ask for `port` are led to where that environment has `requested`. Of
 * several for one port (checkouts of that project) the first whose server listens. */
struct ps_plan_from {
	uint16_t port;
	uint16_t requested;
	uint32_t env;
};

struct ps_plan {
	uint32_t magic;
	uint32_t abi;
	uint32_t size;            /* of everything, in bytes */
	uint32_t services;        /* offset of struct ps_service[service_count] */
	uint32_t service_count;
	uint32_t ports;           /* offset of uint16_t[port_count]: the services' preferred ports, in order */
	uint32_t port_count;
	uint32_t index;           /* offset of struct ps_plan_port[index_count] */
	uint32_t index_count;
	uint32_t from;            /* offset of struct ps_plan_from[from_count] */
	uint32_t from_count;
	uint32_t strings;         /* offset of the first string; strings reach to the end and the last byte is NUL */
	uint16_t default_first;   /* the default range, inclusive */
	uint16_t default_last;
	uint8_t report;           /* for ports that no service declares */
	uint8_t strategy;
	uint8_t os;
	uint8_t flags;            /* PS_PLAN_* */
	uint64_t avoid[PS_BITMAP_WORDS];   /* never handed out: ports that the project's services declare */
	uint64_t foreign[PS_BITMAP_WORDS]; /* conservative: ports that other projects declare */
};

/* The rules that apply to one bind. */
struct ps_rules {
	const struct ps_service *service; /* NULL: no service declares the port */
	uint16_t service_index;           /* or PS_NO_SERVICE */
	uint16_t default_first, default_last;
	uint8_t report;
	uint8_t strategy;
	bool os;
	bool fixed; /* the requested and the preferred ports, and no others */
};

/* What a service is chosen by: its protocol, and what its match rules are compared with. Strings may be empty, never
 * NULL. */
struct ps_subject {
	const char *command;   /* base name of the program */
	const char *args;      /* all arguments, joined by spaces */
	const char *directory; /* working directory */
	unsigned protocol;     /* PS_TCP or PS_UDP; 0: not known */
};

/* True if the block has the outline of a plan of this version: its sections lie inside. Constant time. */
bool plan_fits(const struct ps_plan *plan, uint64_t size);

/* True if all of it is right: every offset, index and string lies inside. Linear time. Call before any other function. */
bool plan_check(const struct ps_plan *plan, uint64_t size);

const struct ps_service *plan_service(const struct ps_plan *plan, uint16_t index);
const char *plan_string(const struct ps_plan *plan, uint32_t offset); /* "" for 0 */
const uint16_t *plan_ports(const struct ps_plan *plan, const struct ps_service *service);

/* The services that declare `port`: their number, and the first of them in *first (consecutive in the index). */
uint32_t plan_find(const struct ps_plan *plan, uint16_t port, const struct ps_plan_port **first);

bool plan_has_match(const struct ps_plan *plan, uint16_t port);

/* True if a service that declares the port has match rules: then the process decides which one it is. A TCP and a UDP
 * service of one number are not told apart this way: they share the actual port (law 2). `plan` may be NULL. */
static inline bool plan_needs_subject(const struct ps_plan *plan, uint16_t port)
{
	return plan && plan->flags & PS_PLAN_MATCH && plan_has_match(plan, port);
}

/* The rules for a bind of `port` by `subject` (may be NULL if plan_needs_subject says false). `plan` may be NULL. */
struct ps_rules plan_rules(const struct ps_plan *plan, uint16_t port, const struct ps_subject *subject);

/* True if a service that yields is in it, or everything does. `plan` may be NULL. */
bool plan_yields_any(const struct ps_plan *plan);

/* True if the service of this name yields; "": a port that no service declares. `plan` may be NULL. */
bool plan_yields(const struct ps_plan *plan, const char *service);

/* True if the manifest calls the port external. `plan` may be NULL. */
bool plan_external(const struct ps_plan *plan, uint16_t port);

/* Shell-like match with `*` and `?` over the whole text; both characters match any byte, also '/'. */
bool plan_glob(const char *pattern, const char *text);

static inline bool bitmap_get(const uint64_t *map, uint16_t bit)
{
	return map[bit / 64] >> (bit % 64) & 1;
}

static inline void bitmap_set(uint64_t *map, uint16_t bit)
{
	map[bit / 64] |= UINT64_C(1) << (bit % 64);
}

#endif
