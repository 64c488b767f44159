/*
 * folder.h - a folder with room for a manifest, and for one in config/ : the group's fixtures.
 */
#ifndef TESTS_CLI_FOLDER_H
#define TESTS_CLI_FOLDER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/portshim-test-XXXXXX";
static char file[64], config[64], config_file[96]; /* none of them is made */

static inline void write_bytes(const char *path, const char *text, size_t size)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
}

static int make_folder(void **state)
{
	char *real;

	(void)state;
	if (!mkdtemp(folder))
		return -1;
	real = realpath(folder, NULL);
	if (!real || strcmp(real, folder) != 0)
		return -1;
	free(real);
	snprintf(file, sizeof(file), "%s/ports.manifest.json", folder);
	snprintf(config, sizeof(config), "%s/config", folder);
	snprintf(config_file, sizeof(config_file), "%s/ports.manifest.json", config);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(file);
	unlink(config_file);
	rmdir(config);
	return rmdir(folder);
}

#endif
