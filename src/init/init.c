/*
 * init.c - what was found, put together.
 *
 * Theory of operation: a port is one service, however many files have it; each of them is kept as a place, and the one
 * that is best at naming names it. A port that only a container publishes is external: portshim does not reach into
 * containers. Names are made unique at the end. Files are strangers' text: what cannot be read is said and left out.
 */
#include "init.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../cli/output.h"

#define SIZE_MAX_READ (10u << 20)
#define PLACES_MAX 50

void init_left_out(struct ps_init *init, const char *file, int line, const char *why)
{
	char clean[256];

	init->left_out++;
	if (line)
		fprintf(stderr, "portshim: %s:%d is left out: %s\n", output_clean(clean, sizeof(clean), file), line,
			why);
	else
		fprintf(stderr, "portshim: %s is left out: %s\n", output_clean(clean, sizeof(clean), file), why);
}

char *init_file(struct ps_init *init, const char *file, size_t *size)
{
	char path[4096], *text = NULL;
	const char *why = NULL;
	struct stat st;
	ssize_t got = 0;
	int fd;

	*size = 0;
	snprintf(path, sizeof(path), "%s/%s", init->directory, file);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			init_left_out(init, file, 0, strerror(errno));
		return NULL;
	}
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		why = "it is no file";
	else if (st.st_size > (off_t)SIZE_MAX_READ)
		why = "it is bigger than 10 MB";
	else
		text = malloc((size_t)st.st_size + 1);
	while (text && *size < (size_t)st.st_size) {
		got = read(fd, text + *size, (size_t)st.st_size - *size);
		if (got <= 0)
			break;
		*size += (size_t)got;
	}
	if (text && got < 0)
		why = strerror(errno);
	close(fd);
	if (why || !text) {
		init_left_out(init, file, 0, why ? why : "out of memory");
		free(text);
		return NULL;
	}
	text[*size] = '\0';
	/* Blanks in its place would be an indentation, to YAML and to a Procfile. */
	if (*size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		*size -= 3;
		memmove(text, text + 3, *size + 1);
	}
	return text;
}

void init_position(const char *text, size_t offset, int *line, int *column)
{
	*line = *column = 1;
	for (size_t i = 0; i < offset; i++) {
		++*column;
		if (text[i] == '\n') {
			++*line;
			*column = 1;
		}
	}
}

void init_name(char *name, const char *text)
{
	size_t length = 0;

	for (; *text && length < PS_INIT_NAME - 8; text++) {
		char c = (char)tolower((unsigned char)*text);

		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (length && (c == '_' || c == '.')))
			name[length++] = c;
		else if (length && name[length - 1] != '-')
			name[length++] = '-';
	}
	while (length && (name[length - 1] == '-' || name[length - 1] == '.'))
		length--;
	name[length] = '\0';
	if (strspn(name, "0123456789") == length)
		name[0] = '\0';
}

static struct ps_init_service *service_of(struct ps_init *init, uint16_t port)
{
	struct ps_init_service *more;

	for (size_t i = 0; i < init->count; i++)
		if (init->services[i].port == port)
			return &init->services[i];
	if (init->count == PS_INIT_SERVICES_MAX)
		return NULL;
	more = reallocarray(init->services, init->count + 1, sizeof(*more));
	if (!more) {
		init->failed = true;
		return NULL;
	}
	init->services = more;
	memset(&more[init->count], 0, sizeof(*more));
	more[init->count].port = port;
	return &more[init->count++];
}

/* One that a manifest may set. */
static bool is_variable(const char *name)
{
	return !isdigit((unsigned char)*name) && strlen(name) < PS_INIT_NAME &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name) &&
	       strncmp(name, "LD_", 3) != 0 && strncmp(name, "PORTSHIM_", 9) != 0;
}

void init_add(struct ps_init *init, const struct ps_init_found *found)
{
	struct ps_init_service *s;
	struct ps_init_place *places;
	char name[PS_INIT_NAME] = "";

	if (found->port < 1 || found->port > 65535)
		return;
	s = service_of(init, (uint16_t)found->port);
	if (!s)
		return;
	if (found->name)
		init_name(name, found->name);
	if (name[0] && (!s->name[0] || found->rank > s->rank)) {
		memcpy(s->name, name, sizeof(s->name));
		s->rank = found->rank;
	}
	if (found->scheme && !s->scheme[0])
		snprintf(s->scheme, sizeof(s->scheme), "%s", found->scheme);
	if (found->variable && !s->variable[0] && is_variable(found->variable))
		snprintf(s->variable, sizeof(s->variable), "%s", found->variable);
	*(found->udp ? &s->udp : &s->tcp) = true;
	s->local = s->local || !found->container;
	if (s->place_count == PLACES_MAX)
		return;
	places = reallocarray(s->places, s->place_count + 1, sizeof(*places));
	if (!places) {
		init->failed = true;
		return;
	}
	s->places = places;
	places[s->place_count] = (struct ps_init_place) { strdup(found->file), found->line, found->column,
							  strdup(found->what) };
	if (!places[s->place_count].file || !places[s->place_count].what)
		init->failed = true;
	s->place_count++;
}

void init_read(struct ps_init *init)
{
	init_packages(init);
	init_procfile(init);
	init_compose(init);
	init_editors(init);
	init_dotenv(init);
}

static int by_port(const void *a, const void *b)
{
	const struct ps_init_service *s = a, *t = b;

	return s->port < t->port ? -1 : s->port > t->port;
}

static bool name_taken(const struct ps_init *init, size_t before, const char *name)
{
	for (size_t i = 0; i < before; i++)
		if (strcmp(init->services[i].name, name) == 0)
			return true;
	return false;
}

static bool of_the_web(const char *scheme)
{
	return strncmp(scheme, "http", 4) == 0 || strcmp(scheme, "ws") == 0 || strcmp(scheme, "wss") == 0;
}

void init_finish(struct ps_init *init)
{
	/* Of two with one name the one that was found first keeps it. */
	for (size_t i = 0; i < init->count; i++) {
		struct ps_init_service *s = &init->services[i];
		const char *scheme = NULL, *known = init_known(s->port, &scheme);
		char name[PS_INIT_NAME];

		if (known && scheme && (!s->scheme[0] || strcmp(s->scheme, "http") == 0))
			snprintf(s->scheme, sizeof(s->scheme), "%s", scheme);
		/* Databases and the like are the system's, or a container's. */
		if (s->scheme[0] && !of_the_web(s->scheme))
			s->local = false;
		if (!s->name[0] && !known) {
			const struct servent *entry = getservbyport(htons(s->port), s->tcp ? "tcp" : "udp");

			known = entry ? entry->s_name : NULL;
		}
		if (!s->name[0])
			init_name(s->name, known ? known : "");
		if (!s->name[0])
			snprintf(s->name, sizeof(s->name), "port-%u", s->port);
		memcpy(name, s->name, sizeof(name));
		if (name_taken(init, i, name))
			snprintf(s->name, sizeof(s->name), "%.50s-%u", name, s->port);
		/* Unless somebody called another one just so. */
		for (unsigned more = 2; name_taken(init, i, s->name); more++)
			snprintf(s->name, sizeof(s->name), "%.50s-%u-%u", name, s->port, more);
	}
	if (init->count > 1)
		qsort(init->services, init->count, sizeof(*init->services), by_port);
}

void init_free(struct ps_init *init)
{
	for (size_t i = 0; i < init->count; i++) {
		for (size_t k = 0; k < init->services[i].place_count; k++) {
			free(init->services[i].places[k].file);
			free(init->services[i].places[k].what);
		}
		free(init->services[i].places);
	}
	free(init->services);
	init->services = NULL;
	init->count = 0;
}

/* ---- the manifest ---- */

/* Strangers' text in a comment: one line of ASCII. */
static void print_comment(FILE *stream, const char *text)
{
	for (; *text; text++)
		putc(*text >= ' ' && *text < 127 ? *text : '?', stream);
}

static void print_service(FILE *stream, const struct ps_init_service *s, bool last)
{
	putc('\n', stream);
	for (size_t i = 0; i < s->place_count; i++) {
		fputs("    // ", stream);
		print_comment(stream, s->places[i].file);
		fprintf(stream, ":%d: ", s->places[i].line);
		print_comment(stream, s->places[i].what);
		putc('\n', stream);
	}
	fprintf(stream, "    \"%s\": { \"port\": %u", s->name, s->port);
	if (s->udp)
		fprintf(stream, ", \"protocol\": \"%s\"", s->tcp ? "both" : "udp");
	if (s->scheme[0] && strcmp(s->scheme, "http") != 0)
		fprintf(stream, ", \"scheme\": \"%s\"", s->scheme);
	if (!s->local)
		fputs(", \"external\": true", stream);
	else if (strcmp(s->variable, "PORT") == 0)
		fputs(", \"env\": [\"PORT\"]", stream);
	else if (s->variable[0])
		fprintf(stream, ", \"env\": { \"%s\": \"{port}\" }", s->variable);
	fprintf(stream, " }%s\n", last ? "" : ",");
}

char *init_manifest(const struct ps_init *init)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);
	bool external = false;

	if (!stream)
		return NULL;
	fputs("// The ports that the services ask for: see portshim-manifest(5). `portshim validate` checks it.\n"
	      "// A first version by `portshim init`: above each service stands where its port was found.\n"
	      "// \"range\": \"3000-3099\" beside a port is where the service goes when the port is taken.\n",
	      stream);
	for (size_t i = 0; i < init->count; i++)
		external = external || !init->services[i].local;
	if (external)
		fputs("// \"external\" is what portshim leaves alone: databases, and what containers publish.\n",
		      stream);
	fputs("{\n  \"version\": 1,\n", stream);
	if (init->project[0])
		fprintf(stream, "  \"project\": \"%s\",\n", init->project);
	fputs("  \"services\": {", stream);
	for (size_t i = 0; i < init->count; i++)
		print_service(stream, &init->services[i], i + 1 == init->count);
	fputs("  }\n}\n", stream);
	if (fclose(stream) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
