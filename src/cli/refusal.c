#include "refusal.h"

#include <errno.h>
#include <stdio.h>

#include <portshim/blame.h>
#include <portshim/space.h>

int refusal_runtime(struct ps_error *error, int code, const char *path, int result)
{
	struct ps_blame blame;

	blame_runtime(&blame, path, result);
	error_set(error, code, "there is no usable runtime directory: cannot use %s: %s", path, blame.why);
	return error_hint(error, "%s", blame.todo);
}

int refusal_registry(struct ps_error *error, int code, const char *runtime, uint32_t id, int result)
{
	char path[PS_RUNTIME_MAX + 16];
	struct ps_blame blame;
	int found = space_culprit(runtime, id, path);

	/* What is not there could not be made: `result` says why. */
	blame_file(&blame, path, found && found != -ENOENT ? found : result);
	error_set(error, code, "cannot use %s: %s", path, blame.why);
	return error_hint(error, "%s", blame.todo);
}

void refusal_say(const char *runtime, uint32_t id, int result)
{
	char path[PS_RUNTIME_MAX + 16];
	struct ps_blame blame;

	space_scope_path(runtime, id, path);
	blame_file(&blame, path, result);
	fprintf(stderr, "portshim: cannot use %s: %s%s%s%s\n", path, blame.why, blame.todo[0] ? " (" : "", blame.todo,
		blame.todo[0] ? ")" : "");
}
