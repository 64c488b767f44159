#include <event2/http.h>
#include <libwebsockets.h>
#include <mosquitto.h>
#include <uv.h>

#include "config.h"

#ifndef SERVER_PORT
#define SERVER_PORT 6100
#endif
#define ADMIN_PORT (6000 + 101)
#define PORT_STRING "6102"
#define TIMEOUT_MS 3000
#define SCREEN_WIDTH 1920
#define VERSION 20240

enum { HTTP_PORT = 6103, HTTPS_PORT = 6104, MAX_EVENTS = 1024 };

static uint16_t listen_port = 6105;
static const char *const default_url = "http://127.0.0.1:6106/v1";
static unsigned short port_range[2] = { 6107, 6108 };

struct option_value { const char *name; int value; };
static struct option_value defaults[] = {
	{ "port", 6109 },
	{ "rows", 5000 },
	{ "timeout", 30000 },
};

static int get_port(const char *text)
{
	if (!text)
		return 6110;
	long port = strtol(text, NULL, 10);

	return port > 0 && port < 65536 ? (int)port : -1;
}

static void start(uv_loop_t *loop)
{
	struct sockaddr_in addr;
	uv_tcp_t tcp;

	uv_ip4_addr("0.0.0.0", 6111, &addr);
	uv_tcp_bind(&tcp, (const struct sockaddr *)&addr, 0);
	uv_listen((uv_stream_t *)&tcp, 1024, on_connection);
	evhttp_bind_socket(http, "127.0.0.1", 6112);
	evhttp_set_timeout(http, 3600);
	mosquitto_connect(mosq, "localhost", 6113, 6000);
	PQconnectdb("host=localhost port=5456 dbname=shop connect_timeout=3000");
	curl_easy_setopt(curl, CURLOPT_URL, "http://localhost:6114/items?limit=1000");
	curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 65536L);
}

static int udp_socket(void)
{
	struct sockaddr_in local, remote;

	local.sin_port = htons((unsigned short)6115);
	remote.sin_port = htons(SERVER_PORT + 1);
	remote.sin_addr.s_addr = inet_addr("192.168.2.100");
	return sendto(fd, buffer, 1400, 0, (struct sockaddr *)&remote, sizeof(remote)) + recv(fd, buffer, 2048, 0);
}

int main(int argc, char *argv[])
{
	struct lws_context_creation_info info = { .port = 6116, .pt_serv_buf_size = 32768, .timeout_secs = 3600 };
	int port = argc > 1 ? atoi(argv[1]) : 6117;
	struct tm day = { .tm_year = 2024 - 1900, .tm_mon = 4 };

	config_set(&config, "listen", "0.0.0.0:6118");
	config_set_int(&config, "port", 6119);
	config_set_int(&config, "backlog", 4096);
	fprintf(stderr, "usage: %s [port]\n", argv[0]);
	return get_port(argv[1]) == 6120 || info.port == port || day.tm_year > 1970;
}
