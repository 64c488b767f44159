/* renameat2() replaces a file atomically, with RENAME_EXCHANGE or without: a reader that opens the name at any moment
 * gets the whole old or the whole new contents, never nothing. Discovery files are written in this way. With the
 * arguments in the order that they use, what a watcher of the directory hears last of the name is that it is there. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../check.h"

#define ROUNDS 2000

static void put(const char *name, char fill, size_t size)
{
	char contents[4096];
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	memset(contents, fill, sizeof(contents));
	if (fd < 0 || write(fd, contents, size) != (ssize_t)size || close(fd))
		_exit(1);
}

/* The last thing that inotify says about the name. */
static uint32_t last_event(const char *name)
{
	char events[4096] __attribute__((aligned(8)));
	int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	uint32_t last = 0;
	ssize_t size;

	inotify_add_watch(watch, ".", IN_ALL_EVENTS);
	if (renameat2(AT_FDCWD, name, AT_FDCWD, "new", RENAME_EXCHANGE) || unlink("new"))
		check_fatal("exchange");
	size = read(watch, events, sizeof(events));
	for (ssize_t at = 0; at < size;) {
		const struct inotify_event *e = (const struct inotify_event *)(events + at);

		if (e->len && strcmp(e->name, name) == 0)
			last = e->mask;
		at += (ssize_t)sizeof(*e) + e->len;
	}
	close(watch);
	return last;
}

int main(void)
{
	char directory[] = "/tmp/portshim-rename.XXXXXX";
	_Atomic uint32_t *stop = mmap(NULL, sizeof(*stop), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned missing = 0, torn = 0, reads = 0;
	char contents[4096];
	pid_t pid;
	int status;

	if (stop == MAP_FAILED || !mkdtemp(directory) || chdir(directory))
		check_fatal("scratch directory");
	put("file", 'a', 1000);
	pid = fork();
	if (!pid) {
		for (int i = 0; i < ROUNDS; i++) {
			put("new", i % 2 ? 'a' : 'b', i % 2 ? 1000 : 4000);
			if (i % 3 ? renameat2(AT_FDCWD, "file", AT_FDCWD, "new", RENAME_EXCHANGE) : rename("new", "file"))
				_exit(1);
			unlink("new"); /* the old one: somebody may still read it */
		}
		atomic_store(stop, 1);
		_exit(0);
	}
	while (!atomic_load(stop)) {
		int fd = open("file", O_RDONLY | O_CLOEXEC);
		ssize_t size;

		reads++;
		if (fd < 0) {
			missing++;
			continue;
		}
		size = read(fd, contents, sizeof(contents));
		if (!(size == 1000 && contents[0] == 'a' && contents[999] == 'a') &&
		    !(size == 4000 && contents[0] == 'b' && contents[3999] == 'b'))
			torn++;
		close(fd);
	}
	waitpid(pid, &status, 0);
	CHECK(status == 0, "the writer wrote");
	CHECK(reads > 0 && !missing, "the name is always there");
	CHECK(!torn, "the contents are always whole");
	put("new", 'a', 1000);
	CHECK(last_event("file") == IN_MOVED_TO, "an exchange ends with the name's coming");
	unlink("file");
	unlink("new");
	if (chdir("/") || rmdir(directory))
		check_fatal("rmdir");
	return check_finish();
}
