// SPDX-License-Identifier: Apache-2.0
//
// /operator/earnings and /operator/sessions over hundreds of bought sessions on two chains in three
// assets: the sums equal those that the test makes itself in 128 bits, page by page; sessions of the
// operator's own and void ones do not count; what cannot be summed is an error, never a wrong sum.
#include "controlplane/http/api.h"
#include "controlplane/http/api_totals.h"
#include "controlplane/usage/usage_store.h"
#include "tests/unit/controlplane/control_fixture.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <stdlib.h>

#define N 300
#define GB 1000000000ull

static struct control_fixture fix;
static struct control control;

// What the test knows of its own.
struct expected {
	uint64_t n, n_settled;
	unsigned __int128 bought, deposited, settled, operator_amount, fee, refunded, used, cost;
};

static struct expected expected[2][3];
static const uint64_t chains[2] = {5, 7};
static uint64_t random_state;

static uint64_t next_random(uint64_t below)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (random_state >> 20) % below;
}

static struct u256 from_128(unsigned __int128 value)
{
	return (struct u256){{(uint64_t)value, (uint64_t)(value >> 64), 0, 0}};
}

static void save(const struct purchase *purchase, uint64_t used_bytes)
{
	struct usage_entry usage = {.ledger = {.base = {.out_bytes = used_bytes / 3}}};
	struct db_txn txn;

	usage.ledger.base.in_bytes = used_bytes - used_bytes / 3;
	db_txn_begin_write(&txn, fix.db);
	purchase_save(&txn, purchase);
	usage_store_save(&txn, purchase->session_id, &usage);
	assert_int_equal(db_txn_commit(&txn), 0);
}

static uint64_t add_session(unsigned i, unsigned chain)
{
	struct session_identity identity = {.source = SESSION_SOURCE_CHAIN, .chain = chains[chain]};
	struct session_add add = {.identity = &identity, .quota_bytes = 10 * GB};
	struct session session;

	memcpy(identity.id, &i, sizeof(i));
	identity.id[31] = 1;
	assert_int_equal(session_add(fix.sessions, &add, &session, &fix.err), 0);
	return session.id;
}

static void buy(unsigned i, unsigned chain, unsigned asset)
{
	struct expected *e = &expected[chain][asset];
	uint64_t gb = 1 + next_random(1000), price = next_random(1000000000000000);
	uint64_t used = next_random(gb * GB + 1);
	unsigned __int128 cost = (unsigned __int128)used * price / GB, fee = cost / 100;
	struct purchase purchase = {
		.session_id = add_session(i, chain),
		.price_per_gb = u256_from_u64(price),
		.bought_bytes = gb * GB,
		.mode = PURCHASE_OPTIMISTIC,
	};

	purchase.asset[31] = (uint8_t)asset;
	e->n++;
	e->bought += gb * GB;
	e->deposited += (unsigned __int128)gb * price;
	if (next_random(2) == 0) {
		e->n_settled++;
		e->settled += used;
		e->operator_amount += cost - fee;
		e->fee += fee;
		e->refunded += (unsigned __int128)gb * price - cost;
		purchase.settled_block = 9;
		purchase.settled_unix_sec = 10;
		purchase.settled_bytes = used;
		purchase.settled_operator_amount = from_128(cost - fee);
		purchase.settled_fee_amount = from_128(fee);
		purchase.settled_refund = from_128((unsigned __int128)gb * price - cost);
		used += 17; // the node's own count is not what was settled
	} else {
		// Seen on the chain, not deep enough: not earned yet.
		purchase.settled_block = next_random(2);
		e->used += used;
		e->cost += cost;
	}
	save(&purchase, used);
}

static int set_up(void **state)
{
	static unsigned n_tests;

	(void)state;
	memset(expected, 0, sizeof(expected));
	random_state = 1;
	control_fixture_init(&fix);
	// The sums are kept for the process: no test may meet another's.
	clock_manual_advance(&fix.manual, ++n_tests * 1000 * NS_PER_SEC);
	control_fixture_open(&fix, false);
	control = (struct control){
		.config = &fix.config,
		.clock = &fix.clock,
		.db = fix.db,
		.sessions = fix.sessions,
		.usage = fix.usage,
		.health = &fix.health,
	};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	control_fixture_close(&fix);
	control_fixture_fini(&fix);
	return 0;
}

static const struct http_route *route_of(const char *pattern)
{
	for (size_t i = 0; i < api_operator_n_routes; i++) {
		if (strcmp(api_operator_routes[i].pattern, pattern) == 0)
			return &api_operator_routes[i];
	}
	fail_msg("%s is no route", pattern);
	return NULL;
}

// Returns: the document; free it.
static struct json_value *ask(const char *pattern, const char *query, int status)
{
	struct http_request request = {.query = {query}, .n_query = query != NULL};
	struct http_reply reply = {0};
	struct json_value *doc;

	// Older than any kept sums.
	clock_manual_advance(&fix.manual, 2 * NS_PER_SEC);
	route_of(pattern)->handle(&control, &request, &reply);
	assert_int_equal(reply.status, status);
	assert_int_equal(json_parse(reply.body, reply.body_len, &doc), 0);
	http_reply_fini(&reply);
	return doc;
}

#define EARNINGS "/api/v1/operator/earnings"
#define SESSIONS "/api/v1/operator/sessions"

static void check_amount(const struct json_value *row, const char *name, unsigned __int128 want)
{
	char text[U256_DEC_SIZE];

	u256_format_dec(from_128(want), text);
	assert_string_equal(json_string(json_member(row, name)), text);
}

static void check_count(const struct json_value *row, const char *name, unsigned __int128 want)
{
	uint64_t value;

	assert_int_equal(json_count(json_member(row, name), &value), 0);
	assert_true(value == want);
}

static void check_row(const struct json_value *row, unsigned chain, unsigned asset)
{
	const struct expected *e = &expected[chain][asset];

	check_count(row, "chain_id", chains[chain]);
	assert_true(json_is_null(json_member(row, "asset")) == (asset == 0));
	check_count(row, "sessions", e->n);
	check_count(row, "sessions_settled", e->n_settled);
	check_count(row, "bought_bytes", e->bought);
	check_count(row, "settled_bytes", e->settled);
	check_count(row, "open_used_bytes", e->used);
	check_amount(row, "deposited", e->deposited);
	check_amount(row, "operator_amount", e->operator_amount);
	check_amount(row, "fee_amount", e->fee);
	check_amount(row, "refunded", e->refunded);
	check_amount(row, "open_cost", e->cost);
}

static void test_sums(void **state)
{
	struct session_add own = control_fixture_add("own", 1);
	struct json_value *doc;
	struct session session;
	uint64_t void_id;

	(void)state;
	for (unsigned i = 0; i < N; i++)
		buy(i, i % 2, i % 3);
	assert_int_equal(session_add(fix.sessions, &own, &session, &fix.err), 0);
	void_id = add_session(N, 0);
	save(&(struct purchase
	     ){.session_id = void_id, .bought_bytes = GB, .price_per_gb = u256_from_u64(GB)},
	     0);
	assert_int_equal(
		session_transition(fix.sessions, void_id, SESSION_VOID, "gone", NULL, &fix.err), 0
	);
	doc = ask(EARNINGS, NULL, 200);
	for (unsigned i = 0; i < 6; i++)
		check_row(json_item(json_member(doc, "earnings"), i), i / 3, i % 3);
	assert_null(json_item(json_member(doc, "earnings"), 6));
	assert_true(json_is_null(json_member(doc, "next")));
	json_free(doc);
	// The same in pages of one.
	for (unsigned i = 0; i < 6; i++) {
		struct http_request request = {.query = {"limit=1", NULL}, .n_query = 2};
		struct http_reply reply = {0};
		char from[16];

		snprintf(from, sizeof(from), "from=%u", i);
		request.query[1] = from;
		route_of(EARNINGS)->handle(&control, &request, &reply);
		assert_int_equal(json_parse(reply.body, reply.body_len, &doc), 0);
		check_row(json_item(json_member(doc, "earnings"), 0), i / 3, i % 3);
		assert_null(json_item(json_member(doc, "earnings"), 1));
		assert_true(json_is_null(json_member(doc, "next")) == (i == 5));
		json_free(doc);
		http_reply_fini(&reply);
	}
}

static void test_sessions_add_up(void **state)
{
	unsigned __int128 sum = 0;
	uint64_t from = 0, n = 0;

	(void)state;
	for (unsigned i = 0; i < 50; i++)
		buy(i, 0, 0);
	do {
		const struct json_value *row;
		struct json_value *doc;
		char query[48];

		snprintf(query, sizeof(query), "from=%llu", (unsigned long long)from);
		doc = ask(SESSIONS, query, 200);
		row = json_first(json_member(doc, "sessions"));
		for (; row != NULL; row = json_next(row), n++) {
			const char *amount = json_string(json_member(row, "operator_amount"));
			bool is_settled;

			assert_int_equal(json_bool(json_member(row, "is_settled"), &is_settled), 0);
			assert_true(is_settled == (amount != NULL));
			sum += amount == NULL ? 0 : strtoull(amount, NULL, 10);
		}
		from = 0;
		if (!json_is_null(json_member(doc, "next_id")))
			assert_int_equal(json_count(json_member(doc, "next_id"), &from), 0);
		json_free(doc);
	} while (from != 0);
	assert_int_equal(n, 50);
	assert_true(sum == expected[0][0].operator_amount);
}

static void test_nothing_and_bad_queries(void **state)
{
	static const char *const rows[] = {"limit=1001", "from=-1", "limit=x", "state=lost"};

	(void)state;
	json_free(ask(EARNINGS, NULL, 200));
	json_free(ask(SESSIONS, "state=settled", 200));
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		json_free(ask(SESSIONS, rows[i], 400));
		if (i < 3)
			json_free(ask(EARNINGS, rows[i], 400));
	}
}

static void test_overflow_is_told(void **state)
{
	struct purchase purchase = {
		.price_per_gb = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX >> 1}},
		.bought_bytes = GB,
	};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		purchase.session_id = add_session(i, 0);
		save(&purchase, 0);
	}
	json_free(ask(EARNINGS, NULL, 500));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

// Passes take a twentieth of the time at most, and what is read in no time is read anew soon.
static void test_life_of_sums(void **state)
{
	static const struct {
		uint64_t took_ms, least_ms, life_ms;
	} rows[] = {{0, 1000, 1000}, {50, 1000, 1000}, {51, 1000, 1020}, {900, 5000, 18000}};

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++)
		assert_int_equal(
			api_totals_life_ns(
				rows[i].took_ms * NS_PER_MS, rows[i].least_ms * NS_PER_MS
			),
			rows[i].life_ms * NS_PER_MS
		);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life_of_sums),
		TEST(test_sums),
		TEST(test_sessions_add_up),
		TEST(test_nothing_and_bad_queries),
		TEST(test_overflow_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
