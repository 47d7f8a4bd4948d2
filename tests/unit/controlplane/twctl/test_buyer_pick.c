// SPDX-License-Identifier: Apache-2.0
//
// buyer_pick: which nodes are wanted, which comes first, and which URLs of strangers are connected to.
#include "controlplane/twctl/buyer_pick.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <string.h>

static struct buyer_pick_node make(
	uint64_t id, const char *region, uint64_t price, uint32_t latency_us
)
{
	struct buyer_pick_node n = {.latency_us = latency_us};

	n.node.node_id = u256_from_u64(id);
	n.node.price_per_gb = u256_from_u64(price);
	n.node.is_active = true;
	n.node.bandwidth_mbps = 1000;
	strcpy(n.node.region, region);
	return n;
}

static void test_check(void **state)
{
	struct buyer_pick_node n = make(1, "EU-central", 100, 0);
	const struct {
		struct buyer_pick pick;
		bool is_wanted;
	} rows[] = {
		{{0}, true},
		{{.region = "eu"}, true},
		{{.region = "EU-CENTRAL"}, true},
		{{.region = "eu-central-1"}, false},
		{{.region = ""}, true},
		{{.region = "us"}, false},
		{{.has_max_price = true, .max_price_per_gb = u256_from_u64(100)}, true},
		{{.has_max_price = true, .max_price_per_gb = u256_from_u64(99)}, false},
		{{.min_bandwidth_mbps = 1000}, true},
		{{.min_bandwidth_mbps = 1001}, false},
	};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++)
		assert_int_equal(buyer_pick_check(&rows[i].pick, &n.node), rows[i].is_wanted);
	n.node.is_active = false;
	assert_false(buyer_pick_check(&rows[0].pick, &n.node));
	assert_true(buyer_pick_check(&(struct buyer_pick){.is_all = true}, &n.node));
	n.node.is_active = true;
	n.node.price_per_gb = U256_ZERO;
	assert_false(buyer_pick_check(&rows[0].pick, &n.node));
}

static void expect_order(const struct buyer_pick_node *nodes, const uint64_t *ids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_true(u256_equal(nodes[i].node.node_id, u256_from_u64(ids[i])));
}

static void test_sort(void **state)
{
	struct buyer_pick_node nodes[] = {
		make(1, "", 0, 10),
		make(2, "", 300, 50),
		make(3, "", 100, BUYER_PICK_NO_LATENCY),
		make(4, "", 100, 90),
		make(5, "", 100, 90),
		make(6, "", 200, 20),
	};

	(void)state;
	buyer_pick_sort(nodes, 6, BUYER_PICK_PRICE);
	expect_order(nodes, (uint64_t[]){4, 5, 3, 6, 2, 1}, 6);
	buyer_pick_sort(nodes, 6, BUYER_PICK_LATENCY);
	expect_order(nodes, (uint64_t[]){1, 6, 2, 4, 5, 3}, 6);
}

static void test_urls(void **state)
{
	static const struct {
		const char *url;
		const char *host; // NULL: refused
		uint16_t port;
	} rows[] = {
		{"http://a", "a", 80},
		{"https://a.example/", "a.example", 443},
		{"HTTPS://192.0.2.1:8443/x?y#z", "192.0.2.1", 8443},
		{"http://[2001:db8::1]:8080", "2001:db8::1", 8080},
		{"http://[2001:db8::1]", "2001:db8::1", 80},
		{"http://a?x:1", "a", 80},
		{"http://a:65535", "a", 65535},
		{"", NULL, 0},
		{"a:80", NULL, 0},
		{"ftp://a", NULL, 0},
		{"http://", NULL, 0},
		{"http:///x", NULL, 0},
		{"http://a:", NULL, 0},
		{"http://a:0", NULL, 0},
		{"http://a:65536", NULL, 0},
		{"http://a:8x", NULL, 0},
		{"http://a:000080", NULL, 0},
		{"http://user@a", NULL, 0},
		{"http://[::1", NULL, 0},
		{"http://[::1]8", NULL, 0},
		{"http://[]", NULL, 0},
	};
	char host[BUYER_PICK_HOST_MAX + 1], url[400];
	uint16_t port;

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		int r = buyer_pick_url_parse(rows[i].url, host, &port);

		if (r != (rows[i].host == NULL ? -EINVAL : 0))
			fail_msg("'%s': %d", rows[i].url, r);
		if (rows[i].host == NULL)
			continue;
		assert_string_equal(host, rows[i].host);
		assert_int_equal(port, rows[i].port);
	}
	memset(url, 'a', sizeof(url));
	memcpy(url, "http://", 7);
	url[7 + BUYER_PICK_HOST_MAX] = '\0';
	assert_int_equal(buyer_pick_url_parse(url, host, &port), 0);
	url[7 + BUYER_PICK_HOST_MAX] = 'a';
	url[8 + BUYER_PICK_HOST_MAX] = '\0';
	assert_int_equal(buyer_pick_url_parse(url, host, &port), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_sort),
		cmocka_unit_test(test_urls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
