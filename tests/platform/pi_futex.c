/* A priority-inheritance futex in shared memory dies with its holder: ESRCH for a dead owner without waiters, and the
 * kernel hands it on, marked FUTEX_OWNER_DIED, when an owner dies that somebody waits for. src/core/lock.c depends on
 * both. */
#include <linux/futex.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../check.h"

struct shared {
	_Atomic uint32_t word;
	_Atomic uint32_t waiter;
};

static long futex(_Atomic uint32_t *word, int operation)
{
	return syscall(SYS_futex, word, operation, 0, NULL, NULL, 0);
}

/* A process that takes the lock and dies with it once somebody waits in the kernel. */
static pid_t holder(struct shared *s)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	atomic_store(&s->word, (uint32_t)getpid());
	for (;;) {
		if (atomic_load(&s->word) & FUTEX_WAITERS)
			_exit(0);
		usleep(100);
	}
}

int main(void)
{
	struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint32_t me = (uint32_t)getpid();
	pid_t pid;
	int status;

	if (s == MAP_FAILED)
		check_fatal("mmap");
	pid = fork();
	if (!pid)
		_exit(0);
	waitpid(pid, &status, 0);
	atomic_store(&s->word, (uint32_t)pid);
	CHECK(futex(&s->word, FUTEX_LOCK_PI) == -1 && errno == ESRCH, "the owner is dead, nobody waits: ESRCH");

	atomic_store(&s->word, me);
	CHECK(futex(&s->word, FUTEX_LOCK_PI) == -1 && errno == EDEADLK, "one's own lock: EDEADLK");
	CHECK(!futex(&s->word, FUTEX_UNLOCK_PI) && !atomic_load(&s->word), "unlocked");

	pid = holder(s);
	while (!atomic_load(&s->word))
		usleep(100);
	CHECK(!futex(&s->word, FUTEX_LOCK_PI), "the owner dies while we wait: it is ours");
	CHECK((atomic_load(&s->word) & FUTEX_TID_MASK) == me, "the word names us");
	CHECK(!futex(&s->word, FUTEX_UNLOCK_PI), "and can be unlocked");
	waitpid(pid, &status, 0);
	return check_finish();
}
