/*
 * datagrams.c - a UDP server and its client, and all that they find out about the sending and receiving calls. What
 * is printed is the same wherever the server's port really is: datagrams.py runs it bare and moved, and compares.
 * Linked statically, so that the preload does not reach it: datagrams PORT UNUSED. With a third argument it waits for
 * what the test does instead (wait_for_input).
 *
 * Calls are made as they are written, by way of the C library or, where the library has ideas of its own (musl sends
 * the messages of sendmmsg one by one), of syscall(2).
 */
#include "datagrams.h"

#include <sys/ptrace.h>

/* ---- parts ---- */

static void plain(void)
{
	printf("sendto: %ld\n", send_to("slow", 4, 0));
	say_received("before it is there", 0, 100);
	printf("sendto: %ld\n", send_to("e", 1, 0));
	poll(&(struct pollfd){fd, POLLIN, 0}, 1, PATIENCE);
	say_received("when it is there", 0, 100);
	say_received("none, MSG_DONTWAIT", MSG_DONTWAIT, 100);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	say_received("none, O_NONBLOCK", 0, 100);
	printf("flags: %d\n", fcntl(fd, F_GETFL) & O_NONBLOCK);
	printf("sendto: %ld\n", send_to("e", 1, 0));
	poll(&(struct pollfd){fd, POLLIN, 0}, 1, PATIENCE);
	say_received("O_NONBLOCK", 0, 100);
	fcntl(fd, F_SETFL, 0);
	printf("empty: %ld\n", send_to("", 0, 0));
	say_received("empty", 0, 100);
}

static void peek_and_truncate(void)
{
	send_to("0123456789", 10, 0);
	say_received("MSG_PEEK", MSG_PEEK, 100);
	say_received("MSG_PEEK, short", MSG_PEEK, 4);
	say_received("MSG_PEEK | MSG_TRUNC", MSG_PEEK | MSG_TRUNC, 4);
	say_received("short", 0, 4);
	send_to("0123456789", 10, 0);
	say_received("MSG_TRUNC", MSG_TRUNC, 4);
	send_to("0123456789", 10, 0);
	say_received("no room", 0, 0);
	send_to("0123456789", 10, 0);
	say_received("MSG_WAITALL", MSG_WAITALL, 100);
}

static void short_names(void)
{
	for (int room = -1; room <= 18; room++) {
		unsigned char name[32], data[8];
		socklen_t length = (socklen_t)room;
		long n;
		uint16_t number = 0;

		memset(name, 0xee, sizeof(name));
		send_to("e", 1, 0);
		n = result(recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)name, &length));
		memcpy(&number, name + 2, 2);
		printf("room %d: %ld %d %s %02x\n", room, n, (int)length, room >= 4 ? which(ntohs(number)) : "-",
		       name[room < 0 ? 0 : room]);
	}
}

static void bad_pointers(void)
{
	struct sockaddr_in a;
	socklen_t length = sizeof(a);
	char data[8];

	send_to("e", 1, 0);
	printf("bad data: %ld\n", result(recvfrom(fd, BAD, 8, 0, (struct sockaddr *)&a, &length)));
	say_received("it is gone", MSG_DONTWAIT, 8);
	send_to("e", 1, 0);
	printf("bad name: %ld", result(recvfrom(fd, data, 8, 0, BAD, &length)));
	printf(" %d\n", (int)length);
	send_to("e", 1, 0);
	printf("bad length: %ld\n", result(recvfrom(fd, data, 8, 0, (struct sockaddr *)&a, BAD)));
	send_to("e", 1, 0);
	printf("no length: %ld\n", result(recvfrom(fd, data, 8, 0, (struct sockaddr *)&a, NULL)));
	send_to("e", 1, 0);
	printf("no name: %ld\n", result(recvfrom(fd, data, 8, 0, NULL, NULL)));
	say_received("all are gone", MSG_DONTWAIT, 8);
	a = four(port);
	printf("send bad data: %ld\n", result(sendto(fd, BAD, 8, 0, (struct sockaddr *)&a, sizeof(a))));
	printf("to a bad name: %ld\n", result(sendto(fd, "n", 1, 0, BAD, sizeof(a))));
	printf("to a short one: %ld\n", result(sendto(fd, "n", 1, 0, (struct sockaddr *)&a, 7)));
	printf("to a long one: %ld\n", result(sendto(fd, "n", 1, 0, (struct sockaddr *)&a, 4096)));
	printf("not a socket: %ld\n", result(sendto(0x7000, "n", 1, 0, (struct sockaddr *)&a, sizeof(a))));
	a.sin_family = AF_UNSPEC;
	printf("AF_UNSPEC: %ld\n", result(sendto(fd, "e", 1, 0, (struct sockaddr *)&a, sizeof(a))));
	say_received("AF_UNSPEC", 0, 8);
}

static void what_cannot_be_sent(void)
{
	static char much[70000];
	int one = 0;

	much[0] = 'n';
	printf("too long: %ld\n", send_to(much, sizeof(much), 0));
	printf("the longest: %ld\n", send_to(much, 65507, 0));
	printf("one more: %ld\n", send_to(much, 65508, 0));
	printf("MSG_OOB: %ld\n", send_to("n", 1, MSG_OOB));
	printf("MSG_MORE: %ld\n", send_to("mo", 2, MSG_MORE));
	printf("and the rest: %ld\n", result(send(fd, "re", 2, 0)));
	say_received("MSG_MORE", 0, 8);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &one, sizeof(one));
	printf("beyond SO_SNDBUF: %ld\n", send_to(much, 60000, MSG_DONTWAIT));
}

/* ---- messages ---- */

static union {
	char bytes[256];
	struct cmsghdr align;
} control;

static void say_message(const char *what, struct msghdr *m, int flags)
{
	struct sockaddr_storage none = {0};
	long n = result(RECVMSG(fd, m, flags));
	struct cmsghdr *c;

	printf("%s: %ld from %s, %d, flags %#x, control %d", what, n,
	       m->msg_name && n >= 0 ? show(m->msg_name) : show(&none), (int)m->msg_namelen,
	       (unsigned)m->msg_flags, (int)m->msg_controllen);
	for (c = n < 0 || !m->msg_control ? NULL : CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		int first;

		memcpy(&first, CMSG_DATA(c), sizeof(first));
		printf(" [%d %d %d: %d]", c->cmsg_level, c->cmsg_type, (int)c->cmsg_len, first);
	}
	printf("\n");
}

static void messages(void)
{
	struct sockaddr_storage name = {0};
	char first[3] = "", second[8] = "";
	struct iovec parts[] = {{first, 3}, {NULL, 0}, {second, 8}};
	struct msghdr m = {.msg_name = &name, .msg_namelen = sizeof(name), .msg_iov = parts, .msg_iovlen = 3,
			   .msg_control = &control, .msg_controllen = sizeof(control)};
	int on = 1;

	setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
	setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &on, sizeof(on));
	send_to("slow", 4, 0);
	say_message("recvmsg", &m, 0);
	printf("'%.3s' '%.8s'\n", first, second);
	for (int room = 0; room < 48; room += 7) {
		send_to("e", 1, 0);
		m.msg_controllen = (socklen_t)room;
		m.msg_namelen = sizeof(name);
		say_message("short control", &m, 0);
	}
	send_to("e", 1, 0);
	m.msg_control = NULL;
	m.msg_controllen = 0;
	m.msg_namelen = 6;
	say_message("no control", &m, 0);
	send_to("0123456789abcdef", 16, 0);
	say_message("too long", &m, 0);
	send_to("0123456789abcdef", 16, 0);
	say_message("too long, MSG_TRUNC", &m, MSG_TRUNC);
	send_to("e", 1, 0);
	m.msg_name = NULL;
	say_message("no name", &m, 0);
	setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &(int){0}, sizeof(int));
	setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &(int){0}, sizeof(int));
	/* What lies between two headers is the program's own, and nothing of another message. */
	setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &on, sizeof(on));
	memset(&control, 0xff, sizeof(control));
	m.msg_name = &name;
	m.msg_namelen = sizeof(struct sockaddr_in);
	m.msg_control = &control;
	m.msg_controllen = sizeof(control);
	printf("bad control: %ld\n", result(SENDMSG(fd, &m, 0)));
	memset(&control, 0, sizeof(control));
	send_to("e", 1, 0);
	say_message("a byte", &m, 0);
	printf("behind it: %d\n", control.bytes[CMSG_LEN(1)]);
	setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &(int){0}, sizeof(int));
}

static void bad_messages(void)
{
	static struct iovec many[1025];
	struct sockaddr_storage name = {0};
	char data[8];
	struct iovec part = {data, sizeof(data)};
	struct msghdr good = {.msg_name = &name, .msg_namelen = sizeof(name), .msg_iov = &part, .msg_iovlen = 1}, m;

	printf("bad message: %ld %ld\n", result(RECVMSG(fd, BAD, MSG_DONTWAIT)), result(SENDMSG(fd, BAD, 0)));
	m = good;
	m.msg_iov = BAD;
	say_message("bad parts", &m, MSG_DONTWAIT);
	m = good;
	m.msg_iov = many;
	m.msg_iovlen = 1025;
	say_message("too many parts", &m, MSG_DONTWAIT);
	m.msg_iovlen = 1024;
	say_message("as many as may be", &m, MSG_DONTWAIT);
	m = good;
	m.msg_namelen = (socklen_t)-1;
	say_message("negative name", &m, MSG_DONTWAIT);
	m = good;
	part.iov_len = (size_t)-1;
	say_message("negative part", &m, MSG_DONTWAIT);
	part = (struct iovec){BAD, 4};
	send_to("e", 1, 0);
	poll(&(struct pollfd){fd, POLLIN, 0}, 1, PATIENCE);
	say_message("bad part", &m, MSG_DONTWAIT);
	part = (struct iovec){data, sizeof(data)};
	send_to("e", 1, 0);
	m.msg_name = BAD;
	printf("bad name: %ld\n", result(RECVMSG(fd, &m, 0)));
	m = good;
	send_to("e", 1, 0);
	m.msg_control = BAD;
	m.msg_controllen = 64;
	printf("bad control: %ld\n", result(RECVMSG(fd, &m, 0)));
	say_message("nothing is left", &good, MSG_DONTWAIT);
}

static void send_message(const char *what, struct msghdr *m, int flags)
{
	printf("%s: %ld\n", what, result(SENDMSG(fd, m, flags)));
}

static void sent_messages(void)
{
	struct sockaddr_in a = four(port);
	struct iovec parts[] = {{"mes", 3}, {NULL, 0}, {"sage", 4}};
	struct msghdr m = {.msg_name = &a, .msg_namelen = sizeof(a), .msg_iov = parts, .msg_iovlen = 3};
	struct cmsghdr *c;
	int ttl = 7;

	send_message("sendmsg", &m, 0);
	say_received("sendmsg", 0, 100);
	m.msg_control = &control;
	m.msg_controllen = CMSG_SPACE(sizeof(ttl));
	c = CMSG_FIRSTHDR(&m);
	c->cmsg_len = CMSG_LEN(sizeof(ttl));
	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_TTL;
	memcpy(CMSG_DATA(c), &ttl, sizeof(ttl));
	send_message("control", &m, 0);
	say_received("control", 0, 100);
	ttl = 1000;
	memcpy(CMSG_DATA(c), &ttl, sizeof(ttl));
	send_message("no such TTL", &m, 0);
	c->cmsg_type = 77;
	send_message("no such control", &m, 0);
	c->cmsg_len = 1;
	send_message("bad control", &m, 0);
	m.msg_control = BAD;
	send_message("bad pointer", &m, 0);
	m.msg_controllen = 0;
	m.msg_namelen = sizeof(struct sockaddr_storage) + 100;
	send_message("a long name", &m, 0);
	say_received("a long name", 0, 100);
	m.msg_namelen = (socklen_t)-1;
	send_message("a negative one", &m, 0);
	m.msg_namelen = 0;
	send_message("an empty one", &m, 0);
}

/* ---- many messages ---- */

#define MANY 4
#define FOREVER (-1)

static struct mmsghdr many[MANY];
static struct iovec many_parts[MANY];
static struct sockaddr_storage many_names[MANY];
static char many_data[MANY][16];

static void prepare(bool sending)
{
	for (unsigned i = 0; i < MANY; i++) {
		struct sockaddr_in a = four(port);

		many_parts[i] = (struct iovec){many_data[i], sending ? i + 2 : sizeof(many_data[i])};
		memset(&many_names[i], 0, sizeof(many_names[i]));
		memset(many_data[i], 'e', sizeof(many_data[i]));
		if (sending)
			memcpy(&many_names[i], &a, sizeof(a));
		memset(&many[i], 0, sizeof(many[i]));
		many[i].msg_hdr.msg_name = &many_names[i];
		many[i].msg_hdr.msg_namelen = sending ? sizeof(a) : sizeof(many_names[i]);
		many[i].msg_hdr.msg_iov = &many_parts[i];
		many[i].msg_hdr.msg_iovlen = 1;
		many[i].msg_len = 99;
	}
}

static void say_many(const char *what, long n)
{
	printf("%s: %ld:", what, n);
	for (unsigned i = 0; i < MANY; i++)
		printf(" %u %s,", many[i].msg_len, show(&many_names[i]));
	printf("\n");
}

static long send_many(unsigned count, int flags)
{
	return result(syscall(SYS_sendmmsg, fd, many, count, flags));
}

#ifdef SYS_recvmmsg_time64
#define RECVMMSG SYS_recvmmsg_time64
#else
#define RECVMMSG SYS_recvmmsg
#endif

static long receive_many(unsigned count, int flags, int ms)
{
	struct {
		int64_t seconds, nanoseconds;
	} time = {ms / 1000, ms % 1000 * 1000000};

	return result(syscall(RECVMMSG, fd, many, count, flags, ms == FOREVER ? NULL : &time));
}

static void many_messages(void)
{
	prepare(true);
	say_many("sendmmsg", send_many(MANY, 0));
	prepare(false);
	say_many("recvmmsg", receive_many(MANY, 0, FOREVER));
	prepare(true);
	many_parts[2].iov_base = BAD;
	say_many("the third is bad", send_many(MANY, 0));
	prepare(false);
	say_many("two", receive_many(2, 0, FOREVER));
	prepare(true);
	many_parts[0].iov_base = BAD;
	say_many("the first is bad", send_many(MANY, 0));
	send_to("slow", 4, 0);
	prepare(false);
	say_many("MSG_WAITFORONE", receive_many(MANY, MSG_WAITFORONE, FOREVER));
	say_many("MSG_DONTWAIT", receive_many(MANY, MSG_DONTWAIT, FOREVER));
	send_to("slow", 4, 0);
	send_to("slow", 4, 0);
	prepare(false);
	say_many("its time", receive_many(MANY, 0, 1)); /* which is looked at after a message */
	prepare(false);
	say_many("the last", receive_many(1, 0, FOREVER));
	say_many("no time", receive_many(1, 0, -1000));
	printf("bad array: %ld", result(syscall(RECVMMSG, fd, BAD, 2, MSG_DONTWAIT, NULL)));
	printf(" %ld\n", result(syscall(SYS_sendmmsg, fd, BAD, 2, 0)));
	prepare(true);
	say_many("none", send_many(0, 0));
}

/* ---- signals ---- */

static volatile sig_atomic_t signals, answer_at;

static void let_answer(void)
{
	if (write(go_on[1], "", 1) != 1)
		_exit(4);
}

static void on_signal(int number)
{
	(void)number;
	if (++signals == answer_at)
		let_answer();
}

static void handle(int number, int flags)
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = flags};

	sigaction(number, &sa, NULL);
	signals = 0;
}

/* Again and again: one may come before the call. */
static void alarms(bool on)
{
	struct timeval time = {0, on ? DELAY / 4 * 1000 : 0};

	setitimer(ITIMER_REAL, &(struct itimerval){time, time}, NULL);
}

static void limit(int ms)
{
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ms / 1000, ms % 1000 * 1000}, sizeof(struct timeval));
}

enum answer { SLOW, AT_SECOND_SIGNAL, WHEN_ENDED };

/* With alarms while an answer is waited for. Where one of them ends the call, there is none before: the next call gets
 * it. */
static void wait_with_alarms(const char *what, enum answer answer)
{
	send_to(answer == SLOW ? "slow" : "kept", 4, 0);
	asked = answer == SLOW ? asked : INT64_MAX; /* however long it takes */
	signals = 0;
	answer_at = answer == AT_SECOND_SIGNAL ? 2 : 0;
	alarms(true);
	say_received(what, 0, 8);
	alarms(false);
	printf("signals: %d\n", signals > 0);
	if (answer != WHEN_ENDED)
		return;
	let_answer();
	say_received("then", 0, 1);
}

static void interrupted(void)
{
	sigset_t blocked;
	long n = -EINTR;

	for (int restart = 0; restart < 2; restart++) {
		handle(SIGALRM, restart ? SA_RESTART : 0);
		wait_with_alarms(restart ? "SA_RESTART" : "no SA_RESTART", restart ? AT_SECOND_SIGNAL : WHEN_ENDED);
		limit(PATIENCE);
		wait_with_alarms(restart ? "SA_RESTART and a limit" : "no SA_RESTART and a limit", WHEN_ENDED);
		limit(0);
	}
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGALRM);
	handle(SIGALRM, 0);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	wait_with_alarms("blocked", SLOW);
	sigprocmask(SIG_UNBLOCK, &blocked, NULL);
	printf("signals: %d\n", signals);
	signal(SIGALRM, SIG_IGN);
	wait_with_alarms("ignored", SLOW);
	handle(SIGALRM, 0);
	prepare(false);
	send_to("e", 1, 0);
	poll(&(struct pollfd){fd, POLLIN, 0}, 1, PATIENCE);
	alarms(true);
	for (int tries = 0; tries < 5 && n == -EINTR; tries++) /* before anybody serves it (docs/limits.md) */
		n = receive_many(2, 0, FOREVER);
	say_many("recvmmsg after one", n);
	alarms(false);
	/* The kernel keeps what ended it for the next call; only natively. */
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &(int){0}, &(socklen_t){sizeof(int)});
}

/* The kernel counts in ticks, of which several may come at once where a machine stands still: then once more. */
static bool lasts(int ms)
{
	struct sockaddr_storage name;

	limit(ms);
	for (int tries = 0; tries < 5; tries++) {
		socklen_t length = sizeof(name);
		int64_t began = now_ms();
		char c;

		recvfrom(fd, &c, 1, 0, (struct sockaddr *)&name, &length);
		if (now_ms() - began >= ms - 2)
			return true;
	}
	return false;
}

static void limited(void)
{
	say_received("empty error queue", MSG_ERRQUEUE, 8);
	limit(DELAY / 4);
	say_received("SO_RCVTIMEO", 0, 8);
	say_received("SO_RCVTIMEO", 0, 8);
	printf("at least: %d\n", lasts(DELAY / 4));
	/* More than there are nanoseconds for. */
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){LONG_MAX / 1000000000, 0}, sizeof(struct timeval));
	send_to("slow", 4, 0);
	say_received("three centuries", 0, 8);
	limit(0);
}

/* ---- other processes and threads ---- */

static pid_t parent; /* our own: who serves our calls, where they are served */

/* The call is made when the thread does not run for a while, and is held when whoever serves it has come to an end with
 * it: a tracer that comes in between is not noticed (docs/limits.md). One that has not come to it only tests less. */
static void wait_until_asleep(pid_t pid)
{
	for (int n = 0; n < 20 || state_of(parent) != 'S';) {
		char state = state_of(pid);

		n = state == 'S' || state == 'D' ? n + 1 : 0;
		poll(NULL, 0, 1);
	}
}

/* A child that waits for a message. */
static pid_t start_receiver(const char *what)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, (long)SIGKILL, 0L, 0L, 0L);
		asked = INT64_MAX; /* however long it takes */
		say_received(what, 0, 8);
		fflush(stdout);
		_exit(7);
	}
	wait_until_asleep(pid);
	return pid;
}

static void say_ended(pid_t pid)
{
	int status = 0;

	waitpid(pid, &status, 0);
	printf("ended: %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
	fflush(stdout);
}

static void stopped(void)
{
	pid_t pid = start_receiver("a child that was stopped");
	int status = 0;

	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	printf("stopped: %d\n", WIFSTOPPED(status) ? WSTOPSIG(status) : -1);
	send_to("e", 1, 0);
	poll(&(struct pollfd){fd, POLLIN, 0}, 1, PATIENCE);
	kill(pid, SIGCONT);
	say_ended(pid);
}

/* As a debugger does it that attaches: no signal is sent. */
static void traced(void)
{
	pid_t pid = start_receiver("a child that was traced");
	long there = result(ptrace(PTRACE_SEIZE, pid, NULL, NULL)), stop = result(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL));
	int status = 0;

	printf("traced: %ld %ld\n", there, stop);
	if (stop == 0)
		waitpid(pid, &status, 0);
	printf("stopped: %d\n", WIFSTOPPED(status) ? WSTOPSIG(status) : -1);
	ptrace(PTRACE_DETACH, pid, NULL, NULL);
	send_to("e", 1, 0);
	say_ended(pid);
}

static void stops(void)
{
	pid_t pid;

	stopped();
	traced();
	pid = start_receiver("never");
	kill(pid, SIGKILL);
	say_ended(pid);
}

static volatile sig_atomic_t done; /* the last one has ended its call */

static void *receive_one(void *all)
{
	struct sockaddr_storage name = {0};
	socklen_t length = sizeof(name);
	char data[8];
	long n = result(recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&name, &length));
	uint16_t number = ntohs(((struct sockaddr_in *)&name)->sin_port);

	done = 1;
	if (n == 1 && number == port)
		__atomic_fetch_add((int *)all, 1, __ATOMIC_SEQ_CST);
	return (void *)n;
}

static void *stop_all(void *first)
{
	(void)first;
	poll(NULL, 0, DELAY); /* at best the others wait by now; else this tests less */
	syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGSTOP);
	return NULL;
}

/* By a signal that a thread takes which makes no such call, while all others wait: the first one, too. */
static void stopped_by_a_thread(void)
{
	pthread_t waits, stops;
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		int good = 0;

		pthread_create(&waits, NULL, receive_one, &good);
		pthread_create(&stops, NULL, stop_all, NULL);
		receive_one(&good);
		pthread_join(waits, NULL);
		_exit(good);
	}
	waitpid(pid, &status, WUNTRACED);
	printf("stopped by a thread: %d\n", WIFSTOPPED(status) ? WSTOPSIG(status) : -1);
	for (int i = 0; i < 2; i++)
		send_to("e", 1, 0);
	kill(pid, SIGCONT);
	waitpid(pid, &status, 0);
	printf("received: %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static void threads(void)
{
	pthread_t thread[4];
	int good = 0;
	void *value;
	sigset_t usr;

	for (unsigned i = 0; i < COUNT(thread); i++)
		pthread_create(&thread[i], NULL, receive_one, &good);
	for (unsigned i = 0; i < COUNT(thread); i++)
		send_to("e", 1, 0);
	for (unsigned i = 0; i < COUNT(thread); i++)
		pthread_join(thread[i], NULL);
	printf("threads: %d\n", good);
	handle(SIGUSR1, 0);
	handle(SIGUSR2, 0);
	done = 0;
	pthread_create(&thread[0], NULL, receive_one, &good);
	while (poll(NULL, 0, DELAY / 4), !done)
		pthread_kill(thread[0], SIGUSR1);
	pthread_join(thread[0], &value);
	printf("a thread's signal: %ld\n", (long)(intptr_t)value);
	/* Only the other one can take it. */
	sigemptyset(&usr);
	sigaddset(&usr, SIGUSR2);
	done = 0;
	pthread_create(&thread[0], NULL, receive_one, &good);
	pthread_sigmask(SIG_BLOCK, &usr, NULL);
	while (poll(NULL, 0, DELAY / 4), !done)
		kill(getpid(), SIGUSR2);
	pthread_join(thread[0], &value);
	pthread_sigmask(SIG_UNBLOCK, &usr, NULL);
	printf("the process's: %ld\n", (long)(intptr_t)value);
}

/* ---- connected, IPv6, others ---- */

static void say_peer(const char *what)
{
	struct sockaddr_storage name = {0};
	socklen_t length = sizeof(name);
	long n = result(getpeername(fd, (struct sockaddr *)&name, &length));

	printf("%s: %ld %s\n", what, n, show(&name));
}

static void connected(void)
{
	struct sockaddr_in a = four(port);
	struct mmsghdr m = {.msg_hdr = {.msg_iov = &(struct iovec){"e", 1}, .msg_iovlen = 1}};

	printf("connect: %ld\n", result(connect(fd, (struct sockaddr *)&a, sizeof(a))));
	say_peer("peer");
	asked = now_ms();
	printf("send: %ld\n", result(send(fd, "slow", 4, 0)));
	say_received("connected", 0, 8);
	asked = now_ms();
	printf("sendmmsg: %ld %u\n", result(syscall(SYS_sendmmsg, fd, &m, 1, 0)), m.msg_len);
	say_received("connected", 0, 8);
	printf("sendto: %ld\n", send_to("e", 1, 0));
	say_received("connected", 0, 8);
	a = four(unused);
	printf("connect: %ld\n", result(connect(fd, (struct sockaddr *)&a, sizeof(a))));
	say_peer("peer");
	printf("send: %ld\n", result(send(fd, "e", 1, 0)));
	say_received("nobody there", 0, 8);
	a.sin_family = AF_UNSPEC;
	printf("disconnect: %ld\n", result(connect(fd, (struct sockaddr *)&a, sizeof(a))));
	say_peer("peer");
}

static void by_six(const char *text)
{
	struct sockaddr_in6 a = six(port, text);
	int mine = fd;

	fd = socket(AF_INET6, SOCK_DGRAM, 0);
	asked = now_ms();
	printf("%s: %ld\n", text, result(sendto(fd, "slow", 4, 0, (struct sockaddr *)&a, sizeof(a))));
	say_received(text, 0, 8);
	printf("%s: %ld\n", text, result(connect(fd, (struct sockaddr *)&a, sizeof(a))));
	say_peer(text);
	asked = now_ms();
	printf("%s: %ld\n", text, result(send(fd, "e", 1, 0)));
	say_received(text, 0, 8);
	close(fd);
	fd = mine;
}

static void inherited(void)
{
	int status;
	pid_t pid;

	send_to("slow", 4, 0);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		say_received("in a child", 0, 8);
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, &status, 0);
}

static void streams(void)
{
	struct sockaddr_in a = four(unused);
	int pair[2], mine = fd;
	char data[8];

	socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
	fd = pair[0];
	printf("AF_UNIX: %ld", result(send(pair[1], "u", 1, 0)));
	printf(" %ld\n", result(recvfrom(fd, data, 8, 0, (struct sockaddr *)&a, &(socklen_t){sizeof(a)})));
	close(pair[0]);
	close(pair[1]);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	a = four(port);
	printf("TCP: %ld\n", result(sendto(fd, "e", 1, MSG_NOSIGNAL, (struct sockaddr *)&a, sizeof(a))));
	printf("TCP: %ld\n", result(recvfrom(fd, data, 8, 0, (struct sockaddr *)&a, &(socklen_t){sizeof(a)})));
	close(fd);
	fd = mine;
}

/* Waits for datagrams that the server sends when a byte comes on stdin; a signal ends a wait, too. */
static void wait_for_input(void)
{
	handle(SIGUSR1, 0);
	printf("pid: %d\n", (int)getpid());
	for (int i = 0; i < 6; i++) {
		if (i % 2 == 0)
			send_to("w", 1, 0);
		printf("waits\n");
		fflush(stdout);
		say_received("received", 0, 8);
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	static void (*const parts[])(void) = {
		plain, peek_and_truncate, short_names, bad_pointers, messages, bad_messages, sent_messages,
		many_messages, interrupted, limited, stops, stopped_by_a_thread, threads, inherited,
		connected, streams, what_cannot_be_sent,
	};
	pid_t server;

	if (argc < 3)
		return 2;
	port = (uint16_t)atoi(argv[1]);
	unused = (uint16_t)atoi(argv[2]);
	parent = getppid();
	alarm(250);
	server = start_server();
	for (unsigned i = 0; i < COUNT(parts) && argc == 3; i++) {
		fd = socket(AF_INET, SOCK_DGRAM, 0);
		parts[i]();
		close(fd);
		fflush(stdout);
	}
	if (argc == 3) {
		by_six("::1");
		by_six("::ffff:127.0.0.1");
	} else {
		fd = socket(AF_INET, SOCK_DGRAM, 0);
		wait_for_input();
	}
	kill(server, SIGTERM);
	waitpid(server, NULL, 0);
	return 0;
}
