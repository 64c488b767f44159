/* Ways through the server that few calls take: memory that can be written in part, sockets of other kinds, waits whose
 * limits differ, runs inside the run that end. Where that is possible, the program does the same natively, and must
 * find the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "killed.h"

#include "../core/child.h"

#include "core/sys.h"
#include "notify/served.h"

#include <pthread.h>
#include <sys/time.h>

#define SOON_MS 40

/* ---- the same, natively ---- */

static uint16_t free_number(void)
{
	uint16_t port;

	close(play_holder(&port));
	return port;
}

static void natively(void (*part)(void), char said[PLAY_SAID])
{
	uint16_t moved = held;
	int status;
	pid_t pid;

	play = mmap(NULL, sizeof(*play), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (play == MAP_FAILED)
		play_die("mmap");
	held = free_number();
	play_journal = NULL; /* there is no server */
	pid = fork();
	if (pid == 0) {
		alarm(PLAY_LIMIT);
		part();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	memcpy(said, play->said, PLAY_SAID);
	munmap(play, sizeof(*play));
	held = moved;
}

static void compare(void (*part)(void))
{
	char bare[PLAY_SAID], moved[PLAY_SAID];

	natively(part, bare);
	perform(part, moved);
	assert_string_equal(moved, bare);
	assert_int_not_equal(bare[0], 0);
}

/* ---- what the programs have in common ---- */

static int server, client; /* which has sent to the moved port */
static struct sockaddr_in client_name;

/* What should be there and is not is not waited for without end. */
static int limited(int fd)
{
	const struct timeval limit = {PLAY_PATIENCE_MS / 1000, 0};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

static void meet(void)
{
	socklen_t length = sizeof(client_name);
	struct sockaddr_in to = at(held);
	char byte;

	close(holder);
	server = limited(socket(AF_INET, SOCK_DGRAM, 0));
	client = limited(socket(AF_INET, SOCK_DGRAM, 0));
	play_say("bind: %d\n", bind_to(server, held));
	play_say("send: %zd\n", sendto(client, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)));
	play_say("receive: %zd\n", recvfrom(server, &byte, 1, 0, (struct sockaddr *)&client_name, &length));
}

static void answer(const char *text)
{
	if (sendto(server, text, strlen(text), 0, (struct sockaddr *)&client_name, sizeof(client_name)) < 0)
		play_say("answer: %d\n", -errno);
}

/* What waits at a socket, without names. */
static void say_waiting(const char *what, int fd)
{
	char text[64];
	ssize_t n;

	play_say("%s:", what);
	while ((n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT)) >= 0) {
		text[n] = '\0';
		play_say(" %s", text);
	}
	play_say("\n");
}

#define PAGE 4096

/* The last `size` bytes before the end of what may be written, followed by a page with other rights. */
static void *before_end(size_t size, int rights)
{
	char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED || mprotect(pages + PAGE, PAGE, rights) < 0)
		play_die("mmap");
	return pages + PAGE - size;
}

static struct msghdr message_to(struct sockaddr_in *name, struct iovec *part, char *text)
{
	*part = (struct iovec){text, strlen(text)};
	return (struct msghdr){.msg_name = name, .msg_namelen = sizeof(*name), .msg_iov = part, .msg_iovlen = 1};
}

/* ---- sending ---- */

static void sending_part(void)
{
	struct mmsghdr *first = before_end(sizeof(*first), PROT_NONE), two[2] = {{.msg_len = 0}};
	struct sockaddr_in to;
	struct iovec part[2];
	static char much[1 << 20], a[] = "a", b[] = "b";

	meet();
	to = at(held);
	first->msg_hdr = message_to(&to, &part[0], a);
	play_say("the second not there: %d", result_of(sendmmsg(client, first, 2, 0)));
	play_say(" length %u\n", first->msg_len);
	two[0].msg_hdr = message_to(&to, &part[0], a);
	two[1].msg_hdr = message_to(&to, &part[1], b);
	two[1].msg_hdr.msg_namelen = (socklen_t)-1;
	play_say("a bad length of a name, second: %d\n", result_of(sendmmsg(client, two, 2, 0)));
	two[1].msg_hdr.msg_name = (void *)8;
	two[1].msg_hdr.msg_namelen = sizeof(to);
	play_say("a bad name, second: %d\n", result_of(sendmmsg(client, two, 2, 0)));
	two[1].msg_hdr.msg_name = &to;
	two[0].msg_hdr.msg_name = (void *)8;
	play_say("a bad name, first: %d\n", result_of(sendmmsg(client, two, 2, 0)));
	two[0].msg_hdr.msg_name = &to;
	two[0].msg_hdr.msg_namelen = (socklen_t)-1;
	play_say("a bad length of a name, first: %d\n", result_of(sendmmsg(client, two, 2, 0)));
	two[0].msg_hdr.msg_namelen = sizeof(to);
	two[1].msg_hdr.msg_control = much;
	two[1].msg_hdr.msg_controllen = sizeof(much);
	play_say("much control data, second: %d\n", result_of(sendmmsg(client, two, 2, 0)));
	play_say("much control data: %d\n", result_of((int)sendmsg(client, &two[1].msg_hdr, 0)));
	two[1].msg_hdr.msg_controllen = 0;
	play_say("good ones: %d\n", result_of(sendmmsg(client, two, 2, 0)));
	say_waiting("sent", server);
}

static void what_is_sent(void **state)
{
	(void)state;
	compare(sending_part);
}

/* ---- receiving ---- */

static void receive_into_what_cannot_be_written(void)
{
	const size_t until_flags = offsetof(struct msghdr, msg_flags);
	struct msghdr *m = before_end(until_flags, PROT_READ | PROT_WRITE);
	struct sockaddr_in from;
	char data[8];
	struct iovec part;
	socklen_t *length = before_end(0, PROT_READ);

	answer("length");
	play_say("length of the name: %d\n", result_of((int)recvfrom(client, data, sizeof(data), 0, &from, length)));
	*m = message_to(&from, &part, data);
	part.iov_len = sizeof(data);
	mprotect((char *)m + until_flags, PAGE, PROT_READ);
	answer("flags");
	play_say("flags: %d\n", result_of((int)recvmsg(client, m, 0)));
	say_waiting("still there", client);
}

/* In a page that can only be read. */
static void receive_control(void)
{
	struct sockaddr_in from = {0};
	char data[8];
	struct iovec part = {data, sizeof(data)};
	struct msghdr m = {.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &part, .msg_iovlen = 1,
			   .msg_control = before_end(0, PROT_READ), .msg_controllen = 256};

	setsockopt(client, SOL_SOCKET, SO_TIMESTAMP, &(int){1}, sizeof(int));
	answer("time");
	play_say("control data: %d", result_of((int)recvmsg(client, &m, 0)));
	play_say(" %zu %x from %s\n", m.msg_controllen, (unsigned)m.msg_flags, which(ntohs(from.sin_port)));
	setsockopt(client, SOL_SOCKET, SO_TIMESTAMP, &(int){0}, sizeof(int));
}

static void receive_several(void)
{
	struct mmsghdr *first = before_end(sizeof(*first), PROT_NONE), one = {.msg_len = 0};
	struct timespec *limit = before_end(0, PROT_READ);
	struct sockaddr_in from;
	char data[8];
	struct iovec part = {data, sizeof(data)};

	first->msg_hdr = (struct msghdr){
		.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &part, .msg_iovlen = 1};
	one = *first;
	answer("one");
	answer("two");
	play_say("a bad limit: %d\n", result_of(recvmmsg(client, &one, 1, 0, (void *)8)));
	play_say("a limit that cannot be written: %d\n", result_of(recvmmsg(client, &one, 1, 0, limit)));
	play_say("the second not there: %d", result_of(recvmmsg(client, first, 2, 0, NULL)));
	play_say(" length %u from %s\n", first->msg_len, which(ntohs(from.sin_port)));
	recv(client, data, 0, MSG_DONTWAIT); /* takes the error that the kernel keeps (datagram.c: not as native) */
	say_waiting("still there", client);
}

static void receiving_part(void)
{
	meet();
	receive_into_what_cannot_be_written();
	receive_control();
	receive_several();
}

static void what_is_received(void **state)
{
	(void)state;
	compare(receiving_part);
}

/* ---- waits with limits ---- */

static void set_limit(int fd, int ms)
{
	const struct timeval limit = {ms / 1000, ms % 1000 * 1000};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}

static void *waits_in_vain(void *argument)
{
	int fd = *(int *)argument;
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	char c;

	return (void *)(intptr_t)result_of((int)recvfrom(fd, &c, 1, 0, (struct sockaddr *)&from, &length));
}

/* The later limit is not forgotten over the earlier one. */
static void wait_for_two(void)
{
	int other = socket(AF_INET, SOCK_DGRAM, 0);
	pthread_t first, second;
	void *result[2];

	set_limit(client, SOON_MS / 2);
	set_limit(other, SOON_MS);
	bind_to(other, 0);
	pthread_create(&first, NULL, waits_in_vain, &client);
	pthread_create(&second, NULL, waits_in_vain, &other);
	pthread_join(first, &result[0]);
	pthread_join(second, &result[1]);
	play_say("two limits: %d %d\n", (int)(intptr_t)result[0], (int)(intptr_t)result[1]);
	close(other);
}

static void *waits_for_two(void *argument)
{
	struct sockaddr_in from[2];
	char data[2] = "";
	struct iovec part[2];
	struct mmsghdr two[2] = {{.msg_len = 0}};

	for (int i = 0; i < 2; i++) {
		part[i] = (struct iovec){data + i, 1};
		two[i].msg_hdr = (struct msghdr){
			.msg_name = &from[i], .msg_namelen = sizeof(from[i]), .msg_iov = &part[i], .msg_iovlen = 1};
	}
	*(_Atomic pid_t *)argument = (pid_t)syscall(SYS_gettid);
	return (void *)(intptr_t)result_of(recvmmsg(client, two, 2, 0, NULL));
}

/* The server has seen what limit there is. */
static bool is_held(pid_t tid)
{
	const struct ps_slot *slot = play_journal ? play_begun(tid) : NULL;

	return !play_journal || (slot && slot->saved.datagram.deadline != 0);
}

static void until_it_sleeps(pid_t tid)
{
	char path[64], text[512] = "";

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
	do {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = read(fd, text, sizeof(text) - 1);

		text[n > 0 ? n : 0] = '\0';
		close(fd);
		sched_yield();
	} while (!strstr(text, ") S") || !is_held(tid));
}

/* A limit that is set while the call waits is that of its next message (net/socket.c, do_recvmmsg). */
static void wait_with_a_new_limit(void)
{
	_Atomic pid_t tid = 0;
	pthread_t thread;
	void *result;

	set_limit(client, 0);
	pthread_create(&thread, NULL, waits_for_two, &tid);
	while (!tid)
		sched_yield();
	until_it_sleeps(tid);
	set_limit(client, SOON_MS);
	answer("1");
	pthread_join(thread, &result);
	play_say("a new limit: %d\n", (int)(intptr_t)result);
}

static void limits_part(void)
{
	meet();
	wait_for_two();
	wait_with_a_new_limit();
}

static void limits(void **state)
{
	(void)state;
	compare(limits_part);
}

/* ---- sockets of other kinds ---- */

/* What the kernel says, since the call goes through (scope.h). */
static uint16_t true_port(int fd, long name)
{
	struct sockaddr_in a = {0};
	socklen_t length = sizeof(a);

	sys_marked3(play_space.run->pass, name, fd, &a, &length);
	return ntohs(a.sin_port);
}

static void raw_part(void)
{
	int fd = socket(AF_INET, SOCK_RAW, 253 /* for experiments (RFC 3692) */);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		play_say("none: %d\n", result_of(fd));
	meet();
	play_say("bind: %d\n", bind_to(listener, held));
	play_say("listen: %d\n", result_of(listen(listener, 1)));
	play_say("connect: %d", connect_to(fd, held));
	play_say(" %s\n", which(true_port(fd, SYS_getpeername)));
}

/* They have no ports, so the number is theirs to use. */
static void raw_sockets(void **state)
{
	(void)state;
	compare(raw_part);
}

static void lite_part(void)
{
	int there = limited(socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE)), here = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);
	struct sockaddr_in to = at(held), from = {0};
	socklen_t length = sizeof(from);
	uint16_t port;
	char byte;

	if (there < 0)
		play_say("none: %d\n", result_of(there));
	meet();
	port = true_port(server, SYS_getsockname);
	if (port == held)
		port = free_number();
	play_say("bind: %d\n", bind_to(there, held));
	play_say("bind: %d\n", bind_to(here, port));
	play_say("name: %d\n", name_of(here, false) == port);
	play_say("send: %zd\n", sendto(here, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)));
	play_say("receive: %zd\n", recvfrom(there, &byte, 1, 0, (struct sockaddr *)&from, &length));
	play_say("from: %d\n", ntohs(from.sin_port) == port);
	play_say("connect: %d", connect_to(here, held));
	play_say(" %s\n", which(true_port(here, SYS_getpeername)));
}

/* It has ports of its own: neither are they moved, nor translated. */
static void lite_sockets(void **state)
{
	(void)state;
	compare(lite_part);
}

/* A duplicate of a socket that lingers is closed by a thread of its own. */
static void lingering_part(void)
{
	const struct linger linger = {1, 5};
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);

	close(holder);
	play_say("bind: %d\n", bind_to(listener, held));
	play_say("listen: %d\n", listen(listener, 1));
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	play_say("connect: %d\n", connect_to(fd, held));
	play_say("once more: %d\n", connect_to(fd, held));
	play_say("its peer: %s\n", which(name_of(fd, true)));
}

static void lingering(void **state)
{
	(void)state;
	compare(lingering_part);
}

/* ---- a server that is short of something ---- */

static void no_threads(void)
{
	child_fail(SYS_clone3, -1, 0, EAGAIN);
	child_fail(SYS_clone, -1, 0, EAGAIN);
}

/* What would have a thread of its own is done at once. */
static void without_threads(void **state)
{
	(void)state;
	play_shortage = no_threads;
	compare(lingering_part);
	play_shortage = NULL;
}

static void no_epoll(void)
{
	child_fail(SYS_epoll_create1, -1, 0, EMFILE);
}

static void unheld_part(void)
{
	_Atomic pid_t tid = 0;

	meet();
	answer("1");
	play_say("%d\n", (int)(intptr_t)waits_for_two(&tid));
	answer("2");
	say_waiting("the next", client);
}

/* A call that cannot be held ends with what it has: continued, it would write over that. */
static void without_events(void **state)
{
	char said[PLAY_SAID];

	(void)state;
	play_shortage = no_epoll;
	perform(unheld_part, said);
	play_shortage = NULL;
	assert_string_equal(said, "bind: 0\nsend: 1\nreceive: 1\n1\nthe next: 2\n");
}

/* ---- the end ---- */

static unsigned descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned count = 0;

	while (directory && readdir(directory))
		count++;
	if (directory)
		closedir(directory);
	return count;
}

static void held_part(void)
{
	meet();
	set_limit(client, 0);
	waits_in_vain(&client);
}

/* Until a call is held. */
static void serve_until_held(void)
{
	struct pollfd fds[PS_NOTIFY_FDS];

	while (notify_time_left(play_notify) < 0) {
		notify_poll(play_notify, fds);
		assert_true(poll(fds, PS_NOTIFY_FDS, PLAY_PATIENCE_MS) > 0);
		notify_serve(play_notify, fds);
	}
}

/* A server that ends, and whose process goes on, as the keeper does, keeps nothing of a call that was held when the
 * last process was killed. */
static void nothing_is_left(void **state)
{
	unsigned before = descriptors();
	int listener;
	pid_t first = play_start(held_part, false, &listener);

	(void)state;
	kill(first, SIGKILL);
	waitpid(first, NULL, 0);
	play_server = 0;
	assert_int_equal(notify_start(play_notify, listener, &play_space), 0);
	assert_int_equal(write(play->go[1], "", 1), 1);
	serve_until_held();
	kill(play->program, SIGKILL);
	waitpid(play->program, NULL, 0);
	assert_true(play_serve());
	play_end(listener);
	play_end_run();
	assert_int_equal(descriptors(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_sent),
		cmocka_unit_test(what_is_received),
		cmocka_unit_test(limits),
		cmocka_unit_test(raw_sockets),
		cmocka_unit_test(lite_sockets),
		cmocka_unit_test(lingering),
		cmocka_unit_test(without_threads),
		cmocka_unit_test(without_events),
		cmocka_unit_test(nothing_is_left),
	};

	return cmocka_run_group_tests(tests, killed_setup, play_teardown);
}
