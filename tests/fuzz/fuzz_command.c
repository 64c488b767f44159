/*
 * fuzz_command.c - any words as a command line: every command, called as main() calls it, up to where a program
 * would be started. It must end, with one of its exit codes.
 *
 * An input is a byte that says where the command is called and what the environment has, then words that end with a 0.
 * A word of one byte above 127 stands for one of the words that commands know, so that not all of them have to be
 * found by chance. There are two projects, one with a manifest, and a run that is going on.
 */
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <portshim/process.h>
#include <portshim/space.h>

#include "fuzz.h"

/* The whole command line is in this file. */
#define main portshim_main
int portshim_main(int argc, char **argv);
#include "../../src/cli/main.c"
#undef main

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define WORDS 16
#define CLEAN_EVERY 64

static char top[] = "/dev/shm/portshim-fuzz-XXXXXX";
static char runtime[64], projects[3][64], library[64], run_path[PS_RUNTIME_MAX + 16];
static unsigned calls;

/* ---- nothing is started, and nothing waited for ---- */

pid_t fork(void)
{
	errno = EAGAIN;
	return -1;
}

/* The sanitizer's is weaker. */
pid_t vfork(void)
{
	errno = EAGAIN;
	return -1;
}

int execvp(const char *file, char *const *argv)
{
	MUST(argv[0] == file);
	errno = strchr(file, '/') ? EACCES : ENOENT;
	return -1;
}

int inotify_init1(int flags)
{
	(void)flags;
	errno = EMFILE;
	return -1;
}

/* ---- the place ---- */

static void put_file(const char *directory, const char *name, const char *text)
{
	char path[PS_PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	MUST(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	remove(path);
	return 0;
}

static void remove_tree(void)
{
	nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_tree(void)
{
	static const char manifest[] =
		"{\"version\":1,\"project\":\"shop\",\"services\":{"
		"\"web\":{\"ports\":[3000,3001],\"range\":\"3000-3099\",\"env\":[\"PORT\"],\"match\":{\"command\":\"node*\"}},"
		"\"api\":{\"port\":4000,\"env\":{\"API\":\"{api.url}/v1\"},\"strategy\":\"conservative\"},"
		"\"db\":{\"port\":5432,\"external\":true},"
		"\"live\":{\"inherit\":\"web\",\"scheme\":\"ws\"}},"
		"\"profiles\":{\"test\":{\"offset\":100}}}";
	struct ps_scope_spec of_env = {.key = "name:b", .name = "b", .directory = projects[1]};
	struct ps_scope_spec of_run = {.name = "b", .root = process_self()};
	struct ps_scope *env, *run;

	snprintf(runtime, sizeof(runtime), "%s/runtime", top);
	MUST((mkdir(top, 0700) == 0 || errno == EEXIST) && mkdir(runtime, 0700) == 0);
	for (unsigned i = 0; i < COUNT(projects); i++) {
		snprintf(projects[i], sizeof(projects[i]), i == 2 ? "%s/p0/deep" : "%s/p%u", top, i);
		MUST(mkdir(projects[i], 0700) == 0);
	}
	put_file(projects[0], "ports.manifest.json", manifest);
	put_file(projects[1], "bad.json", "{\"version\":1,\"services\":{\"web\":{\"port\":99999}");
	put_file(projects[1], "script", "#!/bin/sh\n");
	put_file(top, "lib.so", "");
	snprintf(library, sizeof(library), "%s/lib.so", top);
	MUST(space_open_env(runtime, &of_env, &env) == 0);
	of_run.chain[0] = env->id;
	MUST(space_create_run(runtime, &of_run, run_path, &run) == 0);
	space_close_scope(env);
	space_close_scope(run);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	MUST(mkdtemp(top));
	make_tree();
	atexit(remove_tree);
	fuzz_hush();
	return 0;
}

static void set_environment(struct fuzz *f, uint8_t how)
{
	static const char *const names[] = {"PORTSHIM_RUN", "PORTSHIM_ENV", "PORTSHIM_PROFILE", "PORTSHIM_MANIFEST",
					    "PORTSHIM_STRICT", "LD_PRELOAD", "PORT", "TERM"};
	char value[256];

	clearenv();
	setenv("PATH", "/usr/bin", 1);
	setenv("PORTSHIM_RUNTIME_DIR", runtime, 1);
	setenv("PORTSHIM_LIBRARY", library, 1);
	if (how & 4)
		setenv("PORTSHIM_RUN", run_path, 1);
	for (unsigned n = how >> 5 & 3; n; n--) {
		uint8_t which = (uint8_t)fuzz_take(f, 1) % COUNT(names);

		fuzz_string(f, value, sizeof(value));
		setenv(names[which], value, 1);
	}
}

static char *take_word(struct fuzz *f)
{
	static const char *const known[] = {
		"run", "exec", "status", "port", "url", "env", "wait", "why", "doctor", "validate", "check", "map", "next", "help", "version",
		"__complete", "--help", "-h", "--version", "-V", "--", "--json", "--env", "--isolate", "--profile",
		"--manifest", "--service", "--strategy", "--allow", "--static",
		"--allow-io-uring", "--strict", "--quiet", "-q", "--verbose", "-v",
		"--timeout", "--any", "--all", "--format", "--env=b", "--env=", "--allow=b", "--profile=test",
		"--manifest=bad.json", "--service=web", "--service=api", "--strategy=conservative", "--timeout=0",
		"--timeout=forever", "minimal", "aggressive", "web", "api", "db", "live", "3000", "4000", "5432", "65536", "0",
		"b", "shop", "test", "node", "./script", "/bin/sh", "/", ".", "ports.manifest.json", "bad.json", "sh", "fish",
		"dotenv", "json", "bash", "zsh", "--all=1", "-", "--x", "-qv",
	};
	char word[512];

	fuzz_string(f, word, sizeof(word));
	if (*word & 0x80 && !word[1])
		return strdup(known[(*word & 0x7f) % COUNT(known)]);
	return strdup(word);
}

/* 125 and 126 and 127 are those of run and exec. */
static void check_code(int code)
{
	MUST((code >= 0 && code <= 3) || (code >= 125 && code <= 127));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = {data, data + size};
	char *words[WORDS + 2] = {0}, *own[WORDS + 2];
	uint8_t how = (uint8_t)fuzz_take(&f, 1);
	int count = 1;

	if (++calls % CLEAN_EVERY == 0) {
		remove_tree();
		make_tree();
	}
	MUST(chdir(projects[(how & 3) % COUNT(projects)]) == 0);
	set_environment(&f, how);
	words[0] = strdup("portshim");
	while (f.at < f.end && count < WORDS)
		words[count++] = take_word(&f);
	memcpy(own, words, sizeof(own)); /* the commands put them into another order */
	check_code(portshim_main(count, words));
	for (int i = 0; i < count; i++)
		free(own[i]);
	clearenv();
	return 0;
}
