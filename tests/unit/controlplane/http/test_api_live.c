// SPDX-License-Identifier: Apache-2.0
//
// What WebSockets are told and when they are closed, without a network: the messages are caught where
// they would be queued. A token that ends, a session that ends, a state that changes, usage that stands
// still; who leaves is told nothing more.
#include "controlplane/http/api.h"
#include "controlplane/http/api_live.h"
#include "controlplane/usage/usage_store.h"
#include "tests/unit/controlplane/control_fixture.h"
#include "tests/unit/test.h"

#include <stdlib.h>

static struct control_fixture fix;
static struct control control;
static struct session session;

// ---- what would be queued --------------------------------------------------------------------

static unsigned n_sent, close_code;
static char last[1024], all[8192];

void __wrap_http_live_send(struct http_live *live, const char *text, size_t len);
void __wrap_http_live_close(struct http_live *live, unsigned code, const char *reason);

void __wrap_http_live_send(struct http_live *live, const char *text, size_t len)
{
	assert_non_null(live);
	n_sent++;
	snprintf(last, sizeof(last), "%.*s", (int)len, text);
	strncat(all, last, sizeof(all) - strlen(all) - 1);
}

void __wrap_http_live_close(struct http_live *live, unsigned code, const char *reason)
{
	assert_non_null(live);
	assert_true(strlen(reason) < 124); // RFC 6455 section 5.5
	if (close_code == 0)
		close_code = code;
}

// ---- a listener ------------------------------------------------------------------------------

static int set_up(void **state)
{
	struct session_add add;

	(void)state;
	n_sent = close_code = 0;
	last[0] = all[0] = '\0';
	control_fixture_init(&fix);
	control_fixture_open(&fix, true);
	add = control_fixture_add("alice", 1);
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
	return api_live_create(&control.live, &control);
}

static int tear_down(void **state)
{
	(void)state;
	api_live_destroy(control.live);
	control_fixture_close(&fix);
	control_fixture_fini(&fix);
	return 0;
}

// Returns: the accepted reply; its live_ops->closed() ends it.
static struct http_reply open_as(size_t route, uint64_t expires_mono_ns)
{
	struct http_request request = {
		.params = {"alice"},
		.is_upgrade = true,
		.caller = {.role = HTTP_ROLE_OPERATOR, .expires_mono_ns = expires_mono_ns},
	};
	struct http_reply reply = {0};
	static char socket; // only its address counts

	api_live_routes[route].handle(&control, &request, &reply);
	assert_int_equal(reply.status, 101);
	reply.live_ops->opened(reply.live_ctx, (struct http_live *)&socket);
	return reply;
}

static void pass(uint64_t sec)
{
	clock_manual_advance(&fix.manual, sec * NS_PER_SEC);
	api_live_tick(control.live);
}

static void test_token_ends(void **state)
{
	uint64_t now_ns = clock_mono_ns(&fix.clock);
	struct http_reply reply = open_as(0, now_ns + 10 * NS_PER_SEC);

	(void)state;
	pass(9);
	assert_int_equal(close_code, 0);
	pass(1);
	assert_int_equal(close_code, 4401);
	http_reply_fini(&reply); // calls closed()
	n_sent = 0;
	pass(1);
	assert_int_equal(n_sent, 0);
}

static void test_state_and_usage(void **state)
{
	struct http_reply reply = open_as(0, 0);

	(void)state;
	assert_int_equal(n_sent, 2);
	assert_non_null(strstr(all, "\"type\":\"state\""));
	assert_non_null(strstr(last, "\"type\":\"usage\""));
	assert_non_null(strstr(last, "\"seconds_left\":3600"));
	api_live_tick(control.live);
	assert_int_equal(n_sent, 2); // nothing has moved
	pass(1);
	assert_int_equal(n_sent, 3);
	assert_non_null(strstr(last, "\"seconds_left\":3599"));
	assert_int_equal(session_suspend(fix.sessions, session.id, &session, &fix.err), 0);
	api_live_session_changed(control.live, &session);
	assert_int_equal(n_sent, 4);
	assert_non_null(strstr(last, "\"state\":\"suspended\""));
	api_live_session_changed(control.live, &session); // the same again
	assert_int_equal(n_sent, 4);
	session.id++; // another's
	session.state = SESSION_ACTIVE;
	api_live_session_changed(control.live, &session);
	assert_int_equal(n_sent, 4);
	assert_int_equal(close_code, 0);
	http_reply_fini(&reply);
}

static void test_session_ends(void **state)
{
	static const enum session_state way[] = {
		SESSION_DRAINING, SESSION_SETTLING, SESSION_SETTLED};
	struct http_reply reply = open_as(0, 0);

	(void)state;
	for (size_t i = 0; i < TEST_N_ROWS(way); i++) {
		assert_int_equal(close_code, 0);
		assert_int_equal(
			session_transition(
				fix.sessions, session.id, way[i], "test", NULL, &fix.err
			),
			0
		);
		pass(1);
	}
	assert_int_equal(close_code, 1000);
	assert_non_null(strstr(all, "\"state\":\"settled\""));
	http_reply_fini(&reply);
}

static void test_operator(void **state)
{
	struct http_reply reply = open_as(1, 0), other = open_as(1, 0);

	(void)state;
	assert_int_equal(n_sent, 2);
	assert_non_null(strstr(last, "\"provisioned\":1"));
	assert_int_equal(session_suspend(fix.sessions, session.id, &session, &fix.err), 0);
	api_live_session_changed(control.live, &session);
	assert_int_equal(n_sent, 4); // both
	http_reply_fini(&other);
	pass(6);
	assert_int_equal(n_sent, 5);
	assert_non_null(strstr(last, "\"suspended\":1"));
	http_reply_fini(&reply);
	pass(6);
	assert_int_equal(n_sent, 5);
}

static void test_no_upgrade(void **state)
{
	struct http_request request = {.params = {"alice"}, .caller = {.role = HTTP_ROLE_OPERATOR}};
	struct http_reply reply = {0};

	(void)state;
	api_live_routes[0].handle(&control, &request, &reply);
	assert_int_equal(reply.status, 400);
	http_reply_fini(&reply);
	request.is_upgrade = true;
	request.params[0] = "nobody";
	api_live_routes[0].handle(&control, &request, &reply);
	assert_int_equal(reply.status, 404);
	http_reply_fini(&reply);
	pass(1);
	assert_int_equal(n_sent, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_token_ends),
		TEST(test_state_and_usage),
		TEST(test_session_ends),
		TEST(test_operator),
		TEST(test_no_upgrade),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
