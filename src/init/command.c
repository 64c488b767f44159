/*
 * command.c - the port that a command line asks for.
 *
 * Theory of operation: a line is cut where the shell begins another command, and each piece into words. A number behind
 * an option for ports, or in a variable for one, is the port of that piece; without one it is the default of the
 * program that it runs, as long as it is run to serve ("vite build" is not). Nothing is expanded but the default in
 * ${PORT:-3000}.
 */
#include "init.h"

#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 64
#define WORD_MAX 128

/* With `next`: only if one of these words (separated by spaces) follows; "-" stands for an option, or nothing. */
static const struct server {
	const char *program, *next;
	const char *name;
	uint16_t port;
	bool reads; /* PORT */
} servers[] = {
	{ "next", "- dev start", "web", 3000, true },	  { "nuxt", "- dev start", "web", 3000, true },
	{ "nuxi", "dev", "web", 3000, true },		  { "react-scripts", "start", "web", 3000, true },
	{ "vite", "- dev serve", "web", 5173, false },	  { "vite", "preview", "preview", 4173, false },
	{ "vitepress", "dev", "docs", 5173, false },	  { "ng", "serve", "web", 4200, false },
	{ "astro", "dev", "web", 4321, false },		  { "gatsby", "develop", "web", 8000, false },
	{ "vue-cli-service", "serve", "web", 8080, true }, { "webpack", "serve", "web", 8080, false },
	{ "webpack-dev-server", NULL, "web", 8080, false }, { "storybook", "dev", "storybook", 6006, false },
	{ "start-storybook", NULL, "storybook", 6006, false }, { "docusaurus", "start", "docs", 3000, true },
	{ "nest", "start", "api", 3000, true },		  { "wrangler", "dev", "worker", 8787, false },
	{ "expo", "start", "app", 8081, false },	  { "json-server", NULL, "api", 3000, false },
	{ "http-server", NULL, "web", 8080, true },	  { "live-server", NULL, "web", 8080, true },
	{ "eleventy", "--serve", "web", 8080, false },	  { "remix", "dev", "web", 3000, true },
	{ "rails", "server s", "web", 3000, true },	  { "puma", NULL, "web", 9292, true },
	{ "rackup", NULL, "web", 9292, false },		  { "artisan", "serve", "web", 8000, false },
	{ "flask", "run", "web", 5000, false },		  { "uvicorn", NULL, "api", 8000, false },
	{ "gunicorn", NULL, "web", 8000, true },	  { "hypercorn", NULL, "web", 8000, false },
	{ "fastapi", "dev run", "api", 8000, false },	  { "manage.py", "runserver", "web", 8000, false },
	{ "http.server", NULL, "web", 8000, false },	  { "phx.server", NULL, "web", 4000, true },
	{ "jekyll", "serve", "docs", 4000, false },	  { "hugo", "server serve", "docs", 1313, false },
	{ "mkdocs", "serve", "docs", 8000, false },	  { "streamlit", "run", "web", 8501, false },
};

static const struct { const char *package; uint16_t port; } dependencies[] = {
	{ "next", 3000 }, { "nuxt", 3000 }, { "react-scripts", 3000 }, { "vite", 5173 }, { "@angular/cli", 4200 },
	{ "astro", 4321 }, { "gatsby", 8000 }, { "@vue/cli-service", 8080 }, { "webpack-dev-server", 8080 },
	{ "@nestjs/core", 3000 },
};

static const struct { uint16_t port; const char *name, *scheme; } known[] = {
	{ 5432, "postgresql", "postgresql" }, { 3306, "mysql", "mysql" }, { 6379, "redis", "redis" },
	{ 27017, "mongodb", "mongodb" }, { 5672, "rabbitmq", "amqp" }, { 11211, "memcached", "memcached" },
	{ 9092, "kafka", "kafka" }, { 4222, "nats", "nats" }, { 1433, "mssql", "mssql" }, { 1025, "smtp", "smtp" },
	{ 1883, "mqtt", "mqtt" }, { 9200, "elasticsearch", NULL }, { 8086, "influxdb", NULL }, { 9090, "prometheus",
												NULL },
	{ 8025, "mail", NULL }, { 15672, "rabbitmq-management", NULL }, { 6006, "storybook", NULL }, { 5173, "web",
												      NULL },
	{ 3000, "web", NULL }, { 8080, "web", NULL }, { 8000, "web", NULL }, { 4200, "web", NULL },
};

uint16_t init_dependency(const char *package)
{
	for (size_t i = 0; i < sizeof(dependencies) / sizeof(dependencies[0]); i++)
		if (strcmp(dependencies[i].package, package) == 0)
			return dependencies[i].port;
	return 0;
}

const char *init_known(uint16_t port, const char **scheme)
{
	*scheme = NULL;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (known[i].port == port) {
			*scheme = known[i].scheme;
			return known[i].name;
		}
	}
	return NULL;
}

uint16_t init_url(const char *text, char *scheme)
{
	static const char *const hosts[] = { "localhost:", "127.0.0.1:", "0.0.0.0:", "[::1]:" };
	const char *host = strstr(text, "://"), *end, *at;
	size_t length = host ? strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+.-") : 0;

	if (!host || length == 0 || text + length != host || length > 13 || text[0] < 'a')
		return 0;
	snprintf(scheme, 14, "%.*s", (int)length, text);
	host += 3;
	end = host + strcspn(host, "/?#");
	for (at = host; at < end; at++)
		if (*at == '@')
			host = at + 1;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		size_t skip = strlen(hosts[i]);
		unsigned long port;
		char *rest;

		if (strncmp(host, hosts[i], skip) != 0)
			continue;
		port = strtoul(host + skip, &rest, 10);
		return host[skip] >= '0' && host[skip] <= '9' && rest == end && port <= 65535 ? (uint16_t)port : 0;
	}
	return 0;
}

/* ---- words ---- */

struct piece {
	char word[WORDS_MAX][WORD_MAX];
	unsigned count;
};

/* Cuts the next piece off. False at the end. */
static bool next_piece(const char **at, struct piece *p)
{
	const char *c = *at;
	unsigned length = 0, dollar = 0;

	memset(p, 0, sizeof(*p));
	if (!*c)
		return false;
	for (; *c; c++) {
		bool blank = strchr(" \t\r\n\"'", *c) != NULL, stop = strchr(";&|", *c) != NULL;

		dollar = *c == '{' ? dollar + 1 : *c == '}' && dollar ? dollar - 1 : dollar;
		if (blank || (stop && !dollar)) {
			if (length && p->count < WORDS_MAX)
				p->count++;
			length = 0;
			if (stop)
				break;
		} else if (p->count < WORDS_MAX && length < WORD_MAX - 1) {
			p->word[p->count][length++] = *c;
		}
	}
	if (length && p->count < WORDS_MAX)
		p->count++;
	*at = *c ? c + 1 : c;
	return true;
}

/* A port alone, behind a host, or as the default of a variable; 0 for none. */
static long number(const char *text)
{
	const char *colon = strrchr(text, ':');
	char *end;
	long port;

	if (strncmp(text, "${", 2) == 0) {
		text = strstr(text, ":-");
		text = text ? text + 2 : "";
	} else if (colon) {
		text = colon + 1;
	}
	if (*text < '0' || *text > '9')
		return 0;
	port = strtol(text, &end, 10);
	return (*end == '\0' || *end == '}') && port <= 65535 ? port : 0;
}

static bool is_one_of(const char *word, const char *list)
{
	size_t length = strlen(word);

	for (const char *at = list; length && (at = strstr(at, word)); at++)
		if ((at == list || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
			return true;
	return false;
}

static const char *base(const char *word)
{
	const char *slash = strrchr(word, '/');

	return slash ? slash + 1 : word;
}

static const struct server *server_of(const struct piece *p)
{
	for (unsigned i = 0; i < p->count; i++) {
		const char *next = i + 1 < p->count ? p->word[i + 1] : "-";

		for (size_t k = 0; k < sizeof(servers) / sizeof(servers[0]); k++) {
			if (strcmp(base(p->word[i]), servers[k].program) != 0)
				continue;
			if (!servers[k].next || is_one_of(next, servers[k].next) ||
			    (next[0] == '-' && servers[k].next[0] == '-' && servers[k].next[1] == ' '))
				return &servers[k];
		}
	}
	return NULL;
}

/* `ssh -p 22` and the like are not about a port of this machine; and nothing listens while something is built. */
static bool is_foreign(const struct piece *p)
{
	for (unsigned i = 0; i < p->count; i++)
		if (is_one_of(base(p->word[i]), "ssh scp docker podman mkdir kill-port wait-on wait-port portshim psql "
						"redis-cli curl build"))
			return true;
	return false;
}

static bool ends_in_port(const char *word, size_t length)
{
	return length >= 4 && memcmp(word + length - 4, "PORT", 4) == 0 && (length == 4 || word[length - 5] == '_');
}

/* The port that the words say; 0 for none. */
static long explicit_port(const struct piece *p, char *variable)
{
	for (unsigned i = 0; i < p->count; i++) {
		const char *word = p->word[i], *next = i + 1 < p->count ? p->word[i + 1] : "", *equals = strchr(word,
														'=');
		size_t length = equals ? (size_t)(equals - word) : 0;

		if (equals && word[0] != '-' && ends_in_port(word,
							     length) && number(equals + 1) && length < PS_INIT_NAME) {
			snprintf(variable, PS_INIT_NAME, "%.*s", (int)length, word);
			return number(equals + 1);
		}
		if ((strncmp(word, "--port=", 7) == 0 || strncmp(word, "--bind=", 7) == 0) && number(word + 7))
			return number(word + 7);
		if (is_one_of(word, "--port -p --bind -b -S runserver http.server --http-port -l") && number(next))
			return number(next);
	}
	return 0;
}

bool init_command(struct ps_init *init, const char *command, const struct ps_init_found *source)
{
	struct piece *p = malloc(sizeof(*p));
	bool any = false;

	if (!p)
		return false;
	while (next_piece(&command, p)) {
		struct ps_init_found found = *source;
		const struct server *server = server_of(p);
		char variable[PS_INIT_NAME] = "", what[256];

		if (is_foreign(p))
			continue;
		found.port = explicit_port(p, variable);
		if (!found.port && !server)
			continue;
		snprintf(what, sizeof(what), "%s%s%s", source->what,
			 found.port ? "" : ": the default of ", found.port ? "" : server->program);
		found.what = what;
		if (!found.port)
			found.port = server->port;
		if (!found.name)
			found.name = server ? server->name : "web";
		found.variable = variable[0] ? variable : server && server->reads ? "PORT" : NULL;
		init_add(init, &found);
		any = true;
	}
	free(p);
	return any;
}
