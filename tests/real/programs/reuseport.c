/*
 * reuseport PORT IDENTITY WORKERS - each worker binds PORT with SO_REUSEPORT and tells every client "IDENTITY PID". Says
 * "all listen" when they do, and ends when all of them have.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t workers[16];

/* A worker does not outlive us: what it holds would stay on record. */
static void end(int signal)
{
	for (int i = 0; i < 16 && workers[i] > 0; i++)
		kill(workers[i], signal);
}

static int worker(int port, const char *identity, int ready)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_ANY) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 64) < 0) {
		perror("reuseport");
		return 1;
	}
	if (write(ready, "", 1) != 1)
		return 1;
	close(ready);
	for (;;) {
		int c = accept(fd, NULL, NULL);

		if (c < 0)
			continue;
		dprintf(c, "%s %d\n", identity, (int)getpid());
		close(c);
	}
}

int main(int argc, char **argv)
{
	int count = argc == 4 ? atoi(argv[3]) : 0, listening = 0, status = 0, bad = 0, ready[2];
	char byte;

	if (count < 1 || count > 16 || pipe(ready) < 0)
		return 2;
	for (int i = 0; i < count; i++) {
		workers[i] = fork();
		if (workers[i] == 0) {
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			close(ready[0]);
			return worker(atoi(argv[1]), argv[2], ready[1]);
		}
	}
	signal(SIGTERM, end);
	close(ready[1]);
	while (read(ready[0], &byte, 1) == 1)
		listening++;
	if (listening == count)
		puts("all listen");
	fflush(stdout);
	while (wait(&status) > 0)
		bad |= !WIFSIGNALED(status) || WTERMSIG(status) != SIGTERM;
	return bad;
}
