/*
 * fuzz_journal.c - any bytes as what an edit that was killed has left: it is undone, ended or refused; nothing outside
 * of the directory is touched, nor a file in it that the journal does not name with its contents.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/edit/edit_journal.h"
#include "fuzz.h"

static char get(const char *name)
{
	FILE *f = fopen(name, "r");
	int c = f ? getc(f) : EOF;

	if (f)
		fclose(f);
	return c == EOF ? '-' : (char)c;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	fuzz_directory();
	MUST(mkdir("project", 0700) == 0 && chdir("project") == 0 && symlink("..", "link") == 0);
	umask(077);
	fuzz_hush();
	return 0;
}

/* DIR/outside and its neighbour; DIR/project has a, with new contents and the old ones beside, and a link out. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ps_edit edit = { 0 };
	struct ps_error error = { 0 };
	int code;

	fuzz_put("../outside", "2", 1);
	fuzz_put("../.outside.portshim-abcdef-0", "1", 1);
	fuzz_put("a", "2", 1);
	fuzz_put(".a.portshim-abcdef-0", "1", 1);
	fuzz_put("other", "2", 1);
	fuzz_put(EDIT_JOURNAL, data, size);
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
