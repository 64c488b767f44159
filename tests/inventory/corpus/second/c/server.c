#include <arpa/inet.h>
#include <getopt.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define DEFAULT_PORT 7070
#define SERVICE "7071"
#define BUFFER_SIZE 4096
#define MAX_CLIENTS 1024
#define PORT_MAX 65535
#define YEAR_ZERO 1900

struct config {
	const char *host;
	unsigned short port;
	int timeout;
};

static struct config config = { .host = "127.0.0.1", .port = 7072, .timeout = 3000 };
static const int ports[] = { 7073, 7074 };
static const struct config peers[] = {
	{ "10.0.0.2", 7075, 2500 },
	{ "10.0.0.3", 7076, 2500 },
};

static int open_server(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(7077) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), size = 65536;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 || listen(fd, 4096) != 0)
		return -1;
	return fd;
}

static int open_client(const char *host)
{
	struct addrinfo hints = { 0 }, *result;
	struct sockaddr_in6 six;

	hints.ai_socktype = SOCK_STREAM;
	if (getaddrinfo(host, "7078", &hints, &result) != 0)
		return -1;
	memset(&six, 0, sizeof(six));
	six.sin6_family = AF_INET6;
	six.sin6_port = htons(7079);
	inet_pton(AF_INET6, "2001:db8::7080", &six.sin6_addr);
	return connect(socket(AF_INET6, SOCK_STREAM, 0), (struct sockaddr *)&six, sizeof(six));
}

int main(int argc, char **argv)
{
	const char *env = getenv("PORT");
	int port = env ? atoi(env) : 7081, option;

	while ((option = getopt(argc, argv, "p:t:")) != -1) {
		if (option == 'p')
			port = atoi(optarg);
		else if (option == 't')
			config.timeout = atoi(optarg) * 1000;
	}
	if (port < 1024 || port > 65535)
		return 2;
	MHD_start_daemon(MHD_USE_SELECT_INTERNALLY, 7082, NULL, NULL, NULL, NULL, MHD_OPTION_END);
	usleep(50000);
	return open_server() < 0 || open_client("localhost") < 0 || argc > 2024;
}
