/*
 * launch.c - from the command line to a run that a program can be started in.
 *
 * Theory of operation: `run` and `exec` do the same things up to the moment when the program is started. The project
 * says which environment; the environment's file is opened or made; the run's file is made, with the compiled
 * manifest behind it; what is left of dead runs of the same environment is cleared away; then this process's own
 * environment variables become those of the program: PORTSHIM_RUN, LD_PRELOAD, and what the manifest injects.
 *
 * Two kinds of trouble: what the user said wrong (a broken manifest, an unknown service) ends with 125, because to
 * run the program otherwise than asked could be silently wrong. Where portshim itself cannot work (no library, no
 * runtime directory) the program runs as without it and one line says so, unless --strict. A run inside a run then
 * stays in the outer one.
 *
 * Cost matters here, since it is paid at every start: no process is started, /proc is not searched, the runtime
 * directory is not listed, and only the environment's own records are looked at. Exceptions are --allow, the
 * conservative strategy and services of other projects, which read the manifests of all known ones, and one launch in
 * 64, which clears away the files that dead runs of all environments have left, and projects that are gone.
 */
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <portshim/discovery.h>
#include <portshim/lock.h>
#include <portshim/process.h>
#include <portshim/registry.h>

#include "../keeper/keeper.h"
#include "../known/numbers.h"
#include "inject.h"
#include "leftover.h"
#include "library.h"
#include "nest.h"
#include "place.h"
#include "refusal.h"
#include "program.h"

#define SWEEP_EVERY 64 /* launches, by chance, from one look at the files of all runs to the next */

/* ---- the command line ---- */

/* --strict is passed on, so that the library and runs inside this one fail closed as well. */
static bool is_strict(void)
{
	const char *text = getenv("PORTSHIM_STRICT");

	return text && *text && strcmp(text, "0") != 0;
}

bool launch_parse(const struct ps_command *command, struct ps_launch_options *options, int *argc, char ***argv,
		  int *code)
{
	const struct ps_option table[] = {
		{ .name = "env", .argument = "NAME", .value = &options->project.env },
		{ .name = "isolate", .flag = &options->project.isolate },
		{ .name = "profile", .argument = "NAME", .value = &options->project.profile },
		{ .name = "manifest", .argument = "FILE", .value = &options->project.manifest },
		{ .name = "service", .argument = "NAME", .value = &options->service },
		{ .name = "strategy", .argument = "STRATEGY", .value = &options->strategy },
		{ .name = "allow", .argument = "ENV", .list = &options->allow },
		{ .name = "strict", .flag = &options->strict },
		{ .name = "quiet", .letter = 'q', .flag = &options->quiet },
		{ .name = "verbose", .letter = 'v', .flag = &options->verbose },
		{ .name = options->keeper ? "static" : NULL, .argument = "MODE", .value = &options->static_mode },
		{ .name = "allow-io-uring", .flag = &options->io_uring },
		{ .name = NULL },
	};

	options->strict = is_strict();
	if (!options_parse(command, table, PS_OPTIONS_STOP, argc, argv, code)) {
		if (*code == PS_EXIT_USAGE)
			*code = PS_EXIT_FAILED; /* the other codes are the program's */
		return false;
	}
	if (*argc == 0)
		command_usage(command, "no program given");
	else if (options->project.env && options->project.isolate)
		command_usage(command, "--env and --isolate exclude each other: a private environment has no name");
	else if (options->quiet && options->verbose)
		command_usage(command, "--quiet and --verbose exclude each other");
	else
		return true;
	*code = PS_EXIT_FAILED;
	return false;
}

void launch_guard_standard(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			/* The lowest free descriptor is this one, since those below are open. */
			(void)open("/dev/null", O_RDWR | O_CLOEXEC);
}

/* ---- the plan ---- */

static int find_strategy(const char *name, struct ps_error *error)
{
	static const char *const names[] = { "minimal", "conservative", "aggressive" };
	const char *near;

	for (int i = 0; i < 3; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	near = error_suggest(name, names, 3);
	error_set(error, PS_EXIT_FAILED, "--strategy %s: there is no such strategy", name);
	if (near)
		error_hint(error, "did you mean `%s`?", near);
	else
		error_hint(error, "it is minimal, conservative or aggressive");
	return -1;
}

struct foreign {
	uint64_t ports[PS_BITMAP_WORDS];
	const struct ps_project *own;
};

/* A checkout of the own project, which has the same name and declares the same ports, is no other project. */
static bool is_foreign(const struct foreign *f, const char *directory, const char *project)
{
	return strcmp(directory, f->own->directory) != 0 && strcmp(project, f->own->project) != 0;
}

static void note_manifest(struct foreign *f, const struct ps_manifest *manifest)
{
	for (size_t s = 0; manifest && s < manifest->service_count; s++)
		for (size_t i = 0; i < manifest->services[s].port_count; i++)
			bitmap_set(f->ports, manifest->services[s].ports[i]);
}

/* The ports that the project of an environment declares. A manifest that cannot be read declares none. */
static bool note_foreign(const struct ps_scope *env, void *context)
{
	static const char *const places[] = { "ports.manifest.json", "config/ports.manifest.json" };
	struct foreign *f = context;

	if (strcmp(env->directory, f->own->directory) == 0 || env->flags & PS_SCOPE_PRIVATE)
		return true;
	for (int i = 0; i < 2; i++) {
		char path[PS_PATH_MAX + 32];
		struct ps_manifest *manifest;
		struct ps_error ignored;

		snprintf(path, sizeof(path), "%s/%s", env->directory, places[i]);
		if (access(path, R_OK) != 0 ||
		    manifest_load(&manifest, path, env->profile[0] ? env->profile : NULL, NULL, &ignored) != 0)
			continue;
		if (is_foreign(f, env->directory, manifest->project ? manifest->project
								    : strrchr(env->directory, '/') + 1))
			note_manifest(f, manifest);
		manifest_free(manifest);
		break;
	}
	return true;
}

/* True if the directory is known as another project's; one that is not known is. */
static bool is_foreign_directory(const struct foreign *f, const struct ps_known_list *known, const char *directory)
{
	for (size_t i = 0; i < known->count; i++)
		if (strcmp(known->list[i].directory, directory) == 0)
			return is_foreign(f, directory, known->list[i].project);
	return is_foreign(f, directory, "");
}

/* Those of all known projects under each of their profiles, also of those that never ran here, and the numbers that
 * `portshim next` handed out. */
static void note_known(struct foreign *f)
{
	struct ps_known_list known;
	struct ps_error ignored = { 0 };
	size_t count;
	struct ps_number *numbers = numbers_list(&count);

	known_read(&known, &ignored);
	for (size_t i = 0; i < known.count; i++) {
		const struct ps_known *k = &known.list[i];

		if (!k->manifest || !is_foreign(f, k->directory, k->project))
			continue;
		note_manifest(f, k->manifest);
		for (size_t p = 0; p < k->manifest->profile_count; p++)
			note_manifest(f, known_view(k, k->manifest->profiles[p]));
	}
	for (size_t i = 0; i < count; i++)
		if (is_foreign_directory(f, &known, numbers[i].directory))
			bitmap_set(f->ports, numbers[i].port);
	known_free(&known);
	free(numbers);
}

static bool wants_foreign(const struct ps_manifest *manifest, int strategy)
{
	if (strategy >= 0 || !manifest)
		return strategy == PS_CONSERVATIVE;
	for (size_t i = 0; i < manifest->service_count; i++)
		if (manifest->services[i].strategy == PS_CONSERVATIVE)
			return true;
	return manifest->strategy == PS_CONSERVATIVE;
}

/* The plan of a project without a manifest: only needed to carry a strategy. */
static struct ps_plan *bare_plan(const uint64_t *foreign)
{
	struct ps_plan *plan = calloc(1, sizeof(*plan));

	if (!plan)
		return NULL;
	plan->magic = PS_PLAN_MAGIC;
	plan->abi = PS_ABI;
	plan->size = plan->strings = sizeof(*plan);
	plan->default_first = 20000;
	plan->default_last = 29999;
	plan->report = PS_REPORT_ACTUAL;
	plan->os = true;
	if (foreign)
		memcpy(plan->foreign, foreign, sizeof(plan->foreign));
	return plan;
}

static int make_plan(struct ps_launch *launch, int strategy, bool quiet, struct ps_error *error)
{
	struct ps_manifest *manifest = launch->project.manifest;
	struct foreign *foreign = NULL;

	if (!manifest && strategy < 0)
		return 0;
	if (wants_foreign(manifest, strategy)) {
		foreign = calloc(1, sizeof(*foreign));
		if (!foreign)
			return error_set(error, PS_EXIT_FAILED, "out of memory");
		foreign->own = &launch->project;
		nest_environments(launch->runtime, note_foreign, foreign);
		note_known(foreign);
	}
	if (manifest)
		known_follow(manifest, launch->project.profile, launch->runtime, quiet);
	launch->plan = manifest ? manifest_compile(manifest, foreign ? foreign->ports : NULL)
				: bare_plan(foreign ? foreign->ports : NULL);
	free(foreign);
	if (!launch->plan)
		return error_set(error, PS_EXIT_FAILED, "out of memory");
	if (strategy >= 0) {
		struct ps_service *services = (void *)((char *)launch->plan + launch->plan->services);

		launch->plan->strategy = (uint8_t)strategy;
		for (uint32_t i = 0; i < launch->plan->service_count; i++)
			services[i].strategy = (uint8_t)strategy;
	}
	return 0;
}

/* ---- what dead runs of the environment have left ---- */

/* Stands for a run whose file is gone, so that nobody can use its lock. */
static struct ps_scope lost;

static bool run_lives(const struct ps_host *host, const struct ps_scope *run)
{
	if (process_alive(run->root))
		return true;
	FOR_EACH_SET(port, host->owned) {
		if (head_env(host_head(host, port)) == run->env && host->record[port].run == run->id &&
		    process_alive(host->record[port].owner))
			return true;
	}
	return false;
}

static unsigned sweep_record(struct ps_space *space, uint16_t port)
{
	uint32_t id = space->host->record[port].run;
	struct ps_scope *run;
	unsigned changed;
	int error;

	if (process_alive(space->host->record[port].owner))
		return 0;
	error = space_open_scope(space->runtime, id, &run);
	if (error == -ENOENT) {
		lost.id = id;
		return registry_sweep(space->host, &lost, space->env, true);
	}
	if (error)
		return 0;
	changed = process_alive(run->root) ?
			  0 : registry_sweep(space->host, run, space->env, !run_lives(space->host, run));
	space_close_scope(run);
	return changed;
}

/* The next look: only at the records of the own environment. In another network namespace than the table's, nobody can
 * tell what listens. */
static void sweep_dead(struct ps_space *space)
{
	unsigned changed = 0;

	FOR_EACH_SET(port, space->env->actual) {
		uint64_t head = host_head(space->host, port);

		if (head_env(head) == space->env->id && head_state(head) != PS_FREE &&
		    space->host->record[port].run != space->run->id)
			changed += sweep_record(space, port);
	}
	if (changed || discovery_outdated(space->host, space->env))
		tidy_redraw(space);
}

/* ---- the run ---- */

static int find_library(struct ps_launch *launch, struct ps_error *why)
{
	const char *chosen = getenv("PORTSHIM_LIBRARY");
	char path[PS_PATH_MAX] = PS_LIBRARY_FILE;
	int error = library_find(path, sizeof(path));

	if (error && chosen && *chosen) {
		error_set(why, PS_EXIT_FAILED, "cannot use PORTSHIM_LIBRARY, %s: %s", chosen,
			  error == -EINVAL   ? "it is no absolute path"
			  : error == -ENOEXEC ? "it is no library"
					      : strerror(-error));
		return error_hint(why, "without that variable, the library beside portshim or in ../lib is used");
	}
	if (error) {
		error_set(why, PS_EXIT_FAILED, "cannot find %s beside portshim or in ../lib: %s", PS_LIBRARY_FILE,
			  strerror(-error));
		return error_hint(why, "PORTSHIM_LIBRARY names it, with its absolute path");
	}
	error = library_name(path, launch->runtime, launch->library, sizeof(launch->library));
	return error ? error_set(why, PS_EXIT_FAILED, "LD_PRELOAD cannot name %s: %s", path, strerror(-error)) : 0;
}

static int make_environment(struct ps_launch *launch, uint32_t id, bool quiet, struct ps_scope **env)
{
	const struct ps_project *project = &launch->project;
	char discovery[PS_PATH_MAX], elsewhere[PS_PATH_MAX];
	struct ps_scope_spec spec = {
		.key = project->key,
		.name = project->name,
		.project = project->project,
		.profile = project->profile,
		.directory = project->directory,
		.discovery = discovery,
		.flags = strncmp(project->key, "isolated:", 9) == 0 ? PS_SCOPE_PRIVATE : 0,
	};

	place_discovery(project, launch->runtime, id, discovery);
	snprintf(elsewhere, sizeof(elsewhere), "%s/env-%08x.json", launch->runtime, id);
	if (!(spec.flags & PS_SCOPE_PRIVATE) && !quiet && strcmp(discovery, elsewhere) == 0)
		fprintf(stderr, "portshim: nothing can be written in %s; the discovery file is %s\n",
			project->directory, discovery);
	return space_open_env(launch->runtime, &spec, env);
}

/* A project that has a manifest by now, or another name in it, is called so from now on. */
static void rename_environment(struct ps_scope *env, const struct ps_project *project)
{
	struct ps_lock_guard guard;

	if (strncmp(project->key, "dir:", 4) != 0 ||
	    (strcmp(env->name, project->name) == 0 && strcmp(env->project, project->project) == 0))
		return;
	if (!lock_enter(&env->lock, &guard))
		return;
	/* Others may read meanwhile, without the lock: the last byte stays NUL. */
	snprintf(env->name, sizeof(env->name), "%s", project->name);
	snprintf(env->project, sizeof(env->project), "%s", project->project);
	lock_leave(&env->lock, &guard);
}

/* Opens the environment, making it if needed, and copies what is to be said of it into `spec`. */
static int open_environment(struct ps_launch *launch, const struct ps_scope *outer, bool stays, bool quiet,
			    struct ps_scope_spec *spec, struct ps_scope **env, struct ps_error *why)
{
	uint32_t id = stays ? outer->env : 0;
	int error = stays ? space_open_scope(launch->runtime, id, env)
			  : space_find_env(launch->runtime, launch->project.key, &id, env);

	if (error == -ENOENT && !stays)
		error = make_environment(launch, id, quiet, env);
	else if (!error)
		place_renew((*env)->directory, (*env)->discovery); /* made at another time, by another run */
	if (!error && !stays)
		rename_environment(*env, &launch->project);
	if (error)
		return refusal_registry(why, PS_EXIT_FAILED, launch->runtime, id, error);
	launch->env = (*env)->id;
	*spec = (struct ps_scope_spec){
		.name = (*env)->name,
		.project = (*env)->project,
		.profile = launch->project.profile,
		.directory = launch->project.directory,
		.discovery = (*env)->discovery,
	};
	return 0;
}

/* So that a client's call to another project's service is looked at, also before that has started. */
static void name_from(struct ps_space *space)
{
	const struct ps_plan *plan = space->plan;

	for (uint32_t i = 0; plan && i < plan->from_count; i++) {
		const struct ps_plan_from *from = (const void *)((const char *)plan + plan->from);

		shared_set(space->host->named, from[i].port);
	}
}

static int create_run(struct ps_launch *launch, struct ps_scope_spec *spec, uint32_t flags, struct ps_error *why)
{
	struct ps_scope *run;
	int error;

	if (launch->filter.pass)
		flags |= PS_SCOPE_STATIC | (launch->filter.barred ? PS_SCOPE_BARRED : 0);
	/* Only a keeper can start a program again. */
	spec->flags = flags | (flags & PS_SCOPE_KEPT && plan_yields_any(launch->plan) ? PS_SCOPE_YIELDS : 0);
	spec->root = process_self();
	spec->pass = launch->filter.pass;
	spec->plan = launch->plan;
	spec->plan_size = launch->plan ? launch->plan->size : 0;
	error = space_create_run(launch->runtime, spec, launch->run_path, &run);
	if (!error) {
		space_close_scope(run);
		error = space_open(&launch->space, launch->run_path);
		if (error)
			unlink(launch->run_path);
		else
			name_from(&launch->space);
	}
	if (error)
		refusal_registry(why, PS_EXIT_FAILED, launch->runtime, launch->env, error);
	return why->code;
}

/* Returns 0 or the error's code; *fatal if the user is wrong, not portshim. */
static int activate(struct ps_launch *launch, const struct ps_launch_options *options, uint32_t flags, int strategy,
		    bool *fatal, struct ps_error *error)
{
	struct ps_scope *outer = NULL, *env = NULL;
	struct ps_scope_spec spec = { 0 };
	bool stays;
	int result = space_runtime(launch->runtime, environ);

	if (result)
		return refusal_runtime(error, PS_EXIT_FAILED, launch->runtime, result);
	if (find_library(launch, error))
		goto out;
	outer = nest_outer(launch->runtime);
	stays = nest_stays(launch->runtime, outer, options, &launch->project);
	if (open_environment(launch, outer, stays, options->quiet, &spec, &env, error))
		goto out;
	nest_chain(spec.chain, launch->env, outer, options->project.isolate, options->quiet);
	*fatal = true;
	if (nest_allow(spec.chain, launch->runtime, &options->allow, error) ||
	    make_plan(launch, strategy, options->quiet, error))
		goto out;
	*fatal = false;
	if (create_run(launch, &spec, flags | (env->flags & PS_SCOPE_PRIVATE), error))
		goto out;
	sweep_dead(&launch->space);
	if (launch->space.run->id % SWEEP_EVERY == 0) {
		leftover_sweep(launch->runtime);
		known_prune();
	}
	launch->active = true;
out:
	space_close_scope(outer);
	space_close_scope(env);
	return error->code;
}

/* What keeps portshim out of the program, or NULL. A shell or its like counts as reached: what it starts matters. */
static const char *find_obstacle(const struct ps_program *program, const struct ps_filter *filter)
{
	if (program->kind == PS_PROGRAM_NOT_FOUND || program->kind == PS_PROGRAM_NOT_EXECUTABLE || program->shell ||
	    filter->pass)
		return NULL;
	if (program->kind == PS_PROGRAM_STATIC)
		return "is statically linked";
	if (program->kind == PS_PROGRAM_FOREIGN)
		return "is made for another architecture";
	if (program->setid || program->capabilities)
		return "runs with rights that make the loader ignore LD_PRELOAD";
	return program->go ? "is made with Go, which makes its system calls past the C library" : NULL;
}

/* Tells of a program that will not be reached; what it starts may be reached all the same. */
static int judge_program(const struct ps_launch *launch, const struct ps_launch_options *options,
			 const struct ps_program *program, const char *name, struct ps_error *error)
{
	const char *obstacle = find_obstacle(program, &launch->filter);

	if (!obstacle)
		return 0;
	if (options->strict) {
		error_set(error, PS_EXIT_FAILED, "%s %s: its ports would not be moved", name, obstacle);
		return error_hint(error, "`portshim doctor %s` says more; without --strict it runs as it is", name);
	}
	if (!options->quiet)
		fprintf(stderr, "portshim: %s %s; its ports are not moved\n", name, obstacle);
	return 0;
}

static int set_variables(struct ps_launch *launch, const struct ps_launch_options *options,
			 const struct ps_manifest_service *service, struct ps_error *error)
{
	char *preload = library_preload(getenv("LD_PRELOAD"), launch->library);
	const char *state = getenv("PORTSHIM");

	if (state && strcmp(state, "quiet") == 0) /* about a run around this one, which could not be used */
		unsetenv("PORTSHIM");
	if (!preload || setenv("LD_PRELOAD", preload, 1) != 0 || setenv("PORTSHIM_RUN", launch->run_path, 1) != 0 ||
	    (options->strict && setenv("PORTSHIM_STRICT", "1", 1) != 0) ||
	    (options->static_mode && setenv("PORTSHIM_STATIC", options->static_mode, 1) != 0))
		error_set(error, PS_EXIT_FAILED, "out of memory");
	free(preload);
	return error->code ? error->code : inject_set(launch->project.manifest, service, error);
}

/* Law 12: open, loudly once; or closed. */
static int without(struct ps_launch *launch, const struct ps_launch_options *options, struct ps_error *error)
{
	if (options->strict || launch->filter.mode == PS_STATIC_ON)
		return error->code = PS_EXIT_FAILED;
	launch->filter = (struct ps_filter){ 0 };
	if (!options->quiet)
		fprintf(stderr, "portshim: %s%s%s%s; the program runs without portshim\n", error->text,
			error->hint[0] ? " (" : "", error->hint, error->hint[0] ? ")" : "");
	*error = (struct ps_error){ 0 };
	return 0;
}

static int choose_filter(struct ps_launch *launch, const struct ps_launch_options *options,
			 const struct ps_program *program, struct ps_error *error)
{
	struct ps_filter *filter = &launch->filter;
	const char *vain = options->io_uring ? "--allow-io-uring" : NULL;

	if (options->static_mode && strcmp(options->static_mode, "off") == 0)
		vain = "--static=off";
	if (filter_choose(filter, filter->mode, options->quiet, program, error) != 0)
		return error->code;
	if (filter->inherited && vain && !options->quiet)
		fprintf(stderr, "portshim: %s: the filter of the run around this one stays in force\n", vain);
	return 0;
}

static int prepare(struct ps_launch *launch, const struct ps_launch_options *options, uint32_t flags, char *const *argv,
		   struct ps_error *error)
{
	const struct ps_manifest_service *service;
	struct ps_program program;
	bool fatal = false;
	int strategy = -1;

	if (options->keeper && filter_mode(options->static_mode, &launch->filter.mode, error) != 0)
		goto failed;
	if (project_find(&launch->project, &options->project, error) != 0) {
		/* No working directory, or one beyond our fields: that is nothing that the program has done wrong. */
		if (error->code == PS_EXIT_SYSTEM && !launch->project.directory[0])
			return without(launch, options, error);
		goto failed;
	}
	if (options->strategy && (strategy = find_strategy(options->strategy, error)) < 0)
		goto failed;
	if (inject_choose(launch->project.manifest, options->service, argv, &service, error) != 0)
		goto failed;
	inject_follow(launch->project.manifest, service);
	if (options->verbose && !options->project.profile && launch->project.profile[0])
		fprintf(stderr, "portshim: profile %s\n", launch->project.profile);
	if (options->strict)
		flags |= PS_SCOPE_STRICT;
	program_read(&program, argv[0]);
	if (choose_filter(launch, options, &program, error) != 0)
		goto failed;
	if (activate(launch, options, flags, strategy, &fatal, error) != 0) {
		if (fatal)
			goto failed;
		return without(launch, options, error);
	}
	if (judge_program(launch, options, &program, argv[0], error) == 0 && set_variables(launch, options, service, error) == 0)
		return 0;
	launch_cancel(launch);
failed:
	return error->code = PS_EXIT_FAILED;
}

/* Under `ulimit -f 0`, what cannot be written must be an error and not the end by SIGXFSZ. */
int launch_prepare(struct ps_launch *launch, const struct ps_launch_options *options, uint32_t flags, char *const *argv,
		   struct ps_error *error)
{
	const struct timespec now = { 0 };
	sigset_t xfsz, mask;
	int code;

	sigemptyset(&xfsz);
	sigaddset(&xfsz, SIGXFSZ);
	sigprocmask(SIG_BLOCK, &xfsz, &mask);
	code = prepare(launch, options, flags, argv, error);
	sigtimedwait(&xfsz, NULL, &now);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	return code;
}

void launch_cancel(struct ps_launch *launch)
{
	struct ps_space *space = &launch->space;

	if (!launch->active)
		return;
	launch->active = false;
	atomic_fetch_or(&space->run->flags, PS_SCOPE_RETIRED);
	space_unlink_scope(space->runtime, space->run->id);
	/* A private environment that another run of it shares is that run's to remove. */
	if (space->env->flags & PS_SCOPE_PRIVATE && space->run->chain[0] == space->env->id && !space->run->chain[1])
		space_unlink_scope(space->runtime, space->env->id);
	space_close(space);
}

void launch_free(struct ps_launch *launch)
{
	project_free(&launch->project);
	free(launch->plan);
	space_close(&launch->space);
	memset(launch, 0, sizeof(*launch));
}

int launch_exec_error(const char *program, int number, struct ps_error *error)
{
	struct stat st;

	if (number == ENOENT && strchr(program, '/') && stat(program, &st) == 0) {
		error_set(error, PS_EXIT_NOT_FOUND, "cannot run %s: its interpreter is missing", program);
		return error_hint(error, "look at its first line, or for a binary at `file %s`", program);
	}
	if (number == ENOENT) {
		error_set(error, PS_EXIT_NOT_FOUND, "cannot run %s: there is no such program%s", program,
			  strchr(program, '/') ? "" : " in PATH");
		return error->code;
	}
	error_set(error, PS_EXIT_CANNOT_EXEC, "cannot run %s: %s", program, strerror(number));
	if (number == EACCES && strchr(program, '/') && stat(program, &st) == 0 && S_ISREG(st.st_mode))
		error_hint(error, "`chmod +x` makes it executable");
	return error->code;
}
