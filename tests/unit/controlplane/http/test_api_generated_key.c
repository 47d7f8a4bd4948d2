// SPDX-License-Identifier: Apache-2.0
//
// POST …/peer without a signature: a key pair that the node makes for who holds the buyer's token, and
// when the private half goes.
#include "tests/unit/controlplane/http/api_story.h"

#include <unistd.h>

static bool has_key_file(struct api_story *api, const uint8_t public_key[32])
{
	char path[512], hex[EVM_HEX_SIZE(32)];

	evm_hex_format(public_key, 32, hex);
	snprintf(
		path,
		sizeof(path),
		"%s/client-keys/%s.key",
		api->story->set.fix.config.node.state_dir,
		hex + 2
	);
	return access(path, F_OK) == 0;
}

static int generate(struct api_story *api, const char *token)
{
	return api_story_post(api, API_STORY_PATH "/peer", token, "{\"generate_key\":true}");
}

static void test_generated_key_needs_the_buyers_token(void **state)
{
	struct api_story *api = *state;

	api_story_refused(api, generate(api, NULL), 401, "about:blank");
	api_story_refused(api, generate(api, "wrong"), 401, "about:blank");
	api_story_refused(api, generate(api, api->bobs_token), 403, "wrong-signer");
	clock_manual_advance(&api->story->set.fix.manual, 3601 * NS_PER_SEC);
	api_story_refused(api, generate(api, api->alices_token), 401, "about:blank");
	assert_state(api->story, SESSION_PENDING);
}

static void test_generated_key(void **state)
{
	struct api_story *api = *state;
	struct peer_proof proof = api_story_proof(api, 2);
	uint8_t first[32], second_key[32];

	assert_int_equal(generate(api, api->alices_token), 200);
	assert_null(strstr(api_story_text(api, "config"), CLIENT_CONF_KEY_PLACEHOLDER));
	memcpy(first, now(api->story).public_key, 32);
	assert_true(has_key_file(api, first));
	// A proof of that second or before does not undo it, and another generation is another key.
	api_story_refused(api, api_story_post_peer(api, &proof, api->alice), 409, "replayed-proof");
	assert_int_equal(generate(api, api->alices_token), 200);
	memcpy(second_key, now(api->story).public_key, 32);
	assert_memory_not_equal(first, second_key, 32);
	assert_false(has_key_file(api, first));
	assert_true(has_key_file(api, second_key));
	for (int i = 0; i < 5; i++) // it does not run ahead of the clock
		assert_int_equal(generate(api, api->alices_token), 200);
	memcpy(second_key, now(api->story).public_key, 32);
	// The buyer's own key: the node's is gone.
	api_story_choose(api, 3);
	assert_false(has_key_file(api, second_key));
	api_story_served_with(api, 3);
	assert_false(now(api->story).is_private_key_kept);
}

static void test_generated_key_goes_with_the_session(void **state)
{
	struct api_story *api = *state;
	uint8_t key[32];

	assert_int_equal(generate(api, api->alices_token), 200);
	memcpy(key, now(api->story).public_key, 32);
	settle_down(api->story); // also over a restart
	assert_true(has_key_file(api, key));
	assert_int_equal(api_story_post(api, API_STORY_PATH "/end", api->alices_token, NULL), 200);
	assert_false(has_key_file(api, key));
	settle_down(api->story);
	assert_false(now(api->story).is_private_key_kept);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, api_story_begin, api_story_end)
	const struct CMUnitTest tests[] = {
		TEST(test_generated_key_needs_the_buyers_token),
		TEST(test_generated_key),
		TEST(test_generated_key_goes_with_the_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
