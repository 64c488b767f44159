/* A process that is killed in the middle of a system call finishes it: one that takes a datagram with recvmmsg(2), or
 * sends one with sendmmsg(2), has the length in msg_len then, and the data where it was to be. In memory that others
 * share, this is a log that is true at any moment: src/notify/packet.c leaves a message to its heir in this way.
 *
 * (A signal is looked at when a system call returns, or where it waits, signal(7); these do not wait. The length comes
 * last: net/socket.c, do_recvmmsg and __sys_sendmmsg. The memory has to be there: a page fault of a process that is
 * being killed may fail, arch/x86/mm/fault.c, fault_signal_pending.) */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../check.h"

#define KILLS 500
#define ON_THEIR_WAY 8
#define NONE UINT32_MAX

/* One direction. The message `index` is through when msg_len is not NONE. */
struct log {
	_Atomic uint32_t index, done;
	struct mmsghdr message;
	struct iovec part;
	uint32_t number; /* the datagram's data */
};

static struct shared {
	struct log in, out;
	_Atomic uint32_t wrong;
} *shared;
static int from, to;

static void begin(struct log *log)
{
	log->part = (struct iovec){&log->number, sizeof(log->number)};
	log->message.msg_hdr = (struct msghdr){.msg_iov = &log->part, .msg_iovlen = 1};
	*(volatile uint32_t *)&log->message.msg_len = NONE;
	atomic_store(&log->index, log->done);
}

/* Takes one and sends one, over and over. */
static void circulate(void)
{
	struct log *in = &shared->in, *out = &shared->out;

	for (;;) {
		begin(in);
		if (recvmmsg(to, &in->message, 1, MSG_DONTWAIT, NULL) != 1 || in->number != in->done)
			shared->wrong++;
		in->done++;
		out->number = out->done;
		begin(out);
		if (sendmmsg(from, &out->message, 1, MSG_DONTWAIT) != 1)
			shared->wrong++;
		out->done++;
	}
}

/* What the heir knows: how many messages there were. *in_hand counts those that nobody else had told of. */
static uint32_t settle(struct log *log, uint32_t *in_hand)
{
	if (log->index == log->done && log->message.msg_len != NONE) {
		(*in_hand)++;
		log->done++;
	}
	return log->done;
}

static void spin(long most)
{
	struct timespec start, now;
	long time = random() % most;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while ((now.tv_sec - start.tv_sec) * 1000000000 + now.tv_nsec - start.tv_nsec < time);
}

static void kill_one(pid_t self)
{
	uint32_t before = shared->in.done;
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == self)
			circulate();
		_exit(0);
	}
	if (pid < 0)
		check_fatal("fork");
	while (shared->in.done == before && !shared->wrong)
		sched_yield();
	spin(30000);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int main(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	uint32_t taken = 0, sent = 0, false_logs = 0, number;
	socklen_t length = sizeof(a);
	pid_t self = getpid();

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	from = socket(AF_INET, SOCK_DGRAM, 0);
	to = socket(AF_INET, SOCK_DGRAM, 0);
	if (shared == MAP_FAILED || bind(to, (struct sockaddr *)&a, length) != 0 ||
	    getsockname(to, (struct sockaddr *)&a, &length) != 0 || connect(from, (struct sockaddr *)&a, length) != 0)
		check_fatal("two sockets");
	srandom((unsigned)self);
	for (number = 0; number < ON_THEIR_WAY; number++)
		if (send(from, &number, sizeof(number), 0) != sizeof(number))
			check_fatal("send");
	shared->out.done = ON_THEIR_WAY;

	for (int i = 0; i < KILLS && !shared->wrong; i++) {
		uint32_t in, out;

		kill_one(self);
		in = settle(&shared->in, &taken);
		out = settle(&shared->out, &sent);
		/* What was not taken is there, and only what was sent. */
		false_logs += recv(to, &number, sizeof(number), MSG_PEEK | MSG_DONTWAIT) != sizeof(number) || number != in;
		for (uint32_t next = in; next != out && !false_logs; next++) {
			false_logs += recv(to, &number, sizeof(number), MSG_DONTWAIT) != sizeof(number) || number != next;
			send(from, &number, sizeof(number), 0);
		}
		if (out - in > ON_THEIR_WAY || out - in < ON_THEIR_WAY - 1)
			false_logs++;
		if (out - in < ON_THEIR_WAY) { /* it had taken one, and sent none for it */
			send(from, &out, sizeof(out), 0);
			shared->out.done++;
		}
	}
	CHECK(!shared->wrong, "what is taken comes in its order");
	CHECK(!false_logs, "the log is true whenever its writer was killed");
	CHECK(taken && sent, "some were killed with a message in hand");
	printf("killed %d times, %u with a datagram taken, %u with one just sent\n", KILLS, taken, sent);
	return check_finish();
}
