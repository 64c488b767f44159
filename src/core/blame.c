#include <fcntl.h>
#include <sys/stat.h>

#include <portshim/blame.h>
#include <portshim/host.h>

#include "sys.h"
#include "text.h"

const char *blame_errno(int error, char room[24])
{
	/* Text, not pointers to it: those would be relocated in every process that starts. */
	static const struct {
		int number;
		char text[56];
	} known[] = {
		{EPERM, "not permitted"},
		{ENOENT, "it is not there"},
		{EINTR, "interrupted"},
		{EIO, "input/output error"},
		{ENXIO, "it cannot be opened"},
		{ENOMEM, "out of memory"},
		{EACCES, "permission denied"},
		{EEXIST, "it is there already"},
		{ENOTDIR, "a part of its path is no directory"},
		{EISDIR, "it is a directory"},
		{EINVAL, "it is damaged or no such file"},
		{ENFILE, "too many open files in the system"},
		{EMFILE, "too many open files"},
		{EFBIG, "the limit for the size of files is reached"},
		{ENOSPC, "no space left"},
		{EDQUOT, "the quota is used up"},
		{EROFS, "the file system is read-only"},
		{ENAMETOOLONG, "its path is too long"},
		{ENOSYS, "the kernel does not have the system call, or forbids it"},
		{ELOOP, "it is a symbolic link"},
		{ENOBUFS, "no socket can be made"},
	};
	struct ps_text t;

	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].number == -error)
			return known[i].text;
	t = text_start(room, 24);
	text_add(&t, "error ");
	text_number(&t, (uint64_t)-error);
	text_end(&t);
	return room;
}

static void say(char *field, const char *a, const char *b, const char *c)
{
	struct ps_text t = text_start(field, PS_BLAME_ROOM);

	text_add(&t, a);
	text_add(&t, b);
	text_add(&t, c);
	text_end(&t);
}

static void say_number(char *field, const char *a, uint64_t number, unsigned base, const char *b)
{
	struct ps_text t = text_start(field, PS_BLAME_ROOM);

	text_add(&t, a);
	if (base == 8) {
		for (int shift = 9; shift >= 0; shift -= 3)
			text_char(&t, (char)('0' + (number >> shift & 7)));
	} else {
		text_number(&t, number);
	}
	text_add(&t, b);
	text_end(&t);
}

static void directory_of(char *directory, const char *path)
{
	unsigned long slash = text_length(path);

	text_copy(directory, PS_BLAME_ROOM, path);
	while (slash && path[slash] != '/')
		slash--;
	if (slash < PS_BLAME_ROOM)
		directory[slash] = '\0';
}

/* What every version's files begin with; a host table's has the name of the version after that (host.h). */
struct start {
	uint32_t magic, format;
	uint64_t netns;
	char maker[24];
};

static void say_versions(struct ps_blame *blame, const char *path)
{
	struct start start = {0};
	struct ps_text t = text_start(blame->why, sizeof(blame->why));
	char directory[PS_BLAME_ROOM];
	long fd = sys4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);

	if (fd >= 0) {
		sys4(SYS_pread64, fd, &start, sizeof(start), 0);
		sys1(SYS_close, fd);
	}
	start.maker[sizeof(start.maker) - 1] = '\0';
	for (char *c = start.maker; *c; c++)
		if (*c < '!' || *c > '~')
			*c = '?';
	text_add(&t, "it is of another version of portshim, ");
	if (start.magic == PS_HOST_MAGIC && start.maker[0]) {
		text_add(&t, start.maker);
		text_add(&t, " with ");
	}
	text_add(&t, "format ");
	text_number(&t, start.format);
	text_add(&t, "; this is " PORTSHIM_VERSION " with format ");
	text_number(&t, PS_ABI);
	text_end(&t);
	directory_of(directory, path);
	say(blame->todo, "use that version, or end what runs under it and remove ", directory, "");
}

/* The kind of a file that is no regular one. */
static const char *kind(unsigned mode)
{
	switch (mode & S_IFMT) {
	case S_IFLNK:
		return "it is a symbolic link";
	case S_IFDIR:
		return "it is a directory";
	case S_IFIFO:
		return "it is a pipe";
	case S_IFSOCK:
		return "it is a socket";
	default:
		return "it is no file";
	}
}

/* True if somebody else could have written there. */
static bool say_owner(struct ps_blame *blame, const struct stat *st, const char *path, const char *mode)
{
	if (st->st_uid != (uid_t)sys0(SYS_geteuid))
		say_number(blame->why, "it belongs to user ", st->st_uid, 10, "");
	else if (st->st_mode & 077)
		say_number(blame->why, "others may use it (mode ", st->st_mode & 07777, 8, ")");
	else
		return false;
	if (st->st_uid != (uid_t)sys0(SYS_geteuid))
		say(blame->todo, "remove ", path, "");
	else
		say(blame->todo, mode, path, "");
	return true;
}

void blame_file(struct ps_blame *blame, const char *path, int error)
{
	struct stat st;
	char room[24];
	bool there = sys4(SYS_newfstatat, AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) == 0;

	blame->todo[0] = '\0';
	if (error == -EPROTO) {
		say_versions(blame, path);
	} else if (there && !S_ISREG(st.st_mode)) {
		say(blame->why, kind(st.st_mode), "", "");
		say(blame->todo, "remove ", path, "");
	} else if (there && say_owner(blame, &st, path, "chmod 600 ")) {
		/* said */
	} else if (error == -EXDEV) {
		say(blame->why, "it is that of another network namespace, whose ports are others", "", "");
		say(blame->todo, "let PORTSHIM_RUNTIME_DIR name a directory of this namespace's own", "", "");
	} else if (error == -EINVAL) {
		say(blame->why, "it is damaged, or no file of portshim's", "", "");
		say(blame->todo, "end what runs under portshim, then remove ", path, "");
	} else {
		say(blame->why, blame_errno(error, room), "", "");
	}
}

void blame_runtime(struct ps_blame *blame, const char *path, int error)
{
	static const char other[] = "let PORTSHIM_RUNTIME_DIR name a directory that is your own, with mode 0700";
	struct stat st;
	char room[24];
	bool there = sys4(SYS_newfstatat, AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) == 0;

	say(blame->todo, other, "", "");
	if (error == -EINVAL) {
		say(blame->why, "it is no absolute path", "", "");
		say(blame->todo, "let PORTSHIM_RUNTIME_DIR name the directory from / on", "", "");
	} else if (there && !S_ISDIR(st.st_mode)) {
		say(blame->why, S_ISREG(st.st_mode) ? "it is a file" : kind(st.st_mode), "", "");
	} else if (there && say_owner(blame, &st, path, "chmod 700 ")) {
		if (st.st_uid != (uid_t)sys0(SYS_geteuid))
			say(blame->todo, other, "", "");
	} else {
		say(blame->why, blame_errno(error, room), "", "");
	}
}
