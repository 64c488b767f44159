/* A server that is killed with a call in hand that cannot be made twice: messages, connections that do not come about,
 * a socket that is exchanged for another. The program must find the same in any case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "killed.h"

#include <pthread.h>

static char expected_messages[PLAY_SAID];

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
	static const struct timeval patience = {.tv_sec = PLAY_PATIENCE_MS / 1000};
	int server = socket(AF_INET, SOCK_DGRAM, 0), client = socket(AF_INET, SOCK_DGRAM, 0);
	struct timespec time = {50, 0};
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
	play_say("recvmmsg: %d, time left: %d\n", n, time.tv_sec < 50 && time.tv_sec > 0);
	for (int i = 0; i < 3; i++)
		say_received("message", message[i].msg_len, i);
	play_say("more: %d\n", result_of((int)recv(client, back[0], 24, MSG_DONTWAIT)));
	close(server);
	close(client);
}

/* ---- the same beside another call ---- */

struct answer {
	struct sockaddr_in from;
	char data[24];
	long length;
};

static _Atomic pid_t waiter; /* the thread that waits for an answer all the while */

static struct answer take_answer(int fd)
{
	struct answer answer = {.length = 0};
	socklen_t length = sizeof(answer.from);

	answer.length = recvfrom(fd, answer.data, sizeof(answer.data), 0, (struct sockaddr *)&answer.from, &length);
	return answer;
}

static void say_answer(const struct answer *answer)
{
	play_say("answer: %ld %s %s\n", answer->length, answer->data, which(ntohs(answer->from.sin_port)));
}

static struct answer waited;

static void *waits(void *argument)
{
	waiter = (pid_t)syscall(SYS_gettid);
	waited = take_answer(*(int *)argument);
	return NULL;
}

static void exchange(int server, int fd, const char *word)
{
	struct sockaddr_in to = at(held);
	struct answer answer;

	sendto(fd, word, strlen(word) + 1, 0, (struct sockaddr *)&to, sizeof(to));
	echo(server, 1);
	answer = take_answer(fd);
	say_answer(&answer);
}

static void wait_for_waiter(void)
{
	while (!waiter || !play_begun(waiter))
		sched_yield();
}

static void beside_part(void)
{
	static const struct timeval patience = {.tv_sec = PLAY_PATIENCE_MS / 1000};
	int server = socket(AF_INET, SOCK_DGRAM, 0), first = socket(AF_INET, SOCK_DGRAM, 0),
	    second = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in to = at(held);
	pthread_t thread;

	close(holder);
	setsockopt(second, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	play_say("bind: %d\n", bind_to(server, held));
	exchange(server, second, "before"); /* so that it expects answers from there */
	if (pthread_create(&thread, NULL, waits, &first) != 0)
		_exit(9);
	wait_for_waiter();
	exchange(server, second, "one");
	exchange(server, second, "two");
	exchange(server, second, "three");
	sendto(first, "first", 6, 0, (struct sockaddr *)&to, sizeof(to));
	echo(server, 1);
	pthread_join(thread, NULL);
	say_answer(&waited);
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
		while (poll(&waiting, 1, n > 0 && !came ? PLAY_PATIENCE_MS : 0) == 1) {
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

/* ---- connections that do not come about, and a port that an outsider listens on first ---- */

static int rival[2]; /* of an outsider, which is bound: for one byte it listens, for the next it does not, and answers */

static void ask_rival(void)
{
	char c;

	if (write(rival[0], "", 1) != 1 || read(rival[0], &c, 1) != 1 || c)
		_exit(9);
}

static int shared_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	return fd;
}

static void be_rival(void)
{
	bool listens = true;
	int fd = -1;
	char c;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	do {
		listens = !listens;
		if (listens) {
			c = (char)listen(fd, 4);
			continue;
		}
		close(fd);
		fd = shared_socket();
		c = (char)bind_to(fd, spare);
	} while (write(rival[1], &c, 1) == 1 && read(rival[1], &c, 1) == 1);
	_exit(0);
}

static void connect_part(void)
{
	static const struct timeval limit = {.tv_usec = 20000};
	int server = socket(AF_INET, SOCK_STREAM, 0), first = socket(AF_INET, SOCK_STREAM, 0),
	    waits = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), late = socket(AF_INET, SOCK_STREAM, 0), one;

	close(holder);
	play_say("bind: %d\n", bind_to(server, held));
	play_say("nobody listens: %d", connect_to(first, held));
	play_say(" %d\n", connect_to(first, held));
	play_say("listen: %d\n", result_of(listen(server, 0)));
	/* The one place in the queue is taken, and the kernel answers nobody. */
	play_say("first: %d,", connect_to(first, held));
	wait_until_full(server);
	play_say(" waits: %d", connect_to(waits, held));
	play_say(" %d,", connect_to(waits, held));
	setsockopt(late, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	play_say(" late: %d", connect_to(late, held));
	play_say(" %d\n", connect_to(late, held));
	play_say("flags: %#x %#x\n", fcntl(waits, F_GETFL), fcntl(late, F_GETFL));
	play_say("peer: %s\n", which(name_of(first, true)));
	one = accept(server, NULL, NULL);
	play_say("accepted: %d\n", one >= 0);
}

static void preempted_part(void)
{
	int fd = shared_socket(), client = socket(AF_INET, SOCK_STREAM, 0);
	uint16_t own;

	close(holder);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	play_say("bind: %d\n", bind_to(fd, spare));
	ask_rival();
	play_say("listen: %d\n", result_of(listen(fd, 16)));
	own = name_of(fd, false);
	play_say("its name: %s,", own == spare ? "requested" : own ? "actual" : "none");
	play_say(" flags: %#x %#x\n", fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
	play_say("connect: %d,", connect_to(client, spare));
	play_say(" accepted: %d\n", poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, PLAY_PATIENCE_MS) == 1 &&
		 accept(fd, NULL, NULL) >= 0);
	ask_rival();
}

/* ---- the tests ---- */

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

static void killed_while_it_connects(void **state)
{
	char wanted[PLAY_SAID];

	(void)state;
	perform(connect_part, wanted);
	assert_string_equal(wanted, "bind: 0\nnobody listens: -111 -111\nlisten: 0\n"
				    "first: 0, waits: -115 -114, late: -115 -114\nflags: 0x802 0x2\n"
				    "peer: requested\naccepted: 1\n");
	kill_at_any_system_call(connect_part, wanted, 100, 29);
}

static void killed_while_it_listens_elsewhere(void **state)
{
	char wanted[PLAY_SAID];
	pid_t pid;
	char c = 1;

	(void)state;
	close(play_holder(&spare));
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, rival) < 0)
		fail();
	/* Without a signal at its end: play_end waits for all others (wait(2), __WCLONE). */
	pid = (pid_t)syscall(SYS_clone, 0, NULL, NULL, NULL, 0);
	if (pid == 0)
		be_rival();
	assert_int_equal(read(rival[0], &c, 1), 1);
	assert_int_equal(c, 0);
	perform(preempted_part, wanted);
	assert_string_equal(wanted, "bind: 0\nlisten: 0\nits name: actual, flags: 0x802 0x1\nconnect: 0, accepted: 1\n");
	kill_at_any_system_call(preempted_part, wanted, 100, 13);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, __WCLONE);
	close(rival[0]);
	close(rival[1]);
}

/* No message is lost, and none sent twice. */
static void killed_with_a_message_in_hand(void **state)
{
	(void)state;
	kill_at_any_system_call(message_part, expected_messages, 150, 9);
}

static void killed_beside_a_call_that_waits(void **state)
{
	char wanted[PLAY_SAID];

	(void)state;
	perform(beside_part, wanted);
	assert_string_equal(wanted, "bind: 0\necho: 7 before, more: -11\nanswer: 7 before requested\n"
				    "echo: 4 one, more: -11\nanswer: 4 one requested\n"
				    "echo: 4 two, more: -11\nanswer: 4 two requested\n"
				    "echo: 6 three, more: -11\nanswer: 6 three requested\n"
				    "echo: 6 first, more: -11\nanswer: 6 first requested\n");
	kill_at_any_system_call(beside_part, wanted, 100, 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_served),
		cmocka_unit_test(killed_with_a_message_in_hand),
		cmocka_unit_test(killed_beside_a_call_that_waits),
		cmocka_unit_test(killed_while_it_connects),
		cmocka_unit_test(killed_while_it_listens_elsewhere),
		cmocka_unit_test(fast_open),
	};

	return cmocka_run_group_tests(tests, killed_setup, play_teardown);
}
