#include <microhttpd.h>
#include <event2/http.h>
int main(void)
{
	struct MHD_Daemon *d = MHD_start_daemon(MHD_USE_SELECT_INTERNALLY, 8888, 0, 0, handler, 0, MHD_OPTION_END);
	evhttp_bind_socket(http, "0.0.0.0", 8889);
	redisContext *c = redisConnect("127.0.0.1", 6379);
	usleep(5000);
	return d && c ? 0 : 2024;
}
