/*
 * test_races.c - laws 3 and 9 where two processes meet between two steps of one call: another run takes a number over,
 * gives it back, or starts its server anew just then. What tests/model goes through in every order is done here to
 * the code, one moment each.
 */
#include "laws.h"

#include "meddle.h"

static struct ps_space *space, *other, *third;
static uint16_t n;

static void start(void)
{
	space = run_in("a", PS_SCOPE_KEPT, NULL);
	other = run_in("b", 0, NULL);
	third = run_in("a", 0, NULL);
	n = free_numbers(3);
	act_for(space);
}

/* With a service that has n and n + 1; `shared`: another one has n, too, and the process decides. */
static void start_with_service(bool shared)
{
	char manifest[256];

	other = run_in("b", 0, NULL);
	n = free_numbers(3);
	snprintf(manifest, sizeof(manifest),
		 "{\"web\":{\"ports\":[%u,%u]%s},\"other\":{\"port\":%u,\"match\":{\"command\":\"nothing\"}}}", n, n + 1u,
		 shared ? ",\"match\":{\"command\":\"test_*\"}" : "", shared ? n : n + 2u);
	space = run_in("a", PS_SCOPE_KEPT, manifest);
	act_for(space);
}

static struct sockaddr_in local(uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* By the hook. The descriptor, or a negative errno. */
static int try_bind(int type, uint16_t port)
{
	struct sockaddr_in a = local(port);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	return bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 ? fd : -errno;
}

static void head_is(uint16_t port, uint64_t head)
{
	CHILD_MUST(host_head(space->host, port) == head);
}

static uint64_t others_claim(uint16_t port)
{
	return head_claim(other->env->id, port, other->run->id);
}

/* ---- at one bind of a number ---- */

/* The looks for a free number are made with IPv6 sockets, what the program asked for is done with its own. */
static struct {
	uint16_t port;
	sa_family_t family;
	unsigned nth;
	bool after;
	long result; /* not 0: the kernel is not asked */
	void (*happens)(void);
	unsigned seen;
} moment;

static long at_bind(const struct seccomp_data *call)
{
	const struct sockaddr_in *a = (const void *)(uintptr_t)call->args[1];
	long result;

	if (ntohs(a->sin_port) != moment.port || a->sin_family != moment.family || ++moment.seen != moment.nth)
		return meddle_call(call);
	if (moment.happens && !moment.after)
		moment.happens();
	result = moment.result ? moment.result : meddle_call(call);
	if (moment.happens && moment.after)
		moment.happens();
	return result;
}

static void before_look(unsigned nth, void (*happens)(void))
{
	moment.port = n;
	moment.family = AF_INET6;
	moment.nth = nth;
	moment.happens = happens;
	child_meddle(SYS_bind, at_bind);
}

static void in_use_at_look(unsigned nth)
{
	moment.result = -EADDRINUSE;
	before_look(nth, NULL);
}

static void after_bind_of(uint16_t port, void (*happens)(void))
{
	moment.port = port;
	moment.family = AF_INET;
	moment.nth = 1;
	moment.after = true;
	moment.happens = happens;
	child_meddle(SYS_bind, at_bind);
}

static void claimed_by_other(void)
{
	atomic_store(&space->host->record[moment.port].head, others_claim(moment.port));
}

static void claimed_by_third(void)
{
	atomic_store(&space->host->record[moment.port].head, head_claim(third->env->id, n, third->run->id));
}

static void listening_by_other(void)
{
	atomic_store(&space->host->record[moment.port].head, head_make(other->env->id, moment.port, PS_LISTENING));
}

/* Moved, and that this is so is recorded. */
static void moved_away(int type)
{
	int fd = try_bind(type, n);

	CHILD_MUST(fd >= 0 && actual_of(fd) != n && moment.seen >= moment.nth);
	CHILD_MUST(registry_own(space, n) == actual_of(fd));
}

/* ---- taking over what another run has left: look, (LISTENING -> HELD, look again,) claim, look ---- */

static void dead_server(void)
{
	act_for(other);
	close(server(SOCK_STREAM, n));
	other->host->record[n].owner = 0;
	act_for(space);
}

static void somebody_is_faster(void)
{
	dead_server();
	before_look(2, claimed_by_third);
	moved_away(SOCK_STREAM);
	head_is(n, head_claim(third->env->id, n, third->run->id));
}

static void its_server_starts_anew(void)
{
	dead_server();
	in_use_at_look(3);
	moved_away(SOCK_STREAM);
	head_is(n, head_make(other->env->id, n, PS_LISTENING));
}

static void its_server_starts_anew_for_datagrams(void)
{
	dead_server();
	in_use_at_look(4);
	moved_away(SOCK_STREAM);
	head_is(n, head_make(other->env->id, n, PS_LISTENING));
}

static void its_server_starts_anew_after_the_claim(void)
{
	dead_server();
	in_use_at_look(5);
	moved_away(SOCK_STREAM);
	head_is(n, head_make(other->env->id, n, PS_HELD));
	CHILD_MUST(record_of(space, n)->run == other->run->id);
}

static void its_server_listens_after_the_claim(void)
{
	dead_server();
	before_look(5, listening_by_other);
	moved_away(SOCK_STREAM);
	head_is(n, head_make(other->env->id, n, PS_LISTENING));
}

static void it_is_only_held(void)
{
	int fd;

	act_for(other);
	close(bound(SOCK_STREAM, n));
	other->host->record[n].owner = 0;
	act_for(space);
	fd = try_bind(SOCK_STREAM, n);
	CHILD_MUST(fd >= 0 && actual_of(fd) == n && registry_own(space, n) == n);
	CHILD_MUST(registry_own(other, n) == 0);
}

static void a_stranger_has_it(void)
{
	dead_server();
	stranger(SOCK_DGRAM, n);
	moved_away(SOCK_STREAM);
	head_is(n, head_make(other->env->id, n, PS_LISTENING));
}

static void taking_over(void **state)
{
	static void (*const meanwhile[])(void) = {
		somebody_is_faster, its_server_starts_anew, its_server_starts_anew_for_datagrams,
		its_server_starts_anew_after_the_claim, its_server_listens_after_the_claim, it_is_only_held,
		a_stranger_has_it,
	};

	(void)state;
	start();
	for (size_t i = 0; i < COUNT(meanwhile); i++) {
		n = free_numbers(1);
		IN_CHILD(meanwhile[i]);
	}
}

/* A free number is claimed by somebody else between the look at its head and the claim. */
static long at_reserve(const struct seccomp_data *call)
{
	struct ps_record *record = &space->host->record[n];
	long result = meddle_call(call);

	if (moment.seen++ == 0) {
		atomic_store(&record->head, others_claim(n));
		shared_set(space->host->owned, n);
	}
	return result;
}

static void claimed_meanwhile(void)
{
	moment.nth = 1;
	child_meddle(SYS_madvise, at_reserve);
	moved_away(SOCK_STREAM);
	head_is(n, others_claim(n));
}

static void claiming(void **state)
{
	(void)state;
	start();
	IN_CHILD(claimed_meanwhile);
}

/* ---- binding again what this run has, while another run takes it over ---- */

static void lost_while_it_is_bound_again(void)
{
	close(bound(SOCK_STREAM, n));
	after_bind_of(n, claimed_by_other);
	moved_away(SOCK_STREAM);
	head_is(n, others_claim(n));
}

/* By another run of the environment: the head looks the same. */
static void held_by_third(void)
{
	space->host->record[n].run = third->run->id;
}

static void lost_to_a_neighbour(void)
{
	close(bound(SOCK_STREAM, n));
	after_bind_of(n, held_by_third);
	moved_away(SOCK_STREAM);
	head_is(n, head_make(space->env->id, n, PS_HELD));
	CHILD_MUST(record_of(space, n)->run == third->run->id);
}

static void lost_while_it_is_bound_again_for_datagrams(void)
{
	close(server(SOCK_DGRAM, n));
	after_bind_of(n, claimed_by_other);
	moved_away(SOCK_DGRAM);
	head_is(n, others_claim(n));
}

/* The socket cannot be replaced: it stays where the kernel has put it, as without portshim. */
static void lost_and_cannot_be_left(void)
{
	int fd;

	close(bound(SOCK_STREAM, n));
	after_bind_of(n, claimed_by_other);
	child_fail(SYS_dup3, -1, 0, EPERM);
	fd = try_bind(SOCK_STREAM, n);
	CHILD_MUST(fd >= 0 && actual_of(fd) == n && registry_own(space, n) == 0);
}

static void lost_and_no_descriptor_is_left(void)
{
	struct sockaddr_in a = local(n);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	close(bound(SOCK_STREAM, n));
	after_bind_of(n, claimed_by_other);
	child_fail(SYS_socket, -1, 0, EMFILE);
	CHILD_MUST(bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && actual_of(fd) == n);
}

static void binding_again(void **state)
{
	static void (*const how[])(void) = {
		lost_while_it_is_bound_again, lost_to_a_neighbour, lost_while_it_is_bound_again_for_datagrams,
		lost_and_cannot_be_left, lost_and_no_descriptor_is_left,
	};

	(void)state;
	start();
	for (size_t i = 0; i < COUNT(how); i++) {
		n = free_numbers(1);
		IN_CHILD(how[i]);
	}
}

/* The same where the process decides which service it is. */

static void the_services_is_lost(void)
{
	int fd;

	close(bound(SOCK_STREAM, n));
	after_bind_of(n, claimed_by_other);
	fd = try_bind(SOCK_STREAM, n);
	CHILD_MUST(fd >= 0 && actual_of(fd) == n + 1 && record_of(space, n + 1)->run == space->run->id);
}

static void the_services_is_lost_and_cannot_be_left(void)
{
	int fd;

	close(bound(SOCK_STREAM, n));
	after_bind_of(n, claimed_by_other);
	child_fail(SYS_dup3, -1, 0, EPERM);
	fd = try_bind(SOCK_STREAM, n);
	CHILD_MUST(fd >= 0 && actual_of(fd) == n);
}

static void binding_a_service_again(void **state)
{
	(void)state;
	start_with_service(true);
	IN_CHILD(the_services_is_lost);
	start_with_service(true);
	IN_CHILD(the_services_is_lost_and_cannot_be_left);
}

/* ---- holding what was claimed ---- */

/* Somebody else is found to listen there (by an inherited socket), and the record is his. */
static void the_claim_is_lost(void)
{
	after_bind_of(n, listening_by_other);
	moved_away(SOCK_STREAM);
	head_is(n, head_make(other->env->id, n, PS_LISTENING));
	CHILD_MUST(record_of(space, registry_own(space, n))->cause == EADDRINUSE);
}

static void the_second_claim_is_lost(void)
{
	int fd;

	stranger(SOCK_STREAM, n);
	after_bind_of(n + 1, listening_by_other);
	fd = try_bind(SOCK_STREAM, n);
	CHILD_MUST(fd >= 0 && actual_of(fd) != n && actual_of(fd) != n + 1);
}

static void the_claim_is_lost_and_cannot_be_left(void)
{
	int fd;

	after_bind_of(n, listening_by_other);
	child_fail(SYS_dup3, -1, 0, EPERM);
	fd = try_bind(SOCK_STREAM, n);
	CHILD_MUST(fd >= 0 && actual_of(fd) == n && registry_own(space, n) == 0);
}

static void holding(void **state)
{
	(void)state;
	start();
	IN_CHILD(the_claim_is_lost);
	start();
	IN_CHILD(the_claim_is_lost_and_cannot_be_left);
	start_with_service(false);
	IN_CHILD(the_second_claim_is_lost);
}

/* ---- law 9: whose listener is it? A server that restarts while the kernel lists its sockets ---- */

static uint32_t again; /* how many times more the server restarts */

static long at_netlink(const struct seccomp_data *call)
{
	if (call->args[0] == AF_NETLINK) {
		moment.seen++;
		if (again) {
			again--;
			atomic_fetch_add(&space->host->record[n].inode, again & 1 ? 1u : -1u);
		}
	}
	return meddle_call(call);
}

/* It is listed with its old socket, and the record has the new one; then both are the same. */
static void restarts_once(void)
{
	server(SOCK_STREAM, n);
	again = 2;
	child_meddle(SYS_socket, at_netlink);
	CHILD_MUST(registry_listening(space->host, n));
	CHILD_MUST(moment.seen == 2);
	/* What does not change is somebody else's. */
	atomic_fetch_add(&space->host->record[n].inode, 1);
	CHILD_MUST(!registry_listening(space->host, n));
}

static void restarts_all_the_time(void)
{
	server(SOCK_STREAM, n);
	atomic_fetch_add(&space->host->record[n].inode, 10);
	again = 1000;
	child_meddle(SYS_socket, at_netlink);
	CHILD_MUST(registry_listening(space->host, n));
	CHILD_MUST(moment.seen > 2 && again > 900);
}

static void listing(void **state)
{
	(void)state;
	start();
	IN_CHILD(restarts_once);
	start();
	IN_CHILD(restarts_all_the_time);
}

/* ---- a look at what has ended, while another run takes it over ---- */

static long at_look(const struct seccomp_data *call)
{
	if (call->args[0] == AF_NETLINK && moment.happens) {
		moment.happens();
		moment.happens = NULL;
	}
	return meddle_call(call);
}

static void dead_and_looked_at(void (*happens)(void))
{
	close(server(SOCK_STREAM, n));
	moment.port = n;
	moment.happens = happens;
	child_meddle(SYS_socket, at_look);
	CHILD_MUST(registry_sweep(space->host, space->run, space->env, true) == 0 && !moment.happens);
}

static void claimed_while_it_is_looked_at(void)
{
	dead_and_looked_at(claimed_by_third);
	head_is(n, head_claim(third->env->id, n, third->run->id));
}

static void a_neighbours_while_it_is_looked_at(void)
{
	dead_and_looked_at(held_by_third);
	head_is(n, head_make(space->env->id, n, PS_LISTENING));
	CHILD_MUST(record_of(space, n)->run == third->run->id);
}

static void looking(void **state)
{
	(void)state;
	start();
	IN_CHILD(claimed_while_it_is_looked_at);
	start();
	IN_CHILD(a_neighbours_while_it_is_looked_at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(taking_over, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(claiming, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(binding_again, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(binding_a_service_again, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(holding, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(listing, laws_setup, laws_teardown),
		cmocka_unit_test_setup_teardown(looking, laws_setup, laws_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
