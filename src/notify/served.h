/*
 * served.h - what the parts of the server share (serve.c has the theory of operation).
 *
 * A notified call goes through here:
 *
 *	serve.c     receives it into a slot of the journal, finds out which call it is, has it handled, answers, frees
 *	            the slot
 *	target.c    whose call it is: the process, the run that it belongs to, its memory, duplicates of its descriptors
 *	calls.c     what the core needs to act on another process's socket (caller.h)
 *	bind.c, connect.c, names.c   the handlers of the calls that they are named after
 *	limit.c     a bound for what does not wait unless the program's other threads interfere
 *	datagram.c, held.c           those of the sending and receiving calls; calls that wait without an answer
 *	packet.c                     the one message that those have in hand
 */
#ifndef PORTSHIM_NOTIFY_SERVED_H
#define PORTSHIM_NOTIFY_SERVED_H

#include <portshim/caller.h>
#include <portshim/route.h>
#include <stdatomic.h>
#include <stddef.h>

#include "filter.h"
#include "notify.h"
#include "packet.h"

/* ---- the journal ---- */

/*
 * How far a call has come. Written before what it announces is begun, by the one thread that has the call. The server
 * that takes over from a dead one reads it once (serve.c, recover).
 *
 *	FREE      nobody's
 *	RECEIVED  to be received into, or received: id is not 0. Nothing was done that the program could see
 *	BEGUN     handlers: `saved` is filled in, and the socket or the program's memory may be changed by now
 *	FREE      answered, or the program gave the call up
 */
enum ps_stage { PS_STAGE_FREE, PS_STAGE_RECEIVED, PS_STAGE_BEGUN };

/* What a second attempt at the same call must know of the first. */
struct ps_saved_bind {
	uint32_t length;
	uint16_t before; /* the port that the socket's name had */
	_Alignas(8) unsigned char address[sizeof(struct sockaddr_storage)];
};

struct ps_saved_listen {
	uint16_t requested; /* the number that the socket's port stands for; 0: none of the run's */
};

struct ps_saved_connect {
	int32_t file_flags; /* of the socket, before O_NONBLOCK was put in */
	int64_t deadline;   /* of held_now; HELD_FOREVER: SO_SNDTIMEO sets none */
};

struct ps_saved_name {
	int32_t room; /* the program's length, before it was written to */
};

struct ps_saved_datagram {
	int64_t deadline;  /* of the wait for the next message (held.h); 0: there was none yet */
	int64_t end, left; /* recvmmsg: its time, and what was left of it after the last message */
	_Atomic uint32_t done; /* messages */
	bool limited;      /* the wait has a deadline */
};

union ps_saved {
	struct ps_saved_bind bind;
	struct ps_saved_listen listen;
	struct ps_saved_connect connect;
	struct ps_saved_name name;
	struct ps_saved_datagram datagram;
	uint64_t words[40];
};

/* A slot never lies in two pages: what the kernel writes to it is written whole, or the call was not received. */
struct ps_slot {
	union {
		struct seccomp_notif notif;
		char room[128]; /* newer kernels may tell more (SECCOMP_GET_NOTIF_SIZES) */
	} u;
	union ps_saved saved;
	uint64_t pad1[8];
};
_Static_assert(sizeof(struct ps_slot) == 512, "a divisor of a page");

#define PS_SLOTS 1024
#define PS_SPEAKERS 32768

struct ps_journal {
	struct ps_slot slot[PS_SLOTS];
	_Atomic uint8_t stage[PS_SLOTS]; /* enum ps_stage of each: side by side, since all are looked at */
	_Atomic uint64_t speakers[PS_SPEAKERS / 64]; /* processes that spoke to moved UDP ports (datagram.c), by pid */
	struct ps_packet packet;
};

/* ---- the server: one in each process that serves ---- */

struct ps_targets;
struct ps_holds;

struct ps_notify {
	struct ps_journal *journal;
	struct ps_space *own;
	unsigned files;            /* descriptors that there may be for calls and processes */
	unsigned slots;            /* those in use at most, by that */
	int listener;
	int events;                /* epoll: `freed`, and what held calls wait for (data.ptr) */
	int freed;                 /* eventfd: a slot came free when there was none */
	_Atomic bool full;         /* there is none */
	_Atomic unsigned threads;  /* that serve calls. A futex */
	uint32_t privileged;       /* calls_privileged() */
	struct ps_targets *targets; /* target.c */
	struct ps_holds *holds;    /* held.c */
};

/* ---- a call that is being served ---- */

struct ps_target;

enum ps_answer {
	PS_ANSWER_CONTINUE, /* the kernel does what it would have done without us */
	PS_ANSWER_VALUE,    /* the program gets `value`, what the system call returns: a number or a negative errno */
	PS_ANSWER_LATER,    /* somebody else has the call now, and will call serve_finish */
};

struct ps_call {
	struct ps_notify *notify;
	struct ps_slot *slot;
	uint64_t id;
	int32_t tid;            /* the thread that waits */
	enum ps_call_kind kind;
	bool compat;            /* 32 bits */
	bool again;             /* a server that is dead had begun it: slot->saved is filled in */
	uint64_t args[6];       /* of the call itself, also where it came by socketcall */
	long value;
	int fd;                 /* a duplicate of the descriptor, -1: none yet. Closed by serve_finish */
	int number;             /* what the program calls it */
	int pidfd;              /* of the thread; the serving thread's, which may close it: for target_socket */
	struct ps_target *target; /* NULL until target_of was successful */
	struct ps_caller caller;
};

/* A handler of one kind of call. Runs in the serving thread: what may block goes to serve_by_thread. */
typedef enum ps_answer ps_handler(struct ps_call *call);

ps_handler bind_serve, listen_serve, connect_serve, names_serve;
ps_handler datagram_serve;

/* datagram.c: the process has sent to, or connected a UDP socket to, a moved port: what it receives is to be
 * translated. */
void datagram_spoke(struct ps_call *call);
/* A process is new to us, and does what its parent's sockets did. */
void datagram_inherit(struct ps_notify *notify, int32_t pid);

/* Copies the call, and has a thread of its own serve it by this handler, which may block, and which is run at once
 * where no thread can be made. */
enum ps_answer serve_by_thread(struct ps_call *call, ps_handler *handler);

/* The end of a call: closes its duplicate, lets go of its target, answers, frees its slot; by a thread of its own where
 * closing may wait. Once for each call. */
void serve_finish(struct ps_call *call, enum ps_answer answer);

/* ioctl(2) on the listener: 0 or a negative errno, never EINTR. The kernel waits for its own lock there in a way that
 * is cut short also where no signal is caught: by being stopped, traced or frozen (kernel/seccomp.c,
 * mutex_lock_interruptible). Who took that for an answer would leave a program without one. */
int serve_ask(const struct ps_notify *notify, unsigned long request, void *argument);

/* How far the call in this slot has come: enum ps_stage. */
static inline _Atomic uint8_t *serve_stage(const struct ps_notify *notify, const struct ps_slot *slot)
{
	return &notify->journal->stage[slot - notify->journal->slot];
}

/* Says in the journal that the call's effects begin now. */
static inline void serve_begin(struct ps_call *call)
{
	atomic_store(serve_stage(call->notify, call->slot), PS_STAGE_BEGUN);
}

/* ---- target.c ---- */

/* Finds out whose call it is, and fills in call->target and call->caller. False: the call is to be continued, because
 * portshim has nothing to do with the process, it cannot be read, or it is gone. */
bool target_of(struct ps_call *call);

/* A duplicate of the caller's descriptor `number`, as call->fd: 0 if it is an inet socket of the network namespace that
 * the space is of, and the call still waits. Else a negative errno, and the call is to be continued; whatever it is, it
 * is call->fd then. The duplicate has the same open file description: flags, offset and socket are the program's own. */
int target_socket(struct ps_call *call, int number);

/* The program's memory: 0 if all of it could be read or written, else a negative errno. A process that may not be
 * read is told of once. */
int target_read(struct ps_call *call, uint64_t address, void *data, size_t size);
int target_write(const struct ps_call *call, uint64_t address, const void *data, size_t size);

/* True while the thread waits for this call's answer: nobody else can have got its process id since. */
bool target_waits(const struct ps_call *call);

/* The beginning of /proc/TID/status, and the number that follows "\nNAME:\t" there. What comes after the groups may be
 * far away: so much is enough for the thousand that a user from a directory service may be in. */
#define PS_STATUS_ROOM 16384
long target_status(int32_t tid, char *text, size_t size);
uint64_t target_field(const char *status, const char *name, int base);

/* Memory for all that is known of processes, or NULL: had before there is a filter, so that whoever serves can. */
struct ps_targets *target_make(void);
void target_start(struct ps_notify *notify);
void target_end(struct ps_notify *notify);

/* Any number of threads may let go of a target that the serving thread found for them. */
void target_hold(struct ps_target *target);
void target_release(struct ps_target *target);

#endif
