/* cases_processes.c - threads, forks, executed programs, signals, and processes that change what they are. */
#include "matrix.h"

#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#define THREADS 50
#define FORKS 500
#define ROUNDS 400

static int asked;
static _Atomic int good, wrong;

/* A connect, and what it is connected to, asked both ways. */
static bool one_connect(int number)
{
	struct sockaddr_in a;
	socklen_t length = sizeof(a);
	int fd = stream4();
	bool fine = fd >= 0 && !connect4(fd, "127.0.0.1", number) && !getpeername(fd, (struct sockaddr *)&a, &length) &&
		    ntohs(a.sin_port) == number &&
		    !setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 }, sizeof(struct linger));

	close(fd);
	return fine;
}

static void *one_thread(void *unused)
{
	for (int i = 0; i < 10; i++) {
		struct sockaddr_in a;
		socklen_t length = sizeof(a);
		int fd = stream4();

		if (one_connect(asked) && !bind4(fd, "127.0.0.1", 0) &&
		    !getsockname(fd, (struct sockaddr *)&a, &length))
			good++;
		else
			wrong++;
		close(fd);
	}
	return unused;
}

static void accept_all(int fd)
{
	int one;

	while ((one = accept(fd, NULL, NULL)) >= 0)
		close(one);
	_exit(0);
}

static void threads(void)
{
	pthread_t thread[THREADS];
	int fd = server4(asked = port(), 1024), i;
	pthread_attr_t small;
	pid_t server = fork();

	if (!server)
		accept_all(fd);
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 65536);
	for (i = 0; i < THREADS; i++)
		must(!pthread_create(&thread[i], &small, one_thread, NULL), "thread");
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	say("good %d, wrong %d", good, wrong);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}

/* Fifty threads bind one port: one of them has it. */
static void *bind_thread(void *context)
{
	int fd = stream4();

	if (!bind4(fd, "127.0.0.1", asked))
		good++;
	else if (errno == EADDRINUSE)
		wrong++;
	return context;
}

static void threads_bind(void)
{
	pthread_t thread[THREADS];
	pthread_attr_t small;

	asked = port();
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 65536);
	for (int i = 0; i < THREADS; i++)
		must(!pthread_create(&thread[i], &small, bind_thread, NULL), "thread");
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	say("bound %d, EADDRINUSE %d", good, wrong);
}

static void forks(void)
{
	int p = port(), fd = server4(p, 1024), fine = 0, status;
	pid_t server = fork(), pid;

	if (!server)
		accept_all(fd);
	for (int i = 0; i < FORKS; i++) {
		pid = fork();
		if (!pid)
			_exit(!one_connect(p));
		must(pid > 0, "fork");
		if (i % 25 == 24)
			while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
				fine += status == 0;
	}
	while (fine < FORKS && (pid = waitpid(-1, &status, 0)) > 0 && pid != server) {
		if (status)
			break;
		fine++;
	}
	say("fine %d", fine);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}

/* ---- executed programs ---- */

static char *own_path(void)
{
	static char path[512];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);

	must(length > 0, "/proc/self/exe");
	return path;
}

static int as_connect(int count, char **words)
{
	int fd = stream4();

	R("connect", count > 1 ? connect4(fd, "127.0.0.1", atoi(words[1])) : -1);
	peer_name("peer", fd);
	own_name("inherited", 10);
	return 0;
}

/* as chain PORT PROGRAM...: and becomes the next of them. */
static int as_chain(int count, char **words)
{
	int fd = stream4();
	char *next[64];

	R("connect", connect4(fd, "127.0.0.1", atoi(words[1])));
	peer_name("peer", fd);
	own_name("inherited", 10);
	close(fd);
	if (count < 3)
		return 0;
	next[0] = words[2];
	next[1] = (char *)"as";
	next[2] = (char *)"chain";
	next[3] = words[1];
	for (int i = 3; i <= count; i++)
		next[i + 1] = i < count ? words[i] : NULL;
	execv(next[0], next);
	return 1;
}

int matrix_as(int count, char **words)
{
	return strcmp(words[0], "chain") ? as_connect(count, words) : as_chain(count, words);
}

static void executes(void)
{
	int p = port(), fd = server4(p, 16);
	char number[16];
	char *words[] = { own_path(), (char *)"as", (char *)"executed", number, NULL };
	pid_t pid;

	snprintf(number, sizeof(number), "%d", p);
	must(dup2(fd, 10) == 10, "dup2"); /* not closed by exec */
	pid = vfork();
	if (!pid) {
		execv(words[0], words);
		_exit(1);
	}
	must(waitpid(pid, NULL, 0) == pid, "wait");
	own_name("ours", fd);
}

/* This program, then another build of it, then this one: static and preloaded ones in a row. */
static void chain(void)
{
	int p = port(), fd = server4(p, 16);
	char number[16], *other = getenv("MATRIX_OTHER"), *self = own_path();
	char *words[] = { self, (char *)"as", (char *)"chain", number, other ? other : self, self, other ? other : self,
			  NULL };
	pid_t pid;

	snprintf(number, sizeof(number), "%d", p);
	must(dup2(fd, 10) == 10, "dup2");
	pid = fork();
	if (!pid) {
		execv(words[0], words);
		_exit(1);
	}
	must(waitpid(pid, NULL, 0) == pid, "wait");
}

static void closes_all(void)
{
	int p = port(), fd = server4(p, 4);

	for (int i = 3; i < 256; i++)
		if (i != fd)
			close(i);
	say("fine %d", one_connect(p));
	close(fd);
	for (int i = 3; i < 256; i++)
		close(i);
	fd = server4(p, 4);
	own_name("again", fd);
	say("fine %d", one_connect(p));
}

/* ---- signals ---- */

#define OFTEN 200 /* us */

/* What a signal has ended is not done all the same. */
static bool is_bound(int fd)
{
	struct sockaddr_in a = { .sin_port = 0 };
	socklen_t length = sizeof(a);

	while (getsockname(fd, (struct sockaddr *)&a, &length) < 0 && errno == EINTR)
		;
	return a.sin_port;
}

/* A handler that runs all the time. Natively a connect is interrupted where it has to wait, and no other call is. */
static void often(bool restart)
{
	int p = port(), own = port(), fd = server4(p, 1024), connects = 0, interrupted = 0, other = 0, half = 0;
	long long waited = waited_for_processor();
	struct sockaddr_in a;
	socklen_t length;
	pid_t server = fork();

	if (!server)
		accept_all(fd);
	handler(restart);
	alarm_in(0, OFTEN);
	for (int i = 0; i < ROUNDS; i++) {
		int client = stream4(), bound = stream4();
		int failed[5];

		length = sizeof(a);
#define TRY(n, call) failed[n] = (call) ? errno : 0
		TRY(0, connect4(client, "127.0.0.1", p));
		TRY(1, getpeername(client, (struct sockaddr *)&a, &length));
		TRY(2, bind4(bound, "127.0.0.1", own));
		half += failed[2] && is_bound(bound);
		TRY(3, getsockname(bound, (struct sockaddr *)&a, &length));
		TRY(4, listen(bound, 1));
		connects += failed[0] == EINTR;
		for (int k = 0; k < 5; k++) {
			interrupted += k && failed[k] == EINTR;
			other += failed[k] && failed[k] != EINTR && !(failed[k] == ENOTCONN && failed[0] == EINTR);
		}
		setsockopt(client, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 }, sizeof(struct linger));
		close(client);
		close(bound);
	}
	alarm_in(0, 0);
	waited = waited_for_processor() - waited;
	note("%d of %d connects EINTR, %d of %d others, %d signals; %d while the server waited for a processor",
	     connects, ROUNDS, interrupted, 4 * ROUNDS, (int)*handled, (int)(waited / (OFTEN * 1000)));
	say("other errors %d, bound all the same %d", other, half);
	if (restart)
		say("EINTR %d", connects + interrupted);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}

static void signals_restart(void)
{
	often(true);
}

static void signals(void)
{
	often(false);
}

/* A handler that makes the calls itself. */
static int reentered;
static volatile bool enough;

/* The next signal comes a while after its end, however long it takes: or nothing else would ever be done. */
static void calls_itself(int number)
{
	int error = errno;

	(void)number;
	reentered += one_connect(asked);
	if (!enough)
		alarm_in(1, 0);
	errno = error;
}

static void signals_reenter(void)
{
	struct sigaction action = { .sa_handler = calls_itself, .sa_flags = SA_RESTART };
	int fd = server4(asked = port(), 1024), fine = 0, rounds = 0;
	pid_t server = fork();

	if (!server)
		accept_all(fd);
	sigaction(SIGALRM, &action, NULL);
	alarm_in(1, 0);
	while (rounds < ROUNDS || (reentered < 3 && rounds < 100 * ROUNDS)) {
		fine += one_connect(asked);
		rounds++;
	}
	enough = true;
	alarm_in(0, 0);
	say("fine %d, in the handler %d", fine == rounds, reentered > 2);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}

/* ---- processes that change what they are ---- */

static void root_changes(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "/inside" };
	char directory[] = "/tmp/portshim-matrix.XXXXXX";
	int p = port(), fd, client = stream4();

	must(mkdtemp(directory) && !chroot(directory) && !chdir("/"), "chroot");
	R("in a chroot, bind", bind4(fd = stream4(), "127.0.0.1", p));
	R("listen", listen(fd, 4));
	R("connect", connect4(client, "127.0.0.1", p));
	peer_name("client", client);
	R("unix", bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&a, sizeof(a)));
	R("unix, gone", unlink("/inside"));
	must(!setgid(65534) && !setuid(65534), "setuid");
	say("dumpable %d", prctl(PR_GET_DUMPABLE));
	R("as another user, connect", connect4(client = stream4(), "127.0.0.1", p));
	peer_name("client", client);
	R("bind", bind4(fd = stream4(), "127.0.0.1", p = port()));
	R("listen", listen(fd, 4));
	own_name("listens", fd);
	R("connect", connect4(client = stream4(), "127.0.0.1", p));
	peer_name("client", client);
}

/* A network namespace of its own is another host: nothing is moved there. */
static void other_network(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int p = port(), before = server4(p, 4), fd, client, only = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr_in a;
	socklen_t length = sizeof(a);

	(void)only;
	R("unshare", unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWNET : CLONE_NEWNET));
	R("up", ioctl(stream4(), SIOCSIFFLAGS, &lo));
	R("bind", bind4(fd = stream4(), "127.0.0.1", p));
	R("listen", listen(fd, 4));
	own_name("there", fd);
	R("connect", connect4(client = stream4(), "127.0.0.1", p));
	peer_name("client", client);
	own_name("the one before", before);
	must(!getsockname(client, (struct sockaddr *)&a, &length), "name");
	R("nobody", connect4(stream4(), "127.0.0.1", port()));
}

const struct matrix_case matrix_processes[] = {
	{ "threads", threads },
	{ "threads-bind", threads_bind },
	{ "forks", forks },
	{ "executes", executes },
	{ "chain", chain },
	{ "closes-all", closes_all },
	{ "signals-restart", signals_restart },
	{ "signals", signals },
	{ "signals-reenter", signals_reenter },
	{ "root-changes", root_changes },
	{ "other-network", other_network },
	{ NULL, NULL },
};
