/*
 * The contract of the exec family and of posix_spawn(3): which program runs, with which arguments and environment, and
 * which error is given when none does. What portshim adds is known: LD_PRELOAD and PORTSHIM_RUN, where they are
 * missing. All else of the environment arrives as it was, in its order.
 *
 * This program is its own child: with CONTRACT_CHILD as the first argument it prints its arguments and environment.
 */
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "contract.h"

#define CHILD "CONTRACT_CHILD"

extern char **environ;
static char self[4096], directory[] = "/tmp/portshim-exec.XXXXXX";

/* ---- the child ---- */

static bool is_portshims(const char *variable)
{
	return !strncmp(variable, "LD_PRELOAD=", 11) || !strncmp(variable, "PORTSHIM", 8);
}

static int child(char **argv)
{
	for (int i = 1; argv[i]; i++)
		printf("[%s]", argv[i]);
	printf(" |");
	for (char **e = environ; *e; e++)
		if (!is_portshims(*e))
			printf(" %.40s%s", *e, strlen(*e) > 40 ? "..." : "");
	printf("\n");
	/* the library is there exactly where it was in the parent, however the environment was given */
	printf("%d\n", getenv("LD_PRELOAD") && strstr(getenv("LD_PRELOAD"), "libportshim"));
	return 0;
}

/* ---- the ways to start a program ---- */

enum way { EXECVE, EXECV, EXECVP, EXECVPE, EXECL, EXECLP, EXECLE, FEXECVE, EXECVEAT, SPAWN, SPAWNP, WAYS };
static const char *const ways[] = { "execve", "execv",	 "execvp",   "execvpe",	   "execl",	  "execlp",
				    "execle", "fexecve", "execveat", "posix_spawn", "posix_spawnp" };

struct start {
	const char *path;
	char *const *argv, *const *envp; /* for the ways that have no envp, the child's environ is set */
	int fd, flags;			 /* fexecve and execveat: if fd is not 0, they take this descriptor */
	bool vfork;
};

static bool takes_environment(enum way way)
{
	return way == EXECVE || way == EXECVPE || way == EXECLE || way >= FEXECVE;
}

static int replace_by(enum way way, const struct start *s)
{
	char *const *v = s->argv;
	int fd = s->fd;

	switch (way) {
	case EXECVE:
		return execve(s->path, s->argv, s->envp);
	case EXECV:
		return execv(s->path, s->argv);
	case EXECVP:
		return execvp(s->path, s->argv);
	case EXECVPE:
		return execvpe(s->path, s->argv, s->envp);
	case EXECL:
		return execl(s->path, v[0], v[1], v[2], v[3], NULL);
	case EXECLP:
		return execlp(s->path, v[0], v[1], v[2], v[3], NULL);
	case EXECLE:
		return execle(s->path, v[0], v[1], v[2], v[3], NULL, s->envp);
	case FEXECVE:
		if (!fd)
			fd = open(s->path, O_PATH | O_CLOEXEC);
		return fd < 0 && !s->fd ? -1 : fexecve(fd, s->argv, s->envp);
	default:
		return execveat(s->fd ? s->fd : AT_FDCWD, s->path, s->argv, s->envp, s->flags);
	}
}

/* Starts it in a child; 0, or the error that the call gave there. */
static int start(enum way way, const struct start *s, pid_t *pid)
{
	volatile int error = 0;
	int pipes[2], status;

	if (way >= SPAWN) {
		errno = CONTRACT_ERRNO;
		error = (way == SPAWN ? posix_spawn : posix_spawnp)(pid, s->path, NULL, NULL, s->argv, s->envp);
		/* it may have changed, as in a search of PATH */
		contract_note("errno %s", errno == CONTRACT_ERRNO ? "untouched" : strerrorname_np(errno));
		return error;
	}
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	*pid = s->vfork ? vfork() : fork();
	if (!*pid) {
		if (!takes_environment(way))
			environ = (char **)s->envp;
		replace_by(way, s);
		error = errno;
		if (write(pipes[1], (void *)&error, sizeof(error)) != sizeof(error))
			_exit(2);
		_exit(1);
	}
	close(pipes[1]);
	error = 0;
	if (read(pipes[0], (void *)&error, sizeof(error)) == sizeof(error))
		waitpid(*pid, &status, 0);
	close(pipes[0]);
	return error;
}

/* Runs it, and notes what it said, or the error. */
static void run(const char *what, enum way way, const struct start *s)
{
	int output[2], before = dup(1), error, status;
	char text[8192];
	ssize_t size = 0, more;
	pid_t pid = -1;
	char **kept = environ;

	fflush(stdout);
	assert_int_equal(pipe2(output, O_CLOEXEC), 0);
	assert_int_equal(dup2(output[1], 1), 1);
	error = start(way, s, &pid);
	environ = kept;
	dup2(before, 1);
	close(before);
	close(output[1]);
	if (!error) {
		while ((more = read(output[0], text + size, sizeof(text) - 1 - (size_t)size)) > 0)
			size += more;
		text[size] = '\0';
		assert_int_equal(waitpid(pid, &status, 0), pid);
		contract_note("%s, %s: status %x", what, ways[way], (unsigned)status);
		for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
			if (strcmp(line, "0") != 0 && strcmp(line, "1") != 0)
				contract_note("%s", line);
			else if (contract_moved()) /* in a run, every child is in it */
				assert_string_equal(line, "1");
	} else {
		contract_note("%s, %s: %s", what, ways[way], strerrorname_np(error));
	}
	close(output[0]);
}

static char *arguments[] = { (char[]){ "me" }, (char[]){ CHILD }, (char[]){ "a b" }, (char[]){ "" }, NULL };

static void environments(void **state)
{
	static char long_value[20000];
	char *usual[] = { (char[]){ "Z=last comes first" }, (char[]){ "A=1" }, (char[]){ "A=2" }, NULL };
	char *odd[] = { (char[]){ "" }, (char[]){ "no equals" }, (char[]){ "=x" }, (char[]){ "E=" },
			(char[]){ "LD_PRELOADED=mine" }, (char[]){ "PATH=/nonexistent" }, NULL };
	char *none[] = { NULL }, *large[] = { long_value, (char[]){ "B=2" }, NULL };
	char *many[1001] = { NULL };

	(void)state;
	memset(long_value, 'x', sizeof(long_value) - 1);
	long_value[1] = '=';
	for (int i = 0; i < 1000; i++)
		many[i] = (char[]){ "M=many" };
	for (enum way way = 0; way < WAYS; way++) {
		struct start s = { .path = self, .argv = arguments, .envp = usual };

		run("usual", way, &s);
		s.envp = odd;
		run("odd", way, &s);
		s.envp = none;
		run("none", way, &s);
		s.envp = large;
		run("large", way, &s);
		s.vfork = true;
		s.envp = usual;
		if (takes_environment(way))
			run("vfork", way, &s);
		/* Linux takes NULL for an environment, too */
		s.vfork = false;
		s.envp = NULL;
		if (takes_environment(way))
			run("NULL", way, &s);
	}
	run("many", EXECVE, &(struct start){ .path = self, .argv = arguments, .envp = many });
}

static void make_file(const char *name, const char *content, mode_t mode)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, mode);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), (int)strlen(content));
	close(fd);
}

static void programs(void **state)
{
	static char too_long[5000];
	char paths[][256] = { "/nonexistent", "", "/dev/null/x", "/", "loop", "text", "closed", "script", "missing" };
	char path_variable[300], *environment[] = { path_variable, NULL };

	(void)state;
	assert_non_null(mkdtemp(directory));
	make_file("text", "echo without an interpreter\n", 0755);
	make_file("closed", "#!/bin/sh\n", 0644);
	make_file("script", "#!/bin/sh\necho \"script $# $1\"\n", 0755);
	make_file("missing", "#!/nonexistent/interpreter\n", 0755);
	for (size_t i = 4; i < sizeof(paths) / sizeof(paths[0]); i++) {
		char name[256];

		memcpy(name, paths[i], sizeof(name));
		snprintf(paths[i], sizeof(paths[i]), "%s/%.100s", directory, name);
	}
	assert_int_equal(symlink("loop", paths[4]), 0);
	memset(too_long, 'x', sizeof(too_long) - 1);
	too_long[0] = '/';
	snprintf(path_variable, sizeof(path_variable), "PATH=/nonexistent:%s", directory);
	setenv("PATH", path_variable + 5, 1);
	for (enum way way = 0; way < WAYS; way++) {
		for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
			run(i < 4 ? paths[i] : strrchr(paths[i], '/'), way,
			    &(struct start){ .path = paths[i], .argv = arguments, .envp = environment });
		run("too long", way, &(struct start){ .path = too_long, .argv = arguments, .envp = environment });
		/* a search of PATH, for those that do */
		run("script by name", way, &(struct start){ .path = "script", .argv = arguments, .envp = environment });
		run("unknown name", way, &(struct start){ .path = "unknown", .argv = arguments, .envp = environment });
		run("closed by name", way, &(struct start){ .path = "closed", .argv = arguments, .envp = environment });
	}
	for (size_t i = 4; i < sizeof(paths) / sizeof(paths[0]); i++)
		unlink(paths[i]);
	rmdir(directory);
}

/* Descriptors and flags of fexecve(3) and execveat(2). */
static void by_descriptor(void **state)
{
	char *environment[] = { (char[]){ "A=1" }, NULL };
	int fd = open(self, O_RDONLY | O_CLOEXEC), slash = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct start s = { .path = "", .argv = arguments, .envp = environment, .fd = fd, .flags = AT_EMPTY_PATH };

	(void)state;
	run("a file", FEXECVE, &s);
	run("an empty path", EXECVEAT, &s);
	s.flags = 0;
	run("an empty path without the flag", EXECVEAT, &s);
	s.flags = 0x40000000;
	run("an unknown flag", EXECVEAT, &s);
	s.fd = slash;
	s.path = self + 1;
	s.flags = 0;
	run("below a directory", EXECVEAT, &s);
	s.path = "proc/self/exe";
	s.flags = AT_SYMLINK_NOFOLLOW;
	run("a link that is not followed", EXECVEAT, &s);
	s.fd = 12345;
	s.flags = 0;
	run("no descriptor", EXECVEAT, &s);
	run("no descriptor", FEXECVE, &s);
	s.fd = slash;
	run("a directory", FEXECVE, &s);
	close(slash);
	close(fd);
}

/* Pointers that cannot be read: EFAULT, and no crash. */
static void bad_pointers(void **state)
{
	char *environment[] = { (char[]){ "A=1" }, NULL };
	char *broken[] = { (char[]){ "A=1" }, (char *)8, NULL }, *unmapped[] = { contract_unmapped(), NULL };
	char *half[] = { (char[]){ "A=1" }, contract_edge("B=half", 6), NULL };
	char *ours[] = { (char[]){ "A=1" }, contract_edge("LD_PRELOAD=/half", 16), NULL };
	char *name[] = { contract_edge("LD_PRE", 6), NULL }, *last[] = { contract_edge("P=1", 4), NULL };
	char *open_end[] = { (char[]){ "A=1" }, (char[]){ "B=2" } };
	static const enum way system_calls[] = { EXECVE, FEXECVE, EXECVEAT, SPAWN, EXECVPE };

	(void)state;
	for (size_t i = 0; i < sizeof(system_calls) / sizeof(system_calls[0]); i++) {
		enum way way = system_calls[i];
		struct start s = { .path = self, .argv = arguments, .envp = (char **)8 };

		run("environment at 8", way, &s);
		s.envp = contract_unmapped();
		run("environment unmapped", way, &s);
		s.envp = contract_edge(open_end, sizeof(open_end));
		run("environment without an end", way, &s);
		s.envp = broken;
		run("variable at 8", way, &s);
		s.envp = unmapped;
		run("variable unmapped", way, &s);
		s.envp = half;
		run("variable without an end", way, &s);
		s.envp = ours;
		run("LD_PRELOAD without an end", way, &s);
		s.envp = name;
		run("a name without an end", way, &s);
		s.envp = last;
		run("the last bytes of memory", way, &s);
		s.envp = environment;
		s.argv = (char **)8;
		if (way < SPAWN && way != EXECVPE) /* libc itself counts the arguments for the others */
			run("arguments at 8", way, &s);
		s.argv = arguments;
		if (way == EXECVE || way == EXECVEAT) {
			s.path = contract_unmapped();
			run("path unmapped", way, &s);
			s.path = NULL;
			run("no path", way, &s);
		}
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest exec_contract[] = {
		cmocka_unit_test(environments),
		cmocka_unit_test(programs),
		cmocka_unit_test(by_descriptor),
		cmocka_unit_test(bad_pointers),
	};
	ssize_t size;

	if (argc > 1 && !strcmp(argv[1], CHILD))
		return child(argv);
	size = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (size <= 0)
		return 2;
	return contract_main(exec_contract);
}
