/* utimensat() on a file wakes those who watch it with inotify (IN_ATTRIB): how a shim without descriptors or messages
 * of its own tells the keeper and `portshim wait` that something changed. A store through a mapping alone wakes
 * nobody; a hole that is made where a hole is does (IN_MODIFY), without a path, a descriptor or a right to the file. */
#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../check.h"

static int has_event(int watch, uint32_t mask)
{
	_Alignas(struct inotify_event) char buffer[4096];
	const struct inotify_event *event = (const struct inotify_event *)buffer;

	return read(watch, buffer, sizeof(buffer)) >= (ssize_t)sizeof(*event) && event->mask & mask;
}

static void check_directory(char *name)
{
	int fd = mkstemp(name), watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char *map;

	if (fd < 0 || watch < 0 || ftruncate(fd, 8192) || inotify_add_watch(watch, name, IN_ATTRIB | IN_MODIFY) < 0)
		check_fatal(name);
	map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		check_fatal("mmap");
	map[0] = 1;
	CHECK(!has_event(watch, IN_ATTRIB | IN_MODIFY) && errno == EAGAIN, "a store is not an event");
	CHECK(!utimensat(AT_FDCWD, name, NULL, AT_SYMLINK_NOFOLLOW), "utimensat");
	CHECK(has_event(watch, IN_ATTRIB), "utimensat is an event");
	close(fd);
	unlink(name);
	CHECK(!has_event(watch, IN_MODIFY), "nothing is modified");
	if (sysconf(_SC_PAGESIZE) == 4096) {
		CHECK(!madvise(map + 4096, 4096, MADV_REMOVE), "MADV_REMOVE");
		CHECK(has_event(watch, IN_MODIFY) && map[0] == 1, "a hole is an event");
	}
	close(watch);
}

int main(void)
{
	char shm[] = "/dev/shm/portshim-poke.XXXXXX", tmp[] = "/tmp/portshim-poke.XXXXXX";

	if (!access("/dev/shm", W_OK))
		check_directory(shm);
	else
		check_skip("tmpfs", "no /dev/shm");
	check_directory(tmp);
	return check_finish();
}
