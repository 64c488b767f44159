/* matrix.c - see matrix.h. `matrix [CASE...]`; `matrix as NAME ARGS...` is what the cases execute. */
#include "matrix.h"

#include "../backlog.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

static struct shared {
	_Atomic int ports, closed;
	volatile sig_atomic_t handled;
} * shared;
static pid_t server; /* our parent: who serves the calls, where they are served */
volatile sig_atomic_t *handled;
static const char *running = "";

static void line(const char *prefix, const char *format, va_list arguments)
{
	char text[512];
	int length = snprintf(text, sizeof(text), "%s%s: ", prefix, running), done = 0;

	length += vsnprintf(text + length, sizeof(text) - (size_t)length - 1, format, arguments);
	if (length > (int)sizeof(text) - 2)
		length = (int)sizeof(text) - 2;
	text[length++] = '\n';
	while (done < length) { /* there may be signals */
		ssize_t n = write(1, text + done, (size_t)(length - done));

		if (n < 0 && errno != EINTR)
			_exit(9);
		done += n > 0 ? (int)n : 0;
	}
}

void say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	line("", format, arguments);
	va_end(arguments);
}

void note(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	line("note ", format, arguments);
	va_end(arguments);
}

static const char *error_name(int error)
{
	static const struct {
		int error;
		const char *name;
	} names[] = {
#define NAME(e) { e, #e }
		NAME(EPERM),        NAME(ENOENT),        NAME(EINTR),        NAME(EBADF),        NAME(EAGAIN),
		NAME(EACCES),       NAME(EFAULT),        NAME(EINVAL),       NAME(ENOSYS),       NAME(ENOTSOCK),
		NAME(EDESTADDRREQ), NAME(EMSGSIZE),      NAME(EPROTOTYPE),   NAME(EOPNOTSUPP),   NAME(EAFNOSUPPORT),
		NAME(EADDRINUSE),   NAME(EADDRNOTAVAIL), NAME(ENETUNREACH),  NAME(ECONNRESET),   NAME(EISCONN),
		NAME(ENOTCONN),     NAME(ETIMEDOUT),     NAME(ECONNREFUSED), NAME(EHOSTUNREACH), NAME(EALREADY),
		NAME(EINPROGRESS),  NAME(EPIPE),         NAME(ENAMETOOLONG),
	};
	static char number[16];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].error == error)
			return names[i].name;
	snprintf(number, sizeof(number), "%d", error);
	return number;
}

void result(const char *what, long value)
{
	int error = errno;

	if (value == -1)
		say("%s: %s", what, error_name(error));
	else
		say("%s: %ld", what, value);
	errno = error;
}

void must(bool good, const char *what)
{
	if (good)
		return;
	say("must: %s: %s", what, error_name(errno));
	_exit(1);
}

static int number_of(const char *name)
{
	const char *text = getenv(name);

	return text ? atoi(text) : 0;
}

int port(void)
{
	int n = atomic_fetch_add(&shared->ports, 1);

	must(n < number_of("PORTS_COUNT"), "more ports");
	return number_of("PORTS_FIRST") + n;
}

int closed(void)
{
	return number_of("PORTS_CLOSED") + atomic_fetch_add(&shared->closed, 1) % 4;
}

/* In order of use within a case; so a case looks the same, whichever were before it. */
const char *port_name(int number)
{
	static int seen[16], count;
	static char text[16];
	int first = number_of("PORTS_FIRST"), i;

	if (number >= first && number < first + number_of("PORTS_COUNT")) {
		for (i = 0; i < count && seen[i] != number; i++)
			;
		if (i == count && count < 16)
			seen[count++] = number;
		snprintf(text, sizeof(text), "P%d", i);
	} else if (number >= first && number < first + 64) {
		return "C";
	} else if (number >= 32768) {
		return "E";
	} else {
		snprintf(text, sizeof(text), number ? "X%d" : "%d", number);
	}
	return text;
}

const char *address_name(const void *address, socklen_t length)
{
	static char text[256];
	struct sockaddr_storage a = { 0 };
	char host[64] = "";

	memcpy(&a, address, length < sizeof(a) ? length : sizeof(a));
	if (length < sizeof(a.ss_family)) {
		snprintf(text, sizeof(text), "nothing");
	} else if (a.ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)&a;

		snprintf(text, sizeof(text), "%s:%s", inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host)),
			 port_name(ntohs(in->sin_port)));
	} else if (a.ss_family == AF_INET6) {
		const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)&a;

		snprintf(text, sizeof(text), "[%s]:%s", inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof(host)),
			 port_name(ntohs(in->sin6_port)));
	} else if (a.ss_family == AF_UNIX) {
		const struct sockaddr_un *un = (const struct sockaddr_un *)&a;

		snprintf(text, sizeof(text), "unix %s", un->sun_path[0] ? un->sun_path : "abstract or none");
	} else {
		snprintf(text, sizeof(text), "family %d", a.ss_family);
	}
	return text;
}

struct sockaddr_in in4(const char *text, int number)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)number) };

	inet_pton(AF_INET, text, &a.sin_addr);
	return a;
}

struct sockaddr_in6 in6(const char *text, int number)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)number) };

	inet_pton(AF_INET6, text, &a.sin6_addr);
	return a;
}

int stream4(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

int datagram4(void)
{
	return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

void option(int fd, int level, int name, int value)
{
	must(!setsockopt(fd, level, name, &value, sizeof(value)), "setsockopt");
}

int bind4(int fd, const char *text, int number)
{
	struct sockaddr_in a = in4(text, number);

	return bind(fd, (struct sockaddr *)&a, sizeof(a));
}

int connect4(int fd, const char *text, int number)
{
	struct sockaddr_in a = in4(text, number);

	return connect(fd, (struct sockaddr *)&a, sizeof(a));
}

int server4(int number, int backlog)
{
	int fd = stream4();

	option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	must(!bind4(fd, "127.0.0.1", number), "bind");
	must(!listen(fd, backlog), "listen");
	return fd;
}

void own_name(const char *what, int fd)
{
	struct sockaddr_storage a;
	socklen_t length = sizeof(a);

	if (getsockname(fd, (struct sockaddr *)&a, &length))
		R(what, -1);
	else
		say("%s: own %s, %u", what, address_name(&a, length), (unsigned)length);
}

void peer_name(const char *what, int fd)
{
	struct sockaddr_storage a;
	socklen_t length = sizeof(a);
	int failed = getpeername(fd, (struct sockaddr *)&a, &length);

	if (failed)
		result(what, failed);
	else
		say("%s: peer %s, %u", what, address_name(&a, length), (unsigned)length);
}

bool ready(int fd, short events, int milliseconds)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, milliseconds) == 1;
}

int full_server(int number)
{
	int fd = server4(number, 0), filler = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	connect4(filler, "127.0.0.1", number);
	for (int i = 0; i < PATIENCE && !backlog_is_full(fd); i++)
		usleep(1000);
	must(backlog_is_full(fd) > 0, "a full queue");
	return fd;
}

double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

const char *how_long(double since, double least)
{
	double spent = seconds() - since;

	return spent < least ? "too early" : spent < least + 12 ? "in time" : "late";
}

static void count(int number)
{
	(void)number;
	shared->handled++;
}

void handler(bool restart)
{
	struct sigaction action = { .sa_handler = count, .sa_flags = restart ? SA_RESTART : 0 };

	sigaction(SIGALRM, &action, NULL);
	*handled = 0;
}

void until_handled(int count)
{
	pid_t self = getppid();

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (*handled < count && getppid() == self)
		usleep(5000);
}

long long waited_for_processor(void)
{
	char path[64];
	long long waited = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)server);
	file = fopen(path, "r");
	if (file && fscanf(file, "%*d %lld", &waited) != 1)
		waited = 0;
	if (file)
		fclose(file);
	return waited;
}

void alarm_in(int milliseconds, int again_microseconds)
{
	struct itimerval t = { .it_value = { .tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000 },
			       .it_interval = { .tv_usec = again_microseconds } };

	if (!milliseconds && again_microseconds)
		t.it_value.tv_usec = again_microseconds;
	setitimer(ITIMER_REAL, &t, NULL);
}

static void run(const struct matrix_case *c)
{
	pid_t pid = fork();
	int status = 0;

	if (!pid) {
		running = c->name;
		c->run();
		_exit(0);
	}
	/* A case that hangs is a case that fails. SIGALRM may be the case's own. */
	for (int i = 0; i < 3000 && waitpid(pid, &status, WNOHANG) == 0; i++) {
		if (i == 2999) {
			running = c->name;
			say("hangs");
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
		}
		usleep(i < 200 ? 500 : 10000);
	}
	running = c->name;
	if (status)
		say("status %x", (unsigned)status);
}

int main(int argc, char **argv)
{
	static const struct matrix_case *const all[] = { matrix_stream, matrix_names, matrix_datagrams,
							 matrix_processes, matrix_entries };

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	handled = &shared->handled;
	server = getppid();
	if (argc > 2 && !strcmp(argv[1], "as")) {
		running = argv[2];
		return matrix_as(argc - 2, argv + 2);
	}
	if (!number_of("PORTS_FIRST"))
		return fprintf(stderr, "matrix: run me under with_ports\n"), 2;
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		for (const struct matrix_case *c = all[i]; c->name; c++) {
			bool wanted = argc < 2;

			for (int w = 1; w < argc; w++)
				wanted |= !strcmp(argv[w], c->name);
			if (wanted)
				run(c);
		}
	return 0;
}
