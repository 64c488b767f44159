/* Whose call it is: the run that a process belongs to, and numbers that come to mean another process or program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "play.h"

#include "core/sys.h"
#include "notify/served.h"

#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>

static uint16_t held; /* somebody else's */
static int holder;

static int bind_to(uint16_t port)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int error = bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? errno : 0;

	close(fd);
	return error;
}

/* This program, executed again, binds the number: its status is the errno of that. */
static void become_another(char *const environment[])
{
	static char program[] = "test_target", what[] = "bind";
	char port[8], *argv[] = {program, what, port, NULL};

	snprintf(port, sizeof(port), "%u", held);
	close(STDERR_FILENO); /* the loader finds no such library */
	execve("/proc/self/exe", argv, environment);
	_exit(127);
}

/* The process has made such a call before, in another environment. */
static void say_bound(const char *who, char *const environment[])
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		bind_to(held);
		become_another(environment);
	}
	waitpid(pid, &status, 0);
	play_say("%s: %d\n", who, WEXITSTATUS(status));
}

static char another_run[PS_RUNTIME_MAX + 32] = "PORTSHIM_RUN=";

static void environments_part(void)
{
	static char long_one[100000], own[PS_RUNTIME_MAX + 32], by_hand[] = "LD_PRELOAD=/lib/libportshim.so",
		    off[] = "PORTSHIM=off", nowhere[] = "PORTSHIM_RUN=/nowhere/run-00000001";

	close(holder); /* inherited: a program that has it itself is refused as natively (law 3) */
	memset(long_one, 'x', sizeof(long_one) - 1);
	snprintf(own, sizeof(own), "PORTSHIM_RUN=%s", play_path);
	say_bound("none", (char *[]){NULL});
	say_bound("its own", (char *[]){own, NULL});
	say_bound("off", (char *[]){own, off, NULL});
	say_bound("off, far behind", (char *[]){long_one, own, off, NULL});
	say_bound("by hand", (char *[]){by_hand, NULL});
	say_bound("not by hand", (char *[]){by_hand, own, NULL});
	say_bound("one that is not there", (char *[]){nowhere, NULL});
	say_bound("another", (char *[]){another_run, NULL});
}

static void whose_run_it_is(void **state)
{
	struct ps_space another;
	char said[PLAY_SAID];

	(void)state;
	play_make_run(&another, "name:another", another_run + strlen(another_run));
	assert_int_equal(registry_own(&another, held), 0);
	assert_int_equal(play_perform(environments_part, said), 0);
	assert_string_equal(said, "none: 0\nits own: 0\noff: 98\noff, far behind: 98\nby hand: 98\nnot by hand: 0\n"
				  "one that is not there: 98\nanother: 0\n");
	assert_int_not_equal(registry_own(&another, held), 0);
	space_close(&another);
}

static pid_t number; /* of a thread that was */

static void *notes_its_number(void *argument)
{
	bind_to(held);
	number = (pid_t)syscall(SYS_gettid);
	return argument;
}

/* A thread's number becomes a process's, while the thread's process lives on. */
static void number_part(void)
{
	static char nothing[] = "A=", *environment[] = {nothing, NULL};
	struct clone_args how = {.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&number, .set_tid_size = 1};
	pthread_t thread;
	int status = -1;
	long pid;

	close(holder);
	if (pthread_create(&thread, NULL, notes_its_number, NULL) != 0)
		_exit(9);
	pthread_join(thread, NULL);
	do /* until the kernel has let go of it */
		pid = syscall(SYS_clone3, &how, sizeof(how));
	while (pid < 0 && errno == EEXIST);
	if (pid == 0)
		become_another(environment);
	if (pid < 0)
		play_say("%s", strerror(errno));
	else if (waitpid((pid_t)pid, &status, 0) == number)
		play_say("%d", WEXITSTATUS(status));
}

static void number_of_another(void **state)
{
	char said[PLAY_SAID];

	(void)state;
	assert_int_equal(play_perform(number_part, said), 0);
	if (strcmp(said, "Operation not permitted") == 0)
		skip(); /* CAP_CHECKPOINT_RESTORE */
	assert_string_equal(said, "0");
}

/* The pass brings the call to the kernel (scope.h): what it says. */
static struct sockaddr_in name_of(int fd)
{
	struct sockaddr_in a = {0};
	socklen_t length = sizeof(a);

	sys_marked3(play_space.run->pass, SYS_getsockname, fd, &a, &length);
	return a;
}

/* In a network of its own, the program is on another host. */
static void network_part(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(held)};
	int fd;

	close(holder);
	play_say("%d, ", bind_to(held)); /* moved, for good */
	if (unshare(CLONE_NEWNET) < 0) {
		play_say("%s", strerror(errno));
		return;
	}
	fd = socket(AF_INET, SOCK_STREAM, 0);
	play_say("%d", bind(fd, (struct sockaddr *)&a, sizeof(a)));
	play_say(" %s", ntohs(name_of(fd).sin_port) == held ? "as it asks" : "moved");
}

static void another_network(void **state)
{
	char said[PLAY_SAID];

	(void)state;
	assert_int_equal(play_perform(network_part, said), 0);
	if (strcmp(said, "0, Operation not permitted") == 0)
		skip();
	assert_string_equal(said, "0, 0 as it asks");
}

/* Killed while its call is held: what it had is free when its parent knows of it. */
static void killed_part(void)
{
	struct sockaddr_in server = {
		.sin_family = AF_INET, .sin_port = htons(held), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	int fd, again;
	char c;
	pid_t pid;

	close(holder);
	bind_to(held); /* for the number to be moved */
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	play_say("%zd,", sendto(fd, "", 1, 0, (struct sockaddr *)&server, sizeof(server)));
	server = name_of(fd);
	pid = fork();
	if (pid == 0)
		_exit(recvfrom(fd, &c, 1, 0, (struct sockaddr *)&from, &length) < 0);
	close(fd);
	while (((struct ps_journal *)play_journal)->slot[0].stage == PS_STAGE_FREE ||
	       ((struct ps_journal *)play_journal)->slot[0].u.notif.pid != (unsigned)pid ||
	       ((struct ps_journal *)play_journal)->slot[0].stage != PS_STAGE_BEGUN)
		sched_yield();
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	again = socket(AF_INET, SOCK_DGRAM, 0);
	play_say(" %d", bind(again, (struct sockaddr *)&server, sizeof(server)));
	play_say(" %s", name_of(again).sin_port == server.sin_port ? "the same" : "another");
}

static void killed_while_it_waits(void **state)
{
	char said[PLAY_SAID];

	(void)state;
	assert_int_equal(play_perform(killed_part, said), 0);
	assert_string_equal(said, "1, 0 the same");
}

static int setup(void **state)
{
	if (play_setup(state) < 0)
		return -1;
	holder = play_holder(&held);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whose_run_it_is),
		cmocka_unit_test(number_of_another),
		cmocka_unit_test(another_network),
		cmocka_unit_test(killed_while_it_waits),
	};

	if (argc == 3) /* become_another */
		return bind_to((uint16_t)atoi(argv[2]));
	return cmocka_run_group_tests(tests, setup, play_teardown);
}
