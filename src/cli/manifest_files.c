/*
 * manifest_files.c - the key "files" of a manifest.
 *
 * Theory of operation: an entry names a file, or one for each profile if its path has {profile} in it, and maps places
 * in it (src/place) to services. The steps are those of the other keys: single values here (manifest_files_read, which
 * the JSON Schema says too), then what they mean together (manifest_files_judge), then the copy without the JSON.
 *
 * Which profiles an entry is for: those in "profiles", where "" is the manifest without a profile. Where it does not
 * say: all of them if the path has {profile}, also none if it says what that is called then, {profile:-development};
 * and none alone if the path has no {profile}. So no two of them write one path, except by different entries.
 */
#include "manifest_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../place/place_file.h"
#include "manifest_value.h"
#include "output.h"

#define PROFILE "{profile"
#define QUOTE_MAX 80

enum { FIELD_PATH, FIELD_FORMAT, FIELD_PROFILES, FIELD_SET, FIELD_COUNT };

/* ---- single values ---- */

/* The {profile} at `text`: its length, and what it is without a profile (NULL: not said). 0 if there is none. */
static size_t profile_length(const char *text, const char **otherwise, size_t *otherwise_length)
{
	size_t length = strlen(PROFILE);
	const char *end;

	*otherwise = NULL;
	*otherwise_length = 0;
	if (strncmp(text, PROFILE, length) != 0)
		return 0;
	if (text[length] == '}')
		return length + 1;
	end = strchr(text, '}');
	if (strncmp(text + length, ":-", 2) != 0 || !end)
		return 0;
	*otherwise = text + length + 2;
	*otherwise_length = (size_t)(end - *otherwise);
	return (size_t)(end - text) + 1;
}

static bool good_template(const char *path)
{
	while (*path) {
		const char *otherwise;
		size_t name, length = profile_length(path, &otherwise, &name);
		char text[PS_NAME_MAX + 1];

		if (otherwise && length) {
			snprintf(text, sizeof(text), "%.*s", (int)(name > PS_NAME_MAX ? PS_NAME_MAX : name), otherwise);
			if (!manifest_value_is_name(text))
				return false;
		}
		if (!length && (*path == '{' || *path == '}'))
			return false;
		path += length ? length : 1;
	}
	return true;
}

/* Below the project, and naming a file. */
static bool inside(const char *path)
{
	const char *last = strrchr(path, '/');

	last = last ? last + 1 : path;
	if (path[0] == '/' || *last == '\0' || strcmp(last, ".") == 0)
		return false;
	for (const char *at = path; at; at = strchr(at, '/') ? strchr(at, '/') + 1 : NULL) {
		if (strncmp(at, "..", 2) == 0 && (at[2] == '/' || at[2] == '\0'))
			return false;
	}
	return true;
}

static bool check_path(struct ps_raw *raw, const cJSON *item)
{
	if (!manifest_value_clean(raw, item, "the path of a file"))
		return false;
	if (!inside(item->valuestring))
		return manifest_value_bad(raw, item, "bad-path", "the path of a file below the project's directory",
					  strstr(item->valuestring, "..")
						  ? "a manifest changes files of its own project only"
						  : NULL);
	return good_template(item->valuestring) ||
	       manifest_value_bad(raw, item, "bad-path", "no braces but {profile} and {profile:-NAME}", NULL);
}

static bool check_format(struct ps_raw *raw, const cJSON *item)
{
	char expected[128] = "one of", hint[64];
	const char *near;

	for (unsigned i = 0; i < PS_PLACE_FORMAT_COUNT; i++) {
		size_t used = strlen(expected);

		if (cJSON_IsString(item) && strcmp(place_file_formats[i], item->valuestring) == 0)
			return true;
		snprintf(expected + used, sizeof(expected) - used, "%s \"%s\"", i ? "," : "", place_file_formats[i]);
	}
	if (!manifest_value_string(raw, item, expected))
		return false;
	near = error_suggest(item->valuestring, place_file_formats, PS_PLACE_FORMAT_COUNT);
	if (near)
		snprintf(hint, sizeof(hint), "did you mean \"%s\"?", near);
	return manifest_value_bad(raw, item, "bad-format", expected, near ? hint : NULL);
}

static bool check_set(struct ps_raw *raw, const cJSON *item)
{
	bool good = true;

	if (!cJSON_IsObject(item))
		return manifest_value_wrong_type(raw, item,
						 "an object of places and services, like {\"server.port\": \"web\"}",
						 NULL);
	if (!item->child)
		return manifest_value_bad(raw, item, "bad-value", "at least one place and its service", NULL);
	for (const cJSON *place = item->child; place; place = place->next) {
		if (!place->string[0]) {
			manifest_raw_report(raw, place, true, "bad-value", NULL, "a place cannot be empty");
			good = false;
		}
		good = manifest_value_service_name(raw, place) && good;
	}
	return manifest_raw_unique(raw, item, true) && good;
}

static const struct ps_raw_field fields[FIELD_COUNT] = {
	[FIELD_PATH] = { "path", check_path },
	[FIELD_FORMAT] = { "format", check_format },
	[FIELD_PROFILES] = { "profiles", manifest_value_profiles },
	[FIELD_SET] = { "set", check_set },
};

bool manifest_files_read(struct ps_raw *raw, const cJSON *item)
{
	const cJSON *values[FIELD_COUNT];
	bool good = true;

	if (!cJSON_IsArray(item))
		return manifest_value_wrong_type(raw, item, "an array of files",
						 cJSON_IsObject(item) ? "write [{...}]" : NULL);
	for (const cJSON *file = item->child; file; file = file->next) {
		good = manifest_raw_object(raw, file, "an object with \"path\" and \"set\"", fields, FIELD_COUNT,
					   values) &&
		       good;
		for (unsigned i = FIELD_PATH; cJSON_IsObject(file) && i <= FIELD_SET; i += FIELD_SET) {
			if (cJSON_GetObjectItemCaseSensitive(file, fields[i].name))
				continue;
			manifest_raw_report(raw, file, false, "missing-key", NULL, "the key \"%s\" is missing",
					    fields[i].name);
			good = false;
		}
	}
	if (good)
		raw->files = item;
	return good;
}

/* ---- together ---- */

static const cJSON *said(const cJSON *file, unsigned field)
{
	return cJSON_GetObjectItemCaseSensitive(file, fields[field].name);
}

static bool format_of(const cJSON *file, enum ps_place_format *format)
{
	const cJSON *item = said(file, FIELD_FORMAT);

	if (!item)
		return place_file_format(said(file, FIELD_PATH)->valuestring, format);
	for (unsigned i = 0; i < PS_PLACE_FORMAT_COUNT; i++) {
		if (strcmp(place_file_formats[i], item->valuestring) == 0)
			*format = (enum ps_place_format)i;
	}
	return true;
}

static bool has_profile(const struct ps_raw *raw, const char *name)
{
	for (size_t i = 0; i < raw->profile_count; i++) {
		if (strcmp(raw->profiles[i].object->string, name) == 0)
			return true;
	}
	return false;
}

/* Reports a name that nothing has. */
static void report_unknown(struct ps_raw *raw, const cJSON *item, const char *what, const char *const *names,
			   size_t count)
{
	const char *near = error_suggest(item->valuestring, names, (unsigned)count);
	char text[QUOTE_MAX], hint[128];

	if (near)
		snprintf(hint, sizeof(hint), "did you mean \"%s\"?", near);
	manifest_raw_report(raw, item, false, strcmp(what, "profile") == 0 ? "unknown-profile" : "unknown-service",
			    near ? hint : NULL, "there is no %s \"%s\"", what,
			    output_clean(text, sizeof(text), item->valuestring));
}

static void judge_profiles(struct ps_raw *raw, const cJSON *file, const char *const *names)
{
	const cJSON *path = said(file, FIELD_PATH), *list = said(file, FIELD_PROFILES);
	bool template = strstr(path->valuestring, PROFILE) != NULL;

	for (const cJSON *name = list ? list->child : NULL; name; name = name->next) {
		if (name->valuestring[0] && !has_profile(raw, name->valuestring))
			report_unknown(raw, name, "profile", names, raw->profile_count);
		if (!name->valuestring[0] && strstr(path->valuestring, PROFILE "}"))
			manifest_raw_report(raw, path, false, "unknown-profile", "write {profile:-NAME}",
					    "the path does not say what {profile} is without a profile");
	}
	if (!template && list && list->child && list->child->next)
		manifest_raw_report(raw, list, false, "same-file",
				    "write {profile} where their paths differ, or keep one profile",
				    "the path has no {profile}, so one file would have the ports of several profiles");
	if (template && !list && raw->profile_count == 0)
		manifest_raw_report(raw, path, false, "unknown-profile", "leave {profile} out, or add \"profiles\"",
				    "the path has {profile}, and the manifest has no profiles");
}

static void judge_file(struct ps_raw *raw, const cJSON *file, const char *const *services, const char *const *profiles)
{
	enum ps_place_format format = PS_PLACE_TEXT;
	char text[128], place[QUOTE_MAX];

	judge_profiles(raw, file, profiles);
	if (!format_of(file, &format)) {
		manifest_raw_report(raw, said(file, FIELD_PATH), false, "unknown-format",
				    "add \"format\": \"yaml\", \"json\", \"toml\", \"dotenv\", \"compose\" or \"text\"",
				    "the name does not tell the format of the file");
		return;
	}
	for (const cJSON *item = said(file, FIELD_SET)->child; item; item = item->next) {
		const char *why = place_file_check(format, item->string, text);

		if (why)
			manifest_raw_report(raw, item, true, "bad-place", NULL, "\"%s\" is no %s: %s",
					    output_clean(place, sizeof(place), item->string),
					    format == PS_PLACE_TEXT ? "pattern for a number" : "place in such a file",
					    why);
		if (manifest_raw_service(raw, item->valuestring, strlen(item->valuestring)) < 0)
			report_unknown(raw, item, "service", services, raw->service_count);
	}
}

void manifest_files_judge(struct ps_raw *raw)
{
	const char **services, **profiles;

	if (!raw->files)
		return;
	services = calloc(raw->service_count + 1, sizeof(*services));
	profiles = calloc(raw->profile_count + 1, sizeof(*profiles));
	if (!services || !profiles) {
		raw->memory = true;
		goto out;
	}
	for (size_t i = 0; i < raw->service_count; i++)
		services[i] = raw->services[i].object->string;
	for (size_t i = 0; i < raw->profile_count; i++)
		profiles[i] = raw->profiles[i].object->string;
	for (const cJSON *file = raw->files->child; file && raw->found.count < PS_DIAGNOSTICS_MAX; file = file->next)
		judge_file(raw, file, services, profiles);
out:
	free(services);
	free(profiles);
}

/* ---- the copy ---- */

static size_t count_children(const cJSON *parent)
{
	size_t count = 0;

	for (const cJSON *item = parent ? parent->child : NULL; item; item = item->next)
		count++;
	return count;
}

static bool build_file(const struct ps_raw *raw, const cJSON *item, struct ps_manifest_file *file)
{
	const cJSON *set = said(item, FIELD_SET), *profiles = said(item, FIELD_PROFILES);
	enum ps_place_format format = PS_PLACE_TEXT;
	bool good = true;

	format_of(item, &format);
	file->format = format;
	file->path = strdup(said(item, FIELD_PATH)->valuestring);
	json_text_position(&raw->text, raw->text.places[said(item, FIELD_PATH)->valueint].value, &file->line,
			   &file->column);
	file->places = calloc(count_children(set) + 1, sizeof(*file->places));
	file->profiles = calloc(count_children(profiles) + 1, sizeof(*file->profiles));
	if (!file->path || !file->places || !file->profiles)
		return false;
	for (const cJSON *name = profiles ? profiles->child : NULL; name && good; name = name->next) {
		file->profiles[file->profile_count] = strdup(name->valuestring);
		good = file->profiles[file->profile_count++] != NULL;
	}
	for (const cJSON *place = set->child; place && good; place = place->next) {
		struct ps_manifest_place *to = &file->places[file->place_count++];

		to->where = strdup(place->string);
		to->service = (size_t)manifest_raw_service(raw, place->valuestring, strlen(place->valuestring));
		good = to->where != NULL;
	}
	return good;
}

bool manifest_files_build(const struct ps_raw *raw, struct ps_manifest *manifest)
{
	manifest->profiles = calloc(raw->profile_count + 1, sizeof(*manifest->profiles));
	manifest->files = calloc(count_children(raw->files) + 1, sizeof(*manifest->files));
	if (!manifest->profiles || !manifest->files)
		return false;
	for (size_t i = 0; i < raw->profile_count; i++) {
		manifest->profiles[i] = strdup(raw->profiles[i].object->string);
		if (!manifest->profiles[i])
			return false;
		manifest->profile_count++;
	}
	for (const cJSON *item = raw->files ? raw->files->child : NULL; item; item = item->next) {
		if (!build_file(raw, item, &manifest->files[manifest->file_count++]))
			return false;
	}
	return true;
}

void manifest_files_free(struct ps_manifest *manifest)
{
	for (size_t i = 0; i < manifest->file_count; i++) {
		struct ps_manifest_file *file = &manifest->files[i];

		for (size_t k = 0; k < file->place_count; k++)
			free(file->places[k].where);
		for (size_t k = 0; k < file->profile_count; k++)
			free(file->profiles[k]);
		free(file->places);
		free(file->profiles);
		free(file->path);
	}
	for (size_t i = 0; i < manifest->profile_count; i++)
		free(manifest->profiles[i]);
	free(manifest->files);
	free(manifest->profiles);
}

/* ---- paths ---- */

/* Whether the entry is one of a profile's (NULL: of the manifest without one), by its list. */
static bool is_for(const struct ps_manifest_file *file, const char *profile)
{
	for (size_t i = 0; i < file->profile_count; i++) {
		if (strcmp(file->profiles[i], profile ? profile : "") == 0)
			return true;
	}
	return file->profile_count == 0 && (!profile || strstr(file->path, PROFILE));
}

char *manifest_files_path(const struct ps_manifest_file *file, const char *profile)
{
	size_t size = 0;
	char *result = NULL;
	FILE *stream;
	bool good = is_for(file, profile);

	errno = 0;
	if (!good)
		return NULL;
	stream = open_memstream(&result, &size);
	if (!stream) {
		errno = ENOMEM;
		return NULL;
	}
	for (const char *at = file->path; *at;) {
		const char *otherwise;
		size_t otherwise_length, length = profile_length(at, &otherwise, &otherwise_length);

		if (!length)
			putc(*at, stream);
		else if (profile)
			fputs(profile, stream);
		else if (otherwise)
			fwrite(otherwise, 1, otherwise_length, stream);
		else
			good = false;
		at += length ? length : 1;
	}
	if (fclose(stream) != 0 || !good) {
		free(result);
		result = NULL;
		errno = good ? ENOMEM : 0;
	}
	return result;
}
