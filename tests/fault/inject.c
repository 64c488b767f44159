/*
 * inject.c - runs a program and makes the Nth system call that portshim makes in it fail.
 *
 * inject [-n N] [-e ERRNO | -k] [-m OBJECT | -a EXECUTABLE] [-s NUMBER] [-l LOG] -- PROGRAM ARGS...
 *
 *	-m OBJECT      counts the calls whose instruction lies in the mapping of a file of this name: with
 *	               libportshim.so that is what the shim does itself, and nothing of the program's or libc's
 *	-a EXECUTABLE  counts the calls of every process that runs this file, from its first that is not the loader's
 *	-s NUMBER      counts only this system call
 *	-n N           the Nth is not made, and returns -ERRNO; without it they are only counted
 *	-k             before its own Nth the first process is killed instead (SIGKILL)
 *	-l LOG         gets one line: how many there were, and the number of the system call that failed
 *
 * Exit status: the program's; 128+n where a signal ended it, 124 after LIMIT seconds.
 *
 * Theory of operation. The program and all its descendants are traced (ptrace(2)); at each entry the kernel tells the
 * instruction pointer (PTRACE_GET_SYSCALL_INFO). A call is refused by putting -1 in the place of its number, which the
 * kernel answers with ENOSYS, and by putting the wanted errno over that when it returns. Calls that cannot fail on any
 * machine, or that are done although they fail (close), are neither counted nor refused: see `never`.
 */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ptrace.h>

#include "../coverage/mark.h"

#define LIMIT 50 /* less than that of those who wait for us */
#define TASKS 64

struct task {
	pid_t pid;
	bool inside;       /* between entry and exit of a system call */
	bool fail;         /* this call was refused */
	bool fresh;        /* mappings may have changed since they were read */
	bool counting;     /* it writes what `make coverage` counts */
	bool chosen;       /* -a: runs the executable; its loader is done */
	uint64_t first, end; /* of the object; of the loader with -a */
};

static struct task tasks[TASKS];
static const char *object, *executable, *log_path;
static long wanted, counted, failed_nr = -1, only = -1;
static bool kills;
static pid_t first_process;
static int error_number = EIO;

/* Only ever fail for arguments that are wrong, or have taken effect when they fail. */
static bool never(uint64_t nr)
{
	static const uint64_t list[] = {
		SYS_getpid, SYS_gettid, SYS_getppid, SYS_geteuid, SYS_getuid, SYS_getegid, SYS_getgid,
		SYS_clock_gettime,
		SYS_rt_sigprocmask, SYS_rt_sigaction, SYS_rt_sigreturn, SYS_exit, SYS_exit_group, SYS_close, SYS_brk,
		SYS_munmap, SYS_set_tid_address, SYS_set_robust_list, SYS_wait4, SYS_restart_syscall,
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (list[i] == nr)
			return true;
	return false;
}

static struct task *task_of(pid_t pid)
{
	struct task *empty = NULL;

	for (int i = 0; i < TASKS; i++) {
		if (tasks[i].pid == pid)
			return &tasks[i];
		if (!tasks[i].pid && !empty)
			empty = &tasks[i];
	}
	if (!empty) {
		fprintf(stderr, "inject: too many processes\n");
		exit(99);
	}
	*empty = (struct task){.pid = pid, .fresh = true};
	return empty;
}

static bool ends_with(const char *path, const char *name)
{
	size_t n = strlen(path), m = strlen(name);

	return n >= m && strcmp(path + n - m, name) == 0;
}

/* The addresses of the mapped file of this name. */
static void read_maps(struct task *t, const char *name)
{
	char path[64], line[4096];
	FILE *maps;

	t->first = t->end = 0;
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)t->pid);
	maps = fopen(path, "re");
	while (maps && fgets(line, sizeof(line), maps)) {
		unsigned long first, end;

		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%lx-%lx", &first, &end) != 2 || !strstr(line, name))
			continue;
		if (name == object && !ends_with(line, name))
			continue;
		if (!t->first)
			t->first = first;
		t->end = end;
	}
	if (maps)
		fclose(maps);
	t->fresh = false;
}

static bool runs_executable(pid_t pid)
{
	char link[64], target[4096];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
	n = readlink(link, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = '\0';
	return strcmp(target, executable) == 0;
}

static bool is_ours(struct task *t, uint64_t ip)
{
	if (object) {
		if (t->fresh)
			read_maps(t, object);
		return ip >= t->first && ip < t->end;
	}
	if (t->fresh) {
		read_maps(t, "/ld-");
		t->chosen = runs_executable(t->pid);
	}
	return t->chosen && (ip < t->first || ip >= t->end);
}

#if defined(__x86_64__)
static void refuse(pid_t pid)
{
	ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, orig_rax), -1L);
}

static void answer(pid_t pid, long result)
{
	ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, rax), result);
}
#elif defined(__aarch64__)
static void refuse(pid_t pid)
{
	int none = -1;
	struct iovec v = {&none, sizeof(none)};

	ptrace(PTRACE_SETREGSET, pid, 0x404 /* NT_ARM_SYSTEM_CALL */, &v);
}

static void answer(pid_t pid, long result)
{
	struct user_regs_struct regs;
	struct iovec v = {&regs, sizeof(regs)};

	ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v);
	regs.regs[0] = (unsigned long)result;
	ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &v);
}
#endif

static void at_entry(struct task *t, const struct ptrace_syscall_info *info)
{
	uint64_t nr = info->entry.nr;

	if (nr == SYS_mmap || nr == SYS_execve)
		t->fresh = true; /* what it maps is there when the next call is made */
	if (nr == SYS_getppid && info->entry.args[0] == COUNT_MARK)
		t->counting = info->entry.args[1];
	if (t->counting || never(nr) || (only >= 0 && nr != (uint64_t)only) || !is_ours(t, info->instruction_pointer)) {
		t->fresh |= nr == SYS_mmap || nr == SYS_execve;
		return;
	}
	t->fresh = nr == SYS_mmap || nr == SYS_execve;
	if ((kills && t->pid != first_process) || ++counted != wanted)
		return;
	failed_nr = (long)nr;
	if (kills) {
		kill(t->pid, SIGKILL);
		return;
	}
	t->fail = true;
	refuse(t->pid);
}

static void at_call(struct task *t)
{
	struct ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, sizeof(info), &info) <= 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
		at_entry(t, &info);
	} else if (t->fail) {
		t->fail = false;
		answer(t->pid, -error_number);
	}
}

/* Follows everybody until the first process has ended. */
static int follow(pid_t first)
{
	int status, result = 99;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		struct task *t = task_of(pid);
		int number = WIFSTOPPED(status) ? WSTOPSIG(status) : 0;

		if (!WIFSTOPPED(status)) {
			t->pid = 0;
			if (pid != first)
				continue;
			result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
			continue;
		}
		if (number == (SIGTRAP | 0x80)) {
			at_call(t);
			number = 0;
		} else if (status >> 16) { /* an event: of fork, or exec */
			t->fresh = true;
			number = 0;
		} else if (number == SIGSTOP) { /* how a new one begins */
			number = 0;
		}
		ptrace(PTRACE_SYSCALL, pid, 0L, (long)number);
	}
	return result;
}

static pid_t start(char **argv)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
			     PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, 0L, 0L);
		raise(SIGSTOP);
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || ptrace(PTRACE_SETOPTIONS, pid, 0L, options) != 0) {
		perror("inject");
		exit(99);
	}
	ptrace(PTRACE_SYSCALL, pid, 0L, 0L);
	return pid;
}

static void write_log(void)
{
	FILE *out = log_path ? fopen(log_path, "we") : NULL;

	if (out) {
		fprintf(out, "%ld %ld\n", counted, failed_nr);
		fclose(out);
	}
}

/* Nothing may hang: what is traced ends with us (EXITKILL). */
static void too_long(int number)
{
	(void)number;
	write_log();
	_exit(124);
}

int main(int argc, char **argv)
{
	int option, result;

	while ((option = getopt(argc, argv, "+n:e:km:a:l:s:")) != -1) {
		switch (option) {
		case 'n':
			wanted = atol(optarg);
			break;
		case 'e':
			error_number = atoi(optarg);
			break;
		case 'k':
			kills = true;
			break;
		case 'm':
			object = optarg;
			break;
		case 'a':
			executable = optarg;
			break;
		case 's':
			only = atol(optarg);
			break;
		case 'l':
			log_path = optarg;
			break;
		default:
			return 2;
		}
	}
	if (optind >= argc || (!object && !executable))
		return 2;
	signal(SIGALRM, too_long);
	alarm(LIMIT);
	first_process = start(argv + optind);
	result = follow(first_process);
	write_log();
	return result;
}
