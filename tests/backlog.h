/* Is a listener's queue full, so that whoever connects now gets no answer? */
#ifndef TESTS_BACKLOG_H
#define TESTS_BACKLOG_H

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* 1 or 0; -1 with errno. As the kernel has it there is room while the queue is no longer than its limit
 * (sk_acceptq_is_full); both numbers of a listener are in fields that are something else for a connection
 * (net/ipv4/tcp.c, tcp_get_info). */
static inline int backlog_is_full(int listener)
{
	struct tcp_info info = {0};
	socklen_t length = sizeof(info);

	if (getsockopt(listener, IPPROTO_TCP, TCP_INFO, &info, &length))
		return -1;
	return info.tcpi_unacked > info.tcpi_sacked;
}

#endif
