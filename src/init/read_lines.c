/*
 * read_lines.c - Procfiles and .env files.
 *
 * Theory of operation: a Procfile's process that takes $PORT gets it from its manager: 5000 and up in steps of a
 * hundred, as foreman counts. In .env files a variable whose name ends in PORT is a port, and a URL of this machine has
 * one; a secret in such a file is never printed, since only names and numbers are.
 */
#include "init.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define FOREMAN_FIRST 5000
#define FOREMAN_STEP 100

/* The next line, without its end, in `line`. False at the end of the text. */
static bool next_line(const char *text, size_t *at, char *line, size_t size)
{
	size_t length = strcspn(text + *at, "\n"), kept = length < size - 1 ? length : size - 1;

	if (!text[*at])
		return false;
	memcpy(line, text + *at, kept);
	while (kept && (line[kept - 1] == '\r' || line[kept - 1] == ' '))
		kept--;
	line[kept] = '\0';
	*at += length + (text[*at + length] == '\n');
	return true;
}

static void read_procfile(struct ps_init *init, const char *file)
{
	struct ps_init_found found = { .rank = PS_INIT_SCRIPT, .file = file, .column = 1 };
	size_t size, at = 0;
	char *text = init_file(init, file, &size), line[2048], what[160];
	unsigned number = 0;

	while (text && next_line(text, &at, line, sizeof(line))) {
		size_t name = strspn(line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

		found.line++;
		if (!name || line[name] != ':')
			continue;
		line[name] = '\0';
		snprintf(what, sizeof(what), "process %.100s", line);
		found.name = line;
		found.what = what;
		found.variable = NULL;
		if (strstr(line + name + 1, "$PORT") || strstr(line + name + 1, "${PORT}")) {
			snprintf(what, sizeof(what), "process %.100s: $PORT, as foreman has it", line);
			found.variable = "PORT";
			found.port = FOREMAN_FIRST + (long)number * FOREMAN_STEP;
			init_add(init, &found);
		} else {
			init_command(init, line + name + 1, &found);
		}
		number++;
	}
	free(text);
}

void init_procfile(struct ps_init *init)
{
	read_procfile(init, "Procfile");
	read_procfile(init, "Procfile.dev");
}

static void cut_suffix(char *name, const char *suffix)
{
	size_t length = strlen(name), cut = strlen(suffix);

	if (length > cut && strcmp(name + length - cut, suffix) == 0)
		name[length - cut] = '\0';
}

/* "DB_PORT" is db's, "API_URL" api's, and "PORT" that of whoever is alone here. */
static void read_variable(struct ps_init *init, const char *name, const char *value, const struct ps_init_found *source)
{
	struct ps_init_found found = *source;
	size_t length = strlen(name);
	char service[PS_INIT_NAME], scheme[14] = "", what[160], *end;
	bool port = length >= 4 && strcmp(name + length - 4, "PORT") == 0 && (length == 4 || name[length - 5] == '_' ||
									      strcmp(name, "PGPORT") == 0);

	snprintf(service, sizeof(service), "%.*s", (int)sizeof(service) - 1, name);
	cut_suffix(service, "_PORT");
	cut_suffix(service, "_URL");
	cut_suffix(service, "_URI");
	snprintf(what, sizeof(what), "%.100s", name);
	found.what = what;
	found.scheme = found.variable = NULL;
	found.name = strcmp(name, "PORT") == 0 ? "web" : strcmp(name, "PGPORT") == 0 ? "postgresql" : service;
	if (port) {
		found.rank = PS_INIT_VARIABLE;
		found.port = strtol(value, &end, 10);
		if (end == value || (*end && !isspace((unsigned char)*end)))
			return;
		found.variable = length < PS_INIT_NAME ? name : NULL;
	} else {
		found.rank = PS_INIT_URL;
		found.port = init_url(value, scheme);
		found.scheme = scheme;
	}
	init_add(init, &found);
}

static void read_dotenv(struct ps_init *init, const char *file)
{
	struct ps_init_found found = { .file = file };
	size_t size, at = 0;
	char *text = init_file(init, file, &size), line[2048];

	while (text && next_line(text, &at, line, sizeof(line))) {
		char *name = line + strspn(line, " \t"), *value;
		size_t length;

		found.line++;
		if (strncmp(name, "export ", 7) == 0)
			name += 7;
		length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
		if (!length || isdigit((unsigned char)*name) || name[length] != '=' || strncmp(name, "LD_", 3) == 0 ||
		    strncmp(name, "PORTSHIM_", 9) == 0)
			continue;
		name[length] = '\0';
		value = name + length + 1;
		if (*value == '"' || *value == '\'') {
			char quote = *value++;

			value[strcspn(value, (char[]) { quote, '\0' })] = '\0';
		} else {
			value[strcspn(value, " \t#")] = '\0';
		}
		found.column = (int)(name - line) + 1;
		read_variable(init, name, value, &found);
	}
	free(text);
}

void init_dotenv(struct ps_init *init)
{
	static const char *const files[] = { ".env", ".env.local", ".env.development", ".env.development.local",
					    ".env.example",
					     ".env.sample" };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		read_dotenv(init, files[i]);
}
