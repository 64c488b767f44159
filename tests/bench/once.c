/* The smallest programs whose start is measured: `once bind PORT` binds a port once; `once up PROGRAM ARGS...` brings
 * the loopback interface of a new network namespace up, which makes it usable, and becomes the program. And the
 * smallest filter: `once allow PROGRAM ARGS...` puts the program under one that allows everything, and all that the
 * kernel does for it is what any filter costs. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int allow(void)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { .len = 1, .filter = &all };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program);
}

int main(int argc, char **argv)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd;

	if (argc < 3)
		return 2;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (strcmp(argv[1], "bind") == 0) {
		struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[2])),
					 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

		return bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0;
	}
	if (strcmp(argv[1], "allow") == 0 ? allow() : ioctl(fd, SIOCSIFFLAGS, &lo))
		return 1;
	execvp(argv[2], argv + 2);
	return 127;
}
