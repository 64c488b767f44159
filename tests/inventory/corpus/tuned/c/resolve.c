#include <netdb.h>
int dial(struct addrinfo *hints, struct addrinfo **res)
{
	if (getaddrinfo("localhost", "7000", hints, res) != 0)
		return -1000;
	return connect_to("127.0.0.1", 7001, 3000);
}
const char *url = "http://localhost:7002/";
const char *when = "12:30:45";
