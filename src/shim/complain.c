/*
 * What the library says in somebody else's process: one line on stderr, once, where something does not work (law 12).
 *
 * At the start that is one line in the first process that cannot work; its children are told to keep quiet. Later, a
 * run's keeper says it. Where there is none (`portshim exec`, a library preloaded by hand), the process that has met
 * the trouble does, once for each kind of trouble in the run. A connect that is refused and a bind that finds no port
 * are no trouble of ours: there the program gets an errno, and says what it thinks of it.
 */
#include <poll.h>
#include <signal.h>

#include <portshim/blame.h>
#include <portshim/call.h>
#include <portshim/discovery.h>

#include "shim.h"

#include "../core/sys.h"
#include "../core/text.h"

#define EXIT_STRICT 125

#define BIT(number) (UINT64_C(1) << ((number) - 1))

/* Descriptor 2 is whatever the program made of it. It may be a connection that got the number of a stderr that was
 * closed: that gets nothing. It may be a pipe that nobody reads: that must neither hold the program up nor end it. */
static bool takes_lines(void)
{
	struct pollfd fd = {.fd = 2, .events = POLLOUT};
	const struct timespec now = {0};
	int domain = call_option(2, SOL_SOCKET, SO_DOMAIN);

	return domain != AF_INET && domain != AF_INET6 && sys5(SYS_ppoll, &fd, 1, &now, 0, 8) == 1 &&
	       fd.revents & POLLOUT;
}

static void put(char *line, struct ps_text *t)
{
	const uint64_t ends = BIT(SIGPIPE) | BIT(SIGXFSZ); /* what a write can end a program by */
	const struct timespec now = {0};
	uint64_t mask, pending = 0;

	text_end(t);
	if (!takes_lines())
		return;
	sys4(SYS_rt_sigprocmask, 0 /* SIG_BLOCK */, &ends, &mask, sizeof(mask));
	sys2(SYS_rt_sigpending, &pending, sizeof(pending));
	if (sys_again(sys3(SYS_write, 2, line, text_length(line))) < 0 && !(pending & ends))
		sys4(SYS_rt_sigtimedwait, &ends, 0, &now, sizeof(ends));
	sys4(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, &mask, 0, sizeof(mask));
}

/* The file that is to blame may be another one than the run's. */
static int find_culprit(const char *run_path, char *path, int error)
{
	char runtime[PS_RUNTIME_MAX];
	uint32_t id;
	int found = space_split(run_path, runtime, &id);

	text_copy(path, PS_RUNTIME_MAX + 16, run_path);
	if (found == 0)
		found = space_culprit(runtime, id, path);
	/* what is not there could not be made: `error` says why */
	return found && found != -ENOENT ? found : error;
}

void complain_start(const char *path, int error, bool stop)
{
	char line[1024], culprit[PS_RUNTIME_MAX + 16];
	struct ps_text t = text_start(line, sizeof(line));
	struct ps_blame blame;
	uint32_t id;

	if (space_split(path, culprit, &id) == 0) {
		error = find_culprit(path, culprit, error);
		blame_file(&blame, culprit, error);
		if (error == -ENOENT)
			text_copy(blame.why, sizeof(blame.why), "the run that it belongs to is over");
	} else {
		text_copy(culprit, sizeof(culprit), path);
		blame_runtime(&blame, path, error);
		if (*path != '/' && error != -EINVAL) /* the working directory: another runtime directory does not help */
			blame.todo[0] = '\0';
		if (error == -EINVAL && *path == '/') { /* PORTSHIM_RUN names something else */
			text_copy(blame.why, sizeof(blame.why), "it is no run of portshim's");
			blame.todo[0] = '\0';
		}
	}
	text_add(&t, "portshim: cannot use ");
	text_add(&t, culprit);
	text_add(&t, ": ");
	text_add(&t, blame.why);
	if (blame.todo[0]) {
		text_add(&t, " (");
		text_add(&t, blame.todo);
		text_char(&t, ')');
	}
	text_add(&t, stop ? "; stopped, because of --strict\n" : "; the library maps no ports in this program\n");
	put(line, &t);
	if (stop)
		sys1(SYS_exit_group, EXIT_STRICT);
}

void complain_elsewhere(const char *directory, const char *discovery)
{
	char line[2 * PS_PATH_MAX + 128];
	struct ps_text t = text_start(line, sizeof(line));

	text_add(&t, "portshim: nothing can be written in ");
	text_add(&t, directory);
	text_add(&t, "; the discovery file is ");
	text_add(&t, discovery);
	text_char(&t, '\n');
	put(line, &t);
}

static void say_unmapped(struct ps_text *t, enum ps_event_kind kind, uint16_t port)
{
	if (port) {
		text_number(t, port);
		text_add(t, " is not mapped: ");
	}
	if (kind == PS_EVENT_UNMAPPED)
		text_add(t, "the registry cannot be written: ");
	else if (kind == PS_EVENT_UNMOVED)
		text_add(t, "another program listened there first, and the socket cannot be replaced: ");
	else if (port)
		text_add(t, "the kernel does not say who listens there: ");
	else
		text_add(t, "a server is not recorded: the kernel does not say its port: ");
}

static void tell(const struct ps_space *space, enum ps_event_kind kind, uint16_t port, int error)
{
	char line[PS_PATH_MAX + 256], room[24];
	struct ps_text t = text_start(line, sizeof(line));
	const char *name;

	text_add(&t, "portshim: ");
	switch (kind) {
	case PS_EVENT_UNRECORDED:
	case PS_EVENT_UNNAMED:
		name = kind == PS_EVENT_UNNAMED ? discovery_service_path(space, port) : space->env->discovery;
		text_add(&t, "the discovery file ");
		text_add(&t, name);
		text_add(&t, " cannot be written: ");
		text_add(&t, error == ENOENT ? "its directory is missing; make it" : blame_errno(-error, room));
		break;
	case PS_EVENT_UNMAPPED:
	case PS_EVENT_UNASKED:
	case PS_EVENT_UNMOVED:
		say_unmapped(&t, kind, port);
		text_add(&t, blame_errno(-error, room));
		break;
	default:
		text_add(&t, "the registry stayed locked (by a stopped process?); this one went on without it");
		break;
	}
	text_char(&t, '\n');
	put(line, &t);
}

void shim_event(struct ps_space *space, enum ps_event_kind kind, uint16_t port, int error)
{
	uint32_t told = PS_SCOPE_TOLD << kind;

	space_event(space, kind, port, error);
	if (kind != PS_EVENT_REFUSED && kind != PS_EVENT_EXHAUSTED && kind < PS_EVENT_UNYIELDED &&
	    !(atomic_load(&space->run->flags) & PS_SCOPE_KEPT) && !(atomic_fetch_or(&space->run->flags, told) & told))
		tell(space, kind, port, error);
}
