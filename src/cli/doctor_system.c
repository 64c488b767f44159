/*
 * doctor_system.c - is this system fit for portshim?
 *
 * Theory of operation: each look is a function that adds one finding. What portshim cannot do without is PS_UNFIT;
 * what makes it slower, or takes one feature away, is a note. The library is not only looked for: a copy of this
 * program is started with it preloaded and says whether it is there.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <portshim/blame.h>
#include <portshim/kernel.h>
#include <portshim/process.h>
#include <portshim/space.h>

#include "../notify/probe.h"

#include "doctor.h"
#include "error.h"
#include "filter.h"
#include "library.h"
#include "output.h"
#include "refusal.h"

#define DEFAULT_FIRST 20000
#define DEFAULT_LAST 29999

static bool read_setting(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "re");
	bool ok = file && fgets(text, (int)size, file);

	if (file)
		fclose(file);
	if (ok)
		text[strcspn(text, "\n")] = '\0';
	return ok;
}

/* What is to be done about a runtime directory on a disk: is there one in memory that was refused? */
static void advise_runtime(char *hint, size_t size)
{
	const char *chosen = getenv("PORTSHIM_RUNTIME_DIR");
	struct ps_blame blame;
	char path[64];

	snprintf(path, sizeof(path), "/dev/shm/portshim-%u", (unsigned)geteuid());
	if ((chosen && *chosen) || access(path, F_OK) != 0) {
		snprintf(hint, size, "mount /dev/shm, or let PORTSHIM_RUNTIME_DIR name a directory on a tmpfs");
		return;
	}
	blame_runtime(&blame, path, -EACCES);
	snprintf(hint, size, "%s was refused: %.70s; %.100s", path, blame.why, blame.todo);
}

static bool look_runtime(struct ps_findings *f, char *runtime)
{
	int result = space_runtime(runtime, environ);
	char path[PS_RUNTIME_MAX];
	struct ps_finding *found;
	struct ps_error error;
	struct statfs fs;

	if (result < 0) {
		refusal_runtime(&error, PS_EXIT_NO, runtime, result);
		found = doctor_add(f, "runtime-directory", PS_UNFIT, "%s", error.text);
		snprintf(found->hint, sizeof(found->hint), "%.255s", error.hint);
		return false;
	}
	output_path(path, sizeof(path), runtime);
	if (statfs(runtime, &fs) == 0 && fs.f_type == TMPFS_MAGIC) {
		doctor_add(f, "runtime-directory", PS_FIT, "%s, in memory (tmpfs)", path);
		return true;
	}
	found = doctor_add(f, "runtime-directory", PS_NOTE, "%s, on a disk: the first bind of a port takes longer",
			   path);
	advise_runtime(found->hint, sizeof(found->hint));
	return true;
}

static void look_registry(struct ps_findings *f, const char *runtime)
{
	struct ps_host *host;
	int result = space_open_host(runtime, &host);
	struct ps_finding *found;
	struct ps_error error;

	if (result < 0) {
		refusal_registry(&error, PS_EXIT_NO, runtime, 0, result);
		found = doctor_add(f, "registry", PS_UNFIT, "%s", error.text);
		snprintf(found->hint, sizeof(found->hint), "%.255s", error.hint);
	} else if (host->netns != kernel_netns(-1)) {
		found = doctor_add(f, "registry", PS_NOTE,
				   "it was made in another network namespace, whose ports are others");
		snprintf(found->hint, sizeof(found->hint), "here, let PORTSHIM_RUNTIME_DIR name another directory");
	} else {
		doctor_add(f, "registry", PS_FIT, "opens, and is this network namespace's");
	}
}

int doctor_preloaded(void)
{
	char line[1024];
	FILE *maps = fopen("/proc/self/maps", "re");
	bool found = false;

	while (maps && !found && fgets(line, sizeof(line), maps))
		found = strstr(line, PS_LIBRARY_FILE) != NULL;
	if (maps)
		fclose(maps);
	return found ? PS_EXIT_YES : PS_EXIT_NO;
}

/* Starts this program with the library preloaded. True if it says that the library is there. */
static bool try_preload(const char *name)
{
	char *preload = library_preload(NULL, name);
	int status = -1, null;
	pid_t child;

	if (!preload)
		return false;
	child = fork();
	if (child == 0) {
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		setenv("LD_PRELOAD", preload, 1);
		unsetenv("PORTSHIM_RUN");
		execl("/proc/self/exe", "portshim", "__preloaded", (char *)NULL);
		_exit(PS_EXIT_SYSTEM);
	}
	free(preload);
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == PS_EXIT_YES;
}

static void look_library(struct ps_findings *f, const char *runtime)
{
	char path[PS_PATH_MAX], name[PS_PATH_MAX], shown[PS_PATH_MAX];
	int result = library_find(path, sizeof(path));
	struct ps_finding *found;

	if (result < 0) {
		found = doctor_add(f, "library", PS_UNFIT, PS_LIBRARY_FILE " was not found: %s", strerror(-result));
		snprintf(
			found->hint, sizeof(found->hint),
			"it belongs beside portshim, or into ../lib from there; PORTSHIM_LIBRARY names it otherwise");
		return;
	}
	output_path(shown, 256, path);
	result = library_name(path, runtime, name, sizeof(name));
	if (result < 0)
		doctor_add(f, "library", PS_UNFIT,
			   "%s has a name that LD_PRELOAD cannot express, and no link to it can be made: %s", shown,
			   strerror(-result));
	else if (!try_preload(name))
		doctor_add(f, "library", PS_UNFIT, "%s does not get into a program that it is preloaded to", shown);
	else
		doctor_add(f, "library", PS_FIT, "%s, and preloading works", shown);
}

static void look_proc(struct ps_findings *f)
{
	if (process_start(process_self()) != 0)
		doctor_add(f, "proc", PS_FIT, "/proc is there");
	else
		doctor_add(f, "proc", PS_NOTE,
			   "/proc cannot be read: a reused pid cannot be told from the one before");
}

static bool ignore_listener(const struct ps_listener *listener, void *context)
{
	(void)listener;
	(void)context;
	return false;
}

static void look_sock_diag(struct ps_findings *f)
{
	int result = kernel_listeners(0, PS_TCP, ignore_listener, NULL);

	if (result >= 0)
		doctor_add(f, "sock-diag", PS_FIT, "the kernel says who listens");
	else
		doctor_add(f, "sock-diag", PS_NOTE,
			   "the kernel does not say who listens (%s): what is over is noticed late",
			   strerror(-result));
}

static void look_inotify(struct ps_findings *f, const char *runtime)
{
	int fd = inotify_init1(IN_CLOEXEC);
	struct ps_finding *found;

	if (fd >= 0 && inotify_add_watch(fd, runtime, IN_ATTRIB) >= 0) {
		doctor_add(f, "inotify", PS_FIT, "changes can be waited for");
	} else {
		found = doctor_add(f, "inotify", PS_NOTE, "changes cannot be waited for: %s", strerror(errno));
		snprintf(found->hint, sizeof(found->hint),
			 "raise fs.inotify.max_user_instances and max_user_watches");
	}
	if (fd >= 0)
		close(fd);
}

static void look_ipv6(struct ps_findings *f)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		doctor_add(f, "ipv6", PS_FIT, "::1 works");
	else
		doctor_add(f, "ipv6", PS_NOTE, "::1 does not work (%s): ports are looked at in IPv4 only",
			   strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void look_ports(struct ps_findings *f)
{
	struct ps_finding *found;
	char text[128];
	int first, last;

	if (read_setting("/proc/sys/net/ipv4/ip_unprivileged_port_start", text, sizeof(text)))
		doctor_add(f, "privileged-ports", PS_FIT, "below %s: an ordinary user's server is moved to another",
			   text);
	if (!read_setting("/proc/sys/net/ipv4/ip_local_port_range", text, sizeof(text)) ||
	    sscanf(text, "%d %d", &first, &last) != 2)
		return;
	if (first > DEFAULT_LAST || last < DEFAULT_FIRST) {
		doctor_add(f, "ephemeral-ports", PS_FIT, "%d-%d, apart from portshim's default range %d-%d", first,
			   last, DEFAULT_FIRST, DEFAULT_LAST);
		return;
	}
	found = doctor_add(f, "ephemeral-ports", PS_NOTE,
			   "%d-%d overlaps portshim's default range %d-%d: outgoing connections "
			   "may take ports that servers had last time",
			   first, last, DEFAULT_FIRST, DEFAULT_LAST);
	snprintf(found->hint, sizeof(found->hint), "choose another \"range\" under \"defaults\" in the manifest");
}

static void look_preload(struct ps_findings *f)
{
	const char *set = getenv("LD_PRELOAD"), *off = getenv("PORTSHIM");
	struct ps_finding *found;
	char clean[256];

	if (off && strcmp(off, "off") == 0) {
		found = doctor_add(f, "switched-off", PS_NOTE,
				   "PORTSHIM=off is set: nothing started from here is reached");
		snprintf(found->hint, sizeof(found->hint), "unset PORTSHIM");
	}
	if (!set || !set[0])
		return;
	output_clean(clean, sizeof(clean), set);
	doctor_add(f, "ld-preload", PS_NOTE, "LD_PRELOAD is set already and will be kept: %s", clean);
}

void doctor_second(struct ps_second *second)
{
	struct ps_filter filter = {0};
	struct ps_error error = {0};
	enum ps_static mode;

	memset(second, 0, sizeof(*second));
	if (filter_inherit(&filter)) {
		second->there = second->inherited = !filter.elsewhere;
		second->bars = filter.barred;
		if (filter.elsewhere)
			snprintf(second->why, sizeof(second->why), "%s", filter_elsewhere);
	} else if (filter_mode(NULL, &mode, &error) == 0 && mode == PS_STATIC_OFF) {
		snprintf(second->why, sizeof(second->why), "PORTSHIM_STATIC=off is set");
	} else {
		second->there = notify_attempt(second->why, sizeof(second->why)) == 0;
		second->bars = second->there && filter_bars();
	}
}

static void look_second(struct ps_findings *f)
{
	struct ps_second second;
	struct ps_finding *found;
	char setting[16] = "0";

	doctor_second(&second);
	if (!second.there) {
		found = doctor_add(f, "second-path", PS_NOTE, "static and Go programs are not reached: %s", second.why);
		snprintf(found->hint, sizeof(found->hint), "what loads the library is; portshim(1), \"The second path\"");
		return;
	}
	doctor_add(f, "second-path", PS_FIT, "static, Go and 32-bit programs are reached as well%s",
		   second.inherited ? ", by the run around this" : "");
	if (second.bars) {
		found = doctor_add(f, "no-new-privs", PS_NOTE,
				   "inside a run, sudo and other programs get no rights from their files");
		snprintf(found->hint, sizeof(found->hint), "for what needs them: portshim run --static=off");
	}
	if (read_setting("/proc/sys/kernel/io_uring_disabled", setting, sizeof(setting)) && strcmp(setting, "2") == 0)
		return;
	doctor_add(f, "io-uring", PS_FIT,
		   "inside a run programs are told that there is none, and use ordinary calls; --allow-io-uring");
}

static void look_yama(struct ps_findings *f)
{
	char scope[16];

	if (read_setting("/proc/sys/kernel/yama/ptrace_scope", scope, sizeof(scope)))
		doctor_add(f, "yama", PS_FIT, "ptrace_scope is %s", scope);
}

void doctor_system(struct ps_findings *f)
{
	char runtime[PS_RUNTIME_MAX];

	if (look_runtime(f, runtime)) {
		look_registry(f, runtime);
		look_library(f, runtime);
		look_inotify(f, runtime);
	}
	look_proc(f);
	look_sock_diag(f);
	look_ipv6(f);
	look_ports(f);
	look_preload(f);
	look_second(f);
	look_yama(f);
}
