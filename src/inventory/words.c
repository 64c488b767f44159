/*
 * words.c - the names of values, calls and hosts.
 *
 * Theory of operation: a name is cut into words at its signs and where small letters become capitals, so that
 * `maxReportSize` has no port in it and `db_port` has. Names that write two words as one ("webport") are known by their
 * first half. The last word says what a value is: `port_timeout` is a time.
 */
#include "words.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define WORD_MAX 32

struct word {
	char text[WORD_MAX]; /* in lower case, cut */
	size_t length;
};

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

/* The next word of a name from *at on; false at the end. */
static bool next_word(const char *name, size_t length, size_t *at, struct word *w)
{
	size_t from;

	while (*at < length && !is_alpha(name[*at]))
		(*at)++;
	from = *at;
	if (from == length)
		return false;
	for ((*at)++; *at < length && is_alpha(name[*at]); (*at)++) {
		if (is_upper(name[*at]) && !is_upper(name[*at - 1]))
			break;
		/* "HTTPPort": the last capital begins the next word. */
		if (is_upper(name[*at]) && *at + 1 < length && is_alpha(name[*at + 1]) && !is_upper(name[*at + 1]) &&
		    *at - from > 1)
			break;
	}
	w->length = *at - from < WORD_MAX - 1 ? *at - from : WORD_MAX - 1;
	for (size_t i = 0; i < w->length; i++)
		w->text[i] = (char)(name[from + i] | 0x20);
	w->text[w->length] = '\0';
	return true;
}

bool words_are(const char *text, size_t length, const char *list)
{
	for (const char *at = list; length > 0 && *at;) {
		size_t n = 0;

		while (n < length && at[n] == text[n]) /* ends at the list's NUL or space: the text has neither */
			n++;
		if (n == length && (at[n] == ' ' || !at[n]))
			return true;
		for (at += n; *at && *at != ' ';)
			at++;
		at += *at == ' ';
	}
	return false;
}

bool words_have(const char *name, size_t length, const char *list)
{
	struct word w;
	size_t at = 0;

	if (length > 80)
		return false;
	while (next_word(name, length, &at, &w))
		if (words_are(w.text, w.length, list) ||
		    (w.length > 3 && w.text[w.length - 1] == 's' && words_are(w.text, w.length - 1, list)))
			return true;
	return false;
}

bool words_are_capitals(const char *name, size_t length)
{
	bool letter = false;

	for (size_t i = 0; i < length; i++) {
		if (name[i] >= 'a' && name[i] <= 'z')
			return false;
		letter = letter || is_upper(name[i]);
	}
	return letter;
}

/* Words of names in which "port" is another thing, or the matter of a code. */
static const char not_a_port[] = "serial usb gpio com view reuse no sea harbor harbour invalid unsupported sys";

/* "webport": words before "port" that are no other word with it (trans-port, pass-port). */
static const char before_port[] =
	"http https web db api server client redis ssh smtp imap pop ftp grpc rpc metrics admin app proxy debug ws wss "
	"listen "
	"host my tcp udp mysql pg mongo default local remote base test dev d src dst source dest node public internal "
	"external main ui health control management mgmt service container target bind socket sin backend frontend "
	"front "
	"peer broker kafka mqtt vnc rdp ldap dns ntp syslog statsd nginx apache http2 ssl tls plain http1 cont start "
	"end "
	"first last free random any tornado flask uvicorn vite next livereload hmr exposed published mapped old new my "
	"postgres pgsql rabbitmq amqp elastic es zookeeper zk memcached memcache cache sql database mailer mail";

/* Last words of names whose value is about a port but is none. */
static const char about_port[] =
	"count timeout width height size len length id ids speed delay retries retry interval index limit ms seconds "
	"sec "
	"priority weight rate attempts ttl bits mask name names label type kind status state color margin padding wait "
	"age "
	"version protocol file path offset step increment description desc help error errors time total sum key msg "
	"message "
	"failed security group policy rule rules scan check checks attributes forward forwarding binding";

static bool is_port_word(const struct word *w, bool *several)
{
	size_t n = w->length;

	*several = n > 1 && w->text[n - 1] == 's';
	n -= *several;
	if (n < 4 || memcmp(w->text + n - 4, "port", 4) != 0)
		return false;
	return n == 4 || words_are(w->text, n - 4, before_port);
}

enum ps_portness words_port(const char *name, size_t length)
{
	enum ps_portness found = PS_NO_PORT;
	bool several, counted = false;
	struct word w;
	size_t at = 0, hit = 0;

	if (length < 4 || length > 80)
		return PS_NO_PORT;
	while (hit + 4 <= length && strncasecmp(name + hit, "port", 4) != 0)
		hit++;
	if (hit + 4 > length)
		return PS_NO_PORT;
	while (next_word(name, length, &at, &w)) {
		if (is_port_word(&w, &several))
			found = several ? PS_PORTS : PS_PORT;
		else if (words_are(w.text, w.length, about_port))
			found = PS_NO_PORT;
		counted = counted || words_are(w.text, w.length, "num max count n total min switch");
	}
	/* max_port is a port, max_ports a number of them. */
	if (found == PS_PORTS && counted)
		return PS_NO_PORT;
	return found && words_have(name, length, not_a_port) ? PS_NO_PORT : found;
}

bool words_port_first(const char *name, size_t length)
{
	struct word w;
	bool several = false, is = false;
	size_t at = 0;

	while (next_word(name, length, &at, &w))
		is = is_port_word(&w, &several);
	return !is;
}

#define L(x) (1u << PS_LANG_##x)
#define JVM (L(JAVA) | L(KOTLIN) | L(GROOVY))

/* Sorted by name (strcmp). */
static const struct ps_call calls[] = {
	{ "Agent", CALL_SCOPE_CONNECT, -1, 0, 0 },
	{ "Atoi", CALL_CONVERT, 0, 0, 0 },
	{ "Client", CALL_SCOPE_CONNECT, -1, 0, 0 },
	{ "ClusterClient", CALL_SCOPE_CONNECT, -1, 0, 0 },
	{ "Connection", CALL_SCOPE_CONNECT, -1, 0, 0 },
	{ "ConnectionParameters", CALL_SCOPE_CONNECT, 1, 20, 0 },
	{ "DatagramSocket", CALL_LISTEN, 0, 20, JVM },
	{ "Dial", CALL_SCOPE_CONNECT, -1, 0, 0 },
	{ "DialTimeout", CALL_SCOPE_CONNECT, -1, 0, 0 },
	{ "FTP", CALL_CONNECT, 1, 20, L(PYTHON) },
	{ "Getenv", CALL_DEFAULT, 0, 0, 0 },
	{ "HTTPConnection", CALL_CONNECT, 1, 20, 0 },
	{ "HTTPSConnection", CALL_CONNECT, 1, 20, 0 },
	{ "HTTPServer", CALL_SCOPE_LISTEN, -1, 0, 0 },
	{ "HttpHost", CALL_CONNECT, 1, 20, 0 },
	{ "HttpServer", CALL_SCOPE_LISTEN, -1, 0, 0 },
	{ "IMAP4", CALL_CONNECT, 1, 20, 0 },
	{ "InetSocketAddress", CALL_LISTEN, 0, 20, 0 },
	{ "Int", CALL_CONVERT, 0, 0, 0 },
	{ "Integer", CALL_CONVERT, 0, 0, 0 },
	{ "Itoa", CALL_CONVERT, 0, 0, 0 },
	{ "Jedis", CALL_CONNECT, 1, 20, 0 },
	{ "Jetty", CALL_LISTEN, 0, 80, L(KOTLIN) },
	{ "JoinHostPort", CALL_CONNECT, 1, 0, 0 },
	{ "Listen", CALL_LISTEN, 0, 20, 0 },
	{ "ListenAndServe", CALL_LISTEN, 0, 20, 0 },
	{ "ListenAndServeTLS", CALL_LISTEN, 0, 20, 0 },
	{ "ListenPacket", CALL_SCOPE_LISTEN, -1, 0, 0 },
	{ "MHD_start_daemon", CALL_LISTEN, 1, 20, L(C) },
	{ "MongoClient", CALL_CONNECT, 1, 20, 0 },
	{ "Netty", CALL_LISTEN, 0, 80, L(KOTLIN) },
	{ "NewClient", CALL_SCOPE_CONNECT, -1, 0, 0 },
	{ "Number", CALL_CONVERT, 0, 0, 0 },
	{ "Pool", CALL_SCOPE_CONNECT, -1, 0, 0 },
	{ "Redis", CALL_CONNECT, 1, 20, 0 },
	{ "Run", CALL_SCOPE_LISTEN, -1, 0, 0 },
	{ "SMTP", CALL_CONNECT, 1, 20, 0 },
	{ "SMTP_SSL", CALL_CONNECT, 1, 20, 0 },
	{ "Server", CALL_LISTEN, 0, 20, JVM | L(JAVASCRIPT) },
	{ "ServerSocket", CALL_LISTEN, 0, 20, 0 },
	{ "SetDefault", CALL_DEFAULT, 1, 0, 0 },
	{ "Socket", CALL_CONNECT, 1, 20, JVM },
	{ "SocketAddr", CALL_LISTEN, 1, 20, L(RUST) },
	{ "SocketAddrV4", CALL_LISTEN, 1, 20, L(RUST) },
	{ "SocketAddrV6", CALL_LISTEN, 1, 20, L(RUST) },
	{ "Some", CALL_CONVERT, 0, 0, 0 },
	{ "Start", CALL_SCOPE_LISTEN, -1, 0, 0 },
	{ "StrictRedis", CALL_CONNECT, 1, 20, 0 },
	{ "String", CALL_CONVERT, 0, 0, 0 },
	{ "SunHttp", CALL_LISTEN, 0, 80, L(KOTLIN) },
	{ "TCPServer", CALL_LISTEN, 0, 20, 0 },
	{ "TCPSocket", CALL_CONNECT, 1, 20, 0 },
	{ "Telnet", CALL_CONNECT, 1, 20, 0 },
	{ "UDPServer", CALL_LISTEN, 0, 20, 0 },
	{ "Undertow", CALL_LISTEN, 0, 80, L(KOTLIN) },
	{ "WebSocketServer", CALL_SCOPE_LISTEN, -1, 0, 0 },
	{ "WebpackDevServer", CALL_SCOPE_LISTEN, -1, 0, 0 },
	{ "addHttpListener", CALL_LISTEN, 0, 20, 0 },
	{ "addServer", CALL_CONNECT, 1, 20, L(PHP) },
	{ "atoi", CALL_CONVERT, 0, 0, 0 },
	{ "bind", CALL_LISTEN, 0, 20, 0 },
	{ "coerce", CALL_CONVERT, 0, 0, 0 },
	{ "config", CALL_DEFAULT, 1, 0, 0 },
	{ "connect", CALL_CONNECT, 0, 80, L(JAVASCRIPT) },
	{ "createClient", CALL_SCOPE_CONNECT, -1, 0, 0 },
	{ "createConnection", CALL_CONNECT, 0, 80, L(JAVASCRIPT) },
	{ "createPool", CALL_SCOPE_CONNECT, -1, 0, 0 },
	{ "createServer", CALL_SCOPE_LISTEN, -1, 0, 0 },
	{ "createTransport", CALL_SCOPE_CONNECT, -1, 0, 0 },
	{ "create_connection", CALL_SCOPE_CONNECT, -1, 0, 0 },
	{ "create_server", CALL_LISTEN, 2, 20, L(PYTHON) },
	{ "default", CALL_DEFAULT, 0, 0, 0 },
	{ "defaultTo", CALL_DEFAULT, 0, 0, 0 },
	{ "default_value", CALL_DEFAULT, 0, 0, 0 },
	{ "embeddedServer", CALL_LISTEN, 1, 80, L(KOTLIN) },
	{ "endpoint", CALL_LISTEN, 1, 20, L(C) },
	{ "env", CALL_DEFAULT, 1, 0, 0 },
	{ "envOr", CALL_DEFAULT, 1, 0, 0 },
	{ "fetch", CALL_DEFAULT, 1, 0, L(RUBY) | L(ELIXIR) },
	{ "forAddress", CALL_CONNECT, 1, 20, 0 },
	{ "forPort", CALL_LISTEN, 0, 20, 0 },
	{ "fsockopen", CALL_CONNECT, 1, 20, 0 },
	{ "get", CALL_DEFAULT, 1, 0, 0 },
	{ "getEnv", CALL_DEFAULT, 1, 0, 0 },
	{ "getOrDefault", CALL_DEFAULT, 1, 0, 0 },
	{ "get_env", CALL_DEFAULT, 1, 0, 0 },
	{ "getaddrinfo", CALL_CONNECT, 1, 20, L(C) },
	{ "getenv", CALL_DEFAULT, 1, 0, 0 },
	{ "htons", CALL_LISTEN, 0, 20, 0 },
	{ "int", CALL_CONVERT, 0, 0, 0 },
	{ "into", CALL_CONVERT, 0, 0, 0 },
	{ "intval", CALL_CONVERT, 0, 0, 0 },
	{ "listen", CALL_LISTEN, 0, 20, 0 },
	{ "mysql_real_connect", CALL_CONNECT, 5, 20, L(C) },
	{ "mysqli", CALL_CONNECT, 4, 20, L(PHP) },
	{ "mysqli_connect", CALL_CONNECT, 4, 20, L(PHP) },
	{ "open", CALL_LISTEN, 0, 1000, L(ELIXIR) },
	{ "open_connection", CALL_CONNECT, 1, 20, L(PYTHON) },
	{ "or", CALL_DEFAULT, 0, 0, 0 },
	{ "orElse", CALL_DEFAULT, 0, 0, 0 },
	{ "parseInt", CALL_CONVERT, 0, 0, 0 },
	{ "parse_int", CALL_CONVERT, 0, 0, 0 },
	{ "pfsockopen", CALL_CONNECT, 1, 20, 0 },
	{ "range", CALL_CONVERT, 0, 0, L(PYTHON) },
	{ "request", CALL_SCOPE_CONNECT, -1, 0, 0 },
	{ "run", CALL_SCOPE_LISTEN, -1, 0, 0 },
	{ "runServer", CALL_LISTEN, 0, 80, 0 },
	{ "run_app", CALL_SCOPE_LISTEN, -1, 0, 0 },
	{ "run_simple", CALL_LISTEN, 1, 20, L(PYTHON) },
	{ "send", CALL_CONNECT, 1, 1024, L(JAVASCRIPT) },
	{ "sendto", CALL_SCOPE_CONNECT, -1, 0, 0 },
	{ "serve", CALL_LISTEN, 0, 80, L(JAVASCRIPT) | L(PYTHON) | L(KOTLIN) },
	{ "setdefault", CALL_DEFAULT, 1, 0, 0 },
	{ "ssl_bind", CALL_LISTEN, 1, 20, L(RUBY) },
	{ "start", CALL_LISTEN, 0, 1000, JVM },
	{ "start_server", CALL_LISTEN, 2, 20, L(PYTHON) },
	{ "str", CALL_CONVERT, 0, 0, 0 },
	{ "stringValue", CALL_CONVERT, 0, 0, 0 },
	{ "strtol", CALL_CONVERT, 0, 0, 0 },
	{ "toInt", CALL_CONVERT, 0, 0, 0 },
	{ "to_i", CALL_CONVERT, 0, 0, 0 },
	{ "to_integer", CALL_CONVERT, 0, 0, 0 },
	{ "u16", CALL_CONVERT, 0, 0, 0 },
	{ "uint16", CALL_CONVERT, 0, 0, 0 },
	{ "uint16_t", CALL_CONVERT, 0, 0, 0 },
	{ "unwrap_or", CALL_DEFAULT, 0, 0, 0 },
	{ "unwrap_or_else", CALL_DEFAULT, 0, 0, 0 },
	{ "valueOf", CALL_CONVERT, 0, 0, 0 },
	{ "withDefault", CALL_DEFAULT, 0, 0, 0 },
};

const struct ps_call *words_call(const char *name, size_t length, enum ps_language language)
{
	size_t low = 0, high = sizeof(calls) / sizeof(calls[0]);

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strncmp(calls[middle].name, name, length);

		if (order == 0 && calls[middle].name[length])
			order = 1;
		if (order == 0)
			return !calls[middle].languages || calls[middle].languages & 1u << language ? &calls[middle]
												    : NULL;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* ---- hosts ---- */

/* Four numbers of 0-255 and three dots. */
static bool is_ipv4(const char *text, size_t length)
{
	unsigned parts = 0, value = 0, digits = 0;

	for (size_t i = 0; i <= length; i++) {
		if (i < length && text[i] >= '0' && text[i] <= '9') {
			value = value * 10 + (unsigned)(text[i] - '0');
			if (++digits > 3 || value > 255)
				return false;
		} else if (i == length || text[i] == '.') {
			if (!digits)
				return false;
			parts++;
			value = digits = 0;
		} else {
			return false;
		}
	}
	return parts == 4;
}

/* Ends of names that are names of hosts; the first ones are of the local network. */
static const char local_ends[] = "local localhost internal lan svc cluster localdomain test home intranet docker";
static const char other_ends[] =
	"com net org io dev app example co info ai tech cloud us uk eu de fr it es nl ch at be ca au jp "
	"br in gov edu mil me tv biz corp invalid xyz site online sh so";

static bool is_local_address(const char *text, size_t length)
{
	return (length >= 4 && memcmp(text, "127.", 4) == 0) || (length >= 3 && memcmp(text, "10.", 3) == 0) ||
	       (length >= 8 && memcmp(text, "192.168.", 8) == 0) || (length >= 4 && memcmp(text, "172.", 4) == 0) ||
	       (length == 7 && memcmp(text, "0.0.0.0", 7) == 0);
}

static bool is_ipv6(const char *text, size_t length)
{
	unsigned colons = 0;

	for (size_t i = 0; i < length; i++) {
		if (text[i] == ':')
			colons++;
		else if (!((text[i] >= '0' && text[i] <= '9') || ((text[i] | 0x20) >= 'a' && (text[i] | 0x20) <= 'f') ||
			   text[i] == '.'))
			return false;
	}
	return colons >= 2;
}

bool words_host(const char *text, size_t length, bool *remote)
{
	size_t dot = length, i;

	*remote = false;
	if (length == 0 ||
	    words_are(text, length, "localhost * :: ::1 host.docker.internal kubernetes.docker.internal ip6-localhost"))
		return true;
	if (is_ipv4(text, length)) {
		*remote = !is_local_address(text, length);
		return true;
	}
	if (is_ipv6(text, length))
		return true;
	for (i = 0; i < length; i++) {
		if (text[i] == '.')
			dot = i;
		else if (!is_alpha(text[i]) && !(text[i] >= '0' && text[i] <= '9') && text[i] != '-' &&
			 text[i] != '_' && text[i] != '*')
			return false;
	}
	if (dot == length || dot == 0 || dot + 1 == length)
		return false;
	if (words_are(text + dot + 1, length - dot - 1, local_ends))
		return true;
	*remote = true;
	return words_are(text + dot + 1, length - dot - 1, other_ends);
}

bool words_service(const char *text, size_t length)
{
	size_t end = length;

	/* kafka-1, redis2 */
	while (end > 2 && ((text[end - 1] >= '0' && text[end - 1] <= '9') || text[end - 1] == '-'))
		end--;
	if (end < length && words_are(text, end, "kafka broker redis zk zookeeper node mongo es app web db"))
		return true;
	return words_are(
		text, length,
		"db database redis postgres postgresql mysql mariadb mongo mongodb kafka zookeeper rabbitmq rabbit "
		"elasticsearch opensearch memcached nats minio consul vault etcd influxdb clickhouse cassandra "
		"prometheus grafana jaeger otel-collector mailhog mailpit localstack api backend frontend web app "
		"server gateway worker proxy upstream auth tcp tcp4 tcp6 udp http https host hostname myhost");
}
