/*
 * worker.c - the process between the keeper and the program, where the program is under a filter (src/notify).
 *
 * Theory of operation
 *
 *	shell -- keeper -- worker -- program -- whatever it starts
 *
 * The kernel lets a process look into another one if it is an ancestor of it (Yama's default, ptrace_scope 1; root
 * may in any case). Serving the program's calls means just that, so whoever serves has to stand above everything
 * that the program starts, daemons included: the worker is the program's parent and a child subreaper, and so is
 * the keeper above it. When the worker is killed the kernel makes everything the keeper's, which goes on where it
 * was (chain.c). When the keeper is killed, the worker goes on. When the program is over the keeper ends with its
 * status, and the worker stays for what is in the background, until nobody is left under the filter.
 *
 * The start. The worker is a fork of the keeper, the program a vfork of the worker that shares its table of
 * descriptors: where the program installs the filter, the worker has the listener. From there on a program without
 * a server would get ENOSYS for every call, so a second copy is sent to the keeper before anything else, in a
 * message that needs nobody to be awake, together with a pidfd of the program: its pid alone would be somebody
 * else's once we have reaped it. execve gives the program a table of its own, and closes its end of the channel;
 * ours is closed as well then, and by our death, so the keeper reads to the end of the channel and knows that the
 * start is over, however it went. The relay says how. A worker that is killed while it waits in vfork leaves a
 * program that needs nothing of it.
 *
 * Then: one thread, one poll(2). For every change of a child the worker looks first (WNOWAIT), tells, and only
 * then takes it: killed in between, it leaves to the keeper what it has not told, and at worst what it has. It is
 * in a session of its own, holds no file, directory or terminal of the program, and has every signal blocked: what
 * ends a group, a terminal or a tree of processes ends the program, and with the last of its processes the worker.
 *
 * A keeper that ends while something is in the background leaves an heir, which holds the listener and does nothing
 * until the server that it leaves behind, the worker or, where that was killed, itself, has ended.
 *
 * Limits. The heir is nobody's ancestor: it can look into the programs only where Yama is off, or as root; elsewhere
 * their calls go on as without portshim. Of a worker and an heir that are both killed, or a worker after its keeper
 * was, no server is left, and the calls of what is in the background fail (ENOSYS). A program that asked for a signal
 * at its parent's death (PR_SET_PDEATHSIG) gets it when the worker dies, and not when `portshim run` is killed. A
 * program that leaves the keeper's process group for one of its own has its parent in another session, which makes that
 * group an orphaned one (setpgid(2)): SIGTSTP, SIGTTIN and SIGTTOU do not stop it there, SIGSTOP does. In the keeper's
 * session it would be the other way round: what is stopped when the program ends would not be hung up by the kernel.
 */
#include "keeper.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../core/sys.h"
#include "../notify/notify.h"

#define STACK (64 * 1024)

/* ---- the program, until it is executed ---- */

struct birth {
	struct ps_keeper *keeper;
	int channel;
	bool again;
};

/* Sends the two descriptors to the keeper. The filter is in force, so the call carries the pass. 0 or -errno. */
static long send_pair(int channel, int listener, int self, uint64_t pass)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} control = {0};
	const int pair[2] = {listener, self};
	char byte = 0;
	struct iovec part = {&byte, 1};
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	long sent;

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(pair));
	memcpy(CMSG_DATA(header), pair, sizeof(pair));
	sent = sys_marked3(pass, SYS_sendmsg, channel, &message, MSG_NOSIGNAL);
	/* A keeper that was killed just now needs none: the worker has it. */
	return sent == -EPIPE || sent == -ECONNRESET ? 0 : sent < 0 ? sent : 0;
}

/* Shares memory and descriptors with the worker, which waits until this has executed the program or has ended. */
static int be_program(void *context)
{
	const struct birth *birth = context;
	struct ps_keeper *keeper = birth->keeper;
	struct ps_relay *relay = keeper->chain.relay;
	uint64_t pass = keeper->space->run->pass;
	int listener = notify_filter(pass, keeper->filter.flags);
	long self, error = listener;

	if (listener >= 0) {
		atomic_store(&relay->listener, listener);
		self = sys2(SYS_pidfd_open, sys0(SYS_getpid), 0);
		error = self < 0 ? self : send_pair(birth->channel, listener, (int)self, pass);
	}
	if (error < 0)
		atomic_store(&relay->refused, (int)-error);
	else
		atomic_store(&relay->failure, start_become(keeper, birth->again));
	/* Sanitizers take _exit for the end of the stack that they know, which is not this one. */
	sys1(SYS_exit_group, 127);
	__builtin_unreachable();
}

/* The C library's execvp puts the arguments of a script without an interpreter on the stack. */
static size_t stack_size(char *const *argv)
{
	size_t count = 0;

	while (argv[count])
		count++;
	return (STACK + count * sizeof(*argv) + 4095) / 4096 * 4096;
}

/* Returns when the program was executed, or has ended before. 0 or an errno. */
static int bear(struct birth *birth)
{
	const int flags = CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_PARENT_SETTID | SIGCHLD;
	size_t size = stack_size(birth->keeper->argv);
	char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int error = 0;

	if (stack == MAP_FAILED)
		return errno;
	if (clone(be_program, stack + size, flags, birth, &birth->keeper->chain.relay->program) < 0)
		error = errno;
	munmap(stack, size);
	return error;
}

/* ---- serving ---- */

enum serving {
	SERVING_NOT_YET,
	SERVING,         /* since the first call */
	SERVING_NO_MORE, /* nobody is under the filter */
};

/* Of what the program had, only these are left; of where it was, nothing. */
static void withdraw(int first, int second)
{
	start_close((const int[]){first, second}, 2);
	start_silence(true);
	setsid();
	if (chdir("/") != 0)
		return; /* a directory cannot be removed for a while */
	prctl(PR_SET_NAME, "portshim-worker", 0L, 0L, 0L);
}

static int status_of(const siginfo_t *info)
{
	switch (info->si_code) {
	case CLD_EXITED:
		return (info->si_status & 0xff) << 8;
	case CLD_DUMPED:
		return info->si_status | WCOREFLAG;
	case CLD_STOPPED:
		return info->si_status << 8 | 0x7f;
	case CLD_CONTINUED:
		return PS_CONTINUED;
	default:
		return info->si_status;
	}
}

/* Takes just what was seen: a child that was stopped may have ended by now. */
static int kind_of(const siginfo_t *info)
{
	return info->si_code == CLD_STOPPED ? WSTOPPED : info->si_code == CLD_CONTINUED ? WCONTINUED : WEXITED;
}

/* 0 or -errno: ECHILD when no child is left. Others cannot be, but would mean that we wait for nothing. */
static int reap(struct ps_relay *relay, pid_t *program)
{
	for (;;) {
		siginfo_t info = {0};
		int kind;

		if (waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WCONTINUED | WNOHANG | WNOWAIT) < 0)
			return -errno;
		if (!info.si_pid)
			return 0;
		kind = kind_of(&info);
		atomic_store(&relay->looking, true);
		if (info.si_pid == *program) {
			relay_tell(relay, status_of(&info));
			if (kind == WEXITED)
				*program = 0; /* the pid may be another's from now on */
		}
		if (kind == WEXITED)
			atomic_fetch_add(&relay->ended, 1);
		if (waitid(P_PID, (id_t)info.si_pid, &info, kind | WNOHANG) < 0)
			return -errno;
	}
}

/* SIGCHLD wakes us; all others are taken and forgotten. */
static void drain(int fd)
{
	struct signalfd_siginfo info[8];

	while (read(fd, info, sizeof(info)) > 0)
		;
}

/* Sees to what children have done, and whether it is all over. 0 or -errno. */
static int look(const struct ps_chain *chain, pid_t *program, bool *over)
{
	/* A filter that is released when its last process is reaped (before Linux 6.11) hangs up after that. */
	int error = reap(chain->relay, program);

	if (error && error != -ECHILD)
		return error;
	*over = error && chain_hung_up(chain);
	if (*over)
		atomic_store(&chain->relay->over, true); /* our own end tells as well */
	if (atomic_exchange(&chain->relay->looking, false))
		eventfd_write(chain->poked, 1);
	return 0;
}

/* What to wait for beside signals, for how long. Many programs never make a call that is told: then only the listener,
 * which says when there is one. */
static int prepare(const struct ps_chain *chain, enum serving serving, struct pollfd fds[PS_NOTIFY_FDS])
{
	for (unsigned i = 0; i < PS_NOTIFY_FDS; i++)
		fds[i] = (struct pollfd){-1, 0, 0};
	if (serving == SERVING_NOT_YET)
		fds[0] = (struct pollfd){chain->listener, POLLIN, 0};
	if (serving != SERVING)
		return -1;
	notify_poll(chain->notify, fds);
	return notify_time_left(chain->notify);
}

/* True when it is all over, false if this process cannot go on. */
static bool serve(struct ps_keeper *keeper, int signals)
{
	struct ps_chain *chain = &keeper->chain;
	pid_t program = chain->relay->program;
	enum serving serving = chain->listener < 0 ? SERVING_NO_MORE : SERVING_NOT_YET;
	bool over = false;

	while (!over) {
		struct pollfd fds[1 + PS_NOTIFY_FDS] = {{signals, POLLIN, 0}};
		int ms = prepare(chain, serving, fds + 1);

		if (poll(fds, 1 + PS_NOTIFY_FDS, ms) < 0) {
			if (errno == EINTR)
				continue;
			return false;
		}
		if (serving == SERVING_NOT_YET && fds[1].revents & POLLIN) {
			if (notify_start(chain->notify, chain->listener, keeper->space) != 0)
				return false;
			serving = SERVING;
		}
		if (serving == SERVING)
			notify_serve(chain->notify, fds + 1);
		if (fds[1].revents & POLLHUP)
			serving = SERVING_NO_MORE;
		if (!fds[0].revents && !(fds[1].revents & POLLHUP))
			continue;
		drain(signals);
		if (look(chain, &program, &over) != 0)
			return false;
	}
	return true;
}

void worker_run(struct ps_keeper *keeper, int channel, bool again)
{
	struct ps_chain *chain = &keeper->chain;
	struct ps_relay *relay = chain->relay;
	struct birth birth = {keeper, channel, again};
	int error, signals;
	sigset_t all;

	prctl(PR_SET_CHILD_SUBREAPER, 1L, 0L, 0L, 0L);
	error = bear(&birth);
	if (error || relay->failure || relay->refused) {
		if (error)
			atomic_store(&relay->unforked, error);
		while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
			;
		_exit(1);
	}
	close(channel);
	chain->listener = relay->listener > 0 ? relay->listener : -1; /* none: killed before it had one */
	withdraw(chain->listener, chain->poked);
	sigfillset(&all);
	signals = signalfd(-1, &all, SFD_NONBLOCK | SFD_CLOEXEC);
	_exit(signals >= 0 && serve(keeper, signals) ? 0 : 1);
}

/* Until the server before us has ended, or nobody is left who would need another. */
static void wait_for_turn(const struct ps_chain *chain, int ended)
{
	struct pollfd fds[2] = {{ended, POLLIN, 0}, {chain->listener, 0, 0}};

	while (poll(fds, 2, -1) < 0 && errno == EINTR)
		;
	if (!fds[0].revents)
		_exit(0);
}

void worker_succeed(struct ps_keeper *keeper, int ended)
{
	struct ps_chain *chain = &keeper->chain;
	struct ps_notify *notify = notify_create(relay_more(chain->relay));

	if (!notify)
		_exit(1);
	withdraw(chain->listener, ended);
	wait_for_turn(chain, ended);
	if (notify_start(notify, chain->listener, keeper->space) != 0)
		_exit(1);
	for (;;) {
		struct pollfd fds[PS_NOTIFY_FDS];

		notify_poll(notify, fds);
		if (poll(fds, PS_NOTIFY_FDS, notify_time_left(notify)) < 0)
			continue;
		if (fds[0].revents & POLLHUP)
			_exit(0);
		notify_serve(notify, fds);
	}
}
