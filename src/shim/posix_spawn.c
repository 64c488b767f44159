#include <fcntl.h>

#include "preload.h"
#include "privilege.h"

extern char **environ __attribute__((weak));

EXPORT int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
		       const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
	PRELOAD_FIX(envp);
	privilege_look(AT_FDCWD, path, 0);
	return real.posix_spawn(pid, path, actions, attributes, argv, envp);
}

EXPORT int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
			const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
	PRELOAD_FIX(envp);
	privilege_search(file, &environ ? environ : NULL);
	return real.posix_spawnp(pid, file, actions, attributes, argv, envp);
}
