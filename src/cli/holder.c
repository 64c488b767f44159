/*
 * holder.c - from a port to the process that holds it.
 *
 * Theory of operation: sockets.c finds the processes. Of other users' processes the socket's user is all that there is
 * to say, and the phrases say it. What is told about a process is a snapshot: it can end between two reads. Then a
 * field stays empty, never wrong by a reused pid's data of another kind.
 */
#include "holder.h"

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
#include "sockets.h"

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

void holder_user(struct ps_holder *h)
{
	struct passwd entry, *found = NULL;
	char buffer[1024];

	if (getpwuid_r(h->socket.uid, &entry, buffer, sizeof(buffer), &found) == 0 && found)
		snprintf(h->user, sizeof(h->user), "%s", found->pw_name);
	else
		snprintf(h->user, sizeof(h->user), "%u", h->socket.uid);
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
	struct ps_sockets s;
	unsigned count = 0;
	int result = sockets_read(&s, port, protocols);

	if (result < 0)
		goto out;
	sockets_search(&s, NULL, NULL);
	for (size_t i = 0; i < s.count && count < room; i++) {
		if (known(list, count, &s.list[i].socket, s.list[i].pid))
			continue;
		memset(&list[count], 0, sizeof(list[count]));
		list[count].socket = s.list[i].socket;
		holder_user(&list[count]);
		if (s.list[i].pid)
			holder_process(&list[count], s.list[i].pid);
		count++;
	}
	result = (int)count;
out:
	sockets_free(&s);
	return result;
}

struct shares {
	struct ps_share *list;
	unsigned count, room;
	bool failed;
};

/* A process may have a socket under several descriptors. */
static void note_share(size_t socket, int32_t pid, void *context)
{
	struct shares *s = context;

	for (unsigned i = s->count; i > 0 && s->list[i - 1].pid == pid; i--)
		if (s->list[i - 1].socket == socket)
			return;
	if (s->count == s->room) {
		unsigned room = s->room ? s->room * 2 : 64;
		struct ps_share *more = reallocarray(s->list, room, sizeof(*more));

		if (!more) {
			s->failed = true;
			return;
		}
		s->list = more;
		s->room = room;
	}
	s->list[s->count++] = (struct ps_share){ .socket = (unsigned)socket, .pid = pid };
}

int holder_shares(uint16_t port, unsigned protocols, struct ps_listener **sockets, unsigned *socket_count,
		  struct ps_share **shares, unsigned *share_count)
{
	struct shares found = { 0 };
	struct ps_sockets s;
	int result = sockets_read(&s, port, protocols);

	*sockets = NULL;
	*shares = NULL;
	*socket_count = *share_count = 0;
	if (result < 0)
		goto out;
	sockets_search(&s, note_share, &found);
	*sockets = calloc(s.count + 1, sizeof(**sockets));
	if (!*sockets || found.failed) {
		free(*sockets);
		free(found.list);
		*sockets = NULL;
		result = -ENOMEM;
		goto out;
	}
	for (size_t i = 0; i < s.count; i++)
		(*sockets)[i] = s.list[i].socket;
	*socket_count = (unsigned)s.count;
	*shares = found.list;
	*share_count = found.count;
out:
	sockets_free(&s);
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
