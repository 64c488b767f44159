/*
 * cmd_exec.c - `portshim exec`: like run, but in place: this process becomes the program, and nobody keeps it.
 */
#include <errno.h>
#include <unistd.h>

#include "launch.h"

static const char help[] =
	"Examples:\n"
	"  exec portshim exec -- nginx -g 'daemon off;'   the last line of a start script\n"
	"  portshim exec -- redis-server                  the pid stays the one that was started\n"
	"\n"
	"Usage: portshim exec [OPTION...] [--] PROGRAM [ARGUMENT...]\n"
	"\n"
	"Does what `portshim run` does, in place: no process stays beside the program. So nobody prints notices,\n"
	"keeps the discovery file's timestamps fresh or clears away at the end; the next portshim command does that.\n"
	"And only programs that load the library are reached: no static or Go ones, but for those inside a run.\n"
	"\n"
	"      --env NAME         the environment of that name instead of the project's\n"
	"      --isolate          a private environment: every port is moved\n"
	"      --profile PROFILE  the manifest with that profile, in an environment of its own\n"
	"      --manifest FILE    this manifest instead of the one found from here upward\n"
	"      --service NAME     which service the program is: its variables (PORT, ...) are set\n"
	"      --strategy NAME    minimal, conservative or aggressive, instead of the manifest's\n"
	"      --allow ENV        let the program reach the servers of this environment too (repeatable)\n"
	"      --strict           fail with 125 where portshim cannot do its work, instead of running without it\n"
	"  -q, --quiet            no notices\n"
	"  -v, --verbose          accepted, as for run\n"
	"  -h, --help             this text\n"
	"\n"
	"Exit status: the program's own; 125 portshim failed, 126 the program cannot be executed, 127 it was not\n"
	"found.\n";

static int run(int argc, char **argv)
{
	struct ps_launch_options options = { 0 };
	struct ps_launch launch = { 0 };
	struct ps_error error = { 0 };
	int code;

	launch_guard_standard();
	if (!launch_parse(&command_exec, &options, &argc, &argv, &code))
		return code;
	code = launch_prepare(&launch, &options, 0, argv, &error);
	if (!code) {
		execvp(argv[0], argv);
		code = errno;
		launch_cancel(&launch);
		code = launch_exec_error(argv[0], code, &error);
	}
	error_print(&error);
	launch_free(&launch);
	return code;
}

const struct ps_command command_exec = {
	.name = "exec",
	.summary = "Become a program in the project's environment, without a keeper",
	.help = help,
	.run = run,
};
