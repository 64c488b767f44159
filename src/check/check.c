/*
 * check.c - what the parts of a check have in common: places, views, and lists of ports.
 *
 * Theory of operation: a manifest is checked as it is without a profile and then under each. Most of what is wrong
 * without one is wrong under every profile as well; it is said once, the first time. So a finding of a later view is
 * dropped if an earlier one has the same code at the same place.
 */
#include "check.h"

#include <portshim/kernel.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what the kernel says ---- */

/* How many of two numbers there are. */
static int read_numbers(const char *path, unsigned numbers[2])
{
	FILE *f = fopen(path, "re");
	int count = f ? fscanf(f, "%u %u", &numbers[0], &numbers[1]) : 0;

	if (f)
		fclose(f);
	return count;
}

static void ask_kernel(struct ps_check *check)
{
	unsigned n[2] = { 0, 0 };

	check->unprivileged = 1024;
	if (read_numbers("/proc/sys/net/ipv4/ip_unprivileged_port_start", n) == 1 && n[0] <= 65535)
		check->unprivileged = n[0];
	if (read_numbers("/proc/sys/net/ipv4/ip_local_port_range", n) == 2 && n[0] >= 1 && n[0] <= n[1] &&
	    n[1] <= 65535) {
		check->ephemeral_first = (uint16_t)n[0];
		check->ephemeral_last = (uint16_t)n[1];
	}
}

/* ---- places ---- */

static bool find_lines(struct ps_check *check)
{
	const char *text = check->raw->text.text, *end = text + check->raw->text.size, *at = text;
	size_t count = 1;

	while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL && ++at)
		count++;
	check->lines = calloc(count, sizeof(*check->lines));
	if (!check->lines)
		return false;
	for (at = text; (at = memchr(at, '\n', (size_t)(end - at))) != NULL && ++at;)
		check->lines[++check->line_count] = (size_t)(at - text);
	check->line_count++;
	return true;
}

static void find_place(const struct ps_check *check, size_t offset, struct ps_place *place)
{
	size_t low = 0, high = check->line_count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (check->lines[middle] <= offset)
			low = middle;
		else
			high = middle;
	}
	place->line = (int)low + 1;
	place->column = (int)(offset - check->lines[low]) + 1;
}

int check_line(const struct ps_check *check, const cJSON *item)
{
	struct ps_place place = { 0 };

	find_place(check, check->raw->text.places[item->valueint].key, &place);
	return place.line;
}

bool check_start(struct ps_check *check, struct ps_raw *raw, const char *file, struct ps_findings *findings)
{
	*check = (struct ps_check){ .raw = raw, .file = file, .findings = findings };
	ask_kernel(check);
	check->services = calloc(raw->service_count + 1, sizeof(*check->services));
	if (check->services && find_lines(check))
		return true;
	findings->memory = true;
	return false;
}

void check_end(struct ps_check *check)
{
	free(check->lines);
	free(check->services);
	check->lines = NULL;
	check->services = NULL;
}

/* The manifest without a profile, out of turn. */
static void view_first(struct ps_check *check)
{
	check->view = 0;
	check_view_next(check);
	check->view = 0;
}

void check_view_now(struct ps_check *check)
{
	view_first(check);
	check->profile = manifest_raw_by_variables(check->raw);
	manifest_judge_view(check->raw, check->profile, check->services);
}

bool check_view_next(struct ps_check *check)
{
	if (check->view > check->raw->profile_count) {
		check->view = 0;
		check->profile = NULL;
		check->under[0] = '\0';
		return false;
	}
	check->profile = check->view ? &check->raw->profiles[check->view - 1] : NULL;
	check->under[0] = '\0';
	if (check->profile)
		snprintf(check->under, sizeof(check->under), " under the profile \"%.63s\"",
			 check->profile->object->string);
	check->said = check->findings->count;
	check->view++;
	manifest_judge_view(check->raw, check->profile, check->services);
	return true;
}

void check_report(struct ps_check *check, const cJSON *item, const char *code, enum ps_severity severity,
		  const char *hint, const char *format, ...)
{
	char text[1024], key[512];
	struct ps_place place = { .file = check->file, .key = key };
	va_list ap;

	if (!finding_room(check->findings, severity))
		return;
	find_place(check, check->raw->text.places[item->valueint].value, &place);
	if (finding_known(check->findings, check->said, code, place.line, place.column))
		return;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	manifest_raw_path(check->raw, item, key, sizeof(key));
	finding_add(check->findings, code, severity, &place, hint, "%s", text);
}

/* ---- services ---- */

/* There is no ring: the manifest is right. */
const struct ps_raw_service *check_root(const struct ps_check *check, const struct ps_raw_service *service)
{
	const cJSON *inherit;

	while ((inherit = service->value[PS_KEY_INHERIT]) != NULL)
		service = &check->services[manifest_raw_service(check->raw, inherit->valuestring,
								strlen(inherit->valuestring))];
	return service;
}

unsigned check_protocols(const struct ps_raw_service *service)
{
	unsigned protocols = manifest_judge_protocols(service->value[PS_KEY_PROTOCOL]);

	return protocols ? protocols : PS_TCP | PS_UDP;
}

static int by_port(const void *a, const void *b)
{
	const struct ps_check_port *x = a, *y = b;

	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	return (x->item->valueint > y->item->valueint) - (x->item->valueint < y->item->valueint);
}

struct ps_check_port *check_ports(struct ps_check *check, size_t *count)
{
	struct ps_check_port *ports;
	const struct ps_raw_service *s, *end = check->services + check->raw->service_count;
	size_t room = 1;

	*count = 0;
	for (s = check->services; s < end; s++)
		for (const cJSON *item = NULL; (item = manifest_judge_port_item(s, item)) != NULL;)
			room++;
	ports = calloc(room, sizeof(*ports));
	if (!ports) {
		check->findings->memory = true;
		return NULL;
	}
	for (s = check->services; s < end; s++) {
		bool first = true;

		for (const cJSON *item = NULL; (item = manifest_judge_port_item(s, item)) != NULL; first = false)
			ports[(*count)++] = (struct ps_check_port){ manifest_judge_port(check->profile, s, item), s, item,
								    first };
	}
	qsort(ports, *count, sizeof(*ports), by_port);
	return ports;
}
