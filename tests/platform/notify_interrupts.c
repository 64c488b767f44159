/* WAIT_KILLABLE_RECV (Linux 5.19): from the moment at which a notification was received, no signal but a deadly one
 * ends the wait for its answer. What was begun on somebody's behalf is therefore never begun twice, and its result
 * reaches the program: src/notify relies on it for every call that it makes on a duplicate. Without it a bind that
 * was made would be restarted, and would fail with EINVAL.
 *
 * Before the receipt a signal still interrupts: with SA_RESTART the call is made anew, without it is EINTR, also for
 * calls that natively never are. How often that can happen is measured: a receiver that is woken at once leaves
 * almost no time. (__seccomp_filter, seccomp_do_user_notification in kernel/seccomp.c.) */
#include <fcntl.h>
#include <sys/time.h>

#include "notify.h"

#define ROUNDS 20000u

struct seen {
	long result;
	int error, handled;
	unsigned interrupted, signals;
};

static struct seen *seen;
static bool restarts;

static void one_call(void *unused)
{
	(void)unused;
	notify_handle(SIGUSR1, restarts);
	errno = 0;
	seen->result = syscall(SYS_getsockname, -1, NULL, NULL);
	seen->error = errno;
	seen->handled = notify_handled;
}

static void check_received(const struct sock_fprog *program, bool restart)
{
	struct seccomp_notif call;
	struct notify_child child;

	restarts = restart;
	child = notify_start(program, NOTIFY_FLAGS, one_call, NULL);
	notify_go(&child);
	CHECK(notify_receive(child.listener, &call), "received");
	kill(child.pid, SIGUSR1);
	CHECK(notify_state(child.pid, 'D', true), "the signal waits, and the call sleeps as only a deadly one ends");
	CHECK(!ioctl(child.listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call.id), "the call is still the same");
	CHECK(notify_answer(child.listener, call.id, 42, 0, 0), "answered");
	CHECK(notify_end(&child) == 0, "the child ended");
	CHECK(seen->result == 42 && seen->handled == 1, "the answer came, and then the handler ran");
}

static void check_killed(const struct sock_fprog *program)
{
	struct notify_child child = notify_start(program, NOTIFY_FLAGS, one_call, NULL);
	struct seccomp_notif call;

	notify_go(&child);
	CHECK(notify_receive(child.listener, &call), "received");
	kill(child.pid, SIGKILL);
	CHECK(!notify_more(&child) && notify_state(child.pid, 'Z', false), "a deadly signal ends the wait");
	CHECK(!notify_answer(child.listener, call.id, 42, 0, 0) && errno == ENOENT, "its call cannot be answered");
	CHECK(notify_end(&child) == 1000 + SIGKILL, "the child was killed");
}

static void check_waiting(const struct sock_fprog *program, bool restart)
{
	struct seccomp_notif call;
	struct notify_child child;

	restarts = restart;
	child = notify_start(program, NOTIFY_FLAGS, one_call, NULL);
	notify_go(&child);
	CHECK(notify_poll(child.listener, NOTIFY_LIMIT) == POLLIN, "a call waits to be received");
	CHECK(notify_state(child.pid, 'S', false), "any signal ends this wait");
	kill(child.pid, SIGUSR1);
	if (restart) {
		/* The one that waits may be the first still, or the second already: either must not be lost. */
		while (notify_receive(child.listener, &call) && !notify_answer(child.listener, call.id, 42, 0, 0))
			;
		CHECK(notify_end(&child) == 0 && seen->result == 42, "with SA_RESTART it is notified anew");
	} else {
		CHECK(notify_state(child.pid, 'Z', false), "without SA_RESTART it ends");
		CHECK(notify_end(&child) == 0 && seen->result == -1 && seen->error == EINTR, "with EINTR");
	}
	CHECK(seen->handled == 1, "the handler ran");
}

/* A timer that fires every 200 us, and calls that natively are never interrupted. */
static void many_calls(void *unused)
{
	struct itimerval often = { .it_interval.tv_usec = 200, .it_value.tv_usec = 200 }, never = { 0 };

	(void)unused;
	notify_handle(SIGALRM, restarts);
	setitimer(ITIMER_REAL, &often, NULL);
	for (unsigned i = 0; i < ROUNDS; i++) {
		long result = syscall(SYS_getsockname, -1, NULL, NULL);

		if (result == -1 && errno == EINTR)
			seen->interrupted++;
		else if (result != 42)
			_exit(1);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	seen->signals = (unsigned)notify_handled;
}

/* Receives and answers until the child is over. The number of calls, or -1 if one could not be answered. */
static int serve(const struct notify_child *child)
{
	struct pollfd p[2] = { { .fd = child->listener, .events = POLLIN }, { .events = POLLIN } };
	struct seccomp_notif call;
	int answered = 0;

	p[1].fd = (int)syscall(SYS_pidfd_open, child->pid, 0);
	while (poll(p, 2, NOTIFY_LIMIT) > 0 && (p[0].revents & POLLIN || !p[1].revents)) {
		memset(&call, 0, sizeof(call));
		if (ioctl(child->listener, SECCOMP_IOCTL_NOTIF_RECV, &call) == 0)
			answered = answered >= 0 && notify_answer(child->listener, call.id, 42, 0, 0) ? answered + 1 : -1;
		else if (errno != EINTR && errno != ENOENT)
			answered = -1;
	}
	close(p[1].fd);
	return answered;
}

static void check_often(const struct sock_fprog *program, bool restart, bool fast)
{
	uint64_t flags = SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP, start;
	struct notify_child child;
	int answered;
	double each;

	restarts = restart;
	memset(seen, 0, sizeof(*seen));
	child = notify_start(program, NOTIFY_FLAGS, many_calls, NULL);
	if (fast && ioctl(child.listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, flags)) {
		check_skip("SYNC_WAKE_UP", "Linux 6.6");
		notify_end(&child);
		return;
	}
	start = notify_now();
	notify_go(&child);
	answered = serve(&child);
	each = (double)(notify_now() - start) / 1e3 / ROUNDS;
	CHECK(notify_end(&child) == 0, "each call had its answer or EINTR");
	CHECK(seen->signals > 20, "signals came");
	/* Before Linux 6.18 an answer that came while a signal woke the caller was lost: "seccomp: Fix a race with
	 * WAIT_KILLABLE_RECV if the tracer replies too fast". */
	CHECK(answered == (int)(ROUNDS - seen->interrupted), "no answer was lost, and no call was answered twice");
	if (restart)
		CHECK(!seen->interrupted, "none is interrupted with SA_RESTART");
	printf("%s, %s: %.1f us a call; %u of %u calls EINTR at %u signals: a signal must come within %.1f us\n",
	       restart ? "SA_RESTART" : "no SA_RESTART", fast ? "SYNC_WAKE_UP" : "no SYNC_WAKE_UP", each,
	       seen->interrupted, ROUNDS, seen->signals, each * seen->interrupted / seen->signals);
}

int main(void)
{
	const int call = SYS_getsockname;
	struct notify_rules rules;

	seen = notify_shared(sizeof(*seen));
	notify_rules(&rules, &call, 1);
	check_received(&rules.program, false);
	check_received(&rules.program, true);
	check_killed(&rules.program);
	check_waiting(&rules.program, false);
	check_waiting(&rules.program, true);
	for (int i = 0; i < 4; i++)
		check_often(&rules.program, i & 1, i & 2);
	return check_finish();
}
