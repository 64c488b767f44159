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
 * Afterwards the keeper lets go of every descriptor but stderr: a reader of the program's stdout, of a pipe on
 * descriptor 3, or of a node IPC channel must see the end of it when the program closes it, not when the keeper ends.
 * That includes descriptors of libraries that were preloaded into portshim by others; none that we know of needs one.
 *
 * A program that may have to be started again (yield.c) must find its stdin, stdout and stderr again, so there the keeper
 * holds on to these three, and whoever reads from them sees their end when the keeper ends. Of others, it has none.
 */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
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

static void let_go(struct ps_keeper *keeper)
{
	int null;

	syscall(SYS_close_range, 3u, ~0u, 0u); /* Linux 5.9; on an older one they stay open */
	if (keeper->lasting)
		keep(keeper);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	if (keeper->quiet)
		dup2(null, STDERR_FILENO);
	if (null > STDERR_FILENO)
		close(null);
}

/* In the vfork child: nothing here may write to memory that the parent relies on, but for *failure. */
static void become(const struct ps_keeper *keeper, char *const *argv, volatile int *failure)
{
	sigaction(SIGCHLD, &keeper->child_action, NULL);
	sigprocmask(SIG_SETMASK, &keeper->mask, NULL);
	execvp(argv[0], argv);
	*failure = errno;
	_exit(127);
}

int start_program(struct ps_keeper *keeper, char *const *argv)
{
	const struct sigaction normal = { .sa_handler = SIG_DFL };
	volatile int failure = 0;
	sigset_t all;
	pid_t child;

	keeper->argv = argv;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &keeper->mask);
	sigaction(SIGCHLD, &normal, &keeper->child_action);
	prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L);
	child = vfork();
	if (child == 0)
		become(keeper, argv, &failure);
	if (child < 0) {
		failure = errno;
		keeper->unforked = true;
		prctl(PR_SET_CHILD_SUBREAPER, 0L, 0L, 0L, 0L);
	}
	if (failure) {
		if (child > 0)
			waitpid(child, NULL, 0);
		sigaction(SIGCHLD, &keeper->child_action, NULL);
		sigprocmask(SIG_SETMASK, &keeper->mask, NULL);
		return failure;
	}
	keeper->child = child;
	let_go(keeper);
	return 0;
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
	volatile int failure = 0;
	pid_t child;

	restore_terminal(keeper);
	child = vfork();
	if (child == 0) {
		restore_descriptors(keeper);
		become(keeper, keeper->argv, &failure);
	}
	if (child < 0)
		return errno;
	if (failure)
		waitpid(child, NULL, 0);
	else
		keeper->child = child;
	return failure;
}
