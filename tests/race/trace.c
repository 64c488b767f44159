/*
 * trace.c - see trace.h.
 *
 * Theory of operation: the mappings of files under the runtime directory are write-protected in the traced process, by
 * system calls that are put into its mouth, so that each instruction that stores to one of them stops with SIGSEGV
 * before it has stored. To let it go on, its mapping is made writable, the one instruction is stepped, and the
 * mapping is protected again. That finds every store, atomic ones and those of string instructions (one for each
 * turn) included, without knowing any instruction. Stores that the kernel makes for the process (the words of
 * futexes) happen in system calls whose first argument lies in such a mapping; it is made writable around them.
 *
 * Between two stores, others can see only what system calls do, so those that change something are events as well.
 * Nothing else makes a difference to whoever comes after the process was killed.
 *
 * Limits: x86-64. Threads and children of the process run free (of a vfork child that stores, we would hear as a
 * program that was killed by SIGSEGV).
 */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __x86_64__

#define AREAS 24
#define SYSCALL_STOP (SIGTRAP | 0x80)

struct area {
	unsigned long start, size;
};

struct tracing {
	pid_t pid;
	const char *runtime;
	struct area area[AREAS];
	unsigned count;
	unsigned long instruction; /* of some system call in the process */
	bool armed;                /* it has used the runtime directory */
	bool inside;               /* between entry and exit of a system call */
	bool visible;              /* ... that is an event */
	struct area *open;         /* made writable for this call */
	bool mapping;              /* it maps a file of the runtime directory */
	struct user_regs_struct at_entry;
	unsigned wanted;
	bool after;
	struct trace_point *point;
};

void trace_me(void)
{
	ptrace(PTRACE_TRACEME, 0, 0, 0);
}

/* ---- a system call in the process's name ---- */

static bool wait_stop(struct tracing *t, int *status)
{
	return waitpid(t->pid, status, 0) == t->pid && WIFSTOPPED(*status);
}

static bool inject(struct tracing *t, long call, unsigned long a, unsigned long b, unsigned long c)
{
	struct user_regs_struct saved, r;
	int status;

	if (ptrace(PTRACE_GETREGS, t->pid, 0, &saved))
		return false;
	r = saved;
	r.rip = t->instruction;
	r.rax = (unsigned long)call;
	r.orig_rax = ~0ul;
	r.rdi = a;
	r.rsi = b;
	r.rdx = c;
	if (ptrace(PTRACE_SETREGS, t->pid, 0, &r) || ptrace(PTRACE_SINGLESTEP, t->pid, 0, 0) ||
	    !wait_stop(t, &status) || WSTOPSIG(status) != SIGTRAP || ptrace(PTRACE_GETREGS, t->pid, 0, &r))
		return false;
	return ptrace(PTRACE_SETREGS, t->pid, 0, &saved) == 0 && r.rax == 0;
}

static bool protect(struct tracing *t, const struct area *a, bool writable)
{
	return inject(t, SYS_mprotect, a->start, a->size, writable ? PROT_READ | PROT_WRITE : PROT_READ);
}

static struct area *area_of(struct tracing *t, unsigned long address)
{
	for (unsigned i = 0; i < t->count; i++)
		if (address - t->area[i].start < t->area[i].size)
			return &t->area[i];
	return NULL;
}

/* ---- which system calls count ---- */

static bool path_at(const struct tracing *t, unsigned long address, char *text)
{
	struct iovec to = {text, PATH_MAX - 1}, from = {(void *)address, PATH_MAX - 1};
	unsigned long page = 4096 - address % 4096;
	ssize_t n;

	/* not beyond the page that it begins in, unless the next one is there too */
	n = process_vm_readv(t->pid, &to, 1, &from, 1, 0);
	if (n <= 0) {
		from.iov_len = page;
		n = process_vm_readv(t->pid, &to, 1, &from, 1, 0);
	}
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static bool is_ours(const struct tracing *t, const char *path)
{
	return strncmp(path, t->runtime, strlen(t->runtime)) == 0;
}

static bool is_our_file(const struct tracing *t, int fd)
{
	char name[64], path[PATH_MAX];
	ssize_t n;

	snprintf(name, sizeof(name), "/proc/%d/fd/%d", (int)t->pid, fd);
	n = readlink(name, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	return is_ours(t, path);
}

static bool changes_something(const struct user_regs_struct *r)
{
	switch (r->orig_rax) {
	case SYS_openat:
		return r->rdx & (O_CREAT | O_TRUNC);
	case SYS_write: case SYS_close: case SYS_bind: case SYS_listen: case SYS_connect: case SYS_ftruncate:
	case SYS_fallocate: case SYS_mkdir: case SYS_mkdirat: case SYS_unlink: case SYS_unlinkat: case SYS_rename:
	case SYS_renameat: case SYS_renameat2: case SYS_linkat: case SYS_futex: case SYS_utimensat: case SYS_dup2:
	case SYS_dup3: case SYS_execve: case SYS_exit_group: case SYS_kill:
		return true;
	default:
		return false;
	}
}

static void arm(struct tracing *t, const struct user_regs_struct *r)
{
	char path[PATH_MAX];

	switch (r->orig_rax) {
	case SYS_openat: case SYS_mkdirat: case SYS_newfstatat: case SYS_faccessat: case SYS_linkat:
		if (path_at(t, r->rsi, path) && is_ours(t, path))
			t->armed = true;
		break;
	default:
		break;
	}
}

/* ---- events ---- */

/* True if the process is to stay where it is. */
static bool reached(struct tracing *t, bool after)
{
	return t->point->event == t->wanted && t->after == after;
}

static bool begin_event(struct tracing *t, bool store, unsigned long place, long call)
{
	*t->point = (struct trace_point){.event = t->point->event + 1, .store = store, .place = place, .call = call};
	return reached(t, false);
}

/* At the entry of a call that stores into an area: another call first, that makes it writable, then the same again. */
static bool open_for_call(struct tracing *t, struct area *a, struct user_regs_struct *r)
{
	struct user_regs_struct other = *r;
	int status;

	other.orig_rax = SYS_mprotect;
	other.rdi = a->start;
	other.rsi = a->size;
	other.rdx = PROT_READ | PROT_WRITE;
	if (ptrace(PTRACE_SETREGS, t->pid, 0, &other) || ptrace(PTRACE_SYSCALL, t->pid, 0, 0) ||
	    !wait_stop(t, &status) || WSTOPSIG(status) != SYSCALL_STOP)
		return false;
	other = *r;
	other.rip -= 2;
	other.rax = r->orig_rax;
	t->open = a;
	return ptrace(PTRACE_SETREGS, t->pid, 0, &other) == 0 && ptrace(PTRACE_SYSCALL, t->pid, 0, 0) == 0 &&
	       wait_stop(t, &status) && WSTOPSIG(status) == SYSCALL_STOP;
}

/* 1: stay here, 0: go on, -1: broken. */
static int entry(struct tracing *t)
{
	struct user_regs_struct *r = &t->at_entry;
	struct area *a;

	if (ptrace(PTRACE_GETREGS, t->pid, 0, r))
		return -1;
	t->instruction = r->rip - 2;
	if (!t->armed)
		arm(t, r);
	t->mapping = r->orig_rax == SYS_mmap && r->r10 & MAP_SHARED && (int)r->r8 >= 0 && is_our_file(t, (int)r->r8);
	t->visible = t->armed && (changes_something(r) || t->mapping);
	if (t->visible && begin_event(t, false, r->rip, (long)r->orig_rax))
		return 1;
	a = area_of(t, r->rdi);
	if (a && r->orig_rax != SYS_munmap && !open_for_call(t, a, r))
		return -1;
	return 0;
}

static void forget(struct tracing *t, unsigned long start)
{
	for (unsigned i = 0; i < t->count; i++)
		if (t->area[i].start == start)
			t->area[i] = t->area[--t->count];
}

static int leave(struct tracing *t)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, t->pid, 0, &r))
		return -1;
	if (t->open && !protect(t, t->open, false))
		return -1;
	t->open = NULL;
	if (t->mapping && (long)r.rax > 0) {
		if (t->count == AREAS)
			return -1;
		t->area[t->count++] = (struct area){r.rax, t->at_entry.rsi};
		if (!protect(t, &t->area[t->count - 1], false))
			return -1;
	}
	if (t->at_entry.orig_rax == SYS_munmap)
		forget(t, t->at_entry.rdi);
	return t->visible && reached(t, true);
}

static int store(struct tracing *t)
{
	struct user_regs_struct r;
	struct area *a;
	siginfo_t info;
	int status;

	if (ptrace(PTRACE_GETSIGINFO, t->pid, 0, &info) || ptrace(PTRACE_GETREGS, t->pid, 0, &r))
		return -1;
	a = area_of(t, (unsigned long)info.si_addr);
	if (!a)
		return -1;
	if (begin_event(t, true, r.rip, 0))
		return 1;
	t->point->address = (unsigned long)info.si_addr - a->start;
	if (!protect(t, a, true) || ptrace(PTRACE_SINGLESTEP, t->pid, 0, 0) || !wait_stop(t, &status) ||
	    WSTOPSIG(status) != SIGTRAP || !protect(t, a, false))
		return -1;
	return reached(t, true);
}

static int stopped(struct tracing *t, int status, int *signal)
{
	int number = WSTOPSIG(status);

	*signal = 0;
	if (number == SYSCALL_STOP) {
		t->inside = !t->inside;
		return t->inside ? entry(t) : leave(t);
	}
	if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8)) {
		t->count = 0; /* its exit from execve is still to come */
		return 0;
	}
	if (number == SIGSEGV)
		return store(t);
	if (number != SIGTRAP)
		*signal = number;
	return 0;
}

enum trace_end trace_to(pid_t pid, const char *runtime, unsigned event, bool after, struct trace_point *last)
{
	struct tracing t = {.pid = pid, .runtime = runtime, .wanted = event, .after = after, .point = last};
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACEEXEC;
	int status, signal = 0, result = 0;

	*last = (struct trace_point){0};
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) || ptrace(PTRACE_SETOPTIONS, pid, 0, options))
		return TRACE_BROKEN;
	for (;;) {
		if (ptrace(PTRACE_SYSCALL, pid, 0, (long)signal) || waitpid(pid, &status, 0) != pid)
			return TRACE_BROKEN;
		if (WIFEXITED(status))
			return TRACE_EXITED;
		if (WIFSIGNALED(status))
			return TRACE_BROKEN;
		result = stopped(&t, status, &signal);
		if (result)
			return result > 0 ? TRACE_STOPPED : TRACE_BROKEN;
	}
}

#else

void trace_me(void)
{
}

enum trace_end trace_to(pid_t pid, const char *runtime, unsigned event, bool after, struct trace_point *last)
{
	(void)pid, (void)runtime, (void)event, (void)after, (void)last;
	return TRACE_BROKEN;
}

#endif
