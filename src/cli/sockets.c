/*
 * sockets.c - from the kernel's sockets to their processes.
 *
 * Theory of operation: the kernel lists the sockets (sock_diag, or /proc/net where a sandbox has no netlink) with
 * inode and user, but not their processes. Those are found the long way round: every /proc/PID/fd is gone through once
 * for links "socket:[INODE]". An ordinary user may look into processes of the same user only. Several processes can
 * have one socket (forked workers, a supervisor): the one that started first counts, since it is the one that opened it
 * and whose end would free the port.
 *
 * A process of portshim that answers system calls (src/notify) has the program's socket for as long as it does that,
 * and is nobody's holder: whoever ended it would free nothing.
 *
 * All of it is a snapshot: a process can end between two reads, and is simply not found then.
 */
#include "sockets.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <portshim/process.h>

static bool collect(const struct ps_listener *found, void *context)
{
	struct ps_sockets *s = context;

	if (s->count == s->room) {
		size_t room = s->room ? s->room * 2 : 64;
		struct ps_socket *list = reallocarray(s->list, room, sizeof(*list));

		if (!list) {
			s->failed = true;
			return false;
		}
		s->list = list;
		s->room = room;
	}
	s->list[s->count] = (struct ps_socket){ .socket = *found, .index = s->count };
	s->count++;
	return true;
}

/* One line of /proc/net/{tcp,tcp6,udp,udp6}: addresses are words in host byte order, printed in hexadecimal. */
static void collect_line(struct ps_sockets *s, const char *line, uint16_t wanted, uint8_t protocol, uint8_t family)
{
	struct ps_listener found = { .protocol = protocol, .family = family };
	unsigned port, state, uid, word[4], words = family == AF_INET6 ? 4 : 1;
	unsigned long inode;
	char local[33];

	if (sscanf(line, " %*u: %32[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %u %*d %lu", local, &port, &state,
		   &uid, &inode) != 5)
		return;
	if ((wanted && port != wanted) || state != (protocol == PS_TCP ? 10u : 7u) || strlen(local) != words * 8)
		return;
	for (unsigned i = 0; i < words; i++) {
		char digits[9] = { 0 };

		memcpy(digits, local + (size_t)i * 8, 8);
		word[i] = (unsigned)strtoul(digits, NULL, 16);
	}
	if (family == AF_INET6) {
		memcpy(found.address, word, 16);
	} else {
		found.address[10] = found.address[11] = 0xff;
		memcpy(found.address + 12, word, 4);
	}
	found.inode = (uint32_t)inode;
	found.uid = uid;
	found.port = (uint16_t)port;
	collect(&found, s);
}

static void collect_file(struct ps_sockets *s, const char *path, uint16_t port, uint8_t protocol, uint8_t family)
{
	FILE *file = fopen(path, "re");
	char line[512];

	if (!file)
		return;
	while (fgets(line, sizeof(line), file))
		collect_line(s, line, port, protocol, family);
	fclose(file);
}

int sockets_read(struct ps_sockets *s, uint16_t port, unsigned protocols)
{
	int result;

	*s = (struct ps_sockets){ 0 };
	result = kernel_listeners(port, protocols, collect, s);
	if (result < 0) {
		s->count = 0;
		if (access("/proc/net/tcp", R_OK) != 0)
			return result;
		if (protocols & PS_TCP) {
			collect_file(s, "/proc/net/tcp", port, PS_TCP, AF_INET);
			collect_file(s, "/proc/net/tcp6", port, PS_TCP, AF_INET6);
		}
		if (protocols & PS_UDP) {
			collect_file(s, "/proc/net/udp", port, PS_UDP, AF_INET);
			collect_file(s, "/proc/net/udp6", port, PS_UDP, AF_INET6);
		}
	}
	return s->failed ? -ENOMEM : 0;
}

/* ---- their processes ---- */

struct search {
	struct ps_sockets *sockets; /* by inode */
	sockets_share *each;
	void *context;
};

static int by_inode(const void *a, const void *b)
{
	uint32_t x = ((const struct ps_socket *)a)->socket.inode, y = ((const struct ps_socket *)b)->socket.inode;

	return x < y ? -1 : x > y;
}

static int by_index(const void *a, const void *b)
{
	size_t x = ((const struct ps_socket *)a)->index, y = ((const struct ps_socket *)b)->index;

	return x < y ? -1 : x > y;
}

/* The inode that a link "socket:[N]" names, or 0. */
static unsigned long link_inode(int directory, const char *name)
{
	char target[64];
	ssize_t length = readlinkat(directory, name, target, sizeof(target) - 1);

	if (length <= 8)
		return 0;
	target[length] = '\0';
	return strncmp(target, "socket:[", 8) == 0 ? strtoul(target + 8, NULL, 10) : 0;
}

/* The keeper or its worker (keeper/worker.c), by its name. Neither has sockets of its own that listen. */
static bool is_ours(int32_t pid)
{
	char path[32], name[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	file = fopen(path, "re");
	if (file && !fgets(name, sizeof(name), file))
		name[0] = '\0';
	if (file)
		fclose(file);
	return strcmp(name, "portshim-worker\n") == 0 || strcmp(name, "portshim\n") == 0;
}

static void match(const struct search *search, unsigned long inode, int32_t pid, uint64_t *start)
{
	struct ps_socket key = { .socket = { .inode = (uint32_t)inode } };
	struct ps_socket *s = bsearch(&key, search->sockets->list, search->sockets->count, sizeof(key), by_inode);

	if (!s || is_ours(pid))
		return;
	if (search->each)
		search->each(s->index, pid, search->context);
	if (!*start)
		*start = process_start(process_of(pid));
	if (!s->pid || *start < s->start || (*start == s->start && pid < s->pid)) {
		s->pid = pid;
		s->start = *start;
	}
}

static void search_process(const struct search *search, int proc, const char *name)
{
	char path[64];
	struct dirent *entry;
	uint64_t start = 0;
	DIR *files;
	int fd;

	snprintf(path, sizeof(path), "%.20s/fd", name);
	fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	files = fd < 0 ? NULL : fdopendir(fd);
	if (!files) {
		if (fd >= 0)
			close(fd);
		return; /* another user's, or gone */
	}
	while ((entry = readdir(files))) {
		unsigned long inode = link_inode(fd, entry->d_name);

		if (inode)
			match(search, inode, (int32_t)strtol(name, NULL, 10), &start);
	}
	closedir(files);
}

void sockets_search(struct ps_sockets *sockets, sockets_share *each, void *context)
{
	const struct search search = { sockets, each, context };
	struct dirent *entry;
	DIR *proc = sockets->count ? opendir("/proc") : NULL;

	if (!proc)
		return;
	qsort(sockets->list, sockets->count, sizeof(*sockets->list), by_inode);
	while ((entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			search_process(&search, dirfd(proc), entry->d_name);
	closedir(proc);
	qsort(sockets->list, sockets->count, sizeof(*sockets->list), by_index);
}

void sockets_free(struct ps_sockets *sockets)
{
	free(sockets->list);
	*sockets = (struct ps_sockets){ 0 };
}
