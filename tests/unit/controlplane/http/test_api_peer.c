// SPDX-License-Identifier: Apache-2.0
//
// POST …/peer: who may choose a session's public key, what is refused and how, a lost reply, another key
// in mid-life up to what the data plane is told, one key for two sessions.
#include "tests/unit/controlplane/http/api_story.h"

static void test_first_key(void **state)
{
	struct api_story *api = *state;
	struct peer_proof proof = api_story_proof(api, 2);

	assert_int_equal(api_story_post_peer(api, &proof, api->alice), 200);
	assert_string_equal(api_story_text(api, "state"), "provisioned");
	assert_string_equal(api_story_text(api, "session_id"), API_STORY_ID);
	assert_int_equal(api_story_count(api, "id"), api->story->id);
	assert_int_equal(api_story_count(api, "issued_at"), proof.issued_unix_sec);
	assert_non_null(strstr(api_story_text(api, "config"), CLIENT_CONF_KEY_PLACEHOLDER));
	assert_non_null(strstr(api_story_text(api, "config"), "Endpoint = node.example:51820"));
	api_story_served_with(api, 2);
}

static void test_voucher_signer_may_choose(void **state)
{
	struct api_story *api = *state;
	struct peer_proof proof = api_story_proof(api, 2);

	assert_int_equal(api_story_post_peer(api, &proof, api->story->signer), 200);
	api_story_served_with(api, 2);
}

// The buyer did not see the reply and sends the same again, also to a node that was restarted.
static void test_lost_reply(void **state)
{
	struct api_story *api = *state;
	struct peer_proof proof = api_story_proof(api, 2);

	assert_int_equal(api_story_post_peer(api, &proof, api->alice), 200);
	assert_int_equal(api_story_post_peer(api, &proof, api->alice), 200);
	restart(api->story);
	assert_int_equal(api_story_post_peer(api, &proof, api->alice), 200);
	api_story_served_with(api, 2);
	unsigned n_adds = api->story->set.dp.n_taken[ABI_COMMAND_ADD];
	clock_manual_advance(&api->story->set.fix.manual, 2 * NS_PER_SEC);
	proof = api_story_proof(api, 2); // signed anew for the same key
	assert_int_equal(api_story_post_peer(api, &proof, api->alice), 200);
	api_story_served_with(api, 2);
	assert_int_equal(api->story->set.dp.n_taken[ABI_COMMAND_ADD], n_adds);
	assert_int_equal(api->story->set.dp.n_taken[ABI_COMMAND_REMOVE], 0);
}

static void test_both_forms_of_a_signature(void **state)
{
	struct api_story *api = *state;
	struct peer_proof proof = api_story_proof(api, 2);
	uint8_t signature[65], r[32], vs[32];
	char body[512], hex[EVM_HEX_SIZE(65)], *at;

	api_story_sign_proof(&proof, api->alice, signature);
	signature[64] -= 27;
	api_story_peer_body(&proof, signature, body);
	assert_int_equal(api_story_post(api, API_STORY_PATH "/peer", NULL, body), 200);
	signature[64] += 27;
	evm_escrow_compact(signature, r, vs);
	memcpy(signature, r, 32);
	memcpy(signature + 32, vs, 32);
	evm_hex_format(signature, 64, hex);
	api_story_peer_body(&proof, signature, body);
	at = strstr(body, "\"0x");
	sprintf(at, "\"%s\"}", hex);
	assert_int_equal(api_story_post(api, API_STORY_PATH "/peer", NULL, body), 200);
}

// ---- refusals --------------------------------------------------------------------------------

static void test_wrong_signer(void **state)
{
	struct api_story *api = *state;
	struct peer_proof proof = api_story_proof(api, 2);
	uint64_t before = api_problem_count(API_PROBLEM_WRONG_SIGNER);

	api_story_refused(api, api_story_post_peer(api, &proof, api->bob), 403, "wrong-signer");
	assert_int_equal(api_problem_count(API_PROBLEM_WRONG_SIGNER), before + 1);
	assert_state(api->story, SESSION_PENDING);
}

// Signed by the right account, but for something else: each thing that the text names.
static void test_signed_for_something_else(void **state)
{
	struct api_story *api = *state;
	const struct peer_proof right = api_story_proof(api, 2);
	struct peer_proof rows[6] = {right, right, right, right, right, right};
	uint8_t signature[65];
	char body[512];

	rows[0].chain_id = 1;
	rows[1].escrow[19] ^= 1;
	rows[2].node_id[31] ^= 1;
	rows[3].session_id[0] ^= 1; // the buyer's other session
	control_fixture_public_key(rows[4].public_key, 3);
	rows[5].issued_unix_sec--;
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		api_story_sign_proof(&rows[i], api->alice, signature);
		api_story_peer_body(&right, signature, body);
		api_story_refused(
			api,
			api_story_post(api, API_STORY_PATH "/peer", NULL, body),
			403,
			"wrong-signer"
		);
	}
	assert_state(api->story, SESSION_PENDING);
}

static void test_stale_and_future(void **state)
{
	struct api_story *api = *state;
	struct peer_proof proof = api_story_proof(api, 2);

	proof.issued_unix_sec -= PEER_PROOF_MAX_AGE_SEC + 1;
	api_story_refused(api, api_story_post_peer(api, &proof, api->alice), 403, "stale-proof");
	proof.issued_unix_sec += PEER_PROOF_MAX_AGE_SEC + 1 + PEER_PROOF_SKEW_SEC + 1;
	api_story_refused(api, api_story_post_peer(api, &proof, api->alice), 403, "stale-proof");
	proof.issued_unix_sec = (1ull << 53) - 1;
	api_story_refused(api, api_story_post_peer(api, &proof, api->alice), 403, "stale-proof");
}

static void test_replay(void **state)
{
	struct api_story *api = *state;
	struct peer_proof first = api_story_proof(api, 2), same_second;

	assert_int_equal(api_story_post_peer(api, &first, api->alice), 200);
	api_story_choose(api, 3);
	api_story_refused(api, api_story_post_peer(api, &first, api->alice), 409, "replayed-proof");
	restart(api->story); // and it is not forgotten
	api_story_refused(api, api_story_post_peer(api, &first, api->alice), 409, "replayed-proof");
	same_second = api_story_proof(api, 4);
	api_story_refused(
		api, api_story_post_peer(api, &same_second, api->alice), 409, "replayed-proof"
	);
	api_story_served_with(api, 3);
}

static void test_one_key_for_two_sessions(void **state)
{
	struct api_story *api = *state;
	struct peer_proof other = api_story_proof(api, 2);
	uint64_t second_id = api_story_buy(api, PURCHASE_VOUCHER, 1 * GB, 0x52);
	uint8_t signature[65];
	char body[512], path[64];

	api_story_choose(api, 2);
	snprintf(path, sizeof(path), "/api/v1/sessions/%u/peer", (unsigned)second_id);
	other.issued_unix_sec = api_story_now_sec(api);
	memset(other.session_id, 0x52, 32);
	api_story_sign_proof(&other, api->alice, signature);
	api_story_peer_body(&other, signature, body);
	api_story_refused(api, api_story_post(api, path, NULL, body), 409, "public-key-in-use");
	assert_null(strstr(api->text, "s2")); // whose it is, is nobody's business
	// Once the first session has another key, this one is free.
	api_story_choose(api, 3);
	assert_int_equal(api_story_post(api, path, NULL, body), 200);
	// And the admin's session "alice" keeps its own.
	other = api_story_proof(api, 1);
	other.issued_unix_sec++;
	api_story_refused(
		api, api_story_post_peer(api, &other, api->alice), 409, "public-key-in-use"
	);
	api_story_served_with(api, 3);
}

#define UNKNOWN_ID "0x5151515151515151515151515151515151515151515151515151515151515150"

static void test_no_such_session(void **state)
{
	static const char *const paths[] = {
		"/api/v1/sessions/" UNKNOWN_ID "/peer",
		"/api/v1/sessions/0x5151/peer",
		"/api/v1/sessions/1/peer", // the operator's own
		"/api/v1/sessions/alice/peer",
		"/api/v1/sessions/99/peer",
		"/api/v1/sessions/nobody/vouchers",
	};
	struct api_story *api = *state;
	struct peer_proof proof = api_story_proof(api, 2);
	uint8_t signature[65];
	char body[512];

	api_story_sign_proof(&proof, api->alice, signature);
	api_story_peer_body(&proof, signature, body);
	for (size_t i = 0; i < TEST_N_ROWS(paths); i++) {
		bool is_peer = strstr(paths[i], "/peer") != NULL;
		api_story_refused(
			api,
			api_story_post(
				api,
				paths[i],
				NULL,
				is_peer ? body : "{\"cumulative_bytes\":1,\"signature\":\"0x00\"}"
			),
			is_peer ? 404 : 400,
			is_peer ? "unknown-session" : "about:blank"
		);
	}
}

static void test_after_the_end(void **state)
{
	struct api_story *api = *state;
	struct peer_proof proof;

	api_story_choose(api, 2);
	assert_int_equal(api_story_post(api, API_STORY_PATH "/end", api->alices_token, NULL), 200);
	settle_down(api->story);
	proof = api_story_proof(api, 3);
	api_story_refused(api, api_story_post_peer(api, &proof, api->alice), 409, "session-over");
}

static void test_bad_bodies(void **state)
{
	static const char key[] = "CQIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
	struct api_story *api = *state;
	char sig[EVM_HEX_SIZE(65)], body[1024];
	uint8_t zero[65] = {0};
	const struct {
		const char *format;
		const char *field;
	} rows[] = {
		{"{}", "public_key"},
		{"[]", ""},
		{"{\"public_key\":1,\"issued_at\":1,\"signature\":\"%2$s\"}", "public_key"},
		{"{\"public_key\":\"%1$.43s\",\"issued_at\":1,\"signature\":\"%2$s\"}",
		 "public_key"},
		{"{\"public_key\":\"%1$s\",\"signature\":\"%2$s\"}", "issued_at"},
		{"{\"public_key\":\"%1$s\",\"issued_at\":-1,\"signature\":\"%2$s\"}", "issued_at"},
		{"{\"public_key\":\"%1$s\",\"issued_at\":1.5,\"signature\":\"%2$s\"}", "issued_at"},
		{"{\"public_key\":\"%1$s\",\"issued_at\":\"now\",\"signature\":\"%2$s\"}",
		 "issued_at"},
		{"{\"public_key\":\"%1$s\",\"issued_at\":1}", "signature"},
		{"{\"public_key\":\"%1$s\",\"issued_at\":1,\"signature\":7}", "signature"},
		{"{\"public_key\":\"%1$s\",\"issued_at\":1,\"signature\":\"%2$.131s\"}",
		 "signature"},
		{"{\"public_key\":\"%1$s\",\"issued_at\":1,\"signature\":\"%2$s00\"}", "signature"},
		{"{\"public_key\":\"%1$s\",\"issued_at\":1,\"signature\":\"%2$s\",\"x\":1}", "x"},
		{"{\"generate_key\":true,\"public_key\":\"%1$s\"}", "public_key"},
		{"{\"generate_key\":1}", "generate_key"},
	};

	evm_hex_format(zero, 65, sig);
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(body, sizeof(body), rows[i].format, key, sig);
#pragma GCC diagnostic pop
		api_story_refused(
			api,
			api_story_post(api, API_STORY_PATH "/peer", NULL, body),
			400,
			"about:blank"
		);
		if (rows[i].field[0] != '\0')
			assert_string_equal(api_story_text(api, "field"), rows[i].field);
	}
	assert_state(api->story, SESSION_PENDING);
}

// A point of low order: a handshake with it would be everybody's.
static void test_unusable_key(void **state)
{
	struct api_story *api = *state;
	struct peer_proof proof = api_story_proof(api, 2);

	memset(proof.public_key, 0, 32);
	api_story_refused(api, api_story_post_peer(api, &proof, api->alice), 400, "about:blank");
	assert_string_equal(api_story_text(api, "field"), "public_key");
	assert_state(api->story, SESSION_PENDING);
}

// ---- another key -----------------------------------------------------------------------------

static void test_replacing_keeps_what_was_billed(void **state)
{
	struct api_story *api = *state;
	struct story *story = api->story;
	struct fake_dataplane *dp = &story->set.dp;
	struct usage_view usage;

	api_story_choose(api, 2);
	settle_down(story);
	const struct session first = now(story);
	fake_dataplane_handshake(dp, first.slot);
	settle_down(story);
	assert_state(story, SESSION_ACTIVE);
	pass(story, 400000);
	api_story_choose(api, 3);
	assert_true(now(story).is_key_replaced);
	api_story_served_with(api, 3);
	assert_state(story, SESSION_ACTIVE);
	const struct session second = now(story);
	assert_int_equal(second.slot, first.slot);
	assert_int_equal(second.generation, first.generation + 1);
	assert_memory_equal(&second.inner, &first.inner, sizeof(first.inner));
	assert_int_equal(dp->n_taken[ABI_COMMAND_REMOVE], 1);
	assert_int_equal(
		api_story_added(api)->base_out_bytes + api_story_added(api)->base_in_bytes, 400000
	);
	pass(story, 2000000); // up to the credit, which did not begin anew
	assert_int_equal(usage_read(story->set.fix.usage, story->id, &usage), 0);
	assert_int_equal(usage.out_bytes + usage.in_bytes, 1 * MB);
}

// Replaced while no data plane runs, while it is deaf, and twice before it listens.
static void test_replacing_at_bad_times(void **state)
{
	struct api_story *api = *state;
	struct story *story = api->story;
	struct fake_dataplane *dp = &story->set.dp;

	dp->is_deaf = true;
	api_story_choose(api, 2); // its `add` waits in the ring
	round_trip(&story->set);
	api_story_choose(api, 3);
	round_trip(&story->set);
	api_story_choose(api, 4);
	round_trip(&story->set);
	dp->is_deaf = false;
	for (int i = 0; i < 12; i++)
		second(&story->set); // past the time-out of the first command
	api_story_served_with(api, 4);

	dp->is_mute = true;
	api_story_choose(api, 5);
	round_trip(&story->set);
	dp->is_mute = false;
	for (int i = 0; i < 12; i++)
		second(&story->set);
	api_story_served_with(api, 5);

	fake_dataplane_kill(dp);
	round_trip(&story->set);
	api_story_choose(api, 6);
	round_trip(&story->set);
	restart_control(&story->set);
	start_dp(&story->set);
	api_story_served_with(api, 6);
}

// Each key costs the node records: ten at once, then one a minute.
static void test_pace(void **state)
{
	struct api_story *api = *state;
	struct peer_proof proof;
	uint8_t key = 2;

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 10 + (round == 0); i++) // the first key replaces none
			api_story_choose(api, key++);
		clock_manual_advance(&api->story->set.fix.manual, NS_PER_SEC);
		proof = api_story_proof(api, key);
		api_story_refused(
			api, api_story_post_peer(api, &proof, api->alice), 429, "too-many-keys"
		);
		restart(api->story); // and it is not forgotten
		api_story_refused(
			api, api_story_post_peer(api, &proof, api->alice), 429, "too-many-keys"
		);
		// The one that it has is no other.
		proof = api_story_proof(api, (uint8_t)(key - 1));
		assert_int_equal(api_story_post_peer(api, &proof, api->alice), 200);
		clock_manual_advance(&api->story->set.fix.manual, 60 * NS_PER_SEC);
		api_story_choose(api, key++);
		clock_manual_advance(&api->story->set.fix.manual, 600 * NS_PER_SEC);
	}
	api_story_served_with(api, (uint8_t)(key - 1));
}

static void test_suspended_stays_suspended(void **state)
{
	struct api_story *api = *state;
	struct story *story = api->story;
	struct session_error err;

	api_story_choose(api, 2);
	settle_down(story);
	assert_int_equal(session_suspend(story->set.fix.sessions, story->id, NULL, &err), 0);
	settle_down(story);
	api_story_choose(api, 3);
	api_story_served_with(api, 3);
	assert_state(story, SESSION_SUSPENDED);
	assert_int_equal(api_story_added(api)->gate, ABI_GATE_CLOSED);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, api_story_begin, api_story_end)
	const struct CMUnitTest tests[] = {
		TEST(test_first_key),
		TEST(test_voucher_signer_may_choose),
		TEST(test_lost_reply),
		TEST(test_both_forms_of_a_signature),
		TEST(test_wrong_signer),
		TEST(test_signed_for_something_else),
		TEST(test_stale_and_future),
		TEST(test_replay),
		TEST(test_one_key_for_two_sessions),
		TEST(test_no_such_session),
		TEST(test_after_the_end),
		TEST(test_bad_bodies),
		TEST(test_unusable_key),
		TEST(test_replacing_keeps_what_was_billed),
		TEST(test_replacing_at_bad_times),
		TEST(test_pace),
		TEST(test_suspended_stays_suspended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
