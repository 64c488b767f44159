/*
 * contract.c - see contract.h.
 *
 * The transcript: one line for a call (function, line, result or the name of errno) or a note. It is written with
 * write(2) to a file of its own, so that a test that crashes leaves it behind whole.
 */
#include "contract.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>

#include "core/sys.h"

static int log_fd = -1;
static int ports_first, ports_count, ports_used, closed_first, closed_used;

static int number(const char *name)
{
	const char *text = getenv(name);

	return text ? atoi(text) : 0;
}

static struct sockaddr_storage kernel_address(int fd, bool peer)
{
	struct sockaddr_storage a = { 0 };
	socklen_t length = sizeof(a);

	assert_int_equal(sys3(peer ? SYS_getpeername : SYS_getsockname, fd, &a, &length), 0);
	return a;
}

static int port_of(const struct sockaddr_storage *a)
{
	/* sin_port and sin6_port lie at the same place */
	return ntohs(((const struct sockaddr_in *)a)->sin_port);
}

int contract_kernel_port(int fd)
{
	struct sockaddr_storage a = kernel_address(fd, false);

	return port_of(&a);
}

static void stop(const char *program, const char *why)
{
	fprintf(stderr, "%s: %s\n", program, why);
	exit(2);
}

/* Is the library where CONTRACT_WAY says it is, and does it move ports where it should? Costs the last port. */
static void check_way(const char *program)
{
	const char *way = getenv("CONTRACT_WAY");
	bool bare = !way || !strcmp(way, "bare");
	struct sockaddr_in a = contract_in("127.0.0.1", ports_first + --ports_count);
	int fd = contract_socket(AF_INET, SOCK_STREAM);
	Dl_info info = { 0 };

	if (!dladdr(dlsym(RTLD_DEFAULT, "bind"), &info) || bare == !!strstr(info.dli_fname, "libportshim"))
		stop(program, bare ? "bind is not libc's" : "bind is not portshim's");
	if (bind(fd, &a, sizeof(a)))
		stop(program, "a port could not be bound: the library does not move ports");
	if ((contract_kernel_port(fd) != ntohs(a.sin_port)) != contract_moved())
		stop(program, contract_moved() ? "a port was not moved" : "a port was moved");
	close(fd);
}

void contract_start(const char *program)
{
	const char *path = getenv("CONTRACT_LOG"), *by = getenv("CONTRACT_BY");

	ports_first = number("PORTS_FIRST");
	ports_count = number("PORTS_COUNT");
	closed_first = number("PORTS_CLOSED");
	if (!ports_first) {
		fprintf(stderr, "%s: run me under with_ports, as run_contract.sh does\n", program);
		exit(2);
	}
	if (path)
		log_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	alarm(120);
	contract_calls_choose(by ? by : "name");
	check_way(program);
}

void contract_note(const char *format, ...)
{
	char line[512];
	va_list arguments;
	int length;

	if (log_fd < 0)
		return;
	va_start(arguments, format);
	length = vsnprintf(line, sizeof(line) - 1, format, arguments);
	va_end(arguments);
	if (length > (int)sizeof(line) - 2)
		length = (int)sizeof(line) - 2;
	line[length++] = '\n';
	if (write(log_fd, line, (size_t)length) != length)
		abort();
}

void contract_result(long result, int error, int wanted, const char *call, const char *function, const char *file,
		     int line)
{
	contract_note("%s:%d %s", function, line, result < 0 ? strerrorname_np(error) : "ok");
	if (!wanted && result < 0) {
		print_error("%s: %s (wanted success)\n", call, strerrorname_np(error));
		_fail(file, line);
	}
	if (wanted && (result != -1 || error != wanted)) {
		print_error("%s: returned %ld, %s (wanted %s)\n", call, result,
			    result < 0 ? strerrorname_np(error) : "no error", strerrorname_np(wanted));
		_fail(file, line);
	}
	if (!wanted && error != CONTRACT_ERRNO) {
		print_error("%s: errno is %d after success\n", call, error);
		_fail(file, line);
	}
}

int contract_port(void)
{
	if (ports_used >= ports_count)
		fail_msg("run_contract.sh gives too few ports (%d)", ports_count);
	return ports_first + ports_used++;
}

int contract_closed(void)
{
	if (closed_used >= 4)
		fail_msg("run_contract.sh gives too few closed ports");
	return closed_first + closed_used++;
}

bool contract_moved(void)
{
	return number("PORTS_HELD");
}

bool contract_reports_actual(void)
{
	const char *report = getenv("CONTRACT_REPORT");

	return !report || strcmp(report, "requested") != 0;
}

bool contract_ipv6(void)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_addr = in6addr_loopback };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool works = fd >= 0 && !bind(fd, &a, sizeof(a));

	if (fd >= 0)
		close(fd);
	if (!works)
		print_message("skip: IPv6: no ::1 on this machine\n");
	return works;
}

struct sockaddr_in contract_in(const char *text, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	assert_int_equal(inet_pton(AF_INET, text, &a.sin_addr), 1);
	return a;
}

struct sockaddr_in6 contract_in6(const char *text, int port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };

	assert_int_equal(inet_pton(AF_INET6, text, &a.sin6_addr), 1);
	return a;
}

/* The answers of a hook and of the kernel: alike but for the port, and for that only where a port is moved. */
static int compare(struct sockaddr_storage told, struct sockaddr_storage kernel)
{
	int port = port_of(&told);

	if (told.ss_family != AF_INET && told.ss_family != AF_INET6)
		return port;
	if (port >= ports_first && port < ports_first + ports_count && contract_moved())
		assert_int_not_equal(port_of(&kernel), port);
	else
		assert_int_equal(port_of(&kernel), port);
	((struct sockaddr_in *)&kernel)->sin_port = ((struct sockaddr_in *)&told)->sin_port;
	assert_memory_equal(&told, &kernel, sizeof(told));
	return port;
}

int contract_name(int fd)
{
	struct sockaddr_storage a = { 0 };
	socklen_t length = sizeof(a);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &length), 0);
	return compare(a, kernel_address(fd, false));
}

int contract_peer(int fd)
{
	struct sockaddr_storage a = { 0 };
	socklen_t length = sizeof(a);

	assert_int_equal(getpeername(fd, (struct sockaddr *)&a, &length), 0);
	return compare(a, kernel_address(fd, true));
}

void contract_is_requested(int fd, int port)
{
	assert_int_equal(contract_name(fd), port);
}

int contract_is_recorded(int fd, int port)
{
	int shown = contract_name(fd), type = 0;
	socklen_t length = sizeof(type);

	/* a UDP socket never listens, and is told what the sources of datagrams say (law 10) */
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length), 0);
	if (contract_moved() && contract_reports_actual() && type != SOCK_DGRAM) {
		/* an outsider holds the requested port: what a browser can open is another one */
		assert_int_not_equal(shown, port);
		assert_int_equal(shown, contract_kernel_port(fd));
	} else {
		assert_int_equal(shown, port);
	}
	return shown;
}

int contract_socket(int family, int type)
{
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	return fd;
}

void contract_option(int fd, int level, int option, int value)
{
	assert_int_equal(setsockopt(fd, level, option, &value, sizeof(value)), 0);
}

int contract_listener(const char *text4, int port)
{
	struct sockaddr_in a = contract_in(text4, port);
	int fd = contract_socket(AF_INET, SOCK_STREAM);

	contract_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	OK(bind(fd, &a, sizeof(a)));
	OK(listen(fd, 16));
	return fd;
}

int contract_listener6(const char *text6, int port, int v6only)
{
	struct sockaddr_in6 a = contract_in6(text6, port);
	int fd = contract_socket(AF_INET6, SOCK_STREAM);

	contract_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	contract_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, v6only);
	OK(bind(fd, &a, sizeof(a)));
	OK(listen(fd, 16));
	return fd;
}

int contract_udp(const char *text4, int port)
{
	struct sockaddr_in a = contract_in(text4, port);
	int fd = contract_socket(AF_INET, SOCK_DGRAM);

	OK(bind(fd, &a, sizeof(a)));
	return fd;
}

int contract_udp6(const char *text6, int port, int v6only)
{
	struct sockaddr_in6 a = contract_in6(text6, port);
	int fd = contract_socket(AF_INET6, SOCK_DGRAM);

	contract_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, v6only);
	OK(bind(fd, &a, sizeof(a)));
	return fd;
}

int contract_client(const char *text4, int port)
{
	struct sockaddr_in a = contract_in(text4, port);
	int fd = contract_socket(AF_INET, SOCK_STREAM);

	OK(connect(fd, &a, sizeof(a)));
	return fd;
}

static char *two_pages(size_t *page)
{
	char *p;

	*page = (size_t)sysconf(_SC_PAGESIZE);
	p = mmap(NULL, 2 * *page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(p != MAP_FAILED);
	assert_int_equal(mprotect(p + *page, *page, PROT_NONE), 0);
	return p;
}

void *contract_edge(const void *from, size_t size)
{
	size_t page;
	char *p = two_pages(&page) + page - size;

	memcpy(p, from, size);
	return p;
}

void *contract_readonly(const void *from, size_t size)
{
	size_t page;
	char *p = two_pages(&page);

	memcpy(p, from, size);
	assert_int_equal(mprotect(p, page, PROT_READ), 0);
	return p;
}

void *contract_unmapped(void)
{
	size_t page;
	char *p = two_pages(&page);

	return p + page;
}

void contract_wait(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	assert_int_equal(poll(&p, 1, 60000), 1);
}
