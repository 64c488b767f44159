/*
 * test_edit.c - splices on files: what they make of a text, the diff as the real `patch` takes it, and files replaced
 * all or none.
 */
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
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/edit/edit.h"

static char folder[] = "/tmp/portshim-edit-XXXXXX";

/* ---- what stands between edit_apply and the disk: replaced to fail, or to be too late ---- */

static int exchanges, fail_at, fail_with;
static const char *meddle_with; /* this file is changed just before it is exchanged */

static void write_bytes(const char *name, const char *text, size_t size)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
}

static void put(const char *name, const char *text)
{
	write_bytes(name, text, strlen(text));
}

int renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned flags)
{
	exchanges++;
	if (exchanges == fail_at) {
		errno = fail_with;
		return -1;
	}
	if (meddle_with && strstr(to, meddle_with))
		put(meddle_with, "somebody else's\n");
	return (int)syscall(SYS_renameat2, from_directory, from, to_directory, to, flags);
}

/* ---- tools ---- */

static char *get(const char *name, size_t *size)
{
	FILE *f = fopen(name, "r");
	char *text = malloc(1 << 20);

	assert_non_null(f);
	assert_non_null(text);
	*size = fread(text, 1, (1 << 20) - 1, f);
	text[*size] = '\0';
	fclose(f);
	return text;
}

static void has(const char *name, const char *text)
{
	size_t size;
	char *found = get(name, &size);

	assert_int_equal(size, strlen(text));
	assert_string_equal(found, text);
	free(found);
}

/* Nothing but these files is left. */
static void only(const char *names)
{
	size_t size;
	char *found;

	assert_int_equal(system("ls -A >../portshim-edit.ls"), 0);
	found = get("../portshim-edit.ls", &size);
	unlink("../portshim-edit.ls");
	assert_string_equal(found, names);
	free(found);
}

static int begin(void **state)
{
	char here[sizeof(folder) + 16];

	(void)state;
	exchanges = fail_at = 0;
	meddle_with = NULL;
	assert_int_equal(chdir("/"), 0);
	snprintf(here, sizeof(here), "%s/w", folder);
	assert_int_equal(mkdir(here, 0755), 0);
	return chdir(here);
}

static int end(void **state)
{
	char command[sizeof(folder) + 64];

	(void)state;
	snprintf(command, sizeof(command), "cd / && chmod -R u+w %s/w && rm -rf %s/w", folder, folder);
	return system(command) ? -1 : 0;
}

static struct ps_edit_file *open_in(struct ps_edit *edit, const char *name)
{
	struct ps_edit_file *file = NULL;
	struct ps_error error = { 0 };

	if (!edit->directory && edit_start(edit, ".", &error))
		fail_msg("%s", error.text);
	if (edit_open(edit, name, &file, &error))
		fail_msg("%s", error.text);
	return file;
}

static void swap(struct ps_edit *edit, const char *name, const char *old, const char *new)
{
	struct ps_edit_file *file = open_in(edit, name);
	char *at = strstr(file->text, old);

	assert_non_null(at);
	assert_int_equal(edit_splice(file, (size_t)(at - file->text), strlen(old), new, strlen(new)), 0);
}

static char *diff(struct ps_edit *edit)
{
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);

	assert_non_null(stream);
	assert_true(edit_diff(edit, stream));
	assert_int_equal(fclose(stream), 0);
	return text;
}

static void patch_with(const char *text)
{
	FILE *patch = popen("patch -p1 --fuzz=0 --no-backup-if-mismatch >patch.said 2>&1", "w");

	assert_non_null(patch);
	fputs(text, patch);
	if (pclose(patch) != 0) {
		assert_int_equal(system("cat patch.said"), 0);
		fail_msg("patch refuses\n%s", text);
	}
	if (system("grep -q -e offset -e fuzz -e stripping patch.said") == 0)
		fail_msg("patch is not content with\n%s", text);
	unlink("patch.said");
}

/* ---- splices ---- */

static void test_splices(void **state)
{
	struct ps_edit edit = { 0 };
	struct ps_edit_file *file;
	size_t size;
	char *text;
	int line, column;

	(void)state;
	put("a", "one\ntwo\nthree");
	file = open_in(&edit, "a");
	assert_int_equal(edit_splice(file, 8, 5, "3", 1), 0);
	assert_int_equal(edit_splice(file, 0, 3, "1", 1), 0);
	assert_int_equal(edit_splice(file, 4, 0, "1a\n", 3), 0);
	assert_int_equal(edit_splice(file, 4, 3, "2", 1), 0);
	assert_int_equal(edit_splice(file, 13, 0, "\nfour", 5), 0);
	assert_int_equal(file->splice_count, 5);
	/* once more, or nothing: no further splice */
	assert_int_equal(edit_splice(file, 4, 0, "1a\n", 3), 0);
	assert_int_equal(edit_splice(file, 4, 3, "2", 1), 0);
	assert_int_equal(edit_splice(file, 3, 1, "\n", 1), 0);
	assert_int_equal(file->splice_count, 5);
	/* in each other's way */
	assert_int_equal(edit_splice(file, 4, 3, "3", 1), -EEXIST);
	assert_int_equal(edit_splice(file, 5, 0, "3", 1), -EEXIST);
	assert_int_equal(edit_splice(file, 4, 0, "1b\n", 3), -EEXIST);
	assert_int_equal(edit_splice(file, 2, 3, "x", 1), -EEXIST);
	assert_int_equal(edit_splice(file, 3, 6, "x", 1), -EEXIST);
	assert_int_equal(edit_splice(file, 13, 1, "x", 1), -EINVAL);
	assert_int_equal(edit_splice(file, 14, 0, "x", 1), -EINVAL);
	assert_int_equal(edit_splice(file, 1, SIZE_MAX, "x", 1), -EINVAL);
	text = edit_result(file, &size);
	assert_string_equal(text, "1\n1a\n2\n3\nfour");
	assert_int_equal(size, strlen(text));
	free(text);
	assert_string_equal(file->text, "one\ntwo\nthree");
	edit_position(file, 9, &line, &column);
	assert_int_equal(line, 3);
	assert_int_equal(column, 2);
	assert_int_equal(edit_changes(&edit), 1);
	edit_free(&edit);
}

/* Two names of one file are one file, and the path is that of what is really changed. */
static void test_names(void **state)
{
	struct ps_edit edit = { 0 };
	struct ps_edit_file *file;

	(void)state;
	assert_int_equal(mkdir("d", 0755), 0);
	put("d/a", "1\n");
	assert_int_equal(symlink("d/a", "b"), 0);
	file = open_in(&edit, "b");
	assert_ptr_equal(open_in(&edit, "d/../d/a"), file);
	assert_string_equal(file->path, "d/a");
	assert_int_equal(edit.count, 1);
	edit_free(&edit);
}

static void refused(const char *name, const char *why)
{
	struct ps_edit edit = { 0 };
	struct ps_edit_file *file = NULL;
	struct ps_error error = { 0 };

	assert_int_equal(edit_start(&edit, ".", &error), 0);
	assert_int_equal(edit_open(&edit, name, &file, &error), PS_EXIT_SYSTEM);
	assert_null(file);
	if (!strstr(error.text, why))
		fail_msg("%s: %s", name, error.text);
	edit_free(&edit);
}

static void test_refused(void **state)
{
	struct ps_edit edit = { 0 };
	struct ps_error error = { 0 };

	(void)state;
	assert_int_equal(mkfifo("pipe", 0600), 0);
	assert_int_equal(mkdir("directory", 0700), 0);
	put("big", "");
	assert_int_equal(truncate("big", 100 << 20), 0);
	assert_int_equal(symlink("nowhere", "dangling"), 0);
	refused("pipe", "pipe");
	refused("directory", "directory");
	refused("big", "104857600 bytes");
	refused("missing", "No such file");
	refused("dangling", "No such file");
	refused("/dev/null", "device");
	assert_int_equal(edit_start(&edit, "missing", &error), PS_EXIT_SYSTEM);
}

/* ---- the diff ---- */

static void test_diff(void **state)
{
	struct ps_edit edit = { 0 };
	char *text;

	(void)state;
	assert_int_equal(mkdir("with space", 0755), 0);
	put("with space/a", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16");
	put("same", "1\n");
	open_in(&edit, "same");
	swap(&edit, "with space/a", "2\n", "two\n");
	swap(&edit, "with space/a", "9\n", "nine\n9.5\n");
	swap(&edit, "with space/a", "16", "sixteen");
	text = diff(&edit);
	assert_string_equal(text, "--- a/with space/a\t\n+++ b/with space/a\t\n"
				  "@@ -1,16 +1,17 @@\n 1\n-2\n+two\n 3\n 4\n 5\n 6\n 7\n 8\n-9\n+nine\n+9.5\n 10\n 11\n"
				  " 12\n 13\n 14\n 15\n-16\n\\ No newline at end of file\n+sixteen\n"
				  "\\ No newline at end of file\n");
	patch_with(text);
	has("with space/a", "1\ntwo\n3\n4\n5\n6\n7\n8\nnine\n9.5\n10\n11\n12\n13\n14\n15\nsixteen");
	free(text);
	edit_free(&edit);
}

static void test_diff_edges(void **state)
{
	static const struct {
		const char *old, *new;
		size_t offset, length;
		const char *text, *hunk;
	} cases[] = {
		{ "a", "b", 0, 1, "b",
		  "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file\n" },
		{ "a", "a\n", 1, 0, "\n", "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n" },
		{ "a\n", "a", 1, 1, "", "@@ -1 +1 @@\n-a\n+a\n\\ No newline at end of file\n" },
		{ "a\n", "b\na\n", 0, 0, "b\n", "@@ -1 +1,2 @@\n+b\n a\n" },
		{ "a\n", "a\nb\n", 2, 0, "b\n", "@@ -1 +1,2 @@\n a\n+b\n" },
		{ "a\nb\nc\n", "a\nc\n", 2, 2, "", "@@ -1,3 +1,2 @@\n a\n-b\n c\n" },
		{ "a\r\nb\r\n", "a\r\nc\r\n", 3, 1, "c", "@@ -1,2 +1,2 @@\n a\r\n-b\r\n+c\r\n" },
		{ "\xff\t1\n", "\xff\t2\n", 2, 1, "2", "@@ -1 +1 @@\n-\xff\t1\n+\xff\t2\n" },
		{ "", "a\n", 0, 0, "a\n", "@@ -0,0 +1 @@\n+a\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ps_edit edit = { 0 };
		struct ps_edit_file *file;
		char *text;

		put("f", cases[i].old);
		file = open_in(&edit, "f");
		assert_int_equal(edit_splice(file, cases[i].offset, cases[i].length, cases[i].text,
					     strlen(cases[i].text)),
				 0);
		text = diff(&edit);
		assert_string_equal(strchr(strchr(text, '\n') + 1, '\n') + 1, cases[i].hunk);
		patch_with(text);
		has("f", cases[i].new);
		free(text);
		edit_free(&edit);
	}
}

/* A name that must be quoted. */
static void test_diff_quoted(void **state)
{
	struct ps_edit edit = { 0 };
	char *text;

	(void)state;
	put("a\"b\\c\td", "1\n");
	swap(&edit, "a\"b\\c\td", "1", "2");
	text = diff(&edit);
	assert_int_equal(strncmp(text, "--- \"a/a\\\"b\\\\c\\011d\"\n", 21), 0);
	patch_with(text);
	has("a\"b\\c\td", "2\n");
	free(text);
	edit_free(&edit);
}

static unsigned random_below(unsigned n)
{
	static uint64_t seed = 88172645463325252u;

	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 20) % n;
}

static size_t random_text(char *text, size_t most)
{
	static const char letters[] = "ab\n\n\t \r\n0";
	size_t size = random_below((unsigned)most);

	for (size_t i = 0; i < size; i++)
		text[i] = letters[random_below(sizeof(letters) - 1)];
	text[size] = '\0';
	return size;
}

/* Whatever is spliced: patch makes of the diff what edit_result says, and edit_apply too. */
static void test_diff_property(void **state)
{
	(void)state;
	for (int round = 0; round < 400; round++) {
		struct ps_edit edit = { 0 };
		struct ps_edit_file *files[2];
		size_t size[2], found, length;
		char text[400], part[16], *wanted[2], *output;

		for (int i = 0; i < 2; i++) {
			length = random_text(text, sizeof(text));
			write_bytes(i ? "b" : "a", text, length);
			files[i] = open_in(&edit, i ? "b" : "a");
			for (unsigned k = random_below(6); k > 0; k--) {
				size_t offset = random_below((unsigned)files[i]->size + 1);
				size_t removed = random_below(4), added = random_text(part, sizeof(part));
				int code = edit_splice(files[i], offset, removed, part, added);

				assert_true(code == 0 || code == -EEXIST || code == -EINVAL);
			}
			wanted[i] = edit_result(files[i], &size[i]);
		}
		output = diff(&edit);
		if (edit_changes(&edit))
			patch_with(output);
		for (int i = 0; i < 2; i++) {
			struct stat st;
			char *now;

			/* patch removes a file that has become empty */
			if (size[i] == 0 && stat(i ? "b" : "a", &st) != 0)
				continue;
			now = get(i ? "b" : "a", &found);
			if (found != size[i] || memcmp(now, wanted[i], found) != 0)
				fail_msg("round %d: [%s] became [%s], not [%s], by\n%s", round, files[i]->text, now,
					 wanted[i], output);
			free(now);
		}
		free(output);
		free(wanted[0]);
		free(wanted[1]);
		edit_free(&edit);
	}
}

/* ---- applying ---- */

/* The same for files that are called by one letter each. */
static void put_each(const char *names, const char *text)
{
	for (; *names; names++)
		put((char[]){ *names, '\0' }, text);
}

static void swap_each(struct ps_edit *edit, const char *names, const char *old, const char *new)
{
	for (; *names; names++)
		swap(edit, (char[]){ *names, '\0' }, old, new);
}

static void each_has(const char *names, const char *text)
{
	for (; *names; names++)
		has((char[]){ *names, '\0' }, text);
}

static int apply(struct ps_edit *edit, struct ps_error *error)
{
	int code;

	memset(error, 0, sizeof(*error));
	code = edit_apply(edit, error);
	edit_free(edit);
	return code;
}

static void test_apply(void **state)
{
	struct ps_edit edit = { 0 };
	struct ps_error error;
	struct stat before, st;
	char value[8];
	bool attributes;

	(void)state;
	put("a", "1\r\n2\r\n3");
	put_each("bc", "1\n");
	assert_int_equal(chmod("a", 0751), 0);
	attributes = setxattr("a", "user.note", "yes", 3, 0) == 0;
	assert_int_equal(mkdir("d", 0755), 0);
	assert_int_equal(symlink("../b", "d/link"), 0);
	assert_int_equal(stat("c", &before), 0);
	swap(&edit, "a", "2", "two");
	swap(&edit, "d/link", "1", "one");
	open_in(&edit, "c");
	if (apply(&edit, &error))
		fail_msg("%s", error.text);
	has("a", "1\r\ntwo\r\n3");
	has("b", "one\n");
	assert_int_equal(stat("a", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0751);
	if (attributes)
		assert_int_equal(getxattr("a", "user.note", value, sizeof(value)), 3);
	assert_int_equal(lstat("d/link", &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(stat("c", &st), 0);
	assert_int_equal(st.st_ino, before.st_ino);
	only("a\nb\nc\nd\n");
}

/* Owner and group stay, for who can give files away. */
static void test_apply_owner(void **state)
{
	struct ps_edit edit = { 0 };
	struct ps_error error;
	struct stat st;

	(void)state;
	if (geteuid() != 0)
		skip();
	put("a", "1\n");
	assert_int_equal(chown("a", 65534, 65533), 0);
	assert_int_equal(chmod("a", 0640), 0);
	swap(&edit, "a", "1", "2");
	assert_int_equal(apply(&edit, &error), 0);
	assert_int_equal(stat("a", &st), 0);
	assert_int_equal(st.st_uid, 65534);
	assert_int_equal(st.st_gid, 65533);
	assert_int_equal(st.st_mode & 07777, 0640);
}

/* The second of three cannot be replaced: the first is put back, and nothing is left over. */
static void test_apply_undone(void **state)
{
	static const int errors[] = { EPERM, EBUSY, EIO };

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct ps_edit edit = { 0 };
		struct ps_error error;
		struct stat before, after;

		put_each("abc", "1\n");
		assert_int_equal(stat("a", &before), 0);
		swap_each(&edit, "abc", "1", "2");
		exchanges = 0;
		fail_at = 2;
		fail_with = errors[i];
		assert_int_equal(apply(&edit, &error), PS_EXIT_SYSTEM);
		assert_non_null(strstr(error.text, "cannot change b: "));
		assert_non_null(strstr(error.text, strerror(errors[i])));
		each_has("abc", "1\n");
		assert_int_equal(stat("a", &after), 0);
		assert_int_equal(before.st_ino, after.st_ino);
		only("a\nb\nc\n");
	}
}

/* A file system that cannot exchange. */
static void test_apply_without_exchange(void **state)
{
	struct ps_edit edit = { 0 };
	struct ps_error error;

	(void)state;
	put_each("ab", "1\n");
	swap_each(&edit, "ab", "1", "2");
	fail_at = 1;
	fail_with = EINVAL;
	assert_int_equal(apply(&edit, &error), 0);
	each_has("ab", "2\n");
	only("a\nb\n");
	/* and undone: a is replaced without an exchange, b is somebody else's by then */
	swap_each(&edit, "ab", "2", "3");
	exchanges = 0;
	meddle_with = "b";
	assert_int_equal(apply(&edit, &error), PS_EXIT_SYSTEM);
	has("a", "2\n");
	has("b", "somebody else's\n");
	only("a\nb\n");
}

/* Somebody else's edit wins, before the commit, between comparison and exchange, by writing and by renaming. */
static void test_apply_concurrent(void **state)
{
	struct ps_edit edit = { 0 };
	struct ps_error error;

	(void)state;
	put_each("ab", "1\n");
	swap_each(&edit, "ab", "1", "2");
	put("b", "3\n");
	assert_int_equal(apply(&edit, &error), PS_EXIT_SYSTEM);
	assert_non_null(strstr(error.text, "cannot change b: somebody else"));
	has("a", "1\n");
	has("b", "3\n");
	only("a\nb\n");

	swap(&edit, "a", "1", "2");
	swap(&edit, "b", "3", "2");
	put("new", "3\n");
	assert_int_equal(rename("new", "b"), 0);
	assert_int_equal(apply(&edit, &error), PS_EXIT_SYSTEM);
	has("a", "1\n");

	swap(&edit, "a", "1", "2");
	swap(&edit, "b", "3", "2");
	meddle_with = "b";
	assert_int_equal(apply(&edit, &error), PS_EXIT_SYSTEM);
	has("a", "1\n");
	has("b", "somebody else's\n");
	only("a\nb\n");

	meddle_with = NULL;
	swap(&edit, "a", "1", "2");
	assert_int_equal(unlink("a"), 0);
	assert_int_equal(apply(&edit, &error), PS_EXIT_SYSTEM);
	assert_non_null(strstr(error.text, "No such file"));
	only("b\n");
}

static void test_apply_hard_link(void **state)
{
	struct ps_edit edit = { 0 };
	struct ps_error error;

	(void)state;
	put("a", "1\n");
	assert_int_equal(link("a", "b"), 0);
	swap(&edit, "a", "1", "2");
	assert_int_equal(apply(&edit, &error), PS_EXIT_SYSTEM);
	assert_non_null(strstr(error.text, "2 names"));
	has("b", "1\n");
	only("a\nb\n");
}

/* As an ordinary user, where the test runs as root. */
static void test_apply_read_only(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(mkdir("d", 0755), 0);
	put("a", "1\n");
	put("d/b", "1\n");
	assert_int_equal(chmod("d", 0555), 0);
	assert_int_equal(chmod(".", 0777), 0);
	assert_int_equal(chmod("..", 0755), 0);
	if (geteuid() == 0)
		assert_int_equal(chown("a", 65534, 65534), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct ps_edit edit = { 0 };
		struct ps_error error;

		if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
			_exit(9);
		swap(&edit, "a", "1", "2");
		swap(&edit, "d/b", "1", "2");
		if (apply(&edit, &error) != PS_EXIT_SYSTEM)
			_exit(1);
		_exit(strstr(error.text, "cannot change d/b") && strstr(error.text, strerror(EACCES)) ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	has("a", "1\n");
	has("d/b", "1\n");
	only("a\nd\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_splices, begin, end),
		cmocka_unit_test_setup_teardown(test_names, begin, end),
		cmocka_unit_test_setup_teardown(test_refused, begin, end),
		cmocka_unit_test_setup_teardown(test_diff, begin, end),
		cmocka_unit_test_setup_teardown(test_diff_edges, begin, end),
		cmocka_unit_test_setup_teardown(test_diff_quoted, begin, end),
		cmocka_unit_test_setup_teardown(test_diff_property, begin, end),
		cmocka_unit_test_setup_teardown(test_apply, begin, end),
		cmocka_unit_test_setup_teardown(test_apply_owner, begin, end),
		cmocka_unit_test_setup_teardown(test_apply_undone, begin, end),
		cmocka_unit_test_setup_teardown(test_apply_without_exchange, begin, end),
		cmocka_unit_test_setup_teardown(test_apply_concurrent, begin, end),
		cmocka_unit_test_setup_teardown(test_apply_hard_link, begin, end),
		cmocka_unit_test_setup_teardown(test_apply_read_only, begin, end),
	};
	int code;

	if (!mkdtemp(folder))
		return 1;
	code = cmocka_run_group_tests(tests, NULL, NULL);
	if (chdir("/") != 0)
		return 1;
	rmdir(folder);
	return code;
}
