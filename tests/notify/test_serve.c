/* Calls of a program that the preload does not reach, served, and served on by another process when the server is
 * killed at any of its system calls: the program must find the same in any case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "play.h"

#include "notify/served.h"

#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>

static uint16_t held; /* somebody else's */
static int holder;

static struct sockaddr_in at(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int result_of(int result)
{
	return result < 0 ? -errno : result;
}

static int bind_to(int fd, uint16_t port)
{
	struct sockaddr_in a = at(port);

	return result_of(bind(fd, (struct sockaddr *)&a, sizeof(a)));
}

static int connect_to(int fd, uint16_t port)
{
	struct sockaddr_in a = at(port);

	return result_of(connect(fd, (struct sockaddr *)&a, sizeof(a)));
}

static uint16_t name_of(int fd, bool peer)
{
	struct sockaddr_in a = {0};
	socklen_t length = sizeof(a);
	int result = peer ? getpeername(fd, (struct sockaddr *)&a, &length)
			  : getsockname(fd, (struct sockaddr *)&a, &length);

	if (result < 0 || length != sizeof(a))
		play_say("name: %d %u\n", result_of(result), length);
	return ntohs(a.sin_port);
}

static const char *which(uint16_t port)
{
	return port == held ? "requested" : port ? "actual" : "none";
}

/* As short as the caller wants it; the length says what there would have been. */
static void say_short_names(int fd)
{
	for (int room = -1; room < 18; room++) {
		unsigned char name[32];
		socklen_t length = (socklen_t)room;
		int result;

		memset(name, 0xee, sizeof(name));
		result = result_of(getpeername(fd, (struct sockaddr *)name, &length));
		play_say("room %d: %d %d %s %02x%02x %d\n", room, result, (int)length,
		    room >= 4 ? which((uint16_t)(name[2] << 8 | name[3])) : "-", name[room < 0 ? 0 : room], name[18],
		    room >= 8 ? name[4] : 0);
	}
	play_say("bad pointers: %d,", result_of((int)syscall(SYS_getpeername, fd, 8, 8)));
	play_say(" %d\n", result_of((int)syscall(SYS_getsockname, fd, 0, 0)));
}

static void server_part(int *fd)
{
	int second = socket(AF_INET, SOCK_STREAM, 0);

	*fd = socket(AF_INET, SOCK_STREAM, 0);
	play_say("bind: %d\n", bind_to(*fd, held));
	play_say("its name: %s\n", which(name_of(*fd, false)));
	play_say("once more: %d\n", bind_to(*fd, held));
	play_say("another: %d\n", bind_to(second, held));
	play_say("listen: %d\n", result_of(listen(*fd, 16)));
	play_say("once more: %d\n", result_of(listen(*fd, 17)));
	play_say("its name: %s\n", which(name_of(*fd, false)));
	play_say("another: %d\n", bind_to(second, held));
	close(second);
}

static void client_part(int listener)
{
	struct pollfd one = {.events = POLLOUT};
	int fd = socket(AF_INET, SOCK_STREAM, 0), peer, error = -1, result;
	socklen_t length = sizeof(error);

	play_say("connect: %d\n", connect_to(fd, held));
	play_say("flags: %#x\n", fcntl(fd, F_GETFL));
	play_say("peer: %s\n", which(name_of(fd, true)));
	say_short_names(fd);
	peer = accept(listener, NULL, NULL);
	play_say("accepted: %d,", peer >= 0);
	play_say(" own name: %s\n", which(name_of(peer, false)));
	play_say("once more: %d\n", connect_to(fd, held));
	close(fd);
	close(peer);

	one.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	result = connect_to(one.fd, held);
	play_say("does not block: %s\n", result == 0 || result == -EINPROGRESS ? "on its way" : strerror(-result));
	play_say("poll: %d,", poll(&one, 1, 5000));
	result = getsockopt(one.fd, SOL_SOCKET, SO_ERROR, &error, &length);
	play_say(" error: %d %d\n", result, error);
	/* The first of these may only find that it stands. */
	connect_to(one.fd, held);
	play_say("once more: %d\n", connect_to(one.fd, held));
	play_say("flags: %#x\n", fcntl(one.fd, F_GETFL));
	peer = accept(listener, NULL, NULL);
	play_say("accepted: %d\n", peer >= 0);
	close(one.fd);
	close(peer);
}

static void datagram_part(void)
{
	int server = socket(AF_INET, SOCK_DGRAM, 0), client = socket(AF_INET, SOCK_DGRAM, 0);
	char c = 0;

	play_say("udp bind: %d,", bind_to(server, held));
	play_say(" name: %s\n", which(name_of(server, false)));
	play_say("udp connect: %d,", connect_to(client, held));
	play_say(" peer: %s\n", which(name_of(client, true)));
	play_say("sent: %zd,", send(client, "u", 1, 0));
	play_say(" received: %zd\n", recv(server, &c, 1, MSG_DONTWAIT));
	close(server);
	close(client);
}

/* ---- messages ---- */

static char there[3][24], back[3][24];
static struct iovec data_of[3];
static struct mmsghdr message[3];
static struct sockaddr_in name[3];
static struct {
	struct cmsghdr head;
	char data[64];
} control[3];

/* Three messages to the number that is held, or for what comes, with control data. */
static struct mmsghdr *messages(char data[3][24], bool to)
{
	for (int i = 0; i < 3; i++) {
		if (to)
			snprintf(data[i], sizeof(data[i]), "message %d", i);
		else
			memset(data[i], '?', sizeof(data[i]));
		data_of[i] = (struct iovec){data[i], to ? strlen(data[i]) + 1 : sizeof(data[i])};
		name[i] = to ? at(held) : (struct sockaddr_in){0};
		message[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &name[i], .msg_namelen = sizeof(name[i]),
							  .msg_iov = &data_of[i], .msg_iovlen = 1}};
		if (to)
			continue;
		message[i].msg_hdr.msg_control = &control[i];
		message[i].msg_hdr.msg_controllen = sizeof(control[i]);
	}
	return message;
}

static void say_received(const char *what, long n, int i)
{
	const struct msghdr *m = &message[i].msg_hdr;

	play_say("%s: %ld %.20s %s, %d %zu %#x\n", what, n, back[i], which(ntohs(name[i].sin_port)), m->msg_namelen,
		 m->msg_controllen, m->msg_flags);
}

/* Each message comes once, to the server as to the client. */
static void echo(int server, unsigned count)
{
	struct sockaddr_in a;
	char data[24];

	for (unsigned i = 0; i < count; i++) {
		socklen_t length = sizeof(a);
		ssize_t n = recvfrom(server, data, sizeof(data), 0, (struct sockaddr *)&a, &length);

		if (n > 0)
			n = sendto(server, data, (size_t)n, 0, (struct sockaddr *)&a, length);
		play_say("echo: %zd %.20s,", n, n > 0 ? data : "");
	}
	play_say(" more: %d\n", result_of((int)recv(server, data, sizeof(data), MSG_DONTWAIT)));
}

static void message_part(void)
{
	static const struct timeval patience = {.tv_sec = 3};
	int server = socket(AF_INET, SOCK_DGRAM, 0), client = socket(AF_INET, SOCK_DGRAM, 0);
	struct timespec time = {5, 0};
	socklen_t length = 8;
	int n;

	close(holder);
	setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(client, SOL_SOCKET, SO_TIMESTAMP, &(int){1}, sizeof(int));
	play_say("bind: %d\n", bind_to(server, held));

	messages(there, true);
	play_say("sendto: %zd\n", sendto(client, there[0], 10, 0, (struct sockaddr *)&name[0], sizeof(name[0])));
	echo(server, 1);
	messages(back, false);
	n = result_of((int)recvfrom(client, back[0], 24, 0, (struct sockaddr *)&name[0], &length));
	say_received("short name", n, 0);
	play_say("length: %d, the rest: %u\n", (int)length, name[0].sin_addr.s_addr && name[0].sin_zero[0]);

	messages(there, true);
	play_say("sendmsg: %zd\n", sendmsg(client, &message[1].msg_hdr, 0));
	echo(server, 1);
	messages(back, false);
	n = result_of((int)recvmsg(client, &message[1].msg_hdr, 0));
	say_received("recvmsg", n, 1);

	n = result_of(sendmmsg(client, messages(there, true), 3, 0));
	play_say("sendmmsg: %d %u %u %u\n", n, message[0].msg_len, message[1].msg_len, message[2].msg_len);
	echo(server, 3);
	n = result_of(recvmmsg(client, messages(back, false), 3, 0, &time));
	play_say("recvmmsg: %d, time left: %d\n", n, time.tv_sec < 5 && time.tv_sec > 0);
	for (int i = 0; i < 3; i++)
		say_received("message", message[i].msg_len, i);
	play_say("more: %d\n", result_of((int)recv(client, back[0], 24, MSG_DONTWAIT)));
	close(server);
	close(client);
}

/* ---- TCP Fast Open: sending is connecting ---- */

static uint16_t spare; /* nobody's: not moved */

static void try_fast(const char *what, uint16_t port, int server)
{
	struct sockaddr_in a = at(port);
	struct iovec data = {(char[]){"fast"}, 4};
	struct mmsghdr m[2] = {{.msg_hdr = {.msg_name = &a, .msg_namelen = sizeof(a), .msg_iov = &data, .msg_iovlen = 1}}};
	struct pollfd waiting = {.fd = server, .events = POLLIN};

	m[1] = m[0];
	for (int i = 0; i < 3; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0), came = 0;
		long n = i == 0 ? sendto(fd, "fast", 4, MSG_FASTOPEN, (struct sockaddr *)&a, sizeof(a))
		       : i == 1 ? sendmsg(fd, &m[0].msg_hdr, MSG_FASTOPEN)
				: sendmmsg(fd, m, 2, MSG_FASTOPEN);

		play_say("%s %d: %d,", what, i, result_of((int)n));
		while (poll(&waiting, 1, n > 0 && !came ? 5000 : 0) == 1) {
			char text[8];
			int one = accept(server, NULL, NULL);

			came += (int)recv(one, text, sizeof(text), 0);
			close(one);
		}
		play_say(" %d came\n", came);
		close(fd);
	}
}

static void fast_part(void)
{
	int moved = socket(AF_INET, SOCK_STREAM, 0), own = socket(AF_INET, SOCK_STREAM, 0);

	close(holder);
	play_say("%d", bind_to(moved, held));
	play_say(" %d", listen(moved, 16));
	play_say(" %d", bind_to(own, spare));
	play_say(" %d\n", listen(own, 16));
	try_fast("moved", held, moved);
	try_fast("there", spare, own);
}

static void story(void)
{
	int listener = -1;

	close(holder); /* inherited: a program that has it itself is refused as natively (law 3) */
	server_part(&listener);
	client_part(listener);
	close(listener);
	datagram_part();
}

/* ---- a server that is interrupted ---- */

static _Atomic bool interrupted;

/* In the place of libc's. A server that is stopped, traced or frozen gets EINTR where the kernel waits for the
 * listener's lock; here it does every other time. */
int ioctl(int fd, unsigned long request, ...)
{
	static _Atomic unsigned count;
	va_list list;
	void *argument;

	va_start(list, request);
	argument = va_arg(list, void *);
	va_end(list);
	if (interrupted && _IOC_TYPE(request) == SECCOMP_IOC_MAGIC && atomic_fetch_add(&count, 1) % 2 == 0) {
		errno = EINTR;
		return -1;
	}
	return (int)syscall(SYS_ioctl, fd, request, argument);
}

/* ---- the server lives ---- */

static char expected[PLAY_SAID], expected_messages[PLAY_SAID];

static void perform(void (*part)(void), char said[PLAY_SAID])
{
	assert_int_equal(play_perform(part, said), 0);
	interrupted = false;
}

static void served(void **state)
{
	(void)state;
	perform(story, expected);
	assert_non_null(strstr(expected, "bind: 0\nits name: requested\nonce more: -22\nanother: -98\nlisten: 0\n"));
	assert_non_null(strstr(expected, "connect: 0\nflags: 0x2\npeer: requested\n"));
	assert_non_null(strstr(expected, "once more: -106\n"));
	assert_non_null(strstr(expected, "does not block: on its way\npoll: 1, error: 0 0\n"));
	assert_non_null(strstr(expected, "udp connect: 0, peer: requested\nsent: 1, received: 1\n"));
}

static void messages_served(void **state)
{
	(void)state;
	perform(message_part, expected_messages);
	assert_non_null(strstr(expected_messages, "sendto: 10\necho: 10 message 0, more: -11\n"));
	assert_non_null(strstr(expected_messages, "length: 16, the rest: 0\n"));
	assert_non_null(strstr(expected_messages, "recvmsg: 10 message 1 requested, 16 32 0\n"));
	assert_non_null(strstr(expected_messages, "sendmmsg: 3 10 10 10\necho: 10 message 0,echo: 10 message 1,"));
	assert_non_null(strstr(expected_messages, "recvmmsg: 3, time left: 1\n"));
	assert_non_null(strstr(expected_messages, "message: 10 message 2 requested, 16 32 0\nmore: -11\n"));
}

/* As where it is switched off for a number that is moved, so that programs connect; else as the kernel does it. */
static void fast_open(void **state)
{
	FILE *file = fopen("/proc/sys/net/ipv4/tcp_fastopen", "r");
	struct pollfd outsider = {.fd = holder, .events = POLLIN};
	char said[PLAY_SAID], wanted[PLAY_SAID];
	int on = 0;

	(void)state;
	if (!file || fscanf(file, "%d", &on) != 1)
		on = 0;
	if (file)
		fclose(file);
	on &= 1; /* for clients */
	close(play_holder(&spare));
	perform(fast_part, said);
	snprintf(wanted, sizeof(wanted), "0 0 0 0\nmoved 0: -95, 0 came\nmoved 1: -95, 0 came\nmoved 2: -95, 0 came\n"
		 "there 0: %d, %d came\nthere 1: %d, %d came\nthere 2: %d, %d came\n",
		 on ? 4 : -95, 4 * on, on ? 4 : -95, 4 * on, on ? 1 : -95, 4 * on);
	assert_string_equal(said, wanted);
	assert_int_equal(poll(&outsider, 1, 0), 0);
}

/* ---- who is served ---- */

static void by_one_that_is_interrupted(void **state)
{
	char said[PLAY_SAID];

	(void)state;
	interrupted = true;
	perform(story, said);
	assert_string_equal(said, expected);
}

static void *orphan(void *argument)
{
	char path[64], text[256] = "";
	int fd = -1, listener;

	(void)argument;
	snprintf(path, sizeof(path), "/proc/%d/stat", getpid());
	do {
		sched_yield();
		fd = open(path, O_RDONLY);
		if (read(fd, text, sizeof(text) - 1) <= 0)
			_exit(9);
		close(fd);
	} while (!strstr(text, ") Z "));
	close(holder);
	server_part(&listener);
	_exit(0);
}

static void orphan_part(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, orphan, NULL) == 0)
		syscall(SYS_exit, 0);
}

static void thread_whose_first_one_has_ended(void **state)
{
	char said[PLAY_SAID];

	(void)state;
	perform(orphan_part, said);
	assert_true(*said);
	assert_memory_equal(said, expected, strlen(said));
}

/* The run's lock is in the program's hands as far as anybody can see; natively, the number is taken. */
static void deciding_part(void)
{
	struct ps_lock *lock = &play_space.run->lock;
	uint32_t self = (uint32_t)getpid();
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct timespec now, then;

	close(holder);
	clock_gettime(CLOCK_BOOTTIME, &now);
	atomic_store(&lock->since, process_started_by((int32_t)self, (uint64_t)now.tv_sec * 100 + 100));
	atomic_store(&lock->word, self);
	play_say("while it decides: %d", bind_to(fd, held));
	clock_gettime(CLOCK_BOOTTIME, &then);
	play_say(" %s\n", then.tv_sec - now.tv_sec < 2 ? "at once" : "after a while");
	/* Now as if one that is dead had had this number. */
	atomic_store(&lock->since, process_started_by((int32_t)self, 0));
	play_say("after the dead: %d", bind_to(fd, held));
	play_say(" %s\n", which(name_of(fd, false)));
}

static void one_in_the_middle_of_a_decision(void **state)
{
	char said[PLAY_SAID];

	(void)state;
	perform(deciding_part, said);
	assert_string_equal(said, "while it decides: -98 at once\nafter the dead: 0 requested\n");
}

static void poor_part(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	close(holder);
	play_say("bind: %d", bind_to(fd, held));
	play_say(" %s\n", which(name_of(fd, false)));
}

/* Without descriptors, a server lets the calls go on: no program waits for ever, and none is bound half. */
static void by_one_without_descriptors(void **state)
{
	char said[PLAY_SAID];
	unsigned served_ones = 0;

	(void)state;
	for (play_spare = 0; play_spare < 12; play_spare++) {
		perform(poor_part, said);
		if (strcmp(said, "bind: 0 requested\n") == 0)
			served_ones++;
		else /* the name is another call, which may be served or not */
			assert_true(strcmp(said, "bind: -98 none\n") == 0 || strcmp(said, "bind: 0 actual\n") == 0);
		assert_true(play_spare > 0 || served_ones == 0);
	}
	play_spare = -1;
	assert_true(served_ones > 0);
}

/* In the place of libc's, for the server: the program is told that its call has come this far, and does something. */
static enum scene { NO_SCENE, CLOSING, FLAGS } scene;
static int reached[2], done_there[2]; /* pipes */

static void let_program_act(void)
{
	char c;

	if (write(reached[1], "", 1) != 1 || (scene == CLOSING && read(done_there[0], &c, 1) != 1))
		_exit(11);
}

int getpeername(int fd, struct sockaddr *restrict address, socklen_t *restrict length)
{
	if (scene == CLOSING && getpid() != play->program)
		let_program_act();
	return (int)syscall(SYS_getpeername, fd, address, length);
}

/* Another thread of the program takes the flag back at once. */
int fcntl(int fd, int command, ...)
{
	va_list list;
	long argument;
	int result;

	va_start(list, command);
	argument = va_arg(list, long);
	va_end(list);
	result = (int)syscall(SYS_fcntl, fd, command, argument);
	if (scene != FLAGS || getpid() == play->program || command != F_SETFL || !(argument & O_NONBLOCK))
		return result;
	let_program_act();
	return (int)syscall(SYS_fcntl, fd, F_SETFL, argument & ~O_NONBLOCK);
}

static int someone, another; /* sockets of the program */

static void say_how_long(void)
{
	struct timespec before, after;

	clock_gettime(CLOCK_MONOTONIC, &before);
	name_of(another, false);
	clock_gettime(CLOCK_MONOTONIC, &after);
	play_say("meanwhile: %s\n", (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 < 500
		 ? "at once" : "late");
}

static void *asks_for_its_peer(void *argument)
{
	struct sockaddr_in a;
	socklen_t length = sizeof(a);

	getpeername(someone, (struct sockaddr *)&a, &length); /* or EBADF */
	return argument;
}

static void lingering_part(void)
{
	static const struct linger linger = {1, 5};
	static const char data[65536];
	int server = socket(AF_INET, SOCK_STREAM, 0), peer;
	pthread_t thread;
	char c;

	listen(server, 1);
	another = someone = socket(AF_INET, SOCK_STREAM, 0);
	connect_to(someone, name_of(server, false));
	peer = accept(server, NULL, NULL);
	setsockopt(someone, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	while (send(someone, data, sizeof(data), MSG_DONTWAIT) > 0)
		;
	another = socket(AF_INET, SOCK_STREAM, 0);
	if (pthread_create(&thread, NULL, asks_for_its_peer, NULL) != 0 || read(reached[0], &c, 1) != 1)
		_exit(9);
	close(someone);
	if (write(done_there[1], "", 1) != 1)
		_exit(9);
	say_how_long();
	close(peer); /* with what it has not read: a reset */
	pthread_join(thread, NULL);
}

static void *connects(void *argument)
{
	connect_to(someone, held);
	return argument;
}

static void flags_part(void)
{
	int server, result;
	pthread_t thread;
	char c;

	close(holder);
	server = socket(AF_INET, SOCK_STREAM, 0);
	bind_to(server, held);
	listen(server, 0);
	do /* until it has no room for more */
		result = connect_to(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), held);
	while (result == 0);
	another = socket(AF_INET, SOCK_STREAM, 0);
	someone = socket(AF_INET, SOCK_STREAM, 0);
	if (pthread_create(&thread, NULL, connects, NULL) != 0 || read(reached[0], &c, 1) != 1)
		_exit(9);
	say_how_long();
}

static void perform_scene(enum scene which_one, void (*part)(void))
{
	char said[PLAY_SAID];

	if (pipe(reached) < 0 || pipe(done_there) < 0)
		play_die("pipe");
	scene = which_one;
	perform(part, said);
	scene = NO_SCENE;
	for (int i = 0; i < 2; i++) {
		close(reached[i]);
		close(done_there[i]);
	}
	assert_string_equal(said, "meanwhile: at once\n");
}

static void closing_what_lingers(void **state)
{
	(void)state;
	perform_scene(CLOSING, lingering_part);
}

static void flag_that_is_taken_back(void **state)
{
	(void)state;
	perform_scene(FLAGS, flags_part);
}

/* ---- the server is killed ---- */

/* Lets the server, with all of its threads, come to its n-th stop at a system call, entry or exit, and kills it there.
 * False if it ended before. */
static bool kill_at(pid_t server, unsigned n)
{
	int status;
	pid_t pid = server;

	ptrace(PTRACE_SETOPTIONS, server, 0, PTRACE_O_TRACECLONE | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	ptrace(PTRACE_SYSCALL, server, 0, 0);
	for (;;) {
		pid = waitpid(-1, &status, __WALL);
		if (pid < 0)
			return false;
		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			if (pid != server)
				continue;
			play_server = 0;
			return false;
		}
		if (WSTOPSIG(status) == (SIGTRAP | 0x80) && n-- == 0)
			break;
		ptrace(PTRACE_SYSCALL, pid, 0, 0);
	}
	kill(server, SIGKILL);
	while (waitpid(-1, &status, __WALL) != server || !WIFSIGNALED(status))
		; /* its threads, or the program */
	play_server = 0;
	return true;
}

/* At every PLAY_STEP-th of them, from another one on each time: PLAY_STEP=1 for all. */
static void kill_at_any_system_call(void (*part)(void), const char *wanted, unsigned least)
{
	const char *text = getenv("PLAY_STEP");
	unsigned step = text ? (unsigned)atoi(text) : 7, n = (unsigned)getpid() % step;
	char said[PLAY_SAID];
	bool killed = true;

	for (; killed; n += step) {
		int listener;
		pid_t server = play_start(part, true, &listener);

		killed = kill_at(server, n);
		if (killed) {
			assert_int_equal(notify_start(play_notify, listener, &play_space), 0);
			if (write(play->go[1], "", 1) != 1) /* if the server had not come to it */
				play_die("write");
			assert_true(play_serve());
		}
		memcpy(said, play->said, sizeof(said));
		play_end(listener);
		play_end_run();
		if (strcmp(said, wanted) != 0)
			fail_msg("killed at %u, it was not\n%s but\n%s", n, wanted, said);
	}
	if (text)
		print_message("killed at %u system calls\n", n / step);
	assert_true(n > least);
}

static void killed_at_any_system_call(void **state)
{
	(void)state;
	kill_at_any_system_call(story, expected, 500);
}

/* No message is lost, and none sent twice. */
static void killed_with_a_message_in_hand(void **state)
{
	(void)state;
	kill_at_any_system_call(message_part, expected_messages, 150);
}

static int setup(void **state)
{
	if (play_setup(state) < 0)
		return -1;
	holder = play_holder(&held);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(served),
		cmocka_unit_test(by_one_that_is_interrupted),
		cmocka_unit_test(thread_whose_first_one_has_ended),
		cmocka_unit_test(one_in_the_middle_of_a_decision),
		cmocka_unit_test(by_one_without_descriptors),
		cmocka_unit_test(closing_what_lingers),
		cmocka_unit_test(flag_that_is_taken_back),
		cmocka_unit_test(killed_at_any_system_call),
		cmocka_unit_test(fast_open),
		cmocka_unit_test(messages_served),
		cmocka_unit_test(killed_with_a_message_in_hand),
	};

	return cmocka_run_group_tests(tests, setup, play_teardown);
}
