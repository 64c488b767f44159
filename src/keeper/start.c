/*
 * start.c - starting the program.
 *
 * Theory of operation: vfork(2) rather than fork: it is the fastest, and a failing execve can leave its errno in our
 * memory. All signals are blocked before it and stay blocked in the keeper, which reads them from a signalfd; the
 * child gets back the mask that portshim was started with. Dispositions are not touched, so that an ignored SIGINT
 * (nohup, `&`) stays ignored in the program; only SIGCHLD must not be ignored here, or the kernel would reap for us
 * and keep the status. The child stays in our process group, because that is the job that the shell and the terminal
 * know.
 *
 * The keeper is a child subreaper before the first grandchild can be orphaned.
 *
 * Where a filter is wanted a worker comes between, and the program is the worker's child (chain.c, worker.c). If
 * the kernel does not give us the filter nothing was executed yet, and it all goes as without: then the run has no
 * pass either, before the program's first instruction.
 *
 * Afterwards the keeper lets go of every descriptor but stderr: a reader of the program's stdout, of a pipe on
 * descriptor 3, or of a node IPC channel must see the end of it when the program closes it, not when the keeper ends.
 * That includes descriptors of libraries that were preloaded into portshim by others; none that we know of needs one.
 *
 * A program that may have to be started again (yield.c) must find its stdin, stdout and stderr again, so there the
 * keeper holds on to these three, and whoever reads from them sees their end when the keeper ends. Of others, it
 * has none.
 */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What another start of the program wants to have again: descriptors, and the terminal as it was. One that is marked
 * close-on-exec is none of the program's (launch_guard_standard). */
static void keep(struct ps_keeper *keeper)
{
	keeper->tty = -1;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		keeper->kept[fd] = fcntl(fd, F_GETFD) & FD_CLOEXEC ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (keeper->tty < 0 && keeper->kept[fd] >= 0 && tcgetattr(fd, &keeper->terminal) == 0)
			keeper->tty = keeper->kept[fd];
	}
	keeper->foreground = keeper->tty >= 0 && tcgetpgrp(keeper->tty) == getpgrp();
}

/* Linux 5.9; on an older one they stay open. */
static void close_between(int first, int last)
{
	if (first <= last)
		syscall(SYS_close_range, (unsigned)first, (unsigned)last, 0u);
}

void start_close(const int *held, unsigned count)
{
	int from = STDERR_FILENO + 1;

	for (;;) {
		int next = INT_MAX;

		for (unsigned i = 0; i < count; i++)
			if (held[i] >= from && held[i] < next)
				next = held[i];
		if (next == INT_MAX)
			break;
		close_between(from, next - 1);
		from = next + 1;
	}
	close_between(from, INT_MAX);
}

void start_silence(bool all)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	if (all)
		dup2(null, STDERR_FILENO);
	if (null > STDERR_FILENO)
		close(null);
}

static void let_go(struct ps_keeper *keeper)
{
	const struct ps_chain *chain = &keeper->chain;

	start_close((const int[]){ chain->listener, chain->program, chain->poked }, 3);
	if (keeper->lasting)
		keep(keeper);
	start_silence(keeper->quiet);
}

static void restore_descriptors(const struct ps_keeper *keeper)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (keeper->kept[fd] >= 0)
			dup2(keeper->kept[fd], fd);
		else
			close(fd);
	}
}

/* In the vfork child: nothing here may write to memory that the parent relies on. */
int start_become(const struct ps_keeper *keeper, bool again)
{
	if (again) {
		restore_descriptors(keeper);
		setrlimit(RLIMIT_NOFILE, &keeper->files);
	}
	sigaction(SIGCHLD, &keeper->child_action, NULL);
	sigprocmask(SIG_SETMASK, &keeper->mask, NULL);
	execvp(keeper->argv[0], keeper->argv);
	return errno;
}

static int start_child(struct ps_keeper *keeper, bool again)
{
	volatile int failure = 0;
	pid_t child = vfork();

	if (child == 0) {
		failure = start_become(keeper, again);
		_exit(127);
	}
	if (child < 0) {
		keeper->unforked = true;
		return errno;
	}
	if (failure)
		waitpid(child, NULL, 0);
	else
		keeper->child = child;
	return failure;
}

static int start(struct ps_keeper *keeper, bool again)
{
	int failure;

	if (!keeper->space || keeper->filter.mode == PS_STATIC_OFF)
		return start_child(keeper, again);
	failure = chain_start(keeper, again);
	if (!keeper->filter.refused)
		return failure;
	atomic_fetch_and(&keeper->space->run->flags, ~(PS_SCOPE_STATIC | PS_SCOPE_BARRED));
	keeper->space->run->pass = 0;
	if (keeper->filter.mode == PS_STATIC_ON)
		return failure;
	notices_unfiltered(keeper);
	return start_child(keeper, again);
}

int start_program(struct ps_keeper *keeper, char *const *argv)
{
	const struct sigaction normal = { .sa_handler = SIG_DFL };
	sigset_t all;
	int failure;

	keeper->argv = argv;
	getrlimit(RLIMIT_NOFILE, &keeper->files);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &keeper->mask);
	sigaction(SIGCHLD, &normal, &keeper->child_action);
	prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L);
	failure = start(keeper, false);
	if (failure) {
		prctl(PR_SET_CHILD_SUBREAPER, 0L, 0L, 0L, 0L);
		sigaction(SIGCHLD, &keeper->child_action, NULL);
		sigprocmask(SIG_SETMASK, &keeper->mask, NULL);
		return failure;
	}
	let_go(keeper);
	return 0;
}

/* A program that was killed may have left the terminal in a mode, or with a process group, that nobody else can use. */
static void restore_terminal(const struct ps_keeper *keeper)
{
	pid_t group;

	if (keeper->tty < 0)
		return;
	group = tcgetpgrp(keeper->tty);
	if (keeper->foreground && group > 0 && group != getpgrp() && kill(-group, 0) < 0 && errno == ESRCH &&
	    tcsetpgrp(keeper->tty, getpgrp()) == 0)
		group = getpgrp();
	if (group == getpgrp())
		tcsetattr(keeper->tty, TCSANOW, &keeper->terminal);
}

int start_again_program(struct ps_keeper *keeper)
{
	restore_terminal(keeper);
	return start(keeper, true);
}
