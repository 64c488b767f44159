/*
 * fuzz_journal.c - any bytes as what an edit that was killed has left: it is undone, ended or refused; nothing outside of
 * the directory is touched, nor a file in it that the journal does not name with its contents.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/edit/edit_journal.h"
#include "fuzz.h"

/* DIR/outside and its neighbour; DIR/project has a, with new contents and the old ones beside, and a link out. */
static char directory[] = "/dev/shm/portshim-fuzz-XXXXXX";

static void put(const char *name, const void *data, size_t size)
{
	FILE *f = fopen(name, "w");

	MUST(f && fwrite(data, 1, size, f) == size && fclose(f) == 0);
}

static char get(const char *name)
{
	FILE *f = fopen(name, "r");
	int c = f ? getc(f) : EOF;

	if (f)
		fclose(f);
	return c == EOF ? '-' : (char)c;
}

static void clean(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", directory);
	if (system(command) != 0)
		dprintf(2, "%s is left\n", directory);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	MUST(mkdtemp(directory) && chdir(directory) == 0 && mkdir("project", 0700) == 0 && chdir("project") == 0);
	MUST(symlink("..", "link") == 0);
	umask(077);
	atexit(clean);
	fuzz_hush();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ps_edit edit = { 0 };
	struct ps_error error = { 0 };
	int code;

	put("../outside", "2", 1);
	put("../.outside.portshim-abcdef-0", "1", 1);
	put("a", "2", 1);
	put(".a.portshim-abcdef-0", "1", 1);
	put("other", "2", 1);
	put(EDIT_JOURNAL, data, size);
	MUST(edit_start(&edit, ".", &error) == 0);
	code = edit_turn(&edit, true, &error);
	MUST((code != 0) == (error.text[0] != '\0'));
	MUST(code || access(EDIT_JOURNAL, F_OK) != 0);
	edit_free(&edit);
	MUST(get("../outside") == '2' && get("../.outside.portshim-abcdef-0") == '1' && get("other") == '2');
	MUST(get("a") == '2' || get("a") == '1');
	unlink(EDIT_JOURNAL);
	return 0;
}
