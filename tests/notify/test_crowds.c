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

static void *one_in_the_flood(void *argument)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), result;

	(void)argument;
	if (flood_most < PS_SLOTS)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){1}, sizeof(int));
	result = bind_to(fd, held);
	if (result == 0)
		flood_bound++;
	else if (result == -EADDRINUSE)
		flood_refused++;
	return NULL;
}

static unsigned slots_in_use(void)
{
	struct ps_journal *journal = play_journal;
	unsigned count = 0;

	for (unsigned i = 0; i < PS_SLOTS; i++)
		count += journal->slot[i].stage != PS_STAGE_FREE;
	return count;
}

static void flood_part(void)
{
	struct ps_lock *lock = &play_space.run->lock;
	struct ps_lock_guard guard;
	pthread_attr_t small;
	pthread_t *thread = calloc(FLOOD, sizeof(*thread));

	close(holder);
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 64 << 10);
	if (!lock_enter(lock, &guard))
		_exit(9);
	for (unsigned i = 0; i < FLOOD; i++)
		if (pthread_create(&thread[i], &small, one_in_the_flood, NULL) != 0)
			_exit(10);
	/* Or, where the machine is slow, until the first one has waited for the lock for two seconds. */
	while (slots_in_use() < flood_most && !flood_refused)
		poll(NULL, 0, 1);
	play_say("%u slots,", slots_in_use());
	lock_leave(lock, &guard);
	for (unsigned i = 0; i < FLOOD; i++)
		pthread_join(thread[i], NULL);
	play_say(" %u bound, %u refused\n", flood_bound, flood_refused);
}

static void need_descriptors(void)
{
	struct rlimit files = {0, 0};

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	if (files.rlim_max < 5 * PS_SLOTS || setrlimit(RLIMIT_NOFILE, &files) < 0)
		skip();
}

static void flood(void **state)
{
	unsigned slots = 0, bound = 0, refused = 0;
	char said[PLAY_SAID];

	(void)state;
	need_descriptors();
	perform(flood_part, said);
	if (sscanf(said, "%u slots, %u bound, %u refused", &slots, &bound, &refused) != 3 || bound > 1 ||
	    bound + refused != FLOOD)
		fail_msg("%s", said);
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
		cmocka_unit_test(flood_and_few_descriptors),
		cmocka_unit_test(crowd),
	};

	return cmocka_run_group_tests(tests, setup, play_teardown);
}
