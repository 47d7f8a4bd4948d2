// SPDX-License-Identifier: Apache-2.0
//
// Every route of the API without a credential, with wrong ones, one of another role and one that has
// expired; and signing in (POST /auth): what a replayed, stale, foreign or forged message gets.
#include "tests/unit/controlplane/http/api_story.h"

#include <time.h>

// ---- every route -----------------------------------------------------------------------------

// The pattern with something in its braces.
static void fill(const char *pattern, char path[256])
{
	char *at = path;

	while (*pattern != '\0') {
		if (*pattern != '{') {
			*at++ = *pattern++;
			continue;
		}
		bool is_address = strncmp(pattern, "{address}", 9) == 0;
		bool is_session = strncmp(pattern, "{name-or-id}", 12) == 0;
		at +=
			sprintf(at,
				"%s",
				is_address	     ? "0x0000000000000000000000000000000000000001"
					: is_session ? API_STORY_ID
						     : "1");
		pattern += strcspn(pattern, "}") + 1;
	}
	*at = '\0';
}

static void check_refused(
	struct api_story *api, const struct http_route *route, const char *token, int expected
)
{
	bool has_body = route->method == HTTP_POST || route->method == HTTP_PUT;
	char path[256];

	fill(route->pattern, path);
	int status = api_story_send(
		api,
		http_method_name(route->method),
		path,
		token,
		has_body ? "{}" : NULL,
		has_body ? 2 : 0
	);
	if (status != expected)
		fail_msg(
			"%s %s with '%s': %d, not %d: %s",
			http_method_name(route->method),
			path,
			token == NULL ? "nothing" : token,
			status,
			expected,
			api->text
		);
	assert_string_equal(api_story_text(api, "type"), "about:blank");
}

static void check_route(struct api_story *api, const struct http_route *route, const char *expired)
{
	char cut[API_TOKEN_TEXT_CAP], longer[API_TOKEN_TEXT_CAP + 2], flipped[API_TOKEN_TEXT_CAP];

	if (route->access == HTTP_PUBLIC)
		return;
	strcpy(cut, api->alices_token);
	cut[strlen(cut) - 1] = '\0';
	snprintf(longer, sizeof(longer), "%s0", api->alices_token);
	strcpy(flipped, api->alices_token);
	flipped[10] = flipped[10] == '0' ? '1' : '0';
	if (route->access != HTTP_SIGNED)
		check_refused(api, route, NULL, 401);
	check_refused(api, route, "", 401);
	check_refused(api, route, "wrong", 401);
	check_refused(api, route, cut, 401);
	check_refused(api, route, longer, 401);
	check_refused(api, route, flipped, 401);
	check_refused(api, route, expired, 401);
	if (route->access == HTTP_OPERATOR)
		check_refused(api, route, api->alices_token, 403);
}

static void test_every_route(void **state)
{
	struct api_story *api = *state;
	struct control control = api_story_control(api);
	struct http_route_table tables[API_MAX_TABLES];
	size_t n_tables = api_tables(tables, &control), n = 0;
	char expired[API_TOKEN_TEXT_CAP];

	strcpy(expired, api->alices_token);
	clock_manual_advance(&api->story->set.fix.manual, 3601 * NS_PER_SEC);
	api_story_token(api, api->alice, api->alices_token);
	for (size_t t = 0; t < n_tables; t++) {
		for (size_t i = 0; i < tables[t].n_routes; i++, n++)
			check_route(api, &tables[t].routes[i], expired);
	}
	assert_true(n >= 30);
	assert_state(api->story, SESSION_PENDING);
}

// A token is a header of one form; whatever else stands there is none.
static void test_other_schemes(void **state)
{
	static const char *const rows[] = {"Basic %s", "bearer%s", "%s", "Token %s", "Bearer"};
	struct api_story *api = *state;
	struct control control = api_story_control(api);
	struct http_route_table tables[API_MAX_TABLES];
	const struct http_exchange_conf conf = {
		.tables = tables,
		.n_tables = api_tables(tables, &control),
		.authenticate = api_token_authenticate,
		.authenticate_ctx = api->tokens,
	};

	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		char authorization[128];
		struct http_head head = {
			.method = "GET",
			.path = API_STORY_PATH,
			.path_len = strlen(API_STORY_PATH),
			.content_length = "",
			.content_type = "",
			.authorization = authorization,
		};
		struct http_exchange exchange;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(authorization, sizeof(authorization), rows[i], api->alices_token);
#pragma GCC diagnostic pop
		http_exchange_init(&exchange);
		assert_int_equal(
			http_exchange_begin(&exchange, &conf, &head, false), HTTP_EXCHANGE_REPLY
		);
		assert_int_equal(exchange.reply.status, 401);
		assert_true(exchange.reply.is_challenged);
		http_exchange_fini(&exchange);
	}
}

// ---- signing in ------------------------------------------------------------------------------

struct message {
	const char *domain;
	const char *uri;
	uint64_t chain_id;
	char challenge[API_CHALLENGE_TEXT_CAP];
	int64_t issued_sec;
	int64_t expires_sec; // 0: none
};

static void time_text(int64_t sec, char text[32])
{
	time_t t = (time_t)sec;
	struct tm tm;

	strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
}

static struct message fresh(struct api_story *api)
{
	struct message message = {
		.domain = "node.example",
		.uri = "https://node.example/",
		.chain_id = CHAIN_ID,
		.issued_sec = (int64_t)api_story_now_sec(api),
	};

	assert_int_equal(api_story_post(api, "/api/v1/auth/challenge", NULL, NULL), 200);
	snprintf(
		message.challenge, sizeof(message.challenge), "%s", api_story_text(api, "challenge")
	);
	return message;
}

// Alice's message, signed by `who`. Returns: the status.
static int sign_in(struct api_story *api, const struct message *message, struct evm_signer *who)
{
	char address[EVM_ADDRESS_TEXT_SIZE], issued[32], expires[64] = "", text[1024];
	uint8_t alice[20], digest[EVM_KECCAK_SIZE], signature[65];
	char hex[EVM_HEX_SIZE(65)], *body;
	struct json_writer writer;

	evm_signer_address(api->alice, alice);
	evm_address_format(alice, address);
	time_text(message->issued_sec, issued);
	if (message->expires_sec != 0) {
		strcpy(expires, "\nExpiration Time: ");
		time_text(message->expires_sec, expires + strlen(expires));
	}
	snprintf(
		text,
		sizeof(text),
		"%s wants you to sign in with your Ethereum account:\n%s\n\n\nURI: %s\nVersion: 1\n"
		"Chain ID: %" PRIu64 "\nNonce: %s\nIssued At: %s%s",
		message->domain,
		address,
		message->uri,
		message->chain_id,
		message->challenge,
		issued,
		expires
	);
	evm_eip712_personal_digest(text, strlen(text), digest);
	assert_int_equal(evm_signer_sign(who, digest, signature), 0);
	evm_hex_format(signature, sizeof(signature), hex);
	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	json_put_string(&writer, "message", text);
	json_put_string(&writer, "signature", hex);
	json_end(&writer);
	assert_int_equal(json_writer_finish(&writer, false, &body), 0);
	int status = api_story_post(api, "/api/v1/auth", NULL, body);
	free(body);
	return status;
}

static void test_sign_in_opens_ones_own(void **state)
{
	struct api_story *api = *state;
	const struct message message = fresh(api);
	char token[API_TOKEN_TEXT_CAP];

	assert_int_equal(sign_in(api, &message, api->alice), 200);
	snprintf(token, sizeof(token), "%s", api_story_text(api, "token"));
	assert_int_equal(api_story_get(api, API_STORY_PATH, token), 200);
	assert_int_equal(
		api_story_get(api, "/api/v1/sessions/alice", token), 404
	); // the operator's
	assert_int_equal(api_story_get(api, "/api/v1/sessions", token), 403);
	clock_manual_advance(&api->story->set.fix.manual, 3599 * NS_PER_SEC);
	assert_int_equal(api_story_get(api, API_STORY_PATH, token), 200);
	clock_manual_advance(&api->story->set.fix.manual, 2 * NS_PER_SEC);
	assert_int_equal(api_story_get(api, API_STORY_PATH, token), 401);
}

static void test_replayed_message(void **state)
{
	struct api_story *api = *state;
	const struct message message = fresh(api);

	assert_int_equal(sign_in(api, &message, api->alice), 200);
	api_story_refused(api, sign_in(api, &message, api->alice), 401, "about:blank");
	assert_non_null(strstr(api_story_text(api, "detail"), "used before"));
}

// A forged one does not use the challenge up.
static void test_forged_message(void **state)
{
	struct api_story *api = *state;
	const struct message message = fresh(api);

	api_story_refused(api, sign_in(api, &message, api->bob), 401, "about:blank");
	assert_int_equal(sign_in(api, &message, api->alice), 200);
}

static void test_wrong_messages(void **state)
{
	struct api_story *api = *state;
	int64_t now_sec = (int64_t)api_story_now_sec(api);
	const struct message right = fresh(api);
	struct message rows[8] = {right, right, right, right, right, right, right, right};

	rows[0].domain = "other.example";
	rows[1].uri = "https://other.example/";
	rows[2].chain_id = 0;
	rows[3].issued_sec = now_sec + 61;
	rows[4].issued_sec = now_sec - 361;
	rows[5].expires_sec = now_sec;
	rows[6].challenge[3] = rows[6].challenge[3] == '0' ? '1' : '0';
	memset(rows[7].challenge, '0', sizeof(rows[7].challenge) - 1);
	for (size_t i = 0; i < TEST_N_ROWS(rows); i++) {
		int status = sign_in(api, &rows[i], api->alice);
		if (status != 401)
			fail_msg("row %zu: %d %s", i, status, api->text);
	}
	assert_int_equal(sign_in(api, &right, api->alice), 200);
}

static void test_stale_challenge(void **state)
{
	struct api_story *api = *state;
	struct message message = fresh(api);

	clock_manual_advance(
		&api->story->set.fix.manual, (API_CHALLENGE_LIFE_SEC + 1) * NS_PER_SEC
	);
	message.issued_sec = (int64_t)api_story_now_sec(api);
	api_story_refused(api, sign_in(api, &message, api->alice), 401, "about:blank");
	assert_non_null(strstr(api_story_text(api, "detail"), "expired"));
}

static void test_bad_bodies(void **state)
{
	static const char *const rows[] = {
		"{}",
		"[]",
		"{\"message\":1,\"signature\":\"0x00\"}",
		"{\"message\":\"\",\"signature\":\"0x00\"}",
		"{\"message\":\"hello\"}",
		"{\"message\":\"hello\",\"signature\":\"0x00\"}",
		"{\"message\":\"hello\",\"signature\":\"zz\"}",
		"{\"message\":\"hel\\u0000lo\",\"signature\":\"0x00\"}",
		"{\"message\":\"hello\",\"signature\":\"0x00\",\"more\":1}",
		"{\"message\":\"hello\",\"message\":\"hello\",\"signature\":\"0x00\"}",
		"{\"message\":\"\xff\",\"signature\":\"0x00\"}",
		"{\"message\"",
		"nonsense",
	};
	struct api_story *api = *state;

	for (size_t i = 0; i < TEST_N_ROWS(rows); i++)
		api_story_refused(
			api, api_story_post(api, "/api/v1/auth", NULL, rows[i]), 400, "about:blank"
		);
	api_story_refused(
		api,
		api_story_send(api, "POST", "/api/v1/auth", NULL, "{\0}", 3),
		400,
		"about:blank"
	);
}

// Every body of a buyer's routes cut at each octet, and with each bit flipped: told, never served.
static void test_cut_and_flipped(void **state)
{
	struct api_story *api = *state;
	const struct peer_proof proof = api_story_proof(api, 2);
	uint8_t signature[65];
	char body[512], bad[512];

	api_story_sign_proof(&proof, api->alice, signature);
	api_story_peer_body(&proof, signature, body);
	size_t len = strlen(body);
	for (size_t i = 0; i < len; i++) {
		int status = api_story_send(api, "POST", API_STORY_PATH "/peer", NULL, body, i);
		if (status != 400)
			fail_msg("cut at %zu: %d", i, status);
	}
	for (size_t bit = 0; bit < 8 * len; bit++) {
		memcpy(bad, body, len);
		bad[bit / 8] ^= (char)(1 << bit % 8);
		int status = api_story_send(api, "POST", API_STORY_PATH "/peer", NULL, bad, len);
		// A letter of the hex digits in the other case is the same signature.
		if (status == 200 && bit % 8 == 5)
			continue;
		if (status != 400 && status != 403)
			fail_msg("bit %zu: %d %s", bit, status, api->text);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, api_story_begin, api_story_end)
	const struct CMUnitTest tests[] = {
		TEST(test_every_route),
		TEST(test_other_schemes),
		TEST(test_sign_in_opens_ones_own),
		TEST(test_replayed_message),
		TEST(test_forged_message),
		TEST(test_wrong_messages),
		TEST(test_stale_challenge),
		TEST(test_bad_bodies),
		TEST(test_cut_and_flipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
