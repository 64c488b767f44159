/*
 * probe.c - what speaks against the second path, before anything is started.
 *
 * Theory of operation: the kernel is asked for each thing that the path needs, in a way that changes nothing, rather
 * than for its version: distributions carry features back, and container runtimes and sandboxes take system calls away
 * from kernels that have them. This is on the way of every `portshim run`, so each question is one system call.
 *
 *	seccomp(SECCOMP_GET_ACTION_AVAIL)    user notification (Linux 5.0)
 *	seccomp(SECCOMP_GET_NOTIF_SIZES)     the kernel writes its struct into the worker's journal: not a larger one
 *	seccomp(SECCOMP_SET_MODE_FILTER) with NULL for the program: flags are judged first, so EFAULT says that all are
 *	                                     known and EINVAL that one is not (kernel/seccomp.c, seccomp_set_mode_filter)
 *	pidfd_open, pidfd_getfd, process_vm_readv on this process, which is always allowed to itself: what fails is
 *	                                     the system call, by its absence or by somebody's policy
 *	RLIMIT_NOFILE                        a server holds a descriptor for each call that is under way, and some for each
 *	                                     process that made one; it may raise the soft limit, not the hard one
 *	/proc/self                           whose processes /proc shows: that of another pid namespace would tell of
 *	                                     strangers, or of nobody
 *	/proc/sys/kernel/yama/ptrace_scope   2 leaves these calls to CAP_SYS_PTRACE, 3 to nobody (security/yama/yama_lsm.c)
 *
 * Limits: a second listener in one chain of filters is EBUSY, and that cannot be asked for; whether a filter is there
 * says nothing, since containers have one. A policy may also judge by arguments, or kill: then the worker finds out.
 */
#include "probe.h"

#include "notify.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../core/sys.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

#define YAMA_SETTING "/proc/sys/kernel/yama/ptrace_scope"
#define FLAGS_NEEDED                                                                                                 \
	(SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_SPEC_ALLOW | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)

static bool is_policy(long error)
{
	return error == -EPERM || error == -EACCES;
}

/* A system call that the path cannot do without. */
static int missing(const char *call, long error, char *why, size_t size)
{
	if (is_policy(error))
		snprintf(why, size, "%s is forbidden here, by a container's or sandbox's policy: %s", call,
			 strerror((int)-error));
	else if (error == -ENOSYS)
		snprintf(why, size, "%s is missing: the kernel is too old, or a policy hides it", call);
	else
		snprintf(why, size, "%s fails: %s", call, strerror((int)-error));
	return (int)error;
}

static int too_old(const char *what, char *why, size_t size)
{
	struct utsname name;

	snprintf(why, size, "the kernel has no %s: Linux 5.19 is needed, this is %.64s", what,
		 uname(&name) == 0 ? name.release : "an older one");
	return -EOPNOTSUPP;
}

static int look_seccomp(char *why, size_t size)
{
	const unsigned action = SECCOMP_RET_USER_NOTIF;
	struct seccomp_notif_sizes sizes = {0};
	long error = sys3(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action);

	if (error == -EOPNOTSUPP || error == -EINVAL)
		return too_old("seccomp user notification", why, size);
	if (error)
		return missing("seccomp", error, why, size);
	error = sys3(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes);
	if (error)
		return missing("seccomp", error, why, size);
	if (sizes.seccomp_notif > sizeof(struct seccomp_notif) ||
	    sizes.seccomp_notif_resp > sizeof(struct seccomp_notif_resp)) {
		snprintf(why, size, "the kernel's notifications are larger than this portshim knows them: build it here");
		return -E2BIG;
	}
	error = sys3(SYS_seccomp, SECCOMP_SET_MODE_FILTER, FLAGS_NEEDED, NULL);
	if (error == -EINVAL)
		return too_old("notifications that only a kill interrupts", why, size);
	return error == -EFAULT ? 0 : missing("seccomp", error, why, size);
}

static int look_descriptors(char *why, size_t size)
{
	struct rlimit files;
	long pidfd, copy;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_max < PS_NOTIFY_FILES) {
		snprintf(why, size, "the limit for open files is %u (ulimit -Hn): answering calls needs %u",
			 (unsigned)files.rlim_max, PS_NOTIFY_FILES);
		return -EMFILE;
	}
	pidfd = sys2(SYS_pidfd_open, getpid(), 0);
	if (pidfd < 0)
		return missing("pidfd_open", pidfd, why, size);
	copy = sys3(SYS_pidfd_getfd, pidfd, pidfd, 0);
	sys1(SYS_close, pidfd);
	if (copy < 0)
		return missing("pidfd_getfd", copy, why, size);
	sys1(SYS_close, copy);
	return 0;
}

static int look_memory(char *why, size_t size)
{
	char from = 1, to = 0;
	struct iovec local = {&to, 1}, remote = {&from, 1};
	long got = sys6(SYS_process_vm_readv, getpid(), &local, 1, &remote, 1, 0);

	return got == 1 ? 0 : missing("process_vm_readv", got < 0 ? got : -EIO, why, size);
}

/* Of the effective capabilities. */
static bool capable(unsigned capability)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0, 0, 0}};

	return sys2(SYS_capget, &header, data) == 0 &&
	       data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability);
}

bool notify_unprivileged(void)
{
	return !capable(CAP_SYS_ADMIN);
}

int probe_yama(const char *path, char *why, size_t size)
{
	char text[16] = "0";
	long fd = sys4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	int scope;

	if (fd < 0)
		return 0; /* no Yama, or a /proc that shows none: what it forbids is found out later */
	sys3(SYS_read, fd, text, sizeof(text) - 1);
	sys1(SYS_close, fd);
	scope = atoi(text);
	if (scope < 2 || (scope == 2 && capable(CAP_SYS_PTRACE)))
		return 0;
	if (scope == 2)
		snprintf(why, size, "kernel.yama.ptrace_scope is 2: only who has CAP_SYS_PTRACE may look into programs");
	else
		snprintf(why, size, "kernel.yama.ptrace_scope is %d: nobody may look into programs", scope);
	return -EPERM;
}

static int look_proc(char *why, size_t size)
{
	char self[16] = "";

	if (sys4(SYS_readlinkat, AT_FDCWD, "/proc/self", self, sizeof(self) - 1) > 0 && atoi(self) == getpid())
		return 0;
	snprintf(why, size, "/proc %s: mount one of this pid namespace",
		 self[0] ? "shows the processes of another pid namespace" : "shows no processes, or not this one");
	return -ESRCH;
}

int notify_possible(char *why, size_t size)
{
	int error = look_seccomp(why, size);

	if (!error)
		error = look_descriptors(why, size);
	if (!error)
		error = look_memory(why, size);
	if (!error)
		error = look_proc(why, size);
	return error ? error : probe_yama(YAMA_SETTING, why, size);
}

void notify_refusal(int error, char *why, size_t size)
{
	if (error < 0)
		error = -error;
	if (error == EBUSY)
		snprintf(why, size, "something around this process answers system calls already (a sandbox, another "
			"tool's or WSL's listener), and there can be only one");
	else if (error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE)
		snprintf(why, size, "no process with a filter can be made: %s", strerror(error));
	else
		missing("seccomp", -(long)error, why, size);
}

int notify_attempt(char *why, size_t size)
{
	int error = notify_possible(why, size), status = 0;
	pid_t child;

	if (error)
		return error;
	child = fork();
	if (child == 0) {
		int listener = notify_filter(0, 0);

		sys1(SYS_exit_group, listener < 0 ? -listener : 0);
	}
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (child < 0) {
		snprintf(why, size, "no process can be made: %s", strerror(errno));
		return -EAGAIN;
	}
	if (status == 0)
		return 0;
	if (!WIFEXITED(status)) {
		snprintf(why, size, "a policy ends processes that want a filter");
		return -EPERM;
	}
	notify_refusal(WEXITSTATUS(status), why, size);
	return -WEXITSTATUS(status);
}
