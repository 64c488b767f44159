/*
 * target.c - the processes whose calls are served.
 *
 * Theory of operation
 *
 * A notification names a thread. What must be known about its process is found out once and kept: which run it
 * belongs to (PORTSHIM_RUN in the environment that it was executed with, else the run of this server), and the ports
 * that it addressed by themselves (route.h). All of this ends with exec. /proc/PID/environ tells: a descriptor of it
 * belongs to the memory that the process had when it was opened, and reads nothing once that memory is gone (proc(5),
 * fs/proc/base.c environ_read). Limit: a child of vfork that makes such a call before it executes a program is
 * taken for one with its parent's environment afterwards, too: its memory was its parent's, and that goes on.
 *
 * For each thread there is a pidfd, which never means another thread, whoever gets the number; so a kept entry is
 * tried with a signal 0 before it is believed. On kernels before 6.9 there are no pidfds of threads: the process's
 * own takes their place, which says nothing of the thread's end (so whose the number is, is looked at each time), and
 * differs for threads that have a table of descriptors of their own.
 *
 * Files of a process are read in /proc/TID: a process goes on when its first thread has ended, but /proc/PID is empty
 * then.
 *
 * What is looked up by number (/proc/PID, process_vm_readv) may be about another process, if the thread was killed in
 * the meantime. Whoever does something that counts asks the kernel first whether the thread still waits for its
 * answer (target_waits); then the number was its own all the time.
 *
 * Only the serving thread looks processes up. Threads that it hands calls to hold on to theirs (`holds`), and what
 * they use of it does not change. The number of entries is bounded, because each costs descriptors; the one that was
 * used longest ago makes room. The spaces of other runs are unmapped when nobody uses them and their run is over, or
 * many such are left: nobody says of the run of a `portshim exec` that it is over.
 */
#include "served.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <portshim/process.h>

#include "../core/text.h"
#include "calls.h"
#include "decode.h"

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL /* Linux 6.9 */
#endif
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* Linux 5.14 */
#endif

#define MOST 256          /* threads, and processes, that are remembered */
#define ENVIRON_CHUNK 65536
#define UNUSED_MOST 8     /* other runs whose space nobody uses, kept for their next process */

/* A run's space, for all of its processes. */
struct space {
	struct ps_space space;
	char path[PS_RUNTIME_MAX + 16];
	_Atomic unsigned users; /* processes; unmapped by the serving thread, when there are none */
	struct space *next;
};

struct ps_target {
	_Atomic unsigned holds;
	int32_t pid;
	int memory; /* what ends with it */
	uint64_t identity;
	struct ps_space *space; /* NULL: portshim has nothing to do with the process */
	struct space *foreign;  /* what `space` is in, unless it is the server's own */
	struct ps_direct direct;
};

struct thread {
	int pidfd;
	bool by_process; /* it is the process's, and `tid` is not its first thread's */
	struct ps_target *target;
	uint64_t used;
};

struct ps_targets {
	unsigned most;
	unsigned threads, processes;
	uint64_t clock;
	int32_t tid[MOST]; /* apart from the rest, because they are searched */
	struct thread thread[MOST];
	struct ps_target *process[MOST];
	struct space *spaces;
	char own_path[PS_RUNTIME_MAX + 16];
	char text[ENVIRON_CHUNK];
};

/* ---- reading /proc ---- */

static int open_proc(int32_t pid, const char *name)
{
	char path[64];
	struct ps_text t = text_start(path, sizeof(path));

	text_add(&t, "/proc/");
	text_number(&t, (uint64_t)pid);
	text_char(&t, '/');
	text_add(&t, name);
	text_end(&t);
	return open(path, O_RDONLY | O_CLOEXEC);
}

long target_status(int32_t tid, char *text, size_t size)
{
	int fd = open_proc(tid, "status");
	long n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n;
}

/* The number behind "\nNAME:\t", 0 if it is not there. */
uint64_t target_field(const char *status, const char *name, int base)
{
	const char *at = strstr(status, name);

	return at ? strtoull(at + strlen(name), NULL, base) : 0;
}

/* ---- which run? ---- */

struct settings {
	char run[PS_RUNTIME_MAX + 16];
	bool off, preloaded;
};

static void read_variable(struct settings *s, const char *variable)
{
	const char *value;

	if ((value = text_value(variable, "PORTSHIM_RUN")))
		s->off |= !text_copy(s->run, sizeof(s->run), value);
	else if ((value = text_value(variable, "PORTSHIM")))
		s->off |= text_equal(value, "off");
	else if ((value = text_value(variable, "LD_PRELOAD")))
		s->preloaded = strstr(value, "portshim") != NULL;
}

/* In pieces, because an environment may be megabytes. A variable that does not fit into one is none of ours. False
 * if it is empty. */
static bool read_settings(struct settings *s, int fd, char text[ENVIRON_CHUNK])
{
	size_t have = 0;
	off_t at = 0;
	long n;

	memset(s, 0, sizeof(*s));
	while ((n = pread(fd, text + have, ENVIRON_CHUNK - 1 - have, at)) > 0) {
		char *variable = text, *end;

		at += n;
		have += (size_t)n;
		while ((end = memchr(variable, '\0', have - (size_t)(variable - text)))) {
			read_variable(s, variable);
			variable = end + 1;
		}
		have -= (size_t)(variable - text);
		if (have == ENVIRON_CHUNK - 1)
			have = 0;
		memmove(text, variable, have);
	}
	return at > 0;
}

/* The newest ones come first. */
static void unmap_unused(struct ps_targets *targets)
{
	unsigned unused = 0;

	for (struct space **at = &targets->spaces; *at;) {
		struct space *space = *at;

		if (space->users ||
		    (!(atomic_load(&space->space.run->flags) & PS_SCOPE_RETIRED) && unused++ < UNUSED_MOST)) {
			at = &space->next;
			continue;
		}
		*at = space->next;
		space_close(&space->space);
		free(space);
	}
}

static struct space *find_space(struct ps_targets *targets, const char *path)
{
	struct space *space;

	for (space = targets->spaces; space; space = space->next)
		if (text_equal(space->path, path) && !(atomic_load(&space->space.run->flags) & PS_SCOPE_RETIRED))
			return space;
	unmap_unused(targets);
	space = calloc(1, sizeof(*space));
	if (!space || space_open(&space->space, path) != 0) {
		free(space);
		return NULL;
	}
	text_copy(space->path, sizeof(space->path), path);
	space->next = targets->spaces;
	targets->spaces = space;
	return space;
}

static void choose_space(struct ps_notify *notify, struct ps_target *target, const struct settings *s)
{
	struct ps_targets *targets = notify->targets;

	if (s->off || (!s->run[0] && s->preloaded))
		return;
	if (!s->run[0] || text_equal(s->run, targets->own_path)) {
		target->space = notify->own;
		return;
	}
	target->foreign = find_space(targets, s->run);
	if (target->foreign) {
		target->foreign->users++;
		target->space = &target->foreign->space;
	}
}

/* ---- processes ---- */

void target_hold(struct ps_target *target)
{
	atomic_fetch_add(&target->holds, 1);
}

void target_release(struct ps_target *target)
{
	if (atomic_fetch_sub(&target->holds, 1) != 1)
		return;
	if (target->foreign)
		atomic_fetch_sub(&target->foreign->users, 1);
	close(target->memory);
	free(target);
}

static void forget_process(struct ps_targets *targets, unsigned i)
{
	struct ps_target *target = targets->process[i];

	targets->process[i] = targets->process[--targets->processes];
	target_release(target);
}

/* Still the memory that it was found with: it has neither ended nor executed another program. */
static bool is_same(const struct ps_target *target)
{
	char c;

	errno = 0;
	/* EIO: of an environment that is empty, mem takes the place, and has nothing at 0. */
	return pread(target->memory, &c, 1, 0) == 1 || errno == EIO;
}

static struct ps_target *find_process(struct ps_targets *targets, int32_t pid)
{
	for (unsigned i = 0; i < targets->processes; i++) {
		struct ps_target *target = targets->process[i];

		if (target->pid != pid)
			continue;
		if (is_same(target))
			return target;
		forget_process(targets, i);
		break;
	}
	return NULL;
}

static void forget_thread(struct ps_targets *targets, unsigned i)
{
	close(targets->thread[i].pidfd);
	target_release(targets->thread[i].target);
	targets->threads--;
	targets->thread[i] = targets->thread[targets->threads];
	targets->tid[i] = targets->tid[targets->threads];
}

static void forget_oldest_thread(struct ps_targets *targets)
{
	unsigned oldest = 0;

	for (unsigned i = 1; i < targets->threads; i++)
		if (targets->thread[i].used < targets->thread[oldest].used)
			oldest = i;
	forget_thread(targets, oldest);
}

/* Those that are over, and of the others those that were not heard of for the longest time: a quarter must be free
 * then, because to find out who is over takes a system call for each. */
static void make_room(struct ps_targets *targets)
{
	const unsigned most = targets->most - targets->most / 4;

	for (unsigned i = targets->threads; i-- > 0;)
		if (syscall(SYS_pidfd_send_signal, targets->thread[i].pidfd, 0, NULL, 0) < 0)
			forget_thread(targets, i);
	for (unsigned i = targets->processes; i-- > 0;)
		if (!is_same(targets->process[i]))
			forget_process(targets, i);
	while (targets->threads > most)
		forget_oldest_thread(targets);
	/* In no order: one that goes on is found again. */
	while (targets->processes > most)
		forget_process(targets, 0);
	unmap_unused(targets);
}

/* The kernel's name of a process, which everybody may read. */
static void read_name(int32_t pid, char name[PS_NAMED_MAX])
{
	ssize_t length;
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = fd < 0 ? -1 : read(fd, name, PS_NAMED_MAX - 1);
	if (fd >= 0)
		close(fd);
	name[length > 0 ? length : 0] = '\0';
	name[strcspn(name, "\n")] = '\0';
}

/* A process that is not dumpable, or another user's. Told once for each program. The name is read now, while the
 * process waits for its answer: when the keeper comes to tell it, it may be gone. */
static void tell_unreadable(struct ps_notify *notify, int32_t pid)
{
	char name[PS_NAMED_MAX];
	uint16_t place;

	read_name(pid, name);
	if (space_name(notify->own->run->escaped, name, &place))
		space_event_by(notify->own, pid, PS_EVENT_ESCAPED, place, 0);
}

/* NULL also where nothing can be found out for want of a descriptor: without an identity it would be taken for us. */
static struct ps_target *make_process(struct ps_notify *notify, int32_t pid, int32_t tid)
{
	struct ps_targets *targets = notify->targets;
	struct ps_target *target = calloc(1, sizeof(*target));
	struct settings s;

	if (!target)
		return NULL;
	target->pid = pid;
	target->holds = 1;
	target->memory = open_proc(tid, "environ");
	if (target->memory < 0) {
		if (errno == EACCES || errno == EPERM)
			tell_unreadable(notify, pid);
		free(target);
		return NULL;
	}
	target->identity = process_of(pid);
	if (!target->identity)
		target->identity = process_of(tid); /* the first thread has ended */
	if (target->identity && !read_settings(&s, target->memory, targets->text)) {
		close(target->memory);
		target->memory = open_proc(tid, "mem");
	}
	if (!target->identity || target->memory < 0) {
		target_release(target);
		return NULL;
	}
	choose_space(notify, target, &s);
	targets->process[targets->processes++] = target;
	return target;
}

static int open_pidfd(int32_t tid, int32_t pid, bool *by_process)
{
	int fd = (int)syscall(SYS_pidfd_open, tid, PIDFD_THREAD);

	*by_process = fd < 0 && errno == EINVAL && tid != pid;
	return fd >= 0 || errno != EINVAL ? fd : (int)syscall(SYS_pidfd_open, pid, 0);
}

static int32_t pid_of(int32_t tid)
{
	char status[2048];

	return target_status(tid, status, sizeof(status)) > 0 ? (int32_t)target_field(status, "\nTgid:\t", 10) : 0;
}

/* An entry for a thread that is not known yet, or NULL. */
static struct thread *add_thread(struct ps_call *call)
{
	struct ps_targets *targets = call->notify->targets;
	struct ps_target *target;
	int32_t pid = pid_of(call->tid);
	bool by_process;
	int pidfd;

	if (!pid)
		return NULL;
	if (targets->threads == targets->most || targets->processes == targets->most)
		make_room(targets);
	target = find_process(targets, pid);
	if (!target) {
		target = make_process(call->notify, pid, call->tid);
		datagram_inherit(call->notify, pid);
	}
	if (!target)
		return NULL;
	pidfd = open_pidfd(call->tid, pid, &by_process);
	if (pidfd < 0)
		return NULL;
	target_hold(target);
	targets->tid[targets->threads] = call->tid;
	targets->thread[targets->threads] = (struct thread){.pidfd = pidfd, .by_process = by_process,
							    .target = target};
	if (!target_waits(call)) { /* so all of this may have been about another */
		targets->threads++;
		forget_thread(targets, targets->threads - 1);
		return NULL;
	}
	return &targets->thread[targets->threads++];
}

static bool is_current(const struct thread *thread, int32_t tid)
{
	return is_same(thread->target) && syscall(SYS_pidfd_send_signal, thread->pidfd, 0, NULL, 0) == 0 &&
	       (!thread->by_process || pid_of(tid) == thread->target->pid);
}

/* The entry that is kept, if it is still about the same thread and the same program. */
static struct thread *find_thread(struct ps_call *call)
{
	struct ps_targets *targets = call->notify->targets;

	for (unsigned i = 0; i < targets->threads; i++) {
		struct thread *thread = &targets->thread[i];

		if (targets->tid[i] != call->tid)
			continue;
		if (is_current(thread, call->tid))
			return thread;
		forget_thread(targets, i);
		break;
	}
	return NULL;
}

/* The thread's number in its own pid namespace, as it has it itself; 0 if it cannot be had. */
static uint32_t own_number(int32_t tid)
{
	char text[PS_STATUS_ROOM], *line, *last;

	target_status(tid, text, sizeof(text));
	line = strstr(text, "\nNSpid:");
	if (!line)
		return 0;
	line[1 + strcspn(line + 1, "\n")] = '\0';
	last = strrchr(line, '\t');
	return last ? (uint32_t)strtoul(last, NULL, 10) : 0;
}

/* True for a preloaded thread in the middle of a decision, which holds its run's lock: it makes a call through another
 * library that stands between ours and libc and passes no mark on (scope.h). To decide it here as well would be to wait
 * for that lock. The number may also be one that a dead owner had: that one's note is older than the thread. */
static bool is_deciding(const struct ps_space *space, int32_t tid)
{
	uint32_t owner = lock_owner(&space->run->lock);
	uint64_t since;

	if (!owner || (owner != (uint32_t)tid && owner != own_number(tid)))
		return false;
	since = atomic_load(&space->run->lock.since);
	return process_pid(since) == (int32_t)owner && process_start(process_of(tid)) <= process_start(since) + 1;
}

bool target_of(struct ps_call *call)
{
	struct thread *thread = find_thread(call);

	if (!thread)
		thread = add_thread(call);
	if (!thread || !thread->target->space || is_deciding(thread->target->space, call->tid))
		return false;
	thread->used = ++call->notify->targets->clock;
	call->target = thread->target;
	target_hold(call->target);
	call->pidfd = thread->pidfd;
	call->caller = (struct ps_caller){.space = call->target->space, .calls = &calls_of_target,
					  .identity = call->target->identity, .direct = &call->target->direct};
	return true;
}

/* ---- its socket, its memory ---- */

bool target_waits(const struct ps_call *call)
{
	uint64_t id = call->id;

	return serve_ask(call->notify, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

int target_socket(struct ps_call *call, int number)
{
	uint64_t netns = 0;
	socklen_t length = sizeof(netns);
	int fd = (int)syscall(SYS_pidfd_getfd, call->pidfd, number, 0);

	if (fd < 0)
		return -errno;
	call->fd = fd;
	call->number = number;
	return getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &netns, &length) < 0 ||
	       netns != call->caller.space->host->netns || !target_waits(call) ? -EXDEV : 0;
}

int target_read(struct ps_call *call, uint64_t address, void *data, size_t size)
{
	int error = memory_read(call->tid, address, data, size);

	if (error == -EPERM && !call->target) /* so in the serving thread: others have a target, which is readable */
		tell_unreadable(call->notify, pid_of(call->tid));
	return error;
}

int target_write(const struct ps_call *call, uint64_t address, const void *data, size_t size)
{
	return memory_write(call->tid, address, data, size);
}

/* ---- all of them ---- */

/* Each thread and each process costs a descriptor: a third of what there may be is for both. */
static unsigned how_many(const struct ps_notify *notify)
{
	return notify->files / 6 < MOST ? notify->files / 6 : MOST;
}

/* Pages that nobody has touched cost nothing, neither here nor in the copy that a fork makes. */
struct ps_targets *target_make(void)
{
	void *memory = mmap(NULL, sizeof(struct ps_targets), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

void target_start(struct ps_notify *notify)
{
	notify->targets->most = how_many(notify);
	space_scope_path(notify->own->runtime, notify->own->run->id, notify->targets->own_path);
}

void target_end(struct ps_notify *notify)
{
	struct ps_targets *targets = notify->targets;

	if (!targets)
		return;
	while (targets->threads)
		forget_thread(targets, targets->threads - 1);
	while (targets->processes)
		forget_process(targets, targets->processes - 1);
	while (targets->spaces) {
		struct space *space = targets->spaces;

		targets->spaces = space->next;
		space_close(&space->space);
		free(space);
	}
	munmap(targets, sizeof(*targets));
	notify->targets = NULL;
}
