/* free_end.c: no signal ever reaches another process than the one that was judged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "../../src/free/free_end.c"

static int32_t start_child(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		for (;;)
			pause();
	}
	return pid;
}

static int end_child(int32_t pid)
{
	int status;

	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WTERMSIG(status);
}

/* The pid is somebody else's now: younger, or older. */
static void test_reused(void **state)
{
	static const int numbers[] = { SIGTERM, SIGKILL };
	int32_t pid = start_child();
	struct ps_free_held held = { .port = 1 };
	struct ps_error error = { 0 };
	struct ending e = { .held = &held, .error = &error, .events = -1 };
	uint64_t identity = process_of(pid);

	(void)state;
	assert_true(identity != 0);
	for (unsigned i = 0; i < 4; i++) {
		struct ps_free_process p = { .about = { .pid = pid }, .pidfd = -1 };

		p.identity = i & 2 ? identity + (1ull << PS_PID_BITS) : identity - (1ull << PS_PID_BITS);
		assert_int_equal(send_signal(&e, &p, numbers[i & 1]), 0);
		assert_int_equal(p.sent, 0);
		close(p.pidfd);
	}
	assert_true(process_alive(identity));
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	end_child(pid);
}

static void test_sent(void **state)
{
	int32_t pid = start_child();
	struct ps_free_held held = { .port = 1 };
	struct ps_error error = { 0 };
	struct ending e = { .held = &held, .error = &error, .events = -1 };
	struct ps_free_process p = { .about = { .pid = pid }, .pidfd = -1, .identity = process_of(pid) };
	int status;

	(void)state;
	assert_int_equal(send_signal(&e, &p, SIGTERM), 0);
	assert_int_equal(p.sent, SIGTERM);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WTERMSIG(status), SIGTERM);
	/* The pidfd is that process's, not the next one's with its pid; and one that is gone is no error. */
	p.sent = 0;
	assert_int_equal(send_signal(&e, &p, SIGKILL), 0);
	assert_int_equal(p.sent, 0);
	close(p.pidfd);
	p.pidfd = -1;
	assert_int_equal(send_signal(&e, &p, SIGKILL), 0);
	assert_int_equal(error.code, 0);
}

/* How long it takes to be told of a listener that is closed while its process lives; -1: there are no events. */
static int64_t time_to_event(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct ps_free_held held = { .protocols = PS_TCP };
	struct ending e = { .held = &held, .events = open_events(), .deadline = -1 };
	int64_t begin;

	assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	held.port = ntohs(address.sin_port);
	close(fd);
	if (e.events < 0)
		return -1;
	e.deadline = now_ms() + 30000;
	begin = now_ms();
	assert_int_equal(sleep_until_event(&e), 0);
	close(e.events);
	return now_ms() - begin;
}

/* Without events it is looked at only now and then: that would be so each time, a machine that is slow is slow once. */
static void test_events(void **state)
{
	int64_t time = CARE_MS;

	(void)state;
	for (unsigned i = 0; i < 10 && time >= CARE_MS; i++)
		time = time_to_event();
	if (time < 0)
		skip();
	assert_true(time < CARE_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reused),
		cmocka_unit_test(test_sent),
		cmocka_unit_test(test_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
