/* Calls of a program that the preload does not reach, served, and served on by another process when the server is
 * killed at any of its system calls: the program must find the same in any case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "play.h"

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

static void story(void)
{
	int listener = -1;

	close(holder); /* a program that has it itself would be refused by itself */
	server_part(&listener);
	client_part(listener);
	close(listener);
	datagram_part();
}

/* ---- the server lives ---- */

static char expected[PLAY_SAID];

static void end_run(void)
{
	space_close(&play_space);
	play_make_run(&play_space, "name:play", play_path);
}

static void served(void **state)
{
	int listener, status;
	pid_t server = play_start(story, false, &listener);

	(void)state;
	kill(server, SIGCONT);
	assert_int_equal(waitpid(server, &status, 0), server);
	assert_int_equal(status, 0);
	memcpy(expected, play->said, sizeof(expected));
	play_end(listener);
	end_run();
	assert_non_null(strstr(expected, "bind: 0\nits name: requested\nonce more: -22\nanother: -98\nlisten: 0\n"));
	assert_non_null(strstr(expected, "connect: 0\nflags: 0x2\npeer: requested\n"));
	assert_non_null(strstr(expected, "once more: -106\n"));
	assert_non_null(strstr(expected, "does not block: on its way\npoll: 1, error: 0 0\n"));
	assert_non_null(strstr(expected, "udp connect: 0, peer: requested\nsent: 1, received: 1\n"));
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
			if (pid == server)
				return false;
			continue;
		}
		if (WSTOPSIG(status) == (SIGTRAP | 0x80) && n-- == 0)
			break;
		ptrace(PTRACE_SYSCALL, pid, 0, 0);
	}
	kill(server, SIGKILL);
	while (waitpid(-1, &status, __WALL) != server || !WIFSIGNALED(status))
		; /* its threads, or the program */
	return true;
}

/* At every PLAY_STEP-th of them, from another one on each time: PLAY_STEP=1 for all. */
static void killed_at_any_system_call(void **state)
{
	const char *text = getenv("PLAY_STEP");
	unsigned step = text ? (unsigned)atoi(text) : 13, n = (unsigned)getpid() % step;
	bool killed = true;

	(void)state;
	for (; killed; n += step) {
		int listener;
		pid_t server = play_start(story, true, &listener);

		killed = kill_at(server, n);
		if (killed) {
			assert_int_equal(notify_start(play_notify, listener, &play_space), 0);
			if (write(play->go[1], "", 1) != 1) /* if the server had not come to it */
				play_die("write");
			assert_true(play_serve());
		}
		if (strcmp(play->said, expected) != 0)
			fail_msg("killed at %u, it was not\n%s but\n%s", n, expected, play->said);
		play_end(listener);
		end_run();
	}
	assert_true(n > 500);
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
		cmocka_unit_test(killed_at_any_system_call),
	};

	return cmocka_run_group_tests(tests, setup, play_teardown);
}
