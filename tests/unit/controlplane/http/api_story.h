// SPDX-License-Identifier: Apache-2.0
//
// Requests of buyers to the API's handlers, through everything of the server but the network, on the
// bought session of lifecycle_story.h: a real store, a double of the data plane, real keys. Alice buys,
// the story's signer signs the vouchers, bob is anybody else.
#pragma once

#include "controlplane/chain/evm/evm_eip712.h"
#include "controlplane/chain/evm/evm_hex.h"
#include "controlplane/http/api.h"
#include "controlplane/http/api_challenge.h"
#include "controlplane/http/api_problem.h"
#include "controlplane/http/api_token.h"
#include "controlplane/http/http_exchange.h"
#include "controlplane/http/peer_proof.h"
#include "controlplane/session/client_conf.h"

#define connect lifecycle_story_connect // the name is socket(2)'s here
#include "tests/unit/controlplane/lifecycle_story.h"
#undef connect

#define API_STORY_NODE 7
#define API_STORY_ID "0x5151515151515151515151515151515151515151515151515151515151515151"
#define API_STORY_PATH "/api/v1/sessions/" API_STORY_ID

struct api_story {
	struct story *story;
	struct api_token_book *tokens;
	struct api_challenge_book *challenges;
	struct evm_signer *alice, *bob, *node;
	char alices_token[API_TOKEN_TEXT_CAP], bobs_token[API_TOKEN_TEXT_CAP];
	struct json_value *reply; // of the last request
	char *text; // the same
	size_t text_len;
};

static inline struct control api_story_control(struct api_story *api)
{
	struct control_fixture *fix = &api->story->set.fix;

	return (struct control){
		.config = &fix->config,
		.clock = &fix->clock,
		.db = fix->db,
		.sessions = fix->sessions,
		.usage = fix->usage,
		.link = fix->link,
		.life = api->story->life,
		.health = &fix->health,
		.tokens = api->tokens,
		.challenges = api->challenges,
		.signers = {api->node},
	};
}

static inline void api_story_token(
	struct api_story *api, struct evm_signer *who, char token[API_TOKEN_TEXT_CAP]
)
{
	uint8_t address[20];
	uint64_t expires;

	evm_signer_address(who, address);
	assert_int_equal(api_token_issue(api->tokens, address, 0, false, token, &expires), 0);
}

// Alice buys `bytes`; id: the byte that the session's id on the chain is made of.
static inline uint64_t api_story_buy(
	struct api_story *api, enum purchase_mode mode, uint64_t bytes, uint8_t id
)
{
	struct story *story = api->story;
	struct chain_event event = {
		.kind = CHAIN_EVENT_CREATED,
		.bytes = bytes,
		.deadline_sec = FIXTURE_UNIX_SEC + 86400,
		.mode = (uint8_t)mode,
		.price_per_gb = u256_from_u64(1000000000000000),
		.block_number = ++story->block,
	};
	const struct chain_step step = {.events = &event, .n_events = 1};

	memset(event.session_id, id, sizeof(event.session_id));
	evm_signer_address(api->alice, event.buyer + 12);
	evm_signer_address(story->signer, event.voucher_signer + 12);
	put_step(story, step);
	return id == 0x51 ? (story->id = 2) : story->id + 1;
}

static inline int api_story_begin(void **state)
{
	static const uint8_t alice_key[32] = {[31] = 9}, bob_key[32] = {[31] = 11};
	static const uint8_t node_key[32] = {[31] = 13};
	struct api_story *api = calloc(1, sizeof(*api));
	char err[256], escrow[EVM_ADDRESS_TEXT_SIZE];
	struct config *config;
	void *story;

	if (setup(&story) != 0)
		return -1;
	api->story = story;
	config = &api->story->set.fix.config;
	evm_address_format(contract + 12, escrow);
	snprintf(config->chains[0].escrow, sizeof(config->chains[0].escrow), "%s", escrow);
	config->chains[0].id = CHAIN_ID;
	config->n_chains = 1;
	config->chains[0].node_id = API_STORY_NODE;
	snprintf(config->node.endpoint.host, CONFIG_TEXT_CAP, "node.example");
	config->node.endpoint.port = 51820;
	assert_int_equal(evm_signer_create(&api->alice, alice_key), 0);
	assert_int_equal(evm_signer_create(&api->bob, bob_key), 0);
	assert_int_equal(evm_signer_create(&api->node, node_key), 0);
	assert_int_equal(
		api_token_book_create(
			&api->tokens, "/nonexistent", &api->story->set.fix.clock, err, sizeof(err)
		),
		0
	);
	assert_int_equal(
		api_challenge_book_create(&api->challenges, &api->story->set.fix.clock), 0
	);
	config->api.n_auth_domains = 1;
	strcpy(config->api.auth_domains[0], "node.example");
	api_story_token(api, api->alice, api->alices_token);
	api_story_token(api, api->bob, api->bobs_token);
	api_story_buy(api, PURCHASE_VOUCHER, 1 * GB, 0x51);
	*state = api;
	return 0;
}

static inline void api_story_forget_reply(struct api_story *api)
{
	json_free(api->reply);
	free(api->text);
	api->reply = NULL;
	api->text = NULL;
}

static inline int api_story_end(void **state)
{
	struct api_story *api = *state;
	void *story = api->story;

	api_story_forget_reply(api);
	api_token_book_destroy(api->tokens);
	api_challenge_book_destroy(api->challenges);
	evm_signer_destroy(api->alice);
	evm_signer_destroy(api->bob);
	evm_signer_destroy(api->node);
	free(api);
	return teardown(&story);
}

static inline void api_story_keep_reply(struct api_story *api, const struct http_reply *reply)
{
	api_story_forget_reply(api);
	api->text = calloc(1, reply->body_len + 1);
	if (reply->body_len > 0)
		memcpy(api->text, reply->body, reply->body_len);
	api->text_len = reply->body_len;
	if (reply->content_type != NULL && strstr(reply->content_type, "json") != NULL)
		assert_int_equal(json_parse(reply->body, reply->body_len, &api->reply), 0);
}

// path: without the query. body: NULL for none; its length may hold NULs. Returns: the status.
static inline int api_story_send(
	struct api_story *api,
	const char *method,
	const char *path,
	const char *token,
	const char *body,
	size_t len
)
{
	struct control control = api_story_control(api);
	struct http_route_table tables[API_MAX_TABLES];
	char length[32] = "", authorization[512];
	const struct http_exchange_conf conf = {
		.tables = tables,
		.n_tables = api_tables(tables, &control),
		.max_body_bytes = 65536,
		.authenticate = api_token_authenticate,
		.authenticate_ctx = api->tokens,
	};
	struct http_head head = {
		.method = method,
		.path = path,
		.path_len = strlen(path),
		.content_length = length,
		.content_type = "application/json",
	};
	struct http_exchange exchange;
	int status;

	if (token != NULL) {
		snprintf(authorization, sizeof(authorization), "Bearer %s", token);
		head.authorization = authorization;
	}
	if (body != NULL)
		snprintf(length, sizeof(length), "%zu", len);
	http_exchange_init(&exchange);
	if (http_exchange_begin(&exchange, &conf, &head, false) == HTTP_EXCHANGE_BODY) {
		http_exchange_body(&exchange, body, len);
		http_exchange_complete(&exchange);
	}
	status = exchange.reply.status;
	api_story_keep_reply(api, &exchange.reply);
	http_exchange_fini(&exchange);
	return status;
}

static inline int api_story_post(
	struct api_story *api, const char *path, const char *token, const char *body
)
{
	return api_story_send(api, "POST", path, token, body, body == NULL ? 0 : strlen(body));
}

static inline int api_story_get(struct api_story *api, const char *path, const char *token)
{
	return api_story_send(api, "GET", path, token, NULL, 0);
}

static inline const char *api_story_text(const struct api_story *api, const char *member)
{
	return json_string(json_member(api->reply, member));
}

static inline uint64_t api_story_count(const struct api_story *api, const char *member)
{
	uint64_t value = 0;

	assert_int_equal(json_count(json_member(api->reply, member), &value), 0);
	return value;
}

// The problem's type, or "about:blank", and that it is counted and of the documented status.
static inline void api_story_refused(
	struct api_story *api, int status, int expected, const char *name
)
{
	char type[96];

	if (status != expected)
		fail_msg("%d, not %d: %s", status, expected, api->text);
	snprintf(
		type,
		sizeof(type),
		"%s%s",
		strcmp(name, "about:blank") == 0 ? "" : API_PROBLEM_TYPE_PREFIX,
		name
	);
	assert_string_equal(api_story_text(api, "type"), type);
	assert_true(strlen(api_story_text(api, "detail")) > 5);
}

static inline uint64_t api_story_now_sec(const struct api_story *api)
{
	return clock_unix_ns(&api->story->set.fix.clock) / NS_PER_SEC;
}

// A proof for the story's session as it is; change it before it is signed.
static inline struct peer_proof api_story_proof(const struct api_story *api, uint8_t key)
{
	struct peer_proof proof = {
		.chain_id = CHAIN_ID,
		.issued_unix_sec = api_story_now_sec(api),
	};

	memcpy(proof.escrow, contract + 12, 20);
	proof.node_id[31] = API_STORY_NODE;
	memset(proof.session_id, 0x51, 32);
	control_fixture_public_key(proof.public_key, key);
	return proof;
}

static inline void api_story_sign_proof(
	const struct peer_proof *proof, const struct evm_signer *who, uint8_t signature[65]
)
{
	char text[PEER_PROOF_TEXT_CAP];
	uint8_t digest[EVM_KECCAK_SIZE];
	size_t len = peer_proof_text(proof, text);

	evm_eip712_personal_digest(text, len, digest);
	assert_int_equal(evm_signer_sign(who, digest, signature), 0);
}

static inline void api_story_peer_body(
	const struct peer_proof *proof, const uint8_t signature[65], char body[512]
)
{
	char key[45], hex[EVM_HEX_SIZE(65)];

	client_conf_key_text(key, proof->public_key);
	evm_hex_format(signature, 65, hex);
	snprintf(
		body,
		512,
		"{\"public_key\":\"%s\",\"issued_at\":%llu,\"signature\":\"%s\"}",
		key,
		(unsigned long long)proof->issued_unix_sec,
		hex
	);
}

static inline int api_story_post_peer(
	struct api_story *api, const struct peer_proof *proof, const struct evm_signer *who
)
{
	uint8_t signature[65];
	char body[512];

	api_story_sign_proof(proof, who, signature);
	api_story_peer_body(proof, signature, body);
	return api_story_post(api, API_STORY_PATH "/peer", NULL, body);
}

// Alice's key `key`, chosen a second after whatever was chosen before.
static inline void api_story_choose(struct api_story *api, uint8_t key)
{
	clock_manual_advance(&api->story->set.fix.manual, NS_PER_SEC);
	struct peer_proof proof = api_story_proof(api, key);

	assert_int_equal(api_story_post_peer(api, &proof, api->alice), 200);
}

// What the data plane was told of the session.
static inline const struct abi_command *api_story_added(struct api_story *api)
{
	return &api->story->set.dp.adds[now(api->story).slot];
}

static inline void api_story_served_with(struct api_story *api, uint8_t key)
{
	uint8_t public_key[32];

	control_fixture_public_key(public_key, key);
	settle_down(api->story);
	assert_memory_equal(api_story_added(api)->public_key, public_key, 32);
	assert_memory_equal(now(api->story).public_key, public_key, 32);
	assert_int_equal(api_story_added(api)->generation, now(api->story).generation);
	assert_false(now(api->story).is_key_replaced);
}
