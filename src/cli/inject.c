/*
 * inject.c - the environment variables that the manifest gives to a program.
 *
 * Theory of operation: a service's `env` in array form (["PORT"]) is for that service's own process, because every
 * service may call its variable PORT; in object form it is for everybody, because clients need to know it. Values are
 * made of requested ports: the shim moves them, for servers and clients alike, and a port in a URL stays the one that
 * is in the cookies and the allow-lists. What the user has set already always wins.
 */
#include "inject.h"

#include <errno.h>
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

		if (s->external || s->inherit)
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

static int set_one(const struct ps_manifest *manifest, const struct ps_manifest_service *service,
		   const struct ps_manifest_env *env, struct ps_error *error)
{
	char *value;

	if (getenv(env->name))
		return 0;
	value = manifest_expand(manifest, service, env->template, error);
	if (!value)
		return error->code ? error->code : error_set(error, PS_EXIT_FAILED, "out of memory");
	if (setenv(env->name, value, 0) != 0)
		error_set(error, PS_EXIT_FAILED, "cannot set %s: %s", env->name, strerror(errno));
	free(value);
	return error->code;
}

int inject_set(const struct ps_manifest *manifest, const struct ps_manifest_service *own, struct ps_error *error)
{
	int code = 0;

	/* The program's own service comes first: where two services use one name, its value is meant. */
	for (size_t i = 0; own && !code && i < own->env_count; i++)
		code = set_one(manifest, own, &own->env[i], error);
	for (size_t s = 0; manifest && s < manifest->service_count; s++) {
		const struct ps_manifest_service *service = &manifest->services[s];

		for (size_t i = 0; !code && i < service->env_count; i++)
			if (!service->env[i].own)
				code = set_one(manifest, service, &service->env[i], error);
	}
	return code;
}
