/*
 * cmd_run.c - `portshim run`: starts a program in a run of its own and becomes its keeper.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../keeper/keeper.h"
#include "../notify/notify.h"

#include "launch.h"

static const char help[] =
	"Examples:\n"
	"  portshim run -- npm run dev              in as many checkouts as you like\n"
	"  portshim run --isolate -- npm test       a private environment that is gone at the end\n"
	"  portshim run --env demo python3 app.py   an environment with a name, the same from everywhere\n"
	"\n"
	"Usage: portshim run [OPTION...] [--] PROGRAM [ARGUMENT...]\n"
	"\n"
	"Runs the program as if it had the machine to itself. A port that is taken is moved, clients of the\n"
	"environment follow, and what was really assigned is written to .portshim/ports.json before the program's\n"
	"listen() returns.\n"
	"\n"
	"      --env NAME         the environment of that name instead of the project's\n"
	"      --isolate          a private environment: every port is moved, and all is gone at the end\n"
	"      --profile PROFILE  the manifest with that profile, in an environment of its own\n"
	"      --manifest FILE    this manifest instead of the one found from here upward\n"
	"      --service NAME     which service the program is: its variables (PORT, ...) are set\n"
	"      --strategy NAME    minimal, conservative or aggressive, instead of the manifest's\n"
	"      --allow ENV        let the program reach the servers of this environment too (repeatable)\n"
	"      --static MODE      reach static and Go programs too: auto (where it can be, the default), on, off\n"
	"      --allow-io-uring   leave io_uring alone; what is bound or connected through it is not reached\n"
	"      --strict           fail with 125 where portshim cannot do its work, instead of running without it\n"
	"  -q, --quiet            no notices\n"
	"  -v, --verbose          also tell which ports were not moved\n"
	"  -h, --help             this text\n"
	"\n"
	"Exit status: the program's own, and death by the same signal; 125 portshim failed, 126 the program cannot be\n"
	"executed, 127 it was not found.\n";

/* No process can be made (RLIMIT_NPROC, memory). The program can run all the same, in place of this one, as under
 * `exec`. Returns an errno where it cannot. */
static int become(struct ps_launch *launch, const struct ps_launch_options *options, int failure, char *const *argv)
{
	if (!options->quiet)
		fprintf(stderr, "portshim: no process can be made for a keeper: %s; the program runs without one\n",
			strerror(failure));
	if (launch->active)
		atomic_fetch_and(&launch->space.run->flags, launch->filter.inherited ? ~PS_SCOPE_KEPT
										   : ~(PS_SCOPE_KEPT | PS_SCOPE_STATIC));
	execvp(argv[0], argv);
	return errno;
}

static int run(int argc, char **argv)
{
	struct ps_launch_options options = { .keeper = true };
	struct ps_launch launch = { 0 };
	struct ps_error error = { 0 };
	struct ps_keeper keeper = { .nested = getenv("PORTSHIM_RUN") != NULL };
	int code, failure;

	launch_guard_standard();
	if (!launch_parse(&command_run, &options, &argc, &argv, &code))
		return code;
	code = launch_prepare(&launch, &options, PS_SCOPE_KEPT, argv, &error);
	if (code)
		goto out;
	keeper.space = launch.active ? &launch.space : NULL;
	keeper.lasting = launch.active && atomic_load(&launch.space.run->flags) & PS_SCOPE_YIELDS;
	keeper.quiet = options.quiet;
	keeper.verbose = options.verbose;
	keeper.filter.mode = launch.active ? launch.filter.mode : PS_STATIC_OFF;
	keeper.filter.told = launch.filter.told;
	keeper.filter.flags = options.io_uring ? PS_FILTER_IO_URING : 0;
	failure = keeper_run(&keeper, argv);
	if (keeper.filter.refused && keeper.filter.mode == PS_STATIC_ON) {
		launch_cancel(&launch);
		code = filter_error(keeper.filter.refused, &error);
		goto out;
	}
	if (keeper.unforked && !options.strict && keeper.filter.mode != PS_STATIC_ON)
		failure = become(&launch, &options, failure, argv);
	if (failure) {
		launch_cancel(&launch);
		code = launch_exec_error(argv[0], failure, &error);
		goto out;
	}
	/* Where the keeper serves the filter in its worker's place, its threads may be in a call until the very end. */
	if (!keeper.chain.serving)
		launch_free(&launch);
	return keeper_status(keeper.status);
out:
	error_print(&error);
	launch_free(&launch);
	return code;
}

const struct ps_command command_run = {
	.name = "run",
	.summary = "Run a program in the project's environment",
	.help = help,
	.run = run,
};
