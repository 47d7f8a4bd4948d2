// SPDX-License-Identifier: Apache-2.0
//
// GET /api/v1/sessions/{name-or-id}/config, and the text behind it. A private key that the node made
// passes through here on its way to whoever asked for it: it is wiped and never logged. Loop's thread.
#include "api_config.h"

#include "controlplane/chain/evm/evm_eip712.h"
#include "controlplane/chain/u256.h"
#include "controlplane/http/api.h"
#include "controlplane/http/api_problem.h"
#include "controlplane/session/config_proof.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static int fail(struct session_error *err, int code, const char *text)
{
	*err = (struct session_error){.code = code};
	snprintf(err->text, sizeof(err->text), "%s", text);
	return code;
}

static int write_text(
	struct control *control,
	const struct session *session,
	const uint8_t node_public_key[32],
	bool is_ipv6_blocked,
	struct api_config *ret,
	struct session_error *err
)
{
	char key[SESSION_KEY_TEXT_CAP] = "";
	struct client_conf conf = {
		.config = control->config,
		.name = session->name,
		.client_public_key = session->public_key,
		.node_public_key = node_public_key,
		.has_psk = session->has_psk,
		.is_ipv6_blocked = is_ipv6_blocked,
	};
	uint32_t inner_be;
	int rc = 0;

	memcpy(&inner_be, session->inner.addr, sizeof(inner_be));
	conf.inner_addr = ntohl(inner_be);
	ret->has_private_key = session->is_private_key_kept;
	if (session->is_private_key_kept) {
		rc = session_read_private_key(control->sessions, session->id, key, err);
		conf.private_key = key;
	}
	if (rc == 0 && client_conf_build(ret->text, sizeof(ret->text), &conf) < 0)
		rc = fail(err, -EMSGSIZE, "the configuration is too long");
	explicit_bzero(key, sizeof(key));
	return rc;
}

// The signer that the session's chain knows as this node's; NULL for a session that was not bought, since
// it has no name that a stranger could look up. Out: its chain.
static const struct evm_signer *find_signer(
	const struct control *control,
	const struct session *session,
	const struct config_chain **ret_chain
)
{
	const struct config *config = control->config;

	for (uint32_t i = 0; i < config->n_chains; i++) {
		*ret_chain = &config->chains[i];
		if (session->identity.source == SESSION_SOURCE_CHAIN &&
		    config->chains[i].id == session->identity.chain)
			return control->signers[i];
	}
	return NULL;
}

static int sign(
	const struct control *control, const struct session *session, struct api_config *config
)
{
	const struct config_chain *chain = NULL;
	const struct evm_signer *signer = find_signer(control, session, &chain);
	uint8_t digest[EVM_KECCAK_SIZE], address[EVM_ADDRESS_SIZE];
	uint8_t signature[EVM_SIGNER_SIGNATURE_SIZE];
	struct config_proof proof = {
		.chain_id = session->identity.chain,
		.config = config->text,
	};
	char text[CONFIG_PROOF_TEXT_CAP];
	int len;

	config->signer[0] = config->signature[0] = '\0';
	if (signer == NULL)
		return 0;
	memcpy(proof.escrow, session->identity.contract + 12, sizeof(proof.escrow));
	u256_to_be(u256_from_u64(chain->node_id), proof.node_id);
	memcpy(proof.session_id, session->identity.id, sizeof(proof.session_id));
	len = config_proof_text(&proof, text, sizeof(text));
	if (len < 0)
		return len;
	evm_eip712_personal_digest(text, (size_t)len, digest);
	if (evm_signer_sign(signer, digest, signature) < 0)
		return -EIO;
	evm_signer_address(signer, address);
	evm_address_format(address, config->signer);
	evm_hex_format(signature, sizeof(signature), config->signature);
	return 0;
}

int api_config_build(
	struct control *control,
	const struct session *session,
	bool is_ipv6_blocked,
	struct api_config *ret,
	struct session_error *err
)
{
	static const uint8_t zero[32];
	struct dp_link_status link;
	int rc;

	dp_link_status(control->link, &link);
	if (!session->has_public_key || !session->has_slot)
		return fail(err, -EPERM, "");
	if (memcmp(link.node_public_key, zero, 32) == 0)
		return fail(err, -EAGAIN, "");
	rc = write_text(control, session, link.node_public_key, is_ipv6_blocked, ret, err);
	if (rc == 0 && sign(control, session, ret) < 0)
		rc = fail(err, -EIO, "the configuration could not be signed");
	if (rc < 0)
		api_config_wipe(ret);
	return rc;
}

void api_config_put(struct json_writer *writer, const struct api_config *config)
{
	bool is_signed = config != NULL && config->signature[0] != '\0';
	char text[sizeof(config->text) + sizeof(config->signature) + 128] = "";

	if (is_signed)
		snprintf(
			text,
			sizeof(text),
			"%s\n# Signed by %s\n# %s\n",
			config->text,
			config->signer,
			config->signature
		);
	else if (config != NULL)
		snprintf(text, sizeof(text), "%s", config->text);
	json_put_string(writer, "config", config == NULL ? NULL : text);
	json_put_string(writer, "signer", is_signed ? config->signer : NULL);
	json_put_string(writer, "signature", is_signed ? config->signature : NULL);
	explicit_bzero(text, sizeof(text));
}

void api_config_wipe(struct api_config *config)
{
	explicit_bzero(config, sizeof(*config));
}

void api_config_reply_error(
	struct control *control,
	const struct session *session,
	const struct session_error *err,
	struct http_reply *reply
)
{
	if (err->code == -EPERM && err->text[0] == '\0')
		api_reply_problem(
			reply,
			API_PROBLEM_NOT_PROVISIONED,
			NULL,
			"session %s is %s: it has no place in the tunnel",
			session->name,
			session_state_name(session->state)
		);
	else if (err->code == -EAGAIN)
		http_reply_problem(
			reply,
			503,
			NULL,
			"the node's public key is not known yet: start tollwire-dataplane once"
		);
	else
		api_reply_session_error(control, reply, err);
}

// GET …/config?block_ipv6
static void get_config(void *ctx, const struct http_request *request, struct http_reply *reply)
{
	bool is_ipv6_blocked = http_request_query(request, "block_ipv6") != NULL;
	struct control *control = ctx;
	struct json_writer writer;
	struct api_config config;
	struct session_error err;
	struct session session;

	if (!api_find_session(control, request, &session, reply))
		return;
	if (api_config_build(control, &session, is_ipv6_blocked, &config, &err) < 0) {
		api_config_reply_error(control, &session, &err, reply);
		return;
	}
	json_writer_init(&writer);
	json_begin_object(&writer, NULL);
	json_put_count(&writer, "id", session.id);
	json_put_string(&writer, "name", session.name);
	json_put_bool(&writer, "has_private_key", config.has_private_key);
	api_config_put(&writer, &config);
	json_end(&writer);
	http_reply_json(reply, 200, &writer);
	reply->is_secret = config.has_private_key;
	api_config_wipe(&config);
}

const struct http_route api_config_routes[] = {
	{HTTP_GET, "/api/v1/sessions/{name-or-id}/config", get_config, HTTP_BUYER},
};
const size_t api_config_n_routes = sizeof(api_config_routes) / sizeof(api_config_routes[0]);
