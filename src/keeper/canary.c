/*
 * canary.c - telling a signal that was sent to us from one that was sent to everybody.
 *
 * Theory of operation: a signal that somebody sends to the keeper's pid must be passed on to the program; one that goes
 * to the whole process group, to every process of a tree or a control group, or by name (killpg, kill %1, tree-kill,
 * systemd, pkill) has reached the program already, and a second SIGTERM or SIGINT often means "at once". The kernel
 * tells the receiver no difference. So there is a second process beside us, in the same group and with the same
 * command line, that does nothing but wait for signals and note when each came: what came there as well was sent to
 * everybody.
 *
 * It costs as little as a process can: it shares our memory and descriptors, has a stack of a page, sleeps unless
 * there are signals, and the kernel ends it with us. In a process group the newest member is signalled first and we
 * are older, so its copy of a signal is on the way when ours is read. Those who send one by one may come to us first;
 * hence the second look, and where the kernel has taken the processor from the sender in between, others until it has
 * it again. A note is used up by one signal, and is void after a while: signals that come faster than they are read are
 * merged by the kernel, in one process and not in the other, and what is left over must not hide a later one.
 */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../core/sys.h"

#define LOOK_NS 1000000     /* between two looks */
#define LOOKS 3             /* for a signal that may be on its way to the canary */
#define LOOKS_BUSY 200      /* for one that has reached it, or whose sender is held up: the machine is busy */
#define CHANCE_NS 1000000   /* is time enough for a sender to come to the canary, when it runs */
#define VOID_NS 500000000ull
#define FIRST_PID_NAMESPACE 0xeffffffcu /* PROC_PID_INIT_INO of the kernel, the same since 3.8 */

static char stack[4096] __attribute__((aligned(16)));
static _Atomic uint64_t noted[_NSIG]; /* when the canary got each signal; 0: not, or used up */

static uint64_t now_ns(void)
{
	struct timespec ts = { 0 };

	sys2(SYS_clock_gettime, CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Shares memory and thread-local storage with the keeper, so nothing here may touch errno or call the C library. */
static int listen_for_ever(void *parent)
{
	const uint64_t all = ~UINT64_C(0);

	/* Better none than one that stays when we are gone. */
	if (sys5(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
		return 0;
	while (sys0(SYS_getppid) == (long)(intptr_t)parent) {
		long number = sys4(SYS_rt_sigtimedwait, &all, 0, 0, sizeof(all));

		if (number > 0 && number < _NSIG)
			atomic_store(&noted[number], now_ns());
	}
	return 0;
}

void canary_start(struct ps_keeper *keeper)
{
	/* Without an exit signal it is no child that waitpid(2) counts. It outlives us by a moment, with our
	 * descriptors: so it is the one that waits for the kernel to take the inotify instance apart, which takes
	 * milliseconds. */
	int child = clone(listen_for_ever, stack + sizeof(stack), CLONE_VM | CLONE_FS | CLONE_FILES,
			  (void *)(intptr_t)getpid());

	keeper->canary = child > 0 ? child : 0;
}

/* The machine's own init reaps whatever it gets. The first process of another pid namespace may be a server or `sleep`,
 * which does not: a zombie would stay for each run. */
static bool is_reaped_by_init(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) == 0 && st.st_ino == FIRST_PID_NAMESPACE;
}

/* Where nobody may reap it, and inside another run, whose keeper counts every process that is left, it has to be gone
 * before we are. */
void canary_end(struct ps_keeper *keeper)
{
	if (!keeper->canary || (!keeper->nested && is_reaped_by_init()))
		return;
	kill(keeper->canary, SIGKILL);
	while (waitpid(keeper->canary, NULL, __WALL) < 0 && errno == EINTR)
		;
	keeper->canary = 0;
}

/* What the kernel says of a process. Empty if it says nothing. */
static void read_about(pid_t pid, const char *what, char *text, size_t room)
{
	char path[48];
	ssize_t size = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		size = read(fd, text, room - 1);
		close(fd);
	}
	text[size > 0 ? size : 0] = '\0';
}

/* True if the signal may have reached the canary, which did not come to note it yet: it waits there, or the canary is
 * awake. */
static bool is_pending(const struct ps_keeper *keeper, int number)
{
	char text[16384], *line;

	read_about(keeper->canary, "status", text, sizeof(text));
	line = strstr(text, "\nState:\t");
	if (line && line[8] == 'R')
		return true;
	line = strstr(text, "\nShdPnd:");
	return line && strtoull(line + 8, NULL, 16) >> (number - 1) & 1;
}

/* True if the sender would go on, and has hardly run since the first look (*ran: 0 before it): it may have more to
 * send. What schedstat says first is for how long it has run; of one that runs all the time that grows with each
 * tick. */
static bool is_held_up(pid_t sender, uint64_t *ran)
{
	char text[512], *name_end;
	uint64_t now;

	if (sender <= 0)
		return false;
	read_about(sender, "schedstat", text, sizeof(text));
	now = strtoull(text, NULL, 10);
	if (!*ran)
		*ran = now;
	if (!now || now - *ran > CHANCE_NS)
		return false;
	read_about(sender, "stat", text, sizeof(text));
	name_end = strrchr(text, ')');
	return name_end && strncmp(name_end, ") R", 3) == 0;
}

static bool use_note(int number)
{
	uint64_t when = atomic_exchange(&noted[number], 0);

	return when && now_ns() - when < VOID_NS;
}

bool canary_heard(struct ps_keeper *keeper, int number, pid_t sender)
{
	const struct timespec moment = { .tv_nsec = LOOK_NS };
	uint64_t ran = 0;
	int looks = LOOKS;

	for (int i = 0; keeper->canary && number < _NSIG; i++) {
		if (use_note(number))
			return true;
		if (looks != LOOKS_BUSY && is_pending(keeper, number))
			looks = LOOKS_BUSY;
		else if (i + LOOKS < LOOKS_BUSY && looks != LOOKS_BUSY && is_held_up(sender, &ran))
			looks = i + LOOKS;
		if (i >= looks)
			break;
		nanosleep(&moment, NULL);
	}
	return false;
}
