/*
 * projects.c - a manifest against those of the other projects of this user.
 *
 * Only the manifest without a profile, because the others are known without one. A checkout of the same project, which
 * has the same name, is no other project.
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

/* One that another project calls its own. */
static void check_other(struct ps_check *check, const struct ps_check_port *p, const struct ps_known *k)
{
	char path[PS_PATH_MAX];

	for (size_t i = 0; i < k->manifest->service_count; i++) {
		const struct ps_manifest_service *s = &k->manifest->services[i];

		if (!known_owns(s) || s->ports[0] != p->port || !(protocols(s) & check_protocols(p->service)))
			continue;
		output_path(path, sizeof(path), k->directory);
		if (manifest_judge_elsewhere(p->service))
			check_report(check, p->item, "other-external", PS_NOTE,
				     "with \"from\" instead of \"external\" clients follow it to wherever it is",
				     "%ld is the port of \"%s\" of the project %s, in %s", p->port, s->name,
				     k->project, path);
		else
			check_report(check, p->item, "other-project", PS_WARNING,
				     "whoever is second is moved; `portshim next` finds a number of its own",
				     "%ld is the port of \"%s\" of the project %s too, in %s", p->port, s->name,
				     k->project, path);
	}
}

static void check_from(struct ps_check *check, const cJSON *item, const struct ps_known_list *known)
{
	const struct ps_known *project;
	const struct ps_manifest_service *s = known_service(known, item->valuestring, &project);
	const char *slash = strchr(item->valuestring, '/');

	if (!project)
		check_report(check, item, "unknown-project", PS_WARNING,
			     "use portshim there once, or let it look for manifests: portshim map --dir DIR",
			     "no project \"%.*s\" is known on this machine", (int)(slash - item->valuestring),
			     item->valuestring);
	else if (!project->manifest)
		check_report(check, item, "unknown-source", PS_ERROR, "correct it: portshim check says what is wrong",
			     "the manifest of the project %s is wrong", project->project);
	else if (!s)
		check_report(check, item, "unknown-source", PS_ERROR, "portshim map shows the services of all projects",
			     "the project %s has no service \"%s\"", project->project, slash + 1);
	else if (manifest_root(project->manifest, s)->from)
		check_report(check, item, "unknown-source", PS_ERROR, "name that one",
			     "\"%s\" of the project %s is itself from %s", s->name, project->project,
			     manifest_root(project->manifest, s)->from);
}

/* The ports that other projects call their own: most ports are nobody's, and need no further look. */
static void note_others(const struct ps_known_list *known, const char *mine, uint64_t *ports)
{
	for (size_t k = 0; k < known->count; k++) {
		const struct ps_manifest *manifest = known->list[k].manifest;

		if (!manifest || strcmp(known->list[k].project, mine) == 0)
			continue;
		for (size_t i = 0; i < manifest->service_count; i++)
			if (known_owns(&manifest->services[i]))
				bitmap_set(ports, manifest->services[i].ports[0]);
	}
}

void check_projects(struct ps_check *check)
{
	const char *mine = own_name(check->raw);
	struct ps_known_list known;
	struct ps_error error = { 0 };
	struct ps_check_port *ports;
	uint64_t theirs[PS_BITMAP_WORDS] = { 0 };
	size_t count = 0;

	if (known_read(&known, &error)) {
		error_print(&error);
		check->findings->memory = true;
		return;
	}
	note_others(&known, mine, theirs);
	check_view_first(check);
	ports = check_ports(check, &count);
	for (size_t i = 0; ports && i < count; i++) {
		const struct ps_check_port *p = &ports[i];

		if (p->service->value[PS_KEY_FROM])
			check_from(check, p->service->value[PS_KEY_FROM], &known);
		else if (p->first && bitmap_get(theirs, (uint16_t)p->port))
			for (size_t k = 0; k < known.count; k++)
				if (known.list[k].manifest && strcmp(known.list[k].project, mine) != 0)
					check_other(check, p, &known.list[k]);
	}
	free(ports);
	known_free(&known);
}
