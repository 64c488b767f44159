/*
 * barrier.c - many programs ask for one port at the same moment: bind, barrier, listen.
 *
 * barrier runs COUNT    each in a run of its own of one environment
 * barrier envs COUNT    each in an environment of its own
 * barrier one COUNT     all in one run: there the kernel's verdict counts, so the same is done without portshim
 * barrier here COUNT    like runs, in the network namespace that we are in, and without the noise
 *
 * Theory of operation: the programs are of all kinds (IPv4, IPv6 and both, wildcard and loopback, UDP, with
 * SO_REUSEADDR and without), and unmanaged programs bind and listen at random in the default range all the while.
 * Nobody goes on to listen before all have bound. Then each server's own client must reach that server, and what the
 * kernel lists, the host table, the discovery files and `portshim status --json` must be the same set, with the same
 * owners. Last, all are killed at once, and one look must leave nothing.
 */
#include "world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../check.h"

#define PATIENCE_MS 120000
#define NOISES 4
#define AT_ONCE 40 /* clients */
#define PORT 3000

static const struct {
	const char *server, *client;
} kinds[] = {
	{"tcp6+a", "tcp4"}, {"tcp4+a", "tcp4"}, {"tcp6", "tcp6"}, {"tcp4", "tcp4"}, {"lo4+a", "lo4"}, {"udp4", "udp4"},
	{"lo6", "lo6"}, {"only6+a", "tcp6"}, {"udp6", "udp6"},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct crowd {
	struct world world;
	struct server *list;
	char (*run_path)[PS_RUNTIME_MAX + 16];
	int count;
	int reports[2], go[2], end[2];
	pid_t noise[NOISES];
};

/* ---- starting and ending ---- */

static bool open_crowd(struct crowd *c, int count, int places)
{
	memset(c, 0, sizeof(*c));
	c->count = count;
	c->list = calloc((size_t)count, sizeof(*c->list));
	c->run_path = calloc((size_t)count, sizeof(*c->run_path));
	if (!c->list || !c->run_path || world_pipe(c->reports) || world_pipe(c->go) || world_pipe(c->end))
		return false;
	return world_new(&c->world, places);
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_crowd(struct crowd *c)
{
	for (int i = 0; i < 2; i++) {
		close_end(&c->reports[i]);
		close_end(&c->go[i]);
		close_end(&c->end[i]);
	}
	world_free(&c->world);
	free(c->list);
	free(c->run_path);
}

static void make_noise(struct crowd *c)
{
	char word[32];
	char *argv[] = {(char[]){"act"}, word, NULL};

	for (int i = 0; i < NOISES; i++) {
		snprintf(word, sizeof(word), "noise:%d", 1000 + (int)getpid() * NOISES + i);
		c->noise[i] = world_exec(&c->world, -1, argv, NULL, c->reports[1], c->go[0], c->end[0]);
	}
}

static pid_t start(struct crowd *c, int place, int number, const char *kind, int port)
{
	char first[32], second[32];
	bool udp = strncmp(kind, "udp", 3) == 0;
	char *argv[] = { (char[]){ "act" },
			 first,
			 second,
			 (char[]){ "barrier" },
			 udp ? (char[]){ "serve" } : (char[]){ "listen" },
			 udp ? NULL : (char[]){ "serve" },
			 NULL };

	snprintf(first, sizeof(first), "number:%d", number);
	snprintf(second, sizeof(second), "%s:%d", kind, port);
	return world_exec(&c->world, place, argv, NULL, c->reports[1], c->go[0], c->end[0]);
}

static bool next_report(struct crowd *c, struct act_report *r)
{
	struct pollfd p = {.fd = c->reports[0], .events = POLLIN};
	int ready;

	do
		ready = poll(&p, 1, PATIENCE_MS);
	while (ready < 0 && errno == EINTR);
	return ready == 1 && read(c->reports[0], r, sizeof(*r)) == sizeof(*r);
}

/* One report of each of `count`; returns how many are of the kind. What failed is kept in the list. */
static int collect(struct crowd *c, int count, int kind)
{
	struct act_report r;
	int good = 0;

	for (int i = 0; i < count && next_report(c, &r); i++) {
		if (r.number >= 0 && r.number < c->count)
			c->list[r.number].at = r;
		good += r.kind == kind;
	}
	return good;
}

static void end_all(struct crowd *c, bool hard)
{
	for (int i = 0; i < c->count && hard; i++)
		if (c->list[i].pid > 0)
			kill(c->list[i].pid, SIGKILL);
	close_end(&c->end[1]);
	for (int i = 0; i < c->count; i++)
		if (c->list[i].pid > 0)
			waitpid(c->list[i].pid, NULL, 0);
	for (int i = 0; i < NOISES; i++)
		if (c->noise[i] > 0)
			waitpid(c->noise[i], NULL, 0);
}

/* ---- each server its own client ---- */

static int ask_all(struct crowd *c, int port)
{
	char first[32], second[32];
	char *argv[] = {(char[]){"act"}, first, second, NULL};
	int right = 0, shown = 0;
	struct act_report r;
	pid_t pids[AT_ONCE];

	for (int from = 0; from < c->count; from += AT_ONCE) {
		int n = c->count - from < AT_ONCE ? c->count - from : AT_ONCE;

		for (int i = 0; i < n; i++) {
			struct server *s = &c->list[from + i];

			snprintf(first, sizeof(first), "number:%d", from + i);
			snprintf(second, sizeof(second), "client:%s:%d", kinds[(unsigned)(from + i) % KINDS].client,
				 port);
			strcpy(c->world.place[s->place].run_path, c->run_path[from + i]);
			pids[i] = world_exec(&c->world, s->place, argv, NULL, c->reports[1], c->go[0], c->end[0]);
		}
		for (int i = 0; i < n && next_report(c, &r); i++) {
			bool good = r.kind == ACT_CLIENT && !r.error && r.answer == r.number;

			right += good;
			if (!good && shown++ < 5)
				printf("	client %d (%s) reached %d: %s\n", r.number,
				       kinds[(unsigned)r.number % KINDS].client, r.answer, strerror(r.error));
		}
		for (int i = 0; i < n; i++)
			waitpid(pids[i], NULL, 0);
	}
	return right;
}

static int different_ports(const struct crowd *c)
{
	static bool seen[PS_PORTS];
	int different = 0;

	memset(seen, 0, sizeof(seen));
	for (int i = 0; i < c->count; i++) {
		different += c->list[i].actual && !seen[c->list[i].actual];
		seen[c->list[i].actual] = true;
	}
	return different;
}

static void show_failures(const struct crowd *c)
{
	int shown = 0;

	for (int i = 0; i < c->count && shown < 5; i++) {
		if (c->list[i].at.kind != ACT_FAILED)
			continue;
		printf("	%d (%s) failed in step %d: %s\n", i, kinds[(unsigned)i % KINDS].server,
		       c->list[i].at.step, strerror(c->list[i].at.error));
		shown++;
	}
}

static bool says(bool good, const char *why)
{
	if (!good)
		printf("	%.2000s\n", why);
	return good;
}

/* A port that is free now. */
static int free_port(void)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6};
	socklen_t length = sizeof(a);
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) || getsockname(fd, (struct sockaddr *)&a, &length))
		check_fatal("no port");
	close(fd);
	return ntohs(a.sin6_port);
}

/* ---- each in a run of its own ---- */

static void apart(int count, bool envs, bool here)
{
	static char why[65536];
	int port = here ? free_port() : PORT, bound, up;
	uint64_t begin = world_now_ms(), all_up;
	struct crowd c;

	if (!open_crowd(&c, count, envs ? count : 1))
		check_fatal("no world");
	if (!here)
		make_noise(&c);
	for (int i = 0; i < count; i++) {
		struct server *s = &c.list[i];

		s->place = envs ? i : 0;
		s->protocols = strncmp(kinds[(unsigned)i % KINDS].server, "udp", 3) == 0 ? PS_UDP : PS_TCP;
		if (!envs && !world_new_run(&c.world, 0))
			check_fatal("no run");
		strcpy(c.run_path[i], c.world.place[s->place].run_path);
		s->pid = start(&c, s->place, i, kinds[(unsigned)i % KINDS].server, port);
	}
	bound = collect(&c, count, ACT_AT);
	show_failures(&c);
	CHECK(bound == count, "all have bound");
	close_end(&c.go[1]);
	up = collect(&c, bound, ACT_READY);
	all_up = world_now_ms();
	show_failures(&c);
	CHECK(up == count, "all listen");
	world_ports(c.list, count);
	CHECK(different_ports(&c) == count, "each on a port of its own");
	CHECK(ask_all(&c, port) == count, "each client reaches its own server");
	CHECK(says(world_is_true(&c.world, c.list, count, why, sizeof(why)), why), "every record is true");
	end_all(&c, true);
	world_age(&c.world);
	CHECK(says(world_is_clean(&c.world, why, sizeof(why)), why), "the next look leaves nothing");
	printf("%d %s: up in %llu ms, all done in %llu ms\n", count, envs ? "environments" : "runs",
	       (unsigned long long)(all_up - begin), (unsigned long long)(world_now_ms() - begin));
	close_crowd(&c);
}

/* ---- all in one run ---- */

struct verdict {
	int bound, up;
	int bind_error, listen_error; /* of those that failed; the last one's */
};

static struct verdict together(struct crowd *c, int place, const char *kind, int port)
{
	struct verdict v = {0};

	for (int i = 0; i < c->count; i++) {
		c->list[i].place = place;
		c->list[i].protocols = strncmp(kind, "udp", 3) == 0 ? PS_UDP : PS_TCP;
		c->list[i].pid = start(c, place, i, kind, port);
	}
	v.bound = collect(c, c->count, ACT_AT);
	for (int i = 0; i < c->count; i++)
		if (c->list[i].at.kind == ACT_FAILED)
			v.bind_error = c->list[i].at.error;
	close_end(&c->go[1]);
	v.up = collect(c, v.bound, ACT_READY);
	for (int i = 0; i < c->count; i++)
		if (c->list[i].at.kind == ACT_FAILED && c->list[i].at.step > 3)
			v.listen_error = c->list[i].at.error;
	return v;
}

/* The one record is of one of those that listen; returns their number. */
static int on_record(struct crowd *c, uint16_t *actual)
{
	int listed = 0, owner = 0;

	world_ports(c->list, c->count);
	*actual = 0;
	FOR_EACH_SET(port, c->world.host->owned)
		if (head_state(host_head(c->world.host, (uint16_t)port)) == PS_LISTENING)
			*actual = *actual ? 1 : (uint16_t)port; /* 1: there are several */
	for (int i = 0; i < c->count; i++) {
		bool up = c->list[i].at.kind == ACT_READY && c->list[i].actual == *actual;

		listed += up;
		owner += up && c->world.host->record[*actual].inode == c->list[i].at.inode;
	}
	return owner == 1 ? listed : 0;
}

static void one(const char *kind, int count, bool held)
{
	char name[64], holder_kind[8] = "tcp6", why[8192];
	struct verdict bare, managed;
	struct server holder;
	struct crowd c;
	uint16_t actual;

	snprintf(name, sizeof(name), "%s%s in one run", kind, held ? ", moved," : "");
	if (!open_crowd(&c, count, 1))
		check_fatal("no world");
	bare = together(&c, -1, kind, PORT + 2);
	end_all(&c, false);
	close_crowd(&c);

	if (!open_crowd(&c, count, 1))
		check_fatal("no world");
	make_noise(&c);
	memcpy(holder_kind, strncmp(kind, "udp", 3) == 0 ? "udp6" : "tcp6", 4);
	if (held && !world_serve(&c.world, -1, count, holder_kind, PORT, &holder))
		check_fatal("no holder");
	managed = together(&c, 0, kind, PORT);
	if (bare.bound != managed.bound || bare.up != managed.up)
		printf("	%s: without portshim %d bound (%s) and %d served (%s), with it %d (%s) and %d (%s)\n",
		       name, bare.bound, strerror(bare.bind_error), bare.up, strerror(bare.listen_error), managed.bound,
		       strerror(managed.bind_error), managed.up, strerror(managed.listen_error));
	CHECK(bare.bound == managed.bound && bare.bind_error == managed.bind_error, name);
	CHECK(bare.up == managed.up && bare.listen_error == managed.listen_error, name);
	CHECK(on_record(&c, &actual) == managed.up && managed.up > 0, name);
	CHECK(held ? actual >= 20000 && actual < 30000 : actual == PORT, name);
	if (managed.up == 1) {
		struct server only = {0};

		for (int i = 0; i < count; i++)
			if (c.list[i].at.kind == ACT_READY)
				only = c.list[i];
		CHECK(says(world_is_true(&c.world, &only, 1, why, sizeof(why)), why), name);
	}
	end_all(&c, true);
	if (held)
		world_stop(&holder, false);
	world_age(&c.world);
	CHECK(says(world_is_clean(&c.world, why, sizeof(why)), why), name);
	close_crowd(&c);
}

static void one_run(int count)
{
	one("tcp6", count, false);
	one("tcp4", count, true);
	one("tcp6+a", count, false);
	one("tcp4+a", count, true);
	one("tcp4+p", count, true);
	one("udp4", count, false);
	one("udp6", count, true);
	one("udp4+p", count, false);
}

int main(int argc, char **argv)
{
	const struct rlimit files = {16384, 16384};
	int count = argc == 3 ? atoi(argv[2]) : 0;
	bool here = count && strcmp(argv[1], "here") == 0;

	if (count <= 0) {
		fprintf(stderr, "usage: barrier runs|envs|one|here COUNT\n");
		return 2;
	}
	setrlimit(RLIMIT_NOFILE, &files);
	if (!here && !world_own_network()) {
		check_skip("barrier", "this machine does not let us make a network namespace");
		return check_finish();
	}
	if (!world_start())
		check_fatal("no directory for worlds");
	if (strcmp(argv[1], "one") == 0)
		one_run(count);
	else
		apart(count, strcmp(argv[1], "envs") == 0, here);
	world_end();
	return check_finish();
}
