/*
 * test_address.c - addresses: what kind they are, what they are called, and what the other family's is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>

#include <portshim/address.h>

static struct ps_address parse(const char *text)
{
	struct ps_address a;

	memset(&a, 0, sizeof(a));
	if (strchr(text, ':')) {
		a.u.any.sa_family = AF_INET6;
		assert_int_equal(inet_pton(AF_INET6, text, &a.u.in6.sin6_addr), 1);
		a.length = sizeof(struct sockaddr_in6);
	} else {
		a.u.any.sa_family = AF_INET;
		assert_int_equal(inet_pton(AF_INET, text, &a.u.in.sin_addr), 1);
		a.length = sizeof(struct sockaddr_in);
	}
	address_set_port(&a, 3000);
	return a;
}

static void localities(void **state)
{
	static const struct {
		const char *text;
		enum ps_locality locality;
	} cases[] = {
		{"127.0.0.1", PS_LOOPBACK}, {"127.255.0.9", PS_LOOPBACK}, {"::1", PS_LOOPBACK},
		{"::ffff:127.0.0.1", PS_LOOPBACK}, {"0.0.0.0", PS_WILDCARD}, {"::", PS_WILDCARD},
		{"::ffff:0.0.0.0", PS_WILDCARD}, {"224.0.0.1", PS_MULTICAST}, {"239.1.2.3", PS_MULTICAST},
		{"255.255.255.255", PS_MULTICAST}, {"ff02::1", PS_MULTICAST}, {"::ffff:224.0.0.1", PS_MULTICAST},
		{"192.0.2.1", PS_REMOTE_OR_OWN}, {"240.0.0.1", PS_REMOTE_OR_OWN}, {"2001:db8::1", PS_REMOTE_OR_OWN},
		{"fe80::1", PS_REMOTE_OR_OWN}, {"::ffff:192.0.2.1", PS_REMOTE_OR_OWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ps_address a = parse(cases[i].text);

		assert_int_equal(address_locality(&a), cases[i].locality);
		assert_int_equal(address_port(&a), 3000);
	}
}

/* As the C library writes them. */
static void texts(void **state)
{
	static const char *const cases[] = {"::", "::1", "2001:db8::1", "2001:db8:0:1:1:1:1:1", "1:0:0:2::3", "0:1::",
					    "::2:3:4:5:6:7", "1:2:3:4:5:6:7:8", "fe80::a:bc:def:1234", "ff02::1:ff00:0"};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ps_address a = parse(cases[i]);
		char text[46], theirs[46];
		uint8_t bytes[16];
		unsigned length;

		address_bytes(&a, bytes);
		length = address_text(bytes, text);
		assert_int_equal(length, strlen(text));
		inet_ntop(AF_INET6, bytes, theirs, sizeof(theirs));
		assert_string_equal(text, theirs);
	}
}

static void texts_of_the_fourth_version(void **state)
{
	static const char *const cases[] = {"0.0.0.0", "127.0.0.1", "10.20.30.40", "255.255.255.255"};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ps_address a = parse(cases[i]);
		uint8_t bytes[16];
		char text[46];

		address_bytes(&a, bytes);
		address_text(bytes, text);
		assert_string_equal(text, cases[i]);
	}
}

static void twins(void **state)
{
	static const char *const pairs[][2] = {{"127.0.0.1", "::1"}, {"0.0.0.0", "::"}};
	static const char *const single[] = {"127.0.0.2", "192.0.2.1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:0.0.0.0",
					     "224.0.0.1"};
	struct ps_address a, b, twin;

	(void)state;
	for (int i = 0; i < 2; i++) {
		for (int k = 0; k < 2; k++) {
			a = parse(pairs[i][k]);
			b = parse(pairs[i][!k]);
			assert_true(address_twin(&a, &twin));
			assert_int_equal(twin.length, b.length);
			assert_memory_equal(&twin.u, &b.u, b.length);
		}
	}
	for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++) {
		a = parse(single[i]);
		assert_false(address_twin(&a, &twin));
	}
}

static void copies(void **state)
{
	struct ps_address a = parse("::1"), copy;
	struct sockaddr_storage big;

	(void)state;
	memset(&big, 0, sizeof(big));
	memcpy(&big, &a.u, sizeof(a.u.in6));
	for (socklen_t n = 0; n <= sizeof(big) + 8; n++) {
		bool whole = address_copy(&copy, &big, n <= sizeof(big) ? n : (socklen_t)(sizeof(big) + 1));

		assert_int_equal(whole, n >= 24 && n <= sizeof(big));
		if (whole)
			assert_int_equal(copy.length, n);
	}
	big.ss_family = AF_INET;
	assert_false(address_copy(&copy, &big, sizeof(struct sockaddr_in) - 1));
	assert_true(address_copy(&copy, &big, sizeof(struct sockaddr_in)));
	big.ss_family = AF_UNIX;
	assert_false(address_copy(&copy, &big, sizeof(struct sockaddr_in)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(localities), cmocka_unit_test(texts), cmocka_unit_test(texts_of_the_fourth_version),
		cmocka_unit_test(twins),      cmocka_unit_test(copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
