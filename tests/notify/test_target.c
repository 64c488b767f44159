/* Whose call it is: the run that a process belongs to, and numbers that come to mean another process or program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "play.h"

#include "../core/child.h"

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

#define RUNS 40

static char runs[RUNS][sizeof(another_run)];

/* How many of them somebody has mapped. */
static unsigned count_mapped(pid_t pid)
{
	char path[32], line[PS_RUNTIME_MAX + 256];
	unsigned count = 0;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "r");
	while (maps && fgets(line, sizeof(line), maps))
		count += strstr(line, "/run-") && !strstr(line, play_path);
	if (maps)
		fclose(maps);
	return count;
}

static void many_runs_part(void)
{
	unsigned mapped;

	close(holder);
	for (unsigned i = 0; i < RUNS; i++)
		say_bound("", (char *[]){runs[i], NULL});
	mapped = count_mapped(getppid());
	play->said[0] = '\0';
	play_say("%s", mapped > 0 && mapped < RUNS * 3 / 4 ? "some" : "all");
}

/* Runs whose end nobody tells, as those of `portshim exec`, do not stay mapped for ever. With few descriptors, dead
 * processes are soon forgotten. */
static void many_runs(void **state)
{
	static struct ps_space space;
	char said[PLAY_SAID];

	(void)state;
	for (unsigned i = 0; i < RUNS; i++) {
		strcpy(runs[i], "PORTSHIM_RUN=");
		play_make_run(&space, "name:another", runs[i] + strlen(runs[i]));
		space_close(&space);
	}
	play_files = PS_NOTIFY_FILES;
	assert_int_equal(play_perform(many_runs_part, said), 0);
	play_files = 0;
	assert_string_equal(said, "some");
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
	while (!play_begun(pid))
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

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

/* Linux before 6.9 has no pidfds of threads: what is said above must be so there as well. */
static void no_thread_pidfds(void)
{
	child_fail(SYS_pidfd_open, 1, PIDFD_THREAD, EINVAL);
}

static int set_older_kernel(void **state)
{
	(void)state;
	play_shortage = no_thread_pidfds;
	return 0;
}

static int set_this_kernel(void **state)
{
	(void)state;
	play_shortage = NULL;
	return 0;
}

/* ---- runs inside the run ---- */

static struct ps_space inner; /* a run that may be over before the program is */

/* How often the server has it in memory. */
static unsigned mappings(pid_t pid)
{
	char path[32], line[512];
	unsigned count = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		count += strstr(line, strchr(another_run, '/')) != NULL;
	if (file)
		fclose(file);
	return count;
}

/* More than the server remembers. */
static void be_many(void)
{
	for (unsigned i = 0; i < PS_NOTIFY_FILES / 6; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			bind_to(held);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
}

static void inner_part(void)
{
	pid_t server = getppid();
	unsigned before = mappings(server);

	close(holder);
	say_bound("inner", (char *[]){another_run, NULL});
	play_say("more by %u\n", mappings(server) - before);
	say_bound("again", (char *[]){another_run, NULL});
	play_say("more by %u\n", mappings(server) - before);
	atomic_fetch_or(&inner.run->flags, PS_SCOPE_RETIRED);
	unlink(strchr(another_run, '/'));
	say_bound("when it is over", (char *[]){another_run, NULL});
	play_say("while there may be somebody, more by %u\n", mappings(server) - before);
	be_many();
	play_say("more by %u\n", mappings(server) - before);
}

/* A run inside the run is in the server's memory once, and no longer than it is needed. */
static void inner_runs(void **state)
{
	char said[PLAY_SAID];

	(void)state;
	strcpy(another_run, "PORTSHIM_RUN=");
	play_make_run(&inner, "name:inner", another_run + strlen(another_run));
	play_files = PS_NOTIFY_FILES;
	assert_int_equal(play_perform(inner_part, said), 0);
	play_files = 0;
	space_close(&inner);
	assert_string_equal(said, "inner: 0\nmore by 1\nagain: 0\nmore by 1\nwhen it is over: 98\n"
				  "while there may be somebody, more by 1\nmore by 0\n");
}

/* ---- a thread's end that is not its process's ---- */

/* A new program: until it has the number, which the old one's thread had. */
static int bind_at_last(uint16_t port)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	for (int tries = 0; tries < PLAY_PATIENCE_MS / 4; tries++) {
		if (bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
			return 0;
		poll(NULL, 0, 1);
	}
	return errno;
}

static struct {
	int fd;
	bool by_first; /* thread: then the other one waits */
	char port[8];
	_Atomic pid_t waiter;
} execution;

static void *wait_for_ever(void *argument)
{
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	char c;

	execution.waiter = (pid_t)syscall(SYS_gettid);
	recvfrom(execution.fd, &c, 1, 0, (struct sockaddr *)&from, &length);
	return argument;
}

static void *execute(void *argument)
{
	static char program[] = "test_target", what[] = "last", *argv[] = {program, what, execution.port, NULL};

	while (!execution.waiter || !play_begun(execution.waiter))
		sched_yield();
	execv("/proc/self/exe", argv);
	_exit(*(int *)argument);
}

static void be_executed(void)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(held), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	pthread_t thread;
	int failed = 11;

	sendto(execution.fd, "", 1, 0, (struct sockaddr *)&to, sizeof(to));
	snprintf(execution.port, sizeof(execution.port), "%u", ntohs(name_of(execution.fd).sin_port));
	if (pthread_create(&thread, NULL, execution.by_first ? wait_for_ever : execute, &failed) != 0)
		_exit(9);
	if (execution.by_first)
		execute(&failed);
	wait_for_ever(NULL);
	_exit(10);
}

static void executing_part(void)
{
	close(holder);
	bind_to(held); /* for the number to be moved */
	for (int i = 0; i < 2; i++) {
		int status = -1;
		pid_t pid;

		execution.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		execution.by_first = i;
		pid = fork();
		if (pid == 0)
			be_executed();
		close(execution.fd);
		waitpid(pid, &status, 0);
		play_say("%d ", WEXITSTATUS(status));
	}
}

/* The thread whose call is held ends because another one of its process executes a program: the first thread's number
 * is the other one's then. */
static void executed_while_it_waits(void **state)
{
	char said[PLAY_SAID];

	(void)state;
	assert_int_equal(play_perform(executing_part, said), 0);
	assert_string_equal(said, "0 0 ");
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
		cmocka_unit_test(many_runs),
		cmocka_unit_test(number_of_another),
		cmocka_unit_test(another_network),
		cmocka_unit_test(killed_while_it_waits),
		cmocka_unit_test_setup_teardown(number_of_another, set_older_kernel, set_this_kernel),
		cmocka_unit_test_setup_teardown(killed_while_it_waits, set_older_kernel, set_this_kernel),
		cmocka_unit_test(executed_while_it_waits),
		cmocka_unit_test_setup_teardown(executed_while_it_waits, set_older_kernel, set_this_kernel),
		cmocka_unit_test(inner_runs),
	};

	if (argc == 3 && strcmp(argv[1], "last") == 0)
		return bind_at_last((uint16_t)atoi(argv[2]));
	if (argc == 3) /* become_another */
		return bind_to((uint16_t)atoi(argv[2]));
	return cmocka_run_group_tests(tests, setup, play_teardown);
}
