/*
 * listeners.c - every socket of the machine that listens, with its process.
 *
 * Theory of operation: as in cli/holder.c, but for all ports at once: the kernel's list is taken, sorted by inode, and
 * /proc/PID/fd of every process is gone through once. A socket that several processes have belongs to the one with the
 * smallest pid of those that started first. Processes of other users cannot be looked into; their sockets are listed
 * without.
 */
#include "listeners.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <portshim/kernel.h>
#include <portshim/process.h>

struct socket_of {
	struct ps_listener socket;
	int32_t pid;
	uint64_t start;
};

struct sockets {
	struct socket_of *list;
	size_t count, room;
	unsigned ephemeral; /* first port of the kernel's own range */
	bool failed;
};

static bool collect(const struct ps_listener *found, void *context)
{
	struct sockets *s = context;

	if (found->protocol == PS_UDP && found->port >= s->ephemeral)
		return true; /* a client */
	if (s->count == s->room) {
		size_t room = s->room ? s->room * 2 : 128;
		struct socket_of *list = realloc(s->list, room * sizeof(*list));

		if (!list) {
			s->failed = true;
			return false;
		}
		s->list = list;
		s->room = room;
	}
	s->list[s->count++] = (struct socket_of){ .socket = *found };
	return true;
}

/* Where netlink is not to be had: one of the kernel's tables in /proc/net. */
static void collect_file(struct sockets *s, const char *path, uint8_t protocol, uint8_t family)
{
	FILE *file = fopen(path, "re");
	char line[512], local[33];

	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		struct ps_listener found = { .protocol = protocol, .family = family };
		unsigned port, state, uid, words = family == AF_INET6 ? 4 : 1;
		unsigned long inode;

		if (sscanf(line, " %*u: %32[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %u %*d %lu", local, &port,
			   &state, &uid, &inode) != 5 ||
		    state != (protocol == PS_TCP ? 10u : 7u) || strlen(local) != words * 8)
			continue;
		for (unsigned i = 0; i < words; i++) {
			char digits[9] = { 0 };
			uint32_t word;

			memcpy(digits, local + (size_t)i * 8, 8);
			word = (uint32_t)strtoul(digits, NULL, 16);
			memcpy(found.address + (family == AF_INET6 ? i * 4 : 12), &word, 4);
		}
		if (family == AF_INET)
			found.address[10] = found.address[11] = 0xff;
		found.port = (uint16_t)port;
		found.uid = uid;
		found.inode = (uint32_t)inode;
		collect(&found, s);
	}
	fclose(file);
}

static unsigned first_ephemeral(void)
{
	FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	unsigned first = 32768;

	if (file) {
		if (fscanf(file, "%u", &first) != 1)
			first = 32768;
		fclose(file);
	}
	return first;
}

static int by_inode(const void *a, const void *b)
{
	uint32_t x = ((const struct socket_of *)a)->socket.inode, y = ((const struct socket_of *)b)->socket.inode;

	return x < y ? -1 : x > y;
}

static struct socket_of *find_inode(const struct sockets *s, unsigned long inode)
{
	struct socket_of key = { .socket = { .inode = (uint32_t)inode } };

	return bsearch(&key, s->list, s->count, sizeof(*s->list), by_inode);
}

static void match(struct sockets *s, unsigned long inode, int32_t pid, uint64_t *start)
{
	struct socket_of *found = find_inode(s, inode);

	if (!found)
		return;
	if (!*start)
		*start = process_start(process_of(pid));
	if (!found->pid || *start < found->start || (*start == found->start && pid < found->pid)) {
		found->pid = pid;
		found->start = *start;
	}
}

static void search_process(struct sockets *s, int proc, const char *name)
{
	char path[64], target[64];
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
		ssize_t length = readlinkat(fd, entry->d_name, target, sizeof(target) - 1);

		target[length > 0 ? length : 0] = '\0';
		if (strncmp(target, "socket:[", 8) == 0)
			match(s, strtoul(target + 8, NULL, 10), (int32_t)strtol(name, NULL, 10), &start);
	}
	closedir(files);
}

static void search_processes(struct sockets *s)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	if (!proc)
		return;
	while ((entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			search_process(s, dirfd(proc), entry->d_name);
	closedir(proc);
}

static int by_port(const void *a, const void *b)
{
	const struct socket_of *x = a, *y = b;

	if (x->socket.port != y->socket.port)
		return x->socket.port < y->socket.port ? -1 : 1;
	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return x->socket.uid < y->socket.uid ? -1 : x->socket.uid > y->socket.uid;
}

static bool is_wildcard(const uint8_t *address)
{
	static const uint8_t any4[16] = { [10] = 0xff, [11] = 0xff }, any6[16];

	return memcmp(address, any4, 16) == 0 || memcmp(address, any6, 16) == 0;
}

static void name_user(struct ps_holder *h, uint32_t uid)
{
	struct passwd entry, *found = NULL;
	char buffer[1024];

	if (getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) == 0 && found)
		snprintf(h->user, sizeof(h->user), "%s", found->pw_name);
	else
		snprintf(h->user, sizeof(h->user), "%u", uid);
}

/* One entry for each process and port. False if memory ran out. */
static bool fold(struct ps_listeners *l, const struct sockets *s)
{
	if (s->count == 0)
		return true;
	l->list = calloc(s->count, sizeof(*l->list));
	if (!l->list)
		return false;
	for (size_t i = 0; i < s->count; i++) {
		struct ps_listening *one = l->count ? &l->list[l->count - 1] : NULL;

		if (!one || by_port(&s->list[i], &s->list[i - 1]) != 0) {
			one = &l->list[l->count++];
			one->holder.socket = s->list[i].socket;
			name_user(&one->holder, s->list[i].socket.uid);
			if (s->list[i].pid)
				holder_process(&one->holder, s->list[i].pid);
		}
		one->protocols |= s->list[i].socket.protocol;
		one->wildcard = one->wildcard || is_wildcard(s->list[i].socket.address);
	}
	return true;
}

int listeners_read(struct ps_listeners *l, struct ps_error *error)
{
	struct sockets s = { .ephemeral = first_ephemeral() };
	int result = kernel_listeners(0, PS_TCP | PS_UDP, collect, &s);

	*l = (struct ps_listeners){ 0 };
	if (result < 0) {
		s.count = 0;
		collect_file(&s, "/proc/net/tcp", PS_TCP, AF_INET);
		collect_file(&s, "/proc/net/tcp6", PS_TCP, AF_INET6);
		collect_file(&s, "/proc/net/udp", PS_UDP, AF_INET);
		collect_file(&s, "/proc/net/udp6", PS_UDP, AF_INET6);
	}
	if (s.count) {
		qsort(s.list, s.count, sizeof(*s.list), by_inode);
		search_processes(&s);
		qsort(s.list, s.count, sizeof(*s.list), by_port);
	}
	if (s.failed || !fold(l, &s))
		error_set(error, PS_EXIT_SYSTEM, "out of memory");
	free(s.list);
	return error->code;
}

void listeners_free(struct ps_listeners *l)
{
	free(l->list);
	*l = (struct ps_listeners){ 0 };
}
