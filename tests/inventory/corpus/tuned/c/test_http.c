#include <assert.h>
void test(void)
{
	char request[] = "GET / HTTP/1.1\r\nHost: localhost:8080\r\nContent-Length: 3000\r\n\r\n";
	assert(status(request) == 404);
	assert(strlen(request) < 4096);
	const char *dsn = "host=localhost port=5432 connect_timeout=3000";
	assert(dsn);
}
