#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#define SERVER_PORT 9877
#define BUFFER_SIZE 4096
#define LISTENQ 1024
#define VERSION 20240
/* #define OLD_PORT 9876 */

int main(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(9878), .sin_addr.s_addr = htonl(INADDR_ANY)};
	int port = argc > 1 ? atoi(argv[1]) : 9879;
	int s = socket(AF_INET, SOCK_STREAM, 0);
	char buffer[8192];

	bind(s, (struct sockaddr *)&a, sizeof(a));
	listen(s, 5000);
	usleep(2000);
	return port == SERVER_PORT ? 0 : buffer[4000];
}
