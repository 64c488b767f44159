/*
 * own_network.c - runs a program where nobody else has ports: own_network PROGRAM ARGS...
 *
 * Theory of operation. A port that a test believes to be free may be taken by any other program of the machine,
 * another test's above all, between any two of its calls: by a client's own port, or as a candidate of another
 * registry. So the program gets a network namespace of its own, with nothing but a loopback in it: up, with an
 * address for documentation (RFC 5737) as the machine's own, and a route to all others that ends there. Root needs
 * nothing else for that; an ordinary user needs a user namespace, in which he is who he was and may do no more once
 * the program has begun. PORTSHIM_TEST_NETWORK says how it went: `own`, or `shared` where the kernel refuses; then
 * all is as it would be without this. Whoever sets it decides: `own` because it is already so, `shared` because it is
 * to be.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return good;
}

static struct sockaddr address(const char *text)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = inet_addr(text) };
	struct sockaddr a;

	memcpy(&a, &in, sizeof(a));
	return a;
}

static bool loopback_up(void)
{
	static char name[] = "lo";
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	struct ifreq own = { .ifr_name = "lo:1", .ifr_addr = address("198.51.100.2") };
	struct ifreq alone = { .ifr_name = "lo:1", .ifr_netmask = address("255.255.255.255") };
	struct rtentry route = { .rt_dst = address("0.0.0.0"), .rt_genmask = address("0.0.0.0"), .rt_dev = name,
				 .rt_flags = RTF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool up = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &lo) == 0 && ioctl(fd, SIOCSIFADDR, &own) == 0 &&
		  ioctl(fd, SIOCSIFNETMASK, &alone) == 0 && ioctl(fd, SIOCADDRT, &route) == 0;

	if (fd >= 0)
		close(fd);
	return up;
}

static bool enter(void)
{
	char uid_map[64], gid_map[64];

	snprintf(uid_map, sizeof(uid_map), "%u %u 1", geteuid(), geteuid());
	snprintf(gid_map, sizeof(gid_map), "%u %u 1", getegid(), getegid());
	if (geteuid() == 0)
		return unshare(CLONE_NEWNET) == 0 && loopback_up();
	return unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 && put("/proc/self/setgroups", "deny") &&
	       put("/proc/self/uid_map", uid_map) && put("/proc/self/gid_map", gid_map) && loopback_up();
}

/* A process that is half inside cannot go back: another one tries first. */
static bool may_enter(void)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(!enter());
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

int main(int argc, char **argv)
{
	static const char name[] = "PORTSHIM_TEST_NETWORK";

	if (argc < 2) {
		fprintf(stderr, "usage: own_network PROGRAM ARGS...\n");
		return 2;
	}
	if (!getenv(name)) {
		bool own = may_enter();

		setenv(name, own ? "own" : "shared", 1);
		if (own && !enter())
			return 99;
	}
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 127;
}
