// SPDX-License-Identifier: Apache-2.0
//
// POST …/vouchers and POST …/end: what a payer gets told, that the limit is raised before the reply, every
// refusal with its type, every credential of the end.
#include "tests/unit/controlplane/http/api_story.h"

static void voucher_body(const struct lifecycle_voucher *voucher, const char *bytes, char body[512])
{
	char hex[EVM_HEX_SIZE(64)];
	uint8_t signature[64];

	memcpy(signature, voucher->r, 32);
	memcpy(signature + 32, voucher->vs, 32);
	evm_hex_format(signature, 64, hex);
	snprintf(body, 512, "{\"cumulative_bytes\":%s,\"signature\":\"%s\"}", bytes, hex);
}

// Returns: the status.
static int send_voucher(struct api_story *api, const struct lifecycle_voucher *voucher)
{
	char bytes[24], body[512];

	snprintf(bytes, sizeof(bytes), "%" PRIu64, voucher->cumulative_bytes);
	voucher_body(voucher, bytes, body);
	return api_story_post(api, API_STORY_PATH "/vouchers", NULL, body);
}

static int pay(struct api_story *api, uint64_t bytes)
{
	const struct lifecycle_voucher voucher = sign(api->story, bytes);

	return send_voucher(api, &voucher);
}

static void go_online(struct api_story *api)
{
	struct story *story = api->story;

	api_story_choose(api, 2);
	settle_down(story);
	fake_dataplane_handshake(&story->set.dp, now(story).slot);
	settle_down(story);
	assert_state(story, SESSION_ACTIVE);
}

static void test_limit_rises_at_once(void **state)
{
	struct api_story *api = *state;
	struct story *story = api->story;

	go_online(api);
	pass(story, 5 * MB);
	assert_int_equal(bought(story).waiting_unix_sec != 0, true);
	assert_int_equal(pay(api, 3 * MB), 200);
	assert_int_equal(api_story_count(api, "cumulative_bytes"), 3 * MB);
	assert_int_equal(api_story_count(api, "limit_bytes"), 4 * MB);
	assert_int_equal(api_story_count(api, "credit_bytes"), 1 * MB);
	assert_int_equal(api_story_count(api, "bought_bytes"), 1 * GB);
	assert_int_equal(api_story_count(api, "used_bytes"), 1 * MB);
	assert_string_equal(api_story_text(api, "state"), "active");
	round_trip(&story->set); // no time passes
	assert_int_equal(limit_in_force(story), 4 * MB);
	assert_int_equal(story->set.dp.seg.slots[now(story).slot].live.gate, ABI_GATE_OPEN);
}

static void test_older_ones_change_nothing(void **state)
{
	struct api_story *api = *state;

	go_online(api);
	assert_int_equal(pay(api, 3 * MB), 200);
	for (unsigned mb = 0; mb <= 3; mb++) {
		restart(api->story);
		assert_int_equal(pay(api, mb * MB), 200);
		assert_int_equal(api_story_count(api, "cumulative_bytes"), 3 * MB);
		assert_int_equal(api_story_count(api, "limit_bytes"), 4 * MB);
	}
	assert_int_equal(bought(api->story).voucher_bytes, 3 * MB);
}

static void test_number_as_text_and_65_bytes(void **state)
{
	struct api_story *api = *state;
	struct lifecycle_voucher voucher = sign(api->story, 2 * MB);
	char body[512], hex[EVM_HEX_SIZE(65)];
	uint8_t signature[65];

	voucher_body(&voucher, "\"2000000\"", body);
	assert_int_equal(api_story_post(api, API_STORY_PATH "/vouchers", NULL, body), 200);
	assert_int_equal(api_story_count(api, "cumulative_bytes"), 2 * MB);
	voucher = sign(api->story, 3 * MB);
	evm_escrow_expand(voucher.r, voucher.vs, signature);
	evm_hex_format(signature, 65, hex);
	snprintf(body, sizeof(body), "{\"cumulative_bytes\":3000000,\"signature\":\"%s\"}", hex);
	assert_int_equal(api_story_post(api, API_STORY_PATH "/vouchers", NULL, body), 200);
	assert_int_equal(api_story_count(api, "cumulative_bytes"), 3 * MB);
	voucher_body(&voucher, "3000000.5", body);
	api_story_refused(
		api, api_story_post(api, API_STORY_PATH "/vouchers", NULL, body), 400, "about:blank"
	);
}

static void test_wrong_vouchers(void **state)
{
	struct api_story *api = *state;
	struct story *story = api->story;
	struct lifecycle_voucher voucher = sign(story, 2 * MB);
	char path[64];
	char body[512];

	go_online(api);
	assert_int_equal(pay(api, 1 * MB), 200);
	voucher.cumulative_bytes++;
	api_story_refused(api, send_voucher(api, &voucher), 403, "wrong-signer");
	for (size_t bit = 0; bit < 512; bit += 37) {
		voucher = sign(story, 2 * MB);
		(bit < 256 ? voucher.r : voucher.vs)[bit % 256 / 8] ^= (uint8_t)(1 << bit % 8);
		api_story_refused(api, send_voucher(api, &voucher), 403, "wrong-signer");
	}
	voucher = sign(story, 1 * GB + 1);
	api_story_refused(api, send_voucher(api, &voucher), 409, "voucher-too-large");
	// Of another session of the same buyer.
	snprintf(
		path,
		sizeof(path),
		"/api/v1/sessions/%u/vouchers",
		(unsigned)api_story_buy(api, PURCHASE_VOUCHER, 1 * GB, 0x52)
	);
	voucher = sign(story, 2 * MB);
	voucher_body(&voucher, "2000000", body);
	api_story_refused(api, api_story_post(api, path, NULL, body), 403, "wrong-signer");
	assert_int_equal(bought(story).voucher_bytes, 1 * MB);
	assert_int_equal(limit_in_force(story), 2 * MB);
}

// A token is not needed, but one that is sent must hold.
static void test_token_beside_a_voucher(void **state)
{
	struct api_story *api = *state;
	struct lifecycle_voucher voucher = sign(api->story, 2 * MB);
	char body[512];

	voucher_body(&voucher, "2000000", body);
	api_story_refused(
		api,
		api_story_post(api, API_STORY_PATH "/vouchers", "wrong", body),
		401,
		"about:blank"
	);
	assert_int_equal(
		api_story_post(api, API_STORY_PATH "/vouchers", api->bobs_token, body), 200
	);
}

static void test_settled_session(void **state)
{
	struct api_story *api = *state;
	struct story *story = api->story;

	go_online(api);
	assert_int_equal(pay(api, 1 * MB), 200);
	pass(story, 500000);
	assert_int_equal(api_story_post(api, API_STORY_PATH "/end", api->alices_token, NULL), 200);
	settle_down(story);
	set_item(story, SETTLE_ITEM_DONE, 500000);
	assert_state(story, SESSION_SETTLED);
	api_story_refused(api, pay(api, 2 * MB), 409, "session-over");
}

// ---- end -------------------------------------------------------------------------------------

static void test_end_is_the_buyers(void **state)
{
	struct api_story *api = *state;
	const char *path = API_STORY_PATH "/end";

	go_online(api);
	api_story_refused(api, api_story_post(api, path, NULL, NULL), 401, "about:blank");
	api_story_refused(api, api_story_post(api, path, "wrong", NULL), 401, "about:blank");
	api_story_refused(
		api, api_story_post(api, path, api->bobs_token, NULL), 404, "about:blank"
	);
	clock_manual_advance(&api->story->set.fix.manual, 3601 * NS_PER_SEC);
	api_story_refused(
		api, api_story_post(api, path, api->alices_token, NULL), 401, "about:blank"
	);
	assert_state(api->story, SESSION_ACTIVE);
	api_story_token(api, api->alice, api->alices_token);
	assert_int_equal(api_story_post(api, path, api->alices_token, NULL), 200);
	assert_string_equal(api_story_text(api, "state"), "draining");
	assert_int_equal(api_story_post(api, path, api->alices_token, NULL), 200);
	settle_down(api->story);
	assert_int_equal(api_story_post(api, path, api->alices_token, NULL), 200);
}

static void test_other_sessions_do_not_end(void **state)
{
	struct api_story *api = *state;

	api_story_refused(
		api,
		api_story_post(api, "/api/v1/sessions/alice/end", api->alices_token, NULL),
		404,
		"about:blank"
	);
	api_story_refused(
		api,
		api_story_post(api, "/api/v1/sessions/3/end", api->alices_token, NULL),
		404,
		"about:blank"
	);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, api_story_begin, api_story_end)
	const struct CMUnitTest tests[] = {
		TEST(test_limit_rises_at_once),
		TEST(test_older_ones_change_nothing),
		TEST(test_number_as_text_and_65_bytes),
		TEST(test_wrong_vouchers),
		TEST(test_token_beside_a_voucher),
		TEST(test_settled_session),
		TEST(test_end_is_the_buyers),
		TEST(test_other_sessions_do_not_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
