// SPDX-License-Identifier: Apache-2.0
//
// See buyer_peer.h.
#include "buyer_peer.h"

#include "controlplane/chain/evm/evm_eip712.h"
#include "controlplane/chain/evm/evm_hex.h"
#include "controlplane/http/peer_proof.h"
#include "controlplane/session/client_conf.h"
#include "controlplane/session/config_proof.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RETRY_USEC 500000

// Out: body, to be freed with json_free_text. Returns: 0; -errno.
static int write_proof(const struct buyer_peer *peer, char **ret)
{
	const struct buyer_file *file = peer->file;
	struct peer_proof proof = {
		.chain_id = file->chain_id,
		.issued_unix_sec = (uint64_t)time(NULL),
	};
	uint8_t digest[EVM_KECCAK_SIZE], signature[EVM_SIGNER_SIGNATURE_SIZE];
	char text[PEER_PROOF_TEXT_CAP], key[45], hex[EVM_HEX_SIZE(EVM_SIGNER_SIGNATURE_SIZE)];
	struct json_writer w;
	int r;

	memcpy(proof.escrow, file->escrow, sizeof(proof.escrow));
	u256_to_be(file->order.node_id, proof.node_id);
	memcpy(proof.session_id, file->session_id, sizeof(proof.session_id));
	memcpy(proof.public_key, peer->public_key, sizeof(proof.public_key));
	evm_eip712_personal_digest(text, peer_proof_text(&proof, text), digest);
	r = evm_signer_sign(peer->signer, digest, signature);
	if (r < 0)
		return r;
	client_conf_key_text(key, peer->public_key);
	evm_hex_format(signature, sizeof(signature), hex);
	json_writer_init(&w);
	json_begin_object(&w, NULL);
	json_put_string(&w, "public_key", key);
	json_put_count(&w, "issued_at", proof.issued_unix_sec);
	json_put_string(&w, "signature", hex);
	json_end(&w);
	return json_writer_finish(&w, false, ret);
}

static int verify_signature(
	const struct buyer_peer *peer, const struct json_value *reply, const char *config
)
{
	const char *hex = json_string(json_member(reply, "signature"));
	uint8_t digest[EVM_KECCAK_SIZE], signature[EVM_SIGNER_SIGNATURE_SIZE];
	struct config_proof proof = {.chain_id = peer->file->chain_id, .config = config};
	uint8_t signer[EVM_ADDRESS_SIZE];
	char text[CONFIG_PROOF_TEXT_CAP];
	int len;

	if (hex == NULL || evm_hex_parse(hex, signature, sizeof(signature)) < 0)
		return -EBADMSG;
	memcpy(proof.escrow, peer->file->escrow, sizeof(proof.escrow));
	u256_to_be(peer->file->order.node_id, proof.node_id);
	memcpy(proof.session_id, peer->file->session_id, sizeof(proof.session_id));
	len = config_proof_text(&proof, text, sizeof(text));
	if (len < 0)
		return -EBADMSG;
	evm_eip712_personal_digest(text, (size_t)len, digest);
	if (evm_signer_recover(digest, signature, signer) < 0)
		return -EBADMSG;
	return memcmp(signer, peer->operator_address, EVM_ADDRESS_SIZE) == 0 ||
			memcmp(signer, peer->settler, EVM_ADDRESS_SIZE) == 0
		? 0
		: -EBADMSG;
}

static int take_config(
	const struct buyer_peer *peer,
	const struct json_value *reply,
	struct buyer_conf *ret,
	char why[BUYER_PEER_WHY]
)
{
	const char *text = json_string(json_member(reply, "config"));
	char detail[BUYER_CONF_WHY], theirs[45], sold[45];
	struct buyer_conf conf;

	if (text == NULL) {
		snprintf(why, BUYER_PEER_WHY, "the session has no place in the tunnel yet");
		return -EAGAIN;
	}
	if (verify_signature(peer, reply, text) < 0) {
		snprintf(
			why,
			BUYER_PEER_WHY,
			"the configuration is not signed by the node's operator or settler, as the "
			"registry names them: it was changed on its way, or this is not the node; "
			"nothing was written"
		);
		return -EBADMSG;
	}
	if (buyer_conf_parse(&conf, text, strlen(text), detail) < 0) {
		snprintf(why, BUYER_PEER_WHY, "the node's configuration is not taken: %s", detail);
		return -EBADMSG;
	}
	if (buyer_conf_verify_node(&conf, peer->file->terms.wg_public_key) < 0) {
		client_conf_key_text(theirs, conf.node_public_key);
		client_conf_key_text(sold, peer->file->terms.wg_public_key);
		snprintf(
			why,
			BUYER_PEER_WHY,
			"the node's configuration has WireGuard key %s, the registry and the "
			"session's terms have %s: this is not the node that was bought; nothing "
			"was written",
			theirs,
			sold
		);
		return -EBADMSG;
	}
	*ret = conf;
	return 0;
}

// Signed anew for each try: a proof lives for minutes, and the node may take longer to see the session.
static int try(const struct buyer_peer *peer, struct buyer_conf *ret, char why[BUYER_PEER_WHY])
{
	struct json_value *reply = NULL;
	char *body;
	int r = write_proof(peer, &body);

	if (r < 0) {
		snprintf(why, BUYER_PEER_WHY, "the proof could not be signed");
		return r;
	}
	r = buyer_api_ask(peer->api, "POST", "/peer", body, &reply, why);
	json_free_text(body);
	if (r == 0)
		r = take_config(peer, reply, ret, why);
	json_free(reply);
	return r;
}

// A proof of the same second for another key is one: the next second's is not.
static bool is_worth_waiting(const struct buyer_peer *peer, int r)
{
	return r == -ENOENT || buyer_api_check_transient(r) ||
		(r == -EEXIST && strcmp(peer->api->problem, "replayed-proof") == 0);
}

int buyer_peer_bring(
	const struct buyer_peer *peer, struct buyer_conf *ret, char why[BUYER_PEER_WHY]
)
{
	struct timespec now;
	uint64_t end_sec;
	bool is_told = false;
	int r;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (__builtin_add_overflow((uint64_t)now.tv_sec, peer->wait_sec, &end_sec))
		end_sec = UINT64_MAX;
	for (;;) {
		r = try(peer, ret, why);
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (r == 0 || !is_worth_waiting(peer, r) || (uint64_t)now.tv_sec >= end_sec)
			return r;
		// A second is not worth a word.
		if (!is_told && r != -EEXIST && peer->waiting != NULL) {
			peer->waiting(why);
			is_told = true;
		}
		usleep(RETRY_USEC);
	}
}
