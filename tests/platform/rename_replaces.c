/* rename() replaces a file atomically: a reader that opens the name at any moment gets the whole old or the whole new
 * contents, never nothing. Discovery files are written in this way. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
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
			if (rename("new", "file"))
				_exit(1);
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
	unlink("file");
	if (chdir("/") || rmdir(directory))
		check_fatal("rmdir");
	return check_finish();
}
