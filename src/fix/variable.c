/*
 * variable.c - which variable a port is to be read from.
 *
 * Theory of operation: reading the wrong variable is worse than a hardcoded port. PORT means something else in every
 * process: in a front end that calls the API at 4010 it is the front end's own 3000. So there are two kinds of
 * variables, as the manifest has them:
 *
 *	"env": ["PORT"]                    the own port of the process: only where the program itself listens on it, or
 *	                                   the whole file is certainly the service's
 *	"env": {"API_PORT": "{port}"}      for every process, so it can be read anywhere; {"API_URL": "{url}"} is read
 *	                                   where a string begins with exactly what it expands to
 *
 * A service that has no fitting variable gets NAME_PORT, or PORT if it is the only service and listens here: the
 * manifest does not give it yet, which the command says, and until it does the default is what it was.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fix.h"

struct owner {
	const struct ps_manifest *manifest;
	const struct ps_manifest_service *service;
};

const char *fix_name(struct ps_fix *fix, const char *name)
{
	char **names;

	for (size_t i = 0; i < fix->name_count; i++)
		if (strcmp(fix->names[i], name) == 0)
			return fix->names[i];
	names = reallocarray(fix->names, fix->name_count + 1, sizeof(*names));
	if (!names)
		return NULL;
	fix->names = names;
	names[fix->name_count] = strdup(name);
	return names[fix->name_count] ? names[fix->name_count++] : NULL;
}

/* ---- whose port it is ---- */

static bool is_managed(const struct ps_manifest_service *s)
{
	return !s->external && !s->from && s->inherits < 0 && s->port_count > 0;
}

/* Length of the service's directory if the file lies in it, else 0. */
static size_t inside(const struct ps_fix *fix, const struct ps_manifest_service *s, const char *path)
{
	size_t top = strlen(fix->edit.directory), length = s->match_directory ? strlen(s->match_directory) : 0;

	if (length <= top || strncmp(s->match_directory, fix->edit.directory, top) != 0 ||
	    strchr(s->match_directory, '*'))
		return 0;
	length -= top + 1;
	return strncmp(path, s->match_directory + top + 1, length) == 0 && path[length] == '/' ? length : 0;
}

/* The service whose directory has the file, deeper than any other's; or NULL. */
static const struct ps_manifest_service *service_of_file(const struct ps_fix *fix, const char *path)
{
	const struct ps_manifest *m = fix->view_count ? fix->views[0].manifest : NULL;
	const struct ps_manifest_service *best = NULL;
	size_t deepest = 0;

	for (size_t i = 0; m && i < m->service_count; i++) {
		size_t depth = is_managed(&m->services[i]) ? inside(fix, &m->services[i], path) : 0;

		if (depth && depth == deepest)
			best = NULL;
		if (depth > deepest) {
			best = &m->services[i];
			deepest = depth;
		}
	}
	return best;
}

static bool has_port(const struct ps_manifest_service *s, unsigned port)
{
	for (size_t i = 0; s->inherits < 0 && i < s->port_count; i++)
		if (s->ports[i] == port)
			return true;
	return false;
}

/* Finds the service with the port, without a profile or else under one. */
static enum ps_fix_reason find_owner(const struct ps_fix *fix, const char *path, unsigned port, struct owner *o)
{
	const struct ps_manifest_service *here = service_of_file(fix, path);
	bool several = false;

	*o = (struct owner){ 0 };
	for (size_t v = 0; v < fix->view_count; v++) {
		const struct ps_manifest *m = fix->views[v].manifest;

		for (size_t i = 0; i < m->service_count; i++) {
			const struct ps_manifest_service *s = &m->services[i];

			if (!has_port(s, port) || (o->service && strcmp(o->service->name, s->name) == 0))
				continue;
			several = o->service != NULL;
			if (!o->service || (here && strcmp(here->name, s->name) == 0))
				*o = (struct owner){ m, s };
		}
		if (o->service && v == 0)
			break;
	}
	if (!o->service)
		return PS_FIX_UNDECLARED;
	return several && !(here && strcmp(here->name, o->service->name) == 0) ? PS_FIX_SEVERAL : PS_FIX_DONE;
}

static size_t managed_count(const struct ps_manifest *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->service_count; i++)
		n += is_managed(&m->services[i]);
	return n;
}

/* How many services of the manifest the file's own servers are; f->only: one of them. */
static size_t listened(const struct ps_fix *fix, struct ps_fixing *f)
{
	if (f->listened != SIZE_MAX)
		return f->listened;
	f->listened = 0;
	f->only = NULL;
	for (size_t i = 0; i < f->use_count; i++) {
		struct owner o;

		if (f->uses[i].inside || f->uses[i].remote || !fix_listens(f, &f->uses[i]) ||
		    find_owner(fix, f->path, f->uses[i].port, &o) == PS_FIX_UNDECLARED)
			continue;
		if (f->only && strcmp(f->only, o.service->name) == 0)
			continue;
		f->only = o.service->name;
		f->listened++;
	}
	return f->listened;
}

/* True if `PORT` in this place can only be the service's own port. */
static bool is_own(const struct ps_fix *fix, struct ps_fixing *f, const struct ps_port_use *use, const struct owner *o)
{
	const struct ps_manifest_service *here = service_of_file(fix, f->path);
	size_t count = listened(fix, f);

	if (here)
		return strcmp(here->name, o->service->name) == 0;
	if (count > 1) /* one process, several ports: which of them PORT is, depends on how it is started */
		return false;
	if (count == 1)
		return strcmp(f->only, o->service->name) == 0;
	return managed_count(o->manifest) == 1 || fix_listens(f, use);
}

/* ---- what the manifest gives ---- */

/* True if the template is the service's port and nothing else: {port}, {api.port}. */
static bool is_port_template(const struct ps_manifest *m, const struct ps_manifest_service *has, const char *template,
			     const struct ps_manifest_service *wanted)
{
	const struct ps_manifest_service *named = has;
	size_t length = strlen(template);
	char name[256];

	if (strcmp(template, "{port}") != 0) {
		if (length < 8 || length > sizeof(name) || template[0] != '{' ||
		    strcmp(template + length - 6, ".port}") != 0)
			return false;
		snprintf(name, sizeof(name), "%.*s", (int)(length - 7), template + 1);
		named = manifest_service(m, name);
	}
	return named && strcmp(manifest_root(m, named)->name, wanted->name) == 0;
}

/* The name of a variable for every process that is the port. */
static const char *shared_variable(const struct owner *o)
{
	const struct ps_manifest *m = o->manifest;
	const char *found = NULL;

	for (size_t i = 0; i < m->service_count; i++)
		for (size_t k = 0; k < m->services[i].env_count; k++) {
			const struct ps_manifest_env *e = &m->services[i].env[k];

			if (e->own || !is_port_template(m, &m->services[i], e->template, o->service))
				continue;
			if (!found || &m->services[i] == o->service)
				found = e->name;
			if (&m->services[i] == o->service)
				return found;
		}
	return found;
}

static const char *own_variable(const struct owner *o)
{
	for (size_t k = 0; k < o->service->env_count; k++)
		if (o->service->env[k].own)
			return o->service->env[k].name;
	return NULL;
}

/* A variable whose value is what the string begins with: its name, and how much of the string that is. */
static const char *url_variable(const struct owner *o, const struct ps_fixing *f, const struct ps_port_use *use,
				uint32_t *length)
{
	const struct ps_manifest *m = o->manifest;
	uint32_t number = f->language == PS_LANG_SHELL ? CODE_NONE : code_at(&f->code, use->offset);
	const struct ps_token *t = code_token(&f->code, number);
	const char *found = NULL;

	if (t->kind != PS_TOKEN_STRING)
		return NULL;
	if ((use > f->uses && use[-1].offset >= t->from) ||
	    (use + 1 < f->uses + f->use_count && use[1].offset < t->until))
		return NULL; /* another one in the same string */
	for (size_t i = 0; i < m->service_count; i++)
		for (size_t k = 0; k < m->services[i].env_count; k++) {
			const struct ps_manifest_env *e = &m->services[i].env[k];
			struct ps_error ignored = { 0 };
			char *text = strstr(e->template, "url}") || strstr(e->template, "port}")
					     ? manifest_expand(m, &m->services[i], e->template, &ignored)
					     : NULL;
			size_t n = text ? strlen(text) : 0;
			uint32_t end = t->inner + (uint32_t)n;

			if (!e->own && n > use->length && n <= t->outer - t->inner && n > *length &&
			    memcmp(f->text + t->inner, text, n) == 0 && end >= use->offset + use->length &&
			    (end == t->outer || strchr("/?#", f->text[end]))) {
				found = e->name;
				*length = (uint32_t)n;
			}
			free(text);
		}
	return found;
}

/* True if the manifest gives the name to something else than this port. */
static bool means_other(const struct ps_fix *fix, const struct owner *o, const char *name)
{
	for (size_t v = 0; v < fix->view_count; v++) {
		const struct ps_manifest *m = fix->views[v].manifest;

		for (size_t i = 0; i < m->service_count; i++)
			for (size_t k = 0; k < m->services[i].env_count; k++) {
				const struct ps_manifest_env *e = &m->services[i].env[k];

				if (strcmp(e->name, name) == 0 &&
				    (!o->service || !is_port_template(m, &m->services[i], e->template, o->service)))
					return true;
			}
	}
	return false;
}

/* ---- the choice ---- */

/* PORT=3000 and PORT="3000" in a shell: the name is said already. */
static bool is_assigned_to(const struct ps_fixing *f, const struct ps_port_use *use, const char *name)
{
	size_t length = strlen(name), at = use->offset;

	at -= at > 0 && f->text[at - 1] == '"';
	return f->language == PS_LANG_SHELL && at > length && f->text[at - 1] == '=' &&
	       memcmp(f->text + at - 1 - length, name, length) == 0 &&
	       (at == length + 1 || !lex_is_name(f->text[at - 2 - length]));
}

/* WEB_API_PORT of "web-api". */
static void derive(const char *service, char *name, size_t size)
{
	size_t n = 0;

	if (isdigit((unsigned char)service[0]) || strncasecmp(service, "ld", 3) == 0 ||
	    strncasecmp(service, "portshim", 8) == 0)
		n = (size_t)snprintf(name, size, "SERVICE_");
	for (; *service && n + 8 < size; service++)
		name[n++] = isalnum((unsigned char)*service) ? (char)toupper((unsigned char)*service) : '_';
	snprintf(name + n, size - n, "%s", n >= 4 && strncmp(name + n - 4, "PORT", 4) == 0 ? "" : "_PORT");
}

static enum ps_fix_reason take(struct ps_fix *fix, struct ps_fix_choice *c, const char *name, bool given, bool own)
{
	c->variable.name = fix_name(fix, name);
	c->given = given;
	c->own = own;
	return c->variable.name ? PS_FIX_DONE : PS_FIX_COUNT;
}

static enum ps_fix_reason choose_undeclared(struct ps_fix *fix, const struct ps_port_use *use, struct ps_fix_choice *c)
{
	const struct owner nobody = { 0 };
	char name[32];

	snprintf(name, sizeof(name), "PORT_%u", use->port);
	return means_other(fix, &nobody, name) ? PS_FIX_NO_NAME : take(fix, c, name, false, false);
}

enum ps_fix_reason fix_choose(struct ps_fix *fix, struct ps_fixing *f, const struct ps_port_use *use, bool undeclared,
			      struct ps_fix_choice *c)
{
	struct owner o;
	enum ps_fix_reason reason = find_owner(fix, f->path, use->port, &o);
	const char *name;
	char derived[256];
	bool own;

	*c = (struct ps_fix_choice){ .service = o.service ? o.service->name : NULL,
				     .listed = o.service && own_variable(&o) };
	if (reason == PS_FIX_UNDECLARED && undeclared)
		return choose_undeclared(fix, use, c);
	if (reason || !o.service)
		return reason;
	if (o.service->ports[0] != use->port)
		return PS_FIX_NOT_FIRST;
	own = is_managed(o.service) && is_own(fix, f, use, &o);
	name = own_variable(&o);
	if (name && (own || is_assigned_to(f, use, name)))
		return take(fix, c, name, true, true);
	name = url_variable(&o, f, use, &c->variable.url);
	if (name)
		return take(fix, c, name, true, false);
	name = shared_variable(&o);
	if (name)
		return take(fix, c, name, true, false);
	if (o.service->external)
		return PS_FIX_EXTERNAL;
	own = own && o.service->env_count == 0 && managed_count(o.manifest) == 1;
	derive(o.service->name, derived, sizeof(derived));
	if (own)
		snprintf(derived, sizeof(derived), "PORT");
	return means_other(fix, &o, derived) ? PS_FIX_NO_NAME : take(fix, c, derived, false, own);
}
