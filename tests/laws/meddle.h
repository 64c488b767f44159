/*
 * meddle.h - what another process does at one certain moment, done by a second thread: chosen system calls of the first
 * one wait until it has done it (seccomp_unotify(2)). So an order of steps that is a matter of luck elsewhere happens
 * each time. Only in a child (child.h): a filter stays.
 */
#ifndef TESTS_LAWS_MEDDLE_H
#define TESTS_LAWS_MEDDLE_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>

#include "../core/child.h"

#include "../../src/core/sys.h"

/* Told of each call before the kernel is. Gives what the call is to give: meddle_call()'s, or a negative errno. It
 * runs in the same process, so memory and descriptors are the caller's. */
typedef long meddler(const struct seccomp_data *call);

static struct {
	meddler *meddler;
	int pipe[2]; /* the listener's number is told through it */
} meddling;

/* Makes the call for the thread that waits. */
static inline long meddle_call(const struct seccomp_data *call)
{
	return sys6(call->nr, call->args[0], call->args[1], call->args[2], call->args[3], call->args[4], call->args[5]);
}

static inline void *meddle_loop(void *context)
{
	int listener;

	(void)context;
	if (sys3(SYS_read, meddling.pipe[0], &listener, sizeof(listener)) != sizeof(listener))
		return NULL;
	for (;;) {
		struct seccomp_notif asked = {0};
		struct seccomp_notif_resp answer = {0};
		long result;

		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0)
			continue;
		result = meddling.meddler(&asked.data);
		answer.id = asked.id;
		answer.val = result < 0 ? 0 : result;
		answer.error = result < 0 ? (int)result : 0;
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
	}
}

/* From now on, for this thread's calls of this number. Once in a process. */
static inline void child_meddle(long number, meddler *function)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};
	pthread_t thread;
	int listener;

	meddling.meddler = function;
	CHILD_MUST(pipe(meddling.pipe) == 0 && pthread_create(&thread, NULL, meddle_loop, NULL) == 0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) != 0)
		exit(CHILD_SKIPPED);
	listener = (int)sys3(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	if (listener < 0)
		exit(CHILD_SKIPPED);
	CHILD_MUST(write(meddling.pipe[1], &listener, sizeof(listener)) == sizeof(listener));
}

#endif
