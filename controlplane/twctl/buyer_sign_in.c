// SPDX-License-Identifier: Apache-2.0
//
// See buyer_sign_in.h.
#include "buyer_sign_in.h"

#include "controlplane/chain/evm/evm_eip712.h"
#include "controlplane/chain/evm/evm_hex.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MESSAGE_CAP 1024

static bool has_domain(const struct json_value *reply, const char *authority)
{
	const struct json_value *domains = json_member(reply, "domains");

	for (const struct json_value *v = json_first(domains); v != NULL; v = json_next(v)) {
		const char *text = json_string(v);

		if (text != NULL && strcmp(text, authority) == 0)
			return true;
	}
	return false;
}

// EIP-4361. Returns: the length; 0 when the challenge does not belong into such a text.
static size_t write_message(
	const struct buyer_api *api,
	const struct evm_signer *signer,
	uint64_t chain_id,
	const char *challenge,
	char text[MESSAGE_CAP]
)
{
	char account[EVM_ADDRESS_TEXT_SIZE], issued[32];
	uint8_t address[EVM_ADDRESS_SIZE];
	time_t now = time(NULL);
	struct tm tm;
	int n;

	if (challenge == NULL || strlen(challenge) < 8 || strlen(challenge) > 128 ||
	    challenge[strspn(
		    challenge, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    )] != '\0')
		return 0;
	gmtime_r(&now, &tm);
	strftime(issued, sizeof(issued), "%Y-%m-%dT%H:%M:%SZ", &tm);
	evm_signer_address(signer, address);
	evm_address_format(address, account);
	n = snprintf(
		text,
		MESSAGE_CAP,
		"%s wants you to sign in with your Ethereum account:\n"
		"%s\n\n"
		"Look after my tollwire session.\n\n"
		"URI: %.*s\n"
		"Version: 1\n"
		"Chain ID: %" PRIu64 "\n"
		"Nonce: %s\n"
		"Issued At: %s",
		api->authority,
		account,
		(int)(strlen(api->base) - strlen("api/v1")),
		api->base,
		chain_id,
		challenge,
		issued
	);
	return n > 0 && n < MESSAGE_CAP ? (size_t)n : 0;
}

static char *write_body(const struct evm_signer *signer, const char *message, size_t len)
{
	uint8_t digest[EVM_KECCAK_SIZE], signature[EVM_SIGNER_SIGNATURE_SIZE];
	char hex[EVM_HEX_SIZE(EVM_SIGNER_SIGNATURE_SIZE)], *body = NULL;
	struct json_writer w;

	evm_eip712_personal_digest(message, len, digest);
	if (evm_signer_sign(signer, digest, signature) < 0)
		return NULL;
	evm_hex_format(signature, sizeof(signature), hex);
	json_writer_init(&w);
	json_begin_object(&w, NULL);
	json_put_string(&w, "message", message);
	json_put_string(&w, "signature", hex);
	json_end(&w);
	return json_writer_finish(&w, false, &body) < 0 ? NULL : body;
}

static int take_token(struct buyer_api *api, const struct json_value *reply)
{
	const char *token = json_string(json_member(reply, "token"));

	// It goes into a header.
	if (token == NULL || token[0] == '\0' || strpbrk(token, " \t\r\n") != NULL)
		return -EPROTO;
	return http_client_set_bearer(api->client, token);
}

int buyer_sign_in(
	struct buyer_api *api,
	const struct evm_signer *signer,
	uint64_t chain_id,
	char why[BUYER_API_WHY]
)
{
	char url[sizeof(api->base) + 32], message[MESSAGE_CAP], *body;
	struct json_value *reply;
	size_t len;
	int r;

	snprintf(url, sizeof(url), "%s/auth/challenge", api->base);
	r = buyer_api_exchange(api, "POST", url, NULL, &reply, why);
	if (r < 0)
		return r;
	if (!has_domain(reply, api->authority)) {
		snprintf(
			why,
			BUYER_API_WHY,
			"the node does not let buyers sign in at '%.200s', only at its own names "
			"(api.auth_domains); name one of them with --api",
			api->authority
		);
		json_free(reply);
		return -EACCES;
	}
	len = write_message(
		api, signer, chain_id, json_string(json_member(reply, "challenge")), message
	);
	json_free(reply);
	body = len == 0 ? NULL : write_body(signer, message, len);
	if (body == NULL) {
		snprintf(why, BUYER_API_WHY, "the node's challenge is none");
		return -EPROTO;
	}
	snprintf(url, sizeof(url), "%s/auth", api->base);
	r = buyer_api_exchange(api, "POST", url, body, &reply, why);
	json_free_text(body);
	if (r < 0)
		return r;
	r = take_token(api, reply);
	json_free(reply);
	if (r < 0)
		snprintf(why, BUYER_API_WHY, "the node's answer to the sign-in has no token");
	return r;
}
