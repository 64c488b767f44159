/*
 * marked.c - under a filter, the library's system calls carry the run's pass (scope.h), so that the filter lets them
 * through.
 *
 * marked under ACTION PASS COMMAND...   gives the run that PORTSHIM_RUN names a pass, if it has none and PASS is "right",
 *                                       installs a filter that does ACTION ("errno": EOWNERDEAD, "kill", "allow") to calls about sockets
 *                                       that do not carry it, and executes. Without PORTSHIM_RUN it executes.
 * marked calls PORT                     makes each hooked call, and prints its name with "ok" or the error's name. TCP and UDP
 *                                       servers on PORT and PORT + 1.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <portshim/scope.h>

#define PASS UINT64_C(0x9e3779b97f4a7c15)
#define MOST 96

/* ---- the filter ---- */

struct program {
	struct sock_filter at[MOST];
	unsigned short count;
};

static void add(struct program *p, struct sock_filter one)
{
	p->at[p->count++] = one;
}

static void load(struct program *p, unsigned offset)
{
	add(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset));
}

static void answer(struct program *p, uint32_t what)
{
	add(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, what));
}

#define HALF(argument, upper) (offsetof(struct seccomp_data, args) + 8 * (argument) + 4 * (upper))

static void look_at_sixth(struct program *p, unsigned number, uint64_t pass, uint32_t otherwise)
{
	add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 6));
	load(p, HALF(5, 0));
	add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)pass, 0, 3));
	load(p, HALF(5, 1));
	add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(pass >> 32), 0, 1));
	answer(p, SECCOMP_RET_ALLOW);
	answer(p, otherwise);
}

static void look_at_flags(struct program *p, unsigned number, uint64_t pass, uint32_t otherwise)
{
	add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 8));
	load(p, HALF(3, 1));
	add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, pass_upper(pass), 4, 0));
	load(p, HALF(4, 0));
	add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3));
	load(p, HALF(4, 1));
	add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1));
	answer(p, SECCOMP_RET_ALLOW);
	answer(p, otherwise);
}

static void install(uint64_t pass, uint32_t otherwise)
{
	static const unsigned short sixth[] = {SYS_bind, SYS_listen, SYS_connect, SYS_getsockname, SYS_getpeername,
					       SYS_sendmsg, SYS_sendmmsg, SYS_recvmsg, SYS_recvmmsg};
	struct program p = {.count = 0};
	struct sock_fprog all;

	load(&p, offsetof(struct seccomp_data, nr));
	for (unsigned i = 0; i < sizeof(sixth) / sizeof(sixth[0]); i++)
		look_at_sixth(&p, sixth[i], pass, otherwise);
	look_at_flags(&p, SYS_sendto, pass, otherwise);
	look_at_flags(&p, SYS_recvfrom, pass, otherwise);
	answer(&p, SECCOMP_RET_ALLOW);
	all = (struct sock_fprog){.len = p.count, .filter = p.at};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &all) != 0) {
		perror("seccomp");
		exit(3);
	}
}

/* The run's, or the one that it gets. */
static uint64_t pass_of_run(const char *path, int right)
{
	uint64_t pass = 0, given = PASS;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0 || pread(fd, &pass, sizeof(pass), PS_PASS_OFFSET) != sizeof(pass) ||
	    (!pass && right && pwrite(fd, &given, sizeof(given), PS_PASS_OFFSET) != sizeof(given))) {
		perror(path);
		exit(3);
	}
	close(fd);
	return pass ? pass : PASS;
}

static int under(const char *action, int right, char **command)
{
	const char *run = getenv("PORTSHIM_RUN");

	if (run)
		install(pass_of_run(run, right), strcmp(action, "kill") == 0    ? SECCOMP_RET_KILL_PROCESS
						 : strcmp(action, "allow") == 0 ? SECCOMP_RET_ALLOW
										: SECCOMP_RET_ERRNO | EOWNERDEAD);
	execvp(command[0], command);
	perror(command[0]);
	return 3;
}

/* ---- the calls ---- */

extern ssize_t __recvfrom_chk(int, void *, size_t, size_t, int, __SOCKADDR_ARG, socklen_t *);

static void say(const char *name, long result)
{
	printf("%s %s\n", name, result >= 0 ? "ok" : strerrorname_np(errno));
	fflush(stdout);
}

static struct sockaddr_in address(uint32_t host, int port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(host)};
}

static char bytes[8] = "datagram";
static struct sockaddr_in from;
static struct iovec vector = {bytes, sizeof(bytes)};

static struct msghdr message(struct sockaddr_in *a)
{
	return (struct msghdr){.msg_name = a, .msg_namelen = sizeof(*a), .msg_iov = &vector, .msg_iovlen = 1};
}

static void streams(int port)
{
	struct sockaddr_in a = address(INADDR_LOOPBACK, port), wild = address(INADDR_ANY, port), far = address(0xc0000201, port);
	int (*other_connect)(int, const struct sockaddr *, socklen_t) =
		(int (*)(int, const struct sockaddr *, socklen_t))dlsym(RTLD_DEFAULT, "__connect");
	int server = socket(AF_INET, SOCK_STREAM, 0), again = socket(AF_INET, SOCK_STREAM, 0), third;
	int client = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	socklen_t length = sizeof(from);

	setsockopt(server, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	setsockopt(again, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	say("bind", bind(server, (struct sockaddr *)&wild, sizeof(wild)));
	say("bind-again", syscall(SYS_bind, again, &wild, sizeof(wild)));
	say("listen", listen(server, 8));
	say("listen-again", syscall(SYS_listen, again, 8));
	say("getsockname", getsockname(server, (struct sockaddr *)&from, &length));
	say("connect", connect(client, (struct sockaddr *)&a, sizeof(a)));
	length = sizeof(from);
	say("getpeername", getpeername(client, (struct sockaddr *)&from, &length));
	third = socket(AF_INET, SOCK_STREAM, 0);
	say("__connect", other_connect ? other_connect(third, (struct sockaddr *)&a, sizeof(a)) : 0);
	/* Is it this machine's address? The library asks the kernel; what comes of it does not matter. */
	third = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (connect(third, (struct sockaddr *)&far, sizeof(far)) == 0 || errno != EOWNERDEAD)
		errno = 0;
	say("connect-far", errno == EOWNERDEAD ? -1 : 0);
}

static void datagrams(int port)
{
	struct sockaddr_in a = address(INADDR_LOOPBACK, port);
	int server = socket(AF_INET, SOCK_DGRAM, 0), client = socket(AF_INET, SOCK_DGRAM, 0);
	struct mmsghdr several = {.msg_hdr = message(&a)};
	struct msghdr m = message(&a);
	struct timeval patience = {.tv_sec = 60};
	socklen_t length = sizeof(from);

	setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	say("bind-udp", bind(server, (struct sockaddr *)&a, sizeof(a)));
	say("sendto", sendto(client, bytes, 8, 0, (struct sockaddr *)&a, sizeof(a)));
	say("recvfrom", recvfrom(server, bytes, 8, 0, (struct sockaddr *)&from, &length));
	sendto(client, bytes, 8, 0, (struct sockaddr *)&a, sizeof(a));
	length = sizeof(from);
	say("__recvfrom_chk", __recvfrom_chk(server, bytes, 8, 8, 0, (struct sockaddr *)&from, &length));
	say("sendmsg", sendmsg(client, &m, 0));
	m = message(&from);
	say("recvmsg", recvmsg(server, &m, 0));
	say("sendmmsg", sendmmsg(client, &several, 1, 0));
	several.msg_hdr = message(&from);
	say("recvmmsg", recvmmsg(server, &several, 1, 0, NULL));
	errno = 0;
	say("send-nowhere", send(client, bytes, 8, 0) < 0 && errno == EOWNERDEAD ? -1 : 0); /* no address: not notified */
}

int main(int argc, char **argv)
{
	if (argc > 4 && strcmp(argv[1], "under") == 0)
		return under(argv[2], strcmp(argv[3], "right") == 0, argv + 4);
	if (argc != 3 || strcmp(argv[1], "calls") != 0)
		return 2;
	streams(atoi(argv[2]));
	datagrams(atoi(argv[2]) + 1);
	return 0;
}
