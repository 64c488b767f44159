/*
 * show.c - an assignment as people and programs get to see it.
 */
#include "show.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include <portshim/address.h>
#include <portshim/discovery.h>
#include <portshim/process.h>

static void add_address(cJSON *list, const char *text)
{
	cJSON_AddItemToArray(list, cJSON_CreateString(text));
}

static void add_addresses(cJSON *json, const struct ps_assignment *a)
{
	cJSON *list = cJSON_AddArrayToObject(json, "addresses");
	char text[64];

	if (!list)
		return;
	if (a->at & PS_AT_ANY4)
		add_address(list, "0.0.0.0");
	if (a->at & PS_AT_ANY6)
		add_address(list, "::");
	if (a->at & PS_AT_LO4)
		add_address(list, "127.0.0.1");
	if (a->at & PS_AT_LO6)
		add_address(list, "::1");
	if (a->at & PS_AT_OTHER) {
		address_text(a->address, text);
		add_address(list, text);
	}
}

const char *show_protocols(unsigned protocols)
{
	static const char *const names[] = {"", "tcp", "udp", "tcp+udp"};

	return names[protocols & (PS_TCP | PS_UDP)];
}

char *show_url(char *text, const struct ps_assignment *a, const char *scheme)
{
	discovery_url(text, scheme && scheme[0] ? scheme : a->scheme, a->protocols, a->address, a->at, a->actual);
	return text;
}

uint64_t show_age(const struct ps_assignment *a)
{
	uint64_t now = (uint64_t)time(NULL);

	return a->since && now > a->since ? now - a->since : 0; /* 0: held, and never listened */
}

cJSON *show_json(const struct ps_assignment *a)
{
	struct ps_holder owner = {0};
	cJSON *json = cJSON_CreateObject();
	char text[PS_SHOW_URL];

	if (!json)
		return NULL;
	output_json_text(json, "environment", a->env ? a->env->name : "");
	output_json_text(json, "project", a->env ? a->env->project : "");
	output_json_text(json, "profile", a->env ? a->env->profile : "");
	output_json_text(json, "directory", a->env ? a->env->directory : "");
	output_json_text(json, "service", a->service);
	cJSON_AddNumberToObject(json, "requested", a->requested);
	cJSON_AddNumberToObject(json, "port", a->actual);
	cJSON_AddStringToObject(json, "protocol", show_protocols(a->protocols));
	cJSON_AddStringToObject(json, "url", show_url(text, a, NULL));
	add_addresses(json, a);
	cJSON_AddStringToObject(json, "state", discovery_state(a->state));
	cJSON_AddStringToObject(json, "reason", discovery_reason(a->reason));
	cJSON_AddStringToObject(json, "cause",
				a->cause == EADDRINUSE ? "EADDRINUSE"
				: a->cause == EACCES   ? "EACCES"
						       : "");
	cJSON_AddNumberToObject(json, "process_id", process_pid(a->owner));
	cJSON_AddBoolToObject(json, "alive", a->alive);
	if (a->alive)
		holder_process(&owner, process_pid(a->owner));
	output_json_text(json, "command", owner.command);
	output_json_text(json, "command_line", owner.line);
	cJSON_AddNumberToObject(json, "since", (double)a->since);
	snprintf(text, sizeof(text), "%08x", a->run_id);
	cJSON_AddStringToObject(json, "run", text);
	return json;
}

char *show_ports(char *text, const struct ps_assignment *a)
{
	if (a->requested == a->actual)
		snprintf(text, 32, "%u", a->actual);
	else if (a->requested == 0)
		snprintf(text, 32, "any -> %u", a->actual);
	else
		snprintf(text, 32, "%u -> %u", a->requested, a->actual);
	return text;
}

char *show_cause(char *text, const struct ps_assignment *a)
{
	text[0] = '\0';
	if (a->cause == EACCES)
		snprintf(text, 64, "%u needs a privilege", a->requested);
	else if (a->cause == EADDRINUSE)
		snprintf(text, 64, "%u was taken", a->requested);
	return text;
}

const char *show_reason(enum ps_reason reason)
{
	switch (reason) {
	case PS_REASON_REQUESTED:
		return "the port that was asked for";
	case PS_REASON_PREFERRED:
		return "another of the service's own ports";
	case PS_REASON_STICKY:
		return "the one it had last time";
	case PS_REASON_RANGE:
		return "the next free one of the service's range";
	case PS_REASON_DEFAULT:
		return "a free one of the default range";
	case PS_REASON_OS:
		return "chosen by the kernel";
	case PS_REASON_EPHEMERAL:
		return "any port was asked for";
	case PS_REASON_INHERITED:
		return "that of the service which it inherits from";
	case PS_REASON_DETECTED:
		return "it runs there without portshim";
	case PS_REASON_YIELDED:
		return "the port that was asked for, and another run yielded it";
	}
	return "";
}

void show_field(const char *name, const char *text)
{
	char clean[512];

	if (text[0])
		printf("  %-12s %s\n", name, output_clean(clean, sizeof(clean), text));
}

void show_process(const struct ps_holder *h, const char *environment)
{
	char text[PS_PATH_MAX], age[24];

	show_field("command", h->line);
	show_field("user", h->user);
	show_field("directory", output_path(text, sizeof(text), h->directory));
	if (environment)
		show_field("environment", environment);
	if (h->started) {
		snprintf(text, sizeof(text), "%s ago", output_since(age, h->started));
		show_field("started", text);
	}
}
