/*
 * reuse.c - the process ids of the dead come again, as those of strangers.
 *
 * Theory of operation: in a pid namespace of its own (clone3(2), set_tid), so that ids can be chosen: a process of
 * ours dies, and a stranger that does nothing is started with the same id. Whatever named the dead one, an
 * assignment, a run or a lock, must count as dead, and the stranger must be left alone. A process is told from its
 * successor by its start, which proc(5) has in hundredths of a second, so the stranger comes a moment later.
 */
#include "world.h"

#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <portshim/process.h>

#include "../check.h"

#define PORT 3000

static char why[8192];

static bool says(bool good)
{
	if (!good)
		printf("	%.2000s\n", why);
	return good;
}

/* Hundredths of a second go by, so that a start says who is who. */
static void let_the_clock_tick(void)
{
	const struct timespec moment = {.tv_nsec = 30000000};

	nanosleep(&moment, NULL);
}

/* A process that has this id, or -1. */
static pid_t stranger(pid_t pid)
{
	pid_t wanted[1] = {pid};
	struct clone_args args = {.exit_signal = SIGCHLD, .set_tid = (uintptr_t)wanted, .set_tid_size = 1};
	long result;

	let_the_clock_tick();
	result = syscall(SYS_clone3, &args, sizeof(args));
	if (result == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return (pid_t)result;
}

static bool lives(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) == 0;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Two servers die, of a run that goes on and of one that is over; a third had only bound. */
static void assignments(void)
{
	char *bound[] = {(char[]){"act"}, (char[]){"tcp4:3001"}, (char[]){"again"}, (char[]){"forever"}, NULL};
	struct server list[3];
	struct act_report r;
	struct world w;
	pid_t others[3];

	if (!world_new(&w, 2) || !world_serve(&w, 0, 1, "tcp4", PORT, &list[0]) ||
	    !world_serve(&w, 1, 2, "udp4", PORT, &list[1]) || !world_spawn(&w, 0, bound, NULL, &list[2]) ||
	    !world_report(&list[2], &r))
		check_fatal("no servers");
	for (int i = 0; i < 3; i++) {
		pid_t pid = list[i].pid;

		world_stop(&list[i], true);
		others[i] = stranger(pid);
		CHECK(others[i] == pid, "a stranger has the id");
	}
	CHECK(says(world_is_true(&w, NULL, 0, why, sizeof(why))), "nothing is assigned to a stranger");
	CHECK(world_serve(&w, 0, 3, "tcp4", PORT, &list[0]) && list[0].actual == PORT,
	      "the run's next server has its port");
	CHECK(world_serve(&w, 1, 4, "tcp4", PORT + 1, &list[1]), "another's next server has one");
	CHECK(says(world_is_true(&w, list, 2, why, sizeof(why))), "the next servers are recorded");
	world_stop(&list[0], true);
	world_stop(&list[1], true);
	world_age(&w);
	CHECK(says(world_is_clean(&w, why, sizeof(why))), "nothing is left");
	for (int i = 0; i < 3; i++) {
		CHECK(lives(others[i]), "the stranger lives");
		end(others[i]);
	}
	world_free(&w);
}

/* The run's root is a stranger by now: the run is over. */
static void roots(void)
{
	struct server root, server;
	char *argv[] = {(char[]){"act"}, (char[]){"again"}, (char[]){"forever"}, NULL};
	struct act_report r;
	struct world w;
	pid_t other, pid;

	if (!world_new(&w, 1) || !world_spawn(&w, -1, argv, NULL, &root) || !world_report(&root, &r) ||
	    !world_serve(&w, 0, 1, "tcp4", PORT, &server))
		check_fatal("no server");
	w.place[0].run->root = process_of(root.pid);
	world_stop(&server, true);
	pid = root.pid;
	world_stop(&root, true);
	other = stranger(pid);
	CHECK(other == pid, "a stranger has the root's id");
	world_age(&w);
	CHECK(says(world_is_clean(&w, why, sizeof(why))), "the run is over");
	CHECK(lives(other), "the stranger lives");
	end(other);
	world_free(&w);
}

/* The dead one's locks. */
static void locks(void)
{
	struct server server;
	struct timespec now;
	struct world w;
	pid_t other, pid = world_dead_pid();

	if (!world_new(&w, 1))
		check_fatal("no world");
	clock_gettime(CLOCK_BOOTTIME, &now);
	for (int i = 0; i < 2; i++) {
		struct ps_lock *lock = i ? &w.place[0].env->lock : &w.place[0].run->lock;

		lock->word = (uint32_t)pid;
		lock->since = process_started_by(pid, (uint64_t)now.tv_sec * 100 + (uint64_t)now.tv_nsec / 10000000);
	}
	other = stranger(pid);
	CHECK(other == pid, "a stranger has the holder's id");
	CHECK(world_serve(&w, 0, 1, "tcp4", PORT, &server), "the next server does not wait for the stranger");
	CHECK(!w.place[0].run->lock.word && !w.place[0].env->lock.word,
	      "... and not until all patience is over: it has had the locks");
	CHECK(w.place[0].run->events == 0, "nothing was done without the lock");
	CHECK(says(world_is_true(&w, &server, 1, why, sizeof(why))), "the server is recorded");
	CHECK(lives(other), "the stranger lives");
	world_stop(&server, true);
	world_age(&w);
	CHECK(says(world_is_clean(&w, why, sizeof(why))), "nothing is left");
	end(other);
	world_free(&w);
}

/* What an identity can tell, and what not. */
static void granularity(void)
{
	pid_t pid = world_dead_pid(), first, second;
	uint64_t before, after;

	first = stranger(pid);
	before = process_of(first);
	end(first);
	CHECK(!process_alive(before), "dead");
	second = stranger(pid);
	after = process_of(second);
	CHECK(first == second && before && after && before != after, "the start tells two of one id");
	CHECK(!process_alive(before) && process_alive(after), "only the second lives");
	CHECK(process_alive(process_started_by(pid, process_start(after))), "it had started by then");
	CHECK(!process_alive(process_started_by(pid, process_start(before))), "it had not started by then");
	CHECK(process_alive(process_unstarted(pid)), "an id alone can tell nothing");
	end(second);
}

static int test(void)
{
	pid_t pid;

	if (mount("proc", "/proc", "proc", 0, NULL)) {
		check_skip("reuse", "this machine does not let us mount /proc for a pid namespace");
		return check_finish();
	}
	pid = world_dead_pid();
	pid = stranger(pid);
	if (pid < 0) {
		check_skip("reuse", "this machine does not let us choose process ids");
		return check_finish();
	}
	end(pid);
	if (!world_start())
		check_fatal("no directory for worlds");
	granularity();
	assignments();
	roots();
	locks();
	world_end();
	return check_finish();
}

int main(void)
{
	int status = 0;
	pid_t pid;

	if (!world_own_network() || unshare(CLONE_NEWPID | CLONE_NEWNS) ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		check_skip("reuse", "this machine does not let us make namespaces");
		return check_finish();
	}
	/* The first child is process 1 of the namespace: with it all others end. */
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		exit(test());
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
