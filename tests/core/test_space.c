/*
 * test_space.c - the runtime directory, the shared files, and what happens where they cannot be had; who is to blame
 * then.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <portshim/blame.h>
#include <portshim/kernel.h>
#include <portshim/process.h>
#include <portshim/space.h>

#include "child.h"

static char runtime[PS_RUNTIME_MAX];
static char run_path[PS_RUNTIME_MAX + 16];
static uint32_t env_id;

static int setup(void **state)
{
	const char *parent = getenv("PORTSHIM_RUNTIME_DIR");
	struct ps_scope_spec of_env = {.key = "name:a", .name = "a"}, of_run = {.chain = {0}};
	struct ps_scope *env, *run;

	(void)state;
	snprintf(runtime, sizeof(runtime), "%s/space-XXXXXX", parent && *parent ? parent : "/dev/shm");
	assert_non_null(mkdtemp(runtime));
	assert_int_equal(space_open_env(runtime, &of_env, &env), 0);
	env_id = of_run.chain[0] = env->id;
	assert_int_equal(space_create_run(runtime, &of_run, run_path, &run), 0);
	space_close_scope(env);
	space_close_scope(run);
	return 0;
}

static int teardown(void **state)
{
	DIR *directory = opendir(runtime);
	struct dirent *entry;

	(void)state;
	while (directory && (entry = readdir(directory)))
		if (entry->d_name[0] != '.' && unlinkat(dirfd(directory), entry->d_name, 0) != 0)
			unlinkat(dirfd(directory), entry->d_name, AT_REMOVEDIR);
	if (directory)
		closedir(directory);
	return rmdir(runtime);
}

static const char *in_runtime(const char *name)
{
	static char path[PS_RUNTIME_MAX + 64];

	snprintf(path, sizeof(path), "%s/%s", runtime, name);
	return path;
}

/* ---- the runtime directory ---- */

static int runtime_of(char *directory, const char *chosen)
{
	char variable[PS_PATH_MAX];
	char *const environment[] = {(char *)"X=1", variable, NULL};

	snprintf(variable, sizeof(variable), "PORTSHIM_RUNTIME_DIR=%s", chosen);
	return space_runtime(directory, environment);
}

static void a_chosen_directory_is_the_users_own(void **state)
{
	char directory[PS_RUNTIME_MAX], longer[PS_RUNTIME_MAX + 64];
	struct ps_blame blame;
	int fd;

	(void)state;
	assert_int_equal(runtime_of(directory, in_runtime("new")), 0);
	assert_string_equal(directory, in_runtime("new"));
	assert_int_equal(chmod(in_runtime("new"), 0755), 0);
	assert_int_equal(runtime_of(directory, in_runtime("new")), -EACCES);
	blame_runtime(&blame, directory, -EACCES);
	assert_non_null(strstr(blame.why, "0755"));
	fd = open(in_runtime("file"), O_WRONLY | O_CREAT, 0600);
	close(fd);
	assert_int_equal(runtime_of(directory, in_runtime("file")), -ENOTDIR);
	blame_runtime(&blame, directory, -ENOTDIR);
	assert_string_equal(blame.why, "it is a file");
	assert_int_equal(symlink("new", in_runtime("link")), 0);
	assert_int_equal(runtime_of(directory, in_runtime("link")), -ENOTDIR);
	blame_runtime(&blame, directory, -ENOTDIR);
	assert_string_equal(blame.why, "it is a symbolic link");
	assert_int_equal(runtime_of(directory, in_runtime("no/such")), -ENOENT);
	assert_int_equal(runtime_of(directory, "relative"), -EINVAL);
	blame_runtime(&blame, "relative", -EINVAL);
	assert_string_equal(blame.why, "it is no absolute path");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[0] = '/';
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(runtime_of(directory, longer), -ENAMETOOLONG);
}

static void strangers_directory(void)
{
	char directory[PS_RUNTIME_MAX];
	struct ps_blame blame;

	if (geteuid() != 0)
		exit(CHILD_SKIPPED);
	CHILD_MUST(mkdir(in_runtime("theirs"), 0700) == 0 && chown(in_runtime("theirs"), 4242, 4242) == 0);
	CHILD_MUST(runtime_of(directory, in_runtime("theirs")) == -EPERM);
	blame_runtime(&blame, directory, -EPERM);
	CHILD_MUST(strstr(blame.why, "4242") && strstr(blame.todo, "PORTSHIM_RUNTIME_DIR"));
}

static void another_users_directory_is_refused(void **state)
{
	(void)state;
	IN_CHILD(strangers_directory);
}

/* With a /dev/shm of our own, which nobody else sees. */
static void own_memory(void)
{
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("none", "/dev/shm", "tmpfs", 0, NULL) != 0)
		exit(CHILD_SKIPPED);
}

static void put_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	CHILD_MUST(fd >= 0);
	close(fd);
}

static void usual_directories(void)
{
	char directory[PS_RUNTIME_MAX], want[PS_RUNTIME_MAX], xdg[PS_RUNTIME_MAX + 16], good[64];
	char *const none[] = {NULL}, *const with_xdg[] = {xdg, NULL}, 
		   *const bad_xdg[] = {(char *)"XDG_RUNTIME_DIR=here", NULL};

	snprintf(xdg, sizeof(xdg), "XDG_RUNTIME_DIR=%s/xdg", "/dev/shm");
	own_memory();
	CHILD_MUST(mkdir("/dev/shm/xdg", 0700) == 0);
	/* One for each network namespace. */
	snprintf(want, sizeof(want), "/dev/shm/portshim-%u/net-%llu", geteuid(), (unsigned long long)kernel_netns(-1));
	CHILD_MUST(space_runtime(directory, none) == 0 && strcmp(directory, want) == 0);
	CHILD_MUST(space_runtime(directory, NULL) == 0 && strcmp(directory, want) == 0);
	CHILD_MUST(space_runtime(directory, with_xdg) == 0 && strcmp(directory, want) == 0);
	/* The first is no good. */
	snprintf(good, sizeof(good), "/dev/shm/portshim-%u", geteuid());
	CHILD_MUST(rmdir(want) == 0 && rmdir(good) == 0);
	put_file(good);
	snprintf(want, sizeof(want), "/dev/shm/xdg/portshim/net-%llu", (unsigned long long)kernel_netns(-1));
	CHILD_MUST(space_runtime(directory, with_xdg) == 0 && strcmp(directory, want) == 0);
	/* The last resort may exist, and be somebody's. */
	snprintf(good, sizeof(good), "/tmp/portshim-%u", geteuid());
	if (access(good, F_OK) != 0 && space_runtime(directory, bad_xdg) == 0) {
		CHILD_MUST(strncmp(directory, good, strlen(good)) == 0);
		CHILD_MUST(rmdir(directory) == 0 && rmdir(good) == 0);
	}
	/* Without any, the error of the first is told. */
	child_fail(SYS_mkdirat, -1, 0, EROFS);
	CHILD_MUST(access(good, F_OK) == 0 || space_runtime(directory, bad_xdg) == -EROFS);
	CHILD_MUST(access(good, F_OK) == 0 || strncmp(directory, "/dev/shm/portshim-", 18) == 0);
}

static void the_directory_is_the_first_that_is_good(void **state)
{
	(void)state;
	IN_CHILD(usual_directories);
}

static void no_namespace(void)
{
	char directory[PS_RUNTIME_MAX];

	own_memory();
	child_fail(SYS_socket, -1, 0, EMFILE);
	child_fail(SYS_newfstatat, 3, 0, EACCES); /* follows links: /proc/self/ns/net */
	CHILD_MUST(space_runtime(directory, NULL) == -ENOBUFS);
}

static void without_its_namespace_nothing_is_used(void **state)
{
	(void)state;
	IN_CHILD(no_namespace);
}

/* ---- files that cannot be made ---- */

static void open_all(int error)
{
	struct ps_scope_spec of_env = {.key = "name:b", .name = "b"}, of_run = {.chain = {env_id}};
	char path[PS_RUNTIME_MAX + 16];
	struct ps_scope *scope;
	struct ps_host *host;

	unlink(in_runtime("host"));
	CHILD_MUST(space_open_host(runtime, &host) == -error);
	CHILD_MUST(space_open_env(runtime, &of_env, &scope) == -error);
	CHILD_MUST(space_create_run(runtime, &of_run, path, &scope) == -error);
}

static void no_space(void)
{
	child_fail(SYS_madvise, -1, 0, EFAULT);
	open_all(ENOSPC);
}

/* Before Linux 5.14 */
static void no_space_on_an_old_kernel(void)
{
	child_fail(SYS_madvise, -1, 0, EINVAL);
	child_fail(SYS_fallocate, -1, 0, ENOSPC);
	open_all(ENOSPC);
}

static void no_size(void)
{
	child_fail(SYS_ftruncate, -1, 0, EFBIG);
	open_all(EFBIG);
}

static void no_memory(void)
{
	child_fail(SYS_mmap, 3, MAP_SHARED, ENOMEM);
	open_all(ENOMEM);
}

static void no_name(void)
{
	child_fail(SYS_linkat, -1, 0, EIO);
	open_all(EIO);
}

static void no_random(void)
{
	struct ps_scope_spec of_run = {.chain = {env_id}};
	char path[PS_RUNTIME_MAX + 16];
	struct ps_scope *scope;

	child_fail(SYS_getrandom, -1, 0, EAGAIN);
	CHILD_MUST(space_create_run(runtime, &of_run, path, &scope) == 0);
	space_close_scope(scope);
}

/* Whoever comes second uses the first one's. */
static void always_second(void)
{
	struct ps_scope_spec of_env = {.key = "name:b", .name = "b"}, of_run = {.chain = {env_id}};
	char path[PS_RUNTIME_MAX + 16];
	struct ps_scope *scope;
	struct ps_host *host;

	unlink(in_runtime("host"));
	child_fail(SYS_linkat, -1, 0, EEXIST);
	CHILD_MUST(space_open_host(runtime, &host) == -ENOENT);
	CHILD_MUST(space_open_env(runtime, &of_env, &scope) == -ENOENT);
	CHILD_MUST(space_create_run(runtime, &of_run, path, &scope) < 0);
}

static void what_cannot_be_made_is_an_errno(void **state)
{
	(void)state;
	IN_CHILD(no_space);
	IN_CHILD(no_space_on_an_old_kernel);
	IN_CHILD(no_size);
	IN_CHILD(no_memory);
	IN_CHILD(no_name);
	IN_CHILD(no_random);
	IN_CHILD(always_second);
}

/* From now on madvise(2) is that of a kernel with pages of 64 KiB: another address is no beginning of one. */
static void pages_of_64k(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0xffff, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		exit(CHILD_SKIPPED);
}

static void reserve_in_large_pages(void)
{
	struct ps_space space = {0};
	struct stat before, after;
	uintptr_t page;

	CHILD_MUST(space_open_host(runtime, &space.host) == 0);
	page = ((uintptr_t)&space.host->record[PS_PORTS / 2] & ~(uintptr_t)0xffff) + 3 * 4096;
	CHILD_MUST(stat(in_runtime("host"), &before) == 0);
	pages_of_64k();
	CHILD_MUST(space_reserve(&space, (const void *)page) == 0);
	CHILD_MUST(stat(in_runtime("host"), &after) == 0);
	CHILD_MUST(after.st_blocks > before.st_blocks);
}

static void large_pages_are_reserved(void **state)
{
	(void)state;
	IN_CHILD(reserve_in_large_pages);
}

static unsigned count_temporary(void)
{
	DIR *directory = opendir(runtime);
	struct dirent *entry;
	unsigned n = 0;

	while (directory && (entry = readdir(directory)))
		n += strncmp(entry->d_name, "tmp-", 4) == 0;
	if (directory)
		closedir(directory);
	return n;
}

static void nothing_half_made_stays(void **state)
{
	struct ps_scope_spec spec = {.key = "name:c"};
	char name[PS_PATH_MAX + 1];
	struct ps_scope *scope;

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	spec.discovery = name;
	assert_int_equal(space_open_env(runtime, &spec, &scope), -ENAMETOOLONG);
	what_cannot_be_made_is_an_errno(state);
	assert_int_equal(count_temporary(), 0);
}

/* ---- files that are not ours, or damaged ---- */

static int opened(void)
{
	struct ps_space space;
	int error = space_open(&space, run_path);

	if (!error)
		space_close(&space);
	return error;
}

static void damage(const char *path, off_t at, uint32_t value)
{
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0 && pwrite(fd, &value, sizeof(value), at) == sizeof(value));
	close(fd);
}

static const char *env_path(void)
{
	static char path[PS_RUNTIME_MAX + 16];

	space_scope_path(runtime, env_id, path);
	return path;
}

static void damaged_files_are_refused(void **state)
{
	static const struct {
		off_t at;
		uint32_t value;
		int error;
	} cases[] = {
		{offsetof(struct ps_scope, magic), 1, -EINVAL}, {offsetof(struct ps_scope, abi), 9999, -EPROTO},
		{offsetof(struct ps_scope, id), 5, -EINVAL}, {offsetof(struct ps_scope, plan_size), 77777777, -EINVAL},
	};

	(void)state;
	assert_int_equal(opened(), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *const files[] = {run_path, env_path()};

		for (int f = 0; f < 2; f++) {
			teardown(NULL);
			setup(NULL);
			assert_int_equal(opened(), 0);
			damage(f ? env_path() : run_path, cases[i].at, cases[i].value);
			assert_int_equal(opened(), cases[i].error);
		}
		assert_non_null(files[0]);
	}
	teardown(NULL);
	setup(NULL);
	damage(in_runtime("host"), offsetof(struct ps_host, magic), 1);
	assert_int_equal(opened(), -EINVAL);
	damage(in_runtime("host"), offsetof(struct ps_host, magic), PS_HOST_MAGIC);
	damage(in_runtime("host"), offsetof(struct ps_host, netns), 1);
	assert_int_equal(opened(), -EXDEV);
}

static void files_of_a_wrong_kind_are_refused(void **state)
{
	static const struct {
		const char *why;
		int error;
	} cases[] = {{"it is a symbolic link", -ELOOP}, {"it is a directory", -EISDIR}, {"it is a pipe", -EINVAL},
		     {"it is a socket", -ENXIO}, {"others may use it (mode 0644)", -EPERM}};
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct ps_blame blame;
	int fd;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(unlink(run_path) == 0 || rmdir(run_path) == 0);
		switch (i) {
		case 0:
			assert_int_equal(symlink(env_path(), run_path), 0);
			break;
		case 1:
			assert_int_equal(mkdir(run_path, 0700), 0);
			break;
		case 2:
			assert_int_equal(mkfifo(run_path, 0600), 0);
			break;
		case 3:
			fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
			snprintf(name.sun_path, sizeof(name.sun_path), "%.100s", run_path);
			assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
			close(fd);
			break;
		default:
			fd = open(run_path, O_WRONLY | O_CREAT, 0644);
			assert_int_equal(fchmod(fd, 0644), 0);
			assert_int_equal(ftruncate(fd, sizeof(struct ps_scope)), 0);
			close(fd);
			break;
		}
		assert_int_equal(opened(), cases[i].error);
		blame_file(&blame, run_path, cases[i].error);
		assert_string_equal(blame.why, cases[i].why);
		assert_non_null(strstr(blame.todo, run_path));
	}
}

/* A process that waits here may be the one that answers the calls of all others. */
static void a_leased_file_is_not_waited_for(void **state)
{
	int fd;

	(void)state;
	signal(SIGIO, SIG_IGN);
	fd = open(run_path, O_RDWR | O_CLOEXEC);
	if (fcntl(fd, F_SETLEASE, F_WRLCK) < 0)
		skip();
	assert_int_equal(opened(), -EAGAIN);
	close(fd);
	assert_int_equal(opened(), 0);
}

static void paths_that_are_no_runs_are_refused(void **state)
{
	static const char *const paths[] = {"", "/", "run-00000001", "/run-00000001", "/x/run-0000000g", "/x/run-000000001",
					    "/x/env-00000001", "/x/run-0000000A"};
	struct ps_space space;

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		assert_true(space_open(&space, paths[i]) < 0);
}

static void blame_has_words_for_all(void **state)
{
	struct ps_blame blame;
	char room[24];

	(void)state;
	blame_file(&blame, run_path, -EPROTO);
	assert_non_null(strstr(blame.why, "another version"));
	blame_file(&blame, in_runtime("host"), -EPROTO);
	assert_non_null(strstr(blame.why, PORTSHIM_VERSION " with format"));
	blame_file(&blame, run_path, -EXDEV);
	assert_non_null(strstr(blame.why, "network namespace"));
	blame_file(&blame, run_path, -EINVAL);
	assert_non_null(strstr(blame.why, "damaged"));
	blame_file(&blame, in_runtime("nothing"), -ENOENT);
	assert_string_equal(blame.why, "it is not there");
	blame_file(&blame, "/dev/null", -EINVAL);
	assert_string_equal(blame.why, "it is no file");
	assert_string_equal(blame_errno(-ENOSPC, room), "no space left");
	assert_string_equal(blame_errno(-EHWPOISON, room), "error 133");
}

/* ---- what only the kernel knows ---- */

static bool never(const struct ps_listener *l, void *context)
{
	(void)l;
	(void)context;
	return false;
}

static void no_netlink(void)
{
	child_fail(SYS_socket, 0, AF_NETLINK, EAFNOSUPPORT);
	CHILD_MUST(kernel_listeners(0, PS_TCP, never, NULL) == -EAFNOSUPPORT);
}

static void no_dump(void)
{
	child_fail(SYS_recvfrom, -1, 0, EIO);
	CHILD_MUST(kernel_listeners(0, PS_TCP, never, NULL) == -EIO);
}

static void no_socket(void)
{
	struct ps_address a = {.length = sizeof(struct sockaddr_in)};

	a.u.in.sin_family = AF_INET;
	a.u.in.sin_addr.s_addr = htonl(0xc0000201); /* 192.0.2.1 */
	CHILD_MUST(!kernel_is_local(&a, 0));
	child_fail(SYS_socket, -1, 0, EMFILE);
	CHILD_MUST(!kernel_is_local(&a, 0));
	CHILD_MUST(kernel_netns(-1) == 0);
}

/* Before Linux 5.14. */
static void no_cookie(void)
{
	struct stat st;

	CHILD_MUST(stat("/proc/self/ns/net", &st) == 0);
	child_fail(SYS_getsockopt, -1, 0, ENOPROTOOPT);
	CHILD_MUST(kernel_netns(-1) == st.st_ino);
}

static void the_kernel_may_not_be_asked(void **state)
{
	(void)state;
	assert_false(kernel_readable(NULL, 8));
	assert_false(kernel_readable((void *)~(uintptr_t)15, 64));
	assert_false(kernel_readable((void *)4096, 8));
	assert_int_equal(kernel_socket_inode(-1), 0);
	IN_CHILD(no_netlink);
	IN_CHILD(no_dump);
	IN_CHILD(no_socket);
	IN_CHILD(no_cookie);
}

/* ---- processes ---- */

static void no_proc(void)
{
	uint64_t unknown;

	child_fail(SYS_openat, -1, 0, EACCES);
	unknown = process_self();
	CHILD_MUST(process_pid(unknown) == getpid() && process_start(unknown) == 0);
	CHILD_MUST(process_of(getppid()) == 0); /* /proc is there, and says nothing of it */
	child_fail(SYS_faccessat, -1, 0, EACCES);
	CHILD_MUST(process_pid(process_of(getppid())) == getppid());
	CHILD_MUST(process_alive(unknown));
}

static void processes_are_known_by_pid_and_start(void **state)
{
	pid_t pid = fork();
	uint64_t child;

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_int_equal(process_of(0), 0);
	assert_int_equal(process_of(-1), 0);
	assert_false(process_alive(0));
	assert_true(process_alive(process_self()));
	assert_false(process_alive(process_self() + (UINT64_C(1) << PS_PID_BITS)));
	assert_int_equal(waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT), 0);
	assert_int_equal(process_of(pid), 0); /* a zombie */
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	child = process_of(pid);
	assert_int_equal(child, 0);
	IN_CHILD(no_proc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_chosen_directory_is_the_users_own, setup, teardown),
		cmocka_unit_test_setup_teardown(another_users_directory_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(the_directory_is_the_first_that_is_good, setup, teardown),
		cmocka_unit_test_setup_teardown(without_its_namespace_nothing_is_used, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_half_made_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(large_pages_are_reserved, setup, teardown),
		cmocka_unit_test_setup_teardown(damaged_files_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(files_of_a_wrong_kind_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(a_leased_file_is_not_waited_for, setup, teardown),
		cmocka_unit_test_setup_teardown(paths_that_are_no_runs_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(blame_has_words_for_all, setup, teardown),
		cmocka_unit_test(the_kernel_may_not_be_asked),
		cmocka_unit_test(processes_are_known_by_pid_and_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
