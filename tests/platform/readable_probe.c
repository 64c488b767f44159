/* rt_sigprocmask with an invalid `how` copies the new mask in before it looks at `how`: EFAULT tells that eight bytes
 * cannot be read, EINVAL that they can, and the mask stays as it is. kernel_readable() asks in this way: no
 * descriptor, no signal handler, one system call. */
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../check.h"

static int probe(const void *p)
{
	errno = 0;
	return syscall(SYS_rt_sigprocmask, -1, p, NULL, 8) == -1 ? errno : 0;
}

int main(void)
{
	long page = sysconf(_SC_PAGESIZE);
	char *two = mmap(NULL, 2 * (size_t)page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	sigset_t before, after;

	if (two == MAP_FAILED || munmap(two + page, (size_t)page))
		check_fatal("mmap");
	memset(two, 0xff, (size_t)page); /* a mask that would block everything */
	sigemptyset(&before);
	sigaddset(&before, SIGUSR1);
	sigprocmask(SIG_SETMASK, &before, NULL);
	CHECK(probe(two) == EINVAL, "readable");
	CHECK(probe(two + page - 8) == EINVAL, "the last eight bytes of a page");
	CHECK(probe(two + page - 7) == EFAULT, "one byte too far");
	CHECK(probe(two + page) == EFAULT, "unmapped");
	CHECK(probe((void *)(uintptr_t)8) == EFAULT, "the first page");
	CHECK(probe(NULL) == 0, "NULL means no mask, and is not read: callers must look for it themselves");
	CHECK(probe((void *)UINTPTR_MAX) == EFAULT, "the last address");
	CHECK(!mprotect(two, (size_t)page, PROT_READ) && probe(two) == EINVAL, "read-only memory is readable");
	CHECK(!mprotect(two, (size_t)page, PROT_NONE) && probe(two) == EFAULT, "protected memory is not");
	sigprocmask(SIG_SETMASK, NULL, &after);
	CHECK(sigismember(&after, SIGUSR1) == 1 && sigismember(&after, SIGUSR2) == 0 &&
		      sigismember(&after, SIGTERM) == 0,
	      "the mask did not change");
	return check_finish();
}
