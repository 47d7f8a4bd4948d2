// SPDX-License-Identifier: Apache-2.0
//
// POST /api/v1/sessions/{name-or-id}/peer: the buyer chooses the WireGuard public key of a session that
// was bought. A signature over peer_proof.h's text says that it is the buyer, or the voucher signer; one
// that is a contract is asked on its chain (ERC-1271). Without a signature the node makes the key pair,
// for who holds a token. The choice is in the store before the
// reply says so, and the data plane follows it after any restart. Loop's thread.
#include "api.h"

#include "controlplane/chain/evm/evm_eip712.h"
#include "controlplane/chain/evm/evm_hex.h"
#include "controlplane/http/api_config.h"
#include "controlplane/http/api_problem.h"
#include "controlplane/http/api_wallet.h"
#include "controlplane/http/peer_proof.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct peer_body {
	bool is_key_generated;
	uint8_t public_key[32];
	uint64_t issued_unix_sec;
	struct api_signature signature;
};

static void read_body(struct json_reader *reader, bool has_wallets, struct peer_body *body)
{
	const char *text;

	*body = (struct peer_body){0};
	body->is_key_generated = json_reader_bool_or(reader, "generate_key", false);
	if (body->is_key_generated)
		return;
	text = json_reader_string(reader, "public_key", 1, 128);
	if (text != NULL && client_conf_key_parse(body->public_key, text) < 0)
		json_reader_fail(
			reader, "public_key", "32 bytes in base64 (44 characters) are expected"
		);
	body->issued_unix_sec = json_reader_u64(reader, "issued_at", 1, INT64_MAX);
	api_signature_read_any(reader, has_wallets, &body->signature);
}

static struct peer_proof proof_of(
	const struct control *control, const struct session *session, const struct peer_body *body
)
{
	struct peer_proof proof = {
		.chain_id = session->identity.chain,
		.issued_unix_sec = body->issued_unix_sec,
	};
	const struct config_chain *chain =
		config_chain_lookup(control->config, session->identity.chain);

	memcpy(proof.escrow, session->identity.contract + 12, sizeof(proof.escrow));
	// Of a chain that left the configuration no node is ours, so nobody has signed for it.
	u256_to_be(u256_from_u64(chain != NULL ? chain->node_id : 0), proof.node_id);
	memcpy(proof.session_id, session->identity.id, sizeof(proof.session_id));
	memcpy(proof.public_key, body->public_key, sizeof(proof.public_key));
	return proof;
}

static void refuse_signer(struct http_reply *reply)
{
	api_reply_problem(
		reply,
		API_PROBLEM_WRONG_SIGNER,
		"signature",
		"the buyer or the voucher signer must sign for this chain, escrow, node, session, "
		"public key and time"
	);
}

// A replay is told later, by the store.
//
// Returns: 0; -EBADMSG when no account's key made the signature; -ETIME, the reply stands.
static int check_proof(
	const struct control *control,
	const struct session *session,
	const struct purchase *purchase,
	const struct peer_body *body,
	struct http_reply *reply
)
{
	const struct peer_proof proof = proof_of(control, session, body);
	struct peer_proof_rule rule = {
		.newest_unix_sec = session->peer_unix_sec,
		.now_unix_sec = clock_unix_ns(control->clock) / NS_PER_SEC,
	};
	static const uint8_t none[EVM_SIGNER_SIGNATURE_SIZE];
	int rc;

	memcpy(rule.buyer, purchase->buyer + 12, sizeof(rule.buyer));
	memcpy(rule.voucher_signer, purchase->voucher_signer + 12, sizeof(rule.voucher_signer));
	rc = peer_proof_verify(
		&proof, &rule, body->signature.is_account ? body->signature.account : none
	);
	if (rc == -ETIME)
		api_reply_problem(
			reply,
			API_PROBLEM_STALE_PROOF,
			"issued_at",
			"issued at %llu; the node's clock says %llu: sign it now, not more than "
			"%u s before or %u s after",
			(unsigned long long)proof.issued_unix_sec,
			(unsigned long long)rule.now_unix_sec,
			PEER_PROOF_MAX_AGE_SEC,
			PEER_PROOF_SKEW_SEC
		);
	return rc == -EALREADY ? 0 : rc;
}

// Whether the caller's token lets the node make a key for this session.
static bool check_token(
	const struct http_caller *caller,
	const struct session *session,
	const struct purchase *purchase,
	struct http_reply *reply
)
{
	if (caller->role == HTTP_ROLE_OPERATOR ||
	    (caller->role == HTTP_ROLE_BUYER &&
	     (caller->buyer_chain == 0 || caller->buyer_chain == session->identity.chain) &&
	     memcmp(purchase->buyer + 12, caller->buyer, HTTP_BUYER_BYTES) == 0))
		return true;
	if (caller->role == HTTP_ROLE_BUYER) {
		api_reply_problem(
			reply,
			API_PROBLEM_WRONG_SIGNER,
			NULL,
			"the token is of another account than the buyer's"
		);
		return false;
	}
	http_reply_problem(
		reply, 401, "generate_key", "a key that the node makes is for the buyer's token"
	);
	reply->is_challenged = true;
	return false;
}

static void reply_error(
	struct control *control, const struct session_error *err, struct http_reply *reply
)
{
	switch (err->code) {
	case -EEXIST:
		api_reply_problem(
			reply,
			API_PROBLEM_KEY_IN_USE,
			"public_key",
			"another live session has this public key: make a new key pair"
		);
		break;
	case -EALREADY:
		api_reply_problem(
			reply,
			API_PROBLEM_REPLAYED_PROOF,
			"issued_at",
			"%s: sign it anew",
			err->text
		);
		break;
	case -EBUSY:
		api_reply_problem(reply, API_PROBLEM_TOO_MANY_KEYS, "public_key", "%s", err->text);
		reply->retry_after_sec = SESSION_PEER_INTERVAL_SEC;
		break;
	case -EPERM:
		api_reply_problem(reply, API_PROBLEM_SESSION_OVER, NULL, "%s", err->text);
		break;
	default:
		api_reply_session_error(control, reply, err);
		break;
	}
}

// With the configuration, so that who may choose the key needs no second request.
static void reply_peer(
	struct control *control, const struct session *session, struct http_reply *reply
)
{
	char session_id[EVM_HEX_SIZE(32)], key[45];
	struct api_config config = {.text = ""};
	struct session_error err;
	struct json_writer writer;
	bool has_config = api_config_build(control, session, false, &config, &err) == 0;

	evm_hex_format(session->identity.id, 32, session_id);
	client_conf_key_text(key, session->public_key);
	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	json_put_count(&writer, "id", session->id);
	json_put_string(&writer, "session_id", session_id);
	json_put_string(&writer, "state", session_state_name(session->state));
	json_put_string(&writer, "public_key", key);
	json_put_count(&writer, "issued_at", session->peer_unix_sec);
	json_put_bool(&writer, "has_private_key", session->is_private_key_kept);
	api_config_put(&writer, has_config ? &config : NULL);
	json_end(&writer);
	http_reply_json(reply, 200, &writer);
	reply->is_secret = config.has_private_key;
	api_config_wipe(&config);
}

// public_key NULL: the node makes one.
static void set_peer(
	struct control *control,
	uint64_t session_id,
	const uint8_t *public_key,
	uint64_t issued_unix_sec,
	struct http_reply *reply
)
{
	const struct session_peer peer = {
		.public_key = public_key, .chosen_unix_sec = issued_unix_sec};
	struct session_error err;
	struct session after;

	if (session_set_peer(control->sessions, session_id, &peer, &after, &err) < 0)
		reply_error(control, &err, reply);
	else
		reply_peer(control, &after, reply);
}

// ---- contract wallets ------------------------------------------------------------------------

// The buyer is asked first, then the voucher signer.
struct peer_job {
	struct api_chain_job head;
	uint64_t session_id; // local
	uint64_t chain_id;
	uint8_t signers[2][EVM_ADDRESS_SIZE];
	unsigned n_asked;
	uint8_t digest[EVM_KECCAK_SIZE];
	struct peer_body body;
};

// Returns: 0 when the next of the two was asked; -ENOENT when there is none; -1, the reply stands.
static int ask_next(struct peer_job *job, struct http_reply *reply)
{
	const uint8_t *signer = job->signers[job->n_asked];

	if (job->n_asked == 2 || evm_address_is_zero(signer) ||
	    (job->n_asked == 1 && memcmp(signer, job->signers[0], EVM_ADDRESS_SIZE) == 0))
		return -ENOENT;
	job->n_asked++;
	return api_wallet_ask(
		&job->head,
		&(struct api_wallet_question){
			.chain_id = job->chain_id,
			.address = signer,
			.digest = job->digest,
			.signature = &job->body.signature,
		},
		reply
	);
}

static void on_wallet(
	struct api_chain_job *head, const struct chain_ask_answer *answer, struct http_reply *reply
)
{
	struct peer_job *job = (struct peer_job *)head;

	switch (api_wallet_verify(answer)) {
	case 0:
		set_peer(
			head->control,
			job->session_id,
			job->body.public_key,
			job->body.issued_unix_sec,
			reply
		);
		break;
	case -EBADMSG:
		if (ask_next(job, reply) == -ENOENT)
			refuse_signer(reply);
		break;
	default:
		api_chain_reply_silent(reply, answer);
		break;
	}
}

static void ask_wallets(
	struct control *control,
	const struct http_request *request,
	const struct session *session,
	const struct purchase *purchase,
	const struct peer_body *body,
	struct http_reply *reply
)
{
	const struct peer_proof proof = proof_of(control, session, body);
	struct peer_job *job = api_chain_job_create(control, request, sizeof(*job), reply);
	char text[PEER_PROOF_TEXT_CAP];

	if (job == NULL)
		return;
	job->head.answered = on_wallet;
	job->session_id = session->id;
	job->chain_id = session->identity.chain;
	memcpy(job->signers[0], purchase->buyer + 12, EVM_ADDRESS_SIZE);
	memcpy(job->signers[1], purchase->voucher_signer + 12, EVM_ADDRESS_SIZE);
	job->body = *body;
	evm_eip712_personal_digest(text, peer_proof_text(&proof, text), job->digest);
	if (ask_next(job, reply) < 0)
		free(job);
}

static void post_peer(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	struct control *control = ctx;
	struct json_reader reader;
	struct purchase purchase;
	struct session session;
	struct peer_body body;
	int rc;

	json_reader_init(&reader, request->body);
	read_body(&reader, control->ask != NULL, &body);
	if (json_reader_finish(&reader) < 0) {
		http_reply_reader_error(reply, &reader);
		return;
	}
	if (!api_find_bought(control, request, &session, &purchase, reply))
		return;
	if (body.is_key_generated) {
		if (check_token(&request->caller, &session, &purchase, reply))
			set_peer(control, session.id, NULL, 0, reply);
		return;
	}
	rc = check_proof(control, &session, &purchase, &body, reply);
	if (rc == 0)
		set_peer(control, session.id, body.public_key, body.issued_unix_sec, reply);
	else if (rc == -EBADMSG && control->ask != NULL)
		ask_wallets(control, request, &session, &purchase, &body, reply);
	else if (rc == -EBADMSG)
		refuse_signer(reply);
}

const struct http_route api_peer_routes[] = {
	{HTTP_POST, "/api/v1/sessions/{name-or-id}/peer", post_peer, HTTP_SIGNED},
};
const size_t api_peer_n_routes = sizeof(api_peer_routes) / sizeof(api_peer_routes[0]);
