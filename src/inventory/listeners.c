/*
 * listeners.c - every socket of the machine that listens, with its process.
 *
 * Theory of operation: sockets.c takes all of them, without the UDP sockets of clients; those of one process and port
 * are folded into one. Sockets of other users' processes are listed without the process.
 */
#include "listeners.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <portshim/kernel.h>

#include "../cli/sockets.h"

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

static int by_port(const void *a, const void *b)
{
	const struct ps_socket *x = a, *y = b;

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

/* One entry for each process and port. False if memory ran out. */
static bool fold(struct ps_listeners *l, const struct ps_sockets *s)
{
	const unsigned ephemeral = first_ephemeral();
	const struct ps_socket *last = NULL;
	struct ps_listening *into = NULL;

	if (s->count == 0)
		return true;
	l->list = calloc(s->count, sizeof(*l->list));
	if (!l->list)
		return false;
	for (size_t i = 0; i < s->count; i++) {
		const struct ps_socket *one = &s->list[i];

		if (one->socket.protocol == PS_UDP && one->socket.port >= ephemeral)
			continue; /* a client */
		if (!last || by_port(one, last) != 0) {
			into = &l->list[l->count++];
			into->holder.socket = one->socket;
			holder_user(&into->holder);
			if (one->pid)
				holder_process(&into->holder, one->pid);
		}
		into->protocols |= one->socket.protocol;
		into->wildcard = into->wildcard || is_wildcard(one->socket.address);
		last = one;
	}
	return true;
}

int listeners_read(struct ps_listeners *l, struct ps_error *error)
{
	struct ps_sockets s;

	*l = (struct ps_listeners){ 0 };
	sockets_read(&s, 0, PS_TCP | PS_UDP); /* nothing where nothing can be read, as in a sandbox */
	sockets_search(&s, NULL, NULL);
	if (s.count)
		qsort(s.list, s.count, sizeof(*s.list), by_port);
	if (s.failed || !fold(l, &s))
		error_set(error, PS_EXIT_SYSTEM, "out of memory");
	sockets_free(&s);
	return error->code;
}

void listeners_free(struct ps_listeners *l)
{
	free(l->list);
	*l = (struct ps_listeners){ 0 };
}
