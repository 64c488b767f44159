/*
 * test_recover.c - edit_apply ended before each of its system calls, as by kill -9, and what the next one makes of it.
 *
 * The calls that change something on the disk are replaced by ones that count, and end the process before the Nth.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/edit/edit_journal.h"

#define FILES 3
#define KILLED 77

static char folder[] = "/tmp/portshim-recover-XXXXXX";
static const char *const names[FILES] = { "a.yaml", "d/b.yaml", "d/c.yaml" };
static const char before[] = "port: 1000\n", after[] = "port: 20000\n", edited[] = "port: 1000 # mine\n";

/* ---- what stands between and the disk ---- */

static long calls, end_at; /* end_at 0: never */
static bool no_exchange;

static void count(void)
{
	if (++calls == end_at)
		_exit(KILLED);
}

int renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned flags)
{
	if (no_exchange && flags) {
		errno = EINVAL;
		return -1;
	}
	count();
	return (int)syscall(SYS_renameat2, from_directory, from, to_directory, to, flags);
}

int rename(const char *from, const char *to)
{
	count();
	return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlink(const char *path)
{
	count();
	return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int unlinkat(int directory, const char *path, int flags)
{
	count();
	return (int)syscall(SYS_unlinkat, directory, path, flags);
}

int fsync(int fd)
{
	(void)fd; /* a kill does not need it */
	count();
	return 0;
}

int fchmod(int fd, mode_t mode)
{
	count();
	return (int)syscall(SYS_fchmod, fd, mode);
}

/* Half of it, and the end: a file that is not whole. */
ssize_t write(int fd, const void *text, size_t size)
{
	if (calls + 1 == end_at)
		syscall(SYS_write, fd, text, size / 2);
	count();
	return syscall(SYS_write, fd, text, size);
}

/* ---- tools ---- */

static void put(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(syscall(SYS_write, fd, text, strlen(text)), strlen(text));
	close(fd);
}

static bool has(const char *name, const char *text)
{
	char found[256] = "";
	int fd = open(name, O_RDONLY);

	if (fd < 0)
		return !text;
	assert_true(read(fd, found, sizeof(found) - 1) >= 0);
	close(fd);
	return text && strcmp(found, text) == 0;
}

static int how_many(const char *text)
{
	int n = 0;

	for (int i = 0; i < FILES; i++)
		n += has(names[i], text);
	return n;
}

static int run_shell(const char *command)
{
	int status = system(command);

	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* How many there are in a directory; `remove`: those whose names begin like this go. */
static int entries(const char *directory, const char *remove)
{
	DIR *dir = opendir(directory);
	struct dirent *e;
	int n = 0;

	assert_non_null(dir);
	while ((e = readdir(dir))) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		n++;
		if (remove && strncmp(e->d_name, remove, strlen(remove)) == 0)
			assert_int_equal(syscall(SYS_unlinkat, dirfd(dir), e->d_name, 0), 0);
	}
	closedir(dir);
	return n;
}

/* Nothing but the files themselves. */
static bool is_clean(void)
{
	return entries(".", NULL) == 2 && entries("d", NULL) == 2;
}

static void all_before(void)
{
	entries(".", ".");
	entries("d", ".");
	for (int i = 0; i < FILES; i++)
		put(names[i], before);
}

static int apply_all(const char *text)
{
	struct ps_edit edit = { 0 };
	struct ps_error error = { 0 };
	struct ps_edit_file *file;
	int code = edit_start(&edit, ".", &error);

	for (int i = 0; !code && i < FILES; i++) {
		code = edit_open(&edit, names[i], &file, &error);
		if (!code)
			code = edit_splice(file, 6, 4, text, strlen(text));
	}
	code = code ? code : edit_apply(&edit, &error);
	edit_free(&edit);
	return code;
}

/* In a process of its own, ended before the Nth call. True if it was. */
static bool killed(int (*what)(const char *), const char *text, long n)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		calls = 0;
		end_at = n;
		_exit(what(text));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_true(WEXITSTATUS(status) == KILLED || WEXITSTATUS(status) == 0);
	return WEXITSTATUS(status) == KILLED;
}

static int turn(const char *applies)
{
	struct ps_edit edit = { 0 };
	struct ps_error error = { 0 };
	int code = edit_start(&edit, ".", &error);

	code = code ? code : edit_turn(&edit, applies != NULL, &error);
	edit_free(&edit);
	return code;
}

/* What is there after a kill and the next one: all of the one kind or all of the other, and nothing else. */
static void whole(long n)
{
	int old = how_many(before), new = how_many(after);

	if ((old != FILES && new != FILES) || !is_clean())
		fail_msg("ended at %ld: %d old, %d new, %s", n, old, new, is_clean() ? "clean" : "leftovers");
}

static int begin(void **state)
{
	(void)state;
	no_exchange = false;
	end_at = 0;
	if (chdir("/") || mkdtemp(strcpy(folder, "/tmp/portshim-recover-XXXXXX")) == NULL)
		return -1;
	return chdir(folder) || mkdir("d", 0755) ? -1 : 0;
}

static int end(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "cd / && rm -rf %s", folder);
	return run_shell(command);
}

/* ---- the tests ---- */

static void every_call(void)
{
	long n, old = 0, new = 0;

	for (n = 1; all_before(), killed(apply_all, "20000", n); n++) {
		assert_int_equal(turn(n % 2 ? "applies" : NULL), 0);
		whole(n);
		old += has(names[0], before);
		new += has(names[0], after);
	}
	assert_int_equal(how_many(after), FILES);
	assert_true(is_clean());
	if (old < 10 || new < 3)
		fail_msg("of %ld, %ld undone and %ld completed", n, old, new);
}

static void test_every_call(void **state)
{
	(void)state;
	every_call();
	no_exchange = true;
	every_call();
}

/* Ended, and what undoes it ended as well, before each of its calls. */
static void recovery(void)
{
	for (long n = 1; all_before(), killed(apply_all, "20000", n); n += 3) {
		for (long m = 1;; m++) {
			bool more;

			all_before();
			assert_true(killed(apply_all, "20000", n));
			more = killed(turn, "applies", m);
			assert_int_equal(turn(NULL), 0);
			whole(n * 1000 + m);
			if (!more)
				break;
		}
	}
}

static void test_recovery(void **state)
{
	(void)state;
	recovery();
	no_exchange = true;
	recovery();
}

/* What somebody has edited since stays; the others are of one kind. */
static void edited_since(int which)
{
	for (long n = 1; all_before(), killed(apply_all, "20000", n); n++) {
		put(names[which], edited);
		assert_int_equal(turn("applies"), 0);
		assert_true(has(names[which], edited));
		if ((how_many(before) != FILES - 1 && how_many(after) != FILES - 1) || !is_clean())
			fail_msg("ended at %ld, %s edited: %d old, %d new", n, names[which], how_many(before),
				 how_many(after));
	}
}

static void test_edited_since(void **state)
{
	(void)state;
	for (int which = 0; which < FILES; which++) {
		no_exchange = false;
		edited_since(which);
		no_exchange = true;
		edited_since(which);
	}
}

/* An editor wrote between the comparison and the exchange, and then came the end: it was first. */
static void test_edited_before(void **state)
{
	struct edit_journal journal = { .count = 0 };
	struct ps_edit edit = { 0 };
	struct ps_error error = { 0 };
	char *beside;
	long n = 1;

	(void)state;
	/* As soon as the first file is new. */
	while (all_before(), assert_true(killed(apply_all, "20000", n)), !has(names[0], after))
		n++;
	assert_int_equal(edit_start(&edit, ".", &error), 0);
	edit.lock = open(".", O_RDONLY);
	assert_int_equal(edit_journal_read(&edit, &journal, &error), 1);
	beside = edit_beside(&journal, 0, false);
	assert_true(has(beside, before));
	put(beside, edited);
	assert_int_equal(turn("applies"), 0);
	assert_true(has(names[0], edited));
	assert_int_equal(how_many(before), FILES - 1);
	assert_true(is_clean());
	free(beside);
	close(edit.lock);
	edit_journal_free(&journal);
	edit_free(&edit);
}

/* What is no journal of ours is not followed: an edit that would apply refuses, others go on and say so. */
static void refuse(const char *text, mode_t mode)
{
	struct ps_edit edit = { 0 };
	struct ps_error error = { 0 };

	put(EDIT_JOURNAL, text);
	assert_int_equal(chmod(EDIT_JOURNAL, mode), 0);
	assert_int_equal(edit_start(&edit, ".", &error), 0);
	assert_int_equal(edit_turn(&edit, false, &error), 0);
	assert_non_null(edit.recovered);
	assert_non_null(strstr(edit.recovered, EDIT_JOURNAL));
	assert_int_equal(edit_turn(&edit, true, &error), PS_EXIT_SYSTEM);
	assert_non_null(strstr(error.text, "cannot use "));
	edit_free(&edit);
	assert_true(has(EDIT_JOURNAL, text));
	assert_int_equal(unlink(EDIT_JOURNAL), 0);
}

static void test_forged(void **state)
{
	static const char *const damaged[] = {
		"portshim-edit 1 abcdef x\nend\n", "portshim-edit 1 abcdef c\nx\nend\n",
		"portshim-edit 2 abcdef c\nend\n", "portshim-edit 1 ../../ c\nend\n", "hello\n", "portshim-edit 1 abcdef c\n1 1 1 1 99 a\nend\n",
		"portshim-edit 1 abcdef c\n1 1 1 1 2 a\nend\nend\n",
	};
	static const char *const elsewhere[] = { "../outside", "/etc/hosts", "link/x", "d/../../outside" };
	char journal[512];

	(void)state;
	all_before();
	for (unsigned i = 0; i < sizeof(damaged) / sizeof(*damaged); i++)
		refuse(damaged[i], 0600);
	refuse("portshim-edit 1 abcdef p\nend\n", 0666);
	/* One that is not whole tells of nothing. */
	put(EDIT_JOURNAL, "portshim-edit 1 abcdef c\n1 1");
	assert_int_equal(turn("applies"), 0);
	put(EDIT_JOURNAL, "");
	assert_int_equal(turn(NULL), 0);
	assert_true(is_clean());
	/* Files that lie elsewhere are left alone, whatever it says. */
	assert_int_equal(mkdir("p", 0755), 0);
	assert_int_equal(chdir("p"), 0);
	assert_int_equal(mkdir("d", 0755), 0);
	assert_int_equal(symlink("..", "link"), 0);
	for (unsigned i = 0; i < sizeof(elsewhere) / sizeof(*elsewhere); i++) {
		put("../outside", "1");
		put("../.outside.portshim-abcdef-0", "2");
		put("../x", "1");
		put("../.x.portshim-abcdef-0", "2");
		for (const char *mode = "pc"; *mode; mode++) {
			struct edit_sum one = edit_sum("1", 1), two = edit_sum("2", 1);

			snprintf(journal, sizeof(journal), "portshim-edit 1 abcdef %c\n1 %lx 1 %lx %zu %s\nend\n",
				 *mode, (unsigned long)two.hash, (unsigned long)one.hash, strlen(elsewhere[i]), elsewhere[i]);
			put(EDIT_JOURNAL, journal);
			assert_int_equal(chmod(EDIT_JOURNAL, 0600), 0);
			assert_int_equal(turn("applies"), 0);
			assert_true(has("../outside", "1") && has("../.outside.portshim-abcdef-0", "2"));
			assert_true(has("../x", "1") && has("../.x.portshim-abcdef-0", "2"));
			assert_true(has(EDIT_JOURNAL, NULL));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_call, begin, end),
		cmocka_unit_test_setup_teardown(test_recovery, begin, end),
		cmocka_unit_test_setup_teardown(test_edited_since, begin, end),
		cmocka_unit_test_setup_teardown(test_edited_before, begin, end),
		cmocka_unit_test_setup_teardown(test_forged, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
