/*
 * many.c - starts many environments at once, each with a server on one and the same port, each checked by its own
 * client.
 *
 * many COUNT PORT PREFIX...      the launcher; '%' in an argument of the prefix becomes the environment's number
 * many server NUMBER PORT        what it starts in each of them
 * many client NUMBER PORT        what each server starts, inside its environment
 *
 * Theory of operation. The launcher starts COUNT times PREFIX followed by `many server`. A server binds (with
 * SO_REUSEADDR) and listens, reports the time that its bind took, and waits until all of them are up: the launcher
 * closes a pipe then. Only now does it start its client, which must be told this server's number, and nobody else's.
 * All servers stay until all clients have answered. Reports are fixed-size records in a pipe; a record is smaller
 * than PIPE_BUF, so they never mix. Prints one line of JSON: how many were right, the wall time, and the distribution
 * of the bind times.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The descriptors that servers inherit. */
enum { REPORT = 10, GO = 11, END = 12 };

struct report {
	uint64_t nanoseconds;
	int32_t number;
	int32_t kind; /* 1: up, 2: its client was right, 0: something failed */
};

extern char **environ;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static void report(int kind, int number, uint64_t nanoseconds)
{
	const struct report r = { .kind = kind, .number = number, .nanoseconds = nanoseconds };

	if (write(REPORT, &r, sizeof(r)) != sizeof(r))
		_exit(1);
}

/* Returns when the launcher closes its end. */
static void wait_for(int fd)
{
	char byte;

	while (read(fd, &byte, 1) < 0 && errno == EINTR)
		;
}

static int server(int number, int port)
{
	struct sockaddr_in a = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1, accepted, status = -1;
	char text[16], port_text[16];
	char *argv[] = { (char[]){ "/proc/self/exe" }, (char[]){ "client" }, text, port_text, NULL };
	uint64_t start;
	pid_t pid;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	start = now();
	if (bind(fd, (struct sockaddr *)&a, sizeof(a))) {
		report(0, number, 0);
		return 1;
	}
	start = now() - start;
	if (listen(fd, 4)) {
		report(0, number, 0);
		return 1;
	}
	report(1, number, start);
	wait_for(GO);
	snprintf(text, sizeof(text), "%d", number);
	snprintf(port_text, sizeof(port_text), "%d", port);
	if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ)) {
		report(0, number, 0);
		return 1;
	}
	/* a client that went elsewhere must not leave us waiting */
	if (poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 60000) == 1) {
		accepted = accept(fd, NULL, NULL);
		if (write(accepted, &number, sizeof(number)) < 0)
			status = -1;
		close(accepted);
	}
	waitpid(pid, &status, 0);
	report(status == 0 ? 2 : 0, number, 0);
	wait_for(END);
	return 0;
}

static int client(int number, int port)
{
	struct sockaddr_in a = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), got = -1;

	return connect(fd, (struct sockaddr *)&a, sizeof(a)) || read(fd, &got, sizeof(got)) != sizeof(got) ||
	       got != number;
}

/* ---- the launcher ---- */

static char *numbered(const char *pattern, int number)
{
	char *text = malloc(strlen(pattern) + 16), *at = text;

	for (; *pattern; pattern++)
		if (*pattern == '%')
			at += sprintf(at, "%d", number);
		else
			*at++ = *pattern;
	*at = '\0';
	return text;
}

static pid_t start_one(int number, const char *self, const char *port, char **prefix, int prefix_count, int ends[3])
{
	char **argv = calloc((size_t)prefix_count + 5, sizeof(*argv)), text[16];
	pid_t pid;
	int i;

	for (i = 0; i < prefix_count; i++)
		argv[i] = numbered(prefix[i], number);
	snprintf(text, sizeof(text), "%d", number);
	argv[i++] = (char *)(uintptr_t)self;
	argv[i++] = (char[]){ "server" };
	argv[i++] = text;
	argv[i++] = (char *)(uintptr_t)port;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (dup2(ends[0], REPORT) < 0 || dup2(ends[1], GO) < 0 || dup2(ends[2], END) < 0)
			_exit(1);
		execvp(argv[0], argv);
		_exit(127);
	}
	for (i = 0; i < prefix_count; i++)
		free(argv[i]);
	free(argv);
	return pid;
}

/* Collects `count` reports of the kind (or failures). Returns how many were of the kind. */
static int collect(int fd, int count, int kind, uint64_t *times)
{
	struct report r;
	int good = 0;

	for (int i = 0; i < count; i++) {
		if (poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 120000) != 1 ||
		    read(fd, &r, sizeof(r)) != sizeof(r))
			break;
		if (r.kind != kind)
			continue;
		if (times)
			times[good] = r.nanoseconds;
		good++;
	}
	return good;
}

static int by_size(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int launch(int count, const char *port, char **prefix, int prefix_count)
{
	int reports[2], go[2], end[2], up, right = 0;
	uint64_t *times, start, all_up;
	char self[4096];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (length < 0)
		return 1;
	self[length] = '\0';
	/* above the numbers that the servers use, so that no dup2 hits one of these */
	if (pipe2(reports, O_CLOEXEC) || pipe2(go, O_CLOEXEC) || pipe2(end, O_CLOEXEC))
		return 1;
	for (int i = 0; i < 2; i++) {
		reports[i] = fcntl(reports[i], F_DUPFD_CLOEXEC, 20);
		go[i] = fcntl(go[i], F_DUPFD_CLOEXEC, 20);
		end[i] = fcntl(end[i], F_DUPFD_CLOEXEC, 20);
	}
	for (int fd = 3; fd < 20; fd++)
		close(fd);
	times = calloc((size_t)count + 1, sizeof(*times));
	if (!times)
		return 1;
	start = now();
	for (int i = 0; i < count; i++)
		if (start_one(i, self, port, prefix, prefix_count, (int[]){ reports[1], go[0], end[0] }) < 0) {
			free(times);
			return 1;
		}
	up = collect(reports[0], count, 1, times);
	all_up = now();
	close(go[1]);
	right = collect(reports[0], up, 2, NULL);
	printf("{\"environments\":%d,\"right\":%d,\"up_ns\":%llu,\"wall_ns\":%llu,", count, right,
	       (unsigned long long)(all_up - start), (unsigned long long)(now() - start));
	qsort(times, (size_t)up, sizeof(*times), by_size);
	printf("\"bind_p50_ns\":%llu,\"bind_p99_ns\":%llu,\"bind_max_ns\":%llu}\n", (unsigned long long)times[up / 2],
	       (unsigned long long)times[up * 99 / 100], (unsigned long long)times[up ? up - 1 : 0]);
	fflush(stdout);
	free(times);
	close(end[1]);
	while (wait(NULL) > 0)
		;
	return right != count;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "server") == 0)
		return server(atoi(argv[2]), atoi(argv[3]));
	if (argc == 4 && strcmp(argv[1], "client") == 0)
		return client(atoi(argv[2]), atoi(argv[3]));
	if (argc < 3 || atoi(argv[1]) < 1) {
		fprintf(stderr, "usage: many COUNT PORT PREFIX...\n");
		return 2;
	}
	return launch(atoi(argv[1]), argv[2], argv + 3, argc - 3);
}
