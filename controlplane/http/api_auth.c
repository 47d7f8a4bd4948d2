// SPDX-License-Identifier: Apache-2.0
//
// POST /api/v1/auth/challenge and POST /api/v1/auth: a buyer signs in with the wallet that paid
// (EIP-4361, EIP-191) and gets a bearer token for an hour. A wallet that is a contract is asked on its
// chain (ERC-1271), and its token holds for that chain alone: elsewhere the same address may be
// somebody else's. Nothing is remembered of a failed attempt, and a challenge is used up by a correct
// signature only. Loop's thread.
#include "api.h"

#include "controlplane/chain/evm/evm_eip712.h"
#include "controlplane/chain/evm/evm_signer.h"
#include "controlplane/http/api_challenge.h"
#include "controlplane/http/api_token.h"
#include "controlplane/http/api_wallet.h"
#include "controlplane/http/siwe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// A wallet's clock may be wrong by so much, and its owner slow to sign.
#define CLOCK_SKEW_SEC 60

static void post_challenge(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	const struct control *control = ctx;
	char challenge[API_CHALLENGE_TEXT_CAP];
	struct json_writer writer;

	(void)request;
	if (api_challenge_issue(control->challenges, challenge) < 0) {
		http_reply_problem(reply, 503, NULL, "there is no randomness");
		return;
	}
	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	json_put_string(&writer, "challenge", challenge);
	json_put_count(
		&writer,
		"expires_unix_sec",
		clock_unix_ns(control->clock) / NS_PER_SEC + API_CHALLENGE_LIFE_SEC
	);
	json_begin_array(&writer, "domains");
	for (uint32_t i = 0; i < control->config->api.n_auth_domains; i++)
		json_put_string(&writer, NULL, control->config->api.auth_domains[i]);
	json_end(&writer);
	json_end(&writer);
	http_reply_json(reply, 200, &writer);
	reply->is_secret = true; // not to be kept by anybody
}

static bool is_own_domain(const struct config_api *api, const char *domain)
{
	for (uint32_t i = 0; i < api->n_auth_domains; i++) {
		if (strcmp(api->auth_domains[i], domain) == 0)
			return true;
	}
	return false;
}

// Returns: NULL, or what is wrong with a message that is well formed.
static const char *check_message(const struct control *control, const struct siwe_message *message)
{
	int64_t now = (int64_t)(clock_unix_ns(control->clock) / NS_PER_SEC);

	if (!is_own_domain(&control->config->api, message->domain))
		return "the message is for another domain";
	if (!is_own_domain(&control->config->api, message->uri_authority))
		return "the message's URI is of another domain";
	if (message->chain_id == 0)
		return "chain 0 is no chain";
	if (message->issued_unix_sec > now + CLOCK_SKEW_SEC)
		return "the message is issued in the future: is the clock right?";
	if (message->issued_unix_sec < now - API_CHALLENGE_LIFE_SEC - CLOCK_SKEW_SEC)
		return "the message is too old: sign a new one";
	if (message->has_expiry && message->expires_unix_sec <= now)
		return "the message has expired: sign a new one";
	if (message->has_not_before && message->not_before_unix_sec > now)
		return "the message is not valid yet";
	return NULL;
}

#define NOT_THE_ADDRESS "the signature is not the address's"

struct sign_in {
	const char *text; // of the message
	struct siwe_message message;
	uint8_t digest[EVM_KECCAK_SIZE];
	struct api_signature signature;
};

static const char *challenge_text(int r)
{
	switch (r) {
	case -ETIME:
		return "the challenge has expired: ask for a new one";
	case -EALREADY:
		return "the challenge was used before: ask for a new one";
	default:
		return "the challenge is not one of this node: ask for one";
	}
}

static void refuse(struct http_reply *reply, const char *field, const char *text)
{
	http_reply_problem(reply, 401, field, "%s", text);
	reply->is_challenged = true;
}

static bool has_bought(struct control *control, const uint8_t buyer[EVM_ADDRESS_SIZE])
{
	uint8_t padded[32] = {0};
	struct db_txn txn;
	uint64_t id;

	memcpy(padded + sizeof(padded) - EVM_ADDRESS_SIZE, buyer, EVM_ADDRESS_SIZE);
	db_txn_begin_read(&txn, control->db);
	bool has = purchase_list_buyer(&txn, padded, 0, &id, 1) == 1;
	return db_txn_commit(&txn) == 0 && has;
}

static void reply_token(
	struct control *control,
	const uint8_t buyer[EVM_ADDRESS_SIZE],
	uint64_t chain_id,
	struct http_reply *reply
)
{
	char token[API_TOKEN_TEXT_CAP], address[EVM_ADDRESS_TEXT_SIZE];
	struct json_writer writer;
	uint64_t expires;

	if (api_token_issue(
		    control->tokens, buyer, chain_id, has_bought(control, buyer), token, &expires
	    ) < 0) {
		http_reply_problem(reply, 503, NULL, "too many buyers are signed in; try later");
		return;
	}
	evm_address_format(buyer, address);
	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	json_put_string(&writer, "token", token);
	json_put_string(&writer, "token_type", "Bearer");
	json_put_string(&writer, "buyer", address);
	json_put_count(&writer, "expires_unix_sec", expires);
	json_end(&writer);
	http_reply_json(reply, 200, &writer);
	reply->is_secret = true;
	explicit_bzero(token, sizeof(token));
}

// The signature is the buyer's. chain_id: as api_token_issue() wants it.
static void finish(
	struct control *control,
	const char *text,
	const uint8_t buyer[EVM_ADDRESS_SIZE],
	uint64_t chain_id,
	struct http_reply *reply
)
{
	int r = api_challenge_take(control->challenges, text);

	if (r == -EAGAIN)
		http_reply_problem(reply, 503, NULL, "too many buyers sign in; try later");
	else if (r < 0)
		refuse(reply, "message", challenge_text(r));
	else
		reply_token(control, buyer, chain_id, reply);
}

// ---- contract wallets ------------------------------------------------------------------------

struct wallet_job {
	struct api_chain_job head;
	uint64_t chain_id;
	uint8_t address[EVM_ADDRESS_SIZE];
	char challenge[SIWE_CHALLENGE_CAP];
};

static void on_wallet(
	struct api_chain_job *head, const struct chain_ask_answer *answer, struct http_reply *reply
)
{
	struct wallet_job *job = (struct wallet_job *)head;

	switch (api_wallet_verify(answer)) {
	case 0:
		finish(head->control, job->challenge, job->address, job->chain_id, reply);
		break;
	case -EBADMSG:
		refuse(reply, "signature", NOT_THE_ADDRESS);
		break;
	default:
		api_chain_reply_silent(reply, answer);
		break;
	}
}

static void ask_wallet(
	struct control *control,
	const struct http_request *request,
	const struct sign_in *sign_in,
	struct http_reply *reply
)
{
	const struct siwe_message *message = &sign_in->message;
	struct wallet_job *job = api_chain_job_create(control, request, sizeof(*job), reply);

	if (job == NULL)
		return;
	job->head.answered = on_wallet;
	job->chain_id = message->chain_id;
	memcpy(job->address, message->address, sizeof(job->address));
	memcpy(job->challenge, message->challenge, sizeof(job->challenge));
	if (api_wallet_ask(
		    &job->head,
		    &(struct api_wallet_question){
			    .chain_id = message->chain_id,
			    .address = message->address,
			    .digest = sign_in->digest,
			    .signature = &sign_in->signature,
		    },
		    reply
	    ) < 0)
		free(job);
}

// ---- POST /auth ------------------------------------------------------------------------------

// The order: what costs little first, then the signature, and the challenge is taken last.
static void check_sign_in(
	struct control *control,
	const struct http_request *request,
	struct sign_in *sign_in,
	struct http_reply *reply
)
{
	const struct siwe_message *message = &sign_in->message;
	const char *wrong = check_message(control, message);
	struct api_chain chain;
	int r;

	if (wrong != NULL) {
		refuse(reply, "message", wrong);
		return;
	}
	r = api_challenge_look(control->challenges, message->challenge);
	if (r < 0 && r != -EAGAIN) {
		refuse(reply, "message", challenge_text(r));
		return;
	}
	evm_eip712_personal_digest(sign_in->text, strlen(sign_in->text), sign_in->digest);
	if (sign_in->signature.is_account &&
	    evm_signer_verify(message->address, sign_in->digest, sign_in->signature.account) == 0)
		finish(control, message->challenge, message->address, 0, reply);
	else if (control->ask != NULL && api_chain_lookup(control, message->chain_id, &chain))
		ask_wallet(control, request, sign_in, reply);
	else
		refuse(reply, "signature", NOT_THE_ADDRESS);
}

static void post_auth(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	struct control *control = ctx;
	struct sign_in sign_in;
	struct json_reader reader;
	const char *part;

	json_reader_init(&reader, request->body);
	sign_in.text = json_reader_string(&reader, "message", 1, SIWE_MESSAGE_MAX);
	api_signature_read_any(&reader, control->ask != NULL, &sign_in.signature);
	if (json_reader_finish(&reader) < 0) {
		http_reply_reader_error(reply, &reader);
		return;
	}
	if (siwe_parse(&sign_in.message, sign_in.text, strlen(sign_in.text), &part) < 0) {
		http_reply_problem(
			reply, 400, "message", "this is no EIP-4361 message: %s is wrong", part
		);
		return;
	}
	check_sign_in(control, request, &sign_in, reply);
}

const struct http_route api_auth_routes[] = {
	{HTTP_POST, "/api/v1/auth/challenge", post_challenge, HTTP_PUBLIC},
	{HTTP_POST, "/api/v1/auth", post_auth, HTTP_PUBLIC},
};
const size_t api_auth_n_routes = sizeof(api_auth_routes) / sizeof(api_auth_routes[0]);
