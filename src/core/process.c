#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>

#include <portshim/process.h>

#include "sys.h"
#include "text.h"

/* One word, so that threads and a vfork child that shares our memory can only ever see a whole identity; it is believed
 * only for the pid that it names. */
static _Atomic uint64_t self;

/* Fields 3 (state) and 22 (start time) of /proc/PID/stat. The command in field 2 may contain anything, also ')'. */
static bool stat_read(const char *path, char *state, uint64_t *start)
{
	char text[1024];
	long fd = sys4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	long size;
	unsigned field = 2;
	long i;

	if (fd < 0)
		return false;
	size = sys3(SYS_read, fd, text, sizeof(text));
	sys1(SYS_close, fd);
	if (size <= 0)
		return false;
	for (i = size - 1; i >= 0 && text[i] != ')'; i--)
		;
	if (i < 0)
		return false;
	*start = 0;
	for (i++; i < size && field <= 22; i++) {
		if (text[i] == ' ') {
			field++;
			continue;
		}
		if (field == 3)
			*state = text[i];
		else if (field == 22)
			*start = *start * 10 + (uint64_t)(text[i] - '0');
	}
	return field >= 22;
}

static uint64_t identity(int32_t pid, uint64_t start)
{
	return start << PS_PID_BITS | ((uint64_t)pid & ((1u << PS_PID_BITS) - 1));
}

uint64_t process_self(void)
{
	int32_t pid = (int32_t)sys0(SYS_getpid);
	uint64_t known = atomic_load_explicit(&self, memory_order_relaxed);
	uint64_t start;
	char state;

	if (process_pid(known) == pid)
		return known;
	if (!stat_read("/proc/self/stat", &state, &start))
		start = 0;
	known = identity(pid, start);
	atomic_store_explicit(&self, known, memory_order_relaxed);
	return known;
}

uint64_t process_of(int32_t pid)
{
	char path[32];
	struct ps_text t = text_start(path, sizeof(path));
	uint64_t start;
	char state = 0;

	if (pid <= 0)
		return 0;
	text_add(&t, "/proc/");
	text_number(&t, (uint64_t)pid);
	text_add(&t, "/stat");
	text_end(&t);
	if (stat_read(path, &state, &start))
		return state == 'Z' || state == 'X' ? 0 : identity(pid, start);
	/* Without /proc (or with hidepid=2, proc(5)) only the pid can be asked for. */
	return sys2(SYS_kill, pid, 0) == -ESRCH || sys3(SYS_faccessat, AT_FDCWD, "/proc/self/stat", 0) == 0
		       ? 0
		       : identity(pid, 0);
}

bool process_alive(uint64_t known)
{
	uint64_t now = process_of(process_pid(known));

	if (!known || !now)
		return false;
	/* proc(5) has starts in ticks of 1/100 s. */
	if (known & PS_STARTED_BY)
		return process_start(now) <= process_start(known) + 1;
	return process_start(known) == 0 || process_start(now) == 0 || known == now;
}
