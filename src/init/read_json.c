/*
 * read_json.c - package.json, devcontainer.json and launch.json.
 *
 * Theory of operation: package.json is read at the top and one folder below, or two below the folders in which
 * workspaces keep their packages. Of its scripts only those count that people start a server with; of its dependencies
 * only if no script tells. The editors' files have comments, and commas before a closing bracket.
 */
#include "init.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "../cli/json_text.h"

#define PACKAGES_MAX 200

struct document {
	struct ps_json_text text;
	cJSON *root; /* NULL: not there, or left out */
	const char *file;
};

static void open_document(struct ps_init *init, struct document *d, const char *file, bool commas)
{
	struct ps_json_fault fault;
	int line, column;

	memset(d, 0, sizeof(*d));
	d->file = file;
	d->text.commas = commas;
	d->text.text = init_file(init, file, &d->text.size);
	if (!d->text.text)
		return;
	if (!json_text_check(&d->text, &fault)) {
		json_text_position(&d->text, fault.offset, &line, &column);
		init_left_out(init, file, line, fault.text);
		return;
	}
	d->root = json_text_build(&d->text);
	if (!d->root)
		init->failed = true;
}

static void place(const struct document *d, const cJSON *item, struct ps_init_found *found)
{
	found->file = d->file;
	json_text_position(&d->text, d->text.places[item->valueint].value, &found->line, &found->column);
}

/* ---- package.json ---- */

static bool serves(const char *script)
{
	static const char *const names[] = { "dev", "start", "serve", "develop", "server", "preview", "storybook",
					    "watch", "api",
					     "web" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t length = strlen(names[i]);

		/* Also "dev:web" and "start-api". */
		if (strncmp(script, names[i], length) == 0 && (!script[length] || strchr(":-", script[length])))
			return true;
	}
	return false;
}

static void read_package(struct ps_init *init, const char *file, const char *folder)
{
	static const char *const kinds[] = { "dependencies", "devDependencies" };
	struct ps_init_found found = { .rank = PS_INIT_SCRIPT };
	struct document d;
	const cJSON *item, *name;
	bool any = false, started = false;
	char what[256];

	open_document(init, &d, file, false);
	if (!cJSON_IsObject(d.root))
		goto out;
	name = cJSON_GetObjectItemCaseSensitive(d.root, "name");
	if (!folder && cJSON_IsString(name)) {
		const char *slash = strrchr(name->valuestring, '/');

		init_name(init->project, slash ? slash + 1 : name->valuestring);
	}
	found.name = folder;
	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(d.root, "scripts")) {
		if (!cJSON_IsString(item) || !serves(item->string))
			continue;
		started = true;
		place(&d, item, &found);
		snprintf(what, sizeof(what), "script %.100s", item->string);
		found.what = what;
		any = init_command(init, item->valuestring, &found) || any;
	}
	for (unsigned i = 0; i < 2 && started && !any; i++) {
		cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(d.root, kinds[i])) {
			uint16_t port = init_dependency(item->string);

			if (!port)
				continue;
			place(&d, item, &found);
			snprintf(what, sizeof(what), "the default of %.100s", item->string);
			found.what = what;
			found.port = port;
			if (!folder)
				found.name = "web";
			init_add(init, &found);
		}
	}
out:
	json_text_free(&d.text);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The folders of one, sorted; hidden ones and node_modules are none. */
static char **folders(const char *directory, const char *below, size_t *count)
{
	char path[4096], **list = calloc(PACKAGES_MAX, sizeof(*list));
	struct dirent *entry;
	DIR *stream;

	*count = 0;
	snprintf(path, sizeof(path), "%s/%s", directory, below);
	stream = list ? opendir(path) : NULL;
	while (stream && *count < PACKAGES_MAX && (entry = readdir(stream))) {
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, "node_modules") == 0 ||
		    (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN))
			continue;
		list[*count] = strdup(entry->d_name);
		if (list[*count])
			++*count;
	}
	if (stream)
		closedir(stream);
	if (list)
		qsort(list, *count, sizeof(*list), by_name);
	return list;
}

static void read_below(struct ps_init *init, const char *below, bool deeper)
{
	static const char *const workspaces[] = { "apps", "packages", "services" };
	size_t count;
	char **list = folders(init->directory, below, &count);

	for (size_t i = 0; i < count; i++) {
		char file[1024];

		snprintf(file, sizeof(file), "%s%s%s/package.json", below, *below ? "/" : "", list[i]);
		read_package(init, file, list[i]);
		for (size_t k = 0; k < 3 && deeper; k++)
			if (strcmp(list[i], workspaces[k]) == 0)
				read_below(init, list[i], false);
		free(list[i]);
	}
	free(list);
}

void init_packages(struct ps_init *init)
{
	read_package(init, "package.json", NULL);
	read_below(init, "", true);
}

/* ---- editors ---- */

static void read_forward(struct ps_init *init, const struct document *d, const cJSON *item, const cJSON *attributes)
{
	struct ps_init_found found = { .rank = PS_INIT_LAUNCH, .what = "forwardPorts" };
	const cJSON *own, *label, *protocol;
	char key[32], host[PS_INIT_NAME] = "";

	place(d, item, &found);
	if (cJSON_IsNumber(item) && item->valuedouble >= 1 && item->valuedouble <= 65535) {
		found.port = (long)item->valuedouble;
		snprintf(key, sizeof(key), "%ld", found.port);
	} else if (cJSON_IsString(item) && strchr(item->valuestring, ':') && strlen(item->valuestring) < sizeof(key)) {
		const char *colon = strrchr(item->valuestring, ':');

		snprintf(key, sizeof(key), "%s", item->valuestring);
		snprintf(host, sizeof(host), "%.*s", (int)(colon - item->valuestring), item->valuestring);
		found.port = strtol(colon + 1, NULL, 10);
		found.container = true;
	}
	if (!found.port)
		return;
	own = cJSON_GetObjectItemCaseSensitive(attributes, key);
	label = cJSON_GetObjectItemCaseSensitive(own, "label");
	protocol = cJSON_GetObjectItemCaseSensitive(own, "protocol");
	if (host[0] && strcmp(host, "localhost") != 0)
		found.name = host;
	if (cJSON_IsString(label)) {
		found.name = label->valuestring;
		found.rank = PS_INIT_LABEL;
	}
	if (cJSON_IsString(protocol) && strcmp(protocol->valuestring, "https") == 0)
		found.scheme = "https";
	init_add(init, &found);
}

static void read_devcontainer(struct ps_init *init, const char *file)
{
	struct document d;
	const cJSON *item, *attributes;

	open_document(init, &d, file, true);
	if (cJSON_IsObject(d.root)) {
		attributes = cJSON_GetObjectItemCaseSensitive(d.root, "portsAttributes");
		cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(d.root, "forwardPorts")) {
			read_forward(init, &d, item, attributes);
		}
	}
	json_text_free(&d.text);
}

/* Ports of debuggers are no services. */
static void read_configuration(struct ps_init *init, const struct document *d, const cJSON *configuration)
{
	const cJSON *name = cJSON_GetObjectItemCaseSensitive(configuration, "name"), *item;
	const cJSON *url = cJSON_GetObjectItemCaseSensitive(configuration, "url");
	struct ps_init_found found = { .rank = PS_INIT_URL };
	char what[256], scheme[14], *end;

	snprintf(what, sizeof(what), "launch configuration%s%.100s", cJSON_IsString(name) ? " " : "",
		 cJSON_IsString(name) ? name->valuestring : "");
	found.what = what;
	if (cJSON_IsString(url)) {
		place(d, url, &found);
		found.port = init_url(url->valuestring, scheme);
		found.scheme = scheme;
		init_add(init, &found);
	}
	found.scheme = NULL;
	cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(configuration, "env")) {
		size_t length = strlen(item->string);

		if (!cJSON_IsString(item) || length < 4 || strcmp(item->string + length - 4, "PORT") != 0)
			continue;
		found.rank = PS_INIT_VARIABLE;
		found.name = cJSON_IsString(name) ? name->valuestring : NULL;
		found.port = strtol(item->valuestring, &end, 10);
		if (*end)
			continue;
		place(d, item, &found);
		init_add(init, &found);
	}
}

void init_editors(struct ps_init *init)
{
	struct document d;
	const cJSON *item;

	read_devcontainer(init, ".devcontainer/devcontainer.json");
	read_devcontainer(init, ".devcontainer.json");
	open_document(init, &d, ".vscode/launch.json", true);
	if (cJSON_IsObject(d.root)) {
		cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(d.root, "configurations")) {
			read_configuration(init, &d, item);
		}
	}
	json_text_free(&d.text);
}
