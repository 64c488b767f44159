/*
 * inject.c - the environment variables that the manifest gives to a program.
 *
 * Theory of operation: a service's `env` in array form (["PORT"]) is for that service's own process, because every
 * service may call its variable PORT; in object form it is for everybody, because clients need to know it. Values are
 * made of requested ports: the shim moves them, for servers and clients alike, and a port in a URL stays the one that
 * is in the cookies and the allow-lists. What the user has set already always wins: a program that
 * reads its port from such a variable will ask for that number, so in its run the service has it.
 */
#include "inject.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int no_service(const struct ps_manifest *manifest, const char *named, struct ps_error *error)
{
	const char **names = calloc(manifest->service_count + 1, sizeof(*names)), *near = NULL;

	for (size_t i = 0; names && i < manifest->service_count; i++)
		names[i] = manifest->services[i].name;
	if (names)
		near = error_suggest(named, names, (unsigned)manifest->service_count);
	error_set(error, PS_EXIT_FAILED, "there is no service `%s` in %s", named, manifest->path);
	if (near)
		error_hint(error, "did you mean `%s`?", near);
	free(names);
	return error->code;
}

/* All arguments, joined by spaces: what "match": {"args"} is compared with. */
static char *join(char *const *argv)
{
	size_t length = 1;
	char *text, *at;

	for (char *const *a = argv; *a; a++)
		length += strlen(*a) + 1;
	text = at = malloc(length);
	if (!text)
		return NULL;
	for (; *argv; argv++) {
		at = stpcpy(at, *argv);
		if (argv[1])
			*at++ = ' ';
	}
	*at = '\0';
	return text;
}

static bool fits(const struct ps_manifest_service *s, const char *command, const char *args, const char *directory)
{
	if (!s->match_command && !s->match_args && !s->match_directory)
		return false;
	return (!s->match_command || plan_glob(s->match_command, command)) &&
	       (!s->match_args || plan_glob(s->match_args, args)) &&
	       (!s->match_directory || plan_glob(s->match_directory, directory));
}

static const struct ps_manifest_service *find_matching(const struct ps_manifest *manifest, char *const *argv)
{
	const struct ps_manifest_service *found = NULL;
	const char *slash = strrchr(argv[0], '/');
	char directory[PS_PATH_MAX] = "";
	char *args = join(argv);

	if (!getcwd(directory, sizeof(directory)))
		directory[0] = '\0';
	for (size_t i = 0; args && !found && i < manifest->service_count; i++)
		if (fits(&manifest->services[i], slash ? slash + 1 : argv[0], args, directory))
			found = &manifest->services[i];
	free(args);
	return found;
}

/* One that has match rules was asked already, and does not fit. */
static const struct ps_manifest_service *find_only(const struct ps_manifest *manifest)
{
	const struct ps_manifest_service *only = NULL;

	for (size_t i = 0; i < manifest->service_count; i++) {
		const struct ps_manifest_service *s = &manifest->services[i];

		if (s->external || s->inherit || s->from)
			continue;
		if (only)
			return NULL;
		only = s;
	}
	return only && !only->match_command && !only->match_args && !only->match_directory ? only : NULL;
}

int inject_choose(const struct ps_manifest *manifest, const char *named, char *const *argv,
		  const struct ps_manifest_service **service, struct ps_error *error)
{
	*service = NULL;
	if (!manifest) {
		if (!named)
			return 0;
		error_set(error, PS_EXIT_FAILED, "--service %s: there is no manifest", named);
		return error_hint(error, "services are declared in ports.manifest.json; see portshim-manifest(5)");
	}
	if (named) {
		*service = manifest_service(manifest, named);
		return *service ? 0 : no_service(manifest, named, error);
	}
	*service = find_matching(manifest, argv);
	if (!*service)
		*service = find_only(manifest);
	return 0;
}

/* ---- a number that the user has chosen ---- */

static uint16_t port_of(const char *text)
{
	unsigned long port = 0;

	if (!text || !*text || strlen(text) > 5)
		return 0;
	for (; *text >= '0' && *text <= '9'; text++)
		port = port * 10 + (unsigned)(*text - '0');
	return !*text && port <= UINT16_MAX ? (uint16_t)port : 0;
}

/* The number in the variable that the service's own process reads; 0 if it is not set, or is no port. */
static uint16_t set_already(const struct ps_manifest_service *own)
{
	uint16_t port = 0;

	for (size_t i = 0; !port && i < own->env_count; i++)
		if (strcmp(own->env[i].template, "{port}") == 0)
			port = port_of(getenv(own->env[i].name));
	return port;
}

static bool is_declared(const struct ps_manifest *manifest, const struct ps_manifest_service *but, uint16_t port)
{
	for (size_t i = 0; i < manifest->service_count; i++)
		for (size_t k = 0; k < manifest->services[i].port_count; k++)
			if (&manifest->services[i] != but && manifest->services[i].ports[k] == port)
				return true;
	return false;
}

void inject_follow(struct ps_manifest *manifest, const struct ps_manifest_service *own)
{
	struct ps_manifest_service *s = manifest && own ? &manifest->services[own - manifest->services] : NULL;
	uint16_t port = s && s->port_count && !s->external && !s->from ? set_already(s) : 0;
	size_t kept = 1;

	if (!port || is_declared(manifest, s, port))
		return;
	s->ports[0] = port;
	for (size_t i = 1; i < s->port_count; i++)
		if (s->ports[i] != port)
			s->ports[kept++] = s->ports[i];
	s->port_count = kept;
}

/* ---- which of the variables count ---- */

/* A name and where it comes from; of those that have one name, the one with the lowest order counts. */
struct candidate {
	const char *name;
	size_t length;
	size_t order; /* 0: set already */
	struct ps_injected variable;
};

static int by_name(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int order = memcmp(x->name, y->name, x->length < y->length ? x->length : y->length);

	if (order)
		return order;
	if (x->length != y->length)
		return x->length < y->length ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

static int by_order(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	return (x->order > y->order) - (x->order < y->order);
}

static bool same_name(const struct candidate *x, const struct candidate *y)
{
	return x->length == y->length && memcmp(x->name, y->name, x->length) == 0;
}

static size_t count_variables(const struct ps_manifest *manifest, const struct ps_manifest_service *own,
			      char *const *set)
{
	size_t count = own ? own->env_count : 0;

	for (size_t i = 0; i < manifest->service_count; i++)
		count += manifest->services[i].env_count;
	for (; set && *set; set++)
		count++;
	return count;
}

static void note(struct candidate *list, size_t *count, const struct ps_manifest_service *service, bool own)
{
	for (size_t i = 0; i < service->env_count; i++) {
		const struct ps_manifest_env *env = &service->env[i];

		if (!own && env->own)
			continue;
		list[*count] = (struct candidate){ env->name, strlen(env->name), *count + 1, { service, env } };
		++*count;
	}
}

/* By sorting, so that 10,000 services take no noticeable time. */
struct ps_injected *inject_variables(const struct ps_manifest *manifest, const struct ps_manifest_service *own,
				     char *const *set, size_t *count)
{
	size_t room = count_variables(manifest, own, set) + 1, used = 0, kept = 0;
	struct candidate *list = calloc(room, sizeof(*list));
	struct ps_injected *result = calloc(room, sizeof(*result));

	*count = 0;
	if (!list || !result) {
		free(list);
		free(result);
		return NULL;
	}
	/* The program's own service comes first: where two services use one name, its value is meant. */
	if (own)
		note(list, &used, own, true);
	for (size_t i = 0; i < manifest->service_count; i++)
		note(list, &used, &manifest->services[i], false);
	for (; set && *set; set++, used++)
		list[used] = (struct candidate){ .name = *set, .length = strcspn(*set, "=") };
	qsort(list, used, sizeof(*list), by_name);
	for (size_t i = 0; i < used; i++)
		if (list[i].order && (i == 0 || !same_name(&list[i - 1], &list[i])))
			list[kept++] = list[i];
	qsort(list, kept, sizeof(*list), by_order);
	for (size_t i = 0; i < kept; i++)
		result[(*count)++] = list[i].variable;
	free(list);
	return result;
}

/* ---- into the environment ---- */

/* "NAME=value", malloc'ed, or NULL. */
static char *assignment(const struct ps_manifest *manifest, const struct ps_injected *variable, struct ps_error *error)
{
	char *value = manifest_expand(manifest, variable->service, variable->env->template, error), *text = NULL;

	if (value && asprintf(&text, "%s=%s", variable->env->name, value) < 0)
		text = NULL;
	free(value);
	if (!text && !error->code)
		error_set(error, PS_EXIT_FAILED, "out of memory");
	return text;
}

/* Not by setenv, which looks through all that is set already, each time. The strings belong to the environment. */
int inject_set(const struct ps_manifest *manifest, const struct ps_manifest_service *own, struct ps_error *error)
{
	struct ps_injected *variables;
	char **all;
	size_t count, set = 0;

	if (!manifest)
		return 0;
	variables = inject_variables(manifest, own, environ, &count);
	while (environ && environ[set])
		set++;
	all = calloc(set + count + 1, sizeof(*all));
	if (!variables || !all) {
		error_set(error, PS_EXIT_FAILED, "out of memory");
		goto out;
	}
	if (set)
		memcpy(all, environ, set * sizeof(*all));
	for (size_t i = 0; i < count && !error->code; i++)
		all[set + i] = assignment(manifest, &variables[i], error);
	if (!error->code) {
		environ = all;
		all = NULL;
	}
out:
	for (size_t i = 0; all && i < count; i++)
		free(all[set + i]);
	free(all);
	free(variables);
	return error->code;
}
