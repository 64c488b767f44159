/*
 * holder.c - from a port to the process that holds it.
 *
 * Theory of operation: the kernel lists the sockets (sock_diag, or /proc/net where a sandbox has no netlink) with
 * inode and user, but not their processes. Those are found the long way round: every /proc/PID/fd is searched for a
 * link "socket:[INODE]". An ordinary user may look into processes of the same user only; of others the socket's user
 * is all that there is to say, and the phrases say it. Several processes can have one socket (forked workers, a
 * supervisor): the one that started first is named, since it is the one that opened it and whose end would free the
 * port.
 *
 * All of it is a snapshot: a process can end between two reads. Then a field stays empty, never wrong by a reused
 * pid's data of another kind: a process that went is simply not found.
 */
#include "holder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <portshim/process.h>

#include "output.h"

#define SOCKETS_MAX 4096

/* What is read from the kernel before processes are looked for. */
struct sockets {
	struct ps_listener list[SOCKETS_MAX];
	int32_t pid[SOCKETS_MAX];
	uint64_t start[SOCKETS_MAX];
	unsigned count;
	struct ps_share *shares; /* all of them, if they are wanted */
	unsigned share_count, share_room;
	bool want_shares, failed;
};

static bool collect(const struct ps_listener *listener, void *context)
{
	struct sockets *s = context;

	if (s->count == SOCKETS_MAX)
		return false;
	s->list[s->count] = *listener;
	s->pid[s->count] = 0;
	s->count++;
	return true;
}

/* One line of /proc/net/{tcp,tcp6,udp,udp6}: addresses are words in host byte order, printed in hexadecimal. */
static void collect_line(struct sockets *s, const char *line, uint16_t port, uint8_t protocol, uint8_t family)
{
	struct ps_listener found = {.protocol = protocol, .family = family};
	unsigned local_port, state, uid, word[4], words = family == AF_INET6 ? 4 : 1;
	unsigned long inode;
	char local[33];

	if (sscanf(line, " %*u: %32[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %u %*d %lu", local, &local_port,
		   &state, &uid, &inode) != 5)
		return;
	if (local_port != port || state != (protocol == PS_TCP ? 10u : 7u) || strlen(local) != words * 8)
		return;
	for (unsigned i = 0; i < words; i++) {
		char digits[9] = {0};

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
	found.port = port;
	collect(&found, s);
}

static void collect_file(struct sockets *s, const char *path, uint16_t port, uint8_t protocol, uint8_t family)
{
	FILE *file = fopen(path, "re");
	char line[512];

	if (!file)
		return;
	while (fgets(line, sizeof(line), file))
		collect_line(s, line, port, protocol, family);
	fclose(file);
}

static int collect_port(struct sockets *s, uint16_t port, unsigned protocols)
{
	int result = kernel_listeners(port, protocols, collect, s);

	if (result >= 0)
		return 0;
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
	return 0;
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

/* A process may have a socket under several descriptors. */
static void note_share(struct sockets *s, unsigned socket, int32_t pid)
{
	for (unsigned i = s->share_count; i > 0 && s->shares[i - 1].pid == pid; i--)
		if (s->shares[i - 1].socket == socket)
			return;
	if (s->share_count == s->share_room) {
		unsigned room = s->share_room ? s->share_room * 2 : 64;
		struct ps_share *more = reallocarray(s->shares, room, sizeof(*more));

		if (!more) {
			s->failed = true;
			return;
		}
		s->shares = more;
		s->share_room = room;
	}
	s->shares[s->share_count++] = (struct ps_share) { .socket = socket, .pid = pid };
}

static void match_inode(struct sockets *s, unsigned long inode, int32_t pid, uint64_t *start)
{
	for (unsigned i = 0; i < s->count; i++) {
		if (s->list[i].inode != inode)
			continue;
		if (s->want_shares)
			note_share(s, i, pid);
		if (!*start)
			*start = process_start(process_of(pid));
		if (!s->pid[i] || *start < s->start[i] || (*start == s->start[i] && pid < s->pid[i])) {
			s->pid[i] = pid;
			s->start[i] = *start;
		}
	}
}

static void search_process(struct sockets *s, int proc, const char *name)
{
	char path[64];
	struct dirent *entry;
	uint64_t start = 0;
	DIR *files;
	int fd;

	snprintf(path, sizeof(path), "%.20s/fd", name);
	fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return; /* another user's, or gone */
	files = fdopendir(fd);
	if (!files) {
		close(fd);
		return;
	}
	while ((entry = readdir(files))) {
		unsigned long inode = link_inode(dirfd(files), entry->d_name);

		if (inode)
			match_inode(s, inode, (int32_t)strtol(name, NULL, 10), &start);
	}
	closedir(files);
}

static void search_processes(struct sockets *s)
{
	struct dirent *entry;
	DIR *proc = opendir("/proc");

	if (!proc)
		return;
	while ((entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			search_process(s, dirfd(proc), entry->d_name);
	closedir(proc);
}

/* Reads a small file of /proc/PID; NULs inside become spaces, those at the end go. Returns the length. */
static size_t read_text(int directory, const char *name, char *text, size_t size)
{
	int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd >= 0 ? read(fd, text, size - 1) : -1;

	if (fd >= 0)
		close(fd);
	if (length < 0)
		length = 0;
	while (length > 0 && (text[length - 1] == '\0' || text[length - 1] == '\n'))
		length--;
	text[length] = '\0';
	return (size_t)length;
}

static void read_link(int directory, const char *name, char *text, size_t size)
{
	ssize_t length = readlinkat(directory, name, text, size - 1);

	text[length > 0 ? length : 0] = '\0';
}

/* A name that a person knows the program by: the first word of the command line without its directory. The kernel's
 * comm is the second choice, because it is the main thread's name ("MainThread" in newer node) and cut after 15
 * bytes. */
static void name_command(struct ps_holder *h, const char *raw, const char *executable, const char *comm)
{
	char word[sizeof(h->line)];
	const char *base;
	size_t length;

	snprintf(word, sizeof(word), "%s", raw);
	/* Servers that rewrite their title put a sentence there: "nginx: master process ...". A path with spaces is
	 * no title. */
	if (strcmp(word, executable) != 0)
		word[strcspn(word, " ")] = '\0';
	base = strrchr(word, '/');
	base = base ? base + 1 : word;
	if (base[0] == '-') /* a login shell */
		base++;
	length = strlen(base);
	while (length > 0 && base[length - 1] == ':')
		length--;
	if (length == 0)
		snprintf(h->command, sizeof(h->command), "%s", comm);
	else
		snprintf(h->command, sizeof(h->command), "%.*s", (int)(length < 63 ? length : 63), base);
}

/* Unix seconds at which a process started: start times count clock ticks since boot. */
static uint64_t start_time(int32_t pid)
{
	uint64_t identity = process_of(pid), ticks = process_start(identity);
	long rate = sysconf(_SC_CLK_TCK);
	struct timespec now, up;

	if (!ticks || rate <= 0 || clock_gettime(CLOCK_REALTIME, &now) != 0 ||
	    clock_gettime(CLOCK_BOOTTIME, &up) != 0)
		return 0;
	return (uint64_t)now.tv_sec - (uint64_t)up.tv_sec + ticks / (uint64_t)rate;
}

bool holder_process(struct ps_holder *h, int32_t pid)
{
	char path[32], comm[64], executable[PS_PATH_MAX];
	size_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d", pid);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	h->pid = pid;
	read_text(fd, "comm", comm, sizeof(comm));
	read_link(fd, "exe", executable, sizeof(executable));
	read_link(fd, "cwd", h->directory, sizeof(h->directory));
	length = read_text(fd, "cmdline", h->line, sizeof(h->line));
	name_command(h, h->line, executable, comm);
	for (size_t i = 0; i < length; i++)
		if (h->line[i] == '\0')
			h->line[i] = ' ';
	h->started = start_time(pid);
	close(fd);
	return true;
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

/* True if the list has this process with this protocol already: a server on both families is one holder. */
static bool known(const struct ps_holder *list, unsigned count, const struct ps_listener *socket, int32_t pid)
{
	for (unsigned i = 0; i < count; i++)
		if (list[i].pid == pid && list[i].socket.protocol == socket->protocol &&
		    list[i].socket.uid == socket->uid)
			return true;
	return false;
}

int holder_list(uint16_t port, unsigned protocols, struct ps_holder *list, unsigned room)
{
	struct sockets *s = calloc(1, sizeof(*s));
	unsigned count = 0;
	int result;

	if (!s)
		return -ENOMEM;
	result = collect_port(s, port, protocols);
	if (result < 0)
		goto out;
	if (s->count > 0)
		search_processes(s);
	for (unsigned i = 0; i < s->count && count < room; i++) {
		if (known(list, count, &s->list[i], s->pid[i]))
			continue;
		memset(&list[count], 0, sizeof(list[count]));
		list[count].socket = s->list[i];
		name_user(&list[count], s->list[i].uid);
		if (s->pid[i])
			holder_process(&list[count], s->pid[i]);
		count++;
	}
	result = (int)count;
out:
	free(s);
	return result;
}

int holder_shares(uint16_t port, unsigned protocols, struct ps_listener **sockets, unsigned *socket_count,
		  struct ps_share **shares, unsigned *share_count)
{
	struct sockets *s = calloc(1, sizeof(*s));
	int result = -ENOMEM;

	*sockets = NULL;
	*shares = NULL;
	*socket_count = *share_count = 0;
	if (!s)
		return result;
	s->want_shares = true;
	result = collect_port(s, port, protocols);
	if (result < 0)
		goto out;
	if (s->count > 0)
		search_processes(s);
	*sockets = calloc(s->count + 1, sizeof(**sockets));
	if (!*sockets || s->failed) {
		free(*sockets);
		*sockets = NULL;
		result = -ENOMEM;
		goto out;
	}
	memcpy(*sockets, s->list, s->count * sizeof(**sockets));
	*socket_count = s->count;
	*shares = s->shares;
	*share_count = s->share_count;
	s->shares = NULL;
out:
	free(s->shares);
	free(s);
	return result;
}

bool holder_find(uint16_t port, unsigned protocols, struct ps_holder *first)
{
	struct ps_holder *list = calloc(16, sizeof(*list));
	int count, best = 0;

	if (!list)
		return false;
	count = holder_list(port, protocols, list, 16);
	while (best < count && list[best].pid == 0)
		best++;
	if (count > 0)
		*first = list[best < count ? best : 0];
	free(list);
	return count > 0;
}

void holder_phrase(const struct ps_holder *h, char *text)
{
	char command[64], path[128];

	if (!h->pid && h->socket.uid != getuid()) {
		snprintf(text, PS_HOLDER_PHRASE, "held by a process of user %s",
			 output_clean(command, sizeof(command), h->user));
		return;
	}
	if (!h->pid) {
		snprintf(text, PS_HOLDER_PHRASE, "held by a process that cannot be seen from here");
		return;
	}
	output_clean(command, sizeof(command), h->command[0] ? h->command : "a process");
	output_path(path, sizeof(path), h->directory);
	snprintf(text, PS_HOLDER_PHRASE, "held by %s, pid %d%s%s", command, h->pid, path[0] ? ", " : "", path);
}
