/*
 * place_path.h - the parts of a path like services.web.ports[0] or tasks[name=web]['a.b'].
 */
#ifndef PORTSHIM_PLACE_PLACE_PATH_H
#define PORTSHIM_PLACE_PLACE_PATH_H

#include <stdbool.h>
#include <stddef.h>

enum ps_part_kind { PS_PART_KEY, PS_PART_INDEX, PS_PART_WHERE, PS_PART_END, PS_PART_BAD };

struct ps_part {
	enum ps_part_kind kind;
	const char *name; /* the key, within the path; '' in it is one quote if `quoted` */
	size_t length;
	bool quoted;
	size_t index;
	const char *value; /* of [KEY=VALUE] */
	size_t value_length;
};

/* The part at *at, which moves behind it. A bad part leaves *at where it is. */
struct ps_part place_path_next(const char *path, const char **at);

/* The part's key as it is, in `name`, with a NUL behind. False if there is no room. */
bool place_path_name(const struct ps_part *part, char *name, size_t size, size_t *length);

/* True if the part's key is this one. */
bool place_path_is(const struct ps_part *part, const char *key);

#endif
