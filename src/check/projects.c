/*
 * projects.c - a manifest against those of the other projects of this user.
 *
 * All profiles of both: environments of two projects may run at the same time, whatever their profiles. Another
 * project's service at a port is told of once, by the first profile that has it there. A checkout of the same project,
 * which has the same name, is no other project.
 *
 * The services that others call their own are in chains by port, so that two manifests of thousands of services cost no
 * more than their sum.
 */
#include "check.h"

#include <portshim/kernel.h>

#include <stdlib.h>
#include <string.h>

#include "../cli/output.h"
#include "../known/known.h"

static const char *own_name(const struct ps_raw *raw)
{
	const char *base = strrchr(raw->directory, '/');

	if (raw->project)
		return raw->project->valuestring;
	return base && base[1] ? base + 1 : "root";
}

static unsigned protocols(const struct ps_manifest_service *service)
{
	return service->protocols ? service->protocols : PS_TCP | PS_UDP;
}

/* A service that another project calls its own. */
struct other {
	const struct ps_known *project;
	const struct ps_manifest_service *service;
	const char *profile; /* that has it there; "": none */
	struct other *next;  /* with the same port */
};

struct others {
	struct other *first[PS_PORTS];
	bool failed; /* out of memory */
};

static void check_other(struct ps_check *check, const struct ps_check_port *p, const struct other *other)
{
	const struct ps_known *k = other->project;
	char path[PS_PATH_MAX], under[PS_NAME_MAX + 32] = "";

	if (!(protocols(other->service) & check_protocols(p->service)))
		return;
	if (other->profile[0])
		snprintf(under, sizeof(under), " under its profile \"%s\"", other->profile);
	output_path(path, sizeof(path), k->directory);
	if (manifest_judge_elsewhere(p->service))
		check_report(check, p->item, "other-external", PS_NOTE,
			     "with \"from\" instead of \"external\" clients follow it to wherever it is",
			     "%ld%s is the port of \"%s\" of the project %s%s, in %s", p->port, check->under,
			     other->service->name, k->project, under, path);
	else
		check_report(check, p->item, "other-project", PS_WARNING,
			     "whoever is second is moved; `portshim next` finds a number of its own",
			     "%ld%s is the port of \"%s\" of the project %s too%s, in %s", p->port, check->under,
			     other->service->name, k->project, under, path);
}

static void check_from(struct ps_check *check, const cJSON *item, const struct ps_known_list *known)
{
	const char *slash = strchr(item->valuestring, '/');
	struct ps_known_source found;
	const struct ps_known *project;
	const struct ps_manifest_service *s;

	known_source(known, item->valuestring, check->profile ? check->profile->object->string : "", 0, &found);
	project = found.project;
	s = found.service;
	if (!project)
		check_report(check, item, "unknown-project", PS_WARNING,
			     "use portshim there once, or let it look for manifests: portshim map --dir DIR",
			     "no project \"%.*s\" is known on this machine", (int)strcspn(item->valuestring, "#/"),
			     item->valuestring);
	else if (!project->manifest)
		check_report(check, item, "unknown-source", PS_ERROR, "correct it: portshim check says what is wrong",
			     "the manifest of the project %s is wrong", project->project);
	else if (!found.manifest)
		check_report(check, item, "unknown-source", PS_ERROR, "portshim map --json shows those that it has",
			     "the project %s has no profile \"%s\"", project->project, found.profile);
	else if (!s)
		check_report(check, item, "unknown-source", PS_ERROR, "portshim map shows the services of all projects",
			     "the project %s has no service \"%s\"", project->project, slash + 1);
	else if (manifest_root(found.manifest, s)->from)
		check_report(check, item, "unknown-source", PS_ERROR, "name that one",
			     "\"%s\" of the project %s is itself from %s", s->name, project->project,
			     manifest_root(found.manifest, s)->from);
}

/* The nth view of a project: without a profile, then with each. NULL if it cannot be read. */
static const struct ps_manifest *view(const struct ps_known *k, size_t nth, const char **profile)
{
	*profile = nth ? k->manifest->profiles[nth - 1] : "";
	return known_view(k, *profile);
}

/* True if an earlier view has the service there already. */
static bool is_told(const struct ps_known *k, size_t nth, const struct ps_manifest_service *service)
{
	const struct ps_manifest_service *s;
	const struct ps_manifest *manifest;
	const char *profile;

	for (size_t i = 0; i < nth; i++)
		if ((manifest = view(k, i, &profile)) && (s = manifest_service(manifest, service->name)) &&
		    s->port_count && s->ports[0] == service->ports[0] && known_owns(s))
			return true;
	return false;
}

static void add_other(struct others *others, struct other other)
{
	struct other *copy = malloc(sizeof(*copy));

	if (!copy) {
		others->failed = true;
		return;
	}
	*copy = other;
	others->first[other.service->ports[0]] = copy;
}

static void add_view(struct others *others, const struct ps_known *k, size_t nth)
{
	const char *profile;
	const struct ps_manifest *manifest = view(k, nth, &profile);

	for (size_t i = manifest ? manifest->service_count : 0; i-- > 0;) {
		const struct ps_manifest_service *s = &manifest->services[i];

		if (known_owns(s) && !is_told(k, nth, s))
			add_other(others, (struct other){ k, s, profile, others->first[s->ports[0]] });
	}
}

/* Backwards, so that the chains go forwards. NULL if memory ran out. */
static struct others *find_others(const struct ps_known_list *known, const char *mine)
{
	struct others *others = calloc(1, sizeof(*others));

	for (size_t k = known->count; others && k-- > 0;) {
		const struct ps_known *one = &known->list[k];

		if (one->manifest && strcmp(one->project, mine) != 0)
			for (size_t nth = one->manifest->profile_count + 1; nth-- > 0;)
				add_view(others, one, nth);
	}
	return others;
}

static void free_others(struct others *others)
{
	for (size_t port = 0; others && port < PS_PORTS; port++)
		for (struct other *next, *o = others->first[port]; o; o = next) {
			next = o->next;
			free(o);
		}
	free(others);
}

static void check_view(struct ps_check *check, const struct ps_known_list *known, const struct others *others)
{
	size_t count = 0;
	struct ps_check_port *ports = check_ports(check, &count);

	for (size_t i = 0; ports && i < count; i++) {
		const struct ps_check_port *p = &ports[i];

		if (p->service->value[PS_KEY_FROM])
			check_from(check, p->service->value[PS_KEY_FROM], known);
		else if (p->first)
			for (const struct other *o = others->first[p->port]; o; o = o->next)
				check_other(check, p, o);
	}
	free(ports);
}

void check_projects(struct ps_check *check)
{
	struct ps_known_list known;
	struct ps_error error = { 0 };
	struct others *others;

	if (known_read(&known, &error)) {
		error_print(&error);
		check->findings->memory = true;
		known_free(&known);
		return;
	}
	others = find_others(&known, own_name(check->raw));
	if (!others || others->failed)
		check->findings->memory = true;
	while (others && check_view_next(check))
		check_view(check, &known, others);
	free_others(others);
	known_free(&known);
}
