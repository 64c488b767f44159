/*
 * test_project.c - which manifest and which environment belong to a directory and a command line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/cli/project.h"
#include "folder.h"

static const char shop[] = "{ \"version\": 1, \"project\": \"shop\", \"services\": { \"web\": { \"port\": 3000 } },\n"
			   "  \"profiles\": { \"test\": { \"offset\": 1000 }, \"in\": {} } }\n";

static void find(const char *directory, const struct ps_project_options *options, struct ps_project *p)
{
	struct ps_error error = { 0 };

	assert_int_equal(chdir(directory), 0);
	if (project_find(p, options, &error))
		fail_msg("%s", error.text);
	assert_int_equal(chdir("/"), 0);
}

static const char when[] = "{\"version\": 1, \"project\": \"shop\", \"profiles\": {\"test\": {}, \"ci\": {\"when\": {\"PINNED\": \"yes\"}}}}";

static void test_project(void **state)
{
	struct ps_project_options none = { 0 }, options = { 0 };
	struct ps_project p;
	struct ps_error error = { 0 };
	char sub[128], tree[128], git[160], deep[192], key[256];

	(void)state;
	unsetenv("PORTSHIM_ENV");
	unsetenv("PORTSHIM_PROFILE");
	unsetenv("PORTSHIM_MANIFEST");
	snprintf(sub, sizeof(sub), "%s/sub", folder);
	snprintf(tree, sizeof(tree), "%s/tree", folder);
	snprintf(git, sizeof(git), "%s/.git", tree);
	snprintf(deep, sizeof(deep), "%s/a", tree);
	mkdir(config, 0700);
	mkdir(sub, 0700);
	mkdir(tree, 0700);
	mkdir(deep, 0700);
	unlink(file);
	unlink(config_file);

	/* no manifest: the top of the work tree, whose .git may be a file; else the working directory */
	find(sub, &none, &p);
	assert_string_equal(p.directory, sub);
	assert_string_equal(p.project, "sub");
	assert_string_equal(p.name, "sub");
	assert_null(p.manifest);
	project_free(&p);
	write_bytes(git, "gitdir: x\n", 10);
	find(deep, &none, &p);
	assert_string_equal(p.directory, tree);
	assert_string_equal(p.name, "tree");
	project_free(&p);
	find("/", &none, &p);
	assert_string_equal(p.directory, "/");
	assert_string_equal(p.project, "root");
	project_free(&p);

	/* config/ports.manifest.json belongs to the directory above; found from below, also out of a work tree */
	write_bytes(config_file, shop, strlen(shop));
	find(deep, &none, &p);
	assert_string_equal(p.directory, folder);
	assert_string_equal(p.manifest_path, config_file);
	assert_string_equal(p.project, "shop");
	snprintf(key, sizeof(key), "dir:%s", folder);
	assert_string_equal(p.key, key);
	project_free(&p);
	find(config, &none, &p);
	assert_string_equal(p.directory, folder);
	project_free(&p);
	/* the nearest wins, and the plain name before config/ */
	write_bytes(file, "{\"version\": 1, \"project\": \"near\"}", 33);
	find(sub, &none, &p);
	assert_string_equal(p.project, "near");
	assert_string_equal(p.manifest_path, file);
	project_free(&p);

	/* named, relative to the working directory */
	options.manifest = "../config/ports.manifest.json";
	options.profile = "test";
	find(sub, &options, &p);
	assert_string_equal(p.directory, folder);
	assert_string_equal(p.name, "shop:test");
	assert_string_equal(p.profile, "test");
	snprintf(key, sizeof(key), "dir:%s#test", folder);
	assert_string_equal(p.key, key);
	assert_int_equal(manifest_service(p.manifest, "web")->ports[0], 4000);
	project_free(&p);
	options.env = "ci.1";
	find(sub, &options, &p);
	assert_string_equal(p.name, "ci.1");
	assert_string_equal(p.key, "name:ci.1");
	project_free(&p);
	options.isolate = true;
	assert_int_equal(chdir(sub), 0);
	assert_int_equal(project_find(&p, &options, &error), PS_EXIT_USAGE);
	options.env = NULL;
	find(sub, &options, &p);
	assert_int_equal(strncmp(p.name, "shop+", 5), 0);
	assert_int_equal(strlen(p.name), 13);
	assert_int_equal(strncmp(p.key, "isolated:", 9), 0);
	project_free(&p);

	/* what the surroundings say */
	setenv("PORTSHIM_MANIFEST", config_file, 1);
	setenv("PORTSHIM_PROFILE", "test", 1);
	setenv("PORTSHIM_ENV", "", 1);
	find("/", &none, &p);
	assert_string_equal(p.name, "shop:test");
	project_free(&p);
	setenv("PORTSHIM_ENV", "../x", 1);
	assert_int_equal(project_find(&p, &none, &error), PS_EXIT_USAGE);
	unsetenv("PORTSHIM_ENV");
	unsetenv("PORTSHIM_PROFILE");
	setenv("PORTSHIM_MANIFEST", "/nonexistent.json", 1);
	assert_int_equal(project_find(&p, &none, &error), PS_EXIT_SYSTEM);
	unsetenv("PORTSHIM_MANIFEST");

	/* a profile that the variables choose; a named one, also the empty one, outweighs it */
	write_bytes(file, when, strlen(when));
	setenv("PINNED", "yes", 1);
	find(sub, &none, &p);
	assert_string_equal(p.profile, "ci");
	assert_string_equal(p.name, "shop:ci");
	project_free(&p);
	options = (struct ps_project_options){ .profile = "" };
	find(sub, &options, &p);
	assert_string_equal(p.profile, "");
	assert_string_equal(p.name, "shop");
	project_free(&p);
	setenv("PORTSHIM_PROFILE", "test", 1);
	find(sub, &none, &p);
	assert_string_equal(p.profile, "test");
	project_free(&p);
	unsetenv("PORTSHIM_PROFILE");
	unsetenv("PINNED");
	find(sub, &none, &p);
	assert_string_equal(p.profile, "");
	project_free(&p);

	/* a profile needs a manifest */
	unlink(file);
	unlink(config_file);
	options = (struct ps_project_options){ .profile = "test" };
	assert_int_equal(chdir(sub), 0);
	assert_int_equal(project_find(&p, &options, &error), PS_EXIT_USAGE);
	assert_int_equal(chdir("/"), 0);
	unlink(git);
	rmdir(deep);
	rmdir(tree);
	rmdir(sub);
}

static void test_long_names(void **state)
{
	struct ps_project_options options = { .isolate = true }, none = { 0 };
	struct ps_project p;
	char directory[256], name[128] = "";

	(void)state;
	/* 61 letters and a character of three bytes: cut before it */
	memset(name, 'a', 61);
	strcat(name, "\xe2\x82\xac\xe2\x82\xac");
	snprintf(directory, sizeof(directory), "%s/%s", folder, name);
	assert_int_equal(mkdir(directory, 0700), 0);
	find(directory, &none, &p);
	assert_int_equal(strlen(p.project), 61);
	assert_int_equal(strlen(p.name), 61);
	project_free(&p);
	find(directory, &options, &p);
	assert_int_equal(strlen(p.name), 63);
	assert_int_equal(p.name[54], '+');
	project_free(&p);
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_project),
		cmocka_unit_test(test_long_names),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
