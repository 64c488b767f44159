/* The smallest programs whose start is measured: `once bind PORT` binds a port once; `once up PROGRAM ARGS...` brings
 * the loopback interface of a new network namespace up, which makes it usable, and becomes the program. And the
 * smallest filter that could do what portshim's has to: `once filter PROGRAM ARGS...` puts the program under one that
 * looks at one argument of the calls that name addresses, whatever it is, and allows everything. What that costs is the
 * kernel's price for telling one caller from another. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define FIRST SYS_connect /* all of them have numbers between these two */
#define LAST SYS_getpeername
#else
#define FIRST SYS_bind
#define LAST SYS_recvmsg
#endif

static int filter(void)
{
	struct sock_filter look[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, FIRST, 0, 3),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, LAST, 2, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[5])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(look) / sizeof(look[0]), .filter = look };

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
	if (strcmp(argv[1], "filter") == 0 ? filter() : ioctl(fd, SIOCSIFFLAGS, &lo))
		return 1;
	execvp(argv[2], argv + 2);
	return 127;
}
