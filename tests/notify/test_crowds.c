/* More at once than a server has room for: calls, threads, descriptors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "play.h"

#include "notify/served.h"

#include <pthread.h>
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

static void end_run(void)
{
	space_close(&play_space);
	play_make_run(&play_space, "name:play", play_path);
}

/* What the program said to a server that lived. */
static void perform(void (*part)(void), char said[PLAY_SAID])
{
	int listener, status;
	pid_t server = play_start(part, false, &listener);

	kill(server, SIGCONT);
	assert_int_equal(waitpid(server, &status, 0), server);
	play_server = 0;
	memcpy(said, play->said, PLAY_SAID);
	play_end(listener);
	end_run();
	assert_int_equal(status, 0);
}

/* More calls at once than there are slots in the journal: the others wait in the kernel until one is free. */
#define FLOOD (PS_SLOTS + 60)

static _Atomic unsigned flood_bound, flood_refused;
static unsigned flood_most = PS_SLOTS; /* slots that may be in use */
static bool flood_taken_over;          /* the server is killed when so many are */

/* True if it was refused after so long that, on a loaded machine, the lock may have been waited for in vain. */
static bool refused_late(int fd, int *result)
{
	struct timespec before, after;

	clock_gettime(CLOCK_MONOTONIC, &before);
	*result = bind_to(fd, held);
	clock_gettime(CLOCK_MONOTONIC, &after);
	return *result == -EADDRINUSE && (after.tv_sec - before.tv_sec) * 1000 +
					 (after.tv_nsec - before.tv_nsec) / 1000000 >= PS_LOCK_PATIENCE_MS;
}

static void *one_in_the_flood(void *argument)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), result, tries = 0;
	bool together = flood_most < PS_SLOTS; /* they can have the number */

	(void)argument;
	if (together)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){1}, sizeof(int));
	while (refused_late(fd, &result) && together && tries++ < 20)
		;
	if (result == 0)
		flood_bound++;
	else if (result == -EADDRINUSE)
		flood_refused++;
	return NULL;
}

/* Whoever serves has nothing to do, and turns in no circle. */
static bool is_asleep(void)
{
	unsigned tries = 0, asleep = 0;
	char path[32], text[512];

	snprintf(path, sizeof(path), "/proc/%d/stat", getppid());
	for (; tries < 1000 && asleep < 20; tries++) {
		int fd = open(path, O_RDONLY);
		ssize_t n = read(fd, text, sizeof(text) - 1);
		const char *end;

		close(fd);
		text[n > 0 ? n : 0] = '\0';
		end = strrchr(text, ')');
		asleep = end && end[1] && end[2] == 'S' ? asleep + 1 : 0;
		poll(NULL, 0, 1);
	}
	return asleep == 20;
}

static void flood_part(void)
{
	struct ps_lock *lock = &play_space.run->lock;
	struct ps_lock_guard guard;
	pthread_attr_t small;
	pthread_t *thread = calloc(FLOOD, sizeof(*thread));
	unsigned slots;
	char c;

	close(holder);
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 64 << 10);
	if (!lock_enter(lock, &guard))
		_exit(9);
	for (unsigned i = 0; i < FLOOD; i++)
		if (pthread_create(&thread[i], &small, one_in_the_flood, NULL) != 0)
			_exit(10);
	/* Or, where the machine is slow, until the first one has waited for the lock for two seconds. */
	while ((slots = play_slots()) < flood_most && !flood_refused)
		poll(NULL, 0, 1);
	play_say("%u slots,", slots);
	if (flood_taken_over && (read(play->go[0], &c, 1) != 1 || read(play->go[0], &c, 1) != 1))
		_exit(11);
	if (!is_asleep())
		play_say(" circles,");
	lock_leave(lock, &guard);
	for (unsigned i = 0; i < FLOOD; i++)
		pthread_join(thread[i], NULL);
	play_say(" %u bound, %u refused\n", flood_bound, flood_refused);
	if (!is_asleep())
		play_say("circles\n");
}

static void need_descriptors(void)
{
	struct rlimit files = {0, 0};

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	if (files.rlim_max < 5 * PS_SLOTS || setrlimit(RLIMIT_NOFILE, &files) < 0)
		skip();
}

static void judge_flood(const char *said)
{
	unsigned slots = 0, bound = 0, refused = 0;

	if (sscanf(said, "%u slots, %u bound, %u refused", &slots, &bound, &refused) != 3 || bound > 1 ||
	    bound + refused != FLOOD || strstr(said, "circles"))
		fail_msg("%s", said);
}

static void flood(void **state)
{
	char said[PLAY_SAID];

	(void)state;
	need_descriptors();
	perform(flood_part, said);
	judge_flood(said);
}

/* Every one of the calls that the server had is answered by the next one. */
static void flood_taken_over_by_another(void **state)
{
	char said[PLAY_SAID];
	int listener;
	pid_t server;

	(void)state;
	need_descriptors();
	flood_taken_over = true;
	server = play_start(flood_part, false, &listener);
	flood_taken_over = false;
	kill(server, SIGCONT);
	while (!strstr(play->said, "slots"))
		poll(NULL, 0, 1);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	play_server = 0;
	assert_int_equal(notify_start(play_notify, listener, &play_space), 0);
	if (write(play->go[1], "to", 2) != 2)
		play_die("write");
	play_reap();
	assert_true(play_serve());
	signal(SIGCHLD, SIG_DFL);
	memcpy(said, play->said, PLAY_SAID);
	play_end(listener);
	end_run();
	assert_int_equal(play_left, 0);
	judge_flood(said);
}

/* A server that may have few descriptors has few calls at a time: all of them are moved. */
static void flood_and_few_descriptors(void **state)
{
	char said[PLAY_SAID], wanted[64];

	(void)state;
	need_descriptors();
	flood_most = (PS_NOTIFY_FILES - 16) / 4;
	play_files = PS_NOTIFY_FILES;
	perform(flood_part, said);
	play_files = 0;
	snprintf(wanted, sizeof(wanted), "%u slots, %d bound, 0 refused\n", flood_most, FLOOD);
	flood_most = PS_SLOTS;
	assert_string_equal(said, wanted);
}

/* More threads than a server remembers, and all of them over and over. */
#define CROWD 300

static pthread_barrier_t crowd_here;
static _Atomic unsigned crowd_failed;

static void *one_of_many(void *argument)
{
	for (int i = 0; i < 3; i++) {
		struct sockaddr_in a = {0};
		socklen_t length = sizeof(a);

		pthread_barrier_wait(&crowd_here);
		if (getsockname(*(int *)argument, (struct sockaddr *)&a, &length) < 0 || ntohs(a.sin_port) != held)
			crowd_failed++;
	}
	return NULL;
}

static void crowd_part(void)
{
	pthread_t thread[CROWD];
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	close(holder);
	play_say("bind: %d\n", bind_to(fd, held));
	pthread_barrier_init(&crowd_here, NULL, CROWD);
	for (unsigned i = 0; i < CROWD; i++)
		if (pthread_create(&thread[i], NULL, one_of_many, &fd) != 0)
			_exit(9);
	for (unsigned i = 0; i < CROWD; i++)
		pthread_join(thread[i], NULL);
	play_say("failed: %u\n", crowd_failed);
}

static void crowd(void **state)
{
	char said[PLAY_SAID];

	(void)state;
	perform(crowd_part, said);
	assert_string_equal(said, "bind: 0\nfailed: 0\n");
}

/* The same with processes, all of which live. */
static bool has_name(int fd)
{
	struct sockaddr_in a = {0};
	socklen_t length = sizeof(a);

	return getsockname(fd, (struct sockaddr *)&a, &length) == 0 && ntohs(a.sin_port) == held;
}

static void processes_part(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), here[2], on[2], status, failed = 0;
	bool good;
	char c;

	close(holder);
	play_say("bind: %d\n", bind_to(fd, held));
	if (pipe(here) < 0 || pipe(on) < 0)
		_exit(9);
	for (unsigned i = 0; i < CROWD; i++) {
		if (fork() != 0)
			continue;
		close(on[1]);
		good = has_name(fd) && write(here[1], "", 1) == 1 && read(on[0], &c, 1) == 0;
		_exit(!good || !has_name(fd));
	}
	close(here[1]);
	for (unsigned i = 0; i < CROWD; i++)
		failed += read(here[0], &c, 1) != 1;
	close(on[1]);
	while (wait(&status) > 0)
		failed += status != 0;
	play_say("failed: %d\n", failed);
}

static void crowd_of_processes(void **state)
{
	char said[PLAY_SAID];

	(void)state;
	perform(processes_part, said);
	assert_string_equal(said, "bind: 0\nfailed: 0\n");
}

/* ---- what might keep the server waiting ---- */

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
		cmocka_unit_test(flood),
		cmocka_unit_test(flood_taken_over_by_another),
		cmocka_unit_test(flood_and_few_descriptors),
		cmocka_unit_test(crowd),
		cmocka_unit_test(crowd_of_processes),
	};

	return cmocka_run_group_tests(tests, setup, play_teardown);
}
