/* Calls of a program that the preload does not reach, served, and served on by another process when the server is
 * killed at any of its system calls: the program must find the same in any case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "killed.h"

#include "notify/served.h"

#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* Linux 5.14 */
#endif

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
	play_say("poll: %d,", poll(&one, 1, PLAY_PATIENCE_MS));
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
	poll(&(struct pollfd){.fd = server, .events = POLLIN}, 1, PLAY_PATIENCE_MS);
	play_say(" received: %zd\n", recv(server, &c, 1, MSG_DONTWAIT));
	close(server);
	close(client);
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

static char expected[PLAY_SAID];

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

/* ---- who is served ---- */

static void by_one_that_is_interrupted(void **state)
{
	char said[PLAY_SAID];

	(void)state;
	interrupted = true;
	perform(story, said);
	interrupted = false;
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
	int self = (int)syscall(SYS_pidfd_open, getpid(), O_EXCL); /* PIDFD_THREAD: Linux 6.9 */
	char said[PLAY_SAID];

	(void)state;
	if (self < 0)
		skip(); /* nobody can have its descriptors: docs/limits.md */
	close(self);
	perform(orphan_part, said);
	assert_true(*said);
	assert_memory_equal(said, expected, strlen(said));
}

/* The run's lock is in the program's hands as far as anybody can see; natively, the number is taken. */
static void deciding_part(void)
{
	struct ps_lock *lock = &play_space.run->lock;
	uint32_t self = (uint32_t)getpid();
	int fd = socket(AF_INET, SOCK_STREAM, 0), result;
	struct timespec now, then;

	close(holder);
	clock_gettime(CLOCK_BOOTTIME, &now);
	atomic_store(&lock->since, process_started_by((int32_t)self, (uint64_t)now.tv_sec * 100 + 100));
	atomic_store(&lock->word, self);
	/* Who waits for a lock does so each time; a machine does not stand still each time. */
	for (int tries = 0; tries < 5; tries++) {
		clock_gettime(CLOCK_BOOTTIME, &now);
		result = bind_to(fd, held);
		clock_gettime(CLOCK_BOOTTIME, &then);
		if (result != -EADDRINUSE || then.tv_sec - now.tv_sec < 2)
			break;
	}
	play_say("while it decides: %d %s\n", result, then.tv_sec - now.tv_sec < 2 ? "at once" : "after a while");
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

/* The server has its duplicate of the socket that lingers, and asks what network it is of (target.c). */
int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict length)
{
	struct linger linger = {0};
	socklen_t size = sizeof(linger);

	if (scene == CLOSING && level == SOL_SOCKET && name == SO_NETNS_COOKIE && getpid() != play->program &&
	    syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_LINGER, &linger, &size) == 0 && linger.l_onoff)
		let_program_act();
	return (int)syscall(SYS_getsockopt, fd, level, name, value, length);
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

#define LINGER 30 /* seconds */

static void say_how_long(void)
{
	struct timespec before, after;

	clock_gettime(CLOCK_MONOTONIC, &before);
	name_of(another, false);
	clock_gettime(CLOCK_MONOTONIC, &after);
	play_say("meanwhile: %s\n", after.tv_sec - before.tv_sec < LINGER / 2 ? "at once" : "late");
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
	static const struct linger linger = {1, LINGER};
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
	int server;
	pthread_t thread;
	char c;

	close(holder);
	server = socket(AF_INET, SOCK_STREAM, 0);
	bind_to(server, held);
	listen(server, 0);
	connect_to(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), held);
	wait_until_full(server);
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

static void killed_at_any_system_call(void **state)
{
	(void)state;
	kill_at_any_system_call(story, expected, 500, 7);
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
	};

	return cmocka_run_group_tests(tests, killed_setup, play_teardown);
}
