/*
 * project.c - which project, manifest, profile and environment a command is about.
 *
 * Theory of operation
 *
 * Everything follows from the working directory, so that nobody has to name anything. The manifest is looked for
 * upward; the nearest wins, also across the top of a git work tree, because a project may be a folder of checkouts.
 * Without a manifest the git work tree is the project (its `.git` is a file in linked work trees and submodules), else
 * the working directory. Two work trees are two directories, hence two environments.
 *
 * A manifest found by looking is used only if it is the user's, root's, or of the owner of the working directory:
 * otherwise anybody who can write to /tmp could decide about the environment variables of whoever works below it. One
 * that is named is used as it is.
 *
 * Names are for people and for file names; they are cut to their field between characters. The key is what makes an
 * environment this one, and is never cut.
 */
#include "project.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../known/known.h"
#include "output.h"

#define MANIFEST_NAME "ports.manifest.json"
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

/* An option, else an environment variable that is not empty, else NULL. */
static const char *chosen(const char *option, const char *variable)
{
	const char *value = getenv(variable);

	if (option)
		return option;
	return value && *value ? value : NULL;
}

static int working_directory(char *directory, struct ps_error *error)
{
	char here[PATH_MAX];

	if (!getcwd(here, sizeof(here))) {
		bool gone = errno == ENOENT;

		error_set(error, PS_EXIT_SYSTEM, "cannot tell the working directory: %s", strerror(errno));
		error_hint(error, "%s", gone ? "it has been removed; change to one that exists" : "");
		return PS_EXIT_SYSTEM;
	}
	if (strlen(here) >= PS_PATH_MAX) {
		error_set(error, PS_EXIT_SYSTEM, "the path of the working directory is longer than %d bytes",
			  PS_PATH_MAX - 1);
		return PS_EXIT_SYSTEM;
	}
	strcpy(directory, here);
	return 0;
}

/* Cuts the last part off. False at the root. */
static bool parent(char *directory)
{
	char *slash = strrchr(directory, '/');

	if (directory[1] == '\0')
		return false;
	slash[slash == directory] = '\0';
	return true;
}

/* DIRECTORY/NAME; false if it is too long. */
static bool join(char *path, size_t size, const char *directory, const char *name)
{
	int length = snprintf(path, size, "%s/%s", directory[1] ? directory : "", name);

	return length > 0 && (size_t)length < size;
}

/* ---- the manifest ---- */

static bool trusted(const char *path, uid_t here)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       (st.st_uid == geteuid() || st.st_uid == 0 || st.st_uid == here);
}

/* A manifest of that name which is there, the user's, and nothing that can be read. */
static int unreadable(const char *path, uid_t here, struct ps_error *error)
{
	const char *what = "no file";
	struct stat st, its;

	if (lstat(path, &st) != 0 || (st.st_uid != geteuid() && st.st_uid != 0 && st.st_uid != here))
		return 0;
	if (stat(path, &its) != 0)
		what = "a symbolic link that leads nowhere";
	else if (S_ISREG(its.st_mode))
		return 0; /* it leads to somebody else's */
	else if (S_ISDIR(its.st_mode))
		what = "a directory";
	else if (S_ISFIFO(its.st_mode))
		what = "a pipe";
	error_set(error, PS_EXIT_SYSTEM, "cannot read the manifest %s: it is %s", path, what);
	return error_hint(error, "put the manifest there, or remove it; --manifest names another");
}

/* 0 with the path, or with "" if there is none. */
static int search(char *path, char *directory, struct ps_error *error)
{
	static const char *const names[] = { MANIFEST_NAME, "config/" MANIFEST_NAME };
	struct stat st;
	uid_t here = stat(directory, &st) == 0 ? st.st_uid : geteuid();

	do {
		for (unsigned i = 0; i < 2; i++) {
			if (!join(path, PS_PATH_MAX, directory, names[i]))
				continue;
			if (trusted(path, here))
				return 0;
			if (unreadable(path, here, error))
				return error->code;
		}
	} while (parent(directory));
	path[0] = '\0';
	return 0;
}

/* The absolute path of a named manifest, which need not exist. Its own symlink is not followed (manifest_directory). */
static int named(char *path, const char *name, struct ps_error *error)
{
	char directory[PS_PATH_MAX], here[PS_PATH_MAX];
	int length, code;

	if (name[0] == '/') {
		length = snprintf(path, PS_PATH_MAX, "%s", name);
	} else {
		code = working_directory(here, error);
		if (code)
			return code;
		length = snprintf(path, PS_PATH_MAX, "%s/%s", here[1] ? here : "", name);
	}
	if (length < 0 || length >= PS_PATH_MAX)
		return error_set(error, PS_EXIT_SYSTEM, "the path of the manifest is longer than %d bytes",
				 PS_PATH_MAX - 1);
	if (access(path, R_OK) == 0 && manifest_directory(path, directory) == 0)
		return 0;
	error_set(error, PS_EXIT_SYSTEM, "cannot read the manifest %s: %s", name, strerror(errno));
	return error_hint(error, "--manifest or PORTSHIM_MANIFEST names it");
}

int project_manifest(char *path, const char *option, struct ps_error *error)
{
	const char *name = chosen(option, "PORTSHIM_MANIFEST");
	char directory[PS_PATH_MAX];
	int code;

	if (name)
		return named(path, name, error);
	code = working_directory(directory, error);
	if (code)
		return code;
	return search(path, directory, error);
}

/* ---- the directory ---- */

/* The top of the git work tree that the directory lies in; left alone if there is none. */
static void to_work_tree(char *directory)
{
	char at[PS_PATH_MAX], git[PS_PATH_MAX];
	struct stat st;

	strcpy(at, directory);
	do {
		if (join(git, sizeof(git), at, ".git") && stat(git, &st) == 0 &&
		    (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode))) {
			strcpy(directory, at);
			return;
		}
	} while (parent(at));
}

static int find_directory(struct ps_project *project, struct ps_error *error)
{
	int number, code;

	if (project->manifest_path[0]) {
		number = manifest_directory(project->manifest_path, project->directory);
		return number ? error_set(error, PS_EXIT_SYSTEM, "cannot tell where %s lies: %s",
					  project->manifest_path, strerror(-number))
			      : 0;
	}
	code = working_directory(project->directory, error);
	if (!code)
		to_work_tree(project->directory);
	return code;
}

/* ---- names ---- */

/* Copies at most size - 1 bytes, without splitting a UTF-8 character, and makes control characters visible. */
static void copy_name(char *to, size_t size, const char *from)
{
	size_t length = strlen(from);

	output_clean(to, size, from);
	if (length < size)
		return;
	length = size - 1;
	while (length > 0 && ((unsigned char)from[length] & 0xc0) == 0x80)
		length--;
	to[length] = '\0';
}

/* PROJECT and a suffix; where they are too long together, the project gives way. */
static void name_with(char *name, const char *project, char mark, const char *suffix)
{
	size_t room = PS_NAME_MAX - 1 - strlen(suffix), used = 0;

	if (room > 0) {
		copy_name(name, room, project);
		used = strlen(name);
		name[used++] = mark;
	}
	strcpy(name + used, suffix);
}

/* Environments' names become parts of paths. */
static bool good_name(const char *name)
{
	size_t length = strlen(name);

	return length > 0 && length < PS_NAME_MAX && name[0] != '.' && name[0] != '-' &&
	       strspn(name, NAME_CHARACTERS) == length;
}

static int set_names(struct ps_project *p, const struct ps_project_options *options, struct ps_error *error)
{
	/* What the command line says outweighs what the surroundings say. */
	const char *env = options->isolate ? options->env : chosen(options->env, "PORTSHIM_ENV");
	const char *base = strrchr(p->directory, '/') + 1;
	char hex[16], clean[80];
	uint32_t random;

	copy_name(p->project, sizeof(p->project),
		  p->manifest && p->manifest->project ? p->manifest->project
		  : *base			      ? base
						      : "root");
	if (options->isolate && env) {
		error_set(error, PS_EXIT_USAGE, "--isolate and --env exclude each other");
		return error_hint(
			error, "--isolate makes a new environment that is gone at the end; --env names one that stays");
	}
	if (env && !good_name(env)) {
		error_set(error, PS_EXIT_USAGE, "`%s` cannot be the name of an environment",
			  output_clean(clean, sizeof(clean), env));
		return error_hint(
			error, "names have 1 to 63 letters, digits, `_`, `.` or `-`, and do not begin with `.` or `-`");
	}
	if (options->isolate) {
		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			return error_set(error, PS_EXIT_SYSTEM, "no random number for the environment's name: %s",
					 strerror(errno));
		snprintf(hex, sizeof(hex), "%08x", random);
		snprintf(p->key, sizeof(p->key), "isolated:%s", hex);
		name_with(p->name, p->project, '+', hex);
	} else if (env) {
		snprintf(p->key, sizeof(p->key), "name:%s", env);
		copy_name(p->name, sizeof(p->name), env);
	} else if (p->profile[0]) {
		snprintf(p->key, sizeof(p->key), "dir:%s#%s", p->directory, p->profile);
		name_with(p->name, p->project, ':', p->profile);
	} else {
		snprintf(p->key, sizeof(p->key), "dir:%s", p->directory);
		copy_name(p->name, sizeof(p->name), p->project);
	}
	return 0;
}

static int load_manifest(struct ps_project *p, const char *profile, struct ps_error *error)
{
	int code;

	if (p->manifest_path[0]) {
		if (!profile)
			profile = manifest_by_variables;
		else if (!*profile)
			profile = NULL;
		code = manifest_load(&p->manifest, p->manifest_path, profile, NULL, error);
		if (code)
			return code;
		copy_name(p->profile, sizeof(p->profile), p->manifest->profile ? p->manifest->profile : "");
		return 0;
	}
	if (!profile || !*profile)
		return 0;
	error_set(error, PS_EXIT_USAGE, "there is no profile `%s`, because there is no manifest", profile);
	return error_hint(error, "profiles are declared in ports.manifest.json; see portshim-manifest(5)");
}

int project_find(struct ps_project *project, const struct ps_project_options *options, struct ps_error *error)
{
	struct ps_project found = { 0 };
	int code;

	code = project_manifest(found.manifest_path, options->manifest, error);
	if (!code)
		code = find_directory(&found, error);
	if (!code)
		code = load_manifest(&found, chosen(options->profile, "PORTSHIM_PROFILE"), error);
	if (!code)
		code = set_names(&found, options, error);
	if (code) {
		project_free(&found);
	} else {
		*project = found;
		if (found.manifest_path[0])
			known_note(found.manifest_path);
	}
	return code;
}

void project_free(struct ps_project *project)
{
	manifest_free(project->manifest);
	project->manifest = NULL;
}
