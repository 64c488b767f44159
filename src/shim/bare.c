#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <portshim/process.h>

#include "shim.h"

#include "../core/sys.h"
#include "../core/text.h"

/* What marks the directory of a project, as in `portshim run`: a manifest wherever it is found upward, else a git work
 * tree. */
static bool has(const char *directory, const char *name)
{
	char path[PS_PATH_MAX + 32];
	struct ps_text t = text_start(path, sizeof(path));

	text_add(&t, directory);
	text_char(&t, '/');
	text_add(&t, name);
	text_end(&t);
	return sys_again(sys3(SYS_faccessat, AT_FDCWD, path, 0)) == 0;
}

static bool is_manifest_directory(const char *directory)
{
	return has(directory, "ports.manifest.json") || has(directory, "config/ports.manifest.json");
}

static bool is_git_directory(const char *directory)
{
	return has(directory, ".git");
}

static bool search_up(const char *from, char *found, bool (*is_it)(const char *))
{
	unsigned long length = text_length(from);

	memcpy(found, from, length + 1);
	for (;;) {
		if (is_it(found))
			break;
		while (length && found[length] != '/')
			length--;
		if (length == 0)
			return false;
		found[length] = '\0';
	}
	if (!found[0])
		text_copy(found, PS_PATH_MAX, "/");
	return true;
}

static int project_directory(char *directory)
{
	char cwd[PS_PATH_MAX];
	long n = sys2(SYS_getcwd, cwd, sizeof(cwd));

	if (n <= 0 || cwd[0] != '/')
		return n < 0 ? (int)n : -ENOENT;
	if (!search_up(cwd, directory, is_manifest_directory) && !search_up(cwd, directory, is_git_directory))
		text_copy(directory, PS_PATH_MAX, cwd);
	return 0;
}

/* The last part of the path. One that is too long is cut where a character begins (UTF-8), as `portshim run` cuts it. */
static void short_name(char *name, const char *directory)
{
	const char *base = directory + text_length(directory);
	unsigned length = PS_NAME_MAX - 1;

	while (base > directory && base[-1] != '/')
		base--;
	if (text_copy(name, PS_NAME_MAX, base))
		return;
	while (length && (base[length] & 0xc0) == 0x80)
		length--;
	name[length] = '\0';
}

static int may_write(const char *directory)
{
	return (int)sys_again(sys3(SYS_faccessat, AT_FDCWD, directory, W_OK | X_OK));
}

/* In the project's `.portshim`, as `portshim run` has it; where nobody may write that, or such a path is too long, in
 * the runtime directory, and false. */
static bool discovery_path(char *path, const char *directory, const char *runtime, uint32_t env)
{
	struct ps_text t = text_start(path, PS_PATH_MAX);
	bool inside;
	int error;

	text_add(&t, text_equal(directory, "/") ? "" : directory);
	text_add(&t, "/.portshim");
	text_end(&t);
	error = may_write(path);
	if (error == -ENOENT)
		error = may_write(directory);
	text_add(&t, "/" PS_DISCOVERY_NAME);
	inside = error != -EACCES && error != -EROFS && !t.cut;
	if (!inside) {
		space_scope_path(runtime, env, path);
		t.at = path + text_length(path);
		text_add(&t, ".json");
	}
	text_end(&t);
	return inside;
}

static int open_environment(const char *runtime, struct ps_scope_spec *spec, char *discovery, struct ps_scope **env)
{
	uint32_t id;
	int error = space_find_env(runtime, spec->key, &id, env);
	bool inside;

	if (error != -ENOENT)
		return error;
	inside = discovery_path(discovery, spec->directory, runtime, id);
	error = space_open_env(runtime, spec, env);
	if (!error && !inside)
		complain_elsewhere(spec->directory, (*env)->discovery);
	return error;
}

int bare_create_run(char *path, char *const *environment)
{
	char runtime[PS_RUNTIME_MAX], directory[PS_PATH_MAX], key[PS_PATH_MAX + 8], discovery[PS_PATH_MAX];
	char name[PS_NAME_MAX];
	struct ps_scope_spec spec = {
		.key = key,
		.name = name,
		.project = name,
		.directory = directory,
		.discovery = discovery,
	};
	struct ps_scope *env, *run;
	struct ps_text t;
	int error = space_runtime(runtime, environment);

	text_copy(path, PS_RUNTIME_MAX, runtime);
	if (error)
		return error;
	error = project_directory(directory);
	if (error) {
		text_copy(path, PS_RUNTIME_MAX, "the working directory");
		return error;
	}
	t = text_start(key, sizeof(key));
	text_add(&t, "dir:");
	text_add(&t, directory);
	text_end(&t);
	short_name(name, directory);
	error = open_environment(runtime, &spec, discovery, &env);
	if (error) {
		space_scope_path(runtime, space_env_id(runtime, key), path);
		return error;
	}
	spec.chain[0] = env->id;
	spec.root = process_self();
	error = space_create_run(runtime, &spec, path, &run);
	if (!error)
		space_close_scope(run);
	else
		space_scope_path(runtime, env->id, path);
	space_close_scope(env);
	return error;
}
