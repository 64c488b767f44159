/*
 * chain.c - the keeper's side of the worker: starting it, hearing from it, and taking its place.
 *
 * Theory of operation: worker.c says who stands where, and why. The keeper has three states here:
 *
 *	no worker, not serving   there is no filter: the program is our child
 *	a worker                 the program is the worker's child; what it does comes by the relay, and an eventfd
 *	                         wakes us. Signals go to it by a pidfd, since the worker may have reaped it
 *	no worker, serving       the worker was killed. The kernel has given us its children, so we hear of them as if
 *	                         there were no filter; and we serve, in the same loop as ever: notify_serve() waits for
 *	                         nobody, and a keeper that is one thread can fork, stop itself and end
 *
 * The second goes over to the third by the worker's death, whoever brought that about: yield.c does it on purpose,
 * because it wants the children to be ours. What the worker had told before it died is heard first, what it had
 * not told is found by waitpid(2) then; what it had begun to serve lies in memory that we share, and
 * notify_start() finishes it.
 *
 * Whether the filter can be had at all turns out before the program is executed. If it cannot, the worker ends,
 * and the program is started as without one: with nothing between us, and with no pass in the run's file.
 */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../notify/notify.h"

#define PATIENCE 100 /* failures of one call that are none of ours */

_Static_assert(PS_CHAIN_FDS == 1 + PS_NOTIFY_FDS, "what chain_poll fills in");

void chain_init(struct ps_keeper *keeper)
{
	keeper->chain = (struct ps_chain){.listener = -1, .program = -1, .poked = -1};
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

bool chain_hung_up(const struct ps_chain *chain)
{
	struct pollfd fd = {chain->listener, 0, 0};

	while (chain->listener >= 0 && poll(&fd, 1, 0) < 0)
		; /* of one descriptor: there is nothing that could fail but by a signal */
	return chain->listener < 0 || fd.revents & (POLLHUP | POLLNVAL);
}

static void stop_serving(struct ps_chain *chain)
{
	chain->serving = false;
	notify_close(chain->notify);
	chain->notify = NULL;
	close_fd(chain->listener);
	chain->listener = -1;
}

/* Lets go of a chain that is over. One that is not, of processes that outlive SIGKILL, is left as it is. */
static void release(struct ps_keeper *keeper)
{
	struct ps_chain *chain = &keeper->chain;

	if (chain->serving && chain_hung_up(chain))
		stop_serving(chain);
	if (!chain->serving) {
		if (chain->notify)
			notify_close(chain->notify);
		close_fd(chain->listener);
		relay_free(chain->relay, notify_size());
	}
	close_fd(chain->program);
	close_fd(chain->poked);
	chain_init(keeper);
}

/* ---- the start ---- */

/* What the program sends before it is executed; the end comes when that is over. False if that cannot be heard. */
static bool receive(struct ps_chain *chain, int channel)
{
	struct pollfd end = {channel, 0, 0};

	/* For the end only: to wake up for the message would make the program wait for us. If it cannot be waited for,
	 * reading does. */
	while (poll(&end, 1, -1) < 0 && errno == EINTR)
		;
	for (unsigned failures = 0; failures < PATIENCE;) {
		union {
			struct cmsghdr header;
			char room[CMSG_SPACE(2 * sizeof(int))];
		} control;
		char byte;
		struct iovec part = {&byte, 1};
		struct msghdr message = {
			.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
		ssize_t got = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		int pair[2] = {-1, -1};

		if (got == 0)
			return true;
		failures += got < 0 && errno != EINTR; /* memory, which may be there the next time */
		if (got < 0 || !header || header->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(pair, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0)); /* fewer where no number is free */
		chain->listener = pair[0];
		chain->program = pair[1];
	}
	return false;
}

static int open_all(struct ps_chain *chain, int ends[2])
{
	chain->relay = relay_create(notify_size());
	if (!chain->relay)
		return errno;
	chain->notify = notify_create(relay_more(chain->relay));
	if (!chain->notify)
		return ENOMEM;
	chain->poked = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (chain->poked < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return errno;
	return 0;
}

static void wait_for_worker(struct ps_chain *chain)
{
	while (waitpid(chain->worker, NULL, 0) < 0 && errno == EINTR)
		;
	chain->worker = 0;
}

/* A worker that was killed in the middle of it has left a program that failed to us. */
static void end_start(struct ps_chain *chain)
{
	wait_for_worker(chain);
	if (chain->relay->program)
		waitpid(chain->relay->program, NULL, 0);
}

int chain_start(struct ps_keeper *keeper, bool again)
{
	struct ps_chain *chain = &keeper->chain;
	struct ps_relay *relay;
	int ends[2] = {-1, -1}, failure;

	release(keeper);
	keeper->filter.refused = open_all(chain, ends);
	if (keeper->filter.refused)
		goto failed;
	relay = chain->relay;
	chain->worker = fork();
	if (chain->worker == 0) {
		close(ends[0]);
		worker_run(keeper, ends[1], again);
	}
	if (chain->worker < 0) {
		keeper->filter.refused = errno;
		chain->worker = 0;
		goto failed;
	}
	close(ends[1]);
	ends[1] = -1;
	if (!receive(chain, ends[0]))
		kill(chain->worker, SIGKILL); /* what it has executed already goes on without */
	failure = relay->failure;
	keeper->filter.refused = relay->refused ? relay->refused : relay->unforked ? relay->unforked : 0;
	if (!relay->program && !keeper->filter.refused)
		keeper->filter.refused = ECANCELED; /* somebody killed the worker before it came to it */
	if (!failure && !keeper->filter.refused) {
		close(ends[0]);
		keeper->child = relay->program;
		return 0;
	}
	end_start(chain);
	close(ends[0]);
	release(keeper);
	return keeper->filter.refused ? keeper->filter.refused : failure;
failed:
	close_fd(ends[0]);
	close_fd(ends[1]);
	release(keeper);
	return keeper->filter.refused;
}

/* ---- hearing from it ---- */

bool chain_hear(struct ps_keeper *keeper, int *status)
{
	struct ps_chain *chain = &keeper->chain;
	eventfd_t count;

	if (!chain->relay)
		return false;
	eventfd_read(chain->poked, &count);
	if (atomic_load(&chain->relay->ended) != chain->ended) {
		chain->ended = atomic_load(&chain->relay->ended);
		keeper->reaped = true;
	}
	return relay_hear(chain->relay, !chain->worker, &chain->news, status);
}

bool chain_over(const struct ps_keeper *keeper)
{
	return atomic_load(&keeper->chain.relay->over);
}

void chain_signal(const struct ps_keeper *keeper, int number, siginfo_t *info)
{
	if (keeper->chain.program >= 0)
		syscall(SYS_pidfd_send_signal, keeper->chain.program, number, info, 0);
	else if (info)
		sigqueue(keeper->child, number, info->si_value);
	else
		kill(keeper->child, number);
}

/* ---- taking its place ---- */

void chain_lost(struct ps_keeper *keeper)
{
	struct ps_chain *chain = &keeper->chain;

	chain->worker = 0;
	if (chain_hung_up(chain))
		return;
	chain->serving = notify_start(chain->notify, chain->listener, keeper->space) == 0;
	if (!chain->serving)
		stop_serving(chain); /* ENOSYS for what would wait for ever */
}

void chain_dissolve(struct ps_keeper *keeper)
{
	struct ps_chain *chain = &keeper->chain;

	if (!chain->worker)
		return;
	kill(chain->worker, SIGKILL);
	wait_for_worker(chain);
	chain_lost(keeper);
}

void chain_poll(const struct ps_keeper *keeper, struct pollfd fds[PS_CHAIN_FDS])
{
	const struct ps_chain *chain = &keeper->chain;

	fds[0] = (struct pollfd){chain->worker ? chain->poked : -1, POLLIN, 0};
	fds[1] = fds[2] = (struct pollfd){-1, 0, 0};
	if (chain->serving)
		notify_poll(chain->notify, fds + 1);
}

int chain_time_left(const struct ps_keeper *keeper)
{
	return keeper->chain.serving ? notify_time_left(keeper->chain.notify) : -1;
}

void chain_serve(struct ps_keeper *keeper, const struct pollfd fds[PS_CHAIN_FDS])
{
	struct ps_chain *chain = &keeper->chain;

	if (!chain->serving)
		return;
	notify_serve(chain->notify, fds + 1);
	if (fds[1].revents & POLLHUP)
		stop_serving(chain);
}

/* What is in the background needs somebody when this server has ended: its worker, which may be killed, or ourselves. */
static void leave_heir(struct ps_keeper *keeper, pid_t server)
{
	int ended = (int)syscall(SYS_pidfd_open, server, 0);

	if (ended < 0)
		return;
	if (fork() == 0)
		worker_succeed(keeper, ended);
	close(ended);
}

void chain_end(struct ps_keeper *keeper)
{
	struct ps_chain *chain = &keeper->chain;

	if (chain->worker && chain_over(keeper))
		wait_for_worker(chain);
	else if ((chain->worker || chain->serving) && !chain_hung_up(chain))
		leave_heir(keeper, chain->worker ? chain->worker : getpid());
	release(keeper);
}
