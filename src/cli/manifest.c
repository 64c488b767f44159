/*
 * manifest.c - ports.manifest.json: from the file to the manifest.
 *
 * Theory of operation
 *
 * Reading goes in steps, each on the result of the one before: the text is checked and its places noted (json_text.c),
 * cJSON builds the tree, manifest_raw.c checks every value, manifest_judge.c what they mean together; if nothing was
 * found, the services under the wanted profile are copied out of the tree into struct ps_manifest. So everything here
 * may rely on values that are right, and after the load nothing of the JSON is left.
 *
 * The plan is made by manifest_plan.c.
 */
#include "manifest.h"

#include <portshim/discovery.h>
#include <portshim/kernel.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "manifest_files.h"
#include "manifest_health.h"
#include "manifest_raw.h"
#include "manifest_template.h"
#include "manifest_value.h"

#define TOLD_MAX 5
#define HOST "localhost"

/* ---- reading the file ---- */

/* Reads a whole file with a NUL behind it. Returns 0 or an errno. */
static int read_file(const char *path, char **text, size_t *size)
{
	size_t room = 0, used = 0;
	char *buffer = NULL;
	struct stat st;
	int error = 0, fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return errno;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size < PS_JSON_SIZE_MAX)
		room = (size_t)st.st_size;
	/* One byte more than the limit is read, and refused by json_text_check. */
	while (used <= PS_JSON_SIZE_MAX) {
		ssize_t n;

		if (!buffer || used == room) {
			char *bigger;

			room = buffer ? room * 2 : room + 4096;
			bigger = realloc(buffer, room + 1);
			if (!bigger) {
				error = ENOMEM;
				break;
			}
			buffer = bigger;
		}
		n = read(fd, buffer + used, room - used);
		if (n > 0) {
			used += (size_t)n;
		} else if (n == 0) {
			break;
		} else if (errno != EINTR) {
			error = errno;
			break;
		}
	}
	close(fd);
	if (error) {
		free(buffer);
		return error;
	}
	buffer[used] = '\0';
	*text = buffer;
	*size = used;
	return 0;
}

/* The directory that a path lies in, resolved, and where in the path its last part begins. */
static int resolve_parent(const char *path, char *directory, const char **name)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX], resolved[PATH_MAX];
	size_t length = slash ? (size_t)(slash - path) : 0;

	if (length >= sizeof(parent))
		return -ENAMETOOLONG;
	if (!slash)
		snprintf(parent, sizeof(parent), ".");
	else
		snprintf(parent, sizeof(parent), "%.*s", length ? (int)length : 1, path);
	if (!realpath(parent, resolved))
		return -errno;
	if (strlen(resolved) >= PS_PATH_MAX)
		return -ENAMETOOLONG;
	strcpy(directory, resolved);
	*name = slash ? slash + 1 : path;
	return 0;
}

int manifest_directory(const char *path, char *directory)
{
	const char *name;
	char *slash;
	int error = resolve_parent(path, directory, &name);

	if (error)
		return error;
	slash = strrchr(directory, '/');
	if (strcmp(slash, "/config") == 0)
		slash[slash == directory] = '\0';
	return 0;
}

/* ---- findings ---- */

void diagnostics_free(struct ps_diagnostics *diagnostics)
{
	for (size_t i = 0; i < diagnostics->count; i++) {
		free(diagnostics->list[i].path);
		free(diagnostics->list[i].text);
		free(diagnostics->list[i].hint);
	}
	free(diagnostics->list);
	*diagnostics = (struct ps_diagnostics){ 0 };
}

static void add_fault(struct ps_raw *raw, const struct ps_json_fault *fault)
{
	struct ps_diagnostic *d = calloc(1, sizeof(*d));

	if (!d) {
		raw->memory = true;
		return;
	}
	json_text_position(&raw->text, fault->offset, &d->line, &d->column);
	d->code = fault->code;
	d->path = strdup("");
	d->text = strdup(fault->text);
	d->hint = fault->hint[0] ? strdup(fault->hint) : NULL;
	raw->found.list = d;
	raw->found.count = 1;
	raw->memory = raw->memory || !d->path || !d->text || (fault->hint[0] && !d->hint);
}

static int by_place(const void *a, const void *b)
{
	const struct ps_diagnostic *x = a, *y = b;

	return x->line != y->line ? (x->line > y->line) - (x->line < y->line)
				  : (x->column > y->column) - (x->column < y->column);
}

/* Tells the first findings in an error. */
static int tell(struct ps_error *error, const char *path, const struct ps_diagnostics *found)
{
	char text[sizeof(error->text)] = "";
	size_t shown = found->count < TOLD_MAX ? found->count : TOLD_MAX;

	for (size_t i = 0; i < shown; i++) {
		const struct ps_diagnostic *d = &found->list[i];
		size_t used = strlen(text);
		bool hint = d->hint && found->count > 1;

		snprintf(text + used, sizeof(text) - used, "%s%.256s:%d:%d: %s%s%s%s%s%s", i ? "\n" : "", path, d->line,
			 d->column, d->path, d->path[0] ? ": " : "", d->text, hint ? " (" : "", hint ? d->hint : "",
			 hint ? ")" : "");
	}
	error_set(error, PS_EXIT_SYSTEM, "%s", text);
	if (found->count == 1 && found->list[0].hint)
		error_hint(error, "%s", found->list[0].hint);
	else if (found->count > shown)
		error_hint(error, "there are %zu findings in all; see `portshim validate %s`", found->count, path);
	else
		error_hint(error, "once that is mended, `portshim validate` says whether all is right");
	return error->code;
}

/* ---- from the tree to the manifest ---- */

struct builder {
	const struct ps_raw *raw;
	const struct ps_raw_profile *profile;
	struct ps_manifest *manifest;
	bool memory;
};

static char *copy(struct builder *b, const char *text)
{
	char *result = strdup(text);

	if (!result)
		b->memory = true;
	return result;
}

static char *copy_value(struct builder *b, const cJSON *value)
{
	return value ? copy(b, value->valuestring) : NULL;
}

static char *copy_path(struct builder *b, const cJSON *value)
{
	char *path = value ? manifest_judge_path(b->raw, value->valuestring) : NULL;

	if (value && !path)
		b->memory = true;
	return path;
}

static void *make(struct builder *b, size_t count, size_t size)
{
	void *p = calloc(count + 1, size);

	if (!p)
		b->memory = true;
	return p;
}

static size_t count_children(const cJSON *parent)
{
	size_t count = 0;

	for (const cJSON *item = parent ? parent->child : NULL; item; item = item->next)
		count++;
	return count;
}

static uint8_t strategy_of(const cJSON *value, uint8_t otherwise)
{
	if (!value)
		return otherwise;
	if (strcmp(value->valuestring, "minimal") == 0)
		return PS_MINIMAL;
	return strcmp(value->valuestring, "conservative") == 0 ? PS_CONSERVATIVE : PS_AGGRESSIVE;
}

static uint8_t report_of(const cJSON *value, uint8_t otherwise)
{
	if (!value)
		return otherwise;
	return strcmp(value->valuestring, "actual") == 0 ? PS_REPORT_ACTUAL : PS_REPORT_REQUESTED;
}

static bool bool_of(const cJSON *value, bool otherwise)
{
	return value ? cJSON_IsTrue(value) : otherwise;
}

static void build_ports(struct builder *b, struct ps_manifest_service *s, const struct ps_raw_service *raw)
{
	size_t count = 0;

	for (const cJSON *item = NULL; (item = manifest_judge_port_item(raw, item)) != NULL;)
		count++;
	if (!count)
		return;
	s->ports = make(b, count, sizeof(*s->ports));
	for (const cJSON *item = NULL; s->ports && (item = manifest_judge_port_item(raw, item)) != NULL;)
		s->ports[s->port_count++] = (uint16_t)manifest_judge_port(b->profile, raw, item);
}

static void build_env(struct builder *b, struct ps_manifest_service *s, const cJSON *value)
{
	if (!value)
		return;
	s->env = make(b, count_children(value), sizeof(*s->env));
	for (const cJSON *item = value->child; s->env && item; item = item->next) {
		struct ps_manifest_env *env = &s->env[s->env_count++];

		env->own = cJSON_IsArray(value) || cJSON_IsTrue(item);
		env->name = copy(b, item->string ? item->string : item->valuestring);
		env->template = copy(b, env->own ? "{port}" : item->valuestring);
	}
}

static void build_conflicts(struct builder *b, struct ps_manifest_service *s, const cJSON *value)
{
	if (!value)
		return;
	s->conflicts = make(b, count_children(value), sizeof(*s->conflicts));
	for (const cJSON *item = value->child; s->conflicts && item; item = item->next)
		s->conflicts[s->conflict_count++] = copy(b, item->valuestring);
}

static void build_match(struct builder *b, struct ps_manifest_service *s, const cJSON *value)
{
	if (!value)
		return;
	s->match_command = copy_value(b, cJSON_GetObjectItemCaseSensitive(value, "command"));
	s->match_args = copy_value(b, cJSON_GetObjectItemCaseSensitive(value, "args"));
	s->match_directory = copy_path(b, cJSON_GetObjectItemCaseSensitive(value, "directory"));
}

static void build_service(struct builder *b, struct ps_manifest_service *s, const struct ps_raw_service *raw)
{
	const cJSON *const *value = raw->value;
	const struct ps_manifest *m = b->manifest;
	long first, last;

	s->name = copy(b, raw->object->string);
	s->inherits = s->root = -1;
	if (value[PS_KEY_INHERIT]) {
		const char *name = value[PS_KEY_INHERIT]->valuestring;

		s->inherit = copy(b, name);
		s->inherits = (int)manifest_raw_service(b->raw, name, strlen(name));
	}
	build_ports(b, s, raw);
	if (manifest_judge_range(b->raw, b->profile, raw, &first, &last)) {
		s->range_first = (uint16_t)first;
		s->range_last = (uint16_t)last;
	}
	s->from = copy_value(b, value[PS_KEY_FROM]);
	s->scheme = copy_value(b, value[PS_KEY_SCHEME]);
	build_match(b, s, value[PS_KEY_MATCH]);
	s->discovery = copy_path(b, value[PS_KEY_DISCOVERY]);
	build_env(b, s, value[PS_KEY_ENV]);
	build_conflicts(b, s, value[PS_KEY_CONFLICTS]);
	if (!manifest_health_build(&s->health, value[PS_KEY_HEALTH]))
		b->memory = true;
	s->protocols = (uint8_t)manifest_judge_protocols(value[PS_KEY_PROTOCOL]);
	s->external = bool_of(value[PS_KEY_EXTERNAL], false);
	s->report = report_of(value[PS_KEY_REPORT], m->report);
	s->strategy = strategy_of(value[PS_KEY_STRATEGY], m->strategy);
	s->os = bool_of(value[PS_KEY_OS], m->os);
	s->fallback = bool_of(value[PS_KEY_FALLBACK], m->fallback);
	s->yields = bool_of(value[PS_KEY_YIELDS], m->yields);
}

static void build_defaults(const struct ps_raw *raw, struct ps_manifest *m)
{
	m->report = report_of(raw->report, PS_REPORT_ACTUAL);
	m->strategy = strategy_of(raw->strategy, PS_MINIMAL);
	m->os = bool_of(raw->os, true);
	m->fallback = bool_of(raw->fallback, true);
	m->yields = bool_of(raw->yields, false);
	m->default_first = plan_rules(NULL, 0, NULL).default_first;
	m->default_last = plan_rules(NULL, 0, NULL).default_last;
	if (raw->range && !manifest_value_parse_span(raw->range->valuestring, &m->default_first, &m->default_last)) {
		const struct ps_raw_range *range = &raw->ranges[manifest_raw_range(raw, raw->range->valuestring)];

		m->default_first = range->first;
		m->default_last = range->last;
	}
}

/* Every service's root, and what a service that inherits has in common with it. A walk ends where another one has been.
 */
static void build_heirs(struct ps_manifest *m)
{
	for (size_t i = 0; i < m->service_count; i++) {
		int at = (int)i, root;

		while (m->services[at].root < 0 && m->services[at].inherits >= 0)
			at = m->services[at].inherits;
		root = m->services[at].root < 0 ? at : m->services[at].root;
		for (at = (int)i; at >= 0 && m->services[at].root < 0; at = m->services[at].inherits)
			m->services[at].root = root;
	}
	for (size_t i = 0; i < m->service_count; i++) {
		struct ps_manifest_service *s = &m->services[i];
		const struct ps_manifest_service *root = manifest_root(m, s);

		s->protocols = root->protocols;
		s->external = root->external;
		s->report = root->report;
		s->strategy = root->strategy;
		s->os = root->os;
		s->fallback = root->fallback;
		s->yields = root->yields;
	}
}

static void build_allocations(struct builder *b, struct ps_manifest *m)
{
	const struct ps_raw *raw = b->raw;

	m->allocations = make(b, raw->allocation_count, sizeof(*m->allocations));
	for (size_t i = 0; m->allocations && i < raw->allocation_count; i++) {
		struct ps_manifest_allocate *a = &m->allocations[m->allocation_count++];
		const cJSON *avoid = raw->allocations[i].avoid;

		a->name = copy(b, raw->allocations[i].item->string);
		a->base = (uint16_t)raw->allocations[i].base->valuedouble;
		a->avoid = avoid ? make(b, count_children(avoid), sizeof(*a->avoid)) : NULL;
		for (const cJSON *item = avoid ? avoid->child : NULL; a->avoid && item; item = item->next)
			a->avoid[a->avoid_count++] = (uint16_t)item->valuedouble;
	}
}

static struct ps_manifest *build(const struct ps_raw *raw, const struct ps_raw_profile *profile)
{
	struct ps_raw_service *view = calloc(raw->service_count + 1, sizeof(*view));
	struct builder b = { .raw = raw, .profile = profile };
	struct ps_manifest *m = b.manifest = calloc(1, sizeof(*m));

	if (!m || !view)
		goto fail;
	build_defaults(raw, m);
	m->path = copy(&b, raw->path);
	m->project = copy_value(&b, raw->project);
	m->profile = profile ? copy(&b, profile->object->string) : NULL;
	m->services = make(&b, raw->service_count, sizeof(*m->services));
	build_allocations(&b, m);
	m->by_name = make(&b, raw->service_count, sizeof(*m->by_name));
	if (b.memory)
		goto fail;
	manifest_judge_view(raw, profile, view);
	for (size_t i = 0; i < raw->service_count; i++) {
		build_service(&b, &m->services[m->service_count++], &view[i]);
		m->by_name[i] = raw->service_names[i].index;
	}
	if (b.memory || !manifest_files_build(raw, m))
		goto fail;
	build_heirs(m);
	free(view);
	return m;
fail:
	free(view);
	manifest_free(m);
	return NULL;
}

void manifest_free(struct ps_manifest *manifest)
{
	if (!manifest)
		return;
	for (size_t i = 0; i < manifest->service_count; i++) {
		struct ps_manifest_service *s = &manifest->services[i];

		free(s->name);
		free(s->ports);
		free(s->inherit);
		free(s->from);
		for (size_t k = 0; k < s->source_count; k++) {
			free(s->sources[k].directory);
			free(s->sources[k].profile);
		}
		free(s->sources);
		free(s->scheme);
		free(s->match_command);
		free(s->match_args);
		free(s->match_directory);
		free(s->discovery);
		for (size_t k = 0; k < s->env_count; k++) {
			free(s->env[k].name);
			free(s->env[k].template);
		}
		free(s->env);
		for (size_t k = 0; k < s->conflict_count; k++)
			free(s->conflicts[k]);
		free(s->conflicts);
		free(s->health.path);
	}
	manifest_files_free(manifest);
	for (size_t i = 0; i < manifest->allocation_count; i++) {
		free(manifest->allocations[i].name);
		free(manifest->allocations[i].avoid);
	}
	free(manifest->allocations);
	free(manifest->services);
	free(manifest->by_name);
	free(manifest->path);
	free(manifest->project);
	free(manifest->profile);
	free(manifest);
}

/* ---- loading ---- */

/* Finds out what is wrong. False if memory ran out. */
static void judge(struct ps_raw *raw)
{
	struct ps_json_fault fault;

	if (!json_text_check(&raw->text, &fault)) {
		add_fault(raw, &fault);
		return;
	}
	raw->root = json_text_build(&raw->text);
	if (!raw->root) {
		raw->memory = true;
		return;
	}
	manifest_raw_read(raw);
	if (!raw->memory && cJSON_IsObject(raw->root))
		manifest_judge(raw);
	if (raw->found.count > 1)
		qsort(raw->found.list, raw->found.count, sizeof(*raw->found.list), by_place);
}

static int no_profile(const struct ps_raw *raw, const char *profile, struct ps_error *error)
{
	const char **names = calloc(raw->profile_count + 1, sizeof(*names)), *near = NULL;
	char list[512] = "";

	for (size_t i = 0; names && i < raw->profile_count; i++) {
		size_t used = strlen(list);

		names[i] = raw->profiles[i].object->string;
		snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "", names[i]);
	}
	if (names)
		near = error_suggest(profile, names, (unsigned)raw->profile_count);
	error_set(error, PS_EXIT_USAGE, "there is no profile `%s` in %s", profile, raw->path);
	if (near)
		error_hint(error, "did you mean `%s`?", near);
	else if (raw->profile_count)
		error_hint(error, "its profiles are %s", list);
	else
		error_hint(error, "it has no profiles; see portshim-manifest(5)");
	free(names);
	return error->code;
}

static const struct ps_raw_profile *find_profile(const struct ps_raw *raw, const char *name)
{
	for (size_t i = 0; i < raw->profile_count; i++) {
		if (strcmp(raw->profiles[i].object->string, name) == 0)
			return &raw->profiles[i];
	}
	return NULL;
}

const char manifest_by_variables[] = "";

/* An empty variable counts as one that is not set. */
static bool fits_variables(const cJSON *when)
{
	for (const cJSON *item = when->child; item; item = item->next) {
		const char *value = getenv(item->string);

		if (!value || !*value || !plan_glob(item->valuestring, value))
			return false;
	}
	return true;
}

const struct ps_raw_profile *manifest_raw_by_variables(const struct ps_raw *raw)
{
	for (size_t i = 0; i < raw->profile_count; i++)
		if (raw->profiles[i].when && fits_variables(raw->profiles[i].when))
			return &raw->profiles[i];
	return NULL;
}

static int load(struct ps_manifest **manifest, struct ps_raw *raw, const char *profile, struct ps_error *error)
{
	const struct ps_raw_profile *under = NULL;
	const char *name = "";
	int number = read_file(raw->path, &raw->text.text, &raw->text.size);

	if (number) {
		error_set(error, PS_EXIT_SYSTEM, "cannot read the manifest %s: %s", raw->path, strerror(number));
		return error_hint(error, "%s", number == ENOENT ? "is the path right?" :
				  "a manifest is a file that you may read; --manifest can name another one");
	}
	number = manifest_directory(raw->path, raw->directory);
	if (!number)
		number = resolve_parent(raw->path, raw->file, &name);
	if (!number && strlen(raw->file) + strlen(name) + 2 > sizeof(raw->file))
		number = -ENAMETOOLONG;
	if (number)
		return error_set(error, PS_EXIT_SYSTEM, "cannot tell where %s lies: %s", raw->path, strerror(-number));
	if (raw->file[1])
		strcat(raw->file, "/");
	strcat(raw->file, name);

	judge(raw);
	if (raw->memory)
		return error_set(error, PS_EXIT_SYSTEM, "out of memory");
	if (raw->found.count)
		return tell(error, raw->path, &raw->found);
	if (profile == manifest_by_variables) {
		under = manifest_raw_by_variables(raw);
	} else if (profile) {
		under = find_profile(raw, profile);
		if (!under)
			return no_profile(raw, profile, error);
	}
	*manifest = build(raw, under);
	return *manifest ? 0 : error_set(error, PS_EXIT_SYSTEM, "out of memory");
}

int manifest_load(struct ps_manifest **manifest, const char *path, const char *profile,
		  struct ps_diagnostics *diagnostics, struct ps_error *error)
{
	return manifest_examine(manifest, path, profile, diagnostics, NULL, NULL, error);
}

int manifest_examine(struct ps_manifest **manifest, const char *path, const char *profile,
		     struct ps_diagnostics *diagnostics, manifest_look *look, void *context, struct ps_error *error)
{
	struct ps_raw raw = { .path = path };
	struct ps_manifest *loaded = NULL;
	int code = load(&loaded, &raw, profile, error);

	if (!code && look)
		look(&raw, context);
	if (!code && manifest)
		*manifest = loaded;
	else
		manifest_free(loaded);
	if (raw.memory || !diagnostics)
		diagnostics_free(&raw.found);
	if (diagnostics)
		*diagnostics = raw.found;
	manifest_raw_free(&raw);
	return code;
}

/* ---- looking things up ---- */

static const struct ps_manifest_service *find_service(const struct ps_manifest *manifest, const char *name,
						      size_t length)
{
	size_t low = 0, high = manifest->service_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct ps_manifest_service *s = &manifest->services[manifest->by_name[middle]];
		int order = strncmp(s->name, name, length);

		if (order == 0 && s->name[length] == '\0')
			return s;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct ps_manifest_service *manifest_service(const struct ps_manifest *manifest, const char *name)
{
	return find_service(manifest, name, strlen(name));
}

const struct ps_manifest_service *manifest_root(const struct ps_manifest *manifest,
						const struct ps_manifest_service *service)
{
	return &manifest->services[service->root];
}

/* ---- templates ---- */

/* What a piece stands for; `text` holds 128 bytes. */
static void expand_field(const struct ps_manifest *manifest, enum ps_piece_kind kind,
			 const struct ps_manifest_service *service, char *text)
{
	static const uint8_t no_address[16];
	const struct ps_manifest_service *root = manifest_root(manifest, service);

	if (kind == PS_PIECE_HOST)
		strcpy(text, HOST);
	else if (kind == PS_PIECE_URL)
		discovery_url(text, service->scheme ? service->scheme : root->scheme, root->protocols, no_address,
			      PS_AT_ANY4, root->ports[0]);
	else
		snprintf(text, 128, "%u", root->ports[0]);
}

static const struct ps_manifest_service *piece_service(const struct ps_manifest *manifest, const struct ps_piece *piece,
						       const struct ps_manifest_service *own)
{
	return piece->name ? find_service(manifest, piece->name, piece->name_length) : own;
}

struct expansion {
	char *text;
	size_t length, room;
};

/* False if memory ran out. A stream of open_memstream would cost more than all else here. */
static bool append(struct expansion *e, const char *text, size_t length)
{
	if (e->length + length >= e->room) {
		size_t room = (e->length + length + 64) * 2;
		char *bigger = realloc(e->text, room);

		if (!bigger)
			return false;
		e->text = bigger;
		e->room = room;
	}
	memcpy(e->text + e->length, text, length);
	e->length += length;
	e->text[e->length] = '\0';
	return true;
}

char *manifest_expand(const struct ps_manifest *manifest, const struct ps_manifest_service *service,
		      const char *template, struct ps_error *error)
{
	struct expansion e = { 0 };
	const char *at = template;
	struct ps_piece piece;
	bool good = append(&e, "", 0);

	while (good && (piece = manifest_template_next(&at)).kind != PS_PIECE_END) {
		const struct ps_manifest_service *meant = piece_service(manifest, &piece, service);
		char text[128];

		if (piece.kind == PS_PIECE_BAD || !meant) {
			error_set(error, PS_EXIT_SYSTEM, "`%.*s` is wrong in the template \"%s\"", (int)piece.length,
				  piece.text, template);
			free(e.text);
			return NULL;
		}
		if (piece.kind == PS_PIECE_TEXT) {
			good = append(&e, piece.text, piece.length);
		} else {
			expand_field(manifest, piece.kind, meant, text);
			good = append(&e, text, strlen(text));
		}
	}
	if (good)
		return e.text;
	error_set(error, PS_EXIT_SYSTEM, "out of memory");
	free(e.text);
	return NULL;
}
