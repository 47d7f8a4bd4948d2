// SPDX-License-Identifier: Apache-2.0
//
// Whose session a buyer may see: every route of one session that buyers reach, asked by the operator,
// its buyer, another buyer, its voucher signer and nobody. A foreign session is answered to the
// byte like one that is not there.
#include "controlplane/http/api.h"
#include "tests/unit/controlplane/control_fixture.h"
#include "tests/unit/test.h"

static struct control_fixture fix;
static struct control control;
static const uint8_t alice[20] = {1}, bob[20] = {2};

// Alice bought the session; bob signs its vouchers, and sees nothing.
static void buy(uint64_t session_id)
{
	struct purchase purchase = {.session_id = session_id};
	struct db_txn txn;

	memcpy(purchase.buyer + 12, alice, 20);
	memcpy(purchase.voucher_signer + 12, bob, 20);
	db_txn_begin_write(&txn, fix.db);
	purchase_save(&txn, &purchase);
	TEMP_DIR_CHECK(db_txn_commit(&txn) == 0);
}

static int set_up(void **state)
{
	static const struct session_identity identity = {
		.source = SESSION_SOURCE_CHAIN, .chain = 5, .id = {1}};
	struct session_add add;
	struct session session;

	(void)state;
	control_fixture_init(&fix);
	control_fixture_open(&fix, true);
	add = control_fixture_add("alices", 1);
	add.identity = &identity;
	add.has_public_key = true;
	if (session_add(fix.sessions, &add, &session, &fix.err) < 0)
		return -1;
	buy(session.id);
	add = control_fixture_add("admins", 2);
	if (session_add(fix.sessions, &add, &session, &fix.err) < 0)
		return -1;
	control = (struct control){
		.config = &fix.config,
		.clock = &fix.clock,
		.db = fix.db,
		.sessions = fix.sessions,
		.usage = fix.usage,
		.link = fix.link,
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

// Returns: the status. Out: the body without the name that was asked for.
static int ask(
	const struct http_route *route,
	const char *name,
	const struct http_caller *caller,
	char body[512]
)
{
	struct http_request request = {.params = {name}, .caller = *caller};
	struct http_reply reply = {0};
	int status;
	char *at;

	route->handle(&control, &request, &reply);
	status = reply.status;
	snprintf(body, 512, "%.500s", reply.body == NULL ? "" : reply.body);
	while ((at = strstr(body, name)) != NULL)
		memmove(at, at + strlen(name), strlen(at + strlen(name)) + 1);
	http_reply_fini(&reply);
	return status;
}

static void check_route(const struct http_route *route)
{
	const struct http_caller operators = {.role = HTTP_ROLE_OPERATOR}, nobody = {0};
	struct http_caller buyer = {.role = HTTP_ROLE_BUYER}, other = buyer;
	char body[512], missing[512];

	memcpy(buyer.buyer, alice, 20);
	memcpy(other.buyer, bob, 20);
	assert_int_not_equal(ask(route, "alices", &operators, body), 404);
	assert_int_not_equal(ask(route, "admins", &operators, body), 404);
	assert_int_not_equal(ask(route, "alices", &buyer, body), 404);
	assert_int_equal(ask(route, "nothing", &buyer, missing), 404);
	assert_int_equal(ask(route, "admins", &buyer, body), 404);
	assert_string_equal(body, missing);
	assert_int_equal(ask(route, "alices", &other, body), 404);
	assert_string_equal(body, missing);
	assert_int_equal(ask(route, "alices", &nobody, body), 404);
	assert_string_equal(body, missing);
	// A contract wallet of the same address, on another chain and on the session's own.
	buyer.buyer_chain = 6;
	assert_int_equal(ask(route, "alices", &buyer, body), 404);
	assert_string_equal(body, missing);
	buyer.buyer_chain = 5;
	assert_int_not_equal(ask(route, "alices", &buyer, body), 404);
}

static void test_routes(void **state)
{
	struct http_route_table tables[API_MAX_TABLES];
	size_t n_tables = api_tables(tables, &control);
	unsigned n = 0;

	(void)state;
	for (size_t t = 0; t < n_tables; t++) {
		for (size_t i = 0; i < tables[t].n_routes; i++) {
			const struct http_route *route = &tables[t].routes[i];

			if (route->access != HTTP_BUYER || route->method != HTTP_GET ||
			    strstr(route->pattern, "/sessions/{") == NULL)
				continue;
			check_route(route);
			n++;
		}
	}
	assert_true(n >= 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_routes, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
