/* The listener is a file like any other: who has it open can answer, whoever received the call. A receiver that is
 * killed leaves its calls waiting, known by their id alone: src/keeper keeps the listener in two processes and the
 * ids in memory that both have, and so loses no call. With the last holder gone, each notified call is ENOSYS, for
 * good.
 *
 * The listener says POLLHUP when the last task under the filter is gone: by that the worker knows that it is needed no
 * more. Since Linux 6.11 a zombie is gone in this sense ("seccomp: release task filters when the task exits"), before
 * that its parent has to wait for it. To receive where nobody is left waits for ever before that version: who receives
 * has to poll first.
 *
 * A chain of filters has one listener at most (EBUSY), so an inner run needs the outer one's; other filters may be
 * added to it, and what an outer filter notifies of, an inner one cannot allow away. (seccomp(2), kernel/seccomp.c.)
 * */
#include <fcntl.h>

#include "notify.h"

struct seen {
	long result[2];
	int error[2];
	_Atomic int stage;
};

static struct seen *seen;
static struct notify_rules rules;

static void calls(void *unused)
{
	(void)unused;
	for (int i = 0; i < 2; i++) {
		errno = 0;
		seen->result[i] = syscall(SYS_getsockname, -1, NULL, NULL);
		seen->error[i] = errno;
	}
}

/* A process that receives a call into shared memory and is killed then; a second one answers. */
static void check_receiver_dies(void)
{
	struct notify_child child = notify_start(&rules.program, NOTIFY_FLAGS, calls, NULL);
	struct seccomp_notif *call = notify_shared(sizeof(*call)), other;
	pid_t receiver = fork();
	int status;

	if (!receiver) {
		close(child.go);
		if (!notify_receive(child.listener, call))
			_exit(1);
		raise(SIGKILL);
	}
	notify_go(&child);
	CHECK(waitpid(receiver, &status, 0) == receiver && WIFSIGNALED(status), "the receiver was killed");
	CHECK(call->pid == (uint32_t)child.pid && call->data.nr == SYS_getsockname,
	      "the kernel wrote what it received");
	CHECK(!notify_poll(child.listener, 50), "the call is not offered again");
	CHECK(!ioctl(child.listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call->id), "and waits");
	CHECK(notify_answer(child.listener, call->id, 42, 0, 0), "another holder of the listener answers");
	CHECK(!notify_answer(child.listener, call->id, 43, 0, 0) && (errno == ENOENT || errno == EINPROGRESS),
	      "only once");
	CHECK(notify_receive(child.listener, &other) && other.id != call->id, "the next call");
	CHECK(notify_answer(child.listener, other.id, 0, EXDEV, 0), "answered");
	CHECK(notify_end(&child) == 0, "the child ended");
	CHECK(seen->result[0] == 42 && seen->result[1] == -1 && seen->error[1] == EXDEV, "each has its answer");
}

/* A receiver that is stopped, or that received with a page that is not there: the call is not lost. */
static void check_receiver_fails(void)
{
	struct notify_child child = notify_start(&rules.program, NOTIFY_FLAGS, calls, NULL);
	struct seccomp_notif call;

	notify_go(&child);
	CHECK(notify_poll(child.listener, NOTIFY_LIMIT) == POLLIN, "a call waits");
	memset(&call, 0, sizeof(call));
	call.pid = 1; /* must be zero, all of it */
	CHECK(ioctl(child.listener, SECCOMP_IOCTL_NOTIF_RECV, &call) == -1 && errno == EINVAL,
	      "memory that is not zero");
	CHECK(ioctl(child.listener, SECCOMP_IOCTL_NOTIF_RECV, (void *)8) == -1 && errno == EFAULT, "no memory");
	for (int i = 0; i < 2; i++)
		CHECK(notify_receive(child.listener, &call) && notify_answer(child.listener, call.id, 42, 0, 0),
		      "then well");
	CHECK(notify_end(&child) == 0 && seen->result[1] == 42, "the child ended");
}

static void check_all_gone(void)
{
	struct notify_child child = notify_start(&rules.program, NOTIFY_FLAGS, calls, NULL);
	struct seccomp_notif call;

	notify_go(&child);
	CHECK(notify_receive(child.listener, &call), "received");
	CHECK(notify_end(&child) == 0, "the last listener is closed, the child ends");
	CHECK(seen->result[0] == -1 && seen->error[0] == ENOSYS, "the received call: ENOSYS");
	CHECK(seen->result[1] == -1 && seen->error[1] == ENOSYS, "and each one after it");
}

/* A grandchild that outlives the child. */
static void daemon_like(void *unused)
{
	(void)unused;
	if (!fork()) {
		prctl(PR_SET_PDEATHSIG, 0);
		while (!seen->stage)
			usleep(500);
		_exit(0);
	}
}

static void check_hangup(void)
{
	struct notify_child child;
	struct seccomp_notif call;
	int status;

	seen->stage = 0;
	child = notify_start(&rules.program, NOTIFY_FLAGS, daemon_like, NULL);
	CHECK(!notify_poll(child.listener, 20), "nothing while the child lives");
	notify_go(&child);
	CHECK(waitpid(child.pid, &status, 0) == child.pid, "the child is over");
	CHECK(!notify_poll(child.listener, 50), "nothing while a descendant lives");
	seen->stage = 1;
	CHECK(notify_poll(child.listener, NOTIFY_LIMIT) == POLLHUP, "POLLHUP when the last one is gone");
	memset(&call, 0, sizeof(call));
	notify_handle(SIGALRM, false);
	ualarm(100000, 10000);
	CHECK(ioctl(child.listener, SECCOMP_IOCTL_NOTIF_RECV, &call) == -1, "nothing to receive");
	ualarm(0, 0);
	if (errno == EINTR)
		check_skip("receiving without any program is ENOENT", "Linux 6.11");
	else
		CHECK(errno == ENOENT, "ENOENT");
	close(child.listener);
}

static void nothing(void *unused)
{
	(void)unused;
}

static void check_zombie(void)
{
	struct notify_child child = notify_start(&rules.program, NOTIFY_FLAGS, nothing, NULL);
	int status;

	notify_go(&child);
	CHECK(notify_state(child.pid, 'Z', false), "a zombie");
	if (notify_poll(child.listener, 200) != POLLHUP) {
		check_skip("POLLHUP with a zombie", "Linux 6.11");
		CHECK(waitpid(child.pid, &status, 0) == child.pid, "waited for");
	}
	CHECK(notify_poll(child.listener, NOTIFY_LIMIT) == POLLHUP, "POLLHUP");
	notify_end(&child);
}

static void second(void *unused)
{
	const struct sock_filter allow_all = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	const struct sock_fprog all = { .len = 1, .filter = (struct sock_filter *)&allow_all };

	(void)unused;
	seen->result[0] = notify_install(&all, NOTIFY_FLAGS);
	seen->error[0] = errno;
	if (!fork()) {
		if (notify_install(&all, NOTIFY_FLAGS) >= 0 || errno != EBUSY)
			_exit(1);
		_exit(0);
	}
	seen->stage = wait(NULL) > 0;
	if (notify_install(&all, SECCOMP_FILTER_FLAG_SPEC_ALLOW))
		_exit(2);
	seen->result[1] = syscall(SYS_getsockname, -1, NULL, NULL);
}

static void check_second(void)
{
	struct notify_child child;
	struct seccomp_notif call;

	memset(seen, 0, sizeof(*seen));
	child = notify_start(&rules.program, NOTIFY_FLAGS, second, NULL);
	notify_go(&child);
	CHECK(notify_receive(child.listener, &call) && notify_answer(child.listener, call.id, 42, 0, 0),
	      "a filter without a listener can be added, and does not hide the first");
	CHECK(notify_end(&child) == 0, "the child ended");
	CHECK(seen->result[0] == -1 && seen->error[0] == EBUSY, "a second listener: EBUSY");
	CHECK(seen->result[1] == 42, "the first one's answer");
}

int main(void)
{
	const int call = SYS_getsockname;

	seen = notify_shared(sizeof(*seen));
	notify_rules(&rules, &call, 1);
	check_receiver_dies();
	check_receiver_fails();
	check_all_gone();
	check_hangup();
	check_zombie();
	check_second();
	return check_finish();
}
