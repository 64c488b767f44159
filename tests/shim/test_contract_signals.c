/*
 * The contract of interruption: EINTR where a handler is installed without SA_RESTART, going on where it is with it,
 * and no EINTR at all from calls that do not wait.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#include "contract.h"

#define ENOUGH 3

static _Atomic int signals;

static void on_signal(int number)
{
	int saved = errno;
	struct sockaddr_in a;
	socklen_t length = sizeof(a);

	(void)number;
	signals++;
	/* a hook in a handler, while the same thread may be in one */
	getsockname(0, (struct sockaddr *)&a, &length);
	errno = saved;
}

/* Signals a thread until it is told to stop: one signal could come before the call waits. */
struct interrupter {
	pthread_t target, self;
	_Atomic bool stop;
	void (*then)(void *); /* done once, when ENOUGH signals were handled */
	void *context;
};

static void *interrupt(void *context)
{
	struct interrupter *i = context;
	bool done = !i->then;

	while (!i->stop) {
		pthread_kill(i->target, SIGUSR1);
		usleep(1000);
		if (!done && signals >= ENOUGH) {
			i->then(i->context);
			done = true;
		}
	}
	return NULL;
}

static void interrupter_start(struct interrupter *i, int flags, void (*then)(void *), void *context)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };

	*i = (struct interrupter){ .target = pthread_self(), .then = then, .context = context };
	signals = 0;
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	assert_int_equal(pthread_create(&i->self, NULL, interrupt, i), 0);
}

static void interrupter_stop(struct interrupter *i)
{
	i->stop = true;
	pthread_join(i->self, NULL);
	assert_true(signals > 0);
}

/* ---- receiving ---- */

struct sender {
	int fd;
	struct sockaddr_in to;
};

static void send_one(void *context)
{
	const struct sender *s = context;

	/* not through the hooked call of the test: this is another thread's */
	assert_int_equal(sendto(s->fd, "abc", 3, 0, &s->to, sizeof(s->to)), 3);
}

static void receive(void **state)
{
	int port = contract_port(), own = contract_port(), fd = contract_udp("127.0.0.1", port);
	struct sender sender = { .fd = contract_udp("127.0.0.1", own), .to = contract_in("127.0.0.1", port) };
	struct sockaddr_in a;
	socklen_t length = sizeof(a);
	char text[8];
	struct iovec data = { text, sizeof(text) };
	struct mmsghdr m = { .msg_hdr = {
				     .msg_name = &a, .msg_namelen = sizeof(a), .msg_iov = &data, .msg_iovlen = 1 } };
	struct interrupter i;

	(void)state;
	interrupter_start(&i, 0, NULL, NULL);
	FAILS(EINTR, recvfrom(fd, text, sizeof(text), 0, &a, &length));
	assert_int_equal(length, sizeof(a));
	FAILS(EINTR, recvmsg(fd, &m.msg_hdr, 0));
	assert_int_equal(m.msg_hdr.msg_namelen, sizeof(a));
	FAILS(EINTR, recvmmsg(fd, &m, 1, 0, NULL));
	interrupter_stop(&i);

	interrupter_start(&i, SA_RESTART, send_one, &sender);
	assert_int_equal(OK(recvfrom(fd, text, sizeof(text), 0, &a, &length)), 3);
	assert_int_equal(ntohs(a.sin_port), own);
	interrupter_stop(&i);
	interrupter_start(&i, SA_RESTART, send_one, &sender);
	a.sin_port = 0;
	assert_int_equal(OK(recvmsg(fd, &m.msg_hdr, 0)), 3);
	assert_int_equal(ntohs(a.sin_port), own);
	interrupter_stop(&i);
	interrupter_start(&i, SA_RESTART, send_one, &sender);
	a.sin_port = 0;
	assert_int_equal(OK(recvmmsg(fd, &m, 1, 0, NULL)), 1);
	assert_int_equal(ntohs(a.sin_port), own);
	interrupter_stop(&i);
	close(sender.fd);
	close(fd);
}

/* With a timeout on the socket, nothing is restarted (signal(7)). */
static void receive_with_timeout(void **state)
{
	int fd = contract_udp("127.0.0.1", contract_port());
	struct timeval minute = { .tv_sec = 60 }, moment = { .tv_usec = 20000 };
	struct sockaddr_in a;
	socklen_t length = sizeof(a);
	char text[8];
	struct interrupter i;

	(void)state;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &minute, sizeof(minute)), 0);
	interrupter_start(&i, SA_RESTART, NULL, NULL);
	FAILS(EINTR, recvfrom(fd, text, sizeof(text), 0, &a, &length));
	interrupter_stop(&i);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &moment, sizeof(moment)), 0);
	FAILS(EAGAIN, recvfrom(fd, text, sizeof(text), 0, &a, &length));
	close(fd);
	fd = contract_listener("127.0.0.1", contract_port());
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &moment, sizeof(moment)), 0);
	FAILS(EAGAIN, accept(fd, &a, &length));
	close(fd);
}

/* ---- accepting ---- */

struct comer {
	struct sockaddr_in to;
	int own, fd;
};

static void come(void *context)
{
	struct comer *c = context;
	struct sockaddr_in from = contract_in("127.0.0.1", c->own);

	c->fd = contract_socket(AF_INET, SOCK_STREAM);
	contract_option(c->fd, SOL_SOCKET, SO_REUSEADDR, 1);
	assert_int_equal(bind(c->fd, &from, sizeof(from)), 0);
	assert_int_equal(connect(c->fd, &c->to, sizeof(c->to)), 0);
}

static void accept_restarts(void **state)
{
	int port = contract_port(), fd = contract_listener("127.0.0.1", port), accepted;
	struct comer comer = { .to = contract_in("127.0.0.1", port), .own = contract_port() };
	struct sockaddr_in a;
	socklen_t length = sizeof(a);
	struct interrupter i;

	(void)state;
	interrupter_start(&i, 0, NULL, NULL);
	FAILS(EINTR, accept(fd, &a, &length));
	FAILS(EINTR, accept4(fd, &a, &length, SOCK_CLOEXEC));
	assert_int_equal(length, sizeof(a));
	interrupter_stop(&i);
	interrupter_start(&i, SA_RESTART, come, &comer);
	accepted = (int)OK(accept(fd, &a, &length));
	interrupter_stop(&i);
	assert_int_equal(ntohs(a.sin_port), comer.own);
	close(accepted);
	close(comer.fd);
	comer.own = contract_port();
	interrupter_start(&i, SA_RESTART, come, &comer);
	accepted = (int)OK(accept4(fd, &a, &length, SOCK_CLOEXEC));
	interrupter_stop(&i);
	assert_int_equal(ntohs(a.sin_port), comer.own);
	close(accepted);
	close(comer.fd);
	close(fd);
}

/* ---- connecting: to a server whose queue is full ---- */

struct full {
	int server, first;
	struct sockaddr_in to;
};

static struct full full_open(void)
{
	struct full f = { .to = contract_in("127.0.0.1", contract_port()) };

	f.server = contract_socket(AF_INET, SOCK_STREAM);
	assert_int_equal(bind(f.server, &f.to, sizeof(f.to)), 0);
	assert_int_equal(listen(f.server, 0), 0);
	f.first = contract_client("127.0.0.1", ntohs(f.to.sin_port));
	contract_wait(f.server, POLLIN);
	return f;
}

static void full_close(const struct full *f)
{
	close(f->first);
	close(f->server);
}

static void let_in(void *context)
{
	const struct full *f = context;

	close(accept4(f->server, NULL, NULL, SOCK_CLOEXEC));
}

static void connect_waits(void **state)
{
	struct full f = full_open();
	int fd = contract_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK), error = -1;
	struct timeval moment = { .tv_usec = 20000 };
	socklen_t length = sizeof(error);
	struct interrupter i;

	(void)state;
	/* the second call while the first one goes on */
	FAILS(EINPROGRESS, connect(fd, &f.to, sizeof(f.to)));
	FAILS(EALREADY, connect(fd, &f.to, sizeof(f.to)));
	FAILS(ENOTCONN, getpeername(fd, (struct sockaddr *)&(struct sockaddr_in){ 0 }, &(socklen_t){ 16 }));
	FAILS(EAGAIN, sendto(fd, "x", 1, MSG_NOSIGNAL, (struct sockaddr *)NULL, 0));
	close(fd);
	/* a time limit */
	fd = contract_socket(AF_INET, SOCK_STREAM);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &moment, sizeof(moment)), 0);
	FAILS(EINPROGRESS, connect(fd, &f.to, sizeof(f.to)));
	FAILS(EALREADY, connect(fd, &f.to, sizeof(f.to)));
	close(fd);
	/* interrupted, it goes on by itself */
	fd = contract_socket(AF_INET, SOCK_STREAM);
	interrupter_start(&i, 0, NULL, NULL);
	FAILS(EINTR, connect(fd, &f.to, sizeof(f.to)));
	FAILS(EINTR, connect(fd, &f.to, sizeof(f.to)));
	interrupter_stop(&i);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length), 0);
	assert_int_equal(error, 0);
	/* restarted, it ends when the server has room (after a second, when the next SYN is sent) */
	interrupter_start(&i, SA_RESTART, let_in, &f);
	OK(connect(fd, &f.to, sizeof(f.to)));
	interrupter_stop(&i);
	assert_int_equal(contract_peer(fd), ntohs(f.to.sin_port));
	FAILS(EISCONN, connect(fd, &f.to, sizeof(f.to)));
	close(fd);
	full_close(&f);
}

/* ---- sending: TCP into a full buffer, with an address that is not looked at ---- */

/* A buffer that was full has room again when the kernel gets around to an acknowledgement. Then the call had not to
 * wait, and is made again. */
#define FULL(error, call)                                                                         \
	do {                                                                                      \
		long result_;                                                                     \
		int room_ = 0;                                                                    \
		do {                                                                              \
			errno = CONTRACT_ERRNO;                                                   \
			result_ = (long)(call);                                                   \
		} while (result_ > 0 && ++room_ < 1000);                                          \
		contract_result(result_, errno, error, #call, __func__, __FILE__, __LINE__);      \
	} while (0)

static void send_waits(void **state)
{
	int port = contract_port(), server = contract_listener("127.0.0.1", port), fd = contract_client("127.0.0.1", port);
	struct sockaddr_in to = contract_in("127.0.0.1", contract_closed());
	static char lump[65536];
	struct iovec data = { lump, sizeof(lump) };
	struct mmsghdr m = { .msg_hdr = {
				     .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &data, .msg_iovlen = 1 } };
	struct interrupter i;

	(void)state;
	/* of a size that stays: buffers grow by themselves otherwise */
	contract_option(fd, SOL_SOCKET, SO_SNDBUF, sizeof(lump));
	FULL(EAGAIN, sendto(fd, lump, sizeof(lump), MSG_DONTWAIT, &to, sizeof(to)));
	FULL(EAGAIN, sendmsg(fd, &m.msg_hdr, MSG_DONTWAIT));
	FULL(EAGAIN, sendmmsg(fd, &m, 1, MSG_DONTWAIT));
	interrupter_start(&i, 0, NULL, NULL);
	FULL(EINTR, sendto(fd, lump, sizeof(lump), 0, &to, sizeof(to)));
	FULL(EINTR, sendmsg(fd, &m.msg_hdr, 0));
	FULL(EINTR, sendmmsg(fd, &m, 1, 0));
	interrupter_stop(&i);
	close(fd);
	close(server);
}

/* ---- what does not wait is not interrupted, however many signals there are ---- */

static void never_interrupted(void **state)
{
	int port = contract_port(), own = contract_port();
	struct sockaddr_in to = contract_in("127.0.0.1", port), from = contract_in("127.0.0.1", own), a;
	struct linger reset = { .l_onoff = 1 };
	struct interrupter i;
	socklen_t length;

	(void)state;
	interrupter_start(&i, 0, NULL, NULL);
	for (int round = 0; round < 50 || signals < 10; round++) {
		int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), udp, client, accepted;

		contract_option(server, SOL_SOCKET, SO_REUSEADDR, 1);
		assert_int_equal(bind(server, &to, sizeof(to)), 0);
		assert_int_equal(listen(server, 8), 0);
		udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		assert_int_equal(bind(udp, &from, sizeof(from)), 0);
		client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		assert_int_equal(setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
		assert_int_equal(connect(client, &to, sizeof(to)), -1);
		assert_int_equal(errno, EINPROGRESS);
		while (poll(&(struct pollfd){ .fd = server, .events = POLLIN }, 1, 60000) < 0)
			assert_int_equal(errno, EINTR);
		length = sizeof(a);
		accepted = accept4(server, (struct sockaddr *)&a, &length, SOCK_CLOEXEC);
		assert_true(accepted >= 0);
		length = sizeof(a);
		assert_int_equal(getpeername(client, (struct sockaddr *)&a, &length), 0);
		assert_int_equal(ntohs(a.sin_port), port);
		assert_int_equal(sendto(udp, "x", 1, 0, &from, sizeof(from)), 1);
		length = sizeof(a);
		assert_int_equal(recvfrom(udp, &(char){ 0 }, 1, MSG_DONTWAIT, (struct sockaddr *)&a, &length), 1);
		assert_int_equal(ntohs(a.sin_port), own);
		close(accepted);
		close(client);
		close(udp);
		close(server);
	}
	interrupter_stop(&i);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest signals_contract[] = {
		cmocka_unit_test(receive),	 cmocka_unit_test(receive_with_timeout),
		cmocka_unit_test(accept_restarts), cmocka_unit_test(connect_waits),
		cmocka_unit_test(send_waits),	 cmocka_unit_test(never_interrupted),
	};

	(void)argc;
	return contract_main(signals_contract);
}
