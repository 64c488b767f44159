/* What the filter of src/notify relies on, of the kernel's part before a notification:
 *
 * - SPEC_ALLOW: a filter without it would turn mitigations on for the program, which slow it down
 *   (PR_GET_SPECULATION_CTRL tells);
 * - a call for which the filter allows whatever its arguments are is remembered as such for each architecture and
 * number,
 *   and the filter is not run for it again (seccomp_cache_prepare, Linux 5.11): so an unrelated call costs little. A
 * rule
 *   that looks at an argument is run each time;
 * - a call through int $0x80, also from a 64-bit program, meets the filter with AUDIT_ARCH_I386 and its own number,
 * one
 *   with the x32 bit with AUDIT_ARCH_X86_64 and that bit: neither is a way around;
 * - the sixth argument of a call that has fewer is seen by the filter and by nobody else, and so are the upper 32
 * bits of a
 *   socket address's length: src/shim marks its own calls with them;
 * - io_uring_setup can be refused with ENOSYS; without that, a ring's bind and connect meet no filter. */
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include "notify.h"

#define PASS_LOW 0x5bd1e995u
#define PASS_HIGH 0x9e3779b9u
#define COUNT 500
#define TURNS 400
#define LENGTH 1000 /* so long that running it shows */

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_HIGH(n) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[n]) + 4)
#define IF(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define DO(action) BPF_STMT(BPF_RET | BPF_K, action)

struct seen {
	long first, second, third;
	int error;
	int before, after;
};

static struct seen *seen;

/* Three threads, each with a filter of its own, take turns: what disturbs the machine disturbs all of them. */
static struct side {
	pthread_t thread;
	struct sock_fprog program; /* none: no filter */
	double least;
	int turn;
} side[3];
static pthread_barrier_t barrier;

static void *take_turns(void *context)
{
	struct side *s = context;

	if (s->program.len && notify_install(&s->program, SECCOMP_FILTER_FLAG_SPEC_ALLOW))
		check_fatal("filter");
	s->least = 1e9;
	for (int turn = 0; turn < TURNS * 3; turn++) {
		if (turn % 3 == s->turn) {
			uint64_t start = notify_now();

			for (int i = 0; i < COUNT; i++)
				syscall(SYS_getppid);
			start = notify_now() - start;
			if ((double)start / COUNT < s->least)
				s->least = (double)start / COUNT;
		}
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

static void check_cost(void)
{
	struct sock_filter constant[LENGTH], looking[LENGTH];
	double alone, remembered, run;

	constant[0] = (struct sock_filter)LOAD(nr);
	for (unsigned i = 1; i < LENGTH - 1; i++)
		constant[i] = (struct sock_filter)IF(5000 + i, 0, 0);
	constant[LENGTH - 1] = (struct sock_filter)DO(SECCOMP_RET_ALLOW);
	memcpy(looking, constant, sizeof(looking));
	looking[LENGTH - 2] = (struct sock_filter)LOAD(args[0]);
	side[1].program = (struct sock_fprog){ .len = LENGTH, .filter = constant };
	side[2].program = (struct sock_fprog){ .len = LENGTH, .filter = looking };
	pthread_barrier_init(&barrier, NULL, 3);
	for (int i = 0; i < 3; i++) {
		side[i].turn = i;
		if (pthread_create(&side[i].thread, NULL, take_turns, &side[i]))
			check_fatal("thread");
	}
	for (int i = 0; i < 3; i++)
		pthread_join(side[i].thread, NULL);
	alone = side[0].least;
	remembered = side[1].least;
	run = side[2].least;
	printf("getppid: %.0f ns, %.0f ns with a filter that allows it whatever its arguments (%.2f), "
	       "%.0f ns with one that looks at one (%.2f)\n",
	       alone, remembered, remembered / alone, run, run / alone);
	CHECK(remembered - alone < (run - alone) / 2, "what is constant is remembered");
}

static int speculation(void)
{
	return prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, 0, 0, 0) << 8 |
	       prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_INDIRECT_BRANCH, 0, 0, 0);
}

static void check_speculation(void)
{
	struct sock_filter allow = DO(SECCOMP_RET_ALLOW);
	struct sock_fprog program = { .len = 1, .filter = &allow };
	int status;

	if (!fork()) {
		seen->before = speculation();
		if (notify_install(&program, SECCOMP_FILTER_FLAG_SPEC_ALLOW))
			_exit(1);
		seen->after = speculation();
		_exit(0);
	}
	CHECK(wait(&status) > 0 && status == 0 && seen->before == seen->after,
	      "SPEC_ALLOW leaves the mitigations as they are");
}

#ifdef __x86_64__
#define X32 0x40000000u
#define I386_GETSOCKNAME 367
#define I386_SOCKETCALL 102

static long int80(long number, long first, long second, long third)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "0"(number), "b"(first), "c"(second), "d"(third)
			 : "memory", "r8", "r9", "r10", "r11");
	return result;
}

static void other_entries(void *unused)
{
	(void)unused;
	seen->first = int80(I386_GETSOCKNAME, -1, 0, 0);
	seen->second = int80(I386_SOCKETCALL, 6, 0x7777, 0);
	seen->third = syscall(X32 | SYS_getsockname, -1, NULL, NULL);
	seen->error = errno;
}

static void check_entries(void)
{
	struct sock_filter rule[] = {
		LOAD(arch),
		IF(AUDIT_ARCH_I386, 0, 4),
		LOAD(nr),
		IF(I386_GETSOCKNAME, 1, 0),
		IF(I386_SOCKETCALL, 0, 5),
		DO(SECCOMP_RET_USER_NOTIF),
		LOAD(nr),
		IF(X32 | SYS_getsockname, 0, 1),
		DO(SECCOMP_RET_ERRNO | ENOSYS),
		IF(0, 0, 0),
		DO(SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { .len = sizeof(rule) / sizeof(rule[0]), .filter = rule };
	struct notify_child child = notify_start(&program, NOTIFY_FLAGS, other_entries, NULL);
	struct seccomp_notif call;

	notify_go(&child);
	if (!notify_receive(child.listener, &call)) {
		CHECK(notify_end(&child) == 1000 + SIGSEGV || seen->first == -ENOSYS,
		      "no int $0x80, or no notification");
		check_skip("int $0x80", "the kernel has no i386 calls");
		return;
	}
	CHECK(call.data.arch == AUDIT_ARCH_I386 && call.data.nr == I386_GETSOCKNAME,
	      "getsockname by int $0x80 is i386's 367");
	CHECK(notify_answer(child.listener, call.id, 42, 0, 0), "answered");
	CHECK(notify_receive(child.listener, &call) && call.data.nr == I386_SOCKETCALL, "socketcall is i386's 102");
	CHECK(call.data.args[0] == 6 && call.data.args[1] == 0x7777,
	      "with the kind of call and where its arguments are");
	CHECK(notify_answer(child.listener, call.id, 0, EXDEV, 0), "answered");
	CHECK(notify_end(&child) == 0, "the child ended");
	CHECK(seen->first == 42 && seen->second == -EXDEV, "it has both answers");
	CHECK(seen->third == -1 && seen->error == ENOSYS, "the x32 bit is to be seen in the number");
}
#else
static void check_entries(void)
{
	check_skip("int $0x80 and x32", "x86-64 has them");
}
#endif

static void marked(void *unused)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof(a);
	int udp = socket(AF_INET, SOCK_DGRAM, 0), other = socket(AF_INET, SOCK_DGRAM, 0);
	uint64_t pass = (uint64_t)PASS_HIGH << 32 | PASS_LOW;

	(void)unused;
	seen->first = syscall(SYS_getsockname, -1, NULL, NULL, 0L, 0L, pass) == -1 ? errno : 0;
	seen->second = syscall(SYS_getsockname, -1, NULL, NULL, 0L, 0L, pass + 1);
	if (syscall(SYS_bind, udp, &a, sizeof(a), 0L, 0L, pass) ||
	    syscall(SYS_getsockname, udp, &a, &length, 0L, 0L, pass))
		_exit(1);
	/* sendto has six arguments: the length is an int, and the filter sees all of its register */
	seen->third = syscall(SYS_sendto, other, "x", 1, 0, &a, (uint64_t)PASS_HIGH << 32 | sizeof(a));
	seen->error = syscall(SYS_sendto, other, "x", 1, 0, &a, sizeof(a)) == -1 ? errno : 0;
}

static void check_pass(void)
{
	struct sock_filter rule[] = {
		LOAD(nr),
		IF(SYS_getsockname, 0, 5),
		LOAD(args[5]),
		IF(PASS_LOW, 0, 2),
		LOAD_HIGH(5),
		IF(PASS_HIGH, 5, 0),
		DO(SECCOMP_RET_USER_NOTIF),
		IF(SYS_sendto, 0, 3),
		LOAD_HIGH(5),
		IF(PASS_HIGH, 1, 0),
		DO(SECCOMP_RET_ERRNO | EXDEV),
		DO(SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { .len = sizeof(rule) / sizeof(rule[0]), .filter = rule };
	struct notify_child child = notify_start(&program, NOTIFY_FLAGS, marked, NULL);
	struct seccomp_notif call;

	notify_go(&child);
	CHECK(notify_receive(child.listener, &call) && call.data.args[5] == ((uint64_t)PASS_HIGH << 32 | PASS_LOW) + 1,
	      "another mark is notified, and seen whole");
	CHECK(notify_answer(child.listener, call.id, 42, 0, 0), "answered");
	CHECK(notify_end(&child) == 0, "the child ended");
	CHECK(seen->first == EBADF && seen->second == 42, "the mark passes, and the kernel does not look at it");
	CHECK(seen->third == 1 && seen->error == EXDEV, "sendto is marked in the length's upper half");
}

static void check_ring(void)
{
	struct sock_filter rule[] = { LOAD(nr), IF(SYS_io_uring_setup, 0, 1), DO(SECCOMP_RET_ERRNO | ENOSYS),
				      DO(SECCOMP_RET_ALLOW) };
	const struct sock_fprog program = { .len = 4, .filter = rule };
	int status;

	if (!fork()) {
		char parameters[120] = { 0 };

		if (notify_install(&program, SECCOMP_FILTER_FLAG_SPEC_ALLOW))
			_exit(1);
		_exit(syscall(SYS_io_uring_setup, 4, parameters) == -1 && errno == ENOSYS ? 0 : 2);
	}
	CHECK(wait(&status) > 0 && status == 0, "io_uring_setup: ENOSYS");
}

int main(void)
{
	seen = notify_shared(sizeof(*seen));
	check_cost();
	check_speculation();
	check_entries();
	check_pass();
	check_ring();
	return check_finish();
}
