/*
 * child.h - a part of a test in a child process, in which chosen system calls fail (seccomp(2)), as they would on a
 * machine that is short of something.
 */
#ifndef TESTS_CORE_CHILD_H
#define TESTS_CORE_CHILD_H

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child: what must hold. */
#define CHILD_MUST(condition)                                                                                          \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			printf("%s:%d: %s\n", __FILE__, __LINE__, #condition);                                         \
			exit(1);                                                                                       \
		}                                                                                                      \
	} while (0)

#define CHILD_SKIPPED 77

/* Runs the function in a child. True if it came to its end; skips the test if the child could not do what it needs. */
#define IN_CHILD(function)                                                                                             \
	do {                                                                                                           \
		int child_code = child_run(function);                                                                  \
                                                                                                                       \
		if (child_code == CHILD_SKIPPED)                                                                       \
			skip();                                                                                        \
		assert_int_equal(child_code, 0);                                                                       \
	} while (0)

static inline int child_run(void (*function)(void))
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		function();
		exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* From now on, the calls of this number fail with this errno, if the low half of argument `which` has the value
 * (-1: whatever they have). */
static inline void child_fail(long number, int which, uint32_t value, int error)
{
	const struct sock_filter any[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_filter one[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 offsetof(struct seccomp_data, args) + (which < 0 ? 0 : (unsigned)which) * sizeof(uint64_t)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {
		.len = which < 0 ? sizeof(any) / sizeof(any[0]) : sizeof(one) / sizeof(one[0]),
		.filter = (struct sock_filter *)(which < 0 ? any : one),
	};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		exit(CHILD_SKIPPED);
}

#endif
