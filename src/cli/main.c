/*
 * main.c - the table of commands, and the way to the one that was asked for.
 *
 * Theory of operation: a command is a struct ps_command beside its code; main finds it, runs it, and sees that its
 * output really got out: a full disk behind stdout is an error of the command, not a secret. run and exec pass their
 * file descriptors on as they are; every other command gets closed ones back (read-only, so that writing fails), lest
 * a file that it opens becomes its stdout.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "complete.h"
#include "doctor.h"

const struct ps_command *const commands[] = {
	&command_run,  &command_exec, &command_status, &command_port,     &command_url,  &command_env,
	&command_wait, &command_health, &command_why,  &command_doctor, &command_validate, &command_check, &command_sync, &command_map,
	&command_next, &command_inventory, &command_fix, &command_free, &command_init, &command_help, &command_version,
	NULL,
};

static int unknown_command(const char *name)
{
	const char *near = command_suggest(name);

	fprintf(stderr, "portshim: there is no command `%s`\n", name);
	if (near)
		fprintf(stderr, "hint: did you mean `portshim %s`?\n", near);
	else
		fprintf(stderr, "hint: `portshim run -- %s` runs a program; `portshim help` lists the commands\n",
			name);
	return PS_EXIT_USAGE;
}

static void open_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

static int flush_output(const struct ps_command *command, int code)
{
	bool failed = ferror(stdout) != 0;

	errno = 0;
	if (fflush(stdout) != 0)
		failed = true;
	if (!failed)
		return code;
	fprintf(stderr, "portshim %s: cannot write the output%s%s\n", command->name, errno ? ": " : "",
		errno ? strerror(errno) : "");
	return command == &command_run || command == &command_exec ? PS_EXIT_FAILED : PS_EXIT_SYSTEM;
}

int main(int argc, char **argv)
{
	const struct ps_command *command = NULL;
	const char *name = argc > 1 ? argv[1] : NULL;

	if (!name) {
		fprintf(stderr, "portshim: no command given\nhint: `portshim run -- PROGRAM ARGS...` runs a program; "
				"`portshim help` lists the commands\n");
		return PS_EXIT_USAGE;
	}
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		command = &command_help;
	else if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
		command = &command_version;
	else
		command = command_find(name);
	if (command != &command_run && command != &command_exec)
		open_standard();
	if (!command && strcmp(name, "__complete") == 0)
		return complete_print(argc - 1, argv + 1);
	if (!command && strcmp(name, "__preloaded") == 0)
		return doctor_preloaded();
	if (!command)
		return unknown_command(name);
	return flush_output(command, command->run(argc - 1, argv + 1));
}
