/*
 * signals.c - being transparent: signals, stopping and continuing, and the ends of processes.
 *
 * Theory of operation: the program is in our process group, so what the terminal sends (Ctrl-C, Ctrl-Z, Ctrl-\, a
 * change of size, hang-up) it has got already: the kernel is the sender, and nothing is passed on. What a process
 * sends to us with kill(2) is meant for the program, because the sender started `portshim run` and knows no other
 * pid. But for:
 *
 *	- senders inside the run: they do not know us; it was kill(0, ...), and the program has got it too;
 *	- SIGHUP from the kernel where we lead the session: only the leader gets that one;
 *	- SIGCONT, which is passed on only to a program that is stopped: else it continued together with us.
 *
 * What somebody outside sends to the whole group is not passed on either: canary.c knows how to tell.
 *
 * Stopping: the shell that waits for its job sees us only, so we stop with the program, by the same signal, and the
 * `fg` that continues the group continues both. A SIGSTOP is followed only where we lead the job: in a job of
 * somebody else's it is not the terminal's user who stopped the program but a test or a debugger that will continue
 * just the program.
 */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the kernel says of a process, from its state on: "S 812 ...". Empty if it says nothing. */
static const char *read_stat(pid_t pid, char text[512])
{
	char path[32], *end;
	ssize_t size;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return "";
	size = read(fd, text, 511);
	close(fd);
	text[size > 0 ? size : 0] = '\0';
	end = strrchr(text, ')'); /* the command before it may contain anything */
	return end && strlen(end) > 4 ? end + 2 : "";
}

pid_t signals_parent(pid_t pid)
{
	char text[512];
	const char *stat = read_stat(pid, text);

	return *stat ? (pid_t)strtol(stat + 2, NULL, 10) : 0;
}

bool signals_inside(pid_t pid)
{
	pid_t self = getpid();

	for (int depth = 0; pid > 1 && depth < 64; depth++) {
		if (pid == self)
			return true;
		pid = signals_parent(pid);
	}
	return false;
}

/* Now: we hear a little later that it was stopped or goes on, and must not act on what was before. */
static bool is_stopped(const struct ps_keeper *keeper)
{
	char text[512];
	char state = *read_stat(keeper->child, text);

	return state ? state == 'T' : keeper->stopped;
}

static bool is_meant_for_program(const struct ps_keeper *keeper, const struct signalfd_siginfo *info)
{
	switch (info->ssi_code) {
	case SI_USER:
	case SI_QUEUE:
	case SI_TKILL:
		break;
	case SI_KERNEL:
		return info->ssi_signo == SIGHUP && getsid(0) == getpid();
	default:
		return false;
	}
	if (info->ssi_signo == SIGCONT && !is_stopped(keeper))
		return false;
	return (pid_t)info->ssi_pid != keeper->child && !signals_inside((pid_t)info->ssi_pid);
}

static void pass_on(const struct ps_keeper *keeper, const struct signalfd_siginfo *info)
{
	siginfo_t queued = { .si_signo = (int)info->ssi_signo, .si_code = SI_QUEUE };

	queued.si_pid = getpid();
	queued.si_uid = getuid();
	queued.si_value.sival_ptr = (void *)(uintptr_t)info->ssi_ptr;
	chain_signal(keeper, (int)info->ssi_signo, info->ssi_code == SI_QUEUE ? &queued : NULL);
	if (info->ssi_signo == SIGHUP && info->ssi_code == SI_KERNEL)
		chain_signal(keeper, SIGCONT, NULL); /* as the kernel does with a session leader */
}

static void consider(struct ps_keeper *keeper, const struct signalfd_siginfo *info)
{
	bool meant = is_meant_for_program(keeper, info);
	/* Also for the terminal's, which are not passed on: the canary's note of one must not hide the next one from
	 * somebody. */
	bool heard = canary_heard(keeper, (int)info->ssi_signo, meant ? (pid_t)info->ssi_pid : 0);

	if (meant && (!heard || info->ssi_code == SI_KERNEL))
		pass_on(keeper, info);
}

void signals_read(struct ps_keeper *keeper)
{
	struct signalfd_siginfo info;

	while (read(keeper->signals, &info, sizeof(info)) == sizeof(info)) {
		if (keeper->yield.state != PS_YIELD_NO &&
		    (info.ssi_code == SI_KERNEL || is_meant_for_program(keeper, &info)))
			yield_heard(keeper, (int)info.ssi_signo);
		if (info.ssi_signo != SIGCHLD && !keeper->ended)
			consider(keeper, &info);
	}
}

/* Stops this process as the program was stopped, and returns when it is continued. */
static void stop_too(int number)
{
	const struct sigaction normal = { .sa_handler = SIG_DFL };
	struct sigaction before;
	sigset_t one, mask;

	if (number == SIGSTOP) {
		kill(getpid(), SIGSTOP);
		return;
	}
	/* SIGTSTP, SIGTTIN, SIGTTOU: do nothing in an orphaned process group, where nobody could continue us. */
	sigemptyset(&one);
	sigaddset(&one, number);
	sigaction(number, &normal, &before);
	kill(getpid(), number);
	sigprocmask(SIG_UNBLOCK, &one, &mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	sigaction(number, &before, NULL);
}

static bool leads_job(void)
{
	int tty;
	bool has;

	if (getpgrp() != getpid())
		return false;
	tty = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);
	has = tty >= 0;
	if (has)
		close(tty);
	return has;
}

/* What has become of the program. Keeps in *stop the signal that stopped it. */
static void note(struct ps_keeper *keeper, int status, int *stop)
{
	keeper->stopped = WIFSTOPPED(status);
	if (keeper->stopped)
		*stop = WSTOPSIG(status);
	if (keeper->stopped || WIFCONTINUED(status))
		return;
	keeper->ended = true;
	keeper->status = status;
}

/* What the worker has told. */
static void collect_from_worker(struct ps_keeper *keeper, int *stop)
{
	int status;

	if (chain_hear(keeper, &status))
		note(keeper, status, stop);
}

static int collect(struct ps_keeper *keeper)
{
	int status, stop = 0;
	pid_t pid;

	collect_from_worker(keeper, &stop);
	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0) {
		bool over = WIFEXITED(status) || WIFSIGNALED(status);

		if (pid == keeper->chain.worker) {
			if (over) {
				chain_lost(keeper);
				collect_from_worker(keeper, &stop);
			}
			continue;
		}
		if (over)
			keeper->reaped = true;
		if (over && pid == keeper->canary)
			keeper->canary = 0; /* somebody killed it: we do without */
		if (pid == keeper->child && !keeper->ended)
			note(keeper, status, &stop);
	}
	keeper->alone = keeper->chain.worker ? chain_over(keeper) : pid < 0 && errno == ECHILD;
	return keeper->stopped ? stop : 0;
}

/* The terminal's user stops the group again: SIGCONT has taken from us what was before it. */
static bool is_to_stop(void)
{
	sigset_t set;

	return sigpending(&set) == 0 &&
	       (sigismember(&set, SIGTSTP) || sigismember(&set, SIGTTIN) || sigismember(&set, SIGTTOU));
}

void signals_reap(struct ps_keeper *keeper)
{
	int stop = collect(keeper);

	while (stop) {
		bool follows = (stop != SIGSTOP || leads_job()) && is_stopped(keeper);

		if (follows)
			stop_too(stop);
		stop = collect(keeper);
		/* Somebody who continues us alone means the program; `fg` continued both at once. */
		if (follows && is_stopped(keeper) && !is_to_stop()) {
			chain_signal(keeper, SIGCONT, NULL);
			stop = collect(keeper);
		}
	}
}
