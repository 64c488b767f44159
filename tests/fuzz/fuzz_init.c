/*
 * fuzz_init.c - any bytes as one of the files that `portshim init` reads: what is made of them is a valid manifest, of
 * which each service has a place in the file.
 *
 * The first byte chooses the file; the rest is its contents, in a directory of its own.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/cli/manifest.h"
#include "../../src/init/init.h"
#include "fuzz.h"

static const char *const files[] = {
	"package.json", "apps/front/package.json", "compose.yaml", "Procfile", ".env", ".devcontainer.json",
	".vscode/launch.json",
};
static const char *directory;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	directory = fuzz_directory();
	MUST(mkdir("apps", 0700) == 0 && mkdir("apps/front", 0700) == 0 && mkdir(".vscode", 0700) == 0);
	fuzz_hush();
	return 0;
}

static void check_manifest(const struct ps_init *init)
{
	struct ps_manifest *manifest = NULL;
	struct ps_error error = { 0 };
	char *text = init_manifest(init);

	MUST(text);
	fuzz_put("manifest", text, strlen(text));
	if (manifest_load(&manifest, "manifest", NULL, NULL, &error)) {
		dprintf(2, "%s\n%s\n", error.text, text);
		abort();
	}
	MUST(manifest->service_count == init->count);
	manifest_free(manifest);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ps_init init = { .directory = directory };
	const char *file;

	if (size < 1)
		return 0;
	file = files[data[0] % (sizeof(files) / sizeof(*files))];
	fuzz_put(file, data + 1, size - 1);
	init_read(&init);
	init_finish(&init);
	MUST(!init.failed);
	for (size_t i = 0; i < init.count; i++) {
		MUST(init.services[i].port && init.services[i].place_count > 0);
		MUST(i == 0 || init.services[i - 1].port < init.services[i].port);
		for (size_t k = 0; k < init.services[i].place_count; k++) {
			const struct ps_init_place *p = &init.services[i].places[k];

			MUST(strcmp(p->file, file) == 0 && p->line >= 1 && p->column >= 1);
		}
	}
	if (init.count)
		check_manifest(&init);
	init_free(&init);
	unlink(file);
	return 0;
}
