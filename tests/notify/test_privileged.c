/* Privileged ports, and marks of messages, had for a program by a server that has the privilege: the program gets what
 * its own capabilities are worth, as natively. In a network namespace of its own, whose limit (ip_unprivileged_port_start) it sets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "play.h"

#include <grp.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define PRIVILEGED 1003
#define LOWERED 900
#define RAISED 5000
#define LIMIT_FILE "/proc/sys/net/ipv4/ip_unprivileged_port_start"

static bool own_network, own_user;

static long set_effective(unsigned capability, bool on)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		return -1;
	data[0].effective = on ? data[0].effective | 1u << capability : data[0].effective & ~(1u << capability);
	return syscall(SYS_capset, &header, data);
}

static bool set_limit(int port)
{
	int fd = open(LIMIT_FILE, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && dprintf(fd, "%d\n", port) > 0;

	close(fd);
	return done;
}

static int bound(int family, int type, uint16_t port)
{
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int fd = socket(family, type | SOCK_CLOEXEC, 0), result;
	struct sockaddr_in6 name = {0};
	socklen_t length = sizeof(name);

	result = family == AF_INET ? bind(fd, (struct sockaddr *)&four, sizeof(four))
				   : bind(fd, (struct sockaddr *)&six, sizeof(six));
	if (result < 0)
		result = -errno;
	else if (getsockname(fd, (struct sockaddr *)&name, &length) < 0 || ntohs(name.sin6_port) != port)
		result = -1000;
	close(fd);
	return result;
}

/* Whoever it is then, it has the ports of all kinds, or none. */
static void try(const char *who)
{
	static const uint16_t port[] = {LOWERED - 1, LOWERED, PRIVILEGED, 1024, RAISED - 1, RAISED};

	play_say("%s:", who);
	for (unsigned i = 0; i < sizeof(port) / sizeof(port[0]); i++) {
		play_say(" %u %d", port[i], bound(AF_INET, SOCK_STREAM, port[i]));
		play_say("/%d", bound(AF_INET, SOCK_DGRAM, port[i]));
		play_say("/%d", bound(AF_INET6, SOCK_STREAM, port[i]));
	}
	play_say("\n");
}

static void in_child(void (*part)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		part();
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void without(void)
{
	if (set_effective(CAP_NET_BIND_SERVICE, false) == 0)
		try("without");
}

/* /proc/PID/status lists them before its capabilities. */
static void in_many_groups(void)
{
	static gid_t groups[1000];

	for (unsigned i = 0; i < 1000; i++)
		groups[i] = 4000000000u + i;
	if (setgroups(1000, groups) == 0)
		try("in many groups");
}

static void elsewhere(void)
{
	if (unshare(CLONE_NEWUSER) == 0)
		try("in another user namespace");
}

static void story(void)
{
	try("with");
	in_child(without);
	in_child(in_many_groups);
	if (own_user)
		in_child(elsewhere);
}

static void natively(void (*part)(void), char said[PLAY_SAID])
{
	play = mmap(NULL, sizeof(*play), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (play == MAP_FAILED)
		play_die("mmap");
	in_child(part);
	memcpy(said, play->said, PLAY_SAID);
	munmap(play, sizeof(*play));
}

/* The same, and what it is. The numbers are the run's own when those without the privilege come: so it is the kernel's
 * verdict that counts. */
static void compare(int limit, const char *with, const char *without_it)
{
	char native[PLAY_SAID], ours[PLAY_SAID], wanted[PLAY_SAID];

	if (!own_network)
		skip();
	assert_true(set_limit(limit));
	natively(story, native);
	assert_int_equal(play_perform(story, ours), 0);
	assert_string_equal(ours, native);
	snprintf(wanted, sizeof(wanted), "with: %s\nwithout: %s\nin many groups: %s\n", with, without_it, with);
	if (own_user)
		snprintf(wanted + strlen(wanted), sizeof(wanted) - strlen(wanted), "in another user namespace: %s\n",
			 without_it);
	assert_string_equal(ours, wanted);
}

#define ALL "899 0/0/0 900 0/0/0 1003 0/0/0 1024 0/0/0 4999 0/0/0 5000 0/0/0"

static void usual_limit(void **state)
{
	(void)state;
	compare(1024, ALL, "899 -13/-13/-13 900 -13/-13/-13 1003 -13/-13/-13 1024 0/0/0 4999 0/0/0 5000 0/0/0");
}

static void lowered_limit(void **state)
{
	(void)state;
	compare(LOWERED, ALL, "899 -13/-13/-13 900 0/0/0 1003 0/0/0 1024 0/0/0 4999 0/0/0 5000 0/0/0");
}

static void raised_limit(void **state)
{
	(void)state;
	compare(RAISED, ALL, "899 -13/-13/-13 900 -13/-13/-13 1003 -13/-13/-13 1024 -13/-13/-13 4999 -13/-13/-13 5000 0/0/0");
}

/* Where the kernel has it (proc_net(5): udp lists what is bound). */
static unsigned actual_of(int fd)
{
	unsigned port, found = 0;
	unsigned long inode;
	struct stat status;
	char text[512];
	FILE *file = fopen("/proc/thread-self/net/udp", "r");

	fstat(fd, &status);
	while (file && fgets(text, sizeof(text), file))
		if (sscanf(text, " %*s %*8s:%x %*s %*s %*s %*s %*s %*s %*s %lu", &port, &inode) == 2 &&
		    inode == status.st_ino)
			found = port;
	if (file)
		fclose(file);
	return found;
}

static void say_where(const char *who, uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), result;
	unsigned actual;

	result = bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
	actual = actual_of(fd);
	play_say("%s: %d, %s\n", who, result, actual == port ? "there" : actual >= 1024 ? "elsewhere" : "nowhere");
	close(fd);
}

static void first_part(void)
{
	if (set_effective(CAP_NET_BIND_SERVICE, false) == 0)
		say_where("without", PRIVILEGED);
	if (set_effective(CAP_NET_BIND_SERVICE, true) == 0)
		say_where("with", LOWERED);
}

/* A number that is nobody's moves for one who may not have it (law 3): to an ordinary port, and the server's privilege
 * is not lent. */
static void first_bind(void **state)
{
	char native[PLAY_SAID], ours[PLAY_SAID];

	(void)state;
	if (!own_network)
		skip();
	assert_true(set_limit(1024));
	natively(first_part, native);
	assert_string_equal(native, "without: -13, nowhere\nwith: 0, there\n");
	assert_int_equal(play_perform(first_part, ours), 0);
	assert_string_equal(ours, "without: 0, elsewhere\nwith: 0, there\n");
}

/* ---- marks ---- */

static uint16_t taken;
static int taker;

static void raise_loopback(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		play_die("lo");
	close(fd);
}

/* What sendmsg says of a message that is to have a mark (SO_MARK, socket(7)). */
static void say_marked(const char *who)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(taken), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SO_MARK}};
	char byte = 0;
	struct iovec data = {&byte, 1};
	struct msghdr message = {.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &data, .msg_iovlen = 1,
				 .msg_control = &control, .msg_controllen = sizeof(control)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	play_say("%s: %d\n", who, sendmsg(fd, &message, 0) == 1 ? 0 : errno);
	close(fd);
}

static void marked_without(void)
{
	if (set_effective(CAP_NET_ADMIN, false) == 0 && set_effective(CAP_NET_RAW, false) == 0)
		say_marked("without");
}

static void marked_elsewhere(void)
{
	if (unshare(CLONE_NEWUSER) == 0)
		say_marked("in another user namespace");
}

static void marked_part(void)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_port = htons(taken), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	close(taker);
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		play_say("bind: %d\n", errno);
	say_marked("with");
	in_child(marked_without);
	if (own_user)
		in_child(marked_elsewhere);
	say_marked("with");
}

static void marks(void **state)
{
	char native[PLAY_SAID], ours[PLAY_SAID];

	(void)state;
	if (!own_network)
		skip();
	raise_loopback();
	taker = play_holder(&taken);
	natively(marked_part, native);
	assert_int_equal(play_perform(marked_part, ours), 0);
	close(taker);
	assert_string_equal(ours, native);
	assert_non_null(strstr(ours, "with: 0\nwithout: 1\n"));
}

/* A raw socket of TCP or UDP has no port, and nothing is recorded for it (raw(7)). */
static void raw_part(void)
{
	static const int protocol[] = {IPPROTO_TCP, IPPROTO_UDP};
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_port = htons(RAISED), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	for (unsigned i = 0; i < 2; i++) {
		int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, protocol[i]);

		play_say("%d ", bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? errno : 0);
		play_say("%u\n", registry_own(&play_space, RAISED));
		close(fd);
	}
}

static void raw(void **state)
{
	char said[PLAY_SAID];

	(void)state;
	if (!own_network)
		skip();
	assert_int_equal(play_perform(raw_part, said), 0);
	assert_string_equal(said, "0 0\n0 0\n");
}

static void find_out(void)
{
	_exit(unshare(CLONE_NEWUSER) < 0);
}

static int setup(void **state)
{
	int status;
	pid_t pid;

	own_network = unshare(CLONE_NEWNET) == 0 && set_effective(CAP_NET_BIND_SERVICE, true) == 0;
	if (!own_network)
		print_message("no network namespace of one's own, or not the capability\n");
	pid = fork();
	if (pid == 0)
		find_out();
	own_user = waitpid(pid, &status, 0) == pid && status == 0;
	return play_setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usual_limit),
		cmocka_unit_test(lowered_limit),
		cmocka_unit_test(raised_limit),
		cmocka_unit_test(first_bind),
		cmocka_unit_test(marks),
		cmocka_unit_test(raw),
	};

	return cmocka_run_group_tests(tests, setup, play_teardown);
}
