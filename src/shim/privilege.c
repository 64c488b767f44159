/*
 * Theory of operation: an ordinary user's filter goes with no_new_privs (prctl(2)), under which execve gives nobody
 * rights: sudo then says something of its own, and nothing of portshim. So the run's keeper says it, and which option
 * helps.
 *
 * In a process without no_new_privs this is one system call before an exec, which takes a thousand times longer. Else
 * the run's flags say whether that is the filter's doing, and the file is looked at as the kernel will (fs/exec.c,
 * bprm_fill_uid). It is a courtesy: what cannot be had, such as a path relative to another directory's attributes, is
 * not told.
 *
 * Nothing is written but the run's file, which no vfork makes anybody's own, and the stack.
 */
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "privilege.h"

#include "../core/sys.h"
#include "../core/text.h"

/* The space of a process under a filter that keeps rights away, or NULL. */
static struct ps_space *barred(void)
{
	struct ps_space *space;

	if (sys5(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return NULL;
	space = shim_mapped();
	return space && atomic_load(&space->run->flags) & PS_SCOPE_BARRED ? space : NULL;
}

static bool has_capabilities(int directory, const char *path, int flags)
{
	static const char name[] = "security.capability";

	if (!*path && flags & AT_EMPTY_PATH)
		return sys4(SYS_fgetxattr, directory, name, NULL, 0) > 0;
	return (*path == '/' || directory == AT_FDCWD) && sys4(SYS_getxattr, path, name, NULL, 0) > 0;
}

static bool gains(int directory, const char *path, int flags)
{
	struct stat st;

	if (sys4(SYS_newfstatat, directory, path, &st, flags & (AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) != 0 ||
	    !S_ISREG(st.st_mode))
		return false;
	if (st.st_mode & S_ISUID && st.st_uid != (uid_t)sys0(SYS_geteuid))
		return true;
	if ((st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && st.st_gid != (gid_t)sys0(SYS_getegid))
		return true;
	return has_capabilities(directory, path, flags);
}

static void tell(struct ps_space *space, int directory, const char *path)
{
	const char *name = path + text_length(path);
	char link[PS_PATH_MAX], own[40];
	uint16_t place;
	long length;

	if (!*path) {
		struct ps_text t = text_start(own, sizeof(own));

		text_add(&t, "/proc/self/fd/");
		text_number(&t, (uint64_t)directory);
		text_end(&t);
		length = sys4(SYS_readlinkat, AT_FDCWD, own, link, sizeof(link) - 1);
		link[length > 0 ? length : 0] = '\0';
		path = link;
		name = path + text_length(path);
	}
	while (name > path && name[-1] != '/')
		name--;
	if (space_name(space->run->barred, name, &place))
		space_event(space, PS_EVENT_UNPRIVILEGED, place, 0);
}

/* The path is the kernel's to be read first: it may be bad. */
void privilege_look(int directory, const char *path, int flags)
{
	struct ps_space *space = barred();

	if (space && path && gains(directory, path, flags))
		tell(space, directory, path);
}

/* The value of PATH, which is libc's to be read, and was by others. */
static const char *search_path(char *const *environment)
{
	const char *value;

	for (; environment && *environment; environment++)
		if ((value = text_value(*environment, "PATH")))
			return value;
	return "/bin:/usr/bin";
}

/* The first that can be executed: the one before it may be a directory, or not the user's. */
void privilege_search(const char *file, char *const *environment)
{
	struct ps_space *space = barred();
	const char *at, *end;

	if (!space)
		return;
	for (at = file; *at && *at != '/'; at++)
		;
	if (*at) {
		privilege_look(AT_FDCWD, file, 0);
		return;
	}
	for (at = search_path(environment);; at = end + 1) {
		char path[PS_PATH_MAX];
		struct ps_text t = text_start(path, sizeof(path));
		struct stat st;

		for (end = at; *end && *end != ':'; end++)
			text_char(&t, *end);
		if (end > at)
			text_char(&t, '/');
		text_add(&t, file);
		text_end(&t);
		if (!t.cut && sys3(SYS_faccessat, AT_FDCWD, path, 1 /* X_OK */) == 0 &&
		    sys4(SYS_newfstatat, AT_FDCWD, path, &st, 0) == 0 && S_ISREG(st.st_mode)) {
			if (gains(AT_FDCWD, path, 0))
				tell(space, AT_FDCWD, path);
			return;
		}
		if (!*end)
			return;
	}
}
