/*
 * free_find.c - all processes that hold a port.
 *
 * Theory of operation: a listening socket lives as long as any process has it open, so whoever inherited it holds the
 * port as much as its maker does: workers, and children that were never meant to have it. The list is a snapshot. A
 * socket without a process may be one that went between the two looks, so it is looked for again before it is
 * said that its holder cannot be seen.
 */
#include "free.h"

#include <errno.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <portshim/process.h>

#include "../core/sys.h"

#define LOOKS 3

static struct ps_free_process *add(struct ps_free_held *held)
{
	if (held->count == held->room) {
		unsigned room = held->room ? held->room * 2 : 8;
		struct ps_free_process *more = reallocarray(held->list, room, sizeof(*more));

		if (!more)
			return NULL;
		held->list = more;
		held->room = room;
	}
	memset(&held->list[held->count], 0, sizeof(*held->list));
	held->list[held->count].pidfd = -1;
	return &held->list[held->count++];
}

static int note_inode(struct ps_free_held *held, uint32_t inode)
{
	if (held->inode_count == held->inode_room) {
		unsigned room = held->inode_room ? held->inode_room * 2 : 8;
		uint32_t *more = reallocarray(held->inodes, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		held->inodes = more;
		held->inode_room = room;
	}
	held->inodes[held->inode_count++] = inode;
	return 0;
}

static void name_user(char *name, size_t size, uint32_t uid)
{
	struct passwd entry, *found = NULL;
	char buffer[1024];

	if (getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) == 0 && found)
		snprintf(name, size, "%s", found->pw_name);
	else
		snprintf(name, size, "%u", uid);
}

/* Parent and real user. False if it has gone. */
static bool read_status(struct ps_free_process *p, int32_t pid)
{
	char path[32], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	p->uid = UINT32_MAX;
	while (fgets(line, sizeof(line), file)) {
		sscanf(line, "PPid: %d", &p->parent);
		sscanf(line, "Uid: %u", &p->uid);
	}
	fclose(file);
	return p->uid != UINT32_MAX;
}

static int add_process(struct ps_free_held *held, const struct ps_listener *socket, int32_t pid)
{
	struct ps_free_process *p, about = { 0 };

	for (unsigned i = 0; i < held->count; i++) {
		if (held->list[i].about.pid == pid) {
			held->list[i].protocols |= socket->protocol;
			return 0;
		}
	}
	/* The identity comes first: what is read after it is of that process, or of nobody. */
	about.identity = process_of(pid);
	if (!about.identity || !read_status(&about, pid) || !holder_process(&about.about, pid) ||
	    process_of(pid) != about.identity)
		return 0; /* gone */
	p = add(held);
	if (!p)
		return -ENOMEM;
	about.pidfd = -1;
	about.about.socket = *socket;
	about.protocols = socket->protocol;
	about.holds = true;
	name_user(about.about.user, sizeof(about.about.user), about.uid);
	*p = about;
	return 0;
}

static int add_unseen(struct ps_free_held *held, const struct ps_listener *socket)
{
	struct ps_free_process *p;

	for (unsigned i = 0; i < held->count; i++) {
		if (held->list[i].about.pid == 0 && held->list[i].uid == socket->uid) {
			held->list[i].protocols |= socket->protocol;
			return 0;
		}
	}
	p = add(held);
	if (!p)
		return -ENOMEM;
	p->about.socket = *socket;
	p->uid = socket->uid;
	p->protocols = socket->protocol;
	p->holds = true;
	name_user(p->about.user, sizeof(p->about.user), socket->uid);
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct ps_free_process *p = a, *q = b;
	uint64_t first = process_start(p->identity), second = process_start(q->identity);

	if (first != second)
		return first < second ? -1 : 1;
	return p->about.pid < q->about.pid ? -1 : p->about.pid > q->about.pid;
}

/* One look. *unseen: how many sockets have no process. */
static int look(struct ps_free_held *held, unsigned *unseen)
{
	struct ps_listener *sockets;
	struct ps_share *shares;
	unsigned socket_count, share_count;
	int result = holder_shares(held->port, held->protocols, &sockets, &socket_count, &shares, &share_count);

	*unseen = 0;
	for (unsigned i = 0; i < share_count && !result; i++)
		result = add_process(held, &sockets[shares[i].socket], shares[i].pid);
	for (unsigned s = 0; s < socket_count && !result; s++) {
		bool seen = false;

		for (unsigned i = 0; i < share_count; i++)
			seen = seen || shares[i].socket == s;
		result = note_inode(held, sockets[s].inode);
		if (seen || result)
			continue;
		++*unseen;
		result = add_unseen(held, &sockets[s]);
	}
	free(sockets);
	free(shares);
	if (held->count > 1)
		qsort(held->list, held->count, sizeof(*held->list), by_start);
	return result;
}

int free_find(struct ps_free_held *held, uint16_t port, uint8_t protocols)
{
	unsigned unseen = 0;
	int result = 0;

	memset(held, 0, sizeof(*held));
	held->port = port;
	held->protocols = protocols;
	for (unsigned i = 0; i < LOOKS; i++) {
		held->count = held->inode_count = 0;
		result = look(held, &unseen);
		if (result || !unseen)
			break;
	}
	return result;
}

void free_forget(struct ps_free_held *held)
{
	for (unsigned i = 0; i < held->count; i++)
		if (held->list[i].pidfd >= 0)
			close(held->list[i].pidfd);
	free(held->list);
	free(held->inodes);
	memset(held, 0, sizeof(*held));
}

static long try_bind(int family, uint16_t port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port) };
	long fd = sys3(SYS_socket, family, SOCK_STREAM | SOCK_CLOEXEC, 0), result;
	int on = 1, off = 0;

	if (fd < 0)
		return fd;
	sys5(SYS_setsockopt, fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (family == AF_INET6)
		sys5(SYS_setsockopt, fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	result = family == AF_INET6 ? sys3(SYS_bind, fd, &six, sizeof(six)) : sys3(SYS_bind, fd, &four, sizeof(four));
	sys1(SYS_close, fd);
	return result;
}

/* The system calls are raw: inside of a run, bind() would be moved. */
bool free_bound(uint16_t port)
{
	long result = try_bind(AF_INET6, port);

	if (result < 0 && result != -EADDRINUSE)
		result = try_bind(AF_INET, port);
	return result == -EADDRINUSE;
}
