/* probe.h: what keeps the second path away is found before anything is started, and said in words. Policies of
 * containers are real here: a child under a filter that refuses one system call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "notify/notify.h"
#include "notify/probe.h"

#define ALL (~0u)

struct answer {
	int result;
	char why[256];
};

/* From now on the system call gives this errno; where `first` is not ALL, only with that first argument. */
static bool forbid(long number, unsigned first, unsigned error)
{
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, first, 0, first == ALL ? 0 : 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog all = {sizeof(program) / sizeof(program[0]), program};

	return prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) == 0 &&
	       syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &all) == 0;
}

/* What a process says that may not do this. */
static void ask(struct answer *a, long number, unsigned first, unsigned error)
{
	int fds[2], status;
	pid_t child;

	memset(a, 0, sizeof(*a));
	assert_int_equal(pipe(fds), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (number < 0 || forbid(number, first, error)) {
			a->result = notify_possible(a->why, sizeof(a->why));
			if (write(fds[1], a, sizeof(*a)) == sizeof(*a))
				_exit(0);
		}
		_exit(1);
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], a, sizeof(*a)), sizeof(*a));
	close(fds[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* Of a machine where all is well; elsewhere the tests below could not tell one reason from another. */
static void need_possible(void)
{
	struct answer a;

	ask(&a, -1, ALL, 0);
	if (a.result != 0) {
		print_message("skip: %s\n", a.why);
		skip();
	}
}

static void says(const struct answer *a, int result, const char *text)
{
	assert_int_equal(a->result, result);
	if (!strstr(a->why, text))
		fail_msg("\"%s\" is not in \"%s\"", text, a->why);
	assert_true(a->why[strlen(a->why) - 1] != '.');
}

static void test_a_policy_is_named(void **state)
{
	static const struct {
		long number;
		const char *name;
	} calls[] = {{SYS_pidfd_getfd, "pidfd_getfd"},
		     {SYS_pidfd_open, "pidfd_open"},
		     {SYS_process_vm_readv, "process_vm_readv"},
		     {SYS_seccomp, "seccomp"}};
	char text[128];
	struct answer a;

	(void)state;
	need_possible();
	for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		ask(&a, calls[i].number, ALL, EPERM);
		snprintf(text, sizeof(text), "%s is forbidden here, by a container's or sandbox's policy", calls[i].name);
		says(&a, -EPERM, text);
		ask(&a, calls[i].number, ALL, ENOSYS);
		snprintf(text, sizeof(text), "%s is missing", calls[i].name);
		says(&a, -ENOSYS, text);
		ask(&a, calls[i].number, ALL, ENOMEM);
		snprintf(text, sizeof(text), "%s fails: Cannot allocate memory", calls[i].name);
		says(&a, -ENOMEM, text);
	}
}

/* As kernels answer that do not know of it: seccomp(2) without the operation, the action or the flags. */
static void test_an_old_kernel_is_named(void **state)
{
	static const struct {
		unsigned operation, error;
	} answers[] = {{SECCOMP_GET_ACTION_AVAIL, EOPNOTSUPP},
		       {SECCOMP_GET_ACTION_AVAIL, EINVAL},
		       {SECCOMP_SET_MODE_FILTER, EINVAL}};
	struct answer a;

	(void)state;
	need_possible();
	for (unsigned i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		ask(&a, SYS_seccomp, answers[i].operation, answers[i].error);
		says(&a, -EOPNOTSUPP, "Linux 5.19 is needed, this is ");
	}
	ask(&a, SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, EPERM);
	says(&a, -EPERM, "seccomp is forbidden here");
}

/* A policy that is about something else, as every container has one, is no reason. */
static void test_another_filter_is_no_reason(void **state)
{
	struct answer a;

	(void)state;
	need_possible();
	ask(&a, SYS_kexec_load, ALL, EPERM);
	assert_int_equal(a.result, 0);
}

static void yama(int expected, const char *text, bool privileged, const char *reason)
{
	char path[] = "/tmp/portshim-test-XXXXXX", why[256] = "";
	int fd = mkstemp(path), status;
	pid_t child;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	assert_int_equal(chmod(path, 0644), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (!privileged && geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)
			_exit(2);
		_exit(probe_yama(path, why, sizeof(why)) != expected || !strstr(why, reason));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	unlink(path);
	if (status != 0)
		fail_msg("ptrace_scope %s, %s", text, privileged ? "privileged" : "as an ordinary user");
}

static void test_yama(void **state)
{
	char why[256];

	(void)state;
	assert_int_equal(probe_yama("/nonexistent/ptrace_scope", why, sizeof(why)), 0);
	yama(0, "0\n", false, "");
	yama(0, "1\n", false, "");
	yama(-EPERM, "2\n", false, "ptrace_scope is 2: only who has CAP_SYS_PTRACE");
	yama(-EPERM, "3\n", false, "ptrace_scope is 3: nobody");
	if (geteuid() != 0)
		return;
	yama(0, "2\n", true, "");
	yama(-EPERM, "3\n", true, "ptrace_scope is 3: nobody");
}

/* The number of a process that waits is one of our namespace; files in /proc about that number would be another's. */
static void test_a_foreign_proc(void **state)
{
	const int flags = CLONE_NEWPID | (geteuid() ? CLONE_NEWUSER : 0);
	char why[256] = "";
	int status;
	pid_t child;

	(void)state;
	need_possible();
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (unshare(flags) < 0)
			_exit(77);
		child = fork();
		if (child == 0)
			_exit(notify_possible(why, sizeof(why)) != -ESRCH || !strstr(why, "of another pid namespace"));
		_exit(waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_privilege(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	assert_true(child >= 0);
	if (child == 0) {
		if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)
			_exit(2);
		_exit(!notify_unprivileged());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* A second listener in one chain is refused, and the words for that name it. */
static void test_a_second_listener(void **state)
{
	struct sock_filter program[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog all = {1, program};
	char why[256] = "";
	int status;
	pid_t child;

	(void)state;
	need_possible();
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L);
		if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &all) < 0)
			_exit(255);
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &all);
		_exit(errno);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EBUSY);
	notify_refusal(-WEXITSTATUS(status), why, sizeof(why));
	assert_non_null(strstr(why, "there can be only one"));
	notify_refusal(EPERM, why, sizeof(why));
	assert_non_null(strstr(why, "policy"));
}

/* It is on the way of each `portshim run`. The bound is far above what it takes; it finds a fork or a search of /proc. */
static void test_it_is_cheap(void **state)
{
	struct timespec before, after;
	long best = 1000000000;
	char why[256];

	(void)state;
	for (int i = 0; i < 200; i++) {
		long took;

		clock_gettime(CLOCK_MONOTONIC, &before);
		notify_possible(why, sizeof(why));
		clock_gettime(CLOCK_MONOTONIC, &after);
		took = (after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec;
		best = took < best ? took : best;
	}
	print_message("notify_possible takes %ld ns\n", best);
	assert_true(best < 1000000); /* no process was made for it, even where a processor is emulated */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_policy_is_named),
		cmocka_unit_test(test_an_old_kernel_is_named),
		cmocka_unit_test(test_another_filter_is_no_reason),
		cmocka_unit_test(test_yama),
		cmocka_unit_test(test_a_foreign_proc),
		cmocka_unit_test(test_privilege),
		cmocka_unit_test(test_a_second_listener),
		cmocka_unit_test(test_it_is_cheap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
