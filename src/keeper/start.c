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
 */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void let_go(bool quiet)
{
	int null;

	syscall(SYS_close_range, 3u, ~0u, 0u); /* Linux 5.9; on an older one they stay open */
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	if (quiet)
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
	let_go(keeper->quiet);
	return 0;
}
