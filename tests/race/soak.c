/*
 * soak.c - kill -9 at random moments, for as long as one likes.
 *
 * soak [SECONDS [SEED]]    SECONDS: 25. SEED: of the clock; it is printed
 *
 * Theory of operation. A crowd of programs (busy.c) is started in all ways that there are: by `portshim run`,
 * `exec` and `run --isolate`, preloaded by hand, into a run that goes on, and without portshim. They bind, listen,
 * ask, close, fork and exec at random on the same few ports, while commands look. All the while somebody is killed:
 * servers, clients, keepers and commands, some when they have just been started, a random number of microseconds
 * after the one before. Then a round ends: those who live keep still (board.h), and after one look of `portshim
 * status --all` the kernel's list of sockets, the host table and the discovery files must agree (truth.c). A third
 * of them is killed at once, and the same is asked again. In each environment a new run binds at once. Each third
 * round nobody is left, killed or ended in peace, and one look must leave nothing.
 *
 * All happens in a network and a process namespace of its own, so that whatever is in /proc is ours to kill, and no
 * process outlives the first one. The random numbers are those of the seed; the kernel's order of things is not, so
 * a seed tells what was tried, and finds the same thing again only mostly.
 */
#include "world.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "truth.h"

#include "../check.h"

#define PLACES 4
#define WITH_MANIFEST 2 /* the first ones */
#define CROWD 40
#define CHILDREN 4096
#define ROUND_MS 1200
#define PATIENCE_MS 60000
#define SERVED_MS 20000

enum way { RUN, EXEC, BARE, JOIN, ISOLATE, OUTSIDE, COMMAND, WAYS };

static const char *const way_names[WAYS] = { "run", "exec", "by hand", "joined", "isolated", "unmanaged", "command" };

static const char manifest[] =
	"{ \"version\": 1, \"services\": {\n"
	"  \"web\": { \"port\": 3000, \"range\": \"23000-23999\", \"discovery\": \".web.json\", \"env\": [\"PORT\"] "
	"},\n"
	"  \"api\": { \"port\": 3001, \"discovery\": \".api.json\", \"env\": { \"API\": \"{url}\" } } } }\n";

static struct world world;
static struct board *board;
static uint64_t chance;
static char busy[PS_PATH_MAX], program[PS_PATH_MAX], library[PS_PATH_MAX], board_path[WORLD_PATH + 16],
	log_path[WORLD_PATH + 16];
static struct child {
	pid_t pid;
	enum way way;
} children[CHILDREN];
static unsigned started[WAYS], killed_keepers, killed_programs, killed_commands, killed_newborn, serial, broken;
static char why[16384];

static bool one_in(unsigned n)
{
	return draw(&chance) % n == 0;
}

static void wait_us(unsigned microseconds)
{
	const struct timespec t = { microseconds / 1000000, (long)(microseconds % 1000000) * 1000 };

	nanosleep(&t, NULL);
}

static bool says(bool good, const char *when)
{
	if (!good)
		printf("	%s:%.3000s\n", when, why);
	return good;
}

/* ---- who is there ---- */

struct process {
	pid_t pid, parent;
	char state;
	bool busy, worker;
};

static bool read_process(pid_t pid, struct process *p)
{
	char path[64], text[512], *end;
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	end = strrchr(text, ')');
	if (!end || end[1] != ' ')
		return false;
	*p = (struct process){
		.pid = pid, .parent = atoi(end + 4), .state = end[2], .busy = strstr(text, "(busy)") != NULL,
		.worker = strstr(text, "(portshim-worker)") != NULL
	};
	return true;
}

/* All processes but ourselves and those that are dead. */
static int everybody(struct process *list, int room)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int n = 0;

	while (proc && n < room && (entry = readdir(proc))) {
		pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;

		if (pid > 1 && read_process(pid, &list[n]) && list[n].state != 'Z' && list[n].state != 'X')
			n++;
	}
	if (proc)
		closedir(proc);
	return n;
}

static void judge_end(const struct child *c, pid_t pid, int status)
{
	bool good = WIFEXITED(status) ? WEXITSTATUS(status) == 0 || (c && c->way == COMMAND && WEXITSTATUS(status) == 1)
				      : WTERMSIG(status) == SIGKILL;

	if (good || (!c && WIFEXITED(status)))
		return;
	broken++;
	printf("	%d (%s) ended with %s %d\n", (int)pid, c ? way_names[c->way] : "left behind",
	       WIFEXITED(status) ? "status" : "signal", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

static void reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		struct child *c = NULL;

		for (int i = 0; i < CHILDREN && !c; i++)
			if (children[i].pid == pid)
				c = &children[i];
		judge_end(c, pid, status);
		if (c)
			c->pid = 0;
	}
}

/* ---- starting ---- */

static struct {
	enum way way;
	int place;
} next;

static void prepare(void)
{
	int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600),
	    null = open("/dev/null", O_RDWR | O_CLOEXEC);

	dup2(null, 0);
	dup2(null, 1);
	dup2(log, 2);
	for (int fd = ACT_REPORT; fd <= ACT_END; fd++)
		close(fd);
	if (chdir(world.place[next.place].directory))
		_exit(126);
	setenv("SOAK_PORTSHIM", program, 1);
	if (next.way == BARE || next.way == JOIN)
		setenv("LD_PRELOAD", library, 1);
	if (next.way == JOIN)
		setenv("PORTSHIM_RUN", world.place[next.place].run_path, 1);
}

static pid_t start(char *const *argv)
{
	static int null = -1;
	pid_t pid;

	if (null < 0)
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid = world_exec(&world, -1, argv, prepare, null, null, null);
	for (int i = 0; i < CHILDREN && pid > 0; i++) {
		if (children[i].pid)
			continue;
		children[i] = (struct child){ pid, next.way };
		break;
	}
	started[next.way]++;
	return pid;
}

static pid_t start_command(void)
{
	static const char *const commands[][4] = {
		{ "status", "--all" },
		{ "status", "--json" },
		{ "port", "3000" },
		{ "url", "3001" },
		{ "env" },
		{ "why", "3000" },
		{ "why", "3002" },
		{ "wait", "--timeout", "300ms", "3001" },
		{ "wait", "--timeout", "0", "3000" },
	};
	const char *const *c = commands[draw(&chance) % (sizeof(commands) / sizeof(commands[0]))];
	char *argv[6] = { program };

	for (int i = 0; i < 4; i++)
		argv[i + 1] = (char *)(uintptr_t)c[i];
	return start(argv);
}

static pid_t launch(void)
{
	static const enum way ways[] = { RUN,  RUN,  RUN,     EXEC,    EXEC,    BARE,    BARE,
					 JOIN, JOIN, ISOLATE, OUTSIDE, COMMAND, COMMAND, COMMAND };
	char who[16], seed[16], steps[16];
	char *worker[] = { busy, board_path, who, seed, steps, (char[]){ "0" }, NULL };
	static char as_run[] = "run", as_exec[] = "exec", isolated[] = "--isolate", program_next[] = "--";
	char *argv[16] = { program };
	int n = 1;

	next.way = ways[draw(&chance) % (sizeof(ways) / sizeof(ways[0]))];
	next.place = (int)(draw(&chance) % PLACES);
	if (next.way == COMMAND)
		return start_command();
	serial++;
	snprintf(who, sizeof(who), "%d",
		 next.way == OUTSIDE   ? UNMANAGED
		 : next.way == ISOLATE ? PRIVATE_FROM + (int)serial
				       : next.place + 1);
	snprintf(seed, sizeof(seed), "%u", draw(&chance));
	snprintf(steps, sizeof(steps), "%u", one_in(4) ? 10 + draw(&chance) % 40 : 100 + draw(&chance) % 900);
	if (next.way >= BARE && next.way != ISOLATE)
		return start(worker);
	argv[n++] = next.way == EXEC ? as_exec : as_run;
	if (next.way == ISOLATE)
		argv[n++] = isolated;
	argv[n++] = program_next;
	memcpy(argv + n, worker, sizeof(worker));
	return start(argv);
}

/* ---- killing ---- */

static void count_killed(pid_t pid, bool is_busy)
{
	for (int i = 0; i < CHILDREN; i++) {
		if (children[i].pid != pid || is_busy)
			continue;
		killed_commands += children[i].way == COMMAND;
		killed_keepers += children[i].way != COMMAND;
		return;
	}
	killed_programs += is_busy;
	killed_keepers += !is_busy; /* one that a program started */
}

static pid_t dying[CHILDREN];
static int dying_count;

static bool kill_one(const struct process *p)
{
	if (kill(p->pid, SIGKILL) != 0)
		return false;
	count_killed(p->pid, p->busy);
	if (dying_count < CHILDREN)
		dying[dying_count++] = p->pid;
	return true;
}

/* Returns when the kernel has taken from them what they had. */
static void wait_for_the_killed(void)
{
	struct process p;

	while (dying_count) {
		if (!read_process(dying[dying_count - 1], &p) || p.state == 'Z' || p.state == 'X')
			dying_count--;
		else
			wait_us(1000);
	}
}

static void kill_newborn(pid_t pid)
{
	struct process p;

	wait_us(draw(&chance) % 9000);
	killed_newborn += pid > 0 && read_process(pid, &p) && p.state != 'Z' && kill_one(&p);
}

/* ---- a round ---- */

static void look_at_a_file(void)
{
	int place = (int)(draw(&chance) % PLACES);

	if (!world_is_whole(world.place[place].discovery)) {
		broken++;
		printf("	the discovery file of place %d is not whole\n", place);
	}
}

static void riot(void)
{
	static struct process list[1024];
	uint64_t end = world_now_ms() + ROUND_MS;

	while (world_now_ms() < end) {
		int count = everybody(list, 1024);

		reap();
		if (count < CROWD) {
			pid_t pid = launch();

			if (one_in(4))
				kill_newborn(pid);
		}
		if (count && one_in(count < CROWD ? 4 : 2))
			kill_one(&list[draw(&chance) % (unsigned)count]);
		if (one_in(16))
			look_at_a_file();
		wait_us(draw(&chance) % 6000);
	}
	wait_for_the_killed();
}

/* A keeper has its program below it, which may be another keeper. */
static bool keeps(pid_t pid, const struct process *list, int count)
{
	for (int i = 0; i < count; i++)
		if (list[i].parent == pid && (list[i].busy || keeps(list[i].pid, list, count)))
			return true;
	return false;
}

static bool any_busy(const struct process *list, int count)
{
	for (int i = 0; i < count; i++)
		if (list[i].busy)
			return true;
	return false;
}

static bool is_still(const struct process *p, const struct process *list, int count)
{
	if (p->busy)
		return atomic_load(&board->settled[p->pid]) == atomic_load(&board->phase);
	/* A worker's heir is nobody's parent, and stays for as long as the worker has somebody to serve
	 * (src/keeper/worker.c). */
	if (p->worker && any_busy(list, count))
		return true;
	/* Beside the program a keeper has a process that counts signals (src/keeper/canary.c). */
	for (int i = 0; i < count; i++)
		if (list[i].pid == p->parent && !list[i].busy && keeps(p->parent, list, count))
			return true;
	return keeps(p->pid, list, count);
}

/* Somebody who does not keep still, or NULL. */
static const struct process *restless(void)
{
	static struct process list[1024];
	int count;

	reap();
	count = everybody(list, 1024);
	for (int i = 0; i < count; i++)
		if (!is_still(&list[i], list, count))
			return &list[i];
	return NULL;
}

static bool all_keep_still(void)
{
	uint64_t end = world_now_ms() + PATIENCE_MS;
	const struct process *p;

	while ((p = restless())) {
		if (world_now_ms() > end) {
			printf("	%d (%s, state %c) does not keep still\n", (int)p->pid,
			       p->busy ? "busy" : "portshim", p->state);
			return false;
		}
		wait_us(2000);
	}
	return true;
}

static int status_all(void)
{
	static char text[1 << 20];
	char *argv[] = { (char[]){ "portshim" }, (char[]){ "status" }, (char[]){ "--all" }, (char[]){ "--json" },
			 NULL };

	return world_command(&world, world.base, argv, text, sizeof(text));
}

static void judge_services(struct truth *t)
{
	static const char *const services[] = { "web", "api" };
	char path[WORLD_PATH + 16];

	for (int place = 0; place < WITH_MANIFEST; place++)
		for (int i = 0; i < 2; i++) {
			snprintf(path, sizeof(path), "%s/.%s.json", world.place[place].directory, services[i]);
			truth_of_services(t, place, services[i], path);
		}
}

/* A client of a new run reaches a server of its environment: the one that the environment has first. */
static void ask_some(struct truth *t)
{
	for (int i = 0, asked = 0; i < t->count && asked < 3; i++) {
		const struct fact *f = &t->fact[(i + (int)(draw(&chance) % (unsigned)t->count)) % t->count];
		const char *kind = f->protocol == PS_UDP   ? f->family == AF_INET6 ? "udp6" : "udp4"
				   : f->family == AF_INET6 ? "tcp6"
							   : "tcp4";
		int place = f->who - 1, met;

		if (place < 0 || place >= PLACES || scope_hint(world.place[place].env, f->requested) != f->port ||
		    !world_new_run(&world, place))
			continue;
		asked++;
		met = world_ask(&world, place, kind, f->requested);
		if (met != f->who)
			t->used += (size_t)snprintf(t->why + t->used, t->size - t->used,
						    " a client of place %d (%s:%u, really %u) met %d;", place, kind,
						    f->requested, f->port, met);
	}
}

static void judge(struct truth *t, const char *when)
{
	int code = status_all();

	t->used = 0;
	why[0] = '\0';
	CHECK(code == 0 || code == 1, "portshim status");
	truth_read(t);
	CHECK(says(truth_of_sockets(t), when), "every living listener is recorded");
	t->used = 0;
	CHECK(says(truth_of_table(t), when), "every record is of a living listener");
	t->used = 0;
	CHECK(says(truth_of_files(t), when), "the discovery files show the records");
	t->used = 0;
	judge_services(t);
	CHECK(says(t->used == 0, when), "the services' own files show their servers");
	t->used = 0;
	CHECK(says(truth_of_runs(t), when), "all locks came free and all files could be written");
	t->used = 0;
	ask_some(t);
	CHECK(says(t->used == 0, when), "clients reach their own environment's servers");
}

static void kill_a_third(void)
{
	static struct process list[1024];
	int count = everybody(list, 1024);

	for (int i = 0; i < count; i++)
		if (one_in(3))
			kill_one(&list[i]);
	wait_for_the_killed();
}

/* In each environment, a run that was not there before binds what everybody wants. */
static void new_runs(void)
{
	for (int place = 0; place < PLACES; place++) {
		uint64_t begin = world_now_ms();
		struct server s = { 0 };
		bool up = world_new_run(&world, place) && world_serve(&world, place, place + 1, "tcp6", BOARD_PORT, &s);

		CHECK(up && world_now_ms() - begin < SERVED_MS, "a new run binds at once");
		CHECK(up && world_ask(&world, place, "tcp4", BOARD_PORT) == place + 1, "its client reaches it");
		if (s.pid)
			world_stop(&s, true);
	}
}

static void say_what_they_said(void)
{
	static const char *const calls[] = { "?", "bind", "listen", "socket", "fork", "exec", "the board is full" };
	uint32_t strangers = atomic_exchange(&board->strangers, 0), odds = atomic_exchange(&board->odds, 0);

	for (uint32_t i = 0; i < strangers && i < BOARD_TOLD; i++)
		printf("	client %d of %d asked for %s %d and met one of %d, there for %d us\n",
		       board->stranger[i].pid, board->stranger[i].who,
		       board->stranger[i].way == SOCK_STREAM  ? "tcp"
		       : board->stranger[i].way == SOCK_DGRAM ? "udp"
							      : "connected udp",
		       board->stranger[i].port, board->stranger[i].met, board->stranger[i].age);
	for (uint32_t i = 0; i < odds && i < BOARD_TOLD; i++)
		printf("	%d of %d: %s of %d failed: %s\n", board->odd[i].pid, board->odd[i].who,
		       calls[board->odd[i].call], board->odd[i].port, strerror(board->odd[i].error));
	CHECK(strangers == 0, "no client met another environment's server");
	CHECK(odds == 0, "no call failed as it may not");
	CHECK(broken == 0, "nobody crashed, every command ended well, every discovery file was whole");
	broken = 0;
}

/* ---- nobody is left ---- */

static bool all_gone(bool hard)
{
	static struct process list[1024];
	uint64_t end = world_now_ms() + PATIENCE_MS;
	int count;

	atomic_store(&board->end, 1);
	while ((count = everybody(list, 1024)) > 0) {
		for (int i = 0; i < count && hard; i++)
			kill_one(&list[i]);
		if (world_now_ms() > end) {
			printf("	%d (%s, state %c) does not end\n", (int)list[0].pid,
			       list[0].busy ? "busy" : "portshim", list[0].state);
			return false;
		}
		wait_us(2000);
		reap();
	}
	reap();
	return true;
}

/* What a private environment was made for is long gone: so its file goes at the next look. */
static void age_private(void)
{
	DIR *directory = opendir(world.runtime);
	struct dirent *entry;
	struct ps_scope *env;

	while (directory && (entry = readdir(directory))) {
		if (strncmp(entry->d_name, "env-", 4) != 0 || strlen(entry->d_name) != 12 ||
		    space_open_scope(world.runtime, (uint32_t)strtoul(entry->d_name + 4, NULL, 16), &env))
			continue;
		if (env->flags & PS_SCOPE_PRIVATE)
			env->created -= 60;
		space_close_scope(env);
	}
	if (directory)
		closedir(directory);
}

static int count_files(const char *path, const char *part)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	int n = 0;

	while (directory && (entry = readdir(directory))) {
		if (!strstr(entry->d_name, part))
			continue;
		printf("	%s is left\n", entry->d_name);
		n++;
	}
	if (directory)
		closedir(directory);
	return n;
}

static void nothing_is_left(bool hard)
{
	int files = 0;

	CHECK(all_gone(hard), hard ? "all are killed" : "all end");
	world_age(&world);
	age_private();
	CHECK(says(world_is_clean(&world, why, sizeof(why)), hard ? "all were killed" : "all have ended"),
	      "nothing is left");
	for (int place = 0; place < PLACES; place++)
		files += count_files(world.place[place].directory, ".web.") +
			 count_files(world.place[place].directory, ".api.");
	CHECK(files == 0, "no service's file is left");
	CHECK(count_files(world.runtime, ".json") == 0, "no private environment's discovery file is left");
	memset(board->socket, 0, sizeof(board->socket));
	atomic_store(&board->end, 0);
	for (int place = 0; place < PLACES; place++)
		if (!world_new_run(&world, place))
			check_fatal("no run");
}

/* ---- all rounds ---- */

static void one_round(unsigned round, struct truth *t)
{
	riot();
	atomic_fetch_add(&board->phase, 1);
	if (CHECK(all_keep_still(), "all keep still")) {
		judge(t, "while all keep still");
		kill_a_third();
		if (CHECK(all_keep_still(), "those who live keep still"))
			judge(t, "after a third was killed");
		new_runs();
	}
	say_what_they_said();
	if (round % 3 == 2)
		nothing_is_left(round % 2);
	atomic_fetch_add(&board->phase, 1);
}

static bool make_places(void)
{
	char path[WORLD_PATH + 32];

	if (!world_empty(&world, PLACES))
		return false;
	for (int place = 0; place < WITH_MANIFEST; place++) {
		FILE *file;

		snprintf(path, sizeof(path), "%s/ports.manifest.json", world.place[place].directory);
		file = fopen(path, "we");
		if (!file || fputs(manifest, file) < 0 || fclose(file))
			return false;
	}
	return world_map(&world);
}

static bool make_board(void)
{
	int fd;

	world_path(board_path, sizeof(board_path), world.base, "board");
	world_path(log_path, sizeof(log_path), world.base, "log");
	fd = open(board_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(*board)))
		return false;
	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return board != MAP_FAILED;
}

static void show_log(void)
{
	char line[600];
	FILE *log = fopen(log_path, "re");
	unsigned shown = 0;

	while (log && fgets(line, sizeof(line), log))
		if (!strstr(line, " -> ") && shown++ < 20)
			printf("	said: %s", line);
	if (log)
		fclose(log);
}

static void summary(unsigned rounds, uint64_t seed, uint64_t begin)
{
	printf("seed %llu: %u rounds in %llu s; started", (unsigned long long)seed, rounds,
	       (unsigned long long)(world_now_ms() - begin) / 1000);
	for (int i = 0; i < WAYS; i++)
		printf(" %u %s%s", started[i], way_names[i], i < WAYS - 1 ? "," : "");
	printf("; killed %u programs, %u keepers and those about to exec, %u commands (%u when just started); %llu "
	       "binds, %llu listens, "
	       "%llu connects, %llu answers (%u of a stranger that came at the same moment), %llu forks, %llu execs\n",
	       killed_programs, killed_keepers, killed_commands, killed_newborn, (unsigned long long)board->binds,
	       (unsigned long long)board->listens, (unsigned long long)board->connects,
	       (unsigned long long)board->answers, board->coincidences, (unsigned long long)board->forks,
	       (unsigned long long)board->execs);
}

static int soak(unsigned seconds, uint64_t seed)
{
	const char *build = getenv("PORTSHIM_TEST_BUILD");
	struct truth truth = { .world = &world, .why = why, .size = sizeof(why) };
	uint64_t begin = world_now_ms();
	unsigned rounds = 0;

	if (mount("proc", "/proc", "proc", 0, NULL)) {
		check_skip("soak", "this machine does not let us mount /proc for a pid namespace");
		return check_finish();
	}
	if (!world_start() || !make_places() || !make_board())
		check_fatal("no world");
	world_path(busy, sizeof(busy), build, "tests/race/busy");
	world_path(program, sizeof(program), build, "portshim");
	world_path(library, sizeof(library), build, "libportshim.so");
	truth.board = board;
	chance = seeded(seed);
	do
		one_round(rounds++, &truth);
	while (world_now_ms() - begin < (uint64_t)seconds * 1000 && check_failed == 0);
	if (check_failed == 0 && rounds % 3)
		nothing_is_left(true);
	summary(rounds, seed, begin);
	if (check_failed)
		show_log();
	all_gone(true);
	truth_free(&truth);
	world_free(&world);
	world_end();
	return check_finish();
}

int main(int argc, char **argv)
{
	unsigned seconds = argc > 1 ? (unsigned)atoi(argv[1]) : 25;
	struct timespec now;
	uint64_t seed;
	int status = 0;
	pid_t pid;

	clock_gettime(CLOCK_REALTIME, &now);
	seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	if (!world_own_network() || unshare(CLONE_NEWPID | CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		check_skip("soak", "this machine does not let us make namespaces");
		return check_finish();
	}
	printf("seed %llu\n", (unsigned long long)seed);
	fflush(stdout);
	/* The first child is process 1 of the namespace: with it all others end. */
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		exit(soak(seconds, seed));
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
