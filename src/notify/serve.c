/*
 * serve.c - receives notified calls and has them answered.
 *
 * Theory of operation
 *
 * A thread under the filter (filter.c) that makes one of its calls sleeps in the kernel until somebody answers: with a
 * result, or that the call is to go on as if nothing had been. One thread, the server's, receives these calls and
 * serves what cannot block: the kernel can wake it on the processor that the program leaves
 * (SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP). A call that may block, a first bind or a listen, which take the run's lock and
 * write files, gets a thread of its own (serve_by_thread), so that no program ever waits for another one's disk, lock
 * or wish.
 *
 * A program that waits for an answer must get it, whatever becomes of the server. So everything about a call is in a
 * journal, in memory that is shared with the process that would take over. The kernel copies the notification right
 * into a slot of the journal, and there is no moment at which it is received and not in there: what the kernel could
 * not copy whole, because the receiver was killed, it puts back (kernel/seccomp.c, seccomp_notify_recv). A received
 * notification belongs to nobody: whoever holds the listener can answer it by its id.
 *
 * The next server reads the journal before it receives anything (recover):
 *
 *	RECEIVED, id 0                 nothing was received
 *	any, the kernel does not       it was answered, or the program was killed; or the receiver was killed while the
 *	know the id as received        kernel copied it, and it will be received again. Nothing is to be done
 *	RECEIVED                       nothing was done about it yet: served from the beginning
 *	BEGUN                          served from the beginning by a handler that knows (call->again) that its effects
 *	                               may be there already, and comes out as if they had happened once
 *
 * What each handler does about `again` is in its file. What the core had half done in the registry, it finds itself:
 * there, a dead server is what a dead program is. One thread at a time has a slot, and only its `stage` is ever read
 * by another.
 *
 * No signal handler runs here (but for one that does nothing, limit.c) and no lock of libc is held while something is
 * served but for threads' starts: malloc by those is the only sharing. Signals are blocked in threads. RLIMIT_NOFILE,
 * RLIMIT_NPROC: a duplicate that cannot be had makes the call go on as without portshim, a thread that cannot be had
 * makes the call block the server for as long as it takes.
 */

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "calls.h"
#include "decode.h"
#include "held.h"
#include "limit.h"
#include "served.h"

#define THREAD_STACK (128 << 10)
#define FILES_OWN 16 /* descriptors that have nothing to do with calls */
#define PATIENCE 100 /* how often an answer is tried */

/* Since Linux 6.6 (include/uapi/linux/seccomp.h); headers may be older. */
#define SET_FLAGS _IOW('!', 4, uint64_t)
#define FLAG_SYNC_WAKE_UP 1ul

/* ---- slots ---- */

static struct ps_slot *find_free(struct ps_notify *notify)
{
	for (unsigned i = 0; i < notify->slots; i++)
		if (atomic_load_explicit(&notify->journal->stage[i], memory_order_acquire) == PS_STAGE_FREE)
			return &notify->journal->slot[i];
	return NULL;
}

/* The lowest one, so that few pages are ever touched. NULL: all are in use, and the calls wait in the kernel. */
static struct ps_slot *take_slot(struct ps_notify *notify)
{
	struct ps_slot *slot = find_free(notify);

	if (!slot) {
		atomic_store(&notify->full, true);
		slot = find_free(notify); /* freed before we said so */
	}
	if (slot)
		atomic_store(&notify->full, false);
	return slot;
}

static void free_slot(struct ps_notify *notify, struct ps_slot *slot)
{
	atomic_store(serve_stage(notify, slot), PS_STAGE_FREE);
	if (atomic_exchange(&notify->full, false))
		eventfd_write(notify->freed, 1);
}

/* ---- answering ---- */

int serve_ask(const struct ps_notify *notify, unsigned long request, void *argument)
{
	int result;

	do
		result = ioctl(notify->listener, request, argument) < 0 ? -errno : 0;
	while (result == -EINTR);
	return result;
}

/* ENOENT: the program is gone. EINPROGRESS: it has its answer. This kernel says nothing else, but without its answer
 * the program would wait for ever. */
static void send_answer(const struct ps_notify *notify, struct seccomp_notif_resp *response)
{
	int error = -EAGAIN;

	for (unsigned tries = 0; error && error != -ENOENT && error != -EINPROGRESS && tries < PATIENCE; tries++)
		error = serve_ask(notify, SECCOMP_IOCTL_NOTIF_SEND, response);
}

static void finish(struct ps_call *call, enum ps_answer answer)
{
	struct seccomp_notif_resp response = {.id = call->id};

	/* Before the answer: a program that closes its socket then must find it closed. */
	if (call->fd >= 0)
		close(call->fd);
	if (answer == PS_ANSWER_CONTINUE)
		response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	else if (call->value < 0)
		response.error = (int)call->value;
	else
		response.val = call->value;
	send_answer(call->notify, &response);
	free_slot(call->notify, call->slot);
	if (call->target)
		target_release(call->target);
}

struct handed {
	struct ps_call call;
	ps_handler *handler;
};

static void *run_handed(void *argument)
{
	struct handed *handed = argument;
	struct ps_notify *notify = handed->call.notify;
	enum ps_answer answer = handed->handler(&handed->call);

	if (answer != PS_ANSWER_LATER)
		finish(&handed->call, answer);
	free(handed);
	if (atomic_fetch_sub(&notify->threads, 1) == 1)
		syscall(SYS_futex, &notify->threads, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	return NULL;
}

static bool start_thread(struct handed *handed)
{
	pthread_attr_t attributes;
	pthread_t thread;
	bool started;
	sigset_t all, before;

	if (pthread_attr_init(&attributes))
		return false;
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, THREAD_STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	started = pthread_create(&thread, &attributes, run_handed, handed) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return started;
}

enum ps_answer serve_by_thread(struct ps_call *call, ps_handler *handler)
{
	struct handed *handed = malloc(sizeof(*handed));

	if (handed) {
		*handed = (struct handed){.call = *call, .handler = handler};
		atomic_fetch_add(&call->notify->threads, 1);
		if (start_thread(handed))
			return PS_ANSWER_LATER;
		atomic_fetch_sub(&call->notify->threads, 1);
		free(handed);
	}
	return handler(call);
}

static enum ps_answer go_on(struct ps_call *call)
{
	(void)call;
	return PS_ANSWER_CONTINUE;
}

static enum ps_answer is_answered(struct ps_call *call)
{
	(void)call;
	return PS_ANSWER_VALUE;
}

/* True if to close it may take its time, where the program has closed its own meanwhile: a connection that lingers
 * (SO_LINGER, but for no time, which resets it); what is no socket and writes back then, as files of NFS and FUSE do. */
static bool closing_waits(int fd)
{
	struct linger linger = {0};
	socklen_t length = sizeof(linger);

	return getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &length) < 0 || (linger.l_onoff && linger.l_linger);
}

void serve_finish(struct ps_call *call, enum ps_answer answer)
{
	if (call->fd >= 0 && closing_waits(call->fd))
		answer = serve_by_thread(call, answer == PS_ANSWER_CONTINUE ? go_on : is_answered);
	if (answer != PS_ANSWER_LATER)
		finish(call, answer);
}

/* ---- one call ---- */

static ps_handler *const handlers[PS_CALL_KINDS] = {
	[PS_CALL_BIND] = bind_serve,
	[PS_CALL_LISTEN] = listen_serve,
	[PS_CALL_CONNECT] = connect_serve,
	[PS_CALL_GETSOCKNAME] = names_serve,
	[PS_CALL_GETPEERNAME] = names_serve,
	[PS_CALL_SENDTO] = datagram_serve,
	[PS_CALL_SENDMSG] = datagram_serve,
	[PS_CALL_SENDMMSG] = datagram_serve,
	[PS_CALL_RECVFROM] = datagram_serve,
	[PS_CALL_RECVMSG] = datagram_serve,
	[PS_CALL_RECVMMSG] = datagram_serve,
	[PS_CALL_RECVMMSG_TIME64] = datagram_serve,
};

static void serve(struct ps_notify *notify, struct ps_slot *slot, bool again)
{
	const struct seccomp_notif *notif = &slot->u.notif;
	struct ps_call call = {.notify = notify, .slot = slot, .id = notif->id, .tid = (int32_t)notif->pid,
			       .again = again, .fd = -1};
	enum ps_answer answer = PS_ANSWER_CONTINUE;

	if (decode_call(&notif->data, call.tid, &call.kind, &call.compat, call.args) == 0 && handlers[call.kind])
		answer = handlers[call.kind](&call);
	if (answer != PS_ANSWER_LATER)
		serve_finish(&call, answer);
}

/* poll has said that there is one, and nobody else receives: so this does not wait. The program may have been killed
 * since: ENOENT. */
static void receive(struct ps_notify *notify)
{
	struct ps_slot *slot = take_slot(notify);

	if (!slot)
		return;
	memset(&slot->u, 0, sizeof(slot->u)); /* the kernel insists on it */
	atomic_store(serve_stage(notify, slot), PS_STAGE_RECEIVED);
	if (ioctl(notify->listener, SECCOMP_IOCTL_NOTIF_RECV, &slot->u.notif) == 0)
		serve(notify, slot, false);
	else
		free_slot(notify, slot);
}

void notify_poll(const struct ps_notify *notify, struct pollfd fds[PS_NOTIFY_FDS])
{
	/* Without an eventfd nobody tells of a free slot. */
	bool wait_for_slot = atomic_load(&notify->full) && notify->freed >= 0;

	fds[0] = (struct pollfd){notify->listener, wait_for_slot ? 0 : POLLIN, 0};
	fds[1] = (struct pollfd){notify->events, POLLIN, 0};
}

int notify_time_left(const struct ps_notify *notify)
{
	return held_time_left(notify);
}

void notify_serve(struct ps_notify *notify, const struct pollfd fds[PS_NOTIFY_FDS])
{
	eventfd_t count;

	if (fds[1].revents)
		eventfd_read(notify->freed, &count);
	held_serve(notify);
	if (fds[0].revents & POLLIN)
		receive(notify);
}

/* ---- starting and ending ---- */

static bool is_received(const struct ps_notify *notify, const struct ps_slot *slot)
{
	uint64_t id = slot->u.notif.id; /* 0, where nothing was received: the kernel knows of none */

	return serve_ask(notify, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) != -ENOENT;
}

static void recover_slot(struct ps_notify *notify, struct ps_slot *slot)
{
	uint32_t stage = atomic_load(serve_stage(notify, slot));

	if (stage == PS_STAGE_FREE)
		return;
	if (is_received(notify, slot))
		serve(notify, slot, stage == PS_STAGE_BEGUN);
	else
		free_slot(notify, slot);
}

/* The call with the message in hand comes first: the others need the packet, too. */
static void recover(struct ps_notify *notify)
{
	uint64_t id = atomic_load(&notify->journal->packet.id);
	struct ps_slot *first = NULL;

	for (unsigned i = 0; i < PS_SLOTS && !first; i++) {
		struct ps_slot *slot = &notify->journal->slot[i];

		if (atomic_load(&notify->journal->stage[i]) == PS_STAGE_BEGUN && slot->u.notif.id == id)
			first = slot;
	}
	if (first)
		recover_slot(notify, first);
	for (unsigned i = 0; i < PS_SLOTS; i++)
		if (&notify->journal->slot[i] != first)
			recover_slot(notify, &notify->journal->slot[i]);
}

size_t notify_size(void)
{
	return sizeof(struct ps_journal);
}

struct ps_notify *notify_create(void *shared)
{
	struct ps_notify *notify = calloc(1, sizeof(*notify));

	if (!notify)
		return NULL;
	notify->journal = shared;
	notify->listener = notify->events = notify->freed = -1;
	notify->targets = target_make();
	if (!notify->targets) {
		free(notify);
		return NULL;
	}
	return notify;
}

static void close_events(struct ps_notify *notify)
{
	if (notify->events >= 0)
		close(notify->events);
	if (notify->freed >= 0)
		close(notify->freed);
	notify->events = notify->freed = -1;
}

/* Where they cannot be had, nothing is held. */
static void open_events(struct ps_notify *notify)
{
	struct epoll_event event = {.events = EPOLLIN};

	notify->events = epoll_create1(EPOLL_CLOEXEC);
	notify->freed = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (notify->events < 0 || notify->freed < 0 || epoll_ctl(notify->events, EPOLL_CTL_ADD, notify->freed, &event) < 0)
		close_events(notify);
}

/* The program's limit is not ours. Where few may be open, calls wait in the kernel until others are answered: each
 * takes up to three (a third of all there are for known processes, a quarter for held calls). */
static void count_descriptors(struct ps_notify *notify)
{
	struct rlimit files = {0, 0};

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (files.rlim_max < PS_NOTIFY_FILES) /* made less while we run: what cannot be had then goes on as it is */
		files.rlim_max = PS_NOTIFY_FILES;
	notify->files = (files.rlim_max < INT_MAX ? (unsigned)files.rlim_max : INT_MAX) - FILES_OWN;
	notify->slots = notify->files / 4 < PS_SLOTS ? notify->files / 4 : PS_SLOTS;
}

int notify_start(struct ps_notify *notify, int listener, struct ps_space *own)
{
	struct seccomp_notif_sizes sizes;

	/* Known to be so (probe.c), but that the journal is written into. */
	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) == 0 &&
	    (sizes.seccomp_notif > sizeof(((struct ps_slot *)0)->u) ||
	     sizes.seccomp_notif_resp > sizeof(struct seccomp_notif_resp)))
		return -E2BIG;
	notify->listener = listener;
	notify->own = own;
	count_descriptors(notify);
	open_events(notify);
	target_start(notify);
	notify->privileged = calls_privileged();
	limit_start();
	ioctl(listener, SET_FLAGS, FLAG_SYNC_WAKE_UP); /* where there is none it is slower */
	recover(notify);
	return 0;
}

void notify_close(struct ps_notify *notify)
{
	unsigned threads;

	while ((threads = atomic_load(&notify->threads)))
		syscall(SYS_futex, &notify->threads, FUTEX_WAIT_PRIVATE, threads, NULL, NULL, 0);
	held_close(notify); /* which holds on to targets */
	target_end(notify);
	close_events(notify);
	free(notify);
}
