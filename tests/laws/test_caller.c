/*
 * test_caller.c - what is decided for another process (caller.h): its sockets are met as duplicates, its calls are made
 * by whoever decides, and what is recorded is its own.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "laws.h"
#include "../core/child.h"

#include <portshim/call.h>

#include "../../src/core/sys.h"

/* A process that waits, with the descriptors that it was made with, and puts others in their place where it is told to. */
static struct {
	struct ps_caller caller;
	struct ps_direct direct;
	pid_t pid;
	int pidfd, line;
	unsigned borrowed, given_back;
	uint16_t taken; /* a port that is another's when the kernel has bound a socket to it */
	bool stubborn;  /* it keeps its sockets */
	enum ps_event_kind event;
	uint16_t port;
} other;

/* ---- its side ---- */

/* One descriptor with the number that it is to have; also the way back. */
static bool pass_fd(int line, int fd, int number)
{
	struct iovec data = {&number, sizeof(number)};
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
	struct msghdr m = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control.room)};

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	return sys3(SYS_sendmsg, line, &m, 0) == sizeof(number);
}

static void serve(int line)
{
	for (;;) {
		int number, fd;
		struct iovec data = {&number, sizeof(number)};
		union {
			struct cmsghdr header;
			char room[CMSG_SPACE(sizeof(int))];
		} control;
		struct msghdr m = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = &control,
				   .msg_controllen = sizeof(control.room)};

		if (sys3(SYS_recvmsg, line, &m, 0) != sizeof(number))
			_exit(0);
		memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
		number = dup3(fd, number, O_CLOEXEC);
		close(fd);
		if (write(line, &number, sizeof(number)) != sizeof(number))
			_exit(0);
	}
}

/* ---- the decider's side ---- */

static int other_bind(struct ps_caller *caller, int fd, const struct sockaddr *address, socklen_t length)
{
	int result = (int)sys3(SYS_bind, fd, address, length);

	assert_ptr_equal(caller, &other.caller);
	if (other.taken)
		registry_release(caller->space, other.taken);
	return result;
}

static int other_listen(struct ps_caller *caller, int fd, int backlog)
{
	assert_ptr_equal(caller, &other.caller);
	return (int)sys2(SYS_listen, fd, backlog);
}

/* It does not wait, whatever the caller's socket does. */
static int other_connect(struct ps_caller *caller, int fd, const struct sockaddr *address, socklen_t length)
{
	int flags = fcntl(fd, F_GETFL), result;

	assert_ptr_equal(caller, &other.caller);
	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	result = (int)sys3(SYS_connect, fd, address, length);
	fcntl(fd, F_SETFL, flags);
	return result;
}

static int other_replace(struct ps_caller *caller, int fd, int with)
{
	int number = -1;

	assert_ptr_equal(caller, &other.caller);
	if (other.stubborn)
		return -EBADF;
	assert_true(pass_fd(other.line, with, fd)); /* the numbers are the same on both sides */
	assert_int_equal(read(other.line, &number, sizeof(number)), sizeof(number));
	return number == fd && dup3(with, fd, O_CLOEXEC) == fd ? 0 : -EBADF;
}

static unsigned other_protocol(const struct ps_caller *caller, int fd)
{
	assert_ptr_equal(caller, &other.caller);
	return call_protocol(fd);
}

static int other_borrow(struct ps_caller *caller, int number)
{
	int fd = (int)sys3(SYS_pidfd_getfd, other.pidfd, number, 0);

	assert_ptr_equal(caller, &other.caller);
	other.borrowed += fd >= 0;
	return fd >= 0 ? fd : -1;
}

static void other_release(struct ps_caller *caller, int fd)
{
	assert_ptr_equal(caller, &other.caller);
	other.given_back++;
	close(fd);
}

static void other_event(struct ps_caller *caller, enum ps_event_kind kind, uint16_t port, int error)
{
	space_event_by(caller->space, other.pid, kind, port, error);
	other.event = kind;
	other.port = port;
}

static const struct ps_caller_calls calls = {
	.bind = other_bind,
	.listen = other_listen,
	.connect = other_connect,
	.replace = other_replace,
	.protocol = other_protocol,
	.borrow = other_borrow,
	.release = other_release,
	.event = other_event,
};

/* Starts the other process, in this directory, of the run. It has every descriptor that is open now. */
static struct ps_caller *start(struct ps_space *space, const char *directory)
{
	int line[2];
	char ready;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, line), 0);
	other.pid = fork();
	assert_true(other.pid >= 0);
	if (other.pid == 0) {
		close(line[0]);
		if (chdir(directory) == 0 && write(line[1], "", 1) == 1)
			serve(line[1]);
		_exit(1);
	}
	close(line[1]);
	assert_int_equal(read(line[0], &ready, 1), 1); /* it is in its directory */
	other.line = line[0];
	other.pidfd = (int)sys2(SYS_pidfd_open, other.pid, 0);
	assert_true(other.pidfd >= 0);
	other.caller = (struct ps_caller){.space = space, .calls = &calls, .identity = process_of(other.pid),
					  .direct = &other.direct};
	assert_int_not_equal(other.caller.identity, 0);
	act_for(NULL); /* what this process does by itself is no business of the run's */
	errno = EXFULL;
	return &other.caller;
}

static int teardown(void **state)
{
	if (other.pid) {
		close(other.line);
		close(other.pidfd);
		waitpid(other.pid, NULL, 0);
	}
	memset(&other, 0, sizeof(other));
	return laws_teardown(state);
}

static struct sockaddr_in at(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int stream(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

/* The port that the other process finds at its descriptor. */
static uint16_t theirs(int number)
{
	int fd = (int)sys3(SYS_pidfd_getfd, other.pidfd, number, 0);
	uint16_t port = actual_of(fd);

	close(fd);
	return port;
}

/* ---- bind and listen ---- */

static void a_record_is_of_the_process_whose_call_it_is(void **state)
{
	uint16_t n = free_numbers(1), moved;
	struct ps_space *space = run_in("a", 0, NULL);
	struct sockaddr_in a = at(n);
	int fd = stream();
	struct ps_caller *caller;

	(void)state;
	stranger(SOCK_STREAM, n);
	caller = start(space, "/");
	assert_int_equal(call_bind(caller, fd, (struct sockaddr *)&a, sizeof(a)), 0);
	moved = theirs(fd);
	assert_int_not_equal(moved, n);
	assert_int_equal(record_of(space, moved)->owner, caller->identity);
	assert_int_equal(call_listen(caller, fd, 4), 0);
	assert_int_equal(state_of(space, moved), PS_LISTENING);
	assert_int_equal(record_of(space, moved)->owner, caller->identity);
	assert_int_equal(registry_own(space, n), moved);
	assert_int_equal(errno, EXFULL);
}

static void so_is_that_of_a_datagram_socket_and_of_port_0(void **state)
{
	uint16_t n = free_numbers(1), chosen;
	struct ps_space *space = run_in("a", 0, NULL);
	struct sockaddr_in a = at(n), any = at(0);
	int datagrams = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), fd = stream();
	struct ps_caller *caller = start(space, "/");

	(void)state;
	assert_int_equal(call_bind(caller, datagrams, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(record_of(space, n)->owner, caller->identity);
	assert_int_equal(call_bind(caller, fd, (struct sockaddr *)&any, sizeof(any)), 0);
	chosen = theirs(fd);
	assert_int_equal(call_listen(caller, fd, 4), 0);
	assert_int_equal(record_of(space, chosen)->owner, caller->identity);
	assert_int_equal(record_of(space, chosen)->reason, PS_REASON_EPHEMERAL);
	assert_int_equal(errno, EXFULL);
	close(datagrams);
	close(fd);
}

static void errors_are_the_kernels(void **state)
{
	uint16_t n = free_numbers(1);
	struct sockaddr_in a = at(n), far = {.sin_family = AF_INET, .sin_port = htons(n), .sin_addr.s_addr = htonl(0xc0000201)};
	int fd = stream(), datagrams = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ps_caller *caller = start(run_in("a", 0, NULL), "/");

	(void)state;
	assert_int_equal(call_bind(caller, fd, (struct sockaddr *)&far, sizeof(far)), -EADDRNOTAVAIL);
	assert_int_equal(call_bind(caller, fd, (struct sockaddr *)&a, 3), -EINVAL);
	assert_int_equal(call_bind(caller, other.line, (struct sockaddr *)&a, sizeof(a)), -EINVAL);
	/* A port that means nothing to anybody. */
	assert_int_equal(call_connect(caller, datagrams, (struct sockaddr *)&far, 3), -EINVAL);
	assert_int_equal(call_listen(caller, datagrams, 1), -EOPNOTSUPP);
	assert_int_equal(call_listen(caller, other.pidfd, 1), -ENOTSOCK);
	assert_int_equal(call_bind(caller, fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(call_bind(caller, fd, (struct sockaddr *)&a, sizeof(a)), -EINVAL);
	assert_int_equal(errno, EXFULL);
	close(fd);
	close(datagrams);
}

/* Of two services on one number, it is the second whose `match` has what the process has. */
static void check_rule(const char *what, const char *another, const char *its, const char *directory)
{
	char manifest[256];
	uint16_t n = free_numbers(3);
	struct sockaddr_in a = at(n);
	int fd = stream();

	stranger(SOCK_STREAM, n);
	snprintf(manifest, sizeof(manifest), "{\"one\":{\"ports\":[%u,%u],\"match\":{\"%s\":\"%s\"}},"
		 "\"two\":{\"ports\":[%u,%u],\"match\":{\"%s\":\"%s\"}}}", n, n + 1u, what, another, n, n + 2u, what, its);
	assert_int_equal(call_bind(start(run_in("a", 0, manifest), directory), fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(theirs(fd), n + 2);
	close(fd);
}

static void rules_go_by_its_directory(void **state)
{
	(void)state;
	check_rule("directory", "/dev", "/proc", "/proc");
}

static void rules_go_by_its_command(void **state)
{
	(void)state;
	check_rule("command", "nothing", "test_*", "/");
}

/* Law 3: its own socket has the number, which the kernel chose. Only its descriptors say so. */
static void what_the_kernel_chose_for_it_is_inside(void **state)
{
	int chosen, high, fd;
	struct sockaddr_in a;
	socklen_t length = sizeof(a);
	struct ps_space *space = run_in("a", 0, NULL);

	(void)state;
	do { /* the kernel chooses below 32768 where it is told to */
		chosen = stream();
		a = at(0);
		assert_int_equal(sys3(SYS_bind, chosen, &a, sizeof(a)), 0);
		assert_int_equal(sys3(SYS_getsockname, chosen, &a, &length), 0);
	} while (ntohs(a.sin_port) < 32768);
	high = fcntl(chosen, F_DUPFD_CLOEXEC, 200);
	close(chosen);
	fd = stream();
	start(space, "/");
	close(high); /* here: the other process has it, at a number that is none of ours */
	assert_int_equal(call_bind(&other.caller, fd, (struct sockaddr *)&a, sizeof(a)), -EADDRINUSE);
	assert_true(other.borrowed > 0);
	assert_int_equal(other.borrowed, other.given_back);
	close(fd);
}

/* Law 7: a stranger listened first. The other process finds another socket at its descriptor. */
static void its_descriptor_gets_another_socket(void **state)
{
	uint16_t n = free_numbers(1), moved;
	struct ps_space *space = run_in("a", 0, NULL);
	struct sockaddr_in a = at(n);
	int fd = stream(), first = stream(), one = 1;
	struct ps_caller *caller;

	(void)state;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(first, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	caller = start(space, "/");
	assert_int_equal(call_bind(caller, fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(bind(first, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(first, 1), 0);
	errno = EXFULL;
	assert_int_equal(call_listen(caller, fd, 4), 0);
	moved = theirs(fd);
	assert_int_not_equal(moved, n);
	assert_int_equal(moved, actual_of(fd));
	assert_int_equal(state_of(space, moved), PS_LISTENING);
	assert_int_equal(record_of(space, moved)->owner, caller->identity);
	close(fd);
	close(first);
}

/* One died who had found another port for it, and by now that one is a stranger's as well. */
static void what_the_dead_had_found_is_gone(void **state)
{
	uint16_t n = free_numbers(1), found, moved;
	struct ps_space *space = run_in("a", 0, NULL);
	struct sockaddr_in a = at(n);
	int fd = stream(), first = stream(), dead, one = 1;
	struct ps_caller *caller;

	(void)state;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(first, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(sys3(SYS_bind, fd, &a, sizeof(a)), 0);
	assert_int_equal(sys3(SYS_bind, first, &a, sizeof(a)), 0);
	caller = start(space, "/");
	dead = stream();
	assert_int_equal(call_bind(caller, dead, (struct sockaddr *)&a, sizeof(a)), 0);
	found = actual_of(dead);
	assert_int_not_equal(found, n);
	close(dead);
	stranger(SOCK_STREAM, found);
	assert_int_equal(listen(first, 1), 0);
	caller->left = n;
	assert_int_equal(call_listen(caller, fd, 4), 0);
	moved = theirs(fd);
	assert_true(moved != n && moved != found);
	assert_int_equal(state_of(space, moved), PS_LISTENING);
	assert_int_equal(registry_own(space, n), moved);
	assert_false(registry_is_own_actual(space, found));
	close(first);
	close(fd);
}

/* ---- what is asked beforehand and afterwards ---- */

static int shared_stream(void)
{
	int fd = stream(), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	return fd;
}

/* What needs no lock, no file and no rules of the process. */
static void what_can_be_bound_at_once(void **state)
{
	uint16_t n = free_numbers(2);
	struct sockaddr_in a = at(n), any = at(0);
	int first = shared_stream(), second = shared_stream(), fd = stream(), result;
	int ruled[] = {shared_stream(), shared_stream()};
	int datagrams = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char manifest[128];
	struct ps_caller *caller;

	(void)state;
	snprintf(manifest, sizeof(manifest), "{\"one\":{\"ports\":[%u],\"match\":{\"directory\":\"/dev\"}}}", n + 1u);
	caller = start(run_in("a", 0, manifest), "/");
	assert_false(call_bind_at_once(caller, first, (struct sockaddr *)&any, sizeof(any), &result));
	assert_false(call_bind_at_once(caller, first, (struct sockaddr *)&a, sizeof(a), &result));
	assert_int_equal(call_bind(caller, first, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_true(call_bind_at_once(caller, second, (struct sockaddr *)&a, sizeof(a), &result));
	assert_int_equal(result, 0);
	assert_true(call_bind_at_once(caller, second, (struct sockaddr *)&a, sizeof(a), &result));
	assert_int_equal(result, -EINVAL);
	/* It does not share: who has the port is to be found out. */
	assert_false(call_bind_at_once(caller, fd, (struct sockaddr *)&a, sizeof(a), &result));
	assert_false(call_bind_at_once(caller, datagrams, (struct sockaddr *)&a, sizeof(a), &result));
	a = at((uint16_t)(n + 1));
	assert_int_equal(call_bind(caller, ruled[0], (struct sockaddr *)&a, sizeof(a)), 0);
	assert_false(call_bind_at_once(caller, ruled[1], (struct sockaddr *)&a, sizeof(a), &result));
	assert_int_equal(actual_of(ruled[1]), 0);
	close(ruled[0]);
	close(ruled[1]);
	close(first);
	close(second);
	close(fd);
	close(datagrams);
}

/* The port went to somebody else between the look and the bind: a socket must not stay bound there, if it can be had. */
static void what_is_taken_over_is_not_bound_at_once(void **state)
{
	uint16_t n = free_numbers(2);
	struct ps_space *space = run_in("a", 0, NULL);
	int fd[] = {shared_stream(), shared_stream(), shared_stream(), shared_stream()}, result = -1;
	struct ps_caller *caller = start(space, "/");

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct sockaddr_in a = at((uint16_t)(n + i));

		assert_int_equal(call_bind(caller, fd[i], (struct sockaddr *)&a, sizeof(a)), 0);
		other.taken = (uint16_t)(n + i);
		other.stubborn = i;
		assert_int_equal(call_bind_at_once(caller, fd[2 + i], (struct sockaddr *)&a, sizeof(a), &result), i);
		assert_int_equal(result, 0);
		assert_int_equal(theirs(fd[2 + i]), i ? n + i : 0);
		other.taken = 0;
	}
	for (int i = 0; i < 4; i++)
		close(fd[i]);
}

static uint16_t bound_to;

static int bound_here(int type, uint16_t port)
{
	struct sockaddr_in a = at(port);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	assert_int_equal(sys3(SYS_bind, fd, &a, sizeof(a)), 0);
	return fd;
}

/* One who died after the kernel's bind has left it to us to record that. */
static void what_was_bound_is_recorded(void **state)
{
	uint16_t n = free_numbers(4);
	struct ps_space *space = run_in("a", 0, NULL);
	struct sockaddr_in first = at(n), moved = at((uint16_t)(n + 1)), udp = at((uint16_t)(n + 3)), any = at(0);
	int fd[] = {bound_here(SOCK_STREAM, n), bound_here(SOCK_STREAM, (uint16_t)(n + 2)),
		    bound_here(SOCK_DGRAM, (uint16_t)(n + 3)), stream()};
	int local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct ps_caller *caller;

	(void)state;
	stranger(SOCK_STREAM, (uint16_t)(n + 1));
	caller = start(space, "/");
	for (int i = 0; i < 2; i++) { /* the second time, it is there */
		assert_int_equal(call_bind_bound(caller, fd[0], (struct sockaddr *)&first, sizeof(first)), 0);
		assert_int_equal(registry_own(space, n), n);
		assert_int_equal(record_of(space, n)->reason, PS_REASON_REQUESTED);
		assert_int_equal(record_of(space, n)->owner, caller->identity);
	}
	caller->identity = 0; /* who decides, decides for itself */
	assert_int_equal(call_bind_bound(caller, fd[1], (struct sockaddr *)&moved, sizeof(moved)), 0);
	assert_int_equal(registry_own(space, (uint16_t)(n + 1)), n + 2);
	assert_int_equal(record_of(space, (uint16_t)(n + 2))->reason, PS_REASON_DEFAULT);
	assert_int_equal(process_pid(record_of(space, (uint16_t)(n + 2))->owner), getpid());
	assert_int_equal(call_bind_bound(caller, fd[2], (struct sockaddr *)&udp, sizeof(udp)), 0);
	assert_int_equal(state_of(space, (uint16_t)(n + 3)), PS_LISTENING);
	assert_int_equal(process_pid(record_of(space, (uint16_t)(n + 3))->owner), getpid());
	assert_int_equal(call_bind_bound(caller, fd[3], (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(call_bind_bound(caller, local, (struct sockaddr *)&first, sizeof(first)), 0);
	for (int i = 0; i < 4; i++)
		close(fd[i]);
	close(local);
}

static struct ps_space *bare;

static void record_without_a_name(void)
{
	struct sockaddr_in a = at(bound_to);
	int fd = bound_here(SOCK_STREAM, bound_to), datagrams = bound_here(SOCK_DGRAM, bound_to);

	child_fail(SYS_getsockname, -1, 0, EPERM);
	call_bind_bound(&other.caller, fd, (struct sockaddr *)&a, sizeof(a));
	call_bound(&other.caller, datagrams);
	CHILD_MUST(registry_own(bare, bound_to) == 0);
}

static void record_without_the_lock(void)
{
	struct sockaddr_in a = at(bound_to);
	int fd = bound_here(SOCK_STREAM, bound_to), datagrams = bound_here(SOCK_DGRAM, bound_to);
	struct ps_lock_guard guard;

	CHILD_MUST(lock_enter(&bare->run->lock, &guard));
	call_bind_bound(&other.caller, fd, (struct sockaddr *)&a, sizeof(a)); /* a signal handler's */
	call_bound(&other.caller, datagrams);
	CHILD_MUST(registry_own(bare, bound_to) == 0);
	lock_leave(&bare->run->lock, &guard);
	call_bound(&other.caller, datagrams);
	CHILD_MUST(registry_own(bare, bound_to) == bound_to);
}

static void record_of_a_run_that_is_over(void)
{
	struct sockaddr_in a = at(bound_to);
	int fd = bound_here(SOCK_STREAM, bound_to), datagrams = bound_here(SOCK_DGRAM, bound_to);

	atomic_fetch_or(&bare->run->flags, PS_SCOPE_RETIRED);
	call_bind_bound(&other.caller, fd, (struct sockaddr *)&a, sizeof(a));
	call_bound(&other.caller, datagrams);
	CHILD_MUST(registry_own(bare, bound_to) == 0);
}

static void or_it_stays_as_it_is(void **state)
{
	(void)state;
	bound_to = free_numbers(2);
	bare = run_in("a", 0, NULL);
	start(bare, "/");
	IN_CHILD(record_without_a_name);
	IN_CHILD(record_without_the_lock);
	bound_to++;
	IN_CHILD(record_of_a_run_that_is_over);
}

/* ---- clients ---- */

static void its_connect_is_on_its_way(void **state)
{
	uint16_t n = free_numbers(1), moved;
	struct ps_space *space = run_in("a", 0, NULL);
	struct sockaddr_in a = at(n), peer = {0};
	socklen_t length = sizeof(peer);
	int fd = stream(), result;

	(void)state;
	stranger(SOCK_STREAM, n);
	act_for(space);
	moved = actual_of(server(SOCK_STREAM, n));
	result = call_connect(start(space, "/"), fd, (struct sockaddr *)&a, sizeof(a));
	assert_true(result == 0 || result == -EINPROGRESS);
	assert_int_equal(sys3(SYS_getpeername, fd, &peer, &length), 0);
	assert_int_equal(ntohs(peer.sin_port), moved);
	route_in(&other.caller, &peer, sizeof(peer), length);
	assert_int_equal(ntohs(peer.sin_port), n);
	assert_int_equal(errno, EXFULL);
	close(fd);
}

/* Who has used the actual number sees it; that one process did so is nothing to another. */
static void what_one_process_used_is_not_what_others_did(void **state)
{
	uint16_t n = free_numbers(1), moved;
	struct ps_space *space = run_in("a", 0, NULL);
	struct ps_direct none = {.next = 0};
	struct ps_caller third;
	struct sockaddr_in a, peer;
	int fd = stream();

	(void)state;
	stranger(SOCK_STREAM, n);
	act_for(space);
	moved = actual_of(server(SOCK_STREAM, n));
	a = peer = at(moved);
	call_connect(start(space, "/"), fd, (struct sockaddr *)&a, sizeof(a));
	route_in(&other.caller, &peer, sizeof(peer), sizeof(peer));
	assert_int_equal(ntohs(peer.sin_port), moved);
	third = other.caller;
	third.direct = &none;
	route_in(&third, &peer, sizeof(peer), sizeof(peer));
	assert_int_equal(ntohs(peer.sin_port), n);
	close(fd);
}

static void another_environments_server_refuses(void **state)
{
	uint16_t n = free_numbers(1);
	struct ps_space *space = run_in("a", 0, NULL), *stranger_run = run_in("b", 0, NULL);
	struct sockaddr_in a = at(n);
	int fd = stream(), result;

	(void)state;
	act_for(stranger_run);
	server(SOCK_STREAM, n);
	result = call_connect(start(space, "/"), fd, (struct sockaddr *)&a, sizeof(a));
	if (result == -EINPROGRESS) { /* the kernel refuses, in its own time */
		struct pollfd writable = {.fd = fd, .events = POLLOUT};

		assert_int_equal(poll(&writable, 1, 5000), 1);
		result = -call_option(fd, SOL_SOCKET, SO_ERROR);
	}
	assert_int_equal(result, -ECONNREFUSED);
	assert_int_equal(other.event, PS_EVENT_REFUSED);
	assert_int_equal(other.port, n);
	assert_int_equal(space->run->event[space->run->events % PS_EVENTS].pid, other.pid);
	close(fd);
}

/* ---- names ---- */

/* Law 10: node's cluster. It is the process's number that counts, not that of who decides. */
static void a_member_of_a_cluster_is_told_the_requested_port(void **state)
{
	uint16_t n = free_numbers(1), moved;
	struct ps_space *space = run_in("a", 0, NULL);
	struct sockaddr_in own;
	int fd;

	(void)state;
	stranger(SOCK_STREAM, n);
	act_for(space);
	fd = server(SOCK_STREAM, n);
	moved = actual_of(fd);
	start(space, "/");
	space->run->cluster[0] = (uint32_t)getpid();
	own = at(moved);
	route_own(&other.caller, fd, &own, sizeof(own), sizeof(own));
	assert_int_equal(ntohs(own.sin_port), moved);
	space->run->cluster[0] = (uint32_t)other.pid;
	route_own(&other.caller, fd, &own, sizeof(own), sizeof(own));
	assert_int_equal(ntohs(own.sin_port), n);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, laws_setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_record_is_of_the_process_whose_call_it_is),
		TEST(so_is_that_of_a_datagram_socket_and_of_port_0),
		TEST(errors_are_the_kernels),
		TEST(rules_go_by_its_directory),
		TEST(rules_go_by_its_command),
		TEST(what_the_kernel_chose_for_it_is_inside),
		TEST(its_descriptor_gets_another_socket),
		TEST(what_the_dead_had_found_is_gone),
		TEST(what_can_be_bound_at_once),
		TEST(what_is_taken_over_is_not_bound_at_once),
		TEST(what_was_bound_is_recorded),
		TEST(or_it_stays_as_it_is),
		TEST(its_connect_is_on_its_way),
		TEST(what_one_process_used_is_not_what_others_did),
		TEST(another_environments_server_refuses),
		TEST(a_member_of_a_cluster_is_told_the_requested_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
